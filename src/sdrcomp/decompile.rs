//! From records back to source text (`-d`, `sdrcomp.md` section 8), which gives the same records
//! when it is compiled.
//!
//! Every bit of a record is told by exactly one field, the first that has it; bits that no field
//! has are told in a comment.

use std::fmt::Write;

use thiserror::Error;

use super::fields::{Block, Field, ID_STRING, Kind, RecordType};
use super::id_string::{self, Form};
use super::names::Names;
use super::record::{HEADER, SDR_VERSION, stored};
use crate::state::Items;
use crate::store::format;

/// Why the input cannot be read to its end.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Unreadable {
    /// A record's length byte leads behind the end.
    #[error("End of file in the middle of record {number} offset {offset}")]
    Cut {
        /// Its number, from 0.
        number: usize,
        /// Where it begins.
        offset: usize,
    },
    /// A record is shorter than its type is.
    #[error("SDR {number} offset {offset} type {kind}: not long enough: {length}, expected {expected}")]
    Short {
        /// Its number, from 0.
        number: usize,
        /// Where it begins.
        offset: usize,
        /// Its type.
        kind: u8,
        /// Bytes that it has.
        length: usize,
        /// Bytes that it needs.
        expected: usize,
    },
}

/// Source text as far as the input could be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decompiled {
    /// The text; names may have any bytes.
    pub text: Vec<u8>,
    /// What a reader should know, one line each.
    pub warnings: Vec<String>,
    /// Why it ends early.
    pub error: Option<Unreadable>,
}

/// The text of records one after another, or of a state file that has records.
pub fn decompile(input: &[u8]) -> Decompiled {
    let mut out = Decompiled::default();
    // The third byte of a record is its version; in a state file there is text.
    let items = match input.get(2) {
        Some(&SDR_VERSION) | None => Items::new(),
        Some(_) => format::parse(input).0,
    };
    if items.is_empty() {
        raw(input, &mut out);
        return out;
    }
    for (number, (_, bytes)) in items.list_entries().enumerate() {
        let expected = bytes.get(4).map_or(HEADER, |length| HEADER + usize::from(*length));
        // The original adds 6 bytes each time it loads a record.
        let bytes = bytes.get(..expected).unwrap_or(bytes);
        if let Err(error) = record(number, 0, bytes, &mut out) {
            out.warnings.push(error.to_string());
        }
    }
    out
}

fn raw(input: &[u8], out: &mut Decompiled) {
    let (mut rest, mut offset) = (input, 0);
    for number in 0.. {
        if rest.is_empty() {
            return;
        }
        let length = rest.get(4).map(|length| HEADER + usize::from(*length));
        let Some((bytes, behind)) = length.and_then(|length| rest.split_at_checked(length)) else {
            out.error = Some(Unreadable::Cut { number, offset });
            return;
        };
        if let Err(error) = record(number, offset, bytes, out) {
            out.error = Some(error);
            return;
        }
        (rest, offset) = (behind, offset + bytes.len());
    }
}

/// One record, from its id to its end.
fn record(number: usize, offset: usize, bytes: &[u8], out: &mut Decompiled) -> Result<(), Unreadable> {
    let &[low, high, version, kind, _] = bytes.first_chunk().ok_or(Unreadable::Cut { number, offset })?;
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(text, "# Record id: {}\n# Record num: {number}", u16::from_le_bytes([low, high]));
    if version != SDR_VERSION {
        out.warnings.push(format!("SDR {number} offset {offset}: Unknown SDR version: {version:#x}"));
    }
    let Some(known) = RecordType::find(u32::from(kind)) else {
        let _ = writeln!(text, "# unknown type: {kind}\n");
        out.text.extend(text.into_bytes());
        return Ok(());
    };
    let fixed = usize::from(known.length);
    let length = bytes.len();
    if length < fixed {
        return Err(Unreadable::Short { number, offset, kind, length, expected: fixed });
    }
    // Bits are taken out as they are told.
    let mut rest = bytes.to_vec();
    rest.iter_mut().take(HEADER).for_each(|byte| *byte = 0);
    if let Some((byte, bits)) = known.preset {
        let place = usize::from(byte) - 1;
        if bytes.get(place).is_some_and(|byte| byte & bits == bits) {
            clear(&mut rest, byte, bits);
        } else {
            let _ = writeln!(text, "# byte {byte}: bits {bits:#04x} will be set");
        }
    }
    let _ = writeln!(text, "sdr type {kind}");
    for field in ordered(known, bytes) {
        let value = stored(field, &rest);
        if value != 0 || field.required {
            let _ = writeln!(text, "\t{}\t{}", field.name, shown(field, value));
        }
        clear(&mut rest, field.place.byte, field.place.mask());
        if let Kind::Split(upper) | Kind::SplitEither(upper) = field.kind {
            clear(&mut rest, upper.byte, upper.mask());
        }
    }
    out.text.extend(text.as_bytes());
    text.clear();
    let mut notes = String::new();
    if known.named {
        let (type_length, characters) = (rest.get(fixed - 1).copied().unwrap_or_default(), rest.get(fixed..));
        let name = id_string::decode(type_length, characters.unwrap_or_default());
        if name.cut {
            out.warnings.push(format!("SDR {number} offset {offset}: the name is not all there"));
        }
        out.text.extend_from_slice(format!("\t{ID_STRING}\t").as_bytes());
        let whole = quoted(&name.name, &mut out.text);
        out.text.push(b'\n');
        if !whole || name.form == Form::Unicode {
            out.warnings.push(format!("SDR {number} offset {offset}: the name has characters that text cannot have"));
        } else if name.form != id_string::shortest(&name.name) {
            let _ = writeln!(notes, "# the name is stored in 8 bits: compile with -8");
        }
        rest.drain((fixed - 1).min(length)..(fixed + name.used).min(length));
    }
    for (index, bits) in rest.iter().enumerate().filter(|(_, bits)| **bits != 0) {
        let _ = writeln!(notes, "# byte {}: bits {bits:#04x} belong to no field", index + 1);
    }
    out.text.extend(notes.into_bytes());
    out.text.extend(b"endsdr\n\n");
    Ok(())
}

/// The fields in the order in which they get to tell their bits.
fn ordered(kind: &RecordType, bytes: &[u8]) -> impl Iterator<Item = &'static Field> {
    // Byte 14 of a sensor record is its event type; 1 is by thresholds.
    let thresholds = bytes.get(13) == Some(&0x01);
    let mut blocks: Vec<&Block> = kind.blocks.iter().collect();
    if !thresholds {
        // Stable: only the two ways to name the masks change places.
        let masks: Vec<usize> =
            (0..blocks.len()).filter(|&at| !matches!(blocks.get(at), Some(Block::Always(_)))).collect();
        let mut sorted: Vec<&Block> = masks.iter().filter_map(|&at| blocks.get(at).copied()).collect();
        sorted.sort_by_key(|block| matches!(block, Block::Thresholds(_)));
        for (at, block) in masks.into_iter().zip(sorted) {
            if let Some(place) = blocks.get_mut(at) {
                *place = block;
            }
        }
    }
    blocks.into_iter().flat_map(|block| block.fields())
}

fn clear(bytes: &mut [u8], byte: u8, bits: u8) {
    if let Some(there) = bytes.get_mut(usize::from(byte).saturating_sub(1)) {
        *there &= !bits;
    }
}

/// A value as the source has it.
fn shown(field: &Field, value: i32) -> String {
    let name = |names: Names| names.iter().find(|(_, known)| i32::from(*known) == value).map(|(name, _)| *name);
    match field.kind {
        Kind::Flag => "true".to_string(),
        Kind::Unsigned(names) => match name(names) {
            Some(name) => name.to_string(),
            None if value < 10 => value.to_string(),
            None => format!("{value:#x}"),
        },
        _ => value.to_string(),
    }
}

/// Writes `name` as a delimited string. `false`: a line cannot have all of its characters, which
/// are left out.
fn quoted(name: &[u8], out: &mut Vec<u8>) -> bool {
    let mut whole = true;
    let mut quote = b'"';
    out.push(quote);
    for &byte in name {
        match byte {
            b'\n' | 0 => whole = false,
            _ => {
                if byte == quote {
                    // Another piece, in the other kind of quotes.
                    let other = if quote == b'"' { b'\'' } else { b'"' };
                    out.extend([quote, other]);
                    quote = other;
                }
                out.push(byte);
            }
        }
    }
    out.push(quote);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdrcomp::compile::compile;
    use crate::sdrcomp::id_string::Packing;

    fn again(text: &[u8], packing: Packing) -> Vec<Vec<u8>> {
        let out = compile("again", text, packing, &mut |_| unreachable!("no include"));
        assert!(!out.failed(), "{:?}\n{}", out.diagnostics, String::from_utf8_lossy(text));
        out.records
    }

    /// A small generator, so that the same records come each time.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self) -> u8 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as u8
        }
    }

    #[test]
    fn every_record_comes_back() {
        let mut dice = Dice(7);
        for kind in crate::sdrcomp::fields::TYPES {
            for round in 0..40 {
                let mut bytes = vec![0; usize::from(kind.length)];
                for field in kind.fields() {
                    let mut places = vec![field.place];
                    if let Kind::Split(upper) | Kind::SplitEither(upper) = field.kind {
                        places.push(upper);
                    }
                    for place in places {
                        bytes[usize::from(place.byte) - 1] |= dice.roll() & dice.roll() & place.mask();
                    }
                }
                if let Some((byte, bits)) = kind.preset {
                    bytes[usize::from(byte) - 1] |= bits;
                }
                if kind.number < 3 && round % 2 == 0 {
                    bytes[13] = 1;
                }
                if kind.named {
                    bytes.pop();
                    let name: Vec<u8> =
                        (0..dice.roll() % 20).map(|_| dice.roll()).filter(|c| !matches!(c, 0 | b'\n')).collect();
                    bytes.extend(id_string::encode(&name, Packing::EightBit));
                }
                let length = bytes.len() - HEADER;
                bytes[..HEADER].copy_from_slice(&[1, 0, SDR_VERSION, kind.number, length as u8]);
                let out = decompile(&bytes);
                assert_eq!((&out.warnings, &out.error), (&vec![], &None));
                assert_eq!(again(&out.text, Packing::EightBit), [bytes], "{}", String::from_utf8_lossy(&out.text));
            }
        }
    }

    #[test]
    fn bits_without_a_field_are_told() {
        let mut bytes = vec![0; 16];
        bytes[..HEADER].copy_from_slice(&[1, 0, SDR_VERSION, 8, 11]);
        bytes[7] = 0x1f;
        let out = decompile(&bytes);
        assert!(String::from_utf8_lossy(&out.text).contains("# byte 8: bits 0x1f belong to no field"));
    }

    #[test]
    fn names_with_quotes_and_of_other_forms() {
        let mut text = Vec::new();
        assert!(quoted(b"a\"b'c\"", &mut text));
        assert_eq!(text, br#""a"'"b'"'c"'"'"#);
        let mut text = Vec::new();
        assert!(!quoted(b"a\nb", &mut text));
        assert_eq!(text, b"\"ab\"");
    }

    #[test]
    fn a_state_file_is_read_as_well() {
        let file = b"last_add_time:i:1\n2:d:\\02\\00Q\\03\\0d \\00\\00\\07\\01#o\\00\\00\\00\\00\\c1Wxxxxxx\n1:d:\\01\\00Q\\c0\\01a\n";
        let out = decompile(file);
        let text = String::from_utf8_lossy(&out.text).into_owned();
        assert!(text.starts_with("# Record id: 1\n# Record num: 0\n# unknown type: 192\n\n# Record id: 2\n"), "{text}");
        assert!(text.contains("\tsensor_type\tWatchdog_2\n") && text.contains("\tid_string\t\"W\"\n"), "{text}");
    }

    #[test]
    fn what_is_cut_or_short_is_an_error() {
        assert_eq!(decompile(&[1, 0, SDR_VERSION, 8]).error, Some(Unreadable::Cut { number: 0, offset: 0 }));
        assert_eq!(decompile(&[1, 0, SDR_VERSION, 8, 9, 0]).error, Some(Unreadable::Cut { number: 0, offset: 0 }));
        let short = Unreadable::Short { number: 1, offset: 5, kind: 8, length: 6, expected: 16 };
        assert_eq!(decompile(&[1, 0, SDR_VERSION, 0xc0, 0, 2, 0, SDR_VERSION, 8, 1, 0]).error, Some(short));
        assert_eq!(decompile(b""), Decompiled::default());
        let mut dice = Dice(3);
        for length in 0..600 {
            let mut bytes: Vec<u8> = (0..length).map(|_| dice.roll()).collect();
            if let Some(version) = bytes.get_mut(2) {
                *version = SDR_VERSION;
            }
            if let Some(kind) = bytes.get_mut(3) {
                *kind %= 0x13;
            }
            decompile(&bytes);
        }
    }
}
