//! Requests for other controllers and for the host, by real clients: bridged once and twice,
//! addressed without Send Message, and to LUN 2.

mod support;

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::bench::free_port;
use support::client::CLIENT_LIMIT;
use support::config::{SMALL_EMU, small_lan_conf};
use support::rmcp_client::{Response, RmcpClient};
use support::vm_host::VmHost;
use support::{Bench, Freeipmi, Ipmitool, Ran, Simulator, Subject, Transport};

/// A BMC with device id 0, controllers at 30h (7) and 40h (8), and a host.
struct Shelf {
    _simulator: Simulator,
    _bench: Bench,
    port: u16,
    vm: u16,
}

const OTHERS: &str = "mc_add 0x30 7 no-device-sdrs 0x01 2 8 0x9f 0x1291 0xf03
mc_enable 0x30
mc_add 0x40 8 no-device-sdrs 0x01 3 8 0x9f 0x1291 0xf04
mc_enable 0x40
";

fn shelf() -> Shelf {
    let bench = Bench::new();
    let (port, vm) = (free_port(), free_port());
    let more = format!("  serial kcs 127.0.0.1 {vm} codec VM\n  user 3 true \"user\" \"user\" user 10\n");
    bench.write("lan.conf", small_lan_conf(port, &more));
    bench.write("sim.emu", format!("{SMALL_EMU}{OTHERS}"));
    let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    Shelf { _simulator: simulator, _bench: bench, port, vm }
}

const WAYS: [Transport; 4] = [Transport::Lan, Transport::LanAuth("NONE"), Transport::Lanplus, Transport::Suite(17)];

impl Shelf {
    fn client(&self, way: Transport) -> Ipmitool {
        Ipmitool::new(self.port, "admin", "admin").by(way)
    }
}

#[test]
fn other_controllers_are_reached_over_the_ipmb() {
    let shelf = shelf();
    for way in WAYS {
        let client = shelf.client(way);
        for target in [&["-t", "0x30"][..], &["-t", "0x30", "-b", "0"]] {
            let client = client.with(target);
            client.ok("mc info").assert_says("Device ID : 7").assert_says("Firmware Revision : 2.08");
            client.ok("raw 6 1").assert_says("07 01 02 08");
            // What kills the original (S19).
            client.ok("chassis status").assert_says("System Power : off");
            client.ok("sel info");
        }
        client.with(&["-t", "0x20"]).ok("mc info").assert_says("Device ID : 0");
        client.with(&["-t", "0x44"]).run("mc info").assert_failed().assert_says("Get Device ID command failed");
    }
    for driver in ["LAN", "LAN_2_0"] {
        let tools = Freeipmi::new(shelf.port, "admin", "admin", driver);
        let to = "--target-channel-number=0 --target-slave-address=0x30 0 6 1";
        tools.ok("ipmi-raw", to).assert_says("rcvd: 01 00 07 01 02 08");
    }
    let port = shelf.port.to_string();
    let mut command = Command::new("openipmicmd");
    command.args(["-k", "00 30 00 06 01", "lan", "-U", "admin", "-P", "admin", "-p", &port, "127.0.0.1"]);
    Ran::run(&mut command, "openipmi", CLIENT_LIMIT).assert_ok().assert_says("00 07 00 01 00 07 01 02 08");
}

/// Over a transit controller, which may be the BMC itself. The original loses the response unless
/// it is.
#[test]
fn bridged_twice() {
    let shelf = shelf();
    for way in WAYS {
        for transit in ["0x20", "0x30"] {
            let client = shelf.client(way).with(&["-T", transit, "-B", "0", "-t", "0x40", "-b", "0"]);
            let started = Instant::now();
            client.ok("mc info").assert_says("Device ID : 8").assert_says("Firmware Revision : 3.08");
            assert!(started.elapsed() < Duration::from_secs(1), "{way:?}: nothing is sent twice");
        }
    }
}

/// A message addressed to another controller without Send Message is for the BMC, which
/// answers in the name it was called.
#[test]
fn addressed_without_send_message() {
    let shelf = shelf();
    for way in WAYS {
        // ipmitool leaves Send Message out when it believes to be the target.
        let client = shelf.client(way).with(&["-m", "0x30", "-t", "0x30"]);
        client.ok("mc info").assert_says("Device ID : 0");
    }
}

#[test]
fn bridging_needs_the_privilege_of_the_request_it_carries() {
    let shelf = shelf();
    let user = Ipmitool::new(shelf.port, "user", "user").with(&["-L", "USER", "-t", "0x30"]);
    user.ok("raw 6 1").assert_says("07 01 02 08");
    // Set User Access is for administrators.
    user.run("raw 6 0x43 0x91 3 4").assert_failed().assert_says("rsp=0xd4");
}

/// A request to LUN 2 is the host's; its response comes back to the client.
#[test]
fn lun_2_is_the_host() {
    let shelf = shelf();
    let mut host = VmHost::connect(shelf.vm);
    let end = AtomicBool::new(false);
    thread::scope(|scope| {
        let served = scope.spawn(|| {
            let mut served = 0;
            while !end.load(Ordering::Relaxed) {
                let got = host.request(6, 0x33, &[]);
                // Channel, handle, then rsSA, netFn, checksum, rqSA, rqSeq, command, data ...
                let &[0, channel, handle, _to, netfn, _, from, seq, command, ..] = got.as_slice() else {
                    thread::sleep(Duration::from_millis(5));
                    continue;
                };
                let mut answer = vec![from, (netfn >> 2 | 1) << 2];
                answer.push(answer.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte)));
                answer.extend_from_slice(&[0x20, seq | 2, command, 0, 0xca, 0xfe]);
                let sum = answer[3..].iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
                answer.push(sum);
                let data = [&[channel, handle], answer.as_slice()].concat();
                assert_eq!(host.request(6, 0x34, &data), [0]);
                served += 1;
            }
            served
        });
        for way in WAYS {
            let answer = shelf.client(way).with(&["-l", "2"]).ok("raw 0x2e 0x77 1 2 3");
            answer.assert_says("ca fe");
        }
        end.store(true, Ordering::Relaxed);
        assert_eq!(served.join().expect("the host"), WAYS.len(), "each once");
    });
    // Without a host's response there is none, and the BMC goes on.
    shelf.client(Transport::Suite(3)).with(&["-l", "2", "-N", "1", "-R", "1"]).run("raw 6 1").assert_failed();
    let mut client = RmcpClient::open(shelf.port, "admin", "admin", 4).expect("a session");
    assert!(matches!(client.request(6 << 2, 1, &[]), Response::Answer(_)));
}
