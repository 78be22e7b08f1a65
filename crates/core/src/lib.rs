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

#![cfg_attr(not(test), warn(unreachable_pub))]

pub mod bmc;
pub mod command;
pub mod ipmi;
pub mod lan;
pub mod serial;
pub mod settings;
mod shared;
pub mod sim;
pub mod sol;
pub mod state;
pub mod wire;

pub use ipmi_sim_crypto as crypto;

#[cfg(test)]
mod tests {
    /// What comes in here must do no input or output, start no thread and read no clock.
    #[test]
    fn nothing_that_does_input_or_output_is_a_dependency() {
        const ALLOWED: [&str; 4] = ["ipmi_sim_crypto", "subtle", "thiserror", "zeroize"];
        let manifest = include_str!("../Cargo.toml");
        let (_, section) = manifest.split_once("\n[dependencies]\n").expect("dependencies");
        let section = section.split("\n[").next().unwrap_or_default();
        let names: Vec<&str> = section.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).collect();
        let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
        assert_eq!(names, ALLOWED);
        assert!(!manifest.contains("[target."), "nor one for some systems only");
    }
}
