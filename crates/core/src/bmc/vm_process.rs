//! The start-command process and its power-off countdown (`process.md` section 9).
//!
//! Owns whether the process exists and when it is told to end. Starts and signals nothing
//! itself: that goes out as [`Action`]s, and how it started and that it
//! ended come back.

use std::time::Duration;

use super::{Action, At, StateFile};
use crate::ipmi::Moment;

/// How long a process without a connected host has before SIGTERM.
const UNCONNECTED_WAIT: Duration = Duration::from_secs(1);

/// Which process it is. A process id alone is given to another one some day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Process id.
    pub pid: u32,
    /// When it started, in the system's clock ticks since it booted.
    pub started: u64,
    /// The boot in which that was.
    pub boot: String,
}

/// The next signal of a power-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Countdown {
    Terminate(Moment),
    Kill(Moment),
}

/// The start-command process.
#[derive(Debug)]
pub struct VmProcess {
    /// `startcmd`: the shell command.
    pub start_command: Option<String>,
    /// `startnow`: start it when the controller is enabled.
    pub start_now: bool,
    /// `poweroff_wait`: seconds a connected host has before SIGTERM; 0 is for ever.
    pub poweroff_wait: u32,
    /// `kill_wait`: seconds between SIGTERM and SIGKILL; 0 is for ever.
    pub kill_wait: u32,
    exists: bool,
    identity: Option<Identity>,
    /// A power-off is under way: the host was told, or signals follow.
    ending: bool,
    /// Power on came meanwhile: it is started again once it has ended.
    again: bool,
    countdown: Option<Countdown>,
}

impl Default for VmProcess {
    fn default() -> Self {
        Self {
            start_command: None,
            start_now: false,
            poweroff_wait: 60,
            kill_wait: 20,
            exists: false,
            identity: None,
            ending: false,
            again: false,
            countdown: None,
        }
    }
}

impl VmProcess {
    /// Whether the process exists, or is being started.
    pub fn exists(&self) -> bool {
        self.exists
    }

    /// Which process it is, as far as that is known.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Takes which process an earlier run had.
    pub fn restore(&mut self, identity: Identity) {
        self.identity = Some(identity);
    }

    /// The process of an earlier run, which may still be there. Until that is known, no other is
    /// started.
    pub fn search(&mut self) -> Option<Identity> {
        self.exists |= self.identity.is_some();
        self.identity.clone()
    }

    /// Whether its end was asked for.
    pub fn is_ending(&self) -> bool {
        self.ending
    }

    fn exited(&mut self) -> bool {
        self.exists = false;
        self.identity = None;
        self.ending = false;
        self.countdown = None;
        std::mem::take(&mut self.again)
    }

    /// When the next signal is due.
    pub fn deadline(&self) -> Option<Moment> {
        match self.countdown? {
            Countdown::Terminate(at) | Countdown::Kill(at) => Some(at),
        }
    }
}

/// The process runs.
pub fn started(at: &mut At<'_>, identity: Option<Identity>) {
    let vm = &mut at.vm;
    vm.exists = true;
    if vm.identity != identity {
        vm.identity = identity;
        at.save_fact(StateFile::Process);
    }
}

/// The process ended, or could not be started. Says whether it is to be started again.
pub fn exited(at: &mut At<'_>) -> bool {
    let vm = &mut at.vm;
    let known = vm.identity.is_some();
    let again = vm.exited();
    if known {
        at.save_fact(StateFile::Process);
    }
    again
}

/// Power on: starts the process. One that runs goes on; one that is just ending is started again
/// when it has ended, for it may have seen the power-off already.
pub fn power_on(at: &mut At<'_>) {
    let vm = &mut at.vm;
    if vm.exists {
        vm.again = vm.ending;
    } else if vm.start_command.is_some() {
        vm.exists = true;
        at.push(Action::StartProcess { mc: at.address });
    }
}

/// The controller was enabled: `startnow` starts the process.
pub fn enabled(at: &mut At<'_>) {
    if at.vm.start_now {
        power_on(at);
    }
}

/// Power off: the process gets SIGTERM after a while, and SIGKILL after another. A host
/// that is connected was told before and gets `poweroff_wait` seconds.
pub fn power_off(at: &mut At<'_>, now: Moment) {
    let controller = &mut **at;
    let connected = controller.channels.host().is_some_and(|host| host.connected);
    let vm = &mut controller.vm;
    vm.again = false;
    if !vm.exists || vm.ending {
        return;
    }
    vm.ending = true;
    let wait = if connected { Duration::from_secs(vm.poweroff_wait.into()) } else { UNCONNECTED_WAIT };
    if !wait.is_zero() {
        vm.countdown = Some(Countdown::Terminate(now + wait));
    }
}

/// Sends the signal that is due.
pub fn timeout(at: &mut At<'_>, now: Moment) {
    let vm = &mut at.vm;
    let Some(due) = vm.deadline().filter(|due| *due <= now) else { return };
    let kill = matches!(vm.countdown, Some(Countdown::Kill(_)));
    vm.countdown =
        (!kill && vm.kill_wait != 0).then(|| Countdown::Kill(due + Duration::from_secs(vm.kill_wait.into())));
    at.push(Action::SignalProcess { mc: at.address, kill });
}

#[cfg(test)]
mod tests {
    use super::super::Machine;
    use super::super::channel::{Channel, Framing, medium, protocol};
    use super::*;
    use crate::ipmi::{ChannelNumber, McAddress};

    const MC: McAddress = McAddress::BMC;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    fn running(connected: bool) -> Machine {
        let mut machine = Machine::default();
        let controller = machine.ensure(MC);
        controller.channels.set(
            ChannelNumber::SYSTEM_INTERFACE,
            Channel::serial(ChannelNumber::SYSTEM_INTERFACE, medium::RS232, protocol::TERMINAL_MODE, Framing::Vm),
        );
        controller.channels.host_mut().expect("channel 15").connected = connected;
        controller.vm.start_command = Some("qemu".into());
        power_on(&mut machine.found(MC));
        assert_eq!(machine.actions, [Action::StartProcess { mc: MC }]);
        machine.actions.clear();
        started(&mut machine.found(MC), None);
        machine
    }

    fn run_until(machine: &mut Machine, end: u64) -> Vec<(u64, bool)> {
        let mut signals = Vec::new();
        while let Some(due) = machine.ensure(MC).vm.deadline().filter(|due| *due <= at(end)) {
            timeout(&mut machine.found(MC), due);
            for action in machine.actions.drain(..) {
                match action {
                    Action::SignalProcess { mc: MC, kill } => signals.push((due.seconds(), kill)),
                    other => panic!("unexpected {other:?}"),
                }
            }
        }
        signals
    }

    #[test]
    fn without_a_host_terminate_comes_at_once_and_kill_later() {
        let mut machine = running(false);
        power_off(&mut machine.found(MC), at(100));
        assert_eq!(run_until(&mut machine, 1000), [(101, false), (121, true)]);
    }

    #[test]
    fn a_connected_host_gets_poweroff_wait() {
        let mut machine = running(true);
        power_off(&mut machine.found(MC), at(100));
        power_off(&mut machine.found(MC), at(130));
        assert_eq!(run_until(&mut machine, 1000), [(160, false), (180, true)]);
    }

    #[test]
    fn zero_waits_for_ever() {
        let mut machine = running(true);
        machine.ensure(MC).vm.poweroff_wait = 0;
        power_off(&mut machine.found(MC), at(100));
        assert_eq!(run_until(&mut machine, 100_000), []);
        let mut machine = running(false);
        machine.ensure(MC).vm.kill_wait = 0;
        power_off(&mut machine.found(MC), at(100));
        assert_eq!(run_until(&mut machine, 100_000), [(101, false)]);
    }

    #[test]
    fn on_while_it_ends_starts_it_again_when_it_has_ended() {
        for connected in [false, true] {
            let mut machine = running(connected);
            power_off(&mut machine.found(MC), at(100));
            power_on(&mut machine.found(MC));
            assert!(machine.actions.is_empty(), "it still runs, so nothing is started");
            assert!(!run_until(&mut machine, 1000).is_empty(), "it has to end");
            assert!(machine.ensure(MC).vm.exited(), "and starts again");
            assert!(!machine.ensure(MC).vm.exited(), "once");
        }
        // The last word counts.
        let mut machine = running(true);
        machine.ensure(MC).vm.poweroff_wait = 0;
        power_off(&mut machine.found(MC), at(100));
        power_on(&mut machine.found(MC));
        power_off(&mut machine.found(MC), at(101));
        assert!(!machine.ensure(MC).vm.exited());
        let mut machine = running(false);
        power_on(&mut machine.found(MC));
        assert!(!machine.ensure(MC).vm.exited(), "nobody switched it off");
    }

    #[test]
    fn a_process_of_an_earlier_run_is_not_started_beside() {
        let identity = Identity { pid: 77, started: 4711, boot: "b".into() };
        let mut machine = Machine::default();
        let vm = &mut machine.ensure(MC).vm;
        vm.start_command = Some("qemu".into());
        vm.start_now = true;
        vm.restore(identity.clone());
        assert_eq!(vm.search().as_ref(), Some(&identity));
        enabled(&mut machine.found(MC));
        power_on(&mut machine.found(MC));
        assert_eq!(machine.actions, [], "it is not known yet whether it is still there");
        started(&mut machine.found(MC), Some(identity));
        assert_eq!(machine.actions, [], "nothing that is not in the file already");
        power_off(&mut machine.found(MC), at(100));
        assert_eq!(run_until(&mut machine, 101), [(101, false)]);
        assert!(!exited(&mut machine.found(MC)));
        assert_eq!(machine.actions, [Action::save(StateFile::Process(MC))]);
        assert_eq!(machine.ensure(MC).vm.identity(), None);
    }

    #[test]
    fn the_end_cancels_the_countdown() {
        let mut machine = running(true);
        power_off(&mut machine.found(MC), at(2000));
        machine.ensure(MC).vm.exited();
        assert_eq!(run_until(&mut machine, 9000), []);
        assert!(!machine.ensure(MC).vm.exists());
    }
}
