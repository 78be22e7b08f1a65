//! Lists of records for event logs: what `sel_fill` has in its file or behind `record`.
//!
//! A line is a record: 7 numbers are an event as ipmitool's `sel save` writes it and its `sel add` reads it, 13 what stands behind
//! the type of a system event record, 14 that with the type before it (as `sel_add` has it), 16 a whole record, whose id and time are replaced.
//! `#` begins a remark. A file of ipmitool's `sel writeraw`, whole records as bytes, is understood as well.

use std::ops::Range;

use super::text::{Line, decode, lines, quote};
use super::{Diagnostic, Severity, Span, number};
use crate::settings::fill::Listed;

/// Bytes of a whole record.
const WHOLE: usize = 16;
/// Record type of a system event.
const SYSTEM_EVENT: u8 = 0x02;
/// Most records of a list.
pub(crate) const MOST: usize = 100_000;

/// The record that some bytes are. `None`: no record has so many.
pub(crate) fn listed(bytes: &[u8]) -> Option<Listed> {
    let record = |record_type: u8, data: &[u8]| Some(Listed::Record { record_type, data: data.try_into().ok()? });
    match bytes {
        [_, _, _, _, _, _, _] => Some(Listed::Event(bytes.try_into().ok()?)),
        [_, _, record_type, data @ ..] if bytes.len() == WHOLE => record(*record_type, data),
        [record_type, data @ ..] if bytes.len() == 14 => record(*record_type, data),
        _ if bytes.len() == 13 => record(SYSTEM_EVENT, bytes),
        _ => None,
    }
}

/// What is said of so many bytes that are no record.
pub(crate) fn no_record(count: usize) -> String {
    format!("a record of {count} bytes, expected 7, 13, 14 or {WHOLE}")
}

/// The records of a file.
pub(crate) fn records(file: &str, text: &[u8]) -> Result<Vec<Listed>, Box<Diagnostic>> {
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n' | 0x80..);
    let fault = |number, line: &str, range, message| Err(Box::new(diagnostic(file, number, line, range, message)));
    let mut list = Vec::new();
    if text.len().is_multiple_of(WHOLE) && !text.iter().all(is_text) {
        list.extend(text.chunks_exact(WHOLE).filter_map(listed));
    } else {
        for Line { number, bytes, .. } in lines(text) {
            let line = decode(bytes);
            match record(&line) {
                Ok(record) => list.extend(record),
                Err((range, message)) => return fault(number, &line, range, message),
            }
        }
    }
    match list.len() {
        0 => fault(1, "", 0..0, "there is no record in it".into()),
        1..=MOST => Ok(list),
        _ => fault(1, "", 0..0, format!("{} records, expected at most {MOST}", list.len())),
    }
}

/// The record of a line, if it has one.
fn record(line: &str) -> Result<Option<Listed>, (Range<usize>, String)> {
    let said = line.split('#').next().unwrap_or_default();
    let mut bytes = Vec::new();
    let mut from = 0;
    for word in said.split([' ', '\t', ',']) {
        let range = from..from + word.len();
        from = range.end + 1;
        if word.is_empty() {
            continue;
        }
        match number::unsigned(word).and_then(|number| u8::try_from(number).ok()) {
            Some(byte) if bytes.len() < WHOLE => bytes.push(byte),
            Some(_) => return Err((range, no_record(WHOLE + 1))),
            None => return Err((range, format!("{} is no byte, expected a number from 0 to 0xff", quote(word)))),
        }
    }
    let range = 0..said.trim_end().len();
    match bytes.len() {
        0 => Ok(None),
        count => listed(&bytes).map(Some).ok_or_else(|| (range, no_record(count))),
    }
}

fn diagnostic(file: &str, number: u32, line: &str, range: Range<usize>, message: String) -> Diagnostic {
    let source_line: String = line.chars().take(200).collect();
    let span = Span::within(number, line, range);
    Diagnostic { severity: Severity::Error, file: file.into(), span, message, source_line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_files_of_ipmitool_are_records() {
        let text = b"# a remark\n\n0x04 0x01 0x30 0x01 0x09 0xff 0xff # Temperature #0x30\r\n\
            0 0 0 0 0x20 0 4 1 0x30 1 0x57 1 2\n\
            0xc0 1 2 3 4 5 6 7 8 9 10 11 12 13\n\
            0x34,0x12,0xdf,1,2,3,4,5,6,7,8,9,10,11,12,13\n";
        let counted = std::array::from_fn(|place| place as u8 + 1);
        let expected = [
            Listed::Event([4, 1, 0x30, 1, 9, 0xff, 0xff]),
            Listed::Record { record_type: 2, data: [0, 0, 0, 0, 0x20, 0, 4, 1, 0x30, 1, 0x57, 1, 2] },
            Listed::Record { record_type: 0xc0, data: counted },
            Listed::Record { record_type: 0xdf, data: counted },
        ];
        assert_eq!(records("list", text).unwrap(), expected);
        let raw = [[1, 0, 2, 0, 0, 0, 0, 0x20, 0, 4, 1, 0x30, 1, 0x57, 1, 2], [7; 16]].concat();
        let expected = [
            Listed::Record { record_type: 2, data: [0, 0, 0, 0, 0x20, 0, 4, 1, 0x30, 1, 0x57, 1, 2] },
            Listed::Record { record_type: 7, data: [7; 13] },
        ];
        assert_eq!(records("raw", &raw).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        for (text, line, column, message) in [
            (&b"1 2 3\n"[..], 1, 1, "a record of 3 bytes, expected 7, 13, 14 or 16"),
            (b"\n1 2  x 4\n", 2, 6, "'x' is no byte, expected a number from 0 to 0xff"),
            (b"1 0x100\n", 1, 3, "'0x100' is no byte, expected a number from 0 to 0xff"),
            (b"# nothing\n", 1, 1, "there is no record in it"),
            (b"", 1, 1, "there is no record in it"),
            (b"0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", 1, 39, "a record of 17 bytes, expected 7, 13, 14 or 16"),
        ] {
            let fault = records("list", text).unwrap_err();
            let found = (&*fault.file, fault.span.line, fault.span.column, &*fault.message);
            assert_eq!(found, ("list", line, column, message));
        }
        let many = "1 2 3 4 5 6 7\n".repeat(MOST + 1);
        assert!(records("list", many.as_bytes()).unwrap_err().message.starts_with("100001 records"));
    }
}
