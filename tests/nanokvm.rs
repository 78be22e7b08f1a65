//! The deployment of a NanoKVM-class device: the tree of `compat/nanokvm` in a folder, run
//! by its own script, used by a client. Only ports, the serial device and the GPIO folder
//! are replaced. The same tree with the original in it is the witness that the swap is one.

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use support::bench::{free_port, project};
use support::board::{Board, Event};
use support::client::{CLIENT_LIMIT, Ran, Transport};
use support::config::{Places, adapt};
use support::process::{self, Guarded, alive, eventually, signal};
use support::pty::Pty;
use support::simulator::TIMEOUT;
use support::{Bench, Freeipmi, Ipmitool, Simulator, Stdin, Subject, built};

/// How long a client waits for a response that does not come; a command that takes this long
/// ran into such a wait.
const CLIENT_WAIT: Duration = Duration::from_millis(950);

/// The shell that runs the scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shell {
    Sh,
    BusyBox,
}

/// The tree in a temporary folder, with a machine and a serial port.
struct Device {
    bench: Bench,
    shell: Shell,
    port: u16,
    board: Board,
    /// The machine's end of the serial port.
    _serial: Pty,
}

impl Device {
    fn new(subject: Subject, shell: Shell) -> Self {
        let bench = Bench::new();
        let etc = bench.copy_tree("compat/nanokvm", "etc/ipmi");
        symlink(subject.program(), etc.join("ipmi_sim")).expect("the program beside its files");
        let port = free_port();
        let serial = Pty::with_echo();
        let script = etc.join("chassis_control.sh");
        let control = match shell {
            Shell::Sh => format!("{} 0x20", script.display()),
            Shell::BusyBox => format!("busybox sh {} 0x20", script.display()),
        };
        let places = Places {
            lan: vec![port],
            sol: Some(serial.path().display().to_string()),
            chassis_control: Some(control),
            ..Places::default()
        };
        let conf = bench.read("etc/ipmi/lan.conf");
        bench.write("etc/ipmi/lan.conf", adapt(&conf, &places));
        let board = Board::new(&bench.path("gpio"));
        Self { bench, shell, port, board, _serial: serial }
    }

    /// Runs `ipmi-sim.sh WORD`.
    fn script(&self, word: &str) -> Ran {
        let script = self.bench.path("etc/ipmi/ipmi-sim.sh");
        let (mut command, package) = match self.shell {
            Shell::Sh => (Command::new("sh"), "dash"),
            Shell::BusyBox => (Command::new("busybox"), "busybox"),
        };
        if self.shell == Shell::BusyBox {
            command.arg("sh");
        }
        command.arg(script).arg(word);
        self.run(&mut command, package)
    }

    /// Runs a program with what the scripts of this device have in their environment.
    fn run(&self, command: &mut Command, package: &str) -> Ran {
        command
            .current_dir("/")
            .env("PIDFILE", self.pidfile())
            .env("LOGFILE", self.bench.path("ipmi-sim.log"))
            .env("INIT_ROOT", self.bench.path("root"))
            .env("GPIO_DIR", self.bench.path("gpio"))
            .env("SHORT_PRESS", "60")
            .env("LONG_PRESS", "2000");
        Ran::run(command, package, CLIENT_LIMIT)
    }

    #[track_caller]
    fn start(&self) -> u32 {
        self.script("start").assert_ok();
        let up = eventually(Duration::from_secs(5), || {
            support::simulator::presence_ping(self.port, Duration::from_millis(20)).then_some(())
        });
        assert!(up.is_some(), "no BMC after start:\n{}", self.bench.read("ipmi-sim.log"));
        self.pid().expect("a process id")
    }

    fn pidfile(&self) -> PathBuf {
        self.bench.path("run/ipmi-sim.pid")
    }

    fn pid(&self) -> Option<u32> {
        fs::read_to_string(self.pidfile()).ok()?.trim().parse().ok()
    }

    fn client(&self) -> Ipmitool {
        Ipmitool::new(self.port, "admin", "admin")
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- ipmi-sim.log\n{}\n---",
                fs::read_to_string(self.bench.path("ipmi-sim.log")).unwrap_or_default()
            );
        }
        if let Some(pid) = self.pid().filter(|pid| alive(*pid)) {
            signal(pid, nix::sys::signal::Signal::SIGTERM);
            let gone = eventually(Duration::from_secs(2), || (!alive(pid)).then_some(()));
            if gone.is_none() {
                signal(pid, nix::sys::signal::Signal::SIGKILL);
            }
        }
    }
}

/// Start, second start, status, restart, stop.
fn life_of_the_service(subject: Subject, shell: Shell) {
    let device = Device::new(subject, shell);
    let before = device.script("status");
    before.assert_failed().assert_says("not running");

    let pid = device.start();
    device.script("status").assert_ok().assert_says(&pid.to_string());
    assert!(alive(pid));
    let cmdline = fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("its command line");
    assert!(cmdline.contains("ipmi_sim"), "{cmdline}");

    device.script("start").assert_ok().assert_says("already running");
    assert_eq!(device.pid(), Some(pid), "a second start starts no second one");

    device.script("restart").assert_ok();
    let next = device.pid().expect("a process id");
    assert_ne!(next, pid);
    assert!(!alive(pid) && alive(next));
    let serves = eventually(Duration::from_secs(5), || {
        support::simulator::presence_ping(device.port, Duration::from_millis(20)).then_some(())
    });
    assert!(serves.is_some(), "it serves after a restart");

    device.script("stop").assert_ok();
    assert!(!alive(next), "stop returns when it is gone");
    device.script("status").assert_failed().assert_says("not running");
    device.script("stop").assert_ok();

    // A process id left behind by a crash, since given to somebody else, is nobody of ours.
    fs::write(device.pidfile(), format!("{}\n", std::process::id())).expect("a pid file");
    device.script("status").assert_failed().assert_says("not running");
    fs::remove_file(device.pidfile()).expect("the pid file");
}

/// `enable` and `disable` below another root, for each kind of init.
fn starts_at_boot(shell: Shell) {
    let device = Device::new(Subject::under_test(), shell);
    let script = device.bench.path("etc/ipmi/ipmi-sim.sh");
    let points_to_script = |link: &str| {
        let link = device.bench.path("root").join(link);
        fs::canonicalize(&link).is_ok_and(|to| to == fs::canonicalize(&script).expect("the script"))
    };
    let gone = |link: &str| !device.bench.path("root").join(link).exists();

    // BusyBox init runs /etc/init.d/S*.
    fs::create_dir_all(device.bench.path("root/etc/init.d")).expect("a folder");
    device.script("enable").assert_ok();
    assert!(points_to_script("etc/init.d/S99ipmi-sim"));
    device.script("disable").assert_ok();
    assert!(gone("etc/init.d/S99ipmi-sim"));

    // SysV: links in the run levels.
    for level in 0..7 {
        let folder = device.bench.path(&format!("root/etc/rc{level}.d"));
        fs::create_dir_all(folder).expect("a folder");
    }
    device.script("enable").assert_ok();
    assert!(points_to_script("etc/rc2.d/S99ipmi-sim") && points_to_script("etc/rc0.d/K01ipmi-sim"));
    device.script("disable").assert_ok();
    assert!(gone("etc/rc2.d/S99ipmi-sim") && gone("etc/init.d/ipmi-sim"));

    // systemd, where that is what runs.
    fs::create_dir_all(device.bench.path("root/run/systemd/system")).expect("a folder");
    device.script("enable").assert_ok();
    let unit = "etc/systemd/system/ipmi-sim.service";
    assert!(device.bench.read(&format!("root/{unit}")).contains(&script.display().to_string()));
    assert!(!gone("etc/systemd/system/multi-user.target.wants/ipmi-sim.service"));
    device.script("disable").assert_ok();
    assert!(gone(unit));
}

/// The blocks of the page that are for a shell on the device, with its folder.
fn steps_of_the_page(device: &Device) -> Vec<String> {
    let page = fs::read_to_string(project("compat/nanokvm/README.md")).expect("the page");
    let folder = device.bench.path("etc/ipmi").display().to_string();
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("its end"));
    blocks.map(|block| block.replace("/etc/ipmi", &folder)).collect()
}

/// What runs on the device, by its process.
fn running(device: &Device) -> PathBuf {
    let pid = device.pid().expect("a process id");
    fs::canonicalize(format!("/proc/{pid}/exe")).expect("its program")
}

#[test]
fn exchanged_for_the_original_and_back_as_the_page_says() {
    let device = Device::new(Subject::Original, Shell::Sh);
    device.start();
    let before = running(&device);
    device.client().ok("sel clear");
    fs::copy(Subject::under_test().program(), device.bench.path("etc/ipmi/ipmi_sim.new")).expect("a copy");
    let steps = steps_of_the_page(&device);
    assert_eq!(steps.len(), 2, "{steps:?}");
    for (step, there) in steps.iter().zip([device.bench.path("etc/ipmi/ipmi_sim"), before]) {
        device.run(Command::new("sh").arg("-c").arg(step), "dash").assert_ok();
        let serves = eventually(TIMEOUT, || {
            support::simulator::presence_ping(device.port, Duration::from_millis(20)).then_some(())
        });
        assert!(serves.is_some(), "no BMC after\n{step}");
        assert_eq!(running(&device), there, "after\n{step}");
        device.client().ok("mc info");
    }
    assert!(!device.bench.path("etc/ipmi/ipmi_sim.before").exists());
}

/// Every power command by one way, looking at what happens to the machine.
fn power_commands(device: &Device, client: &Ipmitool) {
    let board = &device.board;
    assert!(!board.is_on());
    board.take_events();
    client.ok("power status").assert_says("Chassis Power is off");
    client.ok("power on").assert_says("Chassis Power Control: Up/On");
    board.wait_for(Event::On);
    client.ok("power status").assert_says("Chassis Power is on");
    client.ok("chassis status").assert_says("System Power : on");
    client.ok("power reset").assert_says("Chassis Power Control: Reset");
    board.wait_for(Event::Reset);

    client.ok("power cycle").assert_says("Chassis Power Control: Cycle");
    board.wait_for(Event::ForcedOff);
    board.wait_for(Event::On);

    client.ok("power soft").assert_says("Chassis Power Control: Soft");
    board.wait_for(Event::ShutdownRequest);
    board.wait_for(Event::Off);
    client.ok("power status").assert_says("Chassis Power is off");

    client.ok("power on");
    board.wait_for(Event::On);
    client.ok("power off").assert_says("Chassis Power Control: Down/Off");
    board.wait_for(Event::ForcedOff);
    client.ok("power status").assert_says("Chassis Power is off");
    assert_eq!(board.take_events(), [], "nothing was pressed twice");
}

/// The rest of what the manual promises by one way.
fn other_commands(device: &Device, client: &Ipmitool) {
    let info = client.ok("mc info");
    info.assert_says("IPMI Version : 2.0").assert_says("Chassis Device");
    client.ok("chassis bootdev pxe").assert_says("Set Boot Device to pxe");
    assert_eq!(device.bench.read("etc/ipmi/boot").trim(), "pxe");
    client.ok("chassis bootdev none");
    assert_eq!(device.bench.read("etc/ipmi/boot").trim(), "none");
    client.ok("chassis identify 5").assert_says("Chassis identify interval");
    client.ok("fru print").assert_says("Product Name : KVM over IP");
    client.ok("sdr elist all").assert_says("KVM over IP | 00h | ok | 7.1 | Dynamic MC @ 20h");
}

/// Its records by every client, and how many there are.
fn records(device: &Device, subject: Subject) -> usize {
    let client = device.client();
    for words in ["sdr elist all", "sdr list", "sensor list", "sdr type watchdog2"] {
        client.ok(words).assert_not_says("erased").assert_not_says("Error");
    }
    let all = client.ok("sdr elist all");
    all.assert_says("KVM over IP | 00h | ok | 7.1 | Dynamic MC @ 20h")
        .assert_says("Watchdog | 00h | ns | 7.1 | Event-Only");
    // Over RMCP+ freeipmi cannot log in at the original.
    for driver in if subject == Subject::Original { &["LAN"][..] } else { &["LAN", "LAN_2_0"] } {
        let tools = Freeipmi::new(device.port, "admin", "admin", driver);
        tools.ok("ipmi-sensors", "--shared-sensors --entity-sensor-names").assert_not_says("unable");
        tools.ok("ipmi-fru", "").assert_says("KVM over IP");
    }
    let script = format!(
        "from pyghmi.ipmi import command\n\
        c = command.Command(bmc='127.0.0.1', port={}, userid='admin', password='admin')\n\
        print('sensors', list(c.get_sensor_data()), 'health', c.get_health()['health'])\n\
        # The original refuses to read as much of the inventory at once as pyghmi asks for.\n\
        print({})\n",
        device.port,
        if subject == Subject::Original {
            "'KVM over IP'"
        } else {
            "dict(c.get_inventory())['System']['Product name']"
        }
    );
    let ran = Ran::run(Command::new("/usr/bin/python3").args(["-c", &script]), "python3-pyghmi", CLIENT_LIMIT);
    ran.assert_ok().assert_says("sensors [] health 0").assert_says("KVM over IP");
    all.stdout.lines().count()
}

/// Gives the device another program.
fn exchange(device: &Device, subject: Subject) {
    let program = device.bench.path("etc/ipmi/ipmi_sim");
    fs::remove_file(&program).expect("the program there was");
    symlink(subject.program(), program).expect("the program beside its files");
}

fn every_command(subject: Subject, shell: Shell, ways: &[Transport]) {
    let device = Device::new(subject, shell);
    device.start();
    for way in ways {
        println!("by {way:?}");
        let client = device.client().by(*way);
        power_commands(&device, &client);
        other_commands(&device, &client);
    }
    device.script("stop").assert_ok();
}

/// A console through the network to the machine's serial port, as a person uses it.
fn serial_console(subject: Subject, ways: &[Transport]) {
    let device = Device::new(subject, Shell::Sh);
    device.start();
    for way in ways {
        let client = device.client().by(*way);
        let limit = Duration::from_secs(10);
        let (mut terminal, mut console) = open_console(&client);
        terminal.write("hello, machine\r");
        assert!(terminal.wait_for("echo: hello, machine", limit), "{way:?}: {}", terminal.received.text());
        // A second console is refused while the first is there.
        let second = client.run("sol activate");
        second.assert_failed().assert_says("SOL payload already active on another session");
        // The client's own way out.
        terminal.write("\r~.");
        assert!(process::wait(&mut console.0, limit).is_some(), "{way:?}: {}", terminal.received.text());
        client.run("sol deactivate").assert_says("SOL payload already de-activated");

        // Deactivated from elsewhere: the port is free for the next one.
        let (_terminal, _console) = open_console(&client);
        client.ok("sol deactivate");
        let (mut terminal, _console) = open_console(&client);
        terminal.write("next\r");
        assert!(terminal.wait_for("echo: next", limit), "{way:?}: {}", terminal.received.text());
        client.ok("sol deactivate");
    }
}

/// `ipmitool sol activate` on a terminal, with the first keystroke typed: the original loses
/// the first one of all (`sol.md` section 13), so it is an empty line.
fn open_console(client: &Ipmitool) -> (Pty, Guarded) {
    let mut terminal = Pty::new();
    let mut command = client.command(&["sol", "activate"]);
    command.stdin(terminal.stdio()).stdout(terminal.stdio()).stderr(terminal.stdio());
    let console = process::spawn(&mut command, "ipmitool");
    let up = terminal.wait_for("SOL Session operational", Duration::from_secs(10));
    assert!(up, "{}", terminal.received.text());
    terminal.write("\r");
    std::thread::sleep(Duration::from_millis(100));
    (terminal, console)
}

/// The fastest of three runs: how long a command takes when nothing else holds it up.
fn fastest(client: &Ipmitool, words: &str) -> Duration {
    (0..3).map(|_| client.ok(words).elapsed).min().expect("three runs")
}

#[test]
fn life_of_the_service_under_sh() {
    life_of_the_service(Subject::under_test(), Shell::Sh);
}

#[test]
fn life_of_the_service_under_busybox() {
    life_of_the_service(Subject::under_test(), Shell::BusyBox);
}

#[test]
fn life_of_the_service_with_the_original() {
    life_of_the_service(Subject::Original, Shell::Sh);
    life_of_the_service(Subject::Original, Shell::BusyBox);
}

#[test]
fn starts_at_boot_under_sh() {
    starts_at_boot(Shell::Sh);
}

#[test]
fn starts_at_boot_under_busybox() {
    starts_at_boot(Shell::BusyBox);
}

#[test]
fn every_command_by_lanplus() {
    every_command(Subject::under_test(), Shell::Sh, &[Transport::Lanplus, Transport::Suite(17)]);
}

#[test]
fn every_command_by_suite_3_and_lan_under_busybox() {
    every_command(Subject::under_test(), Shell::BusyBox, &[Transport::Suite(3), Transport::Lan]);
}

#[test]
fn every_command_with_the_original() {
    every_command(Subject::Original, Shell::Sh, &[Transport::Suite(3)]);
}

/// The records are there from the first start on, once, whichever program runs; a client's own stay.
#[test]
fn records_are_there_once_however_often_it_starts() {
    let device = Device::new(Subject::Original, Shell::BusyBox);
    let started = |subject: Subject| {
        device.script("stop").assert_ok();
        exchange(&device, subject);
        device.start();
        records(&device, subject)
    };
    for subject in [Subject::Original, Subject::Original, Subject::under_test(), Subject::under_test()] {
        assert_eq!(started(subject), 2, "{subject:?}");
    }
    let added =
        device.client().ok("raw 0x0a 0x24 0 0 0x51 0x12 0x0f 0x30 0 0 0x8f 0 0 0 7 1 0 0xc4 0x6e 0x65 0x77 0x32");
    added.assert_says("03 00");
    for subject in [Subject::under_test(), Subject::Original, Subject::under_test()] {
        assert_eq!(started(subject), 3, "{subject:?}");
        device.client().ok("sdr elist all").assert_says("new2");
    }
    device.script("stop").assert_ok();
}

/// What a client has cleared stays cleared, and without its file the device has no records but our own.
#[test]
fn records_that_a_client_removed_do_not_come_back() {
    let device = Device::new(Subject::under_test(), Shell::Sh);
    device.start();
    let reservation = device.client().ok("raw 0x0a 0x22").stdout.trim().to_owned();
    let bytes: Vec<String> = reservation.split(' ').map(|byte| format!("0x{byte}")).collect();
    device.client().ok(&format!("raw 0x0a 0x27 {} 0x43 0x4c 0x52 0xaa", bytes.join(" ")));
    device.script("restart").assert_ok();
    // Our own locator stands in an empty repository.
    device.client().ok("sdr elist all").assert_says("BMC").assert_not_says("KVM over IP").assert_not_says("Watchdog");
}

/// The records are those of their source.
#[test]
fn records_are_compiled_from_their_source() {
    let compiled = Command::new(env!("CARGO_BIN_EXE_sdrcomp"))
        .args(["-8", "compat/nanokvm/records.sdrs"])
        .current_dir(project(""))
        .output()
        .expect("sdrcomp runs");
    // The time of the last addition is that of the run.
    let items = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with("last_add_time")).map(str::to_owned).collect()
    };
    let kept = fs::read_to_string(project("compat/nanokvm/sdr.20.main")).expect("the records");
    assert_eq!(items(&kept), items(&String::from_utf8_lossy(&compiled.stdout)));
    assert_eq!(items(&kept).len(), 2);
}

#[test]
fn serial_console_by_every_way() {
    let ways = [Transport::Lanplus, Transport::Suite(3), Transport::Suite(17)];
    serial_console(Subject::under_test(), &ways);
}

#[test]
fn serial_console_with_the_original() {
    serial_console(Subject::Original, &[Transport::Suite(3)]);
}

/// The manual of such devices says "use -C 3, it is slow otherwise". Not any more.
#[test]
fn no_command_needs_a_cipher_suite_to_be_fast() {
    let device = Device::new(Subject::under_test(), Shell::Sh);
    device.start();
    for words in [
        "mc info",
        "power status",
        "chassis status",
        "chassis bootdev pxe",
        "sdr elist all",
        "sel info",
        "user list 1",
        "lan print 1",
        "channel info",
        "sol info 1",
    ] {
        let with = fastest(&device.client(), words);
        let without = fastest(&device.client().by(Transport::Lanplus), words);
        println!("{words}: {with:?} with -C 3, {without:?} without");
        assert!(without < CLIENT_WAIT, "{words}: {without:?} without -C, {with:?} with");
    }
}

/// The watchdog presses the buttons of the machine that looks after itself no more.
#[test]
fn a_watchdog_behind_a_program_resets_by_it() {
    let device = Device::new(Subject::under_test(), Shell::Sh);
    device.start();
    let (client, board) = (device.client(), &device.board);
    client.ok("power on");
    board.wait_for(Event::On);
    for (action, events) in [(1, &[Event::Reset][..]), (3, &[Event::ForcedOff, Event::On]), (2, &[Event::ForcedOff])] {
        board.take_events();
        client.ok(&format!("raw 6 0x24 4 {action} 0 0x3e 3 0"));
        client.ok("raw 6 0x22");
        for event in events {
            board.wait_for(*event);
        }
        client.ok("raw 6 0x25").assert_says(&format!("04 0{action} 00 10"));
        client.ok("sel list last 1").assert_says("Watchdog");
    }
    client.ok("chassis restart_cause").assert_says("watchdog");
    device.script("stop").assert_ok();
}

/// A chassis program that takes its time keeps nobody else waiting.
#[test]
fn a_slow_chassis_program_freezes_nobody() {
    let device = Device::new(Subject::under_test(), Shell::Sh);
    device
        .bench
        .write_program("etc/ipmi/chassis_control.sh", "#!/bin/sh\ncase \"$2\" in set) sleep 3;; esac\necho power:1\n");
    device.start();
    let client = device.client();
    let patient = client.with(&["-N", "5", "-R", "1"]);
    let slow = std::thread::spawn(move || patient.run("power reset"));
    std::thread::sleep(Duration::from_millis(300));
    let info = fastest(&client, "mc info");
    assert!(!slow.is_finished(), "the slow command is still being worked on");
    assert!(info < CLIENT_WAIT, "mc info took {info:?} meanwhile");
    let slow = slow.join().expect("the slow client");
    slow.assert_ok();
    assert!(slow.elapsed >= Duration::from_secs(3), "{:?}", slow.elapsed);
}

/// What a small device wants to know beforehand: time from start to ready, and memory. Shown
/// with `--nocapture`. An emulator's own share is in both, so the limits are wide: a program that
/// waits for something at its start, or takes memory it does not need, is beyond them.
#[test]
fn is_ready_soon_and_small() {
    const STARTS: usize = 5;
    let device = Device::new(Subject::under_test(), Shell::Sh);
    let words = ["-n", "-c", "etc/ipmi/lan.conf", "-f", "etc/ipmi/sim.emu", "-s", "state", "--ready-line"];
    let mut times = Vec::new();
    let (mut memory, mut resident) = (String::new(), 0);
    for _ in 0..STARTS {
        let start = Instant::now();
        let simulator = Simulator::spawn(Subject::Ours, &device.bench, &words, Stdin::Null);
        assert!(simulator.stdout.wait_for(" is ready\n", TIMEOUT), "{}", simulator.report());
        times.push(start.elapsed());
        device.client().ok("mc info");
        let status = fs::read_to_string(format!("/proc/{}/status", simulator.pid())).expect("its status");
        let sizes = status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("RssAnon"));
        memory = sizes.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ");
        resident = memory.split(' ').nth(1).and_then(|size| size.parse().ok()).unwrap_or(u32::MAX);
        simulator.stop();
    }
    times.sort();
    let median = times.get(STARTS / 2).expect("a median");
    println!("start to ready: {:.1} ms (median of {STARTS}); after mc info {memory}", median.as_secs_f64() * 1000.0);
    assert!(*median < Duration::from_secs(2), "{times:?}");
    assert!(resident < 32 * 1024, "{memory}");
}

/// Everything above that is about our program, once more with a static one.
fn holds_for(processor: &str) {
    let program = built::static_program(processor);
    let again = Command::new(std::env::current_exe().expect("this program"))
        .args(["--skip", "original", "--skip", "static", "--nocapture", "--test-threads", "1"])
        .env("IPMI_SIM_PROGRAM", program)
        .output()
        .expect("this program once more");
    let said = String::from_utf8_lossy(&again.stdout);
    println!("{said}");
    assert!(again.status.success(), "{said}\n{}", String::from_utf8_lossy(&again.stderr));
    assert!(said.contains("every_command_by_lanplus") && said.contains("start to ready"), "{said}");
}

#[test]
fn static_program_for_this_machine() {
    holds_for("x86_64");
}

#[test]
#[ignore = "the first build takes minutes and a network: packaging/test.sh riscv64"]
fn static_program_for_riscv64() {
    holds_for("riscv64");
}

#[test]
#[ignore = "the first build takes minutes and a network: packaging/test.sh aarch64"]
fn static_program_for_aarch64() {
    holds_for("aarch64");
}

#[test]
#[ignore = "the first build takes minutes and a network: packaging/test.sh armv7"]
fn static_program_for_armv7() {
    holds_for("armv7");
}
