//! Device SDRs of the LUN a request is for (IPMI 2.0 sections 35.2 to 35.4).

use super::super::storage::sdr::{RecordRequest, put_record};
use super::super::{Context, Outcome};
use crate::ipmi::{CompletionCode, Request, Response};

/// Flag of Get Device SDR Info: the sensors may change.
const DYNAMIC_POPULATION: u8 = 0x80;

/// Answer `[records][flags]`, and the time of the last change (4) if the population is
/// dynamic.
pub(super) fn get_info(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let controller = context.controller()?;
    let sdrs = &controller.device_sdrs;
    let records = sdrs.lun(request.lun).map_or(0, |list| list.records().len()) as u8;
    if controller.device.dynamic_sensors {
        response.put(&[records, DYNAMIC_POPULATION | sdrs.populated_luns()])?;
        response.put(&sdrs.change_time().to_le_bytes())?;
    } else {
        response.put(&[records, sdrs.populated_luns()])?;
    }
    Ok(Outcome::Done)
}

/// `[reservation 2][record id 2][offset][count]`; answer `[next id 2][data...]`.
pub(super) fn get(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let wanted = RecordRequest::parse(request)?;
    let controller = context.controller()?;
    let list = controller.device_sdrs.lun(request.lun).ok_or(CompletionCode::NOT_PRESENT)?;
    if controller.device.dynamic_sensors && !list.reservation_holds(wanted.reservation) {
        return Err(CompletionCode::INVALID_RESERVATION);
    }
    let (record, next) = list.find(wanted.id).ok_or(CompletionCode::NOT_PRESENT)?;
    put_record(response, record, next, &wanted, CompletionCode::LENGTH_LIMIT)?;
    Ok(Outcome::Done)
}

/// Answer `[reservation 2]`. Records that never change need no reservation, and the original
/// gives none for them; but clients ask for one before they read (ipmitool gives up).
pub(super) fn reserve(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let list = context.controller()?.device_sdrs.lun_mut(request.lun).ok_or(CompletionCode::NOT_PRESENT)?;
    response.put(&list.reserve().to_le_bytes())?;
    Ok(Outcome::Done)
}
