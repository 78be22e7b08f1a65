//! Chassis Control: what a client asks of the power.

use super::cycle::begin_cycle;
use super::switch::{power_off, power_on, reset_host, soft_shutdown, tell_vm};
use super::{At, Backend, Control, RestartCause, backend, log};
use crate::bmc::boot::BootCause;
use crate::bmc::external::{Background, ProgramCall};
use crate::bmc::pef;
use crate::bmc::watch::Event;
use crate::ipmi::{ChannelNumber, HostSignal, Moment, capability};

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
    if matches!(control, Control::Reset | Control::DiagnosticInterrupt) {
        tell_reset(at, control);
    }
    if matches!(control, Control::Reset | Control::PowerUp) {
        pef::processing::machine_restarted(at, now);
    }
    Ok(Controlled::Done)
}

/// An event filter does this to the power. What the chassis cannot do is not done.
pub fn control_by_filter(at: &mut At<'_>, now: Moment, asked: Control) {
    let cause = match asked {
        Control::PowerCycle => RestartCause::FilterPowerCycle,
        _ => RestartCause::FilterReset,
    };
    let note = move |at: &mut At<'_>| {
        if matches!(asked, Control::PowerCycle | Control::Reset) {
            at.chassis.restart.0 = cause;
        }
    };
    match control(at, now, asked, ChannelNumber::SYSTEM_INTERFACE) {
        Ok(Controlled::Done) => note(at),
        Ok(Controlled::Call(call, token)) => at.start(Background::Program {
            mc: at.address,
            call,
            then: Box::new(move |at, now, result| {
                if result.is_ok() {
                    program_done(at, now, token);
                    note(at);
                }
            }),
        }),
        Err(NotSupported) => log(at, "an event filter asks for what cannot be done"),
    }
}

/// The program did what a chassis control asked for.
pub fn program_done(at: &mut At<'_>, now: Moment, token: Token) {
    let controller = &mut **at;
    controller.chassis.note_restart(token.control, token.channel);
    match token.control {
        Control::PowerDown => controller.chassis.on_time.observe(now, false),
        Control::PowerUp => {
            controller.chassis.switched_on(now);
            pef::processing::machine_restarted(at, now);
        }
        Control::PowerCycle => {
            controller.chassis.on_time.observe(now, false);
            begin_cycle(at, now, token.generation);
        }
        Control::Reset => {
            controller.chassis.boot.booted(BootCause::Control);
            tell_reset(at, Control::Reset);
            pef::processing::machine_restarted(at, now);
        }
        Control::SoftShutdown | Control::DiagnosticInterrupt => {}
    }
    log(at, words(token.control));
}

/// Tells whoever watches that the machine was reset or cycled.
pub(super) fn tell_reset(at: &mut At<'_>, control: Control) {
    let mc = at.address;
    if control != Control::DiagnosticInterrupt {
        at.chassis.resets += 1;
    }
    at.tell(|| Event::Reset { mc, control });
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
