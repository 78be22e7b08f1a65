//! What the log says about logins.
//!
//! The first failure of an address is told at once, with the name and the reason; what follows from there within half a
//! minute is told as a number when that is over. Addresses that have not shown that they receive our answers have a limit
//! of their own, and their lines say so: who forges names and addresses hides nothing but other forgeries.

use std::net::IpAddr;
use std::time::Duration;

use super::throttle::LogLimit;
use crate::ipmi::{Moment, Peer};

/// From one line about an address to the next.
const PAUSE: Duration = Duration::from_secs(30);
/// No more addresses are told apart than this.
const MOST_ADDRESSES: usize = 256;

/// The limits of lines about logins.
#[derive(Default)]
pub(super) struct Report {
    addresses: Vec<Told>,
    proven: LogLimit,
    unproven: LogLimit,
    sessions: LogLimit,
}

/// An address of which a failure was told.
struct Told {
    address: IpAddr,
    since: Moment,
    untold: u32,
}

/// Failures of an address that are told as a number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Summary {
    /// Where they came from.
    pub(super) address: IpAddr,
    /// How many.
    pub(super) failures: u32,
    /// In how many seconds.
    pub(super) seconds: u64,
    /// Lines that were left out before this.
    pub(super) held_back: u64,
}

impl Report {
    /// A login from an address that receives our answers failed. Whether a line may be written about it, and how many were
    /// left out before it.
    pub(super) fn failed(&mut self, now: Moment, from: Peer) -> Option<u64> {
        let address = from.ip().to_canonical();
        if let Some(told) = self.addresses.iter_mut().find(|told| told.address == address) {
            told.untold = told.untold.saturating_add(1);
            return None;
        }
        if self.addresses.len() < MOST_ADDRESSES {
            self.addresses.push(Told { address, since: now, untold: 0 });
        }
        self.proven.permit(now)
    }

    /// The same for what anybody can send in anybody's name.
    pub(super) fn claimed(&mut self, now: Moment) -> Option<u64> {
        self.unproven.permit(now)
    }

    /// The same for the begin and the end of a session.
    pub(super) fn session(&mut self, now: Moment) -> Option<u64> {
        self.sessions.permit(now)
    }

    /// When the next number is due, or an address can be forgotten.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.addresses.iter().map(|told| told.since + PAUSE).min()
    }

    /// The next number that is due.
    pub(super) fn due(&mut self, now: Moment) -> Option<Summary> {
        loop {
            let at = self.addresses.iter().position(|told| told.since + PAUSE <= now)?;
            if self.addresses[at].untold == 0 {
                self.addresses.swap_remove(at);
                continue;
            }
            let told = &mut self.addresses[at];
            let (address, failures, seconds) = (told.address, told.untold, now.since(told.since).as_secs());
            told.since = now;
            told.untold = 0;
            if let Some(held_back) = self.proven.permit(now) {
                return Some(Summary { address, failures, seconds, held_back });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    fn peer(host: u32) -> Peer {
        std::net::SocketAddr::new(IpAddr::V4(host.into()), 7).into()
    }

    #[test]
    fn an_address_is_told_at_once_and_then_in_numbers() {
        let mut report = Report::default();
        assert_eq!(report.failed(at(0), peer(1)), Some(0));
        for second in 0..30 {
            for _ in 0..100 {
                assert_eq!(report.failed(at(second), peer(1)), None);
            }
            assert_eq!(report.due(at(second)), None);
        }
        assert_eq!(report.failed(at(10), peer(2)), Some(0), "another address is told");
        assert_eq!(report.deadline(), Some(at(30)));
        let summary = Summary { address: peer(1).ip(), failures: 3000, seconds: 30, held_back: 0 };
        assert_eq!(report.due(at(30)), Some(summary));
        assert_eq!(report.due(at(30)), None);
        assert_eq!((report.due(at(60)), report.deadline()), (None, None), "nothing more to tell");
        assert_eq!(report.failed(at(61), peer(1)), Some(0));
    }

    #[test]
    fn what_is_forged_hides_nothing_that_is_not() {
        let mut report = Report::default();
        assert_eq!((0..100_000).filter(|_| report.claimed(at(5)).is_some()).count(), 20);
        assert_eq!(report.failed(at(5), peer(1)), Some(0));
        // So many machines that not each can have a line of its own.
        let lines = (0..10_000).filter(|host| report.failed(at(5), peer(10 + host)).is_some()).count();
        assert_eq!((lines, report.addresses.len()), (19, MOST_ADDRESSES));
        assert_eq!(report.session(at(5)), Some(0));
    }
}
