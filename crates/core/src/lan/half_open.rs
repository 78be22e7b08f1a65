//! Logins under way: IPMI 1.5 challenges and RMCP+ sessions before RAKP Message 3.
//!
//! Anybody can start a login, in anybody's name, without proving anything, so these live apart from
//! established sessions and can never take a place from one. There are two tables:
//!
//! * Begun: Open Session or Get Session Challenge was answered, and nothing shows yet that the response arrived. Compact and
//!   large, made only when it is needed. When it is full the oldest goes, and nobody is to blame: at 20,000 forged Open
//!   Sessions a second each stays for 0.8 s, far longer than a client needs for its next message. Dropped
//!   at random, of right logins with a round trip of 10 ms every eightieth would be lost at that rate and every eighth at ten
//!   times that; the oldest are safe up to 1.6 million a second, more than a socket takes. Only where the oldest do not live for one
//!   round trip would some of the random ones: above 160,000 a second for clients 100 ms away.
//! * Proven: the next message came from the same address with the random id that the first response carried, or the
//!   challenge. Only these hold passwords, only their expiry is a failure, and what is not proven takes no place from them.
//!   When there are too many, whoever has most gives one.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::channel::IdHasher;
use super::throttle::source;
use crate::crypto::mac::Tag;
use crate::crypto::rakp::{Dialect, Exchange};
use crate::crypto::{Secret, Suite};
use crate::ipmi::{Moment, Peer, Privilege, Random, SessionId, UserNumber};
use crate::wire::rakp::{Algorithms, OpenSessionRequest};

/// How long an RMCP+ session may stay half-open.
pub(super) const SETUP_LIFE: Duration = Duration::from_secs(10);
/// How long an IPMI 1.5 challenge can be used.
pub(super) const CHALLENGE_LIFE: Duration = Duration::from_secs(60);
/// Most logins that are begun and not proven.
const MOST_BEGUN: usize = 16_384;
/// Most proven logins.
const MOST: usize = 1024;
/// Most proven logins of one source.
const MOST_PER_SOURCE: usize = 256;

/// A login that is proven.
pub(super) struct Login {
    /// Temporary session id (odd, IPMI 1.5) or session id to be (even, RMCP+).
    pub(super) id: SessionId,
    /// Who started it.
    pub(super) peer: Peer,
    /// When it ends by itself.
    pub(super) expires: Moment,
    /// How far it got.
    pub(super) step: Step,
}

impl Login {
    /// Whether it opened its session.
    fn is_done(&self) -> bool {
        matches!(&self.step, Step::Challenged(Challenge { used: Some(_), .. }))
    }
}

/// How far a proven login got.
pub(super) enum Step {
    /// IPMI 1.5: the challenge came back in Activate Session.
    Challenged(Challenge),
    /// RMCP+: RAKP Message 1 was answered.
    Exchanged(Box<Exchanged>),
}

/// How a login began.
#[derive(Clone)]
pub(super) enum Start {
    /// IPMI 1.5: Get Session Challenge was answered with this string, for this user.
    Challenged([u8; 16], UserNumber),
    /// RMCP+: Open Session was answered.
    Opened(Opened),
}

/// A login that is begun and not proven.
struct Begun {
    /// As [`Login::id`]; none when it is over.
    id: SessionId,
    from: SocketAddr,
    expires: Moment,
    /// Of sender and request, to recognise it when it comes again.
    request: u64,
    start: Start,
}

/// An IPMI 1.5 challenge.
pub(super) struct Challenge {
    /// The challenge string.
    pub(super) string: [u8; 16],
    /// The user it was made for.
    pub(super) user: UserNumber,
    /// The session it opened, and the request data that did, so that the same request
    /// sent again gets the same response and nothing else.
    pub(super) used: Option<(SessionId, [u8; 22])>,
    /// The last code that was wrong: sent again it is no other guess.
    pub(super) wrong: Option<Secret<16>>,
}

/// What Open Session agreed on.
#[derive(Clone)]
pub(super) struct Opened {
    /// Message tag of the request.
    pub(super) tag: u8,
    /// The console's session id.
    pub(super) console_id: u32,
    /// Privilege in the response.
    pub(super) privilege: Privilege,
    /// The suite.
    pub(super) suite: &'static Suite,
}

/// What RAKP Message 1 and 2 agreed on.
pub(super) struct Exchanged {
    /// What Open Session agreed on.
    pub(super) opened: Opened,
    /// Console's random number.
    pub(super) console_random: [u8; 16],
    /// BMC's random number.
    pub(super) bmc_random: [u8; 16],
    /// The system GUID that it was told.
    pub(super) guid: [u8; 16],
    /// Role byte.
    pub(super) role: u8,
    /// User name as sent, zero padded.
    pub(super) name: [u8; 16],
    /// Length of the name as sent.
    pub(super) name_length: usize,
    /// The user's number.
    pub(super) user: UserNumber,
    /// The user's password.
    pub(super) password: Secret<20>,
    /// Maximum privilege of the session.
    pub(super) privilege: Privilege,
    /// The code of RAKP Message 2, made once however often message 1 comes.
    pub(super) code: Tag,
}

impl Exchanged {
    /// The values codes and keys are made of.
    pub(super) fn exchange(&self, bmc_id: u32) -> Exchange<'_> {
        Exchange {
            authentication: self.opened.suite.authentication,
            console_id: self.opened.console_id,
            bmc_id,
            console_random: &self.console_random,
            bmc_random: &self.bmc_random,
            guid: &self.guid,
            role: self.role,
            name: &self.name[..self.name_length],
            dialect: self.dialect(),
        }
    }

    /// How the console makes keys of MD5, as far as its messages show. That decides only about
    /// passwords and K_G of more than 16 bytes.
    ///
    /// OpenIPMI's client counts its tags from 2 (ipmitool and ipmiutil use 0, freeipmi random
    /// ones); freeipmi for early Intel BMCs pads the name.
    fn dialect(&self) -> Dialect {
        let padded = self.name[..self.name_length].last() == Some(&0);
        match self.opened.tag {
            2..=4 => Dialect::OpenIpmi,
            _ if padded => Dialect::OpenIpmi,
            _ => Dialect::Common,
        }
    }
}

/// All logins under way.
#[derive(Default)]
pub(super) struct Logins {
    begun: Beginnings,
    /// Proven ones, oldest first: what comes is for one of the last, and what makes room is one of the first.
    list: VecDeque<Login>,
}

/// What is begun, oldest first.
#[derive(Default)]
struct Beginnings {
    queue: VecDeque<Begun>,
    /// The number of the first in the queue; they are counted up.
    first: u32,
    by_id: HashMap<SessionId, u32, BuildHasherDefault<IdHasher>>,
    by_request: HashMap<u64, u32, BuildHasherDefault<IdHasher>>,
    /// Makes hashes of requests unpredictable.
    seed: Option<u64>,
    /// All are over then.
    until: Moment,
}

impl Beginnings {
    fn get(&self, number: u32) -> Option<&Begun> {
        self.queue.get(number.wrapping_sub(self.first) as usize).filter(|begun| begun.id != SessionId::NONE)
    }

    fn pop(&mut self) {
        if let Some(begun) = self.queue.pop_front() {
            self.forget(&begun);
            self.first = self.first.wrapping_add(1);
        }
    }

    fn forget(&mut self, begun: &Begun) {
        if begun.id != SessionId::NONE {
            self.by_id.remove(&begun.id);
            self.by_request.remove(&begun.request);
        }
    }

    fn add(&mut self, now: Moment, begun: Begun) {
        while self.queue.front().is_some_and(|first| first.id == SessionId::NONE || first.expires <= now) {
            self.pop();
        }
        if self.queue.len() >= MOST_BEGUN {
            self.pop();
        }
        let number = self.first.wrapping_add(self.queue.len() as u32);
        self.by_id.insert(begun.id, number);
        self.by_request.insert(begun.request, number);
        self.until = self.until.max(begun.expires);
        self.queue.push_back(begun);
    }

    fn remove(&mut self, id: SessionId) {
        let Some(number) = self.by_id.get(&id) else { return };
        let at = number.wrapping_sub(self.first) as usize;
        if let Some(begun) = self.queue.get_mut(at) {
            self.by_request.remove(&begun.request);
            begun.id = SessionId::NONE;
        }
        self.by_id.remove(&id);
    }

    /// Gives the memory back when all are over.
    fn expire(&mut self, now: Moment) {
        if self.until <= now && !self.queue.is_empty() {
            *self = Self { seed: self.seed, ..Self::default() };
        }
    }
}

impl Logins {
    /// A value that is the same for the same request of the same sender, whatever its tag.
    pub(super) fn fingerprint(&mut self, from: Peer, request: &OpenSessionRequest, random: &mut dyn Random) -> u64 {
        let OpenSessionRequest { tag: _, privilege, console_id, algorithms } = request;
        let algorithms: Option<Algorithms> = algorithms.ok();
        self.hash((from.address, *privilege, *console_id, algorithms), random)
    }

    fn hash(&mut self, what: impl Hash, random: &mut dyn Random) -> u64 {
        let seed = *self.begun.seed.get_or_insert_with(|| {
            let mut seed = [0; 8];
            random.fill(&mut seed);
            u64::from_le_bytes(seed)
        });
        let mut hasher = DefaultHasher::new();
        (seed, what).hash(&mut hasher);
        hasher.finish()
    }

    /// A login begins. `request` is its [`fingerprint`](Self::fingerprint), or anything that no other has.
    pub(super) fn begin(
        &mut self,
        now: Moment,
        id: SessionId,
        from: Peer,
        expires: Moment,
        request: u64,
        start: Start,
    ) {
        self.begun.add(now, Begun { id, from: from.address, expires, request, start });
    }

    /// The login an Open Session request began that was sent before, with nothing done since.
    pub(super) fn find_opened(&self, now: Moment, fingerprint: u64) -> Option<(SessionId, &Opened)> {
        let begun = self.begun.get(*self.begun.by_request.get(&fingerprint)?)?;
        match &begun.start {
            Start::Opened(opened) if begun.request == fingerprint && begun.expires > now => Some((begun.id, opened)),
            _ => None,
        }
    }

    /// How the login with this id began and when it ends, if it is not proven yet, still alive, and the datagram comes
    /// from where it was begun. Only the address counts: a client may change its port in between.
    pub(super) fn begun(&self, now: Moment, id: SessionId, from: IpAddr) -> Option<(&Start, Moment)> {
        let begun = self.begun.get(*self.begun.by_id.get(&id)?)?;
        (begun.id == id && begun.expires > now && begun.from.ip() == from).then_some((&begun.start, begun.expires))
    }

    /// A login is proven: it takes the place of what was begun, at the cost of another when there are too many. Of
    /// the source with most, of its port with most, the oldest goes; before it one that opened its session and is only
    /// kept to answer again. One that had to make room for another of its own source comes back.
    #[must_use]
    pub(super) fn prove(&mut self, login: Login) -> Option<Login> {
        self.begun.remove(login.id);
        let from = source(login.peer.ip());
        let crowded = self.list.iter().filter(|other| source(other.peer.ip()) == from).count() >= MOST_PER_SOURCE;
        let pushed_out = match crowded || self.list.len() >= MOST {
            true => self.most_crowded(crowded.then_some(from)).and_then(|at| self.list.remove(at)),
            false => None,
        };
        self.list.push_back(login);
        pushed_out.filter(|login| crowded && !login.is_done())
    }

    /// The login that makes room: one of `from`, or of the source that has most.
    fn most_crowded(&self, from: Option<IpAddr>) -> Option<usize> {
        if let Some(from) = from {
            let done = |login: &Login| login.is_done() && source(login.peer.ip()) == from;
            if let Some(at) = self.list.iter().position(done) {
                return Some(at);
            }
        }
        let mut all: Vec<(IpAddr, u16, bool, usize)> = self
            .list
            .iter()
            .enumerate()
            .map(|(at, login)| (source(login.peer.ip()), login.peer.address.port(), !login.is_done(), at))
            .filter(|(source, ..)| from.is_none_or(|from| *source == from))
            .collect();
        all.sort_unstable();
        let of_source = all.chunk_by(|one, other| one.0 == other.0).max_by_key(|chunk| chunk.len())?;
        if let Some((.., at)) = of_source.iter().filter(|(_, _, under_way, _)| !under_way).min_by_key(|(.., at)| *at) {
            return Some(*at);
        }
        let ports = of_source.chunk_by(|one, other| one.1 == other.1);
        let most = ports.max_by_key(|chunk| (chunk.len(), std::cmp::Reverse(chunk.first().map(|(.., at)| *at))))?;
        most.iter().map(|(.., at)| *at).min()
    }

    /// Whether an id is in use.
    pub(super) fn has_id(&self, id: SessionId) -> bool {
        self.begun.by_id.contains_key(&id) || self.list.iter().any(|login| login.id == id)
    }

    /// The proven login with this id, when it is still alive and the datagram comes from its address.
    pub(super) fn find(&mut self, now: Moment, id: SessionId, from: IpAddr) -> Option<&mut Login> {
        self.list.iter_mut().rev().find(|login| login.id == id && login.expires > now && login.peer.ip() == from)
    }

    /// Ends a login, proven or not; a proven one comes back.
    pub(super) fn remove(&mut self, id: SessionId) -> Option<Login> {
        self.begun.remove(id);
        let at = self.list.iter().rposition(|login| login.id == id)?;
        self.list.remove(at)
    }

    /// Gives the memory of proven logins back, if there are none.
    pub(super) fn give_back(&mut self) {
        if self.list.is_empty() {
            self.list = VecDeque::new();
        }
    }

    /// Ends all logins of a user.
    pub(super) fn remove_user(&mut self, user: UserNumber) {
        self.list.retain(|login| match &login.step {
            Step::Challenged(challenge) => challenge.user != user,
            Step::Exchanged(exchanged) => exchanged.user != user,
        });
        let of_user = |begun: &&Begun| matches!(begun.start, Start::Challenged(_, number) if number == user);
        let ids: Vec<SessionId> = self.begun.queue.iter().filter(of_user).map(|begun| begun.id).collect();
        ids.into_iter().for_each(|id| self.begun.remove(id));
    }

    /// Ends what has timed out, and gives back what was proven.
    pub(super) fn expire(&mut self, now: Moment) -> Vec<Login> {
        self.begun.expire(now);
        if self.list.iter().all(|login| login.expires > now) {
            self.give_back();
            return Vec::new();
        }
        let all = std::mem::take(&mut self.list).into_iter();
        let (alive, ended): (VecDeque<_>, VecDeque<_>) = all.partition(|login| login.expires > now);
        self.list = alive;
        ended.into()
    }

    /// When the next login times out that anybody has to be told of, or memory can be given back.
    pub(super) fn next_expiry(&self) -> Option<Moment> {
        let begun = (!self.begun.queue.is_empty()).then_some(self.begun.until);
        self.list.iter().map(|login| login.expires).chain(begun).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lan::testing::Dice;

    fn at(milliseconds: u64) -> Moment {
        Moment::new(Duration::from_millis(milliseconds))
    }

    fn challenge(user: UserNumber, used: Option<SessionId>) -> Step {
        let used = used.map(|session| (session, [0; 22]));
        Step::Challenged(Challenge { string: [0; 16], user, used, wrong: None })
    }

    fn login(id: SessionId, peer: &str) -> Login {
        Login { id, peer: peer.parse().unwrap(), expires: at(10_000), step: challenge(UserNumber::NULL, None) }
    }

    fn opened() -> Start {
        let suite = Suite::from_id(3).unwrap();
        Start::Opened(Opened { tag: 0, console_id: 1, privilege: Privilege::User, suite })
    }

    const ME: &str = "192.0.2.1:1000";

    fn me() -> IpAddr {
        ME.parse::<Peer>().unwrap().ip()
    }

    #[test]
    fn forged_beginnings_push_out_nobody_who_answers_in_time() {
        let mut logins = Logins::default();
        let mut id = 0;
        // 20,000 a second, and logins of which each next message comes 10, 50 and 500 ms later.
        for round_trip in [10, 50, 500] {
            for start in (0..5000).step_by(1000) {
                id += 2;
                let right = SessionId(id);
                logins.begin(at(start), right, ME.parse().unwrap(), at(start + 10_000), u64::from(id), opened());
                for number in 0..20 * round_trip {
                    id += 2;
                    let from: Peer = SocketAddr::new(IpAddr::V4(id.into()), 623).into();
                    let now = start + number / 20;
                    logins.begin(at(now), SessionId(id), from, at(now + 10_000), u64::from(id), opened());
                }
                assert!(logins.begun(at(start + round_trip), right, me()).is_some(), "{round_trip} ms");
                assert!(logins.prove(login(right, ME)).is_none());
                assert!(logins.begun(at(start + round_trip), right, me()).is_none());
                // Now it stays, whatever comes.
                for _ in 0..50_000 {
                    id += 2;
                    let from: Peer = SocketAddr::new(IpAddr::V4(id.into()), 623).into();
                    logins.begin(at(start), SessionId(id), from, at(start + 10_000), u64::from(id), opened());
                }
                assert!(logins.find(at(start + round_trip), right, me()).is_some());
                assert_eq!(logins.begun.queue.len(), MOST_BEGUN);
                assert!(logins.begun.by_id.len() <= MOST_BEGUN && logins.begun.by_request.len() <= MOST_BEGUN);
            }
        }
        assert!(std::mem::size_of::<Begun>() <= 96, "{} bytes", std::mem::size_of::<Begun>());
        // The memory is given back.
        logins.expire(at(100_000));
        assert_eq!((logins.begun.queue.capacity(), logins.begun.by_id.capacity()), (0, 0));
    }

    #[test]
    fn ordinary_logins_leave_the_table_small() {
        let mut logins = Logins::default();
        for number in 0..100_000u32 {
            let now = u64::from(number) * 100;
            logins.begin(
                at(now),
                SessionId(2 * number + 2),
                ME.parse().unwrap(),
                at(now + 10_000),
                number.into(),
                opened(),
            );
            if number % 3 != 0 {
                logins.remove(SessionId(2 * number + 2));
            }
            assert!(logins.begun.queue.len() <= 110);
        }
        assert_eq!(logins.next_expiry(), Some(at(99_999 * 100 + 10_000)));
    }

    #[test]
    fn the_same_request_of_the_same_sender_is_recognised_while_nothing_was_done() {
        let mut logins = Logins::default();
        let mut dice = Dice(1);
        let algorithms = Ok(Algorithms { authentication: Some(1), integrity: Some(1), confidentiality: Some(1) });
        let request = OpenSessionRequest { tag: 1, privilege: 4, console_id: 77, algorithms };
        let me: Peer = ME.parse().unwrap();
        let print = logins.fingerprint(me, &request, &mut dice);
        logins.begin(at(0), SessionId(2), me, at(10_000), print, opened());
        let again = logins.fingerprint(me, &OpenSessionRequest { tag: 9, ..request }, &mut dice);
        assert_eq!(logins.find_opened(at(5), again).map(|(id, _)| id), Some(SessionId(2)));
        assert!(logins.find_opened(at(10_000), again).is_none(), "too late");
        for (peer, other) in [
            ("192.0.2.1:1001", request),
            ("192.0.2.2:1000", request),
            (ME, OpenSessionRequest { console_id: 78, ..request }),
            (ME, OpenSessionRequest { privilege: 3, ..request }),
        ] {
            let print = logins.fingerprint(peer.parse().unwrap(), &other, &mut dice);
            assert!(logins.find_opened(at(5), print).is_none(), "{peer}");
        }
        logins.remove(SessionId(2));
        assert!(logins.find_opened(at(5), again).is_none());
    }

    #[test]
    fn a_crowd_of_one_source_pushes_out_only_its_own() {
        let mut logins = Logins::default();
        let _ = logins.prove(login(SessionId(2), ME));
        for number in 0..10_000u32 {
            let pushed_out = logins.prove(login(SessionId(4 + 2 * number), &format!("192.0.2.2:{}", 1000 + number)));
            assert_eq!(pushed_out.is_some(), number >= MOST_PER_SOURCE as u32);
        }
        assert!(logins.has_id(SessionId(2)));
        assert_eq!(logins.list.len(), 1 + MOST_PER_SOURCE);
        assert!(logins.has_id(SessionId(4 + 2 * 9999)), "the newest stays");
        // One port cannot push out another of the same machine.
        let mut logins = Logins::default();
        let _ = logins.prove(login(SessionId(2), ME));
        for number in 0..10_000u32 {
            let _ = logins.prove(login(SessionId(4 + 2 * number), "192.0.2.1:9"));
        }
        assert!(logins.has_id(SessionId(2)));
    }

    #[test]
    fn a_crowd_of_many_sources_gives_places_of_whoever_has_most() {
        let mut logins = Logins::default();
        let _ = logins.prove(login(SessionId(2), ME));
        for number in 0..5000u32 {
            let pushed_out =
                logins.prove(login(SessionId(4 + 2 * number), &format!("10.0.0.{}:{}", number % 8, 1000 + number)));
            assert!(pushed_out.is_none(), "it is not to blame");
        }
        assert_eq!(logins.list.len(), MOST);
        assert!(logins.has_id(SessionId(2)));
    }

    /// A client that is slow for a moment, and others that log in and out all the time.
    #[test]
    fn logins_that_are_done_go_before_those_under_way() {
        let mut logins = Logins::default();
        let _ = logins.prove(login(SessionId(1), ME));
        for number in 1..10_000u32 {
            let mut done = login(SessionId(1 + 2 * number), "192.0.2.1:2000");
            done.step = challenge(UserNumber::NULL, Some(SessionId(number)));
            assert!(logins.prove(done).is_none(), "none failed");
        }
        assert!(logins.has_id(SessionId(1)));
        assert_eq!(logins.list.len(), MOST_PER_SOURCE);
    }

    #[test]
    fn logins_are_found_while_they_live_and_from_their_address() {
        let mut logins = Logins::default();
        logins.begin(at(0), SessionId(9), ME.parse().unwrap(), at(10_000), 1, opened());
        let _ = logins.prove(login(SessionId(7), ME));
        let elsewhere = "192.0.2.2".parse().unwrap();
        assert!(
            logins.find(at(9000), SessionId(7), me()).is_some() && logins.begun(at(9000), SessionId(9), me()).is_some()
        );
        assert!(
            logins.find(at(9000), SessionId(9), me()).is_none() && logins.begun(at(9000), SessionId(7), me()).is_none()
        );
        assert!(
            logins.find(at(9000), SessionId(7), elsewhere).is_none()
                && logins.begun(at(9000), SessionId(9), elsewhere).is_none()
        );
        assert!(
            logins.find(at(10_000), SessionId(7), me()).is_none()
                && logins.begun(at(10_000), SessionId(9), me()).is_none()
        );
        assert_eq!(logins.next_expiry(), Some(at(10_000)));
        assert_eq!(logins.expire(at(10_000)).len(), 1, "only what was proven is told");
        assert_eq!(logins.next_expiry(), None);
    }

    #[test]
    fn logins_of_a_user_end_with_the_user() {
        let mut logins = Logins::default();
        let _ = logins.prove(login(SessionId(7), ME));
        logins.begin(
            at(0),
            SessionId(9),
            ME.parse().unwrap(),
            at(60_000),
            1,
            Start::Challenged([0; 16], UserNumber::NULL),
        );
        logins.remove_user(UserNumber::new(2).unwrap());
        assert!(logins.has_id(SessionId(7)) && logins.has_id(SessionId(9)));
        logins.remove_user(UserNumber::NULL);
        assert!(!logins.has_id(SessionId(7)) && !logins.has_id(SessionId(9)));
    }
}
