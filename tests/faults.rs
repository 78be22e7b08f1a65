//! Faults on purpose, with real clients: they send again as they do on a bad network, give up where nobody answers, and go on
//! when the fault is over. What went over the wire is counted in the program's own captures, by tshark.

mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::{Bench, Freeipmi, Ipmitool, Ran, Simulator, Subject, Transport, door};

/// How long a client may take that sends again and again.
const PATIENT: Duration = Duration::from_secs(60);

/// A BMC that records what passes, its door, and its port.
struct Served {
    bench: Bench,
    port: u16,
    simulator: Simulator,
}

impl Served {
    /// With these faults from the start on.
    fn new(faults: &[&str]) -> Self {
        let (bench, port) = (Bench::new(), free_port());
        let lines: String = faults.iter().map(|fault| format!("fault {fault}\n")).collect();
        bench.write("lan.conf", small_lan_conf(port, ""));
        bench.write("sim.emu", format!("{SMALL_EMU}\n{lines}"));
        let files = ["-p", "-c", "lan.conf", "-f", "sim.emu", "--pcap", "all.pcap"];
        // A presence ping would be a datagram, too.
        let arguments = [&["-n", "--ready-line"][..], &files].concat();
        let simulator = Simulator::spawn(Subject::under_test(), &bench, &arguments, support::Stdin::Null);
        assert!(simulator.stdout.wait_for("is ready\n", PATIENT), "{}", simulator.report());
        Self { bench, port, simulator }
    }

    /// How many datagrams clients sent, and how many the BMC did.
    fn passed(self) -> (usize, usize) {
        let Self { bench, port, simulator } = self;
        simulator.stop();
        let count = |filter: String| datagrams(&bench.path("all.pcap"), &filter);
        (count(format!("udp.dstport == {port}")), count(format!("udp.srcport == {port}")))
    }
}

/// How many datagrams of a capture are so.
fn datagrams(capture: &Path, filter: &str) -> usize {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture).args(["-Y", filter, "-T", "fields", "-e", "frame.number"]);
    let ran = Ran::run(&mut command, "tshark", PATIENT);
    ran.assert_ok();
    ran.stdout.lines().count()
}

const PYGHMI: &str = "
import sys
from pyghmi.ipmi import command
c = command.Command(bmc='127.0.0.1', port=int(sys.argv[1]), userid='admin', password='admin', kg=None)
print(c.raw_command(netfn=6, command=1)['code'])
c.ipmi_session.logout()
";

/// Asks for the device id by a client that goes on asking.
fn device_id(client: &str, port: u16) -> Ran {
    match client {
        "ipmitool" => Ipmitool::new(port, "admin", "admin").with(&["-N", "1", "-R", "5"]).run("raw 6 1"),
        "ipmitool 1.5" => {
            Ipmitool::new(port, "admin", "admin").by(Transport::Lan).with(&["-N", "1", "-R", "5"]).run("raw 6 1")
        }
        "freeipmi" | "freeipmi 1.5" => {
            let driver = if client == "freeipmi" { "LAN_2_0" } else { "LAN" };
            Freeipmi::new(port, "admin", "admin", driver).with(&["-l", "ADMIN"]).run("ipmi-raw", "0 6 1")
        }
        _ => {
            let mut command = Command::new("/usr/bin/python3");
            Ran::run(command.args(["-c", PYGHMI, &port.to_string()]), "python3-pyghmi", PATIENT)
        }
    }
}

#[test]
fn clients_ask_again_for_what_is_not_answered() {
    for client in ["ipmitool", "ipmitool 1.5", "freeipmi", "freeipmi 1.5", "pyghmi"] {
        let plain = Served::new(&[]);
        device_id(client, plain.port).assert_ok();
        let (asked, answered) = plain.passed();
        let silent = Served::new(&["hang command 0x06/0x01 count 2"]);
        device_id(client, silent.port).assert_ok();
        // Once more for each that hung, and the same responses as ever.
        assert_eq!(silent.passed(), (asked + 2, answered), "{client}: hang");
        let lossy = Served::new(&["lose out command 0x06/0x01 count 2"]);
        device_id(client, lossy.port).assert_ok();
        assert_eq!(lossy.passed(), (asked + 2, answered), "{client}: lose");
    }
}

#[test]
fn clients_tell_a_completion_code_and_go_on_afterwards() {
    let served = Served::new(&["code 0xd5 command 0x06/0x04 count 2"]);
    let ipmitool = Ipmitool::new(served.port, "admin", "admin");
    ipmitool.run("raw 6 4").assert_failed().assert_says("rsp=0xd5");
    Freeipmi::new(served.port, "admin", "admin", "LAN_2_0")
        .with(&["-l", "ADMIN"])
        .ok("ipmi-raw", "0 6 4")
        .assert_says("rcvd: 04 D5");
    ipmitool.ok("raw 6 4");
}

#[test]
fn a_slow_command_makes_a_client_send_again_and_is_executed_once() {
    // Later than the client's second sending.
    let served = Served::new(&["slow 2500 command 0x0a/0x44"]);
    let client = Ipmitool::new(served.port, "admin", "admin").with(&["-N", "1", "-R", "6"]);
    client.ok("raw 0x0a 0x44 0 0 2 0 0 0 0 0x20 0 4 1 0x30 1 0x57 0x60 7");
    client.ok("sel info").assert_says("Entries          : 1");
    let (asked, answered) = served.passed();
    assert!(asked >= answered + 1, "{asked} asked, {answered} answered");
}

#[test]
fn a_bmc_that_hangs_is_given_up_and_there_again() {
    let served = Served::new(&["hang for 6000"]);
    let client = Ipmitool::new(served.port, "admin", "admin").with(&["-N", "1", "-R", "1"]);
    client.run("mc info").assert_failed();
    let patient = Ipmitool::new(served.port, "admin", "admin").with(&["-N", "2", "-R", "10"]);
    patient.ok("mc info");
}

#[test]
fn faults_are_shown_and_counted_at_the_door() {
    let (bench, port) = (Bench::new(), free_port());
    door::write_one(&bench, port, "");
    let (_simulator, door) = door::start(&bench, &[]);
    let mut events = door.follow("/v1/events");
    let line = "fault code 0xc0 command 0x06/0x04 count 2 for 600000";
    let done = door.post("/v1/bmcs/bmc00001/statements", &json!({ "lines": [line, "faults"] })).json();
    let fault = "code 0xc0 command 0x06/0x04 count 2 for 600000";
    assert_eq!(done["lines"][0]["output"], format!("Fault 1: {fault}\n"));
    let told = events.next();
    assert_eq!(told.event, "fault_set");
    assert_eq!((&told.data["number"], &told.data["fault"]), (&json!(1), &json!(fault)));
    let client = Ipmitool::new(port, "admin", "admin");
    client.run("raw 6 4").assert_failed().assert_says("rsp=0xc0");
    let bmc = door.json("/v1/bmcs/bmc00001");
    let shown = &bmc["faults_in_force"][0];
    assert_eq!((&bmc["faults"], &shown["kind"], &shown["struck"]), (&json!(1), &json!("code"), &json!(1)));
    assert!(shown["remaining_seconds"].as_f64().is_some_and(|left| left > 500.0), "{shown}");
    let metrics = door.get("/metrics?bmc=*").text();
    assert!(metrics.contains("ipmi_sim_faults_struck_total{kind=\"code\"} 1\n"), "{metrics}");
    assert!(metrics.contains("ipmi_sim_bmc_faults{bmc=\"bmc00001\"} 1\n"), "{metrics}");
    client.run("raw 6 4").assert_failed();
    assert_eq!(events.next_of("fault_cleared").data["number"], 1);
    client.ok("raw 6 4");
    assert_eq!(door.json("/v1/bmcs/bmc00001")["faults_in_force"], json!([]));
    // One that is wrong changes nothing.
    let wrong = door.post("/v1/bmcs/bmc00001/statements", &json!({ "lines": ["fault loose"] })).json();
    assert_eq!(wrong["lines"][0]["faults"][0]["column"], 7);
}
