//! The state files of a clone: records, log, and what a client could have set.

use crate::clone::model::{BMC, Controller, Machine, Sel};
use crate::state::Items;

/// Every file that there is something for, by name.
pub(super) fn files(machine: &Machine) -> Vec<(String, Items)> {
    let mut files = Vec::new();
    if let Some(bmc) = machine.bmc() {
        records(bmc, &mut files);
        if let Some(sel) = &bmc.sel {
            files.push((format!("sel.{BMC:02x}"), log(sel)));
        }
    }
    files
}

fn name(record: &[u8]) -> String {
    match record {
        [low, high, ..] => u16::from_le_bytes([*low, *high]).to_string(),
        _ => "0".into(),
    }
}

fn records(bmc: &Controller, files: &mut Vec<(String, Items)>) {
    let [added, erased] = bmc.repository_times;
    let mut put = |file: String, records: &[crate::clone::bytes::Bytes]| {
        let mut items = Items::new();
        items.push_integer("last_add_time", added.into());
        items.push_integer("last_erase_time", erased.into());
        records.iter().for_each(|record| items.push_bytes(name(record), record.to_vec()));
        files.push((file, items));
    };
    if let Some(repository) = &bmc.repository {
        put(format!("sdr.{BMC:02x}.main"), repository);
    }
    for (lun, records) in &bmc.device_sdrs {
        put(format!("sdr.{BMC:02x}.device{lun}"), records);
    }
}

fn log(sel: &Sel) -> Items {
    let mut items = Items::new();
    items.push_integer("last_add_time", sel.last_add.into());
    items.push_integer("last_erase_time", sel.last_erase.into());
    // With these two the clock of the log is ahead of the wall clock by the first, whenever the program is started.
    items.push_integer("time_offset", sel.clock.unwrap_or(0));
    items.push_integer("wall_clock", 0);
    sel.records.iter().for_each(|record| items.push_bytes(name(record), record.to_vec()));
    items
}
