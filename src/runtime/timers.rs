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
    /// The earliest entry of each system, by its place.
    armed: Vec<Option<(Moment, SystemId)>>,
}

impl Timers {
    /// Makes sure that a system comes up at `deadline` or before.
    pub fn arm(&mut self, system: SystemId, deadline: Option<Moment>) {
        let Some(deadline) = deadline else { return };
        let index = system.index as usize;
        if self.armed.len() <= index {
            self.armed.resize(index + 1, None);
        }
        let Some(armed) = self.armed.get_mut(index) else { return };
        if armed.is_none_or(|(armed, whose)| whose != system || deadline < armed) {
            *armed = Some((deadline, system));
            self.heap.push(Reverse((deadline, system)));
        }
    }

    /// A system does not come up any more, unless it is armed again.
    pub fn forget(&mut self, system: SystemId) {
        if let Some(armed) = self.armed.get_mut(system.index as usize) {
            armed.take_if(|(_, whose)| *whose == system);
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
            if let Some(armed) = self.armed.get_mut(system.index as usize)
                && *armed == Some((when, system))
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
        let [one, two] = [1, 2].map(|index| SystemId { index, generation: 0 });
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

    #[test]
    fn one_that_has_gone_does_not_come_up_in_the_place_of_another() {
        let at = |seconds| Moment::new(Duration::from_secs(seconds));
        let [gone, next] = [0, 1].map(|generation| SystemId { index: 0, generation });
        let mut timers = Timers::default();
        let mut due = Vec::new();
        timers.arm(gone, Some(at(5)));
        timers.forget(gone);
        timers.take_due(at(5), &mut due);
        assert_eq!(due, []);
        timers.arm(gone, Some(at(6)));
        timers.arm(next, Some(at(6)));
        timers.forget(gone);
        timers.take_due(at(7), &mut due);
        assert_eq!(due, [next]);
    }
}
