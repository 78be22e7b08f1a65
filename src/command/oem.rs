//! OEM commands, group extensions and OEM/Group (IANA) commands.

use super::{Context, Entry, Outcome};
use crate::ipmi::{CompletionCode, Reply, Request};

/// Controller-specific OEM commands (network function 30h), by number.
pub static COMMANDS: &[Entry] = &[];

/// Network function 2Ch.
pub fn group_extension(
    _context: &mut Context<'_>,
    request: &Request<'_>,
    _reply: &mut Reply,
) -> Result<Outcome, CompletionCode> {
    if request.data.is_empty() {
        return Err(CompletionCode::INVALID_LENGTH);
    }
    Err(CompletionCode::INVALID_COMMAND)
}

/// Network function 2Eh.
pub fn oem_group(
    _context: &mut Context<'_>,
    request: &Request<'_>,
    _reply: &mut Reply,
) -> Result<Outcome, CompletionCode> {
    if request.data.len() < 3 {
        return Err(CompletionCode::INVALID_LENGTH);
    }
    Err(CompletionCode::INVALID_COMMAND)
}
