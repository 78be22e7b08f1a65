//! `import`: a BMC of files that people have of one.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde_json::json;

use super::clone::{fit, made_password, password};
use super::compare::replay_failure;
use crate::clone::import::fault::Fault;
use crate::clone::import::parts::{Parts, put, strangers_machine};
use crate::clone::import::{fru, sdr, sel};
use crate::clone::model::Machine;
use crate::clone::write::{self, Layout, Settings};
use crate::clone::{check, replay};
use crate::simctl::failure::{Failure, Status};
use crate::simctl::number;
use crate::simctl::output::{Form, Output};
use crate::simctl::scrubbing::Scrub;

/// No file that is read here is larger: as many records as there can be, of the largest size.
const LARGEST: u64 = 32 << 20;
/// The number that no FRU device has.
const NO_DEVICE: u8 = 0xff;

/// The options of `import`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
The folder is like that of clone, and must not exist. What the files do not have is assumed; README in it says what.
A node is the folder of an InfraSIM node (etc/vbmc.conf and data/TYPE.emu), or any with a lan.conf and a command file: it is
started inside this program at the loopback address, without its programs, consoles and serial lines, and read. The other
files take the place of what it has.

Examples:
  ipmitool sdr dump node7.sdr; ipmitool fru read 0 node7.fru; ipmitool sel writeraw node7.sel
  ipmi_simctl import --sdr node7.sdr --fru node7.fru --fru 1=psu.fru --sel node7.sel node7
  ipmi_simctl import --node ~/.infrasim/node-0 node-0
  ipmi_simctl import --node node7 --scrub for-a-report")]
pub struct Import {
    /// The folder that is made
    #[arg(value_name = "OUTDIR", value_hint = ValueHint::DirPath)]
    folder: PathBuf,

    /// Sensor data records, as `ipmitool sdr dump` writes them
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    sdr: Option<PathBuf>,

    /// An inventory, as `ipmitool fru read` writes it, and its device id [default: 0]; as often as needed
    #[arg(long, value_name = "[ID=]FILE", value_parser = inventory)]
    fru: Vec<Inventory>,

    /// An event log, as `ipmitool sel writeraw` writes it, or `ipmitool sel save`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    sel: Option<PathBuf>,

    /// The folder of a node
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    node: Option<PathBuf>,

    /// What the BMC is called [default: the name of the folder]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Where it listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9623")]
    listen: SocketAddr,

    /// The password of its users [default: that of a node's administrator, or one that is made]
    #[arg(long, value_name = "WORD", value_parser = password)]
    password: Option<String>,

    #[command(flatten)]
    scrub: Scrub,
}

/// A FRU device and the file of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Inventory {
    device: u8,
    path: PathBuf,
}

/// A file's name may have an = in it, if there is no number before.
fn inventory(text: &str) -> Result<Inventory, String> {
    let split = text.split_once('=').and_then(|(id, path)| Some((number::byte(id).ok()?, path)));
    let (device, path) = split.unwrap_or((0, text));
    match (device, path) {
        (_, "") => Err("expected a file".into()),
        (NO_DEVICE, _) => Err("a FRU device id is at most 254".into()),
        _ => Ok(Inventory { device, path: path.into() }),
    }
}

/// What is told of it.
struct Made {
    machine: Machine,
    notes: Vec<String>,
    password: String,
}

impl Import {
    /// Makes it.
    pub(in crate::simctl) async fn run(&self, output: &mut Output<'_>) -> Result<Status, Failure> {
        self.check()?;
        let parts = self.parts(output)?;
        let mut made = self.machine(parts).await?;
        let machine = &mut made.machine;
        // Its name is one that somebody has just given it, and no original.
        machine.name.clear();
        let report = self.scrub.apply(&mut [&mut *machine])?.and_then(|mut reports| reports.pop());
        machine.name = self.name();
        made.notes.extend(report.iter().flat_map(crate::clone::scrub::Report::lines));
        let layout = Layout::Alone;
        let notes = made.notes.clone();
        let settings = Settings { listen: self.listen, password: made.password.clone(), layout, notes };
        let checked = check::checked(&made.machine, &settings).await;
        let checked = checked.map_err(|why| Failure::Local(format!("It is no BMC that can be started: {why}")))?;
        let failed = |error| Failure::Local(format!("Unable to write {}: {error}", self.folder.display()));
        checked.folder.save(&self.folder).map_err(failed)?;
        self.report(&made, output)?;
        Ok(Status::Done)
    }

    /// What the command line alone can be wrong in.
    fn check(&self) -> Result<(), Failure> {
        if self.folder.exists() {
            return Err(Failure::Usage(format!("{} exists already", self.folder.display())));
        }
        if self.sdr.is_none() && self.fru.is_empty() && self.sel.is_none() && self.node.is_none() {
            return Err(Failure::Usage("There is nothing to import: take --sdr, --fru, --sel or --node".into()));
        }
        let twice = self
            .fru
            .iter()
            .enumerate()
            .find(|(index, it)| self.fru.iter().take(*index).any(|other| other.device == it.device));
        if let Some((_, twice)) = twice {
            return Err(Failure::Usage(format!(
                "There are two inventories of FRU device {}: take --fru ID=FILE",
                twice.device
            )));
        }
        fit(&self.name())
    }

    fn name(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }

    /// Reads all files, and says of each what is wrong in it.
    fn parts(&self, output: &mut Output<'_>) -> Result<Parts, Failure> {
        let (mut parts, mut faults) = (Parts::default(), Vec::new());
        if let Some(path) = &self.sdr {
            parts.records = content(path, sdr::records).map_err(|fault| faults.push(fault)).ok();
        }
        for Inventory { device, path } in &self.fru {
            let checked = |bytes: &[u8]| fru::check(bytes).map(|remark| (bytes.to_vec(), remark));
            match content(path, checked) {
                Ok((bytes, remark)) => {
                    parts.frus.push((*device, bytes));
                    remark.iter().for_each(|remark| output.remark(&named(path, remark)));
                }
                Err(fault) => faults.push(fault),
            }
        }
        if let Some(path) = &self.sel {
            match content(path, sel::read) {
                Ok(log) => {
                    log.left_out.iter().for_each(|fault| output.remark(&named(path, fault)));
                    parts.log = Some(log);
                }
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(parts) } else { Err(Failure::Local(faults.join("\n"))) }
    }

    async fn machine(&self, parts: Parts) -> Result<Made, Failure> {
        let mut notes = Vec::new();
        let (mut machine, kept) = match &self.node {
            None => {
                let (machine, assumed) = strangers_machine(&self.name());
                notes.extend(assumed);
                (machine, None)
            }
            Some(node) => {
                let replayed =
                    replay::machine(node, &mut |_, _, _| ()).await.map_err(|fault| replay_failure(&fault))?;
                notes.push("The configuration of a folder was started, and read over IPMI.".to_owned());
                if !replayed.left_out.is_empty() {
                    let left_out = replayed.left_out.join(", ");
                    notes.push(format!("Left out, because they reach beyond the BMC, were its statements {left_out}."));
                }
                (replayed.machine, replayed.password)
            }
        };
        machine.name = self.name();
        notes.extend(put(parts, &mut machine));
        let kept = kept.filter(|word| password(word).is_ok());
        let password = match self.password.clone().or(kept) {
            Some(word) => word,
            None => made_password()?,
        };
        Ok(Made { machine, notes, password })
    }

    fn report(&self, made: &Made, output: &mut Output<'_>) -> Result<(), Failure> {
        let (name, count) = (&made.machine.name, write::count(&made.machine));
        let start = write::start(name, Layout::Alone);
        if output.form == Form::Programs {
            return output.value(&json!({
                "bmc": name,
                "folder": self.folder.display().to_string(),
                "controllers": made.machine.controllers.len(),
                "sdrs": count.records,
                "sensors": count.sensors,
                "inventories": count.inventories,
                "sel": count.log,
                "notes": made.notes,
                "start": start,
            }));
        }
        output.line(&format!("{name}: {count}"))?;
        for note in &made.notes {
            output.line(note)?;
        }
        output.line(&format!("Start it: cd {} && {start}", self.folder.display()))
    }
}

/// Reads a file, and what it means.
fn content<T>(path: &Path, read: impl FnOnce(&[u8]) -> Result<T, Fault>) -> Result<T, String> {
    let size = fs::metadata(path).map(|metadata| metadata.len());
    let size = size.map_err(|error| format!("{}: {error}", path.display()))?;
    if size > LARGEST {
        return Err(format!("{}: it has {size} bytes, at most {LARGEST} are read", path.display()));
    }
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    read(&bytes).map_err(|fault| named(path, &fault))
}

fn named(path: &Path, fault: &Fault) -> String {
    format!("{}:{fault}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inventory_has_a_device_id() {
        let found = |device, path: &str| Ok(Inventory { device, path: path.into() });
        assert_eq!(inventory("a.fru"), found(0, "a.fru"));
        assert_eq!(inventory("0x10=a=b"), found(16, "a=b"));
        assert_eq!(inventory("a=b"), found(0, "a=b"));
        assert!(inventory("255=a").is_err() && inventory("1=").is_err());
    }
}
