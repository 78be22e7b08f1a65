//! Bridging: Send Message, and the responses of the controllers it leads to
//! (`commands-core.md` section 5, `lan-protocol.md` section 10).
//!
//! A request carried by Send Message is held against the privilege table like a direct
//! one, and its response travels as a message of its own behind the response of Send Message.

use super::Simulator;
use super::effect::{Effects, IpmbId, LanId};
use super::return_path::{BridgedTo, ReturnPath, Target};
use crate::command;
use crate::ipmi::{ChannelNumber, CompletionCode, McAddress, Medium, Moment, Origin, Request, Response};
use crate::wire::ipmb;

/// How deep Send Message may lie inside Send Message.
const DEPTH: u8 = 4;

/// Tracking of the outer request, IPMI 2.0 table 22-9, byte 1 bits 7:6.
#[derive(PartialEq, Eq)]
enum Tracking {
    None,
    Request,
}

impl Simulator {
    /// Send Message on the controller `mc`.
    pub(super) fn send_message(
        &mut self,
        now: Moment,
        mc: McAddress,
        request: &Request<'_>,
        path: ReturnPath,
        out: &mut Effects,
    ) {
        let code = match self.bridge(now, mc, request, path, out) {
            Ok(()) => return,
            Err(code) => code,
        };
        self.answer(now, path, &Response::with_code(&request.origin, code), out);
    }

    fn bridge(
        &mut self,
        now: Moment,
        mc: McAddress,
        request: &Request<'_>,
        path: ReturnPath,
        out: &mut Effects,
    ) -> Result<(), CompletionCode> {
        match self.machine.controller(mc) {
            Some(controller) if controller.enabled => {}
            _ => return Err(CompletionCode::UNSPECIFIED),
        }
        let (&first, message) = request.data.split_first().ok_or(CompletionCode::INVALID_LENGTH)?;
        let tracking = match first >> 6 {
            0 => Tracking::None,
            1 => Tracking::Request,
            _ => return Err(CompletionCode::INVALID_FIELD),
        };
        let needed = match request.origin.medium {
            Medium::Lan => Tracking::Request,
            Medium::System | Medium::Ipmb => Tracking::None,
        };
        if tracking != needed {
            return Err(CompletionCode::INVALID_FIELD);
        }
        match ChannelNumber::from_wire(first) {
            channel if channel == ChannelNumber::PRIMARY_IPMB || self.ipmbs.is_open(IpmbId { mc, channel }) => {
                self.bridge_to_ipmb(now, IpmbId { mc, channel }, request, message, path, out)
            }
            channel => self.send_to_lan(now, LanId { mc, channel }, message, path, &request.origin, out),
        }
    }

    /// To a controller on the simulated IPMB, which is channel 0 unless a device is, or on a
    /// device's.
    fn bridge_to_ipmb(
        &mut self,
        now: Moment,
        ipmb: IpmbId,
        request: &Request<'_>,
        message: &[u8],
        path: ReturnPath,
        out: &mut Effects,
    ) -> Result<(), CompletionCode> {
        let carried = self.carried(ipmb, message, &request.origin)?;
        let (target, depth) = path.inside();
        if depth >= DEPTH {
            return Err(CompletionCode::OUT_OF_SPACE);
        }
        let origin =
            Origin { bridged: true, requester: carried.from, requester_lun: carried.from_lun, ..request.origin };
        let header = ipmb::Message { data: &[], ..carried };
        let back = BridgedTo { mc: path.home(), target, channel: ipmb.channel, request: header, depth };
        if self.ipmbs.is_open(ipmb) {
            self.bridge_to_device(now, ipmb, &carried, origin, back)?;
            self.write_to_ipmb(ipmb, out);
            self.answer(now, path, &Response::new(&request.origin), out);
            return Ok(());
        }
        self.answer(now, path, &Response::new(&request.origin), out);
        let inner = Request { netfn: carried.netfn, cmd: carried.cmd, lun: carried.to_lun, origin, data: carried.data };
        self.request(now, McAddress(carried.to), &inner, ReturnPath::Bridged(back), out);
        Ok(())
    }

    /// The request in a Send Message to an IPMB, if it can go there and whoever sent it may send it.
    fn carried<'a>(
        &self,
        ipmb: IpmbId,
        message: &'a [u8],
        origin: &Origin,
    ) -> Result<ipmb::Message<'a>, CompletionCode> {
        // The broadcast form has a zero byte in front of the responder's address.
        let message = match message {
            [0, rest @ ..] => rest,
            whole => whole,
        };
        // Neither checksum is looked at: the original never did, and clients differ.
        let carried = ipmb::Message::parse_unchecked(message).map_err(|_| CompletionCode::INVALID_LENGTH)?;
        let address = McAddress(carried.to);
        let is_there = || self.machine.controller(address).is_some_and(|controller| controller.enabled);
        if !self.ipmbs.is_open(ipmb) && !is_there() {
            return Err(CompletionCode::COMMAND_SPECIFIC_83);
        }
        if carried.is_response() {
            return Err(CompletionCode::UNSPECIFIED);
        }
        let ipmb::Message { netfn, cmd, data, .. } = carried;
        let found = self.commands.find(&self.machine, address, netfn, cmd, data);
        if let Some(level) = origin.privilege
            && !command::privilege::request_permitted(found, netfn, cmd, data, level)
            && !command::group_extension::is_absent(found, netfn, data)
        {
            return Err(CompletionCode::INSUFFICIENT_PRIVILEGE);
        }
        Ok(carried)
    }

    /// The response of a bridged request, as a message of its own.
    pub(super) fn bridged_response(&mut self, now: Moment, to: &BridgedTo, response: &Response, out: &mut Effects) {
        self.message.clear();
        to.request.response(response.bytes()).emit(&mut self.message);
        match to.target {
            Target::Session(lan, session) => {
                let message = std::mem::take(&mut self.message);
                self.send_over_lan(now, lan, out, |channel, random, outbox| {
                    channel.send_message(session, &message, random, outbox);
                });
                self.message = message;
            }
            // The host gets a response where it asked for one: at its own LUN 2.
            Target::HostQueue if to.request.from_lun == 2 => self.queue_response(now, to.mc, to.channel, out),
            Target::HostQueue => {}
            Target::Line(serial) => self.line_bridged_response(serial, out),
            Target::Bus(ipmb) => self.write_to_ipmb(ipmb, out),
        }
    }
}
