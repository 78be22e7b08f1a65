//! The processes of start commands.
//!
//! Owns which MC has one; how it ends comes as a [`HostEvent`](crate::host::HostEvent).

use std::collections::BTreeMap;

use nix::sys::signal::Signal;

use crate::bmc::vm_process::Identity;
use crate::host::HostEvents;
use crate::host::vm::{Stdin, Vm};
use crate::ipmi::McAddress;

/// What came of starting a process.
#[derive(Debug)]
pub enum Started {
    /// It runs, as this process if that is known.
    Runs(Option<Identity>),
    /// It ran already.
    Already,
}

/// All of them.
pub struct Processes {
    vms: BTreeMap<McAddress, Vm>,
    events: HostEvents,
}

impl Processes {
    /// None yet.
    pub fn new(events: HostEvents) -> Self {
        Self { vms: BTreeMap::new(), events }
    }

    /// Starts the start command of an MC.
    ///
    /// # Errors
    /// The operating system's.
    pub fn start(&mut self, mc: McAddress, command: &str, input: Stdin) -> std::io::Result<Started> {
        if self.vms.contains_key(&mc) {
            return Ok(Started::Already);
        }
        let (vm, identity) = Vm::start(mc, command, input, self.events.clone())?;
        self.vms.insert(mc, vm);
        Ok(Started::Runs(identity))
    }

    /// Finds the process that an earlier run started, and watches it from now on.
    pub fn find(&mut self, mc: McAddress, identity: &Identity) -> bool {
        let found = Vm::find(mc, identity, self.events.clone());
        let is_there = found.is_some();
        self.vms.extend(found.map(|vm| (mc, vm)));
        is_there
    }

    /// Sends a signal to the process of an MC.
    pub fn signal(&self, mc: McAddress, signal: Signal) {
        if let Some(vm) = self.vms.get(&mc) {
            vm.signal(signal);
        }
    }

    /// The process of an MC has ended.
    pub fn ended(&mut self, mc: McAddress) {
        self.vms.remove(&mc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostEvent;
    use crate::host::testing::events;
    use crate::sim::Input;

    #[tokio::test]
    async fn a_process_is_started_once_and_a_signal_ends_it() {
        let (events, mut queue) = events(1);
        let mut processes = Processes::new(events);
        assert!(matches!(processes.start(McAddress::BMC, "sleep 600", Stdin::Nothing), Ok(Started::Runs(_))));
        assert!(matches!(processes.start(McAddress::BMC, "sleep 600", Stdin::Nothing), Ok(Started::Already)));
        // There is none.
        processes.signal(McAddress(0x30), Signal::SIGKILL);
        processes.signal(McAddress::BMC, Signal::SIGKILL);
        let ended = queue.recv().await;
        assert!(matches!(ended, Some(HostEvent::Input(Input::ProcessExited(McAddress::BMC, Some(9))))), "{ended:?}");
    }
}
