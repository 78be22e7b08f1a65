//! Chassis commands, IPMI 2.0 chapter 28.

mod boot;

use super::{Context, Entry, Outcome};
use crate::bmc::chassis::{self, Backend, Control, Controlled, NotSupported, Power, RestorePolicy};
use crate::bmc::device_id::support;
use crate::bmc::external::{Identify, ProgramCall, Value};
use crate::ipmi::{CompletionCode, McAddress, Request, Response};

/// The Chassis commands, by number.
#[rustfmt::skip]
pub static COMMANDS: &[Entry] = &[
    Entry::new(0x00, "Get Chassis Capabilities", get_capabilities).gate(is_chassis).user().reads()
        .fields("", "flags fru_device sdr_device sel_device sm_device"),
    Entry::new(0x01, "Get Chassis Status", get_status).gate(is_chassis).user().reads()
        .fields("", "power&01{off,on}|fault&1e|policy&60{off,previous,on} last_event state"),
    Entry::new(0x02, "Chassis Control", control).gate(is_chassis).at_least(1).operator().acts().keeps()
        .fields("control&0f{off,on,cycle,reset,diag,soft}", ""),
    Entry::new(0x04, "Chassis Identify", identify).gate(is_chassis).operator()
        .fields("seconds:d1 force&01{no,yes}", ""),
    Entry::new(0x06, "Set Power Restore Policy", set_restore_policy).gate(is_chassis).at_least(1)
        .operator().keeps().ours().fields("policy&07{off,previous,on,unchanged}", "supported"),
    Entry::new(0x07, "Get System Restart Cause", get_restart_cause).gate(is_chassis).user().reads().ours()
        .fields("", "cause&0f"),
    Entry::new(0x08, "Set System Boot Options", boot::set_options).gate(is_chassis).at_least(1).operator()
        .fields("parameter&7f|invalid&80 data:*", ""),
    Entry::new(0x09, "Get System Boot Options", boot::get_options).gate(is_chassis).at_least(3).operator().reads()
        .fields("parameter&7f set block", "version&0f parameter&7f|invalid&80 data:*"),
    Entry::new(0x0a, "Set Front Panel Enables", set_front_panel).gate(is_chassis).at_least(1)
        .administrator().keeps().ours(),
    Entry::new(0x0b, "Set Power Cycle Interval", set_cycle_interval).gate(is_chassis).at_least(1)
        .administrator().keeps().ours(),
    Entry::new(0x0f, "Get POH Counter", get_power_on_hours).gate(is_chassis).user().reads().ours()
        .fields("", "minutes_per_count:d1 count:d4"),
];

/// How long the identify light is on when nobody says.
const IDENTIFY_SECONDS: u8 = 15;
/// Power restore policies that can be set: always off, previous, always on.
const SUPPORTED_POLICIES: u8 = 0x07;
/// Power restore policy that only asks which ones there are.
const NO_CHANGE: u8 = 3;
/// Minutes per count of the power-on-hours counter.
const MINUTES_PER_COUNT: u8 = 60;

fn is_chassis(context: &Context<'_>) -> bool {
    context.controller_is(|controller| controller.device.supports(support::CHASSIS))
}

/// Runs a program and answers with what `then` writes when it succeeded, else with FFh.
fn run(
    call: ProgramCall,
    then: impl FnOnce(&mut Context<'_>, Vec<Value>, &mut Response) -> Result<(), CompletionCode> + Send + 'static,
) -> Result<Outcome, CompletionCode> {
    Ok(Outcome::program(call, move |context, result, response| {
        then(context, result.map_err(|_| CompletionCode::UNSPECIFIED)?, response)?;
        Ok(Outcome::Done)
    }))
}

/// Response: capabilities, then the addresses of FRU, SDR, SEL and system management device:
/// all the BMC's.
fn get_capabilities(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let bmc = context.machine.bmc.unwrap_or(McAddress::NONE).0;
    response.put(&[0, bmc, bmc, bmc, bmc])?;
    Ok(Outcome::Done)
}

/// Response: power state (bit 0) and restore policy (bits 6-5), last power event, other
/// state (bits 6-4: identify light of a built-in chassis), and front panel buttons where the
/// chassis has them.
fn get_status(context: &mut Context<'_>, _: &Request<'_>, response: &mut Response) -> Result<Outcome, CompletionCode> {
    let now = context.now;
    match chassis::power(&mut context.at()?, now) {
        Power::On => put_status(context, true, response)?,
        Power::Off => put_status(context, false, response)?,
        Power::Ask(call) => {
            return run(call, |context, values, response| {
                let now = context.now;
                let on = chassis::observed(&mut context.at()?, now, &Ok(values));
                put_status(context, on.ok_or(CompletionCode::UNSPECIFIED)?, response)
            });
        }
    }
    Ok(Outcome::Done)
}

fn put_status(context: &mut Context<'_>, on: bool, response: &mut Response) -> Result<(), CompletionCode> {
    let now = context.now;
    let controller = context.controller()?;
    let backend = chassis::backend(controller);
    let chassis = &controller.chassis;
    let other = if backend == Backend::BuiltIn { chassis.identify_bits(now) } else { 0 };
    response.put(&[u8::from(on) | (chassis.restore_policy() as u8) << 5, 0, other])?;
    match chassis.front_panel() {
        Some(buttons) => response.put(&[buttons]),
        None => Ok(()),
    }
}

/// Request: control (bits 3-0). 4, the diagnostic interrupt, is CCh without a VM host that
/// can do it; 6 to 13 do nothing, as in the original; 14 and 15 disable and enable the
/// interface of a VM host.
fn control(context: &mut Context<'_>, request: &Request<'_>, _: &mut Response) -> Result<Outcome, CompletionCode> {
    let what = match request.data.first().ok_or(CompletionCode::INVALID_LENGTH)? & 0x0f {
        0 => Control::PowerDown,
        1 => Control::PowerUp,
        2 => Control::PowerCycle,
        3 => Control::Reset,
        4 => Control::DiagnosticInterrupt,
        5 => Control::SoftShutdown,
        14 => return done(chassis::disable_interface(&mut context.at()?)),
        15 => return done(chassis::enable_interface(&mut context.at()?)),
        _ => return Ok(Outcome::Done),
    };
    let channel = context.origin.channel;
    let now = context.now;
    match chassis::control(&mut context.at()?, now, what, channel) {
        Ok(Controlled::Done) => Ok(Outcome::Done),
        Ok(Controlled::Call(call, token)) => run(call, move |context, _, _| {
            let now = context.now;
            chassis::program_done(&mut context.at()?, now, token);
            Ok(())
        }),
        Err(NotSupported) => Err(CompletionCode::INVALID_FIELD),
    }
}

fn done(result: Result<(), NotSupported>) -> Result<Outcome, CompletionCode> {
    result.map(|()| Outcome::Done).map_err(|NotSupported| CompletionCode::INVALID_FIELD)
}

/// Request: seconds (15 when absent), force (bit 0).
fn identify(context: &mut Context<'_>, request: &Request<'_>, _: &mut Response) -> Result<Outcome, CompletionCode> {
    let seconds = request.data.first().copied().unwrap_or(IDENTIFY_SECONDS);
    let force = request.data.get(1).is_some_and(|byte| byte & 1 != 0);
    let (now, identify) = (context.now, Identify { seconds, force });
    let controller = context.controller()?;
    if let Some(call) = controller.chassis.identify_call(identify) {
        return run(call, |_, _, _| Ok(()));
    }
    if chassis::backend(controller) != Backend::BuiltIn {
        return Err(CompletionCode::INVALID_FIELD);
    }
    controller.chassis.identify(now, identify);
    Ok(Outcome::Done)
}

/// Request: policy (bits 2-0; 3 changes nothing). Response: supported policies.
fn set_restore_policy(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let policy = request.data.first().ok_or(CompletionCode::INVALID_LENGTH)? & 0x07;
    if policy != NO_CHANGE {
        let policy = RestorePolicy::from_number(policy).ok_or(CompletionCode::INVALID_FIELD)?;
        chassis::change_settings(&mut context.at()?, |kept| kept.restore_policy = policy);
    }
    response.put(&[SUPPORTED_POLICIES])?;
    Ok(Outcome::Done)
}

/// Request: buttons to disable (bits 3-0: standby, diagnostic interrupt, reset, power).
fn set_front_panel(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let disabled = request.data.first().ok_or(CompletionCode::INVALID_LENGTH)? & 0x0f;
    chassis::change_settings(&mut context.at()?, |kept| kept.disabled_buttons = disabled);
    Ok(Outcome::Done)
}

/// Request: seconds that a power cycle stays off.
fn set_cycle_interval(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let seconds = *request.data.first().ok_or(CompletionCode::INVALID_LENGTH)?;
    chassis::change_settings(&mut context.at()?, |kept| kept.cycle_interval = seconds);
    Ok(Outcome::Done)
}

/// Response: restart cause, channel it came over.
fn get_restart_cause(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (cause, channel) = context.controller()?.chassis.restart_cause();
    response.put(&[cause as u8, channel.get()])?;
    Ok(Outcome::Done)
}

/// Response: minutes per count, count (4).
fn get_power_on_hours(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let now = context.now;
    // Looks at the power, so that it is counted up to now; a program is not asked for this.
    chassis::power(&mut context.at()?, now);
    let minutes = context.controller()?.chassis.power_on_time(now).as_secs() / 60;
    let count = u32::try_from(minutes / u64::from(MINUTES_PER_COUNT)).unwrap_or(u32::MAX);
    response.put(&[MINUTES_PER_COUNT])?;
    response.put(&count.to_le_bytes())?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::rc::Rc;
    use std::time::Duration;

    use crate::bmc::Action;
    use crate::bmc::channel::Channel;
    use crate::bmc::external::{ProgramFailure, Value};
    use crate::command::testing::{BMC, Rig, SATELLITE};
    use crate::ipmi::{ChannelNumber, HostSignal, McAddress};

    /// A `chassis_control` program that keeps its parameters, as the one of the recording.
    fn with_program() -> Rig {
        let mut rig = Rig::new();
        rig.machine.ensure(BMC).chassis.program = Some("prog".into());
        let state = Rc::new(RefCell::new(HashMap::from([("power".to_string(), 0), ("boot".to_string(), 2)])));
        rig.script = Box::new(move |line| {
            let mut state = state.borrow_mut();
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["get", "power"] => Ok(vec![Value::Integer(state["power"])]),
                ["get", "boot"] => Ok(vec![Value::BootDevice(state["boot"] as u8)]),
                ["set", name, value, ..] => {
                    state.insert(name.into(), value.parse().expect("a number"));
                    Ok(Vec::new())
                }
                _ => Err(ProgramFailure),
            }
        });
        rig
    }

    fn built_in() -> Rig {
        let mut rig = Rig::new();
        rig.machine.ensure(BMC).channels.set(ChannelNumber::SYSTEM_INTERFACE, Channel::system_interface());
        rig
    }

    fn host_signals(rig: &mut Rig) -> Vec<HostSignal> {
        let signals = rig.machine.actions.drain(..).filter_map(|action| match action {
            Action::Host { mc: BMC, signal } => Some(signal),
            // The log is told as well.
            Action::Log { text, .. } if text.starts_with("Chassis of MC 0x20: ") => None,
            other => panic!("unexpected {other:?}"),
        });
        signals.collect()
    }

    /// Recorded: `core-chassis`.
    #[test]
    fn a_program_is_called_as_recorded() {
        let mut rig = with_program();
        rig.expect(
            "00 01 -> 00 00 00 00
             00 02 01 -> 00
             00 01 -> 00 01 00 00
             00 02 00 -> 00
             00 01 -> 00 00 00 00
             00 02 02 -> 00
             00 01 -> 00 00 00 00",
        );
        rig.wait(Duration::from_millis(2200));
        rig.expect("00 01 -> 00 01 00 00\n 00 07 -> 00 01 01");
        let power = ["get power", "set power 1", "get power", "set power 0", "get power", "set power 0", "get power"];
        let cycle = ["get power", "set power 1", "get power"];
        assert_eq!(rig.calls, [&power[..], &cycle[..]].concat());
        rig.calls.clear();
        rig.expect(
            "00 02 03 -> 00
             00 02 04 -> cc
             00 02 05 -> 00
             00 02 06 -> 00
             00 02 0d -> 00
             00 02 11 -> 00
             00 02 f0 -> 00
             00 04 -> 00
             00 04 14 ff -> 00
             00 04 05 00 00 -> 00",
        );
        let wanted = [
            "set reset 1",
            "set shutdown 1",
            "set power 1",
            "set power 0",
            "set identify 15 0",
            "set identify 20 1",
            "set identify 5 0",
        ];
        assert_eq!(rig.calls, wanted);
    }

    #[test]
    fn boot_flags_behind_a_program_are_read_as_they_were_set() {
        let mut rig = with_program();
        rig.expect(
            "00 09 05 00 00 -> 00 01 05 00 08 00 00 00
             00 08 05 80 00 00 00 00 -> 00
             00 09 05 00 00 -> 00 01 05 80 00 00 00 00
             00 08 05 e0 04 12 34 56 -> 00
             00 09 05 00 00 -> 00 01 05 e0 04 12 34 56
             00 08 05 80 04 00 00 -> c7
             00 08 45 80 14 00 00 00 -> 00
             00 09 85 00 00 -> 00 01 05 80 14 00 00 00
             00 08 85 c0 18 00 00 00 -> 00
             00 09 45 00 00 -> 00 01 05 c0 18 00 00 00
             00 08 05 00 00 00 00 00 -> 00
             00 09 05 00 00 -> 00 01 05 00 00 00 00 00",
        );
        rig.calls.clear();
        // What ipmitool sends for `chassis bootdev pxe`.
        rig.expect("00 08 00 01 -> 00\n 00 08 04 01 01 -> 00\n 00 08 05 80 04 00 00 00 -> 00\n 00 08 00 02 -> 00");
        assert_eq!(rig.calls, ["get boot", "set boot 1"]);
    }

    #[test]
    fn a_boot_device_without_a_word_is_cc_and_changes_nothing() {
        let mut rig = with_program();
        rig.expect("00 08 05 c0 04 00 00 00 -> 00");
        for device in [3, 4, 7, 8, 9, 10, 11, 12, 13, 14, 15] {
            rig.expect(&format!("00 08 05 80 {:02x} 00 00 00 -> cc", device << 2));
        }
        rig.expect("00 09 05 00 00 -> 00 01 05 c0 04 00 00 00");
        assert_eq!(rig.calls, ["set boot 1", "get boot"]);
    }

    #[test]
    fn the_boot_device_behind_a_program_is_the_programs() {
        let mut rig = with_program();
        rig.expect("00 08 05 c0 04 00 00 00 -> 00");
        // Somebody at the machine chose another.
        rig.script = Box::new(|_| Ok(vec![Value::BootDevice(5)]));
        rig.expect("00 09 05 00 00 -> 00 01 05 00 14 00 00 00");
        // One that the program did not take is not set.
        rig.script =
            Box::new(|line| if line.starts_with("get") { Ok(vec![Value::BootDevice(5)]) } else { Err(ProgramFailure) });
        rig.expect("00 08 05 e0 14 00 00 00 -> ff\n 00 09 05 00 00 -> 00 01 05 00 14 00 00 00");
    }

    #[test]
    fn boot_flags_behind_a_program_are_used_once_and_run_out() {
        let mut rig = with_program();
        rig.expect("00 08 05 80 04 00 00 00 -> 00");
        rig.wait(Duration::from_secs(59));
        rig.expect("00 09 05 00 00 -> 00 01 05 80 04 00 00 00");
        rig.wait(Duration::from_secs(1));
        rig.expect("00 09 05 00 00 -> 00 01 05 00 04 00 00 00");
        for control in ["00 02 01", "00 02 03"] {
            rig.expect(&format!(
                "00 08 05 80 04 00 00 00 -> 00\n {control} -> 00\n 00 09 05 00 00 -> 00 01 05 00 04 00 00 00"
            ));
        }
        // It is on already: nothing boots.
        rig.expect("00 08 05 80 14 00 00 00 -> 00\n 00 02 01 -> 00\n 00 09 05 00 00 -> 00 01 05 80 14 00 00 00");
        rig.expect("00 02 02 -> 00\n 00 09 05 00 00 -> 00 01 05 80 14 00 00 00");
        rig.wait(Duration::from_millis(1100));
        rig.expect("00 01 -> 00 01 00 00\n 00 09 05 00 00 -> 00 01 05 00 14 00 00 00");
        // pyghmi turns the time limit off first.
        rig.expect("00 08 03 08 -> 00\n 00 08 05 80 18 00 00 00 -> 00");
        rig.wait(Duration::from_secs(3600));
        rig.expect("00 09 05 00 00 -> 00 01 05 80 18 00 00 00");
        rig.expect("00 08 05 c0 04 00 00 00 -> 00\n 00 02 03 -> 00\n 00 09 05 00 00 -> 00 01 05 c0 04 00 00 00");
    }

    #[test]
    fn a_failing_program_is_ff() {
        let mut rig = Rig::new();
        rig.machine.ensure(BMC).chassis.program = Some("prog".into());
        rig.expect(
            "00 01 -> ff
             00 02 01 -> ff
             00 02 02 -> ff
             00 04 -> ff
             00 08 04 01 01 -> ff
             00 08 05 80 04 00 00 00 -> ff
             00 09 05 00 00 -> ff",
        );
        rig.expect("00 07 -> 00 00 00");
        rig.calls.clear();
        rig.wait(Duration::from_secs(5));
        assert!(rig.calls.is_empty(), "a cycle that did not switch off does not switch on: {:?}", rig.calls);
        rig.script = Box::new(|_| Ok(vec![Value::Integer(-1)]));
        rig.expect("00 01 -> ff");
    }

    /// Recorded: `core`, VM channel there but nobody connected; there parameters 4 and 5 are CCh.
    #[test]
    fn without_a_program_the_vm_channel_answers_as_recorded() {
        let mut rig = Rig::new();
        rig.expect(
            "00 00 -> 00 00 20 20 20 20
             00 01 -> 00 00 00 00
             00 02 -> c7
             00 02 01 -> 00
             00 01 -> 00 00 00 00
             00 02 03 -> cc
             00 02 04 -> cc
             00 02 05 -> cc
             00 02 13 -> cc
             00 02 06 -> 00
             00 02 0a -> 00
             00 04 05 01 -> cc
             00 09 01 00 -> c7
             00 09 41 00 00 -> 00 01 01 00
             00 09 05 00 00 -> 00 01 05 00 00 00 00 00
             00 08 -> c7
             00 08 01 -> c7
             00 08 03 -> 00
             00 08 04 00 -> c7
             00 08 04 00 00 -> 00
             00 08 05 80 00 00 00 -> c7
             00 08 05 80 04 00 00 00 -> 00
             00 03 -> c1
             00 05 -> c1
             00 0a -> c1",
        );
    }

    /// Recorded: `core-vm`, but for the diagnostic interrupt (04).
    #[test]
    fn a_connected_host_is_told_what_it_announced() {
        let mut rig = Rig::host();
        rig.expect(
            "00 01 -> 00 01 00 00
             00 02 00 -> 00
             00 02 01 -> 00
             00 02 03 -> 00
             00 02 04 -> 00
             00 02 05 -> 00
             00 02 06 -> 00
             00 02 0e -> 00
             00 02 0f -> 00
             00 02 02 -> 00",
        );
        let wanted = [
            HostSignal::PowerOff,
            HostSignal::Reset,
            HostSignal::Nmi,
            HostSignal::GracefulShutdown,
            HostSignal::Interface(false),
            HostSignal::Interface(true),
            HostSignal::PowerOff,
        ];
        assert_eq!(host_signals(&mut rig), wanted);
        rig.wait(Duration::from_millis(1500));
        rig.expect("00 01 -> 00 01 00 00");
    }

    #[test]
    fn the_built_in_chassis_works_and_remembers() {
        let mut rig = built_in();
        rig.expect(
            "00 01 -> 00 00 00 40
             00 02 01 -> 00
             00 01 -> 00 01 00 40
             00 02 03 -> 00
             00 07 -> 00 01 01
             00 02 0e -> cc
             00 02 04 -> cc
             00 04 0f -> 00
             00 01 -> 00 01 00 50",
        );
        rig.wait(Duration::from_secs(2 * 3600));
        rig.expect(
            "00 0f -> 00 3c 02 00 00 00
             00 02 05 -> 00
             00 01 -> 00 00 00 40
             00 06 02 -> 00 07
             00 01 -> 00 40 00 40
             00 06 03 -> 00 07
             00 06 04 -> cc
             00 02 02 -> 00
             00 01 -> 00 40 00 40",
        );
        rig.wait(Duration::from_secs(1));
        rig.expect("00 01 -> 00 41 00 40");
    }

    #[test]
    fn the_front_panel_and_the_cycle_interval_can_be_set() {
        let mut rig = built_in();
        rig.expect(
            "00 0a 06 -> 00
             00 01 -> 00 00 00 40 f6
             00 0a -> c1
             00 0b -> c1
             00 0b 05 -> 00
             00 02 01 -> 00
             00 02 02 -> 00",
        );
        rig.wait(Duration::from_millis(4900));
        rig.expect("00 01 -> 00 00 00 40 f6");
        rig.wait(Duration::from_millis(100));
        rig.expect("00 01 -> 00 01 00 40 f6");
        // The status has the byte only while somebody has disabled a button.
        let mut rig = Rig::host();
        rig.expect("00 01 -> 00 01 00 00\n 00 0a 0f -> 00\n 00 01 -> 00 01 00 00 ff\n 00 0a 00 -> 00");
        rig.expect("00 01 -> 00 01 00 00");
    }

    #[test]
    fn every_chassis_keeps_its_boot_options() {
        for mut rig in [built_in(), with_program(), Rig::host(), Rig::new()] {
            boot_options_are_kept(&mut rig);
        }
    }

    fn boot_options_are_kept(rig: &mut Rig) {
        rig.expect(
            "00 08 00 01 -> 00
             00 09 00 00 00 -> 00 01 00 01
             00 08 04 01 01 -> 00
             00 08 05 80 04 00 00 00 -> 00
             00 08 00 02 -> 00
             00 09 00 00 00 -> 00 01 00 00
             00 08 00 00 -> 00
             00 09 05 00 00 -> 00 01 05 80 04 00 00 00
             00 09 04 00 00 -> 00 01 04 00 01
             00 08 05 e0 18 01 02 03 -> 00
             00 09 05 00 00 -> 00 01 05 e0 18 01 02 03
             00 08 00 03 -> cc
             00 08 00 -> c7
             00 08 01 03 -> 00
             00 09 01 00 00 -> 00 01 01 03
             00 08 02 02 -> 00
             00 09 02 00 00 -> 00 01 02 02
             00 08 03 08 -> 00
             00 09 03 00 00 -> 00 01 03 08
             00 08 06 01 11 22 33 44 55 66 77 88 -> 00
             00 09 06 00 00 -> 00 01 06 01 11 22 33 44 55 66 77 88
             00 08 07 01 aa bb -> 00
             00 09 07 01 00 -> 00 01 07 01 aa bb 00 00 00 00 00 00 00 00 00 00 00 00 00 00
             00 09 07 04 00 -> 00 01 07 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
             00 09 07 05 00 -> c9
             00 08 07 05 aa -> c9
             00 08 06 00 -> cc
             00 09 08 00 00 -> 80
             00 09 3f 00 00 -> 80
             00 08 08 00 -> 80
             00 08 3f -> 80",
        );
    }

    /// IPMI 2.0 section 28.12: flags for the next boot are for one, and only if it comes soon.
    #[test]
    fn boot_flags_are_used_once_and_run_out() {
        let mut rig = built_in();
        rig.expect("00 08 05 80 04 00 00 00 -> 00");
        rig.wait(Duration::from_secs(59));
        rig.expect("00 09 05 00 00 -> 00 01 05 80 04 00 00 00");
        rig.wait(Duration::from_secs(1));
        rig.expect("00 09 05 00 00 -> 00 01 05 00 04 00 00 00");
        rig.expect("00 08 05 80 04 00 00 00 -> 00\n 00 02 01 -> 00\n 00 09 05 00 00 -> 00 01 05 00 04 00 00 00");
        // It is on already: nothing boots, and the minute begins anew.
        rig.expect("00 08 05 80 14 00 00 00 -> 00");
        rig.wait(Duration::from_secs(40));
        rig.expect("00 02 01 -> 00");
        rig.wait(Duration::from_secs(40));
        rig.expect("00 09 05 00 00 -> 00 01 05 80 14 00 00 00");
        rig.expect("00 02 03 -> 00\n 00 09 05 00 00 -> 00 01 05 00 14 00 00 00");
        // A power cycle boots when the power comes back.
        rig.expect("00 08 05 80 18 00 00 00 -> 00\n 00 02 02 -> 00\n 00 09 05 00 00 -> 00 01 05 80 18 00 00 00");
        rig.wait(Duration::from_secs(1));
        rig.expect("00 09 05 00 00 -> 00 01 05 00 18 00 00 00");
        // Those for all boots stay; parameter 3 ends the time limit.
        rig.expect("00 08 05 c0 08 00 00 00 -> 00\n 00 02 03 -> 00\n 00 09 05 00 00 -> 00 01 05 c0 08 00 00 00");
        rig.expect("00 08 03 08 -> 00\n 00 08 05 80 04 00 00 00 -> 00");
        rig.wait(Duration::from_secs(3600));
        rig.expect("00 09 05 00 00 -> 00 01 05 80 04 00 00 00");
    }

    #[test]
    fn a_vm_host_keeps_its_boot_device() {
        let mut rig = Rig::host();
        rig.expect(
            "00 08 00 01 -> 00
             00 08 04 01 01 -> 00
             00 08 05 80 04 00 00 00 -> 00
             00 09 05 00 00 -> 00 01 05 80 04 00 00 00
             00 02 03 -> 00
             00 09 05 00 00 -> 00 01 05 00 04 00 00 00",
        );
    }

    /// Requests that kill the original: a chassis without channel 15 and program.
    #[test]
    fn a_satellite_without_a_host_has_a_built_in_chassis() {
        let mut rig = Rig::new();
        let satellite = rig.machine.ensure(McAddress(0x40));
        satellite.enabled = true;
        satellite.device.device_support = 0xa0;
        rig.mc = McAddress(0x40);
        rig.expect("00 01 -> 00 00 00 40\n 00 02 0e -> cc\n 00 02 01 -> 00");
        rig.mc = SATELLITE;
        rig.expect("00 00 -> 00 00 20 20 20 20\n 00 01 -> 00 00 00 00\n 00 09 07 05 00 -> c9\n 00 04 -> cc");
    }

    #[test]
    fn a_controller_that_is_no_chassis_has_no_chassis_commands() {
        let mut rig = Rig::new();
        rig.machine.ensure(BMC).device.device_support = 0x1f;
        rig.expect("00 00 -> c1\n 00 01 -> c1\n 00 02 -> c1\n 00 09 -> c1");
    }
}
