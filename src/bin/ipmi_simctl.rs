//! The program `ipmi_simctl`: the control door of a running `ipmi_sim`, by hand. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ipmi_sim::simctl::completion::answer_shell();
    let (out, err) = (std::io::stdout(), std::io::stderr());
    ExitCode::from(ipmi_sim::simctl::run(std::env::args_os(), &mut out.lock(), &mut err.lock()))
}
