//! The command line of `ipmi_simctl`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueHint};

use super::command::Command;
use super::number;
use super::style::Colour;

/// What `--help` says behind the options.
const AFTER_HELP: &str = "\
NAME is a BMC, or a pattern of * and ? for several: 'node*'. Quote it for the shell.

Exit status:
  0  done                            4  it did not happen in time
  1  refused or failed               5  there is no such BMC, sensor, user ...
  2  the command line is wrong       6  not let in: token, or owner of the socket
  3  nobody is at the control door    7  it could not be compared
  Of several BMCs: what all failures have in common, else 1.

Examples:
  ipmi_simctl list                             all BMCs
  ipmi_simctl power 'node*' on                 switch many on
  ipmi_simctl sensor node1 'CPU Temp' --value 92.5
  ipmi_simctl wait node1 --for power=on --timeout 30s
  ipmi_simctl events --follow --json           one object a line
  ipmi_simctl COMMAND --help                   more of each

Manual page: ipmi_simctl(1).";

/// Drives a running ipmi_sim through its control door
#[derive(Clone, Debug, Parser)]
#[command(
    name = "ipmi_simctl",
    version,
    after_help = AFTER_HELP,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Options {
    /// The control socket [default: $IPMI_SIM_CONTROL, else
    /// $XDG_RUNTIME_DIR/ipmi_sim/control.sock or /run/ipmi_sim/control.sock]
    #[arg(
        verbatim_doc_comment,
        help_heading = "Where the control door is",
        long,
        global = true,
        value_name = "PATH",
        value_hint = ValueHint::FilePath,
        conflicts_with = "http"
    )]
    pub socket: Option<PathBuf>,

    /// The control door over TCP, as http://127.0.0.1:8080
    #[arg(help_heading = "Where the control door is", long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub http: Option<String>,

    /// The token of a control door over TCP is in the first line of FILE
    /// [default: $IPMI_SIM_TOKEN_FILE]
    #[arg(
        verbatim_doc_comment,
        help_heading = "Where the control door is",
        long,
        global = true,
        value_name = "FILE",
        value_hint = ValueHint::FilePath
    )]
    pub token_file: Option<PathBuf>,

    /// JSON, for programs: one value, or one a line
    #[arg(help_heading = "Output", long, global = true)]
    pub json: bool,

    /// Colour: auto (at a terminal, unless NO_COLOR is set), always, never
    #[arg(
        help_heading = "Output",
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t = Colour::Auto,
        hide_possible_values = true
    )]
    pub color: Colour,

    /// How many BMCs are asked at once
    #[arg(
        help_heading = "Several BMCs",
        long,
        global = true,
        value_name = "N",
        value_parser = clap::value_parser!(u8).range(1..=64),
        default_value_t = 16
    )]
    pub jobs: u8,

    /// How long one response may take
    #[arg(
        help_heading = "Several BMCs",
        long,
        global = true,
        value_name = "TIME",
        value_parser = number::duration,
        default_value = "2m"
    )]
    pub request_timeout: Duration,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn every_subcommand_says_what_it_does_and_shows_an_example() {
        let mut seen = 0;
        let mut check = |command: &clap::Command| {
            let name = command.get_name().to_owned();
            assert!(command.get_about().is_some(), "{name}");
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.contains("Example") && after.contains("ipmi_simctl "), "{name} shows no example");
            seen += 1;
        };
        for command in Options::command().get_subcommands() {
            check(command);
            command.get_subcommands().for_each(&mut check);
        }
        assert!(seen > 16, "{seen}");
    }
}
