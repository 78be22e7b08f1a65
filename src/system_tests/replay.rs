//! The original's recorded Sensor/Event and Storage exchanges, executed on controllers set up by the recordings' own command files.
//!
//! Every answer is the recorded one, or its row is named in `tests/data/raw/NAME.differs`
//! with a reason, and with our answer where it is behind `ours: `; rows marked `last` are sent
//! after all others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::world::World;
use crate::config::command::statements;
use crate::ipmi::{McAddress, netfn};

fn unhex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("a hex byte")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// Whether a response is the recorded one, but for the bits its remarks leave open.
fn same(want: &[u8], got: &[u8], remarks: &str) -> bool {
    let Some((_, mask)) = remarks.split_once("#volatile=") else { return want == got };
    let mask = mask.split_whitespace().next().unwrap_or_default();
    let bits: Vec<u8> = (0..mask.trim_end_matches('*').len() / 2)
        .map(|at| u8::from_str_radix(&mask[2 * at..2 * at + 2], 16).expect("a mask"))
        .collect();
    let compared = if mask.ends_with('*') { bits.len() } else { want.len().max(got.len()) };
    (0..compared).all(|at| match (want.get(at), got.get(at)) {
        (Some(want), Some(got)) => (want ^ got) & !bits.get(at).copied().unwrap_or(0) == 0,
        _ => false,
    })
}

/// Replays the rows that are for these network functions.
fn replay(recording: &str, differs: &str, command_file: &str, netfns: &[u8]) -> usize {
    let mut known: BTreeMap<usize, Option<&str>> = BTreeMap::new();
    let mut sent_last = BTreeSet::new();
    for line in differs.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let mut columns = line.splitn(3, '\t');
        let row = columns.next().and_then(|row| row.parse().ok()).expect("a row number");
        if columns.next().expect("a test").starts_with("last ") {
            sent_last.insert(row);
        }
        known.insert(row, columns.next().expect("a reason").split_once("ours: ").map(|(_, ours)| ours));
    }
    let mut world = World::new(command_file);
    world.started();
    let mut complaints = String::new();
    let mut sent = 0;
    let (last, in_order): (Vec<_>, Vec<_>) =
        (1..).zip(recording.lines()).partition(|(number, _)| sent_last.contains(number));
    for (number, line) in in_order.into_iter().chain(last) {
        if line.starts_with("!sleep") || line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if let Some(command) = line.strip_prefix("!console ") {
            for statement in statements("console", command.as_bytes()) {
                world.run(&statement);
            }
            continue;
        }
        let mut columns = line.splitn(3, '\t');
        let (text, want) = (columns.next().unwrap_or_default(), columns.next().unwrap_or_default());
        let remarks = columns.next().unwrap_or_default();
        let (address, bytes) = match text.strip_prefix('@').and_then(|text| text.split_once(' ')) {
            Some((address, bytes)) => (address, unhex(bytes)),
            None => ("20", unhex(text)),
        };
        let (mc, lun) = address.split_once('.').unwrap_or((address, "0"));
        let (mc, lun) = (u8::from_str_radix(mc, 16).expect("an address"), lun.parse().expect("a LUN"));
        // No answer, refused Send Messages and LUN 2 are for whoever routes messages,
        // privileges (D4h) for whoever has sessions.
        let elsewhere = want == "d4" || want == "-" || want.starts_with("SEND");
        if !netfns.contains(&bytes[0]) || lun == 2 || elsewhere || world.machine().controller(McAddress(mc)).is_none() {
            known.remove(&number);
            continue;
        }
        sent += 1;
        let response = world.ask(McAddress(mc), lun, bytes[0], bytes[1], &bytes[2..]);
        let got = hex(response.bytes());
        match (same(&unhex(want), response.bytes(), remarks), known.remove(&number)) {
            (true, None) => {}
            (true, Some(_)) => writeln!(complaints, "row {number} no longer differs").unwrap(),
            (false, Some(ours)) if ours.is_none_or(|ours| ours == got) => {}
            (false, _) => {
                writeln!(complaints, "row {number}: {text}\n   want {want}\n   got  {got}").unwrap();
            }
        }
    }
    for row in known.into_keys() {
        writeln!(complaints, "row {row} is not in the recording").unwrap();
    }
    assert!(complaints.is_empty(), "\n{complaints}");
    sent
}

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/raw/", $name))
    };
}

#[test]
fn storage_recording() {
    let netfns = [netfn::SENSOR_EVENT, netfn::STORAGE];
    let recording = data!("storage-HEAD.tsv");
    let sent = replay(recording, data!("storage-HEAD.differs"), data!("cfg/storage.emu"), &netfns);
    assert!(sent > 1150, "only {sent} rows were sent");
}

/// The OEM commands are among them because setting the power level logs events.
#[test]
fn core_recording() {
    let netfns = [netfn::SENSOR_EVENT, netfn::STORAGE, netfn::OEM];
    let sent = replay(data!("core-HEAD.tsv"), data!("core-HEAD.differs"), data!("cfg/base.emu"), &netfns);
    assert!(sent > 1000, "only {sent} rows were sent");
}
