//! The folder of a clone: its files as values, and how they are put on a disk.
//!
//! What the original reads comes first in each file, and what only this program knows last: the original stops
//! reading a command file at the first statement that it does not know.

mod emu;
mod lan_conf;
mod readme;
mod rows;
mod state;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::check::Difference;
use super::model::{Controller, Fru, Machine};
pub use readme::start;

/// What a folder is made of, beside the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the first LAN channel listens; each further one takes the next port.
    pub listen: SocketAddr,
    /// The password of every user, at most 20 bytes, printable.
    pub password: String,
    /// How the folder is used.
    pub layout: Layout,
    /// What README says besides, a sentence or more each.
    pub notes: Vec<String>,
}

/// How a folder is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// It is one BMC's: lan.conf stands in it.
    #[default]
    Alone,
    /// It is a fleet's: a folder for each BMC, and one state folder for all of them.
    Fleet,
}

/// The files of a folder by their paths in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// Their content.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Settings {
    /// Where the files of a machine are, as the program that is started in the folder sees it.
    fn place(&self, machine: &Machine) -> PathBuf {
        match self.layout {
            Layout::Alone => PathBuf::new(),
            Layout::Fleet => machine.name.clone().into(),
        }
    }
}

/// The files of a machine. The same machine and settings always make the same bytes.
pub fn folder(machine: &Machine, settings: &Settings) -> Folder {
    folder_with(machine, settings, &[], &[])
}

/// The same with rows of `oem_add` for some of what the copy would say otherwise; of the rest README tells.
pub fn folder_with(machine: &Machine, settings: &Settings, rows: &[Difference], left: &[Difference]) -> Folder {
    let mut folder = Folder::default();
    let place = settings.place(machine);
    folder.put(place.join("lan.conf"), lan_conf::text(machine, settings));
    folder.put(place.join(format!("{}.emu", machine.name)), emu::text(machine, settings, rows));
    folder.put(place.join("README"), readme::text(machine, settings, left));
    for controller in &machine.controllers {
        for fru in inventories(controller) {
            folder.put(place.join(fru_file(controller, fru)), fru.data.to_vec());
        }
    }
    let kept = Path::new("state").join("ipmi_sim").join(&machine.name);
    for (name, items) in state::files(machine) {
        folder.put(kept.join(name), items.emit());
    }
    folder
}

/// How many LAN channels there are.
pub fn channels(machine: &Machine) -> usize {
    lan_conf::channels(machine).len()
}

/// The name of a user who may do everything and has one.
pub fn administrator(machine: &Machine) -> Option<Vec<u8>> {
    const ADMINISTRATOR: u8 = 4;
    let users = lan_conf::users(machine);
    let found = users.iter().find(|user| user.may_log_in() && user.limit == ADMINISTRATOR && user.name != [0; 16])?;
    Some(found.name.iter().copied().take_while(|byte| *byte != 0).collect())
}

/// How much there is of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Sensor data records, device SDRs among them.
    pub records: usize,
    /// Sensors that are there.
    pub sensors: usize,
    /// Inventories.
    pub inventories: usize,
    /// Records of event logs.
    pub log: usize,
}

/// Counts.
pub fn count(machine: &Machine) -> Count {
    machine.controllers.iter().map(of_controller).fold(Count::default(), |sum, one| Count {
        records: sum.records + one.records,
        sensors: sum.sensors + one.sensors,
        inventories: sum.inventories + one.inventories,
        log: sum.log + one.log,
    })
}

fn of_controller(controller: &Controller) -> Count {
    let device_sdrs: usize = controller.device_sdrs.values().map(Vec::len).sum();
    Count {
        records: controller.repository.as_ref().map_or(0, Vec::len) + device_sdrs,
        sensors: controller.sensors.len(),
        inventories: controller.frus.len(),
        log: controller.sel.as_ref().map_or(0, |sel| sel.records.len()),
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = |count: usize, one, many| format!("{count} {}", if count == 1 { one } else { many });
        write!(
            f,
            "{}, {}, {}, {}",
            many(self.records, "SDR", "SDRs"),
            many(self.sensors, "sensor", "sensors"),
            many(self.inventories, "inventory", "inventories"),
            many(self.log, "log record", "log records"),
        )
    }
}

/// The inventories that a copy has: of those with one number behind several LUNs the first, as numbers are all that tells
/// them apart here.
fn inventories(controller: &Controller) -> impl Iterator<Item = &Fru> {
    let is_first = |fru: &&Fru| {
        let first = controller.frus.iter().find(|other| other.device == fru.device);
        first.is_some_and(|first| first.lun == fru.lun)
    };
    controller.frus.iter().filter(is_first)
}

/// The file of an inventory.
fn fru_file(controller: &Controller, fru: &Fru) -> String {
    format!("fru.{:02x}.{}", controller.address, fru.device)
}

impl Folder {
    fn put(&mut self, path: PathBuf, content: impl Into<Vec<u8>>) {
        self.files.insert(path, content.into());
    }

    /// Takes the files of another one.
    pub fn join(&mut self, other: Self) {
        self.files.extend(other.files);
    }

    /// Writes the folder, which must not exist yet or be empty: under another name beside it first, so that there is
    /// never half of one. May block.
    ///
    /// # Errors
    /// There is something already, or it cannot be written; nothing is left behind then.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let name = path.file_name().ok_or_else(|| io::Error::other("it is no name of a folder"))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.tmp", std::process::id()));
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let temporary = parent.join(hidden);
        let written = self.write(&temporary).and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            // The first error is the one that counts; a folder that was not made cannot be removed.
            let _ = fs::remove_dir_all(&temporary);
        }
        written
    }

    fn write(&self, to: &Path) -> io::Result<()> {
        fs::create_dir_all(to.parent().unwrap_or(Path::new(".")))?;
        fs::create_dir(to)?;
        for (path, content) in &self.files {
            let path = to.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, content)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            listen: ([127, 0, 0, 1], 9623).into(),
            password: "secret".into(),
            layout: Layout::Alone,
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_folder_is_whole_or_not_there() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(&Machine::new("m"), &settings());
        let path = root.path().join("a/b");
        folder.save(&path).unwrap();
        for (name, content) in &folder.files {
            assert_eq!(&fs::read(path.join(name)).unwrap(), content);
        }
        fs::write(path.join("README"), "mine").unwrap();
        assert!(folder.save(&path).is_err());
        assert_eq!(fs::read(path.join("README")).unwrap(), b"mine");
        let left: Vec<_> =
            fs::read_dir(root.path().join("a")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["b"]);
    }

    #[test]
    fn of_a_fleet_each_machine_has_its_own_folder() {
        let folder = folder(&Machine::new("m"), &Settings { layout: Layout::Fleet, ..settings() });
        let names: Vec<_> = folder.files.keys().map(|path| path.display().to_string()).collect();
        assert!(names.contains(&"m/lan.conf".into()) && names.contains(&"m/m.emu".into()), "{names:?}");
    }
}
