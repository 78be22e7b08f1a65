//! ASF presence ping and pong, the way clients look for IPMI on a network.
//! IPMI 2.0 section 13.2.3, `lan-protocol.md` section 2.1.
//!
//! Behind the RMCP header, integers big endian:
//!
//! ```text
//! 0..3  IANA enterprise number 4542 (ASF)     6  reserved
//! 4     message type: 80h ping, 40h pong      7  data length: 0 for a ping, 16 for a pong
//! 5     message tag
//! ```

use super::{Error, array_at};

/// IANA enterprise number of ASF.
pub const IANA: [u8; 4] = 4542u32.to_be_bytes();
/// Message type of a presence ping.
pub const PRESENCE_PING: u8 = 0x80;
/// Message type of a presence pong.
pub const PRESENCE_PONG: u8 = 0x40;
/// Supported entities: IPMI.
const SUPPORTS_IPMI: u8 = 0x80;
/// Supported entities: IPMI, and ASF version 1.0.
const ENTITIES: u8 = SUPPORTS_IPMI | 0x01;

/// A presence ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ping {
    /// Comes back in the pong.
    pub tag: u8,
}

impl Ping {
    /// Reads what is behind the RMCP header. Data length and data are not looked at.
    pub fn parse(message: &[u8]) -> Result<Self, Error> {
        let &[i0, i1, i2, i3, kind, tag, _reserved, _length] = array_at(message, 0)?;
        if [i0, i1, i2, i3] != IANA || kind != PRESENCE_PING {
            return Err(Error::Unknown);
        }
        Ok(Self { tag })
    }

    /// Appends the message.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&IANA);
        out.extend_from_slice(&[PRESENCE_PING, self.tag, 0, 0]);
    }
}

/// A presence pong of a system that has IPMI, and neither interactions nor security
/// extensions of ASF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pong {
    /// Tag of the ping.
    pub tag: u8,
}

impl Pong {
    /// Reads what is behind the RMCP header. A pong of a system without IPMI is an error.
    pub fn parse(message: &[u8]) -> Result<Self, Error> {
        let &[i0, i1, i2, i3, kind, tag, _reserved, _length] = array_at(message, 0)?;
        // OEM enterprise number, OEM data, entities, interactions, reserved.
        let &[_, _, _, _, _, _, _, _, entities, _, _, _, _, _, _, _] = array_at(message, 8)?;
        if [i0, i1, i2, i3] != IANA || kind != PRESENCE_PONG || entities & SUPPORTS_IPMI == 0 {
            return Err(Error::Unknown);
        }
        Ok(Self { tag })
    }

    /// Appends the message.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&IANA);
        out.extend_from_slice(&[PRESENCE_PONG, self.tag, 0, 16]);
        out.extend_from_slice(&IANA);
        out.extend_from_slice(&[0, 0, 0, 0, ENTITIES, 0, 0, 0, 0, 0, 0, 0]);
    }
}

/// A presence pong of a system that has no IPMI, which nobody asked for.
///
/// ipmitool 1.8.19 looks at no status bit of SOL packets, but its console ends when this comes ("SOL
/// session closed by BMC"). Other clients pass over ASF messages in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Farewell;

impl Farewell {
    /// Appends the message.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&IANA);
        // FFh: the tag of a message that is no response.
        out.extend_from_slice(&[PRESENCE_PONG, 0xff, 0, 16]);
        out.extend_from_slice(&IANA);
        out.extend_from_slice(&[0; 12]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn ping_is_read_and_written() {
        let bytes = hex!("000011be 80 2a 00 00");
        assert_eq!(Ping::parse(&bytes), Ok(Ping { tag: 0x2a }));
        let mut out = Vec::new();
        Ping { tag: 0x2a }.emit(&mut out);
        assert_eq!(out, bytes);
    }

    #[test]
    fn a_farewell_supports_nothing() {
        let mut out = Vec::new();
        Farewell.emit(&mut out);
        assert_eq!(out, hex!("000011be 40 ff 00 10  000011be 00000000 00 00 000000000000"));
    }

    #[test]
    fn only_a_whole_ping_is_a_ping() {
        let bytes = hex!("000011be 80 2a 00 00");
        for length in 0..bytes.len() {
            assert_eq!(Ping::parse(&bytes[..length]), Err(Error::Truncated));
        }
        assert_eq!(Ping::parse(&hex!("000011be 40 2a 00 00")), Err(Error::Unknown));
        assert_eq!(Ping::parse(&hex!("be110000 80 2a 00 00")), Err(Error::Unknown));
    }

    #[test]
    fn pong_as_the_original_sends_it() {
        let mut out = Vec::new();
        Pong { tag: 0x2a }.emit(&mut out);
        assert_eq!(Pong::parse(&out), Ok(Pong { tag: 0x2a }));
        assert_eq!(Pong::parse(&out[..23]), Err(Error::Truncated));
        assert_eq!(out, hex!("000011be 402a0010 000011be 00000000 8100 000000000000"));
    }
}
