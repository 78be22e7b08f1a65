//! Byte streams of consoles: TCP connections (`process.md` section 5).
//!
//! Owns the listening socket and one task per connection. Input is handed over piece by
//! piece, the next only when the last was used up, so a client that types faster than its
//! commands run is held back; one that does not read is closed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::console::GREETING;
use crate::host::duplex::{Reading, Step, step};
use crate::host::tcp;
use crate::sim::ConsoleId;

/// The console on standard input and output.
pub const STANDARD: ConsoleId = ConsoleId(0);
/// How many events may wait.
pub const EVENT_QUEUE: usize = 32;
/// Most clients at a time; others are turned away. Each costs a descriptor, and those that
/// are forgotten open must not take the last one from state files and programs.
const MOST_CLIENTS: usize = 64;
/// Most bytes queued for a console that does not read.
pub(super) const QUEUE: usize = 1 << 20;
/// How long a client may take to read what is left when its console is closed.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How much is read at once.
pub(super) const PIECE: usize = 1024;

/// What happened on the consoles.
#[derive(Debug)]
pub enum ConsoleEvent {
    /// A client connected; the greeting is sent.
    Opened(ConsoleId, ConsoleWriter),
    /// Input. The next comes after [`ConsoleWriter::more`].
    Input(ConsoleId, Vec<u8>),
    /// End of input, or the connection is lost.
    Ended(ConsoleId),
}

/// What a console is told.
#[derive(Debug)]
pub(super) enum Command {
    Write(Vec<u8>),
    More,
    /// Write what is queued, then close.
    Close,
}

/// What waits to be written. Each piece goes out in a write of its own: programs at a console read
/// as much as there is, and OpenIPMI's own look for the prompt only where a read begins.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// The piece being written.
    pub(super) piece: VecDeque<u8>,
    later: VecDeque<Vec<u8>>,
}

impl Outgoing {
    /// Puts a piece behind the others.
    pub(super) fn push(&mut self, bytes: Vec<u8>) {
        if self.piece.is_empty() {
            self.piece = bytes.into();
        } else {
            self.later.push_back(bytes);
        }
    }

    /// So much was written.
    pub(super) fn sent(&mut self) {
        if self.piece.is_empty()
            && let Some(next) = self.later.pop_front()
        {
            self.piece = next.into();
        }
    }

    /// Whether everything is written.
    pub(super) fn is_empty(&self) -> bool {
        self.piece.is_empty()
    }

    /// Forgets everything, and gives its length.
    pub(super) fn clear(&mut self) -> usize {
        let count = self.piece.len() + self.later.iter().map(Vec::len).sum::<usize>();
        *self = Self::default();
        count
    }
}

/// The way to a console.
#[derive(Clone, Debug)]
pub struct ConsoleWriter {
    commands: UnboundedSender<Command>,
    queued: Arc<AtomicUsize>,
}

impl ConsoleWriter {
    pub(super) fn new() -> (Self, UnboundedReceiver<Command>) {
        let (commands, queue) = mpsc::unbounded_channel();
        (Self { commands, queued: Arc::default() }, queue)
    }

    /// The count of bytes on their way, for the task that writes them.
    pub(super) fn queued(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.queued)
    }

    /// Writes bytes, sometime. Says whether there was room for them.
    pub fn write(&self, bytes: Vec<u8>) -> bool {
        if bytes.is_empty() {
            return true;
        }
        if self.queued.load(Ordering::Relaxed) > QUEUE {
            return false;
        }
        self.queued.fetch_add(bytes.len(), Ordering::Relaxed);
        self.commands.send(Command::Write(bytes)).is_ok()
    }

    /// Asks for the next piece of input.
    pub fn more(&self) {
        let _ = self.commands.send(Command::More);
    }

    /// Closes the console when everything is written.
    pub fn close(&self) {
        let _ = self.commands.send(Command::Close);
    }

    /// Waits until everything is written and the console is closed.
    pub async fn closed(&self) {
        self.commands.closed().await;
    }
}

/// Accepts clients, `MOST_CLIENTS` at a time. Their numbers begin with 1.
pub fn serve(listener: TcpListener, events: mpsc::Sender<ConsoleEvent>) {
    tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(MOST_CLIENTS));
        let mut number = STANDARD.0;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    // Without a place the client is turned away: it is closed at once.
                    let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                    number += 1;
                    let connection = connection(ConsoleId(number), stream, events.clone());
                    tokio::spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                // Out of descriptors, most likely: it stays in the backlog meanwhile.
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    });
}

async fn connection(id: ConsoleId, mut stream: TcpStream, events: mpsc::Sender<ConsoleEvent>) {
    let _ = stream.set_nodelay(true);
    tcp::notice_a_peer_that_vanishes(&stream);
    let (writer, mut commands) = ConsoleWriter::new();
    let queued = writer.queued();
    let mut outgoing = Outgoing::default();
    queued.fetch_add(GREETING.len(), Ordering::Relaxed);
    outgoing.push(GREETING.to_vec());
    if events.send(ConsoleEvent::Opened(id, writer)).await.is_err() {
        return;
    }
    let mut buffer = [0; PIECE];
    let mut reading = Reading::On;
    loop {
        match step(&mut stream, reading, &mut buffer, &mut outgoing.piece, &mut commands).await {
            Step::Command(Command::Write(bytes)) => outgoing.push(bytes),
            Step::Command(Command::More) => reading = Reading::On,
            Step::Command(Command::Close) => {
                // A client that does not read loses the rest.
                let rest = async {
                    while !outgoing.is_empty() && stream.write_all(outgoing.piece.make_contiguous()).await.is_ok() {
                        outgoing.piece.clear();
                        outgoing.sent();
                    }
                };
                let _ = tokio::time::timeout(LAST_WORDS, rest).await;
                break;
            }
            Step::Received(count) => {
                reading = Reading::Off;
                let bytes = buffer.get(..count).unwrap_or_default().to_vec();
                if events.send(ConsoleEvent::Input(id, bytes)).await.is_err() {
                    return;
                }
            }
            Step::Sent(count) => {
                queued.fetch_sub(count, Ordering::Relaxed);
                outgoing.sent();
            }
            Step::Abandoned | Step::Ended | Step::Failed(_) => break,
        }
    }
    let _ = stream.shutdown().await;
    let _ = events.send(ConsoleEvent::Ended(id)).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    async fn open() -> (TcpStream, mpsc::Receiver<ConsoleEvent>, ConsoleWriter) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (events, mut queue) = mpsc::channel(EVENT_QUEUE);
        serve(listener, events);
        let client = TcpStream::connect(address).await.unwrap();
        let Some(ConsoleEvent::Opened(ConsoleId(1), writer)) = queue.recv().await else { panic!() };
        (client, queue, writer)
    }

    #[tokio::test]
    async fn a_client_is_greeted_and_its_input_comes_when_asked_for() {
        let (mut client, mut events, writer) = open().await;
        let mut greeting = [0; 9];
        client.read_exact(&mut greeting).await.unwrap();
        assert_eq!(greeting, GREETING);
        client.write_all(b"one").await.unwrap();
        assert!(matches!(events.recv().await, Some(ConsoleEvent::Input(ConsoleId(1), bytes)) if bytes == b"one"));
        client.write_all(b"two").await.unwrap();
        assert!(writer.write(b"reply".to_vec()));
        let mut response = [0; 5];
        client.read_exact(&mut response).await.unwrap();
        assert!(events.try_recv().is_err(), "nobody asked for more");
        writer.more();
        assert!(matches!(events.recv().await, Some(ConsoleEvent::Input(_, bytes)) if bytes == b"two"));
        drop(client);
        writer.more();
        assert!(matches!(events.recv().await, Some(ConsoleEvent::Ended(ConsoleId(1)))));
    }

    #[tokio::test]
    async fn closing_comes_after_the_last_byte() {
        let (mut client, _events, writer) = open().await;
        writer.write(vec![b'x'; 100_000]);
        writer.close();
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.unwrap();
        assert_eq!(all.len(), GREETING.len() + 100_000);
        writer.closed().await;
    }

    #[tokio::test]
    async fn a_crowd_of_clients_is_turned_away_until_a_place_is_free() {
        let listener = crate::host::tcp::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (events, mut queue) = mpsc::channel(EVENT_QUEUE);
        serve(listener, events);
        let mut clients = Vec::new();
        let mut writers = Vec::new();
        for _ in 0..MOST_CLIENTS {
            clients.push(TcpStream::connect(address).await.unwrap());
            let Some(ConsoleEvent::Opened(_, writer)) = queue.recv().await else { panic!() };
            writers.push(writer);
        }
        let mut late = TcpStream::connect(address).await.unwrap();
        assert_eq!(late.read(&mut [0; 16]).await.unwrap(), 0);
        drop(clients.swap_remove(0));
        assert!(matches!(queue.recv().await, Some(ConsoleEvent::Ended(ConsoleId(1)))));
        // The place is free a moment later.
        tokio::task::yield_now().await;
        let mut late = TcpStream::connect(address).await.unwrap();
        let mut greeting = [0; 9];
        late.read_exact(&mut greeting).await.unwrap();
        assert_eq!(greeting, GREETING);
        assert!(matches!(queue.recv().await, Some(ConsoleEvent::Opened(ConsoleId(65), _))));
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_noticed() {
        let (_client, _events, writer) = open().await;
        let mut room = true;
        for _ in 0..100 {
            room &= writer.write(vec![b'x'; 100_000]);
        }
        assert!(!room);
    }
}
