//! Radisys ASCII; `serial.md` section 12.
//!
//! An IPMB message in hexadecimal, ended by CR. A message for another controller is passed
//! on as a Send Message to the IPMB.

use super::collector::Collector;
use super::{Fault, Inbound, ResponseTo, hex, ipmb_message};
use crate::ipmi::{McAddress, SEND_MESSAGE, netfn};

const END: u8 = b'\r';
/// The address a message for the controller at the line may name besides its own, and the
/// one it stands for itself with when it passes a message on.
const THIS: u8 = 0x01;
const IPMB_CHANNEL: u8 = 0;

/// Receive state.
#[derive(Debug)]
pub(super) struct Decoder {
    text: Collector,
    controller: McAddress,
}

impl Decoder {
    /// A line of the controller with this address.
    pub(super) fn new(controller: McAddress) -> Self {
        Self { text: Collector::new(hex::MAX_CHARACTERS), controller }
    }

    /// Takes bytes; what they mean is appended to `inbound`.
    pub(super) fn receive(&mut self, bytes: &[u8], inbound: &mut Vec<Inbound>) {
        for &byte in bytes {
            match byte {
                END => {
                    inbound.push(self.finish());
                    self.text.clear();
                }
                // Of a host that ends its lines with CR LF.
                b'\n' if self.text.is_empty() => {}
                _ => self.text.push(byte),
            }
        }
    }

    fn finish(&self) -> Inbound {
        let Some(text) = self.text.frame() else { return Inbound::Fault(Fault::Overrun) };
        let message = hex::decode(text, hex::Blanks::Refused).unwrap_or_default();
        match message.first() {
            None => Inbound::Fault(Fault::BadInput),
            Some(&address) if address == self.controller.0 || address == THIS => match ipmb_message::parse(&message) {
                Err(fault) => Inbound::Fault(fault),
                Ok((response_to, data)) => Inbound::Message { response_to, data: data.to_vec() },
            },
            Some(_) if message.len() > ipmb_message::MAX_LENGTH => Inbound::Fault(Fault::TooLong),
            Some(_) => {
                let response_to = ResponseTo {
                    rs_addr: THIS,
                    rq_addr: THIS,
                    netfn: netfn::APP,
                    rs_lun: 0,
                    rq_lun: 0,
                    sequence: 0,
                    cmd: SEND_MESSAGE,
                    forwarded: true,
                    connection: 0,
                };
                let mut data = message;
                data.insert(0, IPMB_CHANNEL);
                Inbound::Message { response_to, data }
            }
        }
    }
}

/// Writes an IPMB message.
pub(super) fn encode(message: &[u8], out: &mut Vec<u8>) {
    message.iter().for_each(|byte| hex::encode(*byte, out));
    out.push(END);
}
