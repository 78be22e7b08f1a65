//! What the watchdog does to the power.

use super::control::tell_reset;
use super::cycle::begin_cycle;
use super::switch::{power_off, reset_host};
use super::{At, Backend, Control, RestartCause, backend};
use crate::bmc::Controller;
use crate::bmc::boot::BootCause;
use crate::bmc::external::Background;
use crate::bmc::pef;
use crate::ipmi::{ChannelNumber, Moment, capability};

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
            match control {
                Control::PowerCycle => begin_cycle(at, now, generation),
                Control::Reset => {
                    tell_reset(at, control);
                    pef::processing::machine_restarted(at, now);
                }
                _ => {}
            }
        }),
    });
    true
}

fn note_watchdog_restart(controller: &mut Controller) {
    controller.chassis.restart = (RestartCause::Watchdog, ChannelNumber::SYSTEM_INTERFACE);
}

/// The watchdog resets.
pub fn watchdog_reset(at: &mut At<'_>, now: Moment) {
    if watchdog_program(at, Control::Reset) {
        return;
    }
    note_watchdog_restart(at);
    reset_host(at, BootCause::Watchdog);
    tell_reset(at, Control::Reset);
    pef::processing::machine_restarted(at, now);
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
