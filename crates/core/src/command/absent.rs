//! Commands of the specification that no controller here has: who may send them, and what they do the second time.
//!
//! A session that may not send one is told so (D4h) before it is told that there is none (C1h), as by the original
//! (`lan-protocol.md` section 9); and one may be carried to an IPMB device that has it.

use super::group_extension::{dcmi, picmg};
use super::privilege::Required;
use crate::ipmi::{Nature, Privilege, netfn};

// Rows of sixteen commands: `*` any level, `u` user, `o` operator, `a` administrator, `s`
// system interface only, `n` every level but user, `.` a command that is in a table.

const CHASSIS: &[&[u8]] = &[b"...o.a......aaa."];
const BRIDGE: &[&[u8]] = &[b"uouoouuaouuuuaaa", b"ououoaaaaaaaaaaa", b"ooaaaaaaaaaaaaaa", b"uooouu"];
const SENSOR_EVENT: &[&[u8]] = &[b"...aaaaaaaaaaaaa", b"........aaaaaaaa", b"............a.o."];
const APP: &[&[u8]] = &[
    b"a....a.....a.aaa",
    b"aaaaaaaaaaaaaaaa",
    b"aa.a..aaaaaaaa..",
    b"..s...........ao",
    b"................",
    b"uaoa.u....",
];
const STORAGE: &[&[u8]] =
    &[b"aaaaaaaaaaaaaaaa", b"...aaaaaaaaaaaaa", b".............aaa", b"aaaaaaaaaaaaaaaa", b".....o....uo"];
const TRANSPORT: &[&[u8]] = &[b"a..o.aaaaaaaaaaa", b"aaaasssssnauaaaa", b"s.."];

fn rows(netfn: u8) -> &'static [&'static [u8]] {
    match netfn {
        netfn::CHASSIS => CHASSIS,
        netfn::BRIDGE => BRIDGE,
        netfn::SENSOR_EVENT => SENSOR_EVENT,
        netfn::APP => APP,
        netfn::STORAGE => STORAGE,
        netfn::TRANSPORT => TRANSPORT,
        _ => &[],
    }
}

/// What a command that is in no table needs; an administrator, when nothing is known of it.
pub(super) fn required(netfn: u8, cmd: u8, data: &[u8]) -> Required {
    if netfn == netfn::GROUP_EXTENSION && data.first() == Some(&dcmi::GROUP) {
        // DCMI 1.5 table 5-1: to read.
        return Required::Level(Privilege::User);
    }
    let row = rows(netfn).get(usize::from(cmd >> 4));
    match row.and_then(|row| row.get(usize::from(cmd & 0x0f))) {
        Some(b'*') => Required::Any,
        Some(b'u') => Required::Level(Privilege::User),
        Some(b'o') => Required::Level(Privilege::Operator),
        Some(b's') => Required::SystemInterface,
        Some(b'n') => Required::NotUser,
        _ => Required::Level(Privilege::Administrator),
    }
}

/// What a command that is in no table does the second time.
pub(super) fn nature(netfn: u8, cmd: u8, data: &[u8]) -> Nature {
    match (netfn, cmd) {
        // Chassis Reset, Master Write-Read, Partial Add SEL Entry.
        (netfn::CHASSIS, 0x03) | (netfn::APP, 0x52) | (netfn::STORAGE, 0x45) => Nature::Acts,
        // Get Auxiliary Log Status; Get FRU Activation Policy, Get Device Locator Record ID.
        (netfn::STORAGE, 0x5a) => Nature::Reads,
        (netfn::GROUP_EXTENSION, 0x0b | 0x0d) if data.first() == Some(&picmg::GROUP) => Nature::Reads,
        _ => Nature::Sets,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::find;

    #[test]
    fn what_is_here_is_not_named_as_absent() {
        for netfn in (0..=netfn::TRANSPORT).step_by(2) {
            for cmd in 0..=0xff {
                let row = rows(netfn).get(usize::from(cmd >> 4));
                let mark = row.and_then(|row| row.get(usize::from(cmd & 0x0f)));
                match find(netfn, cmd, &[]) {
                    Some(entry) => {
                        assert!(matches!(mark, Some(b'.') | None), "{netfn:02x} {cmd:02x} is {}", entry.name);
                        assert_eq!(nature(netfn, cmd, &[]), Nature::Sets, "{netfn:02x} {cmd:02x} is {}", entry.name);
                    }
                    None => assert_ne!(mark, Some(&b'.'), "{netfn:02x} {cmd:02x} is in no table"),
                }
            }
        }
        assert!(find(netfn::GROUP_EXTENSION, 0x0b, &[picmg::GROUP]).is_none());
        assert!(find(netfn::GROUP_EXTENSION, 0x0d, &[picmg::GROUP]).is_none());
    }
}
