//! Controllers for tests of commands: set up by a command file, with files in memory, in a
//! time that stands still.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::bmc::Machine;
use crate::bmc::external::{FileJob, FileResult, Job, JobResult};
use crate::command::testing::{BMC, LAN, SATELLITE};
use crate::command::{Context, Outcome, dispatch};
use crate::config::command::{Statement, statements};
use crate::config::model::{Config, ControllerConfig, SolConfig, SolTarget};
use crate::ipmi::{Moment, Origin, Reply, Request};
use crate::lan::testing::Dice;
use crate::sim::{Effect, Effects, HostJob, HostResult, Persistence, Simulator};

/// The time in tests.
pub(super) const NOW: Moment = Moment::new(Duration::from_secs(2000));

/// The controllers and the files of their sensors and FRUs.
pub(super) struct World {
    sim: Simulator,
    files: HashMap<&'static str, Vec<u8>>,
    /// Names of the state files that were to be saved.
    saved: Vec<String>,
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
        // `historyfru=10`, as in the recording's lan.conf.
        let sol = SolConfig {
            target: SolTarget::Device("/dev/null".into()),
            bit_rate: 9600,
            history: 0,
            backup_file: None,
            history_fru: Some(10),
            rts_cts: false,
            read_clear: false,
            span: Default::default(),
        };
        let bmc = ControllerConfig { sol: Some(sol), ..ControllerConfig::new(BMC) };
        let config = Config { controllers: vec![bmc, ControllerConfig::new(SATELLITE)], ..Config::default() };
        let sim = Simulator::new(config, BTreeMap::new(), Persistence::On, Box::new(Dice(1)));
        let mut world = Self { sim, files, saved: Vec::new() };
        for statement in statements("test.emu", command_file.as_bytes()) {
            world.run(&statement);
        }
        world
    }

    /// The command file is done.
    pub(super) fn started(&mut self) {
        self.sim.started(NOW, &mut Effects::default()).expect("a BMC");
    }

    /// The controllers.
    pub(super) fn machine(&mut self) -> &mut Machine {
        &mut self.sim.machine
    }

    /// Executes a statement, and the polls it begins. Refusals are part of the recordings
    /// and change nothing.
    pub(super) fn run(&mut self, statement: &Statement) {
        let mut out = Effects::default();
        self.sim.statement(NOW, None, statement, &mut out);
        while let Some(effect) = out.list.pop() {
            match effect {
                Effect::Run { job, work: HostJob::File(work) } => {
                    let result = self.work_on_file(work);
                    self.sim.job_done(NOW, job, HostResult::File(result), &mut out);
                }
                Effect::Run { job, work: HostJob::SaveState { name, .. } } => {
                    self.saved.push(name);
                    self.sim.job_done(NOW, job, HostResult::Saved(Ok(())), &mut out);
                }
                _ => {}
            }
        }
    }

    /// Takes the names of the state files that were to be saved since the last call.
    pub(super) fn saved(&mut self) -> Vec<String> {
        let mut out = Effects::default();
        self.sim.carry_out_actions(NOW, &mut out);
        while let Some(effect) = out.list.pop() {
            if let Effect::Run { job, work: HostJob::SaveState { name, .. } } = effect {
                self.saved.push(name);
                self.sim.job_done(NOW, job, HostResult::Saved(Ok(())), &mut out);
            }
        }
        std::mem::take(&mut self.saved)
    }

    fn work(&mut self, job: Job) -> JobResult {
        match job {
            Job::Program(_) => panic!("no command of these network functions runs a program"),
            Job::File(work) => JobResult::File(self.work_on_file(work)),
        }
    }

    fn work_on_file(&mut self, work: FileJob) -> FileResult {
        const MISSING: &str = "No such file or directory";
        match work {
            FileJob::Read { path, offset, length } => FileResult::Read(match self.files.get(path.as_str()) {
                Some(content) => Ok(content.iter().copied().skip(offset as usize).take(length).collect()),
                None => Err(MISSING.to_owned()),
            }),
            FileJob::Replace { content, .. } => FileResult::Written(Ok(content.len())),
            FileJob::Write { path, offset, data } => FileResult::Written(match self.files.get_mut(path.as_str()) {
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

    /// Sends a request over LAN as an administrator; other controllers than the BMC are
    /// reached by bridging.
    pub(super) fn ask(&mut self, mc: u8, lun: u8, netfn: u8, cmd: u8, data: &[u8]) -> Reply {
        let bridged = mc != BMC;
        let origin = Origin { bridged, requester: if bridged { BMC } else { LAN.requester }, ..LAN };
        self.ask_from(origin, mc, lun, netfn, cmd, data)
    }

    /// Sends a request that came in from `origin`.
    pub(super) fn ask_from(&mut self, origin: Origin, mc: u8, lun: u8, netfn: u8, cmd: u8, data: &[u8]) -> Reply {
        let request = Request { netfn, cmd, lun, origin, data };
        let mut reply = Reply::new(&origin);
        let mut context = Context { now: NOW, machine: &mut self.sim.machine, mc, origin };
        let mut outcome = dispatch(&mut context, &request, &mut reply);
        while let Outcome::Wait(job, then) = outcome {
            let result = self.work(job);
            let mut context = Context { now: NOW, machine: &mut self.sim.machine, mc, origin };
            outcome = then(&mut context, result, &mut reply).unwrap_or_else(|code| {
                reply.fail(code);
                Outcome::Done
            });
        }
        reply
    }
}
