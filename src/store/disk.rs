//! The operations that the replacement of a state file is made of.
//!
//! An interface and nothing more: [`RealDisk`] is the operating system, and a test can put a disk
//! that is full, broken or read-only in its place.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Permissions of state files: they hold passwords.
pub const FILE_MODE: u32 = 0o600;

/// What is done to the disk, each step with the operating system's errors. Unless it says
/// otherwise, it is the real one.
pub trait Disk: Debug + Send + Sync {
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    /// Makes a file for its owner alone. One that is there is an error, a link as well.
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
    }

    /// Writes all of `content`.
    fn write(&self, file: &mut File, content: &[u8]) -> io::Result<()> {
        file.write_all(content)
    }

    /// Waits until a file is on the disk.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    /// Gives a file another name, in place of what has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Opens a folder for [`sync_folder`](Self::sync_folder).
    fn open_folder(&self, path: &Path) -> io::Result<File> {
        File::open(path)
    }

    /// Waits until the names in a folder are on the disk.
    fn sync_folder(&self, folder: &File) -> io::Result<()> {
        folder.sync_all()
    }
}

/// The operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {}

/// Disks that fail, for tests.
#[cfg(test)]
pub(crate) mod faulty {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A disk whose operations are counted, and fail from one to another.
    #[derive(Debug)]
    pub(crate) struct FaultyDisk {
        done: AtomicUsize,
        first: AtomicUsize,
        last: AtomicUsize,
    }

    impl Default for FaultyDisk {
        fn default() -> Self {
            Self { done: 0.into(), first: usize::MAX.into(), last: 0.into() }
        }
    }

    impl FaultyDisk {
        /// From now on, operations `first` to `last` fail; the next one is 0.
        pub(crate) fn fail(&self, first: usize, last: usize) {
            self.done.store(0, Ordering::Relaxed);
            self.first.store(first, Ordering::Relaxed);
            self.last.store(last, Ordering::Relaxed);
        }

        /// Nothing fails any more.
        pub(crate) fn heal(&self) {
            self.fail(usize::MAX, 0);
        }

        /// How many operations there were since the last order.
        pub(crate) fn done(&self) -> usize {
            self.done.load(Ordering::Relaxed)
        }

        fn step(&self, code: nix::errno::Errno) -> io::Result<()> {
            let number = self.done.fetch_add(1, Ordering::Relaxed);
            let failing = (self.first.load(Ordering::Relaxed)..=self.last.load(Ordering::Relaxed)).contains(&number);
            if failing { Err(io::Error::from_raw_os_error(code as i32)) } else { Ok(()) }
        }
    }

    impl Disk for FaultyDisk {
        fn remove(&self, path: &Path) -> io::Result<()> {
            self.step(nix::errno::Errno::EROFS)?;
            RealDisk.remove(path)
        }

        fn create(&self, path: &Path) -> io::Result<File> {
            self.step(nix::errno::Errno::EROFS)?;
            RealDisk.create(path)
        }

        fn write(&self, file: &mut File, content: &[u8]) -> io::Result<()> {
            let full = self.step(nix::errno::Errno::ENOSPC);
            // A disk that gets full has taken the beginning.
            let taken = if full.is_err() { content.len() / 2 } else { content.len() };
            RealDisk.write(file, content.get(..taken).unwrap_or_default())?;
            full
        }

        fn sync(&self, file: &File) -> io::Result<()> {
            self.step(nix::errno::Errno::EIO)?;
            RealDisk.sync(file)
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.step(nix::errno::Errno::EACCES)?;
            RealDisk.rename(from, to)
        }

        fn open_folder(&self, path: &Path) -> io::Result<File> {
            self.step(nix::errno::Errno::EMFILE)?;
            RealDisk.open_folder(path)
        }

        fn sync_folder(&self, folder: &File) -> io::Result<()> {
            self.step(nix::errno::Errno::EIO)?;
            RealDisk.sync_folder(folder)
        }
    }
}
