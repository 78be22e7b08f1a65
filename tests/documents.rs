//! The manual pages and shell completions in `packaging/` are made here: from their sources in
//! `packaging/man/*.in`, from the command line's definition, and from the tables of keywords that
//! `help` and the parsers use. The tests hold the made files to what is made now; to make them anew:
//!
//! ```text
//! IPMI_SIM_WRITE=1 cargo test --test documents
//! ```
//!
//! The language reference in `docs/reference` is made of the manual pages in the same way: `documents/book.rs`, which holds the
//! book together. That what comments and pages cite is there: `documents/citations.rs`; that one version and one licence
//! stand everywhere: `documents/release.rs`.

#[path = "documents/book.rs"]
mod book;
#[path = "documents/citations.rs"]
mod citations;
#[path = "support/machine.rs"]
#[allow(dead_code, reason = "nothing is left out here")]
mod machine;
#[path = "documents/release.rs"]
mod release;
#[path = "documents/simctl.rs"]
mod simctl;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::CommandFactory;
use clap_complete::{Shell, generate};
use ipmi_sim::config::command::fault::{PROFILES, Profile};
use ipmi_sim::config::help::{COMMANDS, Entry, LAN_STATEMENTS, STATEMENTS};
use ipmi_sim::runtime::options::Options;
use ipmi_sim::sdrcomp::fields::{self, Kind, TYPES};
use ipmi_sim::sdrcomp::names;

const PAGES: [&str; 5] = ["ipmi_sim.1", "ipmi_lan.5", "ipmi_sim_cmd.5", "sdrcomp.1", "ipmi_simctl.1"];

fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

fn source(page: &str) -> String {
    let path = packaging(&format!("man/{page}.in"));
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// Text for troff.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('"', "\\(dq");
    text.lines()
        .map(|line| if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The sentence that a summary is.
fn sentence(summary: &str) -> String {
    let mut characters = summary.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    escaped(&format!("{first}{}.", characters.as_str()))
}

/// The options of a program, under their headings.
fn options(command: &clap::Command) -> String {
    let mut headings: Vec<&str> = Vec::new();
    for argument in command.get_arguments() {
        if let Some(heading) = argument.get_help_heading().filter(|heading| !headings.contains(heading)) {
            headings.push(heading);
        }
    }
    let mut text = String::new();
    for heading in headings {
        let _ = writeln!(text, ".SS {heading}");
        for argument in command.get_arguments().filter(|it| it.get_help_heading() == Some(heading) && !it.is_hide_set())
        {
            let value = argument.get_action().takes_values().then(|| argument.get_value_names()).flatten();
            let value = value.and_then(|names| names.first());
            let short = argument.get_short().map(|short| match value {
                Some(value) => format!("\\fB\\-{short}\\fR \\fI{value}\\fR"),
                None => format!("\\fB\\-{short}\\fR"),
            });
            let long = argument.get_long().map(escaped).map(|long| match value {
                Some(value) => format!("\\fB\\-\\-{long}\\fR=\\fI{value}\\fR"),
                None => format!("\\fB\\-\\-{long}\\fR"),
            });
            let names: Vec<String> = short.into_iter().chain(long).collect();
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, ".TP\n{}\n{}", names.join(", "), escaped(&help));
            let defaults: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
            if value.is_some() && !defaults.is_empty() {
                let _ = writeln!(text, "[default: {}]", defaults.join(" "));
            }
        }
    }
    text
}

fn entry(list: &[Entry], name: &str) -> String {
    let entry = list.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("there is no {name}"));
    let arguments = if entry.arguments.is_empty() { String::new() } else { format!(" {}", escaped(entry.arguments)) };
    format!(".TP\n\\fB{}\\fR{arguments}\n{}\n", escaped(name), sentence(entry.summary))
}

fn profiles() -> String {
    let item = |profile: &Profile| format!(".TP\n\\fB{}\\fR\n{}\n", escaped(profile.name), sentence(profile.summary));
    PROFILES.iter().map(item).collect()
}

const LISTS: [(&str, names::Names); 12] = [
    ("ENTITY", names::ENTITY),
    ("SENSOR_TYPE", names::SENSOR_TYPE),
    ("ACCESS", names::ACCESS),
    ("EVENT_CTRL", names::EVENT_CTRL),
    ("ANALOG", names::ANALOG),
    ("RATE", names::RATE),
    ("MODIFIER", names::MODIFIER),
    ("UNIT", names::UNIT),
    ("LINEAR", names::LINEAR),
    ("DIRECTION", names::DIRECTION),
    ("ID_MODIFIER", names::ID_MODIFIER),
    ("GEN_EVENTS", names::GEN_EVENTS),
];

fn list_name(list: names::Names) -> &'static str {
    LISTS.iter().find(|(_, known)| *known == list).map(|(name, _)| *name).expect("every list has a name")
}

fn sdr_fields() -> String {
    let mut text = String::new();
    for record in TYPES {
        let what = match record.number {
            0x01 => "full sensor",
            0x02 => "compact sensor",
            0x03 => "event-only sensor",
            0x08 => "entity association",
            0x09 => "device-relative entity association",
            0x10 => "generic device locator",
            0x11 => "FRU device locator",
            0x12 => "management controller locator",
            other => panic!("record type {other:#x} has no words here"),
        };
        let _ = writeln!(text, ".SS sdr type {} (0x{:02x}): {}", record.number, record.number, escaped(what));
        let mut seen = BTreeSet::new();
        for field in record.fields() {
            if field.name.is_empty() || !seen.insert(field.name) {
                continue;
            }
            let kind = match field.kind {
                Kind::Unsigned([]) => format!("number, {} bits", field.place.width()),
                Kind::Unsigned(list) => format!("number, {} bits, or {}", field.place.width(), list_name(list)),
                Kind::Signed => format!("signed number, {} bits", field.place.width()),
                Kind::Split(more) | Kind::SplitEither(more) => {
                    format!("signed number, {} bits", field.place.width() + more.width())
                }
                Kind::Flag => "flag".to_owned(),
                Kind::Reading => "reading".to_owned(),
                Kind::Difference => "difference of readings".to_owned(),
            };
            let required = if field.required { ", required" } else { "" };
            let _ = writeln!(text, ".TP 28\n.B {}\n{kind}{required}; byte {}", escaped(field.name), field.place.byte);
        }
        if record.named {
            let _ = writeln!(text, ".TP 28\n.B {}\nstring, required", fields::ID_STRING);
        }
    }
    text
}

fn sdr_names() -> String {
    let mut text = String::new();
    for (name, list) in LISTS {
        let names: Vec<String> =
            list.iter().map(|(name, number)| format!("\\fB{}\\fR {number}", escaped(name))).collect();
        let _ = writeln!(text, ".TP\n{name}\n{}.", names.join(",\n"));
    }
    text
}

/// A page, made from its source.
fn page(name: &str) -> String {
    let mut text = format!(".\\\" Made from {name}.in by tests/documents.rs; change that, not this.\n");
    for line in source(name).lines() {
        let made = match line.split_once(' ').unwrap_or((line, "")) {
            ("@options", _) => options(&Options::command()),
            ("@simctl", part) => simctl::part(part),
            ("@statement", keyword) => entry(STATEMENTS, keyword),
            ("@lan", keyword) => entry(LAN_STATEMENTS, keyword),
            ("@command", keyword) => entry(COMMANDS, keyword),
            ("@profiles", _) => profiles(),
            ("@fields", _) => sdr_fields(),
            ("@names", _) => sdr_names(),
            (word, _) if word.starts_with('@') => panic!("{name}.in: {word} is unknown"),
            // Names are not to be broken, nor blanks to be stretched.
            (".TH", _) => format!("{line}\n.nh\n.ad l\n"),
            _ => format!("{line}\n"),
        };
        text.push_str(&made);
    }
    text
}

/// A completion script of a shell.
fn completion(shell: Shell) -> (String, String) {
    let mut command = Options::command();
    let mut script = Vec::new();
    generate(shell, &mut command, "ipmi_sim", &mut script);
    let name = match shell {
        Shell::Bash => "ipmi_sim",
        Shell::Zsh => "_ipmi_sim",
        _ => "ipmi_sim.fish",
    };
    (name.to_owned(), String::from_utf8(script).expect("a script is text"))
}

/// Holds a file in `packaging` to what it should say, or writes it.
fn assert_current(name: &str, content: &str) {
    hold(&packaging(name), content);
}

/// The same for any file.
fn hold(path: &Path, content: &str) {
    if std::env::var_os("IPMI_SIM_WRITE").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("the file can be written");
    }
    let there = fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == content,
        "{} is not what its sources make of it: IPMI_SIM_WRITE=1 cargo test --test documents",
        path.display()
    );
}

#[test]
fn manual_pages_are_current() {
    for name in PAGES {
        assert_current(&format!("man/{name}"), &page(name));
    }
}

#[test]
fn completions_are_current_and_offer_every_option() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let (name, script) = completion(shell);
        for argument in Options::command().get_arguments() {
            if let Some(long) = argument.get_long() {
                assert!(script.contains(long), "{shell} does not know --{long}");
            }
        }
        assert_current(&format!("completions/{name}"), &script);
    }
}

/// What a reader sees of a page; groff must not warn of anything.
fn rendered(name: &str) -> String {
    let mut groff = Command::new("groff");
    groff.args(["-man", "-Tutf8", "-ww", "-P-c", "-P-b", "-P-u", "-rLL=160n"]);
    groff.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        groff.spawn().unwrap_or_else(|why| panic!("groff cannot be run ({why}): apt-get install groff-base"));
    let (mut input, text) = (child.stdin.take().expect("its input"), page(name));
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let shown = child.wait_with_output().expect("its output");
    writer.join().expect("the writer").expect("it reads its input");
    let warnings = String::from_utf8_lossy(&shown.stderr);
    assert!(shown.status.success() && warnings.is_empty(), "{name}: {warnings}");
    // A hyphen is a hyphen.
    String::from_utf8(shown.stdout).expect("utf-8").replace(['\u{2010}', '\u{2212}'], "-")
}

/// Whether a term stands at the beginning of a line, behind its indent.
fn has_term(text: &str, term: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        line.strip_prefix(term).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ',']))
    })
}

/// groff warns of nothing, and whatever the program knows stands in its page.
#[test]
fn every_option_keyword_and_command_is_in_the_manual() {
    let [sim, lan, commands, sdrcomp, _] = PAGES.map(|name| {
        let text = rendered(name);
        assert!(text.contains("NAME") && text.contains("SEE ALSO"), "{name}");
        text
    });
    for argument in Options::command().get_arguments().filter(|argument| !argument.is_positional()) {
        for name in argument
            .get_short()
            .map(|short| format!("-{short}"))
            .into_iter()
            .chain(argument.get_long().map(|long| format!("--{long}")))
        {
            assert!(sim.contains(&name), "{name} is not in ipmi_sim(1)");
        }
    }
    for entry in STATEMENTS.iter().chain(LAN_STATEMENTS) {
        assert!(has_term(&lan, entry.name), "{} is not in ipmi_lan(5)", entry.name);
    }
    for entry in COMMANDS {
        assert!(has_term(&commands, entry.name), "{} is not in ipmi_sim_cmd(5)", entry.name);
    }
    for option in ["-r", "-8", "-d", "-I", "-o", "--help", "--version"] {
        assert!(sdrcomp.contains(option), "{option} is not in sdrcomp(1)");
    }
    for record in TYPES {
        for field in record.fields().filter(|field| !field.name.is_empty()) {
            assert!(has_term(&sdrcomp, field.name), "{} is not in sdrcomp(1)", field.name);
        }
    }
    for (list, names) in LISTS {
        for (name, _) in names {
            assert!(sdrcomp.contains(name), "{name} of {list} is not in sdrcomp(1)");
        }
    }
}

/// The keywords and options of the grammar are in the manual as well, so that a keyword without a
/// line in `help` is noticed.
#[test]
fn every_word_of_the_grammar_is_in_the_manual() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (grammar, page) in [("lan_conf", "ipmi_lan.5"), ("command", "ipmi_sim_cmd.5")] {
        let text = fs::read_to_string(root.join(format!("grammar/{grammar}.pest"))).expect("the grammar");
        let shown = rendered(page);
        let rules = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let mut words = BTreeSet::new();
        for line in rules {
            for quoted in line.split('"').skip(1).step_by(2) {
                let word = quoted.trim_end_matches('=');
                // Names of options and values, not separators and spellings that are cut off.
                if word.len() > 2
                    && !["inits", "readclea"].contains(&word)
                    && word.starts_with(|c: char| c.is_ascii_lowercase())
                {
                    words.insert(word.to_owned());
                }
            }
        }
        assert!(words.len() > 10, "{words:?}");
        // Boolean words are told once, for all of them.
        let missing: Vec<_> = words.iter().filter(|word| !shown.contains(word.as_str())).collect();
        assert!(missing.is_empty(), "not in {page}: {missing:?}");
    }
}

/// A block between `.nf` and `.fi`, as a reader would type it.
fn example(page: &str, section: &str) -> String {
    let text = source(page);
    let (_, section) = text.split_once(&format!(".SH {section}\n")).expect("the section");
    let (_, block) = section.split_once(".nf\n").expect("an example");
    let (block, _) = block.split_once("\n.fi").expect("its end");
    block.replace("\\-", "-").replace("\\e", "\\") + "\n"
}

#[test]
fn the_examples_of_the_manual_are_right() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("lan.conf"), example("ipmi_lan.5", "EXAMPLE")).expect("a file");
    fs::write(folder.path().join("sim.emu"), example("ipmi_sim_cmd.5", "A TYPICAL FILE")).expect("a file");
    let check = ["--check", "-c", "lan.conf", "-f", "sim.emu"];
    let ran = Command::new(env!("CARGO_BIN_EXE_ipmi_sim")).args(check).current_dir(&folder).output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    let findings: Vec<_> =
        said.lines().filter(|line| line.contains(": warning: ") || line.contains(": error: ")).collect();
    // A program, a serial port, a sensor's file and a right that this machine does not have, and no fault.
    assert!(findings.iter().all(|line| machine::is_absence(line)), "{said}");
    assert!(ran.status.success() && findings.len() <= 4, "{said}");

    let text = example("sdrcomp.1", "EXAMPLES").replace(".in +4\n", "");
    let (sdrs, command) = text.split_once(".in\n").expect("two examples");
    fs::write(folder.path().join("board.sdrs"), sdrs).expect("a file");
    assert!(command.contains("sdrcomp -8 -o state/ipmi_sim/board/sdr.20.main board.sdrs"), "{command}");
    let ran = Command::new(env!("CARGO_BIN_EXE_sdrcomp")).args(["-8", "board.sdrs"]).current_dir(&folder).output();
    let ran = ran.expect("it runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(String::from_utf8_lossy(&ran.stdout).contains("MBTemp"));
}

/// What a shell offers behind `ipmi_sim --pi`, with the completions where it looks for them.
fn offered(program: &str, arguments: &[&str], package: &str) -> String {
    // Some leave files of their own at home.
    let home = tempfile::tempdir().expect("a folder");
    let mut shell = Command::new("timeout");
    shell.arg("60").arg(program).args(arguments).env("HOME", home.path()).env("TERM", "xterm").stdin(Stdio::null());
    let ran = shell.output().unwrap_or_else(|why| panic!("timeout cannot be run: {why}"));
    assert!(ran.status.code() != Some(127), "{program} is missing: apt-get install {package}");
    String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr)
}

/// What each shell offers, asked for by a line of its own.
fn offered_by_each(bash: &str, fish: &str, zsh: &str) -> [(&'static str, String); 3] {
    let asked = [
        ("bash", vec!["--norc", "-c", bash]),
        ("fish", vec!["--no-config", "-c", fish]),
        ("zsh", vec!["-f", "-c", zsh]),
    ];
    asked.map(|(shell, arguments)| (shell, offered(shell, &arguments, shell)))
}

#[test]
fn every_shell_completes_options() {
    let folder = packaging("completions");
    let folder = folder.to_str().expect("a path");
    let bash = format!(
        "source {folder}/ipmi_sim; COMP_WORDS=(ipmi_sim --pi); COMP_CWORD=1
         _ipmi_sim ipmi_sim --pi ipmi_sim; echo \"${{COMPREPLY[*]}}\""
    );
    let fish = format!("source {folder}/ipmi_sim.fish; complete -C 'ipmi_sim --pi'");
    // zsh completes on a terminal only; it has one of its own.
    let dump = tempfile::tempdir().expect("a folder");
    let zsh = format!(
        "zmodload zsh/zpty; zpty z 'zsh -f -i'
         zpty -w z 'fpath=({folder} $fpath); autoload -U compinit; compinit -u -d {}/dump; LISTMAX=999; echo rea\"\"dy'
         zpty -r z all '*ready*'; zpty -w -n z 'ipmi_sim --pi'$'\\t\\t'; zpty -r z all '*--ping*'; print -r -- $all",
        dump.path().display()
    );
    for (shell, text) in offered_by_each(&bash, &fish, &zsh) {
        assert!(text.contains("--pid-file") && text.contains("--ping"), "{shell}: {text}");
        assert!(!text.contains("--config-file"), "{shell}: {text}");
    }
}
