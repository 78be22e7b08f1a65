//! The machine's monotonic clock, and the timer of the event loop.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::ipmi::Moment;

/// Time since the machine was started.
pub fn now() -> Moment {
    // The clock exists on every Linux; a machine without it stands still at zero.
    Moment::new(clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default())
}

/// The monotonic clock and the seconds since 1970 by the wall clock, a few milliseconds old: looked
/// at each time the loop wakes up, they must cost next to nothing.
pub fn both() -> (Moment, i64) {
    let read = |clock| clock_gettime(clock).map(Duration::from).unwrap_or_default();
    let wall = read(ClockId::CLOCK_REALTIME_COARSE).as_secs();
    (Moment::new(read(ClockId::CLOCK_MONOTONIC_COARSE)), i64::try_from(wall).unwrap_or(i64::MAX))
}

/// Shortest pause before a deadline that has passed already is looked at again, so that
/// one that never moves cannot keep the processor busy.
const LEAST: Duration = Duration::from_millis(1);

/// The one timer of the loop.
///
/// A deadline that moves away (every datagram of a session moves its time-out) does not
/// touch it: it rings at the old time and is then set anew. With nothing to wait for it
/// is not armed at all.
pub struct Alarm {
    sleep: Pin<Box<Sleep>>,
    armed: Option<Moment>,
}

impl Default for Alarm {
    fn default() -> Self {
        Self::new()
    }
}

impl Alarm {
    /// An alarm that is not set. Must be called inside the runtime.
    pub fn new() -> Self {
        Self { sleep: Box::pin(sleep_until(Instant::now())), armed: None }
    }

    /// Makes sure that it rings at `deadline` or before.
    pub fn arm(&mut self, now: Moment, deadline: Option<Moment>) {
        let Some(deadline) = deadline else { return };
        if self.armed.is_some_and(|armed| armed <= deadline) {
            return;
        }
        let wait = deadline.since(now).max(LEAST);
        self.sleep.as_mut().reset(Instant::now() + wait);
        self.armed = Some(now + wait);
    }

    /// Ready once when it rings.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.armed.is_some() && self.sleep.as_mut().poll(cx).is_ready() {
            self.armed = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[test]
    fn the_clock_goes_forward() {
        let first = now();
        assert!(first.seconds() > 0 || first.since_boot() > Duration::ZERO);
        assert!(now() >= first);
    }

    #[tokio::test]
    async fn an_alarm_rings_once_and_an_earlier_deadline_wins() {
        let mut alarm = Alarm::new();
        let start = now();
        alarm.arm(start, Some(start + Duration::from_secs(3600)));
        alarm.arm(start, Some(start + Duration::from_millis(5)));
        // Moving away does not postpone it.
        alarm.arm(start, Some(start + Duration::from_secs(3600)));
        poll_fn(|cx| alarm.poll(cx)).await;
        assert!(now() >= start + Duration::from_millis(5));
        let again = poll_fn(|cx| Poll::Ready(alarm.poll(cx))).await;
        assert!(again.is_pending());
    }

    #[tokio::test]
    async fn a_deadline_in_the_past_rings_soon_but_not_at_once() {
        let mut alarm = Alarm::new();
        let start = now();
        alarm.arm(start, Some(Moment::default()));
        assert!(poll_fn(|cx| Poll::Ready(alarm.poll(cx))).await.is_pending());
        poll_fn(|cx| alarm.poll(cx)).await;
        assert!(now() >= start + LEAST);
    }
}
