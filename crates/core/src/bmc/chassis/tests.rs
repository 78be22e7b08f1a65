//! The chassis with each of its back ends.

use super::super::Machine;
use super::super::StateFile;
use super::super::channel::{Channel, Framing, medium, protocol};
use super::super::external::{Background, ProgramFailure, Then};
use super::*;
use crate::ipmi::{HostSignal, McAddress, capability};

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
        Channel::serial(ChannelNumber::SYSTEM_INTERFACE, medium::RS232, protocol::TERMINAL_MODE, Framing::Vm),
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
    watchdog_reset(&mut machine.found(MC), at(0));
    assert_eq!(told(&mut machine, at(1), Err(ProgramFailure)), "set reset Integer(1)");
    assert_eq!(machine.ensure(MC).chassis.restart_cause().0, RestartCause::Unknown, "it did not work");
    watchdog_reset(&mut machine.found(MC), at(0));
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
