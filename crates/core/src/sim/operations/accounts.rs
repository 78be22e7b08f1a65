//! The users of the controllers: who they are, without a secret, and changes of them.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use super::super::saves::Fate;
use super::super::{Effects, Simulator};
use super::{Done, text_of};
use crate::bmc::user::{self, Access, AccessFlags, Limit, User};
use crate::bmc::{self, At};
use crate::ipmi::{McAddress, Moment, Privilege, UserNumber};

/// A user of a controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAccount {
    /// User number.
    pub number: UserNumber,
    /// Name, at most 16 bytes; user 1 has none.
    pub name: String,
    /// Highest privilege; `None` is no access.
    pub privilege: Option<Privilege>,
    /// Whether the user can log in, if there is a password.
    pub enabled: bool,
}

impl UserAccount {
    fn of((number, user): (UserNumber, &User)) -> Self {
        Self { number, name: text_of(&user.name), privilege: user.limit(), enabled: user.is_valid() }
    }
}

/// The highest privilege that a user is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserLimit {
    /// This one.
    Level(Privilege),
    /// No access.
    NoAccess,
}

/// A password, wiped when it is dropped and never shown.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// A change of a user: what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// Name, 1 to 16 bytes. User 1 has none.
    pub name: Option<String>,
    /// Password, at most 20 bytes.
    pub password: Option<Password>,
    /// Highest privilege.
    pub limit: Option<UserLimit>,
    /// Whether the user can log in.
    pub enabled: Option<bool>,
}

/// Why a user is not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UserFault {
    /// There is no controller at that address.
    #[error("there is no such controller")]
    NoController,
    /// User 1 has no name.
    #[error("user 1 has no name")]
    Nameless,
    /// A name has 1 to 16 bytes, none of them 0.
    #[error("a name has 1 to 16 bytes, none of them 0")]
    Name,
    /// A password has at most 20 bytes, none of them 0.
    #[error("a password has at most 20 bytes, none of them 0")]
    Password,
    /// It could not be saved, and was taken back.
    #[error("the state file could not be written; nothing was changed")]
    NotKept,
}

/// A change that was looked at.
struct Checked {
    name: Option<[u8; 16]>,
    password: Option<Zeroizing<[u8; 20]>>,
    limit: Option<UserLimit>,
    enabled: Option<bool>,
}

impl Checked {
    fn new(number: UserNumber, change: &UserChange) -> Result<Self, UserFault> {
        let name = match change.name.as_deref() {
            Some(_) if number == UserNumber::NULL => return Err(UserFault::Nameless),
            Some("") => return Err(UserFault::Name),
            Some(name) => Some(padded(name).ok_or(UserFault::Name)?),
            None => None,
        };
        let password = match &change.password {
            Some(Password(password)) => Some(Zeroizing::new(padded(password).ok_or(UserFault::Password)?)),
            None => None,
        };
        Ok(Self { name, password, limit: change.limit, enabled: change.enabled })
    }

    /// As commands of a client would, one for each.
    fn apply(&self, at: &mut At<'_>, number: UserNumber) {
        if let Some(name) = self.name {
            user::set_name(at, number, name);
        }
        if let Some(password) = &self.password {
            user::set_password(at, number, password);
        }
        self.set_access(at, number);
        match self.enabled {
            Some(true) => user::enable(at, number),
            Some(false) => user::disable(at, number),
            None => {}
        }
    }

    /// Set User Access: the level, and IPMI messaging where it was switched off and the user is to log in.
    fn set_access(&self, at: &mut At<'_>, number: UserNumber) {
        let Some(before) = at.users.get(number) else { return };
        let privilege = match self.limit {
            Some(UserLimit::Level(level)) => Limit::Level(level),
            Some(UserLimit::NoAccess) => Limit::NoAccess,
            None => before.privilege,
        };
        let opens = self.enabled == Some(true) && before.messaging == Some(false);
        if self.limit.is_some() || opens {
            let (link_auth, callback_only) = (before.link_auth, before.callback_only);
            let flags = opens.then_some(AccessFlags { messaging: true, link_auth, callback_only });
            user::set_access(at, number, Access { flags, privilege, max_sessions: None });
        }
    }
}

impl Simulator {
    /// The users of the BMC that have a name or are enabled, by number.
    pub fn users(&self) -> Vec<UserAccount> {
        self.users_of(self.bmc_address()).unwrap_or_default()
    }

    /// The users of a controller that have a name or are enabled, by number.
    ///
    /// # Errors
    /// There is no such controller.
    pub fn users_of(&self, mc: McAddress) -> Result<Vec<UserAccount>, UserFault> {
        let controller = self.machine.controller(mc).ok_or(UserFault::NoController)?;
        let named = controller.users.iter().filter(|(_, user)| user.name != [0; 16] || user.is_valid());
        Ok(named.map(UserAccount::of).collect())
    }

    /// A user of a controller, whether it has a name or not.
    ///
    /// # Errors
    /// There is no such controller.
    pub fn user(&self, mc: McAddress, number: UserNumber) -> Result<UserAccount, UserFault> {
        let user = self.machine.controller(mc).and_then(|controller| controller.users.get(number));
        user.map(|user| UserAccount::of((number, user))).ok_or(UserFault::NoController)
    }

    /// Changes a user as commands of a client do: the state file is saved, and the user's sessions end if they stood on
    /// something else. `done` is called with the user as it is now when the file is safe; if it cannot be written,
    /// everything is taken back.
    pub fn change_user(
        &mut self,
        now: Moment,
        (mc, number): (McAddress, UserNumber),
        change: &UserChange,
        done: Done<UserAccount, UserFault>,
        out: &mut Effects,
    ) {
        let checked = match Checked::new(number, change) {
            Ok(checked) => checked,
            Err(fault) => return done(Err(fault)),
        };
        let Some(mut at) = self.machine.at(mc) else { return done(Err(UserFault::NoController)) };
        checked.apply(&mut at, number);
        let outstanding = self.collect_actions(now, out);
        let told = Box::new(move |simulator: &mut Self, fate: Fate| match fate {
            Fate::Done => done(simulator.user(mc, number)),
            Fate::Undone => done(Err(UserFault::NotKept)),
        });
        self.when_kept(now, outstanding, told, out);
    }

    /// Gives a user of the BMC name, password and highest privilege, and lets it log in. Its sessions end if they stood
    /// on something else.
    ///
    /// # Errors
    /// The number is that of user 1, or the name is empty or has more than 16 bytes, or the password more than 20.
    pub fn set_user(
        &mut self,
        now: Moment,
        number: UserNumber,
        (name, password): (&str, &str),
        privilege: Privilege,
        out: &mut Effects,
    ) -> Result<(), bmc::Error> {
        let mc = self.bmc_address();
        if number == UserNumber::NULL || name.is_empty() {
            return Err(bmc::Error::Invalid);
        }
        let name = padded(name).ok_or(bmc::Error::Invalid)?;
        let password = Zeroizing::new(padded(password).ok_or(bmc::Error::Invalid)?);
        let flags = AccessFlags { messaging: true, link_auth: true, callback_only: false };
        let access = Access { flags: Some(flags), privilege: Limit::Level(privilege), max_sessions: None };
        if let Some(mut at) = self.machine.at(mc) {
            user::set_name(&mut at, number, name);
            user::set_password(&mut at, number, &password);
            user::set_access(&mut at, number, access);
            user::enable(&mut at, number);
        }
        self.carry_out_actions(now, out);
        Ok(())
    }

    /// Shuts a user of the BMC out; its sessions end.
    pub fn disable_user(&mut self, now: Moment, number: UserNumber, out: &mut Effects) {
        let mc = self.bmc_address();
        if let Some(mut at) = self.machine.at(mc) {
            user::disable(&mut at, number);
        }
        self.carry_out_actions(now, out);
    }
}

/// The bytes of a text, zero padded, if there are not too many and none of them is 0.
fn padded<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    if text.contains('\0') {
        return None;
    }
    out.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_no_name() {
        assert_eq!(padded::<4>("abcd"), Some(*b"abcd"));
        assert_eq!(padded::<4>("ab"), Some(*b"ab\0\0"));
        assert_eq!(padded::<4>("abcde"), None);
        assert_eq!(padded::<4>("a\0b"), None);
    }

    #[test]
    fn a_change_does_not_tell_its_password() {
        let change = UserChange { password: Some(String::from("secret").into()), ..UserChange::default() };
        assert!(!format!("{change:?}").contains("secret"));
    }
}
