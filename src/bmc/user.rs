//! The users of a controller.
//!
//! Owns names, passwords and privileges by user number. Passwords are never printed and
//! are wiped when a user is dropped; comparing one takes the same time whatever differs.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::{Action, Machine, StateFile};
use crate::ipmi::{AuthTypes, Privilege};

/// Number of user slots, number 0 (unusable) included. Get User Access reports one less.
pub const SLOTS: u8 = 64;

/// Privilege "no access", IPMI 2.0 section 22.26.
pub const NO_ACCESS: u8 = 0x0f;

/// One user, as the state file keeps it (`persistence.md` section 4).
#[derive(Clone)]
pub struct User {
    /// Enabled for IPMI messaging; the user may log in.
    pub valid: bool,
    /// Link authentication; reported only.
    pub link_auth: bool,
    /// Callback only; reported only.
    pub callback_only: bool,
    /// Name, zero padded.
    pub name: [u8; 16],
    /// Password, zero padded.
    pub password: [u8; 20],
    /// Privilege limit: 1 to 4, [`NO_ACCESS`], or 0 for a user nobody described.
    pub privilege: u8,
    /// The session limit of lan.conf; kept for the original, not enforced: many tools open more.
    pub max_sessions: u8,
    /// The session limit somebody has set, which is enforced per channel; 0 is none.
    pub session_limit: u8,
    /// Authentication types listed on the user's configuration line, when it lists any.
    pub auths: Option<AuthTypes>,
    /// Whether the user may activate SOL (Set User Payload Access); not kept.
    pub sol_access: bool,
}

impl Default for User {
    /// A user nobody described.
    fn default() -> Self {
        Self {
            valid: false,
            link_auth: false,
            callback_only: false,
            name: [0; 16],
            password: [0; 20],
            privilege: 0,
            max_sessions: 0,
            session_limit: 0,
            auths: None,
            sol_access: true,
        }
    }
}

impl User {
    /// The privilege limit; `None` is no access.
    pub fn limit(&self) -> Option<Privilege> {
        Privilege::from_wire(self.privilege)
    }

    /// Whether what a session stands on is as it was: the login itself, name, password and
    /// privilege limit.
    pub fn stands_as(&self, before: &Self) -> bool {
        (self.valid || !before.valid)
            && self.privilege == before.privilege
            && self.name == before.name
            && bool::from(self.password.ct_eq(&before.password))
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("valid", &self.valid).field("privilege", &self.privilege).finish_non_exhaustive()
    }
}

/// The users of a controller, by number.
#[derive(Clone, Debug)]
pub struct Users {
    users: Vec<User>,
}

impl Default for Users {
    fn default() -> Self {
        Self { users: vec![User::default(); usize::from(SLOTS)] }
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
    /// The user with this number, 1 to 63, valid or not.
    pub fn get(&self, number: u8) -> Option<&User> {
        if number == 0 { None } else { self.users.get(usize::from(number)) }
    }

    /// The user with this number, 1 to 63, to be changed by configuration or a state
    /// file. Commands go through the functions of this module, which tell the outside.
    pub fn get_mut(&mut self, number: u8) -> Option<&mut User> {
        if number == 0 { None } else { self.users.get_mut(usize::from(number)) }
    }

    /// The user with this number, when it may log in.
    pub fn valid(&self, number: u8) -> Option<&User> {
        self.get(number).filter(|user| user.valid)
    }

    /// All users with their numbers, 1 to 63.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &User)> {
        (0u8..).zip(&self.users).skip(1)
    }

    /// How many users are enabled.
    pub fn enabled(&self) -> u8 {
        self.users.iter().skip(1).filter(|user| user.valid).count().min(usize::from(u8::MAX)) as u8
    }

    /// Compares a password in constant time. A 20-byte test pads a shorter password with
    /// zeros, so it matches a password that was set in the 16-byte form.
    pub fn test_password(&self, number: u8, size: PasswordSize, password: &[u8; 20]) -> Result<(), PasswordMismatch> {
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
    /// Privilege limit, 1 to 4 or [`NO_ACCESS`].
    pub privilege: u8,
    /// Session limit, when it is to change.
    pub max_sessions: Option<u8>,
}

/// The flags of Set User Access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessFlags {
    /// Enabled for IPMI messaging.
    pub valid: bool,
    /// Link authentication.
    pub link_auth: bool,
    /// Callback only.
    pub callback_only: bool,
}

/// Changes a user, has the file saved, and ends the user's sessions if what was changed
/// is something they stand on: the login itself, name, password or privilege limit.
fn change(machine: &mut Machine, mc: u8, number: u8, apply: impl FnOnce(&mut User)) {
    machine.remember(StateFile::Users(mc));
    let Some(user) = machine.controller_mut(mc).and_then(|controller| controller.users.get_mut(number)) else {
        return;
    };
    let before = user.clone();
    apply(user);
    let stands = user.stands_as(&before);
    machine.actions.push(Action::Save(StateFile::Users(mc)));
    if !stands {
        machine.actions.push(Action::UserChanged { mc, user: number });
    }
}

/// Set User Access.
pub fn set_access(machine: &mut Machine, mc: u8, number: u8, access: Access) {
    change(machine, mc, number, |user| {
        if let Some(flags) = access.flags {
            user.valid = flags.valid;
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

/// Enables or disables a user (Set User Password operations 0 and 1).
pub fn set_valid(machine: &mut Machine, mc: u8, number: u8, valid: bool) {
    change(machine, mc, number, |user| user.valid = valid);
}

/// Sets a user's name; everything behind the first zero byte is zeroed.
pub fn set_name(machine: &mut Machine, mc: u8, number: u8, mut name: [u8; 16]) {
    let length = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    name[length..].fill(0);
    change(machine, mc, number, |user| user.name = name);
}

/// Sets a user's password; the 16-byte form comes zero padded.
pub fn set_password(machine: &mut Machine, mc: u8, number: u8, password: &[u8; 20]) {
    change(machine, mc, number, |user| user.password = *password);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        let mut machine = Machine::default();
        let user = machine.ensure(0x20).users.get_mut(2).expect("user 2 exists");
        user.valid = true;
        user.privilege = 4;
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
    fn number_0_and_64_do_not_exist() {
        let users = Users::default();
        assert!(users.get(0).is_none());
        assert!(users.get(64).is_none());
        assert!(users.get(63).is_some());
        assert_eq!(users.iter().map(|(number, _)| number).collect::<Vec<_>>(), (1..64).collect::<Vec<u8>>());
    }

    #[test]
    fn debug_says_neither_name_nor_password() {
        let machine = machine();
        let text = format!("{:?}", machine.controller(0x20).map(|controller| &controller.users));
        assert!(!text.contains("admin") && !text.contains("97, 100"), "{text}");
    }

    #[test]
    fn passwords_are_compared_whole() {
        let mut machine = machine();
        let users = &machine.ensure(0x20).users;
        assert_eq!(users.test_password(2, PasswordSize::Sixteen, &padded(b"admin")), Ok(()));
        assert_eq!(users.test_password(2, PasswordSize::Twenty, &padded(b"admin")), Ok(()));
        let wrong = users.test_password(2, PasswordSize::Sixteen, &padded(b"admim"));
        assert_eq!(wrong, Err(PasswordMismatch::Different));
        set_password(&mut machine, 0x20, 2, b"12345678901234567890");
        let users = &machine.ensure(0x20).users;
        assert_eq!(users.test_password(2, PasswordSize::Twenty, b"12345678901234567890"), Ok(()));
        let short = users.test_password(2, PasswordSize::Sixteen, &padded(b"1234567890123456"));
        assert_eq!(short, Err(PasswordMismatch::WrongSize));
    }

    #[test]
    fn only_a_change_that_matters_ends_sessions() {
        let mut machine = machine();
        set_password(&mut machine, 0x20, 2, &padded(b"admin"));
        set_valid(&mut machine, 0x20, 2, true);
        assert_eq!(machine.actions, [Action::Save(StateFile::Users(0x20)), Action::Save(StateFile::Users(0x20))]);
        machine.actions.clear();
        set_password(&mut machine, 0x20, 2, &padded(b"other"));
        let saved = Action::Save(StateFile::Users(0x20));
        assert_eq!(machine.actions, [saved, Action::UserChanged { mc: 0x20, user: 2 }]);
    }

    #[test]
    fn a_name_ends_at_its_first_zero() {
        let mut machine = machine();
        set_name(&mut machine, 0x20, 5, *b"a\0bCCCCCCCCCCCCC");
        let name = machine.ensure(0x20).users.get(5).map(|user| user.name);
        assert_eq!(name, Some(*b"a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    }
}
