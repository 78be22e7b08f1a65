//! Everything outside: helper programs, the start command, files, serial ports.
//!
//! Owns one task per thing outside and reports what happens there as [`HostEvent`]s; never
//! knows what a message means. A task never waits for the simulator except to hand in an
//! event, and the simulator never waits for a task, so neither can stop the other.

pub mod children;
pub mod duplex;
pub mod ipmb_device;
pub mod jobs;
pub mod lock_file;
mod modem_lines;
pub mod names;
pub mod random;
pub mod serial_peer;
pub mod shell;
pub mod sol_port;
pub mod tcp;
pub mod tty;
pub mod vm;
pub mod watch;
pub mod workers;

use tokio::sync::mpsc;

use crate::bmc::LogLevel;
use crate::sim::{Input, SerialId};

/// What happened outside.
#[derive(Debug)]
pub enum HostEvent {
    /// Something for the system.
    Input(Input<'static>),
    /// A peer connected to a serial channel.
    SerialConnected {
        /// The channel.
        serial: SerialId,
        /// Number of the connection, for what is sent to this peer.
        connection: u64,
    },
    /// Something to be logged.
    Log {
        /// How important.
        level: LogLevel,
        /// The text.
        text: String,
    },
}

/// Where a task hands in its events. The channel is bounded: a port that floods is read as
/// fast as the simulator takes the bytes, not faster.
pub type HostEvents = mpsc::Sender<HostEvent>;

/// How many events may wait.
pub const EVENT_QUEUE: usize = 128;

/// Hands in an event. A simulator that is gone is no error: the task is about to be
/// dropped.
pub(crate) async fn report(events: &HostEvents, event: HostEvent) {
    let _ = events.send(event).await;
}
