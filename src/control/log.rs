//! `/v1/bmcs/NAME/sel`: the system event log.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Control;
use super::body::{self, Byte};
use super::problem::{Problem, kept};
use super::query::{Mc, NoQuery, Path, Query, number};
use super::views::log::SelRecord;
use super::views::unhex;
use crate::ipmi::{McAddress, Moment};
use crate::sim::{Effects, LogFault, Simulator};

/// Most records at a time: a log that is as large as it can be.
const MOST: usize = 65_535;

impl From<LogFault> for Problem {
    fn from(fault: LogFault) -> Self {
        let status = match fault {
            LogFault::NoController | LogFault::NoLog | LogFault::NoRecord(_) => StatusCode::NOT_FOUND,
            LogFault::Full => StatusCode::CONFLICT,
        };
        Self::new(status, fault.to_string())
    }
}

/// Which records.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    #[serde(default, deserialize_with = "number::optional")]
    mc: Option<u8>,
    #[serde(default, deserialize_with = "number::plain")]
    after: Option<u16>,
    #[serde(default, deserialize_with = "number::plain")]
    limit: Option<usize>,
}

/// A part of a log.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    mc: u8,
    records: Vec<SelRecord>,
    /// How many there are in the log.
    used: usize,
    /// How many it can have.
    room: u32,
    /// The last one here, if others follow.
    next: Option<u16>,
}

/// `GET .../sel`.
pub(super) async fn list(
    State(control): State<Control>,
    Path(name): Path<String>,
    Query(part): Query<Part>,
) -> Result<Json<Page>, Problem> {
    let limit = part.limit.unwrap_or(MOST);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::malformed(format!("limit: expected 1 to {MOST}, found {limit}")));
    }
    let look = move |system: &Simulator| {
        let mc = part.mc.map_or_else(|| system.bmc_address(), McAddress);
        Ok::<_, LogFault>((mc, system.log_page(mc, part.after, limit)?))
    };
    let (mc, page) = control.door.look(&name, move |entry| look(entry.system())).await??;
    let records = page.entries.into_iter().map(SelRecord::of).collect();
    Ok(Json(Page { mc: mc.0, records, used: page.used, room: page.room, next: page.next }))
}

/// A record that is to be added.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    mc: Option<Byte>,
    record_type: Byte,
    data: String,
}

/// `POST .../sel`.
pub(super) async fn add(
    State(control): State<Control>,
    Path(name): Path<String>,
    _: NoQuery,
    body::Json(wanted): body::Json<Wanted>,
) -> Result<(StatusCode, Json<SelRecord>), Problem> {
    let data = unhex(&wanted.data)
        .ok_or_else(|| Problem::malformed("data: expected 26 hexadecimal digits, what follows the record type"))?;
    let add = move |system: &mut Simulator, now: Moment, out: &mut Effects| {
        let mc = wanted.mc.map_or_else(|| system.bmc_address(), |Byte(mc)| McAddress(mc));
        let id = system.log_record_of(now, mc, (wanted.record_type.0, data), out)?;
        system.log_entry(mc, id).ok_or(LogFault::NoRecord(id))
    };
    let entry = kept(control.door.call(&name, add).await?)??;
    Ok((StatusCode::CREATED, Json(SelRecord::of(entry))))
}

/// `DELETE .../sel`.
pub(super) async fn clear(
    State(control): State<Control>,
    Path(name): Path<String>,
    Query(mc): Query<Mc>,
) -> Result<StatusCode, Problem> {
    let clear = move |system: &mut Simulator, now: Moment, out: &mut Effects| {
        system.clear_log_of(now, mc.or(system.bmc_address()), out)
    };
    kept(control.door.call(&name, clear).await?)??;
    Ok(StatusCode::NO_CONTENT)
}
