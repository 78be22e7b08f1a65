//! From a row to a system: its texts are read with its variables, its command file is carried out, and it has started but
//! for what is done outside.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::faults::Finding;
use super::texts::{Folders, Texts};
use crate::bmc::LogLevel;
use crate::config::Severity;
use crate::config::lan_conf::Given;
use crate::crypto::mac::{Hash, Keyed};
use crate::fleet::{Commands, INDEX, NAME, Naming, Row, folder};
use crate::host::jobs::remove_leftovers;
use crate::host::random::SystemRandom;
use crate::ipmi::{ChannelNumber, McAddress};
use crate::runtime::clock;
use crate::runtime::configuration::{LanConf, Strictness};
use crate::runtime::driver::COMMAND_STRING;
use crate::runtime::places::Places;
use crate::runtime::script::Script;
use crate::runtime::statement::{self, StatementOutcome};
use crate::runtime::tables::Tables;
use crate::settings::model::{Address, Config};
use crate::sim::{Effect, Effects, Input, Persistence, Pool, Simulator, Work, WorkDone};
use crate::state::{Files, GUID_FILE};
use crate::store::base::{Base, Folder};
use crate::store::directory::StateDirectory;
use crate::store::format::read_all;

/// What all BMCs of a fleet are made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where their state is kept, if it is.
    pub state: Option<Base>,
    /// Whether nothing may be wrong.
    pub strictness: Strictness,
    /// Where usual command files and included files are.
    pub places: Places,
    /// One more statement for each.
    pub command: Option<OsString>,
    /// What is dumped, as the words of `debug`.
    pub debug: String,
    /// `--seed`
    pub seed: Option<u64>,
    /// The tables that its sensors follow.
    pub tables: Tables,
}

impl Settings {
    /// Where the state of a system is, for people.
    pub fn state_place(&self) -> Option<String> {
        let base = self.state.as_ref()?;
        Some(StateDirectory::place(base.path(), "NAME").display().to_string())
    }
}

/// The name of a system, in memory once where it is that of its row.
pub(super) fn name_of(row: &Row, config: &Config) -> Arc<str> {
    if *config.name == *row.name { Arc::clone(&row.name) } else { config.name.as_str().into() }
}

/// Makes systems of rows. Each text is read once in its life.
#[derive(Debug)]
pub struct Maker<'a> {
    settings: &'a Settings,
    texts: Texts,
    /// What they have in common.
    pool: Mutex<Pool>,
    /// The generator that they draw from.
    random: Mutex<Option<SystemRandom>>,
}

/// How far a system has come.
#[derive(Debug)]
pub enum Stage {
    /// Its command file is done, and it has started.
    Started,
    /// Some of its command file waits for something.
    Waits(Script),
}

/// A system that is to be driven.
pub struct Made {
    /// Its name.
    pub name: Arc<str>,
    /// The system.
    pub system: Box<Simulator>,
    /// What it wants done outside, in order.
    pub effects: Vec<Effect>,
    /// How far it has come.
    pub stage: Stage,
    /// Its state folder.
    pub folder: Option<Arc<Folder>>,
    /// Where its console is to be.
    pub console: Option<SocketAddr>,
    /// Its lan.conf, for messages.
    pub lan_conf: Arc<Path>,
    /// What is wrong and does not keep it from being served.
    pub findings: Vec<Finding>,
}

impl<'a> Maker<'a> {
    /// Nothing is read yet.
    pub fn new(settings: &'a Settings) -> Self {
        Self { settings, texts: Texts::new(settings.tables.clone()), pool: Mutex::default(), random: Mutex::default() }
    }

    /// The texts that are read for it.
    pub(super) fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The random source of a system; by a seed one of its own, whatever the order in which systems are made.
    fn random(&self, name: &str) -> io::Result<SystemRandom> {
        if let Some(seed) = self.settings.seed {
            let spread = |seed: u64, byte: u8| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            return Ok(SystemRandom::repeatable(name.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, spread)));
        }
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(random) = &*random {
            return Ok(random.clone());
        }
        Ok(random.insert(SystemRandom::new()?).clone())
    }

    /// The configuration of a row, and what is wrong with it.
    ///
    /// # Errors
    /// What keeps it from being used, and what else is wrong.
    pub fn configuration(&self, row: &Row) -> Result<(Config, Vec<Finding>), Vec<Finding>> {
        let text = self.texts.configuration(&row.lan_conf).map_err(|text| vec![Finding::Problem(text)])?;
        let own =
            [(NAME, &*row.name), (INDEX, &*row.index.to_string())].map(|(name, value)| (name.into(), value.into()));
        let columns =
            row.variables().filter(|(name, _)| *name != NAME).map(|(name, value)| (name.into(), value.into()));
        let given = Given { name: Some(row.name.to_string()), variables: own.into_iter().chain(columns).collect() };
        let (config, diagnostics) = text.read(given, self.settings.strictness, self.texts.recordings());
        let findings = diagnostics.into_iter().map(Finding::Fault).collect();
        match config {
            Some(mut config) => {
                if row.naming == Naming::Row {
                    config.name = row.name.to_string();
                }
                Ok((config, findings))
            }
            None => Err(findings),
        }
    }

    /// The system of a row.
    ///
    /// # Errors
    /// Why it cannot be served, and what else is wrong with it.
    pub fn make(&self, row: &Row) -> Result<Made, Vec<Finding>> {
        let (config, mut findings) = self.configuration(row)?;
        let name = name_of(row, &config);
        let script = match self.script(row, &name) {
            Ok(script) => script,
            Err(finding) => {
                findings.push(finding);
                return Err(findings);
            }
        };
        self.with_script(row, (name, config), script, findings)
    }

    fn with_script(
        &self,
        row: &Row,
        (name, config): (Arc<str>, Config),
        mut script: Script,
        mut findings: Vec<Finding>,
    ) -> Result<Made, Vec<Finding>> {
        let (persistence, mut files, folder) = match &self.settings.state {
            None => (Persistence::Off, Files::new(), None),
            Some(base) => match base.folder(&name) {
                Ok((folder, loaded)) => {
                    findings.extend(loaded.notes.into_iter().map(Finding::Note));
                    (Persistence::On, read_all(&loaded.files), Some(Arc::new(folder)))
                }
                Err(text) => {
                    findings.push(Finding::Problem(text));
                    return Err(findings);
                }
            },
        };
        add_guids(&config, &mut files);
        findings.extend(remove_leftovers(&config).into_iter().map(Finding::Note));
        let random = match self.random(&name) {
            Ok(random) => Box::new(random),
            Err(error) => {
                findings.push(Finding::Problem(format!("no random numbers from the operating system: {error}")));
                return Err(findings);
            }
        };
        let console = config.console.as_ref().and_then(Address::literal);
        let system = Box::new(Simulator::new(config, files, persistence, random));
        let mut start = Start { system, effects: Vec::new(), out: Effects::default() };
        start.begin();
        let directories = self.directories(row);
        let stage = match start.run(&mut script, &self.folders(&directories), &mut findings) {
            Run::Done => {
                start.started();
                Stage::Started
            }
            Run::Waits => Stage::Waits(script),
        };
        let Start { mut system, effects, .. } = start;
        system.share(&mut self.pool.lock().unwrap_or_else(PoisonError::into_inner));
        let mut kept = Vec::with_capacity(effects.len());
        let mut no_bmc = false;
        for effect in effects {
            match effect {
                Effect::NoBmc(text) => {
                    findings.push(Finding::Problem(format!("{text}{}", self.hint(row))));
                    no_bmc = true;
                }
                Effect::Log { level: LogLevel::Warning | LogLevel::Error, text } => findings.push(Finding::Note(text)),
                effect => kept.push(effect),
            }
        }
        let failed = |finding: &Finding| self.settings.strictness == Strictness::Strict && finding.is_error();
        if no_bmc || findings.iter().any(failed) {
            return Err(findings);
        }
        let lan_conf = Arc::clone(&row.lan_conf);
        Ok(Made { name, system, effects: kept, stage, folder, console, lan_conf, findings })
    }

    /// Where the files that a row's command file includes are: a folder of its own comes first.
    pub(super) fn directories(&self, row: &Row) -> Vec<PathBuf> {
        let own = row.lan_conf.parent().filter(|_| row.naming == Naming::LanConf).map(Path::to_owned);
        own.into_iter().chain(self.settings.places.configuration.iter().cloned()).collect()
    }

    /// How they are found there.
    pub(super) fn folders<'b>(&'b self, directories: &'b [PathBuf]) -> Folders<'b> {
        Folders { texts: &self.texts, directories }
    }

    /// The lan.conf of a row, if it can be read.
    pub(super) fn lan_conf(&self, row: &Row) -> Option<Arc<LanConf>> {
        self.texts.configuration(&row.lan_conf).ok()
    }

    /// The statements of a row. What is executed first is pushed last.
    pub(super) fn script(&self, row: &Row, name: &str) -> Result<Script, Finding> {
        let mut script = Script::default();
        if let Some(command) = &self.settings.command {
            script.push_line(COMMAND_STRING, command.as_encoded_bytes());
        }
        let path: Option<Arc<Path>> = match &row.commands {
            Commands::File(path) => Some(Arc::clone(path)),
            Commands::OneOf(files) => {
                let path = folder::choose(files, name).map_err(Finding::Problem)?;
                Some(path.as_path().into())
            }
            Commands::Usual => self.settings.places.command_file(name).map(Into::into),
        };
        if let Some(path) = path {
            script.push_statements(self.texts.commands(&path).map_err(Finding::Problem)?);
        }
        if !self.settings.debug.is_empty() {
            script.push_line(COMMAND_STRING, format!("debug {}", self.settings.debug).as_bytes());
        }
        Ok(script)
    }

    /// What to do when there is no BMC.
    pub(super) fn hint(&self, row: &Row) -> &'static str {
        match row.commands {
            Commands::Usual => " There is no command file; it makes the BMC with mc_setbmc, mc_add and mc_enable",
            _ => "",
        }
    }
}

/// A system on its way to its start.
struct Start {
    system: Box<Simulator>,
    /// What is done outside later.
    effects: Vec<Effect>,
    out: Effects,
}

/// How the statements of a start ended.
enum Run {
    Done,
    /// For a program, for a file, or because one says so.
    Waits,
}

impl Start {
    fn begin(&mut self) {
        let (now, wall) = clock::both();
        self.system.handle(now, Input::WallClock(wall), &mut self.out);
        self.system.handle(clock::now(), Input::Begin, &mut self.out);
        self.effects.append(&mut self.out.list);
    }

    fn started(&mut self) {
        self.system.handle(clock::now(), Input::Started, &mut self.out);
        self.effects.append(&mut self.out.list);
    }

    /// Carries statements out, up to the first that has to wait.
    fn run(&mut self, script: &mut Script, folders: &Folders<'_>, findings: &mut Vec<Finding>) -> Run {
        let now = clock::now();
        let mut saves = Vec::new();
        let mut run = Run::Done;
        while let Some(next) = script.next_statement() {
            let outcome = statement::execute(&mut self.system, now, None, &next, folders, &mut self.out);
            let mut is_slow = false;
            for effect in self.out.list.drain(..) {
                match effect {
                    Effect::Run(Work::Save { job, .. }) => saves.push(job),
                    effect => {
                        is_slow |= matches!(effect, Effect::Run(_));
                        self.effects.push(effect);
                    }
                }
            }
            match outcome {
                StatementOutcome::Done | StatementOutcome::NoEcho => {}
                StatementOutcome::Failed(fault) => findings.push(Finding::Fault(fault)),
                StatementOutcome::Bmc(_) | StatementOutcome::Bmcs(_) => {
                    let fault = next.refused(Severity::Error, statement::ONE_BMC);
                    findings.push(Finding::Fault(fault));
                }
                StatementOutcome::Include(path) => {
                    if let Err(fault) = script.include(&path, &next, folders) {
                        findings.push(Finding::Fault(*fault));
                    }
                }
                StatementOutcome::Sleep(_) => {
                    script.put_back();
                    run = Run::Waits;
                }
                StatementOutcome::Quit => {
                    let text = "a command file of a fleet cannot end the program; the rest of it is not executed";
                    findings.push(Finding::Fault(next.refused(Severity::Warning, text)));
                    break;
                }
            }
            if is_slow || matches!(run, Run::Waits) {
                run = Run::Waits;
                break;
            }
        }
        // What a command file makes anew at each start is no change that has to be kept.
        while let Some(job) = saves.pop() {
            self.system.handle(now, Input::WorkDone(WorkDone::Saved(job, Ok(()))), &mut self.out);
            for effect in self.out.list.drain(..) {
                match effect {
                    Effect::Run(Work::Save { job, .. }) => saves.push(job),
                    effect => self.effects.push(effect),
                }
            }
        }
        run
    }
}

/// The GUIDs of LAN channels that have none of their own come from the name of the BMC, so that they need not be kept to
/// be the same at each start.
fn add_guids(config: &Config, files: &mut Files) {
    for controller in &config.controllers {
        for lan in controller.lans.iter().filter(|lan| lan.guid.is_none()) {
            let (mc, channel) = (controller.address, lan.channel);
            let item = format!("{mc:02x}.{channel}");
            let file = files.entry(GUID_FILE.into()).or_default();
            if file.items.bytes(&item).is_none() {
                file.items.push_bytes(item, guid(&config.name, mc, channel));
            }
        }
    }
}

/// A GUID that is made of names (RFC 9562 version 8).
fn guid(name: &str, mc: McAddress, channel: ChannelNumber) -> [u8; 16] {
    let tag = Keyed::new(Hash::Sha256, b"ipmi_sim fleet").tag(&[name.as_bytes(), &[0, mc.0, channel.get()]]);
    let mut guid = [0; 16];
    guid.iter_mut().zip(tag.bytes()).for_each(|(to, from)| *to = *from);
    guid[6] = guid[6] & 0x0f | 0x80;
    guid[8] = guid[8] & 0x3f | 0x80;
    guid
}
