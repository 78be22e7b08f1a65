//! The virtual machine's end of the VM protocol (`serial.md` sections 4, 5 and 9): what
//! QEMU's `ipmi-bmc-extern` does, as far as a test needs it.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use super::process::eventually;

const MESSAGE_END: u8 = 0xa0;
const COMMAND_END: u8 = 0xa1;
const ESCAPE: u8 = 0xaa;
/// Capabilities as QEMU announces them: everything up to graceful shutdown.
pub const QEMU_CAPABILITIES: u8 = 0x3f;

/// A control command of the simulator: one byte, and its data.
pub type Control = Vec<u8>;

/// A connected host.
pub struct VmHost {
    stream: TcpStream,
    frame: Vec<u8>,
    escaped: bool,
    messages: VecDeque<Vec<u8>>,
    controls: VecDeque<Control>,
    sequence: u8,
}

impl VmHost {
    /// Connects without saying a word.
    pub fn connect(port: u16) -> Self {
        let stream = eventually(Duration::from_secs(5), || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok())
            .unwrap_or_else(|| panic!("nobody listens on TCP port {port} for a virtual machine"));
        stream.set_nodelay(true).expect("no delay");
        Self {
            stream,
            frame: Vec::new(),
            escaped: false,
            messages: VecDeque::new(),
            controls: VecDeque::new(),
            sequence: 0,
        }
    }

    /// Connects and introduces itself as QEMU does.
    pub fn connect_as_qemu(port: u16) -> Self {
        let mut host = Self::connect(port);
        host.control(&[0xff, 1]);
        host.control(&[8, QEMU_CAPABILITIES]);
        host
    }

    /// Sends a control command.
    pub fn control(&mut self, bytes: &[u8]) {
        self.send(bytes, COMMAND_END);
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the simulator reads");
    }

    /// Sends as much as the other side takes within a time, and reads nothing.
    pub fn send_until_refused(&mut self, bytes: &[u8], limit: Duration) {
        self.stream.set_write_timeout(Some(limit)).expect("a time limit");
        // A full connection is what this is for.
        let _ = self.stream.write_all(bytes);
    }

    fn send(&mut self, bytes: &[u8], end: u8) {
        let mut out = Vec::with_capacity(bytes.len() + 8);
        for &byte in bytes {
            if matches!(byte, MESSAGE_END | COMMAND_END | ESCAPE) {
                out.extend_from_slice(&[ESCAPE, byte | 0x10]);
            } else {
                out.push(byte);
            }
        }
        out.push(end);
        self.send_raw(&out);
    }

    /// Sends a request and waits for its response: completion code and data. `None` when none
    /// comes in time. What is unasked for meanwhile is kept for [`Self::take_controls`].
    pub fn try_request(&mut self, netfn_lun: u8, command: u8, data: &[u8], limit: Duration) -> Option<Vec<u8>> {
        self.sequence = self.sequence % 0x7f + 1;
        let sequence = self.sequence;
        let mut message = vec![sequence, netfn_lun, command];
        message.extend_from_slice(data);
        message.push(checksum(&message));
        self.send(&message, MESSAGE_END);
        let end = Instant::now() + limit;
        loop {
            while let Some(answer) = self.messages.pop_front() {
                if answer.len() >= 5 && answer[0] == sequence && answer[2] == command {
                    assert_eq!(checksum(&answer), 0, "checksum of {answer:02x?}");
                    return Some(answer[3..answer.len() - 1].to_vec());
                }
            }
            self.read_until(end)?;
        }
    }

    /// Sends a request to LUN 0 and returns the response; none is a failure of the test.
    #[track_caller]
    pub fn request(&mut self, netfn: u8, command: u8, data: &[u8]) -> Vec<u8> {
        self.try_request(netfn << 2, command, data, Duration::from_secs(5))
            .unwrap_or_else(|| panic!("no answer to netfn {netfn:02x}h command {command:02x}h {data:02x?}"))
    }

    /// Waits until a control command comes that begins with these bytes.
    pub fn wait_for_control(&mut self, wanted: &[u8], limit: Duration) -> bool {
        let end = Instant::now() + limit;
        loop {
            while let Some(control) = self.controls.pop_front() {
                if control.starts_with(wanted) {
                    return true;
                }
            }
            if self.read_until(end).is_none() {
                return false;
            }
        }
    }

    /// The control commands that came so far; waits `quiet` for stragglers.
    pub fn take_controls(&mut self, quiet: Duration) -> Vec<Control> {
        let end = Instant::now() + quiet;
        while self.read_until(end).is_some() {}
        self.controls.drain(..).collect()
    }

    /// Has the simulator closed the connection?
    pub fn is_closed(&mut self, limit: Duration) -> bool {
        self.stream.set_read_timeout(Some(limit)).expect("a time limit");
        let mut piece = [0; 256];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(why) => {
                    return !matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                }
            }
        }
    }

    /// Reads once; `None` when the time is over or the connection is.
    fn read_until(&mut self, end: Instant) -> Option<()> {
        let left = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        self.stream.set_read_timeout(Some(left)).expect("a time limit");
        let mut piece = [0; 1024];
        let Ok(count @ 1..) = self.stream.read(&mut piece) else { return None };
        for &byte in &piece[..count] {
            match byte {
                MESSAGE_END => {
                    let message = std::mem::take(&mut self.frame);
                    self.messages.push_back(message);
                    self.escaped = false;
                }
                COMMAND_END => {
                    let control = std::mem::take(&mut self.frame);
                    self.controls.push_back(control);
                    self.escaped = false;
                }
                ESCAPE => self.escaped = true,
                _ if self.escaped => {
                    self.frame.push(byte & !0x10);
                    self.escaped = false;
                }
                _ => self.frame.push(byte),
            }
        }
        Some(())
    }
}

/// What has to be added for the bytes to sum up to 0.
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte)).wrapping_neg()
}
