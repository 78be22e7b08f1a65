//! The other direction: which packets of a console are new, and what was said to them.
//!
//! Owns sequence numbers and acknowledgements (`sol.md` section 5). Keeps no characters.

use std::hash::{DefaultHasher, Hasher};

use crate::wire::sol::MAX_SEQUENCE;

/// How many packets back a late copy is still recognised. A console numbers its packets
/// 1 to 15 in turn, so none of these numbers can be new.
const MEMORY: u64 = 7;

/// What a numbered packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not seen before.
    New,
    /// The packet acknowledged last, once more: its acknowledgement got lost.
    Repeated,
    /// A late copy of an older packet: the console knows that it was acknowledged.
    Stale,
}

/// What was said to the last packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Its sequence number.
    pub sequence: u8,
    /// How many of its characters were taken.
    pub accepted: u8,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// It was the how manieth packet.
    order: u64,
    content: u64,
}

/// The packets of a console, as far as they must be remembered.
#[derive(Debug, Default)]
pub struct Receiver {
    last: Option<Acknowledgement>,
    seen: [Option<Seen>; MAX_SEQUENCE as usize + 1],
    count: u64,
}

impl Receiver {
    /// What was said last, if anything.
    pub fn last(&self) -> Option<Acknowledgement> {
        self.last
    }

    /// Judges a numbered packet; a new one is remembered.
    pub fn judge(&mut self, sequence: u8, data: &[u8]) -> Verdict {
        if self.last.is_some_and(|last| last.sequence == sequence) {
            return Verdict::Repeated;
        }
        let mut hasher = DefaultHasher::new();
        hasher.write(data);
        let content = hasher.finish();
        let Some(slot) = self.seen.get_mut(usize::from(sequence)) else { return Verdict::Stale };
        if slot.is_some_and(|seen| self.count - seen.order < MEMORY && seen.content == content) {
            return Verdict::Stale;
        }
        self.count += 1;
        *slot = Some(Seen { order: self.count, content });
        Verdict::New
    }

    /// A new packet was answered.
    pub fn answered(&mut self, sequence: u8, accepted: u8) -> Acknowledgement {
        let acknowledgement = Acknowledgement { sequence, accepted };
        self.last = Some(acknowledgement);
        acknowledgement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(receiver: &mut Receiver, sequence: u8, data: &[u8]) {
        assert_eq!(receiver.judge(sequence, data), Verdict::New);
        receiver.answered(sequence, data.len() as u8);
    }

    #[test]
    fn late_copies_are_known_for_seven_packets() {
        let mut receiver = Receiver::default();
        for sequence in 1..=7 {
            new(&mut receiver, sequence, b"x");
        }
        assert_eq!(receiver.judge(7, b"x"), Verdict::Repeated);
        for sequence in 1..=6 {
            assert_eq!(receiver.judge(sequence, b"x"), Verdict::Stale, "{sequence}");
        }
        new(&mut receiver, 8, b"x");
        assert_eq!(receiver.judge(1, b"x"), Verdict::New);
    }

    #[test]
    fn a_jump_back_with_other_characters_is_new() {
        let mut receiver = Receiver::default();
        new(&mut receiver, 1, b"a");
        new(&mut receiver, 9, b"b");
        new(&mut receiver, 1, b"c");
        assert_eq!(receiver.judge(9, b"b"), Verdict::Stale);
    }

    #[test]
    fn numbers_come_round() {
        let mut receiver = Receiver::default();
        for packet in 0..1000u32 {
            new(&mut receiver, (packet % 15) as u8 + 1, b"same");
        }
    }
}
