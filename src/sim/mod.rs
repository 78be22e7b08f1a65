//! The simulator: one simulated system, all rooms joined.
//!
//! Everything comes in as a call with a time, everything goes out as an [`Effects`]
//! entry. Opens nothing, reads no clock.

pub mod effect;

pub use effect::{Effect, Effects};
