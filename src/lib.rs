//! A simulator of baseboard management controllers (BMCs): the rooms of the house.
//!
//! One simulated system ([`sim`] and the rooms below it) is the crate [`ipmi_sim_core`], which touches no
//! socket, file, process, clock or random source. [`config`] reads texts into [`settings`], [`store`] keeps
//! state files. [`host`] and [`runtime`] are the outside world; beside them only
//! [`store::directory`] does input and output, and only [`runtime`] calls it. [`sdrcomp`] is a program of
//! its own, the SDR compiler; it uses [`config`] and [`store`].

pub mod config;
pub mod host;
pub mod runtime;
pub mod sdrcomp;
pub mod store;
#[cfg(test)]
mod system_tests;

pub use ipmi_sim_core::{bmc, command, crypto, ipmi, lan, serial, settings, sim, sol, state, wire};
