use super::*;
use crate::config::{Severity, Span};
use crate::ipmi::Privilege;
use crate::ipmi::{Behind, Between, McAddress};
use crate::settings::command::Device;
use crate::settings::follow::{Column, Csv, CsvSource, Decimal, Following, PowerModel, Random, Shape, Times};
use crate::settings::oem::{OemCommand, OemItem, OemResponse};

fn resolve_with(line: &str, variables: &[(&str, &str)]) -> Result<Option<Instruction>, crate::config::Diagnostic> {
    let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Statement::single("t.emu", line).resolve(&variables)
}

fn instruction(line: &str) -> Instruction {
    match resolve_with(line, &[]) {
        Ok(Some(instruction)) => instruction,
        other => panic!("{line}: {other:?}"),
    }
}

fn resolve(line: &str) -> Command {
    match resolve_with(line, &[]) {
        Ok(Some(Instruction::System(command))) => command,
        other => panic!("{line}: {other:?}"),
    }
}

fn fails(line: &str, message: &str, column: u32, length: u32) {
    match resolve_with(line, &[]) {
        Err(found) => {
            assert!(found.message.starts_with(message), "{line}: {}", found.message);
            assert_eq!(found.span, Span { line: 1, column, length }, "{line}: {found}");
            assert_eq!((found.severity, found.source_line.as_str()), (Severity::Error, line));
        }
        other => panic!("{line}: {other:?}"),
    }
}

const S: SensorAddress = SensorAddress { mc: McAddress::BMC, lun: 0, number: 5 };

fn value_of(word: &str, variables: &[(&str, &str)]) -> Option<u8> {
    match resolve_with(&format!("sensor_set_value 0x20 0 5 {word} 1"), variables) {
        Ok(Some(Instruction::System(Command::SensorSetValue { value, .. }))) => Some(value),
        _ => None,
    }
}

/// `emu.md` section 4.
#[test]
fn small_numbers() {
    for (word, value) in [
        ("256", 0),
        ("-1", 255),
        ("0x141", 0x41),
        ("00", 0),
        ("010", 8),
        ("'A", 0x41),
        ("'AB", 0x41),
        ("'0x20", 0x30),
        ("'", 0),
        ("''", 0x27),
        ("'$", 0x24),
        ("'\u{e4}", 0xc3),
    ] {
        assert_eq!(value_of(word, &[]), Some(value), "{word}");
    }
    for word in ["08", "09", "1f", "0x", "0b1", "1e3", "\"1\"", "1\r"] {
        fails(&format!("sensor_set_value 0x20 0 5 {word} 1"), "Invalid value given", 27, word.len() as u32);
    }
    fails(
        "mc_add 0x20 0 1 23 9 8 1f",
        "Invalid Device Support given: '1f' is not a number such as 31 or 0x1f; did you mean 0x1f?",
        24,
        2,
    );
}

/// Section 3.
#[test]
fn variables() {
    let v: &[(&str, &str)] = &[
        ("N", "0x31"),
        ("E", ""),
        ("SP", " 5"),
        ("TWO", "1 2"),
        ("Q", "' x"),
        ("C", "sensor_set_value"),
        ("A$B", "7"),
        ("IND", "$N"),
        ("{x}", "9"),
    ];
    for (word, value) in [
        ("$N", Some(0x31)),
        ("$E", Some(0)),
        ("$SP", Some(5)),
        ("$TWO", None),
        ("$Q", Some(0x20)),
        ("$A$B", Some(7)),
        ("$IND", None),
        ("${x}", Some(9)),
        ("$n", None),
    ] {
        assert_eq!(value_of(word, v), value, "{word}");
    }
    let expected = Command::SensorSetValue { sensor: S, value: 1, event: true };
    assert_eq!(resolve_with("$C 0x20 0 5 1 1", v), Ok(Some(Instruction::System(expected))));
    assert_eq!(resolve_with("$UNKNOWN 1 2 3", v), Ok(None));
    let error = resolve_with("mc_enable $NOPE", v).expect_err("unknown");
    assert_eq!(error.message, "No MC address given: there is no variable 'NOPE'");
    assert_eq!((error.span.column, error.span.length), (11, 5));
    let error = resolve_with("$IND 1", v).expect_err("not a command");
    assert_eq!(error.message, "Unknown command: $N (value of '$IND')");
    let error = resolve_with("mc_enable $TWO", v).expect_err("two words are no number");
    assert!(error.message.starts_with("Invalid MC address given: '1 2' is not a number"), "{error}");
    assert!(error.message.ends_with("(value of '$TWO')"), "{error}");
    // The end of a list, without a word.
    let expected = Command::MainSdrAdd { mc: McAddress::BMC, data: vec![1, 2] };
    assert_eq!(resolve_with("main_sdr_add 0x20 1 2 $NOPE 3", v), Ok(Some(Instruction::System(expected))));
    let named = [("ON", "enable"), ("M", "000000000000001"), ("POLL", "poll"), ("F", "file")];
    let command = resolve_with("sensor_set_event_support 1 2 3 $ON scanning none $M $M $M $M", &named);
    assert!(
        matches!(command, Ok(Some(Instruction::System(Command::SensorSetEventSupport { assert_support: 1, .. })))),
        "{command:?}"
    );
    let command = resolve_with("sensor_add 1 2 3 4 5 $POLL 6 $F \"x\"", &named);
    assert!(matches!(command, Ok(Some(Instruction::System(Command::SensorAdd { poll: Some(_), .. })))), "{command:?}");
}

#[test]
fn delimited_strings() {
    let v: &[(&str, &str)] = &[("N", "3"), ("P", "/a b"), ("E", "")];
    let path = |line: &str| match resolve_with(line, v) {
        Ok(Some(Instruction::Include { path })) => path,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(path("include \"/sys/dev-\"$N\"-\"$N\"/x\""), "/sys/dev-3-3/x");
    assert_eq!(path("read_cmds  'a \"b\"'"), "a \"b\"");
    assert_eq!(path("include $P$N"), "/a b3");
    assert_eq!(path("include $E\"\"''$E junk"), "");
    assert_eq!(path("include \r\"x\\\" junk"), "x\\");
    for (line, reason, column, length) in [
        ("include", "missing string value", 8, 1),
        ("include   ", "missing string value", 8, 1),
        ("include x y", "string value must start with '\"' or '''", 9, 1),
        ("include \"x\"y z", "string value must start with '\"' or '''", 12, 1),
        ("include \"x\"'y z", "End of line in string", 12, 1),
        ("include \"x\"$NO\"y\"", "unable to find variable", 12, 3),
    ] {
        fails(line, &format!("Could not get include filename: {reason}"), column, length);
    }
    let define = |name: &str, value: &str| Command::Define { name: name.into(), value: value.into() };
    assert_eq!(resolve("define Q \"a\" junk here"), define("Q", "a"));
    assert_eq!(resolve("define A-b.c$ ''"), define("A-b.c$", ""));
    assert_eq!(resolve_with("define $P \"v\"", v), Ok(Some(Instruction::System(define("/a b", "v")))));
    fails("define", "No variable name given for define", 7, 1);
    fails("define X y", "Could not get variable X value: string value must start with", 10, 1);
    fails("define X", "Could not get variable X value: missing string value", 9, 1);
}

#[test]
fn words() {
    for line in ["", "   ", "\t", "# x", "   # hi", "#"] {
        assert_eq!(resolve_with(line, &[]), Ok(None), "{line:?}");
    }
    fails("  mc_enabel 0x20", "Unknown command: mc_enabel, did you mean 'mc_enable'?", 3, 9);
    fails("MC_ENABLE 0x20", "Unknown command: MC_ENABLE, did you mean 'mc_enable'?", 1, 9);
    fails("bogus", "Unknown command: bogus", 1, 5);
    fails("?", "Unknown command: ?, did you mean 'help'?", 1, 1);
    fails("set_working_mc 0x20", "Unknown command: set_working_mc (it belongs in lan.conf)", 1, 14);
    assert_eq!(resolve("mc_enable\t0x20 # ignored"), Command::McEnable { mc: McAddress::BMC });
    assert_eq!(resolve("mc_enable 0x20\n"), Command::McEnable { mc: McAddress::BMC });
    assert_eq!(instruction("quit now"), Instruction::Quit);
    assert_eq!(instruction("help"), Instruction::Help { about: None });
    assert_eq!(instruction("help sel_add more"), Instruction::Help { about: Some("sel_add".into()) });
    assert_eq!(instruction("noecho"), Instruction::NoEcho);
    assert_eq!(resolve("status now"), Command::Status);
}

#[test]
fn words_that_show_something_may_name_a_controller() {
    for (word, command) in [
        ("sessions", (|mc| Command::Sessions { mc }) as fn(_) -> _),
        ("sensors", |mc| Command::Sensors { mc }),
        ("sel", |mc| Command::Sel { mc }),
        ("power", |mc| Command::Power { mc }),
    ] {
        assert_eq!(resolve(word), command(None));
        assert_eq!(resolve(&format!("{word} \t")), command(None));
        assert_eq!(resolve(&format!("{word} 0x30 and more")), command(Some(McAddress(0x30))));
        assert_eq!(
            resolve_with(&format!("{word} $M"), &[("M", "0x30")]),
            Ok(Some(Instruction::System(command(Some(McAddress(0x30))))))
        );
        fails(&format!("{word} x"), "Invalid MC address given: 'x' is not a number", word.len() as u32 + 2, 1);
        fails(&format!("{word} $M"), "No MC address given: there is no variable 'M'", word.len() as u32 + 2, 2);
    }
}

#[test]
fn switches() {
    let debug = |raw, messages, sol| Command::Debug { raw, messages, sol };
    assert_eq!(resolve("debug"), debug(false, false, false));
    assert_eq!(resolve("debug sol raw"), debug(true, false, true));
    assert_eq!(resolve("debug msg msg"), debug(false, true, false));
    fails("debug raw foo", "Invalid debug level 'foo', options are 'raw'", 11, 3);
    assert_eq!(resolve("persist"), Command::Persist { on: None });
    assert_eq!(resolve("persist on off"), Command::Persist { on: Some(false) });
    assert_eq!(resolve("persist on"), Command::Persist { on: Some(true) });
    fails("persist maybe", "Invalid persist vale 'maybe', options are 'on' and 'off'", 9, 5);
    assert_eq!(instruction("sleep 1500"), Instruction::Sleep { milliseconds: 1500 });
    fails("sleep", "No timeout given", 6, 1);
    fails("sleep 1s", "Invalid timeout given", 7, 2);
}

#[test]
fn controllers() {
    assert_eq!(
        resolve("mc_add 0x120 1 has-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr dynsens persist_sdr"),
        Command::McAdd {
            mc: McAddress::BMC,
            device: Device {
                id: 1,
                has_device_sdrs: 1,
                revision: 0x23,
                major: 9,
                minor: 8,
                device_support: 0x9f,
                manufacturer: 0x1291,
                product: 0xf02,
                dynamic_sensors: true,
                persist_sdr: true,
            },
        }
    );
    let line = "mc_add 0x30 0 no-device-sdrs 0 0 0 0 0 0";
    assert!(matches!(
        resolve(line),
        Command::McAdd { device: Device { has_device_sdrs: 0, dynamic_sensors: false, .. }, .. }
    ));
    assert!(matches!(
        resolve("mc_add 0x30 0 2 0 0 0 0 0 0"),
        Command::McAdd { device: Device { has_device_sdrs: 2, .. }, .. }
    ));
    fails("mc_add 0x22 0 maybe", "Invalid Has Device SDRs given: found 'maybe'", 15, 5);
    fails(&format!("{line} # x"), "Invalid MC flag: #,", 42, 1);
    fails("mc_add 0x22 0 1 1", "No Major FW Rev given", 18, 1);
    assert_eq!(resolve("mc_setbmc 32"), Command::McSetBmc { mc: McAddress::BMC });
    fails("mc_setbmc 0x21", "Invalid IPMB address: 0x21 is odd", 11, 4);
    fails("mc_setbmc zz", "Invalid IPMB address of BMC given", 11, 2);
    assert_eq!(resolve("mc_delete 1"), Command::McDelete { mc: McAddress(1) });
    assert_eq!(resolve("mc_disable 1"), Command::McDisable { mc: McAddress(1) });
    fails("mc_enable", "No MC address given", 10, 1);
    fails("mc_enable zz", "Invalid MC address given", 11, 2);
    assert_eq!(resolve("mc_set_num_leds 1 300"), Command::McSetNumLeds { mc: McAddress(1), count: 44 });
    assert_eq!(resolve("mc_set_power 1 2 -1"), Command::McSetPower { mc: McAddress(1), power: 2, event: true });
    fails("mc_set_power 0x20 1", "No Gen int given", 20, 1);
    assert_eq!(resolve("atca_enable x"), Command::AtcaEnable);
    let site = Command::AtcaSetSite { hardware_address: 0x41, site_type: 2, site_number: 3 };
    assert_eq!(resolve("atca_set_site 0x41 2 3"), site);
    fails("atca_set_site 1", "No site type given", 16, 1);
}

#[test]
fn guids() {
    let guid = |line: &str| match resolve(line) {
        Command::McSetGuid { guid, .. } => guid,
        other => panic!("{other:?}"),
    };
    assert_eq!(guid("mc_set_guid 0x20 \"abcdefghijklmnop\""), *b"abcdefghijklmno\0");
    assert_eq!(guid("mc_set_guid 0x20 \"a b\""), *b"a b\0\0\0\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(guid("mc_set_guid 0x20 000102030405060708090a0b0c0d0e0F"), std::array::from_fn(|i| i as u8));
    let uuid = guid("mc_set_guid 0x20 00010203-0405-0607-0809-0a0b0c0d0e0f");
    assert_eq!(uuid, std::array::from_fn(|i| 15 - i as u8), "sent from its last byte to its first");
    fails("mc_set_guid 0x20", "No GUID given", 17, 1);
    fails("mc_set_guid 0x20 \"abc", "ASCII GUID doesn't end in '\"'", 18, 4);
    fails("mc_set_guid 0x20 \"", "ASCII GUID doesn't end in '\"'", 18, 1);
    fails("mc_set_guid 0x20 'abc'", "HEX GUID not 32 HEX characters long", 18, 5);
    fails("mc_set_guid 0x20 00112233445566778899aabbccddeegf", "Invalid HEX character in GUID", 48, 1);
}

#[test]
fn frus() {
    let data = |size, data: &[u8]| Command::McAddFruData { mc: McAddress::BMC, device: 1, size, data: data.to_vec() };
    assert_eq!(resolve("mc_add_fru_data 0x20 1 10 data 1 'a 0x3"), data(10, &[1, b'a', 3]));
    assert_eq!(resolve("mc_add_fru_data 0x20 1 0 data"), data(0, &[]));
    let file = Command::McAddFruFile { mc: McAddress::BMC, device: 1, size: 8192, offset: 16, path: "/a b".into() };
    assert_eq!(resolve("mc_add_fru_data 0x20 1 8192 file 0x10 \"/a b\" junk"), file);
    fails("mc_add_fru_data 0x20 1 8193 data", "FRU physical size 8193 is too large, at most 8192", 24, 4);
    fails("mc_add_fru_data 0x20 1 -1 data", "FRU physical size 4294967295 is too large", 24, 2);
    fails("mc_add_fru_data 0x20 1 2 data 1 2 3", "Error: input data too long for FRU", 35, 1);
    fails("mc_add_fru_data 0x20 1 9 data 1 2 zz", "Invalid data byte given: 'zz'", 35, 2);
    fails("mc_add_fru_data 0x20 1 2 data 1 # x", "Invalid data byte given", 33, 1);
    fails("mc_add_fru_data 0x20 1 2", "No FRU data type given", 25, 1);
    fails("mc_add_fru_data 0x20 1 2 00 00", "FRU type not given, need file or data: found '00'", 26, 2);
    fails("mc_add_fru_data 0x20 1 2 file", "No file offset given", 30, 1);
    fails("mc_add_fru_data 0x20 1 2 file 0", "Error with FRU filename: missing string value", 32, 1);
    fails("mc_add_fru_data 0x20 1 2 file 0 x", "Error with FRU filename: string value must start", 33, 1);
    assert_eq!(resolve("mc_dump_fru_data 0x20 255"), Command::McDumpFruData { mc: McAddress::BMC, device: 255 });
    fails("mc_dump_fru_data 0x20", "No Device ID given", 22, 1);
}

#[test]
fn records() {
    let enable = Command::SelEnable { mc: McAddress::BMC, max_records: 1000, flags: 10 };
    assert_eq!(resolve("sel_enable 0x20 1000 0x0a x"), enable);
    fails("sel_enable 0x20 1.5 0", "Invalid max records given", 17, 3);
    fails("sel_enable 0x20 1", "No flags given", 18, 1);
    let add = Command::SelAdd { mc: McAddress::BMC, record_type: 2, data: std::array::from_fn(|i| i as u8 + 1) };
    assert_eq!(resolve("sel_add 0x20 2 1 2 3 4 5 6 7 8 9 10 11 12 13 14 zz"), add);
    fails("sel_add 0x20 2 1 2 3", "No data byte given", 21, 1);
    assert_eq!(resolve("main_sdr_add 0x20"), Command::MainSdrAdd { mc: McAddress::BMC, data: vec![] });
    fails("main_sdr_add 0x20 1 2 zz", "Invalid data byte given: 'zz' is not a number", 23, 2);
    fails("main_sdr_add 0x20 1 # x", "Invalid data byte given", 21, 1);
    let many = format!("device_sdr_add 0x20 3{} zz", " 7".repeat(256));
    assert_eq!(resolve(&many), Command::DeviceSdrAdd { mc: McAddress::BMC, lun: 3, data: vec![7; 256] });
    fails("device_sdr_add 0x20", "No LUN given", 20, 1);
    let error = resolve_with("device_sdr_add 0x20 0 1 zz", &[]).expect_err("zz");
    assert!(error.message.ends_with("(data byte 1)"), "{error}");
}

#[test]
fn sensors() {
    let add =
        |event_only, poll| Command::SensorAdd { sensor: S, sensor_type: 1, event_reading_code: 0x6f, event_only, poll };
    assert_eq!(resolve("sensor_add 0x20 0 5 1 0x6f"), add(false, None));
    assert_eq!(resolve("sensor_add 0x20 0 5 1 0x6f event-only event-only"), add(true, None));
    fails("sensor_add 0x20 0 5 1 0x6f event_only", "Unknown sensor option: event_only,", 28, 10);
    fails("sensor_add 0x20 0 5 1 0x6f # x", "Unknown sensor option: #,", 28, 1);
    fails("sensor_add 0x20 0 5 1", "No event reading code given", 22, 1);
    let bit = Command::SensorSetBit { sensor: S, bit: 1, value: 2, event: true };
    assert_eq!(resolve("sensor_set_bit 0x20 0 5 1 2 3"), bit);
    fails("sensor_set_bit 0x20 0 5 1 2", "No generate event given", 28, 1);
    let bit = Command::SensorSetBitClearRest { sensor: S, bit: 1, event: false };
    assert_eq!(resolve("sensor_set_bit_clr_rest 0x20 0 5 1 0"), bit);
    let hysteresis = |support| Command::SensorSetHysteresis { sensor: S, support, positive: 1, negative: 2 };
    for (word, support) in [("none", 0), ("readable", 1), ("settable", 2), ("fixed", 3), ("7", 7), ("'a", 0x61)] {
        assert_eq!(resolve(&format!("sensor_set_hysteresis 0x20 0 5 {word} 1 2")), hysteresis(support));
    }
    fails("sensor_set_hysteresis 0x20 0 5 Fixed 1 2", "Invalid hysteresis support given: found 'Fixed'", 32, 5);
}

#[test]
fn thresholds_and_masks() {
    assert_eq!(
        resolve("sensor_set_threshold 0x20 0 5 settable 110001 0xa0 0x90 0x70 3 2 1"),
        Command::SensorSetThreshold { sensor: S, support: 2, enabled: 0b11_0001, values: [1, 2, 3, 0x70, 0x90, 0xa0] }
    );
    fails("sensor_set_threshold 0x20 0 5 settable 111000 1 2 3", "No threshold value given", 52, 1);
    fails("sensor_set_threshold 0x20 0 5 2 11100 1", "invalid number of bits in threshold enabled", 33, 5);
    fails("sensor_set_threshold 0x20 0 5 2 11x000 1", "Invalid bit value 'x' in threshold enabled", 35, 1);
    fails("sensor_set_threshold 0x20 0 5 2 0x1000 1", "Invalid bit value 'x'", 34, 1);
    fails("sensor_set_threshold 0x20 0 5 2", "No threshold enabled given", 32, 1);
    let masks = "000000000001111 100000000000000 000000000000001 000000000000000";
    assert_eq!(
        resolve(&format!("sensor_set_event_support 0x20 0 5 enable no-scanning per-state {masks}")),
        Command::SensorSetEventSupport {
            sensor: S,
            events_enabled: true,
            scanning: false,
            support: 0,
            assert_support: 0xf,
            deassert_support: 0x4000,
            assert_enabled: 1,
            deassert_enabled: 0,
        }
    );
    for (words, expected) in [
        ("true true none", (true, true, 3)),
        ("disable false global", (false, false, 2)),
        ("2 3 entire-sensor", (false, true, 1)),
    ] {
        match resolve(&format!("sensor_set_event_support 0x20 0 5 {words} {masks}")) {
            Command::SensorSetEventSupport { events_enabled, scanning, support, .. } => {
                assert_eq!((events_enabled, scanning, support), expected, "{words}");
            }
            other => panic!("{other:?}"),
        }
    }
    fails("sensor_set_event_support 0x20 0 5 enabled", "Invalid events enable given", 35, 7);
}

fn poll(options: &str) -> SensorPoll {
    match resolve(&format!("sensor_add 0x20 0 5 1 1 poll 1000 file \"/x y\" {options}")) {
        Command::SensorAdd { poll: Some(poll), .. } => poll,
        other => panic!("{other:?}"),
    }
}

#[test]
fn polled_sensors() {
    let found =
        poll("raw div=-3 mult=0x10 sub=010 base=16 mask=0xff offset=-1 length=4 initstate=0x7fff depends=0x30,1,2,14");
    assert_eq!((found.interval, found.path.as_str(), found.raw), (1000, "/x y", true));
    assert_eq!((found.divisor, found.multiplier, found.subtract, found.base), (-3, 16, 8, 16));
    assert_eq!((found.mask, found.offset, found.length, found.initial_state), (0xff, u32::MAX, 4, 0x7fff));
    let other = SensorAddress { mc: McAddress(0x30), lun: 1, number: 2 };
    assert_eq!(found.depends, Some(SensorDependency { sensor: other, bit: 14 }));
    let found = poll("");
    assert_eq!((found.divisor, found.raw, found.depends, found.initial_state), (0, false, None, 0));
    // As the original has it: an empty number, the short name, items beyond the fourth.
    assert_eq!(poll("div=5 div=").divisor, 0);
    assert_eq!(poll("inits5").initial_state, 5);
    assert!(poll("raw ascii depends=0x20,,0,1,3,zz").depends.is_some());

    let start = "sensor_add 0x20 0 5 1 1 poll 1000 ";
    let at = |offset: u32| start.len() as u32 + offset;
    let file = |line: &str, message: &str, column, length| {
        fails(&format!("{start}{line}"), &format!("Error initializing sensor handler: {message}"), column, length);
    };
    file("file", "missing string value", at(5), 1);
    file("file x", "string value must start with '\"' or '''", at(6), 1);
    file("file \"x\" rawfoo", "Invalid file option, options are div= and base=", at(10), 6);
    file("file \"x\" event-only", "Invalid file option", at(10), 10);
    file("file \"x\" div=1.5", "Invalid div value: '1.5' is not a number", at(14), 3);
    file("file \"x\" offset=z", "Invalid offset value", at(17), 1);
    file("file \"x\" depends=", "No mc address for sensor depends", at(10), 8);
    file("file \"x\" depends=1,2,3", "No sensor bit for sensor depends", at(10), 13);
    file("file \"x\" depends=1,4,3,1", "Invalid depends lun: '4' is not in 0 to 3", at(20), 1);
    file("file \"x\" depends=1,1,3,15", "Invalid depends sensor bit", at(24), 2);
    file("file \"x\" depends='a,1,3,1", "Invalid depends mc addr", at(18), 2);
    fails(start, "No polled sensor handler given", at(0), 1);
    fails("sensor_add 0x20 0 5 1 1 poll", "No poll rate given", 29, 1);
    fails("sensor_add 0x20 0 5 1 1 poll x", "Invalid poll rate given", 30, 1);
    fails(&format!("{start}foo"), "Invalid sensor handler: foo,", at(1), 3);
    fails("sensor_add 0x20 0 5 1 1 event-only poll 9 file \"x\"", "An event-only sensor cannot be polled", 36, 4);
}

/// A fraction in `div=` silently ended a published command file.
#[test]
fn fractions_say_what_to_write() {
    let error =
        resolve_with("sensor_add 0x20 0 5 1 1 poll 9 file \"x\" div=0.2701149425", &[]).expect_err("a fraction");
    assert!(error.message.contains("it must be a whole number, for example mult=10000 div=2701"), "{error}");
    assert_eq!((error.span.column, error.span.length), (45, 12));
}

#[test]
fn dcmi() {
    assert_eq!(
        resolve("mc_set_dcmi_power 0x20 1 0x30"),
        Command::McSetDcmiPower { mc: McAddress::BMC, lun: 1, sensor: 0x30 }
    );
    assert_eq!(resolve("mc_disable_dcmi 0x20"), Command::McDisableDcmi { mc: McAddress::BMC });
    fails("mc_set_dcmi_power 0x20 1", "No sensor number given", 25, 1);
    fails("mc_set_dcmi_power 0x20 x 1", "Invalid LUN", 24, 1);
}

fn oem(line: &str) -> OemCommand {
    match resolve(line) {
        Command::OemAdd { mc: McAddress::BMC, command } => OemCommand::clone(&command),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn oem_commands() {
    let fixed = |data: &[u8], privilege, code, items: &[OemItem]| OemCommand {
        netfn: 0x30,
        cmd: 0x45,
        data: data.to_vec(),
        privilege,
        response: OemResponse::Made { code, items: items.to_vec() },
    };
    let admin = Privilege::Administrator;
    assert_eq!(oem("oem_add 0x20 0x30 0x45 response 0"), fixed(&[], admin, 0, &[]));
    assert_eq!(
        oem("oem_add 0x20 0x30 0x45 data 1 'a 0x102 privilege user response 0xc9 1 'b text \"c d\"'e' 9"),
        fixed(&[1, b'a', 2], Privilege::User, 0xc9, &[OemItem::Bytes(b"\x01bc de\x09".to_vec())])
    );
    let items = "sensor=2,3 sensor=0x2c,0,1 count=0x1ff,2 count=7 power=1,0 energy=4 energy=8,3600 request=1 request=0,0 remember=4,1 recall=4,9";
    let sensor = |mc, lun, number| OemItem::Sensor { mc, lun, number };
    assert_eq!(
        oem(&format!("oem_add 0x20 0x30 0x45 privilege operator data 0 response 0 {items}")),
        fixed(
            &[0],
            Privilege::Operator,
            0,
            &[
                sensor(None, 2, 3),
                sensor(Some(McAddress(0x2c)), 0, 1),
                OemItem::Count { first: 0x1ff, bytes: 2 },
                OemItem::Count { first: 7, bytes: 1 },
                OemItem::Power { on: 1, off: 0 },
                OemItem::Energy { bytes: 4, unit: 1 },
                OemItem::Energy { bytes: 8, unit: 3600 },
                OemItem::Request { offset: 1, count: None },
                OemItem::Request { offset: 0, count: Some(0) },
                OemItem::Remember { slot: 4, offset: 1 },
                OemItem::Recall { slot: 4, first: 9 },
            ]
        )
    );
    let run = oem("oem_add 0x20 0x30 0x45 run \"./oem.sh a\"");
    assert_eq!(run.response, OemResponse::Program { command: "./oem.sh a".into() });
    let line = "oem_add 0x20 0x30 0x45 response 0 text \"SN-\"$I $B";
    let Ok(Some(Instruction::System(Command::OemAdd { command, .. }))) = resolve_with(line, &[("I", "7"), ("B", "5")])
    else {
        panic!("variables")
    };
    assert_eq!(*command, fixed(&[], admin, 0, &[OemItem::Bytes(b"SN-7\x05".to_vec())]));
    let mc = McAddress::BMC;
    let removed = Command::OemRemove { mc, netfn: 0x30, cmd: 0x45, data: vec![1, 2] };
    assert_eq!(resolve("oem_remove 0x20 0x30 0x45 data 1 2"), removed);
    let removed = Command::OemRemove { mc, netfn: 0x30, cmd: 0x45, data: vec![] };
    assert_eq!(resolve("oem_remove 0x20 0x30 0x45"), removed);
}

#[test]
fn faults_of_oem_commands() {
    for (rest, message, column, length) in [
        ("", "No network function given", 13, 1),
        ("0x31 1 response 0", "Invalid network function given: '0x31' is no request's", 14, 4),
        ("0x130 1 response 0", "Invalid network function given: '0x130'", 14, 5),
        ("0x30", "No command given", 18, 1),
        ("0x30 1", "No response given: expected response CODE or run \"COMMAND\"", 20, 1),
        ("0x30 1 data 1", "No response given", 27, 1),
        (
            "0x30 1 respond 0",
            "Unknown word: 'respond', expected data, privilege, response or run; did you mean 'response'?",
            21,
            7,
        ),
        ("0x30 1 5 response 0", "Unknown word: '5'", 21, 1),
        ("0x30 1 data 1 data 2 response 0", "Unknown word: 'data'", 28, 4),
        ("0x30 1 privilege root response 0", "Invalid privilege given: found 'root', expected callback, user,", 31, 4),
        ("0x30 1 response", "No completion code given", 29, 1),
        ("0x30 1 response 0 1f", "Invalid item: found '1f', expected a byte, text", 32, 2),
        ("0x30 1 response 0 senser=0,1", "Invalid item: found 'senser=0,1'", 32, 10),
        ("0x30 1 response 0 sensor=1", "Invalid item: found 'sensor=1', expected sensor=[MC,]LUN,SENSOR", 32, 8),
        ("0x30 1 response 0 sensor=4,1", "Invalid number of sensor=[MC,]LUN,SENSOR: '4' is not in 0 to 3", 39, 1),
        ("0x30 1 response 0 power=1,x", "Invalid number of power=ON,OFF: 'x' is not a number", 40, 1),
        ("0x30 1 response 0 count=0,5", "Invalid number of count=FIRST[,BYTES]: '5' is not in 1 to 4", 40, 1),
        ("0x30 1 response 0 energy=9", "Invalid number of energy=BYTES[,JOULES]: '9' is not in 1 to 8", 39, 1),
        ("0x30 1 response 0 energy=1,0", "Invalid number of energy=BYTES[,JOULES]: '0' is not in 1 to", 41, 1),
        ("0x30 1 response 0 recall=", "Invalid item", 32, 7),
        ("0x30 1 response 0 text", "Error with text: missing string value", 36, 1),
        ("0x30 1 response 0 $X", "there is no variable 'X'", 32, 2),
        ("0x30 1 data $X response 0", "there is no variable 'X'", 26, 2),
        ("0x30 1 run", "Error with the command to run: missing string value", 24, 1),
        ("0x30 1 run \" \"", "the command to run is empty", 25, 3),
    ] {
        fails(format!("oem_add 0x20 {rest}").trim_end(), message, column, length);
    }
    fails("oem_remove 0x20 0x30 1 2", "Unknown word: '2', expected data", 24, 1);
    fails("oem_remove 0x20 0x30 1 data x", "Invalid data byte given", 29, 1);
    fails("oem_remove 0x20 0x30 1 data 1 $X", "there is no variable 'X'", 31, 2);
    let many = " 1".repeat(256);
    fails(&format!("oem_add 0x20 0x30 1 response 0{many}"), "a response has at most 255 data bytes", 31 + 511, 1);
    fails(&format!("oem_add 0x20 0x30 1 data{many} response 0"), "a request has at most 255 data bytes", 25 + 511, 1);
}

#[test]
fn controllers_that_must_exist() {
    for entry in HELP {
        let line = match entry.name {
            "mc_add" => "mc_add 0x42 0 0 0 0 0 0 0 0".to_string(),
            "mc_set_guid" => "mc_set_guid 0x42 \"x\"".to_string(),
            "mc_add_fru_data" => "mc_add_fru_data 0x42 0 1 data".to_string(),
            "sensor_set_threshold" => "sensor_set_threshold 0x42 1 1 1 000000 1 1 1 1 1 1".to_string(),
            "sensor_set_event_support" => {
                format!("sensor_set_event_support 0x42 1 1 1 1 1{}", " 000000000000000".repeat(4))
            }
            "define" | "include" | "read_cmds" => format!("{} 'x' 'x'", entry.name),
            "debug" | "persist" | "quit" | "noecho" | "bmc" | "bmcs" => entry.name.to_string(),
            "fault" => "fault hang".to_string(),
            "oem_add" => "oem_add 0x42 0x30 1 response 0".to_string(),
            "oem_remove" => "oem_remove 0x42 0x30 1 data 1".to_string(),
            "sensor_add" => "sensor_add 0x42 1 1 1 1".to_string(),
            "sensor_follow" => "sensor_follow 0x42 1 1 none".to_string(),
            "mc_load" => "mc_load 0x42 none".to_string(),
            "mc_power_model" => "mc_power_model 0x42 none".to_string(),
            "sel_fill" => "sel_fill 0x42 none".to_string(),
            name => format!("{name} 0x42{}", " 1".repeat(14)),
        };
        let with_mc = !["mc_add", "mc_setbmc", "sel_fills"].contains(&entry.name)
            && ["mc_", "sel_", "main_sdr_", "device_sdr_", "sensor_", "oem_"]
                .iter()
                .any(|start| entry.name.starts_with(start));
        let with_mc = with_mc || ["power", "sel", "sensors", "sessions"].contains(&entry.name);
        let required_mc = match instruction(&line) {
            Instruction::System(command) => command.required_mc(),
            _ => None,
        };
        assert_eq!(required_mc, with_mc.then_some(McAddress(0x42)), "{line}");
    }
    // 30 of the original, `help`, `noecho`, 2 of DCMI, 5 that show the live state, 2 of fleets, 2 of OEM commands, 4 of
    // machines that live, 2 of faults on purpose, 2 of logs that fill.
    assert_eq!(HELP.len(), 51);
}

#[test]
fn signals_are_read_with_their_options_in_any_order() {
    let decimal = |number| Decimal::new(number).expect("near zero");
    let following = |line: &str| match resolve(&format!("sensor_follow 0x20 0 5 {line}")) {
        Command::SensorFollow { sensor: S, following } => following.map(|following| *following),
        other => panic!("{line}: {other:?}"),
    };
    let alone = |shape| Following {
        shape,
        lowest: None,
        highest: None,
        load_gain: Decimal::default(),
        add: None,
        off: None,
        tau: Decimal::default(),
    };
    assert_eq!(following("none"), None);
    assert_eq!(following("constant -4.5"), Some(alone(Shape::Constant(decimal(-4.5)))));
    let random = |step| Random { mean: decimal(1.0), amplitude: decimal(0.25), step: decimal(step) };
    assert_eq!(following("walk amplitude .25 mean 1"), Some(alone(Shape::Walk(random(1.0)))));
    assert_eq!(following("noise mean 1 step 0.1 amplitude 0.25"), Some(alone(Shape::Noise(random(0.1)))));
    let line = Shape::Line { from: decimal(1.0), to: decimal(2.0), over: decimal(3.0) };
    let all = "line to 2 off 22 max 7 over 3 load 30 min -7 tau 120 from 1 add 0x30 1 2 -0.5";
    let other = SensorAddress { mc: McAddress(0x30), lun: 1, number: 2 };
    let expected = Following {
        lowest: Some(decimal(-7.0)),
        highest: Some(decimal(7.0)),
        load_gain: decimal(30.0),
        add: Some((other, decimal(-0.5))),
        off: Some(decimal(22.0)),
        tau: decimal(120.0),
        ..alone(line)
    };
    assert_eq!(following(all), Some(expected));
    let sine =
        Shape::Sine { mean: decimal(50.0), amplitude: decimal(5.0), period: decimal(60.0), phase: decimal(-3.0) };
    let csv = |column: &str, times, between, behind| {
        let source = CsvSource { path: "a b.csv".into(), column: Column::Name(column.into()), times, between, behind };
        Shape::Csv(Box::new(Csv { source, recording: None }))
    };
    let every = csv("CPU 1", Times::Every(decimal(0.5)), Between::Hold, Behind::Stop);
    assert_eq!(following("csv \"a b.csv\" every 0.5 column 'CPU 1'"), Some(alone(every)));
    let timed = csv("t", Times::Column(Column::Number(2)), Between::Linear, Behind::Repeat);
    let all = "csv \"a b.csv\" linear time 2 column t off 22 repeat";
    assert_eq!(following(all), Some(Following { off: Some(decimal(22.0)), ..alone(timed) }));
    let load = "mc_load 0x20 sine mean 50 amplitude 5 period 60 phase -3";
    assert_eq!(resolve(load), Command::McLoad { mc: McAddress::BMC, shape: Some(sine) });
    assert_eq!(resolve("mc_load 0x20 none"), Command::McLoad { mc: McAddress::BMC, shape: None });
    let model = PowerModel { idle: decimal(100.5), highest: decimal(450.0), standby: decimal(8.0) };
    assert_eq!(
        resolve("mc_power_model 0x20 max 450 idle 100.5"),
        Command::McPowerModel { mc: McAddress::BMC, model: Some(model) }
    );
    assert_eq!(resolve("mc_power_model 0x20 none"), Command::McPowerModel { mc: McAddress::BMC, model: None });
    assert_eq!(resolve("seed 18446744073709551615"), Command::Seed { seed: u64::MAX });
    assert_eq!(
        resolve_with("sensor_follow 0x20 0 5 constant $t", &[("t", "45.5")]).map(|read| read.is_some()),
        Ok(true)
    );
}

#[test]
fn faults_in_signals_have_a_place() {
    let start = "sensor_follow 0x20 0 5 ";
    for (line, message, column, length) in [
        ("", "No signal given: expected constant, line, sine, walk, noise, csv, none", 0, 1),
        (
            "sinus",
            "Unknown signal: sinus, expected constant, line, sine, walk, noise, csv, none; did you mean 'sine'?",
            1,
            5,
        ),
        ("constant", "No value given: expected a number", 9, 1),
        ("constant hot", "Invalid value given: found 'hot', expected a number such as 45 or -1.5", 10, 3),
        ("constant 1e3", "Invalid value given: found '1e3'", 10, 3),
        ("constant 9000000000", "Invalid value given: found '9000000000'", 10, 10),
        ("sine mean 4 period 3", "No amplitude given: sine has mean, amplitude, period", 1, 4),
        ("sine mean 4 amplitude 1 period 0", "Invalid period given: expected at least 0.1 seconds", 32, 1),
        ("walk mean 4 amplitude 1 step 0.05", "Invalid step given: expected at least 0.1 seconds", 30, 4),
        ("line from 1 to 2 over -1", "Invalid over given: expected at least 0 seconds", 23, 2),
        ("constant 1 mean 3", "Unknown option: mean, expected min, max, load, add, off, tau", 12, 4),
        ("constant 1 min 3 min 4", "min is given twice", 18, 3),
        ("constant 1 min 3 max 2", "Invalid max given: it is below min", 22, 1),
        ("constant 1 tau 3", "tau is how fast the value goes to what it is without power: give off, too", 16, 1),
        ("constant 1 off", "No off given: expected a number", 15, 1),
        ("constant 1 add 0x20 0", "No sensor num given for add", 22, 1),
        ("constant 1 add 0x20 0 x 1", "Invalid sensor num given", 23, 1),
        ("constant 1 $t", "No option given: there is no variable 't'", 12, 2),
        ("csv", "Error with the name of the table: missing string value", 4, 1),
        ("csv a.csv column 1 every 1", "Error with the name of the table: string value must start with", 5, 5),
        ("csv \"a.csv\" every 1", "No column given: csv has column, and time or every", 1, 3),
        ("csv \"a.csv\" column 1", "No time given: expected time COLUMN or every SECONDS", 1, 3),
        ("csv \"a.csv\" column 1 time t every 1", "time and every are given: expected one of them", 27, 1),
        ("csv \"a.csv\" column 0 every 1", "Invalid column given: expected the number or the name", 20, 1),
        ("csv \"a.csv\" column 1 every 0", "Invalid every given: expected at least 0.1 seconds", 28, 1),
        ("csv \"a.csv\" column 1 column 2", "column is given twice", 22, 6),
        ("csv \"a.csv\" linear linear", "linear is given twice", 20, 6),
        ("csv \"a.csv\" column \"x every 1", "Error with column: End of line in string", 20, 1),
    ] {
        // What is missing is missing behind the last word.
        let (line, column) = match column {
            0 => (start.trim_end().to_owned(), start.len() as u32),
            column => (format!("{start}{line}"), start.len() as u32 + column),
        };
        fails(&line, message, column, length);
    }
    fails("mc_load 0x20 constant 1 off 3", "Unknown option: off, expected ", 25, 3);
    fails("seed x", "Invalid seed given", 6, 1);
    fails("mc_power_model 0x20", "No model given: expected none, or idle and max", 20, 1);
    fails("mc_power_model 0x20 idle 100", "No max given: a model has idle and max", 21, 4);
    fails("mc_power_model 0x20 idle 100 max 90", "Invalid max given: it is below idle", 34, 2);
    fails("mc_power_model 0x20 idle -1 max 90", "Invalid idle given: expected 0 to 65535 watts", 26, 2);
    fails(
        "mc_power_model 0x20 idel 1",
        "Unknown option: idel, expected idle, max, standby; did you mean 'idle'?",
        21,
        4,
    );
}
