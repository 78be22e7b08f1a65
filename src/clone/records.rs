//! What SDRs say that a walk and the writer of a folder have to know: which sensors there are, and where further
//! controllers and inventories are (IPMI 2.0 section 43).

use std::collections::BTreeMap;

use crate::bmc::sensor::record_name;

/// Record types, IPMI 2.0 table 43.
mod kind {
    pub(super) const FULL: u8 = 0x01;
    pub(super) const COMPACT: u8 = 0x02;
    pub(super) const EVENT_ONLY: u8 = 0x03;
    pub(super) const FRU_LOCATOR: u8 = 0x11;
    pub(super) const MC_LOCATOR: u8 = 0x12;
}

/// A sensor of a full, compact or event-only record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SensorRecord {
    /// IPMB address of its controller, or a software id (odd).
    pub owner: u8,
    /// Channel of its controller.
    pub channel: u8,
    /// LUN.
    pub lun: u8,
    /// Sensor number.
    pub number: u8,
    /// Sensor type.
    pub sensor_type: u8,
    /// Event/reading type code.
    pub event_reading_code: u8,
    /// The record is of the type for events only.
    pub event_only: bool,
    /// Sensor capabilities: event support, threshold and hysteresis access.
    pub capabilities: u8,
    /// Assertion and deassertion events that there are.
    pub events: [u16; 2],
    /// The thresholds of a full record: their readable mask, and LNC, LC, LNR, UNC, UC, UNR.
    pub thresholds: Option<(u8, [u8; 6])>,
    /// Positive and negative hysteresis.
    pub hysteresis: Option<[u8; 2]>,
    /// Its name.
    pub name: String,
}

/// Where something else is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Locator {
    /// A management controller (table 43-9).
    Controller {
        /// IPMB address.
        address: u8,
        /// Channel.
        channel: u8,
        /// Its name.
        name: String,
    },
    /// A logical FRU device (table 43-8).
    Fru {
        /// Address of the controller that has it.
        address: u8,
        /// Channel of that.
        channel: u8,
        /// LUN that it is behind.
        lun: u8,
        /// FRU device id.
        device: u8,
        /// Its name.
        name: String,
    },
}

fn byte(record: &[u8], at: usize) -> u8 {
    record.get(at).copied().unwrap_or_default()
}

fn word(record: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([byte(record, at), byte(record, at + 1)])
}

/// The sensors of a record: none, one, or those that share a compact or event-only one.
pub fn sensors(record: &[u8]) -> Vec<SensorRecord> {
    let record_type = byte(record, 3);
    let share = match record_type {
        kind::FULL => 1,
        kind::COMPACT => byte(record, 23) & 0x0f,
        kind::EVENT_ONLY => byte(record, 12) & 0x0f,
        _ => return Vec::new(),
    };
    let event_only = record_type == kind::EVENT_ONLY;
    let [sensor_type, code] = if event_only { [10, 11] } else { [12, 13] }.map(|at| byte(record, at));
    let one = SensorRecord {
        owner: byte(record, 5),
        channel: byte(record, 6) >> 4,
        lun: byte(record, 6) & 0x03,
        number: byte(record, 7),
        sensor_type,
        event_reading_code: code,
        event_only,
        capabilities: if event_only { 0x03 } else { byte(record, 11) },
        events: if event_only { [0; 2] } else { [word(record, 14), word(record, 16)] },
        thresholds: (record_type == kind::FULL).then(|| (byte(record, 18) & 0x3f, thresholds(record))),
        hysteresis: match record_type {
            kind::FULL => Some([byte(record, 42), byte(record, 43)]),
            kind::COMPACT => Some([byte(record, 25), byte(record, 26)]),
            _ => None,
        },
        name: record_name(record).unwrap_or_default(),
    };
    let numbers = (0..share.max(1)).filter_map(|index| one.number.checked_add(index));
    numbers.map(|number| SensorRecord { number, ..one.clone() }).collect()
}

/// The thresholds of a full record, lower non-critical first.
fn thresholds(record: &[u8]) -> [u8; 6] {
    std::array::from_fn(|index| byte(record, 41 - index))
}

/// The sensors of several records by owner, LUN and number; the last record of a sensor counts.
pub fn sensors_of<'a>(records: impl IntoIterator<Item = &'a [u8]>) -> BTreeMap<(u8, u8, u8), SensorRecord> {
    let all = records.into_iter().flat_map(sensors);
    all.map(|sensor| ((sensor.owner, sensor.lun, sensor.number), sensor)).collect()
}

/// Where the record says something else is.
pub fn locator(record: &[u8]) -> Option<Locator> {
    let name = record_name(record).unwrap_or_default();
    let address = byte(record, 5) & 0xfe;
    match byte(record, 3) {
        kind::MC_LOCATOR => Some(Locator::Controller { address, channel: byte(record, 6) & 0x0f, name }),
        // Bit 7 of byte 8: a logical device, which is read by commands; else it is a memory on a private bus.
        kind::FRU_LOCATOR if byte(record, 7) & 0x80 != 0 => Some(Locator::Fru {
            address,
            channel: byte(record, 8) >> 4,
            lun: byte(record, 7) >> 3 & 0x03,
            device: byte(record, 6),
            name,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(record_type: u8, body: &[(usize, u8)]) -> Vec<u8> {
        let mut record = vec![0; 64];
        (record[2], record[3], record[4]) = (0x51, record_type, 59);
        body.iter().for_each(|(at, byte)| record[*at] = *byte);
        record
    }

    #[test]
    fn a_compact_record_is_shared_by_sensors_in_a_row() {
        let record = record(2, &[(5, 0x20), (6, 0x73), (7, 9), (12, 8), (13, 0x6f), (23, 3)]);
        let found = sensors(&record);
        let numbers: Vec<u8> = found.iter().map(|sensor| sensor.number).collect();
        assert_eq!(numbers, [9, 10, 11]);
        assert_eq!((found[0].owner, found[0].channel, found[0].lun, found[0].sensor_type), (0x20, 7, 3, 8));
    }

    #[test]
    fn thresholds_are_in_the_order_of_the_command() {
        let record = record(1, &[(18, 0xff), (36, 6), (37, 5), (38, 4), (39, 3), (40, 2), (41, 1)]);
        assert_eq!(sensors(&record)[0].thresholds, Some((0x3f, [1, 2, 3, 4, 5, 6])));
    }

    #[test]
    fn locators_say_where_things_are() {
        let fru = record(0x11, &[(5, 0x82), (6, 5), (7, 0x90), (8, 0x60)]);
        let found = locator(&fru).unwrap();
        assert_eq!(found, Locator::Fru { address: 0x82, channel: 6, lun: 2, device: 5, name: String::new() });
        let controller = locator(&record(0x12, &[(5, 0x84), (6, 0x07)])).unwrap();
        assert_eq!(controller, Locator::Controller { address: 0x84, channel: 7, name: String::new() });
        assert_eq!((locator(&record(0x11, &[(7, 0x10)])), locator(&[])), (None, None));
    }

    #[test]
    fn bytes_that_are_missing_are_zero() {
        for length in 0..8 {
            let whole = record(2, &[(5, 0x20)]);
            assert!(sensors(&whole[..length]).len() <= 1);
        }
    }
}
