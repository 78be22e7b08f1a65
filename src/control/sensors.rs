//! `/v1/bmcs/NAME/sensors`: what sensors read, and readings that are given to them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Control;
use super::body::{self, Byte};
use super::problem::Problem;
use super::query::{Mc, NoQuery, Path, Query, number};
use super::views::sensor::Sensor;
use crate::bmc::sensor::SensorId;
use crate::ipmi::{McAddress, Moment};
use crate::sim::{Effects, SensorFault, Simulator};

impl From<SensorFault> for Problem {
    fn from(fault: SensorFault) -> Self {
        let status = match fault {
            SensorFault::NoController | SensorFault::NoSensor => StatusCode::NOT_FOUND,
            SensorFault::NoState | SensorFault::HasThresholds | SensorFault::NoUnit => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, fault.to_string())
    }
}

/// All of a controller.
#[derive(Debug, Serialize)]
pub(super) struct Sensors {
    sensors: Vec<Sensor>,
}

/// `GET .../sensors`.
pub(super) async fn list(
    State(control): State<Control>,
    Path(name): Path<String>,
    Query(mc): Query<Mc>,
) -> Result<Json<Sensors>, Problem> {
    let look = move |system: &mut Simulator, now: Moment, out: &mut Effects| {
        system.refresh_sensors(now, out);
        system.sensors_of(mc.or(system.bmc_address()))
    };
    let sensors = control.door.call(&name, look).await?.value?;
    Ok(Json(Sensors { sensors: sensors.into_iter().map(Sensor::of).collect() }))
}

/// A sensor of a BMC in a path.
#[derive(Debug, Deserialize)]
pub(super) struct Place {
    name: String,
    #[serde(deserialize_with = "number::required")]
    mc: u8,
    #[serde(deserialize_with = "number::required")]
    lun: u8,
    #[serde(deserialize_with = "number::required")]
    number: u8,
}

impl Place {
    fn id(&self) -> SensorId {
        SensorId { mc: McAddress(self.mc), lun: self.lun, number: self.number }
    }
}

/// `GET .../sensors/MC/LUN/NUMBER`.
pub(super) async fn show(
    State(control): State<Control>,
    Path(place): Path<Place>,
    _: NoQuery,
) -> Result<Json<Sensor>, Problem> {
    let id = place.id();
    let look = move |system: &mut Simulator, now: Moment, out: &mut Effects| {
        system.refresh_sensors(now, out);
        system.sensor(id)
    };
    let sensor = control.door.call(&place.name, look).await?.value?;
    Ok(Json(Sensor::of(sensor)))
}

/// A reading that a sensor is to have: one of these.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reading {
    value: Option<f64>,
    raw: Option<Byte>,
    states: Option<Vec<Byte>>,
    follow: Option<String>,
}

enum Wanted {
    Value(f64),
    Raw(u8),
    States(u16),
    Follow(String),
}

impl Reading {
    fn wanted(self) -> Result<Wanted, Problem> {
        match (self.value, self.raw, self.states, self.follow) {
            (Some(value), None, None, None) => Ok(Wanted::Value(value)),
            (None, Some(Byte(raw)), None, None) => Ok(Wanted::Raw(raw)),
            (None, None, None, Some(signal)) => Ok(Wanted::Follow(signal)),
            (None, None, Some(states), None) => {
                let bit = |Byte(state): Byte| 1_u16.checked_shl(state.into()).ok_or(SensorFault::NoState);
                let bits = states.into_iter().map(bit).try_fold(0, |bits, bit| bit.map(|bit| bits | bit));
                Ok(Wanted::States(bits?))
            }
            _ => Err(Problem::malformed("expected one of value, raw, states and follow")),
        }
    }
}

/// Has a sensor follow a signal, in the words of `sensor_follow`.
async fn follow(control: &Control, place: &Place, signal: &str) -> Result<(), Problem> {
    let id = place.id();
    // That it is not there is told as for everything else.
    control.door.call(&place.name, move |system: &mut Simulator, _, _: &mut Effects| system.sensor(id)).await?.value?;
    let line = format!("sensor_follow {:#04x} {} {} {signal}", place.mc, place.lun, place.number);
    let ran = control.door.run(&place.name, vec![line]).await?;
    match ran.iter().flat_map(|ran| &ran.faults).next() {
        None => Ok(()),
        Some(fault) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, &fault.message)),
    }
}

/// `PUT .../sensors/MC/LUN/NUMBER`. Events follow, as with any reading.
pub(super) async fn set(
    State(control): State<Control>,
    Path(place): Path<Place>,
    _: NoQuery,
    body::Json(reading): body::Json<Reading>,
) -> Result<Json<Sensor>, Problem> {
    let (id, wanted) = (place.id(), reading.wanted()?);
    if let Wanted::Follow(signal) = &wanted {
        follow(&control, &place, signal).await?;
    }
    let set = move |system: &mut Simulator, now: Moment, out: &mut Effects| {
        match wanted {
            Wanted::Value(value) => system.set_sensor_value(now, id, value, out)?,
            Wanted::Raw(raw) => system.set_sensor_raw(now, id, raw, out)?,
            Wanted::States(states) => system.set_sensor_states(now, id, states, out)?,
            Wanted::Follow(_) => system.refresh_sensors(now, out),
        }
        system.sensor(id)
    };
    Ok(Json(Sensor::of(control.door.call(&place.name, set).await?.value?)))
}
