//! `/v1/bmcs/NAME/sdr` and `.../fru`: what a controller keeps about its machine.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Control;
use super::problem::Problem;
use super::query::{Mc, Path, Query};
use super::views::fru::Fru;
use super::views::hex;
use crate::bmc::Error;
use crate::sim::{SdrRecord, Simulator};

impl From<Error> for Problem {
    /// Of looking at what a controller keeps, which fails only without the controller.
    fn from(_: Error) -> Self {
        Self::missing("there is no such controller")
    }
}

/// Sensor data records of a controller.
#[derive(Debug, Serialize)]
pub(super) struct Records {
    mc: u8,
    records: Vec<Record>,
}

#[derive(Debug, Serialize)]
struct Record {
    id: u16,
    #[serde(rename = "type")]
    record_type: u8,
    version: String,
    name: Option<String>,
    raw: String,
}

impl Record {
    fn of(record: SdrRecord) -> Self {
        Self {
            id: record.id,
            record_type: record.record_type,
            version: format!("{}.{}", record.version & 0x0f, record.version >> 4),
            name: record.name,
            raw: hex(&record.bytes),
        }
    }
}

/// FRU inventory devices of a controller.
#[derive(Debug, Serialize)]
pub(super) struct Devices {
    mc: u8,
    devices: Vec<Fru>,
}

/// `GET .../sdr`: the sensor data records.
pub(super) async fn records(
    State(control): State<Control>,
    Path(name): Path<String>,
    Query(mc): Query<Mc>,
) -> Result<Json<Records>, Problem> {
    let look = move |system: &Simulator| {
        let mc = mc.or(system.bmc_address());
        system.sdr_records(mc).map(|records| (mc, records))
    };
    let (mc, records) = control.door.look(&name, move |entry| look(entry.system())).await??;
    Ok(Json(Records { mc: mc.0, records: records.into_iter().map(Record::of).collect() }))
}

/// `GET .../fru`: the FRU inventory devices.
pub(super) async fn devices(
    State(control): State<Control>,
    Path(name): Path<String>,
    Query(mc): Query<Mc>,
) -> Result<Json<Devices>, Problem> {
    let look = move |system: &Simulator| {
        let mc = mc.or(system.bmc_address());
        system.fru_devices(mc).map(|devices| (mc, devices))
    };
    let (mc, devices) = control.door.look(&name, move |entry| look(entry.system())).await??;
    Ok(Json(Devices { mc: mc.0, devices: devices.into_iter().map(Fru::of).collect() }))
}
