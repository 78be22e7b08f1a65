//! SDR repository (IPMI 2.0 section 33).

use super::super::{Context, Outcome};
use super::{ERASURE_COMPLETE, Erase, erase_operation, word};
use crate::bmc::sdr::{ALLOCATION_UNIT, AddError, CAPACITY, OPERATIONS, Part, Progress, Repository};
use crate::bmc::{sdr, sensor};
use crate::ipmi::{CompletionCode, Request, Response};

/// SDR version of IPMI 1.5 and later.
const VERSION: u8 = 0x51;
/// The most free bytes Get SDR Repository Info can say; one more would mean "unspecified".
const MAX_FREE: u32 = 0xfffe;

/// The data of Get SDR and Get Device SDR:
/// `[reservation 2][record id 2][offset][count]`.
pub(in crate::command) struct RecordRequest {
    /// Reservation id.
    pub reservation: u16,
    /// Record id, 0000h first, FFFFh last.
    pub id: u16,
    offset: u8,
    count: u8,
}

impl RecordRequest {
    /// Reads it; too few bytes are C7h.
    pub(in crate::command) fn parse(request: &Request<'_>) -> Result<Self, CompletionCode> {
        match *request.data {
            [_, _, _, _, offset, count, ..] => {
                Ok(Self { reservation: word(request, 0)?, id: word(request, 2)?, offset, count })
            }
            _ => Err(CompletionCode::INVALID_LENGTH),
        }
    }
}

/// The count that means the rest of the record (IPMI 2.0 sections 33.12 and 35.3).
const REST: u8 = 0xff;

/// Answers `[next id 2][data...]`. The count is cut at the record's end; one that is still
/// more than fits is `too_long`.
///
/// Counts may reach into the bytes that the original shows behind a record. Who asks for the rest
/// of it gets the record: such a client need not look at its length byte.
pub(in crate::command) fn put_record<'a>(
    response: &mut Response,
    record: &'a [u8],
    next: u16,
    wanted: &RecordRequest,
    too_long: CompletionCode,
) -> Result<(), CompletionCode> {
    let from = |record: &'a [u8]| record.get(usize::from(wanted.offset)..).filter(|left| !left.is_empty());
    let left = from(record).ok_or(CompletionCode::OUT_OF_RANGE)?;
    let data = match wanted.count {
        REST => from(sdr::whole(record)).unwrap_or(left),
        count => left.get(..usize::from(count)).unwrap_or(left),
    };
    if data.len() + 2 > response.room() {
        return Err(too_long);
    }
    response.put(&next.to_le_bytes())?;
    response.put(data)
}

/// The repository, if the reservation at the front of the request holds.
fn reserved<'a>(context: &'a mut Context<'_>, request: &Request<'_>) -> Result<&'a mut Repository, CompletionCode> {
    let reservation = word(request, 0)?;
    let sdr = &mut context.controller()?.sdr;
    if sdr.reservation_holds(reservation) { Ok(sdr) } else { Err(CompletionCode::INVALID_RESERVATION) }
}

fn code(problem: AddError) -> CompletionCode {
    match problem {
        // "Record rejected due to mismatch between record length in header and bytes written".
        AddError::LengthMismatch => CompletionCode::COMMAND_SPECIFIC_80,
        AddError::OutOfOrder => CompletionCode::INVALID_FIELD,
        AddError::Full => CompletionCode::OUT_OF_SPACE,
    }
}

/// Answer `[version][records 2][free bytes 2][last add 4][last erase 4][operations]`.
pub(super) fn get_info(
    context: &mut Context<'_>,
    _request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let sdr = &context.controller()?.sdr;
    let count = sdr.records().len() as u16;
    let free = u32::from(sdr.free()) * u32::from(ALLOCATION_UNIT);
    response.put(&[VERSION])?;
    response.put(&count.to_le_bytes())?;
    response.put(&(free.min(MAX_FREE) as u16).to_le_bytes())?;
    response.put(&sdr.last_add_time().to_le_bytes())?;
    response.put(&sdr.last_erase_time().to_le_bytes())?;
    response.put(&[OPERATIONS])?;
    Ok(Outcome::Done)
}

/// Answer `[units 2][unit size 2][free units 2][largest free block 2][largest record]`.
pub(super) fn get_allocation_info(
    context: &mut Context<'_>,
    _request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let free = context.controller()?.sdr.free();
    for number in [CAPACITY, ALLOCATION_UNIT, free, free] {
        response.put(&number.to_le_bytes())?;
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
    response.put(&context.controller()?.sdr.reserve().to_le_bytes())?;
    Ok(Outcome::Done)
}

/// `[reservation 2][record id 2][offset][count]`; answer `[next id 2][data...]`.
pub(super) fn get(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let wanted = RecordRequest::parse(request)?;
    let (record, next) = reserved(context, request)?.find(wanted.id).ok_or(CompletionCode::NOT_PRESENT)?;
    put_record(response, record, next, &wanted, CompletionCode::CANNOT_RETURN_LENGTH)?;
    Ok(Outcome::Done)
}

/// `[record...]`; answer `[new id 2]`. The record's id bytes are replaced.
pub(super) fn add(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let now = context.now;
    let id = sdr::add(&mut context.at()?, now, request.data).map_err(code)?;
    response.put(&id.to_le_bytes())?;
    Ok(Outcome::Done)
}

/// `[reservation 2][record id 2][offset][progress][data...]`; answer `[record id 2]`.
pub(super) fn add_part(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (id, offset, now) = (word(request, 2)?, request.data[4], context.now);
    let progress = if request.data[5] & 0x0f == 1 { Progress::Last } else { Progress::Partial };
    reserved(context, request)?;
    let part = Part { id, offset, progress, bytes: &request.data[6..] };
    let id = sdr::add_part(&mut context.at()?, now, part).map_err(code)?;
    response.put(&id.to_le_bytes())?;
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
    let id = sdr::delete(&mut context.at()?, now, id).ok_or(CompletionCode::NOT_PRESENT)?;
    response.put(&id.to_le_bytes())?;
    Ok(Outcome::Done)
}

/// `[reservation 2]['C' 'L' 'R'][operation]`; answer `[progress]`.
pub(super) fn clear(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let now = context.now;
    reserved(context, request)?;
    match erase_operation(request)? {
        Erase::Initiate => sdr::clear(&mut context.at()?, now),
        Erase::Status => {}
    }
    response.put(&[ERASURE_COMPLETE])?;
    Ok(Outcome::Done)
}

/// Records can be added at any time, so update mode has no effect.
pub(super) fn enter_or_exit_update(
    _context: &mut Context<'_>,
    _request: &Request<'_>,
    _reply: &mut Response,
) -> Result<Outcome, CompletionCode> {
    Ok(Outcome::Done)
}

/// Get Run Initialization Agent: run it, in the request; it is done, in the response.
const AGENT: u8 = 0x01;

/// `[run]`: bit 0 sets the sensors up again from their records, else it is only asked; answer
/// `[done]`.
pub(super) fn run_initialization_agent(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    if request.data.first().ok_or(CompletionCode::INVALID_LENGTH)? & AGENT != 0 {
        sensor::initialize(&mut context.at()?);
    }
    response.put(&[AGENT])?;
    Ok(Outcome::Done)
}
