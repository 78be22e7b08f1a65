//! A site with users, a bench that plays network, simulator and clock for one channel, and
//! clients of both kinds, all in virtual time.

#![allow(missing_docs, clippy::new_without_default, clippy::should_implement_trait, reason = "for tests only")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::packet::{Keys, code15, outside_sessions, seal15};
use super::{Authority, Event, LanChannel, LanUser, Neighbour, Outbox, Received, ReplyTo, Settings, Weight};
use crate::crypto::rakp::{Dialect, Exchange};
use crate::crypto::{Secret, Suite};
use crate::ipmi::{AuthTypes, Moment, Origin, Privilege, Random};
use crate::wire::ipmb::Message;
use crate::wire::rakp::{Algorithms, OpenSessionRequest, OpenSessionResponse, Rakp1, Rakp2, Rakp3, Rakp4, Status};
use crate::wire::session15::{self, AuthType};
use crate::wire::session20::{self, PayloadType};

/// What a client can log in to: a channel on its bench, or a whole simulator.
pub trait Server {
    /// Hands in a datagram and takes everything that is sent because of it.
    fn send_from(&mut self, from: &str, datagram: &[u8]) -> Vec<(SocketAddr, Vec<u8>)>;

    /// The highest privilege a session can have.
    fn limit(&self, session: u32) -> u8;

    /// [`send_from`](Self::send_from) the usual address.
    fn send(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        self.send_from(ME, datagram).into_iter().map(|(_, bytes)| bytes).collect()
    }
}

/// Users and limits.
#[derive(Clone)]
pub struct Site {
    pub users: BTreeMap<u8, LanUser>,
    pub limit: Privilege,
    /// By privilege - 1.
    pub auth_types: [AuthTypes; 4],
    pub cipher_privileges: [u8; 9],
    pub bmc_key: Option<[u8; 20]>,
    /// Another LAN channel of the same controller.
    pub neighbour: Option<(u8, Box<Site>)>,
}

impl Default for Site {
    /// User 2 "ipmiusr" with password "test" is administrator; everything but `none` is
    /// allowed.
    fn default() -> Self {
        let all = AuthTypes(AuthTypes::MD2.0 | AuthTypes::MD5.0 | AuthTypes::STRAIGHT.0);
        let mut site = Self {
            users: BTreeMap::new(),
            limit: Privilege::Administrator,
            auth_types: [all; 4],
            bmc_key: None,
            cipher_privileges: [0x44; 9],
            neighbour: None,
        };
        site.add_user(2, "ipmiusr", "test", Privilege::Administrator);
        site
    }
}

impl Site {
    pub fn add_user(&mut self, number: u8, name: &str, password: &str, limit: Privilege) {
        let user = LanUser {
            number,
            name: padded(name),
            password: padded(password),
            limit: Some(limit),
            auths: None,
            sessions: 0,
        };
        self.users.insert(number, user);
    }

    pub fn allow_none(&mut self) {
        self.auth_types.iter_mut().for_each(|types| types.0 |= AuthTypes::NONE.0);
    }
}

impl Authority for Site {
    fn user(&self, number: u8) -> Option<LanUser> {
        self.users.get(&number).cloned()
    }

    fn is_named(&self, number: u8, name: &[u8; 16]) -> bool {
        self.users.get(&number).is_some_and(|user| user.name == *name)
    }

    fn user_limit(&self, number: u8) -> Option<Privilege> {
        self.users.get(&number)?.limit
    }

    fn privilege_limit(&self) -> Privilege {
        self.limit
    }

    fn auth_types(&self, level: Privilege) -> AuthTypes {
        self.auth_types[usize::from(level.wire()) - 1]
    }

    fn bmc_key(&self) -> Option<&[u8; 20]> {
        self.bmc_key.as_ref()
    }

    fn cipher_privileges(&self) -> [u8; 9] {
        self.cipher_privileges
    }

    fn neighbour(&self, channel: u8) -> Neighbour<'_> {
        match (channel, &self.neighbour) {
            (0 | 15, _) => Neighbour::Sessionless,
            (channel, Some((number, site))) if *number == channel => Neighbour::Lan(Box::new(site.as_ref().clone())),
            _ => Neighbour::Absent,
        }
    }
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

/// A generator that is the same in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

impl Random for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| *byte = self.next() as u8);
    }
}

/// What the channel handed to the simulator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handed {
    Request { netfn: u8, cmd: u8, data: Vec<u8>, privilege: Option<Privilege> },
    Response { netfn: u8, data: Vec<u8> },
    Sol { session: u32, payload: Vec<u8> },
}

/// Whether requests are answered at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Quick,
    Slow,
}

/// One channel with everything around it.
pub struct Bench {
    pub channel: LanChannel,
    pub site: Site,
    pub dice: Dice,
    pub now: Moment,
    pub work: Work,
    pub handed: Vec<Handed>,
    /// Where the last request came from.
    pub last_origin: Option<Origin>,
    pub waiting: Vec<ReplyTo>,
    pub events: Vec<Event>,
    out: Outbox,
}

pub const GUID: [u8; 16] = *b"\xa1\x23\x45\x67\x89\xab\xcd\xef\xa1\x23\x45\x67\x89\xab\xcd\xef";
pub const ME: &str = "192.0.2.1:50000";

impl Server for Bench {
    fn send_from(&mut self, from: &str, datagram: &[u8]) -> Vec<(SocketAddr, Vec<u8>)> {
        let from = from.parse().unwrap();
        let mut bytes = datagram.to_vec();
        let received = self.channel.receive(self.now, from, &mut bytes, &self.site, &mut self.dice, &mut self.out);
        let mut answer = None;
        match received {
            Received::Handled => {}
            Received::Request { reply_to, request } => {
                self.last_origin = Some(request.origin);
                self.handed.push(Handed::Request {
                    netfn: request.netfn,
                    cmd: request.cmd,
                    data: request.data.to_vec(),
                    privilege: request.origin.privilege,
                });
                match self.work {
                    Work::Quick => answer = Some(reply_to),
                    Work::Slow => self.waiting.push(reply_to),
                }
            }
            Received::Response { reply_to, data, .. } => {
                self.handed.push(Handed::Response { netfn: reply_to.netfn, data: data.to_vec() });
            }
            Received::Sol { session, payload } => {
                self.handed.push(Handed::Sol { session, payload: payload.to_vec() });
            }
        }
        if let Some(to) = answer {
            let count = self.handed.len() as u8;
            self.channel.respond(&to, &[0, count], &mut self.dice, &mut self.out);
        }
        self.collect()
    }

    fn limit(&self, session: u32) -> u8 {
        self.channel.session(session).unwrap().limit.wire()
    }
}

impl Bench {
    pub fn new() -> Self {
        Self::with(Settings { channel: 1, guid: GUID, udp_port: 623 })
    }

    pub fn with(settings: Settings) -> Self {
        Self {
            channel: LanChannel::new(settings),
            site: Site::default(),
            dice: Dice(1),
            now: Moment::new(Duration::from_secs(1000)),
            work: Work::Quick,
            handed: Vec::new(),
            last_origin: None,
            waiting: Vec::new(),
            events: Vec::new(),
            out: Outbox::default(),
        }
    }

    pub fn wait(&mut self, milliseconds: u64) {
        self.now = self.now + Duration::from_millis(milliseconds);
    }

    /// Lets the clock run to `self.now` for the channel.
    pub fn tick(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        self.channel.timeout(self.now, &self.site, &mut self.dice, &mut self.out);
        let late: Vec<ReplyTo> = self.out.events.iter().filter_map(Event::late).collect();
        for to in late {
            self.handed.push(Handed::Request { netfn: to.netfn, cmd: to.cmd, data: Vec::new(), privilege: None });
            let count = self.handed.len() as u8;
            self.channel.respond(&to, &[0, count], &mut self.dice, &mut self.out);
        }
        self.collect()
    }

    /// Finishes the oldest slow request.
    pub fn finish(&mut self) -> Vec<Vec<u8>> {
        let to = self.waiting.remove(0);
        self.channel.respond(&to, &[0, 0xaa], &mut self.dice, &mut self.out);
        self.collect().into_iter().map(|(_, bytes)| bytes).collect()
    }

    pub fn send_message(&mut self, session: u32, message: &[u8]) -> Vec<Vec<u8>> {
        self.channel.send_message(session, message, &mut self.dice, &mut self.out);
        self.collect().into_iter().map(|(_, bytes)| bytes).collect()
    }

    pub fn send_sol(&mut self, session: u32, payload: &[u8]) -> Vec<(SocketAddr, Vec<u8>)> {
        self.channel.send_sol(session, payload, &mut self.dice, &mut self.out);
        self.collect()
    }

    pub fn close_sessions_of_user(&mut self, user: u8) {
        self.channel.close_sessions_of_user(user, None, &mut self.out);
        self.collect();
    }

    fn collect(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        let sent = self.out.datagrams().map(|(to, bytes)| (to.address, bytes.to_vec())).collect();
        self.events.append(&mut self.out.events);
        self.out.clear();
        sent
    }

    pub fn requests(&self) -> usize {
        self.handed.iter().filter(|handed| matches!(handed, Handed::Request { .. })).count()
    }

    pub fn log(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Log(Weight::Warning, line) => Some(line.as_str()),
                Event::Log(Weight::Info, line) if line.contains("was dropped") => Some(line.as_str()),
                _ => None,
            })
            .collect()
    }
}

impl Event {
    fn late(&self) -> Option<ReplyTo> {
        match self {
            Event::Request(late) => Some(late.to),
            _ => None,
        }
    }
}

/// The one datagram there is.
#[track_caller]
pub fn one(mut datagrams: Vec<Vec<u8>>) -> Vec<u8> {
    assert_eq!(datagrams.len(), 1, "exactly one answer expected: {datagrams:02x?}");
    datagrams.remove(0)
}

/// A message in IPMI 1.5 format outside sessions.
pub fn sessionless15(netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
    let header = session15::Header { auth_type: AuthType::None, sequence: 0, session_id: 0 };
    packet15(header, &Secret::new([0; 16]), &request(0, netfn, cmd, data))
}

fn packet15(header: session15::Header, password: &Secret<16>, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    seal15(header, password, message, &mut out);
    out
}

/// A payload in RMCP+ format outside sessions.
pub fn sessionless20(payload_type: PayloadType, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    outside_sessions(payload_type, &mut out, |out| out.extend_from_slice(payload));
    out
}

pub fn request(seq: u8, netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Message { to: 0x20, to_lun: 0, netfn, from: 0x81, from_lun: 0, seq, cmd, data }.emit(&mut out);
    out
}

/// Completion code and data of an answer outside sessions, in either format.
#[track_caller]
pub fn answer_outside(datagram: &[u8]) -> Vec<u8> {
    let packet = &datagram[4..];
    let message = match packet[0] {
        session20::FORMAT => {
            let header = session20::Header::parse(packet).unwrap();
            assert_eq!((header.payload_type, header.session_id, header.sequence), (PayloadType::Ipmi, 0, 0));
            &packet[session20::HEADER_LENGTH..]
        }
        _ => {
            let packet = session15::Packet::parse(packet).unwrap();
            assert_eq!((packet.header.session_id, packet.header.sequence), (0, 0));
            packet.message
        }
    };
    Message::parse(message).unwrap().data.to_vec()
}

/// The payload of an answer of the set-up.
#[track_caller]
pub fn setup_payload(payload_type: PayloadType, datagram: &[u8]) -> &[u8] {
    let header = session20::Header::parse(&datagram[4..]).unwrap();
    assert_eq!(header.payload_type, payload_type);
    assert_eq!((header.session_id, header.sequence, header.encrypted, header.authenticated), (0, 0, false, false));
    assert_eq!(datagram.len(), 4 + header.payload_end());
    &datagram[4 + session20::HEADER_LENGTH..]
}

/// A client with a session.
pub struct Client {
    /// The BMC's session id.
    pub session: u32,
    /// Next outbound session sequence number.
    pub sequence: u32,
    /// rqSeq of the next request.
    pub rq_seq: u8,
    /// Privilege the BMC says the session can have.
    pub limit: u8,
    protection: Protection,
}

enum Protection {
    Ipmi15 { auth_type: AuthType, password: Secret<16> },
    RmcpPlus { console_id: u32, keys: Box<Keys>, dice: Dice },
}

/// How to log in by RMCP+.
#[derive(Clone)]
pub struct Login20 {
    pub suite: u8,
    pub user: &'static str,
    pub password: &'static str,
    pub key: Option<[u8; 20]>,
    pub role: u8,
    pub dialect: Dialect,
    pub from: String,
    pub console_id: u32,
}

impl Default for Login20 {
    fn default() -> Self {
        Self {
            suite: 3,
            user: "ipmiusr",
            password: "test",
            key: None,
            role: 0x14,
            dialect: Dialect::Common,
            from: ME.to_owned(),
            console_id: 0x1122_3344,
        }
    }
}

/// The messages of a login, each to be sent as often as a test likes.
pub struct Handshake20 {
    login: Login20,
    pub bmc_id: u32,
    console_random: [u8; 16],
    bmc_random: [u8; 16],
}

impl Login20 {
    pub fn suite(suite: u8) -> Self {
        Self { suite, ..Self::default() }
    }

    pub fn open_request(&self, privilege: u8) -> Vec<u8> {
        let suite = Suite::from_id(self.suite).unwrap();
        let request = OpenSessionRequest {
            tag: 7,
            privilege,
            console_id: self.console_id,
            algorithms: Ok(Algorithms {
                authentication: Some(suite.authentication as u8),
                integrity: Some(suite.integrity as u8),
                confidentiality: Some(suite.confidentiality as u8),
            }),
        };
        let mut payload = Vec::new();
        request.emit(&mut payload);
        sessionless20(PayloadType::OpenSessionRequest, &payload)
    }

    pub fn open(&self, server: &mut impl Server) -> Result<Handshake20, Status> {
        let answers = server.send_from(&self.from, &self.open_request(0));
        let answer = one(answers.into_iter().map(|(_, bytes)| bytes).collect());
        let response = OpenSessionResponse::parse(setup_payload(PayloadType::OpenSessionResponse, &answer)).unwrap()?;
        assert_eq!(response.console_id, self.console_id);
        Ok(Handshake20 {
            login: self.clone(),
            bmc_id: response.bmc_id,
            console_random: [0x5c; 16],
            bmc_random: [0; 16],
        })
    }

    /// The whole login.
    pub fn run(&self, server: &mut impl Server) -> Result<Client, Status> {
        let mut handshake = self.open(server)?;
        let from = self.from.clone();
        let answer = one(server.send_from(&from, &handshake.rakp1()).into_iter().map(|(_, bytes)| bytes).collect());
        handshake.take_rakp2(&answer)?;
        let answer = one(server.send_from(&from, &handshake.rakp3()).into_iter().map(|(_, bytes)| bytes).collect());
        handshake.take_rakp4(&answer)?;
        let mut client = handshake.client();
        client.limit = server.limit(client.session);
        Ok(client)
    }
}

impl Handshake20 {
    fn exchange(&self) -> Exchange<'_> {
        Exchange {
            authentication: Suite::from_id(self.login.suite).unwrap().authentication,
            console_id: self.login.console_id,
            bmc_id: self.bmc_id,
            console_random: &self.console_random,
            bmc_random: &self.bmc_random,
            guid: &GUID,
            role: self.login.role,
            name: self.login.user.as_bytes(),
            dialect: Dialect::Common,
        }
    }

    fn password(&self) -> Secret<20> {
        Secret::new(padded(self.login.password))
    }

    fn key(&self) -> Secret<20> {
        self.login.key.map_or_else(|| self.password(), Secret::new)
    }

    pub fn rakp1(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        Rakp1 {
            tag: 8,
            bmc_id: self.bmc_id,
            random: &self.console_random,
            role: self.login.role,
            name: Ok(self.login.user.as_bytes()),
        }
        .emit(&mut payload);
        sessionless20(PayloadType::Rakp1, &payload)
    }

    /// Takes RAKP Message 2; a wrong code (so a wrong password) is not an error here.
    pub fn take_rakp2(&mut self, datagram: &[u8]) -> Result<bool, Status> {
        let rakp2 = Rakp2::parse(setup_payload(PayloadType::Rakp2, datagram)).unwrap()?;
        assert_eq!((rakp2.tag, rakp2.console_id, rakp2.guid), (8, self.login.console_id, &GUID));
        self.bmc_random = *rakp2.random;
        Ok(self.exchange().rakp2_code(&self.password()).bytes() == rakp2.code)
    }

    pub fn rakp3(&self) -> Vec<u8> {
        self.rakp3_with(Status::OK)
    }

    pub fn rakp3_with(&self, status: Status) -> Vec<u8> {
        let code = self.exchange().rakp3_code(&self.password());
        let code = if status == Status::OK { code.bytes() } else { &[] };
        let mut payload = Vec::new();
        Rakp3 { tag: 9, status, bmc_id: self.bmc_id, code }.emit(&mut payload);
        sessionless20(PayloadType::Rakp3, &payload)
    }

    /// RAKP Message 3 with the role of a client for early Intel BMCs.
    pub fn bare_rakp3(&self) -> Vec<u8> {
        let code = self.exchange().with_bare_role().rakp3_code(&self.password());
        let mut payload = Vec::new();
        Rakp3 { tag: 9, status: Status::OK, bmc_id: self.bmc_id, code: code.bytes() }.emit(&mut payload);
        sessionless20(PayloadType::Rakp3, &payload)
    }

    pub fn take_rakp4(&mut self, datagram: &[u8]) -> Result<(), Status> {
        let rakp4 = Rakp4::parse(setup_payload(PayloadType::Rakp4, datagram)).unwrap()?;
        assert_eq!((rakp4.tag, rakp4.console_id), (9, self.login.console_id));
        let key = self.exchange().session_key(&self.key());
        let expected = key.map(|mut key| self.exchange().rakp4_check_value(&mut key));
        assert_eq!(rakp4.check_value, expected.as_ref().map_or(&[][..], |value| value.bytes()));
        Ok(())
    }

    pub fn client(&self) -> Client {
        let suite = Suite::from_id(self.login.suite).unwrap();
        let mut key = self.exchange().session_key(&self.key());
        let dialect = self.login.dialect;
        Client {
            session: self.bmc_id,
            sequence: 1,
            rq_seq: 0,
            limit: 0,
            protection: Protection::RmcpPlus {
                console_id: self.login.console_id,
                keys: Box::new(Keys::new(suite, key.as_mut(), dialect, &self.password()).unwrap()),
                dice: Dice(99),
            },
        }
    }
}

/// How to log in by IPMI 1.5.
#[derive(Clone)]
pub struct Login15 {
    pub auth_type: AuthType,
    /// What Activate Session says, when it is to differ from the header.
    pub body_type: Option<u8>,
    pub user: &'static str,
    pub password: &'static str,
    pub privilege: u8,
    pub outbound: u32,
}

impl Default for Login15 {
    fn default() -> Self {
        Self {
            auth_type: AuthType::Md5,
            body_type: None,
            user: "ipmiusr",
            password: "test",
            privilege: 4,
            outbound: 0x1000,
        }
    }
}

impl Login15 {
    pub fn challenge(&self, server: &mut impl Server) -> Result<(u32, [u8; 16]), u8> {
        let mut data = vec![self.auth_type as u8];
        data.extend_from_slice(&padded::<16>(self.user));
        let answer = answer_outside(&one(server.send(&sessionless15(6, 0x39, &data))));
        if answer[0] != 0 {
            return Err(answer[0]);
        }
        assert_eq!(answer.len(), 21);
        Ok((u32::from_le_bytes(answer[1..5].try_into().unwrap()), answer[5..].try_into().unwrap()))
    }

    pub fn activation(&self, id: u32, challenge: &[u8; 16]) -> Vec<u8> {
        let mut data = vec![self.body_type.unwrap_or(self.auth_type as u8), self.privilege];
        data.extend_from_slice(challenge);
        data.extend_from_slice(&self.outbound.to_le_bytes());
        let message = request(3, 6, 0x3a, &data);
        let header = session15::Header { auth_type: self.auth_type, sequence: 0, session_id: id };
        packet15(header, &Secret::new(padded(self.password)), &message)
    }

    fn code(&self, header: session15::Header, message: &[u8]) -> Option<[u8; 16]> {
        code15(header, &Secret::new(padded(self.password)), message)
    }

    /// Reads the answer to Activate Session.
    pub fn take_activation(&self, id: u32, datagram: &[u8]) -> Result<Client, u8> {
        let packet = session15::Packet::parse(&datagram[4..]).unwrap();
        let header = session15::Header { auth_type: self.auth_type, sequence: self.outbound, session_id: id };
        assert_eq!(packet.header, header);
        assert_eq!(packet.code.copied(), self.code(header, packet.message));
        let message = Message::parse(packet.message).unwrap();
        assert_eq!((message.netfn, message.cmd, message.seq), (7, 0x3a, 3));
        let [0, auth_type, rest @ ..] = message.data else { return Err(message.data[0]) };
        assert_eq!(*auth_type, self.auth_type as u8);
        assert_eq!(rest.len(), 9);
        Ok(Client {
            session: u32::from_le_bytes(rest[..4].try_into().unwrap()),
            sequence: u32::from_le_bytes(rest[4..8].try_into().unwrap()),
            rq_seq: 4,
            limit: rest[8],
            protection: Protection::Ipmi15 { auth_type: self.auth_type, password: Secret::new(padded(self.password)) },
        })
    }

    /// The whole login; `Err(None)` is silence.
    pub fn run(&self, server: &mut impl Server) -> Result<Client, Option<u8>> {
        let (id, challenge) = self.challenge(server)?;
        let answers = server.send(&self.activation(id, &challenge));
        match answers.first() {
            None => Err(None),
            Some(answer) => self.take_activation(id, answer).map_err(Some),
        }
    }
}

impl Client {
    /// A packet with the next sequence number.
    pub fn packet(&mut self, payload_type: PayloadType, payload: &[u8]) -> Vec<u8> {
        let sequence = self.sequence;
        self.sequence = sequence.checked_add(1).unwrap_or(1);
        self.packet_at(sequence, payload_type, payload)
    }

    pub fn packet_at(&mut self, sequence: u32, payload_type: PayloadType, payload: &[u8]) -> Vec<u8> {
        match &mut self.protection {
            Protection::Ipmi15 { auth_type, password } => {
                let header = session15::Header { auth_type: *auth_type, sequence, session_id: self.session };
                packet15(header, password, payload)
            }
            Protection::RmcpPlus { keys, dice, .. } => {
                let mut out = Vec::new();
                keys.seal(self.session, sequence, payload_type, dice, &mut out, |out| out.extend_from_slice(payload));
                out
            }
        }
    }

    /// Appends the code of a packet that has everything else.
    pub fn sign(&mut self, packet: &mut Vec<u8>) {
        if let Protection::RmcpPlus { keys, .. } = &mut self.protection
            && let Some(signer) = &mut keys.signer
        {
            let code = signer.code(&packet[4..]);
            packet.extend_from_slice(code.bytes());
        }
    }

    /// A request with the next sequence number and the next rqSeq.
    pub fn request(&mut self, netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
        let seq = self.rq_seq;
        self.rq_seq = (seq + 1) % 64;
        self.packet(PayloadType::Ipmi, &request(seq, netfn, cmd, data))
    }

    /// A resend as ipmitool does it: a new packet with the last rqSeq.
    pub fn again(&mut self, netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
        let seq = (self.rq_seq + 63) % 64;
        self.packet(PayloadType::Ipmi, &request(seq, netfn, cmd, data))
    }

    /// Checks and opens a packet: session sequence number, payload type, payload.
    #[track_caller]
    pub fn read(&mut self, datagram: &[u8]) -> (u32, PayloadType, Vec<u8>) {
        assert_eq!(datagram[..4], [6, 0, 0xff, 7]);
        let packet = &datagram[4..];
        match &mut self.protection {
            Protection::Ipmi15 { auth_type, password } => {
                let packet = session15::Packet::parse(packet).unwrap();
                assert_eq!((packet.header.auth_type, packet.header.session_id), (*auth_type, self.session));
                assert_eq!(packet.code.copied(), code15(packet.header, password, packet.message));
                (packet.header.sequence, PayloadType::Ipmi, packet.message.to_vec())
            }
            Protection::RmcpPlus { console_id, keys, .. } => {
                let Keys { signer, cipher } = &mut **keys;
                let header = session20::Header::parse(packet).unwrap();
                assert_eq!(header.session_id, *console_id);
                assert_eq!((header.authenticated, header.encrypted), (signer.is_some(), cipher.is_some()));
                if let Some(signer) = signer {
                    assert_eq!((packet.len() - signer.length()) % 4, 0);
                    let (signed, code) = packet.split_at(packet.len() - signer.length());
                    assert!(signer.verify(signed, code));
                    assert_eq!(signed.last(), Some(&7));
                } else {
                    assert_eq!(packet.len(), header.payload_end());
                }
                let mut payload = packet[session20::HEADER_LENGTH..header.payload_end()].to_vec();
                let plain = match cipher {
                    Some(cipher) => cipher.decrypt(&mut payload).unwrap().to_vec(),
                    None => payload,
                };
                (header.sequence, header.payload_type, plain)
            }
        }
    }

    /// Completion code and data of the answer with the last rqSeq.
    #[track_caller]
    pub fn answer(&mut self, datagram: &[u8]) -> Vec<u8> {
        let (_, payload_type, message) = self.read(datagram);
        assert_eq!(payload_type, PayloadType::Ipmi);
        let message = Message::parse(&message).unwrap();
        assert!(message.is_response());
        assert_eq!((message.to, message.from, message.seq), (0x81, 0x20, (self.rq_seq + 63) % 64));
        message.data.to_vec()
    }

    /// Sends a request and reads its answer.
    #[track_caller]
    pub fn ask(&mut self, server: &mut impl Server, netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
        let packet = self.request(netfn, cmd, data);
        let answer = one(server.send(&packet));
        self.answer(&answer)
    }
}
