//! Helper programs and start commands by real clients: what a client sets and reads through a
//! program, and what is said when one fails.

mod support;

use std::process::Command;
use std::time::Duration;

use support::bench::free_port;
use support::client::{CLIENT_LIMIT, Ran};
use support::config::{SMALL_EMU, small_lan_conf};
use support::process::{self, eventually};
use support::simulator::TIMEOUT;
use support::{Bench, Ipmitool, Simulator, Subject};

/// A running system with a few lines more in its `lan.conf`.
struct Running {
    bench: Bench,
    port: u16,
    simulator: Simulator,
}

impl Running {
    fn with(more: &str, programs: &[(&str, &str)]) -> Self {
        let bench = Bench::new();
        let port = free_port();
        bench.write("lan.conf", small_lan_conf(port, more));
        bench.write("sim.emu", SMALL_EMU);
        for (name, content) in programs {
            bench.write_program(name, content);
        }
        let files = ["-c", "lan.conf", "-f", "sim.emu", "-s", "state"];
        let simulator = Simulator::start(Subject::under_test(), &bench, port, &files);
        Self { bench, port, simulator }
    }

    fn client(&self) -> Ipmitool {
        Ipmitool::new(self.port, "admin", "admin")
    }
}

/// A board that keeps its power and its boot device in files.
const BOARD: &str = "#!/bin/sh
op=$1; shift
[ -f boot ] || echo none >boot; [ -f power ] || echo 0 >power
case $op$1 in
getpower|getboot) echo \"$1:$(cat $1)\" ;;
setpower|setboot) echo \"$2\" >$1 ;;
setreset|setshutdown|setidentify) ;;
*) exit 1 ;;
esac
";

/// The steps of Ansible's `ipmi_boot`, which are pyghmi's: whether something had to be changed.
const IPMI_BOOT: &str = "
import sys
from pyghmi.ipmi import command
c = command.Command(bmc='127.0.0.1', userid='admin', password='admin', port=int(sys.argv[1]))
def ipmi_boot(bootdev, state='present', persistent=False, uefiboot=False):
    current = c.get_bootdev()
    current.setdefault('uefimode', uefiboot)
    wanted = dict(bootdev=bootdev, persistent=persistent, uefimode=uefiboot)
    if state == 'present' and current != wanted:
        c.set_bootdev(bootdev, persist=persistent, uefiboot=uefiboot)
    elif state == 'absent' and current['bootdev'] == bootdev:
        c.set_bootdev('default')
    else:
        return 'same'
    return 'changed'
for wanted in [('network',), ('network', 'absent'), ('hd', 'present', True, True), ('hd', 'absent'), ('setup',),
               ('optical', 'present', True), ('optical', 'absent')]:
    print(*wanted, ipmi_boot(*wanted), ipmi_boot(*wanted))
c.ipmi_session.logout()
";

#[test]
fn boot_flags_behind_a_program_last_as_clients_set_them() {
    for (more, has_program) in [("  chassis_control \"./board\"", true), ("", false)] {
        let running = Running::with(more, &[("board", BOARD)]);
        let word = || has_program.then(|| running.bench.read("boot").trim().to_owned());
        let client = running.client();
        client.ok("chassis bootdev pxe options=persistent,efiboot");
        let flags = client.ok("chassis bootparam get 5");
        flags.assert_says("Boot Flag Valid").assert_says("all future boots");
        flags.assert_says("BIOS EFI boot").assert_says("Force PXE");
        assert_eq!(word(), has_program.then(|| "pxe".to_owned()));
        client.ok("chassis bootdev cdrom");
        let flags = client.ok("chassis bootparam get 5");
        flags.assert_says("Boot Flag Valid").assert_says("only next boot").assert_says("Force Boot from CD/DVD");
        assert_eq!(word(), has_program.then(|| "cdrom".to_owned()));
        for parameter in ["0", "1", "2", "3", "4", "6", "7"] {
            client.ok(&format!("chassis bootparam get {parameter}"));
        }
        client.run("raw 0 9 0x20 0 0").assert_failed().assert_says("rsp=0x80");
        if has_program {
            client.run("chassis bootdev floppy").assert_says("Invalid data field in request");
            client.ok("chassis bootparam get 5").assert_says("Force Boot from CD/DVD");
        }
        let mut script = Command::new("/usr/bin/python3");
        script.args(["-c", IPMI_BOOT, &running.port.to_string()]);
        let ran = Ran::run(&mut script, "python3-pyghmi", CLIENT_LIMIT + Duration::from_secs(30));
        ran.assert_ok();
        assert_eq!(
            ran.stdout.lines().collect::<Vec<_>>(),
            [
                "network changed same",
                "network absent changed same",
                "hd present True True changed same",
                "hd absent changed same",
                "setup changed same",
                "optical present True changed same",
                "optical absent changed same",
            ]
        );
        assert_eq!(word(), has_program.then(|| "none".to_owned()));
    }
}

/// `lan print` asks for every parameter, and gives up at the first response that is an error to it.
#[test]
fn what_a_lan_configuration_program_cannot_tell_does_not_end_lan_print() {
    const KNOWS_ONE: &str = "#!/bin/sh\n[ \"$1 $2\" = 'get ip_addr' ] && echo ip_addr:10.1.2.3\n";
    for (content, words) in [
        (KNOWS_ONE, "IP Address : 10.1.2.3"),
        ("#!/bin/sh\nexit 0\n", "Bad Password Threshold"),
        ("#!/bin/sh\necho no >&2; exit 1\n", "Bad Password Threshold"),
        ("", "Bad Password Threshold"),
    ] {
        let bench = Bench::new();
        let port = free_port();
        let more = "    lan_config_program \"./network\"\n  endlan";
        bench.write("lan.conf", small_lan_conf(port, "").replacen("  endlan", more, 1));
        bench.write("sim.emu", SMALL_EMU);
        if !content.is_empty() {
            bench.write_program("network", content);
        }
        let files = ["-c", "lan.conf", "-f", "sim.emu", "-s", "state"];
        let _simulator = Simulator::start(Subject::under_test(), &bench, port, &files);
        let client = Ipmitool::new(port, "admin", "admin");
        client.ok("lan print 1").assert_says(words).assert_says("Cipher Suite Priv Max");
        client.run("raw 0x0c 2 1 5 0 0").assert_failed().assert_says("rsp=0x80");
    }
}

#[test]
fn the_log_says_how_a_program_failed_and_not_without_end() {
    let running = Running::with("  chassis_control \"./nothing\"", &[]);
    let client = running.client();
    client.run("power status").assert_failed();
    let log = &running.simulator.stderr;
    assert!(log.wait_for("(./nothing get power) failed: exit status 127: not found", TIMEOUT), "{}", log.text());
}

#[test]
fn a_start_command_that_ends_at_once_says_so() {
    for (command, words) in [
        ("/bin/sh -c 'exit 3'", "The start command of MC 0x20 has ended: exit status 3"),
        ("/bin/sh -c 'kill -9 $$'", "The start command of MC 0x20 has ended: ended by signal 9 (SIGKILL)"),
        ("/nowhere/qemu", "The start command of MC 0x20 has ended: exit status 127: not found"),
    ] {
        let running = Running::with(&format!("  startcmd \"{command}\""), &[]);
        running.client().ok("power on");
        let log = &running.simulator.stderr;
        assert!(log.wait_for(words, TIMEOUT), "{}", log.text());
    }
}

#[test]
fn a_machine_that_outlives_the_program_is_known_again() {
    let machine = "#!/bin/sh\necho $$ >>started\nexec sleep 600\n";
    // `startnow` does not start a second one, either.
    for more in ["", "\n  startnow true"] {
        let mut running = Running::with(&format!("  startcmd \"./machine\"{more}"), &[("machine", machine)]);
        running.client().ok("power on");
        let pids = |running: &Running| -> Vec<u32> {
            let text = std::fs::read_to_string(running.bench.path("started")).unwrap_or_default();
            text.lines().filter_map(|line| line.parse().ok()).collect()
        };
        let pid = eventually(TIMEOUT, || pids(&running).first().copied()).expect("it is started");
        // The file may not be there yet.
        let file = running.bench.path("state/ipmi_sim/small/process.mc20");
        let kept = || std::fs::read_to_string(&file).is_ok_and(|text| text.contains(&pid.to_string()));
        assert!(eventually(TIMEOUT, || kept().then_some(())).is_some(), "its identity is kept");
        let restart = |running: &mut Running| {
            running.simulator.signal(nix::sys::signal::Signal::SIGKILL);
            running.simulator.wait(TIMEOUT).expect("it is killed");
            let files = ["-c", "lan.conf", "-f", "sim.emu", "-s", "state"];
            running.simulator = Simulator::start(Subject::under_test(), &running.bench, running.port, &files);
        };
        restart(&mut running);
        running.client().ok("power status").assert_says("Chassis Power is on");
        running.client().ok("power on");
        assert_eq!(pids(&running), [pid], "no second one is started");
        running.client().ok("power off");
        assert!(eventually(TIMEOUT, || (!process::alive(pid)).then_some(())).is_some(), "it can be ended");
        let off = || running.client().ok("power status").stdout.contains("is off").then_some(());
        assert!(eventually(TIMEOUT, off).is_some());
        if more.is_empty() {
            // One that ended meanwhile is not taken for running.
            restart(&mut running);
            running.client().ok("power status").assert_says("Chassis Power is off");
            running.client().ok("power on");
            let second = eventually(TIMEOUT, || pids(&running).get(1).copied()).expect("it is started anew");
            running.client().ok("power off");
            assert!(eventually(TIMEOUT, || (!process::alive(second)).then_some(())).is_some());
        }
    }
}

#[test]
fn off_and_on_at_once_ends_the_machine_and_starts_it_again() {
    let machine = "#!/bin/sh\necho $$ >>started\nexec sleep 600\n";
    let running = Running::with("  startcmd \"./machine\"", &[("machine", machine)]);
    let client = running.client();
    let started = |count: usize| {
        eventually(TIMEOUT, || {
            let text = std::fs::read_to_string(running.bench.path("started")).ok()?;
            let pids: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
            (pids.len() == count).then_some(pids)
        })
    };
    client.ok("power on");
    let first = started(1).expect("it is started")[0];
    client.ok("power off");
    client.ok("power on");
    let second = started(2).expect("it is started again")[1];
    assert!(!process::alive(first), "the first has ended");
    assert!(process::alive(second));
    client.ok("power status").assert_says("Chassis Power is on");
    client.ok("power off");
    assert!(eventually(TIMEOUT, || (!process::alive(second)).then_some(())).is_some());
    client.ok("power status").assert_says("Chassis Power is off");
}
