//! What comes through the control door, as far as it is shown to people. Programs get it as it came.
//!
//! A field that an older or newer server does not have is empty here.

use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::failure::Failure;

/// What a response holds.
///
/// # Errors
/// It is something else.
pub(super) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Failure> {
    T::deserialize(value).map_err(|error| Failure::Local(format!("The response makes no sense: {error}")))
}

/// Why the server does not do something (RFC 9457).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    /// Status of HTTP.
    pub(super) status: u16,
    /// What that means.
    pub(super) title: String,
    /// What is wrong.
    pub(super) detail: String,
    /// Where, in texts that were sent.
    pub(super) faults: Vec<Fault>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.detail.is_empty(), self.title.is_empty()) {
            (false, _) => f.write_str(&self.detail)?,
            (true, false) => f.write_str(&self.title)?,
            (true, true) => write!(f, "The server refuses with status {}", self.status)?,
        }
        for fault in &self.faults {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

/// What is wrong at one place of a text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fault {
    /// The text's name.
    pub(super) file: Option<String>,
    /// From 1.
    pub(super) line: Option<u32>,
    /// From 1.
    pub(super) column: Option<u32>,
    /// `error` or `warning`.
    pub(super) severity: String,
    /// What was expected.
    pub(super) message: String,
}

impl Fault {
    /// Whether nothing came of that line.
    pub(super) fn is_error(&self) -> bool {
        self.severity != "warning"
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
        }
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, "{number}:")?;
        }
        if self.file.is_some() || self.line.is_some() {
            f.write_str(" ")?;
        }
        let severity = if self.severity.is_empty() { "error" } else { &self.severity };
        write!(f, "{severity}: {}", self.message)
    }
}

/// A part of the list of BMCs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct List {
    /// These, by name.
    pub(super) bmcs: Vec<Value>,
    /// How many match.
    pub(super) total: u64,
    /// The name after which it goes on.
    pub(super) next: Option<String>,
}

/// A BMC in a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Summary {
    /// Its name.
    pub(super) name: String,
    /// `starting`, `running` or `leaving`.
    pub(super) state: String,
    /// `on`, `off` or `unknown`.
    pub(super) power: String,
    /// Open sessions.
    pub(super) sessions: u64,
    /// Sensors beyond a threshold.
    pub(super) alarms: u64,
    /// Records in the event log.
    pub(super) sel_records: u64,
    /// Faults in force.
    pub(super) faults: u64,
    /// Where it listens.
    pub(super) addresses: Vec<String>,
}

/// What is said of a BMC beside what lists say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Bmc {
    /// What it boots from.
    pub(super) boot: Boot,
    /// Its controllers.
    pub(super) controllers: Vec<Controller>,
    /// Its LAN channels.
    pub(super) lan: Vec<Lan>,
    /// Who is logged in.
    pub(super) sessions_open: Vec<Session>,
    /// What it has counted since it started.
    pub(super) counts: Counts,
}

/// From what the machine boots.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Boot {
    /// The device, or `none`.
    pub(super) device: String,
    /// `next` or `all`, if there is one.
    pub(super) boots: Option<String>,
}

/// A controller.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Controller {
    /// IPMB address.
    pub(super) mc: u8,
    /// The one at the system interface.
    pub(super) is_bmc: bool,
    /// Whether it answers.
    pub(super) enabled: bool,
    /// Device ID.
    pub(super) device_id: u8,
    /// Firmware revision.
    pub(super) firmware: String,
    /// IPMI version.
    pub(super) ipmi_version: String,
    /// Manufacturer by IANA's number.
    pub(super) manufacturer_id: u32,
    /// Product ID.
    pub(super) product_id: u16,
    /// Device GUID.
    pub(super) guid: Option<String>,
    /// How many sensors.
    pub(super) sensors: u64,
    /// Its event log, if it has one.
    pub(super) sel: Option<Room>,
    /// FRU device ids.
    pub(super) fru_devices: Vec<u8>,
    /// Its watchdog timer, if it has one.
    pub(super) watchdog: Option<Watchdog>,
}

/// How full an event log is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Room {
    /// Records.
    pub(super) used: u64,
    /// Records that there is room for.
    pub(super) room: u64,
}

/// A watchdog timer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Watchdog {
    /// Whether it counts.
    pub(super) running: bool,
    /// Seconds until it runs out.
    pub(super) remaining_seconds: Option<f64>,
}

/// A LAN channel.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Lan {
    /// The controller whose it is.
    pub(super) mc: u8,
    /// Channel number.
    pub(super) channel: u8,
    /// Where it listens.
    pub(super) address: Option<String>,
    /// Whether it does.
    pub(super) open: bool,
    /// Open sessions.
    pub(super) sessions: u64,
}

/// A session.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Session {
    /// Channel number.
    pub(super) channel: u8,
    /// Its handle.
    pub(super) handle: u8,
    /// User number.
    pub(super) user: u8,
    /// The user's name.
    pub(super) user_name: String,
    /// The level that holds now.
    pub(super) privilege: String,
    /// Where the client is.
    pub(super) client: String,
    /// `1.5` or `2.0`.
    pub(super) ipmi_version: String,
    /// Since the last packet.
    pub(super) idle_seconds: f64,
    /// Whether serial over LAN is open.
    pub(super) sol: bool,
}

/// What a BMC has counted.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    /// Requests.
    pub(super) requests: u64,
    /// Logins that were refused.
    pub(super) failed_logins: u64,
}

/// The sensors of a BMC.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sensors {
    /// All of them.
    pub(super) sensors: Vec<Value>,
}

/// A sensor.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sensor {
    /// Its controller.
    pub(super) mc: u8,
    /// The logical unit.
    pub(super) lun: u8,
    /// Its number.
    pub(super) number: u8,
    /// Its record's name.
    pub(super) name: Option<String>,
    /// Event/reading type.
    pub(super) event_type: u8,
    /// The reading.
    pub(super) raw: Option<u8>,
    /// What its record makes of the reading.
    pub(super) value: Option<f64>,
    /// The unit of that.
    pub(super) unit: Option<String>,
    /// Whether it is there.
    pub(super) present: bool,
    /// Whether it is scanned.
    pub(super) scanning: bool,
    /// The signal that it follows.
    pub(super) follows: Option<String>,
    /// State bits that hold.
    pub(super) states: Vec<u8>,
    /// Thresholds that are crossed.
    pub(super) crossed: Vec<String>,
    /// Thresholds, if it has some.
    pub(super) thresholds: Option<Thresholds>,
}

/// The thresholds of a sensor; those it does not have are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Thresholds {
    /// The lowest.
    pub(super) lower_non_recoverable: Option<f64>,
    /// Above that one.
    pub(super) lower_critical: Option<f64>,
    /// Above that one.
    pub(super) lower_non_critical: Option<f64>,
    /// Above that one.
    pub(super) upper_non_critical: Option<f64>,
    /// Above that one.
    pub(super) upper_critical: Option<f64>,
    /// The highest.
    pub(super) upper_non_recoverable: Option<f64>,
}

/// A part of an event log.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sel {
    /// Records from the oldest on.
    pub(super) records: Vec<Value>,
    /// How many there are.
    pub(super) used: u64,
    /// How many there is room for.
    pub(super) room: u64,
    /// The record after which it goes on.
    pub(super) next: Option<u16>,
}

/// A record of an event log.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SelRecord {
    /// Record ID.
    pub(super) id: u16,
    /// Record type.
    pub(super) record_type: u8,
    /// When it was added.
    pub(super) time: Option<String>,
    /// What it says, if it is of a sensor.
    pub(super) event: Option<SelEvent>,
    /// All 16 bytes in hex.
    pub(super) raw: String,
}

/// The event of a record.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SelEvent {
    /// Generator ID.
    pub(super) generator: u16,
    /// Sensor type.
    pub(super) sensor_type: u8,
    /// Sensor number.
    pub(super) sensor: u8,
    /// The name of the sensor's record.
    pub(super) name: Option<String>,
    /// Event/reading type.
    pub(super) event_type: u8,
    /// Whether it began to hold.
    pub(super) asserted: bool,
    /// Event data, three bytes in hex.
    pub(super) data: String,
}

/// Sensor data records.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sdrs {
    /// All of them.
    pub(super) records: Vec<Sdr>,
}

/// A sensor data record.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sdr {
    /// Record ID.
    pub(super) id: u16,
    /// Record type.
    #[serde(rename = "type")]
    pub(super) record_type: u8,
    /// The name in it, if it has one.
    pub(super) name: Option<String>,
    /// Its bytes in hex.
    pub(super) raw: String,
}

/// Inventories.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Frus {
    /// One for each device.
    pub(super) devices: Vec<Fru>,
}

/// An inventory.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fru {
    /// FRU device id.
    pub(super) device: u8,
    /// Bytes.
    pub(super) size: u64,
    /// Its bytes in hex.
    pub(super) raw: String,
    /// What its areas say, by area and field.
    pub(super) areas: Value,
}

/// The users of a controller.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Users {
    /// All of them.
    pub(super) users: Vec<Value>,
}

/// A user.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    /// User number, 1 to 63.
    pub(super) id: u8,
    /// Its name.
    pub(super) name: String,
    /// Privilege limit.
    pub(super) limit: String,
    /// Whether he may log in.
    pub(super) enabled: bool,
}

/// What came of statements.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Lines {
    /// One for each.
    pub(super) lines: Vec<Line>,
}

/// What came of a statement.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Line {
    /// The statement.
    pub(super) line: String,
    /// What it printed.
    pub(super) output: String,
    /// What is wrong with it.
    pub(super) faults: Vec<Fault>,
}

/// Bytes of a console.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ConsoleOutput {
    /// In base64.
    pub(super) data: String,
}
