//! Who may have what: the limits of users, channel and cipher suites in one place.
//!
//! Nothing gives a session more than the least of what was asked for, what the user may
//! have, what the channel allows and what the cipher suite allows.

use super::session::{Protection, Session};
use super::{Authority, LanUser};
use crate::crypto::{SUITES, Suite};
use crate::ipmi::{AuthTypes, Privilege, UserNumber};
use crate::wire::rakp::Status;

/// Bit of the role byte: look the user up by name only.
const NAME_ONLY: u8 = 0x10;

/// The level LAN parameter 24 gives a cipher suite; `None` closes it.
///
/// Four bits per entry of LAN parameter 23, which lists [`SUITES`] in order; the first
/// entry is in the low half of byte 1 (IPMI 2.0 table 23-4). 0 is "not used", 1 to 4 are
/// levels, 5 is above administrator, the rest is reserved and lets nobody in.
fn suite_limit(table: &[u8; 9], suite: &Suite) -> Option<Privilege> {
    let place = SUITES.iter().position(|entry| entry.id == suite.id)?;
    match table.get(1 + place / 2)? >> (place % 2 * 4) & 0x0f {
        5 => Some(Privilege::Administrator),
        level => Privilege::from_wire(level),
    }
}

/// The highest level, up to `limit`, whose `allowed_auths_*` list contains `none`.
fn open_level(authority: &dyn Authority, limit: Privilege) -> Option<Privilege> {
    (1..=limit.wire())
        .rev()
        .filter_map(Privilege::from_wire)
        .find(|level| authority.auth_types(*level).contains(AuthTypes::NONE))
}

/// The highest level a session with this suite can have, whoever the user; `None` when
/// the suite is closed.
///
/// Suite 0 asks for no password, so it is open only for levels that are open to IPMI 1.5
/// sessions without one.
pub(super) fn suite_privilege(authority: &dyn Authority, suite: &Suite) -> Option<Privilege> {
    let limit = suite_limit(&authority.cipher_privileges(), suite)?.min(authority.privilege_limit());
    if suite.id == 0 { open_level(authority, limit) } else { Some(limit) }
}

/// The most a session can have now: the least of the limits of session, user, channel and cipher suite as
/// they are at this moment. `None`: nothing, but to end itself.
pub(super) fn session_limit(authority: &dyn Authority, session: &Session) -> Option<Privilege> {
    let channel = match &session.link.protection {
        Protection::Ipmi15 { .. } => authority.privilege_limit(),
        Protection::RmcpPlus(plus) => suite_privilege(authority, plus.suite)?,
    };
    Some(channel.min(authority.user_limit(session.user)?).min(session.limit))
}

/// Whether a user's own list of authentication types, when there is one, has all of
/// `types`.
pub(super) fn user_allows(user: &LanUser, types: AuthTypes) -> bool {
    user.auths.is_none_or(|auths| auths.contains(types))
}

/// The user RAKP Message 1 names: the first with this name and, unless the role says
/// "name only", with exactly the requested privilege as limit.
pub(super) fn rakp_user(authority: &dyn Authority, name: &[u8; 16], role: u8) -> Option<LanUser> {
    let level = Privilege::from_wire(role & 0x0f);
    UserNumber::all()
        .filter(|number| authority.is_named(*number, name))
        .filter_map(|number| authority.user(number))
        .find(|user| role & NAME_ONLY != 0 || level.is_none() || user.limit == level)
}

/// The maximum privilege of an RMCP+ session. Role 0 asks for the highest possible.
pub(super) fn rmcp_plus_privilege(
    authority: &dyn Authority,
    suite: &Suite,
    user: &LanUser,
    role: u8,
) -> Result<Privilege, Status> {
    let asked = match role & 0x0f {
        0 => Privilege::Administrator,
        level => Privilege::from_wire(level).ok_or(Status::ILLEGAL_PARAMETER)?,
    };
    let limit = user.limit.ok_or(Status::UNAUTHORIZED_NAME)?;
    let suite_limit = suite_privilege(authority, suite).ok_or(Status::NO_SUITE_MATCH)?;
    let limit = asked.min(limit).min(suite_limit);
    if suite.id != 0 {
        return Ok(limit);
    }
    if !user_allows(user, AuthTypes::NONE) {
        return Err(Status::UNAUTHORIZED_NAME);
    }
    open_level(authority, limit).ok_or(Status::UNAUTHORIZED_ROLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lan::testing::Site;

    fn suite(id: u8) -> &'static Suite {
        Suite::from_id(id).unwrap()
    }

    #[test]
    fn parameter_24_is_read_by_entry() {
        // Entries: 0 1 | 2 3 | 6 7 | 8 11 | 12 15 | 16 17.
        let table = [0xff, 0x21, 0x43, 0x30, 0x15, 0x04, 0x3f, 0xff, 0xff];
        let levels = [(0, 1), (1, 2), (2, 3), (3, 4), (7, 3), (8, 4), (11, 1), (12, 4), (17, 3)];
        for (id, level) in levels {
            assert_eq!(suite_limit(&table, suite(id)), Privilege::from_wire(level), "suite {id}");
        }
        for id in [6, 15, 16] {
            assert_eq!(suite_limit(&table, suite(id)), None, "suite {id}: not used, or a reserved level");
        }
    }

    #[test]
    fn the_least_of_all_limits_counts() {
        let mut site = Site::default();
        let mut user = site.user(UserNumber::new(2).unwrap()).unwrap();
        let privilege =
            |site: &Site, user: &LanUser, role| rmcp_plus_privilege(site, suite(3), user, role).map(Privilege::wire);
        assert_eq!(privilege(&site, &user, 4), Ok(4));
        assert_eq!(privilege(&site, &user, 0), Ok(4));
        assert_eq!(privilege(&site, &user, 0x13), Ok(3));
        assert_eq!(privilege(&site, &user, 5), Err(Status::ILLEGAL_PARAMETER));
        site.cipher_privileges = [0x33; 9];
        assert_eq!(privilege(&site, &user, 4), Ok(3));
        site.limit = Privilege::User;
        assert_eq!(privilege(&site, &user, 4), Ok(2));
        user.limit = Some(Privilege::Callback);
        assert_eq!(privilege(&site, &user, 4), Ok(1));
        user.limit = None;
        assert_eq!(privilege(&site, &user, 4), Err(Status::UNAUTHORIZED_NAME));
        site.cipher_privileges = [0; 9];
        user.limit = Some(Privilege::User);
        assert_eq!(privilege(&site, &user, 4), Err(Status::NO_SUITE_MATCH));
    }

    #[test]
    fn suite_0_is_open_only_where_none_is() {
        let mut site = Site::default();
        let mut user = site.user(UserNumber::new(2).unwrap()).unwrap();
        assert_eq!(suite_privilege(&site, suite(0)), None);
        site.auth_types[1].0 |= AuthTypes::NONE.0;
        assert_eq!(suite_privilege(&site, suite(0)), Some(Privilege::User));
        assert_eq!(rmcp_plus_privilege(&site, suite(0), &user, 4), Ok(Privilege::User));
        assert_eq!(rmcp_plus_privilege(&site, suite(0), &user, 1), Err(Status::UNAUTHORIZED_ROLE));
        user.auths = Some(AuthTypes::MD5);
        assert_eq!(rmcp_plus_privilege(&site, suite(0), &user, 4), Err(Status::UNAUTHORIZED_NAME));
        assert_eq!(rmcp_plus_privilege(&site, suite(3), &user, 4), Ok(Privilege::Administrator));
        user.auths = Some(AuthTypes(AuthTypes::MD5.0 | AuthTypes::NONE.0));
        assert_eq!(rmcp_plus_privilege(&site, suite(0), &user, 4), Ok(Privilege::User));
    }

    #[test]
    fn users_are_found_by_name_or_by_name_and_privilege() {
        let mut site = Site::default();
        let mut name = [0; 16];
        name[..4].copy_from_slice(b"twin");
        for (number, limit) in [(5, Privilege::User), (6, Privilege::Operator)] {
            site.add_user(number, "twin", "x", limit);
        }
        let found = |role| rakp_user(&site, &name, role).map(|user| user.number.get());
        assert_eq!(found(0x14), Some(5));
        assert_eq!(found(0x03), Some(6));
        assert_eq!(found(0x02), Some(5));
        assert_eq!(found(0x04), None);
        assert_eq!(found(0x00), Some(5));
        assert_eq!(rakp_user(&site, b"nobody\0\0\0\0\0\0\0\0\0\0", 0x14).map(|user| user.number), None);
    }
}
