//! The LAN ports: every UDP socket that is open, and the capture of what goes through them.
//!
//! Owns opening, moving and closing, which of them has its turn, and batches. Looks at no byte.

mod backlog;
mod sockets;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

pub use sockets::Sharing;
use sockets::{Owner, Socket, Sockets, Unbound};

use super::clock;
use super::lan::{BATCH, Batch, Headers, Interfaces, Lan, PortId, has_ipv6};
use super::pcap::Capture;
use super::ready::Ready;
use crate::bmc::LogLevel;
use crate::bmc::ipv6_parameters::Served;
use crate::host::SystemId;
use crate::ipmi::{ChannelNumber, McAddress, Moment, Peer};
use crate::settings::model::Address;
use crate::sim::LanId;

/// Most batches that are taken from a shared socket at once.
const MOST_AT_ONCE: usize = 8;

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
    /// The channel cannot be served.
    Fatal(String),
    /// The channel cannot be served: another has its address.
    Taken(SocketAddr, PortId),
}

/// All LAN ports.
pub struct LanPorts {
    sockets: Sockets,
    channels: BTreeMap<PortId, Channel>,
    ready: Arc<Ready>,
    headers: Headers,
    /// Unless its datagrams are being handed out.
    batch: Option<Batch>,
    /// Datagrams to be sent together, all from one socket.
    outgoing: Vec<(Peer, usize, usize)>,
    /// The number of the socket they are sent from.
    sender: Option<usize>,
    capture: Option<Capture>,
    /// Looked at once for all that is opened between two sleeps.
    interfaces: Interfaces,
    /// Datagrams that were left out: for an address that no channel has, or too many for one.
    left_out: u64,
}

/// A channel that is open.
struct Channel {
    /// Where it was to be opened; port 0 is any.
    asked: SocketAddr,
    first: Place,
    /// A host name stood for an address of each family: where the second was to be opened, and where it is.
    second: Option<(SocketAddr, Place)>,
}

/// Where a channel is.
#[derive(Clone, Copy)]
struct Place {
    local: SocketAddr,
    /// The number of its socket.
    socket: usize,
}

impl Channel {
    fn places(&self) -> impl Iterator<Item = Place> {
        std::iter::once(self.first).chain(self.second.map(|(_, second)| second))
    }

    fn locals(&self) -> impl Iterator<Item = SocketAddr> {
        self.places().map(|place| place.local)
    }
}

impl LanPorts {
    /// None yet.
    pub fn new(capture: Option<Capture>, sharing: Sharing) -> Self {
        let ready = Arc::<Ready>::default();
        Self {
            sockets: Sockets::new(sharing, Arc::clone(&ready)),
            channels: BTreeMap::new(),
            ready,
            headers: Headers::default(),
            batch: None,
            outgoing: Vec::with_capacity(BATCH),
            sender: None,
            capture,
            interfaces: Interfaces::default(),
            left_out: 0,
        }
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Where each is: its channel and address.
    pub fn places(&self) -> impl Iterator<Item = (PortId, SocketAddr)> {
        self.channels.iter().flat_map(|(id, channel)| channel.locals().map(|local| (*id, local)))
    }

    /// Where the channels of a system are.
    pub fn places_of_system(&self, system: SystemId) -> impl Iterator<Item = (LanId, SocketAddr)> {
        let channels = self.channels.range(first_of(system)..).take_while(move |(id, _)| id.system == system);
        channels.flat_map(|(id, channel)| channel.locals().map(|local| (id.lan, local)))
    }

    /// The number of a socket that may have something; each has its turn. Only when there is none does the loop go
    /// to sleep, and then all can wake it.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Option<usize> {
        let ready = self.ready.poll(cx);
        if ready.is_none() {
            // Meanwhile they may become others.
            self.interfaces.forget();
        }
        ready
    }

    /// Takes the datagrams that have arrived at a socket, at most a batch, which is to be
    /// [given back](Self::give_back).
    pub fn receive(&mut self, number: usize, now: Moment) -> Batch {
        let mut batch = self.batch.take().unwrap_or_default();
        batch.clear();
        let Some(Socket { lan, owner, backlog, .. }) = self.sockets.get_mut(number) else { return batch };
        let (headers, left_out) = (&mut self.headers, &mut self.left_out);
        let mut take = |batch: &mut Batch, left_out: &mut u64| {
            let received = lan.receive(headers, batch, |local| {
                let id = owner.of(local);
                *left_out += u64::from(id.is_none());
                id
            });
            if let Err(error) = received {
                // An error belongs to one datagram, sent or received; the next may be fine.
                log::debug!("{}: {error}", lan.local);
            }
        };
        take(&mut batch, left_out);
        if matches!(owner, Owner::Several(_)) && (batch.is_full() || backlog.is_some()) {
            // There is more than has its turn now: whose it is has to be known.
            let lines = backlog.get_or_insert_default();
            for rest in (0..MOST_AT_ONCE).rev() {
                for (id, from, bytes) in batch.datagrams() {
                    *left_out += u64::from(!lines.push(id, from, bytes));
                }
                if rest == 0 || !batch.is_full() {
                    break;
                }
                take(&mut batch, left_out);
            }
            batch.clear();
            lines.fill(&mut batch);
            if lines.is_empty() {
                *backlog = None;
            }
        }
        self.sockets.watch(number);
        if let Some(capture) = &mut self.capture {
            for (_, from, bytes) in batch.datagrams().filter(|(.., bytes)| !bytes.is_empty()) {
                capture.received(now, &from, bytes);
            }
        }
        batch
    }

    /// Gives back what was received: its memory is used again.
    pub fn give_back(&mut self, batch: Batch) {
        self.batch = Some(batch);
    }

    /// How many datagrams were left out: those for an address that no channel has, and those too many for one.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Sends a range of `bytes` soon: with what follows from the same socket, at the latest with
    /// [`flush`](Self::flush).
    pub fn send(&mut self, id: PortId, to: Peer, (start, end): (usize, usize), bytes: &[u8]) {
        let Some((socket, to)) = self.way(id, to) else { return };
        if self.sender != Some(socket) || self.outgoing.len() == BATCH {
            self.flush(bytes);
            self.sender = Some(socket);
        }
        self.outgoing.push((to, start, end));
    }

    /// From which socket and address a channel sends to a client.
    fn way(&self, id: PortId, to: Peer) -> Option<(usize, Peer)> {
        // Nearly always where the last was sent from.
        if let Some(sender) = self.sender
            && self.sockets.get(sender).is_some_and(|socket| socket.is_shared_at(to.local))
        {
            return Some((sender, to));
        }
        let channel = self.channels.get(&id)?;
        // Each family through its own socket, where a channel has two.
        let second = channel.second.map(|(_, second)| second);
        let is_ipv4 = to.address.is_ipv4();
        let place = second.filter(|second| second.local.is_ipv4() == is_ipv4).unwrap_or(channel.first);
        let is_shared = matches!(self.sockets.get(place.socket)?.owner, Owner::Several(_));
        Some((place.socket, if is_shared { Peer { local: place.local, ..to } } else { to }))
    }

    /// Sends what waits to be sent.
    pub fn flush(&mut self, bytes: &[u8]) {
        if self.outgoing.is_empty() {
            return;
        }
        let Self { sockets, headers, outgoing, sender, capture, .. } = self;
        if let Some(Socket { lan, .. }) = sender.and_then(|number| sockets.get(number))
            && let Err(error) = send_through(lan, headers, capture, bytes, outgoing)
        {
            log::debug!("{}: a datagram is lost: {error}", lan.local);
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
        match self.channels.get(&id).map(|open| (open.asked, open.first.local)) {
            // The MC was disabled meanwhile; its socket is still here.
            Some((asked, local)) if asked == address => notices.push(Notice::Opened(local)),
            Some((asked, _)) => self.move_to(id, asked, address, second, notices),
            None => self.open_sockets(id, address, second, notices),
        }
    }

    /// Where a channel is reached, all in all: to be asked when all of its sockets are open.
    pub fn served(&mut self, id: PortId) -> Served {
        self.interfaces.served(self.channels.get(&id).into_iter().flat_map(Channel::locals).map(|local| local.ip()))
    }

    /// Opens the sockets of a channel: one, or one of each family where a name stands for both.
    /// Where there is no IPv6, what there is has to do.
    fn open_sockets(&mut self, id: PortId, address: SocketAddr, second: Option<SocketAddr>, notices: &mut Vec<Notice>) {
        let error = match self.bind(id, address, notices) {
            Ok(port) => return self.bind_second(id, port, second, notices),
            Err(error) => error,
        };
        if address.is_ipv4() || has_ipv6() {
            notices.push(fatal(address, error));
            return;
        }
        let failure = error.text(address);
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
            Err(error) => notices.push(fatal(instead, error)),
        }
    }

    /// Opens the only or first socket of a channel, in the place of what it has, and gives its port.
    fn bind(&mut self, id: PortId, address: SocketAddr, notices: &mut Vec<Notice>) -> Result<u16, Unbound> {
        let (socket, local) = self.sockets.open(id, address, |port| {
            notices.push(Notice::Say(format!("Trying port {port}\n")));
        })?;
        notices.push(Notice::Say(format!("Opened UDP port {}\n", local.port())));
        self.close_channel(id);
        self.channels.insert(id, Channel { asked: address, first: Place { local, socket }, second: None });
        notices.push(Notice::Opened(local));
        Ok(local.port())
    }

    /// Opens the second socket of a channel, with the port of the first.
    fn bind_second(&mut self, id: PortId, port: u16, address: Option<SocketAddr>, notices: &mut Vec<Notice>) {
        let Some(address) = address.map(|address| SocketAddr::new(address.ip(), port)) else { return };
        match self.sockets.open(id, address, |_| {}) {
            Ok((socket, local)) => {
                if let Some(channel) = self.channels.get_mut(&id) {
                    channel.second = Some((address, Place { local, socket }));
                }
            }
            Err(_) if address.is_ipv6() && !has_ipv6() => {}
            Err(error) => notices.push(Notice::Report(LogLevel::Warning, error.text(address))),
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
        let text = format!("{}; it stays at {asked}", error.text(address));
        notices.push(Notice::Report(LogLevel::Error, text));
        notices.push(Notice::Stays(asked));
        if !self.channels.contains_key(&id) {
            match self.bind(id, asked, notices) {
                Ok(port) => self.bind_second(id, port, second_asked, notices),
                Err(error) => notices.push(fatal(asked, error)),
            }
        }
    }

    /// Closes the channels of a system.
    pub fn close_system(&mut self, system: SystemId) {
        let channels = self.channels.range(first_of(system)..).map(|(id, _)| *id);
        for id in channels.take_while(|id| id.system == system).collect::<Vec<_>>() {
            self.close_channel(id);
        }
    }

    fn close_channel(&mut self, id: PortId) {
        for Place { local, socket } in self.channels.remove(&id).iter().flat_map(Channel::places) {
            self.sockets.close(socket, local);
        }
    }
}

fn fatal(address: SocketAddr, error: Unbound) -> Notice {
    match error {
        Unbound::Taken(id) => Notice::Taken(address, id),
        error => Notice::Fatal(error.text(address)),
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

    fn id(index: u32) -> PortId {
        PortId {
            system: SystemId { index, generation: 0 },
            lan: LanId { mc: McAddress::BMC, channel: ChannelNumber::LAN },
        }
    }

    fn place(address: SocketAddr) -> Address {
        let (host, port) = (address.ip().to_string(), Port::Number(address.port()));
        Address { host, port, span: Span::default(), other_family: None }
    }

    /// Opens a port, and gives where it is.
    fn open(ports: &mut LanPorts, id: PortId, address: &str) -> SocketAddr {
        let notices = ports.open(id, &place(address.parse().unwrap()));
        let opened = notices.iter().find_map(|notice| match notice {
            Notice::Opened(local) => Some(*local),
            _ => None,
        });
        opened.unwrap_or_else(|| panic!("{notices:?}"))
    }

    /// Waits for what is next, and takes it.
    async fn receive(ports: &mut LanPorts) -> Vec<(PortId, Peer, Vec<u8>)> {
        let number = poll_fn(|cx| ports.poll(cx).map_or(Poll::Pending, Poll::Ready)).await;
        let mut batch = ports.receive(number, clock::now());
        let seen = batch.datagrams().map(|(id, from, bytes)| (id, from, bytes.to_vec())).collect();
        ports.give_back(batch);
        seen
    }

    #[tokio::test]
    async fn sockets_have_turns_of_a_batch() {
        let mut ports = LanPorts::new(None, Sharing::None);
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
        let mut ports = LanPorts::new(None, Sharing::None);
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

    /// A fleet's ports: the addresses of these numbers in 127.64.0.0/16, all with one port.
    fn fleet(count: u8) -> (LanPorts, u16) {
        let port = UdpSocket::bind("127.64.0.1:0").unwrap().local_addr().unwrap().port();
        let mut ports = LanPorts::new(None, Sharing::SamePort);
        for number in 1..=count {
            let at = format!("127.64.0.{number}:{port}");
            assert_eq!(open(&mut ports, id(number.into()), &at).to_string(), at);
        }
        (ports, port)
    }

    async fn receive_all(ports: &mut LanPorts, count: usize) -> Vec<(PortId, Peer, Vec<u8>)> {
        let mut seen = Vec::new();
        while seen.len() < count {
            seen.extend(receive(ports).await);
        }
        seen
    }

    #[tokio::test]
    async fn a_fleet_shares_one_socket_and_each_answers_from_its_address() {
        let (mut ports, port) = fleet(5);
        let clients: Vec<UdpSocket> = (1..=7)
            .map(|number| {
                let client = UdpSocket::bind("127.0.0.1:0").unwrap();
                client.connect(format!("127.64.0.{number}:{port}")).unwrap();
                client.send(&[number]).unwrap();
                client
            })
            .collect();
        let seen = receive_all(&mut ports, 5).await;
        for (number, (whose, from, bytes)) in (1..).zip(&seen) {
            assert_eq!((*whose, &bytes[..]), (id(number.into()), &[number][..]));
            assert_eq!(from.local.to_string(), format!("127.64.0.{number}:{port}"));
        }
        assert_eq!(ports.left_out(), 2, "nobody has the other two");
        // All with one system call, each from its address.
        let answers: Vec<u8> = seen.iter().map(|(.., bytes)| bytes[0]).collect();
        for (number, (whose, from, _)) in seen.iter().enumerate() {
            ports.send(*whose, *from, (number, number + 1), &answers);
        }
        ports.flush(&answers);
        // What a system sends unasked has no address of ours in it.
        let unasked = Peer::from(clients[0].local_addr().unwrap());
        ports.send(id(1), unasked, (0, 1), &[1]);
        ports.flush(&[1]);
        for (number, client) in (1..=5).zip(&clients) {
            for _ in 0..if number == 1 { 2 } else { 1 } {
                let mut response = [0; 8];
                assert_eq!((client.recv(&mut response).unwrap(), response[0]), (1, number));
            }
        }
        assert_eq!(ports.places().filter(|(_, place)| place.port() == port).count(), 5);
    }

    #[tokio::test]
    async fn ports_of_a_fleet_come_and_go_and_one_alone_has_its_address_only() {
        let (mut ports, port) = fleet(1);
        // Nobody shares yet: other addresses are free.
        let other = UdpSocket::bind(("127.64.0.9", port)).unwrap();
        let notices = ports.open(id(2), &place(format!("127.64.0.2:{port}").parse().unwrap()));
        let [Notice::Fatal(text)] = &notices[..] else { panic!("{notices:?}") };
        assert!(text.contains("* (every IPv4 address)") && text.contains("several addresses"), "{text}");
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(b"one", ("127.64.0.1", port)).unwrap();
        assert_eq!(receive_all(&mut ports, 1).await[0].0, id(1), "it is still there");
        drop(other);

        let (mut ports, port) = fleet(3);
        let taken = ports.open(id(4), &place(format!("127.64.0.2:{port}").parse().unwrap()));
        assert_eq!(taken, [Notice::Taken(format!("127.64.0.2:{port}").parse().unwrap(), id(2))]);
        let every = ports.open(id(4), &place(format!("0.0.0.0:{port}").parse().unwrap()));
        assert!(matches!(every[..], [Notice::Taken(..)]), "{every:?}");
        ports.close_system(id(2).system);
        open(&mut ports, id(4), &format!("127.64.0.2:{port}"));
        client.send_to(b"four", ("127.64.0.2", port)).unwrap();
        assert_eq!(receive_all(&mut ports, 1).await[0].0, id(4));
        for number in [1, 3, 4] {
            ports.close_system(id(number).system);
        }
        assert!(ports.is_empty());
        assert!(UdpSocket::bind(("0.0.0.0", port)).is_ok(), "the socket is closed with the last");
    }

    #[tokio::test]
    async fn an_address_that_is_not_ours_is_told() {
        let (mut ports, port) = fleet(2);
        let notices = ports.open(id(3), &place(format!("192.0.2.77:{port}").parse().unwrap()));
        let [Notice::Fatal(text)] = &notices[..] else { panic!("{notices:?}") };
        assert!(text.contains("Cannot assign requested address: 192.0.2.77"), "{text}");
    }

    #[tokio::test]
    async fn ipv6_ports_share_a_socket_of_their_own() {
        let (mut ports, port) = fleet(2);
        let mut opened = Vec::new();
        // The addresses of this machine; ::1 is always among them where there is IPv6.
        let mut served = crate::runtime::lan::served(["::".parse().unwrap()].into_iter()).ipv6;
        served.push((std::net::Ipv6Addr::LOCALHOST, 128));
        served.dedup();
        for (number, (ip, _)) in (10..).zip(served.iter().filter(|(ip, _)| !ip.is_unicast_link_local())) {
            opened.push((number, open(&mut ports, id(number), &SocketAddr::new((*ip).into(), port).to_string())));
        }
        for (number, at) in opened {
            let client = UdpSocket::bind("[::]:0").unwrap();
            client.connect(at).unwrap();
            client.send(b"question").unwrap();
            let (whose, from, _) = receive_all(&mut ports, 1).await[0].clone();
            assert_eq!((whose, from.local), (id(number), at));
            ports.send(whose, from, (0, 6), b"answer");
            ports.flush(b"answer");
            assert_eq!(client.recv(&mut [0; 8]).unwrap(), 6);
        }
    }

    /// Behind a flood for one of a fleet, the others wait for a batch, not for all of it.
    #[tokio::test]
    async fn a_flood_for_one_of_a_fleet_is_not_in_the_way_of_the_others() {
        let (mut ports, port) = fleet(3);
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        let flood = 6 * BATCH;
        for number in 0..flood {
            client.send_to(&(number as u16).to_be_bytes(), ("127.64.0.1", port)).unwrap();
        }
        for number in [2, 3] {
            client.send_to(b"question", format!("127.64.0.{number}:{port}")).unwrap();
        }
        let first = receive(&mut ports).await;
        assert_eq!(first.len(), BATCH);
        let turns: Vec<u32> = first.iter().take(4).map(|(whose, ..)| whose.system.index).collect();
        assert_eq!(turns, [1, 2, 3, 1]);
        let mut seen: Vec<Vec<u8>> = first.into_iter().filter(|(whose, ..)| *whose == id(1)).map(|it| it.2).collect();
        while seen.len() < flood {
            seen.extend(receive(&mut ports).await.into_iter().map(|(.., bytes)| bytes));
        }
        assert!(seen.iter().map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]])).eq(0..flood as u16), "in order");
        assert_eq!(ports.left_out(), 0);
    }
}
