//! The original's recorded Sensor/Event and Storage exchanges, sent to [`dispatch`] on
//! controllers set up by the recordings' own command files.
//!
//! Every answer is the recorded one, or its row is named in `tests/data/raw/NAME.differs`
//! with a reason, and with our answer where it is behind `ours: `.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::time::Duration;

use crate::bmc::device_id::DeviceId;
use crate::bmc::external::{Job, JobResult};
use crate::bmc::sensor::{
    self, Content, Dependency, Description, EventSettings, EventSupport, Hysteresis, PollSpec, Reporting, SensorId,
    Support, Thresholds,
};
use crate::bmc::{Machine, sdr, sel};
use crate::command::{Context, Outcome, dispatch};
use crate::config::command::{Command, SensorAddress, Statement, Variables, statements};
use crate::ipmi::{Medium, Moment, Origin, Privilege, Reply, Request, SessionRef, netfn};

const NOW: Moment = Moment::new(Duration::from_secs(2000));
const BMC: u8 = 0x20;

/// The controllers and the files of their sensors and FRUs.
struct World {
    machine: Machine,
    files: HashMap<&'static str, Vec<u8>>,
}

impl World {
    fn new(command_file: &str) -> Self {
        let mut files = HashMap::new();
        macro_rules! file {
            ($name:literal) => {
                files.insert(
                    $name,
                    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/raw/files/", $name)).to_vec(),
                )
            };
        }
        file!("storage-bad.val");
        file!("storage-big.val");
        file!("storage-fru.bin");
        file!("storage-hex.val");
        file!("storage-neg.val");
        file!("storage-raw.val");
        file!("storage-short.val");
        file!("storage-temp.val");
        let mut world = Self { machine: Machine::default(), files };
        // `historyfru=10` of the recording's lan.conf.
        world.machine.ensure(BMC).frus.add_history(10);
        for statement in statements("recording.emu", command_file.as_bytes()) {
            world.run(&statement);
        }
        world
    }

    fn run(&mut self, statement: &Statement) {
        match statement.resolve(&Variables::new()) {
            Ok(Some(command)) => self.execute(command),
            Ok(None) => {}
            Err(fault) => panic!("{fault:?}"),
        }
        while !self.machine.jobs.is_empty() {
            for job in std::mem::take(&mut self.machine.jobs) {
                let result = self.work(job.job);
                (job.then)(&mut self.machine, NOW, result);
            }
        }
    }

    fn work(&mut self, job: Job) -> JobResult {
        const MISSING: &str = "No such file or directory";
        match job {
            Job::Program(_) => panic!("no command of these network functions runs a program"),
            Job::ReadFile { path, offset, length } => JobResult::Read(match self.files.get(path.as_str()) {
                Some(content) => Ok(content.iter().copied().skip(offset as usize).take(length).collect()),
                None => Err(MISSING.to_owned()),
            }),
            Job::WriteFile { path, offset, data } => JobResult::Written(match self.files.get_mut(path.as_str()) {
                Some(content) => {
                    let end = offset as usize + data.len();
                    content.resize(content.len().max(end), 0);
                    content[offset as usize..end].copy_from_slice(&data);
                    Ok(data.len())
                }
                None => Err(MISSING.to_owned()),
            }),
        }
    }

    /// What the simulator does with the commands these recordings need. Refusals are part
    /// of them and change nothing.
    fn execute(&mut self, command: Command) {
        let machine = &mut self.machine;
        let _ = match command {
            Command::McSetBmc { mc } => {
                machine.bmc = Some(mc);
                Ok(())
            }
            Command::McAdd { mc, has_device_sdrs, device_support, dynamic_sensors, .. } => {
                let device = DeviceId {
                    has_device_sdrs: has_device_sdrs != 0,
                    device_support,
                    dynamic_sensors,
                    ..DeviceId::default()
                };
                machine.describe(mc, device);
                Ok(())
            }
            Command::McEnable { mc } => {
                machine.ensure(mc).enabled = true;
                Ok(())
            }
            Command::SelEnable { mc, max_records, flags } => {
                let log = &mut machine.ensure(mc).sel;
                let (add, erase, offset) = (log.last_add_time(), log.last_erase_time(), log.time_offset());
                let records = log.records().copied().collect();
                log.enable(max_records, flags);
                log.restore(records, add, erase, offset);
                Ok(())
            }
            Command::SelAdd { mc, record_type, data } => {
                let mut record = [0; 16];
                record[2] = record_type;
                record[3..].copy_from_slice(&data);
                sel::log(machine, NOW, mc, record).map(drop)
            }
            Command::MainSdrAdd { mc, data } => sdr::add_main(machine, NOW, mc, &data).map(drop),
            Command::DeviceSdrAdd { mc, lun, data } => sdr::add_device(machine, NOW, mc, lun, &data).map(drop),
            Command::McAddFruData { mc, device, size, data } => machine.ensure(mc).frus.add_inline(device, size, &data),
            Command::McAddFruFile { mc, device, size, offset, path } => {
                machine.ensure(mc).frus.add_file(device, size, offset, path)
            }
            Command::SensorAdd { sensor, sensor_type, event_reading_code, event_only, poll } => {
                let poll = poll.map(|poll| PollSpec {
                    interval: Duration::from_millis(u64::from(poll.interval)),
                    path: poll.path,
                    content: if poll.raw { Content::Raw } else { Content::Ascii },
                    offset: poll.offset,
                    length: poll.length,
                    base: poll.base,
                    mask: poll.mask,
                    subtract: poll.subtract,
                    multiplier: poll.multiplier,
                    divisor: poll.divisor,
                    depends: poll.depends.map(|other| Dependency { sensor: id(other.sensor), bit: other.bit }),
                    initial_state: poll.initial_state,
                });
                sensor::add(machine, NOW, id(sensor), Description { sensor_type, event_reading_code, event_only, poll })
            }
            Command::SensorSetBit { sensor, bit, value, event } => {
                sensor::set_bit(machine, NOW, id(sensor), bit, value, reporting(event))
            }
            Command::SensorSetBitClearRest { sensor, bit, event } => {
                sensor::set_bit_clear_rest(machine, NOW, id(sensor), bit, reporting(event))
            }
            Command::SensorSetValue { sensor, value, event } => {
                sensor::set_value(machine, NOW, id(sensor), value, reporting(event))
            }
            Command::SensorSetHysteresis { sensor, support, positive, negative } => {
                let support = Support::from_number(support);
                sensor::set_hysteresis(machine, id(sensor), Hysteresis { support, positive, negative })
            }
            Command::SensorSetThreshold { sensor, support, enabled, values } => {
                let support = Support::from_number(support);
                sensor::set_thresholds(machine, id(sensor), Thresholds { support, supported: enabled, values })
            }
            Command::SensorSetEventSupport {
                sensor,
                events_enabled,
                scanning,
                support,
                assert_support,
                deassert_support,
                assert_enabled,
                deassert_enabled,
            } => {
                let settings = EventSettings {
                    events_enabled,
                    scanning_enabled: scanning,
                    support: EventSupport::from_number(support),
                    assert_supported: assert_support,
                    deassert_supported: deassert_support,
                    assert_enabled,
                    deassert_enabled,
                };
                sensor::set_event_support(machine, NOW, id(sensor), settings)
            }
            other => panic!("{other:?} is not needed here"),
        };
    }

    fn ask(&mut self, mc: u8, lun: u8, netfn: u8, cmd: u8, data: &[u8]) -> Reply {
        let bridged = mc != BMC;
        let session = SessionRef { id: 1, handle: 1, user: 2, rmcp_plus: true, udp_port: 623 };
        let origin = Origin {
            channel: 1,
            medium: Medium::Lan,
            privilege: Some(Privilege::Administrator),
            session: Some(session),
            bridged,
            requester: if bridged { BMC } else { 0x81 },
            requester_lun: 0,
        };
        if self.machine.controller(mc).is_some_and(|controller| controller.frus.wants_history(netfn, cmd, data)) {
            self.machine.ensure(mc).frus.keep_history(session.id, crate::bmc::history::END_OF_HISTORY.to_vec());
        }
        let request = Request { netfn, cmd, lun, origin, data };
        let mut reply = Reply::new(&origin);
        let mut context = Context { now: NOW, machine: &mut self.machine, mc, origin };
        let mut outcome = dispatch(&mut context, &request, &mut reply);
        while let Outcome::Wait(job, then) = outcome {
            let result = self.work(job);
            let mut context = Context { now: NOW, machine: &mut self.machine, mc, origin };
            outcome = then(&mut context, result, &mut reply).unwrap_or_else(|code| {
                reply.fail(code);
                Outcome::Done
            });
        }
        reply
    }
}

fn id(sensor: SensorAddress) -> SensorId {
    SensorId { mc: sensor.mc, lun: sensor.lun, number: sensor.number }
}

fn reporting(event: bool) -> Reporting {
    if event { Reporting::Events } else { Reporting::Silent }
}

fn unhex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("a hex byte")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// Whether an answer is the recorded one, but for the bits its remarks leave open.
fn same(want: &[u8], got: &[u8], remarks: &str) -> bool {
    let Some((_, mask)) = remarks.split_once("#volatile=") else { return want == got };
    let mask = mask.split_whitespace().next().unwrap_or_default();
    let bits: Vec<u8> = (0..mask.trim_end_matches('*').len() / 2)
        .map(|at| u8::from_str_radix(&mask[2 * at..2 * at + 2], 16).expect("a mask"))
        .collect();
    let compared = if mask.ends_with('*') { bits.len() } else { want.len().max(got.len()) };
    (0..compared).all(|at| match (want.get(at), got.get(at)) {
        (Some(want), Some(got)) => (want ^ got) & !bits.get(at).copied().unwrap_or(0) == 0,
        _ => false,
    })
}

/// Replays the rows that are for these network functions.
fn replay(recording: &str, differs: &str, command_file: &str, netfns: &[u8]) -> usize {
    let mut known: BTreeMap<usize, Option<&str>> = differs
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let (row, reason) = line.split_once('\t').expect("row and reason");
            (row.parse().expect("a row number"), reason.split_once("ours: ").map(|(_, ours)| ours))
        })
        .collect();
    let mut world = World::new(command_file);
    let mut complaints = String::new();
    let mut sent = 0;
    for (number, line) in (1..).zip(recording.lines()) {
        if line.starts_with("!sleep") || line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if let Some(command) = line.strip_prefix("!console ") {
            for statement in statements("console", command.as_bytes()) {
                world.run(&statement);
            }
            continue;
        }
        let mut columns = line.splitn(3, '\t');
        let (text, want) = (columns.next().unwrap_or_default(), columns.next().unwrap_or_default());
        let remarks = columns.next().unwrap_or_default();
        let (address, bytes) = match text.strip_prefix('@').and_then(|text| text.split_once(' ')) {
            Some((address, bytes)) => (address, unhex(bytes)),
            None => ("20", unhex(text)),
        };
        let (mc, lun) = address.split_once('.').unwrap_or((address, "0"));
        let (mc, lun) = (u8::from_str_radix(mc, 16).expect("an address"), lun.parse().expect("a LUN"));
        // No answer, refused Send Messages and LUN 2 are for whoever routes messages,
        // privileges (D4h) for whoever has sessions.
        let elsewhere = want == "d4" || want == "-" || want.starts_with("SEND");
        if !netfns.contains(&bytes[0]) || lun == 2 || elsewhere || world.machine.controller(mc).is_none() {
            known.remove(&number);
            continue;
        }
        sent += 1;
        let reply = world.ask(mc, lun, bytes[0], bytes[1], &bytes[2..]);
        let got = hex(reply.bytes());
        match (same(&unhex(want), reply.bytes(), remarks), known.remove(&number)) {
            (true, None) => {}
            (true, Some(_)) => writeln!(complaints, "row {number} no longer differs").unwrap(),
            (false, Some(ours)) if ours.is_none_or(|ours| ours == got) => {}
            (false, _) => {
                writeln!(complaints, "row {number}: {text}\n   want {want}\n   got  {got}").unwrap();
            }
        }
    }
    for row in known.into_keys() {
        writeln!(complaints, "row {row} is not in the recording").unwrap();
    }
    assert!(complaints.is_empty(), "\n{complaints}");
    sent
}

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/raw/", $name))
    };
}

#[test]
fn storage_recording() {
    let netfns = [netfn::SENSOR_EVENT, netfn::STORAGE];
    let recording = data!("storage-HEAD.tsv");
    let sent = replay(recording, data!("storage-HEAD.differs"), data!("cfg/storage.emu"), &netfns);
    assert!(sent > 1150, "only {sent} rows were sent");
}

/// The OEM commands are among them because setting the power level logs events.
#[test]
fn core_recording() {
    let netfns = [netfn::SENSOR_EVENT, netfn::STORAGE, netfn::OEM];
    let sent = replay(data!("core-HEAD.tsv"), data!("core-HEAD.differs"), data!("cfg/base.emu"), &netfns);
    assert!(sent > 1000, "only {sent} rows were sent");
}
