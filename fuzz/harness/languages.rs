//! The grammars: lan.conf, the command language, state files.

use std::collections::BTreeMap;

use ipmi_sim::config::command::{Command, Instruction, Variables, statements};
use ipmi_sim::config::{Diagnostic, lan_conf as language};
use ipmi_sim::sdrcomp::compile::compile;
use ipmi_sim::sdrcomp::decompile::decompile;
use ipmi_sim::sdrcomp::id_string::Packing;
use ipmi_sim::sim::{Persistence, Simulator};
use ipmi_sim::store::format;

use super::client::use_every_file;
use super::input::FuzzData;
use super::rig::{Dice, Rig, START};

/// A finding can be printed and points into the line it quotes.
fn check(finding: &Diagnostic) {
    assert!(!finding.to_string().is_empty());
}

/// lan.conf: read, and a simulator made of what it says.
pub fn lan_conf(text: &[u8]) {
    let (config, findings) = language::parse("lan.conf", text);
    findings.iter().for_each(check);
    let Some(config) = config else {
        assert!(!findings.is_empty(), "refused without a reason");
        return;
    };
    let simulator = Simulator::new(config, BTreeMap::new(), Persistence::On, Box::new(Dice(1)));
    let mut rig = Rig::of(simulator, START);
    rig.begin();
    rig.run_script(b"mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 1 1 1 1 1 1\nmc_enable 0x20\n");
    rig.age(20);
}

/// A command file: read, and carried out by a simulator.
pub fn command(text: &[u8]) {
    let mut variables = Variables::new();
    for statement in statements("sim.emu", text) {
        match statement.resolve(&variables) {
            Ok(Some(Instruction::System(Command::Define { name, value }))) => drop(variables.insert(name, value)),
            Ok(_) => {}
            Err(finding) => check(&finding),
        }
    }
    let mut rig = Rig::configured(0, BTreeMap::new());
    rig.begin();
    rig.run_script(text);
    rig.finish_jobs(&[0, 1, 2, 3]);
    rig.age(20);
}

/// The names a state directory of the configurations can have.
pub const STATE_FILES: [&str; 12] = [
    "users.mc20",
    "sol.mc20",
    "sel.20",
    "sdr.20.main",
    "lanparm.mc20.1",
    "guids",
    "sel.30",
    "sdr.30.main",
    "users.mc30",
    "sol.mc30",
    "lanparm.mc30.1",
    "lanparm.mc20.2",
];

/// A whole state directory: first what [`Items`] makes of each file, then a simulator that
/// starts with them, is used, saves everything, and starts again.
pub fn state(data: &[u8]) {
    let mut input = FuzzData::new(data);
    let mut files = BTreeMap::new();
    while !input.is_empty() {
        let name = STATE_FILES[usize::from(input.byte()) % STATE_FILES.len()];
        let count = usize::from(input.byte()) * 16 + 15;
        let content = input.take(count);
        let (items, _) = format::parse(content);
        let written = items.emit();
        assert_eq!(format::parse(&written), (items, vec![]), "what is written reads as it was");
        files.insert(name.to_owned(), content.to_vec());
    }
    let mut rig = Rig::configured(0, files);
    rig.start();
    use_every_file(&mut rig);
    rig.start_again();
}

/// The SDR compiler, when the first byte is even: what it made is read back, and makes the same
/// again. Else the way back, from any bytes.
pub fn sdrs(data: &[u8]) {
    let mut input = FuzzData::new(data);
    let how = input.byte();
    let packing = if how & 2 == 0 { Packing::EightBit } else { Packing::Compact };
    let build = |text: &[u8]| compile("a.sdrs", text, packing, &mut |_| Err(std::io::ErrorKind::NotFound.into()));
    if how & 1 != 0 {
        let back = decompile(input.rest());
        build(&back.text).diagnostics.iter().for_each(check);
        return;
    }
    let built = build(input.rest());
    built.diagnostics.iter().for_each(check);
    if built.failed() {
        return;
    }
    let back = decompile(&built.records.concat());
    assert_eq!(back.error, None);
    let again = build(&back.text);
    assert!(!again.failed(), "{:?}", again.diagnostics);
    assert_eq!(again.records, built.records);
}
