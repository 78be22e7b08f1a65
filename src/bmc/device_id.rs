//! Get Device ID data and the capabilities that gate commands.

/// Get Device ID data and the capabilities that gate commands.
#[derive(Debug, Default)]
pub struct DeviceId;
