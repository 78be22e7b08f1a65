//! The LAN ports: every UDP socket that is open, and the capture of what goes through them.
//!
//! Owns opening, moving and closing, which of them has its turn, and batches. Looks at no byte.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use super::clock;
use super::lan::{BATCH, Batch, Headers, Lan, PortId, bind_failure, has_ipv6, served};
use super::pcap::Capture;
use super::ready::Ready;
use crate::bmc::LogLevel;
use crate::bmc::ipv6_parameters::Served;
use crate::host::SystemId;
use crate::ipmi::{ChannelNumber, McAddress, Moment, Peer};
use crate::settings::model::Address;
use crate::sim::LanId;

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
    /// By their numbers; `None` is free.
    sockets: Vec<Option<Socket>>,
    free: Vec<usize>,
    channels: BTreeMap<PortId, Channel>,
    ready: Arc<Ready>,
    headers: Headers,
    batch: Batch,
    /// Datagrams to be sent together, all from one channel.
    outgoing: Vec<(Peer, usize, usize)>,
    /// The channel they are sent from.
    sender: Option<PortId>,
    capture: Option<Capture>,
}

/// An open socket.
struct Socket {
    lan: Lan,
    /// Whose it is.
    id: PortId,
    /// Puts it into the queue of those that may have something.
    bell: Waker,
}

/// A channel that is open.
struct Channel {
    /// Where it was to be opened; port 0 is any.
    asked: SocketAddr,
    /// The number of its socket.
    first: usize,
    /// A host name stood for an address of each family: where the second was to be opened, and its number.
    second: Option<(SocketAddr, usize)>,
}

impl LanPorts {
    /// None yet.
    pub fn new(capture: Option<Capture>) -> Self {
        Self {
            sockets: Vec::new(),
            free: Vec::new(),
            channels: BTreeMap::new(),
            ready: Arc::default(),
            headers: Headers::default(),
            batch: Batch::default(),
            outgoing: Vec::with_capacity(BATCH),
            sender: None,
            capture,
        }
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Where each is: its channel and address.
    pub fn places(&self) -> impl Iterator<Item = (PortId, SocketAddr)> {
        self.channels.iter().flat_map(|(id, channel)| self.places_of(channel).map(|place| (*id, place)))
    }

    /// Where the channels of a system are.
    pub fn places_of_system(&self, system: SystemId) -> impl Iterator<Item = (LanId, SocketAddr)> {
        let channels = self.channels.range(first_of(system)..).take_while(move |(id, _)| id.system == system);
        channels.flat_map(|(id, channel)| self.places_of(channel).map(|place| (id.lan, place)))
    }

    fn places_of(&self, channel: &Channel) -> impl Iterator<Item = SocketAddr> {
        let second = channel.second.map(|(_, second)| second);
        std::iter::once(channel.first).chain(second).filter_map(|number| self.socket(number)).map(|lan| lan.local)
    }

    fn socket(&self, number: usize) -> Option<&Lan> {
        self.sockets.get(number)?.as_ref().map(|socket| &socket.lan)
    }

    /// The number of a socket that may have something; each has its turn. Only when there is none does the loop go
    /// to sleep, and then all can wake it.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Option<usize> {
        self.ready.poll(cx)
    }

    /// Takes the datagrams that have arrived at a socket, at most a batch.
    pub fn receive(&mut self, number: usize, now: Moment, mut each: impl FnMut(PortId, Peer, &mut [u8])) {
        let Some(Some(socket)) = self.sockets.get(number) else { return };
        let id = socket.id;
        let received = socket.lan.receive(&mut self.headers, &mut self.batch);
        socket.watch(number, &self.ready);
        if let Err(error) = received {
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
        let Self { sockets, channels, headers, outgoing, sender, capture, .. } = self;
        let channel = sender.and_then(|sender| channels.get(&sender));
        let socket = |number: usize| sockets.get(number).and_then(Option::as_ref).map(|socket| &socket.lan);
        let first = channel.and_then(|channel| socket(channel.first));
        let second = channel.and_then(|channel| socket(channel.second?.1));
        // Each family through its own socket, where a channel has two.
        for some in outgoing.chunk_by(|(one, ..), (next, ..)| one.address.is_ipv4() == next.address.is_ipv4()) {
            let is_ipv4 = some.first().is_some_and(|(to, ..)| to.address.is_ipv4());
            let Some(lan) = second.filter(|second| second.local.is_ipv4() == is_ipv4).or(first) else { break };
            if let Err(error) = send_through(lan, headers, capture, bytes, some)
                && let Some(id) = sender
            {
                log::debug!("{id}: a datagram is lost: {error}");
            }
        }
        outgoing.clear();
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
        let open = self.channels.get(&id).and_then(|open| Some((open.asked, self.socket(open.first)?.local)));
        match open {
            // The MC was disabled meanwhile; its socket is still here.
            Some((asked, local)) if asked == address => notices.push(Notice::Opened(local)),
            Some((asked, _)) => self.move_to(id, asked, address, second, notices),
            None => self.open_sockets(id, address, second, notices),
        }
    }

    /// Where a channel is reached, all in all: to be asked when all of its sockets are open.
    pub fn served(&self, id: PortId) -> Served {
        let places = self.channels.get(&id).into_iter().flat_map(|channel| self.places_of(channel));
        served(places.map(|place| place.ip()))
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
            Ok(_) => {
                if let Some(channel) = self.channels.get_mut(&id) {
                    channel.asked = address;
                }
            }
            Err(error) => notices.push(Notice::Fatal(bind_failure(instead, &error))),
        }
    }

    /// Opens the only or first socket of a channel, in the place of what it has, and gives its port.
    fn bind(&mut self, id: PortId, address: SocketAddr, notices: &mut Vec<Notice>) -> std::io::Result<u16> {
        let (first, local) = self.open_socket(id, address, |port| {
            notices.push(Notice::Say(format!("Trying port {port}\n")));
        })?;
        notices.push(Notice::Say(format!("Opened UDP port {}\n", local.port())));
        self.close_channel(id);
        self.channels.insert(id, Channel { asked: address, first, second: None });
        notices.push(Notice::Opened(local));
        Ok(local.port())
    }

    /// Opens the second socket of a channel, with the port of the first.
    fn bind_second(&mut self, id: PortId, port: u16, address: Option<SocketAddr>, notices: &mut Vec<Notice>) {
        let Some(address) = address.map(|address| SocketAddr::new(address.ip(), port)) else { return };
        match self.open_socket(id, address, |_| {}) {
            Ok((second, _)) => {
                if let Some(channel) = self.channels.get_mut(&id) {
                    channel.second = Some((address, second));
                }
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
        asked: SocketAddr,
        address: SocketAddr,
        second: Option<SocketAddr>,
        notices: &mut Vec<Notice>,
    ) {
        let second_asked = self.channels.get(&id).and_then(|channel| channel.second).map(|(asked, _)| asked);
        if asked.port() == address.port() {
            // It may stand in its own way, as 127.0.0.1 does to 0.0.0.0.
            self.close_channel(id);
        }
        let error = match self.bind(id, address, notices) {
            Ok(port) => return self.bind_second(id, port, second, notices),
            Err(error) => error,
        };
        let text = format!("{}; it stays at {asked}", bind_failure(address, &error));
        notices.push(Notice::Report(LogLevel::Error, text));
        notices.push(Notice::Stays(asked));
        if !self.channels.contains_key(&id) {
            match self.bind(id, asked, notices) {
                Ok(port) => self.bind_second(id, port, second_asked, notices),
                Err(error) => notices.push(Notice::Fatal(bind_failure(asked, &error))),
            }
        }
    }

    /// Opens a socket; its number, and where it is.
    fn open_socket(
        &mut self,
        id: PortId,
        address: SocketAddr,
        trying: impl FnMut(u16),
    ) -> std::io::Result<(usize, SocketAddr)> {
        let lan = Lan::open(address, trying)?;
        let number = self.free.pop().unwrap_or_else(|| {
            self.sockets.push(None);
            self.sockets.len() - 1
        });
        let (local, bell) = (lan.local, self.ready.bell(number));
        let socket = Socket { lan, id, bell };
        socket.watch(number, &self.ready);
        if let Some(free) = self.sockets.get_mut(number) {
            *free = Some(socket);
        }
        Ok((number, local))
    }

    /// Closes the channels of a system.
    pub fn close_system(&mut self, system: SystemId) {
        let channels = self.channels.range(first_of(system)..).map(|(id, _)| *id);
        for id in channels.take_while(|id| id.system == system).collect::<Vec<_>>() {
            self.close_channel(id);
        }
    }

    fn close_channel(&mut self, id: PortId) {
        if let Some(Channel { first, second, .. }) = self.channels.remove(&id) {
            for number in std::iter::once(first).chain(second.map(|(_, second)| second)) {
                if self.sockets.get_mut(number).and_then(Option::take).is_some() {
                    self.free.push(number);
                }
            }
        }
    }
}

impl Socket {
    /// From now on the bell rings when there may be something; it may be so already.
    fn watch(&self, number: usize, ready: &Ready) {
        if self.lan.poll_readable(&mut Context::from_waker(&self.bell)).is_ready() {
            ready.push(number);
        }
    }
}

/// The first channel that a system may have.
fn first_of(system: SystemId) -> PortId {
    PortId { system, lan: LanId { mc: McAddress(0), channel: ChannelNumber::PRIMARY_IPMB } }
}

/// Sends datagrams through one socket, and captures them.
fn send_through(
    lan: &Lan,
    headers: &mut Headers,
    capture: &mut Option<Capture>,
    bytes: &[u8],
    datagrams: &[(Peer, usize, usize)],
) -> std::io::Result<()> {
    if let Some(capture) = capture {
        let now = clock::now();
        for (to, start, end) in datagrams {
            let to = Peer { local: lan.leaves_from(to), ..*to };
            capture.sent(now, &to, bytes.get(*start..*end).unwrap_or_default());
        }
    }
    lan.send(headers, bytes, datagrams)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Span;
    use crate::settings::model::Port;
    use std::future::poll_fn;
    use std::net::UdpSocket;
    use std::task::Poll;

    pub(super) fn id(index: u32) -> PortId {
        PortId {
            system: SystemId { index, generation: 0 },
            lan: LanId { mc: McAddress::BMC, channel: ChannelNumber::LAN },
        }
    }

    pub(super) fn place(address: SocketAddr) -> Address {
        let (host, port) = (address.ip().to_string(), Port::Number(address.port()));
        Address { host, port, span: Span::default(), other_family: None }
    }

    /// Opens a port, and gives where it is.
    pub(super) fn open(ports: &mut LanPorts, id: PortId, address: &str) -> SocketAddr {
        let notices = ports.open(id, &place(address.parse().unwrap()));
        let opened = notices.iter().find_map(|notice| match notice {
            Notice::Opened(local) => Some(*local),
            _ => None,
        });
        opened.unwrap_or_else(|| panic!("{notices:?}"))
    }

    /// Waits for what is next, and takes it.
    pub(super) async fn receive(ports: &mut LanPorts) -> Vec<(PortId, Peer, Vec<u8>)> {
        let number = poll_fn(|cx| ports.poll(cx).map_or(Poll::Pending, Poll::Ready)).await;
        let mut seen = Vec::new();
        ports.receive(number, clock::now(), |id, from, bytes| seen.push((id, from, bytes.to_vec())));
        seen
    }

    #[tokio::test]
    async fn sockets_have_turns_of_a_batch() {
        let mut ports = LanPorts::new(None);
        let places: Vec<SocketAddr> = (0..3).map(|system| open(&mut ports, id(system), "127.0.0.1:0")).collect();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        // The last is never asked, and so never looked at.
        for _ in 0..2 * BATCH {
            client.send_to(b"question", places[0]).unwrap();
            client.send_to(b"question", places[1]).unwrap();
        }
        let mut turns = Vec::new();
        while turns.iter().map(|(_, count)| count).sum::<usize>() < 4 * BATCH {
            let seen = receive(&mut ports).await;
            let Some((first, ..)) = seen.first() else { continue };
            assert!(seen.iter().all(|(id, ..)| id == first));
            turns.push((*first, seen.len()));
        }
        assert!(turns.iter().all(|(_, count)| *count == BATCH), "{turns:?}");
        let order: Vec<PortId> = turns.iter().map(|(id, _)| *id).collect();
        let (one, other) = (order[0], order[1]);
        assert_ne!(one, other);
        assert_eq!(order, [one, other, one, other]);
        for (system, place) in places.iter().enumerate().take(2) {
            ports.send(
                id(system as u32),
                Peer { address: client.local_addr().unwrap(), local: *place },
                (0, 6),
                b"answer",
            );
            ports.flush(b"answer");
            assert_eq!(client.recv_from(&mut [0; 8]).unwrap(), (6, *place));
        }
    }

    #[tokio::test]
    async fn a_port_that_moves_leaves_its_old_place_free() {
        let mut ports = LanPorts::new(None);
        let (one, other) = (open(&mut ports, id(1), "127.0.0.1:0"), open(&mut ports, id(2), "127.0.0.1:0"));
        let moved = open(&mut ports, id(1), "127.0.0.2:0");
        assert!(UdpSocket::bind(one).is_ok());
        assert_eq!(ports.places().collect::<Vec<_>>(), [(id(1), moved), (id(2), other)]);
        let notices = ports.open(id(1), &place(other));
        assert!(notices.contains(&Notice::Stays("127.0.0.2:0".parse().unwrap())), "{notices:?}");
        assert_eq!(ports.places_of_system(id(1).system).collect::<Vec<_>>(), [(id(1).lan, moved)]);
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(b"question", moved).unwrap();
        let seen = receive(&mut ports).await;
        assert_eq!(seen.first().map(|(id, _, bytes)| (*id, &bytes[..])), Some((id(1), &b"question"[..])));
    }
}
