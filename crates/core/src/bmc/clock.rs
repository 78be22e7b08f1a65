//! The clock of a device, the SEL or the SDR repository: seconds, set by clients.

use crate::ipmi::Moment;

/// A clock of 32 bits, which wraps; that is what clients see of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    /// Seconds ahead of the monotonic clock.
    offset: i64,
}

impl Clock {
    /// One that is so many seconds ahead of the monotonic clock.
    pub(super) const fn ahead(offset: i64) -> Self {
        Self { offset }
    }

    /// How many seconds it is ahead of the monotonic clock.
    pub(super) const fn offset(self) -> i64 {
        self.offset
    }

    /// The seconds it shows.
    pub(super) fn time(self, now: Moment) -> u32 {
        (now.seconds() as i64).wrapping_add(self.offset) as u32
    }

    /// Makes it show `time` now.
    pub(super) fn set(&mut self, now: Moment, time: u32) {
        self.offset = i64::from(time).wrapping_sub(now.seconds() as i64);
    }
}
