//! The power restore policy carried out, when the program starts.

use std::time::Duration;

use super::switch::power_on;
use super::{At, Backend, RestartCause, RestorePolicy, backend, modelled_power};
use crate::bmc::boot::BootCause;
use crate::ipmi::{ChannelNumber, Moment};

/// How long the restore policy waits for a virtual machine that runs already: one that
/// outlived this program connects again, QEMU after the ten seconds of `reconnect=10`.
const RECONNECT_WAIT: Duration = Duration::from_secs(15);

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
pub(super) fn restore_power(at: &mut At<'_>, now: Moment) {
    let controller = &mut **at;
    let Some((due, cause)) = controller.chassis.restore_due.filter(|(due, _)| *due <= now) else { return };
    controller.chassis.restore_due = None;
    if !modelled_power(controller) {
        power_on(at, due, BootCause::Control);
        at.chassis.restart = (cause, ChannelNumber::PRIMARY_IPMB);
    }
}
