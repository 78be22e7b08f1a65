//! Where the BMCs of a fleet are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

/// BMCs of consecutive addresses and one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first one's address.
    pub first: Ipv4Addr,
    /// How many there are.
    pub count: usize,
    /// UDP port of them all.
    pub port: u16,
}

impl Range {
    /// The address of a BMC; numbers begin with 0.
    pub fn address(self, number: usize) -> SocketAddr {
        let address = u32::from(self.first).wrapping_add(number as u32);
        SocketAddr::V4(SocketAddrV4::new(address.into(), self.port))
    }

    /// Which of them somebody is, if any.
    pub fn number(self, address: SocketAddr) -> Option<usize> {
        let IpAddr::V4(ip) = address.ip() else { return None };
        let number = u32::from(ip).wrapping_sub(self.first.into()) as usize;
        (address.port() == self.port && number < self.count).then_some(number)
    }

    /// Some of them: `count` from the number `from`.
    pub fn part(self, from: usize, count: usize) -> Self {
        let first = u32::from(self.first).wrapping_add(from as u32).into();
        Self { first, count: count.min(self.count.saturating_sub(from)), port: self.port }
    }

    /// As freeipmi's tools want hosts: a list of ranges, one for each 256 addresses.
    pub fn hosts(self) -> String {
        let (mut address, mut left) = (u32::from(self.first), self.count as u32);
        let mut hosts = Vec::new();
        while left > 0 {
            let [a, b, c, low] = address.to_be_bytes();
            let some = left.min(256 - u32::from(low));
            hosts.push(format!("{a}.{b}.{c}.[{low}-{}]:{}", u32::from(low) + some - 1, self.port));
            (address, left) = (address.wrapping_add(some), left - some);
        }
        hosts.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_hosts() {
        let range = Range { first: Ipv4Addr::new(127, 64, 0, 1), count: 300, port: 9 };
        assert_eq!(range.address(299).to_string(), "127.64.1.44:9");
        assert_eq!(range.number(range.address(299)), Some(299));
        assert_eq!(range.number(range.address(300)), None);
        assert_eq!(range.part(250, 10).hosts(), "127.64.0.[251-255]:9,127.64.1.[0-4]:9");
        assert_eq!(range.part(299, 10).hosts(), "127.64.1.[44-44]:9");
    }
}
