//! The Data Center Manageability Interface of a controller (DCMI 1.5): power readings with their
//! statistics, power and thermal limits, asset tag, identifier string, DHCP parameters.
//!
//! Owns these values; what was seen of the power is the [`power_meter`](super::power_meter)'s. Temperatures are those of the
//! [`sensor`]s; limits are kept for the client that set them, and only the modelled power obeys
//! its limit.

use std::collections::BTreeMap;
use std::time::Duration;

use super::chassis;
use super::power_meter::{Counter, PowerMeter, Reading, Statistics};
use super::sensor::{self, Curve, Off, Place, SensorId, Signal};
use super::unsaved::Unchanged;
use super::{At, Controller, Machine, StateFile};
use crate::ipmi::{McAddress, Moment};

/// What a machine draws that no sensor tells about, in watts: switched on.
pub const MODELLED_ON: u16 = 120;
/// The same, switched off: its controller and its standby power.
pub const MODELLED_OFF: u16 = 8;

/// Most bytes of the asset tag and of the identifier string, without the NUL behind that.
pub const MOST_TEXT: usize = 63;
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

/// The interface of one controller.
#[derive(Debug, Default)]
pub struct Dcmi {
    /// `mc_disable_dcmi`: it is not there.
    pub disabled: bool,
    /// What clients have set.
    pub settings: Settings,
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
    look(at, now);
    let counter = at.power_meter.counter.clone();
    at.power_meter = PowerMeter { sensor: Some(sensor), counter, ..PowerMeter::default() };
    look(at, now);
}

/// The power of a machine that no sensor tells about, in watts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerModel {
    /// Switched on, without load.
    pub idle: f64,
    /// With full load.
    pub highest: f64,
    /// Switched off.
    pub standby: f64,
}

impl PowerModel {
    fn curve(self) -> Curve {
        let alone = Curve::new(Signal::Constant(self.idle));
        Curve { load_gain: self.highest - self.idle, off: Some(Off { value: self.standby, tau: 0.0 }), ..alone }
    }
}

/// `mc_power_model`: the power is that of a model which follows the load, from now on. `None`: it is [`MODELLED_ON`] and
/// [`MODELLED_OFF`] again.
pub fn set_model(at: &mut At<'_>, now: Moment, model: Option<PowerModel>) {
    look(at, now);
    sensor::set_model(at, now, model.map(PowerModel::curve));
    let counter = at.power_meter.counter.clone();
    at.power_meter = PowerMeter { counter, ..PowerMeter::default() };
    look(at, now);
}

/// Whether something was said of the power: the sensor or the model that tells it.
pub fn is_metered(controller: &Controller) -> bool {
    controller.power_meter.sensor.is_some() || sensor::has_model(controller)
}

/// The energy that a controller's machine has drawn since the system began, in joules.
pub fn energy(at: &mut At<'_>, now: Moment) -> f64 {
    look(at, now);
    at.power_meter.counter.pass(now);
    at.power_meter.counter.joules()
}

/// The statistics of a controller begin anew (cold reset, another power limit).
pub fn reset_statistics(at: &mut At<'_>, now: Moment) {
    look(at, now);
    at.power_meter.statistics.reset(now);
}

/// Looks at the power and notes it.
pub fn look(at: &mut At<'_>, now: Moment) {
    sensor::meter(at, now);
    if let Some(place) = at.power_meter.sensor {
        sensor::look(at, now, place);
        sensor::tell_power_meter(at, now, place);
        return;
    }
    if sensor::has_model(at) {
        let limit = at.dcmi.settings.limit;
        sensor::limit_model(at, now, limit.active.then_some(limit.watts.into()));
        return;
    }
    let on = chassis::last_power(at, now);
    let on_time = at.chassis.power_on_time(now);
    let limit = at.dcmi.settings.limit;
    let PowerMeter { statistics, counter, .. } = &mut at.power_meter;
    modelled(statistics, counter, now, on, on_time, limit);
}

/// The power of a machine that no sensor tells about. What happened since it was looked at last
/// follows from how long it was on meanwhile: it changed at most as often as that needs.
fn modelled(
    statistics: &mut Statistics,
    counter: &mut Counter,
    now: Moment,
    on: bool,
    on_time: Duration,
    limit: PowerLimit,
) {
    let watts = |on: bool| {
        let most = if limit.active { limit.watts } else { u16::MAX };
        if on { MODELLED_ON.min(most) } else { MODELLED_OFF.min(most) }
    };
    let meanwhile = on_time.saturating_sub(statistics.on_time);
    let seen = statistics.seen;
    let mut observe = |time, watts| {
        statistics.observe(time, watts);
        counter.change(time, watts.into());
    };
    if let Some((then, was_on)) = seen {
        let off = now.since(then).saturating_sub(meanwhile);
        match (was_on, on) {
            (true, false) => observe(then + meanwhile, watts(false)),
            (false, true) => observe(then + off, watts(true)),
            (true, true) if !off.is_zero() => {
                observe(then, watts(false));
                observe(then + off, watts(true));
            }
            (false, false) if !meanwhile.is_zero() => {
                observe(then, watts(true));
                observe(then + meanwhile, watts(false));
            }
            _ => {}
        }
    }
    observe(now, watts(on));
    (statistics.on_time, statistics.seen) = (on_time, Some((now, on)));
}

/// The power of a controller's machine: over the last `window`, or since the statistics were
/// begun. `None` when its sensor has never had a reading.
pub fn power(at: &mut At<'_>, now: Moment, window: Option<Duration>) -> Option<Reading> {
    look(at, now);
    let statistics = &at.power_meter.statistics;
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
    use super::super::power_meter::tests::{at, reading};
    use super::*;

    #[test]
    fn what_happened_between_two_looks_follows_from_the_time_on() {
        let limit = PowerLimit::default();
        let seconds = Duration::from_secs;
        let (mut statistics, mut counter) = (Statistics::default(), Counter::default());
        let mut look = |now: u64, on, on_time| {
            modelled(&mut statistics, &mut counter, at(now * 1000), on, seconds(on_time), limit);
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
        assert_eq!(counter.joules(), f64::from(30 * MODELLED_ON + 20 * MODELLED_OFF));
    }

    #[test]
    fn the_modelled_power_obeys_an_active_limit() {
        let mut statistics = Statistics::default();
        let limit = PowerLimit { watts: 50, active: true, ..PowerLimit::default() };
        modelled(&mut statistics, &mut Counter::default(), at(0), true, Duration::ZERO, limit);
        assert_eq!(statistics.total(at(0)), reading(50, 50, 50, 50, 0));
        modelled(
            &mut statistics,
            &mut Counter::default(),
            at(1000),
            true,
            Duration::from_secs(1),
            PowerLimit { active: false, ..limit },
        );
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
