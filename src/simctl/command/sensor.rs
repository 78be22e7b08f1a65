//! `sensor`: readings, and what they are set to.

use clap::{ArgGroup, Args};
use clap_complete::engine::ArgValueCompleter;
use hyper::Method;
use serde_json::{Value, json};

use super::{Mc, Target};
use crate::simctl::completion;
use crate::simctl::context::Context;
use crate::simctl::door::{Door, bmc_path};
use crate::simctl::failure::{Failure, Status};
use crate::simctl::model::{Sensor as Told, Sensors, Thresholds, read};
use crate::simctl::number;
use crate::simctl::output::Output;
use crate::simctl::sensor_choice::{SensorChoice, sensors};
use crate::simctl::several;
use crate::simctl::style::Style;
use crate::simctl::table::{Cell, Table};

/// The options of `sensor`.
#[derive(Clone, Debug, Args)]
#[command(
    group = ArgGroup::new("new").args(["value", "raw", "states", "follow"]).requires("sensor"),
    after_help = "\
A value beyond a threshold makes the events that the sensor is set up for.

Examples:
  ipmi_simctl sensor node1
  ipmi_simctl sensor node1 'CPU Temp'
  ipmi_simctl sensor node1 'CPU Temp' --value 92.5
  ipmi_simctl sensor 'node*' 0x20/0/1 --raw 0x70
  ipmi_simctl sensor node1 5 --states 0,3
  ipmi_simctl sensor node1 'CPU Temp' --follow 'sine mean 50 amplitude 8 period 600 off 22 tau 90'"
)]
pub struct Sensor {
    #[command(flatten)]
    target: Target,

    /// Its name, its number, or MC/LUN/NUMBER. Without it all are listed
    #[arg(value_name = "SENSOR", add = ArgValueCompleter::new(completion::sensors))]
    sensor: Option<SensorChoice>,

    /// Set it to a value in its unit
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    value: Option<f64>,

    /// Set its raw reading
    #[arg(long, value_name = "BYTE", value_parser = number::byte)]
    raw: Option<u8>,

    /// Have exactly these states hold, by bit number; '' for none
    #[arg(long, value_name = "BITS", value_parser = states)]
    states: Option<States>,

    /// Have it follow a signal, as in the statement sensor_follow; none to end that
    #[arg(long, value_name = "SIGNAL")]
    follow: Option<String>,

    #[command(flatten)]
    mc: Mc,
}

/// State bits.
#[derive(Clone, Debug, PartialEq, Eq)]
struct States(Vec<u8>);

/// Bit numbers with commas between them.
fn states(text: &str) -> Result<States, String> {
    let bits = text.split(',').map(str::trim).filter(|bit| !bit.is_empty());
    let bits: Result<Vec<u8>, String> = bits.map(number::byte).collect();
    bits.ok()
        .filter(|bits| bits.iter().all(|bit| *bit < 15))
        .map(States)
        .ok_or_else(|| "expected bit numbers from 0 to 14 with commas between them".into())
}

impl Sensor {
    /// Does it.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let name = &self.target.name;
        match &self.sensor {
            None => {
                let work = async |door: &Door, name: &str| {
                    door.get(&bmc_path(name, &format!("/sensors{}", self.mc.query()))).await
                };
                several::each(context, name, "Asking", work, present_list).await
            }
            Some(choice) => {
                let what = if self.body().is_some() { "Setting" } else { "Asking" };
                let work = async |door: &Door, name: &str| self.one(door, name, choice).await;
                several::each(context, name, what, work, present_one).await
            }
        }
    }

    fn body(&self) -> Option<Value> {
        match (self.value, self.raw, &self.states, &self.follow) {
            (Some(value), ..) => Some(json!({"value": value})),
            (_, Some(raw), ..) => Some(json!({"raw": raw})),
            (_, _, Some(States(bits)), _) => Some(json!({"states": bits})),
            (.., Some(signal)) => Some(json!({"follow": signal})),
            (None, None, None, None) => None,
        }
    }

    async fn one(&self, door: &Door, name: &str, choice: &SensorChoice) -> Result<Value, Failure> {
        let path = match choice.path() {
            Some(path) => path,
            None => choice.find(name, &sensors(door, name, self.mc.address).await?)?,
        };
        let path = bmc_path(name, &path);
        match self.body() {
            None => door.get(&path).await,
            Some(body) => Ok(door.ask(Method::PUT, &path, Some(&body)).await?.1),
        }
    }
}

const TITLES: [&str; 8] = ["BMC", "SENSOR", "NAME", "#VALUE", "UNIT", "#RAW", "STATE", "FOLLOWS"];

fn present_list(output: &mut Output<'_>, bmcs: &[(String, Value)]) -> Result<(), Failure> {
    let mut table = Table::new(&TITLES);
    for (bmc, value) in bmcs {
        for sensor in read::<Sensors>(value)?.sensors {
            row(&mut table, bmc, &read(&sensor)?);
        }
    }
    let table = table.without_empty_last();
    output.table(&if bmcs.len() > 1 { table } else { table.of_one() })
}

fn row(table: &mut Table, bmc: &str, sensor: &Told) {
    let (state, style) = state(sensor);
    table.row([
        bmc.into(),
        format!("{:#04x}/{}/{}", sensor.mc, sensor.lun, sensor.number).into(),
        sensor.name.clone().unwrap_or_default().into(),
        sensor.value.map(shown).unwrap_or_default().into(),
        sensor.unit.clone().filter(|_| sensor.value.is_some()).unwrap_or_default().into(),
        sensor.raw.map(|raw| format!("{raw:#04x}")).unwrap_or_default().into(),
        Cell::styled(state, style),
        sensor.follows.clone().unwrap_or_default().into(),
    ]);
}

fn present_one(output: &mut Output<'_>, bmcs: &[(String, Value)]) -> Result<(), Failure> {
    if bmcs.len() > 1 {
        let mut table = Table::new(&TITLES);
        for (bmc, value) in bmcs {
            row(&mut table, bmc, &read(value)?);
        }
        return output.table(&table.without_empty_last());
    }
    for (_, value) in bmcs {
        let sensor: Told = read(value)?;
        let mut table = Table::new(&TITLES);
        row(&mut table, "", &sensor);
        output.table(&table.of_one().without_empty_last())?;
        if let Some(thresholds) = &sensor.thresholds {
            output.section("Thresholds", table_of(thresholds, &sensor.crossed))?;
        }
    }
    Ok(())
}

fn table_of(thresholds: &Thresholds, crossed: &[String]) -> Table {
    let mut table = Table::new(&["THRESHOLD", "#VALUE", "STATE"]);
    for (name, value) in [
        ("upper_non_recoverable", thresholds.upper_non_recoverable),
        ("upper_critical", thresholds.upper_critical),
        ("upper_non_critical", thresholds.upper_non_critical),
        ("lower_non_critical", thresholds.lower_non_critical),
        ("lower_critical", thresholds.lower_critical),
        ("lower_non_recoverable", thresholds.lower_non_recoverable),
    ] {
        let Some(value) = value else { continue };
        let is_crossed = crossed.iter().any(|crossed| crossed == name);
        let state = if is_crossed { Cell::styled("crossed", Style::of_threshold(name)) } else { Cell::default() };
        table.row([name.replace('_', " ").into(), shown(value).into(), state]);
    }
    table
}

/// A value to at most three places.
fn shown(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What holds, in words, and how much that matters.
fn state(sensor: &Told) -> (String, Style) {
    let worst = |style: Style, name: &String| match Style::of_threshold(name) {
        Style::Bad => Style::Bad,
        other if style == Style::Plain => other,
        _ => style,
    };
    match sensor {
        Told { present: false, .. } => ("not present".into(), Style::Quiet),
        Told { scanning: false, .. } => ("not scanned".into(), Style::Quiet),
        Told { crossed, .. } if !crossed.is_empty() => {
            (crossed.join(", ").replace('_', " "), crossed.iter().fold(Style::Plain, worst))
        }
        // Threshold-based sensors have the event/reading type 1; their state bits are what is crossed.
        Told { event_type: 1, .. } => ("ok".into(), Style::Plain),
        Told { states, .. } if states.is_empty() => ("none".into(), Style::Plain),
        Told { states, .. } => {
            let states: Vec<String> = states.iter().map(ToString::to_string).collect();
            (format!("state {}", states.join(", ")), Style::Plain)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_bits() {
        assert_eq!(states("0,3"), Ok(States(vec![0, 3])));
        assert_eq!(states(" 0x0e "), Ok(States(vec![14])));
        assert_eq!(states(""), Ok(States(vec![])));
        assert!(states("15").is_err() && states("a").is_err());
    }

    #[test]
    fn a_value_has_no_noise() {
        assert_eq!((shown(92.5), shown(3000.0), shown(-0.25)), ("92.5".into(), "3000".into(), "-0.25".into()));
        assert_eq!(shown(11.999_999_9), "12");
    }

    #[test]
    fn the_worst_threshold_gives_the_style() {
        let crossed = vec!["upper_non_critical".into(), "upper_critical".into()];
        let sensor = Told { present: true, scanning: true, event_type: 1, crossed, ..Told::default() };
        assert_eq!(state(&sensor), ("upper non critical, upper critical".into(), Style::Bad));
        let sensor = Told { crossed: Vec::new(), states: vec![6], ..sensor };
        assert_eq!(state(&sensor), ("ok".into(), Style::Plain));
        let sensor = Told { event_type: 0x6f, states: vec![0, 3], ..sensor };
        assert_eq!(state(&sensor), ("state 0, 3".into(), Style::Plain));
    }
}
