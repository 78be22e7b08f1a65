//! The start-command process and its power-off countdown.

/// The start-command process and its power-off countdown.
#[derive(Debug, Default)]
pub struct VmProcess;
