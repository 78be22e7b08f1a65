//! The line editor of a person at a terminal: keys, history and completion.
//!
//! Owns the line being typed, where its cursor is, and the lines before it. Pure: bytes come
//! in, lines and bytes to be shown come out. It draws with backspace, space, CR and LF alone,
//! so that every terminal will do. A line that is longer than the terminal is wide scrolls in its one row.

use std::collections::VecDeque;

use super::console::{Editor, LINE, PROMPT, Typed};
use crate::config::help::COMMANDS;

/// Most lines remembered.
const HISTORY: usize = 100;
/// What is said to the first Ctrl-C on an empty line.
const AGAIN: &[u8] = b"^C\nCtrl-C again, or quit, ends the program\n";
const BELL: u8 = 7;
/// Stand in the first and last column of a line of which more is to the left or right.
const MORE_LEFT: char = '<';
const MORE_RIGHT: char = '>';
/// Fewer columns are too few for marks.
const ROOM_FOR_MARKS: usize = 8;

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

    /// What stands before a line.
    pub fn set_prompt(&mut self, prompt: &[u8]) {
        if let Self::Keys(editor) = self {
            editor.prompt = prompt.to_vec();
        }
    }

    /// Says how many columns the terminal has; 0 when that is not known.
    pub fn set_columns(&mut self, columns: usize) {
        if let Self::Keys(editor) = self {
            editor.columns = columns;
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

/// What stands behind the prompt: one character a column, and the column of the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    text: Vec<Vec<u8>>,
    cursor: usize,
}

/// The editor of one terminal.
#[derive(Debug)]
pub struct LineEditor {
    /// What stands before the line.
    prompt: Vec<u8>,
    echo: bool,
    /// Width of the terminal; 0 when it is not known.
    columns: usize,
    /// Column of the line that stands behind the prompt.
    start: usize,
    /// What is on the screen, and the width it was drawn for.
    row: Row,
    drawn_for: usize,
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
            prompt: PROMPT.to_vec(),
            echo: true,
            columns: 0,
            start: 0,
            row: Row::default(),
            drawn_for: 0,
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
        if self.columns != self.drawn_for {
            self.draw_anew(out);
        }
        for (index, &byte) in input.iter().enumerate() {
            let typed = self.byte(byte, out);
            if typed.is_some() {
                return (index + 1, typed);
            }
            // A character is drawn once all of its bytes are here.
            if input.get(index + 1).is_none_or(|next| !is_continuation(*next)) {
                self.draw(out);
            }
        }
        (input.len(), None)
    }

    /// Takes prompt and line away, so that something else can be shown.
    pub fn hide(&self, out: &mut Vec<u8>) {
        out.push(b'\r');
        out.extend(std::iter::repeat_n(b' ', self.prompt_columns() + self.row.text.len()));
        out.push(b'\r');
    }

    /// Shows prompt and line again as they were.
    pub fn show(&self, out: &mut Vec<u8>) {
        out.extend(&self.prompt);
        out.extend(self.row.text.iter().flatten());
        back(self.row.text.len() - self.row.cursor.min(self.row.text.len()), out);
    }

    /// Draws everything, for a terminal that has another width now.
    fn draw_anew(&mut self, out: &mut Vec<u8>) {
        self.drawn_for = self.columns;
        let before = std::mem::take(&mut self.row);
        if before == Row::default() {
            return;
        }
        out.push(b'\r');
        out.extend(&self.prompt);
        let room = self.room();
        self.row.text = vec![b" ".to_vec(); before.text.len().min(room)];
        self.draw(out);
    }

    /// Columns that a line may take: the last one of the terminal is the cursor's.
    fn room(&self) -> usize {
        match self.columns {
            0 => usize::MAX,
            columns => columns.saturating_sub(self.prompt_columns() + 1).max(1),
        }
    }

    fn prompt_columns(&self) -> usize {
        String::from_utf8_lossy(&self.prompt).chars().count()
    }

    /// What is to stand behind the prompt.
    fn wanted(&mut self) -> Row {
        if !self.echo {
            return Row::default();
        }
        let mut text = characters(&self.line);
        let (cursor, length, room) = (columns(self.before()), text.len(), self.room());
        let more_right = |start: usize| length - start.min(length) > room;
        // The cursor stands on neither mark.
        let mark = usize::from(room >= ROOM_FOR_MARKS);
        let last = self.start.saturating_add(if more_right(self.start) { room - 1 - mark } else { room });
        let too_far_left = self.start > 0 && cursor < self.start + mark;
        if length <= room {
            self.start = 0;
        } else if too_far_left || cursor > last {
            self.start = cursor.saturating_sub(room / 2);
        }
        let (start, more) = (self.start, more_right(self.start));
        text.drain(..start.min(length));
        text.truncate(room);
        if mark > 0
            && start > 0
            && let Some(first) = text.first_mut()
        {
            *first = vec![MORE_LEFT as u8];
        }
        if mark > 0
            && more
            && let Some(last) = text.last_mut()
        {
            *last = vec![MORE_RIGHT as u8];
        }
        Row { cursor: cursor - start.min(cursor), text }
    }

    /// Makes the screen show what it should.
    fn draw(&mut self, out: &mut Vec<u8>) {
        let wanted = self.wanted();
        let (old, new) = (&self.row.text, &wanted.text);
        let mut at = self.row.cursor;
        if old != new {
            let same = old.iter().zip(new).take_while(|(one, other)| one == other).count();
            step(new, at, same, out);
            out.extend(new.iter().skip(same).flatten());
            let excess = old.len().saturating_sub(new.len());
            out.extend(std::iter::repeat_n(b' ', excess));
            at = new.len().max(same) + excess;
        }
        step(new, at, wanted.cursor, out);
        self.row = wanted;
    }

    /// Leaves the line as it stands, and begins another.
    fn leave(&mut self) {
        self.line.clear();
        self.cursor = 0;
        self.start = 0;
        self.row = Row::default();
        self.shown = None;
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
                self.control(number, byte);
                return None;
            }
        }
        let interrupted = std::mem::take(&mut self.interrupted);
        match byte {
            0x1b => self.sequence = Sequence::Escape,
            3 => return self.interrupt(interrupted, out),
            4 if self.line.is_empty() => {
                self.enter(out);
                return Some(Typed::End);
            }
            4 => self.delete(),
            b'\n' | b'\r' => {
                self.enter(out);
                return Some(Typed::Line(self.take()));
            }
            8 | 127 if self.cursor > 0 => {
                self.left();
                self.delete();
            }
            b'\t' => self.complete(out),
            1 => self.cursor = 0,
            5 => self.cursor = self.line.len(),
            2 => self.left(),
            6 => self.right(),
            16 => self.older(),
            14 => self.newer(),
            11 => self.line.truncate(self.cursor),
            23 => {
                let before = self.before().trim_ascii_end();
                let word = before.iter().rposition(|byte| *byte == b' ').map_or(0, |blank| blank + 1);
                self.line.drain(word..self.cursor);
                self.cursor = word;
            }
            21 => {
                self.line.drain(..self.cursor);
                self.cursor = 0;
            }
            0..=31 | 127 => {}
            byte => self.insert(&[byte], out),
        }
        None
    }

    fn control(&mut self, number: u8, byte: u8) {
        match (number, byte) {
            (_, b'0'..=b'9') => {
                self.sequence = Sequence::Control(number.saturating_mul(10).saturating_add(byte - b'0'));
            }
            // Of a key with modifiers only the key counts.
            (_, b';') => self.sequence = Sequence::Control(number),
            (_, b'A') => self.older(),
            (_, b'B') => self.newer(),
            (_, b'C') => self.right(),
            (_, b'D') => self.left(),
            (_, b'H') | (1 | 7, b'~') => self.cursor = 0,
            (_, b'F') | (4 | 8, b'~') => self.cursor = self.line.len(),
            (3, b'~') => self.delete(),
            _ => {}
        }
    }

    fn interrupt(&mut self, interrupted: bool, out: &mut Vec<u8>) -> Option<Typed> {
        let was_empty = self.line.is_empty();
        self.leave();
        if !was_empty {
            out.extend(b"^C\n");
        } else if interrupted {
            out.extend(b"^C\n");
            return Some(Typed::End);
        } else {
            self.interrupted = true;
            out.extend(AGAIN);
        }
        out.extend(&self.prompt);
        None
    }

    fn enter(&self, out: &mut Vec<u8>) {
        if self.echo {
            out.push(b'\n');
        }
    }

    fn take(&mut self) -> Vec<u8> {
        let line = std::mem::take(&mut self.line);
        self.leave();
        if !line.trim_ascii().is_empty() && self.history.back() != Some(&line) {
            if self.history.len() == HISTORY {
                self.history.pop_front();
            }
            self.history.push_back(line.clone());
        }
        line
    }

    fn insert(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.line.len() + bytes.len() > LINE {
            out.push(BELL);
            return;
        }
        self.line.splice(self.cursor..self.cursor, bytes.iter().copied());
        self.cursor += bytes.len();
    }

    fn delete(&mut self) {
        self.line.drain(self.cursor..self.cursor + first(self.after()));
    }

    fn left(&mut self) {
        self.cursor -= characters(self.before()).last().map_or(0, Vec::len);
    }

    fn right(&mut self) {
        self.cursor += first(self.after());
    }

    fn replace(&mut self, line: Vec<u8>) {
        self.cursor = line.len();
        self.line = line;
    }

    fn older(&mut self) {
        let at = self.shown.as_ref().map_or(self.history.len(), |(at, _)| *at);
        let Some((at, line)) = at.checked_sub(1).and_then(|at| Some((at, self.history.get(at)?.clone()))) else {
            return;
        };
        let typed = self.shown.take().map_or_else(|| self.line.clone(), |(_, typed)| typed);
        self.shown = Some((at, typed));
        self.replace(line);
    }

    fn newer(&mut self) {
        let Some((at, typed)) = self.shown.take() else { return };
        let line = match self.history.get(at + 1) {
            Some(line) => {
                let line = line.clone();
                self.shown = Some((at + 1, typed));
                line
            }
            None => typed,
        };
        self.replace(line);
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
                out.extend(listed(&names, self.columns).bytes());
                self.show(out);
            }
            _ => {}
        }
    }
}

/// Names in rows that fit into so many columns.
fn listed(names: &[&str], columns: usize) -> String {
    let mut text = String::new();
    let mut column = 0;
    for name in names {
        if column > 0 && columns > 0 && column + 2 + name.len() > columns {
            text.push('\n');
            column = 0;
        }
        if column > 0 {
            text.push_str("  ");
            column += 2;
        }
        text.push_str(name);
        column += name.len();
    }
    text.push('\n');
    text
}

/// Bytes inside a UTF-8 character.
fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

fn columns(text: &[u8]) -> usize {
    characters(text).len()
}

/// Bytes of the first character.
fn first(text: &[u8]) -> usize {
    match text.split_first() {
        Some((_, rest)) => 1 + rest.iter().take_while(|byte| is_continuation(**byte)).count(),
        None => 0,
    }
}

/// The characters of a text; bytes that are none stand with the one before them.
fn characters(mut text: &[u8]) -> Vec<Vec<u8>> {
    let mut list = Vec::new();
    while let (length @ 1.., whole) = (first(text), text) {
        let (character, rest) = whole.split_at(length);
        list.push(character.to_vec());
        text = rest;
    }
    list
}

/// Moves the cursor in a row.
fn step(row: &[Vec<u8>], from: usize, to: usize, out: &mut Vec<u8>) {
    match to.checked_sub(from) {
        Some(right) => out.extend(row.iter().skip(from).take(right).flatten()),
        None => back(from - to, out),
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

    /// A terminal of some width that wraps as terminals do.
    struct Screen {
        width: usize,
        rows: Vec<Vec<char>>,
        column: usize,
    }

    impl Screen {
        fn new(width: usize) -> Self {
            Self { width, rows: vec![Vec::new()], column: 0 }
        }

        fn show(&mut self, bytes: &[u8]) {
            for character in String::from_utf8_lossy(bytes).chars() {
                match character {
                    '\r' => self.column = 0,
                    '\n' => {
                        self.rows.push(Vec::new());
                        self.column = 0;
                    }
                    '\x07' => {}
                    '\x08' => self.column = self.column.saturating_sub(1),
                    character => {
                        if self.column == self.width {
                            self.rows.push(Vec::new());
                            self.column = 0;
                        }
                        let row = self.rows.last_mut().unwrap();
                        row.resize(row.len().max(self.column + 1), ' ');
                        row[self.column] = character;
                        self.column += 1;
                    }
                }
            }
        }

        fn row(&self) -> String {
            self.rows.last().unwrap().iter().collect::<String>().trim_end().into()
        }
    }

    fn on_a_screen(width: usize) -> (LineEditor, Screen) {
        let mut screen = Screen::new(width);
        screen.show(PROMPT);
        (LineEditor { columns: width, drawn_for: width, ..LineEditor::new() }, screen)
    }

    #[track_caller]
    fn press(editor: &mut LineEditor, screen: &mut Screen, keys: &[u8]) {
        let mut out = Vec::new();
        assert_eq!(editor.feed(keys, &mut out).1, None);
        screen.show(&out);
    }

    #[test]
    fn a_line_longer_than_the_terminal_scrolls_in_one_row() {
        let (mut editor, mut screen) = on_a_screen(20);
        for (keys, row, column) in [
            (&b"0123456789abcdefg"[..], "> 0123456789abcdefg", 19),
            (b"h", "> <bcdefgh", 10),
            (b"ijklmnopq", "> <bcdefghijklmnopq", 19),
            // To the first column, and on by half a row when the mark is reached.
            (b"\x01", "> 0123456789abcdef>", 2),
            (b"X", "> X0123456789abcde>", 3),
            (b"\x7f\x05", "> <klmnopq", 10),
            (b"\x1b[D\x1b[D\x1b[DY", "> <klmnYopq", 8),
            (b"\x15", "> opq", 2),
        ] {
            press(&mut editor, &mut screen, keys);
            let seen = (screen.row(), screen.column, screen.rows.len());
            assert_eq!(seen, (row.into(), column, 1), "{:?}", String::from_utf8_lossy(keys));
        }
    }

    #[test]
    fn a_terminal_that_is_made_narrower_gets_a_row_that_fits() {
        let (mut editor, mut screen) = on_a_screen(40);
        press(&mut editor, &mut screen, b"0123456789abcdefghij");
        editor.columns = 12;
        screen = Screen::new(12);
        press(&mut editor, &mut screen, b"k");
        assert_eq!((screen.row(), screen.rows.len()), ("> <hijk".into(), 1));
        editor.columns = 0;
        screen = Screen::new(100);
        press(&mut editor, &mut screen, b"l");
        assert_eq!(screen.row(), "> 0123456789abcdefghijkl");
    }

    /// Whatever is pressed, the row on the screen is the line around its cursor, and nothing wraps.
    #[test]
    fn the_screen_shows_the_line_around_the_cursor() {
        const KEYS: [&str; 16] = [
            "a",
            "b",
            "cdef",
            "\u{e4}",
            "\u{20ac}",
            "0123456789",
            "\x1b[D",
            "\x1b[D",
            "\x1b[C",
            "\x01",
            "\x05",
            "\x7f",
            "\x1b[3~",
            "\x0b",
            "\x15",
            "\x1b[A",
        ];
        let mut random = 1u32;
        for width in [4, 5, 8, 11, 20, 80, 0] {
            let (mut editor, mut screen) = on_a_screen(if width == 0 { usize::MAX } else { width });
            editor.columns = width;
            for line in ["one", &"a long line ".repeat(9)] {
                editor.history.push_back(line.into());
            }
            for _ in 0..2000 {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let key = KEYS[(random >> 16) as usize % KEYS.len()];
                press(&mut editor, &mut screen, key.as_bytes());
                assert_eq!(screen.rows.len(), 1, "it wraps at {width}");
                let shown: Vec<char> = screen.row().chars().collect();
                let line: Vec<char> = std::str::from_utf8(&editor.line).unwrap().chars().collect();
                let cursor = columns(editor.before());
                let at = |column: usize| shown.get(column).copied().unwrap_or(' ');
                // What is left and right of the cursor is there, and every other column but for the marks.
                let wanted = |column: usize| line.get(column).copied().unwrap_or(' ');
                assert_eq!(at(screen.column), wanted(cursor), "{width} {shown:?} {line:?} {cursor}");
                let first = screen.column - PROMPT.len();
                for (column, character) in shown.iter().enumerate().skip(PROMPT.len()) {
                    let mark = (column == PROMPT.len() && *character == MORE_LEFT) || *character == MORE_RIGHT;
                    let place = (column + cursor).checked_sub(first + PROMPT.len());
                    assert!(mark || place.is_some_and(|place| wanted(place) == *character), "{shown:?} {line:?}");
                }
                assert!(screen.column < screen.width);
                if line.len() > 500 {
                    press(&mut editor, &mut screen, b"\x05\x15");
                }
            }
        }
    }

    #[test]
    fn bytes_that_are_no_characters_do_no_harm() {
        let mut editor = LineEditor::new();
        let mut out = Vec::new();
        editor.feed(b"\x80\x80a\xff\x1b[D\x1b[D\x1b[D\x1b[D\x7f\x1b[C\xc3b\x7f\x7f", &mut out);
        assert_eq!(editor.line, b"\x80\x80a\xff".to_vec());
    }

    #[test]
    fn choices_are_listed_in_rows_that_fit() {
        assert_eq!(listed(&["one", "two", "three"], 0), "one  two  three\n");
        assert_eq!(listed(&["one", "two", "three"], 8), "one  two\nthree\n");
        assert_eq!(listed(&["one", "two", "three"], 2), "one\ntwo\nthree\n");
    }

    #[test]
    fn control_w_deletes_the_word_before_the_cursor() {
        assert_eq!(lines(b"one two  \x17three\x1b[D\x17\r"), ["one e"]);
        assert_eq!(lines(b"\x17 one\x17\x17\x17a\r"), ["a"]);
    }

    #[test]
    fn what_hides_the_line_shows_it_again_with_its_cursor() {
        let (mut editor, mut out) = (LineEditor::new(), Vec::new());
        editor.feed(b"ab\x1b[D", &mut Vec::new());
        editor.hide(&mut out);
        editor.show(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), "\r    \r> ab\x08");
    }
}
