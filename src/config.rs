//! The languages a user writes: lan.conf and the command language, from text to values.
//!
//! Knows no other room and opens no file: text comes in with its name, values come out
//! with the place they were written at, and every fault is a [`Diagnostic`] that names
//! file, line and column and says what was expected.
//!
//! Text is bytes. How bytes that are not UTF-8 survive is told in [`text`].

pub(crate) mod arguments;
pub mod command;
#[cfg(test)]
mod corpus;
pub mod csv;
pub mod diagnostic;
pub(crate) mod grammar;
pub mod help;
pub mod lan_conf;
pub(crate) mod number;
pub(crate) mod play;
pub(crate) mod records;
mod script;
pub(crate) mod suggest;
pub mod text;
mod words;

pub use crate::settings::Span;
pub use diagnostic::{Diagnostic, Severity};
