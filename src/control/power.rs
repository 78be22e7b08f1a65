//! `POST /v1/bmcs/NAME/power` and `PUT .../boot`: the machine is switched, and told what to boot from.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Control;
use super::body::{self, Byte};
use super::problem::Problem;
use super::query::{NoQuery, Path};
use super::views::bmc::{Boot, power};
use super::views::word::{self, BOOTS, CONTROLS, DEVICES};
use crate::ipmi::McAddress;
use crate::sim::{ControlFailed, Effects, Simulator};

impl From<ControlFailed> for Problem {
    fn from(failed: ControlFailed) -> Self {
        let status = match failed {
            ControlFailed::NoController => StatusCode::NOT_FOUND,
            ControlFailed::NotSupported => StatusCode::CONFLICT,
            ControlFailed::NoDevice => StatusCode::UNPROCESSABLE_ENTITY,
            ControlFailed::Program(_) | ControlFailed::NotStarted => StatusCode::BAD_GATEWAY,
            ControlFailed::Gone => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, failed.to_string())
    }
}

/// What the power is to do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    control: String,
    mc: Option<Byte>,
}

/// What was done.
#[derive(Debug, Serialize)]
pub(super) struct Power {
    control: &'static str,
    power: &'static str,
}

/// `POST .../power`: answered when it is done.
pub(super) async fn control(
    State(control): State<Control>,
    Path(name): Path<String>,
    _: NoQuery,
    body::Json(wanted): body::Json<Wanted>,
) -> Result<Json<Power>, Problem> {
    let asked = word::value(&CONTROLS, &wanted.control, "control").map_err(Problem::malformed)?;
    let begin = move |system: &mut Simulator, now, done, out: &mut _| {
        let mc = wanted.mc.map_or_else(|| system.bmc_address(), |Byte(mc)| McAddress(mc));
        system.control_then(now, (mc, asked), done, out);
    };
    let done = control.door.call_then(&name, begin).await??;
    Ok(Json(Power { control: word::of(&CONTROLS, &done.control), power: power(done.power) }))
}

/// The power, and what its meter tells.
#[derive(Debug, Serialize)]
pub(super) struct Metered {
    power: &'static str,
    watts: Option<u16>,
    lowest: Option<u16>,
    highest: Option<u16>,
    average: Option<u16>,
    period_ms: Option<u64>,
    energy_joules: Option<f64>,
}

/// `GET .../power`.
pub(super) async fn show(
    State(control): State<Control>,
    Path(name): Path<String>,
    _: NoQuery,
) -> Result<Json<Metered>, Problem> {
    let look = |system: &mut Simulator, now, _: &mut Effects| {
        let meter = system.power_meter(now, system.bmc_address())?;
        Ok::<_, ControlFailed>((system.power_state(), meter))
    };
    let (state, meter) = control.door.call(&name, look).await?.value?;
    let reading = meter.map(|meter| meter.reading);
    Ok(Json(Metered {
        power: power(state),
        watts: reading.map(|it| it.current),
        lowest: reading.map(|it| it.minimum),
        highest: reading.map(|it| it.maximum),
        average: reading.map(|it| it.average),
        period_ms: reading.map(|it| u64::try_from(it.period.as_millis()).unwrap_or(u64::MAX)),
        energy_joules: meter.map(|meter| meter.energy),
    }))
}

/// What the machine is to boot from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BootWanted {
    device: String,
    boots: Option<String>,
}

/// `PUT .../boot`.
pub(super) async fn boot(
    State(control): State<Control>,
    Path(name): Path<String>,
    _: NoQuery,
    body::Json(wanted): body::Json<BootWanted>,
) -> Result<Json<Boot>, Problem> {
    let device = word::value(&DEVICES, &wanted.device, "device").map_err(Problem::malformed)?;
    let boots = wanted.boots.as_deref().unwrap_or("next");
    let boots = word::value(&BOOTS, boots, "boots").map_err(Problem::malformed)?;
    let begin = move |system: &mut Simulator, now, done, out: &mut _| {
        system.set_boot_device_then(now, (device, boots), done, out);
    };
    Ok(Json(Boot::of(control.door.call_then(&name, begin).await??)))
}
