//! An established session: who, how far, and how its packets are protected.

use std::time::Duration;

use super::duplicate::Recent;
use super::packet::{Keys, code_algorithm, seal15};
use super::window::Window;
use crate::crypto::mac::Tag;
use crate::crypto::rakp::{Dialect, SessionKey};
use crate::crypto::suite::{Authentication, Confidentiality, Integrity};
use crate::crypto::{Secret, Signer, Suite};
use crate::ipmi::{Moment, Peer, Privilege, Random, SessionId, UserNumber};
use crate::lan::Outbox;
use crate::wire::ipmb;
use crate::wire::session15::{self, AuthType};
use crate::wire::session20::PayloadType;

/// How long a session lives without an authenticated packet: IPMI 2.0 section 6.12.15. The original has half of it.
const SESSION_LIFE: Duration = Duration::from_secs(60);

/// An established session.
pub(super) struct Session {
    /// The way to the client.
    pub(super) link: Link,
    /// Session handle, 1 to 255; 0 when all are taken.
    pub(super) handle: u8,
    /// User number.
    pub(super) user: UserNumber,
    /// User name at the login, zero padded.
    pub(super) name: [u8; 16],
    /// Where the last new packet came from.
    pub(super) peer: Peer,
    /// Current privilege level.
    pub(super) privilege: Privilege,
    /// Maximum privilege.
    pub(super) limit: Privilege,
    /// When the last new packet came.
    pub(super) last_used: Moment,
    /// Inbound sequence numbers.
    pub(super) inbound: Window,
    /// The last requests; in a box, because the map of sessions has many free places.
    pub(super) recent: Box<Recent>,
    /// The last response of the login, until the first packet shows that it arrived.
    pub(super) login_response: Option<LoginResponse>,
}

/// The way from the BMC to the client of a session.
pub(super) struct Link {
    /// The BMC's session id: even, not 0, random.
    pub(super) id: SessionId,
    /// Next outbound sequence number.
    pub(super) outbound: u32,
    /// How packets are protected, both ways.
    pub(super) protection: Protection,
}

/// The last response of a login, should it be asked for again.
pub(super) enum LoginResponse {
    /// To Activate Session.
    Activation {
        /// The initial inbound sequence number it was told.
        inbound: u32,
    },
    /// RAKP Message 4.
    Rakp4 {
        /// Authentication code of RAKP Message 3.
        rakp3_code: Tag,
        /// Integrity check value of the response.
        check_value: Tag,
    },
}

/// How packets are protected.
pub(super) enum Protection {
    /// IPMI 1.5.
    Ipmi15 {
        /// Authentication type of every packet.
        auth_type: AuthType,
        /// First 16 bytes of the password.
        password: Secret<16>,
    },
    /// RMCP+.
    RmcpPlus(Box<RmcpPlus>),
}

/// Protection of an RMCP+ session.
pub(super) struct RmcpPlus {
    /// The console's session id.
    pub(super) console_id: u32,
    /// The cipher suite.
    pub(super) suite: &'static Suite,
    /// Keys in use.
    pub(super) keys: Keys,
    /// Keys of the other dialect, until the first packet shows which the
    /// client uses ([`Dialect`]).
    pub(super) alternative: Option<Box<Keys>>,
}

impl RmcpPlus {
    /// Protection of a session with this suite.
    pub(super) fn new(
        console_id: u32,
        suite: &'static Suite,
        mut key: Option<SessionKey>,
        password: &Secret<20>,
    ) -> Option<Self> {
        let keys = Keys::new(suite, key.as_mut(), Dialect::Common, password)?;
        let ambiguous = suite.authentication == Authentication::HmacMd5
            && (suite.integrity == Integrity::HmacMd5_128 || suite.confidentiality != Confidentiality::None);
        let alternative = match ambiguous {
            true => Some(Box::new(Keys::new(suite, key.as_mut(), Dialect::OpenIpmi, password)?)),
            false => None,
        };
        Some(Self { console_id, suite, keys, alternative })
    }

    /// Checks the code of an authenticated packet, from format byte to end, and where it
    /// settles the question takes the right keys.
    pub(super) fn verify(&mut self, packet: &[u8], payload_end: usize) -> bool {
        fn fits(keys: &mut Keys, packet: &[u8], payload_end: usize) -> bool {
            let Some(signer) = &mut keys.signer else { return false };
            let Some(split) = packet.len().checked_sub(signer.length()).filter(|split| *split >= payload_end) else {
                return false;
            };
            let (signed, code) = packet.split_at(split);
            signer.verify(signed, code)
        }
        let settles = matches!(self.keys.signer, Some(Signer::Hmac { .. }));
        if fits(&mut self.keys, packet, payload_end) {
            if settles {
                self.alternative = None;
            }
            return true;
        }
        if !self.alternative.as_mut().is_some_and(|keys| settles && fits(keys, packet, payload_end)) {
            return false;
        }
        if let Some(mut keys) = self.alternative.take() {
            // What is left in the box is wiped; a copy would leave these.
            std::mem::swap(&mut self.keys, &mut keys);
        }
        true
    }

    /// Decrypts the payload of a packet whose code was checked. While two sets of keys
    /// are possible, those are the right ones that give an IPMI message.
    pub(super) fn decrypt<'a>(&mut self, payload: &'a mut [u8]) -> Option<&'a mut [u8]> {
        if let Some(mut alternative) = self.alternative.take() {
            let gives_message = |keys: &Keys| {
                let mut copy = payload.to_vec();
                let plain = keys.cipher.as_ref().and_then(|cipher| cipher.decrypt(&mut copy));
                plain.is_some_and(|plain| ipmb::Message::parse(plain).is_ok())
            };
            if !gives_message(&self.keys) {
                if !gives_message(&alternative) {
                    self.alternative = Some(alternative);
                    return None;
                }
                std::mem::swap(&mut self.keys, &mut alternative);
            }
        }
        match &self.keys.cipher {
            Some(cipher) => cipher.decrypt(payload),
            None => Some(payload),
        }
    }
}

impl Session {
    /// When the session ends if nothing comes.
    pub(super) fn deadline(&self) -> Moment {
        self.last_used + SESSION_LIFE
    }
}

impl Link {
    /// Whether the session is an RMCP+ session.
    pub(super) fn is_rmcp_plus(&self) -> bool {
        matches!(self.protection, Protection::RmcpPlus(_))
    }

    /// Whether packets carry an integrity code.
    pub(super) fn is_authenticated(&self) -> bool {
        match &self.protection {
            Protection::Ipmi15 { auth_type, .. } => *auth_type != AuthType::None,
            Protection::RmcpPlus(plus) => plus.keys.signer.is_some(),
        }
    }

    /// Whether packets are encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        match &self.protection {
            Protection::Ipmi15 { .. } => false,
            Protection::RmcpPlus(plus) => plus.keys.cipher.is_some(),
        }
    }

    /// Whether nothing but the source address protects the session's packets.
    pub(super) fn is_bound(&self) -> bool {
        match &self.protection {
            Protection::Ipmi15 { auth_type, .. } => *auth_type == AuthType::None,
            Protection::RmcpPlus(plus) => plus.keys.signer.is_none(),
        }
    }

    /// The longest message that fits into a packet.
    pub(super) fn max_message(&self) -> usize {
        match &self.protection {
            Protection::Ipmi15 { .. } => session15::MAX_MESSAGE,
            Protection::RmcpPlus(_) => usize::from(u16::MAX) - 64,
        }
    }

    /// Takes the next outbound sequence number; 0 is left out.
    pub(super) fn next_sequence(&mut self) -> u32 {
        let sequence = self.outbound;
        self.outbound = sequence.checked_add(1).unwrap_or(1);
        sequence
    }

    /// Sends a payload under a sequence number. SOL has no form in IPMI 1.5 and is left out.
    pub(super) fn send(
        &mut self,
        to: Peer,
        sequence: u32,
        payload_type: PayloadType,
        payload: &[u8],
        random: &mut dyn Random,
        out: &mut Outbox,
    ) {
        match &mut self.protection {
            Protection::Ipmi15 { auth_type, password } => {
                if payload_type == PayloadType::Ipmi {
                    let header = session15::Header { auth_type: *auth_type, sequence, session_id: self.id.0 };
                    send_ipmi15(to, header, password, payload, out);
                }
            }
            Protection::RmcpPlus(plus) => {
                let RmcpPlus { console_id, keys, .. } = &mut **plus;
                out.datagram(to, |out| {
                    keys.seal(*console_id, sequence, payload_type, random, out, |out| out.extend_from_slice(payload));
                });
            }
        }
    }
}

/// Whether the code of an IPMI 1.5 packet is right; without an algorithm there is none.
pub(super) fn verify_ipmi15(packet: &session15::Packet<'_>, password: &Secret<16>) -> bool {
    let session15::Header { auth_type, sequence, session_id } = packet.header;
    match (code_algorithm(auth_type), packet.code) {
        (None, None) => true,
        (Some(algorithm), Some(code)) => algorithm.verify(password, session_id, sequence, packet.message, code),
        _ => false,
    }
}

/// Sends a message in an IPMI 1.5 packet.
pub(super) fn send_ipmi15(
    to: Peer,
    header: session15::Header,
    password: &Secret<16>,
    message: &[u8],
    out: &mut Outbox,
) {
    out.datagram(to, |out| seal15(header, password, message, out));
}
