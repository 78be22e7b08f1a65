//! `--ping`: do the BMCs of a configuration answer? For health checks of containers and
//! service managers, where no client is at hand.
//!
//! Asks every LAN channel of lan.conf with an ASF presence ping (IPMI 2.0 section 13.2.3,
//! `lan-protocol.md` section 2.1) and waits for the pong. Starts nothing, changes nothing.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use ipmi_sim_client::presence::{is_pong, ping};

use crate::ipmi::{ChannelNumber, McAddress};
use crate::settings::model::Config;
use crate::store::directory::message;

/// How often a channel is asked before it counts as silent.
pub(super) const ROUNDS: u8 = 3;
/// How long each time is waited for all channels together; three times this is less than a second.
pub(super) const ROUND: Duration = Duration::from_millis(300);
/// Room for a pong, which has 28 bytes.
pub(super) const PONG: usize = 64;

/// A LAN channel to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// IPMB address of its controller.
    pub controller: McAddress,
    /// Channel number.
    pub channel: ChannelNumber,
    /// Where it listens; loopback for a channel that listens everywhere.
    pub address: SocketAddr,
}

impl std::fmt::Display for Target {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "LAN channel {} of MC 0x{:02x} at {}", self.channel, self.controller, self.address)
    }
}

/// The LAN channels of a configuration whose names were looked up.
///
/// # Errors
/// None has an address, or one has port 0, which stands for any.
pub fn targets(config: &Config) -> Result<Vec<Target>, String> {
    let mut targets = Vec::new();
    for controller in &config.controllers {
        for lan in &controller.lans {
            let Some((first, second)) = lan.address.as_ref().and_then(|address| address.literals()) else { continue };
            for address in std::iter::once(first).chain(second) {
                let target =
                    Target { controller: controller.address, channel: lan.channel, address: reachable(address) };
                if address.port() == 0 {
                    return Err(format!("{target}: port 0 means any port, so there is none to ask"));
                }
                targets.push(target);
            }
        }
    }
    if targets.is_empty() { Err("no LAN channel has an address to ask".into()) } else { Ok(targets) }
}

/// Where a socket on this address is reached from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Asks all channels and waits less than a second. One entry per target, in order: the text
/// says why there was no response.
pub fn ask(targets: &[Target]) -> Vec<Result<(), String>> {
    let sockets: Vec<io::Result<UdpSocket>> = targets.iter().map(|target| open(target.address)).collect();
    let mut responses: Vec<Result<(), String>> = vec![Err("no answer".into()); targets.len()];
    let start = Instant::now();
    for round in 1..=ROUNDS {
        let end = start + ROUND * u32::from(round);
        for (socket, response) in sockets.iter().zip(&responses) {
            if let (Ok(socket), Err(_)) = (socket, response) {
                // What cannot be sent is not answered, and the reason comes with the wait.
                let _ = socket.send(&ping(round));
            }
        }
        for (socket, response) in sockets.iter().zip(&mut responses).filter(|(_, response)| response.is_err()) {
            *response = match socket {
                Ok(socket) => wait(socket, end),
                Err(error) => Err(message(error)),
            };
        }
        if responses.iter().all(Result::is_ok) {
            break;
        }
        // Who refuses at once may just be starting.
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
    }
    responses
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(address)?;
    Ok(socket)
}

/// Waits for a pong; other datagrams do not count.
fn wait(socket: &UdpSocket, end: Instant) -> Result<(), String> {
    let mut datagram = [0; PONG];
    loop {
        // Zero would be for ever.
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let received = socket.set_read_timeout(Some(left)).and_then(|()| socket.recv(&mut datagram));
        match received {
            Ok(length) if datagram.get(..length).is_some_and(is_pong) => return Ok(()),
            Ok(_) if Instant::now() < end => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(_) => return Err("no answer".into()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err("no answer".into());
            }
            Err(error) => return Err(message(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::lan_conf;

    fn of(text: &str) -> Result<Vec<Target>, String> {
        let (config, findings) = lan_conf::parse("lan.conf", text.as_bytes());
        targets(&config.unwrap_or_else(|| panic!("{findings:?}")))
    }

    #[test]
    fn every_lan_channel_is_asked_where_it_is_reached() {
        let all = of("name \"x\"\nset_working_mc 0x20\nstartlan 1\naddr 0.0.0.0 9623\nendlan\n\
             startlan 2\naddr :: 9624\nendlan\nset_working_mc 0x30\nstartlan 1\naddr 127.0.0.7 9625\nendlan\n");
        let all: Vec<String> = all.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(
            all,
            [
                "LAN channel 1 of MC 0x20 at 127.0.0.1:9623",
                "LAN channel 2 of MC 0x20 at [::1]:9624",
                "LAN channel 1 of MC 0x30 at 127.0.0.7:9625"
            ]
        );
    }

    #[test]
    fn what_cannot_be_asked_is_no_health() {
        assert!(of("name \"x\"\n").is_err());
        assert!(of("name \"x\"\nstartlan 1\nendlan\n").is_err());
        assert!(of("name \"x\"\nstartlan 1\naddr 0.0.0.0 0\nendlan\n").unwrap_err().contains("port 0"));
    }
}
