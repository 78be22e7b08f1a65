//! A request and its response, free of any transport: where all channels meet.

use super::{ChannelNumber, CompletionCode, Privilege, SessionId, UserNumber};

/// What kind of channel a request came in on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Medium {
    /// A LAN channel, inside a session.
    Lan,
    /// A system interface or serial channel: no session, no privilege check.
    System,
    /// An IPMB channel.
    Ipmb,
}

/// The session a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionRef {
    /// The BMC's session id.
    pub id: SessionId,
    /// Session handle, IPMI 2.0 section 22.20.
    pub handle: u8,
    /// User number, 1 to 63.
    pub user: UserNumber,
    /// Whether the session is RMCP+ (IPMI 2.0) rather than IPMI 1.5.
    pub rmcp_plus: bool,
    /// Whether its packets carry an integrity code.
    pub authenticated: bool,
    /// Whether its packets are encrypted.
    pub encrypted: bool,
    /// UDP port of the BMC's LAN channel, as Activate Payload reports it.
    pub udp_port: u16,
}

/// Where a request came from and what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Number of the channel the request came in on; `0Eh` in a request means this one.
    pub channel: ChannelNumber,
    /// Kind of that channel.
    pub medium: Medium,
    /// Current privilege level of the session; `None` on session-less channels.
    pub privilege: Option<Privilege>,
    /// The session, on session-based channels.
    pub session: Option<SessionRef>,
    /// Whether the request was carried inside a Send Message.
    pub bridged: bool,
    /// Requester's address as the (innermost) message names it: 81h for LAN consoles by
    /// custom, 0 on a system interface. The generator ID of Platform Event.
    pub requester: u8,
    /// Requester's LUN, 0 to 3.
    pub requester_lun: u8,
}

/// A request, free of its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Network function, even.
    pub netfn: u8,
    /// Command number.
    pub cmd: u8,
    /// Responder's LUN, 0 to 3.
    pub lun: u8,
    /// Where it came from.
    pub origin: Origin,
    /// The data bytes behind the command.
    pub data: &'a [u8],
}

/// A response being written: a completion code and data, in a fixed buffer.
///
/// The limits are what the original answers at most, 36 bytes with the completion code for direct
/// requests and 255 for bridged ones (`commands-core.md` section 1.2), but for requests in an RMCP+
/// session. Their packets hold more, and clients ask for whole records in them.
#[derive(Clone)]
pub struct Response {
    bytes: [u8; Self::RMCP_PLUS_LIMIT],
    len: usize,
    limit: usize,
}

impl Response {
    /// Most bytes of a response to a direct request, completion code included.
    pub const DIRECT_LIMIT: usize = 36;
    /// Most bytes of a response to a bridged request, completion code included.
    pub const BRIDGED_LIMIT: usize = 255;
    /// Most bytes of a response in an RMCP+ session, completion code included: the longest SDR, 260
    /// bytes, with the id of the next one.
    pub const RMCP_PLUS_LIMIT: usize = 263;

    /// An empty answer, completion code 00h, for a request from `origin`.
    pub fn new(origin: &Origin) -> Self {
        let limit = match origin.session {
            _ if origin.bridged => Self::BRIDGED_LIMIT,
            Some(SessionRef { rmcp_plus: true, .. }) => Self::RMCP_PLUS_LIMIT,
            _ => Self::DIRECT_LIMIT,
        };
        Self { bytes: [0; Self::RMCP_PLUS_LIMIT], len: 1, limit }
    }

    /// A response that is only a completion code.
    pub fn with_code(origin: &Origin, code: CompletionCode) -> Self {
        let mut response = Self::new(origin);
        response.fail(code);
        response
    }

    /// How many more data bytes fit.
    pub fn room(&self) -> usize {
        self.limit - self.len
    }

    /// Makes the response exactly the one byte `code`.
    pub fn fail(&mut self, code: CompletionCode) {
        self.bytes[0] = code.0;
        self.len = 1;
    }

    /// Sets the completion code and keeps the data.
    pub fn set_code(&mut self, code: CompletionCode) {
        self.bytes[0] = code.0;
    }

    /// The completion code.
    pub fn code(&self) -> CompletionCode {
        CompletionCode(self.bytes[0])
    }

    /// Appends bytes; a response that would become too long is an error (C8h).
    pub fn put(&mut self, data: &[u8]) -> Result<(), CompletionCode> {
        if data.len() > self.room() {
            return Err(CompletionCode::LENGTH_LIMIT);
        }
        self.bytes[self.len..self.len + data.len()].copy_from_slice(data);
        self.len += data.len();
        Ok(())
    }

    /// Changes the data behind the completion code.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[1..self.len]
    }

    /// Completion code and data.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The data behind the completion code.
    pub fn data(&self) -> &[u8] {
        &self.bytes[1..self.len]
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({:02x?})", self.bytes())
    }
}
