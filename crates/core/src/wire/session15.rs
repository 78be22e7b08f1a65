//! The IPMI 1.5 session packet. IPMI 2.0 section 13.6, table 13-8.
//!
//! Behind the RMCP header, integers little endian:
//!
//! ```text
//! 0      authentication type              [9..24  authentication code, unless the type is none]
//! 1..4   session sequence number          n       length of the message
//! 5..8   session id                       n+1..   the message; further bytes mean nothing
//! ```

use super::{Error, array_at, u32_at};

/// Length of an authentication code.
pub const CODE_LENGTH: usize = 16;
/// The longest message the length byte can express.
pub const MAX_MESSAGE: usize = 255;

/// IPMI 1.5 authentication types that exist. Those without a meaning (3, 5 to 15) are no
/// values of this type, so nothing behind the parser can meet one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AuthType {
    /// No authentication code.
    None = 0,
    /// MD2 over password, header and message.
    Md2 = 1,
    /// MD5 over password, header and message.
    Md5 = 2,
    /// The password itself.
    Straight = 4,
}

impl AuthType {
    /// The type with this number on the wire.
    pub const fn from_wire(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::None),
            1 => Some(Self::Md2),
            2 => Some(Self::Md5),
            4 => Some(Self::Straight),
            _ => None,
        }
    }
}

/// The session header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// Authentication type.
    pub auth_type: AuthType,
    /// Session sequence number.
    pub sequence: u32,
    /// Session id: 0 outside sessions.
    pub session_id: u32,
}

/// A packet: header, authentication code and message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The header.
    pub header: Header,
    /// The authentication code; `None` exactly when the type is [`AuthType::None`].
    pub code: Option<&'a [u8; CODE_LENGTH]>,
    /// The message.
    pub message: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads what is behind the RMCP header. Bytes behind the message are allowed: real
    /// clients send a legacy pad byte.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let auth_type = *bytes.first().ok_or(Error::Truncated)?;
        let auth_type = AuthType::from_wire(auth_type).ok_or(Error::Unknown)?;
        let header = Header { auth_type, sequence: u32_at(bytes, 1)?, session_id: u32_at(bytes, 5)? };
        let (code, length_at) = match auth_type {
            AuthType::None => (None, 9),
            _ => (Some(array_at(bytes, 9)?), 9 + CODE_LENGTH),
        };
        let (length, rest) = bytes.get(length_at..).and_then(<[u8]>::split_first).ok_or(Error::Truncated)?;
        let message = rest.get(..usize::from(*length)).ok_or(Error::Truncated)?;
        Ok(Self { header, code, message })
    }

    /// Appends the packet. The message must not be longer than [`MAX_MESSAGE`]; what
    /// exceeds it is left out.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.push(self.header.auth_type as u8);
        out.extend_from_slice(&self.header.sequence.to_le_bytes());
        out.extend_from_slice(&self.header.session_id.to_le_bytes());
        if let Some(code) = self.code {
            out.extend_from_slice(code);
        }
        let length = u8::try_from(self.message.len()).unwrap_or(u8::MAX);
        out.push(length);
        out.extend_from_slice(&self.message[..usize::from(length)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    const PLAIN: [u8; 19] = hex!("00 00000000 00000000 09 2018c88100388e04b5");
    const SIGNED: [u8; 33] = hex!("02 10000000 82000000 00f12ea38aa203dae082eb4245d69239 07 2018c88104017a");

    #[test]
    fn packets_of_the_fact_sheet() {
        let packet = Packet::parse(&PLAIN).unwrap();
        assert_eq!(packet.header, Header { auth_type: AuthType::None, sequence: 0, session_id: 0 });
        assert_eq!(packet.code, None);
        assert_eq!(packet.message, hex!("2018c88100388e04b5"));

        let packet = Packet::parse(&SIGNED).unwrap();
        assert_eq!(packet.header, Header { auth_type: AuthType::Md5, sequence: 0x10, session_id: 0x82 });
        assert_eq!(packet.code, Some(&hex!("00f12ea38aa203dae082eb4245d69239")));
        assert_eq!(packet.message, hex!("2018c88104017a"));
    }

    #[test]
    fn emit_is_the_inverse_of_parse() {
        for bytes in [&PLAIN[..], &SIGNED[..]] {
            let mut out = Vec::new();
            Packet::parse(bytes).unwrap().emit(&mut out);
            assert_eq!(out, bytes);
        }
    }

    #[test]
    fn no_truncation_is_a_packet() {
        for bytes in [&PLAIN[..], &SIGNED[..]] {
            for length in 0..bytes.len() {
                assert_eq!(Packet::parse(&bytes[..length]), Err(Error::Truncated), "{length}");
            }
        }
    }

    #[test]
    fn trailing_bytes_are_allowed() {
        let mut bytes = PLAIN.to_vec();
        bytes.extend_from_slice(&[0, 0xff]);
        assert_eq!(Packet::parse(&bytes).unwrap().message, hex!("2018c88100388e04b5"));
    }

    #[test]
    fn unknown_authentication_types_are_refused() {
        for auth_type in (0..=255).filter(|value| ![0, 1, 2, 4].contains(value)) {
            let mut bytes = SIGNED;
            bytes[0] = auth_type;
            assert_eq!(Packet::parse(&bytes), Err(Error::Unknown), "{auth_type}");
        }
    }
}
