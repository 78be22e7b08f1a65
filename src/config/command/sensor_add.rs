//! `sensor_add` and how a sensor is polled (`emu.md` section 7).

use std::ops::Range;

use super::words::{sensor, uchar, uint_of};
use super::{Command, SensorAddress, SensorDependency, SensorPoll};
use crate::config::arguments::{Arguments, Fault, Found};
use crate::config::grammar::Rule;
use crate::config::number;
use crate::config::suggest::nearest;
use crate::config::text::{clip, quote};
use crate::ipmi::McAddress;

pub(super) fn sensor_add(a: &mut Arguments<'_>) -> Result<Command, Fault> {
    let sensor = sensor(a)?;
    let sensor_type = uchar(a, "sensor type")?;
    let event_reading_code = uchar(a, "event reading code")?;
    let mut event_only = false;
    let mut poll = None;
    let mut words = a.again(Rule::words, a.position())?;
    while let Some(option) = words.next_if_any() {
        match option.text {
            "event-only" => event_only = true,
            "poll" => {
                let rate = words.next().map_err(|missing| missing.fault("No poll rate given"))?;
                let interval = uint_of(&rate.sorted_as(Rule::uint), "poll rate")?;
                let handler = words
                    .next()
                    .map_err(|missing| missing.fault("No polled sensor handler given: expected file \"PATH\""))?;
                if handler.text != "file" {
                    let message = format!("Invalid sensor handler: {}, expected file", clip(handler.text));
                    return Err(handler.fault(message));
                }
                if event_only {
                    return Err(option.fault("An event-only sensor cannot be polled"));
                }
                let arguments = a.again(Rule::poll_file, handler.range.end)?;
                poll = Some(
                    poll_file(arguments, interval)
                        .map_err(|fault| fault.inside("Error initializing sensor handler"))?,
                );
                break;
            }
            text => {
                let hint = nearest(text, ["event-only", "poll"]);
                let hint = hint.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
                let message = format!("Unknown sensor option: {}, expected event-only or poll{hint}", clip(text));
                return Err(option.fault(message));
            }
        }
    }
    Ok(Command::SensorAdd { sensor, sensor_type, event_reading_code, event_only, poll })
}

/// What follows `poll MS file`.
fn poll_file(mut a: Arguments<'_>, interval: u32) -> Result<SensorPoll, Fault> {
    let (path, _) = a.string()?;
    let mut poll = SensorPoll {
        interval,
        path,
        divisor: 0,
        multiplier: 0,
        subtract: 0,
        base: 0,
        mask: 0,
        offset: 0,
        length: 0,
        raw: false,
        depends: None,
        initial_state: 0,
    };
    while let Some(option) = a.next_if_any() {
        match option.rule {
            Rule::divisor => poll.divisor = signed(&option, "div")?,
            Rule::multiplier => poll.multiplier = signed(&option, "mult")?,
            Rule::subtract => poll.subtract = signed(&option, "sub")?,
            Rule::base => poll.base = signed(&option, "base")?,
            Rule::bit_mask => poll.mask = signed(&option, "mask")?,
            Rule::offset => poll.offset = number::u32_of(unsigned(&option, "offset")?),
            Rule::length => poll.length = number::u32_of(unsigned(&option, "length")?),
            Rule::initial_state => poll.initial_state = unsigned(&option, "initstate")? as u16,
            Rule::raw => poll.raw = true,
            Rule::ascii => poll.raw = false,
            Rule::depends => poll.depends = Some(depends(&option)?),
            _ => {
                return Err(option.fault(format!(
                    "Invalid file option, options are div= and base= and mult= sub= mask= offset= length= raw ascii \
                     depends= initstate=: found {}",
                    option.quoted()
                )));
            }
        }
    }
    Ok(poll)
}

/// The value of an option `WORD=VALUE`, and where in the word it is. An empty value is 0.
fn value<'a>(option: &Found<'a>) -> (&'a str, Range<usize>) {
    match option.parts(option.rule).first() {
        Some(pair) if pair.as_str().is_empty() => ("0", pair.as_span().start()..pair.as_span().end()),
        Some(pair) => (pair.as_str(), pair.as_span().start()..pair.as_span().end()),
        None => ("", 0..option.text.len()),
    }
}

fn unsigned(option: &Found<'_>, name: &str) -> Result<u64, Fault> {
    let (text, place) = value(option);
    number::unsigned(text).ok_or_else(|| {
        option.fault_at(place, format!("Invalid {name} value: {}{}", number::complaint(text), fraction(name, text)))
    })
}

fn signed(option: &Found<'_>, name: &str) -> Result<i32, Fault> {
    let (text, place) = value(option);
    number::signed(text).map(number::i32_of).ok_or_else(|| {
        option.fault_at(place, format!("Invalid {name} value: {}{}", number::complaint(text), fraction(name, text)))
    })
}

/// How a fraction is written in this language, which multiplies before it divides.
fn fraction(name: &str, text: &str) -> String {
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite() && (0.0001..100_000.0).contains(value));
    match (name, value.filter(|_| text.contains('.'))) {
        ("div", Some(value)) => format!(", for example mult=10000 div={:.0}", value * 10_000.0),
        ("mult", Some(value)) => format!(", for example mult={:.0} div=10000", value * 10_000.0),
        _ => String::new(),
    }
}

/// `depends=MC,LUN,SENSOR,BIT`; empty items are skipped, what follows the fourth is ignored.
fn depends(option: &Found<'_>) -> Result<SensorDependency, Fault> {
    let parts = option.parts(Rule::depends);
    let mut items = parts.iter().filter(|item| !item.as_str().is_empty());
    let mut item = |what: &str, invalid: &str, most: u64| {
        let Some(item) = items.next() else {
            return Err(option.fault(format!("No {what} for sensor depends: expected depends=MC,LUN,SENSOR,BIT")));
        };
        let place = item.as_span().start()..item.as_span().end();
        let lead = format!("Invalid depends {invalid}");
        match number::unsigned(item.as_str()) {
            Some(value) if value <= most => Ok(value as u8),
            Some(_) => Err(option.fault_at(place, format!("{lead}: {} is not in 0 to {most}", quote(item.as_str())))),
            None => Err(option.fault_at(place, format!("{lead}: {}", number::complaint(item.as_str())))),
        }
    };
    let mc = McAddress(item("mc address", "mc addr", 255)?);
    let lun = item("lun", "lun", 3)?;
    let number = item("sensor number", "sensor_number", 255)?;
    let bit = item("sensor bit", "sensor bit", 14)?;
    Ok(SensorDependency { sensor: SensorAddress { mc, lun, number }, bit })
}
