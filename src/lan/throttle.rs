//! Patience with failed logins, and with what is written about them.
//!
//! Whoever fails again and again from one address has to wait: the first few failures
//! cost nothing, so nobody who mistypes notices, then each closes the door to that
//! address for longer, up to half a second. That leaves a scan two tries a second and
//! never locks anyone out for good. A failure counts only when the source has shown that
//! it receives our answers, so it cannot be forged in somebody else's name.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::ipmi::Moment;

/// Failures that cost nothing.
const FREE: u32 = 5;
/// The pause after the first failure that costs something; doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(125);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How long it takes until one failure is forgiven.
const FORGIVEN_AFTER: Duration = Duration::from_secs(1);
/// No more is remembered of a source than this.
const MOST_FAILURES: u32 = 15;
/// No more sources are remembered than this; the one that was quiet longest goes.
const MOST_SOURCES: usize = 256;

/// Failed logins, by source.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    sources: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    address: IpAddr,
    failures: u32,
    last: Moment,
    closed_until: Moment,
}

/// What counts as one source: an IPv4 address, or the 64 bits of an IPv6 address that
/// its owner did not choose.
pub(super) fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & 0xffff_ffff_ffff_ffff_0000_0000_0000_0000))
        }
        address => address,
    }
}

impl Throttle {
    /// Whether login attempts from an address are looked at now.
    pub(super) fn is_open(&self, now: Moment, address: IpAddr) -> bool {
        let address = source(address);
        self.sources.iter().find(|source| source.address == address).is_none_or(|source| source.closed_until <= now)
    }

    /// A login attempt from an address failed.
    pub(super) fn failed(&mut self, now: Moment, address: IpAddr) {
        let address = source(address);
        let at = match self.sources.iter().position(|source| source.address == address) {
            Some(at) => at,
            None => {
                if self.sources.len() >= MOST_SOURCES {
                    let quietest = (0..self.sources.len()).min_by_key(|at| self.sources[*at].last).unwrap_or(0);
                    self.sources.swap_remove(quietest);
                }
                self.sources.push(Source { address, failures: 0, last: now, closed_until: now });
                self.sources.len() - 1
            }
        };
        let source = &mut self.sources[at];
        let forgiven = now.since(source.last).as_secs() / FORGIVEN_AFTER.as_secs();
        let remembered = source.failures.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
        source.failures = (remembered + 1).min(MOST_FAILURES);
        source.last = now;
        if let Some(doublings) = source.failures.checked_sub(FREE + 1) {
            source.closed_until = now + (FIRST_PAUSE * 2u32.pow(doublings)).min(LONGEST_PAUSE);
        }
    }
}

/// How many log lines may be written at once, and how long it takes to earn another.
const BURST: u32 = 20;
const EARNED_AFTER: Duration = Duration::from_secs(1);

/// A limit on log lines of one kind.
#[derive(Debug)]
pub(crate) struct LogLimit {
    left: u32,
    since: Moment,
    held_back: u64,
}

impl Default for LogLimit {
    fn default() -> Self {
        Self { left: BURST, since: Moment::default(), held_back: 0 }
    }
}

impl LogLimit {
    /// Whether a line may be written now, and how many were held back before it.
    pub(crate) fn permit(&mut self, now: Moment) -> Option<u64> {
        let earned = now.since(self.since).as_secs() / EARNED_AFTER.as_secs();
        if earned > 0 {
            self.left = self.left.saturating_add(u32::try_from(earned).unwrap_or(u32::MAX)).min(BURST);
            self.since = now;
        }
        if self.left == 0 {
            self.held_back += 1;
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn at(milliseconds: u64) -> Moment {
        Moment::new(Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_scan_gets_a_few_tries_a_second_and_nobody_else_notices() {
        let mut throttle = Throttle::default();
        let (mut tries, seconds) = (0, 60);
        for now in (0..seconds * 1000).map(at) {
            if throttle.is_open(now, A) {
                throttle.failed(now, A);
                tries += 1;
            }
            assert!(throttle.is_open(now, B));
        }
        assert!((2 * seconds..=3 * seconds).contains(&tries), "{tries} tries in {seconds} s");
    }

    #[test]
    fn the_first_failures_cost_nothing_and_failures_are_forgiven() {
        let mut throttle = Throttle::default();
        for _ in 0..FREE {
            throttle.failed(at(0), A);
            assert!(throttle.is_open(at(0), A));
        }
        throttle.failed(at(0), A);
        assert!(!throttle.is_open(at(124), A));
        assert!(throttle.is_open(at(125), A));
        for _ in 0..FREE {
            throttle.failed(at(20_000), A);
            assert!(throttle.is_open(at(20_000), A));
        }
    }

    #[test]
    fn the_table_does_not_grow_without_end() {
        let mut throttle = Throttle::default();
        for number in 0..100_000u32 {
            throttle.failed(at(u64::from(number)), IpAddr::V4(number.into()));
        }
        assert_eq!(throttle.sources.len(), MOST_SOURCES);
    }

    #[test]
    fn one_source_is_an_ipv4_address_or_an_ipv6_network() {
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(source(parse("::ffff:192.0.2.1")), A);
        assert_eq!(source(parse("2001:db8::1")), source(parse("2001:db8::ffff:1")));
        assert_ne!(source(parse("2001:db8::1")), source(parse("2001:db8:0:1::1")));
        assert_ne!(source(A), source(B));
    }

    #[test]
    fn log_lines_are_limited_and_the_rest_is_counted() {
        let mut limit = LogLimit::default();
        let written = (0..1000).filter(|_| limit.permit(at(5000)).is_some()).count();
        assert_eq!(written, BURST as usize);
        assert_eq!(limit.permit(at(6000)), Some(980));
        assert_eq!(limit.permit(at(6000)), None);
        assert_eq!(limit.permit(at(7000)), Some(1));
    }
}
