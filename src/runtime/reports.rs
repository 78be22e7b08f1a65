//! The logs: standard error by way of `log`, and the system log.
//!
//! Owns the system log, and which lines are about the life of the program.

use std::net::SocketAddr;

use super::log_text::{printable, severity};
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
        let text = &*printable(text);
        log::log!(target: target, severity(level), "{text}");
        self.system_log(level, text);
    }
}
