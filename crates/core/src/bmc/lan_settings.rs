//! What clients set of a LAN channel and its state file keeps: access, authentication types, K_G, parameters.
//!
//! Owns nothing: the settings are the channel's ([`Lan`]). Each function here is a client's change, which is taken back
//! if the file cannot be written.

use super::channel::Lan;
use super::lan_parameters::{ParameterError, Written};
use super::security_key::Locked;
use super::unsaved::Save;
use super::{At, StateFile};
use crate::ipmi::{AuthTypes, ChannelNumber, Privilege, SessionId};

/// There is no such LAN channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoLan;

/// A client's change to a LAN channel, kept in its state file.
fn change_lan<T, E: From<NoLan>>(
    at: &mut At<'_>,
    channel: ChannelNumber,
    change: impl FnOnce(&mut Lan) -> Result<(Save, T), E>,
) -> Result<T, E> {
    at.change_some(
        |mc| StateFile::Lan { mc, channel },
        |controller| change(controller.channels.lan_mut(channel).ok_or(NoLan)?),
    )
}

/// How long a setting of a channel holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// From now on, until the next start.
    Volatile,
    /// From the next start on.
    NonVolatile,
}

/// What Set Channel Access sets; `None` leaves a setting as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessChange {
    /// Privilege limit.
    pub limit: Option<(Storage, Privilege)>,
    /// The PEF alerting bit.
    pub pef_alerting: Option<(Storage, bool)>,
}

/// Set Channel Access, by a client.
///
/// # Errors
/// There is no such LAN channel.
pub fn set_access(at: &mut At<'_>, channel: ChannelNumber, access: AccessChange) -> Result<(), NoLan> {
    change_lan(at, channel, |lan| {
        let mut save = Save::NotNeeded;
        match access.limit {
            Some((Storage::NonVolatile, limit)) => {
                lan.nonvolatile_limit = limit;
                save = Save::Needed;
            }
            Some((Storage::Volatile, limit)) => lan.volatile_limit = limit,
            None => {}
        }
        match access.pef_alerting {
            Some((Storage::NonVolatile, alerting)) if lan.nonvolatile_pef_alerting != alerting => {
                lan.nonvolatile_pef_alerting = alerting;
                save = Save::Needed;
            }
            Some((Storage::Volatile, alerting)) => lan.pef_alerting = alerting,
            Some((Storage::NonVolatile, _)) | None => {}
        }
        Ok((save, ()))
    })
}

/// Why authentication types are not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthsError {
    /// There is no such LAN channel.
    NoLan,
    /// lan.conf does not offer one of them.
    NotOffered,
}

impl From<NoLan> for AuthsError {
    fn from(_: NoLan) -> Self {
        Self::NoLan
    }
}

/// Sets the authentication types per level (callback, user, operator, administrator), by a client. They
/// must be among those that lan.conf offers: it may be narrowed, not widened.
///
/// # Errors
/// One of them is not offered, or there is no such LAN channel.
pub fn set_auths(at: &mut At<'_>, channel: ChannelNumber, wanted: [AuthTypes; 4]) -> Result<(), AuthsError> {
    change_lan(at, channel, |lan| {
        if wanted.iter().zip(lan.offered_auths).any(|(wanted, offered)| wanted.0 & !offered.0 != 0) {
            return Err(AuthsError::NotOffered);
        }
        lan.restrict_auths(wanted);
        Ok((Save::Needed, ()))
    })
}

/// Why a key is not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// There is no such LAN channel.
    NoLan,
    /// The key is locked.
    Locked,
}

impl From<NoLan> for KeyError {
    fn from(_: NoLan) -> Self {
        Self::NoLan
    }
}

impl From<Locked> for KeyError {
    fn from(_: Locked) -> Self {
        Self::Locked
    }
}

/// A client sets the key of a LAN channel, zeros for none.
///
/// # Errors
/// It is locked, or there is no such channel.
pub fn set_key(at: &mut At<'_>, channel: ChannelNumber, key: &[u8; 20]) -> Result<(), KeyError> {
    change_lan(at, channel, |lan| {
        lan.key.change(key)?;
        Ok((Save::Needed, ()))
    })
}

/// A client locks the key of a LAN channel for good.
///
/// # Errors
/// There is no such channel.
pub fn lock_key(at: &mut At<'_>, channel: ChannelNumber) -> Result<(), KeyError> {
    change_lan(at, channel, |lan| {
        lan.key.lock();
        Ok((Save::Needed, ()))
    })
}

impl From<NoLan> for ParameterError {
    fn from(_: NoLan) -> Self {
        Self::Unsupported
    }
}

/// A client writes a parameter of a LAN channel. What is kept of it is saved.
///
/// # Errors
/// As [`ParameterError`] has them; a channel that is not there has no parameters.
pub fn set_parameter(
    at: &mut At<'_>,
    channel: ChannelNumber,
    parameter: u8,
    data: &[u8],
    session: Option<SessionId>,
) -> Result<Written, ParameterError> {
    change_lan(at, channel, |lan| {
        let written = lan.parameters.set(parameter, data, session)?;
        let save = match written {
            Written::Commit { save: true, .. } => Save::Needed,
            _ => Save::NotNeeded,
        };
        Ok((save, written))
    })
}
