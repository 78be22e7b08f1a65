//! The watchdog timer (`commands-core.md` section 4, IPMI 2.0 chapter 27).
//!
//! Owns the countdown. What happens at its end is done by the chassis, the message flags
//! and the event room, in that they are told.

use std::time::Duration;

use super::channel::capability;
use super::event::{self, Direction};
use super::messaging::{self, Pretimeout};
use super::{Action, LogLevel, Machine, chassis};
use crate::ipmi::Moment;

/// One count of the countdown.
const COUNT: Duration = Duration::from_millis(100);

/// Bits of the first byte of Set Watchdog Timer.
mod timer_use {
    /// Timer use, 1 to 5.
    pub const USE: u8 = 0x07;
    /// Don't stop the timer.
    pub const DONT_STOP: u8 = 0x40;
    /// What is kept: don't log, don't stop, use.
    pub const KEPT: u8 = 0xc7;
}

/// Timeout actions, IPMI 2.0 table 27-7.
mod action {
    pub const NONE: u8 = 0;
    pub const RESET: u8 = 1;
    pub const POWER_DOWN: u8 = 2;
    pub const POWER_CYCLE: u8 = 3;
}

/// Pre-timeout interrupts, IPMI 2.0 table 27-7.
mod pretimeout {
    pub const NONE: u8 = 0;
    pub const NMI: u8 = 2;
    pub const MESSAGE_INTERRUPT: u8 = 3;
}

/// Where the countdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Countdown {
    /// Not counting; this many counts are left.
    Stopped(u16),
    /// Counting.
    Running { deadline: Moment, wake: Option<Moment>, pretimeout_done: bool },
}

/// The watchdog timer.
#[derive(Debug)]
pub struct Watchdog {
    timer_use: u8,
    actions: u8,
    pretimeout: u8,
    expired: u8,
    initial: u16,
    initialised: bool,
    countdown: Countdown,
}

impl Default for Watchdog {
    /// A timer nobody has set.
    fn default() -> Self {
        Self {
            timer_use: 0,
            actions: 0,
            pretimeout: 0,
            expired: 0,
            initial: 0,
            initialised: false,
            countdown: Countdown::Stopped(0),
        }
    }
}

/// A setting is not supported (CCh).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSupported;

/// The timer was never set (80h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotInitialised;

impl Watchdog {
    /// The eight data bytes of Get Watchdog Timer: use, actions, pre-timeout (s), expired
    /// flags, initial countdown (2), present countdown (2), counts of 100 ms.
    pub fn bytes(&self, now: Moment) -> [u8; 8] {
        let initial = self.initial.to_le_bytes();
        let present = match self.countdown {
            Countdown::Stopped(left) => left,
            Countdown::Running { deadline, .. } => {
                let counts = deadline.since(now).as_millis().div_ceil(COUNT.as_millis());
                counts.min(u16::MAX.into()) as u16
            }
        }
        .to_le_bytes();
        let [i0, i1] = initial;
        let [p0, p1] = present;
        [self.timer_use, self.actions, self.pretimeout, self.expired, i0, i1, p0, p1]
    }

    /// When the timer wants to be looked at.
    pub fn deadline(&self) -> Option<Moment> {
        match self.countdown {
            Countdown::Stopped(_) => None,
            Countdown::Running { wake, .. } => wake,
        }
    }

    fn action(&self) -> u8 {
        self.actions & 0x07
    }

    fn pretimeout_action(&self) -> u8 {
        self.actions >> 4 & 0x07
    }

    fn start(&mut self, now: Moment) {
        // As in the original, a timer without a timeout action never counts.
        if self.action() == action::NONE {
            self.countdown = Countdown::Stopped(self.initial);
            return;
        }
        let deadline = now + COUNT * u32::from(self.initial);
        let wake = if self.pretimeout_action() == pretimeout::NONE {
            deadline
        } else {
            now.max(deadline - Duration::from_secs(self.pretimeout.into()))
        };
        self.countdown = Countdown::Running { deadline, wake: Some(wake), pretimeout_done: false };
    }
}

/// Set Watchdog Timer: use, actions, pre-timeout, expired flags to clear, countdown (2).
/// A running timer goes on with the new values when "don't stop" is set, else it stops.
pub fn set(machine: &mut Machine, now: Moment, mc: u8, data: &[u8; 6]) -> Result<(), NotSupported> {
    let Some(controller) = machine.controller_mut(mc) else { return Err(NotSupported) };
    let allowed = matches!(data[0] & timer_use::USE, 1..=5)
        && match data[1] & 0x07 {
            action::NONE => true,
            action::RESET => chassis::watchdog_can_reset(controller),
            action::POWER_DOWN | action::POWER_CYCLE => chassis::watchdog_can_switch(controller),
            _ => false,
        }
        && match data[1] >> 4 & 0x07 {
            pretimeout::NONE | pretimeout::MESSAGE_INTERRUPT => true,
            pretimeout::NMI => controller.channels.host().is_some_and(|host| host.can(capability::NMI)),
            _ => false,
        };
    let Some(timer) = controller.watchdog.as_mut().filter(|_| allowed) else { return Err(NotSupported) };
    let running = matches!(timer.countdown, Countdown::Running { .. });
    timer.timer_use = data[0] & timer_use::KEPT;
    timer.actions = data[1] & 0x77;
    timer.pretimeout = data[2];
    timer.expired &= !data[3];
    timer.initial = u16::from_le_bytes([data[4], data[5]]);
    timer.initialised = true;
    if running && data[0] & timer_use::DONT_STOP != 0 {
        timer.start(now);
    } else {
        timer.countdown = Countdown::Stopped(timer.initial);
    }
    Ok(())
}

/// Reset Watchdog Timer: starts the countdown, or starts it again.
pub fn reset(machine: &mut Machine, now: Moment, mc: u8) -> Result<(), NotInitialised> {
    let timer = machine.controller_mut(mc).and_then(|controller| controller.watchdog.as_mut()).ok_or(NotInitialised)?;
    if !timer.initialised {
        return Err(NotInitialised);
    }
    timer.start(now);
    Ok(())
}

/// Does what is due: the pre-timeout, or the end.
pub fn timeout(machine: &mut Machine, now: Moment, mc: u8) {
    let Some(controller) = machine.controller_mut(mc) else { return };
    let has_sensor = controller.sensors.get(0, 0).is_some();
    let Some(timer) = controller.watchdog.as_mut() else { return };
    let Countdown::Running { deadline, wake: Some(wake), pretimeout_done } = timer.countdown else { return };
    if wake > now {
        return;
    }
    if !has_sensor {
        // The original does nothing without the sensor that would report it, and the
        // timer goes on showing as running. So do we, but not silently.
        timer.countdown = Countdown::Running { deadline, wake: None, pretimeout_done };
        machine.actions.push(Action::Log {
            level: LogLevel::Warning,
            text: format!(
                "The watchdog of MC {mc:#04x} has run out, but the MC has no sensor 0 on LUN 0: nothing is done"
            ),
        });
        return;
    }
    let how = timer.pretimeout_action();
    if how != pretimeout::NONE && !pretimeout_done {
        timer.countdown = Countdown::Running { deadline, wake: Some(deadline), pretimeout_done: true };
        let signal = if how == pretimeout::NMI { Pretimeout::Nmi } else { Pretimeout::MessageInterrupt };
        messaging::watchdog_pretimeout(machine, mc, signal);
        event::from_sensor(machine, now, mc, 0, 0, Direction::Assertion, [0xc8, how << 4 | 0x0f, 0xff]);
        if deadline <= now {
            timeout(machine, now, mc);
        }
        return;
    }
    let timer_use = timer.timer_use & 0x0f;
    let action = timer.action();
    timer.countdown = Countdown::Stopped(0);
    timer.expired |= 1 << (timer_use & timer_use::USE);
    event::from_sensor(machine, now, mc, 0, 0, Direction::Assertion, [0xc0 | action, timer_use, 0xff]);
    match action {
        action::RESET => chassis::watchdog_reset(machine, mc),
        action::POWER_DOWN => chassis::watchdog_power_down(machine, now, mc),
        action::POWER_CYCLE => chassis::watchdog_power_cycle(machine, now, mc),
        _ => {}
    }
}
