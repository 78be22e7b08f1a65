//! Sensors as the command language and the clock drive them.

use std::time::Duration;

use super::*;
use crate::bmc::Action;
use crate::bmc::external::{Background, FileContent, FileRead};
use crate::ipmi::McAddress;

const MC: McAddress = McAddress::BMC;
const ID: Place = Place { lun: 0, number: 7 };

fn at(milliseconds: u64) -> Moment {
    Moment::new(Duration::from_millis(milliseconds))
}

fn machine() -> Machine {
    let mut machine = Machine { bmc: Some(McAddress::BMC), ..Machine::default() };
    let controller = machine.ensure(McAddress::BMC);
    controller.device.device_support = 0xff;
    controller.sel.enable(100, 0x0b);
    controller.sensors.event_receiver.address = McAddress::BMC;
    machine
}

fn settings(mask: u16) -> EventSettings {
    EventSettings {
        events_enabled: true,
        scanning_enabled: true,
        assert_supported: mask,
        assert_enabled: mask,
        deassert_supported: mask,
        deassert_enabled: mask,
        ..EventSettings::default()
    }
}

fn discrete(machine: &mut Machine) {
    let description = Description { sensor_type: 0x25, event_reading_code: 0x6f, ..Description::default() };
    add(&mut machine.found(MC), at(0), ID, description).unwrap();
    set_event_support(&mut machine.found(MC), at(0), ID, settings(STATES)).unwrap();
}

/// Bytes 12 to 15 of each logged record.
fn log(machine: &Machine) -> Vec<[u8; 4]> {
    let sel = &machine.controller(McAddress::BMC).unwrap().sel;
    sel.records().map(|record| [record[12], record[13], record[14], record[15]]).collect()
}

fn sensor(machine: &mut Machine) -> &mut Sensor {
    machine.ensure(MC).sensors.get_mut(ID).unwrap()
}

#[test]
fn no_sensor_where_none_can_be() {
    let mut machine = machine();
    for (lun, number) in [(4, 1), (0, 255)] {
        let id = Place { lun, number };
        assert_eq!(add(&mut machine.found(MC), at(0), id, Description::default()), Err(Error::Invalid));
    }
    assert_eq!(add(&mut machine.found(MC), at(0), ID, Description::default()), Ok(()));
    assert_eq!(add(&mut machine.found(MC), at(0), ID, Description::default()), Err(Error::Invalid));
    assert_eq!(set_bit(&mut machine.found(MC), at(0), ID, 15, 1, Reporting::Events), Err(Error::Invalid));
    let missing = Place { number: 9, ..ID };
    assert_eq!(set_value(&mut machine.found(MC), at(0), missing, 1, Reporting::Events), Err(Error::Invalid));
}

#[test]
fn a_state_gives_a_value_and_one_event_per_change() {
    let mut machine = machine();
    discrete(&mut machine);
    assert!(!sensor(&mut machine).has_value);
    for value in [1, 1, 0] {
        set_bit(&mut machine.found(MC), at(0), ID, 14, value, Reporting::Events).unwrap();
    }
    set_bit(&mut machine.found(MC), at(0), ID, 5, 1, Reporting::Silent).unwrap();
    assert!(sensor(&mut machine).has_value);
    assert_eq!(sensor(&mut machine).status, 0x20);
    assert_eq!(log(&machine), [[0x6f, 14, 0xff, 0xff], [0xef, 14, 0xff, 0xff]]);
}

#[test]
fn clearing_the_rest_goes_upwards_and_stores_the_bit() {
    let mut machine = machine();
    discrete(&mut machine);
    for bit in [5, 0] {
        set_bit(&mut machine.found(MC), at(0), ID, bit, 1, Reporting::Silent).unwrap();
    }
    set_bit_clear_rest(&mut machine.found(MC), at(0), ID, 2, Reporting::Events).unwrap();
    assert_eq!(log(&machine), [[0xef, 0, 0xff, 0xff], [0xef, 5, 0xff, 0xff], [0x6f, 2, 0xff, 0xff]]);
    assert_eq!((sensor(&mut machine).value, sensor(&mut machine).status), (2, 4));
    assert_eq!(set_bit_clear_rest(&mut machine.found(MC), at(0), ID, 15, Reporting::Events), Err(Error::Invalid));
    assert_eq!(sensor(&mut machine).status, 4);
}

#[test]
fn events_need_receiver_enable_and_somebody_there() {
    let mut machine = machine();
    discrete(&mut machine);
    let mut try_with = |address: u8, enabled: bool, events: bool| {
        machine.controller_mut(McAddress::BMC).unwrap().sensors.event_receiver.address = McAddress(address);
        sensor(&mut machine).enabled = enabled;
        sensor(&mut machine).events_enabled = events;
        let before = log(&machine).len();
        event::from_sensor(&mut machine.found(MC), at(0), ID, Direction::Assertion, [1, 2, 3]);
        log(&machine).len() - before
    };
    assert_eq!(try_with(0, true, true), 0);
    assert_eq!(try_with(0x40, true, true), 0);
    assert_eq!(try_with(0x20, false, true), 0);
    assert_eq!(try_with(0x20, true, false), 0);
    assert_eq!(try_with(0x20, true, true), 1);
}

fn polled(machine: &mut Machine, code: u8, depends: Option<Dependency>) {
    let poll = PollSpec { interval: Duration::from_secs(1), path: "temp".into(), depends, ..PollSpec::default() };
    let description = Description { event_reading_code: code, poll: Some(poll), ..Description::default() };
    add(&mut machine.found(MC), at(0), ID, description).unwrap();
}

fn answer(machine: &mut Machine, now: Moment, content: FileContent) {
    let Background::Read { then, .. } = machine.jobs.remove(0) else { panic!("no read") };
    then(&mut machine.found(MC), now, content);
}

fn read(text: &str) -> FileContent {
    Ok(text.as_bytes().to_vec())
}

#[test]
fn a_sensor_that_is_not_scanned_is_never_polled() {
    let mut machine = machine();
    polled(&mut machine, THRESHOLD_CODE, None);
    assert_eq!(machine.ensure(MC).sensors.deadline(), Some(at(1000)));
    timeout(&mut machine.found(MC), at(999));
    assert_eq!(machine.ensure(MC).sensors.deadline(), Some(at(1000)));
    timeout(&mut machine.found(MC), at(1000));
    assert!(machine.jobs.is_empty());
    assert_eq!(machine.ensure(MC).sensors.deadline(), None, "the timer is not started again");
}

#[test]
fn polls_follow_each_other_and_fill_the_value() {
    let mut machine = machine();
    polled(&mut machine, THRESHOLD_CODE, None);
    set_event_support(&mut machine.found(MC), at(500), ID, settings(0)).unwrap();
    assert_eq!(machine.ensure(MC).sensors.deadline(), Some(at(1500)), "polling at once restarts the timer");
    let Background::Read { read: first, .. } = &machine.jobs[0] else { panic!("no read") };
    assert_eq!(*first, FileRead { path: "temp".into(), offset: 0, length: 99 });
    timeout(&mut machine.found(MC), at(1500));
    assert_eq!(machine.jobs.len(), 1, "the first read is still under way");
    answer(&mut machine, at(1600), read("150\n"));
    assert_eq!((sensor(&mut machine).value, sensor(&mut machine).has_value), (150, true));
    assert_eq!(machine.ensure(MC).sensors.deadline(), Some(at(2500)));
    timeout(&mut machine.found(MC), at(2500));
    answer(&mut machine, at(2500), read("-5"));
    assert_eq!(sensor(&mut machine).value, 0, "the lowest there is without a record");
    assert!(!machine.actions.iter().any(|action| matches!(action, Action::ConsoleLog { .. })));
}

#[test]
fn a_failed_poll_is_logged_and_changes_nothing() {
    let mut machine = machine();
    polled(&mut machine, THRESHOLD_CODE, None);
    set_event_support(&mut machine.found(MC), at(0), ID, settings(0)).unwrap();
    answer(&mut machine, at(0), Err("No such file or directory".into()));
    assert!(!sensor(&mut machine).has_value);
    let text = "Error getting sensor value (20,0,7): No such file or directory, Unable to open sensor file";
    assert!(
        machine.actions.iter().any(|action| matches!(action, Action::ConsoleLog { text: found, .. } if found == text))
    );
}

#[test]
fn a_failure_is_logged_once_until_it_changes() {
    let mut machine = machine();
    polled(&mut machine, THRESHOLD_CODE, None);
    let mut poll = |result| {
        set_event_support(&mut machine.found(MC), at(0), ID, settings(0)).unwrap();
        answer(&mut machine, at(0), result);
        let logged = machine.actions.iter().filter(|action| matches!(action, Action::ConsoleLog { .. })).count();
        machine.actions.clear();
        logged
    };
    let missing = || Err("No such file or directory".into());
    assert_eq!([poll(missing()), poll(missing())], [1, 0]);
    assert_eq!([poll(read("x")), poll(read("x"))], [1, 0]);
    assert_eq!([poll(read("1")), poll(read("x"))], [0, 1], "after it has worked it is a new one");
}

#[test]
fn an_overtaken_poll_is_dropped() {
    let mut machine = machine();
    polled(&mut machine, THRESHOLD_CODE, None);
    set_event_support(&mut machine.found(MC), at(0), ID, settings(0)).unwrap();
    set_event_support(&mut machine.found(MC), at(0), ID, settings(0)).unwrap();
    answer(&mut machine, at(0), read("1"));
    assert!(!sensor(&mut machine).has_value);
    answer(&mut machine, at(0), read("2"));
    assert_eq!(sensor(&mut machine).value, 2);
}

#[test]
fn polled_states_give_events() {
    let mut machine = machine();
    polled(&mut machine, 0x6f, None);
    set_event_support(&mut machine.found(MC), at(0), ID, settings(0x0003)).unwrap();
    answer(&mut machine, at(0), read("0x10006"));
    assert_eq!((sensor(&mut machine).value, sensor(&mut machine).status), (6, 6));
    assert_eq!(log(&machine), [[0x6f, 1, 0xff, 0xff]]);
}

#[test]
fn a_dependency_switches_a_sensor_off() {
    let mut machine = machine();
    let other = Place { number: 1, ..ID };
    let description = Description { event_reading_code: 0x6f, ..Description::default() };
    add(&mut machine.found(MC), at(0), other, description).unwrap();
    polled(&mut machine, THRESHOLD_CODE, Some(Dependency { sensor: other.of(MC), bit: 3 }));
    set_event_support(&mut machine.found(MC), at(0), ID, settings(0)).unwrap();
    assert!(machine.jobs.is_empty());
    assert!(!sensor(&mut machine).enabled);
    set_bit(&mut machine.found(MC), at(0), other, 3, 1, Reporting::Events).unwrap();
    timeout(&mut machine.found(MC), at(1000));
    assert!(sensor(&mut machine).enabled);
    answer(&mut machine, at(1000), read("44"));
    set_bit(&mut machine.found(MC), at(0), other, 3, 0, Reporting::Events).unwrap();
    timeout(&mut machine.found(MC), at(2000));
    assert_eq!((sensor(&mut machine).value, sensor(&mut machine).enabled), (44, false));
}

#[test]
fn what_is_polled_below_zero_is_what_the_format_makes_of_it_or_the_lowest() {
    let polled_as = |units: u8, text: &str| {
        let mut machine = machine();
        let mut record = [0; 48];
        record[2..10].copy_from_slice(&[0x51, 1, 43, 0x20, 0, 7, 7, 1]);
        record[20] = units;
        crate::bmc::sdr::add_main(&mut machine.found(McAddress::BMC), at(0), &record).unwrap();
        polled(&mut machine, THRESHOLD_CODE, None);
        set_event_support(&mut machine.found(MC), at(0), ID, settings(0)).unwrap();
        answer(&mut machine, at(0), read(text));
        sensor(&mut machine).value
    };
    for (units, expected) in [
        (0x00, [0, 0, 0, 5, 251, 255]),
        (0x40, [0xfa, 0x80, 0x80, 5, 251, 0x7f]),
        (0x80, [0xfb, 0x80, 0x80, 5, 251, 0x7f]),
    ] {
        let values = ["-5", "-128", "-5000", "5", "251", "5000"].map(|text| polled_as(units, text));
        assert_eq!(values, expected, "units {units:#04x}");
    }
}
