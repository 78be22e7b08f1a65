//! What the engine wants done, in a buffer that is used again and again.
//!
//! Owns the bytes of packets and port writes on their way out, and their order.

use std::ops::Range;

use super::ModemLines;
use crate::ipmi::SessionId;

/// One thing the engine wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output<'a> {
    /// Send this SOL packet (header and data) to a session.
    Packet {
        /// BMC's session id of the holder of the instance.
        session: SessionId,
        /// Header and data, 4 to 259 bytes.
        payload: &'a [u8],
    },
    /// Write these bytes to the port; [`Engine::port_written`](super::Engine::port_written)
    /// says when they are gone. There is never more than one such write under way.
    Port(&'a [u8]),
    /// Send a break on the port (a tty).
    Break,
    /// Set the modem lines of the port (a tty).
    ModemLines(ModemLines),
}

/// What the engine wants done, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
enum Entry {
    Packet { session: SessionId, range: Range<usize> },
    Port(Range<usize>),
    Break,
    ModemLines(ModemLines),
}

impl Outbox {
    /// Everything, in order.
    pub fn iter(&self) -> impl Iterator<Item = Output<'_>> {
        self.entries.iter().map(|entry| match entry {
            Entry::Packet { session, range } => {
                Output::Packet { session: *session, payload: self.bytes.get(range.clone()).unwrap_or_default() }
            }
            Entry::Port(range) => Output::Port(self.bytes.get(range.clone()).unwrap_or_default()),
            Entry::Break => Output::Break,
            Entry::ModemLines(lines) => Output::ModemLines(*lines),
        })
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    /// Appends a packet; `write` fills it.
    pub fn packet(&mut self, session: SessionId, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.entries.push(Entry::Packet { session, range: start..self.bytes.len() });
    }

    /// Appends a write to the port.
    pub fn port(&mut self, bytes: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.entries.push(Entry::Port(start..self.bytes.len()));
    }

    /// Appends a break.
    pub fn send_break(&mut self) {
        self.entries.push(Entry::Break);
    }

    /// Appends a change of the modem lines.
    pub fn modem_lines(&mut self, lines: ModemLines) {
        self.entries.push(Entry::ModemLines(lines));
    }
}
