//! Consoles and serial ports for tests of Serial over LAN: real clients on terminals of their own, a
//! console of the test's own that shows every byte, a machine behind a TCP port, and a bad network.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::process::{self, Captured, Guarded};
use super::pty::Pty;
use super::rmcp_client::{Response, RmcpClient};
use super::{Ipmitool, Simulator};

/// How long anything may take before a test gives up.
pub const LIMIT: Duration = Duration::from_secs(10);

const APP: u8 = 6 << 2;
const ACTIVATE_PAYLOAD: u8 = 0x48;
const DEACTIVATE_PAYLOAD: u8 = 0x49;
const INSTANCE: [u8; 6] = [1, 1, 0, 0, 0, 0];

/// A client on a terminal of its own.
pub struct Terminal {
    /// What the person sees and types on.
    pub terminal: Pty,
    /// The client.
    pub client: Guarded,
}

impl Terminal {
    /// Starts a client and waits until it says `ready`.
    #[track_caller]
    pub fn start(mut command: Command, debian_package: &str, ready: &str) -> Self {
        let terminal = Pty::new();
        command.stdin(terminal.stdio()).stdout(terminal.stdio()).stderr(terminal.stdio());
        let client = process::spawn(&mut command, debian_package);
        let started = Self { terminal, client };
        started.sees(ready);
        started
    }

    /// Waits until the client shows `text`.
    #[track_caller]
    pub fn sees(&self, text: &str) {
        assert!(self.terminal.wait_for(text, LIMIT), "`{text}` is not in {:?}", self.terminal.received.text());
    }

    /// Types what ends the client, and waits for its end.
    #[track_caller]
    pub fn end_with(mut self, keys: &str) {
        self.terminal.write(keys);
        self.ends();
    }

    /// Waits for the client's end.
    #[track_caller]
    pub fn ends(&mut self) {
        assert!(process::wait(&mut self.client.0, LIMIT).is_some(), "{}", self.terminal.received.text());
    }
}

/// `ipmitool sol activate` on a terminal of its own.
pub struct Console {
    /// What the person sees and types on.
    pub terminal: Pty,
    client: Guarded,
}

impl Console {
    /// Starts it, and types the first key.
    pub fn open(client: &Ipmitool) -> Self {
        let started = Terminal::start(client.command(&["sol", "activate"]), "ipmitool", "SOL Session operational");
        let Terminal { mut terminal, client } = started;
        // The original takes the first keystroke for a repetition (`sol.md` section 13).
        terminal.write("\r");
        thread::sleep(Duration::from_millis(100));
        Self { terminal, client }
    }

    /// Waits until it shows `text`.
    #[track_caller]
    pub fn sees(&self, text: &str) {
        assert!(self.terminal.wait_for(text, LIMIT), "`{text}` is not in {:?}", self.terminal.received.text());
    }

    /// Ends it as a person does.
    pub fn close(self) {
        Terminal { terminal: self.terminal, client: self.client }.end_with("\r~.");
    }
}

/// A server that stands for the serial port of a virtual machine: what it got so far, and
/// the connection, once there is one.
pub struct Machine {
    /// Where it listens.
    pub port: u16,
    connection: std::sync::mpsc::Receiver<(TcpStream, Captured)>,
}

impl Machine {
    /// Listens for one connection.
    pub fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a server");
        let port = listener.local_addr().expect("its address").port();
        let (send, connection) = std::sync::mpsc::channel();
        thread::spawn(move || {
            if let Ok((stream, _)) = listener.accept() {
                let captured = Captured::from(stream.try_clone().expect("a second handle"));
                let _ = send.send((stream, captured));
            }
        });
        Self { port, connection }
    }

    /// The connection.
    pub fn connected(&self) -> (TcpStream, Captured) {
        self.connection.recv_timeout(LIMIT).expect("the simulator connects")
    }
}

/// A machine that sends back what it is sent, on every connection; or keeps what it got. It may go
/// away and come back.
pub struct EchoingMachine {
    /// Where it listens.
    pub port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl EchoingMachine {
    /// Listens at a port of the loopback address, 0 for any.
    pub fn at(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a server");
        let port = listener.local_addr().expect("its address").port();
        listener.set_nonblocking(true).expect("a setting");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut streams: Vec<TcpStream> = Vec::new();
            let mut piece = [0; 4096];
            while !stopped.load(Ordering::Relaxed) {
                if let Ok((stream, _)) = listener.accept() {
                    stream.set_read_timeout(Some(Duration::from_millis(5))).expect("a time limit");
                    streams.push(stream);
                }
                streams.retain_mut(|stream| match stream.read(&mut piece) {
                    Ok(0) => false,
                    Ok(count) => stream.write_all(&piece[..count]).is_ok(),
                    Err(why) => matches!(why.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
                });
                if streams.is_empty() {
                    thread::sleep(Duration::from_millis(5));
                }
            }
        });
        Self { port, stop, thread: Some(thread) }
    }
}

impl Drop for EchoingMachine {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Activate Payload: the data of the response, or the completion code.
pub fn activate(client: &mut RmcpClient) -> Result<Vec<u8>, u8> {
    command(client, ACTIVATE_PAYLOAD)
}

/// Deactivate Payload.
pub fn deactivate(client: &mut RmcpClient) -> Result<Vec<u8>, u8> {
    command(client, DEACTIVATE_PAYLOAD)
}

fn command(client: &mut RmcpClient, cmd: u8) -> Result<Vec<u8>, u8> {
    match client.request(APP, cmd, &INSTANCE) {
        Response::Answer(answer) if answer.first() == Some(&0) => Ok(answer[1..].to_vec()),
        Response::Answer(answer) => Err(answer[0]),
        other => panic!("{other:?}"),
    }
}

/// A console of the test's own: acknowledges every packet, sends one at a time, sends again what is
/// not acknowledged.
pub struct SolConsole {
    /// Its session.
    pub client: RmcpClient,
    /// How long it waits for an acknowledgement.
    pub resend: Duration,
    /// The status byte of the last packet.
    pub status: u8,
    sequence: u8,
    received: u8,
    down: Vec<u8>,
    up: usize,
    outstanding: Option<(Vec<u8>, Instant)>,
}

impl SolConsole {
    /// Activates SOL in a session.
    pub fn activate(mut client: RmcpClient) -> Result<Self, u8> {
        activate(&mut client)?;
        Ok(Self::of_active(client))
    }

    /// Takes over a session in which SOL has just been activated.
    pub fn of_active(client: RmcpClient) -> Self {
        Self {
            client,
            resend: Duration::from_secs(1),
            status: 0,
            sequence: 0,
            received: 0,
            down: Vec::new(),
            up: 0,
            outstanding: None,
        }
    }

    /// Starts anew after another activation in the same session.
    pub fn restart(&mut self) {
        (self.sequence, self.received, self.outstanding) = (0, 0, None);
    }

    /// Types `text`, and reads until `down` bytes have come; what came.
    #[track_caller]
    pub fn run(&mut self, down: usize, text: &[u8], limit: Duration) -> Vec<u8> {
        let end = Instant::now() + limit;
        self.up = 0;
        while self.down.len() < down || self.up < text.len() {
            let now = Instant::now();
            assert!(now < end, "{} of {down} bytes came, {} of {} went", self.down.len(), self.up, text.len());
            match &mut self.outstanding {
                Some((packet, since)) if since.elapsed() >= self.resend => {
                    *since = now;
                    let packet = packet.clone();
                    self.client.send_sol(&packet);
                }
                None if self.up < text.len() => {
                    self.sequence = self.sequence % 15 + 1;
                    let piece = &text[self.up..text.len().min(self.up + 246)];
                    let packet = [&[self.sequence, 0, 0, 0], piece].concat();
                    self.client.send_sol(&packet);
                    self.outstanding = Some((packet, now));
                }
                _ => {}
            }
            let wait = self.outstanding.as_ref().map_or(end, |(_, since)| *since + self.resend);
            if let Some(packet) = self.client.receive_sol(wait.min(end)) {
                self.take(&packet);
            }
        }
        std::mem::take(&mut self.down)
    }

    /// What comes in so much time.
    pub fn read_for(&mut self, time: Duration) -> Vec<u8> {
        let end = Instant::now() + time;
        while let Some(packet) = self.client.receive_sol(end) {
            self.take(&packet);
        }
        std::mem::take(&mut self.down)
    }

    fn take(&mut self, packet: &[u8]) {
        let [sequence, acknowledged, accepted, status, data @ ..] = packet else { panic!("{packet:02x?}") };
        self.status = *status;
        if self.outstanding.is_some() && *acknowledged == self.sequence {
            self.outstanding = None;
            self.up += usize::from(*accepted);
        }
        if *sequence == self.received % 15 + 1 {
            self.received = *sequence;
            self.down.extend_from_slice(data);
        }
        // A late copy of an older packet is nobody's any more.
        if *sequence != 0 && *sequence == self.received {
            self.client.send_sol(&[0, *sequence, data.len() as u8, 0]);
        }
    }
}

/// Carries datagrams between one client and a server; in bad weather it loses some, doubles some and
/// lets others overtake some.
pub struct Relay {
    /// Where clients find it.
    pub port: u16,
    bad: Arc<AtomicU8>,
    stop: Arc<AtomicBool>,
}

impl Relay {
    /// A relay in good weather.
    pub fn new(to: u16) -> Self {
        let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let back = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        back.connect((Ipv4Addr::LOCALHOST, to)).expect("a destination");
        let port = front.local_addr().expect("its address").port();
        let (bad, stop) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicBool::new(false)));
        for socket in [&front, &back] {
            socket.set_read_timeout(Some(Duration::from_millis(5))).expect("a time limit");
        }
        let client = Arc::new(std::sync::Mutex::new(None));
        for (up, seed) in [(true, 1), (false, 2)] {
            let (front, back) = (front.try_clone().expect("a handle"), back.try_clone().expect("a handle"));
            let (bad, stop, client) = (Arc::clone(&bad), Arc::clone(&stop), Arc::clone(&client));
            thread::spawn(move || {
                let mut dice = StdRng::seed_from_u64(seed);
                let mut late: Option<Vec<u8>> = None;
                let mut datagram = [0; 2048];
                let send = |bytes: &[u8]| {
                    let _ = if up {
                        back.send(bytes)
                    } else {
                        let client = *client.lock().expect("the client's address");
                        client.map_or(Ok(0), |client| front.send_to(bytes, client))
                    };
                };
                while !stop.load(Ordering::Relaxed) {
                    let got = if up {
                        front.recv_from(&mut datagram).map(|(count, from)| {
                            *client.lock().expect("the client's address") = Some(from);
                            count
                        })
                    } else {
                        back.recv(&mut datagram)
                    };
                    if let Ok(count) = got {
                        let bytes = &datagram[..count];
                        let chance = bad.load(Ordering::Relaxed);
                        match dice.random_range(0..100) {
                            roll if roll < chance => {}
                            roll if roll < 2 * chance => {
                                send(bytes);
                                send(bytes);
                            }
                            roll if roll < 3 * chance && late.is_none() => {
                                late = Some(bytes.to_vec());
                                continue;
                            }
                            _ => send(bytes),
                        }
                    }
                    if let Some(bytes) = late.take() {
                        send(&bytes);
                    }
                }
            });
        }
        Self { port, bad, stop }
    }

    /// So many in a hundred datagrams are lost, as many doubled, as many overtaken.
    pub fn weather(&self, percent: u8) {
        self.bad.store(percent, Ordering::Relaxed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// How many descriptors a simulator has open.
pub fn descriptors(simulator: &Simulator) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", simulator.pid())).expect("its descriptors").count()
}
