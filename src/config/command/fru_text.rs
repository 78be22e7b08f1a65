//! The inventory of a FRU device made of texts: lengths, offsets and checksums are counted here (Platform Management FRU
//! Information Storage Definition 1.0, sections 8 and 10 to 13).

/// Most characters of a field.
const LONGEST: usize = 63;
/// A field of 8-bit ASCII and Latin 1, less its length (section 13).
const LATIN_1: u8 = 0xc0;
/// Behind the last field of an area. A field of one character would look like it.
const NO_MORE: u8 = 0xc1;
const VERSION: u8 = 1;
const ENGLISH: u8 = 25;
/// Chassis type: rack mount chassis (SMBIOS table 17).
const RACK_MOUNT: u8 = 0x17;
/// Areas begin and end at multiples of this.
const UNIT: usize = 8;

/// A field that may have a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field(usize);

/// The fields of chassis, board and product, in the order of their areas.
const NAMES: [&str; 12] = [
    "chassis_part",
    "chassis_serial",
    "board_maker",
    "board_name",
    "board_serial",
    "board_part",
    "product_maker",
    "product_name",
    "product_part",
    "product_version",
    "product_serial",
    "product_tag",
];

impl Field {
    pub(super) const ALL: [Self; NAMES.len()] = {
        let mut all = [Self(0); NAMES.len()];
        let mut number = 0;
        while number < all.len() {
            all[number] = Self(number);
            number += 1;
        }
        all
    };

    pub(super) fn named(name: &str) -> Option<Self> {
        NAMES.iter().position(|known| *known == name).map(Self)
    }

    pub(super) fn name(self) -> &'static str {
        NAMES.get(self.0).copied().unwrap_or_default()
    }
}

/// The texts of a FRU device.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    texts: [Option<Vec<u8>>; NAMES.len()],
}

impl Inventory {
    /// # Errors
    /// The text does not fit, in one line.
    pub(super) fn set(&mut self, field: Field, text: &str) -> Result<(), String> {
        let latin: Option<Vec<u8>> = text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect();
        let mut latin = latin.ok_or_else(|| format!("{} has characters that are not in Latin 1", field.name()))?;
        if latin.len() > LONGEST {
            return Err(format!("{} has {} characters, expected at most {LONGEST}", field.name(), latin.len()));
        }
        if latin.len() == 1 {
            latin.push(b' ');
        }
        if let Some(slot) = self.texts.get_mut(field.0) {
            *slot = Some(latin);
        }
        Ok(())
    }

    /// The content of the device: a header, and the areas that have a text.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let areas = [
            Area { start: &[RACK_MOUNT], texts: &self.texts[..2], end: &[] },
            // Made at no known time; without a FRU file id, as the product.
            Area { start: &[ENGLISH, 0, 0, 0], texts: &self.texts[2..6], end: &[LATIN_1] },
            Area { start: &[ENGLISH], texts: &self.texts[6..], end: &[LATIN_1] },
        ];
        let mut offsets = [0; 3];
        let mut out = vec![0; UNIT];
        for (area, offset) in areas.iter().zip(&mut offsets) {
            if area.texts.iter().any(Option::is_some) {
                *offset = (out.len() / UNIT) as u8;
                out.extend(area.bytes());
            }
        }
        let [chassis, board, product] = offsets;
        out[..UNIT - 1].copy_from_slice(&[VERSION, 0, chassis, board, product, 0, 0]);
        out[UNIT - 1] = checksum(&out[..UNIT - 1]);
        out
    }
}

/// An area of the device.
struct Area<'a> {
    /// What stands before the texts, behind version and length.
    start: &'a [u8],
    texts: &'a [Option<Vec<u8>>],
    /// Fields without a text.
    end: &'a [u8],
}

impl Area<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut area = vec![VERSION, 0];
        area.extend_from_slice(self.start);
        for text in self.texts.iter().map(|text| text.as_deref().unwrap_or_default()) {
            area.push(LATIN_1 | text.len() as u8);
            area.extend_from_slice(text);
        }
        area.extend_from_slice(self.end);
        area.push(NO_MORE);
        // The last byte is the checksum.
        area.resize((area.len() + 1).next_multiple_of(UNIT) - 1, 0);
        area[1] = ((area.len() + 1) / UNIT) as u8;
        area.push(checksum(&area));
        area
    }
}

/// What makes the sum of all bytes zero.
fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::command::{Command, Instruction, Statement, Variables};

    fn inventory(line: &str) -> Result<Vec<u8>, String> {
        let variables = Variables::from([("serial".to_owned(), "SN-0042".to_owned())]);
        match Statement::single("<test>", line).resolve(&variables) {
            Ok(Some(Instruction::System(Command::McAddFruData { data, .. }))) => Ok(data),
            Ok(other) => panic!("{other:?}"),
            Err(fault) => Err(format!("{}+{} {}", fault.span.column, fault.span.length, fault.message)),
        }
    }

    #[test]
    fn areas_have_their_texts_lengths_and_checksums() {
        let data = inventory(
            "mc_add_fru_data 0x20 0 256 text board_maker \"Example\" product_serial $serial board_serial \"M\"'-'$serial",
        )
        .unwrap();
        let mut board = vec![1, 4, 25, 0, 0, 0, 0xc7];
        board.extend(b"Example\xc0\xc9M-SN-0042\xc0\xc0\xc1\0\0\0");
        let mut product = vec![1, 3, 25, 0xc0, 0xc0, 0xc0, 0xc0, 0xc7];
        product.extend(b"SN-0042\xc0\xc0\xc1\0\0\0\0\0");
        for area in [&mut board, &mut product] {
            area.push(checksum(area));
            assert_eq!(area.len(), usize::from(area[1]) * 8);
        }
        assert_eq!(data[..8], [1, 0, 0, 1, 5, 0, 0, 0xf9]);
        assert_eq!(data[8..], [board, product].concat());
        assert_eq!(inventory("mc_add_fru_data 0x20 0 8 text").unwrap(), [1, 0, 0, 0, 0, 0, 0, 0xff]);
        // One character would be the end of the area.
        let data =
            inventory("mc_add_fru_data 0x20 0 64 text chassis_serial \"x\" chassis_part \"\u{e4}\u{f6}\"").unwrap();
        assert_eq!(
            data[8..],
            [1, 2, 0x17, 0xc2, 0xe4, 0xf6, 0xc2, b'x', b' ', 0xc1, 0, 0, 0, 0, 0, checksum(&data[8..23])]
        );
    }

    #[test]
    fn what_does_not_fit_is_pointed_at() {
        let line = |rest: &str| inventory(&format!("mc_add_fru_data 0x20 0 64 text {rest}")).unwrap_err();
        let unknown = line("board_seriel \"x\"");
        assert!(unknown.starts_with(
            "32+12 Unknown field: 'board_seriel', did you mean 'board_serial'? Expected one of chassis_part, "
        ));
        assert_eq!(line("board_name"), "42+1 Error with board_name: missing string value");
        assert_eq!(
            line("board_name x"),
            "43+1 Error with board_name: string value must start with '\"' or ''': found 'x'"
        );
        let long = format!("board_name \"{}\"", "x".repeat(64));
        assert_eq!(line(&long), "43+66 board_name has 64 characters, expected at most 63");
        assert_eq!(line("board_name \"\u{20ac}\""), "43+3 board_name has characters that are not in Latin 1");
        assert_eq!(
            line("board_name \"01234567890123456789012345678901234567890123456789\""),
            "24+2 these texts take 72 bytes, and the FRU has 64"
        );
        assert!(line("$none \"x\"").starts_with("32+"), "a field that is no word");
    }
}
