//! The client's side of an RMCP+ session without a socket: what the load generator sends, and what
//! the test that counts allocations sends. Built of the library's own `wire` and `crypto`.

// Each program is built with all of this and uses its own part of it.
#![allow(dead_code)]

use ipmi_sim::crypto::rakp::{Dialect, Exchange};
use ipmi_sim::crypto::{Cipher, Secret, Signer, Suite};
use ipmi_sim::ipmi::Random;
use ipmi_sim::wire::ipmb::{Message, REMOTE_CONSOLE};
use ipmi_sim::wire::rakp::{Algorithms, OpenSessionRequest, OpenSessionResponse, Rakp1, Rakp2, Rakp3, Rakp4, Status};
use ipmi_sim::wire::rmcp::{self, Class};
use ipmi_sim::wire::session20::{HEADER_LENGTH, Header, PayloadType, emit_trailer, set_payload_length};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

/// Network function App.
const APP: u8 = 0x06;
/// Get Device ID, the smallest thing a BMC does.
pub const GET_DEVICE_ID: u8 = 0x01;
/// Set Session Privilege Level.
pub const SET_SESSION_PRIVILEGE_LEVEL: u8 = 0x3b;
/// Privilege level administrator.
pub const ADMINISTRATOR: u8 = 4;
/// Look the user up by name only.
const NAME_ONLY: u8 = 0x10;
const BMC: u8 = 0x20;

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A generator seeded by the operating system.
pub struct SystemRandom(StdRng);

impl SystemRandom {
    pub fn new() -> Self {
        Self(StdRng::from_os_rng())
    }
}

impl Random for SystemRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

/// What a datagram of a session holds.
pub enum Received<'a> {
    /// An answer with completion code 00h: its sequence number and the data behind the code.
    Answer { seq: u8, data: &'a [u8] },
    /// A SOL packet.
    Sol(&'a [u8]),
}

/// An established session.
pub struct Client {
    /// The BMC's session id.
    pub bmc_id: u32,
    sequence: u32,
    signer: Option<Signer>,
    cipher: Option<Cipher>,
    random: SystemRandom,
}

impl Client {
    /// Logs in as an administrator; `ask` sends a datagram and gives the one that answers it.
    pub fn login(suite: u8, user: &str, password: &str, mut ask: impl FnMut(&[u8]) -> Result<Vec<u8>>) -> Result<Self> {
        let suite = Suite::from_id(suite).ok_or("no such cipher suite")?;
        let mut random = SystemRandom::new();
        let console_id = random.0.next_u32() | 1;
        let refused = |step: &str, status: Status| format!("{step} is refused with status {:#04x}", status.0);

        let open = OpenSessionRequest {
            tag: 1,
            privilege: ADMINISTRATOR,
            console_id,
            algorithms: Ok(Algorithms {
                authentication: Some(suite.authentication as u8),
                integrity: Some(suite.integrity as u8),
                confidentiality: Some(suite.confidentiality as u8),
            }),
        };
        let answer = ask(&setup(PayloadType::OpenSessionRequest, |out| open.emit(out)))?;
        let opened = OpenSessionResponse::parse(payload(&answer)?)?;
        let bmc_id = opened.map_err(|status| refused("Open Session", status))?.bmc_id;

        let mut console_random = [0; 16];
        random.fill(&mut console_random);
        let (role, name) = (NAME_ONLY | ADMINISTRATOR, user.as_bytes());
        let rakp1 = Rakp1 { tag: 2, bmc_id, random: &console_random, role, name: Ok(name) };
        let answer = ask(&setup(PayloadType::Rakp1, |out| rakp1.emit(out)))?;
        let rakp2 = Rakp2::parse(payload(&answer)?)?.map_err(|status| refused("RAKP Message 1", status))?;

        let mut key = [0; 20];
        key.iter_mut().zip(password.bytes()).for_each(|(to, from)| *to = from);
        let password = Secret::new(key);
        let secrets = Exchange {
            authentication: suite.authentication,
            console_id,
            bmc_id,
            console_random: &console_random,
            bmc_random: rakp2.random,
            guid: rakp2.guid,
            role,
            name,
            dialect: Dialect::Common,
        };
        let code = secrets.rakp3_code(&password);
        let rakp3 = Rakp3 { tag: 3, status: Status::OK, bmc_id, code: code.bytes() };
        let answer = ask(&setup(PayloadType::Rakp3, |out| rakp3.emit(out)))?;
        Rakp4::parse(payload(&answer)?)?.map_err(|status| refused("RAKP Message 3", status))?;

        let mut key = secrets.session_key(&password);
        let signer = Signer::new(suite.integrity, key.as_mut(), Dialect::Common, &password);
        let cipher = Cipher::new(suite.confidentiality, key.as_mut(), Dialect::Common);
        Ok(Self { bmc_id, sequence: 0, signer, cipher, random })
    }

    /// Writes the datagram of a request to network function App into `packet`.
    pub fn request(&mut self, seq: u8, cmd: u8, data: &[u8], packet: &mut Vec<u8>) {
        let message = Message { to: BMC, to_lun: 0, netfn: APP, from: REMOTE_CONSOLE, from_lun: 0, seq, cmd, data };
        self.seal(PayloadType::Ipmi, packet, |packet| message.emit(packet));
    }

    /// Writes the datagram of a SOL packet into `packet`.
    pub fn sol(&mut self, payload: &[u8], packet: &mut Vec<u8>) {
        self.seal(PayloadType::Sol, packet, |packet| packet.extend_from_slice(payload));
    }

    fn seal(&mut self, payload_type: PayloadType, packet: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
        self.sequence += 1;
        packet.clear();
        RMCP.emit(packet);
        Header {
            encrypted: self.cipher.is_some(),
            authenticated: self.signer.is_some(),
            session_id: self.bmc_id,
            sequence: self.sequence,
            ..Header::sessionless(payload_type)
        }
        .emit(packet);
        let start = packet.len();
        payload(packet);
        if let Some(cipher) = &self.cipher {
            cipher.encrypt(start, &mut self.random, packet);
        }
        set_payload_length(&mut packet[rmcp::HEADER_LENGTH..]);
        if let Some(signer) = &mut self.signer {
            emit_trailer(packet.len() - start, packet);
            let code = signer.code(&packet[rmcp::HEADER_LENGTH..]);
            packet.extend_from_slice(code.bytes());
        }
    }

    /// Reads an answer: its sequence number; an error if its completion code is not 00h.
    pub fn answer(&self, datagram: &mut [u8]) -> Result<u8> {
        match self.receive(datagram)? {
            Received::Answer { seq, .. } => Ok(seq),
            Received::Sol(_) => Err("a SOL packet instead of an answer".into()),
        }
    }

    /// Reads a datagram of the session. Does not check the integrity code: it is the server that is
    /// measured.
    pub fn receive<'a>(&self, datagram: &'a mut [u8]) -> Result<Received<'a>> {
        let packet = datagram.get_mut(rmcp::HEADER_LENGTH..).ok_or("a short answer")?;
        let header = Header::parse(packet)?;
        let end = header.payload_end();
        let payload = packet.get_mut(HEADER_LENGTH..end).ok_or("a short answer")?;
        let message = match &self.cipher {
            Some(cipher) => cipher.decrypt(payload).ok_or("an answer cannot be decrypted")?,
            None => payload,
        };
        if header.payload_type == PayloadType::Sol {
            return Ok(Received::Sol(message));
        }
        let message = Message::parse(message)?;
        match message.data.split_first() {
            Some((0, data)) => Ok(Received::Answer { seq: message.seq, data }),
            code => Err(format!("command {:#04x} got completion code {code:02x?}", message.cmd).into()),
        }
    }
}

const RMCP: rmcp::Repr = rmcp::Repr { sequence: rmcp::SEQUENCE_NO_ACK, class: Class::Ipmi };

/// A datagram of the login.
fn setup(payload_type: PayloadType, payload: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut packet = Vec::new();
    RMCP.emit(&mut packet);
    Header::sessionless(payload_type).emit(&mut packet);
    payload(&mut packet);
    set_payload_length(&mut packet[rmcp::HEADER_LENGTH..]);
    packet
}

fn payload(datagram: &[u8]) -> Result<&[u8]> {
    Ok(datagram.get(rmcp::HEADER_LENGTH + HEADER_LENGTH..).ok_or("a short answer")?)
}
