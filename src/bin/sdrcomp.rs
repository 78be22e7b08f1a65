//! The program `sdrcomp`: the SDR compiler. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    let (out, err) = (std::io::stdout(), std::io::stderr());
    ExitCode::from(ipmi_sim::sdrcomp::program::run(std::env::args_os(), &mut out.lock(), &mut err.lock()))
}
