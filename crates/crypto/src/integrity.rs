//! Integrity of RMCP+ packets: codes over everything from the format byte to the next
//! header. IPMI 2.0 section 13.28.4, `lan-protocol.md` section 7.

use md5::{Digest, Md5};

use super::mac::{Hash, Keyed, Tag};
use super::rakp::{Dialect, SessionKey};
use super::suite::Integrity;
use super::{Secret, equal};

/// Signs and checks the packets of one session; keyed once.
pub enum Signer {
    /// HMAC-SHA1-96, HMAC-MD5-128, HMAC-SHA256-128.
    Hmac {
        /// With K1, or what the dialect takes for it.
        keyed: Keyed,
        /// Length of the code.
        length: usize,
    },
    /// MD5-128: MD5 over password, data and password again.
    Md5 {
        /// The password, zero padded.
        password: Secret<20>,
    },
}

impl Signer {
    /// The signer of an algorithm; none for none. An HMAC needs the session key, which
    /// every suite with an HMAC has.
    pub fn new(
        integrity: Integrity,
        key: Option<&mut SessionKey>,
        dialect: Dialect,
        password: &Secret<20>,
    ) -> Option<Self> {
        let (hash, length) = match integrity {
            Integrity::None => return None,
            Integrity::Md5_128 => return Some(Self::Md5 { password: password.clone() }),
            Integrity::HmacSha1_96 => (Hash::Sha1, 12),
            Integrity::HmacMd5_128 => (Hash::Md5, 16),
            Integrity::HmacSha256_128 => (Hash::Sha256, 16),
        };
        let key = key?.integrity_key(dialect);
        Some(Self::Hmac { keyed: Keyed::new(hash, key.bytes()), length })
    }

    /// Length of a code.
    pub fn length(&self) -> usize {
        match self {
            Self::Hmac { length, .. } => *length,
            Self::Md5 { .. } => 16,
        }
    }

    /// The code over `data`.
    pub fn code(&mut self, data: &[u8]) -> Tag {
        match self {
            Self::Hmac { keyed, length } => keyed.tag(&[data]).cut(*length),
            Self::Md5 { password } => {
                let digest: [u8; 16] = Md5::new()
                    .chain_update(password.expose())
                    .chain_update(data)
                    .chain_update(password.expose())
                    .finalize()
                    .into();
                Tag::new(&digest)
            }
        }
    }

    /// Whether `code` is the code over `data`.
    pub fn verify(&mut self, data: &[u8], code: &[u8]) -> bool {
        equal(self.code(data).bytes(), code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    fn signer(hash: Hash, length: usize, key: &[u8]) -> Signer {
        Signer::Hmac { keyed: Keyed::new(hash, key), length }
    }

    #[test]
    fn packet_of_the_test_vectors() {
        let mut signer = signer(Hash::Sha1, 12, &hex!("9674fdc72e1c8433c1ae65fc4849f914c55ffe2c"));
        let data = hex!(
            "06c0 02010000 01000000 2000"
            "202122232425262728292a2b2c2d2e2f 1a58a38b42675054ba03f77662245a4d"
            "ffff 02 07"
        );
        let code = hex!("848019571f55de5563accce1");
        assert!(signer.verify(&data, &code));
        assert!(!signer.verify(&data[1..], &code));
        assert!(!signer.verify(&data, &code[..11]));
        assert!(signer.verify(&data, &code), "a failed check must not disturb the next");
    }

    #[test]
    fn lengths() {
        assert_eq!(signer(Hash::Sha256, 16, b"k").code(b"x").bytes().len(), 16);
        assert_eq!(signer(Hash::Md5, 16, b"k").code(b"x").bytes().len(), 16);
    }

    #[test]
    fn md5_128_is_md5_of_the_wrapped_data() {
        let mut password = [0; 20];
        password[..4].copy_from_slice(b"test");
        let mut wrapped = password.to_vec();
        wrapped.extend_from_slice(b"data");
        wrapped.extend_from_slice(&password);
        let expected: [u8; 16] = Md5::digest(&wrapped).into();
        let mut signer = Signer::new(Integrity::Md5_128, None, Dialect::Common, &Secret::new(password)).unwrap();
        assert_eq!(signer.code(b"data").bytes(), expected);
    }

    #[test]
    fn no_signer_without_algorithm_or_key() {
        let password = Secret::new([0; 20]);
        assert!(Signer::new(Integrity::None, None, Dialect::Common, &password).is_none());
        assert!(Signer::new(Integrity::HmacSha1_96, None, Dialect::Common, &password).is_none());
    }
}
