//! Logins under way: IPMI 1.5 challenges and RMCP+ sessions before RAKP Message 3.
//!
//! Anybody can start a login without proving anything, so these live apart from
//! established sessions and can never take a place from one. They are short-lived; when
//! there are too many, of one source or altogether, the oldest goes.

use std::net::IpAddr;
use std::time::Duration;

use super::throttle::source;
use crate::crypto::rakp::{Dialect, Exchange};
use crate::crypto::{Secret, Suite};
use crate::ipmi::{Moment, Peer, Privilege};
use crate::wire::rakp::OpenSessionRequest;

/// How long an RMCP+ session may stay half-open.
pub(super) const SETUP_LIFE: Duration = Duration::from_secs(10);
/// How long an IPMI 1.5 challenge can be used.
pub(super) const CHALLENGE_LIFE: Duration = Duration::from_secs(60);
/// Most logins under way.
const MOST: usize = 256;
/// Most logins under way from one source.
const MOST_PER_SOURCE: usize = 64;

/// A login under way.
pub(super) struct Login {
    /// Temporary session id (odd, IPMI 1.5) or session id to be (even, RMCP+).
    pub(super) id: u32,
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

/// How far a login got.
pub(super) enum Step {
    /// IPMI 1.5: Get Session Challenge was answered.
    Challenged(Challenge),
    /// RMCP+: Open Session was answered.
    Opened(Opened),
    /// RMCP+: RAKP Message 1 was answered.
    Exchanged(Box<Exchanged>),
}

/// An IPMI 1.5 challenge.
pub(super) struct Challenge {
    /// The challenge string.
    pub(super) string: [u8; 16],
    /// The user it was made for.
    pub(super) user: u8,
    /// The session it opened, and the request data that did, so that the same request
    /// sent again gets the same answer and nothing else.
    pub(super) used: Option<(u32, [u8; 22])>,
}

/// What Open Session agreed on.
#[derive(Clone)]
pub(super) struct Opened {
    /// The request, to recognise it when it comes again.
    pub(super) request: OpenSessionRequest,
    /// Privilege in the answer.
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
    /// Role byte.
    pub(super) role: u8,
    /// User name as sent, zero padded.
    pub(super) name: [u8; 16],
    /// Length of the name as sent.
    pub(super) name_length: usize,
    /// The user's number.
    pub(super) user: u8,
    /// The user's password.
    pub(super) password: Secret<20>,
    /// Maximum privilege of the session.
    pub(super) privilege: Privilege,
}

impl Exchanged {
    /// The values codes and keys are made of.
    pub(super) fn exchange<'a>(&'a self, bmc_id: u32, guid: &'a [u8; 16]) -> Exchange<'a> {
        Exchange {
            authentication: self.opened.suite.authentication,
            console_id: self.opened.request.console_id,
            bmc_id,
            console_random: &self.console_random,
            bmc_random: &self.bmc_random,
            guid,
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
        match self.opened.request.tag {
            2..=4 => Dialect::OpenIpmi,
            _ if padded => Dialect::OpenIpmi,
            _ => Dialect::Common,
        }
    }
}

/// All logins under way, oldest first.
#[derive(Default)]
pub(super) struct Logins {
    list: Vec<Login>,
}

impl Logins {
    /// Adds a login, at the cost of another when there are too many: the oldest that opened its
    /// session and is only kept to answer again, or else the oldest. One that had to make room for
    /// another of its own source comes back.
    #[must_use]
    pub(super) fn add(&mut self, login: Login) -> Option<Login> {
        let from = source(login.peer.ip());
        let same = |other: &Login| source(other.peer.ip()) == from;
        let crowded = self.list.iter().filter(|other| same(other)).count() >= MOST_PER_SOURCE;
        let oldest = match crowded || self.list.len() >= MOST {
            true => {
                let counts = |other: &Login| !crowded || same(other);
                let done = self.list.iter().position(|other| counts(other) && other.is_done());
                done.or_else(|| self.list.iter().position(counts))
            }
            false => None,
        };
        let pushed_out = oldest.map(|oldest| self.list.remove(oldest));
        self.list.push(login);
        pushed_out.filter(|_| crowded)
    }

    /// Whether an id is in use.
    pub(super) fn has_id(&self, id: u32) -> bool {
        self.list.iter().any(|login| login.id == id)
    }

    /// The login with this id, when it is still alive and the datagram comes from where
    /// it was started. Only the address counts: a client may change its port in between.
    pub(super) fn find(&mut self, now: Moment, id: u32, from: IpAddr) -> Option<&mut Login> {
        self.list.iter_mut().find(|login| login.id == id && login.expires > now && login.peer.ip() == from)
    }

    /// The login an Open Session request started that was sent before: the same from the
    /// same peer, whatever its tag, with nothing done since.
    pub(super) fn find_opened(
        &mut self,
        now: Moment,
        peer: Peer,
        request: &OpenSessionRequest,
    ) -> Option<(u32, &Opened)> {
        self.list.iter().find_map(|login| match &login.step {
            Step::Opened(opened)
                if login.peer == peer
                    && login.expires > now
                    && opened.request == (OpenSessionRequest { tag: opened.request.tag, ..*request }) =>
            {
                Some((login.id, opened))
            }
            _ => None,
        })
    }

    /// Ends a login.
    pub(super) fn remove(&mut self, id: u32) -> Option<Login> {
        let at = self.list.iter().position(|login| login.id == id)?;
        Some(self.list.remove(at))
    }

    /// Ends all logins of a user.
    pub(super) fn remove_user(&mut self, user: u8) {
        self.list.retain(|login| match &login.step {
            Step::Challenged(challenge) => challenge.user != user,
            Step::Opened(_) => true,
            Step::Exchanged(exchanged) => exchanged.user != user,
        });
    }

    /// Ends what has timed out, and gives it back.
    pub(super) fn expire(&mut self, now: Moment) -> Vec<Login> {
        let (alive, ended) = std::mem::take(&mut self.list).into_iter().partition(|login| login.expires > now);
        self.list = alive;
        ended
    }

    /// When the next login times out.
    pub(super) fn next_expiry(&self) -> Option<Moment> {
        self.list.iter().map(|login| login.expires).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(id: u32, peer: &str, expires: u64) -> Login {
        Login {
            id,
            peer: peer.parse().unwrap(),
            expires: Moment::new(Duration::from_secs(expires)),
            step: Step::Challenged(Challenge { string: [0; 16], user: 1, used: None }),
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    #[test]
    fn a_flood_from_one_source_pushes_out_only_its_own() {
        let mut logins = Logins::default();
        let _ = logins.add(login(2, "192.0.2.1:1000", 10));
        for number in 0..10_000u32 {
            let pushed_out = logins.add(login(4 + 2 * number, &format!("192.0.2.2:{}", 1000 + number), 10));
            assert_eq!(pushed_out.is_some(), number >= MOST_PER_SOURCE as u32);
        }
        assert!(logins.has_id(2));
        assert_eq!(logins.list.len(), 1 + MOST_PER_SOURCE);
        assert!(logins.has_id(4 + 2 * 9999), "the newest stays");
    }

    #[test]
    fn a_flood_from_everywhere_pushes_out_the_oldest() {
        let mut logins = Logins::default();
        for number in 0..1000u32 {
            let pushed_out =
                logins.add(login(2 + 2 * number, &format!("10.0.{}.{}:623", number / 200, number % 200), 10));
            assert!(pushed_out.is_none(), "it is not to blame");
        }
        assert_eq!(logins.list.len(), MOST);
        assert!(!logins.has_id(2));
        assert!(logins.has_id(2 + 2 * 999));
    }

    /// A client that is slow for a moment, and others that log in and out all the time.
    #[test]
    fn logins_that_are_done_go_before_those_under_way() {
        let mut logins = Logins::default();
        let _ = logins.add(login(1, "192.0.2.1:1000", 10));
        for number in 1..10_000u32 {
            let mut done = login(1 + 2 * number, "192.0.2.1:2000", 10);
            done.step = Step::Challenged(Challenge { string: [0; 16], user: 1, used: Some((number, [0; 22])) });
            let _ = logins.add(done);
        }
        assert!(logins.has_id(1));
        assert_eq!(logins.list.len(), MOST_PER_SOURCE);
    }

    #[test]
    fn logins_are_found_while_they_live_and_from_their_address() {
        let mut logins = Logins::default();
        let _ = logins.add(login(7, "192.0.2.1:1000", 10));
        let from = "192.0.2.1".parse().unwrap();
        assert!(logins.find(at(9), 7, from).is_some());
        assert!(logins.find(at(9), 9, from).is_none());
        assert!(logins.find(at(9), 7, "192.0.2.2".parse().unwrap()).is_none());
        assert!(logins.find(at(10), 7, from).is_none());
        assert_eq!(logins.next_expiry(), Some(at(10)));
        assert_eq!(logins.expire(at(10)).len(), 1);
        assert_eq!(logins.next_expiry(), None);
    }

    #[test]
    fn logins_of_a_user_end_with_the_user() {
        let mut logins = Logins::default();
        let _ = logins.add(login(7, "192.0.2.1:1000", 10));
        logins.remove_user(2);
        assert!(logins.has_id(7));
        logins.remove_user(1);
        assert!(!logins.has_id(7));
    }
}
