//! What a shell offers: the options and subcommands, and names that the running server has.
//!
//! The shell runs the program with `COMPLETE` in its environment. Whatever goes wrong, nothing is offered and nothing
//! is said: somebody is typing.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::CommandFactory;
use clap_complete::CompleteEnv;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::{Bash, EnvCompleter, Fish, Shells, Zsh};
use serde_json::Value;

use super::condition;
use super::door::{self, Door, bmc_path, encoded};
use super::model::{List, Sensors, Summary, User, Users, read};
use super::options::Options;
use super::place::{self, Asked};

/// Somebody waits for the shell.
const LIMIT: Duration = Duration::from_secs(1);
/// Most names that are offered.
const MOST: usize = 500;
/// Options in front of a name that have a value.
const WITH_VALUE: [&str; 6] = ["--socket", "--http", "--token-file", "--color", "--jobs", "--request-timeout"];

/// The shells that can be answered.
const SHELLS: [&dyn EnvCompleter; 3] = [&Bash, &Zsh, &Fish];

/// Answers a shell that asks what can be typed, and ends the process then.
pub fn answer_shell() {
    CompleteEnv::with_factory(Options::command).shells(Shells(&SHELLS)).complete();
}

/// The script by which a shell asks: that of bash, zsh or fish.
///
/// # Errors
/// Another shell's.
pub fn script(shell: &str) -> std::io::Result<String> {
    let completer = SHELLS.iter().find(|it| it.is(shell)).ok_or_else(|| std::io::Error::other("unknown shell"))?;
    let mut text = Vec::new();
    completer.write_registration("COMPLETE", "ipmi_simctl", "ipmi_simctl", "ipmi_simctl", &mut text)?;
    let mut text = String::from_utf8_lossy(&text).into_owned();
    if shell == "zsh" {
        // A file of the completion folder is run as a function when it is needed for the first time.
        text.push_str(
            "if [ \"$funcstack[1]\" = \"_ipmi_simctl\" ]; then _clap_dynamic_completer_ipmi_simctl \"$@\"; fi\n",
        );
    }
    Ok(text)
}

/// The words that stand behind the name of the program, up to the one that is typed.
fn words() -> Vec<String> {
    let words = std::env::args_os().skip_while(|word| word != "--").skip(2);
    words.map(|word| word.to_string_lossy().into_owned()).collect()
}

/// The value of an option, in either form.
fn option(words: &[String], name: &str) -> Option<String> {
    words.iter().enumerate().find_map(|(index, word)| match word.strip_prefix(name)? {
        "" => words.get(index + 1).cloned(),
        rest => rest.strip_prefix('=').map(str::to_owned),
    })
}

/// The words that are neither options nor their values: subcommand, name and so on.
fn positionals(words: &[String]) -> Vec<&str> {
    let mut all = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if WITH_VALUE.contains(&word.as_str()) {
            words.next();
        } else if !word.starts_with('-') {
            all.push(word.as_str());
        }
    }
    all
}

/// What the server says of a path, if it does so in time.
fn asked(path: &str) -> Option<Value> {
    let words = words();
    let variable = |name: &str| std::env::var_os(name);
    let socket = option(&words, "--socket").map(PathBuf::from);
    let http = option(&words, "--http");
    let place = place::find(Asked { socket: socket.as_deref(), http: http.as_deref() }, variable).ok()?;
    let token = door::token(option(&words, "--token-file").map(PathBuf::from).as_deref(), variable).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async { Door::new(place, token, LIMIT).get(path).await.ok() })
}

fn beginning(current: &OsStr, names: impl IntoIterator<Item = String>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let fit = names.into_iter().filter(|name| name.starts_with(&*current));
    fit.map(|name| CompletionCandidate::new(OsString::from(name))).collect()
}

/// Names of BMCs.
pub(super) fn bmcs(current: &OsStr) -> Vec<CompletionCandidate> {
    let pattern = encoded(&format!("{}*", current.to_string_lossy()));
    let list = asked(&format!("/v1/bmcs?limit={MOST}&name={pattern}")).and_then(|list| read::<List>(&list).ok());
    let bmcs = list.unwrap_or_default().bmcs;
    let names = bmcs.iter().filter_map(|bmc| read::<Summary>(bmc).ok()).map(|bmc| bmc.name);
    beginning(current, names)
}

/// Something of the BMC whose name stands on the line.
fn of_bmc(rest: &str) -> Option<Value> {
    let words = words();
    asked(&bmc_path(positionals(&words).get(1)?, rest))
}

/// Names of sensors.
pub(super) fn sensors(current: &OsStr) -> Vec<CompletionCandidate> {
    let all = of_bmc("/sensors").and_then(|value| read::<Sensors>(&value).ok()).unwrap_or_default();
    beginning(current, all.sensors.iter().filter_map(|sensor| sensor["name"].as_str()).map(str::to_owned))
}

/// Names of users.
pub(super) fn users(current: &OsStr) -> Vec<CompletionCandidate> {
    let all = of_bmc("/users").and_then(|value| read::<Users>(&value).ok()).unwrap_or_default();
    let users = all.users.iter().filter_map(|user| read::<User>(user).ok());
    beginning(current, users.map(|user| user.name).filter(|name| !name.is_empty()))
}

/// What can be waited for.
pub(super) fn conditions(current: &OsStr) -> Vec<CompletionCandidate> {
    let forms = condition::FORMS.iter().map(|form| form.trim_end_matches(|c: char| c.is_ascii_uppercase()).to_owned());
    let mut all: Vec<String> = forms.chain(["sensor:".into()]).collect();
    if current.to_string_lossy().starts_with("kind=") {
        all.extend(KINDS.iter().map(|kind| format!("kind={kind}")));
    }
    all.dedup();
    beginning(current, all)
}

/// From what a machine can boot.
pub(super) fn boot_devices(current: &OsStr) -> Vec<CompletionCandidate> {
    beginning(current, DEVICES.map(str::to_owned))
}

/// Kinds of events, behind those that are typed.
pub(super) fn kinds(current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let before = current.rfind(',').map(|at| &current[..=at]).unwrap_or_default();
    beginning(OsStr::new(&*current), KINDS.iter().map(|kind| format!("{before}{kind}")))
}

/// Boot devices.
pub(super) const DEVICES: [&str; 12] = [
    "none",
    "pxe",
    "disk",
    "safe",
    "diag",
    "cdrom",
    "bios",
    "floppy",
    "remote_floppy",
    "remote_cdrom",
    "remote_primary",
    "remote_disk",
];

/// Kinds of events.
pub(super) const KINDS: [&str; 17] = [
    "power_asked",
    "power_done",
    "reset",
    "boot_device_set",
    "login",
    "login_failed",
    "logout",
    "sol_opened",
    "sol_closed",
    "sel_added",
    "alert_sent",
    "watchdog_expired",
    "user_changed",
    "bmc_added",
    "bmc_removed",
    "fault_set",
    "fault_cleared",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_on_the_line_is_found_behind_options() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let line = words("--socket /run/x sensor --json node1 CPU");
        assert_eq!(positionals(&line), ["sensor", "node1", "CPU"]);
        assert_eq!(option(&line, "--socket").as_deref(), Some("/run/x"));
        assert_eq!(option(&words("a --http=http://h:1 b"), "--http").as_deref(), Some("http://h:1"));
        assert_eq!(option(&words("a --https x"), "--http"), None);
    }

    #[test]
    fn what_is_offered_begins_with_what_is_typed() {
        let offered = |all: Vec<CompletionCandidate>| -> Vec<String> {
            all.iter().map(|it| it.get_value().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(offered(kinds(OsStr::new("login,sel"))), ["login,sel_added"]);
        assert_eq!(offered(boot_devices(OsStr::new("d"))), ["disk", "diag"]);
        assert_eq!(offered(conditions(OsStr::new("power"))), ["power=on", "power=off"]);
        assert!(offered(conditions(OsStr::new("kind=w"))).contains(&"kind=watchdog_expired".to_owned()));
    }
}
