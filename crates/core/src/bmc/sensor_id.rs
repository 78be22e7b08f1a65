//! Which sensor: its controller, LUN and number.

use crate::ipmi::McAddress;

/// Which sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SensorId {
    /// IPMB address of its controller.
    pub mc: McAddress,
    /// LUN, 0 to 3.
    pub lun: u8,
    /// Sensor number, 0 to 254.
    pub number: u8,
}

impl SensorId {
    /// Where its controller has it.
    pub const fn place(self) -> Place {
        Place { lun: self.lun, number: self.number }
    }
}

/// Where a controller has a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// LUN, 0 to 3.
    pub lun: u8,
    /// Sensor number, 0 to 254.
    pub number: u8,
}

impl Place {
    /// The sensor that has this place at controller `mc`.
    pub const fn of(self, mc: McAddress) -> SensorId {
        SensorId { mc, lun: self.lun, number: self.number }
    }
}
