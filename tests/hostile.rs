//! What ends the original, or lets strangers into it, neither ends ours nor lets anybody in.
//!
//! The numbers are those of `lan-protocol.md` chapter 15.

mod support;

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use support::bench::free_port;
use support::client::Transport;
use support::config::{Places, adapt, small_lan_conf};
use support::rmcp_client::RmcpClient;
use support::{Bench, Ipmitool, Simulator, Subject};

/// The QEMU host's configuration: two controllers, a system interface, serial over LAN.
fn full() -> (Bench, Simulator, Ipmitool) {
    let bench = Bench::new();
    bench.copy_tree("compat/qemu", ".");
    let port = free_port();
    let places = Places {
        lan: vec![port],
        serial: vec![free_port()],
        sol: Some(format!("tcp:127.0.0.1:{}", free_port())),
        ..Places::default()
    };
    bench.write("lan.conf", adapt(&bench.read("lan.conf"), &places));
    let files = ["-c", "lan.conf", "-f", "ipmisim1.emu", "-s", "state"];
    let simulator = Simulator::start(Subject::under_test(), &bench, port, &files);
    (bench, simulator, Ipmitool::new(port, "ipmiusr", "test"))
}

/// Requests of a legitimate user that crash the original.
#[test]
fn requests_that_end_the_original() {
    let (_bench, mut simulator, client) = full();
    for words in [
        // S19: a satellite without a system interface.
        "-t 0x30 chassis status",
        "-t 0x30 raw 6 0x30 0",
        "-t 0x30 raw 6 0x31",
        "-t 0x30 raw 6 0x33",
        // S20: payload support of a channel that is not there.
        "raw 6 0x4e 0x0e",
        "raw 6 0x4e 0x05",
        // S18c, S23: Send Message with little or odd inside.
        "raw 6 0x34 0x40",
        "raw 6 0x34 0x40 0x30 0x18",
        "raw 6 0x34 0x40 0x30 0x1c 0xb4 0x20 0 1 0xdf",
        "raw 6 0x34 0x41 0x40 0x81 0x18 0x67 0x20 0 1 0xdf",
        // Power of a system without anything behind it.
        "raw 0 2 14",
        "raw 0 2 15",
        "raw 0 2 2",
    ] {
        client.run(words);
        simulator.assert_alive();
    }
    client.ok("mc info");
}

/// A tower of requests within requests is answered or refused, and leaks nothing.
#[test]
fn requests_within_requests() {
    let (_bench, mut simulator, client) = full();
    let mut session = RmcpClient::open(client.port, "ipmiusr", "test", 4).expect("a session");
    for _ in 0..100 {
        let inner = [0x40, 0x30, 0x18, 0xb8, 0x20, 0x04, 0x01, 0xdb];
        let twice = [&[0x40, 0x20, 0x18, 0xc8, 0x20, 0x04, 0x34][..], &inner, &[0]].concat();
        session.request_within(6 << 2, 0x34, &twice, Duration::from_millis(20), 1);
    }
    simulator.assert_alive();
    client.ok("mc info");
}

/// Datagrams of strangers that crash the original or open it.
#[test]
fn datagrams_of_strangers() {
    let (_bench, mut simulator, client) = full();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.connect((Ipv4Addr::LOCALHOST, client.port)).expect("a destination");

    // S1, S2, S3: Activate Session with every authentication type in the header.
    for kind in 0..=255u8 {
        let mut activate = vec![6, 0, 0xff, 7, kind, 0, 0, 0, 0, 5, 0, 0, 0];
        if kind != 0 {
            activate.extend_from_slice(&[0; 16]);
        }
        activate.push(29);
        activate.extend_from_slice(&[0x20, 0x18, 0xc8, 0x81, 0, 0x3a, 4, 4]);
        activate.extend_from_slice(&[0; 20]);
        activate.push(0);
        socket.send(&activate).expect("sent");
    }
    // S7, S8, S12: packets of a session that is only half open.
    for suite in [(0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 0, 0), (2, 2, 0), (2, 3, 0), (2, 3, 1), (3, 4, 1)] {
        socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a time limit");
        let session = open(&socket, suite);
        // Silence is the right answer to the rest.
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a time limit");
        for flags in [0x00, 0x40, 0x80, 0xc0] {
            let get_device_id = [0x20, 0x18, 0xc8, 0x81, 4, 1, 0x7a];
            let mut packet = vec![6, 0, 0xff, 7, 6, flags];
            packet.extend_from_slice(&session.to_le_bytes());
            packet.extend_from_slice(&[1, 0, 0, 0]);
            packet.extend_from_slice(&[get_device_id.len() as u8, 0]);
            packet.extend_from_slice(&get_device_id);
            packet.extend_from_slice(&[0; 40]);
            socket.send(&packet).expect("sent");
            let mut answer = [0; 512];
            while let Ok(count) = socket.recv(&mut answer) {
                let in_session = count > 16 && answer[4] == 6 && answer[5] & 0x3f == 0;
                assert!(!in_session, "answered without a login: {:02x?}", &answer[..count]);
            }
        }
    }
    simulator.assert_alive();
    client.ok("mc info");
}

/// Open Session for the suite with these algorithms; 0 when it is refused.
fn open(socket: &UdpSocket, (authentication, integrity, confidentiality): (u8, u8, u8)) -> u32 {
    let mut packet = vec![6, 0, 0xff, 7, 6, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0];
    packet.extend_from_slice(&[0, 4, 0, 0, 0x44, 0x33, 0x22, 0x11]);
    for (kind, algorithm) in [(0, authentication), (1, integrity), (2, confidentiality)] {
        packet.extend_from_slice(&[kind, 0, 0, 8, algorithm, 0, 0, 0]);
    }
    socket.send(&packet).expect("sent");
    let mut answer = [0; 512];
    while let Ok(count) = socket.recv(&mut answer) {
        if count >= 28 && answer[5] == 0x11 && answer[17] == 0 {
            return u32::from_le_bytes(answer[24..28].try_into().expect("four bytes"));
        }
    }
    0
}

/// Thousands of datagrams of noise, some of them close to the real thing.
#[test]
fn noise() {
    let (_bench, mut simulator, client) = full();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.connect((Ipv4Addr::LOCALHOST, client.port)).expect("a destination");
    let mut random = StdRng::seed_from_u64(20_26);
    for _ in 0..5000 {
        let mut datagram = vec![0; random.random_range(0..300)];
        random.fill(&mut datagram[..]);
        let header = [6, 0, 0xff, 7, [0, 1, 2, 4, 6][random.random_range(0..5)], random.random_range(0..0x16)];
        let keep = random.random_range(0..=header.len()).min(datagram.len());
        datagram[..keep].copy_from_slice(&header[..keep]);
        let _ = socket.send(&datagram);
    }
    simulator.assert_alive();
    client.ok("mc info");
    client.by(Transport::Lanplus).ok("mc info");
}

/// S26: session requests that are never finished keep nobody out.
#[test]
fn half_open_sessions_keep_nobody_out() {
    let (_bench, mut simulator, client) = full();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.connect((Ipv4Addr::LOCALHOST, client.port)).expect("a destination");
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a time limit");
    for _ in 0..300 {
        open(&socket, (1, 1, 1));
    }
    client.ok("mc info");
    client.by(Transport::Lanplus).ok("mc info");
    client.by(Transport::Lan).ok("mc info");
    simulator.assert_alive();
}

/// More sessions at once than the original has room for.
#[test]
fn a_hundred_sessions() {
    let (_bench, mut simulator, client) = full();
    let mut sessions: Vec<_> = (0..100)
        .map(|number| {
            RmcpClient::open(client.port, "ipmiusr", "test", 4).unwrap_or_else(|why| panic!("session {number}: {why}"))
        })
        .collect();
    for session in &mut sessions {
        let answer = session.request(6 << 2, 1, &[]);
        assert!(matches!(&answer, support::rmcp_client::Reply::Answer(data) if data[0] == 0), "{answer:?}");
    }
    client.ok("mc info");
    simulator.assert_alive();
}

/// S9: without a `guid` line the original has no RMCP+ and falls over when asked.
#[test]
fn without_a_guid() {
    let bench = Bench::new();
    let port = free_port();
    let conf = small_lan_conf(port, "");
    let without: String = conf.lines().filter(|line| !line.contains("guid")).map(|line| format!("{line}\n")).collect();
    assert_ne!(conf, without);
    bench.write("lan.conf", without);
    bench.write("sim.emu", support::config::SMALL_EMU);
    let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    let client = Ipmitool::new(port, "admin", "admin");
    client.by(Transport::Lanplus).ok("mc info");
    let guid = client.ok("mc guid").value("System GUID");
    simulator.stop();
    // It is the same next time.
    let _simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    assert_eq!(client.ok("mc guid").value("System GUID"), guid);
}

/// S16: nobody gets more than the user's own limit.
#[test]
fn nobody_gets_more_than_the_limit() {
    let bench = Bench::new();
    let port = free_port();
    let more = "  user 3 true \"watcher\" \"watch\" user 10 none md2 md5 straight\n  user 4 true \"runner\" \"run\" operator 10 none md2 md5 straight";
    bench.write("lan.conf", small_lan_conf(port, more));
    bench.write("sim.emu", support::config::SMALL_EMU);
    let _simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    for way in [Transport::Suite(3), Transport::Suite(17), Transport::Lan] {
        let watcher = Ipmitool::new(port, "watcher", "watch").by(way);
        let runner = Ipmitool::new(port, "runner", "run").by(way);
        watcher.with(&["-L", "USER"]).ok("chassis status");
        watcher.with(&["-L", "USER"]).run("power on").assert_failed();
        // S18a: nor through Send Message.
        let bridged = "raw 6 0x34 0x40 0x20 0 0xe0 0x20 4 2 1 0xd9";
        watcher.with(&["-L", "USER"]).run(bridged);
        watcher.with(&["-L", "USER"]).ok("power status").assert_says("is off");
        watcher.with(&["-L", "ADMINISTRATOR"]).run("power on").assert_failed();
        runner.with(&["-L", "OPERATOR"]).ok("power on");
        runner.with(&["-L", "OPERATOR"]).ok("power off");
        runner.with(&["-L", "ADMINISTRATOR"]).run("user set name 9 thief").assert_failed();
        Ipmitool::new(port, "admin", "admin").ok("user list 1").assert_not_says("thief");
    }
}
