//! The channel: which datagram goes where, the table of sessions, their time, their end.

use std::collections::HashMap;
use std::fmt::Arguments;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use super::duplicate::{Again, Finding, reply_to};
use super::half_open::{Login, Logins, Step};
use super::packet::RMCP;
use super::report::{Report, Summary};
use super::session::Session;
use super::throttle::{LogLimit, source};
use super::verdicts::{Turn, Verdicts};
use super::window::Verdict;
use super::{Authority, Event, LanUser, LateRequest, Outbox, Received, ReplyTo, Settings, Weight, policy};
use crate::crypto::wipe_stack;
use crate::ipmi::{
    ChannelNumber, CompletionCode, Medium, Moment, Origin, Peer, Privilege, Random, Reply, Request, SessionId,
    SessionRef, UserNumber, netfn,
};
use crate::wire::ipmb::{self, Message};
use crate::wire::session20::PayloadType;
use crate::wire::{asf, rmcp, session20};

/// Longest datagram that is looked at. The original cuts at 256; an IPMI message with
/// the largest possible data and every header around it stays below this.
const MAX_DATAGRAM: usize = 1024;
/// Most established sessions: as many a second, for the minute that those of vanished clients stay, as
/// 256 would be for half a minute.
pub(super) const MAX_SESSIONS: usize = 512;
/// A session that was used since is not ended for another of the same user from the same address.
const IN_USE: Duration = Duration::from_secs(5);

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

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Close Session, by itself or by an administrator.
    Closed,
    Idle,
    UserChanged,
    /// For another session, when all places are taken.
    MadeRoom,
}

/// A datagram gets no answer, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dropped(pub(super) &'static str);

impl From<crate::wire::Error> for Dropped {
    fn from(error: crate::wire::Error) -> Self {
        Self(match error {
            crate::wire::Error::Truncated => "it is too short",
            crate::wire::Error::Checksum => "a checksum is wrong",
            crate::wire::Error::Unknown => "a header has an unknown value",
        })
    }
}

/// What there is to know about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// BMC's session id.
    pub id: SessionId,
    /// Session handle, 1 to 255; 0 if all were taken.
    pub handle: u8,
    /// User number.
    pub user: UserNumber,
    /// Where the last new packet came from.
    pub peer: Peer,
    /// Current privilege level.
    pub privilege: Privilege,
    /// Maximum privilege.
    pub limit: Privilege,
    /// RMCP+ rather than IPMI 1.5.
    pub rmcp_plus: bool,
    /// When the last new packet came.
    pub last_used: Moment,
}

/// Session ids are random numbers of our own making, so spreading them is all it takes.
#[derive(Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
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
        self.dispatch(call, datagram).unwrap_or_else(|Dropped(why)| {
            self.log_dropped(call, why);
            Received::Handled
        })
    }

    fn dispatch<'a>(&mut self, call: &mut Call<'_>, datagram: &'a mut [u8]) -> Result<Received<'a>, Dropped> {
        if datagram.len() > MAX_DATAGRAM {
            return Err(Dropped("it is too long"));
        }
        let header = rmcp::Repr::parse(datagram)?;
        let packet = datagram.get_mut(rmcp::HEADER_LENGTH..).ok_or(Dropped("it is too short"))?;
        match header.class {
            rmcp::Class::Asf => {
                let ping = asf::Ping::parse(packet)?;
                call.out.datagram(call.from, |out| {
                    rmcp::Repr { sequence: rmcp::SEQUENCE_NO_ACK, class: rmcp::Class::Asf }.emit(out);
                    asf::Pong { tag: ping.tag }.emit(out);
                });
                Ok(Received::Handled)
            }
            rmcp::Class::Ipmi if header.sequence != RMCP.sequence => Err(Dropped("it wants an RMCP acknowledge")),
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
        let to = reply_to(session, call.from, &message);
        let Some(session) = self.sessions.get_mut(&session) else { return Err(Dropped("its session is gone")) };
        if message.is_response() {
            return match verdict {
                Verdict::Fresh => {
                    let origin = origin_of(&self.settings, session, &to, call.authority);
                    Ok(Received::Response { reply_to: to, data: message.data, origin })
                }
                _ => Err(Dropped("its sequence number was used before")),
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
        Ok(Received::Request { reply_to: to, request })
    }

    /// Sends an answer again: under a new number to a client that asked under a new
    /// number, else under the number it had.
    fn send_again(
        &mut self,
        to: &ReplyTo,
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
                Again::Answer(answer) => {
                    emit_answer(to, answer, link.max_message(), &mut self.message);
                    &self.message
                }
            };
            let sequence = if verdict == Verdict::Fresh { link.next_sequence() } else { sent };
            link.send(peer, sequence, PayloadType::Ipmi, message, random, out);
        }
    }

    /// Marks a session as used by a new packet from `from`.
    pub(super) fn used(session: &mut Session, now: Moment, from: Peer) {
        session.last_used = now;
        session.peer = from;
        session.login_answer = None;
    }

    /// The session with this id, unless it is over.
    pub(super) fn live(&mut self, call: &mut Call<'_>, id: SessionId) -> Result<&mut Session, Dropped> {
        // Before that moment none is over.
        if self.next_end.is_none_or(|next| next <= call.now)
            && self.sessions.get(&id).is_some_and(|session| session.deadline() <= call.now)
        {
            self.end(id, End::Idle, call.out);
            return Err(Dropped("its session has timed out"));
        }
        self.sessions.get_mut(&id).map(Box::as_mut).ok_or(Dropped("there is no such session"))
    }

    /// Sends the answer (completion code and data) to a request, and to the copies of it
    /// that came meanwhile. A session that is gone gets nothing.
    pub fn respond(&mut self, to: &ReplyTo, answer: &[u8], random: &mut dyn Random, out: &mut Outbox) {
        let Some(session) = self.sessions.get_mut(&to.session) else { return };
        let Session { link, recent, .. } = &mut **session;
        let mut send = |to: &ReplyTo| {
            emit_answer(to, answer, link.max_message(), &mut self.message);
            let sequence = link.next_sequence();
            link.send(to.peer, sequence, PayloadType::Ipmi, &self.message, random, out);
            sequence
        };
        if !recent.answered(self.now, to, answer, &mut send) {
            send(to);
        }
    }

    /// Sends a whole IPMI message (from responder's address to second checksum) to a
    /// session: a bridged answer, or the host's answer to a request for it. It is kept with
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

    /// Ends all logins of a user and all its sessions, but for the one that asked for it.
    pub fn close_sessions_of_user(&mut self, user: UserNumber, spared: Option<SessionId>, out: &mut Outbox) {
        self.logins.remove_user(user);
        let ids = self.sessions.values().filter(|session| session.user == user).map(|it| it.link.id);
        for id in ids.filter(|id| Some(*id) != spared).collect::<Vec<_>>() {
            self.end(id, End::UserChanged, out);
        }
    }

    /// Ends a session, as Close Session does.
    pub fn close_session(&mut self, session: SessionId, out: &mut Outbox) {
        self.end(session, End::Closed, out);
    }

    /// Wipes what sessions and logins that are over have left on the stack. Called where the outside comes in, which is where
    /// the stack is shallowest.
    fn wipe(&mut self) {
        if std::mem::take(&mut self.stained) {
            wipe_stack();
        }
    }

    fn end(&mut self, session: SessionId, why: End, out: &mut Outbox) {
        if let Some(ended) = self.sessions.remove(&session) {
            self.stained = true;
            log_end(&mut self.report, self.now, self.settings.channel, &ended, why, out);
            out.events.push(Event::Closed { session });
        }
    }

    /// Takes a session whose login succeeded into the table, which must have room.
    pub(super) fn establish(&mut self, session: Session, out: &mut Outbox) {
        let id = session.link.id;
        self.ends_at(session.deadline());
        let channel = self.settings.channel;
        let Session { name, peer, limit, link, .. } = &session;
        let (name, level) = (shown(name), limit.name());
        let way = if link.is_rmcp_plus() { "RMCP+" } else { "IPMI 1.5" };
        let line = format_args!("LAN channel {channel}: user \"{name}\" logged in from {peer} by {way}, up to {level}");
        write_log(self.report.session(self.now), Weight::Info, out, line);
        self.sessions.insert(id, Box::new(session));
        out.events.push(Event::Opened { session: id });
    }

    /// Makes room for a session of this user from this address, whose password was right. False when there is none.
    ///
    /// When all places are taken, whoever has most gives one: of all users, and of that one's addresses. Of those sessions
    /// the one that was idle longest ends. So nobody keeps others out, whatever his level, and a script that
    /// forgets to close its sessions keeps nobody out either. Who has most himself, and uses them all, gets no more.
    pub(super) fn make_room(&mut self, now: Moment, user: UserNumber, from: IpAddr, out: &mut Outbox) -> bool {
        if self.sessions.len() < MAX_SESSIONS {
            return true;
        }
        let newcomer = (user, source(from));
        let mut owners: Vec<(UserNumber, IpAddr)> =
            self.sessions.values().map(|session| (session.user, source(session.peer.ip()))).chain([newcomer]).collect();
        owners.sort_unstable();
        let most = |owners: &[(UserNumber, IpAddr)], same: fn(&(UserNumber, IpAddr), &(UserNumber, IpAddr)) -> bool| {
            owners.chunk_by(same).max_by_key(|chunk| chunk.len()).map(<[_]>::to_vec).unwrap_or_default()
        };
        let of_user = most(&owners, |one, other| one.0 == other.0);
        let of_address = most(&of_user, |one, other| one == other);
        let Some(&owner) = of_address.first() else { return false };
        let idle = self
            .sessions
            .values()
            .filter(|session| (session.user, source(session.peer.ip())) == owner)
            .min_by_key(|session| session.last_used);
        match idle {
            Some(session) if owner != newcomer || now.since(session.last_used) >= IN_USE => {
                let id = session.link.id;
                self.end(id, End::MadeRoom, out);
                true
            }
            _ => false,
        }
    }

    /// Whether a user may have another session.
    pub(super) fn user_has_room(&self, user: &LanUser) -> bool {
        let sessions = || self.sessions.values().filter(|session| session.user == user.number).count();
        user.sessions == 0 || sessions() < usize::from(user.sessions)
    }

    /// The lowest session handle that is free.
    pub(super) fn free_handle(&self) -> u8 {
        let mut taken = [false; 256];
        self.sessions.values().for_each(|session| taken[usize::from(session.handle)] = true);
        (1..=u8::MAX).find(|handle| !taken[usize::from(*handle)]).unwrap_or(0)
    }

    /// A random id nobody has. Those of sessions are even and not 0, those of IPMI 1.5
    /// logins odd.
    pub(super) fn new_id(&self, random: &mut dyn Random, lowest_bit: u32) -> SessionId {
        loop {
            let mut bytes = [0; 4];
            random.fill(&mut bytes);
            let id = SessionId(u32::from_le_bytes(bytes) & !1 | lowest_bit);
            if id != SessionId::NONE && !self.sessions.contains_key(&id) && !self.logins.has_id(id) {
                return id;
            }
        }
    }

    /// Something ends at `moment`.
    pub(super) fn ends_at(&mut self, moment: Moment) {
        self.next_end = Some(self.next_end.map_or(moment, |next| next.min(moment)));
    }

    /// How many sessions are established.
    pub fn active_sessions(&self) -> usize {
        self.sessions.len()
    }

    /// What there is to know about a session.
    pub fn session(&self, session: SessionId) -> Option<SessionInfo> {
        self.sessions.get(&session).map(|session| SessionInfo {
            id: session.link.id,
            handle: session.handle,
            user: session.user,
            peer: session.peer,
            privilege: session.privilege,
            limit: session.limit,
            rmcp_plus: session.link.is_rmcp_plus(),
            last_used: session.last_used,
        })
    }

    /// What a session may do now: its level, or what is left of it under the limits as they are now. `None`:
    /// nothing but to end itself.
    pub fn privilege(&self, session: SessionId, authority: &dyn Authority) -> Option<Privilege> {
        level_now(self.sessions.get(&session)?, authority)
    }

    /// The most a session can have now, whatever its level is. `None`: nothing.
    pub fn limit(&self, session: SessionId, authority: &dyn Authority) -> Option<Privilege> {
        policy::session_limit(authority, self.sessions.get(&session)?)
    }

    /// All established sessions, in no order.
    pub fn sessions(&self) -> impl Iterator<Item = SessionInfo> {
        self.sessions.keys().filter_map(|id| self.session(*id))
    }

    /// The session with this handle (1 to 255).
    pub fn session_with_handle(&self, handle: u8) -> Option<SessionId> {
        self.sessions.values().find(|session| handle != 0 && session.handle == handle).map(|session| session.link.id)
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

    /// A guess was wrong: its source, which receives our answers, has one less that costs nothing, and the log says so.
    pub(super) fn login_failed(&mut self, now: Moment, from: Peer, name: &[u8], why: &str, out: &mut Outbox) {
        self.verdicts.failed(now, from.ip());
        self.login_refused(now, from, name, why, out);
    }

    /// A login is refused that guesses nothing, of somebody who receives our answers.
    pub(super) fn login_refused(&mut self, now: Moment, from: Peer, name: &[u8], why: &str, out: &mut Outbox) {
        let channel = self.settings.channel;
        let name = shown(name);
        let line = format_args!("LAN channel {channel}: login of user \"{name}\" from {from} failed: {why}");
        write_log(self.report.failed(now, from), Weight::Warning, out, line);
        self.ends_with_report();
    }

    /// The same for what anybody may have sent in somebody else's name: nobody waits for it.
    pub(super) fn claim_refused(&mut self, call: &mut Call<'_>, name: &[u8], why: &str) {
        let channel = self.settings.channel;
        let (name, from) = (shown(name), call.from);
        let line = format_args!(
            "LAN channel {channel}: login of user \"{name}\" from {from} failed: {why} (the address may be forged)"
        );
        write_log(self.report.claimed(call.now), Weight::Warning, call.out, line);
    }

    fn log_summary(&mut self, summary: &Summary, out: &mut Outbox) {
        let channel = self.settings.channel;
        let Summary { address, failures, seconds, held_back } = summary;
        let logins = if *failures == 1 { "login" } else { "logins" };
        let line =
            format_args!("LAN channel {channel}: {failures} more {logins} from {address} failed in {seconds} seconds");
        write_log(Some(*held_back), Weight::Warning, out, line);
    }

    fn ends_with_report(&mut self) {
        if let Some(due) = self.report.deadline() {
            self.ends_at(due);
        }
    }

    /// A login ended because nothing more came. One that got RAKP Message 2 was perhaps only
    /// after its code, at which passwords can be guessed elsewhere: that is a failure like others.
    pub(super) fn given_up(&mut self, now: Moment, login: &Login, out: &mut Outbox) {
        if let Step::Exchanged(exchanged) = &login.step {
            self.login_failed(now, login.peer, &exchanged.name, "nothing came after RAKP message 2", out);
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
                self.ends_at(due);
                false
            }
        }
    }

    fn log_dropped(&mut self, call: &mut Call<'_>, why: &str) {
        let from = call.from;
        let channel = self.settings.channel;
        write_log(
            self.dropped_datagrams.permit(call.now),
            Weight::Info,
            call.out,
            format_args!("LAN channel {channel}: a datagram from {from} was dropped: {why}"),
        );
    }
}

/// A session's level, or what is left of it under the limits as they are now.
fn level_now(session: &Session, authority: &dyn Authority) -> Option<Privilege> {
    policy::session_limit(authority, session).map(|limit| limit.min(session.privilege))
}

/// Where a message of this session comes from and what it may do, as of now.
fn origin_of(settings: &Settings, session: &Session, to: &ReplyTo, authority: &dyn Authority) -> Origin {
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
            udp_port: settings.udp_port,
        }),
        bridged: false,
        requester: to.rq_addr,
        requester_lun: to.rq_lun,
    }
}

/// Writes a line if there is leave for it, with the number of those that were left out before.
fn write_log(permit: Option<u64>, weight: Weight, out: &mut Outbox, line: Arguments<'_>) {
    if let Some(held_back) = permit {
        out.events.push(Event::Log(
            weight,
            match held_back {
                0 => line.to_string(),
                _ => format!("{line} ({held_back} such lines were left out before)"),
            },
        ));
    }
}

fn log_end(report: &mut Report, now: Moment, channel: ChannelNumber, session: &Session, why: End, out: &mut Outbox) {
    let (name, peer) = (shown(&session.name), session.peer);
    let why = match why {
        End::Closed => "was closed",
        End::Idle => "was idle too long",
        End::UserChanged => "ended with a change of the user",
        End::MadeRoom => "made room for another",
    };
    let line = format_args!("LAN channel {channel}: the session of user \"{name}\" at {peer} {why}");
    write_log(report.session(now), Weight::Info, out, line);
}

/// A name up to its first zero, without control characters.
fn shown(name: &[u8]) -> std::slice::EscapeAscii<'_> {
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    name[..end].escape_ascii()
}

/// Writes the answer to a request into `message`; one that does not fit into a packet
/// becomes CAh.
fn emit_answer(to: &ReplyTo, answer: &[u8], limit: usize, message: &mut Vec<u8>) {
    let fits = answer.len() + ipmb::OVERHEAD <= limit;
    message.clear();
    Message {
        to: to.rq_addr,
        to_lun: to.rq_lun,
        netfn: to.netfn | 1,
        from: to.rs_addr,
        from_lun: to.rs_lun,
        seq: to.rq_seq,
        cmd: to.cmd,
        data: if fits { answer } else { &[CompletionCode::CANNOT_RETURN_LENGTH.0] },
    }
    .emit(message);
}

/// An answer to a request outside sessions, with room for what such commands say.
pub(super) fn empty_reply(channel: ChannelNumber) -> Reply {
    Reply::new(&Origin {
        channel,
        medium: Medium::Lan,
        privilege: None,
        session: None,
        bridged: false,
        requester: ipmb::REMOTE_CONSOLE,
        requester_lun: 0,
    })
}
