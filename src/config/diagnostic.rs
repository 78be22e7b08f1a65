//! What is wrong with a configuration, and where.

use std::fmt;

use super::text::printable;
use crate::settings::Span;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The line was accepted, but its author may have meant something else.
    Warning,
    /// The line has no effect.
    Error,
}

/// One finding in a configuration text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// Name of the text: a path as the user gave it, or `<console>`, `<-x>`.
    pub file: String,
    /// The place.
    pub span: Span,
    /// What was found and what was expected, one line, no final period.
    pub message: String,
    /// The physical line the span points into, for the caret display.
    pub source_line: String,
}

/// How much of a long line is shown, and how much of that is before the place.
const WINDOW: usize = 120;
const BEFORE: usize = 40;
const CUT: &str = "...";

impl fmt::Display for Diagnostic {
    /// `file:line:column: error: message`, the source line and a caret under the place. Of a
    /// long line only the surroundings of the place are shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        writeln!(f, "{}:{}:{}: {}: {}", self.file, self.span.line, self.span.column, kind, self.message)?;

        let source: Vec<char> = self.source_line.trim_end_matches(['\r', '\n']).chars().map(printable).collect();
        let place = (self.span.column.saturating_sub(1) as usize).min(source.len());
        let (start, end) = if source.len() <= WINDOW {
            (0, source.len())
        } else {
            let start = place.saturating_sub(BEFORE).min(source.len() - WINDOW);
            (start, start + WINDOW)
        };
        let left = if start > 0 { CUT } else { "" };
        let right = if end < source.len() { CUT } else { "" };
        let shown: String = source.iter().take(end).skip(start).collect();
        let number = self.span.line.to_string();
        writeln!(f, "{number} | {left}{shown}{right}")?;

        // A tab in the source line is repeated, so that the caret stays under its character.
        let indent: String = " "
            .repeat(left.len())
            .chars()
            .chain(source.iter().take(place).skip(start).copied())
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let most = end.saturating_sub(place).max(1);
        let carets = "^".repeat((self.span.length.max(1) as usize).min(most));
        write!(f, "{} | {indent}{carets}", " ".repeat(number.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source_line: &str, column: u32, length: u32) -> String {
        let span = Span { line: 12, column, length };
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            file: "lan.conf".into(),
            span,
            message: "No".into(),
            source_line: source_line.into(),
        };
        diagnostic.to_string()
    }

    #[test]
    fn caret_under_the_place() {
        assert_eq!(shown("user 3", 6, 1), "lan.conf:12:6: error: No\n12 | user 3\n   |      ^");
        assert_eq!(shown("user 3", 1, 4), "lan.conf:12:1: error: No\n12 | user 3\n   | ^^^^");
    }

    #[test]
    fn missing_things_are_one_past_the_end() {
        assert_eq!(shown("name", 5, 1), "lan.conf:12:5: error: No\n12 | name\n   |     ^");
        assert_eq!(shown("", 1, 1), "lan.conf:12:1: error: No\n12 | \n   | ^");
    }

    #[test]
    fn tabs_and_other_scripts_keep_the_columns() {
        assert_eq!(shown("\tname\tx", 7, 1), "lan.conf:12:7: error: No\n12 | \tname\tx\n   | \t    \t^");
        assert_eq!(shown("n\u{e4}m\u{e9} x", 6, 1), "lan.conf:12:6: error: No\n12 | n\u{e4}m\u{e9} x\n   |      ^");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let text = shown("\u{1b}[2J\u{9b}x", 1, 1);
        assert!(!text.contains(['\u{1b}', '\u{9b}']), "{text:?}");
        assert!(text.contains("\u{241b}[2J\u{fffd}x"), "{text:?}");
    }

    #[test]
    fn long_lines_show_a_window() {
        let line = format!("{}BAD{}", "a".repeat(5000), "b".repeat(5000));
        let text = shown(&line, 5001, 3);
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().all(|row| row.chars().count() <= WINDOW + 20), "{text}");
        let caret = rows[2].find('^').expect("a caret");
        assert_eq!(&rows[1][caret..caret + 3], "BAD");
        assert!(rows[1].starts_with("12 | ...a") && rows[1].ends_with("b..."), "{text}");
        // At both ends, and a span longer than what is shown.
        assert!(shown(&line, 1, 1).contains("12 | aaa"));
        assert!(shown(&line, 10_004, 1).lines().nth(1).is_some_and(|row| row.ends_with("bb")));
        let wide = shown(&line, 5001, 5000);
        assert!(wide.lines().all(|row| row.chars().count() <= WINDOW + 20), "{wide}");
    }
}
