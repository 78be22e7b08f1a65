//! Bytes as pairs of hexadecimal digits.

/// Most characters of a message in an ASCII framing; more are a "Data overrun".
pub(super) const MAX_CHARACTERS: usize = 772;

/// What may stand between two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blanks {
    /// Any white space, also at both ends.
    Allowed,
    /// Nothing.
    Refused,
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).map(|value| value as u8)
}

/// The bytes written in `text`; `None` if it is anything but whole pairs of digits.
pub(super) fn decode(text: &[u8], blanks: Blanks) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut rest = text.iter();
    while let Some(&first) = rest.next() {
        // White space of the C language: vertical tab is one, too.
        if blanks == Blanks::Allowed && (first.is_ascii_whitespace() || first == 0x0b) {
            continue;
        }
        bytes.push(digit(first)? << 4 | digit(*rest.next()?)?);
    }
    Some(bytes)
}

/// Appends a byte as two upper-case digits.
pub(super) fn encode(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend([byte >> 4, byte & 0x0f].iter().filter_map(|nibble| DIGITS.get(usize::from(*nibble))));
}
