//! The system log (`process.md` section 6).
//!
//! Writes datagrams to `/dev/log` without ever waiting: a log that does not keep up, or is
//! not there, loses entries.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use crate::bmc::LogLevel;

/// Where the system's log listens.
const SOCKET: &str = "/dev/log";
/// Facility "user", as the original uses; RFC 3164 section 4.1.1.
const FACILITY: u8 = 1 << 3;
/// Longest entry.
const ENTRY: usize = 1000;

/// The severity of an entry; RFC 3164 section 4.1.1. What is no fault is a notice, as in the original.
pub fn severity(level: LogLevel) -> u8 {
    match level {
        LogLevel::Error => 3,
        LogLevel::Warning => 4,
        LogLevel::Info => 5,
        LogLevel::Debug => 7,
    }
}

/// The way to the system log.
#[derive(Debug)]
pub struct Syslog {
    socket: Option<UnixDatagram>,
    path: PathBuf,
}

impl Default for Syslog {
    fn default() -> Self {
        Self::new(Path::new(SOCKET))
    }
}

impl Syslog {
    /// Writes to another socket.
    pub(super) fn new(path: &Path) -> Self {
        let socket = UnixDatagram::unbound().and_then(|socket| socket.set_nonblocking(true).map(|()| socket)).ok();
        Self { socket, path: path.into() }
    }

    /// Writes one entry for each line of `text`.
    pub fn write(&self, level: LogLevel, text: &str) {
        let Some(socket) = &self.socket else { return };
        let severity = severity(level);
        for line in text.lines().filter(|line| !line.is_empty()) {
            let entry = format!("<{}>ipmi_sim[{}]: {line}", FACILITY | severity, std::process::id());
            let _ = socket.send_to(entry.as_bytes().get(..ENTRY).unwrap_or(entry.as_bytes()), &self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_an_entry_with_its_priority() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("log");
        let receiver = UnixDatagram::bind(&path).unwrap();
        let syslog = Syslog::new(&path);
        syslog.write(LogLevel::Warning, "first\n\nsecond");
        let mut buffer = [0; 200];
        for text in ["first", "second"] {
            let length = receiver.recv(&mut buffer).unwrap();
            let entry = std::str::from_utf8(&buffer[..length]).unwrap();
            assert_eq!(entry, format!("<12>ipmi_sim[{}]: {text}", std::process::id()));
        }
    }

    #[test]
    fn a_log_that_does_not_read_or_is_not_there_is_not_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("log");
        Syslog::new(&path).write(LogLevel::Error, "nobody");
        let _receiver = UnixDatagram::bind(&path).unwrap();
        let syslog = Syslog::new(&path);
        for _ in 0..10_000 {
            syslog.write(LogLevel::Info, "more than any queue holds");
        }
    }
}
