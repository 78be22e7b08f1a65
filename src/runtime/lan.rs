//! A UDP socket of LAN channels (`lan-protocol.md` section 1).
//!
//! Owns the socket and how datagrams get in and out of it in batches, each by the address of ours
//! that the client used. Looks at no byte.

use std::cell::Cell;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockFlag, SockType,
    SockaddrStorage, bind, recvmmsg, sendmmsg, sendto, setsockopt, socket, sockopt,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::bmc::ipv6_parameters::Served;
use crate::host::SystemId;
use crate::host::watch::watch;
use crate::ipmi::Peer;
use crate::sim::LanId;

/// Most datagrams taken or sent with one system call.
pub const BATCH: usize = 32;
/// Room for a datagram. The largest there is, a full SOL packet with all its headers,
/// has less than 400 bytes; what does not fit is dropped.
const DATAGRAM: usize = 1024;
/// What the socket shall hold: a burst of a thousand clients. The system may allow less.
const RECEIVE_BUFFER: usize = 2 << 20;
/// The same of a socket that many systems share: a burst of ten thousand clients, some 800 bytes of the system's memory each, and
/// what they send again. It takes memory only while it is full.
const SHARED_RECEIVE_BUFFER: usize = 16 << 20;
/// The first port tried when the configuration says 0.
const FIRST_FREE: u16 = 49152;

/// Buffers for one batch, used again and again by all sockets.
pub struct Batch {
    /// One for each datagram of a batch; the pages of those that were never used are no memory.
    buffers: Vec<[u8; DATAGRAM]>,
    /// Length, receiver and sender of each datagram; `None` for what is to be left alone.
    arrived: Vec<Option<(usize, PortId, Peer)>>,
}

impl Default for Batch {
    fn default() -> Self {
        Self { buffers: vec![[0; DATAGRAM]; BATCH], arrived: Vec::with_capacity(BATCH) }
    }
}

impl Batch {
    /// The datagrams, in the order of their arrival.
    pub fn datagrams(&mut self) -> impl Iterator<Item = (PortId, Peer, &mut [u8])> {
        self.arrived.iter().zip(self.buffers.iter_mut()).filter_map(|(arrived, buffer)| {
            let (length, id, from) = (*arrived)?;
            Some((id, from, buffer.get_mut(..length)?))
        })
    }

    /// Whether there may have been more.
    pub fn is_full(&self) -> bool {
        self.arrived.len() >= BATCH
    }

    /// Forgets the datagrams.
    pub fn clear(&mut self) {
        self.arrived.clear();
    }

    /// Adds a datagram, if there is room.
    pub fn push(&mut self, id: PortId, from: Peer, bytes: &[u8]) {
        let buffer = self.buffers.get_mut(self.arrived.len()).and_then(|buffer| buffer.get_mut(..bytes.len()));
        if let Some(buffer) = buffer {
            buffer.copy_from_slice(bytes);
            self.arrived.push(Some((bytes.len(), id, from)));
        }
    }
}

/// Which LAN channel of which system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId {
    /// The system.
    pub system: SystemId,
    /// Its channel.
    pub lan: LanId,
}

impl fmt::Display for PortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LAN channel {} of MC {:#04x}", self.lan.channel, self.lan.mc)
    }
}

/// What the system is told about each datagram of a batch, and tells: one set for each kind of socket and direction,
/// because the kernel leaves lengths in it, of addresses and of what comes with a datagram, which are the same for all
/// sockets of a kind.
#[derive(Default)]
pub struct Headers {
    /// By [`kind`].
    kinds: [Option<Directions>; 4],
    /// Receivers of the batch that is being sent.
    receivers: Vec<Option<SockaddrStorage>>,
}

struct Directions {
    receive: MultiHeaders<SockaddrStorage>,
    send: MultiHeaders<SockaddrStorage>,
}

impl Headers {
    /// Those for a socket that is bound to this address.
    fn of(&mut self, bound: SocketAddr) -> Option<(&mut Directions, &mut Vec<Option<SockaddrStorage>>)> {
        let headers = self.kinds.get_mut(kind(bound))?.get_or_insert_with(|| {
            let headers = || MultiHeaders::preallocate(BATCH, room(bound));
            Directions { receive: headers(), send: headers() }
        });
        Some((headers, &mut self.receivers))
    }
}

/// Which headers fit a socket that is bound to this address.
fn kind(bound: SocketAddr) -> usize {
    2 * usize::from(bound.is_ipv6()) + usize::from(bound.ip().is_unspecified())
}

/// Whom a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// One channel, on one address or on all.
    One,
    /// One channel on one address, until there are several.
    First,
    /// The channels of several addresses: it is bound to all addresses of one family.
    Shared,
}

/// An open socket.
pub struct Lan {
    /// Where it was opened.
    pub local: SocketAddr,
    used: Use,
    /// Watched for reading only: every datagram sent makes a socket writable once more, which
    /// would wake the loop for nothing.
    socket: AsyncFd<UdpSocket>,
}

impl Lan {
    /// Opens the socket. Port 0 is the first free one from 49152 on; `trying` is called
    /// with each that is tried. Must be called inside the runtime.
    pub fn open(address: SocketAddr, mut trying: impl FnMut(u16)) -> io::Result<Self> {
        let bound = if address.port() == 0 {
            let mut port = FIRST_FREE;
            loop {
                trying(port);
                match open_socket(SocketAddr::new(address.ip(), port), Use::One) {
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse && port < u16::MAX => port += 1,
                    other => break other?,
                }
            }
        } else {
            open_socket(address, Use::One)?
        };
        Self::with(bound, Use::One)
    }

    /// Opens the socket of the first of several channels that may come to share one.
    pub fn open_first(address: SocketAddr) -> io::Result<Self> {
        Self::with(open_socket(address, Use::First)?, Use::First)
    }

    /// Opens a socket for all addresses of the family of this one, at its port. It tells for which of them each
    /// datagram was, and sends from any, also from those that the machine only has a route for (`AnyIP`).
    pub fn open_shared(address: SocketAddr) -> io::Result<Self> {
        Self::with(open_socket(every_address(address), Use::Shared)?, Use::Shared)
    }

    fn with(bound: UdpSocket, used: Use) -> io::Result<Self> {
        Ok(Self { local: bound.local_addr()?, used, socket: watch(bound, Interest::READABLE)? })
    }

    /// Ready when there may be datagrams.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_read_ready(cx).map_ok(drop)
    }

    /// Takes what has arrived, at most a batch. An empty batch is no error. `whose` says which channel has the address
    /// that a datagram came to; what nobody has is left out.
    pub fn receive(
        &self,
        headers: &mut Headers,
        batch: &mut Batch,
        mut whose: impl FnMut(SocketAddr) -> Option<PortId>,
    ) -> io::Result<()> {
        batch.clear();
        let (bound, reached) = (self.local, if self.used == Use::Shared { destination } else { reached });
        let Some((headers, _)) = headers.of(bound) else { return Ok(()) };
        let (headers, Batch { buffers, arrived }) = (&mut headers.receive, batch);
        let result = self.socket.try_io(Interest::READABLE, |socket| {
            let mut buffers = buffers.iter_mut();
            let mut slices: [_; BATCH] =
                std::array::from_fn(|_| [IoSliceMut::new(buffers.next().map_or(&mut [], |buffer| &mut buffer[..]))]);
            let results = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
            arrived.extend(results.map(|message| {
                if message.flags.contains(MsgFlags::MSG_TRUNC) {
                    return None;
                }
                let address = socket_address(message.address.as_ref()?)?;
                let local = reached(bound, &message);
                Some((message.bytes, whose(local)?, Peer { address, local }))
            }));
            // Fewer than asked for means that the socket is empty: saying so saves the call
            // that would find out.
            if arrived.len() < BATCH { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match result {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// Where a datagram for this client leaves from, as far as is known.
    pub fn leaves_from(&self, to: &Peer) -> SocketAddr {
        let ip = if self.local.ip().is_unspecified() { to.local.ip() } else { self.local.ip() };
        SocketAddr::new(ip, self.local.port())
    }

    /// Sends datagrams, in order, each from a range of `bytes`, and by the address that its client
    /// used. What the network does not take is lost, as datagrams are; the last trouble is returned.
    pub fn send(&self, headers: &mut Headers, bytes: &[u8], datagrams: &[(Peer, usize, usize)]) -> io::Result<()> {
        let mut trouble = Ok(());
        let has_source = |(to, ..): &(Peer, usize, usize)| Source::of(self.local, to).is_some();
        for alike in datagrams.chunk_by(|one, next| has_source(one) == has_source(next)) {
            for some in alike.chunks(BATCH) {
                let mut some = some;
                while let Some((first, start, end)) = some.first() {
                    let source = Source::of(self.local, first);
                    let sent = match (some.len(), source) {
                        (1, None) => self.send_plainly(first, bytes.get(*start..*end)),
                        (1, _) => self.send_batch::<1>(headers, bytes, some),
                        _ => self.send_batch::<BATCH>(headers, bytes, some),
                    };
                    let sent = match (sent, source) {
                        // An address that is no longer ours, or never was one to answer from (a
                        // broadcast): the system knows better.
                        (Err(Errno::EINVAL | Errno::EADDRNOTAVAIL | Errno::ENETUNREACH), Some(_))
                            if self.used != Use::Shared =>
                        {
                            self.send_plainly(first, bytes.get(*start..*end))
                        }
                        (sent, _) => sent,
                    };
                    // The one that failed is left out.
                    let done = match sent {
                        Ok(sent) => sent.max(1),
                        Err(error) => {
                            trouble = Err(error.into());
                            1
                        }
                    };
                    some = some.get(done..).unwrap_or_default();
                }
            }
        }
        trouble
    }

    // None of these goes through the runtime's readiness: a socket that was opened a moment ago counts
    // as not ready there.
    fn send_plainly(&self, to: &Peer, bytes: Option<&[u8]>) -> nix::Result<usize> {
        let to = SockaddrStorage::from(to.address);
        sendto(self.socket.as_raw_fd(), bytes.unwrap_or_default(), &to, MsgFlags::MSG_DONTWAIT).map(|_| 1)
    }

    /// Sends up to `MOST` datagrams with one system call: all of them say which address they leave from, or none.
    fn send_batch<const MOST: usize>(
        &self,
        headers: &mut Headers,
        bytes: &[u8],
        datagrams: &[(Peer, usize, usize)],
    ) -> nix::Result<usize> {
        let at = |index: usize| datagrams.get(index);
        let slices: [[IoSlice<'_>; 1]; MOST] = std::array::from_fn(|index| {
            let range = at(index).map_or(0..0, |(_, start, end)| *start..*end);
            [IoSlice::new(bytes.get(range).unwrap_or_default())]
        });
        let sources: [_; MOST] = std::array::from_fn(|index| at(index).and_then(|(to, ..)| Source::of(self.local, to)));
        let each = sources.each_ref().map(|source| source.as_ref().map(Source::control));
        let controls = Controls { each, next: Cell::new(0) };
        let Some((headers, receivers)) = headers.of(self.local) else { return Ok(0) };
        receivers.clear();
        receivers.extend(datagrams.iter().map(|(to, _, _)| Some(to.address.into())));
        let some = slices.iter().take(datagrams.len());
        let (fd, flags) = (self.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        Ok(sendmmsg(fd, &mut headers.send, some, &*receivers, controls, flags)?.count())
    }
}

/// What each datagram of a batch says to the system. `sendmmsg` has one list of control messages, but asks for it anew
/// for each datagram, in order; a test holds it to that.
struct Controls<'a, const MOST: usize> {
    each: [Option<ControlMessage<'a>>; MOST],
    next: Cell<usize>,
}

impl<'a, const MOST: usize> AsRef<[ControlMessage<'a>]> for Controls<'a, MOST> {
    fn as_ref(&self) -> &[ControlMessage<'a>] {
        let index = self.next.get();
        self.next.set(index + 1);
        self.each.get(index).map_or(&[], Option::as_slice)
    }
}

/// Which of our addresses a datagram leaves from (`ip(7)` and `ipv6(7)`).
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// From a socket of IPv4.
    V4(in_pktinfo),
    /// From a socket of IPv6.
    V6(in6_pktinfo),
}

impl Source {
    /// That of a datagram for `to`, where the socket, which is bound to `bound`, does not say it.
    pub(crate) fn of(bound: SocketAddr, to: &Peer) -> Option<Self> {
        if !bound.ip().is_unspecified() || to.local.ip().is_unspecified() {
            return None;
        }
        Some(match (bound, to.local.ip()) {
            (SocketAddr::V4(_), IpAddr::V4(ip)) => Self::V4(in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: in_addr { s_addr: u32::from_ne_bytes(ip.octets()) },
                ipi_addr: in_addr { s_addr: 0 },
            }),
            (SocketAddr::V6(_), ip) => {
                let ip = match ip {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                    IpAddr::V6(ip) => ip,
                };
                let interface = match to.local {
                    SocketAddr::V6(local) => local.scope_id(),
                    SocketAddr::V4(_) => 0,
                };
                Self::V6(in6_pktinfo { ipi6_addr: in6_addr { s6_addr: ip.octets() }, ipi6_ifindex: interface })
            }
            (SocketAddr::V4(_), IpAddr::V6(_)) => return None,
        })
    }

    /// How a socket is told.
    pub(crate) fn control(&self) -> ControlMessage<'_> {
        match self {
            Self::V4(info) => ControlMessage::Ipv4PacketInfo(info),
            Self::V6(info) => ControlMessage::Ipv6PacketInfo(info),
        }
    }
}

/// Room for which of our addresses a datagram came to or leaves from: a socket that is bound to every address is told,
/// and has to be told.
pub(crate) fn room(bound: SocketAddr) -> Option<Vec<u8>> {
    match bound {
        _ if !bound.ip().is_unspecified() => None,
        SocketAddr::V4(_) => Some(cmsg_space!(in_pktinfo)),
        SocketAddr::V6(_) => Some(cmsg_space!(in6_pktinfo)),
    }
}

/// Which of our addresses a datagram came to, on a socket that has all of them: `bound` otherwise.
pub(crate) fn reached(bound: SocketAddr, message: &RecvMsg<'_, '_, SockaddrStorage>) -> SocketAddr {
    if !bound.ip().is_unspecified() {
        return bound;
    }
    // Ours also where the datagram was for everybody.
    let told = told(bound, message, |info| info.ipi_spec_dst);
    // Nobody answers from a group's address.
    told.filter(|address| !address.ip().is_multicast() && !address.ip().to_canonical().is_multicast()).unwrap_or(bound)
}

/// Which address a datagram was sent to, on a socket that has all of them: `bound` where that is not known.
fn destination(bound: SocketAddr, message: &RecvMsg<'_, '_, SockaddrStorage>) -> SocketAddr {
    // Unlike `ipi_spec_dst` that of a broadcast is no one's.
    told(bound, message, |info| info.ipi_addr).unwrap_or(bound)
}

/// The address that the system tells with a datagram, for IPv4 one of the two.
fn told(
    bound: SocketAddr,
    message: &RecvMsg<'_, '_, SockaddrStorage>,
    which: fn(&in_pktinfo) -> in_addr,
) -> Option<SocketAddr> {
    message.cmsgs().ok()?.find_map(|told| match told {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            let ip = Ipv4Addr::from(which(&info).s_addr.to_ne_bytes());
            Some(SocketAddr::new(ip.into(), bound.port()))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            let ip = Ipv6Addr::from(info.ipi6_addr.s6_addr);
            let interface = if ip.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
            Some(SocketAddrV6::new(ip, bound.port(), 0, interface).into())
        }
        _ => None,
    })
}

/// Whether a socket may have this address, as far as that can be found out.
///
/// # Errors
/// The operating system's.
pub fn is_ours(address: SocketAddr) -> io::Result<()> {
    match address.ip() {
        IpAddr::V4(ip) => UdpSocket::bind((ip, 0)).map(drop),
        // It refuses those that are only routed to this machine.
        IpAddr::V6(_) => Ok(()),
    }
}

/// All addresses of the family of this one, at its port.
pub fn every_address(address: SocketAddr) -> SocketAddr {
    let ip: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(ip, address.port())
}

/// Where sockets with these addresses are reached: `::` is every address that an interface has
/// now, that of the loopback only where there is no other.
pub fn served(sockets: impl Iterator<Item = IpAddr>) -> Served {
    Interfaces::default().served(sockets)
}

/// The IPv6 addresses of interfaces, looked at when they are asked for.
#[derive(Debug, Default)]
pub struct Interfaces {
    /// With their prefix lengths.
    addresses: Option<Vec<(Ipv6Addr, u8)>>,
}

impl Interfaces {
    /// As [`served`].
    pub fn served(&mut self, sockets: impl Iterator<Item = IpAddr>) -> Served {
        let mut served = Served::default();
        for socket in sockets {
            match socket.to_canonical() {
                IpAddr::V4(_) => served.ipv4 = true,
                IpAddr::V6(address) => {
                    served.ipv4 |= address.is_unspecified();
                    served.ipv6.extend(self.addresses_of(address));
                }
            }
        }
        served
    }

    /// Has them looked at again when they are asked for the next time.
    pub fn forget(&mut self) {
        self.addresses = None;
    }

    /// The addresses that a socket is reached at, with their prefix lengths; those of the widest scope come first.
    fn addresses_of(&mut self, socket: Ipv6Addr) -> Vec<(Ipv6Addr, u8)> {
        let all = self.addresses.get_or_insert_with(|| {
            let interfaces = getifaddrs().into_iter().flatten();
            let addresses = interfaces.filter_map(|interface| {
                let address = interface.address?.as_sockaddr_in6()?.ip();
                let mask = interface.netmask.and_then(|mask| Some(mask.as_sockaddr_in6()?.ip()));
                Some((address, mask.map_or(128, |mask| mask.to_bits().leading_ones() as u8)))
            });
            addresses.collect()
        });
        let ours = |address: &Ipv6Addr| socket.is_unspecified() || socket == *address;
        let mut addresses: Vec<_> = all.iter().filter(|(address, _)| ours(address)).copied().collect();
        if socket.is_unspecified() && addresses.iter().any(|(address, _)| !address.is_loopback()) {
            addresses.retain(|(address, _)| !address.is_loopback());
        }
        addresses.sort_by_key(|(address, _)| address.is_unicast_link_local());
        if addresses.is_empty() && !socket.is_unspecified() {
            addresses.push((socket, 128));
        }
        addresses
    }
}

/// Whether this machine has IPv6 at all.
pub fn has_ipv6() -> bool {
    UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// Opens a socket of one channel, that does not block.
pub(crate) fn open_own(address: SocketAddr) -> io::Result<UdpSocket> {
    open_socket(address, Use::One)
}

fn open_socket(address: SocketAddr, used: Use) -> io::Result<UdpSocket> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(family, SockType::Datagram, flags, None)?;
    if address.is_ipv6() {
        // `::` means everything, whatever the system's default is; but of those that share each family has its own.
        setsockopt(&fd, sockopt::Ipv6V6Only, &(used == Use::Shared))?;
    }
    if address.ip().is_unspecified() {
        // Before the first datagram, so that none comes without it.
        match address {
            SocketAddr::V4(_) => setsockopt(&fd, sockopt::Ipv4PacketInfo, &true)?,
            SocketAddr::V6(_) => setsockopt(&fd, sockopt::Ipv6RecvPacketInfo, &true)?,
        }
    }
    if address.is_ipv6() && used != Use::One {
        // Without it an address that is routed to this machine, and that no interface has, is none for IPv6.
        let _ = setsockopt(&fd, sockopt::IpFreebind, &true);
    }
    let buffer = if used == Use::Shared { SHARED_RECEIVE_BUFFER } else { RECEIVE_BUFFER };
    if setsockopt(&fd, sockopt::RcvBufForce, &buffer).is_err() {
        let _ = setsockopt(&fd, sockopt::RcvBuf, &buffer);
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(fd.into())
}

/// An address as the system gives it.
pub(crate) fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::V4((*v4).into()));
    }
    address.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into()))
}

/// Why a LAN port could not be opened, in the original's words and with the place.
pub fn bind_failure(address: SocketAddr, error: &io::Error) -> String {
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => "* (every IPv4 address)".to_string(),
        ip => ip.to_string(),
    };
    let words = error.raw_os_error().map_or_else(|| error.to_string(), |number| Errno::from_raw(number).desc().into());
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => " (ports below 1024 need privileges)",
        io::ErrorKind::AddrInUse => " (another program is using it)",
        _ => "",
    };
    format!("Unable to bind to LAN port: {words}: {host} port {}{hint}", address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipmi::{ChannelNumber, McAddress};
    use std::future::poll_fn;

    const ID: PortId = PortId {
        system: SystemId { index: 0, generation: 0 },
        lan: LanId { mc: McAddress::BMC, channel: ChannelNumber::LAN },
    };

    fn open(address: &str) -> (Lan, Vec<u16>) {
        let mut tried = Vec::new();
        let lan = Lan::open(address.parse().unwrap(), |port| tried.push(port)).unwrap();
        (lan, tried)
    }

    async fn receive(lan: &Lan, batch: &mut Batch) -> Vec<(Peer, Vec<u8>)> {
        poll_fn(|cx| lan.poll_readable(cx)).await.unwrap();
        lan.receive(&mut Headers::default(), batch, |_| Some(ID)).unwrap();
        batch.datagrams().map(|(_, from, bytes)| (from, bytes.to_vec())).collect()
    }

    #[tokio::test]
    async fn a_burst_comes_in_batches_and_answers_go_back_to_each_sender() {
        let (lan, _) = open("127.0.0.1:0");
        let clients: Vec<_> = (0..3).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let total = BATCH + 5;
        for number in 0..total {
            clients[number % 3].send_to(&[number as u8; 40], lan.local).unwrap();
        }
        let mut batch = Batch::default();
        let mut seen = Vec::new();
        while seen.len() < total {
            seen.extend(receive(&lan, &mut batch).await);
        }
        for (number, (from, bytes)) in seen.iter().enumerate() {
            assert_eq!(from.address, clients[number % 3].local_addr().unwrap());
            assert_eq!(from.local, lan.local);
            assert_eq!(*bytes, [number as u8; 40]);
        }
        let bytes: Vec<u8> = (0..total as u8).collect();
        let responses: Vec<_> = seen.iter().enumerate().map(|(n, (from, _))| (*from, n, n + 1)).collect();
        lan.send(&mut Headers::default(), &bytes, &responses).unwrap();
        for number in 0..total {
            let mut response = [0; 8];
            assert_eq!(clients[number % 3].recv(&mut response).unwrap(), 1);
            assert_eq!(response[0], number as u8);
        }
    }

    #[tokio::test]
    async fn what_is_too_long_is_left_out() {
        let (lan, _) = open("127.0.0.1:0");
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(&[1; DATAGRAM + 1], lan.local).unwrap();
        client.send_to(&[2; DATAGRAM], lan.local).unwrap();
        let mut batch = Batch::default();
        let mut seen = receive(&lan, &mut batch).await;
        if seen.is_empty() {
            seen = receive(&lan, &mut batch).await;
        }
        assert_eq!(seen, [(client.local_addr().unwrap().into(), vec![2; DATAGRAM])]);
    }

    #[tokio::test]
    async fn any_ipv6_address_also_takes_ipv4() {
        let (lan, _) = open("[::]:0");
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(b"hello", ("127.0.0.1", lan.local.port())).unwrap();
        let seen = receive(&lan, &mut Batch::default()).await;
        lan.send(&mut Headers::default(), b"answer", &[(seen[0].0, 0, 6)]).unwrap();
        let mut response = [0; 8];
        assert_eq!(client.recv(&mut response).unwrap(), 6);
    }

    /// Asks a socket that is bound to everything at several addresses: one question, a burst, and two
    /// addresses in turn. Each answer has to come from the address that was asked.
    async fn asked_at(bound: &str, addresses: &[&str]) {
        let (lan, _) = open(bound);
        let port = lan.local.port();
        let mut batch = Batch::default();
        let places: Vec<SocketAddr> = addresses.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect();
        let families = [places[0], places[places.len() - 1]];
        let clients =
            families.map(|place| UdpSocket::bind((if place.is_ipv4() { "127.0.0.1" } else { "::1" }, 0)).unwrap());
        let of = |place: &SocketAddr| &clients[usize::from(place.is_ipv4() != families[0].is_ipv4())];
        for place in &places {
            for count in [1, 3] {
                for _ in 0..count {
                    of(place).send_to(b"question", place).unwrap();
                }
                let mut seen = Vec::new();
                while seen.len() < count {
                    seen.extend(receive(&lan, &mut batch).await);
                }
                assert!(seen.iter().all(|(from, _)| from.local.ip().to_canonical() == place.ip()), "{seen:?}");
                let responses: Vec<_> = seen.iter().map(|(from, _)| (*from, 0, 6)).collect();
                lan.send(&mut Headers::default(), b"answer", &responses).unwrap();
                for _ in 0..count {
                    let mut response = [0; 8];
                    assert_eq!(of(place).recv_from(&mut response).unwrap(), (6, *place), "{bound}");
                }
            }
        }
        for place in &places {
            of(place).send_to(b"question", place).unwrap();
        }
        let mut seen = Vec::new();
        while seen.len() < places.len() {
            seen.extend(receive(&lan, &mut batch).await);
        }
        let responses: Vec<_> = seen.iter().map(|(from, _)| (*from, 0, 6)).collect();
        lan.send(&mut Headers::default(), b"answer", &responses).unwrap();
        for place in &places {
            assert_eq!(of(place).recv_from(&mut [0; 8]).unwrap(), (6, *place), "{bound}");
        }
    }

    #[tokio::test]
    async fn an_answer_leaves_from_the_address_that_was_asked() {
        asked_at("0.0.0.0:0", &["127.0.0.2", "127.0.0.3", "127.0.0.1"]).await;
        asked_at("[::]:0", &["127.0.0.2", "127.0.0.3", "::1"]).await;
        asked_at("127.0.0.2:0", &["127.0.0.2"]).await;
    }

    #[tokio::test]
    async fn from_an_address_that_is_gone_an_answer_leaves_by_another() {
        for (bound, gone) in [("0.0.0.0:0", "192.0.2.77:1"), ("[::]:0", "[::ffff:192.0.2.77]:1")] {
            let (lan, _) = open(bound);
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            client.send_to(b"question", ("127.0.0.1", lan.local.port())).unwrap();
            let (from, _) = receive(&lan, &mut Batch::default()).await[0];
            let gone = Peer { local: gone.parse().unwrap(), ..from };
            lan.send(&mut Headers::default(), b"answer", &[(gone, 0, 6), (gone, 0, 6), (gone, 0, 6)]).unwrap();
            for _ in 0..3 {
                assert_eq!(client.recv(&mut [0; 8]).unwrap(), 6, "{bound}");
            }
        }
    }

    #[test]
    fn a_socket_is_reached_at_its_own_address_or_at_those_of_the_interfaces() {
        let at = |addresses: &[&str]| served(addresses.iter().map(|address| address.parse().unwrap()));
        assert_eq!(at(&["192.0.2.1"]), Served { ipv4: true, ipv6: Vec::new() });
        assert_eq!(at(&["::ffff:192.0.2.1"]), Served { ipv4: true, ipv6: Vec::new() });
        let loopback = vec![(Ipv6Addr::LOCALHOST, 128)];
        assert_eq!(at(&["::1"]), Served { ipv4: false, ipv6: loopback.clone() });
        assert_eq!(at(&["127.0.0.1", "::1"]), Served { ipv4: true, ipv6: loopback });
        // One that no interface has is shown as the configuration has it.
        let elsewhere = (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 128);
        assert_eq!(at(&["2001:db8::1"]).ipv6, [elsewhere]);
        let any = at(&["::"]);
        assert!(any.ipv4);
        assert_eq!(any.ipv6.is_empty(), !has_ipv6());
        let others = any.ipv6.iter().filter(|(address, _)| !address.is_loopback()).count();
        assert!(others == 0 || others == any.ipv6.len(), "{:?}", any.ipv6);
        assert!(!any.ipv6.iter().any(|(address, _)| address.is_unspecified()));
    }

    #[tokio::test]
    async fn port_zero_is_the_first_free_one_and_each_try_is_told() {
        let (first, tried) = open("127.0.0.1:0");
        assert_eq!(tried.last(), Some(&first.local.port()));
        assert_eq!(tried[0], FIRST_FREE);
        let (second, _) = open("127.0.0.1:0");
        assert!(second.local.port() > first.local.port());
    }

    #[tokio::test]
    async fn a_port_is_not_shared_and_the_failure_names_it() {
        let (lan, _) = open("127.0.0.1:0");
        let Err(error) = Lan::open(lan.local, |_| {}) else { panic!() };
        let text = bind_failure(lan.local, &error);
        let expected =
            format!("Unable to bind to LAN port: Address already in use: 127.0.0.1 port {}", lan.local.port());
        assert!(text.starts_with(&expected), "{text}");
    }

    #[tokio::test]
    async fn a_datagram_that_cannot_be_sent_does_not_hold_up_the_others() {
        let (lan, _) = open("127.0.0.1:0");
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        let good = client.local_addr().unwrap();
        // An IPv4 socket cannot reach an IPv6 address.
        let bad: SocketAddr = "[::1]:9".parse().unwrap();
        let (good, bad) = (good.into(), bad.into());
        assert!(lan.send(&mut Headers::default(), b"ab", &[(good, 0, 1), (bad, 0, 1), (good, 1, 2)]).is_err());
        let mut seen = [0; 2];
        client.recv(&mut seen[..1]).unwrap();
        client.recv(&mut seen[1..]).unwrap();
        assert_eq!(&seen, b"ab");
    }
}
