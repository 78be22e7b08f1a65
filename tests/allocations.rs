//! A datagram's way through the simulator allocates nothing: all its buffers are used again. What sessions took is given back.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use ipmi_sim::config::command::statements;
use ipmi_sim::config::lan_conf;
use ipmi_sim::host::random::SystemRandom;
use ipmi_sim::ipmi::{ChannelNumber, McAddress, Moment, netfn};
use ipmi_sim::runtime::script::Folders;
use ipmi_sim::runtime::statement::execute;
use ipmi_sim::sim::{Effect, Effects, Input, LanId, Persistence, Pool, Simulator, Work, WorkDone};
use ipmi_sim_client::{
    ADMINISTRATOR, Account, CLOSE_SESSION, Error, GET_DEVICE_ID, SET_SESSION_PRIVILEGE_LEVEL, Session, Way,
};

/// Sensor/Event and Storage, IPMI 2.0 sections 33 and 35.
const GET_SENSOR_READING: u8 = 0x2d;
const RESERVE_SDR_REPOSITORY: u8 = 0x22;
const GET_SDR: u8 = 0x23;
/// Record type.
const FULL_SENSOR: u8 = 0x01;

/// Chassis, IPMI 2.0 section 28.8.
const SET_POWER_RESTORE_POLICY: u8 = 0x06;

const LAN: LanId = LanId { mc: McAddress(0x20), channel: ChannelNumber::LAN };

fn file(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/minimal").join(name)).expect(name)
}

fn random() -> SystemRandom {
    SystemRandom::new().expect("random numbers")
}

/// A session with the buffers of its datagrams.
struct Client {
    session: Session,
    random: SystemRandom,
    packet: Vec<u8>,
    answer: Vec<u8>,
}

/// The minimal example without a runtime.
struct Rig {
    system: Simulator,
    now: Moment,
    from: SocketAddr,
    effects: Effects,
}

impl Rig {
    fn new() -> Self {
        Self::with(&mut Pool::default(), Persistence::Off)
    }

    /// A system that shares with others of the pool.
    fn with(pool: &mut Pool, persistence: Persistence) -> Self {
        let text = file("lan.conf");
        let (config, faults) = lan_conf::parse("lan.conf", &text);
        let config = config.unwrap_or_else(|| panic!("{faults:?}"));
        let mut system = Simulator::new(config, BTreeMap::new(), persistence, Box::new(random()));
        let now = Moment::new(Duration::from_secs(1000));
        let mut effects = Effects::default();
        system.handle(now, Input::Begin, &mut effects);
        let commands = file("sim.emu");
        for statement in statements("sim.emu", &commands) {
            execute(&mut system, now, None, &statement, &Folders::default(), &mut effects);
        }
        system.handle(now, Input::Started, &mut effects);
        system.share(pool);
        let mut rig = Self { system, now, from: "127.0.0.1:4000".parse().expect("an address"), effects };
        rig.carry_out(&mut Vec::new());
        rig
    }

    /// Hands a datagram in and copies what is sent in answer to the end of `answers`.
    fn datagram(&mut self, bytes: &mut [u8], answers: &mut Vec<u8>) {
        self.now = self.now + Duration::from_micros(10);
        self.system.handle(self.now, Input::Datagram { lan: LAN, from: self.from.into(), bytes }, &mut self.effects);
        self.carry_out(answers);
        self.system.deadline();
    }

    /// Copies what is sent and saves what is to be saved, until nothing is.
    fn carry_out(&mut self, answers: &mut Vec<u8>) {
        let mut saves = Vec::new();
        loop {
            for effect in &self.effects.list {
                match effect {
                    Effect::Send { start, end, .. } => answers.extend_from_slice(&self.effects.bytes[*start..*end]),
                    Effect::Run(Work::Save { job, .. }) => saves.push(*job),
                    _ => {}
                }
            }
            self.effects.clear();
            let Some(job) = saves.pop() else { return };
            self.system.handle(self.now, Input::WorkDone(WorkDone::Saved(job, Ok(()))), &mut self.effects);
        }
    }

    fn ask(&mut self, client: &mut Client, seq: u8, cmd: u8, data: &[u8]) {
        let Client { session, random, packet, answer } = client;
        session.request((seq, netfn::APP, cmd), data, random, packet);
        answer.clear();
        self.datagram(packet, answer);
        let response = session.open_unverified(answer).and_then(|opened| opened.response()?.done());
        assert_eq!(response.expect("a response").seq, seq);
    }
}

#[test]
fn a_request_in_a_session_allocates_nothing() {
    for suite in [3, 17, 2, 8, 12] {
        let mut rig = Rig::new();
        let mut random = random();
        let account = Account::new("admin", "admin");
        let session = Session::login(Way::Suite(suite), account, &mut random, |datagram| {
            let mut answer = Vec::new();
            rig.datagram(&mut datagram.to_vec(), &mut answer);
            Ok::<_, Error>(answer)
        })
        .expect("a login");
        let mut client = Client { session, random, packet: Vec::new(), answer: Vec::new() };
        rig.ask(&mut client, 0, SET_SESSION_PRIVILEGE_LEVEL, &[ADMINISTRATOR]);
        let mut some = |count: u32| {
            for number in 0..count {
                rig.ask(&mut client, (number % 64) as u8, GET_DEVICE_ID, &[]);
            }
        };
        // Buffers grow to their size, which also shows that the counter counts.
        assert!(allocation_counter::measure(|| some(64)).count_total > 0);
        let counted = allocation_counter::measure(|| some(640));
        assert_eq!(counted.count_total, 0, "suite {suite}: {counted:?}");
    }
}

impl Rig {
    /// A login, a walk through SDRs and sensors as `ipmitool sdr` does it, a change that is kept, and a logout; then what
    /// is due until nothing is.
    fn visit(&mut self, way: Way, policy: u8) {
        let mut random = random();
        let session = Session::login(way, Account::new("admin", "admin"), &mut random, |datagram| {
            let mut answer = Vec::new();
            self.datagram(&mut datagram.to_vec(), &mut answer);
            Ok::<_, Error>(answer)
        });
        let mut session = session.expect("a login");
        let id_of_session = session.id.0.to_le_bytes();
        let mut seq = 0;
        let mut ask = |netfn: u8, cmd: u8, data: &[u8]| {
            let (mut packet, mut answer) = (Vec::new(), Vec::new());
            session.request((seq, netfn, cmd), data, &mut random, &mut packet);
            self.datagram(&mut packet, &mut answer);
            seq = (seq + 1) % 64;
            let response = session.open_unverified(&mut answer).and_then(|opened| opened.response()?.done());
            response.map(|response| response.data.to_vec()).expect("a response")
        };
        ask(netfn::APP, SET_SESSION_PRIVILEGE_LEVEL, &[ADMINISTRATOR]);
        let reservation = ask(netfn::STORAGE, RESERVE_SDR_REPOSITORY, &[]);
        let mut id = vec![0, 0];
        while id != [0xff, 0xff] {
            let record = ask(netfn::STORAGE, GET_SDR, &[&reservation[..], &id, &[0, 16]].concat());
            if record[5] == FULL_SENSOR {
                ask(netfn::SENSOR_EVENT, GET_SENSOR_READING, &record[9..10]);
            }
            id = record[..2].to_vec();
        }
        ask(netfn::CHASSIS, SET_POWER_RESTORE_POLICY, &[policy]);
        ask(netfn::APP, CLOSE_SESSION, &id_of_session);
        while let Some(due) = self.system.deadline() {
            self.now = self.now.max(due);
            self.system.handle(self.now, Input::Timeout, &mut self.effects);
            self.carry_out(&mut Vec::new());
        }
    }
}

/// Of thousands of systems few are used at a time; what they have in common stays common.
#[test]
fn a_system_holds_no_more_after_a_visit_than_before() {
    let mut pool = Pool::default();
    let mut first = Rig::with(&mut pool, Persistence::On);
    let mut second = Rig::with(&mut pool, Persistence::On);
    for (way, policy) in [(Way::Suite(3), 1), (Way::Suite(17), 2), (Way::Md5, 0)] {
        // What systems of a process have in common is there then.
        first.visit(way, policy);
        std::mem::swap(&mut first.effects, &mut second.effects);
        let held = allocation_counter::measure(|| second.visit(way, policy));
        std::mem::swap(&mut first.effects, &mut second.effects);
        assert!(held.bytes_total > 1000);
        assert_eq!((held.bytes_current, held.count_current), (0, 0), "{way}: {held:?}");
    }
}
