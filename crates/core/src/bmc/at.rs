//! One controller of a machine, found once: what the devices' functions work on.
//!
//! Owns nothing. Through it a device reaches its controller without a look-up that may fail, and what the
//! controllers of a machine share: what is to be done outside, and the other controllers.

use std::ops::{Deref, DerefMut};

use super::external::Background;
use super::watch::Event;
use super::{Action, Controller, Machine};
use crate::ipmi::McAddress;

/// A controller in its machine. It stands for the controller, whose address is [`Controller::address`].
#[derive(Debug)]
pub struct At<'a> {
    machine: &'a mut Machine,
    /// Of the controller among the machine's. No controller comes or goes while the handle is there: whoever has
    /// the machine from it, in this room, only looks at others and changes them.
    index: usize,
}

impl Machine {
    /// The controller at an IPMB address, enabled or not, with the machine around it.
    pub fn at(&mut self, address: McAddress) -> Option<At<'_>> {
        let index = self.index(address).ok()?;
        Some(At { machine: self, index })
    }

    /// Does something at each controller, by address.
    pub(super) fn at_each(&mut self, mut act: impl FnMut(&mut At<'_>)) {
        for index in 0..self.controllers.len() {
            act(&mut At { machine: self, index });
        }
    }

    /// [`at`](Self::at), in tests, where it is known to be there.
    #[cfg(any(test, feature = "testing"))]
    pub fn found(&mut self, address: McAddress) -> At<'_> {
        self.at(address).expect("a controller with this address")
    }
}

impl At<'_> {
    /// Another controller, or this one, in the same machine.
    pub fn elsewhere(&mut self, address: McAddress) -> Option<At<'_>> {
        self.machine.at(address)
    }

    /// The whole machine.
    pub fn machine(&self) -> &Machine {
        self.machine
    }

    /// The whole machine, for what is not about one controller.
    pub(super) fn machine_mut(&mut self) -> &mut Machine {
        self.machine
    }

    /// Has something done outside.
    pub fn push(&mut self, action: Action) {
        self.machine.actions.push(action);
    }

    /// Has slow work done that no request waits for.
    pub fn start(&mut self, work: Background) {
        self.machine.jobs.push(work);
    }

    /// Tells whoever watches.
    pub fn tell(&mut self, event: impl FnOnce() -> Event) {
        self.machine.watch.tell(event);
    }
}

impl Deref for At<'_> {
    type Target = Controller;

    fn deref(&self) -> &Controller {
        &self.machine.controllers[self.index]
    }
}

impl DerefMut for At<'_> {
    fn deref_mut(&mut self) -> &mut Controller {
        &mut self.machine.controllers[self.index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_is_found_whatever_the_order_they_came_in() {
        let mut machine = Machine::default();
        for address in [0x30, 0x20, 0x82, 0x24] {
            machine.ensure(McAddress(address)).acpi[0] = address;
        }
        machine.remove(McAddress(0x24));
        let mut seen = Vec::new();
        machine.at_each(|at| seen.push((at.address.0, at.acpi[0])));
        assert_eq!(seen, [(0x20, 0x20), (0x30, 0x30), (0x82, 0x82)]);
        assert!(machine.at(McAddress(0x24)).is_none());
        let mut at = machine.found(McAddress(0x30));
        assert_eq!(at.elsewhere(McAddress(0x82)).map(|at| at.address), Some(McAddress(0x82)));
        assert_eq!(at.address, McAddress(0x30));
    }
}
