//! From the command line to a running system (`process.md` section 3).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::configuration::{Finding, Source, Strictness};
use super::console::LineEnd;
use super::driver::announce::{Announcement, quoted};
use super::driver::fleet::FleetPlan;
use super::driver::reload::{Fresh, Reader};
use super::driver::{COMMAND_STRING, Scope, Stage, SystemPlan};
use super::fleet::again::Again;
use super::fleet::create::Running;
use super::fleet::start::Fleet;
use super::logging::complain;
use super::options::Options;
use super::places::Places;
use super::review::{self, Facts};
use super::script::{Folders, Script, read_command_file};
use super::serving::{Serving, What, audience};
use super::tables::Tables;
use super::terminal::{StandardInput, Streams};
use super::{Ending, configuration, demo, dry_run, limits, logging, ping, starter};
use crate::config::{Diagnostic, Severity, Span};
use crate::host::jobs::{StateWriter, remove_leftovers};
use crate::host::random::SystemRandom;
use crate::ipmi::Random;
use crate::settings::model::{Address, Config};
use crate::sim::{Persistence, Simulator};
use crate::state::Files;
use crate::store::directory::{Loaded, StateDirectory};
use crate::store::format::read_all;
use crate::store::{FolderLock, LockError};

/// The first line of standard output; the number has been the original's for ten years,
/// and programs wait for it.
const VERSION_LINE: &str = "IPMI Simulator version 1.0.13\n";

/// What to do when nobody has written a configuration yet.
const NO_CONFIGURATION: &str = "\
Name one with -c FILE, have one written by `ipmi_sim --init DIR`, or try `ipmi_sim --demo`, which needs none";

/// What is said of a statement in the wrong one of the two files, and how many of them make it the wrong file.
const FOR_COMMANDS: &str = "it belongs in the command file";
const FOR_LAN_CONF: &str = "it belongs in lan.conf";
const MISTAKEN: usize = 3;
const NO_NAME: &str = "name not set in config file";

/// Why there is nothing to run; already reported.
struct Stop(u8);

/// Runs the program.
pub fn run(options: &Options) -> Ending {
    limits::bear_the_size_of_files();
    if let Some(directory) = &options.init {
        return match starter::write(directory) {
            Ok(text) => {
                print(&text);
                Ending::Status(0)
            }
            Err(text) => Ending::Status(stop(&text).0),
        };
    }
    // What ends at once has no console that a carriage return would be for.
    let ends = options.check || options.ping || options.version;
    let line_end = Streams::standard().map_or(LineEnd::Console, |streams| {
        let console = !ends && !options.nostdio && streams.kind() != StandardInput::Nothing;
        if console { LineEnd::Console } else { streams.line_end() }
    });
    print(line_end.apply(VERSION_LINE.as_bytes()));
    match start(options, &Places::of_system()) {
        Ok(ending) => ending,
        Err(Stop(status)) => Ending::Status(status),
    }
}

/// Writes to standard output, which may be closed: in one piece, for a program at the console that has
/// read LF takes CR for a line of its own.
pub(super) fn print(text: impl AsRef<[u8]>) {
    if let Ok(stdout) = std::io::stdout().as_fd().try_clone_to_owned() {
        let _ = File::from(stdout).write_all(text.as_ref());
    }
}

fn start(options: &Options, places: &Places) -> Result<Ending, Stop> {
    if let Some(fleet) = Fleet::of(options, places).map_err(|text| stop(&text))? {
        return start_fleet(options, fleet);
    }
    let source = source(options, places);
    if options.ping {
        return ask(&source).map(|()| Ending::Status(0));
    }
    let strictness = if options.strict { Strictness::Strict } else { Strictness::Lenient };
    if options.version {
        print(format!("ipmi_sim {}\n", env!("CARGO_PKG_VERSION")));
        let named = options.configuration().is_some();
        if !named && matches!(&source, Source::File(path) if !path.exists()) {
            return Ok(Ending::Status(0));
        }
        return read_configuration(&source, strictness).map(|_| Ending::Status(0));
    }
    let config = match read_configuration(&source, strictness) {
        Ok(config) => config,
        Err(stop) => {
            if options.configuration().is_none() && matches!(&source, Source::File(path) if !path.exists()) {
                complain(NO_CONFIGURATION);
            }
            return Err(stop);
        }
    };
    let commands = Commands::find(options, places, &source, &config.name);
    let (script, unreadable) = commands.script(options);
    if let Some(text) = &unreadable {
        complain(text);
    }
    if (options.check || options.strict) && unreadable.is_some() {
        // What follows from it is not said as well.
        return Err(Stop(1));
    }
    if options.check || options.strict {
        let sound = check(options, places, &source, &config, &commands)?;
        if !sound {
            return Err(Stop(1));
        }
        if options.check {
            return Ok(Ending::Status(0));
        }
    }
    let mut serving = Serving::open(options).map_err(|text| stop(&text))?;
    let notes = &mut serving.notes;
    let (persistence, files, directory, lock) = open_state(options, places, &config.name, notes)?;
    notes.extend(remove_leftovers(&config));
    let state = directory
        .clone()
        .map(|directory| -> StateWriter { Arc::new(move |name, content| directory.write(name, content)) });
    let announcement = Announcement {
        name: config.name.as_str().into(),
        state: directory.as_ref().map(|directory| directory.path().display().to_string()),
        password: options.demo.then_some(demo::PASSWORD),
        audience: audience(),
        without_bmc: commands.hint(),
    };
    let what = What {
        scope: Scope::One,
        console: config.console.as_ref().and_then(Address::literal),
        ready_line: format!("ipmi_sim {} is ready", config.name),
        fleet: None,
    };
    let system = SystemPlan {
        index: 0,
        system: Box::new(Simulator::new(config, files, persistence, random(options)?)),
        script,
        configuration: source.name(),
        folders: Folders::new(places.configuration.clone(), Tables::default()).into(),
        state,
        reader: reader(source, strictness, directory),
        announcement,
        row: "".into(),
        stage: Stage::New,
    };
    let ending = serving.run(options, vec![system], what).map_err(|text| stop(&text))?;
    drop(lock);
    Ok(ending)
}

/// The same for a fleet.
fn start_fleet(options: &Options, fleet: Fleet) -> Result<Ending, Stop> {
    let status = |is_sound| if is_sound { Ok(Ending::Status(0)) } else { Err(Stop(1)) };
    if options.ping {
        return status(fleet.ask());
    }
    if options.version {
        print(format!("ipmi_sim {}\n", env!("CARGO_PKG_VERSION")));
        return status(fleet.read());
    }
    if options.check {
        return status(fleet.check());
    }
    let serving = Serving::open(options).map_err(|text| stop(&text))?;
    let rows = fleet.rows().ok_or(Stop(1))?;
    limits::allow_files(rows.rows.len());
    let again = Arc::new(Again::new(fleet));
    let maker = again.maker();
    let made = again.fleet().make(&maker, &rows).ok_or(Stop(1))?;
    let console = made.iter().find_map(|(_, made)| made.console);
    let systems = again.plans(&maker, made);
    drop(maker);
    drop(rows);
    let announcement = Announcement {
        name: again.fleet().source_for_people().into(),
        state: again.fleet().settings.state_place(),
        audience: audience(),
        ..Announcement::default()
    };
    let creator = Arc::new(Running(Arc::clone(&again)));
    let fleet = Some(FleetPlan { announcement, creator, reader: Arc::new(move |lost| again.read(lost)) });
    let what = What { scope: Scope::Fleet, console, ready_line: "ipmi_sim fleet".into(), fleet };
    serving.run(options, systems, what).map_err(|text| stop(&text))
}

/// `--check` and `--strict`: carries the command file out on a system that nobody is connected to. With
/// `--check` it says what is served. Says whether there is no error.
fn check(
    options: &Options,
    places: &Places,
    source: &Source,
    config: &Config,
    commands: &Commands,
) -> Result<bool, Stop> {
    let (script, _) = commands.script(options);
    let base = options.state_dir.clone().unwrap_or_else(|| places.state_base(&config.name));
    let is_kept = options.check && !(options.nopersist || options.demo);
    let kept = if is_kept { StateDirectory::inspect(&base, &config.name) } else { Loaded::default() };
    let persistence = if is_kept { Persistence::On } else { Persistence::Off };
    let files: Vec<String> = kept.files.keys().cloned().collect();
    let mut system = Simulator::new(config.clone(), read_all(&kept.files), persistence, random(options)?);
    let folders = Folders::new(places.configuration.clone(), Tables::default());
    let report = dry_run::check(&mut system, script, &folders, &files);
    kept.notes.iter().for_each(|note| logging::warn(note));
    report.state.iter().for_each(|text| logging::warn(&dry_run::with_folder(text, &base, &config.name)));
    report.faults.iter().for_each(logging::tell);
    let mut sound = report.is_clean();
    if let Some(problem) = &report.problem {
        match commands {
            Commands::File(path) => logging::tell(&Diagnostic {
                severity: Severity::Error,
                file: path.display().to_string(),
                span: Span { line: 1, column: 1, length: 1 },
                message: format!("{problem} Expected mc_setbmc with the address of an MC"),
                source_line: configuration::source_line(&commands.text(), 1),
            }),
            Commands::Demo | Commands::Nowhere { .. } => complain(problem),
        }
        if let Some(hint) = commands.hint() {
            complain(&hint);
        }
    }
    if report.faults.iter().filter(|fault| fault.message.contains(FOR_LAN_CONF)).count() >= MISTAKEN {
        complain("The command file looks like a configuration, which -c is for");
    }
    if !options.check {
        return Ok(sound);
    }
    let text = configuration::read(source, Strictness::Lenient).text;
    let (file, controllers, logins) = (source.name(), system.controllers(), system.logins());
    let facts = Facts {
        scope: Scope::One,
        file: &file,
        text: &text,
        config,
        opened: &report.opened,
        controllers: &controllers,
        logins: &logins,
    };
    for finding in review::review(facts) {
        logging::tell(&finding);
        sound &= finding.severity < Severity::Error;
    }
    if sound {
        let state = is_kept.then(|| StateDirectory::place(base, &config.name).display().to_string());
        review::serves(facts, state.as_deref()).iter().for_each(|line| print(format!("{line}\n")));
    }
    Ok(sound)
}

/// `--ping`: asks the system that runs with this configuration. Its warnings were told when
/// it was started.
fn ask(source: &Source) -> Result<(), Stop> {
    let read = configuration::read(source, Strictness::Lenient);
    let Some(config) = read.config else {
        read.findings.iter().for_each(tell);
        return Err(Stop(1));
    };
    let targets = ping::targets(&config).map_err(|text| stop(&text))?;
    let mut silent = false;
    for (target, response) in targets.iter().zip(ping::ask(&targets)) {
        match response {
            Ok(()) => print(format!("{target} answers\n")),
            Err(why) => {
                complain(&format!("{target}: {why}"));
                silent = true;
            }
        }
    }
    if silent { Err(Stop(1)) } else { Ok(()) }
}

/// What `--seed` means for those who log in.
pub(crate) const SEEDED: &str = "--seed: every session id, challenge and key can be guessed by whoever knows the number; \
                                 for tests alone, never where others reach the LAN port";

/// Without random numbers nobody could log in safely.
fn random(options: &Options) -> Result<Box<dyn Random + Send>, Stop> {
    if let Some(seed) = options.seed {
        logging::warn(SEEDED);
        return Ok(Box::new(SystemRandom::repeatable(seed)));
    }
    match SystemRandom::new() {
        Ok(generator) => Ok(Box::new(generator)),
        Err(error) => Err(stop(&format!("Unable to start: no random numbers from the operating system: {error}"))),
    }
}

fn stop(text: &str) -> Stop {
    complain(text);
    Stop(1)
}

/// Reads lan.conf and reports everything about it.
fn read_configuration(source: &Source, strictness: Strictness) -> Result<Config, Stop> {
    let read = configuration::read(source, strictness);
    let says = |finding: &Finding, text| matches!(finding, Finding::Fault(fault) if fault.message.contains(text));
    let strange = |finding: &&Finding| says(finding, FOR_COMMANDS);
    // With a name it is a configuration that has too much in it.
    let nameless = read.findings.iter().any(|finding| says(finding, NO_NAME));
    if nameless && read.findings.iter().filter(strange).count() >= MISTAKEN {
        read.findings.iter().find(strange).into_iter().for_each(tell);
        return Err(stop(&format!("{} looks like a command file, which -f is for", source.name())));
    }
    read.findings.iter().for_each(tell);
    read.config.ok_or(Stop(1))
}

fn tell(finding: &Finding) {
    match finding {
        Finding::Fault(diagnostic) => logging::tell(diagnostic),
        Finding::Unreadable(text) => complain(text),
    }
}

/// Where the configuration is.
fn source(options: &Options, places: &Places) -> Source {
    if options.demo {
        // Who asks or checks means the place that the files say.
        let serves = !(options.ping || options.check || options.version);
        return Source::Demo(if serves { demo::free_port() } else { demo::PORT });
    }
    Source::File(options.configuration().cloned().unwrap_or_else(|| places.configuration_file()))
}

/// Where the command file is.
#[derive(Debug, PartialEq, Eq)]
enum Commands {
    /// In this file.
    File(PathBuf),
    /// In the program itself.
    Demo,
    /// There is none. The default places it was looked for in, and a file that may be meant.
    Nowhere { looked: Vec<PathBuf>, near: Option<PathBuf> },
}

impl Commands {
    fn find(options: &Options, places: &Places, source: &Source, name: &str) -> Self {
        if let Some(path) = &options.command_file {
            return Self::File(path.clone());
        }
        let Source::File(configuration) = source else { return Self::Demo };
        match places.command_file(name) {
            Some(path) => Self::File(path),
            None => Self::Nowhere { looked: places.command_files(name), near: near(configuration, name) },
        }
    }

    /// The command file, `-x`, and the switches of `-d`. The text says why the file is missing.
    fn script(&self, options: &Options) -> (Script, Option<String>) {
        let mut script = Script::default();
        if let Some(command) = &options.command_string {
            script.push_line(COMMAND_STRING, command.as_bytes());
        }
        let mut unreadable = None;
        match self {
            Self::File(path) => match read_command_file(path) {
                Ok(text) => script.push_file(&path.display().to_string(), &text),
                Err(text) => unreadable = Some(text),
            },
            Self::Demo => script.push_file(demo::COMMANDS_NAME, demo::COMMANDS.as_bytes()),
            Self::Nowhere { .. } => {}
        }
        let debug = options.debug_words();
        if !debug.is_empty() {
            script.push_line(COMMAND_STRING, format!("debug {debug}").as_bytes());
        }
        (script, unreadable)
    }

    /// What stands in it, as far as it can be read.
    fn text(&self) -> String {
        let read = match self {
            Self::File(path) => read_command_file(path).unwrap_or_default(),
            Self::Demo => demo::COMMANDS.into(),
            Self::Nowhere { .. } => Vec::new(),
        };
        String::from_utf8_lossy(&read).into_owned()
    }

    /// What to do when there is no BMC because no command file made one.
    fn hint(&self) -> Option<String> {
        let Self::Nowhere { looked, near } = self else { return None };
        let looked: Vec<_> = looked.iter().map(|path| path.display().to_string()).collect();
        let advice = match near {
            Some(path) => format!("did you mean -f {}?", quoted(&path.display().to_string())),
            None => "name the command file with -f FILE; it makes the BMC with mc_setbmc, mc_add and mc_enable".into(),
        };
        Some(format!("There is no command file: looked for {}; {advice}", looked.join(" and ")))
    }
}

/// The command file that may be meant: one beside the configuration, if there is only one or if it has
/// a usual name.
fn near(configuration: &Path, name: &str) -> Option<PathBuf> {
    let directory = configuration.parent().filter(|parent| !parent.as_os_str().is_empty());
    let entries = std::fs::read_dir(directory.unwrap_or(Path::new("."))).ok()?;
    let names = entries.flatten().map(|entry| PathBuf::from(entry.file_name()));
    let mut found: Vec<PathBuf> = names.filter(|path| path.extension().is_some_and(|end| end == "emu")).collect();
    found.sort();
    let usual = [format!("{name}.emu"), "sim.emu".into()];
    let usual = usual.iter().map(PathBuf::from).find(|usual| found.contains(usual));
    let file = usual.or_else(|| if found.len() == 1 { found.pop() } else { None })?;
    Some(directory.map_or_else(|| file.clone(), |directory| directory.join(&file)))
}

type State = (Persistence, Files, Option<StateDirectory>, Option<FolderLock>);

fn open_state(options: &Options, places: &Places, name: &str, notes: &mut Vec<String>) -> Result<State, Stop> {
    if options.nopersist || options.demo {
        return Ok((Persistence::Off, BTreeMap::new(), None, None));
    }
    let base = options.state_dir.clone().unwrap_or_else(|| places.state_base(name));
    let directory = StateDirectory::open(base, name).map_err(|error| stop(&error.to_string()))?;
    // Before anything in it is touched.
    let lock = match FolderLock::take(directory.path()) {
        Ok(lock) => Some(lock),
        Err(held @ LockError::Held { .. }) => return Err(stop(&format!("Unable to initialize persistence: {held}"))),
        Err(unable) => {
            notes.push(unable.to_string());
            None
        }
    };
    let loaded = directory.load_all();
    notes.extend(loaded.notes);
    Ok((Persistence::On, read_all(&loaded.files), Some(directory), lock))
}

/// How the configuration is read again while the program runs.
fn reader(source: Source, strictness: Strictness, directory: Option<StateDirectory>) -> Reader {
    Arc::new(move || {
        let read = configuration::read(&source, strictness);
        let findings: Vec<String> = read.findings.iter().map(Finding::to_string).collect();
        let config = read.config.ok_or_else(|| findings.clone())?;
        let files = directory.as_ref().map(StateDirectory::read_settings).transpose().map_err(|fault| vec![fault])?;
        Ok(Fresh { config, files: read_all(&files.unwrap_or_default()), warnings: findings })
    })
}
