//! State files of the original, loaded by ours.
//!
//! The collection holds what the original left on the disk in twelve situations, and in each
//! README what it showed when it was started on these files again. Every command of a README
//! is typed here once more (`support/corpus.rs` says where the collection is). The last test
//! needs no collection: one state directory goes from ours to the original and back.

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ipmi_sim::store::format;
use support::bench::free_port;
use support::config::{SMALL_EMU, small_lan_conf};
use support::corpus::collection;
use support::process::eventually;
use support::replay::Console;
use support::{Bench, Ipmitool, Simulator, Subject};

/// A command whose response is another one on purpose: where, the command, ours, and why.
type Difference = (&'static str, &'static str, &'static str, &'static str);

const NOT_FOUND: &str = "Unable to send RAW command (channel=0x0 netfn=0xa lun=0x0 cmd=0x23 rsp=0xcb): \
                         Requested sensor, data, or record not found\n[rc=1]";
const BLANK: &str = "a record that is nothing but zeros is left out, and a BMC without a record names itself";
const SHORT: &str = "the stored record is shorter than it says, and gets no bytes from us";
const DAMAGED: &str = "a user whose password is missing or cannot be used stays closed";
const IDS: &str = "records have the ids of their data, not those of their places";

const DIFFERENCES: &[Difference] = &[
    ("10-sdr-device-clobber/head", "$ ipmitool raw 0x0a 0x20", " 51 01 00 fe ff 8e 06 00 00 00 00 00 00 6f", BLANK),
    (
        "10-sdr-device-clobber/head",
        "$ ipmitool raw 0x0a 0x23 0 0 0 0 0 0x20",
        " ff ff fe ff 51 12 0e 20 00 00 9f 00 00 00 06 01\n 00 c3 42 4d 43",
        BLANK,
    ),
    (
        "10-sdr-device-clobber/v2.0.33",
        "$ ipmitool raw 0x0a 0x23 0 0 0 0 0 0x20",
        " ff ff 01 00 aa a0 20 56 00 00 00 00 00 00 00 00\n 00 00 00 00 00 00 00 00 00 00 90 06 00 00 00",
        SHORT,
    ),
    ("12-reader-edge-cases/input", "$ ipmitool raw 0x0a 0x23 0 0 0 0 0 0xff", " 06 00 2c 01 51 c0 02 01 02", IDS),
    ("12-reader-edge-cases/input", "$ ipmitool raw 0x0a 0x23 0 0 1 0 0 0xff", NOT_FOUND, IDS),
    ("12-reader-edge-cases/input", "$ ipmitool raw 0x0a 0x23 0 0 2 0 0 0xff", NOT_FOUND, IDS),
    ("12-reader-edge-cases/input", "$ ipmitool raw 0x0a 0x23 0 0 3 0 0 0xff", NOT_FOUND, IDS),
    ("12-reader-edge-cases/input", "$ ipmitool raw 6 0x44 1 3", " 3f 83 01 13", DAMAGED),
    ("12-reader-edge-cases/input", "$ ipmitool raw 6 0x44 1 4", " 3f 43 01 14", DAMAGED),
];

/// Commands that no README has: where, the command, and ours.
const MORE: &[(&str, &str, &str)] = &[
    (
        "02-lan-cipher-privileges",
        "$ ipmitool -C 3 -L USER raw 0x06 0x01",
        " 00 83 09 08 02 9f 91 12 00 02 0f 00 00 00 00",
    ),
    ("12-reader-edge-cases", "$ ipmitool raw 0x0a 0x23 0 0 0x2c 1 0 0xff", " 06 00 2c 01 51 c0 02 01 02"),
    ("12-reader-edge-cases", "$ ipmitool raw 0x0a 0x23 0 0 6 0 0 0xff", " 05 00 06 00 51 c0 02 05 06"),
    ("12-reader-edge-cases", "$ ipmitool raw 0x0a 0x23 0 0 5 0 0 0xff", " ff ff 05 00 51 c0 02 03 04"),
];

/// The response ours has to give where the original gave another one, for a reason that holds
/// everywhere.
fn as_ours(command: &str, shown: &[String]) -> Vec<String> {
    let mut bytes: Vec<&str> = shown.iter().flat_map(|line| line.split_whitespace()).collect();
    let is_hex = bytes.iter().all(|word| word.len() == 2 && u8::from_str_radix(word, 16).is_ok());
    if command.starts_with("$ ipmitool raw 0x0a 0x23") && is_hex {
        // The original adds six bytes to a record at each load; ours shows six, however often it
        // was loaded, to who asks for more than the record, and none for a count of FFh, which is the rest of
        // it. Behind the next id: the header of five, then as many as its last byte says.
        let length = bytes.get(6).and_then(|length| usize::from_str_radix(length, 16).ok()).unwrap_or(0);
        let whole = 2 + 5 + length;
        let asked =
            command.rsplit(' ').next().and_then(|count| u8::from_str_radix(count.trim_start_matches("0x"), 16).ok());
        let asked = asked.unwrap_or(u8::MAX);
        if bytes.len() >= whole {
            bytes.truncate(whole);
            if asked != u8::MAX {
                bytes.extend(["00"; 6]);
            }
        }
        bytes.truncate(2 + usize::from(asked));
    } else if command == "$ ipmitool raw 0x0a 0x20" && bytes.last() == Some(&"02") {
        // What 2.0.33 can do with the repository is less.
        *bytes.last_mut().expect("a byte") = "6f";
    } else if command == "$ ipmitool sel info" {
        // Bytes where the specification wants units, of 16 bytes.
        let units = ["# of Alloc Units", "# Free Units", "Largest Free Blk"];
        let in_units = |line: &String| match line.split_once(": ") {
            Some((what, bytes)) if units.contains(&what.trim()) => {
                format!("{what}: {}", bytes.trim().parse::<u32>().expect("a number") / 16)
            }
            _ => line.clone(),
        };
        return shown.iter().map(in_units).collect();
    } else if command.starts_with("$ ipmitool raw 0x06 0x44") || command.starts_with("$ ipmitool raw 6 0x44") {
        // Bits 7-6 beside the number of users say whether the account is enabled.
        let count = bytes.get(1).and_then(|count| u8::from_str_radix(count, 16).ok()).expect("the number of users");
        return vec![format!(" {} {:02x} {} {}", bytes[0], count | 0x40, bytes[2], bytes[3])];
    } else if command.starts_with("$ ipmitool user list") {
        // A user nobody has set up has no access; the original says privilege level 0.
        return shown.iter().map(|line| line.replace("Unknown (0x00)", "NO ACCESS")).collect();
    } else {
        return shown.to_vec();
    }
    bytes.chunks(16).map(|line| format!(" {}", line.join(" "))).collect()
}

/// What a README wants to see on one set of files.
struct Scene {
    /// `05-sel-bytes`.
    name: String,
    /// Where the files are: `head`, `v2.0.33`, `input`, or one file that is the repository.
    files: String,
    /// What is typed and what is shown then; a command is in the form of the README.
    steps: Vec<(String, Vec<String>)>,
    /// Lines of the log.
    logged: Vec<String>,
}

/// Reads "What a correct loader must show" of a README.
fn scenes(folder: &Path) -> Vec<Scene> {
    let name = folder.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
    let readme = std::fs::read_to_string(folder.join("README.md")).expect("a README");
    let section = readme.split("\n## ").find(|section| section.starts_with("What a correct loader must show"));
    let section = section.unwrap_or_else(|| panic!("{name}: nothing to be shown"));
    let mut scenes = Vec::new();
    // Caption, block, caption, block, ...
    let pieces: Vec<&str> = section.split("\n```").collect();
    for pair in pieces.chunks_exact(2) {
        let caption = pair[0].lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        let files = match caption {
            _ if caption.starts_with("Both versions") => vec!["head", "v2.0.33"],
            _ if caption.starts_with("head, started") => vec!["head"],
            _ if caption.starts_with("2.0.33, started") => vec!["v2.0.33"],
            "head:" => vec!["input"],
            // The same files, shown with what happened to be in memory.
            "2.0.33:" => vec![],
            _ => vec![caption.split('`').nth(1).unwrap_or_else(|| panic!("{name}: {caption}"))],
        };
        let (mut steps, mut logged, mut in_log) = (Vec::<(String, Vec<String>)>::new(), Vec::new(), false);
        for line in pair[1].lines().skip(1) {
            if line.starts_with("$ ") || line.starts_with("console> ") {
                steps.push((line.to_owned(), Vec::new()));
            } else if line.starts_with("logged on the console") {
                in_log = true;
            } else if in_log {
                logged.push(line.to_owned());
            } else if let Some((_, shown)) = steps.last_mut()
                && !line.trim().is_empty()
            {
                shown.push(line.trim_end().to_owned());
            }
        }
        let more = MORE.iter().filter(|(folder, ..)| *folder == name);
        steps.extend(more.map(|(_, command, shown)| ((*command).to_owned(), vec![(*shown).to_owned()])));
        for files in files {
            let (name, files) = (name.clone(), files.to_owned());
            scenes.push(Scene { name, files, steps: steps.clone(), logged: logged.clone() });
        }
    }
    scenes
}

/// The configuration of the collection on free ports, the files in their place.
fn prepare(corpus: &Path, scene: &Scene) -> (Bench, u16, u16) {
    let bench = Bench::new();
    let (port, console) = (free_port(), free_port());
    let conf = std::fs::read_to_string(corpus.join("lan.conf")).expect("lan.conf");
    let conf = conf.replace(" 9001", &format!(" {port}")).replace(" 9002", &format!(" {console}"));
    bench.write("lan.conf", conf);
    let folder = corpus.join(&scene.name);
    let emu =
        if folder.join("sim.emu").exists() { folder.join("sim.emu") } else { corpus.join("08-sdr-main-add/sim.emu") };
    bench.write("sim.emu", std::fs::read(emu).expect("sim.emu"));
    let source = folder.join(&scene.files);
    if source.is_dir() {
        for entry in std::fs::read_dir(source).expect("state files") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
            bench.write(&format!("state/ipmi_sim/corpus/{name}"), std::fs::read(&path).expect("a state file"));
        }
    } else {
        bench.write("state/ipmi_sim/corpus/sdr.20.main", std::fs::read(source).expect("a repository"));
    }
    (bench, port, console)
}

/// Runs a line `ipmitool ...` as a shell would, logged in unless it logs in itself.
fn ipmitool(port: u16, suite: u8, words: &str) -> Vec<String> {
    let login = format!("ipmitool -I lanplus -C {suite} -H 127.0.0.1 -p {port} -U ipmiusr -P test");
    let output = Command::new("sh")
        .args(["-c", &format!("{login} {words} 2>&1")])
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .output()
        .expect("a shell");
    let text: String = output
        .stdout
        .iter()
        .map(|&byte| match byte {
            b'\n' | b'\t' | 0x20..=0x7e => char::from(byte).to_string(),
            _ => format!("<{byte:02x}>"),
        })
        .collect();
    let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
    // The client asks for this by itself, and says so when it is not an administrator.
    lines.retain(|line| !line.is_empty() && !line.starts_with("Get HPM.x Capabilities request failed"));
    if let Some(status) = output.status.code().filter(|status| *status != 0) {
        lines.push(format!("[rc={status}]"));
    }
    lines
}

/// Everything that is not as it should be.
fn play(corpus: &Path, scene: &Scene) -> String {
    let (bench, port, console) = prepare(corpus, scene);
    let mut simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    let mut console = Console::connect(console);
    let mut wrong = String::new();
    // The parameter of this one leaves suite 3 to users, and suite 8 to administrators; the
    // original takes its entries for something else.
    let suite = if scene.name == "02-lan-cipher-privileges" { 8 } else { 3 };
    for (command, shown) in &scene.steps {
        let got = match command.strip_prefix("$ ipmitool ") {
            Some(words) => {
                let mut got = ipmitool(port, suite, words);
                if words.starts_with("user list") {
                    // There are 63; the READMEs show the first ones.
                    got.truncate(shown.len());
                }
                got
            }
            None => {
                let text = console.type_in(command.trim_start_matches("console> "));
                text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect()
            }
        };
        let known = DIFFERENCES.iter().find(|(place, of, ..)| {
            (*place == scene.name || *place == format!("{}/{}", scene.name, scene.files)) && command == of
        });
        let (expected, why) = match known {
            Some((_, _, ours, why)) => (ours.lines().map(str::to_owned).collect(), *why),
            None => (as_ours(command, shown), ""),
        };
        if got != expected {
            wrong += &format!("{command} {why}\n  expected {expected:#?}\n  got      {got:#?}\n");
        }
    }
    simulator.assert_alive();
    let log = simulator.stderr.text();
    for line in scene.logged.iter().filter(|line| !log.contains(*line)) {
        wrong += &format!("not logged: {line}\n");
    }
    if wrong.is_empty() { wrong } else { format!("=== {}/{}\n{wrong}{log}\n", scene.name, scene.files) }
}

#[test]
fn state_of_the_original_is_loaded_as_the_original_loads_it() {
    let Some(corpus) = collection("state") else { return };
    let mut folders: Vec<_> = std::fs::read_dir(&corpus)
        .expect("the collection")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    let scenes: Vec<Scene> = folders.iter().flat_map(|folder| scenes(folder)).collect();
    assert_eq!((folders.len(), scenes.len()), (12, 23));
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(scene) = scenes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    assert!(!scene.steps.is_empty(), "{}: nothing to be shown", scene.name);
                    wrong.lock().expect("the findings").push(play(&corpus, scene));
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().expect("the findings");
    wrong.retain(|text| !text.is_empty());
    wrong.sort();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One state directory in turns with ours, the original, and ours again; each changes
/// something of everything that is kept.
#[test]
fn a_state_directory_goes_from_ours_to_the_original_and_back() {
    let bench = Bench::new();
    let (port, console) = (free_port(), free_port());
    let conf = small_lan_conf(port, &format!("  sol \"telnet:127.0.0.1:{}\" 115200", free_port()));
    bench.write("lan.conf", format!("{conf}console 127.0.0.1 {console}\n"));
    bench.write("sim.emu", SMALL_EMU);
    let folder = "state/ipmi_sim/small";

    let mut done: Vec<Turn> = Vec::new();
    for (turn, subject) in [Subject::under_test(), Subject::Original, Subject::under_test()].into_iter().enumerate() {
        let simulator = Simulator::start_default(subject, &bench, port);
        check_turns(port, &done, subject);
        let now = Turn::new(turn as u8);
        now.make(port, console);
        done.push(now);
        check_turns(port, &done, subject);
        // The original writes users once a second, and nothing when it ends.
        let name = format!("username:d:{}", done[turn].name());
        let written = eventually(Duration::from_secs(5), || {
            bench.read(&format!("{folder}/users.mc20")).contains(&name).then_some(())
        });
        assert!(written.is_some(), "{subject:?} does not keep users");
        simulator.stop();
    }
    let simulator = Simulator::start_default(Subject::under_test(), &bench, port);
    check_turns(port, &done, Subject::under_test());
    drop(simulator);

    // The original's turn added bytes to records; none of them are left.
    let repository = bench.read_bytes(&format!("{folder}/sdr.20.main"));
    let records: Vec<Vec<u8>> = format::parse(&repository).0.list_entries().map(|(_, bytes)| bytes.to_vec()).collect();
    assert_eq!(records.len(), 6);
    for record in &records {
        assert_eq!(record.len(), 5 + usize::from(record[4]), "{record:02x?}");
    }
    // Nothing else was put there, and nothing was set aside.
    let mut names: Vec<_> = std::fs::read_dir(bench.path(folder))
        .expect("the state directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    assert_eq!(names, ["lanparm.mc20.1", "sdr.20.main", "sel.20", "sol.mc20", "users.mc20"]);
}

/// What one program changes.
struct Turn(u8);

impl Turn {
    fn new(turn: u8) -> Self {
        Self(turn)
    }

    fn user(&self) -> u8 {
        3 + self.0
    }

    fn name(&self) -> String {
        format!("turn {}", self.0)
    }

    fn password(&self) -> String {
        format!("p\\w \"{}:", self.0)
    }

    /// A record of an OEM type, without a time: its bytes have to come back as they are.
    fn event(&self) -> [u8; 14] {
        [0xe0, 1, 2, 3, 0x5c, 0x3a, 0x22, 0x0a, 0, 0xff, 0x80, 0x20, 0x0d, self.0]
    }

    /// Two SDRs of an OEM type: one for Add SDR in the only shape that the original takes
    /// (its seventh byte is the length of all but the first five and the id), one for
    /// the console.
    fn records(&self) -> [Vec<u8>; 2] {
        let mut first = vec![0, 0, 0x51, 0xc0, 14, 13, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0];
        first[18] = self.0;
        [first, vec![0, 0, 0x51, 0xc0, 3, 0x5c, 0x0a, self.0]]
    }

    fn cipher_privileges(&self) -> String {
        // Suite 3 stays open to administrators.
        format!("0x0{0} 0x44 0x44 0x44 0x44 0x44 0x44 0x44", 4 - self.0)
    }

    fn bit_rate(&self) -> &'static str {
        ["38.4", "19.2", "57.6"][usize::from(self.0)]
    }

    /// Changes everything by ipmitool, and what has no command by the console.
    fn make(&self, port: u16, console: u16) {
        let client = Ipmitool::new(port, "admin", "admin");
        let user = self.user().to_string();
        client.run_words(&["user", "set", "name", &user, &self.name()]).assert_ok();
        client.run_words(&["user", "set", "password", &user, &self.password(), "16"]).assert_ok();
        client.ok(&format!("user priv {user} 4 1"));
        client.ok(&format!("user enable {user}"));
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!(" {byte:#04x}")).collect::<String>();
        client.ok(&format!("raw 0x0a 0x44 0 0{}", hex(&self.event())));
        let [added, typed] = self.records();
        client.ok(&format!("raw 0x0a 0x24{}", hex(&added)));
        // The original writes the added record with the next one.
        Console::connect(console).type_in(&format!("main_sdr_add 0x20{}", hex(&typed)));
        client.ok("raw 0x0c 0x01 1 0 1");
        client.ok(&format!("raw 0x0c 0x01 1 24 0 {}", self.cipher_privileges()));
        client.ok("raw 0x0c 0x01 1 0 2");
        client.ok("raw 0x0c 0x01 1 0 0");
        client.ok(&format!("sol set non-volatile-bit-rate {} 1", self.bit_rate()));
        client.ok(&format!("sol set enabled {} 1", if self.0 == 1 { "false" } else { "true" }));
    }
}

/// Everything that was changed so far is there.
fn check_turns(port: u16, done: &[Turn], subject: Subject) {
    let client = Ipmitool::new(port, "admin", "admin");
    let bytes = |words: &str| -> Vec<u8> {
        let ran = client.ok(words);
        ran.stdout.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("a byte")).collect()
    };
    let by = format!("{subject:?} after {} turns", done.len());
    assert_eq!(bytes("raw 0x0a 0x40")[1], done.len() as u8, "{by}");
    // A BMC without a record has one of its own here, which is in no file.
    let own = u8::from(subject == Subject::Ours && done.is_empty());
    assert_eq!(bytes("raw 0x0a 0x20")[1], 2 * done.len() as u8 + own, "{by}");
    for (at, turn) in done.iter().enumerate() {
        let user = Ipmitool::new(port, &turn.name(), &turn.password());
        user.ok("mc info");
        let entry = bytes(&format!("raw 0x0a 0x43 0 0 {} 0 0 0xff", at + 1));
        assert_eq!(entry[4..], turn.event(), "{by}");
        for (which, record) in turn.records().iter().enumerate() {
            let id = 2 * at + which + 1;
            let stored = bytes(&format!("raw 0x0a 0x23 0 0 {id} 0 0 0x20"));
            assert_eq!(stored[2..5], [id as u8, 0, 0x51], "{by}");
            assert_eq!(stored[5..2 + record.len()], record[3..], "{by}");
        }
    }
    let Some(last) = done.last() else { return };
    client
        .ok("raw 0x0c 0x02 1 24 0 0")
        .assert_says(&format!("11 00 0{}", last.cipher_privileges()[3..].replace("0x", "")));
    client.ok("sol info 1").assert_says(&format!("Non-Volatile Bit Rate (kbps) : {}", last.bit_rate()));
    client.ok("sol info 1").assert_says(&format!("Enabled : {}", if last.0 == 1 { "false" } else { "true" }));
}
