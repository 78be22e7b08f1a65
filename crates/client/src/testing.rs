//! Clients for tests of who is at the other end: what they are sent must be right, or they panic.

#![allow(missing_docs, reason = "for tests only")]

use ipmi_sim_core::ipmi::SessionId;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};

use ipmi_sim_core::lan::testing::Dice;
use ipmi_sim_core::wire::ipmb::Message;
use ipmi_sim_core::wire::rakp::Status;
use ipmi_sim_core::wire::session15::AuthType;
use ipmi_sim_core::wire::session20::{FORMAT, PayloadType};
use ipmi_sim_crypto::rakp::Dialect;
use ipmi_sim_crypto::{Secret, Suite};

use crate::{Account, Error, Session, ipmi15, outside, rmcp_plus};

/// The GUID of the channel that is logged in to.
pub const GUID: [u8; 16] = *b"\xa1\x23\x45\x67\x89\xab\xcd\xef\xa1\x23\x45\x67\x89\xab\xcd\xef";
/// Where clients are.
pub const ME: &str = "192.0.2.1:50000";

/// What a client can log in to: a channel on its bench, or a whole simulator.
pub trait Server {
    /// Hands in a datagram and takes everything that is sent because of it.
    fn send_from(&mut self, from: &str, datagram: &[u8]) -> Vec<(SocketAddr, Vec<u8>)>;

    /// The highest privilege a session can have.
    fn limit(&self, session: SessionId) -> u8;

    /// [`send_from`](Self::send_from) the usual address.
    fn send(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        self.send_from(ME, datagram).into_iter().map(|(_, bytes)| bytes).collect()
    }
}

/// The one datagram there is.
#[track_caller]
pub fn one(mut datagrams: Vec<Vec<u8>>) -> Vec<u8> {
    assert_eq!(datagrams.len(), 1, "exactly one answer expected: {datagrams:02x?}");
    datagrams.remove(0)
}

/// The one datagram that somebody is sent.
#[track_caller]
fn one_of(datagrams: Vec<(SocketAddr, Vec<u8>)>) -> Vec<u8> {
    one(datagrams.into_iter().map(|(_, bytes)| bytes).collect())
}

/// A message in IPMI 1.5 format outside sessions.
pub fn sessionless15(netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
    outside::request15(netfn, cmd, data)
}

/// A payload in RMCP+ format outside sessions.
pub fn sessionless20(payload_type: PayloadType, payload: &[u8]) -> Vec<u8> {
    outside::payload20(payload_type, |out| out.extend_from_slice(payload))
}

pub fn request(seq: u8, netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
    outside::message(seq, netfn, cmd, data)
}

/// Completion code and data of a response outside sessions, in either format.
#[track_caller]
pub fn answer_outside(datagram: &[u8]) -> Vec<u8> {
    outside::open(datagram).unwrap().data.to_vec()
}

/// The payload of a response of the set-up.
#[track_caller]
pub fn setup_payload(payload_type: PayloadType, datagram: &[u8]) -> &[u8] {
    outside::open20(payload_type, datagram).unwrap()
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

impl Login20 {
    pub fn suite(suite: u8) -> Self {
        Self { suite, ..Self::default() }
    }

    fn login(&self) -> rmcp_plus::Login {
        let account = Account { key: self.key.map(Secret::new), ..Account::new(self.user, self.password) };
        let suite = Suite::from_id(self.suite).unwrap();
        let login = rmcp_plus::Login::new(account, suite, self.role, self.console_id, [0x5c; 16]);
        rmcp_plus::Login { dialect: self.dialect, ..login }
    }

    pub fn open_request(&self, privilege: u8) -> Vec<u8> {
        rmcp_plus::Login { privilege, ..self.login() }.open_session()
    }

    pub fn open(&self, server: &mut impl Server) -> Result<Handshake20, Status> {
        let mut login = self.login();
        let response = one_of(server.send_from(&self.from, &login.open_session()));
        told(login.take_open_session(&response))?;
        Ok(Handshake20(login))
    }

    /// The whole login.
    pub fn run(&self, server: &mut impl Server) -> Result<Client, Status> {
        let mut handshake = self.open(server)?;
        let response = one_of(server.send_from(&self.from, &handshake.rakp1()));
        handshake.take_rakp2(&response)?;
        let response = one_of(server.send_from(&self.from, &handshake.rakp3()));
        handshake.take_rakp4(&response)?;
        let mut client = handshake.client();
        client.limit = server.limit(client.session);
        Ok(client)
    }
}

/// What came of a message of a login that has the right form.
#[track_caller]
fn told<T>(result: Result<T, Error>) -> Result<T, Status> {
    match result {
        Ok(value) => Ok(value),
        Err(Error::Refused { status, .. }) => Err(status),
        Err(why) => panic!("{why}"),
    }
}

/// The messages of a login, each to be sent as often as a test likes.
pub struct Handshake20(rmcp_plus::Login);

impl Deref for Handshake20 {
    type Target = rmcp_plus::Login;

    fn deref(&self) -> &rmcp_plus::Login {
        &self.0
    }
}

impl Handshake20 {
    /// Takes RAKP Message 2; a wrong code (so a wrong password) is not an error here.
    pub fn take_rakp2(&mut self, datagram: &[u8]) -> Result<bool, Status> {
        let right = told(self.0.take_rakp2(datagram))?;
        assert_eq!(self.guid, GUID);
        Ok(right)
    }

    pub fn rakp3_with(&self, status: Status) -> Vec<u8> {
        if status == Status::OK { self.rakp3() } else { self.0.rakp3_with(status, &[]) }
    }

    /// RAKP Message 3 with the role of a client for early Intel BMCs.
    pub fn bare_rakp3(&self) -> Vec<u8> {
        let code = self.exchange().with_bare_role().rakp3_code(&self.account.password);
        self.0.rakp3_with(Status::OK, code.bytes())
    }

    pub fn take_rakp4(&mut self, datagram: &[u8]) -> Result<(), Status> {
        assert!(told(self.0.take_rakp4(datagram))?, "the check value");
        Ok(())
    }

    pub fn client(&self) -> Client {
        Client::of(self.session().unwrap(), Kind::RmcpPlus, 0)
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
    fn login(&self, id: SessionId, challenge: [u8; 16]) -> ipmi15::Login {
        let account = Account::new(self.user, self.password);
        let login = ipmi15::Login::new(account, self.auth_type, self.privilege, self.outbound);
        ipmi15::Login { named_type: self.body_type.unwrap_or(login.named_type), id, challenge, ..login }
    }

    pub fn challenge(&self, server: &mut impl Server) -> Result<(SessionId, [u8; 16]), u8> {
        let mut login = self.login(SessionId::NONE, [0; 16]);
        done(login.take_challenge(&one(server.send(&login.get_challenge()))))?;
        Ok((login.id, login.challenge))
    }

    pub fn activation(&self, id: SessionId, challenge: &[u8; 16]) -> Vec<u8> {
        self.login(id, *challenge).activate()
    }

    /// Reads the response to Activate Session.
    pub fn take_activation(&self, id: SessionId, datagram: &[u8]) -> Result<Client, u8> {
        let (session, limit) = done(self.login(id, [0; 16]).take_activation(datagram))?;
        let mut client = Client::of(session, Kind::Ipmi15, 4);
        client.limit = limit;
        Ok(client)
    }

    /// The whole login; `Err(None)` is silence.
    pub fn run(&self, server: &mut impl Server) -> Result<Client, Option<u8>> {
        let (id, challenge) = self.challenge(server)?;
        let responses = server.send(&self.activation(id, &challenge));
        match responses.first() {
            None => Err(None),
            Some(response) => self.take_activation(id, response).map_err(Some),
        }
    }
}

/// What came of a command of a login that has the right form.
#[track_caller]
fn done<T>(result: Result<T, Error>) -> Result<T, u8> {
    match result {
        Ok(value) => Ok(value),
        Err(Error::Command(code)) => Err(code.0),
        Err(why) => panic!("{why}"),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ipmi15,
    RmcpPlus,
}

/// A client with a session.
pub struct Client {
    /// The BMC's session id.
    pub session: SessionId,
    /// rqSeq of the next request.
    pub rq_seq: u8,
    /// Privilege the BMC says the session can have.
    pub limit: u8,
    inner: Session,
    kind: Kind,
    dice: Dice,
}

impl Deref for Client {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.inner
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.inner
    }
}

impl Client {
    fn of(inner: Session, kind: Kind, rq_seq: u8) -> Self {
        Self { session: inner.id, rq_seq, limit: 0, inner, kind, dice: Dice(99) }
    }

    /// A packet with the next sequence number.
    pub fn packet(&mut self, payload_type: PayloadType, payload: &[u8]) -> Vec<u8> {
        let sequence = self.next_sequence();
        self.packet_at(sequence, payload_type, payload)
    }

    pub fn packet_at(&mut self, sequence: u32, payload_type: PayloadType, payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        let put = |out: &mut Vec<u8>| out.extend_from_slice(payload);
        self.inner.seal_at(sequence, payload_type, &mut self.dice, &mut packet, put);
        packet
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
        assert_eq!(datagram[4] == FORMAT, self.kind == Kind::RmcpPlus);
        let signed = datagram.len() - self.inner.code_length();
        if self.inner.code_length() > 0 {
            assert_eq!((signed % 4, datagram[signed - 1]), (0, 7), "the trailer");
        }
        let mut bytes = datagram.to_vec();
        let opened = self.inner.open(&mut bytes).unwrap();
        (opened.sequence, opened.payload_type, opened.payload.to_vec())
    }

    /// Completion code and data of the response with the last rqSeq.
    #[track_caller]
    pub fn answer(&mut self, datagram: &[u8]) -> Vec<u8> {
        let (_, payload_type, message) = self.read(datagram);
        assert_eq!(payload_type, PayloadType::Ipmi);
        let message = Message::parse(&message).unwrap();
        assert!(message.is_response());
        assert_eq!((message.to, message.from, message.seq), (0x81, 0x20, (self.rq_seq + 63) % 64));
        message.data.to_vec()
    }

    /// Sends a request and reads its response.
    #[track_caller]
    pub fn ask(&mut self, server: &mut impl Server, netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
        let packet = self.request(netfn, cmd, data);
        let response = one(server.send(&packet));
        self.answer(&response)
    }
}
