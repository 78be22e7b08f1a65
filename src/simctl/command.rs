//! The subcommands: each one file, with its options, its help and what it does.

mod boot;
mod clone;
mod compare;
mod console;
mod create;
mod delete;
mod events;
mod fru;
mod import;
mod list;
mod metrics;
mod open;
mod power;
mod run;
mod sdr;
mod sel;
mod sensor;
mod show;
mod user;
mod wait;

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCompleter;

use super::completion;
use super::context::Context;
use super::failure::{Failure, Status};
use super::number;
use super::output::Output;

/// Which BMCs it is about.
#[derive(Clone, Debug, Args)]
pub(super) struct Target {
    /// A BMC, or several by a pattern of * and ?
    #[arg(id = "bmc", value_name = "NAME", add = ArgValueCompleter::new(completion::bmcs))]
    pub(super) name: String,
}

/// Which BMC it is about.
#[derive(Clone, Debug, Args)]
pub(super) struct OneTarget {
    /// A BMC
    #[arg(id = "bmc", value_name = "NAME", add = ArgValueCompleter::new(completion::bmcs))]
    pub(super) name: String,
}

/// Which controller of a BMC's system it is about.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Mc {
    /// The controller at this IPMB address [default: the BMC]
    #[arg(id = "mc", long = "mc", value_name = "ADDRESS", value_parser = number::byte)]
    pub(super) address: Option<u8>,
}

impl Mc {
    /// What is added to a path.
    pub(super) fn query(self) -> String {
        self.address.map(|mc| format!("?mc={mc}")).unwrap_or_default()
    }
}

/// What is empty is left out.
pub(super) fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List BMCs
    List(list::List),
    /// Show what is known of a BMC
    Show(show::Show),
    /// Switch the power, or show it
    Power(power::Power),
    /// Set from what the machine boots, or show it
    Boot(boot::Boot),
    /// List sensors, show one, or set it
    Sensor(sensor::Sensor),
    /// Show the system event log, add a record, or clear it
    Sel(sel::Sel),
    /// List users, or change one
    User(user::User),
    /// List sensor data records
    Sdr(sdr::Sdr),
    /// Show inventories
    Fru(fru::Fru),
    /// Run statements of the command language
    Run(run::Run),
    /// Add a BMC, or replace it
    Create(create::Create),
    /// Remove BMCs
    Delete(delete::Delete),
    /// Show what happens
    Events(events::Events),
    /// Wait until something holds or happens
    Wait(wait::Wait),
    /// Watch what a console prints
    Console(console::Console),
    /// Print metrics as OpenMetrics text
    Metrics(metrics::Metrics),
    /// Print the address of the page for browsers
    Open(open::Open),
    /// Make a copy of a real BMC
    Clone(Box<clone::Clone>),
    /// Make a BMC of files of one
    Import(Box<import::Import>),
    /// Compare two BMCs, or copies of them
    Compare(Box<compare::Compare>),
}

impl Command {
    /// Does it, if it has nothing to do with a control door.
    pub(super) async fn run_without_door(
        &self,
        output: &mut Output<'_>,
        jobs: usize,
    ) -> Option<Result<Status, Failure>> {
        match self {
            Self::Clone(command) => Some(command.run(output, jobs).await),
            Self::Import(command) => Some(command.run(output).await),
            Self::Compare(command) => Some(command.run(output).await),
            _ => None,
        }
    }

    /// Does it.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        match self {
            Self::List(command) => command.run(context).await,
            Self::Show(command) => command.run(context).await,
            Self::Power(command) => command.run(context).await,
            Self::Boot(command) => command.run(context).await,
            Self::Sensor(command) => command.run(context).await,
            Self::Sel(command) => command.run(context).await,
            Self::User(command) => command.run(context).await,
            Self::Sdr(command) => command.run(context).await,
            Self::Fru(command) => command.run(context).await,
            Self::Run(command) => command.run(context).await,
            Self::Create(command) => command.run(context).await,
            Self::Delete(command) => command.run(context).await,
            Self::Events(command) => command.run(context).await,
            Self::Wait(command) => command.run(context).await,
            Self::Console(command) => command.run(context).await,
            Self::Metrics(command) => command.run(context).await,
            Self::Open(command) => command.run(context).await,
            Self::Clone(command) => command.run(context.output, context.jobs).await,
            Self::Import(command) => command.run(context.output).await,
            Self::Compare(command) => command.run(context.output).await,
        }
    }
}
