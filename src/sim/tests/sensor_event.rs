//! What the recordings do not reach of the Sensor/Event commands.

use super::world::World;
use crate::command::testing::{BMC, SYSTEM};
use crate::ipmi::netfn::{SENSOR_EVENT, STORAGE};

const SETUP: &str = "mc_setbmc 0x20\n\
    mc_add 0x20 0 no-device-sdrs 0 1 0 0xbf 0 0\n\
    sel_enable 0x20 16 0x0b\n\
    sensor_add 0x20 0 1 1 1 poll 1000 file \"storage-temp.val\"\n\
    sensor_set_threshold 0x20 0 1 settable 001000 0 0 0x50 0 0 0\n\
    sensor_set_event_support 0x20 0 1 enable no-scanning per-state \
    000000010000000 000000000000000 000000010000000 000000000000000\n\
    mc_enable 0x20\n";

fn ask(world: &mut World, cmd: u8, data: &[u8]) -> Vec<u8> {
    world.ask(BMC, 0, SENSOR_EVENT, cmd, data).bytes().to_vec()
}

fn last_record(world: &mut World) -> Vec<u8> {
    let reply = world.ask(BMC, 0, STORAGE, 0x43, &[0, 0, 0xff, 0xff, 0, 0xff]);
    reply.data().get(2..).unwrap_or_default().to_vec()
}

/// ipmitool reserves before it reads, whether the records can change or not.
#[test]
fn device_records_that_never_change_can_be_reserved_and_read() {
    let mut world = World::new(
        "mc_setbmc 0x20\n\
        mc_add 0x20 0 has-device-sdrs 0 1 0 0xbd 0 0\n\
        device_sdr_add 0x20 0 0 0 0x51 0xc0 1 7\n\
        mc_add 0x30 0 no-device-sdrs 0 1 0 0xbd 0 0\n\
        mc_enable 0x20\n\
        mc_enable 0x30\n",
    );
    assert_eq!(ask(&mut world, 0x20, &[]), [0, 1, 1]);
    assert_eq!(ask(&mut world, 0x22, &[]), [0, 1, 0]);
    let record = [0, 0xff, 0xff, 1, 0, 0x51, 0xc0, 1, 7, 0, 0, 0, 0, 0, 0];
    assert_eq!(ask(&mut world, 0x21, &[1, 0, 0, 0, 0, 0x20]), record);
    assert_eq!(world.ask(0x30, 0, SENSOR_EVENT, 0x22, &[]).bytes(), [0xc1]);
}

/// The original fills the answer of this form with unset memory.
#[test]
fn event_enable_without_masks_is_answered_with_one_byte() {
    let mut world = World::new(SETUP);
    assert_eq!(ask(&mut world, 0x28, &[1, 0x00]), [0]);
    assert_eq!(ask(&mut world, 0x29, &[1]), [0, 0x00, 0x80, 0, 0, 0]);
}

#[test]
fn enabling_scanning_polls_before_the_masks_change_and_before_the_answer() {
    let mut world = World::new(SETUP);
    assert_eq!(ask(&mut world, 0x2d, &[1]), [0xce]);
    assert_eq!(ask(&mut world, 0x28, &[1, 0xe0, 0x80, 0x00]), [0]);
    assert_eq!(ask(&mut world, 0x2d, &[1]), [0, 150, 0xc0, 0x08, 0]);
    assert_eq!(last_record(&mut world)[7..], [0x20, 0, 4, 1, 1, 1, 0x57, 150, 0x50]);
    assert_eq!(ask(&mut world, 0x29, &[1]), [0, 0xc0, 0, 0, 0, 0]);
}

#[test]
fn the_system_interface_brings_its_own_generator_id() {
    let mut world = World::new(SETUP);
    let event = [0x41, 4, 0x0c, 5, 0x6f, 1, 0xff, 0xff];
    let mut send = |data: &[u8]| {
        let reply = world.ask_from(SYSTEM, BMC, 0, SENSOR_EVENT, 0x02, data);
        (reply.bytes().to_vec(), last_record(&mut world))
    };
    assert_eq!(send(&event[..7]), (vec![0xc7], vec![]));
    let (answer, record) = send(&event);
    assert_eq!(answer, [0]);
    assert_eq!(record[7..], [0x41, 0, 4, 0x0c, 5, 0x6f, 1, 0xff, 0xff]);
}

#[test]
fn a_platform_event_that_cannot_be_logged_is_still_answered() {
    let mut world = World::new("mc_add 0x20 0 no-device-sdrs 0 1 0 0x00 0 0\nmc_enable 0x20\n");
    assert_eq!(ask(&mut world, 0x02, &[4, 1, 0x30, 1, 0x57, 0, 0]), [0]);
}

/// A temperature with M 2, tolerance 5, B -3, accuracy 17 and exponents -1 and 1; thresholds
/// and hysteresis can be set, upper non-critical is 50h.
const WITH_RECORD: &str = "mc_setbmc 0x20\n\
    mc_add 0x20 0 no-device-sdrs 0 1 0 0xbf 0 0\n\
    sel_enable 0x20 16 0x0b\n\
    main_sdr_add 0x20 0 0 0x51 1 0x2b 0x20 0 1 7 1 0x7f 0x68 1 1 0x80 0 0x80 0x10 8 8 0 1 0 0 \
    0x02 0x05 0xfd 0xd1 0x05 0xf1 0 0 0 0 0xff 0 0 0 0x50 0 0 0 1 1 0 0 0 0\n\
    sensor_add 0x20 0 1 1 1\n\
    sensor_add 0x20 0 2 0x25 0x6f\n\
    sensor_set_event_support 0x20 0 2 enable scanning per-state \
    000000000000011 000000000000011 000000000000011 000000000000011\n\
    mc_enable 0x20\n";

#[test]
fn reading_factors_come_from_the_record() {
    let mut world = World::new(WITH_RECORD);
    // The two low bits of the accuracy byte are the sensor's direction and stay behind.
    assert_eq!(ask(&mut world, 0x23, &[1, 0x30]), [0, 0xff, 0x02, 0x05, 0xfd, 0xd1, 0x04, 0xf1]);
    assert_eq!(ask(&mut world, 0x23, &[2, 0]), [0xc1], "it has no record");
    assert_eq!(ask(&mut world, 0x23, &[3, 0]), [0xcc], "there is none");
    assert_eq!(ask(&mut world, 0x23, &[1]), [0xc1], "too short for a command the original does not have");
}

fn type_in(world: &mut World, command: &str) {
    for statement in crate::config::command::statements("console", command.as_bytes()) {
        world.run(&statement);
    }
}

#[test]
fn event_status_is_told() {
    let mut world = World::new(WITH_RECORD);
    assert_eq!(ask(&mut world, 0x2b, &[1]), [0, 0xc0, 0, 0, 0, 0]);
    type_in(&mut world, "sensor_set_value 0x20 0 1 0x60 1");
    assert_eq!(ask(&mut world, 0x2b, &[1]), [0, 0xc0, 0x80, 0, 0, 0], "upper non-critical going high");
    type_in(&mut world, "sensor_set_value 0x20 0 1 0x20 1");
    assert_eq!(ask(&mut world, 0x2b, &[1]), [0, 0xc0, 0, 0, 0x80, 0]);
    assert_eq!(ask(&mut world, 0x2a, &[1, 0x80]), [0]);
    assert_eq!(ask(&mut world, 0x2b, &[1]), [0, 0xc0, 0, 0, 0, 0], "rearming forgets what is over");
    type_in(&mut world, "sensor_set_bit 0x20 0 2 1 1 1");
    assert_eq!(ask(&mut world, 0x2b, &[2]), [0, 0xc0, 2, 0, 0, 0]);
    type_in(&mut world, "sensor_set_bit_clr_rest 0x20 0 2 0 1");
    assert_eq!(ask(&mut world, 0x2b, &[2]), [0, 0xc0, 1, 0, 2, 0]);
    assert_eq!(ask(&mut world, 0x2b, &[9]), [0xcc]);
}

#[test]
fn the_initialization_agent_sets_sensors_up_again() {
    let mut world = World::new(WITH_RECORD);
    assert_eq!(ask(&mut world, 0x26, &[1, 0x08, 0, 0, 0, 0x77, 0, 0]), [0]);
    assert_eq!(ask(&mut world, 0x28, &[1, 0x00]), [0]);
    let agent = |world: &mut World, run| world.ask(BMC, 0, STORAGE, 0x2c, &[run]).bytes().to_vec();
    assert_eq!(agent(&mut world, 0), [0, 1], "asking changes nothing");
    assert_eq!(ask(&mut world, 0x27, &[1])[5], 0x77);
    assert_eq!(agent(&mut world, 1), [0, 1]);
    assert_eq!(ask(&mut world, 0x27, &[1]), [0, 0x08, 0, 0, 0, 0x50, 0, 0]);
    assert_eq!(ask(&mut world, 0x29, &[1])[1], 0xc0);
}

#[test]
fn the_last_event_can_be_asked_and_nothing_is_promised() {
    let mut world = World::new(SETUP);
    assert_eq!(ask(&mut world, 0x15, &[]), [0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0]);
    world.ask(BMC, 0, STORAGE, 0x44, &[0; 16]);
    assert_eq!(ask(&mut world, 0x15, &[]), [0, 0xd0, 0x07, 0, 0, 1, 0, 0, 0, 0, 0]);
    // Nothing filters events and nobody could send an alert, so no timer is armed, nothing is
    // marked as processed, no alert sent and no trap acknowledged.
    for cmd in [0x11, 0x14, 0x16, 0x17] {
        assert_eq!(ask(&mut world, cmd, &[0; 12]), [0xc1], "{cmd:02x}");
    }
}
