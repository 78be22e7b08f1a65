//! How a request reaches its controller and which message is the response: directly, or by Send Message through the BMC
//! (IPMI 2.0 section 6.13).

use ipmi_sim_client::Session;
use ipmi_sim_core::ipmi::netfn;
use ipmi_sim_core::wire::ipmb::{Message, REMOTE_CONSOLE};
use ipmi_sim_core::wire::session20::PayloadType;

use crate::clone::bytes::Bytes;
use crate::clone::model::{BMC, Response};
use crate::clone::reads::Question;
use crate::ipmi::Random;

/// Send Message, App.
const SEND_MESSAGE: u8 = 0x34;
/// In the channel byte: the BMC keeps track of the request and hands the response on.
const TRACK: u8 = 0x40;

/// A request on its way.
pub(super) struct Route<'a> {
    question: &'a Question,
    seq: u8,
}

/// What a datagram is.
pub(super) enum Arrived {
    /// The response.
    Response(Response),
    /// Send Message was not done.
    NotReached(u8),
    /// Something else, such as a response that comes twice.
    Other,
}

impl<'a> Route<'a> {
    pub(super) fn new(question: &'a Question, seq: u8) -> Self {
        Self { question, seq }
    }

    /// The request as its controller gets it.
    fn message(&self) -> Message<'_> {
        let request = self.question.request();
        // What a satellite hears comes from the BMC.
        let from = if self.question.channel().is_some() { BMC } else { REMOTE_CONSOLE };
        Message {
            to: request.mc,
            to_lun: request.lun,
            netfn: request.netfn,
            from,
            from_lun: 0,
            seq: self.seq,
            cmd: request.cmd,
            data: &request.data,
        }
    }

    /// Appends the datagram.
    pub(super) fn seal(&self, session: &mut Session, random: &mut dyn Random, datagram: &mut Vec<u8>) {
        let mut inner = Vec::new();
        let direct = self.message();
        let Some(channel) = self.question.channel() else {
            session.seal(PayloadType::Ipmi, random, datagram, |out| direct.emit(out));
            return;
        };
        inner.push(channel | TRACK);
        direct.emit(&mut inner);
        let carrier = Message { netfn: netfn::APP, cmd: SEND_MESSAGE, data: &inner, ..console(self.seq) };
        session.seal(PayloadType::Ipmi, random, datagram, |out| carrier.emit(out));
    }

    /// What a datagram is.
    pub(super) fn arrived(&self, session: &mut Session, datagram: &mut [u8]) -> Arrived {
        let Ok(opened) = session.open(datagram) else { return Arrived::Other };
        if opened.payload_type != PayloadType::Ipmi {
            return Arrived::Other;
        }
        let Ok(message) = Message::parse(opened.payload) else { return Arrived::Other };
        if message.seq == self.seq && self.question.channel().is_some() && is(&message, netfn::APP, SEND_MESSAGE) {
            return self.carrier(message.data);
        }
        self.response(&message).map_or(Arrived::Other, Arrived::Response)
    }

    /// The response to Send Message: the message itself follows, or is in it.
    fn carrier(&self, data: &[u8]) -> Arrived {
        match data {
            [0] | [] => Arrived::Other,
            [0, inner @ ..] => {
                let inner = Message::parse_unchecked(inner).ok();
                inner.and_then(|inner| self.response(&inner)).map_or(Arrived::Other, Arrived::Response)
            }
            [code, ..] => Arrived::NotReached(*code),
        }
    }

    fn response(&self, message: &Message<'_>) -> Option<Response> {
        let request = self.question.request();
        let mine = message.seq == self.seq && is(message, request.netfn, request.cmd);
        let (code, data) = message.data.split_first().filter(|_| mine)?;
        Some(Response { code: *code, data: Bytes::from(data) })
    }
}

/// A message of the console to the BMC.
fn console(seq: u8) -> Message<'static> {
    Message { to: BMC, to_lun: 0, netfn: 0, from: REMOTE_CONSOLE, from_lun: 0, seq, cmd: 0, data: &[] }
}

/// Whether it is a response to this command.
fn is(message: &Message<'_>, netfn: u8, cmd: u8) -> bool {
    (message.netfn, message.cmd) == (netfn | 1, cmd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clone::model::Controller;
    use crate::clone::reads::Read;

    fn question() -> Question {
        let controller = Controller { address: 0x2c, channel: 6, ..Controller::default() };
        Question::read(&controller, 1, Read::SensorReading, [5])
    }

    fn message(message: &Message<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        message.emit(&mut bytes);
        bytes
    }

    #[test]
    fn a_satellite_is_asked_by_the_bmc() {
        let question = question();
        let route = Route::new(&question, 9);
        let asked = route.message();
        assert_eq!((asked.to, asked.to_lun, asked.from, asked.netfn, asked.cmd), (0x2c, 1, BMC, 0x04, 0x2d));
    }

    #[test]
    fn its_response_follows_or_is_inside() {
        let question = question();
        let route = Route::new(&question, 9);
        let data = [0x00, 0x33, 0xc0];
        let response = Message { data: &data, ..route.message().response(&[]) };
        let told = Response::done([0x33, 0xc0]);
        assert_eq!(route.response(&response), Some(told.clone()));
        let inside = [&[0][..], &message(&response)].concat();
        assert!(matches!(route.carrier(&inside), Arrived::Response(found) if found == told));
        assert!(matches!(route.carrier(&[0]), Arrived::Other));
        assert!(matches!(route.carrier(&[0x83]), Arrived::NotReached(0x83)));
        let other = Message { seq: 8, ..response };
        assert_eq!(route.response(&other), None, "of another request");
    }
}
