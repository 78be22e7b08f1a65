//! The vocabulary of the IPMI 2.0 specification that every room shares: plain values,
//! no state, no input or output, no knowledge of any other room.

mod auth_types;
mod channel_number;
mod completion;
mod host_signal;
mod login_failure;
mod mc_address;
mod message;
mod moment;
mod nature;
mod peer;
mod privilege;
mod recording;
mod session_id;
mod user_number;

pub use auth_types::AuthTypes;
pub use channel_number::ChannelNumber;
pub use completion::CompletionCode;
pub use host_signal::{HostSignal, capability};
pub use login_failure::LoginFailure;
pub use mc_address::McAddress;
pub use message::{Medium, Origin, Request, Response, SessionRef};
pub use moment::Moment;
pub use nature::Nature;
pub use peer::Peer;
pub use privilege::Privilege;
pub use recording::{Behind, Between, Recording};
pub use session_id::SessionId;
pub use user_number::UserNumber;

/// Network function codes, request (even) values. IPMI 2.0 table 5-1.
pub mod netfn {
    /// Chassis Device.
    pub const CHASSIS: u8 = 0x00;
    /// Bridge.
    pub const BRIDGE: u8 = 0x02;
    /// Sensor and Event.
    pub const SENSOR_EVENT: u8 = 0x04;
    /// Application.
    pub const APP: u8 = 0x06;
    /// Firmware.
    pub const FIRMWARE: u8 = 0x08;
    /// Non-volatile storage.
    pub const STORAGE: u8 = 0x0a;
    /// Media-specific configuration and control.
    pub const TRANSPORT: u8 = 0x0c;
    /// Group extension (PICMG, DCMI ...); the first data byte names the group.
    pub const GROUP_EXTENSION: u8 = 0x2c;
    /// OEM/Group; the first three data bytes are an IANA enterprise number.
    pub const OEM_GROUP: u8 = 0x2e;
    /// Controller-specific OEM.
    pub const OEM: u8 = 0x30;
}

/// Send Message (network function App): the one command that other rooms than `command`
/// must know, because it carries another.
pub const SEND_MESSAGE: u8 = 0x34;

/// A source of unpredictable bytes, handed in by the outside.
///
/// The simulation itself never asks the operating system: `runtime` passes a generator
/// seeded by the system, tests pass a fixed one.
pub trait Random {
    /// Fills the whole of `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);
}
