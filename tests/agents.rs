//! What agents of an operating system and monitors ask of a BMC beside its sensors: system
//! information, by ipmitool and freeipmi, kept across restarts.

mod support;

use support::bench::free_port;
use support::client::{CLIENT_LIMIT, FREEIPMI_PACKAGE, Ran};
use support::config::{SMALL_EMU, small_lan_conf};
use support::{Bench, Freeipmi, Ipmitool, Simulator, Subject};

/// A small configuration, and the program on it.
struct Running {
    bench: Bench,
    port: u16,
    simulator: Option<Simulator>,
}

impl Running {
    fn start() -> Self {
        let (bench, port) = (Bench::new(), free_port());
        bench.write("lan.conf", small_lan_conf(port, ""));
        bench.write("sim.emu", SMALL_EMU);
        let mut running = Self { bench, port, simulator: None };
        running.restart();
        running
    }

    fn restart(&mut self) {
        if let Some(simulator) = self.simulator.take() {
            simulator.stop();
        }
        self.simulator = Some(Simulator::start_default(Subject::under_test(), &self.bench, self.port));
    }

    fn ipmitool(&self) -> Ipmitool {
        Ipmitool::new(self.port, "admin", "admin")
    }

    fn freeipmi(&self) -> Freeipmi {
        Freeipmi::new(self.port, "admin", "admin", "LAN_2_0").with(&["-l", "ADMIN"])
    }

    /// Runs one of the freeipmi tools with words that may hold blanks.
    #[track_caller]
    fn freeipmi_words(&self, tool: &str, words: &[&str]) {
        Ran::run(&mut self.freeipmi().command(tool, words), FREEIPMI_PACKAGE, CLIENT_LIMIT).assert_ok();
    }
}

/// A text of so many characters without two equal blocks.
fn text(length: usize) -> String {
    (0..length).map(|at| char::from(b'!' + (at * 7 % 90) as u8)).collect()
}

#[test]
fn what_the_operating_system_tells_of_itself_is_kept() {
    let mut running = Running::start();
    // The most that ipmitool sets are 62 characters, in four blocks.
    let names =
        [("system_name", text(62)), ("primary_os_name", "ExampleOS 12".into()), ("system_fw_version", text(14))];
    for (name, value) in &names {
        let client = running.ipmitool();
        assert_eq!(client.ok(&format!("mc getsysinfo {name}")).stdout, "\n", "nobody has told it yet");
        client.run_words(&["mc", "setsysinfo", name, value]).assert_ok();
    }
    running.ipmitool().run_words(&["mc", "setsysinfo", "os_name", "ExampleOS 12.4"]).assert_ok();
    running.ipmitool().run("mc setsysinfo delloem_url http://192.0.2.1").assert_says("not supported");
    running.restart();
    for (name, value) in &names {
        assert_eq!(running.ipmitool().ok(&format!("mc getsysinfo {name}")).stdout, format!("{value}\n"));
    }
    running.ipmitool().with(&["-L", "USER"]).ok("mc getsysinfo os_name").assert_says("ExampleOS 12.4");
    let refused = running.ipmitool().with(&["-L", "OPERATOR"]).run("mc setsysinfo system_name other");
    refused.assert_says("Insufficient privilege level");
    running.ipmitool().ok("mc reset cold");
    assert_eq!(running.ipmitool().ok("mc getsysinfo os_name").stdout, "\n", "the machine starts anew");
    running.ipmitool().ok("mc getsysinfo primary_os_name").assert_says("ExampleOS 12");
}

#[test]
fn freeipmi_sets_and_shows_every_system_information() {
    let mut running = Running::start();
    let longest = text(255);
    let told = [
        ("--set-system-firmware-version", "System Firmware Version", "1.2.3"),
        ("--set-system-name", "System Name", longest.as_str()),
        ("--set-primary-operating-system-name", "Primary Operating System Name", "ExampleOS"),
        ("--set-operating-system-name", "Operating System Name", "ExampleOS, the one that runs"),
        ("--set-present-os-version-number", "Present OS Version Number", "12.4"),
        ("--set-bmc-url", "BMC URL", "https://192.0.2.1/index.html"),
        ("--set-base-os-hypervisor-url", "Base OS/Hypervisor URL", "https://192.0.2.2:8006"),
    ];
    for (option, _, value) in told {
        running.freeipmi_words("bmc-device", &[&format!("{option}={value}")]);
    }
    running.restart();
    let info = running.freeipmi().ok("bmc-info", "--get-system-info");
    for (_, title, value) in told {
        assert_eq!(info.value(title), value);
    }
    // And shorter again.
    running.freeipmi_words("bmc-device", &["--set-system-name=host"]);
    assert_eq!(running.freeipmi().ok("bmc-info", "").value("System Name"), "host");
}

#[test]
fn datagrams_are_counted_until_they_are_cleared() {
    const NAMES: [&str; 3] = ["IP Packets Received", "IP Packets Transmitted", "Valid RMCP Packets Received"];
    let running = Running::start();
    let counts = || {
        let ran = running.freeipmi().ok("bmc-device", "--get-lan-statistics");
        assert_eq!(ran.value("UDP Packets Received"), ran.value("IP Packets Received"));
        assert_eq!(ran.value("UDP Proxy Packets Dropped"), "0");
        NAMES.map(|name| ran.value(name).parse::<i32>().expect("a number"))
    };
    let first = counts();
    let [_, sent, valid] = counts();
    let login = valid - first[2];
    assert_eq!(sent - first[1], login, "each datagram of a client is answered by one");
    assert!(login >= 6, "a login has six datagrams, and a command one");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.send_to(b"no RMCP", ("127.0.0.1", running.port)).expect("sent");
    let [received, sent_then, valid_then] = counts();
    assert_eq!((sent_then - sent, valid_then - valid), (login, login), "it is not valid and not answered");
    assert_eq!(received, valid_then + 1, "but it came");
    running.freeipmi().ok("bmc-device", "--clear-lan-statistics");
    let cleared = counts();
    assert!(cleared.iter().all(|count| *count <= 2 * login), "{cleared:?}");
    running.ipmitool().ok("lan stats get 1").assert_says("UDP Proxy Packet Dropped : 0");
    running.ipmitool().ok("lan stats clear 1");
    assert!(counts()[0] < cleared[0] + 2 * login + 20);
}
