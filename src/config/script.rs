//! Command files as statements: which physical lines make one command (`emu.md` section 2),
//! and where in them a fault is.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use super::arguments::Fault;
use super::command::{Instruction, Variables, read};
use super::text::{decode, lines};
use super::words::{Forms, Source};
use super::{Diagnostic, Severity, Span};

/// Longest statement, in bytes. The largest there is, the data of a FRU device of 8 KiB byte by byte,
/// has a third of it; what is read takes some eighty times its length meanwhile.
pub(crate) const LONGEST: usize = 128 << 10;

/// How the lines of a statement make its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Assembly {
    /// By the rules of command files: comment lines dropped, continuations joined.
    File,
    /// A continuation that the end of the file cut off.
    Unfinished,
    /// As it is: one line from a console or a command line option.
    Single,
}

/// What a statement asks for, if anything.
type Read = Result<Option<Instruction>, Diagnostic>;

/// One physical or continued line of a command file, ready to be resolved.
///
/// It remembers how it was read, for the systems of a fleet that carry out the same one.
#[derive(Debug)]
pub struct Statement {
    /// Name of the text it comes from.
    pub file: String,
    /// The physical lines it was assembled from, comments included, for the echo and for
    /// pointing at faults: (line number, text without its line end). The text is decoded
    /// ([`crate::config::text`]).
    pub lines: Vec<(u32, String)>,
    assembly: Assembly,
    forms: Forms,
    /// What it asks for, where that depends on no variable and was read once.
    read: OnceLock<Box<Read>>,
}

impl PartialEq for Statement {
    fn eq(&self, other: &Self) -> bool {
        (&self.file, &self.lines, self.assembly) == (&other.file, &other.lines, other.assembly)
    }
}

impl Eq for Statement {}

/// Cuts a command file into statements: continuation lines joined, comments and empty
/// lines kept as statements without a command so that the echo is complete.
///
/// A `\` continues a line only as its very last character; CR LF counts as a line end.
pub fn statements(file: &str, text: &[u8]) -> Vec<Statement> {
    let mut out = Vec::new();
    let mut pending: Vec<(u32, String)> = Vec::new();
    // Characters of the command so far, without the backslash of its last line.
    let mut assembled = 0usize;
    for line in lines(text) {
        let comment = line.bytes.first() == Some(&b'#');
        let continued = line.bytes.last() == Some(&b'\\') && assembled + line.bytes.len() > 1;
        pending.push((line.number, decode(line.bytes)));
        if comment && assembled > 0 {
            continue;
        }
        if !comment && continued {
            assembled += line.bytes.len() - 1;
            continue;
        }
        out.push(Statement::new(file, std::mem::take(&mut pending), Assembly::File));
        assembled = 0;
    }
    if !pending.is_empty() {
        out.push(Statement::new(file, pending, Assembly::Unfinished));
    }
    out
}

/// The text of a statement, and where its parts come from.
struct Joined<'a> {
    text: Cow<'a, str>,
    /// For each physical line that is part of it: first byte in `text`, index of the line.
    parts: Vec<(usize, usize)>,
}

impl Statement {
    /// One command that is not subject to the rules of command files: a line of a console,
    /// or the argument of `-x`. `file` is the name for diagnostics, `<console>` or `<-x>`.
    pub fn single(file: &str, text: impl AsRef<[u8]>) -> Self {
        Self::new(file, vec![(1, decode(text.as_ref()))], Assembly::Single)
    }

    fn new(file: &str, lines: Vec<(u32, String)>, assembly: Assembly) -> Self {
        Self { file: file.into(), lines, assembly, forms: Forms::default(), read: OnceLock::new() }
    }

    /// Reads the statement with the variables as they are now. `Ok(None)`: nothing to do
    /// (empty, comment, or a line whose first word is an unknown variable).
    ///
    /// An error of [`Severity::Warning`] means that the original, too, ignores the statement:
    /// it is a command cut off by the end of the file.
    pub fn resolve(&self, variables: &Variables) -> Result<Option<Instruction>, Diagnostic> {
        self.read(variables).map(|instruction| instruction.map(Cow::into_owned))
    }

    /// The same, without a copy of what was read before.
    pub fn read(&self, variables: &Variables) -> Result<Option<Cow<'_, Instruction>>, Diagnostic> {
        if self.lines.iter().any(|(_, line)| line.contains('$')) {
            return self.read_now(variables).map(|instruction| instruction.map(Cow::Owned));
        }
        match &**self.read.get_or_init(|| Box::new(self.read_now(variables))) {
            Ok(instruction) => Ok(instruction.as_ref().map(Cow::Borrowed)),
            Err(diagnostic) => Err(diagnostic.clone()),
        }
    }

    fn read_now(&self, variables: &Variables) -> Read {
        let joined = self.join();
        if joined.text.len() > LONGEST {
            return Err(self.too_long(joined.text.len()));
        }
        // A command file's line of one character is ignored, whatever it is.
        let short = self.assembly == Assembly::File && joined.text.len() <= 1;
        match self.assembly {
            Assembly::Unfinished => {
                let end = joined.text.len();
                let message = "the file ends inside this command, after '\\'; the command is ignored";
                Err(self.diagnostic(&joined, Fault::new(end..end, message), Severity::Warning))
            }
            _ if short => Ok(None),
            _ => read(Source::kept(&joined.text, &self.forms), variables)
                .map_err(|fault| self.diagnostic(&joined, fault, Severity::Error)),
        }
    }

    fn too_long(&self, length: usize) -> Diagnostic {
        let (number, line) = self.lines.first().map_or((1, ""), |(number, line)| (*number, line.as_str()));
        // Nobody needs to see all of it.
        let source_line: String = line.chars().take(80).collect();
        Diagnostic {
            severity: Severity::Error,
            file: self.file.clone(),
            span: Span::within(number, &source_line, 0..1),
            message: format!("a command of {length} bytes, expected at most {LONGEST}"),
            source_line,
        }
    }

    /// A finding about the command as a whole: it was read, and could not be carried out.
    pub fn refused(&self, severity: Severity, message: impl Into<String>) -> Diagnostic {
        let joined = self.join();
        let start = joined.text.len() - joined.text.trim_start().len();
        let end = joined.text.trim_end().len();
        self.diagnostic(&joined, Fault::new(start..end.max(start), message), severity)
    }

    /// The physical lines as one text.
    fn join(&self) -> Joined<'_> {
        if let ([(_, text)], true) = (self.lines.as_slice(), self.assembly != Assembly::Unfinished) {
            return Joined { text: Cow::Borrowed(text), parts: vec![(0, 0)] };
        }
        let mut text = String::new();
        let mut parts = Vec::new();
        let last = self.lines.len().saturating_sub(1);
        for (index, (_, line)) in self.lines.iter().enumerate() {
            if line.starts_with('#') {
                continue;
            }
            parts.push((text.len(), index));
            let goes_on = index < last || self.assembly == Assembly::Unfinished;
            text.push_str(if goes_on { line.strip_suffix('\\').unwrap_or(line) } else { line });
        }
        Joined { text: Cow::Owned(text), parts }
    }

    /// Points at a fault in the physical line it begins in.
    fn diagnostic(&self, joined: &Joined<'_>, fault: Fault, severity: Severity) -> Diagnostic {
        let Range { start, end } = fault.range;
        // Something missing is missing behind the character before it, not at the beginning
        // of the next line.
        let anchor = if start == end { start.saturating_sub(1) } else { start };
        let part = joined.parts.iter().rposition(|(first, _)| *first <= anchor).unwrap_or_default();
        let (first, index) = joined.parts.get(part).copied().unwrap_or_default();
        let next = joined.parts.get(part + 1).map_or(joined.text.len(), |(first, _)| *first);
        let (number, line) = self.lines.get(index).map_or((1, ""), |(number, line)| (*number, line.as_str()));
        Diagnostic {
            severity,
            file: self.file.clone(),
            span: Span::within(number, line, start - first..end.min(next).max(start) - first),
            message: fault.message,
            source_line: line.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands of a file as the text the language sees, and the numbers of their lines.
    fn cut(text: &str) -> Vec<(String, Vec<u32>)> {
        statements("f", text.as_bytes())
            .iter()
            .map(|s| (s.join().text.into_owned(), s.lines.iter().map(|(n, _)| *n).collect()))
            .collect()
    }

    fn row(text: &str, lines: &[u32]) -> (String, Vec<u32>) {
        (text.to_string(), lines.to_vec())
    }

    #[test]
    fn lines_and_comments() {
        assert_eq!(cut("a b\n# c\n\n  d"), [row("a b", &[1]), row("# c", &[2]), row("", &[3]), row("  d", &[4])]);
        assert_eq!(cut(""), []);
    }

    #[test]
    fn continuations_join_without_a_blank() {
        assert_eq!(cut("foo\\\nbar\nx y"), [row("foobar", &[1, 2]), row("x y", &[3])]);
        assert_eq!(cut("a \\\n\t b\\\n c\n"), [row("a \t b c", &[1, 2, 3])]);
        assert_eq!(cut("foo\\ \nbar\n"), [row("foo\\ ", &[1]), row("bar", &[2])]);
    }

    #[test]
    fn comments_inside_continuations() {
        assert_eq!(cut("a \\\n# c \\\n#d\nb\ne f\n"), [row("a b", &[1, 2, 3, 4]), row("e f", &[5])]);
        // Indented, it is no comment there; elsewhere its backslash swallows the next line.
        assert_eq!(cut("a \\\n # c\nb"), [row("a  # c", &[1, 2]), row("b", &[3])]);
        assert_eq!(cut("  # c \\\nb c\n"), [row("  # c b c", &[1, 2])]);
        assert_eq!(cut("# c \\\nb c\n"), [row("# c \\", &[1]), row("b c", &[2])]);
    }

    #[test]
    fn an_empty_line_ends_a_continuation() {
        assert_eq!(cut("a b \\\n\nc d\n"), [row("a b ", &[1, 2]), row("c d", &[3])]);
    }

    #[test]
    fn an_endless_command_is_refused_unread() {
        let none = Variables::new();
        let data = |count: usize| format!("mc_add_fru_data 0x20 1 8192 data{}", " 0xff".repeat(count));
        let whole = data(8192);
        let read = statements("f", whole.as_bytes())[0].resolve(&none);
        assert!(matches!(read, Ok(Some(_))), "{}", read.unwrap_err());
        for endless in [data(2_000_000), data(500_000).replace(" 0xff 0xff 0xff", " 0xff \\\n"), "x".repeat(10_000_000)]
        {
            for statement in [statements("f", endless.as_bytes()).swap_remove(0), Statement::single("<-x>", &endless)] {
                let fault = statement.resolve(&none).unwrap_err();
                let length = fault.message.strip_prefix("a command of ").unwrap();
                assert!(length.ends_with(" bytes, expected at most 131072"), "{length}");
                assert!(fault.to_string().len() < 400, "{fault}");
            }
        }
    }

    #[test]
    fn crlf_is_a_line_end() {
        assert_eq!(cut("a \\\r\nb\r\n# c\r\n\r\nd e"), cut("a \\\nb\n# c\n\nd e"));
    }

    #[test]
    fn one_character_is_nothing() {
        let none = Variables::new();
        for text in ["x\n", "\\\n", "x", "\\", "x\\\n\n"] {
            for statement in statements("f", text.as_bytes()) {
                assert_eq!(statement.resolve(&none), Ok(None), "{text:?}");
            }
        }
        // A lone backslash does not continue; after another line it does.
        assert_eq!(cut("\\\nab\n"), [row("\\", &[1]), row("ab", &[2])]);
        assert_eq!(cut("ab\\\n\\\ncd\n"), [row("abcd", &[1, 2, 3])]);
        // Elsewhere one character is a command like any other.
        assert!(Statement::single("<-x>", "x").resolve(&none).is_err());
    }

    #[test]
    fn single_lines_are_not_assembled() {
        let error =
            Statement::single("<console>", "mc_enable 0x20\\").resolve(&Variables::new()).expect_err("no number");
        assert_eq!((error.file.as_str(), error.span), ("<console>", Span { line: 1, column: 11, length: 5 }));
        assert_eq!(Statement::single("<-x>", "#quit").resolve(&Variables::new()), Ok(None));
    }

    #[test]
    fn an_unfinished_command_is_dropped_with_a_warning() {
        let all = statements("f", b"quit\nmc_enable \\\n# c\n");
        assert_eq!(all.len(), 2);
        let warning = all[1].resolve(&Variables::new()).expect_err("a warning");
        assert_eq!((warning.severity, warning.span.line, warning.span.column), (Severity::Warning, 2, 11));
    }

    /// Whoever reads a statement finds in it what he would find if he were the first.
    #[test]
    fn what_was_read_is_the_same_for_all() {
        let text = "mc_enable 0x20\nmc_enable $mc\n# $mc\nx y\n\nsensor_set_value 0x20 \\\n0 1 \\\n2 0\n$mc 1\n\
                    mc_add_fru_data 0x20 0 9 $kind 1 2 $mc\nmc_enable zz\nsleep 1 \\\n";
        let kept = statements("f", text.as_bytes());
        let all = [
            Variables::new(),
            Variables::from([("mc".into(), "0x30".into()), ("kind".into(), "data".into())]),
            Variables::from([("mc".into(), "sleep".into()), ("kind".into(), "file".into())]),
        ];
        for variables in all.iter().chain(all.iter().rev()) {
            for (kept, fresh) in kept.iter().zip(statements("f", text.as_bytes())) {
                assert_eq!((kept, kept.resolve(variables)), (&fresh, fresh.resolve(variables)));
            }
        }
        let read: Vec<bool> = kept.iter().map(|statement| statement.read.get().is_some()).collect();
        assert_eq!(read, [true, false, false, true, true, true, false, false, true, true]);
    }

    #[test]
    fn nul_hides_the_rest_of_its_line() {
        let all = statements("f", b"quit\0 x \\\nquit\n");
        assert_eq!(all.iter().map(|s| s.lines[0].1.as_str()).collect::<Vec<_>>(), ["quit", "quit"]);
    }

    #[test]
    fn faults_are_placed_in_their_physical_line() {
        let place = |text: &str| {
            let all = statements("f.emu", text.as_bytes());
            let error = all[0].resolve(&Variables::new()).expect_err("a fault");
            (error.span, error.source_line)
        };
        let span = |line, column, length| Span { line, column, length };
        let first = "sensor_set_value 0x20 \\";
        assert_eq!(place(&format!("{first}\n# c\n\t0 z9 1 1\n")), (span(3, 4, 2), "\t0 z9 1 1".into()));
        // A word cut by a continuation is shown up to the end of its line.
        assert_eq!(place("mc_enable zz\\\nyy\n"), (span(1, 11, 2), "mc_enable zz\\".into()));
        // A word at the very beginning of the second line.
        assert_eq!(place("mc_enable \\\nzz\n"), (span(2, 1, 2), "zz".into()));
        // What is missing is missing behind the last word.
        assert_eq!(place("sensor_set_value 0x20 0 \\\n 1  \n"), (span(2, 3, 1), " 1  ".into()));
        assert_eq!(place("sensor_set_value 0x20 0\\\n\n"), (span(1, 24, 1), "sensor_set_value 0x20 0\\".into()));
    }
}
