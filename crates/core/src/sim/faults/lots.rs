//! Random numbers by counting: each is made of a seed, the number of a fault and how many came before, so that what one
//! fault does to another's numbers is nothing.

use std::time::Duration;

/// The next number behind one (SplitMix64; Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub(super) fn next(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The number `count` of the fault `fault`.
pub(super) fn draw(seed: u64, fault: u32, count: u64) -> u64 {
    next(next(seed ^ next(u64::from(fault))).wrapping_add(count))
}

/// An index below `end`; 0 where there is none.
pub(super) fn index(lot: u64, end: usize) -> usize {
    usize::try_from(lot % (end as u64).max(1)).unwrap_or_default()
}

/// A duration from zero up to `most`, in whole microseconds.
pub(super) fn below(lot: u64, most: Duration) -> Duration {
    let most = u64::try_from(most.as_micros()).unwrap_or(u64::MAX - 1);
    Duration::from_micros(lot % (most + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_are_even_and_those_of_two_faults_differ() {
        for (seed, fault) in [(0, 1), (0, 2), (7, 1)] {
            let lots: Vec<u64> = (0..100_000).map(|count| draw(seed, fault, count)).collect();
            let share = lots.iter().filter(|lot| **lot % 1_000_000 < 300_000).count();
            assert!((29_500..30_500).contains(&share), "{share}");
            let pairs = lots.windows(2).filter(|pair| pair.iter().all(|lot| lot % 1_000_000 < 300_000)).count();
            assert!((8_600..9_400).contains(&pairs), "one after the other: {pairs}");
        }
        assert_ne!(draw(0, 1, 5), draw(0, 2, 5));
        assert_ne!(draw(0, 1, 5), draw(1, 1, 5));
    }

    #[test]
    fn bounds_hold() {
        let most = Duration::from_millis(3);
        assert!((0..1000).all(|lot| below(next(lot), most) <= most && index(next(lot), 7) < 7));
        assert_eq!((below(5, Duration::ZERO), index(5, 0)), (Duration::ZERO, 0));
        let _ = below(u64::MAX, Duration::MAX);
    }
}
