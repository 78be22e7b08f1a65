//! Where the BMCs of a fleet come from: a list, a folder of folders, or a number of addresses. Each of them is a [`Row`]
//! with a name, variables and the files that say what it is.
//!
//! Reads lists and folders; the files of a BMC are read by `runtime::fleet`.

pub mod folder;
pub mod list;
pub mod range;
pub mod slice;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use slice::Slice;

use crate::config::{Diagnostic, Severity, Span};

/// Names of variables that every BMC of a fleet has.
pub const NAME: &str = "name";
/// The number of the BMC in its list, folder or range, from 1.
pub const INDEX: &str = "index";
/// The address of a BMC of a range.
pub const ADDRESS: &str = "addr";
/// The UDP port of a BMC of a range.
pub const PORT: &str = "port";

/// Longest name, in bytes: that of a folder.
const LONGEST_NAME: usize = 255;

/// One BMC of a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name, which is that of its state folder.
    pub name: Arc<str>,
    /// Whether lan.conf may give it another name.
    pub naming: Naming,
    /// Its number in the fleet, from 1.
    pub index: u32,
    /// Names of its variables, beside [`NAME`] and [`INDEX`]; shared by all rows.
    pub columns: Arc<[Box<str>]>,
    /// Their values, in the same order.
    pub values: Box<[Box<str>]>,
    /// Its lan.conf.
    pub lan_conf: Arc<Path>,
    /// Its command file.
    pub commands: Commands,
    /// Where in the list it stands; the line is 0 where there is no list.
    pub place: Span,
}

/// Whose name a BMC has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// That of its row, whatever lan.conf says.
    Row,
    /// That of lan.conf, if it has one.
    LanConf,
}

/// Where the command file of a BMC is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commands {
    /// Here.
    File(Arc<Path>),
    /// One of these beside its lan.conf; which, depends on its name.
    OneOf(Box<[PathBuf]>),
    /// In the usual places, if there is one.
    Usual,
}

impl Row {
    /// Its variables with their values.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.columns.iter().zip(&self.values).map(|(name, value)| (&**name, &**value))
    }

    /// Whether it is the same BMC with the same texts, wherever it stands in the list: a BMC that runs keeps its number.
    pub fn is_like(&self, other: &Self) -> bool {
        self.name == other.name
            && self.variables().eq(other.variables())
            && self.lan_conf == other.lan_conf
            && self.commands == other.commands
    }
}

/// Where a fleet comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `--fleet FILE`.
    List(PathBuf),
    /// `--fleet DIR`.
    Folder(PathBuf),
    /// `--count`, `--addresses`, `--ports`.
    Range(range::Range),
}

/// The files of BMCs that have none of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// lan.conf.
    pub lan_conf: Arc<Path>,
    /// Their command file, unless it is in the usual places.
    pub commands: Option<Arc<Path>>,
}

impl Files {
    fn commands(&self) -> Commands {
        self.commands.clone().map_or(Commands::Usual, Commands::File)
    }
}

/// The BMCs of a fleet, and the list that they stand in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// One for each BMC.
    pub rows: Vec<Row>,
    list: Option<(String, Arc<str>)>,
}

impl Rows {
    /// A fault of a BMC at its place in the list, if there is a list.
    pub fn fault(&self, place: Span, severity: Severity, message: impl Into<String>) -> Option<Diagnostic> {
        let (file, text) = self.list.as_ref()?;
        Some(diagnostic(file, text, place, severity, message))
    }

    /// Where in the list a value of a BMC stands: its own field, or else the name of the BMC.
    pub fn place_of(&self, row: &Row, value: &str) -> Span {
        let line =
            self.list.as_ref().and_then(|(_, text)| text.split('\n').nth((row.place.line as usize).checked_sub(1)?));
        let mut column = 1;
        for field in line.unwrap_or_default().split(',') {
            let length = field.chars().count() as u32;
            let text = field.trim();
            if text.trim_matches('"') == value {
                let blanks = field.chars().take_while(|character| character.is_whitespace()).count() as u32;
                return Span { column: column + blanks, length: text.chars().count() as u32, ..row.place };
            }
            column += length + 1;
        }
        row.place
    }
}

/// Why there is no fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Something is wrong in the list, at these places.
    List(Vec<Diagnostic>),
    /// Something else, in one line.
    Other(String),
}

impl Source {
    /// Reads the list or folder, and takes a slice of it. May wait for the disk.
    ///
    /// # Errors
    /// It cannot be read, has faults, in other slices too, or has no BMC.
    pub fn read(&self, files: &Files, slice: Slice) -> Result<Rows, Fault> {
        let mut rows = match self {
            Self::List(path) => list::read(path, files)?,
            Self::Folder(path) => folder::read(path).map_err(Fault::Other)?,
            Self::Range(range) => return some(range.rows(files, slice), range.count(), slice),
        };
        let all = rows.rows.len();
        let taken = slice.range(all);
        rows.rows.truncate(taken.end);
        rows.rows.drain(..taken.start);
        some(rows, all, slice)
    }
}

/// The rows of a slice, if there are any.
fn some(rows: Rows, all: usize, slice: Slice) -> Result<Rows, Fault> {
    match rows.rows.is_empty() {
        false => Ok(rows),
        true => Err(Fault::Other(format!("Slice {slice} of {all} BMCs has none: expected fewer slices"))),
    }
}

/// Why a text cannot be the name of a BMC, which is that of a folder.
pub(crate) fn unfit_name(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("a BMC needs a name"),
        "." | ".." => Some("this is no name for a folder, and the state of a BMC is kept in one of its name"),
        name if name.contains('/') => Some("a name becomes that of the state folder: expected no '/'"),
        name if name.chars().any(char::is_control) => Some("expected no control characters in a name"),
        name if name.len() > LONGEST_NAME => {
            Some("a name becomes that of the state folder: expected at most 255 bytes")
        }
        _ => None,
    }
}

/// A finding in a text.
fn diagnostic(file: &str, text: &str, span: Span, severity: Severity, message: impl Into<String>) -> Diagnostic {
    let line = text.split('\n').nth((span.line as usize).saturating_sub(1)).unwrap_or_default();
    let source_line = line.strip_suffix('\r').unwrap_or(line).to_owned();
    Diagnostic { severity, file: file.to_owned(), span, message: message.into(), source_line }
}
