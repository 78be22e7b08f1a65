//! Command files on their way through the simulator: which statement is next, and where
//! included files are (`emu.md` sections 2 and 7).
//!
//! Executes nothing.

use std::io;
use std::iter;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::recordings::read_file;
use super::tables::{TableFault, Tables};
use crate::config::command::{Statement, statements};
use crate::config::records::records;
use crate::config::text::os_string;
use crate::config::{Diagnostic, Severity, Span};
use crate::ipmi::Recording;
use crate::settings::fill::Listed;
use crate::settings::follow::CsvSource;
use crate::store::directory::message;

/// How deep files may include each other; the original recurses until it crashes.
const DEPTH: usize = 64;
/// How many files may be included altogether: two files that include each other twice would
/// go on for very long within the depth.
const MOST_FILES: usize = 1000;

/// Statements waiting to be executed: a stack of texts, the innermost included file on top.
#[derive(Debug, Default)]
pub struct Script {
    texts: Vec<Next>,
    included: usize,
}

/// The next statement of a text that other scripts may have as well.
#[derive(Clone, Debug, PartialEq)]
pub struct Next {
    text: Arc<[Statement]>,
    index: usize,
}

impl Deref for Next {
    type Target = Statement;

    fn deref(&self) -> &Statement {
        // Never made without it.
        &self.text[self.index]
    }
}

/// Where the files are that statements name.
pub trait Includes {
    /// The statements of a file.
    ///
    /// # Errors
    /// It cannot be read, in the system's words.
    fn included(&self, path: &str) -> Result<Arc<[Statement]>, String>;

    /// Where files are looked for, besides the working directory.
    fn directories(&self) -> &[PathBuf];

    /// The tables that were read.
    fn tables(&self) -> &Tables;

    /// The records of the file at this place.
    ///
    /// # Errors
    /// It cannot be read, or something is wrong in it.
    fn records(&self, path: &Path) -> Result<Arc<[Listed]>, NoRecords> {
        read_records(path)
    }
}

/// Why there are no records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRecords {
    /// The file cannot be read, in the system's words.
    Unreadable(String),
    /// Something in it is wrong.
    Content(Box<Diagnostic>),
}

/// Those of configuration directories, read whenever one is named.
#[derive(Debug, Default)]
pub struct Folders {
    directories: Vec<PathBuf>,
    tables: Tables,
}

impl Folders {
    /// Those of these directories, and of the working directory.
    pub fn new(directories: Vec<PathBuf>, tables: Tables) -> Self {
        Self { directories, tables }
    }
}

impl Includes for Folders {
    fn included(&self, path: &str) -> Result<Arc<[Statement]>, String> {
        let (name, text) = read_included(path, &self.directories).map_err(|error| message(&error))?;
        Ok(statements(&name, &text).into())
    }

    fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    fn tables(&self) -> &Tables {
        &self.tables
    }
}

impl Script {
    /// Puts a file's statements before all others.
    pub fn push_file(&mut self, name: &str, text: &[u8]) {
        self.push_statements(statements(name, text).into());
    }

    /// Puts statements before all others.
    pub fn push_statements(&mut self, text: Arc<[Statement]>) {
        self.texts.push(Next { text, index: 0 });
    }

    /// Puts one line, which is not assembled from several, before all others.
    pub fn push_line(&mut self, name: &str, line: &[u8]) {
        self.push_statements([Statement::single(name, line)].into());
    }

    /// The next statement.
    pub fn next_statement(&mut self) -> Option<Next> {
        loop {
            let next = self.texts.last_mut()?;
            if next.index < next.text.len() {
                let statement = next.clone();
                next.index += 1;
                return Some(statement);
            }
            self.texts.pop();
        }
    }

    /// Puts the statement that was last taken before all others again; nothing may have been included since.
    pub fn put_back(&mut self) {
        if let Some(next) = self.texts.last_mut() {
            next.index = next.index.saturating_sub(1);
        }
    }

    /// Puts the statements of an included file before all others.
    pub fn include(
        &mut self,
        path: &str,
        by: &Statement,
        includes: &(impl Includes + ?Sized),
    ) -> Result<(), Box<Diagnostic>> {
        let fault = |why: String| Box::new(fault(by, path, format!("Could not read include file {path}: {why}")));
        if self.texts.len() >= DEPTH {
            return Err(fault(format!("more than {DEPTH} files include each other")));
        }
        if self.included >= MOST_FILES {
            return Err(fault(format!("more than {MOST_FILES} files are included")));
        }
        self.included += 1;
        let text = includes.included(path).or_else(|why| {
            // The original knows no such place, so it comes last.
            beside(&by.file, path).and_then(|path| includes.included(&path).ok()).ok_or(why)
        });
        self.push_statements(text.map_err(fault)?);
        Ok(())
    }
}

/// The list of records that a statement names, which is looked for in the same places as an included file.
///
/// # Errors
/// It cannot be read; what is wrong in it has its place there, all else that in the statement.
pub fn listed(
    path: &str,
    by: &Statement,
    includes: &(impl Includes + ?Sized),
) -> Result<Arc<[Listed]>, Box<Diagnostic>> {
    let beside = beside(&by.file, path).map(|beside| os_string(&beside).into());
    let mut first = None;
    for candidate in candidates(path, includes.directories()).chain(beside) {
        match includes.records(&candidate) {
            Ok(records) => return Ok(records),
            Err(NoRecords::Content(fault)) => return Err(fault),
            Err(NoRecords::Unreadable(why)) => first = first.or(Some(why)),
        }
    }
    let why = first.unwrap_or_default();
    Err(Box::new(fault(by, path, format!("Could not read the records of {path}: {why}"))))
}

/// Reads a list of records.
pub(super) fn read_records(path: &Path) -> Result<Arc<[Listed]>, NoRecords> {
    let text = read_file(path).map_err(|error| NoRecords::Unreadable(message(&error)))?;
    records(&path.display().to_string(), &text).map(Into::into).map_err(NoRecords::Content)
}

/// The column of a table that a statement names, which is looked for in the same places as an included file.
///
/// # Errors
/// It cannot be read; what is wrong in it has its place there, all else that in the statement.
pub fn recording(
    source: &CsvSource,
    by: &Statement,
    includes: &(impl Includes + ?Sized),
) -> Result<Arc<Recording>, Box<Diagnostic>> {
    let path = &source.path;
    let unreadable = |why: String| Box::new(fault(by, path, format!("Could not read table {path}: {why}")));
    let candidates = candidates(path, includes.directories());
    let beside = beside(&by.file, path).map(|beside| os_string(&beside).into());
    let mut first = None;
    for candidate in candidates.chain(beside) {
        match includes.tables().get(&candidate, source) {
            Ok(recording) => return Ok(recording),
            Err(TableFault::Content(fault)) => return Err(fault),
            Err(TableFault::Unreadable(why)) => first = first.or(Some(why)),
        }
    }
    Err(unreadable(first.unwrap_or_default()))
}

/// The place of a file next to the one that names it. What a console or a text without a file says is nowhere.
fn beside(file: &str, path: &str) -> Option<String> {
    let folder = Path::new(file).parent().filter(|folder| !folder.as_os_str().is_empty())?;
    Path::new(path).is_relative().then(|| folder.join(path).to_str().map(str::to_owned))?
}

/// A file is looked for as named, from the working directory; then, unless the name
/// begins with `/`, `./` or `../`, in the configuration directories.
fn candidates(path: &str, directories: &[PathBuf]) -> impl Iterator<Item = PathBuf> {
    let anywhere = !["/", "./", "../"].iter().any(|start| path.starts_with(start));
    let name = PathBuf::from(os_string(path));
    let others = directories.iter().filter(move |_| anywhere).map({
        let name = name.clone();
        move |directory| directory.join(&name)
    });
    iter::once(name).chain(others)
}

pub(super) fn read_included(path: &str, directories: &[PathBuf]) -> io::Result<(String, Vec<u8>)> {
    let mut first = None;
    for (number, candidate) in candidates(path, directories).enumerate() {
        let name = || if number == 0 { path.to_string() } else { candidate.display().to_string() };
        match std::fs::read(&candidate) {
            Ok(text) => return Ok((name(), text)),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

/// A fault of a statement, at the first place where `what` is written in it.
pub fn fault(statement: &Statement, what: &str, message: String) -> Diagnostic {
    let found = statement.lines.iter().find_map(|(number, line)| {
        let start = line.find(what).filter(|_| !what.is_empty())?;
        let column = line.get(..start)?.chars().count() + 1;
        Some((*number, column, what.chars().count(), line))
    });
    let first = statement.lines.first();
    let (line, column, length, source_line) = match found {
        Some((line, column, length, text)) => (line, column, length, text.clone()),
        None => (first.map_or(1, |(number, _)| *number), 1, 1, first.map(|(_, text)| text.clone()).unwrap_or_default()),
    };
    let span = Span { line, column: column as u32, length: length as u32 };
    Diagnostic { severity: Severity::Error, file: statement.file.clone(), span, message, source_line }
}

/// The physical lines of a statement, for the echo.
pub fn echo(statement: &Statement) -> String {
    statement.lines.iter().fold(String::new(), |mut text, (_, line)| {
        text.push_str(line.trim_end_matches(['\r', '\n']));
        text.push('\n');
        text
    })
}

/// Reads the file named by `-f`, or the default one.
pub fn read_command_file(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path)
        .map_err(|error| format!("Unable to open command file '{}': {}", path.display(), message(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only as named.
    fn nowhere() -> Folders {
        Folders::default()
    }

    /// The last statement of a text.
    fn statement(text: &[u8]) -> Statement {
        statements("a.emu", text).pop().unwrap()
    }

    fn line(statement: &Statement) -> &str {
        &statement.lines[0].1
    }

    #[test]
    fn what_is_pushed_last_comes_first() {
        let mut script = Script::default();
        script.push_line("<-x>", b"second");
        script.push_line("<-x>", b"first");
        assert_eq!(line(&script.next_statement().unwrap()), "first");
        assert_eq!(line(&script.next_statement().unwrap()), "second");
        assert_eq!(script.next_statement(), None);
    }

    #[test]
    fn an_included_file_is_found_in_the_configuration_directory() {
        let root = tempfile::tempdir().unwrap();
        let directories = [root.path().join("none"), root.path().to_path_buf()];
        std::fs::write(root.path().join("more.emu"), "# text\n").unwrap();
        let (name, text) = read_included("more.emu", &directories).unwrap();
        assert_eq!((name, text), (root.path().join("more.emu").display().to_string(), b"# text\n".to_vec()));
        assert!(read_included("./more.emu", &directories).is_err());
        let absolute = root.path().join("more.emu").display().to_string();
        assert_eq!(read_included(&absolute, &[]).unwrap().0, absolute);
    }

    #[test]
    fn at_last_a_file_is_looked_for_beside_the_one_that_includes_it() {
        let root = tempfile::tempdir().unwrap();
        let [by, more] = ["main.emu", "more.emu"].map(|name| root.path().join(name).display().to_string());
        std::fs::write(&more, "# beside\n").unwrap();
        let by = Statement::single(&by, b"x");
        let mut script = Script::default();
        script.include("more.emu", &by, &nowhere()).unwrap();
        let next = script.next_statement().unwrap();
        assert_eq!((line(&next), &*next.file), ("# beside", &*more));
        // What stands in a configuration directory comes before it, as ever.
        let configuration = tempfile::tempdir().unwrap();
        std::fs::write(configuration.path().join("more.emu"), "# first\n").unwrap();
        script
            .include("more.emu", &by, &Folders::new(vec![configuration.path().to_path_buf()], Tables::default()))
            .unwrap();
        assert_eq!(line(&script.next_statement().unwrap()), "# first");
        assert!(script.include("more.emu", &Statement::single("<console>", b"x"), &nowhere()).is_err());
    }

    #[test]
    fn a_missing_file_is_pointed_at() {
        let by = statement(b"\n  include \\\n\t\"no.emu\"\n");
        let diagnostic = Script::default().include("no.emu", &by, &nowhere()).unwrap_err();
        assert_eq!(diagnostic.span, Span { line: 3, column: 3, length: 6 });
        assert_eq!(diagnostic.message, "Could not read include file no.emu: No such file or directory");
        assert_eq!(diagnostic.source_line, "\t\"no.emu\"");
        // The name came out of a variable.
        let by = statement(b"\ninclude $X\n");
        let diagnostic = Script::default().include("no.emu", &by, &nowhere()).unwrap_err();
        assert_eq!(diagnostic.span, Span { line: 2, column: 1, length: 1 });
    }

    #[test]
    fn a_list_of_records_is_found_beside_the_statement_that_names_it() {
        let root = tempfile::tempdir().unwrap();
        let [by, list, bad] = ["main.emu", "list", "bad"].map(|name| root.path().join(name).display().to_string());
        std::fs::write(&list, "4 1 0x30 1 9 0xff 0xff\n").unwrap();
        std::fs::write(&bad, "4 1\n").unwrap();
        let by = Statement::single(&by, b"sel_fill 0x20 every 1 file \"list\"");
        assert_eq!(*listed("list", &by, &nowhere()).unwrap(), [Listed::Event([4, 1, 0x30, 1, 9, 0xff, 0xff])]);
        let fault = listed("bad", &by, &nowhere()).unwrap_err();
        assert_eq!((&*fault.file, fault.span.line, &*fault.source_line), (&*bad, 1, "4 1"));
        let fault = listed("none", &by, &nowhere()).unwrap_err();
        assert_eq!(fault.message, "Could not read the records of none: No such file or directory");
        let fault = listed("/dev/zero", &by, &nowhere()).unwrap_err();
        assert_eq!(fault.message, "Could not read the records of /dev/zero: it is no file");
    }

    #[test]
    fn a_file_that_includes_itself_ends() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("self.emu");
        std::fs::write(&path, "x\n").unwrap();
        let name = path.display().to_string();
        let by = Statement::single(&name, b"x");
        let mut script = Script::default();
        let depth = (0..1000).take_while(|_| script.include(&name, &by, &nowhere()).is_ok()).count();
        assert_eq!(depth, DEPTH);
    }

    #[test]
    fn files_that_include_each_other_twice_end_soon() {
        let root = tempfile::tempdir().unwrap();
        let name = root.path().join("twice.emu").display().to_string();
        std::fs::write(&name, "include a\ninclude b\n").unwrap();
        let mut script = Script::default();
        script.push_line("<-x>", b"include");
        let mut statements = 0;
        while let Some(statement) = script.next_statement() {
            statements += 1;
            assert!(statements < 10_000, "it goes on and on");
            let _ = script.include(&name, &statement, &nowhere());
        }
        assert_eq!(statements, 1 + 2 * MOST_FILES);
    }

    #[test]
    fn the_echo_has_every_physical_line() {
        assert_eq!(echo(&statement(b"a \\\n# c\nb\n")), "a \\\n# c\nb\n");
    }
}
