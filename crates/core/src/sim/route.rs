//! The way of a request: privilege, execution, slow work, the response's way back.

use super::Simulator;
use super::accounts::ChangedUser;
use super::effect::{Effect, Effects, LanId, ProgramEnd, SaveJob, Saved, WorkDone};
use super::faults::{Course, Odd, milliseconds};
use super::lanes::{self, Waiter};
use super::program;
use super::return_path::ReturnPath;
use super::saves::{Ended, Fate};
use super::waiting::{Answer, Execution, Held, Kept, Outstanding, Reader, Waiting, Writer};
use crate::bmc::external::{Background, ProgramResult};
use crate::bmc::watch::{self, Event};
use crate::bmc::{Action, LogLevel, StateFile, fru, sensor};
use crate::command::{self, Context, Continuation, Entry, Outcome, Wait};
use crate::ipmi::{CompletionCode, McAddress, Moment, Request, Response, SEND_MESSAGE, netfn};

impl Simulator {
    /// A request from a session: its privilege is checked, then it is executed.
    pub(super) fn session_request(&mut self, now: Moment, request: &Request<'_>, path: ReturnPath, out: &mut Effects) {
        let Request { netfn, cmd, data, .. } = *request;
        let found = self.commands.find(&self.machine, path.home(), netfn, cmd, data);
        let allowed = request
            .origin
            .privilege
            .is_some_and(|level| command::privilege::request_permitted(found, netfn, cmd, data, level));
        if allowed || command::group_extension::is_absent(found, netfn, data) {
            self.dispatch(now, path.home(), found, request, path, out);
        } else {
            self.answer(now, path, &Response::with_code(&request.origin, CompletionCode::INSUFFICIENT_PRIVILEGE), out);
        }
    }

    /// Executes a request on the controller `mc`.
    pub(super) fn request(
        &mut self,
        now: Moment,
        mc: McAddress,
        request: &Request<'_>,
        path: ReturnPath,
        out: &mut Effects,
    ) {
        let found = self.commands.find(&self.machine, mc, request.netfn, request.cmd, request.data);
        self.dispatch(now, mc, found, request, path, out);
    }

    /// The same for a command whose row has been looked up.
    fn dispatch(
        &mut self,
        now: Moment,
        mc: McAddress,
        found: Option<&'static Entry>,
        request: &Request<'_>,
        path: ReturnPath,
        out: &mut Effects,
    ) {
        self.trace_request(mc, request, &path, out);
        let mut odd = Odd::default();
        if self.faults.is_some() {
            match self.faulty_request(now, mc, request, path, out) {
                Course::Executed(how) => odd = how,
                Course::Over => return,
            }
        }
        if request.netfn == netfn::APP && request.cmd == SEND_MESSAGE {
            // It leads to other controllers.
            return self.send_message(now, mc, request, path, out);
        }
        let execution = Execution { mc, origin: request.origin, path, begun: now, delay: milliseconds(odd.delay) };
        let may_wait = self.pending.have_room(&execution);
        // What it changes would have to wait for its file, and could not be undone then.
        if !may_wait && found.is_some_and(|entry| entry.keeps) {
            return self.answer(now, path, &Response::with_code(&request.origin, CompletionCode::NODE_BUSY), out);
        }
        let mut response = Response::new(&request.origin);
        let mut context =
            Context { now, machine: &mut self.machine, mc, origin: request.origin, commands: &self.commands };
        let mut outcome = command::dispatch_to(found, &mut context, request, &mut response);
        if !may_wait && matches!(outcome, Outcome::Wait(..)) {
            response.fail(CompletionCode::NODE_BUSY);
            outcome = Outcome::Done;
        }
        odd.change(&mut response);
        self.finish(now, execution, outcome, response, Outstanding::default(), out);
        if let Some(lasts) = odd.offline {
            self.go_offline(now, mc, lasts, out);
        }
    }

    /// What follows a command: its actions, then its response now, after its slow work, or
    /// after the state it changed is safe. `outstanding` is what it left before it waited.
    fn finish(
        &mut self,
        now: Moment,
        execution: Execution,
        mut outcome: Outcome,
        mut response: Response,
        mut outstanding: Outstanding,
        out: &mut Effects,
    ) {
        outstanding.merge(self.collect_actions(now, out));
        loop {
            (outcome, response) = match outcome {
                Outcome::Done if outstanding.saves.is_empty() => {
                    return self.let_go(now, &execution, &mut response, outstanding, out);
                }
                Outcome::Done => {
                    let answer = Answer::Response(Box::new((execution, response)));
                    return self.pending.hold(Held { answer, outstanding });
                }
                Outcome::Wait(Wait::Read(read, then)) => {
                    return self.pending.read(read, Reader::Command(Waiting { execution, then, outstanding }), out);
                }
                Outcome::Wait(Wait::Write(write, then)) => {
                    return self.pending.write(write, Writer::Command(Waiting { execution, then, outstanding }), out);
                }
                Outcome::Wait(Wait::Program(call, then)) => match program::command_line(&call) {
                    Ok(line) => {
                        let waiter = Waiter::Command(Waiting { execution, then, outstanding });
                        return self.pending.run_program(now, execution.mc, (call, line), waiter, out);
                    }
                    Err(outcome) => {
                        let result = self.judged(now, execution.mc, outcome, out);
                        self.resume(now, execution, then, result)
                    }
                },
            };
            outstanding.merge(self.collect_actions(now, out));
        }
    }

    /// A waiting command goes on with the result of its work.
    fn go_on<R>(&mut self, now: Moment, waiting: Waiting<R>, result: R, out: &mut Effects) {
        let Waiting { execution, then, outstanding } = waiting;
        let (outcome, response) = self.resume(now, execution, then, result);
        self.finish(now, execution, outcome, response, outstanding, out);
    }

    /// A program ended: everybody who waits for it goes on, and the next one is started.
    fn program_ended(
        &mut self,
        now: Moment,
        mc: McAddress,
        entry: lanes::Entry,
        ended: &ProgramEnd,
        out: &mut Effects,
    ) {
        let remark = program::remark(&entry.line, ended);
        if let Some(text) = remark.and_then(|text| self.pending.permit_complaint(now, mc, text)) {
            out.list.push(Effect::Log { level: LogLevel::Warning, text });
        }
        let outcome = program::outcome(&entry.call, &entry.line, ended);
        let success = outcome.success();
        out.count(|tally| {
            tally.programs.observe(now.since(entry.begun));
            tally.program_failures += u64::from(outcome.log.is_some());
        });
        let result = self.judged(now, mc, outcome, out);
        for waiter in entry.waiters {
            let result = result.clone();
            match waiter {
                Waiter::Command(waiting) => self.go_on(now, waiting, result, out),
                Waiter::Background(then) => {
                    if let Some(mut at) = self.machine.at(mc) {
                        then(&mut at, now, result);
                    }
                    self.carry_out_actions(now, out);
                }
                Waiter::Owner(told) => told(self, now, success.clone(), out),
            }
        }
        self.pending.start_program(now, mc, out);
    }

    /// Logs a failure and gives the result.
    pub(super) fn judged(
        &mut self,
        now: Moment,
        mc: McAddress,
        outcome: program::Outcome,
        out: &mut Effects,
    ) -> ProgramResult {
        if let Some(text) = outcome.log {
            // In the original's words, which its consoles show.
            if let Some(text) = self.pending.permit_complaint(now, mc, text) {
                out.list.push(Effect::ConsoleLog { level: LogLevel::Error, text });
            }
        }
        outcome.result
    }

    /// A response that waits for nothing goes out: FFh when what it acknowledges is not safe.
    fn let_go(
        &mut self,
        now: Moment,
        execution: &Execution,
        response: &mut Response,
        outstanding: Outstanding,
        out: &mut Effects,
    ) {
        let path = &execution.path;
        out.count(|tally| tally.waited_for(now, execution.begun));
        if outstanding.failed {
            // Users are what they were, and so their sessions stay.
            response.fail(CompletionCode::UNSPECIFIED);
            return self.answer(now, *path, response, out);
        }
        match execution.delay {
            0 => self.answer(now, *path, response, out),
            _ => self.answer_in_time(now, execution, response, out),
        }
        self.users_changed(now, outstanding.users, Some(path), out);
    }

    /// The same for what was held back.
    fn let_held_go(&mut self, now: Moment, held: Held, out: &mut Effects) {
        let Held { answer, outstanding } = held;
        match answer {
            Answer::Response(answer) => {
                let (execution, mut response) = *answer;
                self.let_go(now, &execution, &mut response, outstanding, out);
            }
            Answer::Owner(kept) if outstanding.failed => kept(self, Fate::Undone),
            Answer::Owner(kept) => {
                self.users_changed(now, outstanding.users, None, out);
                kept(self, Fate::Done);
            }
        }
    }

    /// Tells whoever is around the system when what he changed is kept, or was taken back.
    pub(super) fn when_kept(&mut self, now: Moment, outstanding: Outstanding, kept: Kept, out: &mut Effects) {
        let held = Held { answer: Answer::Owner(kept), outstanding };
        match held.outstanding.saves.is_empty() {
            true => self.let_held_go(now, held, out),
            false => self.pending.hold(held),
        }
    }

    /// Lets a waiting command go on with the result of its work.
    fn resume<R>(
        &mut self,
        now: Moment,
        execution: Execution,
        then: Continuation<R>,
        result: R,
    ) -> (Outcome, Response) {
        let Execution { mc, origin, .. } = execution;
        let mut response = Response::new(&origin);
        let mut context = Context { now, machine: &mut self.machine, mc, origin, commands: &self.commands };
        let outcome = then(&mut context, result, &mut response).unwrap_or_else(|code| {
            response.fail(code);
            Outcome::Done
        });
        (outcome, response)
    }

    /// Sends a response on its way.
    pub(super) fn answer(&mut self, now: Moment, path: ReturnPath, response: &Response, out: &mut Effects) {
        self.trace_response(&path, response, out);
        if self.is_counted(out) {
            self.count_request(path.answered(response.bytes()), out);
        }
        match path {
            ReturnPath::Lan(lan, to) => {
                self.responding(Some((to.netfn, to.cmd)));
                self.send_over_lan(now, lan, out, |channel, random, outbox| {
                    channel.respond(&to, response.bytes(), random, outbox);
                });
                self.responding(None);
            }
            ReturnPath::Serial(serial, to) => self.serial_response(serial, &to, response.bytes(), out),
            ReturnPath::Ipmb(ipmb, request) => self.respond_on_ipmb(ipmb, &request, response.bytes(), out),
            ReturnPath::Bridged(to) => self.bridged_response(now, &to, response, out),
        }
    }

    /// Carries out what the devices asked for, all of it at once.
    pub(super) fn carry_out_actions(&mut self, now: Moment, out: &mut Effects) {
        let outstanding = self.collect_actions(now, out);
        self.users_changed(now, outstanding.users, None, out);
    }

    /// Carries out what the devices asked for, in order, and says what is left to do.
    pub(super) fn collect_actions(&mut self, now: Moment, out: &mut Effects) -> Outstanding {
        sensor::settle(&mut self.machine, now);
        let mut outstanding = Outstanding::default();
        // Carrying out one action may cause others (a closed session frees its console).
        while !self.machine.actions.is_empty() || !self.machine.jobs.is_empty() {
            for background in std::mem::take(&mut self.machine.jobs) {
                match background {
                    Background::Read { mc, read, then } => {
                        self.pending.read(read, Reader::Background { mc, then }, out);
                    }
                    Background::Program { mc, call, then } => match program::command_line(&call) {
                        Ok(line) => self.pending.run_program(now, mc, (call, line), Waiter::Background(then), out),
                        Err(outcome) => {
                            let result = self.judged(now, mc, outcome, out);
                            if let Some(mut at) = self.machine.at(mc) {
                                then(&mut at, now, result);
                            }
                        }
                    },
                }
            }
            for action in std::mem::take(&mut self.machine.actions) {
                match action {
                    Action::Save(changed) => {
                        let file = changed.file();
                        outstanding.saves.extend(self.saves.save(&mut self.machine, &self.configured, file, out));
                    }
                    Action::UserChanged { mc, user, change, ends_sessions } => {
                        outstanding.users.push(ChangedUser { mc, user, change, ends_sessions });
                    }
                    action => self.act(now, action, out),
                }
            }
        }
        watch::tell_power(&mut self.machine);
        let saves = &self.saves;
        self.machine.unsaved.forget_unless(|file| saves.is_pending(file));
        outstanding
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
                self.machine.watch.tell(|| Event::ConsoleOpened { mc, instance });
                self.sol_activated(now, mc, instance, session, auxiliary, out);
            }
            Action::Trap { mc, channel, to, bytes } => self.send_trap(now, LanId { mc, channel }, to, &bytes, out),
            Action::SolDeactivated { mc, instance, by } => {
                self.machine.watch.tell(|| Event::ConsoleClosed { mc, instance });
                self.sol_deactivated(now, mc, instance, by, out);
            }
        }
    }

    /// A state file was written, or could not be: whoever waited for that is answered.
    fn saved(&mut self, now: Moment, id: SaveJob, result: Saved, out: &mut Effects) {
        let ended = self.saves.ended(&mut self.machine, &self.configured, now, (id, result), out);
        let Some(Ended { taken_back, fates }) = ended else { return };
        if let Some(StateFile::Sol(mc)) = taken_back {
            self.sol_timing(mc);
        }
        for (job, fate) in fates {
            self.release(now, job, fate, out);
        }
    }

    /// A write is over: the responses held for it alone go out.
    pub(super) fn release(&mut self, now: Moment, job: SaveJob, fate: Fate, out: &mut Effects) {
        for held in self.pending.settle(job, fate) {
            self.let_held_go(now, held, out);
        }
    }

    /// Slow work is done: what waited for it goes on.
    pub(super) fn work_done(&mut self, now: Moment, done: WorkDone, out: &mut Effects) {
        if let WorkDone::Saved(_, result) = &done {
            out.count(|tally| tally.writes(result));
        }
        match done {
            WorkDone::Program(job, ended) => {
                if let Some((mc, entry)) = self.pending.program_ended(job) {
                    self.program_ended(now, mc, entry, &ended, out);
                }
            }
            WorkDone::Saved(job, result) => self.saved(now, job, result, out),
            WorkDone::Read(job, content) => match self.pending.reader(job) {
                None => {}
                Some(Reader::Command(waiting)) => self.go_on(now, waiting, content, out),
                Some(Reader::Background { mc, then }) => {
                    if let Some(mut at) = self.machine.at(mc) {
                        then(&mut at, now, content);
                        self.carry_out_actions(now, out);
                    }
                }
                Some(Reader::Dump { console, size }) => {
                    let text = match content {
                        Ok(mut bytes) => {
                            bytes.resize(size, 0);
                            fru::dump_text(&bytes)
                        }
                        Err(reason) => format!("**Unable to dump FRU data: {reason}\n"),
                    };
                    out.list.push(Effect::Print { console, text });
                }
                Some(Reader::History { mc }) => self.history_read(mc, content, out),
            },
            WorkDone::Written(job, written) => match self.pending.writer(job) {
                None => {}
                Some(Writer::Command(waiting)) => self.go_on(now, waiting, written, out),
                Some(Writer::Backup { mc }) => self.history_written(mc, written, out),
            },
        }
    }
}
