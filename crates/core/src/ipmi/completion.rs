//! Completion codes, IPMI 2.0 table 5-2.

use std::fmt;

/// The first byte of every response.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CompletionCode(pub u8);

impl CompletionCode {
    /// Command completed normally.
    pub const OK: Self = Self(0x00);
    /// First of the command-specific codes.
    pub const COMMAND_SPECIFIC_80: Self = Self(0x80);
    /// Second of the command-specific codes.
    pub const COMMAND_SPECIFIC_81: Self = Self(0x81);
    /// Third of the command-specific codes.
    pub const COMMAND_SPECIFIC_82: Self = Self(0x82);
    /// Fourth of the command-specific codes (Send Message: NAK on write).
    pub const COMMAND_SPECIFIC_83: Self = Self(0x83);
    /// Meaning depends on the command.
    pub const COMMAND_SPECIFIC_84: Self = Self(0x84);
    /// Close Session: unknown session id.
    pub const INVALID_SESSION_ID: Self = Self(0x87);
    /// Node busy.
    pub const NODE_BUSY: Self = Self(0xc0);
    /// Unrecognised or unsupported command.
    pub const INVALID_COMMAND: Self = Self(0xc1);
    /// Command invalid for the given LUN.
    pub const INVALID_FOR_LUN: Self = Self(0xc2);
    /// Timeout while processing the command.
    pub const TIMEOUT: Self = Self(0xc3);
    /// Out of space.
    pub const OUT_OF_SPACE: Self = Self(0xc4);
    /// Reservation cancelled or invalid.
    pub const INVALID_RESERVATION: Self = Self(0xc5);
    /// Request data truncated.
    pub const TRUNCATED: Self = Self(0xc6);
    /// Request data length invalid.
    pub const INVALID_LENGTH: Self = Self(0xc7);
    /// Request data field length limit exceeded.
    pub const LENGTH_LIMIT: Self = Self(0xc8);
    /// Parameter out of range.
    pub const OUT_OF_RANGE: Self = Self(0xc9);
    /// Cannot return the number of requested data bytes.
    pub const CANNOT_RETURN_LENGTH: Self = Self(0xca);
    /// Requested sensor, data or record not present.
    pub const NOT_PRESENT: Self = Self(0xcb);
    /// Invalid data field in request.
    pub const INVALID_FIELD: Self = Self(0xcc);
    /// Command illegal for the sensor or record type.
    pub const ILLEGAL_FOR_TYPE: Self = Self(0xcd);
    /// Command response could not be provided.
    pub const NO_RESPONSE: Self = Self(0xce);
    /// Cannot execute a duplicated request.
    pub const DUPLICATE: Self = Self(0xcf);
    /// Destination unavailable.
    pub const DESTINATION_UNAVAILABLE: Self = Self(0xd3);
    /// Insufficient privilege level.
    pub const INSUFFICIENT_PRIVILEGE: Self = Self(0xd4);
    /// Command not supported in the present state.
    pub const NOT_IN_PRESENT_STATE: Self = Self(0xd5);
    /// Unspecified error.
    pub const UNSPECIFIED: Self = Self(0xff);
}

impl fmt::Debug for CompletionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x}", self.0)
    }
}
