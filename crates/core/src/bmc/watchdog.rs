//! The watchdog timer (`commands-core.md` section 4, IPMI 2.0 chapter 27).
//!
//! Owns the countdown. What happens at its end is done by [`chassis`],
//! [`messaging`] and [`event`], which are told.

use std::time::Duration;

use super::event::{self, Direction};
use super::messaging::{self, Pretimeout};
use super::sensor::Place;
use super::watch::Event;
use super::{At, chassis};
use crate::ipmi::{Moment, capability};

/// Sensor type of the watchdog, IPMI 2.0 table 42-3, and its event/reading type code.
const WATCHDOG_2: u8 = 0x23;
const SENSOR_SPECIFIC: u8 = 0x6f;

/// One count of the countdown.
const COUNT: Duration = Duration::from_millis(100);

/// Bits of the first byte of Set Watchdog Timer.
mod timer_use {
    /// Timer use, 1 to 5.
    pub(super) const USE: u8 = 0x07;
    /// Don't stop the timer.
    pub(super) const DONT_STOP: u8 = 0x40;
    /// Running, in the response of Get Watchdog Timer.
    pub(super) const RUNNING: u8 = 0x40;
    /// Don't log. Holds until the timer runs out.
    pub(super) const DONT_LOG: u8 = 0x80;
}

/// Timeout actions, IPMI 2.0 table 27-7.
mod action {
    pub(super) const NONE: u8 = 0;
    pub(super) const RESET: u8 = 1;
    pub(super) const POWER_DOWN: u8 = 2;
    pub(super) const POWER_CYCLE: u8 = 3;
}

/// Pre-timeout interrupts, IPMI 2.0 table 27-7.
mod pretimeout {
    pub(super) const NONE: u8 = 0;
    pub(super) const NMI: u8 = 2;
    pub(super) const MESSAGE_INTERRUPT: u8 = 3;
}

/// Where the countdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Countdown {
    /// Not counting; this many counts are left.
    Stopped(u16),
    /// Counting.
    Running { deadline: Moment, wake: Moment, pretimeout_done: bool },
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
    /// The eight data bytes of Get Watchdog Timer: use with the running state, actions,
    /// pre-timeout (s), expired flags, initial countdown (2), present countdown (2), counts of 100 ms.
    pub fn bytes(&self, now: Moment) -> [u8; 8] {
        let initial = self.initial.to_le_bytes();
        let running = if self.is_running() { timer_use::RUNNING } else { 0 };
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
        [self.timer_use | running, self.actions, self.pretimeout, self.expired, i0, i1, p0, p1]
    }

    /// Begins with a setting, stopped: use, actions, pre-timeout (s), expired flags, initial countdown (2), counts of 100 ms.
    /// One of no time at all is no setting that Reset Watchdog Timer could start.
    pub fn begin_with(&mut self, told: &[u8; 6]) {
        let [timer_use, actions, pretimeout, expired, i0, i1] = *told;
        let initial = u16::from_le_bytes([i0, i1]);
        *self = Self {
            timer_use: timer_use & (timer_use::USE | timer_use::DONT_LOG),
            actions,
            pretimeout,
            expired,
            initial,
            initialised: initial != 0,
            countdown: Countdown::Stopped(initial),
        };
    }

    /// Nobody has set it.
    pub(super) fn is_as_made(&self) -> bool {
        !self.initialised
    }

    /// How much time is left, while the timer counts.
    pub fn remaining(&self, now: Moment) -> Option<Duration> {
        match self.countdown {
            Countdown::Stopped(_) => None,
            Countdown::Running { deadline, .. } => Some(deadline.since(now)),
        }
    }

    /// When the timer wants to be looked at.
    pub fn deadline(&self) -> Option<Moment> {
        match self.countdown {
            Countdown::Stopped(_) => None,
            Countdown::Running { wake, .. } => Some(wake),
        }
    }

    fn is_running(&self) -> bool {
        matches!(self.countdown, Countdown::Running { .. })
    }

    fn action(&self) -> u8 {
        self.actions & 0x07
    }

    fn pretimeout_action(&self) -> u8 {
        self.actions >> 4 & 0x07
    }

    fn start(&mut self, now: Moment) {
        let deadline = now + COUNT * u32::from(self.initial);
        let wake = if self.pretimeout_action() == pretimeout::NONE {
            deadline
        } else {
            now.max(deadline - Duration::from_secs(self.pretimeout.into()))
        };
        self.countdown = Countdown::Running { deadline, wake, pretimeout_done: false };
    }
}

/// Set Watchdog Timer: use, actions, pre-timeout, expired flags to clear, countdown (2).
/// A running timer goes on with the new values when "don't stop" is set, else it stops.
pub fn set(at: &mut At<'_>, now: Moment, data: &[u8; 6]) -> Result<(), NotSupported> {
    let controller = &mut **at;
    let allowed = matches!(data[0] & timer_use::USE, 1..=5)
        && match data[1] & 0x07 {
            action::NONE => true,
            action::RESET => chassis::watchdog_can_reset(controller),
            action::POWER_DOWN | action::POWER_CYCLE => true,
            _ => false,
        }
        && match data[1] >> 4 & 0x07 {
            pretimeout::NONE | pretimeout::MESSAGE_INTERRUPT => true,
            pretimeout::NMI => controller.channels.host().is_some_and(|host| host.can(capability::NMI)),
            _ => false,
        };
    let Some(timer) = controller.watchdog.as_mut().filter(|_| allowed) else { return Err(NotSupported) };
    let running = timer.is_running();
    timer.timer_use = data[0] & (timer_use::USE | timer_use::DONT_LOG);
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
pub fn reset(at: &mut At<'_>, now: Moment) -> Result<(), NotInitialised> {
    let timer = at.watchdog.as_mut().ok_or(NotInitialised)?;
    if !timer.initialised {
        return Err(NotInitialised);
    }
    timer.start(now);
    Ok(())
}

/// Does what is due: the pre-timeout, or the end.
pub fn timeout(at: &mut At<'_>, now: Moment) {
    let controller = &mut **at;
    let Some(timer) = controller.watchdog.as_mut() else { return };
    let Countdown::Running { deadline, wake, pretimeout_done } = timer.countdown else { return };
    if wake > now {
        return;
    }
    let log = timer.timer_use & timer_use::DONT_LOG == 0;
    let how = timer.pretimeout_action();
    if how != pretimeout::NONE && !pretimeout_done {
        timer.countdown = Countdown::Running { deadline, wake: deadline, pretimeout_done: true };
        let signal = if how == pretimeout::NMI { Pretimeout::Nmi } else { Pretimeout::MessageInterrupt };
        messaging::watchdog_pretimeout(at, signal);
        if log {
            report(at, now, [0xc8, how << 4 | 0x0f, 0xff]);
        }
        if deadline <= now {
            timeout(at, now);
        }
        return;
    }
    let timer_use = timer.timer_use & timer_use::USE;
    let action = timer.action();
    timer.countdown = Countdown::Stopped(0);
    timer.expired |= 1 << timer_use;
    // "Don't log" is for one expiration (IPMI 2.0 section 27.3).
    timer.timer_use = timer_use;
    let mc = at.address;
    at.tell(|| Event::WatchdogExpired { mc });
    if log {
        report(at, now, [0xc0 | action, timer_use, 0xff]);
    }
    match action {
        action::RESET => chassis::watchdog_reset(at, now),
        action::POWER_DOWN => chassis::watchdog_power_down(at, now),
        action::POWER_CYCLE => chassis::watchdog_power_cycle(at, now),
        _ => {}
    }
}

/// The watchdog's sensor.
const SENSOR: Place = Place { lun: 0, number: 0 };

/// Sends an event of the watchdog's sensor. A controller without it, which the
/// original never lets run out, sends it as if it had one.
fn report(at: &mut At<'_>, now: Moment, data: [u8; 3]) {
    let controller = &**at;
    if controller.sensors.get(SENSOR).is_some() {
        return event::from_sensor(at, now, SENSOR, Direction::Assertion, data);
    }
    let receiver = controller.sensors.event_receiver.address;
    let record = event::record(SENSOR.of(at.address), (WATCHDOG_2, SENSOR_SPECIFIC), Direction::Assertion, data);
    event::send(at, now, receiver, record);
}

#[cfg(test)]
mod tests {
    use super::super::Action;
    use super::super::Machine;
    use super::super::channel::{Channel, Framing, medium, protocol};
    use super::super::device_id::DeviceId;
    use super::super::sensor::{self, Description, EventSettings};
    use super::*;
    use crate::ipmi::{ChannelNumber, HostSignal, McAddress};

    const MC: McAddress = McAddress::BMC;
    const START: Moment = Moment::new(Duration::from_secs(1000));

    /// The recorded system: a VM host that can do everything, the watchdog sensor, a log.
    fn machine() -> Machine {
        let mut machine = Machine { bmc: Some(MC), ..Machine::default() };
        machine.describe(MC, DeviceId { device_support: 0x9f, ..DeviceId::default() });
        let channels = &mut machine.ensure(MC).channels;
        channels.set(
            ChannelNumber::SYSTEM_INTERFACE,
            Channel::serial(ChannelNumber::SYSTEM_INTERFACE, medium::RS232, protocol::TERMINAL_MODE, Framing::Vm),
        );
        let host = channels.host_mut().expect("channel 15");
        host.connected = true;
        host.announced = 0x3f;
        machine.ensure(MC).sensors.event_receiver.address = MC;
        machine.ensure(MC).sel.enable(100, 0);
        let description =
            Description { sensor_type: 0x23, event_reading_code: 0x6f, event_only: true, ..Description::default() };
        sensor::add(&mut machine.found(MC), START, SENSOR, description).expect("a new sensor");
        let settings = EventSettings { events_enabled: true, assert_supported: 0x0f, ..EventSettings::default() };
        sensor::set_event_support(&mut machine.found(MC), START, SENSOR, settings).expect("it exists");
        machine
    }

    fn armed(machine: &mut Machine, data: [u8; 6]) {
        set(&mut machine.found(MC), START, &data).expect("supported");
        reset(&mut machine.found(MC), START).expect("it was set");
    }

    /// Lets `milliseconds` since START pass and gives what the host was told and the last
    /// seven bytes of the logged records.
    fn run(machine: &mut Machine, milliseconds: u64) -> (Vec<(u128, HostSignal)>, Vec<Vec<u8>>) {
        let end = START + Duration::from_millis(milliseconds);
        let mut told = Vec::new();
        machine.actions.clear();
        while let Some(due) =
            machine.ensure(MC).watchdog.as_ref().and_then(Watchdog::deadline).filter(|due| *due <= end)
        {
            timeout(&mut machine.found(MC), due);
            told.extend(machine.actions.drain(..).filter_map(|action| match action {
                Action::Host { mc: MC, signal } => Some((due.since(START).as_millis(), signal)),
                _ => None,
            }));
        }
        let events = machine.ensure(MC).sel.records().map(|record| record[9..].to_vec()).collect();
        (told, events)
    }

    fn state(machine: &mut Machine, milliseconds: u64) -> [u8; 8] {
        let now = START + Duration::from_millis(milliseconds);
        machine.ensure(MC).watchdog.as_ref().map(|timer| timer.bytes(now)).expect("the BMC has one")
    }

    fn event(data: [u8; 3]) -> Vec<u8> {
        let mut bytes = vec![0x04, 0x23, 0x00, 0x6f];
        bytes.extend(data);
        bytes
    }

    #[test]
    fn only_the_bmc_has_one_and_it_must_be_set_first() {
        let mut machine = machine();
        machine.describe(McAddress(0x30), DeviceId::default());
        assert!(machine.ensure(McAddress(0x30)).watchdog.is_none());
        assert_eq!(reset(&mut machine.found(MC), START), Err(NotInitialised));
        assert_eq!(state(&mut machine, 0), [0; 8]);
    }

    /// Recorded: `06 24 44 01 00 00 05 00` and its end.
    #[test]
    fn reset_at_the_end_with_its_event() {
        let mut machine = machine();
        armed(&mut machine, [0x44, 0x01, 0, 0, 5, 0]);
        assert_eq!(state(&mut machine, 120), [0x44, 0x01, 0, 0, 5, 0, 4, 0]);
        let (told, events) = run(&mut machine, 1000);
        assert_eq!(told, [(500, HostSignal::Reset)]);
        assert_eq!(events, [event([0xc1, 0x04, 0xff])]);
        assert_eq!(state(&mut machine, 1000), [0x04, 0x01, 0, 0x10, 5, 0, 0, 0]);
    }

    /// Recorded: `06 24 43 31 02 10 14 00`: attention, event C8 3F, then the reset.
    #[test]
    fn a_message_interrupt_comes_before_the_end() {
        let mut machine = machine();
        armed(&mut machine, [0x43, 0x31, 1, 0x10, 20, 0]);
        let (told, events) = run(&mut machine, 3000);
        let attention = HostSignal::Attention { on: true, interrupt: false };
        assert_eq!(told, [(1000, attention), (2000, HostSignal::Reset)]);
        assert_eq!(events, [event([0xc8, 0x3f, 0xff]), event([0xc1, 0x03, 0xff])]);
        assert_eq!(machine.ensure(MC).messaging.flags(), messaging::flag::WATCHDOG_PRETIMEOUT);
    }

    #[test]
    fn a_pretimeout_longer_than_the_countdown_comes_at_once() {
        let mut machine = machine();
        armed(&mut machine, [0x01, 0x21, 9, 0, 20, 0]);
        let (told, _) = run(&mut machine, 3000);
        assert_eq!(told, [(0, HostSignal::Nmi), (2000, HostSignal::Reset)]);
    }

    #[test]
    fn a_setting_that_a_machine_begins_with_runs_when_it_is_kicked_and_not_before() {
        let mut machine = machine();
        let begin = |machine: &mut Machine, told| {
            machine.ensure(MC).watchdog.as_mut().expect("the BMC has one").begin_with(&told);
        };
        begin(&mut machine, [0x44, 0x01, 0, 0x10, 5, 0]);
        assert_eq!(run(&mut machine, 9000), (Vec::new(), Vec::new()));
        assert_eq!(state(&mut machine, 9000), [0x04, 0x01, 0, 0x10, 5, 0, 5, 0]);
        reset(&mut machine.found(MC), START).expect("it is set");
        assert_eq!(run(&mut machine, 9000).0, [(500, HostSignal::Reset)]);
        begin(&mut machine, [0x44, 0x01, 0, 0, 0, 0]);
        assert_eq!(reset(&mut machine.found(MC), START), Err(NotInitialised));
    }

    #[test]
    fn power_down_and_cycle_switch_the_host_off() {
        for (action, offset) in [(2, 0xc2), (3, 0xc3)] {
            let mut machine = machine();
            armed(&mut machine, [0x05, action, 0, 0, 5, 0]);
            let (told, events) = run(&mut machine, 1000);
            assert_eq!(told, [(500, HostSignal::PowerOff)]);
            assert_eq!(events, [event([offset, 0x05, 0xff])]);
            assert_eq!(machine.ensure(MC).chassis.deadline().is_some(), action == 3);
        }
    }

    #[test]
    fn a_kick_moves_the_end() {
        let mut machine = machine();
        armed(&mut machine, [0x04, 0x01, 0, 0, 10, 0]);
        reset(&mut machine.found(MC), START + Duration::from_millis(900)).expect("it was set");
        assert_eq!(run(&mut machine, 1899).0, []);
        assert_eq!(run(&mut machine, 1900).0, [(1900, HostSignal::Reset)]);
    }

    #[test]
    fn set_stops_a_running_timer_unless_it_says_not_to_and_never_starts_one() {
        let mut machine = machine();
        set(&mut machine.found(MC), START, &[0x44, 0x01, 0, 0, 5, 0]).expect("supported");
        assert_eq!(run(&mut machine, 9000).0, []);
        reset(&mut machine.found(MC), START).expect("it was set");
        set(&mut machine.found(MC), START, &[0x44, 0x01, 0, 0, 7, 0]).expect("supported");
        assert_eq!(run(&mut machine, 9000).0, [(700, HostSignal::Reset)]);
        armed(&mut machine, [0x04, 0x01, 0, 0, 5, 0]);
        set(&mut machine.found(MC), START, &[0x04, 0x01, 0, 0, 6, 0]).expect("supported");
        assert_eq!(run(&mut machine, 9000).0, []);
        assert_eq!(state(&mut machine, 9000), [0x04, 0x01, 0, 0x10, 6, 0, 6, 0]);
    }

    #[test]
    fn without_an_action_it_counts_sets_its_flag_and_logs() {
        for (timer_use, flag) in [(1, 0x02), (2, 0x04), (3, 0x08), (4, 0x10), (5, 0x20)] {
            let mut machine = machine();
            armed(&mut machine, [timer_use, 0x00, 0, 0xff, 3, 0]);
            assert_eq!(state(&mut machine, 100), [timer_use | 0x40, 0, 0, 0, 3, 0, 2, 0]);
            assert_eq!(run(&mut machine, 9000), (vec![], vec![event([0xc0, timer_use, 0xff])]));
            assert_eq!(state(&mut machine, 9000), [timer_use, 0, 0, flag, 3, 0, 0, 0]);
        }
    }

    #[test]
    fn the_running_state_is_told_and_is_no_setting() {
        let mut machine = machine();
        set(&mut machine.found(MC), START, &[0x44, 0x01, 0, 0, 5, 0]).expect("supported");
        assert_eq!(state(&mut machine, 0)[0], 0x04, "\"don't stop\" starts nothing");
        reset(&mut machine.found(MC), START).expect("it was set");
        assert_eq!(state(&mut machine, 0)[0], 0x44);
        set(&mut machine.found(MC), START, &[0x44, 0x01, 0, 0, 6, 0]).expect("supported");
        assert_eq!(state(&mut machine, 0)[0], 0x44);
        set(&mut machine.found(MC), START, &[0x04, 0x01, 0, 0, 6, 0]).expect("supported");
        assert_eq!(state(&mut machine, 0)[0], 0x04);
    }

    #[test]
    fn who_does_not_want_a_log_gets_none_once() {
        let mut machine = machine();
        armed(&mut machine, [0x84, 0x31, 1, 0, 20, 0]);
        assert_eq!(state(&mut machine, 0)[0], 0xc4);
        let (told, events) = run(&mut machine, 5000);
        assert_eq!((told.last(), events), (Some(&(2000, HostSignal::Reset)), vec![]));
        assert_eq!(state(&mut machine, 5000)[..4], [0x04, 0x31, 1, 0x10]);
        armed(&mut machine, [0x04, 0x01, 0, 0, 5, 0]);
        assert_eq!(run(&mut machine, 9000).1, [event([0xc1, 0x04, 0xff])]);
    }

    #[test]
    fn without_its_sensor_it_acts_and_logs_all_the_same() {
        let mut machine = machine();
        let receiver = machine.ensure(MC).sensors.event_receiver;
        machine.ensure(MC).sensors = Default::default();
        machine.ensure(MC).sensors.event_receiver = receiver;
        armed(&mut machine, [0x04, 0x01, 0, 0, 5, 0]);
        let (told, events) = run(&mut machine, 1000);
        assert_eq!((told, events), (vec![(500, HostSignal::Reset)], vec![event([0xc1, 0x04, 0xff])]));
        assert_eq!(state(&mut machine, 1000), [0x04, 0x01, 0, 0x10, 5, 0, 0, 0]);
        machine.ensure(MC).sensors.event_receiver.address = McAddress(0);
        armed(&mut machine, [0x04, 0x01, 0, 0, 5, 0]);
        assert_eq!(run(&mut machine, 1000).1.len(), 1, "nobody is told of it");
    }

    #[test]
    fn what_the_host_cannot_do_is_refused() {
        let mut machine = machine();
        machine.ensure(MC).channels.host_mut().expect("channel 15").announced = 0;
        let mut ask =
            |timer_use: u8, actions: u8| set(&mut machine.found(MC), START, &[timer_use, actions, 0, 0, 10, 0]);
        for timer_use in [0, 6, 7] {
            assert_eq!(ask(timer_use, 0), Err(NotSupported), "use {timer_use}");
        }
        for actions in [0x01, 0x04, 0x07, 0x10, 0x20, 0x40, 0x70] {
            assert_eq!(ask(4, actions), Err(NotSupported), "actions {actions:02x}");
        }
        for actions in [0x00, 0x02, 0x03, 0x08, 0x30, 0x80] {
            assert_eq!(ask(4, actions), Ok(()), "actions {actions:02x}");
        }
    }
}
