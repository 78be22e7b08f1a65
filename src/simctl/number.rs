//! Numbers as the command line has them: decimal, or hexadecimal with 0x.

use std::time::Duration;

/// A number of at most `T`'s size.
///
/// # Errors
/// What was expected, in a few words.
pub(super) fn number<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let number = match digits {
        // from_str_radix takes a sign.
        Some(digits) if digits.starts_with(['+', '-']) => None,
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None if text.starts_with('+') => None,
        None => text.parse().ok(),
    };
    let largest = u64::MAX >> (64 - 8 * size_of::<T>().clamp(1, 8));
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| format!("expected a number of at most {largest}, decimal or with 0x"))
}

/// A byte.
///
/// # Errors
/// What was expected.
pub(super) fn byte(text: &str) -> Result<u8, String> {
    number(text)
}

/// A time span as `30s`, `1m 30s`, `250ms`, or a number of seconds.
///
/// # Errors
/// What was expected.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    }
    .ok_or_else(|| "expected a time span, such as 30s, 500ms or 2m".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_and_hexadecimal_numbers_that_fit() {
        assert_eq!((byte("32"), byte("0x20"), byte("0XfF")), (Ok(32), Ok(32), Ok(255)));
        assert_eq!(number::<u16>("65535"), Ok(65535));
        for wrong in ["256", "0x100", "-1", "+1", "0x+1", "0x", "", "x", "1 "] {
            assert_eq!(byte(wrong), Err("expected a number of at most 255, decimal or with 0x".into()), "{wrong}");
        }
    }

    #[test]
    fn a_time_span_without_unit_is_in_seconds() {
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(duration("-1").is_err() && duration("soon").is_err() && duration("nan").is_err());
    }
}
