//! Get Device ID data and the capabilities that gate commands.
//!
//! Owns what `mc_add` said about a controller. Never changes after that, except by
//! another `mc_add`.

/// "Additional device support" bits of Get Device ID, IPMI 2.0 table 20-2.
pub mod support {
    /// Chassis device: the Chassis commands exist.
    pub const CHASSIS: u8 = 0x80;
    /// Bridge; gates nothing.
    pub const BRIDGE: u8 = 0x40;
    /// IPMB event generator: Get and Set Event Receiver exist.
    pub const EVENT_GENERATOR: u8 = 0x20;
    /// IPMB event receiver; gates nothing.
    pub const EVENT_RECEIVER: u8 = 0x10;
    /// FRU inventory device; gates nothing.
    pub const FRU_INVENTORY: u8 = 0x08;
    /// SEL device: the SEL commands exist.
    pub const SEL: u8 = 0x04;
    /// SDR repository device: the SDR repository commands exist.
    pub const SDR_REPOSITORY: u8 = 0x02;
    /// Sensor device; gates nothing.
    pub const SENSOR: u8 = 0x01;
}

/// What Get Device ID says, and the capabilities that gate commands
/// (`commands-core.md` section 2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceId {
    /// Device id.
    pub id: u8,
    /// Whether the device SDR commands exist.
    pub has_device_sdrs: bool,
    /// Device revision, 0 to 15; higher bits are not reported.
    pub revision: u8,
    /// Major firmware revision, 0 to 127; bit 7 is not reported.
    pub major: u8,
    /// Minor firmware revision, reported as it is.
    pub minor: u8,
    /// Additional device support, see [`support`].
    pub device_support: u8,
    /// IANA number of the manufacturer, 24 bits.
    pub manufacturer: u32,
    /// Product number.
    pub product: u16,
    /// Auxiliary firmware revision.
    pub auxiliary: [u8; 4],
    /// `dynsens`: device SDRs can be reserved.
    pub dynamic_sensors: bool,
    /// `persist_sdr`: SDRs are read back at the start.
    pub persist_sdr: bool,
}

impl DeviceId {
    /// IPMI version as Get Device ID reports it: 2.0.
    const IPMI_VERSION: u8 = 0x02;

    /// Whether every bit of `mask` (see [`support`]) is set.
    pub fn supports(&self, mask: u8) -> bool {
        self.device_support & mask == mask
    }

    /// Whether there is a system event log.
    pub fn has_sel(&self) -> bool {
        self.supports(support::SEL)
    }

    /// The 15 data bytes of a Get Device ID answer, IPMI 2.0 section 20.1: id, revision
    /// with the device-SDR bit, firmware (2), IPMI version, support, manufacturer (3),
    /// product (2), auxiliary revision (4); numbers little endian.
    pub fn bytes(&self) -> [u8; 15] {
        let manufacturer = self.manufacturer.to_le_bytes();
        let product = self.product.to_le_bytes();
        [
            self.id,
            u8::from(self.has_device_sdrs) << 7 | self.revision & 0x0f,
            self.major & 0x7f,
            self.minor,
            Self::IPMI_VERSION,
            self.device_support,
            manufacturer[0],
            manufacturer[1],
            manufacturer[2],
            product[0],
            product[1],
            self.auxiliary[0],
            self.auxiliary[1],
            self.auxiliary[2],
            self.auxiliary[3],
        ]
    }
}
