//! What the operating system refuses: threads, processes, descriptors, the size of files, a second
//! process in a state folder. None of it ends the program or makes it lie.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::{chown, geteuid};
use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::process::eventually;
use support::{Bench, Ipmitool, Simulator, Stdin, Subject, namespace};

const TIMEOUT: Duration = Duration::from_secs(10);
const FILES: [&str; 7] = ["-n", "-c", "lan.conf", "-f", "sim.emu", "-s", "state"];
/// A user who has no other process.
const NOBODY_ELSE: u32 = 61_234;
const BECOME: &str = r#"exec "$0" "$@""#;

fn bench(port: u16, more: &str) -> Bench {
    let bench = Bench::new();
    bench.write("lan.conf", small_lan_conf(port, more));
    bench.write("sim.emu", SMALL_EMU);
    bench
}

fn client(port: u16) -> Ipmitool {
    Ipmitool::new(port, "admin", "admin")
}

/// The program where a user who owns nothing can run it, and a state folder of his.
fn for_anybody(bench: &Bench) -> PathBuf {
    let program = bench.path("program");
    fs::copy(Subject::Ours.program(), &program).expect("a copy of the program");
    fs::create_dir(bench.path("state")).expect("a folder");
    if geteuid().is_root() {
        fs::set_permissions(bench.folder(), fs::Permissions::from_mode(0o755)).expect("mode 0755");
        let user = Some(NOBODY_ELSE.into());
        chown(&bench.path("state"), user, None).expect("a folder of somebody else");
    }
    program
}

/// For root, threads are not limited: the program runs as somebody else.
fn as_a_user(wrapper: &str) -> String {
    let user = format!("setpriv --reuid={NOBODY_ELSE} --regid={NOBODY_ELSE} --clear-groups ");
    format!(r#"exec {}{wrapper} "$0" "$@""#, if geteuid().is_root() { &user } else { "" })
}

#[test]
fn without_any_thread_it_serves_and_keeps_state() {
    let port = free_port();
    let bench = bench(port, "");
    let program = for_anybody(&bench);
    let mut simulator = Simulator::spawn_by_shell(&bench, &as_a_user("prlimit --nproc=1"), &program, &FILES);
    simulator.wait_until_ready(port);
    assert!(simulator.stderr.wait_for("No thread can be started", TIMEOUT), "{}", simulator.report());
    client(port).ok("user set name 3 second");
    client(port).ok("sel clear");
    simulator.assert_alive();
    assert!(bench.read("state/ipmi_sim/small/users.mc20").contains("3.username:d:second"));
    simulator.signal(Signal::SIGHUP);
    assert!(simulator.stderr.wait_for("SIGHUP: ", TIMEOUT), "{}", simulator.report());
    client(port).ok("mc info");
}

#[test]
fn threads_and_processes_that_are_refused_later_end_nothing() {
    let port = free_port();
    let bench = bench(port, "  chassis_control \"./chassis\"\n");
    bench.write_program("chassis", "#!/bin/sh\necho power:1\n");
    let program = for_anybody(&bench);
    let mut simulator = Simulator::spawn_by_shell(&bench, &as_a_user(""), &program, &FILES);
    simulator.wait_until_ready(port);
    client(port).ok("chassis power status").assert_says("on");
    let pid = simulator.pid().to_string();
    let limit = as_a_user("prlimit --nproc=1 --pid");
    namespace::run("sh", &["-c", &limit, &pid], "util-linux");
    for number in 0..3 {
        client(port).ok(&format!("user set name 3 name{number}"));
        client(port).ok("sel clear");
        client(port).run("chassis power status").assert_failed();
        simulator.assert_alive();
    }
    assert!(simulator.stderr.wait_for("cannot start a shell", TIMEOUT), "{}", simulator.report());
    assert!(bench.read("state/ipmi_sim/small/users.mc20").contains("3.username:d:name2"));
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_of_the_one_who_writes() {
    let port = free_port();
    let bench = bench(port, "");
    let line = format!("ulimit -f 0; {BECOME}");
    let mut simulator = Simulator::spawn_by_shell(&bench, &line, &Subject::Ours.program(), &FILES);
    simulator.wait_until_ready(port);
    client(port).run("user set name 3 second").assert_failed().assert_says("Unspecified error");
    assert!(simulator.stderr.wait_for("File too large", TIMEOUT), "{}", simulator.report());
    client(port).ok("mc info");
    client(port).ok("user list").assert_not_says("second");
    simulator.assert_alive();
}

/// What programs leave behind in a container ends as children of the first process, which gives them
/// back and still learns how its own ended.
#[test]
fn the_first_process_of_a_container_gives_orphans_back() {
    let port = free_port();
    let bench = bench(port, "  chassis_control \"./chassis\"\n");
    // Two generations: the orphan's parent has ended when it ends.
    let orphans = "#!/bin/sh\nfor n in 1 2 3; do (sleep 0.$n; exit 7) > /dev/null 2>&1 & done\n";
    let answer = "case $1 in get) echo power:$(cat power);; set) [ $3 = 1 ] || exit 1; echo 1 > power;; esac\n";
    bench.write_program("chassis", format!("{orphans}{answer}"));
    bench.write("power", "0\n");
    let user = if geteuid().is_root() { "" } else { "--map-root-user " };
    let line = format!(r#"exec unshare {user}--pid --fork --kill-child --mount-proc "$0" "$@""#);
    let mut simulator = Simulator::spawn_by_shell(&bench, &line, &Subject::Ours.program(), &FILES);
    simulator.wait_until_ready(port);
    let first = children(simulator.pid()).pop().expect("the program").0;
    for _ in 0..5 {
        client(port).ok("chassis power status").assert_says("Chassis Power is");
        client(port).run("chassis power off").assert_failed();
    }
    client(port).ok("chassis power on");
    client(port).ok("chassis power status").assert_says("Chassis Power is on");
    let mut left = Vec::new();
    let none = eventually(TIMEOUT, || {
        left = children(first);
        left.is_empty().then_some(())
    });
    assert!(none.is_some(), "{left:?}\n{}", simulator.report());
    assert!(!simulator.stderr.text().contains("cannot wait"), "{}", simulator.report());
}

/// Process ids and states of a process's children.
fn children(parent: u32) -> Vec<(u32, String)> {
    let processes = fs::read_dir("/proc").expect("processes").filter_map(|entry| {
        let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let mut words = stat.rsplit_once(')')?.1.split_whitespace();
        let (state, of) = (words.next()?.to_owned(), words.next()?.parse::<u32>().ok()?);
        (of == parent).then_some((id, state))
    });
    processes.collect()
}

/// However few descriptors there are, it serves, or says what it lacks and ends with status 1.
#[test]
fn too_few_descriptors_are_told() {
    let mut told = 0;
    for limit in [4, 6, 8, 10, 12, 16, 24, 32, 40, 64] {
        let port = free_port();
        let bench = bench(port, "");
        let line = format!("ulimit -n {limit}; {BECOME}");
        let mut simulator = Simulator::spawn_by_shell(&bench, &line, &Subject::Ours.program(), &FILES);
        match eventually(TIMEOUT, || {
            let ended = simulator.wait(Duration::from_millis(1));
            let serves = support::simulator::presence_ping(port, Duration::from_millis(20));
            if serves { Some(None) } else { ended.map(Some) }
        }) {
            Some(Some(status)) => {
                let text = simulator.stderr.text();
                assert_eq!(status.code(), Some(1), "{limit}: {}", simulator.report());
                // With next to nothing not even its files can be read, or its libraries.
                let wanted =
                    if limit > 6 { "Unable to start: not enough file descriptors" } else { "Too many open files" };
                assert!(text.contains(wanted), "{limit}: {text}");
                told += usize::from(text.contains(&format!("`ulimit -n` is {limit}")));
            }
            Some(None) => {
                client(port).ok("user set name 3 second");
                assert!(limit > 32, "{limit} are enough");
            }
            None => panic!("{limit}: {}", simulator.report()),
        }
    }
    assert!(told > 3, "told {told} times");
}

#[test]
fn a_state_folder_is_one_processs() {
    let (port, other_port) = (free_port(), free_port());
    let bench = bench(port, "  startcmd \"sleep 1000\"\n  startnow true\n");
    bench.write("other.conf", small_lan_conf(other_port, ""));
    let mut first = Simulator::start_default(Subject::Ours, &bench, port);
    let second = |bench: &Bench| {
        let arguments = ["-n", "-c", "other.conf", "-f", "sim.emu", "-s", "state"];
        Simulator::spawn(Subject::Ours, bench, &arguments, Stdin::Null)
    };
    let mut refused = second(&bench);
    assert_eq!(refused.wait(TIMEOUT).and_then(|status| status.code()), Some(1));
    let text = refused.stderr.text();
    assert!(text.contains(&format!("is used by another ipmi_sim, process {}:", first.pid())), "{text}");
    // Whoever only asks needs no folder, nor does one without state.
    for arguments in [&["--check", "-c", "lan.conf", "-f", "sim.emu"][..], &["--ping", "-c", "lan.conf"]] {
        let mut asking = Simulator::spawn(Subject::Ours, &bench, arguments, Stdin::Null);
        assert_eq!(asking.wait(TIMEOUT).and_then(|status| status.code()), Some(0), "{}", asking.report());
    }
    let stateless = ["-p", "-c", "other.conf", "-f", "sim.emu"];
    Simulator::start(Subject::Ours, &bench, other_port, &stateless).stop();
    first.signal(Signal::SIGHUP);
    client(port).ok("user set name 3 second");
    first.assert_alive();
    // A crash leaves the file and no lock, and what the first started does not hold it.
    first.signal(Signal::SIGKILL);
    first.wait(TIMEOUT);
    assert!(bench.path("state/ipmi_sim/small/lock").exists());
    let mut next = second(&bench);
    next.wait_until_ready(other_port);
    client(other_port).ok("user list").assert_says("second");
    next.signal(Signal::SIGTERM);
    next.wait(TIMEOUT);
    assert!(!bench.path("state/ipmi_sim/small/lock").exists());
    // The original swapped back does not mind the file.
    bench.write("state/ipmi_sim/small/lock", "1\n");
    bench.write("lan.conf", small_lan_conf(port, ""));
    let _original = Simulator::start_default(Subject::Original, &bench, port);
    client(port).ok("user list").assert_says("second");
}
