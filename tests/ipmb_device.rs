//! The `ipmb` line of lan.conf, with a pseudo terminal in the place of `/dev/ipmb-N`.

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use nix::sys::termios;
use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::process::eventually;
use support::simulator::TIMEOUT;
use support::{Bench, Ipmitool, Simulator, Stdin, Subject};

/// A bus: what the simulator has open as its device, and the other end of it.
struct Bus {
    far: File,
    // Held open, so that the other end sees no hang-up before the simulator opens it.
    near: OwnedFd,
    name: String,
}

impl Bus {
    fn new() -> Self {
        let ends = nix::pty::openpty(None, None).expect("a pseudo terminal");
        let mut settings = termios::tcgetattr(&ends.slave).expect("terminal settings");
        termios::cfmakeraw(&mut settings);
        termios::tcsetattr(&ends.slave, termios::SetArg::TCSANOW, &settings).expect("raw mode");
        let name = nix::unistd::ttyname(&ends.slave).expect("the name of the terminal");
        Self { far: File::from(ends.master), near: ends.slave, name: name.display().to_string() }
    }

    /// Sends `[length][to][netfn/LUN][checksum][from][seq/LUN][cmd][data][checksum]`.
    fn send(&mut self, to: u8, netfn: u8, from: u8, seq: u8, cmd: u8, data: &[u8]) {
        send(&mut self.far, to, netfn, from, seq, cmd, data);
    }

    /// Reads one message, without its length byte and its checksums.
    fn receive(&mut self) -> Vec<u8> {
        receive(&mut self.far)
    }
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte))
}

fn send(bus: &mut File, to: u8, netfn: u8, from: u8, seq: u8, cmd: u8, data: &[u8]) {
    let mut bytes = vec![0, to, netfn << 2];
    bytes.push(checksum(&bytes));
    bytes.extend_from_slice(&[from, seq << 2, cmd]);
    bytes.extend_from_slice(data);
    bytes.push(checksum(&bytes[4..]));
    bytes[0] = u8::try_from(bytes.len() - 1).expect("a short message");
    bus.write_all(&bytes).expect("the bus takes it");
}

fn receive(bus: &mut File) -> Vec<u8> {
    let mut length = [0];
    bus.read_exact(&mut length).expect("a message");
    let mut bytes = vec![0; length[0].into()];
    bus.read_exact(&mut bytes).expect("the whole message");
    assert_eq!((checksum(&bytes[..3]), checksum(&bytes[3..])), (0, 0), "{bytes:02x?}");
    bytes.pop();
    bytes.remove(2);
    bytes
}

fn start(bus: &Bus) -> (Bench, u16, Simulator) {
    let (bench, port) = (Bench::new(), free_port());
    bench.write("lan.conf", small_lan_conf(port, &format!("ipmb 2 ipmb_dev_int {}", bus.name)));
    bench.write("sim.emu", SMALL_EMU);
    let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    (bench, port, simulator)
}

#[test]
fn a_controller_on_the_bus_is_answered() {
    let mut bus = Bus::new();
    let (_bench, _, mut simulator) = start(&bus);
    bus.send(0x20, 0x06, 0x72, 5, 0x01, &[]);
    let answer = bus.receive();
    assert_eq!(answer[..5], [0x72, 0x1c, 0x20, 5 << 2, 0x01]);
    assert_eq!((answer[5], answer.len()), (0, 21), "Get Device ID: {answer:02x?}");
    // Without its checksum a message is left out, and the next one is answered.
    bus.far.write_all(&[7, 0x20, 0x18, 0xc8, 0x72, 0x14, 0x01, 0x00]).expect("the bus takes it");
    let told = eventually(TIMEOUT, || simulator.stderr.text().contains("a message is left out").then_some(()));
    assert!(told.is_some(), "{}", simulator.report());
    bus.send(0x20, 0x06, 0x72, 6, 0x01, &[]);
    assert_eq!(bus.receive()[3], 6 << 2);
    simulator.assert_alive();
}

#[test]
fn ipmitool_reaches_a_controller_on_the_bus() {
    let bus = Bus::new();
    let (_bench, port, simulator) = start(&bus);
    // A controller at 72h that knows Get Device ID only.
    let mut far = bus.far.try_clone().expect("a second handle");
    std::thread::spawn(move || {
        loop {
            let request = receive(&mut far);
            let [to, netfn, from, seq, cmd, ..] = request[..] else { panic!("{request:02x?}") };
            assert_eq!((to, from), (0x72, 0x20));
            let device = [0, 0x2a, 0x81, 3, 0x14, 2, 0x29, 0x91, 0x12, 0, 4, 15, 0, 0, 0, 0];
            let answer = if (netfn >> 2, cmd) == (6, 1) { &device[..] } else { &[0xc1] };
            send(&mut far, from, netfn >> 2 | 1, to, seq >> 2, cmd, answer);
        }
    });
    let ran = Ipmitool::new(port, "admin", "admin").with(&["-t", "0x72", "-b", "2"]).ok("mc info");
    assert_eq!((ran.value("Device ID").as_str(), ran.value("Firmware Revision").as_str()), ("42", "3.14"));
    drop(simulator);
    drop(bus.near);
}

#[test]
fn an_ipmb_device_that_is_not_there_ends_the_start_with_its_place() {
    let (bench, port) = (Bench::new(), free_port());
    let text = small_lan_conf(port, "ipmb 2 ipmb_dev_int /dev/ipmb-none");
    let line = 1 + text.lines().position(|line| line.contains("ipmb_dev_int")).expect("the line");
    bench.write("lan.conf", text);
    bench.write("sim.emu", SMALL_EMU);
    let arguments = ["-n", "-c", "lan.conf", "-f", "sim.emu", "-s", "state"];
    let mut simulator = Simulator::spawn(Subject::under_test(), &bench, &arguments, Stdin::Null);
    let status = simulator.wait(TIMEOUT);
    assert_eq!(status.and_then(|status| status.code()), Some(1), "{}", simulator.report());
    let place = format!("lan.conf:{line}:1: error: Unable to open ipmi device file: /dev/ipmb-none: No such file");
    assert!(simulator.stderr.text().contains(&place), "{}", simulator.report());
}
