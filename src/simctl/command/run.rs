//! `run`: statements of the command language, as a console takes them.

use std::io::Read;

use clap::Args;
use hyper::Method;
use serde_json::{Value, json};

use super::Target;
use crate::simctl::context::Context;
use crate::simctl::door::{Door, bmc_path};
use crate::simctl::failure::{Failure, Status};
use crate::simctl::model::{Line, Lines, read};
use crate::simctl::output::Output;
use crate::simctl::several;

/// Lines in one request, and bytes of them: a body may have 1 MiB.
const LINES: usize = 500;
const BYTES: usize = 256 << 10;

/// The options of `run`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
They are carried out in their order, and one that fails stops no other. Exit status 1: one has failed.

Examples:
  ipmi_simctl run node1 'sensor_set_value 0x20 0 1 0x70 0'
  ipmi_simctl run node1 sensors sel
  ipmi_simctl run 'node*' - <more.emu")]
pub struct Run {
    #[command(flatten)]
    target: Target,

    /// Statements, see ipmi_sim_cmd(5); - reads them from standard input
    #[arg(value_name = "STATEMENT", required = true)]
    statements: Vec<String>,
}

impl Run {
    /// Runs them.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let lines = self.lines()?;
        let work = async |door: &Door, name: &str| statements(door, name, &lines).await;
        let outcomes = several::gather(context, &self.target.name, "Running", work).await?;
        let mut failed = 0;
        for outcome in &outcomes {
            if let Ok(value) = &outcome.result {
                failed += read::<Lines>(value)?
                    .lines
                    .iter()
                    .filter(|line| line.faults.iter().any(|it| it.is_error()))
                    .count();
            }
        }
        let status = several::report(context.output, outcomes, present)?;
        Ok(if failed > 0 { Status::of_all([status, Status::Refused]) } else { status })
    }

    fn lines(&self) -> Result<Vec<String>, Failure> {
        let mut lines = Vec::new();
        for statement in &self.statements {
            if statement == "-" {
                let mut text = String::new();
                let read = std::io::stdin().lock().read_to_string(&mut text);
                read.map_err(|error| Failure::Local(format!("Unable to read standard input: {error}")))?;
                lines.extend(text.lines().map(str::to_owned));
            } else {
                lines.push(statement.clone());
            }
        }
        Ok(lines)
    }
}

async fn statements(door: &Door, name: &str, lines: &[String]) -> Result<Value, Failure> {
    let mut all = Vec::new();
    let mut rest = lines;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take(LINES).take_while(|line| {
            bytes += line.len();
            bytes <= BYTES
        });
        // One that is too long alone is refused by the server.
        let (now, later) = rest.split_at(fits.count().max(1));
        rest = later;
        let body = json!({"lines": now});
        let mut value = door.ask(Method::POST, &bmc_path(name, "/statements"), Some(&body)).await?.1;
        all.extend(value["lines"].as_array_mut().map(std::mem::take).unwrap_or_default());
    }
    Ok(json!({"lines": all}))
}

fn present(output: &mut Output<'_>, bmcs: &[(String, Value)]) -> Result<(), Failure> {
    for (name, value) in bmcs {
        for Line { line, output: text, faults } in read::<Lines>(value)?.lines {
            if bmcs.len() > 1 && !text.trim().is_empty() {
                output.line(&format!("{name}:"))?;
            }
            output.text(&text)?;
            for fault in faults {
                let whose = if bmcs.len() > 1 { format!("{name}: ") } else { String::new() };
                output.remark(&format!("{whose}{fault}\n  {line}"));
            }
        }
    }
    Ok(())
}
