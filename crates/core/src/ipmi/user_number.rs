//! The numbers that the users of a controller have, IPMI 2.0 section 6.9.

use std::fmt;

/// Number of a user of a controller, 1 to 63: the specification's user ID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserNumber(u8);

impl UserNumber {
    /// 1: the user without a name (section 6.9.1).
    pub const NULL: Self = Self(1);
    /// 63: the last one.
    pub const LAST: Self = Self(63);

    /// The user with this number, 1 to 63; `None` for any other.
    pub const fn new(number: u8) -> Option<Self> {
        if matches!(number, 1..=63) { Some(Self(number)) } else { None }
    }

    /// The number in bits 5-0 of a byte; what stands in the others is something else's. `None` is 0, which no user has.
    pub const fn from_wire(byte: u8) -> Option<Self> {
        Self::new(byte & 0x3f)
    }

    /// The number, 1 to 63.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// All of them, ascending.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (Self::NULL.0..=Self::LAST.0).map(Self)
    }
}

impl fmt::Debug for UserNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// In decimal, as texts have it.
impl fmt::Display for UserNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_63() {
        assert_eq!((UserNumber::new(0), UserNumber::new(64)), (None, None));
        assert_eq!((UserNumber::from_wire(0x80), UserNumber::from_wire(0xc1)), (None, Some(UserNumber::NULL)));
        assert_eq!(UserNumber::all().map(UserNumber::get).collect::<Vec<_>>(), (1..64).collect::<Vec<_>>());
        assert_eq!(format!("{0} {0:?}", UserNumber::LAST), "63 63");
    }
}
