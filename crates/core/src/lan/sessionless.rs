//! Requests outside sessions: what a client asks before it logs in.
//! `lan-protocol.md` section 3.
//!
//! Anybody can send these, so answers are short and change nothing, save for a challenge
//! that is forgotten soon, and a PET Acknowledge, which has to name a trap that is being sent.
//! The response has the format of the request.

use super::channel::{Call, Dropped, LanChannel, Why, empty_response};
use super::half_open::{CHALLENGE_LIFE, Start};
use super::packet::RMCP;
use super::rmcp_plus::send;
use super::{Authority, DropReason, Event, Neighbour, policy};
use crate::crypto::suite::{Authentication, Confidentiality, Integrity, SUITES};
use crate::ipmi::{ChannelNumber, CompletionCode, LoginFailure, Privilege, Response, UserNumber, netfn};
use crate::wire::ipmb::Message;
use crate::wire::session15::{AuthType, Header, Packet};
use crate::wire::session20::PayloadType;

/// Get System GUID.
pub(super) const GET_SYSTEM_GUID: u8 = 0x37;
/// Get Channel Authentication Capabilities.
pub(super) const GET_CHANNEL_AUTHENTICATION_CAPABILITIES: u8 = 0x38;
/// Get Session Challenge.
pub(super) const GET_SESSION_CHALLENGE: u8 = 0x39;
/// Get Channel Cipher Suites.
pub(super) const GET_CHANNEL_CIPHER_SUITES: u8 = 0x54;
/// PET Acknowledge, of the network function Sensor/Event. Who gets traps need not be a user (IPMI 2.0 section 30.8).
pub(super) const PET_ACKNOWLEDGE: u8 = 0x17;
/// Bytes of the cipher suite list in one response.
const LIST_CHUNK: usize = 16;

/// PET Acknowledge, IPMI 2.0 section 30.8. The response is the same whether such a trap is being sent or not.
fn pet_acknowledge(call: &mut Call<'_>, data: &[u8]) -> Result<(), CompletionCode> {
    let acknowledgement = data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    call.out.events.push(Event::TrapAcknowledged(*acknowledgement));
    Ok(())
}

impl LanChannel {
    /// A request outside sessions in IPMI 1.5 format.
    pub(super) fn sessionless15(&mut self, call: &mut Call<'_>, packet: &Packet<'_>) -> Result<(), Dropped> {
        if packet.header.sequence != 0 || packet.header.auth_type != AuthType::None {
            return Err(Dropped(DropReason::Malformed, "it has a sequence number or authentication but no session id"));
        }
        let message = Message::parse(packet.message)?;
        let response = self.sessionless(call, &message)?;
        self.message.clear();
        message.response(response.bytes()).emit(&mut self.message);
        let header = Header { auth_type: AuthType::None, sequence: 0, session_id: 0 };
        call.out.datagram(call.from, |out| {
            RMCP.emit(out);
            Packet { header, code: None, message: &self.message }.emit(out);
        });
        Ok(())
    }

    /// A request outside sessions in RMCP+ format.
    pub(super) fn sessionless20(&mut self, call: &mut Call<'_>, sequence: u32, payload: &[u8]) -> Result<(), Dropped> {
        if sequence != 0 {
            return Err(Dropped(DropReason::Malformed, "it has a sequence number but no session id"));
        }
        let message = Message::parse(payload)?;
        let response = self.sessionless(call, &message)?;
        send(call, PayloadType::Ipmi, |out| message.response(response.bytes()).emit(out));
        Ok(())
    }

    fn sessionless(&mut self, call: &mut Call<'_>, message: &Message<'_>) -> Result<Response, Dropped> {
        if message.is_response() {
            return Err(Dropped(DropReason::Malformed, "it is a response outside a session"));
        }
        let mut response = empty_response(self.settings.channel);
        let outcome = match (message.netfn, message.cmd) {
            (netfn::APP, GET_SYSTEM_GUID) => response.put(&self.settings.guid),
            (netfn::APP, GET_CHANNEL_AUTHENTICATION_CAPABILITIES) => {
                self.authentication_capabilities(call.authority, message.data, &mut response)
            }
            (netfn::APP, GET_SESSION_CHALLENGE) => self.session_challenge(call, message.data, &mut response),
            (netfn::APP, GET_CHANNEL_CIPHER_SUITES) => self.cipher_suites(call.authority, message.data, &mut response),
            (netfn::SENSOR_EVENT, PET_ACKNOWLEDGE) => pet_acknowledge(call, message.data),
            (netfn, cmd) => call.authority.before_login(netfn, cmd, message.data, &mut response),
        };
        if let Err(code) = outcome {
            response.fail(code);
        }
        let code = response.bytes().first().copied().unwrap_or_default();
        call.out.report(|| Event::Answered { netfn: message.netfn, cmd: message.cmd, code });
        Ok(response)
    }

    /// Get Channel Authentication Capabilities, IPMI 2.0 section 22.13.
    pub(super) fn authentication_capabilities(
        &self,
        authority: &dyn Authority,
        data: &[u8],
        response: &mut Response,
    ) -> Result<(), CompletionCode> {
        let &[channel, level, ..] = data else { return Err(CompletionCode::INVALID_LENGTH) };
        self.is_this_channel(ChannelNumber::from_wire(channel)).then_some(()).ok_or(CompletionCode::INVALID_FIELD)?;
        let level = Privilege::from_wire(level & 0x0f)
            .filter(|level| *level <= authority.privilege_limit())
            .ok_or(CompletionCode::INVALID_FIELD)?;
        let extended = channel & 0x80 != 0;
        let mut types = authority.auth_types(level).0;
        // Bit 2: there are users with names.
        let mut logins = 0x04;
        if let Some(anonymous) = authority.user(UserNumber::NULL) {
            logins |= if anonymous.password[..16] == [0; 16] { 0x01 } else { 0x02 };
        }
        if authority.bmc_key().is_some() {
            logins |= 0x20;
        }
        if extended {
            types |= 0x80;
        }
        let versions = if extended { 0x03 } else { 0x00 };
        response.put(&[self.settings.channel.get(), types, logins, versions, 0, 0, 0, 0])
    }

    /// Get Session Challenge, IPMI 2.0 section 22.16.
    fn session_challenge(
        &mut self,
        call: &mut Call<'_>,
        data: &[u8],
        response: &mut Response,
    ) -> Result<(), CompletionCode> {
        let [_auth_type, rest @ ..] = data else { return Err(CompletionCode::INVALID_LENGTH) };
        let name: &[u8; 16] = rest.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
        let Some(user) = UserNumber::all().find(|number| call.authority.is_named(*number, name)) else {
            // Nothing shows yet that the address is the sender's, so nobody has to wait for it.
            self.claim_refused(call, name, Why(LoginFailure::NoSuchUser, "no such user"));
            return Err(match name {
                [0, ..] if *name == [0; 16] => CompletionCode::COMMAND_SPECIFIC_82,
                _ => CompletionCode::COMMAND_SPECIFIC_81,
            });
        };
        let id = self.new_id(call.random, 1);
        let mut string = [0; 16];
        call.random.fill(&mut string);
        let expires = call.now + CHALLENGE_LIFE;
        self.ends_at(expires);
        let start = Start::Challenged(string, user);
        // Each request gets a challenge of its own.
        self.logins.begin(call.now, id, call.from, expires, u64::from(id.0), start);
        response.put(&id.to_le_bytes())?;
        response.put(&string)
    }

    /// Get Channel Cipher Suites, IPMI 2.0 section 22.15. Lists what works and is open.
    pub(super) fn cipher_suites(
        &self,
        authority: &dyn Authority,
        data: &[u8],
        response: &mut Response,
    ) -> Result<(), CompletionCode> {
        let &[channel, _payload_type, selector, ..] = data else { return Err(CompletionCode::INVALID_LENGTH) };
        let mut number = ChannelNumber::from_wire(channel);
        let other;
        let authority = if self.is_this_channel(number) {
            number = self.settings.channel;
            authority
        } else {
            other = match authority.neighbour(number) {
                Neighbour::Absent => return Err(CompletionCode::NOT_PRESENT),
                Neighbour::Sessionless => return Err(CompletionCode::INVALID_FIELD),
                Neighbour::Lan(other) => other,
            };
            other.as_ref()
        };
        let open = SUITES.iter().filter(|suite| policy::suite_privilege(authority, suite).is_some());
        let mut list = [0; 5 * SUITES.len()];
        let mut length = 0;
        let mut put = |bytes: &[u8]| {
            list[length..length + bytes.len()].copy_from_slice(bytes);
            length += bytes.len();
        };
        if selector & 0x80 != 0 {
            for suite in open {
                let (a, i, c) = (suite.authentication as u8, suite.integrity as u8, suite.confidentiality as u8);
                put(&[0xc0, suite.id, a, 0x40 | i, 0x80 | c]);
            }
        } else {
            let has = |algorithm: &dyn Fn(&crate::crypto::Suite) -> bool| open.clone().any(algorithm);
            for number in 0..=0x3f {
                if Authentication::from_wire(number).is_some_and(|it| has(&|suite| suite.authentication == it)) {
                    put(&[number]);
                }
            }
            for number in 0..=0x3f {
                if Integrity::from_wire(number).is_some_and(|it| has(&|suite| suite.integrity == it)) {
                    put(&[0x40 | number]);
                }
            }
            for number in 0..=0x3f {
                if Confidentiality::from_wire(number).is_some_and(|it| has(&|suite| suite.confidentiality == it)) {
                    put(&[0x80 | number]);
                }
            }
        }
        let start = usize::from(selector & 0x1f) * LIST_CHUNK;
        let rest = list[..length].get(start..).unwrap_or_default();
        response.put(&[number.get()])?;
        response.put(&rest[..rest.len().min(LIST_CHUNK)])
    }

    fn is_this_channel(&self, channel: ChannelNumber) -> bool {
        channel == ChannelNumber::PRESENT_INTERFACE || channel == self.settings.channel
    }
}
