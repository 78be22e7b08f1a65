//! The program `ipmi_sim`.
#![forbid(unsafe_code)]

fn main() {}
