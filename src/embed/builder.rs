//! How an embedded BMC is set up.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::error::{Faults, StartError};
use super::seat::{Setup, Shared, serve};
use super::{Bmc, Life, run};
use crate::command::{Entry, Function};
use crate::config::command::Statement;
use crate::config::{Diagnostic, Severity, Span, lan_conf};
use crate::host::jobs::{Helpers, StateWriter};
use crate::host::programs::{self, Programs};
use crate::host::random::SystemRandom;
use crate::host::{HostEvent, SystemId};
use crate::ipmi::{AuthTypes, ChannelNumber, McAddress, Moment, Privilege, Random, UserNumber};
use crate::runtime::configuration::look_up_names;
use crate::runtime::recordings::Recordings;
use crate::runtime::script::{Folders, Script};
use crate::runtime::seat;
use crate::runtime::statement::execute;
use crate::settings::model::{Address, Config, ControllerConfig, LanConfig, Port, UserConfig};
use crate::sim::{Effects, Input, Persistence, Simulator};
use crate::store::directory::StateDirectory;
use crate::store::format::read_all;
use crate::store::{FolderLock, LockError};

/// What the texts are called in faults.
const LAN_CONF: &str = "<lan.conf>";
const COMMAND_FILE: &str = "<command file>";
/// What makes the BMC when there is no command file.
const COMMANDS: &str = include_str!("bmc.emu");
/// IPMB address of the BMC.
const BMC: McAddress = McAddress::BMC;
/// How long a helper program may take, unless it is said otherwise.
const PROGRAM_LIMIT: Duration = Duration::from_secs(60);

/// How a BMC is set up; [`Bmc::builder`] makes it.
///
/// Nothing has to be said: without anything there is a BMC with a few sensors, an inventory, an empty event log and
/// no user, on a free port of 127.0.0.1, that keeps no state.
#[derive(Clone, Debug)]
pub struct Builder {
    name: Option<String>,
    address: Option<SocketAddr>,
    users: Vec<NewUser>,
    lan_conf: Option<String>,
    command_file: Option<String>,
    state: Option<PathBuf>,
    program_limit: Duration,
    commands: Vec<(Function, &'static [Entry])>,
}

#[derive(Clone)]
struct NewUser {
    name: String,
    password: String,
    privilege: Privilege,
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUser").field("name", &self.name).field("privilege", &self.privilege).finish_non_exhaustive()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            name: None,
            address: None,
            users: Vec::new(),
            lan_conf: None,
            command_file: None,
            state: None,
            program_limit: PROGRAM_LIMIT,
            commands: Vec::new(),
        }
    }
}

impl Builder {
    /// Adds an administrator. Of the name 16 bytes are possible, of the password 20; IPMI 1.5 logins know 16 of them.
    #[must_use]
    pub fn user(self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.user_with(name, password, Privilege::Administrator)
    }

    /// Adds a user with this highest privilege. Users get the numbers from 2 on that lan.conf does not use.
    #[must_use]
    pub fn user_with(mut self, name: impl Into<String>, password: impl Into<String>, privilege: Privilege) -> Self {
        self.users.push(NewUser { name: name.into(), password: password.into(), privilege });
        self
    }

    /// Where the first LAN channel is, instead of what lan.conf says, or of a free port of 127.0.0.1; port 0 is any
    /// that is free. On all addresses (`0.0.0.0`, `::`) responses leave from the one that the operating system chooses.
    #[must_use]
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// The name of the instance, which is part of the state folder's; instead of lan.conf's, or of `bmc`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The text of a lan.conf: channels, users, helper programs, serial lines. Host names in it are looked up at the
    /// start, which waits for them; so are the files that its consoles play, from the working directory. Its `console` is not opened.
    #[must_use]
    pub fn lan_conf(mut self, text: impl Into<String>) -> Self {
        self.lan_conf = Some(text.into());
        self
    }

    /// The text of a command file (`.emu`), which makes the BMC with its sensors and inventory, instead of the one that
    /// there is without. Its `sleep` waits in the caller's thread.
    #[must_use]
    pub fn command_file(mut self, text: impl Into<String>) -> Self {
        self.command_file = Some(text.into());
        self
    }

    /// Keeps state in `ipmi_sim/NAME` below this folder, as the program's option `-s` does; without it none is kept.
    #[must_use]
    pub fn state_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.state = Some(folder.into());
        self
    }

    /// How long helper programs of lan.conf may take; 60 s without it.
    #[must_use]
    pub fn program_timeout(mut self, limit: Duration) -> Self {
        self.program_limit = limit;
        self
    }

    /// Gives it commands of your own, as an OEM's BMC has them: every controller has those of this table, in any order.
    /// [`Simulator::add_commands`] says what comes first; it also adds to one that runs ([`Bmc::call`]), and to a
    /// single controller.
    ///
    /// ```
    /// use ipmi_sim::Bmc;
    /// use ipmi_sim::oem::{CompletionCode, Context, Entry, Function, Outcome, Response, Request};
    ///
    /// /// Network function 3Ah, command 01h, which a user may send.
    /// static COMMANDS: &[Entry] = &[Entry::new(0x01, "Get Answer", answer).user().reads()];
    ///
    /// fn answer(_: &mut Context<'_>, _: &Request<'_>, response: &mut Response) -> Result<Outcome, CompletionCode> {
    ///     response.put(&[42])?;
    ///     Ok(Outcome::Done)
    /// }
    ///
    /// let bmc = Bmc::builder().user("admin", "secret").commands(Function::Number(0x3a), COMMANDS).start()?;
    /// # Ok::<(), ipmi_sim::StartError>(())
    /// ```
    #[must_use]
    pub fn commands(mut self, function: Function, entries: &'static [Entry]) -> Self {
        self.commands.push((function, entries));
        self
    }

    /// The BMC alone, as a value without input and output: whoever calls it brings time and random numbers, hands
    /// datagrams in and carries its effects out ([`Simulator::handle`]). It has started at `now`; what it wants done
    /// is in `out`. State folder and address are left out, and its texts' `sleep` waits for nothing.
    ///
    /// # Errors
    /// A text is wrong.
    pub fn simulator(
        self,
        random: Box<dyn Random + Send>,
        now: Moment,
        out: &mut Effects,
    ) -> Result<Simulator, StartError> {
        let mut system = Simulator::new(self.config()?, BTreeMap::new(), Persistence::Off, random);
        self.add_commands(&mut system);
        system.handle(now, Input::Begin, out);
        let execute = |statement: &Statement, includes: &Folders| {
            (execute(&mut system, now, None, statement, includes, out), String::new())
        };
        let (_, faults) = run(self.script(), execute, |_| {});
        if !faults.is_empty() {
            return Err(StartError::Commands(Faults(faults)));
        }
        system.handle(now, Input::Started, out);
        Ok(system)
    }

    /// Starts the BMC on a thread of its own. When this returns it can be asked.
    ///
    /// # Errors
    /// A text is wrong, an address cannot be had, or the state folder cannot be used.
    pub fn start(self) -> Result<Bmc, StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let Made { shared, events, address } = match self.make(runtime.handle()) {
            Ok(made) => made,
            Err(error) => {
                // To wait for its threads is not allowed to whoever calls from async code.
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("ipmi_sim".into()).spawn(move || {
            runtime.block_on(serve(theirs, events));
            // Helper programs that still run are left to finish.
            runtime.shutdown_timeout(Duration::from_millis(50));
        })?;
        Ok(Bmc { shared, address, life: Life::Thread(Some(thread)) })
    }

    /// Starts the BMC as a task of a tokio runtime that has I/O and time enabled. When this returns it can be asked.
    /// The functions of [`Bmc`] do not wait for the runtime, so they may be called from its tasks.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_in(self, runtime: &Handle) -> Result<Bmc, StartError> {
        let Made { shared, events, address } = self.make(runtime)?;
        let task = runtime.spawn(serve(Arc::clone(&shared), events));
        Ok(Bmc { shared, address, life: Life::Task(Some(task)) })
    }

    fn make(self, runtime: &Handle) -> Result<Made, StartError> {
        let config = self.config()?;
        let (persistence, files, state, lock) = match &self.state {
            None => (Persistence::Off, BTreeMap::new(), None, None),
            Some(base) => {
                let unusable = |error: &dyn std::fmt::Display| StartError::State(error.to_string());
                let directory = StateDirectory::open(base, &config.name).map_err(|error| unusable(&error))?;
                // Before anything in it is touched.
                let lock = match FolderLock::take(directory.path()) {
                    Ok(lock) => Some(lock),
                    Err(held @ LockError::Held { .. }) => return Err(unusable(&held)),
                    Err(unable) => {
                        log::warn!("{unable}");
                        None
                    }
                };
                let loaded = directory.load_all();
                loaded.notes.iter().for_each(|note| log::warn!("{note}"));
                let writer: StateWriter = Arc::new(move |name, content| directory.write(name, content));
                (Persistence::On, read_all(&loaded.files), Some(writer), lock)
            }
        };
        let name = config.name.as_str().into();
        let mut system = Box::new(Simulator::new(config, files, persistence, Box::new(SystemRandom::new()?)));
        self.add_commands(&mut system);
        let helpers = Helpers { programs: Programs::new(self.program_limit, programs::MOST), name, index: 0 };
        let seat = seat::Setup { system, configuration: LAN_CONF.into(), state, helpers };
        let setup = Setup { runtime: runtime.clone(), seat, lock };
        let (shared, events) = Shared::new(setup);
        let execute = |statement: &Statement, includes: &Folders| shared.seat().execute(statement, includes);
        let (printed, faults) = run(self.script(), execute, thread::sleep);
        let mut seat = shared.seat();
        if !printed.is_empty() {
            log::info!("{}", printed.trim_end());
        }
        if !faults.is_empty() {
            return Err(StartError::Commands(Faults(faults)));
        }
        seat.started();
        if let Some(problem) = seat.take_problem() {
            return Err(StartError::Open(problem));
        }
        let first = seat.places().first().map(|(_, address)| *address);
        drop(seat);
        let address = first.ok_or_else(|| {
            StartError::Open("no LAN channel is open: no mc_enable names an MC with a startlan block".into())
        })?;
        Ok(Made { shared, events, address })
    }

    fn add_commands(&self, system: &mut Simulator) {
        for (function, entries) in &self.commands {
            system.add_commands(None, *function, entries);
        }
    }

    fn script(&self) -> Script {
        let mut script = Script::default();
        script.push_file(COMMAND_FILE, self.command_file.as_deref().unwrap_or(COMMANDS).as_bytes());
        script
    }

    fn config(&self) -> Result<Config, StartError> {
        let mut config = match &self.lan_conf {
            Some(text) => read(text)?,
            None => plain(),
        };
        if let Some(name) = &self.name {
            config.name.clone_from(name);
        }
        if let Some(address) = self.address {
            let lan = config.controllers.iter_mut().flat_map(|controller| &mut controller.lans).next();
            let lan = lan.ok_or_else(|| StartError::Open("lan.conf has no LAN channel to be moved".into()))?;
            lan.address = Some(literal(address));
        }
        for user in &self.users {
            add_user(&mut config, user)?;
        }
        Ok(config)
    }
}

/// A system that has started and is not served yet.
struct Made {
    shared: Arc<Shared>,
    events: mpsc::Receiver<(SystemId, HostEvent)>,
    address: SocketAddr,
}

/// Reads a lan.conf; what is worth a warning is logged.
fn read(text: &str) -> Result<Config, StartError> {
    let (config, mut found) = lan_conf::parse(LAN_CONF, text.as_bytes());
    let config = config.map(|mut config| {
        found.extend(look_up_names(&mut config, LAN_CONF, text));
        found.extend(Recordings::default().load(&mut config, LAN_CONF, text));
        config
    });
    let (faults, warnings): (Vec<Diagnostic>, Vec<_>) =
        found.into_iter().partition(|found| found.severity == Severity::Error);
    warnings.iter().for_each(|warning| log::warn!("{warning}"));
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(StartError::Configuration(Faults(faults))),
    }
}

/// A BMC with one LAN channel on a free port.
fn plain() -> Config {
    let lan = LanConfig {
        channel: ChannelNumber::LAN,
        address: Some(literal((Ipv4Addr::LOCALHOST, 0).into())),
        advertised_port: None,
        alert_port: None,
        privilege_limit: None,
        allowed_auths: [AuthTypes::MD5; 4],
        guid: None,
        bmc_key: None,
        config_program: None,
        pef_alerting: false,
        per_message_auth: true,
        span: Span::default(),
    };
    let controller = ControllerConfig { lans: vec![lan], ..ControllerConfig::new(BMC) };
    Config { name: "bmc".into(), controllers: vec![controller], ..Config::default() }
}

fn literal(address: SocketAddr) -> Address {
    let (host, port) = (address.ip().to_string(), Port::Number(address.port()));
    Address { host, port, span: Span::default(), other_family: None }
}

fn add_user(config: &mut Config, user: &NewUser) -> Result<(), StartError> {
    let refused = |why: &str| StartError::User(format!("user {:?}: {why}", user.name));
    let name = padded(&user.name).ok_or_else(|| refused("a name has at most 16 bytes"))?;
    let password = padded(&user.password).ok_or_else(|| refused("a password has at most 20 bytes"))?;
    if user.name.is_empty() {
        return Err(refused("a user needs a name"));
    }
    if config.controllers.iter().all(|controller| controller.address != BMC) {
        config.controllers.push(ControllerConfig::new(BMC));
    }
    let bmc = config.controllers.iter_mut().find(|controller| controller.address == BMC);
    let users = bmc.map(|bmc| &mut bmc.users).ok_or_else(|| refused("there is no BMC"))?;
    let is_free = |number: &UserNumber| users.iter().all(|other| other.number != *number);
    // User 1 has no name.
    let number = UserNumber::all().skip(1).find(is_free).ok_or_else(|| refused("there is no room for more users"))?;
    users.push(UserConfig {
        number,
        enabled: true,
        name,
        password,
        privilege: user.privilege,
        max_sessions: 0,
        auths: None,
        span: Span::default(),
    });
    Ok(())
}

/// The bytes of a text, zero padded, if there are not too many.
fn padded<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    out.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    Some(out)
}
