//! How long a simulator takes from its start to the first response.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ipmi_sim::wire::asf::Ping;
use ipmi_sim::wire::rmcp::{self, Class};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Result;
use super::connection::connect;

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a ping is waited for, and how soon a closed port is tried again: the error of the
/// measurement.
const TURN: Duration = Duration::from_micros(200);

/// A child process that ends with this.
pub struct Running(Child);

impl Running {
    /// Starts a program whose output nobody wants.
    pub fn start(command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let name = command.get_program().to_string_lossy().into_owned();
        Ok(Self(command.spawn().map_err(|error| format!("{name}: {error}"))?))
    }

    /// Starts a program that writes its messages into a file.
    pub fn start_with_log(command: &mut Command, log: &Path) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log)?);
        let name = command.get_program().to_string_lossy().into_owned();
        Ok(Self(command.spawn().map_err(|error| format!("{name}: {error}"))?))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(self.0.id().try_into()?), signal)?)
    }

    /// Kills it and waits for its end.
    pub fn kill(&mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended has given its number back.
        if let (Ok(None), Ok(pid)) = (self.0.try_wait(), i32::try_from(self.0.id())) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.0.wait();
    }
}

/// Starts a program that listens on `port` of the loopback address and sends ASF presence pings
/// until one is answered; gives the milliseconds from the start to the response.
pub fn measure(port: u16, command: &mut Command) -> Result<(Running, f64)> {
    let socket = connect(port)?;
    socket.set_read_timeout(Some(TURN))?;
    let (mut ping, mut pong) = (Vec::new(), [0; 64]);
    rmcp::Repr { sequence: rmcp::SEQUENCE_NO_ACK, class: Class::Asf }.emit(&mut ping);
    Ping { tag: 1 }.emit(&mut ping);
    let start = Instant::now();
    let running = Running::start(command)?;
    while start.elapsed() < PATIENCE {
        // A closed port is an error of the next call.
        if socket.send(&ping).is_ok() && socket.recv(&mut pong).is_ok() {
            return Ok((running, start.elapsed().as_secs_f64() * 1000.0));
        }
        std::thread::sleep(TURN);
    }
    Err(format!("nobody answers on port {port}").into())
}
