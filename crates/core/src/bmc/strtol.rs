//! Numbers as C's `strtol` reads them: what stands in polled files and what helper programs
//! print.

/// C's `isspace`.
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// The text behind the blanks it begins with.
pub fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|&&byte| is_blank(byte)).count();
    text.get(blanks..).unwrap_or_default()
}

/// The number at the front of `text`, blanks skipped, and what follows it. Numbers beyond 64
/// bits stop at the ends. `base` is 2 to 36, or 0 for C's conventions (`0x1f`, `037`, `31`).
/// `None`: there is no such base, or no digit.
pub fn strtol(text: &[u8], base: u32) -> Option<(i64, &[u8])> {
    let text = skip_blanks(text);
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (radix, text) = match (base, text) {
        (0 | 16, [b'0', b'x' | b'X', digit, ..]) if digit.is_ascii_hexdigit() => (16, text.get(2..)?),
        (0, [b'0', ..]) => (8, text),
        (0, _) => (10, text),
        (2..=36, _) => (base, text),
        _ => return None,
    };
    let mut rest = text;
    let mut number = 0i64;
    while let Some(digit) = rest.first().and_then(|&byte| char::from(byte).to_digit(radix)) {
        let digit = i64::from(digit);
        number = number.saturating_mul(i64::from(radix));
        number = if negative { number.saturating_sub(digit) } else { number.saturating_add(digit) };
        rest = rest.get(1..)?;
    }
    (rest.len() < text.len()).then_some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_in_c() {
        for (text, base, number, rest) in [
            ("31", 0, 31, ""),
            (" \x0b-0x1F ", 0, -31, " "),
            ("037", 0, 31, ""),
            ("0", 0, 0, ""),
            ("0x", 0, 0, "x"),
            ("09", 0, 0, "9"),
            ("0x1f", 16, 31, ""),
            ("1f", 16, 31, ""),
            ("zz", 36, 1295, ""),
            ("+12abc", 10, 12, "abc"),
            ("99999999999999999999", 10, i64::MAX, ""),
            ("-99999999999999999999", 10, i64::MIN, ""),
        ] {
            assert_eq!(strtol(text.as_bytes(), base), Some((number, rest.as_bytes())), "{text:?} in base {base}");
        }
        for (text, base) in [("", 0), ("-", 10), ("x", 0), ("2", 2), ("1", 1), ("1", 37)] {
            assert_eq!(strtol(text.as_bytes(), base), None, "{text:?} in base {base}");
        }
    }
}
