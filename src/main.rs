//! The program `ipmi_sim`: options, logging, and how it ends. Everything else is in the
//! library.

use std::process::ExitCode;

use ipmi_sim::runtime::options::Options;
use ipmi_sim::runtime::{Ending, logging, start};

fn main() -> ExitCode {
    let options = Options::from_command_line();
    logging::start(&options);
    match start::run(&options) {
        Ending::Status(status) => ExitCode::from(status),
        // The first process of a container cannot die by a signal; this is what its shell would say.
        Ending::Signal(signal) if std::process::id() == 1 => ExitCode::from(u8::try_from(128 + signal).unwrap_or(1)),
        Ending::Signal(signal) => {
            // Comes back only if the signal cannot be sent.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
            ExitCode::FAILURE
        }
    }
}
