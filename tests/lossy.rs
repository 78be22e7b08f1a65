//! Between client and BMC lies a network that loses, doubles and reorders datagrams: every
//! command is done exactly once, which the event log tells.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use support::bench::free_port;
use support::client::FREEIPMI_PACKAGE;
use support::config::{SMALL_EMU, small_lan_conf};
use support::relay::{Direction, Passed, Relay, Weather, write_capture};
use support::{Bench, Ipmitool, Ran, Simulator, Subject, Transport, tshark};

/// Bad, but such that a client gives up in none of many runs: it sends each request up to
/// [`TRIES`] times.
const WEATHER: Weather = Weather { lost: 15, doubled: 20, held: Duration::from_millis(30) };
/// `-R`, counted from each request's first sending.
const TRIES: &str = "12";
/// A command, and its response, that are lost for good have been lost so often; no run may take
/// longer.
const LIMIT: Duration = Duration::from_secs(120);

struct Network {
    bench: Bench,
    relay: Relay,
    /// Around the weather, to count.
    direct: u16,
    _simulator: Simulator,
}

impl Network {
    fn new(seed: u64) -> Self {
        let bench = Bench::new();
        let direct = free_port();
        bench.write("lan.conf", small_lan_conf(direct, ""));
        bench.write("sim.emu", SMALL_EMU);
        let simulator = Simulator::start_default(Subject::under_test(), &bench, direct);
        Self { bench, relay: Relay::start(0, direct, WEATHER, seed), direct, _simulator: simulator }
    }

    /// The numbers of the events in the log, in order; each event carries its own.
    fn logged(&self) -> Vec<u8> {
        let mut client = support::rmcp_client::RmcpClient::open(self.direct, "admin", "admin", 4).expect("a session");
        let mut logged = Vec::new();
        let mut next = 0u16;
        while next != 0xffff {
            let id = next.to_le_bytes();
            let answer = match client.request(0x0a << 2, 0x43, &[0, 0, id[0], id[1], 0, 0xff]) {
                support::rmcp_client::Response::Answer(answer) => answer,
                other => panic!("{other:?}"),
            };
            let [0, low, high, record @ ..] = answer.as_slice() else { break };
            next = u16::from_le_bytes([*low, *high]);
            logged.push(record[15]);
        }
        logged
    }

    /// Everything that passed is in order for tshark, resends and all.
    fn well_formed(&self, passed: &[Passed]) {
        let file = self.bench.path("lossy.pcap");
        write_capture(&file, passed);
        tshark::assert_well_formed(&file, passed.len());
    }
}

/// An event with a number of its own: Add SEL Entry in hexadecimal words.
fn event(number: u8) -> String {
    format!("0x0a 0x44 0 0 2 0 0 0 0 0x20 0 4 1 0x30 1 0x57 0x60 {number:#x}")
}

/// Many commands in one session.
#[test]
fn ipmitool_does_everything_once() {
    for (seed, way) in [(1, Transport::Lan), (2, Transport::Suite(3)), (3, Transport::Suite(17))] {
        let network = Network::new(seed);
        let commands: String = (0..16).map(|number| format!("raw {}\n", event(number))).collect();
        let file = network.bench.write("commands", commands);
        let client = Ipmitool::new(network.relay.port, "admin", "admin").by(way).with(&["-N", "1", "-R", TRIES]);
        let mut command = client.command(&["exec", file.to_str().expect("a path in UTF-8")]);
        Ran::run(&mut command, "ipmitool", LIMIT).assert_ok();
        assert_eq!(network.logged(), (0..16).collect::<Vec<u8>>(), "{way:?}");
        network.well_formed(&network.relay.take());
    }
}

/// Many commands in one session of ipmi-raw.
#[test]
fn freeipmi_does_everything_once() {
    for (seed, driver) in [(4, "LAN_2_0"), (50, "LAN")] {
        let done = (0..10).find_map(|attempt| by_freeipmi(seed + attempt, driver));
        assert!(done.is_some(), "{driver}: no session in ten attempts");
    }
}

/// `None` when it gave up its login, or when its session began with a number that says nothing:
/// what FreeIPMI resends under a new number is told from a new command only if it began to
/// count at a number where others never begin.
fn by_freeipmi(seed: u64, driver: &str) -> Option<()> {
    let network = Network::new(seed);
    let commands: String = (0..16).map(|number| format!("0 {}\n", event(number))).collect();
    let file = network.bench.write("commands", commands);
    let ran = Ran::run(
        Command::new("/usr/sbin/ipmi-raw")
            .args(["-D", driver, "-h", &format!("127.0.0.1:{}", network.relay.port)])
            .args(["-u", "admin", "-p", "admin", "-l", "ADMIN"])
            .args(["--session-timeout=60000", "--retransmission-timeout=400"])
            .arg(format!("--file={}", file.display())),
        FREEIPMI_PACKAGE,
        LIMIT,
    );
    let passed = network.relay.take();
    network.well_formed(&passed);
    if !ran.succeeded() {
        // A doubled response of the login that comes after the next one is too much for it; no
        // command was sent then.
        ran.assert_says("ipmi_ctx_open_outofband");
        assert_eq!(network.logged(), [0_u8; 0]);
        return None;
    }
    assert_eq!(ran.stdout.matches("rcvd: 44 00").count(), 16, "{}", ran.report());
    if first_number(&passed)? <= 8 {
        return None;
    }
    assert_eq!(network.logged(), (0..16).collect::<Vec<u8>>(), "{driver}");
    Some(())
}

/// The same event again and again in one session of ipmi-raw, on a network that loses nothing, at the pauses of a person and
/// at exactly that after which the tool itself would ask again.
#[test]
fn freeipmi_adds_the_same_event_again_and_again() {
    for (driver, pause) in [("LAN_2_0", 600), ("LAN", 300), ("LAN_2_0", 1000), ("LAN", 2500)] {
        let bench = Bench::new();
        let port = free_port();
        bench.write("lan.conf", small_lan_conf(port, ""));
        bench.write("sim.emu", SMALL_EMU);
        let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
        let mut child = Command::new("/usr/sbin/ipmi-raw")
            .args(["-D", driver, "-h", &format!("127.0.0.1:{port}"), "-u", "admin", "-p", "admin", "-l", "ADMIN"])
            .args(["--file", "/dev/stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|why| panic!("ipmi-raw: {why}; apt-get install {FREEIPMI_PACKAGE}"));
        let mut input = child.stdin.take().expect("its input");
        for _ in 0..4 {
            writeln!(input, "0 {}", event(7)).expect("its input");
            thread::sleep(Duration::from_millis(pause));
        }
        drop(input);
        let output = child.wait_with_output().expect("its output");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for id in 1..=4 {
            assert!(text.contains(&format!("rcvd: 44 00 {id:02X} 00")), "{driver}, {pause} ms: {text}");
        }
        let network = Network { relay: Relay::start(0, port, WEATHER, 1), bench, direct: port, _simulator: simulator };
        assert_eq!(network.logged(), [7; 4], "{driver}, {pause} ms");
    }
}

/// The tag of the first message of an RMCP+ login, or rqSeq of the first command of an IPMI 1.5
/// session.
fn first_number(passed: &[Passed]) -> Option<u8> {
    passed.iter().filter(|datagram| datagram.direction == Direction::Asked).find_map(|datagram| {
        match datagram.bytes.get(4..)? {
            [6, 0x10, ..] => datagram.bytes.get(16).copied(),
            // Set Session Privilege Level behind header, code and length.
            [kind, ..] if *kind != 6 => {
                let message = datagram.bytes.get(if *kind == 0 { 14.. } else { 30.. })?;
                (message.get(5) == Some(&0x3b)).then(|| message[4] >> 2)
            }
            _ => None,
        }
    })
}
