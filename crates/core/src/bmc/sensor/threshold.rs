//! Comparing a reading with thresholds (`commands-sensor-storage.md` section 4.2).

use super::{Notice, Sensor};
use crate::bmc::event::Direction;

/// The six thresholds, in the order of status bits, masks and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// LNC
    LowerNonCritical,
    /// LC
    LowerCritical,
    /// LNR
    LowerNonRecoverable,
    /// UNC
    UpperNonCritical,
    /// UC
    UpperCritical,
    /// UNR
    UpperNonRecoverable,
}

impl Threshold {
    /// All of them, in the order in which they are compared and reported.
    pub const ALL: [Self; 6] = [
        Self::LowerNonCritical,
        Self::LowerCritical,
        Self::LowerNonRecoverable,
        Self::UpperNonCritical,
        Self::UpperCritical,
        Self::UpperNonRecoverable,
    ];

    /// 0 to 5.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its bit in masks and in the comparison status.
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LowerNonCritical => "lower non-critical",
            Self::LowerCritical => "lower critical",
            Self::LowerNonRecoverable => "lower non-recoverable",
            Self::UpperNonCritical => "upper non-critical",
            Self::UpperCritical => "upper critical",
            Self::UpperNonRecoverable => "upper non-recoverable",
        }
    }

    /// Whether it is crossed from above.
    const fn is_lower(self) -> bool {
        (self as u8) < Self::UpperNonCritical as u8
    }

    /// Event offset: "going low" of a lower, "going high" of an upper threshold, for
    /// assertion and deassertion alike.
    const fn offset(self) -> u8 {
        2 * self as u8 + if self.is_lower() { 0 } else { 1 }
    }

    /// The bit of its event in event enables.
    pub(super) const fn event(self) -> u16 {
        1 << self.offset()
    }
}

/// Event data 1 with a trigger reading in byte 2 and a threshold in byte 3.
const READING_AND_THRESHOLD: u8 = 0x50;

impl Sensor {
    /// The lowest and the highest position ([`Scale::position`](super::Scale::position)) of a reading that changes nothing of
    /// what [`compare`](Self::compare) has made of the last one.
    pub(super) fn calm(&self) -> (i32, i32) {
        let compared = Threshold::ALL.iter().filter(|threshold| self.thresholds.compared & threshold.bit() != 0);
        compared.fold((i32::MIN, i32::MAX), |(low, high), threshold| {
            let limit = self.scale.position(self.thresholds.values[threshold.index()]);
            let held = self.status & u16::from(threshold.bit()) != 0;
            match (threshold.is_lower(), held) {
                (true, false) => (low.max(limit + 1), high),
                (true, true) => (low, high.min(limit + i32::from(self.hysteresis.negative))),
                (false, false) => (low, high.min(limit - 1)),
                (false, true) => (low.max(limit - i32::from(self.hysteresis.positive)), high),
            }
        })
    }

    /// Compares the reading with every threshold that it is to be compared with, keeps the
    /// status and says which enabled events that gives, in order.
    ///
    /// A threshold is left only when the reading is more than the hysteresis away from it,
    /// in integers without limit. Hysteresis is an unsigned number of counts in each format
    /// (IPMI 2.0 table 43-1 bytes 43 and 44).
    pub(super) fn compare(&mut self) -> [Option<Notice>; 6] {
        let value = self.scale.position(self.value);
        Threshold::ALL.map(|threshold| {
            if self.thresholds.compared & threshold.bit() == 0 {
                return None;
            }
            let limit = self.scale.position(self.thresholds.values[threshold.index()]);
            let (entered, left) = if threshold.is_lower() {
                (value <= limit, value - i32::from(self.hysteresis.negative) > limit)
            } else {
                (value >= limit, value + i32::from(self.hysteresis.positive) < limit)
            };
            let bit = u16::from(threshold.bit());
            let held = self.status & bit != 0;
            let (direction, enabled) = if entered && !held {
                self.status |= bit;
                self.left &= !bit;
                (Direction::Assertion, self.assertions.enabled)
            } else if left && held {
                self.status &= !bit;
                self.left |= bit;
                (Direction::Deassertion, self.deassertions.enabled)
            } else {
                return None;
            };
            let offset = threshold.offset();
            (enabled & (1 << offset) != 0).then_some(Notice {
                direction,
                data: [READING_AND_THRESHOLD | offset, self.value, self.thresholds.values[threshold.index()]],
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bmc::sensor::{EventMask, Format, Hysteresis, Scale, Support, Thresholds};

    fn sensor() -> Sensor {
        let all = EventMask { supported: 0x0fff, enabled: 0x0fff };
        Sensor {
            assertions: all,
            deassertions: all,
            hysteresis: Hysteresis { support: Support::Settable, positive: 3, negative: 2 },
            thresholds: Thresholds::of_mask(Support::Settable, 0x3f, [0; 6]),
            ..Sensor::default()
        }
    }

    fn only(sensor: &mut Sensor, threshold: Threshold, limit: u8) -> Option<(Direction, [u8; 3])> {
        sensor.value = 0x60;
        sensor.thresholds.compared = threshold.bit();
        sensor.thresholds.values[threshold.index()] = limit;
        sensor.compare().into_iter().flatten().next().map(|notice| (notice.direction, notice.data))
    }

    #[test]
    fn seen_examples() {
        let mut upper = sensor();
        let unc = Threshold::UpperNonCritical;
        assert_eq!(only(&mut upper, unc, 0x61), None);
        assert_eq!(only(&mut upper, unc, 0x60), Some((Direction::Assertion, [0x57, 0x60, 0x60])));
        assert_eq!(only(&mut upper, unc, 0x63), None);
        assert_eq!(only(&mut upper, unc, 0x64), Some((Direction::Deassertion, [0x57, 0x60, 0x64])));
        let mut lower = sensor();
        let lnc = Threshold::LowerNonCritical;
        assert_eq!(only(&mut lower, lnc, 0x60), Some((Direction::Assertion, [0x50, 0x60, 0x60])));
        assert_eq!(only(&mut lower, lnc, 0x5e), None);
        assert_eq!(only(&mut lower, lnc, 0x5d), Some((Direction::Deassertion, [0x50, 0x60, 0x5d])));
    }

    #[test]
    fn all_six_offsets_in_order() {
        let mut sensor = sensor();
        sensor.value = 0x60;
        sensor.thresholds.values = [0x90, 0x91, 0x92, 0x10, 0x11, 0x12];
        let offsets = sensor.compare().map(|notice| notice.unwrap().data[0]);
        assert_eq!(offsets, [0x50, 0x52, 0x54, 0x57, 0x59, 0x5b]);
        assert_eq!(sensor.status, 0x3f);
    }

    /// Within the calm readings nothing changes, and the next ones on either side change something.
    #[test]
    fn calm_readings_are_those_that_change_nothing() {
        for start in 0..=255u8 {
            let mut sensor = sensor();
            sensor.thresholds.values = [60, 40, 20, 180, 200, 220];
            for value in [start.wrapping_mul(37), start] {
                sensor.value = value;
                sensor.compare();
            }
            let (low, high) = sensor.calm();
            for value in 0..=255u8 {
                let mut moved = sensor.clone();
                moved.value = value;
                moved.compare();
                let calm = (low..=high).contains(&i32::from(value));
                assert_eq!(moved.status == sensor.status, calm, "from {start} to {value}, calm {low} to {high}");
            }
        }
    }

    #[test]
    fn status_follows_without_enabled_events() {
        let mut sensor = sensor();
        sensor.assertions.enabled = 0;
        assert_eq!(only(&mut sensor, Threshold::UpperCritical, 0x10), None);
        assert_eq!(sensor.status, 0x10);
    }

    #[test]
    fn hysteresis_reaches_beyond_a_byte() {
        let mut sensor = sensor();
        sensor.hysteresis = Hysteresis { support: Support::Settable, positive: 0xff, negative: 0xff };
        assert!(only(&mut sensor, Threshold::UpperNonCritical, 0x60).is_some());
        assert_eq!(only(&mut sensor, Threshold::UpperNonCritical, 0xff), None);
        assert_eq!(sensor.status, 0x08);
    }
    /// A margin: lower limits -100, -110, -120, upper ones -5, 0, 5.
    #[test]
    fn readings_below_zero_are_below_those_above() {
        for (format, negative) in [(Format::TwosComplement, 0u8), (Format::OnesComplement, 1)] {
            let raw = |number: i32| if number < 0 { (number as u8).wrapping_sub(negative) } else { number as u8 };
            let mut sensor = sensor();
            sensor.scale.format = format;
            sensor.thresholds.values = [-100, -110, -120, -5, 0, 5].map(raw);
            for (number, status) in [
                (-45, 0),
                (-5, 0x08),
                (2, 0x18),
                (7, 0x38),
                (-2, 0x18),
                (-5, 0x08),
                (-9, 0),
                (-105, 1),
                (-125, 7),
                (-117, 3),
                (-45, 0),
            ] {
                sensor.value = raw(number);
                sensor.compare();
                assert_eq!(sensor.status, status, "{format:?} {number}");
            }
        }
    }

    #[test]
    fn with_a_negative_factor_the_higher_reading_is_the_lower_value() {
        let mut sensor = sensor();
        sensor.scale = Scale { descending: true, ..Scale::default() };
        // 200 is the lowest limit, 20 the highest.
        sensor.thresholds.values = [180, 190, 200, 40, 30, 20];
        for (value, status) in
            [(100, 0), (40, 0x08), (10, 0x38), (43, 0x08), (44, 0), (181, 0x01), (255, 0x07), (100, 0)]
        {
            sensor.value = value;
            let events: Vec<_> = sensor.compare().into_iter().flatten().map(|notice| notice.data[0]).collect();
            assert_eq!(sensor.status, status, "{value}");
            if value == 40 {
                assert_eq!(events, [0x57], "it went high");
            }
        }
    }
}
