//! The command line (`process.md` section 1).

use std::ffi::OsString;
#[cfg(feature = "control")]
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, ArgGroup, Parser, ValueHint};

use super::logging::Format;
use super::start::print;
use crate::fleet::range::{Ports, Prefix};
use crate::fleet::slice::Slice;

/// The short usage, after the name of the program.
const USAGE: &str = "[-c|--config-file FILE] [-f|--command-file FILE] [-x|--command-string CMD]
        [-s|--state-dir DIR] [-p|--nopersist] [--demo] [--init DIR]
        [--fleet FILE|DIR] [--count N --addresses PREFIX [--ports PORTS]]
        [--slice I/N] [--programs N] [--control PATH]
        [--http ADDR:PORT [--http-token-file FILE]] [-n|--nostdio] [--pid-file FILE] [--ready-line] [--program-timeout SECONDS] [--seed N] [-d|--debug]
        [--log-format text|json] [--pcap FILE] [-v|--version] [--check] [--strict]
        [--ping] [-?|--help] [--usage] [CONFIG]";

/// The variable of the environment that takes the place of `--slice`.
const SLICE: &str = "IPMI_SIM_SLICE";

/// What `--help` says behind the options.
const AFTER_HELP: &str = "\
Where files are looked for when no option says so:
  configuration   /etc/ipmi/lan.conf
  commands        /etc/ipmi/NAME.emu; NAME is what the configuration's `name` says
  state           /var/ipmi_sim/NAME, or /var/lib/ipmi_sim/NAME if that exists; for a user
                  who may not write there $XDG_STATE_HOME/ipmi_sim/NAME (~/.local/state)
  Where these are absent, those of Debian's original: /usr/etc/ipmi, /usr/var.

Signals:
  TERM, INT and QUIT save what is not on disk yet and end the program by that signal.
  HUP reads the configuration again: users, LAN and SOL settings, without ending a session.

Examples:
  ipmi_sim --demo                              a BMC to try, without any file
  ipmi_sim --init bmc                          write the files of a BMC of your own
  ipmi_sim -n --fleet nodes.csv -c lan.conf -f sim.emu
                                               a BMC for each row of a list
  ipmi_sim -n --count 10000 --addresses 127.64.0.0/16 -c lan.conf -f sim.emu
                                               ten thousand BMCs
  ipmi_sim -c lan.conf -f sim.emu -s state     with a console: try `help`, leave with `quit`
  ipmi_sim -n --pid-file /run/ipmi_sim.pid     as a service, files from /etc/ipmi
  ipmi_sim --check -c lan.conf -f sim.emu      say what is wrong with the files
  ipmi_sim --ping                              does it answer? For health checks
  ipmi_sim -n -dd -c lan.conf                  show every message by name
  ipmi_sim -n -c lan.conf --pcap lan.pcap      record LAN traffic for Wireshark

Manual pages: ipmi_sim(1), ipmi_simctl(1), ipmi_lan(5), ipmi_sim_cmd(5), sdrcomp(1).";

/// Simulates baseboard management controllers (BMCs) that response IPMI over LAN
#[derive(Clone, Debug, Parser)]
#[command(
    name = "ipmi_sim",
    disable_help_flag = true,
    disable_version_flag = true,
    override_usage = "ipmi_sim [OPTIONS] [CONFIG]",
    after_help = AFTER_HELP,
    group = ArgGroup::new("many").args(["fleet", "count"])
)]
pub struct Options {
    /// Configuration: channels, users, serial ports; see ipmi_lan(5)
    /// [default: /etc/ipmi/lan.conf]
    #[arg(
        verbatim_doc_comment,
        help_heading = "Files",
        short = 'c',
        long = "config-file",
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        allow_hyphen_values = true,
        overrides_with = "config_file"
    )]
    pub config_file: Option<PathBuf>,

    /// Emulator commands run at start; see ipmi_sim_cmd(5)
    /// [default: /etc/ipmi/NAME.emu, if it exists]
    #[arg(
        verbatim_doc_comment,
        help_heading = "Files",
        short = 'f',
        long = "command-file",
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        allow_hyphen_values = true,
        overrides_with = "command_file"
    )]
    pub command_file: Option<PathBuf>,

    /// One more emulator command, run after the command file
    #[arg(
        help_heading = "Files",
        short = 'x',
        long = "command-string",
        value_name = "CMD",
        allow_hyphen_values = true,
        overrides_with = "command_string"
    )]
    pub command_string: Option<OsString>,

    /// Keep the state in DIR/ipmi_sim/NAME [default: see below]
    #[arg(
        help_heading = "Files",
        short = 's',
        long = "state-dir",
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        allow_hyphen_values = true,
        overrides_with = "state_dir"
    )]
    pub state_dir: Option<PathBuf>,

    /// Neither read nor write persistent state
    #[arg(help_heading = "Files", short = 'p', long = "nopersist", overrides_with = "nopersist")]
    pub nopersist: bool,

    /// Start a BMC to try, without any file: on the loopback address,
    /// port 9623 or a free one, user admin, password admin; no state is kept
    #[arg(
        verbatim_doc_comment,
        help_heading = "Files",
        long = "demo",
        conflicts_with_all = ["config_file", "positional", "init"],
        overrides_with = "demo"
    )]
    pub demo: bool,

    /// Write a commented configuration to start from, DIR/lan.conf and
    /// DIR/sim.emu, and exit. Nothing is overwritten
    #[arg(
        verbatim_doc_comment,
        help_heading = "Files",
        long = "init",
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        allow_hyphen_values = true,
        overrides_with = "init"
    )]
    pub init: Option<PathBuf>,

    /// Many BMCs: one for each row of FILE, a list in CSV whose header
    /// names their $variables ($name is a must; columns conf and emu are
    /// files of their own), or for each folder in DIR with a lan.conf
    #[arg(
        verbatim_doc_comment,
        help_heading = "Fleets",
        long = "fleet",
        value_name = "FILE|DIR",
        value_hint = ValueHint::AnyPath,
        allow_hyphen_values = true,
        conflicts_with_all = ["count", "demo", "init"],
        overrides_with = "fleet"
    )]
    pub fleet: Option<PathBuf>,

    /// N BMCs of one configuration, in which $name, $index, $addr and
    /// $port are each one's own
    #[arg(
        verbatim_doc_comment,
        help_heading = "Fleets",
        long = "count",
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..),
        requires = "addresses",
        conflicts_with_all = ["demo", "init"],
        overrides_with = "count"
    )]
    pub count: Option<u32>,

    /// The addresses of those BMCs, as 127.64.0.0/16 or fd00::/64; the
    /// network's own address and broadcast are left out
    #[arg(
        verbatim_doc_comment,
        help_heading = "Fleets",
        long = "addresses",
        value_name = "PREFIX",
        requires = "count",
        overrides_with = "addresses"
    )]
    pub addresses: Option<Prefix>,

    /// Their UDP port, or several as 6230-6239: then each address is
    /// there with the first, then with the next [default: 623]
    #[arg(
        verbatim_doc_comment,
        help_heading = "Fleets",
        long = "ports",
        value_name = "PORTS",
        requires = "count",
        overrides_with = "ports"
    )]
    pub ports: Option<Ports>,

    /// Slice I of N: only those BMCs of the list, folder or number, so
    /// that several processes share them
    #[arg(
        verbatim_doc_comment,
        help_heading = "Fleets",
        long = "slice",
        value_name = "I/N",
        requires = "many",
        overrides_with = "slice"
    )]
    pub slice: Option<Slice>,

    /// How many helper programs of all BMCs may run at once
    #[arg(
        help_heading = "Fleets",
        long = "programs",
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..),
        default_value_t = 64,
        overrides_with = "programs"
    )]
    pub programs: u16,

    /// No console on standard input and output
    #[arg(help_heading = "Running", short = 'n', long = "nostdio", overrides_with = "nostdio")]
    pub nostdio: bool,

    /// Write the process id to FILE; refuse to start while
    /// another process holds it
    #[arg(
        verbatim_doc_comment,
        help_heading = "Running",
        long = "pid-file",
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        overrides_with = "pid_file"
    )]
    pub pid_file: Option<PathBuf>,

    /// Print `ipmi_sim NAME is ready` on standard output
    /// when everything is open; for a fleet NAME is `fleet of N`
    #[arg(verbatim_doc_comment, help_heading = "Running", long = "ready-line", overrides_with = "ready_line")]
    pub ready_line: bool,

    /// For tests: draw everything by lot from this number, so that a
    /// run can be repeated. Session ids, challenges and keys can be
    /// guessed then by whoever knows the number
    #[arg(verbatim_doc_comment, help_heading = "Running", long = "seed", value_name = "N", overrides_with = "seed")]
    pub seed: Option<u64>,

    /// How long a chassis control or LAN configuration
    /// program may take
    #[arg(
        verbatim_doc_comment,
        help_heading = "Running",
        long = "program-timeout",
        value_name = "SECONDS",
        default_value_t = 60,
        overrides_with = "program_timeout"
    )]
    pub program_timeout: u32,

    /// Open the control door at a unix socket, for `ipmi_simctl` and
    /// programs: HTTP and JSON, to drive and watch the BMCs
    #[cfg(feature = "control")]
    #[arg(
        verbatim_doc_comment,
        help_heading = "Control",
        long = "control",
        value_name = "PATH",
        value_hint = ValueHint::FilePath,
        allow_hyphen_values = true,
        overrides_with = "control"
    )]
    pub control: Option<PathBuf>,

    /// Open the control door at a TCP port, for browsers and programs;
    /// port 0 is a free one. Beyond loopback it needs a token
    #[cfg(feature = "control")]
    #[arg(
        verbatim_doc_comment,
        help_heading = "Control",
        long = "http",
        value_name = "ADDR:PORT",
        overrides_with = "http"
    )]
    pub http: Option<SocketAddr>,

    /// The token that whoever comes by --http has to have: the first
    /// line of FILE
    #[cfg(feature = "control")]
    #[arg(
        verbatim_doc_comment,
        help_heading = "Control",
        long = "http-token-file",
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        requires = "http",
        overrides_with = "http_token_file"
    )]
    pub http_token_file: Option<PathBuf>,

    /// Log more: once raw packets, twice messages by name, three times
    /// both, four times serial over LAN. RUST_LOG (error, warn, info,
    /// debug) selects how much of it goes to standard error
    #[arg(verbatim_doc_comment, help_heading = "Logging", short = 'd', long = "debug", action = ArgAction::Count)]
    pub debug: u8,

    /// Format of lines on standard error: with json, each is an
    /// object with time, level and message
    #[arg(
        verbatim_doc_comment,
        help_heading = "Logging",
        long = "log-format",
        value_name = "FORMAT",
        value_enum,
        default_value_t = Format::Text,
        hide_possible_values = true,
        overrides_with = "log_format"
    )]
    pub log_format: Format,

    /// Record LAN traffic in FILE for Wireshark, passwords of
    /// unencrypted sessions included
    #[arg(
        verbatim_doc_comment,
        help_heading = "Logging",
        long = "pcap",
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        overrides_with = "pcap"
    )]
    pub pcap: Option<PathBuf>,

    /// Check both files and the state folder, say what is wrong with
    /// them and what would be served, and exit with status 0 or 1
    #[arg(verbatim_doc_comment, help_heading = "Checking", long = "check", overrides_with = "check")]
    pub check: bool,

    /// Refuse to start when a command fails or something cannot be done as written
    #[arg(help_heading = "Checking", long = "strict", overrides_with = "strict")]
    pub strict: bool,

    /// Ask whether a running program answers on every LAN channel of
    /// the configuration, and exit with status 0 or 1 within a second;
    /// a large fleet takes longer
    #[arg(verbatim_doc_comment, help_heading = "Checking", long = "ping", overrides_with = "ping")]
    pub ping: bool,

    /// Print the version, check the configuration file if there is one,
    /// and exit
    #[arg(verbatim_doc_comment, help_heading = "Checking", short = 'v', long = "version", overrides_with = "version")]
    pub version: bool,

    /// Print this text and exit
    #[arg(help_heading = "Help", short = '?', short_alias = 'h', long = "help", action = ArgAction::Help)]
    pub help: Option<bool>,

    /// Print a short usage and exit
    #[arg(help_heading = "Help", long = "usage", overrides_with = "usage")]
    pub usage: bool,

    /// Configuration file, when there is no -c
    #[arg(value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    pub positional: Option<PathBuf>,
}

impl Options {
    /// Reads the command line of this process. Help and errors end the process, with
    /// status 0 and 2.
    pub fn from_command_line() -> Self {
        let options = Self::parse();
        if options.usage {
            print(format!("Usage: ipmi_sim {USAGE}\n"));
            std::process::exit(0);
        }
        options
    }

    /// The configuration file that was asked for. A positional argument is one, as
    /// everybody means who writes `ipmi_sim lan.conf -f x.emu`.
    pub fn configuration(&self) -> Option<&PathBuf> {
        self.config_file.as_ref().or(self.positional.as_ref())
    }

    /// Which BMCs of a fleet are asked for: by the option, or else by the environment, which health checks in a container
    /// have in common with what they check.
    ///
    /// # Errors
    /// The environment has no slice where one should be, in one line.
    pub fn slice(&self) -> Result<Slice, String> {
        let named = |why| format!("{SLICE} in the environment: {why}");
        match (self.slice, std::env::var_os(SLICE)) {
            (Some(slice), _) => Ok(slice),
            (None, None) => Ok(Slice::default()),
            (None, Some(text)) => text.to_string_lossy().parse().map_err(named),
        }
    }

    /// The control door that is asked for.
    #[cfg(feature = "control")]
    pub fn control(&self) -> crate::control::Settings {
        crate::control::Settings { socket: self.control.clone(), http: self.http, token: self.http_token_file.clone() }
    }

    /// What `-d` asks to be dumped, as the words of the `debug` command.
    pub fn debug_words(&self) -> String {
        [(1, "raw"), (2, "msg"), (4, "sol")]
            .into_iter()
            .filter(|(bit, _)| self.debug & bit != 0)
            .map(|(_, word)| word)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Options {
        Options::try_parse_from(std::iter::once("ipmi_sim").chain(line.split_whitespace())).unwrap()
    }

    #[test]
    fn the_definition_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn every_spelling_of_a_value_is_understood() {
        for line in ["-c a", "-ca", "--config-file a", "--config-file=a", "x -c a", "-nc a", "-npca", "-c b -c a"] {
            assert_eq!(parse(line).configuration(), Some(&"a".into()), "{line}");
        }
    }

    #[test]
    fn the_last_value_wins_and_flags_may_be_repeated() {
        let options = parse("-x first --command-string=last -nn -p -p -f a -f b -s a -s b");
        assert_eq!(options.command_string, Some("last".into()));
        assert_eq!((options.command_file, options.state_dir), (Some("b".into()), Some("b".into())));
        assert!(options.nostdio && options.nopersist);
    }

    #[test]
    fn a_positional_is_the_configuration_file_unless_c_is_there() {
        let options = parse("/etc/ipmi/lan.conf -f /etc/ipmi/ipmisim1.emu -s /var/lib");
        assert_eq!(options.configuration(), Some(&"/etc/ipmi/lan.conf".into()));
        assert_eq!(options.command_file, Some("/etc/ipmi/ipmisim1.emu".into()));
        assert!(!options.nostdio);
        assert_eq!(parse("-p -- -n").configuration(), Some(&"-n".into()));
        assert_eq!(parse("x -c y").configuration(), Some(&"y".into()));
        assert_eq!(parse("").configuration(), None);
    }

    #[test]
    fn debug_is_counted_as_a_mask() {
        for (line, words) in [
            ("", ""),
            ("-d", "raw"),
            ("-dd", "msg"),
            ("-d --debug -d", "raw msg"),
            ("-dddd", "sol"),
            ("-ddddd", "raw sol"),
        ] {
            assert_eq!(parse(line).debug_words(), words, "{line}");
        }
    }

    #[test]
    fn unknown_options_missing_values_and_a_second_word_are_errors() {
        for line in [
            "--foo -c x",
            "-i",
            "-c",
            "--config x",
            "--command-string",
            "lan.conf sim.emu",
            "-n lan.conf -- sim.emu",
            "-c lan.conf one two",
            "--demo -c lan.conf",
            "--demo lan.conf",
            "--demo --init x",
            "--fleet x --count 3 --addresses ::1",
            "--fleet x --demo",
            "--count 3",
            "--count 0 --addresses ::1",
            "--count 3 --addresses 10.0.0.5/24",
            "--addresses ::1",
            "--fleet x --ports 1-2",
            "--count 3 --addresses ::1 --ports 2-1",
            "--count 3 --addresses ::1 --init x",
            "--programs 0",
            "--slice 1/2",
            "--slice 1/2 -c x",
            "--fleet x --slice 0/2",
            "--fleet x --slice 3/2",
            "--log-format xml",
        ] {
            let error =
                Options::try_parse_from(std::iter::once("ipmi_sim").chain(line.split_whitespace())).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn help_is_no_error() {
        for line in ["-?", "-h", "--help"] {
            let help = Options::try_parse_from(["ipmi_sim", line]).unwrap_err();
            assert_eq!(help.exit_code(), 0);
            assert!(help.to_string().contains("--command-file"));
        }
    }
}
