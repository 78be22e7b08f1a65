//! The SDR repository of a controller and its device SDRs
//! (`commands-sensor-storage.md` sections 3 and 8, IPMI 2.0 sections 33 and 35).
//!
//! Owns records, ids, reservations and the repository's clock. Looks into a record only for
//! its length; what a record means for a sensor is in [`sensor`](super::sensor).

use super::clock::Clock;
use super::records::{FIRST, LAST, Records, id_of};
use super::sel::next_reservation;
use super::unsaved::{Save, Unchanged};
use super::{At, Error, StateFile};
use crate::ipmi::Moment;
use crate::shared::{Known, Shared};

/// A record: id (2), version, type, length of the body, body. Bytes behind the declared end
/// are shown to clients, as the original shows them, and count for nothing else: they are
/// neither saved nor looked at.
pub type Record = Box<[u8]>;

/// Bytes in front of a record's body.
pub const HEADER_LENGTH: usize = 5;
/// Most bytes of a record.
const MAX_RECORD_LENGTH: usize = HEADER_LENGTH + u8::MAX as usize;
/// Operation support as Get SDR Repository Info says it: modal and non-modal update,
/// delete, partial add, reserve, allocation info.
pub const OPERATIONS: u8 = 0x6f;
/// How many records the repository says it has room for.
pub const CAPACITY: u16 = 1024;
/// Size of the unit in which it counts its room, in bytes.
pub const ALLOCATION_UNIT: u16 = 261;

/// How many bytes the record has by its own length byte; `None` without a whole header.
fn declared_length(record: &[u8]) -> Option<usize> {
    record.get(HEADER_LENGTH - 1).map(|&body| HEADER_LENGTH + usize::from(body))
}

/// What the original shows behind a record of a command file or a state file. Its state files
/// grow by as much at each load; ours do not.
const TAIL: [u8; 6] = [0; 6];

/// A record followed by what the original shows behind it.
fn with_tail(record: &[u8]) -> Record {
    [record, &TAIL].concat().into()
}

/// A record up to its declared end.
pub fn whole(record: &[u8]) -> &[u8] {
    let length = declared_length(record).map_or(record.len(), |length| length.min(record.len()));
    record.get(..length).unwrap_or(record)
}

/// A stored record as it should be: without the bytes behind its declared end, but for the
/// [`TAIL`]. `None`: it has no whole header, or it is one of the blank ones that the original
/// stores before it has their bytes.
fn cleaned(record: &[u8]) -> Option<Record> {
    let length = declared_length(record)?;
    // What lies behind its end is not its own: a blank record must not pass for one that is not,
    // or it would be saved and left out at the next start.
    let blank = whole(record).iter().skip(2).all(|&byte| byte == 0);
    (!blank).then(|| match record.get(..length) {
        Some(record) => with_tail(record),
        // Cut off; bytes behind it would be taken for its own.
        None => record.into(),
    })
}

/// Fills a list with stored records, oldest first, and says how many were left out because
/// they are not whole or no id was free.
fn put_back<R: AsRef<[u8]>>(list: &mut Records<Record>, stored: impl IntoIterator<Item = R>) -> usize {
    let mut left_out = 0;
    let whole = stored.into_iter().filter_map(|record| {
        let record = cleaned(record.as_ref());
        left_out += usize::from(record.is_none());
        record
    });
    let without_id = list.restore(whole.collect());
    list.continue_behind_highest();
    left_out + without_id
}

/// A Partial Add SDR under way.
#[derive(Clone, Debug)]
struct PartialAdd {
    id: u16,
    bytes: Vec<u8>,
}

/// Why a record or a part of one was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddError {
    /// Its length byte and the bytes there are do not fit together.
    LengthMismatch,
    /// The part does not belong to an addition under way, or not at this offset.
    OutOfOrder,
    /// There is no room for it, or no record id is free.
    Full,
}

/// Whether more parts of a record follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More follow.
    Partial,
    /// This is the last one.
    Last,
}

/// The SDR repository.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    records: Shared<Records<Record>>,
    /// Records put back from the state file that no `main_sdr_add` has named yet.
    unclaimed: Vec<u16>,
    /// The id of the record that nobody gave ([`provide_locator`]), while it is there.
    own: Option<u16>,
    partial: Option<PartialAdd>,
    reservation: u16,
    clock: Clock,
    last_add: u32,
    last_erase: u32,
}

impl Repository {
    /// Has what others have, too, in memory once.
    pub(super) fn share(&mut self, known: &mut Known<Records<Record>>) {
        known.share(&mut self.records);
    }

    /// The records up to their declared ends, oldest first.
    pub fn records(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.records.iter().map(|record| whole(record))
    }

    /// The records that a state file keeps: all but the one that nobody gave.
    pub fn kept(&self) -> impl Iterator<Item = &[u8]> {
        self.records().filter(|record| Some(id_of(record)) != self.own)
    }

    /// Time of the last addition, of the repository's clock.
    pub fn last_add_time(&self) -> u32 {
        self.last_add
    }

    /// Time of the last deletion or clear, of the repository's clock.
    pub fn last_erase_time(&self) -> u32 {
        self.last_erase
    }

    /// Puts back what a state file holds, oldest first, and says how many records were left
    /// out because they are not whole or no id was free. Bytes behind a record's declared end
    /// are cut off.
    /// Ids are those in the data where they are good, so look-up, "next id" and data agree.
    pub fn restore<R: AsRef<[u8]>>(
        &mut self,
        records: impl IntoIterator<Item = R>,
        last_add: u32,
        last_erase: u32,
    ) -> usize {
        let left_out = put_back(&mut self.records, records);
        self.unclaimed = self.records.iter().map(|record| id_of(record)).collect();
        self.own = None;
        self.partial = None;
        self.last_add = last_add;
        self.last_erase = last_erase;
        left_out
    }

    /// The repository's clock.
    pub fn time(&self, now: Moment) -> u32 {
        self.clock.time(now)
    }

    /// Sets the repository's clock.
    pub fn set_time(&mut self, now: Moment, time: u32) {
        self.clock.set(now, time);
    }

    /// How many more records there is room for. More than [`CAPACITY`] can come from a command file
    /// or a state file, which the original takes without counting.
    pub fn free(&self) -> u16 {
        CAPACITY.saturating_sub(u16::try_from(self.records.len()).unwrap_or(u16::MAX))
    }

    /// Makes a new reservation, which replaces the old one and ends a partial addition.
    pub fn reserve(&mut self) -> u16 {
        self.partial = None;
        self.reservation = next_reservation(self.reservation);
        self.reservation
    }

    /// Whether a request with this reservation id may go on; 0 always may.
    pub fn reservation_holds(&self, id: u16) -> bool {
        id == 0 || id == self.reservation
    }

    /// The record a request means by `id` (0000h first, FFFFh last), and the id of the next.
    pub fn find(&self, id: u16) -> Option<(&[u8], u16)> {
        let index = self.records.resolve(id)?;
        Some((self.records.get(index)?, self.records.following(index)))
    }

    /// Add SDR: adds a whole record; its id bytes are replaced. Its length byte must be right.
    ///
    /// The original looks at the byte behind the length byte instead, and takes a record that
    /// is longer than it declares when that byte is its body's length less one; so is it here.
    fn add(&mut self, now: Moment, record: &[u8]) -> Result<u16, AddError> {
        let declared = declared_length(record).ok_or(AddError::LengthMismatch)?;
        let next = record.get(HEADER_LENGTH).map(|&byte| HEADER_LENGTH + 1 + usize::from(byte));
        let taken = declared == record.len() || declared < record.len() && next == Some(record.len());
        match taken {
            true if self.free() == 0 => Err(AddError::Full),
            true => self.push(now, record.into()),
            false => Err(AddError::LengthMismatch),
        }
    }

    fn push(&mut self, now: Moment, record: Record) -> Result<u16, AddError> {
        let id = self.records.allocate().ok_or(AddError::Full)?;
        self.keep(now, record, id);
        Ok(id)
    }

    /// Takes in a record that has got its id. The one that nobody gave makes way.
    fn keep(&mut self, now: Moment, record: Record, id: u16) {
        if let Some(place) = self.own.take().and_then(|own| self.records.position(own)) {
            self.records.remove(place);
        }
        self.records.push(record, id);
        self.last_add = self.time(now);
    }

    fn add_part(&mut self, now: Moment, part: Part<'_>) -> Result<u16, AddError> {
        let Part { id, offset, progress, bytes } = part;
        let mut partial = if id == FIRST {
            if offset != 0 {
                return Err(AddError::OutOfOrder);
            }
            if self.free() == 0 {
                return Err(AddError::Full);
            }
            PartialAdd { id: self.records.allocate().ok_or(AddError::Full)?, bytes: Vec::new() }
        } else {
            match self.partial.take() {
                Some(partial) if partial.id == id && partial.bytes.len() == usize::from(offset) => partial,
                other => {
                    self.partial = other;
                    return Err(AddError::OutOfOrder);
                }
            }
        };
        let id = partial.id;
        if partial.bytes.len() + bytes.len() > MAX_RECORD_LENGTH {
            return Err(AddError::LengthMismatch);
        }
        partial.bytes.extend_from_slice(bytes);
        match progress {
            Progress::Partial => self.partial = Some(partial),
            Progress::Last => {
                if declared_length(&partial.bytes) != Some(partial.bytes.len()) {
                    return Err(AddError::LengthMismatch);
                }
                if self.free() == 0 {
                    return Err(AddError::Full);
                }
                self.partial = None;
                self.keep(now, partial.bytes.into(), id);
            }
        }
        Ok(id)
    }

    /// Deletes the record a request means by `id` and says its real id.
    fn delete(&mut self, now: Moment, id: u16) -> Option<u16> {
        let index = self.records.resolve(id)?;
        let id = id_of(&self.records.remove(index)?);
        self.unclaimed.retain(|&other| other != id);
        self.own = self.own.filter(|&own| own != id);
        self.last_erase = self.time(now);
        Some(id)
    }

    /// Deletes all records and says whether somebody gave any. The id counter goes on.
    fn clear(&mut self, now: Moment) -> bool {
        let had_records = self.kept().next().is_some();
        self.records.clear();
        self.unclaimed.clear();
        self.own = None;
        self.last_erase = self.time(now);
        had_records
    }

    /// Restores what it was; reservation and clock stay.
    pub(super) fn take_back(&mut self, before: Self) {
        let Self { reservation, clock, .. } = *self;
        *self = Self { reservation, clock, ..before };
    }

    /// Takes a record put back from the state file that has the same bytes as `record`
    /// apart from the id, if there is one that was not taken before.
    fn claim(&mut self, record: &[u8]) -> Option<u16> {
        let same = |id: u16| {
            let index = self.records.position(id)?;
            (whole(self.records.get(index)?).get(2..) == record.get(2..)).then_some(())
        };
        let place = self.unclaimed.iter().position(|&id| same(id).is_some())?;
        Some(self.unclaimed.remove(place))
    }
}

/// Add SDR: adds a whole record for a client and has it saved; its id bytes are replaced.
///
/// # Errors
/// Its length byte is not right, or there is no room.
pub fn add(at: &mut At<'_>, now: Moment, record: &[u8]) -> Result<u16, AddError> {
    at.change(StateFile::Sdr, |controller| controller.sdr.add(now, record))
}

/// A part of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Record id that the first part was given, or 0000h for the first.
    pub id: u16,
    /// Where in the record it begins.
    pub offset: u8,
    /// Whether it is the last one.
    pub progress: Progress,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Partial Add SDR (IPMI 2.0 section 33.12): adds a part of a record for a client. The first part gets the record's id;
/// the others carry that id and follow without gaps. With the last part the record appears and is saved; if its length
/// byte is wrong it is dropped.
///
/// # Errors
/// The part is not the one that follows, its length byte is not right, or there is no room.
pub fn add_part(at: &mut At<'_>, now: Moment, part: Part<'_>) -> Result<u16, AddError> {
    match part.progress {
        // Nothing that is kept changes.
        Progress::Partial => at.sdr.add_part(now, part),
        Progress::Last => at.change(StateFile::Sdr, |controller| controller.sdr.add_part(now, part)),
    }
}

/// Delete SDR: deletes the record a client means by `id` (0000h first, FFFFh last) and says its real id. `None` when
/// there is none.
pub fn delete(at: &mut At<'_>, now: Moment, id: u16) -> Option<u16> {
    let deleted = at.change_some(StateFile::Sdr, |controller| {
        let sdr = &mut controller.sdr;
        let kept = sdr.kept().count();
        let id = sdr.delete(now, id).ok_or(Unchanged)?;
        Ok::<_, Unchanged>((if sdr.kept().count() == kept { Save::NotNeeded } else { Save::Needed }, id))
    });
    deleted.ok()
}

/// Clear SDR Repository: deletes all records for a client. An empty repository leaves the state file alone:
/// `ipmitool sdr` clears it by itself when it finds no records, because it wants to rebuild the repository from device
/// SDRs, and the file may hold records that were not loaded.
pub fn clear(at: &mut At<'_>, now: Moment) {
    let _ = at.change(StateFile::Sdr, |controller| controller.sdr.clear(now).then_some(()).ok_or(Unchanged));
}

/// `main_sdr_add`: adds a record to the repository and has it saved. A record that
/// came back from the state file and is the same, apart from its id, stands for it: a command
/// file that adds its records at every start does not double them.
///
/// [`Error::NoDevice`]: the controller has no SDR repository; [`Error::Invalid`]: the length
/// byte does not fit.
pub fn add_main(at: &mut At<'_>, now: Moment, record: &[u8]) -> Result<u16, Error> {
    let controller = &mut **at;
    if !controller.device.supports(super::device_id::support::SDR_REPOSITORY) {
        return Err(Error::NoDevice);
    }
    if let Some(id) = controller.sdr.claim(record) {
        return Ok(id);
    }
    if declared_length(record) != Some(record.len()) {
        return Err(Error::Invalid);
    }
    let id = controller.sdr.push(now, with_tail(record)).map_err(|_| Error::Full)?;
    at.save_fact(StateFile::Sdr);
    Ok(id)
}

/// Record type of a management controller device locator, and its length without a name (IPMI 2.0
/// table 43-9).
const MC_LOCATOR: u8 = 0x12;
const MC_LOCATOR_LENGTH: u8 = 11;
/// Entity of a BMC: system management module.
const MANAGEMENT_MODULE: u8 = 0x06;
/// Id of the locator: the last one there is. Those that clients add begin with 1 all the same: the
/// original counts the records of a state file and takes the count for their ids.
const LOCATOR_ID: u16 = LAST - 1;
/// What the locator calls the controller, in 8-bit ASCII.
const LOCATOR_NAME: &[u8] = b"BMC";

/// Gives a controller without a single record one that names itself, at the end of the command
/// file. Clients take a repository without records for broken: ipmitool clears it, freeipmi and
/// pyghmi end with an error.
///
/// It makes way for the first record that somebody gives, goes when a client clears the repository,
/// and no state file keeps it. No record without a
/// repository, or with device SDRs, which clients read instead.
pub fn provide_locator(at: &mut At<'_>) {
    let controller = &mut **at;
    let wanted = controller.device.supports(super::device_id::support::SDR_REPOSITORY)
        && controller.sdr.records.is_empty()
        && controller.device_sdrs.populated_luns() == 0;
    if !wanted {
        return;
    }
    let name = LOCATOR_NAME.len() as u8;
    let mut record = vec![0, 0, 0x51, MC_LOCATOR, MC_LOCATOR_LENGTH + name, controller.address.0, 0, 0];
    // Its capabilities are those of Get Device ID, which clients hold against each other.
    record.extend([controller.device.device_support, 0, 0, 0, MANAGEMENT_MODULE, 1, 0, 0xc0 | name]);
    record.extend(LOCATOR_NAME);
    controller.sdr.records.push(record.into(), LOCATOR_ID);
    controller.sdr.own = Some(LOCATOR_ID);
}

/// `device_sdr_add`: adds a device SDR for `lun`. They are never saved.
///
/// [`Error::Invalid`]: LUN above 3, or not even an id; [`Error::NoDevice`]: the controller
/// has no device SDRs.
pub fn add_device(at: &mut At<'_>, now: Moment, lun: u8, record: &[u8]) -> Result<u16, Error> {
    let controller = &mut **at;
    let list = controller.device_sdrs.luns.get_mut(usize::from(lun)).ok_or(Error::Invalid)?;
    if !controller.device.has_device_sdrs {
        return Err(Error::NoDevice);
    }
    if record.len() < 2 {
        return Err(Error::Invalid);
    }
    let id = list.records.allocate().ok_or(Error::Full)?;
    list.records.push(with_tail(record), id);
    // The original uses the repository's clock for these too.
    controller.device_sdrs.change_time = controller.sdr.time(now);
    Ok(id)
}

/// Device SDRs of one LUN.
#[derive(Debug, Default)]
pub struct DeviceSdrList {
    records: Records<Record>,
    reservation: u16,
}

impl DeviceSdrList {
    /// The records up to their declared ends, oldest first.
    pub fn records(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.records.iter().map(|record| whole(record))
    }

    /// The record a request means by `id` (0000h first, FFFFh last), and the id of the next.
    pub fn find(&self, id: u16) -> Option<(&[u8], u16)> {
        let index = self.records.resolve(id)?;
        Some((self.records.get(index)?, self.records.following(index)))
    }

    /// Makes a new reservation, which replaces the old one.
    pub fn reserve(&mut self) -> u16 {
        self.reservation = next_reservation(self.reservation);
        self.reservation
    }

    /// Whether a request with this reservation id may go on; 0 always may.
    pub fn reservation_holds(&self, id: u16) -> bool {
        id == 0 || id == self.reservation
    }
}

/// Device SDRs by LUN.
#[derive(Debug, Default)]
pub struct DeviceSdrs {
    luns: [DeviceSdrList; 4],
    change_time: u32,
}

impl DeviceSdrs {
    /// Those of one LUN, 0 to 3.
    pub fn lun(&self, lun: u8) -> Option<&DeviceSdrList> {
        self.luns.get(usize::from(lun))
    }

    /// Those of one LUN, 0 to 3, to be changed.
    pub fn lun_mut(&mut self, lun: u8) -> Option<&mut DeviceSdrList> {
        self.luns.get_mut(usize::from(lun))
    }

    /// Time of the last addition, of the repository's clock; 0 if there was none.
    pub fn change_time(&self) -> u32 {
        self.change_time
    }

    /// A bit per LUN that has records.
    pub fn populated_luns(&self) -> u8 {
        (0..).zip(&self.luns).map(|(lun, list)| u8::from(!list.records.is_empty()) << lun).sum()
    }

    /// Puts back what the state file of a LUN holds, oldest first, and says how many records
    /// were left out because they are not whole or no id was free.
    pub fn restore<R: AsRef<[u8]>>(&mut self, lun: u8, records: impl IntoIterator<Item = R>) -> usize {
        let Some(list) = self.luns.get_mut(usize::from(lun)) else { return 0 };
        put_back(&mut list.records, records)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Action, Machine};
    use super::*;
    use crate::ipmi::McAddress;

    const NOW: Moment = Moment::new(Duration::from_secs(100));

    fn machine() -> Machine {
        let mut machine = Machine::default();
        let controller = machine.ensure(McAddress::BMC);
        controller.device.device_support = 0x02;
        controller.device.has_device_sdrs = true;
        machine
    }

    fn part(id: u16, offset: u8, progress: Progress, bytes: &[u8]) -> Part<'_> {
        Part { id, offset, progress, bytes }
    }

    fn repository(machine: &mut Machine) -> &mut Repository {
        &mut machine.controller_mut(McAddress::BMC).unwrap().sdr
    }

    #[test]
    fn the_length_byte_must_be_right() {
        let mut machine = machine();
        for record in [&[0, 0, 0x51, 0xc0][..], &[0, 0, 0x51, 0xc0, 1], &[0, 0, 0x51, 0xc0, 0, 1]] {
            assert_eq!(add_main(&mut machine.found(McAddress::BMC), NOW, record), Err(Error::Invalid));
        }
        assert!(machine.actions.is_empty());
        assert_eq!(add_main(&mut machine.found(McAddress::BMC), NOW, &[9, 9, 0x51, 0xc0, 1, 7]), Ok(1));
        let shown = [1, 0, 0x51, 0xc0, 1, 7, 0, 0, 0, 0, 0, 0];
        assert_eq!(repository(&mut machine).find(0), Some((&shown[..], 0xffff)));
        assert_eq!(repository(&mut machine).records().next(), Some(&shown[..6]), "what counts is the record itself");
        assert_eq!(repository(&mut machine).last_add_time(), 100);
        assert_eq!(machine.actions, [Action::save(StateFile::Sdr(McAddress::BMC))]);
        machine.controller_mut(McAddress::BMC).unwrap().device.device_support = 0;
        assert_eq!(add_main(&mut machine.found(McAddress::BMC), NOW, &[9, 9, 0x51, 0xc0, 1, 7]), Err(Error::NoDevice));
    }

    #[test]
    fn restored_records_lose_the_extra_bytes_and_keep_good_ids() {
        let mut machine = machine();
        let stored: [&[u8]; 6] = [
            &[0x2c, 1, 0x51, 0xc0, 1, 7, 0, 0, 0, 0, 0, 0],
            &[6, 0, 0x51, 0xc0, 0],
            &[6, 0, 0x51, 0xc0, 9, 1, 2],
            &[7, 0, 0, 0, 0, 0, 0],
            &[8, 0, 0x51],
            &[9, 0, 0, 0, 0, 0x41],
        ];
        assert_eq!(repository(&mut machine).restore(stored, 5, 6), 3);
        let records: Vec<&[u8]> = repository(&mut machine).records().collect();
        assert_eq!(records, [&[0x2c, 1, 0x51, 0xc0, 1, 7][..], &[6, 0, 0x51, 0xc0, 0], &[1, 0, 0x51, 0xc0, 9, 1, 2]]);
        assert_eq!(repository(&mut machine).find(300).unwrap().1, 6);
        assert_eq!(repository(&mut machine).find(6).unwrap().1, 1);
        assert_eq!(
            add_main(&mut machine.found(McAddress::BMC), NOW, &[0, 0, 0x51, 0xc0, 0]),
            Ok(6),
            "the same record is there"
        );
        assert_eq!(add_main(&mut machine.found(McAddress::BMC), NOW, &[0, 0, 0x51, 0xc0, 0]), Ok(301), "once");
    }

    #[test]
    fn parts_make_a_record() {
        let mut machine = machine();
        let sdr = repository(&mut machine);
        let id = sdr.add_part(NOW, part(0, 0, Progress::Partial, &[0, 0, 0x51, 0xc0, 3])).unwrap();
        assert_eq!(sdr.records().len(), 0);
        assert_eq!(sdr.add_part(NOW, part(id, 4, Progress::Partial, &[1])), Err(AddError::OutOfOrder));
        assert_eq!(sdr.add_part(NOW, part(id + 1, 5, Progress::Partial, &[1])), Err(AddError::OutOfOrder));
        assert_eq!(sdr.add_part(NOW, part(id, 5, Progress::Partial, &[1])), Ok(id));
        assert_eq!(sdr.add_part(NOW, part(id, 6, Progress::Last, &[2, 3])), Ok(id));
        assert_eq!(sdr.find(id), Some((&[1, 0, 0x51, 0xc0, 3, 1, 2, 3][..], 0xffff)));
        assert_eq!(sdr.add_part(NOW, part(id, 8, Progress::Last, &[2])), Err(AddError::OutOfOrder));
    }

    #[test]
    fn parts_that_do_not_fit_are_dropped() {
        let mut machine = machine();
        let sdr = repository(&mut machine);
        let id = sdr.add_part(NOW, part(0, 0, Progress::Partial, &[0, 0, 0x51, 0xc0, 3])).unwrap();
        assert_eq!(sdr.add_part(NOW, part(id, 5, Progress::Last, &[1])), Err(AddError::LengthMismatch));
        assert_eq!(sdr.add_part(NOW, part(id, 5, Progress::Last, &[1, 2, 3])), Err(AddError::OutOfOrder));
        let id = sdr.add_part(NOW, part(0, 0, Progress::Partial, &[0, 0, 0x51, 0xc0, 1])).unwrap();
        sdr.reserve();
        assert_eq!(sdr.add_part(NOW, part(id, 5, Progress::Last, &[1])), Err(AddError::OutOfOrder));
        assert_eq!(sdr.records().len(), 0);
    }

    #[test]
    fn device_lists_are_separate() {
        let mut machine = machine();
        let record = [0, 0, 0x51, 0xc0, 1, 7, 0xee];
        assert_eq!(add_device(&mut machine.found(McAddress::BMC), NOW, 1, &record), Ok(1));
        assert_eq!(add_device(&mut machine.found(McAddress::BMC), NOW, 3, &record), Ok(1));
        assert_eq!(add_device(&mut machine.found(McAddress::BMC), NOW, 4, &record), Err(Error::Invalid));
        assert_eq!(add_device(&mut machine.found(McAddress::BMC), NOW, 0, &[]), Err(Error::Invalid));
        assert!(machine.actions.is_empty(), "device SDRs are never saved");
        let sdrs = &machine.controller(McAddress::BMC).unwrap().device_sdrs;
        assert_eq!((sdrs.populated_luns(), sdrs.change_time()), (0x0a, 100));
        assert_eq!(sdrs.lun(1).unwrap().find(1), Some((&[1, 0, 0x51, 0xc0, 1, 7, 0xee, 0, 0, 0, 0, 0, 0][..], 0xffff)));
        assert_eq!(sdrs.lun(1).unwrap().records().next(), Some(&[1, 0, 0x51, 0xc0, 1, 7][..]));
    }

    #[test]
    fn what_the_original_takes_is_taken_too() {
        let mut machine = machine();
        let sdr = repository(&mut machine);
        assert_eq!(sdr.add(NOW, &[0, 0, 0x51, 0xc0, 2, 2, 7, 8]), Ok(1), "one byte more than declared");
        assert_eq!(sdr.find(1).unwrap().0, [1, 0, 0x51, 0xc0, 2, 2, 7, 8]);
        assert_eq!(sdr.records().next(), Some(&[1, 0, 0x51, 0xc0, 2, 2, 7][..]));
        assert_eq!(sdr.add(NOW, &[0, 0, 0x51, 0xc0, 9, 2, 7, 8]), Err(AddError::LengthMismatch), "not all there");
        assert_eq!(sdr.add(NOW, &[0, 0, 0x51, 0xc0, 1, 3, 7, 8]), Err(AddError::LengthMismatch));
    }
    #[test]
    fn a_controller_without_a_record_names_itself_and_no_file_keeps_that() {
        let mut machine = machine();
        provide_locator(&mut machine.found(McAddress::BMC));
        provide_locator(&mut machine.found(McAddress::BMC));
        let sdr = repository(&mut machine);
        let record = [0xfe, 0xff, 0x51, 0x12, 14, 0x20, 0, 0, 0x02, 0, 0, 0, 6, 1, 0, 0xc3, b'B', b'M', b'C'];
        assert_eq!(sdr.records().collect::<Vec<_>>(), [&record[..]]);
        assert_eq!((sdr.kept().count(), sdr.last_add_time()), (0, 0));
        assert_eq!(sdr.add(NOW, &[0, 0, 0x51, 0xc0, 9, 7]), Err(AddError::LengthMismatch));
        assert!(sdr.find(LOCATOR_ID).is_some() && sdr.find(0xffff).is_some());
        // It makes way for what somebody gives.
        assert_eq!(sdr.add(NOW, &[0, 0, 0x51, 0xc0, 1, 7]), Ok(1));
        assert_eq!(sdr.find(0).map(|(record, next)| (record[0], next)), Some((1, 0xffff)));
        assert_eq!((sdr.records().len(), sdr.kept().count()), (1, 1));
        assert_eq!(sdr.delete(NOW, 1), Some(1));
        provide_locator(&mut machine.found(McAddress::BMC));
        let sdr = repository(&mut machine);
        assert_eq!(sdr.add_part(NOW, part(0, 0, Progress::Partial, &[0, 0, 0x51, 0xc0, 1])), Ok(2));
        assert!(sdr.find(LOCATOR_ID).is_some(), "it is not there yet");
        assert_eq!(sdr.add_part(NOW, part(2, 5, Progress::Last, &[7])), Ok(2));
        assert_eq!(sdr.records().collect::<Vec<_>>(), [&[2, 0, 0x51, 0xc0, 1, 7]]);
        assert!(sdr.clear(NOW));
        // Who clears it has it empty, and nothing that somebody gave is gone.
        provide_locator(&mut machine.found(McAddress::BMC));
        let sdr = repository(&mut machine);
        assert!(!sdr.clear(NOW));
        assert_eq!(sdr.records().len(), 0);
        provide_locator(&mut machine.found(McAddress::BMC));
        add_main(&mut machine.found(McAddress::BMC), NOW, &[9, 9, 0x51, 0xc0, 1, 7]).unwrap();
        assert_eq!(repository(&mut machine).records().len(), 1);
    }

    #[test]
    fn nobody_else_gets_a_locator() {
        let mut machine = machine();
        add_main(&mut machine.found(McAddress::BMC), NOW, &[9, 9, 0x51, 0xc0, 1, 7]).unwrap();
        provide_locator(&mut machine.found(McAddress::BMC));
        assert_eq!(repository(&mut machine).records().len(), 1);
        machine.ensure(McAddress(0x30));
        provide_locator(&mut machine.found(McAddress(0x30)));
        assert_eq!(machine.ensure(McAddress(0x30)).sdr.records().len(), 0, "it has no repository");
        machine.ensure(McAddress(0x32)).device.device_support = 0x02;
        machine.ensure(McAddress(0x32)).device.has_device_sdrs = true;
        add_device(&mut machine.found(McAddress(0x32)), NOW, 0, &[0, 0, 0x51, 0xc0, 1, 7]).unwrap();
        provide_locator(&mut machine.found(McAddress(0x32)));
        assert_eq!(machine.ensure(McAddress(0x32)).sdr.records().len(), 0, "it has device SDRs");
    }
}
