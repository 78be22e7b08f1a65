//! FRU inventory devices of a controller (`commands-sensor-storage.md` section 10, IPMI 2.0
//! section 34): in memory, in a file, or the history of the console.
//!
//! Opens no file: what is in one is read by [`FileRead`]s and written by [`FileWrite`]s.

pub mod areas;

use crate::ipmi::SessionId;
use crate::shared::{Known, Shared};
use std::collections::BTreeMap;
use std::fmt::Write;

use super::Error;
use super::external::{FileRead, FileWrite};

/// Most bytes a FRU may have.
const MAX_SIZE: u32 = 8192;
/// Most bytes of a console history as a FRU.
const MAX_HISTORY: usize = 0xffff;

/// A FRU inventory device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FruKind {
    /// Bytes in memory; changes are lost at the end.
    Inline(Vec<u8>),
    /// A part of a file; changes go straight into it.
    File {
        /// Bytes of the file that belong to it.
        size: u32,
        /// Where in the file they begin.
        offset: u32,
        /// Path, relative to the working directory.
        path: String,
    },
    /// The console history, as it was when a session asked for its size: a snapshot per
    /// session id.
    History(BTreeMap<SessionId, Vec<u8>>),
}

impl FruKind {
    /// The read of `length` bytes of a file-backed one, `at` bytes behind its beginning.
    pub fn file_read(&self, at: u16, length: usize) -> Option<FileRead> {
        match self {
            Self::File { offset, path, .. } => {
                Some(FileRead { path: path.clone(), offset: u64::from(*offset) + u64::from(at), length })
            }
            Self::Inline(_) | Self::History(_) => None,
        }
    }

    /// The write of `data` into a file-backed one, `at` bytes behind its beginning.
    pub fn file_write(&self, at: u16, data: &[u8]) -> Option<FileWrite> {
        match self {
            Self::File { offset, path, .. } => Some(FileWrite::At {
                path: path.clone(),
                offset: u64::from(*offset) + u64::from(at),
                data: data.to_vec(),
            }),
            Self::Inline(_) | Self::History(_) => None,
        }
    }
}

/// What `mc_dump_fru_data` prints, or where it is read; see [`dump_text`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dump<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// What `read` gets, and zeros up to `size` bytes.
    File {
        /// Reads the device's part of the file.
        read: FileRead,
        /// Bytes of the device.
        size: usize,
    },
}

/// The FRU inventory devices of a controller.
#[derive(Debug, Default)]
pub struct Frus {
    /// By number.
    devices: Shared<Vec<(u8, FruKind)>>,
}

impl Frus {
    /// `mc_add_fru_data ... data`: `size` bytes in memory, the first from `data`, the others
    /// 0. Replaces what had the number. [`Error::Invalid`]: more than 8192 bytes, or more
    /// data than that.
    pub fn add_inline(&mut self, device: u8, size: u32, data: &[u8]) -> Result<(), Error> {
        let size = checked_size(size)?;
        if data.len() > size as usize {
            return Err(Error::Invalid);
        }
        let mut bytes = vec![0; size as usize];
        bytes[..data.len()].copy_from_slice(data);
        self.insert(device, FruKind::Inline(bytes));
        Ok(())
    }

    /// `mc_add_fru_data ... file`: `size` bytes of a file from `offset` on. Replaces what had
    /// the number. [`Error::Invalid`]: more than 8192 bytes.
    pub fn add_file(&mut self, device: u8, size: u32, offset: u32, path: String) -> Result<(), Error> {
        let size = checked_size(size)?;
        self.insert(device, FruKind::File { size, offset, path });
        Ok(())
    }

    fn insert(&mut self, device: u8, kind: FruKind) {
        match self.find(device) {
            Ok(index) => self.devices[index].1 = kind,
            Err(index) => {
                // There are few.
                self.devices.reserve_exact(1);
                self.devices.insert(index, (device, kind));
            }
        }
    }

    /// Where in the list a device is, or would be.
    fn find(&self, device: u8) -> Result<usize, usize> {
        self.devices.binary_search_by_key(&device, |(number, _)| *number)
    }

    /// Has what others have, too, in memory once.
    pub(super) fn share(&mut self, known: &mut Known<Vec<(u8, FruKind)>>) {
        known.share(&mut self.devices);
    }

    /// `historyfru=` of a `sol` line.
    pub fn add_history(&mut self, device: u8) {
        self.insert(device, FruKind::History(BTreeMap::new()));
    }

    /// The devices in files: number, path and where in the file they end.
    pub fn in_files(&self) -> impl Iterator<Item = (u8, &str, u64)> {
        self.devices.iter().filter_map(|(number, device)| match device {
            FruKind::File { size, offset, path } => {
                Some((*number, path.as_str(), u64::from(*offset) + u64::from(*size)))
            }
            FruKind::Inline(_) | FruKind::History(_) => None,
        })
    }

    /// All devices, by number.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &FruKind)> {
        self.devices.iter().map(|(number, device)| (*number, device))
    }

    /// The device with this number.
    pub fn get(&self, device: u8) -> Option<&FruKind> {
        self.find(device).ok().map(|index| &self.devices[index].1)
    }

    /// The device with this number, to be changed.
    pub fn get_mut(&mut self, device: u8) -> Option<&mut FruKind> {
        self.find(device).ok().map(|index| &mut self.devices[index].1)
    }

    /// Keeps a copy of the console history for `session`, in place of what it had: the
    /// newest bytes a FRU has room for.
    pub fn keep_history(&mut self, session: SessionId, mut history: Vec<u8>) {
        history.drain(..history.len().saturating_sub(MAX_HISTORY));
        for (_, device) in self.devices.iter_mut() {
            if let FruKind::History(snapshots) = device {
                snapshots.insert(session, history.clone());
            }
        }
    }

    /// Forgets the history snapshot of a session that has ended.
    pub fn session_closed(&mut self, session: SessionId) {
        let has_one = |(_, device): &(u8, FruKind)| matches!(device, FruKind::History(of) if of.contains_key(&session));
        // Most have none, and those in common stay so.
        if self.devices.iter().any(has_one) {
            for (_, device) in self.devices.iter_mut() {
                if let FruKind::History(snapshots) = device {
                    snapshots.remove(&session);
                }
            }
        }
    }

    /// `mc_dump_fru_data`. [`Error::Invalid`]: no such device, or one without data, or 255.
    /// That the controller has a FRU device at all (device support bit 3, else
    /// [`Error::NoDevice`]) is for the caller to check.
    pub fn dump(&self, device: u8) -> Result<Dump<'_>, Error> {
        match self.get(device).filter(|_| device != 0xff).ok_or(Error::Invalid)? {
            FruKind::Inline(bytes) if !bytes.is_empty() => Ok(Dump::Bytes(bytes)),
            file @ FruKind::File { size, .. } if *size != 0 => {
                let size = *size as usize;
                file.file_read(0, size).map(|read| Dump::File { read, size }).ok_or(Error::Invalid)
            }
            _ => Err(Error::Invalid),
        }
    }
}

fn checked_size(size: u32) -> Result<u32, Error> {
    if size > MAX_SIZE { Err(Error::Invalid) } else { Ok(size) }
}

/// Bytes as `mc_dump_fru_data` prints them: ` 0xNN` each, eight on a line.
pub fn dump_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 5 + bytes.len() / 8 + 1);
    for line in bytes.chunks(8) {
        for byte in line {
            // Writing to a string cannot fail.
            let _ = write!(text, " {byte:#04x}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_bytes_are_zero_and_a_second_definition_replaces() {
        let mut frus = Frus::default();
        frus.add_file(1, 8192, 4, "fru.bin".into()).unwrap();
        frus.add_inline(1, 4, &[0xaa, 0xbb]).unwrap();
        assert_eq!(frus.get(1), Some(&FruKind::Inline(vec![0xaa, 0xbb, 0, 0])));
        assert_eq!(frus.add_inline(1, 1, &[1, 2]), Err(Error::Invalid));
        assert_eq!(frus.add_inline(1, 8193, &[]), Err(Error::Invalid));
        assert_eq!(frus.add_file(1, 8193, 0, "fru.bin".into()), Err(Error::Invalid));
    }

    #[test]
    fn dumps() {
        let mut frus = Frus::default();
        frus.add_inline(8, 9, &[1, 2, 3]).unwrap();
        frus.add_inline(6, 0, &[]).unwrap();
        frus.add_inline(255, 1, &[]).unwrap();
        frus.add_file(2, 16, 4, "fru.bin".into()).unwrap();
        let Ok(Dump::Bytes(bytes)) = frus.dump(8) else { panic!("device 8 has bytes") };
        assert_eq!(dump_text(bytes), " 0x01 0x02 0x03 0x00 0x00 0x00 0x00 0x00\n 0x00\n");
        assert_eq!(dump_text(&[0xff; 8]), " 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff\n");
        let read = FileRead { path: "fru.bin".into(), offset: 4, length: 16 };
        assert_eq!(frus.dump(2), Ok(Dump::File { read, size: 16 }));
        for device in [6, 66, 255] {
            assert_eq!(frus.dump(device), Err(Error::Invalid));
        }
    }

    #[test]
    fn snapshots_belong_to_sessions_and_keep_the_end() {
        let mut frus = Frus::default();
        frus.add_history(10);
        frus.keep_history(SessionId(1), vec![b'x'; 70_000]);
        frus.keep_history(SessionId(2), b"hello".to_vec());
        let Some(FruKind::History(snapshots)) = frus.get(10) else { panic!("device 10 is the history") };
        assert_eq!(snapshots[&SessionId(1)].len(), MAX_HISTORY);
        assert_eq!(snapshots[&SessionId(2)], b"hello");
        frus.session_closed(SessionId(1));
        let Some(FruKind::History(snapshots)) = frus.get(10) else { panic!("device 10 is the history") };
        assert_eq!(snapshots.keys().collect::<Vec<_>>(), [&SessionId(2)]);
    }
}
