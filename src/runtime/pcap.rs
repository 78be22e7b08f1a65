//! `--pcap`: what goes over LAN, in a file that Wireshark and tcpdump read.
//!
//! Records are collected in memory and written by a thread of their own, at the latest a
//! quarter of a second later and at the end. Neither a slow disk nor a full one holds up or
//! ends anything: what does not fit into memory is left out, and said once.

mod format;

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;

use crate::bmc::LogLevel;
use crate::host::{HostEvent, HostEvents};
use crate::ipmi::{Moment, Peer};
use crate::store::directory::message;

/// This much is handed over at once.
const PIECE: usize = 64 << 10;
/// This much may wait for the disk.
const QUEUE: usize = 16 << 20;
/// How long a record may stay in memory.
const LINGER: Duration = Duration::from_millis(250);
/// How many clients are known at once.
const KNOWN: usize = 1024;
/// The file holds what went over the wire, passwords of unprotected sessions included.
const MODE: u32 = 0o600;

/// A capture file being written.
#[derive(Debug)]
pub struct Capture {
    /// Records that have not been handed over, and when they have to be.
    collected: Vec<u8>,
    due: Option<Moment>,
    pieces: Sender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    /// Datagrams that were left out since the last one that was not.
    left_out: u64,
    written: oneshot::Receiver<()>,
    events: HostEvents,
    /// Under which of our addresses each client reaches us, where the socket has many.
    reached: HashMap<IpAddr, IpAddr>,
}

/// Opens a capture file: a new one for its owner only, or one that is there and is
/// overwritten. A named pipe is opened without waiting for its reader.
pub fn open(path: &Path) -> io::Result<File> {
    let pipe = std::fs::metadata(path).is_ok_and(|there| there.file_type().is_fifo());
    OpenOptions::new().read(pipe).write(true).create(!pipe).truncate(!pipe).mode(MODE).open(path)
}

impl Capture {
    /// Starts to write `file`; trouble is reported to `events`.
    pub fn start(file: File, name: String, events: HostEvents) -> io::Result<Self> {
        let (pieces, queue) = channel();
        let (done, written) = oneshot::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let (counter, reports) = (Arc::clone(&waiting), events.clone());
        thread::Builder::new().name("pcap".into()).spawn(move || {
            write_pieces(file, &name, &queue, &counter, &reports);
            let _ = done.send(());
        })?;
        let mut collected = Vec::with_capacity(PIECE);
        format::file_header(&mut collected);
        Ok(Self {
            collected,
            due: Some(Moment::default()),
            pieces,
            waiting,
            left_out: 0,
            written,
            events,
            reached: HashMap::new(),
        })
    }

    /// A datagram that came in.
    pub fn received(&mut self, now: Moment, from: &Peer, payload: &[u8]) {
        let to = self.own_address(from);
        self.record(now, canonical(from.address), to, payload);
    }

    /// A datagram that goes out.
    pub fn sent(&mut self, now: Moment, to: &Peer, payload: &[u8]) {
        let from = self.own_address(to);
        self.record(now, from, canonical(to.address), payload);
    }

    /// When [`flush`](Self::flush) wants to be called.
    pub fn deadline(&self) -> Option<Moment> {
        self.due
    }

    /// Hands over what was collected.
    pub fn flush(&mut self) {
        self.due = None;
        let piece = std::mem::replace(&mut self.collected, Vec::with_capacity(PIECE));
        self.waiting.fetch_add(piece.len(), Ordering::Relaxed);
        let _ = self.pieces.send(piece);
    }

    /// Writes everything, as long as it does not take too long.
    pub async fn close(mut self, limit: Duration) {
        self.flush();
        drop(self.pieces);
        let _ = tokio::time::timeout(limit, self.written).await;
    }

    fn record(&mut self, now: Moment, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        if self.waiting.load(Ordering::Relaxed) > QUEUE {
            self.left_out += 1;
            if self.left_out == 1 {
                self.tell("the capture file cannot be written fast enough: datagrams are left out".into());
            }
            return;
        }
        if self.left_out > 0 {
            self.tell(format!("{} datagrams were left out of the capture file", self.left_out));
            self.left_out = 0;
        }
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format::record(time, from, to, payload, &mut self.collected);
        if self.collected.len() >= PIECE {
            self.flush();
        } else {
            self.due.get_or_insert(now + LINGER);
        }
    }

    fn tell(&self, text: String) {
        // A log that is full already does without it.
        self.events.offer(HostEvent::Log { level: LogLevel::Warning, text });
    }

    /// Under which address a client knows us. Where that was not told (a datagram for everybody), the
    /// system knows how it would reach the client.
    fn own_address(&mut self, peer: &Peer) -> SocketAddr {
        let own = canonical(peer.local);
        if !own.ip().is_unspecified() {
            return own;
        }
        let client = canonical(peer.address);
        if self.reached.len() >= KNOWN {
            self.reached.clear();
        }
        let ip = *self.reached.entry(client.ip()).or_insert_with(|| {
            let any: IpAddr =
                if client.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            // Connecting a datagram socket sends nothing.
            let socket = UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(client).map(|()| socket));
            socket.and_then(|socket| socket.local_addr()).map_or(any, |address| address.ip())
        });
        SocketAddr::new(ip, own.port())
    }
}

/// An IPv4 address as such, also when it came through an IPv6 socket.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip if ip == address.ip() => address,
        ip => SocketAddr::new(ip, address.port()),
    }
}

/// Writes pieces until there are no more. After a failure the rest is thrown away.
fn write_pieces(mut file: File, name: &str, queue: &Receiver<Vec<u8>>, waiting: &AtomicUsize, events: &HostEvents) {
    let mut good = 0u64;
    let mut failed = false;
    for piece in queue {
        if !failed && let Err(error) = file.write_all(&piece) {
            failed = true;
            // Half a record would make the file unreadable; a pipe cannot take it back.
            let _ = file.set_len(good);
            let text = format!("{name} cannot be written: {}; the capture ends here", message(&error));
            events.wait_to_report(HostEvent::Log { level: LogLevel::Error, text });
        }
        good += piece.len() as u64;
        waiting.fetch_sub(piece.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{Queue, events};

    const NOW: Moment = Moment::new(Duration::from_secs(9));

    fn capture(path: &Path) -> (Capture, Queue) {
        let (events, told) = events(8);
        (Capture::start(open(path).unwrap(), path.display().to_string(), events).unwrap(), told)
    }

    fn peer(local: &str, address: &str) -> Peer {
        Peer { address: address.parse().unwrap(), local: local.parse().unwrap() }
    }

    fn log(event: Option<HostEvent>) -> String {
        match event {
            Some(HostEvent::Log { text, .. }) => text,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn records_are_written_when_they_are_due_and_at_the_end() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.pcap");
        std::fs::write(&path, "what was there before").unwrap();
        std::fs::remove_file(&path).unwrap();
        let (mut capture, _told) = capture(&path);
        let client = peer("127.0.0.1:623", "127.0.0.1:4000");
        // The header alone is worth a file.
        assert_eq!(capture.deadline(), Some(Moment::default()));
        capture.flush();
        assert_eq!(capture.deadline(), None);
        capture.received(NOW, &client, &[1, 2, 3]);
        capture.sent(NOW + Duration::from_millis(1), &client, &[4]);
        assert_eq!(capture.deadline(), Some(NOW + LINGER));
        capture.close(Duration::from_secs(10)).await;
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 24 + 2 * (16 + 28) + 4);
        // Ports of both directions.
        assert_eq!(bytes[60..64], [0x0f, 0xa0, 0x02, 0x6f]);
        assert_eq!(bytes[107..111], [0x02, 0x6f, 0x0f, 0xa0]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_socket_of_all_addresses_is_shown_under_the_one_the_client_uses() {
        let root = tempfile::tempdir().unwrap();
        let (mut capture, _told) = capture(&root.path().join("a"));
        for (local, client, own) in [
            ("0.0.0.0:623", "127.0.0.1:5", "127.0.0.1:623"),
            ("[::]:623", "[::ffff:127.0.0.1]:5", "127.0.0.1:623"),
            ("127.0.0.9:623", "127.0.0.1:5", "127.0.0.9:623"),
        ] {
            let own: SocketAddr = own.parse().unwrap();
            assert_eq!(capture.own_address(&peer(local, client)), own);
        }
    }

    #[tokio::test]
    async fn a_full_disk_is_told_once_and_disturbs_nobody() {
        let (mut capture, mut told) = capture(Path::new("/dev/full"));
        let client = peer("127.0.0.1:623", "127.0.0.1:4000");
        for _ in 0..3 {
            capture.received(NOW, &client, &[0; 100]);
            capture.flush();
        }
        assert_eq!(
            log(told.recv().await),
            "/dev/full cannot be written: No space left on device; the capture ends here"
        );
        capture.close(Duration::from_secs(10)).await;
        assert!(told.recv().await.is_none());
    }

    #[tokio::test]
    async fn a_reader_that_stands_still_costs_records_and_no_time() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let (mut capture, mut told) = capture(&path);
        let client = peer("127.0.0.1:623", "127.0.0.1:4000");
        for _ in 0..(QUEUE / 60_000 + 10) {
            capture.received(NOW, &client, &[0; 60_000]);
        }
        assert_eq!(log(told.try_recv().ok()), "the capture file cannot be written fast enough: datagrams are left out");
        capture.close(Duration::from_millis(1)).await;
    }
}
