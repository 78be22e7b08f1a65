//! The system event log.

/// The system event log.
#[derive(Debug, Default)]
pub struct Sel;
