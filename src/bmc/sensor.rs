//! Sensors, thresholds, states and polling.

/// Sensors, thresholds, states and polling.
#[derive(Debug, Default)]
pub struct Sensors;
