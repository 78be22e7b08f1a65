//! Serial over LAN: the engine between a session and a serial port.
//!
//! Owns packet sequence, acknowledgement, retry, accumulation and buffers of one port
//! (`sol.md` sections 4 to 7). Knows nothing of sessions but a number, nothing of the
//! port but bytes; opens neither.

use crate::ipmi::Moment;

/// What the engine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this SOL packet (header and data) to the session that holds the instance.
    Packet {
        /// BMC's session id.
        session: u32,
        /// Header and data.
        payload: Vec<u8>,
    },
    /// Write these bytes to the port; [`Engine::port_written`] says when they are gone.
    Port(Vec<u8>),
    /// Send a break on the port.
    Break,
    /// Set the modem lines of the port.
    ModemLines {
        /// Request to send.
        rts: bool,
        /// Data terminal ready.
        dtr: bool,
    },
}

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

    /// A session activated instance 1. Everything starts clean.
    pub fn activate(&mut self, now: Moment, session: u32, auxiliary: u8, out: &mut Vec<Output>) {
        let _ = (now, session, auxiliary, out);
    }

    /// Instance 1 was deactivated, or its session ended.
    pub fn deactivate(&mut self, out: &mut Vec<Output>) {
        let _ = out;
    }

    /// A session activated instance 2: `history` is sent in packets of 64 bytes.
    pub fn activate_history(&mut self, now: Moment, session: u32, history: Vec<u8>, out: &mut Vec<Output>) {
        let _ = (now, session, history, out);
    }

    /// Instance 2 was deactivated, or its session ended.
    pub fn deactivate_history(&mut self) {}

    /// A SOL packet came from a session.
    pub fn from_console(&mut self, now: Moment, session: u32, payload: &[u8], out: &mut Vec<Output>) {
        let _ = (now, session, payload, out);
    }

    /// The port was opened.
    pub fn port_opened(&mut self, now: Moment, out: &mut Vec<Output>) {
        let _ = (now, out);
    }

    /// The port was lost.
    pub fn port_closed(&mut self) {}

    /// Bytes came from the port. What is returned is free of telnet: the history's share.
    pub fn from_port(&mut self, now: Moment, bytes: &[u8], out: &mut Vec<Output>) -> Vec<u8> {
        let _ = (now, out, self.settings);
        bytes.to_vec()
    }

    /// The port has taken `count` of the bytes it was given.
    pub fn port_written(&mut self, now: Moment, count: usize, out: &mut Vec<Output>) {
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
    pub fn timeout(&mut self, now: Moment, out: &mut Vec<Output>) {
        let _ = (now, out);
    }
}
