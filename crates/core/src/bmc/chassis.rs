//! Power, reset, identify, restore policy and front panel (`commands-core.md` section 7).
//!
//! A chassis has one of three back ends: the `chassis_control` program, the host on the VM
//! channel together with the start-command process, or, when a controller has none of
//! them, a built-in chassis that is only modelled. Owns which one it is, the power-cycle
//! timer, and the modelled state. Runs no program: it gives the
//! [`ProgramCall`] to make.

use std::time::Duration;

use super::boot::{BootCause, BootOptions};
use super::external::{Background, Identify, Kind, Operation, Parameter, ProgramCall, ProgramResult, Value};
use super::unsaved::Unchanged;
use super::watch::Event;
use super::{Action, At, Controller, LogLevel, StateFile, boot, vm_process};
use crate::ipmi::{ChannelNumber, HostSignal, Moment, capability};

/// How often a power cycle looks whether the power is off.
const CYCLE_STEP: Duration = Duration::from_secs(1);
/// How long the restore policy waits for a virtual machine that runs already: one that
/// outlived this program connects again, QEMU after the ten seconds of `reconnect=10`.
const RECONNECT_WAIT: Duration = Duration::from_secs(15);

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

/// Power restore policies, IPMI 2.0 section 28.8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestorePolicy {
    /// Stay off.
    #[default]
    AlwaysOff = 0,
    /// As it was.
    Previous = 1,
    /// Switch on.
    AlwaysOn = 2,
}

impl RestorePolicy {
    /// From its number; `None` for one without a meaning.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::AlwaysOff),
            1 => Some(Self::Previous),
            2 => Some(Self::AlwaysOn),
            _ => None,
        }
    }
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
}

impl OnTime {
    fn observe(&mut self, now: Moment, on: bool) {
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

/// The settings of a chassis that survive a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Power restore policy.
    pub restore_policy: RestorePolicy,
    /// Whether the power was on last, as far as [`RestorePolicy::Previous`] needs it.
    pub power: bool,
    /// How long a power cycle stays off, in seconds; 0 when nobody has set it.
    pub cycle_interval: u8,
    /// Buttons that are disabled (IPMI 2.0 table 28-7), bits 3 to 0: standby, diagnostic
    /// interrupt, reset, power.
    pub disabled_buttons: u8,
}

/// Buttons a client may disable: all.
const FRONT_PANEL_CAPABILITIES: u8 = 0xf0;

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
}

impl Chassis {
    /// When the power cycle looks again, the restore policy switches on, or boot flags lose
    /// their validity.
    pub fn deadline(&self) -> Option<Moment> {
        let restore_due = self.restore_due.map(|(due, _)| due);
        [self.cycle_due, restore_due, self.boot.deadline()].into_iter().flatten().min()
    }

    /// What the state file keeps, once a client has set something.
    pub fn kept(&self) -> Option<&Kept> {
        self.kept.as_ref()
    }

    /// Takes what the state file kept.
    pub fn restore(&mut self, kept: Kept) {
        self.kept = Some(kept);
    }

    /// Restores what it was; the power stays as it is.
    pub(super) fn take_back(&mut self, before: Option<Kept>) {
        let power = self.kept.is_some_and(|kept| kept.power);
        self.kept = before.map(|kept| Kept { power, ..kept });
    }

    /// Power restore policy.
    pub fn restore_policy(&self) -> RestorePolicy {
        self.kept.unwrap_or_default().restore_policy
    }

    /// Fourth byte of the chassis status, front panel: which buttons can be disabled (bits
    /// 7-4) and are (bits 3-0). `None` while nobody has disabled any: the original's status has
    /// no such byte.
    pub fn front_panel(&self) -> Option<u8> {
        let disabled = self.kept.unwrap_or_default().disabled_buttons;
        (disabled != 0).then_some(FRONT_PANEL_CAPABILITIES | disabled & 0x0f)
    }

    /// How long a power cycle waits before it looks for the first time.
    fn cycle_interval(&self) -> Duration {
        CYCLE_STEP.max(Duration::from_secs(self.kept.unwrap_or_default().cycle_interval.into()))
    }

    /// Why and over which channel the system was last started.
    pub fn restart_cause(&self) -> (RestartCause, ChannelNumber) {
        self.restart
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

/// Changes settings of a chassis and has them kept.
pub fn change_settings(at: &mut At<'_>, change: impl FnOnce(&mut Kept)) {
    let _ = at.change(StateFile::Chassis, |controller| {
        let power = modelled_power(controller);
        let before = controller.chassis.kept;
        let mut kept = before.unwrap_or_default();
        change(&mut kept);
        kept.power = power;
        if before == Some(kept) {
            return Err(Unchanged);
        }
        controller.chassis.kept = Some(kept);
        Ok(())
    });
}

/// Has the state of the power kept for [`RestorePolicy::Previous`]; under any other policy
/// nobody will ask for it.
fn note_power(at: &mut At<'_>) {
    let controller = &mut **at;
    let on = modelled_power(controller);
    if let Some(kept) = &mut controller.chassis.kept
        && kept.restore_policy == RestorePolicy::Previous
        && kept.power != on
    {
        kept.power = on;
        at.save_fact(StateFile::Chassis);
    }
}

/// The start of the program stands for power coming back: the restore policy is carried out
/// where a client has set one.
///
/// A machine behind a `chassis_control` program is left alone. It has its own power and was
/// running on while only this program was restarted, which cannot be told from a power
/// failure. A virtual machine that was left running connects again and is left alone, too;
/// one that does not within 15 s is started. `startnow` starts it at once,
/// whatever the policy says.
pub fn power_restored(at: &mut At<'_>, now: Moment) {
    let controller = &**at;
    let (Some(kept), true) = (controller.chassis.kept, controller.enabled) else { return };
    let cause = match kept.restore_policy {
        RestorePolicy::AlwaysOn => RestartCause::AlwaysRestore,
        RestorePolicy::Previous if kept.power => RestartCause::RestorePrevious,
        RestorePolicy::Previous | RestorePolicy::AlwaysOff => return,
    };
    if backend(controller) == Backend::Program || modelled_power(controller) {
        return;
    }
    let wait = if controller.channels.vm_host().is_some() { RECONNECT_WAIT } else { Duration::ZERO };
    at.chassis.restore_due = Some((now + wait, cause));
    restore_power(at, now);
}

/// Switches on if the restore policy is to do so now and nothing has done it before.
fn restore_power(at: &mut At<'_>, now: Moment) {
    let controller = &mut **at;
    let Some((due, cause)) = controller.chassis.restore_due.filter(|(due, _)| *due <= now) else { return };
    controller.chassis.restore_due = None;
    if !modelled_power(controller) {
        power_on(at, due, BootCause::Control);
        at.chassis.restart = (cause, ChannelNumber::PRIMARY_IPMB);
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

/// A chassis control cannot be done (CCh).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSupported;

/// What a chassis control leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Controlled {
    /// It is done.
    Done,
    /// Make this call and hand its success to [`program_done`] with the token.
    Call(ProgramCall, Token),
}

/// Which power command a program was run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    control: Control,
    generation: u64,
    channel: ChannelNumber,
}

/// Does what a Chassis Control over `channel` asks for.
pub fn control(
    at: &mut At<'_>,
    now: Moment,
    control: Control,
    channel: ChannelNumber,
) -> Result<Controlled, NotSupported> {
    let controller = &mut **at;
    let backend = backend(controller);
    let reset = controller.channels.host().is_some_and(|host| host.can(capability::RESET));
    let graceful = controller.channels.host().is_some_and(|host| host.can(capability::GRACEFUL_SHUTDOWN));
    // The specification leaves it to the chassis whether it has one (section 28.3). Nobody gets it
    // behind a program, in the built-in chassis, or while no machine is connected.
    let nmi = controller.channels.host().is_some_and(|host| host.connected && host.can(capability::NMI));
    let supported = match (backend, control) {
        (Backend::Host, Control::Reset) => reset,
        (Backend::Host, Control::SoftShutdown) => graceful,
        (Backend::Host, Control::DiagnosticInterrupt) => nmi,
        (_, Control::DiagnosticInterrupt) => false,
        _ => true,
    };
    if !supported {
        return Err(NotSupported);
    }
    let mc = at.address;
    at.tell(|| Event::PowerAsked { mc, control });
    let controller = &mut **at;
    let chassis = &mut controller.chassis;
    chassis.boot.control_received(now);
    if matches!(control, Control::PowerDown | Control::PowerCycle | Control::Reset) {
        controller.system_info.complete();
    }
    let generation = match control {
        Control::PowerDown | Control::PowerUp | Control::PowerCycle => chassis.cancel_cycle(),
        Control::Reset | Control::SoftShutdown | Control::DiagnosticInterrupt => chassis.generation,
    };
    if let Some(call) = chassis.control_call(control) {
        return Ok(Controlled::Call(call, Token { control, generation, channel }));
    }
    chassis.note_restart(control, channel);
    if backend == Backend::Host {
        log(at, words(control));
    }
    match control {
        Control::PowerDown => power_off(at, now),
        Control::PowerUp => power_on(at, now, BootCause::Control),
        Control::PowerCycle => {
            power_off(at, now);
            begin_cycle(at, now, generation);
        }
        Control::Reset => reset_host(at, BootCause::Control),
        Control::SoftShutdown => soft_shutdown(at, now),
        Control::DiagnosticInterrupt => tell_vm(at, HostSignal::Nmi),
    }
    Ok(Controlled::Done)
}

/// The program did what a chassis control asked for.
pub fn program_done(at: &mut At<'_>, now: Moment, token: Token) {
    let controller = &mut **at;
    controller.chassis.note_restart(token.control, token.channel);
    match token.control {
        Control::PowerDown => controller.chassis.on_time.observe(now, false),
        Control::PowerUp => controller.chassis.switched_on(now),
        Control::PowerCycle => {
            controller.chassis.on_time.observe(now, false);
            begin_cycle(at, now, token.generation);
        }
        Control::Reset => controller.chassis.boot.booted(BootCause::Control),
        Control::SoftShutdown | Control::DiagnosticInterrupt => {}
    }
    log(at, words(token.control));
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

/// A chassis control, for the log.
fn words(control: Control) -> &'static str {
    match control {
        Control::PowerDown => "power off",
        Control::PowerUp => "power on",
        Control::PowerCycle => "power cycle",
        Control::Reset => "reset",
        Control::DiagnosticInterrupt => "diagnostic interrupt",
        Control::SoftShutdown => "soft shutdown",
    }
}

fn log(at: &mut At<'_>, what: &str) {
    let text = format!("Chassis of MC {:#04x}: {what}", at.address);
    at.push(Action::Log { level: LogLevel::Info, text });
}

fn set_modelled_power(at: &mut At<'_>, now: Moment, on: bool, what: &str) {
    let chassis = &mut at.chassis;
    let changed = chassis.power != on;
    chassis.power = on;
    chassis.on_time.observe(now, on);
    if changed {
        log(at, what);
        note_power(at);
    }
}

fn tell_vm(at: &mut At<'_>, signal: HostSignal) {
    if at.channels.vm_host().is_some_and(|host| host.connected) {
        at.push(Action::Host { mc: at.address, signal });
    }
}

/// Power off without a program.
fn power_off(at: &mut At<'_>, now: Moment) {
    match backend(at) {
        Backend::BuiltIn => set_modelled_power(at, now, false, "power off"),
        Backend::Program | Backend::Host => {
            tell_vm(at, HostSignal::PowerOff);
            vm_process::power_off(at, now);
            note_power(at);
        }
    }
}

/// Power on without a program: the machine boots, if it was off.
fn power_on(at: &mut At<'_>, now: Moment, cause: BootCause) {
    let controller = &mut **at;
    if !modelled_power(controller) {
        controller.chassis.boot.booted(cause);
    }
    match backend(controller) {
        Backend::BuiltIn => set_modelled_power(at, now, true, "power on"),
        Backend::Program | Backend::Host => {
            vm_process::power_on(at);
            note_power(at);
        }
    }
}

/// Reset without a program; the built-in chassis keeps its power state.
fn reset_host(at: &mut At<'_>, cause: BootCause) {
    let controller = &mut **at;
    if modelled_power(controller) {
        controller.chassis.boot.booted(cause);
    }
    match backend(controller) {
        Backend::BuiltIn => log(at, "reset"),
        Backend::Program | Backend::Host => tell_vm(at, HostSignal::Reset),
    }
}

/// The start-command process of `mc` ended, or could not be started: the power is off, unless
/// power on came while it was ending.
pub fn process_ended(at: &mut At<'_>) {
    if vm_process::exited(at) {
        at.chassis.boot.booted(BootCause::Control);
        vm_process::power_on(at);
    }
    note_power(at);
}

/// Soft shutdown without a program; the operating system that is not there obeys at once.
fn soft_shutdown(at: &mut At<'_>, now: Moment) {
    match backend(at) {
        Backend::BuiltIn => set_modelled_power(at, now, false, "soft shutdown"),
        Backend::Program | Backend::Host => tell_vm(at, HostSignal::GracefulShutdown),
    }
}

/// Enables the BMC interface of a VM host (chassis control 15).
///
/// # Errors
/// There is no VM host.
pub fn enable_interface(at: &mut At<'_>) -> Result<(), NotSupported> {
    set_interface(at, true)
}

/// Disables the BMC interface of a VM host (chassis control 14).
///
/// # Errors
/// There is no VM host.
pub fn disable_interface(at: &mut At<'_>) -> Result<(), NotSupported> {
    set_interface(at, false)
}

fn set_interface(at: &mut At<'_>, enabled: bool) -> Result<(), NotSupported> {
    if at.channels.vm_host().is_none() {
        return Err(NotSupported);
    }
    tell_vm(at, HostSignal::Interface(enabled));
    Ok(())
}

/// A power cycle switched off: it looks again after the power cycle interval.
fn begin_cycle(at: &mut At<'_>, now: Moment, generation: u64) {
    let due = now + at.chassis.cycle_interval();
    arm_cycle(at, due, generation);
}

/// A power cycle found the power still on: it looks again in a second.
fn look_again(at: &mut At<'_>, now: Moment, generation: u64) {
    arm_cycle(at, now + CYCLE_STEP, generation);
}

fn arm_cycle(at: &mut At<'_>, due: Moment, generation: u64) {
    if at.chassis.generation == generation {
        at.chassis.cycle_due = Some(due);
    }
}

/// Does what is due: ends the validity of boot flags, and goes on with a power cycle: on
/// again once the power shows off.
pub fn timeout(at: &mut At<'_>, now: Moment) {
    at.chassis.boot.timeout(now);
    restore_power(at, now);
    if at.chassis.cycle_due.is_none_or(|due| due > now) {
        return;
    }
    at.chassis.cycle_due = None;
    let generation = at.chassis.generation;
    match power(at, now) {
        Power::On => look_again(at, now, generation),
        Power::Off => power_on(at, now, BootCause::Control),
        Power::Ask(call) => at.start(Background::Program {
            mc: at.address,
            call,
            then: Box::new(move |at, now, result| cycle_step(at, now, generation, &result)),
        }),
    }
}

/// The program said whether the power is off; a failure counts as "still on".
fn cycle_step(at: &mut At<'_>, now: Moment, generation: u64, result: &ProgramResult) {
    if at.chassis.generation != generation {
        return;
    }
    if observed(at, now, result) != Some(false) {
        look_again(at, now, generation);
        return;
    }
    if let Some(call) = at.chassis.control_call(Control::PowerUp) {
        at.start(Background::Program {
            mc: at.address,
            call,
            then: Box::new(move |at, now, result| {
                if result.is_ok() {
                    at.chassis.switched_on(now);
                }
            }),
        });
    }
}

/// Whether the watchdog can reset: a VM host said so, or there is something else that can.
pub fn watchdog_can_reset(controller: &Controller) -> bool {
    controller.channels.host().is_some_and(|host| host.can(capability::RESET)) || backend(controller) != Backend::Host
}

/// Lets the `chassis_control` program do what the watchdog wants: false where there is none, or a
/// virtual machine runs beside it, which is told by its own line as in the original.
fn watchdog_program(at: &mut At<'_>, control: Control) -> bool {
    let controller = &mut **at;
    let vm = controller.vm.exists() || controller.channels.vm_host().is_some_and(|host| host.connected);
    if vm || backend(controller) != Backend::Program {
        return false;
    }
    let chassis = &mut controller.chassis;
    let generation = if control == Control::Reset { chassis.generation } else { chassis.cancel_cycle() };
    let Some(call) = chassis.control_call(control) else { return false };
    at.start(Background::Program {
        mc: at.address,
        call,
        then: Box::new(move |at, now, result| {
            if result.is_err() {
                return;
            }
            let controller = &mut **at;
            if control != Control::PowerDown {
                controller.chassis.boot.booted(BootCause::Watchdog);
                note_watchdog_restart(controller);
            }
            if control != Control::Reset {
                controller.chassis.on_time.observe(now, false);
            }
            if control == Control::PowerCycle {
                begin_cycle(at, now, generation);
            }
        }),
    });
    true
}

fn note_watchdog_restart(controller: &mut Controller) {
    controller.chassis.restart = (RestartCause::Watchdog, ChannelNumber::SYSTEM_INTERFACE);
}

/// The watchdog resets.
pub fn watchdog_reset(at: &mut At<'_>) {
    if watchdog_program(at, Control::Reset) {
        return;
    }
    note_watchdog_restart(at);
    reset_host(at, BootCause::Watchdog);
}

/// The watchdog switches off.
pub fn watchdog_power_down(at: &mut At<'_>, now: Moment) {
    if !watchdog_program(at, Control::PowerDown) {
        power_off(at, now);
    }
}

/// The watchdog switches off and on again; a power cycle that is under way goes on.
pub fn watchdog_power_cycle(at: &mut At<'_>, now: Moment) {
    if watchdog_program(at, Control::PowerCycle) {
        return;
    }
    power_off(at, now);
    let controller = &mut **at;
    note_watchdog_restart(controller);
    controller.chassis.boot.booted(BootCause::Watchdog);
    if controller.chassis.cycle_due.is_none() {
        let generation = controller.chassis.generation;
        begin_cycle(at, now, generation);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Machine;
    use super::super::channel::{Channel, medium, protocol};
    use super::super::external::{ProgramFailure, Then};
    use super::*;
    use crate::ipmi::McAddress;

    const MC: McAddress = McAddress::BMC;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    fn built_in() -> Machine {
        let mut machine = Machine::default();
        machine.ensure(MC);
        machine
    }

    fn with_host(announced: u8, connected: bool) -> Machine {
        let mut machine = Machine::default();
        let channels = &mut machine.ensure(MC).channels;
        channels.set(
            ChannelNumber::SYSTEM_INTERFACE,
            Channel::serial(ChannelNumber::SYSTEM_INTERFACE, medium::RS232, protocol::TERMINAL_MODE, true),
        );
        let host = channels.host_mut().expect("channel 15");
        host.announced = announced;
        host.connected = connected;
        machine
    }

    /// What goes on with the program that was asked for last.
    fn then_of(job: Option<Background>) -> Then<ProgramResult> {
        match job {
            Some(Background::Program { then, .. }) => then,
            other => panic!("no program: {other:?}"),
        }
    }

    fn with_program() -> Machine {
        let mut machine = with_host(0, false);
        machine.ensure(MC).chassis.program = Some("prog".into());
        machine
    }

    fn host_signals(machine: &mut Machine) -> Vec<HostSignal> {
        let signals = machine.actions.iter().filter_map(|action| match action {
            Action::Host { mc: MC, signal } => Some(*signal),
            _ => None,
        });
        let signals = signals.collect();
        machine.actions.clear();
        signals
    }

    fn ask(machine: &mut Machine, now: Moment, what: Control) -> Result<Controlled, NotSupported> {
        control(&mut machine.found(MC), now, what, ChannelNumber::LAN)
    }

    #[test]
    fn the_built_in_chassis_switches_and_cycles() {
        let mut machine = built_in();
        assert_eq!(power(&mut machine.found(MC), at(1)), Power::Off);
        assert_eq!(ask(&mut machine, at(1), Control::PowerUp), Ok(Controlled::Done));
        assert_eq!(power(&mut machine.found(MC), at(2)), Power::On);
        assert_eq!(ask(&mut machine, at(11), Control::PowerCycle), Ok(Controlled::Done));
        assert_eq!(power(&mut machine.found(MC), at(11)), Power::Off);
        assert_eq!(machine.ensure(MC).chassis.deadline(), Some(at(12)));
        timeout(&mut machine.found(MC), at(12));
        assert_eq!(power(&mut machine.found(MC), at(12)), Power::On);
        assert_eq!(machine.ensure(MC).chassis.deadline(), None);
        assert_eq!(machine.ensure(MC).chassis.power_on_time(at(20)), Duration::from_secs(18));
        assert_eq!(ask(&mut machine, at(20), Control::SoftShutdown), Ok(Controlled::Done));
        assert_eq!(power(&mut machine.found(MC), at(20)), Power::Off);
    }

    #[test]
    fn a_power_command_overtakes_a_cycle() {
        let mut machine = built_in();
        ask(&mut machine, at(1), Control::PowerCycle).expect("supported");
        ask(&mut machine, at(1), Control::PowerDown).expect("supported");
        timeout(&mut machine.found(MC), at(5));
        assert_eq!(power(&mut machine.found(MC), at(5)), Power::Off);
    }

    #[test]
    fn a_host_can_what_it_announced() {
        let mut machine = with_host(0, true);
        assert_eq!(ask(&mut machine, at(1), Control::Reset), Err(NotSupported));
        assert_eq!(ask(&mut machine, at(1), Control::SoftShutdown), Err(NotSupported));
        assert_eq!(ask(&mut machine, at(1), Control::PowerDown), Ok(Controlled::Done));
        assert_eq!(host_signals(&mut machine), [HostSignal::PowerOff]);
        let mut machine = with_host(0x3f, true);
        ask(&mut machine, at(1), Control::Reset).expect("announced");
        ask(&mut machine, at(1), Control::SoftShutdown).expect("announced");
        assert_eq!(host_signals(&mut machine), [HostSignal::Reset, HostSignal::GracefulShutdown]);
        disable_interface(&mut machine.found(MC)).expect("a VM");
        assert_eq!(host_signals(&mut machine), [HostSignal::Interface(false)]);
        assert_eq!(power(&mut machine.found(MC), at(1)), Power::On);
    }

    #[test]
    fn a_diagnostic_interrupt_needs_a_host_that_announced_it() {
        let interrupt = Control::DiagnosticInterrupt;
        let mut machine = with_host(capability::RESET, true);
        assert_eq!(ask(&mut machine, at(1), interrupt), Err(NotSupported));
        let mut machine = with_host(capability::NMI, false);
        assert_eq!(ask(&mut machine, at(1), interrupt), Err(NotSupported), "it announced it and is gone");
        let mut machine = with_host(capability::NMI, true);
        assert_eq!(ask(&mut machine, at(1), interrupt), Ok(Controlled::Done));
        assert_eq!(host_signals(&mut machine), [HostSignal::Nmi]);
        assert_eq!(ask(&mut built_in(), at(1), interrupt), Err(NotSupported));
        assert_eq!(ask(&mut with_program(), at(1), interrupt), Err(NotSupported));
    }

    #[test]
    fn a_cycle_waits_while_the_host_stays_connected() {
        let mut machine = with_host(0, true);
        machine.ensure(MC).vm.start_command = Some("qemu".into());
        ask(&mut machine, at(1), Control::PowerCycle).expect("supported");
        assert_eq!(host_signals(&mut machine), [HostSignal::PowerOff]);
        timeout(&mut machine.found(MC), at(2));
        assert_eq!(machine.ensure(MC).chassis.deadline(), Some(at(3)));
        machine.ensure(MC).channels.host_mut().expect("channel 15").connected = false;
        timeout(&mut machine.found(MC), at(3));
        assert_eq!(machine.actions, [Action::StartProcess { mc: MC }]);
    }

    #[test]
    fn the_program_beats_the_host_and_is_asked_until_the_power_is_off() {
        let mut machine = with_program();
        let Ok(Controlled::Call(call, token)) = ask(&mut machine, at(1), Control::PowerCycle) else {
            panic!("no call");
        };
        assert_eq!((call.operation, call.parameters[0].name), (Operation::Set, "power"));
        assert_eq!(call.parameters[0].value, Some(Value::Integer(0)));
        program_done(&mut machine.found(MC), at(4), token);
        // The host hears nothing, and the log what was done.
        let text = "Chassis of MC 0x20: power cycle".into();
        assert_eq!(std::mem::take(&mut machine.actions), [Action::Log { level: LogLevel::Info, text }]);
        assert_eq!(machine.ensure(MC).chassis.deadline(), Some(at(5)));
        for response in [Ok(vec![Value::Integer(1)]), Err(ProgramFailure), Ok(vec![Value::Integer(-1)])] {
            let due = machine.ensure(MC).chassis.deadline().expect("armed again");
            timeout(&mut machine.found(MC), due);
            then_of(machine.jobs.pop())(&mut machine.found(MC), due, response);
        }
        let due = machine.ensure(MC).chassis.deadline().expect("armed again");
        timeout(&mut machine.found(MC), due);
        then_of(machine.jobs.pop())(&mut machine.found(MC), due, Ok(vec![Value::Integer(0)]));
        let Some(Background::Program { call: on, .. }) = machine.jobs.pop() else { panic!("no call") };
        assert_eq!(on.parameters[0].value, Some(Value::Integer(1)));
        assert_eq!(machine.ensure(MC).chassis.deadline(), None);
    }

    #[test]
    fn a_late_step_of_an_overtaken_cycle_does_nothing() {
        let mut machine = with_program();
        let Ok(Controlled::Call(_, cycle)) = ask(&mut machine, at(1), Control::PowerCycle) else { panic!("no call") };
        let Ok(Controlled::Call(..)) = ask(&mut machine, at(1), Control::PowerDown) else { panic!("no call") };
        program_done(&mut machine.found(MC), at(2), cycle);
        assert_eq!(machine.ensure(MC).chassis.deadline(), None);
    }

    fn restored(mut machine: Machine, policy: RestorePolicy, was_on: bool) -> (Power, RestartCause) {
        let controller = machine.ensure(MC);
        controller.enabled = true;
        controller.chassis.restore(Kept { restore_policy: policy, power: was_on, ..Kept::default() });
        power_restored(&mut machine.found(MC), at(5));
        (power(&mut machine.found(MC), at(5)), machine.ensure(MC).chassis.restart_cause().0)
    }

    #[test]
    fn the_restore_policy_is_carried_out_at_the_start() {
        use RestorePolicy::{AlwaysOff, AlwaysOn, Previous};
        assert_eq!(restored(built_in(), AlwaysOff, true), (Power::Off, RestartCause::Unknown));
        assert_eq!(restored(built_in(), AlwaysOn, false), (Power::On, RestartCause::AlwaysRestore));
        assert_eq!(restored(built_in(), Previous, false), (Power::Off, RestartCause::Unknown));
        assert_eq!(restored(built_in(), Previous, true), (Power::On, RestartCause::RestorePrevious));
        let mut command = built_in();
        command.ensure(MC).vm.start_command = Some("qemu".into());
        assert_eq!(restored(command, AlwaysOn, false), (Power::On, RestartCause::AlwaysRestore));
        // Hardware of its own is left alone.
        let (_, cause) = restored(with_program(), AlwaysOn, false);
        assert_eq!(cause, RestartCause::Unknown);
    }

    /// Whether a virtual machine is started 15 s after the start, `meanwhile` having happened.
    fn started_after(policy: RestorePolicy, meanwhile: impl Fn(&mut Machine)) -> bool {
        let mut machine = with_host(0, false);
        let controller = machine.ensure(MC);
        controller.enabled = true;
        controller.vm.start_command = Some("qemu".into());
        controller.chassis.restore(Kept { restore_policy: policy, power: true, ..Kept::default() });
        power_restored(&mut machine.found(MC), at(5));
        assert_eq!(power(&mut machine.found(MC), at(19)), Power::Off);
        meanwhile(&mut machine);
        let due = machine.ensure(MC).chassis.deadline();
        if let Some(due) = due {
            assert_eq!(due, at(20));
            timeout(&mut machine.found(MC), due);
            assert_eq!(machine.ensure(MC).chassis.deadline(), None);
        }
        machine.actions.contains(&Action::StartProcess { mc: MC })
    }

    #[test]
    fn the_restore_policy_never_starts_a_virtual_machine_twice() {
        for policy in [RestorePolicy::AlwaysOn, RestorePolicy::Previous] {
            assert!(started_after(policy, |_| {}));
            let connects = |machine: &mut Machine| {
                machine.ensure(MC).channels.host_mut().expect("channel 15").connected = true;
            };
            assert!(!started_after(policy, connects));
            let off = |machine: &mut Machine| {
                ask(machine, at(19), Control::PowerDown).expect("supported");
                assert_eq!(
                    machine.ensure(MC).chassis.kept().map(|kept| kept.power),
                    Some(policy != RestorePolicy::Previous)
                );
            };
            assert!(!started_after(policy, off));
        }
        assert!(!started_after(RestorePolicy::AlwaysOff, |_| {}));
    }

    #[test]
    fn the_power_is_kept_only_for_the_policy_that_asks_for_it() {
        let mut machine = built_in();
        let save = Action::save(StateFile::Chassis(MC));
        let saved = |machine: &mut Machine| std::mem::take(&mut machine.actions).contains(&save);
        ask(&mut machine, at(1), Control::PowerUp).expect("supported");
        assert!(!saved(&mut machine), "nobody has set a policy");
        change_settings(&mut machine.found(MC), |kept| kept.restore_policy = RestorePolicy::Previous);
        assert!(saved(&mut machine));
        assert_eq!(machine.ensure(MC).chassis.kept().map(|kept| kept.power), Some(true));
        ask(&mut machine, at(2), Control::PowerUp).expect("supported");
        assert!(!saved(&mut machine), "it was on");
        ask(&mut machine, at(3), Control::SoftShutdown).expect("supported");
        assert!(saved(&mut machine));
        assert_eq!(machine.ensure(MC).chassis.kept().map(|kept| kept.power), Some(false));
        change_settings(&mut machine.found(MC), |kept| kept.restore_policy = RestorePolicy::AlwaysOff);
        assert!(saved(&mut machine));
        ask(&mut machine, at(4), Control::PowerUp).expect("supported");
        assert!(!saved(&mut machine));
    }

    #[test]
    fn a_boot_device_without_a_name_is_no_call() {
        let mut machine = with_program();
        let chassis = &machine.ensure(MC).chassis;
        let named: Vec<u8> = (0..16).filter(|device| chassis.set_boot_call(*device).is_some()).collect();
        assert_eq!(named, NAMED_BOOT_DEVICES);
    }

    #[test]
    fn identify_ends_by_itself() {
        let mut machine = built_in();
        let chassis = &mut machine.ensure(MC).chassis;
        chassis.identify(at(10), Identify { seconds: 15, force: false });
        assert_eq!(chassis.identify_bits(at(24)), 0x50);
        assert_eq!(chassis.identify_bits(at(25)), 0x40);
        chassis.identify(at(30), Identify { seconds: 0, force: true });
        assert_eq!(chassis.identify_bits(at(9999)), 0x60);
        chassis.identify(at(9999), Identify { seconds: 0, force: false });
        assert_eq!(chassis.identify_bits(at(9999)), 0x40);
    }

    #[test]
    fn the_watchdog_asks_a_machine_that_runs_and_not_the_program() {
        let mut machine = with_program();
        machine.ensure(MC).channels.host_mut().expect("channel 15").connected = true;
        watchdog_power_cycle(&mut machine.found(MC), at(1));
        assert_eq!(host_signals(&mut machine), [HostSignal::PowerOff]);
        timeout(&mut machine.found(MC), at(2));
        assert!(matches!(machine.jobs.pop(), Some(Background::Program { .. })));
        assert!(watchdog_can_reset(built_in().ensure(MC)));
        assert!(!watchdog_can_reset(with_host(0, true).ensure(MC)), "it did not say that it can");
    }

    /// What the program was told, and whether it did it.
    fn told(machine: &mut Machine, now: Moment, response: ProgramResult) -> String {
        let Background::Program { call, then, .. } = machine.jobs.remove(0) else { panic!("no call") };
        let operation = if call.operation == Operation::Set { "set" } else { "get" };
        let value = call.parameters[0].value.as_ref().map(|value| format!("{value:?}")).unwrap_or_default();
        let text = format!("{operation} {} {value}", call.parameters[0].name);
        then(&mut machine.found(MC), now, response);
        text.trim_end().to_owned()
    }

    #[test]
    fn behind_a_program_the_watchdog_runs_it() {
        let mut machine = with_program();
        machine.ensure(MC).channels.host_mut().expect("channel 15").connected = false;
        assert!(watchdog_can_reset(machine.ensure(MC)));
        watchdog_reset(&mut machine.found(MC));
        assert_eq!(told(&mut machine, at(1), Err(ProgramFailure)), "set reset Integer(1)");
        assert_eq!(machine.ensure(MC).chassis.restart_cause().0, RestartCause::Unknown, "it did not work");
        watchdog_reset(&mut machine.found(MC));
        assert_eq!(told(&mut machine, at(1), Ok(vec![])), "set reset Integer(1)");
        assert_eq!(machine.ensure(MC).chassis.restart_cause().0, RestartCause::Watchdog);
        watchdog_power_down(&mut machine.found(MC), at(2));
        assert_eq!(told(&mut machine, at(2), Ok(vec![])), "set power Integer(0)");
        assert_eq!(machine.ensure(MC).chassis.deadline(), None);
        watchdog_power_cycle(&mut machine.found(MC), at(3));
        assert_eq!(told(&mut machine, at(3), Ok(vec![])), "set power Integer(0)");
        timeout(&mut machine.found(MC), at(4));
        assert_eq!(told(&mut machine, at(4), Ok(vec![Value::Integer(0)])), "get power");
        assert_eq!(told(&mut machine, at(4), Ok(vec![])), "set power Integer(1)");
        assert_eq!((machine.ensure(MC).chassis.deadline(), machine.actions.len()), (None, 0));
    }
}
