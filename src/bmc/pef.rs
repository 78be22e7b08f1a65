//! Platform event filtering parameters.

/// Platform event filtering parameters.
#[derive(Debug, Default)]
pub struct Pef;
