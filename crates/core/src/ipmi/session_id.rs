//! The number that the BMC knows a session by, IPMI 2.0 sections 13.6 and 22.17.

use std::fmt;

/// Session id that the BMC has given: in the header of every packet of the session that comes in. Those of established
/// sessions are even; odd ones are temporary, from Get Session Challenge to Activate Session. No value is invalid here:
/// packets come with any. The id that an RMCP+ client has given the same session is another number, a plain `u32`.
///
/// Texts have it in hexadecimal: `0x02000001`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u32);

impl SessionId {
    /// 0: outside of sessions.
    pub const NONE: Self = Self(0);

    /// From the bytes of a packet, least significant first.
    pub const fn from_le_bytes(bytes: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(bytes))
    }

    /// The bytes in a packet, least significant first.
    pub const fn to_le_bytes(self) -> [u8; 4] {
        self.0.to_le_bytes()
    }

    /// Whether it came with a challenge and is good for Activate Session only.
    pub const fn is_temporary(self) -> bool {
        self.0 & 1 == 1
    }
}

impl From<u32> for SessionId {
    fn from(id: u32) -> Self {
        Self(id)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_with_all_its_digits() {
        let id = SessionId::from_le_bytes([0x01, 0, 0, 0x02]);
        assert_eq!(format!("{id} {id:?}"), "0x02000001 0x02000001");
        assert_eq!(id.to_le_bytes(), [0x01, 0, 0, 0x02]);
        assert!(id.is_temporary() && !SessionId::NONE.is_temporary());
    }
}
