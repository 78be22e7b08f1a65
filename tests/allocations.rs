//! A datagram's way through the simulator allocates nothing: all its buffers are used again.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use ipmi_sim::config::command::statements;
use ipmi_sim::config::lan_conf;
use ipmi_sim::host::random::SystemRandom;
use ipmi_sim::ipmi::{ChannelNumber, McAddress, Moment, netfn};
use ipmi_sim::runtime::statement::execute;
use ipmi_sim::sim::{Effect, Effects, Input, LanId, Persistence, Simulator};
use ipmi_sim_client::{ADMINISTRATOR, Account, Error, GET_DEVICE_ID, SET_SESSION_PRIVILEGE_LEVEL, Session, Way};

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
        let text = file("lan.conf");
        let (config, faults) = lan_conf::parse("lan.conf", &text);
        let config = config.unwrap_or_else(|| panic!("{faults:?}"));
        let mut system = Simulator::new(config, BTreeMap::new(), Persistence::Off, Box::new(random()));
        let now = Moment::new(Duration::from_secs(1000));
        let mut effects = Effects::default();
        system.handle(now, Input::Begin, &mut effects);
        let commands = file("sim.emu");
        for statement in statements("sim.emu", &commands) {
            execute(&mut system, now, None, &statement, &mut effects);
        }
        system.handle(now, Input::Started, &mut effects);
        effects.clear();
        Self { system, now, from: "127.0.0.1:4000".parse().expect("an address"), effects }
    }

    /// Hands a datagram in and copies what is sent in answer to the end of `answers`.
    fn datagram(&mut self, bytes: &mut [u8], answers: &mut Vec<u8>) {
        self.now = self.now + Duration::from_micros(10);
        self.system.handle(self.now, Input::Datagram { lan: LAN, from: self.from.into(), bytes }, &mut self.effects);
        for effect in &self.effects.list {
            if let Effect::Send { start, end, .. } = effect {
                answers.extend_from_slice(&self.effects.bytes[*start..*end]);
            }
        }
        self.effects.clear();
        self.system.deadline();
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
