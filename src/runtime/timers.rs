//! When systems want to be called next, all in one heap: nobody is asked who was not called.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::host::SystemId;
use crate::ipmi::Moment;

/// The deadlines of all systems.
///
/// One that moves away does not touch the heap: it comes up at the old time, and the system is asked then.
#[derive(Debug, Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Moment, SystemId)>>,
    /// The earliest entry of each system.
    armed: Vec<Option<Moment>>,
}

impl Timers {
    /// Makes sure that a system comes up at `deadline` or before.
    pub fn arm(&mut self, system: SystemId, deadline: Option<Moment>) {
        let Some(deadline) = deadline else { return };
        let index = system.0 as usize;
        if self.armed.len() <= index {
            self.armed.resize(index + 1, None);
        }
        let Some(armed) = self.armed.get_mut(index) else { return };
        if armed.is_none_or(|armed| deadline < armed) {
            *armed = Some(deadline);
            self.heap.push(Reverse((deadline, system)));
        }
    }

    /// When the next comes up.
    pub fn next(&self) -> Option<Moment> {
        self.heap.peek().map(|Reverse((when, _))| *when)
    }

    /// Takes those that come up by now, in order. Each has to be armed again.
    pub fn take_due(&mut self, now: Moment, due: &mut Vec<SystemId>) {
        while let Some(Reverse((when, system))) = self.heap.peek().copied().filter(|Reverse((when, _))| *when <= now) {
            self.heap.pop();
            // Or it has come up already, by an earlier entry.
            if let Some(armed) = self.armed.get_mut(system.0 as usize)
                && *armed == Some(when)
            {
                *armed = None;
                due.push(system);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_comes_up_at_its_earliest_deadline_and_once() {
        let at = |seconds| Moment::new(Duration::from_secs(seconds));
        let (one, two) = (SystemId(1), SystemId(2));
        let mut timers = Timers::default();
        let mut due = Vec::new();
        assert_eq!(timers.next(), None);
        timers.arm(two, Some(at(7)));
        timers.arm(one, Some(at(5)));
        timers.arm(one, None);
        // Away, and nearer.
        timers.arm(one, Some(at(9)));
        timers.arm(two, Some(at(3)));
        assert_eq!(timers.next(), Some(at(3)));
        timers.take_due(at(4), &mut due);
        assert_eq!(due, [two]);
        timers.arm(two, Some(at(8)));
        timers.take_due(at(8), &mut due);
        assert_eq!(due, [two, one, two]);
        assert_eq!(timers.next(), None);
    }
}
