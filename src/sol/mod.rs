//! Serial over LAN: the engine between a session and a serial port.
//!
//! Owns packet sequence, acknowledgement, retry, accumulation and buffers of one port
//! (`sol.md` sections 4 to 7). Knows nothing of sessions but a number, nothing of the
//! port but bytes; opens neither.

mod outbox;

use std::time::Duration;

use crate::ipmi::Moment;

pub use outbox::{Outbox, Output};

/// How a port is to be treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The port speaks telnet.
    pub telnet: bool,
    /// The port is a tty: it has modem lines and a real break.
    pub tty: bool,
    /// The port is always read, so that the history is complete.
    pub history: bool,
}

/// When packets are sent (SOL configuration parameters 3 and 4, IPMI 2.0 table 26-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long to wait for more before a packet that is not full is sent; zero sends at once.
    pub accumulate: Duration,
    /// How many bytes are enough to send at once.
    pub threshold: u8,
    /// How often a packet is sent again, 0 to 7.
    pub retries: u8,
    /// How long to wait for an acknowledgement.
    pub retry_interval: Duration,
}

impl Default for Timing {
    /// What the original does: sent at once, six sends one second apart.
    fn default() -> Self {
        Self { accumulate: Duration::ZERO, threshold: 1, retries: 5, retry_interval: Duration::from_secs(1) }
    }
}

/// The SOL engine of one controller.
#[derive(Debug, Default)]
pub struct Engine {
    settings: Settings,
}

impl Engine {
    /// An engine for a port that is not open yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Other times than the default ones; they hold from the next packet on.
    pub fn set_timing(&mut self, timing: Timing) {
        let _ = timing;
    }

    /// A session activated instance 1. Everything starts clean.
    pub fn activate(&mut self, now: Moment, session: u32, auxiliary: u8, out: &mut Outbox) {
        let _ = (now, session, auxiliary, out);
    }

    /// Instance 1 was deactivated, or its session ended.
    pub fn deactivate(&mut self, out: &mut Outbox) {
        let _ = out;
    }

    /// A session activated instance 2: `history` is sent in packets of 64 bytes.
    pub fn activate_history(&mut self, now: Moment, session: u32, history: Vec<u8>, out: &mut Outbox) {
        let _ = (now, session, history, out);
    }

    /// Instance 2 was deactivated, or its session ended.
    pub fn deactivate_history(&mut self) {}

    /// A SOL packet came from a session.
    pub fn from_console(&mut self, now: Moment, session: u32, payload: &[u8], out: &mut Outbox) {
        let _ = (now, session, payload, out);
    }

    /// The port was opened.
    pub fn port_opened(&mut self, now: Moment, out: &mut Outbox) {
        let _ = (now, out);
    }

    /// The port was lost.
    pub fn port_closed(&mut self, out: &mut Outbox) {
        let _ = out;
    }

    /// Bytes came from the port. What is returned is free of telnet: the history's share.
    pub fn from_port<'a>(&'a mut self, now: Moment, bytes: &'a [u8], out: &mut Outbox) -> &'a [u8] {
        let _ = (now, out, self.settings);
        bytes
    }

    /// The port has taken `count` of the bytes it was given.
    pub fn port_written(&mut self, now: Moment, count: usize, out: &mut Outbox) {
        let _ = (now, count, out);
    }

    /// Whether the port should be read now.
    pub fn wants_port_data(&self) -> bool {
        true
    }

    /// When [`timeout`](Self::timeout) wants to be called next.
    pub fn deadline(&self) -> Option<Moment> {
        None
    }

    /// Resends, gives up, sends what was accumulated.
    pub fn timeout(&mut self, now: Moment, out: &mut Outbox) {
        let _ = (now, out);
    }
}
