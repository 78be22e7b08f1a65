//! Power, reset, identify and boot options.

/// Power, reset, identify and boot options.
#[derive(Debug, Default)]
pub struct Chassis;
