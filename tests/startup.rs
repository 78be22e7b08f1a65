//! The program as a process: options, faults in its files, its consoles, its end.

mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::machine::{self, Need};
use support::process::{contains, eventually};
use support::pty::Pty;
use support::replay::Console;
use support::simulator::{TIMEOUT, presence_ping};
use support::{Bench, Ipmitool, Simulator, Stdin, Subject};

const FILES: [&str; 6] = ["-c", "lan.conf", "-f", "sim.emu", "-s", "state"];

/// A folder with the small configuration on a free port.
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

fn ours(bench: &Bench, arguments: &[&str], stdin: Stdin) -> Simulator {
    Simulator::spawn(Subject::under_test(), bench, arguments, stdin)
}

/// Runs it to its end, which has to come by itself, and returns the exit status.
#[track_caller]
fn status_of(simulator: &mut Simulator) -> i32 {
    let Some(status) = simulator.wait(TIMEOUT) else { panic!("it does not end\n{}", simulator.report()) };
    status.code().unwrap_or_else(|| panic!("{status}\n{}", simulator.report()))
}

#[track_caller]
fn assert_complains(simulator: &Simulator, text: &str) {
    assert!(simulator.stderr.text().contains(text), "`{text}` is missing\n{}", simulator.report());
}

// ---- options

#[test]
fn help_and_usage() {
    let bench = Bench::new();
    for option in ["--help", "-?", "--usage"] {
        for subject in [Subject::Original, Subject::under_test()] {
            let mut simulator = Simulator::spawn(subject, &bench, &[option], Stdin::Null);
            assert_eq!(status_of(&mut simulator), 0, "{}", simulator.report());
            let text = simulator.stdout.text();
            for name in ["--config-file", "--command-file", "--state-dir", "--nostdio"] {
                assert!(text.contains(name), "{option}: no {name}\n{}", simulator.report());
            }
        }
    }
}

#[test]
fn a_ping_says_whether_every_channel_answers() {
    let (bench, port) = small("");
    let ping = || {
        let mut simulator = ours(&bench, &["--ping", "-c", "lan.conf"], Stdin::Null);
        (status_of(&mut simulator), simulator)
    };
    let (status, asked) = ping();
    assert_eq!(status, 1, "nobody is there\n{}", asked.report());
    assert_complains(&asked, &format!("LAN channel 1 of MC 0x20 at 127.0.0.1:{port}: "));

    let running = Simulator::start_default(Subject::under_test(), &bench, port);
    let (status, asked) = ping();
    assert_eq!(status, 0, "{}", asked.report());
    assert!(asked.stdout.text().contains(&format!("127.0.0.1:{port} answers")), "{}", asked.report());

    // One channel more, and nobody behind it but a socket that says nothing.
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let silent_port = silent.local_addr().expect("its address").port();
    let conf = bench.read("lan.conf");
    bench.write("lan.conf", format!("{conf}\nstartlan 2\n  addr 127.0.0.1 {silent_port}\nendlan\n"));
    let start = std::time::Instant::now();
    let (status, asked) = ping();
    assert_eq!(status, 1, "{}", asked.report());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_complains(&asked, &format!("127.0.0.1:{silent_port}: no answer"));
    running.stop();
    assert_eq!(ping().0, 1);

    bench.write("lan.conf", "nonsense\n");
    let (status, asked) = ping();
    assert_eq!(status, 1);
    assert_complains(&asked, "lan.conf:1:1");
}

#[test]
fn version_checks_the_configuration() {
    let (bench, _) = small("");
    for subject in [Subject::Original, Subject::under_test()] {
        for option in ["-v", "--version"] {
            let arguments = [option, "-c", "lan.conf"];
            let mut simulator = Simulator::spawn(subject, &bench, &arguments, Stdin::Null);
            assert_eq!(status_of(&mut simulator), 0, "{}", simulator.report());
            let text = simulator.stdout.text();
            assert!(text.starts_with("IPMI Simulator version 1.0.13\n"), "{}", simulator.report());
        }
        let arguments = ["-v", "-c", "nowhere.conf"];
        let mut simulator = Simulator::spawn(subject, &bench, &arguments, Stdin::Null);
        assert_eq!(status_of(&mut simulator), 1);
        assert_complains(&simulator, "Unable to open configuration file 'nowhere.conf'");
    }
}

#[test]
fn spellings_of_options() {
    for subject in [Subject::Original, Subject::under_test()] {
        for arguments in [
            &["-np", "-clan.conf", "-fsim.emu"][..],
            &["--nostdio", "--nopersist", "--config-file=lan.conf", "--command-file=sim.emu"],
            &["-n", "-p", "--config-file", "lan.conf", "--command-file", "sim.emu"],
            // The last one counts, and words that are no options do no harm.
            &["-n", "-p", "-c", "nowhere.conf", "word", "-c", "lan.conf", "-f", "sim.emu"],
        ] {
            let (bench, port) = small("");
            let mut simulator = Simulator::spawn(subject, &bench, arguments, Stdin::Null);
            simulator.wait_until_ready(port);
        }
    }
}

/// The original stops reading its options there and says nothing.
#[test]
fn unknown_options_are_an_error() {
    let (bench, _) = small("");
    let mut simulator = ours(&bench, &["-n", "--foo", "-c", "lan.conf"], Stdin::Null);
    assert_ne!(status_of(&mut simulator), 0);
    assert_complains(&simulator, "--foo");
    let mut simulator = ours(&bench, &["-n", "-c"], Stdin::Null);
    assert_ne!(status_of(&mut simulator), 0);
}

#[test]
fn command_string_runs_after_the_command_file() {
    for subject in [Subject::Original, Subject::under_test()] {
        let (bench, port) = small("");
        let files =
            ["-p", "-c", "lan.conf", "-f", "sim.emu", "-x", "sel_add 0x20 2 0 0 0 0 0x20 0 4 8 5 0x6f 0 0xff 0xff"];
        let _simulator = Simulator::start(subject, &bench, port, &files);
        client(port).ok("sel list").assert_says("Power Supply #0x05 | Presence detected");
    }
}

#[test]
fn state_is_made_where_it_belongs_or_not_at_all() {
    for subject in [Subject::Original, Subject::under_test()] {
        let (bench, port) = small("");
        let simulator = Simulator::start(subject, &bench, port, &["-c", "lan.conf", "-f", "sim.emu", "-s", "a/b"]);
        assert!(bench.path("a/b/ipmi_sim/small").is_dir());
        simulator.stop();
        let simulator =
            Simulator::start(subject, &bench, port, &["-p", "-c", "lan.conf", "-f", "sim.emu", "-s", "none"]);
        client(port).ok("user set name 5 nobody");
        simulator.stop();
        assert!(!bench.path("none").exists());
    }
}

// ---- faults

#[test]
fn every_fault_of_a_configuration_is_told_with_its_place() {
    let (bench, port) = small("");
    let conf = bench.read("lan.conf");
    let broken = conf.replace("priv_limit admin", "priv_limit king").replace("user 2 true", "user 2 perhaps");
    bench.write("lan.conf", broken);
    let mut simulator = ours(&bench, &["-n", "-p", "-c", "lan.conf", "-f", "sim.emu"], Stdin::Null);
    assert_eq!(status_of(&mut simulator), 1);
    // name, set_working_mc, startlan, addr, then the fifth line; and the last.
    assert_complains(&simulator, "lan.conf:5:16: error:");
    assert_complains(&simulator, "5 |     priv_limit king\n  |                ^^^^");
    assert_complains(&simulator, "lan.conf:13:10: error:");
    assert_complains(&simulator, "^^^^^^^");
    assert!(!presence_ping(port, Duration::from_millis(50)));
    assert!(!bench.path("state").exists());
}

#[test]
fn a_missing_configuration_is_told() {
    let bench = Bench::new();
    for subject in [Subject::Original, Subject::under_test()] {
        let mut simulator = Simulator::spawn(subject, &bench, &["-n", "-c", "nowhere.conf"], Stdin::Null);
        assert_eq!(status_of(&mut simulator), 1);
        assert_complains(&simulator, "Unable to open configuration file 'nowhere.conf'");
    }
}

/// The original stops at the first failing line, so the BMC never comes up.
#[test]
fn a_faulty_command_is_told_and_the_bmc_comes_up() {
    let (bench, port) = small("");
    let emu =
        bench.read("sim.emu").replace("sel_enable", "sel_enabel 0x20 10 0\nsensor_add 0x20 0 nine 1 1\nsel_enable");
    bench.write("sim.emu", emu);
    let mut simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    client(port).ok("sel info").assert_says("Entries : 0");
    assert_complains(&simulator, "sim.emu:3:1: error:");
    assert_complains(&simulator, "3 | sel_enabel 0x20 10 0\n  | ^^^^^^^^^^");
    assert_complains(&simulator, "sim.emu:4:19: error:");
    simulator.assert_alive();
    simulator.stop();

    for option in ["--strict", "--check"] {
        let mut simulator = ours(&bench, &["-n", "-p", option, "-c", "lan.conf", "-f", "sim.emu"], Stdin::Null);
        assert_eq!(status_of(&mut simulator), 1, "{option}");
        assert_complains(&simulator, "sim.emu:3:1: error:");
        assert_complains(&simulator, "sim.emu:4:19: error:");
    }
}

#[test]
fn a_missing_command_file_is_told() {
    let (bench, _) = small("");
    let mut simulator = ours(&bench, &["-n", "-p", "-c", "lan.conf", "-f", "nowhere.emu"], Stdin::Null);
    // Without it there is no BMC.
    assert_eq!(status_of(&mut simulator), 1);
    assert_complains(&simulator, "nowhere.emu");
}

#[test]
fn a_command_file_without_a_bmc_is_told() {
    let (bench, _) = small("");
    bench.write("sim.emu", "# nothing\n");
    for subject in [Subject::Original, Subject::under_test()] {
        let mut simulator =
            Simulator::spawn(subject, &bench, &["-n", "-p", "-c", "lan.conf", "-f", "sim.emu"], Stdin::Null);
        assert_eq!(status_of(&mut simulator), 1);
        if subject == Subject::Ours {
            // The original says so to syslog only.
            assert_complains(&simulator, "No bmc_ipmb specified or configured");
        }
    }
}

#[test]
fn check_opens_nothing_and_keeps_nothing() {
    let (bench, port) = small("");
    // The port is taken, and that does not matter.
    let _taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).expect("the port");
    let mut simulator = ours(&bench, &["--check", "-c", "lan.conf", "-f", "sim.emu", "-s", "state"], Stdin::Null);
    assert_eq!(status_of(&mut simulator), 0, "{}", simulator.report());
    assert!(!bench.path("state").exists());
    assert_eq!(simulator.stderr.text(), "");
    // A good pair of files says what it will serve, and where its state would be.
    let lines = [
        "Name: small".to_owned(),
        format!("LAN channel 1 of MC 0x20: UDP 127.0.0.1:{port}; user admin can log in"),
        "State: state/ipmi_sim/small\n".to_owned(),
    ];
    assert_eq!(simulator.stdout.text(), format!("IPMI Simulator version 1.0.13\n{}", lines.join("\n")));
    // The project's configurations are clean but for what this machine does not have.
    for (folder, absent) in [("examples/minimal", 0), ("compat/nanokvm", 3)] {
        let bench = Bench::new();
        bench.copy_tree(folder, ".");
        let mut simulator = ours(&bench, &["--check", "-c", "lan.conf", "-f", "sim.emu"], Stdin::Null);
        assert_eq!(status_of(&mut simulator), 0, "{folder}\n{}", simulator.report());
        let text = simulator.stderr.text();
        let findings: Vec<_> = text.lines().filter(|line| line.starts_with("lan.conf:")).collect();
        assert!(findings.len() <= absent, "{folder}: {text}");
        assert!(findings.iter().all(|line| machine::is_absence(line)), "{folder}: {text}");
    }
}

/// What everything that `--check` knows of is called.
#[test]
fn check_tells_all_that_will_be_served() {
    let bench = Bench::new();
    bench.write_program("chassis.sh", "#!/bin/sh\n");
    let more = "  startlan 2\n    addr localhost 9624\n  endlan\n  serial 15 127.0.0.1 9002 codec VM\n  \
                serial 3 127.0.0.1 9003 codec Direct connect\n  sol \"tcp:127.0.0.1:9004\" 9600\n  \
                chassis_control \"./chassis.sh 0x20\"\n  user 3 false \"gone\" \"x\" admin 1\n  \
                user 4 true \"ops\" \"x\" operator 1\n  console 127.0.0.1 9005\n";
    bench.write("lan.conf", small_lan_conf(9623, more));
    bench.write("sim.emu", SMALL_EMU);
    let mut simulator = ours(&bench, &["--check", "-p", "-c", "lan.conf", "-f", "sim.emu"], Stdin::Null);
    assert_eq!(status_of(&mut simulator), 0, "{}", simulator.report());
    let text = simulator.stdout.text();
    for line in [
        "Name: small",
        "LAN channel 1 of MC 0x20: UDP 127.0.0.1:9623; users admin, ops can log in",
        "Serial channel 15 of MC 0x20: TCP 127.0.0.1:9002, codec VM",
        "Serial channel 3 of MC 0x20: connects to TCP 127.0.0.1:9003, codec Direct",
        "Serial over LAN of MC 0x20: TCP 127.0.0.1 port 9004",
        "Power of MC 0x20: program './chassis.sh 0x20'",
        "Console: TCP 127.0.0.1:9005",
        "State: not kept",
    ] {
        assert!(text.lines().any(|shown| shown == line), "`{line}` is missing in\n{text}");
    }
    assert!(text.lines().any(|line| line.starts_with("LAN channel 2 of MC 0x20: UDP ") && line.contains(":9624")));
    assert_eq!(simulator.stderr.text(), "");
}

#[test]
fn check_warns_of_fru_files_that_are_short_or_missing() {
    let (bench, _) = small("");
    bench.write("fru.bin", [1; 40]);
    bench.write(
        "sim.emu",
        "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0 1 0 0x9f 0 0\n\
        mc_add_fru_data 0x20 0 40 file 0 \"fru.bin\"\nmc_add_fru_data 0x20 1 64 file 8 \"fru.bin\"\n\
        mc_add_fru_data 0x20 2 8 file 0 \"none.bin\"\nmc_enable 0x20\n",
    );
    let mut simulator = ours(&bench, &["--check", "-c", "lan.conf", "-f", "sim.emu"], Stdin::Null);
    assert_eq!(status_of(&mut simulator), 0, "a warning is no fault\n{}", simulator.report());
    let told: Vec<String> =
        simulator.stderr.text().lines().filter(|line| line.starts_with("sim.emu:")).map(str::to_owned).collect();
    let expected = [
        "sim.emu:4:1: warning: 'fru.bin' has 40 bytes, and FRU 1 goes on to 72: the rest reads as 0",
        "sim.emu:5:1: warning: FRU 2 cannot be read: No such file or directory: 'none.bin'",
    ];
    assert_eq!(told, expected, "{}", simulator.report());
}

#[test]
fn a_port_in_use_is_told() {
    let (bench, port) = small("");
    let _taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).expect("the port");
    for subject in [Subject::Original, Subject::under_test()] {
        let mut simulator = Simulator::spawn(subject, &bench, &[&["-n"][..], &FILES].concat(), Stdin::Null);
        assert_eq!(status_of(&mut simulator), 1);
        assert_complains(&simulator, "Unable to bind to LAN port");
    }
}

#[test]
fn a_state_directory_that_cannot_be_made_is_told() {
    let (bench, _) = small("");
    let files = ["-n", "-c", "lan.conf", "-f", "sim.emu", "-s", "lan.conf/state"];
    for subject in [Subject::Original, Subject::under_test()] {
        let mut simulator = Simulator::spawn(subject, &bench, &files, Stdin::Null);
        assert_eq!(status_of(&mut simulator), 1);
        assert_complains(&simulator, "Unable to initialize persistence: ");
        assert_complains(&simulator, "Not a directory");
    }
}

#[test]
fn a_blank_line_end_of_another_system_is_no_fault() {
    let (bench, port) = small("");
    for file in ["lan.conf", "sim.emu"] {
        let text = bench.read(file).replace('\n', "\r\n");
        bench.write(file, text);
    }
    let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    client(port).ok("mc info");
    assert!(!simulator.stderr.text().contains("error"), "{}", simulator.report());
}

// ---- readiness

#[test]
fn it_says_when_it_is_ready() {
    let (bench, port) = small("");
    let simulator = ours(&bench, &[&["-n"][..], &FILES].concat(), Stdin::Null);
    let line = format!("Opened UDP port {port}\n");
    assert!(simulator.stdout.wait_for(&line, TIMEOUT), "{}", simulator.report());
    assert!(presence_ping(port, Duration::from_secs(2)), "said and true");
    assert!(simulator.stdout.text().starts_with("IPMI Simulator version 1.0.13\n"));
}

/// One controller on two LAN channels, the second one on IPv6.
#[test]
fn two_channels_and_ipv6() {
    if !machine::has("two_channels_and_ipv6", Need::Ipv6) {
        return;
    }
    for subject in [Subject::Original, Subject::under_test()] {
        let second = free_port();
        let channel = format!(
            "  startlan 2\n    addr ::1 {second}\n    priv_limit user\n    allowed_auths_user md5\n    \
             guid a123456789abcdefa123456789abcdef\n  endlan\n"
        );
        let (bench, port) = small(&channel);
        let _simulator = Simulator::start_default(subject, &bench, port);
        client(port).ok("channel info").assert_says("Channel 0x1 info:");
        let mut six = client(second);
        six.host = "::1".to_owned();
        let info = six.with(&["-L", "USER"]).ok("mc info");
        info.assert_says("Device ID : 0");
        six.with(&["-L", "USER"]).ok("channel info").assert_says("Channel 0x2 info:");
        if subject == Subject::Ours {
            // The channel's limit holds; the original forgets it (S16).
            six.run("mc info").assert_failed();
        }
    }
}

// ---- standard input

/// `echo quit | ipmi_sim ...` is how people make a state directory.
#[test]
fn quit_on_a_pipe() {
    for subject in [Subject::Original, Subject::under_test()] {
        let (bench, _) = small("");
        let mut simulator = Simulator::spawn(subject, &bench, &FILES, Stdin::Pipe);
        simulator.type_in("quit\n");
        assert_eq!(status_of(&mut simulator), 0, "{}", simulator.report());
        assert!(bench.path("state/ipmi_sim/small").is_dir());
    }
}

#[test]
fn end_of_input_on_a_pipe() {
    for subject in [Subject::Original, Subject::under_test()] {
        let (bench, _) = small("");
        let mut simulator = Simulator::spawn(subject, &bench, &FILES, Stdin::Pipe);
        simulator.close_stdin();
        assert_eq!(status_of(&mut simulator), 0, "{}", simulator.report());
    }
}

/// The original aborts.
#[test]
fn without_standard_input_it_serves() {
    let (bench, port) = small("");
    let mut simulator = ours(&bench, &FILES, Stdin::Null);
    simulator.wait_until_ready(port);
    client(port).ok("mc info");
    simulator.assert_alive();
}

#[test]
fn console_on_a_pipe() {
    for subject in [Subject::Original, Subject::under_test()] {
        let (bench, port) = small("");
        let mut simulator = Simulator::spawn(subject, &bench, &FILES, Stdin::Pipe);
        simulator.wait_until_ready(port);
        simulator.type_in("sel_add 0x20 2 0 0 0 0 0x20 0 4 8 5 0x6f 0 0xff 0xff\n");
        simulator.type_in("dance\n");
        assert!(simulator.stdout.wait_for("**Unknown command: dance", TIMEOUT), "{}", simulator.report());
        let text = simulator.stdout.text();
        assert!(text.contains("> sel_add 0x20 2"), "prompt and echo\n{}", simulator.report());
        client(port).ok("sel list").assert_says("Power Supply #0x05");
        // Erased characters are gone: quix, two steps back, it.
        simulator.type_in("quix\u{8}\u{7f}it\n");
        assert_eq!(status_of(&mut simulator), 0, "{}", simulator.report());
    }
}

/// A person at a terminal: echo, prompt, and Ctrl-D to leave.
#[test]
fn console_on_a_terminal() {
    for subject in [Subject::Original, Subject::under_test()] {
        let (bench, port) = small("");
        let mut terminal = Pty::new();
        let mut command = Command::new(subject.program());
        command.args(FILES).current_dir(bench.folder());
        command.stdin(terminal.stdio()).stdout(terminal.stdio()).stderr(Stdio::null());
        let mut simulator = support::process::spawn(&mut command, "openipmi");
        let up = eventually(TIMEOUT, || presence_ping(port, Duration::from_millis(20)).then_some(()));
        assert!(up.is_some() && terminal.wait_for("> ", TIMEOUT), "{}", terminal.received.text());
        terminal.write("dance\r");
        assert!(terminal.wait_for("**Unknown command: dance", TIMEOUT), "{}", terminal.received.text());
        // Ctrl-C is a key like any other: the program stays.
        terminal.write("\u{3}\r");
        client(port).ok("mc info");
        terminal.write("\u{4}");
        let ended = support::process::wait(&mut simulator.0, TIMEOUT);
        assert!(ended.is_some_and(|status| status.success()), "{}", terminal.received.text());
    }
}

// ---- console over TCP

const GREETING: &[u8] = b"\xff\xfb\x03\xff\xfb\x01\xff\xfe\x01> ";

fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    stream.set_read_timeout(Some(TIMEOUT)).expect("a time limit");
    let mut all = Vec::new();
    let mut byte = [0];
    while !all.ends_with(end) {
        match stream.read(&mut byte) {
            Ok(1) => all.push(byte[0]),
            other => panic!("{other:?} after {}", String::from_utf8_lossy(&all)),
        }
    }
    all
}

#[test]
fn console_over_tcp() {
    for subject in [Subject::Original, Subject::under_test()] {
        let console = free_port();
        let (bench, port) = small(&format!("console 127.0.0.1 {console}"));
        let mut simulator = Simulator::start_default(subject, &bench, port);

        let mut first = TcpStream::connect((Ipv4Addr::LOCALHOST, console)).expect("a console");
        assert_eq!(read_until(&mut first, b"> "), GREETING);
        first.write_all(b"dance\n").expect("it reads");
        let text = read_until(&mut first, b"> ");
        assert!(text.starts_with(b"dance\n\r"), "echo: {:?}", String::from_utf8_lossy(&text));
        assert!(contains(&text, b"**Unknown command: dance\n\r"), "{:?}", String::from_utf8_lossy(&text));
        // An empty line is a prompt and nothing else; a comment does nothing.
        first.write_all(b"\r").expect("it reads");
        assert_eq!(read_until(&mut first, b"> "), b"\n\r> ");
        first.write_all(b"# a comment\n").expect("it reads");
        assert_eq!(read_until(&mut first, b"> "), b"# a comment\n\r> ");

        // A program's console, at the same time.
        let mut second = Console::connect(console);
        assert_eq!(second.type_in("sel_add 0x20 2 0 0 0 0 0x20 0 4 8 5 0x6f 0 0xff 0xff"), "Added record 1\n");
        client(port).ok("sel list").assert_says("Power Supply #0x05");

        // Ctrl-D ends this connection only.
        first.write_all(&[4]).expect("it reads");
        first.set_read_timeout(Some(TIMEOUT)).expect("a time limit");
        let mut rest = Vec::new();
        first.read_to_end(&mut rest).expect("the end");
        // The log of the client above may come first; there is a prompt again in any case.
        second.type_in("# still there");
        simulator.assert_alive();
    }
}

/// The original aborts when that happens with `-n`, and after it cannot open the port again
/// for a minute.
#[test]
fn quit_over_tcp_ends_a_client_of_a_service_and_the_program_of_a_console() {
    let console = free_port();
    let (bench, port) = small(&format!("console 127.0.0.1 {console}"));
    let client = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, console)).expect("a console");
        read_until(&mut stream, b"> ");
        stream
    };
    let mut service = Simulator::start_default(Subject::under_test(), &bench, port);
    let (mut leaves, mut stays) = (client(), client());
    leaves.write_all(b"quit\nquit\n").expect("it reads");
    let mut rest = Vec::new();
    leaves.read_to_end(&mut rest).expect("what was said last");
    assert_eq!(rest, b"quit\n\r");
    stays.write_all(b"define A \"1\"\n").expect("it reads");
    read_until(&mut stays, b"> ");
    service.assert_alive();
    // Its port can be used again at once, and so can the program's.
    drop((service, stays));
    for _ in 0..2 {
        let mut program =
            Simulator::spawn(Subject::under_test(), &bench, &["-p", "-c", "lan.conf", "-f", "sim.emu"], Stdin::Pipe);
        program.wait_until_ready(port);
        let mut stream = client();
        stream.write_all(b"quit\n").expect("it reads");
        assert_eq!(status_of(&mut program), 0, "{}", program.report());
    }
}

// ---- signals

#[test]
fn termination_is_prompt_and_frees_the_port() {
    for subject in [Subject::Original, Subject::under_test()] {
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            let (bench, port) = small("");
            let mut simulator = Simulator::start_default(subject, &bench, port);
            simulator.signal(signal);
            let status = simulator.wait(Duration::from_secs(3)).expect("a prompt end");
            assert_eq!(status.signal(), Some(signal as i32), "{}", simulator.report());
            UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free");
        }
    }
}

/// It logs all there is, to pipes that are the test's to read or not.
fn talkative(bench: &Bench) -> support::process::Guarded {
    let mut command = Command::new(Subject::under_test().program());
    command
        .args(["-n", "-ddd", "-p", "-c", "lan.conf", "-f", "sim.emu"])
        .current_dir(bench.folder())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    support::process::spawn(&mut command, "openipmi")
}

/// Whoever read its output is gone: no reason to end.
#[test]
fn nobody_reads_its_output() {
    let (bench, port) = small("");
    let mut simulator = talkative(&bench);
    drop(simulator.0.stdout.take());
    drop(simulator.0.stderr.take());
    let up = eventually(TIMEOUT, || presence_ping(port, Duration::from_millis(20)).then_some(()));
    assert!(up.is_some(), "it serves with nobody listening");
    for _ in 0..3 {
        client(port).ok("mc info");
    }
    assert!(matches!(simulator.0.try_wait(), Ok(None)));
}

/// Many start it with pipes and look at one of them.
#[test]
fn pipes_that_nobody_empties_stop_nobody() {
    let (bench, port) = small("");
    let mut simulator = talkative(&bench);
    let up = eventually(TIMEOUT, || presence_ping(port, Duration::from_millis(20)).then_some(()));
    assert!(up.is_some(), "it serves");
    // A pipe holds 64 KiB, and each of these is more than 100 bytes in the log.
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for _ in 0..2000 {
        socket.send_to(&[6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x80, 0, 0, 0], ("127.0.0.1", port)).expect("a datagram");
        std::thread::sleep(Duration::from_micros(200));
    }
    assert!(presence_ping(port, TIMEOUT), "it goes on");
    let mut kept = Vec::new();
    let mut stderr = simulator.0.stderr.take().expect("a pipe");
    drop(simulator);
    std::io::Read::read_to_end(&mut stderr, &mut kept).expect("what fitted");
    assert!(kept.len() > 60_000, "the pipe was full: {}", kept.len());
}

/// The first poll of a sensor is over before the BMC can be asked, as with the original,
/// which reads the file on the spot.
#[test]
fn polled_sensors_have_their_values_when_the_port_opens() {
    for subject in [Subject::Original, Subject::under_test()] {
        let (bench, port) = small("");
        let mut emu = SMALL_EMU.replace("mc_enable 0x20\n", "");
        for sensor in 2..40 {
            let file = format!("{sensor}.val");
            bench.write(&file, sensor.to_string());
            emu += &format!("sensor_add 0x20 0 {sensor} 1 1 poll 3600000 file \"{file}\"\n");
            let events = ["000000000000000"; 4].join(" ");
            emu += &format!("sensor_set_event_support 0x20 0 {sensor} enable scanning per-state {events}\n");
        }
        bench.write("sim.emu", emu + "mc_enable 0x20\n");
        let simulator = Simulator::start_default(subject, &bench, port);
        let words = (2..40).map(|sensor| format!("raw 4 0x2d {sensor}\n")).collect::<String>();
        let commands = bench.write("commands", words);
        let ran = client(port).ok(&format!("exec {}", commands.display()));
        let values: Vec<_> = ran.stdout.lines().map(|line| line.trim().get(..5).unwrap_or(line)).collect();
        let expected: Vec<_> = (2..40).map(|sensor| format!("{sensor:02x} c0")).collect();
        assert_eq!(values, expected, "{subject:?} {}", simulator.report());
    }
}
