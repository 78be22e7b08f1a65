//! Privilege levels, IPMI 2.0 section 6.8.

/// A privilege level, ordered from weakest to strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Privilege {
    /// May only start a callback.
    Callback = 1,
    /// May read.
    User = 2,
    /// May do everything but change configuration.
    Operator = 3,
    /// May do everything.
    Administrator = 4,
}

impl Privilege {
    /// The level with this number on the wire (1 to 4).
    pub const fn from_wire(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::Callback),
            2 => Some(Self::User),
            3 => Some(Self::Operator),
            4 => Some(Self::Administrator),
            _ => None,
        }
    }

    /// Its name, as lan.conf has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::User => "user",
            Self::Operator => "operator",
            Self::Administrator => "admin",
        }
    }

    /// The number of this level on the wire.
    pub const fn wire(self) -> u8 {
        self as u8
    }
}
