//! Which privilege level a command needs over a session (`lan-protocol.md` section 9).
//!
//! A command's row says it; `absent` says it of commands that are in no table.

use super::{Entry, absent, find};
use crate::ipmi::{Privilege, netfn};

/// What a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    /// Any established session, callback included.
    Any,
    /// At least this level.
    Level(Privilege),
    /// Never over a session: system interface only.
    SystemInterface,
    /// Every level but user. Only Callback (0C 19) is like that.
    NotUser,
}

impl Required {
    /// Whether a session at `level` has it.
    pub fn permits(self, level: Privilege) -> bool {
        match self {
            Self::Any => true,
            Self::Level(needed) => level >= needed,
            Self::SystemInterface => false,
            Self::NotUser => level != Privilege::User,
        }
    }
}

/// What (netfn, cmd) needs, of a controller to which nothing was added. Odd network functions count as their request
/// value, but for 0Dh, the response of 0Ch, which is beyond the original's tables and needs an administrator.
pub fn required(netfn: u8, cmd: u8) -> Required {
    let netfn = if netfn <= netfn::TRANSPORT { netfn & !1 } else { netfn };
    of_row(find(netfn, cmd, &[]), netfn, cmd, &[])
}

fn of_row(found: Option<&Entry>, netfn: u8, cmd: u8, data: &[u8]) -> Required {
    found.map_or_else(|| absent::required(netfn, cmd, data), |entry| entry.privilege)
}

/// Whether a session at `level` may send a request, whose row is `found`, with this data: the commands of each
/// group of a group extension have levels of their own, exporters ask for DCMI's power at user level.
pub fn request_permitted(found: Option<&Entry>, netfn: u8, cmd: u8, data: &[u8], level: Privilege) -> bool {
    of_row(found, netfn, cmd, data).permits(level)
}

/// Whether a session at `level` may send (netfn, cmd). Send Message (06 34) is permitted
/// from user on; the simulator checks the embedded request with its own row.
pub fn permitted(netfn: u8, cmd: u8, level: Privilege) -> bool {
    required(netfn, cmd).permits(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of `lan-protocol.md` section 9: network function, last command, commands of a user, commands of
    /// an operator. Everything else in range is an administrator's.
    const TABLE: [(u8, u8, &str, &str); 7] = [
        (0x00, 0x0f, "00 01 07 0f", "02 03 04 06 08 09"),
        (0x02, 0x35, "00 02 05 06 09 0a 0b 0c 11 13 30 34 35", "01 03 04 08 10 12 14 20 21 31 32 33"),
        (0x04, 0x2f, "01 10 20 21 22 23 25 27 29 2b 2d 2f", "02 13 24 26 28 2a 2e"),
        (0x06, 0x57, "01 04 07 08 25 2f 36 3b 3d 41 42 4a 4b 4e 4f 50 55 57", "22 24 3f 44 46 4d 52"),
        (0x08, 0x00, "", ""),
        (0x0a, 0x4b, "10 11 20 21 22 23 28 40 41 42 43 48 4a", "12 24 25 26 27 29 2a 2b 2c 44 45 46 47 49 4b"),
        (0x0c, 0x22, "04 1b 22", "02 03"),
    ];

    /// Network function, commands, the levels that may send them.
    const EXCEPTIONS: [(u8, &str, &[u8]); 7] = [
        (0x06, "59", &[2, 3, 4]),
        (0x04, "17", &[1, 2, 3, 4]),
        (0x06, "37 38 39 3a 54 3c 48 49", &[1, 2, 3, 4]),
        (0x06, "2e 30 31 32 33 35", &[]),
        (0x06, "34", &[2, 3, 4]),
        (0x0c, "14 15 16 17 18 20", &[]),
        (0x0c, "19", &[1, 3, 4]),
    ];

    fn numbers(list: &str) -> Vec<u8> {
        list.split_whitespace().map(|word| u8::from_str_radix(word, 16).expect("hexadecimal")).collect()
    }

    fn expected(netfn: u8, cmd: u8) -> Vec<u8> {
        let exception = EXCEPTIONS.iter().find(|(n, list, _)| *n == netfn && numbers(list).contains(&cmd));
        if let Some((_, _, levels)) = exception {
            return levels.to_vec();
        }
        let lowest = match TABLE.iter().find(|(n, last, _, _)| *n == netfn && cmd <= *last) {
            Some((_, _, user, _)) if numbers(user).contains(&cmd) => 2,
            Some((_, _, _, operator)) if numbers(operator).contains(&cmd) => 3,
            _ => 4,
        };
        (lowest..=4).collect()
    }

    #[test]
    fn dcmi_has_levels_of_its_own() {
        for (cmd, data, level, may) in [
            (0x02, &[0xdc, 1][..], Privilege::User, true),
            (0x02, &[0xdc, 1], Privilege::Callback, false),
            (0x10, &[0xdc, 1], Privilege::User, true),
            (0x04, &[0xdc, 1], Privilege::User, false),
            (0x04, &[0xdc, 1], Privilege::Operator, true),
            (0x08, &[0xdc], Privilege::User, false),
            (0x0a, &[0xdc], Privilege::Operator, false),
            (0x12, &[0xdc], Privilege::Operator, false),
            (0x12, &[0xdc], Privilege::Administrator, true),
            (0x02, &[0x00], Privilege::Operator, false),
            (0x02, &[], Privilege::Operator, false),
            (0x02, &[0x00], Privilege::Administrator, true),
        ] {
            let found = find(netfn::GROUP_EXTENSION, cmd, data);
            let permitted = request_permitted(found, netfn::GROUP_EXTENSION, cmd, data, level);
            assert_eq!(permitted, may, "{cmd:02x} {data:02x?} {level:?}");
        }
        assert!(!request_permitted(find(netfn::OEM, 2, &[0xdc]), netfn::OEM, 2, &[0xdc], Privilege::User));
    }

    #[test]
    fn every_command_of_every_network_function_is_as_in_the_sheet() {
        for netfn in 0..=0x3f {
            for cmd in 0..=0xff {
                let levels: Vec<u8> = (1..=4)
                    .filter(|level| permitted(netfn, cmd, Privilege::from_wire(*level).expect("1 to 4")))
                    .collect();
                let request = if netfn == 0x0d { netfn } else { netfn & !1 };
                assert_eq!(levels, expected(request, cmd), "{netfn:02x} {cmd:02x}");
            }
        }
    }
}
