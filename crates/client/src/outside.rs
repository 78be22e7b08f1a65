//! What is sent outside of sessions, in either format.

use ipmi_sim_core::lan::packet::{outside_sessions, seal15};
use ipmi_sim_core::wire::ipmb::Message;
use ipmi_sim_core::wire::rmcp::HEADER_LENGTH;
use ipmi_sim_core::wire::session15::{self, AuthType};
use ipmi_sim_core::wire::session20::{self, PayloadType};
use ipmi_sim_crypto::Secret;

use crate::{Error, request};

/// The datagram of a request in IPMI 1.5 format.
pub fn request15(netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
    let header = session15::Header { auth_type: AuthType::None, sequence: 0, session_id: 0 };
    packet15(header, &Secret::new([0; 16]), &message(0, netfn, cmd, data))
}

/// The datagram of a payload in RMCP+ format.
pub fn payload20(payload_type: PayloadType, payload: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut datagram = Vec::new();
    outside_sessions(payload_type, &mut datagram, payload);
    datagram
}

/// The RMCP+ payload of a datagram outside of sessions.
///
/// # Errors
/// It has another form, belongs to a session, or is another payload.
pub fn open20(payload_type: PayloadType, datagram: &[u8]) -> Result<&[u8], Error> {
    let packet = datagram.get(HEADER_LENGTH..).unwrap_or_default();
    let header = session20::Header::parse(packet)?;
    let outside = (header.session_id, header.sequence, header.encrypted, header.authenticated) == (0, 0, false, false);
    if !outside || header.payload_type != payload_type || packet.len() != header.payload_end() {
        return Err(Error::Unexpected);
    }
    packet.get(session20::HEADER_LENGTH..).ok_or(Error::Unexpected)
}

/// The IPMB message of a datagram outside of sessions, in either format.
///
/// # Errors
/// It has another form, or belongs to a session.
pub fn open(datagram: &[u8]) -> Result<Message<'_>, Error> {
    let packet = datagram.get(HEADER_LENGTH..).unwrap_or_default();
    if packet.first() == Some(&session20::FORMAT) {
        return Ok(Message::parse(open20(PayloadType::Ipmi, datagram)?)?);
    }
    let packet = session15::Packet::parse(packet)?;
    if (packet.header.session_id, packet.header.sequence) != (0, 0) {
        return Err(Error::Unexpected);
    }
    Ok(Message::parse(packet.message)?)
}

/// The bytes of a request.
pub(crate) fn message(seq: u8, netfn: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    request(seq, netfn, cmd, data).emit(&mut bytes);
    bytes
}

/// The IPMI 1.5 datagram with this message.
pub(crate) fn packet15(header: session15::Header, password: &Secret<16>, message: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    seal15(header, password, message, &mut datagram);
    datagram
}
