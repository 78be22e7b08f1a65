//! Terminal mode, IPMI 2.0 section 14.7; `serial.md` section 11.
//!
//! `[` netFn/LUN, sequence/bridge, command, data in hexadecimal `]`. No echo, no line
//! editing, no text commands, and errors are not told to the host.

use super::collector::Collector;
use super::{Fault, Inbound, ResponseTo, hex};

const START: u8 = b'[';
const STOP: u8 = b']';
/// Most bytes of a message.
const MAX_BYTES: usize = 255;

/// Receive state.
#[derive(Debug)]
pub(super) struct Decoder {
    text: Collector,
    inside: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { text: Collector::new(hex::MAX_CHARACTERS), inside: false }
    }
}

impl Decoder {
    /// Takes bytes; what they mean is appended to `inbound`.
    pub(super) fn receive(&mut self, bytes: &[u8], inbound: &mut Vec<Inbound>) {
        for &byte in bytes {
            match byte {
                START => {
                    if self.inside {
                        inbound.push(Inbound::Fault(Fault::Restarted));
                    }
                    self.text.clear();
                    self.inside = true;
                }
                _ if !self.inside => {}
                STOP => {
                    inbound.push(self.finish());
                    self.text.clear();
                    self.inside = false;
                }
                _ => self.text.push(byte),
            }
        }
    }

    fn finish(&self) -> Inbound {
        let Some(text) = self.text.frame() else { return Inbound::Fault(Fault::Overrun) };
        let bytes = hex::decode(text, hex::Blanks::Allowed).filter(|bytes| bytes.len() <= MAX_BYTES);
        let Some([netfn_lun, sequence, cmd, data @ ..]) = bytes.as_deref() else {
            return Inbound::Fault(Fault::BadInput);
        };
        let response_to = ResponseTo {
            rs_addr: 0,
            rq_addr: 0,
            netfn: netfn_lun >> 2,
            rs_lun: netfn_lun & 3,
            rq_lun: 0,
            sequence: sequence >> 2,
            cmd: *cmd,
            forwarded: false,
            connection: 0,
        };
        Inbound::Message { response_to, data: data.to_vec() }
    }
}

/// Writes a response. LUN and bridge bits are always 0.
pub(super) fn encode(to: &ResponseTo, response: &[u8], out: &mut Vec<u8>) {
    out.push(START);
    for byte in [(to.netfn | 1) << 2, to.sequence << 2, to.cmd] {
        hex::encode(byte, out);
    }
    for (index, byte) in response.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        hex::encode(*byte, out);
    }
    out.extend_from_slice(&[STOP, b'\n']);
}
