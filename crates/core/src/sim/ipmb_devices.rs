//! IPMB devices joined to the machine: requests that come in on a real bus, and Send Message
//! to controllers there (`commands-core.md` section 5.6).
//!
//! A message on a device is `[length][IPMB message]`, the length counting what follows.

use super::Simulator;
use super::effect::{Effect, Effects, IpmbId};
use super::return_path::{BridgedTo, ReturnPath};
use crate::bmc::LogLevel;
use crate::ipmi::{CompletionCode, McAddress, Medium, Moment, Origin, Reply, Request};
use crate::lan::LogLimit;
use crate::settings::model::IpmbConfig;
use crate::wire::ipmb;

/// One IPMB device.
pub(super) struct IpmbSlot {
    pub(super) id: IpmbId,
    pub(super) config: IpmbConfig,
    /// Whether it was asked to be opened.
    pub(super) open: bool,
    /// Whoever is on the bus can send nothing but faults.
    faults: LogLimit,
}

impl IpmbSlot {
    pub(super) fn new(mc: McAddress, config: IpmbConfig) -> Self {
        Self { id: IpmbId { mc, channel: config.channel }, config, open: false, faults: LogLimit::default() }
    }
}

/// A request of ours on a bus that waits for its answer.
#[derive(Debug)]
pub(super) struct Asked {
    ipmb: IpmbId,
    /// The request as it came to us.
    back: BridgedTo,
    origin: Origin,
}

impl Simulator {
    /// A message came in on an IPMB device. Whom it is addressed to is the bus's business: what
    /// the device hands over is for the controller that owns it.
    pub(super) fn ipmb_data(&mut self, now: Moment, ipmb: IpmbId, bytes: &[u8], out: &mut Effects) {
        let message = match ipmb::Message::parse(bytes.get(1..).unwrap_or_default()) {
            Ok(message) => message,
            Err(error) => return self.log_ipmb_fault(now, ipmb, &error.to_string(), out),
        };
        if message.is_response() {
            return self.ipmb_response(now, ipmb, &message, out);
        }
        let origin = Origin {
            channel: ipmb.channel,
            medium: Medium::Ipmb,
            privilege: None,
            session: None,
            bridged: false,
            requester: message.from,
            requester_lun: message.from_lun,
        };
        let path = ReturnPath::Ipmb(ipmb, ipmb::Message { data: &[], ..message });
        if message.to_lun == 2 {
            // For the host, which could not answer: it has no way to this bus but requests.
            return self.answer(now, path, &Reply::with_code(&origin, CompletionCode::INVALID_FIELD), out);
        }
        let ipmb::Message { netfn, cmd, to_lun: lun, data, .. } = message;
        self.request(now, ipmb.mc, &Request { netfn, cmd, lun, origin, data }, path, out);
    }

    fn log_ipmb_fault(&mut self, now: Moment, ipmb: IpmbId, fault: &str, out: &mut Effects) {
        let Some(slot) = self.ipmbs.iter_mut().find(|slot| slot.id == ipmb) else { return };
        let Some(held_back) = slot.faults.permit(now) else { return };
        let mut text = format!("{}: a message is left out: {fault}", slot.config.device);
        if held_back > 0 {
            text.push_str(&format!(" ({held_back} such lines were left out before)"));
        }
        out.list.push(Effect::Log { level: LogLevel::Warning, text });
    }

    /// Writes the message in the buffer on a bus. One that is longer than the length byte can
    /// say has no place there.
    pub(super) fn write_to_ipmb(&self, ipmb: IpmbId, out: &mut Effects) {
        if let Ok(length) = u8::try_from(self.message.len()) {
            let mut bytes = Vec::with_capacity(self.message.len() + 1);
            bytes.push(length);
            bytes.extend_from_slice(&self.message);
            out.list.push(Effect::Ipmb { ipmb, bytes });
        }
    }

    /// The answer to a request that came in on a bus.
    pub(super) fn ipmb_answer(&mut self, ipmb: IpmbId, request: &ipmb::Message<'_>, answer: &[u8], out: &mut Effects) {
        self.message.clear();
        request.response(answer).emit(&mut self.message);
        self.write_to_ipmb(ipmb, out);
    }

    /// Whether a channel is an IPMB device that can be sent something.
    pub(super) fn is_open_ipmb(&self, ipmb: IpmbId) -> bool {
        self.ipmbs.iter().any(|slot| slot.id == ipmb && slot.open)
    }

    /// Send Message to a controller on a real bus. There it is the BMC's own request, under a
    /// sequence number of ours, so that the answer comes back here.
    pub(super) fn bridge_to_device(
        &mut self,
        now: Moment,
        ipmb: IpmbId,
        carried: &ipmb::Message<'_>,
        origin: Origin,
        back: BridgedTo,
    ) -> Result<(), CompletionCode> {
        let asked = Asked { ipmb, back, origin };
        let seq = self.ipmb_requests.insert(now, asked).ok_or(CompletionCode::OUT_OF_SPACE)?;
        self.message.clear();
        ipmb::Message { from: ipmb.mc.0, from_lun: 0, seq, ..*carried }.emit(&mut self.message);
        Ok(())
    }

    fn ipmb_response(&mut self, now: Moment, ipmb: IpmbId, response: &ipmb::Message<'_>, out: &mut Effects) {
        let asked = self.ipmb_requests.take_if(response.seq, |asked| {
            let request = &asked.back.request;
            asked.ipmb == ipmb
                && request.to == response.from
                && request.netfn | 1 == response.netfn
                && request.cmd == response.cmd
        });
        let Some(Asked { back, origin, .. }) = asked else {
            return self.log_ipmb_fault(now, ipmb, "it answers nothing that was asked", out);
        };
        let mut reply = Reply::with_code(&origin, CompletionCode::UNSPECIFIED);
        if let Some((code, data)) = response.data.split_first() {
            reply.set_code(CompletionCode(*code));
            // A message on a bus is shorter than any bridged answer may be.
            let _ = reply.put(data);
        }
        self.answer(now, ReturnPath::Bridged(back), &reply, out);
    }
}
