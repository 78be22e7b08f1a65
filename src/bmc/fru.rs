//! FRU inventory devices.

/// FRU inventory devices.
#[derive(Debug, Default)]
pub struct Frus;
