//! The pages of the book whose blocks nobody else runs (`README.md`, `docs/START.md`, `SENSORS.md`, `CONSOLES.md`, `TESTING.md`):
//! they run as they stand, and show what is written behind them.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::support::bench::project;
use crate::support::{Bench, Ran, Subject, namespace};

const LIMIT: Duration = Duration::from_secs(120);

/// However it ends, what it has started ends as well.
const END: &str = "trap 'status=$?; trap \"\" TERM; kill -- -$$; exit $status' EXIT\ntrap 'exit 124' TERM\n";

/// Blocks of a kind, one behind the other.
fn blocks(page: &str, kind: &str) -> String {
    let start = format!("```{kind}\n");
    page.split(&start).skip(1).map(|rest| rest.split("```").next().expect("its end")).collect()
}

/// A folder like the project's, with the programs in a folder of their own.
fn bench() -> Bench {
    let bench = Bench::new();
    for folder in ["minimal", "fleet", "living"] {
        bench.copy_tree(&format!("examples/{folder}"), &format!("examples/{folder}"));
    }
    bench.copy_tree("examples/minimal", "etc");
    fs::copy(project("examples/minimal/sim.emu"), bench.path("etc/minimal.emu")).expect("a file");
    fs::create_dir_all(bench.path("bin")).expect("a folder");
    for (name, program) in
        [("ipmi_sim", Subject::under_test().program()), ("ipmi_simctl", env!("CARGO_BIN_EXE_ipmi_simctl").into())]
    {
        std::os::unix::fs::symlink(program, bench.path("bin").join(name)).expect("a link");
    }
    bench
}

/// Runs the commands of a page, with its folders in the bench, and ends what they leave running.
fn execute(bench: &Bench, commands: &str) -> Ran {
    let here = bench.folder().display();
    let commands = commands
        .replace("/tmp/", &format!("{here}/"))
        .replace("/etc/ipmi/lan.conf", &format!("{here}/etc/lan.conf -f {here}/etc/minimal.emu"))
        .replace("/var/lib", &format!("{here}/lib"))
        // As many as a program that was not optimised starts in no time.
        .replace("--count 10000", "--count 500");
    let path = format!("{here}/bin:{}:/usr/sbin", std::env::var("PATH").expect("a path"));
    let script = format!("{END}{commands}");
    let mut shell = Command::new("timeout");
    shell.args(["100", "setsid", "sh", "-ec", &script]).current_dir(bench.folder());
    shell.env("PATH", path).env("HOME", bench.folder());
    Ran::run(&mut shell, "coreutils", LIMIT)
}

/// A page runs as it is pasted, and shows every line of its blocks marked `text`.
fn page_runs(name: &str) -> Ran {
    let bench = bench();
    let page = fs::read_to_string(project(name)).expect("the page");
    let ran = execute(&bench, &blocks(&page, "sh"));
    ran.assert_ok();
    ran
}

/// The same, and what it shows is what is written there; `told` of these lines are output.
fn page_shows(name: &str, told: usize) {
    let ran = page_runs(name);
    let page = fs::read_to_string(project(name)).expect("the page");
    // Behind the first block of commands; what stands before is a configuration.
    let (_, behind) = page.split_once("```sh\n").expect("commands");
    let seen = blocks(behind, "text");
    assert_eq!(seen.lines().count(), told, "{seen}");
    for line in seen.lines() {
        ran.assert_says(line);
    }
}

#[test]
fn the_readme_runs_as_pasted() {
    namespace::alone("book::the_readme_runs_as_pasted", || {
        page_runs("README.md")
            // One BMC.
            .assert_says("CPU Temp         | 01h | ok  |  3.1 | 45 degrees C")
            .assert_says("Chassis Power Control: Up/On")
            // The swap.
            .assert_says("LAN channel 1 of MC 0x20: UDP 127.0.0.1:9623; user admin can log in")
            .assert_says("answers")
            // The fleet.
            .assert_says("127.64.0.9: on")
            .assert_says("127.64.0.12: off")
            .assert_says("Temperature CPU1 Temp | Upper Critical going high | Asserted");
    });
}

#[test]
fn a_bmc_of_ones_own_is_as_written() {
    namespace::alone("book::a_bmc_of_ones_own_is_as_written", || page_shows("docs/START.md", 7));
}

#[test]
fn the_machine_that_lives_is_as_written() {
    namespace::alone("book::the_machine_that_lives_is_as_written", || page_shows("docs/SENSORS.md", 4));
}

#[test]
fn the_console_is_as_written() {
    namespace::alone("book::the_console_is_as_written", || page_shows("docs/CONSOLES.md", 3));
}

#[test]
fn what_starts_in_a_test_is_as_written() {
    namespace::alone("book::what_starts_in_a_test_is_as_written", || page_shows("docs/TESTING.md", 2));
}

/// What the pictures show is what the programs show, but for times.
#[test]
fn the_recording_of_the_terminal_is_true() {
    namespace::alone("book::the_recording_of_the_terminal_is_true", || {
        let programs = bench();
        let mut script = Command::new("python3");
        script.arg(project("docs/pictures/terminal.py")).arg("--check").env("PROGRAMS", programs.path("bin"));
        Ran::run(&mut script, "python3", LIMIT).assert_ok();
    });
}
