//! What a BMC can tell the machine it manages, and what a machine can do about it.

/// What the BMC tells its host over the system interface (`serial.md` section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostSignal {
    /// Attention line: off, on, or on with an interrupt.
    Attention {
        /// Some message flag is set.
        on: bool,
        /// Raise an interrupt.
        interrupt: bool,
    },
    /// Switch the power off.
    PowerOff,
    /// Reset the machine.
    Reset,
    /// Enable or disable the message interrupt.
    MessageInterrupt(bool),
    /// Non-maskable interrupt.
    Nmi,
    /// Ask the operating system to shut down.
    GracefulShutdown,
    /// Enable or disable the BMC's interface.
    Interface(bool),
}

/// Bits of what a VM host announces that it can do (`serial.md` section 5).
pub mod capability {
    /// The power can be switched off; a VM host can do that from the start.
    pub const POWER_OFF: u8 = 1 << 0;
    /// The machine can be reset.
    pub const RESET: u8 = 1 << 1;
    /// The message interrupt can be enabled and disabled.
    pub const MESSAGE_INTERRUPT: u8 = 1 << 2;
    /// A non-maskable interrupt can be raised.
    pub const NMI: u8 = 1 << 3;
    /// The attention flag is known.
    pub const ATTENTION: u8 = 1 << 4;
    /// The operating system can be asked to shut down.
    pub const GRACEFUL_SHUTDOWN: u8 = 1 << 5;
    /// The BMC's interface can be disabled.
    pub const INTERFACE: u8 = 1 << 6;
}
