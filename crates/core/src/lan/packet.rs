//! Whole datagrams made from their parts: the inverse of taking one apart, for both kinds of session.
//!
//! Public for clients too, which send the same packets the other way. Knows no session; who calls it counts the
//! sequence numbers.

use crate::crypto::auth_code::Algorithm;
use crate::crypto::confidentiality::BLOCK;
use crate::crypto::rakp::{Dialect, SessionKey};
use crate::crypto::suite::{Confidentiality, Integrity};
use crate::crypto::{Cipher, Secret, Signer, Suite};
use crate::ipmi::Random;
use crate::wire::rmcp;
use crate::wire::session15::{self, AuthType};
use crate::wire::session20::{self, PayloadType};

/// The RMCP header of everything that is not ASF.
pub const RMCP: rmcp::Repr = rmcp::Repr { sequence: rmcp::SEQUENCE_NO_ACK, class: rmcp::Class::Ipmi };

/// Keyed algorithms of an RMCP+ session.
pub struct Keys {
    /// Integrity.
    pub signer: Option<Signer>,
    /// Confidentiality.
    pub cipher: Option<Cipher>,
}

impl Keys {
    /// Keys for a suite; `None` if an algorithm of the suite could not be keyed, which
    /// must end the login rather than leave the session without it.
    pub fn new(
        suite: &Suite,
        mut key: Option<&mut SessionKey>,
        dialect: Dialect,
        password: &Secret<20>,
    ) -> Option<Self> {
        let signer = Signer::new(suite.integrity, key.as_deref_mut(), dialect, password);
        let cipher = Cipher::new(suite.confidentiality, key, dialect);
        let complete = signer.is_some() == (suite.integrity != Integrity::None)
            && cipher.is_some() == (suite.confidentiality != Confidentiality::None);
        complete.then_some(Self { signer, cipher })
    }

    /// Appends the datagram with the payload that `payload` appends: RMCP header, session header,
    /// payload, encrypted and with its code as the suite has it. `session_id` is the receiver's.
    pub fn seal(
        &mut self,
        session_id: u32,
        sequence: u32,
        payload_type: PayloadType,
        random: &mut dyn Random,
        out: &mut Vec<u8>,
        payload: impl FnOnce(&mut Vec<u8>),
    ) {
        let header = session20::Header {
            encrypted: self.cipher.is_some(),
            authenticated: self.signer.is_some(),
            session_id,
            sequence,
            ..session20::Header::sessionless(payload_type)
        };
        RMCP.emit(out);
        let packet = out.len();
        header.emit(out);
        let start = out.len();
        payload(out);
        if let Some(cipher) = &self.cipher {
            let mut iv = [0; BLOCK];
            random.fill(&mut iv);
            cipher.encrypt(start, iv, out);
        }
        session20::set_payload_length(&mut out[packet..]);
        if let Some(signer) = &mut self.signer {
            session20::emit_trailer(out.len() - start, out);
            let code = signer.code(&out[packet..]);
            out.extend_from_slice(code.bytes());
        }
    }
}

/// Appends an RMCP+ datagram outside sessions.
pub fn outside_sessions(payload_type: PayloadType, out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    RMCP.emit(out);
    let packet = out.len();
    session20::Header::sessionless(payload_type).emit(out);
    payload(out);
    session20::set_payload_length(&mut out[packet..]);
}

/// How an authentication type makes codes.
pub(super) fn code_algorithm(auth_type: AuthType) -> Option<Algorithm> {
    match auth_type {
        AuthType::None => None,
        AuthType::Md2 => Some(Algorithm::Md2),
        AuthType::Md5 => Some(Algorithm::Md5),
        AuthType::Straight => Some(Algorithm::Straight),
    }
}

/// The code of an IPMI 1.5 packet, if its authentication type has one.
pub fn code15(header: session15::Header, password: &Secret<16>, message: &[u8]) -> Option<[u8; 16]> {
    let algorithm = code_algorithm(header.auth_type)?;
    Some(algorithm.code(password, header.session_id, header.sequence, message))
}

/// Appends the IPMI 1.5 datagram with this message.
pub fn seal15(header: session15::Header, password: &Secret<16>, message: &[u8], out: &mut Vec<u8>) {
    let code = code15(header, password, message);
    RMCP.emit(out);
    session15::Packet { header, code: code.as_ref(), message }.emit(out);
}
