//! A list of records that carry their id in their first two bytes: the order of entry, the
//! look-up by id and the hand-out of free ids that SEL and SDR repositories share.
//!
//! Knows nothing of what is in a record behind its id, nor of capacities and times.

/// The id that means the first record in a request; never a record's own.
pub const FIRST: u16 = 0x0000;
/// The id that means the last record in a request and "no further record" in a response.
pub const LAST: u16 = 0xffff;

/// Records in order of entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records<T> {
    entries: Vec<T>,
    /// Whether the ids ascend in order of entry, so that a binary search finds them. Only
    /// ids that fill holes after a restart break this.
    ascending: bool,
    next_id: u16,
}

impl<T> Default for Records<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), ascending: true, next_id: 1 }
    }
}

/// The id in the first two bytes of a record, least significant first; 0 if it has none.
pub fn id_of(record: &[u8]) -> u16 {
    match record {
        [low, high, ..] => u16::from_le_bytes([*low, *high]),
        _ => FIRST,
    }
}

fn set_id(record: &mut [u8], id: u16) {
    if let Some(bytes) = record.get_mut(..2) {
        bytes.copy_from_slice(&id.to_le_bytes());
    }
}

/// Which of the 65536 ids are taken.
struct UsedIds(Vec<u64>);

impl UsedIds {
    fn new() -> Self {
        // The two ids with a meaning of their own count as taken.
        let mut used = Self(vec![0; 1024]);
        used.insert(FIRST);
        used.insert(LAST);
        used
    }

    /// Takes `id`; false if it was taken.
    fn insert(&mut self, id: u16) -> bool {
        let (word, bit) = (usize::from(id >> 6), 1u64 << (id & 63));
        let free = self.0[word] & bit == 0;
        self.0[word] |= bit;
        free
    }

    /// The first free id from `start` upwards, round the corner if need be.
    fn free_from(&self, start: u16) -> Option<u16> {
        (start..=LAST).chain(FIRST..start).find(|id| self.0[usize::from(id >> 6)] & (1 << (id & 63)) == 0)
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Records<T> {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The records in order of entry.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &T> {
        self.entries.iter()
    }

    /// The record at a place.
    pub fn get(&self, index: usize) -> Option<&T> {
        self.entries.get(index)
    }

    /// The place of the record with this id.
    pub fn position(&self, id: u16) -> Option<usize> {
        if self.ascending {
            self.entries.binary_search_by_key(&id, |entry| id_of(entry.as_ref())).ok()
        } else {
            self.entries.iter().position(|entry| id_of(entry.as_ref()) == id)
        }
    }

    /// The place a request means by `id`: [`FIRST`], [`LAST`] or a record's own id.
    pub fn resolve(&self, id: u16) -> Option<usize> {
        match id {
            FIRST if !self.is_empty() => Some(0),
            LAST => self.len().checked_sub(1),
            _ => self.position(id),
        }
    }

    /// The id of the record behind the one at `index`; [`LAST`] if that is the last one.
    pub fn following(&self, index: usize) -> u16 {
        self.entries.get(index + 1).map_or(LAST, |entry| id_of(entry.as_ref()))
    }

    /// Hands out the next free id and moves the counter behind it. Deleted ids come round
    /// again only when the counter has wrapped. `None`: all 65534 are taken.
    pub fn allocate(&mut self) -> Option<u16> {
        let next = self.next_id;
        let id = if next != FIRST && next != LAST && self.position(next).is_none() {
            next
        } else {
            self.used().free_from(next)?
        };
        self.next_id = id.wrapping_add(1);
        Some(id)
    }

    fn used(&self) -> UsedIds {
        let mut used = UsedIds::new();
        for entry in &self.entries {
            used.insert(id_of(entry.as_ref()));
        }
        used
    }

    /// Appends a record that has got its id from [`Self::allocate`].
    pub fn push(&mut self, mut entry: T, id: u16) {
        set_id(entry.as_mut(), id);
        self.ascending &= self.entries.last().is_none_or(|last| id_of(last.as_ref()) < id);
        self.entries.push(entry);
    }

    /// Takes out the record at a place.
    pub fn remove(&mut self, index: usize) -> Option<T> {
        (index < self.entries.len()).then(|| self.entries.remove(index))
    }

    /// Takes out all records; the id counter goes on.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.ascending = true;
    }

    /// Replaces all records by stored ones, oldest first, and starts the id counter anew.
    /// Ids are those of the data; a record whose id is taken, [`FIRST`] or [`LAST`] gets a
    /// free one, so that look-up, "next id" and data always agree. Returns how many were
    /// left out because no id was free.
    pub fn restore(&mut self, mut entries: Vec<T>) -> usize {
        let mut used = UsedIds::new();
        let misfits: Vec<usize> = entries
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| (!used.insert(id_of(entry.as_ref()))).then_some(index))
            .collect();
        let mut start = 1;
        let mut dropped = Vec::new();
        for index in misfits {
            match used.free_from(start) {
                Some(id) => {
                    used.insert(id);
                    set_id(entries[index].as_mut(), id);
                    start = id;
                }
                None => dropped.push(index),
            }
        }
        for index in dropped.iter().rev() {
            entries.remove(*index);
        }
        self.ascending = entries.windows(2).all(|pair| id_of(pair[0].as_ref()) < id_of(pair[1].as_ref()));
        self.entries = entries;
        self.next_id = 1;
        dropped.len()
    }

    /// Makes the id counter go on behind the highest id in use.
    pub fn continue_behind_highest(&mut self) {
        let highest = self.entries.iter().map(|entry| id_of(entry.as_ref())).max().unwrap_or(FIRST);
        self.next_id = highest.wrapping_add(1);
    }

    /// Forgets records and counter.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(ids: &[u16]) -> Records<Vec<u8>> {
        let mut records = Records::default();
        records.restore(ids.iter().map(|id| id.to_le_bytes().to_vec()).collect());
        records
    }

    fn ids(records: &Records<Vec<u8>>) -> Vec<u16> {
        records.iter().map(|entry| id_of(entry)).collect()
    }

    #[test]
    fn holes_are_filled_from_one_after_a_restart() {
        let mut records = list(&[1, 3, 4]);
        for expected in [2, 5] {
            let id = records.allocate().unwrap();
            records.push(vec![0; 2], id);
            assert_eq!(id, expected);
        }
        assert_eq!(ids(&records), [1, 3, 4, 2, 5]);
        assert_eq!(records.position(2), Some(3));
        assert_eq!(records.following(2), 2);
        assert_eq!(records.following(4), LAST);
    }

    #[test]
    fn the_special_ids_are_never_handed_out() {
        let mut records: Records<Vec<u8>> = Records::default();
        let mut last = 0;
        for _ in 0..65534 {
            last = records.allocate().unwrap();
        }
        assert_eq!(last, 0xfffe);
        assert_eq!(records.allocate(), Some(1), "nothing was kept, so the counter wraps to 1");
    }

    #[test]
    fn a_full_list_has_no_id_left() {
        let mut records = list(&(1..LAST).collect::<Vec<_>>());
        assert_eq!(records.allocate(), None);
        records.remove(records.position(0x1234).unwrap());
        assert_eq!(records.allocate(), Some(0x1234));
    }

    #[test]
    fn doubles_and_special_ids_are_renumbered_on_restore() {
        assert_eq!(ids(&list(&[5, 5, 0, 0xffff, 1])), [5, 2, 3, 4, 1]);
    }

    #[test]
    fn first_and_last() {
        let records = list(&[7, 9]);
        assert_eq!(records.resolve(FIRST), Some(0));
        assert_eq!(records.resolve(LAST), Some(1));
        assert_eq!(records.resolve(8), None);
        let empty = list(&[]);
        assert_eq!(empty.resolve(FIRST), None);
        assert_eq!(empty.resolve(LAST), None);
    }
}
