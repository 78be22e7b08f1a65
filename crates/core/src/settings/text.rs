//! Bytes of a file as characters, without losing any.
//!
//! The languages are defined on bytes, most files are UTF-8, and some are neither. A text is
//! decoded as UTF-8; a byte that is not part of valid UTF-8 becomes one character of the
//! private range U+10FF80 to U+10FFFF (U+10FF00 plus the byte), so columns stay countable and
//! [`encode`] gives back exactly the bytes of the file. Values that are bytes (passwords, user
//! names, keys) are encoded here; values that are `String`s (paths, shell commands) keep the
//! private characters, and whoever hands them to the system uses [`os_string`].

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// The first of the private characters, less the byte it stands for.
const ESCAPE: u32 = 0x10_ff00;

/// The byte a private character stands for.
fn escaped(c: char) -> Option<u8> {
    let code = u32::from(c);
    if code >= ESCAPE + 0x80 { u8::try_from(code - ESCAPE).ok() } else { None }
}

/// Bytes as characters. [`encode`] is its inverse for any input.
pub fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() || !text.chars().any(|c| escaped(c).is_some()) => return text.to_string(),
        _ => {}
    }
    let mut out = String::with_capacity(bytes.len());
    let escape = |byte: u8| char::from_u32(ESCAPE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            // A private character that really is in the file is taken apart, so that it is
            // not mistaken for one of ours on the way back.
            if escaped(c).is_some() {
                out.extend(c.encode_utf8(&mut [0; 4]).bytes().map(escape));
            } else {
                out.push(c);
            }
        }
        out.extend(chunk.invalid().iter().copied().map(escape));
    }
    out
}

/// The bytes that [`decode`] made `text` from.
pub fn encode(text: &str) -> Cow<'_, [u8]> {
    if !text.chars().any(|c| escaped(c).is_some()) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match escaped(c) {
            Some(byte) => out.push(byte),
            None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(out)
}

/// A value from a configuration as the system wants it: a path, a shell command.
pub fn os_string(text: &str) -> OsString {
    OsString::from_vec(encode(text).into_owned())
}

/// `c` as one character that is safe on a terminal.
pub fn printable(c: char) -> char {
    match c {
        '\t' => '\t',
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '\u{2421}',
        // C1 controls and the characters that turn the writing direction.
        '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        c if escaped(c).is_some() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_sequence_survives() {
        let every: Vec<u8> = (0..=255).collect();
        let samples: [&[u8]; 5] =
            [b"plain", "gr\u{fc}n \u{10ff90} \u{10ffff}".as_bytes(), &every, b"\xff\xc3", b"\xf4\x8f\xbe\x80"];
        for bytes in samples {
            assert_eq!(encode(&decode(bytes)).as_ref(), bytes);
        }
    }

    #[test]
    fn a_bad_byte_is_one_character() {
        assert_eq!(decode(b"a\xffb").chars().count(), 3);
        assert_eq!(decode("\u{fc}".as_bytes()), "\u{fc}");
    }

    #[test]
    fn os_strings_have_the_bytes_of_the_file() {
        assert_eq!(os_string(&decode(b"/tmp/\xe9")).into_vec(), b"/tmp/\xe9");
    }
}
