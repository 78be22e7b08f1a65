//! Channel commands, IPMI 2.0 sections 22.22 to 22.24.

use crate::bmc::{Action, StateFile};
use crate::command::{Context, Outcome};
use crate::ipmi::{CompletionCode, Privilege, Reply, Request};

/// Access mode "always available", per-message and user-level authentication on.
const ACCESS_MODE: u8 = 0x02;

/// The PEF alerting bit of an access byte.
const PEF_ALERTING: u8 = 0x20;

/// Bits 7-6 of an access byte.
const NO_CHANGE: u8 = 0;
const NON_VOLATILE: u8 = 1;
const VOLATILE: u8 = 2;

/// Takes channel number and two bytes apart; numbers above 15 are CCh.
fn number(context: &Context<'_>, byte: u8) -> Result<u8, CompletionCode> {
    if byte >= 0x10 { Err(CompletionCode::INVALID_FIELD) } else { Ok(context.channel_number(byte)) }
}

/// Request: channel. Answer: channel, medium, protocol, session support and number of
/// active sessions, vendor id (3), auxiliary (2).
pub fn get_info(
    context: &mut Context<'_>,
    request: &Request<'_>,
    reply: &mut Reply,
) -> Result<Outcome, CompletionCode> {
    let number = number(context, *request.data.first().ok_or(CompletionCode::INVALID_LENGTH)?)?;
    let channel = context.controller()?.channels.get(number).ok_or(CompletionCode::NOT_PRESENT)?;
    reply.put(&[number, channel.medium, channel.protocol, channel.sessions()])?;
    // The IPMI forum's enterprise number 7154, as for every standard protocol.
    reply.put(&[0xf2, 0x1b, 0x00, 0x00, 0x00])?;
    Ok(Outcome::Done)
}

/// Request: channel, which (bits 7-6). Answer: access mode with the PEF alerting bit,
/// privilege limit. An absent channel is CCh.
pub fn get_access(
    context: &mut Context<'_>,
    request: &Request<'_>,
    reply: &mut Reply,
) -> Result<Outcome, CompletionCode> {
    let [channel, which] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let number = number(context, channel)?;
    let channels = &context.controller()?.channels;
    channels.get(number).ok_or(CompletionCode::INVALID_FIELD)?;
    let lan = channels.lan(number);
    let (pef, limit) = match which >> 6 {
        NON_VOLATILE => (lan.is_some_and(|lan| lan.nonvolatile_pef_alerting), lan.map(|lan| lan.nonvolatile_limit)),
        VOLATILE => (lan.is_some_and(|lan| lan.pef_alerting), lan.map(|lan| lan.volatile_limit)),
        _ => return Err(CompletionCode::INVALID_FIELD),
    };
    reply.put(&[if pef { PEF_ALERTING } else { 0 } | ACCESS_MODE, limit.map_or(0, Privilege::wire)])?;
    Ok(Outcome::Done)
}

/// Request: channel, access (bits 7-6 which, 4 per-message authentication off, 3
/// user-level authentication off, 2-0 mode), privilege limit (bits 7-6 which).
pub fn set_access(context: &mut Context<'_>, request: &Request<'_>, _: &mut Reply) -> Result<Outcome, CompletionCode> {
    let [channel, access, limit] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let number = number(context, channel)?;
    let channels = &context.controller()?.channels;
    channels.get(number).ok_or(CompletionCode::NOT_PRESENT)?;
    channels.lan(number).ok_or(CompletionCode::INVALID_COMMAND)?;
    match access >> 6 {
        NO_CHANGE => {}
        NON_VOLATILE | VOLATILE if access & 0x1f == ACCESS_MODE => {}
        NON_VOLATILE | VOLATILE => return Err(CompletionCode::COMMAND_SPECIFIC_83),
        _ => return Err(CompletionCode::INVALID_FIELD),
    }
    let level = match limit >> 6 {
        NO_CHANGE => None,
        NON_VOLATILE | VOLATILE => Some(Privilege::from_wire(limit & 0x0f).ok_or(CompletionCode::INVALID_FIELD)?),
        _ => return Err(CompletionCode::INVALID_FIELD),
    };
    let file = StateFile::Lan { mc: context.mc, channel: number };
    context.machine.remember(file);
    let lan = context.controller()?.channels.lan_mut(number).ok_or(CompletionCode::INVALID_COMMAND)?;
    let mut save = false;
    if let Some(level) = level {
        if limit >> 6 == NON_VOLATILE {
            lan.nonvolatile_limit = level;
            save = true;
        } else {
            lan.volatile_limit = level;
        }
    }
    let pef_alerting = access & PEF_ALERTING != 0;
    match access >> 6 {
        NON_VOLATILE if lan.nonvolatile_pef_alerting != pef_alerting => {
            lan.nonvolatile_pef_alerting = pef_alerting;
            save = true;
        }
        VOLATILE => lan.pef_alerting = pef_alerting,
        _ => {}
    }
    if save {
        context.machine.actions.push(Action::Save(file));
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::bmc::channel::Channel;
    use crate::bmc::{Action, StateFile};
    use crate::command::testing::{BMC, Rig, SATELLITE, SYSTEM};

    #[test]
    fn channel_info_is_as_recorded() {
        let mut rig = Rig::new();
        rig.expect(
            "06 42 -> c7
             06 42 00 -> 00 00 01 01 00 f2 1b 00 00 00
             06 42 0f -> 00 0f 05 09 00 f2 1b 00 00 00
             06 42 01 -> 00 01 04 01 81 f2 1b 00 00 00
             06 42 0e -> 00 01 04 01 81 f2 1b 00 00 00
             06 42 02 -> cb
             06 42 10 -> cc
             06 42 1e -> cc
             06 42 8e -> cc
             06 42 ff -> cc",
        );
        rig.mc = SATELLITE;
        // "This channel" is the one the outer message came in on.
        rig.expect("06 42 0e -> cb\n 06 42 0f -> 00 0f 05 09 00 f2 1b 00 00 00");
        rig.mc = BMC;
        rig.origin = SYSTEM;
        rig.expect("06 42 0e -> 00 0f 05 09 00 f2 1b 00 00 00");
        rig.machine.ensure(BMC).channels.set(15, Channel::system_interface());
        rig.expect("06 42 0e -> 00 0f 0c 05 00 f2 1b 00 00 00");
    }

    #[test]
    fn channel_access_is_checked_as_recorded() {
        let mut rig = Rig::new();
        rig.expect(
            "06 41 0e -> c7
             06 41 0e 00 -> cc
             06 41 0e 40 -> 00 02 04
             06 41 0e 80 -> 00 02 04
             06 41 0e c0 -> cc
             06 41 00 40 -> 00 02 00
             06 41 0f 80 -> 00 02 00
             06 41 02 80 -> cc
             06 41 4e 80 -> cc
             06 40 0e 00 -> c7
             06 40 02 00 00 -> cb
             06 40 10 00 00 -> cc
             06 40 00 00 00 -> c1
             06 40 0f 00 00 -> c1
             06 40 0e 0a 00 -> 00
             06 40 0e 42 00 -> 00
             06 40 0e a2 00 -> 00
             06 40 0e c2 00 -> cc
             06 40 0e 92 00 -> 83
             06 40 0e 8a 00 -> 83
             06 40 0e 83 00 -> 83
             06 40 0e 00 40 -> cc
             06 40 0e 00 85 -> cc
             06 40 0e 00 c4 -> cc",
        );
        assert!(rig.machine.actions.is_empty());
    }

    #[test]
    fn the_two_limits_are_set_apart_and_the_lasting_one_is_kept() {
        let mut rig = Rig::new();
        rig.expect(
            "06 40 0e 82 83 -> 00
             06 41 0e 80 -> 00 02 03
             06 41 0e 40 -> 00 02 04",
        );
        assert!(rig.machine.actions.is_empty());
        rig.expect("06 40 0e 42 42 -> 00\n 06 41 0e 80 -> 00 02 03\n 06 41 0e 40 -> 00 02 02");
        assert_eq!(rig.machine.actions, [Action::Save(StateFile::Lan { mc: BMC, channel: 1 })]);
    }

    #[test]
    fn the_alerting_bit_is_set_and_the_lasting_one_is_kept() {
        let mut rig = Rig::new();
        rig.expect("06 40 0e a2 00 -> 00\n 06 41 0e 80 -> 00 22 04\n 06 41 0e 40 -> 00 02 04");
        assert!(rig.machine.actions.is_empty());
        rig.expect("06 40 0e 82 00 -> 00\n 06 40 0e 62 00 -> 00\n 06 40 0e 62 00 -> 00");
        rig.expect("06 41 0e 80 -> 00 02 04\n 06 41 0e 40 -> 00 22 04");
        assert_eq!(rig.machine.actions, [Action::Save(StateFile::Lan { mc: BMC, channel: 1 })]);
    }
}
