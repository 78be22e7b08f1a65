//! A record of the system event log.

use serde::Serialize;

use super::hex;
use crate::control::time;
use crate::sim::{LogEntry, SensorEvent};

/// A record.
#[derive(Debug, Serialize)]
pub(in crate::control) struct SelRecord {
    id: u16,
    record_type: u8,
    time: Option<String>,
    event: Option<Event>,
    raw: String,
}

/// What a system event says.
#[derive(Debug, Serialize)]
struct Event {
    generator: u16,
    sensor_type: u8,
    sensor: u8,
    name: Option<String>,
    event_type: u8,
    asserted: bool,
    data: String,
}

impl SelRecord {
    /// Of a record.
    pub(in crate::control) fn of(entry: LogEntry) -> Self {
        let LogEntry { record, sensor_name } = entry;
        let event = |event: SensorEvent| Event {
            generator: event.generator,
            sensor_type: event.sensor_type,
            sensor: event.sensor,
            name: sensor_name,
            event_type: event.event_type,
            asserted: event.asserted,
            data: hex(&event.data),
        };
        Self {
            id: record.id,
            record_type: record.record_type,
            time: record.time.map(time::of_seconds),
            event: record.event.map(event),
            raw: hex(&record.bytes),
        }
    }
}
