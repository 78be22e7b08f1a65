//! Events through the filters: which actions follow, when, and which event was the last (IPMI 2.0 sections 17.1 to 17.6,
//! 30.2, 30.5 and 30.6).
//!
//! Owns the delays and the ids of the events processed last. Sends nothing itself: alerts are
//! [`alerts`]', and the power is the chassis's.

use std::time::Duration;

use super::alerts;
use super::filter::action;
use crate::bmc::event::SYSTEM_EVENT_RECORD;
use crate::bmc::sel::{self, Record};
use crate::bmc::{At, StateFile, chassis};
use crate::ipmi::Moment;

/// PEF control (parameter 1).
mod control {
    /// PEF is enabled.
    pub(super) const ENABLED: u8 = 0x01;
    /// Actions are logged.
    pub(super) const EVENT_MESSAGES: u8 = 0x02;
    /// Events wait for a while after the machine has restarted (parameter 3).
    pub(super) const STARTUP_DELAY: u8 = 0x04;
    /// Alerts wait for a while after the machine has restarted (parameter 4).
    pub(super) const ALERT_STARTUP_DELAY: u8 = 0x08;
}

/// Arm PEF Postpone Timer: events wait without end.
pub const POSTPONE_WITHOUT_END: u8 = 0xfe;
/// Arm PEF Postpone Timer: only asks.
pub const POSTPONE_ASK: u8 = 0xff;

/// Sensor type "system event" and its offset "PEF action" (IPMI 2.0 table 42-3).
const SYSTEM_EVENT: u8 = 0x12;
const PEF_ACTION: u8 = 0x04;
/// Event data 2 says what of the event; event data 3 nothing.
const DATA_2_IS_SPECIFIC: u8 = 0xc0;

/// The postpone timer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Postponed {
    #[default]
    Not,
    Until(Moment),
    WithoutEnd,
}

/// Delays, and the events processed last.
#[derive(Debug, Default)]
pub struct Processing {
    /// Record id of the event that software processed last; 0 is none.
    pub by_software: u16,
    /// The same of this controller; 0 also for an event that could not be logged.
    pub by_bmc: u16,
    postponed: Postponed,
    /// Events wait until then because the machine has restarted.
    events_from: Option<Moment>,
    /// The same for alerts.
    alerts_from: Option<Moment>,
    /// The last record of the log when events began to wait.
    waiting_since: Option<u16>,
}

impl Processing {
    fn is_waiting(&self) -> bool {
        self.postponed != Postponed::Not || self.events_from.is_some()
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        let postponed = if let Postponed::Until(end) = self.postponed { Some(end) } else { None };
        postponed.into_iter().chain(self.events_from).min()
    }
}

/// By which policy alerts are sent, and what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) policy: u8,
    /// The worst of the filters that matched.
    pub(super) severity: u8,
    /// The first of them.
    pub(super) filter: u8,
}

/// A controller got an event, with the id it has in the log if it was logged.
pub fn received(at: &mut At<'_>, now: Moment, record: &Record, id: Option<u16>) {
    if at.pef.control() & control::ENABLED != 0 && !at.pef.processing.is_waiting() {
        process(at, now, record, id);
    }
}

fn process(at: &mut At<'_>, now: Moment, record: &Record, id: Option<u16>) {
    let (mut actions, mut alerts) = (0, Vec::<Chosen>::new());
    for filter in at.pef.filters().filter(|filter| filter.matches(record)) {
        actions |= filter.actions();
        if filter.actions() & action::ALERT != 0 {
            let (policy, severity) = (filter.policy(), filter.severity());
            match alerts.iter_mut().find(|chosen| chosen.policy == policy) {
                Some(chosen) => chosen.severity = chosen.severity.max(severity),
                None => alerts.push(Chosen { policy, severity, filter: filter.number() }),
            }
        }
    }
    at.pef.processing.by_bmc = id.unwrap_or(0);
    actions &= at.pef.enabled_actions() & action::KNOWN;
    if actions == 0 {
        return;
    }
    if actions & action::ALERT != 0 {
        // The lowest policy first (section 17.11).
        alerts.sort_by_key(|chosen| chosen.policy);
        let begins = at.pef.processing.alerts_from.filter(|from| *from > now).unwrap_or(now);
        for chosen in alerts {
            alerts::begin(at, now, record, &chosen, begins);
        }
    }
    let power = power_action(actions);
    if at.pef.control() & control::EVENT_MESSAGES != 0 {
        log_action(at, now, actions & action::ALERT | power);
    }
    if power != 0 {
        act_on_power(at, now, power);
    }
}

/// The one with the highest priority (IPMI 2.0 table 17-1).
fn power_action(actions: u8) -> u8 {
    [action::POWER_OFF, action::POWER_CYCLE, action::RESET, action::DIAGNOSTIC_INTERRUPT]
        .into_iter()
        .find(|action| actions & action != 0)
        .unwrap_or(0)
}

fn act_on_power(at: &mut At<'_>, now: Moment, action: u8) {
    let control = match action {
        action::POWER_OFF => chassis::Control::PowerDown,
        action::POWER_CYCLE => chassis::Control::PowerCycle,
        action::RESET => chassis::Control::Reset,
        _ => chassis::Control::DiagnosticInterrupt,
    };
    chassis::control_by_filter(at, now, control);
}

/// Logs that actions were taken. No filter looks at this.
fn log_action(at: &mut At<'_>, now: Moment, actions: u8) {
    let data_1 = DATA_2_IS_SPECIFIC | PEF_ACTION;
    let mc = at.address.0;
    let record = [0, 0, SYSTEM_EVENT_RECORD, 0, 0, 0, 0, mc, 0, 4, SYSTEM_EVENT, 0, 0x6f, data_1, actions, 0xff];
    // A log that is full or missing loses it, as it does others.
    let _ = sel::log(at, now, record);
}

/// The machine was switched on or reset: events and alerts wait as parameters 1, 3 and 4 say, and no longer because
/// somebody postponed them.
pub fn machine_restarted(at: &mut At<'_>, now: Moment) {
    let (control, last) = (at.pef.control(), at.sel.last_id());
    let [events, alerts] = at.pef.startup_delays().map(|seconds| Duration::from_secs(seconds.into()));
    if control & control::ALERT_STARTUP_DELAY != 0 {
        at.pef.processing.alerts_from = Some(now + alerts);
    }
    if control & control::STARTUP_DELAY != 0 && !events.is_zero() {
        let processing = &mut at.pef.processing;
        processing.events_from = Some(now + events);
        processing.waiting_since.get_or_insert(last);
    }
}

/// Arm PEF Postpone Timer: events wait for so many seconds, from now on; 0 ends that, [`POSTPONE_WITHOUT_END`] has them
/// wait until it is ended, [`POSTPONE_ASK`] only asks. Gives the seconds that are left.
pub fn postpone(at: &mut At<'_>, now: Moment, seconds: u8) -> u8 {
    let last = at.sel.last_id();
    let processing = &mut at.pef.processing;
    let postponed = match seconds {
        POSTPONE_ASK => processing.postponed,
        0 => Postponed::Not,
        POSTPONE_WITHOUT_END => Postponed::WithoutEnd,
        seconds => Postponed::Until(now + Duration::from_secs(seconds.into())),
    };
    processing.postponed = postponed;
    if postponed != Postponed::Not {
        processing.waiting_since.get_or_insert(last);
    }
    go_on(at, now);
    match postponed {
        Postponed::Not => 0,
        Postponed::WithoutEnd => POSTPONE_WITHOUT_END,
        // What has begun counts as a whole second.
        Postponed::Until(end) => end.since(now).as_millis().div_ceil(1000) as u8,
    }
}

/// Does what is due.
pub(super) fn timeout(at: &mut At<'_>, now: Moment) {
    let processing = &mut at.pef.processing;
    if processing.deadline().is_none_or(|deadline| deadline > now) {
        return;
    }
    if matches!(processing.postponed, Postponed::Until(end) if end <= now) {
        processing.postponed = Postponed::Not;
    }
    processing.events_from = processing.events_from.filter(|from| *from > now);
    go_on(at, now);
}

/// Events need not wait any longer: those that waited are processed, but for those that software has processed.
fn go_on(at: &mut At<'_>, now: Moment) {
    let processing = &mut at.pef.processing;
    if processing.is_waiting() {
        return;
    }
    let by_software = processing.by_software;
    let Some(since) = processing.waiting_since.take() else { return };
    if at.pef.control() & control::ENABLED == 0 {
        return;
    }
    let ids = at.sel.records().map(|record| u16::from_le_bytes([record[0], record[1]]));
    let seen = ids.enumerate().filter(|(_, id)| [since, by_software].contains(id)).map(|(index, _)| index + 1);
    let seen = seen.max().unwrap_or(0);
    let waiting: Vec<Record> = at.sel.records().skip(seen).copied().collect();
    for record in waiting.iter().filter(|record| record[2] == SYSTEM_EVENT_RECORD) {
        process(at, now, record, Some(u16::from_le_bytes([record[0], record[1]])));
    }
}

/// Which event was processed last is set by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processor {
    /// Software, the remote one or that of the machine.
    Software,
    /// This controller.
    Controller,
}

/// Set Last Processed Event ID, by a client.
pub fn set_last_processed(at: &mut At<'_>, by: Processor, id: u16) {
    let changed: Result<(), std::convert::Infallible> = at.change(StateFile::Pef, |controller| {
        let processing = &mut controller.pef.processing;
        match by {
            Processor::Software => processing.by_software = id,
            Processor::Controller => processing.by_bmc = id,
        }
        Ok(())
    });
    let Ok(()) = changed;
}
