//! The simulator: one simulated system, all rooms joined.
//!
//! Everything comes in as a call with a time, everything goes out as an [`Effects`]
//! entry, to be carried out in order. Opens nothing, reads no clock.

pub mod effect;

use std::collections::BTreeMap;
use std::net::SocketAddr;

pub use effect::{ConsoleId, Effect, Effects, HostJob, HostResult, JobId, LanId, SerialId, ShellResult};

use crate::config::Diagnostic;
use crate::config::command::Statement;
use crate::config::model::Config;
use crate::ipmi::{Moment, Random};

/// Whether the simulator keeps its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// State files are read and written.
    On,
    /// Nothing is read, nothing is written (`--nopersist`).
    Off,
}

/// What the caller of [`Simulator::statement`] does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementOutcome {
    /// Go on.
    Done,
    /// Report this, and go on with the next statement.
    Failed(Diagnostic),
    /// Run this file's statements, then go on.
    Include(String),
    /// Go on after so many milliseconds.
    Sleep(u32),
    /// Stop the echo of this console.
    NoEcho,
    /// End the program in an orderly way with status 0.
    Quit,
}

/// One simulated system.
pub struct Simulator {
    random: Box<dyn Random + Send>,
}

impl Simulator {
    /// A system as lan.conf describes it, with the state files of its last run.
    pub fn new(
        config: Config,
        state: BTreeMap<String, Vec<u8>>,
        persistence: Persistence,
        random: Box<dyn Random + Send>,
    ) -> Self {
        let _ = (config, state, persistence);
        Self { random }
    }

    /// Start of life, before the command file: SOL ports are opened.
    pub fn begin(&mut self, now: Moment, out: &mut Effects) {
        let _ = (now, out, &self.random);
    }

    /// Executes one statement of a command file (`console` is `None`) or console line.
    pub fn statement(
        &mut self,
        now: Moment,
        console: Option<ConsoleId>,
        statement: &Statement,
        out: &mut Effects,
    ) -> StatementOutcome {
        let _ = (now, console, statement, out);
        StatementOutcome::Done
    }

    /// The command file and `-x` are done: is there a BMC?
    pub fn started(&mut self, now: Moment, out: &mut Effects) -> Result<(), String> {
        let _ = (now, out);
        Ok(())
    }

    /// The socket of a LAN channel is open.
    pub fn lan_opened(&mut self, now: Moment, lan: LanId, local: SocketAddr, out: &mut Effects) {
        let _ = (now, lan, local, out);
    }

    /// A datagram came in. It is decrypted in place.
    pub fn datagram(&mut self, now: Moment, lan: LanId, from: SocketAddr, bytes: &mut [u8], out: &mut Effects) {
        let _ = (now, lan, from, bytes, out);
    }

    /// The peer of a serial channel connected.
    pub fn serial_connected(&mut self, now: Moment, serial: SerialId, out: &mut Effects) {
        let _ = (now, serial, out);
    }

    /// The peer of a serial channel is gone.
    pub fn serial_disconnected(&mut self, now: Moment, serial: SerialId, out: &mut Effects) {
        let _ = (now, serial, out);
    }

    /// Bytes came from the peer of a serial channel.
    pub fn serial_data(&mut self, now: Moment, serial: SerialId, bytes: &[u8], out: &mut Effects) {
        let _ = (now, serial, bytes, out);
    }

    /// The SOL port of an MC is open.
    pub fn sol_opened(&mut self, now: Moment, mc: u8, out: &mut Effects) {
        let _ = (now, mc, out);
    }

    /// The SOL port of an MC is lost.
    pub fn sol_closed(&mut self, now: Moment, mc: u8, out: &mut Effects) {
        let _ = (now, mc, out);
    }

    /// Bytes came from the SOL port of an MC.
    pub fn sol_data(&mut self, now: Moment, mc: u8, bytes: &[u8], out: &mut Effects) {
        let _ = (now, mc, bytes, out);
    }

    /// The SOL port of an MC has taken `count` bytes of what it was given.
    pub fn sol_written(&mut self, now: Moment, mc: u8, count: usize, out: &mut Effects) {
        let _ = (now, mc, count, out);
    }

    /// A job is done.
    pub fn job_done(&mut self, now: Moment, job: JobId, result: HostResult, out: &mut Effects) {
        let _ = (now, job, result, out);
    }

    /// The start command of an MC runs.
    pub fn process_started(&mut self, now: Moment, mc: u8, out: &mut Effects) {
        let _ = (now, mc, out);
    }

    /// The start command of an MC ended, or could not be started.
    pub fn process_exited(&mut self, now: Moment, mc: u8, out: &mut Effects) {
        let _ = (now, mc, out);
    }

    /// When [`timeout`](Self::timeout) wants to be called next.
    pub fn deadline(&self) -> Option<Moment> {
        None
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Moment, out: &mut Effects) {
        let _ = (now, out);
    }
}
