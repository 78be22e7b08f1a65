//! Serial over LAN with every client there is, to every kind of port, byte by byte; and what happens
//! when clients, ports and datagrams come and go.

mod support;

use std::io::Write;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::termios::{self, BaudRate, ControlFlags};
use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::process::{contains, eventually};
use support::pty::Pty;
use support::rmcp_client::{Response, RmcpClient};
use support::sol::{
    self, Console, EchoingMachine, LIMIT, Machine, Relay, SolConsole, Terminal, deactivate, descriptors,
};
use support::{Bench, Freeipmi, Ipmitool, Simulator, Subject, Transport};

const ADMINISTRATOR: u8 = 4;
const TRANSPORT: u8 = 0x0c << 2;
const SET_SOL_PARAMETERS: u8 = 0x21;

struct Bmc {
    simulator: Simulator,
    bench: Bench,
    port: u16,
}

impl Bmc {
    /// With this device, and more behind it.
    fn new(sol: &str) -> Self {
        let bench = Bench::new();
        let port = free_port();
        bench.write("lan.conf", small_lan_conf(port, &format!("  sol {sol}")));
        bench.write("sim.emu", SMALL_EMU);
        let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
        Self { simulator, bench, port }
    }

    fn tcp(port: u16) -> Self {
        Self::new(&format!("\"tcp:127.0.0.1:{port}\" 115200"))
    }

    fn pty(pty: &Pty) -> Self {
        Self::new(&format!("\"{}\" 115200 nortscts", pty.path().display()))
    }

    fn ipmitool(&self) -> Ipmitool {
        Ipmitool::new(self.port, "admin", "admin")
    }

    fn session(&self) -> RmcpClient {
        RmcpClient::open(self.port, "admin", "admin", ADMINISTRATOR)
            .unwrap_or_else(|why| panic!("{why}\n{}", self.simulator.report()))
    }

    fn console(&self) -> SolConsole {
        SolConsole::activate(self.session()).unwrap_or_else(|code| panic!("completion code {code:02x}h"))
    }

    fn ipmiconsole(&self, options: &[&str]) -> Terminal {
        Terminal::start(self.ipmiconsole_command(options), "freeipmi-tools", "[SOL established]")
    }

    fn ipmiconsole_command(&self, options: &[&str]) -> Command {
        Freeipmi::new(self.port, "admin", "admin", "LAN_2_0").command("ipmiconsole", options)
    }

    fn solterm(&self) -> Terminal {
        let mut command = Command::new("solterm");
        let port = self.port.to_string();
        command.args(["lan", "-p", &port, "-U", "admin", "-P", "admin", "-A", "rmcp+", "-L", "admin", "127.0.0.1"]);
        Terminal::start(command, "openipmi", "Connected.")
    }
}

/// Every byte value, in an order in which a lost or doubled piece shows.
fn pattern(count: usize) -> Vec<u8> {
    (0..count as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A conversation: the machine says something, the person types a response.
fn talks(console: &mut Terminal, machine: &mut impl FnMut(&str), typed: &impl Fn(&str) -> bool, number: usize) {
    machine(&format!("login {number}: "));
    console.sees(&format!("login {number}: "));
    console.terminal.write(&format!("root{number}\r"));
    assert!(typed(&format!("root{number}\r")), "{number}: {:?}", console.terminal.received.text());
}

/// Each client in turn, at one port.
fn every_client(bmc: &Bmc, machine: &mut impl FnMut(&str), typed: &impl Fn(&str) -> bool) {
    let mut ipmitool = Terminal::start(bmc.ipmitool().command(&["sol", "activate"]), "ipmitool", "operational");
    talks(&mut ipmitool, machine, typed, 1);
    ipmitool.end_with("\r~.");
    let mut ipmiconsole = bmc.ipmiconsole(&[]);
    talks(&mut ipmiconsole, machine, typed, 2);
    ipmiconsole.end_with("&.");
    let mut solterm = bmc.solterm();
    talks(&mut solterm, machine, typed, 3);
    solterm.end_with("\r~.");
    conman(bmc, machine, typed);
}

/// conman's daemon holds the console by itself; a person looks at it through the daemon.
fn conman(bmc: &Bmc, machine: &mut impl FnMut(&str), typed: &impl Fn(&str) -> bool) {
    let port = free_port();
    let folder = bmc.bench.folder().display().to_string();
    let conf = bmc.bench.write(
        "conman.conf",
        format!(
            "SERVER loopback=on\nSERVER port={port}\nSERVER pidfile=\"{folder}/conmand.pid\"\n\
             GLOBAL ipmiopts=\"U:admin,P:admin,L:admin\"\nCONSOLE name=\"bmc\" dev=\"ipmi:127.0.0.1:{}\"\n",
            bmc.port
        ),
    );
    // Administrators' folders are not in everybody's PATH.
    let mut daemon = Command::new("/usr/sbin/conmand");
    daemon.arg("-F").arg("-c").arg(conf).current_dir(bmc.bench.folder());
    let daemon = Terminal::start(daemon, "conman", "Console [bmc] connected");
    let mut command = Command::new("conman");
    command.args(["-d", &format!("127.0.0.1:{port}"), "bmc"]);
    let mut person = Terminal::start(command, "conman", "Connection to console [bmc] opened");
    talks(&mut person, machine, typed, 4);
    person.end_with("&.");
    // The daemon keeps the console until it ends.
    bmc.ipmitool().run("sol activate").assert_failed().assert_says("already active");
    drop(daemon);
    let free = eventually(LIMIT, || sol::activate(&mut bmc.session()).ok());
    assert!(free.is_some(), "conmand has ended and the console is not free");
}

#[test]
fn every_client_types_and_reads_over_tcp() {
    let server = Machine::new();
    let bmc = Bmc::tcp(server.port);
    let (mut machine, typed) = server.connected();
    every_client(&bmc, &mut |text| machine.write_all(text.as_bytes()).expect("the simulator reads"), &|text| {
        typed.wait_for(text, LIMIT)
    });
}

#[test]
fn every_client_types_and_reads_at_a_tty() {
    let serial = std::cell::RefCell::new(Pty::new());
    let bmc = Bmc::pty(&serial.borrow());
    let received = serial.borrow().received.clone();
    every_client(&bmc, &mut |text| serial.borrow_mut().write(text), &|text| received.wait_for(text, LIMIT));
}

/// What a port got and how it speaks, whatever it is.
fn every_byte(bmc: &Bmc, mut write: impl FnMut(&[u8]) + Send + 'static, mut got: support::process::Captured) {
    let text = pattern(1 << 16);
    assert!((0..=255).all(|byte| text.contains(&byte)));
    let mut console = bmc.console();
    let down = text.clone();
    let writer = thread::spawn(move || write(&down));
    assert!(console.run(text.len(), &text, 3 * LIMIT) == text, "changed on the way down");
    writer.join().expect("the machine");
    assert!(got.take_exactly(text.len(), LIMIT) == text, "changed on the way up");
    // Every value alone, up and down, so that none is mistaken for a mark or a command.
    let all: Vec<u8> = (0..=255).collect();
    for byte in &all {
        console.run(0, &[*byte], LIMIT);
    }
    assert_eq!(got.take_exactly(256, LIMIT), all);
}

#[test]
fn every_byte_value_goes_through_a_tcp_port() {
    let server = Machine::new();
    let bmc = Bmc::tcp(server.port);
    let (mut machine, typed) = server.connected();
    every_byte(&bmc, move |bytes| machine.write_all(bytes).expect("the simulator reads"), typed);
}

#[test]
fn every_byte_value_goes_through_a_tty() {
    let serial = Pty::new();
    let bmc = Bmc::pty(&serial);
    let (mut master, received) = (serial.master(), serial.received.clone());
    every_byte(&bmc, move |bytes| master.write_all(bytes).expect("the simulator reads"), received);
}

#[test]
fn every_byte_value_goes_through_a_telnet_port() {
    let server = Machine::new();
    let bmc = Bmc::new(&format!("\"telnet:127.0.0.1:{}\" 115200", server.port));
    let (mut machine, mut typed) = server.connected();
    typed.take_exactly(12, LIMIT);
    let text = pattern(1 << 15);
    let doubled: Vec<u8> =
        text.iter().flat_map(|&byte| std::iter::repeat_n(byte, 1 + usize::from(byte == 0xff))).collect();
    let mut console = bmc.console();
    let down = doubled.clone();
    let writer = thread::spawn(move || machine.write_all(&down).map(|()| machine));
    assert!(console.run(text.len(), &text, 3 * LIMIT) == text, "changed on the way down");
    assert!(typed.take_exactly(doubled.len(), LIMIT) == doubled, "changed on the way up");
    let mut machine = writer.join().expect("the machine").expect("the simulator reads");
    // An offer is answered between the characters: SUPPRESS GO AHEAD, and a terminal type we have not.
    machine.write_all(b"\xff\xfb\x03\xff\xfd\x18").expect("the simulator reads");
    assert_eq!(typed.take_exactly(6, LIMIT), b"\xff\xfd\x03\xff\xfc\x18");
    // A break is a command.
    console.client.send_sol(&[0, 0, 0, 0x10]);
    assert_eq!(typed.take_exactly(2, LIMIT), b"\xff\xf3");
}

/// ipmitool and ipmiconsole pass on everything but their escape characters.
#[test]
fn clients_pass_on_what_they_can() {
    let server = Machine::new();
    let bmc = Bmc::tcp(server.port);
    let (mut machine, mut typed) = server.connected();
    let all: Vec<u8> = (0..=255).collect();
    for client in ["ipmitool", "ipmiconsole"] {
        let (mut console, escape) = if client == "ipmitool" {
            (Terminal::start(bmc.ipmitool().command(&["sol", "activate"]), "ipmitool", "for help]"), b'~')
        } else {
            (bmc.ipmiconsole(&[]), b'&')
        };
        let keys: Vec<u8> = all.iter().copied().filter(|&byte| byte != escape).collect();
        let before = console.terminal.received.bytes().len();
        machine.write_all(&all).expect("the simulator reads");
        machine.write_all(b"<end>").expect("the simulator reads");
        console.sees("<end>");
        let seen = console.terminal.received.bytes();
        assert!(contains(&seen[before.saturating_sub(8)..], &all), "{client}: {:02x?}", &seen[before..]);
        // A person does not type faster than ipmiconsole sends.
        for some in keys.chunks(16) {
            console.terminal.write_bytes(some);
            assert_eq!(typed.take_exactly(some.len(), LIMIT), some, "{client}");
        }
        console.end_with(if client == "ipmitool" { "\r~." } else { "&." });
        if client == "ipmitool" {
            typed.take_exactly(1, LIMIT);
        }
    }
}

/// A mebibyte each way, whole.
#[test]
fn a_mebibyte_each_way() {
    let server = Machine::new();
    let bmc = Bmc::tcp(server.port);
    let (mut machine, mut typed) = server.connected();
    let text = pattern(1 << 20);
    let mut console = bmc.console();
    let down = text.clone();
    let writer = thread::spawn(move || machine.write_all(&down).map(|()| machine));
    assert!(console.run(text.len(), &[], 6 * LIMIT) == text);
    let _machine = writer.join().expect("the machine").expect("the simulator reads");
    console.run(0, &text, 6 * LIMIT);
    assert!(typed.take_exactly(text.len(), LIMIT) == text);
}

/// The console is left and taken again a thousand times: in one session, in new ones, and by clients
/// that vanish while they hold it. Every time it works at once, and nothing is left over.
#[test]
fn the_console_left_and_taken_again_a_thousand_times() {
    let machine = EchoingMachine::at(0);
    let mut bmc = Bmc::tcp(machine.port);
    let mut console = bmc.console();
    assert_eq!(console.run(1, b"x", LIMIT), b"x");
    let before = descriptors(&bmc.simulator);
    for round in 0..1000u32 {
        let key = [round as u8];
        match round % 50 {
            // Another session takes it; the old one goes without a word.
            0 => {
                let mut next = bmc.session();
                deactivate(&mut next).expect("it is active");
                std::mem::replace(&mut console, SolConsole::activate(next).expect("it is free")).client.vanish();
            }
            // The session ends and with it the console.
            25 => {
                let next = bmc.session();
                drop(std::mem::replace(&mut console, SolConsole::of_active(next)));
                sol::activate(&mut console.client).expect("it is free");
            }
            _ => {
                deactivate(&mut console.client).expect("it is active");
                sol::activate(&mut console.client).expect("it is free");
                console.restart();
            }
        }
        assert_eq!(console.run(1, &key, LIMIT), key, "round {round}");
    }
    assert_eq!(descriptors(&bmc.simulator), before);
    bmc.simulator.assert_alive();
}

/// ipmitool is killed in the middle of a stream, ten times; the next one takes over.
#[test]
fn clients_killed_at_the_console_leave_nothing_behind() {
    let machine = EchoingMachine::at(0);
    let bmc = Bmc::tcp(machine.port);
    let mut before = 0;
    for round in 0..10 {
        let mut client =
            Terminal::start(bmc.ipmitool().command(&["sol", "activate"]), "ipmitool", "SOL Session operational");
        client.terminal.write("hello\r");
        client.sees("hello\r");
        client.client.0.kill().expect("it runs");
        client.ends();
        bmc.ipmitool().ok("sol deactivate");
        if round == 0 {
            before = descriptors(&bmc.simulator);
        }
    }
    assert_eq!(descriptors(&bmc.simulator), before);
    assert_eq!(bmc.console().run(2, b"ok", LIMIT), b"ok");
}

/// A network that loses, doubles and reorders: every byte arrives once, both ways. The retry
/// parameters are in force, or this would take minutes.
#[test]
fn every_byte_once_through_a_bad_network() {
    let server = Machine::new();
    let bmc = Bmc::tcp(server.port);
    let (mut machine, mut typed) = server.connected();
    let relay = Relay::new(bmc.port);
    let mut client = RmcpClient::open(relay.port, "admin", "admin", ADMINISTRATOR).expect("a session");
    // Seven more sends, 20 ms apart.
    assert_eq!(client.request(TRANSPORT, SET_SOL_PARAMETERS, &[0x0e, 4, 7, 2]), Response::Answer(vec![0]));
    let mut console = SolConsole::activate(client).expect("it is free");
    console.resend = Duration::from_millis(20);
    relay.weather(6);
    let text = pattern(40_000);
    let down = text.clone();
    let writer = thread::spawn(move || machine.write_all(&down).map(|()| machine));
    assert!(console.run(text.len(), &text, 6 * LIMIT) == text, "changed on the way down");
    assert!(typed.take_exactly(text.len(), LIMIT) == text, "changed on the way up");
    let _machine = writer.join().expect("the machine").expect("the simulator reads");
    relay.weather(0);
}

/// A second client is told; one that may take over does, and the first ends, whoever it is.
#[test]
fn who_loses_the_console_ends() {
    let machine = EchoingMachine::at(0);
    let bmc = Bmc::tcp(machine.port);
    let mut first =
        Terminal::start(bmc.ipmitool().command(&["sol", "activate"]), "ipmitool", "SOL Session operational");
    bmc.ipmitool().run("sol activate").assert_failed().assert_says("SOL payload already active on another session");
    Terminal::start(bmc.ipmiconsole_command(&["--dont-steal"]), "freeipmi-tools", "SOL in use").ends();
    first.terminal.write("mine\r");
    first.sees("mine\r");
    // ipmiconsole takes over unless told otherwise.
    let mut second = bmc.ipmiconsole(&[]);
    first.sees("SOL session closed by BMC");
    first.ends();
    second.terminal.write("now mine\r");
    second.sees("now mine\r");
    bmc.ipmitool().ok("sol deactivate");
    second.sees("SOL session stolen");
    second.ends();
}

/// The bit rate set through IPMI is the tty's; the settings of the line are those of the line.
#[test]
fn the_bit_rate_set_by_a_client_is_the_rate_of_the_tty() {
    let serial = Pty::new();
    let bmc = Bmc::pty(&serial);
    let client = bmc.ipmitool();
    let settings = || termios::tcgetattr(serial.near()).expect("settings");
    let is = |rate| eventually(LIMIT, || (termios::cfgetospeed(&settings()) == rate).then_some(())).is_some();
    assert!(is(BaudRate::B115200));
    assert!(!settings().control_flags.contains(ControlFlags::CRTSCTS), "nortscts");
    for (name, rate) in [("9.6", BaudRate::B9600), ("38.4", BaudRate::B38400), ("57.6", BaudRate::B57600)] {
        client.ok(&format!("sol set volatile-bit-rate {name} 1"));
        assert!(is(rate), "{name}");
    }
    // The non-volatile rate holds from the next start on.
    client.ok("sol set non-volatile-bit-rate 19.2 1");
    assert!(is(BaudRate::B57600));
    let Bmc { mut simulator, bench, port } = bmc;
    simulator.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(simulator.wait(LIMIT).is_some());
    let conf = bench.read("lan.conf").replace(" nortscts", "");
    bench.write("lan.conf", conf);
    let _simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    assert!(is(BaudRate::B19200));
    assert!(settings().control_flags.contains(ControlFlags::CRTSCTS));
}

/// Every parameter, set by the clients that can, kept over a restart.
#[test]
fn every_parameter_is_set_by_clients_and_kept() {
    let machine = EchoingMachine::at(0);
    let bmc = Bmc::tcp(machine.port);
    let client = bmc.ipmitool();
    for (name, value) in [
        ("privilege-level", "admin"),
        ("force-encryption", "true"),
        ("force-authentication", "true"),
        ("character-accumulate-level", "2"),
        ("character-send-threshold", "90"),
        ("retry-count", "3"),
        ("retry-interval", "20"),
        ("non-volatile-bit-rate", "38.4"),
        ("volatile-bit-rate", "9.6"),
    ] {
        client.ok(&format!("sol set {name} {value} 1"));
    }
    let shown = [
        "Force Encryption : true",
        "Force Authentication : true",
        "Privilege Level : ADMINISTRATOR",
        "Character Accumulate Level (ms) : 10",
        "Character Send Threshold : 90",
        "Retry Count : 3",
        "Retry Interval (ms) : 200",
        "Non-Volatile Bit Rate (kbps) : 38.4",
        "Payload Channel : 1 (0x01)",
        &format!("Payload Port : {}", bmc.port),
    ];
    let info = client.ok("sol info 1");
    shown.iter().for_each(|line| {
        info.assert_says(line);
    });
    info.assert_says("Volatile Bit Rate (kbps) : 9.6");
    // What is demanded holds: this session has no encryption.
    client.by(Transport::Suite(2)).run("sol activate").assert_failed();
    Console::open(&client).close();
    // freeipmi reads everything and writes it back.
    let tools = Freeipmi::new(bmc.port, "admin", "admin", "LAN_2_0");
    let conf = bmc.bench.path("sol.conf").display().to_string();
    tools.ok("ipmi-config", &format!("--checkout -S SOL_Conf -n {conf}"));
    let text = bmc.bench.read("sol.conf");
    for line in ["SOL_Privilege_Level Administrator", "Character_Send_Threshold 90", "SOL_Retry_Count 3"] {
        assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(line), "{line}: {text}");
    }
    tools.ok("ipmi-config", &format!("--commit -n {conf}"));
    tools.ok("ipmi-config", &format!("--diff -n {conf}"));

    let Bmc { simulator, bench, port } = bmc;
    simulator.stop();
    let _simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    let info = client.ok("sol info 1");
    shown.iter().for_each(|line| {
        info.assert_says(line);
    });
}

/// One device, two simulators: the second is told who has it, and gets it when the first ends.
#[test]
fn a_device_belongs_to_one_process() {
    let serial = Pty::new();
    let first = Bmc::pty(&serial);
    let name = serial.path().display().to_string();
    let lock = format!("/var/lock/LCK..{}", name.rsplit('/').next().expect("a name"));
    let expected = format!("{:>10}\tipmisim\n", first.simulator.pid());
    let locked = eventually(LIMIT, || std::fs::read_to_string(&lock).ok());
    assert_eq!(locked.as_deref(), Some(expected.as_str()));
    let second = Bmc::pty(&serial);
    let complaint = format!("SOL device {name} is already owned by process {}", first.simulator.pid());
    assert!(second.simulator.stderr.wait_for(&complaint, LIMIT), "{}", second.simulator.report());
    first.simulator.stop();
    let expected = format!("{:>10}\tipmisim\n", second.simulator.pid());
    let taken = eventually(2 * LIMIT, || (std::fs::read_to_string(&lock).ok()? == expected).then_some(()));
    assert!(taken.is_some(), "{}", second.simulator.report());
    let mut serial = serial;
    let mut console = second.console();
    serial.write("free");
    assert_eq!(console.run(4, b"", LIMIT), b"free");
    second.simulator.stop();
    assert!(!std::path::Path::new(&lock).exists(), "the lock goes with its owner");
}

/// The machine goes and comes, again and again; the console stays, says so in its status, and goes on soon.
#[test]
fn a_machine_that_comes_and_goes() {
    const UNAVAILABLE: u8 = 0x20;
    let mut machine = Some(EchoingMachine::at(0));
    let port = machine.as_ref().map_or(0, |machine| machine.port);
    let bmc = Bmc::tcp(port);
    let mut console = bmc.console();
    let before = descriptors(&bmc.simulator);
    for round in 0..4u8 {
        assert_eq!(console.run(1, &[round], LIMIT), [round]);
        drop(machine.take());
        let gone = Instant::now();
        while console.status & UNAVAILABLE == 0 {
            assert!(gone.elapsed() < LIMIT, "it is not told");
            console.run(0, b"lost", LIMIT);
        }
        machine = Some(EchoingMachine::at(port));
        let back = Instant::now();
        // What is typed before the port is open again is acknowledged and dropped.
        while !console.read_for(Duration::from_millis(50)).contains(&b'!') {
            assert!(back.elapsed() < LIMIT, "it does not come back");
            console.run(0, b"!", LIMIT);
        }
        console.read_for(Duration::from_millis(200));
        assert_eq!(console.status & UNAVAILABLE, 0);
    }
    assert_eq!(descriptors(&bmc.simulator), before);
}

/// `examples/console` with this device in its `sol` line, or its own.
fn example(sol: Option<&str>) -> Bmc {
    let (bench, port) = (Bench::new(), free_port());
    bench.copy_tree("examples/console", ".");
    let conf = bench.read("lan.conf").replace(" 9628", &format!(" {port}"));
    let own = conf.lines().find(|line| line.starts_with("  sol ")).expect("a sol line").to_owned();
    let line = sol.map_or(own.clone(), |sol| format!("  sol {sol}"));
    bench.write("lan.conf", conf.replace(&own, &line));
    let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    Bmc { simulator, bench, port }
}

/// How often a client has shown a text.
fn shown(terminal: &Terminal, text: &str) -> usize {
    terminal.terminal.received.text().matches(text).count()
}

#[test]
fn a_console_that_plays_answers_clients_and_begins_anew_with_the_power() {
    let bmc = example(None);
    let mut ipmitool = Terminal::start(bmc.ipmitool().command(&["sol", "activate"]), "ipmitool", "operational");
    bmc.ipmitool().ok("power on");
    ipmitool.sees("Reached target Multi-User System.");
    ipmitool.sees("console login: ");
    ipmitool.terminal.write("rot\x7fot\r");
    ipmitool.sees("rot\x08 \x08ot\r\nconsole login: ");
    assert_eq!((shown(&ipmitool, "Synthetic firmware"), shown(&ipmitool, "console login: ")), (1, 2));
    bmc.ipmitool().ok("power cycle");
    let again = eventually(LIMIT, || (shown(&ipmitool, "console login: ") == 3).then_some(()));
    assert!(again.is_some() && shown(&ipmitool, "Synthetic firmware") == 2, "{}", bmc.simulator.report());
    ipmitool.end_with("\r~.");
    let mut ipmiconsole = bmc.ipmiconsole(&[]);
    bmc.ipmitool().ok("power reset");
    ipmiconsole.sees("Synthetic firmware");
    ipmiconsole.sees("console login: ");
    ipmiconsole.terminal.write("admin\r");
    ipmiconsole.sees("admin\r\nconsole login: ");
    bmc.ipmitool().ok("power off");
    ipmiconsole.terminal.write("nobody");
    bmc.ipmitool().ok("power on");
    let again = eventually(LIMIT, || (shown(&ipmiconsole, "console login: ") == 3).then_some(()));
    assert!(again.is_some() && shown(&ipmiconsole, "nobody") == 0, "{}", ipmiconsole.terminal.received.text());
    ipmiconsole.end_with("&.");
}

#[test]
fn recorded_sessions_are_played_with_every_byte() {
    for (play, says) in [
        ("typescript upgrade.typescript timing upgrade.timing speed 4, prompt '# '", "Rebooting.\r\n# "),
        ("cast installer.cast speed 8", "\x1b[32mDone.\x1b[0m The machine can be switched off.\r\n"),
    ] {
        let bmc = example(Some(&format!("\"play:{play}\" 115200")));
        let ipmitool = Terminal::start(bmc.ipmitool().command(&["sol", "activate"]), "ipmitool", "operational");
        bmc.ipmitool().ok("power on");
        ipmitool.sees(says);
        assert_eq!(shown(&ipmitool, "Script started"), 0);
        ipmitool.end_with("\r~.");
    }
}

/// What the example's event log fills with, as a client reads it.
#[test]
fn the_event_log_of_the_example_fills() {
    let bmc = example(None);
    let full = eventually(LIMIT, || {
        let log = bmc.ipmitool().ok("sel elist").stdout;
        (log.lines().count() >= 6).then_some(log)
    });
    let log = full.unwrap_or_else(|| panic!("{}", bmc.simulator.report()));
    for text in
        ["Temperature #0x30 | Upper Non-critical going high", "OEM record c0", "Power Supply #0x51 | Failure detected"]
    {
        assert!(log.contains(text), "{text} is not in {log}");
    }
}
