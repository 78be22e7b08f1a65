//! From the command line to a running system (`process.md` section 3).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use super::driver::reload::{Fresh, Reader};
use super::driver::{self, COMMAND_STRING, Failures, Plan, complain};
use super::options::Options;
use super::pid_file::PidFile;
use super::places::Places;
use super::script::{Script, read_command_file};
use super::service::{Environment, Service};
use super::syslog::Syslog;
use super::terminal::{Input, Streams};
use super::{Ending, clock, configuration, dry_run, pcap, ping};
use crate::config::model::{Address, Config};
use crate::host::jobs::{StateWriter, remove_leftover};
use crate::ipmi::Random;
use crate::sim::{Persistence, Simulator};
use crate::store::directory::{StateDirectory, message};

/// The first line of standard output; the number has been the original's for ten years,
/// and programs wait for it.
const VERSION_LINE: &str = "IPMI Simulator version 1.0.13\n\r";

/// How long the first poll of a sensor, say, may hold up the lines after it.
const STATEMENT_LIMIT: Duration = Duration::from_secs(5);

/// Room for what the system tells at a time: more descriptors than are usually open.
const IO_EVENTS: usize = 64;

/// A generator seeded by the operating system.
struct SystemRandom(StdRng);

impl Random for SystemRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

/// Why there is nothing to run; already reported.
struct Stop(u8);

/// Runs the program.
pub fn run(options: &Options) -> Ending {
    let mut stdout = std::io::stdout();
    let _ = stdout.write_all(VERSION_LINE.as_bytes()).and_then(|()| stdout.flush());
    match start(options, &Places::of_system()) {
        Ok(ending) => ending,
        Err(Stop(status)) => Ending::Status(status),
    }
}

fn start(options: &Options, places: &Places) -> Result<Ending, Stop> {
    let path = options.configuration().cloned().unwrap_or_else(|| places.configuration_file());
    if options.ping {
        return ask(&path).map(|()| Ending::Status(0));
    }
    let config = read_configuration(&path, options.strict)?;
    if options.version {
        return Ok(Ending::Status(0));
    }
    let (script, unreadable) = read_script(options, places, &config.name);
    if let Some(text) = &unreadable {
        complain(text);
    }
    if options.check || options.strict {
        let (script, _) = read_script(options, places, &config.name);
        let mut system = Simulator::new(config.clone(), BTreeMap::new(), Persistence::Off, random()?);
        let report = dry_run::check(&mut system, script, &places.configuration);
        report.faults.iter().for_each(|fault| complain(&fault.to_string()));
        report.problem.iter().for_each(|problem| complain(problem));
        if !report.is_clean() || unreadable.is_some() {
            return Err(Stop(1));
        }
        if options.check {
            return Ok(Ending::Status(0));
        }
    }
    // Before anything is touched that a running program may be using.
    let pid_file = options.pid_file.as_deref().map(PidFile::write).transpose().map_err(|text| stop(&text))?;
    let capture = open_capture(options)?;
    let mut notes = Vec::new();
    let (persistence, files, directory) = open_state(options, places, &config.name, &mut notes)?;
    remove_leftovers(&config, &mut notes);
    let state = directory
        .clone()
        .map(|directory| -> StateWriter { Arc::new(move |name, content| directory.write(name, content)) });
    // Descriptor 0 without anybody behind it is no console: the original aborts.
    let streams = Streams::standard().map_err(|error| stop(&format!("Unable to start: {}", message(&error))))?;
    let input = streams.kind();
    let standard = (!options.nostdio && input != Input::Nothing).then_some(input);
    let plan = Plan {
        streams,
        standard,
        console: config.console.as_ref().and_then(Address::literal),
        script,
        configuration: path.display().to_string(),
        directories: places.configuration.clone(),
        program_limit: Duration::from_secs(options.program_timeout.into()),
        statement_limit: STATEMENT_LIMIT,
        state,
        failures: if options.strict { Failures::Fatal } else { Failures::Reported },
        syslog: Some(Syslog::default()),
        notes,
        reader: reader(path, options.strict, directory),
        service: Service::new(&Environment::of_process(), clock::now()),
        ready_line: options.ready_line.then(|| format!("ipmi_sim {} is ready", config.name)),
        capture,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_io_events_per_tick(IO_EVENTS)
        .max_blocking_threads(16)
        .build()
        .map_err(|error| stop(&format!("Unable to start: {}", message(&error))))?;
    let system = Box::new(Simulator::new(config, files, persistence, random()?));
    let ending = runtime.block_on(driver::run(system, plan));
    // Helper programs that still run are left to finish: one of them may be holding a power
    // button.
    runtime.shutdown_timeout(Duration::from_millis(50));
    drop(pid_file);
    Ok(ending)
}

/// `--ping`: asks the system that runs with this configuration. Its warnings were told when
/// it was started.
fn ask(path: &Path) -> Result<(), Stop> {
    let read = configuration::read(path, false);
    let Some(config) = read.config else {
        read.findings.iter().for_each(|finding| complain(finding));
        return Err(Stop(1));
    };
    let targets = ping::targets(&config).map_err(|text| stop(&text))?;
    let mut silent = false;
    for (target, answer) in targets.iter().zip(ping::ask(&targets)) {
        match answer {
            Ok(()) => println!("{target} answers"),
            Err(why) => {
                complain(&format!("{target}: {why}"));
                silent = true;
            }
        }
    }
    if silent { Err(Stop(1)) } else { Ok(()) }
}

/// Without random numbers nobody could log in safely.
fn random() -> Result<Box<dyn Random + Send>, Stop> {
    match StdRng::try_from_os_rng() {
        Ok(generator) => Ok(Box::new(SystemRandom(generator))),
        Err(error) => Err(stop(&format!("Unable to start: no random numbers from the operating system: {error}"))),
    }
}

fn stop(text: &str) -> Stop {
    complain(text);
    Stop(1)
}

/// Reads lan.conf and reports everything about it.
fn read_configuration(path: &Path, strict: bool) -> Result<Config, Stop> {
    let read = configuration::read(path, strict);
    read.findings.iter().for_each(|finding| complain(finding));
    read.config.ok_or(Stop(1))
}

/// The command file, `-x`, and the switches of `-d`. The text says why the file is missing.
fn read_script(options: &Options, places: &Places, name: &str) -> (Script, Option<String>) {
    let mut script = Script::default();
    if let Some(command) = &options.command_string {
        script.push_line(COMMAND_STRING, command.as_bytes());
    }
    let mut unreadable = None;
    if let Some(path) = options.command_file.clone().or_else(|| places.command_file(name)) {
        match read_command_file(&path) {
            Ok(text) => script.push_file(&path.display().to_string(), &text),
            Err(text) => unreadable = Some(text),
        }
    }
    let debug = options.debug_words();
    if !debug.is_empty() {
        script.push_line(COMMAND_STRING, format!("debug {debug}").as_bytes());
    }
    (script, unreadable)
}

type State = (Persistence, BTreeMap<String, Vec<u8>>, Option<StateDirectory>);

fn open_state(options: &Options, places: &Places, name: &str, notes: &mut Vec<String>) -> Result<State, Stop> {
    if options.nopersist {
        return Ok((Persistence::Off, BTreeMap::new(), None));
    }
    let base = options.state_dir.clone().unwrap_or_else(|| places.state_base(name));
    let directory = StateDirectory::open(base, name).map_err(|error| stop(&error.to_string()))?;
    let loaded = directory.load_all();
    notes.extend(loaded.notes);
    Ok((Persistence::On, loaded.files, Some(directory)))
}

/// Backups of console histories that were being written when the program ended.
fn remove_leftovers(config: &Config, notes: &mut Vec<String>) {
    let sols = config.controllers.iter().filter_map(|controller| controller.sol.as_ref());
    for path in sols.filter_map(|sol| sol.backup_file.as_deref()) {
        if let Err(error) = remove_leftover(path) {
            notes.push(format!("{path}.new: left over, and in the way: {}", message(&error)));
        }
    }
}

fn open_capture(options: &Options) -> Result<Option<(File, String)>, Stop> {
    let Some(path) = &options.pcap else { return Ok(None) };
    let name = path.display().to_string();
    let file = pcap::open(path).map_err(|error| stop(&format!("Unable to write {name}: {}", message(&error))))?;
    Ok(Some((file, name)))
}

/// How the configuration is read again while the program runs.
fn reader(path: PathBuf, strict: bool, directory: Option<StateDirectory>) -> Reader {
    Arc::new(move || {
        let read = configuration::read(&path, strict);
        let config = read.config.ok_or_else(|| read.findings.clone())?;
        let files = directory.as_ref().map(StateDirectory::read_settings).transpose().map_err(|fault| vec![fault])?;
        Ok(Fresh { config, files: files.unwrap_or_default(), warnings: read.findings })
    })
}
