//! What lan.conf said, and the variables that statements define on top of it.
//!
//! A reload compares with it, and `mc_delete` goes back to it.

use super::effect::LanId;
use crate::bmc::StateFile;
use crate::ipmi::{ChannelNumber, McAddress};
use crate::settings::command::Variables;
use crate::settings::model::{Address, Config, ControllerConfig};

/// The configuration as it stands.
pub(super) struct Configured {
    name: String,
    console: Option<Address>,
    /// What `define` said in lan.conf.
    defined: Vec<(String, String)>,
    /// The same, and what statements defined.
    variables: Variables,
    controllers: Vec<ControllerConfig>,
}

impl Configured {
    pub(super) fn new(config: Config) -> Self {
        Self {
            name: config.name,
            console: config.console,
            defined: config.variables.clone(),
            variables: config.variables.into_iter().collect(),
            controllers: config.controllers,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where the console is, if there is one.
    pub(super) fn console(&self) -> Option<&Address> {
        self.console.as_ref()
    }

    pub(super) fn variables(&self) -> &Variables {
        &self.variables
    }

    /// `define` of a statement.
    pub(super) fn define(&mut self, name: String, value: String) {
        self.variables.insert(name, value);
    }

    /// What `define` says in a lan.conf that was read again. Gives the names of those that say something else now.
    pub(super) fn redefine(&mut self, defined: Vec<(String, String)>) -> Vec<String> {
        let mut changed = Vec::new();
        for new in &defined {
            if !self.defined.contains(new) {
                self.variables.insert(new.0.clone(), new.1.clone());
                changed.push(new.0.clone());
            }
        }
        self.defined = defined;
        changed
    }

    /// What lan.conf says of each controller that it names.
    pub(super) fn controllers(&self) -> &[ControllerConfig] {
        &self.controllers
    }

    /// What lan.conf says of one.
    pub(super) fn controller(&self, mc: McAddress) -> Option<&ControllerConfig> {
        self.controllers.iter().find(|config| config.address == mc)
    }

    /// Takes over what a lan.conf that was read again says.
    pub(super) fn set_controllers(&mut self, controllers: Vec<ControllerConfig>) {
        self.controllers = controllers;
    }

    /// Where a LAN channel is, whatever lan.conf says.
    pub(super) fn set_lan_address(&mut self, lan: LanId, address: Option<&Address>) {
        let configured = self.controllers.iter_mut().filter(|config| config.address == lan.mc);
        for config in configured.flat_map(|config| &mut config.lans).filter(|config| config.channel == lan.channel) {
            config.address = address.cloned();
        }
    }

    /// The name of a state file.
    pub(super) fn file_name(&self, file: StateFile) -> String {
        match file {
            StateFile::Users(mc) => format!("users.mc{mc:02x}"),
            StateFile::Sol(mc) => format!("sol.mc{mc:02x}"),
            StateFile::Chassis(mc) => format!("chassis.mc{mc:02x}"),
            StateFile::SystemInfo(mc) => format!("sysinfo.mc{mc:02x}"),
            StateFile::Dcmi(mc) => format!("dcmi.mc{mc:02x}"),
            StateFile::Pef(mc) => format!("pef.mc{mc:02x}"),
            StateFile::Process(mc) => format!("process.mc{mc:02x}"),
            StateFile::Sel(mc) => format!("sel.{mc:02x}"),
            StateFile::Sdr(mc) => format!("sdr.{mc:02x}.main"),
            StateFile::Lan { mc, channel } => {
                let owner = if self.owns_lan_file(mc, channel) { McAddress::BMC } else { mc };
                format!("lanparm.mc{owner:02x}.{channel}")
            }
        }
    }

    /// The original names the file `mc20` whatever the MC is, so that LAN channels of the
    /// same number on two MCs overwrite each other. Here one of them has that name, the
    /// one at 20h or else the first, and every other a file of its own.
    fn owns_lan_file(&self, mc: McAddress, channel: ChannelNumber) -> bool {
        let mut owners = self
            .controllers
            .iter()
            .filter(|config| config.lans.iter().any(|lan| lan.channel == channel))
            .map(|config| config.address);
        let first = owners.clone().next();
        owners.find(|address| *address == McAddress::BMC).or(first) == Some(mc)
    }
}
