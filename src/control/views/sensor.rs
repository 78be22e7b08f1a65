//! A sensor.

use serde::Serialize;

use crate::bmc::sensor::Threshold;
use crate::sim::{SensorState, ThresholdState};

/// A sensor.
#[derive(Debug, Serialize)]
pub(in crate::control) struct Sensor {
    mc: u8,
    lun: u8,
    number: u8,
    name: Option<String>,
    sensor_type: u8,
    event_type: u8,
    raw: Option<u8>,
    value: Option<f64>,
    unit: Option<String>,
    present: bool,
    scanning: bool,
    follows: Option<String>,
    states: Vec<u8>,
    crossed: Vec<&'static str>,
    thresholds: Option<Thresholds>,
}

/// The six thresholds, in the unit of the sensor's record; those that it does not have are null.
#[derive(Debug, Serialize)]
struct Thresholds {
    lower_non_critical: Option<f64>,
    lower_critical: Option<f64>,
    lower_non_recoverable: Option<f64>,
    upper_non_critical: Option<f64>,
    upper_critical: Option<f64>,
    upper_non_recoverable: Option<f64>,
}

impl Thresholds {
    fn of(all: [Option<ThresholdState>; 6]) -> Self {
        let [lnc, lc, lnr, unc, uc, unr] = all.map(|one| one.and_then(|one| one.value));
        Self {
            lower_non_critical: lnc,
            lower_critical: lc,
            lower_non_recoverable: lnr,
            upper_non_critical: unc,
            upper_critical: uc,
            upper_non_recoverable: unr,
        }
    }
}

fn word(threshold: Threshold) -> &'static str {
    match threshold {
        Threshold::LowerNonCritical => "lower_non_critical",
        Threshold::LowerCritical => "lower_critical",
        Threshold::LowerNonRecoverable => "lower_non_recoverable",
        Threshold::UpperNonCritical => "upper_non_critical",
        Threshold::UpperCritical => "upper_critical",
        Threshold::UpperNonRecoverable => "upper_non_recoverable",
    }
}

impl Sensor {
    /// Of a sensor as it is.
    pub(in crate::control) fn of(state: SensorState) -> Self {
        Self {
            mc: state.mc.0,
            lun: state.lun,
            number: state.number,
            sensor_type: state.sensor_type,
            event_type: state.event_type,
            raw: state.raw,
            value: state.value.filter(|value| value.is_finite()),
            present: state.present,
            scanning: state.scanning,
            follows: state.follows.clone(),
            states: state.discrete_states().collect(),
            crossed: state.crossed().map(word).collect(),
            thresholds: state.thresholds.map(Thresholds::of),
            name: state.name,
            unit: state.unit,
        }
    }
}
