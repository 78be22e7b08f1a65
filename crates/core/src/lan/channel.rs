//! The channel: which datagram goes where, what is sent, and when something is due.

mod log;
mod sessions;

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::duplicate::{Again, Finding, response_to};
use super::half_open::Logins;
use super::packet::RMCP;
use super::report::Report;
use super::session::Session;
use super::throttle::LogLimit;
use super::verdicts::{Turn, Verdicts};
use super::window::Verdict;
use super::{Authority, DropReason, Event, LateRequest, Outbox, Received, ResponseTo, Settings};
use crate::crypto::wipe_stack;
use crate::ipmi::{
    ChannelNumber, CompletionCode, Medium, Moment, Origin, Peer, Random, Request, Response, SessionId, SessionRef,
    UserNumber, netfn,
};
use crate::wire::ipmb::{self, Message};
use crate::wire::session20::PayloadType;
use crate::wire::{asf, rmcp, session20};
pub(super) use log::Why;
use log::log_end;
use sessions::{End, level_now};

pub(super) use sessions::IdHasher;
pub use sessions::SessionInfo;

/// Longest datagram that is looked at. The original cuts at 256; an IPMI message with
/// the largest possible data and every header around it stays below this.
const MAX_DATAGRAM: usize = 1024;

/// One LAN channel with its sessions.
pub struct LanChannel {
    pub(super) settings: Settings,
    pub(super) sessions: HashMap<SessionId, Box<Session>, BuildHasherDefault<IdHasher>>,
    pub(super) logins: Logins,
    verdicts: Verdicts,
    /// A session or a login has ended, and what its keys went through is to be wiped.
    stained: bool,
    /// The last time the outside told.
    now: Moment,
    /// Nothing ends before this; something may end then. Sessions that are in use push
    /// their end away without touching this, so it is looked at again when it is reached.
    next_end: Option<Moment>,
    /// The message that is being sent.
    pub(super) message: Vec<u8>,
    report: Report,
    dropped_datagrams: LogLimit,
}

/// What every step of handling a datagram needs.
pub(super) struct Call<'c> {
    pub(super) now: Moment,
    pub(super) from: Peer,
    pub(super) authority: &'c dyn Authority,
    pub(super) random: &'c mut dyn Random,
    pub(super) out: &'c mut Outbox,
    /// The datagram waited for its turn, which has come.
    pub(super) has_turn: bool,
}

/// A datagram gets no response, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dropped(pub(super) DropReason, pub(super) &'static str);

impl From<crate::wire::Error> for Dropped {
    fn from(error: crate::wire::Error) -> Self {
        match error {
            crate::wire::Error::Truncated => Self(DropReason::Malformed, "it is too short"),
            crate::wire::Error::Checksum => Self(DropReason::Checksum, "a checksum is wrong"),
            crate::wire::Error::Unknown => Self(DropReason::Malformed, "a header has an unknown value"),
        }
    }
}

impl LanChannel {
    /// A channel without sessions.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            sessions: HashMap::default(),
            logins: Logins::default(),
            verdicts: Verdicts::default(),
            stained: false,
            now: Moment::default(),
            next_end: None,
            message: Vec::new(),
            report: Report::default(),
            dropped_datagrams: LogLimit::default(),
        }
    }

    /// The fixed settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The port became known (it was 0 in the configuration).
    pub fn set_udp_port(&mut self, port: u16) {
        self.settings.udp_port = port;
    }

    /// Another port that clients are told, or that of the socket again.
    pub fn set_advertised_port(&mut self, port: Option<u16>) {
        self.settings.advertised_port = port;
    }

    /// Another GUID: for logins from now on.
    pub fn set_guid(&mut self, guid: [u8; 16]) {
        self.settings.guid = guid;
    }

    /// Takes one datagram. It is decrypted in place.
    pub fn receive<'a>(
        &mut self,
        now: Moment,
        from: Peer,
        datagram: &'a mut [u8],
        authority: &dyn Authority,
        random: &mut dyn Random,
        out: &mut Outbox,
    ) -> Received<'a> {
        self.now = now;
        let received = self.take(&mut Call { now, from, authority, random, out, has_turn: false }, datagram);
        self.wipe();
        received
    }

    /// Everything that has to do with keys, so that it lies deeper than what wipes the stack.
    #[inline(never)]
    fn take<'a>(&mut self, call: &mut Call<'_>, datagram: &'a mut [u8]) -> Received<'a> {
        self.dispatch(call, datagram).unwrap_or_else(|Dropped(reason, why)| {
            call.out.report(|| Event::Dropped(reason));
            self.log_dropped(call, why);
            Received::Handled
        })
    }

    fn dispatch<'a>(&mut self, call: &mut Call<'_>, datagram: &'a mut [u8]) -> Result<Received<'a>, Dropped> {
        if datagram.len() > MAX_DATAGRAM {
            return Err(Dropped(DropReason::Malformed, "it is too long"));
        }
        let header = rmcp::Repr::parse(datagram)?;
        let packet =
            datagram.get_mut(rmcp::HEADER_LENGTH..).ok_or(Dropped(DropReason::Malformed, "it is too short"))?;
        match header.class {
            rmcp::Class::Asf => {
                let ping = asf::Ping::parse(packet)?;
                call.out.datagram(call.from, |out| {
                    rmcp::Repr { sequence: rmcp::SEQUENCE_NO_ACK, class: rmcp::Class::Asf }.emit(out);
                    asf::Pong { tag: ping.tag }.emit(out);
                });
                Ok(Received::Handled)
            }
            rmcp::Class::Ipmi if header.sequence != RMCP.sequence => {
                Err(Dropped(DropReason::Malformed, "it wants an RMCP acknowledge"))
            }
            rmcp::Class::Ipmi if packet.first() == Some(&session20::FORMAT) => self.rmcp_plus(call, packet),
            rmcp::Class::Ipmi => self.ipmi15(call, packet),
        }
    }

    /// Takes a message of an established session whose protection, number and source were
    /// checked.
    pub(super) fn deliver<'a>(
        &mut self,
        call: &mut Call<'_>,
        session: SessionId,
        (verdict, received): (Verdict, u32),
        bytes: &'a [u8],
    ) -> Result<Received<'a>, Dropped> {
        let message = Message::parse(bytes)?;
        let to = response_to(session, call.from, &message);
        let Some(session) = self.sessions.get_mut(&session) else {
            return Err(Dropped(DropReason::NoSession, "its session is gone"));
        };
        if message.is_response() {
            return match verdict {
                Verdict::Fresh => {
                    let origin = origin_of(&self.settings, session, &to, call.authority);
                    Ok(Received::Response { response_to: to, data: message.data, origin })
                }
                _ => Err(Dropped(DropReason::Replay, "its sequence number was used before")),
            };
        }
        match session.recent.judge(call.now, verdict, received, &to, message.data, |to, netfn, cmd, data| {
            call.authority.nature(to, netfn, cmd, data)
        }) {
            Finding::New => {}
            Finding::InWork | Finding::Stale => return Ok(Received::Handled),
            Finding::Doubted(until) => {
                self.ends_at(until);
                return Ok(Received::Handled);
            }
            Finding::Again(index) => {
                self.send_again(&to, call.from, verdict, index, call.random, call.out);
                return Ok(Received::Handled);
            }
        }
        let origin = origin_of(&self.settings, session, &to, call.authority);
        if message.netfn == netfn::APP && self.session_command(call, &to, &origin, &message) {
            return Ok(Received::Handled);
        }
        let request =
            Request { netfn: message.netfn, cmd: message.cmd, lun: message.to_lun, origin, data: message.data };
        Ok(Received::Request { response_to: to, request })
    }

    /// Sends a response again: under a new number to a client that asked under a new
    /// number, else under the number it had.
    fn send_again(
        &mut self,
        to: &ResponseTo,
        peer: Peer,
        verdict: Verdict,
        index: usize,
        random: &mut dyn Random,
        out: &mut Outbox,
    ) {
        let Some(session) = self.sessions.get_mut(&to.session) else { return };
        let Session { link, recent, .. } = &mut **session;
        for (again, sent) in recent.again(index, to) {
            let message = match again {
                Again::Message(message) => message,
                Again::Response(response) => {
                    emit_response(to, response, link.max_message(), &mut self.message);
                    &self.message
                }
            };
            let sequence = if verdict == Verdict::Fresh { link.next_sequence() } else { sent };
            link.send(peer, sequence, PayloadType::Ipmi, message, random, out);
        }
    }

    /// Sends the response (completion code and data) to a request, and to the copies of it
    /// that came meanwhile. A session that is gone gets nothing.
    pub fn respond(&mut self, to: &ResponseTo, response: &[u8], random: &mut dyn Random, out: &mut Outbox) {
        let Some(session) = self.sessions.get_mut(&to.session) else { return };
        let Session { link, recent, .. } = &mut **session;
        let mut send = |to: &ResponseTo| {
            emit_response(to, response, link.max_message(), &mut self.message);
            let sequence = link.next_sequence();
            link.send(to.peer, sequence, PayloadType::Ipmi, &self.message, random, out);
            sequence
        };
        if !recent.answered(self.now, to, response, &mut send) {
            send(to);
        }
    }

    /// A request gets no response, and is not remembered: the same one once more is another.
    pub fn forget(&mut self, to: &ResponseTo) {
        if let Some(session) = self.sessions.get_mut(&to.session) {
            session.recent.forget(to);
        }
    }

    /// Sends a whole IPMI message (from responder's address to second checksum) to a
    /// session: a bridged response, or the host's response to a request for it. It is kept with
    /// the request it belongs to and sent again when that comes again.
    pub fn send_message(&mut self, session: SessionId, message: &[u8], random: &mut dyn Random, out: &mut Outbox) {
        let Some(session) = self.sessions.get_mut(&session) else { return };
        let Session { link, recent, peer, .. } = &mut **session;
        let Ok(mut parsed) = Message::parse_unchecked(message) else { return };
        if message.len() > link.max_message() {
            parsed.data = &[CompletionCode::CANNOT_RETURN_LENGTH.0];
        }
        self.message.clear();
        parsed.emit(&mut self.message);
        let sequence = link.next_sequence();
        link.send(*peer, sequence, PayloadType::Ipmi, &self.message, random, out);
        recent.follow_up(self.now, &parsed, &self.message, sequence);
    }

    /// Sends a SOL packet to a session. IPMI 1.5 sessions have none.
    pub fn send_sol(&mut self, session: SessionId, payload: &[u8], random: &mut dyn Random, out: &mut Outbox) {
        let Some(session) = self.sessions.get_mut(&session) else { return };
        let Session { link, peer, .. } = &mut **session;
        if link.is_rmcp_plus() {
            let sequence = link.next_sequence();
            link.send(*peer, sequence, PayloadType::Sol, payload, random, out);
        }
    }

    /// Tells the client of an RMCP+ session what only ipmitool's console takes for the end of SOL.
    pub fn send_farewell(&mut self, session: SessionId, out: &mut Outbox) {
        if let Some(session) = self.sessions.get(&session)
            && session.link.is_rmcp_plus()
        {
            out.datagram(session.peer, |out| {
                rmcp::Repr { sequence: rmcp::SEQUENCE_NO_ACK, class: rmcp::Class::Asf }.emit(out);
                asf::Farewell.emit(out);
            });
        }
    }

    /// Wipes what sessions and logins that are over have left on the stack. Called where the outside comes in, which is where
    /// the stack is shallowest.
    fn wipe(&mut self) {
        if std::mem::take(&mut self.stained) {
            wipe_stack();
        }
    }

    /// Something ends at `moment`.
    pub(super) fn ends_at(&mut self, moment: Moment) {
        self.next_end = Some(self.next_end.map_or(moment, |next| next.min(moment)));
    }

    /// When [`timeout`](Self::timeout) wants to be called next. Never later than the end
    /// of a session or login, and at most one session life too early.
    pub fn deadline(&self) -> Option<Moment> {
        self.next_end
    }

    /// Does what is due: ends what has timed out, settles what is in doubt.
    pub fn timeout(&mut self, now: Moment, authority: &dyn Authority, random: &mut dyn Random, out: &mut Outbox) {
        self.now = now;
        if self.next_end.is_none_or(|next| next > now) {
            return;
        }
        while let Some(mut waiting) = self.verdicts.due(now) {
            let mut call = Call { now, from: waiting.from, authority, random, out, has_turn: true };
            // The login may have ended meanwhile.
            let _ = self.dispatch(&mut call, &mut waiting.datagram);
        }
        while let Some(summary) = self.report.due(now) {
            self.log_summary(&summary, out);
        }
        for login in self.logins.expire(now) {
            self.given_up(now, &login, out);
        }
        let mut doubtful = Vec::new();
        self.sessions.retain(|id, session| {
            let alive = session.deadline() > now;
            if !alive {
                self.stained = true;
                log_end(&mut self.report, now, self.settings.channel, session, End::Idle, out);
                out.events.push(Event::Closed { session: *id });
            } else if session.recent.deadline().is_some_and(|due| due <= now) {
                doubtful.push(*id);
            }
            alive
        });
        doubtful.into_iter().for_each(|id| self.settle_doubts(id, authority, random, out));
        let ends = self.sessions.values().map(|session| session.deadline());
        let doubts = self.sessions.values().filter_map(|session| session.recent.deadline());
        let logins = [self.logins.next_expiry(), self.verdicts.deadline(), self.report.deadline()];
        self.next_end = ends.chain(doubts).chain(logins.into_iter().flatten()).min();
        self.wipe();
    }

    /// Requests that may have been resends, and that no further copy came of in time.
    fn settle_doubts(&mut self, id: SessionId, authority: &dyn Authority, random: &mut dyn Random, out: &mut Outbox) {
        let now = self.now;
        while let Some((finding, to, data)) = self.sessions.get_mut(&id).and_then(|it| it.recent.overdue(now)) {
            match finding {
                Finding::Again(index) => self.send_again(&to, to.peer, Verdict::Fresh, index, random, out),
                Finding::New => {
                    if let Some(session) = self.sessions.get(&id) {
                        let origin = origin_of(&self.settings, session, &to, authority);
                        out.events.push(Event::Request(Box::new(LateRequest { to, origin, data })));
                    }
                }
                Finding::InWork | Finding::Stale | Finding::Doubted(_) => {}
            }
        }
    }

    /// Whether the last message of a login, with its user, is looked at now. If not, it comes again when it is its turn.
    pub(super) fn has_turn(
        &mut self,
        call: &mut Call<'_>,
        login: (SessionId, UserNumber),
        datagram: impl FnOnce() -> Vec<u8>,
    ) -> bool {
        if call.has_turn {
            return true;
        }
        match self.verdicts.turn(call.now, call.from, login, datagram, call.random) {
            Turn::Now => true,
            Turn::Later(due) => {
                if self.verdicts.gave_way() {
                    call.out.report(|| Event::Dropped(DropReason::Flood));
                }
                self.ends_at(due);
                false
            }
        }
    }
}

/// Where a message of this session comes from and what it may do, as of now.
fn origin_of(settings: &Settings, session: &Session, to: &ResponseTo, authority: &dyn Authority) -> Origin {
    Origin {
        channel: settings.channel,
        medium: Medium::Lan,
        privilege: level_now(session, authority),
        session: Some(SessionRef {
            id: session.link.id,
            handle: session.handle,
            user: session.user,
            rmcp_plus: session.link.is_rmcp_plus(),
            authenticated: session.link.is_authenticated(),
            encrypted: session.link.is_encrypted(),
            udp_port: settings.told_port(),
        }),
        bridged: false,
        requester: to.rq_addr,
        requester_lun: to.rq_lun,
    }
}

/// Writes the response to a request into `message`; one that does not fit into a packet
/// becomes CAh.
fn emit_response(to: &ResponseTo, response: &[u8], limit: usize, message: &mut Vec<u8>) {
    let fits = response.len() + ipmb::OVERHEAD <= limit;
    message.clear();
    Message {
        to: to.rq_addr,
        to_lun: to.rq_lun,
        netfn: to.netfn | 1,
        from: to.rs_addr,
        from_lun: to.rs_lun,
        seq: to.rq_seq,
        cmd: to.cmd,
        data: if fits { response } else { &[CompletionCode::CANNOT_RETURN_LENGTH.0] },
    }
    .emit(message);
}

/// A response to a request outside sessions, with room for what such commands say.
pub(super) fn empty_response(channel: ChannelNumber) -> Response {
    Response::new(&Origin {
        channel,
        medium: Medium::Lan,
        privilege: None,
        session: None,
        bridged: false,
        requester: ipmb::REMOTE_CONSOLE,
        requester_lun: 0,
    })
}
