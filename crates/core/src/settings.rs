//! What a user can set, as plain values: what a lan.conf says, and what a statement of the command language asks.
//!
//! Knows no text: `config` reads the languages into these values, and each keeps the place it was written at, so
//! that whoever finds out later that it is wrong can say where.

pub mod command;
pub mod fault;
pub mod fill;
pub mod follow;
pub mod model;
pub mod oem;
pub mod play;
mod span;
pub mod text;

pub use span::Span;
