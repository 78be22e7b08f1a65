//! The LAN ports: every UDP socket that is open, and the capture of what goes through them.
//!
//! Owns opening, moving and closing, which of them has its turn, and batches. Looks at no byte.

use std::net::{Ipv4Addr, SocketAddr};
use std::task::Context;
use std::time::Duration;

use super::clock;
use super::lan::{BATCH, Batch, Lan, PortId, bind_failure, has_ipv6, served};
use super::pcap::Capture;
use crate::bmc::LogLevel;
use crate::bmc::ipv6_parameters::Served;
use crate::ipmi::{Moment, Peer};
use crate::settings::model::Address;

/// What came of opening or moving a port, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Notice {
    /// For standard output, console or not.
    Say(String),
    /// For the logs.
    Report(LogLevel, String),
    /// For the system: the channel has its port. [`LanPorts::served`] says more.
    Opened(SocketAddr),
    /// For the system: the channel could not be moved from where it was asked to be.
    Stays(SocketAddr),
    /// The program cannot go on.
    Fatal(String),
}

/// All LAN ports.
pub struct LanPorts {
    ports: Vec<Lan>,
    batch: Batch,
    /// Datagrams to be sent together, all from one channel.
    outgoing: Vec<(Peer, usize, usize)>,
    /// The channel they are sent from.
    sender: Option<PortId>,
    capture: Option<Capture>,
}

impl LanPorts {
    /// None yet.
    pub fn new(capture: Option<Capture>) -> Self {
        Self { ports: Vec::new(), batch: Batch::default(), outgoing: Vec::with_capacity(BATCH), sender: None, capture }
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// Where each is: its channel and address.
    pub fn places(&self) -> impl Iterator<Item = (PortId, SocketAddr)> {
        self.ports.iter().map(|port| (port.id, port.local))
    }

    /// Asks the sockets in turn. Only when none is ready does the loop go to sleep, and then
    /// all have been asked and can wake it.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Option<usize> {
        let ready = self.ports.iter().position(|port| port.poll_readable(cx).is_ready())?;
        if self.ports.len() > 1 {
            // The next search begins behind this one.
            self.ports.rotate_left(ready + 1);
            return Some(self.ports.len() - 1);
        }
        Some(ready)
    }

    /// Takes the datagrams that have arrived at one of them, at most a batch.
    pub fn receive(&mut self, index: usize, now: Moment, mut each: impl FnMut(PortId, Peer, &mut [u8])) {
        let Some(port) = self.ports.get_mut(index) else { return };
        let id = port.id;
        if let Err(error) = port.receive(&mut self.batch) {
            // An error belongs to one datagram, sent or received; the next may be fine.
            log::debug!("{id}: {error}");
            return;
        }
        for (from, bytes) in self.batch.datagrams() {
            if !bytes.is_empty() {
                if let Some(capture) = &mut self.capture {
                    capture.received(now, &from, bytes);
                }
                each(id, from, bytes);
            }
        }
    }

    /// Sends a range of `bytes` soon: with what follows from the same channel, at the latest with
    /// [`flush`](Self::flush).
    pub fn send(&mut self, port: PortId, to: Peer, (start, end): (usize, usize), bytes: &[u8]) {
        if self.sender != Some(port) || self.outgoing.len() == BATCH {
            self.flush(bytes);
            self.sender = Some(port);
        }
        self.outgoing.push((to, start, end));
    }

    /// Sends what waits to be sent.
    pub fn flush(&mut self, bytes: &[u8]) {
        if self.outgoing.is_empty() {
            return;
        }
        // Each family through its own socket, where a channel has two.
        for some in self.outgoing.chunk_by(|(one, ..), (next, ..)| one.address.is_ipv4() == next.address.is_ipv4()) {
            let is_ipv4 = some.first().is_some_and(|(to, ..)| to.address.is_ipv4());
            let mut sockets = self.ports.iter_mut().filter(|port| Some(port.id) == self.sender);
            let Some(first) = sockets.next() else { break };
            let port = match sockets.next() {
                Some(second) if second.local.is_ipv4() == is_ipv4 => second,
                _ => first,
            };
            send_through(port, &mut self.capture, bytes, some);
        }
        self.outgoing.clear();
    }

    /// When the capture wants to be written.
    pub fn deadline(&self) -> Option<Moment> {
        self.capture.as_ref().and_then(Capture::deadline)
    }

    /// Writes the capture when that is due.
    pub fn timeout(&mut self, now: Moment) {
        if let Some(capture) = &mut self.capture
            && capture.deadline().is_some_and(|due| due <= now)
        {
            capture.flush();
        }
    }

    /// Closes all; what was captured is written, if that takes no longer than this.
    pub async fn close(&mut self, limit: Duration) {
        if let Some(capture) = self.capture.take() {
            capture.close(limit).await;
        }
    }

    /// Opens the port of a channel, or moves it.
    pub fn open(&mut self, id: PortId, address: &Address) -> Vec<Notice> {
        let mut notices = Vec::new();
        match address.literals() {
            None => {
                notices.push(Notice::Fatal(format!("Unable to bind to LAN port: {} is not an address", address.host)));
            }
            Some((address, second)) => self.open_at(id, address, second, &mut notices),
        }
        notices
    }

    fn open_at(&mut self, id: PortId, address: SocketAddr, second: Option<SocketAddr>, notices: &mut Vec<Notice>) {
        match self.ports.iter().find(|port| port.id == id && !port.second).map(|port| (port.asked, port.local)) {
            // The MC was disabled meanwhile; its socket is still here.
            Some((asked, local)) if asked == address => notices.push(Notice::Opened(local)),
            Some((asked, local)) => self.move_to(id, (asked, local.port()), address, second, notices),
            None => self.open_sockets(id, address, second, notices),
        }
    }

    /// Where a channel is reached, all in all: to be asked when all of its sockets are open.
    pub fn served(&self, id: PortId) -> Served {
        served(self.ports.iter().filter(|port| port.id == id).map(|port| port.local.ip()))
    }

    /// Opens the sockets of a channel: one, or one of each family where a name stands for both.
    /// Where there is no IPv6, what there is has to do.
    fn open_sockets(&mut self, id: PortId, address: SocketAddr, second: Option<SocketAddr>, notices: &mut Vec<Notice>) {
        let error = match self.bind(id, address, notices) {
            Ok(port) => return self.bind_second(id, port, second, notices),
            Err(error) => error,
        };
        let failure = bind_failure(address, &error);
        if address.is_ipv4() || has_ipv6() {
            notices.push(Notice::Fatal(failure));
            return;
        }
        let any = address.ip().is_unspecified().then(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())));
        let Some(instead) = second.or(any) else {
            let text = format!("{failure}; there is no IPv6, so {id} is not served");
            notices.push(Notice::Report(LogLevel::Error, text));
            return;
        };
        let text = format!("{failure}; there is no IPv6, so {} is served alone", instead.ip());
        notices.push(Notice::Report(LogLevel::Warning, text));
        match self.bind(id, instead, notices) {
            Ok(_) => self.ports.iter_mut().filter(|port| port.id == id).for_each(|port| port.asked = address),
            Err(error) => notices.push(Notice::Fatal(bind_failure(instead, &error))),
        }
    }

    /// Opens the only or first socket of a channel and gives its port.
    fn bind(&mut self, id: PortId, address: SocketAddr, notices: &mut Vec<Notice>) -> std::io::Result<u16> {
        let port = Lan::open(id, address, |port| notices.push(Notice::Say(format!("Trying port {port}\n"))))?;
        let (local, number) = (port.local, port.local.port());
        notices.push(Notice::Say(format!("Opened UDP port {number}\n")));
        self.ports.push(port);
        notices.push(Notice::Opened(local));
        Ok(number)
    }

    /// Opens the second socket of a channel, with the port of the first.
    fn bind_second(&mut self, id: PortId, port: u16, address: Option<SocketAddr>, notices: &mut Vec<Notice>) {
        let Some(address) = address.map(|address| SocketAddr::new(address.ip(), port)) else { return };
        match Lan::open(id, address, |_| {}) {
            Ok(mut port) => {
                port.second = true;
                self.ports.push(port);
            }
            Err(_) if address.is_ipv6() && !has_ipv6() => {}
            Err(error) => notices.push(Notice::Report(LogLevel::Warning, bind_failure(address, &error))),
        }
    }

    /// The configuration has another address for a port that is open. When that cannot be
    /// had, it stays where it is.
    fn move_to(
        &mut self,
        id: PortId,
        (asked, old): (SocketAddr, u16),
        address: SocketAddr,
        second: Option<SocketAddr>,
        notices: &mut Vec<Notice>,
    ) {
        let second_asked = self.ports.iter().find(|port| port.id == id && port.second).map(|port| port.asked);
        let moved = if asked.port() == address.port() {
            // It may stand in its own way, as 127.0.0.1 does to 0.0.0.0.
            self.close_port(id, old);
            self.bind(id, address, notices)
        } else {
            let bound = self.bind(id, address, notices);
            if bound.is_ok() {
                self.close_port(id, old);
            }
            bound
        };
        let error = match moved {
            Ok(port) => return self.bind_second(id, port, second, notices),
            Err(error) => error,
        };
        let text = format!("{}; it stays at {asked}", bind_failure(address, &error));
        notices.push(Notice::Report(LogLevel::Error, text));
        notices.push(Notice::Stays(asked));
        if self.ports.iter().all(|port| port.id != id) {
            match self.bind(id, asked, notices) {
                Ok(port) => self.bind_second(id, port, second_asked, notices),
                Err(error) => notices.push(Notice::Fatal(bind_failure(asked, &error))),
            }
        }
    }

    fn close_port(&mut self, id: PortId, number: u16) {
        self.ports.retain(|port| port.id != id || port.local.port() != number);
    }
}

/// Sends datagrams through one socket, and captures them.
fn send_through(port: &mut Lan, capture: &mut Option<Capture>, bytes: &[u8], datagrams: &[(Peer, usize, usize)]) {
    if let Some(capture) = capture {
        let now = clock::now();
        for (to, start, end) in datagrams {
            let to = Peer { local: port.leaves_from(to), ..*to };
            capture.sent(now, &to, bytes.get(*start..*end).unwrap_or_default());
        }
    }
    if let Err(error) = port.send(bytes, datagrams) {
        log::debug!("{}: a datagram is lost: {error}", port.id);
    }
}
