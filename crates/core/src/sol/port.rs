//! What a console typed, on its way to the port.
//!
//! Owns the characters the port has not taken yet and the hold on the console that
//! keeps them few. At most one write is under way, so that a flush finds the rest.
//!
//! A packet is taken whole or not at all: ipmitool forgets what was left over of a packet
//! that was accepted in part.

use super::outbox::Outbox;
use super::telnet;
use crate::wire::sol::MAX_DATA;

/// With so many bytes waiting the console is held: a screenful and more may be pasted into a
/// slow port without a pause.
const HOLD: usize = 16 * MAX_DATA;
/// With so few the hold ends: a packet fits.
const RELEASE: usize = HOLD - MAX_DATA;
/// With so many nothing is taken, whatever the console does.
const LIMIT: usize = 2 * HOLD;

/// Whether the port is telnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escaping {
    /// Bytes go as they are.
    Plain,
    /// `FF` is doubled.
    Telnet,
}

/// Characters on their way to the port.
#[derive(Debug)]
pub(super) struct PortQueue {
    escaping: Escaping,
    open: bool,
    pending: Vec<u8>,
    under_way: usize,
    held: bool,
}

impl PortQueue {
    /// A port that is not open.
    pub(super) fn new(escaping: Escaping) -> Self {
        Self { escaping, open: false, pending: Vec::new(), under_way: 0, held: false }
    }

    /// The port was opened; nothing of before is left.
    pub(super) fn open(&mut self) {
        self.close();
        self.open = true;
    }

    /// The port was lost, with everything on its way. Whether that ended a hold.
    pub(super) fn close(&mut self) -> bool {
        self.open = false;
        self.pending.clear();
        self.under_way = 0;
        std::mem::take(&mut self.held)
    }

    /// Whether the port is open.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Whether characters are not taken at present.
    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    /// Whether nothing can be taken at all.
    pub(super) fn is_full(&self) -> bool {
        self.waiting() >= LIMIT
    }

    fn waiting(&self) -> usize {
        self.pending.len() + self.under_way
    }

    /// Takes characters. A port that is not open takes them and drops them.
    pub(super) fn take(&mut self, data: &[u8]) {
        if self.open {
            match self.escaping {
                Escaping::Plain => self.pending.extend_from_slice(data),
                Escaping::Telnet => telnet::escape(data, &mut self.pending),
            }
            self.held |= self.waiting() >= HOLD;
        }
    }

    /// Adds bytes that are not typed characters (they are not escaped); without room they
    /// are dropped.
    pub(super) fn insert(&mut self, bytes: &[u8]) {
        if self.open && self.waiting() + bytes.len() <= LIMIT {
            self.pending.extend_from_slice(bytes);
        }
    }

    /// Throws away what is not under way. Whether that ended a hold.
    pub(super) fn flush(&mut self) -> bool {
        self.pending.clear();
        self.end_hold()
    }

    /// The port has taken `count` bytes. Whether that ended a hold.
    pub(super) fn written(&mut self, count: usize) -> bool {
        self.under_way = self.under_way.saturating_sub(count);
        self.end_hold()
    }

    fn end_hold(&mut self) -> bool {
        let ended = self.held && self.waiting() <= RELEASE;
        self.held &= !ended;
        ended
    }

    /// Gives everything to the port, unless a write is under way.
    pub(super) fn hand_over(&mut self, out: &mut Outbox) {
        if self.under_way == 0 && !self.pending.is_empty() {
            out.port(&self.pending);
            self.under_way = self.pending.len();
            self.pending.clear();
        }
    }
}
