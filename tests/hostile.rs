//! Garbage, floods and forgeries at every port of the running program. After each kind of
//! attack it is still there, lets a user in, and has not grown.
//!
//! Attackers come from 127.0.0.3, users from 127.0.0.1 and 127.0.0.2. Everything random
//! comes from a fixed seed.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use support::bench::{free_port, project};
use support::config::{SMALL_EMU, small_lan_conf};
use support::process::{self, eventually};
use support::rmcp_client::{Response, RmcpClient};
use support::simulator::presence_ping;
use support::vm_host::VmHost;
use support::{Bench, Simulator, Subject};

const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const USER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// What a run may grow by: buffers that are made once, and the allocator's slack.
const GROWTH: u64 = 12 << 10;

/// The program under attack, with a LAN channel, a virtual machine's port and a console.
struct Victim {
    simulator: Simulator,
    port: u16,
    vm: u16,
    console: u16,
    descriptors: usize,
    kilobytes: u64,
    _bench: Bench,
}

impl Victim {
    fn new() -> Self {
        let bench = Bench::new();
        let (port, vm, console) = (free_port(), free_port(), free_port());
        let more = format!(
            "  serial 15 127.0.0.1 {vm} codec VM\n  console 127.0.0.1 {console}\n  sol \"tcp:127.0.0.1:1\" 9600 history=4000\n"
        );
        bench.write("lan.conf", small_lan_conf(port, &more));
        bench.write("sim.emu", SMALL_EMU);
        let simulator = Simulator::start_default(Subject::Ours, &bench, port);
        let mut victim = Self { simulator, port, vm, console, descriptors: 0, kilobytes: 0, _bench: bench };
        // Everything that is made at first use has been made.
        victim.serves();
        drop(VmHost::connect_as_qemu(vm));
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, console)).expect("the console"));
        victim.serves();
        thread::sleep(Duration::from_millis(50));
        victim.descriptors = victim.count_descriptors();
        victim.kilobytes = victim.resident();
        victim
    }

    fn count_descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.simulator.pid())).expect("its descriptors").count()
    }

    fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.simulator.pid())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    #[track_caller]
    fn serves(&mut self) {
        self.simulator.assert_alive();
        let mut client = RmcpClient::open(self.port, "admin", "admin", 4).expect("a user can log in");
        match client.request(6 << 2, 1, &[]) {
            Response::Answer(answer) if answer.first() == Some(&0) => {}
            other => panic!("Get Device ID: {other:02x?}"),
        }
    }

    /// Asserts that an attack has left no trace.
    #[track_caller]
    fn is_well_after(&mut self, attack: &str) {
        // Whatever was sent before the ping has been looked at when the pong comes.
        let calm =
            eventually(Duration::from_secs(5), || presence_ping(self.port, Duration::from_millis(500)).then_some(()));
        assert!(calm.is_some(), "no pong after {attack}");
        self.serves();
        let descriptors = eventually(Duration::from_secs(5), || {
            Some(self.count_descriptors()).filter(|count| *count <= self.descriptors)
        });
        assert!(
            descriptors.is_some(),
            "{} descriptors before, {} after {attack}",
            self.descriptors,
            self.count_descriptors()
        );
        let grown = self.resident().saturating_sub(self.kilobytes);
        assert!(grown < GROWTH, "{grown} kB more after {attack}");
    }

    fn attacker(&self) -> UdpSocket {
        let socket = UdpSocket::bind((ATTACKER, 0)).expect("a socket");
        socket.connect((Ipv4Addr::LOCALHOST, self.port)).expect("the BMC");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a time limit");
        socket
    }
}

fn dice() -> StdRng {
    StdRng::seed_from_u64(0x1b1c_0ffe_e000)
}

fn random_bytes(dice: &mut StdRng, most: usize) -> Vec<u8> {
    let mut bytes = vec![0; dice.random_range(0..=most)];
    dice.fill_bytes(&mut bytes);
    bytes
}

fn message(netfn: u8, command: u8, data: &[u8]) -> Vec<u8> {
    let sum = |bytes: &[u8]| bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
    let mut message = vec![0x20, netfn << 2];
    message.push(sum(&message));
    message.extend_from_slice(&[0x81, 4, command]);
    message.extend_from_slice(data);
    message.push(sum(&message[3..]));
    message
}

/// A datagram in RMCP+ format outside a session.
fn plus(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut datagram = vec![6, 0, 0xff, 7, 6, kind, 0, 0, 0, 0, 0, 0, 0, 0];
    datagram.extend_from_slice(&(payload.len() as u16).to_le_bytes());
    datagram.extend_from_slice(payload);
    datagram
}

/// A datagram in IPMI 1.5 format.
fn old(auth_type: u8, session: u32, message: &[u8]) -> Vec<u8> {
    let mut datagram = vec![6, 0, 0xff, 7, auth_type, 0, 0, 0, 0];
    datagram.extend_from_slice(&session.to_le_bytes());
    if auth_type != 0 {
        datagram.extend_from_slice(&[0x55; 16]);
    }
    datagram.push(message.len() as u8);
    datagram.extend_from_slice(message);
    datagram
}

fn open_request(console: u32, privilege: u8, algorithms: [u8; 3]) -> Vec<u8> {
    let mut payload = vec![1, privilege, 0, 0];
    payload.extend_from_slice(&console.to_le_bytes());
    for (kind, algorithm) in (0..).zip(algorithms) {
        payload.extend_from_slice(&[kind, 0, 0, 8, algorithm, 0, 0, 0]);
    }
    plus(0x10, &payload)
}

fn rakp1(session: u32, role: u8, name: &[u8]) -> Vec<u8> {
    let mut payload = vec![2, 0, 0, 0];
    payload.extend_from_slice(&session.to_le_bytes());
    payload.extend_from_slice(&[0x5a; 16]);
    payload.extend_from_slice(&[role, 0, 0, name.len() as u8]);
    payload.extend_from_slice(name);
    plus(0x12, &payload)
}

fn rakp3(session: u32, status: u8, code: &[u8]) -> Vec<u8> {
    let mut payload = vec![3, status, 0, 0];
    payload.extend_from_slice(&session.to_le_bytes());
    payload.extend_from_slice(code);
    plus(0x14, &payload)
}

/// One of each kind that is listened to without a session.
fn templates() -> Vec<Vec<u8>> {
    let mut challenge = vec![2];
    challenge.extend_from_slice(b"admin\0\0\0\0\0\0\0\0\0\0\0");
    let activation: Vec<u8> = [2, 4].into_iter().chain([0x77; 16]).chain([1, 0, 0, 0]).collect();
    let mut templates = vec![
        vec![6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x80, 1, 0, 0],
        open_request(0x1234, 4, [1, 1, 1]),
        rakp1(0x1234_5678, 0x14, b"admin"),
        rakp3(0x1234_5678, 0, &[0x11; 20]),
        plus(0, &message(6, 0x38, &[0x8e, 4])),
    ];
    for auth_type in [0, 1, 2, 4, 6] {
        templates.push(old(auth_type, 0, &message(6, 0x38, &[0x8e, 4])));
        templates.push(old(auth_type, 0, &message(6, 0x39, &challenge)));
        templates.push(old(auth_type, 0x4141_4141, &message(6, 0x3a, &activation)));
        templates.push(old(auth_type, 0x4141_4142, &message(6, 1, &[])));
    }
    templates
}

/// Sends what must be dropped or refused in bursts that the receive buffer holds.
fn flood<'a>(victim: &Victim, socket: &UdpSocket, datagrams: impl IntoIterator<Item = &'a [u8]>) {
    for (number, datagram) in datagrams.into_iter().enumerate() {
        let _ = socket.send(datagram);
        if number % 256 == 255 {
            presence_ping(victim.port, Duration::from_millis(500));
        }
    }
}

/// Everything that comes to a socket until it is quiet.
fn answers(socket: &UdpSocket) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut datagram = [0; 2048];
    while let Ok(count) = socket.recv(&mut datagram) {
        all.push(datagram[..count].to_vec());
    }
    all
}

#[test]
fn datagrams_outside_sessions() {
    let mut victim = Victim::new();
    let mut dice = dice();
    let socket = victim.attacker();
    let templates = templates();

    let truncated: Vec<&[u8]> = templates.iter().flat_map(|whole| (0..whole.len()).map(|end| &whole[..end])).collect();
    flood(&victim, &socket, truncated);
    victim.is_well_after("truncated datagrams");

    let mut changed = Vec::new();
    for whole in &templates {
        for place in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff, whole[place] ^ 1, whole[place].wrapping_add(1), dice.random()] {
                let mut other = whole.clone();
                other[place] = value;
                changed.push(other);
            }
        }
    }
    flood(&victim, &socket, changed.iter().map(Vec::as_slice));
    victim.is_well_after("changed bytes");

    for length in [1, 16, 255, 256, 1023 - 46, 1500, 9000, 60_000] {
        for whole in &templates {
            let mut longer = whole.clone();
            longer.extend(std::iter::repeat_with(|| dice.random::<u8>()).take(length));
            let _ = socket.send(&longer);
        }
        presence_ping(victim.port, Duration::from_millis(500));
    }
    victim.is_well_after("oversized datagrams");

    let random: Vec<Vec<u8>> = (0..4000)
        .map(|_| {
            let mut bytes = random_bytes(&mut dice, 300);
            // Most of them get past the first look.
            let start: &[u8] =
                [&[6, 0, 0xff, 7, 6][..], &[6, 0, 0xff, 7], &[6, 0, 0xff, 6], &[]][dice.random_range(0..4)];
            bytes.splice(..start.len().min(bytes.len()), start.iter().copied());
            bytes
        })
        .collect();
    flood(&victim, &socket, random.iter().map(Vec::as_slice));
    victim.is_well_after("random datagrams");
}

/// Opens half a session; the BMC's id.
fn half_open(socket: &UdpSocket, console: u32, algorithms: [u8; 3]) -> Option<u32> {
    socket.send(&open_request(console, 4, algorithms)).ok()?;
    let mut datagram = [0; 256];
    loop {
        let count = socket.recv(&mut datagram).ok()?;
        let payload = datagram.get(16..count)?;
        if datagram[5] == 0x11 && payload.get(4..8)? == console.to_le_bytes() {
            let id = payload.get(8..12)?.try_into().ok()?;
            return (payload[1] == 0).then_some(u32::from_le_bytes(id));
        }
    }
}

/// Whether one of the datagrams is RAKP Message 4 with status 0.
fn lets_in(datagrams: &[Vec<u8>]) -> bool {
    datagrams.iter().any(|datagram| datagram.get(5) == Some(&0x15) && datagram.get(17) == Some(&0))
}

#[test]
fn logins_out_of_order_and_odd_algorithms_let_nobody_in() {
    let mut victim = Victim::new();
    let mut dice = dice();
    let socket = victim.attacker();
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a time limit");

    // Every algorithm there is and is not, and records that are none.
    for kind in 0..3 {
        for algorithm in 0..=0xff {
            let mut algorithms = [1, 1, 1];
            algorithms[kind] = algorithm;
            let _ = socket.send(&open_request(7, 4, algorithms));
        }
    }
    for place in 16..48 {
        let mut request = open_request(7, 4, [1, 1, 1]);
        request[place] = dice.random();
        let _ = socket.send(&request);
    }
    assert!(!lets_in(&answers(&socket)));

    let session = half_open(&socket, 0x77, [1, 1, 1]).expect("an open session");
    for code in 0..64 {
        let _ = socket.send(&rakp3(session, 0, &vec![0; code]));
    }
    assert!(!lets_in(&answers(&socket)), "RAKP 3 before RAKP 1");
    // Packets of a session that is none yet, in every protection.
    for kind in [0, 0x40, 0x80, 0xc0, 1, 0xc1] {
        for command in [1, 0x3a, 0x3b, 0x3c] {
            let mut packet = plus(kind, &message(6, command, &[4; 22]));
            packet[6..10].copy_from_slice(&session.to_le_bytes());
            packet[10] = 1;
            let _ = socket.send(&packet);
            packet.extend_from_slice(&[0; 32]);
            let _ = socket.send(&packet);
        }
    }
    assert_eq!(answers(&socket), Vec::<Vec<u8>>::new(), "nothing is answered before the login is complete");
    let _ = socket.send(&rakp1(session, 0x14, b"admin"));
    assert_eq!(answers(&socket).len(), 1, "its turn");
    let _ = socket.send(&rakp1(session, 0x14, b"other"));
    let _ = socket.send(&rakp1(session, 0x12, b"admin"));
    assert!(answers(&socket).is_empty(), "another RAKP 1 has come too late");
    for code in [vec![], vec![0; 20], vec![0xff; 20], vec![0; 900]] {
        let _ = socket.send(&rakp3(session, 0, &code));
    }
    assert!(!lets_in(&answers(&socket)));

    // Names longer than they are, and than they may be.
    for length in (0..20).chain([0x7f, 0x80, 0xfe, 0xff]) {
        let Some(session) = half_open(&socket, 0x100 + length, [1, 1, 1]) else { continue };
        let mut request = rakp1(session, 0x14, b"admin");
        request[16 + 27] = length as u8;
        let _ = socket.send(&request);
        let _ = socket.send(&rakp3(session, length as u8, &[0; 20]));
    }
    assert!(!lets_in(&answers(&socket)));
    victim.is_well_after("logins out of order");
}

#[test]
fn floods_from_many_ports_do_not_keep_users_out() {
    let mut victim = Victim::new();
    let sockets: Vec<UdpSocket> = (0..400).map(|_| victim.attacker()).collect();
    let templates = templates();
    for round in 0..10 {
        for (number, socket) in sockets.iter().enumerate() {
            let _ = socket.send(&templates[(round + number) % templates.len()]);
        }
        presence_ping(victim.port, Duration::from_millis(500));
    }
    victim.is_well_after("a flood from many ports");

    // Half-open sessions, ten times as many as there are places, and users all the while.
    let done = AtomicBool::new(false);
    let port = victim.port;
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut console = 1;
            while !done.load(Ordering::Relaxed) {
                for socket in &sockets {
                    console += 1;
                    let _ = socket.send(&open_request(console, 4, [1, 1, 1]));
                }
                presence_ping(port, Duration::from_millis(500));
            }
        });
        for _ in 0..10 {
            let mut client = RmcpClient::open_from(USER, port, "admin", "admin", 4).expect("a login during the flood");
            assert!(matches!(client.request(6 << 2, 1, &[]), Response::Answer(_)));
        }
        done.store(true, Ordering::Relaxed);
    });
    victim.is_well_after("a flood of half-open sessions");
}

#[test]
fn a_scan_of_passwords_is_slow_and_hurts_nobody_else() {
    const SCAN: Duration = Duration::from_secs(5);
    let mut victim = Victim::new();
    let port = victim.port;
    let (tries, logins, beside) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let socket = victim.attacker();
    socket.set_read_timeout(Some(Duration::from_millis(10))).expect("a time limit");
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut console = 1;
            while start.elapsed() < SCAN {
                console += 1;
                let Some(session) = half_open(&socket, console, [1, 1, 1]) else { continue };
                let _ = socket.send(&rakp1(session, 0x14, b"admin"));
                let _ = socket.send(&rakp3(session, 0, &console.to_le_bytes().repeat(5)));
                let judged = answers(&socket);
                assert!(!lets_in(&judged));
                if judged.iter().any(|datagram| datagram.get(5) == Some(&0x15)) {
                    tries.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        // Somebody at the machine of the scan.
        scope.spawn(|| {
            while start.elapsed() < SCAN {
                let before = Instant::now();
                RmcpClient::open_from(ATTACKER, port, "admin", "admin", 4).expect("a user at the same address");
                assert!(before.elapsed() < Duration::from_secs(2), "a login took {:?}", before.elapsed());
                beside.fetch_add(1, Ordering::Relaxed);
            }
        });
        while start.elapsed() < SCAN {
            let before = Instant::now();
            RmcpClient::open_from(USER, port, "admin", "admin", 4).expect("a user from another address");
            assert!(before.elapsed() < Duration::from_secs(1), "a login took {:?}", before.elapsed());
            logins.fetch_add(1, Ordering::Relaxed);
        }
    });
    // Ten are free, then there are ten verdicts a second, right ones as well.
    let tries = tries.into_inner();
    assert!((10..=62).contains(&tries), "{tries} passwords tried in {SCAN:?}");
    assert!(beside.into_inner() > 3);
    assert!(logins.into_inner() > 3);
    victim.is_well_after("a scan of passwords");
}

#[test]
fn datagrams_inside_a_session() {
    let mut victim = Victim::new();
    let mut dice = dice();
    let mut client = RmcpClient::open(victim.port, "admin", "admin", 4).expect("a session");
    let works = |client: &mut RmcpClient, after: &str| match client.request(6 << 2, 1, &[]) {
        Response::Answer(answer) if answer.first() == Some(&0) => {}
        other => panic!("{other:02x?} after {after}"),
    };

    let device_id = client.message(6 << 2, 1, &[]);
    let packet = client.seal(&device_id);
    for end in 0..packet.len() {
        let _ = client.socket().send(&packet[..end]);
    }
    for place in 0..packet.len() {
        for value in [packet[place] ^ 1, packet[place] ^ 0x80, 0, 0xff] {
            if value != packet[place] {
                let mut other = packet.clone();
                other[place] = value;
                let _ = client.socket().send(&other);
            }
        }
    }
    works(&mut client, "changed packets");

    // An event record for each copy that would be executed.
    let add = client.message(0x0a << 2, 0x44, &[0, 0, 2, 0, 0, 0, 0, 0x20, 0, 4, 1, 1, 1, 1, 0xff, 0xff]);
    let count = |client: &mut RmcpClient| match client.request(0x0a << 2, 0x40, &[]) {
        Response::Answer(answer) => u16::from_le_bytes([answer[2], answer[3]]),
        other => panic!("{other:02x?}"),
    };
    let before = count(&mut client);
    let packet = client.seal(&add);
    for _ in 0..100 {
        let _ = client.socket().send(&packet);
    }
    works(&mut client, "replays");
    assert_eq!(count(&mut client), before + 1, "executed once");
    // From somewhere else, and again when the window has moved on.
    for _ in 0..20 {
        works(&mut client, "replays");
    }
    let elsewhere = victim.attacker();
    let _ = elsewhere.send(&packet);
    let _ = client.socket().send(&packet);
    assert!(answers(&elsewhere).is_empty());
    assert_eq!(count(&mut client), before + 1, "not executed again");

    // Rightly signed and encrypted, wrong inside.
    for pad in 0..=0xff {
        let mut body = message(6, 1, &[]);
        body.resize(32, pad);
        let sealed = client.seal_padded(0, body);
        let _ = client.socket().send(&sealed);
        if pad % 4 == 3 {
            works(&mut client, "wrong pads");
        }
    }
    for length in 0..40 {
        let sealed = client.seal_padded(0, vec![0; length]);
        let _ = client.socket().send(&sealed);
        let sealed = client.seal(&vec![0x20; length]);
        let _ = client.socket().send(&sealed);
        if length % 4 == 3 {
            works(&mut client, "short messages");
        }
    }
    for payload_type in 0..0x40 {
        let body = random_bytes(&mut dice, 300);
        let sealed = client.seal_padded(payload_type, body);
        let _ = client.socket().send(&sealed);
        works(&mut client, "payload types");
    }
    for length in [800, 900, 960, 1000, 1400, 9000, 60_000] {
        let wide = client.message(6 << 2, 1, &vec![0x33; length]);
        let sealed = client.seal(&wide);
        let _ = client.socket().send(&sealed);
        works(&mut client, "large messages");
    }
    for _ in 0..300 {
        let (netfn, command) = (dice.random_range(0..0x20u8) * 2, dice.random());
        // Not those that end the session or change its user.
        if netfn == 6 && matches!(command, 2 | 3 | 0x3b | 0x3c | 0x40..=0x47) {
            continue;
        }
        let data = random_bytes(&mut dice, 30);
        let wild = client.message(netfn << 2 | dice.random_range(0..4), command, &data);
        let sealed = client.seal(&wild);
        let _ = client.socket().send(&sealed);
        let carried: Vec<u8> = std::iter::once(dice.random()).chain(message(netfn, command, &data)).collect();
        let wild = client.message(6 << 2, 0x34, &carried);
        let sealed = client.seal(&wild);
        let _ = client.socket().send(&sealed);
        works(&mut client, "wild requests");
    }
    drop(client);
    victim.is_well_after("garbage in a session");
}

/// Keeps a storm of connections below what makes the kernel wait a second before it tries
/// again.
fn pace(number: usize) {
    if number % 8 == 7 {
        thread::sleep(Duration::from_millis(3));
    }
}

/// Asks for the device id by the VM protocol; false when the connection is closed.
fn gets_device_id(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(2))).expect("a time limit");
    let _ = stream.write_all(&[5, 0x18, 1, 0xe2, 0xa0]);
    let (mut all, mut piece) = (Vec::new(), [0; 256]);
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        all.extend_from_slice(&piece[..count]);
        if process::contains(&all, &[5, 0x1c, 1, 0]) {
            return true;
        }
    }
    false
}

#[test]
fn a_virtual_machine_gone_mad() {
    let mut victim = Victim::new();
    let mut dice = dice();
    let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, victim.vm)).expect("the port of the virtual machine");
    for _ in 0..10 {
        let mut stream = connect();
        let bytes = random_bytes(&mut dice, 30_000);
        // The program may close a peer that does not read the responses.
        let _ = stream.write_all(&bytes);
    }
    let mut stream = connect();
    let _ = stream.write_all(&[0x55; 1 << 20]);
    let _ = stream.write_all(&[0xa0, 0xa1, 0xaa]);
    drop(stream);
    // Rightly framed, arbitrary inside.
    let mut stream = connect();
    stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a time limit");
    for _ in 0..3000 {
        let mut frame = random_bytes(&mut dice, 40);
        frame.push(frame.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte)));
        let mut bytes = Vec::new();
        for byte in frame {
            match byte {
                0xa0 | 0xa1 | 0xaa => bytes.extend([0xaa, byte | 0x10]),
                _ => bytes.push(byte),
            }
        }
        bytes.push(if dice.random_ratio(1, 8) { 0xa1 } else { 0xa0 });
        if stream.write_all(&bytes).is_err() {
            break;
        }
    }
    let mut sink = [0; 65536];
    while stream.read(&mut sink).is_ok_and(|count| count > 0) {}
    drop(stream);
    for number in 0..300 {
        pace(number);
        let mut stream = connect();
        if number % 2 == 0 {
            let _ = stream.write_all(&[1, 0x18, 1]);
        }
        if number % 3 == 0 {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }
    // One machine at a time: until the last of the storm is seen to be gone it is the one,
    // afterwards this one, and a second is turned away.
    let served = || {
        let mut stream = connect();
        gets_device_id(&mut stream).then_some(stream)
    };
    let mut first = eventually(Duration::from_secs(5), served).expect("a free port");
    assert!(!gets_device_id(&mut connect()));
    assert!(gets_device_id(&mut first));
    drop(first);
    victim.is_well_after("a mad virtual machine");
}

#[test]
fn a_console_full_of_noise() {
    let mut victim = Victim::new();
    let mut dice = dice();
    let connect = || {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, victim.console)).expect("the console");
        stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a time limit");
        stream
    };
    for _ in 0..5 {
        let _ = connect().write_all(&random_bytes(&mut dice, 5000));
    }
    let _ = connect().write_all(&[b'x'; 100_000]);
    let mut lines = String::new();
    for name in
        ["mc_add", "sensor_add", "sel_add", "main_sdr_add", "mc_add_fru_data", "sensor_set_value", "mc_set_guid"]
    {
        for value in ["0", "-1", "0x7fffffff", "0xffffffff", "99999999999999999999", "\"", "'", "$x", "enable", "\\"] {
            for count in [1, 2, 5, 20] {
                // Of a controller that is not the BMC.
                lines.push_str(&format!("{name} 0x3e {}\n", vec![value; count].join(" ")));
            }
        }
    }
    let _ = connect().write_all(lines.as_bytes());
    let _ = connect().write_all(&[0xff, 0xfa, 24].repeat(1000));
    let _ = connect().write_all(&[0xff, 0xfd, 24].repeat(1000));
    let crowd: Vec<TcpStream> = (0..100).inspect(|number| pace(*number)).map(|_| connect()).collect();
    drop(crowd);
    for number in 0..100 {
        pace(number);
        drop(connect());
    }
    victim.is_well_after("noise on the console");
}

/// What a state file may hold that it should not.
fn bad_contents(good: &[u8], dice: &mut StdRng) -> Vec<Vec<u8>> {
    let mut torn = good.to_vec();
    torn.truncate(good.len() * 2 / 3);
    let mut changed = good.to_vec();
    for _ in 0..20 {
        if !changed.is_empty() {
            let place = dice.random_range(0..changed.len());
            changed[place] = dice.random();
        }
    }
    vec![
        Vec::new(),
        torn,
        changed,
        random_bytes(dice, 20_000),
        // Every type where another belongs, numbers beyond every end.
        b"valid:d:abc\n2.valid:d:x\n2.username:i:7\n2.passwd:i:99999999999999999999\n2.privilege:i:-9223372036854775808\n\
          enabled:d:x\nbitrate:i:-1\nprivilege_limit:i:255\nmax_priv_for_cipher:i:1\nlast_add_time:i:-1\n\
          last_erase_time:i:9223372036854775807\ntime_offset:i:-9223372036854775808\n1:i:5\n65535:d:x\n0:d:\n"
            .to_vec(),
        b"time_offset:i:9223372036854775807\nwall_clock:i:9223372036854775807\nlast_add_time:d:\\ff\\ff\n".to_vec(),
        b"time_offset:i:-9223372036854775808\nwall_clock:i:-9223372036854775808\n".to_vec(),
        b"\n".repeat(20_000),
        b"1:d:\\00\\00\\02aaaaaaaaaaaaa\n".repeat(3_000),
        b"1:d:\\0\n".repeat(2_000),
        vec![b'a'; 100_000],
    ]
}

#[test]
fn garbage_in_state_files_never_stops_the_start() {
    const NAMES: [&str; 10] = [
        "users.mc20",
        "sol.mc20",
        "chassis.mc20",
        "sysinfo.mc20",
        "dcmi.mc20",
        "pef.mc20",
        "sel.20",
        "sdr.20.main",
        "lanparm.mc20.1",
        "guid",
    ];
    let mut dice = dice();
    let bench = Bench::new();
    let port = free_port();
    bench.write("lan.conf", small_lan_conf(port, "  sol \"tcp:127.0.0.1:1\" 9600\n"));
    bench.write("sim.emu", SMALL_EMU);
    drop(Simulator::start_default(Subject::Ours, &bench, port));
    let folder = "state/ipmi_sim/small";
    let good: Vec<Vec<u8>> = NAMES
        .iter()
        .map(|name| match fs::read(bench.path(&format!("{folder}/{name}"))) {
            Ok(content) => content,
            Err(_) => b"last_add_time:i:1\n1:d:\\01\\00\\02aaaaaaaaaaaaa\n".to_vec(),
        })
        .collect();
    let kinds = bad_contents(&[], &mut dice).len();
    for kind in 0..=kinds {
        fs::remove_dir_all(bench.path(folder)).expect("the state of before");
        fs::create_dir_all(bench.path(folder)).expect("a folder");
        for (name, good) in NAMES.iter().zip(&good) {
            let file = format!("{folder}/{name}");
            if kind == kinds {
                fs::create_dir_all(bench.path(&file)).expect("a folder");
            } else if *name != "users.mc20" || kind < 2 {
                bench.write(&file, &bad_contents(good, &mut dice)[kind]);
            } else {
                // The user must be able to log in afterwards.
                let mut content = bad_contents(good, &mut dice).swap_remove(kind);
                content.splice(0..0, b"\n2.valid:i:1\n2.username:d:admin\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\n2.passwd:d:admin\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\n2.privilege:i:4\n".iter().copied());
                bench.write(&file, content);
            }
        }
        let start = Instant::now();
        let mut simulator = Simulator::start_default(Subject::Ours, &bench, port);
        assert!(start.elapsed() < Duration::from_secs(30), "kind {kind} took {:?}", start.elapsed());
        simulator.assert_alive();
        if let Err(why) = RmcpClient::open(port, "admin", "admin", 4) {
            // A limit of the channel that came out of the noise is one it may have.
            assert!(why.contains("status") || why.contains("Privilege"), "kind {kind}: {why}");
        }
        simulator.stop();
    }
}

/// Changes a text as editors, disks and fuzzers do.
fn mutate(text: &[u8], dice: &mut StdRng) -> Vec<u8> {
    const PIECES: [&[u8]; 14] = [
        b"\"",
        b"\\\n",
        b"0xffffffff",
        b"-1",
        b"\0",
        b"\n",
        b"$",
        b"99999999999999999999",
        b"#",
        b"'",
        b",",
        b"=",
        b"\xff\xfe",
        b"endlan",
    ];
    let mut text = text.to_vec();
    for _ in 0..dice.random_range(1..6) {
        let at = dice.random_range(0..=text.len());
        let end = (at + dice.random_range(0..40)).min(text.len());
        match dice.random_range(0..6) {
            0 => text.truncate(at),
            1 => drop(text.drain(at..end)),
            2 => drop(text.splice(at..at, PIECES[dice.random_range(0..PIECES.len())].iter().copied())),
            3 => {
                let copy = text[at..end].to_vec();
                let to = dice.random_range(0..=text.len());
                drop(text.splice(to..to, copy.repeat(dice.random_range(1..50))));
            }
            4 if at < text.len() => text[at] = dice.random(),
            _ if at < text.len() => text[at] ^= 1 << dice.random_range(0..8),
            _ => {}
        }
    }
    text
}

#[test]
fn broken_configurations_are_judged_in_time() {
    const PAIRS: [(&str, &str); 3] = [
        ("compat/nanokvm/lan.conf", "compat/nanokvm/sim.emu"),
        ("compat/qemu/lan.conf", "compat/qemu/ipmisim1.emu"),
        ("examples/minimal/lan.conf", "examples/minimal/sim.emu"),
    ];
    const LIMIT: Duration = Duration::from_secs(5);
    let read = |path: &str| fs::read(project(path)).unwrap_or_else(|why| panic!("{path}: {why}"));
    let mut dice = dice();
    let bench = Bench::new();
    let check = |folder: &Path, seed: usize| {
        let mut child = Command::new(Subject::Ours.program())
            .args(["--check", "-c", "lan.conf", "-f", "sim.emu", "-s", "state"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program");
        match process::wait(&mut child, LIMIT) {
            Some(status) => assert!(matches!(status.code(), Some(0 | 1)), "number {seed}: {status}"),
            None => {
                process::end(&mut child);
                panic!("number {seed} takes longer than {LIMIT:?}");
            }
        }
    };
    for number in 0..240 {
        let (conf, emu) = PAIRS[number % PAIRS.len()];
        let (mut conf, mut emu) = (read(conf), read(emu));
        if number % 2 == 0 {
            conf = mutate(&conf, &mut dice);
        } else {
            emu = mutate(&emu, &mut dice);
        }
        bench.write("lan.conf", conf);
        bench.write("sim.emu", emu);
        check(bench.folder(), number);
    }
}
