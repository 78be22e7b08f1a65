//! The Data Center Manageability Interface of a controller (DCMI 1.5): power readings with their
//! statistics, power and thermal limits, asset tag, identifier string, DHCP parameters.
//!
//! Owns these values and what was seen of the power. Nothing runs for it: the statistics are
//! brought up to date when the power changes or somebody asks. Temperatures are those of the
//! [`sensor`]s; limits are kept for the client that set them, and only the modelled power obeys
//! its limit.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::chassis;
use super::sensor::{self, Place, SensorId};
use super::unsaved::Unchanged;
use super::{At, Controller, Machine, StateFile};
use crate::ipmi::{McAddress, Moment};

/// What a machine draws that no sensor tells about, in watts: switched on.
pub const MODELLED_ON: u16 = 120;
/// The same, switched off: its controller and its standby power.
pub const MODELLED_OFF: u16 = 8;

/// Most bytes of the asset tag and of the identifier string, without the NUL behind that.
pub const MOST_TEXT: usize = 63;
/// Changes of the power that are remembered for readings of the last seconds to hours.
const MOST_CHANGES: usize = 128;

/// Power limit, DCMI 1.5 section 6.6.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PowerLimit {
    /// What happens when it cannot be held: 0 nothing, 1 power off, 11h an event.
    pub action: u8,
    /// Watts; 0 before anybody has set it.
    pub watts: u16,
    /// Milliseconds in which the power has to come back below it.
    pub correction: u32,
    /// Seconds over which the client averages.
    pub sampling: u16,
    /// Whether it is in force.
    pub active: bool,
}

/// DHCP parameters 2 to 5, DCMI 1.5 section 6.1.2: for the client that sets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dhcp {
    /// How the controller would be found.
    pub discovery: u8,
    /// Seconds until the first attempt is given up.
    pub initial_timeout: u8,
    /// Seconds until the server is given up.
    pub server_timeout: u16,
    /// Seconds between attempts after that.
    pub retry_interval: u16,
}

impl Default for Dhcp {
    /// The defaults of the specification.
    fn default() -> Self {
        Self { discovery: 0, initial_timeout: 4, server_timeout: 120, retry_interval: 64 }
    }
}

/// What clients have set and what survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Asset tag, at most [`MOST_TEXT`] bytes.
    pub asset_tag: Vec<u8>,
    /// Management controller identifier string, at most [`MOST_TEXT`] bytes; empty is the default.
    pub identifier: Vec<u8>,
    /// Power limit.
    pub limit: PowerLimit,
    /// By entity and instance: exception actions, temperature, exception time as they came.
    pub thermal: BTreeMap<(u8, u8), [u8; 4]>,
    /// DHCP parameters.
    pub dhcp: Dhcp,
}

/// Writes `data` at `offset` of a text: it ends behind that, as OpenBMC has it. `None` when there
/// would be a gap, or more than `most` bytes.
pub fn write_text(text: &[u8], offset: usize, data: &[u8], most: usize) -> Option<Vec<u8>> {
    let kept = text.get(..offset)?;
    (offset + data.len() <= most).then(|| [kept, data].concat())
}

/// A power reading with its statistics, in watts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Now.
    pub current: u16,
    /// Lowest of the period.
    pub minimum: u16,
    /// Highest of the period.
    pub maximum: u16,
    /// Average over the period.
    pub average: u16,
    /// How long the period is.
    pub period: Duration,
}

/// What was seen of the power.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// When they were begun.
    started: Option<Moment>,
    /// Since when which power was drawn, oldest first: the last is the present one.
    changes: VecDeque<(Moment, u16)>,
    minimum: u16,
    maximum: u16,
    /// Watts times milliseconds up to the last change.
    sum: u64,
    /// What [`modelled`] saw last of how long the machine was on.
    on_time: Duration,
    /// When it saw that, and whether the machine was on.
    seen: Option<(Moment, bool)>,
}

fn energy(watts: u16, time: Duration) -> u64 {
    u64::from(watts).saturating_mul(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn average(energy: u64, time: Duration, present: u16) -> u16 {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let average = energy.saturating_add(milliseconds / 2).checked_div(milliseconds);
    average.map_or(present, |average| u16::try_from(average).unwrap_or(u16::MAX))
}

impl Statistics {
    /// From `now` on `watts` are drawn.
    pub fn observe(&mut self, now: Moment, watts: u16) {
        let Some((last, before)) = self.changes.back().copied() else {
            self.started = Some(now);
            (self.minimum, self.maximum) = (watts, watts);
            self.changes.push_back((now, watts));
            return;
        };
        if watts == before {
            return;
        }
        self.sum = self.sum.saturating_add(energy(before, now.since(last)));
        self.minimum = self.minimum.min(watts);
        self.maximum = self.maximum.max(watts);
        self.changes.push_back((now.max(last), watts));
        if self.changes.len() > MOST_CHANGES {
            self.changes.pop_front();
        }
    }

    /// Since they were begun.
    pub fn total(&self, now: Moment) -> Option<Reading> {
        let ((last, current), started) = (self.changes.back().copied()?, self.started?);
        let period = now.since(started);
        let sum = self.sum.saturating_add(energy(current, now.since(last)));
        let average = average(sum, period, current);
        Some(Reading { current, minimum: self.minimum, maximum: self.maximum, average, period })
    }

    /// Over the last `length`, or as far back as changes are remembered.
    pub fn window(&self, now: Moment, length: Duration) -> Option<Reading> {
        let (oldest, _) = self.changes.front().copied()?;
        let (_, current) = self.changes.back().copied()?;
        let start = (now - length).max(oldest);
        let ends = self.changes.iter().skip(1).map(|(moment, _)| *moment).chain([now]);
        let mut reading =
            Reading { current, minimum: current, maximum: current, average: current, period: now.since(start) };
        let mut sum = 0u64;
        for ((begin, watts), end) in self.changes.iter().copied().zip(ends) {
            // What ended before the window began has no part in it.
            if end < start || end == start && end != now {
                continue;
            }
            sum = sum.saturating_add(energy(watts, end.since(begin.max(start))));
            reading.minimum = reading.minimum.min(watts);
            reading.maximum = reading.maximum.max(watts);
        }
        reading.average = average(sum, reading.period, current);
        Some(reading)
    }

    /// Begins anew with what is drawn now.
    pub fn reset(&mut self, now: Moment) {
        let present = self.changes.back().map(|(_, watts)| *watts);
        let (on_time, seen) = (self.on_time, self.seen);
        *self = Self { on_time, seen, ..Self::default() };
        if let Some(watts) = present {
            self.observe(now, watts);
        }
    }
}

/// The interface of one controller.
#[derive(Debug, Default)]
pub struct Dcmi {
    /// `mc_disable_dcmi`: it is not there.
    pub disabled: bool,
    /// `mc_set_dcmi_power`: the sensor that tells the power, in watts.
    pub sensor: Option<Place>,
    /// What clients have set.
    pub settings: Settings,
    statistics: Statistics,
}

/// Whether a controller has the interface: it is the BMC, or can be reached over a LAN.
pub fn exists(machine: &Machine, mc: McAddress) -> bool {
    let reached = |controller: &Controller| controller.channels.lans().next().is_some();
    machine
        .controller(mc)
        .is_some_and(|controller| !controller.dcmi.disabled && (machine.bmc == Some(mc) || reached(controller)))
}

/// Changes settings and has them kept.
pub fn change(at: &mut At<'_>, change: impl FnOnce(&mut Settings)) {
    let _ = at.change(StateFile::Dcmi, |controller| {
        let before = controller.dcmi.settings.clone();
        change(&mut controller.dcmi.settings);
        if before == controller.dcmi.settings { Err(Unchanged) } else { Ok(()) }
    });
}

/// `mc_set_dcmi_power`: this sensor tells the power from now on.
pub fn set_sensor(at: &mut At<'_>, now: Moment, sensor: Place) {
    at.dcmi.sensor = Some(sensor);
    at.dcmi.statistics = Statistics::default();
    look(at, now);
}

/// The statistics of a controller begin anew (cold reset, another power limit).
pub fn reset_statistics(at: &mut At<'_>, now: Moment) {
    look(at, now);
    at.dcmi.statistics.reset(now);
}

/// A sensor has another reading: it may be the one that tells the power.
pub(super) fn value_changed(at: &mut At<'_>, now: Moment, sensor: Place) {
    if at.dcmi.sensor == Some(sensor) {
        look(at, now);
    }
}

/// Looks at the power and notes it.
pub fn look(at: &mut At<'_>, now: Moment) {
    if let Some(place) = at.dcmi.sensor {
        let Some(watts) = sensor::reading(at.machine(), place.of(at.address)) else { return };
        let watts = watts.round().clamp(0.0, f64::from(u16::MAX)) as u16;
        at.dcmi.statistics.observe(now, watts);
        return;
    }
    let on = chassis::last_power(at, now);
    let on_time = at.chassis.power_on_time(now);
    let limit = at.dcmi.settings.limit;
    modelled(&mut at.dcmi.statistics, now, on, on_time, limit);
}

/// The power of a machine that no sensor tells about. What happened since it was looked at last
/// follows from how long it was on meanwhile: it changed at most as often as that needs.
fn modelled(statistics: &mut Statistics, now: Moment, on: bool, on_time: Duration, limit: PowerLimit) {
    let watts = |on: bool| {
        let most = if limit.active { limit.watts } else { u16::MAX };
        if on { MODELLED_ON.min(most) } else { MODELLED_OFF.min(most) }
    };
    let meanwhile = on_time.saturating_sub(statistics.on_time);
    if let Some((then, was_on)) = statistics.seen {
        let off = now.since(then).saturating_sub(meanwhile);
        match (was_on, on) {
            (true, false) => statistics.observe(then + meanwhile, watts(false)),
            (false, true) => statistics.observe(then + off, watts(true)),
            (true, true) if !off.is_zero() => {
                statistics.observe(then, watts(false));
                statistics.observe(then + off, watts(true));
            }
            (false, false) if !meanwhile.is_zero() => {
                statistics.observe(then, watts(true));
                statistics.observe(then + meanwhile, watts(false));
            }
            _ => {}
        }
    }
    statistics.observe(now, watts(on));
    (statistics.on_time, statistics.seen) = (on_time, Some((now, on)));
}

/// The power of a controller's machine: over the last `window`, or since the statistics were
/// begun. `None` when its sensor has never had a reading.
pub fn power(at: &mut At<'_>, now: Moment, window: Option<Duration>) -> Option<Reading> {
    look(at, now);
    let statistics = &at.dcmi.statistics;
    match window {
        Some(length) => statistics.window(now, length),
        None => statistics.total(now),
    }
}

/// The entities that stand for the one a client names: DCMI has numbers of its own for air inlet,
/// processor and baseboard beside those of IPMI.
fn same_entity(named: u8, entity: u8) -> bool {
    const SAME: [[u8; 2]; 3] = [[0x37, 0x40], [0x03, 0x41], [0x07, 0x42]];
    named == entity || SAME.iter().any(|pair| pair.contains(&named) && pair.contains(&entity))
}

/// A temperature sensor as its record in the SDR repository describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Temperature {
    /// Instance of its entity.
    pub instance: u8,
    /// Id of its record.
    pub record: u16,
    /// Which sensor it is.
    pub sensor: SensorId,
}

/// The temperature sensors of an entity, by instance.
pub fn temperatures(controller: &Controller, entity: u8) -> Vec<Temperature> {
    let records = controller.sdr.records().filter_map(sensor::temperature_record);
    let mut found: Vec<Temperature> = records
        .filter(|record| same_entity(entity, record.entity))
        .map(|record| Temperature { instance: record.instance, record: record.id, sensor: record.sensor })
        .collect();
    found.sort_by_key(|temperature| temperature.instance);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Moment {
        Moment::new(Duration::from_millis(milliseconds))
    }

    fn reading(current: u16, minimum: u16, maximum: u16, average: u16, milliseconds: u64) -> Option<Reading> {
        Some(Reading { current, minimum, maximum, average, period: Duration::from_millis(milliseconds) })
    }

    #[test]
    fn statistics_weigh_each_power_with_its_time() {
        let mut statistics = Statistics::default();
        assert_eq!(statistics.total(at(0)), None);
        statistics.observe(at(1000), 100);
        assert_eq!(statistics.total(at(1000)), reading(100, 100, 100, 100, 0));
        statistics.observe(at(2000), 100);
        statistics.observe(at(4000), 200);
        assert_eq!(statistics.total(at(5000)), reading(200, 100, 200, 125, 4000));
        statistics.observe(at(5000), 50);
        assert_eq!(statistics.total(at(9000)), reading(50, 50, 200, 88, 8000));
        statistics.reset(at(9000));
        assert_eq!(statistics.total(at(9500)), reading(50, 50, 50, 50, 500));
    }

    #[test]
    fn a_window_looks_back_only_so_far() {
        let mut statistics = Statistics::default();
        for (moment, watts) in [(0, 100), (10_000, 300), (20_000, 200)] {
            statistics.observe(at(moment), watts);
        }
        let window = |seconds| statistics.window(at(25_000), Duration::from_secs(seconds));
        assert_eq!(window(1), reading(200, 200, 200, 200, 1000));
        assert_eq!(window(5), reading(200, 200, 200, 200, 5000));
        assert_eq!(window(10), reading(200, 200, 300, 250, 10_000));
        assert_eq!(window(3600), reading(200, 100, 300, 200, 25_000), "as long as it was looked at");
        assert_eq!(statistics.window(at(20_000), Duration::from_secs(5)).map(|it| it.average), Some(300));
    }

    #[test]
    fn what_is_remembered_of_changes_is_limited() {
        let mut statistics = Statistics::default();
        for change in 0..10_000u64 {
            statistics.observe(at(change * 1000), 100 + (change % 2) as u16);
        }
        assert_eq!(statistics.changes.len(), MOST_CHANGES);
        let hour = statistics.window(at(10_000_000), Duration::from_secs(3600)).expect("observed");
        assert_eq!(hour.period, Duration::from_secs(MOST_CHANGES as u64));
        let total = statistics.total(at(10_000_000)).expect("observed");
        assert_eq!((total.minimum, total.maximum, total.period), (100, 101, Duration::from_secs(10_000)));
    }

    #[test]
    fn what_happened_between_two_looks_follows_from_the_time_on() {
        let limit = PowerLimit::default();
        let seconds = Duration::from_secs;
        let mut statistics = Statistics::default();
        let mut look = |now: u64, on, on_time| {
            modelled(&mut statistics, at(now * 1000), on, seconds(on_time), limit);
            statistics.total(at(now * 1000)).expect("observed")
        };
        assert_eq!(look(0, false, 0).average, MODELLED_OFF);
        // On for 5 of 10 seconds, and still.
        let on = look(10, true, 5);
        assert_eq!((on.current, on.average), (MODELLED_ON, (MODELLED_ON + MODELLED_OFF) / 2));
        // Off for 10 seconds and on again.
        assert_eq!(look(20, true, 5).average, (MODELLED_ON + 3 * MODELLED_OFF) / 4);
        assert_eq!(look(30, true, 15).minimum, MODELLED_OFF);
        let off = look(40, false, 20);
        assert_eq!((off.current, off.average), (MODELLED_OFF, (MODELLED_ON + MODELLED_OFF) / 2));
        // On for all of 10 seconds and off again just now.
        assert_eq!(look(50, false, 30).average, (30 * MODELLED_ON + 20 * MODELLED_OFF + 25) / 50);
    }

    #[test]
    fn the_modelled_power_obeys_an_active_limit() {
        let mut statistics = Statistics::default();
        let limit = PowerLimit { watts: 50, active: true, ..PowerLimit::default() };
        modelled(&mut statistics, at(0), true, Duration::ZERO, limit);
        assert_eq!(statistics.total(at(0)), reading(50, 50, 50, 50, 0));
        modelled(&mut statistics, at(1000), true, Duration::from_secs(1), PowerLimit { active: false, ..limit });
        assert_eq!(statistics.total(at(1000)).map(|it| it.current), Some(MODELLED_ON));
    }

    #[test]
    fn a_text_ends_behind_what_was_written_last() {
        assert_eq!(write_text(b"", 0, b"one", 63), Some(b"one".to_vec()));
        assert_eq!(write_text(b"one", 3, b" two", 63), Some(b"one two".to_vec()));
        assert_eq!(write_text(b"one two", 0, b"1", 63), Some(b"1".to_vec()));
        assert_eq!(write_text(b"one", 4, b"x", 63), None, "a gap");
        assert_eq!(write_text(&[b'x'; 60], 60, b"abc", 63).map(|text| text.len()), Some(63));
        assert_eq!(write_text(&[b'x'; 60], 60, b"abcd", 63), None);
    }

    #[test]
    fn entities_have_two_numbers() {
        assert!(same_entity(0x40, 0x37) && same_entity(0x37, 0x40) && same_entity(0x41, 0x03) && same_entity(0x42, 7));
        assert!(same_entity(9, 9) && !same_entity(0x40, 0x41) && !same_entity(0x37, 7));
    }
}
