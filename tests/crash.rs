//! Kills the program at random moments and holds what it shows after the next start against
//! everything it has acknowledged.
//!
//! `IPMI_SIM_CRASH_ROUNDS=500 cargo test --test crash` runs longer than the usual 40 kills.

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::machine::{self, Need};
use support::rmcp_client::{Response, RmcpClient};
use support::{Bench, Simulator, Stdin, Subject, namespace};

const GET_SDR: u8 = 0x23;
/// The type of the records that are added.
const OEM_RECORD: u8 = 0xc0;
const ARGUMENTS: [&str; 7] = ["-n", "-c", "lan.conf", "-f", "sim.emu", "-s", "state"];
const ADMINISTRATOR: u8 = 4;
const SEL: u8 = 0x0a << 2;
const APP: u8 = 6 << 2;
const TRANSPORT: u8 = 0x0c << 2;
const CHASSIS: u8 = 0;
/// More records than this are cleared.
const MANY: usize = 200;

/// A value of which the last acknowledged one counts, or one that was on its way.
#[derive(Debug, Default)]
struct Value {
    acknowledged: Option<u32>,
    unsure: Option<u32>,
}

impl Value {
    fn settle(&mut self, shown: u32, what: &str) {
        let possible = [self.acknowledged, self.unsure];
        if self.acknowledged.is_some() {
            assert!(possible.contains(&Some(shown)), "{what}: {shown} instead of {self:?}");
        }
        *self = Self { acknowledged: Some(shown), unsure: None };
    }
}

/// Records by the mark in them.
#[derive(Debug, Default)]
struct Records {
    acknowledged: BTreeSet<u32>,
    /// May be there or not.
    unsure: BTreeSet<u32>,
}

impl Records {
    fn settle(&mut self, shown: Vec<u32>, what: &str) {
        let there: BTreeSet<u32> = shown.iter().copied().collect();
        assert_eq!(there.len(), shown.len(), "{what}: doubled records: {shown:?}");
        let lost: Vec<_> = self.acknowledged.difference(&there).collect();
        assert!(lost.is_empty(), "{what}: acknowledged and lost: {lost:?}");
        let known: BTreeSet<u32> = self.acknowledged.union(&self.unsure).copied().collect();
        let risen: Vec<_> = there.difference(&known).collect();
        assert!(risen.is_empty(), "{what}: deleted and there again, or never added: {risen:?}");
        *self = Self { acknowledged: there, unsure: BTreeSet::new() };
    }
}

/// What the program has acknowledged.
#[derive(Debug, Default)]
struct Promised {
    log: Records,
    repository: Records,
    name: Value,
    password: Value,
    levels: Value,
    retries: Value,
    policy: Value,
    changes: usize,
}

/// The program is gone.
struct Gone;

/// Sends a request once; a completion code other than 0 is a failure of the test.
fn ask(client: &mut RmcpClient, netfn: u8, command: u8, data: &[u8]) -> Result<Vec<u8>, Gone> {
    match client.request_within(netfn, command, data, Duration::from_millis(500), 1) {
        Response::Answer(answer) => {
            assert_eq!(answer[0], 0, "{netfn:02x} {command:02x} {data:02x?}: {answer:02x?}");
            Ok(answer[1..].to_vec())
        }
        _ => Err(Gone),
    }
}

fn padded(user: u8, text: &str, length: usize) -> Vec<u8> {
    let mut bytes = vec![user];
    bytes.extend(text.bytes());
    bytes.resize(length + 1, 0);
    bytes
}

impl Promised {
    /// One change, chosen by `choice`, with `mark` in it.
    fn change(&mut self, client: &mut RmcpClient, choice: u32, mark: u32) -> Result<(), Gone> {
        match choice {
            0..4 if self.log.acknowledged.len() >= MANY => {
                self.log.unsure.append(&mut self.log.acknowledged);
                ask(client, SEL, 0x47, &[0, 0, b'C', b'L', b'R', 0xaa])?;
                self.log = Records::default();
            }
            0..4 => {
                let mut record = [0; 16];
                // OEM without a time stamp: all of it is ours.
                record[2] = 0xe0;
                record[3..7].copy_from_slice(&mark.to_le_bytes());
                self.log.unsure.insert(mark);
                ask(client, SEL, 0x44, &record)?;
                self.log.unsure.remove(&mark);
                self.log.acknowledged.insert(mark);
            }
            4 => {
                // The first record of the log.
                let Ok(first) = ask_first(client) else { return Err(Gone) };
                let Some((id, mark)) = first else { return Ok(()) };
                self.log.acknowledged.remove(&mark);
                self.log.unsure.insert(mark);
                ask(client, SEL, 0x46, &[0, 0, id[0], id[1]])?;
                self.log.unsure.remove(&mark);
            }
            5 if self.repository.acknowledged.len() >= MANY => {
                self.repository.unsure.append(&mut self.repository.acknowledged);
                ask(client, SEL, 0x27, &[0, 0, b'C', b'L', b'R', 0xaa])?;
                self.repository = Records::default();
            }
            5 => {
                let mut record = vec![0, 0, 0x51, OEM_RECORD, 4];
                record.extend(mark.to_le_bytes());
                self.repository.unsure.insert(mark);
                ask(client, SEL, 0x24, &record)?;
                self.repository.unsure.remove(&mark);
                self.repository.acknowledged.insert(mark);
            }
            6 => {
                self.name.unsure = Some(mark);
                ask(client, APP, 0x45, &padded(5, &mark.to_string(), 16))?;
                self.name = Value { acknowledged: Some(mark), unsure: None };
            }
            7 => {
                self.password.unsure = Some(mark);
                let mut data = vec![6];
                data.extend(padded(2, &mark.to_string(), 16));
                ask(client, APP, 0x47, &data)?;
                self.password = Value { acknowledged: Some(mark), unsure: None };
            }
            8 => {
                // The level of the last cipher suite entry, which nobody uses.
                let level = 2 + mark % 3;
                ask(client, TRANSPORT, 0x01, &[0x0e, 0, 1])?;
                let levels = [0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, (level as u8) << 4 | 4];
                ask(client, TRANSPORT, 0x01, &[&[0x0e, 24, 0][..], &levels].concat())?;
                self.levels.unsure = Some(level);
                ask(client, TRANSPORT, 0x01, &[0x0e, 0, 2])?;
                self.levels = Value { acknowledged: Some(level), unsure: None };
                ask(client, TRANSPORT, 0x01, &[0x0e, 0, 0])?;
            }
            9 => {
                let interval = mark & 0x7f;
                self.retries.unsure = Some(interval);
                ask(client, TRANSPORT, 0x21, &[1, 4, 2, interval as u8])?;
                self.retries = Value { acknowledged: Some(interval), unsure: None };
            }
            _ => {
                let policy = mark % 3;
                self.policy.unsure = Some(policy);
                ask(client, CHASSIS, 0x06, &[policy as u8])?;
                self.policy = Value { acknowledged: Some(policy), unsure: None };
            }
        }
        self.changes += 1;
        Ok(())
    }

    /// Reads everything back.
    fn check(&mut self, client: &mut RmcpClient) {
        let log = records(client, 0x43, 3);
        self.log.settle(log, "event log");
        let repository = records(client, GET_SDR, 5);
        self.repository.settle(repository, "SDR repository");
        if self.name.acknowledged.is_some() {
            let name = read(client, APP, 0x46, &[5]);
            let text = String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned();
            self.name.settle(text.parse().expect("a number"), "user name");
        }
        if self.password.acknowledged.is_some() {
            let possible = [self.password.acknowledged, self.password.unsure];
            let right = possible.into_iter().flatten().find(|mark| {
                let mut data = vec![6];
                data.extend(padded(3, &mark.to_string(), 16));
                match client.request(APP, 0x47, &data) {
                    Response::Answer(answer) => answer[0] == 0,
                    other => panic!("{other:?}"),
                }
            });
            self.password.settle(right.unwrap_or(u32::MAX), "password");
        }
        let levels = read(client, TRANSPORT, 0x02, &[0x0e, 24, 0, 0]);
        self.levels.settle(u32::from(levels[9] >> 4), "cipher suite levels");
        let retries = read(client, TRANSPORT, 0x22, &[1, 4, 0, 0]);
        self.retries.settle(u32::from(retries[2]), "SOL retries");
        let status = read(client, CHASSIS, 0x01, &[]);
        self.policy.settle(u32::from(status[0] >> 5 & 3), "power restore policy");
    }
}

fn read(client: &mut RmcpClient, netfn: u8, command: u8, data: &[u8]) -> Vec<u8> {
    match client.request(netfn, command, data) {
        Response::Answer(answer) if answer[0] == 0 => answer[1..].to_vec(),
        other => panic!("{netfn:02x} {command:02x} {data:02x?}: {other:02x?}"),
    }
}

/// Id and mark of the first log record.
fn ask_first(client: &mut RmcpClient) -> Result<Option<([u8; 2], u32)>, Gone> {
    match client.request_within(SEL, 0x43, &[0, 0, 0, 0, 0, 0xff], Duration::from_millis(500), 1) {
        Response::Answer(answer) if answer[0] == 0 => {
            Ok(Some(([answer[3], answer[4]], u32::from_le_bytes(answer[6..10].try_into().expect("four bytes")))))
        }
        Response::Answer(_) => Ok(None),
        _ => Err(Gone),
    }
}

/// The marks of all records, which begin at byte `at` of each.
fn records(client: &mut RmcpClient, command: u8, at: usize) -> Vec<u32> {
    let (mut marks, mut id) = (Vec::new(), [0, 0]);
    loop {
        match client.request(SEL, command, &[0, 0, id[0], id[1], 0, 0xff]) {
            Response::Answer(answer) if answer[0] == 0 => {
                // The BMC's locator stands in a repository that has no other record.
                if command != GET_SDR || answer[6] == OEM_RECORD {
                    marks.push(u32::from_le_bytes(answer[3 + at..7 + at].try_into().expect("four bytes")));
                }
                id = [answer[1], answer[2]];
            }
            Response::Answer(answer) if answer[0] == 0xcb && marks.is_empty() => return marks,
            other => panic!("{other:02x?}"),
        }
        if id == [0xff, 0xff] {
            return marks;
        }
    }
}

#[test]
fn acknowledged_changes_survive_kill_9() {
    let rounds = std::env::var("IPMI_SIM_CRASH_ROUNDS").map_or(40, |rounds| rounds.parse().expect("a number"));
    let seed = std::env::var("IPMI_SIM_CRASH_SEED")
        .map_or_else(|_| StdRng::from_os_rng().random(), |s| s.parse().expect("a number"));
    println!("IPMI_SIM_CRASH_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (bench, port) = (Bench::new(), free_port());
    bench.write("lan.conf", small_lan_conf(port, "  sol \"no-such-tty\" 9600"));
    bench.write("sim.emu", SMALL_EMU);
    let (mut promised, mut mark, mut half_written) = (Promised::default(), 100, 0);
    for round in 0..=rounds {
        if random.random_ratio(1, 5) {
            // It dies while it starts.
            let simulator = Simulator::spawn(Subject::under_test(), &bench, &ARGUMENTS, Stdin::Null);
            thread::sleep(Duration::from_micros(random.random_range(0..30_000)));
            simulator.signal(Signal::SIGKILL);
        }
        let folder = bench.path("state/ipmi_sim/small");
        let names = || -> Vec<String> {
            let entries = std::fs::read_dir(&folder).into_iter().flatten();
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
        };
        half_written += names().iter().filter(|name| name.ends_with(".tmp")).count();
        let mut simulator = Simulator::spawn(Subject::under_test(), &bench, &ARGUMENTS, Stdin::Null);
        simulator.wait_until_ready(port);
        let odd: Vec<_> =
            names().into_iter().filter(|name| name.split('.').next_back().is_some_and(is_left_behind)).collect();
        assert!(odd.is_empty(), "round {round}: {odd:?}");
        let mut client = RmcpClient::open(port, "admin", "admin", ADMINISTRATOR).expect("a session");
        promised.check(&mut client);
        if round == rounds {
            break;
        }
        let delay = Duration::from_micros(random.random_range(0..120_000));
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(delay);
                simulator.signal(Signal::SIGKILL);
            });
            loop {
                mark += 1;
                if promised.change(&mut client, random.random_range(0..11), mark).is_err() {
                    break;
                }
            }
        });
        assert!(simulator.wait(Duration::from_secs(10)).is_some(), "it was killed");
    }
    println!("{rounds} kills, {} changes acknowledged, {half_written} files found half written", promised.changes);
    assert!(promised.changes > rounds, "hardly anything was changed");
}

fn is_left_behind(ending: &str) -> bool {
    ["tmp", "torn", "damaged", "empty", "foreign", "unreadable"].iter().any(|kind| ending.starts_with(kind))
}

/// A real disk that is full, and one that is read-only: errors, nothing half changed, and all is
/// well when the disk is.
#[test]
fn a_full_or_read_only_disk_is_an_error_and_no_more() {
    if !machine::has("a_full_or_read_only_disk_is_an_error_and_no_more", Need::Root) {
        return;
    }
    namespace::with_own_mounts("a_full_or_read_only_disk_is_an_error_and_no_more", || {
        let (bench, port) = (Bench::new(), free_port());
        bench.write("lan.conf", small_lan_conf(port, "  sol \"no-such-tty\" 9600"));
        bench.write("sim.emu", SMALL_EMU);
        let state = bench.path("state");
        std::fs::create_dir(&state).expect("a folder");
        let state = state.to_str().expect("a path").to_owned();
        namespace::run("mount", &["-t", "tmpfs", "-o", "size=256k", "tmpfs", &state], "mount");
        let start = || {
            let mut simulator = Simulator::spawn(Subject::under_test(), &bench, &ARGUMENTS, Stdin::Null);
            simulator.wait_until_ready(port);
            simulator
        };
        let mut simulator = start();
        let mut client = RmcpClient::open(port, "admin", "admin", ADMINISTRATOR).expect("a session");
        let mut promised = Promised::default();
        let mut mark = 1000;
        let mut all = |client: &mut RmcpClient, promised: &mut Promised| {
            // Everything that can be changed, a deletion last.
            for choice in [0, 5, 6, 7, 8, 9, 10, 4] {
                mark += 1;
                assert!(promised.change(client, choice, mark).is_ok());
            }
            promised.check(client);
        };
        all(&mut client, &mut promised);
        let refused: [(u8, u8, &[u8]); 5] = [
            (SEL, 0x44, &[0, 0, 0xe0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]),
            (SEL, 0x24, &[0, 0, 0x51, OEM_RECORD, 4, 9, 9, 9, 9]),
            (APP, 0x45, b"\x05nobody\0\0\0\0\0\0\0\0\0\0"),
            (TRANSPORT, 0x21, &[1, 4, 2, 77]),
            (CHASSIS, 0x0b, &[9]),
        ];
        let filler = bench.path("state/filler");
        for full in [true, false] {
            if full {
                let mut file = std::fs::File::create(&filler).expect("a file");
                while file.write_all(&[0; 512]).is_ok() {}
            } else {
                namespace::run("mount", &["-o", "remount,ro", &state], "mount");
            }
            for (netfn, command, data) in refused {
                let answer = client.request(netfn, command, data);
                assert_eq!(answer, Response::Answer(vec![0xff]), "{netfn:02x} {command:02x}");
            }
            promised.check(&mut client);
            if full {
                std::fs::remove_file(&filler).expect("it is there");
            } else {
                namespace::run("mount", &["-o", "remount,rw", &state], "mount");
            }
            all(&mut client, &mut promised);
        }
        simulator.signal(Signal::SIGKILL);
        assert!(simulator.wait(Duration::from_secs(10)).is_some(), "it was killed");
        drop(client);
        let simulator = start();
        promised.check(&mut RmcpClient::open(port, "admin", "admin", ADMINISTRATOR).expect("a session"));
        simulator.stop();
        namespace::run("umount", &[&state], "mount");
    });
}
