//! Clients of both kinds of session: `ipmi_sim_client` with a simulator at the other end, whose every packet must be
//! right.

use std::net::SocketAddr;

use ipmi_sim::crypto::Suite;
use ipmi_sim::wire::ipmb::Message;
use ipmi_sim::wire::session15::AuthType;
use ipmi_sim::wire::session20::{self, PayloadType};
use ipmi_sim_client::{Error, Session, ipmi15, outside, rmcp_plus};

use super::accounts::{ADMINISTRATOR, Account, BMC_KEY};
use super::rig::{Dice, Rig};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ipmi15,
    RmcpPlus,
}

/// A session.
pub struct Client {
    session: Session,
    pub from: SocketAddr,
    kind: Kind,
    rq_seq: u8,
    /// The console's id is of this session only, so what comes to it must be right.
    pub sure: bool,
    dice: Dice,
}

/// The session set-up of RMCP+, each step on its own.
pub struct Handshake {
    login: rmcp_plus::Login,
    from: SocketAddr,
}

const CONSOLE_RANDOM: [u8; 16] = [0x5c; 16];

impl Handshake {
    /// `with_key`: the key is K_G and not the password.
    pub fn new(account: Account, suite: u8, role: u8, console_id: u32, from: SocketAddr, with_key: bool) -> Self {
        let suite = Suite::from_id(suite).or(Suite::from_id(3)).expect("suite 3");
        let account = account.of_channel(with_key.then_some(BMC_KEY));
        Self { login: rmcp_plus::Login::new(account, suite, role, console_id, CONSOLE_RANDOM), from }
    }

    pub fn open(&self) -> Vec<u8> {
        self.login.open_session()
    }

    pub fn take_open(&mut self, sent: &[(SocketAddr, Vec<u8>)]) -> Option<()> {
        self.login.take_open_session(answer_to(self.from, sent)?).ok()
    }

    pub fn rakp1(&self) -> Vec<u8> {
        self.login.rakp1()
    }

    pub fn take_rakp2(&mut self, sent: &[(SocketAddr, Vec<u8>)]) -> Option<()> {
        self.login.take_rakp2(answer_to(self.from, sent)?).ok().map(drop)
    }

    pub fn rakp3(&self) -> Vec<u8> {
        self.login.rakp3()
    }

    pub fn take_rakp4(&self, sent: &[(SocketAddr, Vec<u8>)]) -> Option<()> {
        self.login.take_rakp4(answer_to(self.from, sent)?).ok().map(drop)
    }

    pub fn client(&self) -> Client {
        let session = self.login.session().expect("keys of a suite");
        Client { session, from: self.from, kind: Kind::RmcpPlus, rq_seq: 0, sure: true, dice: Dice(99) }
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
        let mut login = ipmi15::Login::new(account.of_channel(None), auth_type, level, 0x1000);
        rig.datagram(from, &login.get_challenge());
        login.take_challenge(answer_to(from, &rig.sent)?).ok()?;
        rig.datagram(from, &login.activate());
        let (session, _) = login.take_activation(answer_to(from, &rig.sent)?).ok()?;
        Some(Self { session, from, kind: Kind::Ipmi15, rq_seq: 4, sure: true, dice: Dice(99) })
    }

    pub fn next_sequence(&mut self) -> u32 {
        self.session.next_sequence()
    }

    /// Moves the next session sequence number.
    pub fn skip(&mut self, by: i32) {
        self.session.sequence = self.session.sequence.wrapping_add_signed(by);
    }

    /// A request with the next requester's sequence number.
    pub fn message(&mut self, netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
        let seq = self.rq_seq;
        self.rq_seq = (seq + 1) % 64;
        message(seq, netfn, cmd, data)
    }

    /// A packet as this session's packets must be, whatever is in it.
    pub fn packet(&mut self, sequence: u32, kind: PayloadType, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.session.seal_at(sequence, kind, &mut self.dice, &mut out, |out| out.extend_from_slice(payload));
        out
    }

    /// Signs a packet anew whose bytes were changed in front of the code.
    pub fn sign_again(&mut self, packet: &mut Vec<u8>) {
        let length = self.session.code_length();
        if length > 0
            && let Some(end) = packet.len().checked_sub(length).filter(|end| *end > 4)
        {
            packet.truncate(end);
            self.session.sign(packet);
        }
    }

    /// What is sent in this session is signed and encrypted as it must be, and newer than
    /// what came before. Gives the payload of what belongs to this session.
    pub fn read(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        if !self.sure || !self.session.owns(datagram) {
            return None;
        }
        if self.kind == Kind::RmcpPlus {
            let kind = session20::Header::parse(&datagram[4..]).ok()?.payload_type;
            if !matches!(kind, PayloadType::Ipmi | PayloadType::Sol) {
                return None;
            }
        }
        let mut bytes = datagram.to_vec();
        match self.session.open(&mut bytes) {
            Ok(opened) => Some(opened.payload.to_vec()),
            // Without per-message authentication.
            Err(Error::Unprotected) if self.kind == Kind::Ipmi15 => {
                Some(self.session.open_unverified(&mut bytes).ok()?.payload.to_vec())
            }
            Err(why) => panic!("a packet is not as it must be: {why}"),
        }
    }

    /// Sends a request; the response, if it came at once.
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
    ipmi_sim_client::request(seq, netfn, cmd, data).emit(&mut out);
    out
}

/// A request in IPMI 1.5 format outside sessions.
pub fn sessionless15(netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
    outside::request15(netfn, cmd, data)
}

fn answer_to(to: SocketAddr, sent: &[(SocketAddr, Vec<u8>)]) -> Option<&[u8]> {
    sent.iter().find(|(address, _)| *address == to).map(|(_, datagram)| datagram.as_slice())
}

/// A change for every state file, by an administrator.
pub fn use_every_file(rig: &mut Rig) {
    // The files may have taken the accounts away.
    let from = "192.0.2.99:1".parse().expect("an address");
    let Some(mut client) = Client::log_in(rig, ADMINISTRATOR, 3, 0x14, from) else { return };
    client.ask(rig, 6, 0x3b, &[4]);
    for (netfn, cmd, data) in [
        (6, 0x45u8, b"\x05new\0\0\0\0\0\0\0\0\0\0\0\0\0".as_slice()),
        (0x0a, 0x44, &[0, 0, 2, 0, 0, 0, 0, 0x20, 0, 4, 1, 1, 1, 1, 1, 1]),
        (0x0a, 0x24, &[0, 0, 0x51, 0xc0, 3, 1, 2, 3]),
        (6, 0x40, &[1, 0x42, 0x44]),
        (0x0c, 0x21, &[0x0e, 5, 6]),
        (0x0a, 0x43, &[0, 0, 0, 0, 0, 0xff]),
        (0x0a, 0x23, &[0, 0, 0, 0, 0, 0xff]),
    ] {
        client.ask(rig, netfn, cmd, data);
        rig.finish_jobs(&[0]);
    }
}
