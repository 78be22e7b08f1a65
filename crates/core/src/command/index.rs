//! Where in its table a command's row is, so that it is found at once: a datagram's way looks twice.

use super::Entry;

/// The place of each command in a table, by its number.
///
/// It does not hold the table: a table that is read when compiling is there twice afterwards.
pub(super) struct Index([u8; 0x80]);

const ABSENT: u8 = u8::MAX;

impl Index {
    /// The index of a table; made when compiling, which fails for a command from 80h on.
    pub(super) const fn new(table: &[Entry]) -> Self {
        let mut places = [ABSENT; 0x80];
        let mut at = 0;
        while at < table.len() {
            places[table[at].cmd as usize] = at as u8;
            at += 1;
        }
        Self(places)
    }

    /// The row of a command in the table that this is the index of.
    pub(super) fn find(&self, table: &'static [Entry], cmd: u8) -> Option<&'static Entry> {
        let place = *self.0.get(usize::from(cmd))?;
        table.get(usize::from(place))
    }
}
