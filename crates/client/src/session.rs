//! An established session: packets out, payloads in.

use ipmi_sim_core::ipmi::{CompletionCode, Random, SessionId};
use ipmi_sim_core::lan::packet::{Keys, code15, seal15};
use ipmi_sim_core::wire::ipmb::Message;
use ipmi_sim_core::wire::rmcp::{self, HEADER_LENGTH};
use ipmi_sim_core::wire::session15::{self, AuthType};
use ipmi_sim_core::wire::session20::{self, PayloadType};
use ipmi_sim_crypto::Secret;

use crate::{Error, request};

enum Protection {
    Ipmi15 { auth_type: AuthType, password: Secret<16> },
    RmcpPlus { console_id: u32, keys: Box<Keys> },
}

/// An established session.
pub struct Session {
    /// The BMC's session id.
    pub id: SessionId,
    /// Session sequence number of the next packet; not 0.
    pub sequence: u32,
    protection: Protection,
}

/// A packet that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened<'a> {
    /// Its session sequence number.
    pub sequence: u32,
    /// What it carries.
    pub payload_type: PayloadType,
    /// Decrypted.
    pub payload: &'a [u8],
}

/// A response to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The number of the request.
    pub seq: u8,
    /// Completion code.
    pub code: CompletionCode,
    /// What follows it.
    pub data: &'a [u8],
}

impl Response<'_> {
    /// The response, if its command was done.
    ///
    /// # Errors
    /// It was not.
    pub fn done(self) -> Result<Self, Error> {
        if self.code == CompletionCode::OK { Ok(self) } else { Err(Error::Command(self.code)) }
    }
}

impl<'a> Opened<'a> {
    /// The response that it carries.
    ///
    /// # Errors
    /// It carries something else.
    pub fn response(&self) -> Result<Response<'a>, Error> {
        if self.payload_type != PayloadType::Ipmi {
            return Err(Error::Unexpected);
        }
        let message = Message::parse(self.payload)?;
        match (message.is_response(), message.data) {
            (true, [code, data @ ..]) => Ok(Response { seq: message.seq, code: CompletionCode(*code), data }),
            _ => Err(Error::Unexpected),
        }
    }
}

impl Session {
    pub(crate) fn ipmi15(id: SessionId, sequence: u32, auth_type: AuthType, password: Secret<16>) -> Self {
        Self { id, sequence, protection: Protection::Ipmi15 { auth_type, password } }
    }

    pub(crate) fn rmcp_plus(id: SessionId, console_id: u32, keys: Keys) -> Self {
        Self { id, sequence: 1, protection: Protection::RmcpPlus { console_id, keys: Box::new(keys) } }
    }

    /// Takes the next session sequence number; 0 is left out.
    pub fn next_sequence(&mut self) -> u32 {
        let sequence = self.sequence;
        self.sequence = sequence.checked_add(1).unwrap_or(1);
        sequence
    }

    /// Appends the datagram of a payload with the next sequence number; `random` makes its initialisation vector. IPMI
    /// 1.5 has no payload types: whatever it is goes as an IPMI message.
    pub fn seal(
        &mut self,
        payload_type: PayloadType,
        random: &mut dyn Random,
        datagram: &mut Vec<u8>,
        payload: impl FnOnce(&mut Vec<u8>),
    ) {
        let sequence = self.next_sequence();
        self.seal_at(sequence, payload_type, random, datagram, payload);
    }

    /// The same with any sequence number.
    pub fn seal_at(
        &mut self,
        sequence: u32,
        payload_type: PayloadType,
        random: &mut dyn Random,
        datagram: &mut Vec<u8>,
        payload: impl FnOnce(&mut Vec<u8>),
    ) {
        match &mut self.protection {
            Protection::Ipmi15 { auth_type, password } => {
                let header = session15::Header { auth_type: *auth_type, sequence, session_id: self.id.0 };
                let mut message = Vec::new();
                payload(&mut message);
                seal15(header, password, &message, datagram);
            }
            Protection::RmcpPlus { keys, .. } => {
                keys.seal(self.id.0, sequence, payload_type, random, datagram, payload);
            }
        }
    }

    /// Writes the datagram of a request over `datagram`. `seq` is 0 to 63.
    pub fn request(
        &mut self,
        (seq, netfn, cmd): (u8, u8, u8),
        data: &[u8],
        random: &mut dyn Random,
        datagram: &mut Vec<u8>,
    ) {
        datagram.clear();
        self.seal(PayloadType::Ipmi, random, datagram, |out| request(seq, netfn, cmd, data).emit(out));
    }

    /// How long the integrity code of RMCP+ packets is, in bytes; 0 without one and in IPMI 1.5.
    pub fn code_length(&self) -> usize {
        match &self.protection {
            Protection::RmcpPlus { keys, .. } => keys.signer.as_ref().map_or(0, |signer| signer.length()),
            Protection::Ipmi15 { .. } => 0,
        }
    }

    /// Appends the integrity code of an RMCP+ datagram that has everything else.
    pub fn sign(&mut self, datagram: &mut Vec<u8>) {
        if let Protection::RmcpPlus { keys, .. } = &mut self.protection
            && let Some(signer) = &mut keys.signer
            && let Some(signed) = datagram.get(HEADER_LENGTH..)
        {
            let code = signer.code(signed);
            datagram.extend_from_slice(code.bytes());
        }
    }

    /// Whether a datagram says that it belongs to this session.
    pub fn owns(&self, datagram: &[u8]) -> bool {
        let Ok(packet) = ipmi(datagram) else { return false };
        match &self.protection {
            Protection::Ipmi15 { .. } => {
                session15::Packet::parse(packet).is_ok_and(|packet| packet.header.session_id == self.id.0)
            }
            Protection::RmcpPlus { console_id, .. } => {
                session20::Header::parse(packet).is_ok_and(|header| header.session_id == *console_id)
            }
        }
    }

    /// Checks a datagram and decrypts it in place.
    ///
    /// # Errors
    /// It is not of this session, or not as it must be.
    pub fn open<'a>(&mut self, datagram: &'a mut [u8]) -> Result<Opened<'a>, Error> {
        if !self.owns(datagram) {
            return Err(Error::Unexpected);
        }
        self.verify(ipmi(datagram)?)?;
        self.open_unverified(datagram)
    }

    /// Whether a packet is signed as the session is, and encrypted.
    fn verify(&mut self, packet: &[u8]) -> Result<(), Error> {
        match &mut self.protection {
            Protection::Ipmi15 { auth_type, password } => {
                let packet = session15::Packet::parse(packet)?;
                if packet.header.auth_type != *auth_type {
                    return Err(Error::Unprotected);
                }
                let right = packet.code.copied() == code15(packet.header, password, packet.message);
                right.then_some(()).ok_or(Error::Code)
            }
            Protection::RmcpPlus { keys, .. } => {
                let Keys { signer, cipher } = &mut **keys;
                let header = session20::Header::parse(packet)?;
                if (header.authenticated, header.encrypted) != (signer.is_some(), cipher.is_some()) {
                    return Err(Error::Unprotected);
                }
                let Some(signer) = signer else { return Ok(()) };
                let signed = packet.len().checked_sub(signer.length()).and_then(|end| packet.split_at_checked(end));
                let right = signed.is_some_and(|(signed, code)| signer.verify(signed, code));
                right.then_some(()).ok_or(Error::Code)
            }
        }
    }

    /// Decrypts a datagram of the session in place, whatever its code: for who measures the other end.
    ///
    /// # Errors
    /// It is not as it must be.
    pub fn open_unverified<'a>(&self, datagram: &'a mut [u8]) -> Result<Opened<'a>, Error> {
        ipmi(datagram)?;
        let packet = datagram.get_mut(HEADER_LENGTH..).unwrap_or_default();
        match &self.protection {
            Protection::Ipmi15 { .. } => {
                let packet = session15::Packet::parse(packet)?;
                let sequence = packet.header.sequence;
                Ok(Opened { sequence, payload_type: PayloadType::Ipmi, payload: packet.message })
            }
            Protection::RmcpPlus { keys, .. } => {
                let header = session20::Header::parse(packet)?;
                let end = header.payload_end();
                let payload = packet.get_mut(session20::HEADER_LENGTH..end).ok_or(Error::Unexpected)?;
                let payload = match &keys.cipher {
                    Some(cipher) => cipher.decrypt(payload).ok_or(Error::Confidentiality)?,
                    None => payload,
                };
                Ok(Opened { sequence: header.sequence, payload_type: header.payload_type, payload })
            }
        }
    }
}

/// What follows the RMCP header of an IPMI datagram.
fn ipmi(datagram: &[u8]) -> Result<&[u8], Error> {
    let header = rmcp::Repr::parse(datagram)?;
    let packet = datagram.get(HEADER_LENGTH..).filter(|_| header.class == rmcp::Class::Ipmi);
    packet.ok_or(Error::Unexpected)
}
