//! The logs: standard error by way of `log`, and the system log.
//!
//! Owns what makes a text fit to be shown there.

use std::borrow::Cow;
use std::net::SocketAddr;

use super::logging;
use super::syslog::Syslog;
use crate::bmc::LogLevel;

/// Whose log lines tell what came of something asked of the program.
pub const LIFE: &str = concat!(env!("CARGO_PKG_NAME"), "::life");
/// Whose log lines say what is served, once everything is open: no part of the log that consoles show.
pub const SERVING: &str = concat!(env!("CARGO_PKG_NAME"), "::serving");

/// Both logs.
pub struct Reports {
    syslog: Option<Syslog>,
}

impl Reports {
    /// With the system log, if it is written.
    pub fn new(syslog: Option<Syslog>) -> Self {
        Self { syslog }
    }

    /// Tells the logs; no console, for programs read them.
    pub fn log(&self, level: LogLevel, text: &str) {
        self.log_as(env!("CARGO_PKG_NAME"), level, text);
    }

    /// Tells the logs what came of a request to the program itself.
    pub fn report(&self, level: LogLevel, text: &str) {
        self.log_as(LIFE, level, text);
    }

    /// Says what is served, or why nothing is.
    pub fn serving(&self, level: LogLevel, text: &str) {
        self.log_as(SERVING, level, text);
    }

    /// Says why the program cannot go on.
    pub fn fatal(&self, text: &str) {
        logging::fatal(text);
        self.system_log(LogLevel::Error, text);
    }

    /// Says who is let in where nobody is asked for a password.
    pub fn warn_of_an_open_port(&self, what: &str, address: SocketAddr) {
        if !address.ip().to_canonical().is_loopback() {
            let text =
                format!("The {what} at {address} asks for no password: anyone who can reach it controls the system");
            self.log(LogLevel::Warning, &text);
        }
    }

    /// Tells the system log alone: standard error has it in another form.
    pub fn system_log(&self, level: LogLevel, text: &str) {
        if let Some(syslog) = &self.syslog {
            syslog.write(level, text);
        }
    }

    fn log_as(&self, target: &str, level: LogLevel, text: &str) {
        let severity = match level {
            LogLevel::Error => log::Level::Error,
            LogLevel::Warning => log::Level::Warn,
            LogLevel::Info => log::Level::Info,
            LogLevel::Debug => log::Level::Debug,
        };
        let text = &*printable(text);
        log::log!(target: target, severity, "{text}");
        self.system_log(level, text);
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
