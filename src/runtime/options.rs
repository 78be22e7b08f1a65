//! The command line (`process.md` section 1).

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Parser};

/// The short usage, after the name of the program.
const USAGE: &str = "[-c|--config-file FILE] [-f|--command-file FILE] [-x|--command-string CMD]
        [-s|--state-dir DIR] [-d|--debug] [-n|--nostdio] [-p|--nopersist]
        [-v|--version] [--check] [--strict] [-?|--help] [--usage] [CONFIG]";

/// A simulator of baseboard management controllers.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "ipmi_sim",
    disable_help_flag = true,
    disable_version_flag = true,
    override_usage = "ipmi_sim [OPTIONS] [CONFIG]"
)]
pub struct Options {
    /// Configuration file [default: /etc/ipmi/lan.conf]
    #[arg(
        short = 'c',
        long = "config-file",
        value_name = "FILE",
        allow_hyphen_values = true,
        overrides_with = "config_file"
    )]
    pub config_file: Option<PathBuf>,

    /// File of emulator commands run at start [default: /etc/ipmi/NAME.emu, if it exists]
    #[arg(
        short = 'f',
        long = "command-file",
        value_name = "FILE",
        allow_hyphen_values = true,
        overrides_with = "command_file"
    )]
    pub command_file: Option<PathBuf>,

    /// One emulator command, run after the command file
    #[arg(
        short = 'x',
        long = "command-string",
        value_name = "CMD",
        allow_hyphen_values = true,
        overrides_with = "command_string"
    )]
    pub command_string: Option<OsString>,

    /// Keep the state in DIR/ipmi_sim/NAME [default: /var]
    #[arg(
        short = 's',
        long = "state-dir",
        value_name = "DIR",
        allow_hyphen_values = true,
        overrides_with = "state_dir"
    )]
    pub state_dir: Option<PathBuf>,

    /// Log more: once raw packets, twice decoded messages, three times both, four times
    /// serial over LAN
    #[arg(short = 'd', long = "debug", action = ArgAction::Count)]
    pub debug: u8,

    /// No console on standard input and output
    #[arg(short = 'n', long = "nostdio", overrides_with = "nostdio")]
    pub nostdio: bool,

    /// Neither read nor write persistent state
    #[arg(short = 'p', long = "nopersist", overrides_with = "nopersist")]
    pub nopersist: bool,

    /// Print the version, check the configuration file and exit
    #[arg(short = 'v', long = "version", overrides_with = "version")]
    pub version: bool,

    /// Check the configuration file and the command file, report, and exit with status 0 or 1
    #[arg(long = "check", overrides_with = "check")]
    pub check: bool,

    /// Refuse to start when a command fails or something cannot be done as written
    #[arg(long = "strict", overrides_with = "strict")]
    pub strict: bool,

    /// Seconds a chassis control or LAN configuration program may take
    #[arg(long = "program-timeout", value_name = "SECONDS", default_value_t = 60, hide = true)]
    pub program_timeout: u32,

    /// Print this text and exit
    #[arg(short = '?', short_alias = 'h', long = "help", action = ArgAction::Help)]
    pub help: Option<bool>,

    /// Print a short usage and exit
    #[arg(long = "usage", overrides_with = "usage")]
    pub usage: bool,

    /// Configuration file when there is no -c; further arguments are ignored
    #[arg(value_name = "CONFIG")]
    pub positional: Vec<PathBuf>,
}

impl Options {
    /// Reads the command line of this process. Help and errors end the process, with
    /// status 0 and 2.
    pub fn from_command_line() -> Self {
        let options = Self::parse();
        if options.usage {
            println!("Usage: ipmi_sim {USAGE}");
            std::process::exit(0);
        }
        options
    }

    /// The configuration file that was asked for. The first positional argument is one, as
    /// everybody means who writes `ipmi_sim lan.conf -f x.emu`.
    pub fn configuration(&self) -> Option<&PathBuf> {
        self.config_file.as_ref().or_else(|| self.positional.first())
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
        let options = parse("/etc/ipmi/lan.conf -f /etc/ipmi/ipmisim1.emu -s /var/lib -- more -n");
        assert_eq!(options.configuration(), Some(&"/etc/ipmi/lan.conf".into()));
        assert_eq!(options.command_file, Some("/etc/ipmi/ipmisim1.emu".into()));
        assert!(!options.nostdio);
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
    fn unknown_options_and_missing_values_are_errors() {
        for line in ["--foo -c x", "-i", "-c", "--config x", "--command-string"] {
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
