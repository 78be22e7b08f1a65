//! The README of a clone: what it is of, what could not be read, and how it is started.

use std::fmt::Write;

use super::{Layout, Settings};
use crate::clone::model::Machine;

/// The text of the file.
pub(super) fn text(machine: &Machine, settings: &Settings) -> String {
    let mut out = format!("{} is a copy of a machine, made by ipmi_simctl.\n\n", machine.name);
    let _ = writeln!(out, "Start it:\n\n  {}\n", start(&machine.name, settings.layout));
    let _ = writeln!(out, "Its users have the password {}; those of the machine are not known.\n", settings.password);
    for controller in &machine.controllers {
        let records = controller.repository.as_ref().map_or(0, Vec::len);
        let device = controller.device_sdrs.values().map(Vec::len).sum::<usize>();
        let log = controller.sel.as_ref().map_or(0, |sel| sel.records.len());
        let _ = writeln!(
            out,
            "Controller {:#04x}: {records} SDRs, {device} device SDRs, {} sensors, {} inventories, {log} log records.",
            controller.address,
            controller.sensors.len(),
            controller.frus.len(),
        );
    }
    if !machine.unread.is_empty() {
        out.push_str("\nWhat could not be read:\n\n");
        for unread in &machine.unread {
            let _ = writeln!(out, "  {}: {}", unread.what, unread.why);
        }
    }
    out
}

/// The line that starts a clone, given in its folder.
pub fn start(name: &str, layout: Layout) -> String {
    match layout {
        Layout::Alone => format!("ipmi_sim -n -c ./lan.conf -f ./{name}.emu -s ./state"),
        Layout::Fleet => "ipmi_sim -n --fleet . -s ./state".into(),
    }
}
