//! The messages of an IPMI 1.5 login: IPMI 2.0 sections 22.16 and 22.17, `lan-protocol.md` section 6.

use ipmi_sim_core::ipmi::{CompletionCode, SessionId, netfn};
use ipmi_sim_core::lan::packet::code15;
use ipmi_sim_core::wire::ipmb::Message;
use ipmi_sim_core::wire::rmcp::HEADER_LENGTH;
use ipmi_sim_core::wire::session15::{AuthType, Header, Packet};

use crate::outside::{message, open, packet15, request15};
use crate::{Account, Error, Session, padded};

/// Get Session Challenge.
const GET_SESSION_CHALLENGE: u8 = 0x39;
/// Activate Session.
const ACTIVATE_SESSION: u8 = 0x3a;
/// The number of the request Activate Session.
const ACTIVATION_SEQ: u8 = 3;

/// A login, with what is known of it so far.
#[derive(Clone, Debug)]
pub struct Login {
    /// Who. K_G has no part in it.
    pub account: Account,
    /// How packets are signed.
    pub auth_type: AuthType,
    /// The authentication type that Activate Session names: another one than that of its packet is refused.
    pub named_type: u8,
    /// The highest privilege level that the session is to have.
    pub privilege: u8,
    /// First session sequence number of what the BMC sends; not 0.
    pub outbound: u32,
    /// The temporary session id, from the response to Get Session Challenge.
    pub id: SessionId,
    /// The challenge, from there as well.
    pub challenge: [u8; 16],
}

impl Login {
    /// A login.
    pub fn new(account: Account, auth_type: AuthType, privilege: u8, outbound: u32) -> Self {
        let named_type = auth_type as u8;
        Self { account, auth_type, named_type, privilege, outbound, id: SessionId::NONE, challenge: [0; 16] }
    }

    /// The datagram of Get Session Challenge.
    pub fn get_challenge(&self) -> Vec<u8> {
        let mut data = vec![self.auth_type as u8];
        data.extend_from_slice(&padded::<16>(&self.account.name));
        request15(netfn::APP, GET_SESSION_CHALLENGE, &data)
    }

    /// Takes session id and challenge from the response to it.
    ///
    /// # Errors
    /// It is none, or refuses.
    pub fn take_challenge(&mut self, datagram: &[u8]) -> Result<(), Error> {
        let data = answer(&open(datagram)?, GET_SESSION_CHALLENGE)?.to_vec();
        let [i0, i1, i2, i3, challenge @ ..] = data.as_slice() else { return Err(Error::Unexpected) };
        self.id = SessionId::from_le_bytes([*i0, *i1, *i2, *i3]);
        self.challenge = challenge.try_into().map_err(|_| Error::Unexpected)?;
        Ok(())
    }

    /// The datagram of Activate Session.
    pub fn activate(&self) -> Vec<u8> {
        let mut data = vec![self.named_type, self.privilege];
        data.extend_from_slice(&self.challenge);
        data.extend_from_slice(&self.outbound.to_le_bytes());
        let header = Header { auth_type: self.auth_type, sequence: 0, session_id: self.id.0 };
        packet15(header, &self.account.short_password(), &message(ACTIVATION_SEQ, netfn::APP, ACTIVATE_SESSION, &data))
    }

    /// The session that the response to it opens, and its highest privilege level.
    ///
    /// # Errors
    /// It is none, or refuses.
    pub fn take_activation(&self, datagram: &[u8]) -> Result<(Session, u8), Error> {
        let packet = Packet::parse(datagram.get(HEADER_LENGTH..).unwrap_or_default())?;
        let header = Header { auth_type: self.auth_type, sequence: self.outbound, session_id: self.id.0 };
        if packet.header != header {
            return Err(Error::Unexpected);
        }
        if packet.code.copied() != code15(header, &self.account.short_password(), packet.message) {
            return Err(Error::Code);
        }
        let message = Message::parse(packet.message)?;
        if message.seq != ACTIVATION_SEQ {
            return Err(Error::Unexpected);
        }
        match *answer(&message, ACTIVATE_SESSION)? {
            [auth_type, s0, s1, s2, s3, q0, q1, q2, q3, limit] if auth_type == self.auth_type as u8 => {
                let id = SessionId::from_le_bytes([s0, s1, s2, s3]);
                let sequence = u32::from_le_bytes([q0, q1, q2, q3]);
                Ok((Session::ipmi15(id, sequence, self.auth_type, self.account.short_password()), limit))
            }
            _ => Err(Error::Unexpected),
        }
    }
}

/// The data of a response to a command of the login.
fn answer<'a>(message: &Message<'a>, cmd: u8) -> Result<&'a [u8], Error> {
    if (message.netfn, message.cmd) != (netfn::APP | 1, cmd) {
        return Err(Error::Unexpected);
    }
    match message.data {
        [0, data @ ..] => Ok(data),
        [code, ..] => Err(Error::Command(CompletionCode(*code))),
        [] => Err(Error::Unexpected),
    }
}
