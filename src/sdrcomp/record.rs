//! A record: its bytes, and the bits of its fields in them.

use std::collections::HashSet;

use super::fields::{Field, Kind, Place, RecordType};
use super::id_string::{self, Packing};

/// Byte 3 of a record: IPMI 1.5 and 2.0.
pub(super) const SDR_VERSION: u8 = 0x51;
/// Bytes of a record's header: id, version, type, length of the rest.
pub(super) const HEADER: usize = 5;

/// The record being made.
pub(super) struct Record {
    pub(super) kind: &'static RecordType,
    pub(super) bytes: Vec<u8>,
    pub(super) name: Option<Vec<u8>>,
    pub(super) given: HashSet<&'static str>,
}

impl Record {
    pub(super) fn new(kind: &'static RecordType) -> Self {
        let mut bytes = vec![0; usize::from(kind.length)];
        if let Some((byte, value)) = kind.preset {
            join(&mut bytes, byte, value);
        }
        Self { kind, bytes, name: None, given: HashSet::new() }
    }

    /// Joins `value`, which must fit, with the bits of a field.
    pub(super) fn put(&mut self, place: Place, value: u8) {
        join(&mut self.bytes, place.byte, (value << place.low) & place.mask());
    }

    /// The bits of a field.
    pub(super) fn get(&self, name: &str) -> Option<(&'static Field, i32)> {
        let field = self.kind.fields().find(|field| field.name == name)?;
        Some((field, stored(field, &self.bytes)))
    }

    /// The whole record.
    pub(super) fn finish(self, number: u16, packing: Packing) -> Vec<u8> {
        let mut bytes = self.bytes;
        if self.kind.named {
            bytes.pop();
            bytes.extend(id_string::encode(self.name.as_deref().unwrap_or_default(), packing));
        }
        let [low, high] = number.to_le_bytes();
        let length = bytes.len().saturating_sub(HEADER) as u8;
        for (byte, value) in bytes.iter_mut().zip([low, high, SDR_VERSION, self.kind.number, length]) {
            *byte = value;
        }
        bytes
    }
}

/// Joins bits with those of byte number `byte`.
fn join(bytes: &mut [u8], byte: u8, bits: u8) {
    if let Some(there) = bytes.get_mut(usize::from(byte).saturating_sub(1)) {
        *there |= bits;
    }
}

/// The value of a field as stored in a record: bits, with their sign where they have one.
pub(super) fn stored(field: &Field, bytes: &[u8]) -> i32 {
    let bits = |place: Place| {
        let byte = bytes.get(usize::from(place.byte).saturating_sub(1)).copied().unwrap_or_default();
        i32::from((byte & place.mask()) >> place.low)
    };
    let low = bits(field.place);
    let width = field.place.width();
    let sign = |value: i32, width: u8| if value >> (width - 1) & 1 == 1 { value - (1 << width) } else { value };
    match field.kind {
        Kind::Signed => sign(low, width),
        Kind::Split(upper) | Kind::SplitEither(upper) => sign(low | bits(upper) << width, width + upper.width()),
        Kind::Unsigned(_) | Kind::Flag | Kind::Reading | Kind::Difference => low,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_values_have_their_sign() {
        let field = |name| super::super::fields::RecordType::find(1).unwrap().fields().find(|f| f.name == name);
        // The factors of the example in `sdrcomp.md` section 9.
        let mut bytes = vec![0; 48];
        bytes[24..30].copy_from_slice(&[0x2c, 0x45, 0xfd, 0xf9, 0xf9, 0xd1]);
        for (name, value) in [
            ("m", 300),
            ("tolerance", 5),
            ("b", -3),
            ("accuracy", -7),
            ("accuracy_exp", 2),
            ("r_exp", -3),
            ("b_exp", 1),
        ] {
            assert_eq!(stored(field(name).unwrap(), &bytes), value, "{name}");
        }
        assert_eq!(stored(field("m").unwrap(), &[]), 0);
    }
}
