//! Host and port names to socket addresses (`lan-conf.md` section 2.3).
//!
//! Names are looked up once, when the configuration has been read, so that nothing has to
//! wait for a name server later.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use crate::settings::model::{Address, Port};

/// For which transport a service name is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP: `addr`.
    Udp,
    /// TCP: `serial`, `console`, SOL.
    Tcp,
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// The system's list of service names.
const SERVICES: &str = "/etc/services";

/// Looks an address up and writes what was found into it: the first result, and the first of
/// the other family, if there is one. The error says in one line what was not found.
pub fn resolve(address: &mut Address, transport: Transport) -> Result<(), String> {
    let (first, other) = look_up(address, transport)?;
    address.host = first.ip().to_string();
    address.port = Port::Number(first.port());
    address.other_family = other;
    Ok(())
}

fn look_up(address: &Address, transport: Transport) -> Result<(SocketAddr, Option<IpAddr>), String> {
    if let Some(literal) = address.literal() {
        return Ok((literal, None));
    }
    let port = match &address.port {
        Port::Number(number) => *number,
        Port::Service(name) => service(name, transport)?,
    };
    let host = if address.host == "*" { "0.0.0.0" } else { &address.host };
    let mut found =
        (host, port).to_socket_addrs().map_err(|error| format!("host {host} cannot be looked up: {error}"))?;
    let first = found.next().ok_or_else(|| format!("host {host} has no address"))?;
    Ok((first, found.map(|other| other.ip()).find(|other| other.is_ipv4() != first.is_ipv4())))
}

/// The port number of a service name; plain digits are taken modulo 65536 as the original
/// does.
pub fn service(name: &str, transport: Transport) -> Result<u16, String> {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(name.bytes().fold(0u16, |sum, digit| sum.wrapping_mul(10).wrapping_add(u16::from(digit - b'0'))));
    }
    let text = std::fs::read_to_string(SERVICES).unwrap_or_default();
    service_in(&text, name, transport)
        .ok_or_else(|| format!("port {name} is neither a decimal number nor a {} service", transport.name()))
}

/// Looks for a service in the text of a services file: `name port/transport alias...`.
fn service_in(text: &str, name: &str, transport: Transport) -> Option<u16> {
    text.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let official = words.next()?;
        let (port, protocol) = words.next()?.split_once('/')?;
        let named = official == name || words.any(|alias| alias == name);
        if named && protocol == transport.name() { port.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Span;

    fn address(host: &str, port: Port) -> Address {
        Address { host: host.into(), port, span: Span::default(), other_family: None }
    }

    #[test]
    fn literals_need_no_look_up() {
        for (host, found) in [("::1", "[::1]:623"), ("*", "0.0.0.0:623"), ("127.0.0.1", "127.0.0.1:623")] {
            let mut address = address(host, Port::Number(623));
            resolve(&mut address, Transport::Udp).unwrap();
            assert_eq!(address.literals(), Some((found.parse().unwrap(), None)));
        }
    }

    #[test]
    fn a_name_is_looked_up_and_a_fault_names_it() {
        let mut local = address("localhost", Port::Number(9));
        resolve(&mut local, Transport::Tcp).unwrap();
        let (first, other) = local.literals().unwrap();
        assert!(first.ip().is_loopback() && first.port() == 9);
        assert!(other.is_none_or(|other| other.ip().is_loopback() && other.is_ipv4() != first.is_ipv4()));
        let missing = resolve(&mut address("\"127.0.0.1\"", Port::Number(9)), Transport::Tcp).unwrap_err();
        assert!(missing.contains("\"127.0.0.1\""), "{missing}");
    }

    #[test]
    fn service_names_are_read_per_transport() {
        let text = "# list\nasf-rmcp\t623/udp rmcp # remark\nasf-rmcp 624/tcp\nodd\n";
        assert_eq!(service_in(text, "asf-rmcp", Transport::Udp), Some(623));
        assert_eq!(service_in(text, "asf-rmcp", Transport::Tcp), Some(624));
        assert_eq!(service_in(text, "rmcp", Transport::Udp), Some(623));
        assert_eq!(service_in(text, "rmcp", Transport::Tcp), None);
        assert_eq!(service_in(text, "remark", Transport::Udp), None);
    }

    #[test]
    fn port_numbers_wrap_as_in_the_original() {
        assert_eq!(service("623", Transport::Udp), Ok(623));
        assert_eq!(service("70000", Transport::Udp), Ok(4464));
        assert!(service("0x6000", Transport::Udp).unwrap_err().contains("0x6000"));
        assert!(service("", Transport::Tcp).is_err());
    }
}
