//! Serial-over-LAN parameters and activations.

/// Serial-over-LAN parameters and activations.
#[derive(Debug, Default)]
pub struct Sol;
