//! The SDR compiler: text about sensors, entities and devices in, sensor data records out
//! (`sdrcomp.md`), and back again.
//!
//! Owns the language and the layout of records. Knows only `config` (words, numbers, strings,
//! diagnostics) and `store::format` (the file it writes). Only [`program`] opens files.

pub mod compile;
pub mod decompile;
pub mod fields;
pub mod id_string;
pub mod names;
pub mod program;
mod record;
mod value;
