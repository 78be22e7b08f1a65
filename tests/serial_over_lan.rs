//! Serial over LAN to each kind of port: a serial device, a TCP server, a telnet server.

mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::Duration;

use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::process::{self, contains, eventually};
use support::pty::Pty;
use support::sol::{Console, Machine};
use support::{Bench, Ipmitool, Simulator, Subject};

const LIMIT: Duration = Duration::from_secs(10);

/// A BMC with this `sol` line.
fn bmc(subject: Subject, sol: &str) -> (Bench, Simulator, Ipmitool) {
    let bench = Bench::new();
    let port = free_port();
    bench.write("lan.conf", small_lan_conf(port, &format!("  sol \"{sol}\" 115200 nortscts")));
    bench.write("sim.emu", SMALL_EMU);
    let simulator = Simulator::start_default(subject, &bench, port);
    (bench, simulator, Ipmitool::new(port, "admin", "admin"))
}

fn over_tcp(subject: Subject) {
    let server = Machine::new();
    let (_bench, _simulator, client) = bmc(subject, &format!("tcp:127.0.0.1:{}", server.port));
    let (mut machine, typed) = server.connected();
    let mut console = Console::open(&client);
    machine.write_all(b"login: ").expect("the simulator reads");
    console.sees("login: ");
    console.terminal.write("root\r");
    assert!(typed.wait_for("root\r", LIMIT), "{:?}", typed.text());
    machine.write_all(b"\r\nPassword: ").expect("the simulator reads");
    console.sees("Password: ");
    console.close();
    // Closed and opened again: the same port.
    let mut console = Console::open(&client);
    console.terminal.write("again\r");
    assert!(typed.wait_for("again\r", LIMIT), "{:?}", typed.text());
    machine.write_all(b"welcome back").expect("the simulator reads");
    console.sees("welcome back");
    console.close();
}

fn over_telnet(subject: Subject) {
    let server = Machine::new();
    let (_bench, _simulator, client) = bmc(subject, &format!("telnet:127.0.0.1:{}", server.port));
    let (mut machine, mut typed) = server.connected();
    let negotiation = typed.take_exactly(12, LIMIT);
    assert_eq!(negotiation, [0xff, 0xfd, 0, 0xff, 0xfb, 0, 0xff, 0xfe, 1, 0xff, 0xfc, 1]);
    let mut console = Console::open(&client);
    // Negotiation is not for the console; an escaped FF is one FF.
    machine
        .write_all(b"c\xff\xfb\x01d\xff\xfd\x03e\xff\xf9f\xff\xfa\x18\x00foo\xff\xf0g: ")
        .expect("the simulator reads");
    console.sees("cdefg: ");
    console.terminal.write("telnet\r");
    assert!(typed.wait_for("telnet\r", LIMIT), "{:?}", typed.text());
    console.close();
}

/// A kernel log: nothing of it is lost or changed on the way to the console.
fn long_output(subject: Subject) {
    let server = Machine::new();
    let (_bench, _simulator, client) = bmc(subject, &format!("tcp:127.0.0.1:{}", server.port));
    let (mut machine, _typed) = server.connected();
    let console = Console::open(&client);
    let log: String = (0..2000).map(|line| format!("[{line:5}] a line of the log, number {line}\r\n")).collect();
    let sent = log.clone();
    let writer = thread::spawn(move || {
        machine.write_all(sent.as_bytes()).expect("the simulator reads");
        machine.write_all(b"<the end>").expect("the simulator reads");
        machine
    });
    let all_there = console.terminal.received.wait_for("<the end>", Duration::from_secs(20));
    assert!(all_there, "only {} bytes came", console.terminal.received.text().len());
    let seen = console.terminal.received.text();
    let start = seen.find("[    0]").expect("the first line");
    assert!(contains(&seen.as_bytes()[start..], log.as_bytes()), "lost or changed on the way");
    drop(writer.join().expect("the machine"));
    console.close();
}

/// The machine goes away and comes back; the console stays and goes on.
#[test]
fn port_comes_back() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a server");
    let port = listener.local_addr().expect("its address").port();
    let (_bench, mut simulator, client) = bmc(Subject::under_test(), &format!("tcp:127.0.0.1:{port}"));
    let (first, _) = listener.accept().expect("the simulator connects");
    let mut console = Console::open(&client);
    (&first).write_all(b"first").expect("the simulator reads");
    console.sees("first");
    drop(first);
    // The port is tried again every ten seconds.
    listener.set_nonblocking(true).expect("a setting");
    let second = eventually(Duration::from_secs(15), || listener.accept().ok());
    let (mut second, _) = second.expect("it connects again");
    second.set_nonblocking(false).expect("a setting");
    second.write_all(b"second").expect("the simulator reads");
    console.sees("second");
    console.terminal.write("still here\r");
    let mut typed = Vec::new();
    let mut piece = [0; 64];
    second.set_read_timeout(Some(LIMIT)).expect("a time limit");
    while !contains(&typed, b"still here\r") {
        match second.read(&mut piece) {
            Ok(count @ 1..) => typed.extend_from_slice(&piece[..count]),
            other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&typed)),
        }
    }
    simulator.assert_alive();
    console.close();
}

/// A port that nobody opens is no reason to wait, and no reason to fail.
#[test]
fn unreachable_port_delays_nobody() {
    for sol in [format!("tcp:127.0.0.1:{}", free_port()), "/dev/no-such-port".to_owned()] {
        let (_bench, mut simulator, client) = bmc(Subject::under_test(), &sol);
        client.ok("mc info");
        client.ok("sol info 1").assert_says("Enabled : true");
        simulator.assert_alive();
    }
}

/// `backupfile=`: what came from the port before a restart is shown after it.
#[test]
fn the_history_survives_a_restart() {
    let server = Machine::new();
    let bench = Bench::new();
    let port = free_port();
    let sol = format!("  sol \"tcp:127.0.0.1:{}\" 115200 history=64,backupfile=console.log historyfru=9", server.port);
    bench.write("lan.conf", small_lan_conf(port, &sol));
    bench.write("sim.emu", SMALL_EMU);
    let mut simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    let (mut machine, _typed) = server.connected();
    let client = Ipmitool::new(port, "admin", "admin");
    let log = "a line that is long enough to be pushed out\r\n<a panic, and then nothing>";
    machine.write_all(b"forgotten, ").expect("the simulator reads");
    machine.write_all(log.as_bytes()).expect("the simulator reads");
    let kept = &log[log.len() - 64..];
    // Get FRU Inventory Area Info and Read FRU Data.
    let length = format!("{:02x} {:02x} 00", 64 + 20, 0);
    let all_there = eventually(LIMIT, || client.ok("raw 0x0a 0x10 9").stdout.contains(&length).then_some(()));
    assert!(all_there.is_some(), "{}", simulator.report());
    simulator.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(simulator.wait(LIMIT).is_some());
    assert_eq!(bench.read("console.log"), kept);

    let _simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    let shown = eventually(LIMIT, || client.ok("raw 0x0a 0x10 9").stdout.contains(&length).then_some(()));
    assert!(shown.is_some(), "the next life knows it");
}

/// The original drops the first keystroke of all: it takes it for a repetition.
#[test]
fn the_first_keystroke_arrives() {
    let server = Machine::new();
    let (_bench, _simulator, client) = bmc(Subject::under_test(), &format!("tcp:127.0.0.1:{}", server.port));
    let (_machine, typed) = server.connected();
    let mut terminal = Pty::new();
    let mut command = client.command(&["sol", "activate"]);
    command.stdin(terminal.stdio()).stdout(terminal.stdio()).stderr(terminal.stdio());
    let _client = process::spawn(&mut command, "ipmitool");
    assert!(terminal.wait_for("SOL Session operational", LIMIT));
    terminal.write("x");
    assert!(typed.wait_for("x", LIMIT), "{:?}", typed.text());
}

#[test]
fn tcp() {
    over_tcp(Subject::under_test());
}

#[test]
fn tcp_with_the_original() {
    over_tcp(Subject::Original);
}

#[test]
fn telnet() {
    over_telnet(Subject::under_test());
}

#[test]
fn telnet_with_the_original() {
    over_telnet(Subject::Original);
}

#[test]
fn nothing_of_a_long_output_is_lost() {
    long_output(Subject::under_test());
}

#[test]
fn nothing_of_a_long_output_is_lost_with_the_original() {
    long_output(Subject::Original);
}

/// ipmitool's person sees on the console what the log says of a port that is not there, and that it came.
#[test]
fn a_port_that_is_missing_says_so_on_the_console() {
    // A machine that is not up.
    let port = free_port();
    let (_bench, _simulator, client) = bmc(Subject::Ours, &format!("tcp:127.0.0.1:{port}"));
    let console = Console::open(&client);
    console.sees(&format!("[SOL: Error connecting SOL to 127.0.0.1:{port}: Connection refused]"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free");
    let (mut machine, _) = listener.accept().expect("the simulator connects");
    console.sees("[SOL: the port is open now]");
    machine.write_all(b"login: ").expect("the simulator reads");
    console.sees("login: ");
    console.close();
    // A device that is plugged in later.
    let place = tempfile::tempdir().expect("a folder");
    let link = place.path().join("ttyUSB9");
    let (_bench, _simulator, client) = bmc(Subject::Ours, link.to_str().expect("a name"));
    let console = Console::open(&client);
    console.sees("ttyUSB9: No such file or directory]");
    let mut far_end = Pty::new();
    std::os::unix::fs::symlink(far_end.path(), &link).expect("a link");
    console.sees("[SOL: the port is open now]");
    far_end.write("login: ");
    console.sees("login: ");
    console.close();
}
