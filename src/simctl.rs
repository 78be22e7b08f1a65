//! The program `ipmi_simctl`: what the control door of a running `ipmi_sim` offers, for hands and scripts.
//!
//! Owns its command line, the client's side of the door and how responses look to people. Knows the door by its
//! interface alone: nothing of the simulator is called here. A subcommand is one file of [`command`].

pub mod command;
pub mod completion;
mod condition;
mod connection;
mod context;
mod door;
mod event_stream;
mod failure;
mod feed;
mod model;
mod number;
pub mod options;
mod output;
mod place;
mod remote;
mod scrubbing;
mod secret;
mod sensor_choice;
mod several;
mod style;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::Write;

use clap::Parser;

use context::Context;
pub use failure::Status;
use options::Options;
use output::Output;

/// Runs the program. `arguments` begin with its name. The result is the exit status, one of [`Status`].
pub fn run(arguments: impl IntoIterator<Item = OsString>, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let options = match Options::try_parse_from(arguments) {
        Ok(options) => options,
        Err(error) => return not_run(&error, out, err),
    };
    let mut output = Output::new(&options, out, err);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(carry_out(&options, &mut output));
            // Nobody waits for a name server that does not answer.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(failure::Failure::Local(format!("Unable to start: {error}"))),
    };
    let status = result.unwrap_or_else(|failure| output.complain(None, &failure));
    status as u8
}

async fn carry_out(options: &Options, output: &mut Output<'_>) -> Result<Status, failure::Failure> {
    if let Some(done) = options.command.run_without_door(output, options.jobs.into()).await {
        return done;
    }
    let mut context = Context::new(options, output)?;
    options.command.run(&mut context).await
}

/// Help and the version, which were asked for, or what is wrong with the command line.
fn not_run(error: &clap::Error, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let text = error.render().to_string();
    // Nowhere is left to say that this cannot be written.
    match error.use_stderr() {
        true => {
            let _ = err.write_all(text.as_bytes());
            Status::Usage as u8
        }
        false => {
            let _ = out.write_all(text.as_bytes());
            Status::Done as u8
        }
    }
}
