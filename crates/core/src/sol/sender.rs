//! One direction of a SOL connection: characters on their way to a console.
//!
//! Owns the characters nobody has acknowledged yet and the one packet that may be
//! outstanding (`sol.md` section 6, IPMI 2.0 section 15.11). Knows no session and
//! writes no header.

use std::collections::VecDeque;
use std::time::Duration;

use super::Timing;
use crate::ipmi::Moment;
use crate::wire::sol::MAX_SEQUENCE;

/// How long a console that said NACK is left alone. What it says to go on is not
/// acknowledged and may be lost, so after this time sending is tried again.
const PAUSE: Duration = Duration::from_secs(10);

/// Hands out packet sequence numbers: 1 to 15, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sequence(u8);

impl Sequence {
    /// The next one will be 1.
    pub(super) const START: Self = Self(0);

    fn advance(&mut self) -> u8 {
        self.0 = self.0 % MAX_SEQUENCE + 1;
        self.0
    }
}

/// What to make of the character count in an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counting {
    /// So many characters were taken, the rest is sent again.
    Exact,
    /// An acknowledgement takes the whole packet (the history, where readers count carelessly).
    Whole,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is outstanding.
    Idle,
    /// The first `len` bytes of the buffer were sent and are not acknowledged.
    Outstanding { sequence: u8, len: usize, sends: u32, resend_at: Moment },
    /// The console does not want anything now.
    Paused { until: Moment },
}

/// What a packet of the console says of a packet of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Acknowledged {
    /// Its sequence number; 0 is none.
    pub sequence: u8,
    /// How many of its characters were taken.
    pub count: u8,
    /// It was not taken as a whole: nothing more is wanted for now.
    pub nack: bool,
}

/// A packet that must be sent now: the first `len` characters of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// Its sequence number.
    pub sequence: u8,
    /// Whether it was sent before.
    pub again: bool,
    len: usize,
}

/// Characters on their way to a console.
#[derive(Debug)]
pub(super) struct Sender {
    buffer: VecDeque<u8>,
    packet_data: usize,
    counting: Counting,
    state: State,
    /// Last sequence the console acknowledged, 0 for none.
    acknowledged: u8,
    /// Since when the first character waits.
    waiting_since: Moment,
}

impl Sender {
    /// Nothing to send, in packets of `packet_data` characters.
    pub(super) fn new(packet_data: usize, counting: Counting) -> Self {
        Self {
            buffer: VecDeque::new(),
            packet_data,
            counting,
            state: State::Idle,
            acknowledged: 0,
            waiting_since: Moment::default(),
        }
    }

    /// Starts over with `buffer` to send.
    pub(super) fn restart(&mut self, now: Moment, buffer: VecDeque<u8>) {
        self.buffer = buffer;
        self.state = State::Idle;
        self.acknowledged = 0;
        self.waiting_since = now;
    }

    /// Starts over with nothing to send and keeps the memory.
    pub(super) fn reset(&mut self) {
        self.flush();
        self.state = State::Idle;
        self.acknowledged = 0;
    }

    /// How many characters are not acknowledged.
    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether nothing is left to send.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Whether a packet waits for its acknowledgement.
    pub(super) fn is_outstanding(&self) -> bool {
        matches!(self.state, State::Outstanding { .. })
    }

    /// Appends characters.
    pub(super) fn push(&mut self, now: Moment, bytes: &[u8]) {
        if self.buffer.is_empty() {
            self.waiting_since = now;
        }
        self.buffer.extend(bytes);
    }

    /// Throws everything away, the outstanding packet too.
    pub(super) fn flush(&mut self) {
        self.buffer.clear();
        if self.is_outstanding() {
            self.state = State::Idle;
        }
    }

    /// A packet came from the console that acknowledges one of ours, or none.
    ///
    /// A NACK of the outstanding packet, or of the one acknowledged last, pauses; any later
    /// packet without NACK goes on.
    pub(super) fn acknowledge(&mut self, now: Moment, timing: &Timing, told: Acknowledged) {
        let Acknowledged { sequence: acknowledged, count, nack } = told;
        match self.state {
            State::Outstanding { sequence, len, .. } if acknowledged == sequence => {
                let whole = self.counting == Counting::Whole && !nack;
                let taken = if whole { len } else { len.min(count.into()) };
                self.buffer.drain(..taken.min(self.buffer.len()));
                self.acknowledged = sequence;
                self.waiting_since = now;
                self.state = if nack {
                    State::Paused { until: now + PAUSE }
                } else if taken == 0 {
                    // At once would be a race between two machines.
                    State::Paused { until: now + timing.retry_interval }
                } else {
                    State::Idle
                };
            }
            State::Outstanding { .. } => {}
            State::Idle | State::Paused { .. } => {
                if !nack {
                    self.state = State::Idle;
                } else if acknowledged != 0 && acknowledged == self.acknowledged {
                    self.state = State::Paused { until: now + PAUSE };
                }
            }
        }
    }

    /// The packet to send now, if any; it counts as sent. A packet that was sent often
    /// enough is dropped and its successor takes its place.
    pub(super) fn due(&mut self, now: Moment, timing: &Timing, sequences: &mut Sequence) -> Option<Due> {
        match &mut self.state {
            State::Outstanding { resend_at, .. } if now < *resend_at => return None,
            State::Outstanding { sequence, len, sends, resend_at } => {
                if *sends <= u32::from(timing.retries) {
                    *sends += 1;
                    *resend_at = now + timing.retry_interval;
                    return Some(Due { sequence: *sequence, again: true, len: *len });
                }
                let len = *len;
                self.buffer.drain(..len.min(self.buffer.len()));
                self.waiting_since = now;
            }
            State::Paused { until } if now < *until => return None,
            State::Paused { .. } | State::Idle => {}
        }
        self.state = State::Idle;
        if !self.is_ripe(now, timing) {
            return None;
        }
        let len = self.buffer.len().min(self.packet_data);
        let sequence = sequences.advance();
        self.state = State::Outstanding { sequence, len, sends: 1, resend_at: now + timing.retry_interval };
        Some(Due { sequence, again: false, len })
    }

    /// Whether a new packet need not wait for more characters.
    fn is_ripe(&self, now: Moment, timing: &Timing) -> bool {
        let enough = usize::from(timing.threshold).clamp(1, self.packet_data);
        !self.buffer.is_empty()
            && (timing.accumulate.is_zero()
                || self.buffer.len() >= enough
                || now.since(self.waiting_since) >= timing.accumulate)
    }

    /// Appends the characters of a packet.
    pub(super) fn write(&self, due: &Due, out: &mut Vec<u8>) {
        let (front, back) = self.buffer.as_slices();
        let from_front = due.len.min(front.len());
        let from_back = (due.len - from_front).min(back.len());
        out.extend_from_slice(&front[..from_front]);
        out.extend_from_slice(&back[..from_back]);
    }

    /// When [`due`](Self::due) must be asked next, if nothing else happens.
    pub(super) fn deadline(&self, timing: &Timing) -> Option<Moment> {
        match self.state {
            State::Outstanding { resend_at, .. } => Some(resend_at),
            _ if self.buffer.is_empty() => None,
            State::Paused { until } => Some(until),
            State::Idle => Some(self.waiting_since + timing.accumulate),
        }
    }
}
