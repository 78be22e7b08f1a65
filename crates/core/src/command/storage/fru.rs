//! FRU inventory (IPMI 2.0 section 34). Which device ids there are is not gated by the
//! controller's FRU capability.

use super::super::{Context, Outcome};
use super::word;
use crate::bmc::fru::FruKind;
use crate::bmc::{Action, LogLevel};
use crate::ipmi::{CompletionCode, Request, Response, SessionId};

/// The device is accessed by bytes.
const ACCESS_BY_BYTES: u8 = 0x00;

/// What a device has for a request: a snapshot of the console history is the session's own.
fn bytes_of(device: &FruKind, session: Option<SessionId>) -> Option<&[u8]> {
    match device {
        FruKind::Inline(bytes) => Some(bytes),
        FruKind::History(snapshots) => snapshots.get(&session?).map(Vec::as_slice),
        FruKind::File { .. } => None,
    }
}

/// `[device]`; answer `[size 2][access]`. CCh for a device that is not there or has no data.
///
/// A session that asks for the size of the console history reads it from then on as it is
/// now, however it grows meanwhile.
pub(super) fn get_info(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let session = context.origin.session.map(|session| session.id);
    let controller = context.controller()?;
    if let (Some(session), Some(FruKind::History(_))) = (session, controller.frus.get(request.data[0])) {
        let copy = controller.history_copy();
        controller.frus.keep_history(session, copy);
    }
    let device = controller.frus.get(request.data[0]).ok_or(CompletionCode::INVALID_FIELD)?;
    let size = match device {
        FruKind::File { size, .. } => *size as usize,
        FruKind::Inline(_) | FruKind::History(_) => bytes_of(device, session).map_or(0, <[u8]>::len),
    };
    if size == 0 {
        return Err(CompletionCode::INVALID_FIELD);
    }
    response.put(&(size as u16).to_le_bytes())?;
    response.put(&[ACCESS_BY_BYTES])?;
    Ok(Outcome::Done)
}

/// `[device][offset 2][count]`; answer `[count][data...]`. The count is cut at the end of
/// the device; one that is still more than fits is CAh, so that clients ask for less (the
/// original says C8h, which pyghmi takes for the end of the matter).
pub(super) fn read(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let offset = word(request, 1)?;
    let count = usize::from(request.data[3]);
    let session = context.origin.session.map(|session| session.id);
    let device = context.controller()?.frus.get(request.data[0]).ok_or(CompletionCode::INVALID_FIELD)?;
    if let FruKind::File { size, .. } = device {
        let left = (*size as usize).checked_sub(usize::from(offset)).ok_or(beyond_file(*size, offset))?;
        let count = count.min(left);
        if count > response.room() - 1 {
            return Err(CompletionCode::CANNOT_RETURN_LENGTH);
        }
        if count == 0 {
            return Err(CompletionCode::UNSPECIFIED);
        }
        let file = device.file_read(offset, count).ok_or(CompletionCode::UNSPECIFIED)?;
        let name = file_name(device);
        return Ok(Outcome::read(file, move |context, content, response| match content {
            Ok(mut bytes) => {
                bytes.resize(count, 0);
                put_data(response, &bytes)
            }
            Err(problem) => Err(failed(context, "(read) error on open", &name, &problem)),
        }));
    }
    let bytes = bytes_of(device, session).filter(|bytes| !bytes.is_empty()).ok_or(CompletionCode::INVALID_FIELD)?;
    let left = bytes.get(usize::from(offset)..).filter(|left| !left.is_empty());
    let left = left.ok_or(CompletionCode::OUT_OF_RANGE)?;
    put_data(response, &left[..count.min(left.len())])
}

/// The response to an offset behind the end of a file-backed device. The original answers C8h;
/// right behind the end, where it would read over its own stack, the response is C9h.
fn beyond_file(size: u32, offset: u16) -> CompletionCode {
    match u32::from(offset).wrapping_sub(size) {
        1 | 2 => CompletionCode::OUT_OF_RANGE,
        _ => CompletionCode::LENGTH_LIMIT,
    }
}

fn put_data(response: &mut Response, data: &[u8]) -> Result<Outcome, CompletionCode> {
    if data.len() >= response.room() {
        return Err(CompletionCode::CANNOT_RETURN_LENGTH);
    }
    response.put(&[data.len() as u8])?;
    response.put(data)?;
    Ok(Outcome::Done)
}

fn file_name(device: &FruKind) -> String {
    match device {
        FruKind::File { path, .. } => path.clone(),
        FruKind::Inline(_) | FruKind::History(_) => String::new(),
    }
}

fn failed(context: &mut Context<'_>, doing: &str, name: &str, problem: &str) -> CompletionCode {
    let text = format!("fru_io: {doing} of {name}: {problem}");
    context.machine.actions.push(Action::ConsoleLog { level: LogLevel::Error, text });
    CompletionCode::UNSPECIFIED
}

/// `[device][offset 2][data...]`; answer `[count]`. Data that would go beyond the end is
/// refused as a whole.
pub(super) fn write(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let offset = word(request, 1)?;
    let data = request.data.get(3..).unwrap_or_default();
    let device = context.controller()?.frus.get_mut(request.data[0]).ok_or(CompletionCode::INVALID_FIELD)?;
    let size = match device {
        FruKind::Inline(bytes) => bytes.len(),
        FruKind::File { size, .. } => *size as usize,
        // The console's history cannot be written.
        FruKind::History(_) => 0,
    };
    let start = usize::from(offset);
    if start >= size {
        return Err(CompletionCode::OUT_OF_RANGE);
    }
    if data.len() > size - start {
        return Err(CompletionCode::LENGTH_LIMIT);
    }
    // A request has far fewer than 256 bytes; more could not be acknowledged.
    let count = u8::try_from(data.len()).map_err(|_| CompletionCode::LENGTH_LIMIT)?;
    if let FruKind::Inline(bytes) = device {
        bytes[start..start + data.len()].copy_from_slice(data);
        response.put(&[count])?;
        return Ok(Outcome::Done);
    }
    if data.is_empty() {
        return Err(CompletionCode::UNSPECIFIED);
    }
    let file = device.file_write(offset, data).ok_or(CompletionCode::UNSPECIFIED)?;
    let name = file_name(device);
    Ok(Outcome::write(file, move |context, written, response| match written {
        Ok(written) if written == usize::from(count) => {
            response.put(&[count])?;
            Ok(Outcome::Done)
        }
        Ok(_) => Err(failed(context, "(write) error on write", &name, "not everything was written")),
        Err(problem) => Err(failed(context, "(write) error on open", &name, &problem)),
    }))
}
