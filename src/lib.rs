//! A simulator of baseboard management controllers (BMCs): the rooms of the house.
//!
//! Doors open one way. [`ipmi`] holds the plain words every room shares, [`settings`] what a user can set. [`wire`],
//! [`crypto`], [`config`] and [`store`] know nobody else. [`bmc`] is pure device state.
//! [`command`] decodes requests, calls [`bmc`], encodes responses. [`lan`], [`sol`] and
//! [`serial`] turn bytes of [`wire`] into requests and back. [`sim`] joins them into one simulated
//! system without touching a socket, a file, a process, a clock or a random source.
//! [`host`] and [`runtime`] are the outside world; beside them only
//! [`store::directory`] does input and output, and only [`runtime`] calls it. [`sdrcomp`] is a program of
//! its own, the SDR compiler; it uses [`config`] and [`store`].

pub mod bmc;
pub mod command;
pub mod config;
pub mod host;
pub mod ipmi;
pub mod lan;
pub mod runtime;
pub mod sdrcomp;
pub mod serial;
pub mod settings;
pub mod sim;
pub mod sol;
pub mod state;
pub mod store;
#[cfg(test)]
mod system_tests;
pub mod wire;

pub use ipmi_sim_crypto as crypto;
