//! System event log (IPMI 2.0 section 31).

use super::super::{Context, Outcome};
use super::{ERASURE_COMPLETE, Erase, erase_operation, word};
use crate::bmc::sel::{self, Record, Sel};
use crate::bmc::{Error, StateFile};
use crate::ipmi::{CompletionCode, Request, Response};

/// SEL version of IPMI 1.5 and later.
const VERSION: u8 = 0x51;
/// Bytes of a record, and the unit the log counts its room in.
const RECORD_LENGTH: u16 = 16;

/// The log, if the reservation at the front of the request holds.
fn reserved<'a>(context: &'a mut Context<'_>, request: &Request<'_>) -> Result<&'a mut Sel, CompletionCode> {
    let reservation = word(request, 0)?;
    let sel = &mut context.controller()?.sel;
    if sel.reservation_holds(reservation) { Ok(sel) } else { Err(CompletionCode::INVALID_RESERVATION) }
}

/// Changes the log and has it saved.
fn changed<T>(
    context: &mut Context<'_>,
    change: impl FnOnce(&mut Sel) -> Result<T, CompletionCode>,
) -> Result<T, CompletionCode> {
    context.at()?.change(StateFile::Sel, |controller| change(&mut controller.sel))
}

/// A number for two bytes: what does not fit is the highest.
fn capped(number: u32) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes()
}

/// Answer `[version][records 2][free bytes 2][last add 4][last erase 4][operations]`; FFFFh are
/// 65535 free bytes or more.
pub(super) fn get_info(
    context: &mut Context<'_>,
    _request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let sel = &context.controller()?.sel;
    response.put(&[VERSION])?;
    response.put(&(sel.records().len() as u16).to_le_bytes())?;
    response.put(&capped(sel.free().saturating_mul(u32::from(RECORD_LENGTH))))?;
    response.put(&sel.last_add_time().to_le_bytes())?;
    response.put(&sel.last_erase_time().to_le_bytes())?;
    response.put(&[sel.flags()])?;
    Ok(Outcome::Done)
}

/// Answer `[units 2][unit size 2][free units 2][largest free block 2][largest record]`, in units
/// of a record each.
pub(super) fn get_allocation_info(
    context: &mut Context<'_>,
    _request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let sel = &context.controller()?.sel;
    let free = capped(sel.free());
    for number in [capped(sel.max_records()), RECORD_LENGTH.to_le_bytes(), free, free] {
        response.put(&number)?;
    }
    response.put(&[1])?;
    Ok(Outcome::Done)
}

/// Answer `[reservation 2]`.
pub(super) fn reserve(
    context: &mut Context<'_>,
    _request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    response.put(&context.controller()?.sel.reserve().to_le_bytes())?;
    Ok(Outcome::Done)
}

/// `[reservation 2][record id 2][offset][count]`; answer `[next id 2][data...]`. The offset
/// is checked before the record is looked for.
pub(super) fn get(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (id, offset, count) = (word(request, 2)?, usize::from(request.data[4]), usize::from(request.data[5]));
    let sel = reserved(context, request)?;
    if offset >= usize::from(RECORD_LENGTH) {
        return Err(CompletionCode::INVALID_FIELD);
    }
    let (record, next) = sel.find(id).ok_or(CompletionCode::NOT_PRESENT)?;
    let left = &record[offset..];
    response.put(&next.to_le_bytes())?;
    response.put(&left[..count.min(left.len())])?;
    Ok(Outcome::Done)
}

/// `[record 16]`; answer `[new id 2]`. No reservation is needed. A full log answers C4h and the
/// original's two bytes, which are zero here.
pub(super) fn add(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    // The id in it means nothing.
    let &[_, _, record_type, ref data @ ..]: &Record =
        request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let now = context.now;
    match context.at()?.for_client(|at| sel::add_entry(at, now, record_type, *data)) {
        Ok(id) => response.put(&id.to_le_bytes())?,
        Err(Error::Full) => {
            response.put(&[0, 0])?;
            response.set_code(CompletionCode::OUT_OF_SPACE);
        }
        Err(_) => return Err(CompletionCode::INVALID_COMMAND),
    }
    Ok(Outcome::Done)
}

/// `[reservation 2][record id 2]`; answer `[deleted id 2]`.
pub(super) fn delete(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (id, now) = (word(request, 2)?, context.now);
    reserved(context, request)?;
    let id = changed(context, |sel| sel.delete(now, id).ok_or(CompletionCode::NOT_PRESENT))?;
    response.put(&id.to_le_bytes())?;
    Ok(Outcome::Done)
}

/// `[reservation 2]['C' 'L' 'R'][operation]`; answer `[progress]`. As in the original also
/// asking for the status sets the erase time and forgets the overflow.
pub(super) fn clear(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let now = context.now;
    reserved(context, request)?;
    let operation = erase_operation(request)?;
    changed(context, |sel| {
        match operation {
            Erase::Initiate => sel.clear(now),
            Erase::Status => sel.touch_erase(now),
        }
        Ok(())
    })?;
    response.put(&[ERASURE_COMPLETE])?;
    Ok(Outcome::Done)
}

/// Answer `[minutes 2]`, 07FFh when nobody has set it.
pub(super) fn get_utc_offset(
    context: &mut Context<'_>,
    _request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    response.put(&context.controller()?.sel.utc_offset().unwrap_or(sel::UNSPECIFIED_OFFSET).to_le_bytes())?;
    Ok(Outcome::Done)
}

/// `[minutes 2]`, from -1440 to 1440, or 07FFh.
pub(super) fn set_utc_offset(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _reply: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let minutes = word(request, 0)? as i16;
    let minutes = match minutes {
        sel::UNSPECIFIED_OFFSET => None,
        -1440..=1440 => Some(minutes),
        _ => return Err(CompletionCode::INVALID_FIELD),
    };
    changed(context, |sel| {
        sel.set_utc_offset(minutes);
        Ok(())
    })?;
    Ok(Outcome::Done)
}
