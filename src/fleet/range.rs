//! `--count`, `--addresses` and `--ports`: BMCs by number, each with an address and a port of its own.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use super::slice::Slice;
use super::{ADDRESS, Files, Naming, PORT, Row, Rows};
use crate::config::Span;

/// Digits of a number in a name: so many at least, so that the names stay when there are more of them.
const DIGITS: usize = 5;
/// The port without `--ports`.
const RMCP_PORT: u16 = 623;

/// The addresses of a prefix that BMCs may have.
///
/// Of an IPv4 prefix shorter than /31 the first and the last one are left out, the addresses of the network and of
/// broadcasts; of an IPv6 prefix shorter than /127 the first one, which is the routers' (RFC 4291 section 2.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    network: IpAddr,
    length: u8,
}

impl Prefix {
    /// The first address and how many there are.
    fn hosts(self) -> (u128, u128) {
        let (network, bits, short) = match self.network {
            IpAddr::V4(ip) => (u32::from(ip).into(), 32 - self.length, self.length < 31),
            IpAddr::V6(ip) => (u128::from(ip), 128 - self.length, self.length < 127),
        };
        let all = 1u128.checked_shl(bits.into()).unwrap_or(u128::MAX);
        match (self.network, short) {
            (IpAddr::V4(_), true) => (network + 1, all - 2),
            (IpAddr::V6(_), true) => (network + 1, all - 1),
            (_, false) => (network, all),
        }
    }

    /// The address with this number, from 0.
    fn host(self, number: u128) -> IpAddr {
        let value = self.hosts().0 + number;
        match self.network {
            IpAddr::V4(_) => Ipv4Addr::from(value as u32).into(),
            IpAddr::V6(_) => Ipv6Addr::from(value).into(),
        }
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let network: IpAddr = address
            .parse()
            .map_err(|_| "expected an address and a length, as 127.64.0.0/16 or fd00::/64".to_owned())?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => most,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|length| *length <= most && digits.bytes().all(|digit| digit.is_ascii_digit()))
                .ok_or_else(|| format!("expected a length from 0 to {most} behind the slash"))?,
        };
        let begin: IpAddr = match network {
            IpAddr::V4(ip) => {
                Ipv4Addr::from(u32::from(ip) & u32::MAX.checked_shl(u32::from(32 - length)).unwrap_or(0)).into()
            }
            IpAddr::V6(ip) => {
                Ipv6Addr::from(u128::from(ip) & u128::MAX.checked_shl(u32::from(128 - length)).unwrap_or(0)).into()
            }
        };
        if network != begin {
            return Err(format!(
                "{network} is not the beginning of a prefix of {length} bits; that is {begin}/{length}"
            ));
        }
        Ok(Self { network, length })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.length)
    }
}

/// Ports from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    first: u16,
    last: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { first: RMCP_PORT, last: RMCP_PORT }
    }
}

impl Ports {
    fn count(self) -> u32 {
        u32::from(self.last - self.first) + 1
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |digits: &str| digits.parse().ok().filter(|port| *port > 0);
        match (port(first), port(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            (Some(_), Some(_)) => Err("the first port is above the last".into()),
            _ => Err("expected a port from 1 to 65535, or two with '-' between them".into()),
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { first, last } if first == last => first.fmt(f),
            Self { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

/// So many BMCs with addresses of a prefix. Each address is given with the first port, then each with the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    count: u32,
    addresses: Prefix,
    ports: Ports,
}

impl Range {
    /// So many BMCs with these addresses and ports.
    ///
    /// # Errors
    /// There are too few, in one line.
    pub fn new(count: u32, addresses: Prefix, ports: Ports) -> Result<Self, String> {
        let hosts = addresses.hosts().1;
        let most = hosts.saturating_mul(ports.count().into());
        if u128::from(count) > most {
            let with = match (hosts, ports.count()) {
                (_, 1) => format!("{addresses} has {hosts} addresses for them"),
                (_, count) => format!("{addresses} and the {count} ports {ports} are {most} places for them"),
            };
            return Err(format!("{count} BMCs are too many: {with}"));
        }
        Ok(Self { count, addresses, ports })
    }

    /// How many BMCs there are.
    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    /// The BMCs of a slice.
    pub(super) fn rows(&self, files: &Files, slice: Slice) -> Rows {
        let columns: Arc<[Box<str>]> = [ADDRESS, PORT].map(Box::from).into();
        let hosts = self.addresses.hosts().1;
        let digits = self.count.to_string().len().max(DIGITS);
        let row = |index: u32| {
            let number = u128::from(index - 1);
            let (address, port) =
                (self.addresses.host(number % hosts), u32::from(self.ports.first) + (number / hosts) as u32);
            Row {
                name: format!("bmc{index:0digits$}").into(),
                naming: Naming::Row,
                index,
                columns: Arc::clone(&columns),
                values: [address.to_string(), port.to_string()].map(Box::from).into(),
                lan_conf: Arc::clone(&files.lan_conf),
                commands: files.commands(),
                place: Span::default(),
            }
        };
        let taken = slice.range(self.count());
        Rows { rows: (taken.start as u32 + 1..=taken.end as u32).map(row).collect(), list: None }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} BMCs on {}, port {}", self.count, self.addresses, self.ports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn files() -> Files {
        Files { lan_conf: Path::new("lan.conf").into(), commands: None }
    }

    /// The name, address and port of each BMC.
    fn rows(count: u32, addresses: &str, ports: &str) -> Vec<String> {
        let range = Range::new(count, addresses.parse().unwrap(), ports.parse().unwrap()).unwrap();
        let rows = range.rows(&files(), Slice::default()).rows;
        assert!(rows.iter().zip(1..).all(|(row, index)| row.index == index));
        let shown = |row: &Row| {
            let [(ADDRESS, address), (PORT, port)] = row.variables().collect::<Vec<_>>()[..] else { panic!("{row:?}") };
            format!("{} {address} {port}", row.name)
        };
        rows.iter().map(shown).collect()
    }

    fn refused(count: u32, addresses: &str, ports: &str) -> String {
        Range::new(count, addresses.parse().unwrap(), ports.parse().unwrap()).unwrap_err()
    }

    #[test]
    fn addresses_are_given_in_order_and_then_ports() {
        let all = rows(10_000, "127.64.0.0/16", "623");
        assert_eq!((&*all[0], &*all[254]), ("bmc00001 127.64.0.1 623", "bmc00255 127.64.0.255 623"));
        assert_eq!((&*all[255], &*all[9999]), ("bmc00256 127.64.1.0 623", "bmc10000 127.64.39.16 623"));
        assert_eq!(
            rows(5, "10.0.0.0/30", "7000-7009"),
            [
                "bmc00001 10.0.0.1 7000",
                "bmc00002 10.0.0.2 7000",
                "bmc00003 10.0.0.1 7001",
                "bmc00004 10.0.0.2 7001",
                "bmc00005 10.0.0.1 7002"
            ]
        );
        assert_eq!(rows(2, "127.0.0.1", "9000-9001"), ["bmc00001 127.0.0.1 9000", "bmc00002 127.0.0.1 9001"]);
        assert_eq!(rows(2, "10.0.0.6/31", "623")[1], "bmc00002 10.0.0.7 623");
        assert_eq!(rows(2, "fd00:1::/64", "623"), ["bmc00001 fd00:1::1 623", "bmc00002 fd00:1::2 623"]);
        assert_eq!(rows(2, "::1", "1-2")[1], "bmc00002 ::1 2");
        assert_eq!(rows(1, "::/0", "623")[0], "bmc00001 ::1 623");
        assert_eq!(rows(100_000, "10.0.0.0/8", "623")[99_999], "bmc100000 10.1.134.160 623");
    }

    #[test]
    fn a_bmc_is_the_same_in_every_slice() {
        let range = Range::new(10, "10.0.0.0/24".parse().unwrap(), Ports::default()).unwrap();
        let whole = range.rows(&files(), Slice::default()).rows;
        let slices = ["1/3", "2/3", "3/3"].map(|slice| range.rows(&files(), slice.parse().unwrap()).rows);
        assert_eq!(slices.each_ref().map(Vec::len), [3, 3, 4]);
        assert_eq!(slices.concat(), whole);
        assert_eq!((&*whole[3].name, whole[3].index), ("bmc00004", 4));
    }

    #[test]
    fn too_few_places_are_an_error() {
        assert_eq!(refused(255, "10.0.0.0/24", "623"), "255 BMCs are too many: 10.0.0.0/24 has 254 addresses for them");
        assert_eq!(
            refused(7, "10.0.0.0/30", "1-3"),
            "7 BMCs are too many: 10.0.0.0/30 and the 3 ports 1-3 are 6 places for them"
        );
        assert_eq!(refused(2, "10.0.0.1", "1"), "2 BMCs are too many: 10.0.0.1/32 has 1 addresses for them");
    }

    #[test]
    fn what_is_no_prefix_or_port_is_told() {
        for (text, why) in [
            ("10.0.0.5/24", "10.0.0.5 is not the beginning of a prefix of 24 bits; that is 10.0.0.0/24"),
            ("fd00::1/64", "fd00::1 is not the beginning of a prefix of 64 bits; that is fd00::/64"),
            ("10.0.0.0/33", "expected a length from 0 to 32 behind the slash"),
            ("10.0.0.0/+8", "expected a length from 0 to 32 behind the slash"),
            ("fd00::/129", "expected a length from 0 to 128 behind the slash"),
            ("10.0.0/24", "expected an address and a length, as 127.64.0.0/16 or fd00::/64"),
            ("localhost", "expected an address and a length, as 127.64.0.0/16 or fd00::/64"),
        ] {
            assert_eq!(text.parse::<Prefix>(), Err(why.into()), "{text}");
        }
        for text in ["0", "70000", "x", "1-", "-2", "1-2-3", ""] {
            assert!(text.parse::<Ports>().unwrap_err().starts_with("expected a port from 1"), "{text}");
        }
        assert_eq!("5-4".parse::<Ports>(), Err("the first port is above the last".into()));
    }
}
