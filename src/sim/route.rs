//! The way of a request: privilege, execution, slow work, the answer's way back.

use super::Simulator;
use super::effect::{ConsoleId, Effect, Effects, HostJob, HostResult, JobId};
use super::program;
use super::return_path::{Requester, ReturnPath};
use super::saves::Attempt;
use crate::bmc::external::{AfterJob, FileResult, Job, JobResult, ProgramCall, ProgramResult};
use crate::bmc::{Action, LogLevel, StateFile, fru};
use crate::command::{self, Context, Continuation, Outcome};
use crate::ipmi::{CompletionCode, Moment, Origin, Reply, Request, SEND_MESSAGE, netfn};

/// How many requests of one requester may wait for slow work or for a state file. Clients
/// have one or two under way; more than this is a flood, which would queue up helper
/// programs and memory without end.
const MOST_WAITING: usize = 32;
/// How many may wait altogether: sessions come and go.
const MOST_WAITING_ALTOGETHER: usize = 1024;

/// A command being executed.
#[derive(Clone, Copy)]
pub(super) struct Execution {
    /// The controller that executes it.
    mc: u8,
    /// Where it came from.
    origin: Origin,
    /// Where its answer goes.
    path: ReturnPath,
}

/// Work the outside is doing for somebody.
pub(super) enum Pending {
    /// A command waits for it.
    Command { execution: Execution, call: Option<Call>, then: Continuation, aftermath: Aftermath },
    /// Nobody waits.
    Background { call: Option<Call>, then: AfterJob },
    /// A console waits for the bytes of a FRU device, to print them.
    Dump { console: Option<ConsoleId>, size: usize },
    /// The backup of the console history of an MC is being read.
    History { mc: u8 },
    /// The backup of the console history of an MC is being written.
    Backup { mc: u8 },
    /// A state file is being written; answers may be held back for it.
    Save { file: StateFile, attempt: Attempt },
}

/// A helper program that was asked something, and the shell line it became.
pub(super) struct Call {
    call: ProgramCall,
    line: String,
}

/// An answer held back until the state it acknowledges is safe.
pub(super) struct Held {
    path: ReturnPath,
    reply: Reply,
    pub(super) aftermath: Aftermath,
}

/// A user of a controller whose sessions end because its name, password or rights changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChangedUser {
    mc: u8,
    user: u8,
}

/// What is left to do when the actions of the devices have been carried out.
#[derive(Default)]
#[must_use]
pub(super) struct Aftermath {
    /// State files being written.
    pub(super) saves: Vec<JobId>,
    /// One of them could not be written.
    failed: bool,
    /// Users whose sessions end, after the answer: it may be for one of them.
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
        if allowed {
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
        if self.has_too_many_waiting(path.requester()) {
            return self.answer(now, path, &Reply::with_code(&request.origin, CompletionCode::NODE_BUSY), out);
        }
        let mut reply = Reply::new(&request.origin);
        let mut context = Context { now, machine: &mut self.machine, mc, origin: request.origin };
        let outcome = command::dispatch(&mut context, request, &mut reply);
        let execution = Execution { mc, origin: request.origin, path };
        self.finish(now, execution, outcome, reply, Aftermath::default(), out);
    }

    /// Whether a requester has to wait for answers before it may ask for more.
    fn has_too_many_waiting(&self, requester: Requester) -> bool {
        if self.pending.len() + self.held.len() < MOST_WAITING {
            return false;
        }
        let commands = self.pending.values().filter_map(|pending| match pending {
            Pending::Command { execution, .. } => Some(&execution.path),
            _ => None,
        });
        let (mut own, mut all) = (0, 0);
        for path in commands.chain(self.held.iter().map(|held| &held.path)) {
            own += usize::from(path.requester() == requester);
            all += 1;
        }
        own >= MOST_WAITING || all >= MOST_WAITING_ALTOGETHER
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
            match outcome {
                Outcome::Done => {
                    let held = Held { path: execution.path, reply, aftermath };
                    return if held.aftermath.saves.is_empty() {
                        self.let_go(now, held, out)
                    } else {
                        self.held.push(held)
                    };
                }
                Outcome::Wait(job, then) => match self.start_job(execution.mc, job, out) {
                    Ok((id, call)) => {
                        self.pending.insert(id, Pending::Command { execution, call, then, aftermath });
                        return;
                    }
                    Err(result) => {
                        (outcome, reply) = self.resume(now, execution, then, result);
                        aftermath.merge(self.collect_actions(now, out));
                    }
                },
            }
        }
    }

    /// An answer that waits for nothing goes out: FFh when what it acknowledges is not safe.
    pub(super) fn let_go(&mut self, now: Moment, held: Held, out: &mut Effects) {
        let Held { path, mut reply, aftermath } = held;
        if aftermath.failed {
            // Users are what they were, and so their sessions stay.
            reply.fail(CompletionCode::UNSPECIFIED);
            return self.answer(now, path, &reply, out);
        }
        self.answer(now, path, &reply, out);
        self.end_sessions(now, aftermath.users, out);
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

    /// Hands slow work to the outside. `Err`: there is nothing to run, and this came of it.
    fn start_job(&mut self, mc: u8, job: Job, out: &mut Effects) -> Result<(JobId, Option<Call>), JobResult> {
        match job {
            Job::Program(call) => match program::command_line(&call) {
                Ok(line) => {
                    let id = self.run(HostJob::Shell { line: line.clone(), lane: mc }, out);
                    Ok((id, Some(Call { call, line })))
                }
                Err(outcome) => Err(JobResult::Program(log_failure(outcome, out))),
            },
            Job::File(job) => Ok((self.run(HostJob::File(job), out), None)),
        }
    }

    /// Asks for work outside; its result comes back under the returned number.
    pub(super) fn run(&mut self, work: HostJob, out: &mut Effects) -> JobId {
        let job = self.new_job();
        out.list.push(Effect::Run { job, work });
        job
    }

    pub(super) fn new_job(&mut self) -> JobId {
        let job = JobId(self.next_job);
        self.next_job += 1;
        job
    }

    /// Carries out what the devices asked for, all of it at once.
    pub(super) fn carry_out_actions(&mut self, now: Moment, out: &mut Effects) {
        let aftermath = self.collect_actions(now, out);
        self.end_sessions(now, aftermath.users, out);
    }

    /// Carries out what the devices asked for, in order, and says what is left to do.
    fn collect_actions(&mut self, now: Moment, out: &mut Effects) -> Aftermath {
        let mut aftermath = Aftermath::default();
        // Carrying out one action may cause others (a closed session frees its console).
        while !self.machine.actions.is_empty() || !self.machine.jobs.is_empty() {
            for background in std::mem::take(&mut self.machine.jobs) {
                match self.start_job(background.mc, background.job, out) {
                    Ok((id, call)) => {
                        self.pending.insert(id, Pending::Background { call, then: background.then });
                    }
                    Err(result) => (background.then)(&mut self.machine, now, result),
                }
            }
            for action in std::mem::take(&mut self.machine.actions) {
                match action {
                    Action::Save(file) => aftermath.saves.extend(self.save(file, out)),
                    Action::UserChanged { mc, user } => aftermath.users.push(ChangedUser { mc, user }),
                    action => self.act(now, action, out),
                }
            }
        }
        let saving = &self.saving;
        self.machine.unsaved.forget_unless(|file| saving.contains_key(&file));
        aftermath
    }

    /// Ends the sessions of users that changed.
    fn end_sessions(&mut self, now: Moment, users: Vec<ChangedUser>, out: &mut Effects) {
        for ChangedUser { mc, user } in users {
            self.end_sessions_of_user(now, mc, user, out);
        }
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
            Some(Pending::Background { call, then }) => {
                then(&mut self.machine, now, job_result(call.as_ref(), result, out));
                self.carry_out_actions(now, out);
            }
            Some(Pending::Command { execution, call, then, aftermath }) => {
                let result = job_result(call.as_ref(), result, out);
                let (outcome, reply) = self.resume(now, execution, then, result);
                self.finish(now, execution, outcome, reply, aftermath, out);
            }
        }
    }
}

/// The outside's result in the words of the job that was given.
fn job_result(call: Option<&Call>, result: HostResult, out: &mut Effects) -> JobResult {
    match (call, result) {
        (Some(Call { call, line }), HostResult::Shell(ended)) => {
            JobResult::Program(log_failure(program::outcome(call, line, &ended), out))
        }
        (_, HostResult::File(result)) => JobResult::File(result),
        (_, other) => JobResult::File(FileResult::Read(Err(format!("the runtime answered {other:?}")))),
    }
}

fn log_failure(outcome: program::Outcome, out: &mut Effects) -> ProgramResult {
    if let Some(text) = outcome.log {
        out.list.push(Effect::Log { level: LogLevel::Error, text });
    }
    outcome.result
}
