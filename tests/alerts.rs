//! Alerts: Platform Event Traps as Debian's `snmptrapd` receives them and freeipmi's `ipmi-pet` reads and acknowledges
//! them, of events of the real program.

mod support;

use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use support::bench::{free_port, project};
use support::client::{CLIENT_LIMIT, FREEIPMI_PACKAGE};
use support::config::{SMALL_EMU, small_lan_conf};
use support::door;
use support::process::{self, Captured, Guarded, eventually};
use support::simulator::TIMEOUT;
use support::{Bench, Freeipmi, Ipmitool, Ran, Simulator, Stdin, Subject};

/// Writes down what `snmptrapd` hands it: lines of the trap, then a line that ends it.
const HANDLER: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
{ cat; echo "end of trap"; } >>handled
"#;

/// Who receives traps.
struct Receiver<'b> {
    bench: &'b Bench,
    _daemon: Guarded,
}

/// A trap, as `ipmi-pet` wants to have it.
#[derive(Debug)]
struct Trap {
    specific: String,
    /// The variable's bytes.
    bytes: Vec<String>,
    /// Everything that was said of it.
    text: String,
}

impl<'b> Receiver<'b> {
    /// `snmptrapd` at a port, for a community.
    fn start(bench: &'b Bench, port: u16, community: &str) -> Self {
        let handler = bench.write_program("handler", HANDLER);
        let conf = format!("authCommunity log,execute {community}\ntraphandle default {}\n", handler.display());
        let conf = bench.write("snmptrapd.conf", conf);
        let mut command = Command::new("/usr/sbin/snmptrapd");
        // In the foreground, numbers for names, and nothing of the machine's own settings.
        command.args(["-f", "-Lo", "-n", "-On", "-m", "", "-C", "-c"]).arg(conf).arg(format!("udp:127.0.0.1:{port}"));
        command.env("SNMP_PERSISTENT_DIR", bench.folder());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut daemon = process::spawn(&mut command, "snmptrapd");
        let said = Captured::from(daemon.0.stdout.take().expect("stdout"));
        assert!(said.wait_for("NET-SNMP version", TIMEOUT), "{}", said.text());
        Self { bench, _daemon: daemon }
    }

    /// The traps so far.
    fn traps(&self) -> Vec<Trap> {
        let text = std::fs::read_to_string(self.bench.path("handled")).unwrap_or_default();
        let whole = text.split_inclusive("end of trap\n").filter(|trap| trap.ends_with("end of trap\n"));
        whole.map(Trap::parse).collect()
    }

    /// Waits until there are so many.
    #[track_caller]
    fn wait_for(&self, count: usize) -> Vec<Trap> {
        let traps = eventually(TIMEOUT, || Some(self.traps()).filter(|traps| traps.len() >= count));
        traps.unwrap_or_else(|| panic!("{count} traps: {:?}", self.traps()))
    }
}

impl Trap {
    fn parse(text: &str) -> Self {
        let behind = |mark: &str| text.split_once(mark).unwrap_or_else(|| panic!("no {mark}: {text}")).1;
        // The notification that SNMPv2 makes of it (RFC 3584): enterprise, zero, specific trap.
        let specific = behind(".1.3.6.1.4.1.3183.1.1.0.").lines().next().unwrap_or_default().to_owned();
        let bytes = behind(".1.3.6.1.4.1.3183.1.1.1 \"").split('"').next().unwrap_or_default();
        Self { specific, bytes: bytes.split_whitespace().map(str::to_owned).collect(), text: text.to_owned() }
    }

    /// Lets `ipmi-pet` do something with it.
    fn pet(&self, bench: &Bench, port: u16, words: &[&str]) -> Ran {
        let mut command = Freeipmi::new(port, "admin", "admin", "LAN_2_0").command("ipmi-pet", words);
        let cache = format!("--sdr-cache-directory={}", bench.folder().display());
        command.args(["--quiet-cache", &cache]).arg(&self.specific).args(&self.bytes);
        let ran = Ran::run(&mut command, FREEIPMI_PACKAGE, CLIENT_LIMIT);
        ran.assert_ok();
        ran
    }
}

/// Enables filtering and alerts; any event that filter 3 matches is critical and goes by policy 1 to destination 2.
const FILTERING: [&str; 4] = [
    "raw 4 0x12 1 1",
    "raw 4 0x12 2 1",
    "raw 4 0x12 6 3 0x80 1 1 0x10 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0 0 0 0 0 0 0 0 0",
    "raw 4 0x12 9 1 0x18 0x12 0",
];

#[test]
fn a_crossed_threshold_is_read_from_its_trap_and_acknowledged() {
    let (bench, port, traps_port) = (Bench::new(), free_port(), free_port());
    door::write_one(&bench, port, "");
    bench.write(
        "lan.conf",
        bench.read("lan.conf").replace("    priv_limit", &format!("    alert_port {traps_port}\n    priv_limit")),
    );
    let (_simulator, http) = door::start(&bench, &[]);
    let receiver = Receiver::start(&bench, traps_port, "public");
    let client = Ipmitool::new(port, "admin", "admin");
    for words in FILTERING {
        client.ok(words);
    }
    client.ok("lan alert set 1 2 ipaddr 127.0.0.1");
    client.ok("lan alert set 1 2 ack on");
    client.ok("lan alert set 1 2 retry 7");
    let mut events = http.follow("/v1/events");
    // Sensor 1 is too hot from 20 degrees on.
    client.ok("raw 4 0x26 1 0x10 0 0 0 0 20 0");
    // It is sent again, for nobody has acknowledged it.
    let traps = receiver.wait_for(2);
    assert_eq!(traps[0].bytes, traps[1].bytes);
    assert!(traps[0].text.contains(&format!("UDP: [127.0.0.1]:{port}->")), "{:?}", traps[0]);
    // Upper critical of a temperature: sensor type 01h, event type 01h, offset 9.
    assert_eq!(traps[0].specific, 0x01_01_09.to_string());
    let read = traps[0].pet(&bench, port, &["-vv"]);
    for text in ["CPU1 Temp", "Temperature", "Critical condition", "Assertion Event", "Upper Critical - going high"] {
        read.assert_says(text);
    }
    let guid = Freeipmi::new(port, "admin", "admin", "LAN_2_0").ok("bmc-info", "").value("System GUID");
    read.assert_says(&guid);

    // By whom a trap is received need not be a user.
    traps[0].pet(&bench, port, &["--pet-acknowledge"]);
    let told = events.next_of("alert_sent").data;
    assert_eq!(told["destination"], format!("127.0.0.1:{traps_port}"));
    assert_eq!((&told["channel"], &told["acknowledged"]), (&1.into(), &true.into()));
    client.ok("pef status");
    assert!(http.get("/metrics").text().contains("ipmi_sim_traps_sent_total "), "counted");
}

/// What `ipmi-config` sets, section by section.
const COMMITTED: [&str; 20] = [
    "PEF_Conf:Enable_PEF=Yes",
    "PEF_Conf:Enable_Alert_Action=Yes",
    "Community_String:Community_String=private",
    "Lan_Alert_Destination_3:Alert_IP_Address=127.0.0.1",
    "Alert_String_2:Event_Filter_Number=5",
    "Alert_String_2:Alert_String_Set=1",
    "Alert_String_2:Alert_String=Look_at_the_fans",
    "Alert_Policy_4:Policy_Enabled=Yes",
    "Alert_Policy_4:Policy_Number=7",
    "Alert_Policy_4:Destination_Selector=3",
    "Alert_Policy_4:Channel_Number=1",
    "Alert_Policy_4:Alert_String_Set_Selector=1",
    "Alert_Policy_4:Event_Specific_Alert_String=Yes",
    "Event_Filter_5:Enable_Filter=Yes",
    "Event_Filter_5:Event_Filter_Action_Alert=Yes",
    "Event_Filter_5:Alert_Policy_Number=7",
    "Event_Filter_5:Event_Severity=Non_Critical",
    "Event_Filter_5:Sensor_Type=Temperature",
    "Event_Filter_5:Sensor_Number=0x30",
    "Event_Filter_5:Event_Trigger=0xFF",
];

/// What these leave.
const COMMITTED_TOO: [&str; 3] = [
    "Event_Filter_5:Generator_Id_Byte_1=0xFF",
    "Event_Filter_5:Generator_Id_Byte_2=0xFF",
    "Event_Filter_5:Event_Data1_Offset_Mask=0xFFFF",
];

#[test]
fn what_ipmi_config_sets_is_kept_and_the_original_leaves_it_alone() {
    let (bench, port, traps_port) = (Bench::new(), free_port(), free_port());
    let plain = small_lan_conf(port, "");
    bench.write("sim.emu", SMALL_EMU);
    let ours = plain.replace("    priv_limit", &format!("    alert_port {traps_port}\n    priv_limit"));
    bench.write("lan.conf", &ours);
    let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    let tools = Freeipmi::new(port, "admin", "admin", "LAN_2_0").with(&["-l", "ADMIN"]);
    let pairs: Vec<String> = COMMITTED.iter().chain(&COMMITTED_TOO).map(|pair| format!("--key-pair={pair}")).collect();
    let words: Vec<&str> = ["--category=pef", "--commit"].into_iter().chain(pairs.iter().map(String::as_str)).collect();
    let limit = Duration::from_secs(60);
    Ran::run(&mut tools.command("ipmi-config", &words), FREEIPMI_PACKAGE, limit).assert_ok();
    simulator.stop();
    let kept = bench.read("state/ipmi_sim/small/pef.mc20");

    bench.write("lan.conf", &plain);
    Simulator::start_default(Subject::Original, &bench, port).stop();
    assert_eq!(bench.read("state/ipmi_sim/small/pef.mc20"), kept);

    bench.write("lan.conf", &ours);
    let receiver = Receiver::start(&bench, traps_port, "private");
    let _simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    let client = Ipmitool::new(port, "admin", "admin");
    // A voltage, and then sensor 30h, a temperature.
    client.ok("event 2");
    client.ok("event 1");
    let traps = receiver.wait_for(1);
    let read = traps[0].pet(&bench, port, &["-v"]);
    for text in ["Temperature", "Non-critical condition", "Upper Critical - going high", "Look_at_the_fans"] {
        read.assert_says(text);
    }
    assert_eq!(receiver.traps().len(), 1, "of the voltage there is none");
    client.ok("pef status").assert_says("| 0x0002");
}

/// The commands of the section on traps in docs/FLEET.md, for a destination at 127.0.0.1.
fn commands_of_the_page() -> Vec<String> {
    let page = std::fs::read_to_string(project("docs/FLEET.md")).expect("the page");
    let section = page.split_once("\n## Traps\n").expect("a section on traps").1;
    let block = section.split("```").nth(1).expect("commands");
    let lines = block.lines().filter_map(|line| line.strip_prefix("ipmitool ... "));
    let commands =
        lines.map(|line| line.split('#').next().unwrap_or_default().trim().replace("192.0.2.9", "127.0.0.1"));
    commands.collect()
}

#[test]
fn each_bmc_of_a_fleet_sends_traps_from_its_own_address() {
    let (bench, port) = (Bench::new(), free_port());
    door::write_fleet(&bench);
    let traps = UdpSocket::bind("127.0.0.1:0").expect("a port for traps");
    traps.set_read_timeout(Some(TIMEOUT)).expect("a time limit");
    let traps_port = traps.local_addr().expect("its address").port();
    let with_port =
        bench.read("lan.conf").replace("    priv_limit", &format!("    alert_port {traps_port}\n    priv_limit"));
    bench.write("lan.conf", with_port);
    let ports = port.to_string();
    let range = ["--count", "3", "--addresses", "127.94.0.0/24", "--ports", &ports];
    let files = ["-n", "--ready-line", "-p", "-c", "lan.conf", "-f", "sim.emu"];
    let simulator = Simulator::spawn(Subject::under_test(), &bench, &[&files[..], &range].concat(), Stdin::Null);
    assert!(simulator.stdout.wait_for("is ready\n", door::START), "{}", simulator.report());
    let commands = commands_of_the_page();
    assert_eq!(commands.len(), 6, "{commands:?}");
    for host in ["127.94.0.3", "127.94.0.1"] {
        let client = Ipmitool { host: host.into(), ..Ipmitool::new(port, "admin", "admin") };
        for words in &commands {
            client.ok(words);
        }
        client.ok("event 1");
        for of in ["the try", "the event"] {
            let mut buffer = [0; 512];
            let (length, from) = traps.recv_from(&mut buffer).unwrap_or_else(|why| panic!("{of} of {host}: {why}"));
            assert_eq!(from.to_string(), format!("{host}:{port}"));
            // The agent address says the same: an IpAddress of four bytes.
            let address: Vec<u8> = host.split('.').map(|byte| byte.parse().expect("a byte")).collect();
            let agent = [&[0x40, 4][..], &address].concat();
            assert!(process::contains(&buffer[..length], &agent), "{of} of {host}: {:02x?}", &buffer[..length]);
        }
    }
}

/// A trap is a datagram: it is lost and comes twice as others, and one that is lost is sent again until it is acknowledged.
#[test]
fn faults_strike_traps() {
    let (bench, port) = (Bench::new(), free_port());
    door::write_one(&bench, port, "");
    let traps = UdpSocket::bind("127.94.7.7:0").expect("a port for traps");
    traps.set_read_timeout(Some(TIMEOUT)).expect("a time limit");
    let traps_port = traps.local_addr().expect("its address").port();
    let with_port =
        bench.read("lan.conf").replace("    priv_limit", &format!("    alert_port {traps_port}\n    priv_limit"));
    bench.write("lan.conf", with_port);
    let (_simulator, http) = door::start(&bench, &[]);
    let client = Ipmitool::new(port, "admin", "admin");
    for words in FILTERING {
        client.ok(words);
    }
    for words in ["ipaddr 127.94.7.7", "ack on", "time 1", "retry 2"] {
        client.ok(&format!("lan alert set 1 2 {words}"));
    }
    let statement = |line: &str| {
        let done = http.post("/v1/bmcs/bmc00001/statements", &json!({ "lines": [line] })).json();
        assert_eq!(done["lines"][0]["faults"], json!([]), "{done}");
    };
    let trap = || {
        let mut buffer = [0; 512];
        let (length, _) = traps.recv_from(&mut buffer).expect("a trap");
        buffer[..length].to_vec()
    };
    statement("fault lose out from 127.94.7.7 count 1");
    client.ok("event 1");
    // It was to be sent three times.
    let first = trap();
    assert_eq!(trap(), first);
    let metrics = http.get("/metrics").text();
    assert!(metrics.contains("ipmi_sim_faults_struck_total{kind=\"lose\"} 1\n"), "{metrics}");
    client.ok("lan alert set 1 2 ack off");
    statement("fault duplicate out from 127.94.7.7 count 1");
    client.ok("event 2");
    let second = trap();
    assert_ne!(second, first);
    assert_eq!(trap(), second);
}
