//! Signals: values as functions of time, for readings that nobody sets.
//!
//! A signal has no state: what it is at a time follows from its parameters, a key for those that are random, and the time.
//! So it costs nothing while nobody looks, and it can say within which bounds it stays over a span of time, from which
//! [`first_outside`] finds when it leaves a range. Knows no sensor.

use std::f64::consts::TAU;
use std::fmt;
use std::sync::Arc;

use crate::ipmi::Recording;

/// The values between two bounds, both included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Span {
    pub(super) fn of(one: f64, other: f64) -> Self {
        Self { low: one.min(other), high: one.max(other) }
    }

    pub(super) fn point(value: f64) -> Self {
        Self { low: value, high: value }
    }

    pub(super) fn with(self, value: f64) -> Self {
        Self { low: self.low.min(value), high: self.high.max(value) }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high + other.high }
    }

    pub(super) fn times(self, factor: f64) -> Self {
        Self::of(self.low * factor, self.high * factor)
    }

    /// All products of a value of this and one of the other.
    pub(super) fn product(self, other: Self) -> Self {
        let corners = [self.low * other.high, self.high * other.low, self.high * other.high];
        corners.into_iter().fold(Self::point(self.low * other.low), Self::with)
    }

    pub(super) fn clamp(self, low: f64, high: f64) -> Self {
        // The lower bound wins where the two are the wrong way round.
        let clip = |value: f64| value.min(high).max(low);
        Self { low: clip(self.low), high: clip(self.high) }
    }
}

/// How a value changes over time. Times are in seconds since the signal began; values have the unit of whoever uses it.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// Always this value.
    Constant(f64),
    /// From one value to another in so many seconds, then the other.
    Line {
        /// At the beginning.
        from: f64,
        /// At the end.
        to: f64,
        /// Seconds between the two.
        over: f64,
    },
    /// `mean + amplitude * sin(2 pi (time + phase) / period)`
    Sine {
        /// The middle.
        mean: f64,
        /// Highest distance from the middle.
        amplitude: f64,
        /// Seconds of a whole wave; above 0.
        period: f64,
        /// By how many seconds the wave is ahead.
        phase: f64,
    },
    /// Wanders at random, never further than the amplitude from the middle: the sum of eight random lines, each twice
    /// as slow as the one before and by the square root of 2 larger, as a random walk looks at each scale.
    Walk {
        /// The middle.
        mean: f64,
        /// Highest distance from the middle.
        amplitude: f64,
        /// Seconds between two corners of the fastest line; above 0.
        step: f64,
    },
    /// A value between `mean - amplitude` and `mean + amplitude` for each step, all equally likely.
    Noise {
        /// The middle.
        mean: f64,
        /// Highest distance from the middle.
        amplitude: f64,
        /// Seconds that a value holds; above 0.
        step: f64,
    },
    /// What was written down somewhere else.
    Recording(Arc<Recording>),
}

/// Lines that make a walk.
const OCTAVES: u32 = 8;
/// Steps that are looked at one by one for the bounds of a random signal; of more, all that is possible counts.
const MOST_STEPS: i64 = 16;

/// A number from -1 to 1 that depends on nothing but the key, the stream and the counter (the mixing function of
/// SplitMix64, over each of them).
fn random(key: u64, stream: u32, counter: i64) -> f64 {
    let bits = mix(mix(key ^ mix(u64::from(stream))) ^ counter as u64);
    // 53 bits are what a number can hold.
    (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// Spreads a change of any bit over all bits.
pub(in crate::bmc) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The random line of a stream, whose corners are `step` seconds apart.
fn line(key: u64, stream: u32, step: f64, time: f64) -> f64 {
    let place = time / step;
    let corner = place.floor();
    let (one, other) = (random(key, stream, corner as i64), random(key, stream, corner as i64 + 1));
    one + (other - one) * (place - corner)
}

/// Step and weight of each line of a walk; the weights add up to 1.
fn octaves(step: f64) -> impl Iterator<Item = (u32, f64, f64)> {
    let sum: f64 = (0..OCTAVES).map(|octave| 2f64.powf(f64::from(octave) / 2.0)).sum();
    (0..OCTAVES).map(move |octave| {
        let scale = f64::from(octave);
        (octave, step * 2f64.powf(scale), 2f64.powf(scale / 2.0) / sum)
    })
}

impl fmt::Display for Signal {
    /// As it is said in a statement.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(value) => write!(f, "constant {value}"),
            Self::Line { from, to, over } => write!(f, "line from {from} to {to} over {over}"),
            Self::Sine { mean, amplitude, period, phase } => {
                write!(f, "sine mean {mean} amplitude {amplitude} period {period}")?;
                if *phase == 0.0 { Ok(()) } else { write!(f, " phase {phase}") }
            }
            Self::Walk { mean, amplitude, step } => write!(f, "walk mean {mean} amplitude {amplitude} step {step}"),
            Self::Noise { mean, amplitude, step } => write!(f, "noise mean {mean} amplitude {amplitude} step {step}"),
            Self::Recording(recording) => recording.fmt(f),
        }
    }
}

impl Signal {
    /// Whether it is drawn by lot, so that its future can only be looked through.
    pub(super) fn is_random(&self) -> bool {
        matches!(self, Self::Walk { .. } | Self::Noise { .. })
    }

    /// What it is at a time, for the key of whom it is for.
    pub(super) fn value(&self, key: u64, time: f64) -> f64 {
        match *self {
            Self::Constant(value) => value,
            Self::Line { to, over, .. } if time >= over => to,
            Self::Line { from, to, over } => from + (to - from) * (time / over),
            Self::Sine { mean, amplitude, period, phase } => mean + amplitude * (TAU * ((time + phase) / period)).sin(),
            Self::Walk { mean, amplitude, step } => {
                let lines = octaves(step).map(|(octave, step, weight)| weight * line(key, octave, step, time));
                mean + amplitude * lines.sum::<f64>()
            }
            Self::Noise { mean, amplitude, step } => mean + amplitude * random(key, 0, (time / step).floor() as i64),
            Self::Recording(ref recording) => recording.value(time),
        }
    }

    /// When it has its next corner or jump behind a time; infinite where it has none. Between two it is smooth, and no more
    /// of a wave than an eighth.
    pub(super) fn next_corner(&self, time: f64) -> f64 {
        let next = |step: f64| {
            let next = ((time / step).floor() + 1.0) * step;
            if next > time { next } else { next + step }
        };
        match *self {
            Self::Constant(_) => f64::INFINITY,
            Self::Line { over, .. } if time < over => over,
            Self::Line { .. } => f64::INFINITY,
            Self::Sine { period, .. } => next(period / 8.0),
            Self::Walk { step, .. } | Self::Noise { step, .. } => next(step),
            Self::Recording(ref recording) => recording.next_point(time),
        }
    }

    /// Bounds of what it is from one time to another, which may be infinite. They are as narrow as they can be where the
    /// two are near each other.
    pub(super) fn span(&self, key: u64, from: f64, to: f64) -> Span {
        if from == to {
            return Span::point(self.value(key, from));
        }
        match *self {
            Self::Constant(value) => Span::point(value),
            Self::Line { .. } => Span::of(self.value(key, from), self.value(key, to)),
            Self::Sine { mean, amplitude, period, phase } => {
                if to - from >= period {
                    return Span::of(mean - amplitude, mean + amplitude);
                }
                let ends = Span::of(self.value(key, from), self.value(key, to));
                // The crest and the trough, if they lie between.
                [(0.25, mean + amplitude), (0.75, mean - amplitude)].into_iter().fold(ends, |span, (at, value)| {
                    let next = (((from + phase) / period - at).ceil() + at) * period - phase;
                    if next <= to { span.with(value) } else { span }
                })
            }
            Self::Walk { mean, amplitude, step } => {
                let lines =
                    octaves(step).map(|(octave, step, weight)| line_span(key, octave, step, from, to).times(weight));
                lines.fold(Span::point(0.0), Span::plus).times(amplitude).plus(Span::point(mean))
            }
            Self::Noise { mean, amplitude, step } => {
                let (first, last) = ((from / step).floor(), (to / step).floor());
                if last - first > MOST_STEPS as f64 {
                    return Span::of(mean - amplitude, mean + amplitude);
                }
                let values = (first as i64..=last as i64).map(|step| mean + amplitude * random(key, 0, step));
                values.fold(Span::point(self.value(key, from)), Span::with)
            }
            Self::Recording(ref recording) => {
                let (low, high) = recording.bounds(from, to);
                Span { low, high }
            }
        }
    }
}

/// Bounds of [`line`].
fn line_span(key: u64, stream: u32, step: f64, from: f64, to: f64) -> Span {
    let (first, last) = ((from / step).floor() + 1.0, (to / step).floor());
    if last - first > MOST_STEPS as f64 {
        return Span::of(-1.0, 1.0);
    }
    let ends = Span::of(line(key, stream, step, from), line(key, stream, step, to));
    (first as i64..=last as i64).map(|corner| random(key, stream, corner)).fold(ends, Span::with)
}

/// What a look ahead has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ahead {
    /// The first time, in milliseconds, at which it is outside.
    Outside(i64),
    /// It stays inside as far as was asked.
    Inside,
    /// It stays inside before this time, in milliseconds; what is then was not looked at.
    NotSeen(i64),
}

/// The first millisecond from `from` to `to`, both included, at which something is outside of a range. `inside` says of two
/// times whether it is certain that it stays inside from the one to the other, and is exact where they are the same.
/// It is asked at most as often as `looks` says, and never for what is already known.
pub(super) fn first_outside(from: i64, to: i64, looks: &mut u32, inside: &impl Fn(i64, i64) -> bool) -> Ahead {
    if *looks == 0 {
        return Ahead::NotSeen(from);
    }
    *looks -= 1;
    if inside(from, to) {
        return Ahead::Inside;
    }
    if from >= to {
        return Ahead::Outside(from);
    }
    let middle = from + (to - from) / 2;
    match first_outside(from, middle, looks, inside) {
        Ahead::Inside => first_outside(middle + 1, to, looks, inside),
        found => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipmi::{Behind, Between};

    /// A recording of some points at uneven times, whole milliseconds.
    fn recording(case: u64, between: Between, behind: Behind) -> Signal {
        let mut time = 0.0;
        let point = |row: i64| {
            time += 0.1 + (random(case, 107, row) + 1.0).floor() + 0.5;
            (time, 30.0 * random(case, 108, row))
        };
        let points: Vec<_> = (0..3 + case as i64 % 40).map(point).collect();
        Signal::Recording(Recording::new(String::new(), &points, between, behind).expect("points").into())
    }

    /// Signals of each shape, with numbers that depend on `case`.
    fn signals(case: u64) -> [Signal; 9] {
        let number = |stream, low: f64, high: f64| low + (high - low) * (random(case, stream, 7) + 1.0) / 2.0;
        let (mean, amplitude) = (number(100, -50.0, 50.0), number(101, -20.0, 20.0));
        [
            Signal::Constant(mean),
            Signal::Line { from: mean, to: mean + amplitude, over: number(102, 0.0, 60.0) },
            Signal::Sine { mean, amplitude, period: number(103, 0.2, 90.0), phase: number(104, -50.0, 50.0) },
            Signal::Walk { mean, amplitude, step: number(105, 0.05, 3.0) },
            Signal::Noise { mean, amplitude, step: number(106, 0.05, 3.0) },
            recording(case, Between::Hold, Behind::Stop),
            recording(case, Between::Hold, Behind::Repeat),
            recording(case, Between::Linear, Behind::Stop),
            recording(case, Between::Linear, Behind::Repeat),
        ]
    }

    #[test]
    fn what_is_sampled_lies_within_the_bounds() {
        for case in 0..200 {
            for signal in signals(case) {
                let (from, length) = (case as f64 * 0.37, 0.01 * 1.07f64.powi(case as i32));
                let span = signal.span(case, from, from + length);
                let ever = signal.span(case, from, f64::INFINITY);
                for sample in 0..=500 {
                    let value = signal.value(case, from + length * f64::from(sample) / 500.0);
                    assert!(span.low - 1e-9 <= value && value <= span.high + 1e-9, "{signal:?} {value} {span:?}");
                    assert!(ever.low - 1e-9 <= value && value <= ever.high + 1e-9, "{signal:?} {value} {ever:?}");
                }
            }
        }
    }

    #[test]
    fn bounds_are_narrow_where_times_are_near() {
        for case in 0..100 {
            for signal in signals(case) {
                let Span { low, high } = signal.span(case, 5.0, 5.001);
                let slope = match signal {
                    Signal::Noise { .. } => continue,
                    // Where it holds, it jumps.
                    Signal::Recording(_) => 60.0 / 0.6 + if high - low > 0.1 { f64::INFINITY } else { 0.0 },
                    Signal::Line { over, .. } => 20.0 / over,
                    _ => 20.0 * TAU / 0.05,
                };
                assert!(high - low <= slope * 0.001, "{signal:?} {low} {high}");
            }
        }
    }

    /// The next crossing is the first of all milliseconds, each looked at, at which the value is outside.
    #[test]
    fn the_next_crossing_is_what_dense_sampling_finds() {
        let mut found = [0; 9];
        for case in 0..120u64 {
            for (shape, signal) in signals(case).into_iter().enumerate() {
                let time = |milliseconds: i64| milliseconds as f64 / 1000.0;
                let start = signal.value(case, 0.0);
                let reach = 0.2 + 8.0 * (random(case, 9, shape as i64) + 1.0);
                let inside = |value: f64| (value - start).abs() < reach;
                let sampled = (0..=20_000).find(|at| !inside(signal.value(case, time(*at))));
                let mut looks = u32::MAX;
                let ahead = first_outside(0, 20_000, &mut looks, &|from, to| {
                    let span = signal.span(case, time(from), time(to));
                    inside(span.low) && inside(span.high)
                });
                assert_eq!(ahead, sampled.map_or(Ahead::Inside, Ahead::Outside), "{signal:?} {reach}");
                found[shape] += u32::from(sampled.is_some());
                assert!(u32::MAX - looks < 40_000, "{signal:?}: {} looks", u32::MAX - looks);
            }
        }
        assert!(found[0] == 0 && found[1..].iter().all(|found| *found > 10), "{found:?} crossings");
    }

    #[test]
    fn a_look_ahead_ends_when_it_has_looked_often_enough() {
        let odd = |from: i64, to: i64| from == to && from < 5000;
        let mut looks = 100;
        let Ahead::NotSeen(at) = first_outside(0, 10_000, &mut looks, &odd) else { panic!("seen") };
        assert!((40..60).contains(&at), "{at}");
        assert_eq!(first_outside(4990, 10_000, &mut 100, &odd), Ahead::Outside(5000));
    }

    #[test]
    fn what_is_random_is_spread_over_all_of_its_range() {
        let noise = Signal::Noise { mean: 10.0, amplitude: 2.0, step: 1.0 };
        let values: Vec<f64> = (0..4000).map(|second| noise.value(1, f64::from(second))).collect();
        let mean = values.iter().sum::<f64>() / 4000.0;
        assert!((mean - 10.0).abs() < 0.1, "{mean}");
        for low in 0..8 {
            let low = 8.0 + f64::from(low) / 2.0;
            let share = values.iter().filter(|value| (low..low + 0.5).contains(value)).count();
            assert!((400..600).contains(&share), "{share} of 4000 from {low}");
        }
        let other: Vec<f64> = (0..4000).map(|second| noise.value(2, f64::from(second))).collect();
        assert_ne!(values, other, "another key");
    }
}
