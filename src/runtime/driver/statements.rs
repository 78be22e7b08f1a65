//! Statements: those of the command file and `-x` at start, and those typed on consoles.
//!
//! Owns which statement is due and what it waits for. Nothing else waits for a statement.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::door::is_caller;
use super::systems::{Driven, Scope};
use super::{COMMAND_STRING, CONSOLE, Driver, Failures};
use crate::bmc::LogLevel;
use crate::config::{Diagnostic, Severity};
use crate::host::SystemId;
use crate::ipmi::Moment;
use crate::runtime::clock;
use crate::runtime::console_port::STANDARD;
use crate::runtime::logging;
use crate::runtime::script::{Script, echo};
use crate::runtime::seat::Surroundings;
use crate::runtime::statement::{self, StatementOutcome};
use crate::runtime::timers::Timers;
use crate::sim::{ConsoleId, Input, JobId};

/// How many faults of a fleet's command files are told.
const MOST_TOLD: usize = 100;

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
    pub(super) work: HashSet<JobId>,
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
    pub(super) saves: Vec<JobId>,
    /// Everything else.
    pub(super) work: Vec<JobId>,
}

/// Systems whose command files and `-x` are not done.
#[derive(Default)]
pub(super) struct Starts {
    /// Whose next statement is due, or may be.
    due: VecDeque<SystemId>,
    /// When that of the others is.
    waiting: Timers,
    count: usize,
}

impl Starts {
    /// A system begins.
    pub(super) fn add(&mut self, id: SystemId) {
        self.count += 1;
        self.due.push_back(id);
    }

    /// The statements of a system are done, or given up.
    pub(super) fn end(&mut self, id: SystemId) {
        self.count -= 1;
        self.waiting.forget(id);
    }

    /// Whether all are done.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What a statement waited for is there.
    pub(super) fn is_due(&mut self, id: SystemId) {
        self.due.push_back(id);
    }

    /// When the next statement of those that wait is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.waiting.next()
    }

    /// Looks whose statement is due by now.
    pub(super) fn timeout(&mut self, now: Moment) {
        let mut due = Vec::new();
        self.waiting.take_due(now, &mut due);
        self.due.extend(due);
    }
}

impl Driver {
    /// Whether a statement is due.
    pub(super) fn due_run(&mut self, now: Moment) -> bool {
        if !self.starts.due.is_empty() {
            return true;
        }
        let callers = self.callers.iter().flat_map(|callers| callers.runs());
        for run in self.consoles.runs().chain(callers) {
            if run.is_due(now) {
                // The others are looked at before the loop sleeps.
                return true;
            }
            self.alarm.arm(now, run.due_at());
        }
        false
    }

    /// Executes one statement of whoever is due.
    pub(super) fn execute(&mut self) {
        let now = clock::now();
        if let Some(mut run) = self.due_start(now) {
            if self.statement(now, None, &mut run) {
                self.start_goes_on(now, run);
            } else {
                self.started(run.system);
            }
            return;
        }
        if let Some((caller, mut run)) = self.callers.as_mut().and_then(|callers| callers.take_due(now)) {
            let rest = self.statement(now, Some(caller), &mut run).then_some(run);
            if let Some(callers) = &mut self.callers {
                callers.put_back(caller, rest);
            }
            return;
        }
        let Some((id, mut run)) = self.consoles.take_due(now) else { return };
        let rest = self.statement(now, Some(id), &mut run).then_some(run);
        let after = self.consoles.put_back(id, rest);
        self.after(after);
    }

    /// Takes out the statements of a system that are due.
    fn due_start(&mut self, now: Moment) -> Option<Box<Run>> {
        while let Some(id) = self.starts.due.pop_front() {
            let Some(start) = self.systems.here(id).map(|driven| &mut driven.start) else { continue };
            if let Some(run) = start.take_if(|run| run.is_due(now)) {
                return Some(run);
            }
            self.starts.waiting.arm(id, start.as_ref().and_then(|run| run.due_at()));
        }
        None
    }

    fn start_goes_on(&mut self, now: Moment, run: Box<Run>) {
        let id = run.system;
        match run.due_at().filter(|due| *due > now) {
            Some(due) => self.starts.waiting.arm(id, Some(due)),
            None => self.starts.due.push_front(id),
        }
        if let Some(driven) = self.systems.here(id) {
            driven.start = Some(run);
        }
    }

    /// Executes the next statement; false when there is none.
    pub(super) fn statement(&mut self, now: Moment, console: Option<ConsoleId>, run: &mut Run) -> bool {
        (run.until, run.patience) = (None, None);
        run.work.clear();
        let Some(statement) = run.script.next_statement() else { return false };
        let caller = console.filter(|id| is_caller(*id));
        if let (Some(console), None) = (console, caller) {
            self.find_another_bmc(console, run);
        }
        let typed = statement.file == CONSOLE || statement.file == COMMAND_STRING || caller.is_some();
        if !typed {
            match console {
                Some(id) => self.consoles.print(id, &echo(&statement)),
                // A person is not shown the command file, unless by -d.
                None if self.consoles.is_person() && log::max_level() < log::LevelFilter::Debug => {}
                // Nobody reads those of thousands.
                None if self.scope == Scope::Fleet => {}
                None => self.consoles.print_standard(&echo(&statement)),
            }
        }
        let (id, wall) = (run.system, self.wall);
        self.begun = Some(Begun { system: id, saves: Vec::new(), work: Vec::new() });
        let Some(Driven { seat, folders, .. }) = self.systems.here(id) else { return false };
        seat.look_at_the_wall_clock(wall, &mut self.effects);
        let outcome = statement::execute(&mut seat.system, now, console, &statement, &**folders, &mut self.effects);
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
            StatementOutcome::Failed(fault) => self.failed(id, console, &fault),
            StatementOutcome::Include(path) => {
                let folders = self.systems.get(id).map(|system| Arc::clone(&system.folders)).unwrap_or_default();
                if let Err(fault) = run.script.include(&path, &statement, &*folders) {
                    self.failed(id, console, &fault);
                }
            }
            StatementOutcome::Sleep(milliseconds) => {
                run.until = Some(now + Duration::from_millis(milliseconds.into()));
            }
            StatementOutcome::Bmc(_) if caller.is_some() => {
                self.failed(id, caller, &statement.refused(Severity::Error, statement::BY_ADDRESS));
            }
            StatementOutcome::Bmc(_) | StatementOutcome::Bmcs(_) if console.is_none() || self.scope == Scope::One => {
                self.failed(id, console, &statement.refused(Severity::Error, statement::ONE_BMC));
            }
            StatementOutcome::Bmc(name) => {
                if let Some(console) = console
                    && let Err(text) = self.choose_bmc(console, id, &name)
                {
                    self.failed(id, Some(console), &statement.refused(Severity::Error, text));
                }
            }
            StatementOutcome::Bmcs(about) => {
                let text = self.list_bmcs(&about);
                console.into_iter().for_each(|id| self.print(id, &text));
            }
            StatementOutcome::NoEcho => {
                if let (Some(id), None) = (console, caller) {
                    self.consoles.stop_echo(id);
                }
            }
            // Over TCP the original ends as well, so that scripts may rely on it, save with -n: then it
            // crashes, and a service should not end because one of its users leaves.
            StatementOutcome::Quit if caller.is_some() => {
                self.failed(id, caller, &statement.refused(Severity::Error, statement::NO_END));
            }
            StatementOutcome::Quit => {
                match console.filter(|id| *id != STANDARD && self.consoles.standard().is_none()) {
                    Some(id) => self.consoles.close(id),
                    None => self.end(0),
                }
            }
        }
        self.ending.is_none()
    }

    fn failed(&mut self, system: SystemId, console: Option<ConsoleId>, fault: &Diagnostic) {
        let place = format!("{}:{}:{}", fault.file, fault.span.line, fault.span.column);
        let Some(id) = console else {
            return self.start_failed(system, fault, &place);
        };
        if let (Some(callers), true) = (&mut self.callers, is_caller(id)) {
            return callers.failed(id, fault);
        }
        if fault.file == CONSOLE {
            self.consoles.print(id, &format!("{}{}\n", stars(&fault.message), fault.message));
        } else {
            self.consoles.print(id, &format!("{}{place}: {}\n", stars(&fault.message), fault.message));
        }
    }

    /// A statement of a command file or of `-x` failed.
    fn start_failed(&mut self, id: SystemId, fault: &Diagnostic, place: &str) {
        let is_fatal = self.failures == Failures::Fatal && fault.severity == Severity::Error;
        if let Some(callers) = &mut self.callers {
            callers.start_failed(id, fault);
        }
        match self.scope {
            Scope::One => {
                logging::tell(fault);
                self.reports.system_log(LogLevel::Error, &format!("{place}: {}", fault.message));
                self.consoles.print_standard(&format!("{}{}\n", stars(&fault.message), fault.message));
                if is_fatal {
                    self.end(1);
                }
            }
            Scope::Fleet => {
                let name = self.systems.get(id).map_or("", |driven| driven.name());
                // Thousands have one text: it is told of the first.
                if self.told.len() < MOST_TOLD && self.told.insert(format!("{place}: {}", fault.message)) {
                    logging::tell(fault);
                    self.reports.system_log(LogLevel::Error, &format!("{name}: {place}: {}", fault.message));
                }
                if is_fatal {
                    let text = format!("a statement failed: {place}: {}", fault.message);
                    self.with(id, |_, mut around| around.fatal(&text));
                }
            }
        }
    }

    /// The command file and `-x` of a system are done.
    pub(super) fn started(&mut self, id: SystemId) {
        if self.ending.is_some() {
            return;
        }
        self.handle(id, Input::Started);
        self.remove_failed();
        self.starts.end(id);
        self.start_ended();
        self.arrived(id);
    }

    /// When the last has started, or could not, everything is open.
    pub(super) fn start_ended(&mut self) {
        if self.ending.is_some() || !self.starts.is_empty() {
            return;
        }
        self.tell_unserved_if_due();
        if self.scope == Scope::Fleet && self.systems.is_empty() && self.life.is_starting() && self.callers.is_none() {
            return self.fatal("Unable to start: none of the BMCs can be served");
        }
        if self.life.is_starting() {
            self.all_started();
        } else {
            self.tell_ready();
        }
    }

    fn all_started(&mut self) {
        if let Err(text) = self.consoles.listen() {
            return self.fatal(&text);
        }
        self.announce();
        self.set_first_bmc();
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
