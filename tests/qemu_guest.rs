//! A real Linux guest in QEMU behind each of its IPMI devices: its drivers, its ipmitool, its
//! watchdog, and the power of the machine in the hands of a client on the LAN.
//!
//! The machine is the `startcmd` of the deployment in `compat/qemu`, so every start and end
//! of it goes through the BMC.

mod guest;
mod support;

use std::fs;
use std::time::{Duration, Instant};

use guest::{Console, Interface, MachineGuard};
use support::bench::{free_port, project};
use support::config::{Places, adapt};
use support::process::{self, eventually};
use support::pty::Pty;
use support::{Bench, Ipmitool, Simulator, Subject};

/// Time for something to reach the other side; far more than it takes.
const LIMIT: Duration = Duration::from_secs(30);
/// The driver's counters.
const STATISTICS: &str = "/sys/class/ipmi/ipmi0/device";

/// A BMC, and the machine it starts.
struct Rig<'a> {
    bench: &'a Bench,
    simulator: Option<Simulator>,
    lan: u16,
    interface: Interface,
    console: Console,
    _guard: MachineGuard<'a>,
}

impl<'a> Rig<'a> {
    /// The files of the deployment with a start command; the machine has booted.
    fn start(bench: &'a Bench, interface: Interface) -> Self {
        bench.copy_tree("compat/qemu", "etc/ipmi");
        let (lan, vm, sol) = (free_port(), free_port(), free_port());
        let places = Places {
            lan: vec![lan],
            serial: vec![vm],
            sol: Some(format!("telnet:127.0.0.1:{sol}")),
            ..Places::default()
        };
        let conf = adapt(&bench.read("etc/ipmi/lan.conf"), &places);
        let with_command = conf.replace("  startnow false", "  startcmd \"sh machine.sh\"\n  startnow false");
        assert_ne!(conf, with_command);
        bench.write("etc/ipmi/lan.conf", with_command);
        let records = fs::read(project("compat/qemu/sdr.20.main")).expect("the records");
        bench.write("state/ipmi_sim/ipmisim1/sdr.20.main", records);
        guest::write_machine(bench, interface, vm, &format!("mon:telnet:127.0.0.1:{sol},server,telnet,nowait"));
        let simulator = start_simulator(bench, lan);
        let guard = MachineGuard(bench);
        let client = Ipmitool::new(lan, "ipmiusr", "test");
        client.ok("power status").assert_says("Chassis Power is off");
        client.ok("power on");
        let mut console = Console::open(bench);
        console.wait_for_boot();
        Self { bench, simulator: Some(simulator), lan, interface, console, _guard: guard }
    }

    fn client(&self) -> Ipmitool {
        Ipmitool::new(self.lan, "ipmiusr", "test")
    }

    /// Waits for the machine the BMC has started (again).
    fn wait_for_machine(&mut self) {
        self.console = Console::open_next(self.bench);
    }

    #[track_caller]
    fn wait_for_power(&self, state: &str) {
        let wanted = format!("Chassis Power is {state}");
        let seen = eventually(LIMIT, || self.client().ok("power status").stdout.contains(&wanted).then_some(()));
        assert!(seen.is_some(), "not {state}: {}", self.client().run("power status").report());
    }

    /// One of the driver's counters.
    fn statistic(&mut self, name: &str) -> u64 {
        self.console.number(&format!("cat {STATISTICS}/{name}"))
    }
}

fn start_simulator(bench: &Bench, lan: u16) -> Simulator {
    let files = ["-c", "etc/ipmi/lan.conf", "-f", "etc/ipmi/ipmisim1.emu", "-s", "state"];
    Simulator::start(Subject::under_test(), bench, lan, &files)
}

/// The driver found the device, and takes its interrupt.
fn the_driver_finds_the_bmc(rig: &mut Rig) {
    let name = rig.interface.name();
    rig.console.says("dmesg", "Found new BMC (man_id: 0x001291, prod_id: 0x0f02");
    rig.console.says("dmesg", &format!("IPMI {name} interface initialized"));
    rig.console.says(&format!("cat {STATISTICS}/type"), name);
    rig.console.says("grep ipmi_si /proc/interrupts", "ipmi_si");
    assert_eq!(rig.statistic("interrupts_enabled"), 1);
}

/// What an administrator runs in the guest.
fn commands_in_the_guest(rig: &mut Rig) {
    let console = &mut rig.console;
    let info = console.says("ipmitool mc info", "Device Revision : 3");
    assert!(info.contains("9.08") && info.contains("4753"), "{info}");
    console.says("ipmitool sdr elist all", "MBTemp | 01h | ok | 7.1 | 30 degrees C");
    console.says("ipmitool sdr elist all", "SubTemp | 01h | ok | 7.1 | 35 degrees C");
    console.says("ipmitool sdr type temperature", "MBTemp");
    console.says("ipmitool sensor get MBTemp", "Upper Non-Recoverable : 160.000");
    console.says("ipmitool chassis status", "System Power : on");
    console.says("ipmitool channel info 15", "Session Count");
    console.says("ipmitool lan print 1", "IP Address");
    console.says("ipmitool user list 1", "ipmiusr");
    console.says("ipmitool mc getenables", "Event Message Buffer : enabled");
    console.says("ipmitool mc selftest", "passed");
    console.says("ipmitool mc guid", "GUID");
    console.ok("ipmitool sel clear");
    console.ok("ipmitool sel time set now");
    console.ok("ipmitool sel time get");
    let clock = seconds_of_sel_clock(&console.ok("ipmitool raw 0x0a 0x48"));
    let difference = clock.abs_diff(console.number("date +%s"));
    assert!(difference < 60, "the clock of the event log is {difference} s from the guest's");
    console.ok("echo '0x04 0x0c 0x05 0x6f 0x00 0x00 0x00 # in the guest' >/tmp/event; ipmitool sel add /tmp/event");
    console.says("ipmitool sel list", "Memory #0x05 | Correctable ECC");
    console.says("ipmitool sel info", "Entries : 1");
    assert_ne!(console.run("ipmitool raw 0x06 0xee").status, 0, "a command that does not exist is refused");
    // Two programs at once.
    console.ok("ipmitool sdr >/tmp/one & ipmitool sdr >/tmp/two; wait; cmp /tmp/one /tmp/two && grep MBTemp /tmp/one");
}

/// The seconds in a response to Get SEL Time, four bytes as ipmitool prints them, lowest first.
fn seconds_of_sel_clock(printed: &str) -> u64 {
    let bytes = printed.split_whitespace().filter_map(|byte| u64::from_str_radix(byte, 16).ok());
    let bytes: Vec<u64> = bytes.collect();
    assert_eq!(bytes.len(), 4, "{printed}");
    bytes.iter().rev().fold(0, |seconds, byte| seconds << 8 | byte)
}

/// What one side writes, the other reads.
fn both_sides_see_the_same(rig: &mut Rig) {
    let client = rig.client();
    client.ok("sel list").assert_says("Memory #0x05 | Correctable ECC");
    client.ok("raw 0x0a 0x44 0 0 2 0 0 0 0 0x21 0 4 0x01 0x30 0x01 0x59 0x80 0x70");
    rig.console.says("ipmitool sel list", "Temperature #0x30 | Upper Critical going high");

    rig.console.ok("ipmitool user set name 5 inside");
    client.ok("user list 1").assert_says("inside");
    client.ok("user set name 6 outside");
    rig.console.says("ipmitool user list 1", "outside");

    rig.console.ok("ipmitool lan set 1 ipaddr 192.0.2.7");
    client.ok("lan print 1").assert_says("192.0.2.7");
    client.ok("lan set 1 netmask 255.255.255.128");
    rig.console.says("ipmitool lan print 1", "255.255.255.128");

    rig.console.ok("ipmitool chassis policy always-on");
    client.ok("chassis status").assert_says("Power Restore Policy : always-on");
    client.ok("sel clear");
    rig.console.says("ipmitool sel list", "SEL has no entries");
}

/// Every command ends with an interrupt, and none takes as long as the 10 ms a delay on either
/// side would make of it.
fn nothing_waits_for_polling(rig: &mut Rig) {
    const COUNT: u64 = 200;
    rig.console
        .ok(&format!("i=0; while [ $i -lt {COUNT} ]; do echo raw 6 1; i=$((i+1)); done >/tmp/many; echo >/tmp/none"));
    let before = rig.statistic("interrupts");
    // The best of three: the machine this runs on may be busy.
    let times: Vec<u64> = (0..3)
        .map(|_| {
            // In hundredths of a second, without the time ipmitool needs to start.
            let clock = "cut -d' ' -f1 /proc/uptime | tr -d .";
            let measure = |file: &str| {
                format!("a=$({clock}); ipmitool exec /tmp/{file} >/dev/null 2>&1; b=$({clock}); echo $((b-a))")
            };
            let (many, none) = (rig.console.number(&measure("many")), rig.console.number(&measure("none")));
            many.saturating_sub(none)
        })
        .collect();
    let interrupts = rig.statistic("interrupts") - before;
    let best = times.iter().min().copied().unwrap_or_default();
    println!(
        "{:?}: {COUNT} commands in {times:?} hundredths of a second, {:.1} interrupts each",
        rig.interface,
        interrupts as f64 / (3 * COUNT) as f64
    );
    // A busy driver may see a response before its interrupt.
    assert!(interrupts >= 2 * COUNT, "{interrupts} interrupts for {} commands", 3 * COUNT);
    assert!(best < COUNT, "{COUNT} commands took {best} hundredths of a second");
}

/// An event from outside raises attention, and the driver fetches it at once.
fn attention_reaches_the_driver(rig: &mut Rig) {
    let (attentions, events) = (rig.statistic("attentions"), rig.statistic("events"));
    let client = rig.client();
    // Upper critical going high, MBTemp.
    client.ok("event 1");
    client.ok("event 2");
    let seen = eventually(LIMIT, || (rig.statistic("events") >= events + 2).then_some(()));
    assert!(seen.is_some(), "the driver read {} events", rig.statistic("events") - events);
    assert!(rig.statistic("attentions") > attentions, "no attention");
}

fn watchdog_resets(rig: &mut Rig) {
    let client = rig.client();
    client.ok("sel clear");
    rig.console.ok("insmod /modules/ipmi_watchdog.ko timeout=2 pretimeout=0 action=reset start_now=1 nowayout=1");
    rig.console.wait_for_boot();
    client.ok("sel elist").assert_says("Watchdog").assert_says("Hard reset | Asserted");
    rig.console.says("ipmitool sel elist", "Hard reset | Asserted");
    client.ok("chassis restart_cause").assert_says("watchdog");
}

/// Heartbeats keep the watchdog from resetting; a daemon that is killed does not.
fn heartbeats_count(rig: &mut Rig) {
    rig.client().ok("sel clear");
    rig.console.ok("insmod /modules/ipmi_watchdog.ko timeout=4 pretimeout=0 action=reset nowayout=1");
    let began = Instant::now();
    rig.console.ok("watchdog -T 4 -t 500ms /dev/watchdog");
    rig.console.ok("sleep 6");
    assert!(began.elapsed() > Duration::from_secs(5));
    rig.client().ok("sel list").assert_says("SEL has no entries");
    rig.console.ok("kill -9 $(pidof watchdog)");
    rig.console.wait_for_boot();
    rig.client().ok("sel elist").assert_says("Hard reset | Asserted");
}

/// The simulator ends and comes back; the machine does not notice, but for a pause.
fn the_simulator_comes_back(rig: &mut Rig) {
    rig.simulator.take().expect("a simulator").stop();
    assert_ne!(rig.console.run("ipmitool mc info").status, 0, "there is no BMC");
    rig.simulator = Some(start_simulator(rig.bench, rig.lan));
    // The machine is still there, and connects again.
    rig.wait_for_power("on");
    let back = eventually(LIMIT, || (rig.console.run("ipmitool mc info").status == 0).then_some(()));
    assert!(back.is_some(), "the guest has no BMC");
    // A BMC that starts again has forgotten that the driver wants events. The driver looks once a
    // second, and only while a program that takes events has the device open.
    rig.console.ok("{ echo mc info; sleep 3; } | ipmitool exec /proc/self/fd/0 >/dev/null");
    rig.console.says("ipmitool mc getenables", "Event Message Buffer : enabled");
    rig.console.says("ipmitool user list 1", "inside");
    nothing_waits_for_polling(rig);
    attention_reaches_the_driver(rig);
}

/// A diagnostic interrupt is a non-maskable one in the guest.
fn diagnostic_interrupt(rig: &mut Rig) {
    const COUNT: &str = "awk '/NMI:/ { print $2 }' /proc/interrupts";
    let before = rig.console.number(COUNT);
    rig.client().ok("power diag");
    let seen = eventually(LIMIT, || (rig.console.number(COUNT) > before).then_some(()));
    assert!(seen.is_some(), "no non-maskable interrupt in the guest");
}

/// The guest's second serial port is the BMC's console.
fn console_over_lan(rig: &mut Rig) {
    rig.console.ok("stty raw -echo </dev/ttyS1");
    let mut terminal = Pty::new();
    let mut command = rig.client().command(&["sol", "activate"]);
    command.stdin(terminal.stdio()).stdout(terminal.stdio()).stderr(terminal.stdio());
    let mut client = process::spawn(&mut command, "ipmitool");
    assert!(terminal.wait_for("SOL Session operational", LIMIT), "{}", terminal.received.text());
    rig.console.ok("echo from the guest >/dev/ttyS1");
    assert!(terminal.wait_for("from the guest", LIMIT), "{}", terminal.received.text());
    // What comes while nobody has the port open is lost.
    rig.console.start("exec 3</dev/ttyS1; echo @@open@@; head -n 1 <&3");
    rig.console.wait_for("@@open@@");
    terminal.write("typed outside\n");
    rig.console.wait_for("typed outside");
    rig.console.wait_for("@@done 0@@");
    terminal.write("\r~.");
    assert!(process::wait(&mut client.0, LIMIT).is_some(), "{}", terminal.received.text());
}

#[test]
fn a_guest_with_isa_kcs() {
    let bench = Bench::new();
    let mut rig = Rig::start(&bench, Interface::IsaKcs);
    the_driver_finds_the_bmc(&mut rig);
    commands_in_the_guest(&mut rig);
    both_sides_see_the_same(&mut rig);
    nothing_waits_for_polling(&mut rig);
    attention_reaches_the_driver(&mut rig);
    diagnostic_interrupt(&mut rig);
    console_over_lan(&mut rig);
    the_simulator_comes_back(&mut rig);
    heartbeats_count(&mut rig);

    let client = rig.client();
    client.ok("power reset");
    rig.console.wait_for_boot();
    the_driver_finds_the_bmc(&mut rig);
    attention_reaches_the_driver(&mut rig);

    // The guest hears the power button and switches itself off.
    client.ok("power soft");
    rig.console.wait_for("@@button@@");
    rig.console.wait_for_end();
    rig.wait_for_power("off");

    client.ok("power on");
    rig.wait_for_machine();
    rig.wait_for_power("on");
    client.ok("power cycle");
    rig.console.wait_for_end();
    rig.wait_for_machine();
    rig.wait_for_power("on");
    client.ok("power off");
    rig.console.wait_for_end();
    rig.wait_for_power("off");
}

#[test]
fn a_guest_with_isa_bt() {
    let bench = Bench::new();
    let mut rig = Rig::start(&bench, Interface::IsaBt);
    the_driver_finds_the_bmc(&mut rig);
    commands_in_the_guest(&mut rig);
    nothing_waits_for_polling(&mut rig);
    attention_reaches_the_driver(&mut rig);
    watchdog_resets(&mut rig);
    // The guest switches itself off through the BMC.
    rig.console.ok("insmod /modules/ipmi_poweroff.ko");
    rig.console.start("poweroff -f");
    rig.console.wait_for_end();
    rig.wait_for_power("off");
}

#[test]
fn a_guest_with_pci_kcs() {
    let bench = Bench::new();
    let mut rig = Rig::start(&bench, Interface::PciKcs);
    the_driver_finds_the_bmc(&mut rig);
    commands_in_the_guest(&mut rig);
    nothing_waits_for_polling(&mut rig);
    attention_reaches_the_driver(&mut rig);
    watchdog_resets(&mut rig);
    rig.client().ok("power off");
    rig.console.wait_for_end();
    rig.wait_for_power("off");
}
