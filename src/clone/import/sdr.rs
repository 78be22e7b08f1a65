//! The file that `ipmitool sdr dump` writes: the records of a repository one behind the other, nothing between them.
//!
//! A record is record id (2 bytes, least significant first), version (51h), type, length of the rest, and the rest
//! (IPMI 2.0 section 43).

use super::fault::Fault;

/// Bytes of a record before its rest.
const HEADER: usize = 5;
/// No device has more records; ids have 16 bits.
const MOST: usize = 0xffff;

/// The records, each whole.
///
/// # Errors
/// The bytes are no records, or end within one.
pub fn records(file: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
    if file.is_empty() {
        return Err(Fault::whole("it is empty: expected sensor data records as ipmitool sdr dump writes them"));
    }
    let (mut records, mut rest) = (Vec::new(), file);
    while !rest.is_empty() {
        let at = file.len() - rest.len();
        let record = first(rest, at)?;
        if records.len() == MOST {
            return Err(Fault::at(at, "more records than there are record ids"));
        }
        records.push(record.to_vec());
        rest = rest.get(record.len()..).unwrap_or_default();
    }
    Ok(records)
}

/// The record that the bytes begin with, which are at this offset of the file.
fn first(bytes: &[u8], at: usize) -> Result<&[u8], Fault> {
    let &[_, _, version, kind, length, ..] = bytes else {
        return Err(Fault::at(
            at,
            format!("a record's header has {HEADER} bytes, and the file ends after {}", bytes.len()),
        ));
    };
    if !is_version(version) {
        let text = format!("expected a sensor data record of version 51h, found version {version:02x}h");
        return Err(Fault::at(at, text));
    }
    let whole = HEADER + usize::from(length);
    bytes.get(..whole).ok_or_else(|| {
        let text = format!("the record of type {kind:02x}h has {whole} bytes, and the file ends after {}", bytes.len());
        Fault::at(at, text)
    })
}

/// 51h is IPMI 1.5, digits swapped, and what 2.0 asks for as well; 01h was IPMI 1.0, and 02h is 2.0 in the same way.
fn is_version(version: u8) -> bool {
    matches!(version, 0x51 | 0x01 | 0x02)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clone::import::fault::Place;

    const TWO: &[u8] =
        b"\x01\x00\x51\x12\x0b\x20\x00\x80\xbf\x00\x00\x00\x2e\x01\x00\xc0\x02\x00\x51\xc0\x03\xd9\x7e\x00";

    #[test]
    fn records_stand_one_behind_the_other() {
        let records = records(TWO).unwrap();
        assert_eq!(records, [TWO[..16].to_vec(), TWO[16..].to_vec()]);
    }

    #[test]
    fn what_is_wrong_has_its_offset() {
        for length in 1..TWO.len() {
            let cut = records(&TWO[..length]);
            match length {
                16 => assert_eq!(cut.unwrap().len(), 1),
                _ => assert_eq!(cut.unwrap_err().place, Place::Offset(if length < 16 { 0 } else { 16 }), "{length}"),
            }
        }
        assert_eq!(records(b"").unwrap_err().place, Place::Whole);
        let text = records(b"SDR Version\n").unwrap_err().to_string();
        assert_eq!(text, " at byte 0 (0x0): expected a sensor data record of version 51h, found version 52h");
        let text = records(&TWO[..20]).unwrap_err().to_string();
        assert_eq!(text, " at byte 16 (0x10): a record's header has 5 bytes, and the file ends after 4");
    }
}
