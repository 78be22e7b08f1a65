//! `metrics`: what a monitoring system would read.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use crate::simctl::completion;
use crate::simctl::context::Context;
use crate::simctl::door::encoded;
use crate::simctl::failure::{Failure, Status};
use crate::simctl::output::Form;

/// The options of `metrics`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  ipmi_simctl metrics
  ipmi_simctl metrics 'node1*'")]
pub struct Metrics {
    /// Those of these BMCs as well, each by itself
    #[arg(value_name = "PATTERN", add = ArgValueCompleter::new(completion::bmcs))]
    pattern: Option<String>,
}

impl Metrics {
    /// Prints them.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let query = self.pattern.as_ref().map(|pattern| format!("?bmc={}", encoded(pattern))).unwrap_or_default();
        if context.output.form == Form::Programs {
            return Err(Failure::Usage("Metrics are OpenMetrics text: there is no --json of them".into()));
        }
        let text = context.door.metrics(&format!("/metrics{query}")).await?;
        context.output.bytes_now(&text)?;
        Ok(Status::Done)
    }
}
