//! The sessions of a channel: how one begins and ends, who has to give way, what there is to know of one.

use std::collections::HashMap;
use std::hash::Hasher;
use std::net::IpAddr;
use std::time::Duration;

use super::log::{log_end, shown, write_log};
use super::{Call, Dropped, LanChannel};
use crate::ipmi::{Moment, Peer, Privilege, Random, SessionId, UserNumber};
use crate::lan::session::Session;
use crate::lan::throttle::source;
use crate::lan::{Authority, DropReason, Event, LanUser, Outbox, Weight, policy};

/// Most established sessions: as many a second, for the minute that those of vanished clients stay, as
/// 256 would be for half a minute.
const MAX_SESSIONS: usize = 512;
/// A session that was used since is not ended for another of the same user from the same address.
const IN_USE: Duration = Duration::from_secs(5);

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Close Session, by itself or by an administrator.
    Closed,
    Idle,
    UserChanged,
    /// For another session, when all places are taken.
    MadeRoom,
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
pub(in crate::lan) struct IdHasher(u64);

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
    /// Marks a session as used by a new packet from `from`.
    pub(in crate::lan) fn used(session: &mut Session, now: Moment, from: Peer) {
        session.last_used = now;
        session.peer = from;
        session.login_response = None;
    }

    /// The session with this id, unless it is over.
    pub(in crate::lan) fn live(&mut self, call: &mut Call<'_>, id: SessionId) -> Result<&mut Session, Dropped> {
        // Before that moment none is over.
        if self.next_end.is_none_or(|next| next <= call.now)
            && self.sessions.get(&id).is_some_and(|session| session.deadline() <= call.now)
        {
            self.end(id, End::Idle, call.out);
            return Err(Dropped(DropReason::NoSession, "its session has timed out"));
        }
        self.sessions.get_mut(&id).map(Box::as_mut).ok_or(Dropped(DropReason::NoSession, "there is no such session"))
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

    /// Gives the memory back that sessions took, if there are none; says whether there are none.
    pub(crate) fn give_back(&mut self) -> bool {
        if self.sessions.is_empty() {
            self.sessions = HashMap::default();
            self.message = Vec::new();
            self.logins.give_back();
        }
        self.sessions.is_empty()
    }

    fn end(&mut self, session: SessionId, why: End, out: &mut Outbox) {
        if let Some(ended) = self.sessions.remove(&session) {
            self.stained = true;
            log_end(&mut self.report, self.now, self.settings.channel, &ended, why, out);
            out.events.push(Event::Closed { session });
        }
    }

    /// Takes a session whose login succeeded into the table, which must have room.
    pub(in crate::lan) fn establish(&mut self, session: Session, out: &mut Outbox) {
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
    pub(in crate::lan) fn make_room(&mut self, now: Moment, user: UserNumber, from: IpAddr, out: &mut Outbox) -> bool {
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
    pub(in crate::lan) fn user_has_room(&self, user: &LanUser) -> bool {
        let sessions = || self.sessions.values().filter(|session| session.user == user.number).count();
        user.sessions == 0 || sessions() < usize::from(user.sessions)
    }

    /// The lowest session handle that is free.
    pub(in crate::lan) fn free_handle(&self) -> u8 {
        let mut taken = [false; 256];
        self.sessions.values().for_each(|session| taken[usize::from(session.handle)] = true);
        (1..=u8::MAX).find(|handle| !taken[usize::from(*handle)]).unwrap_or(0)
    }

    /// A random id nobody has. Those of sessions are even and not 0, those of IPMI 1.5
    /// logins odd.
    pub(in crate::lan) fn new_id(&self, random: &mut dyn Random, lowest_bit: u32) -> SessionId {
        loop {
            let mut bytes = [0; 4];
            random.fill(&mut bytes);
            let id = SessionId(u32::from_le_bytes(bytes) & !1 | lowest_bit);
            if id != SessionId::NONE && !self.sessions.contains_key(&id) && !self.logins.has_id(id) {
                return id;
            }
        }
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
}

/// A session's level, or what is left of it under the limits as they are now.
pub(super) fn level_now(session: &Session, authority: &dyn Authority) -> Option<Privilege> {
    policy::session_limit(authority, session).map(|limit| limit.min(session.privilege))
}
