//! Times as they are written: RFC 3339, UTC, milliseconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time by the wall clock.
pub(super) fn of(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// Seconds since 1970.
pub(super) fn of_seconds(seconds: u32) -> String {
    of(UNIX_EPOCH + Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds_and_are_utc() {
        assert_eq!(of(UNIX_EPOCH + Duration::from_micros(1_764_473_224_123_456)), "2025-11-30T03:27:04.123Z");
        assert_eq!(of_seconds(u32::MAX), "2106-02-07T06:28:15.000Z");
    }
}
