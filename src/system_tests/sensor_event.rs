//! What the recordings do not reach of the Sensor/Event commands.

use super::world::World;
use crate::command::testing::{BMC, SYSTEM};
use crate::ipmi::McAddress;
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
    let response = world.ask(BMC, 0, STORAGE, 0x43, &[0, 0, 0xff, 0xff, 0, 0xff]);
    response.data().get(2..).unwrap_or_default().to_vec()
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
    assert_eq!(world.ask(McAddress(0x30), 0, SENSOR_EVENT, 0x22, &[]).bytes(), [0xc1]);
}

/// The original fills the response of this form with unset memory.
#[test]
fn event_enable_without_masks_is_answered_with_one_byte() {
    let mut world = World::new(SETUP);
    assert_eq!(ask(&mut world, 0x28, &[1, 0x00]), [0]);
    assert_eq!(ask(&mut world, 0x29, &[1]), [0, 0x00, 0x80, 0, 0, 0]);
}

#[test]
fn enabling_scanning_polls_before_the_masks_change_and_before_the_answer() {
    let mut world = World::new(SETUP);
    assert_eq!(ask(&mut world, 0x2d, &[1]), [0, 0, 0xa0, 0, 0]);
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
        let response = world.ask_from(SYSTEM, BMC, 0, SENSOR_EVENT, 0x02, data);
        (response.bytes().to_vec(), last_record(&mut world))
    };
    assert_eq!(send(&event[..7]), (vec![0xc7], vec![]));
    let (response, record) = send(&event);
    assert_eq!(response, [0]);
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
    assert_eq!(ask(&mut world, 0x23, &[3, 0]), [0xcb], "there is none");
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
    assert_eq!(ask(&mut world, 0x2b, &[9]), [0xcb]);
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
fn the_last_event_can_be_asked() {
    let mut world = World::new(SETUP);
    assert_eq!(ask(&mut world, 0x15, &[]), [0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0]);
    world.ask(BMC, 0, STORAGE, 0x44, &[0; 16]);
    assert_eq!(ask(&mut world, 0x15, &[]), [0, 0xd0, 0x07, 0, 0, 1, 0, 0, 0, 0, 0]);
    // A request that is too short is answered as by the original, which has none of these.
    for cmd in [0x11, 0x14, 0x16, 0x17] {
        assert_eq!(ask(&mut world, cmd, &[]), [0xc1], "{cmd:02x}");
    }
}

/// Clients skip a sensor that is not there at CBh and at no other code (pyghmi).
#[test]
fn an_absent_sensor_is_told_by_its_own_code() {
    let mut world = World::new(WITH_RECORD);
    for cmd in [0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x2b, 0x2d, 0x2f] {
        for number in [3, 0xff] {
            assert_eq!(ask(&mut world, cmd, &[number, 0, 0, 0, 0, 0, 0, 0]), [0xcb], "{cmd:02x} of {number}");
        }
        for lun in [1, 3] {
            let response = world.ask(BMC, lun, SENSOR_EVENT, cmd, &[1, 0, 0, 0, 0, 0, 0, 0]);
            assert_eq!(response.bytes(), [0xcb], "{cmd:02x} on LUN {lun}");
        }
    }
}

/// A full record of sensor `number`, without a name: byte 10 (initialization), byte 11
/// (capabilities), which thresholds can be read and set, byte 20 (units), byte 23 (linearization), M,
/// thresholds from UNR to LNC, hysteresis.
fn full_record(
    number: u8,
    [init, capabilities, readable, settable]: [u8; 4],
    [units, linear]: [u8; 2],
    m: i16,
    limits: [u8; 6],
    hysteresis: u8,
) -> String {
    let [m_low, m_high] = m.to_le_bytes();
    let mut record = vec![0, 0, 0x51, 1, 43, 0x20, 0, number, 7, 1, init, capabilities, 1, 1];
    record.extend([0x95, 0x7a, 0x95, 0x7a, readable, settable, units, 1, 0, linear, m_low, m_high << 6, 0, 0, 0, 0]);
    record.extend([0, 0, 0, 0, 0xff, 0]);
    record.extend(limits);
    record.extend([hysteresis, hysteresis, 0, 0, 0, 0]);
    let bytes: Vec<String> = record.iter().map(|byte| format!("{byte:#04x}")).collect();
    format!("main_sdr_add 0x20 {}\nsensor_add 0x20 0 {number} 1 1\n", bytes.join(" "))
}

const ONE_MC: &str = "mc_setbmc 0x20\nmc_add 0x20 0 has-device-sdrs 0 1 0 0xbf 0 0\nsel_enable 0x20 50 0x0b\n";

/// Status bits for each reading, given one after the other.
fn statuses(record: &str, readings: &[u8]) -> Vec<u8> {
    let mut world = World::new(&format!("{ONE_MC}{record}mc_enable 0x20\n"));
    readings
        .iter()
        .map(|reading| {
            type_in(&mut world, &format!("sensor_set_value 0x20 0 1 {reading} 1"));
            ask(&mut world, 0x2d, &[1])[3]
        })
        .collect()
}

#[test]
fn limits_are_compared_as_the_record_says() {
    let access = [0x7f, 0x68, 0x3f, 0x3f];
    // Limits -120, -110, -100 and -5, 0, 5; readings -45, -5, 7, -45, -105, -125, -45.
    let twos = full_record(1, access, [0x80, 0], 1, [5, 0, 0xfb, 0x88, 0x92, 0x9c], 1);
    assert_eq!(statuses(&twos, &[0xd3, 0xfb, 7, 0xd3, 0x97, 0x83, 0xd3]), [0, 8, 0x38, 0, 1, 7, 0]);
    let ones = full_record(1, access, [0x40, 0], 1, [5, 0, 0xfa, 0x87, 0x91, 0x9b], 1);
    assert_eq!(statuses(&ones, &[0xd2, 0xfa, 7, 0xd2, 0x96, 0x82, 0xd2]), [0, 8, 0x38, 0, 1, 7, 0]);
    assert_eq!(statuses(&ones, &[0xff, 0xff]), [0x18, 0x18], "FFh is zero");
    // M is -2: 30 stands for the highest value.
    let falling = full_record(1, access, [0, 0], -2, [10, 20, 30, 220, 210, 200], 1);
    assert_eq!(statuses(&falling, &[100, 30, 15, 10, 100, 205, 225]), [0, 8, 0x18, 0x38, 0, 1, 7]);
    // So it does with 1/x; with both it is the other way round again.
    let reciprocal = full_record(1, access, [0, 7], 2, [10, 20, 30, 220, 210, 200], 1);
    assert_eq!(statuses(&reciprocal, &[100, 30, 10, 205]), [0, 8, 0x38, 1]);
    let both = full_record(1, access, [0, 7], -2, [220, 210, 200, 10, 20, 30], 1);
    assert_eq!(statuses(&both, &[100, 205, 230, 25]), [0, 8, 0x38, 1]);
    // No analog reading: as before.
    let none = full_record(1, access, [0xc0, 0], 1, [220, 210, 200, 10, 20, 30], 1);
    assert_eq!(statuses(&none, &[100, 205, 230, 25]), [0, 8, 0x38, 1]);
}

#[test]
fn the_order_of_readings_is_the_records_whenever_it_comes_and_stays_without_it() {
    let record = full_record(1, [0x7f, 0x68, 0x3f, 0x3f], [0x80, 0], 1, [5, 0, 0xfb, 0x88, 0x92, 0x9c], 1);
    let (record, sensor) = record.split_once('\n').expect("two statements");
    let thresholds = "sensor_set_threshold 0x20 0 1 settable 111111 5 0 0xfb 0x88 0x92 0x9c";
    let device = record.replace("main_sdr_add 0x20", "device_sdr_add 0x20 0");
    for record in [record, &device] {
        let mut world = World::new(&format!("{ONE_MC}{sensor}{thresholds}\nmc_enable 0x20\n"));
        let at = |world: &mut World, reading: u8| {
            type_in(world, &format!("sensor_set_value 0x20 0 1 {reading} 0"));
            ask(world, 0x2d, &[1])[3]
        };
        assert_eq!(at(&mut world, 0xd3), 0x30, "nobody has said that it is signed");
        type_in(&mut world, record);
        assert_eq!(at(&mut world, 0xd3), 0);
        assert_eq!(world.ask(BMC, 0, STORAGE, 0x27, &[0, 0, b'C', b'L', b'R', 0xaa]).bytes(), [0, 1]);
        assert_eq!(at(&mut world, 7), 0x38);
        assert_eq!(at(&mut world, 0xd3), 0);
    }
}

#[test]
fn events_have_the_bytes_and_the_direction_of_the_value() {
    let record = full_record(1, [0x7f, 0x68, 0x3f, 0x3f], [0x80, 0], -1, [5, 0, 0xfb, 0x88, 0x92, 0x9c], 0);
    // Falling: 9Ch is -100 and stands for the value 100, which is above each limit but the lower ones.
    let record = record.replace("0x05 0x00 0xfb 0x88 0x92 0x9c", "0x88 0x92 0x9c 0x05 0x00 0xfb");
    let mut world = World::new(&format!("{ONE_MC}{record}mc_enable 0x20\n"));
    type_in(&mut world, "sensor_set_value 0x20 0 1 0xd3 1");
    assert_eq!(last_record(&mut world), Vec::<u8>::new());
    type_in(&mut world, "sensor_set_value 0x20 0 1 0x9c 1");
    assert_eq!(last_record(&mut world)[12..], [0x01, 0x57, 0x9c, 0x9c], "upper non-critical, going high");
    type_in(&mut world, "sensor_set_value 0x20 0 1 0xd3 1");
    assert_eq!(last_record(&mut world)[12..], [0x81, 0x57, 0xd3, 0x9c]);
    type_in(&mut world, "sensor_set_value 0x20 0 1 0xfb 1");
    assert_eq!(last_record(&mut world)[12..], [0x01, 0x50, 0xfb, 0xfb], "lower non-critical, going low");
}

#[test]
fn the_record_says_which_thresholds_can_be_read_and_set() {
    let limits = [95, 90, 80, 2, 5, 10];
    let of = |access: [u8; 4]| {
        let record = full_record(1, access, [0, 0], 1, limits, 3);
        World::new(&format!("{ONE_MC}{record}sensor_set_value 0x20 0 1 85 0\nmc_enable 0x20\n"))
    };
    let set = [1, 0x08, 0, 0, 0, 0x28, 0, 0];
    // "Init thresholds" makes no difference.
    for init in [0x7f, 0x6f] {
        let mut world = of([init, 0x64, 0x3f, 0]);
        assert_eq!(ask(&mut world, 0x27, &[1]), [0, 0x3f, 10, 5, 2, 80, 90, 95]);
        assert_eq!(ask(&mut world, 0x26, &set), [0xc1]);
        assert_eq!(ask(&mut world, 0x2d, &[1])[3], 0x08);
        let mut world = of([init, 0x68, 0x3a, 0x0b]);
        assert_eq!(ask(&mut world, 0x27, &[1]), [0, 0x3a, 0, 5, 0, 80, 90, 95]);
        assert_eq!(ask(&mut world, 0x26, &[1, 0x18, 0, 0, 0, 0x28, 0x30, 0]), [0xcc], "one of them cannot be set");
        assert_eq!(ask(&mut world, 0x27, &[1])[5], 80);
        assert_eq!(ask(&mut world, 0x26, &set), [0]);
        assert_eq!(ask(&mut world, 0x27, &[1])[5], 0x28);
        // Fixed ones have values, and nobody reads or sets them.
        let mut world = of([init, 0x6c, 0x3f, 0]);
        assert_eq!(ask(&mut world, 0x27, &[1]), [0xc1]);
        assert_eq!(ask(&mut world, 0x26, &set), [0xc1]);
        assert_eq!(ask(&mut world, 0x2d, &[1])[3], 0x08);
        let mut world = of([init, 0x60, 0x3f, 0x3f]);
        assert_eq!(ask(&mut world, 0x27, &[1]), [0xc1], "there are none");
        assert_eq!(ask(&mut world, 0x2d, &[1])[3], 0);
        // Masks that nobody has filled in: as the original reads the record.
        let mut world = of([init, 0x68, 0, 0]);
        assert_eq!(ask(&mut world, 0x27, &[1])[1], 0x3f);
        assert_eq!(ask(&mut world, 0x26, &set), [0]);
        // Hysteresis is no other case.
        let mut world = of([init & !0x08, 0x50, 0, 0]);
        assert_eq!(ask(&mut world, 0x25, &[1]), [0, 3, 3]);
        assert_eq!(ask(&mut world, 0x24, &[1, 0xff, 1, 1]), [0xc1]);
    }
}

#[test]
fn every_filter_that_is_counted_can_be_read() {
    let mut world = World::new(SETUP);
    let capabilities = ask(&mut world, 0x10, &[]);
    assert_eq!(capabilities, [0, 0x51, 0x3f, 15]);
    for (count, table, length) in [(5, 6, 21), (5, 7, 2), (8, 9, 4), (11, 12, 3)] {
        let counted = ask(&mut world, 0x13, &[count, 0, 0])[2];
        assert_eq!(counted, capabilities[3], "parameter {count}");
        for number in 1..=counted {
            assert_eq!(ask(&mut world, 0x13, &[table, number, 0])[..3], [0, 0x11, number]);
            assert_eq!(ask(&mut world, 0x13, &[table, number, 0]).len(), 2 + length);
        }
        assert_eq!(ask(&mut world, 0x13, &[table, counted + 1, 0]), [0xcc]);
    }
}

/// Three drives with one compact record: numbers 10h to 12h. 13h has none.
#[test]
fn sensors_that_share_a_record_are_all_set_up_from_it() {
    let setup = "mc_setbmc 0x20\n\
        mc_add 0x20 0 no-device-sdrs 0 1 0 0xbf 0 0\n\
        sel_enable 0x20 16 0x0b\n\
        main_sdr_add 0x20 0 0 0x51 2 0x20 0x20 0 0x10 4 1 0x67 0x40 0x0d 0x6f 3 0 3 0 3 0 0xc0 0 0 0x03 0x81 0 0 0 0 0 0 \
        0xc5 'D 'r 'i 'v 'e\n\
        sensor_add 0x20 0 0x0f 0x0d 0x6f\n\
        sensor_add 0x20 0 0x10 0x0d 0x6f\n\
        sensor_add 0x20 0 0x11 0x0d 0x6f\n\
        sensor_add 0x20 0 0x12 0x0d 0x6f\n\
        sensor_add 0x20 0 0x13 0x0d 0x6f\n\
        mc_enable 0x20\n";
    let mut world = World::new(setup);
    for (sensor, enables) in [(0x0f, 0), (0x10, 3), (0x11, 3), (0x12, 3), (0x13, 0)] {
        let flags = if enables == 0 { 0 } else { 0xc0 };
        assert_eq!(ask(&mut world, 0x29, &[sensor]), [0, flags, enables, 0, enables, 0], "{sensor:#04x}");
    }
    type_in(&mut world, "sensor_set_bit 0x20 0 0x12 1 1 1");
    assert_eq!(ask(&mut world, 0x2d, &[0x12]), [0, 0, 0xc0, 0x02, 0]);
    assert_eq!(last_record(&mut world)[7..], [0x20, 0, 4, 0x0d, 0x12, 0x6f, 1, 0xff, 0xff]);
    // The initialization agent knows them as well.
    assert_eq!(ask(&mut world, 0x28, &[0x12, 0x00]), [0]);
    assert_eq!(ask(&mut world, 0x29, &[0x12]), [0, 0x00, 3, 0, 3, 0]);
    assert_eq!(world.ask(BMC, 0, STORAGE, 0x2c, &[1]).bytes()[0], 0);
    assert_eq!(ask(&mut world, 0x29, &[0x12]), [0, 0xc0, 3, 0, 3, 0]);
}
