//! One simulated system: its devices, its commands, its channels.
//!
//! Doors open one way. [`ipmi`] holds the plain words every room shares, [`settings`] what a user can set,
//! [`state`] what state files hold. [`wire`] and [`crypto`] know nobody else. [`bmc`] is pure device state.
//! [`command`] decodes requests, calls [`bmc`], encodes responses. [`lan`], [`sol`] and
//! [`serial`] turn bytes of [`wire`] into requests and back. [`sim`] joins them into one simulated
//! system.
//!
//! Nothing here touches a socket, a file, a process, a clock or a random source: time is an argument, randomness
//! a trait, and what is to be done outside comes back as values.

pub mod bmc;
pub mod command;
pub mod ipmi;
pub mod lan;
pub mod serial;
pub mod settings;
pub mod sim;
pub mod sol;
pub mod state;
pub mod wire;

pub use ipmi_sim_crypto as crypto;
