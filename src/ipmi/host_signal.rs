//! What a BMC can tell the machine it manages.

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
