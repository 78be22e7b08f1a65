//! The remote console's side of RMCP, of RMCP+ and of IPMI 1.5 sessions over LAN.
//!
//! Makes and reads datagrams, and opens no socket: whoever calls it carries them, waits and sends again, and brings
//! the random numbers. Made of the formats in `ipmi_sim_core`'s `wire`, so it is no second opinion on
//! them: that is the client of `tests/support`, which shares nothing with this program.
//!
//! - [`presence`]: is there a BMC?
//! - [`rmcp_plus::Login`], [`ipmi15::Login`]: the messages of a login, one by one.
//! - [`Session`]: what follows it. [`Session::login`] does a whole login with a function that carries datagrams.

#![cfg_attr(not(test), warn(unreachable_pub))]

pub mod ipmi15;
mod login;
pub mod outside;
pub mod presence;
pub mod rmcp_plus;
mod session;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

use ipmi_sim_core::ipmi::CompletionCode;
use ipmi_sim_core::wire::rakp::Status;
use ipmi_sim_core::wire::{self, ipmb};
use ipmi_sim_crypto::Secret;

pub use login::Way;
pub use session::{Opened, Response, Session};

/// Get Device ID of network function App, the smallest thing a BMC does.
pub const GET_DEVICE_ID: u8 = 0x01;
/// Set Session Privilege Level, App.
pub const SET_SESSION_PRIVILEGE_LEVEL: u8 = 0x3b;
/// Close Session, App.
pub const CLOSE_SESSION: u8 = 0x3c;
/// Privilege level administrator.
pub const ADMINISTRATOR: u8 = 4;

/// Address of the BMC.
const BMC: u8 = 0x20;

/// Who logs in.
#[derive(Clone, Debug)]
pub struct Account {
    /// User name, as it is sent; at most 16 bytes of it count.
    pub name: Vec<u8>,
    /// Password, zero padded.
    pub password: Secret<20>,
    /// K_G of the channel, if it has one.
    pub key: Option<Secret<20>>,
}

impl Account {
    /// A user of a channel without K_G. Of the password 20 bytes count.
    pub fn new(name: impl AsRef<[u8]>, password: impl AsRef<[u8]>) -> Self {
        Self { name: name.as_ref().to_vec(), password: Secret::new(padded(password.as_ref())), key: None }
    }

    /// The part of the password that IPMI 1.5 knows.
    fn short_password(&self) -> Secret<16> {
        Secret::new(padded(self.password.expose()))
    }
}

/// What is wrong with something that was received.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It has not the form of what is expected.
    #[error(transparent)]
    Format(#[from] wire::Error),
    /// It belongs to another session or login, or is another message.
    #[error("it is not what was asked for")]
    Unexpected,
    /// It is not protected as the session is.
    #[error("it is not signed or encrypted as the session is")]
    Unprotected,
    /// Its integrity or authentication code is wrong.
    #[error("its code is wrong")]
    Code,
    /// It is signed and cannot be decrypted.
    #[error("it cannot be decrypted")]
    Confidentiality,
    /// The BMC refused a message of the RMCP+ login.
    #[error("{message} is refused with status {:#04x}", .status.0)]
    Refused {
        /// Which one.
        message: &'static str,
        /// Why.
        status: Status,
    },
    /// A command was not done.
    #[error("completion code {0:?}")]
    Command(CompletionCode),
    /// There is no such cipher suite.
    #[error("no such cipher suite")]
    Suite,
}

/// A request of the remote console to the BMC, as an IPMB message.
pub fn request(seq: u8, netfn: u8, cmd: u8, data: &[u8]) -> ipmb::Message<'_> {
    ipmb::Message { to: BMC, to_lun: 0, netfn, from: ipmb::REMOTE_CONSOLE, from_lun: 0, seq, cmd, data }
}

/// The bytes, zero padded; what is too long is cut.
fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    out
}
