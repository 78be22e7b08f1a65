//! The state folders of many systems below one base: which of them are there, found out once, and folders that are made and
//! locked when something is written to them first.
//!
//! A system that has changed nothing has no folder, no lock and no open file.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::directory::{Loaded, StateDirectory, WriteError, as_far_as_it_goes};
use super::{FolderLock, LockError};

/// The part of the path between a base and the folder of a system.
const PROGRAM: &str = "ipmi_sim";

/// How long a system of this process that ends may have its folder,
const LAST_WRITES: Duration = Duration::from_secs(2);
/// and how often that is looked at.
const PAUSE: Duration = Duration::from_millis(10);

/// Where the state of a fleet is kept, and which of its systems have state.
#[derive(Clone, Debug)]
pub struct Base {
    path: Arc<Path>,
    /// Names of folders in `BASE/ipmi_sim` and in `BASE`, where published instructions put them.
    names: HashSet<String>,
}

impl Base {
    /// Looks which folders there are. Nothing is made.
    ///
    /// # Errors
    /// A folder that is there cannot be read, in one line.
    pub fn open(path: &Path) -> Result<Self, String> {
        let mut names = HashSet::new();
        for folder in [path.to_owned(), path.join(PROGRAM)] {
            match folders(&folder, &mut names) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let why = super::directory::message(&error);
                    return Err(format!("Unable to initialize persistence: {}: {why}", folder.display()));
                }
                _ => {}
            }
        }
        Ok(Self { path: path.into(), names })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a system may have state. Its name is that of one folder.
    pub fn may_have(&self, name: &str) -> bool {
        self.names.contains(name) || name.contains('/')
    }

    /// The folder of a system, and what is in it.
    ///
    /// # Errors
    /// Another process has it, or it cannot be used, in one line.
    pub fn folder(&self, name: &str) -> Result<(Folder, Loaded), String> {
        let folder = Folder { base: Arc::clone(&self.path), name: name.into(), open: Mutex::new(None) };
        if !self.may_have(name) {
            return Ok((folder, Loaded::default()));
        }
        let mut notes = Vec::new();
        let start = Instant::now();
        let open = loop {
            match Open::new(&self.path, name, &mut notes) {
                Ok(open) => break open,
                // A system of this process that ends, and of which something is being written.
                Err(Unopened::HeldHere(_)) if start.elapsed() < LAST_WRITES => thread::sleep(PAUSE),
                Err(unopened) => {
                    let why = super::directory::message(&unopened.into());
                    return Err(format!("Unable to initialize persistence: {why}"));
                }
            }
        };
        let mut loaded = open.directory.load_all();
        notes.append(&mut loaded.notes);
        *folder.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(open));
        Ok((folder, Loaded { notes, ..loaded }))
    }
}

fn folders(path: &Path, names: &mut HashSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        if let Ok(name) = entry?.file_name().into_string() {
            names.insert(name);
        }
    }
    Ok(())
}

/// The state folder of one system, made and locked at its first write.
#[derive(Debug)]
pub struct Folder {
    base: Arc<Path>,
    name: Box<str>,
    open: Mutex<Option<Arc<Open>>>,
}

/// A folder that is there and ours.
#[derive(Debug)]
struct Open {
    directory: StateDirectory,
    /// Kept for as long as the folder is.
    _lock: Option<FolderLock>,
}

/// Why a folder is not ours.
enum Unopened {
    /// This process has it, in these words.
    HeldHere(String),
    Else(io::Error),
}

impl From<io::Error> for Unopened {
    fn from(error: io::Error) -> Self {
        Self::Else(error)
    }
}

impl From<Unopened> for io::Error {
    fn from(unopened: Unopened) -> Self {
        match unopened {
            Unopened::HeldHere(text) => Self::other(text),
            Unopened::Else(error) => error,
        }
    }
}

impl Open {
    fn new(base: &Path, name: &str, notes: &mut Vec<String>) -> Result<Self, Unopened> {
        let place = StateDirectory::place(base, name);
        let is_new = !place.is_dir();
        let directory = StateDirectory::open(base, name).map_err(|error| {
            io::Error::new(error.source.kind(), format!("{}: {}", error.path.display(), error.source))
        })?;
        if is_new {
            // Its name is on the disk before anything in it is acknowledged.
            for folder in place.ancestors().skip(1).take_while(|folder| folder.starts_with(base) && *folder != base) {
                as_far_as_it_goes(File::open(folder)?.sync_all())?;
            }
        }
        let lock = match FolderLock::take(directory.path()) {
            Ok(lock) => Some(lock),
            Err(held @ LockError::Held { pid: Some(pid), .. }) if pid == std::process::id() => {
                return Err(Unopened::HeldHere(held.to_string()));
            }
            Err(held @ LockError::Held { .. }) => return Err(io::Error::other(held.to_string()).into()),
            Err(unable) => {
                notes.push(unable.to_string());
                None
            }
        };
        Ok(Self { directory, _lock: lock })
    }
}

impl Folder {
    /// Where it is, or will be.
    pub fn place(&self) -> PathBuf {
        StateDirectory::place(&self.base, &self.name)
    }

    /// Replaces a state file, as [`StateDirectory::write`] does.
    ///
    /// # Errors
    /// As there; or the folder cannot be made, or another process has it.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), WriteError> {
        self.opened()?.directory.write(name, content)
    }

    /// The folder, made if it is not there.
    fn opened(&self) -> Result<Arc<Open>, WriteError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*open {
            return Ok(Arc::clone(open));
        }
        let mut notes = Vec::new();
        let made = Open::new(&self.base, &self.name, &mut notes).map_err(|why| WriteError::Untouched(why.into()))?;
        notes.iter().for_each(|note| log::warn!("{note}"));
        Ok(Arc::clone(open.insert(Arc::new(made))))
    }

    /// Reads the state files of settings, as [`StateDirectory::read_settings`] does; none, where there is no folder.
    ///
    /// # Errors
    /// As there.
    pub fn read_settings(&self) -> Result<BTreeMap<String, Vec<u8>>, String> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).clone();
        open.map_or_else(|| Ok(BTreeMap::new()), |open| open.directory.read_settings())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_is_made_when_something_is_written() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("not/yet");
        let base = Base::open(&path).unwrap();
        let (folder, loaded) = base.folder("n1").unwrap();
        assert_eq!(loaded, Loaded::default());
        assert_eq!(folder.read_settings(), Ok(BTreeMap::new()));
        assert!(!path.exists());
        folder.write("sol.mc20", b"enabled:i:1\n").unwrap();
        assert_eq!(names(&path.join("ipmi_sim")), ["n1"]);
        assert_eq!(names(&folder.place()), ["lock", "sol.mc20"]);
        assert_eq!(folder.read_settings().unwrap().into_keys().collect::<Vec<_>>(), ["sol.mc20"]);
        drop(folder);
        assert_eq!(names(&path.join("ipmi_sim/n1")), ["sol.mc20"]);
    }

    #[test]
    fn what_is_there_is_read_and_kept_from_others() {
        let root = tempfile::tempdir().unwrap();
        for place in ["ipmi_sim/n1", "n2"] {
            fs::create_dir_all(root.path().join(place)).unwrap();
            fs::write(root.path().join(place).join("sol.mc20"), "enabled:i:1\n").unwrap();
        }
        let base = Base::open(root.path()).unwrap();
        let (one, loaded) = base.folder("n1").unwrap();
        assert_eq!(loaded.files.into_keys().collect::<Vec<_>>(), ["sol.mc20"]);
        let (_two, loaded) = base.folder("n2").unwrap();
        assert_eq!((loaded.files.len(), loaded.notes.len()), (1, 1));
        let held = Base::open(root.path()).unwrap().folder("n1").unwrap_err();
        assert!(held.contains("is used by another ipmi_sim"), "{held}");
        drop(one);
        assert!(base.folder("n1").is_ok());
    }

    #[test]
    fn two_that_begin_to_write_are_told() {
        let root = tempfile::tempdir().unwrap();
        let base = Base::open(root.path()).unwrap();
        let (one, two) = (base.folder("n1").unwrap().0, base.folder("n1").unwrap().0);
        one.write("sol.mc20", b"enabled:i:1\n").unwrap();
        let refused = two.write("sol.mc20", b"enabled:i:0\n").unwrap_err().to_string();
        assert!(refused.contains("is used by another ipmi_sim"), "{refused}");
        drop(one);
        two.write("sol.mc20", b"enabled:i:0\n").unwrap();
    }

    #[test]
    fn a_base_that_is_no_folder_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = Base::open(file.path()).unwrap_err();
        assert!(text.ends_with(": Not a directory"), "{text}");
    }
}
