//! What the operating system may refuse, looked at before anything is begun: descriptors, threads,
//! the size of files. Later a refusal is one error in one place, and never the end.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use signal_hook::consts::SIGXFSZ;

use crate::host::workers;
use crate::store::directory::message;

/// Descriptors there must be room for at start: the runtime's own, which ends without them, and
/// enough to open a port, run a program and write a file.
const DESCRIPTORS: usize = 32;
/// Descriptors for everything else but state folders.
const FILES: usize = 1024;

/// From now on, a file that grows beyond the limit on its size is an error for whoever writes it
/// (EFBIG). The signal is caught and not ignored, as programs that are run would inherit that.
pub fn bear_the_size_of_files() {
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// Makes ready for whatever is refused later. What is refused already and can be done without is
/// returned, one line each, for the log.
///
/// # Errors
/// What cannot be done without; the text says which.
pub fn prepare() -> Result<Vec<String>, String> {
    let unable = |what: &str, error: &io::Error| format!("Unable to start: {what}: {}", message(error));
    if let Err(error) = take_descriptors(DESCRIPTORS) {
        let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
        return Err(match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EMFILE) => format!(
                "{}: `ulimit -n` is {limit}, and {DESCRIPTORS} more than are open must be allowed",
                unable("not enough file descriptors", &error)
            ),
            _ => unable("not enough file descriptors", &error),
        });
    }
    // Before other threads are there, which would have it delivered.
    let _ = SigSet::from(Signal::SIGHUP).thread_block();
    let mut notes = Vec::new();
    if let Err(error) = workers::start() {
        let why = message(&error);
        notes.push(format!("No thread can be started ({why}): everything waits while a file is read or written"));
    }
    Ok(notes)
}

/// A SIGHUP that came during the start is taken now: until somebody waits for it, it would end the program, where whoever sent it
/// wants it to go on.
pub fn take_sighup() {
    let _ = SigSet::from(Signal::SIGHUP).thread_unblock();
}

/// Lets so many more files be open, as far as that is allowed: each state folder that is written to is kept locked.
pub fn allow_files(count: usize) {
    let wanted = u64::try_from(count + FILES).unwrap_or(u64::MAX);
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < wanted
    {
        // What is refused is told when there are too many.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard);
    }
}

/// Tries to open so many, all at the same time.
fn take_descriptors(count: usize) -> io::Result<()> {
    (0..count).map(|_| UnixDatagram::unbound()).collect::<Result<Vec<_>, _>>().map(drop)
}
