//! Storage commands: FRU inventory, SDR repository, SEL
//! (`commands-sensor-storage.md` sections 8 to 10, IPMI 2.0 sections 31, 33 and 34).

mod clocks;
mod fru;
pub(super) mod sdr;
mod sel;

use super::{Context, Entry, READ_RECORD};
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
#[rustfmt::skip]
pub static COMMANDS: &[Entry] = &[
    Entry::new(0x10, "Get FRU Inventory Area Info", fru::get_info).at_least(1).user().reads()
        .fields("device", "size:d2 access"),
    Entry::new(0x11, "Read FRU Data", fru::read).at_least(4).user().reads()
        .fields("device offset:d2 count:d1", "count:d1 data:*"),
    Entry::new(0x12, "Write FRU Data", fru::write).at_least(3).operator().fields("device offset:d2 data:*", "count:d1"),
    Entry::new(0x20, "Get SDR Repository Info", sdr::get_info).gate(has_sdrs).user().reads()
        .fields("", "version records:d2 free:d2 added:d4 erased:d4 support"),
    Entry::new(0x21, "Get SDR Repository Allocation Info", sdr::get_allocation_info).gate(has_sdrs).user().reads(),
    Entry::new(0x22, "Reserve SDR Repository", sdr::reserve).gate(has_sdrs).user().reads().fields("", "reservation:2"),
    Entry::new(0x23, "Get SDR", sdr::get).gate(has_sdrs).at_least(6).user().reads()
        .fields(READ_RECORD, "next:2 data:*"),
    Entry::new(0x24, "Add SDR", sdr::add).gate(has_sdrs).at_least(6).operator().acts().keeps()
        .fields("data:*", "record:2"),
    Entry::new(0x25, "Partial Add SDR", sdr::add_part).gate(has_sdrs).at_least(6).operator().acts().keeps()
        .fields("reservation:2 record:2 offset:d1 last data:*", "record:2"),
    Entry::new(0x26, "Delete SDR", sdr::delete).gate(has_sdrs).at_least(4).operator().acts().keeps()
        .fields("reservation:2 record:2", "record:2"),
    Entry::new(0x27, "Clear SDR Repository", sdr::clear).gate(has_sdrs).at_least(6).operator().keeps()
        .fields("reservation:2 clr:s3 operation", "progress&0f{erasing,done}"),
    Entry::new(0x28, "Get SDR Repository Time", clocks::get_sdr_time).gate(has_sdrs).user().reads().fields("", "time:d4"),
    Entry::new(0x29, "Set SDR Repository Time", clocks::set_sdr_time).gate(has_sdrs).at_least(4).operator().keeps()
        .fields("time:d4", ""),
    Entry::new(0x2a, "Enter SDR Repository Update Mode", sdr::enter_or_exit_update).gate(has_sdrs).operator(),
    Entry::new(0x2b, "Exit SDR Repository Update Mode", sdr::enter_or_exit_update).gate(has_sdrs).operator(),
    Entry::new(0x2c, "Run Initialization Agent", sdr::run_initialization_agent).gate(has_sdrs).at_least(1)
        .operator().ours(),
    Entry::new(0x40, "Get SEL Info", sel::get_info).gate(has_sel).user().reads()
        .fields("", "version entries:d2 free:d2 added:d4 erased:d4 support"),
    Entry::new(0x41, "Get SEL Allocation Info", sel::get_allocation_info).gate(allocates_sel).user().reads(),
    Entry::new(0x42, "Reserve SEL", sel::reserve).gate(reserves_sel).user().reads().fields("", "reservation:2"),
    Entry::new(0x43, "Get SEL Entry", sel::get).gate(has_sel).at_least(6).user().reads()
        .fields(READ_RECORD, "next:2 record:2 data:*"),
    Entry::new(0x44, "Add SEL Entry", sel::add).gate(has_sel).at_least(16).operator().acts().keeps()
        .fields("data:*", "record:2"),
    Entry::new(0x46, "Delete SEL Entry", sel::delete).gate(deletes_sel).at_least(4).operator().acts().keeps()
        .fields("reservation:2 record:2", "record:2"),
    Entry::new(0x47, "Clear SEL", sel::clear).gate(has_sel).at_least(6).operator().keeps()
        .fields("reservation:2 clr:s3 operation", "progress&0f{erasing,done}"),
    Entry::new(0x48, "Get SEL Time", clocks::get_sel_time).gate(has_sel).user().reads().fields("", "time:d4"),
    Entry::new(0x49, "Set SEL Time", clocks::set_sel_time).gate(has_sel).at_least(4).operator().keeps().fields("time:d4", ""),
    Entry::new(0x5c, "Get SEL Time UTC Offset", sel::get_utc_offset).gate(has_sel).administrator().reads().ours(),
    Entry::new(0x5d, "Set SEL Time UTC Offset", sel::set_utc_offset).gate(has_sel).at_least(2)
        .administrator().keeps().ours(),
];
