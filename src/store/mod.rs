//! The state files: their format, and a crash-safe directory of them.
//!
//! [`mod@format`] turns a file's bytes into named values and back and opens nothing.
//! [`directory`] finds, reads and replaces the files; it is the only part of this room
//! that does input and output, and only the runtime calls it. What the values mean to a
//! device is not known here.

pub mod directory;
pub mod format;

pub use directory::{Loaded, StateDirectory, StateDirectoryError};
pub use format::{Dropped, Item, Items, Value};
