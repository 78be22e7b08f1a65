//! Which sensor is meant: MC/LUN/NUMBER, a number, or a name.

use std::str::FromStr;

use super::door::{Door, bmc_path};
use super::failure::Failure;
use super::model::{Sensor, Sensors, read};
use super::number;
use crate::config::suggest::nearest;

/// Which sensor is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SensorChoice {
    /// That of a controller and logical unit.
    Address {
        /// IPMB address of the controller.
        mc: u8,
        /// Logical unit.
        lun: u8,
        /// Sensor number.
        number: u8,
    },
    /// The one with this number; if there are several, it has to be said whose.
    Number(u8),
    /// The one with this name; capitals make no difference unless two have it.
    Name(String),
}

impl FromStr for SensorChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(number) = number::byte(text) {
            return Ok(Self::Number(number));
        }
        let parts: Result<Vec<u8>, String> = text.split('/').map(number::byte).collect();
        match parts.as_deref() {
            Ok(&[mc, lun, number]) => Ok(Self::Address { mc, lun, number }),
            _ if text.is_empty() => Err("expected a name, a number, or MC/LUN/NUMBER".into()),
            _ => Ok(Self::Name(text.to_owned())),
        }
    }
}

/// The sensors of a controller, by default of the BMC.
///
/// # Errors
/// They cannot be had.
pub(super) async fn sensors(door: &Door, bmc: &str, mc: Option<u8>) -> Result<Vec<Sensor>, Failure> {
    let query = mc.map(|mc| format!("?mc={mc}")).unwrap_or_default();
    let all: Sensors = read(&door.get(&bmc_path(bmc, &format!("/sensors{query}"))).await?)?;
    all.sensors.iter().map(read).collect()
}

impl SensorChoice {
    /// The controller that is asked for its sensors, where that is not the BMC.
    pub(super) fn controller(&self) -> Option<u8> {
        match self {
            Self::Address { mc, .. } => Some(*mc),
            Self::Number(_) | Self::Name(_) => None,
        }
    }

    /// The path below that of the BMC, if that can be told without the list of sensors.
    pub(super) fn path(&self) -> Option<String> {
        match self {
            Self::Address { mc, lun, number } => Some(format!("/sensors/{mc}/{lun}/{number}")),
            Self::Number(_) | Self::Name(_) => None,
        }
    }

    /// The path below that of the BMC.
    ///
    /// # Errors
    /// None of the BMC's sensors is meant, or more than one.
    pub(super) fn find(&self, bmc: &str, sensors: &[Sensor]) -> Result<String, Failure> {
        let named = |sensor: &&Sensor, wanted: &str| sensor.name.as_deref() == Some(wanted);
        let alike = |sensor: &&Sensor, wanted: &str| {
            sensor.name.as_deref().is_some_and(|name| name.to_lowercase() == wanted.to_lowercase())
        };
        let mut found: Vec<&Sensor> = match self {
            Self::Address { mc, lun, number } => {
                sensors.iter().filter(|it| (it.mc, it.lun, it.number) == (*mc, *lun, *number)).collect()
            }
            Self::Number(number) => sensors.iter().filter(|sensor| sensor.number == *number).collect(),
            Self::Name(name) => sensors.iter().filter(|sensor| named(sensor, name)).collect(),
        };
        if let (true, Self::Name(name)) = (found.is_empty(), self) {
            found = sensors.iter().filter(|sensor| alike(sensor, name)).collect();
        }
        let address = |sensor: &Sensor| format!("{:#04x}/{}/{}", sensor.mc, sensor.lun, sensor.number);
        match found.as_slice() {
            [one] => Ok(format!("/sensors/{}/{}/{}", one.mc, one.lun, one.number)),
            [] => Err(Failure::NotFound(self.absent(bmc, sensors))),
            several => {
                let several: Vec<String> = several.iter().map(|sensor| address(sensor)).collect();
                Err(Failure::Usage(format!("{self} of {bmc} may be any of {}: say which", several.join(", "))))
            }
        }
    }

    fn absent(&self, bmc: &str, sensors: &[Sensor]) -> String {
        let near = match self {
            Self::Name(name) => nearest(name, sensors.iter().filter_map(|sensor| sensor.name.as_deref())),
            Self::Address { .. } | Self::Number(_) => None,
        };
        let hint = near.map(|near| format!(", did you mean '{near}'?")).unwrap_or_default();
        format!("{bmc} has no {self}{hint}")
    }
}

impl std::fmt::Display for SensorChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address { mc, lun, number } => write!(f, "sensor {mc:#04x}/{lun}/{number}"),
            Self::Number(number) => write!(f, "sensor {number}"),
            Self::Name(name) => write!(f, "sensor '{name}'"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensor(mc: u8, number: u8, name: &str) -> Sensor {
        Sensor { mc, number, name: Some(name.into()), ..Sensor::default() }
    }

    #[test]
    fn a_sensor_is_found_by_name_number_or_address() {
        let all = [sensor(32, 1, "CPU Temp"), sensor(32, 2, "Fan"), sensor(0x82, 2, "fan"), sensor(32, 3, "12V")];
        let find = |text: &str| text.parse::<SensorChoice>().unwrap().find("n1", &all).map_err(|it| it.to_string());
        assert_eq!(find("CPU Temp"), Ok("/sensors/32/0/1".into()));
        assert_eq!(find("cpu temp"), Ok("/sensors/32/0/1".into()));
        assert_eq!(find("fan"), Ok("/sensors/130/0/2".into()));
        assert_eq!(find("12V"), Ok("/sensors/32/0/3".into()));
        assert_eq!(find("3"), Ok("/sensors/32/0/3".into()));
        assert_eq!(find("0x82/0/2"), Ok("/sensors/130/0/2".into()));
        assert_eq!(find("FAN"), Err("sensor 'FAN' of n1 may be any of 0x20/0/2, 0x82/0/2: say which".into()));
        assert_eq!(find("2"), Err("sensor 2 of n1 may be any of 0x20/0/2, 0x82/0/2: say which".into()));
        assert_eq!(find("CPU Tmp"), Err("n1 has no sensor 'CPU Tmp', did you mean 'CPU Temp'?".into()));
        assert_eq!(find("9"), Err("n1 has no sensor 9".into()));
        assert!("".parse::<SensorChoice>().is_err());
        let address: SensorChoice = "0x20/0/1".parse().unwrap();
        assert_eq!(address.path().as_deref(), Some("/sensors/32/0/1"));
    }
}
