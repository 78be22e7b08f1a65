//! The power and the boot device of the controllers' machines, as a Chassis Control and Set System Boot Options change
//! them, with a result when it is done.

use thiserror::Error;

use super::super::lanes::{Told, Waiter};
use super::super::{Effects, Simulator, program};
use super::Done;
use crate::bmc;
use crate::bmc::boot::{self, Boots, Device};
use crate::bmc::chassis::{self, Backend, Control, Controlled, NotSupported, PowerState};
use crate::bmc::dcmi;
use crate::bmc::external::ProgramCall;
use crate::bmc::power_meter::Reading;
use crate::ipmi::{ChannelNumber, McAddress, Moment};

/// A change of the power that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerDone {
    /// IPMB address of the controller.
    pub mc: McAddress,
    /// What was asked for.
    pub control: Control,
    /// The power as far as is known now: a power cycle is off and goes on later, and a virtual machine that is told to end
    /// may take its time.
    pub power: PowerState,
}

/// What the power meter of a machine tells, since its statistics began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerMeterState {
    /// Present, lowest, highest and average power; it is DCMI's (DCMI 1.5 section 6.6.1).
    pub reading: Reading,
    /// What the machine has drawn since the system began, in joules.
    pub energy: f64,
}

/// Why a chassis does not do what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ControlFailed {
    /// There is no controller at that address.
    #[error("there is no such controller")]
    NoController,
    /// The chassis cannot do that.
    #[error("the chassis cannot do that")]
    NotSupported,
    /// Boot devices are 0 to 15, and a helper program knows a few of them by name.
    #[error("there is no such boot device, or the helper program has no name for it")]
    NoDevice,
    /// The helper program failed: its line, how it ended, and what it said last.
    #[error("{0}")]
    Program(String),
    /// The start command could not be started, or ended at once.
    #[error("the start command could not be started")]
    NotStarted,
    /// The controller was taken away meanwhile.
    #[error("the controller was taken away meanwhile")]
    Gone,
}

/// Who waits until the start command of a controller was started.
#[derive(Default)]
pub(in crate::sim) struct Starting(Vec<(McAddress, Done<(), ControlFailed>)>);

impl Starting {
    /// The start of the command at this controller is over.
    pub(in crate::sim) fn over(&mut self, mc: McAddress, result: &Result<(), ControlFailed>) {
        for (_, done) in self.0.extract_if(.., |(of, _)| *of == mc) {
            done(result.clone());
        }
    }
}

impl Simulator {
    /// Whether the power of the BMC's machine is on as far as is known: behind a `chassis_control` program, what it said
    /// last.
    pub fn power(&self) -> bool {
        self.power_state() == PowerState::On
    }

    /// What the power meter of a controller's machine tells now; `None` when the sensor that tells the power has never had a
    /// reading.
    ///
    /// # Errors
    /// There is no such controller.
    pub fn power_meter(&mut self, now: Moment, mc: McAddress) -> Result<Option<PowerMeterState>, ControlFailed> {
        let at = &mut self.machine.at(mc).ok_or(ControlFailed::NoController)?;
        let energy = dcmi::energy(at, now);
        Ok(dcmi::power(at, now, None).map(|reading| PowerMeterState { reading, energy }))
    }

    /// The power of the BMC's machine as far as is known.
    pub fn power_state(&self) -> PowerState {
        self.bmc().map_or(PowerState::Off, chassis::power_state)
    }

    /// Asks for a change of the power as a Chassis Control does (IPMI 2.0 section 28.3). A helper program that
    /// has to be asked is asked now, and answers later.
    ///
    /// # Errors
    /// The chassis cannot do that.
    pub fn control(&mut self, now: Moment, control: Control, out: &mut Effects) -> Result<(), bmc::Error> {
        let mc = self.bmc_address();
        let begun = self.begin_control(now, mc, control).map_err(|_| bmc::Error::NotSupported);
        let result = begun.as_ref().map(|_| ()).map_err(|error| *error);
        if let Ok(controlled) = begun {
            self.end_control(now, (mc, control), controlled, Box::new(|_| ()), out);
        }
        self.carry_out_actions(now, out);
        self.go_on_playing(now, out);
        result
    }

    /// Asks the chassis of a controller for a change of the power as a Chassis Control does. `done` is called at once by
    /// a built-in chassis and when a VM was told; when the helper program has ended; or when the start command was
    /// started.
    pub fn control_then(
        &mut self,
        now: Moment,
        (mc, control): (McAddress, Control),
        done: Done<PowerDone, ControlFailed>,
        out: &mut Effects,
    ) {
        match self.begin_control(now, mc, control) {
            Ok(controlled) => self.end_control(now, (mc, control), controlled, done, out),
            Err(failed) => done(Err(failed)),
        }
        self.carry_out_actions(now, out);
        self.go_on_playing(now, out);
    }

    fn begin_control(&mut self, now: Moment, mc: McAddress, control: Control) -> Result<Controlled, ControlFailed> {
        let mut at = self.machine.at(mc).ok_or(ControlFailed::NoController)?;
        chassis::control(&mut at, now, control, ChannelNumber::SYSTEM_INTERFACE)
            .map_err(|NotSupported| ControlFailed::NotSupported)
    }

    fn end_control(
        &mut self,
        now: Moment,
        (mc, control): (McAddress, Control),
        controlled: Controlled,
        done: Done<PowerDone, ControlFailed>,
        out: &mut Effects,
    ) {
        match controlled {
            Controlled::Done if control == Control::PowerUp && self.is_starting(mc) => {
                let started = move |result: Result<(), ControlFailed>| {
                    done(result.map(|()| PowerDone { mc, control, power: PowerState::On }));
                };
                self.starting.0.push((mc, Box::new(started)));
            }
            Controlled::Done => done(self.controlled(mc, control)),
            Controlled::Call(call, token) => {
                let then = move |simulator: &mut Self, now: Moment, result: Result<(), String>, out: &mut Effects| {
                    if let (Ok(()), Some(mut at)) = (&result, simulator.machine.at(mc)) {
                        chassis::program_done(&mut at, now, token);
                    }
                    simulator.carry_out_actions(now, out);
                    done(result.map_err(ControlFailed::Program).and_then(|()| simulator.controlled(mc, control)));
                };
                self.call_program(now, mc, call, Box::new(then), out);
            }
        }
    }

    /// Whether the start command of a controller is just about to be started.
    fn is_starting(&self, mc: McAddress) -> bool {
        let starts = |action: &bmc::Action| matches!(action, bmc::Action::StartProcess { mc: of } if *of == mc);
        self.machine.actions.iter().any(starts)
    }

    fn controlled(&self, mc: McAddress, control: Control) -> Result<PowerDone, ControlFailed> {
        let controller = self.machine.controller(mc).ok_or(ControlFailed::Gone)?;
        Ok(PowerDone { mc, control, power: chassis::power_state(controller) })
    }

    /// Runs a helper program for whoever is around the system.
    fn call_program(&mut self, now: Moment, mc: McAddress, call: ProgramCall, then: Told, out: &mut Effects) {
        match program::command_line(&call) {
            Ok(line) => self.pending.run_program(now, mc, (call, line), Waiter::Owner(then), out),
            Err(outcome) => {
                let result = outcome.success();
                let _ = self.judged(now, mc, outcome, out);
                then(self, now, result, out);
            }
        }
    }

    /// The boot device that is set and for how many boots; `None` when none is, or its time is over.
    pub fn boot_device(&self) -> Option<(Device, Boots)> {
        let flags = self.bmc()?.chassis.boot.flags();
        Some((Device(boot::device(&flags)), boot::boots(&flags)?))
    }

    /// Sets the boot device as Set System Boot Options does.
    ///
    /// # Errors
    /// There is no such device, or a helper program has no name for it.
    pub fn set_boot_device(
        &mut self,
        now: Moment,
        device: Device,
        boots: Boots,
        out: &mut Effects,
    ) -> Result<(), bmc::Error> {
        let call = self.boot_call(device).map_err(|failed| match failed {
            ControlFailed::NoController => bmc::Error::NoController,
            _ => bmc::Error::Invalid,
        })?;
        self.begin_boot_device(now, (device, boots), call, Box::new(|_| ()), out);
        Ok(())
    }

    /// Sets the boot device of the BMC's machine. `done` is called at once, or when the helper program has ended, with
    /// what is set then.
    pub fn set_boot_device_then(
        &mut self,
        now: Moment,
        (device, boots): (Device, Boots),
        done: Done<Option<(Device, Boots)>, ControlFailed>,
        out: &mut Effects,
    ) {
        match self.boot_call(device) {
            Ok(call) => self.begin_boot_device(now, (device, boots), call, done, out),
            Err(failed) => done(Err(failed)),
        }
    }

    /// The call that gives a helper program the boot device, where one does the work.
    fn boot_call(&self, device: Device) -> Result<Option<ProgramCall>, ControlFailed> {
        let bmc = self.bmc().ok_or(ControlFailed::NoController)?;
        if device.0 > 15 {
            return Err(ControlFailed::NoDevice);
        }
        match chassis::backend(bmc) {
            Backend::Program => bmc.chassis.set_boot_call(device.0).ok_or(ControlFailed::NoDevice).map(Some),
            Backend::Host | Backend::BuiltIn => Ok(None),
        }
    }

    fn begin_boot_device(
        &mut self,
        now: Moment,
        (device, boots): (Device, Boots),
        call: Option<ProgramCall>,
        done: Done<Option<(Device, Boots)>, ControlFailed>,
        out: &mut Effects,
    ) {
        let (mc, flags) = (self.bmc_address(), boot::flags_for(device, boots));
        let then = move |simulator: &mut Self, now: Moment, result: Result<(), String>, out: &mut Effects| {
            if let (Ok(()), Some(mut at)) = (&result, simulator.machine.at(mc)) {
                chassis::boot_flags_set(&mut at, now, flags);
            }
            simulator.carry_out_actions(now, out);
            done(result.map_err(ControlFailed::Program).map(|()| simulator.boot_device()));
        };
        match call {
            Some(call) => self.call_program(now, mc, call, Box::new(then), out),
            None => then(self, now, Ok(()), out),
        }
    }
}
