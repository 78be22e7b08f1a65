//! `open`: where a browser finds the page.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde_json::json;

use crate::simctl::completion;
use crate::simctl::context::Context;
use crate::simctl::door::encoded;
use crate::simctl::failure::{Failure, Status};
use crate::simctl::output::Form;
use crate::simctl::place::Place;

/// The options of `open`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  ipmi_simctl open --http http://127.0.0.1:8080
  xdg-open \"$(ipmi_simctl open node1)\"              with IPMI_SIM_CONTROL=http://127.0.0.1:8080")]
pub struct Open {
    /// The page of this BMC
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(completion::bmcs))]
    name: Option<String>,
}

impl Open {
    /// Prints its address, if somebody is there.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let name = self.name.as_ref().map(|name| format!("#/bmc/{}", encoded(name))).unwrap_or_default();
        let url = match context.door.place().clone() {
            Place::Http(base) => {
                context.door.get("/healthz").await?;
                base.url(&format!("/{name}"))
            }
            // The program knows where else it is.
            Place::Socket(_) => match context.door.get("/readyz").await?["page"].as_str() {
                Some(page) => format!("{page}{name}"),
                None => {
                    let text = "A browser does not reach a socket: start ipmi_sim with --http 127.0.0.1:8080 as well";
                    return Err(Failure::Usage(text.into()));
                }
            },
        };
        match context.output.form {
            Form::People => context.output.line(&url)?,
            Form::Programs => context.output.value(&json!({"url": url}))?,
        }
        Ok(Status::Done)
    }
}
