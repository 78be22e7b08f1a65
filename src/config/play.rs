//! `play:` of a `sol` line, and the files that it plays: boot logs, recordings of script(1) and of asciinema.
//!
//! The forms are in `grammar/play.pest`; a timing of script(1) is columns of numbers. Bytes of a recording stay as they are.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use pest::Parser;
use pest::iterators::Pair;

use super::arguments::Fault;
use super::grammar::{Grammar, Rule};
use super::suggest::nearest;
use super::text::{Line, decode, encode, lines, quote};
use super::{Diagnostic, Severity, Span};
use crate::settings::follow::Decimal;
use crate::settings::play::{Part, Play, Prompt, Recording, Source};

/// What a play is made of.
const PARTS: [&str; 4] = ["log", "typescript", "cast", "prompt"];
/// The prompt when none is given.
const PROMPT: &str = "login: ";
/// The longest that something may last, in seconds: some thirty years.
const LONGEST: f64 = 1e9;
/// Versions of asciinema's files that can be read.
const CASTS: [&str; 2] = ["2", "3"];

/// A word of a play, or a text in quotes.
struct Word {
    rule: Rule,
    /// Without the quotes.
    text: String,
    range: Range<usize>,
}

impl Word {
    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.range.clone(), message)
    }
}

/// What stands behind `play:`. Its files are not read yet. Places of faults are bytes of `text`.
pub(crate) fn play(text: &str) -> Result<Play, Fault> {
    let mut words = Words { all: words(text)?, end: text.len()..text.len() };
    let mut parts = Vec::new();
    loop {
        let part = words.part()?;
        let is_endless = matches!(part, Part::Prompt(_));
        parts.push(part);
        match words.all.pop_front() {
            None => return Ok(Play { parts }),
            Some(comma) if is_endless => {
                return Err(comma.fault("a prompt does not end, so that nothing can come after it"));
            }
            Some(_) => {}
        }
    }
}

fn words(text: &str) -> Result<VecDeque<Word>, Fault> {
    let pairs = Grammar::parse(Rule::play, text).ok().and_then(|mut pairs| pairs.next());
    let pairs = pairs.ok_or_else(|| Fault::new(0..text.len(), "unreadable play"))?.into_inner();
    let mut words = VecDeque::new();
    for pair in pairs.filter(|pair| pair.as_rule() != Rule::EOI) {
        let (rule, range) = (pair.as_rule(), pair.as_span().start()..pair.as_span().end());
        let text = match rule {
            Rule::play_unclosed => return Err(Fault::new(range.start..range.start + 1, "this quote is not closed")),
            Rule::play_quoted => pair.as_str().get(1..range.len() - 1).unwrap_or_default(),
            _ => pair.as_str(),
        };
        words.push_back(Word { rule, text: text.into(), range });
    }
    Ok(words)
}

struct Words {
    all: VecDeque<Word>,
    /// Where the last of them ends.
    end: Range<usize>,
}

impl Words {
    /// The next word, if it is such a one.
    fn next_if(&mut self, is_such: impl Fn(&Word) -> bool) -> Option<Word> {
        if is_such(self.all.front()?) { self.all.pop_front() } else { None }
    }

    /// The next word of the same part.
    fn next(&mut self) -> Option<Word> {
        self.next_if(|word| word.rule != Rule::play_comma)
    }

    /// The word that has to come.
    fn needed(&mut self, what: &str) -> Result<Word, Fault> {
        let place = self.all.front().map_or(self.end.clone(), |word| word.range.clone());
        self.next().ok_or_else(|| Fault::new(place, format!("No {what}")))
    }

    fn part(&mut self) -> Result<Part, Fault> {
        let all = PARTS.join(", ");
        let kind = self.needed(&format!("part of a play given: expected {all}"))?;
        let recorded = |source| Part::Recording { source, recording: Recording::default().into() };
        let part = match kind.text.as_str() {
            "log" => {
                let file = self.needed("file for log given")?.text;
                recorded(Source::Log { file, rate: self.number_behind("rate")? })
            }
            "typescript" => {
                let file = self.needed("file for typescript given")?.text;
                let timing = self.needed("timing given for typescript: expected timing FILE")?;
                if timing.text != "timing" {
                    return Err(timing.fault(format!("found {}, expected timing FILE", quote(&timing.text))));
                }
                let timing = self.needed("file for timing given")?.text;
                recorded(Source::Typescript { file, timing, speed: self.speed()? })
            }
            "cast" => {
                let file = self.needed("file for cast given")?.text;
                recorded(Source::Cast { file, speed: self.speed()? })
            }
            "prompt" => Part::Prompt(self.prompt()?),
            text => {
                let hint = nearest(text, PARTS).map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
                return Err(kind.fault(format!("Unknown part of a play: {}, expected {all}{hint}", quote(text))));
            }
        };
        match self.next() {
            Some(word) => Err(word.fault(format!("{} has no {}", kind.text, quote(&word.text)))),
            None => Ok(part),
        }
    }

    fn prompt(&mut self) -> Result<Prompt, Fault> {
        let prompt = self.next_quoted();
        let mut banner = Vec::new();
        if self.next_if(|word| word.text == "banner" && word.rule == Rule::play_word).is_some() {
            banner = self.needed("text for banner given").and_then(|word| written(&word))?;
        }
        let prompt = prompt.map_or_else(|| Ok(PROMPT.into()), |word| written(&word))?;
        Ok(Prompt { banner, prompt })
    }

    fn next_quoted(&mut self) -> Option<Word> {
        self.next_if(|word| word.rule == Rule::play_quoted)
    }

    fn speed(&mut self) -> Result<Decimal, Fault> {
        Ok(self.number_behind("speed")?.or(Decimal::new(1.0)).unwrap_or_default())
    }

    /// `NAME NUMBER`, if it is there: a number above 0.
    fn number_behind(&mut self, name: &str) -> Result<Option<Decimal>, Fault> {
        if self.next_if(|word| word.text == name && word.rule == Rule::play_word).is_none() {
            return Ok(None);
        }
        let word = self.needed(&format!("number for {name} given"))?;
        let plain = word.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let number = word.text.parse().ok().filter(|_| plain).and_then(Decimal::new);
        match number.filter(|number| *number > Decimal::default()) {
            Some(number) => Ok(Some(number)),
            None => Err(word.fault(format!("Invalid {name}: {}, expected a number above 0", quote(&word.text)))),
        }
    }
}

/// The bytes of a text: `\n`, `\r`, `\t`, `\e`, `\xHH` and `\\` are what they are elsewhere.
fn written(word: &Word) -> Result<Vec<u8>, Fault> {
    let pairs = Grammar::parse(Rule::play_text, &word.text).ok().and_then(|mut pairs| pairs.next());
    let mut bytes = Vec::new();
    for pair in pairs.into_iter().flat_map(Pair::into_inner) {
        match (pair.as_rule(), pair.as_str()) {
            (Rule::play_plain, text) => bytes.extend_from_slice(&encode(text)),
            (Rule::play_escape, "\\n") => bytes.push(b'\n'),
            (Rule::play_escape, "\\r") => bytes.push(b'\r'),
            (Rule::play_escape, "\\t") => bytes.push(b'\t'),
            (Rule::play_escape, "\\e") => bytes.push(0x1b),
            (Rule::play_escape, "\\\\") => bytes.push(b'\\'),
            (Rule::play_escape, text) => {
                let byte = text.strip_prefix("\\x").and_then(|digits| u8::from_str_radix(digits, 16).ok());
                let Some(byte) = byte else {
                    let message = format!("{} is nothing, expected \\n, \\r, \\t, \\e, \\xHH or \\\\", quote(text));
                    return Err(word.fault(message));
                };
                bytes.push(byte);
            }
            _ => {}
        }
    }
    let mut out = Vec::with_capacity(bytes.len());
    end_lines(&bytes, &mut out);
    Ok(out)
}

/// Appends a text as a terminal gets it: lines end with CR LF.
fn end_lines(text: &[u8], out: &mut Vec<u8>) {
    let mut before = 0;
    for byte in text {
        if *byte == b'\n' && before != b'\r' {
            out.push(b'\r');
        }
        out.push(*byte);
        before = *byte;
    }
}

/// What is wrong in a file that is played.
fn diagnostic(file: &str, number: u32, line: &str, range: Range<usize>, message: String) -> Diagnostic {
    let source_line: String = line.chars().take(200).collect();
    let span = Span::within(number, line, range);
    Diagnostic { severity: Severity::Error, file: file.into(), span, message, source_line }
}

/// A time in seconds, `speed` times as fast.
fn seconds(text: &str, speed: f64) -> Option<Duration> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let seconds = text.parse::<f64>().ok().filter(|seconds| plain && (0.0..=LONGEST).contains(seconds))?;
    Duration::try_from_secs_f64((seconds / speed).min(LONGEST)).ok()
}

/// A text, line by line: `rate` lines in a second, or all at once. Its last line need not be complete.
pub(crate) fn log(text: &[u8], rate: Option<Decimal>) -> Recording {
    let mut recording = Recording::default();
    let step = rate.map_or(0.0, |rate| f64::from(rate).recip());
    let time = |number: usize| Duration::try_from_secs_f64((number as f64 * step).min(LONGEST)).unwrap_or_default();
    let mut bytes = Vec::new();
    for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        bytes.clear();
        end_lines(line, &mut bytes);
        recording.push(time(number), &bytes);
        recording.lasts(time(number + 1));
    }
    recording
}

/// What script(1) recorded. `timing` is in its classic form (seconds and bytes) or the advanced one, in which a letter
/// comes first.
pub(crate) fn typescript(
    script: &[u8],
    timing: &[u8],
    timing_file: &str,
    speed: Decimal,
) -> Result<Recording, Box<Diagnostic>> {
    // The recording's first line is script's own.
    let header =
        if script.starts_with(b"Script started on ") { script.iter().position(|byte| *byte == b'\n') } else { None };
    let mut script = script.get(header.map_or(0, |end| end + 1)..).unwrap_or_default();
    let mut recording = Recording::default();
    let mut now = Duration::ZERO;
    let mut logs: [Option<String>; 2] = [None, None];
    for Line { number, bytes, .. } in lines(timing) {
        let line = decode(bytes);
        let wrong = |message: &str| Box::new(diagnostic(timing_file, number, &line, 0..line.len(), message.into()));
        let mut words = line.split_ascii_whitespace();
        let Some(first) = words.next() else { continue };
        let (kind, delay) = match first {
            "O" | "I" | "S" | "H" => (first, words.next()),
            _ => ("O", Some(first)),
        };
        let delay = delay.and_then(|delay| seconds(delay, speed.into()));
        let delay =
            delay.ok_or_else(|| wrong("expected seconds and a number of bytes, or O, I, S or H before them"))?;
        now = now.saturating_add(delay);
        if kind == "H" {
            let place = match words.next() {
                Some("OUTPUT_LOG") => logs.first_mut(),
                Some("INPUT_LOG") => logs.last_mut(),
                _ => None,
            };
            place.into_iter().for_each(|log| *log = Some(words.clone().collect()));
        }
        // What was typed is in a file of its own, unless both have one name.
        let is_shared = logs[0].is_some() && logs[0] == logs[1];
        if kind == "O" || kind == "I" && is_shared {
            let count =
                words.next().and_then(|count| count.parse().ok()).ok_or_else(|| wrong("expected a number of bytes"))?;
            let (piece, rest) = script
                .split_at_checked(count)
                .ok_or_else(|| wrong(&format!("there are only {} bytes more in the typescript", script.len())))?;
            script = rest;
            if kind == "O" {
                recording.push(now, piece);
            }
        }
    }
    recording.lasts(now);
    Ok(recording)
}

/// What asciinema recorded, in version 2 or 3 of its format.
pub(crate) fn cast(text: &[u8], file: &str, speed: Decimal) -> Result<Recording, Box<Diagnostic>> {
    let mut recording = Recording::default();
    let mut header: Option<Header> = None;
    let (mut now, mut before) = (Duration::ZERO, Duration::ZERO);
    for Line { number, bytes, .. } in lines(text) {
        let line = decode(bytes);
        let wrong = |message: String| Box::new(diagnostic(file, number, &line, 0..line.len(), message));
        if line.trim().is_empty() || line.starts_with('#') && header.is_some() {
            continue;
        }
        let Some(header) = &header else {
            header = Some(Header::read(&line).map_err(wrong)?);
            continue;
        };
        let (time, code, data) = event(&line, speed.into())
            .ok_or_else(|| wrong("expected an event such as [1.5, \"o\", \"text\"]".into()))?;
        let pause = if header.is_relative { time } else { time.saturating_sub(before) };
        before = time;
        let most = header.idle_limit.map_or(pause, |limit| limit.div_f64(f64::from(speed).max(1e-6)));
        now = now.saturating_add(pause.min(most));
        if code == b"o" {
            recording.push(now, &data);
        }
        recording.lasts(now);
    }
    match header {
        Some(_) => Ok(recording),
        None => Err(Box::new(diagnostic(file, 1, "", 0..0, "expected the header of a recording of asciinema".into()))),
    }
}

/// The first line of a recording of asciinema.
struct Header {
    /// Times are counted from the event before.
    is_relative: bool,
    /// The longest pause.
    idle_limit: Option<Duration>,
}

impl Header {
    fn read(line: &str) -> Result<Self, String> {
        let pairs = Grammar::parse(Rule::cast_header, line).ok().and_then(|mut pairs| pairs.next());
        let expected = || format!("expected an object of JSON with \"version\": {}", CASTS.join(" or "));
        let pairs = pairs.ok_or_else(expected)?.into_inner();
        let (mut depth, mut name, mut version, mut idle_limit) = (1, String::new(), None, None);
        for pair in pairs {
            match (pair.as_rule(), pair.as_str()) {
                (Rule::json_mark, "{" | "[") => depth += 1,
                (Rule::json_mark, "}" | "]") => depth -= 1,
                (Rule::json_string, text) if depth == 1 => name = text.trim_matches('"').into(),
                (Rule::json_plain, text) if depth == 1 && name == "version" => version = Some(text.to_owned()),
                (Rule::json_plain, text) if depth == 1 && name == "idle_time_limit" => idle_limit = seconds(text, 1.0),
                _ => {}
            }
        }
        match version.as_deref() {
            Some("2") => Ok(Self { is_relative: false, idle_limit }),
            Some("3") => Ok(Self { is_relative: true, idle_limit }),
            Some(other) => Err(format!("version {} of asciinema's format, {}", quote(other), expected())),
            None => Err(expected()),
        }
    }
}

/// Time, code and data of an event.
fn event(line: &str, speed: f64) -> Option<(Duration, Vec<u8>, Vec<u8>)> {
    let mut parts = Grammar::parse(Rule::cast_event, line).ok()?.next()?.into_inner();
    let time = seconds(parts.next()?.as_str(), speed)?;
    let (code, data) = (unescaped(parts.next()?)?, unescaped(parts.next()?)?);
    Some((time, code, data))
}

/// The bytes of a string of JSON. `None`: half of a character that takes two `\u`.
fn unescaped(string: Pair<'_, Rule>) -> Option<Vec<u8>> {
    let mut text = String::new();
    let mut high: Option<u16> = None;
    for pair in string.into_inner() {
        let escape = match pair.as_rule() {
            Rule::json_escape => pair.as_str().get(1..).unwrap_or_default(),
            _ => "",
        };
        let unit = escape.strip_prefix('u').and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let character = match (high.take(), unit) {
            (Some(high), Some(low)) => char::decode_utf16([high, low]).next()?.ok()?,
            (Some(_), None) => return None,
            (None, Some(unit)) if (0xd800..0xdc00).contains(&unit) => {
                high = Some(unit);
                continue;
            }
            (None, Some(unit)) => char::from_u32(unit.into())?,
            (None, None) => match escape {
                "" => {
                    text.push_str(pair.as_str());
                    continue;
                }
                "b" => '\u{8}',
                "f" => '\u{c}',
                "n" => '\n',
                "r" => '\r',
                "t" => '\t',
                other => other.chars().next()?,
            },
        };
        text.push(character);
    }
    high.is_none().then(|| encode(&text).into_owned())
}

#[cfg(test)]
mod tests;
