//! A folder of a simulator as a machine: its BMC is started inside this process, at the loopback address, and walked over.
//!
//! While that lasts the working directory of the process is the folder's, because names of files in a command file are
//! relative to it. State is copied before, so that nothing in the folder changes. What may be started of a configuration,
//! [`node`](super::import::node) says.

use std::env;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Component, Path, PathBuf};

use ipmi_sim_client::Account;

use super::check::Temporary;
use super::import::node::{COMMANDS, CONFIGURATIONS, DESCRIPTION, command_file, tame};
use super::link::{Fault, Link, Target};
use super::model::{BMC, Machine};
use super::reads::Read;
use super::walk::{Options, Watch, walk};
use crate::config::lan_conf;
use crate::embed::Bmc;
use crate::ipmi::{McAddress, Privilege};

/// Who logs in where a configuration has no administrator. The walk's machine has no such user.
const VISITOR: &str = "ipmi_simctl";
/// How often a request to this process is sent.
const TRIES: u32 = 12;

/// Why a folder is no machine.
#[derive(Debug, thiserror::Error)]
pub enum ReplayFault {
    /// It does not have the files of a simulator.
    #[error("{path}: {1}", path = .0.display())]
    NoFolder(PathBuf, String),
    /// A file cannot be read.
    #[error("{path}: {1}", path = .0.display())]
    File(PathBuf, io::Error),
    /// Its configuration is wrong.
    #[error("{path}: it does not start: {1}", path = .0.display())]
    Start(PathBuf, String),
    /// Its BMC does not answer.
    #[error("{path}: {1}", path = .0.display())]
    Link(PathBuf, Fault),
}

/// A machine of a folder.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// What it says.
    pub machine: Machine,
    /// The password of the administrator that its configuration has.
    pub password: Option<String>,
    /// Keywords of its configuration that were not carried out.
    pub left_out: Vec<&'static str>,
}

/// The files of a folder.
struct Files {
    /// The working directory that its names are relative to.
    base: PathBuf,
    configuration: PathBuf,
    commands: PathBuf,
    /// The folder that state folders are in, if there is one.
    state: Option<PathBuf>,
}

/// Whether a folder has the files of a simulator.
pub fn is_folder(folder: &Path) -> bool {
    CONFIGURATIONS.iter().any(|name| folder.join(name).is_file())
}

/// Walks over the BMC of a folder, which the machine is named after.
///
/// # Errors
/// It has not the files, or they are wrong.
pub async fn machine(folder: &Path, watch: Watch<'_>) -> Result<Replayed, ReplayFault> {
    let folder = fs::canonicalize(folder).map_err(|error| ReplayFault::File(folder.to_owned(), error))?;
    let files = Files::find(&folder)?;
    let [configuration, commands] = [&files.configuration, &files.commands].map(|path| {
        fs::read(path)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .map_err(|error| ReplayFault::File(path.clone(), error))
    });
    let (configuration, commands) = (tame(&configuration?), commands?);
    let (config, _) = lan_conf::parse(&files.configuration.display().to_string(), configuration.text.as_bytes());
    let known = config.as_ref().and_then(administrator);
    let temporary = Temporary::new().map_err(|error| ReplayFault::File(env::temp_dir(), error))?;
    let mut builder = Bmc::builder().lan_conf(&configuration.text).command_file(commands);
    if let Some(name) = config.as_ref().map(|config| config.name.as_str()).filter(|name| !name.is_empty()) {
        let state = files.copied_state(name, &temporary.0)?;
        builder = builder.state_dir(state);
    }
    let (user, password) = match &known {
        Some((user, password)) => (user.clone(), password.clone()),
        None => {
            builder = builder.user(VISITOR, VISITOR);
            (VISITOR.into(), VISITOR.into())
        }
    };
    let account = Account::new(user, &password);
    let mut machine = visit(&files, builder, account, &folder, watch).await?;
    if known.is_none() {
        forget_visitor(&mut machine);
    }
    let password = known.map(|(_, password)| String::from_utf8_lossy(&password).into_owned());
    Ok(Replayed { machine, password, left_out: configuration.left_out })
}

/// Starts it and walks over it.
async fn visit(
    files: &Files,
    builder: crate::Builder,
    account: Account,
    folder: &Path,
    watch: Watch<'_>,
) -> Result<Machine, ReplayFault> {
    const ADMINISTRATOR: u8 = 4;
    let started = |why: String| ReplayFault::Start(folder.to_owned(), why);
    let _there = WorkingDirectory::change(&files.base).map_err(|error| ReplayFault::File(files.base.clone(), error))?;
    let bmc = builder.address((Ipv4Addr::LOCALHOST, 0).into()).start().map_err(|error| started(error.to_string()))?;
    let target = Target { address: bmc.address(), account, suite: None, level: ADMINISTRATOR, tries: TRIES };
    let failed = |fault| ReplayFault::Link(folder.to_owned(), fault);
    let mut link = Link::open(target).await.map_err(failed)?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let machine = walk(&mut link, &Options { name, ..Options::default() }, watch).await;
    link.close().await;
    machine.map_err(failed)
}

/// An administrator of the BMC who may log in: name and password, without what fills them.
fn administrator(config: &crate::settings::model::Config) -> Option<(Vec<u8>, Vec<u8>)> {
    let bmc = config.controllers.iter().find(|controller| controller.address == McAddress::BMC)?;
    let user = bmc
        .users
        .iter()
        .find(|user| user.enabled && user.privilege == Privilege::Administrator && user.name[0] != 0)?;
    let text = |bytes: &[u8]| bytes.iter().copied().take_while(|byte| *byte != 0).collect();
    Some((text(&user.name), text(&user.password)))
}

/// Takes out the user that was added for the walk.
fn forget_visitor(machine: &mut Machine) {
    let is_visitor = |data: &[u8]| data.starts_with(VISITOR.as_bytes());
    let number = machine
        .all(BMC, Read::UserName)
        .find(|(_, response)| is_visitor(&response.data))
        .and_then(|(request, _)| request.data.first().copied());
    if let Some(number) = number {
        machine.exchanges.retain(|request, _| {
            !(request.is(Read::UserName) && request.data.first() == Some(&number)
                || (request.is(Read::UserAccess) || request.is(Read::UserPayloadAccess))
                    && request.data.get(1) == Some(&number))
        });
    }
}

impl Files {
    fn find(folder: &Path) -> Result<Self, ReplayFault> {
        let wrong = |why: String| ReplayFault::NoFolder(folder.to_owned(), why);
        let configuration = CONFIGURATIONS.iter().map(|name| folder.join(name)).find(|path| path.is_file());
        let configuration = configuration
            .ok_or_else(|| wrong(format!("it has no configuration: none of {}", CONFIGURATIONS.join(", "))))?;
        let mut found = Vec::new();
        for place in COMMANDS {
            let entries = fs::read_dir(folder.join(place)).into_iter().flatten().flatten().map(|entry| entry.path());
            found.extend(entries.filter(|path| path.extension().is_some_and(|end| end == "emu") && path.is_file()));
            if !found.is_empty() {
                break;
            }
        }
        found.sort();
        let description = fs::read_to_string(folder.join(DESCRIPTION)).ok();
        let commands = command_file(&found, description.as_deref()).map_err(wrong)?;
        // Of a fleet's folder the state is beside it, and names are relative to what it is in.
        let of_fleet = folder.parent().filter(|parent| !folder.join("state").is_dir() && parent.join("state").is_dir());
        let base = of_fleet.unwrap_or(folder).to_owned();
        let state = Some(base.join("state")).filter(|state| state.is_dir());
        Ok(Self { base, configuration, commands, state })
    }

    /// A copy of the state of a BMC, in a folder below which state folders are.
    fn copied_state(&self, name: &str, temporary: &Path) -> Result<PathBuf, ReplayFault> {
        // A name may have folders in it, but does not lead out of the state folder.
        let stays = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        let Some(state) = self.state.as_ref().filter(|_| stays) else { return Ok(temporary.to_owned()) };
        let place = Path::new("ipmi_sim").join(name);
        let from = state.join(&place);
        let to = temporary.join(&place);
        let files = |path: &Path, error| ReplayFault::File(path.to_owned(), error);
        fs::create_dir_all(&to).map_err(|error| files(&to, error))?;
        for entry in fs::read_dir(&from).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_file() {
                fs::copy(&path, to.join(entry.file_name())).map_err(|error| files(&path, error))?;
            }
        }
        Ok(temporary.to_owned())
    }
}

/// Another working directory, until this is dropped.
struct WorkingDirectory(PathBuf);

impl WorkingDirectory {
    fn change(to: &Path) -> io::Result<Self> {
        let before = env::current_dir()?;
        env::set_current_dir(to)?;
        Ok(Self(before))
    }
}

impl Drop for WorkingDirectory {
    fn drop(&mut self) {
        // A directory that is gone is nobody's.
        let _ = env::set_current_dir(&self.0);
    }
}
