//! The UDP sockets of an embedded BMC.
//!
//! Unlike `runtime`'s LAN ports these may move to another thread, and take and send one datagram at a time. A response
//! leaves from the address that the operating system chooses, which on a socket for all addresses (`0.0.0.0`, `::`)
//! need not be the one that was asked.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::bmc::ipv6_parameters::Served;
use crate::host::watch::watch;
use crate::ipmi::Peer;
use crate::runtime::lan::served;
use crate::sim::LanId;

/// Room for a datagram; what is longer is dropped, as `runtime::lan` does.
pub(super) const DATAGRAM: usize = 1024;

/// The socket of a LAN channel.
struct Socket {
    lan: LanId,
    asked: SocketAddr,
    local: SocketAddr,
    socket: AsyncFd<UdpSocket>,
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
                let socket = UdpSocket::bind(asked)?;
                socket.set_nonblocking(true)?;
                let local = socket.local_addr()?;
                self.0.push(Socket { lan, asked, local, socket: watch(socket, Interest::READABLE)? });
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
            let Some(Socket { lan, socket, .. }) = self.0.get(index) else { break };
            while let Poll::Ready(Ok(mut guard)) = socket.poll_read_ready(cx) {
                match socket.get_ref().recv_from(buffer) {
                    Ok((length, _)) if length >= buffer.len() => {}
                    Ok((length, from)) => {
                        let found = (*lan, Peer::from(from), length);
                        // The next look begins behind this one.
                        self.0.rotate_left(index + 1);
                        return Some(found);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => guard.clear_ready(),
                    // It belongs to one datagram, sent or received; the next may be fine.
                    Err(error) => log::debug!("LAN channel {} of MC {:#04x}: {error}", lan.channel, lan.mc),
                }
            }
        }
        None
    }

    /// Sends a datagram, or loses it, as networks do.
    pub(super) fn send(&self, lan: LanId, to: Peer, bytes: &[u8]) {
        let Some(Socket { socket, .. }) = self.0.iter().find(|socket| socket.lan == lan) else { return };
        if let Err(error) = socket.get_ref().send_to(bytes, to.address) {
            log::debug!("LAN channel {} of MC {:#04x}: a datagram is lost: {error}", lan.channel, lan.mc);
        }
    }

    /// Closes all.
    pub(super) fn close(&mut self) {
        self.0.clear();
    }
}
