//! How fast a server answers, and what that costs it: a client that keeps a number of requests in
//! flight in each of some sessions.
//!
//! The same loop for the sessions of a BMC, for ASF presence pings, and for a bare echo of datagrams
//! of the same sizes, which is what the machine can do at most.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use ipmi_sim::ipmi::netfn;
use ipmi_sim::wire::asf::PRESENCE_PONG;
use ipmi_sim::wire::rmcp;
use ipmi_sim_client::{GET_DEVICE_ID, presence};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Result;
use super::connection::{Connection, PATIENCE, Target, connect};
use super::process::processor_time;

/// Sequence numbers of requests.
const NUMBERS: usize = 64;
/// Most requests in flight in a session: IPMI clients have eight.
const MOST: usize = 8;

/// A command: network function, number and data.
pub type Command = (u8, u8, &'static [u8]);

/// The smallest thing a BMC does, so that what is measured is the way of a datagram.
pub const DEVICE_ID: &[Command] = &[(netfn::APP, GET_DEVICE_ID, &[])];

/// What a monitoring station asks for: records of the repository, a sensor's reading, power.
pub const MIXED: &[Command] = &[
    // Get SDR: 16 bytes of the first record, without a reservation.
    (0x0a, 0x23, &[0, 0, 0, 0, 0, 16]),
    // Get Sensor Reading of sensor 1.
    (0x04, 0x2d, &[1]),
    // Get Chassis Status.
    (0x00, 0x01, &[]),
];

/// How much load.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Amount {
    /// Sessions, each from a socket of its own
    #[arg(long, default_value = "4")]
    pub sessions: usize,
    /// Requests in flight in each session, 1 to 8
    #[arg(long, default_value = "4")]
    pub flight: usize,
    /// How long, after a warm-up of a tenth of that
    #[arg(long, default_value = "5")]
    pub seconds: f64,
}

/// Who answers.
enum Peer {
    Bmc {
        connection: Box<Connection>,
        commands: &'static [Command],
        next: usize,
    },
    Ping(UdpSocket),
    /// An echo of datagrams of this length.
    Echo(UdpSocket, usize),
}

impl Peer {
    fn socket(&self) -> &UdpSocket {
        match self {
            Self::Bmc { connection, .. } => &connection.socket,
            Self::Ping(socket) | Self::Echo(socket, _) => socket,
        }
    }
}

/// A peer, and what is in flight to it.
pub struct Flow {
    peer: Peer,
    number: u8,
    sent: [Option<Instant>; NUMBERS],
    flying: usize,
    packet: Vec<u8>,
}

impl Flow {
    fn new(peer: Peer) -> Result<Self> {
        peer.socket().set_nonblocking(true)?;
        Ok(Self { peer, number: 0, sent: [None; NUMBERS], flying: 0, packet: Vec::new() })
    }

    /// A session that is opened; asks for `commands` in turn.
    pub fn session(target: &Target, commands: &'static [Command]) -> Result<Self> {
        let connection = Box::new(Connection::open(target)?);
        Self::new(Peer::Bmc { connection, commands, next: 0 })
    }

    /// Presence pings without a session.
    pub fn ping(port: u16) -> Result<Self> {
        Self::new(Peer::Ping(connect(port)?))
    }

    /// Datagrams of `length` bytes for an [`Echo`](super::echo::Echo).
    pub fn echo(port: u16, length: usize) -> Result<Self> {
        Self::new(Peer::Echo(connect(port)?, length))
    }

    /// Sends a request under the next free number.
    fn request(&mut self) -> Result<()> {
        while self.sent[usize::from(self.number)].is_some() {
            self.number = (self.number + 1) % NUMBERS as u8;
        }
        let number = self.number;
        self.sent[usize::from(number)] = Some(Instant::now());
        self.number = (number + 1) % NUMBERS as u8;
        self.flying += 1;
        self.packet.clear();
        match &mut self.peer {
            Peer::Bmc { connection, commands, next } => {
                let (netfn, cmd, data) = commands[*next];
                *next = (*next + 1) % commands.len();
                return connection.send(number, netfn, cmd, data);
            }
            Peer::Ping(socket) => {
                socket.send(&presence::ping(number))?;
            }
            Peer::Echo(socket, length) => {
                self.packet.resize(*length, number);
                socket.send(&self.packet)?;
            }
        }
        Ok(())
    }

    /// Takes the responses that are there.
    fn receive(&mut self, mut answered: impl FnMut(Duration)) -> Result<()> {
        let mut datagram = [0; 1024];
        while self.flying > 0 {
            let length = match self.peer.socket().recv(&mut datagram) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                length => length?,
            };
            let datagram = &mut datagram[..length];
            let number = match &self.peer {
                Peer::Bmc { connection, .. } => connection.session.open_unverified(datagram)?.response()?.done()?.seq,
                Peer::Ping(_) => match datagram.get(rmcp::HEADER_LENGTH..) {
                    Some([_, _, _, _, PRESENCE_PONG, tag, ..]) => *tag,
                    _ => return Err("no pong".into()),
                },
                Peer::Echo(..) => *datagram.first().ok_or("an empty echo")?,
            };
            if let Some(since) = self.sent.get_mut(usize::from(number)).and_then(Option::take) {
                self.flying -= 1;
                answered(since.elapsed());
            }
        }
        Ok(())
    }

    /// Forgets what was not answered in time and counts it.
    fn lose(&mut self, now: Instant) -> usize {
        let late = self.sent.iter_mut().filter(|sent| sent.is_some_and(|since| now - since > PATIENCE));
        let lost = late.map(|sent| *sent = None).count();
        self.flying -= lost;
        lost
    }

    /// Ends it; a session is closed.
    pub fn close(self) -> Result<()> {
        if let Peer::Bmc { connection, .. } = self.peer {
            connection.socket.set_nonblocking(false)?;
            connection.close()?;
        }
        Ok(())
    }
}

/// What was measured.
pub struct Load {
    /// How long each response took, sorted.
    times: Vec<Duration>,
    /// Requests that were not answered within [`PATIENCE`]; others were sent in their place.
    pub lost: usize,
    elapsed: Duration,
    processor: Option<Duration>,
}

impl Load {
    /// How many requests were answered.
    pub fn answered(&self) -> usize {
        self.times.len()
    }

    /// Answers in a second.
    pub fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// Microseconds that this many of a thousand answers did not exceed.
    pub fn permille(&self, permille: usize) -> f64 {
        microseconds(self.times[(self.times.len() - 1) * permille / 1000])
    }

    /// Microseconds of the server's processor time for each response.
    pub fn processor(&self) -> Option<f64> {
        Some(microseconds(self.processor?) / self.times.len() as f64)
    }
}

fn microseconds(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1000.0
}

/// Keeps every flow busy until `end`.
fn keep_busy(flows: &mut [Flow], flight: usize, end: Instant, times: &mut Vec<Duration>) -> Result<usize> {
    let mut lost = 0;
    let mut looked = Instant::now();
    let mut ready = vec![true; flows.len()];
    while Instant::now() < end {
        for (flow, ready) in flows.iter_mut().zip(&ready) {
            if *ready {
                flow.receive(|time| times.push(time))?;
                while flow.flying < flight {
                    flow.request()?;
                }
            }
        }
        let mut files: Vec<_> =
            flows.iter().map(|flow| PollFd::new(flow.peer.socket().as_fd(), PollFlags::POLLIN)).collect();
        poll(&mut files, PollTimeout::from(100u8))?;
        for (ready, file) in ready.iter_mut().zip(&files) {
            *ready = file.any().unwrap_or(true);
        }
        let now = Instant::now();
        if now - looked > PATIENCE / 10 {
            looked = now;
            lost += flows.iter_mut().map(|flow| flow.lose(now)).sum::<usize>();
            ready.fill(true);
        }
    }
    Ok(lost)
}

/// Loads all flows; `processor` reads the processor time that the server has used so far.
pub fn run(flows: &mut [Flow], amount: Amount, processor: impl Fn() -> Result<Option<Duration>>) -> Result<Load> {
    let length = Duration::from_secs_f64(amount.seconds);
    let flight = amount.flight.clamp(1, MOST);
    let mut times = Vec::with_capacity(1 << 20);
    let warm_up = keep_busy(flows, flight, Instant::now() + length / 10, &mut times)?;
    times.clear();
    let (before, start) = (processor()?, Instant::now());
    let lost = warm_up + keep_busy(flows, flight, start + length, &mut times)?;
    let (elapsed, after) = (start.elapsed(), processor()?);
    // What is still in flight is answered before anybody looks at the server again.
    let end = Instant::now() + PATIENCE;
    while flows.iter().any(|flow| flow.flying > 0) && Instant::now() < end {
        flows.iter_mut().try_for_each(|flow| flow.receive(drop))?;
        std::thread::yield_now();
    }
    let lost = lost + flows.iter().map(|flow| flow.flying).sum::<usize>();
    if times.is_empty() {
        return Err("nothing was answered".into());
    }
    times.sort_unstable();
    let processor = before.zip(after).map(|(before, after)| after.saturating_sub(before));
    Ok(Load { times, lost, elapsed, processor })
}

/// Opens the sessions, loads them and closes them.
pub fn measure(target: &Target, amount: Amount, commands: &'static [Command], pid: Option<u32>) -> Result<Load> {
    let mut flows = (0..amount.sessions).map(|_| Flow::session(target, commands)).collect::<Result<Vec<_>>>()?;
    let load = run(&mut flows, amount, || pid.map(processor_time).transpose())?;
    flows.into_iter().try_for_each(Flow::close)?;
    Ok(load)
}
