//! Get Device ID data and the capabilities that gate commands.

/// Get Device ID data and the capabilities that gate commands.
#[derive(Debug, Default)]
pub struct DeviceId {
    /// Additional device support, byte 7 of Get Device ID.
    pub device_support: u8,
    /// Whether there are device SDRs.
    pub has_device_sdrs: bool,
    /// Whether the sensor population is dynamic (`dynsens`).
    pub dynamic_sensors: bool,
}

impl DeviceId {
    /// Whether there is a system event log (device support bit 2).
    pub fn has_sel(&self) -> bool {
        self.device_support & 0x04 != 0
    }
}
