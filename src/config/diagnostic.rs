//! What is wrong with a configuration, and where.

use std::fmt;

/// A place in a text: line and column, both from 1, columns counted in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Line, from 1.
    pub line: u32,
    /// Column of the first character, from 1.
    pub column: u32,
    /// Number of characters, at least 1.
    pub length: u32,
}

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

impl fmt::Display for Diagnostic {
    /// `file:line:column: error: message`, the source line and a caret under the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        writeln!(f, "{}:{}:{}: {}: {}", self.file, self.span.line, self.span.column, kind, self.message)?;
        let number = self.span.line.to_string();
        writeln!(f, "{number} | {}", self.source_line.trim_end_matches(['\r', '\n']))?;
        // A tab in the source line is repeated, so that the caret stays under its character.
        let indent: String = self
            .source_line
            .chars()
            .take(self.span.column.saturating_sub(1) as usize)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let carets = "^".repeat(self.span.length.max(1) as usize);
        write!(f, "{} | {indent}{carets}", " ".repeat(number.len()))
    }
}
