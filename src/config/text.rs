//! Texts as they are read and shown: their lines, and parts of them in messages.

pub use crate::settings::text::{decode, encode, os_string, printable};

/// Part of a text for a message: printable, not longer than a message bears.
pub(crate) fn clip(text: &str) -> String {
    const MOST: usize = 60;
    let mut out: String = text.chars().take(MOST).map(printable).collect();
    if text.chars().nth(MOST).is_some() {
        out.push_str("...");
    }
    out
}

/// [`clip`] in single quotes.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", clip(text))
}

/// One physical line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// From 1.
    pub number: u32,
    /// Without its line end, up to the first NUL.
    pub bytes: &'a [u8],
    /// Whether a NUL cut it off.
    pub cut: bool,
}

/// The lines of a file. LF and CR LF end a line; a byte-order mark is skipped; a NUL hides
/// the rest of its line, as in a program written in C.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    (1..).zip(text.split_inclusive(|&byte| byte == b'\n')).map(|(number, line)| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let end = line.iter().position(|&byte| byte == 0);
        Line { number, bytes: line.get(..end.unwrap_or(line.len())).unwrap_or(line), cut: end.is_some() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_marks_and_nul() {
        let found: Vec<_> =
            lines(b"\xef\xbb\xbfa\r\n\nb\0c\nd\r").map(|l| (l.number, l.bytes.to_vec(), l.cut)).collect();
        let expected = [(1, "a", false), (2, "", false), (3, "b", true), (4, "d", false)];
        assert_eq!(found, expected.map(|(n, s, c)| (n, s.as_bytes().to_vec(), c)));
        assert_eq!(lines(b"").count(), 0);
    }

    #[test]
    fn long_words_are_cut_in_messages() {
        assert_eq!(quote(&"x".repeat(60)).len(), 62);
        assert_eq!(quote(&"x".repeat(61)), format!("'{}...'", "x".repeat(60)));
    }

    #[test]
    fn nothing_in_a_message_moves_the_cursor() {
        assert_eq!(quote(&decode(b"a\xff\x1b[0m")), "'a\u{fffd}\u{241b}[0m'");
    }
}
