//! The SDR repository and device SDRs: by reservation and in parts (IPMI 2.0 sections 33.9 to 33.12, 35.2 to 35.4).

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::bytes::Bytes;
use super::super::link::Fault;
use super::super::reads::Read;
use super::partial::{Part, fewer};
use super::{Walk, code};

/// The record id that stands for the first record, and that which says that there is no further one.
const FIRST: u16 = 0x0000;
const LAST: u16 = 0xffff;
/// Bytes of a record's header; the last of them says how many follow.
const HEADER: u8 = 5;
/// How often a record is begun when the reservation is lost.
const BEGINNINGS: u32 = 24;
/// How much longer is waited before each of them.
const PAUSE: Duration = Duration::from_millis(2);
/// How often all of it is read when it changes meanwhile.
const WALKS: u32 = 3;
/// Most records: ids are 16 bits.
const MOST: usize = 0xffff;

/// Where records are.
#[derive(Clone, Copy)]
struct Store {
    mc: u8,
    lun: u8,
    reserve: Read,
    get: Read,
}

/// A record, and the id of the next one.
struct Found {
    next: u16,
    record: Bytes,
}

/// Why a record is not read.
enum Gone {
    /// It is not there (any more).
    Absent,
    /// It is refused with this code.
    Refused(u8),
    /// There is no response, which is noted already.
    Lost,
}

impl Walk<'_> {
    /// The SDR repository of a controller.
    pub(super) async fn repository(&mut self, mc: u8) -> Result<(), Fault> {
        let store = Store { mc, lun: 0, reserve: Read::ReserveSdrs, get: Read::Sdr };
        let mut before = self.repository_info(mc).await?;
        for _ in 0..WALKS {
            let Some(info) = before else { return Ok(()) };
            let records = self.records(store, info.count).await?;
            let after = self.repository_info(mc).await?;
            let stayed = after.is_some_and(|after| after == info);
            if let Some(controller) = self.machine.controller_mut(mc) {
                controller.repository = Some(records);
                controller.repository_times = info.times;
            }
            if stayed {
                break;
            }
            before = after;
        }
        self.keep(mc, Read::SdrAllocation, []).await?;
        Ok(())
    }

    async fn repository_info(&mut self, mc: u8) -> Result<Option<Info>, Fault> {
        let response = self.ask((mc, 0), Read::SdrInfo, []).await?;
        let Some(data) = response.filter(|response| response.code == 0).map(|response| response.data) else {
            return Ok(None);
        };
        let word =
            |at: usize| data.get(at..at + 4).and_then(|bytes| bytes.first_chunk()).map(|b| u32::from_le_bytes(*b));
        let count = match *data {
            [_, low, high, ..] => u16::from_le_bytes([low, high]),
            _ => return Ok(None),
        };
        Ok(Some(Info { count, times: [word(5).unwrap_or(0), word(9).unwrap_or(0)] }))
    }

    /// The device SDRs of a controller that has some.
    pub(super) async fn device_sdrs(&mut self, mc: u8) -> Result<(), Fault> {
        if self.machine.device_id(mc).is_none_or(|id| id.revision & 0x80 == 0) {
            return Ok(());
        }
        for lun in 0..4 {
            let Some(info) = self.ask((mc, lun), Read::DeviceSdrInfo, []).await? else { continue };
            let count = match *info.data {
                [count, ..] if info.code == 0 => u16::from(count),
                _ => continue,
            };
            let store = Store { mc, lun, reserve: Read::ReserveDeviceSdrs, get: Read::DeviceSdr };
            let records = self.records(store, count).await?;
            if let Some(controller) = self.machine.controller_mut(mc).filter(|_| !records.is_empty()) {
                controller.device_sdrs.insert(lun, records);
            }
        }
        Ok(())
    }

    /// All records of a store, one behind the other. `count` is how many there should be.
    async fn records(&mut self, store: Store, count: u16) -> Result<Vec<Bytes>, Fault> {
        let mut records: Vec<Bytes> = Vec::new();
        let (mut id, mut before, mut seen) = (FIRST, None, BTreeSet::new());
        let mut reservation = 0;
        while id != LAST && records.len() < MOST {
            (self.watch)("Sensor data records", records.len(), count.into());
            if !seen.insert(id) {
                self.machine.miss(self.what(store, id), "the records behind it begin anew; they are left out");
                break;
            }
            match self.record(store, id, &mut reservation).await? {
                Ok(found) => {
                    // The first one was asked for by no id of its own.
                    seen.extend(found.record.first_chunk().map(|own| u16::from_le_bytes(*own)).filter(|_| id == FIRST));
                    records.push(found.record);
                    (before, id) = (Some(id), found.next);
                }
                Err(gone) => match self.behind(store, id, before, &gone, &mut reservation).await? {
                    Some(next) => id = next,
                    None => break,
                },
            }
        }
        Ok(records)
    }

    /// The record that follows the last good one now that the one which did is gone; `None` when there is no way on.
    async fn behind(
        &mut self,
        store: Store,
        id: u16,
        before: Option<u16>,
        gone: &Gone,
        reservation: &mut u16,
    ) -> Result<Option<u16>, Fault> {
        if let Gone::Absent = gone
            && let Some(before) = before
            && let Ok(found) = self.record(store, before, reservation).await?
            && found.next != id
        {
            return Ok(Some(found.next));
        }
        match gone {
            // An empty store has no first record.
            Gone::Absent if id == FIRST => {}
            Gone::Absent => self.machine.miss(self.what(store, id), "it is not there, and what follows is not known"),
            Gone::Refused(code) => {
                self.machine
                    .miss(self.what(store, id), format!("completion code {code:02x}h; what follows is not known"));
            }
            Gone::Lost => {}
        }
        Ok(None)
    }

    fn what(&self, store: Store, id: u16) -> String {
        let which = if store.get == Read::Sdr { "SDR" } else { "device SDR" };
        format!("{which} {id:#06x} of controller {:#04x}", store.mc)
    }

    /// One record, whole. Where somebody else reserves as well, so that a reservation does not last for two parts, every
    /// second time all of it is asked for at once, which needs none.
    async fn record(&mut self, store: Store, id: u16, reservation: &mut u16) -> Result<Result<Found, Gone>, Fault> {
        let mut at_once = HEADER;
        'begin: for beginning in 0..BEGINNINGS {
            let mut record: Vec<u8> = Vec::new();
            let mut next = LAST;
            let mut whole = usize::from(HEADER);
            while record.len() < whole {
                let at = u8::try_from(record.len()).unwrap_or(u8::MAX);
                let left = u8::try_from(whole - record.len()).unwrap_or(u8::MAX);
                let count = if at == 0 { at_once } else { left.min(self.limits.record) };
                let without = at == 0 && at_once > HEADER;
                let [r0, r1] = if without { [0, 0] } else { reservation.to_le_bytes() };
                let [i0, i1] = id.to_le_bytes();
                let data = [r0, r1, i0, i1, at, count];
                let response = match self.part((store.mc, store.lun), store.get, &data, count).await? {
                    Part::Done(response) => response,
                    Part::Shorter if without => {
                        at_once = fewer(count).max(HEADER);
                        continue;
                    }
                    Part::Shorter => {
                        self.limits.record = fewer(self.limits.record.min(count));
                        if at == 0 {
                            // Even a header is too long: this board will not do.
                            return Ok(Err(Gone::Refused(code::TOO_MANY)));
                        }
                        continue;
                    }
                    Part::Refused(code::RESERVATION) => {
                        // Not in step with whoever else reads.
                        tokio::time::sleep(PAUSE * beginning).await;
                        *reservation = self.reserve(store).await?;
                        let all = u8::try_from(whole).unwrap_or(u8::MAX);
                        at_once = if beginning % 2 == 0 { all } else { HEADER };
                        continue 'begin;
                    }
                    Part::Refused(code::NOT_PRESENT) => return Ok(Err(Gone::Absent)),
                    Part::Refused(code) => return Ok(Err(Gone::Refused(code))),
                    Part::Lost => return Ok(Err(Gone::Lost)),
                };
                let [n0, n1, bytes @ ..] = &*response.data else { return Ok(Err(Gone::Refused(0))) };
                let bytes = bytes.get(..bytes.len().min(count.into())).unwrap_or_default();
                if bytes.is_empty() {
                    return Ok(Err(Gone::Refused(0)));
                }
                record.extend_from_slice(bytes);
                next = u16::from_le_bytes([*n0, *n1]);
                if let (true, Some(length)) = (whole == usize::from(HEADER), record.get(4)) {
                    whole += usize::from(*length);
                    // The rest needs a reservation.
                    if *reservation == 0 && record.len() < whole {
                        *reservation = self.reserve(store).await?;
                        continue 'begin;
                    }
                }
            }
            record.truncate(whole);
            return Ok(Ok(Found { next, record: record.into() }));
        }
        Ok(Err(Gone::Refused(code::RESERVATION)))
    }

    /// A reservation; 0 when there is none, which some boards bear.
    async fn reserve(&mut self, store: Store) -> Result<u16, Fault> {
        let response = self.ask((store.mc, store.lun), store.reserve, []).await?;
        Ok(match response.filter(|response| response.code == 0).map(|response| response.data) {
            Some(data) => data.first_chunk().map_or(0, |id| u16::from_le_bytes(*id)),
            None => 0,
        })
    }
}

/// What Get SDR Repository Info tells of changes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Info {
    count: u16,
    times: [u32; 2],
}
