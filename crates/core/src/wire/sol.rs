//! The SOL packet: RMCP+ payload type 1. IPMI 2.0 section 15.9 and table 15-2;
//! `sol.md` section 4.
//!
//! | byte | console to BMC | BMC to console |
//! |---|---|---|
//! | 0 | packet sequence, low nibble; 0 carries no data | the same |
//! | 1 | acknowledged sequence, low nibble; 0 acknowledges nothing | the same |
//! | 2 | accepted character count | the same |
//! | 3 | [`Operation`] | [`Status`] |
//! | 4.. | up to 255 characters | the same |

use super::Error;

/// Bytes before the data.
pub const HEADER_LENGTH: usize = 4;
/// Most data bytes in a packet: an acknowledgement counts them in one byte.
pub const MAX_DATA: usize = 255;
/// Most bytes of a packet.
pub const MAX_LENGTH: usize = HEADER_LENGTH + MAX_DATA;
/// Highest packet sequence number; 1 follows it.
pub const MAX_SEQUENCE: u8 = 15;

/// What the console asks for: byte 3 of a packet to the BMC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Operation(pub u8);

impl Operation {
    /// The acknowledged packet is refused as far as it is not counted; stop sending.
    pub const NACK: Self = Self(1 << 6);
    /// Ring indication.
    pub const RING: Self = Self(1 << 5);
    /// Send a break.
    pub const BREAK: Self = Self(1 << 4);
    /// Deassert clear to send.
    pub const CTS_PAUSE: Self = Self(1 << 3);
    /// Deassert data carrier detect and data set ready.
    pub const DROP_DCD_DSR: Self = Self(1 << 2);
    /// Throw away what the console sent and the port has not taken.
    pub const FLUSH_INBOUND: Self = Self(1 << 1);
    /// Throw away what the port sent and the console has not got.
    pub const FLUSH_OUTBOUND: Self = Self(1 << 0);

    /// Whether every bit of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What the BMC reports: byte 3 of a packet to the console.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Status(pub u8);

impl Status {
    /// Nothing to report.
    pub const CLEAR: Self = Self(0);
    /// The acknowledged packet is refused as far as it is not counted; stop sending.
    pub const NACK: Self = Self(1 << 6);
    /// Characters cannot be passed on at present.
    pub const UNAVAILABLE: Self = Self(1 << 5);
    /// Serial over LAN is being deactivated.
    pub const DEACTIVATING: Self = Self(1 << 4);
    /// Characters from the port were lost.
    pub const OVERRUN: Self = Self(1 << 3);
    /// The port received a break.
    pub const BREAK: Self = Self(1 << 2);

    /// Whether every bit of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Packet sequence number, 0 to 15.
    pub sequence: u8,
    /// Sequence number of the packet that is acknowledged, 0 to 15.
    pub acknowledged: u8,
    /// How many characters of that packet were accepted.
    pub accepted: u8,
    /// [`Operation`] or [`Status`] byte.
    pub control: u8,
    /// The characters.
    pub data: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let [sequence, acknowledged, accepted, control, data @ ..] = bytes else { return Err(Error::Truncated) };
        Ok(Self {
            sequence: sequence & 0x0f,
            acknowledged: acknowledged & 0x0f,
            accepted: *accepted,
            control: *control,
            data,
        })
    }

    /// Appends the packet.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.sequence & 0x0f, self.acknowledged & 0x0f, self.accepted, self.control]);
        out.extend_from_slice(self.data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn a_packet_with_data_and_acknowledgement() {
        let bytes = hex!("f9 a3 04 50 6e 69 6e 65");
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet, Packet { sequence: 9, acknowledged: 3, accepted: 4, control: 0x50, data: b"nine" });
        let operation = Operation(packet.control);
        assert!(operation.contains(Operation::NACK) && operation.contains(Operation::BREAK));
        assert!(!operation.contains(Operation::CTS_PAUSE));
    }

    #[test]
    fn a_packet_survives_emit_and_parse() {
        for sequence in 0..16u8 {
            let packet = Packet {
                sequence,
                acknowledged: 15 - sequence,
                accepted: sequence * 17,
                control: 0x40,
                data: &[sequence, 0xff],
            };
            let mut bytes = Vec::new();
            packet.emit(&mut bytes);
            assert_eq!(Packet::parse(&bytes), Ok(packet));
        }
    }

    #[test]
    fn too_short_is_no_packet() {
        for len in 0..HEADER_LENGTH {
            assert_eq!(Packet::parse(&[0xff; HEADER_LENGTH][..len]), Err(Error::Truncated));
        }
        assert_eq!(Packet::parse(&[0; HEADER_LENGTH]), Ok(Packet::default()));
    }
}
