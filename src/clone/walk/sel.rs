//! The event log with its time (IPMI 2.0 sections 31.2 to 31.11).

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use super::super::bytes::Bytes;
use super::super::link::Fault;
use super::super::model::Sel;
use super::super::reads::Read;
use super::partial::{Part, fewer};
use super::{Walk, code};

/// The record id that stands for the first record, and that which says that there is no further one.
const FIRST: u16 = 0x0000;
const LAST: u16 = 0xffff;
/// Bytes of a record.
const RECORD: u8 = 16;
/// Read it whole.
const WHOLE: u8 = 0xff;
/// How often a record is begun when the reservation is lost.
const BEGINNINGS: u32 = 24;
/// Clocks of BMCs are not told better than this, in seconds, so that the same machine gives the same clone.
const GRAIN: i64 = 10;

impl Walk<'_> {
    /// The event log of a controller that has one.
    pub(super) async fn log(&mut self, mc: u8) -> Result<(), Fault> {
        let Some(info) = self.ask((mc, 0), Read::SelInfo, []).await? else { return Ok(()) };
        if info.code != 0 {
            return Ok(());
        }
        let word = |at: usize| info.data.get(at..at + 2).and_then(|b| b.first_chunk()).map(|b| u16::from_le_bytes(*b));
        let long = |at: usize| info.data.get(at..at + 4).and_then(|b| b.first_chunk()).map(|b| u32::from_le_bytes(*b));
        let clock = self.clock(mc).await?;
        let records = self.entries(mc, word(1).unwrap_or(0)).await?;
        self.keep(mc, Read::SelAllocation, []).await?;
        self.keep(mc, Read::SelUtcOffset, []).await?;
        let sel = Sel {
            records,
            free: word(3).unwrap_or(0),
            support: info.data.get(13).copied().unwrap_or(0),
            last_add: long(5).unwrap_or(0),
            last_erase: long(9).unwrap_or(0),
            clock,
        };
        if let Some(controller) = self.machine.controller_mut(mc) {
            controller.sel = Some(sel);
        }
        Ok(())
    }

    /// By how much the clock of the log is ahead of ours.
    async fn clock(&mut self, mc: u8) -> Result<Option<i64>, Fault> {
        let response = self.ask((mc, 0), Read::SelTime, []).await?;
        let time = response.filter(|response| response.code == 0).and_then(|r| r.data.first_chunk().copied());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        Ok(time.map(|time| {
            let ahead = i64::from(u32::from_le_bytes(time)) - i64::try_from(now).unwrap_or(0);
            (ahead + GRAIN / 2).div_euclid(GRAIN) * GRAIN
        }))
    }

    async fn entries(&mut self, mc: u8, count: u16) -> Result<Vec<Bytes>, Fault> {
        let (mut records, mut seen) = (Vec::new(), BTreeSet::new());
        let (mut id, mut reservation, mut size) = (FIRST, 0, WHOLE);
        while id != LAST && count > 0 {
            (self.watch)("Event log", records.len(), count.into());
            let what = format!("record {id:#06x} of the event log of controller {mc:#04x}");
            if !seen.insert(id) {
                self.machine.miss(what, "the records behind it begin anew; they are left out");
                break;
            }
            match self.entry(mc, id, &mut reservation, &mut size).await? {
                Ok((next, record)) => {
                    // The first one was asked for by no id of its own.
                    seen.extend(record.first_chunk().map(|own| u16::from_le_bytes(*own)).filter(|_| id == FIRST));
                    records.push(record);
                    id = next;
                }
                Err(Some(code)) => {
                    // A log that was emptied meanwhile has no first record.
                    if (id, code) != (FIRST, code::NOT_PRESENT) {
                        self.machine.miss(what, format!("completion code {code:02x}h; what follows is not known"));
                    }
                    break;
                }
                Err(None) => break,
            }
        }
        Ok(records)
    }

    /// A record and the id of the next one, or the code that it is refused with. `size` is how many bytes at once.
    async fn entry(
        &mut self,
        mc: u8,
        id: u16,
        reservation: &mut u16,
        size: &mut u8,
    ) -> Result<Result<(u16, Bytes), Option<u8>>, Fault> {
        'begin: for _ in 0..BEGINNINGS {
            let mut record: Vec<u8> = Vec::new();
            let mut next = LAST;
            while record.len() < RECORD.into() {
                let at = u8::try_from(record.len()).unwrap_or(RECORD);
                let count = if *size == WHOLE { WHOLE } else { (*size).min(RECORD - at) };
                let [r0, r1] = reservation.to_le_bytes();
                let [i0, i1] = id.to_le_bytes();
                let data = [r0, r1, i0, i1, at, count];
                let response = match self.part((mc, 0), Read::SelEntry, &data, count).await? {
                    Part::Done(response) => response,
                    Part::Shorter => {
                        *size = fewer(if *size == WHOLE { RECORD } else { *size });
                        *reservation = self.reserve_sel(mc).await?;
                        continue 'begin;
                    }
                    Part::Refused(code::RESERVATION) => {
                        *reservation = self.reserve_sel(mc).await?;
                        continue 'begin;
                    }
                    Part::Refused(code) => return Ok(Err(Some(code))),
                    Part::Lost => return Ok(Err(None)),
                };
                let [n0, n1, bytes @ ..] = &*response.data else { return Ok(Err(Some(0))) };
                if bytes.is_empty() {
                    return Ok(Err(Some(0)));
                }
                record.extend_from_slice(bytes);
                next = u16::from_le_bytes([*n0, *n1]);
            }
            record.truncate(RECORD.into());
            return Ok(Ok((next, record.into())));
        }
        Ok(Err(Some(code::RESERVATION)))
    }

    async fn reserve_sel(&mut self, mc: u8) -> Result<u16, Fault> {
        let response = self.ask((mc, 0), Read::ReserveSel, []).await?;
        let told = response.filter(|response| response.code == 0);
        Ok(told.and_then(|response| response.data.first_chunk().copied()).map_or(0, u16::from_le_bytes))
    }
}
