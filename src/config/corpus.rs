//! Configurations that people really use, and arbitrary bytes, against both parsers.
//!
//! The collection is not part of this repository. `IPMI_SIM_CORPUS` names the folder that
//! holds it; without it the folder is looked for beside the checkout.

use std::path::{Path, PathBuf};

use super::command::{Command, Instruction, Variables, statements};
use super::text::decode;
use super::{Diagnostic, Severity, lan_conf};

// What the tests of the whole program know about the collection and the machine.
#[path = "../../tests/support/corpus.rs"]
mod collection;
#[path = "../../tests/support/machine.rs"]
#[allow(dead_code, reason = "these tests need nothing but files")]
mod machine;

fn wild() -> Option<PathBuf> {
    collection::collection("wild")
}

/// Every file below `folder`, by its path from `root`.
fn files(root: &Path, folder: &Path, out: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            files(root, &path, out);
        } else if let Ok(name) = path.strip_prefix(root) {
            out.push(name.display().to_string());
        }
    }
    out.sort();
}

fn is_command_file(name: &str) -> bool {
    name.ends_with(".emu") || name.ends_with("/cmd.conf") || name.ends_with("/command_file")
}

fn is_lan_conf(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or_default();
    !is_command_file(name) && (file.contains("conf") || file.ends_with(".lan"))
}

/// Runs a command file as far as the language goes, with its includes and variables, and
/// counts its commands.
fn run(path: &Path, variables: &mut Variables, findings: &mut Vec<Diagnostic>) -> usize {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut commands = 0;
    for statement in statements(&path.display().to_string(), &text) {
        match statement.resolve(variables) {
            Ok(None) => {}
            Ok(Some(command)) => {
                commands += 1;
                match command {
                    Instruction::System(Command::Define { name, value }) => drop(variables.insert(name, value)),
                    Instruction::Include { path: name } => {
                        let name = Path::new(&name).file_name().unwrap_or_default();
                        commands += run(&path.with_file_name(name), variables, findings);
                    }
                    _ => {}
                }
            }
            Err(found) => findings.push(found),
        }
    }
    commands
}

/// Findings in the collected files: name, line, how the message begins. Templates that are
/// not yet filled in and files that are only ever included are left out.
const FINDINGS: &[(&str, u32, Severity, &str)] = &[
    ("Howle-Great__ipmiConfig/ipmi0.emu", 1, Severity::Error, "Error initializing sensor handler: Invalid div value"),
    ("Howle-Great__ipmiConfig/lan.conf", 126, Severity::Warning, "'/etc/ipmi/prem_mod.so' is a C plug-in"),
    ("Mellanox__mlx-OpenIPMI/mlx-bf.lan.conf.in", 46, Severity::Warning, "'@pkglib@/mellanox_bf_mod.so' is a C"),
    ("cminyard__openipmi/marvell-bmc/lan.conf", 32, Severity::Warning, "the GUID has 16 bytes"),
    ("cminyard__openipmi/marvell-bmc/lan.conf", 58, Severity::Warning, "the GUID has 16 bytes"),
    ("cminyard__openipmi/marvell-bmc/lan.conf", 127, Severity::Warning, "'/usr/lib/ipmi_sim/marvell_mod.so' is a C"),
    ("dhilst__qemu-ipmi/HN/lan.conf", 84, Severity::Warning, "this controller has a sol line already"),
    ("pi-bmc__nanokvm-build/lan.conf", 32, Severity::Warning, "No integer value given"),
    ("pi-bmc__nanokvm-build/lan.conf", 33, Severity::Warning, "No integer value given"),
];

/// Templates with holes, files made to be included, and upstream's broken sample (27 faults).
const UNFINISHED: &[&str] = &[
    "Howle-Great__ipmiConfig/lm75.emu",
    "Howle-Great__ipmiConfig/vdd.emu",
    "InfraSIM__infrasim-compute/vbmc.conf.template",
    "Mellanox__mlx-OpenIPMI/mlx-bf-base.emu",
    "Seneca-CDOT__simengine/ipmisim1_psu.emu",
    "Seneca-CDOT__simengine/lan.conf",
    "cminyard__openipmi/atca.emu",
    "cminyard__openipmi/marvell-bmc/marvell_node.emu",
    "zexi__vbmc-qemu/lan.conf.tem",
];

#[test]
fn collected_files_load() {
    let Some(wild) = wild() else { return };
    let mut names = Vec::new();
    files(&wild, &wild, &mut names);
    let (mut found, mut confs, mut scripts) = (Vec::new(), 0, 0);
    for name in &names {
        let path = wild.join(name);
        let mut findings = Vec::new();
        if is_command_file(name) {
            scripts += 1;
            let commands = run(&path, &mut Variables::new(), &mut findings);
            assert!(commands + findings.len() >= 3 || UNFINISHED.contains(&name.as_str()), "{name}: nothing in it");
        } else if is_lan_conf(name) {
            confs += 1;
            let text = std::fs::read(&path).expect("a readable file");
            let (config, diagnostics) = lan_conf::parse(name, &text);
            if let Some(config) = config {
                assert!(config.controllers.iter().any(|mc| !mc.lans.is_empty() && !mc.users.is_empty()), "{name}");
            }
            findings = diagnostics;
        }
        for finding in &findings {
            let line = &finding.source_line;
            let end = finding.span.column + finding.span.length - 1;
            assert!(end as usize <= line.chars().count() + 1, "{name}: {finding}");
        }
        if UNFINISHED.contains(&name.as_str()) {
            assert!(findings.iter().any(|finding| finding.severity == Severity::Error), "{name}: no fault");
        } else {
            found.extend(findings.into_iter().map(|finding| (name.as_str(), finding)));
        }
    }
    assert!(confs > 35 && scripts > 40, "{confs} LAN files, {scripts} command files");
    let shown: Vec<String> = found.iter().map(|(name, finding)| format!("{name}: {finding}")).collect();
    assert_eq!(found.len(), FINDINGS.len(), "{}", shown.join("\n"));
    for ((name, finding), expected) in found.iter().zip(FINDINGS) {
        assert_eq!((*name, finding.span.line, finding.severity), (expected.0, expected.1, expected.2));
        assert!(finding.message.starts_with(expected.3), "{name}: {finding}");
    }
}

/// A generator of test inputs: the same ones in every run.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    }
}

/// Pieces that take the parsers further in than arbitrary bytes do.
const PIECES: &[&str] = &[
    "\n",
    "\n",
    "\n",
    "\r\n",
    "\\\n",
    " ",
    " ",
    "\t",
    "\0",
    "\x0b",
    "#",
    "$",
    "$v",
    "$nope",
    "\"",
    "'",
    "\"a b\"",
    "\"x\"",
    "'y'",
    "0",
    "0x20",
    "-1",
    "99999999999999999999",
    "08",
    "1f",
    "000000000001111",
    "111000",
    "'A",
    "\u{fc}",
    "\u{10ffff}",
    "name",
    "startlan 1",
    "endlan",
    "addr",
    "user 2 true \"a\" \"b\" admin",
    "guid",
    "bmc_key",
    "allowed_auths_user md5",
    "serial 15 h 1 codec VM",
    "attn 1,,",
    "sol \"tcp:",
    "9600",
    "history=",
    ",backupfile=",
    "historyfru=",
    "ipmb",
    "console",
    "define v",
    "loadlib",
    "set_working_mc",
    "startnow",
    "kcs-",
    "00112233445566778899aabbccddeeff",
    "include",
    "mc_add",
    "mc_add_fru_data 1 2 3 data",
    "mc_add_fru_data 1 2 3 file 4",
    "sensor_add 1 2 3 4 5 poll 6 file \"x\"",
    "depends=",
    "div=",
    "initstate=",
    "main_sdr_add",
    "sensor_set_event_support 1 2 3 enable scanning none",
    "sensor_set_threshold",
    "settable",
    "mc_set_guid 1",
    "debug raw",
    "persist on",
    "event-only",
];

/// Whole lines, to be damaged.
const LINES: &[&str] = &[
    "user 2 true \"admin\" \"pass word\" admin 10 none md5",
    "serial kcs-3 localhost 9002 codec VM attn 1,2 ipmb 0x20 oem Radisys connect",
    "sol \"play:log x rate 2, prompt 'a' banner 'b\\n'\" 9600 history=9",
    "sol \"telnet:h:1\" 9600 history=40,backupfile=/x historyfru=1 nortscts readclear",
    "startlan 1\naddr :: 623\nguid \"abc\"\nallowed_auths_admin none md2\nendlan",
    "define v \"a\"'b'",
    "mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr",
    "mc_add_fru_data 0x20 1 4 data 1 \\\n# comment\n 2 'c 0x4",
    "sensor_add 0x20 0 1 1 1 poll 1000 file \"/x/\"$v div=3 depends=0x20,0,1,2",
    "sensor_set_threshold 0x20 0 1 settable 111000 6 5 4 3 2 1",
    "sensor_set_event_support 0x20 0 1 enable scanning per-state \\\n 000000000001111 000000000001111 \\\n 000000000001111 000000000001111",
    "main_sdr_add $v 1 2 3 4 5",
    "mc_set_guid 0x20 \"abc\"",
];

fn input(random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..random.next(12) {
        match random.next(8) {
            0 => text.push(random.next(256) as u8),
            1..=4 => {
                text.extend_from_slice(PIECES[random.next(PIECES.len())].as_bytes());
                text.extend_from_slice(if random.next(4) == 0 { b"" } else { b" " });
            }
            _ => {
                let mut line = LINES[random.next(LINES.len())].as_bytes().to_vec();
                if random.next(2) == 0 {
                    let from = random.next(line.len());
                    let to = (from + random.next(4)).min(line.len());
                    line.splice(from..to, PIECES[random.next(PIECES.len())].bytes());
                }
                text.extend_from_slice(&line);
                text.push(b'\n');
            }
        }
    }
    text
}

/// That a finding is in the text: its line is one of the text's, and its columns are in it.
fn check_place(text: &[u8], finding: &Diagnostic) {
    let stripped = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines: Vec<&[u8]> = stripped.split(|&byte| byte == b'\n').collect();
    let span = finding.span;
    let line = lines.get(span.line as usize - 1).unwrap_or_else(|| panic!("no such line: {finding:?}"));
    assert!(decode(line).starts_with(&finding.source_line), "{finding:?}");
    let end = (span.column + span.length - 1) as usize;
    assert!(span.column >= 1 && span.length >= 1, "{finding:?}");
    assert!(end <= finding.source_line.chars().count() + 1, "{finding:?}");
    assert!(!finding.message.is_empty() && !finding.message.contains('\n'), "{finding:?}");
    assert!(finding.to_string().lines().count() == 3, "{finding}");
}

#[test]
fn any_bytes_give_values_or_a_place() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let (mut configs, mut commands, mut faults) = (0, 0, 0);
    for _ in 0..1200 {
        let mut text = input(&mut random);
        if random.next(3) == 0 {
            text.extend_from_slice(b"\nname \"x\"\n");
        }
        let (config, findings) = lan_conf::parse("lan.conf", &text);
        let failed = findings.iter().any(|finding| finding.severity == Severity::Error);
        assert_eq!(config.is_none(), failed, "{}", String::from_utf8_lossy(&text));
        configs += usize::from(config.is_some());
        findings.iter().for_each(|finding| check_place(&text, finding));

        let variables = Variables::from([("v".to_string(), "0x20".to_string())]);
        let all = statements("f.emu", &text);
        // Every physical line is in exactly one statement, in order.
        let numbers: Vec<u32> =
            all.iter().flat_map(|statement| statement.lines.iter().map(|(number, _)| *number)).collect();
        assert!(numbers.iter().copied().eq(1..=numbers.len() as u32), "{numbers:?}");
        for statement in all {
            match statement.resolve(&variables) {
                Ok(Some(_)) => commands += 1,
                Ok(None) => {}
                Err(finding) => {
                    faults += 1;
                    check_place(&text, &finding);
                    let within = statement.lines.iter().any(|(number, _)| *number == finding.span.line);
                    assert!(within, "{finding:?}");
                }
            }
        }
    }
    // The inputs reach what they are meant to reach.
    assert!(configs > 30 && commands > 300 && faults > 1500, "{configs} {commands} {faults}");
}

/// Lines of any length are read, and in one pass.
#[test]
fn long_lines_are_read() {
    let many = 10_000;
    let resolve = |line: String| {
        let all = statements("f", line.as_bytes());
        assert_eq!(all.len(), 1);
        all[0].resolve(&Variables::new()).map_err(|finding| finding.message)
    };
    let reads = |line: String| assert!(matches!(resolve(line), Ok(Some(_))));
    reads(format!("main_sdr_add 0x20{}", " 1".repeat(many)));
    reads(format!("mc_add_fru_data 0x20 0 8192 data{}", " 0x00".repeat(8192)));
    reads(format!("sensor_add 1 2 3 4 5{}", " event-only".repeat(many)));
    reads(format!("sensor_add 1 2 3 4 5 poll 6 file \"x\"{}", " div=1".repeat(many)));
    reads(format!("define v {}", "\"x\"".repeat(many)));
    reads(format!("debug{}", " raw".repeat(many)));
    reads(format!("mc_enable{} 0x20", " \\\n".repeat(many)));
    let fails = |line: String| resolve(line).expect_err("a fault");
    assert!(fails(format!("mc_add_fru_data 0x20 0 8192 data{}", " 0x00".repeat(8193))).contains("too long"));
    assert!(fails(format!("include {}", "'\"".repeat(many + 1))).contains("End of line in string"));

    let parse = |line: String| lan_conf::parse("f", format!("name \"x\"\n{line}\n").as_bytes());
    let reads = |line: String| assert!(parse(line).0.is_some());
    reads(format!("serial 15 h 1 codec VM{}", " connect".repeat(many)));
    reads(format!("sol \"x\" 9600 history=1{}", ",backupfile=x".repeat(many)));
    reads(format!("user 2 true \"a\" \"b\" admin 10{}", " none".repeat(many)));
    let blocks = parse("startlan 1\nuser\n".repeat(many / 10)).1;
    assert!(blocks.len() >= many / 10, "{}", blocks.len());
    let name = parse(format!("user 2 true {}b", "\"a ".repeat(many))).1;
    assert!(name[0].message.starts_with("ASCII password or username doesn't end in"), "{}", name[0]);
}
