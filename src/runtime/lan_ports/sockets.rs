//! The sockets of all LAN ports, by their numbers, and whose each is.
//!
//! Owns which ports share one: in a fleet those of different addresses with the same port number and family. Looks at
//! no datagram.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Waker};

use super::backlog::Backlog;
use crate::runtime::lan::{Lan, PortId, bind_failure, every_address, is_ours};
use crate::runtime::ready::Ready;

/// Whether ports share sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Each has its own.
    None,
    /// Those with the same port number and family that name an address share one for all addresses.
    SamePort,
}

/// An open socket.
pub(super) struct Socket {
    pub(super) lan: Lan,
    pub(super) owner: Owner,
    /// What was taken from it and has not had its turn.
    pub(super) backlog: Option<Box<Backlog>>,
    /// Puts it into the queue of those that may have something.
    bell: Waker,
}

/// Whose a socket is.
pub(super) enum Owner {
    /// One port's; others may not share it for this error's number.
    One(PortId, Option<i32>),
    /// Those of several, each with an address of its own.
    Several(HashMap<Key, PortId>),
}

/// An address without its port, and the interface of one that is only good there.
type Key = (IpAddr, u32);

fn key(address: SocketAddr) -> Key {
    let scope = match address {
        SocketAddr::V6(address) if address.ip().is_unicast_link_local() => address.scope_id(),
        _ => 0,
    };
    (address.ip(), scope)
}

impl Owner {
    /// Who has the address that a datagram came to.
    pub(super) fn of(&self, address: SocketAddr) -> Option<PortId> {
        match self {
            Self::One(id, _) => Some(*id),
            Self::Several(ports) => ports.get(&key(address)).copied(),
        }
    }
}

impl Socket {
    /// Whether it is that of several ports, one of them at this address.
    pub(super) fn is_shared_at(&self, local: SocketAddr) -> bool {
        matches!(self.owner, Owner::Several(_))
            && port_of(self.lan.local) == port_of(local)
            && !local.ip().is_unspecified()
    }
}

/// Why a port cannot be had.
#[derive(Debug)]
pub(super) enum Unbound {
    /// The operating system refuses it.
    Refused(io::Error),
    /// The operating system refuses the socket that would be shared.
    NotShared(io::Error),
    /// Another port has it.
    Taken(PortId),
}

impl Unbound {
    /// In words, but for who has it.
    pub(super) fn text(&self, address: SocketAddr) -> String {
        match self {
            Self::Refused(error) => bind_failure(address, error),
            Self::NotShared(error) => {
                let failure = bind_failure(every_address(address), error);
                format!("{failure}; ports of several addresses with this number share that of every address")
            }
            Self::Taken(id) => format!("Unable to bind to LAN port: {address} is that of {id}"),
        }
    }
}

/// All sockets.
pub(super) struct Sockets {
    /// `None` is free.
    list: Vec<Option<Socket>>,
    free: Vec<usize>,
    sharing: Sharing,
    /// Those that may be shared, or stand in the way of it, by port number and family.
    by_port: HashMap<(u16, bool), usize>,
    ready: Arc<Ready>,
}

fn port_of(address: SocketAddr) -> (u16, bool) {
    (address.port(), address.is_ipv4())
}

/// Whether an address may be one of several on a socket.
fn is_shareable(address: SocketAddr) -> bool {
    let is_mapped = address.is_ipv6() && address.ip().to_canonical().is_ipv4();
    address.port() != 0 && !address.ip().is_unspecified() && !is_mapped
}

impl Sockets {
    /// None yet.
    pub(super) fn new(sharing: Sharing, ready: Arc<Ready>) -> Self {
        Self { list: Vec::new(), free: Vec::new(), sharing, by_port: HashMap::new(), ready }
    }

    pub(super) fn get(&self, number: usize) -> Option<&Socket> {
        self.list.get(number)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut Socket> {
        self.list.get_mut(number)?.as_mut()
    }

    /// From now on the bell of a socket rings when there may be something; it may be so already.
    pub(super) fn watch(&self, number: usize) {
        let Some(socket) = self.get(number) else { return };
        if socket.lan.poll_readable(&mut Context::from_waker(&socket.bell)).is_ready() || socket.backlog.is_some() {
            self.ready.push(number);
        }
    }

    /// Opens a port; the number of its socket, and where it is.
    pub(super) fn open(
        &mut self,
        id: PortId,
        address: SocketAddr,
        trying: impl FnMut(u16),
    ) -> Result<(usize, SocketAddr), Unbound> {
        if self.sharing == Sharing::None {
            return Ok(self.add(id, Lan::open(address, trying).map_err(Unbound::Refused)?));
        }
        let there = self.by_port.get(&port_of(address)).copied().filter(|_| is_shareable(address));
        if let Some(number) = there {
            return self.share(number, id, address).map(|()| (number, address));
        }
        let lan = if is_shareable(address) { Lan::open_first(address) } else { Lan::open(address, trying) };
        let (number, local) = self.add(id, lan.map_err(|error| self.why(address, error))?);
        self.by_port.entry(port_of(local)).or_insert(number);
        Ok((number, local))
    }

    /// Who of ours has a port that the operating system says is in use.
    fn why(&self, address: SocketAddr, error: io::Error) -> Unbound {
        let families = [address.is_ipv4(), address.is_ipv6()];
        let ours = families.iter().find_map(|is_ipv4| self.by_port.get(&(address.port(), *is_ipv4)));
        let owner = ours.and_then(|number| self.get(*number)).and_then(|socket| match &socket.owner {
            Owner::One(id, _) => Some(*id),
            Owner::Several(ports) => ports.values().next().copied(),
        });
        match owner.filter(|_| error.kind() == io::ErrorKind::AddrInUse) {
            Some(id) => Unbound::Taken(id),
            None => Unbound::Refused(error),
        }
    }

    /// Adds a socket for one port; its number, and where it is.
    fn add(&mut self, id: PortId, lan: Lan) -> (usize, SocketAddr) {
        let number = self.free.pop().unwrap_or_else(|| {
            self.list.push(None);
            self.list.len() - 1
        });
        let local = lan.local;
        self.put(number, lan, Owner::One(id, None));
        (number, local)
    }

    fn put(&mut self, number: usize, lan: Lan, owner: Owner) {
        if let Some(free) = self.list.get_mut(number) {
            *free = Some(Socket { lan, owner, backlog: None, bell: self.ready.bell(number) });
        }
        self.watch(number);
    }

    /// Adds an address to a socket, which from the second on is one for all addresses.
    fn share(&mut self, number: usize, id: PortId, address: SocketAddr) -> Result<(), Unbound> {
        // Nobody would say so later.
        is_ours(address).map_err(Unbound::Refused)?;
        let Some(socket) = self.get_mut(number) else { return Ok(()) };
        let (first, local) = match &mut socket.owner {
            Owner::Several(ports) => {
                if let Some(other) = ports.get(&key(address)) {
                    return Err(Unbound::Taken(*other));
                }
                ports.insert(key(address), id);
                return Ok(());
            }
            Owner::One(other, _) if !is_shareable(socket.lan.local) || key(socket.lan.local) == key(address) => {
                return Err(Unbound::Taken(*other));
            }
            Owner::One(_, Some(error)) => return Err(Unbound::NotShared(io::Error::from_raw_os_error(*error))),
            Owner::One(first, None) => (*first, socket.lan.local),
        };
        // Both cannot be open at once.
        if let Some(place) = self.list.get_mut(number) {
            *place = None;
        }
        let error = match Lan::open_shared(address) {
            Ok(lan) => {
                let ports = HashMap::from([(key(local), first), (key(address), id)]);
                self.put(number, lan, Owner::Several(ports));
                return Ok(());
            }
            Err(error) => error,
        };
        match Lan::open_first(local) {
            Ok(lan) => self.put(number, lan, Owner::One(first, error.raw_os_error())),
            Err(lost) => log::error!("{first} is lost: {}", bind_failure(local, &lost)),
        }
        Err(Unbound::NotShared(error))
    }

    /// Closes the port of a channel that is at `local` on this socket.
    pub(super) fn close(&mut self, number: usize, local: SocketAddr) {
        let Some(socket) = self.get_mut(number) else { return };
        if let Owner::Several(ports) = &mut socket.owner {
            ports.remove(&key(local));
            if !ports.is_empty() {
                return;
            }
        }
        if let Some(place) = self.list.get_mut(number) {
            *place = None;
        }
        self.free.push(number);
        if self.by_port.get(&port_of(local)) == Some(&number) {
            self.by_port.remove(&port_of(local));
        }
    }
}
