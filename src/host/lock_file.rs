//! Lock files of serial devices: `/var/lock/LCK..ttyS1` (`sol.md` section 8).
//!
//! Owns the file from acquiring to dropping the guard. Never waits.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// Where lock files are kept.
pub const LOCK_DIRECTORY: &str = "/var/lock";

/// The lock files this process holds. A file with our own process id that is not among
/// them was left by an earlier process with the same id, as happens in containers.
pub type Held = Arc<Mutex<HashSet<PathBuf>>>;

/// Those of this process, however many systems it simulates: they have one process id.
pub fn held() -> Held {
    static HELD: LazyLock<Held> = LazyLock::new(Held::default);
    Held::clone(&HELD)
}

/// A lock that is held.
#[derive(Debug)]
pub struct LockFile {
    path: PathBuf,
    held: Held,
}

/// Why a device is not ours.
#[derive(Debug)]
pub enum LockError {
    /// This live process has it.
    Owned(i32),
    /// There is a lock file without a process id in it.
    Unreadable,
    /// The lock directory cannot be used.
    Directory(io::Error),
}

/// Locks a device. `Ok(None)`: there is no lock directory, so there is nobody to agree with.
pub fn acquire(directory: &Path, device: &str, held: &Held) -> Result<Option<LockFile>, LockError> {
    if !directory.is_dir() {
        return Ok(None);
    }
    let name = device.rsplit('/').next().unwrap_or(device);
    let path = directory.join(format!("LCK..{name}"));
    let own = std::process::id();
    // A second round is only for a file that was removed, by us or by its owner.
    for _ in 0..2 {
        match OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path) {
            Ok(mut file) => {
                if let Err(error) = writeln!(file, "{own:>10}\tipmisim") {
                    let _ = fs::remove_file(&path);
                    return Err(LockError::Directory(error));
                }
                held.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
                return Ok(Some(LockFile { path, held: Arc::clone(held) }));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(LockError::Directory(error)),
        }
        let content = match fs::read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(LockError::Directory(error)),
        };
        let owner = owner(&content).ok_or(LockError::Unreadable)?;
        let ours = held.lock().unwrap_or_else(PoisonError::into_inner).contains(&path);
        let leftover = i64::from(owner) == i64::from(own) && !ours;
        if !leftover && kill(Pid::from_raw(owner), None) != Err(Errno::ESRCH) {
            return Err(LockError::Owned(owner));
        }
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(LockError::Directory(error));
        }
    }
    Err(LockError::Unreadable)
}

/// The process id in a lock file: four bytes are binary, everything else begins with it
/// in decimal.
fn owner(content: &[u8]) -> Option<i32> {
    let pid = match content {
        [a, b, c, d] => i32::from_ne_bytes([*a, *b, *c, *d]),
        text => std::str::from_utf8(text).ok()?.split_whitespace().next()?.parse().ok()?,
    };
    (pid > 0).then_some(pid)
}

impl Drop for LockFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_the_agreed_form_and_goes_away() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("LCK..ttyS1");
        let held = Held::default();
        let lock = acquire(directory.path(), "/dev/ttyS1", &held).unwrap().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{:>10}\tipmisim\n", std::process::id()));
        drop(lock);
        assert!(!path.exists());
    }

    #[test]
    fn a_live_owner_is_respected_and_a_dead_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("LCK..x");
        let held = Held::default();
        fs::write(&path, "         1\tminicom root\n").unwrap();
        assert!(matches!(acquire(directory.path(), "/dev/x", &held), Err(LockError::Owned(1))));
        // Above the kernel's largest process id.
        fs::write(&path, "   4999999\tminicom root\n").unwrap();
        assert!(acquire(directory.path(), "/dev/x", &held).unwrap().is_some());
    }

    #[test]
    fn binary_files_are_understood_and_nonsense_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("LCK..x");
        let held = Held::default();
        fs::write(&path, 1i32.to_ne_bytes()).unwrap();
        assert!(matches!(acquire(directory.path(), "x", &held), Err(LockError::Owned(1))));
        fs::write(&path, "nobody knows").unwrap();
        assert!(matches!(acquire(directory.path(), "x", &held), Err(LockError::Unreadable)));
        assert!(path.exists());
    }

    #[test]
    fn a_file_of_an_earlier_life_with_our_process_id_is_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let held = Held::default();
        fs::write(directory.path().join("LCK..x"), format!("{}\n", std::process::id())).unwrap();
        let lock = acquire(directory.path(), "x", &held).unwrap().unwrap();
        let second = acquire(directory.path(), "x", &held).unwrap_err();
        assert!(matches!(second, LockError::Owned(pid) if pid as u32 == std::process::id()));
        drop(lock);
        assert!(acquire(directory.path(), "x", &held).unwrap().is_some());
    }

    #[test]
    fn without_a_lock_directory_there_is_no_lock() {
        let held = Held::default();
        assert!(acquire(Path::new("/nonexistent/lock"), "x", &held).unwrap().is_none());
    }
}
