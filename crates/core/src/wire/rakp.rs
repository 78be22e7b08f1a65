//! RMCP+ session set-up: Open Session and the four RAKP messages.
//! IPMI 2.0 sections 13.17 to 13.24.
//!
//! These are payloads; integers are little endian. A response with an error is its first
//! eight bytes: tag, status, two reserved, console's session id.

use super::{Error, array_at, u32_at};

/// Length of a response that says what went wrong.
pub const ERROR_LENGTH: usize = 8;
/// The longest user name.
pub const MAX_NAME: usize = 16;

/// RMCP+ and RAKP message status codes. IPMI 2.0 table 13-15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status(pub u8);

impl Status {
    /// No errors.
    pub const OK: Self = Self(0x00);
    /// Insufficient resources to create a session.
    pub const INSUFFICIENT_RESOURCES: Self = Self(0x01);
    /// Invalid session id.
    pub const INVALID_SESSION_ID: Self = Self(0x02);
    /// Invalid authentication algorithm.
    pub const INVALID_AUTHENTICATION: Self = Self(0x04);
    /// Invalid integrity algorithm.
    pub const INVALID_INTEGRITY: Self = Self(0x05);
    /// Unauthorized role or privilege level requested.
    pub const UNAUTHORIZED_ROLE: Self = Self(0x0a);
    /// Unauthorized name.
    pub const UNAUTHORIZED_NAME: Self = Self(0x0d);
    /// Invalid integrity check value.
    pub const INVALID_CHECK_VALUE: Self = Self(0x0f);
    /// Invalid confidentiality algorithm.
    pub const INVALID_CONFIDENTIALITY: Self = Self(0x10);
    /// No cipher suite match with proposed security algorithms.
    pub const NO_SUITE_MATCH: Self = Self(0x11);
    /// Illegal or unrecognized parameter.
    pub const ILLEGAL_PARAMETER: Self = Self(0x12);
}

/// Appends a response that is only a status.
pub fn emit_error(tag: u8, status: Status, console_id: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&[tag, status.0, 0, 0]);
    out.extend_from_slice(&console_id.to_le_bytes());
}

/// The algorithms a console proposes, or a BMC chose: numbers of IPMI 2.0 tables 13-17
/// to 13-19. `None` leaves the choice to the BMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Algorithms {
    /// Authentication (RAKP) algorithm.
    pub authentication: Option<u8>,
    /// Integrity algorithm.
    pub integrity: Option<u8>,
    /// Confidentiality algorithm.
    pub confidentiality: Option<u8>,
}

impl Algorithms {
    const RECORD_LENGTH: usize = 8;

    /// Reads three records of eight bytes: type 0, 1, 2; two reserved; length 8, or 0 for
    /// "any"; algorithm in bits 5..0; three reserved.
    fn parse(records: &[u8]) -> Result<Self, Status> {
        let mut values = [None; 3];
        for (kind, value) in values.iter_mut().enumerate() {
            let record: &[u8; Self::RECORD_LENGTH] =
                array_at(records, kind * Self::RECORD_LENGTH).map_err(|_| Status::ILLEGAL_PARAMETER)?;
            if usize::from(record[0]) != kind {
                return Err(Status::ILLEGAL_PARAMETER);
            }
            *value = match record[3] {
                0 => None,
                8 => Some(record[4] & 0x3f),
                _ => return Err(Status::ILLEGAL_PARAMETER),
            };
        }
        let [authentication, integrity, confidentiality] = values;
        Ok(Self { authentication, integrity, confidentiality })
    }

    fn emit(&self, out: &mut Vec<u8>) {
        for (kind, value) in (0..).zip([self.authentication, self.integrity, self.confidentiality]) {
            let length = if value.is_some() { 8 } else { 0 };
            out.extend_from_slice(&[kind, 0, 0, length, value.unwrap_or(0), 0, 0, 0]);
        }
    }
}

/// RMCP+ Open Session Request, payload type 10h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpenSessionRequest {
    /// Comes back in the response.
    pub tag: u8,
    /// Requested maximum privilege; 0 is "the highest the algorithms allow".
    pub privilege: u8,
    /// Session id the console chose.
    pub console_id: u32,
    /// Proposed algorithms, or why they cannot be read.
    pub algorithms: Result<Algorithms, Status>,
}

impl OpenSessionRequest {
    /// Length of the request; more bytes mean nothing.
    pub const LENGTH: usize = 32;

    /// Reads a request. Fewer than eight bytes cannot even be answered.
    pub fn parse(payload: &[u8]) -> Result<Self, Error> {
        let &[tag, privilege, ..] = array_at::<8>(payload, 0)?;
        let records = payload.get(8..).ok_or(Error::Truncated)?;
        Ok(Self {
            tag,
            privilege: privilege & 0x0f,
            console_id: u32_at(payload, 4)?,
            algorithms: Algorithms::parse(records),
        })
    }

    /// Appends the request; unreadable algorithms are left out.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.tag, self.privilege, 0, 0]);
        out.extend_from_slice(&self.console_id.to_le_bytes());
        if let Ok(algorithms) = &self.algorithms {
            algorithms.emit(out);
        }
    }
}

/// RMCP+ Open Session Response without error, payload type 11h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpenSessionResponse {
    /// Tag of the request.
    pub tag: u8,
    /// Maximum privilege the session can have.
    pub privilege: u8,
    /// The console's session id.
    pub console_id: u32,
    /// The BMC's session id.
    pub bmc_id: u32,
    /// Chosen algorithms.
    pub algorithms: Algorithms,
}

impl OpenSessionResponse {
    /// Reads a response; one with an error is its status.
    pub fn parse(payload: &[u8]) -> Result<Result<Self, Status>, Error> {
        let &[tag, status, privilege, ..] = array_at::<ERROR_LENGTH>(payload, 0)?;
        if status != 0 {
            return Ok(Err(Status(status)));
        }
        let records = payload.get(12..).ok_or(Error::Truncated)?;
        Ok(Algorithms::parse(records).map(|algorithms| Self {
            tag,
            privilege,
            console_id: u32_at(payload, 4).unwrap_or(0),
            bmc_id: u32_at(payload, 8).unwrap_or(0),
            algorithms,
        }))
    }

    /// Appends the response.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.tag, 0, self.privilege, 0]);
        out.extend_from_slice(&self.console_id.to_le_bytes());
        out.extend_from_slice(&self.bmc_id.to_le_bytes());
        self.algorithms.emit(out);
    }
}

/// RAKP Message 1, payload type 12h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rakp1<'a> {
    /// Comes back in the response.
    pub tag: u8,
    /// The BMC's session id.
    pub bmc_id: u32,
    /// Console's random number.
    pub random: &'a [u8; 16],
    /// Role byte as sent: requested privilege in bits 3..0, bit 4 "look up by name only".
    pub role: u8,
    /// User name, or why it cannot be read.
    pub name: Result<&'a [u8], Status>,
}

impl<'a> Rakp1<'a> {
    /// Length without the name.
    pub const MIN_LENGTH: usize = 28;

    /// Reads a message; bytes behind the name mean nothing.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Error> {
        let &[tag, ..] = array_at::<28>(payload, 0)?;
        let length = usize::from(payload[27]);
        let name = payload[Self::MIN_LENGTH..].get(..length).filter(|name| name.len() <= MAX_NAME);
        Ok(Self {
            tag,
            bmc_id: u32_at(payload, 4)?,
            random: array_at(payload, 8)?,
            role: payload[24],
            name: name.ok_or(Status::ILLEGAL_PARAMETER),
        })
    }

    /// Appends the message; an unreadable name is left out.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let name = self.name.unwrap_or_default();
        out.extend_from_slice(&[self.tag, 0, 0, 0]);
        out.extend_from_slice(&self.bmc_id.to_le_bytes());
        out.extend_from_slice(self.random);
        out.extend_from_slice(&[self.role, 0, 0, u8::try_from(name.len()).unwrap_or(0)]);
        out.extend_from_slice(name);
    }
}

/// RAKP Message 2 without error, payload type 13h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rakp2<'a> {
    /// Tag of RAKP Message 1.
    pub tag: u8,
    /// The console's session id.
    pub console_id: u32,
    /// BMC's random number.
    pub random: &'a [u8; 16],
    /// System GUID.
    pub guid: &'a [u8; 16],
    /// Key exchange authentication code: empty, 16, 20 or 32 bytes.
    pub code: &'a [u8],
}

impl<'a> Rakp2<'a> {
    /// Reads a response; one with an error is its status.
    pub fn parse(payload: &'a [u8]) -> Result<Result<Self, Status>, Error> {
        let &[tag, status, ..] = array_at::<ERROR_LENGTH>(payload, 0)?;
        if status != 0 {
            return Ok(Err(Status(status)));
        }
        Ok(Ok(Self {
            tag,
            console_id: u32_at(payload, 4)?,
            random: array_at(payload, 8)?,
            guid: array_at(payload, 24)?,
            code: &payload[40..],
        }))
    }

    /// Appends the message.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.tag, 0, 0, 0]);
        out.extend_from_slice(&self.console_id.to_le_bytes());
        out.extend_from_slice(self.random);
        out.extend_from_slice(self.guid);
        out.extend_from_slice(self.code);
    }
}

/// RAKP Message 3, payload type 14h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rakp3<'a> {
    /// Comes back in the response.
    pub tag: u8,
    /// What the console thinks of RAKP Message 2.
    pub status: Status,
    /// The BMC's session id.
    pub bmc_id: u32,
    /// Everything behind: the key exchange authentication code.
    pub code: &'a [u8],
}

impl<'a> Rakp3<'a> {
    /// Reads a message.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Error> {
        let &[tag, status, ..] = array_at::<8>(payload, 0)?;
        Ok(Self { tag, status: Status(status), bmc_id: u32_at(payload, 4)?, code: &payload[8..] })
    }

    /// Appends the message.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.tag, self.status.0, 0, 0]);
        out.extend_from_slice(&self.bmc_id.to_le_bytes());
        out.extend_from_slice(self.code);
    }
}

/// RAKP Message 4 without error, payload type 15h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rakp4<'a> {
    /// Tag of RAKP Message 3.
    pub tag: u8,
    /// The console's session id.
    pub console_id: u32,
    /// Integrity check value: empty, 12 or 16 bytes.
    pub check_value: &'a [u8],
}

impl<'a> Rakp4<'a> {
    /// Reads a response; one with an error is its status.
    pub fn parse(payload: &'a [u8]) -> Result<Result<Self, Status>, Error> {
        let &[tag, status, ..] = array_at::<ERROR_LENGTH>(payload, 0)?;
        if status != 0 {
            return Ok(Err(Status(status)));
        }
        Ok(Ok(Self { tag, console_id: u32_at(payload, 4)?, check_value: &payload[ERROR_LENGTH..] }))
    }

    /// Appends the message.
    pub fn emit(&self, out: &mut Vec<u8>) {
        emit_error(self.tag, Status::OK, self.console_id, out);
        out.extend_from_slice(self.check_value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    const OPEN: [u8; 32] = hex!(
        "77 04 0000 44332211"
        "00000008 01000000 01000008 01000000 02000008 01000000"
    );

    fn suite_3() -> Algorithms {
        Algorithms { authentication: Some(1), integrity: Some(1), confidentiality: Some(1) }
    }

    #[test]
    fn open_session_request() {
        let request = OpenSessionRequest::parse(&OPEN).unwrap();
        assert_eq!(
            request,
            OpenSessionRequest { tag: 0x77, privilege: 4, console_id: 0x1122_3344, algorithms: Ok(suite_3()) }
        );
        let mut out = Vec::new();
        request.emit(&mut out);
        assert_eq!(out, OPEN);
    }

    #[test]
    fn open_session_response_of_the_fact_sheet() {
        let bytes = hex!(
            "77 00 00 00 44332211 02000000"
            "00000008 01000000 01000008 01000000 02000008 01000000"
        );
        let response =
            OpenSessionResponse { tag: 0x77, privilege: 0, console_id: 0x1122_3344, bmc_id: 2, algorithms: suite_3() };
        assert_eq!(OpenSessionResponse::parse(&bytes), Ok(Ok(response)));
        let mut out = Vec::new();
        response.emit(&mut out);
        assert_eq!(out, bytes);
    }

    #[test]
    fn any_algorithm_is_a_length_of_zero() {
        let mut bytes = OPEN;
        bytes[19] = 0;
        let algorithms = OpenSessionRequest::parse(&bytes).unwrap().algorithms.unwrap();
        assert_eq!(algorithms, Algorithms { integrity: None, ..suite_3() });
    }

    #[test]
    fn wrong_record_types_and_lengths_are_illegal_parameters() {
        for (at, value) in [(8, 1), (16, 0), (24, 3), (11, 7), (19, 9), (27, 255)] {
            let mut bytes = OPEN;
            bytes[at] = value;
            let request = OpenSessionRequest::parse(&bytes).unwrap();
            assert_eq!(request.algorithms, Err(Status::ILLEGAL_PARAMETER), "byte {at}");
            assert_eq!((request.tag, request.console_id), (0x77, 0x1122_3344));
        }
    }

    #[test]
    fn short_open_session_requests() {
        for length in 0..8 {
            assert_eq!(OpenSessionRequest::parse(&OPEN[..length]), Err(Error::Truncated));
        }
        for length in 8..OPEN.len() {
            let request = OpenSessionRequest::parse(&OPEN[..length]).unwrap();
            assert_eq!(request.algorithms, Err(Status::ILLEGAL_PARAMETER));
        }
    }

    #[test]
    fn rakp_1_and_its_name() {
        let random: [u8; 16] = std::array::from_fn(|at| at as u8);
        let message = Rakp1 { tag: 1, bmc_id: 0x102, random: &random, role: 0x14, name: Ok(b"ipmiusr") };
        let mut bytes = Vec::new();
        message.emit(&mut bytes);
        assert_eq!(bytes.len(), 35);
        assert_eq!(Rakp1::parse(&bytes), Ok(message));
        for length in 0..Rakp1::MIN_LENGTH {
            assert_eq!(Rakp1::parse(&bytes[..length]), Err(Error::Truncated));
        }
        for length in Rakp1::MIN_LENGTH..bytes.len() {
            assert_eq!(Rakp1::parse(&bytes[..length]).unwrap().name, Err(Status::ILLEGAL_PARAMETER));
        }
        bytes[27] = 17;
        bytes.resize(64, b'x');
        assert_eq!(Rakp1::parse(&bytes).unwrap().name, Err(Status::ILLEGAL_PARAMETER));
    }

    #[test]
    fn rakp_2_3_and_4_survive_the_way_there_and_back() {
        let (random, guid) = ([7; 16], [9; 16]);
        let rakp2 = Rakp2 { tag: 2, console_id: 5, random: &random, guid: &guid, code: &[1; 20] };
        let mut bytes = Vec::new();
        rakp2.emit(&mut bytes);
        assert_eq!(bytes.len(), 60);
        assert_eq!(Rakp2::parse(&bytes), Ok(Ok(rakp2)));

        let rakp3 = Rakp3 { tag: 3, status: Status::OK, bmc_id: 0x102, code: &[1; 20] };
        bytes.clear();
        rakp3.emit(&mut bytes);
        assert_eq!(bytes.len(), 28);
        assert_eq!(Rakp3::parse(&bytes), Ok(rakp3));

        let rakp4 = Rakp4 { tag: 4, console_id: 5, check_value: &[1; 12] };
        bytes.clear();
        rakp4.emit(&mut bytes);
        assert_eq!(bytes.len(), 20);
        assert_eq!(Rakp4::parse(&bytes), Ok(Ok(rakp4)));
    }

    #[test]
    fn errors_have_eight_bytes() {
        let mut bytes = Vec::new();
        emit_error(0x77, Status::NO_SUITE_MATCH, 0x1122_3344, &mut bytes);
        assert_eq!(bytes, hex!("77 11 00 00 44332211"));
        assert_eq!(OpenSessionResponse::parse(&bytes), Ok(Err(Status::NO_SUITE_MATCH)));
        assert_eq!(Rakp2::parse(&bytes), Ok(Err(Status::NO_SUITE_MATCH)));
        assert_eq!(Rakp4::parse(&bytes), Ok(Err(Status::NO_SUITE_MATCH)));
    }
}
