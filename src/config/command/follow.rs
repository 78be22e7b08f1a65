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
use crate::ipmi::{Behind, Between, McAddress};
use crate::settings::follow::{Column, Csv, CsvSource, Decimal, Following, PowerModel, Random, Shape, Times};

/// Each shape with the names that it needs, and those that it may have.
const SHAPES: &[(&str, &[&str], &[&str])] = &[
    ("constant", &[], &[]),
    ("line", &["from", "to", "over"], &[]),
    ("sine", &["mean", "amplitude", "period"], &["phase"]),
    ("walk", &["mean", "amplitude"], &["step"]),
    ("noise", &["mean", "amplitude"], &["step"]),
    (CSV, &[], &["column", "time", "every", "linear", "repeat"]),
];
/// The shape that is in a file.
const CSV: &str = "csv";
/// What a sensor may have beside.
const OF_SENSORS: &[&str] = &["min", "max", "load", "add", "off", "tau"];
/// What a machine that is off draws unless said, in watts.
const STANDBY: f64 = 8.0;
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

/// `mc_power_model MC none|idle WATTS max WATTS [standby WATTS]`
pub(super) fn mc_power_model(a: &mut Arguments<'_>) -> Result<Command, Fault> {
    const NAMES: [&str; 3] = ["idle", "max", "standby"];
    let mc = mc_address(a)?;
    let mut words = a.inner();
    let mut rest = words.again(Rule::words, words.position())?;
    let first = words.next().map_err(|missing| missing.fault("No model given: expected none, or idle and max"))?;
    if first.text == "none" {
        return Ok(Command::McPowerModel { mc, model: None });
    }
    let mut options = Options::default();
    options.take(&mut rest, &NAMES)?;
    let given = |name: &str| match options.found(name) {
        Some((watts, range)) if !(0.0..=f64::from(u16::MAX)).contains(&f64::from(watts)) => {
            Err(Fault::new(range, format!("Invalid {name} given: expected 0 to {} watts", u16::MAX)))
        }
        found => Ok(found.map(|(watts, _)| watts)),
    };
    let needed =
        |name: &str| given(name)?.ok_or_else(|| first.fault(format!("No {name} given: a model has idle and max")));
    let (idle, highest) = (needed("idle")?, needed("max")?);
    if let Some((_, range)) = options.found("max").filter(|_| highest < idle) {
        return Err(Fault::new(range, "Invalid max given: it is below idle"));
    }
    let standby = given("standby")?.or(Decimal::new(STANDBY)).unwrap_or_default();
    Ok(Command::McPowerModel { mc, model: Some(PowerModel { idle, highest, standby }) })
}

/// What has been given by name.
#[derive(Default)]
struct Options {
    found: Vec<(&'static str, Decimal, Range<usize>)>,
    add: Option<(SensorAddress, Decimal)>,
    /// `column` and `time`.
    columns: Vec<(&'static str, Column, Range<usize>)>,
    /// What needs nothing behind it.
    flags: Vec<&'static str>,
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
        let path = match *name {
            CSV => Some(string(words, "Error with the name of the table")?),
            _ => None,
        };
        let known: Vec<&'static str> = [needed, possible, others].into_iter().flatten().copied().collect();
        self.take(words, &known)?;
        if let Some(missing) = needed.iter().find(|name| self.get(name).is_none()) {
            let message = format!("No {missing} given: {name} has {}", list(needed.iter().copied()));
            return Err(word.fault(message));
        }
        if let Some(path) = path {
            return self.csv(&word, path).map(|source| Some(Shape::Csv(Box::new(Csv { source, recording: None }))));
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

    /// What a table is read by.
    fn csv(&mut self, word: &Found<'_>, path: String) -> Result<CsvSource, Fault> {
        let mut column = |name: &str| {
            let place = self.columns.iter().position(|(known, ..)| *known == name);
            place.map(|place| self.columns.swap_remove(place)).map(|(_, column, range)| (column, range))
        };
        let Some((value, _)) = column("column") else {
            return Err(word.fault("No column given: csv has column, and time or every"));
        };
        let times = match (column("time"), self.at_least("every", SHORTEST_STEP)?) {
            (Some((_, range)), Some(_)) => {
                return Err(Fault::new(range, "time and every are given: expected one of them"));
            }
            (Some((time, _)), None) => Times::Column(time),
            (None, Some(step)) => Times::Every(step),
            (None, None) => return Err(word.fault("No time given: expected time COLUMN or every SECONDS")),
        };
        let has = |flag| self.flags.contains(&flag);
        let between = if has("linear") { Between::Linear } else { Between::Hold };
        let behind = if has("repeat") { Behind::Repeat } else { Behind::Stop };
        Ok(CsvSource { path, column: value, times, between, behind })
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
            if self.is_given(name) {
                return Err(word.fault(format!("{name} is given twice")));
            }
            match *name {
                "add" => self.add = Some(self.other(words)?),
                name @ ("linear" | "repeat") => self.flags.push(name),
                name @ ("column" | "time") => {
                    let (column, range) = column(words, name)?;
                    self.columns.push((name, column, range));
                }
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

    fn is_given(&self, name: &str) -> bool {
        let columns = || self.columns.iter().map(|(name, ..)| *name);
        let flags = || self.flags.iter().copied().chain(columns());
        self.found(name).is_some() || name == "add" && self.add.is_some() || flags().any(|given| given == name)
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

/// A column, by its number or by its name, which is in quotes if it has blanks.
fn column(words: &mut Arguments<'_>, what: &str) -> Result<(Column, Range<usize>), Fault> {
    let expected = "expected the number or the name of a column";
    let before = words.position();
    let word = words.next().map_err(|missing| missing.fault(format!("No {what} given: {expected}")))?;
    if word.variable.is_none() && word.text.starts_with(['"', '\'']) {
        *words = words.again(Rule::words, before)?;
        let name = string(words, &format!("Error with {what}"))?;
        return Ok((Column::Name(name), before..words.position()));
    }
    let column = match word.text.bytes().all(|byte| byte.is_ascii_digit()) {
        false => Column::Name(word.text.to_owned()),
        true => {
            let number = word.text.parse().ok().filter(|number| *number > 0);
            Column::Number(number.ok_or_else(|| word.fault(format!("Invalid {what} given: {expected}, from 1 on")))?)
        }
    };
    Ok((column, word.range.clone()))
}

/// The string that comes next among words.
fn string(words: &mut Arguments<'_>, outer: &str) -> Result<String, Fault> {
    let (text, range) = words.again(Rule::csv_file, words.position())?.string().map_err(|fault| fault.inside(outer))?;
    *words = words.again(Rule::words, range.end)?;
    Ok(text)
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn unknown<'a>(word: &Found<'_>, what: &str, names: impl Iterator<Item = &'a str> + Clone) -> Fault {
    let hint = nearest(word.text, names.clone());
    let hint = hint.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
    word.fault(format!("Unknown {what}: {}, expected {}{hint}", clip(word.text), list(names)))
}
