//! The system event log of a controller: records, capacity, reservation, clock
//! (`commands-sensor-storage.md` section 9, IPMI 2.0 section 31).
//!
//! Decides nothing about who may log: events come through [`event`](super::event),
//! clients' records through the Storage commands, both by way of [`log()`].

use super::clock::Clock;
use super::records::{LAST, Records, id_of};
use super::watch::Event;
use super::{At, Error, StateFile};
use crate::ipmi::Moment;

/// A record: id (2), type, then 13 bytes; for types below E0h the first four of them are
/// the time.
pub type Record = [u8; 16];

/// First record type without a time stamp (IPMI 2.0 section 32.3).
const FIRST_TYPE_WITHOUT_TIME: u8 = 0xe0;

/// A time stamp that says nothing (IPMI 2.0 section 37.1).
const UNSPECIFIED_TIME: u32 = u32::MAX;

/// Operation flag: Get SEL Allocation Info is there.
pub const SUPPORTS_ALLOCATION_INFO: u8 = 0x01;
/// Operation flag: Reserve SEL is there.
pub const SUPPORTS_RESERVE: u8 = 0x02;
/// Operation flag: Delete SEL Entry is there.
pub const SUPPORTS_DELETE: u8 = 0x08;
const SETTABLE_FLAGS: u8 = SUPPORTS_ALLOCATION_INFO | SUPPORTS_RESERVE | SUPPORTS_DELETE;
/// Operation flag: records were lost because the log was full.
pub const OVERFLOW: u8 = 0x80;

/// Whether a log is full for another reason than its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fullness {
    /// It is full when its room is taken.
    ByRecords,
    /// It is full on purpose.
    OnPurpose,
}

/// The system event log.
#[derive(Clone, Debug, Default)]
pub struct Sel {
    records: Records<Record>,
    max_records: u32,
    flags: u8,
    overflow: bool,
    reservation: u16,
    clock: Clock,
    last_add: u32,
    last_erase: u32,
    utc_offset: Option<i16>,
    /// It has no room, whatever it has room for.
    full: bool,
}

/// The offset to UTC that means "not specified" (IPMI 2.0 section 31.11a).
pub const UNSPECIFIED_OFFSET: i16 = 0x07ff;

impl Sel {
    /// `sel_enable`: an empty log for `max_records`, with the operations in `flags`
    /// (allocation info, reserve, delete). The clock stays as it is. What the state file
    /// holds is put back with [`Sel::restore`] afterwards.
    pub fn enable(&mut self, max_records: u32, flags: u8) {
        *self = Self {
            max_records,
            flags: flags & SETTABLE_FLAGS,
            clock: self.clock,
            utc_offset: self.utc_offset,
            full: self.full,
            ..Self::default()
        };
    }

    /// Puts back what a state file holds: records oldest first, times of the log's clock,
    /// and the clock's offset in seconds to the machine's monotonic clock. The capacity does
    /// not limit it. Records with an id that is doubled, 0000h or FFFFh get another one.
    /// Returns how many records were left out because no id was free.
    pub fn restore(&mut self, records: Vec<Record>, last_add: u32, last_erase: u32, time_offset: i64) -> usize {
        let left_out = self.records.restore(records);
        self.last_add = last_add;
        self.last_erase = last_erase;
        self.clock = Clock::ahead(time_offset);
        left_out
    }

    /// The records, oldest first.
    pub fn records(&self) -> impl ExactSizeIterator<Item = &Record> {
        self.records.iter()
    }

    /// Time of the last addition, of the log's clock.
    pub fn last_add_time(&self) -> u32 {
        self.last_add
    }

    /// Time of the last deletion or clear, of the log's clock.
    pub fn last_erase_time(&self) -> u32 {
        self.last_erase
    }

    /// Seconds the log's clock is ahead of the machine's monotonic clock.
    pub fn time_offset(&self) -> i64 {
        self.clock.offset()
    }

    /// Minutes the log's clock is ahead of UTC, when somebody has said so.
    pub fn utc_offset(&self) -> Option<i16> {
        self.utc_offset
    }

    /// Sets how many minutes the log's clock is ahead of UTC.
    pub fn set_utc_offset(&mut self, minutes: Option<i16>) {
        self.utc_offset = minutes;
    }

    /// The id of the record added last, FFFFh if there is none.
    pub fn last_id(&self) -> u16 {
        self.records.len().checked_sub(1).and_then(|index| self.records.get(index)).map_or(LAST, |record| id_of(record))
    }

    /// How many records `sel_enable` made room for.
    pub fn max_records(&self) -> u32 {
        self.max_records
    }

    /// The operation flags, [`OVERFLOW`] included.
    pub fn flags(&self) -> u8 {
        self.flags | if self.overflow { OVERFLOW } else { 0 }
    }

    /// The log's clock.
    pub fn time(&self, now: Moment) -> u32 {
        self.clock.time(now)
    }

    /// Sets the log's clock.
    pub fn set_time(&mut self, now: Moment, time: u32) {
        self.clock.set(now, time);
    }

    /// Puts the clock forward to the time of the newest record, if it is behind it: without a
    /// reference that outlives the machine it starts anew when the machine does.
    pub fn catch_up(&mut self, now: Moment) {
        let newest = self.records.len().checked_sub(1).and_then(|index| self.records.get(index));
        if let Some([_, _, 0..FIRST_TYPE_WITHOUT_TIME, t0, t1, t2, t3, ..]) = newest {
            let time = u32::from_le_bytes([*t0, *t1, *t2, *t3]);
            if time != UNSPECIFIED_TIME && self.time(now) < time {
                self.set_time(now, time);
            }
        }
    }

    /// Has it full, or no longer, whatever it has room for.
    pub fn set_full(&mut self, full: Fullness) {
        self.full = full == Fullness::OnPurpose;
    }

    /// How many more records there is room for.
    pub fn free(&self) -> u32 {
        if self.full {
            return 0;
        }
        self.max_records.saturating_sub(u32::try_from(self.records.len()).unwrap_or(u32::MAX))
    }

    /// Makes a new reservation, which replaces the old one.
    pub fn reserve(&mut self) -> u16 {
        self.reservation = next_reservation(self.reservation);
        self.reservation
    }

    /// Whether a request with this reservation id may go on. 0 always may; without the
    /// reserve operation every value may.
    pub fn reservation_holds(&self, id: u16) -> bool {
        self.flags & SUPPORTS_RESERVE == 0 || id == 0 || id == self.reservation
    }

    /// The record a request means by `id` (0000h first, FFFFh last), and the id of the next.
    pub fn find(&self, id: u16) -> Option<(&Record, u16)> {
        let index = self.records.resolve(id)?;
        Some((self.records.get(index)?, self.records.following(index)))
    }

    /// Adds a record. Its id bytes are replaced, and below type E0h its time. A full log is
    /// [`Error::Full`] and remembers the overflow.
    pub fn add(&mut self, now: Moment, mut record: Record) -> Result<u16, Error> {
        if self.full || self.records.len() >= usize::try_from(self.max_records).unwrap_or(usize::MAX) {
            self.overflow = true;
            return Err(Error::Full);
        }
        let Some(id) = self.records.allocate() else {
            self.overflow = true;
            return Err(Error::Full);
        };
        let time = self.time(now);
        if record[2] < FIRST_TYPE_WITHOUT_TIME {
            record[3..7].copy_from_slice(&time.to_le_bytes());
        }
        self.records.push(record, id);
        self.last_add = time;
        Ok(id)
    }

    /// Adds a record with its id and time as they are, unless there is one with that id.
    pub(super) fn keep(&mut self, record: &Record) {
        let id = id_of(record);
        if self.records.position(id).is_none() {
            self.records.push(*record, id);
        }
    }

    /// Restores what it was; reservation and capacity stay.
    pub(super) fn take_back(&mut self, before: Self) {
        let Self { max_records, flags, reservation, full, .. } = *self;
        *self = Self { max_records, flags, reservation, full, ..before };
    }

    /// Deletes the record a request means by `id` and says its real id.
    pub fn delete(&mut self, now: Moment, id: u16) -> Option<u16> {
        let index = self.records.resolve(id)?;
        let record = self.records.remove(index)?;
        self.touch_erase(now);
        Some(id_of(&record))
    }

    /// Deletes all records. The id counter goes on.
    pub fn clear(&mut self, now: Moment) {
        self.records.clear();
        self.touch_erase(now);
    }

    /// What the "get erasure status" form of Clear SEL does in the original: the erase time
    /// is set and the overflow forgotten, the records stay.
    pub fn touch_erase(&mut self, now: Moment) {
        self.overflow = false;
        self.last_erase = self.time(now);
    }
}

/// The reservation id after `id`; 0 is never one.
pub(super) fn next_reservation(id: u16) -> u16 {
    id.checked_add(1).unwrap_or(1)
}

/// Adds a record to the log and has the log saved.
///
/// [`Error::NotSupported`] if the controller has no SEL device, [`Error::Full`] if the log
/// is full or was never enabled.
pub fn log(at: &mut At<'_>, now: Moment, record: Record) -> Result<u16, Error> {
    if !at.device.has_sel() {
        return Err(Error::NotSupported);
    }
    let id = at.log(|sel| sel.add(now, record))?;
    let mc = at.address;
    at.tell(|| Event::RecordAdded { mc, id });
    Ok(id)
}

/// Clears the log and has it saved; not for a client, so that nobody takes it back.
pub fn clear(at: &mut At<'_>, now: Moment) {
    at.sel.clear(now);
    at.save_fact(StateFile::Sel);
}

/// Adds what somebody asks for: a console, a client or whoever embeds the BMC. Gives the id of the record, 1 to FFFEh.
/// `data` is what follows the record type; of records below type E0h the first four bytes become the time.
///
/// # Errors
/// As [`log`].
pub fn add_entry(at: &mut At<'_>, now: Moment, record_type: u8, data: [u8; 13]) -> Result<u16, Error> {
    let mut record = [0; 16];
    record[2] = record_type;
    record[3..].copy_from_slice(&data);
    log(at, now, record)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    fn record(record_type: u8) -> Record {
        let mut record = [0xaa; 16];
        record[2] = record_type;
        record
    }

    #[test]
    fn a_log_nobody_enabled_is_full() {
        let mut sel = Sel::default();
        assert_eq!(sel.add(at(1), record(2)), Err(Error::Full));
        assert_eq!(sel.flags(), OVERFLOW);
    }

    #[test]
    fn records_get_id_and_time() {
        let mut sel = Sel::default();
        sel.enable(3, 0xff);
        sel.set_time(at(10), 0x60000000);
        assert_eq!(sel.add(at(12), record(0xdf)), Ok(1));
        assert_eq!(sel.add(at(13), record(0xe0)), Ok(2));
        let (first, next) = sel.find(0).unwrap();
        assert_eq!(first[..8], [1, 0, 0xdf, 2, 0, 0, 0x60, 0xaa]);
        assert_eq!(next, 2);
        assert_eq!(sel.find(0xffff).unwrap().0[..8], [2, 0, 0xe0, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa]);
        assert_eq!(sel.last_add_time(), 0x60000003);
        assert_eq!(sel.flags(), 0x0b);
    }

    #[test]
    fn delete_and_clear_forget_the_overflow_but_not_the_counter() {
        let mut sel = Sel::default();
        sel.enable(1, 0);
        assert_eq!(sel.add(at(1), record(2)), Ok(1));
        assert_eq!(sel.add(at(1), record(2)), Err(Error::Full));
        assert_eq!(sel.delete(at(2), 0xffff), Some(1));
        assert_eq!((sel.flags(), sel.last_erase_time()), (0, 2));
        assert_eq!(sel.delete(at(3), 0xffff), None);
        assert_eq!((sel.last_add_time(), sel.last_erase_time()), (1, 2));
        assert_eq!(sel.add(at(2), record(2)), Ok(2));
        sel.clear(at(5));
        assert_eq!(sel.last_erase_time(), 5);
        assert_eq!(sel.add(at(6), record(2)), Ok(3));
    }

    #[test]
    fn more_records_than_capacity_may_be_restored() {
        let mut sel = Sel::default();
        sel.enable(1, 0);
        sel.restore(vec![record(2), record(3), record(4)], 7, 8, -5);
        assert_eq!(sel.records().len(), 3);
        assert_eq!(sel.add(at(6), record(2)), Err(Error::Full));
        assert_eq!((sel.last_add_time(), sel.last_erase_time(), sel.time(at(6))), (7, 8, 1));
    }

    #[test]
    fn reservations_skip_zero() {
        let mut sel = Sel::default();
        sel.enable(1, SUPPORTS_RESERVE);
        sel.reservation = 0xffff;
        assert_eq!(sel.reserve(), 1);
        assert!(sel.reservation_holds(0) && sel.reservation_holds(1) && !sel.reservation_holds(0xffff));
    }
    #[test]
    fn the_clock_never_starts_before_the_newest_record() {
        let stamped = |record_type: u8, time: u32| {
            let mut record = record(record_type);
            record[3..7].copy_from_slice(&time.to_le_bytes());
            record
        };
        for (records, time) in [
            (vec![], 8),
            (vec![stamped(2, 5000)], 5000),
            (vec![stamped(2, 7)], 8),
            (vec![stamped(2, 9000), stamped(2, 5000)], 5000),
            (vec![stamped(2, u32::MAX)], 8),
            (vec![stamped(0xe0, 5000)], 8),
        ] {
            let mut sel = Sel::default();
            sel.enable(10, 0);
            sel.restore(records, 0, 0, -2);
            sel.catch_up(at(10));
            assert_eq!(sel.time(at(10)), time);
            assert_eq!(sel.time(at(11)), time + 1);
        }
    }

    #[test]
    fn room_is_what_is_left_and_never_less_than_none() {
        let mut sel = Sel::default();
        sel.enable(2, 0);
        assert_eq!(sel.free(), 2);
        sel.restore(vec![record(2), record(3), record(4)], 0, 0, 0);
        assert_eq!(sel.free(), 0);
    }
}
