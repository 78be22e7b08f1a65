//! Polled sensors: when a file is due to be read, and what its content means
//! (`commands-sensor-storage.md` section 6).
//!
//! Reads nothing itself: a poll begins as a [`Job`] and ends with the job's result.

use std::time::Duration;

use super::{
    Place, Reporting, Sensor, SensorId, Sensors, THRESHOLD_CODE, find, find_scaled, follow, report, tell_power_meter,
};
use crate::bmc::external::{Background, FileContent, FileRead};
use crate::bmc::strtol::{is_blank, strtol};
use crate::bmc::{Action, At, LogLevel};
use crate::ipmi::{McAddress, Moment};

/// Most bytes that are read for a number in ASCII.
const ASCII_LENGTH: usize = 99;
/// Most bytes of a raw value.
const RAW_LENGTH: u32 = 4;
/// The shortest time between two polls: `poll 0` of the original means without a pause,
/// which would keep a small machine from everything else.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// What is in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// A number in ASCII; `base` as C's `strtol` takes it, 0 for its conventions.
    #[default]
    Ascii,
    /// Bytes, least significant first.
    Raw,
}

/// `depends=`: the sensor is there only while a state of another one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The other sensor; controller 0 is no dependency.
    pub sensor: SensorId,
    /// State bit, 0 to 14.
    pub bit: u8,
}

/// `poll MS file NAME [option...]` (`emu.md` section 7). The number read is masked, then
/// `subtract` is taken off, then it is multiplied and divided with rounding, in 32 bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PollSpec {
    /// Time between polls.
    pub interval: Duration,
    /// Path, relative to the working directory.
    pub path: String,
    /// Kind of content.
    pub content: Content,
    /// Where in the file it begins.
    pub offset: u32,
    /// How many bytes it has, at most 4; raw content only.
    pub length: u32,
    /// Number base, 0 or 2 to 36; ASCII only.
    pub base: i32,
    /// Bits that are kept; 0 keeps all.
    pub mask: i32,
    /// Taken off.
    pub subtract: i32,
    /// Factor; 0 is none.
    pub multiplier: i32,
    /// Divisor; 0 is none.
    pub divisor: i32,
    /// Another sensor's state this one depends on.
    pub depends: Option<Dependency>,
    /// States that hold at the start.
    pub initial_state: u16,
}

/// The polling side of a sensor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Poll {
    spec: PollSpec,
    /// When the timer fires, if it runs.
    next: Option<Moment>,
    /// Number of the latest poll; results of earlier ones are dropped.
    ticket: u64,
    in_flight: bool,
    /// Why the latest poll failed, if it did.
    failure: Option<String>,
}

impl Poll {
    pub(super) fn new(spec: PollSpec) -> Self {
        Self { spec, next: None, ticket: 0, in_flight: false, failure: None }
    }
}

/// A poll that has begun; hand it to [`finish_poll`] with the result of its job.
#[derive(Clone, Copy, Debug)]
pub struct Ticket(u64);

impl Sensors {
    /// Starts the timer of a polled sensor anew.
    pub(super) fn arm(&mut self, now: Moment, place: Place) {
        let Some(poll) = self.get_mut(place).and_then(|sensor| sensor.poll.as_mut()) else { return };
        let next = now + poll.spec.interval.max(MIN_INTERVAL);
        if let Some(old) = poll.next.replace(next) {
            self.timers.remove(&(old, place));
        }
        self.timers.insert((next, place));
    }

    /// Takes out the sensors whose timer has fired.
    fn take_due(&mut self, now: Moment) -> Vec<Place> {
        let mut due = Vec::new();
        while let Some(&(when, place)) = self.timers.first() {
            if when > now {
                break;
            }
            self.timers.pop_first();
            let Some(sensor) = self.inner_mut(place) else { continue };
            if let Some(poll) = sensor.poll.as_mut() {
                poll.next = None;
            }
            if let Some(follow) = sensor.follow.as_mut() {
                follow.next = None;
            }
            due.push(place);
        }
        due
    }

    /// When [`timeout`] must be called next.
    pub fn deadline(&self) -> Option<Moment> {
        self.timers.first().map(|(due, _)| *due)
    }
}

/// Begins the polls that are due, and looks at the sensors whose signals cross a threshold. The timer of a sensor that is not scanned is not started
/// again: enabling scanning does that.
pub fn timeout(at: &mut At<'_>, now: Moment) {
    for place in at.sensors.take_due(now) {
        let Some(sensor) = at.sensors.get(place) else { continue };
        if sensor.follow.is_some() {
            follow::due(at, now, place);
            continue;
        }
        if !sensor.scanning_enabled {
            continue;
        }
        if sensor.poll.as_ref().is_some_and(|poll| poll.in_flight) {
            // Reading takes longer than the interval: let it end.
            at.sensors.arm(now, place);
            continue;
        }
        in_background(at, now, place);
    }
}

/// Polls a sensor at once, without anybody waiting for it. Does nothing if it is not polled.
pub(super) fn in_background(at: &mut At<'_>, now: Moment, place: Place) {
    if let Some((read, ticket)) = begin_poll(at, now, place) {
        let then = Box::new(move |at: &mut At<'_>, now, content| finish_poll(at, now, place, ticket, content));
        at.start(Background::Read { mc: at.address, read, then });
    }
}

/// Begins a poll and starts the timer anew. `None`: the sensor is not polled, or its
/// dependency says that there is nothing to read.
pub fn begin_poll(at: &mut At<'_>, now: Moment, place: Place) -> Option<(FileRead, Ticket)> {
    at.sensors.arm(now, place);
    let depends = find(at, place).ok()?.poll.as_ref()?.spec.depends;
    if let Some(Dependency { sensor: other, bit }) = depends.filter(|depends| depends.sensor.mc != McAddress::NONE) {
        let found = at.machine().controller(other.mc).and_then(|mc| mc.sensors.get(other.place()));
        let Some(found) = found else {
            failed(at, place, "Invalid argument", "Invalid depends sensor");
            return None;
        };
        let there = found.status & 1u16.checked_shl(u32::from(bit)).unwrap_or(0) != 0;
        let sensor = find(at, place).ok()?;
        sensor.enabled = there;
        if !there {
            // Counts as a poll that succeeded; the reading is the last one.
            sensor.has_value = true;
            return None;
        }
    }
    let sensor = find(at, place).ok()?;
    let poll = sensor.poll.as_mut()?;
    poll.ticket += 1;
    poll.in_flight = true;
    let length = match poll.spec.content {
        Content::Ascii => ASCII_LENGTH,
        Content::Raw => poll.spec.length.min(RAW_LENGTH) as usize,
    };
    let read = FileRead { path: poll.spec.path.clone(), offset: u64::from(poll.spec.offset), length };
    Some((read, Ticket(poll.ticket)))
}

/// Ends a poll: the number in the file becomes the reading or the states, with the events
/// that gives; or the failure is logged and everything stays as it is.
pub fn finish_poll(at: &mut At<'_>, now: Moment, place: Place, ticket: Ticket, content: FileContent) {
    let Ok(sensor) = find(at, place) else { return };
    let Some(poll) = sensor.poll.as_mut() else { return };
    if poll.ticket != ticket.0 || !poll.in_flight {
        return;
    }
    poll.in_flight = false;
    let bytes = match content {
        Ok(bytes) => bytes,
        Err(problem) => return failed(at, place, &problem, "Unable to open sensor file"),
    };
    match interpret(&poll.spec, &bytes) {
        Ok(number) => {
            poll.failure = None;
            take_number(at, now, place, number);
        }
        Err(reason) => failed(at, place, "Invalid argument", reason),
    }
}

fn take_number(at: &mut At<'_>, now: Moment, place: Place, number: i32) {
    let Ok(sensor) = find_scaled(at, place) else { return };
    sensor.has_value = true;
    if sensor.event_reading_code == THRESHOLD_CODE {
        sensor.value = sensor.scale.format.raw(number);
        let notices = sensor.compare();
        report(at, now, place, Reporting::Events, notices.into_iter().flatten());
    } else {
        sensor.value = number as u8;
        let notices = states(sensor, number);
        report(at, now, place, Reporting::Events, notices.into_iter().flatten());
    }
    tell_power_meter(at, now, place);
    follow::read_by_others(at, place);
}

fn states(sensor: &mut Sensor, number: i32) -> [Option<super::Notice>; 15] {
    std::array::from_fn(|bit| sensor.set_state(bit as u8, (number >> bit & 1) as u8))
}

/// A failure is logged when it is a new one: a file that is missing for a year is one line,
/// not one for every poll.
fn failed(at: &mut At<'_>, place: Place, problem: &str, reason: &str) {
    let SensorId { mc, lun, number } = place.of(at.address);
    let text = format!("Error getting sensor value ({mc:x},{lun},{number}): {problem}, {reason}");
    let Some(poll) = find(at, place).ok().and_then(|sensor| sensor.poll.as_mut()) else { return };
    if poll.failure.as_ref() != Some(&text) {
        poll.failure = Some(text.clone());
        at.push(Action::ConsoleLog { level: LogLevel::Error, text });
    }
}

/// What the bytes read mean.
fn interpret(spec: &PollSpec, bytes: &[u8]) -> Result<i32, &'static str> {
    let number = match spec.content {
        Content::Ascii => ascii(bytes, spec.base).ok_or("Invalid data read from file")?,
        Content::Raw => {
            let length = spec.length.min(RAW_LENGTH) as usize;
            let bytes = bytes.get(..length).ok_or("Short data read from file")?;
            let mut word = [0; RAW_LENGTH as usize];
            word[..length].copy_from_slice(bytes);
            i32::from_le_bytes(word)
        }
    };
    Ok(convert(spec, number))
}

/// A number with nothing but a blank behind it. A NUL ends the text, as it ends a C string; of
/// a `long` the low 32 bits are kept.
fn ascii(text: &[u8], base: i32) -> Option<i32> {
    let (number, rest) = strtol(text, u32::try_from(base).ok()?)?;
    rest.first().is_none_or(|&byte| byte == 0 || is_blank(byte)).then_some(number as i32)
}

fn convert(spec: &PollSpec, mut number: i32) -> i32 {
    if spec.mask != 0 {
        number &= spec.mask;
    }
    number = number.wrapping_sub(spec.subtract);
    if spec.multiplier != 0 {
        number = number.wrapping_mul(spec.multiplier);
    }
    if spec.divisor != 0 {
        number = number.wrapping_add(spec.divisor / 2).wrapping_div(spec.divisor);
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ascii(text: &str, spec: PollSpec) -> Result<i32, &'static str> {
        interpret(&spec, text.as_bytes())
    }

    fn spec() -> PollSpec {
        PollSpec::default()
    }

    #[test]
    fn observed_numbers() {
        for (text, spec, expected) in [
            ("100", PollSpec { divisor: 3, ..spec() }, 33),
            ("101", PollSpec { divisor: 2, ..spec() }, 51),
            ("10", PollSpec { subtract: 3, multiplier: 2, divisor: 4, ..spec() }, 4),
            ("50", PollSpec { mask: 0x3f, subtract: 10, multiplier: 3, divisor: 2, ..spec() }, 60),
            ("010", spec(), 8),
            ("30 foo", spec(), 30),
            ("-5\n", spec(), -5),
            ("7f\n", PollSpec { base: 16, ..spec() }, 0x7f),
            ("0x7f", PollSpec { base: 16, ..spec() }, 0x7f),
            ("0x7F\r\n", spec(), 0x7f),
            ("+7\n", spec(), 7),
            ("99999999999", spec(), 0x4876e7ff),
            ("99999999999999999999999", spec(), -1),
        ] {
            assert_eq!(ascii(text, spec), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_number() {
        for text in ["", "   \n", "12x", "30foo", "0x", "- 7", "09", "x"] {
            assert_eq!(ascii(text, spec()), Err("Invalid data read from file"), "{text:?}");
        }
        for base in [1, 37, -10] {
            assert!(ascii("7", PollSpec { base, ..spec() }).is_err(), "base {base}");
        }
    }

    #[test]
    fn raw_bytes() {
        let raw = |length, bytes: &[u8]| interpret(&PollSpec { content: Content::Raw, length, ..spec() }, bytes);
        assert_eq!(raw(2, &[0x10, 0x11]), Ok(0x1110));
        assert_eq!(raw(9, &[1, 2, 3, 4, 5]), Ok(0x04030201));
        assert_eq!(raw(0, &[]), Ok(0));
        assert_eq!(raw(2, &[0x55]), Err("Short data read from file"));
    }

    #[test]
    fn arithmetic_never_panics() {
        let extreme = PollSpec { subtract: i32::MIN, multiplier: i32::MIN, divisor: -1, ..spec() };
        assert!(ascii("-2147483648", extreme).is_ok());
    }
}
