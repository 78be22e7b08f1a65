//! Sessions of the running program: how many there may be, who may end whose, and what is
//! told about them.

// Here because both have a test that waits for a minute.
#[path = "sessions/secrets.rs"]
mod secrets;
mod support;

use std::thread;
use std::time::{Duration, Instant};

use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::rmcp_client::{Response, RmcpClient};
use support::{Bench, Ipmitool, Simulator, Subject, Transport};

const APP: u8 = 6 << 2;

fn start() -> (Bench, Simulator, u16) {
    let bench = Bench::new();
    let port = free_port();
    let more = "  user 3 true \"other\" \"pw\" operator 10\n  sol \"tcp:127.0.0.1:1\" 9600\n";
    bench.write("lan.conf", small_lan_conf(port, more));
    bench.write("sim.emu", SMALL_EMU);
    let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    (bench, simulator, port)
}

fn open(port: u16) -> Result<RmcpClient, String> {
    RmcpClient::open(port, "admin", "admin", 4)
}

#[track_caller]
fn ask(client: &mut RmcpClient, command: u8, data: &[u8]) -> Vec<u8> {
    match client.request(APP, command, data) {
        Response::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// The original has 63.
#[test]
fn five_hundred_and_twelve_sessions_live_at_once() {
    let (_bench, _simulator, port) = start();
    let started = Instant::now();
    // 16 machines' worth of clients log in at the same time.
    let mut clients: Vec<RmcpClient> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..16).map(|_| scope.spawn(|| (0..32).map(|_| open(port)).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("logins")).map(|it| it.expect("a session")).collect()
    });
    assert_eq!(clients.len(), 512);
    for round in 0..2 {
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(ask(client, 1, &[])[0], 0, "round {round}, client {number}");
        }
    }
    println!("512 logins and 1024 commands: {:?}", started.elapsed());
    // All are in use, so this user gets no more from this address, and is told so; others do, and as soon as one leaves
    // there is room.
    assert!(open(port).is_err_and(|why| why.contains("status Some(01)")));
    let first = ask(&mut clients[0], 0x3d, &[0]);
    assert_eq!((first[0], first[2], first[3]), (0, 63, 63), "63 of 63: the field has six bits");
    drop(clients.pop());
    open(port).expect("room for another");
    let other = RmcpClient::open_from(std::net::Ipv4Addr::new(127, 0, 0, 2), port, "other", "pw", 3);
    assert_eq!(ask(&mut other.expect("a session of somebody else"), 1, &[])[0], 0);
}

#[test]
fn a_user_has_no_more_sessions_than_an_administrator_allows() {
    let (bench, simulator, port) = start();
    let admin = Ipmitool::new(port, "admin", "admin");
    let limited = |port| RmcpClient::open(port, "other", "pw", 3);
    // The column of lan.conf is no limit: many tools open more.
    let many: Vec<_> = (0..12).map(|_| limited(port).expect("a session")).collect();
    drop(many);
    // Set User Access: user 3, operator, two sessions.
    admin.ok("raw 6 0x43 0x91 3 3 2");
    let (one, _two) = (limited(port).expect("one"), limited(port).expect("two"));
    assert!(limited(port).is_err_and(|why| why.contains("status Some(01)")));
    let other = Ipmitool::new(port, "other", "pw").with(&["-L", "OPERATOR", "-N", "1", "-R", "1"]);
    for way in [Transport::Lan, Transport::Suite(17)] {
        other.by(way).run("mc info").assert_failed();
    }
    drop(one);
    other.by(Transport::Lan).ok("mc info");
    simulator.stop();

    // It is kept, and the original does not stumble over it.
    let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    let kept = (limited(port).expect("one"), limited(port).expect("two"));
    assert!(limited(port).is_err());
    drop(kept);
    simulator.stop();
    let _simulator = Simulator::start_default(Subject::Original, &bench, port);
    other.by(Transport::Suite(3)).ok("mc info");
}

#[test]
fn an_administrator_ends_sessions_of_others() {
    let (_bench, _simulator, port) = start();
    let mut admin = open(port).expect("a session");
    let mut other = RmcpClient::open(port, "other", "pw", 3).expect("a session");
    let mut third = RmcpClient::open(port, "other", "pw", 3).expect("a session");
    let own = |client: &mut RmcpClient| ask(client, 0x3d, &[0]);
    let (handle, third_handle) = (own(&mut other)[1], own(&mut third)[1]);
    assert_eq!(own(&mut other)[3..], [3, 3, 3, 0x11], "3 sessions, user 3, operator, channel 1 by RMCP+");
    // An operator may not, an administrator may: by handle, and by id.
    assert_eq!(ask(&mut other, 0x3c, &[0, 0, 0, 0, third_handle]), [0xd4]);
    assert_eq!(ask(&mut admin, 0x3c, &[0, 0, 0, 0, handle]), [0]);
    assert_eq!(other.request_within(APP, 1, &[], Duration::from_millis(200), 1), Response::Silence);
    let id = third.session().to_le_bytes();
    assert_eq!(ask(&mut admin, 0x3d, &[&[0xff][..], &id].concat())[1], third_handle);
    assert_eq!(ask(&mut admin, 0x3c, &id), [0]);
    assert_eq!(ask(&mut admin, 0x3c, &id), [0x87]);
    assert_eq!(third.request_within(APP, 1, &[], Duration::from_millis(200), 1), Response::Silence);
    // Get Session Info by every selector, for one that is there and one that is not.
    let mine = own(&mut admin);
    for selector in [vec![1], vec![0xfe, mine[1]], [&[0xff][..], &admin.session().to_le_bytes()].concat()] {
        assert_eq!(ask(&mut admin, 0x3d, &selector), mine, "{selector:02x?}");
    }
    for selector in [vec![2], vec![0xfe, 9], [&[0xff][..], &id].concat()] {
        assert_eq!(ask(&mut admin, 0x3d, &selector), [0, 0, 63, 1], "{selector:02x?}");
    }
}

/// A session ends with what its user's login stood on, after the response to whoever changed it.
#[test]
fn sessions_end_when_their_user_is_disabled_or_changed() {
    let (_bench, _simulator, port) = start();
    let changes: [(&str, &str); 5] = [
        ("user disable 3", "user enable 3"),
        ("user set password 3 new", "user set password 3 pw"),
        ("user set name 3 renamed", "user set name 3 other"),
        ("user priv 3 2 1", "user priv 3 3 1"),
        ("raw 6 0x47 3 0", "raw 6 0x47 3 1"),
    ];
    let admin = Ipmitool::new(port, "admin", "admin");
    for (change, back) in changes {
        let mut client = RmcpClient::open(port, "other", "pw", 3).expect("a session");
        assert_eq!(ask(&mut client, 1, &[])[0], 0);
        admin.ok(change);
        assert_eq!(client.request_within(APP, 1, &[], Duration::from_millis(200), 1), Response::Silence, "{change}");
        admin.ok(back);
    }
}

#[test]
fn channels_and_payloads_are_told() {
    let (_bench, _simulator, port) = start();
    let mut client = open(port).expect("a session");
    assert_eq!(ask(&mut client, 0x42, &[0x0e]), [0, 1, 4, 1, 0x81, 0xf2, 0x1b, 0, 0, 0]);
    assert_eq!(ask(&mut client, 0x41, &[0x0e, 0x80]), [0, 2, 4]);
    assert_eq!(ask(&mut client, 0x4a, &[1])[..3], [0, 1, 0], "no console is open");
    assert_eq!(ask(&mut client, 0x4b, &[1, 1])[..5], [0, 0, 0, 0, 0]);
    assert_eq!(ask(&mut client, 0x48, &[1, 1, 0xc0, 0, 0, 0])[0], 0);
    assert_eq!(ask(&mut client, 0x4a, &[1])[..3], [0, 1, 1], "one is");
    let id = client.session().to_le_bytes();
    assert_eq!(ask(&mut client, 0x4b, &[1, 1])[1..5], id);
    // It ends with the session that holds it.
    let mut other = open(port).expect("a session");
    drop(client);
    assert_eq!(ask(&mut other, 0x4a, &[1])[..3], [0, 1, 0]);
    assert_eq!(ask(&mut other, 0x42, &[1])[4], 0x81, "one session again");
}

/// A minute without a packet ends a session; 45 seconds do not.
#[test]
fn an_idle_session_ends_after_a_minute() {
    let (_bench, simulator, port) = start();
    let mut idle = open(port).expect("a session");
    let mut busy = open(port).expect("a session");
    let mut rare = open(port).expect("a session");
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(61) {
        thread::sleep(Duration::from_secs(5));
        assert_eq!(ask(&mut busy, 1, &[])[0], 0, "{}", simulator.report());
        if (45..50).contains(&started.elapsed().as_secs()) {
            assert_eq!(ask(&mut rare, 1, &[])[0], 0, "{}", simulator.report());
        }
    }
    assert_eq!(ask(&mut busy, 0x3d, &[0])[3], 2, "one is gone");
    assert_eq!(idle.request_within(APP, 1, &[], Duration::from_millis(200), 1), Response::Silence);
}
