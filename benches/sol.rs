//! How fast Serial over LAN is: a console of its own in front, a TCP server as the serial port
//! behind, and a simulator between them.
//!
//! ```text
//! cargo bench --bench sol -- LAN-PORT SERIAL-PORT [option value]...
//!
//!   pid N        a process whose processor time is counted          none
//!   bytes N      how many bytes go down, and then up                1048576
//!   echoes N     single keystrokes that are echoed                  2000
//!   suite N      cipher suite                                       3
//!   user NAME    and password WORD                                  admin, admin
//! ```
//!
//! Listens on SERIAL-PORT of the loopback address, which the simulator's `sol "tcp:127.0.0.1:SERIAL-PORT"
//! 115200` leads to; the simulator may be started before or after. Sends packets as large as Activate
//! Payload allows, one at a time. Every byte value occurs, and what arrives is compared with what was
//! sent. Prints one value a line:
//!
//! ```text
//! down-bytes-per-second N       from the port to the console
//! up-bytes-per-second N         from the console to the port
//! both-bytes-per-second N       down, while a quarter as much goes up
//! echo-p50-us N                 a keystroke to the port and back
//! echo-p99-us N
//! packets-down N
//! sent-again N                  packets the console sent again because nobody acknowledged them
//! cpu-ms-down N                 processor time of the process for all bytes down
//! cpu-ms-up N                   and up
//! ```

mod client;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use client::{ADMINISTRATOR, Client, GET_DEVICE_ID, Received, Result, SET_SESSION_PRIVILEGE_LEVEL};
use ipmi_sim::wire::sol::Packet;

const ACTIVATE_PAYLOAD: u8 = 0x48;
const DEACTIVATE_PAYLOAD: u8 = 0x49;
const CLOSE_SESSION: u8 = 0x3c;
/// SOL, instance 1, four auxiliary bytes.
const INSTANCE: [u8; 6] = [1, 1, 0, 0, 0, 0];
/// How long an acknowledgement may take before a packet is sent again.
const RESEND: Duration = Duration::from_secs(1);
/// How long a simulator may take to start.
const START: Duration = Duration::from_secs(5);
/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(30);
/// The original takes packets of IPMI messages to keep a session alive, not packets of SOL.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

struct Options {
    lan: u16,
    serial: u16,
    pid: Option<u32>,
    bytes: usize,
    echoes: usize,
    suite: u8,
    user: String,
    password: String,
}

impl Options {
    fn from_command_line() -> Result<Self> {
        // `cargo bench` adds an argument of its own.
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        let mut port = || words.next().ok_or("which ports? see the top of benches/sol.rs");
        let (lan, serial) = (port()?.parse()?, port()?.parse()?);
        let mut options = Self {
            lan,
            serial,
            pid: None,
            bytes: 1 << 20,
            echoes: 2000,
            suite: 3,
            user: "admin".into(),
            password: "admin".into(),
        };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} what?"))?;
            match name.as_str() {
                "pid" => options.pid = Some(value.parse()?),
                "bytes" => options.bytes = value.parse()?,
                "echoes" => options.echoes = value.parse()?,
                "suite" => options.suite = value.parse()?,
                "user" => options.user = value,
                "password" => options.password = value,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(options)
    }
}

/// Every byte value, in an order that shows what is missing or doubled.
fn pattern(count: usize) -> Vec<u8> {
    let mut state = 1u32;
    let step = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*state >> 24) as u8
    };
    std::iter::repeat_with(|| step(&mut state)).take(count).collect()
}

/// A console that is activated.
struct Console {
    socket: UdpSocket,
    client: Client,
    datagram: Vec<u8>,
    /// Most characters in a packet to the BMC.
    room: usize,
    /// Sequence number of the packet sent last, and of the one received last.
    sequence: u8,
    received: u8,
    down: Vec<u8>,
    outstanding: Option<(Vec<u8>, Instant)>,
    /// Acknowledged so far.
    up: usize,
    packets: usize,
    sent_again: usize,
    alive: Instant,
}

impl Console {
    fn open(options: &Options) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect((Ipv4Addr::LOCALHOST, options.lan))?;
        socket.set_read_timeout(Some(RESEND))?;
        let client = Client::login(options.suite, &options.user, &options.password, |datagram| {
            let mut answer = vec![0; 1024];
            socket.send(datagram)?;
            let length = socket.recv(&mut answer).map_err(|error| format!("no answer to a login: {error}"))?;
            answer.truncate(length);
            Ok(answer)
        })?;
        let mut console = Self {
            socket,
            client,
            datagram: Vec::new(),
            room: 0,
            sequence: 0,
            received: 0,
            down: Vec::new(),
            outstanding: None,
            up: 0,
            packets: 0,
            sent_again: 0,
            alive: Instant::now(),
        };
        console.command(SET_SESSION_PRIVILEGE_LEVEL, &[ADMINISTRATOR])?;
        let activated = console.command(ACTIVATE_PAYLOAD, &INSTANCE)?;
        let size = activated.get(4..6).and_then(|size| size.try_into().ok()).ok_or("a short answer to Activate")?;
        // The original announces 32, the characters it takes, and not the packet with its header.
        let size = usize::from(u16::from_le_bytes(size));
        console.room = if size == 32 { 32 } else { size.saturating_sub(4).min(255) };
        Ok(console)
    }

    /// Sends a command and waits for its answer.
    fn command(&mut self, cmd: u8, data: &[u8]) -> Result<Vec<u8>> {
        self.client.request(0, cmd, data, &mut self.datagram);
        self.socket.send(&self.datagram)?;
        let end = Instant::now() + RESEND;
        while Instant::now() < end {
            if let Some(answer) = self.receive()? {
                return Ok(answer);
            }
        }
        Err(format!("no answer to command {cmd:#04x}").into())
    }

    fn send(&mut self, packet: &[u8]) -> Result<()> {
        self.client.sol(packet, &mut self.datagram);
        self.socket.send(&self.datagram)?;
        Ok(())
    }

    /// Takes one datagram, if one is there; acknowledges what came from the port. An answer to a
    /// command is returned.
    fn receive(&mut self) -> Result<Option<Vec<u8>>> {
        let mut datagram = [0; 1024];
        let length = match self.socket.recv(&mut datagram) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
            length => length?,
        };
        let (sequence, count);
        match self.client.receive(&mut datagram[..length])? {
            Received::Answer { data, .. } => return Ok(Some(data.to_vec())),
            Received::Sol(bytes) => {
                let packet = Packet::parse(bytes)?;
                if packet.sequence != 0 {
                    self.packets += 1;
                    if packet.sequence != self.received {
                        self.down.extend_from_slice(packet.data);
                        self.received = packet.sequence;
                    }
                }
                if self.outstanding.is_some() && packet.acknowledged == self.sequence {
                    // What was not taken goes under the next number at once, NACK or not: the original
                    // refuses what does not fit into its 32 bytes, which are free again in a moment.
                    self.up += usize::from(packet.accepted);
                    self.outstanding = None;
                }
                (sequence, count) = (packet.sequence, packet.data.len() as u8);
            }
        }
        if sequence != 0 {
            self.send(&[0, sequence, count, 0])?;
        }
        Ok(None)
    }

    /// Types the next packet of `text` if none is outstanding.
    fn type_next(&mut self, text: &[u8]) -> Result<()> {
        if let Some((packet, since)) = &mut self.outstanding {
            if since.elapsed() >= RESEND {
                *since = Instant::now();
                self.sent_again += 1;
                let packet = packet.clone();
                self.send(&packet)?;
            }
            return Ok(());
        }
        if self.up < text.len() {
            let end = text.len().min(self.up + self.room);
            self.sequence = self.sequence % 15 + 1;
            let mut packet = vec![self.sequence, 0, 0, 0];
            packet.extend_from_slice(&text[self.up..end]);
            self.send(&packet)?;
            self.outstanding = Some((packet, Instant::now()));
        }
        Ok(())
    }

    /// Goes on until `down` bytes have come and `text` is typed.
    fn run(&mut self, down: usize, text: &[u8]) -> Result<()> {
        self.down.clear();
        self.up = 0;
        let mut moved = Instant::now();
        while self.down.len() < down || self.up < text.len() {
            self.type_next(text)?;
            let before = (self.down.len(), self.up);
            self.receive()?;
            if (self.down.len(), self.up) != before {
                moved = Instant::now();
            } else if moved.elapsed() > PATIENCE {
                return Err(
                    format!("it stands still: {} of {down} down, {} of {} up", before.0, before.1, text.len()).into()
                );
            }
            if self.alive.elapsed() > KEEP_ALIVE {
                self.alive = Instant::now();
                self.client.request(1, GET_DEVICE_ID, &[], &mut self.datagram);
                self.socket.send(&self.datagram)?;
            }
        }
        Ok(())
    }
}

/// The port: writes what it is given, or echoes, or collects.
struct Port {
    stream: TcpStream,
    collected: mpsc::Receiver<Vec<u8>>,
    echo: Arc<AtomicBool>,
}

impl Port {
    fn accept(listener: &TcpListener) -> Result<Self> {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let (send, collected) = mpsc::channel();
        let echo = Arc::new(AtomicBool::new(false));
        let (mut reading, mut writing, echoing) = (stream.try_clone()?, stream.try_clone()?, Arc::clone(&echo));
        thread::spawn(move || {
            let mut piece = vec![0; 1 << 16];
            while let Ok(count @ 1..) = reading.read(&mut piece) {
                let sent = if echoing.load(Ordering::Relaxed) {
                    writing.write_all(&piece[..count]).is_ok()
                } else {
                    send.send(piece[..count].to_vec()).is_ok()
                };
                if !sent {
                    return;
                }
            }
        });
        Ok(Self { stream, collected, echo })
    }

    /// Waits for `count` bytes.
    fn take(&self, count: usize) -> Result<Vec<u8>> {
        let mut all = Vec::with_capacity(count);
        while all.len() < count {
            all.extend(self.collected.recv_timeout(PATIENCE)?);
        }
        Ok(all)
    }

    /// Writes beside everything else.
    fn write(&self, bytes: &[u8]) -> Result<()> {
        let (mut stream, bytes) = (self.stream.try_clone()?, bytes.to_vec());
        thread::spawn(move || stream.write_all(&bytes));
        Ok(())
    }
}

/// Processor time of all living threads of a process.
fn processor_time(pid: Option<u32>) -> Result<Duration> {
    let Some(pid) = pid else { return Ok(Duration::ZERO) };
    let mut total = Duration::ZERO;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // Nanoseconds on a processor, nanoseconds waiting for one, time slices.
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        let on_processor = text.split_whitespace().next().ok_or("no schedstat")?;
        total += Duration::from_nanos(on_processor.parse()?);
    }
    Ok(total)
}

fn equal(what: &str, wanted: &[u8], seen: &[u8]) -> Result<()> {
    match wanted.iter().zip(seen).position(|(a, b)| a != b) {
        None if wanted.len() == seen.len() => Ok(()),
        None => Err(format!("{what}: {} bytes instead of {}", seen.len(), wanted.len()).into()),
        Some(at) => Err(format!("{what}: byte {at} is another").into()),
    }
}

fn measure(options: &Options) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.serial))?;
    let port = Port::accept(&listener)?;
    // The original opens the serial port before it listens.
    let start = Instant::now();
    let mut console = loop {
        match Console::open(options) {
            Err(_) if start.elapsed() < START => thread::sleep(Duration::from_millis(50)),
            opened => break opened?,
        }
    };
    let text = pattern(options.bytes);
    let speed = |bytes: usize, since: Instant| bytes as f64 / since.elapsed().as_secs_f64();

    // The first packet: the original may take it for one of the session before, and lose it.
    console.run(0, b"\r")?;
    let _ = port.collected.recv_timeout(Duration::from_millis(200));

    let (before, since) = (processor_time(options.pid)?, Instant::now());
    port.write(&text)?;
    console.run(text.len(), &[])?;
    println!("down-bytes-per-second {:.0}", speed(text.len(), since));
    let cpu_down = processor_time(options.pid)?.saturating_sub(before);
    equal("down", &text, &console.down)?;
    let packets = console.packets;

    let (before, since) = (processor_time(options.pid)?, Instant::now());
    console.run(0, &text)?;
    let typed = port.take(text.len())?;
    println!("up-bytes-per-second {:.0}", speed(text.len(), since));
    let cpu_up = processor_time(options.pid)?.saturating_sub(before);
    equal("up", &text, &typed)?;

    let quarter = &text[..text.len() / 4];
    let since = Instant::now();
    port.write(&text)?;
    console.run(text.len(), quarter)?;
    println!("both-bytes-per-second {:.0}", speed(text.len(), since));
    equal("down of both", &text, &console.down)?;
    equal("up of both", quarter, &port.take(quarter.len())?)?;

    port.echo.store(true, Ordering::Relaxed);
    let mut times = Vec::with_capacity(options.echoes);
    for number in 0..options.echoes {
        let since = Instant::now();
        console.run(1, &[number as u8])?;
        times.push(since.elapsed());
        equal("echo", &[number as u8], &console.down)?;
    }
    times.sort_unstable();
    if let Some(last) = times.len().checked_sub(1) {
        let microseconds = |percent: usize| times[last * percent / 100].as_nanos() as f64 / 1000.0;
        println!("echo-p50-us {:.0}", microseconds(50));
        println!("echo-p99-us {:.0}", microseconds(99));
    }
    println!("packets-down {packets}");
    println!("sent-again {}", console.sent_again);
    if options.pid.is_some() {
        println!("cpu-ms-down {:.0}", cpu_down.as_secs_f64() * 1000.0);
        println!("cpu-ms-up {:.0}", cpu_up.as_secs_f64() * 1000.0);
    }
    console.command(DEACTIVATE_PAYLOAD, &INSTANCE)?;
    let id = console.client.bmc_id.to_le_bytes();
    console.command(CLOSE_SESSION, &id)?;
    Ok(())
}

fn main() -> ExitCode {
    match Options::from_command_line().and_then(|options| measure(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sol: {error}");
            ExitCode::FAILURE
        }
    }
}
