//! Sockets, clocks, signals, children and consoles: the room with input and output.
//!
//! One task owns the simulator and carries out what it wants ([`driver`]); everything
//! slow or unbounded is a task of its own that talks to it through channels. All of them
//! share one thread. [`start`] is the way from the command line to the driver.

pub mod clock;
pub mod configuration;
pub mod console;
pub mod console_port;
pub mod demo;
pub mod driver;
pub mod dry_run;
pub mod lan;
pub mod lan_ports;
pub mod limits;
pub mod line_editor;
pub mod lines;
pub mod logging;
pub mod options;
pub mod pcap;
pub mod pid_file;
pub mod ping;
pub mod places;
pub mod processes;
pub mod reports;
pub mod review;
pub mod script;
pub mod service;
pub mod start;
pub mod starter;
pub mod statement;
pub mod syslog;
pub mod system;
pub mod terminal;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With this exit status.
    Status(u8),
    /// By this signal, as the original does after its shutdown work: a shell shows
    /// 128 plus the number.
    Signal(i32),
}
