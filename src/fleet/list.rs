//! `--fleet FILE`: a list of BMCs in CSV (RFC 4180), a row for each. Its header names their variables.
//!
//! All faults of a list are told, each with its line and column. A byte-order mark, CR LF, empty lines and lines that
//! begin with `#` do no harm; blanks around a field that is not in quotes do not belong to it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use csv_core::{ReadFieldResult, ReaderBuilder};

use super::{Commands, Fault, Files, INDEX, NAME, Naming, Row, Rows, diagnostic, unfit_name};
use crate::config::suggest::nearest;
use crate::config::text::{decode, os_string, quote};
use crate::config::{Diagnostic, Severity, Span};
use crate::store::directory::message;

/// The column with a lan.conf of the BMC's own, relative to the list.
const LAN_CONF: &str = "conf";
/// The column with a command file of its own.
const COMMANDS: &str = "emu";
/// Begins a line that is no row.
const COMMENT: u8 = b'#';

/// Reads a list. Fields with the name of a file that are empty stand for one of `files`.
pub(super) fn read(path: &Path, files: &Files) -> Result<Rows, Fault> {
    let file = path.display().to_string();
    let text = std::fs::read(path)
        .map_err(|error| Fault::Other(format!("Unable to open the list of BMCs '{file}': {}", message(&error))))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    rows(&file, folder, &text, files).map_err(Fault::List)
}

/// The rows of a text whose files are in `folder`.
fn rows(file: &str, folder: &Path, text: &[u8], files: &Files) -> Result<Rows, Vec<Diagnostic>> {
    let shown: Arc<str> = decode(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)).into();
    let mut list = List { file, text: &shown, faults: Vec::new() };
    if [&b"\xff\xfe"[..], b"\xfe\xff"].iter().any(|mark| text.starts_with(mark)) {
        list.fault(START, "this text is in UTF-16, expected UTF-8");
        return Err(list.faults);
    }
    let records = list.records();
    let mut records = records.into_iter();
    let header = records.next().map(|header| list.header(header));
    let rows = match &header {
        Some(Some(columns)) => list.rows(columns, records, folder, files),
        Some(None) => Vec::new(),
        None => {
            list.fault(START, "the list is empty, expected a line with the names of the columns, 'name' among them");
            Vec::new()
        }
    };
    if rows.is_empty() && list.faults.is_empty() {
        list.fault(START, "there is no BMC in this list, expected a line for each below the names of the columns");
    }
    match list.faults {
        faults if faults.is_empty() => Ok(Rows { rows, list: Some((file.to_owned(), Arc::clone(&shown))) }),
        mut faults => {
            faults.sort_by_key(|fault| (fault.span.line, fault.span.column));
            Err(faults)
        }
    }
}

const START: Span = Span { line: 1, column: 1, length: 1 };

/// A field with its place.
struct Field {
    text: String,
    span: Span,
    /// Its quote is not closed, so that it has what follows in it.
    unclosed: bool,
}

/// What the header says.
struct Columns {
    all: Vec<String>,
    name: usize,
    lan_conf: Option<usize>,
    commands: Option<usize>,
}

/// A list being read.
struct List<'a> {
    file: &'a str,
    text: &'a str,
    faults: Vec<Diagnostic>,
}

impl List<'_> {
    fn fault(&mut self, span: Span, message: impl Into<String>) {
        self.faults.push(diagnostic(self.file, self.text, span, Severity::Error, message));
    }

    /// The fields of all records, the header included. There are no empty records.
    fn records(&mut self) -> Vec<Vec<Field>> {
        let bytes = self.text.as_bytes();
        let mut reader = ReaderBuilder::new().comment(Some(COMMENT)).build();
        let mut place = Cursor { text: self.text, at: 0, line: 1, line_start: 0 };
        let mut records = Vec::new();
        let mut record = Vec::new();
        let mut output = vec![0; 256];
        let (mut start, mut end, mut length) = (0, 0, 0);
        loop {
            let (result, read, written) =
                reader.read_field(bytes.get(end..).unwrap_or_default(), output.get_mut(length..).unwrap_or_default());
            end += read;
            length += written;
            let ends_record = match result {
                // Nothing follows, which is to be said once more.
                ReadFieldResult::InputEmpty => continue,
                ReadFieldResult::OutputFull => {
                    output.resize(output.len() * 2, 0);
                    continue;
                }
                ReadFieldResult::End => break,
                ReadFieldResult::Field { record_end } => record_end,
            };
            if record.is_empty() {
                start = begin_of_record(bytes, start);
            }
            let raw = self.text.get(start..end).unwrap_or_default();
            let raw =
                if ends_record { raw.trim_end_matches(['\r', '\n']) } else { raw.strip_suffix(',').unwrap_or(raw) };
            let value = String::from_utf8_lossy(output.get(..length).unwrap_or_default()).into_owned();
            record.push(self.field(&mut place, start, raw, value));
            (start, length) = (end, 0);
            if ends_record {
                records.push(std::mem::take(&mut record));
            }
        }
        records
    }

    /// One field: `raw` is how it is written from byte `start` on, `value` what it says.
    fn field(&mut self, place: &mut Cursor<'_>, start: usize, raw: &str, value: String) -> Field {
        if raw.starts_with('"') {
            let span = place.span(start, raw);
            let quotes = raw.matches('"').count();
            if quotes % 2 == 1 {
                self.fault(Span { length: 1, ..span }, "this quote is not closed; one in a field is written as two");
            } else if !raw.ends_with('"') {
                self.fault(span, "something follows the closing quote; a quote in a field is written as two");
            }
            return Field { text: value, span, unclosed: quotes % 2 == 1 };
        }
        let trimmed = raw.trim_matches([' ', '\t']);
        let span = place.span(start + raw.len() - raw.trim_start_matches([' ', '\t']).len(), trimmed);
        if trimmed.starts_with('"') {
            self.fault(
                Span { length: 1, ..span },
                "a blank stands before this quote, expected the quote behind the comma",
            );
        }
        Field { text: trimmed.to_owned(), span, unclosed: false }
    }

    /// The columns, unless there is no column for names.
    fn header(&mut self, header: Vec<Field>) -> Option<Columns> {
        if let [only] = header.as_slice()
            && let Some(separator) = [';', '\t'].into_iter().find(|separator| only.text.contains(*separator))
        {
            let what = if separator == ';' { "semicolons" } else { "tabs" };
            self.fault(only.span, format!("expected commas between the names of columns, found {what}"));
            return None;
        }
        let mut seen: HashMap<&str, u32> = HashMap::new();
        let mut wrong = Vec::new();
        for field in &header {
            let name = field.text.as_str();
            let message = if name.is_empty() {
                "this column has no name".into()
            } else if let Some(column) = seen.insert(name, field.span.column) {
                format!("the column {} is there already, at column {column} of this line", quote(name))
            } else if name == INDEX {
                "the variable $index is the number of the BMC; expected another name for this column".into()
            } else if name.contains([' ', '\t', '\n', '\r', '"', '\'', '$']) {
                format!("{} cannot be the name of a variable: expected no blanks, quotes and '$' in it", quote(name))
            } else {
                continue;
            };
            wrong.push((field.span, message));
        }
        wrong.into_iter().for_each(|(span, message)| self.fault(span, message));
        let find = |name: &str| header.iter().position(|field| field.text == name);
        let Some(name) = find(NAME) else {
            let near = nearest(NAME, header.iter().map(|field| field.text.as_str()));
            let span = near.and_then(find).and_then(|near| header.get(near)).map(|field| field.span);
            let first = header.first().map_or(START, |field| field.span);
            let hint = near.map(|near| format!("; is it {}?", quote(near))).unwrap_or_default();
            self.fault(
                span.unwrap_or(first),
                format!("there is no column 'name', which every list of BMCs needs{hint}"),
            );
            return None;
        };
        let (lan_conf, commands) = (find(LAN_CONF), find(COMMANDS));
        Some(Columns { all: header.into_iter().map(|field| field.text).collect(), name, lan_conf, commands })
    }

    fn rows(
        &mut self,
        columns: &Columns,
        records: impl Iterator<Item = Vec<Field>>,
        folder: &Path,
        files: &Files,
    ) -> Vec<Row> {
        let shared: Arc<[Box<str>]> = columns.all.iter().map(|name| name.as_str().into()).collect();
        let mut names: HashMap<Arc<str>, u32> = HashMap::new();
        let mut paths: HashMap<String, Arc<Path>> = HashMap::new();
        let mut rows = Vec::new();
        for (record, index) in records.zip(1..) {
            if !self.has_every_column(columns, &record) {
                continue;
            }
            let Some(field) = record.get(columns.name) else { continue };
            if let Some(why) = unfit_name(&field.text) {
                self.fault(field.span, format!("{} cannot be the name of a BMC: {why}", quote(&field.text)));
                continue;
            }
            let name: Arc<str> = field.text.as_str().into();
            if let Some(line) = names.insert(Arc::clone(&name), field.span.line) {
                self.fault(field.span, format!("the name {} is that of line {line} already", quote(&name)));
                continue;
            }
            let mut path = |column: Option<usize>| {
                let name = &record.get(column?)?.text;
                let path = paths.entry(name.clone()).or_insert_with(|| folder.join(os_string(name)).into());
                (!name.is_empty()).then(|| Arc::clone(path))
            };
            let lan_conf = path(columns.lan_conf).unwrap_or_else(|| Arc::clone(&files.lan_conf));
            let commands = path(columns.commands).map_or_else(|| files.commands(), Commands::File);
            let place = field.span;
            let values = record.into_iter().map(|field| field.text.into()).collect();
            let columns = Arc::clone(&shared);
            rows.push(Row { name, naming: Naming::Row, index, columns, values, lan_conf, commands, place });
        }
        rows
    }

    /// Whether a record has as many fields as the header.
    fn has_every_column(&mut self, columns: &Columns, record: &[Field]) -> bool {
        let (found, expected) = (record.len(), columns.all.len());
        if record.iter().any(|field| field.unclosed) {
            return false;
        }
        let fields = |count| if count == 1 { "1 field".to_owned() } else { format!("{count} fields") };
        if let Some(more) = record.get(expected) {
            let text = format!("this line has {}, expected {expected} as in the header", fields(found));
            self.fault(more.span, format!("{text}; a field with a comma in it belongs in quotes"));
        } else if let (true, Some(last)) = (found < expected, record.last()) {
            let Span { line, column, length } = last.span;
            let end = if last.text.is_empty() { column } else { column + length };
            let missing = columns.all.get(found).map(|name| format!("; {} is the first that is missing", quote(name)));
            let text = format!("this line has {}, expected {expected} as in the header", fields(found));
            self.fault(Span { line, column: end, length: 1 }, text + &missing.unwrap_or_default());
        }
        found == expected
    }
}

/// Where the first field of a record begins: behind line ends and comments.
fn begin_of_record(text: &[u8], mut at: usize) -> usize {
    loop {
        match text.get(at) {
            Some(b'\r' | b'\n') => at += 1,
            Some(&COMMENT) => match text.get(at..).unwrap_or_default().iter().position(|byte| *byte == b'\n') {
                Some(length) => at += length,
                None => return text.len(),
            },
            _ => return at,
        }
    }
}

/// Counts lines on the way through a text.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    line_start: usize,
}

impl Cursor<'_> {
    /// The place of a part that begins at byte `start`, no earlier than the last one. Of a part of several lines only
    /// the first counts.
    fn span(&mut self, start: usize, part: &str) -> Span {
        for (offset, _) in self.text.get(self.at..start).unwrap_or_default().match_indices('\n') {
            self.line += 1;
            self.line_start = self.at + offset + 1;
        }
        self.at = start;
        let before = self.text.get(self.line_start..start).unwrap_or_default();
        let length = part.lines().next().unwrap_or_default().chars().count().max(1);
        Span { line: self.line, column: before.chars().count() as u32 + 1, length: length as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        Files { lan_conf: Path::new("lan.conf").into(), commands: Some(Path::new("sim.emu").into()) }
    }

    fn read(text: impl AsRef<[u8]>) -> Result<Rows, Vec<Diagnostic>> {
        rows("nodes.csv", Path::new("lists"), text.as_ref(), &files())
    }

    fn good(text: impl AsRef<[u8]>) -> Vec<Row> {
        read(text).unwrap_or_else(|faults| panic!("{faults:?}")).rows
    }

    /// The faults as `line:column+length message`.
    fn faults(text: impl AsRef<[u8]>) -> Vec<String> {
        let faults = read(text).expect_err("faults");
        let shown = |fault: &Diagnostic| {
            let Span { line, column, length } = fault.span;
            format!("{line}:{column}+{length} {}", fault.message)
        };
        faults.iter().map(shown).collect()
    }

    fn values(row: &Row) -> Vec<(&str, &str)> {
        row.variables().collect()
    }

    #[test]
    fn a_row_has_the_variables_that_the_header_names() {
        let rows = good("name,addr,rack\nn1,10.0.0.1,r 7\nn2,10.0.0.2,\n");
        assert_eq!(values(&rows[0]), [("name", "n1"), ("addr", "10.0.0.1"), ("rack", "r 7")]);
        assert_eq!(values(&rows[1]), [("name", "n2"), ("addr", "10.0.0.2"), ("rack", "")]);
        assert_eq!((&*rows[0].name, rows[0].index, &*rows[1].name, rows[1].index), ("n1", 1, "n2", 2));
        assert_eq!(rows[1].place, Span { line: 3, column: 1, length: 2 });
        assert_eq!(&*rows[0].lan_conf, Path::new("lan.conf"));
        assert_eq!(rows[0].commands, Commands::File(Path::new("sim.emu").into()));
    }

    #[test]
    fn files_of_a_rows_own_are_beside_the_list() {
        let rows = good("conf,name,emu\na/lan.conf,n1,/etc/b.emu\n,n2,\na/lan.conf,n3,\n");
        assert_eq!(&*rows[0].lan_conf, Path::new("lists/a/lan.conf"));
        assert_eq!(rows[0].commands, Commands::File(Path::new("/etc/b.emu").into()));
        assert_eq!(&*rows[1].lan_conf, Path::new("lan.conf"));
        assert_eq!(rows[1].commands, Commands::File(Path::new("sim.emu").into()));
        assert!(Arc::ptr_eq(&rows[0].lan_conf, &rows[2].lan_conf));
    }

    #[test]
    fn what_programs_for_tables_write_is_read() {
        let plain = "name,addr\nn1,10.0.0.1\nn2,\"a \"\"b\"\", c\"\n";
        let rows = good(plain);
        assert_eq!(values(&rows[1])[1], ("addr", "a \"b\", c"));
        for text in [
            format!("\u{feff}{plain}"),
            plain.replace('\n', "\r\n"),
            format!("\n# nodes\n{}\n\n  \t", plain.replace("n2,", "\n# more, \"\n\nn2,"))
                .trim_end_matches("  \t")
                .into(),
            plain.trim_end().to_owned(),
            plain.replace("n1,", "  n1\t, ").replace("name,addr", " name , addr"),
        ] {
            let read = good(&text);
            assert_eq!(
                read.iter().map(values).collect::<Vec<_>>(),
                rows.iter().map(values).collect::<Vec<_>>(),
                "{text:?}"
            );
        }
        let rows = good("name,note\r\n\r\nn1,\"two\r\nlines\"\r\nn2,x\r\n");
        assert_eq!(values(&rows[0])[1], ("note", "two\r\nlines"));
        assert_eq!(rows[1].place, Span { line: 5, column: 1, length: 2 });
        // Not all of it is UTF-8.
        assert_eq!(values(&good(b"name,x\nn1,\xe4\n")[0])[1].1, decode(b"\xe4"));
        assert_eq!(good("name\nn1\n").len(), 1);
        let long = "x".repeat(5000);
        assert_eq!(values(&good(format!("name,x\nn1,{long}\n"))[0])[1], ("x", &*long));
    }

    #[test]
    fn all_faults_are_told_with_their_places() {
        let text = "name,addr,rack\n\
                    n1,10.0.0.1,r1\n\
                    n2,10.0.0.2\n\
                    n3,10.0.0.3,r1,x\n\
                    n1,10.0.0.4,r1\n\
                    ,10.0.0.5,r1\n\
                    a/b,10.0.0.6,r1\n\
                    ..,10.0.0.7,r1\n";
        let folder = "becomes that of the state folder: expected no '/'";
        assert_eq!(
            faults(text),
            [
                "3:12+1 this line has 2 fields, expected 3 as in the header; 'rack' is the first that is missing".into(),
                "4:16+1 this line has 4 fields, expected 3 as in the header; a field with a comma in it belongs in quotes"
                    .into(),
                "5:1+2 the name 'n1' is that of line 2 already".into(),
                "6:1+1 '' cannot be the name of a BMC: a BMC needs a name".into(),
                format!("7:1+3 'a/b' cannot be the name of a BMC: a name {folder}"),
                "8:1+2 '..' cannot be the name of a BMC: this is no name for a folder, and the state of a BMC is kept \
                 in one of its name"
                    .to_owned(),
            ]
        );
        assert_eq!(faults("name,addr\r\nn1,1\r\n\r\n  n1 ,2\r\n"), ["4:3+2 the name 'n1' is that of line 2 already"]);
        let long = "x".repeat(256);
        assert!(faults(format!("name\n{long}\n"))[0].starts_with("2:1+256 "));
        assert!(faults("name,a\nn\u{1}1,x\n")[0].ends_with("expected no control characters in a name"));
    }

    #[test]
    fn quotes_that_are_wrong_are_pointed_at() {
        let closed = "this quote is not closed; one in a field is written as two";
        assert_eq!(faults("name,x,y\nn1,\"abc\nn2,y\nn3,z\n"), [format!("2:4+1 {closed}")]);
        let follows = "something follows the closing quote; a quote in a field is written as two";
        assert_eq!(faults("name,x\nn1,\"a\"b\"c\"x\n"), [format!("2:4+8 {follows}")]);
        let before = "a blank stands before this quote, expected the quote behind the comma";
        assert_eq!(faults("name,x\nn1, \"a\"\n"), [format!("2:5+1 {before}")]);
        // A quote inside is a character.
        assert_eq!(values(&good("name,x\nn1,19\" rack\n")[0])[1].1, "19\" rack");
    }

    #[test]
    fn a_header_that_is_wrong_is_pointed_at() {
        assert_eq!(
            faults("name,addr,,addr,my rack,index,$x\nn1,1,2,3,4,5,6\n"),
            [
                "1:11+1 this column has no name",
                "1:12+4 the column 'addr' is there already, at column 6 of this line",
                "1:17+7 'my rack' cannot be the name of a variable: expected no blanks, quotes and '$' in it",
                "1:25+5 the variable $index is the number of the BMC; expected another name for this column",
                "1:31+2 '$x' cannot be the name of a variable: expected no blanks, quotes and '$' in it",
            ]
        );
        assert_eq!(faults("addr,rack\n1,2\n"), ["1:1+4 there is no column 'name', which every list of BMCs needs"]);
        let near = "there is no column 'name', which every list of BMCs needs; is it 'Name'?";
        assert_eq!(faults("addr,Name\n1,2\n"), [format!("1:6+4 {near}")]);
        assert_eq!(
            faults("name;addr\nn1;1\n"),
            ["1:1+9 expected commas between the names of columns, found semicolons"]
        );
        assert_eq!(faults("name\taddr\n"), ["1:1+9 expected commas between the names of columns, found tabs"]);
        for (text, what) in
            [("", "the list is empty"), ("# only\n\n", "the list is empty"), ("name,x\n", "there is no BMC")]
        {
            assert!(faults(text)[0].starts_with(&format!("1:1+1 {what}")), "{text:?}");
        }
        assert_eq!(faults(b"\xff\xfen\0a\0m\0e\0"), ["1:1+1 this text is in UTF-16, expected UTF-8"]);
    }

    #[test]
    fn a_fault_shows_its_line() {
        let fault = read("name,addr\r\nn1,1\r\nn1,2\r\n").expect_err("a fault").remove(0);
        assert_eq!(
            fault.to_string(),
            "nodes.csv:3:1: error: the name 'n1' is that of line 2 already\n3 | n1,2\n  | ^^"
        );
        let rows = read("name,addr\nn1,1\n").unwrap();
        let later = rows.fault(rows.rows[0].place, Severity::Error, "no").unwrap();
        assert_eq!(later.to_string(), "nodes.csv:2:1: error: no\n2 | n1,1\n  | ^^");
        let rows = read("name,addr\r\nn1, 10.0.0.1\r\n\"n2\",\"10.0.0.2\"\r\n").unwrap();
        let place = |index: usize, value| rows.place_of(&rows.rows[index], value);
        assert_eq!(place(0, "10.0.0.1"), Span { line: 2, column: 5, length: 8 });
        assert_eq!(place(1, "10.0.0.2"), Span { line: 3, column: 6, length: 10 });
        assert_eq!(place(1, "10.0.0.3"), rows.rows[1].place);
    }
}
