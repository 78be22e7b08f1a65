//! What the pieces of the simulator take, without a socket: `cargo bench`, or
//! `cargo bench --bench pieces -- NAME` for some of them.
//!
//! The largest files are those of a collection that is not part of this repository
//! (`IPMI_SIM_CORPUS`, or beside the checkout); without it the largest examples.

#[path = "../tests/support/corpus.rs"]
mod corpus;
#[path = "../tests/support/machine.rs"]
#[allow(dead_code, reason = "a bench needs nothing but files")]
mod machine;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use ipmi_sim::config::command::{Variables, statements};
use ipmi_sim::config::lan_conf;
use ipmi_sim::host::random::SystemRandom;
use ipmi_sim::ipmi::netfn::APP;
use ipmi_sim::ipmi::{ChannelNumber, McAddress, Moment};
use ipmi_sim::runtime::script::Folders;
use ipmi_sim::runtime::statement::execute;
use ipmi_sim::sim::{Effect, Effects, Input, LanId, Persistence, Simulator, Work, WorkDone};
use ipmi_sim::store::directory::StateDirectory;
use ipmi_sim::wire::session20::PayloadType;
use ipmi_sim_client::outside::payload20;
use ipmi_sim_client::{ADMINISTRATOR, Account, CLOSE_SESSION, Error, GET_DEVICE_ID, SET_SESSION_PRIVILEGE_LEVEL, Way};

const LAN: LanId = LanId { mc: McAddress(0x20), channel: ChannelNumber::LAN };
const STORAGE: u8 = 0x0a;
const RESERVE_SEL: u8 = 0x42;
const ADD_SEL_ENTRY: u8 = 0x44;
const CLEAR_SEL: u8 = 0x47;
const RESERVE_SDR: u8 = 0x22;
const GET_SDR: u8 = 0x23;
/// Length of an SDR's header, and how much of the rest is asked for at a time.
const SDR_HEADER: u8 = 5;
const SDR_PART: u8 = 16;
/// Entries between two clearings of the log.
const ENTRIES: u32 = 32;

fn main() {
    divan::main();
}

/// Every file below a folder.
fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() { files(&path, out) } else { out.push(path) }
    }
}

/// The largest file with this end of its name: of the collection, or of the project.
fn largest(end: &str) -> (String, Vec<u8>) {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    match corpus::collection("wild") {
        Some(folder) => files(&folder, &mut all),
        None => ["examples", "compat"].iter().for_each(|folder| files(&project.join(folder), &mut all)),
    }
    all.retain(|path| path.to_string_lossy().ends_with(end));
    let path = all.into_iter().max_by_key(|path| fs::metadata(path).map_or(0, |data| data.len())).expect("a file");
    let text = fs::read(&path).expect("a readable file");
    println!(" {}: {} bytes", path.file_name().unwrap_or_default().to_string_lossy(), text.len());
    (path.display().to_string(), text)
}

fn example(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/minimal").join(name)).expect(name)
}

/// A simulator without a runtime.
struct Rig {
    system: Simulator,
    now: Moment,
    from: SocketAddr,
    effects: Effects,
    /// Where state is kept.
    directory: Option<StateDirectory>,
    response: Vec<u8>,
}

impl Rig {
    fn new(commands: &[u8], directory: Option<StateDirectory>) -> Self {
        let (config, faults) = lan_conf::parse("lan.conf", &example("lan.conf"));
        let config = config.unwrap_or_else(|| panic!("{faults:?}"));
        let persistence = if directory.is_some() { Persistence::On } else { Persistence::Off };
        let mut rig = Self {
            system: Simulator::new(config, BTreeMap::new(), persistence, Box::new(random())),
            now: Moment::new(Duration::from_secs(1000)),
            from: "127.0.0.1:4000".parse().expect("an address"),
            effects: Effects::default(),
            directory,
            response: Vec::new(),
        };
        rig.system.handle(rig.now, Input::Begin, &mut rig.effects);
        rig.carry_out();
        for statement in statements("sim.emu", commands) {
            execute(&mut rig.system, rig.now, None, &statement, &Folders::default(), &mut rig.effects);
            rig.carry_out();
        }
        rig.system.handle(rig.now, Input::Started, &mut rig.effects);
        rig.carry_out();
        rig
    }

    /// Keeps what is sent and writes what is to be kept.
    fn carry_out(&mut self) {
        while !self.effects.list.is_empty() {
            let effects = std::mem::take(&mut self.effects);
            for effect in &effects.list {
                match effect {
                    Effect::Send { start, end, .. } => {
                        self.response.clear();
                        self.response.extend_from_slice(&effects.bytes[*start..*end]);
                    }
                    Effect::Run(Work::Save { job, name, content }) => {
                        let directory = self.directory.as_ref().expect("a directory for state");
                        directory.write(name, content).expect("a state file that can be written");
                        self.system.handle(self.now, Input::WorkDone(WorkDone::Saved(*job, Ok(()))), &mut self.effects);
                    }
                    _ => {}
                }
            }
            if self.effects.list.is_empty() {
                self.effects = effects;
                self.effects.clear();
            }
        }
    }

    fn datagram(&mut self, bytes: &mut [u8]) {
        self.now = self.now + Duration::from_micros(10);
        self.system.handle(self.now, Input::Datagram { lan: LAN, from: self.from.into(), bytes }, &mut self.effects);
        self.carry_out();
        self.system.deadline();
    }

    fn log_in(&mut self, way: Way) -> Session {
        let mut random = random();
        let account = Account::new("admin", "admin");
        let client = ipmi_sim_client::Session::login(way, account, &mut random, |datagram| {
            self.datagram(&mut datagram.to_vec());
            Ok::<_, Error>(self.response.clone())
        });
        let mut session = Session { client: client.expect("a login"), random, seq: 0 };
        session.ask(self, APP, SET_SESSION_PRIVILEGE_LEVEL, &[ADMINISTRATOR]);
        session
    }
}

fn random() -> SystemRandom {
    SystemRandom::new().expect("random numbers")
}

struct Session {
    client: ipmi_sim_client::Session,
    random: SystemRandom,
    seq: u8,
}

impl Session {
    fn request(&mut self, netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
        self.seq = (self.seq + 1) % 64;
        let mut packet = Vec::new();
        self.client.request((self.seq, netfn, cmd), data, &mut self.random, &mut packet);
        packet
    }

    fn ask(&mut self, rig: &mut Rig, netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
        let mut packet = self.request(netfn, cmd, data);
        rig.datagram(&mut packet);
        let mut response = rig.response.clone();
        let response = self.client.open_unverified(&mut response).and_then(|opened| opened.response()?.done());
        response.unwrap_or_else(|why| panic!("command {netfn:#04x} {cmd:#04x}: {why}")).data.to_vec()
    }
}

/// Check, decrypt, execute Get Device ID, encrypt, sign.
#[divan::bench(args = ["3", "17", "md5"])]
fn command(bencher: Bencher<'_, '_>, way: &str) {
    let mut rig = Rig::new(&example("sim.emu"), None);
    let mut session = rig.log_in(way.parse().expect("a kind of session"));
    bencher
        .counter(ItemsCount::new(1u32))
        .with_inputs(|| session.request(APP, GET_DEVICE_ID, &[]))
        .bench_local_refs(|packet| rig.datagram(packet));
}

/// From Open Session to Close Session, the client's part included.
#[divan::bench(args = ["3", "17", "md5"])]
fn login(bencher: Bencher<'_, '_>, way: &str) {
    let mut rig = Rig::new(&example("sim.emu"), None);
    let way: Way = way.parse().expect("a kind of session");
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        let mut session = rig.log_in(way);
        let id = session.client.id.to_le_bytes();
        session.ask(&mut rig, APP, CLOSE_SESSION, &id);
    });
}

/// What anybody can send, each time a datagram like the last: how much of the program's time it takes.
#[divan::bench(args = ["ping", "capabilities", "open", "rakp1", "rakp1-again", "rakp3", "wrong-code", "junk"])]
fn hostile(bencher: Bencher<'_, '_>, what: &str) {
    let mut rig = Rig::new(&example("sim.emu"), None);
    let mut session = rig.log_in(Way::Suite(3));
    let rakp1 = |id: u32| {
        plus(PayloadType::Rakp1, &[&[1, 0, 0, 0][..], &id.to_le_bytes(), &[7; 16], &[0x14, 0, 0, 5], b"admin"].concat())
    };
    let open = |console: u32| {
        let algorithms = [0, 0, 0, 8, 1, 0, 0, 0, 1, 0, 0, 8, 1, 0, 0, 0, 2, 0, 0, 8, 1, 0, 0, 0];
        plus(PayloadType::OpenSessionRequest, &[&[1, 0, 0, 0][..], &console.to_le_bytes(), &algorithms].concat())
    };
    rig.datagram(&mut open(1));
    let opened = u32::from_le_bytes(rig.response[24..28].try_into().expect("an id"));
    let mut console = 1;
    bencher
        .counter(ItemsCount::new(1u32))
        .with_inputs(|| match what {
            "ping" => vec![6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x80, 1, 0, 0],
            // Get Channel Authentication Capabilities as ipmitool asks for it.
            "capabilities" => {
                vec![6, 0, 0xff, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0x20, 0x18, 0xc8, 0x81, 4, 0x38, 0x8e, 4, 0xb1]
            }
            "open" => {
                console += 1;
                open(console)
            }
            "rakp1" => rakp1(opened ^ 0x5555_5554),
            "rakp1-again" => rakp1(opened),
            "rakp3" => plus(PayloadType::Rakp3, &[&[1, 0, 0, 0][..], &(opened ^ 2).to_le_bytes(), &[7; 20]].concat()),
            "wrong-code" => {
                let mut packet = session.request(APP, GET_DEVICE_ID, &[]);
                packet.last_mut().into_iter().for_each(|byte| *byte ^= 1);
                packet
            }
            _ => [&[6, 0, 0xff, 7, 6][..], &[0xa5; 60]].concat(),
        })
        .bench_local_refs(|packet| rig.datagram(packet));
}

fn plus(kind: PayloadType, payload: &[u8]) -> Vec<u8> {
    payload20(kind, |out| out.extend_from_slice(payload))
}

/// Get SDR for every record of the repository, in a session of suite 3: its header, then the rest in
/// pieces, as clients do it.
#[divan::bench]
fn sdr_walk(bencher: Bencher<'_, '_>) {
    let (_, commands) = largest(".emu");
    let mut rig = Rig::new(&commands, None);
    let mut session = rig.log_in(Way::Suite(3));
    let reservation = session.ask(&mut rig, STORAGE, RESERVE_SDR, &[]);
    let (mut requests, mut id, mut records) = (Vec::new(), [0, 0], 0u32);
    while id != [0xff, 0xff] {
        let part = |offset, count| [reservation[0], reservation[1], id[0], id[1], offset, count];
        let header = session.ask(&mut rig, STORAGE, GET_SDR, &part(0, SDR_HEADER));
        requests.push(part(0, SDR_HEADER));
        let end = SDR_HEADER.saturating_add(header[6]);
        requests.extend((SDR_HEADER..end).step_by(SDR_PART.into()).map(|at| part(at, SDR_PART.min(end - at))));
        id = [header[0], header[1]];
        records += 1;
    }
    println!(" {records} records, {} requests", requests.len());
    bencher
        .counter(ItemsCount::new(requests.len()))
        .with_inputs(|| -> Vec<_> {
            requests.iter().map(|request| session.request(STORAGE, GET_SDR, request)).collect()
        })
        .bench_local_refs(|packets| packets.iter_mut().for_each(|packet| rig.datagram(packet)));
}

/// Add SEL Entry into a log of up to 32 entries.
fn sel_add(bencher: Bencher<'_, '_>, directory: Option<StateDirectory>) {
    let mut rig = Rig::new(&example("sim.emu"), directory);
    let session = rig.log_in(Way::Suite(3));
    let (rig, session) = (RefCell::new(rig), RefCell::new(session));
    let mut added = 0;
    bencher
        .counter(ItemsCount::new(1u32))
        .with_inputs(|| {
            let mut session = session.borrow_mut();
            if added % ENTRIES == 0 {
                let mut rig = rig.borrow_mut();
                let reservation = session.ask(&mut rig, STORAGE, RESERVE_SEL, &[]);
                let clear = [reservation[0], reservation[1], b'C', b'L', b'R', 0xaa];
                session.ask(&mut rig, STORAGE, CLEAR_SEL, &clear);
            }
            added += 1;
            let entry = [0, 0, 2, 0, 0, 0, 0, 0x20, 0, 4, 1, 1, 0x59, 1, 2, 3];
            session.request(STORAGE, ADD_SEL_ENTRY, &entry)
        })
        .bench_local_refs(|packet| rig.borrow_mut().datagram(packet));
}

#[divan::bench(sample_size = ENTRIES)]
fn sel_add_not_kept(bencher: Bencher<'_, '_>) {
    sel_add(bencher, None);
}

/// With the state file written, synced and renamed: the disk's time.
#[divan::bench(sample_size = ENTRIES, sample_count = 20)]
fn sel_add_kept(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder");
    sel_add(bencher, Some(StateDirectory::open(folder.path(), "minimal").expect("a directory for state")));
}

#[divan::bench]
fn lan_conf_of_the_largest_file(bencher: Bencher<'_, '_>) {
    let (name, text) = largest("lan.conf");
    bencher.counter(BytesCount::of_slice(&text)).bench_local(|| lan_conf::parse(&name, &text));
}

#[divan::bench]
fn command_file_of_the_largest_file(bencher: Bencher<'_, '_>) {
    let (name, text) = largest(".emu");
    bencher.counter(BytesCount::of_slice(&text)).bench_local(|| {
        let variables = Variables::default();
        statements(&name, &text).into_iter().filter(|statement| statement.resolve(&variables).is_ok()).count()
    });
}
