//! Rows of `oem_add` for what the copy would say otherwise than its machine.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::clone::check::Difference;
use crate::clone::model::{Machine, Request};
use crate::clone::reads::Read;
use crate::command::STANDARD;
use crate::command::privilege::Required;
use crate::ipmi::{McAddress, Privilege, netfn};

/// The command is not there.
const INVALID_COMMAND: u8 = 0xc1;

/// A command of a controller, for a group extension with its group.
type Command = (u8, u8, u8, Option<u8>);

fn command(request: &Request) -> Command {
    let group = (request.netfn == netfn::GROUP_EXTENSION).then(|| request.data.first().copied()).flatten();
    (request.mc, request.netfn, request.cmd, group)
}

/// Appends the rows. A command that the machine does not have at all is one row.
pub(super) fn text(machine: &Machine, differences: &[Difference], out: &mut String) {
    let without_dcmi: Vec<u8> =
        machine.controllers.iter().map(|one| one.address).filter(|mc| no_dcmi(machine, *mc)).collect();
    if differences.is_empty() && without_dcmi.is_empty() {
        return;
    }
    out.push_str("\n# What follows is not known to OpenIPMI's ipmi_sim, which stops reading here.\n");
    for mc in without_dcmi {
        let _ = writeln!(out, "mc_disable_dcmi {mc:#04x}");
    }
    let mut absent = BTreeSet::new();
    for difference in differences {
        let Difference { request, machine: response, .. } = difference;
        let whole = command(request);
        let is_absent = |(_, response): (&Request, &crate::clone::model::Response)| response.code == INVALID_COMMAND;
        let all = machine.exchanges.iter().filter(|(other, _)| command(other) == whole);
        if response.code == INVALID_COMMAND && all.clone().all(is_absent) {
            if absent.insert(whole) {
                let group: Vec<u8> = whole.3.into_iter().collect();
                row(request, &group, INVALID_COMMAND, &[], out);
            }
        } else {
            row(request, &request.data, response.code, &response.data, out);
        }
    }
}

/// Whether a controller was asked for DCMI, and has none.
fn no_dcmi(machine: &Machine, mc: u8) -> bool {
    let mut asked = machine.all(mc, Read::DcmiCapabilities).peekable();
    asked.peek().is_some() && asked.all(|(_, response)| response.code == INVALID_COMMAND)
}

fn row(request: &Request, data: &[u8], code: u8, response: &[u8], out: &mut String) {
    let name = request.read().map_or("", |read| read.name());
    let Request { mc, netfn, cmd, .. } = request;
    if !name.is_empty() {
        let _ = writeln!(out, "# {name}");
    }
    let _ = write!(out, "oem_add {mc:#04x} {netfn:#04x} {cmd:#04x}");
    if !data.is_empty() {
        out.push_str(" data");
        put(data, out);
    }
    let row = STANDARD.row(McAddress(*mc), *netfn, *cmd, &request.data);
    if let Some(level) = row.and_then(|row| level(row.privilege)) {
        let _ = write!(out, " privilege {level}");
    }
    let _ = write!(out, " response {code:#04x}");
    match (request.read(), response) {
        (Some(Read::ChassisStatus), [power, rest @ ..]) => {
            const ON: u8 = 0x01;
            let _ = write!(out, " power={:#04x},{:#04x}", power | ON, power & !ON);
            put(rest, out);
        }
        _ => put(response, out),
    }
    out.push('\n');
}

fn put(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        let _ = write!(out, " {byte:#04x}");
    }
}

/// The word for what a command needs; `None` for an administrator, as without a word.
fn level(required: Required) -> Option<&'static str> {
    match required {
        Required::Any => Some("callback"),
        Required::Level(Privilege::Callback) => Some("callback"),
        Required::Level(Privilege::User) | Required::NotUser => Some("user"),
        Required::Level(Privilege::Operator) => Some("operator"),
        Required::Level(Privilege::Administrator) | Required::SystemInterface => None,
    }
}
