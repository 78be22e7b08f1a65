//! The parts of an inventory (Platform Management FRU Information Storage Definition 1.0), each to be changed where it stands.
//!
//! Lengths stay. Checksums are mended by what a change adds: one that was right stays right, one that was wrong stays wrong.

use super::disguise::Kind;
use super::forms::{Form, Language};

/// Areas begin and end at multiples of this many bytes.
const UNIT: usize = 8;
/// The type/length byte behind the last field.
const END: u8 = 0xc1;
/// Bytes of the header of a record of the multirecord area.
const RECORD_HEADER: usize = 5;
/// Record type: management access (section 18.4).
const MANAGEMENT_ACCESS: u8 = 0x03;

/// An area with fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// Chassis info area (section 10).
    Chassis,
    /// Board info area (section 11).
    Board,
    /// Product info area (section 12).
    Product,
}

impl Area {
    /// What it is of.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chassis => "chassis",
            Self::Board => "board",
            Self::Product => "product",
        }
    }

    /// Bytes before its first field: format, length, and chassis type, language with the time of making, or language.
    fn head(self) -> usize {
        match self {
            Self::Chassis | Self::Product => 3,
            Self::Board => 6,
        }
    }

    /// What the fields are that come in a fixed order.
    fn kinds(self) -> &'static [Option<Kind>] {
        const SERIAL: Option<Kind> = Some(Kind::Serial);
        const TAG: Option<Kind> = Some(Kind::AssetTag);
        match self {
            Self::Chassis => &[None, SERIAL],
            Self::Board => &[None, None, SERIAL, None, None],
            Self::Product => &[None, None, None, None, SERIAL, TAG, None],
        }
    }
}

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What an area has before its fields, without format and length: chassis type; language and time of making; language.
    Head(Area),
    /// A field of an area.
    Field {
        /// Of which.
        area: Area,
        /// Its place in the area, from 0.
        index: usize,
        /// What it is; none if it says nothing of one machine alone.
        kind: Option<Kind>,
        /// How its characters are stored.
        form: Form,
    },
    /// A record of the multirecord area, of this type, without its header.
    Record(u8),
    /// The text of a management access record.
    Access(Kind),
    /// Bytes whose meaning only their maker knows: the internal use area, and everything when there is no common header.
    Unknown,
}

/// Shows each part of an inventory.
pub fn visit(image: &mut [u8], see: &mut dyn FnMut(Part, &mut [u8])) {
    let Some(&[version, internal, chassis, board, product, records, ..]) = image.first_chunk::<8>() else {
        return see(Part::Unknown, image);
    };
    if version & 0x0f != 1 {
        return see(Part::Unknown, image);
    }
    area(image, Area::Chassis, chassis, see);
    area(image, Area::Board, board, see);
    area(image, Area::Product, product, see);
    multirecords(image, records, see);
    if internal != 0 {
        let start = usize::from(internal) * UNIT;
        let others = [chassis, board, product, records].map(|offset| usize::from(offset) * UNIT);
        let end = others.into_iter().filter(|offset| *offset > start).min().unwrap_or(image.len());
        if let Some(bytes) = image.get_mut(start..end.min(image.len()).max(start)) {
            see(Part::Unknown, bytes);
        }
    }
}

/// The area that begins at this many units; none at 0.
fn area(image: &mut [u8], whose: Area, offset: u8, see: &mut dyn FnMut(Part, &mut [u8])) {
    let Some(area) = image.get_mut(usize::from(offset) * UNIT..).filter(|_| offset != 0) else { return };
    let length = area.get(1).map_or(0, |units| usize::from(*units) * UNIT).min(area.len());
    let Some((checksum, area)) = area.get_mut(..length).and_then(<[u8]>::split_last_mut) else { return };
    let Some(&[_, _, language]) = area.first_chunk::<3>() else { return };
    let language = if whose == Area::Chassis { Language::English } else { Language::of(language) };
    let before = sum(area);
    if let Some(head) = area.get_mut(2..whose.head()) {
        see(Part::Head(whose), head);
    }
    let mut rest = area.get_mut(whose.head()..).unwrap_or_default();
    for index in 0.. {
        let Some((type_length, behind)) = rest.split_first_mut().filter(|(first, _)| **first != END) else { break };
        let Some((bytes, behind)) = behind.split_at_mut_checked(usize::from(*type_length & 0x3f)) else { break };
        // Serial and part numbers and file ids are always English (section 11 and 12).
        let kind = whose.kinds().get(index).copied().unwrap_or(Some(Kind::OwnField));
        let language = if kind == Some(Kind::Serial) { Language::English } else { language };
        see(Part::Field { area: whose, index, kind, form: Form::of_field(*type_length, language) }, bytes);
        rest = behind;
    }
    *checksum = checksum.wrapping_sub(sum(area).wrapping_sub(before));
}

/// The records of the multirecord area that begins at this many units, none at 0.
fn multirecords(image: &mut [u8], offset: u8, see: &mut dyn FnMut(Part, &mut [u8])) {
    let Some(mut rest) = image.get_mut(usize::from(offset) * UNIT..).filter(|_| offset != 0) else { return };
    while let Some((header, behind)) = rest.split_first_chunk_mut::<RECORD_HEADER>() {
        let [kind, format, length, record_checksum, header_checksum] = header;
        let Some((record, behind)) = behind.split_at_mut_checked(usize::from(*length)) else { return };
        if *format & 0x0f != 2 {
            return;
        }
        let before = sum(record);
        self::record(*kind, record, see);
        let change = sum(record).wrapping_sub(before);
        *record_checksum = record_checksum.wrapping_sub(change);
        *header_checksum = header_checksum.wrapping_add(change);
        if *format & 0x80 != 0 {
            return;
        }
        rest = behind;
    }
}

fn record(kind: u8, record: &mut [u8], see: &mut dyn FnMut(Part, &mut [u8])) {
    if kind != MANAGEMENT_ACCESS {
        return see(Part::Record(kind), record);
    }
    let Some((sub_type, text)) = record.split_first_mut() else { return };
    // 1 and 4 are URLs, 2 and 5 names, 3 and 6 addresses to ping, 7 and 8 unique ids.
    see(Part::Access(if matches!(*sub_type, 7 | 8) { Kind::Guid } else { Kind::Name }), text);
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

#[cfg(test)]
pub(in crate::clone) mod tests {
    use super::*;
    use crate::bmc::fru::areas::Areas;

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

    fn multirecord(kind: u8, format: u8, data: &[u8]) -> Vec<u8> {
        let mut record = vec![kind, format, data.len() as u8, 0u8.wrapping_sub(sum(data))];
        record.push(0u8.wrapping_sub(sum(&record)));
        record.extend_from_slice(data);
        record
    }

    /// An inventory with every area: serial numbers in 8 bits, 6 bits and BCD plus, a tag, own fields, an internal area with the
    /// chassis' serial number in it, a system name and a MAC address in records.
    pub(in crate::clone) fn whole() -> Vec<u8> {
        let internal = sealed(&[], &[b"\x00 CS-40417 in it"]);
        let chassis = sealed(&[0x17], &[b"\xc2P1", b"\xc8CS-40417", b"\xc4rack"]);
        let mut packed = [0x86; 7];
        Form::SixBit.encode("SN-3531Y", &mut packed[1..]);
        let board = sealed(&[25, 1, 0, 0], &[b"\xc4Acme", b"\xc4Main", &packed, b"\xc2P2", b"\xc0"]);
        let product = sealed(
            &[25],
            &[
                b"\xc4Acme",
                b"\xc4Name",
                b"\xc2P3",
                b"\xc21a",
                b"\x44\x90\x12\x34\x56",
                b"\xc7tag-081",
                b"\xc0",
                b"\xd10c:c4:7a:12:34:56",
            ],
        );
        let mut records = multirecord(0x03, 0x02, b"\x02node17.lab");
        records.extend(multirecord(0xc0, 0x82, b"\xd9\x7e\x00\x0c\xc4\x7a\x12\x34\x56"));
        let mut image = vec![1, 0, 0, 0, 0, 0, 0, 0];
        for (index, area) in [internal, chassis, board, product, records].into_iter().enumerate() {
            image[1 + index] = (image.len() / UNIT) as u8;
            image.extend_from_slice(&area);
        }
        image[7] = 0u8.wrapping_sub(sum(&image[..7]));
        image.resize(image.len().next_multiple_of(64), 0);
        image
    }

    #[test]
    fn every_part_is_seen_and_checksums_are_mended() {
        let mut seen = Vec::new();
        let mut image = whole();
        let before = Areas::read(&image);
        visit(&mut image, &mut |part, bytes| {
            let text = match part {
                Part::Field { form, .. } => form.decode(bytes),
                _ => String::from_utf8_lossy(bytes).into_owned(),
            };
            seen.push((part, text));
            if let Part::Field { kind: Some(Kind::Serial | Kind::AssetTag), form, .. } = part {
                form.encode("1234567", bytes);
            }
            if let Part::Access(_) = part {
                bytes[0] ^= 0x11;
            }
        });
        let kinds: Vec<(Kind, &str)> = seen
            .iter()
            .filter_map(|(part, text)| match part {
                Part::Field { kind: Some(kind), .. } | Part::Access(kind) => Some((*kind, text.as_str())),
                _ => None,
            })
            .collect();
        assert_eq!(
            kinds,
            [
                (Kind::Serial, "CS-40417"),
                (Kind::OwnField, "rack"),
                (Kind::Serial, "SN-3531Y"),
                (Kind::Serial, "90123456"),
                (Kind::AssetTag, "tag-081"),
                (Kind::OwnField, "0c:c4:7a:12:34:56"),
                (Kind::Name, "node17.lab"),
            ]
        );
        assert!(seen.iter().any(|(part, _)| *part == Part::Record(0xc0)));
        assert!(seen.iter().any(|(part, text)| *part == Part::Unknown && text.contains("CS-40417")));
        let after = Areas::read(&image);
        assert_eq!(after.chassis.unwrap().serial.unwrap(), "12345677");
        assert_eq!(after.board.unwrap().serial.unwrap(), "1234567Y");
        let (after, before) = (after.product.unwrap(), before.product.unwrap());
        assert_eq!(
            (after.serial.unwrap(), after.asset_tag.unwrap(), after.name),
            ("12345676".into(), "1234567".into(), before.name)
        );
        let start = usize::from(image[5]) * UNIT;
        let record = &image[start..start + RECORD_HEADER + usize::from(image[start + 2])];
        assert_eq!(
            (sum(&record[..RECORD_HEADER]), sum(&record[3..4]).wrapping_add(sum(&record[RECORD_HEADER..]))),
            (0, 0)
        );
    }

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
        let mut fields = 0;
        for _ in 0..5_000 {
            let mut image = good.clone();
            image.truncate(next() as usize % (good.len() + 1));
            for _ in 0..next() % 6 {
                if let Some(length) = std::num::NonZero::new(image.len()) {
                    image[next() as usize % length] = next() as u8;
                }
            }
            let length = image.len();
            visit(&mut image, &mut |_, bytes| fields += bytes.len());
            assert_eq!(image.len(), length);
        }
        assert!(fields > 10_000, "{fields}");
    }
}
