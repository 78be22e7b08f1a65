//! The life of the process: signals, reload, pid file, service manager, logs, its input, and
//! where it looks for its files.

mod support;

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::manager::Manager;
use support::process::{Captured, eventually, signal, spawn, wait};
use support::pty::Pty;
use support::simulator::{TIMEOUT, presence_ping};
use support::{Bench, Ipmitool, Simulator, Stdin, Subject};

const FILES: [&str; 6] = ["-c", "lan.conf", "-f", "sim.emu", "-s", "state"];

fn small(more: &str) -> (Bench, u16) {
    let bench = Bench::new();
    let port = free_port();
    bench.write("lan.conf", small_lan_conf(port, more));
    bench.write("sim.emu", SMALL_EMU);
    (bench, port)
}

fn client(port: u16) -> Ipmitool {
    Ipmitool::new(port, "admin", "admin")
}

fn start(bench: &Bench, port: u16, more: &[&str]) -> Simulator {
    Simulator::start(Subject::Ours, bench, port, &[&FILES[..], more].concat())
}

#[track_caller]
fn says(simulator: &Simulator, text: &str) {
    assert!(simulator.stderr.wait_for(text, TIMEOUT), "`{text}` is missing\n{}", simulator.report());
}

// ---- signals

#[test]
fn a_signal_ends_it_by_that_signal_and_nothing_is_lost() {
    for subject in [Subject::Original, Subject::Ours] {
        for which in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
            let (bench, port) = small("");
            let mut simulator = Simulator::start(subject, &bench, port, &FILES);
            client(port).ok("user set name 5 fifth");
            if subject == Subject::Original {
                // It writes users a second later.
                std::thread::sleep(Duration::from_millis(1500));
            }
            simulator.signal(which);
            let ended = simulator.wait(TIMEOUT).expect("an end");
            assert_eq!(ended.signal(), Some(which as i32), "{subject:?}");
            assert!(bench.read("state/ipmi_sim/small/users.mc20").contains("5.username:d:fifth"));
            // What a shell makes of it.
            if which != Signal::SIGTERM {
                // A shell's background jobs ignore the two others.
                continue;
            }
            let script = format!(
                "'{}' -n {} & wait_for=$!; sleep 0.3; kill -{} $wait_for; wait $wait_for; echo status $?",
                subject.program().display(),
                FILES.join(" "),
                which as i32
            );
            let shown =
                Command::new("sh").arg("-c").arg(&script).current_dir(bench.folder()).stdin(Stdio::null()).output();
            let shown = String::from_utf8_lossy(&shown.expect("a shell").stdout).into_owned();
            assert!(shown.contains("status 143\n"), "{subject:?}: {shown}");
        }
    }
}

/// A port on which something stands for the serial console of a machine.
fn machine() -> (u16, std::sync::mpsc::Receiver<std::net::TcpStream>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let (send, connections) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = send.send(stream);
        }
    });
    (port, connections)
}

#[test]
fn hup_takes_over_what_changed_and_consoles_stay() {
    let (serial, connections) = machine();
    let console = free_port();
    let more = format!(
        "  sol \"tcp:127.0.0.1:{serial}\" 115200\n  console 127.0.0.1 {console}\n  \
         user 3 true \"watcher\" \"watch\" admin 10\n"
    );
    let (bench, port) = small(&more);
    let simulator = start(&bench, port, &[]);
    let mut machine = connections.recv_timeout(TIMEOUT).expect("the simulator connects");
    let mut emulator = support::replay::Console::connect(console);

    // Somebody watches the serial console meanwhile.
    let screen = Pty::new();
    let mut command = Ipmitool::new(port, "watcher", "watch").command(&["sol", "activate"]);
    command.stdin(screen.stdio()).stdout(screen.stdio()).stderr(screen.stdio());
    let mut watcher = spawn(&mut command, "ipmitool");
    assert!(screen.wait_for("SOL Session operational", TIMEOUT), "{}", screen.received.text());
    machine.write_all(b"before ").expect("the simulator reads");
    assert!(screen.wait_for("before", TIMEOUT), "{}", screen.received.text());

    let conf = bench.read("lan.conf");
    let changed = conf
        .replace("\"admin\" \"admin\" admin", "\"admin\" \"fresh\" admin")
        .replace("allowed_auths_admin none md2", "allowed_auths_admin md2")
        + "user 4 true \"late\" \"comer\" operator 10\nserial 15 127.0.0.1 9 codec VM\n";
    bench.write("lan.conf", &changed);
    simulator.signal(Signal::SIGHUP);
    for line in [
        "SIGHUP: the configuration was read again: 4 changes",
        "SIGHUP: user 2 \"admin\" of MC 0x20: password changed",
        "SIGHUP: user 4 \"late\" of MC 0x20: enabled, name, password, privilege, session limit changed",
        "SIGHUP: allowed_auths of LAN channel 1 of MC 0x20 changed",
        "SIGHUP: serial of MC 0x20 changed: takes effect at the next start",
    ] {
        says(&simulator, line);
    }
    client(port).with(&["-N", "1", "-R", "1"]).run("mc info").assert_failed();
    Ipmitool::new(port, "admin", "fresh").ok("mc info");
    Ipmitool::new(port, "late", "comer").with(&["-L", "OPERATOR"]).ok("mc info");

    // A faulty file changes nothing and is named with its place.
    bench.write("lan.conf", changed.replace("\"fresh\" admin", "\"worse\" king"));
    simulator.signal(Signal::SIGHUP);
    says(&simulator, "lan.conf:16:31: error: ");
    says(&simulator, "SIGHUP: no changes: the configuration has errors");
    Ipmitool::new(port, "admin", "fresh").ok("mc info");
    fs::remove_file(bench.path("lan.conf")).expect("lan.conf");
    simulator.signal(Signal::SIGHUP);
    says(&simulator, "Unable to open configuration file 'lan.conf': No such file or directory");
    bench.write("lan.conf", &changed);
    simulator.signal(Signal::SIGHUP);
    says(&simulator, "SIGHUP: the configuration was read again: 1 change\n");

    // The console, the serial console and their sessions are where they were.
    machine.write_all(b"and after").expect("the simulator reads");
    assert!(screen.wait_for("and after", TIMEOUT), "{}", screen.received.text());
    assert!(watcher.0.try_wait().expect("its state").is_none());
    assert!(connections.try_recv().is_err(), "one connection to the machine");
    emulator.type_in("# still there");
    assert!(["fresh", "worse", "comer"].iter().all(|secret| !simulator.stderr.text().contains(secret)), "secrets");
}

/// The users that clients have changed are in their state file, which goes before lan.conf.
#[test]
fn hup_says_why_a_line_has_no_effect() {
    let (bench, port) = small("");
    let simulator = start(&bench, port, &[]);
    simulator.signal(Signal::SIGHUP);
    says(&simulator, "SIGHUP: no changes: the configuration is the same as before");
    client(port).ok("user set password 2 kept");
    let conf = bench.read("lan.conf");
    bench.write("lan.conf", conf.replace("\"admin\" \"admin\" admin", "\"admin\" \"line\" admin"));
    simulator.signal(Signal::SIGHUP);
    says(&simulator, "SIGHUP: user 2 of MC 0x20 changed in lan.conf without effect: users.mc20 in the state");
    let kept = Ipmitool::new(port, "admin", "kept");
    kept.ok("mc info");
    // As at start.
    simulator.stop();
    let simulator = start(&bench, port, &[]);
    kept.ok("mc info");
    fs::remove_file(bench.path("state/ipmi_sim/small/users.mc20")).expect("the users file");
    simulator.signal(Signal::SIGHUP);
    says(&simulator, "SIGHUP: user 2 \"admin\" of MC 0x20: password changed");
    Ipmitool::new(port, "admin", "line").ok("mc info");
}

#[test]
fn hup_moves_a_channel_or_says_why_not() {
    let (bench, port) = small("");
    let simulator = start(&bench, port, &[]);
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let taken_port = taken.local_addr().expect("its address").port();
    let conf = bench.read("lan.conf");
    let at = |address: &str| conf.replace(&format!("addr 127.0.0.1 {port}"), &format!("addr {address}"));
    bench.write("lan.conf", at(&format!("127.0.0.1 {taken_port}")));
    simulator.signal(Signal::SIGHUP);
    says(
        &simulator,
        &format!("127.0.0.1 port {taken_port} (another program is using it); it stays at 127.0.0.1:{port}"),
    );
    client(port).ok("mc info");
    drop(taken);
    simulator.signal(Signal::SIGHUP);
    let opened = format!("Opened UDP port {taken_port}\n");
    assert!(simulator.stdout.wait_for(&opened, TIMEOUT), "{}", simulator.report());
    client(taken_port).ok("mc info");
    assert!(!presence_ping(port, Duration::from_millis(50)));
    // The old socket stands in the way of the new one here.
    bench.write("lan.conf", at(&format!("0.0.0.0 {taken_port}")));
    simulator.signal(Signal::SIGHUP);
    says(&simulator, &format!("SIGHUP: LAN channel 1 of MC 0x20 moves to 0.0.0.0:{taken_port}"));
    assert!(eventually(TIMEOUT, || presence_ping(taken_port, Duration::from_millis(20)).then_some(())).is_some());
    client(taken_port).ok("mc info");
}

#[test]
fn a_storm_of_hups_costs_no_answer() {
    let (bench, port) = small("");
    let simulator = start(&bench, port, &[]);
    for round in 0..5 {
        (0..200).for_each(|_| simulator.signal(Signal::SIGHUP));
        client(port).ok(&format!("user set name 5 name{round}"));
        client(port).ok("user list 1").assert_says(&format!("name{round}"));
    }
    simulator.stop();
    let simulator = start(&bench, port, &[]);
    client(port).ok("user list 1").assert_says("name4");
    simulator.stop();
}

// ---- pid file and service manager

#[test]
fn a_pid_file_is_there_from_start_to_end_and_keeps_a_second_one_out() {
    let (bench, port) = small("");
    let pid_file = ["--pid-file", "run/sim.pid"];
    fs::create_dir(bench.path("run")).expect("a folder");
    let mut first = start(&bench, port, &pid_file);
    assert_eq!(bench.read("run/sim.pid"), format!("{}\n", first.pid()));
    let mut second = Simulator::spawn(Subject::Ours, &bench, &[&["-n"][..], &FILES, &pid_file].concat(), Stdin::Null);
    assert_eq!(second.wait(TIMEOUT).expect("an end").code(), Some(1));
    let text = format!("ipmi_sim is already running as process {}, says run/sim.pid", first.pid());
    assert!(second.stderr.text().contains(&text), "{}", second.report());
    first.signal(Signal::SIGTERM);
    first.wait(TIMEOUT).expect("an end");
    assert!(!bench.path("run/sim.pid").exists());

    // One that was killed leaves it behind, and the next one takes it.
    let killed = start(&bench, port, &pid_file);
    killed.signal(Signal::SIGKILL);
    drop(killed);
    assert!(bench.path("run/sim.pid").exists());
    let third = start(&bench, port, &pid_file);
    assert_eq!(bench.read("run/sim.pid"), format!("{}\n", third.pid()));
    third.stop();
    assert_eq!(fs::read_dir(bench.path("run")).expect("the folder").count(), 0);

    // A start that fails takes it away again.
    let _taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).expect("the port");
    let mut failing = Simulator::spawn(Subject::Ours, &bench, &[&["-n"][..], &FILES, &pid_file].concat(), Stdin::Null);
    assert_eq!(failing.wait(TIMEOUT).expect("an end").code(), Some(1));
    assert!(!bench.path("run/sim.pid").exists());
}

#[test]
fn a_line_says_that_everything_is_open() {
    let (bench, port) = small("");
    let simulator =
        Simulator::spawn(Subject::Ours, &bench, &[&["-n", "--ready-line"][..], &FILES].concat(), Stdin::Null);
    assert!(simulator.stdout.wait_for("ipmi_sim small is ready\n", TIMEOUT), "{}", simulator.report());
    let text = simulator.stdout.text();
    assert_eq!(text, format!("IPMI Simulator version 1.0.13\nOpened UDP port {port}\nipmi_sim small is ready\n"));
    client(port).ok("mc info");
}

fn next_but_watchdog(manager: &Manager) -> String {
    std::iter::repeat_with(|| manager.next_within(TIMEOUT)).find(|text| text != "WATCHDOG=1").expect("endless")
}

#[test]
fn a_service_manager_is_told_what_happens() {
    let (bench, port) = small("");
    let path = bench.path("notify");
    let name = format!("ipmi_sim-life-{}", std::process::id());
    let abstract_name = SocketAddr::from_abstract_name(name.as_bytes()).expect("a name");
    for (manager, variable) in [
        (UnixDatagram::bind(&path), path.display().to_string()),
        (UnixDatagram::bind_addr(&abstract_name), format!("@{name}")),
    ] {
        let manager = Manager(manager.expect("a socket"));
        let environment = [("NOTIFY_SOCKET", variable.as_str())];
        let arguments = [&["-n"][..], &FILES].concat();
        let mut simulator = Simulator::spawn_with(Subject::Ours, &bench, &arguments, Stdin::Null, &environment);
        assert_eq!(manager.next_within(TIMEOUT), format!("READY=1\nSTATUS=Answering on 127.0.0.1:{port}"));
        assert!(presence_ping(port, Duration::from_secs(2)), "said and true");
        simulator.signal(Signal::SIGHUP);
        let text = manager.next_within(TIMEOUT);
        let since: u64 = text
            .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
            .and_then(|rest| rest.split('\n').next()?.parse().ok())
            .unwrap_or_else(|| panic!("{text}"));
        let uptime = fs::read_to_string("/proc/uptime").expect("the time");
        let uptime: f64 = uptime.split(' ').next().and_then(|text| text.parse().ok()).expect("seconds");
        assert!((uptime - since as f64 / 1e6).abs() < 60.0, "{uptime} {since}");
        assert!(manager.next_within(TIMEOUT).starts_with("READY=1\n"));
        simulator.signal(Signal::SIGTERM);
        assert!(manager.next_within(TIMEOUT).starts_with("STOPPING=1\n"));
        simulator.wait(TIMEOUT).expect("an end");
    }
}

#[test]
fn signs_of_life_come_when_they_are_wanted() {
    let (bench, _) = small("");
    let path = bench.path("notify");
    let manager = Manager::at(&path);
    let socket = path.display().to_string();
    let arguments = [&["-n"][..], &FILES].concat();
    let environment = [("NOTIFY_SOCKET", socket.as_str()), ("WATCHDOG_USEC", "100000")];
    let mut simulator = Simulator::spawn_with(Subject::Ours, &bench, &arguments, Stdin::Null, &environment);
    assert!(next_but_watchdog(&manager).starts_with("READY=1"));
    for _ in 0..5 {
        assert_eq!(manager.next_within(TIMEOUT), "WATCHDOG=1");
    }
    simulator.signal(Signal::SIGTERM);
    simulator.wait(TIMEOUT).expect("an end");
    while !manager.next_within(TIMEOUT).starts_with("STOPPING=1") {}
    // Another process is watched.
    let environment = [&environment[..], &[("WATCHDOG_PID", "1")]].concat();
    let simulator = Simulator::spawn_with(Subject::Ours, &bench, &arguments, Stdin::Null, &environment);
    assert!(manager.next_within(TIMEOUT).starts_with("READY=1"));
    manager.0.set_read_timeout(Some(Duration::from_millis(300))).expect("a time limit");
    assert!(manager.0.recv(&mut [0; 100]).is_err());
    drop(simulator);
}

// ---- logs

#[test]
fn the_log_has_the_levels_that_are_asked_for() {
    let (bench, port) = small("");
    let arguments = [&["-n"][..], &FILES].concat();
    let run = |more: &[&str], environment: &[(&str, &str)]| {
        let arguments = [&arguments[..], more].concat();
        let mut simulator = Simulator::spawn_with(Subject::Ours, &bench, &arguments, Stdin::Null, environment);
        simulator.wait_until_ready(port);
        Ipmitool::new(port, "nobody", "wrong").with(&["-N", "1", "-R", "1"]).run("mc info").assert_failed();
        simulator.signal(Signal::SIGTERM);
        simulator.wait(TIMEOUT).expect("an end");
        simulator.stderr.text()
    };
    let failed = "login of user \"nobody\" from 127.0.0.1";
    let all = run(&[], &[]);
    assert!(all.contains("without a password") && all.contains(failed), "{all}");
    let less = run(&[], &[("RUST_LOG", "error")]);
    assert!(!less.contains("without a password") && !less.contains(failed), "{less}");
    assert_eq!(run(&[], &[("RUST_LOG", "off")]), "");
    let debug = run(&["-dd"], &[]);
    assert!(debug.contains(failed), "{debug}");
}

// ---- input

#[test]
fn quit_ends_it_everywhere() {
    let console = free_port();
    let (bench, port) = small(&format!("console 127.0.0.1 {console}"));
    // A pipe.
    let mut simulator = Simulator::spawn(Subject::Ours, &bench, &FILES, Stdin::Pipe);
    simulator.wait_until_ready(port);
    simulator.type_in("quit now\n");
    assert_eq!(simulator.wait(TIMEOUT).expect("an end").code(), Some(0), "{}", simulator.report());
    // -x and the command file; the original crashes.
    for arguments in [&["-x", "quit"][..], &["-n", "-x", "quit"], &["-f", "quit.emu"], &["-n", "-f", "quit.emu"]] {
        bench.write("quit.emu", "mc_setbmc 0x20\nquit\nnonsense\n");
        let mut simulator = Simulator::spawn(Subject::Ours, &bench, &[&FILES, arguments].concat(), Stdin::Null);
        assert_eq!(simulator.wait(TIMEOUT).expect("an end").code(), Some(0), "{}", simulator.report());
        assert!(!simulator.stderr.text().contains("nonsense"));
    }
    // TCP, beside a console on standard input.
    let mut simulator = Simulator::spawn(Subject::Ours, &bench, &FILES, Stdin::Pipe);
    simulator.wait_until_ready(port);
    let mut stream =
        eventually(TIMEOUT, || std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, console)).ok()).expect("a console");
    stream.write_all(b"quit\r\n").expect("it reads");
    assert_eq!(simulator.wait(TIMEOUT).expect("an end").code(), Some(0), "{}", simulator.report());
}

/// Input of every kind, without `-n`: it serves, or works through what there is and ends.
#[test]
fn every_kind_of_standard_input_is_understood() {
    let (bench, port) = small("");
    bench.write("input", "user_of_a_file\nquit\n");
    let run = format!("exec '{}' {}", Subject::Ours.program().display(), FILES.join(" "));
    for (redirection, serves) in
        [("< /dev/null", true), ("<&-", true), ("<&- >&- 2>&-", true), ("< .", true), ("< input", false)]
    {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{run} {redirection}")).current_dir(bench.folder());
        // A library that is loaded first, as for a run on another date, may take the descriptor that is closed.
        command.env_remove("LD_PRELOAD");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(&mut command, "dash");
        let shown = Captured::from(child.0.stdout.take().expect("its output"));
        let _errors = Captured::from(child.0.stderr.take().expect("its output"));
        if serves {
            let up = eventually(TIMEOUT, || presence_ping(port, Duration::from_millis(20)).then_some(()));
            assert!(up.is_some(), "{redirection}: {}", shown.text());
            client(port).ok("mc info");
            assert!(matches!(child.0.try_wait(), Ok(None)), "{redirection}");
            signal(child.0.id(), Signal::SIGTERM);
            assert_eq!(wait(&mut child.0, TIMEOUT).expect("an end").signal(), Some(15), "{redirection}");
        } else {
            assert_eq!(wait(&mut child.0, TIMEOUT).expect("an end").code(), Some(0), "{redirection}");
            assert!(shown.text().contains("**Unknown command: user_of_a_file"), "{}", shown.text());
        }
    }
}

// ---- where it looks for its files

/// A root folder for the default places, and the environment that goes with it.
fn root() -> (Bench, u16, Vec<(&'static str, String)>) {
    let bench = Bench::new();
    let folder = bench.folder().display().to_string();
    let environment =
        vec![("IPMI_SIM_ROOT", folder.clone()), ("HOME", format!("{folder}/home")), ("XDG_STATE_HOME", String::new())];
    (bench, free_port(), environment)
}

fn put(bench: &Bench, folder: &str, port: u16) {
    bench.write(&format!("{folder}/lan.conf"), small_lan_conf(port, ""));
    bench.write(&format!("{folder}/small.emu"), SMALL_EMU);
}

fn run_in(bench: &Bench, port: u16, environment: &[(&str, String)], arguments: &[&str]) -> Simulator {
    let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let arguments = [&["-n"][..], arguments].concat();
    let mut simulator = Simulator::spawn_with(Subject::Ours, bench, &arguments, Stdin::Null, &environment);
    simulator.wait_until_ready(port);
    simulator
}

#[test]
fn without_options_everything_is_in_its_default_place() {
    let (bench, port, environment) = root();
    put(&bench, "etc/ipmi", port);
    let simulator = run_in(&bench, port, &environment, &[]);
    client(port).ok("user set name 5 fifth");
    simulator.stop();
    assert!(bench.path("var/ipmi_sim/small/users.mc20").is_file());
    // State that a service kept stays where it is.
    fs::create_dir_all(bench.path("var/lib/ipmi_sim")).expect("a folder");
    fs::rename(bench.path("var/ipmi_sim/small"), bench.path("var/lib/ipmi_sim/small")).expect("a move");
    let simulator = run_in(&bench, port, &environment, &[]);
    client(port).ok("user list 1").assert_says("fifth");
    simulator.stop();
}

#[test]
fn debians_places_are_looked_at_when_ours_are_absent() {
    let (bench, port, environment) = root();
    put(&bench, "usr/etc/ipmi", port);
    // As Debian's original leaves it.
    bench.write("usr/var/ipmi_sim/small/users.mc20", "5.username:d:debian\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\n");
    let simulator = run_in(&bench, port, &environment, &[]);
    client(port).ok("user list 1").assert_says("debian");
    client(port).ok("user set name 6 sixth");
    simulator.stop();
    assert!(bench.read("usr/var/ipmi_sim/small/users.mc20").contains("6.username:d:sixth"));
    assert!(!bench.path("var").exists());
    // Ours go first.
    let ours = free_port();
    put(&bench, "etc/ipmi", ours);
    run_in(&bench, ours, &environment, &["-p"]).stop();
}

/// A place that cannot be written to, whoever runs the test: a file is in the way.
#[test]
fn a_user_who_may_not_write_there_gets_a_state_folder_of_his_own() {
    for (state_home, expected) in [("", "home/.local/state"), ("xdg", "xdg")] {
        let (bench, port, mut environment) = root();
        put(&bench, "etc/ipmi", port);
        bench.write("var", "a file");
        if !state_home.is_empty() {
            environment[2].1 = bench.path(state_home).display().to_string();
        }
        let simulator = run_in(&bench, port, &environment, &[]);
        client(port).ok("user set name 5 fifth");
        simulator.stop();
        let path = bench.path(expected).join("ipmi_sim/small/users.mc20");
        assert!(path.is_file(), "{}", path.display());
    }
}

#[test]
fn help_says_where() {
    let shown = Command::new(Subject::Ours.program()).arg("--help").output().expect("it runs");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    for place in ["/etc/ipmi/lan.conf", "/etc/ipmi/NAME.emu", "/var/ipmi_sim/NAME", "$XDG_STATE_HOME", "/usr/etc/ipmi"]
    {
        assert!(text.contains(place), "{place} is missing in\n{text}");
    }
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "too wide: {line}");
    }
}
