//! What is around systems that are served: pid file, capture file, terminal, service manager and tokio.

use std::fs::File;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::time::Duration;

use nix::sys::stat::fstat;

#[cfg(feature = "control")]
use super::door::Door;
use super::driver::announce::Audience;
use super::driver::fleet::FleetPlan;
use super::driver::{self, Failures, Plan, Scope, SystemPlan};
use super::options::Options;
use super::pid_file::PidFile;
use super::service::{Environment, Service};
use super::terminal::{StandardInput, Streams};
use super::{Ending, clock, limits, logging, pcap};
#[cfg(feature = "control")]
use crate::control;
use crate::store::directory::message;

/// How long the first poll of a sensor, say, may hold up the lines after it.
const STATEMENT_LIMIT: Duration = Duration::from_secs(5);
/// How long helper programs that still run are waited for at the end; then they are left to finish, as one of them may be
/// holding a power button.
const HELPERS: Duration = Duration::from_millis(50);
/// Room for what the operating system tells at a time: more descriptors than are usually open.
const IO_EVENTS: usize = 64;

/// What is open before the first system is there.
pub(super) struct Serving {
    /// What is worth a line in the log.
    pub(super) notes: Vec<String>,
    pid_file: Option<PidFile>,
    capture: Option<(File, String)>,
    streams: Streams,
    #[cfg(feature = "control")]
    control: Option<control::Open>,
}

/// What differs between one system and a fleet.
pub(super) struct What {
    /// One, or any number.
    pub(super) scope: Scope,
    /// Where the TCP console listens.
    pub(super) console: Option<SocketAddr>,
    /// What is printed when everything is open, if that is asked for.
    pub(super) ready_line: String,
    /// Where systems come from that come and go.
    pub(super) fleet: Option<FleetPlan>,
}

impl Serving {
    /// Opens it, before anything is touched that a running program may be using.
    ///
    /// # Errors
    /// What cannot be done without, in one line.
    pub(super) fn open(options: &Options) -> Result<Self, String> {
        #[cfg_attr(not(feature = "control"), expect(unused_mut, reason = "the control door has notes"))]
        let mut notes = limits::prepare()?;
        let pid_file = options.pid_file.as_deref().map(PidFile::write).transpose()?;
        let capture = open_capture(options)?;
        // Descriptor 0 without anybody behind it is no console: the original aborts.
        let streams = Streams::standard().map_err(|error| format!("Unable to start: {}", message(&error)))?;
        #[cfg(feature = "control")]
        let control = {
            let settings = options.control();
            let open = settings.is_asked_for().then(|| settings.open()).transpose()?;
            notes.extend(open.iter().flat_map(|open| open.notes.clone()));
            open
        };
        Ok(Self {
            notes,
            pid_file,
            capture,
            streams,
            #[cfg(feature = "control")]
            control,
        })
    }

    /// Drives systems to their end.
    ///
    /// # Errors
    /// There is no runtime for them, in one line.
    pub(super) fn run(self, options: &Options, systems: Vec<SystemPlan>, what: What) -> Result<Ending, String> {
        // The file of its socket is there until the end.
        #[cfg(feature = "control")]
        let (door, _file) = match self.control {
            Some(open) => {
                let (door, plan) = Door::new(open.places.clone());
                (Some(plan), open.serve(door)?)
            }
            None => (None, None),
        };
        #[cfg(not(feature = "control"))]
        let door = None;
        let Self { notes, pid_file, capture, streams, .. } = self;
        let What { scope, console, ready_line, fleet } = what;
        let input = streams.kind();
        let plan = Plan {
            scope,
            streams,
            standard: (!options.nostdio && input != StandardInput::Nothing).then_some(input),
            console,
            program_limit: Duration::from_secs(options.program_timeout.into()),
            programs: options.programs.into(),
            statement_limit: STATEMENT_LIMIT,
            failures: if options.strict { Failures::Fatal } else { Failures::Reported },
            syslog: logging::system_log(),
            notes,
            service: Service::new(&Environment::of_process(), clock::now()),
            ready_line: options.ready_line.then_some(ready_line),
            capture,
            fleet,
            door,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_io_events_per_tick(IO_EVENTS)
            .build()
            .map_err(|error| format!("Unable to start: {}", message(&error)))?;
        let ending = runtime.block_on(driver::run(systems, plan));
        runtime.shutdown_timeout(HELPERS);
        drop(pid_file);
        Ok(ending)
    }
}

fn open_capture(options: &Options) -> Result<Option<(File, String)>, String> {
    let Some(path) = &options.pcap else { return Ok(None) };
    let name = path.display().to_string();
    let file = pcap::open(path).map_err(|error| format!("Unable to write {name}: {}", message(&error)))?;
    Ok(Some((file, name)))
}

/// Who reads standard error.
pub(super) fn audience() -> Audience {
    let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
    let same = match (fstat(&stdout), fstat(&stderr)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino, one.st_rdev) == (other.st_dev, other.st_ino, other.st_rdev),
        _ => false,
    };
    match (stderr.is_terminal() && !logging::is_formatted(), same) {
        (true, true) => Audience::SameTerminal,
        (true, false) => Audience::Terminal,
        (false, true) => Audience::SameFile,
        (false, false) => Audience::Log,
    }
}
