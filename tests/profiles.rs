//! The machines of `examples/profiles`: every client that shows sensors, records, inventories and event logs shows all of
//! theirs, without a complaint.

mod support;

use std::process::Command;
use std::time::Duration;

use support::bench::{free_port, project};
use support::client::{CLIENT_LIMIT, FREEIPMI_PACKAGE};
use support::process::eventually;
use support::{Bench, Ipmitool, Ran, Simulator, Stdin, Subject, namespace};

/// A machine, and how much of what it has.
struct Machine {
    folder: &'static str,
    /// Last part of its address in rack.csv.
    address: u8,
    /// Records that `sdr elist` shows: full, compact, event-only, controllers, FRU devices, generic devices.
    records: [usize; 6],
    /// Sensors that freeipmi reads, those behind other controllers and each that shares a record among them.
    readable: usize,
    /// Records of the event log.
    events: usize,
    /// Inventories that freeipmi prints, those of other controllers among them.
    inventories: usize,
    /// What some of them say.
    says: &'static [&'static str],
}

const KINDS: [&str; 6] = ["full", "compact", "event", "mcloc", "fru", "generic"];

const MACHINES: [Machine; 4] = [
    Machine {
        folder: "one-socket",
        address: 5,
        records: [38, 8, 6, 1, 2, 1],
        readable: 47,
        events: 10,
        inventories: 3,
        says: &["CPU Margin | -41.000", "N12V | -12.000", "Airflow | 35.000 | CFM"],
    },
    Machine {
        folder: "two-socket",
        address: 3,
        records: [75, 15, 8, 2, 5, 0],
        readable: 98,
        events: 14,
        inventories: 7,
        says: &["FAN1A Speed | 8333.333 | RPM | ok | 1197.605 | 1801.802 | 2500.000", "Intake Right | -2.000"],
    },
    Machine {
        folder: "gpu-node",
        address: 2,
        records: [97, 17, 6, 2, 7, 0],
        readable: 119,
        events: 11,
        inventories: 9,
        says: &["Link1 BER | -6.398", "Coolant Drop | 81.000 | kPa", "GPU8 Power | 348.000 | Watts"],
    },
    Machine {
        folder: "storage",
        address: 1,
        records: [54, 14, 6, 3, 5, 0],
        readable: 102,
        events: 15,
        inventories: 8,
        says: &["Vibration | 0.100", "BBU Thermistor | 28.000 | degrees C", "Exp2 Link Errors | 2.000"],
    },
];

/// What clients say where something is amiss. The word error alone is part of names, events and units.
const COMPLAINTS: [&str; 10] =
    ["unknown", "unrecogni", "invalid", "unable", "error:", "error -", "errno", "corrupt", "checksum", "reserved"];

/// What ipmitool's `-v` says to every BMC: it asks whether it is of VITA's kind.
const VERBOSE: [&str; 4] = [
    "Loading IANA PEN Registry...",
    "Running Get VSO Capabilities",
    "Invalid completion code received: Invalid command",
    "Discovered IPMB address 0x",
];

impl Machine {
    fn host(&self) -> String {
        format!("127.65.3.{}", self.address)
    }

    /// Runs a client, which has nothing to complain about.
    fn run(&self, package: &str, words: &[&str]) -> Ran {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env("TZ", "UTC").env("LC_ALL", "C");
        let ran = Ran::run(&mut command, package, CLIENT_LIMIT);
        ran.assert_ok();
        if words.contains(&"-v") {
            let said = |line: &str| VERBOSE.iter().any(|known| line.starts_with(known));
            assert!(ran.stderr.lines().all(said), "{}", ran.report());
        } else {
            assert_eq!(ran.stderr, "", "{}", ran.report());
        }
        let text = ran.stdout.to_lowercase();
        for complaint in COMPLAINTS {
            assert!(!text.contains(complaint), "'{complaint}': {}", ran.report());
        }
        ran
    }

    fn ipmitool(&self, words: &str) -> Ran {
        let host = self.host();
        let mut all = vec!["ipmitool", "-I", "lanplus", "-C", "3", "-H", &host, "-U", "admin", "-P", "admin"];
        all.extend(words.split(' '));
        self.run("ipmitool", &all)
    }

    fn freeipmi(&self, tool: &str, cache: &Bench, words: &str) -> Ran {
        let (host, cache) = (self.host(), format!("--sdr-cache-directory={}", cache.folder().display()));
        let mut all = vec![tool, "-h", &host, "-u", "admin", "-p", "admin", "-D", "LAN_2_0", "--quiet-cache", &cache];
        all.extend(words.split_whitespace());
        self.run(FREEIPMI_PACKAGE, &all)
    }

    fn ipmiutil(&self, command: &str) -> Ran {
        let host = self.host();
        let ran = self.run("ipmiutil", &["ipmiutil", command, "-F", "lan2", "-N", &host, "-U", "admin", "-P", "admin"]);
        ran.assert_says("completed successfully");
        ran
    }

    fn shown_by_ipmitool(&self) {
        for (kind, count) in KINDS.into_iter().zip(self.records) {
            let ran = self.ipmitool(&format!("sdr elist {kind}"));
            assert_eq!(ran.stdout.lines().count(), count, "{}", ran.report());
            if matches!(kind, "full" | "compact") {
                let ok = ran.stdout.lines().filter(|line| line.contains("| ok ")).count();
                assert_eq!(ok, count, "all is well: {}", ran.report());
            }
        }
        let all = self.ipmitool("sdr elist all");
        assert_eq!(all.stdout.lines().count(), self.records.iter().sum::<usize>(), "{}", all.report());
        let verbose = self.ipmitool("-v sdr list");
        assert_eq!(verbose.stdout.matches("Sensor ID  ").count(), self.sensor_records(), "{}", verbose.report());
        let sensors = self.ipmitool("sensor list");
        assert_eq!(sensors.stdout.lines().count(), self.sensor_records(), "{}", sensors.report());
        for says in self.says {
            sensors.assert_says(says);
        }
        assert_eq!(self.ipmitool("sel elist").stdout.lines().count(), self.events);
        let inventories = self.ipmitool("fru print").stdout.matches("FRU Device Description").count();
        assert_eq!(inventories, self.inventories, "{}", self.folder);
    }

    /// Full and compact records.
    fn sensor_records(&self) -> usize {
        self.records[0] + self.records[1]
    }

    fn shown_by_freeipmi(&self) {
        let cache = Bench::new();
        let names = self.freeipmi("ipmi-sensors", &cache, "--entity-sensor-names --output-sensor-thresholds");
        assert_eq!(names.stdout.lines().count(), 1 + self.sensor_records(), "{}", names.report());
        let words = "--non-abbreviated-units --bridge-sensors --shared-sensors";
        let sensors = self.freeipmi("ipmi-sensors", &cache, words);
        assert_eq!(sensors.stdout.lines().count(), 1 + self.readable, "{}", sensors.report());
        for line in sensors.stdout.lines().skip(1) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            // It has no value for a sensor that is not linear; ipmitool has.
            let value = cells[3] != "N/A" || cells[4] == "N/A" || cells[1] == "BBU Thermistor";
            assert!(value && cells[5] != "N/A", "{line}");
        }
        let events = self.freeipmi("ipmi-sel", &cache, "");
        assert_eq!(events.stdout.lines().count(), 1 + self.events, "{}", events.report());
        let inventories = self.freeipmi("ipmi-fru", &cache, "--bridge-fru");
        let count = inventories.stdout.matches("FRU Inventory Device: ").count();
        assert_eq!(count, self.inventories, "{}", inventories.report());
    }

    fn shown_by_ipmiutil(&self) {
        let sensors = self.ipmiutil("sensor");
        let count = |kind: &str| sensors.stdout.matches(kind).count();
        let records = [count("SDR Full 01"), count("SDR Comp 02"), count("SDR EvtO 03"), count("SDR IPMB 12")];
        assert_eq!(records, self.records[..4], "{}", sensors.report());
        let events = self.ipmiutil("sel");
        assert!(events.stdout.contains(&format!("Used={},", self.events)), "{}", events.report());
        self.ipmiutil("fru").assert_says("Product Serial Num");
    }
}

/// The rack, with the port of every client.
fn rack() -> (Bench, Simulator) {
    let bench = Bench::new();
    bench.copy_tree("examples/profiles", ".");
    let list = bench.read("rack.csv").replace(",9625,", ",623,");
    bench.write("rack.csv", list);
    let words = ["-n", "-p", "--ready-line", "--strict", "--fleet", "rack.csv", "-c", "lan.conf"];
    let simulator = Simulator::spawn(Subject::under_test(), &bench, &words, Stdin::Null);
    let ready = eventually(Duration::from_secs(10), || simulator.stdout.text().contains("is ready").then_some(()));
    assert!(ready.is_some(), "{}", simulator.report());
    (bench, simulator)
}

fn everything_is_shown(test: &str, folder: &str) {
    namespace::alone(test, || {
        let (_bench, mut simulator) = rack();
        let machine = MACHINES.iter().find(|machine| machine.folder == folder).expect("a machine");
        machine.shown_by_ipmitool();
        machine.shown_by_freeipmi();
        machine.shown_by_ipmiutil();
        simulator.assert_alive();
    });
}

#[test]
fn one_socket() {
    everything_is_shown("one_socket", "one-socket");
}

#[test]
fn two_socket() {
    everything_is_shown("two_socket", "two-socket");
}

#[test]
fn gpu_node() {
    everything_is_shown("gpu_node", "gpu-node");
}

#[test]
fn storage() {
    everything_is_shown("storage", "storage");
}

/// `records.emu` is what `sdrcomp` makes of `records.sdrs`; to make it anew:
///
/// ```text
/// IPMI_SIM_WRITE=1 cargo test --test profiles
/// ```
#[test]
fn records_are_those_of_their_source() {
    for machine in MACHINES {
        let folder = project("examples/profiles").join(machine.folder);
        let mut compiler = Command::new(env!("CARGO_BIN_EXE_sdrcomp"));
        compiler.args(["-8", "-e", "-I", "../common", "records.sdrs"]).current_dir(&folder);
        let ran = Ran::run(&mut compiler, "", CLIENT_LIMIT);
        assert_eq!(ran.assert_ok().stderr, "");
        let made = folder.join("records.emu");
        if std::env::var_os("IPMI_SIM_WRITE").is_some() {
            std::fs::write(&made, &ran.stdout).expect("records.emu");
        }
        let found = std::fs::read_to_string(&made).expect("records.emu");
        assert!(found == ran.stdout, "{} is not what sdrcomp makes: IPMI_SIM_WRITE=1", made.display());
    }
}

/// As many of one kind as wanted, each with serial numbers of its own.
#[test]
fn a_fleet_of_each() {
    for machine in MACHINES {
        let bench = Bench::new();
        bench.copy_tree("examples/profiles", ".");
        let ports: Vec<u16> = (0..2).map(|_| free_port()).collect();
        let emu = format!("{}/sim.emu", machine.folder);
        let list = format!("name,addr,port\nfirst,127.0.0.1,{}\nsecond,127.0.0.1,{}\n", ports[0], ports[1]);
        bench.write("two.csv", list);
        let words = ["-p", "--strict", "--fleet", "two.csv", "-c", "lan.conf", "-f", &emu];
        let _simulator = Simulator::start(Subject::under_test(), &bench, ports[1], &words);
        let ran = Ipmitool::new(ports[1], "admin", "admin").ok("fru print 0");
        assert!(ran.value("Product Serial").ends_with("-2"), "{}", ran.report());
        assert_eq!(ran.value("Product Asset Tag"), "second");
    }
}

/// With a configuration of one's own and a file of three lines, which lies elsewhere.
#[test]
fn alone_with_another_configuration() {
    let bench = Bench::new();
    bench.copy_tree("examples/profiles", "machines");
    bench.copy_tree("examples/minimal", ".");
    let port = free_port();
    let conf = bench.read("lan.conf").replace("9623", &port.to_string());
    bench.write("lan.conf", conf);
    let emu = "define index \"7\"\ndefine name \"node7\"\ninclude \"machines/storage/sim.emu\"\n";
    bench.write("own.emu", emu);
    let words = ["-p", "--strict", "-c", "lan.conf", "-f", "own.emu"];
    let _simulator = Simulator::start(Subject::under_test(), &bench, port, &words);
    assert_eq!(Ipmitool::new(port, "admin", "admin").ok("fru print 0").value("Product Serial"), "SQS-7");
}

/// Readings that go up while the value goes down, and the other way round, cross the thresholds that people mean.
#[test]
fn values_cross_their_thresholds() {
    let bench = Bench::new();
    bench.copy_tree("examples/profiles", ".");
    let ports: Vec<u16> = MACHINES.iter().map(|_| free_port()).collect();
    let rows = MACHINES.iter().zip(&ports).map(|(it, port)| format!("{0},127.0.0.1,{port},{0}/sim.emu\n", it.folder));
    bench.write("all.csv", format!("name,addr,port,emu\n{}", rows.collect::<String>()));
    let words = ["-p", "--strict", "--fleet", "all.csv", "-c", "lan.conf"];
    let mut simulator = Simulator::spawn(Subject::under_test(), &bench, &words, Stdin::Pipe);
    simulator.wait_until_ready(ports[3]);
    for (folder, statement, event) in [
        ("one-socket", "sensor_set_value 0x20 0 0x02 252 1", "CPU Margin | Upper Non-critical going high"),
        ("one-socket", "sensor_set_value 0x20 0 0x28 105 1", "N12V | Upper Critical going high"),
        ("two-socket", "sensor_set_value 0x20 0 0x20 85 1", "FAN1A Speed | Lower Non-critical going low"),
        ("gpu-node", "sensor_set_value 0x52 0 0x81 93 1", "GPU1 Temp | Upper Critical going high"),
        ("storage", "sensor_set_value 0x20 0 0x1a 118 1", "Vibration | Upper Non-critical going high"),
    ] {
        simulator.type_in(&format!("bmc {folder}\n{statement}\n"));
        let place = MACHINES.iter().position(|machine| machine.folder == folder).expect("a machine");
        let client = Ipmitool::new(ports[place], "admin", "admin");
        let seen = eventually(Duration::from_secs(10), || {
            let lines = client.ok("sel elist").stdout;
            lines.lines().last().is_some_and(|line| line.contains(event)).then_some(())
        });
        assert!(seen.is_some(), "{event}: {}{}", client.ok("sel elist").report(), simulator.report());
    }
}
