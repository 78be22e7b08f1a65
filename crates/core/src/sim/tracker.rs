//! Requests sent on to somebody else, until their responses come back.
//!
//! Owns which sequence number stands for whose request, and for how long.

use std::time::Duration;

use crate::ipmi::Moment;

/// How long a response may take.
const LIFETIME: Duration = Duration::from_secs(5);

/// Most requests that wait.
const MOST: usize = 64;

/// Requests that wait for their responses; the index is the sequence number they went out under.
#[derive(Debug)]
pub(super) struct Tracker<T> {
    /// As far as they were ever taken since none was.
    slots: Vec<Option<Slot<T>>>,
    /// How many of them are taken: asked with every datagram.
    taken: usize,
}

#[derive(Debug)]
struct Slot<T> {
    until: Moment,
    waiting: T,
}

impl<T> Default for Tracker<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), taken: 0 }
    }
}

impl<T> Tracker<T> {
    /// Takes a sequence number; none is left when 64 requests wait.
    pub(super) fn insert(&mut self, now: Moment, waiting: T) -> Option<u8> {
        let slot = Some(Slot { until: now + LIFETIME, waiting });
        let index = match self.slots.iter().position(Option::is_none) {
            Some(index) => {
                self.slots[index] = slot;
                index
            }
            None if self.slots.len() < MOST => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
            None => return None,
        };
        self.taken += 1;
        u8::try_from(index).ok()
    }

    /// Gives a sequence number back, if `is_it` says that its request is the one meant.
    pub(super) fn take_if(&mut self, seq: u8, is_it: impl FnOnce(&T) -> bool) -> Option<T> {
        let slot = self.slots.get_mut(usize::from(seq))?;
        let taken = slot.take_if(|slot| is_it(&slot.waiting))?;
        self.taken -= 1;
        self.give_back();
        Some(taken.waiting)
    }

    /// Nearly always nobody waits, in most systems nobody ever did.
    fn give_back(&mut self) {
        if self.taken == 0 {
            self.slots = Vec::new();
        }
    }

    /// When [`expire`](Self::expire) wants to be called next.
    pub(super) fn deadline(&self) -> Option<Moment> {
        if self.taken == 0 {
            return None;
        }
        self.slots.iter().flatten().map(|slot| slot.until).min()
    }

    /// Forgets requests whose responses did not come.
    pub(super) fn expire(&mut self, now: Moment) {
        for slot in &mut self.slots {
            if slot.take_if(|slot| slot.until <= now).is_some() {
                self.taken -= 1;
            }
        }
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again_when_answered_or_too_late() {
        let mut tracker = Tracker::default();
        let at = |seconds| Moment::new(Duration::from_secs(seconds));
        for number in 0..64 {
            assert_eq!(tracker.insert(at(u64::from(number) / 32), number), Some(number));
        }
        assert_eq!(tracker.insert(at(1), 99), None);
        assert_eq!(tracker.take_if(7, |&waiting| waiting == 8), None);
        assert_eq!(tracker.take_if(7, |&waiting| waiting == 7), Some(7));
        assert_eq!(tracker.take_if(7, |_| true), None);
        assert_eq!(tracker.take_if(64, |_| true), None);
        assert_eq!(tracker.deadline(), Some(at(5)));
        tracker.expire(at(5));
        assert_eq!((tracker.take_if(31, |_| true), tracker.take_if(32, |_| true)), (None, Some(32)));
        assert_eq!(tracker.insert(at(6), 99), Some(0));
        tracker.expire(at(11));
        assert_eq!(tracker.deadline(), None);
        assert_eq!(tracker.insert(at(11), 1), Some(0));
        assert_eq!(tracker.take_if(0, |_| true), Some(1));
        assert_eq!(tracker.deadline(), None);
    }
}
