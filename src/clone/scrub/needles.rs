//! Finding what is replaced in one place in others: in names, in remarks, in bytes that only their maker understands.
//!
//! Only what is long enough to be found by no accident is looked for.

use std::net::Ipv4Addr;

use super::disguise::{Disguise, Kind, array, with_case_of};

/// Letters from which on a text is found anywhere, and from which on it is found as a word of its own.
const ANYWHERE: usize = 6;
const AS_A_WORD: usize = 4;
/// Letters from which on it is found in six bits a letter.
const PACKED: usize = 6;
/// Digits from which on it is found in four bits a digit.
const PACKED_DIGITS: usize = 8;
/// BCD plus: the digits, then what stands for Ah to Fh.
const DIGITS: &[u8; 16] = b"0123456789 -.:,_";

/// What is looked for, with what stands for it.
#[derive(Debug, Default)]
pub struct Needles {
    /// In lower case, the longest first.
    texts: Vec<(String, String)>,
    /// Bytes as they are.
    bytes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Needles {
    /// Of everything that has a replacement. Makers' own fields are replaced where they are: they may hold any word.
    pub fn new(disguise: &Disguise) -> Self {
        let mut needles = Self::default();
        for (kind, original, new) in disguise.texts() {
            if kind != Kind::OwnField && original.len() >= AS_A_WORD && original.is_ascii() {
                needles.texts.push((original.to_owned(), new.to_owned()));
            }
        }
        for (original, new) in disguise.macs() {
            for separator in ["", ":", "-"] {
                needles.texts.push((hexadecimal(original, separator), hexadecimal(new, separator)));
            }
            needles.both_ways(original, new);
        }
        for (original, new) in disguise.all_bytes().filter(|(original, _)| original.len() >= AS_A_WORD) {
            needles.both_ways(original, new);
            if let (Some(original), Some(new)) = (array(original), array(new)) {
                needles.guid(original, new);
            }
        }
        for (original, new) in disguise.addresses() {
            needles.address(*original, *new);
        }
        for (original, new) in disguise.addresses_6() {
            needles.bytes.push((original.octets().to_vec(), new.octets().to_vec()));
        }
        needles.texts.sort_by_key(|(original, _)| std::cmp::Reverse(original.len()));
        needles
    }

    fn both_ways(&mut self, original: &[u8], new: &[u8]) {
        let reversed = |bytes: &[u8]| bytes.iter().rev().copied().collect();
        self.bytes.push((original.to_vec(), new.to_vec()));
        self.bytes.push((reversed(original), reversed(new)));
    }

    /// A GUID with its first fields the other way round, as SMBIOS has them, and as text of both kinds.
    fn guid(&mut self, original: [u8; 16], new: [u8; 16]) {
        let [original_mixed, new_mixed] = [original, new].map(mixed);
        self.bytes.push((original_mixed.to_vec(), new_mixed.to_vec()));
        let reversed = |mut bytes: [u8; 16]| {
            bytes.reverse();
            bytes
        };
        for (original, new) in [(original, new), (original_mixed, new_mixed), (reversed(original), reversed(new))] {
            self.texts.push((guid_text(original), guid_text(new)));
            self.texts.push((hexadecimal(&original, ""), hexadecimal(&new, "")));
        }
    }

    /// An address as text keeps its length, so that it fits where it stands: digits that are missing are zeros in front.
    fn address(&mut self, original: Ipv4Addr, new: Ipv4Addr) {
        self.bytes.push((original.octets().to_vec(), new.octets().to_vec()));
        let text = original.to_string();
        let mut same_length = new.to_string();
        if same_length.len() > text.len() {
            // Too long: of the last part and then of the others only as many digits as there is room for.
            let parts: Vec<&str> = text.split('.').collect();
            let digits: Vec<String> = new
                .octets()
                .iter()
                .zip(parts)
                .map(|(octet, part)| {
                    let digits = format!("{octet:03}");
                    digits.chars().rev().take(part.len()).collect::<Vec<_>>().into_iter().rev().collect()
                })
                .collect();
            same_length = digits.join(".");
        }
        while same_length.len() < text.len() {
            let last = same_length.rfind('.').map_or(0, |dot| dot + 1);
            same_length.insert(last, '0');
        }
        self.texts.push((text, same_length));
    }

    /// The text with what is found in it replaced, if anything is.
    pub fn in_text(&self, text: &str) -> Option<String> {
        let mut letters: Vec<u8> = text.bytes().collect();
        let found = self.texts.iter().filter(|needle| replace_text(&mut letters, 1, needle)).count();
        if found == 0 {
            return None;
        }
        // Needles are ASCII, so what is replaced is no part of a longer character.
        String::from_utf8(letters).ok()
    }

    /// Replaces what is found in bytes, whatever form it has there. How many originals were found.
    pub fn in_bytes(&self, bytes: &mut [u8]) -> usize {
        let in_any_form = |needle: &&(String, String)| {
            // Each form is looked for, so no early end.
            let mut found = replace_text(bytes, 1, needle);
            found |= replace_text(bytes, 2, needle);
            found |= replace_six_bit(bytes, needle);
            found | replace_digits(bytes, needle)
        };
        let texts = self.texts.iter().filter(in_any_form).count();
        texts + self.bytes.iter().filter(|(original, new)| replace_bytes(bytes, original, new)).count()
    }
}

/// Looks for a text whose letters are `width` bytes each, the other byte 0.
fn replace_text(bytes: &mut [u8], width: usize, (original, new): &(String, String)) -> bool {
    let length = original.len() * width;
    let mut found = false;
    for start in 0..(bytes.len() + 1).saturating_sub(length) {
        let letter = |at: usize| bytes.get(start + at * width).copied().unwrap_or_default();
        let high =
            |at: usize| (1..width).any(|byte| bytes.get(start + at * width + byte).is_some_and(|byte| *byte != 0));
        let is_here =
            original.bytes().enumerate().all(|(at, wanted)| letter(at).eq_ignore_ascii_case(&wanted) && !high(at));
        if !is_here || !may_stand(bytes, start, length, original) {
            continue;
        }
        let old: String = (0..original.len()).map(|at| char::from(letter(at))).collect();
        for (at, byte) in with_case_of(&old, new).bytes().enumerate() {
            if let Some(to) = bytes.get_mut(start + at * width) {
                *to = byte;
            }
        }
        found = true;
    }
    found
}

/// A short text has to be a word: neither letter nor digit beside it.
fn may_stand(bytes: &[u8], start: usize, length: usize, original: &str) -> bool {
    let is_address = original.contains('.') && original.parse::<Ipv4Addr>().is_ok();
    if original.len() >= ANYWHERE && !is_address {
        return true;
    }
    let beside = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(|byte| byte.is_ascii_alphanumeric());
    !beside(start.checked_sub(1)) && !beside(Some(start + length))
}

/// Looks for a text of six bits a letter, which begins at any byte and so at any even bit.
fn replace_six_bit(bytes: &mut [u8], (original, new): &(String, String)) -> bool {
    let code = |byte: u8| byte.to_ascii_uppercase().checked_sub(0x20).filter(|code| *code < 0x40);
    let (Some(wanted), Some(new)) =
        (original.bytes().map(code).collect::<Option<Vec<u8>>>(), new.bytes().map(code).collect::<Option<Vec<u8>>>())
    else {
        return false;
    };
    if wanted.len() < PACKED {
        return false;
    }
    let mut found = false;
    let places = (bytes.len() * 8 + 1).saturating_sub(wanted.len() * 6);
    for start in (0..places).step_by(2) {
        if wanted.iter().enumerate().all(|(at, wanted)| six_bits(bytes, start + at * 6) == *wanted) {
            new.iter().enumerate().for_each(|(at, code)| set_six_bits(bytes, start + at * 6, *code));
            found = true;
        }
    }
    found
}

fn six_bits(bytes: &[u8], bit: usize) -> u8 {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let pair = u16::from_le_bytes([byte(bit / 8), byte(bit / 8 + 1)]);
    (pair >> (bit % 8)).to_le_bytes()[0] & 0x3f
}

fn set_six_bits(bytes: &mut [u8], bit: usize, code: u8) {
    let mask = (0x3f_u16 << (bit % 8)).to_le_bytes();
    let value = (u16::from(code) << (bit % 8)).to_le_bytes();
    for (offset, (mask, value)) in mask.into_iter().zip(value).enumerate() {
        if let Some(byte) = bytes.get_mut(bit / 8 + offset) {
            *byte = *byte & !mask | value;
        }
    }
}

/// Looks for a text of four bits a digit, the first of two in the high or in the low ones.
fn replace_digits(bytes: &mut [u8], (original, new): &(String, String)) -> bool {
    let code = |byte: u8| DIGITS.iter().position(|digit| *digit == byte).and_then(|code| u8::try_from(code).ok());
    let (Some(wanted), Some(new)) =
        (original.bytes().map(code).collect::<Option<Vec<u8>>>(), new.bytes().map(code).collect::<Option<Vec<u8>>>())
    else {
        return false;
    };
    if wanted.len() < PACKED_DIGITS {
        return false;
    }
    let mut found = false;
    for first_shift in [4, 0] {
        let shift = |place: usize| if place.is_multiple_of(2) { first_shift } else { 4 - first_shift };
        for start in 0..(bytes.len() * 2 + 1).saturating_sub(wanted.len()) {
            let is_here = wanted.iter().enumerate().all(|(at, wanted)| {
                let place = start + at;
                bytes.get(place / 2).is_some_and(|byte| byte >> shift(place) & 0x0f == *wanted)
            });
            if is_here {
                for (at, code) in new.iter().enumerate() {
                    let place = start + at;
                    if let Some(byte) = bytes.get_mut(place / 2) {
                        *byte = *byte & !(0x0f << shift(place)) | code << shift(place);
                    }
                }
                found = true;
            }
        }
    }
    found
}

fn replace_bytes(bytes: &mut [u8], original: &[u8], new: &[u8]) -> bool {
    let mut found = false;
    for start in 0..(bytes.len() + 1).saturating_sub(original.len()) {
        if let Some(here) = bytes.get_mut(start..start + original.len()).filter(|here| *here == original) {
            here.copy_from_slice(new);
            found = true;
        }
    }
    found
}

/// Hexadecimal digits, in lower case.
fn hexadecimal(bytes: &[u8], separator: &str) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(separator)
}

fn guid_text(guid: [u8; 16]) -> String {
    let mut text = hexadecimal(&guid, "");
    [20, 16, 12, 8].into_iter().for_each(|at| text.insert(at, '-'));
    text
}

/// The first three fields of a GUID the other way round.
fn mixed(mut guid: [u8; 16]) -> [u8; 16] {
    for field in [0..4, 4..6, 6..8] {
        if let Some(field) = guid.get_mut(field) {
            field.reverse();
        }
    }
    guid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clone::scrub::forms::Form;

    fn known() -> (Disguise, Needles) {
        let mut disguise = Disguise::new(b"k");
        disguise.mac([0x0c, 0xc4, 0x7a, 0x12, 0x34, 0x56]);
        disguise.address(Ipv4Addr::new(10, 1, 2, 3));
        disguise.text(Kind::Serial, "CS-40417");
        disguise.text(Kind::Serial, "9012345678");
        disguise.text(Kind::Name, "node");
        disguise.text(Kind::OwnField, "RackMount");
        disguise.bytes(Kind::Guid, b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f");
        let needles = Needles::new(&disguise);
        (disguise, needles)
    }

    #[test]
    fn texts_are_found_in_their_case_and_short_ones_as_words() {
        let (mut disguise, needles) = known();
        let serial = disguise.text(Kind::Serial, "CS-40417");
        assert_eq!(needles.in_text("xCS-40417y"), Some(format!("x{serial}y")));
        assert_eq!(needles.in_text("xcs-40417y"), Some(format!("x{}y", serial.to_ascii_lowercase())));
        assert_eq!((needles.in_text("nodes RackMount 110.1.2.3"), needles.in_text("a node-").is_some()), (None, true));
        let text = needles.in_text("at 10.1.2.3, 0C:C4:7A:12:34:56 or 0cc47a123456").unwrap();
        assert!(text.len() == 46 && !text.contains("10.1.2.3") && text.contains("02:"), "{text}");
        let text =
            needles.in_text("00010203-0405-0607-0809-0a0b0c0d0e0f 03020100-0504-0706-0809-0a0b0c0d0e0f").unwrap();
        assert!(!text.contains("00010203") && !text.contains("0504-0706"), "{text}");
    }

    #[test]
    fn every_form_is_found_in_bytes() {
        let (mut disguise, needles) = known();
        let serial = disguise.text(Kind::Serial, "CS-40417");
        for (before, behind) in [(0, 0), (1, 2), (2, 1), (3, 0)] {
            let mut packed = vec![0xa5; before + 6 + behind];
            Form::SixBit.encode("CS-40417", &mut packed[before..]);
            assert_eq!(needles.in_bytes(&mut packed), 1);
            assert_eq!(Form::SixBit.decode(&packed[before..before + 6]), serial);
            assert!(packed[..before].iter().chain(&packed[before + 6..]).all(|byte| *byte == 0xa5));
        }
        let mut wide = b"xC\0S\0-\x004\x000\x004\x001\x007\0".to_vec();
        assert_eq!(needles.in_bytes(&mut wide), 1);
        assert_eq!(Form::Unicode.decode(&wide[1..]), serial);
        let digits = disguise.text(Kind::Serial, "9012345678");
        let mut bcd = *b"\xff\x90\x12\x34\x56\x78\xff";
        assert_eq!(needles.in_bytes(&mut bcd), 1);
        assert_eq!(Form::BcdPlus.decode(&bcd[1..6]), digits);
        let mut swapped = *b"\x09\x21\x43\x65\x87";
        assert_eq!(needles.in_bytes(&mut swapped), 1);
        assert_ne!(swapped, *b"\x09\x21\x43\x65\x87");
        for original in [b"\x0c\xc4\x7a\x12\x34\x56", b"\x56\x34\x12\x7a\xc4\x0c"] {
            let mut bytes = [b"ab".as_slice(), original, b"c"].concat();
            assert_eq!(needles.in_bytes(&mut bytes), 1);
            assert!(!bytes.windows(6).any(|window| window == original));
        }
        let mut nothing: Vec<u8> = (0x80..=0xff).collect();
        assert_eq!(needles.in_bytes(&mut nothing), 0);
    }
}
