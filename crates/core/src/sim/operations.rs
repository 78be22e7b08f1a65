//! What whoever embeds a system does with the devices of its BMC: typed values in and out.
//!
//! The same functions of `bmc` carry these out as carry out a client's commands; what they want done outside is
//! appended to the effects, in order, as [`Simulator::handle`] does.

use super::{Effects, Simulator};
use crate::bmc::boot::{self, Boots, Device};
use crate::bmc::chassis::{self, Backend, Control, Controlled};
use crate::bmc::external::Background;
use crate::bmc::sensor::{self, Place, Reporting, SensorId};
use crate::bmc::watch::Event;
use crate::bmc::{Controller, Error, sel, user};
use crate::ipmi::{ChannelNumber, McAddress, Moment, Privilege, UserNumber};
use crate::settings::text::decode;

/// Record type of a system event (IPMI 2.0 section 32.1), and the first one without a time.
const SYSTEM_EVENT: u8 = 0x02;
const WITHOUT_TIME: u8 = 0xe0;
/// A time stamp that says nothing.
const NO_TIME: u32 = u32::MAX;

/// What a sensor of the BMC shows.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorState {
    /// LUN, 0 to 3.
    pub lun: u8,
    /// Sensor number.
    pub number: u8,
    /// Its name in the SDRs.
    pub name: Option<String>,
    /// Sensor type, IPMI 2.0 table 42-3.
    pub sensor_type: u8,
    /// Raw reading, once there is one.
    pub raw: Option<u8>,
    /// The reading in the unit of the sensor's record, if it has such a record.
    pub value: Option<f64>,
    /// States that hold: a bit for each state, or for each threshold that is crossed (LNC, LC, LNR, UNC, UC, UNR from
    /// bit 0).
    pub states: u16,
}

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

/// A user of the BMC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAccount {
    /// User number.
    pub number: UserNumber,
    /// Name, at most 16 bytes; user 1 has none.
    pub name: String,
    /// Highest privilege; `None` is no access.
    pub privilege: Option<Privilege>,
    /// Whether the user can log in, if there is a password.
    pub enabled: bool,
}

impl Simulator {
    /// IPMB address of the BMC; 20h while nobody gave it another one.
    pub fn bmc_address(&self) -> McAddress {
        self.machine.bmc.unwrap_or(McAddress::BMC)
    }

    fn bmc(&self) -> Option<&Controller> {
        self.machine.controller(self.bmc_address())
    }

    /// Whether the power is on as far as is known: behind a `chassis_control` program, what it said last.
    pub fn power(&self) -> bool {
        self.bmc().is_some_and(chassis::known_power)
    }

    /// Asks for a change of the power as a Chassis Control does (IPMI 2.0 section 28.3). A helper program that has
    /// to be asked is asked now, and answers later.
    ///
    /// # Errors
    /// The chassis cannot do that.
    pub fn control(&mut self, now: Moment, control: Control, out: &mut Effects) -> Result<(), Error> {
        let mc = self.bmc_address();
        let mut at = self.machine.at(mc).ok_or(Error::NotSupported)?;
        let controlled = chassis::control(&mut at, now, control, ChannelNumber::SYSTEM_INTERFACE);
        let result = controlled.as_ref().map(|_| ()).map_err(|_| Error::NotSupported);
        if let Ok(Controlled::Call(call, token)) = controlled {
            at.start(Background::Program {
                mc,
                call,
                then: Box::new(move |at, now, result| {
                    if result.is_ok() {
                        chassis::program_done(at, now, token);
                    }
                }),
            });
        }
        self.carry_out_actions(now, out);
        result
    }

    /// The boot device that is set and for how many boots; `None` when none is, or its time is over.
    pub fn boot_device(&self) -> Option<(Device, Boots)> {
        let flags = self.bmc()?.chassis.boot.flags();
        Some((Device(boot::device(&flags)), boot::boots(&flags)?))
    }

    /// Sets the boot device as Set System Boot Options does.
    ///
    /// # Errors
    /// There is no such device, or a helper program has no name for it.
    pub fn set_boot_device(
        &mut self,
        now: Moment,
        device: Device,
        boots: Boots,
        out: &mut Effects,
    ) -> Result<(), Error> {
        let mc = self.bmc_address();
        let mut at = self.machine.at(mc).ok_or(Error::NoController)?;
        if device.0 > 15 {
            return Err(Error::Invalid);
        }
        let flags = boot::flags_for(device, boots);
        if chassis::backend(&at) == Backend::Program {
            let call = at.chassis.set_boot_call(device.0).ok_or(Error::Invalid)?;
            at.start(Background::Program {
                mc,
                call,
                then: Box::new(move |at, now, result| {
                    if result.is_ok() {
                        chassis::boot_flags_set(at, now, flags);
                    }
                }),
            });
        } else {
            chassis::boot_flags_set(&mut at, now, flags);
        }
        self.carry_out_actions(now, out);
        Ok(())
    }

    /// The sensors of the BMC, by LUN and number.
    pub fn sensors(&self) -> Vec<SensorState> {
        let mc = self.bmc_address();
        let of = |(place, sensor): (Place, &sensor::Sensor)| {
            let (id, Place { lun, number }) = (place.of(mc), place);
            SensorState {
                lun,
                number,
                name: sensor::name(&self.machine, id),
                sensor_type: sensor.sensor_type,
                raw: (sensor.enabled && sensor.has_value).then_some(sensor.value),
                value: sensor::reading(&self.machine, id),
                states: sensor.status,
            }
        };
        self.bmc().into_iter().flat_map(|bmc| bmc.sensors.iter()).map(of).collect()
    }

    /// Gives a sensor of LUN 0 a raw reading. Events follow, as the sensor's thresholds and masks say.
    ///
    /// # Errors
    /// There is no such sensor.
    pub fn set_sensor(&mut self, now: Moment, number: u8, raw: u8, out: &mut Effects) -> Result<(), Error> {
        let place = Place { lun: 0, number };
        let mut at = self.machine.at(self.bmc_address()).ok_or(Error::Invalid)?;
        let set = sensor::set_value(&mut at, now, place, raw, Reporting::Events);
        self.carry_out_actions(now, out);
        set
    }

    /// Has a state of a discrete sensor of LUN 0 hold, 0 to 14 (IPMI 2.0 table 42-3 says what they mean). An event follows,
    /// as the sensor's masks say.
    ///
    /// # Errors
    /// There is no such sensor, or no such state.
    pub fn set_sensor_state(&mut self, now: Moment, number: u8, state: u8, out: &mut Effects) -> Result<(), Error> {
        self.sensor_bit(now, number, (state, 1), out)
    }

    /// Has a state of a discrete sensor hold no longer.
    ///
    /// # Errors
    /// As [`set_sensor_state`](Self::set_sensor_state).
    pub fn clear_sensor_state(&mut self, now: Moment, number: u8, state: u8, out: &mut Effects) -> Result<(), Error> {
        self.sensor_bit(now, number, (state, 0), out)
    }

    fn sensor_bit(&mut self, now: Moment, number: u8, (bit, value): (u8, u8), out: &mut Effects) -> Result<(), Error> {
        let place = Place { lun: 0, number };
        let mut at = self.machine.at(self.bmc_address()).ok_or(Error::Invalid)?;
        let set = sensor::set_bit(&mut at, now, place, bit, value, Reporting::Events);
        self.carry_out_actions(now, out);
        set
    }

    /// The raw reading of a sensor of LUN 0 that stands for the value nearest to this one, in the unit of its record.
    ///
    /// # Errors
    /// There is no such sensor, or no record says what its readings mean.
    pub fn raw_reading(&self, number: u8, value: f64) -> Result<u8, Error> {
        let id = SensorId { mc: self.bmc_address(), lun: 0, number };
        sensor::nearest(&self.machine, id, value).ok_or(Error::Invalid)
    }

    /// The system event log of the BMC, oldest record first.
    pub fn event_log(&self) -> Vec<LogRecord> {
        self.bmc().into_iter().flat_map(|bmc| bmc.sel.records()).map(|bytes| LogRecord::new(*bytes)).collect()
    }

    /// Adds a record; gives its id. `data` is what follows the record type: for types below E0h the first four bytes
    /// become the time.
    ///
    /// # Errors
    /// The log is full, or there is none.
    pub fn log_record(
        &mut self,
        now: Moment,
        record_type: u8,
        data: [u8; 13],
        out: &mut Effects,
    ) -> Result<u16, Error> {
        let mc = self.bmc_address();
        let at = self.machine.at(mc).ok_or(Error::NoController);
        let id = at.and_then(|mut at| sel::add_entry(&mut at, now, record_type, data));
        self.carry_out_actions(now, out);
        id
    }

    /// Clears the log.
    pub fn clear_event_log(&mut self, now: Moment, out: &mut Effects) {
        if let Some(mut at) = self.machine.at(self.bmc_address()) {
            sel::clear(&mut at, now);
        }
        self.carry_out_actions(now, out);
    }

    /// The users that have a name or are enabled, by number.
    pub fn users(&self) -> Vec<UserAccount> {
        let users = self.bmc().into_iter().flat_map(|bmc| bmc.users.iter());
        let named = users.filter(|(_, user)| user.name != [0; 16] || user.is_valid());
        let of = |(number, user): (UserNumber, &user::User)| {
            let end = user.name.iter().position(|byte| *byte == 0).unwrap_or(user.name.len());
            let name = decode(user.name.get(..end).unwrap_or_default());
            UserAccount { number, name, privilege: user.limit(), enabled: user.is_valid() }
        };
        named.map(of).collect()
    }

    /// Gives a user name, password and highest privilege, and lets it log in. Its sessions end if they stood on
    /// something else.
    ///
    /// # Errors
    /// The number is that of user 1, or the name is empty or has more than 16 bytes, or the password more than 20.
    pub fn set_user(
        &mut self,
        now: Moment,
        number: UserNumber,
        (name, password): (&str, &str),
        privilege: Privilege,
        out: &mut Effects,
    ) -> Result<(), Error> {
        let mc = self.bmc_address();
        if number == UserNumber::NULL || name.is_empty() {
            return Err(Error::Invalid);
        }
        let (name, password) = (padded(name).ok_or(Error::Invalid)?, padded(password).ok_or(Error::Invalid)?);
        let flags = user::AccessFlags { messaging: true, link_auth: true, callback_only: false };
        let access = user::Access { flags: Some(flags), privilege: user::Limit::Level(privilege), max_sessions: None };
        if let Some(mut at) = self.machine.at(mc) {
            user::set_name(&mut at, number, name);
            user::set_password(&mut at, number, &password);
            user::set_access(&mut at, number, access);
            user::enable(&mut at, number);
        }
        self.carry_out_actions(now, out);
        Ok(())
    }

    /// Shuts a user out; its sessions end.
    pub fn disable_user(&mut self, now: Moment, number: UserNumber, out: &mut Effects) {
        let mc = self.bmc_address();
        if let Some(mut at) = self.machine.at(mc) {
            user::disable(&mut at, number);
        }
        self.carry_out_actions(now, out);
    }

    /// Begins to keep what happens, for [`take_events`](Self::take_events).
    pub fn watch(&mut self) {
        self.machine.watch.begin();
    }

    /// What happened since the last call, in order; nothing before [`watch`](Self::watch).
    pub fn take_events(&mut self) -> Vec<Event> {
        self.machine.watch.take()
    }
}

/// The bytes of a text, zero padded, if there are not too many.
fn padded<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    out.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    Some(out)
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

    #[test]
    fn what_is_too_long_is_no_name() {
        assert_eq!(padded::<4>("abcd"), Some(*b"abcd"));
        assert_eq!(padded::<4>("ab"), Some(*b"ab\0\0"));
        assert_eq!(padded::<4>("abcde"), None);
    }
}
