//! Algorithms of IPMI sessions: one file per family, each an enum over the algorithms the
//! standard numbers, and key derivation.
//!
//! Keys live in [`Secret`]s or in states that are wiped when dropped; nothing here prints
//! them. What came from a client is compared in constant time. Randomness is handed in.
//!
//! A crate of its own because it is compiled for speed, and everything else for size.

#![cfg_attr(not(test), warn(unreachable_pub))]

pub mod auth_code;
pub mod confidentiality;
pub mod integrity;
pub mod mac;
pub mod rakp;
pub mod suite;

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

pub use confidentiality::Cipher;
pub use integrity::Signer;
pub use suite::{SUITES, Suite};

/// `N` secret bytes: wiped when dropped, compared in constant time, never printed.
#[derive(Clone)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Takes the bytes in.
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be fed to an algorithm.
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Overwrites the part of the stack that lies behind its caller's: what functions that have returned left there, copies of
/// keys and spilled registers among it. To be called from no deeper than where those were called.
#[inline(never)]
pub fn wipe_stack() {
    /// Deeper than the algorithms and all around them go; frames that are not optimised are large.
    const DEPTH: usize = if cfg!(debug_assertions) { 96 << 10 } else { 16 << 10 };
    // In large words: byte by byte this was most of what a login took.
    let mut below = [0u128; DEPTH / size_of::<u128>()];
    below.zeroize();
    std::hint::black_box(&mut below);
}

/// Whether `a` and `b` are the same bytes, in a time that depends on their length only.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        assert_eq!(format!("{:?}", Secret::new(*b"password")), "Secret");
    }

    #[test]
    fn equal_looks_at_every_byte_and_the_length() {
        assert!(equal(b"abc", b"abc"));
        assert!(!equal(b"abc", b"abd"));
        assert!(!equal(b"abc", b"ab"));
        assert!(equal(b"", b""));
    }
}
