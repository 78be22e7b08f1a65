//! From the text of one statement to an [`Instruction`]: words become values (`emu.md` sections 3,
//! 4 and 7).

use super::fault::fault;
use super::fill::sel_fill;
use super::follow::{mc_load, mc_power_model, sensor_follow};
use super::fru_text::{Field, Inventory};
use super::oem::{oem_add, oem_remove};
use super::sensor_add::sensor_add;
use super::words::{data, mask, mc_address, named, optional_mc, sensor, uchar, uchar_of, uint, uint_of};
use super::{Command, Instruction, Variables};
use crate::config::arguments::{Arguments, ByteString, BytesFault, Fault, Found, Head, byte_string, head};
use crate::config::grammar::Rule;
use crate::config::help::{COMMANDS, Entry, LAN_STATEMENTS, STATEMENTS};
use crate::config::suggest::nearest;
use crate::config::text::{clip, quote};
use crate::config::words::Source;
use crate::ipmi::McAddress;
use crate::settings::command::Device;

/// Largest FRU, `emu.md` section 7.
const FRU_MAX: u32 = 8192;
/// Most data bytes of an SDR.
const SDR_MAX: usize = 256;

/// What is not meant where something else is typed: there is mostly no fleet.
const OF_FLEETS: [&str; 2] = ["bmc", "bmcs"];

/// Names of numbers, `emu.md` section 7.
const HAS_SDRS: &[(&str, u8)] = &[("has-device-sdrs", 1), ("no-device-sdrs", 0)];
const SUPPORT: &[(&str, u8)] = &[("none", 0), ("readable", 1), ("settable", 2), ("fixed", 3)];
const EVENTS: &[(&str, u8)] = &[("enable", 1), ("true", 1), ("disable", 0), ("false", 0)];
const SCANNING: &[(&str, u8)] = &[("scanning", 1), ("true", 1), ("no-scanning", 0), ("false", 0)];
const EVENT_SUPPORT: &[(&str, u8)] = &[("per-state", 0), ("entire-sensor", 1), ("global", 2), ("none", 3)];

/// The form of a command's arguments.
fn form(word: &str) -> Option<Rule> {
    Some(match word {
        "atca_enable" => Rule::atca_enable,
        "bmc" => Rule::bmc,
        "bmcs" => Rule::bmcs,
        "atca_set_site" => Rule::atca_set_site,
        "debug" => Rule::debug,
        "define" => Rule::define,
        "device_sdr_add" => Rule::device_sdr_add,
        "fault" => Rule::fault,
        "faults" => Rule::show_faults,
        "help" => Rule::help,
        "include" | "read_cmds" => Rule::include,
        "main_sdr_add" => Rule::main_sdr_add,
        "mc_add" => Rule::mc_add,
        "mc_add_fru_data" => Rule::mc_add_fru_data,
        "mc_delete" => Rule::mc_delete,
        "mc_disable" => Rule::mc_disable,
        "mc_dump_fru_data" => Rule::mc_dump_fru_data,
        "mc_enable" => Rule::mc_enable,
        "mc_disable_dcmi" => Rule::mc_disable_dcmi,
        "mc_load" => Rule::mc_load,
        "mc_power_model" => Rule::mc_power_model,
        "mc_set_dcmi_power" => Rule::mc_set_dcmi_power,
        "mc_set_guid" => Rule::mc_set_guid,
        "mc_set_num_leds" => Rule::mc_set_num_leds,
        "mc_set_power" => Rule::mc_set_power,
        "mc_setbmc" => Rule::mc_setbmc,
        "noecho" => Rule::noecho,
        "oem_add" => Rule::oem_add,
        "oem_remove" => Rule::oem_remove,
        "persist" => Rule::persist,
        "power" => Rule::show_power,
        "quit" => Rule::quit,
        "seed" => Rule::seed,
        "sel" => Rule::show_sel,
        "sel_add" => Rule::sel_add,
        "sel_enable" => Rule::sel_enable,
        "sel_fill" => Rule::sel_fill,
        "sel_fills" => Rule::show_fills,
        "sensor_add" => Rule::sensor_add,
        "sensor_follow" => Rule::sensor_follow,
        "sensor_set_bit" => Rule::sensor_set_bit,
        "sensor_set_bit_clr_rest" => Rule::sensor_set_bit_clr_rest,
        "sensor_set_event_support" => Rule::sensor_set_event_support,
        "sensor_set_hysteresis" => Rule::sensor_set_hysteresis,
        "sensor_set_threshold" => Rule::sensor_set_threshold,
        "sensor_set_value" => Rule::sensor_set_value,
        "sensors" => Rule::show_sensors,
        "sessions" => Rule::show_sessions,
        "sleep" => Rule::sleep,
        "status" => Rule::show_status,
        _ => return None,
    })
}

/// Reads one statement.
pub(in crate::config) fn read(source: Source<'_>, variables: &Variables) -> Result<Option<Instruction>, Fault> {
    let Head::Keyword(word) = head(source, variables) else { return Ok(None) };
    let Some(form) = form(word.text) else { return Err(unknown(&word)) };
    if form == Rule::noecho && source.text != word.text {
        return Err(word.fault("Unknown command: noecho: it has to be the whole line"));
    }
    let mut arguments = Arguments::new(form, source, word.range.end, variables)?;
    instruction(form, &mut arguments).map(Some)
}

fn unknown(word: &Found<'_>) -> Fault {
    let names = |entries: &'static [Entry]| entries.iter().map(|entry| entry.name);
    let hint = if names(STATEMENTS).chain(names(LAN_STATEMENTS)).any(|name| name == word.text) {
        " (it belongs in lan.conf)".to_string()
    } else if word.text.contains('\r') {
        " (it has a carriage return inside)".to_string()
    } else if word.text == "?" {
        ", did you mean 'help'?".to_string()
    } else if let Some(name) = nearest(word.text, names(COMMANDS).filter(|name| !OF_FLEETS.contains(name))) {
        format!(", did you mean '{name}'?")
    } else {
        String::new()
    };
    let value = word.variable.map(|name| format!(" (value of {})", quote(&format!("${name}")))).unwrap_or_default();
    word.fault(format!("Unknown command: {}{value}{hint}", clip(word.text)))
}

/// The instruction of the form `form` with these arguments, read from left to right up to the
/// first that does not fit.
fn instruction(form: Rule, a: &mut Arguments<'_>) -> Result<Instruction, Fault> {
    Ok(match form {
        Rule::quit => Instruction::Quit,
        Rule::help => Instruction::Help { about: a.inner().next_if_any().map(|word| word.text.to_string()) },
        Rule::noecho => Instruction::NoEcho,
        Rule::bmc => Instruction::Bmc { name: rest(&mut a.inner()) },
        Rule::bmcs => Instruction::Bmcs { about: rest(&mut a.inner()) },
        Rule::include => {
            let (path, _) = a.string().map_err(|fault| fault.inside("Could not get include filename"))?;
            Instruction::Include { path }
        }
        Rule::sel_fill => sel_fill(a)?,
        Rule::sleep => Instruction::Sleep { milliseconds: uint(a, "timeout")? },
        form => Instruction::System(command(form, a)?),
    })
}

fn command(form: Rule, a: &mut Arguments<'_>) -> Result<Command, Fault> {
    Ok(match form {
        Rule::define => {
            let name = a.next().map_err(|missing| missing.fault("No variable name given for define"))?.text.to_string();
            let outer = format!("Could not get variable {name} value");
            let (value, _) = a.string().map_err(|fault| fault.inside(&outer))?;
            Command::Define { name, value }
        }
        Rule::debug => debug(&mut a.inner())?,
        Rule::persist => persist(&mut a.inner())?,
        Rule::fault => fault(&mut a.inner())?,
        Rule::show_faults => Command::Faults,
        Rule::show_fills => Command::SelFills,
        Rule::show_status => Command::Status,
        Rule::show_sessions => Command::Sessions { mc: optional_mc(&mut a.inner())? },
        Rule::show_sensors => Command::Sensors { mc: optional_mc(&mut a.inner())? },
        Rule::show_sel => Command::Sel { mc: optional_mc(&mut a.inner())? },
        Rule::show_power => {
            let mc = optional_mc(&mut a.inner()).map_err(|mut fault| {
                fault.message.push_str("; this command shows the power, and clients switch it");
                fault
            })?;
            Command::Power { mc }
        }
        Rule::mc_add => mc_add(a)?,
        Rule::mc_setbmc => {
            let word = a.next().map_err(|missing| missing.fault("No IPMB address of BMC given"))?;
            let mc = McAddress(uchar_of(&word, "IPMB address of BMC")?);
            if mc.0 & 1 != 0 {
                return Err(word.fault(format!("Invalid IPMB address: {mc:#04x} is odd, expected an even one")));
            }
            Command::McSetBmc { mc }
        }
        Rule::mc_delete => Command::McDelete { mc: mc_address(a)? },
        Rule::mc_disable => Command::McDisable { mc: mc_address(a)? },
        Rule::mc_enable => Command::McEnable { mc: mc_address(a)? },
        Rule::mc_disable_dcmi => Command::McDisableDcmi { mc: mc_address(a)? },
        Rule::mc_set_dcmi_power => {
            Command::McSetDcmiPower { mc: mc_address(a)?, lun: uchar(a, "LUN")?, sensor: uchar(a, "sensor number")? }
        }
        Rule::mc_set_guid => Command::McSetGuid { mc: mc_address(a)?, guid: guid(a)? },
        Rule::mc_add_fru_data => fru_data(a)?,
        Rule::mc_dump_fru_data => Command::McDumpFruData { mc: mc_address(a)?, device: uchar(a, "Device ID")? },
        Rule::mc_set_num_leds => Command::McSetNumLeds { mc: mc_address(a)?, count: uchar(a, "number of LEDs")? },
        Rule::mc_set_power => {
            Command::McSetPower { mc: mc_address(a)?, power: uchar(a, "Power")?, event: uchar(a, "Gen int")? != 0 }
        }
        Rule::sel_enable => {
            Command::SelEnable { mc: mc_address(a)?, max_records: uint(a, "max records")?, flags: uchar(a, "flags")? }
        }
        Rule::sel_add => {
            let (mc, record_type) = (mc_address(a)?, uchar(a, "record type")?);
            let mut data = [0; 13];
            for byte in &mut data {
                *byte = uchar(a, "data byte")?;
            }
            Command::SelAdd { mc, record_type, data }
        }
        Rule::main_sdr_add => Command::MainSdrAdd { mc: mc_address(a)?, data: data(&mut a.inner(), SDR_MAX)? },
        Rule::device_sdr_add => {
            let (mc, lun) = (mc_address(a)?, uchar(a, "LUN")?);
            Command::DeviceSdrAdd { mc, lun, data: data(&mut a.inner(), SDR_MAX)? }
        }
        Rule::sensor_add => sensor_add(a)?,
        Rule::sensor_set_bit => Command::SensorSetBit {
            sensor: sensor(a)?,
            bit: uchar(a, "bit to set")?,
            value: uchar(a, "bit value")?,
            event: uchar(a, "generate event")? != 0,
        },
        Rule::sensor_set_bit_clr_rest => Command::SensorSetBitClearRest {
            sensor: sensor(a)?,
            bit: uchar(a, "bit to set")?,
            event: uchar(a, "generate event")? != 0,
        },
        Rule::sensor_set_value => Command::SensorSetValue {
            sensor: sensor(a)?,
            value: uchar(a, "value")?,
            event: uchar(a, "generate event")? != 0,
        },
        Rule::sensor_set_hysteresis => Command::SensorSetHysteresis {
            sensor: sensor(a)?,
            support: named(a, "hysteresis support", SUPPORT)?,
            positive: uchar(a, "positive hysteresis")?,
            negative: uchar(a, "negative hysteresis")?,
        },
        Rule::sensor_set_threshold => {
            let sensor = sensor(a)?;
            let support = named(a, "threshold support", SUPPORT)?;
            let enabled = mask(a, "threshold enabled", 6)? as u8;
            let mut values = [0; 6];
            // Written from the upper non-recoverable one down.
            for value in values.iter_mut().rev() {
                *value = uchar(a, "threshold value")?;
            }
            Command::SensorSetThreshold { sensor, support, enabled, values }
        }
        Rule::sensor_set_event_support => Command::SensorSetEventSupport {
            sensor: sensor(a)?,
            events_enabled: named(a, "events enable", EVENTS)? & 1 != 0,
            scanning: named(a, "scanning", SCANNING)? & 1 != 0,
            support: named(a, "event support", EVENT_SUPPORT)?,
            assert_support: mask(a, "assert support", 15)?,
            deassert_support: mask(a, "deassert support", 15)?,
            assert_enabled: mask(a, "assert enabled", 15)?,
            deassert_enabled: mask(a, "deassert enabled", 15)?,
        },
        Rule::oem_add => oem_add(a)?,
        Rule::oem_remove => oem_remove(a)?,
        Rule::sensor_follow => sensor_follow(a)?,
        Rule::mc_load => mc_load(a)?,
        Rule::mc_power_model => mc_power_model(a)?,
        Rule::seed => {
            let word = a.next().map_err(|missing| missing.fault("No seed given"))?;
            let seed = word.number().ok_or_else(|| word.not_a_number("Invalid seed given"))?;
            Command::Seed { seed }
        }
        Rule::atca_enable => Command::AtcaEnable,
        Rule::atca_set_site => Command::AtcaSetSite {
            hardware_address: uchar(a, "hardware address")?,
            site_type: uchar(a, "site type")?,
            site_number: uchar(a, "site number")?,
        },
        _ => return Err(Fault::new(a.end(), "this command has no meaning yet")),
    })
}

fn debug(words: &mut Arguments<'_>) -> Result<Command, Fault> {
    let (mut raw, mut messages, mut sol) = (false, false, false);
    while let Some(word) = words.next_if_any() {
        match word.text {
            "raw" => raw = true,
            "msg" => messages = true,
            "sol" => sol = true,
            _ => {
                let message = format!("Invalid debug level {}, options are 'raw' and 'msg'; and 'sol'", word.quoted());
                return Err(word.fault(message));
            }
        }
    }
    Ok(Command::Debug { raw, messages, sol })
}

fn persist(words: &mut Arguments<'_>) -> Result<Command, Fault> {
    let mut on = None;
    while let Some(word) = words.next_if_any() {
        on = Some(match word.text {
            "on" => true,
            "off" => false,
            // The misspelling is the original's; scripts look for it.
            _ => {
                let message = format!("Invalid persist vale {}, options are 'on' and 'off'", word.quoted());
                return Err(word.fault(message));
            }
        });
    }
    Ok(Command::Persist { on })
}

fn mc_add(a: &mut Arguments<'_>) -> Result<Command, Fault> {
    let mc = McAddress(uchar(a, "IPMB address")?);
    let id = uchar(a, "Device ID")?;
    let has_device_sdrs = named(a, "Has Device SDRs", HAS_SDRS)?;
    let revision = uchar(a, "Device Revision")?;
    let major = uchar(a, "Major FW Rev")?;
    let minor = uchar(a, "Minor FW Rev")?;
    let device_support = uchar(a, "Device Support")?;
    let manufacturer = uint(a, "Manufacturer ID")?;
    let product = uint(a, "Product ID")?;
    let (mut dynamic_sensors, mut persist_sdr) = (false, false);
    let mut flags = a.inner();
    while let Some(flag) = flags.next_if_any() {
        match flag.text {
            "dynsens" => dynamic_sensors = true,
            "persist_sdr" => persist_sdr = true,
            text => {
                let hint = nearest(text, ["dynsens", "persist_sdr"]);
                let hint = hint.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
                let message = format!("Invalid MC flag: {}, expected dynsens or persist_sdr{hint}", clip(text));
                return Err(flag.fault(message));
            }
        }
    }
    let device = Device {
        id,
        has_device_sdrs,
        revision,
        major,
        minor,
        device_support,
        manufacturer,
        product,
        dynamic_sensors,
        persist_sdr,
    };
    Ok(Command::McAdd { mc, device })
}

fn guid(a: &mut Arguments<'_>) -> Result<[u8; 16], Fault> {
    if let Some(guid) = a.next_if_uuid() {
        return Ok(guid);
    }
    let word = a.next().map_err(|missing| missing.fault("No GUID given"))?;
    let mut guid = [0; 16];
    match byte_string(&word, &[32]) {
        Ok(ByteString::Quoted(bytes)) => guid.iter_mut().take(15).zip(bytes).for_each(|(to, from)| *to = from),
        Ok(ByteString::Hex(bytes)) => guid.iter_mut().zip(bytes).for_each(|(to, from)| *to = from),
        Err(BytesFault::Unclosed) => {
            return Err(word.fault(format!("ASCII GUID doesn't end in '\"': found {}", word.quoted())));
        }
        Err(BytesFault::Length) => {
            let count = word.text.chars().count();
            return Err(word.fault(format!(
                "HEX GUID not 32 HEX characters long: {} has {count}, expected 32 or \"text\" in double quotes",
                word.quoted()
            )));
        }
        Err(BytesFault::Digit(at)) => {
            let place = at..at + word.text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
            return Err(word.fault_at(place, format!("Invalid HEX character in GUID: {}", word.quoted())));
        }
    }
    Ok(guid)
}

fn fru_data(a: &mut Arguments<'_>) -> Result<Command, Fault> {
    let (mc, device) = (mc_address(a)?, uchar(a, "Device ID")?);
    let word_of_size = a.next().map_err(|missing| missing.fault("No FRU physical size given"))?;
    let size = uint_of(&word_of_size, "FRU physical size")?;
    if size > FRU_MAX {
        return Err(
            word_of_size.fault(format!("FRU physical size {size} is too large, at most {FRU_MAX} bytes are possible"))
        );
    }
    let mut word = a.again(Rule::first, a.position())?;
    let kind = word.next().map_err(|missing| missing.fault("No FRU data type given: expected data or file"))?;
    let after = kind.range.end;
    match kind.text {
        "data" => {
            let mut words = a.again(Rule::data, after)?;
            let data = data(&mut words, size as usize)?;
            match words.next_if_any() {
                Some(word) => Err(word.fault(format!("Error: input data too long for FRU of {size} bytes"))),
                None => Ok(Command::McAddFruData { mc, device, size, data }),
            }
        }
        "file" => {
            let mut words = a.again(Rule::fru_file, after)?;
            let offset = uint(&mut words, "file offset")?;
            let (path, _) = words.string().map_err(|fault| fault.inside("Error with FRU filename"))?;
            Ok(Command::McAddFruFile { mc, device, size, offset, path })
        }
        "text" => {
            let data = fru_text(&mut a.again(Rule::fru_text, after)?)?;
            match data.len() > size as usize {
                true => {
                    Err(word_of_size.fault(format!("these texts take {} bytes, and the FRU has {size}", data.len())))
                }
                false => Ok(Command::McAddFruData { mc, device, size, data }),
            }
        }
        _ => Err(kind.fault(format!("FRU type not given, need file or data: found {}", kind.quoted()))),
    }
}

/// All that is left of a line: words with one blank between them.
fn rest(words: &mut Arguments<'_>) -> String {
    let mut rest = String::new();
    while let Some(word) = words.next_if_any() {
        if !rest.is_empty() {
            rest.push(' ');
        }
        rest.push_str(word.text);
    }
    rest
}

/// The inventory that texts make: `FIELD STRING` as often as wanted.
fn fru_text(a: &mut Arguments<'_>) -> Result<Vec<u8>, Fault> {
    let mut inventory = Inventory::default();
    while let Some(name) = a.next_if_any() {
        let Some(field) = Field::named(name.text) else {
            let names = || Field::ALL.iter().map(|field| field.name());
            let hint = nearest(name.text, names()).map(|name| format!(", did you mean '{name}'?")).unwrap_or_default();
            let all = names().collect::<Vec<_>>().join(", ");
            return Err(name.fault(format!("Unknown field: {}{hint} Expected one of {all}", name.quoted())));
        };
        let (text, range) = a.string().map_err(|fault| fault.inside(&format!("Error with {}", field.name())))?;
        inventory.set(field, &text).map_err(|why| Fault::new(range, why))?;
    }
    if let Some((name, range)) = a.unknown_variable() {
        return Err(Fault::new(range, format!("there is no variable {}", quote(name))));
    }
    Ok(inventory.bytes())
}
