//! What clients set of a chassis and its state file keeps: the power restore policy, the power cycle interval, the
//! disabled buttons, and with them the state of the power.

use std::time::Duration;

use super::{At, CYCLE_STEP, Chassis, modelled_power};
use crate::bmc::StateFile;
use crate::bmc::boot::{AT_START, BootOptions};
use crate::bmc::unsaved::Unchanged;

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
    /// What every start begins with.
    pub at_start: AtStart,
}

/// Settings that the specification does not have outlive a restart, and that a state file has a machine begin with all the
/// same: copies of machines have it. Nothing that is set later changes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtStart {
    /// Boot options, as [`BootOptions::begin_with`](crate::bmc::boot::BootOptions::begin_with) has them.
    pub boot_options: Option<[u8; AT_START]>,
    /// The watchdog timer, as [`Watchdog::begin_with`](crate::bmc::watchdog::Watchdog::begin_with) has it.
    pub watchdog: Option<[u8; 6]>,
}

/// Buttons a client may disable: all.
const FRONT_PANEL_CAPABILITIES: u8 = 0xf0;

impl Chassis {
    /// What the state file keeps, once a client has set something.
    pub fn kept(&self) -> Option<&Kept> {
        self.kept.as_ref()
    }

    /// Takes what the state file kept.
    pub fn restore(&mut self, kept: Kept) {
        self.kept = Some(kept);
    }

    /// Restores what it was; the power stays as it is.
    pub(in crate::bmc) fn take_back(&mut self, before: Option<Kept>) {
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
    pub(super) fn cycle_interval(&self) -> Duration {
        CYCLE_STEP.max(Duration::from_secs(self.kept.unwrap_or_default().cycle_interval.into()))
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

/// The program starts: boot options and watchdog timer are those of the state file, unless something has set others by
/// now. The power is restored before, which is not the boot that boot flags are for.
pub fn begin(at: &mut At<'_>) {
    let controller = &mut **at;
    let AtStart { boot_options, watchdog } = controller.chassis.kept.unwrap_or_default().at_start;
    if let Some(told) = boot_options.filter(|_| controller.chassis.boot == BootOptions::default()) {
        controller.chassis.boot.begin_with(&told);
    }
    if let (Some(told), Some(timer)) = (watchdog, &mut controller.watchdog)
        && timer.is_as_made()
    {
        timer.begin_with(&told);
    }
}

/// Has the state of the power kept for [`RestorePolicy::Previous`]; under any other policy
/// nobody will ask for it.
pub(super) fn note_power(at: &mut At<'_>) {
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
