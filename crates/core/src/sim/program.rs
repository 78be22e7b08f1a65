//! Helper programs as text: `chassis_control` and `lan_config_program`
//! (`process.md` sections 10 to 12).
//!
//! Owns the shell line a [`ProgramCall`] becomes, the reading of what the program prints,
//! and the log lines of failures. Runs nothing: the line goes out as a job, the
//! [`ProgramEnd`] comes back.

use std::fmt::Write;

use super::effect::{OUTPUT_LIMIT, ProgramEnd};
use crate::bmc::external::{Identify, Kind, Operation, ProgramCall, ProgramFailure, ProgramResult, Value};
use crate::bmc::strtol::{is_blank, skip_blanks, strtol};

/// Names of the boot devices, by selector (IPMI 2.0 table 28-14, bits 5 to 2).
const BOOT_DEVICES: [(u8, &str); 5] = [(0, "none"), (1, "pxe"), (2, "default"), (5, "cdrom"), (6, "bios")];

/// Names of the IP address sources (IPMI 2.0 table 23-4, parameter 4).
const ADDRESS_SOURCES: [(u8, &str); 5] = [(0, "unknown"), (1, "static"), (2, "dhcp"), (3, "bios"), (4, "other")];

/// How many characters of a program's line stand in the log.
const LONGEST_LINE: usize = 200;

/// What came of a call: the values or the failure, and what to log about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// For the command that asked.
    pub result: ProgramResult,
    /// For the log; a refused check is no event and has none.
    pub log: Option<String>,
}

impl Outcome {
    /// It failed for this reason.
    pub(super) fn failed(log: impl Into<Option<String>>) -> Self {
        Self { result: Err(ProgramFailure), log: log.into() }
    }

    /// Whether it did what was asked; else why not.
    pub(super) fn success(&self) -> Result<(), String> {
        let why = || self.log.clone().unwrap_or_else(|| "the helper program refused".into());
        self.result.as_ref().map(|_| ()).map_err(|ProgramFailure| why())
    }
}

/// The line for `sh -c`: `<prefix> <op> <parm> ["<value>" <parm> "<value>" ...]`.
///
/// The prefix is shell text of the configuration and goes in as it is. Values hold
/// digits, letters, dots, colons and blanks only, so the quotes need no escapes.
///
/// # Errors
/// A value without a name (boot device 3, say) fails before anything runs; the error is
/// the whole outcome.
pub(super) fn command_line(call: &ProgramCall) -> Result<String, Outcome> {
    if call.operation == Operation::Request {
        return Ok(call.prefix.clone());
    }
    let mut line = format!("{} {}", call.prefix, operation_word(call.operation));
    for parameter in &call.parameters {
        line.push(' ');
        line.push_str(parameter.name);
        if call.operation == Operation::Get {
            continue;
        }
        let Some(text) = parameter.value.and_then(value_text) else {
            return Err(Outcome::failed(match call.operation {
                Operation::Check => format!("Invalid value in extcmd check command for {}", parameter.name),
                // The original's words for it, whatever the reason.
                _ => "Out of memory in extcmd write command (22) Invalid argument".to_owned(),
            }));
        };
        line.push_str(" \"");
        line.push_str(&text);
        line.push('"');
    }
    Ok(line)
}

/// What the program's end means for the call it was run for.
///
/// For a get the values stand in the order of the call's parameters.
pub(super) fn outcome(call: &ProgramCall, line: &str, ended: &ProgramEnd) -> Outcome {
    let word = match call.operation {
        Operation::Get => "read",
        Operation::Set => "write",
        Operation::Check => "check",
        Operation::Request => "request",
    };
    if ended.output.len() >= OUTPUT_LIMIT {
        return Outcome::failed(format!("Output of extcmd config {word} command ({line}) is too big"));
    }
    match ended.status {
        Some(0) => {}
        // A refusal is a response; a program that could not be run is none.
        Some(status) if call.operation == Operation::Check && !was_not_run(status) => return Outcome::failed(None),
        status => {
            let how = status.map_or_else(|| problem(ended), |status| said(end_text(status), ended));
            return Outcome::failed(format!("extcmd {word} command ({line}) failed: {how}"));
        }
    }
    match call.operation {
        Operation::Get => read_values(call, ended),
        Operation::Request => response(line, ended),
        Operation::Set | Operation::Check => Outcome { result: Ok(Vec::new()), log: None },
    }
}

/// The bytes that a program printed as the response to a request: words in hexadecimal, with 0x before them or not.
fn response(line: &str, ended: &ProgramEnd) -> Outcome {
    let text = String::from_utf8_lossy(&ended.output);
    let byte = |word: &str| {
        let digits = word.strip_prefix("0x").unwrap_or(word);
        let digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(digits);
        digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())
    };
    let bytes: Result<Vec<u8>, &str> = text.split_whitespace().map(|word| byte(word).ok_or(word)).collect();
    let why = match bytes {
        Ok(bytes) if !bytes.is_empty() => {
            return Outcome {
                result: Ok(bytes.into_iter().map(|byte| Value::Integer(byte.into())).collect()),
                log: None,
            };
        }
        Ok(_) => "it printed no completion code".to_owned(),
        Err(word) => {
            let word: String = word.chars().take(LONGEST_LINE).flat_map(shown).collect();
            format!("it printed '{word}', which is no byte in hexadecimal")
        }
    };
    Outcome::failed(format!("extcmd request command ({line}) failed: {why}"))
}

fn read_values(call: &ProgramCall, ended: &ProgramEnd) -> Outcome {
    let mut values = Vec::with_capacity(call.parameters.len());
    for parameter in &call.parameters {
        let value = find(&ended.output, parameter.name)
            .ok_or("File exists")
            .and_then(|text| read_value(parameter.kind, text).ok_or("Invalid argument"));
        match value {
            Ok(value) => values.push(value),
            Err(why) => {
                return Outcome::failed(format!("Setting extern command value of {} failed: {why}", parameter.name));
            }
        }
    }
    Outcome { result: Ok(values), log: None }
}

/// What a program that went well wrote to standard error, for the log.
pub(super) fn remark(line: &str, ended: &ProgramEnd) -> Option<String> {
    let remark = last_line(&ended.complaints).filter(|_| ended.status == Some(0))?;
    Some(format!("({line}) wrote: {remark}"))
}

fn problem(ended: &ProgramEnd) -> String {
    let text = ended.problem.clone().unwrap_or_else(|| "no exit status".to_owned());
    said(text, ended)
}

/// How a process ended, of the raw wait status.
pub(super) fn end_text(status: i32) -> String {
    let (signal, code) = (status & 0x7f, status >> 8 & 0xff);
    match (signal, code) {
        (0, 126) => "exit status 126: cannot be run".to_owned(),
        (0, 127) => "exit status 127: not found".to_owned(),
        // What a shell makes of a signal that ended the program it ran.
        (0, 129..=159) => format!("exit status {code}: ended by {}", signal_name(code - 128)),
        (0, _) => format!("exit status {code}"),
        _ => format!("ended by {}", signal_name(signal)),
    }
}

/// With the last line that the program wrote: to standard error, else to standard output.
fn said(text: String, ended: &ProgramEnd) -> String {
    match last_line(&ended.complaints).or_else(|| last_line(&ended.output)) {
        Some(line) => format!("{text}: {line}"),
        None => text,
    }
}

/// A shell's words for a program that it did not find or could not run.
fn was_not_run(status: i32) -> bool {
    status & 0x7f == 0 && matches!(status >> 8 & 0xff, 126 | 127)
}

fn signal_name(number: i32) -> String {
    const NAMES: [(i32, &str); 12] = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (13, "SIGPIPE"),
        (14, "SIGALRM"),
        (15, "SIGTERM"),
    ];
    let name = NAMES.iter().find(|(other, _)| *other == number);
    name.map_or_else(|| format!("signal {number}"), |(_, name)| format!("signal {number} ({name})"))
}

/// The last line that is not blank, so far as a log line has room for it.
fn last_line(output: &[u8]) -> Option<String> {
    let line = output.split(|byte| *byte == b'\n').rev().find(|line| !line.trim_ascii().is_empty())?.trim_ascii();
    let text = String::from_utf8_lossy(line);
    let cut: String = text.chars().take(LONGEST_LINE).flat_map(shown).collect();
    Some(if text.chars().nth(LONGEST_LINE).is_some() { cut + "..." } else { cut })
}

/// A character as it may stand in a log line.
fn shown(character: char) -> impl Iterator<Item = char> {
    let plain = (!character.is_control()).then_some(character);
    plain.into_iter().chain(character.escape_default().filter(move |_| plain.is_none()))
}

fn operation_word(operation: Operation) -> &'static str {
    match operation {
        Operation::Get => "get",
        Operation::Set => "set",
        Operation::Check => "check",
        Operation::Request => "request",
    }
}

/// A value as it stands between the quotes, unless it has no name.
fn value_text(value: Value) -> Option<String> {
    let name = |table: &[(u8, &str)], value: u8| {
        table.iter().find(|(number, _)| *number == value).map(|(_, name)| (*name).to_owned())
    };
    match value {
        Value::Integer(number) => Some(number.to_string()),
        Value::BootDevice(device) => name(&BOOT_DEVICES, device),
        Value::AddressSource(source) => name(&ADDRESS_SOURCES, source),
        Value::Ip([a, b, c, d]) => Some(format!("{a}.{b}.{c}.{d}")),
        Value::Mac(address) => {
            let mut text = String::with_capacity(17);
            for (index, byte) in address.iter().enumerate() {
                let colon = if index == 0 { "" } else { ":" };
                // Without leading zeros, as programs written for the original expect.
                let _ = write!(text, "{colon}{byte:x}");
            }
            Some(text)
        }
        Value::Identify(Identify { seconds, force }) => Some(format!("{seconds} {}", u8::from(force))),
    }
}

/// What stands behind the first line that begins with `name:`, blanks skipped; they may
/// span lines. The text runs on to the end of the output, which a zero byte ends.
fn find<'a>(output: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = output.split(|&byte| byte == 0).next().unwrap_or_default();
    loop {
        if let Some(text) = rest.strip_prefix(name.as_bytes()).and_then(|text| text.strip_prefix(b":")) {
            return Some(skip_blanks(text));
        }
        let line_end = rest.iter().position(|&byte| byte == b'\n')?;
        rest = rest.get(line_end + 1..)?;
    }
}

fn read_value(kind: Kind, text: &[u8]) -> Option<Value> {
    match kind {
        Kind::Integer => {
            let (number, rest) = strtol(text, 0)?;
            // The original keeps the low 32 bits.
            rest.first().is_none_or(|&byte| is_blank(byte)).then_some(Value::Integer(number as i32))
        }
        Kind::BootDevice => named(&BOOT_DEVICES, text).map(Value::BootDevice),
        Kind::AddressSource => named(&ADDRESS_SOURCES, text).map(Value::AddressSource),
        Kind::Ip => ip(text).map(Value::Ip),
        Kind::Mac => mac(text).map(Value::Mac),
        // Identify is only ever set.
        Kind::Identify => None,
    }
}

/// The first entry of the table the word up to the next blank is a beginning of.
fn named(table: &[(u8, &str)], text: &[u8]) -> Option<u8> {
    let word = text.split(|&byte| is_blank(byte)).next().filter(|word| !word.is_empty())?;
    table.iter().find(|(_, name)| name.as_bytes().starts_with(word)).map(|(number, _)| *number)
}

/// An address in the forms C's `inet_aton` takes: one to four numbers, decimal, octal or
/// hexadecimal, the last one filling what is left.
fn ip(mut text: &[u8]) -> Option<[u8; 4]> {
    let mut address = [0; 4];
    for index in 0..4 {
        text.first().filter(|byte| byte.is_ascii_digit())?;
        let (number, rest) = strtol(text, 0)?;
        if let (Some(rest), 0..3) = (rest.strip_prefix(b"."), index) {
            *address.get_mut(index)? = u8::try_from(number).ok()?;
            text = rest;
            continue;
        }
        rest.first().is_none_or(|&byte| is_blank(byte)).then_some(())?;
        let bytes = u32::try_from(number).ok()?.to_be_bytes();
        let (too_much, last) = bytes.split_at(index);
        address.get_mut(index..)?.copy_from_slice(last);
        return too_much.iter().all(|&byte| byte == 0).then_some(address);
    }
    None
}

/// Six hexadecimal numbers of one or two digits with colons between; whatever follows.
fn mac(mut text: &[u8]) -> Option<[u8; 6]> {
    let mut address = [0; 6];
    for (index, byte) in address.iter_mut().enumerate() {
        if index > 0 {
            text = text.strip_prefix(b":")?;
        }
        let digit = |at: usize| text.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        let (value, digits) = match (digit(0)?, digit(1)) {
            (high, Some(low)) => (high << 4 | low, 2),
            (low, None) => (low, 1),
        };
        *byte = u8::try_from(value).ok()?;
        text = text.get(digits..)?;
    }
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bmc::external::Parameter;

    fn call(operation: Operation, parameters: &[(&'static str, Kind, Option<Value>)]) -> ProgramCall {
        ProgramCall {
            prefix: "./control 0x20".to_owned(),
            operation,
            parameters: parameters.iter().map(|&(name, kind, value)| Parameter { name, kind, value }).collect(),
        }
    }

    fn set(name: &'static str, kind: Kind, value: Value) -> ProgramCall {
        call(Operation::Set, &[(name, kind, Some(value))])
    }

    fn ended(status: i32, output: &[u8]) -> ProgramEnd {
        ProgramEnd { status: Some(status), output: output.to_vec(), complaints: Vec::new(), problem: None }
    }

    /// One value got from what a program printed, or the log line.
    fn got(name: &'static str, kind: Kind, output: impl AsRef<[u8]>) -> Result<Value, String> {
        let call = call(Operation::Get, &[(name, kind, None)]);
        let outcome = outcome(&call, "LINE", &ended(0, output.as_ref()));
        match (outcome.result, outcome.log) {
            (Ok(values), None) if values.len() == 1 => Ok(values[0]),
            (Err(ProgramFailure), Some(log)) => Err(log),
            other => panic!("{other:?}"),
        }
    }

    fn power(output: impl AsRef<[u8]>) -> Option<i32> {
        match got("power", Kind::Integer, output) {
            Ok(Value::Integer(number)) => Some(number),
            Ok(other) => panic!("{other:?}"),
            Err(_) => None,
        }
    }

    const MISSING: &str = "Setting extern command value of power failed: File exists";
    const INVALID: &str = "Setting extern command value of power failed: Invalid argument";

    /// What a program printed as the response to a request, or the log line.
    fn responded(status: i32, output: &str) -> Result<Vec<Value>, String> {
        let call = ProgramCall { prefix: "./oem 0x30 0x70".into(), ..call(Operation::Request, &[]) };
        assert_eq!(command_line(&call), Ok("./oem 0x30 0x70".into()));
        let outcome = outcome(&call, "LINE", &ended(status, output.as_bytes()));
        outcome.result.map_err(|ProgramFailure| outcome.log.unwrap_or_default())
    }

    #[test]
    fn a_response_is_bytes_in_hexadecimal() {
        let numbers = |bytes: &[u8]| Ok(bytes.iter().map(|byte| Value::Integer((*byte).into())).collect());
        assert_eq!(responded(0, "0x00 5 fF\n0x1"), numbers(&[0, 5, 0xff, 1]));
        assert_eq!(responded(0, "c1\n"), numbers(&[0xc1]));
        let failed = |why: &str| Err(format!("extcmd request command (LINE) failed: {why}"));
        for word in ["100", "0x", "+1", "-1", "x", "0x0x1", "1,2"] {
            assert_eq!(responded(0, word), failed(&format!("it printed '{word}', which is no byte in hexadecimal")));
        }
        assert_eq!(responded(0, " \n"), failed("it printed no completion code"));
        assert_eq!(responded(1 << 8, "00"), failed("exit status 1: 00"));
    }

    #[test]
    fn lines_are_those_of_the_original() {
        let get = call(Operation::Get, &[("power", Kind::Integer, None)]);
        let lines = [
            (get, "./control 0x20 get power"),
            (set("power", Kind::Integer, Value::Integer(1)), r#"./control 0x20 set power "1""#),
            (set("boot", Kind::BootDevice, Value::BootDevice(5)), r#"./control 0x20 set boot "cdrom""#),
            (
                set("identify", Kind::Identify, Value::Identify(Identify { seconds: 15, force: false })),
                r#"./control 0x20 set identify "15 0""#,
            ),
            (
                call(Operation::Check, &[("ip_addr_src", Kind::AddressSource, Some(Value::AddressSource(2)))]),
                r#"./control 0x20 check ip_addr_src "dhcp""#,
            ),
            (
                call(
                    Operation::Set,
                    &[
                        ("ip_addr", Kind::Ip, Some(Value::Ip([10, 0, 0, 1]))),
                        ("ip_addr_src", Kind::AddressSource, Some(Value::AddressSource(1))),
                        ("mac_addr", Kind::Mac, Some(Value::Mac([0, 0x0c, 0x29, 1, 2, 0xff]))),
                    ],
                ),
                r#"./control 0x20 set ip_addr "10.0.0.1" ip_addr_src "static" mac_addr "0:c:29:1:2:ff""#,
            ),
        ];
        for (call, line) in lines {
            assert_eq!(command_line(&call).as_deref(), Ok(line));
        }
    }

    #[test]
    fn a_value_without_a_name_fails_before_anything_runs() {
        for device in [3, 4, 7, 15] {
            let outcome = command_line(&set("boot", Kind::BootDevice, Value::BootDevice(device))).unwrap_err();
            let log = "Out of memory in extcmd write command (22) Invalid argument".to_owned();
            assert_eq!(outcome, Outcome { result: Err(ProgramFailure), log: Some(log) });
        }
        let check = call(Operation::Check, &[("ip_addr_src", Kind::AddressSource, Some(Value::AddressSource(5)))]);
        let log = "Invalid value in extcmd check command for ip_addr_src".to_owned();
        assert_eq!(command_line(&check), Err(Outcome { result: Err(ProgramFailure), log: Some(log) }));
    }

    #[test]
    fn output_of_a_set_means_nothing_when_it_went_well() {
        let call = set("power", Kind::Integer, Value::Integer(1));
        let outcome = outcome(&call, "LINE", &ended(0, b"anything\n"));
        assert_eq!(outcome, Outcome { result: Ok(vec![]), log: None });
    }

    #[test]
    fn the_log_says_how_a_program_failed() {
        let get = call(Operation::Get, &[("power", Kind::Integer, None)]);
        let failed = |call: &ProgramCall, ended: &ProgramEnd| {
            let outcome = outcome(call, &command_line(call).unwrap(), ended);
            assert_eq!(outcome.result, Err(ProgramFailure));
            outcome.log
        };
        let how = |status: Option<i32>, output: &str, complaints: &str| {
            let problem = status.is_none().then(|| "ended after 30 seconds without finishing".to_owned());
            let ended = ProgramEnd { status, output: output.into(), complaints: complaints.into(), problem };
            let text = failed(&get, &ended).unwrap();
            text.strip_prefix("extcmd read command (./control 0x20 get power) failed: ").expect(&text).to_owned()
        };
        assert_eq!(how(Some(0x300), "power:1\nmore\n", ""), "exit status 3: more");
        assert_eq!(how(Some(0x100), "power:1\n", "trying\nno such pin \n\n"), "exit status 1: no such pin");
        assert_eq!(how(Some(0xff00), "", " \n"), "exit status 255");
        assert_eq!(how(Some(0x7f00), "", ""), "exit status 127: not found");
        assert_eq!(
            how(Some(0x7f00), "", "sh: 1: ./control: not found\n"),
            "exit status 127: not found: sh: 1: ./control: not found"
        );
        assert_eq!(how(Some(0x7e00), "", ""), "exit status 126: cannot be run");
        assert_eq!(how(Some(9), "", ""), "ended by signal 9 (SIGKILL)");
        assert_eq!(how(Some(0x80 | 11), "", ""), "ended by signal 11 (SIGSEGV)");
        assert_eq!(how(Some(40), "", ""), "ended by signal 40");
        assert_eq!(how(Some(137 << 8), "", "Killed\n"), "exit status 137: ended by signal 9 (SIGKILL): Killed");
        assert_eq!(how(None, "begun\n", ""), "ended after 30 seconds without finishing: begun");
        // A line is no longer than it is useful, and does not move anybody's cursor.
        assert_eq!(how(Some(0x100), "", "a\x1b[2Jb\r\n"), "exit status 1: a\\u{1b}[2Jb");
        let long = how(Some(0x100), "", &"x".repeat(4096));
        assert_eq!(long.len(), "exit status 1: ".len() + LONGEST_LINE + "...".len());
        let set = set("power", Kind::Integer, Value::Integer(0));
        assert_eq!(
            failed(&set, &ended(0x7f00, b"")).unwrap(),
            r#"extcmd write command (./control 0x20 set power "0") failed: exit status 127: not found"#
        );
        let check = call(Operation::Check, &[("ip_addr_src", Kind::AddressSource, Some(Value::AddressSource(2)))]);
        assert_eq!(failed(&check, &ended(0x100, b"no")), None, "a refusal");
        assert!(failed(&check, &ended(0x7f00, b"")).is_some(), "no refusal");
    }

    #[test]
    fn what_a_program_that_went_well_writes_to_standard_error_is_a_remark() {
        let mut ended = ended(0, b"power:1\n");
        assert_eq!(remark("LINE", &ended), None);
        ended.complaints = b"one\npin 3 is slow\n".to_vec();
        assert_eq!(remark("LINE", &ended).as_deref(), Some("(LINE) wrote: pin 3 is slow"));
        ended.status = Some(0x100);
        assert_eq!(remark("LINE", &ended), None, "it is in the line about the failure");
    }

    #[test]
    fn output_may_have_2046_bytes() {
        let mut output = b"power:1\n".to_vec();
        output.resize(2046, b'x');
        assert_eq!(power(&output), Some(1));
        output.push(b'x');
        assert_eq!(
            got("power", Kind::Integer, &output),
            Err("Output of extcmd config read command (LINE) is too big".to_owned())
        );
        // Also for programs whose output is not looked at, and before the status.
        for (operation, word) in [(Operation::Set, "write"), (Operation::Check, "check")] {
            let call = call(operation, &[("power", Kind::Integer, Some(Value::Integer(1)))]);
            let log = format!("Output of extcmd config {word} command (LINE) is too big");
            let expected = Outcome { result: Err(ProgramFailure), log: Some(log) };
            assert_eq!(outcome(&call, "LINE", &ended(0x100, &output)), expected);
        }
    }

    #[test]
    fn the_first_line_that_begins_with_the_name_counts() {
        assert_eq!(power("Power:1\npower:0\npower:1\n"), Some(0));
        assert_eq!(power("a line before it\npowers:7\npower:1"), Some(1));
        for output in ["", "power\n", " power:1\n", "junk power:1\n", "x\n\n"] {
            assert_eq!(got("power", Kind::Integer, output), Err(MISSING.to_owned()), "{output:?}");
        }
        assert_eq!(got("power", Kind::Integer, b"pow\0x\npower:1\n"), Err(MISSING.to_owned()));
        assert_eq!(power(b"power:1\0 0"), Some(1));
    }

    #[test]
    fn blanks_behind_the_colon_may_span_lines() {
        assert_eq!(power("power:\n\n \t1"), Some(1));
        assert_eq!(got("power", Kind::Integer, "power:\nboot:1\n"), Err(INVALID.to_owned()));
    }

    #[test]
    fn integers_are_read_by_the_rules_of_c() {
        for (text, value) in [
            ("1\r\n", 1),
            ("  +1\n", 1),
            ("0x10 z", 16),
            ("010\n", 8),
            ("0", 0),
            ("-2\n", -2),
            ("4294967296", 0),
            ("99999999999", 0x4876_e7ff),
            ("99999999999999999999", -1),
        ] {
            assert_eq!(power(format!("power:{text}")), Some(value), "{text:?}");
        }
        for text in ["", "\n", "1z", "08", "0x", "-", "on", "1,0"] {
            assert_eq!(got("power", Kind::Integer, format!("power:{text}")), Err(INVALID.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn a_word_is_a_beginning_of_a_name() {
        let boot = |text: &str| got("boot", Kind::BootDevice, format!("boot:{text}")).ok();
        for (text, device) in
            [("none", 0), ("pxe\n", 1), (" d\n", 2), ("default", 2), ("cdrom", 5), ("b x", 6), ("n", 0)]
        {
            assert_eq!(boot(text), Some(Value::BootDevice(device)), "{text:?}");
        }
        for text in ["", "\n", "PXE", "cdromx", "1", "disk"] {
            assert_eq!(boot(text), None, "{text:?}");
        }
        let source = |text: &str| got("ip_addr_src", Kind::AddressSource, format!("ip_addr_src:{text}")).ok();
        for (text, value) in [("u", 0), ("s", 1), ("dhcp", 2), ("b", 3), ("other", 4)] {
            assert_eq!(source(text), Some(Value::AddressSource(value)), "{text:?}");
        }
    }

    #[test]
    fn addresses_take_every_form_inet_aton_takes() {
        let ip = |text: &str| got("ip_addr", Kind::Ip, format!("ip_addr:{text}")).ok();
        for (text, address) in [
            ("1.2.3.4\n", [1, 2, 3, 4]),
            (" 1.2.3.4 x", [1, 2, 3, 4]),
            ("1.2.3.4\tx", [1, 2, 3, 4]),
            ("10.1.2", [10, 1, 0, 2]),
            ("1.2.65535", [1, 2, 255, 255]),
            ("0x7f.1", [127, 0, 0, 1]),
            ("1.16777215", [1, 255, 255, 255]),
            ("10", [0, 0, 0, 10]),
            ("4294967295", [255, 255, 255, 255]),
            ("010.0x10.1.2", [8, 16, 1, 2]),
        ] {
            assert_eq!(ip(text), Some(Value::Ip(address)), "{text:?}");
        }
        for text in [
            "",
            "1.2.3.4.5",
            "1.2.3.4.",
            "1.2.3.4x",
            "256.1.1.1",
            "1.2.3.256",
            "1.2.65536",
            "1.16777216",
            "4294967296",
            "1.2.3.",
            "0x",
            "08.1.1.1",
            "1..2",
            "+1.2.3.4",
            "-1",
            "1. 2",
            "host",
        ] {
            assert_eq!(ip(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_mac_is_six_short_numbers_and_whatever_follows() {
        let mac = |text: &str| got("mac_addr", Kind::Mac, format!("mac_addr:{text}")).ok();
        for text in [
            "0:c:29:1:2:ff\n",
            "00:0C:29:01:02:FF",
            "0:c:29:1:2:ff x",
            "0:c:29:1:2:ff:3",
            "0:c:29:1:2:fff",
            "0:c:29:1:2:ffx",
        ] {
            assert_eq!(mac(text), Some(Value::Mac([0, 0x0c, 0x29, 1, 2, 0xff])), "{text:?}");
        }
        for text in [
            "",
            "0:c:29:1:2",
            "0:c:29:1:2:",
            "000:c:29:1:2:ff",
            "0-c-29-1-2-ff",
            "0x0:1:2:3:4:5",
            "0: c:29:1:2:ff",
            ":1:2:3:4:5",
            "0:c:29:1:2:g",
            "+0:1:2:3:4:5",
            "0::29:1:2:3",
        ] {
            assert_eq!(mac(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_set_can_be_got() {
        for (kind, value) in [
            (Kind::Integer, Value::Integer(-7)),
            (Kind::BootDevice, Value::BootDevice(6)),
            (Kind::AddressSource, Value::AddressSource(4)),
            (Kind::Ip, Value::Ip([192, 168, 0, 255])),
            (Kind::Mac, Value::Mac([0, 1, 0x10, 0xff, 0xa, 0])),
        ] {
            assert_eq!(got("x", kind, format!("x:{}\n", value_text(value).unwrap())), Ok(value));
        }
    }

    #[test]
    fn several_values_are_got_in_the_order_of_the_call() {
        let call = call(Operation::Get, &[("ip_addr", Kind::Ip, None), ("power", Kind::Integer, None)]);
        let outcome = outcome(&call, "LINE", &ended(0, b"power:1\nip_addr:1.2.3.4\n"));
        assert_eq!(outcome.result, Ok(vec![Value::Ip([1, 2, 3, 4]), Value::Integer(1)]));
    }
}
