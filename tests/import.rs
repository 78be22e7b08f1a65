//! `ipmi_simctl import`, `compare` and `--scrub`: what files of ipmitool hold comes back from the BMC that is made of them, nothing of
//! a machine is left in a folder that leaves the house, and what is different is named.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::bench::{free_port, project};
use support::config::{SMALL_EMU, small_lan_conf};
use support::{Bench, Ipmitool, Ran, Simulator, Subject};

const LIMIT: Duration = Duration::from_secs(90);

fn simctl(bench: &Bench, words: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipmi_simctl"));
    command.current_dir(bench.folder()).args(words).env("IPMI_PASSWORD", "admin").env_remove("IPMI_SIM_CONTROL");
    Ran::run(&mut command, "ipmi_simctl", LIMIT)
}

/// Runs it; it has to end with this status.
#[track_caller]
fn ended(bench: &Bench, status: i32, words: &[&str]) -> Ran {
    let ran = simctl(bench, words);
    assert_eq!(ran.status.and_then(|status| status.code()), Some(status), "{}", ran.report());
    ran
}

/// The differences that it tells programs, each as one text.
#[track_caller]
fn differences(bench: &Bench, status: i32, words: &[&str]) -> Vec<String> {
    let ran = ended(bench, status, &[&["compare", "--json"], words].concat());
    let told: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.report()));
    assert_eq!(told["same"], status == 0, "{}", ran.report());
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let one = |it: &Value| ["subject", "what", "a", "b"].map(|key| text(&it[key])).join("|");
    told["differences"].as_array().expect("a list").iter().map(one).collect()
}

/// The statement that adds a record.
fn main_sdr_add(record: &[u8]) -> String {
    let bytes: String = record.iter().map(|byte| format!(" {byte:#04x}")).collect();
    format!("main_sdr_add 0x20{bytes}\n")
}

/// The full record of sensor 1, a temperature whose upper thresholds can be set.
fn temperature() -> String {
    let mut record = vec![0; 52];
    record[2..14].copy_from_slice(&[0x51, 0x01, 47, 0x20, 0, 1, 3, 1, 0x7f, 0x68, 1, 1]);
    record[18..20].copy_from_slice(&[0x38, 0x38]);
    record[36..39].copy_from_slice(&[0xa0, 0x90, 0x70]);
    record[47..].copy_from_slice(b"\xc4Temp");
    main_sdr_add(&record)
}

/// A small BMC in a bench, with more statements before it is enabled.
fn small(bench: &Bench, more: &str) -> (Simulator, Ipmitool) {
    let port = free_port();
    bench.write("lan.conf", small_lan_conf(port, ""));
    bench.write("sim.emu", SMALL_EMU.replace("mc_enable", &format!("{more}mc_enable")));
    (Simulator::start_default(Subject::Ours, bench, port), Ipmitool::new(port, "admin", "admin"))
}

/// Starts a folder that import made.
fn serve(bench: &Bench, folder: &str) -> (Simulator, Bench, Ipmitool) {
    let (place, port) = (Bench::new(), free_port());
    for (name, content) in files(&bench.path(folder)) {
        place.write(&name, content);
    }
    place.write("lan.conf", place.read("lan.conf").replace("127.0.0.1 9623", &format!("127.0.0.1 {port}")));
    let emu = format!("./{folder}.emu");
    let simulator = Simulator::start(Subject::Ours, &place, port, &["-c", "./lan.conf", "-f", &emu, "-s", "./state"]);
    (simulator, place, Ipmitool::new(port, "admin", "secret"))
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut all, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").display().to_string();
                all.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    all
}

/// What ipmitool writes of a BMC: records, inventories, and the log as bytes and as text.
fn taken(client: &Ipmitool, bench: &Bench, folder: &str) -> [Vec<u8>; 4] {
    std::fs::create_dir_all(bench.path(folder)).expect("a folder");
    let commands: [(&[&str], &str); 4] = [
        (&["sdr", "dump"], "sdr"),
        (&["fru", "read", "0"], "fru"),
        (&["sel", "writeraw"], "sel.raw"),
        (&["sel", "save"], "sel.txt"),
    ];
    commands.map(|(words, name)| {
        let path = bench.path(&format!("{folder}/{name}"));
        client.run_words(&[words, &[path.to_str().expect("a path")]].concat()).assert_ok();
        std::fs::read(&path).expect("what it wrote")
    })
}

#[test]
fn files_of_ipmitool_come_back_from_the_bmc_that_is_made_of_them() {
    let (bench, port) = (Bench::new(), free_port().to_string());
    let (conf, emu) = (project("examples/profiles/lan.conf"), project("examples/profiles/two-socket/sim.emu"));
    let machine = [conf.to_str().expect("a path"), "-f", emu.to_str().expect("a path")];
    let one = ["-p", "--count", "1", "--addresses", "127.0.0.1", "--ports", &port, "-c"];
    let port = port.parse().expect("a number");
    let simulator = Simulator::start(Subject::Ours, &bench, port, &[&one[..], &machine].concat());
    let of_machine = taken(&Ipmitool::new(port, "admin", "admin"), &bench, "m");
    simulator.stop();
    let files = ["--sdr", "m/sdr", "--fru", "0=m/fru", "--sel", "m/sel.raw", "--password", "secret"];
    let made = ended(&bench, 0, &[&["import", "--json"], &files[..], &["copy"]].concat());
    let told: Value = serde_json::from_str(&made.stdout).expect("JSON");
    assert_eq!(
        (&told["sdrs"], &told["sensors"], &told["inventories"], &told["sel"]),
        (&110.into(), &118.into(), &1.into(), &14.into())
    );
    let readme = bench.read("copy/README");
    assert!(
        readme.contains("110 sensor data records were taken") && readme.contains("Assumed: what sensors read"),
        "{readme}"
    );
    let (_simulator, _place, client) = serve(&bench, "copy");
    let of_copy = taken(&client, &bench, "c");
    for (what, (machine, copy)) in ["sdr", "fru", "sel.raw", "sel.txt"].iter().zip(of_machine.iter().zip(&of_copy)) {
        assert!(machine == copy, "{what}: {} and {} bytes", machine.len(), copy.len());
    }
    assert!(of_machine.iter().all(|content| content.len() > 200));
    // No sensor is in alarm.
    let shown = client.ok("sdr elist full").stdout;
    let states: Vec<&str> = shown.lines().filter_map(|line| line.split('|').nth(2)).map(str::trim).collect();
    assert!(states.len() > 60 && states.iter().all(|state| ["ok", "ns"].contains(state)), "{shown}");
    assert!(shown.contains("42 degrees C"), "{shown}");
    // From the text the log is the same but for times, and for what it does not have.
    let files = ["--sdr", "m/sdr", "--fru", "m/fru", "--sel", "m/sel.txt", "--password", "secret"];
    let made = ended(&bench, 0, &[&["import"], &files[..], &["text"]].concat());
    assert!(made.stderr.contains("m/sel.txt:14: left out: d9h is no event message revision"), "{}", made.report());
    let found = differences(&bench, 1, &["copy", "text"]);
    assert!(found.contains(&"event log|record|c1 d9 7e 00 01 04 27 00 00 00|-".into()), "{found:#?}");
    assert!(found.iter().all(|it| it.starts_with("event log|") || it.starts_with("SEL Allocation")), "{found:#?}");
}

#[test]
fn what_is_wrong_in_files_is_named_and_nothing_is_made() {
    let bench = Bench::new();
    bench.write("cut.sdr", b"\x01\x00\x51\xc0\x03\xd9\x7e\x00\x02\x00\x51\xc0\x09\xd9");
    bench.write("odd.sel", "0x04 0x01 0x0b 0x01 0x57 0xa7 0xa6 # a\n4 1 11 x\n");
    bench.write("large.fru", [1; 8193]);
    let ran = ended(
        &bench,
        1,
        &["import", "--sdr", "cut.sdr", "--sel", "odd.sel", "--fru", "large.fru", "--fru", "3=absent", "out"],
    );
    for said in [
        "cut.sdr: at byte 8 (0x8): the record of type c0h has 14 bytes, and the file ends after 6",
        "odd.sel:2: expected 7 bytes of an event, found 4 words",
        "large.fru: at byte 8192 (0x2000): a FRU inventory device has at most 8192 bytes, this has 8193",
        "absent: No such file",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.report());
    }
    assert!(!bench.path("out").exists());
    bench.write("there/mine", "mine");
    bench.write("good.sdr", b"\x01\x00\x51\xc0\x03\xd9\x7e\x00");
    for (words, said) in [
        (&["--sdr", "good.sdr", "there"][..], "there exists already"),
        (&["out"], "nothing to import"),
        (&["--fru", "good.sdr", "--fru", "good.sdr", "out"], "two inventories of FRU device 0"),
        (&["--sdr", "good.sdr", "a b"], "take --name"),
        (&["--node", "there", "out"], "it has no configuration: none of lan.conf, etc/vbmc.conf"),
        (&["--sdr", "good.sdr", "--scrub-key", "there/mine", "out"], "--scrub"),
    ] {
        let ran = ended(&bench, 2, &[&["import"], words].concat());
        assert!(ran.stderr.contains(said), "{said}: {}", ran.report());
    }
    assert_eq!(files(&bench.path("there")).len(), 1);
}

#[test]
fn a_node_of_infrasim_is_read_and_none_of_its_programs_is_run() {
    let bench = Bench::new();
    let conf = small_lan_conf(
        free_port(),
        "  startcmd \"touch ran\"\n  startnow true\n  chassis_control \"touch ran\"\n  serial 15 0.0.0.0 9002 codec VM ipmb 0x20\n  console 0.0.0.0 9000\n  nvram_file \"x\"\n  sol \"/nonexistent\" 115200\n",
    );
    bench.write("node-0/etc/vbmc.conf", conf);
    bench.write("node-0/etc/infrasim.yml", "name: node-0\ntype: board\n");
    bench.write("node-0/data/board.emu", SMALL_EMU);
    bench.write("node-0/data/other.emu", "nonsense\n");
    let before = files(&bench.path("node-0"));
    ended(&bench, 0, &["import", "--node", "node-0", "copy"]);
    assert_eq!(differences(&bench, 0, &["node-0", "copy"]), Vec::<String>::new());
    assert_eq!(files(&bench.path("node-0")), before);
    let readme = bench.read("copy/README");
    let left_out = "Left out, because they reach beyond the BMC, were its statements startcmd, startnow, chassis_control, serial, console, nvram_file, sol.";
    assert!(readme.contains(left_out), "{readme}");
    // Its administrator has the password that the node gave him.
    assert!(
        bench.read("copy/lan.conf").contains("user 2 true \"admin\" \"admin\" admin"),
        "{}",
        bench.read("copy/lan.conf")
    );
    bench.write("node-0/etc/infrasim.yml", "name: node-0\n");
    let ran = ended(&bench, 2, &["import", "--node", "node-0", "other"]);
    assert!(ran.stderr.contains("several command files") && ran.stderr.contains("other.emu"), "{}", ran.report());
    bench.write("node-0/etc/infrasim.yml", "type: other\n");
    let ran = ended(&bench, 1, &["import", "--node", "node-0", "other"]);
    assert!(ran.stderr.contains("nonsense") && !bench.path("other").exists(), "{}", ran.report());
}

/// What a state file says by escapes, as bytes.
fn unescaped(content: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), content);
    while let Some((byte, behind)) = rest.split_first() {
        let digits =
            behind.first_chunk::<2>().filter(|_| *byte == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) => {
                out.push(escaped);
                rest = &behind[2..];
            }
            None => {
                out.push(*byte);
                rest = behind;
            }
        }
    }
    out
}

/// Six bits a letter, the first in the low ones.
fn six_bit(text: &[u8]) -> Vec<u8> {
    let codes = text.to_ascii_uppercase();
    let bits: Vec<bool> =
        codes.iter().flat_map(|code| (0..6).map(move |bit| code.wrapping_sub(0x20) >> bit & 1 != 0)).collect();
    let whole = bits.chunks_exact(8);
    whole.map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect()
}

/// Four bits a digit, the first of two in the high ones.
fn bcd(text: &[u8]) -> Vec<u8> {
    text.chunks_exact(2).map(|pair| (pair[0] - b'0') << 4 | (pair[1] - b'0')).collect()
}

/// The files of a folder that hold an original in any form.
fn holding(folder: &Path, original: &[u8]) -> Vec<String> {
    let mut forms = vec![original.to_vec(), original.iter().flat_map(|byte| [*byte, 0]).collect()];
    if original.len() >= 6 && original.iter().all(u8::is_ascii_graphic) {
        forms.push(six_bit(original));
    }
    if original.len() >= 6 && original.iter().all(u8::is_ascii_digit) {
        forms.push(bcd(original));
    }
    let hexadecimal: String = original.iter().map(|byte| format!("{byte:02x}")).collect();
    if !original.is_ascii() {
        forms.push(hexadecimal.into_bytes());
    }
    let is_in = |content: &[u8]| {
        forms.iter().any(|form| content.windows(form.len()).any(|window| window.eq_ignore_ascii_case(form)))
    };
    let all = files(folder).into_iter();
    let found = all.filter(|(name, content)| is_in(content) || is_in(&unescaped(content)) || is_in(name.as_bytes()));
    found.map(|(name, _)| name).collect()
}

#[test]
fn nothing_of_a_machine_is_left_in_a_folder_that_leaves_the_house() {
    let bench = Bench::new();
    // A serial number in BCD plus, and one in six bits, are in the second inventory.
    let product =
        [&b"\x01\x03\x19\xc0\xc0\xc0\xc0\x44\x90\x12\x34\x56\x86"[..], &six_bit(b"TAG-0815"), b"\xc0\xc1"].concat();
    let mut image = [&b"\x01\x00\x00\x00\x01\x00\x00\xfe"[..], &product].concat();
    image.resize(31, 0);
    image.push(0u8.wrapping_sub(image[8..].iter().fold(0, |sum, byte| sum.wrapping_add(*byte))));
    bench.write("second.fru", &image);
    let emu = [
        "mc_add_fru_data 0x20 0 256 text chassis_serial \"CS-40417\" product_serial \"PSN-99x\" product_tag \"rack7-u12\"\n",
        "mc_add_fru_data 0x20 1 32 file 0 \"second.fru\"\n",
        &main_sdr_add(b"\0\0\x51\x11\x12\x20\x01\x80\0\0\x10\0\x0a\x01\0\xc7PSU 1 F"),
        &main_sdr_add(b"\0\0\x51\xc0\x09\xd9\x7e\0\x0c\xc4\x7a\x12\x34\x56"),
        "sel_add 0x20 0xe0 'j 'd 'o 'e '- 'o 'p 's 0x20 0x20 0 0 0\n",
    ];
    let (_simulator, client) = small(&bench, &emu.concat());
    for words in [
        "lan set 1 ipaddr 10.1.2.3",
        "lan set 1 macaddr 0c:c4:7a:12:34:56",
        "lan set 1 defgw ipaddr 10.1.2.1",
        "lan set 1 snmp s3cret-word",
        "user set name 3 jdoe-ops",
        "mc setsysinfo system_name node17.lab",
        "dcmi set_asset_tag rack7-u12",
        "dcmi set_mc_id_string node17",
    ] {
        client.ok(words);
    }
    let originals: [&[u8]; 13] = [
        b"CS-40417",
        b"PSN-99x",
        b"rack7-u12",
        b"TAG-0815",
        b"90123456",
        b"node17",
        b"jdoe-ops",
        b"s3cret-word",
        &[10, 1, 2, 3],
        b"10.1.2.3",
        &[0x0c, 0xc4, 0x7a, 0x12, 0x34, 0x56],
        b"0c:c4:7a:12:34:56",
        b"\xa1\x23\x45\x67\x89\xab\xcd\xef\xa1\x23\x45\x67\x89\xab\xcd\xef",
    ];
    let port = client.port.to_string();
    let bmc = ["clone", "-H", "127.0.0.1", "-p", &port, "-U", "admin", "-E", "--password", "secret"];
    ended(&bench, 0, &[&bmc[..], &["node17"]].concat());
    let there = originals.iter().filter(|original| !holding(&bench.path("node17"), original).is_empty()).count();
    assert!(there >= 11, "only {there} of the originals are there to begin with");
    bench.write("key", "a key\n");
    let scrubbed = ["--scrub", "--scrub-key", "key"];
    ended(&bench, 0, &[&bmc[..], &scrubbed, &["away"]].concat());
    for original in originals {
        let left = holding(&bench.path("away"), original);
        assert!(left.is_empty(), "{} is left in {left:?}", String::from_utf8_lossy(original));
    }
    let readme = bench.read("away/README");
    for said in [
        "3 serial numbers",
        "1 MAC address,",
        "2 IP addresses",
        "2 asset tags",
        "1 user name, 1 community string (",
        "OEM records of the event log",
    ] {
        assert!(readme.contains(said), "{said}: {readme}");
    }
    // What is common stays, the same key gives the same, and only what tells machines apart is different.
    assert!(bench.read("away/lan.conf").contains("\"admin\""));
    ended(&bench, 0, &["import", "--node", "node17", "--password", "secret", "--scrub", "--scrub-key", "key", "again"]);
    let found = differences(&bench, 0, &["away", "again", "--ignore", "time"]);
    assert!(found.is_empty(), "{found:#?}");
    let found = differences(&bench, 1, &["node17", "away", "--ignore", "time,guid,readings,identity"]);
    let expected = [
        "user 3|name|jdoe-ops|",
        "LAN channel 1|community string|s3cret-word|",
        "SDR of type c0h|",
        "event log|record|",
    ];
    assert!(found.iter().all(|it| expected.iter().any(|start| it.starts_with(start))), "{found:#?}");
    ended(&bench, 0, &["import", "--node", "node17", "--scrub", "third"]);
    differences(&bench, 1, &["away", "third"]);
}

#[test]
fn what_two_bmcs_have_that_is_not_the_same_is_named() {
    let bench = Bench::new();
    let emu = "mc_add_fru_data 0x20 0 128 text product_name \"Thing\" product_serial \"S-1\"\n".to_owned();
    let (_simulator, client) = small(&bench, &(emu + &temperature()));
    let port = client.port.to_string();
    ended(&bench, 0, &["clone", "-H", "127.0.0.1", "-p", &port, "-U", "admin", "-E", "copy"]);
    let bmc = format!("admin@127.0.0.1:{port}");
    let ran = ended(&bench, 0, &["compare", "-E", &bmc, "copy"]);
    assert_eq!(ran.stdout, "The same; left out: time, guid, readings\n", "{}", ran.report());
    assert_eq!(differences(&bench, 0, &["-E", &bmc, "copy"]), Vec::<String>::new());
    client.ok("user set name 2 boss");
    let client = Ipmitool { user: "boss".into(), ..client };
    // Sensor 1: upper non-critical 71h. The inventory: a letter of the product's name; its checksum becomes wrong.
    client.ok("raw 0x04 0x26 0x01 0x08 0 0 0 0x71 0 0");
    let at = bench.read_bytes("copy/fru.20.0").windows(5).position(|it| it == b"Thing").expect("its name");
    client.ok(&format!("raw 0x0a 0x12 0 {} 0 {}", at + 4, b'k'));
    let bmc = format!("boss@127.0.0.1:{port}");
    let found = differences(&bench, 1, &["-E", &bmc, "copy"]);
    let expected = [
        "user 2|name|boss|admin",
        "sensor Temp (0.1)|upper non-critical|71h (113)|70h (112)",
        "inventory 0|product name|Think|Thing",
    ];
    assert_eq!(found, expected);
    let ran = ended(&bench, 1, &["compare", "-E", &bmc, "copy"]);
    assert!(
        ran.stdout.contains("inventory 0        product name") && ran.stdout.contains("3 differences; left out"),
        "{}",
        ran.report()
    );
    // What is nobody's fault has another status.
    bench.write("broken/lan.conf", small_lan_conf(1, ""));
    bench.write("broken/sim.emu", "nonsense\n");
    let nobody = format!("boss@127.0.0.1:{}", free_port());
    for (status, words, said) in [
        (6, &["-E", "nobody@127.0.0.1:PORT", "copy"][..], "127.0.0.1"),
        (3, &["-E", "--tries", "2", &nobody, "copy"], "no response"),
        (7, &["copy", "./absent"], "absent"),
        (2, &["copy", "a:b:c@"], "'a@'"),
        (7, &["copy", "broken"], "nonsense"),
        (2, &["copy", "copy", "--ignore", "all"], "identity or none"),
    ] {
        let words: Vec<String> = words.iter().map(|word| word.replace("PORT", &port)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = ended(&bench, status, &[&["compare"], &words[..]].concat());
        assert!(ran.stderr.contains(said), "{said}: {}", ran.report());
    }
}
