//! The clocks of the SDR repository and the SEL (IPMI 2.0 sections 33.17, 33.18, 31.10 and 31.11).

use super::super::{Context, Outcome};
use crate::bmc::{Controller, StateFile};
use crate::ipmi::{CompletionCode, Moment, Request, Response};

/// The time a request begins with.
fn time(request: &Request<'_>) -> Result<u32, CompletionCode> {
    request.data.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)).ok_or(CompletionCode::INVALID_LENGTH)
}

/// Response `[time 4]`.
fn put(
    context: &mut Context<'_>,
    response: &mut Response,
    time: fn(&Controller, Moment) -> u32,
) -> Result<Outcome, CompletionCode> {
    let now = context.now;
    response.put(&time(context.controller()?, now).to_le_bytes())?;
    Ok(Outcome::Done)
}

pub(super) fn get_sdr_time(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    put(context, response, |controller, now| controller.sdr.time(now))
}

pub(super) fn get_sel_time(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    put(context, response, |controller, now| controller.sel.time(now))
}

/// `[time 4]`; no state file keeps it.
pub(super) fn set_sdr_time(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (time, now) = (time(request)?, context.now);
    context.controller()?.sdr.set_time(now, time);
    Ok(Outcome::Done)
}

/// `[time 4]`; records and times there are stay as they are.
pub(super) fn set_sel_time(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (time, now) = (time(request)?, context.now);
    context.at()?.change(StateFile::Sel, |controller| {
        controller.sel.set_time(now, time);
        Ok::<_, CompletionCode>(())
    })?;
    Ok(Outcome::Done)
}
