//! Consoles: standard input and TCP connections, from bytes to statements and back.
//!
//! Owns what is typed on them, what they are shown, prompts, the terminal, and the statements typed that are not
//! done. Executes nothing.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};
use std::time::Duration;

use nix::unistd::isatty;
use tokio::sync::mpsc;

use super::statements::Run;
use super::{CONSOLE, FIRST};
use crate::config::text::{encode, printable};
use crate::host::{SystemId, tcp};
use crate::ipmi::Moment;
use crate::runtime::console::{Editor, Kind, LineEnd, PROMPT, Typed};
use crate::runtime::console_port::{self, ConsoleEvent, ConsoleWriter, STANDARD};
use crate::runtime::line_editor::{Keyboard, LineEditor};
use crate::runtime::logging::complain;
use crate::runtime::script::Script;
use crate::runtime::terminal::{self, RawTerminal, StandardInput, Streams};
use crate::sim::ConsoleId;
use crate::store::directory::message;

/// How long consoles may take to read what was said last.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What Ctrl-C sends.
const INTERRUPT: u8 = 3;
/// Most bytes typed ahead that are looked through for it. Who pastes more than this waits.
const TYPED_AHEAD: usize = 64 << 10;

/// What follows from what happened on a console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum After {
    /// Nothing.
    Nothing,
    /// Standard input has ended, and so does the program.
    End,
    /// The statement of this console is done, or given up.
    Executed(ConsoleId),
}

struct Console {
    writer: ConsoleWriter,
    editor: Keyboard,
    /// Input not yet looked at.
    input: VecDeque<u8>,
    /// The command being executed.
    run: Option<Run>,
    /// Whom it talks to.
    bmc: Bmc,
    /// There is no more input.
    ended: bool,
}

/// Whom a console talks to, and how it says so.
#[derive(Clone, Debug)]
pub(super) struct Bmc {
    system: SystemId,
    prompt: Vec<u8>,
}

impl Bmc {
    /// The only one there is.
    fn only() -> Self {
        Self { system: FIRST, prompt: PROMPT.to_vec() }
    }

    /// Which it is.
    pub(super) fn system(&self) -> SystemId {
        self.system
    }

    /// One of many.
    pub(super) fn named(system: SystemId, name: &str) -> Self {
        let shown: String = name.chars().map(printable).collect();
        Self { system, prompt: [shown.as_bytes(), PROMPT].concat() }
    }
}

impl Console {
    /// Reads what a person types while a statement is being executed: it may be Ctrl-C.
    fn read_ahead(&self) {
        if matches!(self.editor, Keyboard::Keys(_)) && !self.ended && self.input.len() < TYPED_AHEAD {
            self.writer.more();
        }
    }

    /// A person's Ctrl-C while a statement is being executed: it is not waited for any longer, nothing of an
    /// included file is executed after it, and what was typed before that key is forgotten, as a terminal does.
    /// Says whether that is so.
    fn is_interrupted(&mut self) -> bool {
        let Keyboard::Keys(_) = self.editor else { return false };
        let Some(last) = self.input.iter().rposition(|byte| *byte == INTERRUPT) else { return false };
        self.input.drain(..=last);
        self.run = None;
        self.writer.write(b"^C\n".to_vec());
        true
    }
}

/// All consoles.
pub(super) struct Consoles {
    /// What standard input is, if there is a console on it.
    standard: Option<StandardInput>,
    output: ConsoleWriter,
    line_end: LineEnd,
    /// The terminal, until it is in raw mode.
    terminal: Option<OwnedFd>,
    raw: Option<RawTerminal>,
    /// Standard input and output are a person's terminal.
    person: bool,
    /// A statement of that person is being executed: there is no prompt.
    executing: bool,
    consoles: BTreeMap<ConsoleId, Console>,
    /// How many statements typed are not done, so that the datagrams' way need not look for them.
    runs: usize,
    /// Where the TCP console listens.
    address: Option<SocketAddr>,
    /// Whom a console talks to at first.
    bmc: Bmc,
    events: mpsc::Receiver<ConsoleEvent>,
    to_events: mpsc::Sender<ConsoleEvent>,
}

impl Consoles {
    /// None is open yet.
    pub(super) fn new(
        streams: Streams,
        standard: Option<StandardInput>,
        address: Option<SocketAddr>,
    ) -> std::io::Result<Self> {
        let (to_events, events) = mpsc::channel(console_port::EVENT_QUEUE);
        let terminal = match standard {
            Some(StandardInput::Terminal) => Some(streams.input.try_clone()?),
            _ => None,
        };
        let line_end = standard.map_or_else(|| streams.line_end(), |_| LineEnd::Console);
        let person = terminal.is_some() && isatty(&streams.output) == Ok(true);
        let output = terminal::start(streams, to_events.clone())?;
        Ok(Self {
            standard,
            output,
            line_end,
            terminal,
            raw: None,
            person,
            executing: false,
            consoles: BTreeMap::new(),
            runs: 0,
            address,
            bmc: Bmc::only(),
            events,
            to_events,
        })
    }

    /// What standard input is, if there is a console on it.
    pub(super) fn standard(&self) -> Option<StandardInput> {
        self.standard
    }

    /// Where the TCP console listens.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Whether standard input and output are a person's terminal.
    pub(super) fn is_person(&self) -> bool {
        self.person
    }

    /// What happened next.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<ConsoleEvent>> {
        self.events.poll_recv(cx)
    }

    /// Opens the TCP console, if there is one.
    ///
    /// # Errors
    /// Its address cannot be had.
    pub(super) fn listen(&self) -> Result<(), String> {
        let Some(address) = self.address else { return Ok(()) };
        let listener =
            tcp::listen(address).map_err(|error| format!("bind to console socket: {}: {address}", message(&error)))?;
        console_port::serve(listener, self.to_events.clone());
        Ok(())
    }

    /// Consoles that are opened from now on talk to this one at first.
    pub(super) fn set_bmc(&mut self, bmc: Bmc) {
        self.bmc = bmc;
    }

    /// A console talks to another one.
    pub(super) fn choose_bmc(&mut self, id: ConsoleId, bmc: Bmc) {
        if let Some(console) = self.consoles.get_mut(&id) {
            console.editor.set_prompt(&bmc.prompt);
            console.bmc = bmc;
        }
    }

    /// Opens the console on standard input, if there is one.
    pub(super) fn open_standard(&mut self) {
        if self.standard.is_none() {
            return;
        }
        match self.terminal.take().map(RawTerminal::enter) {
            Some(Ok(raw)) => self.raw = Some(raw),
            Some(Err(error)) => complain(&format!("The terminal stays in line mode: {}", message(&error))),
            None => {}
        }
        self.open(STANDARD, self.output.clone(), Kind::Terminal);
    }

    fn open(&mut self, id: ConsoleId, writer: ConsoleWriter, kind: Kind) {
        let bmc = self.bmc.clone();
        writer.write(bmc.prompt.clone());
        writer.more();
        let mut editor = match self.standard {
            Some(StandardInput::Terminal) if id == STANDARD => Keyboard::Keys(LineEditor::new()),
            _ => Keyboard::Bytes(Editor::new(kind)),
        };
        editor.set_prompt(&bmc.prompt);
        let console = Console { writer, editor, input: VecDeque::new(), run: None, bmc, ended: false };
        self.consoles.insert(id, console);
    }

    /// Closes a console.
    pub(super) fn close(&mut self, id: ConsoleId) {
        if let Some(console) = self.consoles.remove(&id) {
            self.runs -= usize::from(console.run.is_some());
            console.writer.close();
        }
    }

    /// Stops the echo of a console.
    pub(super) fn stop_echo(&mut self, id: ConsoleId) {
        if let Some(console) = self.consoles.get_mut(&id) {
            console.editor.stop_echo();
        }
    }

    // --- what is typed ---

    /// Takes in what happened.
    pub(super) fn event(&mut self, event: ConsoleEvent) -> After {
        let id = match event {
            ConsoleEvent::Opened(id, writer) => {
                self.open(id, writer, Kind::Telnet);
                return After::Nothing;
            }
            ConsoleEvent::Input(id, bytes) => {
                let Some(console) = self.consoles.get_mut(&id) else { return After::Nothing };
                console.input.extend(bytes);
                id
            }
            ConsoleEvent::Ended(id) => {
                let Some(console) = self.consoles.get_mut(&id) else { return After::Nothing };
                console.ended = true;
                id
            }
        };
        self.advance(id)
    }

    /// Looks at a console's input up to the next command.
    fn advance(&mut self, id: ConsoleId) -> After {
        let columns = self.raw.as_ref().filter(|_| self.person).map_or(0, RawTerminal::columns);
        let Some(console) = self.consoles.get_mut(&id) else { return After::Nothing };
        if console.run.is_some() {
            console.read_ahead();
            return if console.is_interrupted() { After::Executed(id) } else { After::Nothing };
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
                console.run = Some(Run::new(console.bmc.system, script));
                self.runs += 1;
                console.read_ahead();
            }
            None if !console.ended => console.writer.more(),
            Some(Typed::End) | None if id == STANDARD => return After::End,
            Some(Typed::End) | None => self.close(id),
        }
        After::Nothing
    }

    // --- what is executed ---

    /// Whether a statement typed is not done.
    pub(super) fn has_runs(&self) -> bool {
        self.runs > 0
    }

    /// The statements typed that are not done.
    pub(super) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.consoles.values().filter_map(|console| console.run.as_ref())
    }

    /// The statements typed that are not done.
    pub(super) fn runs_mut(&mut self) -> impl Iterator<Item = &mut Run> {
        self.consoles.values_mut().filter_map(|console| console.run.as_mut())
    }

    /// Takes out what is to be executed now.
    pub(super) fn take_due(&mut self, now: Moment) -> Option<(ConsoleId, Run)> {
        let due = self.consoles.iter_mut().find_map(|(id, console)| {
            let run = console.run.take_if(|run| run.is_due(now))?;
            Some((*id, run))
        });
        self.executing = due.as_ref().is_some_and(|(id, _)| *id == STANDARD);
        due
    }

    /// What was taken out has been executed; `run` is what is left of it.
    pub(super) fn put_back(&mut self, id: ConsoleId, run: Option<Run>) -> After {
        self.executing = false;
        match (self.consoles.get_mut(&id), run) {
            (Some(console), Some(run)) => {
                console.run = Some(run);
                if console.is_interrupted() { After::Executed(id) } else { After::Nothing }
            }
            // Or it is gone.
            _ => After::Executed(id),
        }
    }

    /// A statement is done, of a console that may be gone.
    pub(super) fn run_ended(&mut self) {
        self.runs -= 1;
    }

    /// The next statement may come. `None`: the console is gone.
    pub(super) fn prompt(&mut self, id: ConsoleId) -> Option<After> {
        let console = self.consoles.get(&id)?;
        console.writer.write(console.bmc.prompt.clone());
        Some(self.advance(id))
    }

    // --- what is shown ---

    /// Writes on standard output, console or not; a line that a person is typing there stays whole.
    pub(super) fn say(&self, text: &str) {
        let text = self.line_end.apply(&encode(text));
        let typing = match self.consoles.get(&STANDARD) {
            Some(Console { run: None, editor: Keyboard::Keys(editor), .. }) if self.person && !self.executing => editor,
            _ => {
                self.output.write(text);
                return;
            }
        };
        let mut bytes = Vec::new();
        typing.hide(&mut bytes);
        bytes.extend(text);
        typing.show(&mut bytes);
        self.output.write(bytes);
    }

    /// Writes on the console on standard output, if there is one.
    pub(super) fn print_standard(&self, text: &str) {
        if self.standard.is_some() {
            self.say(text);
        }
    }

    /// Writes on one console; one that does not read is closed.
    pub(super) fn print(&mut self, id: ConsoleId, text: &str) {
        if id == STANDARD {
            // It may be about a statement that is not waited for any longer.
            return self.say(text);
        }
        if let Some(console) = self.consoles.get(&id)
            && !console.writer.write(LineEnd::Console.apply(&encode(text)))
        {
            self.close(id);
        }
    }

    /// Writes a line on all consoles.
    pub(super) fn tell(&mut self, text: &str) {
        let mut line = text.to_string();
        line.push('\n');
        self.print_standard(&line);
        if self.consoles.len() > usize::from(self.consoles.contains_key(&STANDARD)) {
            let others: Vec<_> = self.consoles.keys().copied().filter(|id| *id != STANDARD).collect();
            for id in others {
                self.print(id, &line);
            }
        }
    }

    /// Gives the terminal back and closes all, when what was said last is read or nobody reads it.
    pub(super) async fn finish(mut self) {
        drop(self.raw.take());
        let mut writers = vec![self.output];
        writers.extend(self.consoles.into_iter().filter(|(id, _)| *id != STANDARD).map(|(_, console)| console.writer));
        for writer in &writers {
            writer.close();
        }
        let said = async {
            for writer in &writers {
                writer.closed().await;
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS, said).await;
    }
}
