//! Tables that sensors follow: each is read once, and in memory once, however many systems follow it.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use crate::config::Diagnostic;
use crate::config::csv;
use crate::ipmi::Recording;
use crate::settings::follow::CsvSource;
use crate::store::directory::message;

/// Longest table, in bytes: it is read while nothing else happens.
const LONGEST: u64 = 32 << 20;
/// Known tables up to which nobody looks for those that are not followed any longer.
const FEW: usize = 64;

/// Why there is no recording.
#[derive(Debug)]
pub enum TableFault {
    /// The file cannot be read, in the system's words.
    Unreadable(String),
    /// Something in it is wrong.
    Content(Box<Diagnostic>),
}

/// What tells that a file is as it was.
type Stamp = (u64, Option<SystemTime>);

/// By file, and what is read of it.
type Known = HashMap<(PathBuf, CsvSource), (Stamp, Weak<Recording>)>;

/// The tables that are followed by somebody. What nobody follows any longer is forgotten; a file that has changed is read again.
#[derive(Clone, Debug, Default)]
pub struct Tables(Arc<Mutex<Known>>);

impl Tables {
    /// The column of a table.
    ///
    /// # Errors
    /// It cannot be read, or has something wrong in it.
    pub fn get(&self, path: &Path, source: &CsvSource) -> Result<Arc<Recording>, TableFault> {
        let unreadable = |error: io::Error| TableFault::Unreadable(message(&error));
        let stamp = stamp(&path.metadata().map_err(unreadable)?);
        let key = (path.to_owned(), source.clone());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, recording)) = known.get(&key).filter(|(known, _)| *known == stamp)
            && let Some(recording) = recording.upgrade()
        {
            return Ok(recording);
        }
        let (stamp, text) = read(path).map_err(unreadable)?;
        let recording = csv::recording(&path.display().to_string(), &text, source).map_err(TableFault::Content)?;
        let recording = Arc::new(recording);
        if known.len() >= FEW {
            known.retain(|_, (_, recording)| recording.strong_count() > 0);
        }
        known.insert(key, (stamp, Arc::downgrade(&recording)));
        Ok(recording)
    }
}

fn stamp(file: &Metadata) -> Stamp {
    (file.len(), file.modified().ok())
}

fn read(path: &Path) -> io::Result<(Stamp, Vec<u8>)> {
    // A pipe would keep everybody waiting.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let file = File::open(path)?;
    let stamp = stamp(&file.metadata()?);
    let mut text = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other(format!("it is longer than {} MiB", LONGEST >> 20)));
    }
    Ok((stamp, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipmi::{Behind, Between};
    use crate::settings::follow::{Column, Decimal, Times};

    #[test]
    fn a_table_is_in_memory_once_while_somebody_follows_it_and_read_again_when_it_has_changed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("t.csv");
        let times = Times::Every(Decimal::new(1.0).unwrap());
        let (between, behind) = (Between::Hold, Behind::Stop);
        let source = CsvSource { path: "t.csv".into(), column: Column::Number(1), times, between, behind };
        std::fs::write(&path, "1\n2\n").unwrap();
        let tables = Tables::default();
        let one = tables.get(&path, &source).unwrap();
        let other = tables.clone().get(&path, &source).unwrap();
        assert!(Arc::ptr_eq(&one, &other));
        let repeated = CsvSource { behind: Behind::Repeat, ..source.clone() };
        assert!(!Arc::ptr_eq(&one, &tables.get(&path, &repeated).unwrap()));
        std::fs::write(&path, "1\n2\n3\n").unwrap();
        assert_eq!((tables.get(&path, &source).unwrap().len(), one.len()), (3, 2));
        for number in 0..500 {
            let source = CsvSource { path: number.to_string(), ..source.clone() };
            tables.get(&path, &source).unwrap();
        }
        assert!(tables.0.lock().unwrap().len() <= FEW);
        let why = |path: &Path| match tables.get(path, &source) {
            Err(TableFault::Unreadable(why)) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(why(root.path()), "it is no file");
        assert_eq!(why(&root.path().join("none")), "No such file or directory");
    }
}
