//! Typical mistakes in lan.conf and in command files, each with the words that `--check` has for it.
//!
//! They are in `tests/data/mistakes.txt`: what is changed in two good files, and every line that is said,
//! without the lines of the file that are shown. To write anew what is said, for reading it through:
//!
//! ```text
//! IPMI_SIM_WRITE=1 cargo test --test mistakes
//! ```

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use support::bench::project;
use support::machine;
use support::simulator::TIMEOUT;
use support::{Bench, Simulator, Stdin, Subject};

const DATA: &str = "tests/data/mistakes.txt";

const LAN_CONF: &str = "name \"bmc\"
set_working_mc 0x20
startlan 1
  addr 127.0.0.1 9623
  priv_limit admin
  allowed_auths_admin md5
  guid a123456789abcdefa123456789abcdef
endlan
user 2 true \"admin\" \"secret\" admin 10
";

const COMMANDS: &str = "mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02
sel_enable 0x20 1000 0x0a
sensor_add 0x20 0 1 0x01 0x01
sensor_set_threshold 0x20 0 1 settable 111000 0xa0 0x90 0x70 0 0 0
mc_enable 0x20
";

/// One mistake: a title, changes of the files, the exit status and what is said.
#[derive(Debug, Default)]
struct Mistake {
    title: String,
    /// Lines `conf OLD => NEW` and `emu OLD => NEW`.
    changes: Vec<String>,
    status: String,
    said: Vec<String>,
}

fn mistakes() -> Vec<Mistake> {
    let text = fs::read_to_string(project(DATA)).expect("the mistakes");
    let mut list: Vec<Mistake> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(title) = line.strip_prefix("= ") {
            list.push(Mistake { title: title.into(), ..Mistake::default() });
            continue;
        }
        let mistake = list.last_mut().expect("a title first");
        match line.split_once(' ') {
            Some(("conf" | "emu", _)) => mistake.changes.push(line.into()),
            Some(("exit", status)) => mistake.status = status.into(),
            Some(("|", said)) => mistake.said.push(said.into()),
            _ => panic!("what is `{line}`?"),
        }
    }
    list
}

/// Makes the mistake, checks, and says what came of it.
fn check(mistake: &Mistake) -> (String, Vec<String>, String) {
    let bench = Bench::new();
    let (mut conf, mut emu) = (LAN_CONF.to_owned(), COMMANDS.to_owned());
    for change in &mistake.changes {
        let (file, change) = change.split_once(' ').expect("a file and a change");
        let text = if file == "conf" { &mut conf } else { &mut emu };
        let (old, new) = change.split_once(" =>").expect("old => new");
        let new = new.strip_prefix(' ').unwrap_or(new).replace("\\n", "\n").replace("\\t", "\t");
        match old {
            // At the end.
            "+" => *text += &format!("{new}\n"),
            old => {
                assert!(text.contains(old), "{}: there is no `{old}`", mistake.title);
                *text = text.replacen(old, &new, 1);
            }
        }
    }
    bench.write("lan.conf", conf);
    bench.write("sim.emu", emu);
    bench.write("not-executable.sh", "#!/bin/sh\n");
    bench.write("loop.emu", "include \"loop.emu\"\n");
    bench.write("short.bin", "1234");
    let arguments = ["--check", "-p", "-c", "lan.conf", "-f", "sim.emu"];
    let mut simulator = Simulator::spawn(Subject::Ours, &bench, &arguments, Stdin::Null);
    let status = simulator.wait(TIMEOUT).expect("an end").code().unwrap_or(-1);
    let shown = |line: &&str| {
        !line
            .split_once(" |")
            .is_some_and(|(number, _)| number.trim().parse::<u32>().is_ok() || number.trim().is_empty())
    };
    // What an ordinary user lacks is no mistake.
    let text = simulator.stderr.text();
    let said = text.lines().filter(shown).filter(|line| !machine::needs_root(line)).map(str::to_owned).collect();
    (status.to_string(), said, simulator.stdout.text())
}

#[test]
fn typical_mistakes_are_told_in_these_words() {
    let mistakes = mistakes();
    let write = std::env::var_os("IPMI_SIM_WRITE").is_some();
    let text = fs::read_to_string(project(DATA)).expect("the mistakes");
    let mut out: String = text.lines().take_while(|line| line.starts_with('#')).flat_map(|line| [line, "\n"]).collect();
    let mut wrong = String::new();
    for mistake in &mistakes {
        let (status, said, shown) = check(mistake);
        // What is served is said of everything that starts as it is.
        assert_eq!(status == "0", shown.contains("State: not kept"), "{}: {shown}", mistake.title);
        if (&status, &said) != (&mistake.status, &mistake.said) {
            let _ = writeln!(wrong, "{}: exit {status}\n{}", mistake.title, said.join("\n"));
        }
        let _ = writeln!(out, "\n= {}\n{}\nexit {status}", mistake.title, mistake.changes.join("\n"));
        said.iter().for_each(|line| out += &format!("| {line}\n"));
    }
    if write {
        fs::write(project(DATA), out).expect("written");
        return;
    }
    assert_eq!(wrong, "", "what is said differs from {DATA}");
    let silent = mistakes.iter().filter(|mistake| mistake.said.is_empty()).map(|mistake| &*mistake.title);
    assert_eq!(silent.collect::<Vec<_>>(), ["no mistake", "a console on the number of the LAN port"]);
    assert!(mistakes.len() >= 50, "{} mistakes", mistakes.len());
}

/// Every name below a folder with its content.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => all.extend(tree(&path)),
            path => drop(all.insert(path.clone(), fs::read(path).expect("a file"))),
        }
    }
    all
}

#[test]
fn damage_in_the_state_folder_is_told_and_left_as_it_is() {
    let bench = Bench::new();
    bench.write("lan.conf", LAN_CONF);
    bench.write("sim.emu", COMMANDS.replace("0xf02", "0xf02 persist_sdr"));
    let check = |more: &[&str]| {
        let arguments = [&["--check", "-c", "lan.conf", "-f", "sim.emu"], more].concat();
        let mut simulator = Simulator::spawn(Subject::Ours, &bench, &arguments, Stdin::Null);
        assert_eq!(simulator.wait(TIMEOUT).expect("an end").code(), Some(0), "{}", simulator.report());
        (simulator.stdout.text(), simulator.stderr.text())
    };
    // Nothing is there, and nothing is made.
    let (stdout, stderr) = check(&["-s", "state"]);
    assert_eq!(stderr, "");
    assert!(stdout.contains("user admin can log in") && stdout.contains("State: state/ipmi_sim/bmc\n"), "{stdout}");
    assert!(!bench.path("state").exists());

    let folder = "state/ipmi_sim/bmc";
    fs::create_dir_all(bench.path(folder)).expect("a folder");
    let put = |name: &str, text: &str| drop(bench.write(&format!("{folder}/{name}"), text));
    put("users.mc20", "2.valid:i:1\n2.username:d:admin\n2.privilege:i:4\nnonsense\n");
    put("sel.20", "5:d:short\nlast_add_time:i:x\n1:d:0123456789abcdef\n");
    put("sdr.20.main", "hello\n");
    put("sol.mc20", "");
    put("lanparm.mc20.1.tmp", "half");
    let before = tree(&bench.path("state"));
    let (stdout, stderr) = check(&["-s", "state"]);
    let said = [
        "lanparm.mc20.1.tmp: warning: left over from a write of lanparm.mc20.1 that did not finish; a start removes it",
        "sdr.20.main: warning: no line of it belongs in sdr.20.main; a start sets it aside",
        "sel.20: warning: lines of it cannot be read; what is there is used",
        "sol.mc20: warning: there is nothing in it; a start sets it aside",
        "users.mc20: warning: records of users are damaged; what is there is used",
        "users.mc20:4:9: warning: line left out, expected a colon",
        "users.mc20:1: warning: the record of user 2 is damaged (passwd is missing): the user stays closed until its \
         password is set and it is enabled, or the file is mended or removed",
        "sel.20:2:17: warning: line left out, expected a number and nothing behind it",
        "sel.20: warning: Got invalid SEL entry for 20, name is 5",
    ];
    let said: String = said.iter().map(|line| format!("{folder}/{line}\n")).collect();
    let shown = stderr.find("lan.conf:").map_or(&*stderr, |end| &stderr[..end]);
    assert_eq!(shown, said);
    // What is served is what a start with these files serves.
    assert!(stderr.contains("warning: nobody can log in on LAN channel 1"), "{stderr}");
    assert!(!stdout.contains("user admin"), "{stdout}");
    assert_eq!(tree(&bench.path("state")), before);
    // Who keeps no state is not told of it.
    assert_eq!(check(&["-s", "state", "-p"]).1, "");
}
