//! `ipmi_simctl` against the program itself: what a person and a script do with a small fleet.

mod support;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::bench::{free_port, project};
use support::config::{SMALL_EMU, small_lan_conf};
use support::process::{Captured, Guarded};
use support::pty::Pty;
use support::simulator::{Stdin, TIMEOUT};
use support::{Bench, Ipmitool, Simulator, Subject};

/// Three BMCs, n1 to n3, on ports of the loopback, with a control door.
struct Fleet {
    bench: Bench,
    simulator: Simulator,
    ports: [u16; 3],
}

impl Fleet {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(more: &[&str]) -> Self {
        let bench = Bench::new();
        let ports = [free_port(), free_port(), free_port()];
        let rows = ports.iter().enumerate().map(|(index, port)| format!("n{},127.0.0.1,{port}\n", index + 1));
        bench.write("nodes.csv", format!("name,addr,port\n{}", rows.collect::<String>()));
        let (conf, emu) = (project("examples/fleet/lan.conf"), project("examples/fleet/sim.emu"));
        let texts = ["-c", conf.to_str().expect("a path"), "-f", emu.to_str().expect("a path")];
        let mut arguments = vec!["-n", "-p", "--ready-line", "--fleet", "nodes.csv", "--control", "door"];
        arguments.extend(texts.into_iter().chain(more.iter().copied()));
        let simulator = Simulator::spawn(Subject::Ours, &bench, &arguments, Stdin::Null);
        assert!(simulator.stdout.wait_for("is ready", TIMEOUT), "{}", simulator.report());
        Self { bench, simulator, ports }
    }

    fn socket(&self) -> PathBuf {
        self.bench.path("door")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        command(&self.socket(), arguments)
    }

    /// Runs it; it has to end with a status. Standard output comes back.
    #[track_caller]
    fn run(&self, status: i32, arguments: &[&str]) -> String {
        ended(status, arguments, &self.command(arguments).output().expect("it runs"))
    }

    /// Runs it beside the test.
    fn spawn(&self, arguments: &[&str]) -> Guarded {
        Guarded(self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs"))
    }

    fn ipmitool(&self, index: usize, password: &str) -> Ipmitool {
        Ipmitool::new(self.ports[index], "admin", password)
    }
}

fn command(socket: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipmi_simctl"));
    command.args(arguments).env("IPMI_SIM_CONTROL", socket).env_remove("IPMI_SIM_TOKEN_FILE").env_remove("NO_COLOR");
    command.stdin(Stdio::null());
    command
}

#[track_caller]
fn ended(status: i32, arguments: &[&str], output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{arguments:?}\n{out}\n{err}");
    out.into_owned()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

/// Waits for its end, which has to come with status 0.
#[track_caller]
fn finished(child: &mut Child) -> String {
    let status = support::process::wait(child, TIMEOUT);
    let (mut out, mut err) = (String::new(), String::new());
    if status.is_some() {
        child.stdout.take().expect("its output").read_to_string(&mut out).expect("text");
        child.stderr.take().expect("its errors").read_to_string(&mut err).expect("text");
    }
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{out}\n{err}");
    out
}

/// The first line of what a program prints.
fn first_line(child: &mut Child) -> (String, BufReader<std::process::ChildStdout>) {
    let mut reader = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line");
    (line, reader)
}

#[test]
fn a_fleet_is_listed_switched_and_booted() {
    let fleet = Fleet::start();
    assert_eq!(fleet.run(0, &["list", "--names"]), "n1\nn2\nn3\n");
    assert!(fleet.run(0, &["list", "n2"]).contains(&format!("127.0.0.1:{}", fleet.ports[1])));
    assert_eq!(fleet.run(0, &["power", "n*", "on"]), "NAME  POWER\nn1    on\nn2    on\nn3    on\n");
    fleet.ipmitool(1, "admin").ok("power status").assert_says("is on");
    assert_eq!(fleet.run(0, &["power", "n?", "off", "--json"]).lines().count(), 3);
    assert_eq!(json(&fleet.run(0, &["list", "--power", "on", "--json"]))["total"], 0);

    fleet.run(0, &["boot", "n1", "pxe"]);
    fleet.ipmitool(0, "admin").ok("chassis bootparam get 5").assert_says("Force PXE");
    assert!(fleet.run(0, &["boot", "n1"]).contains("pxe"));
    fleet.run(0, &["boot", "n1", "none"]);
    fleet.ipmitool(0, "admin").ok("chassis bootparam get 5").assert_not_says("Force PXE");
    let shown = fleet.run(0, &["show", "n1"]);
    assert!(shown.contains("power off") && shown.contains("Controllers") && shown.contains("0x20"), "{shown}");
}

#[test]
fn a_sensor_over_its_threshold_is_in_the_log_and_ends_a_wait() {
    let fleet = Fleet::start();
    let mut events = fleet.spawn(&["events", "n2", "--follow", "--kind", "sel_added", "--count", "3", "--json"]);
    let mut wait =
        fleet.spawn(&["wait", "n2", "--for", "sensor:CPU1 Temp=upper_critical", "--for", "sel=CPU1 Temp", "--json"]);
    // Until both have seen it: when they begin to look is not known.
    support::process::eventually(TIMEOUT, || {
        fleet.run(0, &["sensor", "n2", "cpu1 temp", "--value", "20"]);
        fleet.run(0, &["sensor", "n2", "cpu1 temp", "--value", "99"]);
        (wait.0.try_wait().expect("a child").is_some() && events.0.try_wait().expect("a child").is_some()).then_some(())
    });
    let met = finished(&mut wait.0);
    let met: Vec<Value> = met.lines().map(json).collect();
    assert_eq!(met.len(), 2, "{met:?}");
    assert!(met.iter().all(|met| met["bmc"] == "n2"), "{met:?}");
    let record = met.iter().find(|met| met["for"] == "sel=CPU1 Temp").expect("the record");
    assert_eq!(record["by"]["record"]["event"]["name"], "CPU1 Temp");
    let seen = finished(&mut events.0);
    assert!(seen.lines().map(json).all(|event| event["kind"] == "sel_added" && event["bmc"] == "n2"), "{seen}");

    assert!(json(&fleet.run(0, &["show", "n2", "--json"]))["alarms"] == 1);
    assert!(fleet.run(0, &["sel", "n2"]).contains("CPU1 Temp  upper critical going high, asserted"));
    assert_eq!(fleet.run(0, &["sel", "n2", "clear"]), "n2: event log cleared\n");
    let added = json(&fleet.run(0, &["sel", "n2", "add", "0000000020000401015757575a", "--json"]));
    fleet.ipmitool(1, "admin").ok("sel list").assert_says(&format!("{:>4x} |", added["id"].as_u64().expect("an id")));
    fleet.run(5, &["sensor", "n2", "CPU9 Temp"]);
}

#[test]
fn a_login_is_waited_for_and_what_happened_before_can_be_counted() {
    let fleet = Fleet::start();
    fleet.run(0, &["power", "n1", "on"]);
    fleet.ipmitool(0, "admin").ok("power status").assert_says("is on");
    let kept = fleet.run(0, &["events", "n1", "--json"]);
    let kept: Vec<Value> = kept.lines().map(json).collect();
    let kinds: Vec<_> = kept.iter().filter_map(|event| event["kind"].as_str()).collect();
    assert!(kinds.contains(&"power_done") && kinds.contains(&"login"), "{kinds:?}");
    // The login has been, and counts only behind an event before it.
    fleet.run(4, &["wait", "n1", "--for", "login", "--timeout", "300ms"]);
    assert_eq!(fleet.run(0, &["wait", "n1", "--for", "login=admin", "--after", "0"]), "n1: login=admin\n");
    assert_eq!(fleet.run(0, &["wait", "--for", "ready"]), "ready\n");
    assert_eq!(fleet.run(0, &["wait", "n*", "--for", "running"]), "3 BMCs: running\n");
    fleet.run(4, &["wait", "n*", "--for", "power=on", "--timeout", "300ms"]);
}

#[test]
fn bmcs_come_and_go_and_run_statements() {
    let fleet = Fleet::start();
    let port = free_port();
    let port = format!("port={port}");
    let mut wait = fleet.spawn(&["wait", "new", "--for", "running"]);
    let made = fleet.run(0, &["create", "new", "-v", "addr=127.0.0.1", "-v", &port]);
    assert!(made.starts_with("new: created at 127.0.0.1:"), "{made}");
    assert_eq!(finished(&mut wait.0), "new: running\n");
    assert_eq!(fleet.run(0, &["run", "new", "power"]), "MC 0x20: power off\n");
    let bad = fleet.command(&["run", "new", "power", "nonsense"]).output().expect("it runs");
    assert_eq!(ended(1, &["run"], &bad), "MC 0x20: power off\n");
    assert!(String::from_utf8_lossy(&bad.stderr).contains("Unknown command: nonsense"));
    fleet.bench.write("wrong.conf", "startlan 1\n  nonsense\nendlan\n");
    let wrong = fleet.bench.path("wrong.conf");
    let refused = fleet.command(&["create", "bad", "--lan-conf", wrong.to_str().expect("a path")]).output();
    let refused = refused.expect("it runs");
    ended(1, &["create", "bad"], &refused);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains(":2:3: error: "), "{said}");
    assert_eq!(fleet.run(0, &["delete", "new"]), "new: removed\n");
    fleet.run(5, &["show", "new"]);
    let many = fleet.command(&["run", "n1", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut many = Guarded(many.expect("it runs"));
    let mut lines = many.0.stdin.take().expect("its input");
    std::io::Write::write_all(&mut lines, "power\n".repeat(1200).as_bytes()).expect("it reads");
    drop(lines);
    let (first, mut rest) = first_line(&mut many.0);
    let mut more = String::new();
    rest.read_to_string(&mut more).expect("text");
    assert_eq!((first.as_str(), more.lines().count()), ("MC 0x20: power off\n", 1199));
}

#[test]
fn a_password_is_typed_or_read_and_holds() {
    let fleet = Fleet::start();
    let file = fleet.bench.write("password", "from a file\n");
    fleet.run(0, &["user", "n1", "admin", "--password-file", file.to_str().expect("a path")]);
    fleet.ipmitool(0, "from a file").ok("power status");

    // At a terminal of its own, where nothing of it is shown.
    let mut pty = Pty::new();
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait", env!("CARGO_BIN_EXE_ipmi_simctl"), "user", "n1", "admin", "--password"]);
    command.env("IPMI_SIM_CONTROL", fleet.socket()).stdin(pty.stdio()).stdout(pty.stdio()).stderr(pty.stdio());
    let mut child = support::process::spawn(&mut command, "util-linux");
    for prompt in ["New password: ", "Again: "] {
        assert!(pty.received.wait_for(prompt, TIMEOUT), "{}", pty.received.text());
        pty.write("typed in\n");
    }
    let status = support::process::wait(&mut child.0, TIMEOUT);
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", pty.received.text());
    assert!(!pty.received.text().contains("typed in"), "{}", pty.received.text());
    fleet.ipmitool(0, "typed in").ok("power status");

    let users = fleet.run(0, &["user", "n1", "monitor", "--limit", "operator", "--disable", "--json"]);
    assert_eq!((&json(&users)["limit"], &json(&users)["enabled"]), (&"operator".into(), &false.into()));
    fleet.run(5, &["user", "n1", "nobody"]);
}

#[test]
fn exit_statuses_are_what_the_manual_says() {
    let fleet = Fleet::start();
    fleet.run(0, &["show", "n1"]);
    fleet.run(1, &["user", "n1", "2", "--name", "a name that is longer than sixteen bytes"]);
    fleet.run(2, &["power", "n1", "upwards"]);
    fleet.run(3, &["--socket", "/nonexistent/door", "list"]);
    fleet.run(4, &["wait", "n1", "--for", "power=on", "--timeout", "100ms"]);
    fleet.run(5, &["show", "n4"]);
    fleet.run(5, &["power", "m*", "on"]);
    fleet.run(6, &["list", "--token-file", "/nonexistent/token"]);
    // Nobody reads the rest: as with `head`, that is no failure.
    let mut child = fleet.spawn(&["events", "--follow", "--after", "0"]);
    fleet.run(0, &["power", "n1", "on"]);
    let (line, reader) = first_line(&mut child.0);
    assert!(line.contains("n1"), "{line}");
    drop(reader);
    fleet.run(0, &["power", "n1", "off"]);
    let status = support::process::wait(&mut child.0, TIMEOUT);
    assert_eq!(status.and_then(|status| status.code()), Some(0));
    // The server ends, and who follows says so and waits for another one.
    let mut follower = fleet.spawn(&["events", "--follow", "--after", "0"]);
    let said = Captured::from(follower.0.stderr.take().expect("its errors"));
    let (_, reader) = first_line(&mut follower.0);
    let (socket, bench) = (fleet.socket(), fleet.bench);
    fleet.simulator.stop();
    assert!(said.wait_for("it is tried again", TIMEOUT), "{}", said.text());
    let output = command(&socket, &["list"]).output().expect("it runs");
    ended(3, &["list"], &output);
    drop((bench, reader));
}

#[test]
fn a_token_is_asked_for_over_tcp() {
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let fleet = Fleet::start_with(&["--http", &address]);
    let url = format!("http://{address}");
    assert_eq!(fleet.run(0, &["--http", &url, "list", "--names"]), "n1\nn2\nn3\n");
    assert_eq!(fleet.run(0, &["--http", &url, "open", "n1"]), format!("{url}/#/bmc/n1\n"));
    assert_eq!(fleet.run(0, &["open", "n1"]), format!("{url}/#/bmc/n1\n"), "by the socket, too");
    drop(fleet);

    let token = Bench::new();
    let (right, wrong) = (token.write("right", "0123456789abcdef0123456789abcdef\n"), token.write("wrong", "x\n"));
    std::fs::set_permissions(&right, std::fs::Permissions::from_mode(0o600)).expect("mode 0600");
    let (right, wrong) = (right.to_str().expect("a path"), wrong.to_str().expect("a path"));
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let fleet = Fleet::start_with(&["--http", &address, "--http-token-file", right]);
    let url = format!("http://{address}");
    assert_eq!(fleet.run(0, &["--http", &url, "--token-file", right, "list", "--names"]), "n1\nn2\nn3\n");
    fleet.run(6, &["--http", &url, "list"]);
    fleet.run(6, &["--http", &url, "--token-file", wrong, "list"]);
    let by_variable =
        fleet.command(&["list", "--names"]).env("IPMI_SIM_CONTROL", &url).env("IPMI_SIM_TOKEN_FILE", right).output();
    assert_eq!(ended(0, &["list"], &by_variable.expect("it runs")), "n1\nn2\nn3\n");
}

#[test]
fn a_console_is_watched_and_metrics_are_printed() {
    let bench = Bench::new();
    let (port, mut machine) = (free_port(), Pty::new());
    let sol = format!("  sol \"{}\" 115200 nortscts history=4000", machine.path().display());
    bench.write("lan.conf", small_lan_conf(port, &sol));
    bench.write("sim.emu", SMALL_EMU);
    let files = ["-c", "lan.conf", "-f", "sim.emu", "-s", "state", "--control", "door"];
    let simulator = Simulator::start(Subject::Ours, &bench, port, &files);
    let door = bench.path("door");
    let mut watching = command(&door, &["console", "small"]);
    let mut watching = Guarded(watching.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs"));
    let seen = Captured::from(watching.0.stdout.take().expect("its output"));
    // When it begins to look on is not known.
    let shown = support::process::eventually(TIMEOUT, || {
        machine.write("login: ");
        seen.wait_for("login: ", Duration::from_millis(100)).then_some(())
    });
    assert!(shown.is_some(), "{}", seen.text());
    let mut before = command(&door, &["console", "small", "--history", "--json"]);
    let mut before = Guarded(before.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs"));
    let (line, _reader) = first_line(&mut before.0);
    assert!(json(&line)["data"].is_string(), "{line}");
    let output = command(&door, &["metrics", "small"]).output().expect("it runs");
    let metrics = ended(0, &["metrics"], &output);
    assert!(metrics.trim_end().ends_with("# EOF") && metrics.contains("bmc=\"small\""), "{metrics}");
    drop(simulator);
}

/// What bash offers for the last word of a line.
fn offered(fleet: &Fleet, line: &[&str]) -> Vec<String> {
    let mut arguments = vec!["--", "ipmi_simctl"];
    arguments.extend(line);
    let index = (arguments.len() - 2).to_string();
    let mut command = fleet.command(&arguments);
    command.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", index).env("_CLAP_IFS", "\n");
    let output = command.output().expect("it runs");
    let mut all: Vec<String> = ended(0, line, &output).lines().map(|line| line.trim_end().to_owned()).collect();
    all.sort();
    all
}

#[test]
fn names_of_the_running_server_are_completed() {
    let fleet = Fleet::start();
    assert_eq!(offered(&fleet, &["power", "n"]), ["n1", "n2", "n3"]);
    assert_eq!(offered(&fleet, &["sensor", "n1", "CPU"]), ["CPU1 Temp", "CPU2 Temp"]);
    assert_eq!(offered(&fleet, &["user", "n1", "mon"]), ["monitor"]);
    assert_eq!(offered(&fleet, &["wait", "n1", "--for", "power"]), ["power=off", "power=on"]);
    assert_eq!(offered(&fleet, &["boot", "n1", "p"]), ["pxe"]);
    let mut arguments = fleet.command(&["--", "ipmi_simctl", "power", "n"]);
    arguments.env("IPMI_SIM_CONTROL", "/nonexistent/door").env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "2");
    let output = arguments.output().expect("it runs");
    // Nobody is there: nothing is offered, and nothing is said.
    assert_eq!((ended(0, &["complete"], &output), output.stderr), (String::new(), Vec::new()));
}

#[test]
fn there_is_colour_at_a_terminal_unless_it_is_not_wanted() {
    let fleet = Fleet::start();
    let at_terminal = |arguments: &[&str], no_colour: &str| {
        let pty = Pty::new();
        let mut command = fleet.command(arguments);
        command.env("NO_COLOR", no_colour).env("TERM", "xterm").stdout(pty.stdio()).stderr(pty.stdio());
        let status = command.status().expect("it runs");
        assert!(status.success(), "{}", pty.received.text());
        assert!(pty.received.wait_for("n1", TIMEOUT), "{}", pty.received.text());
        pty.received.text()
    };
    assert!(at_terminal(&["list", "n1"], "").contains("\x1b[1mNAME\x1b[0m"));
    assert!(!at_terminal(&["list", "n1"], "1").contains('\x1b'));
    assert!(!at_terminal(&["list", "n1", "--color", "never"], "").contains('\x1b'));
    assert!(fleet.run(0, &["list", "n1", "--color", "always"]).contains("\x1b[1mNAME"));
    assert!(!fleet.run(0, &["list", "n1"]).contains('\x1b'));
}
