//! Configurations that people really use: each project's files, started as the project
//! starts them, and asked by ipmitool.
//!
//! The collection is not part of this repository (`support/corpus.rs`).
//!
//! A copy of the files is changed where they belong to the machine they were written for:
//! addresses become loopback ones with free ports, the start command becomes a sleep,
//! devices and files outside get a name in the test's folder, templates are filled in.

mod support;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::bench::free_port;
use support::client::Transport;
use support::config::{SMALL_EMU, small_lan_conf};
use support::corpus::collection;
use support::simulator::{TIMEOUT, presence_ping};
use support::{Bench, Ipmitool, Ran, Simulator, Stdin, Subject};

/// How a project starts the simulator, and what then has to be there.
#[derive(Clone, Copy)]
struct Project {
    /// The folder in the collection.
    folder: &'static str,
    /// LAN configuration; of another folder if there is a `/` in it.
    conf: &'static str,
    /// Command file, likewise; none: the project relies on a default one.
    emu: &'static str,
    /// Options beside `-c`, `-f` and `-s`.
    options: &'static [&'static str],
    user: &'static str,
    password: &'static str,
    /// What the client needs beside them.
    client: &'static [&'static str],
    /// Another way in than RMCP+ with cipher suite 3. Some projects allow no authentication
    /// type of IPMI 1.5, or have a password that is too long for it.
    other_way: Option<Transport>,
    /// Names in a template and what they stand for.
    filled: &'static [(&'static str, &'static str)],
    /// Where the SDR repository comes from.
    sdrs: Sdrs,
    /// What is complained about: place, and words of the message.
    told: &'static [(&'static str, &'static str)],
    expect: Expect,
}

#[derive(Clone, Copy)]
enum Sdrs {
    None,
    /// A stored or compiled file: its name, and the controller's address in hexadecimal.
    Stored(&'static str, &'static str),
    /// Source for `sdrcomp`.
    Source(&'static str),
}

#[derive(Clone, Copy)]
enum Expect {
    /// It serves: records in the SDR repository, sensors, records in the SEL.
    Serves { sdrs: u32, sensors: usize, events: usize },
    /// It ends with status 1 and says what it does not understand.
    Refuses,
}
use Expect::{Refuses, Serves};

const PLAIN: Project = Project {
    folder: "",
    conf: "lan.conf",
    emu: "sim.emu",
    options: &["-n"],
    user: "ipmiusr",
    password: "test",
    client: &[],
    other_way: Some(Transport::Lan),
    filled: &[],
    sdrs: Sdrs::None,
    told: &[],
    expect: Serves { sdrs: 0, sensors: 0, events: 0 },
};

/// One of InfraSIM's captures of a real server, with the configuration of its virtual node.
const fn infrasim(emu: &'static str, sdrs: u32, sensors: usize, events: usize) -> Project {
    Project {
        folder: "InfraSIM__infrasim-compute",
        conf: "vbmc.conf",
        emu,
        user: "admin",
        password: "admin",
        expect: Serves { sdrs, sensors, events },
        ..PLAIN
    }
}

const PROJECTS: &[Project] = &[
    Project {
        folder: "cminyard__openipmi",
        emu: "ipmisim1.emu",
        options: &[],
        sdrs: Sdrs::Source("ipmisim1.sdrs"),
        expect: Serves { sdrs: 6, sensors: 3, events: 0 },
        ..PLAIN
    },
    Project {
        folder: "cminyard__openipmi",
        emu: "atca.emu",
        told: &[("atca.emu:6:22: error: ", "did you mean 0x1f?")],
        expect: Refuses,
        ..PLAIN
    },
    Project {
        folder: "cminyard__openipmi/marvell-bmc",
        emu: "marvell.emu",
        user: "ADMIN",
        password: "ADMIN",
        sdrs: Sdrs::Source("main.sdrs"),
        expect: Serves { sdrs: 119, sensors: 99, events: 0 },
        told: &[
            ("lan.conf:32:10: warning: ", "the GUID has 16 bytes"),
            ("lan.conf:58:10: warning: ", "the GUID has 16 bytes"),
            ("lan.conf:127:9: warning: ", "is a C plug-in"),
        ],
        other_way: None,
        ..PLAIN
    },
    Project {
        folder: "cminyard__openipmi/swig-perl",
        emu: "rapid7__metasploit-framework/sim.emu",
        user: "minyard",
        ..PLAIN
    },
    Project { folder: "cminyard__linux-ipmi-driver-test", emu: "ipmisim1.emu", options: &["-p", "-n"], ..PLAIN },
    Project { folder: "vapor-ware__ipmi-simulator", user: "ADMIN", password: "ADMIN", ..PLAIN },
    Project {
        folder: "Stickyfame__ipmi-simulator",
        user: "ADMIN",
        password: "ADMIN",
        sdrs: Sdrs::Stored("ipmisim1.bsdr", "20"),
        expect: Serves { sdrs: 6, sensors: 3, events: 2 },
        ..PLAIN
    },
    Project {
        folder: "kourtnet__ipmi-sim",
        user: "ADMIN",
        password: "ADMIN",
        sdrs: Sdrs::Source("sim.sdrs"),
        expect: Serves { sdrs: 13, sensors: 11, events: 0 },
        ..PLAIN
    },
    Project { folder: "rohityadavcloud__ipmisim-docker", options: &[], user: "admin", password: "password", ..PLAIN },
    Project { folder: "OpenCHAMI__remote-console", user: "root", password: "root_password", ..PLAIN },
    Project { folder: "dhilst__qemu-ipmi/CN1", emu: "ipmisim1.emu", options: &["-n", "-d"], ..PLAIN },
    Project {
        folder: "dhilst__qemu-ipmi/HN",
        emu: "ipmisim1.emu",
        options: &["-n", "-d"],
        told: &[("lan.conf:84:3: warning: ", "this controller has a sol line already")],
        ..PLAIN
    },
    Project {
        folder: "Howle-Great__ipmiConfig",
        emu: "ipmi0.emu",
        user: "ADMIN",
        password: "ADMIN",
        client: &["-k", "incendia"],
        told: &[
            ("lan.conf:126:9: warning: ", "is a C plug-in"),
            ("vdd.emu:1:97: error: ", "'0.2701149425' is not a number"),
        ],
        ..PLAIN
    },
    Project {
        folder: "Mellanox__mlx-OpenIPMI",
        conf: "mlx-bf.lan.conf.in",
        emu: "mlx-bf1.emu",
        user: "ADMIN",
        password: "ADMIN",
        filled: &[("@pkglib@", "/usr/lib")],
        sdrs: Sdrs::Stored("sdr.30.main", "30"),
        expect: Serves { sdrs: 35, sensors: 13, events: 0 },
        told: &[("mlx-bf.lan.conf.in:46:9: warning: ", "is a C plug-in")],
        ..PLAIN
    },
    Project {
        folder: "Seneca-CDOT__simengine",
        emu: "ipmisim1.emu",
        filled: &[
            ("${user}", "ipmiusr"),
            ("${password}", "test"),
            ("$host $port", "localhost 9001"),
            ("$vmport", "9002"),
            ("${extend_lib}", "haos_extend.so"),
        ],
        sdrs: Sdrs::Stored("emu_state/ipmi_sim/ipmisim1/sdr.20.main", "20"),
        expect: Serves { sdrs: 23, sensors: 15, events: 0 },
        told: &[("lan.conf:129:9: warning: ", "is a C plug-in")],
        ..PLAIN
    },
    Project {
        folder: "lanchongyizu__ipmisim",
        conf: "vbmc.conf",
        emu: "vbmc.emu",
        user: "admin",
        password: "admin",
        ..PLAIN
    },
    Project {
        folder: "SUSE-Cloud__automation",
        conf: "ipmi-lan-node.conf",
        emu: "ipmi_sim.emu",
        options: &[],
        user: "root",
        password: "linux",
        ..PLAIN
    },
    Project {
        folder: "NVIDIA__infra-controller",
        emu: "cmd.conf",
        options: &[],
        user: "root",
        password: "password",
        ..PLAIN
    },
    Project {
        folder: "NVIDIA__infra-controller",
        conf: "bmc-mock-lan.conf",
        emu: "cmd.conf",
        options: &[],
        user: "root",
        password: "Welcome123! @$%^&*()",
        other_way: None,
        ..PLAIN
    },
    Project { folder: "bougou__go-ipmi", user: "ADMIN", password: "ADMIN", ..PLAIN },
    Project { folder: "tjst-t__docker-qemu-bmc", emu: "ipmisim.emu", user: "admin", password: "password", ..PLAIN },
    Project {
        folder: "metal-stack__mini-lab",
        emu: "ipmisim1.emu",
        options: &[],
        user: "ADMIN",
        password: "ADMIN",
        ..PLAIN
    },
    Project { folder: "robertvolkmann__clab-ipmi", emu: "ipmisim1.emu", options: &[], ..PLAIN },
    Project {
        folder: "masaki-furuta__rpms",
        emu: "ipmisim1.emu",
        options: &[],
        user: "admin",
        password: "password",
        other_way: None,
        ..PLAIN
    },
    Project {
        folder: "masaki-furuta__rpms",
        conf: "lan.conf.1",
        emu: "mybmc1.emu",
        options: &[],
        user: "admin",
        password: "password",
        other_way: None,
        ..PLAIN
    },
    Project { folder: "masaki-furuta__rpms", conf: "lan.conf.orig", emu: "ipmisim1.emu", options: &[], ..PLAIN },
    Project {
        folder: "zexi__vbmc-qemu",
        conf: "lan.conf.tem",
        emu: "cminyard__openipmi/ipmisim1.emu",
        options: &[],
        filled: &[
            ("&{listen_addr} &{ipmi_port}", "localhost 9001"),
            ("&{listen_addr} &{serial_port}", "localhost 9002"),
            ("&{listen_addr}:&{telnet_port}", "localhost:9003"),
            ("&{chassis_control_program}", "./chassis"),
            ("&{lan_config_program} &{bridge} &{fake_ipmi_mac_port}", "./lan br0 1"),
            ("&{ipmiusr}", "third"),
            ("&{ipmipass}", "pass"),
        ],
        user: "third",
        password: "pass",
        told: &[("ipmisim1.emu:42:1: error: ", "Invalid MC address 0x30")],
        ..PLAIN
    },
    Project { folder: "yunionio__baremetal-env", emu: "ipmisim1.emu", options: &[], user: "root", ..PLAIN },
    Project {
        folder: "andreas-mach__single_kvm_bmc",
        conf: "hos-n1-bmc.conf",
        emu: "cminyard__openipmi/ipmisim1.emu",
        user: "root",
        password: "hos",
        told: &[("ipmisim1.emu:42:1: error: ", "Invalid MC address 0x30")],
        ..PLAIN
    },
    Project {
        folder: "osuosl-cookbooks__osl-resources",
        conf: "kitchen-ipmi-default.lan",
        emu: "kitchen-ipmi.emu",
        options: &["-n", "-d"],
        user: "admin",
        password: "admin",
        ..PLAIN
    },
    Project { folder: "uyuni-project__uyuni", emu: "ipmisim1.emu", ..PLAIN },
    Project {
        folder: "pi-bmc__nanokvm-build",
        emu: "ipmisim.emu",
        options: &["-n", "-d"],
        user: "admin",
        password: "admin",
        told: &[("lan.conf:32:37: warning: ", "10 is assumed"), ("lan.conf:33:38: warning: ", "10 is assumed")],
        ..PLAIN
    },
    Project { folder: "rapid7__metasploit-framework", options: &["-p"], user: "admin", password: "admin", ..PLAIN },
    Project {
        folder: "roger060353__bk-lite",
        emu: "ipmi.emu",
        user: "admin",
        password: "IpmiMon1",
        expect: Serves { sdrs: 9, sensors: 9, events: 0 },
        ..PLAIN
    },
    Project { folder: "fossable__sandpolis", options: &["-n", "-p"], user: "probe", password: "probepass", ..PLAIN },
    Project { folder: "cminyard__gensio", options: &["-p"], ..PLAIN },
    Project { folder: "cminyard__ser2net", options: &["-p"], ..PLAIN },
    Project {
        folder: "kinvolk__racker",
        conf: "config_file",
        emu: "command_file",
        options: &["-d", "--nopersist", "-n"],
        user: "USER",
        password: "PASS",
        ..PLAIN
    },
    Project { folder: "libersoft-org__libersystem", emu: "bmc.emu", ..PLAIN },
    Project { folder: "Hydra-Host__Brokkr", user: "admin", password: "secret", ..PLAIN },
    Project { folder: "confluent-tests", user: "testuser", password: "testpass", ..PLAIN },
    Project {
        folder: "InfraSIM__idic/quanta_t41",
        conf: "vbmc.conf",
        emu: "InfraSIM__infrasim-compute/vnode.emu",
        user: "admin",
        password: "admin",
        expect: Serves { sdrs: 46, sensors: 46, events: 0 },
        ..PLAIN
    },
    infrasim("vnode.emu", 46, 46, 0),
    Project { conf: "vbmc.conf.example", ..infrasim("vnode.emu", 46, 46, 0) },
    infrasim("dell_c6320.emu", 167, 150, 31),
    infrasim("dell_r640.emu", 214, 199, 65),
    infrasim("dell_r730.emu", 187, 169, 44),
    infrasim("dell_r740xd.emu", 213, 195, 58),
    infrasim("quanta_d51.emu", 112, 90, 15),
    infrasim("quanta_t41.emu", 119, 97, 27),
    infrasim("s2600kp.emu", 163, 72, 11),
    infrasim("s2600tp.emu", 167, 74, 8),
    infrasim("s2600wtt.emu", 198, 89, 0),
];

/// A `lan.conf` on the loopback. Returns the UDP ports, in order.
fn move_here(text: &str) -> (String, Vec<u16>) {
    let (mut out, mut ports) = (String::new(), Vec::new());
    for line in text.split_inclusive('\n') {
        let words: Vec<&str> = line.split_whitespace().collect();
        let rest = |from: usize| words.get(from..).unwrap_or_default().join(" ");
        let new = match words.first().copied() {
            Some("addr") => {
                let port = free_port();
                ports.push(port);
                format!("addr 127.0.0.1 {port}")
            }
            Some("serial") => format!("serial {} 127.0.0.1 {} {}", words[1], free_port(), rest(4)),
            Some("console") => format!("console 127.0.0.1 {}", free_port()),
            Some("startcmd") => "startcmd \"sleep 30\"".to_owned(),
            Some("sol") => {
                let kind =
                    ["telnet:", "tcp:"].into_iter().find(|kind| words[1].trim_start_matches('"').starts_with(kind));
                let target = match kind {
                    Some(kind) => format!("{kind}127.0.0.1:{}", free_port()),
                    None => "./no-device".to_owned(),
                };
                let options = rest(2).replace("backupfile=/", "backupfile=./no-folder/");
                format!("sol \"{target}\" {options}")
            }
            _ => {
                out.push_str(line);
                continue;
            }
        };
        let indent = &line[..line.len() - line.trim_start().len()];
        let _ = writeln!(out, "{indent}{new}");
    }
    (out, ports)
}

/// Fills a template in. Lines that are nothing but a place to be filled are left empty.
fn fill(text: &str, filled: &[(&str, &str)]) -> String {
    let text = filled.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    if filled.is_empty() {
        return text;
    }
    text.split_inclusive('\n')
        .map(|line| {
            let word = line.trim();
            if word.starts_with("${") && word.ends_with('}') { "\n" } else { line }
        })
        .collect()
}

/// A project's files in a bench, ready to be started.
fn prepare(wild: &Path, project: &Project) -> (Bench, Vec<u16>) {
    let bench = Bench::new();
    let folder = wild.join(project.folder);
    for entry in std::fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let text = std::fs::read(&path).expect("a file");
            bench.write(path.file_name().and_then(|name| name.to_str()).expect("a name"), text);
        }
    }
    let source = |name: &str| {
        let path = if name.contains('/') { wild.join(name) } else { folder.join(name) };
        std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    };
    let (conf, ports) = move_here(&fill(&source(project.conf), project.filled));
    bench.write(base(project.conf), &conf);
    bench.write(base(project.emu), fill(&source(project.emu), project.filled));
    let name = conf.lines().find_map(|line| line.trim().strip_prefix("name ")).expect("a name");
    let state = format!("state/ipmi_sim/{}", name.trim().trim_matches('"'));
    match project.sdrs {
        Sdrs::None => {}
        Sdrs::Stored(file, mc) => {
            bench.write(
                &format!("{state}/sdr.{mc}.main"),
                std::fs::read(folder.join(file)).expect("a stored repository"),
            );
        }
        Sdrs::Source(file) => {
            let out = bench.write(&format!("{state}/sdr.20.main"), "");
            let mut compiler = Command::new("sdrcomp");
            compiler.arg("-o").arg(&out).arg(file).current_dir(bench.folder());
            Ran::run(&mut compiler, "openipmi", Duration::from_secs(10)).assert_ok();
        }
    }
    (bench, ports)
}

fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Starts a project and holds it to what is expected. The text says what is wrong.
fn check(wild: &Path, project: &Project) -> Result<(), String> {
    let (bench, ports) = prepare(wild, project);
    let mut arguments = vec!["-c", base(project.conf), "-f", base(project.emu), "-s", "state"];
    arguments.extend(project.options);
    let subject = Subject::under_test();
    let mut simulator = Simulator::spawn(subject, &bench, &arguments, Stdin::Pipe);
    let Serves { sdrs, sensors, events } = project.expect else {
        let Some(status) = simulator.wait(TIMEOUT) else {
            return Err(format!("it does not end\n{}", simulator.report()));
        };
        if status.code() != Some(1) {
            return Err(format!("it ended with {status}\n{}", simulator.report()));
        }
        return told(project, &simulator);
    };
    for port in &ports {
        let start = Instant::now();
        while !presence_ping(*port, Duration::from_millis(20)) {
            if let Some(status) = simulator.wait(Duration::ZERO) {
                return Err(format!("it ended with {status}\n{}", simulator.report()));
            }
            if start.elapsed() > TIMEOUT {
                return Err(format!("no BMC on port {port}\n{}", simulator.report()));
            }
        }
    }
    let mut wrong = String::new();
    for port in &ports {
        let client = Ipmitool::new(*port, project.user, project.password).with(project.client);
        for way in [Some(Transport::Suite(3)), project.other_way].into_iter().flatten() {
            let info = client.by(way).run("mc info");
            if !info.succeeded() {
                let _ = writeln!(wrong, "{}", info.report());
            }
        }
    }
    let client = Ipmitool::new(ports[0], project.user, project.password).with(project.client);
    let found = client.run("sdr info").stdout;
    let count = found
        .lines()
        .find_map(|line| line.strip_prefix("Record Count")?.trim_start_matches([' ', ':']).trim().parse::<u32>().ok())
        .unwrap_or(0);
    // A BMC without records names itself; that is none of the project's.
    let own = u32::from(sdrs == 0 && count == 1 && client.run("sdr elist mcloc").stdout.contains(" MC @ "));
    let count = count - own;
    // The listing of an empty repository is an error for ipmitool.
    let list = if count > 0 { client.run("sdr elist").stdout.lines().count() } else { 0 };
    let log = client.run("sel list").stdout.lines().count();
    if (count, list, log) != (sdrs, sensors, events) {
        let _ = writeln!(wrong, "{count} SDRs, {list} sensors, {log} events instead of {sdrs}, {sensors}, {events}");
    }
    if let Err(text) = told(project, &simulator) {
        wrong += &text;
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{wrong}{}", simulator.report())) }
}

/// Holds what the program complained about to what is expected.
fn told(project: &Project, simulator: &Simulator) -> Result<(), String> {
    if Subject::under_test() == Subject::Original {
        return Ok(());
    }
    let text = simulator.stderr.text();
    let places: Vec<&str> = text
        .lines()
        .filter(|line| {
            [base(project.conf), base(project.emu)].iter().any(|file| line.starts_with(&format!("{file}:")))
                || line.contains(".emu:")
        })
        .collect();
    // What is wrong with a file that cannot be used is told by its first faults.
    let enough = match project.expect {
        Serves { .. } => places.len() == project.told.len(),
        Refuses => places.len() >= project.told.len(),
    };
    if enough
        && places.iter().zip(project.told).all(|(line, (place, words))| line.starts_with(place) && line.contains(words))
    {
        Ok(())
    } else {
        Err(format!("complaints: {places:#?}\ninstead of {:#?}\n", project.told))
    }
}

#[test]
fn projects_of_other_people_run_as_they_are() {
    let Some(wild) = collection("wild") else { return };
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(project) = PROJECTS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(text) = check(&wild, project) {
                        let title = format!("{}: {} {}", project.folder, project.conf, project.emu);
                        wrong.lock().expect("the findings").push(format!("=== {title}\n{text}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("the findings");
    assert!(wrong.is_empty(), "{} of {} projects:\n{}", wrong.len(), PROJECTS.len(), wrong.join("\n"));
}

/// A target for scanners: without a word about authentication in the user's line, `none`
/// in all others means what the project wants it to mean.
#[test]
fn a_cipher_zero_target_stays_one() {
    let Some(wild) = collection("wild") else { return };
    let project =
        PROJECTS.iter().find(|project| project.folder == "rapid7__metasploit-framework").expect("the project");
    let (bench, ports) = prepare(&wild, project);
    let mut simulator =
        Simulator::start(Subject::under_test(), &bench, ports[0], &["-p", "-c", "lan.conf", "-f", "sim.emu"]);
    let stranger = Ipmitool::new(ports[0], "admin", "not the password");
    stranger.by(Transport::Suite(0)).ok("mc info");
    stranger.by(Transport::LanAuth("NONE")).ok("mc info");
    stranger.by(Transport::Suite(3)).run("mc info").assert_failed();
    simulator.assert_alive();
}

/// Images read from real boards (kontron/python-ipmi), and what the boards call themselves.
#[test]
fn fru_images_of_real_boards_are_read() {
    let Some(wild) = collection("wild") else { return };
    let boards = [
        ("fru_supermicro_x11scz-f.bin", "X11SCZ-F", "SRV-RNT-1U-DED-3-0002"),
        ("kontron_am4010.bin", "AM4010", "AM4010"),
        ("kontron_am4904.bin", "AM4904-SRIO", "AM4904-SRIO"),
        ("vadatech_utc017.bin", "UTCA PM", "UTCA PM"),
    ];
    let bench = Bench::new();
    let port = free_port();
    bench.write("lan.conf", small_lan_conf(port, ""));
    let mut emu = SMALL_EMU.replace("mc_enable 0x20\n", "");
    for (device, (file, ..)) in boards.iter().enumerate() {
        let image = std::fs::read(wild.join("kontron__python-ipmi").join(file)).expect("an image");
        let _ = writeln!(emu, "mc_add_fru_data 0x20 {device} {} file 0 \"{file}\"", image.len());
        bench.write(file, image);
    }
    bench.write("sim.emu", emu + "mc_enable 0x20\n");
    let _simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    let client = Ipmitool::new(port, "admin", "admin");
    for (device, (_, board, product)) in boards.iter().enumerate() {
        let printed = client.ok(&format!("fru print {device}"));
        assert_eq!(
            (printed.value("Board Product"), printed.value("Product Name")),
            (board.to_string(), product.to_string())
        );
    }
}
