//! The whole simulator in virtual time: configured by its two languages, spoken to by
//! clients that log in, with a runtime that carries out nothing and tells everything.

mod accounts;
mod added_commands;
mod attacks;
mod counting;
mod disk;
mod faults;
mod fills;
mod hostile;
mod ipmb_devices;
mod living;
mod operations;
mod plays;
mod reload;
mod replay;
mod resends;
mod sensor_event;
mod show;
mod slow_work;
mod sol;
mod storage;
mod timeouts;
mod watching;
mod world;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use ipmi_sim_client::testing::{Client, Login15, Login20, Server};

use crate::bmc::LogLevel;
use crate::bmc::ipv6_parameters::Served;
use crate::bmc::lan_parameters::CIPHER_SUITES;
use crate::config::command::{Statement, statements};
use crate::config::lan_conf;
use crate::crypto::SUITES;
use crate::ipmi::{ChannelNumber, McAddress, Medium, Moment, Origin, Privilege, Request, SessionId, UserNumber};
use crate::lan::testing::Dice;
use crate::runtime::recordings::Recordings;
use crate::runtime::script::Folders;
use crate::runtime::statement::{self, StatementOutcome};
use crate::sim::{
    Content, Effect, Effects, Input, IpmbId, LanId, Persistence, ProgramEnd, ProgramJob, SaveFailure, SaveJob, Saved,
    SerialId, Simulator, Tally, Work, WorkDone,
};
use crate::store::format::read_all;
use crate::wire::ipmb::Message;

const LAN: LanId = LanId { mc: McAddress::BMC, channel: ChannelNumber::LAN };
const HOST: SerialId = SerialId { mc: McAddress::BMC, channel: ChannelNumber::SYSTEM_INTERFACE };

const CONF: &str = r#"
name "test"
user 2 true "ipmiusr" "test" admin 10 md5
startlan 1
  addr 127.0.0.1 9001
  allowed_auths_admin md5
  allowed_auths_operator md5
  allowed_auths_user md5
  guid a123456789abcdefa123456789abcdef
endlan
"#;

const WITH_SOL: &str = r#"
name "test"
user 2 true "ipmiusr" "test" admin 10 md5
sol "/dev/ttyS1" 115200
startlan 1
  addr 127.0.0.1 9001
  allowed_auths_admin md5
  guid a123456789abcdefa123456789abcdef
endlan
"#;

const EMU: &str = "
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0xbf 0x1291 0xf02 persist_sdr
sel_enable 0x20 100 0x0a
sensor_add 0x20 0 0 35 0x6f event-only
sensor_set_event_support 0x20 0 0 enable scanning per-state 000000000001111 000000000000000 000000000001111 000000000000000
mc_add 0x30 2 no-device-sdrs 0x98 0x10 1 0xa0 0x1291 0xf03
mc_enable 0x30
mc_enable 0x20
";

/// A simulator whose outside remembers what it was asked for.
struct Rig {
    sim: Simulator,
    now: Moment,
    effects: Vec<Effect>,
    /// What came with the last datagram.
    sent: Vec<(SocketAddr, Vec<u8>)>,
    faults: Vec<String>,
    /// What is counted, in tests that count.
    tally: Option<Box<Tally>>,
}

impl Rig {
    fn new(conf: &str, emu: &str) -> Self {
        Self::with_state(conf, emu, BTreeMap::new())
    }

    fn with_state(conf: &str, emu: &str, state: BTreeMap<String, Vec<u8>>) -> Self {
        let (config, diagnostics) = lan_conf::parse("lan.conf", conf.as_bytes());
        let mut config = config.unwrap_or_else(|| panic!("{diagnostics:?}"));
        assert_eq!(Recordings::default().load(&mut config, "lan.conf", conf), []);
        let sim = Simulator::new(config, read_all(&state), Persistence::On, Box::new(Dice(7)));
        let now = Moment::new(Duration::from_secs(5000));
        let mut rig = Self { sim, now, effects: Vec::new(), sent: Vec::new(), faults: Vec::new(), tally: None };
        rig.call(|sim, now, out| sim.handle(now, Input::Begin, out));
        for statement in statements("sim.emu", emu.as_bytes()) {
            rig.run(&statement);
        }
        rig
    }

    fn run(&mut self, statement: &Statement) {
        let mut outcome = StatementOutcome::Done;
        self.call(|sim, now, out| outcome = statement::execute(sim, now, None, statement, &Folders::default(), out));
        match outcome {
            StatementOutcome::Done => {}
            StatementOutcome::Failed(diagnostic) => self.faults.push(diagnostic.message),
            other => panic!("{other:?}"),
        }
    }

    fn command(&mut self, line: &str) {
        self.run(&Statement::single("<test>", line));
    }

    /// Calls the simulator and keeps what it wants done.
    fn call(&mut self, act: impl FnOnce(&mut Simulator, Moment, &mut Effects)) {
        let mut out = Effects { tally: self.tally.take(), ..Effects::default() };
        act(&mut self.sim, self.now, &mut out);
        self.tally = out.tally;
        self.sent.clear();
        for effect in out.list {
            match effect {
                Effect::Send { to, start, end, .. } => self.sent.push((to.address, out.bytes[start..end].to_vec())),
                other => self.effects.push(other),
            }
        }
    }

    /// Lets the time run to the next deadline, at most `seconds` away.
    fn wait(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some(due) = self.sim.deadline().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.call(|sim, now, out| sim.handle(now, Input::Timeout, out));
        }
        self.now = end;
    }

    /// Takes the jobs that wait for the outside.
    fn jobs(&mut self) -> Vec<Work> {
        let (jobs, others) = std::mem::take(&mut self.effects).into_iter().partition(|e| matches!(e, Effect::Run(_)));
        self.effects = others;
        jobs.into_iter().filter_map(|e| if let Effect::Run(work) = e { Some(work) } else { None }).collect()
    }

    /// The first job, which is a program: its line.
    fn program_job(&mut self) -> (ProgramJob, String) {
        match self.jobs().remove(0) {
            Work::Program { job, line, .. } => (job, line),
            work => panic!("{work:?} is no program"),
        }
    }

    /// The first job, which writes a state file.
    fn save_job(&mut self) -> SaveJob {
        match self.jobs().remove(0) {
            Work::Save { job, .. } => job,
            work => panic!("{work:?} is no state file"),
        }
    }

    /// The port of the LAN channel is open.
    fn lan_opened(&mut self, local: &str) {
        let local = local.parse().unwrap();
        self.call(|sim, now, out| sim.handle(now, Input::LanOpened(LAN, local, Served::default()), out));
    }

    /// A state file was written, or could not be.
    fn saved(&mut self, job: SaveJob, result: Saved) {
        self.done(WorkDone::Saved(job, result));
    }

    fn done(&mut self, done: WorkDone) {
        self.call(|sim, now, out| sim.handle(now, Input::WorkDone(done), out));
    }

    /// Saves every state file that waits to be saved and gives the last content by name.
    fn save(&mut self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        loop {
            let jobs = self.jobs();
            if jobs.is_empty() {
                return files;
            }
            for work in jobs {
                let Work::Save { job, name, content } = work else { panic!("{work:?} is no state file") };
                files.insert(name, content);
                self.saved(job, Ok(()));
            }
        }
    }

    fn shell(&mut self, job: ProgramJob, status: i32, output: &str) {
        let ended = ProgramEnd { status: Some(status), output: output.into(), complaints: Vec::new(), problem: None };
        self.done(WorkDone::Program(job, ended));
    }

    fn sent_messages(&self, client: &mut Client) -> Vec<Vec<u8>> {
        self.sent.iter().map(|(_, bytes)| client.read(bytes).2).collect()
    }

    /// The machine on the VM line connects and announces what it can do: everything.
    fn host_connects(&mut self) {
        self.call(|sim, now, out| sim.handle(now, Input::SerialConnected(HOST), out));
        self.call(|sim, now, out| sim.handle(now, Input::SerialData(HOST, b"\x08\x3f\xa1".into()), out));
    }

    fn host_bytes(&mut self) -> Vec<u8> {
        let (serial, others) =
            std::mem::take(&mut self.effects).into_iter().partition(|e| matches!(e, Effect::Serial { .. }));
        self.effects = others;
        serial.into_iter().flat_map(|e| if let Effect::Serial { bytes, .. } = e { bytes } else { Vec::new() }).collect()
    }

    fn logs(&self) -> Vec<&str> {
        self.effects
            .iter()
            .filter_map(|e| match e {
                Effect::Log { text, .. } | Effect::ConsoleLog { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }
}

impl Server for Rig {
    fn send_from(&mut self, from: &str, datagram: &[u8]) -> Vec<(SocketAddr, Vec<u8>)> {
        let from = from.parse().unwrap();
        let mut bytes = datagram.to_vec();
        self.call(|sim, now, out| sim.handle(now, Input::Datagram { lan: LAN, from, bytes: &mut bytes }, out));
        self.sent.clone()
    }

    fn limit(&self, session: SessionId) -> u8 {
        self.sim.lan_channel(LAN).session(session).unwrap().limit.wire()
    }
}

/// A client at administrator level.
fn administrator(rig: &mut Rig) -> Client {
    let mut client = Login20::suite(3).run(rig).expect("login");
    assert_eq!(client.ask(rig, 6, 0x3b, &[4]), [0, 4]);
    client
}

fn client_of(rig: &mut Rig, level: u8) -> Client {
    let mut client = administrator(rig);
    assert_eq!(client.ask(rig, 6, 0x3b, &[level]), [0, level]);
    client
}

fn carried(to: u8, netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x40];
    Message { to, to_lun: 0, netfn, from: 0x20, from_lun: 0, seq: 9, cmd, data }.emit(&mut bytes);
    bytes
}

#[test]
fn the_example_starts_without_a_fault() {
    let rig = Rig::new(CONF, EMU);
    assert_eq!(rig.faults, Vec::<String>::new());
    let opened: Vec<_> = rig.effects.iter().filter(|e| matches!(e, Effect::OpenLan { .. })).collect();
    assert_eq!(opened.len(), 1);
}

#[test]
fn device_id_comes_back_over_every_kind_of_session() {
    let expected: &[u8] = b"\x00\x00\x03\x09\x08\x02\xbf\x91\x12\x00\x02\x0f\x00\x00\x00\x00";
    for suite in SUITES.iter().filter(|suite| suite.id != 0) {
        let mut rig = Rig::new(CONF, EMU);
        let mut client = Login20::suite(suite.id).run(&mut rig).expect("login");
        assert_eq!(client.ask(&mut rig, 6, 1, &[]), expected, "suite {}", suite.id);
    }
    let mut rig = Rig::new(CONF, EMU);
    let mut client = Login15::default().run(&mut rig).expect("login");
    assert_eq!(client.ask(&mut rig, 6, 1, &[]), expected);
}

#[test]
fn the_lan_parameters_list_the_suites_that_work() {
    assert_eq!(SUITES.map(|suite| suite.id), CIPHER_SUITES);
}

#[test]
fn privilege_comes_before_everything_else() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = client_of(&mut rig, 2);
    // Chassis Control needs an operator, and it would be too short.
    assert_eq!(client.ask(&mut rig, 0, 2, &[]), [0xd4]);
    assert_eq!(client.ask(&mut rig, 6, 0x3b, &[3]), [0, 3]);
    assert_eq!(client.ask(&mut rig, 0, 2, &[]), [0xc7]);
    // System interface only, at any level.
    assert_eq!(client.ask(&mut rig, 6, 0x31, &[]), [0xd4]);
}

#[test]
fn a_controller_that_is_disabled_answers_ff() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    rig.command("mc_disable 0x20");
    assert_eq!(client.ask(&mut rig, 6, 1, &[]), [0xff]);
    rig.command("mc_enable 0x20");
    assert_eq!(client.ask(&mut rig, 6, 1, &[])[0], 0);
    let opened = rig.effects.iter().filter(|e| matches!(e, Effect::OpenLan { .. })).count();
    assert_eq!(opened, 1, "the socket is open already");
}

#[test]
fn a_bridged_request_is_answered_by_two_messages() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    let packet = client.request(6, 0x34, &carried(0x30, 6, 1, &[]));
    rig.send(&packet);
    let messages = rig.sent_messages(&mut client);
    assert_eq!(messages.len(), 2);
    let outer = Message::parse(&messages[0]).unwrap();
    assert_eq!((outer.netfn, outer.cmd, outer.data), (7, 0x34, [0].as_slice()));
    let inner = Message::parse(&messages[1]).unwrap();
    assert_eq!((inner.to, inner.from, inner.seq, inner.cmd), (0x20, 0x30, 9, 1));
    assert_eq!(inner.data, b"\x00\x02\x08\x10\x01\x02\xa0\x91\x12\x00\x03\x0f\x00\x00\x00\x00");
}

#[test]
fn bridging_gives_nobody_more_than_the_level_allows() {
    let mut rig = Rig::new(CONF, EMU);
    let set_access = [0x91, 3, 4];
    // An operator may not set users, neither directly nor through Send Message.
    let mut client = client_of(&mut rig, 3);
    assert_eq!(client.ask(&mut rig, 6, 0x43, &set_access), [0xd4]);
    assert_eq!(client.ask(&mut rig, 6, 0x34, &carried(0x20, 6, 0x43, &set_access)), [0xd4]);
    // The broadcast form moves the bytes a careless check looks at.
    let mut broadcast = carried(0x20, 6, 0x43, &set_access);
    broadcast.insert(1, 0);
    assert_eq!(client.ask(&mut rig, 6, 0x34, &broadcast), [0xd4]);
    // Send Message inside Send Message neither.
    let twice = carried(0x20, 6, 0x34, &carried(0x20, 6, 0x43, &set_access));
    let packet = client.request(6, 0x34, &twice);
    rig.send(&packet);
    let last = rig.sent_messages(&mut client).pop().unwrap();
    assert_eq!(Message::parse(&last).unwrap().data, [0xd4]);
    assert_eq!(
        rig.sim
            .machine()
            .controller(McAddress::BMC)
            .unwrap()
            .users
            .get(UserNumber::new(3).unwrap())
            .unwrap()
            .privilege
            .wire(),
        0
    );
}

#[test]
fn send_message_refuses_what_it_cannot_deliver() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    let mut ask = |data: &[u8]| client.ask(&mut rig, 6, 0x34, data);
    assert_eq!(ask(&[]), [0xc7]);
    assert_eq!(ask(&[0x40, 0x30, 0x18]), [0xc7]);
    assert_eq!(ask(&carried(0x44, 6, 1, &[])), [0x83]);
    assert_eq!(ask(&carried(0x30, 7, 1, &[0])), [0xff]);
    let mut untracked = carried(0x30, 6, 1, &[]);
    untracked[0] = 0;
    assert_eq!(ask(&untracked), [0xcc]);
    let mut absent = carried(0x30, 6, 1, &[]);
    absent[0] = 0x45;
    assert_eq!(ask(&absent), [0xcc]);
}

#[test]
fn a_satellite_without_a_host_survives_every_chassis_command() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    for cmd in [0, 1, 2, 4, 8, 9] {
        let packet = client.request(6, 0x34, &carried(0x30, 0, cmd, &[0x0e, 0, 0]));
        rig.send(&packet);
        assert_eq!(rig.sent.len(), 2, "chassis command {cmd}");
    }
    assert_eq!(client.ask(&mut rig, 6, 1, &[])[0], 0);
}

const WITH_SCRIPT: &str = r#"
name "test"
user 2 true "ipmiusr" "test" admin 10 md5
chassis_control "./control 0x20"
startlan 1
  addr 127.0.0.1 9001
  allowed_auths_admin md5
  guid a123456789abcdefa123456789abcdef
endlan
"#;

#[test]
fn the_chassis_script_runs_beside_everything_else() {
    let mut rig = Rig::new(WITH_SCRIPT, EMU);
    let mut client = administrator(&mut rig);
    rig.save();
    let on = client.request(0, 2, &[1]);
    assert!(rig.send(&on).is_empty(), "answered before the script is done");
    let jobs = rig.jobs();
    let [Work::Program { job, line, lane: McAddress::BMC }] = jobs.as_slice() else { panic!("{jobs:?}") };
    assert_eq!(line, "./control 0x20 set power \"1\"");
    // Others are served meanwhile, and a resent request does not run the script again.
    let mut other = administrator(&mut rig);
    assert_eq!(other.ask(&mut rig, 6, 1, &[])[0], 0);
    let again = client.again(0, 2, &[1]);
    assert!(rig.send(&again).is_empty());
    assert!(rig.jobs().is_empty());
    rig.shell(*job, 0, "");
    let responses = rig.sent_messages(&mut client);
    assert!(responses.iter().all(|response| Message::parse(response).unwrap().data == [0]), "{responses:?}");
    assert!(!responses.is_empty());
}

#[test]
fn a_failing_script_is_answered_and_logged() {
    let mut rig = Rig::new(WITH_SCRIPT, EMU);
    let mut client = administrator(&mut rig);
    rig.save();
    let status = client.request(0, 1, &[]);
    rig.send(&status);
    let (job, _) = rig.program_job();
    rig.shell(job, 0x100, "no such board\n");
    let response = rig.sent_messages(&mut client).remove(0);
    assert_eq!(Message::parse(&response).unwrap().data, [0xff]);
    assert!(
        rig.logs().contains(&"extcmd read command (./control 0x20 get power) failed: exit status 1: no such board"),
        "{:?}",
        rig.logs()
    );
}

#[test]
fn a_power_cycle_waits_for_the_power_to_be_off() {
    let mut rig = Rig::new(WITH_SCRIPT, EMU);
    let mut client = administrator(&mut rig);
    rig.save();
    let cycle = client.request(0, 2, &[2]);
    rig.send(&cycle);
    let mut lines = Vec::new();
    for output in ["", "power:1\n", "power:0\n", ""] {
        if !lines.is_empty() {
            rig.wait(1);
        }
        let (job, line) = rig.program_job();
        lines.push(line);
        rig.shell(job, 0, output);
        if output == "power:0\n" {
            let (job, line) = rig.program_job();
            lines.push(line);
            rig.shell(job, 0, "");
            break;
        }
    }
    let asked: Vec<_> = lines.iter().map(|line| line.trim_start_matches("./control 0x20 ")).collect();
    assert_eq!(asked, ["set power \"0\"", "get power", "get power", "set power \"1\""]);
}

#[test]
fn a_change_is_acknowledged_when_it_is_safe() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    let mut record = [0; 16];
    record[2] = 2;
    let add = client.request(0x0a, 0x44, &record);
    assert!(rig.send(&add).is_empty(), "answered before the log is on disk");
    let jobs = rig.jobs();
    let [Work::Save { job, name, content }] = jobs.as_slice() else { panic!("{jobs:?}") };
    assert_eq!(name, "sel.20");
    assert!(String::from_utf8_lossy(content).starts_with("1:d:\\01\\00\\02"));
    rig.saved(*job, Ok(()));
    let response = rig.sent_messages(&mut client).remove(0);
    assert_eq!(Message::parse(&response).unwrap().data, [0, 1, 0]);
}

/// A commit of LAN parameters changes a state file and runs a program: both have to be done,
/// in whichever order they end.
#[test]
fn a_change_that_also_runs_a_program_is_acknowledged_when_both_are_done() {
    let conf = CONF.replace("  guid", "  lan_config_program \"./lan\"\n  guid");
    for (saved_first, kept, code) in [(true, true, 0), (false, true, 0), (true, false, 0xff), (false, false, 0xff)] {
        let mut rig = Rig::new(&conf, EMU);
        let mut client = administrator(&mut rig);
        let levels = [0x0e, 24, 0, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44];
        let changes: [&[u8]; 3] = [&[0x0e, 0, 1], &levels, &[0x0e, 3, 192, 0, 2, 9]];
        for change in changes {
            assert_eq!(client.ask(&mut rig, 0x0c, 1, change), [0]);
        }
        let commit = client.request(0x0c, 1, &[0x0e, 0, 2]);
        assert!(rig.send(&commit).is_empty());
        let (saves, programs): (Vec<_>, Vec<_>) =
            rig.jobs().into_iter().partition(|work| matches!(work, Work::Save { .. }));
        let ([Work::Save { job: save, .. }], [Work::Program { job: program, .. }]) =
            (saves.as_slice(), programs.as_slice())
        else {
            panic!("{saves:?}")
        };
        let result: Saved = if kept { Ok(()) } else { Err("No space left on device".into()) };
        let written = |rig: &mut Rig| rig.saved(*save, result.clone());
        if saved_first {
            written(&mut rig);
            assert!(rig.sent.is_empty());
            rig.shell(*program, 0, "");
        } else {
            rig.shell(*program, 0, "");
            assert!(rig.sent.is_empty());
            written(&mut rig);
        }
        let response = rig.sent_messages(&mut client).remove(0);
        assert_eq!(Message::parse(&response).unwrap().data, [code], "saved first: {saved_first}, kept: {kept}");
    }
}

#[test]
fn a_change_that_cannot_be_kept_is_an_error() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    let clear = client.request(0x0a, 0x47, &[0, 0, b'C', b'L', b'R', 0xaa]);
    rig.send(&clear);
    let job = rig.save_job();
    rig.saved(job, Err("No space left on device".into()));
    let response = rig.sent_messages(&mut client).remove(0);
    assert_eq!(Message::parse(&response).unwrap().data, [0xff]);
    assert!(rig.logs().contains(&"Unable to write persistent SELs for MC 32: No space left on device"));
}

#[test]
fn users_log_and_records_come_back_after_a_restart() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    let mut files = BTreeMap::new();
    let mut name = [0; 17];
    name[..7].copy_from_slice(b"\x03second");
    let mut password = [0; 18];
    password[..8].copy_from_slice(b"\x03\x02secret");
    let mut event = [0; 16];
    event[2] = 2;
    let record = b"\x00\x00\x51\x03\x14\x20\x00\x00\x07\x01\x23\x6f\x00\x00\x00\x00\xc8watchdog";
    let changes: [(u8, u8, &[u8]); 6] = [
        (6, 0x45, &name),
        (6, 0x47, &password),
        (6, 0x47, &[3, 1]),
        (6, 0x43, &[0x91, 3, 4]),
        (0x0a, 0x44, &event),
        (0x0a, 0x24, record),
    ];
    for (netfn, cmd, data) in changes {
        let packet = client.request(netfn, cmd, data);
        rig.send(&packet);
        files.extend(rig.save());
        let response = rig.sent_messages(&mut client).pop().unwrap_or_else(|| panic!("{netfn:02x} {cmd:02x}"));
        assert_eq!(Message::parse(&response).unwrap().data[0], 0, "{netfn:02x} {cmd:02x}");
    }
    assert_eq!(files.keys().collect::<Vec<_>>(), ["sdr.20.main", "sel.20", "users.mc20"]);
    let mut rig = Rig::with_state(CONF, EMU, files);
    let login = Login20 { user: "second", password: "secret", ..Login20::suite(17) };
    let mut client = login.run(&mut rig).expect("the new user");
    let entry = client.ask(&mut rig, 0x0a, 0x43, &[0, 0, 0, 0, 0, 0xff]);
    assert_eq!(entry[..6], [0, 0xff, 0xff, 1, 0, 2]);
    let sdr = client.ask(&mut rig, 0x0a, 0x23, &[0, 0, 1, 0, 0, 25]);
    assert_eq!(sdr[5..], record[2..]);
}

#[test]
fn a_user_who_changes_ends_its_sessions_after_the_answer() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    let mut bystander = administrator(&mut rig);
    let mut password = [0; 18];
    password[..9].copy_from_slice(b"\x02\x02newpass");
    let packet = client.request(6, 0x47, &password);
    rig.send(&packet);
    let job = rig.save_job();
    rig.saved(job, Ok(()));
    let response = rig.sent_messages(&mut client).remove(0);
    assert_eq!(Message::parse(&response).unwrap().data, [0]);
    let late = bystander.request(6, 1, &[]);
    assert!(rig.send(&late).is_empty(), "its session is over");
    let login = Login20 { password: "newpass", ..Login20::suite(3) };
    login.run(&mut rig).expect("the new password");
}

#[test]
fn channels_without_a_guid_line_get_one_that_stays() {
    let conf = CONF.replace("  guid a123456789abcdefa123456789abcdef\n", "");
    let mut rig = Rig::new(&conf, EMU);
    let files = rig.save();
    let guid = rig.sim.machine().controller(McAddress::BMC).unwrap().channels.lan(ChannelNumber::LAN).unwrap().guid;
    assert!(files.contains_key("guid"), "{files:?}");
    let mut again = Rig::with_state(&conf, EMU, files);
    assert_eq!(
        again.sim.machine().controller(McAddress::BMC).unwrap().channels.lan(ChannelNumber::LAN).unwrap().guid,
        guid
    );
    assert!(!again.save().contains_key("guid"), "it is kept already");
    Login20::suite(3).open(&mut again).expect("RMCP+ works with it");
}

#[test]
fn priv_limit_limits_the_channel_until_it_is_set_otherwise() {
    let conf = CONF.replace("  guid", "  priv_limit operator\n  guid");
    let mut rig = Rig::new(&conf, EMU);
    let mut client = Login20::suite(3).run(&mut rig).expect("login");
    assert_eq!(client.ask(&mut rig, 6, 0x41, &[0x0e, 0x80]), [0, 2, 3]);
    assert_eq!(client.ask(&mut rig, 6, 0x3b, &[4]), [0x81]);
    // What a client sets and keeps is stronger than lan.conf.
    let state = BTreeMap::from([("lanparm.mc20.1".into(), b"privilege_limit:i:4\n".to_vec())]);
    let mut rig = Rig::with_state(&conf, EMU, state);
    administrator(&mut rig);
}

#[test]
fn lan_channels_of_two_controllers_keep_their_own_files() {
    let second = "set_working_mc 0x30\nstartlan 1\n  addr 127.0.0.1 9003\nendlan\n";
    let mut rig = Rig::new(&format!("{CONF}{second}"), EMU);
    for (mc, limit) in [(0x20, Privilege::Operator), (0x30, Privilege::User)] {
        let controller = rig.sim.machine_mut().controller_mut(McAddress(mc)).unwrap();
        controller.channels.lan_mut(ChannelNumber::LAN).unwrap().nonvolatile_limit = limit;
        rig.sim.machine_mut().actions.push(crate::bmc::Action::save(crate::bmc::StateFile::Lan {
            mc: McAddress(mc),
            channel: ChannelNumber::LAN,
        }));
    }
    rig.call(|sim, now, out| sim.handle(now, Input::Timeout, out));
    let files = rig.save();
    let limit = |name: &str| String::from_utf8_lossy(&files[name]).lines().next().map(str::to_owned);
    assert_eq!(limit("lanparm.mc20.1").as_deref(), Some("privilege_limit:i:3"));
    assert_eq!(limit("lanparm.mc30.1").as_deref(), Some("privilege_limit:i:2"));
}

/// The original keeps it and never tells anybody.
#[test]
fn a_guid_of_the_command_file_is_told_where_lan_conf_has_none() {
    let configured: Vec<u8> = hex_literal::hex!("00a123456789abcdefa123456789abcdef").into();
    let mut rig = Rig::new(CONF, EMU);
    rig.command("mc_set_guid 0x20 00112233445566778899aabbccddeeff");
    let mut client = administrator(&mut rig);
    let given: Vec<u8> = hex_literal::hex!("0000112233445566778899aabbccddeeff").into();
    assert_eq!(client.ask(&mut rig, 6, 0x08, &[]), given, "Get Device GUID");
    assert_eq!(client.ask(&mut rig, 6, 0x37, &[]), configured, "Get System GUID");
    let mut rig = Rig::new(&CONF.replace("  guid a123456789abcdefa123456789abcdef\n", ""), EMU);
    let made = rig.sim.lan_channel(LAN).settings().guid;
    rig.command("mc_set_guid 0x20 a123456789abcdefa123456789abcdef");
    // The client logs in to this GUID and to no other.
    let mut client = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, 6, 0x37, &[]), configured);
    assert_eq!(client.ask(&mut rig, 6, 0x08, &[]), configured);
    rig.command("mc_delete 0x20");
    assert_eq!(rig.sim.lan_channel(LAN).settings().guid, made);
}

#[test]
fn without_state_the_guid_is_the_same_for_commands_and_logins() {
    let conf = CONF.replace("  guid a123456789abcdefa123456789abcdef\n", "");
    let (config, _) = lan_conf::parse("lan.conf", conf.as_bytes());
    let sim = Simulator::new(config.unwrap(), BTreeMap::new(), Persistence::Off, Box::new(Dice(7)));
    let told = sim.machine().controller(McAddress::BMC).unwrap().channels.lan(ChannelNumber::LAN).unwrap().guid;
    assert_eq!(told, Some(sim.lan_channel(LAN).settings().guid));
}

#[test]
fn a_log_that_is_enabled_again_keeps_what_it_has() {
    let mut rig = Rig::new(CONF, EMU);
    rig.command("sel_add 0x20 2 0 0 0 0 0x20 0 4 1 1 1 0x57 0 0");
    rig.command("sel_enable 0x20 50 0x0a");
    assert_eq!(rig.sim.machine().controller(McAddress::BMC).unwrap().sel.records().len(), 1);
    // Nothing was read, nothing is written: it begins empty.
    rig.command("persist off");
    rig.command("sel_enable 0x20 50 0x0a");
    assert_eq!(rig.sim.machine().controller(McAddress::BMC).unwrap().sel.records().len(), 0);
}

#[test]
fn a_session_ends_after_sixty_quiet_seconds() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    rig.wait(59);
    assert_eq!(client.ask(&mut rig, 6, 1, &[])[0], 0);
    rig.wait(61);
    let packet = client.request(6, 1, &[]);
    assert!(rig.send(&packet).is_empty());
    assert_eq!(
        rig.sim.machine().controller(McAddress::BMC).unwrap().channels.lan(ChannelNumber::LAN).unwrap().active_sessions,
        0
    );
}

const WITH_HOST: &str = r#"
name "test"
user 2 true "ipmiusr" "test" admin 10 md5
serial 15 127.0.0.1 9002 codec VM
startlan 1
  addr 127.0.0.1 9001
  allowed_auths_admin md5
  guid a123456789abcdefa123456789abcdef
endlan
"#;

#[test]
fn a_vm_host_is_greeted_asked_and_told() {
    let mut rig = Rig::new(WITH_HOST, EMU);
    rig.call(|sim, now, out| sim.handle(now, Input::SerialConnected(HOST), out));
    assert_eq!(rig.host_bytes(), b"\xff\x01\xa1\x00\xa1");
    // Version and capabilities, as QEMU sends them, then Get Device ID.
    rig.call(|sim, now, out| {
        sim.handle(now, Input::SerialData(HOST, b"\xff\x01\xa1\x08\x3f\xa1\x01\x18\x01\xe6\xa0".into()), out);
    });
    assert!(rig.host_bytes().starts_with(b"\x01\x1c\x01\x00\x00\x03"));
    let mut client = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, 0, 1, &[])[..2], [0, 1], "a connected host is powered on");
    for (control, told) in [(0, b"\x03\xa1"), (3, b"\x04\xa1"), (5, b"\x09\xa1")] {
        assert_eq!(client.ask(&mut rig, 0, 2, &[control]), [0]);
        assert_eq!(rig.host_bytes(), told, "chassis control {control}");
    }
    rig.call(|sim, now, out| sim.handle(now, Input::SerialDisconnected(HOST), out));
    assert_eq!(client.ask(&mut rig, 0, 1, &[])[..2], [0, 0]);
}

#[test]
fn the_watchdog_resets_the_host_and_says_so() {
    let mut rig = Rig::new(WITH_HOST, EMU);
    rig.host_connects();
    let mut client = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, 6, 0x24, &[4, 1, 0, 0, 20, 0]), [0]);
    assert_eq!(client.ask(&mut rig, 6, 0x22, &[]), [0]);
    rig.host_bytes();
    rig.wait(1);
    assert_eq!(rig.host_bytes(), b"");
    rig.wait(2);
    assert_eq!(rig.host_bytes(), b"\x04\xa1");
    rig.save();
    let entry = client.ask(&mut rig, 0x0a, 0x43, &[0, 0, 0, 0, 0, 0xff]);
    assert_eq!(entry[10..], [0x20, 0, 4, 0x23, 0, 0x6f, 0xc1, 4, 0xff]);
}

#[test]
fn a_message_for_the_host_and_its_answer_find_their_way() {
    let mut rig = Rig::new(WITH_HOST, EMU);
    rig.call(|sim, now, out| sim.handle(now, Input::SerialConnected(HOST), out));
    let mut client = administrator(&mut rig);
    rig.host_bytes();
    let mut message = Vec::new();
    Message { to: 0x20, to_lun: 2, netfn: 0x30, from: 0x81, from_lun: 0, seq: 21, cmd: 0x99, data: &[0xde, 0xad] }
        .emit(&mut message);
    let packet = client.packet(crate::wire::session20::PayloadType::Ipmi, &message);
    assert!(rig.send(&packet).is_empty());
    assert_eq!(rig.host_bytes(), b"\x01\xa1", "attention");
    // Get Message.
    rig.call(|sim, now, out| sim.handle(now, Input::SerialData(HOST, b"\x05\x18\x33\xb0\xa0".into()), out));
    let got = rig.host_bytes();
    let start = got.windows(4).position(|w| w == b"\x05\x1c\x33\x00").expect("an answer") + 4;
    let handle = got[start + 1];
    assert_eq!(got[start..start + 4], [1, handle, 0x20, 0xc2]);
    let (rq_addr, slot) = (got[start + 5], got[start + 6]);
    assert_eq!((rq_addr, got[start + 7]), (0x81, 0x99));
    // Send Message to channel 1 with the response.
    let mut response = vec![0x01, handle];
    Message {
        to: rq_addr,
        to_lun: 0,
        netfn: 0x31,
        from: 0x20,
        from_lun: 2,
        seq: slot >> 2,
        cmd: 0x99,
        data: &[0, 1, 2],
    }
    .emit(&mut response);
    let mut frame = vec![0x06, 0x18, 0x34];
    frame.extend_from_slice(&response);
    frame.push(frame.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte)));
    let mut escaped = Vec::new();
    for byte in frame {
        if matches!(byte, 0xa0 | 0xa1 | 0xaa) {
            escaped.extend([0xaa, byte | 0x10]);
        } else {
            escaped.push(byte);
        }
    }
    escaped.push(0xa0);
    rig.call(|sim, now, out| sim.handle(now, Input::SerialData(HOST, (&escaped).into()), out));
    let arrived = rig.sent_messages(&mut client).remove(0);
    let arrived = Message::parse(&arrived).unwrap();
    assert_eq!((arrived.netfn, arrived.seq, arrived.cmd), (0x31, 21, 0x99));
    assert_eq!(arrived.data, [0, 1, 2]);
}

#[test]
fn the_host_reads_the_answer_to_its_send_message() {
    let mut rig = Rig::new(WITH_HOST, EMU);
    rig.call(|sim, now, out| sim.handle(now, Input::SerialConnected(HOST), out));
    rig.host_bytes();
    // Send Message, no tracking, to 30h from LUN 2: Get Device ID.
    let mut frame = vec![0x01, 0x18, 0x34, 0x00];
    Message { to: 0x30, to_lun: 0, netfn: 6, from: 0x20, from_lun: 2, seq: 1, cmd: 1, data: &[] }.emit(&mut frame);
    frame.push(frame.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte)));
    frame.push(0xa0);
    rig.call(|sim, now, out| sim.handle(now, Input::SerialData(HOST, (&frame).into()), out));
    rig.host_bytes();
    rig.call(|sim, now, out| sim.handle(now, Input::SerialData(HOST, b"\x05\x18\x33\xb0\xa0".into()), out));
    let got = rig.host_bytes();
    let start = got.windows(4).position(|w| w == b"\x05\x1c\x33\x00").expect("an answer") + 4;
    // The original's first checksum leaves out the requester's address, and the second the
    // last byte; these are right.
    let expected = b"\x00\x1e\xc2\x30\x04\x01\x00\x02\x08\x10\x01\x02";
    assert_eq!(got[start..start + expected.len()], *expected);
}

/// With a history.
fn with_history() -> String {
    WITH_SOL.replace("115200", "115200 history=100")
}

#[test]
fn serial_over_lan_leads_from_the_port_to_the_session_and_back() {
    use crate::wire::session20::PayloadType;
    let mut rig = Rig::new(&with_history(), EMU);
    assert!(rig.effects.iter().any(|e| matches!(e, Effect::OpenSol { mc: McAddress::BMC, bit_rate: 115_200, .. })));
    rig.call(|sim, now, out| sim.handle(now, Input::SolOpened(McAddress::BMC), out));
    let mut client = administrator(&mut rig);
    let activate = client.ask(&mut rig, 6, 0x48, &[1, 1, 0, 0, 0, 0]);
    assert_eq!(activate[..5], [0, 0, 0, 0, 0]);
    rig.call(|sim, now, out| sim.handle(now, Input::SolData(McAddress::BMC, b"login: ".into()), out));
    let (_, payload_type, packet) = client.read(&rig.sent[0].1);
    assert_eq!((payload_type, packet.as_slice()), (PayloadType::Sol, b"\x01\x00\x00\x00login: ".as_slice()));
    let keys = client.packet(PayloadType::Sol, b"\x01\x01\x07\x00root");
    rig.send(&keys);
    assert!(rig.effects.iter().any(|e| *e == Effect::SolWrite { mc: McAddress::BMC, bytes: b"root".to_vec() }));
    // A second session is told that it is in use, may end it, and the holder hears of it.
    let mut second = administrator(&mut rig);
    assert_eq!(second.ask(&mut rig, 6, 0x48, &[1, 1, 0, 0, 0, 0]), [0x80]);
    let packet = second.request(6, 0x49, &[1, 1, 0, 0, 0, 0]);
    rig.send(&packet);
    let farewell = b"\x06\x00\xff\x06\x00\x00\x11\xbe\x40\xff\x00\x10\x00\x00\x11\xbe\0\0\0\0\0\0\0\0\0\0\0\0";
    assert_eq!(rig.sent.len(), 3, "two for the holder, one answer");
    assert_eq!(rig.sent[1].1, farewell, "what ipmitool's console listens to");
    assert_eq!(second.ask(&mut rig, 6, 0x4a, &[1])[..3], [0, 1, 0]);
}

#[test]
fn a_session_that_dies_frees_the_console() {
    let mut rig = Rig::new(&with_history(), EMU);
    rig.call(|sim, now, out| sim.handle(now, Input::SolOpened(McAddress::BMC), out));
    let mut client = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, 6, 0x48, &[1, 1, 0, 0, 0, 0])[0], 0);
    rig.wait(70);
    let mut second = administrator(&mut rig);
    assert_eq!(second.ask(&mut rig, 6, 0x48, &[1, 1, 0, 0, 0, 0])[0], 0);
}

#[test]
fn a_deleted_controller_is_gone_and_can_be_made_again() {
    let mut rig = Rig::new(CONF, EMU);
    rig.command("mc_delete 0x30");
    rig.command("sensor_add 0x30 0 1 1 1");
    assert_eq!(rig.faults.len(), 1, "{:?}", rig.faults);
    rig.command("mc_add 0x30 2 no-device-sdrs 0x98 0x10 1 0xa0 0x1291 0xf03");
    rig.command("mc_enable 0x30");
    let mut client = administrator(&mut rig);
    let packet = client.request(6, 0x34, &carried(0x30, 6, 1, &[]));
    rig.send(&packet);
    assert_eq!(rig.sent.len(), 2);
}

#[test]
fn a_controller_made_again_keeps_what_was_kept() {
    let mut rig = Rig::new(CONF, EMU);
    let mut client = administrator(&mut rig);
    // Set Channel Access: the non-volatile limit becomes operator.
    let packet = client.request(6, 0x40, &[0x0e, 0x42, 0x43]);
    rig.send(&packet);
    assert!(rig.save().contains_key("lanparm.mc20.1"));
    rig.command("mc_delete 0x20");
    rig.command("mc_add 0x20 0 no-device-sdrs 0x23 9 8 0xbf 0x1291 0xf02 persist_sdr");
    rig.command("mc_enable 0x20");
    assert_eq!(rig.faults, Vec::<String>::new());
    let mut client = Login20::suite(3).run(&mut rig).expect("its users are there");
    assert_eq!(client.ask(&mut rig, 6, 0x41, &[0x0e, 0x40]), [0, 2, 3]);
}

#[test]
fn the_order_of_mc_setbmc_and_mc_add_does_not_matter() {
    let swapped = EMU.replace("mc_setbmc 0x20\n", "").replace("mc_enable 0x30\n", "mc_enable 0x30\nmc_setbmc 0x20\n");
    let record = "1:d:\\01\\00Q\\03\\14 \\00\\00\\07\\01#o\\00\\00\\00\\00\\c8watchdog\n";
    let state = BTreeMap::from([("sdr.20.main".to_string(), record.into())]);
    let mut rig = Rig::with_state(CONF, &swapped, state);
    let mut client = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, 0x0a, 0x20, &[])[2], 1, "the persisted record is there");
    assert_eq!(client.ask(&mut rig, 6, 0x25, &[]).len(), 9, "and a watchdog");
}

#[test]
fn stored_records_that_are_left_out_are_told() {
    // A whole one, one the original wrote before it had its bytes, and a short one.
    let records = "1:d:\\01\\00Q\\c0\\00\n2:d:\\02\\00\\00\\00\\00\\00\n3:d:\\03\\00Q\n";
    let state = BTreeMap::from([("sdr.20.main".to_string(), records.into())]);
    let mut rig = Rig::with_state(CONF, EMU, state);
    let expected = "sdr.20.main: 2 records are left out: blank, shorter than their header, or without a free record id";
    assert_eq!(rig.logs().into_iter().filter(|text| text.contains("left out")).collect::<Vec<_>>(), [expected]);
    let mut client = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, 0x0a, 0x20, &[])[2], 1);
}

#[test]
fn a_start_that_leaves_every_lan_channel_closed_says_so() {
    for (emu, said) in [(EMU.to_owned(), false), (EMU.replace("mc_enable 0x20", "mc_enabel 0x20"), true)] {
        let mut rig = Rig::new(CONF, &emu);
        rig.call(|sim, now, out| sim.handle(now, Input::Started, out));
        assert_eq!(rig.logs().iter().any(|text| text.starts_with("No LAN channel is open")), said);
    }
}

#[test]
fn a_refusal_names_the_sensor() {
    let mut rig = Rig::new(CONF, EMU);
    rig.command("sensor_set_value 0x20 0 9 1 1");
    let expected = "Unable to set sensor value, error 0x16: there is no sensor 9 of MC 0x20, LUN 0";
    assert_eq!(rig.faults, [expected]);
}

#[test]
fn the_command_language_describes_a_shelf() {
    let mut rig = Rig::new(CONF, &format!("atca_enable\natca_set_site 0x10 3 1\n{EMU}"));
    rig.lan_opened("127.0.0.1:24260");
    let mut client = administrator(&mut rig);
    rig.command("mc_set_num_leds 0x20 3");
    assert_eq!(client.ask(&mut rig, 0x2c, 0x01, &[0]), [0, 0, 0x10, 0x20, 0xff, 0, 1, 3]);
    assert_eq!(client.ask(&mut rig, 0x2c, 0x05, &[0, 0]), [0, 0, 7, 0]);
    // The channel was opened at 5000 s = 1388h.
    let address = [0, 0x88, 0x13, 0, 0, 1, 3, 0xff, 0x14, 0x80, 127, 0, 0, 1, 0x5e, 0xc4];
    assert_eq!(client.ask(&mut rig, 0x2c, 0x21, &[0, 0]), address);
    assert_eq!(rig.faults, [""; 0]);
    for line in ["mc_set_num_leds 0x20 9", "mc_set_num_leds 0x20 1", "atca_set_site 0x80 3 1"] {
        rig.command(line);
    }
    let number_of_leds = "Unable to set number of LEDs, error 0x16: invalid argument";
    let site = "Unable to set site type, error 0x16: invalid argument";
    assert_eq!(rig.faults, [number_of_leds, number_of_leds, site]);
}

#[test]
fn debug_shows_messages_by_name() {
    let mut rig = Rig::new(CONF, EMU);
    rig.command("debug msg");
    let mut client = administrator(&mut rig);
    client.ask(&mut rig, 6, 1, &[]);
    client.ask(&mut rig, 0x0a, 0x43, &[0, 0, 0, 0, 0, 0xff]);
    let session = format!("LAN channel 1 192.0.2.1:50000 session {} ", client.session);
    let place = "LAN channel 1 192.0.2.1:50000 ";
    let shown: Vec<String> = rig
        .logs()
        .into_iter()
        .filter_map(|line| line.strip_prefix(&session).or_else(|| line.strip_prefix(place)))
        .map(|line| line.replace(&format!("{}", client.session), "ID"))
        .collect();
    let guid = "a123456789abcdefa123456789abcdef";
    assert_eq!(
        shown,
        [
            "-> Open Session Request tag=0x07 level=highest console=0x11223344 authentication=1 integrity=1 confidentiality=1",
            "<- Open Session Response tag=0x07 status=ok level=admin console=0x11223344 session=ID authentication=1 \
             integrity=1 confidentiality=1",
            "-> RAKP Message 1 tag=0x08 session=ID random=*** level=admin name_only=1 name=\"ipmiusr\"",
            &format!("<- RAKP Message 2 tag=0x08 status=ok console=0x11223344 random=*** guid={guid} code=***"),
            "-> RAKP Message 3 tag=0x09 status=ok session=ID code=***",
            "<- RAKP Message 4 tag=0x09 status=ok console=0x11223344 code=***",
            "seq 0 -> MC 0x20 lun 0: App Set Session Privilege Level (06 3b) level=admin",
            "seq 0 <- MC 0x20 lun 0: App Set Session Privilege Level (07 3b): 00 ok level=admin",
            "seq 1 -> MC 0x20 lun 0: App Get Device ID (06 01)",
            "seq 1 <- MC 0x20 lun 0: App Get Device ID (07 01): 00 ok device=0x00 revision=3 sdrs=0 major=9 updating=0 \
             minor=0x08 ipmi=0x02 support=0xbf manufacturer=4753 product=3842 aux=00000000",
            "seq 2 -> MC 0x20 lun 0: Storage Get SEL Entry (0a 43) reservation=0x0000 record=0x0000 offset=0 count=255",
            "seq 2 <- MC 0x20 lun 0: Storage Get SEL Entry (0b 43): cb requested sensor, data or record not present",
        ]
    );
    // Passwords are for no log, bridged or not.
    let password = [2, 2, b'h', b'u', b's', b'h', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (cmd, data) in [(0x47, password.to_vec()), (0x34, carried(0x20, 6, 0x47, &password))] {
        let packet = client.request(6, cmd, &data);
        rig.send(&packet);
    }
    let secret: Vec<_> = rig.logs().into_iter().filter(|line| line.contains("Set User Password")).collect();
    assert!(secret.len() >= 2 && secret[0].ends_with(" user=2 twenty=0 operation=set password=***"), "{secret:?}");
    assert!(!rig.logs().iter().any(|line| line.contains("68 75 73 68") || line.contains("68757368")), "hush");
    // Nothing else is shown, and `debug` alone shows nothing.
    assert!(!rig.logs().iter().any(|line| line.starts_with("Raw LAN")));
    rig.command("debug");
    let before = rig.logs().len();
    client.ask(&mut rig, 6, 1, &[]);
    assert_eq!(rig.logs().len(), before);
    rig.command("debug raw");
    client.ask(&mut rig, 6, 1, &[]);
    let raw: Vec<_> = rig.logs().into_iter().skip(before).map(|line| line.split_at(13).0.to_owned()).collect();
    assert_eq!(raw, ["Raw LAN recei", "Raw LAN send "]);
}

#[test]
fn open_doors_are_named_at_start() {
    let conf = CONF.replace("allowed_auths_user md5", "allowed_auths_user none md5").replace("10 md5", "10 none md5");
    let rig = Rig::new(&conf, EMU);
    let warning = rig.logs().into_iter().find(|text| text.contains("without a password")).map(str::to_owned);
    assert_eq!(
        warning.as_deref(),
        Some(
            "LAN channel 1 of MC 0x20 lets user 2 in without a password, up to user: \
             'none' stands in its allowed_auths lines"
        )
    );
    assert!(!Rig::new(CONF, EMU).logs().iter().any(|text| text.contains("without a password")));
}
