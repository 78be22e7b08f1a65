//! Recorded exchanges of the original, sent again.
//!
//! `tests/data/raw` holds what the original answered to thousands of requests. Ours gives the
//! same responses but for the rows named, with a reason, in `tests/data/raw/NAME.differs`.

mod support;

use std::time::Duration;

use support::bench::{free_port, project};
use support::config::{Places, adapt};
use support::replay::{Console, Step, Target, judge, known_differences, recording, replay};
use support::rmcp_client::RmcpClient;
use support::vm_host::VmHost;
use support::{Bench, Simulator, Subject};

const USER: &str = "ipmiusr";
const PASSWORD: &str = "test";
const ADMINISTRATOR: u8 = 4;

struct Setup {
    bench: Bench,
    simulator: Simulator,
    lan: u16,
    vm: u16,
    console: u16,
}

/// Starts the subject on a configuration of `tests/data/raw`.
fn setup(subject: Subject, conf: &str, emu: &str) -> Setup {
    let bench = Bench::new();
    let raw = bench.copy_tree("tests/data/raw", "raw");
    let (lan, vm, console) = (free_port(), free_port(), free_port());
    let places = Places { lan: vec![lan], serial: vec![vm, free_port()], console: Some(console), ..Places::default() };
    let text = std::fs::read_to_string(raw.join("cfg").join(conf)).expect("a configuration");
    // Nobody listens where the recorded consoles would be.
    let text = ["29003", "29013", "25592"].iter().fold(text, |text, port| text.replace(port, &free_port().to_string()));
    bench.write("lan.conf", adapt(&text, &places));
    std::fs::copy(raw.join("cfg").join(emu), bench.path("sim.emu")).expect("a command file");
    for entry in std::fs::read_dir(raw.join("files")).expect("data files") {
        let entry = entry.expect("a data file");
        std::fs::copy(entry.path(), bench.folder().join(entry.file_name())).expect("a copy");
    }
    let simulator = Simulator::start_default(subject, &bench, lan);
    Setup { bench, simulator, lan, vm, console }
}

fn log_in(setup: &Setup) -> Target {
    let client = RmcpClient::open(setup.lan, USER, PASSWORD, ADMINISTRATOR)
        .unwrap_or_else(|why| panic!("{why}\n{}", setup.simulator.report()));
    Target::Lan(Box::new(client))
}

fn give_chassis_program(setup: &Setup) {
    setup.bench.write("chassis.d/power", "0\n");
    setup.bench.write("chassis.d/boot", "default\n");
    let program = std::fs::read(setup.bench.path("raw/cfg/chassis.sh")).expect("chassis.sh");
    setup.bench.write_program("chassis.sh", program);
}

fn lan_recording(subject: Subject, name: &str, conf: &str, emu: &str) {
    let mut setup = setup(subject, conf, emu);
    give_chassis_program(&setup);
    let rows = recording(name);
    let console = std::fs::read_to_string(setup.bench.path("lan.conf"))
        .is_ok_and(|text| text.contains("\nconsole "))
        .then(|| Console::connect(setup.console));
    let mut target = log_in(&setup);
    let known = known_differences(name);
    let outcome = replay(&rows, &known, &mut target, console);
    drop(target);
    setup.simulator.assert_alive();
    judge(name, known, &outcome);
}

fn vm_recording(subject: Subject, name: &str) {
    let mut setup = setup(subject, "base.conf", "base.emu");
    let mut host = VmHost::connect_as_qemu(setup.vm);
    // The greeting and the first attention state belong to no row.
    host.take_controls(Duration::from_millis(300));
    let known = known_differences(name);
    let outcome = replay(&recording(name), &known, &mut Target::Vm(host), None);
    setup.simulator.assert_alive();
    judge(name, known, &outcome);
}

/// Fewer than three rows in a hundred of all recordings may differ, and each of them names a row
/// of `compat/DIFFERENCES.md` by one of its tests.
#[test]
fn fewer_than_three_rows_in_a_hundred_differ_and_each_has_its_reason() {
    let document = std::fs::read_to_string(project("compat/DIFFERENCES.md")).expect("compat/DIFFERENCES.md");
    let rows_of_the_document: Vec<&str> = document.lines().filter(|line| line.starts_with('|')).collect();
    let mut complaints = Vec::new();
    let (mut all, mut listed) = (0, 0);
    for entry in std::fs::read_dir(project("tests/data/raw")).expect("the recordings") {
        let file = entry.expect("a file").file_name().into_string().expect("a name");
        let Some(name) = file.strip_suffix(".tsv").filter(|name| name.ends_with("-HEAD")) else { continue };
        let rows = recording(name).iter().filter(|row| !matches!(row.step, Step::Sleep(_))).count();
        let known = known_differences(name);
        println!("{name}: {} of {rows} rows are listed", known.len());
        all += rows;
        listed += known.len();
        for (row, difference) in known {
            let name_in_backquotes = format!("`{}`", difference.explained_by);
            let explained = rows_of_the_document.iter().any(|line| {
                line.trim_end_matches('|').rsplit(" | ").next().is_some_and(|tests| tests.contains(&name_in_backquotes))
            });
            if !explained {
                complaints
                    .push(format!("{name} row {row}: no row of compat/DIFFERENCES.md names {name_in_backquotes}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    println!("{listed} of {all} rows are listed");
    assert!(listed * 100 < all * 3, "{listed} of {all} rows are listed");
}

/// The witness that the replaying itself is right: the installed original against the
/// recording of its own version.
#[test]
fn the_original_answers_as_it_was_recorded() {
    lan_recording(Subject::Original, "core-chassis-2.0.33", "chassis.conf", "base.emu");
}

#[test]
fn chassis_commands_over_lan() {
    lan_recording(Subject::under_test(), "core-chassis-HEAD", "chassis.conf", "base.emu");
}

#[test]
fn every_command_over_lan() {
    lan_recording(Subject::under_test(), "core-HEAD", "base.conf", "base.emu");
}

#[test]
fn sensors_events_records_and_inventory_over_lan() {
    lan_recording(Subject::under_test(), "storage-HEAD", "storage.conf", "storage.emu");
}

#[test]
fn system_interface_of_a_virtual_machine() {
    vm_recording(Subject::under_test(), "core-vm-HEAD");
}

#[test]
fn shelf_commands_over_lan() {
    lan_recording(Subject::under_test(), "core-atca-HEAD", "atca.conf", "atca.emu");
}
