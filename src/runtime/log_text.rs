//! What makes a text of a system fit for a log.

use std::borrow::Cow;

use crate::bmc::LogLevel;

/// How important a line is, in the words of `log`.
pub fn severity(level: LogLevel) -> log::Level {
    match level {
        LogLevel::Error => log::Level::Error,
        LogLevel::Warning => log::Level::Warn,
        LogLevel::Info => log::Level::Info,
        LogLevel::Debug => log::Level::Debug,
    }
}

/// A log entry as it may be shown: what a program printed or a client sent must not move
/// the cursor of whoever reads it, nor look like an entry of its own.
pub fn printable(text: &str) -> Cow<'_, str> {
    let harmless = |character: char| !character.is_control() || matches!(character, '\n' | '\t');
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match harmless(character) {
            true => shown.push(character),
            false => shown.extend(character.escape_default()),
        }
    }
    Cow::Owned(shown)
}
