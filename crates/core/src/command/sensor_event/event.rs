//! Event receiver and Platform Event (IPMI 2.0 section 29).

use super::super::{Context, Outcome};
use crate::bmc::event::{SYSTEM_EVENT_RECORD, deliver};
use crate::bmc::sensor::EventReceiver;
use crate::ipmi::{CompletionCode, McAddress, Medium, Request, Response};

/// `[address][LUN]`. Bit 0 of the address is dropped, so the FFh that should disable becomes
/// FEh, where nobody is.
pub(super) fn set_receiver(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _reply: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (address, lun) = (McAddress(request.data[0] & 0xfe), request.data[1] & 0x03);
    context.controller()?.sensors.event_receiver = EventReceiver { address, lun };
    Ok(Outcome::Done)
}

/// Answer `[address][LUN]`.
pub(super) fn get_receiver(
    context: &mut Context<'_>,
    _request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let EventReceiver { address, lun } = context.controller()?.sensors.event_receiver;
    response.put(&[address.0, lun])?;
    Ok(Outcome::Done)
}

/// `[revision][type][number][direction and code][data 1..3]`, on a system interface with the
/// generator id in front. It becomes a record of this controller, whatever its event
/// receiver is, and the response is 00h even when nothing could be logged.
pub(super) fn platform_event(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _reply: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let origin = &context.origin;
    let mut record = [0; 16];
    record[2] = SYSTEM_EVENT_RECORD;
    let event = if origin.medium == Medium::System {
        let (&generator, event) = request.data.split_first().ok_or(CompletionCode::INVALID_LENGTH)?;
        record[7] = generator;
        event
    } else {
        record[7] = origin.requester;
        record[8] = origin.channel.get() << 4 | origin.requester_lun & 0x03;
        request.data
    };
    record[9..].copy_from_slice(event.get(..7).ok_or(CompletionCode::INVALID_LENGTH)?);
    let now = context.now;
    context.at()?.for_client(|at| deliver(at, now, record));
    Ok(Outcome::Done)
}
