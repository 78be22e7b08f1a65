//! Platform Event Traps: an SNMPv1 trap with the layout of the Platform Event Trap format 1.0 (IPMI 2.0 section
//! 17.14 names it).
//!
//! Owns how a trap is encoded; never reads one, and never decides when and to whom one goes.

use std::net::Ipv4Addr;

/// SNMP's port for traps (RFC 1157).
pub const PORT: u16 = 162;

/// 1.3.6.1.4.1.3183.1.1, the enterprise of Platform Event Traps, as BER has it.
const ENTERPRISE: [u8; 9] = [0x2b, 6, 1, 4, 1, 0x98, 0x6f, 1, 1];
/// 1.3.6.1.4.1.3183.1.1.1, the one variable.
const VARIABLE: [u8; 10] = [0x2b, 6, 1, 4, 1, 0x98, 0x6f, 1, 1, 1];
/// Generic trap "enterprise specific".
const ENTERPRISE_SPECIFIC: i64 = 6;
/// Trap source type and event source type: IPMI.
pub const SOURCE_IPMI: u8 = 0x20;
/// Seconds from 1970 to 1998, where the time of traps begins.
pub const EPOCH: u32 = 883_612_800;
/// A UTC offset that says nothing.
const UNSPECIFIED_OFFSET: [u8; 2] = [0xff; 2];
/// Language code for English.
const ENGLISH: u8 = 25;
/// Type/length byte that ends the custom fields.
const END_OF_FIELDS: u8 = 0xc1;
/// Type/length byte of 8-bit text, to be joined with its length.
const TEXT: u8 = 0xc0;
/// Most bytes that a custom field holds.
pub const MOST_TEXT: usize = 63;

/// BER tags.
mod tag {
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const OCTETS: u8 = 0x04;
    pub(super) const OBJECT: u8 = 0x06;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const IP_ADDRESS: u8 = 0x40;
    pub(super) const TIME_TICKS: u8 = 0x43;
    pub(super) const TRAP: u8 = 0xa4;
}

/// What an event says, in the words of an event message (IPMI 2.0 section 29.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Generator: the slave address of the controller, or a software id.
    pub generator: u8,
    /// Sensor type.
    pub sensor_type: u8,
    /// Sensor number.
    pub sensor: u8,
    /// Bit 7: deassertion. Bits 6 to 0: event/reading type code.
    pub kind: u8,
    /// Event data 1 to 3.
    pub data: [u8; 3],
}

/// A trap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repr<'a> {
    /// Community string.
    pub community: &'a [u8],
    /// Address of the sender; 0.0.0.0 where it has none.
    pub agent: Ipv4Addr,
    /// How long the sender runs, in hundredths of a second.
    pub uptime: u32,
    /// GUID, the most significant byte first.
    pub guid: [u8; 16],
    /// Sequence number, or cookie; 0 is unspecified.
    pub sequence: u16,
    /// When it happened, in seconds since 1998; 0 is unspecified.
    pub timestamp: u32,
    /// Minutes that the time is ahead of UTC.
    pub utc_offset: Option<i16>,
    /// Event severity (IPMI 2.0 table 17-2).
    pub severity: u8,
    /// What happened.
    pub event: Event,
    /// Entity id and instance of the sensor; zeros are unspecified.
    pub entity: [u8; 2],
    /// Manufacturer id (IANA enterprise number).
    pub manufacturer: u32,
    /// System id: the product id.
    pub product: u16,
    /// Alert string; what is longer than [`MOST_TEXT`] is cut.
    pub text: &'a [u8],
}

impl Repr<'_> {
    /// The specific trap: sensor type, event type, direction and offset in one number.
    pub fn specific(&self) -> u32 {
        let Event { sensor_type, kind, data: [offset, ..], .. } = self.event;
        u32::from_be_bytes([0, sensor_type, kind & 0x7f, kind & 0x80 | offset & 0x0f])
    }

    /// Appends the whole datagram.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let mut variable = Vec::new();
        object(&mut variable, &VARIABLE);
        element(&mut variable, tag::OCTETS, &self.variable());
        let mut list = Vec::new();
        element(&mut list, tag::SEQUENCE, &variable);
        let mut trap = Vec::new();
        object(&mut trap, &ENTERPRISE);
        element(&mut trap, tag::IP_ADDRESS, &self.agent.octets());
        integer(&mut trap, tag::INTEGER, ENTERPRISE_SPECIFIC);
        integer(&mut trap, tag::INTEGER, self.specific().into());
        integer(&mut trap, tag::TIME_TICKS, self.uptime.into());
        element(&mut trap, tag::SEQUENCE, &list);
        let mut message = Vec::new();
        // SNMP version 1.
        integer(&mut message, tag::INTEGER, 0);
        element(&mut message, tag::OCTETS, self.community);
        element(&mut message, tag::TRAP, &trap);
        element(out, tag::SEQUENCE, &message);
    }

    /// The variable's bytes: the fields of the Platform Event Trap, the most significant byte first.
    fn variable(&self) -> Vec<u8> {
        let Event { generator, sensor, data: [data_1, data_2, data_3], .. } = self.event;
        let mut bytes = Vec::with_capacity(48 + self.text.len());
        bytes.extend(self.guid);
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(self.utc_offset.map_or(UNSPECIFIED_OFFSET, i16::to_be_bytes));
        bytes.extend([SOURCE_IPMI, SOURCE_IPMI, self.severity, generator, sensor]);
        bytes.extend(self.entity);
        bytes.extend([data_1, data_2, data_3, 0xff, 0xff, 0xff, 0xff, 0xff, ENGLISH]);
        bytes.extend(self.manufacturer.to_be_bytes());
        bytes.extend(self.product.to_be_bytes());
        match self.text {
            [] => {}
            // Type and length of one character are the end of the fields.
            [one] => bytes.extend([TEXT | 2, *one, b' ']),
            text => {
                let text = &text[..text.len().min(MOST_TEXT)];
                bytes.push(TEXT | text.len() as u8);
                bytes.extend(text);
            }
        }
        bytes.push(END_OF_FIELDS);
        bytes
    }
}

/// Appends an element: tag, length, content. A length below 128 is one byte, else one that says how many follow.
fn element(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    match content.len() {
        length @ 0..0x80 => out.push(length as u8),
        length @ 0x80..0x100 => out.extend([0x81, length as u8]),
        length => {
            let [.., high, low] = length.to_be_bytes();
            out.extend([0x82, high, low]);
        }
    }
    out.extend(content);
}

fn object(out: &mut Vec<u8>, id: &[u8]) {
    element(out, tag::OBJECT, id);
}

/// Appends a number in as few bytes as hold it with its sign.
fn integer(out: &mut Vec<u8>, tag: u8, value: i64) {
    let bytes = value.to_be_bytes();
    let needless = bytes.windows(2).take_while(|pair| pair[0] == 0 && pair[1] < 0x80).count();
    element(out, tag, &bytes[needless..]);
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    fn trap(text: &[u8]) -> Repr<'_> {
        Repr {
            community: b"public",
            agent: Ipv4Addr::new(192, 0, 2, 1),
            uptime: 0x1234_5678,
            guid: std::array::from_fn(|at| at as u8),
            sequence: 0x0102,
            timestamp: 0x0304_0506,
            utc_offset: Some(-60),
            severity: 0x10,
            event: Event { generator: 0x20, sensor_type: 1, sensor: 7, kind: 0x81, data: [0x57, 0x60, 0x61] },
            entity: [3, 1],
            manufacturer: 0x0001_0203,
            product: 0x0405,
            text,
        }
    }

    #[test]
    fn a_trap_has_its_bytes() {
        let mut bytes = Vec::new();
        trap(b"Hot").emit(&mut bytes);
        let expected = hex!(
            "30 71 02 01 00 04 06 7075626c6963 a4 64"
            "06 09 2b06010401986f0101 40 04 c0000201 02 01 06 02 03 010187 43 04 12345678"
            "30 43 30 41 06 0a 2b06010401986f010101 04 33"
            "000102030405060708090a0b0c0d0e0f 0102 03040506 ffc4 20 20 10 20 07 03 01 576061 ffffffffff 19"
            "00010203 0405 c3 486f74 c1"
        );
        assert_eq!(bytes, expected);
    }

    #[test]
    fn numbers_take_as_few_bytes_as_hold_them() {
        let encoded = |value| {
            let mut out = Vec::new();
            integer(&mut out, tag::INTEGER, value);
            out
        };
        assert_eq!(encoded(0), [2, 1, 0]);
        assert_eq!(encoded(0x7f), [2, 1, 0x7f]);
        assert_eq!(encoded(0x80), [2, 2, 0, 0x80]);
        assert_eq!(encoded(u32::MAX.into()), [2, 5, 0, 0xff, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn texts_end_where_the_format_ends_them() {
        assert_eq!(trap(b"").variable()[46..], [0xc1]);
        assert_eq!(trap(b"x").variable()[46..], [0xc2, b'x', b' ', 0xc1], "c1h alone is the end");
        let long = trap(&[b'a'; 64]).variable();
        assert_eq!((long[46], long.len(), long.last()), (0xff, 46 + 1 + MOST_TEXT + 1, Some(&0xc1)));
        let mut bytes = Vec::new();
        trap(&[b'a'; 64]).emit(&mut bytes);
        assert_eq!(bytes[..3], [0x30, 0x81, bytes.len() as u8 - 3], "a longer length");
    }
}
