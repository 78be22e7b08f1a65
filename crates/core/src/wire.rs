//! Bytes and types: one file per format. No state, no input or output.
//!
//! Each file has the format's constants, a plain type for what the bytes say, `parse`
//! (which checks every length before it looks) and `emit` (which appends to a buffer).

pub mod asf;
pub mod ipmb;
pub mod pet;
pub mod rakp;
pub mod rmcp;
pub mod session15;
pub mod session20;
pub mod sol;
pub mod vm;

/// Why bytes are not what their format says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Error {
    /// Fewer bytes than the format, or a length inside it, needs.
    #[error("too short")]
    Truncated,
    /// A checksum does not fit.
    #[error("wrong checksum")]
    Checksum,
    /// A field has a value the format does not know.
    #[error("unknown value in a header")]
    Unknown,
}

/// The four bytes at `at`, as a little-endian number.
fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Error> {
    array_at::<4>(bytes, at).map(|bytes| u32::from_le_bytes(*bytes))
}

/// The `N` bytes at `at`.
fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Result<&[u8; N], Error> {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Error::Truncated)
}
