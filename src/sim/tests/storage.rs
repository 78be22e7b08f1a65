//! Where our Storage commands differ from the original on purpose, and what the recordings
//! do not reach.

use super::world::World;
use crate::command::testing::{BMC, LAN, SYSTEM};
use crate::ipmi::netfn::{SENSOR_EVENT, STORAGE};
use crate::ipmi::{Origin, SessionRef};

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
                let reply = world.ask_from(origin, BMC, 0, STORAGE, 0x11, &[2, 0, 0, count]);
                assert_eq!(reply.bytes(), [0xca], "{device}: {count} bytes");
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
    assert_eq!(world.ask(0x30, 0, STORAGE, 0x24, &record).bytes(), [0, 1, 0]);
    let read = world.ask(0x30, 0, STORAGE, 0x23, &[0, 0, 0, 0, 0, 0xff]);
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
