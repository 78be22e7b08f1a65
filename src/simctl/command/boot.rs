//! `boot`: from what the machine boots.

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;
use hyper::Method;
use serde_json::{Value, json};

use super::{Target, or_dash};
use crate::simctl::completion;
use crate::simctl::context::Context;
use crate::simctl::door::{Door, bmc_path};
use crate::simctl::failure::{Failure, Status};
use crate::simctl::model::{Boot as Told, read};
use crate::simctl::output::Output;
use crate::simctl::several;
use crate::simctl::table::Table;

/// For how many boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Boots {
    /// The next one
    Next,
    /// All from now on
    All,
}

/// The options of `boot`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  ipmi_simctl boot node1
  ipmi_simctl boot node1 pxe
  ipmi_simctl boot 'node*' disk --boots all
  ipmi_simctl boot node1 none")]
pub struct Boot {
    #[command(flatten)]
    target: Target,

    /// pxe, disk, cdrom, bios, diag, safe ...; none takes the override away.
    /// Without it what holds is shown
    #[arg(verbatim_doc_comment, value_name = "DEVICE", add = ArgValueCompleter::new(completion::boot_devices))]
    device: Option<String>,

    /// For how many boots
    #[arg(long, value_name = "BOOTS", value_enum, default_value_t = Boots::Next, requires = "device")]
    boots: Boots,
}

impl Boot {
    /// Does it.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let work = async |door: &Door, name: &str| self.one(door, name).await;
        several::each(context, &self.target.name, "Setting", work, present).await
    }

    async fn one(&self, door: &Door, name: &str) -> Result<Value, Failure> {
        let Some(device) = &self.device else {
            return Ok(door.get(&bmc_path(name, "")).await?["boot"].take());
        };
        let boots = if self.boots == Boots::All { "all" } else { "next" };
        let body = json!({"device": device, "boots": boots});
        Ok(door.ask(Method::PUT, &bmc_path(name, "/boot"), Some(&body)).await?.1)
    }
}

fn present(output: &mut Output<'_>, bmcs: &[(String, Value)]) -> Result<(), Failure> {
    let mut table = Table::new(&["NAME", "DEVICE", "BOOTS"]);
    for (name, value) in bmcs {
        let boot: Told = read(value)?;
        table.row([name.as_str().into(), or_dash(&boot.device).into(), boot.boots.unwrap_or_default().into()]);
    }
    output.table(&table.without_empty_columns())
}
