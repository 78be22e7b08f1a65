//! Controllers for tests of commands: set up by a command file, with files in memory, in a
//! time that stands still.

use std::collections::HashMap;
use std::time::Duration;

use super::testing::{BMC, LAN};
use super::{Context, Outcome, dispatch};
use crate::bmc::device_id::DeviceId;
use crate::bmc::external::{Job, JobResult};
use crate::bmc::sensor::{
    self, Content, Dependency, Description, EventSettings, EventSupport, Hysteresis, PollSpec, Reporting, SensorId,
    Support, Thresholds,
};
use crate::bmc::{Machine, sdr, sel};
use crate::config::command::{Command, SensorAddress, Statement, Variables, statements};
use crate::ipmi::{Moment, Origin, Reply, Request};

/// The time in tests.
pub(super) const NOW: Moment = Moment::new(Duration::from_secs(2000));

/// The controllers and the files of their sensors and FRUs.
pub(super) struct World {
    pub(super) machine: Machine,
    files: HashMap<&'static str, Vec<u8>>,
}

impl World {
    /// Controllers set up by a command file.
    pub(super) fn new(command_file: &str) -> Self {
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
        for statement in statements("test.emu", command_file.as_bytes()) {
            world.run(&statement);
        }
        world
    }

    /// Executes a statement, and the polls it begins.
    pub(super) fn run(&mut self, statement: &Statement) {
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
            other => panic!("{other:?} is not needed in tests"),
        };
    }

    /// Sends a request over LAN as an administrator; other controllers than the BMC are
    /// reached by bridging.
    pub(super) fn ask(&mut self, mc: u8, lun: u8, netfn: u8, cmd: u8, data: &[u8]) -> Reply {
        let bridged = mc != BMC;
        let origin = Origin { bridged, requester: if bridged { BMC } else { LAN.requester }, ..LAN };
        self.ask_from(origin, mc, lun, netfn, cmd, data)
    }

    /// Sends a request that came in from `origin`.
    pub(super) fn ask_from(&mut self, origin: Origin, mc: u8, lun: u8, netfn: u8, cmd: u8, data: &[u8]) -> Reply {
        let session = origin.session.map_or(0, |session| session.id);
        if self.machine.controller(mc).is_some_and(|controller| controller.frus.wants_history(netfn, cmd, data)) {
            self.machine.ensure(mc).frus.keep_history(session, crate::bmc::history::END_OF_HISTORY.to_vec());
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
