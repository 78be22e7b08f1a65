//! Sensor/Event commands.

use super::Entry;

/// The Sensor/Event commands, by number.
pub static COMMANDS: &[Entry] = &[];
