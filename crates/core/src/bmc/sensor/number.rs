//! What a raw reading is as a number: the analog data format and the direction of a sensor's
//! conversion, as far as they decide which of two readings is the higher one (IPMI 2.0 table
//! 43-1 bytes 21 and 24 to 26, section 36.3).
//!
//! Converts no reading into units: that is for clients.

/// How a raw byte holds a number, IPMI 2.0 table 43-1 byte 21 bits 7:6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// 0 to 255. Also what a sensor without an analog reading is compared as.
    #[default]
    Unsigned,
    /// -127 to 127; FFh is 0 as well.
    OnesComplement,
    /// -128 to 127.
    TwosComplement,
}

impl Format {
    /// From its number, 0 to 3.
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::OnesComplement,
            2 => Self::TwosComplement,
            _ => Self::Unsigned,
        }
    }

    /// The number that a raw byte holds.
    pub const fn number(self, raw: u8) -> i32 {
        match self {
            Self::Unsigned => raw as i32,
            Self::TwosComplement => raw as i8 as i32,
            Self::OnesComplement => raw as i8 as i32 + (raw >> 7) as i32,
        }
    }

    /// The lowest and the highest number.
    pub(super) const fn range(self) -> (i32, i32) {
        match self {
            Self::Unsigned => (0, 0xff),
            Self::OnesComplement => (-0x7f, 0x7f),
            Self::TwosComplement => (-0x80, 0x7f),
        }
    }

    /// The raw byte for a number that was read somewhere: what is below the lowest number there
    /// is becomes that one, what is above 255 the highest. 128 to 255 are the byte itself in each
    /// format: files that hold the register of a sensor say FBh for -5.
    pub fn raw(self, number: i32) -> u8 {
        let (lowest, highest) = self.range();
        match number {
            0..=0xff => number as u8,
            0x100.. => highest as u8,
            _ if self == Self::OnesComplement => !(number.max(lowest).unsigned_abs() as u8),
            _ => number.max(lowest) as u8,
        }
    }
}

/// How the raw readings of a sensor are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// How a raw byte holds a number.
    pub format: Format,
    /// Whether a higher number stands for a lower value: M is negative, or the sensor is
    /// linearized with 1/x, but not both.
    pub descending: bool,
}

impl Scale {
    /// A number that is the higher the higher the value is that a raw byte stands for; one
    /// count is 1.
    pub const fn position(self, raw: u8) -> i32 {
        let number = self.format.number(raw);
        if self.descending { -number } else { number }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_a_number_in_each_format() {
        for (format, numbers) in [
            (Format::Unsigned, [0, 127, 128, 254, 255]),
            (Format::OnesComplement, [0, 127, -127, -1, 0]),
            (Format::TwosComplement, [0, 127, -128, -2, -1]),
        ] {
            assert_eq!([0x00, 0x7f, 0x80, 0xfe, 0xff].map(|raw| format.number(raw)), numbers, "{format:?}");
        }
        assert_eq!(Format::from_number(3), Format::Unsigned, "no analog reading");
    }

    #[test]
    fn a_number_becomes_the_byte_that_means_it_or_the_nearest_one() {
        for (format, bytes) in [
            (Format::Unsigned, [0x00, 0x00, 0x00, 0x05, 0xfb, 0xff]),
            (Format::OnesComplement, [0x80, 0x80, 0xfa, 0x05, 0xfb, 0x7f]),
            (Format::TwosComplement, [0x80, 0x80, 0xfb, 0x05, 0xfb, 0x7f]),
        ] {
            assert_eq!([i32::MIN, -128, -5, 5, 0xfb, 300].map(|number| format.raw(number)), bytes, "{format:?}");
        }
        for number in -127..128 {
            assert_eq!(Format::OnesComplement.number(Format::OnesComplement.raw(number)), number);
            assert_eq!(Format::TwosComplement.number(Format::TwosComplement.raw(number)), number);
        }
    }

    #[test]
    fn a_descending_scale_has_its_highest_value_at_the_lowest_number() {
        let scale = Scale { format: Format::TwosComplement, descending: true };
        assert!(scale.position(0x80) > scale.position(0xff) && scale.position(0xff) > scale.position(0x00));
    }
}
