//! Transport commands.

use super::Entry;

/// The Transport commands, by number.
pub static COMMANDS: &[Entry] = &[];
