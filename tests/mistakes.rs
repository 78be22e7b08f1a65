//! Typical mistakes in lan.conf and in command files, each with the words that `--check` has for it.
//!
//! They are in `tests/data/mistakes.txt`: what is changed in two good files, and every line that is said,
//! without the lines of the file that are shown. To write anew what is said, for reading it through:
//!
//! ```text
//! IPMI_SIM_WRITE=1 cargo test --test mistakes
//! ```

mod support;

use std::fmt::Write as _;
use std::fs;

use support::bench::project;
use support::machine;
use support::simulator::PATIENCE;
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
    let status = simulator.wait(PATIENCE).expect("an end").code().unwrap_or(-1);
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
