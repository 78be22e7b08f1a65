//! LAN channels: from datagrams to requests and back.
//!
//! Owns sessions, both kinds, from the first challenge to the last datagram: keys,
//! sequence windows, limits, timeouts, retransmissions. Knows [`wire`](crate::wire) and
//! [`crypto`](crate::crypto); learns about users through [`Authority`]; never executes a
//! command that is not about a session.

#[cfg(test)]
mod captures;
mod channel;
mod duplicate;
mod half_open;
mod ipmi15;
pub mod packet;
mod policy;
mod repeat;
mod report;
mod rmcp_plus;
mod session;
mod session_commands;
mod sessionless;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod throttle;
mod verdicts;
mod window;

use std::ops::Range;

pub use channel::{LanChannel, SessionInfo};
pub(crate) use throttle::LogLimit;

use crate::ipmi::{
    AuthTypes, ChannelNumber, CompletionCode, LoginFailure, McAddress, Nature, Origin, Peer, Privilege, Request,
    Response, SessionId, UserNumber,
};
use zeroize::Zeroize;

/// What a LAN channel must know about users and limits, asked anew for every use so
/// that a change acts at once.
pub trait Authority {
    /// The user with this number, when valid.
    fn user(&self, number: UserNumber) -> Option<LanUser>;
    /// Whether that user has this name, zero padded: to find one without a copy of everybody's password.
    fn is_named(&self, number: UserNumber, name: &[u8; 16]) -> bool;
    /// The privilege limit of the user with this number over LAN, whether it may log in or not: a session
    /// outlives what it changes of its own account. `None` is "no access".
    fn user_limit(&self, number: UserNumber) -> Option<Privilege>;
    /// The volatile privilege limit of the channel.
    fn privilege_limit(&self) -> Privilege;
    /// Authentication types allowed at a level (`allowed_auths_*`).
    fn auth_types(&self, level: Privilege) -> AuthTypes;
    /// K_G, when there is one.
    fn bmc_key(&self) -> Option<&[u8; 20]>;
    /// LAN parameter 24: reserved byte, then a four-bit level per cipher suite entry.
    fn cipher_privileges(&self) -> [u8; 9];
    /// Answers a request outside sessions that the channel does not know; D5h when it needs a session.
    /// The response is short, and nothing changes.
    fn before_login(&self, _netfn: u8, _cmd: u8, _data: &[u8], _reply: &mut Response) -> Result<(), CompletionCode> {
        Err(CompletionCode::NOT_IN_PRESENT_STATE)
    }
    /// What executing a command once more does, which is for this controller or carried to an address; `data` names
    /// the group of a group extension.
    fn nature(&self, carried_to: Option<McAddress>, netfn: u8, cmd: u8, data: &[u8]) -> Nature;
    /// Whether no session is opened now, for want of resources.
    fn refuses_sessions(&self) -> bool {
        false
    }
    /// Another channel of the same controller, 0 to 15.
    fn neighbour(&self, channel: ChannelNumber) -> Neighbour<'_>;
}

/// What another channel of the same controller is.
pub enum Neighbour<'a> {
    /// There is none with this number.
    Absent,
    /// It has no sessions.
    Sessionless,
    /// It is a LAN channel.
    Lan(Box<dyn Authority + 'a>),
}

/// A user who may log in.
#[derive(Clone)]
pub struct LanUser {
    /// Number, 1 to 63.
    pub number: UserNumber,
    /// Name, zero padded; all zero for the anonymous user.
    pub name: [u8; 16],
    /// Password, zero padded.
    pub password: [u8; 20],
    /// Maximum privilege; `None` is "no access" (15).
    pub limit: Option<Privilege>,
    /// Authentication types listed on the user's line, when it lists any.
    pub auths: Option<AuthTypes>,
    /// Most sessions at a time; 0 is as many as the channel has.
    pub sessions: u8,
}

impl Drop for LanUser {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

/// The fixed settings of a LAN channel.
#[derive(Clone)]
pub struct Settings {
    /// Channel number, 1 to 15.
    pub channel: ChannelNumber,
    /// System GUID, in the order of the configuration.
    pub guid: [u8; 16],
    /// UDP port of its socket.
    pub udp_port: u16,
    /// UDP port that clients are told instead of it.
    pub advertised_port: Option<u16>,
}

impl Settings {
    /// The UDP port that clients are told.
    pub fn told_port(&self) -> u16 {
        self.advertised_port.unwrap_or(self.udp_port)
    }
}

/// Datagrams and reports on their way out, in a buffer that is used again and again.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    datagrams: Vec<(Peer, Range<usize>)>,
    /// What happened to sessions, for the simulator.
    pub events: Vec<Event>,
    /// Somebody watches: commands the channel answers itself are events as well.
    pub watched: bool,
    /// Somebody watches or counts: logins that fail, datagrams that are dropped and commands the channel answers
    /// itself are events as well.
    pub reports: bool,
}

impl Outbox {
    /// Appends one datagram; `write` fills it.
    pub fn datagram(&mut self, to: Peer, write: impl FnOnce(&mut Vec<u8>)) {
        if self.datagrams.capacity() == 0 {
            // Nearly always there is one at a time, and those of a login have room in this.
            self.datagrams.reserve_exact(1);
            self.bytes.reserve_exact(128);
        }
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.datagrams.push((to, start..self.bytes.len()));
    }

    /// The datagrams, in order.
    pub fn datagrams(&self) -> impl Iterator<Item = (Peer, &[u8])> {
        self.datagrams.iter().map(|(to, range)| (*to, &self.bytes[range.clone()]))
    }

    /// Tells whoever watches or counts, if somebody does.
    pub(crate) fn report(&mut self, event: impl FnOnce() -> Event) {
        if self.reports {
            self.events.push(event());
        }
    }

    /// How many datagrams there are.
    pub fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// Forgets the datagrams and events and gives the memory back.
    pub(crate) fn give_back(&mut self) {
        *self = Self { watched: self.watched, reports: self.reports, ..Self::default() };
    }

    /// Forgets the datagrams and events and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.datagrams.clear();
        self.events.clear();
    }
}

/// What happened to sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session was established.
    Opened {
        /// BMC's session id.
        session: SessionId,
    },
    /// A session ended, however it did.
    Closed {
        /// BMC's session id.
        session: SessionId,
    },
    /// A login failed; only while somebody is told.
    Refused {
        /// Where it came from, or claimed to.
        from: Peer,
        /// Why.
        reason: LoginFailure,
    },
    /// A datagram got no response; only while somebody counts.
    Dropped(DropReason),
    /// A command was answered by the channel itself; only while somebody counts.
    Answered {
        /// Network function of the request.
        netfn: u8,
        /// Command.
        cmd: u8,
        /// Completion code.
        code: u8,
    },
    /// A command about sessions was answered; only while somebody watches.
    Command(Box<SessionCommand>),
    /// A request came a while ago and turned out to be new: to be executed like [`Received::Request`].
    Request(Box<LateRequest>),
    /// A PET Acknowledge came outside sessions: its data.
    TrapAcknowledged([u8; 12]),
    /// Something for the log, already free of control characters.
    Log(Weight, String),
}

/// Why a datagram gets no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DropReason {
    /// It is too short or too long, or a header says what it cannot.
    Malformed,
    /// A checksum of its message is wrong.
    Checksum,
    /// Its authentication code, integrity check value or challenge string is wrong, or it cannot be decrypted.
    Code,
    /// Its session, login or user is not there.
    NoSession,
    /// Its protection or its source is not that of its session.
    Protection,
    /// Its sequence number was used before or is out of range.
    Replay,
    /// It does not belong to the state of its login.
    Login,
    /// The last messages of too many logins wait for their turn, and this or another one had to go.
    Flood,
}

impl DropReason {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Malformed,
        Self::Checksum,
        Self::Code,
        Self::NoSession,
        Self::Protection,
        Self::Replay,
        Self::Login,
        Self::Flood,
    ];

    /// In a word or two.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Checksum => "checksum",
            Self::Code => "wrong code",
            Self::NoSession => "no session",
            Self::Protection => "protection",
            Self::Replay => "replay",
            Self::Login => "login state",
            Self::Flood => "flood",
        }
    }
}

/// How important a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// A failed login.
    Warning,
    /// A session begins or ends, a datagram is dropped.
    Info,
}

/// Where a response goes: kept by the simulator while a command waits for slow work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseTo {
    /// BMC's session id.
    pub session: SessionId,
    /// Address of the datagram that is answered.
    pub peer: Peer,
    /// Responder's address as the client wrote it.
    pub rs_addr: u8,
    /// Requester's address.
    pub rq_addr: u8,
    /// Network function of the request, even.
    pub netfn: u8,
    /// Responder's LUN.
    pub rs_lun: u8,
    /// Requester's LUN.
    pub rq_lun: u8,
    /// Requester's sequence number.
    pub rq_seq: u8,
    /// Command.
    pub cmd: u8,
}

/// A command that the channel answered itself, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCommand {
    /// Where the response went, with network function and command.
    pub to: ResponseTo,
    /// The request's data.
    pub request: Vec<u8>,
    /// Completion code and data.
    pub response: Vec<u8>,
}

/// A request of which it took a while to find out that it is no resend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateRequest {
    /// Where the response goes.
    pub to: ResponseTo,
    /// The session's origin.
    pub origin: Origin,
    /// The request's data.
    pub data: Vec<u8>,
}

/// What came of a datagram.
#[derive(Debug)]
pub enum Received<'a> {
    /// Dropped, or already answered in the outbox.
    Handled,
    /// A request in an established session; the simulator answers with
    /// [`LanChannel::respond`].
    Request {
        /// Where the response goes.
        response_to: ResponseTo,
        /// The request; its privilege has not been checked.
        request: Request<'a>,
    },
    /// A response message (odd network function) in an established session.
    Response {
        /// Who sent it, with its network function as received.
        response_to: ResponseTo,
        /// Completion code and data.
        data: &'a [u8],
        /// The session's origin.
        origin: Origin,
    },
    /// A SOL payload of an established session.
    Sol {
        /// BMC's session id.
        session: SessionId,
        /// The packet, header included.
        payload: &'a [u8],
    },
}
