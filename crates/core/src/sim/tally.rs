//! What is counted of all systems of one loop, and of each system that is watched.
//!
//! Plain numbers with one owner: whoever calls systems puts a [`Tally`] into [`Effects`](super::Effects) and looks at it
//! between two calls. Nothing is counted while there is none, and nothing of a system while nobody watches it.

use std::time::Duration;

use super::Simulator;
use super::effect::{Effects, Saved};
use super::return_path::ReturnPath;
use crate::ipmi::{LoginFailure, Moment};
use crate::lan::DropReason;
use crate::settings::fault::Kind;

/// What happened in all systems that were called with it. All numbers only grow.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Requests that were answered, also those that channels answer themselves.
    pub requests: Requests,
    /// How long requests waited for slow work or for state to be safe; those that did not are not in it.
    pub waited: Histogram,
    /// Datagrams that came.
    pub datagrams_received: u64,
    /// Datagrams that were sent.
    pub datagrams_sent: u64,
    /// Those of them that are Platform Event Traps.
    pub traps_sent: u64,
    /// Datagrams that got no response, in the order of [`DropReason::ALL`].
    dropped: [u64; DropReason::ALL.len()],
    /// Logins that failed, in the order of [`LoginFailure::ALL`].
    failed_logins: [u64; LoginFailure::ALL.len()],
    /// Sessions that were opened.
    pub sessions_opened: u64,
    /// Sessions that ended.
    pub sessions_closed: u64,
    /// How long helper programs ran that have ended.
    pub programs: Histogram,
    /// Those of them that failed; a refused check is none.
    pub program_failures: u64,
    /// State files that were written.
    pub state_writes: u64,
    /// Writes of state files that failed.
    pub state_write_failures: u64,
    /// Bytes that came from SOL ports.
    pub sol_from_ports: u64,
    /// Bytes that went to SOL ports.
    pub sol_to_ports: u64,
    /// How often faults on purpose struck, in the order of [`Kind::WORDS`].
    faults: [u64; Kind::WORDS.len()],
}

impl Tally {
    /// Datagrams that got no response, by reason.
    pub fn dropped(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.into_iter().zip(self.dropped)
    }

    /// Logins that failed, by reason.
    pub fn failed_logins(&self) -> impl Iterator<Item = (LoginFailure, u64)> {
        LoginFailure::ALL.into_iter().zip(self.failed_logins)
    }

    /// How often faults on purpose struck, by the word of their kind.
    pub fn faults_struck(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Kind::WORDS.into_iter().zip(self.faults)
    }

    /// A fault on purpose struck.
    pub(super) fn faults(&mut self, kind: Kind) {
        if let Some(count) = self.faults.get_mut(kind.index()) {
            *count += 1;
        }
    }

    /// A request that came at `begun` is answered now; one that did not wait is not counted.
    pub(super) fn waited_for(&mut self, now: Moment, begun: Moment) {
        let taken = now.since(begun);
        if !taken.is_zero() {
            self.waited.observe(taken);
        }
    }

    /// A state file was written, or could not be.
    pub(super) fn writes(&mut self, result: &Saved) {
        match result {
            Ok(()) => self.state_writes += 1,
            Err(_) => self.state_write_failures += 1,
        }
    }

    pub(super) fn drops(&mut self, reason: DropReason) {
        if let Some(count) = self.dropped.get_mut(reason as usize) {
            *count += 1;
        }
    }

    pub(super) fn refuses(&mut self, reason: LoginFailure) {
        if let Some(count) = self.failed_logins.get_mut(reason as usize) {
            *count += 1;
        }
    }
}

/// What happened in one system while it was watched. All numbers only grow.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Requests that were answered, also those that channels answer themselves.
    pub requests: Requests,
    /// Logins that failed.
    pub failed_logins: u64,
}

/// How many kinds of requests are told apart: more than there are commands with their codes. A client can ask for
/// others without end.
const MOST_KINDS: usize = 1024;

/// Requests by network function, command and completion code.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// By network function, command and completion code.
    list: Vec<(Answered, u64)>,
    /// Where in the list the last one was: many come one after the other.
    last: usize,
    /// Those that there were too many kinds of.
    others: u64,
}

/// What was answered with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answered {
    /// Network function of the request, even.
    pub netfn: u8,
    /// Command.
    pub cmd: u8,
    /// Completion code.
    pub code: u8,
}

impl Requests {
    /// How many there are of each of the first 1024 kinds, by network function, command and completion code. No kind has
    /// none.
    pub fn iter(&self) -> impl Iterator<Item = (Answered, u64)> {
        self.list.iter().copied()
    }

    /// How many there are of other kinds.
    pub fn others(&self) -> u64 {
        self.others
    }

    /// How many there are altogether.
    pub fn total(&self) -> u64 {
        self.others + self.list.iter().map(|(_, count)| count).sum::<u64>()
    }

    fn count(&mut self, answered: Answered) {
        if let Some((_, count)) = self.list.get_mut(self.last).filter(|(of, _)| *of == answered) {
            *count += 1;
            return;
        }
        match self.list.binary_search_by_key(&answered, |(of, _)| *of) {
            Ok(index) => {
                self.list[index].1 += 1;
                self.last = index;
            }
            Err(_) if self.list.len() >= MOST_KINDS => self.others += 1,
            Err(index) => {
                self.list.insert(index, (answered, 1));
                self.last = index;
            }
        }
    }
}

/// Durations by size.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: [u64; Self::BOUNDS.len() + 1],
    sum: Duration,
}

impl Histogram {
    /// Upper bounds of all buckets but the last, which has none; what is equal is in it.
    pub const BOUNDS: [Duration; 10] = [
        Duration::from_millis(1),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_secs(5),
        Duration::from_secs(10),
        Duration::from_secs(60),
    ];

    /// How many there are in each bucket: its upper bound, and the number in this bucket alone. The last one has no bound.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        Self::BOUNDS.into_iter().map(Some).chain([None]).zip(self.counts)
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    pub(super) fn observe(&mut self, duration: Duration) {
        let bucket = Self::BOUNDS.partition_point(|bound| *bound < duration);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(duration);
    }
}

impl Effects {
    /// Counts something, if somebody counts.
    pub(super) fn count(&mut self, count: impl FnOnce(&mut Tally)) {
        if let Some(tally) = &mut self.tally {
            count(tally);
        }
    }
}

impl Simulator {
    /// What has happened in this system since it is [watched](Self::watch); `None` while nothing has.
    pub fn counts(&self) -> Option<&Counts> {
        self.counts.as_deref()
    }

    /// Whether anything that happens in this system is counted.
    pub(super) fn is_counted(&self, out: &Effects) -> bool {
        out.tally.is_some() || self.machine.watch.is_on()
    }

    /// A request was answered with this completion code.
    pub(super) fn count_request(&mut self, answered: Answered, out: &mut Effects) {
        out.count(|tally| tally.requests.count(answered));
        if self.machine.watch.is_on() {
            self.counts.get_or_insert_default().requests.count(answered);
        }
    }

    /// A login failed.
    pub(super) fn count_failed_login(&mut self, reason: LoginFailure, out: &mut Effects) {
        out.count(|tally| tally.refuses(reason));
        if self.machine.watch.is_on() {
            self.counts.get_or_insert_default().failed_logins += 1;
        }
    }
}

impl ReturnPath {
    /// What is counted of a response that goes this way.
    pub(super) fn answered(&self, response: &[u8]) -> Answered {
        let (netfn, cmd) = match self {
            Self::Lan(_, to) => (to.netfn, to.cmd),
            Self::Serial(_, to) => (to.netfn, to.cmd),
            Self::Ipmb(_, request) => (request.netfn, request.cmd),
            Self::Bridged(to) => (to.request.netfn, to.request.cmd),
        };
        Answered { netfn, cmd, code: response.first().copied().unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_at_their_place() {
        let mut tally = Tally::default();
        for (times, reason) in (1..).zip(DropReason::ALL) {
            (0..times).for_each(|_| tally.drops(reason));
        }
        for (times, reason) in (1..).zip(LoginFailure::ALL) {
            (0..times).for_each(|_| tally.refuses(reason));
        }
        let dropped: Vec<_> = tally.dropped().map(|(_, count)| count).collect();
        assert_eq!(dropped, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(tally.failed_logins().map(|(_, count)| count).collect::<Vec<_>>(), dropped);
        assert_eq!(tally.dropped().nth(5), Some((DropReason::Replay, 6)));
    }

    #[test]
    fn requests_are_counted_by_what_they_are() {
        let mut requests = Requests::default();
        let of = |netfn, cmd, code| Answered { netfn, cmd, code };
        for (netfn, cmd, code) in [(6, 1, 0), (0, 2, 0), (6, 1, 0), (6, 1, 0xd4), (0, 1, 0), (6, 1, 0), (6, 1, 0)] {
            requests.count(of(netfn, cmd, code));
        }
        let expected = [(of(0, 1, 0), 1), (of(0, 2, 0), 1), (of(6, 1, 0), 4), (of(6, 1, 0xd4), 1)];
        assert_eq!(requests.iter().collect::<Vec<_>>(), expected);
        assert_eq!(requests.total(), 7);
    }

    #[test]
    fn kinds_without_end_take_no_memory_without_end() {
        let mut requests = Requests::default();
        for number in 0..=u16::MAX {
            let [netfn, cmd] = number.to_be_bytes();
            requests.count(Answered { netfn, cmd, code: 0xc1 });
        }
        requests.count(Answered { netfn: 0, cmd: 0, code: 0xc1 });
        assert_eq!((requests.iter().count(), requests.total()), (MOST_KINDS, 65_537));
        assert_eq!((requests.others(), requests.iter().next().map(|(_, count)| count)), (64_512, Some(2)));
    }

    #[test]
    fn durations_are_in_the_bucket_that_has_room() {
        let mut histogram = Histogram::default();
        for millis in [0, 1, 2, 5, 10_000, 60_000, 60_001, 1_000_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        assert_eq!(histogram.buckets().map(|(_, count)| count).collect::<Vec<_>>(), [2, 2, 0, 0, 0, 0, 0, 0, 1, 1, 2]);
        assert_eq!((histogram.total(), histogram.sum()), (8, Duration::from_millis(1_130_009)));
        assert_eq!(histogram.buckets().last().map(|(bound, _)| bound), Some(None));
    }
}
