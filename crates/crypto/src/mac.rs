//! HMAC with SHA-1, MD5 and SHA-256: keyed once, used for many messages.

use std::sync::LazyLock;

use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroize;

/// The hash of an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-1, 20 bytes.
    Sha1,
    /// MD5, 16 bytes.
    Md5,
    /// SHA-256, 32 bytes.
    Sha256,
}

impl Hash {
    /// Length of the HMAC.
    pub const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Md5 => 16,
            Self::Sha256 => 32,
        }
    }
}

/// The result of an HMAC, whole or cut; may be a key, so it is wiped and never printed.
#[derive(Clone)]
pub struct Tag {
    bytes: [u8; 32],
    length: usize,
}

impl Tag {
    /// No bytes: the code of an algorithm that makes none.
    pub const EMPTY: Self = Self { bytes: [0; 32], length: 0 };

    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut tag = Self::EMPTY;
        tag.length = bytes.len().min(tag.bytes.len());
        tag.bytes[..tag.length].copy_from_slice(&bytes[..tag.length]);
        tag
    }

    /// The first `length` bytes, or all when there are fewer.
    pub fn cut(mut self, length: usize) -> Self {
        self.length = self.length.min(length);
        self
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Tag {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// An HMAC that has its key: hashing a message costs no keying again.
pub struct Keyed(State);

enum State {
    Sha1(Hmac<Sha1>),
    Md5(Hmac<Md5>),
    Sha256(Hmac<Sha256>),
}

impl Keyed {
    /// Takes a key of any length.
    pub fn new(hash: Hash, key: &[u8]) -> Self {
        // HMAC takes keys of any length, so these cannot fail; an empty key stands in
        // where a panic would.
        Self(match hash {
            Hash::Sha1 => State::Sha1(Hmac::new_from_slice(key).unwrap_or_else(|_| Mac::new(&Default::default()))),
            Hash::Md5 => State::Md5(Hmac::new_from_slice(key).unwrap_or_else(|_| Mac::new(&Default::default()))),
            Hash::Sha256 => State::Sha256(Hmac::new_from_slice(key).unwrap_or_else(|_| Mac::new(&Default::default()))),
        })
    }

    /// The HMAC of the parts, one behind the other.
    pub fn tag(&mut self, parts: &[&[u8]]) -> Tag {
        fn run<M: Mac + hmac::digest::FixedOutputReset>(mac: &mut M, parts: &[&[u8]]) -> Tag {
            for part in parts {
                Mac::update(mac, part);
            }
            Tag::new(&mac.finalize_reset().into_bytes())
        }
        match &mut self.0 {
            State::Sha1(mac) => run(mac, parts),
            State::Md5(mac) => run(mac, parts),
            State::Sha256(mac) => run(mac, parts),
        }
    }
}

impl Drop for Keyed {
    /// The hash crates do not wipe their states: the old one is overwritten by one that is keyed
    /// with nothing, made once because keying is half the work of a short message.
    fn drop(&mut self) {
        static NOTHING: LazyLock<(Hmac<Sha1>, Hmac<Md5>, Hmac<Sha256>)> = LazyLock::new(|| {
            (Mac::new(&Default::default()), Mac::new(&Default::default()), Mac::new(&Default::default()))
        });
        match &mut self.0 {
            State::Sha1(mac) => mac.clone_from(&NOTHING.0),
            State::Md5(mac) => mac.clone_from(&NOTHING.1),
            State::Sha256(mac) => mac.clone_from(&NOTHING.2),
        }
        // Nobody reads the new state; this keeps the writes from being left out.
        std::hint::black_box(&mut self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    const JEFE: &[u8] = b"Jefe";
    const QUESTION: &[u8] = b"what do ya want for nothing?";

    #[test]
    fn rfc_2202_and_4231() {
        for (hash, tag) in [
            (Hash::Sha1, &hex!("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79")[..]),
            (Hash::Md5, &hex!("750c783e6ab0b503eaa86e310a5db738")[..]),
            (Hash::Sha256, &hex!("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")[..]),
        ] {
            assert_eq!(Keyed::new(hash, JEFE).tag(&[QUESTION]).bytes(), tag);
            assert_eq!(hash.length(), tag.len());
        }
    }

    #[test]
    fn a_state_serves_many_messages_and_any_partition() {
        for hash in [Hash::Sha1, Hash::Md5, Hash::Sha256] {
            let mut keyed = Keyed::new(hash, JEFE);
            let first = keyed.tag(&[QUESTION]);
            keyed.tag(&[b"something else"]);
            let (a, b) = QUESTION.split_at(9);
            assert_eq!(keyed.tag(&[a, &[], b]).bytes(), first.bytes());
        }
    }

    #[test]
    fn zero_padding_of_a_key_changes_nothing() {
        // Why a password of 20 bytes serves the 32 bytes of RAKP-HMAC-SHA256 too.
        let mut padded = [0; 32];
        padded[..4].copy_from_slice(JEFE);
        for hash in [Hash::Sha1, Hash::Md5, Hash::Sha256] {
            assert_eq!(Keyed::new(hash, &padded).tag(&[b"x"]).bytes(), Keyed::new(hash, JEFE).tag(&[b"x"]).bytes());
        }
    }

    #[test]
    fn cut_keeps_the_front() {
        let tag = Keyed::new(Hash::Sha1, JEFE).tag(&[QUESTION]);
        assert_eq!(tag.clone().cut(12).bytes(), &tag.bytes()[..12]);
        assert_eq!(tag.clone().cut(99).bytes(), tag.bytes());
        assert!(Tag::EMPTY.bytes().is_empty());
    }
}
