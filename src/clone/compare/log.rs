//! Event logs: records in their order, without the ids that a log gives and, apart from that, their times.

use super::{Class, Found, Value, hexadecimal};
use crate::clone::bytes::Bytes;
use crate::clone::model::Sel;

/// Two logs whose different middles have more pairs than this are told by their counts alone.
const MOST_PAIRS: usize = 250_000;

pub(super) fn compare(subject: &str, a: Option<&Sel>, b: Option<&Sel>, found: &mut Found) {
    let (Some(a), Some(b)) = (a, b) else {
        if a.is_some() != b.is_some() {
            found.presence(subject, a.is_some(), b.is_some());
        }
        return;
    };
    let values = |sel: &Sel| {
        vec![
            Value::new("free bytes", sel.free.to_string(), Class::Log),
            Value::new("operations", format!("{:02x}h", sel.support & 0x0f), Class::Settings),
            Value::new("overflow", (sel.support & 0x80 != 0).to_string(), Class::Log),
            Value::new("last addition", sel.last_add.to_string(), Class::Time),
            Value::new("last erasure", sel.last_erase.to_string(), Class::Time),
            Value::new("clock", sel.clock.map_or("not told".into(), |ahead| format!("{ahead} s ahead")), Class::Time),
        ]
    };
    found.values(subject, values(a), values(b));
    records(subject, &a.records, &b.records, found);
}

/// A record without its id, and without its time.
fn meaning(record: &Bytes) -> Vec<u8> {
    let kind = record.get(2).copied().unwrap_or_default();
    let from = if kind < 0xe0 { 7 } else { 3 };
    [&[kind], record.get(from..).unwrap_or_default()].concat()
}

fn records(subject: &str, a: &[Bytes], b: &[Bytes], found: &mut Found) {
    let [all_a, all_b] = [a, b].map(|records| records.iter().map(meaning).collect::<Vec<_>>());
    let before = all_a.iter().zip(&all_b).take_while(|(a, b)| a == b).count();
    let [rest_a, rest_b] = [&all_a, &all_b].map(|all| all.get(before..).unwrap_or_default());
    let behind = rest_a.iter().rev().zip(rest_b.iter().rev()).take_while(|(a, b)| a == b).count();
    let [rest_a, rest_b] = [rest_a, rest_b].map(|rest| rest.get(..rest.len() - behind).unwrap_or_default());
    if rest_a.is_empty() && rest_b.is_empty() {
        return times(subject, a, b, found);
    }
    if rest_a.len() * rest_b.len() > MOST_PAIRS {
        found.one(subject, Value::new("records", a.len().to_string(), Class::Log), b.len().to_string());
        return;
    }
    for (in_a, record) in without_common(rest_a, rest_b) {
        let shown = Some(hexadecimal(record));
        let (a, b) = if in_a { (shown, None) } else { (None, shown) };
        found.push(subject, "record", a, b, Class::Log);
    }
}

fn times(subject: &str, a: &[Bytes], b: &[Bytes], found: &mut Found) {
    let different = a.iter().zip(b).filter(|(a, b)| a.get(3..7) != b.get(3..7)).count();
    if different > 0 {
        let shown = format!("{different} different");
        found.one(subject, Value::new("times of records", shown.clone(), Class::Time), shown);
    }
}

/// What is not in the longest common subsequence, in order; whether it is the first's.
fn without_common<'a>(a: &'a [Vec<u8>], b: &'a [Vec<u8>]) -> Vec<(bool, &'a [u8])> {
    // lengths[i][j]: of the common subsequence of a from i and b from j.
    let mut lengths = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
    for (i, x) in a.iter().enumerate().rev() {
        for (j, y) in b.iter().enumerate().rev() {
            lengths[i][j] = if x == y { lengths[i + 1][j + 1] + 1 } else { lengths[i + 1][j].max(lengths[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    loop {
        match (a.get(i), b.get(j)) {
            (Some(x), Some(y)) if x == y => (i, j) = (i + 1, j + 1),
            (Some(x), y) if y.is_none() || lengths[i + 1][j] >= lengths[i][j + 1] => {
                out.push((true, x.as_slice()));
                i += 1;
            }
            (_, Some(y)) => {
                out.push((false, y.as_slice()));
                j += 1;
            }
            (_, None) => return out,
        }
    }
}
