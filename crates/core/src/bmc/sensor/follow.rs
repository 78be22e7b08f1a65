//! Sensors that follow a signal: what they read now, and when that crosses a threshold next.
//!
//! Owns what a sensor follows and the load of its controller. Nothing runs for it: a reading is computed when somebody looks,
//! and a timer is set for the millisecond in which a threshold is crossed next, and for no other. What is random is looked
//! through [`AHEAD`] at a time, and a look ahead takes at most [`MOST_LOOKS`] steps, so a system whose sensors may cross
//! something, but do not, is woken about once an hour.

use std::fmt;
use std::time::Duration;

use thiserror::Error as ErrorTexts;

use super::signal::{Ahead, Signal, Span, first_outside, mix};
use super::{Place, Reporting, Scale, Sensor, SensorId, Sensors, THRESHOLD_CODE, descriptions, setup, take_reading};
use crate::bmc::chassis::{PowerState, power_state};
use crate::bmc::device_id::support;
use crate::bmc::{At, Controller, Error, Machine};
use crate::ipmi::Moment;

/// How far signals that are random are looked through.
const AHEAD: Duration = Duration::from_secs(3600);
/// How far others are.
const FAR_AHEAD: Duration = Duration::from_secs(366 * 24 * 3600);
/// Between two looks at the power, the sensor that tells it is looked at as often, evenly, at most once a second.
const POWER_SAMPLES: u32 = 60;
/// Steps of a look ahead.
const MOST_LOOKS: u32 = 4096;
/// The first part of the future that is looked at; each further one is twice as long.
const FIRST_WINDOW: i64 = 1000;
/// Parts in which energy is summed up at a time: two days of a signal that changes every second.
const MOST_PIECES: u32 = 200_000;
/// The shortest of them: times are not finer.
const SHORTEST_PIECE: Duration = Duration::from_micros(1);
/// How often one of them is halved at most.
const DEEPEST: u32 = 16;
/// Sensors that may be added to one another in a row.
const LONGEST_CHAIN: usize = 4;

/// What a sensor follows: a signal, and what it is coupled to. Values are in the unit of the sensor's record, raw where there
/// is none. It is `signal + load gain * load / 100 + factor * other sensor`, clipped; without power it goes to `off`.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// What it would be by itself.
    pub signal: Signal,
    /// What full load adds.
    pub load_gain: f64,
    /// What another sensor adds.
    pub coupling: Option<Coupling>,
    /// Lowest value.
    pub lowest: f64,
    /// Highest value.
    pub highest: f64,
    /// What becomes of it without power; `None`: the same.
    pub off: Option<Off>,
}

impl Curve {
    /// The signal alone.
    pub fn new(signal: Signal) -> Self {
        let (lowest, highest) = (f64::NEG_INFINITY, f64::INFINITY);
        Self { signal, load_gain: 0.0, coupling: None, lowest, highest, off: None }
    }
}

impl fmt::Display for Curve {
    /// As it is said in `sensor_follow`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.signal)?;
        for (name, value) in [("min", self.lowest), ("max", self.highest)].into_iter().filter(|(_, it)| it.is_finite())
        {
            write!(f, " {name} {value}")?;
        }
        if self.load_gain != 0.0 {
            write!(f, " load {}", self.load_gain)?;
        }
        if let Some(Coupling { sensor: SensorId { mc, lun, number }, factor }) = self.coupling {
            write!(f, " add {mc:#04x} {lun} {number} {factor}")?;
        }
        match self.off {
            Some(Off { value, tau: 0.0 }) => write!(f, " off {value}"),
            Some(Off { value, tau }) => write!(f, " off {value} tau {tau}"),
            None => Ok(()),
        }
    }
}

/// Another sensor that is added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coupling {
    /// The other one.
    pub sensor: SensorId,
    /// What its value is multiplied by.
    pub factor: f64,
}

/// What a sensor reads without power.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Off {
    /// The value at last.
    pub value: f64,
    /// Time constant in seconds of the way there, and of the way back when the power is on again: after this time 37 % of
    /// it are left. 0: at once.
    pub tau: f64,
}

/// How much of the signal there is, from 0 (off for long) to 1 (on for long).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Gate {
    /// Since when the power is as it is.
    since: Moment,
    /// What it was then.
    from: f64,
    on: bool,
}

impl Gate {
    fn new(now: Moment, on: bool) -> Self {
        Self { since: now, from: f64::from(u8::from(on)), on }
    }

    fn at(&self, tau: f64, time: Option<Moment>) -> f64 {
        let target = f64::from(u8::from(self.on));
        match time {
            Some(time) if tau > 0.0 => {
                let left = (-time.since(self.since).as_secs_f64() / tau).exp();
                target + (self.from - target) * left
            }
            _ => target,
        }
    }
}

/// The following side of a sensor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Follow {
    curve: Curve,
    /// Time zero of the signal.
    start: Moment,
    /// What it draws by lot depends on this and the time alone.
    key: u64,
    gate: Gate,
    /// When it is due.
    pub(super) next: Option<Moment>,
}

impl Follow {
    /// What it follows, as it is said in `sensor_follow`.
    pub(super) fn text(&self) -> String {
        self.curve.to_string()
    }
}

/// What the sensors of a controller that follow something have in common.
#[derive(Debug)]
pub(super) struct Life {
    /// Whether the power was on.
    on: bool,
    /// Something was changed that the timers depend on.
    unplanned: bool,
    /// The records as they were when the timers were set.
    records: Records,
    /// `mc_load`, in percent.
    load: Option<Load>,
    /// `mc_power_model`: what the power meter tells.
    model: Option<Box<Follow>>,
}

#[derive(Clone, Debug)]
struct Load {
    signal: Signal,
    start: Moment,
    key: u64,
}

impl Load {
    fn span(&self, from: Moment, to: Option<Moment>) -> Span {
        self.signal.span(self.key, seconds(self.start, from), until(self.start, to)).clamp(0.0, 100.0)
    }
}

/// What tells that records of sensors have changed: how many there are, and when the last one came and went.
type Records = (usize, u32, u32, u32);

fn records(machine: &Machine, controller: &Controller) -> Records {
    let repository = machine.bmc.and_then(|bmc| machine.controller(bmc)).map(|bmc| &bmc.sdr);
    let times = repository.map(|sdr| (sdr.records().len(), sdr.last_add_time(), sdr.last_erase_time()));
    let (count, added, erased) = times.unwrap_or_default();
    (count, added, erased, controller.device_sdrs.change_time())
}

/// Whether the power is on that the sensors of a controller depend on: of its own chassis if it has one, else of the BMC's.
/// A program that was never asked counts as on.
fn powered(machine: &Machine, controller: &Controller) -> bool {
    let bmc = || machine.bmc.and_then(|bmc| machine.controller(bmc));
    let own = controller.device.supports(support::CHASSIS);
    let chassis = if own { controller } else { bmc().unwrap_or(controller) };
    power_state(chassis) != PowerState::Off
}

fn seconds(start: Moment, time: Moment) -> f64 {
    time.since(start).as_secs_f64()
}

fn until(start: Moment, time: Option<Moment>) -> f64 {
    time.map_or(f64::INFINITY, |time| seconds(start, time))
}

/// Bounds of what a sensor that follows something is, from one time to another; `None` is for ever.
fn span(machine: &Machine, at: &Controller, follow: &Follow, from: Moment, to: Option<Moment>, depth: usize) -> Span {
    let Follow { curve, start, key, gate, .. } = follow;
    let mut span = curve.signal.span(*key, seconds(*start, from), until(*start, to));
    if curve.load_gain != 0.0
        && let Some(load) = at.sensors.life.as_ref().and_then(|life| life.load.as_ref())
    {
        span = span.plus(load.span(from, to).times(curve.load_gain / 100.0));
    }
    if let Some(Coupling { sensor, factor }) = curve.coupling {
        span = span.plus(other(machine, sensor, from, to, depth).times(factor));
    }
    if let Some(Off { value, tau }) = curve.off {
        let gate = Span::of(gate.at(tau, Some(from)), gate.at(tau, to));
        let off = Span::point(value);
        span = span.plus(off.times(-1.0)).product(gate).plus(off);
    }
    span.clamp(curve.lowest, curve.highest)
}

/// Bounds of another sensor; 0 where there is none, or none with a reading.
fn other(machine: &Machine, id: SensorId, from: Moment, to: Option<Moment>, depth: usize) -> Span {
    let found = machine.controller(id.mc).and_then(|mc| Some((mc, mc.sensors.get(id.place())?)));
    let Some((controller, sensor)) = found else { return Span::point(0.0) };
    match &sensor.follow {
        Some(follow) if depth < LONGEST_CHAIN => span(machine, controller, follow, from, to, depth + 1),
        _ if sensor.has_value => Span::point(Ruler::of(machine, id, sensor).value(sensor.value)),
        _ => Span::point(0.0),
    }
}

/// What the raw readings of a sensor stand for.
struct Ruler<'a> {
    /// The record that says it; without one raw readings stand for themselves.
    record: Option<&'a [u8]>,
    scale: Scale,
}

impl<'a> Ruler<'a> {
    fn of(machine: &'a Machine, id: SensorId, sensor: &Sensor) -> Self {
        let scale = descriptions(machine, id).next().map_or(sensor.scale, setup::scale);
        Self { record: descriptions(machine, id).find(|record| setup::value(record, 0).is_some()), scale }
    }

    fn value(&self, raw: u8) -> f64 {
        match self.record {
            // What has no value is below all that have one.
            Some(record) => setup::value(record, raw).unwrap_or(f64::NEG_INFINITY),
            None => f64::from(self.scale.format.number(raw)),
        }
    }

    /// The raw reading that is the `index`th of all, the one with the lowest value first.
    fn raw(&self, index: i32) -> u8 {
        let (lowest, highest) = self.scale.format.range();
        self.scale.format.raw(if self.scale.descending { highest - index } else { lowest + index })
    }

    /// The raw reading whose value is the nearest; of two that are as near, the one with the lower value.
    fn nearest(&self, value: f64) -> u8 {
        let (lowest, highest) = self.scale.format.range();
        let (mut below, mut above) = (0, highest - lowest);
        // The first that is not below the value, or the last one.
        while below < above {
            let middle = (below + above) / 2;
            if self.value(self.raw(middle)) < value { below = middle + 1 } else { above = middle }
        }
        let (one, other) = (self.raw((above - 1).max(0)), self.raw(above));
        if value - self.value(one) <= self.value(other) - value { one } else { other }
    }
}

/// When what something follows has its next corner or jump behind a time, as far as it is known.
fn next_corner(machine: &Machine, at: &Controller, follow: &Follow, time: Moment, depth: usize) -> Moment {
    let Follow { curve, start, gate, .. } = follow;
    let later = |start: Moment, signal: &Signal| {
        let next = signal.next_corner(seconds(start, time));
        // What is further away than anybody looks is as good as never.
        if next < FAR_AHEAD.as_secs_f64() * 100.0 { start + Duration::from_secs_f64(next) } else { time + FAR_AHEAD }
    };
    let mut next = later(*start, &curve.signal);
    if curve.load_gain != 0.0
        && let Some(load) = at.sensors.life.as_ref().and_then(|life| life.load.as_ref())
    {
        next = next.min(later(load.start, &load.signal));
    }
    let other = curve.coupling.filter(|_| depth < LONGEST_CHAIN).and_then(|coupling| {
        let controller = machine.controller(coupling.sensor.mc)?;
        Some((controller, controller.sensors.get(coupling.sensor.place())?.follow.as_ref()?))
    });
    if let Some((controller, other)) = other {
        next = next.min(next_corner(machine, controller, other, time, depth + 1));
    }
    match curve.off {
        // Behind 40 time constants nothing is left that a number could hold.
        Some(Off { tau, .. }) if tau > 0.0 && time.since(gate.since).as_secs_f64() < 40.0 * tau => {
            next.min(time + Duration::from_secs_f64(tau))
        }
        _ => next,
    }
}

/// The sum over time of what something follows: in joules where it is watts. From corner to corner by Gauss's rule, in
/// smaller parts where that is not enough, as where it is clipped.
fn integral(machine: &Machine, at: &Controller, follow: &Follow, from: Moment, to: Moment) -> f64 {
    let shortest = to.since(from) / MOST_PIECES;
    let (mut begin, mut sum) = (from, 0.0);
    while begin < to {
        let end = next_corner(machine, at, follow, begin, 0).max(begin + shortest.max(SHORTEST_PIECE)).min(to);
        let value = |time: f64| {
            let time = begin + Duration::from_secs_f64(time);
            span(machine, at, follow, time, Some(time), 0).low
        };
        sum += gauss(&value, 0.0, end.since(begin).as_secs_f64(), DEEPEST);
        begin = end;
    }
    sum
}

/// The integral of a function by Gauss's rule with three points, where that with two says the same; else of its halves.
fn gauss(value: &impl Fn(f64) -> f64, from: f64, to: f64, depth: u32) -> f64 {
    let (middle, half) = ((from + to) / 2.0, (to - from) / 2.0);
    let pair = |distance: f64| value(middle - half * distance) + value(middle + half * distance);
    let two = half * pair((1.0f64 / 3.0).sqrt());
    let three = half * (5.0 * pair(0.6f64.sqrt()) + 8.0 * value(middle)) / 9.0;
    if depth == 0 || (two - three).abs() <= 1e-7 * three.abs().max(half) {
        return three;
    }
    gauss(value, from, middle, depth - 1) + gauss(value, middle, to, depth - 1)
}

/// What a sensor that follows something reads at a time.
fn raw_at(machine: &Machine, id: SensorId, time: Moment) -> Option<u8> {
    let controller = machine.controller(id.mc)?;
    let sensor = controller.sensors.get(id.place())?;
    let value = span(machine, controller, sensor.follow.as_ref()?, time, Some(time), 0).low;
    Some(Ruler::of(machine, id, sensor).nearest(value))
}

/// Whether something that a sensor follows is drawn by lot.
fn is_random(machine: &Machine, controller: &Controller, follow: &Follow, depth: usize) -> bool {
    let load = controller.sensors.life.as_ref().and_then(|life| life.load.as_ref());
    let other = follow.curve.coupling.and_then(|coupling| {
        let controller = machine.controller(coupling.sensor.mc)?;
        Some((controller, controller.sensors.get(coupling.sensor.place())?.follow.as_ref()?))
    });
    follow.curve.signal.is_random()
        || follow.curve.load_gain != 0.0 && load.is_some_and(|load| load.signal.is_random())
        || other.is_some_and(|(mc, other)| depth < LONGEST_CHAIN && is_random(machine, mc, other, depth + 1))
}

/// When a sensor crosses a threshold next, or has to be looked at because it may; `None` is never.
fn next_crossing(machine: &Machine, id: SensorId, now: Moment) -> Option<Moment> {
    let controller = machine.controller(id.mc)?;
    let sensor = controller.sensors.get(id.place())?;
    let follow = sensor.follow.as_ref()?;
    let (ruler, (low, high)) = (Ruler::of(machine, id, sensor), sensor.calm());
    let calm = |value: f64| (low..=high).contains(&ruler.scale.position(ruler.nearest(value)));
    let time = |milliseconds: i64| follow.start + Duration::from_millis(milliseconds.unsigned_abs());
    let stays = |from: i64, to: Option<i64>| {
        let Span { low, high } = span(machine, controller, follow, time(from), to.map(time), 0);
        calm(low) && calm(high)
    };
    let first = i64::try_from(now.since(follow.start).as_millis()).unwrap_or(i64::MAX / 4) + 1;
    let far = if is_random(machine, controller, follow, 0) { AHEAD } else { FAR_AHEAD };
    let last = first + far.as_millis() as i64;
    let (mut from, mut window, mut looks) = (first, FIRST_WINDOW, MOST_LOOKS);
    while !stays(from, None) {
        let to = (from + window).min(last);
        match first_outside(from, to, &mut looks, &|from, to| stays(from, Some(to))) {
            Ahead::Inside if to < last => (from, window) = (to + 1, window * 2),
            Ahead::Inside => return Some(time(last)),
            Ahead::Outside(at) | Ahead::NotSeen(at) => return Some(time(at)),
        }
    }
    None
}

/// Sets the timer of a sensor for its next crossing.
fn plan(at: &mut At<'_>, now: Moment, place: Place) {
    let next = next_crossing(at.machine(), place.of(at.address), now);
    set_timer(at, place, next);
}

fn set_timer(at: &mut At<'_>, place: Place, next: Option<Moment>) {
    let sensors = &mut at.sensors;
    let follow = |sensors: &Sensors| sensors.get(place).and_then(|sensor| sensor.follow.as_ref()?.next);
    let old = follow(sensors);
    if old == next {
        return;
    }
    if let Some(old) = old {
        sensors.timers.remove(&(old, place));
    }
    if let Some(next) = next {
        sensors.timers.insert((next, place));
    }
    if let Some(follow) = sensors.inner_mut(place).and_then(|sensor| sensor.follow.as_mut()) {
        follow.next = next;
    }
}

/// Why a sensor does not follow what it is to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ErrorTexts)]
pub enum FollowFault {
    /// There is no such sensor.
    #[error("there is no such sensor")]
    NoSensor,
    /// Its readings come from a file.
    #[error("it is polled: add it without poll")]
    Polled,
    /// It has states or only events, not readings that are compared with thresholds.
    #[error("it has no thresholds (event/reading type code 1), so it follows nothing")]
    NoThresholds,
    /// It would be added to itself, or to too many others in a row.
    #[error("the sensors that are added to one another come back to it, or are more than {LONGEST_CHAIN} in a row")]
    Circular,
}

/// `sensor_follow`: a sensor follows this from now on. `seed` is the system's: with the same one the same is drawn by lot.
/// What it reads now is compared with the thresholds, and events follow.
///
/// # Errors
/// There is no such sensor, or it cannot follow that.
pub fn follow(at: &mut At<'_>, now: Moment, place: Place, seed: u64, curve: Curve) -> Result<(), FollowFault> {
    let id = place.of(at.address);
    let sensor = at.sensors.get(place).ok_or(FollowFault::NoSensor)?;
    if sensor.poll.is_some() {
        return Err(FollowFault::Polled);
    }
    if sensor.event_reading_code != THRESHOLD_CODE || sensor.event_only {
        return Err(FollowFault::NoThresholds);
    }
    if curve.coupling.is_some_and(|coupling| !ends(at.machine(), id, coupling.sensor)) {
        return Err(FollowFault::Circular);
    }
    let key = key(seed, [id.mc.0, id.lun, id.number, 1]);
    meter(at, now);
    end(at, place);
    let gate = Gate::new(now, live(at, now).on);
    if let Some(sensor) = at.sensors.inner_mut(place) {
        sensor.follow = Some(Box::new(Follow { curve, start: now, key, gate, next: None }));
    }
    read_by_others(at, place);
    due(at, now, place);
    Ok(())
}

/// Whether what is added to a sensor ends, and does not come back to it.
fn ends(machine: &Machine, own: SensorId, mut other: SensorId) -> bool {
    for _ in 0..LONGEST_CHAIN {
        if other == own {
            return false;
        }
        let sensor = machine.controller(other.mc).and_then(|mc| mc.sensors.get(other.place()));
        let next = sensor.and_then(|sensor| sensor.follow.as_ref()?.curve.coupling);
        let Some(coupling) = next else { return true };
        other = coupling.sensor;
    }
    false
}

fn key(seed: u64, of: [u8; 4]) -> u64 {
    mix(seed ^ mix(u64::from(u32::from_le_bytes(of))))
}

/// `sensor_follow ... none`: a sensor keeps what it reads now.
///
/// # Errors
/// There is no such sensor.
pub fn unfollow(at: &mut At<'_>, now: Moment, place: Place) -> Result<(), Error> {
    at.sensors.get(place).ok_or(Error::Invalid)?;
    meter(at, now);
    look(at, now, place);
    end(at, place);
    super::tell_power_meter(at, now, place);
    read_by_others(at, place);
    Ok(())
}

/// A sensor follows nothing any more.
pub(super) fn end(at: &mut At<'_>, place: Place) {
    set_timer(at, place, None);
    if at.sensors.get(place).is_some_and(|sensor| sensor.follow.is_some())
        && let Some(sensor) = at.sensors.inner_mut(place)
    {
        sensor.follow = None;
    }
}

/// What the sensors of a controller that live have in common, made if there were none.
fn live<'a>(at: &'a mut At<'_>, now: Moment) -> &'a mut Life {
    let (on, records) = (powered(at.machine(), at), records(at.machine(), at));
    if at.sensors.life.as_ref().is_some_and(|life| life.on != on) {
        settle_at(at, now);
    }
    at.sensors.life.get_or_insert_with(|| Box::new(Life { on, unplanned: true, records, load: None, model: None }))
}

/// `mc_load`: the load of a controller's machine in percent, clipped to 0 to 100. `None`: no load.
pub fn set_load(at: &mut At<'_>, now: Moment, seed: u64, signal: Option<Signal>) {
    let key = key(seed, [at.address.0, 0, 0, 2]);
    meter(at, now);
    look_at_all(at, now);
    live(at, now).load = signal.map(|signal| Load { signal, start: now, key });
    changed_everywhere(at);
    settle_at(at, now);
}

/// Sensors that follow something may depend on this one, which has another reading or follows something else.
pub(super) fn read_by_others(at: &mut At<'_>, place: Place) {
    let id = place.of(at.address);
    let depends = |sensor: &Sensor| {
        let coupling = sensor.follow.as_ref().and_then(|follow| follow.curve.coupling);
        coupling.is_some_and(|coupling| coupling.sensor == id)
    };
    for controller in at.machine_mut().controllers_mut() {
        let sensors = &mut controller.sensors;
        if sensors.life.is_some() && sensors.list.iter().any(|(_, sensor)| depends(sensor)) {
            sensors.unplanned();
        }
    }
}

fn changed_everywhere(at: &mut At<'_>) {
    at.machine_mut().controllers_mut().for_each(|controller| controller.sensors.unplanned());
}

impl Sensors {
    /// Something was changed that the timers depend on.
    pub(super) fn unplanned(&mut self) {
        if let Some(life) = &mut self.life {
            life.unplanned = true;
        }
    }
}

/// Brings the reading of a sensor that follows something up to now. Does nothing for others.
pub fn look(at: &mut At<'_>, now: Moment, place: Place) {
    if at.sensors.life.is_none() {
        return;
    }
    let id = place.of(at.address);
    let Some(raw) = raw_at(at.machine(), id, now) else { return };
    let Some(sensor) = at.sensors.get(place) else { return };
    let (low, high) = sensor.calm();
    let calm = (low..=high).contains(&sensor.scale.position(raw));
    if sensor.has_value && sensor.value == raw && calm {
        return;
    }
    // The sensor is there.
    let _ = take_reading(at, now, place, raw, Reporting::Events);
    if !calm {
        plan(at, now, place);
    }
}

/// Brings the readings of all sensors of a controller up to now.
pub fn look_at_all(at: &mut At<'_>, now: Moment) {
    for place in following(at) {
        look(at, now, place);
    }
}

/// `mc_power_model`: the power meter tells this, in watts. `None`: nothing that follows anything.
pub(in crate::bmc) fn set_model(at: &mut At<'_>, now: Moment, curve: Option<Curve>) {
    meter(at, now);
    let on = live(at, now).on;
    live(at, now).model =
        curve.map(|curve| Box::new(Follow { curve, start: now, key: 0, gate: Gate::new(now, on), next: None }));
}

/// Has what [`set_model`] gave stay below a limit from now on. What was told up to now has been counted.
pub(in crate::bmc) fn limit_model(at: &mut At<'_>, now: Moment, limit: Option<f64>) {
    let highest = limit.unwrap_or(f64::INFINITY);
    let model = at.sensors.life.as_mut().and_then(|life| life.model.as_deref_mut());
    if let Some(model) = model.filter(|model| model.curve.highest != highest) {
        model.curve.highest = highest;
        meter(at, now);
    }
}

/// Whether the power meter tells what [`set_model`] gave it.
pub(in crate::bmc) fn has_model(controller: &Controller) -> bool {
    controller.power_meter.sensor.is_none() && metered(controller).is_some()
}

/// What the power meter tells, if that follows something.
fn metered(controller: &Controller) -> Option<&Follow> {
    match controller.power_meter.sensor {
        Some(place) => controller.sensors.get(place)?.follow.as_deref(),
        None => controller.sensors.life.as_ref()?.model.as_deref(),
    }
}

/// What the power meter tells at a time, in watts.
fn watts_at(at: &At<'_>, time: Moment) -> Option<f64> {
    match at.power_meter.sensor {
        Some(place) => {
            super::value_of(at.machine(), place.of(at.address), raw_at(at.machine(), place.of(at.address), time)?)
        }
        None => Some(span(at.machine(), at, metered(at)?, time, Some(time), 0).low),
    }
}

/// Brings what the power meter knows up to now: what it told since it was looked at last is computed, if that follows
/// something. To be called before it is to tell something else.
pub fn meter(at: &mut At<'_>, now: Moment) {
    let Some(follow) = metered(at) else { return at.power_meter.counter.pass(now) };
    let since = at.power_meter.counter.until().unwrap_or(now).min(now);
    let joules = integral(at.machine(), at, follow, since, now);
    at.power_meter.counter.add(now, joules);
    let length = now.since(since);
    let samples = u32::try_from(length.as_secs()).unwrap_or(u32::MAX).clamp(1, POWER_SAMPLES);
    for sample in 1..=samples {
        let time = if sample == samples { now } else { since + length * sample / samples };
        if let Some(watts) = watts_at(at, time) {
            at.power_meter.reads(time, watts);
        }
    }
}

fn following(at: &At<'_>) -> Vec<Place> {
    if at.sensors.life.is_none() {
        return Vec::new();
    }
    at.sensors.iter().filter(|(_, sensor)| sensor.follow.is_some()).map(|(place, _)| place).collect()
}

/// The timer of a sensor has fired.
pub(super) fn due(at: &mut At<'_>, now: Moment, place: Place) {
    look(at, now, place);
    plan(at, now, place);
}

/// Has everything that sensors depend on taken into account: the power went on or off, thresholds, records or other sensors
/// have changed. To be called after whatever may have done that; costs next to nothing if nothing did.
pub fn settle(machine: &mut Machine, now: Moment) {
    if machine.controllers().any(|controller| unsettled(machine, controller)) {
        machine.at_each(|at| {
            if unsettled(at.machine(), at) {
                settle_at(at, now);
            }
        });
    }
}

fn unsettled(machine: &Machine, controller: &Controller) -> bool {
    let Some(life) = &controller.sensors.life else { return false };
    life.unplanned || life.on != powered(machine, controller) || life.records != records(machine, controller)
}

fn settle_at(at: &mut At<'_>, now: Moment) {
    let (on, records) = (powered(at.machine(), at), records(at.machine(), at));
    let places = following(at);
    let Some(life) = &mut at.sensors.life else { return };
    (life.unplanned, life.records) = (false, records);
    if life.on != on {
        life.on = on;
        meter(at, now);
        for place in &places {
            let follow = at.sensors.inner_mut(*place).and_then(|sensor| sensor.follow.as_deref_mut());
            follow.into_iter().for_each(|follow| switch(follow, now, on));
        }
        let model = at.sensors.life.as_mut().and_then(|life| life.model.as_deref_mut());
        model.into_iter().for_each(|model| switch(model, now, on));
        changed_everywhere(at);
        if let Some(life) = &mut at.sensors.life {
            life.unplanned = false;
        }
    }
    for place in places {
        look(at, now, place);
        plan(at, now, place);
    }
}

/// The power of the machine went on or off that something depends on.
fn switch(follow: &mut Follow, now: Moment, on: bool) {
    let Some(Off { tau, .. }) = follow.curve.off else { return };
    follow.gate = Gate { since: now, from: follow.gate.at(tau, Some(now)), on };
}
