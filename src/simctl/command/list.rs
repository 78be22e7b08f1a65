//! `list`: the BMCs of the process.

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;
use serde_json::{Value, json};

use crate::simctl::completion;
use crate::simctl::context::Context;
use crate::simctl::failure::{Failure, Status};
use crate::simctl::model::{Summary, read};
use crate::simctl::output::{Form, Output};
use crate::simctl::style::Style;
use crate::simctl::table::{Cell, Table};

/// Which power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Power {
    /// On.
    On,
    /// Off.
    Off,
}

/// The options of `list`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  ipmi_simctl list
  ipmi_simctl list 'rack1-*' --power off
  ipmi_simctl list --names | head
  ipmi_simctl list --json | jq -r '.bmcs[] | select(.alarms > 0).name'")]
pub struct List {
    /// Only BMCs whose names match a pattern of * and ?
    #[arg(value_name = "PATTERN", add = ArgValueCompleter::new(completion::bmcs))]
    pattern: Option<String>,

    /// Only those whose power is on, or off
    #[arg(long, value_name = "POWER", value_enum)]
    power: Option<Power>,

    /// Names alone, one a line
    #[arg(long, conflicts_with = "json")]
    names: bool,
}

impl List {
    /// Lists them.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let power = match self.power {
            None => "",
            Some(Power::On) => "&power=on",
            Some(Power::Off) => "&power=off",
        };
        let bmcs = context.door.list(self.pattern.as_deref(), power).await?;
        let output = &mut *context.output;
        match output.form {
            Form::Programs => {
                output.value(&json!({"total": bmcs.len(), "bmcs": bmcs}))?;
            }
            Form::People if self.names => {
                for bmc in &bmcs {
                    output.line(&read::<Summary>(bmc)?.name)?;
                }
            }
            Form::People => show(output, &bmcs)?,
        }
        Ok(Status::Done)
    }
}

fn show(output: &mut Output<'_>, bmcs: &[Value]) -> Result<(), Failure> {
    if bmcs.is_empty() {
        output.remark("There is no such BMC");
        return Ok(());
    }
    let mut table = Table::new(&["NAME", "STATE", "POWER", "#SESSIONS", "#ALARMS", "#SEL", "#FAULTS", "ADDRESS"]);
    for bmc in bmcs {
        let bmc: Summary = read(bmc)?;
        let state = if bmc.state == "running" { Style::Plain } else { Style::Warning };
        table.row([
            bmc.name.into(),
            Cell::styled(bmc.state, state),
            Cell::styled(bmc.power.as_str(), Style::of_power(&bmc.power)),
            bmc.sessions.to_string().into(),
            Cell::styled(bmc.alarms.to_string(), Style::of_count(bmc.alarms)),
            bmc.sel_records.to_string().into(),
            Cell::styled(bmc.faults.to_string(), Style::of_count(bmc.faults)),
            bmc.addresses.join(" ").into(),
        ]);
    }
    output.table(&table)
}
