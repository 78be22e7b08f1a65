//! What `sensor_follow` and `mc_load` say, as values.

use super::command::SensorAddress;

/// A number with up to six decimals, exact as written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// What a sensor is to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
