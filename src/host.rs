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
use crate::sim::{IpmbId, SerialId, WorkDone};
use crate::sol::LineEvent;

/// What happened outside.
#[derive(Debug)]
pub enum HostEvent {
    /// The SOL port of an MC is open.
    SolOpened {
        /// IPMB address of the MC.
        mc: u8,
    },
    /// The SOL port of an MC is lost.
    SolClosed {
        /// IPMB address of the MC.
        mc: u8,
    },
    /// The SOL port of an MC cannot be opened, for another reason than before.
    SolUnavailable {
        /// IPMB address of the MC.
        mc: u8,
        /// Why, in one line.
        text: String,
    },
    /// Something else came from the SOL port of an MC.
    SolLine {
        /// IPMB address of the MC.
        mc: u8,
        /// What.
        event: LineEvent,
    },
    /// Bytes came from the SOL port of an MC.
    SolData {
        /// IPMB address of the MC.
        mc: u8,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The SOL port of an MC took bytes.
    SolWritten {
        /// IPMB address of the MC.
        mc: u8,
        /// How many.
        count: usize,
    },
    /// A peer connected to a serial channel.
    SerialConnected {
        /// The channel.
        serial: SerialId,
        /// Number of the connection, for what is sent to this peer.
        connection: u64,
    },
    /// The peer of a serial channel is gone.
    SerialDisconnected {
        /// The channel.
        serial: SerialId,
    },
    /// Bytes came from the peer of a serial channel.
    SerialData {
        /// The channel.
        serial: SerialId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A message came in on an IPMB device.
    IpmbData {
        /// The channel.
        ipmb: IpmbId,
        /// The message, with its length byte.
        bytes: Vec<u8>,
    },
    /// Slow work is done.
    WorkDone(WorkDone),
    /// The start command of an MC ended.
    ProcessExited {
        /// IPMB address of the MC.
        mc: u8,
        /// Raw wait status, if it is known.
        status: Option<i32>,
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
