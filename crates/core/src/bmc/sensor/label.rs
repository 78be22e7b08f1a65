//! What a sensor's record calls it (IPMI 2.0 tables 43-1 to 43-3, section 43.15).

use super::SensorId;
use crate::bmc::id_string::{bcd_plus, latin_1, six_bit};

/// Where records of a type have the sharing bytes, if there are any, and the id string behind its
/// type/length byte.
fn places(record_type: u8) -> Option<(Option<usize>, usize)> {
    match record_type {
        1 => Some((None, 47)),
        2 => Some((Some(23), 31)),
        3 => Some((Some(12), 16)),
        _ => None,
    }
}

/// The name that a full, compact or event-only record has for a sensor; `None` when it is not about
/// that one, or too short.
pub(super) fn name(record: &[u8], id: SensorId) -> Option<String> {
    let &[_, _, _, record_type, _, owner, lun, first, ..] = record else { return None };
    let (sharing, place) = places(record_type)?;
    let [share, modifier] = match sharing {
        Some(at) => *record.get(at..)?.first_chunk()?,
        None => [1, 0],
    };
    let count = (share & 0x0f).max(1);
    let index = id.number.checked_sub(first).filter(|index| *index < count)?;
    if owner != id.mc.0 || lun & 0x03 != id.lun {
        return None;
    }
    let (type_length, rest) = record.get(place..)?.split_first()?;
    let bytes = rest.get(..rest.len().min(usize::from(type_length & 0x1f)))?;
    let mut name = string(type_length >> 6, bytes);
    if count > 1 && !name.is_empty() {
        let instance = u32::from(modifier & 0x7f) + u32::from(index);
        match share >> 4 & 0x03 {
            0 => name.push_str(&instance.to_string()),
            1 => name.push_str(&letters(instance)),
            _ => {}
        }
    }
    Some(name)
}

/// The id string of a record, whatever it describes; `None` when its type has none, or it is too short.
pub(super) fn of_record(record: &[u8]) -> Option<String> {
    let place = match *record.get(3)? {
        // Locators of generic devices, FRUs and controllers (IPMI 2.0 tables 43-7 to 43-9).
        0x10..=0x12 => 15,
        sensor => places(sensor)?.1,
    };
    let (type_length, rest) = record.get(place..)?.split_first()?;
    Some(string(type_length >> 6, rest.get(..rest.len().min(usize::from(type_length & 0x1f)))?))
}

/// A string of the type that a type/length byte has in bits 7 and 6.
fn string(kind: u8, bytes: &[u8]) -> String {
    match kind {
        1 => bcd_plus(bytes),
        2 => six_bit(bytes),
        _ => latin_1(bytes),
    }
}

/// 0 is A, 25 is Z, 26 is AA.
fn letters(instance: u32) -> String {
    let letter = |number: u32| char::from(b'A' + (number % 26) as u8);
    match instance / 26 {
        0 => letter(instance).to_string(),
        high => [letter(high - 1), letter(instance)].iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipmi::McAddress;

    fn id(number: u8) -> SensorId {
        SensorId { mc: McAddress::BMC, lun: 1, number }
    }

    fn record(record_type: u8, sharing: Option<(usize, [u8; 2])>, at: usize, name: &[u8]) -> Vec<u8> {
        let mut record = vec![0; at];
        record[3] = record_type;
        record[5..8].copy_from_slice(&[0x20, 1, 5]);
        if let Some((at, bytes)) = sharing {
            record[at..at + 2].copy_from_slice(&bytes);
        }
        record.extend_from_slice(name);
        record
    }

    #[test]
    fn every_kind_of_string_is_read() {
        for (bytes, expected) in [
            (&b"\xc4Fan1"[..], "Fan1"),
            (b"\xc9Fan", "Fan"),
            (b"\xc4F\x1bn\x00", "F\u{1b}n"),
            (b"\xc2\xc3\xbc", "\u{fc}"),
            (b"\xc1\xb0", "\u{b0}"),
            (b"\x42\x12\xac", "12 ."),
            (b"\x83\x29\xdc\xa6", "IPMI"),
            (b"\xc0", ""),
        ] {
            assert_eq!(name(&record(1, None, 47, bytes), id(5)).as_deref(), Some(expected), "{bytes:?}");
        }
        assert_eq!(name(&record(1, None, 47, b""), id(5)), None, "too short");
        assert_eq!(name(&record(1, None, 47, b"\xc1x"), id(6)), None, "another sensor");
        assert_eq!(name(&record(0x12, None, 47, b"\xc1x"), id(5)), None, "another kind of record");
    }

    #[test]
    fn every_record_with_an_id_string_has_a_name() {
        for (record_type, at) in [(1, 47), (2, 31), (3, 16), (0x10, 15), (0x11, 15), (0x12, 15)] {
            assert_eq!(of_record(&record(record_type, None, at, b"\xc3CPU")).as_deref(), Some("CPU"), "{record_type}");
            assert_eq!(of_record(&record(record_type, None, at, b"")), None, "{record_type}");
        }
        assert_eq!(of_record(&record(0xc0, None, 15, b"\xc3CPU")), None);
        assert_eq!(of_record(&[0, 0, 0x51]), None);
    }

    #[test]
    fn sensors_that_share_a_record_are_told_apart() {
        for (record_type, sharing, at) in [(2, 23, 31), (3, 12, 16)] {
            let named = |share, number| name(&record(record_type, Some((sharing, share)), at, b"\xc3CPU"), id(number));
            assert_eq!(named([0x03, 1], 5).as_deref(), Some("CPU1"));
            assert_eq!(named([0x03, 1], 7).as_deref(), Some("CPU3"));
            assert_eq!(named([0x03, 1], 8), None);
            assert_eq!(named([0x13, 0x99], 6).as_deref(), Some("CPUAA"));
            assert_eq!(named([0x01, 7], 5).as_deref(), Some("CPU"));
            assert_eq!(named([0x00, 0], 5).as_deref(), Some("CPU"));
        }
    }
}
