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
