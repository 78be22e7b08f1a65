//! The TCP side of a serial channel: one peer at a time (`serial.md` section 2).
//!
//! Owns the listening socket, or the outgoing connection, and the peer. Writes never
//! wait: a peer that does not read is dropped once too much is queued for it.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::duplex::{Reading, Step, step};
use super::{HostEvent, HostEvents, report};
use crate::bmc::LogLevel;
use crate::sim::SerialId;

/// Most bytes queued for a peer; a message is less than a hundred.
const QUEUE: usize = 64 * 1024;
/// How much is read at once.
const PIECE: usize = 1024;
/// First and longest pause between two attempts to connect.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Listens with an address that may be used again at once.
///
/// Must be called inside the runtime.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(16)
}

/// Bytes for the peer of one connection; the peer of a later one never gets them.
#[derive(Debug)]
pub struct Outgoing {
    /// The number in [`HostEvent::SerialConnected`].
    pub connection: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Serves peers that connect to us.
pub fn serve(serial: SerialId, listener: TcpListener, events: HostEvents) -> UnboundedSender<Outgoing> {
    let (sender, queue) = mpsc::unbounded_channel();
    tokio::spawn(run(Peer { serial, connection: 0, events }, Way::In(listener), queue));
    sender
}

/// Connects to a peer, and again whenever there is none.
pub fn connect(serial: SerialId, address: SocketAddr, events: HostEvents) -> UnboundedSender<Outgoing> {
    let (sender, queue) = mpsc::unbounded_channel();
    tokio::spawn(run(Peer { serial, connection: 0, events }, Way::Out(address), queue));
    sender
}

enum Way {
    In(TcpListener),
    Out(SocketAddr),
}

struct Peer {
    serial: SerialId,
    /// Number of the present or last connection.
    connection: u64,
    events: HostEvents,
}

async fn run(mut peer: Peer, way: Way, mut outgoing: UnboundedReceiver<Outgoing>) {
    let mut pause = RETRY.0;
    let mut complained = false;
    loop {
        let attempt = async {
            match &way {
                Way::In(listener) => listener.accept().await.map(|(stream, _)| stream),
                Way::Out(address) => TcpStream::connect(address).await,
            }
        };
        tokio::pin!(attempt);
        let stream = loop {
            tokio::select! {
                result = &mut attempt => break result,
                // Nobody is there to read it.
                bytes = outgoing.recv() => if bytes.is_none() { return },
            }
        };
        match stream {
            Ok(stream) => {
                complained = false;
                pause = RETRY.0;
                peer.connection += 1;
                if peer.talk(stream, &way, &mut outgoing).await.is_none() {
                    return;
                }
                // A listener is free for the next at once; a peer we call gets a moment.
                if matches!(way, Way::In(_)) {
                    continue;
                }
            }
            Err(error) => {
                if !complained {
                    complained = true;
                    let text = match &way {
                        Way::In(_) => format!("Unable to accept on serial TCP port: {error}"),
                        Way::Out(address) => {
                            format!("Unable to connect to serial TCP port: {address}: {error}; trying again")
                        }
                    };
                    report(&peer.events, HostEvent::Log { level: LogLevel::Warning, text }).await;
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY.1);
    }
}

impl Peer {
    /// Carries bytes until the peer is gone. `None`: nobody is interested any more.
    async fn talk(&self, mut stream: TcpStream, way: &Way, commands: &mut UnboundedReceiver<Outgoing>) -> Option<()> {
        let (serial, connection) = (self.serial, self.connection);
        let _ = stream.set_nodelay(true);
        let _ = setsockopt(&stream, sockopt::KeepAlive, &true);
        report(&self.events, HostEvent::SerialConnected { serial, connection }).await;
        let mut buffer = [0; PIECE];
        let mut queue = VecDeque::new();
        let interested = loop {
            let next = tokio::select! {
                biased;
                next = step(&mut stream, Reading::On, &mut buffer, &mut queue, commands) => next,
                () = turn_away(way) => continue,
            };
            match next {
                // An answer to a peer that is gone.
                Step::Command(outgoing) if outgoing.connection != connection => {}
                Step::Command(Outgoing { bytes, .. }) if queue.len() + bytes.len() > QUEUE => {
                    let text = "The peer of a serial port does not read; it is disconnected".into();
                    report(&self.events, HostEvent::Log { level: LogLevel::Warning, text }).await;
                    break Some(());
                }
                Step::Command(Outgoing { bytes, .. }) => queue.extend(bytes),
                Step::Received(count) => {
                    let bytes = buffer.get(..count).unwrap_or_default().to_vec();
                    report(&self.events, HostEvent::SerialData { serial, bytes }).await;
                }
                Step::Sent(_) => {}
                Step::Ended | Step::Failed(_) => break Some(()),
                Step::Abandoned => break None,
            }
        };
        drop(stream);
        report(&self.events, HostEvent::SerialDisconnected { serial }).await;
        interested
    }
}

/// Accepts one further connection and closes it.
async fn turn_away(way: &Way) {
    match way {
        Way::In(listener) => {
            if listener.accept().await.is_err() {
                // Out of descriptors, most likely: it stays in the backlog meanwhile.
                tokio::time::sleep(RETRY.0).await;
            }
        }
        Way::Out(_) => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::EVENT_QUEUE;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const SERIAL: SerialId = SerialId { mc: 0x20, channel: 15 };

    #[tokio::test]
    async fn one_peer_at_a_time_and_the_next_is_welcome() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (events, mut queue) = mpsc::channel(EVENT_QUEUE);
        let serial = serve(SERIAL, listener, events);
        for number in 1..=2 {
            let mut first = TcpStream::connect(address).await.unwrap();
            let connected = queue.recv().await;
            assert!(
                matches!(connected, Some(HostEvent::SerialConnected { serial: SERIAL, connection }) if connection == number)
            );
            // What was meant for the one before.
            serial.send(Outgoing { connection: number - 1, bytes: vec![9, 9, 9] }).unwrap();
            let mut second = TcpStream::connect(address).await.unwrap();
            assert_eq!(second.read(&mut [0; 4]).await.unwrap(), 0);
            first.write_all(&[0xa0, 1]).await.unwrap();
            assert!(matches!(queue.recv().await, Some(HostEvent::SerialData { bytes, .. }) if bytes == [0xa0, 1]));
            serial.send(Outgoing { connection: number, bytes: vec![1, 2, 3] }).unwrap();
            let mut seen = [0; 3];
            first.read_exact(&mut seen).await.unwrap();
            assert_eq!(seen, [1, 2, 3]);
            drop(first);
            assert!(matches!(queue.recv().await, Some(HostEvent::SerialDisconnected { serial: SERIAL })));
        }
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_dropped() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (events, mut queue) = mpsc::channel(EVENT_QUEUE);
        let serial = serve(SERIAL, listener, events);
        let _silent = TcpStream::connect(address).await.unwrap();
        assert!(matches!(queue.recv().await, Some(HostEvent::SerialConnected { .. })));
        // More than any socket buffer takes.
        for _ in 0..4096 {
            serial.send(Outgoing { connection: 1, bytes: vec![0; 4096] }).unwrap();
        }
        assert!(matches!(queue.recv().await, Some(HostEvent::Log { .. })));
        assert!(matches!(queue.recv().await, Some(HostEvent::SerialDisconnected { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outgoing_connection_is_made_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (events, mut queue) = mpsc::channel(EVENT_QUEUE);
        let _serial = connect(SERIAL, listener.local_addr().unwrap(), events);
        let began = tokio::time::Instant::now();
        for seconds in 0..4 {
            let (peer, _) = listener.accept().await.unwrap();
            assert_eq!(began.elapsed().as_secs(), seconds);
            assert!(matches!(queue.recv().await, Some(HostEvent::SerialConnected { .. })));
            drop(peer);
            assert!(matches!(queue.recv().await, Some(HostEvent::SerialDisconnected { .. })));
        }
    }
}
