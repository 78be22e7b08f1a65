//! Controllers for tests of commands: set up by a command file, with files in memory, in a
//! time that stands still.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::bmc::Machine;
use crate::bmc::external::{FileContent, FileRead, FileWrite, FileWritten};
use crate::command::testing::{BMC, LAN, SATELLITE};
use crate::command::{Context, Outcome, STANDARD, Wait, dispatch};
use crate::config::command::{Statement, statements};
use crate::ipmi::{McAddress, Moment, Origin, Request, Response};
use crate::lan::testing::Dice;
use crate::runtime::script::Folders;
use crate::runtime::statement::execute;
use crate::settings::model::{Config, ControllerConfig, SolConfig, SolTarget};
use crate::sim::{Effect, Effects, Input, Persistence, Simulator, Work, WorkDone};

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
        self.sim.handle(NOW, Input::Started, &mut Effects::default());
    }

    /// The controllers.
    pub(super) fn machine(&mut self) -> &mut Machine {
        self.sim.machine_mut()
    }

    /// Executes a statement, and the polls it begins. Refusals are part of the recordings
    /// and change nothing.
    pub(super) fn run(&mut self, statement: &Statement) {
        let mut out = Effects::default();
        execute(&mut self.sim, NOW, None, statement, &Folders::default(), &mut out);
        while let Some(effect) = out.list.pop() {
            match effect {
                Effect::Run(Work::Read { job, read }) => {
                    let content = self.read(&read);
                    self.sim.handle(NOW, Input::WorkDone(WorkDone::Read(job, content)), &mut out);
                }
                Effect::Run(Work::Save { job, name, .. }) => {
                    self.saved.push(name);
                    self.sim.handle(NOW, Input::WorkDone(WorkDone::Saved(job, Ok(()))), &mut out);
                }
                _ => {}
            }
        }
    }

    /// Takes the names of the state files that were to be saved since the last call.
    pub(super) fn saved(&mut self) -> Vec<String> {
        let mut out = Effects::default();
        self.sim.carry_out(NOW, &mut out);
        while let Some(effect) = out.list.pop() {
            if let Effect::Run(Work::Save { job, name, .. }) = effect {
                self.saved.push(name);
                self.sim.handle(NOW, Input::WorkDone(WorkDone::Saved(job, Ok(()))), &mut out);
            }
        }
        std::mem::take(&mut self.saved)
    }

    fn read(&self, read: &FileRead) -> FileContent {
        match self.files.get(read.path.as_str()) {
            Some(content) => Ok(content.iter().copied().skip(read.offset as usize).take(read.length).collect()),
            None => Err("No such file or directory".to_owned()),
        }
    }

    fn write(&mut self, write: &FileWrite) -> FileWritten {
        let FileWrite::At { path, offset, data } = write else { panic!("no command replaces a file") };
        let missing = "No such file or directory".to_owned();
        let content = self.files.get_mut(path.as_str()).ok_or(missing)?;
        let start = *offset as usize;
        let end = start + data.len();
        content.resize(content.len().max(end), 0);
        content[start..end].copy_from_slice(data);
        Ok(data.len())
    }

    /// Sends a request over LAN as an administrator; other controllers than the BMC are
    /// reached by bridging.
    pub(super) fn ask(&mut self, mc: McAddress, lun: u8, netfn: u8, cmd: u8, data: &[u8]) -> Response {
        let bridged = mc != BMC;
        let origin = Origin { bridged, requester: if bridged { BMC.0 } else { LAN.requester }, ..LAN };
        self.ask_from(origin, mc, lun, netfn, cmd, data)
    }

    /// Sends a request that came in from `origin`.
    pub(super) fn ask_from(
        &mut self,
        origin: Origin,
        mc: McAddress,
        lun: u8,
        netfn: u8,
        cmd: u8,
        data: &[u8],
    ) -> Response {
        let request = Request { netfn, cmd, lun, origin, data };
        let mut response = Response::new(&origin);
        let mut context = Context { now: NOW, machine: self.sim.machine_mut(), mc, origin, commands: &STANDARD };
        let mut outcome = dispatch(&mut context, &request, &mut response);
        while let Outcome::Wait(wait) = outcome {
            let gone_on = match wait {
                Wait::Program(..) => panic!("no command of these network functions runs a program"),
                Wait::Read(read, then) => {
                    let content = self.read(&read);
                    let mut context =
                        Context { now: NOW, machine: self.sim.machine_mut(), mc, origin, commands: &STANDARD };
                    then(&mut context, content, &mut response)
                }
                Wait::Write(write, then) => {
                    let written = self.write(&write);
                    let mut context =
                        Context { now: NOW, machine: self.sim.machine_mut(), mc, origin, commands: &STANDARD };
                    then(&mut context, written, &mut response)
                }
            };
            outcome = gone_on.unwrap_or_else(|code| {
                response.fail(code);
                Outcome::Done
            });
        }
        response
    }
}
