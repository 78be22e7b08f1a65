//! Where a LAN channel can be reached: IPv4, IPv6, both, by name, several channels; and what
//! is said when it cannot.

mod support;

use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::task::Poll;
use std::time::Duration;

use ipmi_sim::config::Span;
use ipmi_sim::host::SystemId;
use ipmi_sim::ipmi::{ChannelNumber, McAddress, Moment};
use ipmi_sim::runtime::lan::PortId;
use ipmi_sim::runtime::lan_ports::{LanPorts, Notice, Sharing};
use ipmi_sim::settings::model::{Address, Port};
use ipmi_sim::sim::LanId;
use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::machine::{self, Need};
use support::process::eventually;
use support::sol::{Console, Machine};
use support::{Bench, Ipmitool, Simulator, Stdin, Subject, namespace};

const TIMEOUT: Duration = Duration::from_secs(10);
const FILES: [&str; 7] = ["-n", "-c", "lan.conf", "-f", "sim.emu", "-s", "state"];

/// The small configuration on another host.
fn on(host: &str, port: u16, more: &str) -> Bench {
    let bench = Bench::new();
    bench.write("lan.conf", small_lan_conf(port, more).replacen("127.0.0.1", host, 1));
    bench.write("sim.emu", SMALL_EMU);
    bench
}

fn start(bench: &Bench) -> Simulator {
    Simulator::spawn(Subject::under_test(), bench, &FILES, Stdin::Null)
}

fn client(host: &str, port: u16) -> Ipmitool {
    Ipmitool { host: host.to_owned(), ..Ipmitool::new(port, "admin", "admin") }
}

/// Waits until something listens there, then logs in.
#[track_caller]
fn serves(simulator: &mut Simulator, host: &str, port: u16) {
    let answers = eventually(TIMEOUT, || {
        simulator.assert_alive();
        let to = SocketAddr::new(host.parse().expect("an address"), port);
        answers_ping(to).then_some(())
    });
    assert!(answers.is_some(), "{host} port {port} is silent\n{}", simulator.report());
    client(host, port).ok("mc info").assert_says("Device ID : 0");
}

fn answers_ping(to: SocketAddr) -> bool {
    const PING: [u8; 12] = [6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x80, 0x5a, 0, 0];
    let any = if to.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let Ok(socket) = UdpSocket::bind(any) else { return false };
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a time limit");
    let mut pong = [0; 64];
    socket.connect(to).is_ok() && socket.send(&PING).is_ok() && socket.recv(&mut pong).is_ok_and(|count| count == 28)
}

#[test]
fn both_families_on_one_socket() {
    if !machine::has("both_families_on_one_socket", Need::Ipv6) {
        return;
    }
    let port = free_port();
    let bench = on("::", port, "");
    let mut simulator = start(&bench);
    serves(&mut simulator, "127.0.0.1", port);
    serves(&mut simulator, "::1", port);
    // A session of each, at the same time, and each is answered where it asks from.
    client("::1", port).ok("session info active").assert_says("active sessions : 1");
}

/// A machine with several addresses answers from the one that was asked, console output that nobody
/// asked for as well: ipmitool takes nothing from another.
#[test]
fn a_session_stays_at_the_address_it_was_opened_at() {
    for host in ["0.0.0.0", "::"] {
        let (port, machine) = (free_port(), Machine::new());
        let bench = on(host, port, &format!("  sol \"tcp:127.0.0.1:{}\" 115200\n", machine.port));
        let mut simulator = start(&bench);
        for (address, other) in [("127.0.0.2", "127.0.0.3"), ("127.0.0.3", "127.0.0.2")] {
            serves(&mut simulator, address, port);
            client(other, port).ok("sel info");
        }
        let console = Console::open(&client("127.0.0.3", port));
        let (mut serial, _) = machine.connected();
        client("127.0.0.2", port).ok("mc info");
        for number in 0..3 {
            serial.write_all(format!("unasked {number}\r\n").as_bytes()).expect("the simulator");
            console.sees(&format!("unasked {number}"));
            client("127.0.0.2", port).ok("mc info");
        }
        console.close();
    }
}

/// A prefix that is routed to this machine (`ip route add local PREFIX dev lo`) without being on an interface.
#[test]
fn ports_that_share_a_socket_have_addresses_that_are_only_routed_here() {
    namespace::alone("ports_that_share_a_socket_have_addresses_that_are_only_routed_here", || {
        let mut prefixes = vec![("198.51.100.0/24", ["198.51.100.7", "198.51.100.9"])];
        if machine::has("ports_that_share_a_socket_have_addresses_that_are_only_routed_here", Need::Ipv6) {
            prefixes.push(("2001:db8:1::/64", ["2001:db8:1::7", "2001:db8:1::ffff:9"]));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut ports = LanPorts::new(None, Sharing::SamePort);
            for ((prefix, addresses), family) in prefixes.iter().zip(0..) {
                namespace::run("ip", &["route", "add", "local", prefix, "dev", "lo"], "iproute2");
                for (address, number) in addresses.iter().zip(0..) {
                    let system = SystemId { index: 2 * family + number, generation: 0 };
                    let id = PortId { system, lan: LanId { mc: McAddress::BMC, channel: ChannelNumber::LAN } };
                    let to = SocketAddr::new(address.parse().expect("an address"), 623);
                    let (host, port) = (address.to_string(), Port::Number(623));
                    let opened = ports.open(id, &Address { host, port, span: Span::default(), other_family: None });
                    assert!(opened.contains(&Notice::Opened(to)), "{opened:?}");
                }
                for (address, number) in addresses.iter().zip(0..) {
                    let to = SocketAddr::new(address.parse().expect("an address"), 623);
                    let client = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).expect("a socket");
                    client.connect(to).expect("a route");
                    client.send(b"question").expect("a route");
                    let ready = std::future::poll_fn(|cx| ports.poll(cx).map_or(Poll::Pending, Poll::Ready)).await;
                    let mut batch = ports.receive(ready, Moment::default());
                    let (id, from, _) = batch.datagrams().next().expect("a datagram");
                    assert_eq!((id.system.index, from.local), (2 * family + number, to));
                    ports.send(id, from, (0, 6), b"answer");
                    ports.flush(b"answer");
                    client.set_read_timeout(Some(TIMEOUT)).expect("a time limit");
                    assert_eq!(client.recv(&mut [0; 8]).expect("an answer from there"), 6);
                    ports.give_back(batch);
                }
            }
        });
    });
}

/// The original serves the first address of a name only, so that it depends on the resolver who
/// can reach it.
#[test]
fn a_name_for_both_families_serves_both() {
    namespace::alone("a_name_for_both_families_serves_both", || {
        if !machine::has("a_name_for_both_families_serves_both", Need::Ipv6) {
            return;
        }
        // With nothing but ::1 ipmitool believes that there is no IPv6.
        namespace::run("ip", &["address", "add", "2001:db8::1/128", "dev", "lo"], "iproute2");
        for (number, hosts) in
            ["127.0.0.1 localhost\n", "::1 localhost\n", "127.0.0.1 localhost\n::1 localhost\n"].iter().enumerate()
        {
            let port = free_port();
            let bench = on("localhost", port, "");
            namespace::set_hosts(hosts);
            let mut simulator = start(&bench);
            if *hosts != "::1 localhost\n" {
                serves(&mut simulator, "127.0.0.1", port);
            }
            if number > 0 {
                serves(&mut simulator, "::1", port);
            }
            client("localhost", port).ok("mc info");
            assert_eq!(simulator.stdout.text().matches("Opened UDP port").count(), 1, "{}", simulator.report());
            // A port of the system's choice is the same for both.
            simulator.stop();
            let bench = on("localhost", 0, "");
            let mut simulator = start(&bench);
            assert!(simulator.stdout.wait_for("Opened UDP port", TIMEOUT), "{}", simulator.report());
            let port = simulator.stdout.text().lines().find_map(|line| {
                let port = line.trim().strip_prefix("Opened UDP port ")?;
                port.parse().ok()
            });
            let port = port.expect("the port");
            if number == 2 {
                serves(&mut simulator, "127.0.0.1", port);
                serves(&mut simulator, "::1", port);
            }
        }
    });
}

/// A machine without IPv6 starts, and serves what there is.
#[test]
fn absence_of_ipv6_does_not_stop_the_start() {
    namespace::alone("absence_of_ipv6_does_not_stop_the_start", || {
        namespace::set_ipv6(false);
        for host in ["::", "localhost", "127.0.0.1"] {
            let port = free_port();
            let bench = on(host, port, "");
            namespace::set_hosts("::1 localhost\n127.0.0.1 localhost\n");
            let mut simulator = start(&bench);
            serves(&mut simulator, "127.0.0.1", port);
        }
        // An address that cannot be had is named, and the other channel is served.
        let (port, other) = (free_port(), free_port());
        let second = format!("  startlan 2\n    addr ::1 {other}\n    allowed_auths_admin md5\n  endlan\n");
        let bench = on("127.0.0.1", port, &second);
        let mut simulator = start(&bench);
        serves(&mut simulator, "127.0.0.1", port);
        let told = format!("::1 port {other}; there is no IPv6, so LAN channel 2 of MC 0x20 is not served");
        assert!(simulator.stderr.wait_for(&told, TIMEOUT), "{}", simulator.report());
    });
}

#[test]
fn several_channels() {
    if !machine::has("several_channels", Need::Ipv6) {
        return;
    }
    let ports: Vec<u16> = (0..4).map(|_| free_port()).collect();
    let block = |channel: u8, host: &str, port: u16, guid: u8| {
        format!(
            "  startlan {channel}\n    addr {host} {port}\n    allowed_auths_admin md5\n    \
             guid {guid:02x}000000000000000000000000000000\n  endlan\n"
        )
    };
    let more = [
        block(2, "::1", ports[1], 0x22),
        block(7, "127.0.0.2", ports[2], 0x77),
        "set_working_mc 0x30\n".to_owned(),
        block(1, "127.0.0.1", ports[3], 0x33),
        "  user 3 true \"satellite\" \"moon\" admin 10 md5\nset_working_mc 0x20\n".to_owned(),
    ];
    let bench = on("127.0.0.1", ports[0], &more.concat());
    bench.write("sim.emu", format!("{SMALL_EMU}mc_add 0x30 3 no-device-sdrs 1 1 1 0x9f 1 1\nmc_enable 0x30\n"));
    let mut simulator = start(&bench);
    for (host, port, channel) in [("127.0.0.1", ports[0], 1), ("::1", ports[1], 2), ("127.0.0.2", ports[2], 7)] {
        serves(&mut simulator, host, port);
        client(host, port).ok("channel info").assert_says(&format!("Channel {channel:#x} info:"));
    }
    // Each has its own GUID, and tells of the others.
    client("::1", ports[1]).ok("mc guid").assert_says("22");
    let suites = client("127.0.0.1", ports[0]).ok("channel getciphers ipmi 7");
    suites.assert_says("17 N/A hmac_sha256 sha256_128 aes_cbc_128");
    client("127.0.0.1", ports[0]).ok("channel info 7").assert_says("Channel Medium Type : 802.3 LAN");
    // The satellite's channel leads to the satellite and its users.
    let satellite = Ipmitool::new(ports[3], "satellite", "moon");
    satellite.ok("mc info").assert_says("Device ID : 3");
    client("127.0.0.1", ports[3]).run("mc info").assert_failed();
}

#[test]
fn a_port_in_use_is_named_in_either_family() {
    if !machine::has("a_port_in_use_is_named_in_either_family", Need::Ipv6) {
        return;
    }
    for (host, taken) in [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "::1")] {
        // A port that is free for IPv4 need not be for IPv6.
        let address = taken.parse().expect("an address");
        let socket = (0..10).find_map(|_| UdpSocket::bind(SocketAddr::new(address, free_port())).ok());
        let socket = socket.expect("a port");
        let port = socket.local_addr().expect("its port").port();
        let bench = on(host, port, "");
        let mut simulator = start(&bench);
        let status = simulator.wait(TIMEOUT).unwrap_or_else(|| panic!("it goes on\n{}", simulator.report()));
        assert_eq!(status.code(), Some(1));
        let told = format!("Unable to bind to LAN port: Address already in use: {host} port {port}");
        assert!(simulator.stderr.text().contains(&told), "{}", simulator.report());
    }
}
