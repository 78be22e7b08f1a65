//! Sockets, clocks, signals, children and consoles: the room with input and output.
//!
//! One task owns all systems and carries out what they want ([`driver`]); everything
//! slow or unbounded is a task of its own that talks to it through channels. All of them
//! share one thread. [`start`] is the way from the command line to the driver.

pub mod clock;
pub mod configuration;
#[cfg(feature = "program")]
pub mod console;
#[cfg(feature = "program")]
pub mod console_port;
pub mod demo;
#[cfg(feature = "program")]
pub mod door;
#[cfg(feature = "program")]
pub mod driver;
#[cfg(feature = "program")]
pub mod dry_run;
#[cfg(feature = "program")]
pub mod fleet;
pub mod lan;
#[cfg(feature = "program")]
pub mod lan_ports;
#[cfg(feature = "program")]
pub mod limits;
#[cfg(feature = "program")]
pub mod line_editor;
pub mod lines;
pub mod log_text;
#[cfg(feature = "program")]
pub mod logging;
#[cfg(feature = "program")]
pub mod options;
#[cfg(feature = "program")]
pub mod pcap;
#[cfg(feature = "program")]
pub mod pid_file;
#[cfg(feature = "program")]
pub mod ping;
#[cfg(feature = "program")]
pub mod places;
pub mod processes;
#[cfg(feature = "program")]
pub mod ready;
pub(crate) mod recordings;
#[cfg(feature = "program")]
pub mod reports;
#[cfg(feature = "program")]
pub mod review;
pub mod script;
pub(crate) mod seat;
#[cfg(feature = "program")]
pub mod service;
#[cfg(feature = "program")]
mod serving;
#[cfg(feature = "program")]
pub mod start;
#[cfg(feature = "program")]
pub mod starter;
pub mod statement;
#[cfg(feature = "program")]
pub mod syslog;
pub mod tables;
#[cfg(feature = "program")]
pub mod terminal;
#[cfg(feature = "program")]
pub mod timers;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With this exit status.
    Status(u8),
    /// By this signal, as the original does after its shutdown work: a shell shows
    /// 128 plus the number.
    Signal(i32),
}
