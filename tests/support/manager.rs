//! A service manager that is told by `sd_notify` what becomes of a program.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

/// What comes to the socket of a service manager.
pub struct Manager(pub UnixDatagram);

impl Manager {
    /// One with its socket at this path.
    pub fn at(path: &Path) -> Self {
        Self(UnixDatagram::bind(path).expect("a socket"))
    }

    /// The next message; there is one within this time.
    #[track_caller]
    pub fn next_within(&self, limit: Duration) -> String {
        let mut buffer = [0; 500];
        self.0.set_read_timeout(Some(limit)).expect("a time limit");
        let length = self.0.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }
}
