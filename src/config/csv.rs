//! A column of a table in CSV (RFC 4180), as values over time.
//!
//! A byte-order mark, CR LF, empty lines and lines that begin with `#` do no harm; blanks around a number do not belong to
//! it. The first row has the names of the columns if one is named, or if no number stands where one is expected.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::suggest::nearest;
use super::text::{clip, decode, quote};
use super::{Diagnostic, Severity, Span};
use crate::ipmi::Recording;
use crate::settings::follow::{Column, CsvSource, Decimal, Times};

/// Most rows of a table.
pub const MOST_ROWS: usize = 1_000_000;
/// The shortest time between two rows, in seconds.
const SHORTEST: f64 = 0.1;
/// Begins a line that is no row.
const COMMENT: u8 = b'#';

/// Reads a column of `text`, which is called `file` in faults.
///
/// # Errors
/// The first thing in it that cannot be read, with its place.
pub fn recording(file: &str, text: &[u8], source: &CsvSource) -> Result<Recording, Box<Diagnostic>> {
    let table = Table { file, text: text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text) };
    let points = table.points(source)?;
    Recording::new(source.to_string(), &points, source.between, source.behind)
        .ok_or_else(|| table.fault(0, 0, "there is no row with a number in this table"))
}

/// A table being read.
struct Table<'a> {
    file: &'a str,
    text: &'a [u8],
}

/// A row: where it begins, and its fields.
struct Row<'a> {
    start: usize,
    fields: &'a [u8],
    ends: &'a [usize],
}

impl Row<'_> {
    fn field(&self, index: usize) -> Option<String> {
        let start = index.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        let field = self.fields.get(start..*self.ends.get(index)?)?;
        Some(decode(field).trim().to_owned())
    }

    /// The number in a column.
    fn number(&self, index: usize) -> Option<f64> {
        // As it is written by programs: `inf` and `nan` are no values.
        self.field(index)?.parse().ok().filter(|number: &f64| number.is_finite())
    }
}

/// Where the columns are that are read.
#[derive(Clone, Copy)]
struct Places {
    value: usize,
    time: Option<usize>,
}

impl Table<'_> {
    fn points(&self, source: &CsvSource) -> Result<Vec<(f64, f64)>, Box<Diagnostic>> {
        let mut points: Vec<(f64, f64)> = Vec::new();
        let mut places = None;
        self.rows(|row| {
            let Some(known) = places else {
                let (found, is_header) = self.places(row, source)?;
                places = Some(found);
                return if is_header { Ok(()) } else { self.point(row, found, &source.times, &mut points) };
            };
            self.point(row, known, &source.times, &mut points)
        })?;
        Ok(points)
    }

    /// Calls `each` with every row.
    fn rows(&self, mut each: impl FnMut(&Row<'_>) -> Result<(), Box<Diagnostic>>) -> Result<(), Box<Diagnostic>> {
        let mut reader: Reader = ReaderBuilder::new().comment(Some(COMMENT)).build();
        let (mut fields, mut ends) = (vec![0; 256], vec![0; 16]);
        let (mut at, mut start, mut written, mut count) = (0, 0, 0, 0);
        loop {
            let input = self.text.get(at..).unwrap_or_default();
            let (result, read, wrote, ended) = reader.read_record(
                input,
                fields.get_mut(written..).unwrap_or_default(),
                ends.get_mut(count..).unwrap_or_default(),
            );
            (at, written, count) = (at + read, written + wrote, count + ended);
            match result {
                // Nothing follows, which is to be said once more.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => fields.resize(fields.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => ends.resize(ends.len() * 2, 0),
                ReadRecordResult::Record => {
                    let (Some(fields), Some(ends)) = (fields.get(..written), ends.get(..count)) else { return Ok(()) };
                    each(&Row { start: self.begin(start), fields, ends })?;
                    (start, written, count) = (at, 0, 0);
                }
                ReadRecordResult::End => return Ok(()),
            }
        }
    }

    /// Where a row begins that is the first behind `start`: empty lines and comments are none.
    fn begin(&self, mut start: usize) -> usize {
        loop {
            let rest = self.text.get(start..).unwrap_or_default();
            match rest.first() {
                Some(b'\r' | b'\n') => start += 1,
                Some(&COMMENT) => {
                    start += rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
                }
                _ => return start,
            }
        }
    }

    /// Where the columns are, by the first row, and whether that is a header.
    fn places(&self, first: &Row<'_>, source: &CsvSource) -> Result<(Places, bool), Box<Diagnostic>> {
        let time = match &source.times {
            Times::Column(column) => Some(column),
            Times::Every(_) => None,
        };
        let find = |column: &Column| self.find(first, column);
        let places = Places { value: find(&source.column)?, time: time.map(find).transpose()? };
        let named = [Some(&source.column), time].into_iter().flatten().any(|column| matches!(column, Column::Name(_)));
        let numbers = [Some(places.value), places.time].into_iter().flatten().any(|at| first.number(at).is_some());
        Ok((places, named || !numbers))
    }

    fn find(&self, first: &Row<'_>, column: &Column) -> Result<usize, Box<Diagnostic>> {
        let count = first.ends.len();
        match column {
            Column::Number(number) => match usize::try_from(*number).ok().and_then(|number| number.checked_sub(1)) {
                Some(index) if index < count => Ok(index),
                _ => Err(self.fault(first.start, 0, format!("there is no column {number}: this row has {count}"))),
            },
            Column::Name(name) => {
                let names: Vec<String> = (0..count).filter_map(|index| first.field(index)).collect();
                names.iter().position(|known| known == name).ok_or_else(|| {
                    let hint = nearest(name, names.iter().map(String::as_str));
                    let hint = hint.map(|name| format!("; did you mean {}?", quote(name))).unwrap_or_default();
                    let all = clip(&names.join(", "));
                    self.fault(
                        first.start,
                        0,
                        format!("there is no column {}, expected one of {all}{hint}", quote(name)),
                    )
                })
            }
        }
    }

    fn point(
        &self,
        row: &Row<'_>,
        places: Places,
        times: &Times,
        points: &mut Vec<(f64, f64)>,
    ) -> Result<(), Box<Diagnostic>> {
        if points.len() >= MOST_ROWS {
            return Err(self.fault(row.start, 0, format!("more than {MOST_ROWS} rows")));
        }
        let value = self.number(row, places.value, Decimal::MOST)?;
        let time = match (places.time, times) {
            // Far enough for the seconds of a calendar.
            (Some(column), _) => self.time(row, column, points.last().map(|(time, _)| *time))?,
            (None, Times::Every(step)) => points.len() as f64 * f64::from(*step),
            (None, Times::Column(_)) => 0.0,
        };
        points.push((time, value));
        Ok(())
    }

    fn time(&self, row: &Row<'_>, column: usize, before: Option<f64>) -> Result<f64, Box<Diagnostic>> {
        let time = self.number(row, column, 1e12)?;
        match before {
            // The difference of two numbers with one decimal may be a little less.
            Some(before) if time - before < SHORTEST - 1e-6 => {
                let message = format!(
                    "expected a time at least {SHORTEST} seconds behind that of the row before, {before}, found {time}"
                );
                Err(self.fault(row.start, column, message))
            }
            _ => Ok(time),
        }
    }

    fn number(&self, row: &Row<'_>, column: usize, most: f64) -> Result<f64, Box<Diagnostic>> {
        match (row.number(column), row.field(column)) {
            (Some(number), _) if number.abs() <= most => Ok(number),
            (_, Some(field)) => {
                let message = format!("expected a number such as 45 or -1.5, found {}", quote(&clip(&field)));
                Err(self.fault(row.start, column, message))
            }
            (_, None) => {
                let message = format!("expected a number in column {}: this row has {}", column + 1, row.ends.len());
                Err(self.fault(row.start, row.ends.len().saturating_sub(1), message))
            }
        }
    }

    /// What is wrong with a field of the row that begins at a byte.
    fn fault(&self, start: usize, column: usize, message: impl Into<String>) -> Box<Diagnostic> {
        let (begin, end) = self.raw(start, column);
        let line_start = self
            .text
            .get(..begin)
            .map_or(0, |before| before.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1));
        let line = self.text.get(..begin).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
        let rest = self.text.get(line_start..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let source_line = decode(rest.get(..length).unwrap_or_default()).trim_end_matches('\r').to_owned();
        let characters = |from: usize, to: usize| decode(self.text.get(from..to).unwrap_or_default()).chars().count();
        let span = Span {
            line: u32::try_from(line + 1).unwrap_or(u32::MAX),
            column: u32::try_from(characters(line_start, begin) + 1).unwrap_or(u32::MAX),
            length: u32::try_from(characters(begin, end).max(1)).unwrap_or(u32::MAX),
        };
        let (file, message) = (self.file.to_owned(), message.into());
        Box::new(Diagnostic { severity: Severity::Error, file, span, message, source_line })
    }

    /// Where a field of the row that begins at a byte is written.
    fn raw(&self, start: usize, column: usize) -> (usize, usize) {
        let (mut begin, mut field, mut quoted) = (start, 0, false);
        for (at, byte) in self.text.iter().enumerate().skip(start) {
            match byte {
                b'"' => quoted = !quoted,
                b',' | b'\r' | b'\n' if !quoted => {
                    if field == column || *byte != b',' {
                        return (begin, at);
                    }
                    (begin, field) = (at + 1, field + 1);
                }
                _ => {}
            }
        }
        (begin, self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipmi::{Behind, Between};

    fn source(column: Column, times: Times) -> CsvSource {
        CsvSource { path: "a.csv".into(), column, times, between: Between::Hold, behind: Behind::Stop }
    }

    fn name(name: &str) -> Column {
        Column::Name(name.into())
    }

    /// The points of a table: what it is at these seconds.
    fn values(text: &str, source: &CsvSource, times: &[f64]) -> Vec<f64> {
        let recording = recording("a.csv", text.as_bytes(), source).unwrap();
        times.iter().map(|time| recording.value(*time)).collect()
    }

    #[test]
    fn columns_have_names_or_numbers() {
        let text =
            "\u{feff}# exported\r\ntime,\"CPU, Temp\",fan\r\n\r\n100, 41.5 ,3000\r\n# x\r\n102.5,\"43\",3100\r\n";
        let by_name = source(name("CPU, Temp"), Times::Column(name("time")));
        assert_eq!(values(text, &by_name, &[0.0, 2.4, 2.5, 99.0]), [41.5, 41.5, 43.0, 43.0]);
        let by_number = source(Column::Number(3), Times::Column(Column::Number(1)));
        assert_eq!(values(text, &by_number, &[0.0, 2.5]), [3000.0, 3100.0], "a header that is not asked for");
        let every = source(Column::Number(1), Times::Every(Decimal::new(5.0).unwrap()));
        assert_eq!(values("1\n2\n3", &every, &[0.0, 4.9, 5.0, 10.0]), [1.0, 1.0, 2.0, 3.0], "no header");
        assert_eq!(values("-1e3\n", &every, &[0.0]), [-1000.0]);
        let unix = source(Column::Number(2), Times::Column(Column::Number(1)));
        assert_eq!(values("1700000000.5,1\n1700000000.6,2\n", &unix, &[0.0, 0.0999, 0.1]), [1.0, 1.0, 2.0]);
    }

    #[test]
    fn faults_have_a_place_in_the_table() {
        let timed = source(name("t"), Times::Column(name("time")));
        let every = source(Column::Number(2), Times::Every(Decimal::new(1.0).unwrap()));
        for (text, source, message, line, column, length) in [
            ("", &timed, "there is no row with a number in this table", 1, 1, 1),
            ("time,t\n", &timed, "there is no row with a number in this table", 1, 1, 4),
            ("time,T\n1,2\n", &timed, "there is no column 't', expected one of time, T; did you mean 'T'?", 1, 1, 4),
            ("1,2\n3\n", &every, "expected a number in column 2: this row has 1", 2, 1, 1),
            ("1\n", &every, "there is no column 2: this row has 1", 1, 1, 1),
            ("# a\n\ntime,t\n0,1\n1,hot\n", &timed, "expected a number such as 45 or -1.5, found 'hot'", 5, 3, 3),
            ("time,x,t\n0,\"a\nb,\",\n", &timed, "expected a number such as 45 or -1.5, found ''", 3, 5, 1),
            ("time,t\n0,nan\n", &timed, "expected a number such as 45 or -1.5, found 'nan'", 2, 3, 3),
            ("time,t\n0,1\r\n1,1e10\r\n", &timed, "expected a number such as 45 or -1.5, found '1e10'", 3, 3, 4),
            (
                "time,t\n0,1\n0.05,2\n",
                &timed,
                "expected a time at least 0.1 seconds behind that of the row before, 0, found 0.05",
                3,
                1,
                4,
            ),
        ] {
            let fault = recording("a.csv", text.as_bytes(), source).unwrap_err();
            assert_eq!(fault.message, message, "{text:?}");
            assert_eq!((fault.file.as_str(), fault.span), ("a.csv", Span { line, column, length }), "{text:?}");
        }
    }

    #[test]
    fn a_source_is_shown_as_it_is_written() {
        let mut source = source(name("CPU \"1\""), Times::Every(Decimal::new(2.5).unwrap()));
        assert_eq!(source.to_string(), "csv \"a.csv\" column \"CPU \"'\"'\"1\"'\"'\"\" every 2.5");
        source.between = Between::Linear;
        source.behind = Behind::Repeat;
        (source.column, source.times) = (Column::Number(2), Times::Column(name("time")));
        assert_eq!(source.to_string(), "csv \"a.csv\" column 2 time time linear repeat");
    }
}
