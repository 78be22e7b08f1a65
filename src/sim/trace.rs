//! What `-d` and `debug` show: raw LAN bytes, decoded messages, SOL packets, as log lines a
//! person can read. Changes nothing.

use std::fmt::Write;
use std::net::SocketAddr;

use super::Simulator;
use super::effect::{Effect, Effects, LanId};
use super::return_path::{ReturnPath, Target};
use crate::bmc::LogLevel;
use crate::command;
use crate::ipmi::{Reply, Request, SEND_MESSAGE, netfn};
use crate::wire::ipmb;

/// Set User Password, network function App.
const SET_USER_PASSWORD: u8 = 0x47;

/// What is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Debug {
    /// Raw LAN bytes.
    pub(super) raw: bool,
    /// Decoded messages.
    pub(super) messages: bool,
    /// SOL packets.
    pub(super) sol: bool,
}

/// Which way something went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

impl Simulator {
    /// A datagram, as it stands on the wire.
    pub(super) fn trace_datagram(&self, way: Way, lan: LanId, peer: SocketAddr, bytes: &[u8], out: &mut Effects) {
        if self.debug.raw {
            let (verb, preposition) = match way {
                Way::In => ("receive", "from"),
                Way::Out => ("send", "to"),
            };
            show(out, format!("Raw LAN {verb} {preposition} {peer} (channel {}): {}", lan.channel, hex(bytes)));
        }
    }

    /// A request about to be executed on the controller `mc`.
    pub(super) fn trace_request(&self, mc: u8, request: &Request<'_>, path: &ReturnPath, out: &mut Effects) {
        if self.debug.messages {
            let Request { netfn, cmd, lun, data, .. } = *request;
            let name = name(netfn, cmd);
            let data = if sets_password(netfn, cmd, data) { "...".to_owned() } else { hex(data) };
            show(out, format!("{} -> MC {mc:#04x}.{lun}: {name} ({netfn:02x} {cmd:02x}) {data}", source(path)));
        }
    }

    /// An answer on its way.
    pub(super) fn trace_answer(&self, path: &ReturnPath, reply: &Reply, out: &mut Effects) {
        if self.debug.messages {
            let (netfn, cmd) = match path {
                ReturnPath::Lan(_, to) => (to.netfn, to.cmd),
                ReturnPath::Serial(_, to) => (to.netfn, to.cmd),
                ReturnPath::Bridged(to) => (to.request.netfn, to.request.cmd),
            };
            let (name, code, data) = (name(netfn, cmd), reply.code().0, hex(reply.data()));
            let target = source(path);
            show(out, format!("{target} <- {name} ({:02x} {cmd:02x}): code {code:02x} {data}", netfn | 1));
        }
    }

    /// A SOL packet.
    pub(super) fn trace_sol(&self, way: Way, mc: u8, session: u32, packet: &[u8], out: &mut Effects) {
        if self.debug.sol {
            let arrow = if way == Way::In { "->" } else { "<-" };
            show(out, format!("session {session:#010x} {arrow} SOL of MC {mc:#04x}: {}", hex(packet)));
        }
    }
}

fn show(out: &mut Effects, text: String) {
    let text = text.trim_end().to_owned();
    out.list.push(Effect::Log { level: LogLevel::Debug, text });
}

/// Whether a request is Set User Password, or carries one: passwords are for no log.
fn sets_password(netfn: u8, cmd: u8, data: &[u8]) -> bool {
    match (netfn, cmd, data) {
        (netfn::APP, SET_USER_PASSWORD, _) => true,
        (netfn::APP, SEND_MESSAGE, [_channel, message @ ..]) => {
            // A broadcast has a 0 before the address.
            let message = message.strip_prefix(&[0]).unwrap_or(message);
            ipmb::Message::parse_unchecked(message)
                .is_ok_and(|carried| sets_password(carried.netfn, carried.cmd, carried.data))
        }
        _ => false,
    }
}

fn name(function: u8, cmd: u8) -> &'static str {
    match (function & !1, cmd) {
        (netfn::APP, SEND_MESSAGE) => "Send Message",
        (request, _) => command::name(request, cmd).unwrap_or("unknown command"),
    }
}

fn source(path: &ReturnPath) -> String {
    match path {
        ReturnPath::Lan(lan, to) => format!("{} session {:#010x} (channel {})", to.peer, to.session, lan.channel),
        ReturnPath::Serial(serial, _) => format!("host (channel {})", serial.channel),
        ReturnPath::Bridged(to) => match to.target {
            Target::Session(_, session) => format!("session {session:#010x} (bridged)"),
            Target::HostQueue => "host (bridged)".into(),
            Target::Line(serial) => format!("line {} (bridged)", serial.channel),
        },
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x} ");
    }
    text.truncate(text.trim_end().len());
    text
}
