//! Commands of OEMs that a command file defines, and those of `examples/oem` with the tools that send them.

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use support::bench::{free_port, project};
use support::machine::left_out;
use support::process::{self, Captured, eventually};
use support::{Bench, Freeipmi, Ipmitool, Ran, Simulator, Stdin, Subject};

/// A minimal BMC with more statements at its end.
fn bench(statements: &str) -> (Bench, u16) {
    let bench = Bench::new();
    bench.copy_tree("examples/minimal", ".");
    let port = free_port();
    let conf = bench.read("lan.conf").replace("9623", &port.to_string());
    bench.write("lan.conf", conf);
    let emu = bench.read("sim.emu") + statements;
    bench.write("sim.emu", emu);
    (bench, port)
}

const FILES: [&str; 6] = ["-p", "--strict", "-c", "lan.conf", "-f", "sim.emu"];

/// The bytes of a response, or the completion code.
fn raw(client: &Ipmitool, words: &str) -> String {
    let ran = client.run(&format!("raw {words}"));
    match ran.all().split_once("rsp=0x") {
        Some((_, code)) => code.get(..2).unwrap_or_default().to_owned(),
        None => ran.assert_ok().stdout.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

#[test]
fn statements_answer_and_a_console_changes_them() {
    let (bench, port) = bench(
        "oem_add 0x20 0x30 0x70 data 0x66 response 0 0xaa sensor=0,1 count=7,2 power=1,0 request=1\n\
         oem_add 0x20 0x30 0x70 data 0x66 9 privilege user response 0x85\n\
         oem_add 0x20 0x3a 0x01 response 0 text \"SN-\"'7'\n",
    );
    let mut simulator = Simulator::spawn(Subject::under_test(), &bench, &FILES, Stdin::Pipe);
    simulator.wait_until_ready(port);
    let client = Ipmitool::new(port, "admin", "admin");
    assert_eq!(raw(&client, "0x30 0x70 0x66 1 2"), "aa 2d 07 00 00 01 02");
    client.ok("power on");
    simulator.type_in("sensor_set_value 0x20 0 1 85 0\n");
    let hot = eventually(Duration::from_secs(5), || client.ok("sdr list").stdout.contains("85 degrees").then_some(()));
    assert!(hot.is_some(), "{}", simulator.report());
    assert_eq!(raw(&client, "0x30 0x70 0x66"), "aa 55 08 00 01");
    assert_eq!(raw(&client, "0x30 0x70 0x66 9"), "85");
    assert_eq!(raw(&client, "0x30 0x70 0x67"), "cc");
    assert_eq!(raw(&client, "0x30 0x70"), "c7");
    assert_eq!(raw(&client, "0x3a 1"), "53 4e 2d 37");
    // Only the second row is for users.
    let user = client.with(&["-L", "user"]);
    assert_eq!((raw(&user, "0x30 0x70 0x66 9"), raw(&user, "0x30 0x70 0x66")), ("85".into(), "d4".into()));
    simulator.type_in("oem_remove 0x20 0x30 0x70 data 0x66\noem_remove 0x20 0x30 0x70\n");
    let gone = eventually(Duration::from_secs(5), || (raw(&client, "0x30 0x70 0x66") == "c1").then_some(()));
    assert!(gone.is_some(), "{}", simulator.report());
    let told = eventually(Duration::from_secs(5), || simulator.report().contains("no oem_add was about").then_some(()));
    assert!(told.is_some(), "{}", simulator.report());
}

#[test]
fn a_program_answers_and_holds_up_nobody() {
    let (bench, port) = bench(
        "oem_add 0x20 0x30 0x70 run \"./oem.sh\"\noem_add 0x20 0x30 0x71 run \"sleep 3; echo 0 1;:\"\n\
         oem_add 0x20 0x30 0x72 run \"echo zero;:\"\n",
    );
    bench.write_program("oem.sh", "#!/bin/sh\necho \"$*\" > asked\necho 0xc9\necho 0x01 02 ff\n");
    let simulator = Simulator::start(Subject::under_test(), &bench, port, &FILES);
    let client = Ipmitool::new(port, "admin", "admin");
    // With a completion code ipmitool shows no data.
    assert_eq!(raw(&client, "0x30 0x70 0x66 0x0a"), "c9");
    assert_eq!(bench.read("asked"), "0x30 0x70 0x66 0x0a\n");
    assert_eq!(raw(&client, "0x30 0x72"), "ff");
    assert!(simulator.stderr.text().contains("it printed 'zero', which is no byte in hexadecimal"));
    let started = Instant::now();
    let slow = std::thread::spawn({
        let client = client.with(&["-N", "10"]);
        move || raw(&client, "0x30 0x71")
    });
    while !slow.is_finished() && started.elapsed() < Duration::from_secs(2) {
        client.ok("mc info");
    }
    assert!(!slow.is_finished(), "others were answered meanwhile");
    assert_eq!(slow.join().expect("an end"), "01");
}

/// What is about sessions cannot be defined, and a fault says where it is.
#[test]
fn faults_are_told_with_their_place() {
    let (bench, _) = bench("oem_add 0x20 0x06 0x3a response 0\noem_add 0x20 0x30 1 response 0 sensr=0,1\n");
    let arguments = ["--check", "-c", "lan.conf", "-f", "sim.emu"];
    let mut check = Simulator::spawn(Subject::under_test(), &bench, &arguments, Stdin::Null);
    let status = check.wait(Duration::from_secs(5)).expect("an end");
    assert!(!status.success(), "{}", check.report());
    let lines = bench.read("sim.emu").lines().count();
    for (line, says) in [(lines - 1, "is about sessions or leads elsewhere"), (lines, "did you mean 'sensor'?")] {
        let text = check.stderr.text();
        let found = text.lines().any(|text| text.starts_with(&format!("sim.emu:{line}:")) && text.contains(says));
        assert!(found, "{says}: {}", check.report());
    }
}

/// The machine with one socket, and the commands of a maker.
fn of_maker(maker: &str) -> (Bench, u16, Simulator) {
    let bench = Bench::new();
    for folder in ["examples/minimal", "examples/oem", "examples/profiles"] {
        bench.copy_tree(folder, folder);
    }
    let port = free_port();
    let conf = bench.read("examples/minimal/lan.conf").replace("9623", &port.to_string());
    bench.write("lan.conf", conf);
    let page = bench.read("examples/oem/README.md");
    let (_, emu) = page.split_once("```\n").expect("the command file of the page");
    let (emu, _) = emu.split_once("```").expect("its end");
    bench.write("sim.emu", emu.replace("supermicro.emu", &format!("{maker}.emu")));
    let simulator = Simulator::start(Subject::under_test(), &bench, port, &FILES);
    (bench, port, simulator)
}

/// Runs `ipmi-oem MAKER WORDS` for each row, and what it says.
fn ipmi_oem(maker: &str, rows: &[(&str, &str)]) {
    let (bench, port, mut simulator) = of_maker(&maker.replace("ibm", "lenovo"));
    let cache = bench.folder().display().to_string();
    let client = Freeipmi::new(port, "admin", "admin", "LAN_2_0");
    let client = client.with(&["--quiet-cache", "--sdr-cache-directory", &cache, maker]);
    for (words, says) in rows {
        let ran = client.ok("ipmi-oem", words);
        assert_eq!(ran.stderr, "", "{}", ran.report());
        for says in says.split(';') {
            ran.assert_says(says);
        }
    }
    simulator.assert_alive();
}

#[test]
fn freeipmi_speaks_to_supermicro() {
    ipmi_oem(
        "supermicro",
        &[
            ("extra-firmware-info", "Firmware Version : 3.15.02;Firmware Build Number : 1337;Firmware Tag : QM1-STD"),
            ("get-bmc-services-status", "enabled"),
            ("set-bmc-services-status disable", ""),
            ("get-bmc-services-status", "disabled"),
            ("get-power-supply-status 1", "good"),
            ("get-power-supply-status2 1", "good"),
            ("get-power-supply-status2 2", "bad"),
            ("get-pmbus-power-supply-status 2", "good"),
            ("reset-intrusion", ""),
        ],
    );
}

#[test]
fn freeipmi_speaks_to_dell() {
    ipmi_oem(
        "dell",
        &[
            ("get-system-info asset-tag", "RACK-07"),
            ("get-system-info service-tag", "EXMPL01"),
            ("get-system-info chassis-service-tag", "EXMPL00"),
            ("get-system-info product-name", "Example R1"),
            ("get-nic-selection", "dedicated"),
            ("set-nic-selection shared", ""),
            ("get-nic-selection", "shared"),
            ("get-power-consumption-data", "Cumulative Energy : 120.00 kWh;Peak Amp : 1.20 A;Peak Watt : 240 W"),
            ("power-supply-info", "Rated Watts : 500 W;Online Status : Presence detected;Firmare Version : 00.1C.7D"),
            ("get-instantaneous-power-consumption-data", "Instantaneous Power : 146 W"),
            ("get-instantaneous-power-consumption-data 2", "Instantaneous Power : 72 W"),
            ("get-power-head-room", "Instantaneous Head Room : 254 W"),
            ("get-power-consumption-statistics average", "Last Hour Average Power : 151 W"),
            ("get-power-consumption-statistics max", "Last Week Max Power : 240 W"),
            ("get-power-consumption-statistics min", "Last Day Min Power : 118 W"),
            ("get-power-capacity", "Power Capacity : 400 W;Available Power : 960 W"),
            ("get-power-capacity-status", "enabled"),
            ("get-active-lom-status", "dedicated"),
            ("get-chassis-identify-status", "Off"),
        ],
    );
}

#[test]
fn freeipmi_and_ipmitool_speak_to_lenovo() {
    ipmi_oem(
        "ibm",
        &[("get-led", "LED = 0000h | Inactive;LED = 0001h | Active | LED Activated by BIOS or Administrator")],
    );
    let (_bench, port, _simulator) = of_maker("lenovo");
    // A session at user level is enough.
    let client = Ipmitool::new(port, "admin", "admin").with(&["-L", "user"]);
    for (request, response) in [
        ("0x32 0x90 1", "b0 04 4c 05 dc 05"),
        ("0x32 0x90 3", "54 00 00"),
        ("0x32 0x91", "00 00 3f 3f 00 00"),
        ("0x32 0xa5 1", "98 21 56 02"),
        ("0x32 0xa5 3", "00 00 00 00"),
        ("0x32 0xa5 7", "c9"),
    ] {
        assert_eq!(raw(&client, request), response, "{request}");
    }
}

/// The folder of a program that `tests/oem/clients.sh` brings; `None` where it cannot be had, which is told.
fn brought(what: &str, name: &str) -> Option<PathBuf> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut script = Command::new("sh");
    script.arg(project("tests/oem/clients.sh")).arg(name).arg(&folder);
    let ran = Ran::run(&mut script, "python3-venv", Duration::from_secs(600));
    if ran.succeeded() {
        return Some(folder);
    }
    left_out(what, &ran.stderr.trim().replace('\n', "; "));
    None
}

/// smfc takes the fans over, keeps its duty, and leaves another one when it ends.
#[test]
fn smfc_controls_the_fans() {
    let Some(folder) = brought("smfc_controls_the_fans", "smfc") else { return };
    let (bench, port, _simulator) = of_maker("supermicro");
    let client = Ipmitool::new(port, "admin", "admin");
    let fans = || ["0x30 0x45 0", "0x30 0x70 0x66 0 0", "0x30 0x70 0x66 0 1"].map(|words| raw(&client, words));
    assert_eq!(fans(), ["02", "32", "23"]);
    // It wants the whole path.
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let ipmitool = std::env::split_paths(&folders).map(|folder| folder.join("ipmitool")).find(|path| path.exists());
    let ipmitool = ipmitool.expect("ipmitool").display().to_string();
    bench.write(
        "smfc.conf",
        format!(
            "[Ipmi]\ncommand={ipmitool}\nfan_mode_delay=0\nfan_level_delay=0\nexit_level=77\n\
             remote_parameters=-I lanplus -C 3 -U admin -P admin -H 127.0.0.1 -p {port}\n\
             [CONST]\nenabled=1\nipmi_zone=0, 1\nlevel=42\npolling=1\n"
        ),
    );
    let mut command = Command::new(folder.join("bin/smfc"));
    command.args(["-c", "smfc.conf", "-l", "3", "-o", "0", "-nd"]).current_dir(bench.folder());
    command.env("PYTHONUNBUFFERED", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut smfc = process::spawn(&mut command, "smfc");
    let said = Captured::from(smfc.0.stdout.take().expect("stdout"));
    let complained = Captured::from(smfc.0.stderr.take().expect("stderr"));
    let set = eventually(Duration::from_secs(30), || (fans() == ["01", "2a", "2a"]).then_some(()));
    assert!(set.is_some(), "{}{}", said.text(), complained.text());
    process::signal(smfc.0.id(), Signal::SIGTERM);
    let ended = process::wait(&mut smfc.0, Duration::from_secs(30));
    assert!(ended.is_some(), "{}{}", said.text(), complained.text());
    assert_eq!(fans(), ["01", "4d", "4d"], "{}{}", said.text(), complained.text());
}

/// The collector `sm-lan-mode` of the Prometheus exporter.
#[test]
fn the_exporter_collects_the_lan_mode() {
    let Some(folder) = brought("the_exporter_collects_the_lan_mode", "prometheus-ipmi-exporter") else { return };
    let (bench, port, _simulator) = of_maker("supermicro");
    bench.write(
        "exporter.yml",
        "modules:\n  default:\n    user: admin\n    pass: admin\n    driver: LAN_2_0\n    privilege: admin\n\
         \x20   timeout: 10000\n    collectors: [sm-lan-mode]\n",
    );
    let own = free_port();
    let mut command = Command::new(folder.join("usr/bin/prometheus-ipmi-exporter"));
    command.args([format!("--web.listen-address=127.0.0.1:{own}"), "--config.file=exporter.yml".into()]);
    // It runs freeipmi's tools.
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    command.current_dir(bench.folder()).env("PATH", path).env("HOME", bench.folder());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut exporter = process::spawn(&mut command, "prometheus-ipmi-exporter");
    let log = Captured::from(exporter.0.stderr.take().expect("stderr"));
    let scrape = || {
        let mut stream = TcpStream::connect(("127.0.0.1", own)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        write!(stream, "GET /ipmi?target=127.0.0.1:{port} HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    };
    let text = eventually(Duration::from_secs(20), scrape).unwrap_or_default();
    assert!(text.contains("\nipmi_up{collector=\"sm-lan-mode\"} 1\n"), "{text}{}", log.text());
    assert!(text.contains("\nipmi_config_lan_mode 2\n"), "{text}");
    assert_eq!(raw(&Ipmitool::new(port, "admin", "admin"), "0x30 0x70 0x0c 1 0"), "");
    assert!(scrape().is_some_and(|text| text.contains("\nipmi_config_lan_mode 0\n")), "{}", log.text());
}
