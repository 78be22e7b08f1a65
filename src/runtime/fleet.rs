//! A fleet: many BMCs in one process, from the rows of [`fleet`](crate::fleet) to systems in the loop.
//!
//! Owns the texts that they share, what is wrong with them, and how they are checked and asked. Drives nothing.

mod addresses;
pub mod again;
mod check;
pub mod create;
pub mod faults;
pub mod make;
mod ping;
pub mod start;
mod texts;
mod together;

use super::logging;
use crate::progress::Progress;

/// A bar on standard error, unless lines there are for programs.
fn progress(what: &'static str, total: usize) -> Progress {
    match logging::is_formatted() {
        true => Progress::none(),
        false => Progress::new(what, total),
    }
}
