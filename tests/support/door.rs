//! Programs with a control door: one BMC, or a fleet, with the files of `examples/fleet`.

use std::time::Duration;

use super::bench::project;
use super::http::Http;
use super::{Bench, Simulator, Stdin, Subject};

/// How long a start may take; longer where other tests run.
pub const START: Duration = Duration::from_secs(60);

fn example(name: &str) -> String {
    std::fs::read_to_string(project(&format!("examples/fleet/{name}"))).expect("an example")
}

/// The files of a fleet, as `lan.conf` and `sim.emu`.
pub fn write_fleet(bench: &Bench) {
    for name in ["lan.conf", "sim.emu"] {
        bench.write(name, example(name));
    }
}

/// The same with the values of one BMC, `bmc00001` at a port; `more` goes in front of its LAN channel.
pub fn write_one(bench: &Bench, port: u16, more: &str) {
    let port = port.to_string();
    let channel = format!("{more}\n  startlan 1");
    let values = [
        ("$name", "\"bmc00001\""),
        ("\"$index", "1\""),
        ("$addr", "127.0.0.1"),
        ("$port", &port),
        ("  startlan 1", &channel),
    ];
    for name in ["lan.conf", "sim.emu"] {
        bench.write(name, values.iter().fold(example(name), |text, (name, value)| text.replace(name, value)));
    }
}

/// Starts the program on the files `lan.conf` and `sim.emu` of the bench, with its state in `state` and the door at the
/// socket `control`; it serves when this returns.
pub fn start(bench: &Bench, arguments: &[&str]) -> (Simulator, Http) {
    let mut all = vec!["-n", "--ready-line", "-s", "state", "-c", "lan.conf", "-f", "sim.emu", "--control", "control"];
    all.extend(arguments);
    let simulator = Simulator::spawn(Subject::under_test(), bench, &all, Stdin::Null);
    assert!(simulator.stdout.wait_for("is ready\n", START), "{}", simulator.report());
    (simulator, Http::unix(&bench.path("control")))
}
