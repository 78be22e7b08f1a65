//! Why an embedded BMC does not start, or does not do what it is told.

use std::fmt;
use std::io;

use crate::config::Diagnostic;

/// Why a BMC did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The text of lan.conf has errors.
    #[error("{0}")]
    Configuration(Faults),
    /// The command file has errors.
    #[error("{0}")]
    Commands(Faults),
    /// A user cannot be made.
    #[error("{0}")]
    User(String),
    /// The state folder cannot be used.
    #[error("{0}")]
    State(String),
    /// A socket, a serial port or a device cannot be opened, or there is no BMC.
    #[error("{0}")]
    Open(String),
    /// The operating system refuses a thread, a timer or random numbers.
    #[error("the operating system refuses: {0}")]
    System(#[from] io::Error),
}

/// Why not all statements of a text were carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{faults}")]
pub struct RunError {
    /// What the statements printed, those behind a faulty one as well.
    pub printed: String,
    /// What is wrong.
    pub faults: Faults,
}

/// What is wrong with a text, each with its line and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Diagnostic>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
