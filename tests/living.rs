//! A machine that lives, `examples/living`, as a client sees it: readings move, thresholds are crossed, fans stop without power.

mod support;

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use support::bench::free_port;
use support::config::{Places, adapt};
use support::process::eventually;
use support::rmcp_client::{Response, RmcpClient};
use support::{Bench, Ipmitool, Ran, Simulator, Stdin, Subject};

/// The example with a port of its own.
fn example() -> (Bench, u16) {
    let bench = Bench::new();
    bench.copy_tree("examples/living", "living");
    bench.copy_tree("examples/fleet", "fleet");
    let port = free_port();
    let conf = adapt(&bench.read("living/lan.conf"), &Places { lan: vec![port], ..Places::default() });
    bench.write("living/lan.conf", conf);
    (bench, port)
}

fn start(bench: &Bench, port: u16, more: &[&str]) -> Simulator {
    let files = [&["-p", "-c", "living/lan.conf", "-f", "living/sim.emu"], more].concat();
    let mut simulator = Simulator::spawn(Subject::under_test(), bench, &files, Stdin::Pipe);
    simulator.wait_until_ready(port);
    simulator
}

/// The reading of a sensor, as a number.
fn reading(client: &Ipmitool, name: &str) -> f64 {
    let shown = client.ok("sensor list").stdout;
    let of = |line: &str| {
        let mut cells = line.split('|').map(str::trim);
        (cells.next() == Some(name)).then(|| cells.next()?.parse().ok()).flatten()
    };
    shown.lines().find_map(of).unwrap_or_else(|| panic!("{name}: {shown}"))
}

fn comes(what: &str, seen: impl Fn() -> bool) {
    assert!(eventually(Duration::from_secs(15), || seen().then_some(())).is_some(), "{what}");
}

#[test]
fn a_machine_lives_and_rests_without_power() {
    let (bench, port) = example();
    let mut simulator = start(&bench, port, &[]);
    let client = Ipmitool::new(port, "admin", "admin");
    client.ok("power on");
    comes("the fans turn", || reading(&client, "Fan 1") > 3000.0);
    client.ok("sel clear");
    let first = reading(&client, "+12V");
    comes("a voltage moves", || (reading(&client, "+12V") - first).abs() > 0.05);
    let watts = reading(&client, "Power");
    assert!((100.0..500.0).contains(&watts), "{watts}");

    client.ok("power off");
    comes("the fans stop", || reading(&client, "Fan 1") == 0.0);
    comes("their events are in the log", || {
        let log = client.ok("sel elist").stdout;
        log.contains("Fan Fan 1 | Lower Critical going low")
            || log.lines().any(|line| line.contains("Fan 1") && line.contains("Lower Critical going low"))
    });
    assert_eq!((reading(&client, "+12V"), reading(&client, "Power")), (0.0, 12.0));
    client.ok("dcmi power reading").assert_says("Instantaneous power reading: 12 Watts");
    assert!(reading(&client, "VBAT") > 3.0, "the battery");

    client.ok("power on");
    comes("the fans turn again", || reading(&client, "Fan 1") > 3000.0);
    simulator.type_in("sensor_follow 0x20 0 1 line from 50 to 90 over 2\n");
    comes("it gets too hot", || client.ok("sel elist").stdout.contains("CPU1 Temp | Upper Critical going high"));

    // What was measured somewhere: beside the command file, as what that includes.
    bench.write("table.csv", "# measured\nseconds,\"Inlet, C\"\n0,30\n0.5,35\n1000,36\n");
    simulator.type_in("sensor_follow 0x20 0 3 csv \"table.csv\" column \"Inlet, C\" time seconds\n");
    comes("the table is read", || reading(&client, "Inlet Temp") == 35.0);
    bench.write("table.csv", "seconds,\"Inlet, C\"\n0,30\n1,warm\n");
    simulator.type_in("sensor_follow 0x20 0 3 csv \"table.csv\" column 2 every 1\n");
    let fault = "table.csv:3:3: expected a number such as 45 or -1.5, found 'warm'";
    assert!(simulator.stdout.wait_for(fault, Duration::from_secs(15)), "{}", simulator.report());
    assert_eq!(reading(&client, "Inlet Temp"), 35.0);
    simulator.assert_alive();
}

/// Two runs with one seed draw the same.
#[test]
fn a_seed_repeats_a_run_and_is_warned_of() {
    let run = |seed: &str| {
        let (bench, port) = example();
        let emu = bench.read("living/sim.emu").replace("seed 4711", "");
        bench.write(
            "living/sim.emu",
            emu.replace("noise mean 12.1 amplitude 0.2", "noise mean 12 amplitude 0.6 step 100"),
        );
        let simulator = start(&bench, port, &["--seed", seed]);
        let client = Ipmitool::new(port, "admin", "admin");
        client.ok("power on");
        let volts = ["+12V", "+12V"].map(|name| reading(&client, name));
        assert!(simulator.stderr.text().contains("--seed"), "{}", simulator.report());
        volts
    };
    let (first, again, other) = (run("5"), run("5"), run("6"));
    assert_eq!(first, again);
    assert_ne!(first, other);
}

/// The datagrams of a capture, in order: who sent each, the BMC or the client, and its bytes in hexadecimal.
fn packets(capture: &Path, port: u16) -> Vec<(bool, String)> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture).args(["-T", "fields", "-e", "udp.srcport", "-e", "udp.payload"]);
    let ran = Ran::run(&mut command, "tshark", Duration::from_secs(60));
    ran.assert_ok();
    let packet = |line: &str| line.split_once('\t').map(|(from, bytes)| (from == port.to_string(), bytes.to_owned()));
    ran.stdout.lines().filter_map(packet).collect()
}

/// The same client says the same to two runs with one seed, and hears the same: session ids, challenges, what is encrypted, readings
/// that are drawn by lot, and which datagrams come twice. Without a seed, or with another, it hears something else.
#[test]
fn two_runs_with_one_seed_give_the_same_packets() {
    let (bench, port) = example();
    let run = |more: &[&str]| {
        let mut simulator = start(&bench, port, &[more, &["--pcap", "run.pcap"]].concat());
        // Drawn by lot from here on: how often it was asked whether it serves is another number each time.
        simulator.type_in("fault duplicate out chance 30\n");
        assert!(simulator.stdout.wait_for("Fault 1: duplicate out chance 30", Duration::from_secs(15)));
        let mut client = RmcpClient::open_seeded(9, port, "admin", "admin", 4).expect("a session");
        // Device id, power on, sensors whose signals hold for longer than the test takes, the SDR repository, the log.
        simulator.type_in("sensor_follow 0x20 0 15 noise mean 12 amplitude 0.6 step 100000\n");
        simulator.type_in("sensor_follow 0x20 0 16 walk mean 5 amplitude 0.3 step 100000\n");
        simulator.type_in("sensor_follow 0x20 0 1 constant 40\n");
        assert!(simulator.stdout.wait_for("sensor_follow 0x20 0 1 constant 40", Duration::from_secs(15)));
        let asked: [(u8, u8, &[u8]); 8] = [
            (0x18, 0x01, &[]),
            (0x00, 0x02, &[1]),
            (0x00, 0x01, &[]),
            (0x10, 0x2d, &[15]),
            (0x10, 0x2d, &[16]),
            (0x10, 0x2d, &[1]),
            (0x28, 0x23, &[0, 0, 0, 0, 0, 0xff]),
            (0x18, 0x38, &[0x0e, 4]),
        ];
        for (netfn, command, data) in asked {
            match client.request(netfn, command, data) {
                Response::Answer(answer) => assert!(!answer.is_empty()),
                other => panic!("{netfn:#x}/{command:#x}: {other:02x?}"),
            }
        }
        client.leave();
        simulator.signal(Signal::SIGTERM);
        assert!(simulator.wait(Duration::from_secs(30)).is_some(), "{}", simulator.report());
        // The ping that found that it serves is asked until it is answered.
        let all = packets(&bench.path("run.pcap"), port).into_iter();
        all.filter(|(_, bytes)| !bytes.starts_with("0600ff06") && !bytes.starts_with("06000006")).collect::<Vec<_>>()
    };
    let (first, again, other, none) = (run(&["--seed", "5"]), run(&["--seed", "5"]), run(&["--seed", "6"]), run(&[]));
    let sent = |packets: &[(bool, String)]| packets.iter().filter(|(ours, _)| *ours).count();
    // Three of the login, of the privilege level, of eight commands, of the end.
    assert!(sent(&first) >= 13, "{first:?}");
    assert_eq!(first, again);
    for different in [other, none] {
        // Open Session Response has the id of the session, and from then on nothing is the same.
        let of_bmc = |packets: &[(bool, String)]| -> HashSet<String> {
            packets.iter().filter(|(ours, _)| *ours).map(|(_, bytes)| bytes.clone()).collect()
        };
        assert_eq!(of_bmc(&first).intersection(&of_bmc(&different)).count(), 0);
    }
}
