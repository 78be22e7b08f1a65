//! User commands, IPMI 2.0 sections 22.26 to 22.30. The channel number in these requests
//! is ignored: users are the controller's, on all its channels.

use zeroize::Zeroizing;

use crate::bmc::user::{self, Access, AccessFlags, Limit, PasswordMismatch, PasswordSize, Status};
use crate::command::{Context, Outcome};
use crate::ipmi::{CompletionCode, Request, Response, UserNumber};

/// Bit 7 of the first byte of Set User Access: the flags are to change.
const CHANGE_FLAGS: u8 = 0x80;
/// Flags of Set and Get User Access.
const CALLBACK_ONLY: u8 = 0x40;
const LINK_AUTH: u8 = 0x20;
const IPMI_MESSAGING: u8 = 0x10;

/// User ID enable status of Get User Access, bits 7-6 beside the number of users.
const ENABLED: u8 = 0x40;
const DISABLED: u8 = 0x80;

/// User number from 1 to the highest, 63 or fewer, from the low six bits; others are CCh.
fn number(context: &mut Context<'_>, byte: u8) -> Result<UserNumber, CompletionCode> {
    let highest = context.controller()?.users.highest;
    UserNumber::from_wire(byte).filter(|number| *number <= highest).ok_or(CompletionCode::INVALID_FIELD)
}

/// The number of a user whose name is not fixed.
fn named(context: &mut Context<'_>, byte: u8) -> Result<UserNumber, CompletionCode> {
    match number(context, byte)? {
        UserNumber::NULL => Err(CompletionCode::INVALID_FIELD),
        number => Ok(number),
    }
}

/// Request: flags, user, privilege limit, session limit (optional).
pub(super) fn set_access(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let [flags, user, limit] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let number = number(context, user)?;
    let privilege = match Limit::from_wire(limit & 0x0f) {
        Limit::Unset | Limit::Reserved(_) => return Err(CompletionCode::INVALID_FIELD),
        limit => limit,
    };
    let flags = (flags & CHANGE_FLAGS != 0).then_some(AccessFlags {
        messaging: flags & IPMI_MESSAGING != 0,
        link_auth: flags & LINK_AUTH != 0,
        callback_only: flags & CALLBACK_ONLY != 0,
    });
    let max_sessions = request.data.get(3).map(|byte| byte & 0x0f);
    user::set_access(&mut context.at()?, number, Access { flags, privilege, max_sessions });
    Ok(Outcome::Done)
}

/// Request: channel, user. Response: highest user number, enable status with the number of enabled
/// users, number of fixed names, flags with the privilege limit.
pub(super) fn get_access(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let [_, user] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let number = number(context, user)?;
    let users = &context.controller()?.users;
    let user = users.get(number).ok_or(CompletionCode::INVALID_FIELD)?;
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    // A user nobody has described has no level; the original says 0, which is reserved, and
    // freeipmi's ipmi-config cannot read what it wrote down itself.
    let privilege = match (user.privilege, users.status) {
        (Limit::Unset, Status::Told) => Limit::NoAccess,
        (limit, _) => limit,
    };
    let flags = flag(user.callback_only, CALLBACK_ONLY)
        | flag(user.link_auth, LINK_AUTH)
        | flag(user.messaging == Some(true), IPMI_MESSAGING)
        | privilege.wire() & 0x0f;
    let status = match users.status {
        Status::Told if user.enabled => ENABLED,
        Status::Told => DISABLED,
        Status::Untold => 0,
    };
    response.put(&[
        users.highest.get(),
        status | users.enabled(),
        u8::from(users.valid(UserNumber::NULL).is_some()),
        flags,
    ])?;
    Ok(Outcome::Done)
}

/// Request: user, name (16).
pub(super) fn set_name(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (user, name) = request.data.split_first().ok_or(CompletionCode::INVALID_LENGTH)?;
    let name = name.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let number = named(context, *user)?;
    user::set_name(&mut context.at()?, number, *name);
    Ok(Outcome::Done)
}

/// Request: user. Response: name (16).
pub(super) fn get_name(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let number = named(context, *request.data.first().ok_or(CompletionCode::INVALID_LENGTH)?)?;
    response.put(&context.controller()?.users.get(number).ok_or(CompletionCode::INVALID_FIELD)?.name)?;
    Ok(Outcome::Done)
}

/// Request: user with the size in bit 7 (set: 20 bytes), operation, password. Operations:
/// 0 disable, 1 enable, 2 set, 3 test (80h another password, 81h the 16-byte form for a
/// longer one).
pub(super) fn set_password(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let [user, operation] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let number = number(context, user)?;
    let size = if user & 0x80 != 0 { PasswordSize::Twenty } else { PasswordSize::Sixteen };
    match operation & 0x03 {
        0 => user::disable(&mut context.at()?, number),
        1 => user::enable(&mut context.at()?, number),
        2 => {
            let password = password(request, size)?;
            user::set_password(&mut context.at()?, number, &password);
        }
        _ => {
            let password = password(request, size)?;
            context.controller()?.users.test_password(number, size, &password).map_err(|mismatch| match mismatch {
                PasswordMismatch::Different => CompletionCode::COMMAND_SPECIFIC_80,
                PasswordMismatch::WrongSize => CompletionCode::COMMAND_SPECIFIC_81,
            })?;
        }
    }
    Ok(Outcome::Done)
}

/// The password of a request, padded with zeros; too few bytes are C7h.
fn password(request: &Request<'_>, size: PasswordSize) -> Result<Zeroizing<[u8; 20]>, CompletionCode> {
    let length = match size {
        PasswordSize::Sixteen => 16,
        PasswordSize::Twenty => 20,
    };
    let given = request.data.get(2..2 + length).ok_or(CompletionCode::INVALID_LENGTH)?;
    let mut password = Zeroizing::new([0; 20]);
    password[..length].copy_from_slice(given);
    Ok(password)
}

#[cfg(test)]
mod tests {
    use crate::bmc::user::{Change, Limit, Status};
    use crate::bmc::{Action, StateFile};
    use crate::command::testing::{BMC, Rig, SATELLITE};
    use crate::ipmi::{Privilege, UserNumber};

    const FIVE: UserNumber = UserNumber::new(5).unwrap();

    /// As recorded, but for the enable status beside the number of users, which the original leaves open.
    #[test]
    fn users_are_read_as_recorded() {
        let mut rig = Rig::new();
        rig.expect(
            "06 44 0e -> c7
             06 44 0e 00 -> cc
             06 44 0e 01 -> 00 3f 42 01 12
             06 44 0e 02 -> 00 3f 42 01 14
             06 44 0e 3f -> 00 3f 82 01 0f
             06 44 0e 40 -> cc
             06 44 02 42 -> 00 3f 42 01 14
             06 46 -> c7
             06 46 01 -> cc
             06 46 c2 -> 00 69 70 6d 69 75 73 72 00 00 00 00 00 00 00 00 00
             06 46 03 -> 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00",
        );
        rig.mc = SATELLITE;
        rig.expect("06 44 0e 02 -> 00 3f 80 00 0f");
    }

    #[test]
    fn a_board_may_have_fewer_users_and_tell_less_of_them() {
        let mut rig = Rig::new();
        rig.machine.ensure(BMC).users.highest = FIVE;
        rig.expect(
            "06 44 0e 01 -> 00 05 42 01 12
             06 44 0e 05 -> 00 05 82 01 0f
             06 44 0e 06 -> cc
             06 46 06 -> cc
             06 43 92 06 04 -> cc
             06 47 06 00 -> cc",
        );
        rig.machine.ensure(BMC).users.status = Status::Untold;
        rig.expect(
            "06 44 0e 02 -> 00 05 02 01 14
             06 44 0e 05 -> 00 05 02 01 00",
        );
    }

    #[test]
    fn bad_changes_are_refused_as_recorded() {
        let mut rig = Rig::new();
        rig.expect(
            "06 43 92 02 -> c7
             06 43 92 00 04 -> cc
             06 43 92 02 00 -> cc
             06 43 92 02 05 -> cc
             06 43 92 02 0e -> cc
             06 43 92 40 04 -> cc
             06 45 02 -> c7
             06 45 01 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 -> cc
             06 45 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 -> cc
             06 47 05 -> c7
             06 47 00 02 -> cc
             06 47 05 02 -> c7
             06 47 05 02 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 -> c7
             06 47 05 03 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 -> c7
             06 47 40 02 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 -> cc",
        );
        assert!(rig.machine.actions.is_empty());
    }

    #[test]
    fn a_login_needs_the_account_and_ipmi_messaging() {
        let mut rig = Rig::new();
        rig.expect(
            "06 43 93 05 04 -> 00
             06 44 0e 05 -> 00 3f 82 01 14
             06 45 05 61 00 62 43 43 43 43 43 43 43 43 43 43 43 43 43 -> 00
             06 46 05 -> 00 61 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
             06 43 f3 05 03 -> 00
             06 44 0e 05 -> 00 3f 82 01 73
             06 43 13 05 02 -> 00
             06 44 0e 05 -> 00 3f 82 01 72
             06 43 83 05 0f -> 00
             06 44 0e 05 -> 00 3f 82 01 0f
             06 43 93 05 04 05 -> 00
             06 47 05 00 -> 00
             06 44 0e 05 -> 00 3f 82 01 14
             06 47 05 01 00 -> 00
             06 44 0e 05 -> 00 3f 43 01 14
             06 43 81 05 04 -> 00
             06 44 0e 05 -> 00 3f 42 01 04
             06 47 05 00 -> 00
             06 43 91 05 04 -> 00
             06 44 0e 05 -> 00 3f 82 01 14",
        );
        assert_eq!(rig.machine.ensure(BMC).users.get(FIVE).map(|user| user.max_sessions), Some(5));
        assert_eq!(rig.machine.actions.first(), Some(&Action::save(StateFile::Users(BMC))));
        let changed = |change| Action::UserChanged { mc: BMC, user: FIVE, change, ends_sessions: true };
        let access = Change::Access { privilege: Limit::Level(Privilege::User), messaging: true, callback_only: true };
        assert!(rig.machine.actions.contains(&changed(access)), "without bit 7 the flags stay: {access:?}");
        assert!(rig.machine.actions.contains(&changed(Change::Name)));
        assert!(rig.machine.actions.contains(&changed(Change::Disabled)));
    }

    #[test]
    fn passwords_of_both_sizes_are_set_and_really_tested() {
        let mut rig = Rig::new();
        rig.expect(
            "06 47 05 02 70 77 00 00 00 00 00 00 00 00 00 00 00 00 00 00 -> 00
             06 47 05 03 70 77 00 00 00 00 00 00 00 00 00 00 00 00 00 00 -> 00
             06 47 05 03 78 78 00 00 00 00 00 00 00 00 00 00 00 00 00 00 -> 80
             06 47 85 02 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 -> c7
             06 47 85 02 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 42 43 44 45 -> 00
             06 47 85 03 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 42 43 44 45 -> 00
             06 47 85 03 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 42 43 44 46 -> 80
             06 47 05 03 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 -> 81",
        );
        // The 16-byte form leaves nothing of the longer password behind.
        rig.expect("06 47 05 02 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 -> 00");
        let user = rig.machine.ensure(BMC).users.get(FIVE).expect("user 5");
        assert_eq!(user.password, *b"AAAAAAAAAAAAAAAA\0\0\0\0");
    }
}
