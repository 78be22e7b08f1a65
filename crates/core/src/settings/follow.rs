//! What `sensor_follow` and `mc_load` say, as values.

use std::fmt;
use std::sync::Arc;

use super::command::SensorAddress;
use crate::ipmi::{Behind, Between, Recording};

/// A number with up to six decimals, exact as written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(i64);

impl Decimal {
    /// One, in the units that are kept.
    const ONE: f64 = 1e6;
    /// The highest number, and how far below zero the lowest is.
    pub const MOST: f64 = 1e9;

    /// The one nearest to a number. `None` where that is none, or further from zero than [`MOST`](Self::MOST).
    pub fn new(number: f64) -> Option<Self> {
        (number.abs() <= Self::MOST).then(|| Self((number * Self::ONE).round() as i64))
    }
}

impl From<Decimal> for f64 {
    fn from(decimal: Decimal) -> Self {
        decimal.0 as Self / Decimal::ONE
    }
}

/// How a value changes over time; times are in seconds, values in the unit of the sensor's record, or in percent of load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `constant VALUE`
    Constant(Decimal),
    /// `line from VALUE to VALUE over SECONDS`
    Line {
        /// `from`
        from: Decimal,
        /// `to`
        to: Decimal,
        /// `over`; not below 0.
        over: Decimal,
    },
    /// `sine mean VALUE amplitude VALUE period SECONDS [phase SECONDS]`
    Sine {
        /// `mean`
        mean: Decimal,
        /// `amplitude`
        amplitude: Decimal,
        /// `period`; above 0.
        period: Decimal,
        /// `phase`; by default 0.
        phase: Decimal,
    },
    /// `walk mean VALUE amplitude VALUE [step SECONDS]`
    Walk(Random),
    /// `noise mean VALUE amplitude VALUE [step SECONDS]`
    Noise(Random),
    /// `csv "FILE" column COLUMN time COLUMN|every SECONDS [linear] [repeat]`
    Csv(Box<Csv>),
}

impl Shape {
    /// The table that it is in.
    pub fn table(&self) -> Option<&Csv> {
        match self {
            Self::Csv(csv) => Some(csv),
            _ => None,
        }
    }
}

/// A column of a table, which is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csv {
    /// What is read of which file.
    pub source: CsvSource,
    /// What it says; `None` before the file has been read.
    pub recording: Option<Arc<Recording>>,
}

/// What is read of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CsvSource {
    /// Name of the file, as written.
    pub path: String,
    /// `column`: where the values are.
    pub column: Column,
    /// `time` or `every`: when they are.
    pub times: Times,
    /// Between two rows; [`Between::Linear`] is `linear`.
    pub between: Between,
    /// Behind the last row; [`Behind::Repeat`] is `repeat`.
    pub behind: Behind,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    /// By its number; the first is 1.
    Number(u32),
    /// By its name in the first row.
    Name(String),
}

/// When the values of a table are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Times {
    /// `time COLUMN`: in seconds, whatever the first one is.
    Column(Column),
    /// `every SECONDS`: so many between two rows; not below 0.1.
    Every(Decimal),
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            // What is a word of one sort and has nothing in it that parts words needs no quotes.
            Self::Name(name) if name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_') => {
                f.write_str(name)
            }
            Self::Name(name) => f.write_str(&quoted(name)),
        }
    }
}

impl fmt::Display for CsvSource {
    /// As in a statement.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "csv {} column {}", quoted(&self.path), self.column)?;
        match &self.times {
            Times::Column(column) => write!(f, " time {column}")?,
            Times::Every(seconds) => write!(f, " every {}", f64::from(*seconds))?,
        }
        if self.between == Between::Linear {
            f.write_str(" linear")?;
        }
        if self.behind == Behind::Repeat {
            f.write_str(" repeat")?;
        }
        Ok(())
    }
}

/// A text as a string of the command language: a quote in it is between quotes of the other kind.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"'\"'\""))
}

/// What a random shape has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    /// `mean`
    pub mean: Decimal,
    /// `amplitude`
    pub amplitude: Decimal,
    /// `step`; not below 0.1, by default 1.
    pub step: Decimal,
}

/// `mc_power_model`: watts, each from 0 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerModel {
    /// `idle`: switched on, without load.
    pub idle: Decimal,
    /// `max`: with full load; not below `idle`.
    pub highest: Decimal,
    /// `standby`: switched off, by default 8.
    pub standby: Decimal,
}

/// What a sensor is to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Following {
    /// The signal.
    pub shape: Shape,
    /// `min`
    pub lowest: Option<Decimal>,
    /// `max`
    pub highest: Option<Decimal>,
    /// `load`: what full load adds.
    pub load_gain: Decimal,
    /// `add MC LUN SENSOR FACTOR`: another sensor, and by what its value is multiplied before it is added.
    pub add: Option<(SensorAddress, Decimal)>,
    /// `off`: the value without power.
    pub off: Option<Decimal>,
    /// `tau`: time constant in seconds of the way there and back; not below 0, by default 0.
    pub tau: Decimal,
}
