//! What a command does the second time: the table that tells which requests may be executed again.
//!
//! It is here and not in the command tables because a LAN channel knows no commands; a test in `command` holds it against their
//! names, so whoever adds a command has to say here what it is.

use super::ReplyTo;
use crate::ipmi::{SEND_MESSAGE, netfn};
use crate::wire::ipmb::Message;

/// What executing a command once more does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    /// No harm, and the newest answer is the right one: it reads, or reserves.
    Reads,
    /// Nothing more than the first time: it sets what the request says. So is taken whatever is not known.
    Sets,
    /// The same once more: an event, a record, a reset.
    Acts,
}

/// Requests for the host's software.
const SMS_LUN: u8 = 2;
/// The group of DCMI, behind network function [`netfn::GROUP_EXTENSION`].
const DCMI: u8 = 0xdc;
/// The group of PICMG.
const PICMG: u8 = 0x00;

/// The nature of a request. A message that is carried to another controller is what it carries.
pub(super) fn nature(to: &ReplyTo, data: &[u8]) -> Nature {
    if to.rs_lun == SMS_LUN {
        return Nature::Sets;
    }
    if (to.netfn, to.cmd) != (netfn::APP, SEND_MESSAGE) {
        return nature_of(to.netfn, to.cmd, data.first().copied());
    }
    let carried = data.split_first().map(|(_channel, message)| message.strip_prefix(&[0]).unwrap_or(message));
    match carried.and_then(|message| Message::parse_unchecked(message).ok()) {
        Some(message) if message.to_lun != SMS_LUN && message.cmd != SEND_MESSAGE => {
            nature_of(message.netfn, message.cmd, message.data.first().copied())
        }
        _ => Nature::Sets,
    }
}

/// The nature of a command; `group` is the first byte of its data.
pub(crate) fn nature_of(netfn: u8, cmd: u8, group: Option<u8>) -> Nature {
    use Nature::{Acts, Reads, Sets};
    match (netfn, cmd) {
        // Capabilities, status, restart cause, boot options, hours.
        (netfn::CHASSIS, 0x00 | 0x01 | 0x07 | 0x09 | 0x0f) => Reads,
        // Chassis Control and Reset.
        (netfn::CHASSIS, 0x02 | 0x03) => Acts,
        (netfn::SENSOR_EVENT, 0x01 | 0x10 | 0x13 | 0x15) => Reads,
        // SDRs of the device and their reservation, reading factors, hysteresis, thresholds, event enables and status,
        // reading, type.
        (netfn::SENSOR_EVENT, 0x20..=0x23 | 0x25 | 0x27 | 0x29 | 0x2b | 0x2d | 0x2f) => Reads,
        // Platform Event, and alerts sent at once.
        (netfn::SENSOR_EVENT, 0x02 | 0x16) => Acts,
        // Which commands there are, and which are enabled.
        (netfn::APP, 0x09 | 0x0a | 0x0c | 0x61) => Reads,
        // Device id, self test, power state, GUID, watchdog, enables, flags, interface, system GUID.
        (netfn::APP, 0x01 | 0x04 | 0x07 | 0x08 | 0x25 | 0x2f | 0x31 | 0x36 | 0x37) => Reads,
        // Authentication capabilities, session information, channels, users, payloads, suites, system interface and
        // information.
        (netfn::APP, 0x38 | 0x3d | 0x41 | 0x42 | 0x44 | 0x46 | 0x4a | 0x4b | 0x4d..=0x4f | 0x54 | 0x57 | 0x59) => Reads,
        // Cold and Warm Reset; Get Message and Read Event Message Buffer, which take away what they read; Master
        // Write-Read.
        (netfn::APP, 0x02 | 0x03 | 0x33 | 0x35 | 0x52) => Acts,
        // FRUs, SDRs, the event log: information, reservations, entries, clocks.
        (netfn::STORAGE, 0x10 | 0x11 | 0x20..=0x23 | 0x28 | 0x40..=0x43 | 0x48 | 0x5a | 0x5c) => Reads,
        // Add SDR, Partial Add SDR, Delete SDR, Add, Partial Add and Delete SEL Entry: record 0 is another each time.
        (netfn::STORAGE, 0x24..=0x26 | 0x44..=0x46) => Acts,
        // Configuration of LAN and of SOL. Statistics are cleared by the same command that reads them.
        (netfn::TRANSPORT, 0x02 | 0x22) => Reads,
        (netfn::GROUP_EXTENSION, cmd) => match (group, cmd) {
            // Properties, address, LEDs, capabilities of a shelf's power.
            (Some(PICMG), 0x00 | 0x01 | 0x05 | 0x06 | 0x08 | 0x0b | 0x0d | 0x1e | 0x21 | 0x22) => Reads,
            // FRU Control: resets.
            (Some(PICMG), 0x04) => Acts,
            // Capabilities, power reading and limit, asset tag, sensors, thermal limit, temperatures, identifier, parameters.
            (Some(DCMI), 0x01..=0x03 | 0x06 | 0x07 | 0x09 | 0x0c | 0x10 | 0x13) => Reads,
            _ => Sets,
        },
        // Power and LED of a blade.
        (netfn::OEM, 0x02 | 0x04) => Reads,
        _ => Sets,
    }
}
