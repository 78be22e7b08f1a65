//! Event logs that fill from a list: when records come, what becomes of them, and what is told of it.

use super::*;
use crate::bmc::watch::Event;
use crate::ipmi::McAddress;

/// Three records: an event of the BMC, one with a type of its own without time, one as `sel_add` has it.
const LIST: &str =
    "record 4 1 0x30 1 0x57 1 2 record 0xe0 1 2 3 4 5 6 7 8 9 10 11 12 13 record 2 0 0 0 0 0x20 0 4 7 0x31 0x6f 0 0 0";

fn filling(options: &str) -> Rig {
    let mut rig = Rig::new(CONF, EMU);
    rig.command(&format!("sel_fill 0x20 {options} {LIST}"));
    assert_eq!(rig.faults, Vec::<String>::new());
    rig
}

fn records(rig: &mut Rig) -> Vec<[u8; 16]> {
    rig.sim.machine_mut().controller(McAddress::BMC).unwrap().sel.records().copied().collect()
}

/// The time of each record that has one.
fn times(rig: &mut Rig) -> Vec<u32> {
    let time = |record: &[u8; 16]| u32::from_le_bytes([record[3], record[4], record[5], record[6]]);
    records(rig).iter().filter(|record| record[2] < 0xe0).map(time).collect()
}

fn shown(rig: &mut Rig, line: &str) -> String {
    rig.effects.clear();
    rig.command(line);
    let text = rig.effects.iter().find_map(|effect| match effect {
        Effect::Print { text, .. } => Some(text.clone()),
        _ => None,
    });
    text.unwrap_or_default()
}

#[test]
fn records_come_at_their_time_with_what_they_hold() {
    let mut rig = filling("every 1.5");
    let started = rig.now;
    rig.sim.watch();
    let filled: Vec<_> = std::iter::from_fn(|| {
        rig.now = rig.sim.deadline().filter(|due| *due < started + Duration::from_secs(10))?;
        rig.call(|sim, now, out| sim.handle(now, Input::Timeout, out));
        let added = |event: &Event| matches!(event, Event::RecordAdded { .. });
        Some((rig.now.since(started).as_millis(), rig.sim.take_events().iter().filter(|event| added(event)).count()))
    })
    .filter(|(_, added)| *added > 0)
    .collect();
    assert_eq!(filled, [(1500, 1), (3000, 1), (4500, 1)], "and told at their time");
    let all = records(&mut rig);
    assert_eq!(all[0][7..], [0x20, 0, 4, 1, 0x30, 1, 0x57, 1, 2], "an event of the BMC itself");
    assert_eq!(all[1][2..], [0xe0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    assert_eq!((all[2][2], &all[2][7..]), (2, &[0x20, 0, 4, 7, 0x31, 0x6f, 0, 0, 0][..]));
    assert_eq!(
        shown(&mut rig, "sel_fills"),
        "MC 0x20: 3 of 3 records came, 0 were lost to a full log; the last was that\n"
    );
}

#[test]
fn who_slept_adds_what_is_due_with_the_time_it_was_due() {
    let mut rig = filling("every 60 count 5 repeat");
    let before = rig.sim.machine_mut().controller(McAddress::BMC).unwrap().sel.time(rig.now);
    rig.now = rig.now + Duration::from_secs(250);
    rig.call(|sim, now, out| sim.handle(now, Input::Timeout, out));
    assert_eq!(records(&mut rig).len(), 4);
    assert_eq!(times(&mut rig), [60, 180, 240].map(|seconds| before + seconds));
    let text = shown(&mut rig, "sel_fills");
    assert_eq!(text, "MC 0x20: 4 of 5 records came, 0 were lost to a full log; the next in 50.000 s\n");
    assert_eq!(shown(&mut rig, "sel_fill 0x20 none") + &shown(&mut rig, "sel_fills"), "No event log fills\n");
    rig.wait(1000);
    assert_eq!(records(&mut rig).len(), 4);
}

#[test]
fn a_full_log_loses_them_and_says_so() {
    let mut rig = filling("every 1 repeat");
    rig.wait(150);
    let sel = &rig.sim.machine_mut().controller(McAddress::BMC).unwrap().sel;
    assert_eq!((sel.records().len(), sel.flags() & 0x80), (100, 0x80));
    let text = shown(&mut rig, "sel_fills");
    assert_eq!(text, "MC 0x20: 150 records came, 50 were lost to a full log; the next in 1.000 s\n");
}

#[test]
fn with_one_seed_they_come_at_the_same_times() {
    let run = |seed: u64| {
        let mut rig = Rig::new(CONF, EMU);
        rig.command(&format!("seed {seed}"));
        rig.command(&format!("sel_fill 0x20 every 1 jitter 20 repeat {LIST}"));
        rig.wait(300);
        times(&mut rig)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    assert!(run(1).len() > 10);
}

#[test]
fn what_cannot_be_filled_is_refused() {
    let mut rig = Rig::new(CONF, EMU);
    for (line, message) in [
        ("sel_fill 0x30 every 1 record 4 1 0x30 1 0x57 1 2", "Unable to fill sel, error 0x5f: operation not supported"),
        ("sel_fill 0x60 none", "Invalid MC address 0x60: neither mc_add nor lan.conf's set_working_mc names it"),
        ("sel_fill 0x20", "No time given: expected every SECONDS, or none"),
        (
            "sel_fill 0x20 every 0 record 4 1 0x30 1 0x57 1 2",
            "Invalid every given: found '0', expected seconds from 0.001 on",
        ),
        ("sel_fill 0x20 every 1", "No list given: expected file \"FILE\", or record BYTE..."),
        ("sel_fill 0x20 repeat record 4 1 0x30 1 0x57 1 2", "No time given: expected every SECONDS"),
        ("sel_fill 0x20 every 1 record 4 1", "a record of 2 bytes, expected 7, 13, 14 or 16"),
        ("sel_fill 0x20 every 1 every 2", "every is given twice"),
        (
            "sel_fill 0x20 evry 1",
            "Unknown option: 'evry', expected every, jitter, count, repeat, file, record; did you mean 'every'?",
        ),
        ("sel_fill 0x20 every 1 record 4 1 0x30 1 0x57 1 2 file \"x\"", "file is given beside record"),
        ("sel_fill 0x20 every 1 file \"x\" repeat", "file comes last: the other options stand before it"),
        ("sel_fill 0x20 every 1 record 4 $none", "there is no variable 'none'"),
    ] {
        rig.faults.clear();
        rig.command(line);
        assert_eq!(rig.faults, [message], "{line}");
    }
    assert_eq!(rig.sim.deadline(), None);
}
