//! Slow work under way: programs, files to read and to write, who waits for each, and how much is said when
//! programs fail.
//!
//! Owns the numbers of these jobs. The state files are with [`saves`](super::saves).

use std::collections::BTreeMap;

use super::complaints::Complaints;
use super::effect::{Effect, Effects, ProgramJob, ReadJob, SaveJob, Work, WriteJob};
use super::lanes::{self, Lanes, Waiter};
use super::return_path::Requester;
use super::saves::Fate;
use super::waiting::{Execution, Held, Reader, Waiters, Writer};
use crate::bmc::LogLevel;
use crate::bmc::external::{FileRead, FileWrite, ProgramCall};
use crate::ipmi::{McAddress, Moment};

/// Everything that is not done yet.
#[derive(Default)]
pub(super) struct Pending {
    next_job: u64,
    /// Who waits for files, and for state to be safe.
    waiters: Waiters,
    /// Helper programs, and who waits for them.
    programs: Lanes,
    /// What is wrong with the programs of each controller.
    complaints: BTreeMap<McAddress, Complaints>,
}

impl Pending {
    /// Whether one more request of this requester may wait.
    pub(super) fn have_room(&self, execution: &Execution) -> bool {
        self.waiters.have_room(execution, &self.programs)
    }

    /// Has a file read for somebody.
    pub(super) fn read(&mut self, read: FileRead, reader: Reader, out: &mut Effects) {
        let job = ReadJob(self.new_job());
        self.waiters.for_read(job, reader);
        out.list.push(Effect::Run(Work::Read { job, read }));
    }

    /// Has a file written for somebody.
    pub(super) fn write(&mut self, write: FileWrite, writer: Writer, out: &mut Effects) {
        let job = WriteJob(self.new_job());
        self.waiters.for_write(job, writer);
        out.list.push(Effect::Run(Work::Write { job, write }));
    }

    /// Has somebody wait for a program of `mc`, which is started if no other of that controller runs.
    pub(super) fn run_program(
        &mut self,
        now: Moment,
        mc: McAddress,
        (call, line): (ProgramCall, String),
        waiter: Waiter,
        out: &mut Effects,
    ) {
        let next = &mut self.next_job;
        self.programs.wait(mc, call, line, waiter, || ProgramJob(new_job(next)));
        self.start_program(now, mc, out);
    }

    /// Starts the next program of `mc`, if none runs.
    pub(super) fn start_program(&mut self, now: Moment, mc: McAddress, out: &mut Effects) {
        if let Some((job, line)) = self.programs.start(now, mc) {
            out.list.push(Effect::Run(Work::Program { job, line, lane: mc }));
        }
    }

    /// A program ended: whose it was, and who waits for it.
    pub(super) fn program_ended(&mut self, job: ProgramJob) -> Option<(McAddress, lanes::Entry)> {
        self.programs.ended(job)
    }

    /// A file was read: for whom.
    pub(super) fn reader(&mut self, job: ReadJob) -> Option<Reader> {
        self.waiters.reader(job)
    }

    /// A file was written: for whom.
    pub(super) fn writer(&mut self, job: WriteJob) -> Option<Writer> {
        self.waiters.writer(job)
    }

    /// Holds a response back until the state it acknowledges is safe.
    pub(super) fn hold(&mut self, held: Held) {
        self.waiters.hold(held);
    }

    /// The write of a state file is over: the responses that waited for it alone.
    pub(super) fn settle(&mut self, id: SaveJob, fate: Fate) -> Vec<Held> {
        for outstanding in self.programs.outstanding_mut() {
            outstanding.settle(id, fate);
        }
        self.waiters.settle(id, fate)
    }

    /// Somebody is gone: what he asked for and has not begun does not begin.
    pub(super) fn forget(&mut self, gone: Requester) {
        self.programs.forget(gone);
    }

    /// What to log about a program of `mc`, unless there was too much of that already: whoever
    /// may ask for a program's work can have it fail as often as he likes.
    pub(super) fn permit_complaint(&mut self, now: Moment, mc: McAddress, text: String) -> Option<String> {
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

    /// When [`summarise_complaints`](Self::summarise_complaints) is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.complaints.values().filter_map(Complaints::deadline).min()
    }

    fn new_job(&mut self) -> u64 {
        new_job(&mut self.next_job)
    }
}

fn new_job(next: &mut u64) -> u64 {
    let job = *next;
    *next += 1;
    job
}
