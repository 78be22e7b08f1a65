//! Statements: those of the command file and `-x` at start, and those typed on consoles.
//!
//! Owns which statement is due and what it waits for. Nothing else waits for a statement.

use std::collections::HashSet;
use std::time::Duration;

use super::systems::Driven;
use super::{COMMAND_STRING, CONSOLE, Driver, Failures};
use crate::bmc::LogLevel;
use crate::config::{Diagnostic, Severity};
use crate::host::SystemId;
use crate::ipmi::Moment;
use crate::runtime::clock;
use crate::runtime::console_port::STANDARD;
use crate::runtime::logging;
use crate::runtime::script::{Script, echo};
use crate::runtime::statement::{self, StatementOutcome};
use crate::sim::{ConsoleId, Input};

/// Statements being executed for somebody.
///
/// The original does the slow work of a statement on the spot: the first poll of a sensor
/// is over before the next line is read. So the next statement waits for it here, and only
/// it; everything else goes on.
pub(super) struct Run {
    /// The system they are for.
    pub(super) system: SystemId,
    pub(super) script: Script,
    /// `sleep` lasts until then.
    pub(super) until: Option<Moment>,
    /// Work of the last statement that is not done.
    pub(super) work: HashSet<u64>,
    /// Its work is not waited for any longer.
    pub(super) patience: Option<Moment>,
}

impl Run {
    pub(super) fn new(system: SystemId, script: Script) -> Self {
        Self { system, script, until: None, work: HashSet::new(), patience: None }
    }

    /// When the next statement is due, if not at once.
    pub(super) fn due_at(&self) -> Option<Moment> {
        self.until.max(self.patience.filter(|_| !self.work.is_empty()))
    }

    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.due_at().is_none_or(|due| due <= now)
    }
}

/// Slow work that a statement has begun.
pub(super) struct Begun {
    /// Of this system.
    pub(super) system: SystemId,
    /// State files being written.
    pub(super) saves: Vec<u64>,
    /// Everything else.
    pub(super) work: Vec<u64>,
}

impl Driver {
    pub(super) fn due_run(&mut self, now: Moment) -> bool {
        let mut due = false;
        let runs = self.starts.iter().chain(self.consoles.runs());
        for run in runs {
            if run.is_due(now) {
                due = true;
                // The others are looked at before the loop sleeps.
                break;
            }
            self.alarm.arm(now, run.due_at());
        }
        due
    }

    /// Executes one statement of whoever is due.
    pub(super) fn execute(&mut self) {
        let now = clock::now();
        let due = self.starts.iter().position(|run| run.is_due(now)).and_then(|index| self.starts.remove(index));
        if let Some(mut run) = due {
            if self.statement(now, None, &mut run) {
                self.starts.push_front(run);
            } else {
                self.started(run.system);
            }
            return;
        }
        let Some((id, mut run)) = self.consoles.take_due(now) else { return };
        let rest = self.statement(now, Some(id), &mut run).then_some(run);
        let after = self.consoles.put_back(id, rest);
        self.after(after);
    }

    /// Executes the next statement; false when there is none.
    pub(super) fn statement(&mut self, now: Moment, console: Option<ConsoleId>, run: &mut Run) -> bool {
        (run.until, run.patience) = (None, None);
        run.work.clear();
        let Some(statement) = run.script.next_statement() else { return false };
        let typed = statement.file == CONSOLE || statement.file == COMMAND_STRING;
        if !typed {
            match console {
                Some(id) => self.consoles.print(id, &echo(&statement)),
                // A person is not shown the command file, unless by -d.
                None if self.consoles.is_person() && log::max_level() < log::LevelFilter::Debug => {}
                None => self.consoles.print_standard(&echo(&statement)),
            }
        }
        let (id, wall) = (run.system, self.wall);
        self.begun = Some(Begun { system: id, saves: Vec::new(), work: Vec::new() });
        let Some(Driven { seat, .. }) = self.systems.get_mut(id.0 as usize) else { return false };
        seat.look_at_the_wall_clock(wall, &mut self.effects);
        let outcome = statement::execute(&mut seat.system, now, console, &statement, &mut self.effects);
        self.carry_out(id);
        // What the next statement needs may be among what comes back.
        self.give_inputs();
        if let Some(begun) = self.begun.take() {
            run.work.extend(begun.work);
            if console.is_some() {
                // Who types knows at the next prompt that it is safe. A command file is not
                // held up: all it changes in one state file is written together.
                run.work.extend(begun.saves);
            }
        }
        run.patience = Some(now + self.statement_limit);
        match outcome {
            StatementOutcome::Done => {}
            StatementOutcome::Failed(fault) => self.failed(console, &fault),
            StatementOutcome::Include(path) => {
                let directories = self.systems.get(id.0 as usize).map_or(&[][..], |system| &system.directories);
                if let Err(fault) = run.script.include(&path, &statement, directories) {
                    self.failed(console, &fault);
                }
            }
            StatementOutcome::Sleep(milliseconds) => {
                run.until = Some(now + Duration::from_millis(milliseconds.into()));
            }
            StatementOutcome::NoEcho => {
                if let Some(id) = console {
                    self.consoles.stop_echo(id);
                }
            }
            // Over TCP the original ends as well, so that scripts may rely on it, save with -n: then it
            // crashes, and a service should not end because one of its users leaves.
            StatementOutcome::Quit => {
                match console.filter(|id| *id != STANDARD && self.consoles.standard().is_none()) {
                    Some(id) => self.consoles.close(id),
                    None => self.end(0),
                }
            }
        }
        self.ending.is_none()
    }

    pub(super) fn failed(&mut self, console: Option<ConsoleId>, fault: &Diagnostic) {
        let place = format!("{}:{}:{}", fault.file, fault.span.line, fault.span.column);
        let Some(id) = console else {
            logging::tell(fault);
            self.reports.system_log(LogLevel::Error, &format!("{place}: {}", fault.message));
            self.consoles.print_standard(&format!("{}{}\n", stars(&fault.message), fault.message));
            if self.failures == Failures::Fatal && fault.severity == Severity::Error {
                self.end(1);
            }
            return;
        };
        if fault.file == CONSOLE {
            self.consoles.print(id, &format!("{}{}\n", stars(&fault.message), fault.message));
        } else {
            self.consoles.print(id, &format!("{}{place}: {}\n", stars(&fault.message), fault.message));
        }
    }

    /// The command file and `-x` of a system are done.
    pub(super) fn started(&mut self, id: SystemId) {
        if self.ending.is_some() {
            return;
        }
        self.handle(id, Input::Started);
        if self.ending.is_none() && self.starts.is_empty() {
            self.all_started();
        }
    }

    fn all_started(&mut self) {
        if let Err(text) = self.consoles.listen() {
            return self.fatal(&text);
        }
        self.announce();
        // Before the prompt, which is the last thing that programs wait for.
        self.tell_ready();
        self.consoles.open_standard();
    }
}

/// What stands before a complaint on a console. The original has two asterisks there, save for the
/// complaints of `define`, `include`, `debug` and `persist`; scripts look for both.
fn stars(message: &str) -> &'static str {
    const WITHOUT: [&str; 6] = [
        "No variable name given",
        "Could not get variable",
        "Could not get include filename",
        "Could not read include file",
        "Invalid debug level",
        "Invalid persist vale",
    ];
    if WITHOUT.iter().any(|start| message.starts_with(start)) { "" } else { "**" }
}
