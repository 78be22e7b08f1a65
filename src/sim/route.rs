//! The way of a request: privilege, execution, slow work, the answer's way back.

use super::Simulator;
use super::accounts::ChangedUser;
use super::effect::{ConsoleId, Effect, Effects, HostJob, HostResult, JobId, LanId};
use super::lanes::{self, Party, Waiter};
use super::program;
use super::return_path::{Requester, ReturnPath};
use super::saves::{Attempt, Saving};
use crate::bmc::external::{AfterJob, BackgroundJob, FileResult, Job, JobResult, ProgramCall, ProgramResult};
use crate::bmc::{Action, LogLevel, StateFile, fru};
use crate::command::{self, Context, Continuation, Outcome};
use crate::ipmi::{CompletionCode, Moment, Origin, Reply, Request, SEND_MESSAGE, netfn};

/// How many requests may wait at the same time for slow work or for a state file. A request that
/// needs neither is never refused. Clients have one or two under way; more than this is a
/// flood, which would queue up helper programs and memory without end.
mod most_waiting {
    /// Of one session or line.
    pub const OF_ONE_REQUESTER: usize = 32;
    /// Of one user, in all sessions.
    pub const OF_ONE_USER: usize = 64;
    /// Of all users below administrator level. The rest is for administrators and the host.
    pub const OF_USERS: usize = 512;
    /// Of all sessions. The rest is for the host.
    pub const OF_SESSIONS: usize = 896;
    /// Of all.
    pub const ALTOGETHER: usize = 1024;
}

/// A command being executed.
#[derive(Clone, Copy)]
pub(super) struct Execution {
    /// The controller that executes it.
    pub(super) mc: u8,
    /// Where it came from.
    pub(super) origin: Origin,
    /// Where its answer goes.
    pub(super) path: ReturnPath,
}

/// Work the outside is doing for somebody.
pub(super) enum Pending {
    /// A command waits for a file.
    Command { execution: Execution, then: Continuation, aftermath: Aftermath },
    /// A file that no command waits for.
    Background { then: AfterJob },
    /// A console waits for the bytes of a FRU device, to print them.
    Dump { console: Option<ConsoleId>, size: usize },
    /// The backup of the console history of an MC is being read.
    History { mc: u8 },
    /// The backup of the console history of an MC is being written.
    Backup { mc: u8 },
    /// A state file is being written; answers may be held back for it.
    Save { file: StateFile, attempt: Attempt },
}

/// An answer held back until the state it acknowledges is safe.
pub(super) struct Held {
    execution: Execution,
    reply: Reply,
    pub(super) aftermath: Aftermath,
}

/// What is left to do when the actions of the devices have been carried out.
#[derive(Default)]
#[must_use]
pub(super) struct Aftermath {
    /// State files being written.
    pub(super) saves: Vec<JobId>,
    /// One of them could not be written.
    failed: bool,
    /// Users that were changed. Sessions of theirs end after the answer: it may be for one of them.
    users: Vec<ChangedUser>,
}

impl Aftermath {
    fn merge(&mut self, other: Self) {
        self.saves.extend(other.saves);
        self.users.extend(other.users);
    }

    /// A state file was written, or could not be.
    pub(super) fn settle(&mut self, id: JobId, failed: bool) {
        let before = self.saves.len();
        self.saves.retain(|save| *save != id);
        self.failed |= failed && self.saves.len() < before;
    }
}

impl Simulator {
    /// A request from a session: its privilege is checked, then it is executed.
    pub(super) fn session_request(&mut self, now: Moment, request: &Request<'_>, path: ReturnPath, out: &mut Effects) {
        let allowed = request.origin.privilege.is_some_and(|level| {
            command::privilege::request_permitted(request.netfn, request.cmd, request.data, level)
        });
        if allowed
            || command::group_extension::is_absent(&self.machine, path.home(), request.netfn, request.cmd, request.data)
        {
            self.request(now, path.home(), request, path, out);
        } else {
            self.answer(now, path, &Reply::with_code(&request.origin, CompletionCode::INSUFFICIENT_PRIVILEGE), out);
        }
    }

    /// Executes a request on the controller `mc`.
    pub(super) fn request(&mut self, now: Moment, mc: u8, request: &Request<'_>, path: ReturnPath, out: &mut Effects) {
        self.trace_request(mc, request, &path, out);
        if request.netfn == netfn::APP && request.cmd == SEND_MESSAGE {
            // It leads to other controllers.
            return self.send_message(now, mc, request, path, out);
        }
        let execution = Execution { mc, origin: request.origin, path };
        let may_wait = self.may_wait(&execution);
        // What it changes would have to wait for its file, and could not be undone then.
        if !may_wait && command::changes_what_is_kept(request.netfn, request.cmd, request.data) {
            return self.answer(now, path, &Reply::with_code(&request.origin, CompletionCode::NODE_BUSY), out);
        }
        let mut reply = Reply::new(&request.origin);
        let mut context = Context { now, machine: &mut self.machine, mc, origin: request.origin };
        let mut outcome = command::dispatch(&mut context, request, &mut reply);
        if !may_wait && matches!(outcome, Outcome::Wait(..)) {
            reply.fail(CompletionCode::NODE_BUSY);
            outcome = Outcome::Done;
        }
        self.finish(now, execution, outcome, reply, Aftermath::default(), out);
    }

    /// Whether one more request of this requester may wait.
    fn may_wait(&self, execution: &Execution) -> bool {
        if self.pending.len() + self.held.len() + self.programs.len() < most_waiting::OF_ONE_REQUESTER {
            return true;
        }
        let (asking, party) = (execution.path.requester(), Party::of(execution));
        let files = self.pending.values().filter_map(|pending| match pending {
            Pending::Command { execution, .. } => Some(execution),
            _ => None,
        });
        let all = files.chain(self.held.iter().map(|held| &held.execution)).chain(self.programs.executions());
        let (mut own, mut of_user, mut users, mut sessions, mut altogether) = (0, 0, 0, 0, 0);
        for other in all {
            let theirs = Party::of(other);
            own += usize::from(other.path.requester() == asking);
            of_user += usize::from(theirs.user().is_some() && theirs.user() == party.user());
            users += usize::from(matches!(theirs, Party::User { .. }));
            sessions += usize::from(theirs.user().is_some());
            altogether += 1;
        }
        own < most_waiting::OF_ONE_REQUESTER
            && of_user < most_waiting::OF_ONE_USER
            && (users < most_waiting::OF_USERS || !matches!(party, Party::User { .. }))
            && (sessions < most_waiting::OF_SESSIONS || party.user().is_none())
            && altogether < most_waiting::ALTOGETHER
    }

    /// What follows a command: its actions, then its answer now, after its slow work, or
    /// after the state it changed is safe. `aftermath` is what it left before it waited.
    fn finish(
        &mut self,
        now: Moment,
        execution: Execution,
        mut outcome: Outcome,
        mut reply: Reply,
        mut aftermath: Aftermath,
        out: &mut Effects,
    ) {
        aftermath.merge(self.collect_actions(now, out));
        loop {
            let (job, then) = match outcome {
                Outcome::Done => {
                    if aftermath.saves.is_empty() {
                        self.let_go(now, &execution.path, &mut reply, aftermath, out);
                    } else {
                        self.held.push(Held { execution, reply, aftermath });
                    }
                    return;
                }
                Outcome::Wait(job, then) => (job, then),
            };
            let result = match job {
                Job::File(job) => {
                    let id = self.run(HostJob::File(job), out);
                    self.pending.insert(id, Pending::Command { execution, then, aftermath });
                    return;
                }
                Job::Program(call) => match program::command_line(&call) {
                    Ok(line) => {
                        let waiter = Waiter::Command { execution, then, aftermath };
                        return self.wait_for_program(execution.mc, call, line, waiter, out);
                    }
                    Err(outcome) => JobResult::Program(self.judged(now, execution.mc, outcome, out)),
                },
            };
            (outcome, reply) = self.resume(now, execution, then, result);
            aftermath.merge(self.collect_actions(now, out));
        }
    }

    /// Has somebody wait for a program, which is started if no other of that controller runs.
    fn wait_for_program(&mut self, mc: u8, call: ProgramCall, line: String, waiter: Waiter, out: &mut Effects) {
        let next = &mut self.next_job;
        self.programs.wait(mc, call, line, waiter, || new_job(next));
        self.start_program(mc, out);
    }

    fn start_program(&mut self, mc: u8, out: &mut Effects) {
        if let Some((job, line)) = self.programs.start(mc) {
            out.list.push(Effect::Run { job, work: HostJob::Shell { line, lane: mc } });
        }
    }

    /// A program ended: everybody who waits for it goes on, and the next one is started.
    fn program_ended(&mut self, now: Moment, mc: u8, entry: lanes::Entry, result: HostResult, out: &mut Effects) {
        let outcome = match result {
            HostResult::Shell(ended) => {
                let remark = program::remark(&entry.line, &ended);
                if let Some(text) = remark.and_then(|text| self.permitted(now, mc, text)) {
                    out.list.push(Effect::Log { level: LogLevel::Warning, text });
                }
                program::outcome(&entry.call, &entry.line, &ended)
            }
            other => program::Outcome::failed(format!("the runtime answered {other:?}")),
        };
        let result = self.judged(now, mc, outcome, out);
        for waiter in entry.waiters {
            let result = JobResult::Program(result.clone());
            match waiter {
                Waiter::Command { execution, then, aftermath } => {
                    let (outcome, reply) = self.resume(now, execution, then, result);
                    self.finish(now, execution, outcome, reply, aftermath, out);
                }
                Waiter::Background(then) => {
                    then(&mut self.machine, now, result);
                    self.carry_out_actions(now, out);
                }
            }
        }
        self.start_program(mc, out);
    }

    /// Logs a failure and gives the result.
    fn judged(&mut self, now: Moment, mc: u8, outcome: program::Outcome, out: &mut Effects) -> ProgramResult {
        if let Some(text) = outcome.log {
            // In the original's words, which its consoles show.
            if let Some(text) = self.permitted(now, mc, text) {
                out.list.push(Effect::ConsoleLog { level: LogLevel::Error, text });
            }
        }
        outcome.result
    }

    /// What to log about a program of `mc`, unless there was too much of that already: whoever
    /// may ask for a program's work can have it fail as often as he likes.
    fn permitted(&mut self, now: Moment, mc: u8, text: String) -> Option<String> {
        self.complaints.entry(mc).or_default().permit(now, text)
    }

    /// Says how many lines about programs were left out, when that is due.
    pub(super) fn summarise_complaints(&mut self, now: Moment, out: &mut Effects) {
        for (mc, complaints) in &mut self.complaints {
            if let Some(count) = complaints.summary(now) {
                let text = format!("{count} more lines about programs of MC {mc:#04x} were left out");
                out.list.push(Effect::Log { level: LogLevel::Warning, text });
            }
        }
    }

    /// A session is gone: what it asked for and has not begun does not begin.
    pub(super) fn forget_requests(&mut self, lan: LanId, session: u32) {
        self.programs.forget(Requester::Session(lan, session));
    }

    /// An answer that waits for nothing goes out: FFh when what it acknowledges is not safe.
    fn let_go(&mut self, now: Moment, path: &ReturnPath, reply: &mut Reply, aftermath: Aftermath, out: &mut Effects) {
        if aftermath.failed {
            // Users are what they were, and so their sessions stay.
            reply.fail(CompletionCode::UNSPECIFIED);
            return self.answer(now, *path, reply, out);
        }
        self.answer(now, *path, reply, out);
        self.users_changed(now, aftermath.users, Some(path), out);
    }

    /// The same for an answer that was held back.
    pub(super) fn let_held_go(&mut self, now: Moment, held: Held, out: &mut Effects) {
        let Held { execution, mut reply, aftermath } = held;
        self.let_go(now, &execution.path, &mut reply, aftermath, out);
    }

    /// Lets a waiting command go on with the result of its work.
    fn resume(&mut self, now: Moment, execution: Execution, then: Continuation, result: JobResult) -> (Outcome, Reply) {
        let Execution { mc, origin, .. } = execution;
        let mut reply = Reply::new(&origin);
        let mut context = Context { now, machine: &mut self.machine, mc, origin };
        let outcome = then(&mut context, result, &mut reply).unwrap_or_else(|code| {
            reply.fail(code);
            Outcome::Done
        });
        (outcome, reply)
    }

    /// Sends an answer on its way.
    pub(super) fn answer(&mut self, now: Moment, path: ReturnPath, reply: &Reply, out: &mut Effects) {
        self.trace_answer(&path, reply, out);
        match path {
            ReturnPath::Lan(lan, to) => {
                if let Some(slot) = self.lans.iter_mut().find(|slot| slot.id == lan) {
                    slot.channel.respond(&to, reply.bytes(), self.random.as_mut(), &mut self.outbox);
                    self.flush_outbox(now, lan, out);
                }
            }
            ReturnPath::Serial(serial, to) => self.serial_answer(serial, &to, reply.bytes(), out),
            ReturnPath::Ipmb(ipmb, request) => self.ipmb_answer(ipmb, &request, reply.bytes(), out),
            ReturnPath::Bridged(to) => self.bridged_answer(now, &to, reply, out),
        }
    }

    /// Asks for work outside; its result comes back under the returned number.
    pub(super) fn run(&mut self, work: HostJob, out: &mut Effects) -> JobId {
        let job = self.new_job();
        out.list.push(Effect::Run { job, work });
        job
    }

    pub(super) fn new_job(&mut self) -> JobId {
        new_job(&mut self.next_job)
    }

    /// Carries out what the devices asked for, all of it at once.
    pub(super) fn carry_out_actions(&mut self, now: Moment, out: &mut Effects) {
        let aftermath = self.collect_actions(now, out);
        self.users_changed(now, aftermath.users, None, out);
    }

    /// Carries out what the devices asked for, in order, and says what is left to do.
    fn collect_actions(&mut self, now: Moment, out: &mut Effects) -> Aftermath {
        let mut aftermath = Aftermath::default();
        // Carrying out one action may cause others (a closed session frees its console).
        while !self.machine.actions.is_empty() || !self.machine.jobs.is_empty() {
            for background in std::mem::take(&mut self.machine.jobs) {
                let BackgroundJob { mc, job, then } = background;
                match job {
                    Job::File(job) => {
                        let id = self.run(HostJob::File(job), out);
                        self.pending.insert(id, Pending::Background { then });
                    }
                    Job::Program(call) => match program::command_line(&call) {
                        Ok(line) => self.wait_for_program(mc, call, line, Waiter::Background(then), out),
                        Err(outcome) => {
                            let result = self.judged(now, mc, outcome, out);
                            then(&mut self.machine, now, JobResult::Program(result));
                        }
                    },
                }
            }
            for action in std::mem::take(&mut self.machine.actions) {
                match action {
                    Action::Save(file) => aftermath.saves.extend(self.save(file, out)),
                    Action::UserChanged { mc, user, change, ends_sessions } => {
                        aftermath.users.push(ChangedUser { mc, user, change, ends_sessions });
                    }
                    action => self.act(now, action, out),
                }
            }
        }
        let saving = &self.saving;
        self.machine.unsaved.forget_unless(|file| saving.get(&file).is_some_and(Saving::is_pending));
        aftermath
    }

    fn act(&mut self, now: Moment, action: Action, out: &mut Effects) {
        match action {
            Action::Save(_) | Action::UserChanged { .. } => {}
            Action::Host { mc, signal } => self.signal_host(mc, signal, out),
            Action::StartProcess { mc } => {
                if let Some(command) = self.machine.controller(mc).and_then(|mc| mc.vm.start_command.clone()) {
                    out.list.push(Effect::StartProcess { mc, command });
                }
            }
            Action::SignalProcess { mc, kill } => out.list.push(Effect::SignalProcess { mc, kill }),
            Action::Log { level, text } => out.list.push(Effect::Log { level, text }),
            Action::ConsoleLog { level, text } => out.list.push(Effect::ConsoleLog { level, text }),
            Action::SolBitRate { mc, bits_per_second } => self.sol_bit_rate_set(now, mc, bits_per_second, out),
            Action::SolTiming { mc } => self.sol_timing(mc),
            Action::SolActivated { mc, instance, session, auxiliary } => {
                self.sol_activated(now, mc, instance, session, auxiliary, out);
            }
            Action::SolDeactivated { mc, instance, by } => self.sol_deactivated(now, mc, instance, by, out),
        }
    }

    /// A job is done: what waited for it goes on.
    pub fn job_done(&mut self, now: Moment, id: JobId, result: HostResult, out: &mut Effects) {
        if let Some((mc, entry)) = self.programs.ended(id) {
            return self.program_ended(now, mc, entry, result, out);
        }
        match self.pending.remove(&id) {
            None => {}
            Some(Pending::History { mc }) => self.history_read(mc, result, out),
            Some(Pending::Backup { mc }) => self.history_written(mc, result, out),
            Some(Pending::Save { file, attempt }) => self.saved(now, id, file, attempt, result, out),
            Some(Pending::Dump { console, size }) => {
                let text = match result {
                    HostResult::File(FileResult::Read(Ok(mut bytes))) => {
                        bytes.resize(size, 0);
                        fru::dump_text(&bytes)
                    }
                    HostResult::File(FileResult::Read(Err(reason))) => format!("**Unable to dump FRU data: {reason}\n"),
                    _ => return,
                };
                out.list.push(Effect::Print { console, text });
            }
            Some(Pending::Background { then }) => {
                then(&mut self.machine, now, file_result(result));
                self.carry_out_actions(now, out);
            }
            Some(Pending::Command { execution, then, aftermath }) => {
                let (outcome, reply) = self.resume(now, execution, then, file_result(result));
                self.finish(now, execution, outcome, reply, aftermath, out);
            }
        }
    }
}

fn new_job(next: &mut u64) -> JobId {
    let job = JobId(*next);
    *next += 1;
    job
}

/// The outside's result of work on a file.
fn file_result(result: HostResult) -> JobResult {
    JobResult::File(match result {
        HostResult::File(result) => result,
        other => FileResult::Read(Err(format!("the runtime answered {other:?}"))),
    })
}
