//! `fault` read, and written again.

use super::*;
use crate::config::Span;
use crate::config::command::{Instruction, Statement};
use crate::settings::fault::Scope;

fn read(line: &str) -> Result<FaultCommand, crate::config::Diagnostic> {
    let variables = [("who".to_string(), "10.0.0.0/8".to_string())].into();
    match Statement::single("t.emu", line).resolve(&variables)? {
        Some(Instruction::System(Command::Fault(command))) => Ok(command),
        other => panic!("{line}: {other:?}"),
    }
}

fn one(line: &str) -> Fault {
    match read(line) {
        Ok(FaultCommand::Set(faults)) if faults.len() == 1 => faults[0].clone(),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn what_is_read_is_written_the_same() {
    for text in [
        "lose",
        "lose in chance 30",
        "delay 200 jitter 100 out mc 0x20 channel 1 from 10.0.0.0/8 command 0x06/0x01 chance 0.5 count 3 for 60000",
        "delay 5",
        "duplicate from ::1/128",
        "reorder 200 in",
        "corrupt chance 99.9999",
        "truncate chance 0.0001",
        "wrong_code count 1",
        "hang for 1000",
        "code 0xc0 command 0x0a count 2",
        "slow 2000 jitter 1 command 0x00/0x02",
        "power_ignored mc 0x30",
        "drop_session from 127.0.0.1/32",
        "power_fails 3000",
        "refuse_session count 2",
        "offline_after_reset 60000",
        "sel_full for 5000",
        "sdr_busy chance 50",
        "sensor_unavailable sensor 3",
        "sensor_disabled",
        "clock -3600 mc 0x20",
        "sol_lose chance 1",
        "sol_duplicate",
        "sol_stall for 1000",
    ] {
        let fault = one(&format!("fault {text}"));
        assert_eq!(fault.to_string(), text);
        let word = text.split(' ').next().unwrap();
        assert_eq!((fault.kind.word(), Kind::WORDS[fault.kind.index()]), (word, word));
    }
    let scope = Scope { client: Prefix::parse("10.0.0.0/8"), ..Scope::default() };
    assert_eq!(one("fault lose from $who").scope, scope);
    assert_eq!(one("fault code 192").kind, Kind::Code(0xc0));
    assert_eq!(one("fault hang command 6/1").to_string(), "hang command 0x06/0x01");
}

/// A number alone is milliseconds; what else it is stands behind it.
#[test]
fn durations_may_have_a_unit() {
    for (written, milliseconds) in
        [("5", 5), ("5ms", 5), ("5s", 5000), ("2min", 120_000), ("1h", 3_600_000), ("0x10", 16)]
    {
        let expected = Duration::from_millis(milliseconds);
        assert_eq!(one(&format!("fault hang for {written}")).lasts, Some(expected), "{written}");
        assert_eq!(one(&format!("fault hang for {written}")).to_string(), format!("hang for {milliseconds}"));
        assert_eq!(one(&format!("fault slow {written}")).kind, Kind::Slow { by: expected, jitter: Duration::ZERO });
    }
    let fault = read("fault hang for 2000h").unwrap_err();
    assert_eq!((fault.message.as_str(), fault.span.column), ("Invalid duration given: expected at most 1193h", 16));
    assert!(
        read("fault hang for 5m").is_err() && read("fault hang for s").is_err() && read("fault hang for -5s").is_err()
    );
}

#[test]
fn faults_end_by_number_or_all() {
    assert_eq!(read("fault end 3"), Ok(FaultCommand::End(3)));
    assert_eq!(read("fault end all"), Ok(FaultCommand::EndAll));
}

#[test]
fn a_profile_is_its_faults_with_shared_options() {
    for profile in PROFILES {
        let line = format!("fault profile {} from 10.0.0.0/8 for 5000", profile.name);
        let Ok(FaultCommand::Set(faults)) = read(&line) else { panic!("{line}") };
        assert!(!faults.is_empty() && faults.len() == profile.faults().len());
        for fault in &faults {
            assert_eq!(fault.lasts, Some(Duration::from_secs(5)), "{fault}");
            assert_eq!(one(&format!("fault {fault}")), *fault);
        }
    }
    assert!(PROFILES.windows(2).all(|pair| pair[0].name < pair[1].name), "in alphabetical order");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (line, message, column, length) in [
        ("fault", "No fault: a kind, profile or end given", 6, 1),
        ("fault loose", "Invalid fault: 'loose', expected lose, delay,", 7, 5),
        ("fault delay", "No delay in milliseconds given", 12, 1),
        ("fault delay x", "Invalid delay in milliseconds given", 13, 1),
        ("fault lose chance 0", "Invalid chance given: '0', expected percent", 19, 1),
        ("fault lose chance 101", "Invalid chance given: '101'", 19, 3),
        ("fault lose chance", "No chance given", 18, 1),
        ("fault lose from here", "Invalid address of clients given: 'here'", 17, 4),
        ("fault lose from $none", "No address of clients given: there is no variable", 17, 5),
        ("fault lose $none", "there is no variable", 12, 5),
        ("fault lose count 0", "Invalid count given: expected 1 or more", 18, 1),
        ("fault lose sometimes", "Invalid option: 'sometimes', expected in, out", 12, 9),
        ("fault lose chans 5", "Invalid option: 'chans', expected in, out, mc, channel, from, command, chance", 12, 5),
        ("fault lose jitter 5", "Only delay and slow have a jitter", 12, 6),
        ("fault code 0xc0 in", "Only what happens to datagrams goes one way", 17, 2),
        ("fault code 0xc0 command 7/1", "Invalid command given: '7/1', expected NETFN or NETFN/CMD", 25, 3),
        ("fault code 0xc0 command 6/", "Invalid command given", 25, 2),
        ("fault code 0xc0 command 6/0x+1", "Invalid command given", 25, 6),
        ("fault sel_full chance 5", "This holds all the time", 16, 6),
        ("fault clock soon", "Invalid jump of the clocks given: 'soon'", 13, 4),
        ("fault lose sensor 3", "Only sensor_unavailable and sensor_disabled", 12, 6),
        ("fault lose channel 16", "Invalid channel given: expected 0 to 15", 20, 2),
        ("fault profile flaky", "Invalid profile: 'flaky', expected busy-bmc", 15, 5),
        ("fault profile", "No profile given", 14, 1),
        ("fault end", "No fault to end: its number, or all given", 10, 1),
        ("fault end some", "Invalid number of a fault given", 11, 4),
    ] {
        let found = read(line).expect_err(line);
        assert!(found.message.starts_with(message), "{line}: {}", found.message);
        assert_eq!(found.span, Span { line: 1, column, length }, "{line}: {found}");
    }
}
