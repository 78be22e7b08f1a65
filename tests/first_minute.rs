//! The first minute: what a start says and to whom, starts without files, and how the log looks.

mod support;

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::linux::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::manager::Manager;
use support::namespace::{alone, run, with_own_mounts};
use support::process::{self, Captured, Guarded, spawn};
use support::pty::Pty;
use support::simulator::{TIMEOUT, presence_ping};
use support::{Bench, Ipmitool, Simulator, Stdin, Subject};

const VERSION_LINE: &str = "IPMI Simulator version 1.0.13\n";
const OURS: &str = concat!("ipmi_sim ", env!("CARGO_PKG_VERSION"));
const FILES: [&str; 5] = ["-p", "-c", "lan.conf", "-f", "sim.emu"];

fn small(more: &str) -> (Bench, u16) {
    let (bench, port) = (Bench::new(), free_port());
    bench.write("lan.conf", small_lan_conf(port, more));
    bench.write("sim.emu", SMALL_EMU);
    (bench, port)
}

fn ours(bench: &Bench, arguments: &[&str]) -> Simulator {
    Simulator::spawn(Subject::Ours, bench, arguments, Stdin::Null)
}

/// Runs it to its end: status, standard output, standard error.
#[track_caller]
fn ended(bench: &Bench, arguments: &[&str]) -> (i32, String, String) {
    let mut simulator = ours(bench, arguments);
    let Some(status) = simulator.wait(TIMEOUT) else { panic!("it does not end\n{}", simulator.report()) };
    (status.code().unwrap_or(-1), simulator.stdout.text(), simulator.stderr.text())
}

#[track_caller]
fn says(simulator: &Simulator, text: &str) {
    assert!(simulator.stderr.wait_for(text, TIMEOUT), "`{text}` is missing\n{}", simulator.report());
}

// ---- what is served

#[test]
fn it_says_who_it_is_and_what_it_serves() {
    let more = "  user 3 true \"ops\" \"secret\" operator 10\n  user 4 false \"gone\" \"secret\" admin 10\n";
    let (bench, port) = small(more);
    let arguments = [&["-n"][..], &FILES[1..], &["-s", "state"]].concat();
    let simulator = ours(&bench, &arguments);
    says(&simulator, &format!("INFO  {OURS} serves \"small\"\n"));
    says(&simulator, &format!("LAN channel 1 of MC 0x20: UDP 127.0.0.1:{port}; users admin, ops can log in\n"));
    says(&simulator, "State: state/ipmi_sim/small\n");
    assert!(!simulator.stderr.text().contains("secret"), "{}", simulator.report());
    // Standard output is the original's.
    let opened = format!("Opened UDP port {port}\n");
    assert!(simulator.stdout.wait_for(&opened, TIMEOUT));
    let shown = simulator.stdout.text().replace('\r', "");
    assert_eq!(shown, format!("{VERSION_LINE}{opened}"));
    simulator.stop();

    let simulator = ours(&bench, &[&["-n"][..], &FILES].concat());
    says(&simulator, "State: not kept\n");
    simulator.stop();
    // Who wants less gets less.
    let mut simulator = Simulator::spawn_with(Subject::Ours, &bench, &arguments, Stdin::Null, &[("RUST_LOG", "error")]);
    simulator.wait_until_ready(port);
    assert_eq!(simulator.stderr.text(), "");
}

/// A program at the console reads what the original says and nothing else, however its outputs
/// are connected.
#[test]
fn a_program_at_the_console_gets_nothing_new() {
    let (bench, port) = small("");
    for redirection in ["2>errors", "2>&1"] {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!(
            "exec '{}' {} {redirection}",
            Subject::Ours.program().display(),
            FILES.join(" ")
        ));
        command.current_dir(bench.folder()).env_remove("RUST_LOG").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = spawn(&mut command, "dash");
        let shown = Captured::from(child.0.stdout.take().expect("its output"));
        let opened = format!("Opened UDP port {port}\n\r> ");
        assert!(shown.wait_for(&opened, TIMEOUT), "{redirection}: {}", shown.text());
        assert!(shown.text().ends_with(&opened) && !shown.text().contains("serves"), "{}", shown.text());
        drop(child.0.stdin.take());
        process::wait(&mut child.0, TIMEOUT).expect("the end of input is the end");
    }
    assert!(bench.read("errors").contains(" serves \"small\"\n"), "{}", bench.read("errors"));
}

#[test]
fn a_person_at_a_terminal_gets_a_line_to_copy_and_a_way_out() {
    let (bench, port) = small("");
    for (arguments, stop) in [(&[][..], "stop: quit"), (&["-n"], "stop: Ctrl-C")] {
        let terminal = Pty::new();
        let mut command = Command::new(Subject::Ours.program());
        command.args(FILES).args(arguments).current_dir(bench.folder()).env_remove("RUST_LOG");
        command.stdin(terminal.stdio()).stdout(terminal.stdio()).stderr(terminal.stdio());
        let _simulator: Guarded = spawn(&mut command, "");
        assert!(terminal.wait_for(stop, TIMEOUT), "{}", terminal.received.text());
        let shown = terminal.received.text().replace('\r', "");
        let at = shown.find(&format!("{OURS} serves \"small\"")).expect("who it is");
        let line = format!("try:  ipmitool -I lanplus -H 127.0.0.1 -p {port} -U admin mc info\n");
        assert!(shown[at..].contains(&line), "{shown}");
        if arguments.is_empty() {
            // The prompt is the last thing written, and no time stands at the console.
            assert!(terminal.wait_for(&format!("{stop}\n\r> "), TIMEOUT), "{}", terminal.received.text());
            let shown = terminal.received.text().replace('\r', "");
            assert!(shown.ends_with("\n> "), "{shown:?}");
            assert!(!shown.contains("INFO"), "{shown}");
        }
    }
}

// ---- readiness

#[test]
fn ready_is_never_said_when_nothing_is_open() {
    let console = free_port();
    let (bench, port) = small(&format!("console 127.0.0.1 {console}"));
    bench.write("sim.emu", SMALL_EMU.replace("mc_enable 0x20\n", ""));
    let path = bench.path("notify");
    let manager = Manager::at(&path);
    let next = || manager.next_within(TIMEOUT);
    let socket = path.display().to_string();
    let arguments = [&["-n", "--ready-line"][..], &FILES].concat();
    let simulator =
        Simulator::spawn_with(Subject::Ours, &bench, &arguments, Stdin::Null, &[("NOTIFY_SOCKET", &socket)]);
    says(&simulator, "Not ready: no LAN, serial or IPMB channel is open\n");
    assert_eq!(next(), "STATUS=Not ready: no channel is open");
    // A reload opens nothing.
    simulator.signal(Signal::SIGHUP);
    assert!(next().starts_with("RELOADING=1\n"));
    assert_eq!(next(), "STATUS=Not ready: no channel is open");
    assert!(!simulator.stdout.text().contains("ready"), "{}", simulator.report());
    // Somebody does what was forgotten.
    support::replay::Console::connect(console).type_in("mc_enable 0x20");
    assert!(simulator.stdout.wait_for("ipmi_sim small is ready\n", TIMEOUT), "{}", simulator.report());
    assert_eq!(next(), format!("READY=1\nSTATUS=Answering on 127.0.0.1:{port}"));
    assert!(presence_ping(port, Duration::from_secs(2)), "said and true");
}

// ---- options

#[test]
fn the_version_is_told_with_and_without_a_configuration() {
    let (bench, _) = small("");
    let both = format!("{VERSION_LINE}{OURS}\n");
    // Default places below an empty directory.
    let root = bench.path("root");
    fs::create_dir(&root).expect("a folder");
    let root = root.display().to_string();
    for arguments in [&["--version"][..], &["-v"], &["-v", "-c", "lan.conf"], &["--version", "lan.conf"]] {
        let environment = [("IPMI_SIM_ROOT", root.as_str())];
        let mut simulator = Simulator::spawn_with(Subject::Ours, &bench, arguments, Stdin::Null, &environment);
        assert_eq!(simulator.wait(TIMEOUT).expect("an end").code(), Some(0), "{}", simulator.report());
        assert_eq!((simulator.stdout.text(), simulator.stderr.text()), (both.clone(), String::new()));
    }
    // One that is named and not there, or faulty, is an error as ever.
    bench.write("bad.conf", "nonsense\n");
    for (file, complaint) in
        [("nowhere.conf", "Unable to open configuration file"), ("bad.conf", "bad.conf:1:1: error:")]
    {
        let (status, stdout, stderr) = ended(&bench, &["-v", "-c", file]);
        assert_eq!((status, stdout), (1, both.clone()));
        assert!(stderr.contains(complaint), "{stderr}");
    }
}

/// Whoever reads the first line and goes away has seen enough: no panic, and the status is what it would be.
#[test]
fn nobody_need_read_what_is_printed() {
    let (bench, port) = small("");
    let serving = Simulator::start(Subject::Ours, &bench, port, &FILES);
    let check = ["--check", "-p", "-c", "lan.conf", "-f", "sim.emu"];
    for arguments in [
        &["--help"][..],
        &["--usage"],
        &["--version", "-c", "lan.conf"],
        &check,
        &["--ping", "-c", "lan.conf"],
        &["--init", "new"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(Subject::Ours.program());
        command.args(arguments).current_dir(bench.folder()).stdout(writer);
        let ended = command.output().expect("it starts");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && !said.contains("panicked"), "{arguments:?}: {ended:?}");
    }
    serving.stop();
}

#[test]
fn a_second_word_is_an_error() {
    let (bench, _) = small("");
    for arguments in [&["lan.conf", "sim.emu"][..], &["-n", "-c", "lan.conf", "sim.emu", "more"]] {
        let (status, _, stderr) = ended(&bench, arguments);
        assert_eq!(status, 2, "{stderr}");
        assert!(stderr.contains("unexpected argument"), "{stderr}");
    }
}

#[test]
fn a_forgotten_command_file_is_told_with_what_to_do() {
    let (bench, _) = small("");
    let root = bench.path("root").display().to_string();
    let run = |arguments: &[&str]| {
        let environment = [("IPMI_SIM_ROOT", root.as_str())];
        let mut simulator = Simulator::spawn_with(Subject::Ours, &bench, arguments, Stdin::Null, &environment);
        assert_eq!(simulator.wait(TIMEOUT).expect("an end").code(), Some(1), "{}", simulator.report());
        simulator.stderr.text()
    };
    let looked =
        format!("There is no command file: looked for {root}/etc/ipmi/small.emu and {root}/usr/etc/ipmi/small.emu; ");
    for option in ["-n", "--check", "--strict"] {
        let text = run(&[option, "-p", "-c", "lan.conf"]);
        assert!(text.contains("No bmc_ipmb specified or configured."), "{text}");
        assert!(text.contains(&format!("{looked}did you mean -f sim.emu?\n")), "{option}: {text}");
    }
    fs::create_dir(bench.path("my files")).expect("a folder");
    fs::rename(bench.path("lan.conf"), bench.path("my files/lan.conf")).expect("moved");
    let text = run(&["-n", "-p", "-c", "my files/lan.conf"]);
    assert!(text.contains(&format!("{looked}name the command file with -f FILE; ")), "{text}");
    bench.write("my files/other.emu", SMALL_EMU);
    let text = run(&["-n", "-p", "-c", "my files/lan.conf"]);
    assert!(text.contains("did you mean -f 'my files/other.emu'?"), "{text}");
    // Nobody is told who does it with -x, or in the right place.
    let arguments = ["-n", "-p", "-c", "my files/lan.conf", "-x", "mc_setbmc 0x20"];
    let environment = [("IPMI_SIM_ROOT", root.as_str())];
    let mut simulator = Simulator::spawn_with(Subject::Ours, &bench, &arguments, Stdin::Null, &environment);
    says(&simulator, "serves \"small\"");
    simulator.assert_alive();
    assert!(!simulator.stderr.text().contains("command file"), "{}", simulator.report());
    // No configuration at all.
    let text = run(&["-n"]);
    assert!(text.contains(&format!("Unable to open configuration file '{root}/etc/ipmi/lan.conf'")), "{text}");
    assert!(text.contains("`ipmi_sim --init DIR`") && text.contains("`ipmi_sim --demo`"), "{text}");
}

/// One line that helps is more than forty that follow from one mistake.
#[test]
fn the_wrong_file_is_told_once() {
    let (bench, _) = small("");
    for option in ["--check", "-n"] {
        let (status, _, stderr) = ended(&bench, &[option, "-p", "-c", "sim.emu", "-f", "lan.conf"]);
        assert_eq!(status, 1);
        let first = "sim.emu:1:1: error: Invalid configuration option 'mc_setbmc': it belongs in the command file\n";
        assert!(stderr.starts_with(first), "{stderr}");
        assert!(stderr.ends_with("\nsim.emu looks like a command file, which -f is for\n"), "{stderr}");
        assert_eq!(stderr.lines().count(), 4, "{stderr}");
    }
    bench.write("both.conf", bench.read("lan.conf") + SMALL_EMU);
    let (_, _, stderr) = ended(&bench, &["--check", "-p", "-c", "both.conf", "-f", "sim.emu"]);
    assert!(stderr.matches(": error: ").count() == SMALL_EMU.lines().count() && !stderr.contains("looks"), "{stderr}");
    let (status, _, stderr) = ended(&bench, &["--check", "-p", "-c", "lan.conf", "-f", "lan.conf"]);
    assert_eq!(status, 1);
    assert!(stderr.contains("\nThe command file looks like a configuration, which -c is for\n"), "{stderr}");
    for option in ["--check", "--strict"] {
        let (status, _, stderr) = ended(&bench, &[option, "-p", "-c", "lan.conf", "-f", "nowhere.emu"]);
        let complaint = "Unable to open command file 'nowhere.emu': No such file or directory\n";
        assert_eq!((status, &*stderr), (1, complaint));
    }
}

// ---- starts without files

#[test]
fn a_demo_needs_no_file_and_leaves_none() {
    alone("a_demo_needs_no_file_and_leaves_none", || {
        let bench = Bench::new();
        let home = bench.path("home").display().to_string();
        let start = || {
            let environment = [("IPMI_SIM_ROOT", home.as_str()), ("HOME", &home)];
            Simulator::spawn_with(Subject::Ours, &bench, &["--demo", "-n", "-s", "state"], Stdin::Null, &environment)
        };
        let mut first = start();
        first.wait_until_ready(9623);
        says(&first, &format!("{OURS} serves \"demo\""));
        says(&first, "LAN channel 1 of MC 0x20: UDP 127.0.0.1:9623; user admin can log in");
        says(&first, "State: not kept");
        // A second one, and one where some other program has the port.
        let mut second = start();
        second.wait_until_ready(9624);
        let _taken: Vec<UdpSocket> =
            (9625..9643).map(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).expect("a port")).collect();
        let third = start();
        says(&third, "LAN channel 1 of MC 0x20: UDP 127.0.0.1:49152;");
        for port in [9623, 9624, 49152] {
            let client = Ipmitool::new(port, "admin", "admin");
            client.ok("sdr list").assert_says("CPU Temp");
            client.ok("user set name 5 somebody");
        }
        // What is read again is the same.
        first.signal(Signal::SIGHUP);
        says(&first, "SIGHUP: no changes: the configuration is the same as before");
        assert_eq!(fs::read_dir(bench.folder()).expect("a folder").count(), 0, "it left files");
        let (status, stdout, _) = ended(&bench, &["--demo", "--ping"]);
        assert_eq!(status, 0, "{stdout}");
        for simulator in [first, second, third] {
            simulator.stop();
        }
        let (status, ..) = ended(&bench, &["--demo", "--check"]);
        assert_eq!(status, 0);
    });
}

#[test]
fn a_demo_at_a_terminal_tells_its_password() {
    let bench = Bench::new();
    let terminal = Pty::new();
    let mut command = Command::new(Subject::Ours.program());
    command.arg("--demo").current_dir(bench.folder()).env_remove("RUST_LOG");
    command.stdin(terminal.stdio()).stdout(terminal.stdio()).stderr(terminal.stdio());
    let _simulator: Guarded = spawn(&mut command, "");
    assert!(terminal.wait_for("stop: quit", TIMEOUT), "{}", terminal.received.text());
    let shown = terminal.received.text();
    // The line does as it is.
    let line = shown.lines().find_map(|line| line.trim().strip_prefix("try:  ")).expect("a line to copy");
    assert!(line.contains("-U admin -P admin"), "{line}");
    let ran = Command::new("sh").arg("-c").arg(line).output().expect("a shell");
    assert!(String::from_utf8_lossy(&ran.stdout).contains("Device ID"), "{ran:?}");
}

#[test]
fn the_files_that_init_writes_work_as_written() {
    alone("the_files_that_init_writes_work_as_written", || {
        let bench = Bench::new();
        let (status, stdout, stderr) = ended(&bench, &["--init", "my bmc"]);
        assert_eq!((status, &*stderr), (0, ""));
        assert!(!stdout.contains("version"), "{stdout}");
        for file in ["my bmc/lan.conf", "my bmc/sim.emu"] {
            assert_eq!(bench.path(file).metadata().expect("a file").permissions().mode() & 0o777, 0o600);
        }
        let line = |start: &str| {
            let line = stdout.lines().find_map(|line| line.strip_prefix(start)).expect("a line to copy").trim();
            line.replacen("ipmi_sim", &format!("exec '{}'", Subject::Ours.program().display()), 1)
        };
        let shell = |line: &str| {
            let mut command = Command::new("sh");
            command.arg("-c").arg(line).current_dir(bench.folder()).env_remove("RUST_LOG").stdin(Stdio::piped());
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            spawn(&mut command, "dash")
        };
        let mut check = shell(&line("Check it:"));
        assert!(process::wait(&mut check.0, TIMEOUT).expect("an end").success());
        let mut faults = String::new();
        check.0.stderr.take().expect("its errors").read_to_string(&mut faults).expect("text");
        assert_eq!(faults, "");
        // With a console, as the line says; twice, with what the first start kept.
        for _ in 0..2 {
            let mut running = shell(&line("Start it:"));
            let errors = Captured::from(running.0.stderr.take().expect("its errors"));
            assert!(errors.wait_for("State: my bmc/state/ipmi_sim/mybmc", TIMEOUT), "{}", errors.text());
            let client = Ipmitool::new(9623, "admin", "admin");
            client.ok("sdr list").assert_says("CPU Temp").assert_says("Fan 1");
            client.ok("fru print").assert_says("Product Serial");
            client.ok("sel info").assert_says("Entries : 0");
            assert!(!errors.text().contains("error"), "{}", errors.text());
            drop(running.0.stdin.take());
            assert!(process::wait(&mut running.0, TIMEOUT).expect("an end").success());
        }
        // Nothing is overwritten.
        bench.write("my bmc/lan.conf", "mine");
        let (status, stdout, stderr) = ended(&bench, &["--init", "my bmc"]);
        assert_eq!((status, &*stdout), (1, ""));
        assert_eq!(stderr, "my bmc/lan.conf is there already; nothing was written\n");
        assert_eq!(bench.read("my bmc/lan.conf"), "mine");
    });
}

// ---- the log

/// Starts it, logs in with a wrong password, switches the power, and ends it; what came to
/// standard error, which is the pipe that `journal` names or not.
fn log_of(more: &[&str], journal: bool) -> String {
    let (bench, port) = small("");
    let (mut read, write) = std::io::pipe().expect("a pipe");
    let status = fs::metadata(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&write))).expect("a pipe");
    let inode = status.st_ino() + u64::from(!journal);
    let mut command = Command::new(Subject::Ours.program());
    command.args(["-n"]).args(FILES).args(more).current_dir(bench.folder()).env_remove("RUST_LOG");
    command.env("JOURNAL_STREAM", format!("{}:{inode}", status.st_dev()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(write);
    let mut child = spawn(&mut command, "");
    drop(command);
    let up = process::eventually(TIMEOUT, || presence_ping(port, Duration::from_millis(20)).then_some(()));
    assert!(up.is_some());
    let client = Ipmitool::new(port, "admin", "admin");
    client.ok("chassis power on");
    client.ok("chassis power off");
    Ipmitool::new(port, "nobody", "wrong").with(&["-N", "1", "-R", "1"]).run("mc info").assert_failed();
    process::signal(child.0.id(), Signal::SIGTERM);
    process::wait(&mut child.0, TIMEOUT).expect("an end");
    let mut text = String::new();
    read.read_to_string(&mut text).expect("text");
    text
}

/// Whether a line begins with a time like 2026-11-29T17:16:54.123Z.
fn has_time(line: &str) -> bool {
    let pattern = b"0000-00-00T00:00:00.000Z ";
    line.len() > pattern.len()
        && line.bytes().zip(pattern).all(|(c, p)| if *p == b'0' { c.is_ascii_digit() } else { c == *p })
}

#[test]
fn every_line_of_the_log_has_a_time_and_power_and_logins_are_told() {
    let text = log_of(&[], false);
    assert!(text.lines().all(has_time), "{text}");
    for told in
        ["login of user \"nobody\" from 127.0.0.1", "Chassis of MC 0x20: power on", "Chassis of MC 0x20: power off"]
    {
        assert!(text.contains(told), "`{told}` is missing in\n{text}");
    }
}

#[test]
fn the_journal_gets_priorities_and_no_times() {
    let text = log_of(&[], true);
    let priority = |line: &str| line.starts_with('<') && line.as_bytes().get(2) == Some(&b'>');
    assert!(text.lines().all(priority), "{text}");
    assert!(!text.contains("INFO") && !text.contains("Z "), "{text}");
    for told in ["<4>LAN channel 1 of MC 0x20 lets user 2 in", "<5>Chassis of MC 0x20: power on\n"] {
        assert!(text.contains(told), "`{told}` is missing in\n{text}");
    }
}

/// A journal shows a line with any of these as `[20B blob data]`.
#[test]
fn a_journal_gets_text_alone() {
    let (bench, port) = small("");
    bench.write("bad.conf", "name \"x\"\r\nuser 2 \u{1b}[2J\u{7}\r\n  what\t\u{0}\r\n");
    bench.write("bad.emu", "mc_setbmc 0x20\r\ndance \u{1b}[2J\u{7}\u{9b}\r\n\u{0}\n");
    let wanted: [(&[&str], i32); 11] = [
        (&["-n", "-p", "-d", "-c", "lan.conf", "-f", "sim.emu", "-x", "quit"], 0),
        // There is no console on /dev/null.
        (&["-p", "-c", "lan.conf", "-f", "sim.emu", "-x", "quit"], 0),
        (&["-n", "--ready-line", "-s", "state", "-c", "lan.conf", "-f", "bad.emu", "-x", "quit"], 0),
        (&["-n", "-p", "--strict", "-c", "lan.conf", "-f", "bad.emu"], 1),
        (&["--check", "-c", "lan.conf", "-f", "sim.emu"], 0),
        (&["--check", "-c", "lan.conf", "-f", "bad.emu"], 1),
        (&["-n", "-c", "bad.conf"], 1),
        (&["-n", "-c", "nowhere\u{1b}[2J.conf"], 1),
        (&["-v"], 0),
        (&["--help"], 0),
        (&["--no-such-option"], 2),
    ];
    for (arguments, status) in wanted {
        for journal in [true, false] {
            let mut command = Command::new(Subject::Ours.program());
            command.args(arguments).current_dir(bench.folder()).env_remove("RUST_LOG").stdin(Stdio::null());
            command.env("IPMI_SIM_ROOT", bench.folder());
            // What makes other programs colour their output.
            command.envs([("CLICOLOR_FORCE", "1"), ("RUST_LOG_STYLE", "always"), ("TERM", "xterm-256color")]);
            let (mut read, write) = std::io::pipe().expect("a pipe");
            let pipe = fs::metadata(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&write)));
            let pipe = pipe.expect("a pipe");
            if journal {
                command.env("JOURNAL_STREAM", format!("{}:{}", pipe.st_dev(), pipe.st_ino()));
            }
            // Both go to the journal, by one pipe.
            command.stdout(write.try_clone().expect("a handle")).stderr(write);
            let mut child = spawn(&mut command, "");
            drop(command);
            let mut text = Vec::new();
            read.read_to_end(&mut text).expect("its outputs");
            let ended = process::wait(&mut child.0, TIMEOUT).expect("an end");
            let shown = String::from_utf8_lossy(&text);
            assert_eq!(ended.code(), Some(status), "{arguments:?}\n{shown}");
            assert!(!shown.is_empty() && shown.ends_with('\n'), "{arguments:?}\n{shown}");
            let odd = shown.chars().find(|character| character.is_control() && !matches!(character, '\n' | '\t'));
            assert_eq!(odd, None, "{arguments:?}\n{shown:?}");
        }
    }
    assert!(!presence_ping(port, Duration::from_millis(20)));
}

#[test]
fn json_is_read_by_others() {
    let text = log_of(&["-x", "sensor_add 0x20 0 \"nine\\ 1"], false);
    assert!(!text.contains("\"time\":"), "not asked for");
    for journal in [false, true] {
        let text = log_of(&["--log-format", "json", "-d", "-x", "sensor_add 0x20 0 \"nine\\ 1"], journal);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() > 10, "{text}");
        let script = "import json,sys\nfor line in sys.stdin:\n  d=json.loads(line); print(d['level'], 'time' in d, json.dumps(d['message']))";
        let input: String =
            lines.iter().map(|line| if journal { &line[3..] } else { line }).flat_map(|line| [line, "\n"]).collect();
        let bench = Bench::new();
        let file = bench.write("log", input);
        let read = Command::new("python3").args(["-c", script]).stdin(fs::File::open(file).expect("a file")).output();
        let read = read.expect("python3 runs");
        assert!(read.status.success(), "{}\n{text}", String::from_utf8_lossy(&read.stderr));
        let read = String::from_utf8_lossy(&read.stdout).into_owned();
        assert_eq!(read.lines().count(), lines.len());
        let time = if journal { "False" } else { "True" };
        // A fault of the command line is an object too, and a dump with its lines one.
        for told in [
            "error TIME \"<-x>:1:19: error: ",
            "info TIME \"Chassis of MC 0x20: power on\"",
            "debug TIME \"Raw LAN receive",
        ] {
            assert!(read.contains(&told.replace("TIME", time)), "`{told}` is missing in\n{read}");
        }
    }
    // Even what keeps it from starting.
    let bench = Bench::new();
    bench.write("lan.conf", "user 2 true \"admin\" \"sec ret admin 10\n");
    let (status, _, stderr) = ended(&bench, &["-n", "--log-format=json", "-c", "lan.conf"]);
    assert_eq!(status, 1);
    assert!(stderr.lines().all(|line| line.starts_with("{\"time\":\"") && line.ends_with("\"}")), "{stderr}");
    assert!(stderr.contains("lan.conf:1:21: error: ") && !stderr.contains("sec ret"), "{stderr}");
}

/// One path only: what the journal reads from standard error is not sent to the system log again.
#[test]
fn the_system_log_gets_what_the_journal_does_not() {
    with_own_mounts("the_system_log_gets_what_the_journal_does_not", || {
        let bench = Bench::new();
        let devices = bench.path("dev");
        fs::create_dir(&devices).expect("a folder");
        for name in ["null", "urandom", "random"] {
            let place = devices.join(name);
            fs::write(&place, "").expect("a place");
            run("mount", &["--bind", &format!("/dev/{name}"), place.to_str().expect("a path")], "mount");
        }
        // Where libfaketime keeps the time of a run on another date.
        let shared = devices.join("shm");
        fs::create_dir(&shared).expect("a folder");
        run("mount", &["--bind", "/dev/shm", shared.to_str().expect("a path")], "mount");
        run("mount", &["--rbind", devices.to_str().expect("a path"), "/dev"], "mount");
        let log = UnixDatagram::bind("/dev/log").expect("a log");
        log.set_nonblocking(true).expect("no waiting");
        let received = || {
            let mut buffer = [0; 2000];
            let mut all = String::new();
            while let Ok(length) = log.recv(&mut buffer) {
                all += &String::from_utf8_lossy(&buffer[..length]);
                all.push('\n');
            }
            all
        };
        let text = log_of(&[], false);
        let entries = received();
        for told in ["serves \"small\"", "Chassis of MC 0x20: power on"] {
            assert!(text.contains(told) && entries.contains(told), "{text}\n{entries}");
        }
        assert!(entries.lines().all(|line| line.starts_with('<') && !line.contains("INFO")), "{entries}");
        let text = log_of(&[], true);
        assert!(text.contains("Chassis of MC 0x20: power on"), "{text}");
        assert_eq!(received(), "");
    });
}
