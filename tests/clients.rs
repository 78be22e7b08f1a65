//! Every client command the manuals name, by ipmitool and freeipmi, against the minimal
//! example: each has to work, and to say what the example holds.

mod support;

use std::time::Duration;

use support::bench::free_port;
use support::client::{CLIENT_LIMIT, FREEIPMI_PACKAGE, Ran, Transport};
use support::config::{Places, SMALL_EMU, adapt, small_lan_conf};
use support::process::{self, eventually};
use support::pty::Pty;
use support::{Bench, Freeipmi, Ipmitool, Simulator, Subject};

/// A running example.
struct Running {
    bench: Bench,
    port: u16,
    _simulator: Simulator,
}

impl Running {
    fn client(&self) -> Ipmitool {
        Ipmitool::new(self.port, "admin", "admin")
    }

    fn freeipmi(&self, driver: &'static str) -> Freeipmi {
        Freeipmi::new(self.port, "admin", "admin", driver)
    }
}

/// The minimal example as it is, on a port of its own.
fn minimal() -> Running {
    minimal_with(|conf| conf)
}

/// The minimal example with its `lan.conf` changed.
fn minimal_with(change: impl FnOnce(String) -> String) -> Running {
    minimal_but(change, "")
}

/// The minimal example with more commands at its end.
fn minimal_on(commands: &str) -> Running {
    minimal_but(|conf| conf, commands)
}

fn minimal_but(change: impl FnOnce(String) -> String, commands: &str) -> Running {
    let bench = Bench::new();
    bench.copy_tree("examples/minimal", ".");
    let port = free_port();
    let conf = adapt(&bench.read("lan.conf"), &Places { lan: vec![port], ..Places::default() });
    bench.write("lan.conf", change(conf));
    bench.write("sim.emu", bench.read("sim.emu") + commands);
    let files = ["-p", "-c", "lan.conf", "-f", "sim.emu"];
    let simulator = Simulator::start(Subject::under_test(), &bench, port, &files);
    Running { bench, port, _simulator: simulator }
}

/// Opens the example to every authentication type of IPMI 1.5, for the channel and the user.
fn every_type(conf: String) -> String {
    conf.replace(" md5", " none md2 md5 straight")
}

#[test]
fn controller() {
    let running = minimal();
    let client = running.client();
    client
        .ok("mc info")
        .assert_says("Device ID : 0")
        .assert_says("Firmware Revision : 1.00")
        .assert_says("IPMI Version : 2.0")
        .assert_says("Provides Device SDRs : no")
        .assert_says("SDR Repository Device\n SEL Device\n FRU Inventory Device");
    client.ok("mc guid").assert_says("696e696d-616d-2d6c-6578-616d706c6500");
    client.ok("mc getenables").assert_says("System Event Logging : enabled");
    client.ok("mc selftest").assert_says("Selftest: passed");
    client.ok("channel authcap 1 4").assert_says("IPMI v2.0").assert_says("MD5");
    client.ok("raw 6 1").assert_says("00 01 01 00 02 9f 00 00 00 01 00 00 00 00 00");
    client.run("raw 6 0xee").assert_failed().assert_says("rsp=0xc1");
    client.ok("session info active").assert_says("active sessions : 1").assert_says("IPMIv2/RMCP+");
    let watchdog = client.ok("mc watchdog get");
    watchdog.assert_says("Watchdog Timer Is: Stopped").assert_says("Initial Countdown: 0.0");
    // The original leaves the countdown out, and ipmitool shows what it finds in memory.
    watchdog.assert_says("Present Countdown: 0.0");
}

#[test]
fn chassis() {
    let running = minimal();
    let client = running.client();
    client.ok("chassis status").assert_says("System Power : off").assert_says("Power Overload : false");
    client.ok("power on").assert_says("Chassis Power Control: Up/On");
    client.ok("power status").assert_says("Chassis Power is on");
    client.ok("power reset").assert_says("Chassis Power Control: Reset");
    client.ok("power status").assert_says("Chassis Power is on");
    client.ok("power cycle").assert_says("Chassis Power Control: Cycle");
    let on = eventually(Duration::from_secs(6), || client.ok("power status").stdout.contains("is on").then_some(()));
    assert!(on.is_some(), "power comes back after a cycle");
    client.ok("power soft").assert_says("Chassis Power Control: Soft");
    let off = eventually(Duration::from_secs(6), || client.ok("power status").stdout.contains("is off").then_some(()));
    assert!(off.is_some(), "a soft shutdown ends in off");
    client.ok("power on");
    client.ok("power off").assert_says("Chassis Power Control: Down/Off");
    client.ok("power status").assert_says("Chassis Power is off");

    client.ok("chassis bootdev pxe").assert_says("Set Boot Device to pxe");
    client.ok("chassis bootparam get 5").assert_says("Force PXE");
    client.ok("chassis bootdev cdrom");
    client.ok("chassis bootparam get 5").assert_says("Force Boot from CD/DVD");
    client.ok("chassis bootdev none");
    client.ok("chassis bootdev disk options=persistent,efiboot");
    let flags = client.ok("chassis bootparam get 5");
    flags
        .assert_says("Boot Flag Valid")
        .assert_says("all future boots")
        .assert_says("Force Boot from default Hard-Drive");
    client.ok("chassis bootdev bios clear-cmos=yes");
    client.ok("chassis bootparam get 5").assert_says("only next boot").assert_says("BIOS Setup");
    client.ok("power on");
    client.ok("chassis bootparam get 5").assert_says("Boot Flag Invalid");
    client.ok("power off");
    client.ok("chassis identify").assert_says("Chassis identify interval");
    client.ok("chassis restart_cause").assert_says("System restart cause:");
    client.ok("chassis poh").assert_says("POH Counter");
    client.ok("chassis policy always-on").assert_says("Set chassis power restore policy to always-on");
    client.ok("chassis status").assert_says("Power Restore Policy : always-on");
}

#[test]
fn sensors_and_their_records() {
    let running = minimal();
    let client = running.client();
    client
        .ok("sdr list")
        .assert_says("CPU Temp | 45 degrees C | ok")
        .assert_says("Inlet Temp | 23 degrees C | ok")
        .assert_says("Fan 1 | 5400 RPM | ok")
        .assert_says("+12V | 12 Volts | ok");
    client
        .ok("sdr elist all")
        .assert_says("Minimal BMC | 00h | ok | 7.1 | Dynamic MC @ 20h")
        .assert_says("Watchdog | 00h | ns | 7.1 | Event-Only")
        .assert_says("PSU 1 | 05h | ok | 10.1 | Presence detected");
    client.ok("sdr info").assert_says("Record Count : 7").assert_says("SDR Version : 0x51");
    client
        .ok("sensor list")
        .assert_says("CPU Temp | 45.000 | degrees C | ok | na | na | na | 80.000 | 90.000 | 95.000")
        .assert_says("Fan 1 | 5400.000 | RPM | ok | 600.000 | 900.000 | 1200.000 | na | na | na")
        .assert_says("PSU 1 | 0x1 | discrete | 0x0100");
    let one = client.run_words(&["sdr", "get", "CPU Temp"]);
    one.assert_ok().assert_says("Entity ID : 3.1 (Processor)").assert_says("Upper critical : 90.000");
    let one = client.run_words(&["sensor", "get", "Fan 1"]);
    one.assert_ok().assert_says("Lower Critical : 900.000");
    client.run_words(&["sensor", "thresh", "CPU Temp", "unc", "40"]).assert_ok();
    client
        .ok("sensor list")
        .assert_says("CPU Temp | 45.000 | degrees C | nc | na | na | na | 40.000 | 90.000 | 95.000");
    // Going above a threshold is an event.
    client.ok("sel list").assert_says("Temperature #0x01 | Upper Non-critical going high");
    client.ok(&format!("sdr dump {}", running.bench.path("sdr.dump").display()));
    client
        .ok(&format!("-S {} sdr list", running.bench.path("sdr.dump").display()))
        .assert_says("CPU Temp | 45 degrees C | nc");
}

/// The repository filled from a file, as after a firmware update.
#[test]
fn repository_is_filled() {
    let running = minimal();
    let client = running.client();
    let dump = running.bench.path("sdr.dump");
    client.ok(&format!("sdr dump {}", dump.display()));
    let before = client.ok("sdr elist all").stdout;
    client.ok(&format!("sdr fill file {}", dump.display()));
    assert_eq!(client.ok("sdr elist all").stdout, before);
    client.ok("sdr info").assert_says("Record Count : 7");
}

#[test]
fn event_log() {
    let running = minimal();
    let client = running.client();
    client
        .ok("sel list")
        .assert_says("Power Supply #0x05 | Presence detected | Asserted")
        .assert_says("Fan #0x03 | Lower Non-critical going low | Deasserted");
    client
        .ok("sel elist")
        .assert_says("Fan Fan 1 | Lower Non-critical going low | Asserted | Reading 1080 < Threshold 1200 RPM");
    client.ok("sel info").assert_says("Entries : 3").assert_says("Supported Cmds : 'Delete' 'Reserve'");
    client.ok("sel get 1").assert_says("SEL Record ID : 0001").assert_says("Sensor Number : 05");
    let more = running.bench.write(
        "events",
        "0x04 0x0c 0x53 0x6f 0x00 0xff 0xff # DIMM 3, correctable\n0x04 0x07 0x77 0x6f 0x01 0xff 0xff # too hot\n",
    );
    client.ok(&format!("sel add {}", more.display()));
    client.ok("sel list").assert_says("Memory #0x53 | Correctable ECC | Asserted");
    client.ok("sel info").assert_says("Entries : 5");
    client.ok("sel delete 2").assert_says("Deleted entry 2");
    client.ok("sel info").assert_says("Entries : 4");
    client.run_words(&["sel", "time", "set", "01/02/30 03:04:05"]).assert_ok();
    client.ok("sel time get").assert_says("01/02/30 03:04:0");
    let event = client.run("event 1");
    event.assert_says("Temperature #0x30 | Upper Critical going high | Asserted");
    client.ok("sel clear").assert_says("Clearing SEL");
    client.run("sel list").assert_says("SEL has no entries");
    client.ok("sel info").assert_says("Entries : 0");
}

#[test]
fn inventory() {
    let running = minimal();
    running
        .client()
        .ok("fru print")
        .assert_says("Board Mfg : Example Works")
        .assert_says("Board Product : Minimal Board")
        .assert_says("Board Mfg Date : Sun Feb 1 00:00:00 2026")
        .assert_says("Product Name : Minimal Server")
        .assert_says("Product Serial : MS-0001")
        .assert_says("Product Asset Tag : example");
}

#[test]
fn users_channels_and_network() {
    let running = minimal();
    let client = running.client();
    client.ok("user list 1").assert_says("2 admin true false true ADMINISTRATOR");
    client.ok("user summary 1").assert_says("Enabled User Count : 1");
    client
        .ok("lan print 1")
        .assert_says("Set in Progress : Set Complete")
        .assert_says("Admin : MD5")
        .assert_says("IP Address : 0.0.0.0");
    client.ok("lan set 1 ipsrc static");
    client.ok("lan set 1 ipaddr 192.0.2.17");
    client.ok("lan print 1").assert_says("IP Address : 192.0.2.17").assert_says("IP Address Source : Static Address");
    client
        .ok("channel info")
        .assert_says("Channel 0x1 info:")
        .assert_says("Channel Medium Type : 802.3 LAN")
        .assert_says("Session Support : multi-session");
    client.ok("channel getaccess 1 2").assert_says("Privilege Level : ADMINISTRATOR");
    let suites = client.ok("channel getciphers ipmi 1");
    suites
        .assert_says("3 N/A hmac_sha1 hmac_sha1_96 aes_cbc_128")
        .assert_says("17 N/A hmac_sha256 sha256_128 aes_cbc_128")
        .assert_not_says("xrc4");
}

/// `sol info` on a BMC with a serial port.
#[test]
fn serial_over_lan_parameters() {
    let serial = Pty::with_echo();
    let line = format!("  sol \"{}\" 115200 nortscts\n", serial.path().display());
    let running = minimal_with(|conf| format!("{conf}{line}"));
    running
        .client()
        .ok("sol info 1")
        .assert_says("Enabled : true")
        .assert_says("Volatile Bit Rate (kbps) : IPMI-Over-Serial-Setting")
        .assert_says("Payload Channel : 1 (0x01)")
        .assert_says(&format!("Payload Port : {}", running.port));
}

/// Filters, policies, destinations and the state of event filtering.
#[test]
fn event_filtering() {
    let running = minimal();
    let client = running.client();
    client.ok("pef info").assert_says("0x51 | 15 | 15");
    client.ok("pef capabilities");
    client.ok("pef filter list").assert_says("1 | disabled, configurable").assert_says("15 | disabled, configurable");
    client.ok("pef filter enable 2");
    client.ok("pef filter list").assert_says("2 | enabled");
    client.ok("pef status").assert_says("| 0x0003 | 0x0000 | 0x0000");
    client.ok("pef policy create 1 channel=1 dest=2 seltype=match_always enable");
    client.ok("lan alert set 1 2 ipaddr 192.0.2.99");
    client.ok("lan alert print 1 2").assert_says("Alert Destination : 2").assert_says("192.0.2.99");
}

/// A second user: made, used, limited, disabled.
#[test]
fn users_are_made_and_used() {
    let running = minimal();
    let client = running.client();
    for words in [
        "user set name 3 operator",
        "user set password 3 secret",
        "user priv 3 3 1",
        "channel setaccess 1 3 ipmi=on privilege=3",
        "user enable 3",
    ] {
        client.ok(words);
    }
    client.ok("user list 1").assert_says("3 operator true false true OPERATOR");
    client.ok("user test 3 16 secret").assert_says("Success");
    client.run("user test 3 16 wrong").assert_failed();
    let operator = Ipmitool::new(running.port, "operator", "secret").with(&["-L", "OPERATOR"]);
    operator.ok("mc info");
    operator.ok("power on");
    operator.by(Transport::Suite(17)).ok("mc info");
    operator.by(Transport::Lan).ok("mc info");
    operator.run("user set name 4 intruder").assert_failed();
    client.ok("user list 1").assert_not_says("intruder");
    operator.with(&["-L", "ADMINISTRATOR"]).run("mc info").assert_failed();
    client.ok("user disable 3");
    operator.run("mc info").assert_failed();
}

/// A password of 20 bytes, the most RMCP+ knows.
#[test]
fn long_passwords() {
    let running = minimal();
    let client = running.client();
    let long = "abcdefghijklmnopqrst";
    client.ok(&format!("user set password 2 {long} 20"));
    Ipmitool::new(running.port, "admin", long).ok("mc info");
    Ipmitool::new(running.port, "admin", long).by(Transport::Suite(17)).ok("mc info");
    let cut = Ipmitool::new(running.port, "admin", &long[..19]);
    cut.run("mc info").assert_failed();
}

#[test]
fn cipher_suites() {
    let running = minimal();
    for suite in [1, 2, 3, 17] {
        let client = running.client().by(Transport::Suite(suite));
        client.ok("mc info").assert_says("Device ID : 0");
        client.ok("sdr elist all").assert_says("Inlet Temp");
        client.ok("power status");
    }
    let choice = running.client().by(Transport::Lanplus).ok("mc info");
    choice.assert_not_says("Unable to Get Channel Cipher Suites");
    // Nobody comes in without a key unless the configuration says so.
    let started = std::time::Instant::now();
    running.client().by(Transport::Suite(0)).run("mc info").assert_failed();
    assert!(started.elapsed() < Duration::from_secs(15), "the refusal is told, not a silence");
}

#[test]
fn cipher_suite_0_where_the_configuration_says_none() {
    let running = minimal_with(every_type);
    running.client().by(Transport::Suite(0)).ok("mc info");
}

#[test]
fn authentication_types() {
    let running = minimal_with(every_type);
    // Debian's ipmitool has no MD2; freeipmi has.
    for kind in ["NONE", "MD5", "PASSWORD"] {
        let client = running.client().by(Transport::LanAuth(kind));
        client.ok("mc info").assert_says("Device ID : 0");
        client.ok("sdr elist all").assert_says("Inlet Temp");
    }
    running.client().by(Transport::Lan).ok("mc info");
    for kind in ["NONE", "MD2", "MD5", "STRAIGHT_PASSWORD_KEY"] {
        running.freeipmi("LAN").with(&["-a", kind]).ok("bmc-info", "--get-device-id");
    }
}

#[test]
fn authentication_types_not_allowed_are_refused() {
    let running = minimal();
    for kind in ["NONE", "PASSWORD"] {
        let client = running.client().by(Transport::LanAuth(kind)).with(&["-N", "1", "-R", "1"]);
        client.run("mc info").assert_failed();
    }
    for kind in ["NONE", "MD2", "STRAIGHT_PASSWORD_KEY"] {
        let tools = running.freeipmi("LAN").with(&["-a", kind]);
        tools.run("bmc-info", "--get-device-id").assert_failed();
    }
    running.client().by(Transport::LanAuth("MD5")).ok("mc info");
}

#[test]
fn wrong_names_and_passwords_are_refused() {
    let running = minimal();
    for way in [Transport::Suite(3), Transport::Suite(17), Transport::Suite(1), Transport::Lan] {
        let wrong = Ipmitool::new(running.port, "admin", "wrong").by(way);
        wrong.with(&["-N", "1", "-R", "1"]).run("mc info").assert_failed();
        let nobody = Ipmitool::new(running.port, "nobody", "admin").by(way);
        nobody.with(&["-N", "1", "-R", "1"]).run("mc info").assert_failed();
        running.client().by(way).ok("mc info");
    }
}

#[test]
fn freeipmi_over_lan() {
    freeipmi(&minimal(), "LAN", &[]);
}

#[test]
fn freeipmi_over_lan_2_0() {
    freeipmi(&minimal(), "LAN_2_0", &[]);
}

#[test]
fn freeipmi_with_suite_17() {
    freeipmi(&minimal(), "LAN_2_0", &["-I", "17"]);
}

#[test]
fn freeipmi_cipher_suites() {
    let running = minimal_with(every_type);
    for suite in ["0", "1", "2", "3", "17"] {
        running.freeipmi("LAN_2_0").with(&["-I", suite]).ok("bmc-info", "--get-device-id");
    }
}

/// The freeipmi tools without a single workaround option.
fn freeipmi(running: &Running, driver: &'static str, options: &[&str]) {
    let tools = running.freeipmi(driver).with(options);
    tools
        .ok("bmc-info", "")
        .assert_says("Device ID : 0")
        .assert_says("IPMI Version : 2.0")
        .assert_says("System GUID : 00656c70-6d61-7865-2d6c-616d696e696d");
    tools
        .ok("ipmi-sensors", "")
        .assert_says("CPU Temp | Temperature | 45.00 | C | 'OK'")
        .assert_says("Fan 1 | Fan | 5400.00 | RPM | 'OK'")
        .assert_says("PSU 1 | Power Supply | N/A | N/A | 'Presence detected'");
    tools
        .ok("ipmi-sel", "")
        .assert_says("Power Supply | Presence detected")
        .assert_says("Fan 1 | Fan | Lower Non-critical - going low");
    tools.ok("ipmi-sel", "--info").assert_says("Number of log entries : 3");
    tools.ok("ipmi-fru", "").assert_says("FRU Board Product Name: Minimal Board");
    tools.ok("ipmi-chassis", "--get-chassis-status").assert_says("System Power : off");
    tools.ok("ipmi-chassis", "--chassis-control=POWER-UP");
    power(&tools, "--stat").assert_says(": on");
    power(&tools, "--off").assert_says(": ok");
    power(&tools, "--stat").assert_says(": off");
    tools.ok("ipmi-sel", "--clear");
    tools.ok("ipmi-sel", "--info").assert_says("Number of log entries : 0");
}

fn power(tools: &Freeipmi, word: &str) -> Ran {
    tools.ok("ipmipower", word)
}

/// `ipmiconsole` without workarounds: the original needs three of them.
#[test]
fn freeipmi_console() {
    let serial = Pty::with_echo();
    let line = format!("  sol \"{}\" 115200 nortscts\n", serial.path().display());
    let running = minimal_with(|conf| format!("{conf}{line}"));
    for options in [&[][..], &["-I", "17"]] {
        let tools = running.freeipmi("LAN_2_0").with(options);
        let mut terminal = Pty::new();
        let mut command = tools.command("ipmiconsole", &[]);
        command.stdin(terminal.stdio()).stdout(terminal.stdio()).stderr(terminal.stdio());
        let mut console = process::spawn(&mut command, FREEIPMI_PACKAGE);
        assert!(terminal.wait_for("[SOL established]", Duration::from_secs(10)), "{}", terminal.received.text());
        terminal.write("hello\r");
        assert!(terminal.wait_for("echo: hello", Duration::from_secs(10)), "{}", terminal.received.text());
        terminal.write("&.");
        let ended = process::wait(&mut console.0, Duration::from_secs(10));
        assert!(ended.is_some(), "{}", terminal.received.text());
    }
}

/// Scanners find it: presence pong and authentication capabilities without a session.
/// Exporters ask for the power reading at user level. Where there is no DCMI the clients say
/// so, at once and at every level.
#[test]
fn clients_hear_that_there_is_no_dcmi() {
    let running = minimal_on("mc_disable_dcmi 0x20\n");
    for level in ["USER", "ADMINISTRATOR"] {
        let client = running.client().with(&["-L", level]);
        for words in ["dcmi power reading", "dcmi discover"] {
            client.run(words).assert_says("DCMI request failed because: Invalid command (c1)");
        }
    }
    for level in ["USER", "ADMIN"] {
        let tools = running.freeipmi("LAN_2_0").with(&["-l", level]);
        for words in ["--get-system-power-statistics", "--get-dcmi-capability-info"] {
            tools.run("ipmi-dcmi", words).assert_failed().assert_says("command invalid or unsupported");
        }
    }
}

#[test]
fn scanners() {
    let running = minimal();
    assert!(support::simulator::presence_ping(running.port, Duration::from_secs(2)));
    let mut command = std::process::Command::new("ipmipower");
    command.args(["-h", &format!("127.0.0.1:{}", running.port), "-u", "admin", "-p", "admin", "-s"]);
    Ran::run(&mut command, FREEIPMI_PACKAGE, CLIENT_LIMIT).assert_ok().assert_says(": off");
}

/// What is changed through a client is there after a restart, even one that follows at once.
#[test]
fn state_is_kept_across_a_restart() {
    let bench = Bench::new();
    let port = free_port();
    bench.write("lan.conf", small_lan_conf(port, "sol \"telnet:127.0.0.1:9\" 115200\n"));
    bench.write("sim.emu", SMALL_EMU);
    let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    let client = Ipmitool::new(port, "admin", "admin");
    for words in [
        "user set name 5 keeper",
        "user set password 5 kept",
        "user priv 5 4 1",
        "channel setaccess 1 5 ipmi=on privilege=4",
        "user enable 5",
        "sol payload disable 1 5",
    ] {
        client.ok(words);
    }
    let events = bench.write("events", "0x04 0x0c 0x53 0x6f 0x00 0xff 0xff # DIMM 3\n");
    client.ok(&format!("sel add {}", events.display()));
    client.ok("raw 0x0a 0x24 0 0 0x51 0x12 0x0f 0x20 0 0 0x8f 0 0 0 7 1 0 0xc4 0x6b 0x65 0x70 0x74");
    simulator.stop();

    let _simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    let client = Ipmitool::new(port, "keeper", "kept");
    client.ok("user list 1").assert_says("5 keeper true false true ADMINISTRATOR");
    client.ok("sol payload status 1 5").assert_says("User 5 on channel 1 is disabled");
    client.ok("sol payload status 1 2").assert_says("User 2 on channel 1 is enabled");
    client.run("sol activate").assert_failed().assert_says("SOL payload disabled");
    client.ok("sel list").assert_says("Memory #0x53 | Correctable ECC");
    client.ok("sdr elist all").assert_says("kept | 00h | ok | 7.1 | Dynamic MC @ 20h");
    client.ok("sel clear");
}

/// A restart stands for power coming back.
#[test]
fn the_power_restore_policy_outlives_a_restart_and_is_carried_out() {
    let bench = Bench::new();
    let port = free_port();
    bench.write("lan.conf", small_lan_conf(port, ""));
    bench.write("sim.emu", SMALL_EMU);
    let client = Ipmitool::new(port, "admin", "admin");
    let restart = || Simulator::start_default(Subject::under_test(), &bench, port);
    let mut simulator = restart();
    client.ok("chassis policy always-on").assert_says("always-on");
    client.ok("power status").assert_says("is off");
    for (policy, power, cause) in [
        ("previous", "on", "power-up due to always-restore power policy"),
        ("previous", "on", "power-up due to restore-previous power policy"),
        ("always-off", "on", "power-up due to restore-previous power policy"),
        ("always-off", "off", "unknown"),
    ] {
        simulator.stop();
        simulator = restart();
        client.ok("power status").assert_says(&format!("is {power}"));
        client.ok("chassis restart_cause").assert_says(cause);
        client.ok(&format!("chassis policy {policy}"));
    }
    client.ok("chassis status").assert_says("Power Restore Policy : always-off");
}

/// What ours keeps the original finds, and the other way round.
#[test]
fn state_is_kept_when_the_program_is_swapped() {
    let bench = Bench::new();
    let port = free_port();
    bench.write("lan.conf", small_lan_conf(port, ""));
    bench.write("sim.emu", SMALL_EMU);
    let other = "raw 0x0a 0x24 0 0 0x51 0x12 0x0f 0x20 0 0 0x8f 0 0 0 7 1 0 0xc4 0x6e 0x65 0x77 0x32";
    let users = bench.path("state/ipmi_sim/small/users.mc20");

    let simulator = Simulator::start_default(Subject::Original, &bench, port);
    let client = Ipmitool::new(port, "admin", "admin");
    client.ok("user set name 5 first");
    client.ok("user set password 5 one");
    client.ok("user priv 5 4 1");
    client.ok("user enable 5");
    let events = bench.write("events", "0x04 0x0c 0x53 0x6f 0x00 0xff 0xff # DIMM 3\n");
    client.ok(&format!("sel add {}", events.display()));
    // The original writes users at its next tick only.
    let kept = eventually(Duration::from_secs(5), || {
        std::fs::read_to_string(&users).is_ok_and(|text| text.contains("first")).then_some(())
    });
    assert!(kept.is_some(), "the original keeps its users");
    std::thread::sleep(Duration::from_millis(1100));
    simulator.stop();

    let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    let first = Ipmitool::new(port, "first", "one");
    first.ok("sel list").assert_says("Memory #0x53 | Correctable ECC");
    client.ok("user set name 5 second");
    client.ok("user set password 5 two");
    let second = Ipmitool::new(port, "second", "two");
    second.ok(other);
    second.ok(&format!("sel add {}", events.display()));
    simulator.stop();

    let _simulator = Simulator::start_default(Subject::Original, &bench, port);
    second.ok("sdr elist all").assert_says("new2");
    second.ok("sel info").assert_says("Entries : 2");
    second.ok("user list 1").assert_says("5 second");
}

/// As on a KVM-over-IP device: a BMC, a log, and nothing to be found about its sensors.
#[test]
fn clients_are_at_home_on_a_bmc_without_records() {
    let bench = Bench::new();
    let port = free_port();
    bench.write("lan.conf", small_lan_conf(port, ""));
    let emu = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 1 1 0 0x9f 0 1 persist_sdr\nsel_enable 0x20 9 0x0f\n\
        sel_add 0x20 2 0 0 0 0 0x20 0 4 1 0x30 1 9 0xff 0xff\nmc_enable 0x20\n";
    bench.write("sim.emu", emu);
    let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    let client = Ipmitool::new(port, "admin", "admin");
    for words in ["sdr list", "sdr elist", "sensor list", "sdr elist all", "sel elist", "sdr type temperature", "fru"] {
        let ran = if words == "fru" { client.run(words) } else { client.ok(words) };
        ran.assert_not_says("erased").assert_not_says("Get SDR").assert_not_says("Error");
    }
    client.ok("sdr elist all").assert_says("BMC").assert_says("Dynamic MC @ 20h");
    client.ok("sel elist").assert_says("Temperature");
    for driver in ["LAN", "LAN_2_0"] {
        let tools = Freeipmi::new(port, "admin", "admin", driver);
        tools.ok("ipmi-sensors", "");
        tools.ok("ipmi-sel", "").assert_says("Temperature");
    }
    let script = format!(
        "from pyghmi.ipmi import command\n\
        c = command.Command(bmc='127.0.0.1', port={port}, userid='admin', password='admin')\n\
        print('events', len(list(c.get_event_log())), 'sensors', list(c.get_sensor_data()))\n\
        print('health', c.get_health()['health'], list(c.get_inventory_descriptions()))\n"
    );
    let mut python = std::process::Command::new("/usr/bin/python3");
    let ran = Ran::run(python.args(["-c", &script]), "python3-pyghmi", Duration::from_secs(30));
    ran.assert_ok().assert_says("events 1 sensors []");
    // Nothing of it is in the state folder, and nobody's records are touched.
    let records = bench.path("state/ipmi_sim/small/sdr.20.main");
    assert!(!records.exists());
    let id = client.ok("raw 0x0a 0x24 0 0 0x51 0x12 0x0f 0x30 0 0 0x8f 0 0 0 7 1 0 0xc4 0x6e 0x65 0x77 0x32");
    id.assert_says("01 00");
    let text = std::fs::read_to_string(&records).expect("the state file");
    assert!(text.contains("new2") && !text.contains("BMC"), "{text}");
    simulator.stop();
    let simulator = Simulator::start_default(Subject::Original, &bench, port);
    client.ok("sdr elist all").assert_says("new2").assert_not_says("@ 20h");
    simulator.stop();
    let _simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    client.ok("sdr elist all").assert_says("new2").assert_not_says("@ 20h");
}

/// ipmitool asks for the HPM capabilities before each command.
#[test]
fn no_level_hears_of_group_extensions_that_are_not_there() {
    let running = minimal();
    let client = Ipmitool::new(running.port, "admin", "admin");
    for level in ["CALLBACK", "USER", "OPERATOR", "ADMINISTRATOR"] {
        let client = client.with(&["-L", level]);
        if level != "CALLBACK" {
            let ran = client.ok("power status");
            assert_eq!(ran.stderr, "", "{level}");
        }
        for request in ["raw 0x2c 0x3e 0", "raw 0x2c 0 0", "raw 0x2c 1 3", "raw 0x2c 0x10 0x52 1"] {
            client.run(request).assert_failed().assert_says("rsp=0xc1");
        }
    }
}

#[test]
fn a_uuid_is_shown_as_it_is_written() {
    for uuid in ["6ba7b810-9dad-4bd1-80b4-00c04fd430c8", "00112233-4455-1677-8899-aabbccddeeff"] {
        let bench = Bench::new();
        let port = free_port();
        bench.write("lan.conf", small_lan_conf(port, "").replace("a123456789abcdefa123456789abcdef", uuid));
        bench.write("sim.emu", SMALL_EMU);
        let _simulator = Simulator::start_default(Subject::under_test(), &bench, port);
        Ipmitool::new(port, "admin", "admin").ok("mc guid").assert_says(uuid);
        Freeipmi::new(port, "admin", "admin", "LAN_2_0").ok("bmc-info", "--get-system-guid").assert_says(uuid);
    }
}
