//! What a console typed, on its way to the port.
//!
//! Owns the characters the port has not taken yet and the hold on the console that
//! keeps them few. At most one write is under way, so that a flush finds the rest.

use super::outbox::Outbox;
use super::telnet;
use crate::wire::sol::MAX_DATA;

/// Most bytes kept for the port: four full packets.
pub const CAPACITY: usize = 4 * MAX_DATA;
/// Bytes the engine itself may add on top (telnet's break and negotiation).
const RESERVE: usize = 64;

/// Whether the port is telnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escaping {
    /// Bytes go as they are.
    Plain,
    /// `FF` is doubled.
    Telnet,
}

/// Characters on their way to the port.
#[derive(Debug)]
pub struct PortQueue {
    escaping: Escaping,
    open: bool,
    pending: Vec<u8>,
    under_way: usize,
    held: bool,
}

impl PortQueue {
    /// A port that is not open.
    pub fn new(escaping: Escaping) -> Self {
        Self { escaping, open: false, pending: Vec::new(), under_way: 0, held: false }
    }

    /// The port was opened; nothing of before is left.
    pub fn open(&mut self) {
        self.close();
        self.open = true;
    }

    /// The port was lost, with everything on its way. Whether the console was held.
    pub fn close(&mut self) -> bool {
        self.open = false;
        self.pending.clear();
        self.under_way = 0;
        std::mem::take(&mut self.held)
    }

    /// Whether the console was told to wait.
    pub fn is_held(&self) -> bool {
        self.held
    }

    fn room(&self) -> usize {
        CAPACITY.saturating_sub(self.pending.len() + self.under_way)
    }

    /// Takes characters and says how many. A port that is not open takes all and drops
    /// them. What does not fit must come again, and the console is held.
    pub fn take(&mut self, data: &[u8]) -> usize {
        if !self.open {
            return data.len();
        }
        let room = self.room();
        let taken = match self.escaping {
            Escaping::Plain => {
                let (fits, _) = data.split_at(data.len().min(room));
                self.pending.extend_from_slice(fits);
                fits.len()
            }
            Escaping::Telnet => telnet::escape(data, room, &mut self.pending),
        };
        if taken < data.len() || self.room() == 0 {
            self.held = true;
        }
        taken
    }

    /// Adds bytes that are not typed characters (they are not escaped); without room they
    /// are dropped.
    pub fn insert(&mut self, bytes: &[u8]) {
        if self.open && self.pending.len() + self.under_way + bytes.len() <= CAPACITY + RESERVE {
            self.pending.extend_from_slice(bytes);
        }
    }

    /// Throws away what is not under way. Whether that ended a hold.
    pub fn flush(&mut self) -> bool {
        self.pending.clear();
        self.end_hold()
    }

    /// The port has taken `count` bytes. Whether that ended a hold.
    pub fn written(&mut self, count: usize) -> bool {
        self.under_way = self.under_way.saturating_sub(count);
        self.end_hold()
    }

    /// A hold ends when a full packet fits, so that the console does not creep on byte by byte.
    fn end_hold(&mut self) -> bool {
        let packet = match self.escaping {
            Escaping::Plain => MAX_DATA,
            Escaping::Telnet => 2 * MAX_DATA,
        };
        let ended = self.held && self.room() >= packet;
        if ended {
            self.held = false;
        }
        ended
    }

    /// Gives everything to the port, unless a write is under way.
    pub fn hand_over(&mut self, out: &mut Outbox) {
        if self.under_way == 0 && !self.pending.is_empty() {
            out.port(&self.pending);
            self.under_way = self.pending.len();
            self.pending.clear();
        }
    }
}
