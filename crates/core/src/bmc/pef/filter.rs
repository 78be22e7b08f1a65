//! Event filters: which events they match (IPMI 2.0 section 17.7 and table 17-2).
//!
//! Owns the reading of a filter's bytes. Stores none, and does nothing about what matches.

use crate::bmc::sel::Record;

/// What is to be done about an event: a byte of a filter, of the action global control (parameter 2), and of the event
/// that tells of it.
pub mod action {
    /// Send alerts.
    pub const ALERT: u8 = 0x01;
    /// Power off.
    pub const POWER_OFF: u8 = 0x02;
    /// Reset.
    pub const RESET: u8 = 0x04;
    /// Power cycle.
    pub const POWER_CYCLE: u8 = 0x08;
    /// Diagnostic interrupt.
    pub const DIAGNOSTIC_INTERRUPT: u8 = 0x20;
    /// Those that are done here: not what an OEM or a group would do.
    pub const KNOWN: u8 = ALERT | POWER_OFF | RESET | POWER_CYCLE | DIAGNOSTIC_INTERRUPT;
}

/// A byte of a filter that matches any.
const ANY: u8 = 0xff;
/// Configuration byte: the filter is enabled.
const ENABLED: u8 = 0x80;

/// A filter as parameter 6 has it, its number included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Filter<'a>(pub(super) &'a [u8; 21]);

impl Filter<'_> {
    /// Its number.
    pub(super) fn number(self) -> u8 {
        self.0[0] & 0x7f
    }

    /// What it wants done: bits of [`action`].
    pub(super) fn actions(self) -> u8 {
        self.0[2]
    }

    /// The alert policy, 0 to 15.
    pub(super) fn policy(self) -> u8 {
        self.0[3] & 0x0f
    }

    /// The severity that its alerts tell; the higher the worse.
    pub(super) fn severity(self) -> u8 {
        self.0[4]
    }

    /// Whether it is enabled and matches a system event record.
    pub(super) fn matches(self, record: &Record) -> bool {
        let [
            _,
            configuration,
            _,
            _,
            _,
            low,
            high,
            sensor_type,
            sensor,
            trigger,
            offsets @ ..,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
        ] = *self.0;
        let [.., generator_low, generator_high, _, of_type, number, kind, data_1, _, _] = *record;
        let fields = [
            (low, generator_low),
            (high, generator_high),
            (sensor_type, of_type),
            (sensor, number),
            // With the direction: 01h is the assertion of a threshold, 81h its deassertion.
            (trigger, kind),
        ];
        configuration & ENABLED != 0
            && fields.iter().all(|(wanted, has)| *wanted == ANY || wanted == has)
            && u16::from_le_bytes(offsets) & 1 << (data_1 & 0x0f) != 0
            && self.0[12..].chunks_exact(3).zip(&record[13..]).all(|(test, data)| fits(test, *data))
    }
}

/// Whether an event data byte passes its test: AND mask, compare 1, compare 2 (IPMI 2.0 section 17.8). Of the bits that
/// the mask leaves, those with a 1 in compare 1 all have to be as in compare 2; of the others, if there are any, one at
/// least.
fn fits(test: &[u8], data: u8) -> bool {
    let &[mask, exact, wanted] = test else { return false };
    let differs = data ^ wanted;
    let others = mask & !exact;
    differs & mask & exact == 0 && (others == 0 || differs & others != others)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enabled, policy 1, any sensor, any event.
    const OPEN: [u8; 21] =
        [3, 0x80, 0x01, 0x01, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    /// Sensor 7 of the BMC, a temperature, upper critical going high.
    const EVENT: Record = [1, 0, 2, 0, 0, 0, 0, 0x20, 0, 4, 1, 7, 0x01, 0x59, 0x60, 0x5f];

    fn with(at: usize, bytes: &[u8]) -> [u8; 21] {
        let mut filter = OPEN;
        filter[at..at + bytes.len()].copy_from_slice(bytes);
        filter
    }

    fn matches(at: usize, bytes: &[u8]) -> bool {
        Filter(&with(at, bytes)).matches(&EVENT)
    }

    #[test]
    fn every_field_has_to_match() {
        assert!(matches(0, &[3]));
        assert!(!matches(1, &[0x00]), "disabled");
        for (at, byte) in [(5, 0x20), (6, 0), (7, 1), (8, 7), (9, 0x01)] {
            assert!(matches(at, &[byte]), "byte {at}");
            assert!(!matches(at, &[byte ^ 0x80]), "byte {at}");
        }
        assert!(matches(10, &[0x00, 0x02]), "offset 9");
        assert!(!matches(10, &[0xff, 0xfd]), "all others");
    }

    #[test]
    fn event_data_are_compared_bit_by_bit() {
        // Data 2 is 60h.
        assert!(matches(15, &[0xff, 0xff, 0x60]), "all bits");
        assert!(!matches(15, &[0xff, 0xff, 0x61]));
        assert!(matches(15, &[0xf0, 0xff, 0x6f]), "masked off");
        assert!(matches(15, &[0x60, 0x00, 0x40]), "one of two");
        assert!(!matches(15, &[0x60, 0x00, 0x00]), "none of two");
        assert!(matches(15, &[0x61, 0x40, 0x40]), "one exact, one of two others");
        assert!(!matches(15, &[0x61, 0x40, 0x01]), "the exact one differs");
        assert!(!matches(18, &[0xff, 0xff, 0x60]), "data 3 is another");
        assert!(matches(12, &[0xf0, 0xf0, 0x50]), "data 1");
    }
}
