//! Why a device refuses what the command language asks of it.

use thiserror::Error;

/// A refusal. The command language prints its [number](Error::errno) behind
/// `**Unable to ..., error` (`emu.md` section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// No such sensor, LUN, bit or device, or a record of the wrong length.
    #[error("invalid argument")]
    Invalid,
    /// The controller lacks the device: no SDR repository, no device SDRs, no FRU inventory.
    #[error("device not present")]
    NoDevice,
    /// The controller lacks the system event log.
    #[error("operation not supported")]
    NotSupported,
    /// The log is full or was never enabled.
    #[error("no room")]
    Full,
    /// There is no controller at that address.
    #[error("no such controller")]
    NoController,
}

impl Error {
    /// The number the original prints: EINVAL 16h, ENOSYS 26h, EOPNOTSUPP 5Fh, EAGAIN 0Bh,
    /// ENOENT 02h.
    pub const fn errno(self) -> u32 {
        match self {
            Self::Invalid => 0x16,
            Self::NoDevice => 0x26,
            Self::NotSupported => 0x5f,
            Self::Full => 0x0b,
            Self::NoController => 0x02,
        }
    }
}
