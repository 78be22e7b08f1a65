//! The sensors of the controllers: what they show, and what they are made to show.

use thiserror::Error;

use super::super::{Effects, Simulator};
use crate::bmc::sensor::{self, Place, Reporting, Sensor, SensorId, THRESHOLD_CODE, Threshold};
use crate::bmc::{self, At, Machine};
use crate::ipmi::{McAddress, Moment};

/// What a sensor shows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SensorState {
    /// IPMB address of its controller.
    pub mc: McAddress,
    /// LUN, 0 to 3.
    pub lun: u8,
    /// Sensor number.
    pub number: u8,
    /// Its name in the SDRs.
    pub name: Option<String>,
    /// Sensor type, IPMI 2.0 table 42-3.
    pub sensor_type: u8,
    /// Event/reading type code, IPMI 2.0 table 42-1: 01h a sensor with thresholds.
    pub event_type: u8,
    /// Whether it has no reading and only makes events.
    pub event_only: bool,
    /// Raw reading, once there is one.
    pub raw: Option<u8>,
    /// The reading in the unit of the sensor's record, if it has such a record.
    pub value: Option<f64>,
    /// That unit, `degrees C`; `None` without such a record, or where it has no unit.
    pub unit: Option<String>,
    /// Whether it is there; only a dependency of a polled sensor takes it away.
    pub present: bool,
    /// What its reading follows, as it is said in `sensor_follow`: `constant 50 off 0`.
    pub follows: Option<String>,
    /// Whether it is scanned.
    pub scanning: bool,
    /// States that hold: a bit for each state, or for each threshold that is crossed (LNC, LC, LNR, UNC, UC, UNR from
    /// bit 0).
    pub states: u16,
    /// The thresholds that it has, indexed by [`Threshold`]; `None` for sensors of other kinds.
    pub thresholds: Option<[Option<ThresholdState>; 6]>,
}

/// A threshold of a sensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThresholdState {
    /// Raw.
    pub raw: u8,
    /// In the unit of the sensor's record, if it has such a record.
    pub value: Option<f64>,
}

impl SensorState {
    fn of(machine: &Machine, id: SensorId, sensor: &Sensor) -> Self {
        let SensorId { mc, lun, number } = id;
        Self {
            mc,
            lun,
            number,
            name: sensor::name(machine, id),
            sensor_type: sensor.sensor_type,
            event_type: sensor.event_reading_code,
            event_only: sensor.event_only,
            raw: (sensor.enabled && sensor.has_value).then_some(sensor.value),
            value: sensor::reading(machine, id),
            unit: sensor::unit(machine, id).and_then(unit_text),
            present: sensor.enabled,
            follows: sensor.follows(),
            scanning: sensor.scanning_enabled,
            states: sensor.status,
            thresholds: thresholds(machine, id, sensor),
        }
    }

    /// Whether it has thresholds rather than states.
    pub fn has_thresholds(&self) -> bool {
        self.event_type == THRESHOLD_CODE
    }

    /// The thresholds that are crossed, of a sensor that has some.
    pub fn crossed(&self) -> impl Iterator<Item = Threshold> {
        let bits = if self.has_thresholds() { self.states } else { 0 };
        Threshold::ALL.into_iter().filter(move |threshold| bits & u16::from(threshold.bit()) != 0)
    }

    /// The states that hold, 0 to 14, of a discrete sensor.
    pub fn discrete_states(&self) -> impl Iterator<Item = u8> {
        let bits = if self.has_thresholds() { 0 } else { self.states };
        (0..15).filter(move |state| bits & 1 << state != 0)
    }
}

/// The thresholds that a sensor has: those that are compared or can be read.
fn thresholds(machine: &Machine, id: SensorId, sensor: &Sensor) -> Option<[Option<ThresholdState>; 6]> {
    if sensor.event_reading_code != THRESHOLD_CODE {
        return None;
    }
    let has = sensor.thresholds.compared | sensor.thresholds.readable;
    Some(Threshold::ALL.map(|threshold| {
        let raw = sensor.thresholds.values[threshold.index()];
        let state = || ThresholdState { raw, value: sensor::value_of(machine, id, raw) };
        (has & threshold.bit() != 0).then(state)
    }))
}

/// Byte 21 and the base unit of a record as words; of the units, those that are common.
fn unit_text([units, base]: [u8; 2]) -> Option<String> {
    let name = match base {
        0 => "",
        1 => "degrees C",
        2 => "degrees F",
        3 => "K",
        4 => "V",
        5 => "A",
        6 => "W",
        7 => "J",
        18 => "RPM",
        19 => "Hz",
        other => return Some(format!("(unit {other})")),
    };
    match (units & 1 != 0, name) {
        (true, "") => Some("%".into()),
        (true, name) => Some(format!("% {name}")),
        (false, "") => None,
        (false, name) => Some(name.into()),
    }
}

/// Why a sensor is not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SensorFault {
    /// There is no controller at that address.
    #[error("there is no such controller")]
    NoController,
    /// The controller has no such sensor.
    #[error("there is no such sensor")]
    NoSensor,
    /// States are 0 to 14.
    #[error("states are 0 to 14")]
    NoState,
    /// It has thresholds; which of them are crossed follows from its reading.
    #[error("the sensor has thresholds, not states: set its reading")]
    HasThresholds,
    /// No full record says what its readings mean.
    #[error("no full record says what readings of the sensor mean: set the raw reading")]
    NoUnit,
}

impl From<SensorFault> for bmc::Error {
    fn from(_: SensorFault) -> Self {
        Self::Invalid
    }
}

impl Simulator {
    /// Brings the readings of sensors that follow a signal up to now: those of a controller, if there is one.
    pub(in crate::sim) fn look_at_sensors(&mut self, now: Moment, mc: McAddress) {
        if let Some(mut at) = self.machine.at(mc) {
            sensor::look_at_all(&mut at, now);
        }
    }

    /// Brings the readings of all sensors that follow a signal up to now, before they are shown. Events follow where that
    /// crosses a threshold.
    pub fn refresh_sensors(&mut self, now: Moment, out: &mut Effects) {
        let controllers: Vec<McAddress> = self.machine.controllers().map(|controller| controller.address).collect();
        controllers.into_iter().for_each(|mc| self.look_at_sensors(now, mc));
        self.carry_out_actions(now, out);
    }

    /// The sensors of the BMC, by LUN and number.
    pub fn sensors(&self) -> Vec<SensorState> {
        self.sensors_of(self.bmc_address()).unwrap_or_default()
    }

    /// The sensors of a controller, by LUN and number.
    ///
    /// # Errors
    /// There is no such controller.
    pub fn sensors_of(&self, mc: McAddress) -> Result<Vec<SensorState>, SensorFault> {
        let controller = self.machine.controller(mc).ok_or(SensorFault::NoController)?;
        let of = |(place, sensor): (Place, &Sensor)| SensorState::of(&self.machine, place.of(mc), sensor);
        Ok(controller.sensors.iter().map(of).collect())
    }

    /// A sensor.
    ///
    /// # Errors
    /// There is no such controller or sensor.
    pub fn sensor(&self, id: SensorId) -> Result<SensorState, SensorFault> {
        let controller = self.machine.controller(id.mc).ok_or(SensorFault::NoController)?;
        let sensor = controller.sensors.get(id.place()).ok_or(SensorFault::NoSensor)?;
        Ok(SensorState::of(&self.machine, id, sensor))
    }

    /// Gives a sensor a raw reading. Events follow, as its thresholds and masks say. On a polled sensor it holds until
    /// the next poll.
    ///
    /// # Errors
    /// There is no such controller or sensor.
    pub fn set_sensor_raw(&mut self, now: Moment, id: SensorId, raw: u8, out: &mut Effects) -> Result<(), SensorFault> {
        self.at_sensor(now, id, out, |at| sensor::set_value(at, now, id.place(), raw, Reporting::Events))
    }

    /// Gives a sensor the raw reading nearest to this value, in the unit of its record. Events follow, as with
    /// [`set_sensor_raw`](Self::set_sensor_raw).
    ///
    /// # Errors
    /// There is no such controller or sensor, or no full record says what its readings mean.
    pub fn set_sensor_value(
        &mut self,
        now: Moment,
        id: SensorId,
        value: f64,
        out: &mut Effects,
    ) -> Result<(), SensorFault> {
        self.sensor_at(id)?;
        let raw = sensor::nearest(&self.machine, id, value).ok_or(SensorFault::NoUnit)?;
        self.set_sensor_raw(now, id, raw, out)
    }

    /// Has exactly these states of a discrete sensor hold, a bit for each, 0 to 14: the others end first, in ascending
    /// order, then those that are new begin. Events follow, as its masks say.
    ///
    /// # Errors
    /// There is no such controller, sensor or state, or the sensor has thresholds.
    pub fn set_sensor_states(
        &mut self,
        now: Moment,
        id: SensorId,
        states: u16,
        out: &mut Effects,
    ) -> Result<(), SensorFault> {
        if self.sensor_at(id)?.event_reading_code == THRESHOLD_CODE {
            return Err(SensorFault::HasThresholds);
        }
        if states & !sensor::STATES != 0 {
            return Err(SensorFault::NoState);
        }
        self.at_sensor(now, id, out, |at| sensor::set_states(at, now, id.place(), states, Reporting::Events))
    }

    fn sensor_at(&self, id: SensorId) -> Result<&Sensor, SensorFault> {
        let controller = self.machine.controller(id.mc).ok_or(SensorFault::NoController)?;
        controller.sensors.get(id.place()).ok_or(SensorFault::NoSensor)
    }

    fn at_sensor(
        &mut self,
        now: Moment,
        id: SensorId,
        out: &mut Effects,
        change: impl FnOnce(&mut At<'_>) -> Result<(), bmc::Error>,
    ) -> Result<(), SensorFault> {
        let mut at = self.machine.at(id.mc).ok_or(SensorFault::NoController)?;
        let set = change(&mut at);
        self.carry_out_actions(now, out);
        set.map_err(|_| SensorFault::NoSensor)
    }

    fn in_first_lun(&self, number: u8) -> SensorId {
        SensorId { mc: self.bmc_address(), lun: 0, number }
    }

    /// Gives a sensor of LUN 0 of the BMC a raw reading. Events follow, as the sensor's thresholds and masks say.
    ///
    /// # Errors
    /// There is no such sensor.
    pub fn set_sensor(&mut self, now: Moment, number: u8, raw: u8, out: &mut Effects) -> Result<(), bmc::Error> {
        Ok(self.set_sensor_raw(now, self.in_first_lun(number), raw, out)?)
    }

    /// Has a state of a discrete sensor of LUN 0 of the BMC hold, 0 to 14 (IPMI 2.0 table 42-3 says what they mean). An
    /// event follows, as the sensor's masks say.
    ///
    /// # Errors
    /// There is no such sensor, or no such state.
    pub fn set_sensor_state(
        &mut self,
        now: Moment,
        number: u8,
        state: u8,
        out: &mut Effects,
    ) -> Result<(), bmc::Error> {
        self.sensor_bit(now, number, (state, 1), out)
    }

    /// Has a state of a discrete sensor hold no longer.
    ///
    /// # Errors
    /// As [`set_sensor_state`](Self::set_sensor_state).
    pub fn clear_sensor_state(
        &mut self,
        now: Moment,
        number: u8,
        state: u8,
        out: &mut Effects,
    ) -> Result<(), bmc::Error> {
        self.sensor_bit(now, number, (state, 0), out)
    }

    fn sensor_bit(
        &mut self,
        now: Moment,
        number: u8,
        (bit, value): (u8, u8),
        out: &mut Effects,
    ) -> Result<(), bmc::Error> {
        let id = self.in_first_lun(number);
        let set = |at: &mut At<'_>| sensor::set_bit(at, now, id.place(), bit, value, Reporting::Events);
        Ok(self.at_sensor(now, id, out, set)?)
    }

    /// The raw reading of a sensor of LUN 0 of the BMC that stands for the value nearest to this one, in the unit of its
    /// record.
    ///
    /// # Errors
    /// There is no such sensor, or no record says what its readings mean.
    pub fn raw_reading(&self, number: u8, value: f64) -> Result<u8, bmc::Error> {
        sensor::nearest(&self.machine, self.in_first_lun(number), value).ok_or(bmc::Error::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_words() {
        let text = |units, base| unit_text([units, base]).unwrap_or_default();
        assert_eq!([text(0, 0), text(0, 1), text(1, 0)], ["", "degrees C", "%"]);
        assert_eq!([text(0, 18), text(0, 80)], ["RPM", "(unit 80)"]);
    }
}
