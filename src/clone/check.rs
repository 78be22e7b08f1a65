//! Does a clone say what its machine said? It is started inside this process, asked everything again, and what differs
//! becomes rows of `oem_add`, or is told.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use ipmi_sim_client::Account;

use super::link::{Fault, Link, Target};
use super::model::{Controller, Machine, Request, Response};
use super::reads::{Question, Read, Use};
use super::write::{self, Folder, Layout, Settings};
use crate::embed::Bmc;

/// Highest and lowest privilege level of a session.
const ADMINISTRATOR: u8 = 4;
const CALLBACK: u8 = 1;

/// Something that the clone says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What was asked.
    pub request: Request,
    /// What the machine said.
    pub machine: Response,
    /// What the clone says without further help.
    pub clone: Response,
}

/// Why the clone cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum CheckFault {
    /// The files cannot be put anywhere for it.
    #[error("{0}")]
    Files(#[from] io::Error),
    /// It does not start.
    #[error("it does not start: {0}")]
    Start(String),
    /// It does not answer.
    #[error("{0}")]
    Link(#[from] Fault),
}

/// A folder of which it is known how far it is like its machine.
#[derive(Debug)]
pub struct Checked {
    /// The folder.
    pub folder: Folder,
    /// How many responses are the same.
    pub same: usize,
    /// What the clone says otherwise.
    pub differences: Vec<Difference>,
}

/// The folder of a machine, made to say what the machine said as far as that goes.
///
/// # Errors
/// It cannot be tried.
pub async fn checked(machine: &Machine, settings: &Settings) -> Result<Checked, CheckFault> {
    let differences = differences(machine, settings).await?;
    let (rows, left): (Vec<_>, Vec<_>) = differences.into_iter().partition(becomes_row);
    let folder = write::folder_with(machine, settings, &rows, &left);
    Ok(Checked { folder, same: machine.exchanges.len() - left.len(), differences: left })
}

/// Whether the clone can be made to say it by a row: facts, and what the machine does not have. What changes while the
/// machine lives would no longer change, and what sessions are about no row can be for.
fn becomes_row(difference: &Difference) -> bool {
    match difference.request.read() {
        Some(Read::AuthenticationCapabilities | Read::CipherSuites) => false,
        // The row has a byte that goes with the power.
        Some(Read::ChassisStatus) => true,
        Some(read) => read.purpose() == Use::Fact || difference.machine.code != 0,
        None => true,
    }
}

/// A folder that is gone with its value.
pub(super) struct Temporary(pub(super) PathBuf);

impl Temporary {
    pub(super) fn new() -> io::Result<Self> {
        let mut number = [0; 8];
        ipmi_sim_core::ipmi::Random::fill(&mut crate::host::random::SystemRandom::new()?, &mut number);
        let name = format!("ipmi_simctl.{}.{:016x}", std::process::id(), u64::from_le_bytes(number));
        Ok(Self(std::env::temp_dir().join(name)))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Starts the clone and asks it what the machine was asked.
async fn differences(machine: &Machine, settings: &Settings) -> Result<Vec<Difference>, CheckFault> {
    let settings = Settings { layout: Layout::Alone, ..settings.clone() };
    let folder = write::folder(machine, &settings);
    let place = Temporary::new()?;
    folder.save(&place.0)?;
    let text = |name: &str| {
        let content = folder.files.get(std::path::Path::new(name)).map(Vec::as_slice).unwrap_or_default();
        String::from_utf8_lossy(content).into_owned()
    };
    let (user, password, builder) = account(machine, &settings, Bmc::builder());
    let bmc = builder
        .lan_conf(text("lan.conf"))
        .command_file(text(&format!("{}.emu", machine.name)))
        .state_dir(place.0.join("state"))
        .address((Ipv4Addr::LOCALHOST, 0).into())
        .start()
        .map_err(|error| CheckFault::Start(error.to_string()))?;
    let target = Target {
        address: bmc.address(),
        account: Account::new(user, password),
        suite: None,
        level: ADMINISTRATOR,
        tries: 12,
    };
    let mut link = opened(target).await?;
    let found = ask_again(machine, &mut link).await;
    link.close().await;
    found
}

/// Logs in as high as the channel lets anybody.
async fn opened(mut target: Target) -> Result<Link, Fault> {
    loop {
        match Link::open(target.clone()).await {
            Err(Fault::Refused(_)) if target.level > CALLBACK => target.level -= 1,
            opened => return opened,
        }
    }
}

async fn ask_again(machine: &Machine, link: &mut Link) -> Result<Vec<Difference>, CheckFault> {
    let mut differences = Vec::new();
    for (request, response) in &machine.exchanges {
        let channel = machine.controllers.iter().find(|known| known.address == request.mc);
        // In a clone every controller is on the primary IPMB.
        let controller = Controller { address: request.mc, channel: 0, ..Controller::default() };
        let (Some(_), Ok(question)) = (channel, Question::recorded(&controller, request.clone())) else { continue };
        let told = match link.ask(&question).await {
            Ok(told) => told.settled(request.read()),
            Err(Fault::NotReached(code)) => Response::refused(code),
            Err(fault) => return Err(fault.into()),
        };
        if told != *response {
            differences.push(Difference { request: request.clone(), machine: response.clone(), clone: told });
        }
    }
    Ok(differences)
}

/// Who logs in to the clone: an administrator of it, or one more.
fn account(machine: &Machine, settings: &Settings, builder: crate::Builder) -> (Vec<u8>, String, crate::Builder) {
    match write::administrator(machine) {
        Some(name) => (name, settings.password.clone(), builder),
        None => {
            let name = "check";
            (name.into(), settings.password.clone(), builder.user(name, settings.password.clone()))
        }
    }
}
