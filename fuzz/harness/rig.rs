//! A simulator with an outside that carries out little and checks what it is asked for.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use ipmi_sim::bmc::external::FileWrite;
use ipmi_sim::config::command::{Statement, statements};
use ipmi_sim::config::lan_conf;
use ipmi_sim::ipmi::{ChannelNumber, McAddress, Moment, Random};
use ipmi_sim::runtime::script::Folders;
use ipmi_sim::runtime::statement::{StatementOutcome, execute};
use ipmi_sim::settings::model::Config;
use ipmi_sim::sim::{
    ConsoleId, Effect, Effects, Input, LanId, OUTPUT_LIMIT, Persistence, ProgramEnd, SerialId, Simulator, Work,
    WorkDone,
};
use ipmi_sim::store::format::read_all;
use ipmi_sim::wire::{rmcp, session15, session20};

/// The LAN channel that clients talk to, and the line to the host.
pub const LAN: LanId = LanId { mc: McAddress(0x20), channel: ChannelNumber::LAN };
pub const HOST: SerialId = SerialId { mc: McAddress(0x20), channel: ChannelNumber::SYSTEM_INTERFACE };

/// When a run begins.
pub const START: Moment = Moment::new(Duration::from_secs(5000));

/// No request is worth more than this.
const MOST_EFFECTS: usize = 20_000;
/// Calls for one and the same moment.
const MOST_TIMEOUTS: usize = 1000;

/// How many configurations there are.
pub const CONFIGURATIONS: usize = 6;

pub fn configuration(which: usize) -> String {
    let codec = ["VM", "Direct", "TerminalMode", "RadisysAscii oem Radisys", "VM", "VM"][which];
    let chassis = ["chassis_control \"./control 0x20\"", "", "", "", "startcmd \"vm\"", ""][which];
    let key = ["", "bmc_key \"abcdefghijklmnopqrs\"", "", "", "", ""][which];
    let none = if which == 5 { "none " } else { "" };
    format!(
        r#"
name "fuzz"
user 1 true "" "test" user 10 none md2 md5 straight
user 2 true "ipmiusr" "test" admin 10 none md2 md5 straight
user 3 true "lowly" "low-secret" user 10 none md2 md5 straight
user 4 true "oper" "oper-secret" operator 10 none md2 md5 straight
serial 15 127.0.0.1 9002 codec {codec}
{chassis}
sol "tcp:127.0.0.1:9003" 115200 history=4000 historyfru=10
startlan 1
  addr 127.0.0.1 9001
  priv_limit admin
  allowed_auths_callback {none}md2 md5 straight
  allowed_auths_user {none}md2 md5 straight
  allowed_auths_operator {none}md2 md5 straight
  allowed_auths_admin {none}md2 md5 straight
  guid a123456789abcdefa123456789abcdef
  lan_config_program "./lan 0x20"
  {key}
endlan
set_working_mc 0x30
user 2 true "ipmiusr" "test" admin 10 md5
"#
    )
}

/// A command file that makes one of everything.
pub const SCRIPT: &str = r#"
mc_setbmc 0x20
mc_add 0x20 0 has-device-sdrs 0x23 9 8 0xbf 0x1291 0xf02 persist_sdr
sel_enable 0x20 100 0x0a
sensor_add 0x20 0 0 35 0x6f event-only
sensor_set_event_support 0x20 0 0 enable scanning per-state 000000000001111 000000000000000 000000000001111 000000000000000
sensor_add 0x20 0 1 1 1 poll 20000 file "/nothing" ascii
sensor_add 0x20 0 2 1 1
sensor_set_value 0x20 0 2 100 1
sensor_set_threshold 0x20 0 2 settable 111111 9 8 7 3 2 1
sensor_set_hysteresis 0x20 0 2 settable 200 200
mc_add_fru_data 0x20 0 16 data 1 2 3 4 5 6 7 8
main_sdr_add 0x20 0 0 0x51 0x12 0x08 0x20 0 0 0 0 0 0xc1 65
device_sdr_add 0x20 0 0 0 0x51 0x12 0x08 0x20 0 0 0 0 0 0xc1 66
mc_add 0x30 2 no-device-sdrs 0x98 0x10 1 0xa0 0x1291 0xf03
mc_enable 0x30
mc_enable 0x20
"#;

/// A generator that is the same in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

impl Random for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| *byte = self.next() as u8);
    }
}

pub struct Rig {
    pub sim: Simulator,
    pub now: Moment,
    /// What the last call sent.
    pub sent: Vec<(SocketAddr, Vec<u8>)>,
    /// The state directory.
    pub files: BTreeMap<String, Vec<u8>>,
    jobs: VecDeque<Work>,
    which: usize,
    effects: Effects,
    /// Lines of the log that are about a state file.
    complaints: Vec<String>,
}

impl Rig {
    pub fn of(sim: Simulator, now: Moment) -> Self {
        Self {
            sim,
            now,
            sent: Vec::new(),
            files: BTreeMap::new(),
            jobs: VecDeque::new(),
            which: 0,
            effects: Effects::default(),
            complaints: Vec::new(),
        }
    }

    /// A simulator of one of the [`CONFIGURATIONS`] and a state directory.
    pub fn configured(which: usize, files: BTreeMap<String, Vec<u8>>) -> Self {
        static CONFIGS: OnceLock<Vec<Config>> = OnceLock::new();
        let configs = CONFIGS.get_or_init(|| {
            (0..CONFIGURATIONS)
                .map(|which| {
                    let (config, findings) = lan_conf::parse("lan.conf", configuration(which).as_bytes());
                    config.unwrap_or_else(|| panic!("configuration {which}: {findings:?}"))
                })
                .collect()
        });
        let which = which % CONFIGURATIONS;
        let sim = Simulator::new(configs[which].clone(), read_all(&files), Persistence::On, Box::new(Dice(7)));
        Self { files, which, ..Self::of(sim, START) }
    }

    pub fn begin(&mut self) {
        self.call(|sim, now, out| sim.handle(now, Input::Begin, out));
    }

    /// The whole start, with the command file and everything it waits for.
    pub fn start(&mut self) {
        static LINES: OnceLock<Vec<Statement>> = OnceLock::new();
        self.begin();
        for statement in LINES.get_or_init(|| statements("sim.emu", SCRIPT.as_bytes())) {
            let failure = self.statement(statement);
            assert_eq!(failure, None, "the command file is right");
        }
        self.call(|sim, now, out| sim.handle(now, Input::Started, out));
        self.finish_jobs(&[0]);
    }

    /// Runs a command file's statements as far as they need nothing but the simulator.
    pub fn run_script(&mut self, text: &[u8]) {
        for statement in statements("sim.emu", text).iter().take(200) {
            self.statement(statement);
        }
    }

    /// Runs a statement; what is wrong with it comes back.
    pub fn statement(&mut self, statement: &Statement) -> Option<String> {
        let mut outcome = StatementOutcome::Done;
        let folders = Folders::default();
        self.call(|sim, now, out| outcome = execute(sim, now, Some(ConsoleId(1)), statement, &folders, out));
        match outcome {
            StatementOutcome::Failed(finding) => Some(finding.to_string()),
            _ => None,
        }
    }

    /// Calls the simulator and looks at what it wants done.
    pub fn call(&mut self, act: impl FnOnce(&mut Simulator, Moment, &mut Effects)) {
        let mut out = std::mem::take(&mut self.effects);
        act(&mut self.sim, self.now, &mut out);
        self.sent.clear();
        assert!(out.list.len() < MOST_EFFECTS, "{} effects of one call", out.list.len());
        for effect in out.list.drain(..) {
            match effect {
                Effect::Send { to, start, end, .. } => {
                    let datagram = out.bytes[start..end].to_vec();
                    check_datagram(&datagram);
                    self.sent.push((to.address, datagram));
                }
                Effect::Run(work) => self.jobs.push_back(work),
                Effect::Log { text, .. } if is_about_a_state_file(&text) => self.complaints.push(text),
                _ => {}
            }
        }
        out.bytes.clear();
        self.effects = out;
    }

    /// A datagram comes in; what is sent because of it is in `sent`.
    pub fn datagram(&mut self, from: SocketAddr, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        self.call(|sim, now, out| {
            sim.handle(now, Input::Datagram { lan: LAN, from: from.into(), bytes: &mut bytes }, out);
        });
    }

    /// Lets the time run.
    pub fn age(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut at_once = 0;
        while let Some(due) = self.sim.deadline().filter(|due| *due <= end) {
            at_once = if due > self.now { 0 } else { at_once + 1 };
            assert!(at_once < MOST_TIMEOUTS, "the simulator wants to be called for a moment that is over");
            self.now = due.max(self.now);
            self.call(|sim, now, out| sim.handle(now, Input::Timeout, out));
        }
        self.now = end;
    }

    /// Ends the jobs that wait, the first as the first byte of `how` says, and so on.
    pub fn finish_jobs(&mut self, how: &[u8]) {
        let mut how = how.iter().copied().cycle();
        for _ in 0..1000 {
            let Some(work) = self.jobs.pop_front() else { return };
            let how = how.next().unwrap_or(0);
            let done = self.work(work, how);
            self.call(|sim, now, out| sim.handle(now, Input::WorkDone(done), out));
        }
    }

    fn work(&mut self, work: Work, how: u8) -> WorkDone {
        let good = how & 1 == 0;
        let no = || "no".to_owned();
        match work {
            Work::Save { job, name, content } => WorkDone::Saved(
                job,
                if good {
                    self.files.insert(name, content);
                    Ok(())
                } else {
                    Err(no().as_str().into())
                },
            ),
            Work::Read { job, read } => {
                let length = read.length.min(usize::from(how >> 4) * 40);
                WorkDone::Read(job, if good { Ok(vec![b'0' + (how >> 1) % 10; length]) } else { Err(no()) })
            }
            Work::Write { job, write: FileWrite::At { data, .. } | FileWrite::Replace { content: data, .. } } => {
                WorkDone::Written(job, if good { Ok(data.len()) } else { Err(no()) })
            }
            Work::Program { job, .. } => {
                let mut output = match how >> 6 {
                    0 => b"power:1\nboot:pxe\n".to_vec(),
                    1 => b"ip_addr:1.2.3.4\nsubnet_mask:255.0.0.0\ndefault_gw_ip_addr:1.2.3.4\n".to_vec(),
                    2 => vec![b'\xff'; OUTPUT_LIMIT],
                    _ => b"mac_addr:00:11:22:33:44:55\nip_addr_src:dhcp\npower:".to_vec(),
                };
                output.truncate(output.len() - usize::from(how >> 1 & 0x1f).min(output.len()));
                let status = Some(i32::from(!good) << 8);
                WorkDone::Program(job, ProgramEnd { status, output, complaints: Vec::new(), problem: None })
            }
        }
    }

    /// The state that was saved is read without a complaint.
    pub fn start_again(&mut self) {
        self.finish_jobs(&[0]);
        if self.files.keys().all(|name| name == "guids") {
            return;
        }
        let mut again = Self::configured(self.which, self.files.clone());
        // A file that was never written holds what the input put there.
        let complaints = std::mem::take(&mut self.complaints);
        again.start();
        again.complaints.retain(|line| !complaints.contains(line));
        assert_eq!(again.complaints, Vec::<String>::new(), "state files of ours");
    }

    /// Whether a job waits that changes something outside or on disk.
    pub fn wants_change(&self) -> Option<&Work> {
        self.jobs.iter().find(|work| match work {
            Work::Program { line, .. } => line.contains(" set "),
            Work::Write { .. } | Work::Save { .. } => true,
            Work::Read { .. } => false,
        })
    }
}

fn is_about_a_state_file(line: &str) -> bool {
    line.starts_with("sel.") || line.starts_with("sdr.") || line.contains(".mc")
}

/// What is sent is well formed.
fn check_datagram(datagram: &[u8]) {
    let header = rmcp::Repr::parse(datagram).expect("an RMCP header");
    let packet = &datagram[rmcp::HEADER_LENGTH..];
    assert!(datagram.len() < 1400, "{} bytes", datagram.len());
    match (header.class, packet.first()) {
        (rmcp::Class::Asf, _) => assert_eq!(packet.len(), 24),
        (rmcp::Class::Ipmi, Some(&session20::FORMAT)) => {
            let header = session20::Header::parse(packet).expect("an RMCP+ header");
            assert!(header.authenticated || packet.len() == header.payload_end());
        }
        (rmcp::Class::Ipmi, _) => drop(session15::Packet::parse(packet).expect("an IPMI 1.5 packet")),
    }
}
