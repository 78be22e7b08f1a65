//! Values over time that were written down somewhere else, such as a column of a table.

use std::fmt;

/// Points of one block; of blocks, blocks of the next level.
const BLOCK: usize = 16;
/// Microseconds of a second.
const SECOND: f64 = 1e6;

/// What a recording is between two of its points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Between {
    /// The value of the earlier point.
    Hold,
    /// On the straight line from the one to the other.
    Linear,
}

/// What a recording is behind its last point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Behind {
    /// The value of the last point, for ever.
    Stop,
    /// It begins again. The last point lasts as long as the one before it, a single one for a second.
    Repeat,
}

/// Values at times. Nothing in it changes, so any number of systems may have one of them in memory.
#[derive(Clone, PartialEq)]
pub struct Recording {
    text: String,
    /// Microseconds since the first point, and the value.
    points: Box<[(i64, f64)]>,
    /// Lowest and highest value of each block of points, of each block of those, and so on up to a single one.
    blocks: Vec<Box<[Bounds]>>,
    between: Between,
    behind: Behind,
}

/// Lowest and highest value.
type Bounds = (f64, f64);

const NOTHING: Bounds = (f64::INFINITY, f64::NEG_INFINITY);

fn join(one: Bounds, other: Bounds) -> Bounds {
    (one.0.min(other.0), one.1.max(other.1))
}

fn microseconds(seconds: f64) -> i64 {
    // What is too large is cut, which is as good as for ever.
    (seconds * SECOND).round().max(0.0) as i64
}

// No value is NaN.
impl Eq for Recording {}

impl Recording {
    /// The recording of these points: seconds, each later than the one before, and a value. `text` is how it is said in a
    /// statement. `None` without a point, or with a value that is no number.
    pub fn new(text: String, points: &[(f64, f64)], between: Between, behind: Behind) -> Option<Self> {
        let (start, _) = *points.first()?;
        if points.iter().any(|(_, value)| value.is_nan()) {
            return None;
        }
        let points: Box<[_]> = points.iter().map(|(time, value)| (microseconds(time - start), *value)).collect();
        let mut level: Box<[Bounds]> = points.iter().map(|(_, value)| (*value, *value)).collect();
        let mut blocks = Vec::new();
        while level.len() > 1 {
            level = level.chunks(BLOCK).map(|block| block.iter().copied().fold(NOTHING, join)).collect();
            blocks.push(level.clone());
        }
        Some(Self { text, points, blocks, between, behind })
    }

    /// How many points it has.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Never: it has a point at least.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Microseconds after which it begins again, or up to its last point.
    fn length(&self) -> i64 {
        let last = self.points.last().map_or(0, |(at, _)| *at);
        let before = self.points.iter().rev().nth(1).map_or(last - SECOND as i64, |(at, _)| *at);
        match self.behind {
            Behind::Stop => last,
            Behind::Repeat => last + (last - before),
        }
    }

    /// The last point that is not behind a time.
    fn index(&self, at: i64) -> usize {
        self.points.partition_point(|(time, _)| *time <= at).saturating_sub(1)
    }

    /// The point of a number; behind the last one that which comes next, if any.
    fn point(&self, index: usize) -> Option<(i64, f64)> {
        let again = || self.points.first().filter(|_| self.behind == Behind::Repeat);
        self.points.get(index).copied().or_else(|| again().map(|(_, value)| (self.length(), *value)))
    }

    /// What it is at a time of its first run.
    fn at(&self, at: i64) -> f64 {
        let index = self.index(at);
        let Some((time, value)) = self.point(index) else { return 0.0 };
        match self.point(index + 1).filter(|_| self.between == Between::Linear) {
            Some((next, other)) => value + (other - value) * ((at - time) as f64 / (next - time) as f64),
            None => value,
        }
    }

    /// A time as one of the first run.
    fn within(&self, at: i64) -> i64 {
        match self.behind {
            Behind::Stop => at.min(self.length()),
            Behind::Repeat => at % self.length(),
        }
    }

    /// What it is so many seconds after its first point.
    pub fn value(&self, time: f64) -> f64 {
        self.at(self.within(microseconds(time)))
    }

    /// The first of its points behind a time, in seconds; infinite where there is none.
    pub fn next_point(&self, time: f64) -> f64 {
        let at = microseconds(time);
        let within = self.within(at);
        let next = self.point(self.index(within) + 1).filter(|(next, _)| *next > within);
        next.map_or(f64::INFINITY, |(next, _)| (at - within + next) as f64 / SECOND)
    }

    /// Lowest and highest value from one time to another, both included, in seconds; the second may be infinite.
    pub fn bounds(&self, from: f64, to: f64) -> (f64, f64) {
        let (from, to) = (microseconds(from), microseconds(to));
        if self.behind == Behind::Repeat && to - from >= self.length() {
            return self.extremes(0, self.points.len());
        }
        let (from, to) = (self.within(from), self.within(to));
        if from <= to {
            return self.window(from, to);
        }
        join(self.window(from, self.length() - 1), self.window(0, to))
    }

    /// The same within the first run.
    fn window(&self, from: i64, to: i64) -> Bounds {
        let (first, last) = (self.index(from), self.index(to));
        match self.between {
            Between::Hold => self.extremes(first, last + 1),
            Between::Linear => {
                let ends = [self.at(from), self.at(to)].map(|value| (value, value));
                ends.into_iter().fold(self.extremes(first + 1, last + 1), join)
            }
        }
    }

    /// Lowest and highest value of the points from one to before another.
    fn extremes(&self, mut first: usize, mut end: usize) -> Bounds {
        let mut all = NOTHING;
        let mut level = 0;
        while first < end {
            while first < end && !first.is_multiple_of(BLOCK) {
                all = join(all, self.block(level, first));
                first += 1;
            }
            while first < end && !end.is_multiple_of(BLOCK) {
                end -= 1;
                all = join(all, self.block(level, end));
            }
            (first, end, level) = (first / BLOCK, end / BLOCK, level + 1);
        }
        all
    }

    fn block(&self, level: usize, index: usize) -> Bounds {
        let point = || self.points.get(index).map(|(_, value)| (*value, *value));
        let found = match level.checked_sub(1) {
            None => point(),
            Some(level) => self.blocks.get(level).and_then(|blocks| blocks.get(index)).copied(),
        };
        found.unwrap_or(NOTHING)
    }
}

impl fmt::Display for Recording {
    /// As it is said in a statement.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recording({}, {} points)", self.text, self.points.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: [(Between, Behind); 4] = [
        (Between::Hold, Behind::Stop),
        (Between::Linear, Behind::Stop),
        (Between::Hold, Behind::Repeat),
        (Between::Linear, Behind::Repeat),
    ];

    fn recording(points: &[(f64, f64)], (between, behind): (Between, Behind)) -> Recording {
        Recording::new(String::new(), points, between, behind).expect("a point")
    }

    /// Points at uneven times whose values jump about.
    fn jumpy(count: u32) -> Vec<(f64, f64)> {
        let mut time = 1_700_000_000.0;
        (0..count)
            .map(|n| {
                (time, {
                    time += f64::from(1 + n * 7 % 5) * 0.1;
                    f64::from(n * 37 % 101)
                })
            })
            .collect()
    }

    #[test]
    fn between_and_behind_points_it_is_what_was_asked_for() {
        let points = [(10.0, 1.0), (12.0, 5.0), (13.0, 3.0)];
        for (how, expected) in EACH.into_iter().zip([
            [1.0, 1.0, 5.0, 5.0, 3.0, 3.0, 3.0, 3.0],
            [1.0, 3.0, 5.0, 4.0, 3.0, 3.0, 3.0, 3.0],
            [1.0, 1.0, 5.0, 5.0, 3.0, 3.0, 1.0, 1.0],
            [1.0, 3.0, 5.0, 4.0, 3.0, 2.0, 1.0, 3.0],
        ]) {
            let recording = recording(&points, how);
            let read = [0.0, 1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0].map(|time| recording.value(time));
            assert_eq!(read, expected, "{how:?}");
        }
        let alone = recording(&[(3.0, 7.0)], (Between::Linear, Behind::Repeat));
        assert_eq!((alone.value(0.0), alone.value(1e9), alone.bounds(0.5, f64::INFINITY)), (7.0, 7.0, (7.0, 7.0)));
        assert_eq!(Recording::new(String::new(), &[], Between::Hold, Behind::Stop), None);
    }

    #[test]
    fn bounds_are_those_of_all_values_between_two_times() {
        let points = jumpy(300);
        for how in EACH {
            let recording = recording(&points, how);
            for case in 0..300 {
                let (from, length) = (f64::from(case) * 0.9, 0.05 * 1.03f64.powi(case));
                let (low, high) = recording.bounds(from, from + length);
                let corners = std::iter::successors(Some(from), |time| Some(recording.next_point(*time)));
                let inside = corners.skip(1).take_while(|time| *time <= from + length).take(1000);
                let values = inside.chain([from, from + length]).map(|time| recording.value(time));
                let seen = values.fold(NOTHING, |seen, value| join(seen, (value, value)));
                if length < 1000.0 {
                    let wrapped = how == (Between::Hold, Behind::Repeat);
                    assert!(low <= seen.0 && high >= seen.1, "{how:?} {from} {length}: {low} {high} {seen:?}");
                    assert!(wrapped || (low - seen.0).abs() < 1e-9 && (high - seen.1).abs() < 1e-9, "{how:?} {from}");
                }
            }
            assert_eq!(recording.bounds(0.0, f64::INFINITY), (0.0, 100.0), "{how:?}");
        }
    }

    #[test]
    fn behind_the_last_point_nothing_comes_unless_it_repeats() {
        let points = [(0.0, 1.0), (2.0, 9.0), (4.0, 5.0)];
        let stopped = recording(&points, (Between::Linear, Behind::Stop));
        assert_eq!(
            (stopped.next_point(0.0), stopped.next_point(3.9), stopped.next_point(4.0)),
            (2.0, 4.0, f64::INFINITY)
        );
        assert_eq!(stopped.bounds(4.0, f64::INFINITY), (5.0, 5.0));
        let again = recording(&points, (Between::Linear, Behind::Repeat));
        assert_eq!((again.next_point(4.0), again.next_point(601.0)), (6.0, 602.0));
    }
}
