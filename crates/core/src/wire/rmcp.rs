//! RMCP, the four bytes in front of everything on UDP port 623.
//! ASF 2.0 section 3.2.2, IPMI 2.0 section 13.1.3.
//!
//! ```text
//! 0  version, 06h        2  sequence number, FFh: no acknowledge wanted
//! 1  reserved            3  class: 06h ASF, 07h IPMI; bit 7 marks an acknowledge
//! ```

use super::Error;

/// Length of the header.
pub const HEADER_LENGTH: usize = 4;
/// RMCP 1.0.
pub const VERSION_1_0: u8 = 0x06;
/// Sequence number that asks for no acknowledge.
pub const SEQUENCE_NO_ACK: u8 = 0xff;

/// What follows the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Class {
    /// An ASF message.
    Asf = 0x06,
    /// An IPMI session packet.
    Ipmi = 0x07,
}

/// The RMCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Repr {
    /// Sequence number.
    pub sequence: u8,
    /// Class of the message behind the header.
    pub class: Class,
}

impl Repr {
    /// Reads the header. The reserved byte is not looked at; acknowledges are unknown.
    pub fn parse(datagram: &[u8]) -> Result<Self, Error> {
        let &[version, _reserved, sequence, class] = datagram.first_chunk().ok_or(Error::Truncated)?;
        let class = match class {
            0x06 => Class::Asf,
            0x07 => Class::Ipmi,
            _ => return Err(Error::Unknown),
        };
        if version != VERSION_1_0 {
            return Err(Error::Unknown);
        }
        Ok(Self { sequence, class })
    }

    /// Appends the header.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[VERSION_1_0, 0, self.sequence, self.class as u8]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_survives_the_way_there_and_back() {
        for class in [Class::Asf, Class::Ipmi] {
            let header = Repr { sequence: 0x42, class };
            let mut bytes = Vec::new();
            header.emit(&mut bytes);
            assert_eq!(bytes.len(), HEADER_LENGTH);
            assert_eq!(Repr::parse(&bytes), Ok(header));
        }
    }

    #[test]
    fn reserved_byte_is_not_looked_at() {
        assert!(Repr::parse(&[6, 0x99, 0xff, 7]).is_ok());
    }

    #[test]
    fn refuses_other_versions_acknowledges_and_short_datagrams() {
        assert_eq!(Repr::parse(&[5, 0, 0xff, 7]), Err(Error::Unknown));
        for class in [0x00, 0x05, 0x08, 0x86, 0x87] {
            assert_eq!(Repr::parse(&[6, 0, 0xff, class]), Err(Error::Unknown));
        }
        for length in 0..HEADER_LENGTH {
            assert_eq!(Repr::parse(&[6, 0, 0xff, 7][..length]), Err(Error::Truncated));
        }
    }
}
