//! What the bytes of a FRU inventory device say: chassis, board and product areas (Platform Management FRU Information
//! Storage Definition 1.0, sections 8 to 13).
//!
//! Reads only. An area whose checksum is wrong, or that does not lie within the device, is left out.

use crate::bmc::id_string::{bcd_plus, latin_1, six_bit};

/// Areas begin and end at multiples of this many bytes.
const UNIT: usize = 8;
/// Version of the header and of each area, in bits 3-0.
const FORMAT: u8 = 0x01;
/// The type/length byte behind the last field.
const END: u8 = 0xc1;

/// The areas that a device has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Areas {
    /// Chassis info area.
    pub chassis: Option<Chassis>,
    /// Board info area.
    pub board: Option<Board>,
    /// Product info area.
    pub product: Option<Product>,
}

/// Chassis info area. A field that is not there, or empty, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chassis {
    /// Chassis type, as in SMBIOS: 17h a rack mount chassis.
    pub chassis_type: u8,
    /// Part number.
    pub part_number: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// The manufacturer's own fields.
    pub custom: Vec<String>,
}

/// Board info area. A field that is not there, or empty, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    /// Minutes since 1996-01-01 00:00 when it was made; `None` when nobody says.
    pub made: Option<u32>,
    /// Manufacturer.
    pub manufacturer: Option<String>,
    /// Product name.
    pub product: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Part number.
    pub part_number: Option<String>,
    /// Name of the file that the data came from.
    pub file: Option<String>,
    /// The manufacturer's own fields.
    pub custom: Vec<String>,
}

/// Product info area. A field that is not there, or empty, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Product {
    /// Manufacturer.
    pub manufacturer: Option<String>,
    /// Product name.
    pub name: Option<String>,
    /// Part or model number.
    pub part_number: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Asset tag.
    pub asset_tag: Option<String>,
    /// Name of the file that the data came from.
    pub file: Option<String>,
    /// The manufacturer's own fields.
    pub custom: Vec<String>,
}

impl Areas {
    /// Reads the bytes of a device; empty when they have no common header.
    pub fn read(bytes: &[u8]) -> Self {
        let Some(header @ [version, _, chassis, board, product, ..]) = bytes.first_chunk::<8>() else {
            return Self::default();
        };
        if version & 0x0f != FORMAT || sum(header) != 0 {
            return Self::default();
        }
        Self {
            chassis: area(bytes, *chassis).and_then(Chassis::read),
            board: area(bytes, *board).and_then(Board::read),
            product: area(bytes, *product).and_then(Product::read),
        }
    }
}

impl Chassis {
    fn read(area: &[u8]) -> Option<Self> {
        let (&[_, _, chassis_type], rest) = area.split_first_chunk()?;
        let mut fields = Fields { rest, letters: Letters::English };
        let [part_number, serial] = [(); 2].map(|()| fields.text());
        Some(Self { chassis_type, part_number, serial, custom: fields.custom() })
    }
}

impl Board {
    fn read(area: &[u8]) -> Option<Self> {
        let (&[_, _, language, m0, m1, m2], rest) = area.split_first_chunk()?;
        let minutes = u32::from_le_bytes([m0, m1, m2, 0]);
        let mut fields = Fields { rest, letters: Letters::of(language) };
        let [manufacturer, product] = [(); 2].map(|()| fields.text());
        fields.letters = Letters::English;
        let [serial, part_number, file] = [(); 3].map(|()| fields.text());
        fields.letters = Letters::of(language);
        let made = (minutes != 0).then_some(minutes);
        Some(Self { made, manufacturer, product, serial, part_number, file, custom: fields.custom() })
    }
}

impl Product {
    fn read(area: &[u8]) -> Option<Self> {
        let (&[_, _, language], rest) = area.split_first_chunk()?;
        let mut fields = Fields { rest, letters: Letters::of(language) };
        let [manufacturer, name, part_number, version] = [(); 4].map(|()| fields.text());
        fields.letters = Letters::English;
        let serial = fields.text();
        fields.letters = Letters::of(language);
        let asset_tag = fields.text();
        fields.letters = Letters::English;
        let file = fields.text();
        fields.letters = Letters::of(language);
        Some(Self { manufacturer, name, part_number, version, serial, asset_tag, file, custom: fields.custom() })
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// The area that begins at this many units, without its checksum; none at 0.
fn area(bytes: &[u8], offset: u8) -> Option<&[u8]> {
    let area = bytes.get(usize::from(offset) * UNIT..).filter(|_| offset != 0)?;
    let [version, length, ..] = area else { return None };
    let area = area.get(..usize::from(*length) * UNIT)?;
    let (_, content) = area.split_last()?;
    (version & 0x0f == FORMAT && sum(area) == 0).then_some(content)
}

/// What type 11b means: 8-bit characters in English, else two bytes for each.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Letters {
    English,
    Unicode,
}

impl Letters {
    /// Of a language code: 0 and 25 are English.
    fn of(language: u8) -> Self {
        if matches!(language, 0 | 25) { Self::English } else { Self::Unicode }
    }
}

/// The fields of an area that have not been read.
struct Fields<'a> {
    rest: &'a [u8],
    letters: Letters,
}

impl Fields<'_> {
    /// The next field; `None` behind the last one.
    fn next(&mut self) -> Option<String> {
        let (&type_length, rest) = self.rest.split_first().filter(|(first, _)| **first != END)?;
        let (bytes, rest) = rest.split_at_checked(usize::from(type_length & 0x3f))?;
        self.rest = rest;
        Some(match (type_length >> 6, self.letters) {
            (0, _) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            (1, _) => bcd_plus(bytes),
            (2, _) => six_bit(bytes),
            (_, Letters::English) => latin_1(bytes),
            (_, Letters::Unicode) => {
                let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
                char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
            }
        })
    }

    /// The next field without blanks at its end, unless it is empty.
    fn text(&mut self) -> Option<String> {
        self.next().map(|text| text.trim_end().to_owned()).filter(|text| !text.is_empty())
    }

    /// The fields that are left.
    fn custom(mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).filter(|text| !text.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An area with its length and checksum.
    fn sealed(head: &[u8], fields: &[&[u8]]) -> Vec<u8> {
        let mut area = [&[1, 0], head].concat();
        fields.iter().for_each(|field| area.extend_from_slice(field));
        area.push(END);
        area.resize((area.len() + 1).next_multiple_of(UNIT), 0);
        area[1] = (area.len() / UNIT) as u8;
        let last = area.len() - 1;
        area[last] = 0u8.wrapping_sub(sum(&area));
        area
    }

    fn device(areas: [&[u8]; 3]) -> Vec<u8> {
        let mut bytes = vec![1, 0, 0, 0, 0, 0, 0, 0];
        for (index, area) in areas.into_iter().enumerate().filter(|(_, area)| !area.is_empty()) {
            bytes[2 + index] = (bytes.len() / UNIT) as u8;
            bytes.extend_from_slice(area);
        }
        bytes[7] = 0u8.wrapping_sub(sum(&bytes[..7]));
        bytes
    }

    fn whole() -> Vec<u8> {
        let chassis = sealed(&[0x17], &[b"\x43\x12\x34\x5a", b"\xc2S1", b"\xc4more"]);
        let board = sealed(&[0, 1, 0, 0], &[b"\xc4Acme", b"\x83\x29\xdc\xa6", b"\xc0", b"\x02\xab\xcd", b"\xc0"]);
        let product =
            sealed(&[8], &[b"\xc4\xe4\x00b\x00", b"\xc0", b"\xc0", b"\xc0", b"\xc3X-1", b"\xc2t\x00", b"\xc1"]);
        device([&chassis, &board, &product])
    }

    #[test]
    fn every_area_and_kind_of_string_is_read() {
        let areas = Areas::read(&whole());
        let some = |text: &str| Some(text.to_owned());
        let chassis = areas.chassis.expect("a chassis area");
        assert_eq!((chassis.chassis_type, chassis.part_number, chassis.serial), (0x17, some("12345"), some("S1")));
        assert_eq!(chassis.custom, ["more"]);
        let board = areas.board.expect("a board area");
        assert_eq!((board.made, board.manufacturer, board.product), (Some(1), some("Acme"), some("IPMI")));
        assert_eq!((board.serial, board.part_number, board.file), (None, some("abcd"), None));
        let product = areas.product.expect("a product area");
        assert_eq!(
            (product.manufacturer, product.serial, product.asset_tag),
            (some("\u{e4}b"), some("X-1"), some("t"))
        );
    }

    #[test]
    fn what_has_a_wrong_checksum_is_left_out() {
        let bytes = whole();
        for wrong in 0..8 {
            let mut bytes = bytes.clone();
            bytes[wrong] ^= 0x10;
            assert_eq!(Areas::read(&bytes), Areas::default(), "header byte {wrong}");
        }
        let mut bytes = bytes;
        bytes[12] ^= 1;
        let areas = Areas::read(&bytes);
        assert!(areas.chassis.is_none() && areas.board.is_some() && areas.product.is_some());
    }

    /// Whatever the bytes are, reading ends and gives no more text than there are bytes for.
    #[test]
    fn garbage_is_no_trouble() {
        let mut state = 0x2545_f491_u32;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state
        };
        let good = whole();
        let mut read = 0;
        for round in 0..20_000 {
            let mut bytes = good.clone();
            bytes.truncate(next() as usize % (bytes.len() + 1));
            for _ in 0..next() % 4 {
                if let Some(length) = std::num::NonZero::new(bytes.len()) {
                    bytes[next() as usize % length] = next() as u8;
                }
            }
            // With checksums that fit, so that what is behind them is reached.
            if round % 2 == 0 && bytes.len() >= UNIT {
                bytes[7] = 0u8.wrapping_sub(sum(&bytes[..7]));
                for start in [bytes[2], bytes[3], bytes[4]].map(|offset| usize::from(offset) * UNIT) {
                    let length = bytes.get(start + 1).map_or(0, |length| usize::from(*length) * UNIT);
                    if start > 0
                        && let Some(area) = bytes.get_mut(start..start + length)
                        && let Some((last, rest)) = area.split_last_mut()
                    {
                        *last = 0u8.wrapping_sub(sum(rest));
                    }
                }
            }
            let areas = Areas::read(&bytes);
            read += usize::from(areas != Areas::default());
            let text = format!("{areas:?}");
            assert!(text.len() < 600 + 40 * bytes.len(), "{} of {}", text.len(), bytes.len());
        }
        assert!(read > 1000, "{read} of them had areas");
    }
}
