//! The VM protocol: frames between a virtual machine and its BMC (QEMU's
//! `ipmi-bmc-extern`). `serial.md` sections 4 and 5.
//!
//! ```text
//! message := bytes A0        command := bytes A1
//! ```
//!
//! Inside a frame `A0`, `A1` and `AA` are sent as `AA` and the byte with bit 4 set.
//!
//! | byte of a message | |
//! |---|---|
//! | 0 | sequence, any value; the response has the same |
//! | 1 | network function << 2, LUN |
//! | 2 | command |
//! | 3.. | data; in a response the completion code comes first |
//! | last | checksum: all bytes add up to 0 modulo 256 |

use super::Error;
use super::ipmb::checksum;
use crate::ipmi::HostSignal;

/// Ends a message.
pub const END_MESSAGE: u8 = 0xa0;
/// Ends a command.
pub const END_COMMAND: u8 = 0xa1;
/// The next byte had bit 4 set to hide it.
pub const ESCAPE: u8 = 0xaa;
/// The bit an escaped byte gets.
pub const ESCAPE_BIT: u8 = 0x10;
/// The protocol version spoken here.
pub const VERSION: u8 = 1;
/// Most bytes of a frame, its end and escapes not counted.
pub const MAX_LENGTH: usize = 259;

/// Command numbers, host to BMC and BMC to host.
mod code {
    pub(super) const VERSION: u8 = 0xff;
    pub(super) const ATTENTION_OFF: u8 = 0x00;
    pub(super) const ATTENTION: u8 = 0x01;
    pub(super) const ATTENTION_INTERRUPT: u8 = 0x02;
    pub(super) const POWER_OFF: u8 = 0x03;
    pub(super) const RESET: u8 = 0x04;
    pub(super) const ENABLE_INTERRUPT: u8 = 0x05;
    pub(super) const DISABLE_INTERRUPT: u8 = 0x06;
    pub(super) const NMI: u8 = 0x07;
    pub(super) const CAPABILITIES: u8 = 0x08;
    pub(super) const GRACEFUL_SHUTDOWN: u8 = 0x09;
    pub(super) const DISABLE_INTERFACE: u8 = 0x0a;
    pub(super) const ENABLE_INTERFACE: u8 = 0x0b;
}

fn emit_escaped(byte: u8, out: &mut Vec<u8>) {
    if matches!(byte, END_MESSAGE | END_COMMAND | ESCAPE) {
        out.extend_from_slice(&[ESCAPE, byte | ESCAPE_BIT]);
    } else {
        out.push(byte);
    }
}

/// The byte that was sent behind an [`ESCAPE`] as `byte`.
pub const fn unescape(byte: u8) -> u8 {
    byte & !ESCAPE_BIT
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Sequence byte.
    pub sequence: u8,
    /// Network function, 0 to 63.
    pub netfn: u8,
    /// LUN, 0 to 3.
    pub lun: u8,
    /// Command.
    pub cmd: u8,
    /// Data; of a response, completion code and data.
    pub data: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a frame without escapes and end.
    pub fn parse(frame: &'a [u8]) -> Result<Self, Error> {
        let [sequence, netfn_lun, cmd, data @ .., _checksum] = frame else { return Err(Error::Truncated) };
        if checksum(frame) != 0 {
            return Err(Error::Checksum);
        }
        Ok(Self { sequence: *sequence, netfn: netfn_lun >> 2, lun: netfn_lun & 3, cmd: *cmd, data })
    }

    /// Appends the whole frame, escapes and end included.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let header = [self.sequence, self.netfn << 2 | self.lun & 3, self.cmd];
        header.iter().chain(self.data).for_each(|byte| emit_escaped(*byte, out));
        emit_escaped(checksum(&header).wrapping_add(checksum(self.data)), out);
        out.push(END_MESSAGE);
    }
}

/// A command from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostCommand {
    /// `FF v`: the version it speaks.
    Version(u8),
    /// `08 b`: what it can do, bits of [`capability`](crate::ipmi::capability).
    Capabilities(u8),
    /// `04`: it was reset.
    HostReset,
}

impl HostCommand {
    /// The command in a frame without escapes and end; `None` if it is unknown or incomplete.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        match *frame {
            [code::VERSION, version, ..] => Some(Self::Version(version)),
            [code::CAPABILITIES, bits, ..] => Some(Self::Capabilities(bits)),
            [code::RESET, ..] => Some(Self::HostReset),
            _ => None,
        }
    }

    /// Appends the whole frame.
    pub fn emit(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Version(version) => emit_command(&[code::VERSION, version], out),
            Self::Capabilities(bits) => emit_command(&[code::CAPABILITIES, bits], out),
            Self::HostReset => emit_command(&[code::RESET], out),
        }
    }
}

/// A command from the BMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BmcCommand {
    /// `FF v`: the version it speaks.
    Version(u8),
    /// Everything else.
    Signal(HostSignal),
}

impl BmcCommand {
    /// The command in a frame without escapes and end; `None` if it is unknown or incomplete.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let signal = match *frame {
            [code::VERSION, version, ..] => return Some(Self::Version(version)),
            [code::ATTENTION_OFF, ..] => HostSignal::Attention { on: false, interrupt: false },
            [code::ATTENTION, ..] => HostSignal::Attention { on: true, interrupt: false },
            [code::ATTENTION_INTERRUPT, ..] => HostSignal::Attention { on: true, interrupt: true },
            [code::POWER_OFF, ..] => HostSignal::PowerOff,
            [code::RESET, ..] => HostSignal::Reset,
            [code::ENABLE_INTERRUPT, ..] => HostSignal::MessageInterrupt(true),
            [code::DISABLE_INTERRUPT, ..] => HostSignal::MessageInterrupt(false),
            [code::NMI, ..] => HostSignal::Nmi,
            [code::GRACEFUL_SHUTDOWN, ..] => HostSignal::GracefulShutdown,
            [code::DISABLE_INTERFACE, ..] => HostSignal::Interface(false),
            [code::ENABLE_INTERFACE, ..] => HostSignal::Interface(true),
            _ => return None,
        };
        Some(Self::Signal(signal))
    }

    /// Appends the whole frame.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let signal = match *self {
            Self::Version(version) => return emit_command(&[code::VERSION, version], out),
            Self::Signal(signal) => signal,
        };
        let code = match signal {
            HostSignal::Attention { on: false, .. } => code::ATTENTION_OFF,
            HostSignal::Attention { on: true, interrupt: false } => code::ATTENTION,
            HostSignal::Attention { on: true, interrupt: true } => code::ATTENTION_INTERRUPT,
            HostSignal::PowerOff => code::POWER_OFF,
            HostSignal::Reset => code::RESET,
            HostSignal::MessageInterrupt(true) => code::ENABLE_INTERRUPT,
            HostSignal::MessageInterrupt(false) => code::DISABLE_INTERRUPT,
            HostSignal::Nmi => code::NMI,
            HostSignal::GracefulShutdown => code::GRACEFUL_SHUTDOWN,
            HostSignal::Interface(false) => code::DISABLE_INTERFACE,
            HostSignal::Interface(true) => code::ENABLE_INTERFACE,
        };
        emit_command(&[code], out);
    }
}

fn emit_command(bytes: &[u8], out: &mut Vec<u8>) {
    bytes.iter().for_each(|byte| emit_escaped(*byte, out));
    out.push(END_COMMAND);
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    fn emitted(message: Message<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        message.emit(&mut out);
        out
    }

    #[test]
    fn a_request_is_read() {
        let frame = hex!("03 1a 2e 09 0b a1");
        assert_eq!(Message::parse(&frame), Ok(Message { sequence: 3, netfn: 6, lun: 2, cmd: 0x2e, data: &[9, 0x0b] }));
    }

    #[test]
    fn short_and_harmed_frames_are_refused() {
        assert_eq!(Message::parse(&hex!("01 18 e7")), Err(Error::Truncated));
        assert_eq!(Message::parse(&[]), Err(Error::Truncated));
        assert_eq!(Message::parse(&hex!("01 18 01 e7")), Err(Error::Checksum));
    }

    #[test]
    fn a_response_is_written() {
        let data = hex!("00 00 03 09 08 02 9f 91 12 00 02 0f 00 00 00 00");
        assert_eq!(
            emitted(Message { sequence: 1, netfn: 7, lun: 0, cmd: 1, data: &data }),
            hex!("01 1c 01 00 00 03 09 08 02 9f 91 12 00 02 0f 00 00 00 00 79 a0")
        );
    }

    #[test]
    fn bytes_that_end_or_escape_are_hidden_even_in_the_checksum() {
        assert_eq!(emitted(Message { sequence: 0xa0, netfn: 6, lun: 0, cmd: 1, data: &[] }), hex!("aa b0 18 01 47 a0"));
        assert_eq!(
            emitted(Message { sequence: 0xa6, netfn: 7, lun: 0, cmd: 0xa1, data: &[0xaa, 0xa0] }),
            hex!("a6 1c aa b1 aa ba aa b0 53 a0")
        );
        assert_eq!(
            emitted(Message { sequence: 2, netfn: 6, lun: 0, cmd: 0x2e, data: &[0x0e] }),
            hex!("02 18 2e 0e aa ba a0")
        );
    }

    #[test]
    fn host_commands() {
        assert_eq!(HostCommand::parse(&hex!("ff 01")), Some(HostCommand::Version(1)));
        assert_eq!(HostCommand::parse(&hex!("08 3f")), Some(HostCommand::Capabilities(0x3f)));
        assert_eq!(HostCommand::parse(&hex!("08")), None);
        assert_eq!(HostCommand::parse(&hex!("04")), Some(HostCommand::HostReset));
        assert_eq!(HostCommand::parse(&hex!("77")), None);
        let mut out = Vec::new();
        HostCommand::Version(1).emit(&mut out);
        HostCommand::Capabilities(0x3f).emit(&mut out);
        HostCommand::HostReset.emit(&mut out);
        assert_eq!(out, hex!("ff 01 a1 08 3f a1 04 a1"));
    }

    #[test]
    fn bmc_commands_are_written_and_read_back() {
        use HostSignal::*;
        let all = [
            (BmcCommand::Version(VERSION), &[0xff, 1][..]),
            (BmcCommand::Signal(Attention { on: false, interrupt: false }), &[0]),
            (BmcCommand::Signal(Attention { on: true, interrupt: false }), &[1]),
            (BmcCommand::Signal(Attention { on: true, interrupt: true }), &[2]),
            (BmcCommand::Signal(PowerOff), &[3]),
            (BmcCommand::Signal(Reset), &[4]),
            (BmcCommand::Signal(MessageInterrupt(true)), &[5]),
            (BmcCommand::Signal(MessageInterrupt(false)), &[6]),
            (BmcCommand::Signal(Nmi), &[7]),
            (BmcCommand::Signal(GracefulShutdown), &[9]),
            (BmcCommand::Signal(Interface(false)), &[0x0a]),
            (BmcCommand::Signal(Interface(true)), &[0x0b]),
        ];
        for (command, frame) in all {
            let mut out = Vec::new();
            command.emit(&mut out);
            assert_eq!(out.split_last(), Some((&END_COMMAND, frame)));
            assert_eq!(BmcCommand::parse(frame), Some(command));
        }
        assert_eq!(BmcCommand::parse(&[8]), None);
        assert_eq!(BmcCommand::parse(&[]), None);
    }
}
