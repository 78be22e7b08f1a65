//! The numbers that the channels of a controller have, IPMI 2.0 section 6.3.

use std::fmt;

/// Number of a channel of a controller, 0 to 15. What kind of channel has which number is the configuration's, but for
/// 0, 14 and 15.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelNumber(u8);

impl ChannelNumber {
    /// 0: the primary IPMB.
    pub const PRIMARY_IPMB: Self = Self(0);
    /// 1, by custom the LAN channel or the first of several.
    pub const LAN: Self = Self(1);
    /// 0Eh: in a request, the channel that it comes in on.
    pub const PRESENT_INTERFACE: Self = Self(0x0e);
    /// 0Fh: the system interface.
    pub const SYSTEM_INTERFACE: Self = Self(0x0f);

    /// The channel with this number, 0 to 15; `None` above.
    pub const fn new(number: u8) -> Option<Self> {
        if number <= 0x0f { Some(Self(number)) } else { None }
    }

    /// The number in bits 3-0 of a byte; what stands in the others is something else's.
    pub const fn from_wire(byte: u8) -> Self {
        Self(byte & 0x0f)
    }

    /// The number, 0 to 15.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Debug for ChannelNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// In decimal, as texts have it.
impl fmt::Display for ChannelNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_sixteen() {
        assert_eq!(ChannelNumber::new(15), Some(ChannelNumber::SYSTEM_INTERFACE));
        assert_eq!(ChannelNumber::new(16), None);
        assert_eq!(ChannelNumber::from_wire(0xfe), ChannelNumber::PRESENT_INTERFACE);
        assert_eq!(format!("{0} {0:?}", ChannelNumber::SYSTEM_INTERFACE), "15 15");
    }
}
