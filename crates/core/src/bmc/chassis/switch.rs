//! The power switched without a program, by the host and the start-command process or in the model.

use super::kept::note_power;
use super::{Action, At, Backend, backend, log, modelled_power};
use crate::bmc::boot::BootCause;
use crate::bmc::vm_process;
use crate::ipmi::{HostSignal, Moment};

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

pub(super) fn tell_vm(at: &mut At<'_>, signal: HostSignal) {
    if at.channels.vm_host().is_some_and(|host| host.connected) {
        at.push(Action::Host { mc: at.address, signal });
    }
}

/// Power off without a program.
pub(super) fn power_off(at: &mut At<'_>, now: Moment) {
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
pub(super) fn power_on(at: &mut At<'_>, now: Moment, cause: BootCause) {
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
pub(super) fn reset_host(at: &mut At<'_>, cause: BootCause) {
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
pub(super) fn soft_shutdown(at: &mut At<'_>, now: Moment) {
    match backend(at) {
        Backend::BuiltIn => set_modelled_power(at, now, false, "soft shutdown"),
        Backend::Program | Backend::Host => tell_vm(at, HostSignal::GracefulShutdown),
    }
}
