//! `power`: Chassis Control, carried out before it returns.

use clap::{Args, ValueEnum};
use hyper::Method;
use serde_json::{Value, json};

use super::{Mc, Target};
use crate::simctl::context::Context;
use crate::simctl::door::{Door, bmc_path};
use crate::simctl::failure::{Failure, Status};
use crate::simctl::model::{Summary, read};
use crate::simctl::output::Output;
use crate::simctl::several;
use crate::simctl::style::Style;
use crate::simctl::table::{Cell, Table};

/// What is done to the power (IPMI 2.0 section 28.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Control {
    /// Show whether it is on
    Status,
    /// Switch it on
    On,
    /// Switch it off
    Off,
    /// Switch it off and on
    Cycle,
    /// Hard reset
    Reset,
    /// Ask the operating system to shut down
    Soft,
    /// Diagnostic interrupt
    Diag,
}

/// The options of `power`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
It returns when it is done: a helper program of chassis_control has ended.

Examples:
  ipmi_simctl power node1
  ipmi_simctl power node1 cycle
  ipmi_simctl power 'node*' on --jobs 32")]
pub struct Power {
    #[command(flatten)]
    target: Target,

    /// What to do
    #[arg(value_name = "CONTROL", value_enum, default_value_t = Control::Status)]
    control: Control,

    #[command(flatten)]
    mc: Mc,
}

impl Power {
    /// Does it.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let what = if self.control == Control::Status { "Asking" } else { "Switching" };
        let work = async |door: &Door, name: &str| self.one(door, name).await;
        several::each(context, &self.target.name, what, work, present).await
    }

    async fn one(&self, door: &Door, name: &str) -> Result<Value, Failure> {
        let control = match self.control {
            Control::Status => {
                let bmc: Summary = read(&door.get(&bmc_path(name, "")).await?)?;
                return Ok(json!({"power": bmc.power}));
            }
            Control::On => "on",
            Control::Off => "off",
            Control::Cycle => "cycle",
            Control::Reset => "reset",
            Control::Soft => "soft",
            Control::Diag => "diag",
        };
        let mut body = json!({"control": control});
        if let Some(mc) = self.mc.address {
            body["mc"] = mc.into();
        }
        Ok(door.ask(Method::POST, &bmc_path(name, "/power"), Some(&body)).await?.1)
    }
}

fn present(output: &mut Output<'_>, bmcs: &[(String, Value)]) -> Result<(), Failure> {
    let power = |value: &Value| value["power"].as_str().unwrap_or("unknown").to_owned();
    if let [(name, value)] = bmcs {
        let power = power(value);
        return output.line(&format!("{name}: power {}", output.paint(Style::of_power(&power), &power)));
    }
    let mut table = Table::new(&["NAME", "POWER"]);
    for (name, value) in bmcs {
        let power = power(value);
        let style = Style::of_power(&power);
        table.row([name.as_str().into(), Cell::styled(power, style)]);
    }
    output.table(&table)
}
