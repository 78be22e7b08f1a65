//! Where our Storage commands differ from the original on purpose, and what the recordings
//! do not reach.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::World;
use crate::bmc::StateFile;
use crate::command::testing::{BMC, LAN, SYSTEM};
use crate::ipmi::netfn::{SENSOR_EVENT, STORAGE};
use crate::ipmi::{McAddress, Moment, Origin, SessionRef};
use crate::lan::testing::Dice;
use crate::runtime::script::Folders;
use crate::runtime::statement::execute;
use crate::settings::model::{Config, ControllerConfig};
use crate::sim::{Effects, Input, Persistence, Simulator};
use crate::store::format::read_all;

const SETUP: &str = "mc_setbmc 0x20\n\
    mc_add 0x20 0 no-device-sdrs 0 1 0 0xbf 0 0\n\
    mc_add 0x30 0 no-device-sdrs 0 1 0 0xbf 0 0\n\
    sel_enable 0x20 2 0x0b\n\
    mc_add_fru_data 0x20 1 16 file 4 \"storage-fru.bin\"\n\
    mc_enable 0x20\n\
    mc_enable 0x30\n";

fn ask(world: &mut World, cmd: u8, data: &[u8]) -> Vec<u8> {
    world.ask(BMC, 0, STORAGE, cmd, data).bytes().to_vec()
}

fn saved(world: &mut World) -> usize {
    world.saved().iter().filter(|name| *name == "sdr.20.main").count()
}

/// What `ipmitool sdr fill` sends: reserve, clear, wait for the clear, then each record's
/// header and the rest of it in parts.
#[test]
fn a_client_fills_the_repository() {
    let mut world = World::new(SETUP);
    ask(&mut world, 0x24, &[0, 0, 0x51, 0xc0, 1, 7]);
    assert_eq!(saved(&mut world), 1);
    assert_eq!(ask(&mut world, 0x22, &[]), [0, 1, 0]);
    assert_eq!(ask(&mut world, 0x27, &[1, 0, b'C', b'L', b'R', 0x00]), [0, 1]);
    assert_eq!(ask(&mut world, 0x20, &[])[2..4], [1, 0], "asking for the status clears nothing");
    assert_eq!(saved(&mut world), 0);
    assert_eq!(ask(&mut world, 0x27, &[1, 0, b'C', b'L', b'R', 0xaa]), [0, 1]);
    assert_eq!(ask(&mut world, 0x20, &[])[2..4], [0, 0]);
    assert_eq!(saved(&mut world), 1);

    assert_eq!(ask(&mut world, 0x22, &[]), [0, 2, 0]);
    assert_eq!(ask(&mut world, 0x25, &[2, 0, 0, 0, 0, 0, 0xff, 0xff, 0x51, 0xc0, 4]), [0, 2, 0]);
    assert_eq!(ask(&mut world, 0x25, &[2, 0, 2, 0, 5, 0, 1, 2, 3]), [0, 2, 0]);
    assert_eq!(saved(&mut world), 0);
    assert_eq!(ask(&mut world, 0x23, &[0, 0, 0, 0, 0, 0xff]), [0xcb], "it is not there yet");
    assert_eq!(ask(&mut world, 0x25, &[2, 0, 2, 0, 8, 1, 4]), [0, 2, 0]);
    assert_eq!(saved(&mut world), 1);
    let whole = [0, 0xff, 0xff, 2, 0, 0x51, 0xc0, 4, 1, 2, 3, 4];
    assert_eq!(ask(&mut world, 0x23, &[0, 0, 0, 0, 0, 0xff]), whole);

    assert_eq!(ask(&mut world, 0x25, &[2, 0, 0, 0, 0, 1, 0, 0, 0x51, 0xc0, 9, 1]), [0x80]);
    assert_eq!(ask(&mut world, 0x25, &[2, 0, 9, 0, 5, 1, 1]), [0xcc]);
    assert_eq!(ask(&mut world, 0x25, &[1, 0, 0, 0, 0, 0, 1]), [0xc5]);
    assert_eq!(saved(&mut world), 0);
}

/// `ipmitool sdr list` clears a repository it finds empty, to rebuild it from device SDRs. A
/// state file that was not loaded must survive that.
#[test]
fn clearing_an_empty_repository_writes_nothing() {
    let mut world = World::new(SETUP);
    assert_eq!(ask(&mut world, 0x27, &[0, 0, b'C', b'L', b'R', 0xaa]), [0, 1]);
    assert_eq!(saved(&mut world), 0);
}

#[test]
fn a_command_file_does_not_double_restored_records() {
    let mut world = World::new(SETUP);
    let record = [5, 0, 0x51, 0xc0, 1, 7, 0, 0, 0, 0, 0, 0];
    world.machine().ensure(BMC).sdr.restore([record], 1, 2);
    let add = "main_sdr_add 0x20 0 0 0x51 0xc0 1 7";
    for expected in [1, 2] {
        for statement in crate::config::command::statements("test.emu", add.as_bytes()) {
            world.run(&statement);
        }
        assert_eq!(ask(&mut world, 0x20, &[])[2..4], [expected, 0]);
    }
    assert_eq!(saved(&mut world), 1);
    let shown = [0, 6, 0, 5, 0, 0x51, 0xc0, 1, 7, 0, 0, 0, 0, 0, 0];
    assert_eq!(ask(&mut world, 0x23, &[0, 0, 0, 0, 0, 0x20]), shown);
}

#[test]
fn reading_right_behind_the_end_of_a_file_is_out_of_range() {
    let mut world = World::new(SETUP);
    for (offset, code) in [(16, 0xff), (17, 0xc9), (18, 0xc9), (19, 0xc8)] {
        assert_eq!(ask(&mut world, 0x11, &[1, offset, 0, 1]), [code], "offset {offset}");
    }
    assert_eq!(ask(&mut world, 0x11, &[1, 15, 0, 9]), [0, 1, 0x53]);
}

/// Where 36 bytes are the most: a session of IPMI 1.5, the system interface.
fn narrow() -> [Origin; 2] {
    let session = LAN.session.map(|session| SessionRef { rmcp_plus: false, ..session });
    [Origin { session, ..LAN }, SYSTEM]
}

/// pyghmi begins with 224 bytes and asks for less at C9h and CAh only.
#[test]
fn a_client_finds_out_how_much_of_an_inventory_it_can_read_at_once() {
    for origin in narrow() {
        for device in ["data 1 2 3", "file 0 \"storage-fru.bin\""] {
            let mut world = World::new(&format!("{SETUP}mc_add_fru_data 0x20 2 100 {device}\n"));
            for count in [224, 114, 59, 35] {
                let response = world.ask_from(origin, BMC, 0, STORAGE, 0x11, &[2, 0, 0, count]);
                assert_eq!(response.bytes(), [0xca], "{device}: {count} bytes");
            }
        }
        let mut world = World::new(&format!("{SETUP}mc_add_fru_data 0x20 2 100 data 1 2 3\n"));
        let read = world.ask_from(origin, BMC, 0, STORAGE, 0x11, &[2, 0, 0, 34]);
        assert_eq!((read.bytes().len(), &read.bytes()[..5]), (36, &[0, 34, 1, 2, 3][..]));
    }
}

/// ipmi-rs asks for whole records with FFh and knows no other way.
#[test]
fn as_much_is_read_as_is_asked_for_over_rmcp_plus() {
    // The longest record a line can have, and a short one; both have zeros behind them.
    let longest: Vec<String> = (0..250).map(|byte| format!("{byte}")).collect();
    let setup = SETUP.replace("no-device-sdrs", "has-device-sdrs");
    let mut world = World::new(&format!(
        "{setup}mc_add_fru_data 0x20 2 1000 data 1 2 3\n\
        main_sdr_add 0x20 0 0 0x51 0xc0 250 {0}\nmain_sdr_add 0x20 0 0 0x51 0xc0 2 7 8\n\
        device_sdr_add 0x20 0 0 0 0x51 0xc0 250 {0}\ndevice_sdr_add 0x20 0 0 0 0x51 0xc0 2 7 8\n",
        longest.join(" ")
    ));
    for (netfn, cmd) in [(STORAGE, 0x23), (SENSOR_EVENT, 0x21)] {
        let mut get = |id: u8, offset: u8, count: u8| {
            world.ask(BMC, 0, netfn, cmd, &[0, 0, id, 0, offset, count]).data().to_vec()
        };
        let whole = get(1, 0, 0xff);
        assert_eq!((whole.len(), &whole[..8]), (257, &[2, 0, 1, 0, 0x51, 0xc0, 250, 0][..]));
        assert_eq!(whole.last(), Some(&249));
        assert_eq!(get(1, 0, 0xf0), whole[..242]);
        assert_eq!(get(1, 100, 60)[2..], whole[102..162]);
        assert_eq!(get(1, 250, 0xff)[2..], whole[252..]);
        assert_eq!(get(2, 0, 0xff), [0xff, 0xff, 2, 0, 0x51, 0xc0, 2, 7, 8], "the record and no byte behind it");
        assert_eq!(get(2, 3, 0xff), [0xff, 0xff, 0xc0, 2, 7, 8]);
        assert_eq!(get(2, 0, 60)[9..], [0; 6], "a count reaches further, as in the original");
        for origin in narrow() {
            let too_long = if netfn == STORAGE { 0xca } else { 0xc8 };
            let mut ask = |count| world.ask_from(origin, BMC, 0, netfn, cmd, &[0, 0, 1, 0, 0, count]).bytes().to_vec();
            assert_eq!(ask(0xff), [too_long]);
            assert_eq!(ask(34), [too_long]);
            assert_eq!(ask(33).len(), 36);
        }
    }
    // A client can make one of 260 bytes, and read it at once.
    assert_eq!(ask(&mut world, 0x25, &[0, 0, 0, 0, 0, 0, 0, 0, 0x51, 0xc0, 255]), [0, 3, 0]);
    let part = |offset: u8, last: u8, length: usize| [&[0, 0, 3, 0, offset, last][..], &vec![offset; length]].concat();
    for (offset, last, length) in [(5, 0, 100), (105, 0, 100), (205, 1, 55)] {
        assert_eq!(ask(&mut world, 0x25, &part(offset, last, length)), [0, 3, 0]);
    }
    let whole = ask(&mut world, 0x23, &[0, 0, 3, 0, 0, 0xff]);
    assert_eq!((whole.len(), whole[7], whole.last()), (263, 255, Some(&205)));
    let read = ask(&mut world, 0x11, &[2, 0, 0, 255]);
    assert_eq!((read.len(), &read[..5]), (257, &[0, 255, 1, 2, 3][..]));
    assert_eq!(ask(&mut world, 0x11, &[2, 0xe0, 3, 255])[..2], [0, 8], "cut at the end");
}

#[test]
fn a_file_that_is_too_short_goes_on_with_zeros() {
    let mut world = World::new(&format!(
        "{SETUP}mc_add_fru_data 0x20 2 100 file 16 \"storage-fru.bin\"\n\
        mc_add_fru_data 0x20 3 100 file 9000 \"storage-fru.bin\"\nmc_add_fru_data 0x20 4 8 file 0 \"none\"\n"
    ));
    let whole = ask(&mut world, 0x11, &[2, 0, 0, 100]);
    let there = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/raw/files/storage-fru.bin"))
        .get(16..)
        .expect("bytes");
    assert!(there.len() < 60 && there.contains(&0x53), "{there:?}");
    assert_eq!((whole.len(), &whole[2..2 + there.len()]), (102, there));
    assert!(whole[2 + there.len()..].iter().all(|byte| *byte == 0));
    assert_eq!(ask(&mut world, 0x11, &[2, 90, 0, 4]), [0, 4, 0, 0, 0, 0]);
    assert_eq!(ask(&mut world, 0x11, &[3, 0, 0, 2]), [0, 2, 0, 0]);
    assert_eq!(ask(&mut world, 0x12, &[2, 98, 0, 1, 2]), [0, 2]);
    assert_eq!(ask(&mut world, 0x11, &[2, 97, 0, 3]), [0, 3, 0, 1, 2]);
    assert_eq!(ask(&mut world, 0x11, &[4, 0, 0, 2]), [0xff], "there is no file at all");
}

#[test]
fn a_full_log_answers_zeros() {
    let mut world = World::new(SETUP);
    let record = [0, 0, 0xe0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
    assert_eq!(ask(&mut world, 0x44, &record), [0, 1, 0]);
    assert_eq!(ask(&mut world, 0x44, &record), [0, 2, 0]);
    assert_eq!(ask(&mut world, 0x44, &record), [0xc4, 0, 0]);
    assert_eq!(world.saved(), ["sel.20", "sel.20"]);
}

#[test]
fn bridged_answers_may_be_longer() {
    let mut world = World::new(SETUP);
    let body = [0xee; 100];
    let mut record = vec![0, 0, 0x51, 0xc0, 100];
    record.extend(body);
    assert_eq!(world.ask(McAddress(0x30), 0, STORAGE, 0x24, &record).bytes(), [0, 1, 0]);
    let read = world.ask(McAddress(0x30), 0, STORAGE, 0x23, &[0, 0, 0, 0, 0, 0xff]);
    assert_eq!(read.bytes().len(), 3 + 105);
    assert_eq!(ask(&mut world, 0x24, &record), [0, 1, 0]);
    let read = world.ask_from(SYSTEM, BMC, 0, STORAGE, 0x23, &[0, 0, 0, 0, 0, 0xff]);
    assert_eq!(read.bytes(), [0xca]);
}

#[test]
fn the_utc_offset_of_the_log_is_kept() {
    let mut world = World::new(SETUP);
    assert_eq!(ask(&mut world, 0x5c, &[]), [0, 0xff, 0x07], "nobody has said");
    assert_eq!(ask(&mut world, 0x5d, &[0x3c]), [0xc1]);
    assert_eq!(ask(&mut world, 0x5d, &[0xa1, 0x05]), [0xcc], "more than a day");
    world.saved();
    assert_eq!(ask(&mut world, 0x5d, &[0xc4, 0xff]), [0]);
    assert_eq!(world.saved(), ["sel.20"]);
    assert_eq!(ask(&mut world, 0x5c, &[]), [0, 0xc4, 0xff]);
    assert_eq!(ask(&mut world, 0x5d, &[0xff, 0x07]), [0]);
    assert_eq!(ask(&mut world, 0x5c, &[]), [0, 0xff, 0x07]);
}

#[test]
fn deleting_a_record_is_an_erasure() {
    let mut world = World::new(SETUP);
    let record = [0, 0, 0xe0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
    ask(&mut world, 0x44, &record);
    assert_eq!(ask(&mut world, 0x40, &[])[6..14], [0xd0, 7, 0, 0, 0, 0, 0, 0]);
    assert_eq!(ask(&mut world, 0x46, &[0, 0, 9, 0]), [0xcb]);
    assert_eq!(ask(&mut world, 0x40, &[])[10..14], [0; 4], "nothing was deleted");
    assert_eq!(ask(&mut world, 0x46, &[0, 0, 1, 0]), [0, 1, 0]);
    assert_eq!(ask(&mut world, 0x40, &[])[6..14], [0xd0, 7, 0, 0, 0xd0, 7, 0, 0]);
}

#[test]
fn room_in_the_log_is_counted_in_records() {
    let mut world = World::new(&SETUP.replace("sel_enable 0x20 2", "sel_enable 0x20 5"));
    assert_eq!(ask(&mut world, 0x41, &[]), [0, 5, 0, 16, 0, 5, 0, 5, 0, 1]);
    ask(&mut world, 0x44, &[0; 16]);
    assert_eq!(ask(&mut world, 0x41, &[]), [0, 5, 0, 16, 0, 4, 0, 4, 0, 1]);
    assert_eq!(ask(&mut world, 0x40, &[])[4..6], [64, 0]);
    // More than two bytes can say is the most that they can say. The record comes back.
    type_in(&mut world, "sel_enable 0x20 70000 0x0b");
    assert_eq!(ask(&mut world, 0x41, &[])[1..9], [0xff, 0xff, 16, 0, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(ask(&mut world, 0x40, &[])[4..6], [0xff, 0xff]);
    type_in(&mut world, "sel_enable 0x20 5000 0x0b");
    assert_eq!(ask(&mut world, 0x41, &[])[1..9], [0x88, 0x13, 16, 0, 0x87, 0x13, 0x87, 0x13]);
    assert_eq!(ask(&mut world, 0x40, &[])[4..6], [0xff, 0xff]);
}

fn type_in(world: &mut World, command: &str) {
    for statement in crate::config::command::statements("console", command.as_bytes()) {
        world.run(&statement);
    }
}

#[test]
fn a_full_repository_takes_no_more_and_its_room_is_what_is_left() {
    let mut world = World::new(SETUP);
    let room = |world: &mut World| {
        let (info, units) = (ask(world, 0x20, &[]), ask(world, 0x21, &[]));
        let word = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
        (word(&info[2..]), word(&info[4..]), word(&units[5..]), word(&units[7..]))
    };
    assert_eq!(room(&mut world), (0, 0xfffe, 1024, 1024));
    let whole = [0, 0, 0x51, 0xc0, 1, 7];
    for _ in 0..1023 {
        assert_eq!(ask(&mut world, 0x24, &whole)[0], 0);
    }
    assert_eq!(room(&mut world), (1023, 261, 1, 1));
    // The last one in parts; while it is not there, there is still room.
    let begin = [0, 0, 0, 0, 0, 0, 0, 0, 0x51, 0xc0, 1];
    assert_eq!(ask(&mut world, 0x25, &begin), [0, 0, 4]);
    assert_eq!(room(&mut world).0, 1023);
    assert_eq!(ask(&mut world, 0x25, &[0, 0, 0, 4, 5, 1, 7]), [0, 0, 4]);
    assert_eq!(room(&mut world), (1024, 0, 0, 0));
    world.saved();
    assert_eq!(ask(&mut world, 0x24, &whole), [0xc4]);
    assert_eq!(ask(&mut world, 0x25, &begin), [0xc4]);
    assert_eq!(world.saved(), [""; 0]);
    // A command file is not refused: it was not by the original.
    type_in(&mut world, "main_sdr_add 0x20 0 0 0x51 0xc0 1 8");
    assert_eq!(room(&mut world), (1025, 0, 0, 0));
    for left in [1024, 1023] {
        assert_eq!(ask(&mut world, 0x24, &whole), [0xc4]);
        assert_eq!(ask(&mut world, 0x26, &[0, 0, 0, 0])[0], 0);
        assert_eq!(room(&mut world).0, left);
    }
    assert_eq!(ask(&mut world, 0x24, &whole)[0], 0);
}

#[test]
fn the_clock_of_the_log_goes_on_while_the_machine_is_off() {
    const LAN_AT: i64 = 1_790_000_000;
    let start = |state: BTreeMap<String, Vec<u8>>, now: u64, wall: i64| {
        let config = Config { controllers: vec![ControllerConfig::new(BMC)], ..Config::default() };
        let mut sim = Simulator::new(config, read_all(&state), Persistence::On, Box::new(Dice(1)));
        let now = Moment::new(Duration::from_secs(now));
        sim.handle(now, Input::WallClock(wall), &mut Effects::default());
        let text = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0 1 0 0xbf 0 0\nsel_enable 0x20 9 0x0b\n";
        for statement in crate::config::command::statements("test.emu", text.as_bytes()) {
            execute(&mut sim, now, None, &statement, &Folders::default(), &mut Effects::default());
        }
        sim
    };
    let clock = |sim: &Simulator, now: u64| {
        sim.machine().controller(BMC).map(|mc| mc.sel.time(Moment::new(Duration::from_secs(now))))
    };
    let file = |sim: &Simulator| sim.content_of(StateFile::Sel(BMC)).into_iter().collect::<BTreeMap<_, _>>();
    // Set by a client to what the wall clock shows, and a record 10 s later.
    let mut sim = start(BTreeMap::new(), 5000, LAN_AT);
    let log = &mut sim.machine_mut().ensure(BMC).sel;
    log.set_time(Moment::new(Duration::from_secs(5000)), LAN_AT as u32);
    log.add(Moment::new(Duration::from_secs(5010)), [2; 16]).expect("room");
    let kept = file(&sim);
    // Restarted after 100 s: whole seconds of the two clocks may differ by one.
    for wall in [99, 100, 101] {
        assert_eq!(clock(&start(kept.clone(), 5100, LAN_AT + wall), 5100), Some(LAN_AT as u32 + 100));
    }
    // The machine was off for an hour, and this program starts 20 s after it.
    assert_eq!(clock(&start(kept.clone(), 20, LAN_AT + 3600), 20), Some(LAN_AT as u32 + 3600));
    // Its wall clock has no battery: the log goes on behind its newest record.
    let mut reset = start(kept.clone(), 20, 3);
    assert_eq!(clock(&reset, 20), Some(LAN_AT as u32 + 10));
    assert!(!String::from_utf8_lossy(&file(&reset)["sel.20"]).contains("wall_clock"), "it is no reference");
    // Until somebody sets it.
    let later = Moment::new(Duration::from_secs(30));
    reset.handle(later, Input::WallClock(LAN_AT + 7200), &mut Effects::default());
    assert_eq!(clock(&start(file(&reset), 40, LAN_AT + 9000), 40), Some(LAN_AT as u32 + 10 + 10 + 1800));
    // A file of the original has no reference.
    let original = kept.into_iter().map(|(name, text)| {
        let text = String::from_utf8(text).expect("text");
        (
            name,
            text.lines()
                .filter(|line| !line.starts_with("wall_clock"))
                .map(|line| format!("{line}\n"))
                .collect::<String>()
                .into(),
        )
    });
    let original: BTreeMap<String, Vec<u8>> = original.collect();
    assert_eq!(clock(&start(original.clone(), 6000, LAN_AT + 9000), 6000), Some(LAN_AT as u32 + 1000));
    assert_eq!(clock(&start(original, 20, LAN_AT + 9000), 20), Some(LAN_AT as u32 + 10));
}
