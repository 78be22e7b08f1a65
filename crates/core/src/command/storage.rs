//! Storage commands: FRU inventory, SDR repository, SEL
//! (`commands-sensor-storage.md` sections 8 to 10, IPMI 2.0 sections 31, 33 and 34).

mod fru;
pub(super) mod sdr;
mod sel;

use super::{Context, Entry, always};
use crate::bmc::device_id::support;
use crate::bmc::sel::{SUPPORTS_ALLOCATION_INFO, SUPPORTS_DELETE, SUPPORTS_RESERVE};
use crate::ipmi::{CompletionCode, Request};

fn has_sdrs(context: &Context<'_>) -> bool {
    context.controller_is(|controller| controller.device.supports(support::SDR_REPOSITORY))
}

fn has_sel(context: &Context<'_>) -> bool {
    context.controller_is(|controller| controller.device.has_sel())
}

fn sel_can(context: &Context<'_>, operation: u8) -> bool {
    context.controller_is(|controller| controller.device.has_sel() && controller.sel.flags() & operation != 0)
}

fn allocates_sel(context: &Context<'_>) -> bool {
    sel_can(context, SUPPORTS_ALLOCATION_INFO)
}

fn reserves_sel(context: &Context<'_>) -> bool {
    sel_can(context, SUPPORTS_RESERVE)
}

fn deletes_sel(context: &Context<'_>) -> bool {
    sel_can(context, SUPPORTS_DELETE)
}

/// A 16-bit number at an offset of the request's data.
fn word(request: &Request<'_>, offset: usize) -> Result<u16, CompletionCode> {
    let bytes = request.data.get(offset..).and_then(<[u8]>::first_chunk).ok_or(CompletionCode::INVALID_LENGTH)?;
    Ok(u16::from_le_bytes(*bytes))
}

/// The time a request begins with.
fn time(request: &Request<'_>) -> Result<u32, CompletionCode> {
    request.data.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)).ok_or(CompletionCode::INVALID_LENGTH)
}

/// What a Clear SDR Repository or Clear SEL asks for.
enum Erase {
    /// Erase everything.
    Initiate,
    /// Say how far erasing is.
    Status,
}

/// Answer of both clear commands: erasure is complete.
const ERASURE_COMPLETE: u8 = 0x01;

/// The `'C' 'L' 'R' operation` behind the reservation of a clear command.
fn erase_operation(request: &Request<'_>) -> Result<Erase, CompletionCode> {
    match request.data.get(2..6) {
        Some([b'C', b'L', b'R', 0xaa]) => Ok(Erase::Initiate),
        Some([b'C', b'L', b'R', 0x00]) => Ok(Erase::Status),
        _ => Err(CompletionCode::INVALID_FIELD),
    }
}

/// The Storage commands, by number.
pub static COMMANDS: &[Entry] = &[
    Entry { cmd: 0x10, name: "Get FRU Inventory Area Info", gate: always, min_length: 1, handler: fru::get_info },
    Entry { cmd: 0x11, name: "Read FRU Data", gate: always, min_length: 4, handler: fru::read },
    Entry { cmd: 0x12, name: "Write FRU Data", gate: always, min_length: 3, handler: fru::write },
    Entry { cmd: 0x20, name: "Get SDR Repository Info", gate: has_sdrs, min_length: 0, handler: sdr::get_info },
    Entry {
        cmd: 0x21,
        name: "Get SDR Repository Allocation Info",
        gate: has_sdrs,
        min_length: 0,
        handler: sdr::get_allocation_info,
    },
    Entry { cmd: 0x22, name: "Reserve SDR Repository", gate: has_sdrs, min_length: 0, handler: sdr::reserve },
    Entry { cmd: 0x23, name: "Get SDR", gate: has_sdrs, min_length: 6, handler: sdr::get },
    Entry { cmd: 0x24, name: "Add SDR", gate: has_sdrs, min_length: 6, handler: sdr::add },
    Entry { cmd: 0x25, name: "Partial Add SDR", gate: has_sdrs, min_length: 6, handler: sdr::add_part },
    Entry { cmd: 0x26, name: "Delete SDR", gate: has_sdrs, min_length: 4, handler: sdr::delete },
    Entry { cmd: 0x27, name: "Clear SDR Repository", gate: has_sdrs, min_length: 6, handler: sdr::clear },
    Entry { cmd: 0x28, name: "Get SDR Repository Time", gate: has_sdrs, min_length: 0, handler: sdr::get_time },
    Entry { cmd: 0x29, name: "Set SDR Repository Time", gate: has_sdrs, min_length: 4, handler: sdr::set_time },
    Entry {
        cmd: 0x2a,
        name: "Enter SDR Repository Update Mode",
        gate: has_sdrs,
        min_length: 0,
        handler: sdr::enter_or_exit_update,
    },
    Entry {
        cmd: 0x2b,
        name: "Exit SDR Repository Update Mode",
        gate: has_sdrs,
        min_length: 0,
        handler: sdr::enter_or_exit_update,
    },
    Entry {
        cmd: 0x2c,
        name: "Run Initialization Agent",
        gate: has_sdrs,
        min_length: 1,
        handler: sdr::run_initialization_agent,
    },
    Entry { cmd: 0x40, name: "Get SEL Info", gate: has_sel, min_length: 0, handler: sel::get_info },
    Entry {
        cmd: 0x41,
        name: "Get SEL Allocation Info",
        gate: allocates_sel,
        min_length: 0,
        handler: sel::get_allocation_info,
    },
    Entry { cmd: 0x42, name: "Reserve SEL", gate: reserves_sel, min_length: 0, handler: sel::reserve },
    Entry { cmd: 0x43, name: "Get SEL Entry", gate: has_sel, min_length: 6, handler: sel::get },
    Entry { cmd: 0x44, name: "Add SEL Entry", gate: has_sel, min_length: 16, handler: sel::add },
    Entry { cmd: 0x46, name: "Delete SEL Entry", gate: deletes_sel, min_length: 4, handler: sel::delete },
    Entry { cmd: 0x47, name: "Clear SEL", gate: has_sel, min_length: 6, handler: sel::clear },
    Entry { cmd: 0x48, name: "Get SEL Time", gate: has_sel, min_length: 0, handler: sel::get_time },
    Entry { cmd: 0x49, name: "Set SEL Time", gate: has_sel, min_length: 4, handler: sel::set_time },
    Entry { cmd: 0x5c, name: "Get SEL Time UTC Offset", gate: has_sel, min_length: 0, handler: sel::get_utc_offset },
    Entry { cmd: 0x5d, name: "Set SEL Time UTC Offset", gate: has_sel, min_length: 2, handler: sel::set_utc_offset },
];
