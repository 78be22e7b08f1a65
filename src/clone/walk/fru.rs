//! Inventories: of the BMC, behind LUNs, and of other controllers (IPMI 2.0 sections 34.1 and 34.2).

use std::collections::BTreeSet;

use super::super::link::Fault;
use super::super::model::{BMC, Fru};
use super::super::reads::Read;
use super::super::records::{Locator, locator};
use super::partial::{Part, fewer};
use super::{Walk, code};

/// The last id that is tried without a record that tells of it.
const LAST_TRIED: u8 = 15;
/// After how many in a row that are not there no more are tried.
const MISSES: u32 = 4;
/// The most bytes of one that no record tells of. A board that has something of the largest size under every number would
/// take longer than all the rest.
const LARGEST: u16 = 8192;
/// In Get FRU Inventory Area Info: offsets and counts are in words.
const WORDS: u8 = 0x01;

/// What comes of trying a number.
enum Tried {
    /// An inventory.
    There,
    /// None.
    Absent,
    /// No more are to be tried.
    Enough,
}

impl Walk<'_> {
    /// All inventories: number 0 of each controller, and those that records tell of.
    pub(super) async fn frus(&mut self) -> Result<(), Fault> {
        let mut places: BTreeSet<(u8, u8, u8)> = BTreeSet::new();
        for controller in &self.machine.controllers {
            // Bit 3 of the device support; the BMC is asked in any case.
            let has = self.machine.device_id(controller.address).is_some_and(|id| id.support & 0x08 != 0);
            if has || controller.address == BMC {
                places.insert((controller.address, 0, 0));
            }
        }
        for record in self.machine.bmc().into_iter().flat_map(|bmc| bmc.repository.iter().flatten()) {
            if let Some(Locator::Fru { address, lun, device, .. }) = locator(record)
                && self.machine.controllers.iter().any(|controller| controller.address == address)
            {
                places.insert((address, lun, device));
            }
        }
        for (done, (mc, lun, device)) in places.iter().enumerate() {
            (self.watch)("Inventories", done, places.len());
            self.fru(*mc, *lun, *device).await?;
        }
        self.unnamed(&places).await
    }

    /// Inventories of the BMC that no record tells of: small ids are tried, as long as it answers and some are there.
    async fn unnamed(&mut self, named: &BTreeSet<(u8, u8, u8)>) -> Result<(), Fault> {
        let mut missed = 0;
        for device in 1..=LAST_TRIED {
            // Behind whatever LUN: a copy tells inventories apart by their numbers alone.
            let is_named = named.iter().any(|(mc, _, known)| (*mc, *known) == (BMC, device));
            let tried = if is_named { Tried::There } else { self.tried(device).await? };
            missed = match tried {
                Tried::There => 0,
                Tried::Absent => missed + 1,
                Tried::Enough => MISSES,
            };
            if missed >= MISSES {
                break;
            }
        }
        if let Some(bmc) = self.machine.controller_mut(BMC) {
            bmc.frus.sort_by_key(|fru| (fru.lun, fru.device));
        }
        Ok(())
    }

    /// Reads an inventory of the BMC, if there is one of this number. One that gives no bytes is none, and nothing to
    /// complain of; the board is not asked for more then, as it may be slow to say so.
    async fn tried(&mut self, device: u8) -> Result<Tried, Fault> {
        let (unread, read) = (self.machine.unread.len(), self.inventories());
        let Some(info) = self.ask((BMC, 0), Read::FruInfo, [device]).await? else {
            self.machine.unread.truncate(unread);
            return Ok(Tried::Enough);
        };
        let size = match (info.code, &*info.data) {
            (0, [low, high, ..]) => u16::from_le_bytes([*low, *high]),
            (code::INVALID_COMMAND | code::PRIVILEGE, _) => return Ok(Tried::Enough),
            _ => 0,
        };
        match size {
            0 => return Ok(Tried::Absent),
            1..=LARGEST => self.fru(BMC, 0, device).await?,
            _ => {
                self.machine
                    .miss(format!("inventory {device}"), format!("no record tells of it, and it has {size} bytes"));
                return Ok(Tried::Absent);
            }
        }
        if self.inventories() > read {
            return Ok(Tried::There);
        }
        self.machine.unread.truncate(unread);
        Ok(Tried::Enough)
    }

    /// How many inventories of the BMC are read.
    fn inventories(&self) -> usize {
        self.machine.bmc().map_or(0, |bmc| bmc.frus.len())
    }

    async fn fru(&mut self, mc: u8, lun: u8, device: u8) -> Result<(), Fault> {
        let what = format!("inventory {device} of controller {mc:#04x}");
        let response = match self.part((mc, lun), Read::FruInfo, &[device], 0).await? {
            Part::Done(response) => response,
            Part::Refused(code) => {
                // A board without number 0 is no surprise.
                if device != 0 {
                    self.machine.miss(what, format!("completion code {code:02x}h"));
                }
                return Ok(());
            }
            Part::Lost | Part::Shorter => return Ok(()),
        };
        let [low, high, access, ..] = *response.data else {
            self.machine.miss(what, "its size is not told");
            return Ok(());
        };
        let size = u16::from_le_bytes([low, high]);
        let unit = if access & WORDS == 0 { 1 } else { 2 };
        let data = self.area((mc, lun), device, size, unit, &what).await?;
        if let Some(controller) = self.machine.controller_mut(mc).filter(|_| !data.is_empty()) {
            controller.frus.push(Fru { lun, device, data: data.into() });
        }
        Ok(())
    }

    /// The bytes of an inventory; `unit` is how many bytes offsets and counts are in.
    async fn area(&mut self, place: (u8, u8), device: u8, size: u16, unit: u8, what: &str) -> Result<Vec<u8>, Fault> {
        let mut data: Vec<u8> = Vec::new();
        let step = usize::from(unit);
        while data.len() < size.into() {
            let left = usize::from(size) - data.len();
            let count = u8::try_from(left.min(self.limits.fru.into()).div_ceil(step)).unwrap_or(u8::MAX);
            let [low, high] = u16::try_from(data.len() / step).unwrap_or(u16::MAX).to_le_bytes();
            let bytes = match self.part(place, Read::ReadFru, &[device, low, high, count], count * unit).await? {
                Part::Done(response) => response.data,
                Part::Shorter => {
                    self.limits.fru = fewer(self.limits.fru.min(count * unit));
                    continue;
                }
                Part::Refused(code) => {
                    let why = match code {
                        code::RANGE => format!("it ends after {} of {size} bytes", data.len()),
                        code => format!("completion code {code:02x}h after {} of {size} bytes", data.len()),
                    };
                    self.machine.miss(what, why);
                    break;
                }
                Part::Lost => break,
            };
            let told = bytes.get(1..).unwrap_or_default();
            let told = told.get(..told.len().min(usize::from(count) * step)).unwrap_or_default();
            if told.is_empty() {
                self.machine.miss(what, format!("it ends after {} of {size} bytes", data.len()));
                break;
            }
            data.extend_from_slice(told);
        }
        // A size in odd bytes that is read in words ends within one.
        data.truncate(size.into());
        Ok(data)
    }
}
