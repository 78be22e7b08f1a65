//! Strings behind a type/length byte, as SDRs and FRU information have them (IPMI 2.0 section 43.15).

/// BCD plus: the digits, then what stands for Ah to Fh.
const DIGITS: &[u8; 16] = b"0123456789 -.:,_";

/// BCD plus: two characters in a byte, the first in the high bits.
pub(super) fn bcd_plus(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 0x0f)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// 6-bit ASCII: four characters in three bytes, the first in the low bits.
pub(super) fn six_bit(bytes: &[u8]) -> String {
    let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 != 0);
    let character = |at: usize| (0..6).map(|i| u8::from(bit(6 * at + i)) << i).sum::<u8>();
    (0..bytes.len() * 8 / 6).map(|at| char::from(0x20 + character(at))).collect()
}

/// Latin 1, or UTF-8 as some write it; it ends at a NUL.
pub(super) fn latin_1(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let bytes = bytes.get(..end).unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}
