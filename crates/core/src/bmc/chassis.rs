//! Power, reset, identify, restore policy and front panel (`commands-core.md` section 7).
//!
//! A chassis has one of three back ends: the `chassis_control` program, the host on the VM
//! channel together with the start-command process, or, when a controller has none of
//! them, a built-in chassis that is only modelled. Owns which one it is, the power-cycle
//! timer, and the modelled state. Runs no program: it gives the
//! [`ProgramCall`] to make.

mod control;
mod cycle;
mod kept;
mod restore;
mod switch;
mod watchdog;

use std::time::Duration;

pub use control::{
    Controlled, NotSupported, Token, control, control_by_filter, disable_interface, enable_interface, program_done,
};
pub use cycle::timeout;
pub use kept::{AtStart, Kept, RestorePolicy, begin, change_settings};
pub use restore::power_restored;
pub use switch::process_ended;
pub use watchdog::{watchdog_can_reset, watchdog_power_cycle, watchdog_power_down, watchdog_reset};

use super::boot::{BootCause, BootOptions};
use super::external::{Identify, Kind, Operation, Parameter, ProgramCall, ProgramResult, Value};
use super::watch::Event;
use super::{Action, At, Controller, LogLevel, boot};
use crate::ipmi::{ChannelNumber, Moment};

/// How often a power cycle looks whether the power is off.
const CYCLE_STEP: Duration = Duration::from_secs(1);

/// What does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The `chassis_control` program.
    Program,
    /// The host on the VM channel, and the start-command process.
    Host,
    /// Nothing outside: the modelled chassis.
    BuiltIn,
}

/// What a chassis control is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Power down.
    PowerDown,
    /// Power up.
    PowerUp,
    /// Power down, then up.
    PowerCycle,
    /// Hard reset.
    Reset,
    /// Soft shutdown by the operating system.
    SoftShutdown,
    /// A non-maskable interrupt; only a VM host can do that.
    DiagnosticInterrupt,
}

/// Why the system was (re)started, IPMI 2.0 table 28-11.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestartCause {
    /// Nobody knows.
    #[default]
    Unknown = 0,
    /// Chassis Control.
    ChassisControl = 1,
    /// The watchdog ran out.
    Watchdog = 4,
    /// Power came back, and the policy is to switch on.
    AlwaysRestore = 6,
    /// Power came back, and it was on before.
    RestorePrevious = 7,
    /// An event filter reset it.
    FilterReset = 8,
    /// An event filter switched it off and on again.
    FilterPowerCycle = 9,
}

/// Boot device selectors a program knows by name: none, PXE, default (hard disk), CD-ROM,
/// BIOS set-up.
const NAMED_BOOT_DEVICES: [u8; 5] = [0, 1, 2, 5, 6];

/// The identify light of the built-in chassis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Light {
    #[default]
    Off,
    Until(Moment),
    Indefinitely,
}

/// How long the power was on, as far as it was seen.
#[derive(Clone, Copy, Debug, Default)]
struct OnTime {
    sum: Duration,
    since: Option<Moment>,
    /// Whether anybody has looked.
    observed: bool,
}

impl OnTime {
    fn observe(&mut self, now: Moment, on: bool) {
        self.observed = true;
        match (self.since, on) {
            (None, true) => self.since = Some(now),
            (Some(since), false) => {
                self.sum += now.since(since);
                self.since = None;
            }
            _ => {}
        }
    }

    fn total(&self, now: Moment) -> Duration {
        self.sum + self.since.map_or(Duration::ZERO, |since| now.since(since))
    }
}

/// Power, reset, identify, boot options and what else a chassis has.
#[derive(Debug, Default)]
pub struct Chassis {
    /// `chassis_control`: shell command prefix.
    pub program: Option<String>,
    /// Boot options.
    pub boot: BootOptions,
    /// What a client set and the state file keeps; `None` while nobody has set anything.
    kept: Option<Kept>,
    power: bool,
    identify: Light,
    restart: (RestartCause, ChannelNumber),
    on_time: OnTime,
    cycle_due: Option<Moment>,
    /// When the restore policy switches on, and what that is as a restart cause.
    restore_due: Option<(Moment, RestartCause)>,
    /// Counts the power commands, so that a cycle step that comes back late knows that it
    /// has been overtaken.
    generation: u64,
    /// Counts how often the machine was reset or cycled, by whatever way.
    resets: u64,
}

impl Chassis {
    /// When the power cycle looks again, the restore policy switches on, or boot flags lose
    /// their validity.
    pub fn deadline(&self) -> Option<Moment> {
        let restore_due = self.restore_due.map(|(due, _)| due);
        [self.cycle_due, restore_due, self.boot.deadline()].into_iter().flatten().min()
    }

    /// Why and over which channel the system was last started.
    pub fn restart_cause(&self) -> (RestartCause, ChannelNumber) {
        self.restart
    }

    /// How often the machine was reset, or switched on by a power cycle.
    pub fn resets(&self) -> u64 {
        self.resets
    }

    /// How long the power was on, as far as it was seen.
    pub fn power_on_time(&self, now: Moment) -> Duration {
        self.on_time.total(now)
    }

    /// Bits 6-4 of the third status byte (IPMI 2.0 table 28-3): identify is supported and
    /// off, timed, or on.
    pub fn identify_bits(&self, now: Moment) -> u8 {
        let state = match self.identify {
            Light::Until(end) if now < end => 0x10,
            Light::Off | Light::Until(_) => 0,
            Light::Indefinitely => 0x20,
        };
        0x40 | state
    }

    /// The call that asks the program for `get NAME` or gives it `set NAME "VALUE"`.
    pub fn call(
        &self,
        operation: Operation,
        name: &'static str,
        kind: Kind,
        value: Option<Value>,
    ) -> Option<ProgramCall> {
        let prefix = self.program.clone()?;
        Some(ProgramCall { prefix, operation, parameters: vec![Parameter { name, kind, value }] })
    }

    /// `get power`.
    fn get_power_call(&self) -> Option<ProgramCall> {
        self.call(Operation::Get, "power", Kind::Integer, None)
    }

    /// `set power`, `set reset` or `set shutdown`.
    fn control_call(&self, control: Control) -> Option<ProgramCall> {
        let (name, value) = match control {
            Control::PowerDown | Control::PowerCycle => ("power", 0),
            Control::PowerUp => ("power", 1),
            Control::Reset => ("reset", 1),
            Control::SoftShutdown => ("shutdown", 1),
            Control::DiagnosticInterrupt => return None,
        };
        self.call(Operation::Set, name, Kind::Integer, Some(Value::Integer(value)))
    }

    /// `set identify "SECONDS FORCE"`.
    pub fn identify_call(&self, identify: Identify) -> Option<ProgramCall> {
        self.call(Operation::Set, "identify", Kind::Identify, Some(Value::Identify(identify)))
    }

    /// `get boot`.
    pub fn get_boot_call(&self) -> Option<ProgramCall> {
        self.call(Operation::Get, "boot", Kind::BootDevice, None)
    }

    /// `set boot "NAME"`; a device without a name cannot be given to a program.
    pub fn set_boot_call(&self, device: u8) -> Option<ProgramCall> {
        if !NAMED_BOOT_DEVICES.contains(&device) {
            return None;
        }
        self.call(Operation::Set, "boot", Kind::BootDevice, Some(Value::BootDevice(device)))
    }

    /// Lights or darkens the built-in chassis' identify light: for so many seconds, 0 is
    /// off, or for ever.
    pub fn identify(&mut self, now: Moment, identify: Identify) {
        self.identify = match (identify.seconds, identify.force) {
            (_, true) => Light::Indefinitely,
            (0, false) => Light::Off,
            (seconds, false) => Light::Until(now + Duration::from_secs(seconds.into())),
        };
    }

    /// A program switched the power on: the machine boots, unless it is known to have been on.
    fn switched_on(&mut self, now: Moment) {
        if self.on_time.since.is_none() {
            self.boot.booted(BootCause::Control);
        }
        self.on_time.observe(now, true);
    }

    fn note_restart(&mut self, control: Control, channel: ChannelNumber) {
        if matches!(control, Control::PowerUp | Control::PowerCycle | Control::Reset) {
            self.restart = (RestartCause::ChassisControl, channel);
        }
    }

    /// A power command: whatever was to happen to the power later does not.
    fn cancel_cycle(&mut self) -> u64 {
        self.cycle_due = None;
        self.restore_due = None;
        self.generation += 1;
        self.generation
    }
}

/// What does the work for this controller.
pub fn backend(controller: &Controller) -> Backend {
    if controller.chassis.program.is_some() {
        Backend::Program
    } else if controller.channels.vm_host().is_some() || controller.vm.start_command.is_some() {
        Backend::Host
    } else {
        Backend::BuiltIn
    }
}

/// Whether the power is on, without a program: the start-command process exists, a VM host
/// is connected, or the built-in chassis is on.
fn modelled_power(controller: &Controller) -> bool {
    match backend(controller) {
        Backend::BuiltIn => controller.chassis.power,
        Backend::Program | Backend::Host => {
            controller.vm.exists() || controller.channels.host().is_some_and(|host| host.connected)
        }
    }
}

/// Whether the power is on as far as is known: nobody is asked and nothing is noted. Behind a program
/// it is what the program said last; off when it has not said anything.
pub fn known_power(controller: &Controller) -> bool {
    match backend(controller) {
        Backend::Program => controller.chassis.on_time.since.is_some(),
        Backend::Host | Backend::BuiltIn => modelled_power(controller),
    }
}

/// Whether the power is on as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerState {
    /// On; behind a program, when it was asked last.
    On,
    /// Off; behind a program, when it was asked last.
    Off,
    /// Nobody has asked the program.
    Unknown,
}

/// The power as far as is known: nobody is asked and nothing is noted.
pub fn power_state(controller: &Controller) -> PowerState {
    match (backend(controller), known_power(controller)) {
        (_, true) => PowerState::On,
        (Backend::Program, false) if !controller.chassis.on_time.observed => PowerState::Unknown,
        (_, false) => PowerState::Off,
    }
}

/// The power state, or the call that asks the program for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Power {
    /// On.
    On,
    /// Off.
    Off,
    /// The program must be asked; [`observed`] takes the response.
    Ask(ProgramCall),
}

/// The power state of a controller's chassis.
pub fn power(at: &mut At<'_>, now: Moment) -> Power {
    let controller = &mut **at;
    if let Some(call) = controller.chassis.get_power_call() {
        return Power::Ask(call);
    }
    let on = modelled_power(controller);
    controller.chassis.on_time.observe(now, on);
    if on { Power::On } else { Power::Off }
}

/// Whether the power was on when it was looked at last; now, where no program has to be asked.
pub fn last_power(at: &mut At<'_>, now: Moment) -> bool {
    match power(at, now) {
        Power::On => true,
        Power::Off => false,
        Power::Ask(_) => at.chassis.on_time.since.is_some(),
    }
}

/// What the program answered to `get power`: any number but a negative one is on or off.
pub fn observed(at: &mut At<'_>, now: Moment, result: &ProgramResult) -> Option<bool> {
    let on = match result.as_ref().ok()?.first()? {
        Value::Integer(value) if *value >= 0 => *value != 0,
        _ => return None,
    };
    at.chassis.on_time.observe(now, on);
    Some(on)
}

/// The boot flags are set; a program that does the work of the chassis knows the device by now.
pub fn boot_flags_set(at: &mut At<'_>, now: Moment, flags: [u8; 5]) {
    at.chassis.boot.set_flags(now, flags);
    if let Some(boots) = boot::boots(&flags) {
        let device = boot::Device(boot::device(&flags));
        let mc = at.address;
        at.tell(|| Event::BootDeviceSet { mc, device, boots });
    }
}

fn log(at: &mut At<'_>, what: &str) {
    let text = format!("Chassis of MC {:#04x}: {what}", at.address);
    at.push(Action::Log { level: LogLevel::Info, text });
}

#[cfg(test)]
mod tests;
