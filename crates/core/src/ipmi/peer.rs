//! Who is at the other end of a LAN channel, and by which of our addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Both ends of a datagram's way. A response leaves from the address that was asked: a client, and
/// every firewall between, takes it for a stranger's otherwise.
///
/// Two peers are equal when it is the same client, whichever of our addresses it used.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The client's address and port.
    pub address: SocketAddr,
    /// Ours, where the client's last datagram went; with the interface as its scope where that
    /// matters. An unspecified address (`0.0.0.0`, `::`) is whichever the system chooses.
    pub local: SocketAddr,
}

impl Peer {
    /// The client's address without its port.
    pub fn ip(&self) -> IpAddr {
        self.address.ip()
    }
}

/// A client that is reached from whichever address the system chooses.
impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        Self { address, local: SocketAddr::new(any, 0) }
    }
}

impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}

impl Eq for Peer {}

/// The client's address: what a log is interested in.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

#[cfg(any(test, feature = "testing"))]
impl std::str::FromStr for Peer {
    type Err = std::net::AddrParseError;

    fn from_str(address: &str) -> Result<Self, Self::Err> {
        address.parse::<SocketAddr>().map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_the_same_whichever_of_our_addresses_it_asks() {
        let client: Peer = "192.0.2.1:4000".parse().unwrap();
        let elsewhere = Peer { local: "192.0.2.9:623".parse().unwrap(), ..client };
        assert_eq!(client, elsewhere);
        assert_ne!(client, "192.0.2.1:4001".parse().unwrap());
        assert_eq!(elsewhere.to_string(), "192.0.2.1:4000");
        assert_eq!("[2001:db8::1]:9".parse::<Peer>().unwrap().local.to_string(), "[::]:0");
    }
}
