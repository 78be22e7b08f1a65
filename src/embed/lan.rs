//! The UDP sockets of an embedded BMC.
//!
//! Unlike `runtime`'s LAN ports these may move to another thread, and take and send one datagram at a time.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockaddrStorage, recvmsg, sendmsg};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::bmc::ipv6_parameters::Served;
use crate::host::watch::watch;
use crate::ipmi::Peer;
use crate::runtime::lan::{Source, open_own, reached, room, served, socket_address};
use crate::sim::LanId;

/// Room for a datagram; what is longer is dropped, as `runtime::lan` does.
pub(super) const DATAGRAM: usize = 1024;

/// The socket of a LAN channel.
struct Socket {
    lan: LanId,
    asked: SocketAddr,
    local: SocketAddr,
    socket: AsyncFd<UdpSocket>,
    /// Room for which address a datagram came to.
    control: Option<Vec<u8>>,
}

/// All of a system.
#[derive(Default)]
pub(super) struct Sockets(Vec<Socket>);

impl Sockets {
    /// Opens the socket of a channel, once, and gives its address. Must be called inside the runtime.
    pub(super) fn open(&mut self, lan: LanId, asked: SocketAddr) -> io::Result<(SocketAddr, Served)> {
        let local = match self.0.iter().find(|socket| socket.lan == lan && socket.asked == asked) {
            Some(socket) => socket.local,
            None => {
                let socket = open_own(asked)?;
                let local = socket.local_addr()?;
                let (socket, control) = (watch(socket, Interest::READABLE)?, room(local));
                self.0.push(Socket { lan, asked, local, socket, control });
                local
            }
        };
        Ok((local, served(std::iter::once(local.ip()))))
    }

    /// Where the channels are, in the order of their opening.
    pub(super) fn places(&self) -> impl Iterator<Item = (LanId, SocketAddr)> {
        self.0.iter().map(|socket| (socket.lan, socket.local))
    }

    /// Takes a datagram, if there is one; its length, without those that do not fit.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Option<(LanId, Peer, usize)> {
        for index in 0..self.0.len() {
            let Some(port) = self.0.get_mut(index) else { break };
            while let Poll::Ready(Ok(mut guard)) = port.socket.poll_read_ready(cx) {
                match receive(guard.get_inner(), port.local, port.control.as_deref_mut(), buffer) {
                    Ok(None) => {}
                    Ok(Some((from, length))) => {
                        let found = (port.lan, from, length);
                        // The next look begins behind this one.
                        self.0.rotate_left(index + 1);
                        return Some(found);
                    }
                    Err(Errno::EAGAIN) => guard.clear_ready(),
                    // It belongs to one datagram, sent or received; the next may be fine.
                    Err(error) => log::debug!("LAN channel {} of MC {:#04x}: {error}", port.lan.channel, port.lan.mc),
                }
            }
        }
        None
    }

    /// Sends a datagram from the address that was asked, or loses it, as networks do.
    pub(super) fn send(&self, lan: LanId, to: Peer, bytes: &[u8]) {
        let Some(Socket { local, socket, .. }) = self.0.iter().find(|socket| socket.lan == lan) else { return };
        let (address, bytes) = (SockaddrStorage::from(to.address), [IoSlice::new(bytes)]);
        let send = |source: Option<Source>| {
            let control = source.as_ref().map(Source::control);
            sendmsg(socket.as_raw_fd(), &bytes, control.as_slice(), MsgFlags::MSG_DONTWAIT, Some(&address))
        };
        let sent = match Source::of(*local, &to) {
            // An address that is no longer ours, or never was one to send from: the system knows better.
            Some(source) => send(Some(source)).or_else(|_| send(None)),
            None => send(None),
        };
        if let Err(error) = sent {
            log::debug!("LAN channel {} of MC {:#04x}: a datagram is lost: {error}", lan.channel, lan.mc);
        }
    }

    /// Closes all.
    pub(super) fn close(&mut self) {
        self.0.clear();
    }
}

/// Takes a datagram: whose it is, and its length; `None` for what does not fit.
fn receive(
    socket: &UdpSocket,
    local: SocketAddr,
    control: Option<&mut [u8]>,
    buffer: &mut [u8],
) -> nix::Result<Option<(Peer, usize)>> {
    let mut room = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut room, control, MsgFlags::MSG_DONTWAIT)?;
    if message.flags.contains(MsgFlags::MSG_TRUNC) {
        return Ok(None);
    }
    let from = message.address.as_ref().and_then(socket_address);
    Ok(from.map(|address| (Peer { address, local: reached(local, &message) }, message.bytes)))
}
