//! What the manual page and the completions of `ipmi_simctl` say of its commands and options, made from their definition.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory};
use ipmi_sim::simctl::{completion, options::Options};

use super::{assert_current, escaped, has_term, offered_by_each, packaging, rendered, sentence};

/// The part that a word behind `@simctl` stands for.
pub(super) fn part(word: &str) -> String {
    let command = Options::command();
    match word {
        "options" => super::options(&command),
        "commands" => command.get_subcommands().map(|command| section(command, "")).collect(),
        other => panic!("@simctl {other} is unknown"),
    }
}

fn name(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    names.first().map(ToString::to_string).unwrap_or_default()
}

/// A subcommand: how it is written, what it does, its arguments and examples.
fn section(command: &Command, before: &str) -> String {
    let usage: Vec<String> = command.get_positionals().map(usage).collect();
    let mut text = format!(".SS \"{before}{} {}\"\n", command.get_name(), escaped(&usage.join(" ")));
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(text, "{}", sentence(&about));
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        let value = name(argument);
        let short = argument.get_short().map(|short| format!("\\fB\\-{short}\\fR, ")).unwrap_or_default();
        let term = match argument.get_long().map(escaped) {
            None => format!("\\fI{value}\\fR"),
            Some(long) if argument.get_action().takes_values() => {
                format!("{short}\\fB\\-\\-{long}\\fR=\\fI{value}\\fR")
            }
            Some(long) => format!("{short}\\fB\\-\\-{long}\\fR"),
        };
        let _ = writeln!(text, ".TP\n{term}\n{}", help(argument));
    }
    if let Some(after) = command.get_after_help() {
        let _ = writeln!(text, ".PP\n.nf\n{}\n.fi", escaped(&after.to_string()));
    }
    for inner in command.get_subcommands() {
        let own = command.get_positionals().map(name).collect::<Vec<_>>().join(" ");
        text.push_str(&section(inner, &format!("{} {own} ", command.get_name())));
    }
    text
}

fn usage(argument: &Arg) -> String {
    let (name, is_several) = (name(argument), argument.get_num_args().is_some_and(|range| range.max_values() > 1));
    match (argument.is_required_set(), is_several) {
        (true, false) => name,
        (true, true) => format!("{name}..."),
        (false, _) => format!("[{name}]"),
    }
}

/// What an argument is, which values it may have, and which it has when nothing is said.
fn help(argument: &Arg) -> String {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let mut text = escaped(&help);
    let flag = !argument.get_action().takes_values();
    let values: Vec<String> = argument.get_possible_values().iter().map(|value| escaped(value.get_name())).collect();
    if !flag && !values.is_empty() {
        let _ = write!(text, ":\n{}", values.join(", "));
    }
    let defaults: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !flag && !defaults.is_empty() && !argument.is_hide_default_value_set() {
        let _ = write!(text, "\n[default: {}]", escaped(&defaults.join(" ")));
    }
    text
}

#[test]
fn completions_of_ipmi_simctl_are_current() {
    for (shell, name) in [("bash", "ipmi_simctl"), ("zsh", "_ipmi_simctl"), ("fish", "ipmi_simctl.fish")] {
        assert_current(&format!("completions/{name}"), &completion::script(shell).expect("a script"));
    }
}

#[test]
fn every_command_and_option_of_ipmi_simctl_is_in_its_manual() {
    let page = rendered("ipmi_simctl.1");
    let mut seen = 0;
    let mut check = |command: &Command| {
        for argument in command.get_arguments() {
            let is_there = match argument.get_long() {
                Some(long) => page.contains(&format!("--{long}")),
                None => has_term(&page, &name(argument)),
            };
            assert!(is_there, "{argument} of {} is not in ipmi_simctl(1)", command.get_name());
            seen += 1;
        }
    };
    let command = Options::command();
    check(&command);
    for command in command.get_subcommands() {
        assert!(has_term(&page, command.get_name()), "{} is not in ipmi_simctl(1)", command.get_name());
        check(command);
        command.get_subcommands().for_each(&mut check);
    }
    assert!(seen > 50, "{seen}");
}

/// What each shell offers, with the program beside it.
#[test]
fn every_shell_completes_ipmi_simctl() {
    let folder = packaging("completions");
    let folder = folder.to_str().expect("a path");
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_ipmi_simctl"));
    let path = format!("export PATH={}:$PATH", program.parent().expect("its folder").display());
    let bash = format!(
        "{path}; source {folder}/ipmi_simctl; COMP_WORDS=(ipmi_simctl power n1 s); COMP_CWORD=3
         _clap_complete_ipmi_simctl ipmi_simctl s n1; echo \"${{COMPREPLY[*]}}\""
    );
    let fish = format!("{path}; source {folder}/ipmi_simctl.fish; complete -C 'ipmi_simctl power n1 s'");
    let dump = tempfile::tempdir().expect("a folder");
    let zsh = format!(
        "{path}; zmodload zsh/zpty; zpty z 'zsh -f -i'
         zpty -w z 'fpath=({folder} $fpath); autoload -U compinit; compinit -u -d {}/dump; LISTMAX=999; echo rea\"\"dy'
         zpty -r z all '*ready*'; zpty -w -n z 'ipmi_simctl power n1 s'$'\\t\\t'; zpty -r z all '*soft*'; print -r -- $all",
        dump.path().display()
    );
    for (shell, text) in offered_by_each(&bash, &fish, &zsh) {
        assert!(text.contains("status") && text.contains("soft"), "{shell}: {text}");
        assert!(!text.contains("cycle"), "{shell}: {text}");
    }
}
