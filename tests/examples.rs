//! Every configuration the project hands out: clean, and running as its text says, with
//! ours and with the original. Pages of the book that nobody else runs: `examples/book.rs`.

#[path = "examples/book.rs"]
mod book;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::bench::{free_port, project};
use support::config::{Places, adapt};
use support::process::{self, eventually};
use support::pty::Pty;
use support::simulator::presence_ping;
use support::{Bench, Ipmitool, Ran, Simulator, Stdin, Subject, namespace};

/// A configuration of the project, in a folder of its own with places of its own.
struct Example {
    bench: Bench,
    emu: &'static str,
    port: u16,
    user: (&'static str, &'static str),
    _serial: Pty,
}

fn example(folder: &str, emu: &'static str, user: (&'static str, &'static str)) -> Example {
    let bench = Bench::new();
    bench.copy_tree(folder, ".");
    let port = free_port();
    let serial = Pty::with_echo();
    let conf = bench.read("lan.conf");
    let places = Places {
        lan: vec![port],
        serial: vec![free_port()],
        sol: Some(serial.path().display().to_string()),
        chassis_control: Some("./chassis_control.sh 0x20".to_owned()),
        ..Places::default()
    };
    bench.write("lan.conf", adapt(&conf, &places));
    Example { bench, emu, port, user, _serial: serial }
}

impl Example {
    fn start(&self, subject: Subject) -> Simulator {
        let files = ["-c", "lan.conf", "-f", self.emu, "-s", "state"];
        Simulator::start(subject, &self.bench, self.port, &files)
    }

    fn client(&self) -> Ipmitool {
        Ipmitool::new(self.port, self.user.0, self.user.1)
    }
}

/// What every one of them does.
fn runs(folder: &str, emu: &'static str, user: (&'static str, &'static str), says: &[(&str, &str)]) {
    for subject in [Subject::Original, Subject::under_test()] {
        println!("{folder} with {subject:?}");
        let example = example(folder, emu, user);
        if subject == Subject::Ours {
            let arguments = ["--check", "-c", "lan.conf", "-f", emu];
            let mut check = Simulator::spawn(subject, &example.bench, &arguments, Stdin::Null);
            let status = check.wait(Duration::from_secs(5)).expect("an end");
            assert!(status.success(), "{}", check.report());
            assert_eq!(check.stderr.text(), "");
        }
        let mut simulator = example.start(subject);
        for (words, text) in says {
            example.client().ok(words).assert_says(text);
        }
        simulator.assert_alive();
        assert!(!simulator.stderr.text().contains("error"), "{}", simulator.report());
    }
}

#[test]
fn minimal() {
    runs(
        "examples/minimal",
        "sim.emu",
        ("admin", "admin"),
        &[
            ("mc info", "IPMI Version : 2.0"),
            ("sdr elist all", "CPU Temp | 01h | ok | 3.1 | 45 degrees C"),
            ("sensor list", "+12V | 12.000 | Volts | ok"),
            ("fru print", "Product Name : Minimal Server"),
            ("sel elist", "Fan Fan 1 | Lower Non-critical going low"),
        ],
    );
}

/// What the text beside the example says to try on its console.
#[test]
fn minimal_console() {
    let example = example("examples/minimal", "sim.emu", ("admin", "admin"));
    let files = ["-p", "-c", "lan.conf", "-f", "sim.emu"];
    let mut simulator = Simulator::spawn(Subject::under_test(), &example.bench, &files, Stdin::Pipe);
    simulator.wait_until_ready(example.port);
    simulator.type_in("sensor_set_value 0x20 0 1 85 1\n");
    let hot = eventually(Duration::from_secs(5), || {
        example.client().ok("sdr list").stdout.contains("85 degrees C").then_some(())
    });
    assert!(hot.is_some(), "{}", simulator.report());
    example.client().ok("sel elist").assert_says("Temperature CPU Temp | Upper Non-critical going high");
    simulator.type_in("quit\n");
    assert!(simulator.wait(Duration::from_secs(5)).is_some_and(|status| status.success()));
}

#[test]
fn qemu() {
    let files = "compat/qemu";
    runs(
        files,
        "ipmisim1.emu",
        ("ipmiusr", "test"),
        &[
            ("mc info", "IPMI Version : 2.0"),
            ("power status", "Chassis Power is off"),
            ("-t 0x30 mc info", "Device ID : 2"),
            ("fru print 0", "Product Name : QEMU machine"),
        ],
    );
}

/// The recipe for trying the NanoKVM tree without hardware, with its own stand-in machine.
#[test]
fn nanokvm_with_its_bench_machine() {
    for subject in [Subject::Original, Subject::under_test()] {
        for shell in [&["sh"][..], &["busybox", "sh"]] {
            let example = example("compat/nanokvm", "sim.emu", ("admin", "admin"));
            let machine = example.bench.path("bench-machine.sh");
            let gpio = example.bench.path("gpio");
            let mut command = Command::new(shell[0]);
            command
                .args(&shell[1..])
                .args([&machine, &gpio])
                .env("FORCE_OFF", "400")
                .env("SHUTDOWN", "100")
                .stdin(Stdio::null());
            let _machine = process::spawn(&mut command, "busybox");
            let events = || fs::read_to_string(gpio.join("events")).unwrap_or_default();
            let up = eventually(Duration::from_secs(5), || gpio.join("gpio504/value").exists().then_some(()));
            assert!(up.is_some(), "the machine keeps its files");

            let files = ["-n", "-c", "lan.conf", "-f", "sim.emu", "-s", "state"];
            let mut simulator = Simulator::spawn_with(
                subject,
                &example.bench,
                &files,
                Stdin::Null,
                &[("GPIO_DIR", gpio.to_str().expect("a path")), ("SHORT_PRESS", "100")],
            );
            simulator.wait_until_ready(example.port);
            let client = example.client();
            client.ok("power status").assert_says("Chassis Power is off");
            client.ok("power on");
            client.ok("power status").assert_says("Chassis Power is on");
            client.ok("power reset");
            client.ok("power off");
            client.ok("power status").assert_says("Chassis Power is off");
            client.ok("power on");
            client.ok("power soft");
            let off = eventually(Duration::from_secs(5), || events().ends_with("off\n").then_some(()));
            assert!(off.is_some(), "{}", events());
            assert_eq!(events(), "on\nreset\nforced-off\non\nshutdown\noff\n", "{shell:?}");
        }
    }
}

/// The `run` lines of the job, from a checkout with the program on the PATH.
#[test]
fn a_job_of_continuous_integration_has_its_twenty_bmcs() {
    namespace::alone("a_job_of_continuous_integration_has_its_twenty_bmcs", || {
        let bench = Bench::new();
        bench.copy_tree("examples/ci", "examples/ci");
        bench.copy_tree("examples/minimal", "examples/minimal");
        let job = bench.read("examples/ci/job.yml");
        let mut steps = job.split("- run: ").skip(1).map(|step| step.split("\n      - ").next().expect("a step"));
        assert!(steps.next().is_some_and(|step| step.contains("apt-get install")));
        let end = job.split("run: ").last().expect("the last step");
        let steps: Vec<&str> = steps.map(|step| step.trim_start_matches("|\n")).chain([end]).collect();
        assert_eq!(steps.len(), 3, "{steps:?}");
        let path = format!(
            "{}:{}",
            Subject::under_test().program().parent().expect("its folder").display(),
            std::env::var("PATH").expect("a path")
        );
        for (step, says) in steps.iter().zip(["20 BMCs answer on 127.0.0.1, ports 9700 to 9719", "", ""]) {
            let mut shell = Command::new("sh");
            shell.args(["-ec", step]).current_dir(bench.folder()).env("PATH", &path);
            let ran = Ran::run(&mut shell, "dash", Duration::from_secs(60));
            ran.assert_ok().assert_says(says);
            if step.contains("power status") {
                assert_eq!(ran.stdout.matches("Chassis Power is off").count(), 20, "{}", ran.report());
            }
        }
        assert!(!bench.path("bmcs").exists(), "something is left");
        assert!(!presence_ping(9719, Duration::from_millis(20)), "a BMC is left");
    });
}

/// The page's blocks run as they stand, and show what stands behind them.
#[test]
fn the_page_runs_as_pasted_and_shows_what_it_says() {
    namespace::alone("the_page_runs_as_pasted_and_shows_what_it_says", || {
        let page = fs::read_to_string(project("examples/README.md")).expect("the page");
        let bench = Bench::new();
        for folder in
            ["examples/minimal", "examples/fleet", "examples/profiles", "examples/ci", "compat/nanokvm", "compat/qemu"]
        {
            bench.copy_tree(folder, folder);
        }
        let program = bench.path("target/release/ipmi_sim");
        fs::create_dir_all(program.parent().expect("its folder")).expect("a folder");
        std::os::unix::fs::symlink(Subject::under_test().program(), program).expect("a link");
        let mut sections = 0;
        for section in page.split("\n## ").skip(1) {
            let blocks = |kind: &str| {
                let start = format!("```{kind}\n");
                let parts = section.split(&start).skip(1);
                parts.map(|rest| rest.split("```").next().expect("its end")).collect::<String>()
            };
            let (commands, seen) = (blocks("sh"), blocks("text"));
            assert!(!seen.is_empty(), "nothing to see in {section}");
            let mut shell = Command::new("sh");
            // What is started here and not ended would keep the output open.
            shell.args(["-c", &commands]).current_dir(bench.folder()).env("TMPDIR", bench.folder());
            let ran = Ran::run(&mut shell, "dash", Duration::from_secs(60));
            for line in seen.lines() {
                ran.assert_says(line);
            }
            sections += 1;
        }
        assert_eq!(sections, 6);
    });
}

/// A new example has to come here too.
#[test]
fn every_example_is_tested() {
    let folders: BTreeSet<_> = fs::read_dir(project("examples"))
        .expect("examples")
        .filter_map(|entry| {
            let entry = entry.expect("an entry");
            // Two of them are links to deployments that are kept in compat/.
            entry.path().is_dir().then(|| entry.file_name().into_string())
        })
        .map(|name| name.expect("a name"))
        .collect();
    // virtualbmc is run by tests/migration.rs, with the page that leads to it; faults, living, oem and profiles by tests
    // of their names.
    let known =
        ["ci", "console", "faults", "fleet", "living", "minimal", "nanokvm", "oem", "profiles", "qemu", "virtualbmc"];
    assert_eq!(folders, BTreeSet::from(known.map(str::to_owned)));
}
