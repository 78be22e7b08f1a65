//! How fast a simulator answers, and what that costs it: a client that keeps a number of
//! requests in flight in each of some RMCP+ sessions.
//!
//! ```text
//! cargo bench --bench load -- PORT [option value]...
//!
//!   pid N        a process whose processor time is counted          none
//!   sessions N   sessions, each from a socket of its own            4
//!   flight N     requests in flight in each session, 1 to 8         4
//!   seconds N    how long, after a warm-up of a tenth of that       5
//!   suite N      cipher suite                                       3
//!   user NAME    and password WORD                                  admin, admin
//! ```
//!
//! Asks for the device id (Get Device ID), the smallest thing a BMC does, so that what is measured
//! is the way of a datagram. Works with any BMC that listens on the loopback address. Prints one
//! value a line:
//!
//! ```text
//! commands-per-second N
//! latency-p50-us N
//! latency-p99-us N
//! lost N                  requests without an answer for a second; they are sent again
//! cpu-us-per-command N    processor time of the process, all threads, system calls included
//! ```

mod client;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use client::{ADMINISTRATOR, Client, GET_DEVICE_ID, Result, SET_SESSION_PRIVILEGE_LEVEL};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

const CLOSE_SESSION: u8 = 0x3c;
/// A request is lost when it is not answered within this time.
const PATIENCE: Duration = Duration::from_secs(1);
/// Sequence numbers of requests.
const NUMBERS: usize = 64;

struct Options {
    port: u16,
    pid: Option<u32>,
    sessions: usize,
    flight: usize,
    seconds: u64,
    suite: u8,
    user: String,
    password: String,
}

impl Options {
    fn from_command_line() -> Result<Self> {
        // `cargo bench` adds an argument of its own.
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        let port = words.next().ok_or("which port? see the top of benches/load.rs")?.parse()?;
        let mut options = Self {
            port,
            pid: None,
            sessions: 4,
            flight: 4,
            seconds: 5,
            suite: 3,
            user: "admin".into(),
            password: "admin".into(),
        };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} what?"))?;
            match name.as_str() {
                "pid" => options.pid = Some(value.parse()?),
                "sessions" => options.sessions = value.parse()?,
                "flight" => options.flight = value.parse::<usize>()?.clamp(1, 8),
                "seconds" => options.seconds = value.parse()?,
                "suite" => options.suite = value.parse()?,
                "user" => options.user = value,
                "password" => options.password = value,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(options)
    }
}

/// An open session, and what is in flight in it.
struct Session {
    socket: UdpSocket,
    client: Client,
    number: u8,
    sent: [Option<Instant>; NUMBERS],
    packet: Vec<u8>,
}

impl Session {
    fn open(options: &Options) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect((Ipv4Addr::LOCALHOST, options.port))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let client = Client::login(options.suite, &options.user, &options.password, |datagram| {
            let mut answer = vec![0; 1024];
            socket.send(datagram)?;
            let length = socket.recv(&mut answer).map_err(|error| format!("no answer to a login: {error}"))?;
            answer.truncate(length);
            Ok(answer)
        })?;
        socket.set_nonblocking(true)?;
        let mut session = Self { socket, client, number: 0, sent: [None; NUMBERS], packet: Vec::new() };
        session.request(SET_SESSION_PRIVILEGE_LEVEL, &[ADMINISTRATOR])?;
        wait(&[&session], PATIENCE)?;
        session.receive(|_| {})?;
        match session.in_flight() {
            0 => Ok(session),
            _ => Err("Set Session Privilege Level is not answered".into()),
        }
    }

    fn in_flight(&self) -> usize {
        self.sent.iter().flatten().count()
    }

    /// Sends a request under the next free number.
    fn request(&mut self, cmd: u8, data: &[u8]) -> Result<()> {
        while self.sent[usize::from(self.number)].is_some() {
            self.number = (self.number + 1) % NUMBERS as u8;
        }
        self.client.request(self.number, cmd, data, &mut self.packet);
        self.sent[usize::from(self.number)] = Some(Instant::now());
        self.number = (self.number + 1) % NUMBERS as u8;
        self.socket.send(&self.packet)?;
        Ok(())
    }

    /// Takes the answers that are there.
    fn receive(&mut self, mut answered: impl FnMut(Duration)) -> Result<()> {
        let mut datagram = [0; 1024];
        while self.sent.iter().any(Option::is_some) {
            let length = match self.socket.recv(&mut datagram) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                length => length?,
            };
            let number = self.client.answer(&mut datagram[..length])?;
            if let Some(since) = self.sent[usize::from(number)].take() {
                answered(since.elapsed());
            }
        }
        Ok(())
    }

    /// Forgets what was not answered in time and counts it.
    fn lose(&mut self) -> usize {
        let late = self.sent.iter_mut().filter(|sent| sent.is_some_and(|since| since.elapsed() > PATIENCE));
        late.map(|sent| *sent = None).count()
    }
}

/// Waits until one of the sessions has something to read.
fn wait(sessions: &[&Session], limit: Duration) -> Result<()> {
    let mut files: Vec<_> =
        sessions.iter().map(|session| PollFd::new(session.socket.as_fd(), PollFlags::POLLIN)).collect();
    poll(&mut files, PollTimeout::try_from(limit)?)?;
    Ok(())
}

/// Keeps every session busy until `end`; gives how long each answer took and how many were lost.
fn run(sessions: &mut [Session], flight: usize, end: Instant) -> Result<(Vec<Duration>, usize)> {
    let mut times = Vec::with_capacity(1 << 20);
    let mut lost = 0;
    while Instant::now() < end {
        for session in sessions.iter_mut() {
            session.receive(|time| times.push(time))?;
            for _ in session.in_flight()..flight {
                session.request(GET_DEVICE_ID, &[])?;
            }
        }
        wait(&sessions.iter().collect::<Vec<_>>(), Duration::from_millis(100))?;
        lost += sessions.iter_mut().map(Session::lose).sum::<usize>();
    }
    Ok((times, lost))
}

/// Processor time of all living threads of a process.
fn processor_time(pid: u32) -> Result<Duration> {
    let mut total = Duration::ZERO;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // Nanoseconds on a processor, nanoseconds waiting for one, time slices.
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        let on_processor = text.split_whitespace().next().ok_or("no schedstat")?;
        total += Duration::from_nanos(on_processor.parse()?);
    }
    Ok(total)
}

fn measure(options: &Options) -> Result<()> {
    let mut sessions = Vec::new();
    for _ in 0..options.sessions {
        sessions.push(Session::open(options)?);
    }
    let length = Duration::from_secs(options.seconds);
    run(&mut sessions, options.flight, Instant::now() + length / 10)?;
    let before = options.pid.map(processor_time).transpose()?;
    let start = Instant::now();
    let (mut times, lost) = run(&mut sessions, options.flight, start + length)?;
    let elapsed = start.elapsed();
    let after = options.pid.map(processor_time).transpose()?;
    for session in &mut sessions {
        let id = session.client.bmc_id.to_le_bytes();
        session.request(CLOSE_SESSION, &id)?;
    }
    if times.is_empty() {
        return Err("nothing was answered".into());
    }
    times.sort_unstable();
    let microseconds = |time: Duration| time.as_nanos() as f64 / 1000.0;
    let percentile = |percent: usize| microseconds(times[(times.len() - 1) * percent / 100]);
    println!("commands-per-second {:.0}", times.len() as f64 / elapsed.as_secs_f64());
    println!("latency-p50-us {:.1}", percentile(50));
    println!("latency-p99-us {:.1}", percentile(99));
    println!("lost {lost}");
    if let (Some(before), Some(after)) = (before, after) {
        println!("cpu-us-per-command {:.2}", microseconds(after.saturating_sub(before)) / times.len() as f64);
    }
    Ok(())
}

fn main() -> ExitCode {
    match Options::from_command_line().and_then(|options| measure(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}
