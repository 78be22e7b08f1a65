//! The arguments of one statement, with its variables replaced.
//!
//! The grammar has already sorted the words of a statement into kinds; this takes them in
//! order and keeps, for each, the place it was written at. A word that is a variable is
//! replaced by the value and sorted again; the place stays that of the `$`.

use std::collections::HashMap;
use std::ops::Range;

use pest::Parser;
use pest::iterators::Pair;

use super::grammar::{Grammar, Rule};
use super::number;
use super::text::{encode, quote};
use super::words::{Source, Word, Words};

/// What cannot be read, at which bytes of the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub range: Range<usize>,
    pub message: String,
}

impl Fault {
    pub(crate) fn new(range: Range<usize>, message: impl Into<String>) -> Self {
        Self { range, message: message.into() }
    }

    /// The same fault as part of a larger one.
    pub(crate) fn inside(self, outer: &str) -> Self {
        Self { range: self.range, message: format!("{outer}: {}", self.message) }
    }
}

/// A word of the statement, sorted into a kind.
#[derive(Clone, Debug)]
pub(crate) struct Found<'a> {
    /// Which kind: the innermost rule.
    pub rule: Rule,
    /// The word, variables replaced.
    pub text: &'a str,
    /// Where it stands.
    pub range: Range<usize>,
    /// Name of the variable it came from.
    pub variable: Option<&'a str>,
}

impl<'a> Found<'a> {
    /// The word, or the variable and its value, for a message.
    pub(crate) fn quoted(&self) -> String {
        match self.variable {
            Some(name) => format!("{} (value of {})", quote(self.text), quote(&format!("${name}"))),
            None => quote(self.text),
        }
    }

    /// What is wrong with this word.
    pub(crate) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.range.clone(), message)
    }

    /// What is wrong with the part of this word at the bytes `part`.
    pub(crate) fn fault_at(&self, part: Range<usize>, message: impl Into<String>) -> Fault {
        // Inside the value of a variable there is no place to point at.
        match self.variable {
            Some(_) => self.fault(message),
            None => Fault::new(self.range.start + part.start..self.range.start + part.end, message),
        }
    }

    /// That this word, introduced by `lead`, is no number.
    pub(crate) fn not_a_number(&self, lead: &str) -> Fault {
        let value = match self.variable {
            Some(name) => format!(" (value of {})", quote(&format!("${name}"))),
            None => String::new(),
        };
        self.fault(format!("{lead}: {}{value}", number::complaint(self.text)))
    }

    /// The word as an unsigned number. The value of a variable may be empty, which is 0.
    pub(crate) fn number(&self) -> Option<u64> {
        match self.variable {
            Some(_) if self.text.is_empty() => Some(0),
            _ if self.rule == Rule::number => number::unsigned(self.text),
            _ => None,
        }
    }

    /// This word sorted into the kinds of the rule `kind`.
    pub(crate) fn sorted_as(&self, kind: Rule) -> Self {
        let (rule, text) = sort(kind, self.text);
        Self { rule, text, ..self.clone() }
    }

    /// The rules inside this word when read as `kind`, their places relative to the word.
    pub(crate) fn parts(&self, kind: Rule) -> Vec<Pair<'a, Rule>> {
        Grammar::parse(kind, self.text)
            .ok()
            .and_then(|mut pairs| pairs.next())
            .map(|pair| pair.into_inner().collect())
            .unwrap_or_default()
    }
}

/// Sorts `text`, a whole word however many blanks it has, into the kinds of the rule `kind`.
fn sort(kind: Rule, text: &str) -> (Rule, &str) {
    let inner = Grammar::parse(kind, text).ok().and_then(|mut pairs| pairs.next()?.into_inner().next());
    match inner {
        // A character is the one after the quote, whatever follows.
        Some(pair) if pair.as_rule() == Rule::character => (Rule::character, text),
        // The value of a variable is not replaced again.
        Some(pair) if pair.as_rule() != Rule::variable && pair.as_span().end() == text.len() => (pair.as_rule(), text),
        _ => (Rule::other, text),
    }
}

/// That a word is not there.
#[derive(Clone, Debug)]
pub(crate) struct Missing<'a> {
    range: Range<usize>,
    variable: Option<&'a str>,
}

impl Missing<'_> {
    /// The fault, introduced by `message`.
    pub(crate) fn fault(&self, message: impl Into<String>) -> Fault {
        let message = message.into();
        match self.variable {
            Some(name) => Fault::new(self.range.clone(), format!("{message}: there is no variable {}", quote(name))),
            None => Fault::new(self.range.clone(), message),
        }
    }
}

/// Name and value of what a delimited string's error is called, in the original's words.
const STRING_MISSING: &str = "missing string value";
const STRING_START: &str = "string value must start with '\"' or '''";
const STRING_END: &str = "End of line in string";
const STRING_VARIABLE: &str = "unable to find variable";

/// The first word of a statement.
pub(crate) enum Head<'a> {
    /// Nothing to do: empty, a comment, or a variable that does not exist.
    Nothing { unknown_variable: Option<(&'a str, Range<usize>)> },
    /// A keyword.
    Keyword(Found<'a>),
}

/// Reads the first word of a statement.
pub(crate) fn head<'a>(source: impl Into<Source<'a>>, variables: &'a HashMap<String, String>) -> Head<'a> {
    let source = source.into();
    let nothing = Head::Nothing { unknown_variable: None };
    let Some((word, _)) = source.cut(Rule::head, 0).and_then(|mut words| words.next()) else { return nothing };
    let range = word.range();
    let text = source.text.get(range.clone()).unwrap_or_default();
    match word.rule {
        Rule::word => Head::Keyword(Found { rule: Rule::word, text, range, variable: None }),
        Rule::variable => {
            let name = name_of(text);
            match variables.get(name) {
                Some(value) => Head::Keyword(Found { rule: Rule::word, text: value, range, variable: Some(name) }),
                None => Head::Nothing { unknown_variable: Some((name, range)) },
            }
        }
        _ => nothing,
    }
}

/// The name of the variable `$name`.
fn name_of(word: &str) -> &str {
    word.strip_prefix('$').unwrap_or(word)
}

/// The arguments of a statement, one after the other.
pub(crate) struct Arguments<'a> {
    source: Source<'a>,
    base: usize,
    words: Words,
    variables: &'a HashMap<String, String>,
    /// One past the last argument taken.
    after: usize,
    /// The last argument asked for, if it is a variable that does not exist.
    unknown: Option<(&'a str, Range<usize>)>,
}

impl<'a> Arguments<'a> {
    /// The arguments that begin at byte `base` of the statement, in the form `rule`.
    pub(crate) fn new(
        rule: Rule,
        source: impl Into<Source<'a>>,
        base: usize,
        variables: &'a HashMap<String, String>,
    ) -> Result<Self, Fault> {
        let source = source.into();
        // The grammar takes anything, so only a slip in the grammar itself comes here.
        let words = source.cut(rule, base).ok_or_else(|| {
            let end = source.text.len();
            Fault::new(base.min(end)..end, "unreadable arguments")
        })?;
        Ok(Self { source, base, words, variables, after: base, unknown: None })
    }

    /// The arguments that begin at byte `base` of the same statement.
    pub(crate) fn again(&self, rule: Rule, base: usize) -> Result<Self, Fault> {
        Self::new(rule, self.source, base, self.variables)
    }

    /// One past the last word.
    pub(crate) fn end(&self) -> Range<usize> {
        let end = self.source.text.trim_end_matches([' ', '\t', '\n']).len();
        end..end
    }

    /// A word, and where it stands.
    fn found(&self, word: Word) -> (&'a str, Range<usize>) {
        let Range { start, end } = word.range();
        let range = self.base + start..self.base + end;
        (self.source.text.get(range.clone()).unwrap_or_default(), range)
    }

    /// What stands at this place of the statement.
    pub(crate) fn source_text(&self, range: Range<usize>) -> &'a str {
        self.source.text.get(range).unwrap_or_default()
    }

    /// One past the last argument taken.
    pub(crate) fn position(&self) -> usize {
        self.after
    }

    /// The last argument asked for, if it is a variable that does not exist.
    pub(crate) fn unknown_variable(&self) -> Option<(&'a str, Range<usize>)> {
        self.unknown.clone()
    }

    /// The next argument. A variable that does not exist is a missing argument.
    pub(crate) fn next(&mut self) -> Result<Found<'a>, Missing<'a>> {
        let missing = Missing { range: self.end(), variable: None };
        self.unknown = None;
        let Some((kind, mut inner)) = self.words.next() else { return Err(missing) };
        let rule = kind.rule;
        if rule == Rule::missing {
            return Err(missing);
        }
        // A rule without kinds inside is found as itself.
        let word = inner.next().map_or(kind, |(word, _)| word);
        let (text, range) = self.found(word);
        self.after = range.end;
        if word.rule != Rule::variable {
            return Ok(Found { rule: word.rule, text, range, variable: None });
        }
        let name = name_of(text);
        let Some(value) = self.variables.get(name) else {
            self.unknown = Some((name, range.clone()));
            return Err(Missing { range, variable: Some(name) });
        };
        let (rule, text) = sort(rule, value);
        Ok(Found { rule, text, range, variable: Some(name) })
    }

    /// The next argument, when it is a UUID; else it is still to be taken. See [`uuid`].
    pub(crate) fn next_if_uuid(&mut self) -> Option<[u8; 16]> {
        let before = (self.words.clone(), self.after, self.unknown.clone());
        let guid = self.next().ok().filter(|word| word.rule != Rule::quoted).and_then(|word| uuid(word.text));
        if guid.is_none() {
            (self.words, self.after, self.unknown) = before;
        }
        guid
    }

    /// The next of a list of arguments that ends with the line, or with a variable that does
    /// not exist.
    pub(crate) fn next_if_any(&mut self) -> Option<Found<'a>> {
        self.next().ok()
    }

    /// The arguments inside the next one: `words`, `data`.
    pub(crate) fn inner(&mut self) -> Self {
        let words = self.words.next().map_or_else(|| self.words.clone(), |(_, inner)| inner);
        Self {
            words,
            source: self.source,
            base: self.base,
            variables: self.variables,
            after: self.after,
            unknown: None,
        }
    }

    /// The next argument as a delimited string, and its place.
    pub(crate) fn string(&mut self) -> Result<(String, Range<usize>), Fault> {
        let end = self.end();
        let Some((_, mut pieces)) = self.words.next() else { return Err(Fault::new(end, STRING_MISSING)) };
        let mut value = String::new();
        let mut place: Option<Range<usize>> = None;
        while let Some((piece, _)) = pieces.next() {
            let (text, range) = self.found(piece);
            match piece.rule {
                Rule::double_quoted | Rule::single_quoted => {
                    value.push_str(text.get(1..text.len().saturating_sub(1)).unwrap_or_default());
                }
                Rule::string_variable => match self.variables.get(name_of(text)) {
                    Some(text) => value.push_str(text),
                    None => return Err(Fault::new(range, format!("{STRING_VARIABLE} {}", quote(name_of(text))))),
                },
                Rule::unclosed => {
                    return Err(Fault::new(
                        range.start..range.start + 1,
                        format!("{STRING_END}: this quote is not closed"),
                    ));
                }
                _ if place.is_some() => {
                    return Err(Fault::new(
                        range,
                        format!("{STRING_START}: {} follows the string without a blank", quote(text)),
                    ));
                }
                _ => return Err(Fault::new(range, format!("{STRING_START}: found {}", quote(text)))),
            }
            place = Some(place.map_or(range.start, |place| place.start)..range.end);
        }
        match place {
            Some(place) => Ok((value, place)),
            None => Err(Fault::new(end, STRING_MISSING)),
        }
    }
}

/// Why a word is not 16 or 20 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BytesFault {
    /// No closing quote.
    Unclosed,
    /// Hexadecimal form of the wrong length.
    Length,
    /// Not hexadecimal, at this byte of the word.
    Digit(usize),
}

/// Bytes given by characters in quotes or by hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ByteString {
    /// The characters between the quotes, of any length.
    Quoted(Vec<u8>),
    /// 16 bytes, or 20 where those are allowed.
    Hex(Vec<u8>),
}

/// The 16 bytes of a GUID that is written as a UUID, `6ba7b810-9dad-4bd1-80b4-00c04fd430c8`, in the
/// order in which they are sent: the last one first (IPMI 2.0 section 20.8). `None`: it is not
/// written so.
pub(crate) fn uuid(text: &str) -> Option<[u8; 16]> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let groups = text.split('-');
    if !groups.clone().map(str::len).eq(GROUPS)
        || !groups.clone().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return None;
    }
    let number = groups.collect::<String>();
    Some(u128::from_str_radix(&number, 16).ok()?.to_le_bytes())
}

/// Reads a word of the kind `bytes`; `digits` are the allowed numbers of hexadecimal digits. The value of a variable
/// needs no quotes: what is not in quotes and has not that many digits is the text itself.
pub(crate) fn byte_string(found: &Found<'_>, digits: &[usize]) -> Result<ByteString, BytesFault> {
    let text = found.text;
    let is_hex = found.rule == Rule::hex && digits.contains(&text.len());
    if found.variable.is_some() && found.rule != Rule::quoted && !is_hex {
        return Ok(ByteString::Quoted(encode(text).into_owned()));
    }
    match found.rule {
        Rule::quoted => Ok(ByteString::Quoted(encode(text.get(1..text.len() - 1).unwrap_or_default()).into_owned())),
        _ if text.starts_with('"') => Err(BytesFault::Unclosed),
        _ if !digits.contains(&text.chars().count()) => Err(BytesFault::Length),
        _ => {
            if let Some((at, _)) = text.char_indices().find(|(_, c)| !c.is_ascii_hexdigit()) {
                return Err(BytesFault::Digit(at));
            }
            let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
            Ok(ByteString::Hex(
                text.as_bytes()
                    .chunks(2)
                    .map(|pair| pair.iter().fold(0, |all, &byte| all << 4 | digit(byte)))
                    .collect(),
            ))
        }
    }
}
