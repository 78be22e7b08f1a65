//! Authentication codes of IPMI 1.5 sessions. IPMI 2.0 section 22.17.1,
//! `lan-protocol.md` section 4.1.

use md2::Md2;
use md5::digest::Output;
use md5::{Digest, Md5};

use super::{Secret, equal};

/// How a code is made. MD2 and MD5 run over password, session id, message, sequence
/// number and password again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Straight password.
    Straight,
    /// MD2.
    Md2,
    /// MD5.
    Md5,
}

impl Algorithm {
    /// The code of a message in a session.
    pub fn code(self, password: &Secret<16>, session_id: u32, sequence: u32, message: &[u8]) -> [u8; 16] {
        match self {
            Self::Straight => *password.expose(),
            Self::Md2 => keyed::<Md2>(password, session_id, sequence, message).into(),
            Self::Md5 => keyed::<Md5>(password, session_id, sequence, message).into(),
        }
    }

    /// Whether `code` is the code of a message in a session.
    pub fn verify(
        self,
        password: &Secret<16>,
        session_id: u32,
        sequence: u32,
        message: &[u8],
        code: &[u8; 16],
    ) -> bool {
        equal(&self.code(password, session_id, sequence, message), code)
    }
}

fn keyed<D: Digest>(password: &Secret<16>, session_id: u32, sequence: u32, message: &[u8]) -> Output<D> {
    D::new()
        .chain_update(password.expose())
        .chain_update(session_id.to_le_bytes())
        .chain_update(message)
        .chain_update(sequence.to_le_bytes())
        .chain_update(password.expose())
        .finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    fn password() -> Secret<16> {
        Secret::new(*b"test\0\0\0\0\0\0\0\0\0\0\0\0")
    }

    #[test]
    fn md5_of_the_test_vectors() {
        let message = hex!("2018c88104017a");
        let code = hex!("00f12ea38aa203dae082eb4245d69239");
        assert_eq!(Algorithm::Md5.code(&password(), 0x82, 0x10, &message), code);
        assert!(Algorithm::Md5.verify(&password(), 0x82, 0x10, &message, &code));
        assert!(!Algorithm::Md5.verify(&password(), 0x82, 0x11, &message, &code));
        assert!(!Algorithm::Md5.verify(&password(), 0x84, 0x10, &message, &code));
    }

    #[test]
    fn md2_is_md2_of_the_same_bytes() {
        let mut bytes = password().expose().to_vec();
        bytes.extend_from_slice(&hex!("82000000 2018c88104017a 10000000"));
        bytes.extend_from_slice(password().expose());
        let expected: [u8; 16] = Md2::digest(&bytes).into();
        assert_eq!(Algorithm::Md2.code(&password(), 0x82, 0x10, &hex!("2018c88104017a")), expected);
        // RFC 1319: the digest itself.
        assert_eq!(Md2::digest(b"abc")[..], hex!("da853b0d3f88d99b30283a69e6ded6bb"));
    }

    #[test]
    fn straight_passwords_are_compared_behind_a_nul_too() {
        let mut wrong = *password().expose();
        wrong[15] = 1;
        assert!(Algorithm::Straight.verify(&password(), 0, 0, &[], password().expose()));
        assert!(!Algorithm::Straight.verify(&password(), 0, 0, &[], &wrong));
    }
}
