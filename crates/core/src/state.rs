//! What stands in state files: named values (`persistence.md` section 2), lines `NAME:TYPE:VALUE` of a file.
//!
//! Owns the writing of bytes, escapes and numbers, and the two rules for a name that stands in a file more than
//! once. Does not know what a name means; `store::format` reads.
//!
//! **Order.** A file is written from the last item to the first. [`Items`] keeps the
//! *logical* order, which is the file's lines reversed: the oldest log entry, the first
//! SDR, user 0 come first, and the times of a list are pushed before its entries. The
//! reader reverses and the writer reverses back.

use crate::ipmi::UserNumber;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Our own file: the GUIDs made for LAN channels without a `guid` line. Same format as the
/// others, an item `XX.N` of 16 bytes for channel N of the MC at XX. The original never
/// looks at it.
pub const GUID_FILE: &str = "guid";

/// The state files of a system, by name.
pub type Files = BTreeMap<String, StoredFile>;

/// A state file as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredFile {
    /// What it holds.
    pub items: Items,
    /// Its lines that were left out.
    pub dropped: Vec<Dropped>,
    /// In a file of users: whose records are damaged.
    pub damaged: Vec<Damage>,
}

/// What is wrong with the record of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// User number, 1 to 63.
    pub user: UserNumber,
    /// For people.
    pub what: String,
    /// The first line, from 1, that is about the user.
    pub line: Option<usize>,
}

impl From<Items> for StoredFile {
    /// A file as this program writes it.
    fn from(items: Items) -> Self {
        Self { items, ..Self::default() }
    }
}

/// What an item holds: the letter after its name and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `i`: a number, written in decimal.
    Integer(i64),
    /// `d`: bytes, written with escapes.
    Bytes(Vec<u8>),
    /// `s`: text, escaped like bytes. The simulator reads it in lists and never writes it.
    Text(Vec<u8>),
}

/// One line of a state file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its name: one byte or more, none of them `:`, line feed or zero.
    pub name: Vec<u8>,
    /// Its value.
    pub value: Value,
}

impl Item {
    /// The name for people to read.
    pub fn name_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.name)
    }
}

/// A line that was left out while reading; all other lines are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Line number, from 1.
    pub line: usize,
    /// Byte in the line at which reading failed, from 1.
    pub column: usize,
    /// What was expected there.
    pub reason: &'static str,
}

/// The items of a state file in logical order: the file's lines reversed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items {
    list: Vec<Item>,
}

/// In logical order.
impl FromIterator<Item> for Items {
    fn from_iter<T: IntoIterator<Item = Item>>(items: T) -> Self {
        Self { list: items.into_iter().collect() }
    }
}

impl Items {
    /// No items.
    pub fn new() -> Self {
        Self::default()
    }

    /// The whole file: every item on its line, last item first.
    ///
    /// An item whose name could not be read back (see [`Item::name`]) is left out rather
    /// than allowed to damage its neighbours.
    pub fn emit(&self) -> Vec<u8> {
        let mut file = Vec::new();
        for item in self.list.iter().rev() {
            if item.name.is_empty() || item.name.iter().any(|byte| matches!(byte, b':' | b'\n' | 0)) {
                debug_assert!(false, "a state item named {:?}", item.name_text());
                continue;
            }
            file.extend_from_slice(&item.name);
            match &item.value {
                Value::Integer(number) => file.extend_from_slice(format!(":i:{number}").as_bytes()),
                Value::Bytes(bytes) => emit_escaped(b":d:", bytes, &mut file),
                Value::Text(bytes) => emit_escaped(b":s:", bytes, &mut file),
            }
            file.push(b'\n');
        }
        file
    }

    /// Appends a number; it will stand in the file before everything pushed earlier.
    pub fn push_integer(&mut self, name: impl AsRef<str>, number: i64) {
        self.list.push(Item { name: name.as_ref().into(), value: Value::Integer(number) });
    }

    /// Appends bytes; they will stand in the file before everything pushed earlier.
    pub fn push_bytes(&mut self, name: impl AsRef<str>, bytes: impl Into<Vec<u8>>) {
        self.list.push(Item { name: name.as_ref().into(), value: Value::Bytes(bytes.into()) });
    }

    /// Gives back memory that nothing stands in.
    pub fn shrink_to_fit(&mut self) {
        self.list.shrink_to_fit();
    }

    /// All items in logical order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Item> {
        self.list.iter()
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// A number in a file read by name (users, lanparm, sol). The *last* line with the
    /// name counts, even when it holds something else, which is then no number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.last_line(name)? {
            Value::Integer(number) => Some(*number),
            Value::Bytes(_) | Value::Text(_) => None,
        }
    }

    /// Bytes in a file read by name (users, lanparm, sol). The *last* line with the name
    /// counts, even when it holds something else, text included, which is then no bytes.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        match self.last_line(name)? {
            Value::Bytes(bytes) => Some(bytes),
            Value::Integer(_) | Value::Text(_) => None,
        }
    }

    /// A number beside the entries of a list (sel, sdr). The *first* line that has the
    /// name and holds a number counts.
    pub fn list_integer(&self, name: &str) -> Option<i64> {
        self.list.iter().rev().filter(|item| item.name == name.as_bytes()).find_map(|item| match &item.value {
            Value::Integer(number) => Some(*number),
            Value::Bytes(_) | Value::Text(_) => None,
        })
    }

    /// The entries of a list (sel, sdr) in logical order, oldest or first one first:
    /// every item of bytes or text, whatever its name.
    pub fn list_entries(&self) -> impl Iterator<Item = (&Item, &[u8])> {
        self.list.iter().filter_map(|item| match &item.value {
            Value::Bytes(bytes) | Value::Text(bytes) => Some((item, bytes.as_slice())),
            Value::Integer(_) => None,
        })
    }

    fn last_line(&self, name: &str) -> Option<&Value> {
        self.list.iter().find(|item| item.name == name.as_bytes()).map(|item| &item.value)
    }
}

fn emit_escaped(kind: &[u8], bytes: &[u8], file: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    file.extend_from_slice(kind);
    for &byte in bytes {
        match byte {
            b' '..=b'~' if byte != b'\\' => file.push(byte),
            _ => file.extend_from_slice(&[b'\\', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0x0f)]]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushing_in_logical_order_writes_the_original_order() {
        let mut sel = Items::new();
        sel.push_integer("last_add_time", 3);
        sel.push_integer("last_erase_time", 2);
        sel.push_integer("time_offset", -1);
        sel.push_bytes("1", *b"old");
        sel.push_bytes("2", *b"new");
        assert_eq!(sel.emit(), b"2:d:new\n1:d:old\ntime_offset:i:-1\nlast_erase_time:i:2\nlast_add_time:i:3\n");
    }
}
