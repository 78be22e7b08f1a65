//! Sensor data records: each by its key, then field by field.

use std::collections::BTreeMap;

use super::{Class, Found, Value, hexadecimal};
use crate::bmc::sensor::record_name;
use crate::clone::bytes::Bytes;
use crate::sdrcomp::decompile::decompile;

/// What a record is found by: type, the bytes of its key, and which of several it is.
type Key = (u8, Vec<u8>, usize);

/// Compares two repositories.
pub(super) fn compare(subject: &str, a: Option<&[Bytes]>, b: Option<&[Bytes]>, found: &mut Found) {
    let (Some(a), Some(b)) = (a, b) else {
        if a.is_some() != b.is_some() {
            found.presence(subject, a.is_some(), b.is_some());
        }
        return;
    };
    let [keys_a, keys_b] = [a, b].map(keys);
    let mut of_b: BTreeMap<&Key, &Bytes> = keys_b.iter().zip(b).collect();
    for (key, record) in keys_a.iter().zip(a) {
        match of_b.remove(key) {
            Some(other) => one(subject, record, other, found),
            None => found.presence(&named(subject, record), true, false),
        }
    }
    let only_b: Vec<&Key> = keys_b.iter().filter(|key| of_b.contains_key(key)).collect();
    only_b
        .iter()
        .filter_map(|key| of_b.get(*key))
        .for_each(|record| found.presence(&named(subject, record), false, true));
    order(subject, &keys_a, &keys_b, found);
}

fn order(subject: &str, a: &[Key], b: &[Key], found: &mut Found) {
    let common = |keys: &[Key], others: &[Key]| -> Vec<Key> {
        keys.iter().filter(|key| others.contains(key)).cloned().collect()
    };
    let [a, b] = [common(a, b), common(b, a)];
    let Some(first) = a.iter().zip(&b).position(|(a, b)| a != b) else { return };
    let shown = |keys: &[Key]| {
        let types: Vec<String> = keys.iter().skip(first).take(4).map(|(kind, ..)| kind.to_string()).collect();
        types.join(", ")
    };
    found.one(subject, Value::new("order", shown(&a), Class::Settings), shown(&b));
}

/// The keys of records, by type (IPMI 2.0 section 43).
fn keys(records: &[Bytes]) -> Vec<Key> {
    let mut seen: BTreeMap<(u8, Vec<u8>), usize> = BTreeMap::new();
    let key = |record: &Bytes| {
        let kind = record.get(3).copied().unwrap_or_default();
        let key = match kind {
            0x01..=0x03 | 0x11 => record.get(5..8),
            0x08 | 0x09 | 0x10 => record.get(5..9),
            0x12 | 0x13 => record.get(5..7),
            _ => None,
        };
        let key = key.unwrap_or_default().to_vec();
        let count = seen.entry((kind, key.clone())).or_default();
        *count += 1;
        (kind, key, *count)
    };
    records.iter().map(key).collect()
}

fn named(subject: &str, record: &[u8]) -> String {
    let (what, place) =
        subject.split_once(" at ").map_or((subject, String::new()), |(what, at)| (what, format!(" at {at}")));
    match record_name(record).filter(|name| !name.is_empty()) {
        Some(name) => format!("{what} {name}{place}"),
        None => format!("{what} of type {:02x}h{place}", record.get(3).copied().unwrap_or_default()),
    }
}

fn one(subject: &str, a: &[u8], b: &[u8], found: &mut Found) {
    if a == b {
        return;
    }
    let subject = named(subject, a);
    let id = |record: &[u8]| match record {
        [low, high, ..] => u16::from_le_bytes([*low, *high]).to_string(),
        _ => "none".into(),
    };
    if id(a) != id(b) {
        found.one(&subject, Value::new("record id", id(a), Class::Settings), id(b));
    }
    let [rest_a, rest_b] = [a, b].map(|record| record.get(2..).unwrap_or_default());
    if rest_a == rest_b {
        return;
    }
    let before = found.0.len();
    found.values(&subject, fields(a), fields(b));
    if found.0.len() == before {
        let bytes = |record: &[u8]| hexadecimal(record.get(5..).unwrap_or_default());
        found.one(&subject, Value::new("bytes", bytes(a), Class::Settings), bytes(b));
    }
}

/// The fields of a record, as the source of records has them.
fn fields(record: &[u8]) -> Vec<Value> {
    let text = decompile(record).text;
    let text = String::from_utf8_lossy(&text);
    let fields = text.lines().filter_map(|line| line.strip_prefix('\t')?.split_once('\t'));
    fields.map(|(name, value)| Value::new(name, value, Class::Settings)).collect()
}
