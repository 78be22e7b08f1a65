//! One scenario, run against the installed original and ours in the same test; what the
//! client prints has to be the same, line by line.
//!
//! The lines that may differ are named one by one in [`ALLOWED`], each with its reason.

mod support;

use support::bench::free_port;
use support::client::Transport;
use support::config::{Places, adapt};
use support::{Bench, Ipmitool, Simulator, Subject};

/// Lines of a command that are not compared, by how they begin, and why. A command that
/// begins with the first string is meant; an empty beginning stands for the whole output.
const ALLOWED: &[(&str, &str, &str)] = &[
    (
        "mc watchdog get",
        "Present Countdown:",
        "the original leaves the countdown out of its answer, ipmitool prints what it finds in memory",
    ),
    ("lan print", "RMCP+ Cipher Suites", "the original lists suites that it refuses; ours lists the ones that work"),
    ("sdr info", "Most recent ", "ipmitool shows the times only where the next lines say yes"),
    (
        "sdr info",
        "SDR Repository Update Support",
        "2.0.33 supports little and says so; its development version says what ours says",
    ),
    ("sdr info", "Delete SDR supported", "as above"),
    ("sdr info", "Partial Add SDR supported", "as above"),
    ("sdr info", "SDR Repository Alloc info supported", "as above"),
    ("lan print", "Cipher Suite Priv Max", "one letter per suite of the list above"),
    ("lan print", "BMC ARP Control", "the original has none, so ipmitool cannot set it"),
    ("lan print", "Gratituous ARP Intrvl", "as above; the spelling is ipmitool's"),
    ("sol info", "", "the original knows four of its parameters"),
    ("channel getaccess", "Enable Status", "the original never says; ours says whether the account is enabled"),
    (
        "user list",
        "3   operator",
        "disabling an account leaves the switch for IPMI messaging, which is shown, as it is",
    ),
    ("channel getciphers", "", "the original lists suites that it refuses; ours lists the ones that work"),
];

/// Timestamps of events follow the clock of each program.
fn normalise(command: &str, text: &str) -> Vec<String> {
    // Events of a sensor can be asked here: `Assertion Events : ...`, `[...]` for each.
    let mut events = false;
    text.lines()
        .filter(|line| {
            if command.starts_with("sdr get") || command.starts_with("sensor get") {
                let line = line.trim_start();
                events = line.starts_with("Assertion Events")
                    || line.starts_with("Deassertion Events")
                    || events && line.starts_with('[');
            }
            !events
        })
        .filter(|line| {
            !ALLOWED.iter().any(|(of, begins, _)| command.starts_with(of) && line.trim_start().starts_with(begins))
        })
        .map(|line| {
            let line = line.trim_end();
            if command.starts_with("sel list") || command.starts_with("sel elist") {
                without_event_time(line)
            } else if line.trim_start().starts_with("Last Add Time")
                || line.trim_start().starts_with("Last Del Time")
                || line.trim_start().starts_with("Timestamp")
            {
                line.split_once(':').map_or(line, |(name, _)| name).to_owned()
            } else if command.starts_with("user list") {
                // The level of a user nobody has described is 0 there, which is reserved.
                line.replace("Unknown (0x00)", "NO ACCESS")
            } else if line.starts_with("Boot parameter data") || line.contains("Boot Flag ") {
                // Behind a program nothing is ever valid there.
                "Boot flags".to_owned()
            } else {
                line.to_owned()
            }
        })
        .collect()
}

/// ` 1 | 11/20/26 | 09:11:12 UTC | Fan ...`: the second and third column are the time.
fn without_event_time(line: &str) -> String {
    let columns: Vec<_> = line.split('|').map(str::trim).collect();
    match columns.as_slice() {
        [number, _date, _time, rest @ ..] => format!("{number} | {}", rest.join(" | ")),
        _ => line.to_owned(),
    }
}

/// What each command of a scenario printed, and how it ended.
fn run(
    subject: Subject,
    scenario: &[&[&str]],
    user: (&str, &str),
    start: impl FnOnce(Subject, &Bench) -> (u16, Simulator),
    way: Transport,
) -> Vec<(String, Vec<String>, bool)> {
    let bench = Bench::new();
    let (port, mut simulator) = start(subject, &bench);
    let client = Ipmitool::new(port, user.0, user.1).by(way);
    let printed = scenario
        .iter()
        .map(|words| {
            let ran = client.run_words(words);
            let command = words.join(" ");
            // Each has a port of its own.
            let text = format!("{}{}", ran.stdout, ran.stderr).replace(&port.to_string(), "PORT");
            let text = normalise(&command, &text);
            (command, text, ran.succeeded())
        })
        .collect();
    simulator.assert_alive();
    printed
}

/// Runs a scenario against both and compares.
fn compare(
    scenario: &[&[&str]],
    user: (&str, &str),
    start: impl Fn(Subject, &Bench) -> (u16, Simulator) + Copy,
    way: Transport,
) {
    let original = run(Subject::Original, scenario, user, start, way);
    let ours = run(Subject::under_test(), scenario, user, start, way);
    let mut report = String::new();
    for ((command, theirs, their_end), (_, mine, my_end)) in original.iter().zip(&ours) {
        if theirs != mine || their_end != my_end {
            report.push_str(&format!(
                "\n$ {command}\n--- the original (success: {their_end})\n{}\n--- ours (success: {my_end})\n{}\n",
                theirs.join("\n"),
                mine.join("\n")
            ));
        }
    }
    assert!(report.is_empty(), "by {way:?}:{report}");
}

fn start_minimal(subject: Subject, bench: &Bench) -> (u16, Simulator) {
    bench.copy_tree("examples/minimal", ".");
    let port = free_port();
    let places = Places { lan: vec![port], ..Places::default() };
    bench.write("lan.conf", adapt(&bench.read("lan.conf"), &places));
    let files = ["-p", "-c", "lan.conf", "-f", "sim.emu"];
    (port, Simulator::start(subject, bench, port, &files))
}

fn start_qemu(subject: Subject, bench: &Bench) -> (u16, Simulator) {
    bench.copy_tree("compat/qemu", ".");
    let port = free_port();
    let places = Places {
        lan: vec![port],
        serial: vec![free_port()],
        sol: Some(format!("telnet:127.0.0.1:{}", free_port())),
        ..Places::default()
    };
    bench.write("lan.conf", adapt(&bench.read("lan.conf"), &places));
    bench.write("state/ipmi_sim/ipmisim1/sdr.20.main", bench.read_bytes("sdr.20.main"));
    let files = ["-c", "lan.conf", "-f", "ipmisim1.emu", "-s", "state"];
    (port, Simulator::start(subject, bench, port, &files))
}

fn start_with_chassis_program(subject: Subject, bench: &Bench) -> (u16, Simulator) {
    let port = free_port();
    bench.write_program(
        "chassis.sh",
        "#!/bin/sh
shift
op=$1; shift
mkdir -p chassis.d
case $op in
get) for name; do echo \"$name:$(cat \"chassis.d/$name\" 2>/dev/null || echo 0)\"; done ;;
set) while [ $# -gt 1 ]; do echo \"$2\" >\"chassis.d/$1\"; shift 2; done ;;
esac
",
    );
    bench.write("chassis.d/boot", "default\n");
    bench.write("lan.conf", support::config::small_lan_conf(port, "  chassis_control \"./chassis.sh 0x20\""));
    bench.write("sim.emu", support::config::SMALL_EMU);
    (port, Simulator::start_default(subject, bench, port))
}

/// Everything a user looks at, by commands that work with the original.
const LOOKING: &[&[&str]] = &[
    &["mc", "info"],
    &["mc", "guid"],
    &["mc", "getenables"],
    &["mc", "watchdog", "get"],
    &["chassis", "status"],
    &["power", "status"],
    &["sdr", "list"],
    &["sdr", "elist", "all"],
    &["sdr", "info"],
    &["sdr", "elist", "full"],
    &["sdr", "elist", "compact"],
    &["sdr", "elist", "event"],
    &["sdr", "type", "Temperature"],
    &["sdr", "entity", "3.1"],
    &["sdr", "get", "CPU Temp"],
    &["sdr", "get", "PSU 1"],
    &["sensor", "list"],
    &["sensor", "get", "Fan 1"],
    &["sensor", "reading", "+12V", "Inlet Temp"],
    &["sel", "list"],
    &["sel", "elist"],
    &["sel", "info"],
    &["sel", "get", "1"],
    &["fru", "print"],
    &["user", "list", "1"],
    &["user", "summary", "1"],
    &["lan", "print", "1"],
    &["channel", "info"],
    &["channel", "getaccess", "1", "2"],
    &["channel", "getciphers", "ipmi", "1"],
    &["session", "info", "active"],
    &["raw", "6", "1"],
    &["raw", "6", "0xee"],
    &["raw", "0xa", "0x42"],
];

/// What a user changes, and what is there afterwards.
const CHANGING: &[&[&str]] = &[
    &["sensor", "thresh", "CPU Temp", "unc", "40"],
    &["sensor", "list"],
    &["sel", "elist"],
    &["sel", "delete", "2"],
    &["sel", "info"],
    &["sel", "list"],
    &["sel", "clear"],
    &["sel", "list"],
    &["sel", "info"],
    &["user", "set", "name", "3", "operator"],
    &["user", "set", "password", "3", "secret"],
    &["user", "priv", "3", "3", "1"],
    &["user", "enable", "3"],
    &["user", "list", "1"],
    &["user", "summary", "1"],
    &["user", "disable", "3"],
    &["user", "list", "1"],
    &["lan", "set", "1", "ipsrc", "static"],
    &["lan", "set", "1", "ipaddr", "192.0.2.17"],
    &["lan", "set", "1", "netmask", "255.255.255.0"],
    &["lan", "set", "1", "defgw", "ipaddr", "192.0.2.1"],
    &["lan", "print", "1"],
    &["mc", "watchdog", "off"],
];

/// A chassis with a program behind it.
const CHASSIS: &[&[&str]] = &[
    &["power", "status"],
    &["power", "on"],
    &["power", "status"],
    &["power", "reset"],
    &["power", "soft"],
    &["power", "off"],
    &["chassis", "status"],
    &["chassis", "bootdev", "pxe"],
    &["chassis", "bootparam", "get", "5"],
    &["chassis", "bootdev", "cdrom"],
    &["chassis", "bootparam", "get", "5"],
    &["chassis", "identify", "10"],
    &["power", "status"],
];

/// The QEMU host's records, two controllers, no machine.
const QEMU: &[&[&str]] = &[
    &["mc", "info"],
    &["sdr", "elist", "all"],
    &["sdr", "list"],
    &["sensor", "list"],
    &["power", "status"],
    &["chassis", "status"],
    &["-t", "0x30", "mc", "info"],
    &["-t", "0x30", "raw", "4", "0x2d", "1"],
    &["user", "list", "1"],
    &["channel", "info", "15"],
    &["sol", "info", "1"],
];

#[test]
fn looking_by_suite_3() {
    compare(LOOKING, ("admin", "admin"), start_minimal, Transport::Suite(3));
}

#[test]
fn looking_by_lan() {
    compare(LOOKING, ("admin", "admin"), start_minimal, Transport::Lan);
}

#[test]
fn changing() {
    compare(CHANGING, ("admin", "admin"), start_minimal, Transport::Suite(3));
}

#[test]
fn chassis_program() {
    compare(CHASSIS, ("admin", "admin"), start_with_chassis_program, Transport::Suite(3));
}

#[test]
fn qemu_host() {
    compare(QEMU, ("ipmiusr", "test"), start_qemu, Transport::Suite(3));
}

/// The comparison itself: it notices a different line, and only skips what is named.
#[test]
fn differences_are_noticed() {
    assert_ne!(normalise("mc info", "Device ID : 0"), normalise("mc info", "Device ID : 1"));
    assert_eq!(normalise("mc watchdog get", "Present Countdown: 9.0 sec"), Vec::<String>::new());
    assert_eq!(
        normalise("sel list", "   1 |  Pre-Init  |0000002720| Fan #0x03 | low | Asserted"),
        normalise("sel list", "   1 | 11/20/26 | 09:11:12 UTC | Fan #0x03 | low | Asserted"),
    );
    assert_ne!(
        normalise("sel list", "1 | 11/20/26 | 09:11:12 UTC | Fan #0x03 | low | Asserted"),
        normalise("sel list", "1 | 11/20/26 | 09:11:12 UTC | Fan #0x04 | low | Asserted"),
    );
}
