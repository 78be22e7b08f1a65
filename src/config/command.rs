//! The command language of command files and consoles: statements to [`Instruction`]s.
//!
//! How a file is cut into statements is in `script.rs`, the forms of the commands are in
//! `grammar/command.pest`, how they become commands is in `command/read.rs`, how their words become values in `command/words.rs`.

pub mod fault;
mod fill;
mod follow;
mod fru_text;
mod oem;
mod read;
mod sensor_add;
mod words;

pub use super::help::COMMANDS as HELP;
pub use super::script::{Statement, statements};
use crate::ipmi::McAddress;
pub use crate::settings::command::{Command, SensorAddress, SensorDependency, SensorPoll, Variables};
use crate::settings::fill::Pace;
pub(super) use read::read;

/// What one statement asks for: something of the system, or of whoever reads the statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// What the system carries out.
    System(Command),
    /// `include STRING`, `read_cmds STRING`: read the statements of this file.
    Include {
        /// As written.
        path: String,
    },
    /// `sel_fill ... file STRING`: have an event log fill from this file.
    SelFillFile {
        /// IPMB address of its controller.
        mc: McAddress,
        /// How fast.
        pace: Pace,
        /// The file, as written.
        path: String,
    },
    /// `sleep N`: wait before the next statement.
    Sleep {
        /// How long, in milliseconds.
        milliseconds: u32,
    },
    /// `help`: ours, lists the commands.
    Help {
        /// The command it is about, or how the commands begin; all of them without it.
        about: Option<String>,
    },
    /// `noecho`: consoles only.
    NoEcho,
    /// `bmc`: ours, chooses the BMC of a fleet that a console talks to.
    Bmc {
        /// Its name; nothing shows which it is.
        name: String,
    },
    /// `bmcs`: ours, lists the BMCs of a fleet.
    Bmcs {
        /// What their names have in them.
        about: String,
    },
    /// `quit`
    Quit,
}

#[cfg(test)]
mod tests;
