//! State of the controller-specific OEM commands (`commands-core.md` section 10).
//!
//! Owns a "power" value that has nothing to do with the chassis, and what added commands remember and count. The colour of the hot-swap
//! light is [`picmg`](super::picmg)'s.

use std::collections::BTreeMap;

use super::{At, event};
use crate::ipmi::Moment;

/// Record type of the event a changed power value sends.
const POWER_RECORD: u8 = 0xc0;

/// State of the OEM commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oem {
    /// The power value.
    pub power: u8,
    /// What commands from outside the crate remember, under numbers of their choice; in memory only.
    pub values: BTreeMap<u32, Vec<u8>>,
    /// How often rows of the command language that count were asked, under the numbers of the rows; in memory only.
    pub counts: BTreeMap<u32, u32>,
    /// What rows of the command language remember, under numbers of their choice; in memory only.
    pub slots: BTreeMap<u8, u8>,
}

/// Whether a change is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// By an OEM event to the event receiver.
    Event,
    /// Not at all.
    Silent,
}

/// Sets the power value. A change is reported with the original's constants, whichever
/// controller it happens on.
pub fn set_power(at: &mut At<'_>, now: Moment, power: u8, report: Report) {
    let controller = &mut **at;
    let changed = controller.oem.power != power;
    controller.oem.power = power;
    let receiver = controller.sensors.event_receiver.address;
    if changed && report == Report::Event {
        let record = [0, 0, POWER_RECORD, 0, 0, 0, 0, 0x20, 0x00, 0x01, 0x00, 0x40, 0x00, power, 0x00, 0x00];
        event::send(at, now, receiver, record);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Machine;
    use super::super::device_id::DeviceId;
    use super::*;
    use crate::ipmi::McAddress;

    /// Recorded: `30 01 05`, then `30 01 05` again, then `30 01 00`.
    #[test]
    fn only_a_change_is_reported() {
        let mut machine = Machine { bmc: Some(McAddress::BMC), ..Machine::default() };
        machine.describe(McAddress::BMC, DeviceId { device_support: 0x9f, ..DeviceId::default() });
        machine.ensure(McAddress::BMC).sel.enable(10, 0);
        for (power, report) in [(5, Report::Event), (5, Report::Event), (9, Report::Silent), (0, Report::Event)] {
            set_power(&mut machine.found(McAddress::BMC), Moment::default(), power, report);
        }
        let records: Vec<_> = machine.ensure(McAddress::BMC).sel.records().map(|record| record[7..].to_vec()).collect();
        assert_eq!(records, [[0x20, 0, 1, 0, 0x40, 0, 5, 0, 0], [0x20, 0, 1, 0, 0x40, 0, 0, 0, 0]]);
        assert_eq!(machine.ensure(McAddress::BMC).sel.records().next().map(|record| record[2]), Some(0xc0));
    }
}
