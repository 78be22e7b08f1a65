//! Group extension commands (network function 2Ch), whose first byte names the group that
//! defined them, in the request and, behind the completion code, in the response
//! (`commands-core.md` section 9).
//!
//! Two groups are known: [`picmg`], with `atca_enable`, and [`dcmi`], unless `mc_disable_dcmi` says
//! otherwise. C1h is what clients take for "this system has none of it".

pub mod dcmi;
pub mod picmg;

use super::Entry;
use crate::bmc::{self, Machine};
use crate::ipmi::{McAddress, netfn};

/// The commands of the group that the data of a request to the controller `mc` name, none when it does not know
/// the group.
pub fn table(machine: &Machine, mc: McAddress, data: &[u8]) -> &'static [Entry] {
    match data.first() {
        Some(&picmg::GROUP) if machine.shelf.enabled => picmg::COMMANDS,
        Some(&dcmi::GROUP) if bmc::dcmi::exists(machine, mc) => dcmi::COMMANDS,
        _ => &[],
    }
}

/// The commands of the group that the data of a request name, whether a controller knows it or not.
pub(super) fn named(data: &[u8]) -> &'static [Entry] {
    match data.first() {
        Some(&picmg::GROUP) => picmg::COMMANDS,
        Some(&dcmi::GROUP) => dcmi::COMMANDS,
        _ => &[],
    }
}

/// Whether a request, whose row is `found`, is for a group extension that is not there. That is what a
/// session is told at each level, not that it lacks a privilege: ipmitool asks for the HPM
/// capabilities of the PICMG group before each command and complains of any other code than C1h.
pub fn is_absent(found: Option<&Entry>, network_function: u8, data: &[u8]) -> bool {
    network_function == netfn::GROUP_EXTENSION && !data.is_empty() && found.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::STANDARD;
    use crate::command::testing::{BMC, Rig};

    #[test]
    fn a_group_extension_is_absent_with_its_group_or_by_itself() {
        let mut rig = Rig::new();
        let of = |rig: &Rig, netfn, cmd, data: &[u8]| {
            is_absent(STANDARD.find(&rig.machine, BMC, netfn, cmd, data), netfn, data)
        };
        let absent = |rig: &Rig, cmd, data: &[u8]| of(rig, netfn::GROUP_EXTENSION, cmd, data);
        assert!(absent(&rig, 0x3e, &[0]) && absent(&rig, 0, &[0]) && absent(&rig, 1, &[3]) && absent(&rig, 0, &[0x52]));
        assert!(!absent(&rig, 0x3e, &[]) && !absent(&rig, 1, &[dcmi::GROUP]) && absent(&rig, 0x3e, &[dcmi::GROUP]));
        assert!(!of(&rig, netfn::OEM, 0x3e, &[0]));
        rig.machine.shelf.enabled = true;
        rig.machine.ensure(BMC).dcmi.disabled = true;
        assert!(absent(&rig, 0x3e, &[0]) && absent(&rig, 1, &[dcmi::GROUP]));
        assert!(!absent(&rig, 0, &[0]), "what there is of it is an administrator's");
    }

    #[test]
    fn a_group_that_is_not_there_has_no_commands() {
        let mut rig = Rig::new();
        rig.machine.ensure(BMC).dcmi.disabled = true;
        rig.expect("2c 00 -> c7\n 2c 00 00 -> c1\n 2c 02 dc 01 00 00 -> c1\n 2c 02 03 01 00 00 -> c1");
        rig.machine.shelf.enabled = true;
        rig.expect("2c 00 -> c7\n 2c 00 00 -> 00 00 22 00 00\n 2c 00 01 -> c1\n 2c 02 dc 01 00 00 -> c1");
    }
}
