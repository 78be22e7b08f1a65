//! `--pid-file`: who runs, for scripts.
//!
//! The file appears with its content in one step, under a lock that lasts as long as the
//! process, so a second start is refused however the first one ended and whoever has its process
//! id now. It is removed at the end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use crate::store::directory::message;

/// Permissions of the file, less the umask: anybody may know.
const MODE: u32 = 0o644;
/// How often somebody else may be quicker before it is given up.
const ATTEMPTS: u32 = 10;

/// A pid file of this process; dropping it removes it.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    lock: Lock,
}

/// A file under a lock, or of a file system that knows none: then the process id alone decides.
#[derive(Debug)]
enum Lock {
    Held(Flock<File>),
    Unknown(File),
}

impl Lock {
    /// `None`: another process has it.
    fn take(file: File) -> Option<Self> {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Some(Self::Held(lock)),
            Err((_, Errno::EWOULDBLOCK)) => None,
            Err((file, _)) => Some(Self::Unknown(file)),
        }
    }

    fn file(&self) -> &File {
        match self {
            Self::Held(lock) => lock,
            Self::Unknown(file) => file,
        }
    }
}

impl PidFile {
    /// Writes the file.
    ///
    /// # Errors
    /// Another process runs with it, or it cannot be written. The text says which.
    pub fn write(path: &Path) -> Result<Self, String> {
        let trouble =
            |error: io::Error| format!("Unable to write the pid file {}: {}", path.display(), message(&error));
        for _ in 0..ATTEMPTS {
            // Kept until the new file stands in its place.
            let old = match open(path) {
                Ok(file) => Some(take_over(path, file)?),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(trouble(error)),
            };
            if old.as_ref().is_some_and(|old| !stands_at(old.file(), path)) {
                continue;
            }
            match Self::put(path, old.is_some()) {
                Ok(file) => return Ok(file),
                // Somebody was quicker.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(trouble(error)),
            }
        }
        Err(trouble(io::Error::other("other programs write it all the time")))
    }

    /// Makes the file beside its place and moves it there, over an old one or only if there is
    /// none.
    fn put(path: &Path, replace: bool) -> io::Result<Self> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(beside);
        // Left over by a process that had this id before.
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&beside)?;
        let placed = writeln!(file, "{}", std::process::id()).and_then(|()| {
            let lock = Lock::take(file).ok_or(io::ErrorKind::AlreadyExists)?;
            if replace {
                fs::rename(&beside, path)?;
            } else {
                fs::hard_link(&beside, path)?;
            }
            Ok(Self { path: path.to_owned(), lock })
        });
        if !replace || placed.is_err() {
            let _ = fs::remove_file(&beside);
        }
        placed
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Not somebody else's.
        if stands_at(self.lock.file(), &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens a file that is there. A pipe is not waited for, and nothing that is no file is put aside for
/// another: it may be a device.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

/// Takes the lock of a file that nobody needs any more.
fn take_over(path: &Path, mut file: File) -> Result<Lock, String> {
    let mut text = String::new();
    // What is no text is nobody's process id.
    let _ = (&mut file).take(32).read_to_string(&mut text);
    let pid = text.trim().parse::<u32>().ok();
    let running = || {
        let who = pid.map_or("another process".into(), |pid| format!("process {pid}"));
        format!("ipmi_sim is already running as {who}, says {}", path.display())
    };
    let lock = Lock::take(file).ok_or_else(running)?;
    // A file that a script wrote has no lock.
    match pid.filter(|pid| *pid != std::process::id() && is_a_simulator(*pid)) {
        Some(_) => Err(running()),
        None => Ok(lock),
    }
}

/// Whether this process is an `ipmi_sim`, as far as the system says.
fn is_a_simulator(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == "ipmi_sim")
}

/// Whether this open file is the one at `path`.
fn stands_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn it_holds_the_process_id_while_it_is_there() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pid");
        let file = PidFile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        assert_eq!(names(root.path()), ["pid"]);
        drop(file);
        assert_eq!(names(root.path()), [""; 0]);
    }

    #[test]
    fn a_second_one_is_refused_and_a_stale_one_is_overcome() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pid");
        let first = PidFile::write(&path).unwrap();
        let refused = PidFile::write(&path).unwrap_err();
        assert!(refused.starts_with(&format!("ipmi_sim is already running as process {}", std::process::id())));
        assert!(path.exists());
        drop(first);
        // Of a process that is gone, of one that is something else, empty, and nonsense.
        for stale in ["4194305\n", "1\n", "", "dance\n", "\u{fffd}"] {
            fs::write(&path, stale).unwrap();
            let file = PidFile::write(&path).unwrap_or_else(|text| panic!("{stale:?}: {text}"));
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
            drop(file);
            assert_eq!(names(root.path()), [""; 0]);
        }
    }

    #[test]
    fn what_others_put_there_meanwhile_stays() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pid");
        let file = PidFile::write(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "7\n").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "7\n");
    }

    #[test]
    fn what_is_no_file_is_neither_waited_for_nor_replaced() {
        let root = tempfile::tempdir().unwrap();
        let pipe = root.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let link = root.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        for path in [&pipe, &link, root.path(), Path::new("/dev/null"), Path::new("/dev/tty0")] {
            let text = PidFile::write(path).unwrap_err();
            assert!(text.starts_with(&format!("Unable to write the pid file {}: ", path.display())), "{text}");
        }
        assert_eq!(names(root.path()).len(), 2);
        assert!(fs::metadata("/dev/null").unwrap().rdev() != 0);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let text = PidFile::write(Path::new("/dev/null/pid")).unwrap_err();
        assert_eq!(text, "Unable to write the pid file /dev/null/pid: Not a directory");
    }
}
