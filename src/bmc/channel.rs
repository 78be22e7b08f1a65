//! The channels of a controller and their access settings.

/// The channels of a controller and their access settings.
#[derive(Debug, Default)]
pub struct Channels;
