//! The guest's file system: a `cpio` archive ("newc", as Linux unpacks it at boot).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What a file in the archive is.
#[derive(Clone, Copy)]
enum Kind {
    Folder = 0o040_755,
    Program = 0o100_755,
}

/// An archive under construction.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    folders: BTreeSet<String>,
    files: u32,
}

impl Archive {
    /// Adds an empty folder, with the folders above it. `name` begins without `/`.
    pub fn folder(&mut self, name: &str) {
        for (index, _) in name.match_indices('/').chain([(name.len(), "")]) {
            let folder = &name[..index];
            if !folder.is_empty() && self.folders.insert(folder.to_owned()) {
                self.entry(folder, Kind::Folder, &[]);
            }
        }
    }

    /// Adds a file that everybody may run.
    pub fn file(&mut self, name: &str, content: &[u8]) {
        if let Some((folder, _)) = name.rsplit_once('/') {
            self.folder(folder);
        }
        self.entry(name, Kind::Program, content);
    }

    /// Adds a file of this machine; an absent one ends the test with the package to install.
    #[track_caller]
    pub fn copy(&mut self, name: &str, from: &Path, package: &str) {
        let content = fs::read(from)
            .unwrap_or_else(|why| panic!("{} cannot be read ({why}): apt-get install {package}", from.display()));
        self.file(name, &content);
    }

    /// The whole archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", Kind::Program, &[]);
        self.bytes
    }

    /// Magic number and 13 fields of 8 hexadecimal digits: inode, mode, uid, gid, links,
    /// time, size, device (2), special device (2), length of the name with its NUL, checksum
    /// (not used). Name and content are padded to 4 bytes each.
    fn entry(&mut self, name: &str, kind: Kind, content: &[u8]) {
        self.files += 1;
        let size = u32::try_from(content.len()).expect("a small file");
        let name_size = u32::try_from(name.len() + 1).expect("a short name");
        self.bytes.extend_from_slice(b"070701");
        for field in [self.files, kind as u32, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0] {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}
