//! Firmware firewall discovery, IPMI 2.0 chapter 21: which commands there are, from the command
//! tables. Nothing can be disabled: no command is configurable, and each one that is there is
//! enabled.

use super::ELSEWHERE;
use crate::command::privilege::Required;
use crate::command::{Context, Entry, Outcome};
use crate::ipmi::{ChannelNumber, CompletionCode, Origin, Request, Response, SEND_MESSAGE, netfn};

/// "Commands exist on this LUN, and none is restricted", two bits each.
const LUN_UNRESTRICTED: u8 = 0x01;
/// LUN of the host: what comes for it is the host's to answer.
const HOST_LUN: u8 = 2;

/// A bit for each command of a network function.
#[derive(Clone, Copy, Default)]
struct Commands([u8; 32]);

impl Commands {
    fn add(&mut self, cmd: u8) {
        self.0[usize::from(cmd >> 3)] |= 1 << (cmd & 7);
    }

    fn is_empty(&self) -> bool {
        self.0 == [0; 32]
    }

    /// Those from 00h, or those from 80h on.
    fn half(&self, upper: bool) -> [u8; 16] {
        let (lower_half, upper_half) = self.0.split_at(16);
        let mut half = [0; 16];
        half.copy_from_slice(if upper { upper_half } else { lower_half });
        half
    }
}

/// The channel in the low half of a byte; one that is not there is CBh.
fn channel(context: &mut Context<'_>, byte: u8) -> Result<ChannelNumber, CompletionCode> {
    let number = context.channel_number(ChannelNumber::from_wire(byte));
    context.controller()?.channels.get(number).ok_or(CompletionCode::NOT_PRESENT)?;
    Ok(number)
}

/// The commands of a network function that are there for requests by a channel. Those of a group
/// extension are of the group that `named` begins with. Those of enterprises (2Eh) are not told.
fn available(context: &mut Context<'_>, channel: ChannelNumber, function: u8, named: &[u8]) -> Commands {
    let is_lan = context.controller_is(|controller| controller.channels.lan(channel).is_some());
    let mut commands = Commands::default();
    if function == netfn::OEM_GROUP {
        return commands;
    }
    if function == netfn::APP {
        // All but Send Message are about sessions.
        let there = ELSEWHERE.iter().filter(|entry| is_lan || entry.cmd == SEND_MESSAGE);
        there.for_each(|entry| commands.add(entry.cmd));
    }
    let origin = Origin { channel, ..context.origin };
    let rows = context.commands;
    let context = Context { now: context.now, machine: &mut *context.machine, mc: context.mc, origin, commands: rows };
    for (cmd, Entry { gate, privilege, .. }) in rows.of(context.machine, context.mc, function, named) {
        if gate(&context) && !(is_lan && *privilege == Required::SystemInterface) {
            commands.add(cmd);
        }
    }
    commands
}

/// Request: channel. Response: two bits for each LUN, then for each LUN a bit for each pair of
/// network functions (4 bytes).
pub(super) fn get_netfn_support(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let channel = channel(context, *request.data.first().ok_or(CompletionCode::INVALID_LENGTH)?)?;
    let mut pairs = 0u32;
    for function in (0..=0x3e).step_by(2) {
        let groups = if function == netfn::GROUP_EXTENSION { 0..=u8::MAX } else { 0..=0 };
        if groups.into_iter().any(|group| !available(context, channel, function, &[group]).is_empty()) {
            pairs |= 1 << (function >> 1);
        }
    }
    let luns = (0..4).filter(|lun| *lun != HOST_LUN).fold(0, |luns, lun| luns | LUN_UNRESTRICTED << (2 * lun));
    response.put(&[luns])?;
    for lun in 0..4 {
        response.put(&if lun == HOST_LUN { [0; 4] } else { pairs.to_le_bytes() })?;
    }
    Ok(Outcome::Done)
}

/// Request of the three below: channel, network function (bits 7-6: 0 for commands 00h to 7Fh, 1
/// for those from 80h), LUN; for a group extension its group.
fn half_asked_for(context: &mut Context<'_>, request: &Request<'_>) -> Result<[u8; 16], CompletionCode> {
    let [by, function, lun, ..] = *request.data else { return Err(CompletionCode::INVALID_LENGTH) };
    let channel = channel(context, by)?;
    let upper = match function >> 6 {
        0 => false,
        1 => true,
        _ => return Err(CompletionCode::INVALID_FIELD),
    };
    if lun & 0x03 == HOST_LUN {
        return Ok([0; 16]);
    }
    Ok(available(context, channel, function & 0x3e, request.data.get(3..).unwrap_or_default()).half(upper))
}

/// Response: a bit for each of 128 commands, 0 for one that is there.
pub(super) fn get_command_support(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    response.put(&half_asked_for(context, request)?.map(|byte| !byte))?;
    Ok(Outcome::Done)
}

/// Response: a bit for each of 128 commands that can be enabled and disabled: none.
pub(super) fn get_configurable_commands(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    half_asked_for(context, request)?;
    response.put(&[0; 16])?;
    Ok(Outcome::Done)
}

/// Response: a bit for each of 128 commands, 1 for one that is enabled.
pub(super) fn get_command_enables(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    response.put(&half_asked_for(context, request)?)?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{BMC, Rig};

    #[test]
    fn what_commands_there_are_is_told_as_they_are() {
        let mut rig = Rig::new();
        // Chassis, sensors, App, storage, transport, DCMI, the manufacturer's.
        let pairs = "6d 00 40 01";
        let none = "00 00 00 00";
        let luns = format!("00 45 {pairs} {pairs} {none} {pairs}");
        rig.expect(&format!("06 09 0e -> {luns}\n 06 09 01 -> {luns}\n 06 09 02 -> cb\n 06 09 -> c1"));
        // Chassis: 00h to 02h, 04h, 06h to 0Bh, 0Fh.
        let chassis = rig.ask("06 0a 0e 00 00");
        let enabled = rig.ask("06 61 0e 00 00");
        assert!(chassis.starts_with("00 28 70 ff ff"), "{chassis}");
        assert!(enabled.starts_with("00 d7 8f 00 00"), "{enabled}");
        let all_zero = format!("00{}", " 00".repeat(16));
        let all_one = format!("00{}", " ff".repeat(16));
        for request in ["06 0c 0e 06 00", "06 61 0e 46 00", "06 61 0e 06 02", "06 61 0e 2c 00", "06 61 0e 08 00"] {
            assert_eq!(rig.ask(request), all_zero, "{request}");
        }
        assert_eq!(rig.ask("06 0a 0e 06 02"), all_one, "the host's");
        rig.expect("06 0a 0e 80 00 -> cc\n 06 0a 02 06 00 -> cb\n 06 0a 0e 06 -> c1\n 06 0b 0e 06 00 01 -> c1");
        rig.expect("06 60 -> c1\n 06 62 -> c1\n 06 64 -> c1");
        assert!(rig.ask("06 61 0e 2c 00 dc").starts_with("00 fe 1f"), "DCMI");
        rig.machine.ensure(BMC).dcmi.disabled = true;
        rig.expect(&format!("06 61 0e 2c 00 dc -> {all_zero}\n 06 61 0e 2c 00 00 -> {all_zero}"));
    }

    /// What is told to be there is not C1h, and everything else is.
    #[test]
    fn what_is_told_agrees_with_what_is_done() {
        let mut rig = Rig::new();
        for function in (0..=0x3eu8).step_by(2).filter(|function| !matches!(function, 0x2c | 0x2e)) {
            let told: Vec<u8> = [0, 0x40]
                .into_iter()
                .flat_map(|half| {
                    let response = rig.ask(&format!("06 61 0e {:02x} 00", function | half));
                    let bytes =
                        response.split(' ').skip(1).map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"));
                    bytes.collect::<Vec<_>>()
                })
                .collect();
            for cmd in 0..=255u8 {
                // Answered by the LAN channel and the simulator, or for the host alone.
                if function == 0x06 && matches!(cmd, 0x2e..=0x35 | 0x38..=0x3d | 0x54) {
                    continue;
                }
                let there = told[usize::from(cmd >> 3)] & 1 << (cmd & 7) != 0;
                let long = format!("0e {}", "00 ".repeat(29));
                let response = rig.ask(&format!("{function:02x} {cmd:02x} {long}"));
                // Some answer C1h for a state of affairs: no thresholds, no full record.
                assert!(there || response == "c1", "{function:02x} {cmd:02x}: {response}");
                assert!(!there || response != "c1" || function == 0x04, "{function:02x} {cmd:02x} is told to be there");
            }
        }
    }
}
