//! The line editor of a person at a terminal: keys, history and completion.
//!
//! Owns the line being typed, where its cursor is, and the lines before it. Pure: bytes come
//! in, lines and bytes to be shown come out. It draws with backspace, space, CR and LF alone,
//! so that every terminal will do.

use std::collections::VecDeque;

use super::console::{Editor, LINE, PROMPT, Typed};
use crate::config::help::COMMANDS;

/// Most lines remembered.
const HISTORY: usize = 100;
/// What is said to the first Ctrl-C on an empty line.
const AGAIN: &[u8] = b"^C\nCtrl-C again, or quit, ends the program\n";
const BELL: u8 = 7;

/// What turns a console's bytes into lines.
#[derive(Debug)]
pub enum Keyboard {
    /// Bytes as the original takes them: TCP and pipes.
    Bytes(Editor),
    /// The keys of a person.
    Keys(LineEditor),
}

impl Keyboard {
    /// Switches the echo off for good.
    pub fn stop_echo(&mut self) {
        match self {
            Self::Bytes(editor) => editor.stop_echo(),
            Self::Keys(editor) => editor.stop_echo(),
        }
    }

    /// Takes input up to the first thing that needs to be acted on.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> (usize, Option<Typed>) {
        match self {
            Self::Bytes(editor) => editor.feed(input, out),
            Self::Keys(editor) => editor.feed(input, out),
        }
    }
}

/// Where in an escape sequence the input is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sequence {
    #[default]
    None,
    Escape,
    /// With its first number.
    Control(u8),
}

/// The editor of one terminal.
#[derive(Debug)]
pub struct LineEditor {
    echo: bool,
    line: Vec<u8>,
    /// Bytes before the cursor.
    cursor: usize,
    sequence: Sequence,
    history: VecDeque<Vec<u8>>,
    /// The line of the history that is shown, and what was typed before it.
    shown: Option<(usize, Vec<u8>)>,
    /// The last key was Ctrl-C on an empty line.
    interrupted: bool,
}

impl Default for LineEditor {
    fn default() -> Self {
        Self::new()
    }
}

impl LineEditor {
    /// With nothing typed and echo on.
    pub fn new() -> Self {
        Self {
            echo: true,
            line: Vec::new(),
            cursor: 0,
            sequence: Sequence::None,
            history: VecDeque::new(),
            shown: None,
            interrupted: false,
        }
    }

    /// Switches the echo off for good (`noecho`).
    pub fn stop_echo(&mut self) {
        self.echo = false;
    }

    /// Takes input up to the first thing that needs to be acted on: how many bytes were
    /// taken, and that thing. What is to be shown is appended to `out`.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> (usize, Option<Typed>) {
        for (index, &byte) in input.iter().enumerate() {
            let typed = self.byte(byte, out);
            if typed.is_some() {
                return (index + 1, typed);
            }
        }
        (input.len(), None)
    }

    /// Takes prompt and line away, so that something else can be shown.
    pub fn hide(&self, out: &mut Vec<u8>) {
        let width = PROMPT.len() + if self.echo { columns(&self.line) } else { 0 };
        out.push(b'\r');
        out.extend(std::iter::repeat_n(b' ', width));
        out.push(b'\r');
    }

    /// Shows prompt and line again.
    pub fn show(&self, out: &mut Vec<u8>) {
        out.extend(PROMPT);
        if self.echo {
            out.extend(&self.line);
            back(columns(self.after()), out);
        }
    }

    fn before(&self) -> &[u8] {
        self.line.get(..self.cursor).unwrap_or_default()
    }

    fn after(&self) -> &[u8] {
        self.line.get(self.cursor..).unwrap_or_default()
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) -> Option<Typed> {
        match (std::mem::take(&mut self.sequence), byte) {
            // Keys that end or cancel a line are never part of a sequence.
            (_, 0..=0x1a) | (Sequence::None, _) => {}
            (_, 0x1b) => {}
            (Sequence::Escape, b'[' | b'O') => {
                self.sequence = Sequence::Control(0);
                return None;
            }
            (Sequence::Escape, _) => return None,
            (Sequence::Control(number), _) => {
                self.control(number, byte, out);
                return None;
            }
        }
        let interrupted = std::mem::take(&mut self.interrupted);
        match byte {
            0x1b => self.sequence = Sequence::Escape,
            3 => return self.interrupt(interrupted, out),
            4 if self.line.is_empty() => {
                self.draw(b"\n", out);
                return Some(Typed::End);
            }
            4 => self.delete(out),
            b'\n' | b'\r' => {
                self.draw(b"\n", out);
                return Some(Typed::Line(self.take()));
            }
            8 | 127 if self.cursor > 0 => {
                self.left(out);
                self.delete(out);
            }
            b'\t' => self.complete(out),
            1 => self.home(out),
            5 => self.end(out),
            2 => self.left(out),
            6 => self.right(out),
            16 => self.older(out),
            14 => self.newer(out),
            11 => self.replace(self.before().to_vec(), out),
            21 => {
                let rest = self.after().to_vec();
                self.replace(rest, out);
                self.home(out);
            }
            0..=31 | 127 => {}
            byte => self.insert(&[byte], out),
        }
        None
    }

    fn control(&mut self, number: u8, byte: u8, out: &mut Vec<u8>) {
        match (number, byte) {
            (_, b'0'..=b'9') => {
                self.sequence = Sequence::Control(number.saturating_mul(10).saturating_add(byte - b'0'));
            }
            // Of a key with modifiers only the key counts.
            (_, b';') => self.sequence = Sequence::Control(number),
            (_, b'A') => self.older(out),
            (_, b'B') => self.newer(out),
            (_, b'C') => self.right(out),
            (_, b'D') => self.left(out),
            (_, b'H') | (1 | 7, b'~') => self.home(out),
            (_, b'F') | (4 | 8, b'~') => self.end(out),
            (3, b'~') => self.delete(out),
            _ => {}
        }
    }

    fn interrupt(&mut self, interrupted: bool, out: &mut Vec<u8>) -> Option<Typed> {
        if !self.line.is_empty() {
            out.extend(b"^C\n");
        } else if interrupted {
            out.extend(b"^C\n");
            return Some(Typed::End);
        } else {
            self.interrupted = true;
            out.extend(AGAIN);
        }
        self.line.clear();
        self.cursor = 0;
        self.shown = None;
        out.extend(PROMPT);
        None
    }

    fn take(&mut self) -> Vec<u8> {
        let line = std::mem::take(&mut self.line);
        self.cursor = 0;
        self.shown = None;
        if !line.trim_ascii().is_empty() && self.history.back() != Some(&line) {
            if self.history.len() == HISTORY {
                self.history.pop_front();
            }
            self.history.push_back(line.clone());
        }
        line
    }

    fn draw(&self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.echo {
            out.extend(bytes);
        }
    }

    fn insert(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.line.len() + bytes.len() > LINE {
            out.push(BELL);
            return;
        }
        self.line.splice(self.cursor..self.cursor, bytes.iter().copied());
        self.cursor += bytes.len();
        if self.echo {
            out.extend(bytes);
            out.extend(self.after());
            back(columns(self.after()), out);
        }
    }

    fn delete(&mut self, out: &mut Vec<u8>) {
        let length = first(self.after());
        if length == 0 {
            return;
        }
        self.line.drain(self.cursor..self.cursor + length);
        if self.echo {
            out.extend(self.after());
            out.push(b' ');
            back(columns(self.after()) + 1, out);
        }
    }

    fn left(&mut self, out: &mut Vec<u8>) {
        if let Some(at) = self.before().iter().rposition(|byte| !is_continuation(*byte)) {
            self.cursor = at;
            self.draw(b"\x08", out);
        }
    }

    fn right(&mut self, out: &mut Vec<u8>) {
        let length = first(self.after());
        let character = self.after().get(..length).unwrap_or_default().to_vec();
        self.cursor += length;
        self.draw(&character, out);
    }

    fn home(&mut self, out: &mut Vec<u8>) {
        if self.echo {
            back(columns(self.before()), out);
        }
        self.cursor = 0;
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.draw(self.after(), out);
        self.cursor = self.line.len();
    }

    fn replace(&mut self, line: Vec<u8>, out: &mut Vec<u8>) {
        if self.echo {
            back(columns(self.before()), out);
            out.extend(&line);
            let excess = columns(&self.line).saturating_sub(columns(&line));
            out.extend(std::iter::repeat_n(b' ', excess));
            back(excess, out);
        }
        self.cursor = line.len();
        self.line = line;
    }

    fn older(&mut self, out: &mut Vec<u8>) {
        let at = self.shown.as_ref().map_or(self.history.len(), |(at, _)| *at);
        let Some((at, line)) = at.checked_sub(1).and_then(|at| Some((at, self.history.get(at)?.clone()))) else {
            return;
        };
        let typed = self.shown.take().map_or_else(|| self.line.clone(), |(_, typed)| typed);
        self.shown = Some((at, typed));
        self.replace(line, out);
    }

    fn newer(&mut self, out: &mut Vec<u8>) {
        let Some((at, typed)) = self.shown.take() else { return };
        let line = match self.history.get(at + 1) {
            Some(line) => {
                let line = line.clone();
                self.shown = Some((at + 1, typed));
                line
            }
            None => typed,
        };
        self.replace(line, out);
    }

    /// Completes the word of a command. Elsewhere the key is the space that commands take it for.
    fn complete(&mut self, out: &mut Vec<u8>) {
        let word = self.before().trim_ascii_start().to_vec();
        if word.contains(&b' ') {
            return self.insert(b" ", out);
        }
        let mut names: Vec<&str> = COMMANDS.iter().map(|entry| entry.name).collect();
        names.retain(|name| name.as_bytes().starts_with(&word));
        names.sort_unstable();
        let (Some(one), Some(last)) = (names.first(), names.last()) else {
            return out.push(BELL);
        };
        let common = one.bytes().zip(last.bytes()).take_while(|(one, last)| one == last).count();
        let more = one.as_bytes().get(word.len()..common).unwrap_or_default();
        match names.len() {
            1 => self.insert(&[more, b" "].concat(), out),
            _ if !more.is_empty() => self.insert(more, out),
            _ if self.echo => {
                out.push(b'\n');
                out.extend(names.join("  ").bytes());
                out.push(b'\n');
                self.show(out);
            }
            _ => {}
        }
    }
}

/// Bytes inside a UTF-8 character.
fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

fn columns(text: &[u8]) -> usize {
    text.iter().filter(|byte| !is_continuation(**byte)).count()
}

/// Bytes of the first character.
fn first(text: &[u8]) -> usize {
    match text.split_first() {
        Some((_, rest)) => 1 + rest.iter().take_while(|byte| is_continuation(**byte)).count(),
        None => 0,
    }
}

fn back(columns: usize, out: &mut Vec<u8>) {
    out.extend(std::iter::repeat_n(8, columns));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_in(mut input: &[u8]) -> (Vec<Typed>, String) {
        let (mut editor, mut all, mut out) = (LineEditor::new(), Vec::new(), Vec::new());
        while !input.is_empty() {
            let (taken, typed) = editor.feed(input, &mut out);
            all.extend(typed);
            input = &input[taken..];
        }
        (all, String::from_utf8(out).unwrap())
    }

    fn lines(input: &[u8]) -> Vec<String> {
        let of = |typed| match typed {
            Typed::Line(line) => String::from_utf8(line).unwrap(),
            Typed::End => "END".into(),
        };
        type_in(input).0.into_iter().map(of).collect()
    }

    #[test]
    fn typing_at_the_end_is_echoed_as_by_the_original() {
        assert_eq!(type_in(b"abc\x08\x7fd\n").1, "abc\x08 \x08\x08 \x08d\n");
    }

    #[test]
    fn keys_move_and_delete_in_the_line() {
        assert_eq!(lines(b"bd\x1b[Da\x1b[Hx\x1b[3~c\x1b[F!\r"), ["xcad!"]);
        assert_eq!(lines("ä€\x08b\x1bODc\r".as_bytes()), ["äcb"]);
    }

    #[test]
    fn control_c_cancels_the_line_and_twice_on_an_empty_one_ends() {
        assert_eq!(type_in(b"abc\x03"), (vec![], "abc^C\n> ".into()));
        assert_eq!(lines(b"abc\x03\x03x\x03\x03\x03"), ["END"]);
        assert_eq!(lines(b"\x03a\x03b\r"), ["b"]);
    }

    #[test]
    fn arrows_walk_through_a_bounded_history() {
        assert_eq!(lines(b"one\rtwo\r\x1b[A\x1b[A\r"), ["one", "two", "one"]);
        assert_eq!(lines(b"one\rty\x1b[A\x1b[Bp\r"), ["one", "typ"]);
        let mut editor = LineEditor::new();
        for number in 0..2 * HISTORY {
            editor.feed(format!("{number}\n").as_bytes(), &mut Vec::new());
        }
        assert_eq!(editor.history.len(), HISTORY);
    }

    #[test]
    fn tab_completes_commands_and_lists_choices() {
        assert_eq!(lines(b"qui\t\r"), ["quit "]);
        assert_eq!(lines(b"mc_en\t0x20\t1\r"), ["mc_enable 0x20 1"]);
        assert!(type_in(b"mc_add\t").1.ends_with("\nmc_add  mc_add_fru_data\n> mc_add"));
    }

    #[test]
    fn what_hides_the_line_shows_it_again_with_its_cursor() {
        let (mut editor, mut out) = (LineEditor::new(), Vec::new());
        editor.feed(b"ab\x1b[D", &mut Vec::new());
        editor.hide(&mut out);
        editor.show(&mut out);
        assert_eq!(out, b"\r    \r> ab\x08");
    }
}
