//! Everything outside: helper programs, the start command, serial ports.

pub mod program;
