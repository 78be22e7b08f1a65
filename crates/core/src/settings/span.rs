//! Where in a text a setting is written.

use std::ops::Range;

/// A place in a text: line and column, both from 1, columns counted in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Line, from 1.
    pub line: u32,
    /// Column of the first character, from 1. One past the end of the line when something
    /// is missing there.
    pub column: u32,
    /// Number of characters, at least 1.
    pub length: u32,
}

impl Span {
    /// The place of the bytes `range` of the line `text`.
    pub fn within(line: u32, text: &str, range: Range<usize>) -> Self {
        let count = |range: Range<usize>| text.get(range).map_or(0, |part| part.chars().count()) as u32;
        let end = range.end.min(text.len());
        let start = range.start.min(end);
        Self { line, column: count(0..start) + 1, length: count(start..end).max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_count_characters() {
        assert_eq!(Span::within(3, "\u{e4}\u{e4} xy", 5..7), Span { line: 3, column: 4, length: 2 });
        assert_eq!(Span::within(3, "ab", 2..2), Span { line: 3, column: 3, length: 1 });
        assert_eq!(Span::within(3, "ab", 7..9), Span { line: 3, column: 3, length: 1 });
    }
}
