//! Whom something counts against, and how much is written about it.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::ipmi::Moment;

/// What counts as one source: an IPv4 address, or the 64 bits of an IPv6 address that
/// its owner did not choose.
pub(super) fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & 0xffff_ffff_ffff_ffff_0000_0000_0000_0000))
        }
        address @ IpAddr::V4(_) => address,
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
