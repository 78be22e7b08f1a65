//! Events: from a sensor to the event receiver, its SEL and its event message buffer
//! (`commands-sensor-storage.md` section 4.1).
//!
//! There is no queue and no delay: an event is in the receiver's log when the function
//! returns, or it is lost.

use super::sel::Record;
use super::sensor_id::{Place, SensorId};
use super::{At, messaging, pef, sel};
use crate::ipmi::{McAddress, Moment};

/// Record type of a system event (IPMI 2.0 section 32.1).
pub const SYSTEM_EVENT_RECORD: u8 = 0x02;
/// Event message format revision of IPMI 1.5 and later.
const EVENT_REVISION: u8 = 0x04;

/// Whether a state was entered or left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The state was entered.
    Assertion,
    /// The state was left.
    Deassertion,
}

impl Direction {
    /// Bit 7 of byte 12 of a system event record.
    pub const fn bit(self) -> u8 {
        match self {
            Self::Assertion => 0,
            Self::Deassertion => 0x80,
        }
    }
}

/// Sends an event of a sensor to its controller's event receiver; `data` is event data 1 to 3.
///
/// It is dropped in silence when there is no such sensor, the sensor is not enabled or its
/// events are not, no receiver is set, or there is no controller at the receiver's address.
/// Scanning, the per-state enables and whether the controllers are enabled do not matter here.
pub fn from_sensor(at: &mut At<'_>, now: Moment, place: Place, direction: Direction, data: [u8; 3]) {
    let controller = &**at;
    let Some(sensor) = controller.sensors.get(place) else { return };
    let receiver = controller.sensors.event_receiver.address;
    if !sensor.enabled || !sensor.events_enabled {
        return;
    }
    let kind = (sensor.sensor_type, sensor.event_reading_code);
    let record = record(place.of(at.address), kind, direction, data);
    send(at, now, receiver, record);
}

/// The record of an event of a sensor, without id and time. `kind` is the sensor's type and its
/// event/reading type code.
pub fn record(sensor: SensorId, kind: (u8, u8), direction: Direction, data: [u8; 3]) -> Record {
    let SensorId { mc: McAddress(mc), lun, number } = sensor;
    let (sensor_type, code) = kind;
    let [data_1, data_2, data_3] = data;
    let code = direction.bit() | code & 0x7f;
    [0, 0, SYSTEM_EVENT_RECORD, 0, 0, 0, 0, mc, lun, EVENT_REVISION, sensor_type, number, code, data_1, data_2, data_3]
}

/// Hands a record to the controller at `receiver`, if there is one.
pub(super) fn send(at: &mut At<'_>, now: Moment, receiver: McAddress, record: Record) {
    if receiver != McAddress::NONE
        && let Some(mut to) = at.elsewhere(receiver)
    {
        deliver(&mut to, now, record);
    }
}

/// Hands a record to a controller: into its SEL when its global enables allow event
/// logging, with id and time filled in there, to its event message buffer, and through its event filters. A log
/// that is missing or full loses it.
pub fn deliver(at: &mut At<'_>, now: Moment, mut record: Record) {
    let id = if at.messaging.event_logging() { sel::log(at, now, record).ok() } else { None };
    // The buffered copy has no time (`commands-core.md` section 5.1).
    record[..2].copy_from_slice(&id.unwrap_or(0xffff).to_le_bytes());
    record[3..7].fill(0);
    messaging::store_event(at, &record);
    pef::processing::received(at, now, &record, id);
}
