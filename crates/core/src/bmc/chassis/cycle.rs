//! A power cycle's way from off to on.

use super::control::tell_reset;
use super::restore::restore_power;
use super::switch::power_on;
use super::{At, CYCLE_STEP, Control, Power, observed, power};
use crate::bmc::boot::BootCause;
use crate::bmc::external::{Background, ProgramResult};
use crate::bmc::pef;
use crate::ipmi::Moment;

/// A power cycle switched off: it looks again after the power cycle interval.
pub(super) fn begin_cycle(at: &mut At<'_>, now: Moment, generation: u64) {
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
        Power::Off => {
            power_on(at, now, BootCause::Control);
            tell_reset(at, Control::PowerCycle);
            pef::processing::machine_restarted(at, now);
        }
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
                    tell_reset(at, Control::PowerCycle);
                    pef::processing::machine_restarted(at, now);
                }
            }),
        });
    }
}
