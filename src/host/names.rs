//! Host and port names to socket addresses (`lan-conf.md` section 2.3).
//!
//! Names are looked up once, when the configuration has been read, so that nothing has to
//! wait for a name server later.

use std::net::{SocketAddr, ToSocketAddrs};

use crate::config::model::{Address, Port};

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

/// Looks an address up; the first result counts. The error says in one line what was not
/// found.
pub fn resolve(address: &Address, transport: Transport) -> Result<SocketAddr, String> {
    if let Some(literal) = address.literal() {
        return Ok(literal);
    }
    let port = match &address.port {
        Port::Number(number) => *number,
        Port::Service(name) => service(name, transport)?,
    };
    let host = if address.host == "*" { "0.0.0.0" } else { &address.host };
    (host, port)
        .to_socket_addrs()
        .map_err(|error| format!("host {host} cannot be looked up: {error}"))?
        .next()
        .ok_or_else(|| format!("host {host} has no address"))
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
        Address { host: host.into(), port, span: Span::default() }
    }

    #[test]
    fn literals_need_no_look_up() {
        let lan = resolve(&address("::1", Port::Number(623)), Transport::Udp);
        assert_eq!(lan, Ok("[::1]:623".parse().unwrap()));
        let any = resolve(&address("*", Port::Number(623)), Transport::Udp);
        assert_eq!(any, Ok("0.0.0.0:623".parse().unwrap()));
    }

    #[test]
    fn a_name_is_looked_up_and_a_fault_names_it() {
        let found = resolve(&address("localhost", Port::Number(9)), Transport::Tcp).unwrap();
        assert!(found.ip().is_loopback() && found.port() == 9);
        let missing = resolve(&address("\"127.0.0.1\"", Port::Number(9)), Transport::Tcp).unwrap_err();
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
