//! PEF configuration (IPMI 2.0 section 30).

use super::super::{Context, Outcome};
use crate::bmc::pef::{FILTERS, PefError, REVISION};
use crate::ipmi::{CompletionCode, Request, Response};

/// PEF version 1.5.
const VERSION: u8 = 0x51;
/// All actions but OEM ones.
const ACTIONS: u8 = 0x3f;
/// Selector bit: only the parameter revision is wanted.
const REVISION_ONLY: u8 = 0x80;

impl From<PefError> for CompletionCode {
    fn from(problem: PefError) -> Self {
        match problem {
            PefError::Unknown => Self::COMMAND_SPECIFIC_80,
            PefError::InProgress => Self::COMMAND_SPECIFIC_81,
            PefError::ReadOnly => Self::COMMAND_SPECIFIC_82,
            PefError::TooShort => Self::INVALID_LENGTH,
            PefError::InvalidField => Self::INVALID_FIELD,
            PefError::OutOfRange => Self::OUT_OF_RANGE,
        }
    }
}

/// Answer `[version][actions][filters]`.
pub(super) fn get_capabilities(
    _context: &mut Context<'_>,
    _request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    response.put(&[VERSION, ACTIONS, FILTERS])?;
    Ok(Outcome::Done)
}

/// Id of the record processed last when none was: nothing processes events here.
const NONE_PROCESSED: u16 = 0x0000;

/// Answer `[time of the last record 4][its id 2][processed by software 2][by the BMC 2]`.
pub(super) fn get_last_processed(
    context: &mut Context<'_>,
    _request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let sel = &context.controller()?.sel;
    response.put(&sel.last_add_time().to_le_bytes())?;
    for id in [sel.last_id(), NONE_PROCESSED, NONE_PROCESSED] {
        response.put(&id.to_le_bytes())?;
    }
    Ok(Outcome::Done)
}

/// `[parameter][data...]`
pub(super) fn set_parameter(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _reply: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (selector, data) = request.data.split_first().ok_or(CompletionCode::INVALID_LENGTH)?;
    context.controller()?.pef.set(selector & !REVISION_ONLY, data)?;
    Ok(Outcome::Done)
}

/// `[parameter][set][block]`; answer `[revision][data...]`. Set and block are checked even
/// when only the revision is wanted.
pub(super) fn get_parameter(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (selector, set, block) = (request.data[0], request.data[1], request.data[2]);
    response.put(&[REVISION])?;
    let pef = &context.controller()?.pef;
    pef.get(selector & !REVISION_ONLY, set, block, |data| {
        if selector & REVISION_ONLY == 0 { response.put(data) } else { Ok(()) }
    })??;
    Ok(Outcome::Done)
}
