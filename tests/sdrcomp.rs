//! The SDR compiler beside the original's: the same sources, the same bytes.

mod support;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ipmi_sim::sdrcomp::fields::{Field, Kind, RecordType, TYPES};
use support::bench::{free_port, project};
use support::config::small_lan_conf;
use support::corpus::collection;
use support::{Bench, Ipmitool, Simulator, Subject};

/// A compiler.
fn program(subject: Subject) -> PathBuf {
    match subject {
        Subject::Ours => PathBuf::from(env!("CARGO_BIN_EXE_sdrcomp")),
        Subject::Original => {
            let path =
                std::env::var_os("SDRCOMP_ORIGINAL").map_or_else(|| PathBuf::from("/usr/bin/sdrcomp"), PathBuf::from);
            assert!(path.exists(), "the original sdrcomp is missing at {}: apt-get install openipmi", path.display());
            path
        }
    }
}

fn run(subject: Subject, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program(subject));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.output().unwrap_or_else(|why| panic!("{subject:?} {arguments:?}: {why}"))
}

/// The output without the time at its beginning.
fn timeless(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match text.strip_prefix("last_add_time:i:").and_then(|rest| rest.split_once('\n')) {
        Some((time, rest)) => {
            assert!(time.parse::<u64>().is_ok_and(|time| time > 1_600_000_000), "{time}");
            format!("last_add_time:i:NOW\n{rest}")
        }
        None => text,
    }
}

/// `FILE:LINE` of the first error, from both ways to write it.
fn place(output: &Output) -> Option<(String, u32)> {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().filter(|line| !line.contains(": warning: ")).find_map(|line| {
        let mut parts = line.split(':');
        let file = parts.next()?.to_owned();
        Some((file, parts.next()?.trim().parse().ok()?))
    })
}

/// Compiles with both, in all three forms, and compares. `true`: it can be compiled.
fn same(folder: &Path, arguments: &[&str]) -> bool {
    let mut compiled = false;
    for form in [&["-r"][..], &["-r", "-8"], &[], &["-8"]] {
        let all: Vec<&str> = form.iter().chain(arguments).copied().collect();
        let theirs = run(Subject::Original, folder, &all);
        let ours = run(Subject::Ours, folder, &all);
        let report = format!(
            "{} {all:?}\noriginal: {}\n{}\nours: {}\n{}",
            folder.display(),
            theirs.status,
            String::from_utf8_lossy(&theirs.stderr),
            ours.status,
            String::from_utf8_lossy(&ours.stderr)
        );
        assert_eq!(ours.status.code(), theirs.status.code(), "{report}");
        if theirs.status.success() {
            assert_eq!(timeless(&ours), timeless(&theirs), "{report}");
            if form.first() == Some(&"-r") {
                assert_eq!(ours.stdout, theirs.stdout, "{report}");
            }
            compiled = true;
        } else {
            // Ours names an included file with the folder it was found in.
            let (ours_at, theirs_at) = (place(&ours).expect("a place"), place(&theirs).expect("a place"));
            assert!(ours_at.0.ends_with(&theirs_at.0) && ours_at.1 == theirs_at.1, "{report}");
            assert_eq!(ours.stdout, b"", "{report}");
        }
    }
    compiled
}

#[test]
fn every_field_and_every_name_is_compiled_as_by_the_original() {
    let folder = project("tests/data/sdrs");
    for source in ["every_field.sdrs", "every_name.sdrs"] {
        assert!(same(&folder, &[source]), "{source}");
    }
}

#[test]
fn comments_variables_strings_and_includes_are_those_of_the_original() {
    let folder = project("tests/data/sdrs");
    assert!(same(&folder, &["-I", "/nowhere", "-I", "more", "language.sdrs"]));
    // Without the folder the included file is not there.
    assert!(!same(&folder, &["language.sdrs"]));
}

/// What the own sources leave out would be left out of the comparison.
#[test]
fn the_own_sources_have_every_field_and_every_name() {
    let folder = project("tests/data/sdrs");
    let fields = fs::read_to_string(folder.join("every_field.sdrs")).expect("a source");
    let names = fs::read_to_string(folder.join("every_name.sdrs")).expect("a source");
    // Extensions, and what the original has wrong.
    let own = ["sqr(x)", "cube(x)", "sqrt(x)", "cube-1(x)"];
    let mut sections = fields.split("sdr type ").skip(1);
    for kind in TYPES {
        let section = sections.next().expect("a record of each type");
        for field in kind.fields() {
            let extension = kind.number == 2 && field.name == "init_hysteresis";
            assert!(extension || section.contains(&format!("\t{}\t", field.name)), "{} {}", kind.number, field.name);
            if let Kind::Unsigned(list) = field.kind {
                for (name, _) in list.iter().filter(|(name, _)| !own.contains(name)) {
                    assert!(names.contains(&format!("\t{name}\n")), "{name}");
                }
            }
        }
    }
}

/// Pseudo-random numbers, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    fn number(&mut self, least: i64, largest: i64) -> String {
        let value = least + self.below((largest - least + 1) as usize) as i64;
        match self.below(6) {
            0 if value >= 0 => format!("{value:#x}"),
            1 if value >= 0 => format!("0{value:o}"),
            2 => format!("{} + {}", value - 7, 7),
            3 => format!("{}\t-  {} ignored", value + 3, 3),
            _ => value.to_string(),
        }
    }

    fn name(&mut self) -> String {
        // Without what the original has wrong in six bits, and within its 63 characters.
        let alphabet =
            self.pick(&["0123456789 -.:,_", "ABCXYZ019 !\"#$%()*+,-./:;<=>?[\\]^_", "abcxyzABC 019'\"`{|}~", "x"]);
        let letters: Vec<char> = alphabet.chars().collect();
        let length = self.below(20);
        let text: String = (0..length).map(|_| letters[self.below(letters.len())]).collect();
        match (text.contains('"'), text.contains('\'')) {
            (false, _) => format!("\"{text}\""),
            (true, false) => format!("'{text}'"),
            (true, true) => format!("\"{}\"", text.replace('"', "\"'\"'\"")),
        }
    }

    fn value(&mut self, kind: &RecordType, field: &Field) -> String {
        let largest = |width: u8| (1i64 << width) - 1;
        match field.kind {
            Kind::Unsigned(names) => {
                let usable: Vec<&str> = names
                    .iter()
                    .map(|(name, _)| *name)
                    .filter(|name| !matches!(*name, "sqr(x)" | "cube(x)" | "sqrt(x)" | "cube-1(x)"))
                    // The original has no names for the units of compact records.
                    .filter(|_| kind.number != 2 || !matches!(field.name, "base_unit" | "modifier_unit_code"))
                    .collect();
                // The original keeps four of these eight bits, in the wrong place.
                if kind.number == 9 && field.name == "container_entity_inst" {
                    return "0".to_owned();
                }
                if usable.is_empty() || self.below(2) == 0 {
                    self.number(0, largest(field.place.width()))
                } else {
                    self.pick(&usable).to_owned()
                }
            }
            Kind::Signed => self.number(-8, 7),
            Kind::Split(_) | Kind::SplitEither(_) => self.number(-512, 511),
            Kind::Flag => self.pick(&["true", "FALSE", "on", "Off", "yes", "no", "1", "0"]).to_owned(),
            Kind::Reading | Kind::Difference => unreachable!("written with the factors"),
        }
    }

    /// A source that the original compiles.
    fn source(&mut self) -> String {
        let mut out = String::from("define V \"7\"\n# random\n\n");
        for _ in 0..=self.below(8) {
            let kind = &TYPES[self.below(TYPES.len())];
            let mut lines = Vec::new();
            let factors = ["m", "b", "r_exp", "b_exp"];
            for field in kind.fields() {
                let real = matches!(field.kind, Kind::Reading | Kind::Difference);
                let extension = kind.number == 2 && field.name == "init_hysteresis";
                if real || extension || factors.contains(&field.name) || (!field.required && self.below(3) != 0) {
                    continue;
                }
                lines.push(format!("\t{}\t{}", field.name, self.value(kind, field)));
            }
            if kind.named {
                lines.push(format!("\tid_string\t{}", self.name()));
            }
            // Any order; but readings come behind the factors.
            for at in (1..lines.len()).rev() {
                lines.swap(at, self.below(at + 1));
            }
            if kind.number == 1 {
                self.readings(&mut lines, kind);
            }
            let _ = writeln!(out, "sdr type {}\n{}\n  # end\nendsdr", kind.number, lines.join("\n"));
        }
        out
    }

    /// Factors, and readings whose raw forms are from 0 to 255.
    fn readings(&mut self, lines: &mut Vec<String>, kind: &RecordType) {
        let m = [1, 2, 3, 7, 100, 300, 511, -1, -4, -512][self.below(10)];
        let b = self.below(1024) as i32 - 512;
        let (r_exp, b_exp) = (self.below(16) as i32 - 8, self.below(16) as i32 - 8);
        lines.extend([format!("m {m}"), format!("b {b}"), format!("r_exp {r_exp}"), format!("b_exp {b_exp}")]);
        for field in kind.fields() {
            let offset = match field.kind {
                Kind::Reading => f64::from(b) * 10f64.powi(b_exp),
                Kind::Difference => 0.0,
                _ => continue,
            };
            if self.below(2) == 0 {
                let raw = self.below(255) as f64 + self.below(100) as f64 / 100.0;
                let value = (raw * f64::from(m) + offset) * 10f64.powi(r_exp);
                lines.push(if self.below(2) == 0 {
                    format!("\t{}\t{value}", field.name)
                } else {
                    format!("\t{}\t{value:e} ignored", field.name)
                });
            }
        }
    }
}

#[test]
fn random_sources_are_compiled_as_by_the_original() {
    let rounds = std::env::var("SDRCOMP_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(60);
    let bench = Bench::new();
    let mut compiled = 0;
    for seed in 0..rounds {
        let source = Dice(seed).source();
        bench.write("random.sdrs", &source);
        println!("seed {seed}\n{source}");
        compiled += u64::from(same(bench.folder(), &["random.sdrs"]));
    }
    // A reading at the edge may be out of the range after all, in both.
    assert!(compiled * 10 >= rounds * 8, "{compiled} of {rounds}");
}

/// Broken sources: the same line is at fault, and nothing crashes where the original does.
#[test]
fn faults_are_found_in_the_line_where_the_original_finds_them() {
    let bench = Bench::new();
    let valid = fs::read_to_string(project("tests/data/sdrs/every_field.sdrs")).expect("a source");
    let lines: Vec<&str> = valid.lines().collect();
    let mut dice = Dice(11);
    for _ in 0..120 {
        let at = dice.below(lines.len());
        let mut broken: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let word = dice.pick(&["", "x", "1 +", "1 1", "99999", "\"", "'a", "1.5", "-600"]);
        match dice.below(3) {
            0 => broken[at] = broken[at].split_once('\t').map_or(String::new(), |(_, rest)| rest.to_owned()),
            1 => {
                broken[at] =
                    format!("{}\t{word}", broken[at].trim_end().rsplit_once('\t').map_or("", |(line, _)| line));
            }
            _ => broken
                .insert(at, (*dice.pick(&["sdr type 1", "endsdr", "nothing 1", "define", "include \"no\""])).into()),
        }
        bench.write("broken.sdrs", broken.join("\n"));
        let theirs = run(Subject::Original, bench.folder(), &["-r", "broken.sdrs"]);
        let ours = run(Subject::Ours, bench.folder(), &["-r", "broken.sdrs"]);
        let report = format!(
            "line {}\n{}\noriginal: {theirs:?}\nours: {}\n{}",
            at + 1,
            broken[at],
            ours.status,
            String::from_utf8_lossy(&ours.stderr)
        );
        assert!(ours.status.code().is_some_and(|code| code < 2), "{report}");
        match theirs.status.code() {
            Some(0) => assert_eq!(ours.stdout, theirs.stdout, "{report}"),
            Some(_) => assert_eq!(place(&ours).map(|(_, line)| line), place(&theirs).map(|(_, line)| line), "{report}"),
            None => assert_eq!(place(&ours).map(|(_, line)| line), Some(at as u32 + 1), "it crashed: {report}"),
        }
    }
}

/// A source, the first byte to look at, and what the original has there and we; `None`: an error.
type Row<'a> = (String, usize, Option<&'a [u8]>, Option<&'a [u8]>);

/// What the original has wrong, and what we print.
#[test]
fn what_the_original_has_wrong_is_right() {
    let bench = Bench::new();
    let association = "sdr type 9\ncontainer_entity_id 7\ncontainer_entity_inst 3\ncontainer_entity_dev_addr 0x20\n\
        container_entity_dev_chan 0\nentity_1_dev_addr 0x20\nentity_1_dev_chan 0\nentity_1_id 3\nentity_1_inst 1\nendsdr\n";
    let sensor = |lines: &str, name: &str| {
        format!(
            "sdr type 1\nsensor_owner_id 0x20\nchannel_number 0\nsensor_owner_lun 0\nsensor_number 1\nentity_id 7\n\
             entity_instance 1\nsensor_type 1\nevent_reading_type_code 1\n{lines}\nid_string \"{name}\"\nendsdr\n"
        )
    };
    let rows: &[Row<'_>] = &[
        (association.to_owned(), 6, Some(&[0x30]), Some(&[0x03])),
        (sensor("linearization sqr(x)", "a"), 23, Some(&[9]), Some(&[8])),
        (sensor("linearization cube-1(x)", "a"), 23, Some(&[12]), Some(&[11])),
        (sensor("", "A&B"), 47, Some(&[0x83, 0x21, 0x28, 0x02]), Some(&[0x83, 0xa1, 0x21, 0x02])),
        (sensor("", "A@B"), 47, Some(b"\xc3A@B"), Some(&[0x83, 0x21, 0x28, 0x02])),
        (sensor("", "\u{e9}"), 47, None, Some(&[0xc2, 0xc3, 0xa9])),
        (sensor("m 512", "a"), 24, Some(&[0x00, 0x80]), None),
        (sensor("m -513", "a"), 24, Some(&[0xff, 0x40]), None),
        (sensor("accuracy 600", "a"), 27, None, Some(&[0x18, 0x90])),
        (sensor("oem 0x100000001", "a"), 46, Some(&[1]), None),
        (sensor("normal_fmaximum nan", "a"), 32, Some(&[0]), None),
        (sensor("base_unit", "a"), 21, None, None),
        (sensor("base_unit $NOPE", "a"), 21, None, None),
        (sensor("base_unit Volts", "a").replace("type 1", "type 2"), 21, None, Some(&[4])),
        (sensor("init_hysteresis 1", "a").replace("type 1", "type 2"), 10, None, Some(&[8])),
        (sensor("", "a").replace('\n', "\r\n"), 47, None, Some(b"\xc2a\0")),
        (sensor(&format!("# {}", "x".repeat(300)), "a"), 47, None, Some(b"\xc2a\0")),
    ];
    for (source, at, theirs, ours) in rows {
        bench.write("s.sdrs", source);
        for (subject, expected) in [(Subject::Original, theirs), (Subject::Ours, ours)] {
            let output = run(subject, bench.folder(), &["-r", "s.sdrs"]);
            let report = format!("{subject:?}\n{source}\n{output:x?}");
            match expected {
                Some(bytes) => assert_eq!(output.stdout.get(*at..at + bytes.len()), Some(*bytes), "{report}"),
                None => assert!(!output.status.success(), "{report}"),
            }
        }
        let ours = run(Subject::Ours, bench.folder(), &["-r", "s.sdrs"]);
        assert!(ours.status.code().is_some(), "it crashed on\n{source}");
    }
}

#[test]
fn files_options_and_exit_status_are_those_of_the_original() {
    let bench = Bench::new();
    bench.write(
        "ok.sdrs",
        "sdr type 8\ncontainer_entity_id 7\ncontainer_entity_inst 1\nentity_1_id 3\nentity_1_inst 2\nendsdr\n",
    );
    bench.write("bad.sdrs", "sdr type 8\nnothing\nendsdr\n");
    bench.write("empty.sdrs", "");
    for subject in [Subject::Original, Subject::Ours] {
        let run = |arguments: &[&str]| run(subject, bench.folder(), arguments);
        let words = |arguments: &[&str], text: &str| {
            let output = run(arguments);
            assert_eq!(output.status.code(), Some(1), "{subject:?} {arguments:?}");
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(error.starts_with(text), "{subject:?} {arguments:?}: {error}");
            assert_eq!(output.stdout, b"", "{subject:?} {arguments:?}");
        };
        words(&[], "No input file given\n");
        words(&["-r"], "No input file given\n");
        words(&["-o"], "No value supplied for -o\n");
        words(&["-r", "-I"], "No value supplied for -I\n");
        words(&["-r8", "ok.sdrs"], "Invalid option: -r8\n");
        words(&["-x", "ok.sdrs"], "Invalid option: -x\n");
        words(&["-", "ok.sdrs"], "Invalid option: -\n");
        words(&["ok.sdrs", "-r"], "Extra arguments at end: -r\n");
        words(&["nope.sdrs"], "Unable to open input file nope.sdrs");
        words(&["-o", "no/x", "ok.sdrs"], "Unable to open output file no/x: No such file or directory\n");

        let output = run(&["-r", "-o", "out", "ok.sdrs"]);
        assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
        assert_eq!(bench.read_bytes("out")[..5], [1, 0, 0x51, 8, 11]);
        let output = run(&["-r", "-o", "out", "bad.sdrs"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(!bench.path("out").exists(), "{subject:?}: an old result stayed");
        let output = run(&["empty.sdrs"]);
        assert_eq!(timeless(&output), "last_add_time:i:NOW\n");
    }
    let help = run(Subject::Ours, bench.folder(), &["--help"]);
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("-I DIR"));
    assert_eq!(help.stdout, run(Subject::Ours, bench.folder(), &["-h"]).stdout);
    let version = run(Subject::Ours, bench.folder(), &["--version"]);
    assert_eq!(String::from_utf8_lossy(&version.stdout), format!("sdrcomp {}\n", env!("CARGO_PKG_VERSION")));
    bench.write("-r", "");
    assert!(run(Subject::Ours, bench.folder(), &["--", "-r"]).status.success());
    // A device that is named as the output is not a file to remove.
    run(Subject::Ours, bench.folder(), &["-o", "/dev/null", "bad.sdrs"]);
    assert!(Path::new("/dev/null").exists());
}

#[test]
fn every_error_is_told_with_file_line_and_column() {
    let bench = Bench::new();
    bench.write("a.sdrs", "include \"b.inc\"\nsdr type 8\n\tentity_1_idd 3\n\tentity_1_inst 300\nendsdr\n");
    bench.write("b.inc", "what\n");
    let output = run(Subject::Ours, bench.folder(), &["a.sdrs"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    for place in ["b.inc:1:1: error: ", "a.sdrs:3:2: error: ", "a.sdrs:4:16: error: ", "a.sdrs:5:1: error: "] {
        assert!(text.contains(place), "{place} in\n{text}");
    }
    assert!(text.contains("did you mean 'entity_1_id'?"), "{text}");
}

#[test]
fn records_become_source_text_that_makes_the_same_records() {
    let bench = Bench::new();
    let folder = project("tests/data/sdrs");
    for (source, more) in
        [("every_field.sdrs", None), ("every_name.sdrs", None), ("language.sdrs", Some(["-I", "more"]))]
    {
        for packing in [None, Some("-8")] {
            let out = bench.path("records");
            let out = out.to_str().expect("a path");
            for form in [Some("-r"), None] {
                let mut arguments: Vec<&str> =
                    packing.into_iter().chain(form).chain(more.into_iter().flatten()).collect();
                arguments.extend(["-o", out, source]);
                assert!(run(Subject::Ours, &folder, &arguments).status.success(), "{arguments:?}");
                let text = run(Subject::Ours, bench.folder(), &["-d", "records"]);
                assert!(text.status.success() && text.stderr.is_empty(), "{text:?}");
                bench.write("again.sdrs", &text.stdout);
                let mut arguments = vec!["-r"];
                arguments.extend(packing);
                let again = run(Subject::Ours, bench.folder(), &[&arguments[..], &["again.sdrs"]].concat());
                let mut direct: Vec<&str> = vec!["-r"];
                direct.extend(packing.into_iter().chain(more.into_iter().flatten()).chain([source]));
                let direct = run(Subject::Ours, &folder, &direct);
                assert_eq!(again.stdout, direct.stdout, "{source} {packing:?} {form:?}");
            }
        }
    }
}

#[test]
fn collected_sources_are_compiled_as_by_the_original() {
    let Some(wild) = collection("wild") else { return };
    let mut sources = Vec::new();
    let mut folders = vec![wild];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "sdrs") {
                sources.push(entry);
            }
        }
    }
    sources.sort();
    assert!(sources.len() >= 20, "{sources:?}");
    let (mut compiled, mut templates) = (0, 0);
    for source in &sources {
        let folder = source.parent().expect("a folder");
        let name = source.file_name().and_then(|name| name.to_str()).expect("a name");
        println!("{}", source.display());
        if same(folder, &[name]) {
            compiled += 1;
            continue;
        }
        // Most of the others are to be included by somebody who has defined what they use.
        let text = String::from_utf8_lossy(&fs::read(source).expect("a source")).into_owned();
        let bench = Bench::new();
        let mut main = String::new();
        for variable in text.split('$').skip(1).map(|rest| rest.split([' ', '\t', '\n', '\r', '"', '\'', '$']).next()) {
            let _ = writeln!(main, "define {} \"3\"", variable.unwrap_or_default());
        }
        let _ = writeln!(main, "include \"{name}\"");
        bench.write("wrapper.sdrs", main);
        templates += usize::from(same(bench.folder(), &["-I", folder.to_str().expect("a path"), "wrapper.sdrs"]));
    }
    println!("{compiled} compiled, {templates} as templates, of {}", sources.len());
    assert!(compiled >= 5 && templates >= 9, "{compiled} and {templates}");
}

/// The way from a source to what a client sees.
#[test]
fn a_compiled_file_is_what_a_client_lists() {
    let source = "define BMC \"0x20\"\n\
        sdr type 18\ndevice_slave_address $BMC\ndevice_channel_number 0\nchassis true\nfru_inventory true\nsel true\nsdr true\n\
        sensor true\nentity_id system_board\nentity_instance 1\nid_string \"Own BMC\"\nendsdr\n\
        sdr type 1\nsensor_owner_id $BMC\nchannel_number 0\nsensor_owner_lun 0\nsensor_number 1\nentity_id processor\n\
        entity_instance 1\ninit_scanning true\ninit_events true\ninit_sensor_type true\ndefault_sensor_scan_on true\n\
        sensor_type Temperature\nevent_reading_type_code 1\nbase_unit degrees_C\nm 5\nb -4\nr_exp -1\nb_exp 1\n\
        nominal_specified yes\nnominal_freading 40\nunc_thrsh_readable 1\nunc_fthresh 70\nsensor_maximum 255\n\
        id_string \"Own Temp\"\nendsdr\n\
        sdr type 17\ndevice_access_address $BMC\nfru_device_address 0\nlogical_fru true\ndevice_type 0x10\n\
        device_type_modifier 0\nfru_entity_id memory_module\nfru_entity_instance 2\nid_string \"Own FRU\"\nendsdr\n";
    let mut listings = Vec::new();
    for compiler in [Subject::Original, Subject::Ours] {
        let bench = Bench::new();
        let port = free_port();
        bench.write("lan.conf", small_lan_conf(port, ""));
        bench.write(
            "sim.emu",
            "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nsel_enable 0x20 100 0x0a\n\
             sensor_add 0x20 0 1 1 1\nsensor_set_value 0x20 0 1 100 0\nmc_enable 0x20\n",
        );
        bench.write("own.sdrs", source);
        let name = bench.read("lan.conf");
        let name =
            name.lines().find_map(|line| line.trim().strip_prefix("name ")).expect("a name").trim().trim_matches('"');
        let out = format!("state/ipmi_sim/{name}/sdr.20.main");
        bench.write(&out, "");
        let output = run(compiler, bench.folder(), &["-8", "-o", &out, "own.sdrs"]);
        assert!(output.status.success(), "{output:?}");
        let _simulator = Simulator::start_default(Subject::under_test(), &bench, port);
        let list = Ipmitool::new(port, "admin", "admin").ok("sdr elist all");
        list.assert_says("Own BMC | 00h | ok | 7.1 | Dynamic MC @ 20h");
        // 100 is (5 * 100 - 4 * 10) / 10.
        list.assert_says("Own Temp | 01h | ok | 3.1 | 46 degrees C");
        list.assert_says("Own FRU | 00h | ns | 8.2 | Logical FRU @00h");
        listings.push(list.stdout);
    }
    assert_eq!(listings[0], listings[1]);
}
