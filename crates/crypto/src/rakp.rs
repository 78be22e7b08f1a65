//! The RAKP key exchange: codes and keys of RMCP+ session set-up.
//! IPMI 2.0 sections 13.28 to 13.32, `lan-protocol.md` section 7.

use super::Secret;
use super::mac::{Hash, Keyed, Tag};
use super::suite::Authentication;

/// What both sides know after RAKP Message 2.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The algorithm.
    pub authentication: Authentication,
    /// SIDm, the console's session id.
    pub console_id: u32,
    /// SIDc, the BMC's session id.
    pub bmc_id: u32,
    /// Rm, the console's random number.
    pub console_random: &'a [u8; 16],
    /// Rc, the BMC's random number.
    pub bmc_random: &'a [u8; 16],
    /// System GUID.
    pub guid: &'a [u8; 16],
    /// Role byte of RAKP Message 1, all eight bits.
    pub role: u8,
    /// User name.
    pub name: &'a [u8],
    /// How much of a password or K_G the console takes for a key of HMAC-MD5.
    pub dialect: Dialect,
}

/// SIK, the session integrity key.
pub struct SessionKey {
    hash: Hash,
    sik: Tag,
    keyed: Keyed,
}

impl Exchange<'_> {
    /// Key exchange authentication code of RAKP Message 2; empty with RAKP-none.
    pub fn rakp2_code(&self, password: &Secret<20>) -> Tag {
        self.user_tag(
            password,
            &[
                &self.console_id.to_le_bytes(),
                &self.bmc_id.to_le_bytes(),
                self.console_random,
                self.bmc_random,
                self.guid,
                &[self.role, self.name_length()],
                self.name,
            ],
        )
    }

    /// Key exchange authentication code of RAKP Message 3; empty with RAKP-none.
    pub fn rakp3_code(&self, password: &Secret<20>) -> Tag {
        self.user_tag(
            password,
            &[self.bmc_random, &self.console_id.to_le_bytes(), &[self.role, self.name_length()], self.name],
        )
    }

    /// The same exchange as consoles see it that were made for early Intel BMCs: in RAKP
    /// Message 3 their role has no "name only" bit and their name no padding
    /// ([`padded_name`](Self::padded_name)).
    pub fn with_bare_role(&self) -> Self {
        let length = self.name.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Self { role: self.role & 0x0f, name: &self.name[..length], ..*self }
    }

    /// Whether the name was sent zero padded, which the specification forbids (IPMI 2.0
    /// table 13-11).
    pub fn padded_name(&self) -> bool {
        self.name.last() == Some(&0)
    }

    /// The session integrity key; none with RAKP-none. `key` is K_G, or the password
    /// where there is no K_G.
    pub fn session_key(&self, key: &Secret<20>) -> Option<SessionKey> {
        let hash = self.authentication.hash()?;
        let sik = Keyed::new(hash, self.cut(hash, key)).tag(&[
            self.console_random,
            self.bmc_random,
            &[self.role, self.name_length()],
            self.name,
        ]);
        Some(SessionKey { hash, keyed: Keyed::new(hash, sik.bytes()), sik })
    }

    /// Integrity check value of RAKP Message 4.
    pub fn rakp4_check_value(&self, key: &mut SessionKey) -> Tag {
        let length = match key.hash {
            Hash::Sha1 => 12,
            Hash::Md5 | Hash::Sha256 => 16,
        };
        key.keyed.tag(&[self.console_random, &self.bmc_id.to_le_bytes(), self.guid]).cut(length)
    }

    fn user_tag(&self, password: &Secret<20>, parts: &[&[u8]]) -> Tag {
        match self.authentication.hash() {
            Some(hash) => Keyed::new(hash, self.cut(hash, password)).tag(parts),
            None => Tag::EMPTY,
        }
    }

    /// The part of a 20-byte key an algorithm takes. SHA-256 would take 32, but zero padding
    /// does not change an HMAC.
    fn cut<'k>(&self, hash: Hash, key: &'k Secret<20>) -> &'k [u8] {
        let bytes = key.expose();
        match (self.dialect, hash) {
            (Dialect::OpenIpmi, Hash::Md5) => &bytes[..hash.length()],
            _ => bytes,
        }
    }

    fn name_length(&self) -> u8 {
        u8::try_from(self.name.len()).unwrap_or(u8::MAX)
    }
}

/// How a client reads what the specification leaves open about keys. With SHA-1 and
/// SHA-256 all clients agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// K1 and K2 are made from constants of 20 bytes, and K1 is the integrity key. Passwords
    /// and K_G count with all their 20 bytes.
    Common,
    /// OpenIPMI's own client with MD5: constants as long as the hash, and SIK is the key of
    /// HMAC-MD5-128, as the first edition of IPMI 2.0 had it. Passwords and K_G count with
    /// their first 16 bytes.
    OpenIpmi,
}

impl SessionKey {
    /// K1.
    pub fn k1(&mut self, dialect: Dialect) -> Tag {
        self.derive(1, dialect)
    }

    /// K2, of whose first bytes confidentiality algorithms make their key.
    pub fn k2(&mut self, dialect: Dialect) -> Tag {
        self.derive(2, dialect)
    }

    /// The key of integrity algorithms that are HMACs.
    pub fn integrity_key(&mut self, dialect: Dialect) -> Tag {
        match (dialect, self.hash) {
            (Dialect::OpenIpmi, Hash::Md5) => self.sik.clone(),
            _ => self.k1(dialect),
        }
    }

    fn derive(&mut self, constant: u8, dialect: Dialect) -> Tag {
        let length = match (dialect, self.hash) {
            (Dialect::OpenIpmi, Hash::Md5) => self.hash.length(),
            _ => 20,
        };
        self.keyed.tag(&[&[constant; 20][..length]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    const CONSOLE_RANDOM: [u8; 16] = hex!("000102030405060708090a0b0c0d0e0f");
    const BMC_RANDOM: [u8; 16] = hex!("101112131415161718191a1b1c1d1e1f");
    const GUID: [u8; 16] = hex!("a123456789abcdefa123456789abcdef");

    fn exchange(authentication: Authentication) -> Exchange<'static> {
        Exchange {
            authentication,
            console_id: 0x1122_3344,
            bmc_id: 0x102,
            console_random: &CONSOLE_RANDOM,
            bmc_random: &BMC_RANDOM,
            guid: &GUID,
            role: 0x14,
            name: b"ipmiusr",
            dialect: Dialect::Common,
        }
    }

    fn secret(text: &[u8]) -> Secret<20> {
        let mut bytes = [0; 20];
        bytes[..text.len()].copy_from_slice(text);
        Secret::new(bytes)
    }

    #[test]
    fn suite_3_of_the_test_vectors() {
        let exchange = exchange(Authentication::HmacSha1);
        let password = secret(b"test");
        assert_eq!(exchange.rakp2_code(&password).bytes(), hex!("ca0e6d9199137b8c1c95282f2d3b24d2a62b8725"));
        assert_eq!(exchange.rakp3_code(&password).bytes(), hex!("b3490bc2d552255488474db3415d51a405f8d20f"));
        let mut key = exchange.session_key(&password).unwrap();
        assert_eq!(exchange.rakp4_check_value(&mut key).bytes(), hex!("7f823e4742b366e577fb5b95"));
        for dialect in [Dialect::Common, Dialect::OpenIpmi] {
            assert_eq!(key.k1(dialect).bytes(), hex!("9674fdc72e1c8433c1ae65fc4849f914c55ffe2c"));
            assert_eq!(key.k2(dialect).bytes(), hex!("b08534d7245255d3af2d63ad7c733499f2d6c5a9"));
            assert_eq!(key.integrity_key(dialect).bytes(), key.k1(dialect).bytes());
        }
    }

    #[test]
    fn suite_3_with_a_bmc_key() {
        let exchange = exchange(Authentication::HmacSha1);
        let mut key = exchange.session_key(&secret(b"abcdefghijklmnopqrs")).unwrap();
        assert_eq!(exchange.rakp4_check_value(&mut key).bytes(), hex!("5b6e043d7509277e2528ddc3"));
        assert_eq!(key.k1(Dialect::Common).bytes(), hex!("e6de2ec2267c846d536ed999e1749d6c6eaea3eb"));
        assert_eq!(key.k2(Dialect::Common).bytes(), hex!("7b8839954475f7123c61494ab8bc43ddef969cdd"));
    }

    #[test]
    fn suite_12_of_the_test_vectors() {
        let exchange = exchange(Authentication::HmacMd5);
        let password = secret(b"test");
        assert_eq!(exchange.rakp2_code(&password).bytes(), hex!("ed51b2e95b7c849dfad5b15842969cd3"));
        assert_eq!(exchange.rakp3_code(&password).bytes(), hex!("50770115717d9fd5a9c59b975ca75b0b"));
        let mut key = exchange.session_key(&password).unwrap();
        assert_eq!(exchange.rakp4_check_value(&mut key).bytes(), hex!("2381b753ec8d0645a2825c72320fe4d0"));
        assert_eq!(key.k1(Dialect::OpenIpmi).bytes(), hex!("96b952539e1f79fba1a2c80183d83224"));
        assert_eq!(key.k2(Dialect::OpenIpmi).bytes(), hex!("ccbc31a7a2dc332169329108ccdce8f5"));
        assert_eq!(key.k1(Dialect::Common).bytes(), hex!("1f11e70179345f0cdf3fb84d8565fc3c"));
        assert_eq!(key.k2(Dialect::Common).bytes(), hex!("c2edd34ba64ad9e3a74d66dd8129adb6"));
        assert_eq!(key.integrity_key(Dialect::Common).bytes(), key.k1(Dialect::Common).bytes());
        assert_eq!(key.integrity_key(Dialect::OpenIpmi).bytes(), hex!("6c3a70eafeea5fd88d7af6593dfa1ffc"));
    }

    #[test]
    fn sha256_has_its_lengths() {
        let exchange = exchange(Authentication::HmacSha256);
        let password = secret(b"test");
        assert_eq!(exchange.rakp2_code(&password).bytes().len(), 32);
        assert_eq!(exchange.rakp3_code(&password).bytes().len(), 32);
        let mut key = exchange.session_key(&password).unwrap();
        assert_eq!(exchange.rakp4_check_value(&mut key).bytes().len(), 16);
        assert_eq!(key.k1(Dialect::Common).bytes().len(), 32);
    }

    #[test]
    fn rakp_none_has_no_codes_and_no_key() {
        let exchange = exchange(Authentication::None);
        assert!(exchange.rakp2_code(&secret(b"test")).bytes().is_empty());
        assert!(exchange.rakp3_code(&secret(b"test")).bytes().is_empty());
        assert!(exchange.session_key(&secret(b"test")).is_none());
    }

    #[test]
    fn a_dialect_says_how_much_of_a_key_md5_takes() {
        let (long, short) = (secret(b"0123456789abcdefXYZ"), secret(b"0123456789abcdef"));
        let same = |exchange: Exchange<'_>| {
            let mut keys = [&long, &short].map(|key| exchange.session_key(key).unwrap());
            let [one, other] = keys.each_mut().map(|key| key.k1(Dialect::Common).bytes().to_vec());
            let codes = exchange.rakp3_code(&long).bytes() == exchange.rakp3_code(&short).bytes();
            assert_eq!(one == other, codes);
            codes
        };
        let md5 = exchange(Authentication::HmacMd5);
        assert!(!same(md5));
        assert!(same(Exchange { dialect: Dialect::OpenIpmi, ..md5 }));
        for hash in [Authentication::HmacSha1, Authentication::HmacSha256] {
            assert!(!same(Exchange { dialect: Dialect::OpenIpmi, ..exchange(hash) }));
        }
    }
}
