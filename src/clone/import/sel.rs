//! Files of system event logs: what `ipmitool sel writeraw` writes, and what `ipmitool sel save` writes.
//!
//! The first is records of 16 bytes each (IPMI 2.0 section 32), as they came but for the manufacturer of OEM records with a time
//! (types C0h to DFh): ipmitool turns its three bytes round when it reads them, and writes them so. The second is text: a line has the seven
//! bytes of an event behind its generator (event message revision, sensor type, sensor number, event direction and type,
//! event data 1 to 3), and a remark behind `#`. Time, generator and record id are not in it.

use super::fault::Fault;

/// Bytes of a record.
pub const RECORD: usize = 16;
/// Bytes of a line of text.
const EVENT: usize = 7;
/// Record type of a system event.
const SYSTEM_EVENT: u8 = 0x02;
/// Event message revisions: IPMI 1.0, and 1.5 with 2.0.
const REVISIONS: [u8; 2] = [0x03, 0x04];
/// The time of a record whose time nobody knows (IPMI 2.0 section 37.1).
const UNSPECIFIED: [u8; 4] = [0xff; 4];
/// Who is taken for the generator of an event when nobody says: the BMC, LUN 0.
const GENERATOR: [u8; 2] = [0x20, 0x00];

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Records as they are.
    Records,
    /// Lines with seven bytes each.
    Text,
}

/// A log that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// What the file is.
    pub form: Form,
    /// Its records, oldest first.
    pub records: Vec<[u8; RECORD]>,
    /// What is in it and cannot be taken.
    pub left_out: Vec<Fault>,
}

/// Reads a file of either form.
///
/// # Errors
/// It is neither, or it ends within a record.
pub fn read(file: &[u8]) -> Result<Log, Fault> {
    match form(file) {
        Form::Records => records(file),
        Form::Text => text(file),
    }
}

/// Text has no other bytes than letters, blanks and ends of lines. Records have: a record of zeros would be none.
fn form(file: &[u8]) -> Form {
    let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~') || *byte >= 0x80;
    let shows = file.iter().find(|byte| !byte.is_ascii_whitespace());
    let begins_so = shows.is_none_or(|byte| matches!(byte, b'#' | b'0'..=b'9'));
    if begins_so && file.iter().all(is_text) { Form::Text } else { Form::Records }
}

fn records(file: &[u8]) -> Result<Log, Fault> {
    let (records, rest) = file.as_chunks::<RECORD>();
    if !rest.is_empty() {
        let text = format!("a record has {RECORD} bytes, and the file ends after {}", rest.len());
        return Err(Fault::at(file.len() - rest.len(), text));
    }
    let mut records = records.to_vec();
    for [_, _, kind, _, _, _, _, first, _, last, ..] in &mut records {
        if matches!(kind, 0xc0..=0xdf) {
            std::mem::swap(first, last);
        }
    }
    Ok(Log { form: Form::Records, records, left_out: Vec::new() })
}

fn text(file: &[u8]) -> Result<Log, Fault> {
    let mut log = Log { form: Form::Text, records: Vec::new(), left_out: Vec::new() };
    for (index, line) in file.split(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let line = line.split(|byte| *byte == b'#').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        let event = event(&words).map_err(|text| Fault::in_line(number, text))?;
        match event {
            [revision, ..] if REVISIONS.contains(&revision) => {
                let id = u16::try_from(log.records.len() + 1).map_err(|_| Fault::in_line(number, "more records than there are record ids"))?;
                log.records.push(record(id, event));
            }
            [revision, ..] => log.left_out.push(Fault::in_line(
                number,
                format!("left out: {revision:02x}h is no event message revision (03h, 04h). ipmitool writes a part of an OEM record so"),
            )),
        }
    }
    Ok(log)
}

/// The bytes of a line.
fn event(words: &[&str]) -> Result<[u8; EVENT], String> {
    let mut bytes = [0; EVENT];
    if words.len() != EVENT {
        return Err(format!("expected {EVENT} bytes of an event, found {} words", words.len()));
    }
    for (byte, word) in bytes.iter_mut().zip(words) {
        let read = match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
            Some(digits) if !digits.starts_with('+') => u8::from_str_radix(digits, 16).ok(),
            Some(_) => None,
            None => word.parse().ok().filter(|_| !word.starts_with('+')),
        };
        *byte = read.ok_or_else(|| format!("expected a byte as 0x6f, found '{word}'"))?;
    }
    Ok(bytes)
}

/// The record of an event.
fn record(id: u16, event: [u8; EVENT]) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    let parts = id.to_le_bytes().into_iter().chain([SYSTEM_EVENT]).chain(UNSPECIFIED).chain(GENERATOR).chain(event);
    record.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clone::import::fault::Place;

    const SAVED: &str = "0x04 0x01 0x0b 0x81 0x57 0xa4 0xa6 # Temperature #0x0b Upper Non-critical going high\n\n\
                         # nothing\r\n4 12 138 111 48 255 10\r\n0xd9 0x01 0x04 0x27 0x00 0x00 0x00 # Temperature #0x04\n";

    #[test]
    fn records_are_taken_with_their_manufacturer_put_right() {
        let file = *b"\x01\x00\x02\x0b\x8f\x00\x00\x20\x00\x04\x10\xf5\x6f\x02\xff\xff\x02\x00\xc1\x0b\x8f\x00\x00\x00\x7e\xd9\x01\x04\x27\x00\x00\x00";
        let log = read(&file).unwrap();
        let mut expected = file;
        (expected[23], expected[25]) = (0xd9, 0x00);
        assert_eq!((log.form, log.records.concat(), log.left_out.len()), (Form::Records, expected.to_vec(), 0));
        let fault = read(&file[..20]).unwrap_err();
        assert_eq!(fault.to_string(), " at byte 16 (0x10): a record has 16 bytes, and the file ends after 4");
    }

    #[test]
    fn text_is_events_and_what_is_none_is_told() {
        let log = read(SAVED.as_bytes()).unwrap();
        let expected = [
            *b"\x01\x00\x02\xff\xff\xff\xff\x20\x00\x04\x01\x0b\x81\x57\xa4\xa6",
            *b"\x02\x00\x02\xff\xff\xff\xff\x20\x00\x04\x0c\x8a\x6f\x30\xff\x0a",
        ];
        assert_eq!((log.form, log.records.as_slice()), (Form::Text, &expected[..]));
        assert_eq!(log.left_out.iter().map(|fault| fault.place).collect::<Vec<_>>(), [Place::Line(5)]);
        assert_eq!(read(b"").unwrap().records.len(), 0);
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, expected) in [
            ("0x04 0x01\n", "1: expected 7 bytes of an event, found 2 words"),
            ("# x\n0x04 1 2 3 4 5 0x1ff\n", "2: expected a byte as 0x6f, found '0x1ff'"),
            ("4 1 2 3 4 5 +6\n", "1: expected a byte as 0x6f, found '+6'"),
            ("4 1 2 3 4 5 0x+6\n", "1: expected a byte as 0x6f, found '0x+6'"),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap_err().to_string(), expected);
        }
        // What sel list prints is no such file.
        assert_eq!(read(b"   1 | 11/30/2026 | 06:52:48 | Fan #0x01 |\n").unwrap_err().place, Place::Line(1));
    }
}
