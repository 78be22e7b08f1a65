//! The power meter of a controller's machine: what tells its power, and what was seen of that.
//!
//! Owns the statistics. Nothing runs for it: they are brought up to date when the power changes or somebody asks.

use std::collections::VecDeque;
use std::time::Duration;

use super::sensor_id::Place;
use crate::ipmi::Moment;

/// Changes of the power that are remembered for readings of the last seconds to hours.
const MOST_CHANGES: usize = 128;

/// A power reading with its statistics, in watts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Now.
    pub current: u16,
    /// Lowest of the period.
    pub minimum: u16,
    /// Highest of the period.
    pub maximum: u16,
    /// Average over the period.
    pub average: u16,
    /// How long the period is.
    pub period: Duration,
}

/// What was seen of the power.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// When they were begun.
    started: Option<Moment>,
    /// Since when which power was drawn, oldest first: the last is the present one.
    changes: VecDeque<(Moment, u16)>,
    minimum: u16,
    maximum: u16,
    /// Watts times milliseconds up to the last change.
    sum: u64,
    /// Where the power is modelled, what was seen last of how long the machine was on.
    pub(super) on_time: Duration,
    /// When that was seen, and whether the machine was on.
    pub(super) seen: Option<(Moment, bool)>,
}

fn energy(watts: u16, time: Duration) -> u64 {
    u64::from(watts).saturating_mul(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn average(energy: u64, time: Duration, present: u16) -> u16 {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let average = energy.saturating_add(milliseconds / 2).checked_div(milliseconds);
    average.map_or(present, |average| u16::try_from(average).unwrap_or(u16::MAX))
}

impl Statistics {
    /// From `now` on `watts` are drawn.
    pub fn observe(&mut self, now: Moment, watts: u16) {
        let Some((last, before)) = self.changes.back().copied() else {
            self.started = Some(now);
            (self.minimum, self.maximum) = (watts, watts);
            self.changes.push_back((now, watts));
            return;
        };
        if watts == before {
            return;
        }
        self.sum = self.sum.saturating_add(energy(before, now.since(last)));
        self.minimum = self.minimum.min(watts);
        self.maximum = self.maximum.max(watts);
        self.changes.push_back((now.max(last), watts));
        if self.changes.len() > MOST_CHANGES {
            self.changes.pop_front();
        }
    }

    /// Since they were begun.
    pub fn total(&self, now: Moment) -> Option<Reading> {
        let ((last, current), started) = (self.changes.back().copied()?, self.started?);
        let period = now.since(started);
        let sum = self.sum.saturating_add(energy(current, now.since(last)));
        let average = average(sum, period, current);
        Some(Reading { current, minimum: self.minimum, maximum: self.maximum, average, period })
    }

    /// Over the last `length`, or as far back as changes are remembered.
    pub fn window(&self, now: Moment, length: Duration) -> Option<Reading> {
        let (oldest, _) = self.changes.front().copied()?;
        let (_, current) = self.changes.back().copied()?;
        let start = (now - length).max(oldest);
        let ends = self.changes.iter().skip(1).map(|(moment, _)| *moment).chain([now]);
        let mut reading =
            Reading { current, minimum: current, maximum: current, average: current, period: now.since(start) };
        let mut sum = 0u64;
        for ((begin, watts), end) in self.changes.iter().copied().zip(ends) {
            // What ended before the window began has no part in it.
            if end < start || end == start && end != now {
                continue;
            }
            sum = sum.saturating_add(energy(watts, end.since(begin.max(start))));
            reading.minimum = reading.minimum.min(watts);
            reading.maximum = reading.maximum.max(watts);
        }
        reading.average = average(sum, reading.period, current);
        Some(reading)
    }

    /// Begins anew with what is drawn now.
    pub fn reset(&mut self, now: Moment) {
        let present = self.changes.back().map(|(_, watts)| *watts);
        let (on_time, seen) = (self.on_time, self.seen);
        *self = Self { on_time, seen, ..Self::default() };
        if let Some(watts) = present {
            self.observe(now, watts);
        }
    }
}

/// A counter of energy. It never goes back.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    joules: f64,
    /// Up to when they are counted.
    until: Option<Moment>,
    /// What is drawn from then on, where that is a number.
    watts: f64,
}

impl Counter {
    /// Up to when it has counted.
    pub fn until(&self) -> Option<Moment> {
        self.until
    }

    /// Joules so far.
    pub fn joules(&self) -> f64 {
        self.joules
    }

    /// The power was what it was.
    pub fn pass(&mut self, now: Moment) {
        let length = self.until.map_or(Duration::ZERO, |until| now.since(until));
        self.add(now, self.watts * length.as_secs_f64());
    }

    /// From `now` on the power is `watts`.
    pub fn change(&mut self, now: Moment, watts: f64) {
        self.pass(now);
        self.watts = watts;
    }

    /// So many joules were drawn up to `now`.
    pub fn add(&mut self, now: Moment, joules: f64) {
        self.until = self.until.max(Some(now));
        // What gives power back is no consumer.
        self.joules += joules.max(0.0);
    }
}

/// The meter of one controller.
#[derive(Debug, Default)]
pub struct PowerMeter {
    /// `mc_set_dcmi_power`: the sensor that tells the power, in watts. Without one it is modelled.
    pub sensor: Option<Place>,
    pub(super) statistics: Statistics,
    pub(super) counter: Counter,
}

impl PowerMeter {
    /// So many watts are drawn from `now` on.
    pub(super) fn reads(&mut self, now: Moment, watts: f64) {
        self.statistics.observe(now, watts.round().clamp(0.0, f64::from(u16::MAX)) as u16);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::bmc) fn at(milliseconds: u64) -> Moment {
        Moment::new(Duration::from_millis(milliseconds))
    }

    /// What is read of these powers in watts over so many milliseconds.
    pub(in crate::bmc) fn reading(
        current: u16,
        minimum: u16,
        maximum: u16,
        average: u16,
        milliseconds: u64,
    ) -> Option<Reading> {
        Some(Reading { current, minimum, maximum, average, period: Duration::from_millis(milliseconds) })
    }

    #[test]
    fn statistics_weigh_each_power_with_its_time() {
        let mut statistics = Statistics::default();
        assert_eq!(statistics.total(at(0)), None);
        statistics.observe(at(1000), 100);
        assert_eq!(statistics.total(at(1000)), reading(100, 100, 100, 100, 0));
        statistics.observe(at(2000), 100);
        statistics.observe(at(4000), 200);
        assert_eq!(statistics.total(at(5000)), reading(200, 100, 200, 125, 4000));
        statistics.observe(at(5000), 50);
        assert_eq!(statistics.total(at(9000)), reading(50, 50, 200, 88, 8000));
        statistics.reset(at(9000));
        assert_eq!(statistics.total(at(9500)), reading(50, 50, 50, 50, 500));
    }

    #[test]
    fn the_counter_counts_what_was_drawn_meanwhile() {
        let mut counter = Counter::default();
        counter.change(at(1000), 100.0);
        assert_eq!((counter.joules(), counter.until()), (0.0, Some(at(1000))));
        counter.change(at(3500), 40.0);
        counter.pass(at(4500));
        assert_eq!(counter.joules(), 290.0);
        counter.add(at(5000), 7.5);
        counter.pass(at(5000));
        assert_eq!((counter.joules(), counter.until()), (297.5, Some(at(5000))));
    }

    #[test]
    fn a_window_looks_back_only_so_far() {
        let mut statistics = Statistics::default();
        for (moment, watts) in [(0, 100), (10_000, 300), (20_000, 200)] {
            statistics.observe(at(moment), watts);
        }
        let window = |seconds| statistics.window(at(25_000), Duration::from_secs(seconds));
        assert_eq!(window(1), reading(200, 200, 200, 200, 1000));
        assert_eq!(window(5), reading(200, 200, 200, 200, 5000));
        assert_eq!(window(10), reading(200, 200, 300, 250, 10_000));
        assert_eq!(window(3600), reading(200, 100, 300, 200, 25_000), "as long as it was looked at");
        assert_eq!(statistics.window(at(20_000), Duration::from_secs(5)).map(|it| it.average), Some(300));
    }

    #[test]
    fn what_is_remembered_of_changes_is_limited() {
        let mut statistics = Statistics::default();
        for change in 0..10_000u64 {
            statistics.observe(at(change * 1000), 100 + (change % 2) as u16);
        }
        assert_eq!(statistics.changes.len(), MOST_CHANGES);
        let hour = statistics.window(at(10_000_000), Duration::from_secs(3600)).expect("observed");
        assert_eq!(hour.period, Duration::from_secs(MOST_CHANGES as u64));
        let total = statistics.total(at(10_000_000)).expect("observed");
        assert_eq!((total.minimum, total.maximum, total.period), (100, 101, Duration::from_secs(10_000)));
    }
}
