//! IPMI 1.5 sessions: Activate Session and the packets of a session.
//! `lan-protocol.md` section 4.

use super::channel::{Call, Dropped, LanChannel, Why};
use super::duplicate::Recent;
use super::half_open::{Challenge, Login, Start, Step};
use super::packet::RMCP;
use super::session::{Link, LoginResponse, Protection, Session, send_ipmi15, verify_ipmi15};
use super::window::{Verdict, Window};
use super::{DropReason, LanUser, Received, policy};
use crate::crypto::{Secret, equal};
use crate::ipmi::{AuthTypes, CompletionCode, LoginFailure, Privilege, SessionId, UserNumber, netfn};
use crate::wire::ipmb::Message;
use crate::wire::session15::{AuthType, Header, Packet};

/// What became of a challenge: its user, the session it opened and by which data, the last code that was wrong.
type Challenged = (UserNumber, Option<(SessionId, [u8; 22])>, Option<Secret<16>>);

/// Activate Session.
pub(super) const ACTIVATE_SESSION: u8 = 0x3a;

/// The password is another one.
const WRONG_CODE: Why = Why(LoginFailure::WrongPassword, "wrong authentication code");

impl LanChannel {
    /// Takes a packet in IPMI 1.5 format, from its authentication type on.
    pub(super) fn ipmi15<'a>(&mut self, call: &mut Call<'_>, packet: &'a [u8]) -> Result<Received<'a>, Dropped> {
        let packet = Packet::parse(packet)?;
        match SessionId(packet.header.session_id) {
            SessionId::NONE => self.sessionless15(call, &packet).map(|()| Received::Handled),
            id if id.is_temporary() => self.activate(call, id, &packet).map(|()| Received::Handled),
            id => self.packet15(call, id, &packet),
        }
    }

    fn packet15<'a>(
        &mut self,
        call: &mut Call<'_>,
        id: SessionId,
        packet: &Packet<'a>,
    ) -> Result<Received<'a>, Dropped> {
        let Header { auth_type: used, sequence, .. } = packet.header;
        let from = call.from;
        let now = call.now;
        let session = self.live(call, id)?;
        let bound = session.link.is_bound();
        let Protection::Ipmi15 { auth_type, password } = &session.link.protection else {
            return Err(Dropped(DropReason::NoSession, "its session is an RMCP+ session"));
        };
        if used != *auth_type {
            return Err(Dropped(DropReason::Protection, "its authentication type is not the session's"));
        }
        if bound && session.peer != from {
            return Err(Dropped(DropReason::Protection, "its session has no authentication and another source"));
        }
        if !verify_ipmi15(packet, password) {
            return Err(Dropped(DropReason::Code, "its authentication code is wrong"));
        }
        let verdict = match session.inbound.accept(sequence) {
            Verdict::Outside => return Err(Dropped(DropReason::Replay, "its sequence number is out of range")),
            verdict => verdict,
        };
        if verdict == Verdict::Fresh {
            Self::used(session, now, from);
        }
        self.deliver(call, id, (verdict, sequence), packet.message)
    }

    /// Activate Session under the temporary id that came with a challenge.
    fn activate(&mut self, call: &mut Call<'_>, id: SessionId, packet: &Packet<'_>) -> Result<(), Dropped> {
        let message = Message::parse(packet.message)?;
        if (message.netfn, message.cmd) != (netfn::APP, ACTIVATE_SESSION) {
            return Err(Dropped(DropReason::Malformed, "it is not Activate Session but has a temporary session id"));
        }
        let data: &[u8; 22] =
            message.data.first_chunk().ok_or(Dropped(DropReason::Malformed, "its Activate Session is too short"))?;
        let (number, used, wrong) = self.challenged(call, id, &data[2..18])?;
        let auth_type = packet.header.auth_type;
        if AuthType::from_wire(data[0] & 0x0f) != Some(auth_type) {
            return Err(Dropped(
                DropReason::Malformed,
                "the authentication types of its header and of its Activate Session differ",
            ));
        }
        let user = call.authority.user(number).ok_or(Dropped(DropReason::NoSession, "its user is gone"))?;
        if wrong.is_some_and(|wrong| packet.code.is_some_and(|code| equal(wrong.expose(), code))) {
            return Err(Dropped(DropReason::Code, "its code was wrong before"));
        }
        if !self.has_turn(call, (id, number), || datagram(packet)) {
            return Ok(());
        }
        let password = short_password(&user);
        if !verify_ipmi15(packet, &password) {
            let now = call.now;
            if let Some(Login { step: Step::Challenged(challenge), .. }) = self.logins.find(now, id, call.from.ip()) {
                challenge.wrong = packet.code.map(|code| Secret::new(*code));
            }
            self.login_failed(now, call.from, &user.name, WRONG_CODE, call.out);
            return Ok(());
        }
        let outcome = match used {
            Some((session, first)) => self.activated_before(session, first == *data)?,
            None => self.activated_now(call, auth_type, data, &user, &password),
        };
        let mut response = super::channel::empty_response(self.settings.channel);
        match outcome {
            Err(code) => {
                self.login_refused(call.now, call.from, &user.name, refusal(code), call.out);
                response.fail(code);
            }
            Ok(session) => {
                if let Some(Login { step: Step::Challenged(Challenge { used, .. }), .. }) =
                    self.logins.find(call.now, id, call.from.ip())
                {
                    *used = Some((session, *data));
                }
                let session =
                    self.sessions.get(&session).ok_or(Dropped(DropReason::NoSession, "its session is gone"))?;
                let Some(LoginResponse::Activation { inbound, .. }) = &session.login_response else {
                    return Err(Dropped(DropReason::Login, "its session is in use already"));
                };
                // Always fits: 10 bytes.
                let _ = response
                    .put(&[auth_type as u8])
                    .and_then(|()| response.put(&session.link.id.to_le_bytes()))
                    .and_then(|()| response.put(&inbound.to_le_bytes()))
                    .and_then(|()| response.put(&[session.limit.wire()]));
            }
        }
        let outbound = outbound_sequence(data);
        let mut bytes = Vec::new();
        message.response(response.bytes()).emit(&mut bytes);
        let header = Header { auth_type, sequence: outbound, session_id: id.0 };
        send_ipmi15(call.from, header, &password, &bytes, call.out);
        Ok(())
    }

    /// The user of a challenge, what was done with it, and the last code that was wrong. Whoever sends it back has
    /// received it.
    fn challenged(&mut self, call: &mut Call<'_>, id: SessionId, string: &[u8]) -> Result<Challenged, Dropped> {
        const WRONG: Dropped = Dropped(DropReason::Code, "its challenge string is wrong");
        let from = call.from.ip();
        if let Some(Login { step: Step::Challenged(challenge), .. }) = self.logins.find(call.now, id, from) {
            let right = equal(string, &challenge.string);
            return right.then(|| (challenge.user, challenge.used, challenge.wrong.clone())).ok_or(WRONG);
        }
        let Some((Start::Challenged(expected, user), expires)) = self.logins.begun(call.now, id, from) else {
            return Err(Dropped(DropReason::NoSession, "there is no such temporary session id"));
        };
        if !equal(string, expected) {
            return Err(WRONG);
        }
        let user = *user;
        let challenge = Challenge { string: *expected, user, used: None, wrong: None };
        let login = Login { id, peer: call.from, expires, step: Step::Challenged(challenge) };
        if let Some(pushed_out) = self.logins.prove(login) {
            self.given_up(call.now, &pushed_out, call.out);
        }
        Ok((user, None, None))
    }

    /// A challenge is good for one session. Its Activate Session sent again, unchanged and
    /// before anything came in the session, is answered again.
    fn activated_before(&self, session: SessionId, same: bool) -> Result<Result<SessionId, CompletionCode>, Dropped> {
        match self.sessions.contains_key(&session) && same {
            true => Ok(Ok(session)),
            false => Err(Dropped(DropReason::Login, "its challenge was used before")),
        }
    }

    /// Opens the session of an authenticated Activate Session.
    fn activated_now(
        &mut self,
        call: &mut Call<'_>,
        auth_type: AuthType,
        data: &[u8; 22],
        user: &LanUser,
        password: &Secret<16>,
    ) -> Result<SessionId, CompletionCode> {
        let outbound = outbound_sequence(data);
        if outbound == 0 {
            return Err(CompletionCode(0x85));
        }
        let asked = match data[1] & 0x0f {
            0 => return Err(CompletionCode::INVALID_FIELD),
            level => Privilege::from_wire(level),
        };
        let limit = user.limit.map(|limit| limit.min(call.authority.privilege_limit()));
        let level = match (asked, limit) {
            (Some(asked), Some(limit)) if asked <= limit => asked,
            _ => return Err(CompletionCode(0x86)),
        };
        let types = AuthTypes(1 << auth_type as u8);
        if !call.authority.auth_types(level).contains(types) || !policy::user_allows(user, types) {
            return Err(CompletionCode::INVALID_FIELD);
        }
        if call.authority.refuses_sessions() {
            return Err(CompletionCode::COMMAND_SPECIFIC_81);
        }
        if !self.user_has_room(user) {
            return Err(CompletionCode::COMMAND_SPECIFIC_82);
        }
        if !self.make_room(call.now, user.number, call.from.ip(), call.out) {
            return Err(CompletionCode::COMMAND_SPECIFIC_81);
        }
        let mut bytes = [0; 4];
        call.random.fill(&mut bytes);
        // Even as with the original, so never 0 after the last number; not 0 itself.
        let inbound = match u32::from_le_bytes(bytes) & !1 {
            0 => 2,
            inbound => inbound,
        };
        let id = self.new_id(call.random, 0);
        let mut link = Link { id, outbound, protection: Protection::Ipmi15 { auth_type, password: password.clone() } };
        // The response to Activate Session takes the client's initial number.
        link.next_sequence();
        let session = Session {
            link,
            handle: self.free_handle(),
            user: user.number,
            name: user.name,
            peer: call.from,
            privilege: level.min(Privilege::User),
            limit: level,
            last_used: call.now,
            inbound: Window::ipmi15(inbound),
            recent: Recent::boxed(None),
            login_response: Some(LoginResponse::Activation { inbound }),
        };
        self.establish(session, call.out);
        Ok(id)
    }
}

/// A packet's datagram, to be taken again.
fn datagram(packet: &Packet<'_>) -> Vec<u8> {
    let mut datagram = Vec::new();
    RMCP.emit(&mut datagram);
    packet.emit(&mut datagram);
    datagram
}

/// The first 16 bytes of a password: all that IPMI 1.5 knows.
fn short_password(user: &LanUser) -> Secret<16> {
    let mut short = [0; 16];
    short.copy_from_slice(&user.password[..16]);
    Secret::new(short)
}

fn outbound_sequence(data: &[u8; 22]) -> u32 {
    u32::from_le_bytes([data[18], data[19], data[20], data[21]])
}

fn refusal(code: CompletionCode) -> Why {
    match code.0 {
        0x81 => Why(LoginFailure::NoRoom, "all sessions are in use"),
        0x82 => Why(LoginFailure::NoRoom, "the user has all the sessions it may have"),
        0x85 => Why(LoginFailure::Malformed, "its initial sequence number is 0"),
        0x86 => Why(LoginFailure::Privilege, "the requested privilege is above the user's or the channel's"),
        _ => Why(
            LoginFailure::Method,
            "its authentication type is not allowed at that privilege level, or not for the user",
        ),
    }
}
