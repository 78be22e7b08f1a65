//! Sensors, thresholds, states and polling.

use std::collections::BTreeMap;

/// Where a controller sends its events (Set Event Receiver).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventReceiver {
    /// IPMB address; 0 is nobody.
    pub address: u8,
    /// LUN, 0 to 3; only ever reported.
    pub lun: u8,
}

/// The sensors of a controller and its event receiver.
#[derive(Debug, Default)]
pub struct Sensors {
    /// Where events go.
    pub event_receiver: EventReceiver,
    luns: [BTreeMap<u8, Box<Sensor>>; 4],
}

/// One sensor.
#[derive(Debug, Default)]
pub struct Sensor {
    /// Sensor type, IPMI 2.0 table 42-3.
    pub sensor_type: u8,
    /// Event/reading type code, IPMI 2.0 table 42-1.
    pub event_reading_code: u8,
    /// Whether it sends events.
    pub events_enabled: bool,
    /// Whether it is there; only a dependency of a polled sensor clears it.
    pub enabled: bool,
}

impl Sensors {
    /// The sensor `number` on `lun`.
    pub fn get(&self, lun: u8, number: u8) -> Option<&Sensor> {
        self.luns.get(usize::from(lun))?.get(&number).map(Box::as_ref)
    }
}
