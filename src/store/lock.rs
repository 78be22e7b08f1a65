//! One process for each state folder: two would take each other's users and events away.
//!
//! A file `lock` in the folder, locked with `flock(2)` for as long as the process lives, however it
//! ends, with its process id in it for whoever comes second. The original does not look at it, and
//! programs that are run do not inherit it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use super::directory::message;

/// The name of the file.
pub const LOCK_FILE: &str = "lock";
/// Permissions of the file, less the umask: anybody may know.
const MODE: u32 = 0o644;
/// How often the file may vanish before it is given up.
const ATTEMPTS: u32 = 10;

/// The folder is ours. Dropping it gives the folder back and removes the file.
#[derive(Debug)]
pub struct FolderLock {
    path: PathBuf,
    lock: Flock<File>,
}

/// Why the folder is not locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{} is used by another ipmi_sim{}: two would lose each other's users and events", .folder.display(), process(.pid))]
    Held {
        /// The folder.
        folder: PathBuf,
        /// The process, where it says which.
        pid: Option<u32>,
    },
    /// It cannot be locked at all: a file system that knows no locks, or a folder that cannot be
    /// written.
    #[error("{} cannot be locked: {}; take care that no other process uses it", .folder.display(), message(.source))]
    Unable {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

fn process(pid: &Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(", process {pid}"))
}

impl FolderLock {
    /// Locks a folder for this process.
    ///
    /// # Errors
    /// Another process has it, or nobody can have it.
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let unable = |source| LockError::Unable { folder: folder.into(), source };
        let path = folder.join(LOCK_FILE);
        for _ in 0..ATTEMPTS {
            let file = open(&path).map_err(unable)?;
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                // Its owner removed it meanwhile: whoever comes next would lock another.
                Ok(lock) if !stands_at(&lock, &path) => {}
                Ok(lock) => {
                    // Whoever cannot read it is told less.
                    let text = format!("{}\n", std::process::id());
                    let _ =
                        for_writing(&path).and_then(|mut file| file.set_len(0).and(file.write_all(text.as_bytes())));
                    return Ok(Self { path, lock });
                }
                Err((mut file, Errno::EWOULDBLOCK)) => {
                    let mut text = String::new();
                    let _ = (&mut file).take(32).read_to_string(&mut text);
                    return Err(LockError::Held { folder: folder.into(), pid: text.trim().parse().ok() });
                }
                Err((_, errno)) => return Err(unable(errno.into())),
            }
        }
        Err(unable(io::Error::other("other programs make and remove it all the time")))
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Removed while it is locked, so that nobody takes it for free in between.
        if stands_at(&self.lock, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens the file, and makes it where it is not there. For reading alone: a file that is open for
/// writing would keep an administrator from making the disk read-only.
fn open(path: &Path) -> io::Result<File> {
    let for_reading = || OpenOptions::new().read(true).custom_flags(flags()).open(path);
    let file = for_reading().or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => for_writing(path).and_then(|_| for_reading()),
        _ => Err(error),
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("lock is no regular file")) }
}

/// The same for writing, for a moment.
fn for_writing(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).custom_flags(flags()).open(path)
}

/// What is planted at the place of the file is neither followed nor waited for.
fn flags() -> i32 {
    (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits()
}

/// Whether this open file is the one at `path`.
fn stands_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_and_free_again_afterwards() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path();
        let lock = FolderLock::take(folder).unwrap();
        let second = FolderLock::take(folder).unwrap_err();
        assert!(matches!(second, LockError::Held { pid: Some(pid), .. } if pid == std::process::id()), "{second}");
        let text = format!(
            "{} is used by another ipmi_sim, process {}: two would lose each other's users and events",
            folder.display(),
            std::process::id()
        );
        assert_eq!(second.to_string(), text);
        drop(lock);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
        drop(FolderLock::take(folder).unwrap());
    }

    #[test]
    fn what_a_crash_left_is_in_nobodys_way() {
        let place = tempfile::tempdir().unwrap();
        for leftover in ["1\n", "", "a longer text that is no process id, and not even short\n"] {
            fs::write(place.path().join(LOCK_FILE), leftover).unwrap();
            let lock = FolderLock::take(place.path()).unwrap();
            assert_eq!(fs::read_to_string(place.path().join(LOCK_FILE)).unwrap(), format!("{}\n", std::process::id()));
            drop(lock);
        }
    }

    #[test]
    fn what_is_planted_there_is_neither_followed_nor_waited_for() {
        let place = tempfile::tempdir().unwrap();
        let (lock, elsewhere) = (place.path().join(LOCK_FILE), place.path().join("elsewhere"));
        fs::write(&elsewhere, "precious").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &lock).unwrap();
        assert!(matches!(FolderLock::take(place.path()), Err(LockError::Unable { .. })));
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "precious");
        fs::remove_file(&lock).unwrap();
        nix::unistd::mkfifo(&lock, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let text = FolderLock::take(place.path()).unwrap_err().to_string();
        assert!(text.contains("lock is no regular file"), "{text}");
        assert!(FolderLock::take(&place.path().join("nowhere")).is_err());
    }
}
