//! The state files: their format, and a crash-safe directory of them.
