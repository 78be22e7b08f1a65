//! What a subcommand works with: the door, the output, and what all subcommands have in common of the command line.

use super::door::{self, Door};
use super::failure::Failure;
use super::options::Options;
use super::output::Output;
use super::place::{self, Asked};

/// What a subcommand works with.
pub(super) struct Context<'a, 'o> {
    /// The control door.
    pub(super) door: Door,
    /// Where results go.
    pub(super) output: &'a mut Output<'o>,
    /// How many BMCs are asked at once.
    pub(super) jobs: usize,
}

impl<'a, 'o> Context<'a, 'o> {
    /// As the options want it. Nobody is connected to yet.
    ///
    /// # Errors
    /// It is not known where the door is, or the token cannot be read.
    pub(super) fn new(options: &Options, output: &'a mut Output<'o>) -> Result<Self, Failure> {
        let variable = |name: &str| std::env::var_os(name);
        let asked = Asked { socket: options.socket.as_deref(), http: options.http.as_deref() };
        let place = place::find(asked, variable)?;
        let token = door::token(options.token_file.as_deref(), variable)?;
        Ok(Self { door: Door::new(place, token, options.request_timeout), output, jobs: options.jobs.into() })
    }
}
