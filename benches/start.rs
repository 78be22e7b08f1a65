//! How long a simulator takes from its start to the first answer: starts a program again and again
//! and sends it ASF presence pings.
//!
//! ```text
//! cargo bench --bench start -- PORT COUNT PROGRAM [argument]...
//! ```
//!
//! The program must listen on `PORT` of the loopback address. Each start ends with SIGTERM. Prints
//! the milliseconds of each start, one a line.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use ipmi_sim::wire::asf::Ping;
use ipmi_sim::wire::rmcp::{self, Class};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a ping is waited for, and how soon a closed port is tried again: the error of the
/// measurement.
const TURN: Duration = Duration::from_micros(200);

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn ping() -> Vec<u8> {
    let mut datagram = Vec::new();
    rmcp::Repr { sequence: rmcp::SEQUENCE_NO_ACK, class: Class::Asf }.emit(&mut datagram);
    Ping { tag: 1 }.emit(&mut datagram);
    datagram
}

/// Pings until somebody answers.
fn first_answer(socket: &UdpSocket, start: Instant) -> Result<Duration> {
    let (ping, mut pong) = (ping(), [0; 64]);
    while start.elapsed() < PATIENCE {
        // A closed port is an error of the next call.
        if socket.send(&ping).is_ok() && socket.recv(&mut pong).is_ok() {
            return Ok(start.elapsed());
        }
        std::thread::sleep(TURN);
    }
    Err("it does not answer".into())
}

fn end(mut child: Child) -> Result<()> {
    kill(Pid::from_raw(child.id().try_into()?), Signal::SIGTERM)?;
    child.wait()?;
    Ok(())
}

fn measure() -> Result<()> {
    // `cargo bench` adds an argument of its own.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let mut next = || words.next().ok_or("PORT COUNT PROGRAM [argument]...");
    let (port, count, program): (u16, usize, _) = (next()?.parse()?, next()?.parse()?, next()?);
    let arguments: Vec<_> = words.collect();
    for _ in 0..count {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_read_timeout(Some(TURN))?;
        let mut command = Command::new(&program);
        command.args(&arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
        let took = first_answer(&socket, start);
        end(child)?;
        println!("{:.2}", took?.as_secs_f64() * 1000.0);
    }
    Ok(())
}

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("start: {error}");
            ExitCode::FAILURE
        }
    }
}
