//! The TCP side of a serial channel: one peer at a time (`serial.md` section 2).
//!
//! A further one is turned away, unless the peer there is has vanished or has never said a word: a
//! machine whose network failed must find its place free when it comes back, and whoever tries
//! ports must not hold it.
//!
//! Owns the listening socket, or the outgoing connection, and the peer. Writes never
//! wait: a peer that does not read is dropped once too much is queued for it.

use std::collections::VecDeque;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep, sleep_until};

use super::duplex::{Reading, Step, step};
use super::{HostEvent, HostEvents, report, tcp};
use crate::bmc::LogLevel;
use crate::sim::{Input, SerialId};

/// Most bytes queued for a peer; a message is less than a hundred.
const QUEUE: usize = 64 * 1024;
/// How much is read at once.
const PIECE: usize = 1024;
/// First and longest pause between two attempts to connect.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// How long a peer may take to acknowledge a question when another wants its place.
const ACKNOWLEDGED: Duration = Duration::from_secs(3);
/// How long the other waits: the system takes up to two seconds more to tell.
const NEWCOMER_WAIT: Duration = Duration::from_secs(5);

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
    let mut newcomer = None;
    loop {
        let (waiting, way_there) = (newcomer.take(), &way);
        let attempt = async move {
            if let Some(stream) = waiting {
                return Ok(stream);
            }
            match way_there {
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
                match peer.talk(stream, &way, &mut outgoing).await {
                    Talk::Over(next) => newcomer = next,
                    Talk::Abandoned => return,
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
        sleep(pause).await;
        pause = (pause * 2).min(RETRY.1);
    }
}

/// How a connection came to its end.
enum Talk {
    /// The peer is gone; this one waits for its place.
    Over(Option<TcpStream>),
    /// Nobody is interested any more.
    Abandoned,
}

impl Peer {
    /// Carries bytes until the peer is gone.
    async fn talk(&self, mut stream: TcpStream, way: &Way, commands: &mut UnboundedReceiver<Outgoing>) -> Talk {
        let (serial, connection) = (self.serial, self.connection);
        let _ = stream.set_nodelay(true);
        tcp::notice_a_peer_that_vanishes(&stream);
        report(&self.events, HostEvent::SerialConnected { serial, connection }).await;
        let began = Instant::now();
        let mut spoke = false;
        // Who wants the place, and until when the peer may show that it is there.
        let mut newcomer: Option<(TcpStream, Instant)> = None;
        let mut buffer = [0; PIECE];
        let mut queue = VecDeque::new();
        let end = loop {
            let limit = newcomer.as_ref().map(|(_, limit)| *limit);
            let next = tokio::select! {
                biased;
                next = step(&mut stream, Reading::On, &mut buffer, &mut queue, commands) => next,
                another = accept(way) => {
                    // One can wait, others are turned away.
                    if newcomer.is_none() {
                        tcp::ask_whether_the_peer_is_there(&stream, ACKNOWLEDGED);
                        // Who is there but has never said a word had its time already.
                        newcomer = Some((another, if spoke { Instant::now() } else { began } + NEWCOMER_WAIT));
                    }
                    continue;
                }
                () = sleep_until(limit.unwrap_or(began)), if limit.is_some() => {
                    if !spoke {
                        self.warn("The peer of a serial port never said anything; another takes its place").await;
                        break Talk::Over(newcomer.take().map(|(stream, _)| stream));
                    }
                    newcomer = None;
                    tcp::notice_a_peer_that_vanishes(&stream);
                    continue;
                }
            };
            match next {
                // A response to a peer that is gone.
                Step::Command(outgoing) if outgoing.connection != connection => {}
                Step::Command(Outgoing { bytes, .. }) if queue.len() + bytes.len() > QUEUE => {
                    self.warn("The peer of a serial port does not read; it is disconnected").await;
                    break Talk::Over(newcomer.take().map(|(stream, _)| stream));
                }
                Step::Command(Outgoing { bytes, .. }) => queue.extend(bytes),
                Step::Received(count) => {
                    spoke = true;
                    if newcomer.take().is_some() {
                        tcp::notice_a_peer_that_vanishes(&stream);
                    }
                    let bytes = buffer.get(..count).unwrap_or_default().to_vec();
                    report(&self.events, HostEvent::Input(Input::SerialData(serial, bytes.into()))).await;
                }
                Step::Sent(_) => {}
                Step::Ended | Step::Failed(_) => break Talk::Over(newcomer.take().map(|(stream, _)| stream)),
                Step::Abandoned => break Talk::Abandoned,
            }
        };
        drop(stream);
        report(&self.events, HostEvent::Input(Input::SerialDisconnected(serial))).await;
        end
    }

    async fn warn(&self, text: &str) {
        report(&self.events, HostEvent::Log { level: LogLevel::Warning, text: text.into() }).await;
    }
}

/// Accepts one further connection.
async fn accept(way: &Way) -> TcpStream {
    match way {
        Way::In(listener) => loop {
            match listener.accept().await {
                Ok((stream, _)) => return stream,
                // Out of descriptors, most likely: it stays in the backlog meanwhile.
                Err(_) => sleep(RETRY.0).await,
            }
        },
        Way::Out(_) => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::EVENT_QUEUE;
    use crate::host::testing::{Queue, events};
    use crate::ipmi::{ChannelNumber, McAddress};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const SERIAL: SerialId = SerialId { mc: McAddress::BMC, channel: ChannelNumber::SYSTEM_INTERFACE };

    async fn connected(queue: &mut Queue, number: u64) {
        let event = queue.recv().await;
        assert!(
            matches!(event, Some(HostEvent::SerialConnected { serial: SERIAL, connection }) if connection == number),
            "{event:?}"
        );
    }

    async fn received(queue: &mut Queue, expected: &[u8]) {
        let event = queue.recv().await;
        assert!(
            matches!(&event, Some(HostEvent::Input(Input::SerialData(_, bytes))) if **bytes == *expected),
            "{event:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_said_a_word_makes_room_and_who_did_stays() {
        let listener = tcp::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (events, mut queue) = events(EVENT_QUEUE);
        let _serial = serve(SERIAL, listener, events);
        let mut mute = TcpStream::connect(address).await.unwrap();
        connected(&mut queue, 1).await;
        let began = Instant::now();
        let mut machine = TcpStream::connect(address).await.unwrap();
        // One waits, and no more than one.
        tokio::task::yield_now().await;
        let mut third = TcpStream::connect(address).await.unwrap();
        assert_eq!(third.read(&mut [0; 4]).await.unwrap(), 0);
        assert!(matches!(queue.recv().await, Some(HostEvent::Log { .. })));
        assert_eq!(began.elapsed().as_secs(), NEWCOMER_WAIT.as_secs());
        assert!(matches!(queue.recv().await, Some(HostEvent::Input(Input::SerialDisconnected(_)))));
        assert_eq!(mute.read(&mut [0; 4]).await.unwrap(), 0);
        connected(&mut queue, 2).await;
        machine.write_all(b"here").await.unwrap();
        received(&mut queue, b"here").await;
        // It is quiet for a day, and still there.
        sleep(Duration::from_secs(86_400)).await;
        let began = Instant::now();
        let mut other = TcpStream::connect(address).await.unwrap();
        assert_eq!(other.read(&mut [0; 4]).await.unwrap(), 0);
        assert_eq!(began.elapsed().as_secs(), NEWCOMER_WAIT.as_secs());
        machine.write_all(b"still").await.unwrap();
        received(&mut queue, b"still").await;
        // One word is enough to keep the place.
        let mut other = TcpStream::connect(address).await.unwrap();
        tokio::task::yield_now().await;
        machine.write_all(b"mine").await.unwrap();
        received(&mut queue, b"mine").await;
        assert_eq!(other.read(&mut [0; 4]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_gets_the_place_when_it_is_free() {
        let listener = tcp::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (events, mut queue) = events(EVENT_QUEUE);
        let _serial = serve(SERIAL, listener, events);
        let mut machine = TcpStream::connect(address).await.unwrap();
        connected(&mut queue, 1).await;
        machine.write_all(b"here").await.unwrap();
        received(&mut queue, b"here").await;
        let mut next = TcpStream::connect(address).await.unwrap();
        next.write_all(b"me").await.unwrap();
        tokio::task::yield_now().await;
        drop(machine);
        assert!(matches!(queue.recv().await, Some(HostEvent::Input(Input::SerialDisconnected(_)))));
        connected(&mut queue, 2).await;
        received(&mut queue, b"me").await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_peer_at_a_time_and_the_next_is_welcome() {
        let listener = tcp::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (events, mut queue) = events(EVENT_QUEUE);
        let serial = serve(SERIAL, listener, events);
        for number in 1..=2 {
            let mut first = TcpStream::connect(address).await.unwrap();
            let connected = queue.recv().await;
            assert!(
                matches!(connected, Some(HostEvent::SerialConnected { serial: SERIAL, connection }) if connection == number)
            );
            // What was meant for the one before.
            serial.send(Outgoing { connection: number - 1, bytes: vec![9, 9, 9] }).unwrap();
            first.write_all(&[0xa0, 1]).await.unwrap();
            assert!(
                matches!(queue.recv().await, Some(HostEvent::Input(Input::SerialData(_, bytes))) if *bytes == [0xa0, 1])
            );
            let mut second = TcpStream::connect(address).await.unwrap();
            assert_eq!(second.read(&mut [0; 4]).await.unwrap(), 0);
            serial.send(Outgoing { connection: number, bytes: vec![1, 2, 3] }).unwrap();
            let mut seen = [0; 3];
            first.read_exact(&mut seen).await.unwrap();
            assert_eq!(seen, [1, 2, 3]);
            drop(first);
            assert!(matches!(queue.recv().await, Some(HostEvent::Input(Input::SerialDisconnected(SERIAL)))));
        }
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_dropped() {
        let listener = tcp::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (events, mut queue) = events(EVENT_QUEUE);
        let serial = serve(SERIAL, listener, events);
        let _silent = TcpStream::connect(address).await.unwrap();
        assert!(matches!(queue.recv().await, Some(HostEvent::SerialConnected { .. })));
        // More than any socket buffer takes.
        for _ in 0..4096 {
            serial.send(Outgoing { connection: 1, bytes: vec![0; 4096] }).unwrap();
        }
        assert!(matches!(queue.recv().await, Some(HostEvent::Log { .. })));
        assert!(matches!(queue.recv().await, Some(HostEvent::Input(Input::SerialDisconnected(_)))));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outgoing_connection_is_made_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (events, mut queue) = events(EVENT_QUEUE);
        let _serial = connect(SERIAL, listener.local_addr().unwrap(), events);
        let began = tokio::time::Instant::now();
        for seconds in 0..4 {
            let (peer, _) = listener.accept().await.unwrap();
            assert_eq!(began.elapsed().as_secs(), seconds);
            assert!(matches!(queue.recv().await, Some(HostEvent::SerialConnected { .. })));
            drop(peer);
            assert!(matches!(queue.recv().await, Some(HostEvent::Input(Input::SerialDisconnected(_)))));
        }
    }
}
