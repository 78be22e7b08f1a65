//! Requests for the host: LUN 2 of the BMC (`commands-core.md` section 5.5).
//!
//! A request over LAN with responder's LUN 2 is put into the receive queue of the system
//! interface under a sequence number of ours; the host answers with Send Message to the
//! LAN channel, and the response goes back under the client's own number.

use super::Simulator;
use super::effect::{Effects, LanId};
use super::return_path::ReturnPath;
use crate::bmc::messaging::{self, QueueFull};
use crate::command;
use crate::ipmi::{ChannelNumber, CompletionCode, McAddress, Medium, Moment, Origin, Request, Response};
use crate::lan;
use crate::wire::ipmb;

/// A request the host has not answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    lan: LanId,
    to: lan::ResponseTo,
}

impl Simulator {
    /// A request for the host came in a session.
    pub(super) fn request_for_host(
        &mut self,
        now: Moment,
        lan: LanId,
        to: &lan::ResponseTo,
        request: &Request<'_>,
        out: &mut Effects,
    ) {
        if let Err(code) = self.forward_to_host(now, lan, to, request, out) {
            self.answer(now, ReturnPath::Lan(lan, *to), &Response::with_code(&request.origin, code), out);
        }
    }

    fn forward_to_host(
        &mut self,
        now: Moment,
        lan: LanId,
        to: &lan::ResponseTo,
        request: &Request<'_>,
        out: &mut Effects,
    ) -> Result<(), CompletionCode> {
        let level = request.origin.privilege.ok_or(CompletionCode::INSUFFICIENT_PRIVILEGE)?;
        if !command::privilege::permitted(request.netfn, request.cmd, level) {
            return Err(CompletionCode::INSUFFICIENT_PRIVILEGE);
        }
        let controller = self.machine.controller(lan.mc).filter(|controller| controller.enabled);
        if controller.and_then(|controller| controller.channels.host()).is_none() {
            return Err(CompletionCode::UNSPECIFIED);
        }
        let slot = self.host_messages.insert(now, Waiting { lan, to: *to }).ok_or(CompletionCode::OUT_OF_SPACE)?;
        // [session handle] in front of the message, IPMI 2.0 table 22-10 for LAN.
        let handle = request.origin.session.map_or(0, |session| session.handle);
        let mut data = vec![handle];
        ipmb::Message {
            to: to.rs_addr,
            to_lun: to.rs_lun,
            netfn: to.netfn,
            from: to.rq_addr,
            from_lun: to.rq_lun,
            seq: slot,
            cmd: to.cmd,
            data: request.data,
        }
        .emit(&mut data);
        let message = messaging::Message { channel: lan.channel, data };
        let at = self.machine.at(lan.mc);
        let queued = at.ok_or(QueueFull).and_then(|mut at| messaging::enqueue(&mut at, now, message));
        self.carry_out_actions(now, out);
        if queued.is_err() {
            self.host_messages.take_if(slot, |_| true);
        }
        queued.map_err(|_| CompletionCode::OUT_OF_SPACE)
    }

    /// Puts the response in the message buffer, which came from `channel`, into the receive queue
    /// of `mc`: everything behind the requester's address.
    pub(super) fn queue_response(&mut self, now: Moment, mc: McAddress, channel: ChannelNumber, out: &mut Effects) {
        let data = self.message.get(1..).unwrap_or_default().to_vec();
        if let Some(mut at) = self.machine.at(mc) {
            // A full queue loses the response, as a full queue on a board does.
            let _ = messaging::enqueue(&mut at, now, messaging::Message { channel, data });
        }
        self.carry_out_actions(now, out);
    }

    /// Send Message to a LAN channel: the host's response to a forwarded request, or a
    /// request of its own to a session.
    pub(super) fn send_to_lan(
        &mut self,
        now: Moment,
        lan: LanId,
        message: &[u8],
        path: ReturnPath,
        origin: &Origin,
        out: &mut Effects,
    ) -> Result<(), CompletionCode> {
        let slot = self.lans.get(lan).ok_or(CompletionCode::INVALID_FIELD)?;
        let (&handle, message) = message.split_first().ok_or(CompletionCode::INVALID_LENGTH)?;
        let response = ipmb::Message::parse_unchecked(message).map_err(|_| CompletionCode::INVALID_LENGTH)?;
        if response.is_response() && response.data.is_empty() {
            return Err(CompletionCode::INVALID_LENGTH);
        }
        // Only the host speaks for the host: a session must not answer what another asked it,
        // nor send another session anything.
        if origin.medium != Medium::System {
            return Err(CompletionCode::NOT_PRESENT);
        }
        if !response.is_response() {
            let session = slot.channel().session_with_handle(handle).ok_or(CompletionCode::NOT_PRESENT)?;
            self.answer(now, path, &Response::new(origin), out);
            self.send_over_lan(now, lan, out, |channel, random, outbox| {
                channel.send_message(session, message, random, outbox);
            });
            return Ok(());
        }
        let waiting = self.host_messages.take_if(response.seq, |waiting| {
            waiting.lan == lan && waiting.to.netfn | 1 == response.netfn && waiting.to.cmd == response.cmd
        });
        let waiting = waiting.ok_or(CompletionCode::NOT_PRESENT)?;
        self.answer(now, path, &Response::new(origin), out);
        self.send_over_lan(now, lan, out, |channel, random, outbox| {
            channel.respond(&waiting.to, response.data, random, outbox);
        });
        Ok(())
    }

    /// A response message in a session that responses nothing we asked.
    pub(super) fn unexpected_response(
        &mut self,
        now: Moment,
        lan: LanId,
        to: lan::ResponseTo,
        origin: Origin,
        out: &mut Effects,
    ) {
        let response = Response::with_code(&origin, CompletionCode::NOT_PRESENT);
        self.answer(now, ReturnPath::Lan(lan, to), &response, out);
    }
}
