//! What the tests of the whole program share: the program as a child process, real
//! clients, and stand-ins for the things around a BMC (a serial port, a virtual
//! machine, a GPIO board).
//!
//! Every scenario names its subject, so it can be pointed at ours or at the installed
//! original: develop it against the original, then hold ours to it.

// Each test program is built with all of this and uses its own part of it.
#![allow(dead_code, unused_imports)]

pub mod bench;
pub mod board;
pub mod browser;
pub mod built;
pub mod client;
pub mod config;
pub mod corpus;
pub mod door;
pub mod http;
pub mod machine;
pub mod manager;
pub mod namespace;
pub mod process;
pub mod pty;
pub mod relay;
pub mod replay;
pub mod rmcp_client;
pub mod simulator;
pub mod sol;
pub mod subject;
pub mod tshark;
pub mod vm_host;

pub use bench::Bench;
pub use client::{Freeipmi, Ipmitool, Ran, Transport};
pub use simulator::{Simulator, Stdin};
pub use subject::Subject;
