//! A tty or pty as SOL port (`sol.md` section 8).
//!
//! Owns the open device and its lock file. All line settings are set, none is taken over
//! from the device. What a pty cannot do (modem lines, a break) fails without harm.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::termios::{
    BaudRate, ControlFlags, FlushArg, InputFlags, LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices, Termios,
    tcflush, tcgetattr, tcsendbreak, tcsetattr,
};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::lock_file::{self, Held, LockError, LockFile};
use super::modem_lines::ModemLines;
use super::workers;
use crate::config::text::os_string;
use crate::sol::{self, LineEvent};
use crate::store::directory::message;

/// Hardware flow control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowControl {
    /// RTS and CTS.
    RtsCts,
    /// None (`nortscts`).
    None,
}

/// An open device.
pub struct Tty {
    /// For data, settings and breaks.
    device: AsyncFd<OwnedFd>,
    /// The same device once more, where it has modem lines.
    lines: Option<ModemLines>,
    _lock: Option<LockFile>,
    marks: Marks,
    /// Whether the other end was there when last looked; `None`: the device has no modem lines.
    ready: Option<bool>,
}

/// The driver's marks in what is read (`PARMRK`): `FF FF` is a character FF, `FF 00 00` a break.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Marks {
    #[default]
    None,
    /// Behind `FF`.
    Marked,
    /// Behind `FF 00`.
    Fault,
}

impl Marks {
    /// Takes the marks out of `bytes`, and says how many breaks there were.
    fn take_out(&mut self, bytes: &mut Vec<u8>) -> usize {
        let mut breaks = 0;
        bytes.retain(|&byte| match (*self, byte) {
            (Self::None, 0xff) => {
                *self = Self::Marked;
                false
            }
            (Self::None, _) => true,
            (Self::Marked, 0) => {
                *self = Self::Fault;
                false
            }
            (Self::Marked, _) => {
                *self = Self::None;
                true
            }
            (Self::Fault, 0) => {
                *self = Self::None;
                breaks += 1;
                false
            }
            // A character with a parity or framing error is passed on.
            (Self::Fault, _) => {
                *self = Self::None;
                true
            }
        });
        breaks
    }
}

/// Why a device is not open.
#[derive(Debug, thiserror::Error)]
pub enum TtyError {
    /// Somebody else has it.
    #[error("SOL device {0} is already owned by process {1}")]
    Owned(String, i32),
    /// The lock file is not one.
    #[error("Error locking SOL device {0}: its lock file holds no process id")]
    Lock(String),
    /// It cannot be opened.
    #[error("Error opening SOL device {0}: {1}")]
    Open(String, String),
    /// It takes no settings.
    #[error("Error configuring SOL device {0}: {1}")]
    Configure(String, String),
}

/// A device that was opened, and what is odd about it.
pub type Opened = (Tty, Option<String>);

impl Tty {
    /// Locks, opens and sets up a device. The text beside it is worth a line in the log.
    pub fn open(
        device: &str,
        bit_rate: u32,
        flow_control: FlowControl,
        lock_directory: &Path,
        held: &Held,
    ) -> Result<Opened, TtyError> {
        let name = || device.to_string();
        let mut remark = None;
        let lock = match lock_file::acquire(lock_directory, device, held) {
            Ok(lock) => lock,
            Err(LockError::Owned(pid)) => return Err(TtyError::Owned(name(), pid)),
            Err(LockError::Unreadable) => return Err(TtyError::Lock(name())),
            Err(LockError::Directory(error)) => {
                // The user may not write there, or nobody may: the device is still theirs.
                remark = Some(format!("SOL device {device} is used without a lock file: {error}"));
                None
            }
        };
        // The link is followed once, so that both opens mean the same device.
        let path = std::fs::canonicalize(os_string(device)).map_err(|e| TtyError::Open(name(), message(&e)))?;
        let device = open(&path, OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(|e| TtyError::Open(name(), e.desc().to_string()))?;
        let configure = |e: nix::Error| TtyError::Configure(name(), e.desc().to_string());
        let mut settings = tcgetattr(&device).map_err(configure)?;
        let lines = ModemLines::open(&path, bit_rate);
        set_up(&mut settings, bit_rate, flow_control);
        tcsetattr(&device, SetArg::TCSANOW, &settings).map_err(configure)?;
        #[expect(deprecated, reason = "the other way is unsafe code; an OwnedFd keeps what that asks for")]
        let device = AsyncFd::new(device).map_err(|e| TtyError::Open(name(), message(&e)))?;
        let mut tty = Self { device, lines, _lock: lock, marks: Marks::None, ready: None };
        if let Some(lines) = &tty.lines {
            lines.clear_break();
        }
        tty.ready = tty.is_ready();
        Ok((tty, remark))
    }

    /// Changes the speed.
    pub fn set_bit_rate(&mut self, bits_per_second: u32) -> io::Result<()> {
        let mut settings = tcgetattr(&self.device)?;
        set_speed(&mut settings, bits_per_second);
        Ok(tcsetattr(&self.device, SetArg::TCSANOW, &settings)?)
    }

    /// Takes what the driver says of the line out of what was read: how many breaks there were.
    pub fn take_marks(&mut self, bytes: &mut Vec<u8>) -> usize {
        self.marks.take_out(bytes)
    }

    /// Whether the device has modem lines; a pty has none.
    pub fn has_modem_lines(&self) -> bool {
        self.ready.is_some()
    }

    /// Whether DSR or DCD came or went since the last look. A cable without these lines never
    /// changes them, so nothing is ever said of it.
    pub fn look_at_modem_lines(&mut self) -> Option<LineEvent> {
        let before = self.ready?;
        let ready = self.is_ready()?;
        self.ready = Some(ready);
        match (before, ready) {
            (true, false) => Some(LineEvent::NotReady),
            (false, true) => Some(LineEvent::Ready),
            _ => None,
        }
    }

    /// Whether the other end raises its DTR, which is our DSR or DCD.
    fn is_ready(&mut self) -> Option<bool> {
        self.lines.as_mut()?.is_ready()
    }

    /// Sets the modem lines; a pty has none.
    pub fn set_modem_lines(&mut self, set: sol::ModemLines) {
        if let Some(lines) = &mut self.lines {
            lines.set(set);
        }
    }

    /// Sends a break. It takes a quarter of a second and waits for output that is under way,
    /// so it is done aside.
    pub fn send_break(&self) {
        if let Ok(device) = self.device.get_ref().try_clone() {
            drop(workers::FILES.run(move || tcsendbreak(device, 0)));
        }
    }
}

impl std::fmt::Debug for Tty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tty").field("device", &self.device).field("ready", &self.ready).finish_non_exhaustive()
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        // Closing a device waits for its output, for half a minute if the other side holds it.
        let _ = tcflush(&self.device, FlushArg::TCIOFLUSH);
    }
}

impl AsyncRead for Tty {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.device.poll_read_ready(cx))?;
            match guard.try_io(|device| Ok(nix::unistd::read(device, buf.initialize_unfilled())?)) {
                Ok(result) => return Poll::Ready(result.map(|count| buf.advance(count))),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Tty {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.device.poll_write_ready(cx))?;
            if let Ok(result) = guard.try_io(|device| Ok(nix::unistd::write(device, buf)?)) {
                return Poll::Ready(result);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Raw, eight bits, no parity, one stop bit, no modem control.
fn set_up(settings: &mut Termios, bit_rate: u32, flow_control: FlowControl) {
    // Breaks are marked, not passed over as in the original: the console is told of them.
    settings.input_flags = InputFlags::PARMRK;
    settings.output_flags = OutputFlags::empty();
    settings.local_flags = LocalFlags::empty();
    settings.control_flags = ControlFlags::CS8 | ControlFlags::CREAD | ControlFlags::CLOCAL;
    if flow_control == FlowControl::RtsCts {
        settings.control_flags |= ControlFlags::CRTSCTS;
    }
    settings.control_chars.fill(0);
    if let Some(least) = settings.control_chars.get_mut(SpecialCharacterIndices::VMIN as usize) {
        *least = 1;
    }
    set_speed(settings, bit_rate);
}

/// Sets one of the speeds SOL knows; anything else is 9600.
///
/// The speed is part of the control flags. The C library's own functions for it have names
/// that a static program cannot be linked with.
fn set_speed(settings: &mut Termios, bits_per_second: u32) {
    let speed = match bits_per_second {
        19200 => BaudRate::B19200,
        38400 => BaudRate::B38400,
        57600 => BaudRate::B57600,
        115_200 => BaudRate::B115200,
        _ => BaudRate::B9600,
    };
    settings.control_flags -= ControlFlags::CBAUD;
    settings.control_flags |= ControlFlags::from_bits_truncate(speed as u32);
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::pty::openpty;
    use nix::sys::termios::cfgetospeed;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn open_pty(slave: &OwnedFd, flow_control: FlowControl) -> Result<Opened, TtyError> {
        let device = nix::unistd::ttyname(slave).unwrap();
        let directory = tempfile::tempdir().unwrap();
        Tty::open(device.to_str().unwrap(), 115_200, flow_control, directory.path(), &Held::default())
    }

    #[tokio::test]
    async fn a_pty_is_raw_and_carries_every_byte_both_ways() {
        let pair = openpty(None, None).unwrap();
        let (mut tty, remark) = open_pty(&pair.slave, FlowControl::None).unwrap();
        assert_eq!(remark, None);
        let bytes: Vec<u8> = (0..=255).collect();
        tty.write_all(&bytes).await.unwrap();
        let mut seen = [0; 256];
        let mut count = 0;
        while count < 256 {
            count += nix::unistd::read(&pair.master, &mut seen[count..]).unwrap();
        }
        assert_eq!(seen[..], bytes[..]);
        nix::unistd::write(&pair.master, &bytes).unwrap();
        // FF is marked.
        let mut seen = vec![0; 257];
        tty.read_exact(&mut seen).await.unwrap();
        assert_eq!(tty.take_marks(&mut seen), 0);
        assert_eq!(seen, bytes);
        assert!(!tty.has_modem_lines());
        assert_eq!(tty.look_at_modem_lines(), None);
    }

    #[test]
    fn marks_are_taken_out_however_they_are_cut() {
        let marked = [b'a', 0xff, 0xff, 0xff, 0, 0, b'b', 0, 0xff, 0, b'c', 0xff, 0xff, 0xff, 0, 0, 0xff, 0, 0];
        for size in 1..=marked.len() {
            let (mut marks, mut breaks, mut data) = (Marks::None, 0, Vec::new());
            for piece in marked.chunks(size) {
                let mut piece = piece.to_vec();
                breaks += marks.take_out(&mut piece);
                data.extend(piece);
            }
            assert_eq!((breaks, data.as_slice()), (3, &b"a\xffb\0c\xff"[..]), "pieces of {size}");
        }
    }

    #[tokio::test]
    async fn settings_are_those_of_the_configuration_whatever_the_device_had() {
        let pair = openpty(None, None).unwrap();
        let (mut tty, _) = open_pty(&pair.slave, FlowControl::RtsCts).unwrap();
        let seen = tcgetattr(&pair.slave).unwrap();
        assert_eq!(seen.input_flags, InputFlags::PARMRK);
        assert!(seen.output_flags.is_empty() && seen.local_flags.is_empty());
        assert!(seen.control_flags.contains(ControlFlags::CRTSCTS | ControlFlags::CLOCAL | ControlFlags::CS8));
        assert!(!seen.control_flags.contains(ControlFlags::HUPCL));
        assert_eq!(cfgetospeed(&seen), BaudRate::B115200);
        tty.set_bit_rate(19200).unwrap();
        let seen = tcgetattr(&pair.slave).unwrap();
        assert_eq!(cfgetospeed(&seen), BaudRate::B19200);
        assert!(seen.control_flags.contains(ControlFlags::CRTSCTS));
        tty.set_modem_lines(sol::ModemLines { rts: false, dtr: true });
        tty.send_break();
    }

    #[tokio::test]
    async fn a_master_that_closes_is_the_end() {
        let pair = openpty(None, None).unwrap();
        let (mut tty, _) = open_pty(&pair.slave, FlowControl::None).unwrap();
        drop(pair);
        assert!(matches!(tty.read(&mut [0; 8]).await, Ok(0) | Err(_)));
    }

    #[tokio::test]
    async fn what_is_not_there_or_no_tty_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let open = |device| Tty::open(device, 9600, FlowControl::None, directory.path(), &Held::default());
        let missing = open("/nonexistent/tty").unwrap_err().to_string();
        assert!(missing.starts_with("Error opening SOL device /nonexistent/tty: No such file"), "{missing}");
        let wrong = open("/dev/null").unwrap_err().to_string();
        assert!(wrong.starts_with("Error configuring SOL device /dev/null"), "{wrong}");
        std::fs::write(directory.path().join("LCK..null"), "1\n").unwrap();
        assert_eq!(open("/dev/null").unwrap_err().to_string(), "SOL device /dev/null is already owned by process 1");
    }
}
