//! What the controllers keep about their machine: sensor data records and FRU inventory devices.

use super::super::Simulator;
use crate::bmc::fru::FruKind;
use crate::bmc::fru::areas::Areas;
use crate::bmc::sdr::whole;
use crate::bmc::{Error, sensor};
use crate::ipmi::McAddress;

/// Where a sensor data record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdrPlace {
    /// In the controller's SDR repository.
    Repository,
    /// Among the device SDRs of a LUN, 0 to 3.
    Device(u8),
}

/// A sensor data record (IPMI 2.0 section 43).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdrRecord {
    /// Where it is.
    pub place: SdrPlace,
    /// Record id.
    pub id: u16,
    /// SDR version, two BCD digits, the low one first as on the wire: 51h is version 1.5.
    pub version: u8,
    /// Record type.
    pub record_type: u8,
    /// Its id string, if its type has one.
    pub name: Option<String>,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl SdrRecord {
    fn new(place: SdrPlace, record: &[u8]) -> Option<Self> {
        let record = whole(record);
        let &[id0, id1, version, record_type, ..] = record else { return None };
        let id = u16::from_le_bytes([id0, id1]);
        Some(Self { place, id, version, record_type, name: sensor::record_name(record), bytes: record.to_vec() })
    }
}

/// A FRU inventory device (IPMI 2.0 section 34).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FruDevice {
    /// Device id.
    pub device: u8,
    /// Bytes.
    pub size: usize,
    /// What is in it.
    pub content: FruContent,
}

/// What is in a FRU inventory device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FruContent {
    /// These bytes.
    Bytes {
        /// All of them.
        bytes: Vec<u8>,
        /// What they say.
        areas: Box<Areas>,
    },
    /// A part of a file, which is read when a client reads.
    File {
        /// Path, relative to the working directory.
        path: String,
        /// Where in the file it begins.
        offset: u32,
    },
    /// The console history, as each session had it when it asked for its size.
    History,
}

impl FruDevice {
    fn new((device, kind): (u8, &FruKind)) -> Self {
        let (size, content) = match kind {
            FruKind::Inline(bytes) => {
                let areas = Box::new(Areas::read(bytes));
                (bytes.len(), FruContent::Bytes { bytes: bytes.clone(), areas })
            }
            FruKind::File { size, offset, path } => {
                (*size as usize, FruContent::File { path: path.clone(), offset: *offset })
            }
            FruKind::History(_) => (0, FruContent::History),
        };
        Self { device, size, content }
    }
}

impl Simulator {
    /// The sensor data records of a controller: its repository, then its device SDRs by LUN.
    ///
    /// # Errors
    /// There is no such controller.
    pub fn sdr_records(&self, mc: McAddress) -> Result<Vec<SdrRecord>, Error> {
        let controller = self.machine.controller(mc).ok_or(Error::NoController)?;
        let repository = controller.sdr.records().map(|record| (SdrPlace::Repository, record));
        let luns = (0..4).filter_map(|lun| Some((lun, controller.device_sdrs.lun(lun)?)));
        let of_devices = luns.flat_map(|(lun, list)| list.records().map(move |record| (SdrPlace::Device(lun), record)));
        Ok(repository.chain(of_devices).filter_map(|(place, record)| SdrRecord::new(place, record)).collect())
    }

    /// The FRU inventory devices of a controller, by number.
    ///
    /// # Errors
    /// There is no such controller.
    pub fn fru_devices(&self, mc: McAddress) -> Result<Vec<FruDevice>, Error> {
        let controller = self.machine.controller(mc).ok_or(Error::NoController)?;
        Ok(controller.frus.iter().map(FruDevice::new).collect())
    }
}
