//! A mixed load with every response checked, and afterwards nothing left of it: no session, child,
//! thread, descriptor or memory more than before.
//!
//! Some seconds in the usual run; `IPMI_SIM_SOAK_SECONDS=3600 cargo test --test soak -- --nocapture`
//! is the long form, which also has clients that vanish with their sessions open.

mod support;

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::process::eventually;
use support::rmcp_client::{Response, RmcpClient};
use support::{Bench, Simulator, Subject};

const ADMINISTRATOR: u8 = 4;
const WORKERS: usize = 6;
/// From this length on clients vanish with open sessions, which takes a minute to be over.
const LONG: Duration = Duration::from_secs(60);
const SEL: u8 = 0x0a << 2;
const APP: u8 = 6 << 2;
const TRANSPORT: u8 = 0x0c << 2;
const DEVICE_ID: [u8; 11] = [0, 3, 9, 8, 2, 0x9f, 0x91, 0x12, 0, 2, 0x0f];

/// What `/proc` says of a process.
#[derive(Clone, Copy, Debug)]
struct Footprint {
    descriptors: usize,
    threads: usize,
    children: usize,
    /// Resident, in KiB.
    memory: usize,
}

impl Footprint {
    fn of(pid: u32) -> Self {
        let count = |folder: &str| std::fs::read_dir(format!("/proc/{pid}/{folder}")).expect("a process").count();
        let text = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).expect("a process");
        let status = text("status");
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        Self {
            descriptors: count("fd"),
            threads: count("task"),
            children: text(&format!("task/{pid}/children")).split_whitespace().count(),
            memory: memory.trim_end_matches("kB").trim().parse().expect("a number"),
        }
    }
}

/// Sends a request and expects completion code 0.
fn ask(client: &mut RmcpClient, netfn: u8, command: u8, data: &[u8]) -> Vec<u8> {
    match client.request_within(netfn, command, data, Duration::from_secs(10), 1) {
        Response::Answer(answer) if answer[0] == 0 => answer,
        other => panic!("{netfn:02x} {command:02x} {data:02x?}: {other:02x?}"),
    }
}

/// One checked exchange of some kind. `worker` has a user and a repository record of its own.
fn step(client: &mut RmcpClient, worker: u8, random: &mut StdRng) {
    match random.random_range(0..9) {
        0..=2 => assert_eq!(ask(client, APP, 0x01, &[])[1..12], DEVICE_ID),
        3 => {
            let mut record: [u8; 16] = random.random();
            record[2] = 0xe0;
            let id = ask(client, SEL, 0x44, &record);
            let back = ask(client, SEL, 0x43, &[0, 0, id[1], id[2], 0, 0xff]);
            assert_eq!(back[5..], record[2..], "the record it was given");
            assert_eq!(ask(client, SEL, 0x46, &[0, 0, id[1], id[2]])[1..], id[1..]);
        }
        4 => {
            let mut record = vec![0, 0, 0x51, 0xc0, 6, worker];
            record.extend(random.random::<[u8; 5]>());
            let id = ask(client, SEL, 0x24, &record);
            let back = ask(client, SEL, 0x23, &[0, 0, id[1], id[2], 0, 0xff]);
            assert_eq!(back[5..5 + record.len() - 2], record[2..]);
            ask(client, SEL, 0x26, &[0, 0, id[1], id[2]]);
        }
        5 => {
            let name = format!("w{worker}x{}", random.random_range(0..100_000));
            let mut bytes = name.into_bytes();
            bytes.resize(16, 0);
            ask(client, APP, 0x45, &[&[worker + 10][..], &bytes].concat());
            assert_eq!(ask(client, APP, 0x46, &[worker + 10])[1..], bytes);
        }
        6 => assert_eq!(ask(client, 0, 0x01, &[])[1] & 1, 1, "the script says that the power is on"),
        7 => assert_eq!(ask(client, 4 << 2, 0x2d, &[1])[1], 0x60, "the sensor's value"),
        _ => {
            assert_eq!(ask(client, TRANSPORT, 0x02, &[0x0e, 24, 0, 0]).len(), 11, "a LAN parameter");
            assert_eq!(ask(client, TRANSPORT, 0x22, &[1, 1, 0, 0])[2], 1, "SOL is enabled");
        }
    }
}

/// A client that begins to log in and is never heard of again.
fn vanish(port: u16, random: &mut StdRng) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let mut open = vec![6, 0, 0xff, 7, 6, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 1, 4, 0, 0];
    open.extend(random.random::<[u8; 4]>());
    for kind in 0..3 {
        open.extend([kind, 0, 0, 8, 1, 0, 0, 0]);
    }
    socket.send_to(&open, (Ipv4Addr::LOCALHOST, port)).expect("the loopback");
}

struct Load {
    port: u16,
    over: AtomicBool,
    answers: AtomicUsize,
    logins: AtomicUsize,
    vanished: AtomicUsize,
}

impl Load {
    fn worker(&self, worker: u8, leave: bool) {
        let mut random = StdRng::seed_from_u64(u64::from(worker));
        while !self.over.load(Ordering::Relaxed) {
            let mut client = RmcpClient::open(self.port, "admin", "admin", ADMINISTRATOR).expect("a session");
            self.logins.fetch_add(1, Ordering::Relaxed);
            // One of them holds the console, and does not listen to it half of the time.
            let console = worker == 0;
            if console {
                // Its last session may not have heard that it was to end.
                let activated = client.request(APP, 0x48, &[1, 1, 0, 0, 0, 0]);
                assert!(
                    matches!(&activated, Response::Answer(answer) if matches!(answer[0], 0 | 0x80)),
                    "{activated:?}"
                );
            }
            for _ in 0..random.random_range(1..60) {
                step(&mut client, worker, &mut random);
                self.answers.fetch_add(1, Ordering::Relaxed);
            }
            if console && random.random() {
                client.request(APP, 0x49, &[1, 1, 0, 0, 0, 0]);
            }
            vanish(self.port, &mut random);
            if leave && !console && random.random_ratio(1, 10) {
                self.vanished.fetch_add(1, Ordering::Relaxed);
                client.leave();
            }
        }
    }

    fn run(&self, length: Duration, leave: bool) {
        self.over.store(false, Ordering::Relaxed);
        thread::scope(|scope| {
            for worker in 0..WORKERS {
                scope.spawn(move || self.worker(worker as u8, leave));
            }
            thread::sleep(length);
            self.over.store(true, Ordering::Relaxed);
        });
    }
}

/// A serial line that is never quiet.
fn chatter(listener: TcpListener) {
    thread::spawn(move || {
        while let Ok((mut peer, _)) = listener.accept() {
            while peer.write_all(b"the quick brown fox jumps over the lazy dog\r\n").is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
        }
    });
}

#[test]
fn nothing_is_left_after_a_mixed_load() {
    let seconds = std::env::var("IPMI_SIM_SOAK_SECONDS").map_or(8, |seconds| seconds.parse().expect("a number"));
    let length = Duration::from_secs(seconds);
    let (bench, port) = (Bench::new(), free_port());
    let line = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let script = bench.write_program("script", "#!/bin/sh\ncase \"$2\" in get) echo power:1;; esac\n");
    let more = format!(
        "  sol \"tcp:127.0.0.1:{}\" 115200 history=4000\n  chassis_control \"{} 0x20\"\n",
        line.local_addr().expect("an address").port(),
        script.display()
    );
    chatter(line);
    bench.write("lan.conf", small_lan_conf(port, &more));
    bench.write("sim.emu", SMALL_EMU);
    let mut simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    let load = Load {
        port,
        over: AtomicBool::new(false),
        answers: AtomicUsize::new(0),
        logins: AtomicUsize::new(0),
        vanished: AtomicUsize::new(0),
    };
    // Everything has been used once: memory that is kept for the next time is there now.
    load.run(Duration::from_secs(3), false);
    let before = settled(port, simulator.pid(), Duration::from_secs(15));
    load.run(length, length >= LONG);
    let after = settled(port, simulator.pid(), Duration::from_secs(60));
    println!(
        "{seconds} s: {} logins, {} checked exchanges, {} clients vanished with a session\nbefore {before:?}\nafter  {after:?}",
        load.logins.load(Ordering::Relaxed),
        load.answers.load(Ordering::Relaxed),
        load.vanished.load(Ordering::Relaxed),
    );
    simulator.assert_alive();
    assert!(load.answers.load(Ordering::Relaxed) > 100, "hardly anything was asked");
    assert!(after.descriptors <= before.descriptors, "descriptors: {before:?} {after:?}");
    assert_eq!(after.children, 0, "children");
    // Threads for files come and go, sixteen at most.
    assert!(after.threads <= before.threads.max(17), "threads: {before:?} {after:?}");
    assert!(after.memory <= before.memory + 1024, "memory: {before:?} {after:?}");
}

/// The footprint once everybody has left: one session is there, the one that asks.
fn settled(port: u16, pid: u32, limit: Duration) -> Footprint {
    let started = Instant::now();
    let active = eventually(limit, || {
        let mut client = RmcpClient::open(port, "admin", "admin", ADMINISTRATOR).expect("a session");
        let active = ask(&mut client, APP, 0x3d, &[0])[3];
        thread::sleep(Duration::from_millis(100));
        (active == 1 && Footprint::of(pid).children == 0).then_some(active)
    });
    assert_eq!(active, Some(1), "sessions or children are left after {:?}", started.elapsed());
    Footprint::of(pid)
}
