//! The client's side of a session without a socket: what the load generator sends, and what the
//! test that counts allocations sends. Built of the library's own `wire`, `crypto` and `lan::packet`.

use std::fmt;
use std::str::FromStr;

use ipmi_sim::crypto::rakp::{Dialect, Exchange};
use ipmi_sim::crypto::{Secret, Suite};
use ipmi_sim::ipmi::Random;
use ipmi_sim::lan::packet::{Keys, outside_sessions, seal15};
use ipmi_sim::wire::ipmb::{Message, REMOTE_CONSOLE};
use ipmi_sim::wire::rakp::{Algorithms, OpenSessionRequest, OpenSessionResponse, Rakp1, Rakp2, Rakp3, Rakp4, Status};
use ipmi_sim::wire::rmcp;
use ipmi_sim::wire::session15::{self, AuthType};
use ipmi_sim::wire::session20::{HEADER_LENGTH, Header, PayloadType};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

/// Network function App.
pub const APP: u8 = 0x06;
/// Get Device ID, the smallest thing a BMC does.
pub const GET_DEVICE_ID: u8 = 0x01;
/// Get Session Challenge.
const GET_SESSION_CHALLENGE: u8 = 0x39;
/// Activate Session.
const ACTIVATE_SESSION: u8 = 0x3a;
/// Set Session Privilege Level.
pub const SET_SESSION_PRIVILEGE_LEVEL: u8 = 0x3b;
/// Close Session.
pub const CLOSE_SESSION: u8 = 0x3c;
/// Privilege level administrator.
pub const ADMINISTRATOR: u8 = 4;
/// Look the user up by name only.
const NAME_ONLY: u8 = 0x10;
const BMC: u8 = 0x20;

/// Any error, for a person to read.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A generator seeded by the operating system.
pub struct SystemRandom(StdRng);

impl SystemRandom {
    /// A new one.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self(StdRng::from_os_rng())
    }
}

impl Random for SystemRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

/// The kind of session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// RMCP+ with this cipher suite.
    Suite(u8),
    /// IPMI 1.5 with MD5.
    Md5,
}

impl FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text == "md5" {
            return Ok(Self::Md5);
        }
        text.parse().map(Self::Suite).map_err(|_| "the number of a cipher suite, or md5".into())
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suite(suite) => write!(f, "suite {suite}"),
            Self::Md5 => f.write_str("IPMI 1.5 md5"),
        }
    }
}

/// What a datagram of a session holds.
pub enum Received<'a> {
    /// An answer: its sequence number, completion code and the data behind it.
    Answer { seq: u8, code: u8, data: &'a [u8] },
    /// A SOL packet.
    Sol(&'a [u8]),
}

enum Protection {
    RmcpPlus { keys: Box<Keys>, random: Box<SystemRandom> },
    Md5 { password: Secret<16> },
}

/// An established session.
pub struct Client {
    /// The BMC's session id.
    pub bmc_id: u32,
    /// Of the next packet.
    sequence: u32,
    protection: Protection,
}

impl Client {
    /// Logs in as an administrator; `ask` sends a datagram and gives the one that answers it.
    pub fn login(way: Way, user: &str, password: &str, ask: impl FnMut(&[u8]) -> Result<Vec<u8>>) -> Result<Self> {
        match way {
            Way::Suite(suite) => Self::login_rmcp_plus(suite, user, password, ask),
            Way::Md5 => Self::login_md5(user, password, ask),
        }
    }

    fn login_rmcp_plus(
        suite: u8,
        user: &str,
        password: &str,
        mut ask: impl FnMut(&[u8]) -> Result<Vec<u8>>,
    ) -> Result<Self> {
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

        let password = Secret::new(padded(password));
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
        let keys = Keys::new(suite, key.as_mut(), Dialect::Common, &password).ok_or("no keys for this suite")?;
        let protection = Protection::RmcpPlus { keys: Box::new(keys), random: Box::new(random) };
        Ok(Self { bmc_id, sequence: 1, protection })
    }

    fn login_md5(user: &str, password: &str, mut ask: impl FnMut(&[u8]) -> Result<Vec<u8>>) -> Result<Self> {
        let auth_type = AuthType::Md5;
        let password = Secret::new(padded(password));
        let mut packet = Vec::new();
        let mut command = |header, seq, cmd, data: &[u8]| -> Result<Vec<u8>> {
            let mut message = Vec::new();
            request(APP, seq, cmd, data).emit(&mut message);
            packet.clear();
            seal15(header, &password, &message, &mut packet);
            let answer = ask(&packet)?;
            let answer = session15::Packet::parse(answer.get(rmcp::HEADER_LENGTH..).ok_or("a short answer")?)?;
            match Message::parse(answer.message)?.data.split_first() {
                Some((0, data)) => Ok(data.to_vec()),
                code => Err(format!("command {cmd:#04x} of the login got {code:02x?}").into()),
            }
        };
        let word = |bytes: &[u8], at: usize| -> Result<u32> {
            let bytes = bytes.get(at..at + 4).ok_or("a short answer")?;
            Ok(u32::from_le_bytes(bytes.try_into()?))
        };

        let mut data = vec![auth_type as u8];
        data.extend_from_slice(&padded::<16>(user));
        let outside = session15::Header { auth_type: AuthType::None, sequence: 0, session_id: 0 };
        let challenge = command(outside, 0, GET_SESSION_CHALLENGE, &data)?;

        let mut data = vec![auth_type as u8, ADMINISTRATOR];
        data.extend_from_slice(challenge.get(4..20).ok_or("a short challenge")?);
        data.extend_from_slice(&1u32.to_le_bytes());
        let header = session15::Header { auth_type, sequence: 0, session_id: word(&challenge, 0)? };
        let activated = command(header, 1, ACTIVATE_SESSION, &data)?;
        let (bmc_id, sequence) = (word(&activated, 1)?, word(&activated, 5)?);
        Ok(Self { bmc_id, sequence, protection: Protection::Md5 { password } })
    }

    /// Writes the datagram of a request into `packet`.
    pub fn request(&mut self, seq: u8, netfn: u8, cmd: u8, data: &[u8], packet: &mut Vec<u8>) {
        let message = request(netfn, seq, cmd, data);
        let sequence = self.next_sequence();
        packet.clear();
        match &mut self.protection {
            Protection::RmcpPlus { keys, random } => {
                keys.seal(self.bmc_id, sequence, PayloadType::Ipmi, &mut **random, packet, |out| message.emit(out));
            }
            Protection::Md5 { password } => {
                let header = session15::Header { auth_type: AuthType::Md5, sequence, session_id: self.bmc_id };
                let mut bytes = Vec::new();
                message.emit(&mut bytes);
                seal15(header, password, &bytes, packet);
            }
        }
    }

    /// Writes the datagram of a SOL packet into `packet`; IPMI 1.5 has none.
    pub fn sol(&mut self, payload: &[u8], packet: &mut Vec<u8>) {
        let sequence = self.next_sequence();
        packet.clear();
        if let Protection::RmcpPlus { keys, random } = &mut self.protection {
            let put = |out: &mut Vec<u8>| out.extend_from_slice(payload);
            keys.seal(self.bmc_id, sequence, PayloadType::Sol, &mut **random, packet, put);
        }
    }

    fn next_sequence(&mut self) -> u32 {
        let sequence = self.sequence;
        self.sequence = sequence.checked_add(1).unwrap_or(1);
        sequence
    }

    /// Reads an answer: its sequence number; an error if its completion code is not 00h.
    pub fn answer(&self, datagram: &mut [u8]) -> Result<u8> {
        match self.receive(datagram)? {
            Received::Answer { seq, code: 0, .. } => Ok(seq),
            Received::Answer { code, .. } => Err(format!("an answer with completion code {code:02x}h").into()),
            Received::Sol(_) => Err("a SOL packet instead of an answer".into()),
        }
    }

    /// Reads a datagram of the session. Does not check the integrity code: it is the server that is
    /// measured.
    pub fn receive<'a>(&self, datagram: &'a mut [u8]) -> Result<Received<'a>> {
        let packet = datagram.get_mut(rmcp::HEADER_LENGTH..).ok_or("a short answer")?;
        let message = match &self.protection {
            Protection::Md5 { .. } => session15::Packet::parse(packet)?.message,
            Protection::RmcpPlus { keys, .. } => {
                let header = Header::parse(packet)?;
                let payload = packet.get_mut(HEADER_LENGTH..header.payload_end()).ok_or("a short answer")?;
                let message = match &keys.cipher {
                    Some(cipher) => cipher.decrypt(payload).ok_or("an answer cannot be decrypted")?,
                    None => payload,
                };
                if header.payload_type == PayloadType::Sol {
                    return Ok(Received::Sol(message));
                }
                message
            }
        };
        let message = Message::parse(message)?;
        let (code, data) = message.data.split_first().ok_or("an answer without a completion code")?;
        Ok(Received::Answer { seq: message.seq, code: *code, data })
    }
}

fn request(netfn: u8, seq: u8, cmd: u8, data: &[u8]) -> Message<'_> {
    Message { to: BMC, to_lun: 0, netfn, from: REMOTE_CONSOLE, from_lun: 0, seq, cmd, data }
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    bytes
}

/// A datagram of the login.
fn setup(payload_type: PayloadType, payload: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut packet = Vec::new();
    outside_sessions(payload_type, &mut packet, payload);
    packet
}

fn payload(datagram: &[u8]) -> Result<&[u8]> {
    Ok(datagram.get(rmcp::HEADER_LENGTH + HEADER_LENGTH..).ok_or("a short answer")?)
}
