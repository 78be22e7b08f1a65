//! `sensor_follow` and `mc_load`: how a value changes over time, and what it is coupled to.
//!
//! Behind the words of an address everything is a name with a number behind it, in any order.

use std::ops::Range;

use super::words::{mc_address, sensor, uchar_of};
use super::{Command, SensorAddress};
use crate::config::arguments::{Arguments, Fault, Found};
use crate::config::grammar::Rule;
use crate::config::suggest::nearest;
use crate::config::text::clip;
use crate::ipmi::McAddress;
use crate::settings::follow::{Decimal, Following, Random, Shape};

/// Each shape with the names that it needs, and those that it may have.
const SHAPES: &[(&str, &[&str], &[&str])] = &[
    ("constant", &[], &[]),
    ("line", &["from", "to", "over"], &[]),
    ("sine", &["mean", "amplitude", "period"], &["phase"]),
    ("walk", &["mean", "amplitude"], &["step"]),
    ("noise", &["mean", "amplitude"], &["step"]),
];
/// What a sensor may have beside.
const OF_SENSORS: &[&str] = &["min", "max", "load", "add", "off", "tau"];
/// The shortest step of a random shape, in seconds.
const SHORTEST_STEP: f64 = 0.1;

/// `sensor_follow MC LUN SENSOR none|SHAPE ...`
pub(super) fn sensor_follow(a: &mut Arguments<'_>) -> Result<Command, Fault> {
    let sensor = sensor(a)?;
    let mut options = Options::default();
    let Some(shape) = options.shape(&mut a.inner(), OF_SENSORS)? else {
        return Ok(Command::SensorFollow { sensor, following: None });
    };
    let tau = options.at_least("tau", 0.0)?;
    if let (Some((_, range)), None) = (options.found("tau"), options.get("off")) {
        return Err(Fault::new(range, "tau is how fast the value goes to what it is without power: give off, too"));
    }
    let (lowest, highest) = (options.get("min"), options.get("max"));
    if let (Some(low), Some((high, range))) = (lowest, options.found("max"))
        && low > high
    {
        return Err(Fault::new(range, "Invalid max given: it is below min"));
    }
    let following = Following {
        shape,
        lowest,
        highest,
        load_gain: options.get("load").unwrap_or_default(),
        add: options.add,
        off: options.get("off"),
        tau: tau.unwrap_or_default(),
    };
    Ok(Command::SensorFollow { sensor, following: Some(Box::new(following)) })
}

/// `mc_load MC none|SHAPE ...`
pub(super) fn mc_load(a: &mut Arguments<'_>) -> Result<Command, Fault> {
    let mc = mc_address(a)?;
    let shape = Options::default().shape(&mut a.inner(), &[])?;
    Ok(Command::McLoad { mc, shape })
}

/// What has been given by name.
#[derive(Default)]
struct Options {
    found: Vec<(&'static str, Decimal, Range<usize>)>,
    add: Option<(SensorAddress, Decimal)>,
}

impl Options {
    /// Reads a shape with everything that follows, of which `others` belong to no shape.
    fn shape(&mut self, words: &mut Arguments<'_>, others: &[&'static str]) -> Result<Option<Shape>, Fault> {
        let names = || SHAPES.iter().map(|(name, ..)| *name).chain(["none"]);
        let word =
            words.next().map_err(|missing| missing.fault(format!("No signal given: expected {}", list(names()))))?;
        if word.text == "none" {
            return Ok(None);
        }
        let Some((name, needed, possible)) = SHAPES.iter().find(|(name, ..)| *name == word.text) else {
            return Err(unknown(&word, "signal", names()));
        };
        let constant = match *name {
            "constant" => Some(self.number(words, "value")?.0),
            _ => None,
        };
        let known: Vec<&'static str> = [needed, possible, others].into_iter().flatten().copied().collect();
        self.take(words, &known)?;
        if let Some(missing) = needed.iter().find(|name| self.get(name).is_none()) {
            let message = format!("No {missing} given: {name} has {}", list(needed.iter().copied()));
            return Err(word.fault(message));
        }
        let get = |name: &str| self.get(name).unwrap_or_default();
        Ok(Some(match *name {
            "line" => {
                let over = self.at_least("over", 0.0)?.unwrap_or_default();
                Shape::Line { from: get("from"), to: get("to"), over }
            }
            "sine" => {
                let period = self.at_least("period", SHORTEST_STEP)?.unwrap_or_default();
                Shape::Sine { mean: get("mean"), amplitude: get("amplitude"), period, phase: get("phase") }
            }
            "walk" => Shape::Walk(self.random()?),
            "noise" => Shape::Noise(self.random()?),
            _ => Shape::Constant(constant.unwrap_or_default()),
        }))
    }

    fn random(&self) -> Result<Random, Fault> {
        let get = |name: &str| self.get(name).unwrap_or_default();
        let step = self.at_least("step", SHORTEST_STEP)?.or(Decimal::new(1.0)).unwrap_or_default();
        Ok(Random { mean: get("mean"), amplitude: get("amplitude"), step })
    }

    /// Reads names with their numbers up to the end of the statement.
    fn take(&mut self, words: &mut Arguments<'_>, known: &[&'static str]) -> Result<(), Fault> {
        loop {
            let word = match words.next() {
                Ok(word) => word,
                Err(missing) if words.unknown_variable().is_some() => return Err(missing.fault("No option given")),
                Err(_) => return Ok(()),
            };
            let Some(name) = known.iter().find(|name| **name == word.text) else {
                return Err(unknown(&word, "option", known.iter().copied()));
            };
            if self.found(name).is_some() || *name == "add" && self.add.is_some() {
                return Err(word.fault(format!("{name} is given twice")));
            }
            match *name {
                "add" => self.add = Some(self.other(words)?),
                name => {
                    let (value, range) = self.number(words, name)?;
                    self.found.push((name, value, range));
                }
            }
        }
    }

    /// What `add` has: a sensor and a factor.
    fn other(&self, words: &mut Arguments<'_>) -> Result<(SensorAddress, Decimal), Fault> {
        let mut byte = |what: &str| {
            let word = words.next().map_err(|missing| missing.fault(format!("No {what} given for add")))?;
            uchar_of(&word.sorted_as(Rule::uchar), what)
        };
        let (mc, lun, number) = (McAddress(byte("MC address")?), byte("LUN")?, byte("sensor num")?);
        Ok((SensorAddress { mc, lun, number }, self.number(words, "factor")?.0))
    }

    fn number(&self, words: &mut Arguments<'_>, what: &str) -> Result<(Decimal, Range<usize>), Fault> {
        let word = words.next().map_err(|missing| missing.fault(format!("No {what} given: expected a number")))?;
        // As it is written, not as Rust has it: no `inf`, no `1e3`.
        let plain = word.text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
        let number = word.text.parse().ok().filter(|_| plain).and_then(Decimal::new);
        let range = word.range.clone();
        number.map(|number| (number, range)).ok_or_else(|| {
            word.fault(format!("Invalid {what} given: found {}, expected a number such as 45 or -1.5", word.quoted()))
        })
    }

    fn found(&self, name: &str) -> Option<(Decimal, Range<usize>)> {
        self.found.iter().find(|(found, ..)| *found == name).map(|(_, value, range)| (*value, range.clone()))
    }

    fn get(&self, name: &str) -> Option<Decimal> {
        self.found(name).map(|(value, _)| value)
    }

    fn at_least(&self, name: &str, lowest: f64) -> Result<Option<Decimal>, Fault> {
        match self.found(name) {
            Some((value, range)) if f64::from(value) < lowest => {
                Err(Fault::new(range, format!("Invalid {name} given: expected at least {lowest} seconds")))
            }
            found => Ok(found.map(|(value, _)| value)),
        }
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn unknown<'a>(word: &Found<'_>, what: &str, names: impl Iterator<Item = &'a str> + Clone) -> Fault {
    let hint = nearest(word.text, names.clone());
    let hint = hint.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
    word.fault(format!("Unknown {what}: {}, expected {}{hint}", clip(word.text), list(names)))
}
