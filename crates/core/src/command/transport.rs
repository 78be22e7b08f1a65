//! Transport commands: LAN and SOL configuration parameters, IPMI 2.0 chapters 23 and 26.

use super::{Context, Entry, Outcome, has_sol};
use crate::bmc::channel::{Lan, Statistics};
use crate::bmc::external::ProgramCall;
use crate::bmc::ipv6_parameters::Ipv6Parameters;
use crate::bmc::lan_parameters::{ParameterError, Read, Written, number as parameter};
use crate::bmc::sol_parameters::{self, Access};
use crate::bmc::{At, lan_settings};
use crate::ipmi::{AuthTypes, ChannelNumber, CompletionCode, Request, Response};

/// The Transport commands, by number.
#[rustfmt::skip]
pub static COMMANDS: &[Entry] = &[
    Entry::new(0x01, "Set LAN Configuration Parameters", set_lan_parameters).at_least(3).administrator().keeps()
        .fields("channel&0f parameter:d1 data:*", ""),
    Entry::new(0x02, "Get LAN Configuration Parameters", get_lan_parameters).at_least(4).operator().reads()
        .fields("channel&0f|revision_only&80 parameter:d1 set block", "revision data:*"),
    // The same command reads and clears them.
    Entry::new(0x04, "Get IP/UDP/RMCP Statistics", get_statistics).at_least(1).user().ours()
        .fields(
            "channel&0f clear&01",
            "ip_received:d2 header_errors:d2 address_errors:d2 fragments:d2 ip_sent:d2 udp_received:d2 \
             rmcp_received:d2 proxy_received:d2 proxy_dropped:d2",
        ),
    Entry::new(0x21, "Set SOL Configuration Parameters", set_sol_parameters).gate(has_sol).at_least(3)
        .administrator().keeps().fields("channel&0f parameter:d1 data:*", ""),
    Entry::new(0x22, "Get SOL Configuration Parameters", get_sol_parameters).gate(has_sol).at_least(4).user().reads()
        .fields("channel&0f|revision_only&80 parameter:d1 set block", "revision data:*"),
];

/// Parameter revision 1.1.
const REVISION: u8 = 0x11;

/// SOL configuration parameters, IPMI 2.0 table 26-5.
mod sol {
    pub(super) const SET_IN_PROGRESS: u8 = 0;
    pub(super) const ENABLE: u8 = 1;
    /// Encryption, authentication, privilege level.
    pub(super) const AUTHENTICATION: u8 = 2;
    /// Character accumulate interval (5 ms), character send threshold.
    pub(super) const ACCUMULATE: u8 = 3;
    /// Retry count, retry interval (10 ms).
    pub(super) const RETRY: u8 = 4;
    pub(super) const NON_VOLATILE_BIT_RATE: u8 = 5;
    pub(super) const VOLATILE_BIT_RATE: u8 = 6;
    /// Read only.
    pub(super) const PAYLOAD_CHANNEL: u8 = 7;
    pub(super) const PAYLOAD_PORT: u8 = 8;
}

fn code(error: ParameterError) -> CompletionCode {
    match error {
        ParameterError::Unsupported => CompletionCode::COMMAND_SPECIFIC_80,
        ParameterError::InProgress => CompletionCode::COMMAND_SPECIFIC_81,
        ParameterError::ReadOnly => CompletionCode::COMMAND_SPECIFIC_82,
        ParameterError::TooShort => CompletionCode::INVALID_LENGTH,
        ParameterError::Invalid => CompletionCode::INVALID_FIELD,
        ParameterError::NoSet => CompletionCode::OUT_OF_RANGE,
    }
}

/// The number of the LAN channel a request means. The whole byte is compared, so bit 7,
/// "revision only", makes it CCh as in the original.
fn lan_number(context: &mut Context<'_>, byte: u8) -> Result<ChannelNumber, CompletionCode> {
    let number = context.channel_number(ChannelNumber::new(byte).ok_or(CompletionCode::INVALID_FIELD)?);
    let channels = &context.controller()?.channels;
    channels.get(number).ok_or(CompletionCode::NOT_PRESENT)?;
    channels.lan(number).ok_or(CompletionCode::INVALID_COMMAND)?;
    Ok(number)
}

fn lan<'a>(context: &'a mut Context<'_>, number: ChannelNumber) -> Result<&'a mut Lan, CompletionCode> {
    context.controller()?.channels.lan_mut(number).ok_or(CompletionCode::NOT_PRESENT)
}

/// Request: channel, parameter, set, block. Response: revision, data.
fn get_lan_parameters(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let [channel, parameter, set, block] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let number = lan_number(context, channel)?;
    let lan = self::lan(context, number)?;
    if Ipv6Parameters::has(parameter) {
        let bytes = lan.parameters.ipv6(parameter, set, block).map_err(code)?;
        response.put(&[REVISION])?;
        response.put(bytes.as_slice())?;
        return Ok(Outcome::Done);
    }
    match lan.parameters.get(parameter, set, &lan.allowed_auths).map_err(code)? {
        Read::Value(bytes) => {
            response.put(&[REVISION])?;
            response.put(bytes.as_slice())?;
            Ok(Outcome::Done)
        }
        Read::Ask(call) => Ok(Outcome::program(call, move |context, result, response| {
            // What the program does not know, or cannot tell now, is a parameter that is not
            // there: clients that print all parameters go on with the next.
            let unsupported = CompletionCode::COMMAND_SPECIFIC_80;
            let values = result.map_err(|_| unsupported)?;
            let value = *values.first().ok_or(unsupported)?;
            let parameters = &mut self::lan(context, number)?.parameters;
            let bytes = parameters.got(parameter, value).ok_or(unsupported)?;
            response.put(&[REVISION])?;
            response.put(bytes.as_slice())?;
            Ok(Outcome::Done)
        })),
    }
}

/// Request: channel, parameter, data.
fn set_lan_parameters(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let ([channel, selector], data) = request.data.split_first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let number = lan_number(context, *channel)?;
    let session = context.origin.session.map(|session| session.id);
    let mut at = context.at()?;
    if *selector == parameter::AUTH_ENABLES {
        set_auth_enables(&mut at, number, data)?;
        return Ok(Outcome::Done);
    }
    match lan_settings::set_parameter(&mut at, number, *selector, data, session).map_err(code)? {
        Written::Done => Ok(Outcome::Done),
        Written::Check(call) => {
            let source = data.first().copied().unwrap_or_default();
            Ok(Outcome::program(call, move |context, result, _| {
                result.map_err(|_| CompletionCode::INVALID_FIELD)?;
                self::lan(context, number)?.parameters.checked(source);
                Ok(Outcome::Done)
            }))
        }
        Written::Commit { call, .. } => Ok(call.map_or(Outcome::Done, |call| commit(number, call))),
    }
}

/// Sets the authentication types per level (callback, user, operator, administrator, OEM). The level OEM
/// has none.
fn set_auth_enables(at: &mut At<'_>, channel: ChannelNumber, data: &[u8]) -> Result<(), CompletionCode> {
    let read_only = CompletionCode::COMMAND_SPECIFIC_82;
    let [callback, user, operator, admin, oem] = *data.first_chunk().ok_or(read_only)?;
    if oem != 0 {
        return Err(read_only);
    }
    lan_settings::set_auths(at, channel, [callback, user, operator, admin].map(AuthTypes)).map_err(|_| read_only)
}

/// Gives a program what changed. A failure is in the log and the values stay pending; the
/// client has its 00h either way, as from the original.
fn commit(number: ChannelNumber, call: ProgramCall) -> Outcome {
    let given = call.clone();
    Outcome::program(call, move |context, result, _| {
        if result.is_ok() {
            lan(context, number)?.parameters.committed(&given);
        }
        Ok(Outcome::Done)
    })
}

/// Request: channel, bit 0 to clear them. Response: nine counters as they were before, the least
/// significant byte first: IP packets received, their header errors, address errors, fragments, IP
/// packets sent, UDP packets received, valid RMCP packets received, UDP proxy packets received and
/// dropped. There is no proxy.
fn get_statistics(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let [channel, clear] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    if clear > 1 {
        return Err(CompletionCode::INVALID_FIELD);
    }
    let number = lan_number(context, channel)?;
    let statistics = &mut lan(context, number)?.statistics;
    let Statistics { received, valid_rmcp, sent } = *statistics;
    for counter in [received, 0, 0, 0, sent, received, valid_rmcp, 0, 0] {
        response.put(&counter.to_le_bytes())?;
    }
    if clear == 1 {
        *statistics = Statistics::default();
    }
    Ok(Outcome::Done)
}

/// Number and UDP port of the channel SOL goes over: the one that asks, else the first.
fn sol_lan(context: &Context<'_>) -> (ChannelNumber, u16) {
    let asking = context.origin.session.map(|session| (context.origin.channel, session.udp_port));
    let first = || context.executing().and_then(|controller| controller.sol.as_ref()?.lan);
    asking.or_else(first).unwrap_or_default()
}

/// Request: channel (ignored), parameter, set, block. Response: revision and the parameter's data:
/// one byte, or two for parameters 3, 4 and 8 (IPMI 2.0 table 26-5).
fn get_sol_parameters(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let [_, parameter] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let (channel, port) = sol_lan(context);
    let state = context.controller()?.sol.as_ref().ok_or(CompletionCode::INVALID_COMMAND)?;
    let (first, second) = match parameter {
        sol::SET_IN_PROGRESS => (u8::from(state.set_in_progress), None),
        sol::ENABLE => (u8::from(state.enabled), None),
        sol::AUTHENTICATION => (state.access.wire(), None),
        sol::ACCUMULATE => (state.pace.accumulate, Some(state.pace.threshold)),
        sol::RETRY => (state.pace.retries, Some(state.pace.retry_interval)),
        sol::NON_VOLATILE_BIT_RATE => (state.nonvolatile_rate, None),
        sol::VOLATILE_BIT_RATE => (state.volatile_rate, None),
        sol::PAYLOAD_CHANNEL => (channel.get(), None),
        sol::PAYLOAD_PORT => {
            let [low, high] = port.to_le_bytes();
            (low, Some(high))
        }
        _ => return Err(CompletionCode::COMMAND_SPECIFIC_80),
    };
    response.put(&[REVISION, first])?;
    response.put(second.as_slice())?;
    Ok(Outcome::Done)
}

/// Request: channel (ignored), parameter, data. 80h no such parameter, 81h a set is in progress,
/// 82h SOL stays at its UDP port.
fn set_sol_parameters(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let [_, parameter, value] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    // Half a value of a parameter that the original does not have is answered as by the original.
    let second = || request.data.get(3).copied().ok_or(CompletionCode::COMMAND_SPECIFIC_80);
    let rate = value & 0x0f;
    let known_rate = sol_parameters::bits_per_second(rate).ok_or(CompletionCode::INVALID_FIELD);
    let mut at = context.at()?;
    match parameter {
        sol::SET_IN_PROGRESS => {
            let state = context.controller()?.sol.as_mut().ok_or(CompletionCode::INVALID_COMMAND)?;
            match value & 0x03 {
                1 if state.set_in_progress => return Err(CompletionCode::COMMAND_SPECIFIC_81),
                1 => state.set_in_progress = true,
                3 => return Err(CompletionCode::INVALID_FIELD),
                // Complete, or commit: what was set is set. The original rolls back at
                // "complete" and stays in progress for ever.
                _ => state.set_in_progress = false,
            }
        }
        sol::ENABLE if value & 1 != 0 => sol_parameters::enable(&mut at),
        sol::ENABLE => sol_parameters::disable(&mut at),
        sol::AUTHENTICATION => {
            let access = Access::from_wire(value).ok_or(CompletionCode::INVALID_FIELD)?;
            sol_parameters::set_access(&mut at, access);
        }
        sol::ACCUMULATE => {
            let threshold = second()?;
            sol_parameters::set_pace(&mut at, |pace| (pace.accumulate, pace.threshold) = (value, threshold));
        }
        sol::RETRY => {
            let (retries, interval) = (value & 0x07, second()?);
            sol_parameters::set_pace(&mut at, |pace| (pace.retries, pace.retry_interval) = (retries, interval));
        }
        sol::NON_VOLATILE_BIT_RATE => {
            known_rate?;
            sol_parameters::set_nonvolatile_rate(&mut at, rate);
        }
        sol::VOLATILE_BIT_RATE => {
            known_rate?;
            sol_parameters::set_volatile_rate(&mut at, rate);
        }
        // A tool that writes back what it read has its way.
        sol::PAYLOAD_PORT if u16::from_le_bytes([value, second()?]) == sol_lan(context).1 => {}
        sol::PAYLOAD_PORT => return Err(CompletionCode::COMMAND_SPECIFIC_82),
        _ => return Err(CompletionCode::COMMAND_SPECIFIC_80),
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::bmc::channel::Statistics;
    use crate::bmc::external::{ProgramFailure, Value};
    use crate::bmc::lan_parameters::LanParameters;
    use crate::bmc::{Action, StateFile};
    use crate::command::testing::{BMC, Rig, SYSTEM};
    use crate::ipmi::ChannelNumber;

    #[test]
    fn lan_parameters_are_read_as_recorded() {
        let mut rig = Rig::new();
        rig.expect(
            "0c 02 0e 00 00 -> c7
             0c 02 02 00 00 00 -> cb
             0c 02 10 00 00 00 -> cc
             0c 02 00 00 00 00 -> c1
             0c 02 0f 00 00 00 -> c1
             0c 02 8e 00 00 00 -> cc
             0c 02 81 03 00 00 -> cc
             0c 02 0e 00 00 00 -> 00 11 00
             0c 02 0e 01 00 00 -> 00 11 1f
             0c 02 0e 02 00 00 -> 00 11 17 17 17 17 00
             0c 02 0e 03 00 00 -> 00 11 00 00 00 00
             0c 02 0e 04 00 00 -> 00 11 00
             0c 02 0e 05 00 00 -> 00 11 00 00 00 00 00 00
             0c 02 0e 07 00 00 -> 00 11 00 00 00
             0c 02 0e 08 00 00 -> 80
             0c 02 0e 0f 00 00 -> 00 11 00 00 00 00 00 00
             0c 02 0e 10 01 01 -> 00 11 70 75 62 6c 69 63 00 00 00 00 00 00 00 00 00 00 00 00
             0c 02 0e 11 00 00 -> 00 11 04
             0c 02 0e 14 00 00 -> 00 11 00 00
             0c 02 0e 15 00 00 -> 00 11 00
             0c 02 0e 18 00 00 -> 00 11 44 44 44 44 44 44 44 44 44
             0c 02 0e 19 00 00 -> 80
             0c 02 0e ff 00 00 -> 80",
        );
    }

    #[test]
    fn lan_parameters_are_written_as_recorded() {
        let mut rig = Rig::new();
        rig.expect(
            "0c 01 0e 00 -> c7
             0c 01 02 00 00 -> cb
             0c 01 00 00 00 -> c1
             0c 01 0e 01 00 -> 82
             0c 01 0e 17 00 -> 82
             0c 01 0e 03 00 -> c7
             0c 01 0e 05 00 -> c7
             0c 01 0e 07 00 -> c7
             0c 01 0e 14 00 -> c7
             0c 01 0e 18 00 -> c7
             0c 01 0e 08 00 -> 80
             0c 01 0e 00 02 -> 81
             0c 01 0e 00 03 -> cc
             0c 01 0e 00 01 -> 00
             0c 01 0e 00 01 -> 81
             0c 02 0e 00 00 00 -> 00 11 01
             0c 01 0e 03 c0 a8 01 02 00 -> 00
             0c 02 0e 03 00 00 -> 00 11 c0 a8 01 02
             0c 01 0e 00 00 -> 00
             0c 02 0e 03 00 00 -> 00 11 00 00 00 00
             0c 01 0e 00 01 -> 00
             0c 01 0e 03 0a 00 00 01 -> 00
             0c 01 0e 00 02 -> 00
             0c 02 0e 00 00 00 -> 00 11 01
             0c 01 0e 00 00 -> 00
             0c 02 0e 03 00 00 -> 00 11 0a 00 00 01
             0c 01 0e 04 02 -> 00
             0c 02 0e 04 00 00 -> 00 11 02
             0c 01 0e 10 70 -> 00
             0c 01 0e 14 64 80 -> 00
             0c 02 0e 14 00 00 -> 00 11 64 80
             0c 01 0e 15 05 -> 00
             0c 02 0e 15 00 00 -> 00 11 05",
        );
        // Without a program the state file keeps them.
        assert!(!rig.machine.actions.is_empty());
        rig.machine.actions.clear();
        rig.expect("0c 01 0e 18 00 44 44 44 44 44 44 44 44 -> 00\n 0c 01 0e 00 01 -> 00\n 0c 01 0e 00 02 -> 00");
        assert_eq!(
            rig.machine.actions,
            [Action::save(StateFile::Lan { mc: BMC, channel: ChannelNumber::LAN })],
            "once"
        );
    }

    #[test]
    fn alert_destinations_and_community_can_be_set() {
        let mut rig = Rig::new();
        rig.expect(
            "0c 02 0e 12 00 00 -> 00 11 00 00 00 00
             0c 02 0e 12 04 00 -> 00 11 04 00 00 00
             0c 02 0e 12 05 00 -> cc
             0c 01 0e 12 05 00 00 00 -> cc
             0c 01 0e 12 00 -> 80
             0c 01 0e 12 02 80 05 03 -> 00
             0c 02 0e 12 02 00 -> 00 11 02 80 05 03
             0c 01 0e 13 02 00 00 c0 00 02 07 02 00 00 00 00 07 -> 00
             0c 02 0e 13 02 00 -> 00 11 02 00 00 c0 00 02 07 02 00 00 00 00 07
             0c 02 0e 13 01 00 -> 00 11 01 00 00 00 00 00 00 00 00 00 00 00 00
             0c 01 0e 11 00 -> 82
             0c 01 0e 10 61 62 -> 00
             0c 02 0e 10 00 00 -> 00 11 61 62 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00",
        );
    }

    #[test]
    fn authentication_types_can_be_narrowed_and_not_widened() {
        let mut rig = Rig::new();
        rig.expect(
            "0c 01 0e 02 17 17 17 17 00 -> 00
             0c 01 0e 02 17 17 17 1f 00 -> 82
             0c 01 0e 02 17 17 17 17 01 -> 82
             0c 01 0e 02 00 -> 82
             0c 02 0e 02 00 00 -> 00 11 17 17 17 17 00
             0c 01 0e 02 17 17 17 04 00 -> 00
             0c 02 0e 02 00 00 -> 00 11 17 17 17 04 00
             0c 01 0e 02 17 17 17 14 00 -> 00
             0c 02 0e 02 00 00 -> 00 11 17 17 17 14 00",
        );
    }

    #[test]
    fn what_a_client_sets_is_kept_when_it_says_so() {
        let save = Action::save(StateFile::Lan { mc: BMC, channel: ChannelNumber::LAN });
        let mut rig = Rig::new();
        rig.expect(
            "0c 02 0e 0a 00 00 -> 00 11 00
             0c 02 0e 0b 00 00 -> 00 11 00
             0c 02 0e 1a 00 00 -> 80
             0c 01 0e 00 01 -> 00
             0c 02 0e 1a 00 00 -> 00 11 00 00 00 00 00 00
             0c 01 0e 0a 03 -> 00
             0c 01 0e 0b 05 -> 00
             0c 01 0e 1a 01 03 06 00 0c 00 -> 00
             0c 01 0e 1a 01 03 06 00 0c -> c7
             0c 01 0e 03 c0 00 02 09 -> 00",
        );
        assert!(rig.machine.actions.is_empty(), "not committed yet");
        rig.expect("0c 01 0e 00 02 -> 00\n 0c 01 0e 00 00 -> 00");
        assert_eq!(rig.machine.actions, std::slice::from_ref(&save));
        rig.expect(
            "0c 02 0e 0a 00 00 -> 00 11 03
             0c 02 0e 0b 00 00 -> 00 11 05
             0c 02 0e 1a 00 00 -> 00 11 01 03 06 00 0c 00
             0c 02 0e 03 00 00 -> 00 11 c0 00 02 09",
        );
        // Without a lock it is kept at once.
        rig.expect("0c 01 0e 14 64 80 -> 00");
        assert_eq!(rig.machine.actions, [save.clone(), save]);
    }

    #[test]
    fn statistics_are_told_and_cleared() {
        let mut rig = Rig::new();
        let statistics =
            &mut rig.machine.ensure(BMC).channels.lan_mut(ChannelNumber::LAN).expect("channel 1").statistics;
        for datagram in 0..0x0203 {
            statistics.count_received();
            if datagram >= 2 {
                statistics.count_valid_rmcp();
            }
        }
        statistics.count_sent(1);
        rig.expect(
            "0c 04 -> c1
             0c 04 0e -> c7
             0c 04 0e 02 -> cc
             0c 04 02 00 -> cb
             0c 04 00 00 -> c1
             0c 04 0e 00 -> 00 03 02 00 00 00 00 00 00 01 00 03 02 01 02 00 00 00 00
             0c 04 0e 01 -> 00 03 02 00 00 00 00 00 00 01 00 03 02 01 02 00 00 00 00
             0c 04 01 00 -> 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00",
        );
        assert!(rig.machine.actions.is_empty(), "counters are of this life");
    }

    #[test]
    fn a_counter_stays_at_its_highest_value() {
        let mut statistics = Statistics { received: 0xfffe, ..Statistics::default() };
        for _ in 0..3 {
            statistics.count_received();
            statistics.count_valid_rmcp();
        }
        assert_eq!((statistics.received, statistics.valid_rmcp), (0xffff, 3));
    }

    #[test]
    fn ipv6_parameters_are_read_and_set_and_rolled_back() {
        let mut rig = Rig::new();
        rig.expect(
            "0c 02 0e 31 00 00 -> 80
             0c 02 0e 32 00 00 -> 00 11 03
             0c 02 0e 33 00 00 -> 00 11 00
             0c 02 0e 37 00 00 -> 00 11 04 00 00
             0c 02 0e 38 00 00 -> 00 11 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01
             0c 02 0e 38 04 00 -> c9
             0c 02 0e 3b 00 00 -> c9
             0c 02 0e 51 00 00 -> 80
             0c 01 0e 32 03 -> 82
             0c 01 0e 37 00 00 00 -> 82
             0c 01 0e 3b 00 -> 82
             0c 01 0e 33 03 -> cc
             0c 01 0e 38 04 80 -> c9
             0c 01 0e 38 00 80 -> c7
             0c 01 0e 51 00 -> 80
             0c 01 0e 00 01 -> 00
             0c 01 0e 33 02 -> 00
             0c 02 0e 33 00 00 -> 00 11 02
             0c 01 0e 00 00 -> 00
             0c 02 0e 33 00 00 -> 00 11 00",
        );
        assert!(rig.machine.actions.is_empty());
        rig.expect(
            "0c 01 0e 38 00 80 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 07 40 00 -> 00
             0c 02 0e 38 00 00 -> 00 11 00 80 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 07 40 00",
        );
        assert_eq!(rig.machine.actions, [Action::save(StateFile::Lan { mc: BMC, channel: ChannelNumber::LAN })]);
    }

    fn with_program() -> Rig {
        let mut rig = Rig::new();
        let lan = rig.machine.ensure(BMC).channels.lan_mut(ChannelNumber::LAN).expect("channel 1");
        lan.parameters = LanParameters::new(Some("prog".into()));
        rig
    }

    #[test]
    fn a_program_is_asked_told_and_its_failures_are_answered() {
        let mut rig = with_program();
        rig.script = Box::new(|line| match line {
            "get ip_addr" => Ok(vec![Value::Ip([10, 1, 2, 3])]),
            "get mac_addr" => Ok(Vec::new()),
            "check ip_addr_src 2" | "set ip_addr [1, 2, 3, 4] ip_addr_src 2" => Ok(Vec::new()),
            _ => Err(ProgramFailure),
        });
        rig.expect(
            "0c 02 0e 03 00 00 -> 00 11 0a 01 02 03
             0c 02 0e 05 00 00 -> 80
             0c 02 0e 06 00 00 -> 80
             0c 01 0e 00 01 -> 00
             0c 01 0e 04 02 -> 00
             0c 01 0e 04 01 -> cc
             0c 01 0e 04 05 -> cc
             0c 01 0e 03 01 02 03 04 -> 00
             0c 01 0e 00 02 -> 00
             0c 01 0e 00 02 -> 00
             0c 01 0e 00 00 -> 00",
        );
        let wanted = [
            "get ip_addr",
            "get mac_addr",
            "get subnet_mask",
            "check ip_addr_src 2",
            "check ip_addr_src 1",
            "set ip_addr [1, 2, 3, 4] ip_addr_src 2",
        ];
        assert_eq!(rig.calls, wanted);
    }

    #[test]
    fn a_failed_commit_is_answered_00_and_tried_again() {
        let mut rig = with_program();
        rig.expect(
            "0c 01 0e 00 01 -> 00\n 0c 01 0e 03 01 02 03 04 -> 00\n 0c 01 0e 00 02 -> 00\n 0c 01 0e 00 02 -> 00",
        );
        assert_eq!(rig.calls, ["set ip_addr [1, 2, 3, 4]"; 2]);
    }

    #[test]
    fn sol_parameters_are_as_recorded() {
        let mut rig = Rig::new();
        rig.expect(
            "0c 22 0e 00 00 -> c7
             0c 22 0e 00 00 00 -> 00 11 00
             0c 22 ff 01 00 00 -> 00 11 01
             0c 22 0e 05 00 00 -> 00 11 00
             0c 22 0e 09 00 00 -> 80
             0c 21 0e 00 -> c7
             0c 21 0e 05 05 -> cc
             0c 21 0e 06 0b -> cc
             0c 21 0e 00 03 -> cc
             0c 21 0e 00 01 -> 00
             0c 21 0e 00 01 -> 81
             0c 22 0e 00 00 00 -> 00 11 01
             0c 21 0e 05 07 -> 00
             0c 22 0e 05 00 00 -> 00 11 07
             0c 21 0e 00 02 -> 00
             0c 22 0e 00 00 00 -> 00 11 00
             0c 21 0e 06 f8 -> 00
             0c 22 0e 06 00 00 -> 00 11 08
             0c 21 0e 01 03 -> 00
             0c 22 0e 01 00 00 -> 00 11 01",
        );
        let save = Action::save(StateFile::Sol(BMC));
        let rate = Action::SolBitRate { mc: BMC, bits_per_second: 38400 };
        assert_eq!(rig.machine.actions, [save.clone(), rate, save]);
    }

    /// The original has neither of these.
    #[test]
    fn sol_access_pace_and_place_are_parameters_too() {
        let mut rig = Rig::new();
        rig.expect(
            "0c 22 0e 02 00 00 -> 00 11 02
             0c 22 0e 03 00 00 -> 00 11 01 01
             0c 22 0e 04 00 00 -> 00 11 05 64
             0c 22 0e 07 00 00 -> 00 11 01
             0c 22 0e 08 00 00 -> 00 11 87 5e
             0c 21 0e 02 01 -> cc
             0c 21 0e 02 06 -> cc
             0c 21 0e 03 08 -> 80
             0c 21 0e 04 07 -> 80
             0c 21 0e 07 01 -> 80
             0c 21 0e 08 87 -> 80
             0c 21 0e 08 6f 02 -> 82
             0c 21 0e 08 87 5e -> 00",
        );
        assert!(rig.machine.actions.is_empty());
        rig.expect(
            "0c 21 0e 02 f4 -> 00
             0c 22 0e 02 00 00 -> 00 11 c4
             0c 21 0e 03 0c 50 -> 00
             0c 22 0e 03 00 00 -> 00 11 0c 50
             0c 21 0e 04 ff 32 -> 00
             0c 22 0e 04 00 00 -> 00 11 07 32",
        );
        let save = Action::save(StateFile::Sol(BMC));
        let timing = Action::SolTiming { mc: BMC };
        assert_eq!(rig.machine.actions, [save.clone(), timing.clone(), save.clone(), timing, save]);
        // Over the system interface there is no channel to speak of until one is open.
        rig.origin = SYSTEM;
        rig.expect("0c 22 0f 07 00 00 -> 00 11 00");
        rig.machine.ensure(BMC).sol.as_mut().expect("SOL").lan = Some((ChannelNumber::LAN, 623));
        rig.expect("0c 22 0f 07 00 00 -> 00 11 01\n 0c 22 0f 08 00 00 -> 00 11 6f 02");
    }

    /// The original rolls back and stays in progress.
    #[test]
    fn sol_set_complete_completes() {
        let mut rig = Rig::new();
        rig.expect(
            "0c 21 0e 00 01 -> 00
             0c 21 0e 05 07 -> 00
             0c 21 0e 00 00 -> 00
             0c 22 0e 05 00 00 -> 00 11 07
             0c 22 0e 00 00 00 -> 00 11 00",
        );
    }
}
