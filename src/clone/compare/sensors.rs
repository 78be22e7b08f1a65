//! Sensors: what they say besides their records.

use std::collections::BTreeMap;

use super::{Class, Found, Value, subject};
use crate::clone::bytes::Bytes;
use crate::clone::model::Sensor;

/// Names of the thresholds in the order of the command (IPMI 2.0 section 35.9).
const THRESHOLDS: [&str; 6] = [
    "lower non-critical",
    "lower critical",
    "lower non-recoverable",
    "upper non-critical",
    "upper critical",
    "upper non-recoverable",
];
/// Flags of Get Sensor Reading and Get Sensor Event Enable.
const EVENTS: u8 = 0x80;
const SCANNING: u8 = 0x40;
/// Of Get Sensor Reading: there is no reading.
const UNAVAILABLE: u8 = 0x20;

pub(super) fn compare(mc: u8, a: &[Sensor], b: &[Sensor], found: &mut Found) {
    let by_place = |sensors| -> BTreeMap<(u8, u8), &Sensor> {
        <&[Sensor]>::into_iter(sensors).map(|it| ((it.lun, it.number), it)).collect()
    };
    let [a, mut b] = [a, b].map(by_place);
    for (place, sensor) in a {
        match b.remove(&place) {
            Some(other) => found.values(&named(mc, sensor), values(sensor), values(other)),
            None => found.presence(&named(mc, sensor), true, false),
        }
    }
    b.values().for_each(|sensor| found.presence(&named(mc, sensor), false, true));
}

fn named(mc: u8, sensor: &Sensor) -> String {
    let blank = if sensor.name.is_empty() { "" } else { " " };
    subject(mc, &format!("sensor{blank}{} ({}.{})", sensor.name, sensor.lun, sensor.number))
}

fn byte(byte: u8) -> String {
    format!("{byte:02x}h ({byte})")
}

fn enabled(flags: u8, bit: u8) -> &'static str {
    if flags & bit != 0 { "enabled" } else { "disabled" }
}

fn values(sensor: &Sensor) -> Vec<Value> {
    let mut values = Vec::new();
    let mut put = |what: &str, shown: String, class| values.push(Value::new(what, shown, class));
    put("sensor type", format!("{:02x}h", sensor.sensor_type), Class::Settings);
    put("event/reading type", format!("{:02x}h", sensor.event_reading_code), Class::Settings);
    put("events only", sensor.event_only.to_string(), Class::Settings);
    if let Some([reading, flags, states @ ..]) = sensor.reading.as_deref() {
        let is_there = flags & UNAVAILABLE == 0;
        put("reading", if is_there { byte(*reading) } else { "none".into() }, Class::Readings);
        put("states", states.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "), Class::Readings);
        put("events", enabled(*flags, EVENTS).into(), Class::Settings);
        put("scanning", enabled(*flags, SCANNING).into(), Class::Settings);
    }
    if let Some([readable, all @ ..]) = sensor.thresholds.as_deref() {
        let all = THRESHOLDS.iter().zip(all).enumerate().filter(|(bit, _)| readable >> bit & 1 != 0);
        for (_, (name, value)) in all {
            put(name, byte(*value), Class::Settings);
        }
    }
    if let Some([positive, negative, ..]) = sensor.hysteresis.as_deref() {
        put("positive hysteresis", byte(*positive), Class::Settings);
        put("negative hysteresis", byte(*negative), Class::Settings);
    }
    if let Some(enable) = &sensor.event_enable {
        put("event enables", events(enable), Class::Settings);
    }
    values
}

/// Flags, assertion and deassertion masks.
fn events(enable: &Bytes) -> String {
    let byte = |at: usize| enable.get(at).copied().unwrap_or_default();
    let mask = |at: usize| u16::from_le_bytes([byte(at), byte(at + 1)]);
    format!("flags {:02x}h, assertion {:04x}h, deassertion {:04x}h", byte(0), mask(1), mask(3))
}
