//! Names of sensors and devices as a record holds them: type, length and characters (IPMI 2.0
//! section 43.15, `sdrcomp.md` section 5).
//!
//! The byte before the characters has the form in bits 7:6 and their number in bits 5:0. By the
//! specification the number has only bits 4:0 and names are at most 16 bytes; the original uses bit 5
//! as well, and so longer names are kept as it keeps them.

/// Characters of a name beyond which clients no longer read its length.
pub const READABLE: usize = 31;
/// Characters that are kept of a name.
pub const MOST: usize = 63;

/// How characters are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// 16-bit characters; never written.
    Unicode = 0,
    /// BCD plus: two characters in a byte, the first in the lower half.
    BcdPlus = 1,
    /// Six bits of ASCII: four characters in three bytes, lowest bits first.
    SixBit = 2,
    /// A byte for each.
    EightBit = 3,
}

/// Which forms a compiler run may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// The shortest that holds all characters.
    #[default]
    Compact,
    /// Always 8 bits (`-8`).
    EightBit,
}

const BCD_PLUS: &[u8; 16] = b"0123456789 -.:,_";

fn bcd_code(character: u8) -> Option<u8> {
    BCD_PLUS.iter().position(|&known| known == character).map(|code| code as u8)
}

/// The code of a character in six bits: 20h to 5Fh. The original has no `@`, and gives `&` its code.
fn six_bit_code(character: u8) -> Option<u8> {
    character.checked_sub(0x20).filter(|&code| code < 0x40)
}

/// The shortest form that holds all characters of `name`.
pub fn shortest(name: &[u8]) -> Form {
    if name.iter().all(|&c| bcd_code(c).is_some()) {
        Form::BcdPlus
    } else if name.iter().all(|&c| six_bit_code(c).is_some()) {
        Form::SixBit
    } else {
        Form::EightBit
    }
}

/// Type and length, then the characters. What is longer than [`MOST`] is cut.
pub fn encode(name: &[u8], packing: Packing) -> Vec<u8> {
    let name = name.get(..MOST).unwrap_or(name);
    let form = match packing {
        Packing::Compact => shortest(name),
        Packing::EightBit => Form::EightBit,
    };
    let mut length = name.len() as u8;
    let mut out = vec![0];
    match form {
        Form::BcdPlus => out.extend(
            name.chunks(2)
                .map(|pair| pair.iter().rev().fold(0, |byte, &c| byte << 4 | bcd_code(c).unwrap_or_default())),
        ),
        Form::SixBit => {
            for four in name.chunks(4) {
                let bits =
                    four.iter().rev().fold(0u32, |bits, &c| bits << 6 | u32::from(six_bit_code(c).unwrap_or_default()));
                let bytes = (four.len() * 6).div_ceil(8);
                out.extend(bits.to_le_bytes().iter().take(bytes));
            }
        }
        Form::Unicode | Form::EightBit => {
            out.extend_from_slice(name);
            // A length of 1 is reserved.
            if let [_] = name {
                out.push(0);
                length = 2;
            }
        }
    }
    if let Some(first) = out.first_mut() {
        *first = (form as u8) << 6 | length;
    }
    out
}

/// A name read from a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// How it was stored.
    pub form: Form,
    /// Its characters; as stored, for 16-bit ones.
    pub name: Vec<u8>,
    /// How many of the stored bytes it took.
    pub used: usize,
    /// Whether bytes were missing.
    pub cut: bool,
}

/// Reads a name: type and length, and all bytes that follow.
pub fn decode(type_length: u8, bytes: &[u8]) -> Decoded {
    let length = usize::from(type_length & 0x3f);
    let (form, need) = match type_length >> 6 {
        0 => (Form::Unicode, length),
        1 => (Form::BcdPlus, length.div_ceil(2)),
        2 => (Form::SixBit, (length * 6).div_ceil(8)),
        _ => (Form::EightBit, length),
    };
    let used = need.min(bytes.len());
    let bytes = bytes.get(..used).unwrap_or(bytes);
    let mut name: Vec<u8> = match form {
        Form::Unicode | Form::EightBit => bytes.to_vec(),
        Form::BcdPlus => bytes
            .iter()
            .flat_map(|byte| [byte & 0x0f, byte >> 4])
            .filter_map(|code| BCD_PLUS.get(usize::from(code)).copied())
            .collect(),
        Form::SixBit => bytes
            .chunks(3)
            .flat_map(|three| {
                let bits = three.iter().rev().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte));
                (0..three.len() * 8 / 6).map(move |at| (bits >> (6 * at) & 0x3f) as u8 + 0x20)
            })
            .collect(),
    };
    name.truncate(length);
    if let (Form::EightBit, [_, 0]) = (form, name.as_slice()) {
        name.pop();
    }
    Decoded { form, name, used, cut: used < need }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    #[test]
    fn known_answers() {
        let rows: &[(&str, &[u8])] = &[
            ("WDT-1", &hex!("85 37 49 37 11")),
            ("12345", &hex!("45 21 43 05")),
            ("1-2.3:4,5_", &hex!("4a b1 c2 d3 e4 f5")),
            ("X", &hex!("81 38")),
            ("a", &hex!("c2 61 00")),
            ("", &hex!("40")),
            ("ABC", &hex!("83 a1 38 02")),
            ("ABCDEFGHIJKLMNOPQ", &hex!("91 a1 38 92 a5 79 a2 a9 ba b2 ad fb c2 31")),
        ];
        for (name, bytes) in rows {
            assert_eq!(encode(name.as_bytes(), Packing::Compact), *bytes, "{name}");
        }
        assert_eq!(encode(b"WDT-1", Packing::EightBit), hex!("c5 57 44 54 2d 31"));
        assert_eq!(encode(b"", Packing::EightBit), hex!("c0"));
        assert_eq!(encode(b"1", Packing::EightBit), hex!("c2 31 00"));
    }

    #[test]
    fn six_bit_names_have_an_ampersand_and_an_at_sign() {
        // 21h, 06h, 22h and 21h, 20h, 22h.
        assert_eq!(encode(b"A&B", Packing::Compact), hex!("83 a1 21 02"));
        assert_eq!(encode(b"A@B", Packing::Compact), hex!("83 21 28 02"));
    }

    #[test]
    fn names_beyond_ascii_are_kept_as_bytes() {
        assert_eq!(encode("\u{e9}X".as_bytes(), Packing::Compact), hex!("c3 c3 a9 58"));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let all = b"0123456789 -.:,_ABCXYZ!&@^[]\\abcxyz~\x80\xff";
        for start in 0..all.len() {
            for end in start..all.len() {
                let name = &all[start..end];
                for packing in [Packing::Compact, Packing::EightBit] {
                    let bytes = encode(name, packing);
                    let decoded = decode(bytes[0], &bytes[1..]);
                    assert_eq!(decoded.name, name, "{name:?} {packing:?}");
                    assert_eq!((decoded.used, decoded.cut), (bytes.len() - 1, false));
                }
            }
        }
    }

    #[test]
    fn long_names_are_cut_and_short_records_are_noticed() {
        let bytes = encode(&[b'x'; 100], Packing::Compact);
        assert_eq!((bytes[0], bytes.len()), (0xff, 64));
        for first in 0..=255 {
            for count in 0..64 {
                let decoded = decode(first, &vec![0x5a; count]);
                assert!(decoded.name.len() <= usize::from(first & 0x3f) && decoded.used <= count);
            }
        }
        assert!(decode(0xc5, b"abc").cut);
    }
}
