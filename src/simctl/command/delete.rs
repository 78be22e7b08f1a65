//! `delete`: BMCs that are no longer needed.

use clap::Args;
use hyper::Method;
use serde_json::Value;

use super::Target;
use crate::simctl::context::Context;
use crate::simctl::door::{Door, bmc_path};
use crate::simctl::failure::{Failure, Status};
use crate::simctl::output::Output;
use crate::simctl::several;

/// The options of `delete`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Its sessions are closed and its state is written before it returns; files stay.

Examples:
  ipmi_simctl delete node1
  ipmi_simctl delete 'test-*'")]
pub struct Delete {
    #[command(flatten)]
    target: Target,
}

impl Delete {
    /// Removes them.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let work = async |door: &Door, name: &str| Ok(door.ask(Method::DELETE, &bmc_path(name, ""), None).await?.1);
        several::each(context, &self.target.name, "Removing", work, present).await
    }
}

fn present(output: &mut Output<'_>, bmcs: &[(String, Value)]) -> Result<(), Failure> {
    bmcs.iter().try_for_each(|(name, _)| output.line(&format!("{name}: removed")))
}
