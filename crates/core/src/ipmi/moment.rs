//! Time as an argument: a point on the machine's monotonic clock.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time, counted from the start of the machine's monotonic clock.
///
/// State files hold SEL times as an offset to the whole seconds of this clock
/// (`persistence.md` section 4), so zero is the clock's zero and not the program's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// The moment `since_boot` after the clock's zero.
    pub const fn new(since_boot: Duration) -> Self {
        Self(since_boot)
    }

    /// Whole seconds since the clock's zero.
    pub const fn seconds(self) -> u64 {
        self.0.as_secs()
    }

    /// Time since the clock's zero.
    pub const fn since_boot(self) -> Duration {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies in the future.
    pub fn since(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;
    fn add(self, rhs: Duration) -> Moment {
        Moment(self.0.saturating_add(rhs))
    }
}

impl Sub<Duration> for Moment {
    type Output = Moment;
    fn sub(self, rhs: Duration) -> Moment {
        Moment(self.0.saturating_sub(rhs))
    }
}
