//! The state files: their format, and a crash-safe directory of them.
//!
//! [`mod@format`] turns a file's bytes into named values and back and opens nothing.
//! [`users`] finds damage in the files of users. [`directory`] finds, reads and replaces the files, by way of
//! [`disk`], and [`lock`] keeps other processes out of their folder; they are the only part
//! of this room that does input and output, and only the runtime calls them. What the values mean to a
//! device is not known here.

pub mod base;
pub mod directory;
pub mod disk;
pub mod format;
pub mod lock;
pub mod users;

pub use directory::{Loaded, StateDirectory, StateDirectoryError, WriteError};
pub use lock::{FolderLock, LockError};
