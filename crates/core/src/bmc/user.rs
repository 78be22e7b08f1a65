//! The users of a controller.
//!
//! Owns names, passwords and privileges by user number. Passwords are never printed and
//! are wiped when a user is dropped; comparing one takes the same time whatever differs.

use std::borrow::Cow;
use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::unsaved::Unchanged;
use super::{Action, At, StateFile};
use crate::ipmi::{AuthTypes, Privilege, UserNumber};
use crate::shared::{Known, Shared};

/// Privilege limit of a user, IPMI 2.0 section 22.26.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    /// Nobody described the user.
    #[default]
    Unset,
    /// The highest level.
    Level(Privilege),
    /// No access.
    NoAccess,
    /// A number without a meaning, which a state file has: no access.
    Reserved(u8),
}

impl Limit {
    /// The limit with this number.
    pub const fn from_wire(number: u8) -> Self {
        match (number, Privilege::from_wire(number)) {
            (_, Some(level)) => Self::Level(level),
            (0, None) => Self::Unset,
            (0x0f, None) => Self::NoAccess,
            (number, None) => Self::Reserved(number),
        }
    }

    /// Its number.
    pub const fn wire(self) -> u8 {
        match self {
            Self::Unset => 0,
            Self::Level(level) => level.wire(),
            Self::NoAccess => 0x0f,
            Self::Reserved(number) => number,
        }
    }

    /// The highest level; `None` is no access.
    pub const fn level(self) -> Option<Privilege> {
        match self {
            Self::Level(level) => Some(level),
            Self::Unset | Self::NoAccess | Self::Reserved(_) => None,
        }
    }
}

/// One user, as the state file keeps it (`persistence.md` section 4).
#[derive(Clone)]
pub struct User {
    /// The account is enabled: Set User Password, operations 0 and 1 (IPMI 2.0 section 22.30).
    pub enabled: bool,
    /// Whether the user may send IPMI messages over LAN: bit 4 of Set User Access (section 22.26). `None`: that was
    /// never said, and it comes with the account when that is enabled, as with the original's one switch.
    pub messaging: Option<bool>,
    /// Link authentication; reported only.
    pub link_auth: bool,
    /// Callback only: sessions over LAN, which nobody called back for, stay at callback level.
    pub callback_only: bool,
    /// Name, zero padded.
    pub name: [u8; 16],
    /// Password, zero padded.
    pub password: [u8; 20],
    /// Somebody has set the password; until then it is not an empty one, there is none.
    pub has_password: bool,
    /// Privilege limit.
    pub privilege: Limit,
    /// The session limit of lan.conf; kept for the original, not enforced: many tools open more.
    pub max_sessions: u8,
    /// The session limit somebody has set, which is enforced per channel; 0 is none.
    pub session_limit: u8,
    /// Authentication types listed on the user's configuration line, when it lists any.
    pub auths: Option<AuthTypes>,
    /// Whether the user may activate SOL (Set User Payload Access).
    pub sol_access: bool,
}

impl Default for User {
    /// A user nobody described.
    fn default() -> Self {
        Self {
            enabled: false,
            messaging: None,
            link_auth: false,
            callback_only: false,
            name: [0; 16],
            password: [0; 20],
            has_password: false,
            privilege: Limit::Unset,
            max_sessions: 0,
            session_limit: 0,
            auths: None,
            sol_access: true,
        }
    }
}

impl User {
    /// The privilege limit over LAN; `None` is no access.
    pub fn limit(&self) -> Option<Privilege> {
        let limit = self.privilege.level()?;
        Some(if self.callback_only { limit.min(Privilege::Callback) } else { limit })
    }

    /// Account and IPMI messaging are both on: what the original knows as one switch.
    pub fn is_valid(&self) -> bool {
        self.enabled && self.messaging == Some(true)
    }

    /// Shuts a user out whose record is damaged: the account is disabled and has no password.
    pub fn close(&mut self) {
        self.enabled = false;
        self.password.zeroize();
        self.has_password = false;
    }

    /// Whether what a session stands on is as it was: the login itself, name, password and
    /// privilege limit.
    pub fn stands_as(&self, before: &Self) -> bool {
        (self.is_valid() || !before.is_valid())
            && self.privilege == before.privilege
            && self.callback_only == before.callback_only
            && self.name == before.name
            && bool::from(self.password.ct_eq(&before.password))
    }
}

impl PartialEq for User {
    fn eq(&self, other: &Self) -> bool {
        // Without the password, which is compared in constant time.
        let rest = |user: &Self| {
            let Self { enabled, messaging, link_auth, callback_only, name, password: _, .. } = user;
            let Self { has_password, privilege, max_sessions, session_limit, auths, sol_access, .. } = user;
            let flags = (*enabled, *messaging, *link_auth, *callback_only, *has_password, *sol_access);
            (flags, *name, *privilege, *max_sessions, *session_limit, *auths)
        };
        rest(self) == rest(other) && bool::from(self.password.ct_eq(&other.password))
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("valid", &self.is_valid())
            .field("privilege", &self.privilege)
            .finish_non_exhaustive()
    }
}

/// How Get User Access tells of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Whether each account is enabled, IPMI 2.0 table 22-32 byte 3 bits 7-6; who has no level is told to have no access.
    Told,
    /// As of before 2.0 and as the original: neither.
    Untold,
}

/// The users of a controller, by number.
#[derive(Clone, Debug)]
pub struct Users {
    /// By number; the first place is nobody's.
    users: Shared<Vec<User>>,
    /// lan.conf enables user 1, the one without a name. Only then may it log in.
    pub anonymous: bool,
    /// The highest number that commands know: a board may have 10 or 16 users.
    pub highest: UserNumber,
    /// What Get User Access tells.
    pub status: Status,
}

impl Default for Users {
    fn default() -> Self {
        Self {
            users: vec![User::default(); usize::from(UserNumber::LAST.get()) + 1].into(),
            anonymous: false,
            highest: UserNumber::LAST,
            status: Status::Told,
        }
    }
}

/// How many bytes of a password a request speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordSize {
    /// The IPMI 1.5 form; bytes 17 to 20 are zero.
    Sixteen,
    /// The IPMI 2.0 form.
    Twenty,
}

/// Why a password does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordMismatch {
    /// Another password.
    Different,
    /// A 16-byte test of a password with more than 16 bytes.
    WrongSize,
}

impl Users {
    /// Has what others have, too, in memory once.
    pub(super) fn share(&mut self, known: &mut Known<Vec<User>>) {
        known.share(&mut self.users);
    }

    /// The user with this number, valid or not.
    pub fn get(&self, number: UserNumber) -> Option<&User> {
        self.users.get(usize::from(number.get()))
    }

    /// The user with this number, to be changed by configuration or a state
    /// file. Commands go through the functions of this module, which tell the outside.
    pub fn get_mut(&mut self, number: UserNumber) -> Option<&mut User> {
        self.users.get_mut(usize::from(number.get()))
    }

    /// The user with this number, when account and IPMI messaging are on.
    pub fn valid(&self, number: UserNumber) -> Option<&User> {
        self.get(number).filter(|user| user.is_valid())
    }

    /// The user with this number, when it may log in: it is valid, its password was set, and it has a name,
    /// or is user 1 and lan.conf lets that in. A slot that is being filled lets nobody in.
    pub fn admitted(&self, number: UserNumber) -> Option<&User> {
        let named = |user: &User| user.name != [0; 16] || number == UserNumber::NULL && self.anonymous;
        self.valid(number).filter(|user| user.has_password && named(user))
    }

    /// All users with their numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (UserNumber, &User)> {
        UserNumber::all().zip(self.users.iter().skip(1))
    }

    /// How many users are valid.
    pub fn enabled(&self) -> u8 {
        self.users.iter().skip(1).filter(|user| user.is_valid()).count().min(usize::from(u8::MAX)) as u8
    }

    /// Compares a password in constant time. A 20-byte test pads a shorter password with
    /// zeros, so it matches a password that was set in the 16-byte form.
    pub fn test_password(
        &self,
        number: UserNumber,
        size: PasswordSize,
        password: &[u8; 20],
    ) -> Result<(), PasswordMismatch> {
        let user = self.get(number).ok_or(PasswordMismatch::Different)?;
        if size == PasswordSize::Sixteen && bool::from(!user.password[16..].ct_eq(&[0; 4])) {
            return Err(PasswordMismatch::WrongSize);
        }
        if bool::from(user.password.ct_eq(password)) { Ok(()) } else { Err(PasswordMismatch::Different) }
    }
}

/// Set User Access: what changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The flags, when they are to change.
    pub flags: Option<AccessFlags>,
    /// Privilege limit.
    pub privilege: Limit,
    /// Session limit, when it is to change.
    pub max_sessions: Option<u8>,
}

/// The flags of Set User Access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessFlags {
    /// Enabled for IPMI messaging.
    pub messaging: bool,
    /// Link authentication.
    pub link_auth: bool,
    /// Callback only.
    pub callback_only: bool,
}

/// What of a user was set, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The name.
    Name,
    /// The password.
    Password,
    /// The account was enabled.
    Enabled,
    /// The account was disabled.
    Disabled,
    /// Privilege limit and flags.
    Access {
        /// Privilege limit.
        privilege: Limit,
        /// Enabled for IPMI messaging.
        messaging: bool,
        /// Callback only.
        callback_only: bool,
    },
    /// Whether it may activate SOL.
    Payloads,
}

impl Change {
    /// What was done, in words: "password set".
    pub fn text(self) -> Cow<'static, str> {
        match self {
            Self::Name => "name set".into(),
            Self::Password => "password set".into(),
            Self::Enabled => "enabled".into(),
            Self::Disabled => "disabled".into(),
            Self::Payloads => "access to SOL set".into(),
            Self::Access { privilege, messaging, callback_only } => {
                let level = privilege.level().map_or("no access", Privilege::name);
                let messaging = if messaging { "on" } else { "off" };
                let callback = if callback_only { ", callback only" } else { "" };
                format!("access set ({level}, IPMI messaging {messaging}{callback})").into()
            }
        }
    }
}

/// Changes a user, has the file saved, and ends the user's sessions if what was changed
/// is something they stand on: the login itself, name, password or privilege limit. A user that may
/// not log in has no sessions but the one in which it was shut out, and that ends with the next change.
fn change(at: &mut At<'_>, number: UserNumber, change: Change, apply: impl FnOnce(&mut User)) {
    let changed = at.change(StateFile::Users, |controller| {
        let user = controller.users.get_mut(number).ok_or(Unchanged)?;
        let before = user.clone();
        apply(user);
        Ok::<_, Unchanged>(!user.is_valid() || !user.stands_as(&before))
    });
    if let Ok(ends_sessions) = changed {
        at.push(Action::UserChanged { mc: at.address, user: number, change, ends_sessions });
    }
}

/// Set User Access.
pub fn set_access(at: &mut At<'_>, number: UserNumber, access: Access) {
    let Some(user) = at.users.get(number) else { return };
    let (messaging, callback_only) = access
        .flags
        .map_or((user.messaging == Some(true), user.callback_only), |flags| (flags.messaging, flags.callback_only));
    let what = Change::Access { privilege: access.privilege, messaging, callback_only };
    change(at, number, what, |user| {
        if let Some(flags) = access.flags {
            user.messaging = Some(flags.messaging);
            user.link_auth = flags.link_auth;
            user.callback_only = flags.callback_only;
        }
        user.privilege = access.privilege;
        if let Some(limit) = access.max_sessions {
            user.max_sessions = limit;
            user.session_limit = limit;
        }
    });
}

/// Enables a user (Set User Password operation 1).
pub fn enable(at: &mut At<'_>, number: UserNumber) {
    change(at, number, Change::Enabled, |user| {
        user.enabled = true;
        user.messaging.get_or_insert(true);
    });
}

/// Disables a user (Set User Password operation 0).
pub fn disable(at: &mut At<'_>, number: UserNumber) {
    change(at, number, Change::Disabled, |user| user.enabled = false);
}

/// Sets a user's name; everything behind the first zero byte is zeroed.
pub fn set_name(at: &mut At<'_>, number: UserNumber, mut name: [u8; 16]) {
    let length = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    name[length..].fill(0);
    change(at, number, Change::Name, |user| user.name = name);
}

/// Sets a user's password; the 16-byte form comes zero padded.
pub fn set_password(at: &mut At<'_>, number: UserNumber, password: &[u8; 20]) {
    change(at, number, Change::Password, |user| {
        user.password = *password;
        user.has_password = true;
    });
}

/// Set User Payload Access: the user may have SOL.
pub fn allow_sol(at: &mut At<'_>, number: UserNumber) {
    set_sol_access(at, number, true);
}

/// Set User Payload Access: the user may not have SOL. Nothing that runs ends.
pub fn refuse_sol(at: &mut At<'_>, number: UserNumber) {
    set_sol_access(at, number, false);
}

fn set_sol_access(at: &mut At<'_>, number: UserNumber, allowed: bool) {
    let changed = at.change(StateFile::Users, |controller| {
        controller.users.get_mut(number).ok_or(Unchanged)?.sol_access = allowed;
        Ok::<_, Unchanged>(())
    });
    if changed.is_ok() {
        let change = Change::Payloads;
        at.push(Action::UserChanged { mc: at.address, user: number, change, ends_sessions: false });
    }
}

#[cfg(test)]
mod tests {
    use super::super::Machine;
    use super::*;
    use crate::ipmi::McAddress;

    const ADMINISTRATOR: Limit = Limit::Level(Privilege::Administrator);
    const ADMIN: UserNumber = UserNumber::new(2).unwrap();
    const FIVE: UserNumber = UserNumber::new(5).unwrap();

    fn machine() -> Machine {
        let mut machine = Machine::default();
        let user = machine.ensure(McAddress::BMC).users.get_mut(ADMIN).expect("user 2 exists");
        (user.enabled, user.messaging, user.has_password) = (true, Some(true), true);
        user.privilege = ADMINISTRATOR;
        user.name[..5].copy_from_slice(b"admin");
        user.password[..5].copy_from_slice(b"admin");
        machine
    }

    fn padded(password: &[u8]) -> [u8; 20] {
        let mut bytes = [0; 20];
        bytes[..password.len()].copy_from_slice(password);
        bytes
    }

    #[test]
    fn every_number_has_a_user() {
        let users = Users::default();
        assert!(users.get(UserNumber::LAST).is_some());
        assert_eq!(users.iter().map(|(number, _)| number.get()).collect::<Vec<_>>(), (1..64).collect::<Vec<u8>>());
    }

    #[test]
    fn debug_says_neither_name_nor_password() {
        let machine = machine();
        let text = format!("{:?}", machine.controller(McAddress::BMC).map(|controller| &controller.users));
        assert!(!text.contains("admin") && !text.contains("97, 100"), "{text}");
    }

    #[test]
    fn passwords_are_compared_whole() {
        let mut machine = machine();
        let users = &machine.ensure(McAddress::BMC).users;
        assert_eq!(users.test_password(ADMIN, PasswordSize::Sixteen, &padded(b"admin")), Ok(()));
        assert_eq!(users.test_password(ADMIN, PasswordSize::Twenty, &padded(b"admin")), Ok(()));
        let wrong = users.test_password(ADMIN, PasswordSize::Sixteen, &padded(b"admim"));
        assert_eq!(wrong, Err(PasswordMismatch::Different));
        set_password(&mut machine.found(McAddress::BMC), ADMIN, b"12345678901234567890");
        let users = &machine.ensure(McAddress::BMC).users;
        assert_eq!(users.test_password(ADMIN, PasswordSize::Twenty, b"12345678901234567890"), Ok(()));
        let short = users.test_password(ADMIN, PasswordSize::Sixteen, &padded(b"1234567890123456"));
        assert_eq!(short, Err(PasswordMismatch::WrongSize));
    }

    fn ends(machine: &Machine) -> bool {
        machine.actions.iter().any(|action| matches!(action, Action::UserChanged { ends_sessions: true, .. }))
    }

    #[test]
    fn a_slot_that_is_being_filled_lets_nobody_in() {
        let mut machine = Machine::default();
        machine.ensure(McAddress::BMC);
        let admitted = |machine: &Machine, number| {
            machine
                .controller(McAddress::BMC)
                .is_some_and(|controller| controller.users.admitted(number).is_some_and(|user| user.limit().is_some()))
        };
        let flags = AccessFlags { messaging: true, link_auth: false, callback_only: false };
        type Step<'a> = &'a dyn Fn(&mut Machine, UserNumber);
        let steps: [Step<'_>; 4] = [
            &|machine, number| set_name(&mut machine.found(McAddress::BMC), number, *b"five\0\0\0\0\0\0\0\0\0\0\0\0"),
            &|machine, number| set_password(&mut machine.found(McAddress::BMC), number, &padded(b"")),
            &|machine, number| {
                let access = Access { flags: Some(flags), privilege: ADMINISTRATOR, max_sessions: None };
                set_access(&mut machine.found(McAddress::BMC), number, access);
            },
            &|machine, number| enable(&mut machine.found(McAddress::BMC), number),
        ];
        // In every order, four slots.
        for first in 0..4 {
            let number = UserNumber::new(5 + first as u8).unwrap();
            for step in 0..4 {
                assert!(!admitted(&machine, number), "slot {number} after {step} steps");
                steps[(first + step) % 4](&mut machine, number);
            }
            assert!(admitted(&machine, number), "an empty password that somebody set is one");
            set_name(&mut machine.found(McAddress::BMC), number, [0; 16]);
            assert!(!admitted(&machine, number), "without a name again");
        }
    }

    #[test]
    fn user_1_comes_in_only_where_lan_conf_says_so() {
        let mut machine = Machine::default();
        machine.ensure(McAddress::BMC);
        set_password(&mut machine.found(McAddress::BMC), UserNumber::NULL, &padded(b"x"));
        enable(&mut machine.found(McAddress::BMC), UserNumber::NULL);
        let flags = AccessFlags { messaging: true, link_auth: false, callback_only: false };
        set_access(
            &mut machine.found(McAddress::BMC),
            UserNumber::NULL,
            Access { flags: Some(flags), privilege: ADMINISTRATOR, max_sessions: None },
        );
        let users = &mut machine.ensure(McAddress::BMC).users;
        assert!(users.admitted(UserNumber::NULL).is_none());
        users.anonymous = true;
        assert!(users.admitted(UserNumber::NULL).is_some());
    }

    #[test]
    fn callback_only_is_a_limit() {
        let mut user = User { privilege: ADMINISTRATOR, callback_only: true, ..User::default() };
        assert_eq!(user.limit(), Some(Privilege::Callback));
        user.callback_only = false;
        assert_eq!(user.limit(), Some(Privilege::Administrator));
        assert_eq!(User { privilege: Limit::NoAccess, callback_only: true, ..User::default() }.limit(), None);
    }

    #[test]
    fn only_a_change_that_matters_ends_sessions() {
        let mut machine = machine();
        set_password(&mut machine.found(McAddress::BMC), ADMIN, &padded(b"admin"));
        enable(&mut machine.found(McAddress::BMC), ADMIN);
        assert!(!ends(&machine));
        machine.actions.clear();
        set_password(&mut machine.found(McAddress::BMC), ADMIN, &padded(b"other"));
        let changed =
            Action::UserChanged { mc: McAddress::BMC, user: ADMIN, change: Change::Password, ends_sessions: true };
        assert_eq!(machine.actions, [Action::save(StateFile::Users(McAddress::BMC)), changed]);
        // Whoever was shut out in its own session is out with the next word about it.
        disable(&mut machine.found(McAddress::BMC), ADMIN);
        machine.actions.clear();
        disable(&mut machine.found(McAddress::BMC), ADMIN);
        assert!(ends(&machine));
    }

    #[test]
    fn a_name_ends_at_its_first_zero() {
        let mut machine = machine();
        set_name(&mut machine.found(McAddress::BMC), FIVE, *b"a\0bCCCCCCCCCCCCC");
        let name = machine.ensure(McAddress::BMC).users.get(FIVE).map(|user| user.name);
        assert_eq!(name, Some(*b"a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    }

    #[test]
    fn a_limit_is_written_as_it_was_read() {
        for number in 0..=u8::MAX {
            let limit = Limit::from_wire(number);
            assert_eq!((limit.wire(), limit.level()), (number, Privilege::from_wire(number)));
        }
    }
}
