//! States of discrete sensors (`commands-sensor-storage.md` section 4.3).

use super::{Notice, Sensor};
use crate::bmc::event::Direction;

impl Sensor {
    /// Sets (`value` not 0) or clears state `bit`, 0 to 14, and says which event that gives.
    ///
    /// An event-only sensor has no state and gives an event each time, whatever is enabled.
    /// Any other gives one if `value` differs from the state as a number, so a value above 1
    /// always does, and if that event is enabled.
    pub(super) fn set_state(&mut self, bit: u8, value: u8) -> Option<Notice> {
        let (direction, enabled) = if value != 0 {
            (Direction::Assertion, self.assertions.enabled)
        } else {
            (Direction::Deassertion, self.deassertions.enabled)
        };
        let notice = Notice { direction, data: [bit, 0xff, 0xff] };
        if self.event_only {
            return Some(notice);
        }
        let mask = 1u16.checked_shl(u32::from(bit)).unwrap_or(0);
        if u16::from(value) == u16::from(self.status & mask != 0) {
            return None;
        }
        match direction {
            Direction::Assertion => {
                self.status |= mask;
                self.left &= !mask;
            }
            Direction::Deassertion => {
                self.status &= !mask;
                self.left |= mask;
            }
        }
        (enabled & mask != 0).then_some(notice)
    }
}
