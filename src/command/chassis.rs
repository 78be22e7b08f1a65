//! Chassis commands.

use super::Entry;

/// The Chassis commands, by number.
pub static COMMANDS: &[Entry] = &[];
