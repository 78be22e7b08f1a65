//! SDR repository and device SDRs.

/// The SDR repository.
#[derive(Debug, Default)]
pub struct Repository;

/// Device SDRs by LUN.
#[derive(Debug, Default)]
pub struct DeviceSdrs;
