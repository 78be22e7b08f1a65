//! How fast Serial over LAN is: a console of its own in front, a TCP server as the serial port
//! behind, and a simulator between them.
//!
//! Sends packets as large as Activate Payload allows, one at a time. Every byte value occurs, and what
//! arrives is compared with what was sent.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ipmi_sim::ipmi::netfn;
use ipmi_sim::wire::session20::PayloadType;
use ipmi_sim::wire::sol::Packet;
use ipmi_sim_client::GET_DEVICE_ID;

use super::Result;
use super::connection::{Connection, Target};

const ACTIVATE_PAYLOAD: u8 = 0x48;
const DEACTIVATE_PAYLOAD: u8 = 0x49;
/// SOL, instance 1, four auxiliary bytes.
const INSTANCE: [u8; 6] = [1, 1, 0, 0, 0, 0];
/// How long an acknowledgement may take before a packet is sent again.
const RESEND: Duration = Duration::from_secs(1);
/// How long a simulator may take to start.
const START: Duration = Duration::from_secs(15);
/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(30);
/// The original takes packets of IPMI messages to keep a session alive, not packets of SOL.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// How much goes over the line.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Amount {
    /// How many bytes go down, then up, and then both ways at once (a quarter of them up)
    #[arg(long, default_value = "1048576")]
    pub bytes: usize,
    /// Single keystrokes that are echoed
    #[arg(long, default_value = "2000")]
    pub echoes: usize,
}

/// What was measured.
#[derive(Debug)]
pub struct Speed {
    /// Bytes in a second from the port to the console.
    pub down: f64,
    /// And from the console to the port.
    pub up: f64,
    /// Down, while a quarter as much goes up.
    pub both: f64,
    /// Microseconds of a keystroke to the port and back: the median, and what 99 % do not exceed.
    pub echo: [f64; 2],
    /// Packets the console sent again because nobody acknowledged them.
    pub sent_again: usize,
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
    connection: Connection,
    /// Most characters in a packet to the BMC.
    room: usize,
    /// Sequence number of the packet sent last, and of the one received last.
    sequence: u8,
    received: u8,
    down: Vec<u8>,
    outstanding: Option<(Vec<u8>, Instant)>,
    /// Acknowledged so far.
    up: usize,
    sent_again: usize,
    alive: Instant,
}

impl Console {
    fn open(target: &Target) -> Result<Self> {
        let mut connection = Connection::open(target)?;
        let activated = connection.command(ACTIVATE_PAYLOAD, &INSTANCE)?;
        let size = activated.get(4..6).and_then(|size| size.try_into().ok()).ok_or("a short answer to Activate")?;
        // The original announces 32, the characters it takes, and not the packet with its header.
        let size = usize::from(u16::from_le_bytes(size));
        let room = if size == 32 { 32 } else { size.saturating_sub(4).min(255) };
        connection.socket.set_read_timeout(Some(RESEND))?;
        Ok(Self {
            connection,
            room,
            sequence: 0,
            received: 0,
            down: Vec::new(),
            outstanding: None,
            up: 0,
            sent_again: 0,
            alive: Instant::now(),
        })
    }

    fn send(&mut self, packet: &[u8]) -> Result<()> {
        self.connection.send_payload(PayloadType::Sol, |out| out.extend_from_slice(packet))
    }

    /// Takes one datagram, if one is there; acknowledges what came from the port.
    fn receive(&mut self) -> Result<()> {
        let mut datagram = [0; 1024];
        let length = match self.connection.socket.recv(&mut datagram) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(()),
            length => length?,
        };
        let opened = self.connection.session.open_unverified(&mut datagram[..length])?;
        if opened.payload_type != PayloadType::Sol {
            return Ok(());
        }
        let packet = Packet::parse(opened.payload)?;
        if packet.sequence != 0 && packet.sequence != self.received {
            self.down.extend_from_slice(packet.data);
            self.received = packet.sequence;
        }
        if self.outstanding.is_some() && packet.acknowledged == self.sequence {
            // What was not taken goes under the next number at once, NACK or not: the original
            // refuses what does not fit into its 32 bytes, which are free again in a moment.
            self.up += usize::from(packet.accepted);
            self.outstanding = None;
        }
        let (sequence, count) = (packet.sequence, packet.data.len() as u8);
        if sequence != 0 {
            self.send(&[0, sequence, count, 0])?;
        }
        Ok(())
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
                self.connection.send(1, netfn::APP, GET_DEVICE_ID, &[])?;
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

fn equal(what: &str, wanted: &[u8], seen: &[u8]) -> Result<()> {
    match wanted.iter().zip(seen).position(|(a, b)| a != b) {
        None if wanted.len() == seen.len() => Ok(()),
        None => Err(format!("{what}: {} bytes instead of {}", seen.len(), wanted.len()).into()),
        Some(at) => Err(format!("{what}: byte {at} is another").into()),
    }
}

/// Listens on the TCP port `serial` of the loopback address, which the simulator's
/// `sol "tcp:127.0.0.1:SERIAL" 115200` leads to; the simulator may be started before or after.
pub fn measure(target: &Target, serial: u16, amount: Amount) -> Result<Speed> {
    measure_with(target, TcpListener::bind((Ipv4Addr::LOCALHOST, serial))?, amount)
}

/// The same with a port that already listens.
pub fn measure_with(target: &Target, listener: TcpListener, amount: Amount) -> Result<Speed> {
    let port = Port::accept(&listener)?;
    // The original opens the serial port before it listens.
    let start = Instant::now();
    let mut console = loop {
        match Console::open(target) {
            Err(_) if start.elapsed() < START => thread::sleep(Duration::from_millis(50)),
            opened => break opened?,
        }
    };
    let text = pattern(amount.bytes);
    let speed = |bytes: usize, since: Instant| bytes as f64 / since.elapsed().as_secs_f64();

    // The first packet: the original may take it for one of the session before, and lose it.
    console.run(0, b"\r")?;
    let _ = port.collected.recv_timeout(Duration::from_millis(200));

    let since = Instant::now();
    port.write(&text)?;
    console.run(text.len(), &[])?;
    let down = speed(text.len(), since);
    equal("down", &text, &console.down)?;

    let since = Instant::now();
    console.run(0, &text)?;
    let typed = port.take(text.len())?;
    let up = speed(text.len(), since);
    equal("up", &text, &typed)?;

    let quarter = &text[..text.len() / 4];
    let since = Instant::now();
    port.write(&text)?;
    console.run(text.len(), quarter)?;
    let both = speed(text.len(), since);
    equal("down of both", &text, &console.down)?;
    equal("up of both", quarter, &port.take(quarter.len())?)?;

    port.echo.store(true, Ordering::Relaxed);
    let mut times = Vec::with_capacity(amount.echoes);
    for number in 0..amount.echoes.max(1) {
        let since = Instant::now();
        console.run(1, &[number as u8])?;
        times.push(since.elapsed());
        equal("echo", &[number as u8], &console.down)?;
    }
    times.sort_unstable();
    let echo = [50, 99].map(|percent| times[(times.len() - 1) * percent / 100].as_nanos() as f64 / 1000.0);
    console.connection.command(DEACTIVATE_PAYLOAD, &INSTANCE)?;
    console.connection.close()?;
    Ok(Speed { down, up, both, echo, sent_again: console.sent_again })
}
