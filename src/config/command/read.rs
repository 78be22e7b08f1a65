//! From the text of one statement to an [`Instruction`]: words become values (`emu.md` sections 3,
//! 4 and 7).

use std::ops::Range;

use super::{Command, Instruction, SensorAddress, SensorDependency, SensorPoll, Variables};
use crate::config::arguments::{Arguments, ByteString, BytesFault, Fault, Found, Head, byte_string, head};
use crate::config::grammar::Rule;
use crate::config::help::{COMMANDS, Entry, LAN_STATEMENTS, STATEMENTS};
use crate::config::number;
use crate::config::suggest::nearest;
use crate::config::text::{clip, encode, quote};
use crate::ipmi::McAddress;

/// Largest FRU, `emu.md` section 7.
const FRU_MAX: u32 = 8192;
/// Most data bytes of an SDR.
const SDR_MAX: usize = 256;

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
        "atca_set_site" => Rule::atca_set_site,
        "debug" => Rule::debug,
        "define" => Rule::define,
        "device_sdr_add" => Rule::device_sdr_add,
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
        "mc_set_dcmi_power" => Rule::mc_set_dcmi_power,
        "mc_set_guid" => Rule::mc_set_guid,
        "mc_set_num_leds" => Rule::mc_set_num_leds,
        "mc_set_power" => Rule::mc_set_power,
        "mc_setbmc" => Rule::mc_setbmc,
        "noecho" => Rule::noecho,
        "persist" => Rule::persist,
        "power" => Rule::show_power,
        "quit" => Rule::quit,
        "sel" => Rule::show_sel,
        "sel_add" => Rule::sel_add,
        "sel_enable" => Rule::sel_enable,
        "sensor_add" => Rule::sensor_add,
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

/// Reads the text of one statement.
pub(in crate::config) fn read(text: &str, variables: &Variables) -> Result<Option<Instruction>, Fault> {
    let Head::Keyword(word) = head(text, variables) else { return Ok(None) };
    let Some(form) = form(word.text) else { return Err(unknown(&word)) };
    if form == Rule::noecho && text != word.text {
        return Err(word.fault("Unknown command: noecho: it has to be the whole line"));
    }
    let mut arguments = Arguments::new(form, text, word.range.end, variables)?;
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
    } else if let Some(name) = nearest(word.text, names(COMMANDS)) {
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
        Rule::include => {
            let (path, _) = a.string().map_err(|fault| fault.inside("Could not get include filename"))?;
            Instruction::Include { path }
        }
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
        Rule::atca_enable => Command::AtcaEnable,
        Rule::atca_set_site => Command::AtcaSetSite {
            hardware_address: uchar(a, "hardware address")?,
            site_type: uchar(a, "site type")?,
            site_number: uchar(a, "site number")?,
        },
        _ => return Err(Fault::new(a.end(), "this command has no meaning yet")),
    })
}

fn uint(a: &mut Arguments<'_>, what: &str) -> Result<u32, Fault> {
    let word = a.next().map_err(|missing| missing.fault(format!("No {what} given")))?;
    uint_of(&word, what)
}

fn uint_of(word: &Found<'_>, what: &str) -> Result<u32, Fault> {
    word.number().map(number::u32_of).ok_or_else(|| word.not_a_number(&format!("Invalid {what} given")))
}

fn uchar(a: &mut Arguments<'_>, what: &str) -> Result<u8, Fault> {
    let word = a.next().map_err(|missing| missing.fault(format!("No {what} given")))?;
    uchar_of(&word, what)
}

fn uchar_of(word: &Found<'_>, what: &str) -> Result<u8, Fault> {
    eight_bits(word).ok_or_else(|| word.not_a_number(&format!("Invalid {what} given")))
}

/// A character or a number, modulo 256.
fn eight_bits(word: &Found<'_>) -> Option<u8> {
    match word.rule {
        Rule::character => Some(encode(word.text).get(1).copied().unwrap_or_default()),
        _ => word.number().map(number::u8_of),
    }
}

/// A number that also has names.
fn named(a: &mut Arguments<'_>, what: &str, names: &[(&str, u8)]) -> Result<u8, Fault> {
    let word = a.next().map_err(|missing| missing.fault(format!("No {what} given")))?;
    let name = names.iter().find(|(name, _)| *name == word.text);
    name.map(|(_, value)| *value).or_else(|| eight_bits(&word)).ok_or_else(|| {
        let list = names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let hint = nearest(word.text, names.iter().map(|(name, _)| *name));
        let hint = hint.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
        word.fault(format!("Invalid {what} given: found {}, expected {list} or a number{hint}", word.quoted()))
    })
}

/// `bits` characters 0 or 1, the highest bit first.
fn mask(a: &mut Arguments<'_>, what: &str, bits: usize) -> Result<u16, Fault> {
    let word = a.next().map_err(|missing| missing.fault(format!("No {what} given")))?;
    let count = word.text.chars().count();
    if count != bits {
        return Err(word.fault(format!(
            "invalid number of bits in {what}: {} has {count}, expected {bits} characters 0 or 1",
            word.quoted()
        )));
    }
    word.text.char_indices().try_fold(0, |mask, (at, c)| match c {
        '0' => Ok(mask << 1),
        '1' => Ok(mask << 1 | 1),
        _ => Err(word.fault_at(
            at..at + c.len_utf8(),
            format!("Invalid bit value {} in {what}: expected 0 or 1", quote(c.encode_utf8(&mut [0; 4]))),
        )),
    })
}

fn mc_address(a: &mut Arguments<'_>) -> Result<McAddress, Fault> {
    uchar(a, "MC address").map(McAddress)
}

/// An MC address that may be left out; a variable that does not exist is no such thing.
fn optional_mc(words: &mut Arguments<'_>) -> Result<Option<McAddress>, Fault> {
    match words.next() {
        Ok(word) => uchar_of(&word.sorted_as(Rule::uchar), "MC address").map(|mc| Some(McAddress(mc))),
        Err(missing) if words.unknown_variable().is_some() => Err(missing.fault("No MC address given")),
        Err(_) => Ok(None),
    }
}

fn sensor(a: &mut Arguments<'_>) -> Result<SensorAddress, Fault> {
    Ok(SensorAddress { mc: mc_address(a)?, lun: uchar(a, "LUN")?, number: uchar(a, "sensor num")? })
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
    let device_id = uchar(a, "Device ID")?;
    let has_device_sdrs = named(a, "Has Device SDRs", HAS_SDRS)?;
    let device_revision = uchar(a, "Device Revision")?;
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
    Ok(Command::McAdd {
        mc,
        device_id,
        has_device_sdrs,
        device_revision,
        major,
        minor,
        device_support,
        manufacturer,
        product,
        dynamic_sensors,
        persist_sdr,
    })
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

/// Data bytes up to the end of the statement; what is beyond `most` is not looked at.
fn data(words: &mut Arguments<'_>, most: usize) -> Result<Vec<u8>, Fault> {
    let mut data = Vec::new();
    while data.len() < most {
        let Some(word) = words.next_if_any() else { break };
        match uchar_of(&word, "data byte") {
            Ok(byte) => data.push(byte),
            Err(mut fault) => {
                fault.message.push_str(&format!(" (data byte {})", data.len()));
                return Err(fault);
            }
        }
    }
    Ok(data)
}

fn fru_data(a: &mut Arguments<'_>) -> Result<Command, Fault> {
    let (mc, device) = (mc_address(a)?, uchar(a, "Device ID")?);
    let word = a.next().map_err(|missing| missing.fault("No FRU physical size given"))?;
    let size = uint_of(&word, "FRU physical size")?;
    if size > FRU_MAX {
        return Err(word.fault(format!("FRU physical size {size} is too large, at most {FRU_MAX} bytes are possible")));
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
        _ => Err(kind.fault(format!("FRU type not given, need file or data: found {}", kind.quoted()))),
    }
}

fn sensor_add(a: &mut Arguments<'_>) -> Result<Command, Fault> {
    let sensor = sensor(a)?;
    let sensor_type = uchar(a, "sensor type")?;
    let event_reading_code = uchar(a, "event reading code")?;
    let mut event_only = false;
    let mut poll = None;
    let mut words = a.again(Rule::words, a.position())?;
    while let Some(option) = words.next_if_any() {
        match option.text {
            "event-only" => event_only = true,
            "poll" => {
                let rate = words.next().map_err(|missing| missing.fault("No poll rate given"))?;
                let interval = uint_of(&rate.sorted_as(Rule::uint), "poll rate")?;
                let handler = words
                    .next()
                    .map_err(|missing| missing.fault("No polled sensor handler given: expected file \"PATH\""))?;
                if handler.text != "file" {
                    let message = format!("Invalid sensor handler: {}, expected file", clip(handler.text));
                    return Err(handler.fault(message));
                }
                if event_only {
                    return Err(option.fault("An event-only sensor cannot be polled"));
                }
                let arguments = a.again(Rule::poll_file, handler.range.end)?;
                poll = Some(
                    poll_file(arguments, interval)
                        .map_err(|fault| fault.inside("Error initializing sensor handler"))?,
                );
                break;
            }
            text => {
                let hint = nearest(text, ["event-only", "poll"]);
                let hint = hint.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
                let message = format!("Unknown sensor option: {}, expected event-only or poll{hint}", clip(text));
                return Err(option.fault(message));
            }
        }
    }
    Ok(Command::SensorAdd { sensor, sensor_type, event_reading_code, event_only, poll })
}

/// What follows `poll MS file`.
fn poll_file(mut a: Arguments<'_>, interval: u32) -> Result<SensorPoll, Fault> {
    let (path, _) = a.string()?;
    let mut poll = SensorPoll {
        interval,
        path,
        divisor: 0,
        multiplier: 0,
        subtract: 0,
        base: 0,
        mask: 0,
        offset: 0,
        length: 0,
        raw: false,
        depends: None,
        initial_state: 0,
    };
    while let Some(option) = a.next_if_any() {
        match option.rule {
            Rule::divisor => poll.divisor = signed(&option, "div")?,
            Rule::multiplier => poll.multiplier = signed(&option, "mult")?,
            Rule::subtract => poll.subtract = signed(&option, "sub")?,
            Rule::base => poll.base = signed(&option, "base")?,
            Rule::bit_mask => poll.mask = signed(&option, "mask")?,
            Rule::offset => poll.offset = number::u32_of(unsigned(&option, "offset")?),
            Rule::length => poll.length = number::u32_of(unsigned(&option, "length")?),
            Rule::initial_state => poll.initial_state = unsigned(&option, "initstate")? as u16,
            Rule::raw => poll.raw = true,
            Rule::ascii => poll.raw = false,
            Rule::depends => poll.depends = Some(depends(&option)?),
            _ => {
                return Err(option.fault(format!(
                    "Invalid file option, options are div= and base= and mult= sub= mask= offset= length= raw ascii \
                     depends= initstate=: found {}",
                    option.quoted()
                )));
            }
        }
    }
    Ok(poll)
}

/// The value of an option `WORD=VALUE`, and where in the word it is. An empty value is 0.
fn value<'a>(option: &Found<'a>) -> (&'a str, Range<usize>) {
    match option.parts(option.rule).first() {
        Some(pair) if pair.as_str().is_empty() => ("0", pair.as_span().start()..pair.as_span().end()),
        Some(pair) => (pair.as_str(), pair.as_span().start()..pair.as_span().end()),
        None => ("", 0..option.text.len()),
    }
}

fn unsigned(option: &Found<'_>, name: &str) -> Result<u64, Fault> {
    let (text, place) = value(option);
    number::unsigned(text).ok_or_else(|| {
        option.fault_at(place, format!("Invalid {name} value: {}{}", number::complaint(text), fraction(name, text)))
    })
}

fn signed(option: &Found<'_>, name: &str) -> Result<i32, Fault> {
    let (text, place) = value(option);
    number::signed(text).map(number::i32_of).ok_or_else(|| {
        option.fault_at(place, format!("Invalid {name} value: {}{}", number::complaint(text), fraction(name, text)))
    })
}

/// How a fraction is written in this language, which multiplies before it divides.
fn fraction(name: &str, text: &str) -> String {
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite() && (0.0001..100_000.0).contains(value));
    match (name, value.filter(|_| text.contains('.'))) {
        ("div", Some(value)) => format!(", for example mult=10000 div={:.0}", value * 10_000.0),
        ("mult", Some(value)) => format!(", for example mult={:.0} div=10000", value * 10_000.0),
        _ => String::new(),
    }
}

/// `depends=MC,LUN,SENSOR,BIT`; empty items are skipped, what follows the fourth is ignored.
fn depends(option: &Found<'_>) -> Result<SensorDependency, Fault> {
    let parts = option.parts(Rule::depends);
    let mut items = parts.iter().filter(|item| !item.as_str().is_empty());
    let mut item = |what: &str, invalid: &str, most: u64| {
        let Some(item) = items.next() else {
            return Err(option.fault(format!("No {what} for sensor depends: expected depends=MC,LUN,SENSOR,BIT")));
        };
        let place = item.as_span().start()..item.as_span().end();
        let lead = format!("Invalid depends {invalid}");
        match number::unsigned(item.as_str()) {
            Some(value) if value <= most => Ok(value as u8),
            Some(_) => Err(option.fault_at(place, format!("{lead}: {} is not in 0 to {most}", quote(item.as_str())))),
            None => Err(option.fault_at(place, format!("{lead}: {}", number::complaint(item.as_str())))),
        }
    };
    let mc = McAddress(item("mc address", "mc addr", 255)?);
    let lun = item("lun", "lun", 3)?;
    let number = item("sensor number", "sensor_number", 255)?;
    let bit = item("sensor bit", "sensor bit", 14)?;
    Ok(SensorDependency { sensor: SensorAddress { mc, lun, number }, bit })
}
