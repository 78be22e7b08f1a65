//! `console`: what a BMC's serial port says, as a client of serial over LAN would see it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Value, json};

use super::{Mc, OneTarget};
use crate::simctl::context::Context;
use crate::simctl::door::bmc_path;
use crate::simctl::failure::{Failure, Status};
use crate::simctl::feed::{Feed, News};
use crate::simctl::model::{ConsoleOutput, read};
use crate::simctl::output::Form;

/// The options of `console`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
It looks on and types nothing: no session is needed, and nobody is disturbed. Ctrl-C ends it.

Examples:
  ipmi_simctl console node1
  ipmi_simctl console node1 --history | grep -m 1 'login:'")]
pub struct Console {
    #[command(flatten)]
    target: OneTarget,

    /// What it said before as well, as far as that is kept
    #[arg(long)]
    history: bool,

    #[command(flatten)]
    mc: Mc,
}

impl Console {
    /// Shows it.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let name = &self.target.name;
        let now = bmc_path(name, &format!("/console{}", self.mc.query()));
        let path = match (self.history, self.mc.address) {
            (false, _) => now.clone(),
            (true, None) => format!("{now}?history=true"),
            (true, Some(_)) => format!("{now}&history=true"),
        };
        let mut feed = Feed::open(&context.door, path, None).await?;
        // What was shown is not shown again.
        feed.go_on_with(now);
        let output = &mut *context.output;
        loop {
            let message = match feed.next().await? {
                News::Message(message) => message,
                News::Lost(failure) => {
                    output.remark(&format!("{failure}; it is tried again"));
                    continue;
                }
                News::Back => {
                    output.remark("There is a connection again");
                    continue;
                }
            };
            let value: Value = serde_json::from_str(&message.data).unwrap_or_default();
            match (output.form, message.event.as_str()) {
                (Form::Programs, "output") => output.value(&value)?,
                (Form::Programs, kind) => output.value(&json!({kind: value}))?,
                (Form::People, "output") => output.bytes_now(&decoded(&read::<ConsoleOutput>(&value)?.data)?)?,
                (Form::People, "lost") => output.remark(&format!("{} bytes were lost", value["lost"])),
                // Why the port says nothing now.
                (Form::People, "trouble") => output.remark(value["detail"].as_str().unwrap_or("The port is not there")),
                (Form::People, _) => {}
            }
        }
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, Failure> {
    STANDARD.decode(text).map_err(|error| Failure::Local(format!("The output of the console makes no sense: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_bytes() {
        assert_eq!(decoded("AP8bWzJK").unwrap(), b"\x00\xff\x1b[2J");
        assert!(decoded("A").is_err());
    }
}
