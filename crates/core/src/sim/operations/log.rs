//! The system event logs of the controllers: records as values, added and cleared.

use thiserror::Error;

use super::super::{Effects, Simulator};
use crate::bmc::sensor::{self, SensorId};
use crate::bmc::{self, Controller, sel};
use crate::ipmi::{McAddress, Moment};

/// Record type of a system event (IPMI 2.0 section 32.1).
const SYSTEM_EVENT: u8 = 0x02;
/// The first record type without a time.
pub(in crate::sim) const WITHOUT_TIME: u8 = 0xe0;
/// A time stamp that says nothing.
const NO_TIME: u32 = u32::MAX;

/// A record of the system event log (IPMI 2.0 section 32).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Record id, 1 to FFFEh.
    pub id: u16,
    /// Record type: 02h a system event; OEM records from C0h.
    pub record_type: u8,
    /// Seconds by the log's clock, usually since 1970; `None` for types without a time.
    pub time: Option<u32>,
    /// What a system event says.
    pub event: Option<SensorEvent>,
    /// All of it.
    pub bytes: [u8; 16],
}

/// The event of a record of type 02h (IPMI 2.0 table 32-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SensorEvent {
    /// Generator id: address or software id in the low byte, channel and LUN in the high one.
    pub generator: u16,
    /// Sensor type.
    pub sensor_type: u8,
    /// Sensor number.
    pub sensor: u8,
    /// The state begins to hold; else it ends.
    pub asserted: bool,
    /// Event/reading type code: 01h a threshold, 6Fh specific to the sensor type.
    pub event_type: u8,
    /// Event data: what happened is in bits 3-0 of the first byte.
    pub data: [u8; 3],
}

impl LogRecord {
    /// Takes a record apart.
    pub fn new(bytes: [u8; 16]) -> Self {
        let [id0, id1, record_type, t0, t1, t2, t3, g0, g1, _, sensor_type, sensor, code, data @ ..] = bytes;
        let time = Some(u32::from_le_bytes([t0, t1, t2, t3]));
        let event = SensorEvent {
            generator: u16::from_le_bytes([g0, g1]),
            sensor_type,
            sensor,
            asserted: code & 0x80 == 0,
            event_type: code & 0x7f,
            data,
        };
        Self {
            id: u16::from_le_bytes([id0, id1]),
            record_type,
            time: time.filter(|time| record_type < WITHOUT_TIME && *time != NO_TIME),
            event: (record_type == SYSTEM_EVENT).then_some(event),
            bytes,
        }
    }
}

/// A record, and what its sensor is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The record.
    pub record: LogRecord,
    /// Name of the sensor in the SDRs, of a system event.
    pub sensor_name: Option<String>,
}

/// A part of a log, oldest record first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// The records.
    pub entries: Vec<LogEntry>,
    /// How many records the log has.
    pub used: usize,
    /// For how many it has room.
    pub room: u32,
    /// Id of the last record here, when there are more: they are those `after` it.
    pub next: Option<u16>,
}

/// Why a log is not read or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LogFault {
    /// There is no controller at that address.
    #[error("there is no such controller")]
    NoController,
    /// The controller has no event log.
    #[error("the controller has no event log")]
    NoLog,
    /// There is no record with this id to go on after.
    #[error("the log has no record {0}")]
    NoRecord(u16),
    /// The log is full.
    #[error("the log is full")]
    Full,
}

impl Simulator {
    /// The system event log of the BMC, oldest record first.
    pub fn event_log(&self) -> Vec<LogRecord> {
        self.bmc().into_iter().flat_map(|bmc| bmc.sel.records()).map(|bytes| LogRecord::new(*bytes)).collect()
    }

    /// At most `limit` records of the log of a controller, those behind the record `after`, or from the oldest on.
    ///
    /// # Errors
    /// There is no such controller or log, or no record `after`.
    pub fn log_page(&self, mc: McAddress, after: Option<u16>, limit: usize) -> Result<LogPage, LogFault> {
        let log = &self.logging(mc)?.sel;
        let records = log.records();
        let used = records.len();
        let position = |id: u16| log.records().position(|bytes| LogRecord::new(*bytes).id == id);
        let first = match after {
            Some(id) => position(id).ok_or(LogFault::NoRecord(id))? + 1,
            None => 0,
        };
        let entries: Vec<LogEntry> = records.skip(first).take(limit).map(|bytes| self.log_entry_of(*bytes)).collect();
        let next = entries.last().map(|entry| entry.record.id).filter(|_| first + entries.len() < used);
        Ok(LogPage { entries, used, room: log.max_records(), next })
    }

    /// The record with this id in the log of a controller.
    pub fn log_entry(&self, mc: McAddress, id: u16) -> Option<LogEntry> {
        let mut records = self.machine.controller(mc)?.sel.records();
        records.find(|bytes| LogRecord::new(**bytes).id == id).map(|bytes| self.log_entry_of(*bytes))
    }

    fn log_entry_of(&self, bytes: [u8; 16]) -> LogEntry {
        let record = LogRecord::new(bytes);
        // The generator of a controller's event is its address, and the LUN in bits 1-0 of the second byte.
        let named = |event: SensorEvent| {
            let [address, place] = event.generator.to_le_bytes();
            let id = SensorId { mc: McAddress(address), lun: place & 0x03, number: event.sensor };
            sensor::name(&self.machine, id)
        };
        LogEntry { record, sensor_name: record.event.and_then(named) }
    }

    /// The controller, if it has a log.
    fn logging(&self, mc: McAddress) -> Result<&Controller, LogFault> {
        let controller = self.machine.controller(mc).ok_or(LogFault::NoController)?;
        let has_log = controller.device.has_sel() || controller.sel.records().len() > 0;
        has_log.then_some(controller).ok_or(LogFault::NoLog)
    }

    /// Adds a record to the log of the BMC; gives its id. `data` is what follows the record type: for types below E0h
    /// the first four bytes become the time.
    ///
    /// # Errors
    /// The log is full, or there is none.
    pub fn log_record(
        &mut self,
        now: Moment,
        record_type: u8,
        data: [u8; 13],
        out: &mut Effects,
    ) -> Result<u16, bmc::Error> {
        self.log_record_of(now, self.bmc_address(), (record_type, data), out).map_err(|fault| match fault {
            LogFault::NoController | LogFault::NoRecord(_) => bmc::Error::NoController,
            LogFault::NoLog => bmc::Error::NotSupported,
            LogFault::Full => bmc::Error::Full,
        })
    }

    /// Adds a record, its type and what follows that, to the log of a controller; gives its id. For types below E0h the
    /// first four bytes become the time.
    ///
    /// # Errors
    /// There is no such controller or log, or the log is full.
    pub fn log_record_of(
        &mut self,
        now: Moment,
        mc: McAddress,
        (record_type, data): (u8, [u8; 13]),
        out: &mut Effects,
    ) -> Result<u16, LogFault> {
        let mut at = self.machine.at(mc).ok_or(LogFault::NoController)?;
        let id = sel::add_entry(&mut at, now, record_type, data);
        self.carry_out_actions(now, out);
        id.map_err(|error| if error == bmc::Error::Full { LogFault::Full } else { LogFault::NoLog })
    }

    /// Clears the log of the BMC.
    pub fn clear_event_log(&mut self, now: Moment, out: &mut Effects) {
        // Where there is none, there is nothing to clear.
        let _ = self.clear_log_of(now, self.bmc_address(), out);
    }

    /// Clears the log of a controller.
    ///
    /// # Errors
    /// There is no such controller or log.
    pub fn clear_log_of(&mut self, now: Moment, mc: McAddress, out: &mut Effects) -> Result<(), LogFault> {
        self.logging(mc)?;
        if let Some(mut at) = self.machine.at(mc) {
            sel::clear(&mut at, now);
        }
        self.carry_out_actions(now, out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_taken_apart() {
        let bytes = [7, 0, 2, 0x80, 0x43, 0x6d, 0x38, 0x20, 0, 4, 1, 0x30, 0x81, 0x57, 0x60, 0x64];
        let record = LogRecord::new(bytes);
        assert_eq!((record.id, record.record_type, record.time), (7, 2, Some(0x386d_4380)));
        let event = record.event.expect("a system event");
        assert_eq!((event.generator, event.sensor_type, event.sensor), (0x20, 1, 0x30));
        assert_eq!((event.asserted, event.event_type, event.data), (false, 1, [0x57, 0x60, 0x64]));
        let oem = LogRecord::new([7, 0, 0xe0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
        assert_eq!((oem.time, oem.event), (None, None));
    }
}
