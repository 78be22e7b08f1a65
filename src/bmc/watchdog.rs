//! The watchdog timer.

/// The watchdog timer.
#[derive(Debug, Default)]
pub struct Watchdog;
