//! Serial and system-interface channels: byte streams to requests and back.
//!
//! Owns the framing state of one line (`serial.md`): the VM protocol, Direct mode,
//! Terminal mode, Radisys ASCII. Opens no socket.

mod collector;
mod direct;
mod hex;
mod ipmb_message;
mod oem;
mod radisys_ascii;
mod terminal_mode;
#[cfg(test)]
mod tests;
mod vm;

use crate::ipmi::{HostSignal, McAddress};
use crate::settings::model::{CodecKind, SerialOem};
use crate::wire::vm as vm_wire;

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
    pub ipmb: McAddress,
    /// IPMB address of the controller the line belongs to: `RadisysAscii` passes messages
    /// for other addresses on.
    pub controller: McAddress,
}

/// Where a response on a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseTo {
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
    /// Sequence: the whole byte of the VM protocol, else six bits.
    pub sequence: u8,
    /// Command.
    pub cmd: u8,
    /// The line made a Send Message to channel 0 of a message for another controller
    /// (`RadisysAscii`): only a failure is answered, and the other controller's response goes
    /// to [`Line::bridged_response`].
    pub forwarded: bool,
    /// Which connection of the line it came by: who asked may be gone when the response is
    /// there, and somebody else connected.
    pub connection: u32,
}

/// What came over the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// A request (or, with an odd network function, a response).
    Message {
        /// Where the response goes.
        response_to: ResponseTo,
        /// The data bytes.
        data: Vec<u8>,
    },
    /// The host announced what it can do (VM protocol command 08h).
    Capabilities(HostCapabilities),
    /// The host said that it was reset (VM protocol command 04h).
    HostReset,
    /// Bytes to be written to the line behind the responses to the messages before: a
    /// handshake, or the response of an OEM handler.
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
    /// As announced, see [`capability`](crate::ipmi::capability).
    pub bits: u8,
}

/// The framing of a line with its receive state.
#[derive(Debug)]
enum Codec {
    Vm(vm::Decoder),
    Direct(direct::Decoder),
    TerminalMode(terminal_mode::Decoder),
    RadisysAscii(radisys_ascii::Decoder),
}

impl Codec {
    fn new(settings: &Settings) -> Self {
        match settings.codec {
            CodecKind::Vm => Self::Vm(vm::Decoder::default()),
            CodecKind::Direct => Self::Direct(direct::Decoder::default()),
            CodecKind::TerminalMode => Self::TerminalMode(terminal_mode::Decoder::default()),
            CodecKind::RadisysAscii => Self::RadisysAscii(radisys_ascii::Decoder::new(settings.controller)),
        }
    }
}

/// One line.
#[derive(Debug)]
pub struct Line {
    settings: Settings,
    codec: Codec,
    connected: bool,
    /// Counts the connections.
    connection: u32,
    oem: oem::Handler,
}

impl Line {
    /// A line nobody is connected to.
    pub fn new(settings: Settings) -> Self {
        let codec = Codec::new(&settings);
        let oem = oem::Handler::new(settings.oem, settings.ipmb);
        Self { settings, codec, connected: false, connection: 0, oem }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A peer connected: receive state is cleared, the greeting is written to `out`. The
    /// VM protocol wants the attention state next ([`signal`](Self::signal)).
    pub fn connected(&mut self, out: &mut Vec<u8>) {
        self.disconnected();
        self.connected = true;
        self.connection = self.connection.wrapping_add(1);
        if self.settings.codec == CodecKind::Vm {
            vm_wire::BmcCommand::Version(vm_wire::VERSION).emit(out);
        }
    }

    /// The peer is gone, and with it half a message.
    pub fn disconnected(&mut self) {
        self.connected = false;
        self.codec = Codec::new(&self.settings);
    }

    /// Takes bytes; what they mean is appended to `inbound`. Messages for an OEM handler
    /// come out as the response to be written.
    pub fn receive(&mut self, bytes: &[u8], inbound: &mut Vec<Inbound>) {
        let first = inbound.len();
        match &mut self.codec {
            Codec::Vm(decoder) => decoder.receive(bytes, inbound),
            Codec::Direct(decoder) => decoder.receive(bytes, inbound),
            Codec::TerminalMode(decoder) => decoder.receive(bytes, inbound),
            Codec::RadisysAscii(decoder) => decoder.receive(bytes, inbound),
        }
        for item in inbound.iter_mut().skip(first) {
            let Inbound::Message { response_to, data } = item else { continue };
            response_to.connection = self.connection;
            if let Some(response) = self.oem.answer(response_to, data) {
                let mut written = Vec::new();
                encode(self.settings.codec, response_to, &response, &mut written);
                *item = Inbound::Write(written);
            }
        }
    }

    /// Writes the response (completion code and data) to a message, if who sent it is still there.
    pub fn respond(&mut self, to: &ResponseTo, response: &[u8], out: &mut Vec<u8>) {
        let delivered_elsewhere = to.forwarded && response.first() == Some(&0);
        if self.connected && to.connection == self.connection && !delivered_elsewhere {
            encode(self.settings.codec, to, response, out);
        }
    }

    /// Writes the response of another controller (a whole IPMB message) to a message that
    /// was [`forwarded`](ResponseTo::forwarded); framings that cannot carry it write nothing.
    pub fn bridged_response(&mut self, message: &[u8], out: &mut Vec<u8>) {
        if self.connected && self.settings.codec == CodecKind::RadisysAscii {
            radisys_ascii::encode(message, out);
        }
    }

    /// Tells the host something; framings that cannot say it write nothing, and so does a
    /// line nobody is connected to.
    pub fn signal(&mut self, signal: HostSignal, out: &mut Vec<u8>) {
        if !self.connected {
            return;
        }
        match (self.settings.codec, signal) {
            (CodecKind::Vm, signal) => vm_wire::BmcCommand::Signal(signal).emit(out),
            (CodecKind::Direct | CodecKind::TerminalMode, HostSignal::Attention { on: true, .. }) => {
                out.extend_from_slice(&self.settings.attention);
            }
            (CodecKind::Direct | CodecKind::TerminalMode | CodecKind::RadisysAscii, _) => {}
        }
    }
}

/// Writes a response in a framing.
fn encode(codec: CodecKind, to: &ResponseTo, response: &[u8], out: &mut Vec<u8>) {
    match codec {
        CodecKind::Vm => vm::encode(to, response, out),
        CodecKind::Direct => direct::encode(to, response, out),
        CodecKind::TerminalMode => terminal_mode::encode(to, response, out),
        CodecKind::RadisysAscii => radisys_ascii::encode(&ipmb_message::answer(to, response), out),
    }
}
