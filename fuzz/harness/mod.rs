//! What a fuzzer and the test `fuzz_corpus` do with an input, one function for each target.
//!
//! Owns the targets and what must hold whatever the input is. Opens nothing and asks neither
//! clock nor system, so that an input does the same every time.

// Each target is a program of its own that calls one of these.
#![allow(dead_code)]

mod accounts;
pub mod client;
mod formats;
pub mod input;
pub mod languages;
pub mod rig;
pub mod sim;

pub use formats::{serial, wire};
pub use languages::{command, lan_conf, sdrs, state};
pub use sim::sim;

/// A target: its name, which is the name of its folder, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 7] = [
    ("lan_conf", lan_conf),
    ("command", command),
    ("state", state),
    ("sdrs", sdrs),
    ("wire", wire),
    ("serial", serial),
    ("sim", sim),
];
