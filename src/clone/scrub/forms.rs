//! Texts in the forms that names of sensors and fields of inventories have (IPMI 2.0 section 43.15; FRU Information Storage
//! Definition section 13), read so that they can be written back byte for byte.

/// BCD plus: the digits, then what stands for Ah to Fh.
const DIGITS: &[u8; 16] = b"0123456789 -.:,_";

/// How characters are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// No characters.
    Binary,
    /// Two in a byte, the first in the high bits.
    BcdPlus,
    /// Four in three bytes, the first in the low bits.
    SixBit,
    /// One in each byte.
    EightBit,
    /// Two bytes for each, the low one first.
    Unicode,
}

impl Form {
    /// Of bits 7-6 of a type/length byte of an inventory; the area's language decides what 11b means.
    pub fn of_field(type_length: u8, language: Language) -> Self {
        match (type_length >> 6, language) {
            (0, _) => Self::Binary,
            (1, _) => Self::BcdPlus,
            (2, _) => Self::SixBit,
            (_, Language::English) => Self::EightBit,
            (_, Language::Other) => Self::Unicode,
        }
    }

    /// Of bits 7-6 of the type/length byte of a sensor data record.
    pub fn of_record(type_length: u8) -> Self {
        match type_length >> 6 {
            0 => Self::Unicode,
            1 => Self::BcdPlus,
            2 => Self::SixBit,
            _ => Self::EightBit,
        }
    }

    /// The characters. A byte of 8 bits is the character with its number, so nothing is lost.
    pub fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Binary => String::new(),
            Self::BcdPlus => bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect(),
            Self::SixBit => (0..bytes.len() * 8 / 6).map(|at| char::from(0x20 + six_bits(bytes, at))).collect(),
            Self::EightBit => bytes.iter().copied().map(char::from).collect(),
            Self::Unicode => {
                let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
                units.map(|unit| char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
            }
        }
    }

    /// Writes characters over the bytes that [`decode`](Self::decode) gave others for. What the form cannot hold, and what has no
    /// room, is left as it was; so is the rest where there are fewer.
    pub fn encode(self, text: &str, bytes: &mut [u8]) {
        for (at, letter) in text.chars().enumerate() {
            let byte = u8::try_from(u32::from(letter)).ok();
            match self {
                Self::Binary => {}
                Self::BcdPlus => {
                    let code = byte.and_then(|byte| DIGITS.iter().position(|digit| *digit == byte));
                    if let (Some(code), Some(byte)) =
                        (code.and_then(|code| u8::try_from(code).ok()), bytes.get_mut(at / 2))
                    {
                        *byte = if at % 2 == 0 { code << 4 | *byte & 0x0f } else { *byte & 0xf0 | code };
                    }
                }
                Self::SixBit => {
                    if let Some(code) = byte.and_then(|byte| byte.checked_sub(0x20)).filter(|code| *code < 0x40) {
                        set_six_bits(bytes, at, code);
                    }
                }
                Self::EightBit => {
                    if let (Some(to), Some(byte)) = (bytes.get_mut(at), byte) {
                        *to = byte;
                    }
                }
                Self::Unicode => {
                    let unit = u16::try_from(u32::from(letter)).ok().filter(|_| letter != char::REPLACEMENT_CHARACTER);
                    if let (Some(unit), Some(to)) = (unit, bytes.get_mut(2 * at..2 * at + 2)) {
                        to.copy_from_slice(&unit.to_le_bytes());
                    }
                }
            }
        }
    }
}

/// What 8-bit characters of an area of an inventory are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Latin 1.
    English,
    /// Two bytes each.
    Other,
}

impl Language {
    /// Of a language code: 0 and 25 are English.
    pub fn of(code: u8) -> Self {
        if matches!(code, 0 | 25) { Self::English } else { Self::Other }
    }
}

fn digit(nibble: u8) -> char {
    DIGITS.get(usize::from(nibble & 0x0f)).copied().map_or(' ', char::from)
}

fn six_bits(bytes: &[u8], at: usize) -> u8 {
    let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 != 0);
    (0..6).map(|i| u8::from(bit(6 * at + i)) << i).sum()
}

fn set_six_bits(bytes: &mut [u8], at: usize, code: u8) {
    for i in 0..6 {
        let place = 6 * at + i;
        if let Some(byte) = bytes.get_mut(place / 8) {
            let bit = 1 << (place % 8);
            *byte = if code >> i & 1 != 0 { *byte | bit } else { *byte & !bit };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read_and_written_back() {
        for (form, bytes, text) in [
            (Form::BcdPlus, &b"\x12\x34\x5a"[..], "12345 "),
            (Form::SixBit, b"\x29\xdc\xa6", "IPMI"),
            (Form::EightBit, b"N\xe4h\x00", "N\u{e4}h\0"),
            (Form::Unicode, b"\xe4\x00b\x00\x00\xd8", "\u{e4}b\u{fffd}"),
        ] {
            assert_eq!(form.decode(bytes), text, "{form:?}");
            let mut back = bytes.to_vec();
            form.encode(text, &mut back);
            assert_eq!(back, bytes, "{form:?}");
            back.iter_mut().for_each(|byte| *byte ^= 0x55);
            form.encode(text, &mut back);
            assert!(form.decode(&back).chars().take(2).eq(text.chars().take(2)), "{form:?}");
        }
        assert_eq!((Form::of_field(0x83, Language::English), Form::of_record(0x03)), (Form::SixBit, Form::Unicode));
        assert_eq!(
            (Form::of_field(0xc3, Language::of(25)), Form::of_field(0xc3, Language::of(1))),
            (Form::EightBit, Form::Unicode)
        );
    }

    #[test]
    fn what_a_form_cannot_hold_changes_nothing() {
        let mut bytes = *b"\x12\x34";
        Form::BcdPlus.encode("x9y", &mut bytes);
        assert_eq!(bytes, *b"\x19\x34");
        Form::SixBit.encode("too long for it", &mut bytes);
        assert_eq!(bytes.len(), 2);
    }
}
