//! The other direction: which packets of a console are new, and what was said to them.
//!
//! Owns sequence numbers and acknowledgements (`sol.md` section 5). Keeps no characters.

use std::hash::{DefaultHasher, Hasher};

use crate::wire::sol::MAX_SEQUENCE;

/// What was said to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Acknowledgement {
    /// Its sequence number.
    pub sequence: u8,
    /// How many of its characters were taken.
    pub accepted: u8,
}

/// What a numbered packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not seen before.
    New,
    /// Seen and acknowledged so. The acknowledgement got lost, or this is a late copy the
    /// console no longer waits for.
    Known(Acknowledgement),
}

/// The packet that had a sequence number last.
#[derive(Clone, Copy, Debug)]
struct Seen {
    content: u64,
    accepted: u8,
}

/// The packets of a console, as far as they must be remembered.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    last: Option<Acknowledgement>,
    seen: [Option<Seen>; MAX_SEQUENCE as usize + 1],
}

impl Receiver {
    /// What was said last, if anything.
    pub(super) fn last(&self) -> Option<Acknowledgement> {
        self.last
    }

    /// Judges a numbered packet.
    ///
    /// The number of the last packet is that packet again, and the number behind it is a new
    /// packet. Any other number is new, too (consoles may jump), unless it is an exact copy of
    /// the packet that had this number before: consoles count round 1 to 15, so such a copy
    /// has been overtaken by its successors.
    pub(super) fn judge(&self, sequence: u8, data: &[u8]) -> Verdict {
        let Some(last) = self.last else { return Verdict::New };
        if last.sequence == sequence {
            return Verdict::Known(last);
        }
        match self.seen.get(usize::from(sequence)).copied().flatten() {
            Some(seen) if sequence != last.sequence % MAX_SEQUENCE + 1 && seen.content == digest(data) => {
                Verdict::Known(Acknowledgement { sequence, accepted: seen.accepted })
            }
            _ => Verdict::New,
        }
    }

    /// A new packet was taken as far as `accepted` says.
    pub(super) fn take(&mut self, sequence: u8, data: &[u8], accepted: u8) -> Acknowledgement {
        if let Some(slot) = self.seen.get_mut(usize::from(sequence)) {
            *slot = Some(Seen { content: digest(data), accepted });
        }
        let acknowledgement = Acknowledgement { sequence, accepted };
        self.last = Some(acknowledgement);
        acknowledgement
    }
}

fn digest(data: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(data);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(receiver: &mut Receiver, sequence: u8, data: &[u8]) {
        assert_eq!(receiver.judge(sequence, data), Verdict::New);
        receiver.take(sequence, data, data.len() as u8);
    }

    fn known(receiver: &Receiver, sequence: u8, data: &[u8], accepted: u8) {
        assert_eq!(receiver.judge(sequence, data), Verdict::Known(Acknowledgement { sequence, accepted }));
    }

    #[test]
    fn late_copies_are_known_until_their_number_is_due_again() {
        let mut receiver = Receiver::default();
        for sequence in 1..=14 {
            new(&mut receiver, sequence, b"x");
        }
        for sequence in 1..=14 {
            known(&receiver, sequence, b"x", 1);
        }
        new(&mut receiver, 15, b"x");
        new(&mut receiver, 1, b"x");
        known(&receiver, 3, b"x", 1);
    }

    #[test]
    fn the_last_number_is_the_last_packet_whatever_it_holds() {
        let mut receiver = Receiver::default();
        new(&mut receiver, 4, b"abc");
        known(&receiver, 4, b"other", 3);
    }

    #[test]
    fn a_jump_is_new_unless_it_is_a_copy() {
        let mut receiver = Receiver::default();
        new(&mut receiver, 1, b"a");
        new(&mut receiver, 9, b"b");
        new(&mut receiver, 1, b"c");
        known(&receiver, 9, b"b", 1);
        new(&mut receiver, 9, b"B");
    }

    #[test]
    fn numbers_come_round() {
        let mut receiver = Receiver::default();
        for packet in 0..1000u32 {
            new(&mut receiver, (packet % 15) as u8 + 1, b"same");
        }
    }
}
