//! Serial and system-interface channels: byte streams to requests and back.
//!
//! Owns the framing state of one line (`serial.md`): the VM protocol, Direct mode,
//! Terminal mode, Radisys ASCII. Opens no socket.

use crate::config::model::{CodecKind, SerialOem};
use crate::ipmi::HostSignal;

/// What a line needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Framing.
    pub codec: CodecKind,
    /// OEM command set.
    pub oem: Option<SerialOem>,
    /// Attention bytes.
    pub attention: Vec<u8>,
    /// Reported IPMB address.
    pub ipmb: u8,
    /// IPMB address of the controller the line belongs to: `RadisysAscii` passes messages
    /// for other addresses on.
    pub controller: u8,
}

/// Where an answer on a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    /// Responder's address (framings that have one).
    pub rs_addr: u8,
    /// Requester's address (framings that have one).
    pub rq_addr: u8,
    /// Network function of the request, as received.
    pub netfn: u8,
    /// Responder's LUN.
    pub rs_lun: u8,
    /// Requester's LUN.
    pub rq_lun: u8,
    /// Sequence byte.
    pub sequence: u8,
    /// Command.
    pub cmd: u8,
    /// The line made a Send Message to channel 0 of a message for another controller
    /// (`RadisysAscii`): only a failure is answered, and the other controller's answer goes
    /// to [`Line::bridged_reply`].
    pub forwarded: bool,
}

/// What came over the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// A request (or, with an odd network function, a response).
    Message {
        /// Where the answer goes.
        reply_to: ReplyTo,
        /// The data bytes.
        data: Vec<u8>,
    },
    /// The host announced what it can do (VM protocol command 08h).
    Capabilities(HostCapabilities),
    /// The host said that it was reset (VM protocol command 04h).
    HostReset,
    /// Bytes to be written to the line behind the answers to the messages before: a
    /// handshake, or the answer of an OEM handler.
    Write(Vec<u8>),
    /// Something to be logged; nothing is answered.
    Fault(Fault),
}

/// Why something received was dropped; its text is what the original prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// Fewer bytes than a message has.
    #[error("Message too short")]
    TooShort,
    /// More bytes than a message may have.
    #[error("Message too long")]
    TooLong,
    /// The bytes do not add up to zero.
    #[error("Message checksum failure")]
    Checksum,
    /// The end came directly behind an escape character.
    #[error("Message ended in escape")]
    EndedInEscape,
    /// An end without a message (Direct).
    #[error("Empty message")]
    Empty,
    /// A start inside a message (Direct, Terminal mode).
    #[error("Msg started in the middle of another")]
    Restarted,
    /// An escape character before a character that needs none (Direct).
    #[error("Invalid escape char: {0:#04x}")]
    InvalidEscape(u8),
    /// No hexadecimal digits, half a byte, too few or too many bytes (ASCII framings).
    #[error("Bad input data")]
    BadInput,
    /// Too many characters (ASCII framings).
    #[error("Data overrun")]
    Overrun,
}

/// What a VM host can do, `serial.md` section 5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostCapabilities {
    /// Bit mask as announced: 0 power off, 1 reset, 2 interrupt enable, 3 NMI,
    /// 4 attention, 5 graceful shutdown, 6 interface enable and disable.
    pub bits: u8,
}

/// One line.
#[derive(Debug)]
pub struct Line {
    settings: Settings,
}

impl Line {
    /// A line nobody is connected to.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A peer connected: receive state is cleared, the greeting is written to `out`.
    pub fn connected(&mut self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// The peer is gone.
    pub fn disconnected(&mut self) {}

    /// Takes bytes; what they mean is appended to `inbound`.
    pub fn receive(&mut self, bytes: &[u8], inbound: &mut Vec<Inbound>) {
        let _ = (bytes, inbound);
    }

    /// Writes the answer (completion code and data) to a message.
    pub fn respond(&mut self, to: &ReplyTo, answer: &[u8], out: &mut Vec<u8>) {
        let _ = (to, answer, out);
    }

    /// Writes the answer of another controller (a whole IPMB message) to a message that
    /// was [`forwarded`](ReplyTo::forwarded); framings that cannot carry it write nothing.
    pub fn bridged_reply(&mut self, message: &[u8], out: &mut Vec<u8>) {
        let _ = (message, out);
    }

    /// Tells the host something; framings that cannot say it write nothing.
    pub fn signal(&mut self, signal: HostSignal, out: &mut Vec<u8>) {
        let _ = (signal, out);
    }
}
