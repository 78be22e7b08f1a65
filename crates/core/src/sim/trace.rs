//! What `-d` and `debug` show: raw LAN bytes, messages by name, SOL packets, as log lines a
//! person can read. Changes nothing.
//!
//! A line of a message says where it goes in or out, then session and sequence number, then
//! an arrow (`->` to the BMC, `<-` from it), then what it is.

use std::fmt::Write;

use std::ops::Range;

use super::Simulator;
use super::effect::{Effect, Effects, LanId};
use super::return_path::{ReturnPath, Target};
use crate::bmc::LogLevel;
use crate::command::{STANDARD, describe};
use crate::ipmi::{McAddress, Peer, Request, Response, SEND_MESSAGE, SessionId, netfn};
use crate::lan;
use crate::wire::ipmb::Message;
use crate::wire::session15::AuthType;
use crate::wire::session20::{self, PayloadType};
use crate::wire::{asf, rmcp, session15};

/// Set User Password, network function App.
const SET_USER_PASSWORD: u8 = 0x47;
/// Set Channel Security Keys.
const SET_CHANNEL_SECURITY_KEYS: u8 = 0x56;
/// Set LAN Configuration Parameters, network function Transport.
const SET_LAN_PARAMETERS: u8 = 0x01;
/// Activate Session, network function App.
const ACTIVATE_SESSION: u8 = 0x3a;

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
    /// A datagram, as it stands on the wire. What happens outside sessions has no other place
    /// to be shown.
    pub(super) fn trace_datagram(&self, way: Way, lan: LanId, peer: Peer, bytes: &[u8], out: &mut Effects) {
        if self.debug.raw {
            let (verb, preposition) = match way {
                Way::In => ("receive", "from"),
                Way::Out => ("send", "to"),
            };
            let mut text = format!("Raw LAN {verb} {preposition} {peer} (channel {}):", lan.channel);
            hex_without(bytes, &secrets(bytes), &mut text);
            show(out, text);
        }
        if self.debug.messages
            && let Some(what) = sessionless(way, bytes)
        {
            let arrow = if way == Way::In { "->" } else { "<-" };
            show(out, format!("{} {arrow}{what}", place(lan, peer)));
        }
    }

    /// A trap that goes out, without its bytes: the community string is among them.
    pub(super) fn trace_trap(&self, lan: LanId, peer: Peer, bytes: &[u8], out: &mut Effects) {
        if self.debug.raw || self.debug.messages {
            show(out, format!("{} <- Platform Event Trap, {} bytes", place(lan, peer), bytes.len()));
        }
    }

    /// A request about to be executed on the controller `mc`.
    pub(super) fn trace_request(&self, mc: McAddress, request: &Request<'_>, path: &ReturnPath, out: &mut Effects) {
        if self.debug.messages {
            let Request { netfn, cmd, lun, data, .. } = *request;
            let mut text = format!("{} -> MC {mc:#04x} lun {lun}:", source(path));
            describe::request(&self.commands, mc, netfn, cmd, data, &mut text);
            show(out, text);
        }
    }

    /// A response on its way.
    pub(super) fn trace_response(&self, path: &ReturnPath, response: &Response, out: &mut Effects) {
        if self.debug.messages {
            let (mc, lun, netfn, cmd) = match path {
                ReturnPath::Lan(lan, to) => (lan.mc, to.rs_lun, to.netfn, to.cmd),
                ReturnPath::Serial(serial, to) => (serial.mc, to.rs_lun, to.netfn, to.cmd),
                ReturnPath::Ipmb(ipmb, request) => (ipmb.mc, request.to_lun, request.netfn, request.cmd),
                ReturnPath::Bridged(to) => {
                    (McAddress(to.request.to), to.request.to_lun, to.request.netfn, to.request.cmd)
                }
            };
            let mut text = format!("{} <- MC {mc:#04x} lun {lun}:", source(path));
            describe::answer(&self.commands, mc, netfn, cmd, response.bytes(), &mut text);
            show(out, text);
        }
    }

    /// A command about sessions that the LAN channel has answered.
    pub(super) fn trace_session_command(&self, lan: LanId, command: &lan::SessionCommand, out: &mut Effects) {
        if self.debug.messages {
            let lan::SessionCommand { to, request, response } = command;
            let source = session(lan, to);
            let mut text = format!("{source} -> MC {:#04x} lun {}:", lan.mc, to.rs_lun);
            describe::request(&self.commands, lan.mc, to.netfn, to.cmd, request, &mut text);
            show(out, text);
            let mut text = format!("{source} <- MC {:#04x} lun {}:", lan.mc, to.rs_lun);
            describe::answer(&self.commands, lan.mc, to.netfn, to.cmd, response, &mut text);
            show(out, text);
        }
    }

    /// A SOL packet.
    pub(super) fn trace_sol(&self, way: Way, mc: McAddress, session: SessionId, packet: &[u8], out: &mut Effects) {
        if self.debug.sol {
            let arrow = if way == Way::In { "->" } else { "<-" };
            let mut text = format!("session {session} {arrow} SOL of MC {mc:#04x}:");
            hex(packet, &mut text);
            show(out, text);
        }
    }
}

/// Where in a datagram passwords stand in clear: the code of a straight password, the data of Set User Password and
/// Set Channel Security Keys, and the community string of traps, carried inside Send Message or not, when nothing encrypts
/// them.
fn secrets(datagram: &[u8]) -> [Range<usize>; 2] {
    let mut found = [0..0, 0..0];
    let Some(packet) = datagram.get(rmcp::HEADER_LENGTH..) else { return found };
    let (mut at, mut message) = match (session20::Header::parse(packet), session15::Packet::parse(packet)) {
        (Ok(header), _) if !header.encrypted && header.payload_type == PayloadType::Ipmi => {
            (session20::HEADER_LENGTH, packet.get(session20::HEADER_LENGTH..header.payload_end()).unwrap_or_default())
        }
        (Err(_), Ok(parsed)) => {
            let code = parsed.code.map_or(0, |code| code.len());
            if parsed.header.auth_type == AuthType::Straight {
                found[0] = rmcp::HEADER_LENGTH + 9..rmcp::HEADER_LENGTH + 9 + code;
            }
            (9 + code + 1, parsed.message)
        }
        _ => return found,
    };
    at += rmcp::HEADER_LENGTH;
    // Six bytes are before the data of a message.
    while let Ok(parsed) = Message::parse_unchecked(message) {
        match (parsed.netfn, parsed.cmd, parsed.data) {
            (netfn::APP, SET_USER_PASSWORD, [_user, _operation, password @ ..]) => {
                found[1] = at + 8..at + 8 + password.len();
                break;
            }
            (netfn::APP, SET_CHANNEL_SECURITY_KEYS, [_channel, _operation, _key, value @ ..]) => {
                found[1] = at + 9..at + 9 + value.len();
                break;
            }
            (netfn, SET_CHANNEL_SECURITY_KEYS, [_code, _lock, value @ ..]) if netfn == netfn::APP | 1 => {
                found[1] = at + 8..at + 8 + value.len();
                break;
            }
            (netfn::TRANSPORT, SET_LAN_PARAMETERS, [_channel, describe::COMMUNITY, value @ ..]) => {
                found[1] = at + 8..at + 8 + value.len();
                break;
            }
            (netfn, describe::GET_LAN_PARAMETERS, [_code, _revision, value @ ..])
                if netfn == netfn::TRANSPORT | 1 && describe::may_be_community(value) =>
            {
                found[1] = at + 8..at + 8 + value.len();
                break;
            }
            (netfn::APP, SEND_MESSAGE, [_channel, carried @ ..]) => {
                // A broadcast has a 0 before the address.
                let broadcast = usize::from(carried.first() == Some(&0));
                at += 7 + broadcast;
                message = carried.get(broadcast..).unwrap_or_default();
            }
            _ => break,
        }
    }
    found
}

fn show(out: &mut Effects, text: String) {
    out.list.push(Effect::ConsoleLog { level: LogLevel::Debug, text });
}

/// A datagram outside sessions in words: discovery, and the messages of a login. `None` is a
/// message in a session, which is shown when it has been decrypted, or no message at all.
fn sessionless(way: Way, bytes: &[u8]) -> Option<String> {
    let mut text = String::new();
    let packet = bytes.get(rmcp::HEADER_LENGTH..)?;
    match rmcp::Repr::parse(bytes).ok()?.class {
        rmcp::Class::Asf => {
            let kind = match *packet.get(4)? {
                asf::PRESENCE_PING => "Ping",
                asf::PRESENCE_PONG => "Pong",
                _ => return None,
            };
            let _ = write!(text, " ASF Presence {kind} tag={:#04x}", packet.get(5)?);
        }
        rmcp::Class::Ipmi if packet.first() == Some(&session20::FORMAT) => {
            let header = session20::Header::parse(packet).ok().filter(|header| header.session_id == 0)?;
            let payload = packet.get(session20::HEADER_LENGTH..header.payload_end())?;
            match header.payload_type {
                PayloadType::Ipmi => message(payload, &mut text)?,
                payload_type if describe::login(payload_type, payload, &mut text) => {}
                _ => return None,
            }
        }
        rmcp::Class::Ipmi => {
            let packet = session15::Packet::parse(packet).ok()?;
            let id = SessionId(packet.header.session_id);
            let temporary = way == Way::In && id.is_temporary();
            let activated = way == Way::Out
                && Message::parse_unchecked(packet.message)
                    .is_ok_and(|message| (message.netfn, message.cmd) == (netfn::APP | 1, ACTIVATE_SESSION));
            if id != SessionId::NONE && !temporary && !activated {
                return None;
            }
            message(packet.message, &mut text)?;
        }
    }
    Some(text)
}

fn message(bytes: &[u8], text: &mut String) -> Option<()> {
    let message = Message::parse_unchecked(bytes).ok()?;
    let _ = write!(text, " seq {}:", message.seq);
    if message.is_response() {
        describe::answer(&STANDARD, message.from.into(), message.netfn, message.cmd, message.data, text);
    } else {
        describe::request(&STANDARD, message.to.into(), message.netfn, message.cmd, message.data, text);
    }
    Some(())
}

fn place(lan: LanId, peer: Peer) -> String {
    format!("LAN channel {} {peer}", lan.channel)
}

fn session(lan: LanId, to: &lan::ResponseTo) -> String {
    format!("{} session {} seq {}", place(lan, to.peer), to.session, to.rq_seq)
}

fn source(path: &ReturnPath) -> String {
    match path {
        ReturnPath::Lan(lan, to) => session(*lan, to),
        ReturnPath::Serial(serial, to) => format!("host channel {} seq {}", serial.channel, to.sequence),
        ReturnPath::Ipmb(ipmb, to) => format!("IPMB channel {} address {:#04x} seq {}", ipmb.channel, to.from, to.seq),
        ReturnPath::Bridged(to) => {
            let seq = to.request.seq;
            match to.target {
                Target::Session(lan, session) => {
                    format!("LAN channel {} session {session} bridged seq {seq}", lan.channel)
                }
                Target::HostQueue => format!("host bridged seq {seq}"),
                Target::Line(serial) => format!("host channel {} bridged seq {seq}", serial.channel),
                Target::Bus(ipmb) => format!("IPMB channel {} bridged seq {seq}", ipmb.channel),
            }
        }
    }
}

/// The bytes, but for those in some places.
fn hex_without(bytes: &[u8], places: &[Range<usize>], text: &mut String) {
    for (at, byte) in bytes.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = match places.iter().any(|place| place.contains(&at)) {
            true => text.write_str(" **"),
            false => write!(text, " {byte:02x}"),
        };
    }
}

fn hex(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, " {byte:02x}");
    }
}
