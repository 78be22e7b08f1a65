//! Watchdog timer commands, IPMI 2.0 chapter 27.

use crate::bmc::watchdog;
use crate::command::{Context, Outcome};
use crate::ipmi::{CompletionCode, Request, Response};

/// Whether the controller has a watchdog timer: only the BMC does.
pub(super) fn exists(context: &Context<'_>) -> bool {
    context.controller_is(|controller| controller.watchdog.is_some())
}

/// Starts the countdown; 80h before the first Set Watchdog Timer.
pub(super) fn reset_timer(
    context: &mut Context<'_>,
    _: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let now = context.now;
    watchdog::reset(&mut context.at()?, now).map_err(|_| CompletionCode::COMMAND_SPECIFIC_80)?;
    Ok(Outcome::Done)
}

/// Request: use, actions, pre-timeout, expired flags to clear, countdown (2).
pub(super) fn set_timer(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let data = request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let now = context.now;
    watchdog::set(&mut context.at()?, now, data).map_err(|_| CompletionCode::INVALID_FIELD)?;
    Ok(Outcome::Done)
}

/// Response: see [`Watchdog::bytes`](watchdog::Watchdog::bytes).
pub(super) fn get_timer(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let now = context.now;
    let timer = context.controller()?.watchdog.as_ref().ok_or(CompletionCode::INVALID_COMMAND)?;
    response.put(&timer.bytes(now))?;
    Ok(Outcome::Done)
}
