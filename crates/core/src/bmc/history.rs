//! The last bytes that came from the port of serial over LAN (`sol.md` section 9).
//!
//! Owns those bytes and nothing else: neither who reads them nor where they are kept.

use std::collections::VecDeque;

/// What stands at the end of every copy, so that a reader knows that it has everything.
pub const END_OF_HISTORY: &[u8] = b"\r\n<End Of History>\r\n";

/// The last `capacity` bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    bytes: VecDeque<u8>,
    capacity: usize,
}

impl History {
    /// An empty history of at most `capacity` bytes (`history=`). Memory is taken as bytes come.
    pub fn new(capacity: usize) -> Self {
        Self { bytes: VecDeque::new(), capacity }
    }

    /// How many bytes are kept now.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends bytes; the oldest make room.
    pub fn push(&mut self, bytes: &[u8]) {
        let newest = &bytes[bytes.len().saturating_sub(self.capacity)..];
        let surplus = (self.bytes.len() + newest.len()).saturating_sub(self.capacity);
        self.bytes.drain(..surplus.min(self.bytes.len()));
        self.bytes.extend(newest);
    }

    /// A copy as a reader sees it: the newest `limit` bytes (all with `None`) and
    /// [`END_OF_HISTORY`].
    pub fn snapshot(&self, limit: Option<usize>) -> Vec<u8> {
        let count = limit.map_or(self.bytes.len(), |limit| limit.min(self.bytes.len()));
        let mut copy = Vec::with_capacity(count + END_OF_HISTORY.len());
        copy.extend(self.bytes.range(self.bytes.len() - count..));
        copy.extend_from_slice(END_OF_HISTORY);
        copy
    }

    /// The plain bytes, for the backup file.
    pub fn to_backup(&self) -> Vec<u8> {
        self.bytes.iter().copied().collect()
    }

    /// Takes the content of a backup file before what has come since; of all that the newest
    /// bytes.
    pub fn restore(&mut self, backup: &[u8]) {
        let since = self.to_backup();
        self.clear();
        self.push(backup);
        self.push(&since);
    }

    /// Forgets everything (`readclear`).
    pub fn clear(&mut self) {
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(history: &History) -> Vec<u8> {
        history.to_backup()
    }

    #[test]
    fn a_single_byte_is_kept_and_shown() {
        let mut history = History::new(10);
        history.push(b"x");
        assert_eq!(history.snapshot(None), b"x\r\n<End Of History>\r\n");
        history.push(b"y");
        assert_eq!(history.snapshot(None), b"xy\r\n<End Of History>\r\n");
    }

    #[test]
    fn an_empty_history_is_only_the_end_message() {
        assert_eq!(History::new(10).snapshot(None), END_OF_HISTORY);
        let mut none = History::new(0);
        none.push(b"anything");
        assert_eq!(none.snapshot(None), END_OF_HISTORY);
    }

    #[test]
    fn always_exactly_the_newest_bytes_however_they_come() {
        for capacity in [1, 2, 7, 64, 100] {
            let mut history = History::new(capacity);
            let mut all: Vec<u8> = Vec::new();
            for (step, size) in [1usize, 3, 0, 99, 100, 101, 250, 7, 64, 1].iter().cycle().take(60).enumerate() {
                let piece: Vec<u8> = (0..*size).map(|i| (step * 31 + i) as u8).collect();
                history.push(&piece);
                all.extend(&piece);
                let kept = &all[all.len().saturating_sub(capacity)..];
                assert_eq!(text(&history), kept, "capacity {capacity}, step {step}");
                assert_eq!(history.len(), kept.len());
            }
        }
    }

    #[test]
    fn a_limit_shows_the_newest_bytes() {
        let mut history = History::new(100);
        history.push(b"abcdef");
        assert_eq!(history.snapshot(Some(2)), b"ef\r\n<End Of History>\r\n");
        assert_eq!(history.snapshot(Some(0)), END_OF_HISTORY);
        assert_eq!(history.snapshot(Some(1000)), history.snapshot(None));
    }

    #[test]
    fn a_backup_comes_back() {
        let mut history = History::new(4);
        history.push(b"abcdef");
        let backup = history.to_backup();
        assert_eq!(backup, b"cdef");
        let mut again = History::new(4);
        again.restore(&backup);
        assert_eq!(again, history);
        // What came before the file was read is newer than the file.
        let mut later = History::new(5);
        later.push(b"gh");
        later.restore(&backup);
        assert_eq!(text(&later), b"defgh");
        let mut smaller = History::new(3);
        smaller.restore(&backup);
        assert_eq!(text(&smaller), b"def");
    }

    #[test]
    fn clear_empties() {
        let mut history = History::new(4);
        history.push(b"abc");
        history.clear();
        assert!(history.is_empty());
        assert_eq!(history.snapshot(None), END_OF_HISTORY);
        history.push(b"de");
        assert_eq!(text(&history), b"de");
    }
}
