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
pub mod progress;
pub mod start;
mod texts;
mod together;
