//! The program `ipmi_sim`: options, logging, and how it ends. Everything else is in the
//! library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use ipmi_sim::runtime::driver::LIFE;
use ipmi_sim::runtime::options::Options;
use ipmi_sim::runtime::{Ending, start};
use log::LevelFilter;

fn main() -> ExitCode {
    let options = Options::from_command_line();
    start_log(&options);
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

/// The log on standard error. With a console on standard output the log is shown there,
/// so that it is only written here on demand.
fn start_log(options: &Options) {
    let level = match (options.debug, options.nostdio) {
        (1.., _) => LevelFilter::Debug,
        (0, true) => LevelFilter::Warn,
        (0, false) => LevelFilter::Off,
    };
    let mut log = env_logger::Builder::new();
    if level == LevelFilter::Warn && std::env::var_os("RUST_LOG").is_none() {
        log.filter_module(LIFE, LevelFilter::Info);
    }
    // What the library for serial ports tells of its system calls is nobody's business.
    log.filter_level(level).filter_module("mio_serial", level.min(LevelFilter::Warn)).parse_default_env().init();
}
