//! The texts of a fleet: each file is read once, and what does not depend on variables is understood once.

use std::collections::HashMap;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::command::{Statement, statements};
use crate::runtime::configuration::{LanConf, unreadable};
use crate::runtime::recordings::Recordings;
use crate::runtime::script::{Includes, NoRecords, read_command_file, read_included, read_records};
use crate::runtime::tables::Tables;
use crate::settings::fill::Listed;
use crate::store::directory::message;

/// Texts that were read.
#[derive(Debug, Default)]
pub(super) struct Texts {
    configurations: Cache<PathBuf, LanConf>,
    commands: Cache<PathBuf, [Statement]>,
    included: Cache<(PathBuf, String), [Statement]>,
    tables: Tables,
    records: Cache<PathBuf, [Listed], NoRecords>,
    recordings: Recordings,
}

#[derive(Debug)]
struct Cache<K, T: ?Sized, E = String>(Mutex<HashMap<K, Result<Arc<T>, E>>>);

impl<K, T: ?Sized, E> Default for Cache<K, T, E> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone, T: ?Sized, E: Clone> Cache<K, T, E> {
    /// What is known of a file, or else what comes of reading it; others wait meanwhile, for it is mostly the same file.
    fn get(&self, key: &K, read: impl FnOnce() -> Result<Arc<T>, E>) -> Result<Arc<T>, E> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(key) {
            return known.clone();
        }
        let new = read();
        known.insert(key.clone(), new.clone());
        new
    }
}

impl Texts {
    /// Where tables are known that others have read.
    pub(super) fn new(tables: Tables) -> Self {
        Self { tables, ..Self::default() }
    }

    /// A lan.conf.
    pub(super) fn configuration(&self, path: &Path) -> Result<Arc<LanConf>, String> {
        let read = || match std::fs::read(path) {
            Ok(text) => Ok(LanConf::new(path.display().to_string(), text).into()),
            Err(error) => Err(unreadable(&path.display().to_string(), &error)),
        };
        self.configurations.get(&path.to_owned(), read)
    }

    /// What consoles play.
    pub(super) fn recordings(&self) -> &Recordings {
        &self.recordings
    }

    /// What a lan.conf of this name says, which is no file.
    pub(super) fn give_configuration(&self, name: &str, text: &str) {
        let _ = self.configurations.get(&name.into(), || Ok(LanConf::new(name.into(), text.into()).into()));
    }

    /// What a command file of this name says, which is no file.
    pub(super) fn give_commands(&self, name: &str, text: &str) {
        let _ = self.commands.get(&name.into(), || Ok(statements(name, text.as_bytes()).into()));
    }

    /// A command file.
    pub(super) fn commands(&self, path: &Path) -> Result<Arc<[Statement]>, String> {
        let read = || Ok(statements(&path.display().to_string(), &read_command_file(path)?).into());
        self.commands.get(&path.to_owned(), read)
    }
}

/// Where the files are that the command file of a BMC includes.
pub(super) struct Folders<'a> {
    pub(super) texts: &'a Texts,
    /// Where they are looked for, besides the working directory.
    pub(super) directories: &'a [PathBuf],
}

impl Includes for Folders<'_> {
    fn included(&self, path: &str) -> Result<Arc<[Statement]>, String> {
        let own = self.directories.first().cloned().unwrap_or_default();
        self.texts.included.get(&(own, path.to_owned()), || {
            let (name, text) = read_included(path, self.directories).map_err(|error| message(&error))?;
            Ok(statements(&name, &text).into())
        })
    }

    fn directories(&self) -> &[PathBuf] {
        self.directories
    }

    fn tables(&self) -> &Tables {
        &self.texts.tables
    }

    fn records(&self, path: &Path) -> Result<Arc<[Listed]>, NoRecords> {
        self.texts.records.get(&path.to_owned(), || read_records(path))
    }
}
