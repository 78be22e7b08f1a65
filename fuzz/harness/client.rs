//! Clients of both kinds of session, made of the library's own `wire` and `crypto`.

use std::net::SocketAddr;

use ipmi_sim::crypto::rakp::{Dialect, Exchange};
use ipmi_sim::crypto::{Secret, Suite};
use ipmi_sim::lan::packet::{Keys, code15, outside_sessions, seal15};
use ipmi_sim::wire::ipmb::{Message, REMOTE_CONSOLE};
use ipmi_sim::wire::rakp::{Algorithms, OpenSessionRequest, OpenSessionResponse, Rakp1, Rakp2, Rakp3, Rakp4, Status};
use ipmi_sim::wire::session15::{self, AuthType};
use ipmi_sim::wire::session20::{self, PayloadType};

use super::rig::{BMC_KEY, Dice, Rig};

/// Who logs in.
#[derive(Clone, Copy)]
pub struct Account {
    pub name: &'static [u8],
    pub password: &'static [u8],
}

enum Protection {
    Ipmi15 { auth_type: AuthType, password: Secret<16> },
    RmcpPlus { console_id: u32, keys: Box<Keys>, dice: Dice },
}

/// A session.
pub struct Client {
    pub session: u32,
    pub from: SocketAddr,
    /// The next session sequence number.
    pub sequence: u32,
    rq_seq: u8,
    /// The console's id is of this session only, so what comes to it must be right.
    pub sure: bool,
    protection: Protection,
}

/// The session set-up of RMCP+, each step on its own.
pub struct Handshake {
    account: Account,
    suite: &'static Suite,
    role: u8,
    from: SocketAddr,
    pub console_id: u32,
    pub bmc_id: u32,
    bmc_random: [u8; 16],
    guid: [u8; 16],
    /// The key is K_G and not the password.
    with_key: bool,
}

const CONSOLE_RANDOM: [u8; 16] = [0x5c; 16];

impl Handshake {
    pub fn new(account: Account, suite: u8, role: u8, console_id: u32, from: SocketAddr, with_key: bool) -> Self {
        let suite = Suite::from_id(suite).or(Suite::from_id(3)).expect("suite 3");
        Self { account, suite, role, from, console_id, bmc_id: 0, bmc_random: [0; 16], guid: [0; 16], with_key }
    }

    pub fn open(&self) -> Vec<u8> {
        let request = OpenSessionRequest {
            tag: 7,
            privilege: 0,
            console_id: self.console_id,
            algorithms: Ok(Algorithms {
                authentication: Some(self.suite.authentication as u8),
                integrity: Some(self.suite.integrity as u8),
                confidentiality: Some(self.suite.confidentiality as u8),
            }),
        };
        sessionless20(PayloadType::OpenSessionRequest, |out| request.emit(out))
    }

    pub fn take_open(&mut self, sent: &[(SocketAddr, Vec<u8>)]) -> Option<()> {
        let payload = answer_to(self.from, PayloadType::OpenSessionResponse, sent)?;
        self.bmc_id = OpenSessionResponse::parse(payload).ok()?.ok()?.bmc_id;
        Some(())
    }

    pub fn rakp1(&self) -> Vec<u8> {
        let name = Ok(self.account.name);
        let message = Rakp1 { tag: 8, bmc_id: self.bmc_id, random: &CONSOLE_RANDOM, role: self.role, name };
        sessionless20(PayloadType::Rakp1, |out| message.emit(out))
    }

    pub fn take_rakp2(&mut self, sent: &[(SocketAddr, Vec<u8>)]) -> Option<()> {
        let payload = answer_to(self.from, PayloadType::Rakp2, sent)?;
        let rakp2 = Rakp2::parse(payload).ok()?.ok()?;
        (self.bmc_random, self.guid) = (*rakp2.random, *rakp2.guid);
        Some(())
    }

    fn exchange(&self) -> Exchange<'_> {
        Exchange {
            authentication: self.suite.authentication,
            console_id: self.console_id,
            bmc_id: self.bmc_id,
            console_random: &CONSOLE_RANDOM,
            bmc_random: &self.bmc_random,
            guid: &self.guid,
            role: self.role,
            name: self.account.name,
            dialect: Dialect::Common,
        }
    }

    pub fn rakp3(&self) -> Vec<u8> {
        let code = self.exchange().rakp3_code(&Secret::new(padded(self.account.password)));
        let message = Rakp3 { tag: 9, status: Status::OK, bmc_id: self.bmc_id, code: code.bytes() };
        sessionless20(PayloadType::Rakp3, |out| message.emit(out))
    }

    pub fn take_rakp4(&self, sent: &[(SocketAddr, Vec<u8>)]) -> Option<()> {
        let payload = answer_to(self.from, PayloadType::Rakp4, sent)?;
        Rakp4::parse(payload).ok()?.ok().map(drop)
    }

    pub fn client(&self) -> Client {
        let password = Secret::new(padded(self.account.password));
        let key = if self.with_key { Secret::new(*BMC_KEY) } else { password.clone() };
        let mut key = self.exchange().session_key(&key);
        let keys = Keys::new(self.suite, key.as_mut(), Dialect::Common, &password).expect("keys of a suite");
        let protection = Protection::RmcpPlus { console_id: self.console_id, keys: Box::new(keys), dice: Dice(99) };
        Client { session: self.bmc_id, from: self.from, sequence: 1, rq_seq: 0, sure: true, protection }
    }
}

impl Client {
    /// A login by RMCP+ whose every step is right.
    pub fn log_in(rig: &mut Rig, account: Account, suite: u8, role: u8, from: SocketAddr) -> Option<Self> {
        Self::log_in_with(rig, Handshake::new(account, suite, role, 0x1122_3344, from, false))
    }

    pub fn log_in_with(rig: &mut Rig, mut handshake: Handshake) -> Option<Self> {
        let from = handshake.from;
        rig.datagram(from, &handshake.open());
        handshake.take_open(&rig.sent)?;
        rig.datagram(from, &handshake.rakp1());
        handshake.take_rakp2(&rig.sent)?;
        rig.datagram(from, &handshake.rakp3());
        handshake.take_rakp4(&rig.sent)?;
        Some(handshake.client())
    }

    /// A login by IPMI 1.5.
    pub fn log_in_15(
        rig: &mut Rig,
        account: Account,
        auth_type: AuthType,
        level: u8,
        from: SocketAddr,
    ) -> Option<Self> {
        let mut data = vec![auth_type as u8];
        data.extend_from_slice(&padded::<16>(account.name));
        rig.datagram(from, &sessionless15(6, 0x39, &data));
        let (_, answer) = rig.sent.iter().find(|(to, _)| *to == from)?;
        let answer = message15(answer)?;
        let [0, i0, i1, i2, i3, challenge @ ..] = answer.as_slice() else { return None };
        let id = u32::from_le_bytes([*i0, *i1, *i2, *i3]);
        let mut data = vec![auth_type as u8, level];
        data.extend_from_slice(challenge);
        data.extend_from_slice(&0x1000u32.to_le_bytes());
        let password = Secret::new(padded(account.password));
        let header = session15::Header { auth_type, sequence: 0, session_id: id };
        rig.datagram(from, &packet15(header, &password, &message(3, 6, 0x3a, &data)));
        let (_, answer) = rig.sent.iter().find(|(to, _)| *to == from)?;
        let answer = message15(answer)?;
        let [0, _, s0, s1, s2, s3, q0, q1, q2, q3, _] = *answer.as_slice() else { return None };
        Some(Self {
            session: u32::from_le_bytes([s0, s1, s2, s3]),
            from,
            sequence: u32::from_le_bytes([q0, q1, q2, q3]),
            rq_seq: 4,
            sure: true,
            protection: Protection::Ipmi15 { auth_type, password },
        })
    }

    pub fn next_sequence(&mut self) -> u32 {
        let sequence = self.sequence;
        self.sequence = sequence.checked_add(1).unwrap_or(1);
        sequence
    }

    /// A request with the next requester's sequence number.
    pub fn message(&mut self, netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
        let seq = self.rq_seq;
        self.rq_seq = (seq + 1) % 64;
        message(seq, netfn, cmd, data)
    }

    /// A packet as this session's packets must be, whatever is in it.
    pub fn packet(&mut self, sequence: u32, kind: PayloadType, payload: &[u8]) -> Vec<u8> {
        match &mut self.protection {
            Protection::Ipmi15 { auth_type, password } => {
                let header = session15::Header { auth_type: *auth_type, sequence, session_id: self.session };
                packet15(header, password, payload)
            }
            Protection::RmcpPlus { keys, dice, .. } => {
                let mut out = Vec::new();
                keys.seal(self.session, sequence, kind, dice, &mut out, |out| out.extend_from_slice(payload));
                out
            }
        }
    }

    /// Signs a packet anew whose bytes were changed in front of the code.
    pub fn sign_again(&mut self, packet: &mut [u8]) {
        if let Protection::RmcpPlus { keys, .. } = &mut self.protection
            && let Some(signer) = &mut keys.signer
            && let Some(end) = packet.len().checked_sub(signer.length()).filter(|end| *end > 4)
        {
            let code = signer.code(&packet[4..end]);
            packet[end..].copy_from_slice(code.bytes());
        }
    }

    /// What is sent in this session is signed and encrypted as it must be, and newer than
    /// what came before. Gives the payload of what belongs to this session.
    pub fn read(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        let packet = &datagram[4..];
        match &mut self.protection {
            Protection::Ipmi15 { auth_type, password } => {
                let packet = session15::Packet::parse(packet).ok()?;
                if packet.header.session_id != self.session {
                    return None;
                }
                if packet.header.auth_type == *auth_type {
                    assert_eq!(packet.code.copied(), code15(packet.header, password, packet.message));
                }
                Some(packet.message.to_vec())
            }
            Protection::RmcpPlus { console_id, keys, .. } => {
                let Keys { signer, cipher } = &mut **keys;
                let header = session20::Header::parse(packet).ok()?;
                let in_session = matches!(header.payload_type, PayloadType::Ipmi | PayloadType::Sol);
                if header.session_id != *console_id || !in_session || !self.sure {
                    return None;
                }
                assert_eq!((header.authenticated, header.encrypted), (signer.is_some(), cipher.is_some()));
                if let Some(signer) = signer {
                    let (signed, code) = packet.split_at(packet.len() - signer.length());
                    assert!(signer.verify(signed, code), "a packet with a wrong code");
                }
                let mut payload = packet[session20::HEADER_LENGTH..header.payload_end()].to_vec();
                match cipher {
                    Some(cipher) => Some(cipher.decrypt(&mut payload).expect("a right pad").to_vec()),
                    None => Some(payload),
                }
            }
        }
    }

    /// Sends a request; the answer, if it came at once.
    pub fn ask(&mut self, rig: &mut Rig, netfn: u8, cmd: u8, data: &[u8]) -> Option<Vec<u8>> {
        let message = self.message(netfn, cmd, data);
        let sequence = self.next_sequence();
        let packet = self.packet(sequence, PayloadType::Ipmi, &message);
        rig.datagram(self.from, &packet);
        let sent = std::mem::take(&mut rig.sent);
        sent.iter().filter_map(|(_, datagram)| self.read(datagram)).find_map(|bytes| {
            let message = Message::parse(&bytes).expect("a message");
            ((message.netfn, message.cmd) == (netfn | 1, cmd)).then(|| message.data.to_vec())
        })
    }
}

pub fn message(seq: u8, netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Message { to: 0x20, to_lun: 0, netfn, from: REMOTE_CONSOLE, from_lun: 0, seq, cmd, data }.emit(&mut out);
    out
}

/// A request in IPMI 1.5 format outside sessions.
pub fn sessionless15(netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
    let header = session15::Header { auth_type: AuthType::None, sequence: 0, session_id: 0 };
    packet15(header, &Secret::new([0; 16]), &message(0, netfn, cmd, data))
}

/// A payload in RMCP+ format outside sessions.
pub fn sessionless20(kind: PayloadType, payload: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    outside_sessions(kind, &mut out, payload);
    out
}

fn packet15(header: session15::Header, password: &Secret<16>, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    seal15(header, password, message, &mut out);
    out
}

/// Completion code and data of an answer in IPMI 1.5 format.
fn message15(datagram: &[u8]) -> Option<Vec<u8>> {
    let packet = session15::Packet::parse(&datagram[4..]).ok()?;
    Some(Message::parse(packet.message).ok()?.data.to_vec())
}

fn answer_to(to: SocketAddr, kind: PayloadType, sent: &[(SocketAddr, Vec<u8>)]) -> Option<&[u8]> {
    let (_, datagram) = sent.iter().find(|(address, _)| *address == to)?;
    let header = session20::Header::parse(&datagram[4..]).ok()?;
    (header.payload_type == kind).then(|| &datagram[4 + session20::HEADER_LENGTH..])
}

fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out[..bytes.len()].copy_from_slice(bytes);
    out
}
