//! RMCP+ sessions: Open Session, RAKP Messages 1 to 4, and the packets of a session.
//! `lan-protocol.md` sections 5 and 6.
//!
//! Set-up is a strict state machine: opened, exchanged, established. A message that does
//! not belong to the state is dropped, except one that was sent before and comes again:
//! it gets the response it got. No payload but those of the set-up is looked at before RAKP
//! Message 3 was right.

use super::channel::{Call, Dropped, LanChannel, Why};
use super::duplicate::Recent;
use super::half_open::{Exchanged, Login, Opened, SETUP_LIFE, Start, Step};
use super::packet::outside_sessions;
use super::session::{Link, LoginResponse, Protection, RmcpPlus, Session};
use super::window::{Verdict, Window};
use super::{DropReason, Received, policy};
use crate::crypto::mac::Tag;
use crate::crypto::rakp::Exchange;
use crate::crypto::suite::{Authentication, Confidentiality, Integrity};
use crate::crypto::{Secret, Suite, equal};
use crate::ipmi::{LoginFailure, Privilege, SessionId};
use crate::wire::rakp::{
    Algorithms, OpenSessionRequest, OpenSessionResponse, Rakp1, Rakp2, Rakp3, Rakp4, Status, emit_error,
};
use crate::wire::session20::{HEADER_LENGTH, Header, PayloadType};
use crate::wire::sol;

impl LanChannel {
    /// Takes a packet in RMCP+ format, from its format byte on.
    pub(super) fn rmcp_plus<'a>(&mut self, call: &mut Call<'_>, packet: &'a mut [u8]) -> Result<Received<'a>, Dropped> {
        let header = Header::parse(packet)?;
        if header.session_id != 0 {
            return self.packet20(call, header, packet);
        }
        if header.encrypted || header.authenticated {
            return Err(Dropped(DropReason::Malformed, "it is protected but has no session id"));
        }
        let payload =
            packet.get(HEADER_LENGTH..header.payload_end()).ok_or(Dropped(DropReason::Malformed, "it is too short"))?;
        match header.payload_type {
            PayloadType::Ipmi => self.sessionless20(call, header.sequence, payload)?,
            PayloadType::OpenSessionRequest => self.open_session(call, payload)?,
            PayloadType::Rakp1 => self.rakp1(call, payload)?,
            PayloadType::Rakp3 => self.rakp3(call, payload)?,
            _ => return Err(Dropped(DropReason::Malformed, "its payload type is unknown, or needs a session")),
        }
        Ok(Received::Handled)
    }

    fn packet20<'a>(
        &mut self,
        call: &mut Call<'_>,
        header: Header,
        packet: &'a mut [u8],
    ) -> Result<Received<'a>, Dropped> {
        let (now, from, id) = (call.now, call.from, SessionId(header.session_id));
        let session = self.live(call, id)?;
        if session.link.is_bound() && session.peer != from {
            return Err(Dropped(DropReason::Protection, "its session has no integrity and another source"));
        }
        let Protection::RmcpPlus(plus) = &mut session.link.protection else {
            return Err(Dropped(DropReason::NoSession, "its session is an IPMI 1.5 session"));
        };
        if header.authenticated != plus.keys.signer.is_some() || header.encrypted != plus.keys.cipher.is_some() {
            return Err(Dropped(DropReason::Protection, "its protection is not the session's"));
        }
        if header.authenticated && !plus.verify(packet, header.payload_end()) {
            return Err(Dropped(DropReason::Code, "its integrity check value is wrong"));
        }
        let verdict = match session.inbound.accept(header.sequence) {
            Verdict::Outside => return Err(Dropped(DropReason::Replay, "its sequence number is out of range")),
            verdict => verdict,
        };
        let payload = packet
            .get_mut(HEADER_LENGTH..header.payload_end())
            .ok_or(Dropped(DropReason::Malformed, "it is too short"))?;
        let payload: &'a [u8] = plus.decrypt(payload).ok_or(Dropped(DropReason::Code, "it cannot be decrypted"))?;
        if verdict == Verdict::Fresh {
            Self::used(session, now, from);
        }
        match header.payload_type {
            PayloadType::Ipmi => self.deliver(call, id, (verdict, header.sequence), payload),
            PayloadType::Sol if payload.len() < sol::HEADER_LENGTH => {
                Err(Dropped(DropReason::Malformed, "its SOL packet is too short"))
            }
            PayloadType::Sol if verdict == Verdict::Seen => {
                Err(Dropped(DropReason::Replay, "its sequence number was used before"))
            }
            PayloadType::Sol => Ok(Received::Sol { session: id, payload }),
            _ => Err(Dropped(DropReason::Malformed, "its payload type is unknown, or has no place in a session")),
        }
    }

    fn open_session(&mut self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Dropped> {
        let request = OpenSessionRequest::parse(payload)?;
        let OpenSessionRequest { tag, console_id, .. } = request;
        let fingerprint = self.logins.fingerprint(call.from, &request, call.random);
        let (bmc_id, opened) = match self.logins.find_opened(call.now, fingerprint) {
            Some((id, opened)) => (id, opened.clone()),
            None => match negotiate(call, request) {
                Ok(opened) => {
                    let id = self.new_id(call.random, 0);
                    let expires = call.now + SETUP_LIFE;
                    self.ends_at(expires);
                    let start = Start::Opened(opened.clone());
                    self.logins.begin(call.now, id, call.from, expires, fingerprint, start);
                    (id, opened)
                }
                Err(status) => {
                    send(call, PayloadType::OpenSessionResponse, |out| emit_error(tag, status, console_id, out));
                    return Ok(());
                }
            },
        };
        let suite = opened.suite;
        let response = OpenSessionResponse {
            tag,
            privilege: opened.privilege.wire(),
            console_id,
            bmc_id: bmc_id.0,
            algorithms: Algorithms {
                authentication: Some(suite.authentication as u8),
                integrity: Some(suite.integrity as u8),
                confidentiality: Some(suite.confidentiality as u8),
            },
        };
        send(call, PayloadType::OpenSessionResponse, |out| response.emit(out));
        Ok(())
    }

    fn rakp1(&mut self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Dropped> {
        let message = Rakp1::parse(payload)?;
        let id = SessionId(message.bmc_id);
        let from = call.from.ip();
        if let Some(login) = self.logins.find(call.now, id, from) {
            // The same again gets the same response; anything else has come too late.
            let Step::Exchanged(before) = &login.step else {
                return Err(Dropped(DropReason::Login, "its RAKP message 1 is for an IPMI 1.5 login"));
            };
            let name = &before.name[..before.name_length];
            let same = (message.random, message.role, message.name) == (&before.console_random, before.role, Ok(name));
            if !same {
                return Err(Dropped(DropReason::Login, "its RAKP message 1 is not the first of its session"));
            }
            send_rakp2(call, &message, before);
            return Ok(());
        }
        let (opened, expires) = match self.logins.begun(call.now, id, from) {
            Some((Start::Opened(opened), expires)) => (opened.clone(), expires),
            Some((Start::Challenged(..), _)) => {
                return Err(Dropped(DropReason::Login, "its RAKP message 1 is for an IPMI 1.5 login"));
            }
            None => return Err(Dropped(DropReason::NoSession, "its RAKP message 1 is for no session that was opened")),
        };
        match exchange(call, &opened, &message, self.settings.guid) {
            Ok(exchanged) => {
                send_rakp2(call, &message, &exchanged);
                let step = Step::Exchanged(Box::new(exchanged));
                if let Some(pushed_out) = self.logins.prove(Login { id, peer: call.from, expires, step }) {
                    self.given_up(call.now, &pushed_out, call.out);
                }
            }
            Err(status) => {
                self.logins.remove(id);
                let name = message.name.unwrap_or_default();
                if status == Status::UNAUTHORIZED_NAME {
                    self.login_failed(call.now, call.from, name, refusal(status), call.out);
                } else {
                    self.login_refused(call.now, call.from, name, refusal(status), call.out);
                }
                send(call, PayloadType::Rakp2, |out| emit_error(message.tag, status, opened.console_id, out));
            }
        }
        Ok(())
    }

    fn rakp3(&mut self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Dropped> {
        let message = Rakp3::parse(payload)?;
        let id = SessionId(message.bmc_id);
        if self.sessions.contains_key(&id) {
            return self.rakp3_again(call, id, &message);
        }
        const NO_LOGIN: Dropped =
            Dropped(DropReason::NoSession, "its RAKP message 3 is for no session that was opened");
        let login = self.logins.find(call.now, id, call.from.ip()).ok_or(NO_LOGIN)?;
        let Step::Exchanged(exchanged) = &login.step else {
            return Err(Dropped(DropReason::Login, "its RAKP message 3 comes before RAKP message 1"));
        };
        let login = (id, exchanged.user);
        if message.status == Status::OK && !self.has_turn(call, login, || rakp3_datagram(payload)) {
            return Ok(());
        }
        // One attempt per exchange: whatever comes out, this login is over.
        let login = self.logins.remove(id).map(|login| login.step);
        let Some(Step::Exchanged(exchanged)) = login else { return Err(NO_LOGIN) };
        if message.status != Status::OK {
            let why = Why(LoginFailure::RefusedByClient, "the client refuses RAKP message 2: wrong password?");
            self.login_failed(call.now, call.from, &exchanged.name, why, call.out);
            return Ok(());
        }
        let console_id = exchanged.opened.console_id;
        match self.finish(call, &exchanged, &message) {
            Ok(session) => {
                if let Some(LoginResponse::Rakp4 { check_value, .. }) = &session.login_response {
                    let rakp4 = Rakp4 { tag: message.tag, console_id, check_value: check_value.bytes() };
                    send(call, PayloadType::Rakp4, |out| rakp4.emit(out));
                }
                self.establish(session, call.out);
            }
            Err(status) => {
                if status == Status::INVALID_CHECK_VALUE {
                    self.login_failed(call.now, call.from, &exchanged.name, refusal(status), call.out);
                } else {
                    self.login_refused(call.now, call.from, &exchanged.name, refusal(status), call.out);
                }
                send(call, PayloadType::Rakp4, |out| emit_error(message.tag, status, console_id, out));
            }
        }
        Ok(())
    }

    /// Makes the session of an exchange whose RAKP Message 3 is right.
    fn finish(&mut self, call: &mut Call<'_>, exchanged: &Exchanged, message: &Rakp3<'_>) -> Result<Session, Status> {
        let suite = exchanged.opened.suite;
        let exchange = exchanged.exchange(message.bmc_id);
        let (expected, bare) =
            rakp3_code(&exchange, &exchanged.password, message).ok_or(Status::INVALID_CHECK_VALUE)?;
        let user = call.authority.user(exchanged.user).ok_or(Status::UNAUTHORIZED_NAME)?;
        if !self.user_has_room(&user) || !self.make_room(call.now, user.number, call.from.ip(), call.out) {
            return Err(Status::INSUFFICIENT_RESOURCES);
        }
        let bmc_key = call.authority.bmc_key().map_or_else(|| exchanged.password.clone(), |key| Secret::new(*key));
        let mut key = exchange.session_key(&bmc_key);
        // Who pads names also wants the check value to follow from the integrity algorithm.
        let silent = bare
            && exchange.padded_name()
            && !matches!(suite.integrity, Integrity::HmacSha1_96 | Integrity::HmacMd5_128);
        let check_value = match &mut key {
            Some(key) if !silent => exchange.rakp4_check_value(key),
            _ => Tag::EMPTY,
        };
        let protection = RmcpPlus::new(exchanged.opened.console_id, suite, key, &exchanged.password)
            .ok_or(Status::NO_SUITE_MATCH)?;
        let protection = Protection::RmcpPlus(Box::new(protection));
        Ok(Session {
            link: Link { id: SessionId(message.bmc_id), outbound: 1, protection },
            handle: self.free_handle(),
            user: exchanged.user,
            name: exchanged.name,
            peer: call.from,
            privilege: exchanged.privilege.min(Privilege::User),
            limit: exchanged.privilege,
            last_used: call.now,
            inbound: Window::rmcp_plus(),
            recent: Recent::boxed(Some(exchanged.opened.tag)),
            login_response: Some(LoginResponse::Rakp4 { rakp3_code: expected, check_value }),
        })
    }

    /// RAKP Message 3 once more, because RAKP Message 4 was lost.
    fn rakp3_again(&mut self, call: &mut Call<'_>, id: SessionId, message: &Rakp3<'_>) -> Result<(), Dropped> {
        const STRANGE: Dropped = Dropped(DropReason::Login, "its RAKP message 3 is for an established session");
        let from = call.from;
        let session = self.live(call, id)?;
        let (Some(LoginResponse::Rakp4 { rakp3_code, check_value }), Protection::RmcpPlus(plus)) =
            (&session.login_response, &session.link.protection)
        else {
            return Err(STRANGE);
        };
        if session.peer.ip() != from.ip() || !ends_with_code(message.code, rakp3_code) {
            return Err(STRANGE);
        }
        let rakp4 = Rakp4 { tag: message.tag, console_id: plus.console_id, check_value: check_value.bytes() };
        send(call, PayloadType::Rakp4, |out| rakp4.emit(out));
        Ok(())
    }
}

/// The code of RAKP Message 3 when it is right, and whether it was made with the bare role
/// ([`Exchange::with_bare_role`]). Either proves the password. Bytes before the code are
/// ignored, as the original does.
fn rakp3_code(exchange: &Exchange<'_>, password: &Secret<20>, message: &Rakp3<'_>) -> Option<(Tag, bool)> {
    let fits = |code: &Tag| {
        let start = message.code.len().checked_sub(code.bytes().len());
        start.and_then(|start| message.code.get(start..)).is_some_and(|sent| equal(sent, code.bytes()))
    };
    let code = exchange.rakp3_code(password);
    if fits(&code) {
        return Some((code, false));
    }
    let code = exchange.with_bare_role().rakp3_code(password);
    fits(&code).then_some((code, true))
}

/// The datagram of a RAKP Message 3, to be taken again.
fn rakp3_datagram(payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    outside_sessions(PayloadType::Rakp3, &mut datagram, |out| out.extend_from_slice(payload));
    datagram
}

fn send_rakp2(call: &mut Call<'_>, message: &Rakp1<'_>, exchanged: &Exchanged) {
    let rakp2 = Rakp2 {
        tag: message.tag,
        console_id: exchanged.opened.console_id,
        random: &exchanged.bmc_random,
        guid: &exchanged.guid,
        code: exchanged.code.bytes(),
    };
    send(call, PayloadType::Rakp2, |out| rakp2.emit(out));
}

/// Whether RAKP Message 3 ends with this code. Bytes before it are ignored, as the original does.
fn ends_with_code(sent: &[u8], code: &Tag) -> bool {
    let start = sent.len().checked_sub(code.bytes().len());
    start.and_then(|start| sent.get(start..)).is_some_and(|sent| equal(sent, code.bytes()))
}

/// What a request for a session can have.
fn negotiate(call: &Call<'_>, request: OpenSessionRequest) -> Result<Opened, Status> {
    if call.authority.refuses_sessions() {
        return Err(Status::INSUFFICIENT_RESOURCES);
    }
    let asked = match request.privilege {
        0 => None,
        level => Some(Privilege::from_wire(level).ok_or(Status::ILLEGAL_PARAMETER)?),
    };
    if request.console_id == 0 {
        return Err(Status::INVALID_SESSION_ID);
    }
    let Algorithms { authentication, integrity, confidentiality } = request.algorithms?;
    let authentication = known(authentication, Authentication::from_wire, Status::INVALID_AUTHENTICATION)?;
    let integrity = known(integrity, Integrity::from_wire, Status::INVALID_INTEGRITY)?;
    let confidentiality = known(confidentiality, Confidentiality::from_wire, Status::INVALID_CONFIDENTIALITY)?;
    let suite = Suite::choose(authentication, integrity, confidentiality, |suite| {
        policy::suite_privilege(call.authority, suite).is_some()
    })
    .ok_or(Status::NO_SUITE_MATCH)?;
    let limit = policy::suite_privilege(call.authority, suite).ok_or(Status::NO_SUITE_MATCH)?;
    let privilege = match asked {
        None => limit,
        Some(asked) if asked <= limit => asked,
        Some(_) => return Err(Status::UNAUTHORIZED_ROLE),
    };
    Ok(Opened { tag: request.tag, console_id: request.console_id, privilege, suite })
}

/// Judges RAKP Message 1 and draws the BMC's random number.
fn exchange(call: &mut Call<'_>, opened: &Opened, message: &Rakp1<'_>, guid: [u8; 16]) -> Result<Exchanged, Status> {
    if message.role & 0x0f > Privilege::Administrator.wire() {
        return Err(Status::ILLEGAL_PARAMETER);
    }
    let sent = message.name?;
    let mut name = [0; 16];
    name.get_mut(..sent.len()).ok_or(Status::ILLEGAL_PARAMETER)?.copy_from_slice(sent);
    let user = policy::rakp_user(call.authority, &name, message.role).ok_or(Status::UNAUTHORIZED_NAME)?;
    let privilege = policy::rmcp_plus_privilege(call.authority, opened.suite, &user, message.role)?;
    let mut bmc_random = [0; 16];
    call.random.fill(&mut bmc_random);
    let mut exchanged = Exchanged {
        opened: opened.clone(),
        console_random: *message.random,
        bmc_random,
        guid,
        role: message.role,
        name,
        name_length: sent.len(),
        user: user.number,
        password: Secret::new(user.password),
        privilege,
        code: Tag::EMPTY,
    };
    exchanged.code = exchanged.exchange(message.bmc_id).rakp2_code(&exchanged.password);
    Ok(exchanged)
}

/// An algorithm number, if named, must be known.
fn known<A>(value: Option<u8>, from_wire: impl Fn(u8) -> Option<A>, unknown: Status) -> Result<Option<A>, Status> {
    value.map(|value| from_wire(value).ok_or(unknown)).transpose()
}

/// Sends a payload outside sessions.
pub(super) fn send(call: &mut Call<'_>, payload_type: PayloadType, payload: impl FnOnce(&mut Vec<u8>)) {
    call.out.datagram(call.from, |out| outside_sessions(payload_type, out, payload));
}

fn refusal(status: Status) -> Why {
    match status {
        Status::INSUFFICIENT_RESOURCES => {
            Why(LoginFailure::NoRoom, "all sessions are in use, or all the user may have")
        }
        Status::UNAUTHORIZED_ROLE => Why(LoginFailure::Privilege, "the requested privilege is not to be had"),
        Status::UNAUTHORIZED_NAME => Why(LoginFailure::NoSuchUser, "no such user, or one who may not log in this way"),
        Status::INVALID_CHECK_VALUE => Why(LoginFailure::WrongPassword, "wrong password"),
        Status::NO_SUITE_MATCH => Why(LoginFailure::Method, "the cipher suite is closed"),
        _ => Why(LoginFailure::Malformed, "RAKP message 1 is malformed"),
    }
}
