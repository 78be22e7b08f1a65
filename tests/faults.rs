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
    assert!(asked > answered, "{asked} asked, {answered} answered");
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

/// An example of `examples/faults` on the small machine of `examples/minimal`, with its door.
fn example(name: &str) -> (Bench, u16, Simulator, support::http::Http) {
    let (bench, port) = (Bench::new(), free_port());
    bench.copy_tree("examples/faults", "faults");
    bench.copy_tree("examples/minimal", "minimal");
    let places = support::config::Places { lan: vec![port], ..Default::default() };
    bench.write("lan.conf", support::config::adapt(&bench.read("minimal/lan.conf"), &places));
    let file = format!("faults/{name}.emu");
    let arguments = ["-n", "--ready-line", "-p", "-c", "lan.conf", "-f", &file, "--control", "control"];
    let simulator = Simulator::spawn(Subject::under_test(), &bench, &arguments, support::Stdin::Null);
    assert!(simulator.stdout.wait_for("is ready\n", PATIENT), "{}", simulator.report());
    let door = support::http::Http::unix(&bench.path("control"));
    (bench, port, simulator, door)
}

/// How often faults of a kind have struck.
fn struck(door: &support::http::Http, kind: &str) -> u64 {
    let metrics = door.get("/metrics").text();
    let name = format!("ipmi_sim_faults_struck_total{{kind=\"{kind}\"}} ");
    let value = metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_else(|| panic!("{metrics}"));
    value.parse().expect("a number")
}

#[test]
fn a_flaky_network_is_lived_with() {
    let (_bench, port, _simulator, door) = example("flaky-network");
    let client = Ipmitool::new(port, "admin", "admin").with(&["-N", "1", "-R", "12"]);
    client.ok("sdr elist all").assert_says("CPU Temp         | 01h | ok  |  3.1 | 45 degrees C");
    assert!(struck(&door, "delay") > 10 && struck(&door, "lose") > 0);
}

#[test]
fn a_busy_bmc_is_waited_for() {
    let (_bench, port, _simulator, door) = example("busy-bmc");
    let client = Ipmitool::new(port, "admin", "admin").with(&["-N", "5", "-R", "4"]);
    let begun = std::time::Instant::now();
    client.run("raw 0 1");
    assert!(begun.elapsed() > Duration::from_secs(1) && struck(&door, "slow") > 0);
}

#[test]
fn a_rebooting_bmc_comes_back() {
    let (_bench, port, _simulator, _door) = example("rebooting-bmc");
    let client = Ipmitool::new(port, "admin", "admin");
    client.with(&["-N", "1", "-R", "1"]).run("mc reset cold");
    client.with(&["-N", "1", "-R", "1"]).run("mc info").assert_failed();
    client.with(&["-N", "2", "-R", "8"]).ok("mc info");
}

#[test]
fn stuck_power_moves_at_the_third_time() {
    let (_bench, port, _simulator, _door) = example("stuck-power");
    let client = Ipmitool::new(port, "admin", "admin");
    for expected in ["is off", "is off", "is on"] {
        client.ok("power on");
        client.ok("power status").assert_says(expected);
    }
}

#[test]
fn a_full_log_takes_no_event_and_clients_get_their_records() {
    let (_bench, port, _simulator, door) = example("full-log");
    let client = Ipmitool::new(port, "admin", "admin");
    client.run("event 1");
    client.ok("sel info").assert_says("Entries          : 3").assert_says("Overflow         : true");
    client.ok("sdr elist all").assert_says("Fan 1            | 03h | ok");
    Freeipmi::new(port, "admin", "admin", "LAN_2_0").ok("ipmi-sensors", "").assert_says("CPU Temp");
    assert!(struck(&door, "sensor_unavailable") > 0 && struck(&door, "sdr_busy") > 0);
}

#[test]
fn lost_sessions_are_opened_again() {
    let (_bench, port, _simulator, door) = example("lost-sessions");
    let client = Ipmitool::new(port, "admin", "admin").with(&["-N", "1", "-R", "2"]);
    for _ in 0..2 {
        client.run("mc info").assert_failed();
    }
    client.run("power status").assert_failed();
    client.ok("power status");
    assert_eq!((struck(&door, "refuse_session"), struck(&door, "drop_session")), (2, 1));
}

/// A ping is tried again until it is answered: how often each number of tries happens is what chance says. The kernel's own
/// `tc netem` is no part of every kernel; the distribution that it has by its documentation is that of independent losses.
#[test]
fn losses_are_independent_and_as_many_as_said() {
    const ROUNDS: usize = 200;
    let served = Served::new(&["lose chance 30"]);
    let mut tries = [0_usize; 4];
    for _ in 0..ROUNDS {
        let failed =
            std::iter::repeat_with(|| support::simulator::presence_ping(served.port, Duration::from_millis(40)))
                .take_while(|answered| !answered)
                .count();
        tries[failed.min(3)] += 1;
    }
    // Both ways: 0.7 * 0.7 are answered.
    let (answered, rounds) = (0.49_f64, ROUNDS as f64);
    let silent = 1.0 - answered;
    let chances = [answered, silent * answered, silent * silent * answered, silent.powi(3)];
    for (count, chance) in tries.iter().zip(chances) {
        let (expected, deviation) = (rounds * chance, (rounds * chance * (1.0 - chance)).sqrt());
        assert!((*count as f64 - expected).abs() < 4.0 * deviation, "{tries:?}: {expected:.0} expected");
    }
}
