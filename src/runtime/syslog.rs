//! The system log (`process.md` section 6).
//!
//! Writes datagrams to `/dev/log` without ever waiting: a log that does not keep up, or is
//! not there, loses entries.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::bmc::LogLevel;

/// Where the system's log listens.
const SOCKET: &str = "/dev/log";
/// Facility "user", as the original uses; RFC 3164 section 4.1.1.
const FACILITY: u8 = 1 << 3;
/// Longest entry.
const ENTRY: usize = 1000;
/// How long nothing is written to a log that was not there.
const ABSENCE: Duration = Duration::from_secs(1);

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
    /// When it was not there the last time.
    absent: Mutex<Option<Instant>>,
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
        Self { socket, path: path.into(), absent: Mutex::default() }
    }

    /// Writes one entry for each line of `text`.
    pub fn write(&self, level: LogLevel, text: &str) {
        let Some(socket) = &self.socket else { return };
        let mut absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
        // To look for it with every entry takes longer than all else about the entry.
        if absent.is_some_and(|since| since.elapsed() < ABSENCE) {
            return;
        }
        let severity = severity(level);
        for line in text.lines().filter(|line| !line.is_empty()) {
            let entry = format!("<{}>ipmi_sim[{}]: {line}", FACILITY | severity, std::process::id());
            let sent = socket.send_to(entry.as_bytes().get(..ENTRY).unwrap_or(entry.as_bytes()), &self.path);
            let is_absent =
                sent.is_err_and(|error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused));
            *absent = is_absent.then(Instant::now);
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
        let syslog = Syslog::new(&path);
        syslog.write(LogLevel::Error, "nobody");
        let receiver = UnixDatagram::bind(&path).unwrap();
        syslog.write(LogLevel::Error, "too soon");
        *syslog.absent.lock().unwrap() = Instant::now().checked_sub(ABSENCE);
        syslog.write(LogLevel::Error, "there");
        let mut buffer = [0; 200];
        let length = receiver.recv(&mut buffer).unwrap();
        assert!(buffer[..length].ends_with(b": there"), "{:?}", &buffer[..length]);
        for _ in 0..10_000 {
            syslog.write(LogLevel::Info, "more than any queue holds");
        }
    }
}
