//! Cipher suites: which algorithms go together, and their numbers.
//! IPMI 2.0 tables 22-20, 13-17, 13-18 and 13-19; 15 to 17 from the 2.0 errata.

use super::mac::Hash;

/// RAKP (authentication) algorithms. IPMI 2.0 table 13-17.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Authentication {
    /// RAKP-none.
    None = 0,
    /// RAKP-HMAC-SHA1.
    HmacSha1 = 1,
    /// RAKP-HMAC-MD5.
    HmacMd5 = 2,
    /// RAKP-HMAC-SHA256.
    HmacSha256 = 3,
}

impl Authentication {
    /// The algorithm with this number, when it is implemented.
    pub const fn from_wire(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::None),
            1 => Some(Self::HmacSha1),
            2 => Some(Self::HmacMd5),
            3 => Some(Self::HmacSha256),
            _ => None,
        }
    }

    /// The hash of its HMAC.
    pub const fn hash(self) -> Option<Hash> {
        match self {
            Self::None => None,
            Self::HmacSha1 => Some(Hash::Sha1),
            Self::HmacMd5 => Some(Hash::Md5),
            Self::HmacSha256 => Some(Hash::Sha256),
        }
    }
}

/// Integrity algorithms. IPMI 2.0 table 13-18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Integrity {
    /// None.
    None = 0,
    /// HMAC-SHA1-96.
    HmacSha1_96 = 1,
    /// HMAC-MD5-128.
    HmacMd5_128 = 2,
    /// MD5-128.
    Md5_128 = 3,
    /// HMAC-SHA256-128.
    HmacSha256_128 = 4,
}

impl Integrity {
    /// The algorithm with this number, when it is implemented.
    pub const fn from_wire(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::None),
            1 => Some(Self::HmacSha1_96),
            2 => Some(Self::HmacMd5_128),
            3 => Some(Self::Md5_128),
            4 => Some(Self::HmacSha256_128),
            _ => None,
        }
    }
}

/// Confidentiality algorithms. IPMI 2.0 table 13-19. xRC4 is not implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Confidentiality {
    /// None.
    None = 0,
    /// AES-CBC-128.
    AesCbc128 = 1,
}

impl Confidentiality {
    /// The algorithm with this number, when it is implemented.
    pub const fn from_wire(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::None),
            1 => Some(Self::AesCbc128),
            _ => None,
        }
    }
}

/// A cipher suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Suite {
    /// Its number.
    pub id: u8,
    /// How keys are agreed on.
    pub authentication: Authentication,
    /// How packets are signed.
    pub integrity: Integrity,
    /// How payloads are encrypted.
    pub confidentiality: Confidentiality,
}

/// All suites that work, by number.
pub const SUITES: [Suite; 12] = {
    use Authentication as A;
    use Confidentiality as C;
    use Integrity as I;
    const fn suite(id: u8, authentication: A, integrity: I, confidentiality: C) -> Suite {
        Suite { id, authentication, integrity, confidentiality }
    }
    [
        suite(0, A::None, I::None, C::None),
        suite(1, A::HmacSha1, I::None, C::None),
        suite(2, A::HmacSha1, I::HmacSha1_96, C::None),
        suite(3, A::HmacSha1, I::HmacSha1_96, C::AesCbc128),
        suite(6, A::HmacMd5, I::None, C::None),
        suite(7, A::HmacMd5, I::HmacMd5_128, C::None),
        suite(8, A::HmacMd5, I::HmacMd5_128, C::AesCbc128),
        suite(11, A::HmacMd5, I::Md5_128, C::None),
        suite(12, A::HmacMd5, I::Md5_128, C::AesCbc128),
        suite(15, A::HmacSha256, I::None, C::None),
        suite(16, A::HmacSha256, I::HmacSha256_128, C::None),
        suite(17, A::HmacSha256, I::HmacSha256_128, C::AesCbc128),
    ]
};

/// The order in which suites are tried when a console leaves algorithms to the BMC: what
/// the original takes (3) first, then by strength. Suite 0 only when named outright.
const PREFERENCE: [u8; 12] = [3, 17, 2, 16, 8, 12, 7, 11, 15, 1, 6, 0];

impl Suite {
    /// The suite with this number, when it is implemented.
    pub fn from_id(id: u8) -> Option<&'static Suite> {
        SUITES.iter().find(|suite| suite.id == id)
    }

    /// The best suite with these algorithms that `permitted` lets through; `None` is any.
    pub fn choose(
        authentication: Option<Authentication>,
        integrity: Option<Integrity>,
        confidentiality: Option<Confidentiality>,
        permitted: impl Fn(&Suite) -> bool,
    ) -> Option<&'static Suite> {
        PREFERENCE.iter().filter_map(|id| Self::from_id(*id)).find(|suite| {
            authentication.map_or(suite.authentication != Authentication::None, |it| it == suite.authentication)
                && integrity.is_none_or(|it| it == suite.integrity)
                && confidentiality.is_none_or(|it| it == suite.confidentiality)
                && permitted(suite)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_enums_are_those_of_the_wire() {
        for suite in SUITES {
            assert_eq!(Authentication::from_wire(suite.authentication as u8), Some(suite.authentication));
            assert_eq!(Integrity::from_wire(suite.integrity as u8), Some(suite.integrity));
            assert_eq!(Confidentiality::from_wire(suite.confidentiality as u8), Some(suite.confidentiality));
            assert!(PREFERENCE.contains(&suite.id));
        }
    }

    #[test]
    fn chosen_is_what_was_named() {
        for suite in SUITES {
            let chosen =
                Suite::choose(Some(suite.authentication), Some(suite.integrity), Some(suite.confidentiality), |_| true);
            assert_eq!(chosen, Some(&suite));
        }
    }

    #[test]
    fn any_is_three_as_with_the_original_and_never_zero() {
        assert_eq!(Suite::choose(None, None, None, |_| true).map(|suite| suite.id), Some(3));
        assert_eq!(Suite::choose(None, None, None, |suite| suite.id != 3).map(|suite| suite.id), Some(17));
        assert_eq!(Suite::choose(None, None, None, |suite| suite.id == 0), None);
        let sha256 = Suite::choose(Some(Authentication::HmacSha256), None, None, |_| true);
        assert_eq!(sha256.map(|suite| suite.id), Some(17));
    }

    #[test]
    fn combinations_that_are_no_suite_are_refused() {
        let mixed = (Authentication::HmacSha1, Integrity::Md5_128, Confidentiality::None);
        assert_eq!(Suite::choose(Some(mixed.0), Some(mixed.1), Some(mixed.2), |_| true), None);
    }
}
