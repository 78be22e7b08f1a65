//! The start-command process and its power-off countdown (`process.md` section 9).
//!
//! Owns whether the process exists and when it is told to end. Starts and signals nothing
//! itself: that goes out as [`Action`]s, and [`started`](VmProcess::started) and
//! [`exited`](VmProcess::exited) come back.

use std::time::Duration;

use super::{Action, Machine};
use crate::ipmi::Moment;

/// How long a process without a connected host has before SIGTERM.
const UNCONNECTED_WAIT: Duration = Duration::from_secs(1);

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

    /// The process runs.
    pub fn started(&mut self) {
        self.exists = true;
    }

    /// Whether its end was asked for.
    pub fn is_ending(&self) -> bool {
        self.ending
    }

    /// The process ended, or could not be started. Says whether it is to be started again.
    pub fn exited(&mut self) -> bool {
        self.exists = false;
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

/// Power on: starts the process. One that runs goes on; one that is just ending is started again
/// when it has ended, for it may have seen the power-off already.
pub fn power_on(machine: &mut Machine, mc: u8) {
    let Some(vm) = machine.controller_mut(mc).map(|controller| &mut controller.vm) else { return };
    if vm.exists {
        vm.again = vm.ending;
    } else if vm.start_command.is_some() {
        vm.exists = true;
        machine.actions.push(Action::StartProcess { mc });
    }
}

/// The controller was enabled: `startnow` starts the process.
pub fn enabled(machine: &mut Machine, mc: u8) {
    if machine.controller(mc).is_some_and(|controller| controller.vm.start_now) {
        power_on(machine, mc);
    }
}

/// Power off: the process gets SIGTERM after a while, and SIGKILL after another. A host
/// that is connected was told before and gets `poweroff_wait` seconds.
pub fn power_off(machine: &mut Machine, now: Moment, mc: u8) {
    let Some(controller) = machine.controller_mut(mc) else { return };
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
pub fn timeout(machine: &mut Machine, now: Moment, mc: u8) {
    let Some(vm) = machine.controller_mut(mc).map(|controller| &mut controller.vm) else { return };
    let Some(due) = vm.deadline().filter(|due| *due <= now) else { return };
    let kill = matches!(vm.countdown, Some(Countdown::Kill(_)));
    vm.countdown =
        (!kill && vm.kill_wait != 0).then(|| Countdown::Kill(due + Duration::from_secs(vm.kill_wait.into())));
    machine.actions.push(Action::SignalProcess { mc, kill });
}

#[cfg(test)]
mod tests {
    use super::super::channel::{Channel, medium, protocol};
    use super::*;

    const MC: u8 = 0x20;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    fn running(connected: bool) -> Machine {
        let mut machine = Machine::default();
        let controller = machine.ensure(MC);
        controller.channels.set(15, Channel::serial(15, medium::RS232, protocol::TERMINAL_MODE, true));
        controller.channels.host_mut().expect("channel 15").connected = connected;
        controller.vm.start_command = Some("qemu".into());
        power_on(&mut machine, MC);
        assert_eq!(machine.actions, [Action::StartProcess { mc: MC }]);
        machine.actions.clear();
        machine.ensure(MC).vm.started();
        machine
    }

    fn run_until(machine: &mut Machine, end: u64) -> Vec<(u64, bool)> {
        let mut signals = Vec::new();
        while let Some(due) = machine.ensure(MC).vm.deadline().filter(|due| *due <= at(end)) {
            timeout(machine, due, MC);
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
        power_off(&mut machine, at(100), MC);
        assert_eq!(run_until(&mut machine, 1000), [(101, false), (121, true)]);
    }

    #[test]
    fn a_connected_host_gets_poweroff_wait() {
        let mut machine = running(true);
        power_off(&mut machine, at(100), MC);
        power_off(&mut machine, at(130), MC);
        assert_eq!(run_until(&mut machine, 1000), [(160, false), (180, true)]);
    }

    #[test]
    fn zero_waits_for_ever() {
        let mut machine = running(true);
        machine.ensure(MC).vm.poweroff_wait = 0;
        power_off(&mut machine, at(100), MC);
        assert_eq!(run_until(&mut machine, 100_000), []);
        let mut machine = running(false);
        machine.ensure(MC).vm.kill_wait = 0;
        power_off(&mut machine, at(100), MC);
        assert_eq!(run_until(&mut machine, 100_000), [(101, false)]);
    }

    #[test]
    fn on_while_it_ends_starts_it_again_when_it_has_ended() {
        for connected in [false, true] {
            let mut machine = running(connected);
            power_off(&mut machine, at(100), MC);
            power_on(&mut machine, MC);
            assert!(machine.actions.is_empty(), "it still runs, so nothing is started");
            assert!(!run_until(&mut machine, 1000).is_empty(), "it has to end");
            assert!(machine.ensure(MC).vm.exited(), "and starts again");
            assert!(!machine.ensure(MC).vm.exited(), "once");
        }
        // The last word counts.
        let mut machine = running(true);
        machine.ensure(MC).vm.poweroff_wait = 0;
        power_off(&mut machine, at(100), MC);
        power_on(&mut machine, MC);
        power_off(&mut machine, at(101), MC);
        assert!(!machine.ensure(MC).vm.exited());
        let mut machine = running(false);
        power_on(&mut machine, MC);
        assert!(!machine.ensure(MC).vm.exited(), "nobody switched it off");
    }

    #[test]
    fn the_end_cancels_the_countdown() {
        let mut machine = running(true);
        power_off(&mut machine, at(2000), MC);
        machine.ensure(MC).vm.exited();
        assert_eq!(run_until(&mut machine, 9000), []);
        assert!(!machine.ensure(MC).vm.exists());
    }
}
