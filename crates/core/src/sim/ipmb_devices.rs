//! IPMB devices joined to the machine: requests that come in on a real bus, and Send Message
//! to controllers there (`commands-core.md` section 5.6).
//!
//! A message on a device is `[length][IPMB message]`, the length counting what follows.

use super::Simulator;
use super::effect::{Effect, Effects, IpmbId};
use super::return_path::{BridgedTo, ReturnPath};
use super::tracker::Tracker;
use crate::bmc::LogLevel;
use crate::ipmi::{CompletionCode, McAddress, Medium, Moment, Origin, Request, Response};
use crate::lan::LogLimit;
use crate::settings::model::IpmbConfig;
use crate::wire::ipmb;

/// One IPMB device.
struct IpmbSlot {
    id: IpmbId,
    config: IpmbConfig,
    /// Whether it was asked to be opened.
    open: bool,
    /// Whoever is on the bus can send nothing but faults.
    faults: LogLimit,
}

/// A request of ours on a bus that waits for its response.
#[derive(Debug)]
struct Asked {
    ipmb: IpmbId,
    /// The request as it came to us.
    back: BridgedTo,
    origin: Origin,
}

/// The IPMB devices of all controllers, and what was asked there.
#[derive(Default)]
pub(super) struct IpmbDevices {
    slots: Vec<IpmbSlot>,
    asked: Tracker<Asked>,
}

impl IpmbDevices {
    /// One more, not open yet. The last one for a channel counts.
    pub(super) fn add(&mut self, mc: McAddress, config: IpmbConfig) {
        let id = IpmbId { mc, channel: config.channel };
        self.slots.retain(|slot| slot.id != id);
        self.slots.push(IpmbSlot { id, config, open: false, faults: LogLimit::default() });
    }

    /// Has the devices of a controller opened, unless that was asked for before.
    pub(super) fn open(&mut self, mc: McAddress, out: &mut Effects) {
        for slot in self.slots.iter_mut().filter(|slot| slot.id.mc == mc && !slot.open) {
            slot.open = true;
            let (device, span) = (slot.config.device.clone(), slot.config.span);
            out.list.push(Effect::OpenIpmb { ipmb: slot.id, device, span });
        }
    }

    /// Whether a channel is a device that can be sent something.
    pub(super) fn is_open(&self, ipmb: IpmbId) -> bool {
        self.slots.iter().any(|slot| slot.id == ipmb && slot.open)
    }

    /// When [`expire`](Self::expire) wants to be called next.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.asked.deadline()
    }

    /// Forgets requests whose responses did not come.
    pub(super) fn expire(&mut self, now: Moment) {
        self.asked.expire(now);
    }
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
            return self.answer(now, path, &Response::with_code(&origin, CompletionCode::INVALID_FIELD), out);
        }
        let ipmb::Message { netfn, cmd, to_lun: lun, data, .. } = message;
        self.request(now, ipmb.mc, &Request { netfn, cmd, lun, origin, data }, path, out);
    }

    fn log_ipmb_fault(&mut self, now: Moment, ipmb: IpmbId, fault: &str, out: &mut Effects) {
        let Some(slot) = self.ipmbs.slots.iter_mut().find(|slot| slot.id == ipmb) else { return };
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

    /// The response to a request that came in on a bus.
    pub(super) fn respond_on_ipmb(
        &mut self,
        ipmb: IpmbId,
        request: &ipmb::Message<'_>,
        response: &[u8],
        out: &mut Effects,
    ) {
        self.message.clear();
        request.response(response).emit(&mut self.message);
        self.write_to_ipmb(ipmb, out);
    }

    /// Send Message to a controller on a real bus. There it is the BMC's own request, under a
    /// sequence number of ours, so that the response comes back here.
    pub(super) fn bridge_to_device(
        &mut self,
        now: Moment,
        ipmb: IpmbId,
        carried: &ipmb::Message<'_>,
        origin: Origin,
        back: BridgedTo,
    ) -> Result<(), CompletionCode> {
        let asked = Asked { ipmb, back, origin };
        let seq = self.ipmbs.asked.insert(now, asked).ok_or(CompletionCode::OUT_OF_SPACE)?;
        self.message.clear();
        ipmb::Message { from: ipmb.mc.0, from_lun: 0, seq, ..*carried }.emit(&mut self.message);
        Ok(())
    }

    fn ipmb_response(&mut self, now: Moment, ipmb: IpmbId, message: &ipmb::Message<'_>, out: &mut Effects) {
        let asked = self.ipmbs.asked.take_if(message.seq, |asked| {
            let request = &asked.back.request;
            asked.ipmb == ipmb
                && request.to == message.from
                && request.netfn | 1 == message.netfn
                && request.cmd == message.cmd
        });
        let Some(Asked { back, origin, .. }) = asked else {
            return self.log_ipmb_fault(now, ipmb, "it answers nothing that was asked", out);
        };
        let mut response = Response::with_code(&origin, CompletionCode::UNSPECIFIED);
        if let Some((code, data)) = message.data.split_first() {
            response.set_code(CompletionCode(*code));
            // A message on a bus is shorter than any bridged response may be.
            let _ = response.put(data);
        }
        self.answer(now, ReturnPath::Bridged(back), &response, out);
    }
}
