//! A pseudo terminal that stands for a serial port (`/dev/ttyS1`) or for the terminal a
//! client needs.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::termios;

use super::process::Captured;

/// Both ends of a pseudo terminal.
pub struct Pty {
    master: File,
    // Held open, so that the other end sees no hang-up while nobody else has it open.
    slave: OwnedFd,
    path: PathBuf,
    /// Everything that came out of the far end.
    pub received: Captured,
}

impl Pty {
    /// A raw one: bytes go through as they are.
    pub fn new() -> Self {
        let mut pty = Self::bare();
        pty.received = Captured::from(pty.master.try_clone().expect("a second handle"));
        pty
    }

    /// The same, with a machine behind it that greets whoever types and answers each line
    /// with `echo: LINE`.
    pub fn with_echo() -> Self {
        let pty = Self::bare();
        let mut reading = pty.master.try_clone().expect("a second handle");
        let mut writing = pty.master.try_clone().expect("a third handle");
        std::thread::spawn(move || {
            let mut line = Vec::new();
            let mut piece = [0; 256];
            while let Ok(count @ 1..) = reading.read(&mut piece) {
                for &byte in &piece[..count] {
                    if byte == b'\r' || byte == b'\n' {
                        let mut answer = b"\r\necho: ".to_vec();
                        answer.append(&mut line);
                        answer.extend_from_slice(b"\r\n");
                        let _ = writing.write_all(&answer);
                    } else {
                        line.push(byte);
                    }
                }
            }
        });
        pty
    }

    fn bare() -> Self {
        let ends = nix::pty::openpty(None, None).expect("a pseudo terminal");
        let mut settings = termios::tcgetattr(&ends.slave).expect("terminal settings");
        termios::cfmakeraw(&mut settings);
        termios::tcsetattr(&ends.slave, termios::SetArg::TCSANOW, &settings).expect("raw mode");
        let path = nix::unistd::ttyname(&ends.slave).expect("the name of the terminal");
        Self { master: File::from(ends.master), slave: ends.slave, path, received: Captured::default() }
    }

    /// The device file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes, as the machine (or the person) at the far end.
    pub fn write(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).expect("the terminal takes it");
    }

    /// Writes bytes, as the machine (or the person) at the far end.
    pub fn write_bytes(&mut self, bytes: &[u8]) {
        self.master.write_all(bytes).expect("the terminal takes it");
    }

    /// The far end once more.
    pub fn master(&self) -> File {
        self.master.try_clone().expect("a second handle")
    }

    /// The near end, to look at its settings.
    pub fn near(&self) -> &OwnedFd {
        &self.slave
    }

    /// Waits until `text` came out.
    pub fn wait_for(&self, text: &str, limit: Duration) -> bool {
        self.received.wait_for(text, limit)
    }

    /// The near end as the standard stream of a child.
    pub fn stdio(&self) -> Stdio {
        Stdio::from(self.slave.try_clone().expect("a second handle"))
    }
}
