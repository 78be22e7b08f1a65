//! The statements of the command language as values: what a command file or a console asks of a
//! system.

use super::fault::FaultCommand;
use super::fill::Fill;
use super::follow::{Csv, Following, PowerModel, Shape};
use super::oem::OemCommand;
use crate::ipmi::McAddress;
use std::collections::HashMap;
use std::sync::Arc;

/// Variables made by `define`, shared by all command files and consoles.
pub type Variables = HashMap<String, String>;

/// Which sensor a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SensorAddress {
    /// IPMB address of its MC.
    pub mc: McAddress,
    /// LUN, any byte as written; only 0 to 3 exist.
    pub lun: u8,
    /// Sensor number.
    pub number: u8,
}

/// A command of the emulator language that a system carries out, arguments converted (`emu.md` section 7); `mc` is
/// always the IPMB address the command is about, other fields have that page's names.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `define NAME STRING`
    Define { name: String, value: String },
    /// `debug [raw] [msg] [sol]`
    Debug { raw: bool, messages: bool, sol: bool },
    /// `persist [on|off]`; `None` changes nothing.
    Persist { on: Option<bool> },
    /// `status`: ours, shows what the program does now.
    Status,
    /// `sessions`: ours, lists the sessions of an MC; `None` is the BMC, here and below.
    Sessions { mc: Option<McAddress> },
    /// `sensors`: ours, lists the sensors of an MC with their readings.
    Sensors { mc: Option<McAddress> },
    /// `sel`: ours, lists the event log of an MC.
    Sel { mc: Option<McAddress> },
    /// `power`: ours, tells whether the power is on.
    Power { mc: Option<McAddress> },
    /// `fault`: ours, sets or ends what goes wrong on purpose.
    Fault(FaultCommand),
    /// `faults`: ours, lists what goes wrong on purpose.
    Faults,
    /// `mc_add`
    McAdd { mc: McAddress, device: Device },
    /// `mc_setbmc`
    McSetBmc { mc: McAddress },
    /// `mc_delete`
    McDelete { mc: McAddress },
    /// `mc_disable`
    McDisable { mc: McAddress },
    /// `mc_enable`
    McEnable { mc: McAddress },
    /// `mc_disable_dcmi`
    McDisableDcmi { mc: McAddress },
    /// `mc_set_dcmi_power`
    McSetDcmiPower { mc: McAddress, lun: u8, sensor: u8 },
    /// `mc_set_guid`; text is cut after 15 characters as the original does.
    McSetGuid { mc: McAddress, guid: [u8; 16] },
    /// `mc_add_fru_data ... data`; `data` has at most `size` bytes, the rest is zero.
    McAddFruData { mc: McAddress, device: u8, size: u32, data: Vec<u8> },
    /// `mc_add_fru_data ... file`
    McAddFruFile { mc: McAddress, device: u8, size: u32, offset: u32, path: String },
    /// `mc_dump_fru_data`
    McDumpFruData { mc: McAddress, device: u8 },
    /// `mc_set_num_leds`
    McSetNumLeds { mc: McAddress, count: u8 },
    /// `mc_set_power`
    McSetPower { mc: McAddress, power: u8, event: bool },
    /// `sel_enable`
    SelEnable { mc: McAddress, max_records: u32, flags: u8 },
    /// `sel_add`
    SelAdd { mc: McAddress, record_type: u8, data: [u8; 13] },
    /// `sel_fill`: ours, has an event log fill from a list; `None` ends it.
    SelFill { mc: McAddress, fill: Option<Box<Fill>> },
    /// `sel_fills`: ours, lists the event logs that fill.
    SelFills,
    /// `main_sdr_add`; at most 256 bytes.
    MainSdrAdd { mc: McAddress, data: Vec<u8> },
    /// `device_sdr_add`; at most 256 bytes.
    DeviceSdrAdd { mc: McAddress, lun: u8, data: Vec<u8> },
    /// `sensor_add`
    SensorAdd {
        sensor: SensorAddress,
        sensor_type: u8,
        event_reading_code: u8,
        event_only: bool,
        poll: Option<SensorPoll>,
    },
    /// `sensor_set_bit`
    SensorSetBit { sensor: SensorAddress, bit: u8, value: u8, event: bool },
    /// `sensor_set_bit_clr_rest`
    SensorSetBitClearRest { sensor: SensorAddress, bit: u8, event: bool },
    /// `sensor_set_value`
    SensorSetValue { sensor: SensorAddress, value: u8, event: bool },
    /// `sensor_set_hysteresis`
    SensorSetHysteresis { sensor: SensorAddress, support: u8, positive: u8, negative: u8 },
    /// `sensor_set_threshold`; values and mask bits in the order LNC LC LNR UNC UC UNR.
    SensorSetThreshold { sensor: SensorAddress, support: u8, enabled: u8, values: [u8; 6] },
    /// `sensor_set_event_support`; masks have 15 bits.
    SensorSetEventSupport {
        sensor: SensorAddress,
        events_enabled: bool,
        scanning: bool,
        support: u8,
        assert_support: u16,
        deassert_support: u16,
        assert_enabled: u16,
        deassert_enabled: u16,
    },
    /// `oem_add`: ours, a command of an OEM; what systems of a fleet read is there once.
    OemAdd { mc: McAddress, command: Arc<OemCommand> },
    /// `oem_remove`: ours, the rows of a command whose data begin like that are gone.
    OemRemove { mc: McAddress, netfn: u8, cmd: u8, data: Vec<u8> },
    /// `sensor_follow`: ours; `None` ends it.
    SensorFollow { sensor: SensorAddress, following: Option<Box<Following>> },
    /// `mc_load`: ours; `None` is no load.
    McLoad { mc: McAddress, shape: Option<Shape> },
    /// `mc_power_model`: ours; `None` ends it.
    McPowerModel { mc: McAddress, model: Option<PowerModel> },
    /// `seed`: ours, what is drawn by lot afterwards follows from this number.
    Seed { seed: u64 },
    /// `atca_enable`
    AtcaEnable,
    /// `atca_set_site`
    AtcaSetSite { hardware_address: u8, site_type: u8, site_number: u8 },
}

impl Command {
    /// The table that it names.
    pub fn table(&self) -> Option<&Csv> {
        match self {
            Self::SensorFollow { following: Some(following), .. } => following.shape.table(),
            Self::McLoad { shape, .. } => shape.as_ref()?.table(),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn table_mut(&mut self) -> Option<&mut Csv> {
        let shape = match self {
            Self::SensorFollow { following: Some(following), .. } => &mut following.shape,
            Self::McLoad { shape, .. } => shape.as_mut()?,
            _ => return None,
        };
        match shape {
            Shape::Csv(csv) => Some(csv),
            _ => None,
        }
    }

    /// The MC a command is about, when the language checks that it exists
    /// (`emu.md` section 6, column MC).
    pub fn required_mc(&self) -> Option<McAddress> {
        match self {
            Self::Define { .. }
            | Self::Debug { .. }
            | Self::Persist { .. }
            | Self::Status
            | Self::Seed { .. }
            | Self::Fault(_)
            | Self::Faults
            | Self::SelFills
            | Self::McAdd { .. }
            | Self::McSetBmc { .. }
            | Self::AtcaEnable
            | Self::AtcaSetSite { .. } => None,
            Self::Sessions { mc } | Self::Sensors { mc } | Self::Sel { mc } | Self::Power { mc } => *mc,
            Self::McDelete { mc }
            | Self::McDisable { mc }
            | Self::McEnable { mc }
            | Self::McDisableDcmi { mc }
            | Self::McSetDcmiPower { mc, .. }
            | Self::McSetGuid { mc, .. }
            | Self::McAddFruData { mc, .. }
            | Self::McAddFruFile { mc, .. }
            | Self::McDumpFruData { mc, .. }
            | Self::McSetNumLeds { mc, .. }
            | Self::McSetPower { mc, .. }
            | Self::SelEnable { mc, .. }
            | Self::SelAdd { mc, .. }
            | Self::SelFill { mc, .. }
            | Self::MainSdrAdd { mc, .. }
            | Self::DeviceSdrAdd { mc, .. }
            | Self::OemAdd { mc, .. }
            | Self::OemRemove { mc, .. }
            | Self::McLoad { mc, .. }
            | Self::McPowerModel { mc, .. } => Some(*mc),
            Self::SensorAdd { .. }
            | Self::SensorSetBit { .. }
            | Self::SensorSetBitClearRest { .. }
            | Self::SensorSetValue { .. }
            | Self::SensorSetHysteresis { .. }
            | Self::SensorSetThreshold { .. }
            | Self::SensorSetEventSupport { .. }
            | Self::SensorFollow { .. } => self.sensor().map(|sensor| sensor.mc),
        }
    }

    /// The sensor a command is about, if it is about one.
    pub fn sensor(&self) -> Option<SensorAddress> {
        match self {
            Self::SensorAdd { sensor, .. }
            | Self::SensorSetBit { sensor, .. }
            | Self::SensorSetBitClearRest { sensor, .. }
            | Self::SensorSetValue { sensor, .. }
            | Self::SensorSetHysteresis { sensor, .. }
            | Self::SensorSetThreshold { sensor, .. }
            | Self::SensorSetEventSupport { sensor, .. }
            | Self::SensorFollow { sensor, .. } => Some(*sensor),
            _ => None,
        }
    }
}

/// What `mc_add` says of a controller (`commands-core.md` section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Device id.
    pub id: u8,
    /// Whether it has device SDRs: any number but 0, as written.
    pub has_device_sdrs: u8,
    /// Device revision.
    pub revision: u8,
    /// Major firmware revision.
    pub major: u8,
    /// Minor firmware revision.
    pub minor: u8,
    /// Additional device support.
    pub device_support: u8,
    /// IANA number of the manufacturer.
    pub manufacturer: u32,
    /// Product number, as written; its low 16 bits count.
    pub product: u32,
    /// `dynsens`
    pub dynamic_sensors: bool,
    /// `persist_sdr`
    pub persist_sdr: bool,
}

/// `poll MS file STRING [option...]` of `sensor_add` (`emu.md` section 7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensorPoll {
    /// Milliseconds between polls.
    pub interval: u32,
    /// Path, relative to the working directory.
    pub path: String,
    /// `div=`; 0 is unused.
    pub divisor: i32,
    /// `mult=`; 0 is unused.
    pub multiplier: i32,
    /// `sub=`
    pub subtract: i32,
    /// `base=`; 0 is the C conventions. Any number, as written; only 0 and 2 to 36 are bases.
    pub base: i32,
    /// `mask=`; 0 is unused.
    pub mask: i32,
    /// `offset=`
    pub offset: u32,
    /// `length=`, for raw content.
    pub length: u32,
    /// `raw` instead of `ascii`.
    pub raw: bool,
    /// `depends=`
    pub depends: Option<SensorDependency>,
    /// `initstate=`: initial event state mask.
    pub initial_state: u16,
}

/// `depends=MC,LUN,SENSOR,BIT`: this sensor is enabled while that state bit is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SensorDependency {
    /// The other sensor.
    pub sensor: SensorAddress,
    /// State bit, 0 to 14.
    pub bit: u8,
}
