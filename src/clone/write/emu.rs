//! The command file of a clone: its controllers, inventories and sensors.

use std::fmt::Write;

use super::{Settings, fru_file, rows};
use crate::clone::check::Difference;
use crate::clone::model::{BMC, Controller, DeviceId, Machine, Sensor};
use crate::clone::reads::Read;
use crate::clone::records::{SensorRecord, sensors_of};

/// Support of a device that tells nothing of itself: chassis, FRU, SEL, SDR repository, sensors.
const USUAL_SUPPORT: u8 = 0x8f;
/// Device id of a controller that tells nothing.
const USUAL: DeviceId = DeviceId {
    id: 0x20,
    revision: 0x01,
    major: 1,
    minor: 0,
    version: 0x02,
    support: USUAL_SUPPORT,
    manufacturer: 0,
    product: 0,
    auxiliary: None,
};
/// Bytes of a SEL record.
const RECORD: u16 = 16;
/// Largest inventory, in bytes, that the original takes.
const MOST_FRU: usize = 8192;

/// The text of the file.
pub(super) fn text(machine: &Machine, settings: &Settings, differences: &[Difference]) -> String {
    let mut out = String::from("# Made by ipmi_simctl; README says of what.\n\n");
    sites(machine, &mut out);
    out.push_str("mc_setbmc 0x20\n");
    let bmc = machine.bmc();
    let records = || bmc.into_iter().flat_map(all_records);
    for controller in &machine.controllers {
        add(machine, controller, &mut out);
    }
    out.push('\n');
    for controller in &machine.controllers {
        inventories(machine, controller, settings, &mut out);
    }
    let known = sensors_of(records().chain(machine.controllers.iter().skip(1).flat_map(all_records)));
    for controller in &machine.controllers {
        for sensor in &controller.sensors {
            let record = known.get(&(controller.address, sensor.lun, sensor.number));
            add_sensor(controller.address, sensor, record, &mut out);
        }
    }
    out.push('\n');
    // Satellites first: the BMC opens the channels.
    for controller in machine.controllers.iter().rev() {
        let _ = writeln!(out, "mc_enable {:#04x}", controller.address);
    }
    rows::text(machine, differences, &mut out);
    out
}

/// The sites of a shelf.
fn sites(machine: &Machine, out: &mut String) {
    const PICMG: u8 = 0x00;
    if machine.told(BMC, Read::PicmgProperties, &[PICMG]).is_none() {
        return;
    }
    out.push_str("atca_enable\n");
    for controller in &machine.controllers {
        // Group, hardware address, IPMB address, FFh, FRU device, site number, site type.
        let told = machine.told(controller.address, Read::PicmgAddress, &[PICMG]);
        if let Some([_, hardware, _, _, _, number, kind, ..]) = told {
            let _ = writeln!(out, "atca_set_site {hardware:#04x} {kind:#04x} {number}");
        }
    }
}

fn all_records(controller: &Controller) -> impl Iterator<Item = &[u8]> {
    let repository = controller.repository.iter().flatten();
    repository.chain(controller.device_sdrs.values().flatten()).map(|record| &**record)
}

fn add(machine: &Machine, controller: &Controller, out: &mut String) {
    let mc = controller.address;
    let mut id = machine.device_id(mc).unwrap_or(USUAL);
    // What there is something of, is there.
    for (bit, is_there) in
        [(0x02, controller.repository.is_some()), (0x04, controller.sel.is_some()), (0x08, !controller.frus.is_empty())]
    {
        id.support |= if is_there { bit } else { 0 };
    }
    let device_sdrs = if id.revision & 0x80 != 0 || !controller.device_sdrs.is_empty() { "has" } else { "no" };
    let persist = if mc == BMC { " persist_sdr" } else { "" };
    let _ = writeln!(
        out,
        "\nmc_add {mc:#04x} {:#04x} {device_sdrs}-device-sdrs {:#04x} {:#04x} {:#04x} {:#04x} {:#08x} {:#06x}{persist}",
        id.id,
        id.revision & 0x0f,
        id.major,
        id.minor,
        id.support,
        id.manufacturer,
        id.product,
    );
    if let Some(sel) = &controller.sel {
        let count = u16::try_from(sel.records.len()).unwrap_or(u16::MAX);
        let capacity = count.saturating_add(sel.free / RECORD).max(1);
        let _ = writeln!(out, "sel_enable {mc:#04x} {capacity} {:#04x}", sel.support & 0x0b);
    }
    // The records of the BMC, and its log, are in the state folder.
    if mc == BMC {
        return;
    }
    for record in controller.repository.iter().flatten() {
        let _ = writeln!(out, "main_sdr_add {mc:#04x}{}", bytes(record));
    }
    for (lun, records) in &controller.device_sdrs {
        for record in records {
            let _ = writeln!(out, "device_sdr_add {mc:#04x} {lun}{}", bytes(record));
        }
    }
    for record in controller.sel.iter().flat_map(|sel| &sel.records) {
        if let [_, _, record_type, data @ ..] = &**record {
            let _ = writeln!(out, "sel_add {mc:#04x} {record_type:#04x}{}", bytes(data));
        }
    }
}

fn bytes(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, " {byte:#04x}");
        out
    })
}

fn inventories(machine: &Machine, controller: &Controller, settings: &Settings, out: &mut String) {
    for fru in super::inventories(controller) {
        let path = settings.place(machine).join(fru_file(controller, fru));
        let size = fru.data.len().min(MOST_FRU);
        let (mc, device) = (controller.address, fru.device);
        let _ = writeln!(out, "mc_add_fru_data {mc:#04x} {device} {size} file 0 \"{}\"", path.display());
    }
}

/// Flags of Get Sensor Event Enable and Get Sensor Reading.
const EVENTS_ENABLED: u8 = 0x80;
const SCANNING_ENABLED: u8 = 0x40;
/// Of Get Sensor Reading: there is no reading.
const UNAVAILABLE: u8 = 0x20;
/// Event/reading type code of threshold sensors.
const THRESHOLD: u8 = 0x01;

fn add_sensor(mc: u8, sensor: &Sensor, record: Option<&SensorRecord>, out: &mut String) {
    let place = format!("{mc:#04x} {} {}", sensor.lun, sensor.number);
    let event_only = if sensor.event_only { " event-only" } else { "" };
    let name = sensor.name.replace(|c: char| c.is_control(), " ");
    let _ = if name.is_empty() { writeln!(out) } else { writeln!(out, "\n# {name}") };
    let (kind, code) = (sensor.sensor_type, sensor.event_reading_code);
    let _ = writeln!(out, "sensor_add {place} {kind:#04x} {code:#04x}{event_only}");
    hysteresis(&place, sensor, record, out);
    thresholds(&place, sensor, record, out);
    events(&place, sensor, record, out);
    reading(&place, sensor, record, out);
}

/// How something of a sensor can be accessed, from two bits of its record.
fn access(bits: u8) -> &'static str {
    match bits & 0x03 {
        0 | 1 => "readable",
        2 => "settable",
        _ => "fixed",
    }
}

fn hysteresis(place: &str, sensor: &Sensor, record: Option<&SensorRecord>, out: &mut String) {
    let Some([positive, negative, ..]) = sensor.hysteresis.as_deref() else {
        if record.is_some_and(|record| matches!(record.capabilities >> 4 & 0x03, 1 | 2)) {
            let _ = writeln!(out, "sensor_set_hysteresis {place} none 0 0");
        }
        return;
    };
    let access = access(record.map_or(0, |record| record.capabilities >> 4));
    let is_record = record.is_some_and(|record| {
        record.hysteresis == Some([*positive, *negative]) && matches!(record.capabilities >> 4 & 0x03, 1 | 2)
    });
    if !is_record {
        let _ = writeln!(out, "sensor_set_hysteresis {place} {access} {positive} {negative}");
    }
}

fn thresholds(place: &str, sensor: &Sensor, record: Option<&SensorRecord>, out: &mut String) {
    let Some([mask, values @ ..]) = sensor.thresholds.as_deref() else {
        let has = record.is_some_and(|record| matches!(record.capabilities >> 2 & 0x03, 1 | 2));
        if has && sensor.event_reading_code == THRESHOLD && !sensor.event_only {
            let _ = writeln!(out, "sensor_set_threshold {place} none 000000 0 0 0 0 0 0");
        }
        return;
    };
    let mask = mask & 0x3f;
    let values: [u8; 6] = std::array::from_fn(|index| values.get(index).copied().unwrap_or_default());
    let is_record = record.is_some_and(|record| {
        let told =
            |values: &[u8; 6]| std::array::from_fn::<_, 6, _>(|i| if mask >> i & 1 != 0 { values[i] } else { 0 });
        let same = record.thresholds.is_some_and(|(readable, set)| readable == mask && told(&set) == told(&values));
        same && matches!(record.capabilities >> 2 & 0x03, 1 | 2)
    });
    if is_record {
        return;
    }
    let access = access(record.map_or(0, |record| record.capabilities >> 2));
    let _ = write!(out, "sensor_set_threshold {place} {access} {mask:06b}");
    for value in values.iter().rev() {
        let _ = write!(out, " {value}");
    }
    out.push('\n');
}

fn events(place: &str, sensor: &Sensor, record: Option<&SensorRecord>, out: &mut String) {
    let is_nothing = sensor.event_enable.as_deref().is_none_or(|data| data.iter().all(|byte| *byte == 0));
    if sensor.event_only && is_nothing {
        return;
    }
    let byte = |at: usize| sensor.event_enable.as_deref().and_then(|data| data.get(at)).copied().unwrap_or_default();
    let flags = match (&sensor.event_enable, &sensor.reading) {
        (Some(_), _) => byte(0),
        (None, Some(reading)) => reading.get(1).copied().unwrap_or(EVENTS_ENABLED | SCANNING_ENABLED),
        (None, None) => EVENTS_ENABLED | SCANNING_ENABLED,
    };
    let enabled = match sensor.event_enable {
        Some(_) => [1, 3].map(|at| u16::from_le_bytes([byte(at), byte(at + 1)]) & 0x7fff),
        None => record.map_or([0; 2], |record| record.events.map(|mask| mask & 0x7fff)),
    };
    let supported = record.map_or(enabled, |record| record.events.map(|mask| mask & 0x7fff));
    let word = |bit: u8, yes, no| if flags & bit != 0 { yes } else { no };
    let support = match record.map_or(0, |record| record.capabilities & 0x03) {
        _ if sensor.event_enable.is_none() => "none",
        1 => "entire-sensor",
        2 => "global",
        _ => "per-state",
    };
    let [assert, deassert] = [0, 1].map(|i| supported[i] | enabled[i]);
    let _ = writeln!(
        out,
        "sensor_set_event_support {place} {} {} {support} {assert:015b} {deassert:015b} {:015b} {:015b}",
        word(EVENTS_ENABLED, "enable", "disable"),
        word(SCANNING_ENABLED, "scanning", "no-scanning"),
        enabled[0],
        enabled[1],
    );
}

fn reading(place: &str, sensor: &Sensor, record: Option<&SensorRecord>, out: &mut String) {
    let Some([value, flags, states @ ..]) = sensor.reading.as_deref() else { return };
    if flags & UNAVAILABLE != 0 {
        return;
    }
    let _ = writeln!(out, "sensor_set_value {place} {value} 0");
    let byte = |at: usize| states.get(at).copied().unwrap_or_default();
    // Of a threshold sensor the first byte: what is crossed, and two bits that some boards set.
    let high = if sensor.event_reading_code == THRESHOLD { 0 } else { byte(1) };
    let states = u16::from_le_bytes([byte(0), high]) & 0x7fff;
    if sensor.event_reading_code == THRESHOLD {
        for bit in crossed(*value, sensor, record).filter(|bit| states >> bit & 1 == 0) {
            let _ = writeln!(out, "sensor_set_bit {place} {bit} 0 0");
        }
    }
    for bit in (0..15).filter(|bit| states >> bit & 1 != 0) {
        let _ = writeln!(out, "sensor_set_bit {place} {bit} 1 0");
    }
}

/// The thresholds that a reading may seem to have crossed, taken with a sign or without: the machine knows better than its
/// records.
fn crossed<'a>(
    value: u8,
    sensor: &'a Sensor,
    record: Option<&'a SensorRecord>,
) -> impl Iterator<Item = usize> + use<'a> {
    let told = sensor.thresholds.as_deref().and_then(|data| data.split_first());
    // Bits 12 to 14 of the two words say which lower and upper thresholds are compared.
    let [lower, upper] = record.map_or([0; 2], |record| record.events.map(|word| (word >> 12 & 0x07) as u8));
    let compared = lower | upper << 3;
    (0..6).filter(move |bit| {
        let readable = told.filter(|(mask, _)| **mask >> bit & 1 != 0);
        let in_record = || record.filter(|_| compared >> bit & 1 != 0)?.thresholds?.1.get(*bit).copied();
        let limit = readable.and_then(|(_, values)| values.get(*bit).copied()).or_else(in_record);
        let sign = |byte: u8| byte ^ 0x80;
        limit.is_some_and(|limit| {
            let below = value <= limit || sign(value) <= sign(limit);
            let above = value >= limit || sign(value) >= sign(limit);
            if *bit < 3 { below } else { above }
        })
    })
}
