//! IPMI 1.5 authentication types, IPMI 2.0 table 22-15.

/// IPMI 1.5 authentication types as a bit mask: bit 0 none, 1 MD2, 2 MD5, 4 straight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AuthTypes(pub u8);

impl AuthTypes {
    /// No authentication.
    pub const NONE: Self = Self(1 << 0);
    /// MD2.
    pub const MD2: Self = Self(1 << 1);
    /// MD5.
    pub const MD5: Self = Self(1 << 2);
    /// Straight password.
    pub const STRAIGHT: Self = Self(1 << 4);

    /// Whether every type in `other` is in `self`.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}
