//! Inventories: part by part, and what is between the parts as bytes.

use std::collections::BTreeMap;

use super::{Class, Found, Value, hexadecimal, subject};
use crate::clone::model::Fru;
use crate::clone::scrub::disguise::Kind;
use crate::clone::scrub::forms::Form;
use crate::clone::scrub::fru::{Area, Part, visit};

/// Fields of the areas in their order.
const CHASSIS: [&str; 2] = ["part number", "serial number"];
const BOARD: [&str; 5] = ["manufacturer", "product name", "serial number", "part number", "FRU file id"];
const PRODUCT: [&str; 7] =
    ["manufacturer", "name", "part number", "version", "serial number", "asset tag", "FRU file id"];

pub(super) fn compare(mc: u8, a: &[Fru], b: &[Fru], found: &mut Found) {
    let by_place =
        |frus| -> BTreeMap<(u8, u8), &Fru> { <&[Fru]>::into_iter(frus).map(|it| ((it.lun, it.device), it)).collect() };
    let [a, mut b] = [a, b].map(by_place);
    for (place, fru) in a {
        match b.remove(&place) {
            Some(other) => one(&named(mc, fru), fru, other, found),
            None => found.presence(&named(mc, fru), true, false),
        }
    }
    b.values().for_each(|fru| found.presence(&named(mc, fru), false, true));
}

fn named(mc: u8, fru: &Fru) -> String {
    let behind = if fru.lun == 0 { String::new() } else { format!(" behind LUN {}", fru.lun) };
    subject(mc, &format!("inventory {}{behind}", fru.device))
}

fn one(subject: &str, a: &Fru, b: &Fru, found: &mut Found) {
    if a.data == b.data {
        return;
    }
    if a.data.len() != b.data.len() {
        found.one(subject, Value::new("size", a.data.len().to_string(), Class::Settings), b.data.len().to_string());
    }
    let before = found.0.len();
    found.values(subject, parts(a), parts(b));
    // Checksums follow from what else is different, so they count alone.
    if found.0.len() == before {
        let at = a.data.iter().zip(b.data.iter()).take_while(|(a, b)| a == b).count();
        let shown = |bytes: &[u8]| hexadecimal(&bytes.iter().skip(at).take(8).copied().collect::<Vec<_>>());
        found.one(subject, Value::new(format!("bytes from {at:#x}"), shown(&a.data), Class::Settings), shown(&b.data));
    }
}

/// The name of a field, by its place in its area.
fn field(area: Area, index: usize) -> String {
    let names: &[&str] = match area {
        Area::Chassis => &CHASSIS,
        Area::Board => &BOARD,
        Area::Product => &PRODUCT,
    };
    match names.get(index) {
        Some(name) => (*name).to_owned(),
        None => format!("own field {}", index + 1 - names.len()),
    }
}

/// What the areas hold. A checksum is no part: it follows from the others.
fn parts(fru: &Fru) -> Vec<Value> {
    let (mut values, mut image) = (Vec::new(), fru.data.to_vec());
    let mut own = 0;
    visit(&mut image, &mut |part, bytes| {
        let value = match part {
            Part::Head(area) => Value::new(format!("{} head", area.name()), hexadecimal(bytes), Class::Settings),
            Part::Field { area, index, kind, form } => {
                let class =
                    if matches!(kind, Some(Kind::Serial | Kind::AssetTag)) { Class::Identity } else { Class::Settings };
                let name = field(area, index);
                let shown = match form {
                    Form::Binary => hexadecimal(bytes),
                    form => form.decode(bytes),
                };
                Value::new(format!("{} {name}", area.name()), shown, class)
            }
            Part::Record(kind) => {
                own += 1;
                Value::new(format!("record {own} of type {kind:02x}h"), hexadecimal(bytes), Class::Settings)
            }
            Part::Access(_) => {
                own += 1;
                Value::new(format!("record {own} of type 03h"), hexadecimal(bytes), Class::Identity)
            }
            Part::Unknown => Value::new("internal or unknown area", hexadecimal(bytes), Class::Settings),
        };
        values.push(value);
    });
    values
}
