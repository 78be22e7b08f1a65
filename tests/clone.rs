//! Copies of machines, `ipmi_simctl clone`: of the examples, of the original, over bad networks and of odd boards. What clients
//! show of a copy is what they show of the machine, and a copy of a copy is the same folder.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::bench::{free_port, project};
use support::client::{CLIENT_LIMIT, FREEIPMI_PACKAGE};
use support::config::{SMALL_EMU, small_lan_conf};
use support::corpus::collection;
use support::{Bench, Freeipmi, Ipmitool, Ran, Simulator, Subject};

/// How long a copy may take where responses are lost.
const PATIENT: Duration = Duration::from_secs(120);
/// The name of every copy here.
const NAME: &str = "m";

/// Who logs in to a machine.
#[derive(Clone, Copy)]
struct Login {
    port: u16,
    user: &'static str,
    password: &'static str,
}

impl Login {
    /// Runs `ipmi_simctl clone` in a bench.
    fn try_clone(self, bench: &Bench, folder: &str, options: &[&str]) -> Ran {
        let port = self.port.to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipmi_simctl"));
        command.current_dir(bench.folder()).args(["clone", "--json", "-H", "127.0.0.1", "-p", &port]);
        command
            .args(["-U", self.user, "-E", "--name", NAME, "--password", "secret"])
            .env("IPMI_PASSWORD", self.password);
        command.args(options).arg(folder);
        Ran::run(&mut command, "ipmi_simctl", PATIENT)
    }

    /// The same, which has to go well; what it says comes back.
    #[track_caller]
    fn clone(self, bench: &Bench, folder: &str, options: &[&str]) -> Value {
        let ran = self.try_clone(bench, folder, options);
        ran.assert_ok();
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.report()))
    }
}

/// A copy that is served.
struct Served {
    _simulator: Simulator,
    place: Bench,
    login: Login,
}

/// Starts the copy in a folder as its README says, but for the port and for who can log in.
fn serve(bench: &Bench, folder: &str, subject: Subject, user: &'static str) -> Served {
    let (place, port) = (Bench::new(), free_port());
    copy_tree(&bench.path(folder), place.folder());
    place.write("lan.conf", place.read("lan.conf").replace("127.0.0.1 9623", &format!("127.0.0.1 {port}")));
    let emu = format!("./{NAME}.emu");
    let simulator = Simulator::start(subject, &place, port, &["-c", "./lan.conf", "-f", &emu, "-s", "./state"]);
    Served { _simulator: simulator, place, login: Login { port, user, password: "secret" } }
}

fn copy_tree(from: &Path, to: &Path) {
    for (name, content) in files(from) {
        let path = to.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let name = path.strip_prefix(folder).expect("below").display().to_string();
                all.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    all
}

/// Two folders are the same, byte for byte.
#[track_caller]
fn assert_same(bench: &Bench, one: &str, other: &str) {
    let (one, other) = (files(&bench.path(one)), files(&bench.path(other)));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, content) in &one {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(text(content), text(&other[name]), "{name}");
    }
}

/// What FreeIPMI shows of a BMC.
const SHOWN: [(&str, &str); 11] = [
    ("ipmi-sensors", "-v -v --output-sensor-state --output-event-bitmask --bridge-sensors --shared-sensors"),
    ("ipmi-fru", "-v -v --bridge-fru"),
    ("ipmi-sel", ""),
    ("ipmi-sel", "--info"),
    ("bmc-info", "--get-device-id"),
    ("bmc-info", "--get-system-info"),
    ("ipmi-config", "--checkout --category=core"),
    ("ipmi-config", "--checkout --category=chassis"),
    ("ipmi-config", "--checkout --category=sensors"),
    ("ipmi-config", "--checkout --category=pef"),
    ("ipmi-config", "--checkout --category=dcmi"),
];

/// What differs in a copy of the original 2.0.33 even so: it lets nobody below an administrator ask for what it does not have.
const OF_ADMINISTRATORS: (&str, &str) = ("bmc-info", "--get-system-info");

/// K_G, which ipmi-config reads by a command that sets it: the original does not have that.
fn is_key(line: &str) -> bool {
    line.trim_start().starts_with("K_G ") || line.contains("prefix with 0x to enter hex")
}

/// FreeIPMI shows the same of both.
#[track_caller]
fn assert_shown_alike(machine: Login, copy: Login, options: &[&str]) {
    let client = |login: Login| {
        Freeipmi::new(login.port, login.user, login.password, "LAN_2_0").with(&["-I", "3"]).with(options)
    };
    let (machine, copy) = (client(machine), client(copy));
    let mut lines = 0;
    for (tool, words) in SHOWN.into_iter().filter(|shown| options.is_empty() || *shown != OF_ADMINISTRATORS) {
        let (one, other) = (machine.run(tool, words), copy.run(tool, words));
        assert_eq!(one.stderr, other.stderr, "{tool} {words}");
        let (one, other) =
            [&one, &other].map(|ran| ran.stdout.lines().filter(|line| !is_key(line)).collect::<Vec<_>>()).into();
        lines += one.len();
        let differs = one.iter().zip(&other).find(|(one, other)| one != other);
        assert!(differs.is_none() && one.len() == other.len(), "{tool} {words}: {differs:?}");
    }
    assert!(lines > 200, "they show something: {lines} lines");
}

/// A machine of `examples/profiles`.
fn profile(name: &str) -> (Simulator, Bench, Login) {
    let (bench, port) = (Bench::new(), free_port());
    let (conf, emu) = (project("examples/profiles/lan.conf"), project(&format!("examples/profiles/{name}/sim.emu")));
    let ports = port.to_string();
    let arguments = ["-p", "--count", "1", "--addresses", "127.0.0.1", "--ports", &ports, "-c"];
    let files = [conf.to_str().expect("a path"), "-f", emu.to_str().expect("a path")];
    let simulator = Simulator::start(Subject::Ours, &bench, port, &[&arguments[..], &files].concat());
    (simulator, bench, Login { port, user: "admin", password: "admin" })
}

#[test]
fn a_server_is_copied_and_so_is_its_copy() {
    let (_machine, bench, login) = profile("two-socket");
    let said = login.clone(&bench, "first", &[]);
    assert_eq!((&said["sdrs"], &said["sel"], &said["inventories"]), (&110.into(), &14.into(), &7.into()));
    assert_eq!((&said["unread"], &said["differences"]), (&Value::Array(Vec::new()), &Value::Array(Vec::new())));
    let copy = serve(&bench, "first", Subject::Ours, "admin");
    assert_shown_alike(login, copy.login, &[]);
    copy.login.clone(&bench, "second", &[]);
    assert_same(&bench, "first", "second");
}

#[test]
fn the_original_starts_from_a_copy() {
    let (_machine, bench, login) = profile("one-socket");
    login.clone(&bench, "first", &[]);
    let copy = serve(&bench, "first", Subject::Original, "admin");
    let shown = |login: Login, words: &str| {
        let client = Ipmitool::new(login.port, login.user, login.password).with(&["-C", "3"]);
        client.ok(words).stdout
    };
    for words in ["sdr elist full", "fru print 0", "mc info"] {
        let (machine, copy) = (shown(login, words), shown(copy.login, words));
        assert!(machine.lines().count() > 5, "{machine}");
        assert_eq!(known(&machine), known(&copy), "{words}");
    }
}

/// What the original can say as well: it compares readings below zero as if they were not, and has no auxiliary revision.
fn known(text: &str) -> Vec<String> {
    let kept = text.lines().filter(|line| !line.contains("Aux"));
    kept.map(|line| line.split('|').enumerate().filter(|(at, _)| *at != 2).map(|(_, field)| field).collect()).collect()
}

/// The original with the files of a folder.
fn original(conf: &str, emu: &str, state: &[(&str, &[u8])]) -> (Simulator, Bench, Login) {
    let (bench, port) = (Bench::new(), free_port());
    bench.write("lan.conf", conf.replace("$PORT", &port.to_string()));
    bench.write("sim.emu", emu);
    for (name, content) in state {
        bench.write(name, content);
    }
    let simulator = Simulator::start_default(Subject::Original, &bench, port);
    (simulator, bench, Login { port, user: "ipmiusr", password: "test" })
}

const ORIGINAL_CONF: &str = "name \"original\"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 $PORT
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  user 1 true  \"\"        \"test\" user     10       none md2 md5 straight
  user 2 true  \"ipmiusr\" \"test\" admin    10       none md2 md5 straight
";

/// What is wrong with the original's RMCP+ for FreeIPMI.
const WORKAROUND: [&str; 2] = ["-W", "opensesspriv"];

#[test]
fn the_originals_capture_of_a_real_server_is_copied() {
    let Some(folder) = collection("wild/InfraSIM__infrasim-compute") else { return };
    let emu = std::fs::read_to_string(folder.join("s2600wtt.emu")).expect("a command file");
    let (_machine, bench, login) = original(ORIGINAL_CONF, &emu, &[]);
    let said = login.clone(&bench, "first", &[]);
    assert_eq!((&said["sdrs"], &said["inventories"]), (&198.into(), &9.into()));
    let copy = serve(&bench, "first", Subject::Ours, "ipmiusr");
    assert_shown_alike(login, copy.login, &WORKAROUND);
    // README of the first one says what no statement can: the list of cipher suites, and a watchdog that is cut off.
    copy.login.clone(&bench, "second", &[]);
    for folder in ["first", "second"] {
        std::fs::remove_file(bench.path(&format!("{folder}/README"))).expect("a file");
    }
    assert_same(&bench, "first", "second");
}

#[test]
fn a_machine_that_knows_no_ipmi_2_0_is_copied_by_1_5() {
    // Without a GUID the original has no RMCP+.
    let conf: String =
        ORIGINAL_CONF.lines().filter(|line| !line.contains("guid")).map(|line| format!("{line}\n")).collect();
    let emu = std::fs::read_to_string(project("tests/data/raw/cfg/storage.emu")).expect("a command file");
    let (_machine, bench, login) = original(&conf, &emu, &[]);
    let said = login.clone(&bench, "first", &[]);
    assert_eq!(said["session"], "IPMI 1.5, Md5");
    let copy = serve(&bench, "first", Subject::Ours, "ipmiusr");
    for words in ["sdr elist all", "mc info"] {
        let shown = |login: Login| {
            Ipmitool::new(login.port, login.user, login.password).by(support::Transport::Lan).ok(words).stdout
        };
        let machine = shown(login);
        assert!(!machine.is_empty(), "{words}");
        assert_eq!(machine, shown(copy.login), "{words}");
    }
}

#[test]
fn whoever_may_only_look_gets_what_he_sees() {
    let (_machine, bench, login) = small();
    let said = login.clone(&bench, "first", &["-L", "user"]);
    assert_eq!(said["sdrs"], 1);
    let unread = said["unread"].as_array().expect("a list");
    assert!(
        unread.iter().any(|one| one["what"] == "Get User Access" && one["why"] == "it needs a higher privilege level"),
        "{said}"
    );
    let readme = bench.read("first/README");
    assert!(readme.contains("Get User Access") && readme.contains("there is one called admin"), "{readme}");
    let copy = serve(&bench, "first", Subject::Ours, "admin");
    Ipmitool::new(copy.login.port, "admin", "secret").ok("sdr elist full").assert_says("CPU1 Temp");
}

/// Answers of odd boards, each by rows of `oem_add`: an inventory in words, some that no record tells of, a record that has no
/// end, a log that bites its tail.
const ODD: &str = "
main_sdr_add 0x20 0x00 0x00 0x51 0x11 0x0e 0x20 0x07 0x80 0x00 0x00 0x10 0x00 0x0a 0x01 0x00 0xc3 'P 'S 'U
oem_add 0x20 0x0a 0x10 data 7 response 0 0x0a 0x00 0x01
oem_add 0x20 0x0a 0x11 data 7 0 0 5 response 0 5 0 1 2 3 4 5 6 7 8 9
oem_add 0x20 0x0a 0x10 data 3 response 0 2 0 0
oem_add 0x20 0x0a 0x11 data 3 0 0 2 response 0 2 0x33 0x34
oem_add 0x20 0x0a 0x10 data 9 response 0 1 0 0
oem_add 0x20 0x0a 0x11 data 9 0 0 1 response 0 1 0x99
oem_add 0x20 0x0a 0x10 data 10 response 0 0 0xff 0
oem_add 0x20 0x0a 0x10 data 14 response 0 2 0 0
oem_add 0x20 0x0a 0x11 data 14 0 0 2 response 0 2 0x14 0x15
oem_add 0x20 0x0a 0x43 data 0 0 1 0 0 0xff response 0 0x02 0x00 1 0 2 1 0 0 0 0x20 0 4 1 0x21 1 0x59 0x5b 0x5a
oem_add 0x20 0x0a 0x43 data 0 0 2 0 0 0xff response 0 0x01 0x00 2 0 2 2 0 0 0 0x20 0 4 1 0x21 1 0x59 0x5b 0x5a
";

#[test]
fn boot_options_and_the_watchdog_are_copied_and_stay() {
    let (_machine, bench, login) = small();
    let client = Ipmitool::new(login.port, login.user, login.password);
    // The valid bit outlives the minute, so that a slow test sees it.
    for words in [
        "power on",
        "raw 0 8 1 1",
        "raw 0 8 2 2",
        "raw 0 8 3 0x08",
        "raw 0 8 4 0x03 0x02",
        "raw 0 8 5 0x80 0x14 0x20 0x03 0x01",
        "raw 0 8 6 1 2 3 4 5 6 7 8 9",
        "raw 6 0x24 0x84 0x31 0x02 0x10 0x2c 0x01",
    ] {
        client.ok(words);
    }
    login.clone(&bench, "first", &[]);
    let copy = serve(&bench, "first", Subject::Ours, "admin");
    let other = Ipmitool::new(copy.login.port, "admin", "secret");
    for (words, says) in [
        ("raw 0 9 1 0 0", "01 01 01"),
        ("raw 0 9 2 0 0", "01 02 02"),
        ("raw 0 9 3 0 0", "01 03 08"),
        ("raw 0 9 4 0 0", "01 04 00 02"),
        ("raw 0 9 5 0 0", "01 05 80 14 20 03 01"),
        ("raw 0 9 6 0 0", "01 06 01 02 03 04 05 06 07 08 09"),
        ("raw 6 0x25", "84 31 02 00 2c 01 2c 01"),
    ] {
        assert_eq!((client.ok(words).stdout.trim(), other.ok(words).stdout.trim()), (says, says), "{words}");
    }
    // Of all that, nothing is left to be said otherwise in a copy of the copy.
    copy.login.clone(&bench, "second", &[]);
    let file = format!("state/ipmi_sim/{NAME}/chassis.mc20");
    assert_eq!(bench.read(&format!("first/{file}")), bench.read(&format!("second/{file}")));
    assert!(!bench.read("first/README").contains("Get System Boot Options"));
    // The file that keeps them is written anew, and the next start begins with them again.
    other.ok("chassis policy always-off");
    let kept = copy.place.read(&file);
    assert!(
        kept.contains("restore_policy:i:0") && kept.contains("boot_options:d:") && kept.contains("watchdog:d:"),
        "{kept}"
    );
}

#[test]
fn boards_that_count_in_words_or_in_circles_are_read_to_an_end() {
    let (_machine, bench, login) = small();
    let rows: Vec<String> = ODD.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    run(&bench, &rows);
    let said = login.clone(&bench, "first", &[]);
    assert_eq!((&said["inventories"], &said["sel"]), (&4.into(), &2.into()), "{said}");
    // No record names 3 and 9. 10 is too large, and 14 is behind too many that are not there.
    assert_eq!(
        (bench.read_bytes("first/fru.20.3"), bench.read_bytes("first/fru.20.9")),
        (vec![0x33, 0x34], vec![0x99])
    );
    let unread = said["unread"].to_string();
    assert!(!bench.path("first/fru.20.14").exists() && unread.contains("it has 65280 bytes"), "{unread}");
    assert_eq!(bench.read_bytes("first/fru.20.7"), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert!(bench.read("first/README").contains("the records behind it begin anew"), "{said}");
}

#[test]
fn whoever_reads_no_further_has_the_folder_all_the_same() {
    let (_machine, bench, login) = small();
    let line = format!(
        "IPMI_PASSWORD=admin {} clone -H 127.0.0.1 -p {} -U admin -E part | true",
        env!("CARGO_BIN_EXE_ipmi_simctl"),
        login.port
    );
    let mut command = Command::new("sh");
    command.current_dir(bench.folder()).args(["-c", &line]);
    Ran::run(&mut command, "sh", PATIENT).assert_ok();
    // The shell waits for all of the pipe.
    assert!(bench.path("part/lan.conf").is_file());
}

#[test]
fn whoever_interrupts_it_finds_no_half_folder() {
    let (machine, bench, login) = small();
    run(&bench, &["fault slow 1000".into()]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipmi_simctl"));
    let port = login.port.to_string();
    command.current_dir(bench.folder()).args(["clone", "-H", "127.0.0.1", "-p", &port, "-U", "admin", "-E", "part"]);
    command.env("IPMI_PASSWORD", "admin").stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let mut child = support::process::spawn(&mut command, "ipmi_simctl");
    let stderr = support::process::Captured::from(child.0.stderr.take().expect("stderr"));
    assert!(machine.stderr.wait_for("logged in from", CLIENT_LIMIT), "{}", machine.report());
    // It is on its way: a request in the session has come.
    let has_asked = || (!run(&bench, &["faults".into()]).contains("struck 0 times")).then_some(());
    assert!(support::process::eventually(CLIENT_LIMIT, has_asked).is_some(), "{}", machine.report());
    support::process::signal(child.0.id(), nix::sys::signal::Signal::SIGINT);
    let ended = support::process::wait(&mut child.0, CLIENT_LIMIT).expect("it ends");
    assert_eq!(ended.code(), Some(1));
    assert!(stderr.wait_for("Interrupted", CLIENT_LIMIT), "{}", stderr.text());
    // By itself the session would end a minute later.
    assert!(machine.stderr.wait_for("was closed", CLIENT_LIMIT), "{}", machine.report());
    let left: Vec<String> = files(bench.folder()).into_keys().filter(|name| name.contains("part")).collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_shelf_of_the_original_is_copied_with_the_controllers_that_are_named() {
    let emu = std::fs::read_to_string(project("tests/data/raw/cfg/atca.emu")).expect("a command file");
    let (_machine, bench, login) = original(ORIGINAL_CONF, &emu, &[]);
    let named = ["--controller", "0x82", "--controller", "0x10"];
    let said = login.clone(&bench, "first", &named);
    assert_eq!((&said["controllers"], &said["inventories"]), (&3.into(), &2.into()), "{said}");
    let copy = serve(&bench, "first", Subject::Ours, "ipmiusr");
    for words in ["-t 0x82 raw 6 1", "-t 0x10 raw 6 1", "-t 0x82 raw 0x2c 1 0", "raw 0x2c 0 0", "-t 0x10 fru print 0"] {
        let shown = |login: Login| Ipmitool::new(login.port, login.user, login.password).with(&["-C", "3"]).run(words);
        assert_eq!(shown(login).stdout, shown(copy.login).stdout, "{words}");
    }
    let mut again = named.to_vec();
    again.extend(["-C", "3"]);
    copy.login.clone(&bench, "second", &again);
}

/// A temperature with its record, and two events.
const MORE: &str = "main_sdr_add 0x20 0x00 0x00 0x51 0x01 0x34 0x20 0x00 0x21 0x03 0x01 0x7f 0x68 0x01 0x01 0x80 0x0a 0x80 0x7a 0x38 0x38 \\
    0x00 0x01 0x00 0x00 0x01 0x00 0x00 0x00 0x01 0x00 0x01 0x2d 0x2d 0x2d 0xff 0x00 0x5f 0x5a 0x50 0x00 0x00 0x00 0x01 0x01 0x00 \\
    0x00 0x00 0xc9 'C 'P 'U '1 0x20 'T 'e 'm 'p
sensor_add 0x20 0 0x21 0x01 0x01
sensor_set_value 0x20 0 0x21 45 0
sensor_set_bit 0x20 0 0x21 7 1 0
sel_add 0x20 0x02 0 0 0 0 0x20 0x00 0x04 0x01 0x21 0x01 0x59 0x5b 0x5a
sel_add 0x20 0xe0 1 2 3 4 5 6 7 8 9 10 11 12 13
";

/// A small machine with a control door.
fn small() -> (Simulator, Bench, Login) {
    let (bench, port) = (Bench::new(), free_port());
    bench.write("lan.conf", small_lan_conf(port, ""));
    let fru = "mc_add_fru_data 0x20 0 128 text product_name \"Node\" product_serial \"SN-1\"\n";
    bench.write("sim.emu", format!("{SMALL_EMU}\n{fru}{MORE}seed 7\n"));
    // Few users, so that few requests are needed.
    bench.write("state/ipmi_sim/small/users.mc20", "highest_user:i:3\n");
    let files = ["-s", "state", "-c", "lan.conf", "-f", "sim.emu", "--pcap", "all.pcap", "--control", "door"];
    let simulator = Simulator::start(Subject::Ours, &bench, port, &files);
    (simulator, bench, Login { port, user: "admin", password: "admin" })
}

/// Has a small machine carry out statements. What they print comes back.
fn run(bench: &Bench, statements: &[String]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipmi_simctl"));
    command.current_dir(bench.folder()).args(["--socket", "door", "run", "small"]).args(statements);
    let ran = Ran::run(&mut command, "ipmi_simctl", CLIENT_LIMIT);
    ran.assert_ok();
    ran.stdout
}

#[test]
fn bad_networks_and_odd_boards_give_the_same_copy() {
    let (_machine, bench, login) = small();
    login.clone(&bench, "sound", &[]);
    assert!(bench.read("sound/m.emu").contains("sensor_set_bit 0x20 0 33 7 1 0"), "a bit that is no threshold's");
    for (number, faults) in [
        &["lose in chance 30", "duplicate out chance 20"][..],
        &["code 0xca command 0x0a/0x23 chance 20", "code 0xc8 command 0x0a/0x11 chance 20", "code 0xc0 chance 5"],
        &["code 0xcb command 0x0a/0x23 chance 20", "code 0xc5 command 0x0a/0x23 chance 20", "drop_session count 1"],
        &["code 0xc3 command 0x0a chance 10", "code 0xc7 command 0x0a/0x43 chance 30", "sdr_busy chance 20"],
    ]
    .into_iter()
    .enumerate()
    {
        let statements: Vec<String> = faults.iter().map(|fault| format!("fault {fault}")).collect();
        run(&bench, &statements);
        let folder = format!("flawed{number}");
        let ran = login.try_clone(&bench, &folder, &["--tries", "30"]);
        assert!(ran.succeeded(), "{faults:?}: {}", ran.report());
        assert_same(&bench, "sound", &folder);
        run(&bench, &["fault end all".into()]);
    }
}

/// Commands about sessions, beside the messages of RMCP+.
const OF_SESSIONS: [(u8, u8); 5] = [(0x06, 0x38), (0x06, 0x3b), (0x06, 0x3c), (0x06, 0x54), (0x06, 0x34)];

#[test]
fn nothing_but_what_reads_is_ever_seen() {
    let (machine, bench, login) = small();
    let pcap = bench.path("all.pcap");
    bench.write("record", "# an OEM's\n0x30 0x45 0x00\n");
    // A suite that encrypts nothing.
    let folder = Bench::new();
    login.clone(&folder, "open", &["-C", "1", "--record", bench.path("record").to_str().expect("a path")]);
    machine.stop();
    let mut command = Command::new("tshark");
    let fields = ["-T", "fields", "-e", "ipmi.header.netfn", "-e", "ipmi.header.command"];
    command.arg("-r").arg(&pcap).args(["-d", &format!("udp.port=={},rmcp", login.port)]);
    command.args(["-o", "ipmi.dissect_bus_commands:TRUE"]);
    command.args(["-Y", &format!("udp.dstport == {}", login.port)]).args(fields);
    let ran = Ran::run(&mut command, "tshark", CLIENT_LIMIT);
    ran.assert_ok();
    let mut seen = BTreeMap::new();
    // Messages of RMCP+ are no commands.
    for line in ran.stdout.lines().filter(|line| !line.trim().is_empty()) {
        let number = |field: &str| u8::from_str_radix(field.trim_start_matches("0x"), 16).ok();
        let numbers: Vec<u8> = line.split('\t').filter_map(number).collect();
        let [netfn, cmd] = *numbers else { panic!("{line}: {}", ran.report()) };
        *seen.entry((netfn, cmd)).or_insert(0) += 1;
    }
    let reads = ipmi_sim::clone::reads::Read::ALL.iter().map(|read| read.command());
    let allowed: Vec<(u8, u8)> = reads.chain(OF_SESSIONS).chain([(0x30, 0x45)]).collect();
    let others: Vec<_> = seen.keys().filter(|command| !allowed.contains(command)).collect();
    assert!(others.is_empty(), "{others:?}");
    for command in [(0x0a, 0x23), (0x0a, 0x11), (0x0a, 0x43), (0x04, 0x2d), (0x30, 0x45)] {
        assert!(seen.contains_key(&command), "{command:?} is seen at all: {seen:?}");
    }
}

#[test]
fn several_machines_become_a_fleet() {
    let (_one, bench, first) = profile("storage");
    let (_two, _bench, second) = small();
    let list = format!(
        "name,host,port,user,password\nbig,127.0.0.1,{},,\nsmall,127.0.0.1,{},admin,admin\n",
        first.port, second.port
    );
    bench.write("nodes.csv", list);
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipmi_simctl"));
    command.current_dir(bench.folder()).args(["clone", "--hosts", "nodes.csv", "-U", "admin", "-E", "rack"]);
    let port = free_port();
    command.args(["--password", "secret", "--listen", &format!("127.67.1.1:{port}")]).env("IPMI_PASSWORD", "admin");
    let ran = Ran::run(&mut command, "ipmi_simctl", PATIENT);
    ran.assert_ok().assert_says("ipmi_sim -n --fleet . -s ./state");
    let rack = Bench::new();
    copy_tree(&bench.path("rack"), rack.folder());
    let arguments = ["-n", "--ready-line", "--fleet", ".", "-s", "./state"];
    assert!(rack.read("big/README").contains("in the folder above"));
    let fleet = Simulator::spawn(Subject::Ours, &rack, &arguments, support::Stdin::Null);
    assert!(fleet.stdout.wait_for("is ready", CLIENT_LIMIT), "{}", fleet.report());
    for (host, words, says) in [("127.67.1.1", "sdr elist full", "Vibration"), ("127.67.1.2", "fru print 0", "SN-1")] {
        let mut client = Ipmitool::new(port, "admin", "secret");
        client.host = host.to_owned();
        client.ok(words).assert_says(says);
    }
}

#[test]
fn a_channel_for_users_alone_is_copied() {
    let (_machine, bench, login) = small();
    run(&bench, &["oem_add 0x20 0x06 0x41 data 1 0x40 response 0 0x22 0x02".into()]);
    let said = login.clone(&bench, "copy", &[]);
    assert!(said["sdrs"].as_u64().is_some_and(|sdrs| sdrs > 0), "{said}");
    assert!(bench.read("copy/lan.conf").contains("priv_limit user"), "{}", bench.read("copy/lan.conf"));
}

#[test]
fn a_copy_that_is_no_good_takes_no_others_along() {
    let (_one, bench, good) = small();
    let (_two, other, odd) = small();
    // It says that no cipher suite is for anybody, so that nobody gets into its copy.
    run(&other, &["oem_add 0x20 0x0c 0x02 data 1 24 0 0 response 0 0x11 0 0 0 0 0 0 0 0 0".into()]);
    let list = format!("name,host,port\nodd,127.0.0.1,{}\ngood,127.0.0.1,{}\n", odd.port, good.port);
    bench.write("nodes.csv", list);
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipmi_simctl"));
    command.current_dir(bench.folder()).args(["clone", "--hosts", "nodes.csv", "-U", "admin", "-E", "rack"]);
    let ran = Ran::run(command.env("IPMI_PASSWORD", "admin"), "ipmi_simctl", PATIENT);
    assert_eq!(ran.status.and_then(|ended| ended.code()), Some(1), "{}", ran.report());
    ran.assert_says("The copy of odd is no good").assert_says("ipmi_sim -n --fleet . -s ./state");
    let left: Vec<String> = files(&bench.path("rack")).into_keys().filter(|name| name.contains("odd")).collect();
    assert_eq!(left, Vec::<String>::new());
    assert!(bench.read("rack/good/lan.conf").contains("127.0.0.1 9623"), "it has the place of the other one");
    let ran = odd.try_clone(&bench, "alone", &[]);
    assert_eq!(ran.status.and_then(|ended| ended.code()), Some(1), "{}", ran.report());
    assert!(!bench.path("alone").exists());
}

#[test]
fn whoever_reads_at_the_same_time_is_borne() {
    let (_machine, bench, login) = profile("two-socket");
    let rows: Vec<String> = ["one", "two", "three"].map(|name| format!("{name},127.0.0.1,{}\n", login.port)).into();
    bench.write("nodes.csv", format!("name,host,port\n{}", rows.concat()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipmi_simctl"));
    command.current_dir(bench.folder()).args(["clone", "--hosts", "nodes.csv", "-U", "admin", "-E", "rack"]);
    let ran = Ran::run(command.env("IPMI_PASSWORD", "admin"), "ipmi_simctl", PATIENT);
    ran.assert_ok().assert_not_says("could not be read");
    assert_eq!(ran.stdout.matches(": 110 SDRs,").count(), 3, "{}", ran.stdout);
}

#[test]
fn what_cannot_be_done_leaves_nothing_behind() {
    let (_machine, bench, login) = small();
    let nobody = Login { port: free_port(), ..login };
    let stranger = Login { password: "wrong", ..login };
    for (login, options, status) in [
        (nobody, &["--tries", "2"][..], 3),
        (stranger, &[], 6),
        (stranger, &["-C", "3"], 6),
        (login, &["--budget", "1ms"], 4),
        (login, &["--record", "absent"], 1),
    ] {
        let ran = login.try_clone(&bench, "none", options);
        assert_eq!(ran.status.and_then(|ended| ended.code()), Some(status), "{}", ran.report());
    }
    let left: Vec<String> = files(bench.folder()).into_keys().filter(|name| name.contains("none")).collect();
    assert_eq!(left, Vec::<String>::new());
    std::fs::create_dir(bench.path("there")).expect("a folder");
    let ran = login.try_clone(&bench, "there", &[]);
    assert_eq!(ran.status.and_then(|ended| ended.code()), Some(2), "{}", ran.report());
    ran.assert_says("exists already");
}

#[test]
fn what_an_oem_says_is_recorded() {
    let (_machine, bench, login) = {
        let (bench, port) = (Bench::new(), free_port());
        bench.write("lan.conf", small_lan_conf(port, ""));
        bench.write("sim.emu", format!("{SMALL_EMU}\noem_add 0x20 0x30 0x45 data 0x00 response 0 0x12 0x34\n"));
        let simulator = Simulator::start(Subject::Ours, &bench, port, &["-p", "-c", "lan.conf", "-f", "sim.emu"]);
        (simulator, bench, Login { port, user: "admin", password: "admin" })
    };
    bench.write("record", "30 45 00\n30 45 01\n");
    login.clone(&bench, "first", &["--record", "record"]);
    let copy = serve(&bench, "first", Subject::Ours, "admin");
    let client = Ipmitool::new(copy.login.port, "admin", "secret");
    assert_eq!(client.ok("raw 0x30 0x45 0x00").stdout.trim(), "12 34");
    client.run("raw 0x30 0x45 0x01").assert_failed().assert_says("rsp=0xcc");
    bench.write("record", "00 02 01\n");
    login.try_clone(&bench, "refused", &["--record", "record"]).assert_failed().assert_says("no command that reads");
}

/// The tools that these tests compare by are there.
#[test]
fn the_tools_are_there() {
    Ran::run(Command::new("tshark").arg("--version"), "tshark", CLIENT_LIMIT).assert_ok();
    Ran::run(Command::new("/usr/sbin/bmc-info").arg("--version"), FREEIPMI_PACKAGE, CLIENT_LIMIT).assert_ok();
}
