//! The directory of state files: finding, reading and replacing them
//! (`persistence.md` sections 1, 2 and 6).
//!
//! Owns the folder `BASE/ipmi_sim/NAME`, the list of file names that may stand in it, and
//! the promise that a file is either the old one or the new one, never half of one. It
//! calls the operating system and may block, so the runtime calls it away from its loop.
//! It does not know what the files mean.
//!
//! **Nothing found in the folder stops the start.** A file that cannot be read, is empty or
//! no state file is renamed to say so and reported; of a file with a torn end or damaged lines
//! the rest is used, after a copy of it was kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::disk::{Disk, RealDisk};
use super::format::parse;
use super::users;
use crate::state::GUID_FILE;

/// Permissions of new folders, less the umask.
const FOLDER_MODE: u32 = 0o755;
/// A larger file is no state file of ours: a full SEL needs less than 5 MB.
const FILE_LIMIT: u64 = 64 << 20;
/// Behind the name of a file that is being written.
const TEMPORARY: &str = ".tmp";

/// The folder of one simulator's state files.
#[derive(Clone, Debug)]
pub struct StateDirectory {
    /// Where the original keeps them, and where everything is written.
    path: PathBuf,
    /// Where published instructions put them; only read, and only for what `path` lacks.
    published: Option<PathBuf>,
    disk: Arc<dyn Disk>,
}

/// A state file could not be replaced durably.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The old file is as it was.
    #[error("{}", message(.0))]
    Untouched(io::Error),
    /// The new file is there, but a loss of power may bring the old one back.
    #[error("{}", message(.0))]
    NotDurable(io::Error),
}

/// What was found at start.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The state files by name (`users.mc20`, `sel.20`, ...) with their content.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What was odd, one line each, for the log.
    pub notes: Vec<String>,
}

/// The folder cannot be used, which ends the start.
#[derive(Debug, thiserror::Error)]
#[error("Unable to initialize persistence: {}: {}", .path.display(), message(.source))]
pub struct StateDirectoryError {
    /// The folder that is missing or no folder.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

impl StateDirectory {
    /// Opens `base/ipmi_sim/name`, making every folder of it that is missing.
    ///
    /// `base` is used as written: a relative path counts from the working directory at
    /// the time of each access. `name` may hold `/` and then names nested folders.
    pub fn open(base: impl AsRef<Path>, name: &str) -> Result<Self, StateDirectoryError> {
        let base = base.as_ref();
        let path = Self::place(base, name);
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(&path)
            .map_err(|source| StateDirectoryError { path: path.clone(), source })?;
        let published = below(base.to_path_buf(), name);
        let published = (published != base).then_some(published);
        Ok(Self { path, published, disk: Arc::new(RealDisk) })
    }

    /// Where [`open`](Self::open) keeps the files.
    pub fn place(base: impl AsRef<Path>, name: &str) -> PathBuf {
        below(base.as_ref().join("ipmi_sim"), name)
    }

    /// The folder that a state file is read from.
    pub fn folder_of(base: impl AsRef<Path>, name: &str, file: &str) -> PathBuf {
        let place = Self::place(&base, name);
        let published = below(base.as_ref().to_path_buf(), name);
        if !place.join(file).exists() && published.join(file).exists() { published } else { place }
    }

    /// The same on another disk.
    pub fn on(self, disk: Arc<dyn Disk>) -> Self {
        Self { disk, ..self }
    }

    /// Where the files are written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads every state file.
    ///
    /// A file that only exists in `base/name` is read from there and left there. What a
    /// crash left half written is removed.
    pub fn load_all(&self) -> Loaded {
        let mut loaded = Loaded::default();
        for name in known_names(&self.path, &mut loaded.notes) {
            if let Some(content) = self.load(&name, &mut loaded.notes) {
                loaded.files.insert(name, content);
            }
        }
        if let Some(published) = self.published.as_deref().filter(|path| path.is_dir()) {
            for name in known_names(published, &mut loaded.notes) {
                // Also not when it was set aside a moment ago: the published file is the
                // next best then, and nothing has replaced it yet.
                if loaded.files.contains_key(&name) || name.ends_with(TEMPORARY) {
                    continue;
                }
                let path = published.join(&name);
                match read(&path).and_then(|content| recognise(content, &name)) {
                    Ok(content) => {
                        loaded.notes.push(format!(
                            "{} is used; changes are written to {}",
                            path.display(),
                            self.path.join(&name).display()
                        ));
                        loaded.files.insert(name, content);
                    }
                    Err(error) => {
                        loaded.notes.push(format!("{}: {}; it is left alone", path.display(), message(&error)));
                    }
                }
            }
        }
        loaded
    }

    /// Reads the state files of settings (users, SOL, LAN channels) of a program that runs. It
    /// may be writing others at the same time, so nothing is removed or set aside here.
    ///
    /// # Errors
    /// A file that cannot be read or is no state file; the text says which.
    pub fn read_settings(&self) -> Result<BTreeMap<String, Vec<u8>>, String> {
        let mut files = BTreeMap::new();
        for folder in [self.published.as_deref().filter(|path| path.is_dir()), Some(&self.path)].into_iter().flatten() {
            let mut notes = Vec::new();
            for name in known_names(folder, &mut notes) {
                let settings = ["users.", "sol.", "lanparm."].iter().any(|kind| name.starts_with(kind));
                if !settings || name.ends_with(TEMPORARY) {
                    continue;
                }
                let path = folder.join(&name);
                match read(&path).and_then(|content| recognise(content, &name)) {
                    // Our own folder comes last and counts.
                    Ok(content) => drop(files.insert(name, content)),
                    // What is only published and no use was left alone at start as well.
                    Err(_) if folder != self.path => {}
                    Err(error) => return Err(format!("{}: {}", path.display(), message(&error))),
                }
            }
            if let Some(note) = notes.pop() {
                return Err(note);
            }
        }
        Ok(files)
    }

    /// Replaces a state file: after this returns the new content survives a crash and a loss of
    /// power. The error says which of the two there is.
    ///
    /// `name` must be one a state file can have, so that nothing else can be overwritten.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), WriteError> {
        if !is_state_file(name) {
            return Err(WriteError::Untouched(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{name:?} is not the name of a state file"),
            )));
        }
        let temporary = self.path.join(format!("{name}{TEMPORARY}"));
        // Whatever can be refused is asked for before the old file is gone.
        let replaced = self.write_temporary(&temporary, content).and_then(|()| {
            let folder = self.disk.open_folder(&self.path)?;
            self.disk.rename(&temporary, &self.path.join(name))?;
            Ok(folder)
        });
        match replaced {
            // The rename itself is only durable once the folder is.
            Ok(folder) => as_far_as_it_goes(self.disk.sync_folder(&folder)).map_err(WriteError::NotDurable),
            Err(error) => {
                // If even this fails, the next start removes it.
                let _ = self.disk.remove(&temporary);
                Err(WriteError::Untouched(error))
            }
        }
    }

    fn write_temporary(&self, temporary: &Path, content: &[u8]) -> io::Result<()> {
        // A leftover, or something planted there, must not be written through.
        match self.disk.remove(temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = self.disk.create(temporary)?;
        self.disk.write(&mut file, content)?;
        as_far_as_it_goes(self.disk.sync(&file))
    }

    /// Reads one file of our own folder, sets it aside if it is no use.
    fn load(&self, name: &str, notes: &mut Vec<String>) -> Option<Vec<u8>> {
        let path = self.path.join(name);
        if let Some(of) = name.strip_suffix(TEMPORARY) {
            let what = match fs::remove_file(&path) {
                Ok(()) => "removed".to_owned(),
                Err(error) => format!("ignored ({})", message(&error)),
            };
            notes.push(format!("{}: left over from a write of {of} that did not finish; {what}", path.display()));
            return None;
        }
        let (content, condition) = examine(&path, name);
        match condition {
            Condition::Whole => {}
            Condition::Cleared => notes.push(format!("{}: {NOTHING}", path.display())),
            Condition::Partial { why, message } => notes.push(self.keep_copy(name, why, message, &content)),
            Condition::Useless { why, message } => {
                notes.push(self.set_aside(name, why, &message));
                return None;
            }
        }
        Some(content)
    }

    /// What a start with this base and name would find, and what it would say of it. Nothing is made or
    /// changed.
    pub fn inspect(base: impl AsRef<Path>, name: &str) -> Loaded {
        let base = base.as_ref();
        let (path, published) = (Self::place(base, name), below(base.to_path_buf(), name));
        let mut loaded = Loaded::default();
        for folder in [&path, &published] {
            let is_ours = folder == &path;
            if !folder.is_dir() || (!is_ours && folder == base) {
                continue;
            }
            for name in known_names(folder, &mut loaded.notes) {
                let path = folder.join(&name);
                if loaded.files.contains_key(&name) {
                    continue;
                }
                if let Some(of) = name.strip_suffix(TEMPORARY) {
                    if is_ours {
                        let what = format!("left over from a write of {of} that did not finish; a start removes it");
                        loaded.notes.push(format!("{}: warning: {what}", path.display()));
                    }
                    continue;
                }
                let (content, condition) = examine(&path, &name);
                let what = match condition {
                    Condition::Whole => None,
                    Condition::Cleared => Some(NOTHING.into()),
                    Condition::Partial { message, .. } => Some(format!("{message}; what is there is used")),
                    Condition::Useless { message, .. } if is_ours => {
                        loaded.notes.push(format!("{}: warning: {message}; a start sets it aside", path.display()));
                        continue;
                    }
                    Condition::Useless { message, .. } => {
                        loaded.notes.push(format!("{}: warning: {message}; it is left alone", path.display()));
                        continue;
                    }
                };
                loaded.notes.extend(what.map(|what: String| format!("{}: warning: {what}", path.display())));
                loaded.files.insert(name, content);
            }
        }
        loaded
    }

    /// Renames a file out of the way and says so.
    fn set_aside(&self, name: &str, why: &str, message: &str) -> String {
        let path = self.path.join(name);
        let aside = self.free_name(name, why);
        match fs::rename(&path, &aside) {
            Ok(()) => format!("{}: {message}; it is set aside as {}", path.display(), aside.display()),
            Err(error) => format!("{}: {message}; it is ignored ({})", path.display(), self::message(&error)),
        }
    }

    /// Keeps a copy of a file of which not everything can be used, before anything replaces it.
    fn keep_copy(&self, name: &str, why: &str, message: &str, content: &[u8]) -> String {
        let path = self.path.join(name);
        let what = format!("{}: {message}; what is there is used", path.display());
        // Until something changes, every start finds the same file: one copy is enough.
        let kept = self.path.join(format!("{name}.{why}"));
        if fs::read(&kept).is_ok_and(|old| old == content) {
            return what;
        }
        let copy = self.free_name(name, why);
        let written = self.disk.create(&copy).and_then(|mut file| {
            self.disk.write(&mut file, content)?;
            self.disk.sync(&file)
        });
        match written {
            Ok(()) => format!("{what}; a copy is kept as {}", copy.display()),
            Err(error) => format!("{what}; no copy could be kept ({})", self::message(&error)),
        }
    }

    /// `NAME.WHY`, or `NAME.WHY-2` and so on when that is taken.
    fn free_name(&self, name: &str, why: &str) -> PathBuf {
        let first = self.path.join(format!("{name}.{why}"));
        std::iter::once(first)
            .chain((2u32..).map(|number| self.path.join(format!("{name}.{why}-{number}"))))
            .find(|path| fs::symlink_metadata(path).is_err())
            .unwrap_or_default()
    }
}

/// What is said of a file of users that is empty.
const NOTHING: &str = "there is nothing in it";

/// What a state file is good for.
enum Condition {
    /// Everything in it is used.
    Whole,
    /// A file of users without any: it stays, so that lan.conf's passwords do not come back.
    Cleared,
    /// Some of it is used, and a copy is kept whose name ends in `why`.
    Partial { why: &'static str, message: &'static str },
    /// It is set aside under a name that ends in `why`.
    Useless { why: &'static str, message: String },
}

/// Reads a state file and says what it is good for.
fn examine(path: &Path, name: &str) -> (Vec<u8>, Condition) {
    let useless = |why, message| (Vec::new(), Condition::Useless { why, message });
    let content = match read(path) {
        Ok(content) => content,
        Err(error) => return useless("unreadable", message(&error)),
    };
    if content.is_empty() && users::is_users_file(name) {
        return (content, Condition::Cleared);
    }
    if content.is_empty() {
        // Neither program writes such a file: it lost its content with the power.
        return useless("empty", NOTHING.into());
    }
    if users::is_users_file(name) && users::is_damaged(&content) {
        return (content, Condition::Partial { why: "damaged", message: "records of users are damaged" });
    }
    let content = match recognise(content, name) {
        Ok(content) => content,
        Err(error) => return useless("foreign", message(&error)),
    };
    let condition = if is_torn(&content) {
        Condition::Partial { why: "torn", message: "its end is missing" }
    } else if is_damaged(&content) {
        Condition::Partial { why: "damaged", message: "lines of it cannot be read" }
    } else {
        Condition::Whole
    };
    (content, condition)
}

/// The folder of a system below a base.
fn below(mut path: PathBuf, name: &str) -> PathBuf {
    // Not `Path::join` in one go: a leading slash would throw the base away.
    path.extend(name.split('/').filter(|part| !part.is_empty()));
    path
}

/// What came of syncing a file or a folder. Some file systems cannot (`fsync(2)`: EINVAL): there,
/// nothing is safer than it is already.
pub fn as_far_as_it_goes(synced: io::Result<()>) -> io::Result<()> {
    let cannot = |error: &io::Error| {
        matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::EINVAL | Errno::ENOTSUP | Errno::ENOSYS))
    };
    synced.or_else(|error| if cannot(&error) { Ok(()) } else { Err(error) })
}

/// The operating system's words for an error, as C's `strerror` gives them.
pub fn message(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

/// Whether a state file can have this name.
///
/// `users.mcXX`, `lanparm.mcXX.N`, `sol.mcXX`, `chassis.mcXX`, `sysinfo.mcXX`, `dcmi.mcXX`, `pef.mcXX`,
/// `process.mcXX`, `sel.XX`, `sdr.XX.main`,
/// `sdr.XX.device0` to `device3`, with XX two lower-case hexadecimal digits and N a
/// channel number 0 to 15; and [`GUID_FILE`].
fn is_state_file(name: &str) -> bool {
    let mut parts = name.split('.');
    let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
    let controller = |text: &str| text.strip_prefix("mc").is_some_and(is_address);
    match parts {
        [Some(GUID_FILE), None, ..] => true,
        [Some("users" | "sol" | "chassis" | "process" | "sysinfo" | "dcmi" | "pef"), Some(mc), None, _] => {
            controller(mc)
        }
        [Some("lanparm"), Some(mc), Some(channel), None] => controller(mc) && is_channel(channel),
        [Some("sel"), Some(address), None, _] => is_address(address),
        [Some("sdr"), Some(address), Some(list), None] => {
            is_address(address) && matches!(list, "main" | "device0" | "device1" | "device2" | "device3")
        }
        _ => false,
    }
}

fn is_address(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_channel(text: &str) -> bool {
    (0..16).any(|channel: u8| text == channel.to_string())
}

/// The names in a folder that are state files, or unfinished ones.
fn known_names(folder: &Path, notes: &mut Vec<String>) -> Vec<String> {
    // Not `fs::read_dir`, which ends the program when the folder cannot be closed.
    let entries = Dir::open(folder, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
    let listed = entries.and_then(|mut entries| {
        entries.iter().map(|entry| Ok(entry?.file_name().to_str().unwrap_or_default().to_owned())).collect()
    });
    let mut names: Vec<String> = match listed {
        Ok(names) => names,
        Err(errno) => {
            notes.push(format!("{}: {}; no state is read", folder.display(), errno.desc()));
            return Vec::new();
        }
    };
    names.retain(|name| is_state_file(name.strip_suffix(TEMPORARY).unwrap_or(name)));
    names.sort_unstable();
    names
}

/// Reads a regular file. Others are refused before they are opened: opening a pipe
/// would wait for its writer.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let kind = fs::metadata(path)?;
    if kind.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    if !kind.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if kind.len() > FILE_LIMIT {
        return Err(io::Error::other("too large for a state file"));
    }
    let mut content = Vec::new();
    File::open(path)?.take(FILE_LIMIT).read_to_end(&mut content)?;
    Ok(content)
}

/// Refuses a file that is no state file: not one line of it fits.
fn recognise(content: Vec<u8>, name: &str) -> io::Result<Vec<u8>> {
    let (items, dropped) = parse(&content);
    if items.is_empty() && !dropped.is_empty() {
        return Err(io::Error::other(format!("no line of it belongs in {name}")));
    }
    Ok(content)
}

/// Whether the file ends in the middle of a line that cannot be read.
fn is_torn(content: &[u8]) -> bool {
    let tail = content.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    let (_, dropped) = parse(tail);
    !dropped.is_empty()
}

/// Whether lines in it cannot be read, other than those that stand for comments. Zeros are what
/// some file systems leave where data was lost.
fn is_damaged(content: &[u8]) -> bool {
    if content.contains(&0) {
        return true;
    }
    let (_, dropped) = parse(content);
    let faults: BTreeSet<usize> = dropped.iter().map(|fault| fault.line).collect();
    let lines = content.split(|&byte| byte == b'\n').zip(1..);
    let mut unread = lines.filter(|(_, number)| faults.contains(number)).map(|(line, _)| line);
    unread.any(|line| !line.trim_ascii().is_empty() && !line.starts_with(b"#"))
}

#[cfg(test)]
mod tests {
    use super::super::disk::faulty::FaultyDisk;
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    struct Place {
        base: tempfile::TempDir,
        directory: StateDirectory,
    }

    fn place() -> Place {
        let base = tempfile::tempdir().unwrap();
        let directory = StateDirectory::open(base.path(), "box").unwrap();
        Place { base, directory }
    }

    impl Place {
        fn put(&self, name: &str, content: &[u8]) {
            fs::write(self.directory.path().join(name), content).unwrap();
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<String> = fs::read_dir(self.directory.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }

        fn content(&self, name: &str) -> Vec<u8> {
            fs::read(self.directory.path().join(name)).unwrap()
        }
    }

    fn mode(path: impl AsRef<Path>) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn missing_folders_are_made_where_the_original_makes_them() {
        let base = tempfile::tempdir().unwrap();
        let deep = base.path().join("a/b");
        let directory = StateDirectory::open(&deep, "/rack/box").unwrap();
        assert_eq!(directory.path(), deep.join("ipmi_sim/rack/box"));
        assert!(directory.path().is_dir());
        assert_eq!(mode(directory.path()) & !0o755, 0);
        assert_eq!(directory.load_all(), Loaded::default());
    }

    #[test]
    fn something_that_is_no_folder_in_the_way_is_an_error_in_the_originals_words() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("ipmi_sim"), b"").unwrap();
        let error = StateDirectory::open(base.path(), "box").unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("Unable to initialize persistence: "), "{text}");
        assert!(text.ends_with(": Not a directory"), "{text}");
    }

    #[test]
    fn the_names_of_state_files() {
        for name in [
            "users.mc20",
            "users.mcfe",
            "lanparm.mc20.1",
            "lanparm.mc20.15",
            "sol.mc20",
            "chassis.mc20",
            "process.mc20",
            "sysinfo.mc20",
            "dcmi.mc20",
            "pef.mc20",
            "sel.20",
            "sdr.20.main",
            "sdr.30.device0",
            "sdr.20.device3",
            "guid",
        ] {
            assert!(is_state_file(name), "{name}");
        }
        for name in [
            "",
            "users",
            "users.20",
            "users.mc2",
            "users.mc2F",
            "users.mc200",
            "users.mc20.x",
            "lanparm.mc20",
            "lanparm.mc20.16",
            "lanparm.mc20.01",
            "lanparm.mc20.",
            "sol.mc20.1",
            "sel.mc20",
            "sel.20.tmp",
            "sel.20.torn",
            "sdr.20",
            "sdr.20.device4",
            "sdr.20.main.x",
            "guid.x",
            "../sel.20",
            "sel.20/x",
            "README",
        ] {
            assert!(!is_state_file(name), "{name}");
        }
    }

    #[test]
    fn a_written_file_is_read_back_and_is_only_for_its_owner() {
        let place = place();
        place.directory.write("sel.20", b"1:d:a\n").unwrap();
        place.directory.write("sel.20", b"2:d:b\n").unwrap();
        place.directory.write("guid", b"guid:d:0123456789abcdef\n").unwrap();
        let loaded = place.directory.load_all();
        assert_eq!(loaded.notes, Vec::<String>::new());
        assert_eq!(loaded.files.keys().collect::<Vec<_>>(), ["guid", "sel.20"]);
        assert_eq!(loaded.files["sel.20"], b"2:d:b\n");
        assert_eq!(mode(place.directory.path().join("sel.20")), 0o600);
        assert_eq!(place.names(), ["guid", "sel.20"]);
    }

    #[test]
    fn only_state_files_can_be_written() {
        let place = place();
        for name in ["../sel.20", "/etc/passwd", "sel.20.tmp", ""] {
            let error = place.directory.write(name, b"").unwrap_err();
            assert!(matches!(error, WriteError::Untouched(e) if e.kind() == io::ErrorKind::InvalidInput), "{name}");
        }
        assert_eq!(place.names(), Vec::<String>::new());
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
        let place = place();
        place.directory.write("sel.20", b"1:d:a\n").unwrap();
        // The temporary file cannot be made: a folder is in its way.
        fs::create_dir_all(place.directory.path().join("sel.20.tmp/x")).unwrap();
        assert!(place.directory.write("sel.20", b"2:d:b\n").is_err());
        assert_eq!(place.content("sel.20"), b"1:d:a\n");
        fs::remove_dir_all(place.directory.path().join("sel.20.tmp")).unwrap();
        // The rename cannot be done: the target is a folder.
        fs::create_dir_all(place.directory.path().join("sel.30/x")).unwrap();
        assert!(place.directory.write("sel.30", b"2:d:b\n").is_err());
        assert_eq!(place.names(), ["sel.20", "sel.30"]);
        // The whole folder is gone.
        fs::remove_dir_all(place.directory.path()).unwrap();
        let error = place.directory.write("sel.20", b"2:d:b\n").unwrap_err();
        assert_eq!(error.to_string(), "No such file or directory");
    }

    #[test]
    fn a_write_does_not_follow_a_link_planted_at_the_temporary_name() {
        let place = place();
        let victim = place.base.path().join("victim");
        fs::write(&victim, b"precious").unwrap();
        std::os::unix::fs::symlink(&victim, place.directory.path().join("sel.20.tmp")).unwrap();
        place.directory.write("sel.20", b"1:d:a\n").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert_eq!(place.content("sel.20"), b"1:d:a\n");
    }

    #[test]
    fn what_a_crash_left_half_written_is_ignored_and_removed() {
        let place = place();
        place.put("sel.20", b"1:d:a\n");
        place.put("sel.20.tmp", b"1:d:a\n2:d");
        let loaded = place.directory.load_all();
        assert_eq!(loaded.files.keys().collect::<Vec<_>>(), ["sel.20"]);
        assert_eq!(loaded.notes.len(), 1);
        assert!(loaded.notes[0].ends_with("did not finish; removed"), "{:?}", loaded.notes);
        assert_eq!(place.names(), ["sel.20"]);
    }

    #[test]
    fn other_files_in_the_folder_are_left_alone() {
        let place = place();
        for name in ["README", "sel.20.bak", "notes.tmp", "sel.20~"] {
            place.put(name, b"anything");
        }
        assert_eq!(place.directory.load_all(), Loaded::default());
        assert_eq!(place.names().len(), 4);
    }

    #[test]
    fn published_instructions_place_is_read_per_file_and_never_written() {
        let place = place();
        let published = place.base.path().join("box");
        fs::create_dir(&published).unwrap();
        fs::write(published.join("sdr.20.main"), b"1:d:old\n").unwrap();
        fs::write(published.join("sel.20"), b"1:d:published\n").unwrap();
        fs::write(published.join("sel.20.tmp"), b"x").unwrap();
        fs::write(published.join("users.mc20"), b"\x7fELF").unwrap();
        place.put("sel.20", b"1:d:own\n");
        let loaded = place.directory.load_all();
        assert_eq!(loaded.files["sdr.20.main"], b"1:d:old\n");
        assert_eq!(loaded.files["sel.20"], b"1:d:own\n");
        assert_eq!(loaded.files.len(), 2);
        assert_eq!(loaded.notes.len(), 2, "{:?}", loaded.notes);
        assert!(loaded.notes[0].contains("box/sdr.20.main is used"), "{:?}", loaded.notes);
        assert!(loaded.notes[1].ends_with("it is left alone"), "{:?}", loaded.notes);
        place.directory.write("sdr.20.main", b"1:d:new\n").unwrap();
        assert_eq!(place.directory.load_all().files["sdr.20.main"], b"1:d:new\n");
        assert_eq!(fs::read(published.join("sdr.20.main")).unwrap(), b"1:d:old\n");
        assert!(published.join("sel.20.tmp").exists());
    }

    #[test]
    fn without_a_name_the_base_itself_is_not_searched() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("sel.20"), b"1:d:a\n").unwrap();
        let directory = StateDirectory::open(base.path(), "").unwrap();
        assert_eq!(directory.path(), base.path().join("ipmi_sim"));
        assert_eq!(directory.load_all(), Loaded::default());
    }

    #[test]
    fn what_is_no_state_file_is_set_aside_under_a_name_that_says_so() {
        let place = place();
        place.put("sel.20", b"\x7fELF\x02\x01\n\n");
        place.put("sel.20.foreign", b"an earlier one");
        fs::create_dir(place.directory.path().join("users.mc20")).unwrap();
        std::os::unix::fs::symlink("nowhere", place.directory.path().join("sol.mc20")).unwrap();
        let loaded = place.directory.load_all();
        assert_eq!(loaded.files.len(), 0);
        assert_eq!(loaded.notes.len(), 3, "{:?}", loaded.notes);
        assert!(loaded.notes.iter().all(|note| note.contains("; it is set aside as ")), "{:?}", loaded.notes);
        assert_eq!(
            place.names(),
            ["sel.20.foreign", "sel.20.foreign-2", "sol.mc20.unreadable", "users.mc20.unreadable"]
        );
        assert_eq!(place.content("sel.20.foreign-2"), b"\x7fELF\x02\x01\n\n");
        // Nothing is in the way of the next writes, and the next start is quiet.
        place.directory.write("users.mc20", b"2.valid:i:1\n").unwrap();
        assert_eq!(place.directory.load_all().notes, Vec::<String>::new());
    }

    #[test]
    fn looking_tells_what_a_start_would_find_and_changes_nothing() {
        let place = place();
        place.put("sel.20", b"1:d:\\00\nwhat\n2:d:\\00\n");
        place.put("sdr.20.main", b"hello\n");
        place.put("sol.mc20", b"");
        place.put("users.mc20", b"");
        place.put("chassis.mc20", b"power:i:1\n");
        place.put("chassis.mc20.tmp", b"po");
        place.put("other", b"hello\n");
        let published = place.base.path().join("box");
        fs::create_dir(&published).unwrap();
        fs::write(published.join("chassis.mc20"), "power:i:0\n").unwrap();
        fs::write(published.join("dcmi.mc20"), "asset_tag:d:x\n").unwrap();
        let before = place.names();
        let seen = StateDirectory::inspect(place.base.path(), "box");
        assert_eq!(place.names(), before);
        let folder = format!("{}/", place.directory.path().display());
        let notes: Vec<String> = seen.notes.iter().map(|note| note.replacen(&folder, "", 1)).collect();
        assert_eq!(
            notes,
            [
                "chassis.mc20.tmp: warning: left over from a write of chassis.mc20 that did not finish; a start removes it",
                "sdr.20.main: warning: no line of it belongs in sdr.20.main; a start sets it aside",
                "sel.20: warning: lines of it cannot be read; what is there is used",
                "sol.mc20: warning: there is nothing in it; a start sets it aside",
                "users.mc20: warning: there is nothing in it",
            ]
        );
        // And a start does find that.
        assert_eq!(seen.files, place.directory.load_all().files);
        // Where nothing is, nothing is made.
        assert_eq!(StateDirectory::inspect(place.base.path(), "nobody"), Loaded::default());
        assert!(!StateDirectory::place(place.base.path(), "nobody").exists());
    }

    #[test]
    fn a_pipe_does_not_make_the_start_wait() {
        let place = place();
        nix::unistd::mkfifo(&place.directory.path().join("sel.20"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let loaded = place.directory.load_all();
        assert!(loaded.notes[0].contains("not a regular file"), "{:?}", loaded.notes);
        assert_eq!(place.names(), ["sel.20.unreadable"]);
    }

    #[test]
    fn a_file_far_too_large_is_set_aside_unread() {
        let place = place();
        File::create(place.directory.path().join("sel.20")).unwrap().set_len(FILE_LIMIT + 1).unwrap();
        let loaded = place.directory.load_all();
        assert!(loaded.notes[0].contains("too large"), "{:?}", loaded.notes);
        assert_eq!(place.names(), ["sel.20.unreadable"]);
    }

    #[test]
    fn a_torn_file_is_used_as_far_as_it_goes_and_one_copy_is_kept() {
        let place = place();
        place.put("sel.20", b"2:d:whole\n1:d:\\0");
        for _ in 0..2 {
            let loaded = place.directory.load_all();
            assert_eq!(loaded.files["sel.20"], b"2:d:whole\n1:d:\\0");
            assert_eq!(loaded.notes.len(), 1);
            assert_eq!(place.names(), ["sel.20", "sel.20.torn"]);
        }
        place.directory.write("sel.20", b"2:d:whole\n").unwrap();
        assert_eq!(place.content("sel.20.torn"), b"2:d:whole\n1:d:\\0");
        // A good last line needs no line end.
        place.put("sol.mc20", b"enabled:i:1");
        assert_eq!(place.directory.load_all().notes, Vec::<String>::new());
    }

    #[test]
    fn a_file_that_lost_its_content_is_set_aside() {
        let place = place();
        place.put("sel.20", b"");
        let loaded = place.directory.load_all();
        assert_eq!(loaded.files.len(), 0);
        assert!(loaded.notes[0].contains("there is nothing in it"), "{:?}", loaded.notes);
        assert_eq!(place.names(), ["sel.20.empty"]);
    }

    #[test]
    fn a_copy_is_kept_of_a_file_with_damaged_lines() {
        let place = place();
        // What a loss of power leaves: a block of zeros in the middle.
        let damaged = [b"2:d:b\n".as_slice(), &[0; 64], b"\n1:d:a\n"].concat();
        place.put("sel.20", &damaged);
        place.put("users.mc20", b"# by hand\n\n2.valid:i:1\n");
        for _ in 0..2 {
            let loaded = place.directory.load_all();
            assert_eq!(loaded.files["sel.20"], damaged);
            assert_eq!(loaded.notes.len(), 1, "{:?}", loaded.notes);
            assert!(loaded.notes[0].contains("sel.20: lines of it cannot be read"), "{:?}", loaded.notes);
        }
        assert_eq!(place.names(), ["sel.20", "sel.20.damaged", "users.mc20"]);
    }

    /// A disk that cannot sync, as some file systems cannot, or that fails to.
    #[derive(Debug)]
    struct Unsynced(Errno);

    impl Disk for Unsynced {
        fn sync(&self, _: &File) -> io::Result<()> {
            match self.0 {
                Errno::EIO => Ok(()),
                errno => Err(errno.into()),
            }
        }

        fn sync_folder(&self, _: &File) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_file_system_that_cannot_sync_takes_changes_as_well() {
        for (errno, durable) in
            [(Errno::EINVAL, true), (Errno::ENOTSUP, true), (Errno::ENOSYS, true), (Errno::EIO, false)]
        {
            let mut place = place();
            place.directory = place.directory.on(Arc::new(Unsynced(errno)));
            match place.directory.write("sel.20", b"1:d:new\n") {
                Ok(()) => assert!(durable, "{errno}"),
                Err(WriteError::NotDurable(_)) => assert!(!durable, "{errno}"),
                Err(error) => panic!("{errno}: {error}"),
            }
            assert_eq!(place.content("sel.20"), b"1:d:new\n");
        }
    }

    #[test]
    fn a_copy_is_kept_of_a_users_file_with_damaged_records() {
        let place = place();
        // Every line of it can be read.
        place.put("users.mc20", b"2.valid:i:1\n2.passwd:d:short\n");
        for _ in 0..2 {
            let loaded = place.directory.load_all();
            assert_eq!(loaded.notes.len(), 1, "{:?}", loaded.notes);
            assert!(loaded.notes[0].contains("records of users are damaged"), "{:?}", loaded.notes);
            assert_eq!(place.names(), ["users.mc20", "users.mc20.damaged"]);
        }
        // What is no users file at all stays in its place, so that it goes on to keep lan.conf's users out.
        for content in [&b""[..], b"\x7fELF\n"] {
            place.put("users.mc20", content);
            let loaded = place.directory.load_all();
            assert_eq!(loaded.files["users.mc20"], content);
            assert_eq!(loaded.notes.len(), 1, "{:?}", loaded.notes);
        }
        assert_eq!(place.names(), ["users.mc20", "users.mc20.damaged", "users.mc20.damaged-2"]);
    }

    /// Every operation fails once, and then with everything behind it: there is always one whole
    /// file, the error says which, and the next write succeeds.
    #[test]
    fn whatever_fails_there_is_one_whole_file_and_the_error_says_which() {
        for (old, lasting) in [(true, false), (true, true), (false, false), (false, true)] {
            for failing in 0.. {
                let mut place = place();
                let disk = Arc::new(FaultyDisk::default());
                place.directory = place.directory.on(Arc::clone(&disk) as Arc<dyn Disk>);
                if old {
                    place.directory.write("sel.20", b"1:d:old\n").unwrap();
                }
                disk.fail(failing, if lasting { usize::MAX } else { failing });
                let written = place.directory.write("sel.20", b"1:d:new\n");
                if disk.done() <= failing {
                    assert!(written.is_ok() && failing == 7, "all of its seven operations failed in turn");
                    break;
                }
                disk.heal();
                let there = fs::read(place.directory.path().join("sel.20")).ok();
                match written {
                    Err(WriteError::Untouched(_)) => assert_eq!(there.is_some(), old, "operation {failing}"),
                    Err(WriteError::NotDurable(_)) => assert_eq!(there.as_deref(), Some(&b"1:d:new\n"[..])),
                    Ok(()) => panic!("operation {failing} failed unnoticed"),
                }
                if let Some(there) = there.filter(|there| there != b"1:d:new\n") {
                    assert_eq!(there, b"1:d:old\n");
                }
                // What could not even be removed goes at the next start.
                let files = place.directory.load_all().files;
                assert!(files.keys().all(|name| name == "sel.20"), "{files:?}");
                assert!(place.names().iter().all(|name| name == "sel.20"), "{:?}", place.names());
                place.directory.write("sel.20", b"1:d:next\n").unwrap();
                assert_eq!(place.content("sel.20"), b"1:d:next\n");
            }
        }
    }
}
