//! Damaged records of users: what of a `users.mcXX` file cannot be trusted.
//!
//! Items that are missing leave what lan.conf says (`persistence.md` section 4). For a password
//! that a client has set that must not be: lan.conf may hold the one everybody knows. So a
//! record of which something is lost is told apart from one that somebody wrote in part by hand.

use crate::ipmi::UserNumber;
use std::collections::BTreeSet;

use super::format::parse;
use crate::state::{Damage, Items};

/// What every program writes of every user, the password first.
const FIELDS: [&str; 7] = ["passwd", "valid", "username", "privilege", "link_auth", "cb_only", "max_sessions"];
/// Two of these in a record that was written by hand, and it is meant to be the whole user.
const IDENTITY: [&str; 3] = ["valid", "username", "privilege"];

/// Whether a file with this name holds users.
pub fn is_users_file(name: &str) -> bool {
    name.starts_with("users.")
}

/// Whether records of a file of users are damaged.
pub fn is_damaged(content: &[u8]) -> bool {
    !damage(content, &parse(content).0).is_empty()
}

/// The users whose records are damaged, in order. A file without a single item is all damage. `items` are what
/// `content` holds.
pub fn damage(content: &[u8], items: &Items) -> Vec<Damage> {
    let mentioned = mentioned(content);
    // Nobody writes these two by hand: number 0 does not exist, and 63 is the first line of a program's.
    let by_program = items.is_empty() || mentioned.iter().any(|(number, _)| matches!(number, 0 | 63));
    UserNumber::all()
        .filter_map(|user| {
            let what = fault(items, &mentioned, user.get(), by_program)?;
            Some(Damage { user, what, line: line(content, user.get()) })
        })
        .collect()
}

/// The first line, from 1, that is about a user.
fn line(content: &[u8], number: u8) -> Option<usize> {
    let start = format!("{number}.");
    content.split(|byte| *byte == b'\n').position(|line| line.starts_with(start.as_bytes())).map(|index| index + 1)
}

fn fault(items: &Items, mentioned: &BTreeSet<(u8, &'static str)>, number: u8, by_program: bool) -> Option<String> {
    let is_usable = |field: &str| {
        let name = format!("{number}.{field}");
        match field {
            "passwd" => items.bytes(&name).is_some_and(|bytes| bytes.len() == 20),
            "username" => items.bytes(&name).is_some_and(|bytes| bytes.len() == 16),
            _ => items.integer(&name).is_some(),
        }
    };
    let is_mentioned = |field: &'static str| mentioned.contains(&(number, field));
    let by_hand = |field| field == "passwd" && IDENTITY.into_iter().filter(|field| is_mentioned(field)).count() >= 2;
    FIELDS.into_iter().filter(|field| !is_usable(field)).find_map(|field| match is_mentioned(field) {
        true => Some(format!("{field} cannot be used")),
        false => (by_program || by_hand(field)).then(|| format!("{field} is missing")),
    })
}

/// Every user and field that a line begins with, whether the rest of the line can be used or not.
fn mentioned(content: &[u8]) -> BTreeSet<(u8, &'static str)> {
    content
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let (number, rest) = std::str::from_utf8(line.get(..line.len().min(32))?)
                .or_else(|fault| std::str::from_utf8(&line[..fault.valid_up_to()]))
                .ok()?
                .split_once('.')?;
            let field = FIELDS.into_iter().find(|field| rest.split(':').next() == Some(*field))?;
            Some((number.parse().ok()?, field))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn damage(content: &[u8]) -> BTreeMap<u8, String> {
        let all = super::damage(content, &parse(content).0).into_iter();
        all.map(|damage| (damage.user.get(), damage.what)).collect()
    }

    fn whole() -> Vec<u8> {
        let mut items = Items::new();
        for number in 0..64 {
            for field in FIELDS {
                let name = format!("{number}.{field}");
                match field {
                    "passwd" => items.push_bytes(name, [b'p'; 20]),
                    "username" => items.push_bytes(name, [b'u'; 16]),
                    _ => items.push_integer(name, 1),
                }
            }
        }
        items.emit()
    }

    fn with(field: &str, line: Option<&str>) -> Vec<u8> {
        let text = String::from_utf8(whole()).expect("text");
        let lines = text.lines().filter_map(|old| if old.starts_with(field) { line } else { Some(old) });
        lines.map(|line| format!("{line}\n")).collect::<String>().into_bytes()
    }

    #[test]
    fn a_user_has_a_line() {
        let content = b"63.valid:i:0\n\n13.valid:i:1\n3.passwd:x\n3.valid:i:1\n";
        assert_eq!([63, 13, 3, 1].map(|number| line(content, number)), [Some(1), Some(3), Some(4), None]);
    }

    #[test]
    fn a_whole_file_is_no_damage() {
        assert_eq!(damage(&whole()), BTreeMap::new());
    }

    #[test]
    fn every_field_that_is_lost_or_changed_is_damage_of_that_user_alone() {
        for field in FIELDS {
            let name = format!("7.{field}:");
            for value in ["", "x:", "i:x", "d:short", "d:\\0", "s:pppppppppppppppppppp", "i:", ":"] {
                let line = format!("{name}{value}");
                let content = with(&name, Some(&line));
                // An empty number is 0 for the original.
                let usable = value == "i:" && !matches!(field, "passwd" | "username");
                let expected: Vec<u8> = if usable { vec![] } else { vec![7] };
                assert_eq!(damage(&content).into_keys().collect::<Vec<_>>(), expected, "{line}");
            }
            assert_eq!(damage(&with(&name, None))[&7], format!("{field} is missing"));
            assert_eq!(damage(&with(&name, Some(&name[..name.len() - 2])))[&7], format!("{field} is missing"));
        }
        assert_eq!(damage(&with("7.", None)).into_keys().collect::<Vec<_>>(), [7], "the whole record");
    }

    /// A file can be cut anywhere: whoever stands behind the cut is damaged, whoever stands before it is not.
    #[test]
    fn a_file_that_is_cut_keeps_those_that_are_whole() {
        let content = whole();
        // Where the last line of each record ends.
        let mut ends = BTreeMap::new();
        let mut end = 0;
        for line in content.split_inclusive(|byte| *byte == b'\n') {
            end += line.len();
            let number = String::from_utf8_lossy(line).split('.').next().and_then(|number| number.parse::<u8>().ok());
            ends.insert(number.expect("a number"), end);
        }
        for cut in (0..content.len()).step_by(7).chain(content.len() - 400..content.len()) {
            let damaged = damage(&content[..cut]);
            for number in 1..64 {
                // The last line needs no line end.
                let is_whole = cut + 1 >= ends[&number];
                assert_eq!(!damaged.contains_key(&number), is_whole, "user {number}, cut at {cut}");
            }
        }
    }

    #[test]
    fn what_is_written_by_hand_may_be_a_part() {
        for (part, damaged) in [
            ("2.passwd:d:pppppppppppppppppppp\n", &[][..]),
            ("2.max_sessions:i:5\n", &[]),
            ("2.link_auth:i:1\n# 3.valid\n", &[]),
            ("2.valid:i:1\n2.passwd:d:pppppppppppppppppppp\n", &[]),
            ("2.valid:i:1\n", &[]),
            ("2.valid:i:1\n2.privilege:i:4\n3.passwd:d:short\n", &[2, 3]),
            ("2.passwd:s:pppppppppppppppppppp\n", &[2]),
        ] {
            assert_eq!(damage(part.as_bytes()).into_keys().collect::<Vec<_>>(), damaged, "{part}");
        }
    }

    #[test]
    fn a_file_without_an_item_is_all_damage() {
        for content in [&b""[..], b"\n\n", &[0; 4096], b"\x7fELF", b"# nothing\n"] {
            assert_eq!(damage(content).len(), 63, "{content:?}");
        }
    }
}
