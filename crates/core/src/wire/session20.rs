//! The RMCP+ session packet. IPMI 2.0 section 13.6, table 13-8, and section 13.28.
//!
//! Behind the RMCP header, integers little endian:
//!
//! ```text
//! 0      format, 06h                                      10..11  payload length
//! 1      bit 7 encrypted, bit 6 authenticated,            12..    payload
//!        bits 5..0 payload type                           when authenticated:
//! 2..5   session id of the receiver                               pad bytes FFh, pad length,
//! 6..9   session sequence number                                  next header 07h, code
//! ```
//!
//! The authentication code covers everything from the format byte to the next header.

use super::{Error, u32_at};

/// First byte of an RMCP+ packet, where an IPMI 1.5 packet has its authentication type.
pub const FORMAT: u8 = 0x06;
/// Length of the header, from the format byte to the payload length.
pub const HEADER_LENGTH: usize = 12;
/// The only value of the next header field.
pub const NEXT_HEADER: u8 = 0x07;
const PAD: u8 = 0xff;
const ENCRYPTED: u8 = 0x80;
const AUTHENTICATED: u8 = 0x40;

/// What a packet carries. IPMI 2.0 table 13-16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadType {
    /// An IPMI message.
    Ipmi,
    /// Serial over LAN.
    Sol,
    /// RMCP+ Open Session Request.
    OpenSessionRequest,
    /// RMCP+ Open Session Response.
    OpenSessionResponse,
    /// RAKP Message 1.
    Rakp1,
    /// RAKP Message 2.
    Rakp2,
    /// RAKP Message 3.
    Rakp3,
    /// RAKP Message 4.
    Rakp4,
    /// Anything else, 0 to 63.
    Other(u8),
}

impl PayloadType {
    /// The type with this number; the two upper bits are not looked at.
    pub const fn from_wire(value: u8) -> Self {
        match value & 0x3f {
            0x00 => Self::Ipmi,
            0x01 => Self::Sol,
            0x10 => Self::OpenSessionRequest,
            0x11 => Self::OpenSessionResponse,
            0x12 => Self::Rakp1,
            0x13 => Self::Rakp2,
            0x14 => Self::Rakp3,
            0x15 => Self::Rakp4,
            other => Self::Other(other),
        }
    }

    /// The number of this type.
    pub const fn wire(self) -> u8 {
        match self {
            Self::Ipmi => 0x00,
            Self::Sol => 0x01,
            Self::OpenSessionRequest => 0x10,
            Self::OpenSessionResponse => 0x11,
            Self::Rakp1 => 0x12,
            Self::Rakp2 => 0x13,
            Self::Rakp3 => 0x14,
            Self::Rakp4 => 0x15,
            Self::Other(value) => value & 0x3f,
        }
    }
}

/// OEM explicit payloads have six more header bytes; nothing here speaks them.
const OEM_EXPLICIT: PayloadType = PayloadType::Other(0x02);

/// The session header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// What the packet carries.
    pub payload_type: PayloadType,
    /// The payload is encrypted.
    pub encrypted: bool,
    /// The packet has a trailer with an authentication code.
    pub authenticated: bool,
    /// Session id of the receiver; 0 outside sessions.
    pub session_id: u32,
    /// Session sequence number; 0 outside sessions.
    pub sequence: u32,
    /// Length of the payload as sent, so with initialisation vector and pad.
    pub payload_length: u16,
}

impl Header {
    /// A header outside sessions.
    pub fn sessionless(payload_type: PayloadType) -> Self {
        Self { payload_type, encrypted: false, authenticated: false, session_id: 0, sequence: 0, payload_length: 0 }
    }

    /// Reads the header; `packet` is everything behind the RMCP header. The payload is in
    /// the packet as far as its length says; bytes behind it are the trailer's.
    pub fn parse(packet: &[u8]) -> Result<Self, Error> {
        let &[format, kind, .., l0, l1] = packet.first_chunk::<HEADER_LENGTH>().ok_or(Error::Truncated)?;
        let header = Self {
            payload_type: PayloadType::from_wire(kind),
            encrypted: kind & ENCRYPTED != 0,
            authenticated: kind & AUTHENTICATED != 0,
            session_id: u32_at(packet, 2)?,
            sequence: u32_at(packet, 6)?,
            payload_length: u16::from_le_bytes([l0, l1]),
        };
        if format != FORMAT || header.payload_type == OEM_EXPLICIT {
            return Err(Error::Unknown);
        }
        if packet.len() < header.payload_end() {
            return Err(Error::Truncated);
        }
        Ok(header)
    }

    /// Where the payload ends and the trailer starts.
    pub fn payload_end(&self) -> usize {
        HEADER_LENGTH + usize::from(self.payload_length)
    }

    /// Appends the header with the payload length as it is.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let flags = if self.encrypted { ENCRYPTED } else { 0 } | if self.authenticated { AUTHENTICATED } else { 0 };
        out.extend_from_slice(&[FORMAT, flags | self.payload_type.wire()]);
        out.extend_from_slice(&self.session_id.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.payload_length.to_le_bytes());
    }
}

/// Writes the length of the payload that was appended to `packet` (which starts at the
/// format byte) into its header.
pub fn set_payload_length(packet: &mut [u8]) {
    let length = u16::try_from(packet.len().saturating_sub(HEADER_LENGTH)).unwrap_or(u16::MAX);
    if let Some(place) = packet.get_mut(HEADER_LENGTH - 2..HEADER_LENGTH) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

/// Appends pad, pad length and next header behind the payload, so that payload and
/// trailer without its code are a multiple of four bytes; `payload_length` is the
/// payload's.
pub fn emit_trailer(payload_length: usize, out: &mut Vec<u8>) {
    let pad = (payload_length + 2).wrapping_neg() & 3;
    out.extend_from_slice(&[PAD; 3][..pad]);
    out.extend_from_slice(&[pad as u8, NEXT_HEADER]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    const PACKET: [u8; 60] = hex!(
        "06c0 02010000 01000000 2000"
        "202122232425262728292a2b2c2d2e2f 1a58a38b42675054ba03f77662245a4d"
        "ffff 02 07 848019571f55de5563accce1"
    );

    #[test]
    fn packet_of_the_fact_sheet() {
        let header = Header::parse(&PACKET).unwrap();
        assert_eq!(
            header,
            Header {
                payload_type: PayloadType::Ipmi,
                encrypted: true,
                authenticated: true,
                session_id: 0x102,
                sequence: 1,
                payload_length: 32
            }
        );
        let mut out = Vec::new();
        header.emit(&mut out);
        out.extend_from_slice(&PACKET[HEADER_LENGTH..header.payload_end()]);
        set_payload_length(&mut out);
        emit_trailer(32, &mut out);
        assert_eq!(out, PACKET[..48]);
    }

    #[test]
    fn payload_must_be_all_there() {
        for length in 0..44 {
            assert_eq!(Header::parse(&PACKET[..length]), Err(Error::Truncated), "{length}");
        }
        assert!(Header::parse(&PACKET[..44]).is_ok());
        let mut longer = PACKET;
        longer[11] = 1;
        assert_eq!(Header::parse(&longer), Err(Error::Truncated));
    }

    #[test]
    fn trailers_align_to_four() {
        for length in 0..64 {
            let mut out = Vec::new();
            emit_trailer(length, &mut out);
            assert_eq!((length + out.len()) % 4, 0);
            let (pad, end) = out.split_at(out.len() - 2);
            assert!(pad.len() < 4 && pad.iter().all(|byte| *byte == 0xff));
            assert_eq!(end, [pad.len() as u8, 7]);
        }
    }

    #[test]
    fn every_payload_type_keeps_its_number() {
        for value in 0..0x40 {
            assert_eq!(PayloadType::from_wire(value).wire(), value);
            assert_eq!(PayloadType::from_wire(value | 0xc0), PayloadType::from_wire(value));
        }
    }

    #[test]
    fn oem_explicit_and_other_formats_are_refused() {
        let mut oem = PACKET;
        oem[1] = 0x02;
        assert_eq!(Header::parse(&oem), Err(Error::Unknown));
        let mut format = PACKET;
        format[0] = 5;
        assert_eq!(Header::parse(&format), Err(Error::Unknown));
    }
}
