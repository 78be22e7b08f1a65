//! Channel commands, IPMI 2.0 sections 22.22 to 22.24.

use crate::bmc::lan_settings::{self, AccessChange, KeyError, NoLan, Storage};
use crate::bmc::security_key::Locked;
use crate::command::{Context, Outcome};
use crate::ipmi::{ChannelNumber, CompletionCode, Privilege, Request, Response};

/// Access mode "always available", per-message and user-level authentication on.
const ACCESS_MODE: u8 = 0x02;

/// The PEF alerting bit of an access byte.
const PEF_ALERTING: u8 = 0x20;

/// Bits 7-6 of an access byte.
const NO_CHANGE: u8 = 0;
const NON_VOLATILE: u8 = 1;
const VOLATILE: u8 = 2;

/// Where an access byte wants its setting; `None` leaves it as it is.
fn storage(byte: u8) -> Result<Option<Storage>, CompletionCode> {
    match byte >> 6 {
        NO_CHANGE => Ok(None),
        NON_VOLATILE => Ok(Some(Storage::NonVolatile)),
        VOLATILE => Ok(Some(Storage::Volatile)),
        _ => Err(CompletionCode::INVALID_FIELD),
    }
}

/// The channel of a request that compares the whole byte: what is above 15 is CCh.
fn number(context: &Context<'_>, byte: u8) -> Result<ChannelNumber, CompletionCode> {
    Ok(context.channel_number(ChannelNumber::new(byte).ok_or(CompletionCode::INVALID_FIELD)?))
}

/// Request: channel. Response: channel, medium, protocol, session support and number of
/// active sessions, vendor id (3), auxiliary (2).
pub(super) fn get_info(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let number = number(context, *request.data.first().ok_or(CompletionCode::INVALID_LENGTH)?)?;
    let channel = context.controller()?.channels.get(number).ok_or(CompletionCode::NOT_PRESENT)?;
    response.put(&[number.get(), channel.medium, channel.protocol, channel.sessions()])?;
    // The IPMI forum's enterprise number 7154, as for every standard protocol.
    response.put(&[0xf2, 0x1b, 0x00, 0x00, 0x00])?;
    Ok(Outcome::Done)
}

/// Request: channel, which (bits 7-6). Response: access mode with the PEF alerting bit,
/// privilege limit. An absent channel is CCh.
pub(super) fn get_access(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
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
    response.put(&[if pef { PEF_ALERTING } else { 0 } | ACCESS_MODE, limit.map_or(0, Privilege::wire)])?;
    Ok(Outcome::Done)
}

/// Request: channel, access (bits 7-6 which, 4 per-message authentication off, 3
/// user-level authentication off, 2-0 mode), privilege limit (bits 7-6 which).
pub(super) fn set_access(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let [channel, access, limit] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let number = number(context, channel)?;
    let channels = &context.controller()?.channels;
    channels.get(number).ok_or(CompletionCode::NOT_PRESENT)?;
    channels.lan(number).ok_or(CompletionCode::INVALID_COMMAND)?;
    let pef_alerting = match storage(access)? {
        Some(_) if access & 0x1f != ACCESS_MODE => return Err(CompletionCode::COMMAND_SPECIFIC_83),
        storage => storage.map(|storage| (storage, access & PEF_ALERTING != 0)),
    };
    let limit = match storage(limit)? {
        Some(storage) => Some((storage, Privilege::from_wire(limit & 0x0f).ok_or(CompletionCode::INVALID_FIELD)?)),
        None => None,
    };
    let change = AccessChange { limit, pef_alerting };
    lan_settings::set_access(&mut context.at()?, number, change).map_err(|NoLan| CompletionCode::INVALID_COMMAND)?;
    Ok(Outcome::Done)
}

/// Lock status of Set Channel Security Keys.
const LOCKED: u8 = 1;
const UNLOCKED: u8 = 2;
/// Key ids of Set Channel Security Keys.
const K_R: u8 = 0;
const K_G: u8 = 1;
/// Codes of Set Channel Security Keys: the key is locked, too few bytes, too many, there is no K_R.
const KEY_LOCKED: CompletionCode = CompletionCode(0x80);
const KEY_TOO_SHORT: CompletionCode = CompletionCode(0x81);
const KEY_TOO_LONG: CompletionCode = CompletionCode(0x82);
const NO_K_R: CompletionCode = CompletionCode(0x84);

fn key_code(error: KeyError) -> CompletionCode {
    match error {
        KeyError::NoLan => CompletionCode::INVALID_FIELD,
        KeyError::Locked => KEY_LOCKED,
    }
}

/// Set Channel Security Keys, IPMI 2.0 section 22.25. Request: channel, operation (0 read, 1 set, 2 lock), key
/// (0 K_R, 1 K_G), its 20 bytes (only to set it). Response: lock status, the key (only when it is read).
///
/// K_R does not exist: random numbers come from the system's generator. A K_G of zeros is none. It holds
/// for logins from now on; a lock can be taken back by nobody but the owner of the state directory.
pub(super) fn security_keys(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (&[channel, operation, id], value) = request.data.split_first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let number = number(context, channel & 0x0f)?;
    context.controller()?.channels.lan(number).ok_or(CompletionCode::INVALID_FIELD)?;
    let operation = operation & 0x03;
    match id {
        _ if operation == 3 => return Err(CompletionCode::INVALID_FIELD),
        K_R => return Err(NO_K_R),
        K_G => {}
        _ => return Err(CompletionCode::INVALID_FIELD),
    }
    let mut at = context.at()?;
    let key = &at.channels.lan(number).ok_or(CompletionCode::INVALID_FIELD)?.key;
    match operation {
        0 => {
            let value = key.read().map_err(|Locked| KEY_LOCKED)?;
            response.put(&[UNLOCKED])?;
            response.put(value)?;
        }
        1 => {
            if key.is_locked() {
                return Err(KEY_LOCKED);
            }
            let value = value.try_into().map_err(|_| if value.len() < 20 { KEY_TOO_SHORT } else { KEY_TOO_LONG })?;
            lan_settings::set_key(&mut at, number, value).map_err(key_code)?;
            response.put(&[UNLOCKED])?;
        }
        _ => {
            lan_settings::lock_key(&mut at, number).map_err(key_code)?;
            response.put(&[LOCKED])?;
        }
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::bmc::channel::Channel;
    use crate::bmc::{Action, StateFile};
    use crate::command::testing::{BMC, Rig, SATELLITE, SYSTEM};
    use crate::ipmi::ChannelNumber;

    #[test]
    fn k_g_is_read_set_and_locked() {
        let mut rig = Rig::new();
        rig.expect(
            "06 56 -> c1
             06 56 01 00 -> c1
             06 56 02 00 01 -> cc
             06 56 0f 00 01 -> cc
             06 56 01 03 01 -> cc
             06 56 01 00 02 -> cc
             06 56 01 00 00 -> 84
             06 56 01 01 00 6b 65 79 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 -> 84
             06 56 01 02 00 -> 84
             06 56 01 00 01 -> 00 02 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
             06 56 0e 00 01 -> 00 02 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
             06 56 01 01 01 -> 81
             06 56 01 01 01 6b 65 79 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 -> 81
             06 56 01 01 01 6b 65 79 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 -> 82",
        );
        assert!(rig.machine.actions.is_empty());
        rig.expect(
            "06 56 01 01 01 6b 65 79 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 -> 00 02
             06 56 01 00 01 -> 00 02 6b 65 79 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
             06 56 01 01 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 -> 00 02
             06 56 01 00 01 -> 00 02 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
             06 56 01 01 01 6b 65 79 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 -> 00 02
             06 56 01 02 01 -> 00 01
             06 56 01 00 01 -> 80
             06 56 01 01 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 -> 80
             06 56 01 01 01 -> 80
             06 56 01 02 01 -> 00 01",
        );
        let file = StateFile::Lan { mc: BMC, channel: ChannelNumber::LAN };
        assert!(rig.machine.actions.iter().all(|action| *action == Action::save(file)));
        let channels = &rig.machine.ensure(BMC).channels;
        assert_eq!(
            channels.lan(ChannelNumber::LAN).and_then(|lan| lan.key.in_use()),
            Some(b"key\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
        );
    }

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
        rig.machine.ensure(BMC).channels.set(ChannelNumber::SYSTEM_INTERFACE, Channel::system_interface());
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
        assert_eq!(rig.machine.actions, [Action::save(StateFile::Lan { mc: BMC, channel: ChannelNumber::LAN })]);
    }

    #[test]
    fn the_alerting_bit_is_set_and_the_lasting_one_is_kept() {
        let mut rig = Rig::new();
        rig.expect("06 40 0e a2 00 -> 00\n 06 41 0e 80 -> 00 22 04\n 06 41 0e 40 -> 00 02 04");
        assert!(rig.machine.actions.is_empty());
        rig.expect("06 40 0e 82 00 -> 00\n 06 40 0e 62 00 -> 00\n 06 40 0e 62 00 -> 00");
        rig.expect("06 41 0e 80 -> 00 02 04\n 06 41 0e 40 -> 00 22 04");
        assert_eq!(rig.machine.actions, [Action::save(StateFile::Lan { mc: BMC, channel: ChannelNumber::LAN })]);
    }
}
