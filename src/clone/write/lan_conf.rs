//! `lan.conf` of a clone: channels, users, and who may log in how.

use std::fmt::Write;

use super::Settings;
use crate::clone::bytes::Bytes;
use crate::clone::model::{BMC, Machine};
use crate::clone::reads::Read;

/// Channel medium type of LAN, IPMI 2.0 table 6-3.
const LAN: u8 = 4;
/// The channel of a machine that tells nothing of its channels.
const USUAL_CHANNEL: u8 = 1;
/// Last channel number of the implementation-specific range.
const LAST_CHANNEL: u8 = 0x0b;

/// The words of lan.conf for the privilege levels from 1.
const LEVELS: [&str; 4] = ["callback", "user", "operator", "admin"];
/// The words for authentication types with their bits, IPMI 2.0 table 22-15.
const TYPES: [(&str, u8); 4] = [("none", 0x01), ("md2", 0x02), ("md5", 0x04), ("straight", 0x10)];
/// Authentication types of a channel that does not tell: those that no password travels with.
const USUAL_TYPES: u8 = 0x04;

/// The numbers of the LAN channels.
pub(super) fn channels(machine: &Machine) -> Vec<u8> {
    let is_lan = |channel: &u8| {
        let info = machine.told(BMC, Read::ChannelInfo, &[*channel]);
        info.and_then(|info| info.get(1)).is_some_and(|medium| medium & 0x7f == LAN)
    };
    match (1..=LAST_CHANNEL).filter(is_lan).collect::<Vec<_>>() {
        none if none.is_empty() => vec![USUAL_CHANNEL],
        channels => channels,
    }
}

/// The text of the file.
pub(super) fn text(machine: &Machine, settings: &Settings) -> String {
    let mut out =
        format!("# Made by ipmi_simctl; README says of what.\n\nname \"{}\"\n\nset_working_mc 0x20\n", machine.name);
    for (channel, port) in channels(machine).into_iter().zip(settings.listen.port()..) {
        lan(machine, settings, channel, port, &mut out);
    }
    // Whatever a channel allows, nobody gets into a copy without a password.
    out.push_str("\n  #    number enabled name password privilege sessions authentication\n");
    for user in users(machine) {
        let _ = writeln!(out, "  {}", user.line(&settings.password));
    }
    out
}

fn lan(machine: &Machine, settings: &Settings, channel: u8, port: u16, out: &mut String) {
    let _ = writeln!(out, "\n  startlan {channel}\n    addr {} {port}", settings.listen.ip());
    let limit = limit(machine, channel);
    let _ = writeln!(out, "    priv_limit {}", LEVELS[usize::from(limit - 1)]);
    for (index, level) in LEVELS.iter().enumerate() {
        let types = types(machine, channel, index);
        let words = TYPES.iter().filter(|(_, bit)| types & bit != 0).map(|(word, _)| format!(" {word}"));
        let _ = writeln!(out, "    allowed_auths_{level}{}", words.collect::<String>());
    }
    if let Some(guid) = machine.told(BMC, Read::SystemGuid, &[]).and_then(|data| data.first_chunk::<16>()) {
        let _ = writeln!(out, "    guid {}", Bytes::from(guid));
    }
    out.push_str("  endlan\n");
}

/// The privilege limit of a channel, 1 to 4.
pub(super) fn limit(machine: &Machine, channel: u8) -> u8 {
    const NONVOLATILE: u8 = 0x40;
    let access = machine.told(BMC, Read::ChannelAccess, &[channel, NONVOLATILE]);
    let limit = access.and_then(|access| access.get(1)).map(|byte| byte & 0x0f);
    limit.filter(|limit| (1..=4).contains(limit)).unwrap_or(4)
}

/// The authentication types that are enabled for a level, as bits; `index` counts from callback.
fn types(machine: &Machine, channel: u8, index: usize) -> u8 {
    const AUTH_ENABLES: u8 = 2;
    let enables = machine.told(BMC, Read::LanParameters, &[channel, AUTH_ENABLES, 0, 0]);
    // The revision of the parameters comes first.
    enables.and_then(|data| data.get(1 + index).copied()).unwrap_or(USUAL_TYPES)
}

/// A user.
pub(super) struct User {
    pub(super) number: u8,
    pub(super) name: [u8; 16],
    pub(super) enabled: bool,
    /// Privilege limit of the first LAN channel, 1 to 5 or 15.
    pub(super) limit: u8,
    /// Bits 6 to 4 of its access: callback only, link authentication, IPMI messaging.
    pub(super) flags: u8,
}

/// The users of the copy: those of the machine, or, where they are not known, one who may do everything.
pub(super) fn users(machine: &Machine) -> Vec<User> {
    match known_users(machine) {
        users if users.iter().any(User::may_log_in) => users,
        mut users => {
            let mut name = [0; 16];
            name[..5].copy_from_slice(b"admin");
            users.retain(|user| user.number != 2);
            users.push(User { number: 2, name, enabled: true, limit: 4, flags: User::MESSAGING });
            users
        }
    }
}

/// Whether [`users`] had to make one.
pub(super) fn is_user_made(machine: &Machine) -> bool {
    !known_users(machine).iter().any(User::may_log_in)
}

/// The users that there is something to say of.
fn known_users(machine: &Machine) -> Vec<User> {
    // A BMC without channels was asked about the one that the session is on.
    let asked = machine.all(BMC, Read::UserAccess).next().and_then(|(request, _)| request.data.first().copied());
    let channel = asked.unwrap_or(USUAL_CHANNEL);
    (1..=0x3f).filter_map(|number| user(machine, channel, number)).collect()
}

fn user(machine: &Machine, channel: u8, number: u8) -> Option<User> {
    let name = machine.told(BMC, Read::UserName, &[number]);
    let name: [u8; 16] = name.and_then(|name| name.first_chunk().copied()).unwrap_or_default();
    let &[_, status, _, access, ..] = machine.told(BMC, Read::UserAccess, &[channel, number])? else { return None };
    // Bits 7-6: enabled, disabled, or not told; then who may send IPMI messages is enabled.
    let enabled = match status >> 6 {
        1 => true,
        2 => false,
        _ => access & 0x10 != 0,
    };
    let user = User { number, name, enabled, limit: access & 0x0f, flags: access & 0x70 };
    let is_nobody = !enabled && name == [0; 16] && matches!(user.limit, 0 | 0x0f);
    (!is_nobody).then_some(user)
}

impl User {
    /// Of the flags: IPMI messaging.
    const MESSAGING: u8 = 0x10;

    /// Whether somebody with the password gets in.
    pub(super) fn may_log_in(&self) -> bool {
        self.enabled && self.flags & Self::MESSAGING != 0
    }

    fn line(&self, password: &str) -> String {
        let level = LEVELS.get(usize::from(self.limit).wrapping_sub(1)).unwrap_or(&"user");
        format!(
            "user {} {} {} {} {level} 10 md2 md5 straight",
            self.number,
            self.may_log_in(),
            word(&self.name, 16),
            word(password.as_bytes(), 20),
        )
    }
}

/// A name or password: in quotes where every reader understands that, else in hexadecimal.
fn word(bytes: &[u8], size: usize) -> String {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let text = bytes.get(..end).unwrap_or(bytes);
    // The original keeps room for a zero.
    if text.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'$')) && text.len() < size {
        return format!("\"{}\"", String::from_utf8_lossy(text));
    }
    let mut padded = text.to_vec();
    padded.resize(size.max(text.len()), 0);
    Bytes(padded).to_string()
}
