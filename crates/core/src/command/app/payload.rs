//! Payload commands, IPMI 2.0 chapter 24; the only payload that is activated is SOL.

use crate::bmc::sol_parameters::{self, ActivationError, INSTANCE_HISTORY, INSTANCE_PORT};
use crate::bmc::{At, user};
use crate::command::{Context, Outcome, has_sol};
use crate::ipmi::{ChannelNumber, CompletionCode, Request, Response, SessionId, UserNumber};

/// Payload type "IPMI message".
const TYPE_IPMI: u8 = 0;
/// Payload type "SOL".
const TYPE_SOL: u8 = 1;
/// Format version 1.0 of both payloads.
const FORMAT_VERSION: u8 = 0x10;

/// Most bytes of a SOL payload from the console that [`activate`] announces: what fits a
/// datagram of the original's size with room to spare.
const INBOUND_SIZE: u16 = 250;
/// Most bytes of a SOL payload to the console: header and 255 characters. freeipmi takes
/// no more.
const OUTBOUND_SIZE: u16 = 259;
/// Both sizes of the history instance.
const HISTORY_SIZE: u16 = 64;

/// "No VLAN" of Activate Payload.
const NO_VLAN: [u8; 2] = [0xff, 0xff];

/// First byte of Get Channel Payload Support. The original counts from bit 1 where the
/// specification counts from bit 0, and so do we: bit 1, which clients look at, is set.
const SUPPORT_IPMI: u8 = 0x02;
const SUPPORT_SOL: u8 = 0x04;

/// Bit of SOL in the first enables byte of Get and Set User Payload Access.
const ENABLE_SOL: u8 = 1 << TYPE_SOL;

/// Whether the controller has SOL and the channel the request came in on has sessions.
pub(super) fn over_lan(context: &Context<'_>) -> bool {
    has_sol(context) && context.controller_is(|controller| controller.channels.lan(context.origin.channel).is_some())
}

/// Whether the request came directly in a session that could carry SOL.
pub(super) fn in_session(context: &Context<'_>) -> bool {
    over_lan(context) && context.origin.session.is_some() && !context.origin.bridged
}

/// Payload type and instance of Activate and Deactivate Payload; their upper bits are
/// ignored, another type than SOL is CCh.
fn sol_instance(request: &Request<'_>) -> Result<u8, CompletionCode> {
    let [payload, instance] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    if payload & 0x0f != TYPE_SOL {
        return Err(CompletionCode::INVALID_FIELD);
    }
    Ok(instance & 0x0f)
}

/// Request: type, instance, auxiliary (4). Response: auxiliary (4), inbound size (2),
/// outbound size (2), UDP port (2), VLAN (2).
///
/// 80h active already, 81h SOL is disabled or the user may not use it, 84h the session has not
/// the protection that SOL parameter 2 demands, C0h the session carries SOL of another controller,
/// D4h the session has not the privilege level of that parameter, D5h it is an IPMI 1.5 session.
///
/// SOL is protected as the session is, whatever the auxiliary bits 7 and 6 ask for.
pub(super) fn activate(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let instance = sol_instance(request)?;
    let auxiliary = request.data.get(2).copied().unwrap_or_default();
    let session = context.origin.session.ok_or(CompletionCode::INVALID_COMMAND)?;
    if !session.rmcp_plus {
        return Err(CompletionCode::NOT_IN_PRESENT_STATE);
    }
    let access = context.controller()?.sol.as_ref().ok_or(CompletionCode::INVALID_COMMAND)?.access;
    if context.controller()?.users.get(session.user).is_some_and(|user| !user.sol_access) {
        return Err(CompletionCode::COMMAND_SPECIFIC_81);
    }
    if !context.origin.privilege.is_none_or(|privilege| access.admits(privilege)) {
        return Err(CompletionCode::INSUFFICIENT_PRIVILEGE);
    }
    if access.force_encryption && !session.encrypted || access.force_authentication && !session.authenticated {
        return Err(CompletionCode::COMMAND_SPECIFIC_84);
    }
    sol_parameters::activate(&mut context.at()?, instance, session.id, auxiliary).map_err(|error| match error {
        ActivationError::NoInstance => CompletionCode::INVALID_FIELD,
        ActivationError::Disabled => CompletionCode::COMMAND_SPECIFIC_81,
        ActivationError::Active => CompletionCode::COMMAND_SPECIFIC_80,
        ActivationError::SessionBusy => CompletionCode::NODE_BUSY,
    })?;
    let (inbound, outbound) =
        if instance == INSTANCE_PORT { (INBOUND_SIZE, OUTBOUND_SIZE) } else { (HISTORY_SIZE, HISTORY_SIZE) };
    response.put(&[0; 4])?;
    for number in [inbound, outbound, session.udp_port] {
        response.put(&number.to_le_bytes())?;
    }
    response.put(&NO_VLAN)?;
    Ok(Outcome::Done)
}

/// Request: type, instance, auxiliary (4). Who may activate may also deactivate, whoever
/// activated: `ipmitool sol deactivate` stands on it. D4h to others.
pub(super) fn deactivate(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let instance = sol_instance(request)?;
    if !matches!(instance, INSTANCE_PORT | INSTANCE_HISTORY) {
        return Err(CompletionCode::INVALID_FIELD);
    }
    let (by, privilege) = (context.origin.session.map(|session| session.id), context.origin.privilege);
    let sol = context.controller()?.sol.as_ref().ok_or(CompletionCode::INVALID_COMMAND)?;
    let own = by.is_some() && sol.owner(instance) == by;
    if !own && !privilege.is_none_or(|privilege| sol.access.admits(privilege)) {
        return Err(CompletionCode::INSUFFICIENT_PRIVILEGE);
    }
    sol_parameters::deactivate(&mut context.at()?, instance, by).map_err(|_| CompletionCode::COMMAND_SPECIFIC_80)?;
    Ok(Outcome::Done)
}

/// Request: type. Response: capacity, active instances (2); the history is not shown.
pub(super) fn get_activation_status(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let payload = *request.data.first().ok_or(CompletionCode::INVALID_LENGTH)?;
    let sol = context.controller()?.sol.as_ref().ok_or(CompletionCode::INVALID_COMMAND)?;
    if payload & 0x0f == TYPE_SOL {
        response.put(&[1, u8::from(sol.owner(INSTANCE_PORT).is_some()), 0])?;
    } else {
        response.put(&[0; 3])?;
    }
    Ok(Outcome::Done)
}

/// Request: type, instance. Response: session id (4, 0 when inactive), port number, 7 bytes.
pub(super) fn get_instance_info(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    // The original looks at the length before it looks whether there is SOL at all.
    if !over_lan(context) {
        return Err(CompletionCode::INVALID_COMMAND);
    }
    let [payload, instance] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    if payload & 0x0f != TYPE_SOL || instance != INSTANCE_PORT {
        return Err(CompletionCode::INVALID_FIELD);
    }
    let sol = context.controller()?.sol.as_ref().ok_or(CompletionCode::INVALID_COMMAND)?;
    response.put(&sol.owner(INSTANCE_PORT).unwrap_or(SessionId::NONE).to_le_bytes())?;
    response.put(&[1, 0, 0, 0, 0, 0, 0, 0])?;
    Ok(Outcome::Done)
}

/// Request: channel, operation and user (bits 7-6: 0 enable, 1 disable), enables (4).
pub(super) fn set_user_access(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let [_, operation, standard] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let set: fn(&mut At<'_>, _) = match operation >> 6 {
        0 => user::allow_sol,
        1 => user::refuse_sol,
        _ => return Err(CompletionCode::INVALID_FIELD),
    };
    let number = UserNumber::from_wire(operation).ok_or(CompletionCode::INVALID_FIELD)?;
    context.controller()?.users.get(number).ok_or(CompletionCode::INVALID_FIELD)?;
    if standard & ENABLE_SOL != 0 {
        set(&mut context.at()?, number);
    }
    Ok(Outcome::Done)
}

/// Request: channel, user. Response: enables (4).
pub(super) fn get_user_access(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let [_, user] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let number = UserNumber::from_wire(user).ok_or(CompletionCode::INVALID_FIELD)?;
    let user = context.controller()?.users.get(number).ok_or(CompletionCode::INVALID_FIELD)?;
    response.put(&[if user.sol_access { ENABLE_SOL } else { 0 }, 0, 0, 0])?;
    Ok(Outcome::Done)
}

/// Whether the channel that the low half of a byte names is a LAN channel; an absent one
/// is CBh.
fn is_lan(context: &mut Context<'_>, byte: u8) -> Result<bool, CompletionCode> {
    let number = context.channel_number(ChannelNumber::from_wire(byte));
    let channels = &context.controller()?.channels;
    channels.get(number).ok_or(CompletionCode::NOT_PRESENT)?;
    Ok(channels.lan(number).is_some())
}

/// Request: channel. Response: supported payload types (8), see [`SUPPORT_SOL`].
pub(super) fn get_channel_support(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let lan = is_lan(context, *request.data.first().ok_or(CompletionCode::INVALID_LENGTH)?)?;
    let sol = if lan && has_sol(context) { SUPPORT_SOL } else { 0 };
    response.put(&[SUPPORT_IPMI | sol, 0, 0, 0, 0, 0, 0, 0])?;
    Ok(Outcome::Done)
}

/// Request: channel, type. Response: format version; 80h when the channel does not carry
/// the payload.
pub(super) fn get_channel_version(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let [channel, payload] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let lan = is_lan(context, channel)?;
    match payload & 0x3f {
        TYPE_IPMI => {}
        TYPE_SOL if lan && has_sol(context) => {}
        _ => return Err(CompletionCode::COMMAND_SPECIFIC_80),
    }
    response.put(&[FORMAT_VERSION])?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::bmc::Action;
    use crate::bmc::sol_parameters::Sol;
    use crate::command::testing::{BMC, LAN, Rig, SATELLITE, SYSTEM};
    use crate::ipmi::{Privilege, SessionId};

    #[test]
    fn refusals_are_as_recorded() {
        let mut rig = Rig::new();
        rig.expect(
            "06 4a -> c7
             06 4a 01 -> 00 01 00 00
             06 4a 02 -> 00 00 00 00
             06 4a 11 -> 00 01 00 00
             06 4b 01 -> c7
             06 4b 01 01 -> 00 00 00 00 00 01 00 00 00 00 00 00 00
             06 4b 01 00 -> cc
             06 4b 01 02 -> cc
             06 4b 00 01 -> cc
             06 4b 11 01 -> 00 00 00 00 00 01 00 00 00 00 00 00 00
             06 48 01 01 00 00 00 -> c7
             06 48 00 01 00 00 00 00 -> cc
             06 48 01 00 00 00 00 00 -> cc
             06 48 01 02 00 00 00 00 -> cc
             06 48 01 0f 00 00 00 00 -> cc
             06 49 01 -> c7
             06 49 00 01 00 00 00 00 -> cc
             06 49 01 00 00 00 00 00 -> cc
             06 49 01 01 00 00 00 00 -> 80
             06 49 01 02 00 00 00 00 -> 80
             06 49 01 03 00 00 00 00 -> cc",
        );
    }

    #[test]
    fn payload_support_resolves_this_channel_and_survives_absent_ones() {
        let mut rig = Rig::new();
        rig.expect(
            "06 4e -> c7
             06 4e 01 -> 00 06 00 00 00 00 00 00 00
             06 4e 0e -> 00 06 00 00 00 00 00 00 00
             06 4e 11 -> 00 06 00 00 00 00 00 00 00
             06 4e 00 -> 00 02 00 00 00 00 00 00 00
             06 4e 0f -> 00 02 00 00 00 00 00 00 00
             06 4e 02 -> cb
             06 4f 0e 01 -> 00 10
             06 4f 00 01 -> 80
             06 4f 00 00 -> 00 10
             06 4f 02 00 -> cb",
        );
        rig.mc = SATELLITE;
        rig.expect("06 4e 0e -> cb\n 06 4a 01 -> c1\n 06 4b 01 01 -> c1\n 06 48 -> c1");
    }

    #[test]
    fn one_session_at_a_time_and_anybody_may_end_it() {
        let mut rig = Rig::new();
        rig.expect(
            "06 48 01 01 03 00 00 00 -> 00 00 00 00 00 fa 00 03 01 87 5e ff ff
             06 48 01 01 00 00 00 00 -> 80
             06 4a 01 -> 00 01 01 00
             06 4b 01 01 -> 00 03 04 01 02 01 00 00 00 00 00 00 00",
        );
        let activated = Action::SolActivated { mc: BMC, instance: 1, session: SessionId(0x0201_0403), auxiliary: 3 };
        assert_eq!(rig.machine.actions, [activated]);
        if let Some(session) = &mut rig.origin.session {
            session.id = SessionId(99);
        }
        rig.expect("06 49 01 01 00 00 00 00 -> 00\n 06 49 01 01 00 00 00 00 -> 80\n 06 4a 01 -> 00 01 00 00");
    }

    #[test]
    fn the_history_is_instance_2_with_its_own_sizes() {
        let mut rig = Rig::new();
        rig.machine.ensure(BMC).sol = Some(Sol::new(4096));
        rig.expect(
            "06 48 01 02 00 00 00 00 -> 00 00 00 00 00 40 00 40 00 87 5e ff ff
             06 4a 01 -> 00 01 00 00
             06 49 01 02 00 00 00 00 -> 00",
        );
    }

    #[test]
    fn sol_can_be_disabled_for_all_and_for_a_user() {
        let mut rig = Rig::new();
        rig.expect(
            "06 4d 0e 02 -> 00 02 00 00 00
             06 4c 0e 42 02 00 00 00 -> 00
             06 4d 0e 02 -> 00 00 00 00 00
             06 48 01 01 00 00 00 00 -> 81
             06 4c 0e 02 02 00 00 00 -> 00
             06 4c 0e 00 02 00 00 00 -> cc
             0c 21 0e 01 00 -> 00
             06 48 01 01 00 00 00 00 -> 81
             06 48 01 0f 00 00 00 00 -> 81
             0c 21 0e 01 01 -> 00",
        );
        assert!(rig.ask("06 48 01 01 00 00 00 00").starts_with("00 "));
    }

    #[test]
    fn sol_asks_for_privilege_and_protection() {
        let mut rig = Rig::new();
        let privilege = |rig: &mut Rig, level| rig.origin.privilege = Some(level);
        privilege(&mut rig, Privilege::Callback);
        rig.expect("06 48 01 01 00 00 00 00 -> d4");
        privilege(&mut rig, Privilege::User);
        assert!(rig.ask("06 48 01 01 00 00 00 00").starts_with("00 "));
        // Nobody below throws the holder out.
        privilege(&mut rig, Privilege::Callback);
        let holder = rig.origin.session;
        if let Some(session) = &mut rig.origin.session {
            session.id = SessionId(99);
        }
        rig.expect("06 49 01 01 00 00 00 00 -> d4\n 06 4a 01 -> 00 01 01 00");
        rig.origin.session = holder;
        privilege(&mut rig, Privilege::User);
        rig.expect("06 49 01 01 00 00 00 00 -> 00");
        privilege(&mut rig, Privilege::Administrator);
        rig.expect("0c 21 0e 02 04 -> 00");
        privilege(&mut rig, Privilege::Operator);
        rig.expect("06 48 01 01 00 00 00 00 -> d4");
        privilege(&mut rig, Privilege::Administrator);
        for (parameter, encrypted, authenticated, admitted) in [
            ("82", false, true, false),
            ("82", true, true, true),
            ("42", false, false, false),
            ("42", false, true, true),
            ("c2", false, true, false),
            ("02", false, false, true),
        ] {
            rig.expect(&format!("0c 21 0e 02 {parameter} -> 00"));
            if let Some(session) = &mut rig.origin.session {
                (session.encrypted, session.authenticated) = (encrypted, authenticated);
            }
            // What the client wishes in its auxiliary byte does not matter.
            let response = rig.ask("06 48 01 01 c6 00 00 00");
            if admitted {
                assert!(response.starts_with("00 "), "{parameter}");
                rig.expect("06 49 01 01 00 00 00 00 -> 00");
            } else {
                assert_eq!(response, "84", "{parameter}");
            }
        }
    }

    #[test]
    fn there_is_no_sol_without_sol_a_session_or_rmcp_plus() {
        let mut rig = Rig::new();
        rig.origin = SYSTEM;
        rig.expect(
            "06 48 -> c1\n 06 4a -> c1\n 06 4b -> c7\n 06 4b 01 01 -> c1\n 06 4e 01 -> 00 06 00 00 00 00 00 00 00",
        );
        rig.origin = LAN;
        if let Some(session) = &mut rig.origin.session {
            session.rmcp_plus = false;
        }
        rig.expect("06 48 01 01 00 00 00 00 -> d5");
        rig.origin = LAN;
        rig.machine.ensure(BMC).sol = None;
        rig.expect(
            "06 48 -> c1\n 06 49 -> c1\n 06 4a -> c1\n 06 4b 01 01 -> c1\n 06 4d 0e 02 -> c1\n 0c 21 -> c1\n 0c 22 -> c1
             06 4e 01 -> 00 02 00 00 00 00 00 00 00\n 06 4f 01 01 -> 80",
        );
    }
}
