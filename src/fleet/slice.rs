//! `--slice I/N`: a part of a fleet, so that several processes share one list.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;
use std::str::FromStr;

/// Slice I of N: of so many parts of a fleet one behind the other, which differ by at most one BMC, this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// From 1 to `of`.
    number: NonZeroU32,
    of: NonZeroU32,
}

impl Default for Slice {
    /// The whole fleet.
    fn default() -> Self {
        Self { number: NonZeroU32::MIN, of: NonZeroU32::MIN }
    }
}

impl Slice {
    /// Whether there are others.
    pub fn is_part(self) -> bool {
        self.of > NonZeroU32::MIN
    }

    /// Which of so many BMCs are in it, from 0.
    pub(super) fn range(self, count: usize) -> Range<usize> {
        let border = |slices: u32| (count as u128 * u128::from(slices) / u128::from(self.of.get())) as usize;
        border(self.number.get() - 1)..border(self.number.get())
    }
}

impl FromStr for Slice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str| digits.parse().ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_digit()));
        match text.split_once('/').map(|(slice, of)| (number(slice), number(of))) {
            Some((Some(slice), Some(of))) if slice <= of => Ok(Self { number: slice, of }),
            Some((Some(_), Some(of))) => Err(format!("expected a slice from 1/{of} to {of}/{of}")),
            _ => Err("expected the number of a slice, from 1, and how many there are, as 1/4".into()),
        }
    }
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(text: &str) -> Slice {
        text.parse().unwrap()
    }

    #[test]
    fn slices_are_one_behind_the_other_and_equal_but_for_one() {
        assert_eq!(slice("1/4").range(1000), 0..250);
        assert_eq!(slice("4/4").range(1000), 750..1000);
        assert_eq!([1, 2, 3].map(|number| slice(&format!("{number}/3")).range(8)), [0..2, 2..5, 5..8]);
        assert_eq!([1, 2, 3].map(|number| slice(&format!("{number}/3")).range(2)), [0..0, 0..1, 1..2]);
        assert_eq!(slice("4294967295/4294967295").range(usize::MAX).end, usize::MAX);
        assert_eq!(Slice::default().range(7), 0..7);
        assert!(slice("2/2").is_part() && !slice("1/1").is_part());
    }

    #[test]
    fn what_is_no_slice_is_told() {
        assert_eq!(slice("2/4").to_string(), "2/4");
        for text in ["", "1", "/", "1/", "/4", "0/4", "1/0", "+1/4", "1/4/4", "a/4", "-1/4", " 1/4", "1/4294967296"] {
            let why = "expected the number of a slice, from 1, and how many there are, as 1/4";
            assert_eq!(text.parse::<Slice>(), Err(why.into()), "{text}");
        }
        assert_eq!("5/4".parse::<Slice>(), Err("expected a slice from 1/4 to 4/4".into()));
    }
}
