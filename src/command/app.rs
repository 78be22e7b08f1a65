//! App commands.

use super::Entry;

/// The App commands, by number.
pub static COMMANDS: &[Entry] = &[];
