//! Where answers go: the ways back of requests that came in by LAN, by a serial line, or
//! inside a Send Message.

use super::effect::{IpmbId, LanId, SerialId};
use crate::ipmi::{ChannelNumber, McAddress, SessionId};
use crate::wire::ipmb;
use crate::{lan, serial};

/// Where a response goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum ReturnPath {
    /// To the session that asked.
    Lan(LanId, lan::ResponseTo),
    /// To the line that asked.
    Serial(SerialId, serial::ResponseTo),
    /// To the bus the request, here without its data, came in on.
    Ipmb(IpmbId, ipmb::Message<'static>),
    /// As a message of its own, the response to a bridged request.
    Bridged(BridgedTo),
}

/// Where the response to a bridged request goes, and its header.
#[derive(Clone, Copy, Debug)]
pub(super) struct BridgedTo {
    /// The controller whose channel it goes out on.
    pub(super) mc: McAddress,
    pub(super) target: Target,
    /// The channel it was sent to.
    pub(super) channel: ChannelNumber,
    /// The request, without its data.
    pub(super) request: ipmb::Message<'static>,
    /// How many Send Messages it lay in before the outermost.
    pub(super) depth: u8,
}

/// Who gets the response.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// A session.
    Session(LanId, SessionId),
    /// The receive queue of the controller's system interface.
    HostQueue,
    /// A line that forwards messages for other controllers by itself.
    Line(SerialId),
    /// Whoever asked on a bus.
    Bus(IpmbId),
}

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Requester {
    /// A session.
    Session(LanId, SessionId),
    /// Whoever is at a line, or at the system interface.
    Line(SerialId),
    /// Whoever is on a bus.
    Bus(IpmbId),
}

impl ReturnPath {
    /// Who sent the outermost request.
    pub(super) fn requester(&self) -> Requester {
        match self {
            Self::Lan(lan, to) => Requester::Session(*lan, to.session),
            Self::Serial(serial, _) => Requester::Line(*serial),
            Self::Ipmb(ipmb, _) => Requester::Bus(*ipmb),
            Self::Bridged(to) => match to.target {
                Target::Session(lan, session) => Requester::Session(lan, session),
                Target::HostQueue => Requester::Line(SerialId { mc: to.mc, channel: ChannelNumber::SYSTEM_INTERFACE }),
                Target::Line(serial) => Requester::Line(serial),
                Target::Bus(ipmb) => Requester::Bus(ipmb),
            },
        }
    }

    /// Who gets the response to a request that came inside of this one, and in how many Send Messages that lies before
    /// the outermost.
    pub(super) fn inside(&self) -> (Target, u8) {
        match self {
            Self::Lan(lan, to) => (Target::Session(*lan, to.session), 0),
            Self::Serial(serial, to) if to.forwarded => (Target::Line(*serial), 0),
            Self::Serial(..) => (Target::HostQueue, 0),
            Self::Ipmb(bus, _) => (Target::Bus(*bus), 0),
            Self::Bridged(to) => (to.target, to.depth + 1),
        }
    }

    /// The controller whose channel the request came in on.
    pub(super) fn home(&self) -> McAddress {
        match self {
            Self::Lan(lan, _) => lan.mc,
            Self::Serial(serial, _) => serial.mc,
            Self::Ipmb(ipmb, _) => ipmb.mc,
            Self::Bridged(to) => to.mc,
        }
    }
}
