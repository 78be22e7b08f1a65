//! `--ping` for a fleet: asks all its LAN channels through one socket for each family, some of them at a time.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use ipmi_sim_client::presence::{is_pong, ping};

use crate::runtime::ping::{PONG, ROUND, ROUNDS};

/// How many pings are sent before it is looked what came back.
const BURST: usize = 64;
/// How many may be without an answer before a little is waited for answers,
const IN_FLIGHT: usize = 256;
/// which is so long.
const BREATH: Duration = Duration::from_millis(2);

/// Asks all and says which of them answer, in their order.
///
/// # Errors
/// No socket can be opened.
pub(super) fn ask(targets: &[SocketAddr]) -> io::Result<Vec<bool>> {
    let mut answered = vec![false; targets.len()];
    for any in [IpAddr::V4(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()] {
        let indices: Vec<usize> =
            (0..targets.len()).filter(|index| targets[*index].is_ipv4() == any.is_ipv4()).collect();
        if indices.is_empty() {
            continue;
        }
        let socket = UdpSocket::bind((any, 0))?;
        let mut asked = Asked { socket, targets, places: HashMap::new(), answered: &mut answered, left: indices.len() };
        for index in &indices {
            asked.places.entry(targets[*index]).or_default().push(*index);
        }
        for round in 1..=ROUNDS {
            asked.round(&indices, round)?;
            if asked.left == 0 {
                break;
            }
        }
    }
    Ok(answered)
}

struct Asked<'a> {
    socket: UdpSocket,
    targets: &'a [SocketAddr],
    /// Who is at each address.
    places: HashMap<SocketAddr, Vec<usize>>,
    answered: &'a mut [bool],
    /// How many have not answered.
    left: usize,
}

impl Asked<'_> {
    fn round(&mut self, indices: &[usize], round: u8) -> io::Result<()> {
        let ping = ping(round);
        let mut sent = 0;
        let before = self.left;
        let silent: Vec<usize> = indices.iter().copied().filter(|index| !self.answered[*index]).collect();
        for burst in silent.chunks(BURST) {
            for index in burst {
                // What cannot be sent is not answered.
                let _ = self.socket.send_to(&ping, self.targets[*index]);
            }
            sent += burst.len();
            self.receive(None)?;
            if sent - (before - self.left) > IN_FLIGHT {
                self.receive(Some(Instant::now() + BREATH))?;
            }
        }
        self.receive(Some(Instant::now() + ROUND))
    }

    /// Takes what has arrived, and what arrives until then.
    fn receive(&mut self, until: Option<Instant>) -> io::Result<()> {
        let mut datagram = [0; PONG];
        self.socket.set_nonblocking(until.is_none())?;
        while self.left > 0 {
            if let Some(until) = until {
                let wait = until.saturating_duration_since(Instant::now());
                if wait.is_zero() {
                    break;
                }
                self.socket.set_read_timeout(Some(wait))?;
            }
            match self.socket.recv_from(&mut datagram) {
                Ok((length, from)) if datagram.get(..length).is_some_and(is_pong) => self.take(from),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
                // It belongs to one of the datagrams that were sent.
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn take(&mut self, from: SocketAddr) {
        for index in self.places.remove(&from).unwrap_or_default() {
            self.answered[index] = true;
            self.left -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// A thing that answers pings on one socket for all loopback addresses, all but one.
    #[test]
    fn those_that_answer_are_told_from_those_that_do_not() {
        let socket = UdpSocket::bind("127.77.0.1:0").unwrap();
        let second = UdpSocket::bind("127.77.0.2:0").unwrap();
        let silent = UdpSocket::bind("127.77.0.3:0").unwrap();
        let stop = AtomicBool::new(false);
        let answer = |socket: &UdpSocket| {
            socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            let mut datagram = [0; 64];
            while !stop.load(Ordering::Relaxed) {
                if let Ok((_, from)) = socket.recv_from(&mut datagram) {
                    let mut pong = vec![6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x40, 1, 0, 16];
                    pong.extend([0, 0, 0x11, 0xbe, 0, 0, 0, 0, 0x81, 0, 0, 0, 0, 0, 0, 0]);
                    let _ = socket.send_to(&pong, from);
                }
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| answer(&socket));
            scope.spawn(|| answer(&second));
            let places = [&socket, &second, &silent].map(|socket| socket.local_addr().unwrap());
            let nobody = "127.77.0.4:9".parse().unwrap();
            let answered = ask(&[places[0], places[2], places[1], nobody]).unwrap();
            stop.store(true, Ordering::Relaxed);
            assert_eq!(answered, [true, false, true, false]);
        });
    }
}
