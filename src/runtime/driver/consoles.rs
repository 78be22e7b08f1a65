//! Consoles: standard input and TCP connections, from bytes to statements and back.

use std::collections::VecDeque;

use super::statements::Run;
use super::{CONSOLE, Driver, FIRST};
use crate::runtime::console::{Editor, Kind, PROMPT, Typed};
use crate::runtime::console_port::{ConsoleEvent, ConsoleWriter, STANDARD};
use crate::runtime::line_editor::{Keyboard, LineEditor};
use crate::runtime::script::Script;
use crate::runtime::terminal::{RawTerminal, StandardInput};
use crate::sim::ConsoleId;

/// What Ctrl-C sends.
const INTERRUPT: u8 = 3;
/// Most bytes typed ahead that are looked through for it. Who pastes more than this waits.
const TYPED_AHEAD: usize = 64 << 10;

pub(super) struct Console {
    pub(super) writer: ConsoleWriter,
    pub(super) editor: Keyboard,
    /// Input not yet looked at.
    pub(super) input: VecDeque<u8>,
    /// The command being executed.
    pub(super) run: Option<Run>,
    /// There is no more input.
    pub(super) ended: bool,
}

impl Console {
    /// Reads what a person types while a statement is being executed: it may be Ctrl-C.
    fn read_ahead(&self) {
        if matches!(self.editor, Keyboard::Keys(_)) && !self.ended && self.input.len() < TYPED_AHEAD {
            self.writer.more();
        }
    }
}

impl Driver {
    pub(super) fn open_console(&mut self, id: ConsoleId, writer: ConsoleWriter, kind: Kind) {
        writer.write(PROMPT.to_vec());
        writer.more();
        let editor = match self.standard {
            Some(StandardInput::Terminal) if id == STANDARD => Keyboard::Keys(LineEditor::new()),
            _ => Keyboard::Bytes(Editor::new(kind)),
        };
        let console = Console { writer, editor, input: VecDeque::new(), run: None, ended: false };
        self.consoles.insert(id, console);
    }

    pub(super) fn close_console(&mut self, id: ConsoleId) {
        if let Some(console) = self.consoles.remove(&id) {
            self.runs -= usize::from(console.run.is_some());
            console.writer.close();
        }
    }

    pub(super) fn console_event(&mut self, event: ConsoleEvent) {
        match event {
            ConsoleEvent::Opened(id, writer) => self.open_console(id, writer, Kind::Telnet),
            ConsoleEvent::Input(id, bytes) => {
                if let Some(console) = self.consoles.get_mut(&id) {
                    console.input.extend(bytes);
                    self.advance(id);
                }
            }
            ConsoleEvent::Ended(id) => {
                if let Some(console) = self.consoles.get_mut(&id) {
                    console.ended = true;
                    self.advance(id);
                }
            }
        }
    }

    /// Looks at a console's input up to the next command.
    pub(super) fn advance(&mut self, id: ConsoleId) {
        let columns = self.raw.as_ref().filter(|_| self.person).map_or(0, RawTerminal::columns);
        let Some(console) = self.consoles.get_mut(&id) else { return };
        if console.run.is_some() {
            console.read_ahead();
            return self.interrupt(id);
        }
        let mut echo = Vec::new();
        console.editor.set_columns(columns);
        let (taken, typed) = console.editor.feed(console.input.make_contiguous(), &mut echo);
        console.input.drain(..taken);
        console.writer.write(echo);
        match typed {
            Some(Typed::Line(line)) => {
                let mut script = Script::default();
                script.push_line(CONSOLE, &line);
                console.run = Some(Run::new(FIRST, script));
                self.runs += 1;
                console.read_ahead();
            }
            None if !console.ended => console.writer.more(),
            Some(Typed::End) | None if id == STANDARD => self.end(0),
            Some(Typed::End) | None => self.close_console(id),
        }
    }

    /// A person's Ctrl-C while a statement is being executed: it is not waited for any longer, nothing of an
    /// included file is executed after it, and what was typed before that key is forgotten, as a terminal does.
    pub(super) fn interrupt(&mut self, id: ConsoleId) {
        let Some(console) = self.consoles.get_mut(&id) else { return };
        let Keyboard::Keys(_) = console.editor else { return };
        let Some(last) = console.input.iter().rposition(|byte| *byte == INTERRUPT) else { return };
        console.input.drain(..=last);
        console.run = None;
        console.writer.write(b"^C\n".to_vec());
        self.executed(id);
    }

    /// The statement of a console is done: the next one may come.
    pub(super) fn executed(&mut self, id: ConsoleId) {
        self.runs -= 1;
        let Some(console) = self.consoles.get(&id).filter(|_| self.ending.is_none()) else { return };
        console.writer.write(PROMPT.to_vec());
        self.advance(id);
        self.tell_ready();
    }
}
