//! A relay between clients and a BMC: the network in between, with its weather, and a
//! recorder of everything that passes.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// What happens to datagrams on their way, each direction alike.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// How many of a hundred are lost.
    pub lost: u32,
    /// How many of a hundred come twice.
    pub doubled: u32,
    /// Each is held back for up to so long, so that they overtake each other.
    pub held: Duration,
}

/// Where a datagram was going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a client to the BMC.
    Asked,
    /// From the BMC to a client.
    Answered,
}

/// A datagram that was sent, whether it arrived or not.
#[derive(Clone, Debug)]
pub struct Passed {
    /// When.
    pub at: SystemTime,
    /// Where to.
    pub direction: Direction,
    /// The client.
    pub client: SocketAddr,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// A running relay; dropping it ends it.
pub struct Relay {
    /// Its port, on 127.0.0.1.
    pub port: u16,
    passed: Arc<Mutex<Vec<Passed>>>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// A relay on `port` of 127.0.0.1 (0: any) to the BMC on port `bmc`. The same seed makes
    /// the same weather.
    pub fn start(port: u16, bmc: u16, weather: Weather, seed: u64) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).expect("the relay's port");
        socket.set_nonblocking(true).expect("a socket that does not block");
        let port = socket.local_addr().expect("its address").port();
        let passed = Arc::new(Mutex::new(Vec::new()));
        let end = Arc::new(AtomicBool::new(false));
        let network = Network {
            socket,
            bmc: SocketAddr::from((Ipv4Addr::LOCALHOST, bmc)),
            ways: HashMap::new(),
            weather,
            dice: StdRng::seed_from_u64(seed),
            held: Vec::new(),
            passed: passed.clone(),
        };
        let ended = end.clone();
        let thread = std::thread::spawn(move || network.run(&ended));
        Self { port, passed, end, thread: Some(thread) }
    }

    fn passed(&self) -> MutexGuard<'_, Vec<Passed>> {
        self.passed.lock().expect("the record")
    }

    /// Everything that was sent since this was asked last.
    pub fn take(&self) -> Vec<Passed> {
        std::mem::take(&mut *self.passed())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A datagram that is held back.
struct Held {
    due: Instant,
    direction: Direction,
    client: SocketAddr,
    bytes: Vec<u8>,
}

struct Network {
    socket: UdpSocket,
    bmc: SocketAddr,
    /// One socket per client, so that the BMC sees as many addresses as there are.
    ways: HashMap<SocketAddr, UdpSocket>,
    weather: Weather,
    dice: StdRng,
    held: Vec<Held>,
    passed: Arc<Mutex<Vec<Passed>>>,
}

impl Network {
    fn run(mut self, end: &AtomicBool) {
        let mut buffer = [0; 2048];
        while !end.load(Ordering::Relaxed) {
            self.wait();
            while let Ok((count, client)) = self.socket.recv_from(&mut buffer) {
                self.pass(Direction::Asked, client, &buffer[..count]);
            }
            let clients: Vec<_> = self.ways.keys().copied().collect();
            for client in clients {
                while let Some(Ok(count)) = self.ways.get(&client).map(|way| way.recv(&mut buffer)) {
                    self.pass(Direction::Answered, client, &buffer[..count]);
                }
            }
            let now = Instant::now();
            while let Some(at) = self.held.iter().position(|held| held.due <= now) {
                let held = self.held.remove(at);
                self.deliver(&held);
            }
        }
    }

    /// Until something arrives or is due.
    fn wait(&self) {
        let now = Instant::now();
        let due = self.held.iter().map(|held| held.due.saturating_duration_since(now)).min();
        let limit = due.unwrap_or(Duration::from_millis(50)).as_millis() as u16;
        let sockets = std::iter::once(&self.socket).chain(self.ways.values());
        let mut descriptors: Vec<_> = sockets.map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        let _ = poll(&mut descriptors, PollTimeout::from(limit));
    }

    fn pass(&mut self, direction: Direction, client: SocketAddr, bytes: &[u8]) {
        let bmc = self.bmc;
        self.ways.entry(client).or_insert_with(|| {
            let way = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a way to the BMC");
            way.connect(bmc).expect("a way to the BMC");
            way.set_nonblocking(true).expect("a socket that does not block");
            way
        });
        let sent = Passed { at: SystemTime::now(), direction, client, bytes: bytes.to_vec() };
        self.passed.lock().expect("the record").push(sent);
        if self.dice.random_range(0..100) < self.weather.lost {
            return;
        }
        let copies = if self.dice.random_range(0..100) < self.weather.doubled { 2 } else { 1 };
        for _ in 0..copies {
            let wait = self.weather.held.mul_f64(self.dice.random());
            let held = Held { due: Instant::now() + wait, direction, client, bytes: bytes.to_vec() };
            if self.weather.held.is_zero() { self.deliver(&held) } else { self.held.push(held) }
        }
    }

    fn deliver(&self, held: &Held) {
        let _ = match held.direction {
            Direction::Asked => self.ways.get(&held.client).map(|way| way.send(&held.bytes)),
            Direction::Answered => Some(self.socket.send_to(&held.bytes, held.client)),
        };
    }
}

/// Writes datagrams as a capture file (pcap, raw IPv4), the BMC on port 623 where analysers
/// look for it.
pub fn write_capture(file: &Path, datagrams: &[Passed]) {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 0xffff, 101] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for datagram in datagrams {
        let (from, to) = match datagram.direction {
            Direction::Asked => (datagram.client.port(), 623),
            Direction::Answered => (623, datagram.client.port()),
        };
        let length = 28 + datagram.bytes.len() as u16;
        let mut packet = vec![0x45, 0];
        packet.extend_from_slice(&length.to_be_bytes());
        // No fragments, 64 hops, UDP; a checksum of 0 is one that was left to the hardware.
        packet.extend_from_slice(&[0, 0, 0x40, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        packet.extend_from_slice(&from.to_be_bytes());
        packet.extend_from_slice(&to.to_be_bytes());
        packet.extend_from_slice(&(length - 20).to_be_bytes());
        packet.extend_from_slice(&[0, 0]);
        packet.extend_from_slice(&datagram.bytes);
        let at = datagram.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        for word in [at.as_secs() as u32, at.subsec_micros(), packet.len() as u32, packet.len() as u32] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&packet);
    }
    std::fs::write(file, out).expect("a capture file");
}
