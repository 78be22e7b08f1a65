//! A load generator for BMCs, and the comparison of this program with the original.
//!
//! Measures: what it finds are figures, or an error when somebody does not answer. Only [`fleet`] holds its figures
//! against bars.
//! The folder is the program `ipmi_sim-bench` of the workspace, and by its path a module of the test
//! that keeps it working.

pub mod compare;
pub mod connection;
pub mod echo;
pub mod fleet;
pub mod flood;
pub mod load;
pub mod logins;
pub mod process;
pub mod sol;
pub mod start;
pub mod table;

/// Any error, for a person to read.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
