//! A machine of the parts that files hold, and what has to be assumed of the rest.

use std::collections::BTreeSet;

use super::sel::{Form, Log};
use crate::clone::bytes::Bytes;
use crate::clone::model::{BMC, Controller, DeviceId, Fru, Machine, Request, Response, Sel, Sensor};
use crate::clone::reads::Read;
use crate::clone::records::{SensorRecord, sensors_of};

/// Flags of a reading: events and scanning are enabled.
const WORKS: u8 = 0xc0;
/// There is no reading.
const UNAVAILABLE: u8 = 0x20;
/// Event/reading type code of threshold sensors.
const THRESHOLD: u8 = 0x01;
/// Bytes of a log that has room for more: as many records as many boards have.
const ROOM: usize = 512;
/// Bytes of a record of the log.
const RECORD: usize = 16;
/// Get SEL Allocation Info, Reserve SEL and Delete SEL Entry are supported.
const OPERATIONS: u8 = 0x0b;

/// Of a controller of which nothing is known but what it has.
const UNKNOWN: DeviceId = DeviceId {
    id: 0x20,
    revision: 0x01,
    major: 1,
    minor: 0,
    version: 0x02,
    support: 0,
    manufacturer: 0,
    product: 0,
    auxiliary: None,
};

/// What was read from files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The records of the BMC's repository.
    pub records: Option<Vec<Vec<u8>>>,
    /// Inventories: device id and bytes.
    pub frus: Vec<(u8, Vec<u8>)>,
    /// The event log.
    pub log: Option<Log>,
}

/// Puts the parts into a machine, in place of what it has of them. The sentences say what was taken and what is assumed.
pub fn put(parts: Parts, machine: &mut Machine) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(records) = parts.records {
        repository(records, machine, &mut notes);
    }
    let mut devices = Vec::new();
    for (device, data) in parts.frus {
        devices.push(device.to_string());
        if let Some(bmc) = machine.controller_mut(BMC) {
            bmc.frus.retain(|fru| (fru.lun, fru.device) != (0, device));
            bmc.frus.push(Fru { lun: 0, device, data: Bytes(data) });
            bmc.frus.sort_by_key(|fru| (fru.lun, fru.device));
        }
    }
    if !devices.is_empty() {
        notes.push(format!("Inventories were taken, of FRU devices {}.", devices.join(", ")));
    }
    if let Some(log) = parts.log {
        event_log(&log, machine, &mut notes);
    }
    notes
}

/// What a machine of which nothing is known but files is given besides: somebody who can log in.
pub fn strangers_machine(name: &str) -> (Machine, Vec<String>) {
    let mut machine = Machine::new(name);
    let mut user = [0; 16];
    user.iter_mut().zip(b"admin").for_each(|(to, from)| *to = *from);
    machine.keep(Request::new(BMC, Read::UserName, [2]), Response::done(user));
    // 63 users, one enabled and this one enabled, no fixed names; IPMI messages, administrator.
    machine.keep(Request::new(BMC, Read::UserAccess, [1, 2]), Response::done([63, 0x41, 0, 0x14]));
    let notes = vec![
        "Assumed: a BMC with LAN channel 1, a user admin (number 2), and a device id, manufacturer and firmware that mean nothing; \
         the files do not have them."
            .into(),
    ];
    (machine, notes)
}

fn repository(records: Vec<Vec<u8>>, machine: &mut Machine, notes: &mut Vec<String>) {
    let known = sensors_of(records.iter().map(Vec::as_slice));
    notes.push(format!("{} sensor data records were taken.", records.len()));
    // Owners with an odd number are programs, which have no sensors to be asked for.
    let owners: BTreeSet<(u8, u8)> =
        known.values().filter(|sensor| sensor.owner & 1 == 0).map(|sensor| (sensor.owner, sensor.channel)).collect();
    for (address, channel) in owners {
        if machine.controller_mut(address).is_none() {
            machine.controllers.push(Controller { address, channel, ..Controller::default() });
            notes.push(format!("Assumed: a controller at {address:#04x}, because records say that it has sensors."));
        }
    }
    for record in &records {
        capabilities(record, machine);
    }
    machine.controllers.sort_by_key(|controller| (controller.address != BMC, controller.address));
    let (mut nominal, mut middle, mut without) = (0, 0, 0);
    for controller in &mut machine.controllers {
        let of_it = known.values().filter(|sensor| sensor.owner == controller.address);
        controller.sensors = of_it
            .map(|sensor| {
                let record = records.iter().rfind(|record| is_of(record, sensor));
                let record = record.map(Vec::as_slice).unwrap_or_default();
                let (value, from) = reading(sensor, record);
                match from {
                    Source::Nominal => nominal += 1,
                    Source::Middle => middle += 1,
                    Source::Nothing => without += 1,
                    Source::State => {}
                }
                assumed(sensor, record, value)
            })
            .collect();
    }
    if let Some(bmc) = machine.controller_mut(BMC) {
        bmc.repository = Some(records.into_iter().map(Bytes).collect());
    }
    notes.push(format!(
        "Assumed: what sensors read. {nominal} have the nominal reading of their record, {middle} one between their limits, \
         {without} none; sensors with states have no state set."
    ));
}

/// Has a controller say what it has as its locator does (table 43-9), if there is nothing else that says so.
fn capabilities(record: &[u8], machine: &mut Machine) {
    let &[_, _, _, 0x12, _, address, _, _, support, ..] = record else { return };
    let request = Request::new(address & 0xfe, Read::DeviceId, []);
    if machine.controller_mut(request.mc).is_some() && !machine.exchanges.contains_key(&request) {
        let id = DeviceId { support, ..UNKNOWN };
        machine.keep(request, Response::done(id.emit()));
    }
}

fn is_of(record: &[u8], sensor: &SensorRecord) -> bool {
    crate::clone::records::sensors(record)
        .iter()
        .any(|known| (known.owner, known.lun, known.number) == (sensor.owner, sensor.lun, sensor.number))
}

/// Where a reading comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The record's nominal reading.
    Nominal,
    /// Between limits of the record.
    Middle,
    /// It has states and none of them.
    State,
    /// The record says nothing.
    Nothing,
}

/// A reading that is no alarm.
fn reading(sensor: &SensorRecord, record: &[u8]) -> (Option<u8>, Source) {
    if sensor.event_reading_code != THRESHOLD {
        return (Some(0), Source::State);
    }
    if record.get(3) != Some(&0x01) {
        return (None, Source::Nothing);
    }
    let byte = |at: usize| record.get(at).copied().unwrap_or_default();
    // Analog characteristic flags: nominal reading, normal maximum, normal minimum are specified (table 43-1, byte 31).
    let is_signed = matches!(byte(20) >> 6, 1 | 2);
    let flags = byte(30);
    if flags & 0x01 != 0 {
        return (Some(byte(31)), Source::Nominal);
    }
    if flags & 0x06 == 0x06 {
        return (Some(between(byte(33), byte(32), is_signed)), Source::Middle);
    }
    let limit = |from: std::ops::Range<usize>| {
        let (readable, values) = sensor.thresholds?;
        from.into_iter().find(|bit| readable >> bit & 1 != 0).and_then(|bit| values.get(bit).copied())
    };
    match (limit(0..3), limit(3..6)) {
        (Some(low), Some(high)) => (Some(between(low, high, is_signed)), Source::Middle),
        _ => (None, Source::Nothing),
    }
}

/// The middle of two raw readings.
fn between(low: u8, high: u8, is_signed: bool) -> u8 {
    if is_signed { low.cast_signed().midpoint(high.cast_signed()).cast_unsigned() } else { low.midpoint(high) }
}

/// A sensor as its record says that it starts, with a reading.
fn assumed(sensor: &SensorRecord, record: &[u8], value: Option<u8>) -> Sensor {
    let is_threshold = sensor.event_reading_code == THRESHOLD;
    let reading = match value {
        Some(value) if is_threshold => [value, WORKS, 0xc0].into(),
        Some(state) => [state, WORKS, 0x00, 0x80].into(),
        None => [0, WORKS | UNAVAILABLE, 0xc0].into(),
    };
    // Two bits each: 1 and 2 can be read (table 43-1, byte 12).
    let can_be_read = |bits: u8| matches!(bits & 0x03, 1 | 2);
    let thresholds = sensor.thresholds.filter(|_| is_threshold && can_be_read(sensor.capabilities >> 2));
    let hysteresis = sensor.hysteresis.filter(|_| is_threshold && can_be_read(sensor.capabilities >> 4));
    let has_events = !sensor.event_only && sensor.capabilities & 0x03 != 0x03;
    // Of threshold sensors bits 14-12 are about comparisons and readable thresholds.
    let events = if is_threshold { 0x0fff } else { 0x7fff };
    let enabled = sensor.events.map(|mask| (mask & events).to_le_bytes());
    Sensor {
        lun: sensor.lun,
        number: sensor.number,
        sensor_type: sensor.sensor_type,
        event_reading_code: sensor.event_reading_code,
        event_only: sensor.event_only,
        name: sensor.name.clone(),
        reading: (!sensor.event_only).then_some(reading),
        thresholds: thresholds.map(|(mask, values)| [&[mask], &values[..]].concat().into()),
        hysteresis: hysteresis.map(Bytes::from),
        event_enable: has_events.then(|| [&[started(record)], &enabled.concat()[..]].concat().into()),
    }
}

/// Flags of Get Sensor Event Enable as a sensor starts: events and scanning are enabled, unless its record has them set (bits 5 and
/// 6 of byte 11 of table 43-1) to what they are at power up (bits 1 and 0), and that is disabled.
fn started(record: &[u8]) -> u8 {
    let init = record.get(10).copied().unwrap_or_default();
    let is_set = |by: u8, to: u8| init & by == 0 || init & to != 0;
    u8::from(is_set(0x20, 0x02)) << 7 | u8::from(is_set(0x40, 0x01)) << 6
}

fn event_log(log: &Log, machine: &mut Machine, notes: &mut Vec<String>) {
    notes.push(format!("{} records of an event log were taken.", log.records.len()));
    if log.form == Form::Text {
        notes.push(
            "Assumed: records of the log are numbered from 1, of the BMC (generator 0020h), and have no time: the file does not \
             have these."
                .into(),
        );
    }
    notes.extend(log.left_out.iter().map(|fault| format!("Of the file of the log, line {fault}.")));
    let free = ROOM.saturating_sub(log.records.len()).max(16) * RECORD;
    let stamp = |record: &[u8; RECORD]| match *record {
        [_, _, 0x00..=0xdf, t0, t1, t2, t3, ..] => u32::from_le_bytes([t0, t1, t2, t3]),
        _ => 0,
    };
    let newest = log.records.iter().map(stamp).filter(|time| *time != u32::MAX).max().unwrap_or_default();
    if let Some(bmc) = machine.controller_mut(BMC) {
        bmc.sel = Some(Sel {
            records: log.records.iter().map(|record| record.into()).collect(),
            free: u16::try_from(free).unwrap_or(u16::MAX),
            support: OPERATIONS,
            last_add: newest,
            ..Sel::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clone::import::sel;

    /// A full record of a temperature with these bytes changed.
    fn full(changes: &[(usize, u8)]) -> Vec<u8> {
        let mut record = vec![0; 52];
        record[..14].copy_from_slice(&[1, 0, 0x51, 1, 47, 0x20, 0, 7, 3, 1, 0x7f, 0x68, 1, 1]);
        record[47] = 0xc4;
        record[48..].copy_from_slice(b"Temp");
        changes.iter().for_each(|(at, byte)| record[*at] = *byte);
        record
    }

    fn reading_of(record: &[u8]) -> Vec<u8> {
        let (mut machine, _) = strangers_machine("m");
        put(Parts { records: Some(vec![record.to_vec()]), ..Parts::default() }, &mut machine);
        machine.controllers[0].sensors[0].reading.as_deref().unwrap().to_vec()
    }

    #[test]
    fn a_reading_is_assumed_that_is_no_alarm() {
        assert_eq!(reading_of(&full(&[(30, 0x07), (31, 42), (32, 80), (33, 20)])), [42, 0xc0, 0xc0]);
        assert_eq!(reading_of(&full(&[(30, 0x06), (32, 80), (33, 20)])), [50, 0xc0, 0xc0]);
        // From -16 to 4, in two's complement.
        assert_eq!(reading_of(&full(&[(20, 0x80), (30, 0x06), (32, 4), (33, 0xf0)])), [0xfa, 0xc0, 0xc0]);
        // Lower critical 10, upper non-critical 90.
        assert_eq!(reading_of(&full(&[(18, 0x0a), (40, 10), (38, 90)])), [50, 0xc0, 0xc0]);
        assert_eq!(reading_of(&full(&[])), [0, 0xe0, 0xc0]);
        assert_eq!(reading_of(&full(&[(12, 8), (13, 0x6f)])), [0, 0xc0, 0, 0x80]);
    }

    #[test]
    fn a_machine_is_made_of_files_and_says_what_is_assumed() {
        let (mut machine, mut notes) = strangers_machine("m");
        let satellite = full(&[(5, 0x2c), (6, 0x60)]);
        let locator = b"\x04\x00\x51\x12\x0b\x2c\x06\x00\x29\x00\x00\x00\x2e\x01\x00\xc0".to_vec();
        let program = full(&[(5, 0x41)]);
        let log = sel::read(b"0x04 1 7 1 0x57 80 70\n0xd9 1 2 3 4 5 6\n").unwrap();
        let parts = Parts {
            records: Some(vec![full(&[]), satellite, program, locator]),
            frus: vec![(3, vec![1; 8]), (0, vec![2; 8])],
            log: Some(log),
        };
        notes.extend(put(parts, &mut machine));
        let addresses: Vec<(u8, u8)> = machine.controllers.iter().map(|it| (it.address, it.channel)).collect();
        assert_eq!(addresses, [(BMC, 0), (0x2c, 6)]);
        assert_eq!(machine.device_id(0x2c).unwrap().support, 0x29);
        assert_eq!((machine.controllers[0].sensors.len(), machine.controllers[1].sensors.len()), (1, 1));
        let bmc = machine.bmc().unwrap();
        assert_eq!(bmc.frus.iter().map(|fru| fru.device).collect::<Vec<_>>(), [0, 3]);
        let sel = bmc.sel.as_ref().unwrap();
        assert_eq!((sel.records.len(), sel.last_add, sel.free), (1, 0, 511 * 16));
        let notes = notes.join("\n");
        for expected in
            ["4 sensor data records", "devices 3, 0", "controller at 0x2c", "line 2: left out", "user admin", "no time"]
        {
            assert!(notes.contains(expected), "{expected}: {notes}");
        }
    }
}
