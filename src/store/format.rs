//! The format of the state files (`persistence.md` section 2): lines `NAME:TYPE:VALUE`.
//!
//! Owns the reading of bytes, escapes and numbers; [`crate::state`] has what is read, and writes it. Never opens
//! a file and does not know what a name means.

use std::collections::BTreeMap;

use pest::Parser;
use pest::error::{ErrorVariant, LineColLocation};
use pest::iterators::Pair;

use super::users::{self, is_users_file};
use crate::state::{Dropped, Files, Item, Items, StoredFile, Value};

/// The grammar's rules; private, so that no rule leaks through a door.
mod grammar {
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/state.pest"]
    pub(crate) struct StateLine;
}

use grammar::{Rule, StateLine};

/// Reads a whole file. Never fails: a line that does not fit is left out and listed.
///
/// Empty lines are left out without being listed.
pub fn parse(file: &[u8]) -> (Items, Vec<Dropped>) {
    let mut list = Vec::new();
    let mut dropped = Vec::new();
    for (index, line) in file.split(|&byte| byte == b'\n').enumerate() {
        // The original's lines are C strings: a zero byte ends them.
        let line = line.split(|&byte| byte == 0).next().unwrap_or_default();
        if line.is_empty() {
            continue;
        }
        match parse_line(line) {
            Ok(item) => list.push(item),
            Err((column, reason)) => dropped.push(Dropped { line: index + 1, column, reason }),
        }
    }
    (list.into_iter().rev().collect(), dropped)
}

/// All of a state file with this name.
pub fn read(name: &str, content: &[u8]) -> StoredFile {
    let (items, dropped) = parse(content);
    let damaged = if is_users_file(name) { users::damage(content, &items) } else { Vec::new() };
    StoredFile { items, dropped, damaged }
}

/// [`read`], of each of them.
pub fn read_all(files: &BTreeMap<String, Vec<u8>>) -> Files {
    let mut read_files = Files::new();
    for (name, content) in files {
        read_files.insert(name.clone(), read(name, content));
    }
    read_files
}

/// One line: the item, or the column and what was expected there.
fn parse_line(line: &[u8]) -> Result<Item, (usize, &'static str)> {
    let characters: String = line.iter().copied().map(char::from).collect();
    let mut pairs = StateLine::parse(Rule::line, &characters).map_err(|error| {
        let column = match error.line_col {
            LineColLocation::Pos((_, column)) | LineColLocation::Span((_, column), _) => column,
        };
        let positives = match &error.variant {
            ErrorVariant::ParsingError { positives, .. } => positives.as_slice(),
            ErrorVariant::CustomError { .. } => &[],
        };
        (column, expectation(positives))
    })?;
    let unexpected = (1, "expected NAME:TYPE:VALUE");
    let mut parts = pairs.next().ok_or(unexpected)?.into_inner();
    let name = parts.find(|pair| pair.as_rule() == Rule::name).ok_or(unexpected)?;
    let name = name.as_str().chars().map(byte_of).collect();
    let item = parts
        .find(|pair| matches!(pair.as_rule(), Rule::integer_item | Rule::text_item | Rule::bytes_item))
        .ok_or(unexpected)?;
    let kind = item.as_rule();
    let value = item
        .into_inner()
        .find(|pair| matches!(pair.as_rule(), Rule::integer | Rule::escaped))
        .as_ref()
        .map_or("", Pair::as_str);
    let value = match kind {
        Rule::integer_item => Value::Integer(integer(value)),
        Rule::text_item => Value::Text(unescape(value)),
        _ => Value::Bytes(unescape(value)),
    };
    Ok(Item { name, value })
}

/// What to say for the rules that would have fitted where reading stopped.
fn expectation(rules: &[Rule]) -> &'static str {
    let has = |rule| rules.contains(&rule);
    if has(Rule::name) {
        "expected a name"
    } else if has(Rule::bytes_kind) {
        "expected the type i, d or s"
    } else if has(Rule::escaped_end) {
        "expected two hexadecimal digits after the backslash"
    } else if has(Rule::integer) || has(Rule::integer_end) {
        "expected a number and nothing behind it"
    } else if has(Rule::colon) {
        "expected a colon"
    } else {
        "expected NAME:TYPE:VALUE"
    }
}

/// The byte a character of [`parse_line`] was made from.
fn byte_of(character: char) -> u8 {
    u8::try_from(u32::from(character)).unwrap_or_default()
}

/// A number the grammar has accepted; too large ones stop at the ends as in C.
fn integer(text: &str) -> i64 {
    let text = text.trim_start_matches([' ', '\t', '\u{b}', '\u{c}', '\r']);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    digits.chars().filter_map(|digit| digit.to_digit(radix)).fold(0i64, |number, digit| {
        let number = number.saturating_mul(i64::from(radix));
        let digit = i64::from(digit);
        if negative { number.saturating_sub(digit) } else { number.saturating_add(digit) }
    })
}

/// Escaped text the grammar has accepted: every backslash has its two digits.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            let mut digit = || characters.next().and_then(|c| c.to_digit(16)).unwrap_or_default();
            let byte = digit() << 4 | digit();
            bytes.push(u8::try_from(byte).unwrap_or_default());
        } else {
            bytes.push(byte_of(character));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    /// The file of `persistence.md` section 7.
    const PUBLISHED: &[u8] = br#"last_add_time:i:1691752652
6:d:\06\00Q\11\140\03\80\00\00\10\00\08\02\00\c9mm2frudev
5:d:\05\00Q\02" \00\02\08\01\00\00%o\03\00\03\00\03\00\c0\00\00\00\00\00\00\00\00\00\00\c7mm1pres
4:d:\04\00Q\0120\00\01\07\01E\00\01\01\00\00\00\00\00\00\00\01\00\00\01\00\00\01\01\00\00\00\00\00\ff\00\00\00\00\00\00\00\00\00\00\00\00\c7SubTemp
3:d:\03\00Q\011 \00\01\07\01E\00\01\01\00\00\00\00\00\00\00\01\00\00\01\00\00\01\01\00\00\00\00\00\ff\00\00\00\00\00\00\00\00\00\00\00\00\c6MBTemp
2:d:\02\00Q\03\14 \00\00\07\01#o\00\00\00\00\c8watchdog
1:d:\01\00Q\12\14 \00\00\8f\00\00\00\07\01\00\c9IPMI sim1
"#;

    fn one(line: &[u8]) -> Result<Value, (usize, &'static str)> {
        let (items, dropped) = parse(line);
        let items: Vec<&Item> = items.iter().collect();
        match (items.as_slice(), dropped.as_slice()) {
            ([item], []) => Ok(item.value.clone()),
            ([], [note]) => Err((note.column, note.reason)),
            other => panic!("{other:?}"),
        }
    }

    fn number(value: &str) -> Option<i64> {
        match one(format!("n:i:{value}").as_bytes()) {
            Ok(Value::Integer(number)) => Some(number),
            Ok(other) => panic!("{other:?}"),
            Err(_) => None,
        }
    }

    #[test]
    fn the_published_repository_is_read_and_written_back_byte_for_byte() {
        let (items, dropped) = parse(PUBLISHED);
        assert_eq!(dropped, []);
        assert_eq!(items.list_integer("last_add_time"), Some(1_691_752_652));
        let records: Vec<&[u8]> = items.list_entries().map(|(_, bytes)| bytes).collect();
        let starts: Vec<&[u8]> = records.iter().map(|record| &record[..5]).collect();
        assert_eq!(
            starts,
            [
                [0x01, 0x00, 0x51, 0x12, 0x14],
                [0x02, 0x00, 0x51, 0x03, 0x14],
                [0x03, 0x00, 0x51, 0x01, 0x31],
                [0x04, 0x00, 0x51, 0x01, 0x32],
                [0x05, 0x00, 0x51, 0x02, 0x22],
                [0x06, 0x00, 0x51, 0x11, 0x14],
            ]
        );
        for record in &records {
            assert_eq!(record.len(), 5 + usize::from(record[4]));
        }
        assert_eq!(&records[0][5..16], [0x20, 0x00, 0x00, 0x8f, 0, 0, 0, 0x07, 0x01, 0x00, 0xc9]);
        assert!(records[0].ends_with(b"IPMI sim1"));
        assert_eq!(items.emit(), PUBLISHED);
    }

    #[test]
    fn escapes_take_exactly_two_digits_of_either_case() {
        assert_eq!(one(br"n:d:\0120"), Ok(Value::Bytes(vec![0x01, b'2', b'0'])));
        assert_eq!(one(br"n:d:\E0\41B\5C"), Ok(Value::Bytes(vec![0xe0, 0x41, 0x42, 0x5c])));
        assert_eq!(one(b"n:d:"), Ok(Value::Bytes(vec![])));
        let expected = "expected two hexadecimal digits after the backslash";
        assert_eq!(one(br"n:d:a\0g"), Err((6, expected)));
        assert_eq!(one(br"n:d:\0"), Err((5, expected)));
        assert_eq!(one(br"n:s:ab\"), Err((7, expected)));
    }

    #[test]
    fn every_other_byte_stands_for_itself_and_a_zero_byte_ends_the_line() {
        assert_eq!(one(b"n:d:\xe9\x80\xff:d:\"\t \r"), Ok(Value::Bytes(b"\xe9\x80\xff:d:\"\t \r".to_vec())));
        assert_eq!(one(b"n:d:ab\0cd"), Ok(Value::Bytes(b"ab".to_vec())));
        assert_eq!(one(b"n:i:1\0zz"), Ok(Value::Integer(1)));
        let (items, _) = parse(b"\xffn:i:1");
        assert_eq!(items.iter().next().unwrap().name, b"\xffn");
    }

    #[test]
    fn all_bytes_survive_and_are_written_as_the_original_does() {
        let all: Vec<u8> = (0..=255).collect();
        let mut items = Items::new();
        items.push_bytes("1", all.clone());
        let file = items.emit();
        assert_eq!(parse(&file), (items, vec![]));
        let mut items = Items::new();
        items.push_bytes("3.username", *b"odd \"n\\ame:\0\n\x7f\x80 ");
        assert_eq!(items.emit(), b"3.username:d:odd \"n\\5came:\\00\\0a\\7f\\80 \n");
    }

    #[test]
    fn numbers_are_read_by_the_rules_of_c() {
        for (text, value) in [
            ("", 0),
            ("0", 0),
            ("16", 16),
            ("0x10", 16),
            ("0XfF", 255),
            ("010", 8),
            ("-5", -5),
            ("+5", 5),
            ("-0x10", -16),
            (" \t\r7", 7),
            ("9223372036854775807", i64::MAX),
            ("9223372036854775808", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("-99999999999999999999", i64::MIN),
            ("0xffffffffffffffffff", i64::MAX),
        ] {
            assert_eq!(number(text), Some(value), "{text:?}");
        }
        for text in ["12x", "4 ", "4\r", "08", "0x", "zz", " ", "-", "+-1", "1 2", "0x1g"] {
            assert_eq!(number(text), None, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_written_in_decimal_and_read_back() {
        for value in [0, 1, -1, 1_691_752_652, i64::MAX, i64::MIN] {
            let mut items = Items::new();
            items.push_integer("time_offset", value);
            assert_eq!(items.emit(), format!("time_offset:i:{value}\n").into_bytes());
            assert_eq!(parse(&items.emit()).0.integer("time_offset"), Some(value));
        }
    }

    #[test]
    fn a_line_that_does_not_fit_is_named_with_its_place_and_the_others_are_used() {
        let file = b"# a comment\n\n::\n:d:\\01\n2:D:a\n2:dd:a\n2:\nn\ngood:i:1\nn:i:4 ";
        let (items, dropped) = parse(file);
        assert_eq!(items.len(), 1);
        assert_eq!(items.integer("good"), Some(1));
        let expected = [
            (1, 12, "expected a colon"),
            (3, 1, "expected a name"),
            (4, 1, "expected a name"),
            (5, 3, "expected the type i, d or s"),
            (6, 4, "expected a colon"),
            (7, 3, "expected the type i, d or s"),
            (8, 2, "expected a colon"),
            (10, 6, "expected a number and nothing behind it"),
        ];
        let dropped: Vec<_> = dropped.iter().map(|note| (note.line, note.column, note.reason)).collect();
        assert_eq!(dropped, expected);
    }

    #[test]
    fn read_by_name_the_last_line_counts_even_with_another_type() {
        let (items, _) = parse(b"a:i:1\na:i:2\nb:d:x\nb:i:5\nc:i:5\nc:d:x\nd:d:x\nd:s:y\n");
        assert_eq!(items.integer("a"), Some(2));
        assert_eq!((items.integer("b"), items.bytes("b")), (Some(5), None));
        assert_eq!((items.integer("c"), items.bytes("c")), (None, Some(b"x".as_slice())));
        assert_eq!(items.bytes("d"), None);
        assert_eq!(items.integer("e"), None);
    }

    #[test]
    fn in_a_list_the_first_number_counts_and_every_text_is_an_entry() {
        let (items, _) = parse(b"t:i:32\nt:i:99\n time:i:5\noff:d:5\noff:i:-7\n3:d:c\nx:s:b\n1:d:a");
        assert_eq!(items.list_integer("t"), Some(32));
        assert_eq!(items.list_integer("time"), None);
        assert_eq!(items.list_integer("off"), Some(-7));
        let entries: Vec<_> = items.list_entries().map(|(item, bytes)| (item.name_text(), bytes)).collect();
        let expected: [(Cow<'_, str>, &[u8]); 4] =
            [("1".into(), b"a"), ("x".into(), b"b"), ("3".into(), b"c"), ("off".into(), b"5")];
        assert_eq!(entries, expected);
    }

    #[test]
    fn no_bytes_at_all_make_the_reader_fail() {
        // A cheap walk through many short byte strings made of the bytes that mean something.
        let alphabet = [b':', b'i', b'd', b's', b'\\', b'0', b'x', b'9', b'-', b' ', 0x80, b'\n'];
        let mut state = 0x1234_5678_u32;
        for _ in 0..20_000 {
            let mut file = Vec::new();
            for _ in 0..12 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                file.push(alphabet[(state >> 16) as usize % alphabet.len()]);
            }
            let (items, _) = parse(&file);
            let again = parse(&items.emit());
            assert_eq!(again, (items, vec![]), "{file:?}");
        }
    }
}
