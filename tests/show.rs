//! The words of the console that show the live state, with a real client logged in.

mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::bench::{free_port, project};
use support::process::{eventually, spawn};
use support::simulator::TIMEOUT;
use support::{Bench, Simulator, Subject};

struct Console(TcpStream);

impl Console {
    /// What comes up to the next prompt.
    fn receive(&mut self) -> String {
        let started = Instant::now();
        let (mut all, mut piece) = (Vec::new(), [0; 4096]);
        while !all.ends_with(b"> ") {
            match self.0.read(&mut piece) {
                Ok(0) => panic!("the console is gone; so far: {:?}", String::from_utf8_lossy(&all)),
                Ok(count) => all.extend_from_slice(&piece[..count]),
                Err(_) if started.elapsed() < TIMEOUT => {}
                Err(why) => panic!("{why}; so far: {:?}", String::from_utf8_lossy(&all)),
            }
        }
        // The first ones are of the telnet protocol.
        String::from_utf8_lossy(&all).into_owned()
    }

    /// What a line brings, without its echo and the prompt.
    fn say(&mut self, line: &str) -> String {
        self.0.write_all(format!("{line}\n").as_bytes()).expect("the console reads");
        let text = self.receive().replace("\n\r", "\n");
        // Entries of the log may come before it.
        let (_, text) = text.split_once(&format!("{line}\n")).unwrap_or_else(|| panic!("no echo in {text:?}"));
        text.trim_end_matches("> ").to_owned()
    }
}

#[test]
fn the_words_that_show_the_live_state_are_answered_on_a_console() {
    let bench = Bench::new();
    let (port, console) = (free_port(), free_port());
    bench.write(
        "lan.conf",
        format!(
            "name \"shown\"\nconsole 127.0.0.1 {console}\nset_working_mc 0x20\n  startlan 1\n    addr 127.0.0.1 {port}\n    \
             allowed_auths_admin md5\n  endlan\n  user 2 true \"admin\" \"secret\" admin 10 md5\n"
        ),
    );
    let commands = std::fs::read_to_string(project("src/runtime/starter/sim.emu")).expect("the starter");
    bench.write("sim.emu", commands);
    let mut simulator =
        Simulator::start(Subject::Ours, &bench, port, &["-c", "lan.conf", "-f", "sim.emu", "-s", "state"]);
    let stream = eventually(TIMEOUT, || TcpStream::connect((Ipv4Addr::LOCALHOST, console)).ok());
    let stream = stream.unwrap_or_else(|| panic!("no console\n{}", simulator.report()));
    stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a time limit");
    let mut console = Console(stream);
    console.receive();

    let status = console.say("status");
    assert!(status.starts_with(&format!("ipmi_sim {}, name \"shown\"\n", env!("CARGO_PKG_VERSION"))), "{status}");
    assert!(status.contains(&format!("  LAN channel 1: 127.0.0.1:{port}, 0 sessions\n")), "{status}");
    assert_eq!(console.say("sessions"), "MC 0x20 has no sessions\n");
    let mut client = Command::new("ipmitool");
    client.args(["-I", "lanplus", "-H", "127.0.0.1", "-p", &port.to_string(), "-U", "admin", "-P", "secret", "shell"]);
    let mut client = spawn(client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()), "ipmitool");
    client.0.stdin.as_mut().expect("a pipe").write_all(b"mc info\n").expect("it reads");
    let session = eventually(TIMEOUT, || {
        // A session begins at a lower level.
        let expected = "channel 1: user 2 \"admin\", admin, from 127.0.0.1:";
        console.say("sessions").lines().find(|line| line.starts_with(expected)).map(str::to_owned)
    });
    let session = session.unwrap_or_else(|| panic!("no session\n{}", simulator.report()));
    assert!(session.contains(", IPMI 2.0, idle ") && !session.contains("secret"), "{session}");
    assert!(console.say("status").contains(&format!("127.0.0.1:{port}, 1 session\n")));
    let sensors = console.say("sensors");
    assert!(sensors.starts_with("LUN 0 sensor 1 \"CPU Temp\": 45 degrees C, raw 0x2d, ok"), "{sensors}");
    assert!(sensors.contains("LUN 0 sensor 2 \"Fan 1\": 5400 RPM, raw 0x5a, ok"), "{sensors}");
    assert_eq!(console.say("sensor_set_value 0x20 0 1 85 1"), "");
    let sensors = console.say("sensors 0x20");
    assert!(sensors.contains("85 degrees C, raw 0x55, upper non-critical"), "{sensors}");
    let log = console.say("sel");
    assert!(log.lines().count() == 1 && log.contains("sensor 1, sensor type 0x01, asserted"), "{log}");
    assert_eq!(console.say("power"), "MC 0x20: power off\n");
    assert!(console.say("power 0x44").starts_with("**Invalid MC address 0x44"));
    simulator.assert_alive();
    drop(client);
}
