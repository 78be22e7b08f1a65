//! App commands about the controller itself, IPMI 2.0 chapter 20.

use crate::bmc::channel::protocol;
use crate::bmc::watchdog::Watchdog;
use crate::bmc::{ACPI_UNKNOWN, dcmi, messaging, system_info};
use crate::command::{Context, Outcome};
use crate::ipmi::{ChannelNumber, CompletionCode, Request, Response};

/// Get Self Test Results: no error.
const SELF_TEST_PASSED: [u8; 2] = [0x55, 0x00];

/// Get BT Interface Capabilities: one request at a time, messages of up to 255 bytes each way,
/// a response within 10 s, no retries. IPMI 2.0 section 22.10.
const BT_CAPABILITIES: [u8; 5] = [0x01, 0xff, 0xff, 10, 0];

/// Types of system interfaces in Get System Interface Capabilities.
const SSIF: u8 = 0;
const KCS: u8 = 1;
const SMIC: u8 = 2;
/// Single-part reads and writes, no packet error codes, SSIF version 1.
const SINGLE_PART: u8 = 0x00;
/// Bytes of a part.
const SSIF_PART: u8 = 32;
/// Version 1 of KCS and SMIC.
const INTERFACE_VERSION_1: u8 = 0x00;
/// 255 bytes.
const LONGEST_MESSAGE: u8 = 0xff;

/// Bit 7 of either byte of Set ACPI Power State: the state is to be set.
const ACPI_SET: u8 = 0x80;

/// Response: see [`DeviceId::bytes`](crate::bmc::device_id::DeviceId::bytes).
pub(super) fn get_device_id(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    response.put(&context.controller()?.device.bytes())?;
    Ok(Outcome::Done)
}

/// The messaging state and the watchdog are as after the start, and nobody has told which operating
/// system runs; configuration stays.
pub(super) fn cold_reset(
    context: &mut Context<'_>,
    _: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let controller = context.controller()?;
    if let Some(watchdog) = &mut controller.watchdog {
        *watchdog = Watchdog::default();
    }
    let now = context.now;
    let mut at = context.at()?;
    system_info::reset(&mut at);
    dcmi::reset_statistics(&mut at, now);
    messaging::reset(&mut at);
    Ok(Outcome::Done)
}

/// Accepted; a warm reset keeps everything that is simulated.
pub(super) fn warm_reset(_: &mut Context<'_>, _: &Request<'_>, _: &mut Response) -> Result<Outcome, CompletionCode> {
    Ok(Outcome::Done)
}

/// Response: 55 00, no error.
pub(super) fn get_self_test(
    _: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    response.put(&SELF_TEST_PASSED)?;
    Ok(Outcome::Done)
}

/// Request: system state, device state; each is taken when its bit 7 is set.
pub(super) fn set_acpi_state(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    for (state, told) in context.controller()?.acpi.iter_mut().zip(request.data) {
        if told & ACPI_SET != 0 {
            *state = told & !ACPI_SET;
        }
    }
    Ok(Outcome::Done)
}

/// Whether anybody has told an ACPI power state; there is none to be asked for before.
pub(super) fn has_acpi_state(context: &Context<'_>) -> bool {
    context.controller_is(|controller| controller.acpi != [ACPI_UNKNOWN; 2])
}

/// Response: system state, device state, 2Ah for one that nobody has told.
pub(super) fn get_acpi_state(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    response.put(&context.controller()?.acpi)?;
    Ok(Outcome::Done)
}

/// What `mc_set_guid` said, else the GUID of the first LAN channel (`lan-conf.md` section 4).
fn device_guid(context: &Context<'_>) -> Option<[u8; 16]> {
    let controller = context.executing()?;
    controller.device_guid()
}

/// Whether the controller has a device GUID.
pub(super) fn has_guid(context: &Context<'_>) -> bool {
    device_guid(context).is_some()
}

/// Response: the controller's GUID, 16 bytes as configured.
pub(super) fn get_guid(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    response.put(&device_guid(context).ok_or(CompletionCode::INVALID_COMMAND)?)?;
    Ok(Outcome::Done)
}

/// Whether the host's channel is a BT interface (`serial bt`).
pub(super) fn has_bt(context: &Context<'_>) -> bool {
    context.controller_is(|controller| {
        controller
            .channels
            .get(ChannelNumber::SYSTEM_INTERFACE)
            .is_some_and(|channel| channel.protocol == protocol::BT_1_5)
    })
}

/// Response: requests at a time, size of requests, size of responses, seconds to answer, retries.
pub(super) fn get_bt_capabilities(
    _: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    response.put(&BT_CAPABILITIES)?;
    Ok(Outcome::Done)
}

/// Whether there is a system interface: KCS, SMIC, BT or SSIF, or a virtual machine's, whatever its
/// emulator puts before it.
pub(super) fn has_system_interface(context: &Context<'_>) -> bool {
    context.controller_is(|controller| controller.channels.get(ChannelNumber::SYSTEM_INTERFACE).is_some())
}

/// Request: type of interface, 0 SSIF, 1 KCS, 2 SMIC. Response: reserved, then for SSIF its version
/// with bits 7-6 for single-part transfers alone and the sizes of messages in and out, else its
/// version and the size of a message in. CCh for another type than the system's (IPMI 2.0 section
/// 22.9).
///
/// A single part is what every SSIF can transfer, and what drivers assume where nothing is said.
pub(super) fn get_interface_capabilities(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let channel =
        context.controller()?.channels.get(ChannelNumber::SYSTEM_INTERFACE).ok_or(CompletionCode::INVALID_COMMAND)?;
    let kind = request.data.first().map(|byte| byte & 0x0f);
    let kinds: &[u8] = match channel.protocol {
        protocol::SMBUS => &[SSIF],
        protocol::KCS => &[KCS],
        protocol::SMIC => &[SMIC],
        protocol::BT_1_5 => &[],
        _ => &[SSIF, KCS, SMIC],
    };
    match kind.filter(|kind| kinds.contains(kind)) {
        Some(SSIF) => response.put(&[0, SINGLE_PART, SSIF_PART, SSIF_PART])?,
        Some(_) => response.put(&[0, INTERFACE_VERSION_1, LONGEST_MESSAGE])?,
        None => return Err(CompletionCode::INVALID_FIELD),
    }
    Ok(Outcome::Done)
}

fn system_guid(context: &Context<'_>) -> Option<[u8; 16]> {
    let controller = context.executing()?;
    controller.channels.lans().find_map(|(_, lan)| lan.guid).or(controller.guid)
}

/// Whether there is a system GUID.
pub(super) fn has_system_guid(context: &Context<'_>) -> bool {
    system_guid(context).is_some()
}

/// Response: the GUID of the first LAN channel that has one, else the controller's.
pub(super) fn get_system_guid(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    response.put(&system_guid(context).ok_or(CompletionCode::INVALID_COMMAND)?)?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::bmc::channel::{Channel, Framing, medium, protocol};
    use crate::bmc::watchdog::Watchdog;
    use crate::command::testing::{BMC, Rig, SATELLITE, SYSTEM};
    use crate::ipmi::{ChannelNumber, McAddress};

    #[test]
    fn device_id_is_as_recorded_and_surplus_bytes_are_ignored() {
        let mut rig = Rig::new();
        rig.expect(
            "06 01 -> 00 00 03 09 08 02 9f 91 12 00 02 0f 00 00 00 00
             06 01 00 01 02 -> 00 00 03 09 08 02 9f 91 12 00 02 0f 00 00 00 00",
        );
        rig.mc = SATELLITE;
        rig.expect("06 01 -> 00 02 08 10 01 02 a0 91 12 00 03 0f 00 00 00 00");
    }

    #[test]
    fn what_the_original_lacks_is_answered() {
        let mut rig = Rig::new();
        rig.expect(
            "06 04 -> 00 55 00
             06 07 -> c1
             06 06 -> c1
             06 06 85 00 -> 00
             06 07 -> 00 05 2a
             06 03 -> 00",
        );
    }

    #[test]
    fn the_device_guid_is_the_lan_channels_until_another_is_given() {
        let mut rig = Rig::new();
        rig.expect("06 08 -> 00 a1 23 45 67 89 ab cd ef a1 23 45 67 89 ab cd ef");
        rig.mc = SATELLITE;
        rig.expect("06 08 -> c1");
        rig.mc = BMC;
        rig.machine.ensure(McAddress::BMC).guid = Some([0x11; 16]);
        rig.expect("06 08 -> 00 11 11 11 11 11 11 11 11 11 11 11 11 11 11 11 11");
    }

    #[test]
    fn what_nobody_has_stays_unsupported() {
        let mut rig = Rig::new();
        rig.expect(
            "06 05 -> c1
             06 36 -> c1
             06 3f -> c1
             06 50 -> c1
             06 52 00 00 00 -> c1
             02 00 -> c1
             08 00 -> c1
             3e 12 -> c1",
        );
    }

    /// What a driver of that interface asks; which one an emulator puts before the VM channel is
    /// not known.
    #[test]
    fn a_system_interface_tells_its_capabilities() {
        let mut rig = Rig::host();
        rig.expect("06 57 -> c1\n 06 57 00 -> 00 00 00 20 20\n 06 57 01 -> 00 00 00 ff\n 06 57 f2 -> 00 00 00 ff");
        rig.expect("06 57 03 -> cc");
        for (protocol, responses) in [
            (protocol::KCS, ["cc", "00 00 00 ff", "cc"]),
            (protocol::SMIC, ["cc", "cc", "00 00 00 ff"]),
            (protocol::SMBUS, ["00 00 00 20 20", "cc", "cc"]),
            (protocol::BT_1_5, ["cc"; 3]),
        ] {
            let line =
                Channel::serial(ChannelNumber::SYSTEM_INTERFACE, medium::SYSTEM_INTERFACE, protocol, Framing::Vm);
            rig.machine.ensure(BMC).channels.set(ChannelNumber::SYSTEM_INTERFACE, line);
            for (kind, response) in responses.into_iter().enumerate() {
                rig.expect(&format!("06 57 0{kind} -> {response}"));
            }
        }
    }

    #[test]
    fn a_bt_interface_tells_its_capabilities() {
        let mut rig = Rig::host();
        rig.expect("06 36 -> c1");
        let line =
            Channel::serial(ChannelNumber::SYSTEM_INTERFACE, medium::SYSTEM_INTERFACE, protocol::BT_1_5, Framing::Vm);
        rig.machine.ensure(BMC).channels.set(ChannelNumber::SYSTEM_INTERFACE, line);
        rig.expect("06 36 -> 00 01 ff ff 0a 00");
    }

    #[test]
    fn the_host_can_read_the_system_guid() {
        let mut rig = Rig::new();
        rig.origin = SYSTEM;
        rig.expect("06 37 -> 00 a1 23 45 67 89 ab cd ef a1 23 45 67 89 ab cd ef");
        rig.mc = SATELLITE;
        rig.expect("06 37 -> c1");
    }

    #[test]
    fn a_cold_reset_stops_the_watchdog_and_resets_the_enables() {
        let mut rig = Rig::host();
        rig.expect(
            "06 2e 0f -> 00
             06 24 04 01 00 00 0a 00 -> 00
             06 22 -> 00
             06 02 -> 00
             06 2f -> 00 08
             06 22 -> 80",
        );
        assert_eq!(rig.machine.ensure(McAddress::BMC).watchdog.as_ref().and_then(Watchdog::deadline), None);
    }

    #[test]
    fn a_disabled_controller_answers_ff() {
        let mut rig = Rig::new();
        rig.machine.ensure(McAddress::BMC).enabled = false;
        rig.expect("06 01 -> ff\n 06 99 -> ff");
    }
}
