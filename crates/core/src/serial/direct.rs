//! Direct mode, IPMI 2.0 section 14.4 (Basic mode); `serial.md` section 10.
//!
//! `A0 <IPMB message, escaped> A5`; every `A5` is answered with the handshake `A6`, behind
//! the response if there is one.

use super::collector::Collector;
use super::{Fault, Inbound, ResponseTo, ipmb_message};

const START: u8 = 0xa0;
const STOP: u8 = 0xa5;
const HANDSHAKE: u8 = 0xa6;
const ESCAPE: u8 = 0xaa;
/// Escapes: the byte and what stands for it behind [`ESCAPE`].
const ESCAPED: [(u8, u8); 5] = [(START, 0xb0), (STOP, 0xb5), (HANDSHAKE, 0xb6), (ESCAPE, 0xba), (0x1b, 0x3b)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Outside,
    Inside,
    Escaped,
}

/// Receive state.
#[derive(Debug)]
pub(super) struct Decoder {
    frame: Collector,
    state: State,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { frame: Collector::new(ipmb_message::MAX_LENGTH), state: State::Outside }
    }
}

impl Decoder {
    /// Takes bytes; what they mean is appended to `inbound`.
    pub(super) fn receive(&mut self, bytes: &[u8], inbound: &mut Vec<Inbound>) {
        for &byte in bytes {
            match (self.state, byte) {
                (_, HANDSHAKE) => {}
                (state, START) => {
                    if state != State::Outside {
                        inbound.push(Inbound::Fault(Fault::Restarted));
                    }
                    self.frame.clear();
                    self.state = State::Inside;
                }
                (_, STOP) => {
                    inbound.push(self.finish());
                    inbound.push(Inbound::Write(vec![HANDSHAKE]));
                    self.frame.clear();
                    self.state = State::Outside;
                }
                (State::Outside, _) => {}
                (State::Inside, ESCAPE) => self.state = State::Escaped,
                (State::Inside, _) => self.frame.push(byte),
                (State::Escaped, _) => {
                    self.state = State::Inside;
                    match ESCAPED.iter().find(|(_, code)| *code == byte) {
                        Some((plain, _)) => self.frame.push(*plain),
                        None => {
                            inbound.push(Inbound::Fault(Fault::InvalidEscape(byte)));
                            self.frame.spoil();
                        }
                    }
                }
            }
        }
    }

    fn finish(&self) -> Inbound {
        if self.state == State::Escaped {
            return Inbound::Fault(Fault::EndedInEscape);
        }
        if self.state == State::Outside {
            return Inbound::Fault(Fault::Empty);
        }
        match self.frame.frame().map(ipmb_message::parse) {
            None => Inbound::Fault(Fault::TooLong),
            Some(Err(fault)) => Inbound::Fault(fault),
            Some(Ok((response_to, data))) => Inbound::Message { response_to, data: data.to_vec() },
        }
    }
}

/// Writes a response.
pub(super) fn encode(to: &ResponseTo, response: &[u8], out: &mut Vec<u8>) {
    out.push(START);
    for byte in ipmb_message::answer(to, response) {
        match ESCAPED.iter().find(|(plain, _)| *plain == byte) {
            Some((_, code)) => out.extend_from_slice(&[ESCAPE, *code]),
            None => out.push(byte),
        }
    }
    out.push(STOP);
}
