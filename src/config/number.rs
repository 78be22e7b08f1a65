//! Numbers by the rules of C (`emu.md` section 4, `lan-conf.md` section 2): what `strtoul`
//! and `strtol` with base 0 make of a word.

/// The magnitude, whether it is negative, and whether it is too large for 64 bits.
fn parts(text: &str) -> Option<(u64, bool, bool)> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let (negative, text) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let (radix, digits) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(rest) => (16, rest),
        None if text.starts_with('0') => (8, text),
        None => (10, text),
    };
    if digits.is_empty() {
        return None;
    }
    let (mut value, mut overflow) = (0u64, false);
    for c in digits.chars() {
        let digit = u64::from(c.to_digit(radix)?);
        match value.checked_mul(u64::from(radix)).and_then(|v| v.checked_add(digit)) {
            Some(v) => value = v,
            None => overflow = true,
        }
    }
    Some((value, negative, overflow))
}

/// An unsigned number: a negative one wraps around, one above 64 bits is the largest.
pub(crate) fn unsigned(text: &str) -> Option<u64> {
    parts(text).map(|(value, negative, overflow)| match (overflow, negative) {
        (true, _) => u64::MAX,
        (false, true) => value.wrapping_neg(),
        (false, false) => value,
    })
}

/// A signed number, held at the ends of 64 bits.
pub(crate) fn signed(text: &str) -> Option<i64> {
    parts(text).map(|(value, negative, overflow)| {
        let value = if overflow { i128::from(u64::MAX) } else { i128::from(value) };
        let value = if negative { -value } else { value };
        value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    })
}

/// Modulo 2^32, as the original stores it.
pub(crate) fn u32_of(value: u64) -> u32 {
    value as u32
}

/// Modulo 256, as the original stores it.
pub(crate) fn u8_of(value: u64) -> u8 {
    value as u8
}

/// Modulo 2^32 in two's complement, as the original stores it.
pub(crate) fn i32_of(value: i64) -> i32 {
    value as i32
}

/// What to say about a word that is not a number, with the likely cause if it shows.
pub(crate) fn complaint(text: &str) -> String {
    let all = |test: fn(&char) -> bool| !text.is_empty() && text.chars().all(|c| test(&c));
    let hint = if all(char::is_ascii_hexdigit) && text.starts_with('0') && all(char::is_ascii_digit) {
        "; a leading 0 means octal".to_string()
    } else if all(char::is_ascii_hexdigit) && text.len() <= 16 {
        format!("; did you mean 0x{text}?")
    } else if text.contains('.') && text.parse::<f64>().is_ok() {
        "; it must be a whole number".to_string()
    } else {
        String::new()
    };
    format!("{} is not a number such as 31 or 0x1f{hint}", super::text::quote(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_conventions() {
        for (text, value) in [
            ("0", 0),
            ("00", 0),
            ("10", 10),
            ("010", 8),
            ("0x1F", 31),
            ("0Xff", 255),
            ("+5", 5),
            ("-1", u64::MAX),
            ("-0x10", u64::MAX - 15),
            ("18446744073709551615", u64::MAX),
            ("99999999999999999999", u64::MAX),
            ("-99999999999999999999", u64::MAX),
            ("\x0b7", 7),
        ] {
            assert_eq!(unsigned(text), Some(value), "{text}");
        }
        for text in ["", "08", "1f", "0x", "0b1", "1e3", "1.5", "10#x", "+-5", "- 5", "5 ", "0x1g", "\u{663}"] {
            assert_eq!(unsigned(text), None, "{text}");
            assert_eq!(signed(text), None, "{text}");
        }
    }

    #[test]
    fn stored_sizes_wrap() {
        assert_eq!(u8_of(unsigned("0x130").unwrap_or_default()), 0x30);
        assert_eq!(u8_of(unsigned("-1").unwrap_or_default()), 255);
        assert_eq!(u32_of(unsigned("-1").unwrap_or_default()), u32::MAX);
        assert_eq!(u32_of(unsigned("4294967298").unwrap_or_default()), 2);
        assert_eq!(i32_of(signed("-128").unwrap_or_default()), -128);
        assert_eq!(signed("99999999999999999999"), Some(i64::MAX));
        assert_eq!(signed("-99999999999999999999"), Some(i64::MIN));
        assert_eq!(signed("-9223372036854775808"), Some(i64::MIN));
    }

    #[test]
    fn complaints_name_the_cause() {
        assert_eq!(complaint("zz"), "'zz' is not a number such as 31 or 0x1f");
        assert!(complaint("1f").ends_with("did you mean 0x1f?"));
        assert!(complaint("08").ends_with("a leading 0 means octal"));
        assert!(complaint("1.5").ends_with("whole number"));
    }
}
