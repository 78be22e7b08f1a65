//! A baseboard management controller (BMC) for your tests, in three lines: it answers IPMI 1.5 and 2.0 over LAN as a
//! server's BMC does, and is gone with its value.
//!
//! ```
//! use ipmi_sim::Bmc;
//!
//! let bmc = Bmc::builder().user("admin", "secret").start()?;
//! println!("ipmitool -I lanplus -H {} -p {} -U admin -P secret power on", bmc.address().ip(), bmc.address().port());
//! assert!(!bmc.power());
//! # Ok::<(), ipmi_sim::StartError>(())
//! ```
//!
//! A client under test talks to [`Bmc::address`]; the test says what the BMC shows, looks at what the client
//! did, and waits for it:
//!
//! - [`Builder`]: users, address, [state folder](Builder::state_dir); the texts of OpenIPMI's `ipmi_sim`,
//!   [`lan.conf`](Builder::lan_conf) and [`.emu`](Builder::command_file); [on a thread](Builder::start),
//!   [in your tokio runtime](Builder::start_in), or [as a value without input and output](Builder::simulator), whose
//!   time is yours.
//! - [`Bmc`]: [power](Bmc::control), [boot device](Bmc::set_boot_device), [sensors](Bmc::set_sensor_value) whose thresholds
//!   make events, [event log](Bmc::event_log), [users](Bmc::set_user), and everything else by
//!   [statements of the command language](Bmc::run).
//! - [`Events`]: power asked for, boot device set, login, console opened, record added, as an iterator or in async code.
//! - [`oem`]: [commands of your own](Builder::commands), each one row that says everything about it.
//! - [`client`]: the other end, if your test has none: logins and sessions as values, without a socket.
//!
//! The folder `examples` has programs to start from: `embed_in_a_test`, `oem_command`, `virtual_time`, `many`.
//!
//! # Features
//!
//! `program` (default): what the programs `ipmi_sim` and `sdrcomp` need besides. A library needs
//! `default-features = false`.
//!
//! # What stays
//!
//! What is shown on this page follows semantic versioning: within 0.x a change that breaks its users raises x. Enums marked
//! `non_exhaustive` get new members meanwhile. Modules that are not shown are the program's own, public for its tests
//! and benches, and change at any time. How a client sees the BMC is kept to OpenIPMI's `ipmi_sim` and to
//! `compat/DIFFERENCES.md`.

#![cfg_attr(not(test), warn(unreachable_pub))]

#[cfg(feature = "control")]
#[doc(hidden)]
pub mod clone;
#[doc(hidden)]
pub mod config;
#[cfg(feature = "control")]
#[doc(hidden)]
pub mod control;
mod embed;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod fleet;
#[doc(hidden)]
pub mod host;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod progress;
#[doc(hidden)]
pub mod runtime;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod sdrcomp;
#[cfg(feature = "control")]
#[doc(hidden)]
pub mod simctl;
#[doc(hidden)]
pub mod store;
#[cfg(test)]
mod system_tests;

#[doc(hidden)]
pub use ipmi_sim_core::{bmc, command, crypto, ipmi, lan, serial, settings, sim, sol, state, wire};

/// What commands of your own are made of, for [`Builder::commands`]; `examples/oem_command.rs` shows it.
pub mod oem {
    #[doc(inline)]
    pub use ipmi_sim_core::command::privilege::Required;
    #[doc(inline)]
    pub use ipmi_sim_core::command::{Context, Entry, Fields, Function, Gate, Handler, Outcome};
    #[doc(inline)]
    pub use ipmi_sim_core::ipmi::{CompletionCode, Nature, Request, Response};
}

#[doc(inline)]
pub use config::{Diagnostic, Severity, Span};
pub use embed::{Bmc, Builder, Events, Faults, RunError, StartError};
#[doc(inline)]
pub use host::random::SystemRandom;
pub use ipmi_sim_client as client;
#[doc(inline)]
pub use ipmi_sim_core::{
    bmc::Error,
    bmc::boot::{Boots, Device as BootDevice},
    bmc::chassis::Control,
    bmc::sensor::Threshold,
    bmc::watch::Event,
    ipmi::{ChannelNumber, LoginFailure, McAddress, Moment, Privilege, Random, UserNumber},
    sim::{
        Effect, Effects, Input, LanId, LogRecord, Pool, SensorEvent, SensorState, Simulator, ThresholdState,
        UserAccount, Work, WorkDone,
    },
};
