//! `/v1/bmcs/NAME/sdr` and `.../fru`: what a controller keeps about its machine.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Control;
use super::problem::Problem;
use super::query::{Mc, Path, Query};
use super::views::{fru, hex};
use crate::bmc::Error;
use crate::sim::Simulator;

impl From<Error> for Problem {
    /// Of looking at what a controller keeps, which fails only without the controller.
    fn from(_: Error) -> Self {
        Self::missing("there is no such controller")
    }
}

/// `GET .../sdr`: the sensor data records.
pub(super) async fn records(
    State(control): State<Control>,
    Path(name): Path<String>,
    Query(mc): Query<Mc>,
) -> Result<Json<Value>, Problem> {
    let look = move |system: &Simulator| {
        let mc = mc.or(system.bmc_address());
        system.sdr_records(mc).map(|records| (mc, records))
    };
    let (mc, records) = control.door.look(&name, move |entry| look(entry.system())).await??;
    let records: Vec<Value> = records
        .iter()
        .map(|record| {
            let version = format!("{}.{}", record.version & 0x0f, record.version >> 4);
            json!({
                "id": record.id,
                "type": record.record_type,
                "version": version,
                "name": record.name,
                "raw": hex(&record.bytes),
            })
        })
        .collect();
    Ok(Json(json!({ "mc": mc.0, "records": records })))
}

/// `GET .../fru`: the FRU inventory devices.
pub(super) async fn devices(
    State(control): State<Control>,
    Path(name): Path<String>,
    Query(mc): Query<Mc>,
) -> Result<Json<Value>, Problem> {
    let look = move |system: &Simulator| {
        let mc = mc.or(system.bmc_address());
        system.fru_devices(mc).map(|devices| (mc, devices))
    };
    let (mc, devices) = control.door.look(&name, move |entry| look(entry.system())).await??;
    Ok(Json(json!({ "mc": mc.0, "devices": devices.iter().map(fru::device).collect::<Vec<_>>() })))
}
