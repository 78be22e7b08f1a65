//! Sensors that follow signals: what they read, when they cross thresholds, and that nothing happens in between.

use super::*;
use crate::bmc::chassis::Control;
use crate::bmc::sensor::SensorId;
use crate::ipmi::netfn::SENSOR_EVENT;

/// A sensor without a record: thresholds 30, 20, 10 and 60, 70, 80, hysteresis 3 above and 2 below.
fn sensor(number: u8) -> String {
    format!(
        "sensor_add 0x20 0 {number} 1 1
sensor_set_threshold 0x20 0 {number} settable 111111 80 70 60 10 20 30
sensor_set_hysteresis 0x20 0 {number} settable 3 2
sensor_set_event_support 0x20 0 {number} enable scanning per-state \
 000111111111111 000111111111111 000111111111111 000111111111111\n"
    )
}

fn rig(sensors: &[u8]) -> Rig {
    let sensors: String = sensors.iter().map(|number| sensor(*number)).collect();
    let mut rig = Rig::new(CONF, &format!("{EMU}persist off\nseed 1\n{sensors}"));
    assert_eq!(rig.faults, Vec::<String>::new());
    rig.call(|sim, now, out| sim.handle(now, Input::Started, out));
    assert_eq!(rig.sim.deadline(), None);
    rig
}

/// An event: milliseconds since `start`, sensor, whether it was asserted, event data.
type Seen = (u128, u8, bool, [u8; 3]);

/// Lets the time go on for so many seconds; nobody looks. Gives the events, and how often the system was woken.
fn pass(rig: &mut Rig, seconds: u64) -> (Vec<Seen>, usize) {
    let (start, end) = (rig.now, rig.now + Duration::from_secs(seconds));
    let (mut seen, mut wakes) = (Vec::new(), 0);
    while let Some(due) = rig.sim.deadline().filter(|due| *due <= end) {
        assert!(due > rig.now || wakes == 0, "it stands still at {due:?}");
        rig.now = due;
        wakes += 1;
        let before = rig.sim.event_log().len();
        rig.call(|sim, now, out| sim.handle(now, Input::Timeout, out));
        let events = rig.sim.event_log().into_iter().skip(before).filter_map(|record| record.event);
        let at = due.since(start).as_millis();
        seen.extend(events.map(|event| (at, event.sensor, event.asserted, event.data)));
    }
    rig.now = end;
    (seen, wakes)
}

fn look(rig: &mut Rig, number: u8) -> u8 {
    let mut raw = None;
    rig.call(|sim, now, out| {
        sim.refresh_sensors(now, out);
        raw = sim.sensor(SensorId { mc: McAddress::BMC, lun: 0, number }).unwrap().raw;
    });
    raw.expect("a reading")
}

#[test]
fn a_line_crosses_thresholds_to_the_millisecond_and_wakes_nobody_else() {
    let mut rig = rig(&[1]);
    rig.command("sensor_follow 0x20 0 1 line from 40 to 90 over 50");
    let (seen, wakes) = pass(&mut rig, 1_000_000);
    // The reading is the nearest number: 60 from 59.5 on, and in the middle between two the lower one.
    let up = |at, data, limit| (at, 1, true, [data, limit, limit]);
    assert_eq!(seen, [up(19_501, 0x57, 60), up(29_501, 0x59, 70), up(39_501, 0x5b, 80)]);
    assert_eq!((wakes, rig.sim.deadline()), (3, None));
    assert_eq!(look(&mut rig, 1), 90);

    rig.command("sensor_follow 0x20 0 1 line from 90 to 50 over 40");
    let (seen, wakes) = pass(&mut rig, 1_000_000);
    // It leaves a threshold more than 3 below it.
    let down = |at, data, limit| (at, 1, false, [data, limit - 4, limit]);
    assert_eq!(seen, [down(13_500, 0x5b, 80), down(23_500, 0x59, 70), down(33_500, 0x57, 60)]);
    assert_eq!((wakes, rig.sim.deadline()), (3, None));
}

#[test]
fn a_sine_crosses_where_it_is_computed_to_cross() {
    let mut rig = rig(&[1]);
    rig.command("sensor_follow 0x20 0 1 sine mean 45 amplitude 20 period 300");
    let (seen, _) = pass(&mut rig, 600);
    let crossing = |height: f64| ((height - 45.0) / 20.0).asin() / std::f64::consts::TAU * 300.0;
    let (up, down) = (crossing(59.5), 150.0 - crossing(56.5));
    let (low, high) = (150.0 - crossing(30.5), 300.0 + crossing(32.5));
    let wave = [(up, true, 60), (down, false, 56), (low, true, 30), (high, false, 33)];
    let computed = [0.0, 300.0].into_iter().flat_map(|start| wave.map(|(at, up, raw)| (start + at, up, raw)));
    assert_eq!(seen.len(), 8, "{seen:?}");
    for ((at, number, asserted, data), (computed, up, raw)) in seen.into_iter().zip(computed) {
        assert_eq!((number, asserted, data[1]), (1, up, raw), "at {at}");
        assert_eq!(at as f64, (computed * 1000.0).ceil(), "computed {computed}");
    }
}

#[test]
fn what_crosses_nothing_has_no_deadline() {
    for signal in [
        "constant 45",
        "sine mean 45 amplitude 14 period 10",
        "noise mean 45 amplitude 14",
        "walk mean 45 amplitude 14 step 0.5",
        "line from 31 to 59 over 1000",
        "walk mean 45 amplitude 1000 min 31 max 59",
        "constant 45 off 40 tau 10",
    ] {
        let mut rig = rig(&[1]);
        rig.command(&format!("sensor_follow 0x20 0 1 {signal}"));
        assert_eq!((rig.sim.deadline(), rig.faults.as_slice()), (None, [].as_slice()), "{signal}");
        let readings: Vec<u8> =
            (0..60).map(|_| (rig.now = rig.now + Duration::from_secs(7), look(&mut rig, 1)).1).collect();
        assert!(readings.iter().all(|raw| (31..60).contains(raw)), "{signal}: {readings:?}");
        let moves = readings.windows(2).any(|pair| pair[0] != pair[1]);
        assert_eq!(moves, !signal.starts_with("constant"), "{signal}: {readings:?}");
        assert_eq!((rig.sim.deadline(), rig.sim.event_log().len()), (None, 0), "{signal}");
    }
}

/// What may cross something but hardly ever does wakes the system once an hour.
#[test]
fn a_look_ahead_is_bounded_and_rare() {
    let mut rig = rig(&[1]);
    rig.command("sensor_follow 0x20 0 1 walk mean 45 amplitude 22 step 60");
    let (seen, wakes) = pass(&mut rig, 100 * 3600);
    assert!((90..=110 + seen.len()).contains(&wakes), "{wakes} for {} events", seen.len());
}

#[test]
fn one_seed_gives_the_same_events_and_another_one_others() {
    let run = |seed: u64| {
        let mut rig = rig(&[1, 2]);
        rig.command(&format!("seed {seed}"));
        rig.command("sensor_follow 0x20 0 1 walk mean 55 amplitude 40");
        rig.command("sensor_follow 0x20 0 2 noise mean 45 amplitude 20 step 30");
        let (seen, _) = pass(&mut rig, 3600);
        (seen, look(&mut rig, 1), look(&mut rig, 2))
    };
    let (first, again, other) = (run(17), run(17), run(18));
    assert!(first.0.len() > 20, "{} events", first.0.len());
    assert_eq!(first, again);
    assert_ne!(first, other);
    let of = |number| first.0.iter().filter(move |event| event.1 == number).count();
    assert!(of(1) > 2 && of(2) > 2, "{} and {}", of(1), of(2));
}

/// Nothing is missed in between: what is seen by events alone is what is seen by looking at every step of a noise.
#[test]
fn events_are_the_same_whether_anybody_looks_or_not() {
    let run = |looks: bool| {
        let mut rig = rig(&[1]);
        rig.command("sensor_follow 0x20 0 1 noise mean 50 amplitude 14 step 1");
        let mut all = Vec::new();
        for second in 0..400 {
            let (seen, _) = pass(&mut rig, 1);
            all.extend(seen.into_iter().map(|(at, _, up, data)| (second * 1000 + at, up, data)));
            if looks {
                look(&mut rig, 1);
            }
        }
        all
    };
    let seen = run(false);
    assert!(seen.len() > 10, "{seen:?}");
    assert_eq!(run(true), seen);
}

#[test]
fn without_power_fans_stop_and_temperatures_fall_with_their_time_constant() {
    let mut rig = rig(&[1, 2]);
    rig.call(|sim, now, out| sim.control(now, Control::PowerUp, out).unwrap());
    rig.command("sensor_follow 0x20 0 1 constant 50 off 0");
    rig.command("sensor_follow 0x20 0 2 constant 55 off 22 tau 120");
    assert_eq!((look(&mut rig, 1), look(&mut rig, 2), rig.sim.deadline()), (50, 55, None));

    rig.call(|sim, now, out| sim.control(now, Control::PowerDown, out).unwrap());
    assert_eq!(rig.sim.event_log().len(), 3, "the fan is below three thresholds at once");
    assert_eq!(look(&mut rig, 1), 0);
    let (seen, wakes) = pass(&mut rig, 3600);
    let falls = |to: f64| (120.0 * (33.0 / (to - 22.0)).ln() * 1000.0).ceil() as u128;
    assert_eq!(seen, [(falls(30.5), 2, true, [0x50, 30, 30])]);
    assert_eq!((wakes, look(&mut rig, 2), rig.sim.deadline()), (1, 22, None));

    rig.call(|sim, now, out| sim.control(now, Control::PowerUp, out).unwrap());
    assert_eq!((look(&mut rig, 1), look(&mut rig, 2)), (50, 22));
    let (seen, _) = pass(&mut rig, 3600);
    let rises = |to: f64| (120.0 * (33.0 / (55.0 - to)).ln() * 1000.0).ceil() as u128;
    assert_eq!(seen, [(rises(32.5), 2, false, [0x50, 33, 30])]);
    assert_eq!(look(&mut rig, 2), 55);
}

#[test]
fn load_and_other_sensors_are_added() {
    let mut rig = rig(&[1, 2, 3]);
    rig.command("sensor_follow 0x20 0 1 constant 35 load 30");
    rig.command("sensor_follow 0x20 0 2 constant 10 add 0x20 0 1 0.5");
    assert_eq!((look(&mut rig, 1), look(&mut rig, 2)), (35, 27));
    rig.command("sensor_set_value 0x20 0 3 40 0");
    rig.command("mc_load 0x20 line from 0 to 100 over 100");
    let (seen, _) = pass(&mut rig, 1000);
    // 35 + 0.3 t is 59.5, and 27.5 + 0.15 t is 32.5.
    assert_eq!(seen, [(33_334, 2, false, [0x50, 33, 30]), (81_667, 1, true, [0x57, 60, 60])]);
    assert_eq!((look(&mut rig, 1), look(&mut rig, 2)), (65, 42));
    // Another one that is set, not followed.
    rig.command("sensor_follow 0x20 0 2 constant 10 add 0x20 0 3 1");
    assert_eq!((look(&mut rig, 2), rig.sim.deadline()), (50, None));
    rig.command("sensor_set_value 0x20 0 3 55 0");
    assert_eq!((look(&mut rig, 2), rig.sim.event_log().len()), (65, 4));
    rig.command("mc_load 0x20 none");
    assert_eq!(look(&mut rig, 1), 35);
    for line in ["sensor_follow 0x20 0 3 constant 1 add 0x20 0 2 1", "sensor_follow 0x20 0 1 constant 1 add 0x20 0 1 1"]
    {
        rig.command(line);
        assert!(rig.faults.pop().is_some_and(|fault| fault.contains("come back to it")), "{line}");
    }
}

/// A record makes degrees of raw readings: 3x - 50.
#[test]
fn values_are_in_the_unit_of_the_record() {
    let mut rig = rig(&[1]);
    rig.command("sensor_follow 0x20 0 1 line from 100 to 145 over 450");
    assert_eq!((look(&mut rig, 1), rig.sim.event_log().len()), (100, 3), "raw without a record");
    rig.command(
        "main_sdr_add 0x20 0 0 0x51 0x01 0x2f 0x20 0 1 3 1 0x7f 0x68 1 1 0x80 0x0a 0x80 0x7a 0x38 0x38 \
         0 1 0 0 3 0 0xfb 0xc0 0 1 0 0 0 0 0xff 0 80 70 60 10 20 30 0 0 0 0 0 0xc4 'T 'e 'm 'p",
    );
    assert_eq!((look(&mut rig, 1), rig.sim.event_log().len()), (50, 6), "100 is 3 * 50 - 50");
    let (seen, wakes) = pass(&mut rig, 1000);
    // 60 is 130 degrees; what is nearer to it begins at 128.5.
    assert_eq!((seen, wakes), (vec![(285_001, 1, true, [0x57, 60, 60])], 1));
    assert_eq!(look(&mut rig, 1), 65);
}

#[test]
fn what_sets_a_reading_ends_the_following() {
    let mut rig = rig(&[1]);
    rig.command("sensor_follow 0x20 0 1 line from 40 to 90 over 50");
    rig.command("sensor_set_value 0x20 0 1 45 1");
    assert_eq!((pass(&mut rig, 100), look(&mut rig, 1)), ((Vec::new(), 0), 45));
    rig.command("sensor_follow 0x20 0 1 line from 40 to 90 over 50");
    rig.now = rig.now + Duration::from_secs(10);
    rig.command("sensor_follow 0x20 0 1 none");
    assert_eq!((pass(&mut rig, 100), look(&mut rig, 1)), ((Vec::new(), 0), 50));
}

#[test]
fn clients_read_what_is_now_and_thresholds_they_set_are_crossed() {
    let mut rig = rig(&[1]);
    rig.command("sensor_follow 0x20 0 1 line from 40 to 59 over 190");
    assert_eq!(rig.sim.deadline(), None);
    let mut client = administrator(&mut rig);
    let sessions = rig.sim.deadline();
    rig.now = rig.now + Duration::from_secs(50);
    assert_eq!(client.ask(&mut rig, SENSOR_EVENT, 0x2d, &[1])[..2], [0, 45]);
    // Upper non-critical 50.
    assert_eq!(client.ask(&mut rig, SENSOR_EVENT, 0x26, &[1, 0x08, 0, 0, 0, 50, 0, 0]), [0]);
    assert!(rig.sim.deadline() < sessions.map(|due| due + Duration::from_secs(50)));
    let (seen, _) = pass(&mut rig, 55);
    assert_eq!(seen, [(45_001, 1, true, [0x57, 50, 50])]);
}

#[test]
fn what_cannot_follow_is_said_and_what_does_is_shown() {
    let mut rig = rig(&[1]);
    rig.command("sensor_add 0x20 0 7 5 0x6f");
    rig.command("sensor_add 0x20 0 8 1 1 poll 1000 file \"x\"");
    for (sensor, text) in [
        (7, "Sensor 7 of MC 0x20, LUN 0: it has no thresholds (event/reading type code 1), so it follows nothing"),
        (8, "Sensor 8 of MC 0x20, LUN 0: it is polled: add it without poll"),
        (9, "Sensor 9 of MC 0x20, LUN 0: there is no such sensor"),
    ] {
        rig.command(&format!("sensor_follow 0x20 0 {sensor} constant 3"));
        assert_eq!(rig.faults.pop().as_deref(), Some(text));
    }
    rig.command("sensor_follow 0x20 0 1 sine mean 45 amplitude 4 period 40");
    rig.now = rig.now + Duration::from_secs(10);
    rig.effects.clear();
    rig.command("sensors");
    let shown = rig.effects.iter().find_map(|effect| match effect {
        Effect::Print { text, .. } => Some(text.clone()),
        _ => None,
    });
    assert_eq!(
        shown.unwrap().lines().nth(1),
        Some("LUN 0 sensor 1: raw 0x31, ok, follows sine mean 45 amplitude 4 period 40")
    );
}

/// What is shown of what a sensor follows is what makes it follow the same.
#[test]
fn what_a_sensor_follows_is_shown_as_it_is_said() {
    let mut rig = rig(&[1, 2]);
    let (_folder, path) = table("a b,c\n1,2\n3,4\n");
    for text in [
        "constant -4.5",
        "line from 40 to 90.25 over 50 off 0",
        "sine mean 45 amplitude 0.1 period 40 phase -3 min 31 max 59 load 30",
        "walk mean 45 amplitude 22 step 1 add 0x20 0 2 -0.5",
        "noise mean 45 amplitude 22 step 0.1 off 22 tau 120",
        &format!("csv \"{path}\" column \"a b\" time c linear repeat"),
        &format!("csv \"{path}\" column 2 every 0.5 off 3"),
    ] {
        rig.command(&format!("sensor_follow 0x20 0 1 {text}"));
        let id = SensorId { mc: McAddress::BMC, lun: 0, number: 1 };
        assert_eq!(
            (rig.sim.sensor(id).unwrap().follows.as_deref(), rig.faults.as_slice()),
            (Some(text), [].as_slice())
        );
    }
}

/// A table as a file.
fn table(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    std::fs::write(&path, text).unwrap();
    (folder, path.display().to_string())
}

#[test]
fn a_column_of_a_table_is_read_and_crosses_thresholds_to_the_millisecond() {
    let (_folder, path) = table("time,inlet,load\n1000,20,0\n1010,50,10\n1020.5,70,50\n1030,40,100\n");
    let mut rig = rig(&[1]);
    rig.command(&format!("sensor_follow 0x20 0 1 csv \"{path}\" column inlet time time"));
    assert_eq!((look(&mut rig, 1), rig.sim.event_log().len()), (20, 2));
    let (seen, wakes) = pass(&mut rig, 1_000_000);
    let [low, critical, high] = [(10_000, 20, 50), (10_000, 30, 50), (20_500, 60, 70)];
    let data = |(at, limit, raw), up, data| (at, 1, up, [data, raw, limit]);
    assert_eq!(
        seen,
        [
            data(critical, false, 0x50),
            data(low, false, 0x52),
            data(high, true, 0x57),
            data((20_500, 70, 70), true, 0x59),
            data((30_000, 60, 40), false, 0x57),
            data((30_000, 70, 40), false, 0x59),
        ]
    );
    assert_eq!((wakes, look(&mut rig, 1), rig.sim.deadline()), (3, 40, None));

    // On lines, and again and again: from 40 back to 20 in as long as the last step.
    rig.command(&format!("sensor_follow 0x20 0 1 csv \"{path}\" column 2 every 10 linear repeat min 31"));
    let (seen, wakes) = pass(&mut rig, 120);
    // 59.5 is at 14.75 s, 69.5 at 19.75, back 66.5 at 21.167 and 56.5 at 24.5; 34.5 and so on leave the lower ones alone.
    let wave: [(u128, bool, u8); 4] =
        [(14_751, true, 0x57), (19_751, true, 0x59), (21_167, false, 0x59), (24_500, false, 0x57)];
    let computed = (0..3).flat_map(|run| wave.map(|(at, up, data)| (at + run * 40_000, up, data)));
    let events: Vec<_> =
        seen.iter().filter(|event| event.3[0] >= 0x57).map(|event| (event.0, event.2, event.3[0])).collect();
    assert_eq!(events, computed.collect::<Vec<_>>());
    assert_eq!(wakes, seen.len(), "{seen:?}");

    // Load is a column as well.
    rig.command("sensor_follow 0x20 0 1 constant 31 load 20");
    rig.command(&format!("mc_load 0x20 csv \"{path}\" column load time time"));
    rig.now = rig.now + Duration::from_secs(25);
    assert_eq!(look(&mut rig, 1), 41);
    rig.now = rig.now + Duration::from_secs(25);
    assert_eq!((look(&mut rig, 1), rig.faults.as_slice()), (51, [].as_slice()));
}

#[test]
fn what_is_wrong_with_a_table_has_a_place_in_it() {
    let (_folder, path) = table("time,inlet\n0,20\n1,warm\n");
    let mut rig = rig(&[1]);
    rig.command(&format!("sensor_follow 0x20 0 1 csv \"{path}\" column inlet time time"));
    let fault = rig.faults.pop().unwrap();
    assert_eq!(fault, "expected a number such as 45 or -1.5, found 'warm'");
    rig.command("mc_load 0x20 csv \"/nowhere/a.csv\" column 1 every 1");
    let fault = rig.faults.pop().unwrap();
    assert_eq!(fault, "Could not read table /nowhere/a.csv: No such file or directory");
    assert_eq!(rig.sim.deadline(), None);
}

/// DCMI's power is what its sensor has read all the time, though nobody looked.
#[test]
fn the_power_meter_knows_what_was_between_two_looks() {
    let mut rig = rig(&[1]);
    rig.command(
        "main_sdr_add 0x20 0 0 0x51 0x01 0x30 0x20 0 1 0x13 1 0x7f 0x68 0x0b 1 0 0 0 0 0 0 0 6 0 0 4 0 0 0 1 0 1 0 0 0 0xff 0 \
         0 0 0 0 0 0 0 0 0 0 0 0xc5 'P 'o 'w 'e 'r",
    );
    rig.call(|sim, now, out| sim.control(now, Control::PowerUp, out).unwrap());
    rig.command("sensor_follow 0x20 0 1 line from 100 to 300 over 1000 off 20");
    rig.command("mc_set_dcmi_power 0x20 0 1");
    let read = |rig: &mut Rig| {
        let response = administrator(rig).ask(rig, 0x2c, 2, &[0xdc, 1, 0, 0]);
        [2, 4, 6, 8].map(|at| u16::from_le_bytes([response[at], response[at + 1]]))
    };
    rig.now = rig.now + Duration::from_secs(1000);
    let [present, lowest, highest, average] = read(&mut rig);
    assert_eq!((present, lowest, highest), (300, 100, 300));
    assert!((195..=205).contains(&average), "{average}");
    rig.now = rig.now + Duration::from_secs(1000);
    rig.call(|sim, now, out| sim.control(now, Control::PowerDown, out).unwrap());
    rig.now = rig.now + Duration::from_secs(2000);
    let [present, lowest, highest, average] = read(&mut rig);
    assert_eq!((present, lowest, highest), (20, 20, 300));
    // A quarter at 200, a quarter at 300, the half at 20.
    assert!((133..=137).contains(&average), "{average}");
}

/// A model of the power follows the load and the power, and the energy is what it has drawn, whoever looks when.
#[test]
fn a_power_model_follows_the_load_and_energy_is_its_integral() {
    const ENERGY: &str = "oem_add 0x20 0x30 0x45 response 0 energy=8";
    let run = |looks: &[u64]| {
        let mut rig = rig(&[1]);
        rig.command(ENERGY);
        rig.call(|sim, now, out| sim.control(now, Control::PowerUp, out).unwrap());
        rig.command("mc_power_model 0x20 idle 100 max 400 standby 10");
        rig.command("mc_load 0x20 line from 0 to 100 over 1000");
        assert_eq!((rig.sim.deadline(), rig.faults.as_slice()), (None, [].as_slice()));
        let mut client = administrator(&mut rig);
        let begin = rig.now;
        for look in looks {
            rig.now = begin + Duration::from_secs(*look);
            let response = client.ask(&mut rig, 0x2c, 2, &[0xdc, 1, 0, 0]);
            let watts = u16::from_le_bytes([response[2], response[3]]);
            assert_eq!(u64::from(watts), 100 + (look * 3 + 5) / 10, "at {look}");
        }
        rig.now = begin + Duration::from_secs(2000);
        rig.call(|sim, now, out| sim.control(now, Control::PowerDown, out).unwrap());
        rig.now = rig.now + Duration::from_secs(100);
        // Sessions have ended meanwhile.
        let mut client = administrator(&mut rig);
        let power = client.ask(&mut rig, 0x2c, 2, &[0xdc, 1, 0, 0]);
        let energy = client.ask(&mut rig, 0x30, 0x45, &[]);
        (power[2..8].to_vec(), u64::from_le_bytes(energy[1..9].try_into().unwrap()))
    };
    let (power, energy) = run(&[]);
    assert_eq!(power, [10, 0, 10, 0, 0x90, 1], "now, lowest, highest");
    // 250 W for 1000 s, 400 W for 1000 s, 10 W for 100 s.
    assert_eq!(energy, 651_000);
    assert_eq!(run(&[5, 17, 23, 40]).1, energy);
}

/// The energy of each kind of signal is the sum of what it is at each moment.
#[test]
fn energy_is_what_dense_sampling_finds() {
    let (_folder, path) = table("100\n250\n130\n");
    for signal in [
        "constant 200".to_owned(),
        "sine mean 200 amplitude 50 period 7".into(),
        "sine mean 200 amplitude 100 period 30 min 150 max 270".into(),
        "walk mean 200 amplitude 80 step 2".into(),
        "noise mean 200 amplitude 80 step 0.5".into(),
        "noise mean 100 amplitude 20 load 100 add 0x20 0 2 0.5".into(),
        format!("csv \"{path}\" column 1 every 3 repeat"),
        format!("csv \"{path}\" column 1 every 3 repeat linear"),
    ] {
        let mut rig = rig(&[1, 2]);
        rig.command("oem_add 0x20 0x30 0x45 response 0 energy=4");
        rig.command("mc_load 0x20 walk mean 50 amplitude 60");
        rig.command("sensor_follow 0x20 0 2 sine mean 50 amplitude 20 period 11");
        rig.command(
            "main_sdr_add 0x20 0 0 0x51 0x01 0x30 0x20 0 1 0x13 1 0x7f 0x68 0x0b 1 0 0 0 0 0 0 0 6 0 0 4 0 0 0 1 0 1 0 0 0 0xff 0 \
             0 0 0 0 0 0 0 0 0 0 0 0xc5 'P 'o 'w 'e 'r",
        );
        rig.command("mc_set_dcmi_power 0x20 0 1");
        rig.command(&format!("sensor_follow 0x20 0 1 {signal}"));
        assert_eq!(rig.faults, Vec::<String>::new());
        // Readings are whole watts times four: what they miss is as often above as below.
        let samples: Vec<f64> = (0..3000)
            .map(|_| {
                rig.now = rig.now + Duration::from_millis(10);
                f64::from(look(&mut rig, 1)) * 4.0
            })
            .collect();
        let sampled = samples.iter().sum::<f64>() / 100.0;
        let energy = administrator(&mut rig).ask(&mut rig, 0x30, 0x45, &[]);
        let energy = f64::from(u32::from_le_bytes(energy[1..5].try_into().unwrap()));
        assert!((energy - sampled).abs() < 0.01 * sampled, "{signal}: {energy} and {sampled}");
    }
}
