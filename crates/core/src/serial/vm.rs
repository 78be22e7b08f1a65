//! Receives and answers in the VM protocol (`serial.md` sections 4 and 5); the format is
//! [`wire::vm`](crate::wire::vm)'s.

use super::collector::Collector;
use super::{Fault, HostCapabilities, Inbound, ResponseTo};
use crate::wire::Error;
use crate::wire::vm::{END_COMMAND, END_MESSAGE, ESCAPE, HostCommand, MAX_LENGTH, Message, unescape};

/// Receive state.
#[derive(Debug)]
pub(super) struct Decoder {
    frame: Collector,
    escaped: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { frame: Collector::new(MAX_LENGTH), escaped: false }
    }
}

impl Decoder {
    /// Takes bytes; what they mean is appended to `inbound`.
    pub(super) fn receive(&mut self, bytes: &[u8], inbound: &mut Vec<Inbound>) {
        for &byte in bytes {
            match byte {
                END_MESSAGE | END_COMMAND => {
                    inbound.extend(self.finish(byte));
                    self.frame.clear();
                    self.escaped = false;
                }
                // A second one changes nothing: the escape is for what follows.
                ESCAPE => self.escaped = true,
                _ if self.escaped => {
                    self.frame.push(unescape(byte));
                    self.escaped = false;
                }
                _ => self.frame.push(byte),
            }
        }
    }

    fn finish(&self, end: u8) -> Option<Inbound> {
        if self.escaped {
            return Some(Inbound::Fault(Fault::EndedInEscape));
        }
        if self.frame.is_empty() {
            return None;
        }
        let Some(frame) = self.frame.frame() else { return Some(Inbound::Fault(Fault::TooLong)) };
        if end == END_COMMAND {
            return match HostCommand::parse(frame)? {
                HostCommand::Version(_) => None,
                HostCommand::Capabilities(bits) => Some(Inbound::Capabilities(HostCapabilities { bits })),
                HostCommand::HostReset => Some(Inbound::HostReset),
            };
        }
        Some(match Message::parse(frame) {
            Ok(message) => {
                let response_to = ResponseTo {
                    rs_addr: 0,
                    rq_addr: 0,
                    netfn: message.netfn,
                    rs_lun: message.lun,
                    rq_lun: 0,
                    sequence: message.sequence,
                    cmd: message.cmd,
                    forwarded: false,
                    connection: 0,
                };
                Inbound::Message { response_to, data: message.data.to_vec() }
            }
            Err(Error::Checksum) => Inbound::Fault(Fault::Checksum),
            Err(Error::Truncated | Error::Unknown) => Inbound::Fault(Fault::TooShort),
        })
    }
}

/// Writes a response. Its LUN is always 0.
pub(super) fn encode(to: &ResponseTo, response: &[u8], out: &mut Vec<u8>) {
    Message { sequence: to.sequence, netfn: to.netfn | 1, lun: 0, cmd: to.cmd, data: response }.emit(out);
}
