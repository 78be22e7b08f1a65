//! What can be waited for: how it is written, and whether it holds or has happened. Asks nobody.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::model::{Sensor, Summary};
use super::sensor_choice::SensorChoice;

/// What is waited for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    /// As it was written.
    text: String,
    /// What that is.
    pub(super) kind: Kind,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// The server is ready.
    Ready,
    /// The BMC is there and runs.
    Running,
    /// The power is so.
    Power(&'static str),
    /// A sensor is so.
    Sensor(SensorChoice, Test),
    /// An event of this kind happens, with this in it.
    Event(String, Option<Detail>),
}

/// What is in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// The user's name.
    User(String),
    /// The name of the sensor in a record.
    Sensor(String),
}

/// How a sensor is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// Its value is above this one.
    Above(f64),
    /// At least this one.
    AtLeast(f64),
    /// Below.
    Below(f64),
    /// At most.
    AtMost(f64),
    /// This one.
    Equal(f64),
    /// This threshold is crossed.
    Crossed(&'static str),
    /// Some threshold is crossed.
    AnyCrossed,
    /// None is crossed.
    NoneCrossed,
    /// This state holds.
    State(u8),
}

/// Thresholds by the names that sensors have them by.
const THRESHOLDS: [&str; 6] = [
    "lower_non_recoverable",
    "lower_critical",
    "lower_non_critical",
    "upper_non_critical",
    "upper_critical",
    "upper_non_recoverable",
];

/// How conditions are written, for messages and completions.
pub(super) const FORMS: [&str; 9] =
    ["ready", "running", "power=on", "power=off", "login", "login=USER", "sel", "sel=SENSOR", "kind=KIND"];

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let event = |kind: &str| Kind::Event(kind.to_owned(), None);
        let kind = match text.split_once('=') {
            _ if text.starts_with("sensor:") => sensor(text)?,
            None if text == "ready" => Kind::Ready,
            None if text == "running" => Kind::Running,
            None if text == "login" => event("login"),
            None if text == "sel" => event("sel_added"),
            Some(("power", "on")) => Kind::Power("on"),
            Some(("power", "off")) => Kind::Power("off"),
            Some(("login", user)) if !user.is_empty() => {
                Kind::Event("login".into(), Some(Detail::User(user.to_owned())))
            }
            Some(("sel", sensor)) if !sensor.is_empty() => {
                Kind::Event("sel_added".into(), Some(Detail::Sensor(sensor.to_owned())))
            }
            Some(("kind", kind)) if !kind.is_empty() => event(kind),
            _ => {
                return Err(format!(
                    "expected one of {}, sensor:NAME>VALUE, sensor:NAME=upper_critical",
                    FORMS.join(", ")
                ));
            }
        };
        Ok(Self { text: text.to_owned(), kind })
    }
}

/// `sensor:NAME>=VALUE` and the like; a name may have the characters of operators in it.
fn sensor(text: &str) -> Result<Kind, String> {
    let forms = "expected sensor:NAME with > >= < <= or = and a value, or = and the name of a threshold, crossed, ok, or \
                 stateN";
    let rest = text.strip_prefix("sensor:").unwrap_or(text);
    let at = rest.rfind(['<', '>', '=']).ok_or(forms)?;
    let (before, value) = (&rest[..at], rest[at + 1..].trim());
    let (name, operator) = match (rest.as_bytes()[at], before.strip_suffix('>'), before.strip_suffix('<')) {
        (b'=', Some(name), _) => (name, ">="),
        (b'=', None, Some(name)) => (name, "<="),
        (b'=', None, None) => (before, "="),
        (b'>', ..) => (before, ">"),
        _ => (before, "<"),
    };
    let choice: SensorChoice = name.trim().parse()?;
    let number = value.parse::<f64>().ok().filter(|value| value.is_finite());
    let test = match (operator, number) {
        (">", Some(value)) => Test::Above(value),
        (">=", Some(value)) => Test::AtLeast(value),
        ("<", Some(value)) => Test::Below(value),
        ("<=", Some(value)) => Test::AtMost(value),
        ("=", Some(value)) => Test::Equal(value),
        ("=", None) => word(value).ok_or(forms)?,
        _ => return Err(forms.into()),
    };
    Ok(Kind::Sensor(choice, test))
}

fn word(value: &str) -> Option<Test> {
    if let Some(threshold) = THRESHOLDS.iter().find(|threshold| **threshold == value) {
        return Some(Test::Crossed(threshold));
    }
    match value {
        "crossed" => Some(Test::AnyCrossed),
        "ok" => Some(Test::NoneCrossed),
        _ => value.strip_prefix("state")?.parse().ok().map(Test::State),
    }
}

impl Condition {
    /// Whether a BMC that looks like this meets it.
    pub(super) fn is_met_by(&self, bmc: &Summary) -> bool {
        match self.kind {
            Kind::Ready => true,
            Kind::Running => bmc.state == "running",
            Kind::Power(power) => bmc.power == power,
            Kind::Sensor(..) | Kind::Event(..) => false,
        }
    }

    /// Whether an event meets it.
    pub(super) fn is_met_by_event(&self, event: &Value) -> bool {
        match &self.kind {
            Kind::Power(power) => event["kind"] == "power_done" && event["power"] == *power,
            Kind::Event(kind, detail) => {
                event["kind"] == kind.as_str()
                    && match detail {
                        None => true,
                        Some(Detail::User(user)) => event["user_name"] == user.as_str(),
                        Some(Detail::Sensor(sensor)) => event["record"]["event"]["name"] == sensor.as_str(),
                    }
            }
            Kind::Ready | Kind::Running | Kind::Sensor(..) => false,
        }
    }
}

impl Test {
    /// Whether a sensor is so.
    pub(super) fn is_met_by(&self, sensor: &Sensor) -> bool {
        let value = |test: &dyn Fn(f64) -> bool| sensor.value.is_some_and(test);
        match *self {
            Self::Above(limit) => value(&|value| value > limit),
            Self::AtLeast(limit) => value(&|value| value >= limit),
            Self::Below(limit) => value(&|value| value < limit),
            Self::AtMost(limit) => value(&|value| value <= limit),
            // A reading is one of 256 values, written with some digits.
            Self::Equal(wanted) => value(&|value| (value - wanted).abs() < 1e-6 * wanted.abs().max(1.0)),
            Self::Crossed(threshold) => sensor.crossed.iter().any(|crossed| crossed == threshold),
            Self::AnyCrossed => !sensor.crossed.is_empty(),
            Self::NoneCrossed => sensor.present && sensor.crossed.is_empty(),
            Self::State(state) => sensor.states.contains(&state),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn condition(text: &str) -> Condition {
        text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    fn is_met(text: &str, sensor: &Sensor) -> bool {
        let Kind::Sensor(_, test) = condition(text).kind else { panic!("{text}") };
        test.is_met_by(sensor)
    }

    #[test]
    fn every_form_is_understood_and_nothing_else() {
        for form in FORMS {
            assert_eq!(condition(form).to_string(), form);
        }
        for wrong in [
            "",
            "power",
            "power=up",
            "login=",
            "sel=",
            "kind=",
            "kind",
            "sensor:",
            "sensor:a",
            "sensor:=1",
            "sensor:a>b",
            "sensor:a=b",
            "sensor:a=state",
            "sensor:a>=nan",
        ] {
            assert!(wrong.parse::<Condition>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_sensor_is_compared_with_a_value() {
        let sensor = Sensor { value: Some(92.5), present: true, ..Sensor::default() };
        for (text, met) in [
            ("sensor:CPU Temp>92", true),
            ("sensor:CPU Temp>92.5", false),
            ("sensor:CPU Temp >= 92.5", true),
            ("sensor:CPU Temp<=92.5", true),
            ("sensor:CPU Temp<92.5", false),
            ("sensor:CPU Temp=92.5", true),
            ("sensor:a=b=92.6", false),
            ("sensor:CPU Temp=ok", true),
            ("sensor:CPU Temp=crossed", false),
        ] {
            assert_eq!(is_met(text, &sensor), met, "{text}");
        }
        let name = |text| match condition(text).kind {
            Kind::Sensor(choice, test) => (choice.to_string(), test),
            other => panic!("{other:?}"),
        };
        assert_eq!(name("sensor:a=b<-5"), ("sensor 'a=b'".into(), Test::Below(-5.0)));
        assert_eq!(name("sensor:0x20/0/3=state2"), ("sensor 0x20/0/3".into(), Test::State(2)));
        let sensor = Sensor { crossed: vec!["upper_critical".into()], states: vec![2], ..sensor };
        assert!(is_met("sensor:x=upper_critical", &sensor) && !is_met("sensor:x=lower_critical", &sensor));
        assert!(is_met("sensor:x=crossed", &sensor) && is_met("sensor:x=state2", &sensor));
        assert!(!is_met("sensor:x>0", &Sensor::default()));
    }

    #[test]
    fn a_state_and_an_event_meet_a_condition() {
        let bmc = Summary { power: "on".into(), state: "running".into(), ..Summary::default() };
        assert!(condition("power=on").is_met_by(&bmc) && !condition("power=off").is_met_by(&bmc));
        assert!(condition("running").is_met_by(&bmc) && !condition("login").is_met_by(&bmc));

        let done = json!({"kind": "power_done", "power": "on"});
        assert!(condition("power=on").is_met_by_event(&done) && !condition("power=off").is_met_by_event(&done));
        assert!(condition("kind=power_done").is_met_by_event(&done));
        let login = json!({"kind": "login", "user_name": "admin"});
        assert!(condition("login").is_met_by_event(&login) && condition("login=admin").is_met_by_event(&login));
        assert!(!condition("login=other").is_met_by_event(&login) && !condition("sel").is_met_by_event(&login));
        let sel = json!({"kind": "sel_added", "record": {"id": 1, "event": {"name": "Fan"}}});
        assert!(condition("sel=Fan").is_met_by_event(&sel) && !condition("sel=Fan 2").is_met_by_event(&sel));
    }
}
