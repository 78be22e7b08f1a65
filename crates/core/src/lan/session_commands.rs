//! Commands about sessions, inside a session. `lan-protocol.md` section 8.

use super::channel::{Call, LanChannel, empty_response};
use super::ipmi15::ACTIVATE_SESSION;
use super::session::{Protection, Session};
use super::sessionless::{
    GET_CHANNEL_AUTHENTICATION_CAPABILITIES, GET_CHANNEL_CIPHER_SUITES, GET_SESSION_CHALLENGE, GET_SYSTEM_GUID,
};
use super::{Authority, Event, ResponseTo, SessionCommand, policy};
use crate::ipmi::{CompletionCode, Origin, Privilege, Response, SessionId};
use crate::wire::ipmb::Message;
use crate::wire::session20;

/// Set Session Privilege Level.
const SET_SESSION_PRIVILEGE: u8 = 0x3b;
/// Close Session.
const CLOSE_SESSION: u8 = 0x3c;
/// Get Session Info.
const GET_SESSION_INFO: u8 = 0x3d;
/// Sessions Get Session Info can count: the field has six bits.
const COUNTABLE: u8 = 0x3f;

impl LanChannel {
    /// Answers a request of network function App if it is about sessions; false if it is
    /// not.
    pub(super) fn session_command(
        &mut self,
        call: &mut Call<'_>,
        to: &ResponseTo,
        origin: &Origin,
        message: &Message<'_>,
    ) -> bool {
        let mut response = empty_response(self.settings.channel);
        let mut close = None;
        let data = message.data;
        let outcome = match message.cmd {
            GET_SYSTEM_GUID => response.put(&self.settings.guid),
            // The original answers D5h whatever the request is; what no client means is left at that.
            GET_CHANNEL_AUTHENTICATION_CAPABILITIES if data.len() < 2 => Err(CompletionCode::NOT_IN_PRESENT_STATE),
            GET_CHANNEL_AUTHENTICATION_CAPABILITIES => {
                self.authentication_capabilities(call.authority, data, &mut response)
            }
            GET_SESSION_CHALLENGE => Err(CompletionCode::NOT_IN_PRESENT_STATE),
            GET_CHANNEL_CIPHER_SUITES => self.cipher_suites(call.authority, data, &mut response),
            ACTIVATE_SESSION => self.activate_again(to.session, data, &mut response),
            SET_SESSION_PRIVILEGE => allowed(origin, Privilege::User)
                .and_then(|()| self.set_privilege(to.session, call.authority, data, &mut response)),
            CLOSE_SESSION => self.session_to_close(to.session, origin, data).map(|session| close = Some(session)),
            GET_SESSION_INFO => allowed(origin, Privilege::User)
                .and_then(|()| self.session_info(to.session, call.authority, data, &mut response)),
            _ => return false,
        };
        if let Err(code) = outcome {
            response.fail(code);
        }
        let code = response.bytes().first().copied().unwrap_or_default();
        call.out.report(|| Event::Answered { netfn: to.netfn, cmd: to.cmd, code });
        if call.out.watched {
            let command = SessionCommand { to: *to, request: data.to_vec(), response: response.bytes().to_vec() };
            call.out.events.push(Event::Command(Box::new(command)));
        }
        self.respond(to, response.bytes(), call.random, call.out);
        if let Some(session) = close {
            self.close_session(session, call.out);
        }
        true
    }

    /// Activate Session inside a session gives its outbound packets a new number, and
    /// changes nothing else.
    fn activate_again(&mut self, id: SessionId, data: &[u8], response: &mut Response) -> Result<(), CompletionCode> {
        let data: &[u8; 22] = data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
        let session = self.sessions.get_mut(&id).ok_or(CompletionCode::UNSPECIFIED)?;
        session.link.outbound = match u32::from_le_bytes([data[18], data[19], data[20], data[21]]) {
            0 => return Err(CompletionCode(0x85)),
            outbound => outbound,
        };
        let auth_type = match &session.link.protection {
            Protection::Ipmi15 { auth_type, .. } => *auth_type as u8,
            Protection::RmcpPlus(_) => session20::FORMAT,
        };
        response.put(&[auth_type])?;
        response.put(&session.link.id.to_le_bytes())?;
        response.put(&session.inbound.highest().to_le_bytes())?;
        response.put(&[session.limit.wire()])
    }

    /// Set Session Privilege Level, IPMI 2.0 section 22.18. Limits may have changed since the login.
    fn set_privilege(
        &mut self,
        id: SessionId,
        authority: &dyn Authority,
        data: &[u8],
        response: &mut Response,
    ) -> Result<(), CompletionCode> {
        let &[level, ..] = data else { return Err(CompletionCode::INVALID_LENGTH) };
        let session = self.sessions.get_mut(&id).ok_or(CompletionCode::UNSPECIFIED)?;
        let level = match level & 0x0f {
            0 => return response.put(&[shown(policy::session_limit(authority, session), session)]),
            1 => return Err(CompletionCode::COMMAND_SPECIFIC_80),
            level => Privilege::from_wire(level).ok_or(CompletionCode::COMMAND_SPECIFIC_81)?,
        };
        if policy::session_limit(authority, session) < Some(level) {
            return Err(CompletionCode::COMMAND_SPECIFIC_81);
        }
        session.privilege = level;
        response.put(&[level.wire()])
    }

    /// Close Session, IPMI 2.0 section 22.19: one's own, or as an administrator any.
    fn session_to_close(&self, own: SessionId, origin: &Origin, data: &[u8]) -> Result<SessionId, CompletionCode> {
        let id = SessionId::from_le_bytes(*data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?);
        if id == own {
            return Ok(id);
        }
        allowed(origin, Privilege::Administrator)?;
        let handle = data.get(4).filter(|_| id == SessionId::NONE);
        let id = handle.and_then(|handle| self.session_with_handle(*handle)).unwrap_or(id);
        self.sessions.contains_key(&id).then_some(id).ok_or(CompletionCode::INVALID_SESSION_ID)
    }

    /// Get Session Info, IPMI 2.0 section 22.20, without the optional address bytes.
    fn session_info(
        &self,
        own: SessionId,
        authority: &dyn Authority,
        data: &[u8],
        response: &mut Response,
    ) -> Result<(), CompletionCode> {
        let session = |id| self.sessions.get(&id).map(Box::as_ref);
        let found = match data {
            [] => return Err(CompletionCode::INVALID_LENGTH),
            [0x00, ..] => session(own),
            [0xfe, handle, ..] => {
                let found = self.session_with_handle(*handle).and_then(session);
                // The original has no more handles than it can count.
                if found.is_none() && *handle >= COUNTABLE {
                    return Err(CompletionCode::INVALID_FIELD);
                }
                found
            }
            [0xff, rest @ ..] => {
                let id = rest.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
                session(SessionId::from_le_bytes(*id))
            }
            [0xfe] => return Err(CompletionCode::INVALID_LENGTH),
            [number, ..] => self.numbered(*number),
        };
        let count = u8::try_from(self.sessions.len()).unwrap_or(COUNTABLE).min(COUNTABLE);
        let handle = found.map_or(0, |session| session.handle);
        response.put(&[handle, COUNTABLE, count])?;
        let Some(session) = found else { return Ok(()) };
        // The original tells the protocol of the session that asks.
        let rmcp_plus = self.sessions.get(&own).is_some_and(|session| session.link.is_rmcp_plus());
        let protocol = if rmcp_plus { 0x10 } else { 0 };
        let level = shown(policy::session_limit(authority, session), session);
        response.put(&[session.user.get(), level, self.settings.channel.get() | protocol])
    }

    /// The N-th session in the order of handles, from 1.
    fn numbered(&self, number: u8) -> Option<&Session> {
        let mut sessions: Vec<&Session> = self.sessions.values().map(Box::as_ref).collect();
        sessions.sort_unstable_by_key(|session| (session.handle == 0, session.handle));
        sessions.get(usize::from(number).checked_sub(1)?).copied()
    }
}

/// The level of a session as it is told: under the limit that holds now. One that may do nothing any more
/// has the lowest there is.
fn shown(limit: Option<Privilege>, session: &Session) -> u8 {
    limit.unwrap_or(Privilege::Callback).min(session.privilege).wire()
}

fn allowed(origin: &Origin, level: Privilege) -> Result<(), CompletionCode> {
    match origin.privilege >= Some(level) {
        true => Ok(()),
        false => Err(CompletionCode::INSUFFICIENT_PRIVILEGE),
    }
}
