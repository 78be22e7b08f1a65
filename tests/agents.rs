//! What agents of an operating system and monitors ask of a BMC beside its sensors: system
//! information, DCMI, statistics of the LAN; by ipmitool, freeipmi and pyghmi, kept across restarts.

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
        Self::start_on(SMALL_EMU)
    }

    /// The same with another command file.
    fn start_on(emu: &str) -> Self {
        let (bench, port) = (Bench::new(), free_port());
        bench.write("lan.conf", small_lan_conf(port, ""));
        bench.write("sim.emu", emu);
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

/// A full record, as `main_sdr_add` takes it: sensor, entity, sensor type, unit, factor, name.
fn record(number: u8, entity: u8, kind: u8, unit: u8, factor: u8, name: &str) -> String {
    let mut bytes = vec![0; 48];
    bytes[2..10].copy_from_slice(&[0x51, 0x01, 43 + name.len() as u8, 0x20, 0, number, entity, 1]);
    // Scanned; a threshold sensor.
    bytes[10..14].copy_from_slice(&[0x41, 0x00, kind, 0x01]);
    (bytes[21], bytes[24], bytes[47]) = (unit, factor, 0xc0 | name.len() as u8);
    bytes.extend_from_slice(name.as_bytes());
    bytes.iter().fold("main_sdr_add 0x20".to_owned(), |line, byte| format!("{line} {byte:#04x}")) + "\n"
}

/// An air inlet at 23 degrees, and a sensor that tells the power in steps of 2 W.
fn with_power_sensor() -> Running {
    let emu = format!(
        "{}{}sensor_add 0x20 0 0x10 1 1\nsensor_add 0x20 0 0x11 0x0b 1\nsensor_set_value 0x20 0 0x10 23 0\n\
         sensor_set_value 0x20 0 0x11 150 0\nmc_set_dcmi_power 0x20 0 0x11\nmc_enable 0x20\n",
        record(0x10, 0x37, 1, 1, 1, "Inlet"),
        record(0x11, 0x13, 0x0b, 6, 2, "Power"),
    );
    Running::start_on(&SMALL_EMU.replace("mc_enable 0x20\n", &emu))
}

#[test]
fn ipmitool_speaks_dcmi() {
    let mut running = with_power_sensor();
    let client = running.ipmitool();
    client
        .ok("dcmi discover")
        .assert_says("Power management available")
        .assert_says("1000 SEL entries")
        .assert_says("GUID\n Asset tag")
        .assert_says("Primary LAN channel number: 1 is available")
        .assert_not_says("failed");
    for level in ["USER", "ADMINISTRATOR"] {
        let reading = client.with(&["-L", level]).ok("dcmi power reading");
        reading.assert_says("Instantaneous power reading: 300 Watts").assert_says("Power reading state is: activated");
        reading.assert_says("Average power reading over sample period: 300 Watts");
    }
    client.ok("dcmi power reading 1_min").assert_says("Minimum during sampling period: 300 Watts").assert_says("1_min");
    client
        .ok("dcmi sensors")
        .assert_says("Inlet: 1 temperature sensor found:")
        .assert_says("CPU: 0 temperature sensor found:")
        .assert_says("Inlet");
    client.ok("dcmi get_temp_reading").assert_says("Inlet air temperature(40h) 1 +23 C");
    // Longer than one part.
    client.run_words(&["dcmi", "set_asset_tag", "rack 7, shelf 19, unit 4"]).assert_ok();
    client.run("dcmi set_mc_id_string bmc-of-rack-7.example.org");
    client.ok("dcmi set_conf_param timeout 200");
    client.ok("dcmi power set_limit limit 250").assert_not_says("failed");
    client.ok("dcmi power activate").assert_says("successfully activated");
    client.ok("dcmi thermalpolicy set 0x37 1 volatile poweroff sel 60 30 0").assert_not_says("failed");
    running.restart();
    let client = running.ipmitool();
    client.ok("dcmi asset_tag").assert_says("Asset tag: rack 7, shelf 19, unit 4");
    client.ok("dcmi get_mc_id_string").assert_says("String: bmc-of-rack-7.example.org");
    client
        .ok("dcmi get_conf_param")
        .assert_says("Initial timeout interval : 4 seconds")
        .assert_says("Server contact timeout interval : 200 seconds");
    let policy = client.ok("dcmi thermalpolicy get 0x37 1");
    policy.assert_says("Temperature Limit 60 degrees").assert_says("Exception Time 30 seconds");
    client.ok("dcmi power get_limit").assert_says("Power Limit Active").assert_says("Power Limit: 250 Watts");
    let refused = client.with(&["-L", "USER"]).run("dcmi set_asset_tag other");
    refused.assert_says("Insufficient privilege level");
}

#[test]
fn freeipmi_and_exporters_speak_dcmi() {
    let running = with_power_sensor();
    for level in ["USER", "ADMIN"] {
        let tools = running.freeipmi().with(&["-l", level]);
        // What ipmi_exporter asks, and how it reads it.
        let reading = tools.ok("ipmi-dcmi", "--get-system-power-statistics");
        assert_eq!(reading.value("Current Power"), "300 Watts");
        assert_eq!(reading.value("Power Measurement"), "Active");
        tools.ok("ipmi-dcmi", "--get-enhanced-system-power-statistics").assert_says("Average Power");
        let capabilities = tools.ok("ipmi-dcmi", "--get-dcmi-capability-info");
        capabilities.assert_says("DCMI Specification Conformance : 1.5").assert_not_says("nvalid");
        tools.ok("ipmi-dcmi", "--get-dcmi-sensor-info").assert_says("Inlet Temperature");
    }
    running.freeipmi_words("ipmi-dcmi", &["--set-asset-tag=seven"]);
    running.freeipmi().ok("ipmi-dcmi", "--get-asset-tag").assert_says("seven");
    running.freeipmi_words("ipmi-dcmi", &["--set-management-controller-identifier-string=bmc-7"]);
    let tools = running.freeipmi();
    tools.ok("ipmi-dcmi", "--get-management-controller-identifier-string").assert_says("bmc-7");
    tools.ok(
        "ipmi-dcmi",
        "--set-power-limit --exception-actions=0x11 --power-limit-requested=200 \
         --correction-time-limit=1000 --statistics-sampling-period=5",
    );
    tools.ok("ipmi-dcmi", "--activate-deactivate-power-limit=ACTIVATE");
    tools.ok("ipmi-dcmi", "--get-power-limit").assert_says("(11h)\nPower Limit Requested : 200 watts");
}

#[test]
fn pyghmi_reads_the_power() {
    const SCRIPT: &str = "import sys
from pyghmi.ipmi import command
bmc = command.Command(bmc='127.0.0.1', port=int(sys.argv[1]), userid='admin', password='admin')
# What get_system_power_watts of newer versions sends and reads.
power = bmc.xraw_command(netfn=0x2c, command=2, data=(0xdc, 1, 0, 0))['data']
print(int.from_bytes(power[1:3], 'little'))
bmc.set_mci(b'bmc-7')
print(bmc.get_mci())
bmc.set_asset_tag(b'rack 7')
print(bmc.get_asset_tag())
";
    let running = Running::start();
    let mut command = std::process::Command::new("/usr/bin/python3");
    command.args(["-c", SCRIPT, &running.port.to_string()]);
    let ran = Ran::run(&mut command, "python3-pyghmi", CLIENT_LIMIT);
    // Modelled: the machine is off.
    assert_eq!(ran.assert_ok().stdout, "8\nbmc-7\nrack 7\n", "{}", ran.report());
}

/// A fan that nobody has measured yet, and a power supply of which nothing is known, stand before a
/// sensor that has a reading: nobody's list ends there.
#[test]
fn a_sensor_without_a_reading_says_so() {
    const SCRIPT: &str = "import sys
from pyghmi.ipmi import command
bmc = command.Command(bmc='127.0.0.1', port=int(sys.argv[1]), userid='admin', password='admin')
for sensor in bmc.get_sensor_data():
    print(sensor.name, sensor.value, sensor.unavailable, sensor.states)
print(bmc.get_health()['health'] == 0)
";
    let records: String = [(5, 0x1d, 4, 0x12, "Fan"), (6, 0x37, 1, 1, "Inlet")]
        .map(|(number, entity, kind, unit, name)| {
            format!("{}sensor_add 0x20 0 {number} {kind} 1\n", record(number, entity, kind, unit, 1, name))
        })
        .concat();
    let psu = "main_sdr_add 0x20 0 0 0x51 2 0x1e 0x20 0 7 10 1 0x67 0x40 8 0x6f 15 0 15 0 15 0 0xc0 0 0 0 0 0 0 0 0 0 0 \
               0xc3 'P 'S 'U\nsensor_add 0x20 0 7 8 0x6f\n";
    let emu = format!("{psu}{records}sensor_set_value 0x20 0 6 23 0\nmc_enable 0x20\n");
    let running = Running::start_on(&SMALL_EMU.replace("mc_enable 0x20\n", &emu));
    let client = running.ipmitool();
    let list = client.ok("sensor list");
    list.assert_says("Fan | na").assert_says("PSU | na").assert_says("Inlet | 23.000");
    client.ok("sdr elist").assert_says("Fan | 05h | ns").assert_says("PSU | 07h | ns").assert_says("23 degrees C");
    client.run("sensor get Fan").assert_not_says("Error reading sensor");
    let sensors = running.freeipmi().ok("ipmi-sensors", "--comma-separated-output");
    sensors.assert_says("Fan,Fan,N/A,RPM,N/A").assert_says("Inlet,Temperature,23.00,C");
    let mut command = std::process::Command::new("/usr/bin/python3");
    command.args(["-c", SCRIPT, &running.port.to_string()]);
    let ran = Ran::run(&mut command, "python3-pyghmi", CLIENT_LIMIT);
    ran.assert_ok().assert_says("Fan None 1").assert_says("PSU None 1").assert_says("Inlet 23.0 0").assert_says("True");
}

/// Which commands there are, as the firmware firewall tells it.
#[test]
fn the_firewall_is_shown() {
    let running = Running::start();
    let client = running.ipmitool();
    let all = client.ok("firewall info");
    for pair in ["00,00 support:", "00,04 support:", "00,06 enabled:", "01,0a configurable:", "03,2c support:"] {
        all.assert_says(pair);
    }
    all.assert_not_says("02,").assert_not_says("nvalid");
    // Commands 00h to 02h, 04h, 06h to 0Bh, 0Fh.
    let chassis = client.ok("firewall info lun 0 netfn 0");
    chassis.assert_says("support: d78f0000").assert_says("enabled: d78f0000").assert_says("configurable: 00000000");
}

/// What system software asks of the way it talks to the BMC.
#[test]
fn the_system_interface_is_told() {
    let running = Running::start();
    running.freeipmi().ok("bmc-device", "--get-kcs-interface-capabilities").assert_says(": 255 bytes");
    // There is none of that kind.
    running.freeipmi().run("bmc-device", "--get-ssif-interface-capabilities").assert_says("invalid or unsupported");
}

/// What gebn/bmc asks before it logs in: nobody has to be known to be told what kind of BMC this is.
#[test]
fn dcmi_capabilities_are_told_before_a_login() {
    let ask = |running: &Running, request: &[u8]| -> Vec<u8> {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("a limit");
        let checksum = |bytes: &[u8]| bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
        let mut datagram = vec![6, 0, 0xff, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, request.len() as u8 + 5];
        let body = [&[0x81, 0x04], &request[1..]].concat();
        let head = [0x20, request[0] << 2];
        datagram.extend([&head[..], &[checksum(&head)], &body, &[checksum(&body)]].concat());
        socket.send_to(&datagram, ("127.0.0.1", running.port)).expect("sent");
        let mut answer = [0; 128];
        let length = socket.recv(&mut answer).expect("an answer");
        answer[20..length - 1].to_vec()
    };
    let running = Running::start();
    for (parameter, answer) in [
        (1, &[0, 0xdc, 1, 5, 2, 0, 1][..]),
        (2, &[0, 0xdc, 1, 5, 2, 0xe8, 3]),
        (4, &[0, 0xdc, 1, 5, 2, 1, 0xff, 0xff]),
        (9, &[0xcc]),
    ] {
        assert!(ask(&running, &[0x2c, 1, 0xdc, parameter]).starts_with(answer), "{parameter}");
    }
    assert_eq!(ask(&running, &[0x2c, 1, 0xdc]), [0xc7]);
    // Everything else needs a login, or is not there.
    for request in [&[0x2c, 2, 0xdc, 1, 0, 0][..], &[0x2c, 6, 0xdc, 0, 16], &[0x2c, 1, 0], &[0x2c, 1], &[0x30, 1]] {
        assert_eq!(ask(&running, request), [0xd5], "{request:02x?}");
    }
    let running = Running::start_on(&format!("{SMALL_EMU}mc_disable_dcmi 0x20\n"));
    assert_eq!(ask(&running, &[0x2c, 1, 0xdc, 1]), [0xd5]);
}
