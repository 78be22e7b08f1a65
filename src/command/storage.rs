//! Storage commands.

use super::Entry;

/// The Storage commands, by number.
pub static COMMANDS: &[Entry] = &[];
