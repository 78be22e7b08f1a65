//! Confidentiality of RMCP+ payloads: AES-CBC-128. IPMI 2.0 section 13.29.
//!
//! ```text
//! 0..15  initialisation vector     16..  payload, pad 01h 02h 03h ..., pad length; encrypted
//! ```

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockDecryptMut, BlockEncryptMut, InnerIvInit, KeyInit};
use aes::{Aes128Dec, Aes128Enc};

use super::mac::Tag;
use super::rakp::{Dialect, SessionKey};
use super::suite::Confidentiality;

/// AES block, and initialisation vector.
pub const BLOCK: usize = 16;

/// Encrypts and decrypts the payloads of one session; both key schedules are made once.
pub struct Cipher {
    encrypt: Aes128Enc,
    decrypt: Aes128Dec,
}

impl Cipher {
    /// The cipher of an algorithm; none for none. Every suite that encrypts has a session
    /// key.
    pub fn new(confidentiality: Confidentiality, key: Option<&mut SessionKey>, dialect: Dialect) -> Option<Self> {
        match confidentiality {
            Confidentiality::None => None,
            Confidentiality::AesCbc128 => Self::aes(&key?.k2(dialect)),
        }
    }

    fn aes(k2: &Tag) -> Option<Self> {
        let key = k2.bytes().first_chunk::<16>()?;
        Some(Self { encrypt: Aes128Enc::new(key.into()), decrypt: Aes128Dec::new(key.into()) })
    }

    /// Encrypts the payload that `out` ends with, from `start` on; it grows by the
    /// initialisation vector, which has to be random, and the pad.
    pub fn encrypt(&self, start: usize, iv: [u8; BLOCK], out: &mut Vec<u8>) {
        let start = start.min(out.len());
        let payload = out.len() - start;
        out.extend_from_slice(&[0; BLOCK]);
        out.copy_within(start..start + payload, start + BLOCK);
        out[start..start + BLOCK].copy_from_slice(&iv);
        let pad = (BLOCK - 1 - payload % BLOCK) as u8;
        out.extend(1..=pad);
        out.push(pad);
        let text = &mut out[start + BLOCK..];
        let length = text.len();
        let cbc = cbc::Encryptor::inner_iv_init(&self.encrypt, &iv.into());
        // Whole blocks, so there is nothing to fail.
        let _ = cbc.encrypt_padded_mut::<NoPadding>(text, length);
    }

    /// Decrypts a payload in place and gives what is inside; `None` when its length or
    /// its pad is wrong. To be called only for payloads whose integrity was checked.
    pub fn decrypt<'a>(&self, payload: &'a mut [u8]) -> Option<&'a mut [u8]> {
        let (iv, text) = payload.split_first_chunk_mut::<BLOCK>()?;
        if text.is_empty() || text.len() % BLOCK != 0 {
            return None;
        }
        let cbc = cbc::Decryptor::inner_iv_init(&self.decrypt, (&*iv).into());
        cbc.decrypt_padded_mut::<NoPadding>(text).ok()?;
        let (&mut pad, padded) = text.split_last_mut()?;
        if usize::from(pad) >= BLOCK {
            return None;
        }
        let (inside, bytes) = padded.split_at_mut_checked(padded.len() - usize::from(pad))?;
        bytes.iter().zip(1..).all(|(byte, expected)| *byte == expected).then_some(inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mac::{Hash, Keyed};
    use hex_literal::hex;

    /// An initialisation vector that counts from `first` on.
    fn vector(first: u8) -> [u8; BLOCK] {
        std::array::from_fn(|at| first.wrapping_add(at as u8))
    }

    fn cipher() -> Cipher {
        // K2 of `lan-protocol.md` section 17, reached by the only way to make a tag: an HMAC.
        let sik = hex!("1e89c900fd86d865502f7a38258c5f5406a09031");
        let k2 = Keyed::new(Hash::Sha1, &sik).tag(&[&[2; 20]]);
        assert_eq!(k2.bytes(), hex!("b08534d7245255d3af2d63ad7c733499f2d6c5a9"));
        Cipher::aes(&k2).unwrap()
    }

    #[test]
    fn packet_of_the_test_vectors() {
        let mut out = hex!("abcd 2018c88104017a").to_vec();
        cipher().encrypt(2, vector(0x20), &mut out);
        assert_eq!(out, hex!("abcd 202122232425262728292a2b2c2d2e2f 1a58a38b42675054ba03f77662245a4d"));
        assert_eq!(cipher().decrypt(&mut out[2..]).unwrap(), hex!("2018c88104017a"));
    }

    #[test]
    fn every_length_survives() {
        for length in 0..70u8 {
            let plain: Vec<u8> = (0..length).collect();
            let mut bytes = plain.clone();
            cipher().encrypt(0, vector(length), &mut bytes);
            assert_eq!(bytes.len() % 16, 0);
            assert!(bytes.len() > plain.len() + 16 && bytes.len() <= plain.len() + 32);
            assert_eq!(cipher().decrypt(&mut bytes).unwrap(), plain);
        }
    }

    #[test]
    fn wrong_lengths_are_refused() {
        for length in [0, 1, 15, 16, 17, 31, 33, 47] {
            assert!(cipher().decrypt(&mut vec![0; length]).is_none(), "{length}");
        }
    }

    /// Encrypts whole blocks as they are, so that a pad can be made wrong.
    fn raw(blocks: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 16];
        bytes.extend_from_slice(blocks);
        let cipher = cipher();
        let cbc = cbc::Encryptor::inner_iv_init(&cipher.encrypt, &[0; 16].into());
        cbc.encrypt_padded_mut::<NoPadding>(&mut bytes[16..], blocks.len()).unwrap();
        bytes
    }

    #[test]
    fn wrong_pads_are_refused() {
        for pad in [hex!("00000000000000000000000000000010"), hex!("000000000000000000000000000000ff")] {
            assert!(cipher().decrypt(&mut raw(&pad)).is_none());
        }
        assert!(cipher().decrypt(&mut raw(&hex!("00000000000000000000000000010202"))).is_some());
        assert!(cipher().decrypt(&mut raw(&hex!("00000000000000000000000000020202"))).is_none());
        // Longest pad: nothing inside.
        assert_eq!(cipher().decrypt(&mut raw(&hex!("0102030405060708090a0b0c0d0e0f0f"))).unwrap().len(), 0);
    }
}
