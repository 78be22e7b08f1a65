//! lan.conf beside the original's: the same lines are accepted, and faults are found in the same ones.

mod support;

use std::fs;
use std::process::Command;
use std::time::Duration;

use support::bench::project;
use support::{Bench, Ran, Subject};

/// Lines that the original (2.0.33) refuses, or crashes on, and ours takes, and the other way
/// round; each is a row of compat/DIFFERENCES.md or newer than 2.0.33.
const DIFFERENT: &[(&str, bool)] = &[
    ("user 3 true \"a b\" \"pw\" admin 10", true),
    ("user 3 true \"a\" 00112233445566778899aabbccddeeff admin 10", true),
    ("user 3 true \"a\" \"b\" admin", true),
    ("user 0 true \"a\" \"b\" admin 10", false),
    ("startlan 1\\nguid \"I AM\"\\nendlan", true),
    ("startlan 1\\nguid a1234567-89ab-cdef-a123-456789abcdef\\nendlan", true),
    ("serial 3 127.0.0.1 9002 codec VM", true),
    ("serial kcs-3 127.0.0.1 9002 codec VM", true),
    ("serial ssif 127.0.0.1 9002 codec VM", true),
];

/// The line of the first error, if there is one.
fn fault(subject: Subject, bench: &Bench) -> Option<u32> {
    let program = subject.program();
    let mut command = Command::new(&program);
    command.current_dir(bench.folder()).env_remove("RUST_LOG");
    match subject {
        // Without a command file it ends when it has read this one.
        Subject::Original => command.args(["-n", "-p", "-c", "lan.conf", "-f", "none.emu"]),
        Subject::Ours => command.args(["--version", "-c", "lan.conf"]),
    };
    let ran = Ran::run(&mut command, "openipmi", Duration::from_secs(10));
    match subject {
        Subject::Original => {
            let text = ran.all();
            let number = |start: &str| {
                let rest = &text[text.find(start)? + start.len()..];
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                digits.parse().ok()
            };
            number("Error on line ").or_else(|| number("LAN address already set, line "))
        }
        Subject::Ours => {
            let line = ran.stderr.lines().find(|line| line.contains(": error: "));
            assert_eq!(line.is_none(), ran.succeeded(), "{}", ran.report());
            line.map(|line| line.split(':').nth(1).and_then(|number| number.parse().ok()).expect("a line number"))
        }
    }
}

#[test]
fn the_same_lines_of_lan_conf_are_accepted_and_refused() {
    let text = fs::read_to_string(project("tests/data/lan_conf_lines.txt")).expect("the lines");
    let bench = Bench::new();
    let (mut faults, mut refused, mut different) = (Vec::new(), 0, 0);
    for line in text.lines().skip(1) {
        bench.write("lan.conf", format!("name \"n\"\n{}\n", line.replace("\\n", "\n")));
        let [theirs, ours] = [Subject::Original, Subject::Ours].map(|subject| fault(subject, &bench));
        let agree = match (theirs, ours) {
            // Of a block that is not ended, or ends too late, the original names the end.
            (Some(_), Some(_)) if line.starts_with("startlan") => true,
            (theirs, ours) => theirs == ours,
        };
        refused += usize::from(ours.is_some());
        match DIFFERENT.iter().find(|(known, _)| *known == line) {
            Some((_, accepted)) if !agree && ours.is_none() == *accepted => different += 1,
            None if agree => {}
            _ => faults.push(format!("{line}\n  original: line {theirs:?}; ours: line {ours:?}")),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(refused > 50 && different == DIFFERENT.len(), "{refused} refused, {different} different");
}
