//! The sensors of a controller: what they read, which thresholds and states they have, and
//! which events that gives (`commands-sensor-storage.md` sections 2 to 6, IPMI 2.0
//! section 35).
//!
//! Owns the sensors' state and the event receiver's address. Opens no file: a poll is a
//! [`Background`](super::external::Background) read that comes back with its bytes. Converts no reading into
//! units: values are raw bytes, compared as the numbers that the sensor's record makes of them
//! ([`Scale`]).

mod follow;
mod label;
mod number;
mod poll;
mod setup;
mod signal;
mod state;
mod threshold;

use std::collections::BTreeSet;

pub use follow::{Coupling, Curve, FollowFault, Off, follow, look, look_at_all, meter, set_load, settle, unfollow};
pub(super) use follow::{has_model, limit_model, set_model};
pub use number::{Format, Scale};
pub use poll::{Content, Dependency, PollSpec, begin_poll, finish_poll, timeout};
pub use signal::Signal;
pub(super) use signal::mix;
pub use threshold::Threshold;

pub use super::sensor_id::{Place, SensorId};

use super::event::{self, Direction};
use super::{At, Controller, Error, Machine, picmg};
use crate::ipmi::{McAddress, Moment};
use crate::shared::{Known, Shared};

/// Event/reading type code of threshold sensors, IPMI 2.0 table 42-1.
pub const THRESHOLD_CODE: u8 = 0x01;
const LAST_LUN: u8 = 3;
/// Sensor number that no sensor has.
const RESERVED_NUMBER: u8 = 0xff;
/// The state bits of a discrete sensor, 0 to 14.
pub const STATES: u16 = 0x7fff;

/// Whether a change sends the events that belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reporting {
    /// Send them.
    Events,
    /// The state changes in silence.
    Silent,
}

/// How thresholds or hysteresis can be accessed, IPMI 2.0 table 43-1 byte 12.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Support {
    /// There are none.
    #[default]
    None,
    /// They can be read.
    Readable,
    /// They can be read and set.
    Settable,
    /// They are fixed and cannot even be read.
    Fixed,
}

impl Support {
    /// From its number; a number without a meaning is no access.
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Readable,
            2 => Self::Settable,
            3 => Self::Fixed,
            _ => Self::None,
        }
    }

    /// Whether a client may read them.
    pub const fn readable(self) -> bool {
        matches!(self, Self::Readable | Self::Settable)
    }
}

/// How finely events can be enabled, IPMI 2.0 table 43-1 byte 12 bits 1:0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventSupport {
    /// State by state.
    #[default]
    PerState,
    /// Only for the sensor as a whole.
    EntireSensor,
    /// Only with all others by a global switch.
    Global,
    /// Not at all.
    None,
}

impl EventSupport {
    /// From its number; a number without a meaning is per state.
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::EntireSensor,
            2 => Self::Global,
            3 => Self::None,
            _ => Self::PerState,
        }
    }

    /// Whether Get and Set Sensor Event Enable work.
    pub const fn switchable(self) -> bool {
        matches!(self, Self::PerState | Self::EntireSensor)
    }
}

/// Where a controller sends its events (Set Event Receiver).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventReceiver {
    /// IPMB address; [`McAddress::NONE`] is nobody.
    pub address: McAddress,
    /// LUN, 0 to 3; only ever reported.
    pub lun: u8,
}

/// Hysteresis of a threshold sensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hysteresis {
    /// Who may read and set it.
    pub support: Support,
    /// Counts below an upper threshold at which it is left.
    pub positive: u8,
    /// Counts above a lower threshold at which it is left.
    pub negative: u8,
}

/// Thresholds of a sensor, each indexed by [`Threshold`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thresholds {
    /// Who may read and set them.
    pub support: Support,
    /// Bit per threshold that readings are compared with.
    pub compared: u8,
    /// Bit per threshold that can be read; only where `support` allows reading.
    pub readable: u8,
    /// Bit per threshold that can be set; only where `support` allows setting.
    pub settable: u8,
    /// Raw values.
    pub values: [u8; 6],
}

impl Thresholds {
    /// Those in `mask` are compared, and can be read and set as far as `support` allows.
    pub const fn of_mask(support: Support, mask: u8, values: [u8; 6]) -> Self {
        Self { support, compared: mask, readable: mask, settable: mask, values }
    }
}

/// Which states or threshold events of one direction exist and are enabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventMask {
    /// Bit per event that exists.
    pub supported: u16,
    /// Bit per event that is sent.
    pub enabled: u16,
}

impl EventMask {
    /// Enables those of `mask` that exist.
    pub fn enable(&mut self, mask: u16) {
        self.enabled |= mask & self.supported & STATES;
    }

    /// Disables those of `mask` that exist.
    pub fn disable(&mut self, mask: u16) {
        self.enabled &= !(mask & self.supported & STATES);
    }
}

/// An event of a sensor: direction and event data 1 to 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// State entered or left.
    pub direction: Direction,
    /// Event data 1 to 3.
    pub data: [u8; 3],
}

/// One sensor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sensor {
    /// Sensor type, IPMI 2.0 table 42-3.
    pub sensor_type: u8,
    /// Event/reading type code, IPMI 2.0 table 42-1.
    pub event_reading_code: u8,
    /// Whether it has no reading and sends an event at every call.
    pub event_only: bool,
    /// Raw reading.
    pub value: u8,
    /// Whether it ever got a reading.
    pub has_value: bool,
    /// Whether it sends events.
    pub events_enabled: bool,
    /// Whether it is scanned.
    pub scanning_enabled: bool,
    /// Whether it is there; only a dependency of a polled sensor clears it.
    pub enabled: bool,
    /// Hysteresis.
    pub hysteresis: Hysteresis,
    /// Thresholds.
    pub thresholds: Thresholds,
    /// How its readings are ordered, as its record said last.
    pub scale: Scale,
    /// How finely its events can be enabled.
    pub event_support: EventSupport,
    /// Assertion events. For a threshold sensor bit 2n is "going low" and bit 2n+1 "going
    /// high" of threshold n.
    pub assertions: EventMask,
    /// Deassertion events, same bits.
    pub deassertions: EventMask,
    /// States that hold now: bit per state, or per [`Threshold`] that is crossed.
    pub status: u16,
    /// States, same bits, that were left since events were last rearmed.
    pub left: u16,
    poll: Option<Box<poll::Poll>>,
    follow: Option<Box<follow::Follow>>,
}

impl Sensor {
    /// What its reading follows, as it is said in `sensor_follow`: `constant 50 off 0`.
    pub fn follows(&self) -> Option<String> {
        self.follow.as_ref().map(|follow| follow.text())
    }

    /// Which assertion and deassertion events have happened and stand (Get Sensor Event
    /// Status, IPMI 2.0 section 35.13): of the states that hold and of those that were left.
    /// For a threshold sensor the bits are those of its events, as in the enables.
    pub fn event_status(&self) -> (u16, u16) {
        let events = |states: u16| match self.event_reading_code {
            THRESHOLD_CODE => Threshold::ALL
                .iter()
                .filter(|threshold| states & u16::from(threshold.bit()) != 0)
                .fold(0, |events, threshold| events | threshold.event()),
            _ => states & STATES,
        };
        (events(self.status), events(self.left))
    }
}

/// The sensors of a controller and its event receiver.
#[derive(Debug, Default)]
pub struct Sensors {
    /// Where events go.
    pub event_receiver: EventReceiver,
    /// By place.
    list: Shared<Vec<(Place, Sensor)>>,
    /// When which sensor is due: to be polled, or because what it follows crosses a threshold.
    timers: BTreeSet<(Moment, Place)>,
    /// What those that follow a signal have in common; `None` while there were none.
    life: Option<Box<follow::Life>>,
}

impl Sensors {
    /// The sensor with this place.
    pub fn get(&self, place: Place) -> Option<&Sensor> {
        self.find(place).ok().map(|index| &self.list[index].1)
    }

    /// All sensors, by LUN and number.
    pub fn iter(&self) -> impl Iterator<Item = (Place, &Sensor)> {
        self.list.iter().map(|(place, sensor)| (*place, sensor))
    }

    /// The sensor with this place, to be changed.
    pub fn get_mut(&mut self, place: Place) -> Option<&mut Sensor> {
        if self.life.is_some() && self.get(place).is_some_and(|sensor| sensor.follow.is_some()) {
            self.unplanned();
        }
        self.inner_mut(place)
    }

    /// The sensor with this place, to be changed in what does not say when it crosses a threshold next.
    fn inner_mut(&mut self, place: Place) -> Option<&mut Sensor> {
        self.find(place).ok().map(|index| &mut self.list[index].1)
    }

    /// Where in the list a sensor is, or would be.
    fn find(&self, place: Place) -> Result<usize, usize> {
        self.list.binary_search_by_key(&place, |(place, _)| *place)
    }

    /// Has what others have, too, in memory once.
    pub(super) fn share(&mut self, known: &mut Known<Vec<(Place, Sensor)>>) {
        known.share(&mut self.list);
    }
}

/// What `sensor_add` says.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// Sensor type.
    pub sensor_type: u8,
    /// Event/reading type code.
    pub event_reading_code: u8,
    /// `event-only`
    pub event_only: bool,
    /// `poll`
    pub poll: Option<PollSpec>,
}

/// What `sensor_set_event_support` says; masks have 15 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventSettings {
    /// Whether the sensor sends events.
    pub events_enabled: bool,
    /// Whether the sensor is scanned.
    pub scanning_enabled: bool,
    /// How finely events can be enabled.
    pub support: EventSupport,
    /// Assertion events that exist.
    pub assert_supported: u16,
    /// Deassertion events that exist.
    pub deassert_supported: u16,
    /// Assertion events that are sent; those that do not exist are ignored.
    pub assert_enabled: u16,
    /// Deassertion events that are sent; those that do not exist are ignored.
    pub deassert_enabled: u16,
}

fn find(controller: &mut Controller, place: Place) -> Result<&mut Sensor, Error> {
    controller.sensors.get_mut(place).ok_or(Error::Invalid)
}

fn report(at: &mut At<'_>, now: Moment, place: Place, reporting: Reporting, notices: impl IntoIterator<Item = Notice>) {
    if reporting == Reporting::Silent {
        return;
    }
    for notice in notices {
        event::from_sensor(at, now, place, notice.direction, notice.data);
    }
}

/// `sensor_add`: makes a sensor and sets it up from the matching records of the BMC's SDR
/// repository. The timer of a polled one starts now.
///
/// [`Error::Invalid`]: LUN above 3, number FFh, or there is such a sensor already.
pub fn add(at: &mut At<'_>, now: Moment, place: Place, description: Description) -> Result<(), Error> {
    if place.number == RESERVED_NUMBER {
        return Err(Error::Invalid);
    }
    let Description { sensor_type, event_reading_code, event_only, poll } = description;
    let mut sensor = Sensor { sensor_type, event_reading_code, event_only, enabled: true, ..Sensor::default() };
    if let Some(spec) = poll {
        sensor.status = spec.initial_state & STATES;
        sensor.poll = Some(Box::new(poll::Poll::new(spec)));
    }
    let (machine, id) = (at.machine(), place.of(at.address));
    if let Some(bmc) = machine.bmc.and_then(|address| machine.controller(address)) {
        for record in bmc.sdr.records() {
            if setup::describes(record, id) {
                setup::describe(&mut sensor, record);
            }
        }
    }
    if place.lun > LAST_LUN {
        return Err(Error::Invalid);
    }
    let sensors = &mut at.sensors;
    let Err(index) = sensors.find(place) else { return Err(Error::Invalid) };
    sensors.list.insert(index, (place, sensor));
    sensors.arm(now, place);
    if sensor_type == picmg::HOT_SWAP_SENSOR {
        picmg::hot_swap_sensor_added(at, place);
    }
    Ok(())
}

/// Run Initialization Agent: sets every sensor up again that has a record in the SDR
/// repository of this controller, as when it was added, whosever sensor it is. Readings and states stay,
/// and nothing is compared anew.
pub fn initialize(at: &mut At<'_>) {
    let records: Vec<Box<[u8]>> = at.sdr.records().map(Into::into).collect();
    for record in records {
        for id in setup::described(&record) {
            if let Some(mut owner) = at.elsewhere(id.mc)
                && let Ok(sensor) = find(&mut owner, id.place())
            {
                setup::initialize(sensor, &record);
            }
        }
    }
}

/// The factors that turn raw readings of a sensor into numbers, from its full record in the
/// BMC's SDR repository or among its controller's device SDRs: M, B, accuracy and exponents
/// as IPMI 2.0 section 35.5 has them. `None` without such a record.
pub fn reading_factors(machine: &Machine, id: SensorId) -> Option<[u8; 6]> {
    descriptions(machine, id).find_map(setup::factors)
}

/// What a sensor reads, in the unit of its record: the raw reading turned into a number as its full
/// record has it (IPMI 2.0 section 36.3). `None` without such a record, or without a reading.
pub fn reading(machine: &Machine, id: SensorId) -> Option<f64> {
    let sensor = machine.controller(id.mc)?.sensors.get(id.place())?;
    value_of(machine, id, (sensor.enabled && sensor.has_value).then_some(sensor.value)?)
}

/// What a raw reading of a sensor stands for, in the unit of its record. `None` without a full record.
pub fn value_of(machine: &Machine, id: SensorId, raw: u8) -> Option<f64> {
    descriptions(machine, id).find_map(|record| setup::value(record, raw))
}

/// The raw reading of a sensor that stands for the value nearest to this one, in the unit of its record. `None`
/// without such a sensor, or without a full record.
pub fn nearest(machine: &Machine, id: SensorId, value: f64) -> Option<u8> {
    machine.controller(id.mc)?.sensors.get(id.place())?;
    let record = descriptions(machine, id).find(|record| setup::value(record, 0).is_some())?;
    let distance = |raw: &u8| setup::value(record, *raw).map_or(f64::INFINITY, |of| (of - value).abs());
    (0..=u8::MAX).min_by(|one, other| distance(one).total_cmp(&distance(other)))
}

/// What a full or compact record says of a temperature sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemperatureRecord {
    /// Record id.
    pub id: u16,
    /// Entity, IPMI 2.0 table 43-13.
    pub entity: u8,
    /// Instance of the entity.
    pub instance: u8,
    /// The sensor.
    pub sensor: SensorId,
}

/// Looks at a record of the SDR repository; `None` when it is none of a temperature sensor.
pub fn temperature_record(record: &[u8]) -> Option<TemperatureRecord> {
    setup::temperature(record)
}

/// What the records say a sensor is called: its id string, with the instance behind it where sensors
/// share a record (IPMI 2.0 tables 43-1 to 43-3). Whatever the bytes are is in it. `None` without a
/// record, or with an empty name.
pub fn name(machine: &Machine, id: SensorId) -> Option<String> {
    records(machine, id).find_map(|record| label::name(record, id)).filter(|name| !name.is_empty())
}

/// What a record calls what it describes; `None` for types without an id string, or with an empty one.
pub fn record_name(record: &[u8]) -> Option<String> {
    label::of_record(record).filter(|name| !name.is_empty())
}

/// The unit of what [`reading`] says, as its record has it: byte 21 (bit 0: a percentage), then the
/// number of the base unit (IPMI 2.0 table 43-15).
pub fn unit(machine: &Machine, id: SensorId) -> Option<[u8; 2]> {
    descriptions(machine, id).find_map(setup::unit)
}

/// The records that describe a sensor: those in the BMC's SDR repository, then those among its
/// controller's device SDRs.
fn descriptions(machine: &Machine, id: SensorId) -> impl Iterator<Item = &[u8]> {
    records(machine, id).filter(move |record| setup::describes(record, id))
}

/// All records of those two places.
fn records(machine: &Machine, id: SensorId) -> impl Iterator<Item = &[u8]> {
    let repository = machine.bmc.and_then(|bmc| machine.controller(bmc));
    let device = machine.controller(id.mc).and_then(|controller| controller.device_sdrs.lun(id.lun));
    let records = repository.into_iter().flat_map(|bmc| bmc.sdr.records());
    let device_records = device.into_iter().flat_map(|list| list.records());
    records.chain(device_records)
}

/// Finds a sensor whose reading is about to be compared. Its readings are ordered as its record
/// says now, which clients go by; when it has none any more, as the last one said.
fn find_scaled<'a>(at: &'a mut At<'_>, place: Place) -> Result<&'a mut Sensor, Error> {
    let scale = descriptions(at.machine(), place.of(at.address)).next().map(setup::scale);
    let sensor = at.sensors.inner_mut(place).ok_or(Error::Invalid)?;
    sensor.scale = scale.unwrap_or(sensor.scale);
    Ok(sensor)
}

/// `sensor_set_value`: gives a sensor a reading and compares it with the thresholds,
/// whatever kind of sensor it is. On a polled sensor it holds until the next poll; one that follows a signal follows it no
/// longer.
pub fn set_value(at: &mut At<'_>, now: Moment, place: Place, value: u8, reporting: Reporting) -> Result<(), Error> {
    meter(at, now);
    follow::end(at, place);
    take_reading(at, now, place, value, reporting)?;
    follow::read_by_others(at, place);
    Ok(())
}

/// A sensor has a reading, from wherever it comes.
fn take_reading(at: &mut At<'_>, now: Moment, place: Place, value: u8, reporting: Reporting) -> Result<(), Error> {
    let sensor = find_scaled(at, place)?;
    sensor.value = value;
    sensor.has_value = true;
    let notices = sensor.compare();
    report(at, now, place, reporting, notices.into_iter().flatten());
    picmg::value_changed(at, place, value);
    tell_power_meter(at, now, place);
    Ok(())
}

/// A sensor has another reading: it may be the one that tells the power.
pub(super) fn tell_power_meter(at: &mut At<'_>, now: Moment, place: Place) {
    if at.power_meter.sensor == Some(place)
        && let Some(watts) = reading(at.machine(), place.of(at.address))
    {
        at.power_meter.reads(now, watts);
        if at.sensors.get(place).is_some_and(|sensor| sensor.follow.is_none()) {
            at.power_meter.counter.change(now, watts);
        }
    }
}

/// `sensor_set_bit`: sets state `bit` (0 to 14) if `value` is not 0, else clears it. A value
/// above 1 counts as a change each time.
pub fn set_bit(
    at: &mut At<'_>,
    now: Moment,
    place: Place,
    bit: u8,
    value: u8,
    reporting: Reporting,
) -> Result<(), Error> {
    let sensor = find(at, place)?;
    if bit > 14 {
        return Err(Error::Invalid);
    }
    sensor.has_value = true;
    let notice = sensor.set_state(bit, value);
    report(at, now, place, reporting, notice);
    Ok(())
}

/// `sensor_set_bit_clr_rest`: clears all other states in ascending order, makes `bit` (0 to
/// 14) the reading, and sets it.
pub fn set_bit_clear_rest(
    at: &mut At<'_>,
    now: Moment,
    place: Place,
    bit: u8,
    reporting: Reporting,
) -> Result<(), Error> {
    let sensor = find(at, place)?;
    if bit > 14 {
        return Err(Error::Invalid);
    }
    let mut notices = [None; 16];
    for (other, notice) in (0..15).zip(&mut notices) {
        if other != bit && sensor.status & (1 << other) != 0 {
            *notice = sensor.set_state(other, 0);
        }
    }
    sensor.value = bit;
    sensor.has_value = true;
    notices[15] = sensor.set_state(bit, 1);
    report(at, now, place, reporting, notices.into_iter().flatten());
    picmg::value_changed(at, place, bit);
    Ok(())
}

/// Has exactly these states hold, a bit for each, 0 to 14: clears all others in ascending order, then sets those that do
/// not hold yet. The reading stays.
pub fn set_states(at: &mut At<'_>, now: Moment, place: Place, states: u16, reporting: Reporting) -> Result<(), Error> {
    let sensor = find(at, place)?;
    if states & !STATES != 0 {
        return Err(Error::Invalid);
    }
    sensor.has_value = true;
    let mut notices = [None; 30];
    let changes = (0..15).map(|bit| (bit, 0)).chain((0..15).map(|bit| (bit, 1)));
    for ((bit, value), notice) in changes.zip(&mut notices) {
        let wanted = u8::from(states & 1 << bit != 0);
        let holds = u8::from(sensor.status & 1 << bit != 0);
        // What only makes events holds nothing.
        if wanted == value && holds != value {
            *notice = sensor.set_state(bit, value);
        }
    }
    report(at, now, place, reporting, notices.into_iter().flatten());
    Ok(())
}

/// `sensor_set_hysteresis`. Nothing is compared anew.
pub fn set_hysteresis(controller: &mut Controller, place: Place, hysteresis: Hysteresis) -> Result<(), Error> {
    find(controller, place)?.hysteresis = hysteresis;
    Ok(())
}

/// `sensor_set_threshold`. Nothing is compared anew.
pub fn set_thresholds(controller: &mut Controller, place: Place, thresholds: Thresholds) -> Result<(), Error> {
    find(controller, place)?.thresholds = thresholds;
    Ok(())
}

/// `sensor_set_event_support`. A polled sensor that is scanned is polled at once: the job is
/// in [`Machine::jobs`] when this returns.
pub fn set_event_support(at: &mut At<'_>, now: Moment, place: Place, settings: EventSettings) -> Result<(), Error> {
    let sensor = find(at, place)?;
    sensor.events_enabled = settings.events_enabled;
    sensor.scanning_enabled = settings.scanning_enabled;
    sensor.event_support = settings.support;
    let mask = |supported: u16, enabled: u16| EventMask {
        supported: supported & STATES,
        enabled: enabled & supported & STATES,
    };
    sensor.assertions = mask(settings.assert_supported, settings.assert_enabled);
    sensor.deassertions = mask(settings.deassert_supported, settings.deassert_enabled);
    if settings.scanning_enabled {
        poll::in_background(at, now, place);
    }
    Ok(())
}

/// Set Sensor Thresholds: takes the values of the thresholds named in `mask` (bits 0 to 5)
/// and compares the reading with all of them at once. The caller has checked that they are
/// supported.
pub fn change_thresholds(at: &mut At<'_>, now: Moment, place: Place, mask: u8, values: [u8; 6]) -> Result<(), Error> {
    look(at, now, place);
    find(at, place)?;
    let sensor = find_scaled(at, place)?;
    for threshold in Threshold::ALL {
        if mask & threshold.bit() != 0 {
            sensor.thresholds.values[threshold.index()] = values[threshold.index()];
        }
    }
    let notices = sensor.compare();
    report(at, now, place, Reporting::Events, notices.into_iter().flatten());
    Ok(())
}

/// Rearm Sensor Events: sends an assertion for every state in `assertions` that is enabled
/// and holds, else a deassertion for every state in `deassertions` that is enabled and does
/// not hold. The states stay as they are. As in the original the events do not say which
/// state they mean (event data `00 FF FF`), and for threshold sensors threshold n is matched
/// with event bit n.
pub fn rearm(at: &mut At<'_>, now: Moment, place: Place, assertions: u16, deassertions: u16) -> Result<(), Error> {
    let sensor = find(at, place)?;
    sensor.left = 0;
    let asserted = assertions & sensor.assertions.enabled & sensor.status;
    let deasserted = deassertions & sensor.deassertions.enabled & !sensor.status;
    let notices = (0..15).filter_map(|bit| {
        let direction = if asserted & (1 << bit) != 0 {
            Direction::Assertion
        } else if deasserted & (1 << bit) != 0 {
            Direction::Deassertion
        } else {
            return None;
        };
        Some(Notice { direction, data: [0x00, 0xff, 0xff] })
    });
    report(at, now, place, Reporting::Events, notices);
    Ok(())
}

#[cfg(test)]
mod tests;
