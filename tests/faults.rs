//! Faults on purpose, with real clients: they send again as they do on a bad network, give up where nobody answers, and go on
//! when the fault is over. What went over the wire is counted in the program's own captures, by tshark.

mod support;

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::process::eventually;
use support::sol::{Machine, Terminal};
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
    /// With these faults from the start on, and the seed for them.
    fn new(faults: &[&str]) -> Self {
        let (bench, port) = (Bench::new(), free_port());
        let line =
            |fault: &&str| if fault.starts_with("seed ") { format!("{fault}\n") } else { format!("fault {fault}\n") };
        let lines: String = faults.iter().map(line).collect();
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
        let mut command = Command::new("tshark");
        command.arg("-r").arg(bench.path("all.pcap")).args(["-T", "fields", "-e", "udp.srcport"]);
        let ran = Ran::run(&mut command, "tshark", PATIENT);
        ran.assert_ok();
        let answered = ran.stdout.lines().filter(|from| *from == port.to_string()).count();
        (ran.stdout.lines().count() - answered, answered)
    }
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

/// What is broken on its way is no response: clients send again, and what was executed is not executed once more.
#[test]
fn broken_datagrams_are_sent_again() {
    for client in ["ipmitool", "freeipmi"] {
        let plain = Served::new(&[]);
        device_id(client, plain.port).assert_ok();
        let (asked, answered) = plain.passed();
        for fault in ["wrong_code", "truncate out"] {
            let served = Served::new(&["seed 3", &format!("{fault} command 0x06/0x01 count 1")]);
            device_id(client, served.port).assert_ok();
            assert_eq!(served.passed(), (asked + 1, answered + 1), "{client}: {fault}");
        }
    }
    // Whole listings, either way.
    let served = Served::new(&["seed 4", "corrupt chance 3", "truncate chance 3", "wrong_code chance 3"]);
    Ipmitool::new(served.port, "admin", "admin").with(&["-N", "1", "-R", "12"]).ok("sdr elist all");
    Freeipmi::new(served.port, "admin", "admin", "LAN_2_0").ok("ipmi-sensors", "");
}

/// What a port says is lost, comes twice or waits, and what comes behind it is whole: as consoles show it.
#[test]
fn consoles_are_torn_and_whole_again() {
    let (bench, port, machine) = (Bench::new(), free_port(), Machine::new());
    let more = format!("sol \"tcp:127.0.0.1:{}\" 115200", machine.port);
    bench.write("lan.conf", small_lan_conf(port, &more));
    bench.write("sim.emu", SMALL_EMU);
    let arguments = ["-n", "--ready-line", "-p", "-c", "lan.conf", "-f", "sim.emu", "--control", "control"];
    let simulator = Simulator::spawn(Subject::under_test(), &bench, &arguments, support::Stdin::Null);
    assert!(simulator.stdout.wait_for("is ready\n", PATIENT), "{}", simulator.report());
    let door = support::http::Http::unix(&bench.path("control"));
    let (mut serial, _) = machine.connected();
    let mut say = |text: &str| serial.write_all(text.as_bytes()).expect("the simulator reads");
    let set = |line: &str| {
        door.post("/v1/bmcs/small/statements", &json!({ "lines": [line] })).assert(200);
    };
    let in_force = || door.json("/v1/bmcs/small")["faults"].as_u64();
    let over = |what: &str| assert!(eventually(PATIENT, || (in_force() == Some(0)).then_some(())).is_some(), "{what}");
    for client in ["ipmitool", "ipmiconsole"] {
        let (command, package, ready, end) = match client {
            "ipmitool" => {
                let command = Ipmitool::new(port, "admin", "admin").command(&["sol", "activate"]);
                (command, "ipmitool", "SOL Session operational", "\r~.")
            }
            _ => {
                let command = Freeipmi::new(port, "admin", "admin", "LAN_2_0").command("ipmiconsole", &[]);
                (command, "freeipmi-tools", "[SOL established]", "&.")
            }
        };
        let console = Terminal::start(command, package, ready);
        say("whole ");
        console.sees("whole ");
        set("fault sol_lose count 1");
        say("LOST ");
        over("sol_lose");
        say("behind ");
        console.sees("whole behind ");
        set("fault sol_duplicate count 1");
        say("twice ");
        over("sol_duplicate");
        say("once ");
        console.sees("behind twice twice once ");
        set("fault sol_stall");
        say("stalled ");
        // It waits while the client asks and is answered, however long that takes.
        for _ in 0..3 {
            Ipmitool::new(port, "admin", "admin").ok("mc info");
        }
        let shown = console.terminal.received.text();
        assert!(shown.contains("once ") && !shown.contains("stalled"), "{client}: {shown:?}");
        set("fault end all");
        say("late ");
        console.sees("once stalled late ");
        assert!(!console.terminal.received.text().contains("LOST"), "{client}");
        console.end_with(end);
    }
}

/// What DCMI tells of a temperature is what the sensor reads, whatever is told of it as a sensor.
#[test]
fn an_unavailable_sensor_is_one_for_who_asks_the_sensor() {
    let (_bench, port, _simulator, door) = example("full-log");
    door.post(
        "/v1/bmcs/minimal/statements",
        &json!({ "lines": ["fault end all", "fault sensor_unavailable sensor 1"] }),
    );
    let client = Ipmitool::new(port, "admin", "admin");
    client.ok("sdr elist all").assert_not_says("45 degrees C").assert_says("CPU Temp         | 01h | ns");
    assert_eq!(door.json("/v1/bmcs/minimal/sensors/0x20/0/1")["value"], 45.0);
}

/// How each client goes on under a fault, with no option said: whether it has what it asked for at the end, how many datagrams
/// more it sent than without the fault, and how many seconds longer it took.
const CLIENTS: [&str; 5] = ["ipmitool", "ipmitool 1.5", "freeipmi", "freeipmi 1.5", "pyghmi"];
const UNDER: [&str; 10] = [
    "hang",
    "hang command 0x06/0x01",
    "lose out command 0x06/0x01 count 1",
    "delay 1500 out command 0x06/0x01 count 1",
    "duplicate out command 0x06/0x01 count 1",
    "wrong_code command 0x06/0x01 count 1",
    "truncate out command 0x06/0x01 count 1",
    "code 0xc0 command 0x06/0x01 count 1",
    "refuse_session count 1",
    "drop_session command 0x06/0x01 count 1",
];

fn by_default(client: &str, port: u16) -> Ran {
    let limit = Duration::from_secs(300);
    match client {
        "ipmitool" | "ipmitool 1.5" => {
            let by = if client == "ipmitool" { Transport::Lanplus } else { Transport::Lan };
            Ran::run(&mut Ipmitool::new(port, "admin", "admin").by(by).command(&["raw", "6", "1"]), "ipmitool", limit)
        }
        "freeipmi" | "freeipmi 1.5" => {
            let driver = if client == "freeipmi" { "LAN_2_0" } else { "LAN" };
            let tool = Freeipmi::new(port, "admin", "admin", driver).with(&["-l", "ADMIN"]);
            Ran::run(&mut tool.command("ipmi-raw", &["0", "6", "1"]), "freeipmi-tools", limit)
        }
        _ => {
            let mut command = Command::new("/usr/bin/python3");
            Ran::run(command.args(["-c", PYGHMI, &port.to_string()]), "python3-pyghmi", limit)
        }
    }
}

fn cell(client: &str, fault: &str) -> String {
    let measure = |faults: &[&str]| {
        let served = Served::new(faults);
        let begun = std::time::Instant::now();
        let ran = by_default(client, served.port);
        // FreeIPMI and pyghmi tell a completion code and succeed.
        let told = ran.all().contains(" C0") || ran.stdout.trim() == "192";
        let (seconds, good) = (begun.elapsed().as_secs_f64(), ran.succeeded() && !told);
        (good, served.passed().0, seconds)
    };
    let (good, plain, quick) = measure(&[]);
    assert!(good, "{client} without a fault");
    let (good, asked, seconds) = measure(&[fault]);
    let end = if good { "has it" } else { "gives up" };
    let datagrams = asked as i64 - plain as i64;
    format!("{end}, {datagrams:+}, {:.0} s", (seconds - quick).max(0.0))
}

/// The table of `docs/FAULTS.md` is what happens. Takes minutes: clients wait long before they give up (`tests/long.sh clients`).
#[test]
#[ignore = "takes minutes; tests/long.sh runs it"]
fn clients_go_on_as_the_table_says() {
    const MARK: &str = "<!-- clients -->\n";
    let path = support::bench::project("docs/FAULTS.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let [before, table, after] = page.splitn(3, MARK).collect::<Vec<_>>()[..] else { panic!("no table") };
    let head = format!("| | {} |\n|---{}|\n", CLIENTS.join(" | "), "|---".repeat(CLIENTS.len()));
    let rows: String = UNDER
        .map(|fault| {
            let cells = CLIENTS.map(|client| cell(client, fault));
            format!("| `{fault}` | {} |\n", cells.join(" | "))
        })
        .concat();
    if std::env::var_os("IPMI_SIM_WRITE").is_some() {
        std::fs::write(&path, [before, MARK, &head, &rows, MARK, after].concat()).expect("the page is written");
        return;
    }
    // How it ends is what the page says; how many seconds that takes depends on the machine.
    let ends = |table: &str| {
        let cells = table.lines().flat_map(|line| line.split('|').map(str::trim));
        cells.map(|cell| cell.split(',').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ends(table), ends(&(head + &rows)), "{rows}");
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
