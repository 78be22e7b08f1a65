//! The address that management controllers are known by, IPMI 2.0 section 5.2 and IPMB 1.0 section 2.

use std::fmt;

/// IPMB address of a management controller as messages carry it: the slave address with bit 0 clear, 20h for
/// the BMC by custom. No value is invalid here: configuration may name any, and requests come with any.
///
/// Texts write it as they write a byte, so it has the byte's hexadecimal formats: `{mc:#04x}` is `0x20`. There is
/// no `Display`: the original's texts have it in decimal here and there, and such a place says so (`mc.0`).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct McAddress(pub u8);

impl McAddress {
    /// 20h, the BMC's by custom (IPMB 1.0 section 2).
    pub const BMC: Self = Self(0x20);
    /// 00h where a controller could be named and none is: no event receiver, no sensor that is depended on.
    pub const NONE: Self = Self(0);
}

impl From<u8> for McAddress {
    fn from(address: u8) -> Self {
        Self(address)
    }
}

impl fmt::Debug for McAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x}", self.0)
    }
}

impl fmt::LowerHex for McAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_its_byte() {
        let mc = McAddress::from(0x0e);
        assert_eq!(format!("{mc:?} {mc:x} {mc:02x} {mc:#04x}"), "0x0e e 0e 0x0e");
    }
}
