//! The deployment of a QEMU host: the files of `compat/qemu`, a virtual machine on the VM
//! port, a client on the LAN. Only ports are replaced.

mod support;

use std::fs;
use std::time::Duration;

use support::bench::{free_port, project};
use support::client::Transport;
use support::config::{Places, adapt};
use support::process::{self, eventually};
use support::vm_host::VmHost;
use support::{Bench, Ipmitool, Simulator, Subject};

/// Time for something to reach the virtual machine.
const LIMIT: Duration = Duration::from_secs(5);

/// The names `sdr elist all` shows, from the records of `sdr.20.main`.
const RECORDS: [&str; 6] = ["IPMI sim1", "watchdog", "MBTemp", "SubTemp", "mm1pres", "mm2frudev"];

const APP: u8 = 0x06;
const STORAGE: u8 = 0x0a;
const SENSOR_EVENT: u8 = 0x04;

struct Host {
    bench: Bench,
    lan: u16,
    vm: u16,
}

impl Host {
    /// `etc/ipmi` as in the deployment, an empty state directory `state`.
    fn new() -> Self {
        let bench = Bench::new();
        bench.copy_tree("compat/qemu", "etc/ipmi");
        let (lan, vm) = (free_port(), free_port());
        let places = Places {
            lan: vec![lan],
            serial: vec![vm],
            sol: Some(format!("telnet:127.0.0.1:{}", free_port())),
            ..Places::default()
        };
        let conf = bench.read("etc/ipmi/lan.conf");
        bench.write("etc/ipmi/lan.conf", adapt(&conf, &places));
        Self { bench, lan, vm }
    }

    /// Puts the records into a folder of the state directory.
    fn give_records(&self, folder: &str) {
        let records = fs::read(project("compat/qemu/sdr.20.main")).expect("the records");
        self.bench.write(&format!("{folder}/sdr.20.main"), records);
    }

    /// Starts it the way the original understands.
    fn start(&self, subject: Subject) -> Simulator {
        self.give_records("state/ipmi_sim/ipmisim1");
        let files = ["-c", "etc/ipmi/lan.conf", "-f", "etc/ipmi/ipmisim1.emu", "-s", "state"];
        Simulator::start(subject, &self.bench, self.lan, &files)
    }

    /// Starts it the way published instructions do: the configuration is the first word.
    fn start_as_published(&self) -> Simulator {
        let files = ["etc/ipmi/lan.conf", "-f", "etc/ipmi/ipmisim1.emu", "-s", "state"];
        Simulator::start(Subject::under_test(), &self.bench, self.lan, &files)
    }

    fn client(&self) -> Ipmitool {
        Ipmitool::new(self.lan, "ipmiusr", "test")
    }
}

/// The first word of each line that `sdr elist all` prints.
#[track_caller]
fn assert_lists_records(client: &Ipmitool) {
    let list = client.ok("sdr elist all");
    let names: Vec<_> = list.stdout.lines().filter_map(|line| line.split('|').next()).map(str::trim).collect();
    assert_eq!(names, RECORDS, "{}", list.report());
}

fn records_are_listed(subject: Subject) {
    let host = Host::new();
    let _simulator = host.start(subject);
    assert_lists_records(&host.client());
    let list = host.client().ok("sdr elist all");
    list.assert_says("MBTemp | 01h | ok | 7.1 | 30 degrees C")
        .assert_says("SubTemp | 01h | ok | 7.1 | 35 degrees C")
        .assert_says("mm1pres | 02h | ok | 8.1");
}

/// What the machine's firmware and its management see of each other.
fn machine_and_bmc(subject: Subject) {
    let host = Host::new();
    let mut simulator = host.start(subject);
    let client = host.client();
    client.ok("power status").assert_says("Chassis Power is off");

    let mut machine = VmHost::connect(host.vm);
    assert!(machine.wait_for_control(&[0xff, 1], LIMIT), "the simulator says its version");
    assert!(machine.wait_for_control(&[0], LIMIT), "and that nothing waits");
    machine.control(&[0xff, 1]);
    machine.control(&[8, support::vm_host::QEMU_CAPABILITIES]);
    let id = machine.request(APP, 0x01, &[]);
    assert_eq!(id, [0, 0, 3, 9, 8, 2, 0x9f, 0x91, 0x12, 0, 2, 0x0f, 0, 0, 0, 0], "{id:02x?}");

    client.ok("power status").assert_says("Chassis Power is on");
    client.ok("power reset").assert_says("Reset");
    assert!(machine.wait_for_control(&[4], LIMIT), "reset reaches the machine");
    client.ok("power soft");
    assert!(machine.wait_for_control(&[9], LIMIT), "soft shutdown reaches the machine");
    client.ok("power off");
    assert!(machine.wait_for_control(&[3], LIMIT), "power off reaches the machine");

    // QEMU ends at a power off; with reconnect=10 the next one comes back by itself.
    drop(machine);
    let off = eventually(LIMIT, || client.ok("power status").stdout.contains("is off").then_some(()));
    assert!(off.is_some(), "without a machine it is off");
    let mut machine = VmHost::connect_as_qemu(host.vm);
    assert!(machine.wait_for_control(&[0xff, 1], LIMIT));
    assert_eq!(machine.request(APP, 0x01, &[])[0], 0);
    client.ok("power status").assert_says("Chassis Power is on");

    // One machine at a time; a second one does not disturb the first.
    let mut second = VmHost::connect(host.vm);
    assert!(second.is_closed(LIMIT));
    assert_eq!(machine.request(APP, 0x01, &[])[0], 0);
    simulator.assert_alive();
}

/// The event message buffer raises attention, and what the machine logs is read outside.
fn events_of_the_machine(subject: Subject) {
    let host = Host::new();
    let _simulator = host.start(subject);
    let client = host.client();
    let mut machine = VmHost::connect_as_qemu(host.vm);
    machine.request(APP, 0x01, &[]);

    // Event message buffer and its interrupt on, then an event.
    assert_eq!(machine.request(APP, 0x2e, &[0x0e]), [0]);
    machine.take_controls(Duration::from_millis(50));
    let event = [0x41, 0x04, 0x0c, 0x05, 0x6f, 0x02, 0xff, 0xff];
    if subject == Subject::Original {
        // 2.0.33 refuses Platform Event from the machine; Add SEL Entry does the same there.
        assert_eq!(machine.request(SENSOR_EVENT, 0x02, &event), [0xc1]);
    } else {
        assert_eq!(machine.request(SENSOR_EVENT, 0x02, &event), [0]);
        assert!(machine.wait_for_control(&[2], LIMIT), "attention with interrupt");
        assert_eq!(machine.request(APP, 0x31, &[]), [0, 2], "the buffer is full");
        let read = machine.request(APP, 0x35, &[]);
        assert_eq!(read[0], 0);
        assert_eq!(read[10..], [0x04, 0x0c, 0x05, 0x6f, 0x02, 0xff, 0xff], "{read:02x?}");
        assert!(machine.wait_for_control(&[0], LIMIT), "attention is over");
        client.ok("sel list").assert_says("Memory #0x05");
    }

    let record = [0, 0, 2, 0, 0, 0, 0, 0x21, 0, 4, 0x01, 0x30, 0x01, 0x59, 0x80, 0x70];
    assert_eq!(machine.request(STORAGE, 0x44, &record)[0], 0, "Add SEL Entry");
    client.ok("sel list").assert_says("Temperature #0x30").assert_says("Upper Critical going high");
    // And the other way round.
    client.ok("sel clear");
    let info = machine.request(STORAGE, 0x40, &[]);
    assert_eq!(info[..4], [0, 0x51, 0, 0], "{info:02x?}");
}

/// The watchdog timer, set inside, resets the machine.
fn watchdog_resets(subject: Subject) {
    let host = Host::new();
    let _simulator = host.start(subject);
    let mut machine = VmHost::connect_as_qemu(host.vm);
    machine.request(APP, 0x01, &[]);
    // SMS/OS, hard reset, 0.5 s.
    assert_eq!(machine.request(APP, 0x24, &[0x44, 1, 0, 0, 5, 0])[0], 0);
    assert_eq!(machine.request(APP, 0x22, &[]), [0]);
    assert!(machine.wait_for_control(&[4], LIMIT), "the watchdog resets the machine");
    let said = host.client().ok("sel elist").stdout;
    assert!(said.contains("Watchdog"), "{said}");
}

/// `startcmd`: power on starts the machine, power off ends it, and it outlives the simulator.
fn start_command(subject: Subject) {
    let host = Host::new();
    host.bench.write("vm.sh", "echo $$ >vm.pid\nexec sleep 60\n");
    let conf = host.bench.read("etc/ipmi/lan.conf");
    let with_command = conf.replace("  startnow false", "  startcmd \"sh vm.sh\"\n  startnow false");
    assert_ne!(conf, with_command);
    host.bench.write("etc/ipmi/lan.conf", with_command);
    let simulator = host.start(subject);
    let client = host.client();
    client.ok("power status").assert_says("Chassis Power is off");
    client.ok("power on");
    let first = pid_of_machine(&host);
    client.ok("power status").assert_says("Chassis Power is on");
    // Without a connection the process gets SIGTERM at the next tick.
    client.ok("power off");
    let gone = eventually(LIMIT, || (!process::alive(first)).then_some(()));
    assert!(gone.is_some(), "power off ends the machine");
    client.ok("power status").assert_says("Chassis Power is off");

    fs::remove_file(host.bench.path("vm.pid")).expect("vm.pid");
    client.ok("power on");
    let second = pid_of_machine(&host);
    simulator.stop();
    assert!(process::alive(second), "the machine outlives the simulator");
    process::signal(second, nix::sys::signal::Signal::SIGTERM);
}

#[track_caller]
fn pid_of_machine(host: &Host) -> u32 {
    eventually(LIMIT, || fs::read_to_string(host.bench.path("vm.pid")).ok()?.trim().parse().ok())
        .expect("the machine runs")
}

#[test]
fn start_command_of_a_machine() {
    start_command(Subject::under_test());
}

#[test]
fn start_command_of_a_machine_with_the_original() {
    start_command(Subject::Original);
}

/// `startnow`, a command as published files have them (redirection, `$(...)`, more than 1,000
/// characters), a machine killed from outside, and one that does not listen to SIGTERM.
#[test]
fn a_start_command_is_a_shell_line_and_its_end_is_seen() {
    let host = Host::new();
    host.bench
        .write("vm.sh", "echo $$ >vm.pid\nprintf '%s' \"$1\" >vm.word\ntrap '' TERM\nwhile :; do sleep 1; done\n");
    let conf = host.bench.read("etc/ipmi/lan.conf");
    let long = "x".repeat(1200);
    let line = format!("  startcmd \"sh vm.sh $(printf %s {long}) >vm.log 2>&1\"\n  startnow true\n  kill_wait 1");
    let with_command = conf.replace("  startnow false", &line);
    assert_ne!(conf, with_command);
    host.bench.write("etc/ipmi/lan.conf", with_command);
    let mut simulator = host.start(Subject::under_test());
    let client = host.client();
    let first = pid_of_machine(&host);
    client.ok("power status").assert_says("Chassis Power is on");
    let word = eventually(LIMIT, || Some(host.bench.read("vm.word")).filter(|word| !word.is_empty()));
    assert_eq!(word.as_deref(), Some(long.as_str()), "the shell took the line whole");

    // Killed under us: it is off, and can be switched on again.
    process::signal(first, nix::sys::signal::Signal::SIGKILL);
    let off = eventually(LIMIT, || client.ok("power status").stdout.contains("is off").then_some(()));
    assert!(off.is_some(), "the end of the machine is seen");
    fs::remove_file(host.bench.path("vm.pid")).expect("vm.pid");
    client.ok("power on");
    let second = pid_of_machine(&host);
    assert_ne!(second, first);

    // SIGTERM is ignored, SIGKILL follows kill_wait seconds later.
    client.ok("power off");
    let gone = eventually(LIMIT, || (!process::alive(second)).then_some(()));
    assert!(gone.is_some(), "a machine that does not end is killed");
    client.ok("power status").assert_says("Chassis Power is off");
    simulator.assert_alive();
}

#[test]
fn records_are_listed_from_the_originals_place() {
    records_are_listed(Subject::under_test());
}

#[test]
fn records_are_listed_by_the_original() {
    records_are_listed(Subject::Original);
}

/// `ipmi_sim CONFIG -f EMU -s DIR`: the original ignores the first word and reads its default
/// configuration instead; and it finds state only below `DIR/ipmi_sim/NAME`.
#[test]
fn published_instructions_work() {
    let host = Host::new();
    host.give_records("state/ipmisim1");
    let simulator = host.start_as_published();
    assert_lists_records(&host.client());
    assert_lists_records(&host.client().by(Transport::Lanplus));
    assert_lists_records(&host.client().by(Transport::Lan));

    // A record added by a client is written to the original's place and found there next
    // time; what lay in the published place stays as it was.
    let before = host.bench.read("state/ipmisim1/sdr.20.main");
    host.client().ok("raw 0x0a 0x24 0 0 0x51 0x12 0x0f 0x20 0 0 0x8f 0 0 0 7 1 0 0xc4 0x65 0x78 0x74 0x61");
    let written = eventually(LIMIT, || {
        fs::read_to_string(host.bench.path("state/ipmi_sim/ipmisim1/sdr.20.main"))
            .is_ok_and(|text| text.contains("exta"))
            .then_some(())
    });
    assert!(written.is_some(), "the record is written below state/ipmi_sim");
    assert_eq!(host.bench.read("state/ipmisim1/sdr.20.main"), before);
    simulator.stop();
    let _simulator = host.start_as_published();
    host.client().ok("sdr elist all").assert_says("exta").assert_says("mm2frudev");
}

/// `-c` wins over a first word, which then means nothing, as with the original.
#[test]
fn a_named_configuration_wins_over_a_first_word() {
    let host = Host::new();
    let _simulator = Simulator::start(
        Subject::under_test(),
        &host.bench,
        host.lan,
        &["nowhere.conf", "-c", "etc/ipmi/lan.conf", "-f", "etc/ipmi/ipmisim1.emu", "-s", "state"],
    );
    host.client().ok("mc info");
}

#[test]
fn machine_and_bmc_with_ours() {
    machine_and_bmc(Subject::under_test());
}

#[test]
fn machine_and_bmc_with_the_original() {
    machine_and_bmc(Subject::Original);
}

#[test]
fn events_of_the_machine_with_ours() {
    events_of_the_machine(Subject::under_test());
}

#[test]
fn events_of_the_machine_with_the_original() {
    events_of_the_machine(Subject::Original);
}

#[test]
fn watchdog_resets_the_machine() {
    watchdog_resets(Subject::under_test());
}

#[test]
fn watchdog_resets_the_machine_with_the_original() {
    watchdog_resets(Subject::Original);
}

/// A machine that goes away in the middle of a message leaves nothing behind: the first
/// message of the next one is understood.
#[test]
fn half_a_message_does_not_spoil_the_next_machine() {
    let host = Host::new();
    let mut simulator = host.start(Subject::under_test());
    let mut machine = VmHost::connect_as_qemu(host.vm);
    machine.request(APP, 0x01, &[]);
    machine.send_raw(&[0x05, 0x18, 0x01]);
    drop(machine);
    let mut machine = VmHost::connect(host.vm);
    assert_eq!(machine.request(APP, 0x01, &[])[0], 0);
    simulator.assert_alive();
}

/// A machine that sends and never reads holds up nobody, and its end is no end of the BMC.
#[test]
fn a_machine_that_does_not_read_holds_up_nobody() {
    let host = Host::new();
    let mut simulator = host.start(Subject::under_test());
    let mut machine = VmHost::connect_as_qemu(host.vm);
    machine.request(APP, 0x01, &[]);
    // Get Device ID, 100000 times: far more responses than a connection takes unread.
    let flood = [0x01, 0x18, 0x01, 0xe6, 0xa0].repeat(100_000);
    let sender = std::thread::spawn(move || {
        machine.send_until_refused(&flood, Duration::from_secs(2));
        machine
    });
    for _ in 0..3 {
        let info = host.client().ok("mc info");
        assert!(info.elapsed < Duration::from_secs(2), "{}", info.report());
    }
    drop(sender.join().expect("the machine"));
    host.client().ok("mc info");
    let mut machine = VmHost::connect_as_qemu(host.vm);
    assert_eq!(machine.request(APP, 0x01, &[])[0], 0);
    simulator.assert_alive();
}
