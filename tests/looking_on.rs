//! Watching what goes on: messages by name in the log, and captures that Wireshark reads.

mod support;

use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::machine::{self, Need};
use support::process::eventually;
use support::simulator::TIMEOUT;
use support::{Bench, Ipmitool, Ran, Simulator, Stdin, Subject, Transport};

const FILES: [&str; 5] = ["-p", "-c", "lan.conf", "-f", "sim.emu"];

/// A BMC on IPv4 and IPv6, on ports of its own.
fn two_channels() -> (Bench, u16, u16) {
    let (bench, four, six) = (Bench::new(), free_port(), free_port());
    let more = format!(
        "  startlan 2\n    addr :: {six}\n    allowed_auths_admin md5\n    \
         guid a123456789abcdefa123456789abcdef\n  endlan\n"
    );
    bench.write("lan.conf", small_lan_conf(four, &more));
    bench.write("sim.emu", SMALL_EMU);
    (bench, four, six)
}

fn client(host: &str, port: u16) -> Ipmitool {
    let mut client = Ipmitool::new(port, "admin", "admin");
    host.clone_into(&mut client.host);
    client
}

/// Wireshark's dissectors on a capture, told which ports are RMCP.
fn tshark(bench: &Bench, ports: &[u16], arguments: &[&str]) -> Ran {
    let mut command = Command::new("tshark");
    command.args([
        "-n",
        "-r",
        "lan.pcap",
        "-o",
        "udp.check_checksum:TRUE",
        "-o",
        "ip.check_checksum:TRUE",
        "-o",
        "ipmi.dissect_bus_commands:TRUE",
    ]);
    for port in ports {
        command.args(["-d", &format!("udp.port=={port},rmcp")]);
    }
    command.args(arguments).current_dir(bench.folder());
    let ran = Ran::run(&mut command, "tshark", Duration::from_secs(60));
    ran.assert_ok();
    ran
}

#[test]
fn a_capture_is_dissected_by_wireshark() {
    if !machine::has("a_capture_is_dissected_by_wireshark", Need::Ipv6) {
        return;
    }
    let (bench, four, six) = two_channels();
    let arguments = [&["--pcap", "lan.pcap"][..], &FILES].concat();
    let mut simulator = Simulator::start(Subject::Ours, &bench, four, &arguments);
    client("127.0.0.1", four).by(Transport::LanAuth("MD5")).ok("mc info");
    client("127.0.0.1", four).by(Transport::Suite(17)).ok("mc info");
    client("::1", six).by(Transport::LanAuth("MD5")).ok("sel info");
    // To the IPv6 socket by IPv4.
    client("127.0.0.1", six).by(Transport::LanAuth("MD5")).ok("chassis status");
    // It can be read while it is written.
    let written =
        eventually(TIMEOUT, || std::fs::metadata(bench.path("lan.pcap")).ok().filter(|file| file.len() > 4000));
    assert!(written.is_some(), "{}", simulator.report());
    simulator.signal(Signal::SIGTERM);
    simulator.wait(TIMEOUT).expect("an end");

    let ports = [four, six];
    let all = tshark(
        &bench,
        &ports,
        &[
            "-T",
            "fields",
            "-E",
            "separator=|",
            "-e",
            "_ws.col.Protocol",
            "-e",
            "ip.src",
            "-e",
            "ip.dst",
            "-e",
            "ipv6.src",
            "-e",
            "udp.srcport",
            "-e",
            "udp.dstport",
            "-e",
            "udp.checksum.status",
            "-e",
            "ip.checksum.status",
        ],
    );
    let rows: Vec<Vec<&str>> = all.stdout.lines().map(|line| line.split('|').collect()).collect();
    assert!(rows.len() > 50, "{}", all.stdout);
    for row in &rows {
        let [protocol, from, to, from6, source, destination, udp, ip] = row[..] else { panic!("{row:?}") };
        assert!(["IPMB", "IPMI", "RMCP", "ASF"].iter().any(|known| protocol.starts_with(known)), "{row:?}");
        let ports = [source, destination].map(|port| port.parse::<u16>().expect("a port"));
        assert!(ports.contains(&four) || ports.contains(&six), "{row:?}");
        assert_eq!(udp, "1", "a good checksum: {row:?}");
        if from6.is_empty() {
            assert_eq!((from, to, ip), ("127.0.0.1", "127.0.0.1", "1"), "{row:?}");
        } else {
            assert_eq!((from6, ports.contains(&six)), ("::1", true), "{row:?}");
        }
    }
    assert!(rows.iter().any(|row| !row[3].is_empty()), "IPv6 as well");
    assert!(rows.iter().any(|row| row[3].is_empty() && [row[4], row[5]].contains(&six.to_string().as_str())));
    let malformed = tshark(&bench, &ports, &["-Y", "_ws.malformed || _ws.expert.severity >= \"Warning\""]);
    assert_eq!(malformed.stdout, "", "{}", malformed.stdout);
    let names = tshark(&bench, &ports, &["-P", "-V"]);
    for name in [
        "Remote Management Control Protocol",
        "Get Channel Authentication Capabilities",
        "Activate Session",
        "Get Device ID",
        "Get SEL Info",
        "Get Chassis Status",
        "RAKP Message 3",
        "IPMI v2.0+ Session Wrapper",
    ] {
        assert!(names.stdout.contains(name), "tshark does not speak of {name}");
    }
}

#[test]
fn a_capture_that_cannot_be_written_disturbs_nobody() {
    let (bench, four, _) = two_channels();
    let arguments = [&["--pcap", "/dev/full"][..], &FILES].concat();
    let simulator = Simulator::start(Subject::Ours, &bench, four, &arguments);
    (0..3).for_each(|_| drop(client("127.0.0.1", four).ok("mc info")));
    assert!(simulator.stderr.wait_for("/dev/full cannot be written: No space left on device", TIMEOUT));
    client("127.0.0.1", four).ok("mc info");
    assert_eq!(simulator.stderr.text().matches("/dev/full").count(), 1, "said once");
    // One that cannot even be opened ends the start.
    let arguments = [&["-n", "--pcap", "nowhere/lan.pcap"][..], &FILES].concat();
    let mut simulator = Simulator::spawn(Subject::Ours, &bench, &arguments, Stdin::Null);
    assert_eq!(simulator.wait(TIMEOUT).expect("an end").code(), Some(1));
    assert!(simulator.stderr.text().contains("Unable to write nowhere/lan.pcap: No such file or directory"));
}

#[test]
fn the_log_tells_messages_by_name_and_no_secrets() {
    let (bench, four, _) = two_channels();
    let arguments = [&["-dd"][..], &FILES].concat();
    let simulator = Simulator::start(Subject::Ours, &bench, four, &arguments);
    let client = client("127.0.0.1", four);
    client.ok("user set password 5 hunter2hunter2hu 16");
    client.ok("chassis power status");
    client.by(Transport::LanAuth("PASSWORD")).ok("sel info");
    for words in [
        " -> Open Session Request tag=",
        " <- RAKP Message 4 tag=",
        "App Set Session Privilege Level (06 3b) level=admin",
        "App Set User Password (06 47) user=5 twenty=0 operation=set password=***",
        "App Set User Password (07 47): 00 ok",
        "Chassis Get Chassis Status (01 01): 00 ok power=",
        "App Activate Session (06 3a) type=4 level=admin challenge=*** sequence=",
        "Storage Get SEL Info (0b 40): 00 ok version=0x51 entries=0",
        "App Close Session (07 3c): 00 ok",
    ] {
        assert!(simulator.stderr.wait_for(words, TIMEOUT), "`{words}` is missing\n{}", simulator.report());
    }
    let text = simulator.stderr.text();
    let hex: String = b"hunter2".iter().map(|byte| format!("{byte:02x}")).collect();
    let spaced: Vec<String> = b"hunter2".iter().map(|byte| format!("{byte:02x}")).collect();
    for secret in ["hunter2", &hex, &spaced.join(" ")] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
    assert!(!text.contains("Raw LAN"));
    for line in text.lines().filter(|line| line.contains(" session 0x")) {
        assert!(
            line.contains(" seq ") && (line.contains(" -> MC 0x20 lun 0: ") || line.contains(" <- MC 0x20 lun 0: ")),
            "{line}"
        );
    }
}
