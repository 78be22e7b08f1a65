//! The command language of command files and consoles: lines to [`Command`]s.

use std::collections::HashMap;

use super::Diagnostic;

/// Variables made by `define`, shared by all command files and consoles.
pub type Variables = HashMap<String, String>;

/// One physical or continued line of a command file, ready to be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Name of the text it comes from.
    pub file: String,
    /// The physical lines it was assembled from, comments included, for the echo and for
    /// pointing at faults: (line number, text without its line end).
    pub lines: Vec<(u32, String)>,
}

/// Cuts a command file into statements: continuation lines joined, comments and empty
/// lines kept as statements without a command so that the echo is complete.
pub fn statements(file: &str, text: &[u8]) -> Vec<Statement> {
    let _ = (file, text);
    Vec::new()
}

impl Statement {
    /// Reads the statement with the variables as they are now. `Ok(None)`: nothing to do
    /// (empty, comment, or a line whose first word is an unknown variable).
    pub fn resolve(&self, variables: &Variables) -> Result<Option<Command>, Diagnostic> {
        let _ = variables;
        Ok(None)
    }
}

/// Which sensor a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SensorAddress {
    /// IPMB address of its MC.
    pub mc: u8,
    /// LUN, any byte as written; only 0 to 3 exist.
    pub lun: u8,
    /// Sensor number.
    pub number: u8,
}

/// A command of the emulator language, arguments converted (`emu.md` section 7); `mc` is
/// always the IPMB address the command is about, other fields carry the sheet's names.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `quit`
    Quit,
    /// `define NAME STRING`
    Define { name: String, value: String },
    /// `include STRING`, `read_cmds STRING`
    Include { path: String },
    /// `sleep N`, milliseconds.
    Sleep { milliseconds: u32 },
    /// `debug [raw] [msg] [sol]`
    Debug { raw: bool, messages: bool, sol: bool },
    /// `persist [on|off]`; `None` changes nothing.
    Persist { on: Option<bool> },
    /// `help`: ours, lists the commands.
    Help,
    /// `noecho`, consoles only.
    NoEcho,
    /// `mc_add`
    McAdd {
        mc: u8,
        device_id: u8,
        has_device_sdrs: u8,
        device_revision: u8,
        major: u8,
        minor: u8,
        device_support: u8,
        manufacturer: u32,
        product: u32,
        dynamic_sensors: bool,
        persist_sdr: bool,
    },
    /// `mc_setbmc`
    McSetBmc { mc: u8 },
    /// `mc_delete`
    McDelete { mc: u8 },
    /// `mc_disable`
    McDisable { mc: u8 },
    /// `mc_enable`
    McEnable { mc: u8 },
    /// `mc_set_guid`
    McSetGuid { mc: u8, guid: [u8; 16] },
    /// `mc_add_fru_data ... data`
    McAddFruData { mc: u8, device: u8, size: u32, data: Vec<u8> },
    /// `mc_add_fru_data ... file`
    McAddFruFile { mc: u8, device: u8, size: u32, offset: u32, path: String },
    /// `mc_dump_fru_data`
    McDumpFruData { mc: u8, device: u8 },
    /// `mc_set_num_leds`
    McSetNumLeds { mc: u8, count: u8 },
    /// `mc_set_power`
    McSetPower { mc: u8, power: u8, event: bool },
    /// `sel_enable`
    SelEnable { mc: u8, max_records: u32, flags: u8 },
    /// `sel_add`
    SelAdd { mc: u8, record_type: u8, data: [u8; 13] },
    /// `main_sdr_add`
    MainSdrAdd { mc: u8, data: Vec<u8> },
    /// `device_sdr_add`
    DeviceSdrAdd { mc: u8, lun: u8, data: Vec<u8> },
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
    /// `atca_enable`
    AtcaEnable,
    /// `atca_set_site`
    AtcaSetSite { hardware_address: u8, site_type: u8, site_number: u8 },
}

impl Command {
    /// The MC a command is about, when the language checks that it exists
    /// (`emu.md` section 6, column MC).
    pub fn required_mc(&self) -> Option<u8> {
        None
    }
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
    /// `base=`; 0 is the C conventions.
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
