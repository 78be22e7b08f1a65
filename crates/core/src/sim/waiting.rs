//! Commands under way: what waits for a file, what is held back until its state is safe, and how much of
//! that there may be.
//!
//! Helper programs are in [`lanes`](super::lanes), state files in [`saves`](super::saves).

use std::collections::HashMap;

use super::Simulator;
use super::accounts::ChangedUser;
use super::effect::{ConsoleId, ReadJob, SaveJob, WriteJob};
use super::lanes::{Lanes, Party};
use super::return_path::ReturnPath;
use super::saves::Fate;
use crate::bmc::external::{FileContent, FileWritten, Then};
use crate::command::Continuation;
use crate::ipmi::{McAddress, Moment, Origin, Response};

/// How many requests may wait at the same time for slow work or for a state file. A request that
/// needs neither is never refused. Clients have one or two under way; more than this is a
/// flood, which would queue up helper programs and memory without end.
mod most_waiting {
    /// Of one session or line.
    pub(super) const OF_ONE_REQUESTER: usize = 32;
    /// Of one user, in all sessions.
    pub(super) const OF_ONE_USER: usize = 64;
    /// Of all users below administrator level. The rest is for administrators and the host.
    pub(super) const OF_USERS: usize = 512;
    /// Of all sessions. The rest is for the host.
    pub(super) const OF_SESSIONS: usize = 896;
    /// Of all.
    pub(super) const ALTOGETHER: usize = 1024;
}

/// A command being executed.
#[derive(Clone, Copy)]
pub(super) struct Execution {
    /// The controller that executes it.
    pub(super) mc: McAddress,
    /// Where it came from.
    pub(super) origin: Origin,
    /// Where its response goes.
    pub(super) path: ReturnPath,
    /// When it came.
    pub(super) begun: Moment,
    /// How many milliseconds after that it is answered at the earliest, by a fault on purpose.
    pub(super) delay: u32,
}

/// A command that waits for slow work with such a result.
pub(super) struct Waiting<R> {
    pub(super) execution: Execution,
    /// What it does with the result.
    pub(super) then: Continuation<R>,
    /// What it left to do before it waited.
    pub(super) outstanding: Outstanding,
}

/// Who waits for the content of a file.
pub(super) enum Reader {
    /// A command.
    Command(Waiting<FileContent>),
    /// A device of an MC.
    Background { mc: McAddress, then: Then<FileContent> },
    /// A console, for the bytes of a FRU device, to print them.
    Dump { console: Option<ConsoleId>, size: usize },
    /// The console history of an MC, for its backup.
    History { mc: McAddress },
}

/// Who waits until a file is written.
pub(super) enum Writer {
    /// A command.
    Command(Waiting<FileWritten>),
    /// The backup of the console history of an MC.
    Backup { mc: McAddress },
}

/// What is held back until the state it acknowledges is safe.
pub(super) struct Held {
    pub(super) answer: Answer,
    pub(super) outstanding: Outstanding,
}

/// Who is told that something is done.
pub(super) enum Answer {
    /// The requester.
    Response(Box<(Execution, Response)>),
    /// Whoever is around the system.
    Owner(Kept),
}

/// What whoever is around the system does when it is known whether a change is kept.
pub(super) type Kept = Box<dyn FnOnce(&mut Simulator, Fate) + Send>;

/// What is left to do when the actions of the devices have been carried out.
#[derive(Default)]
#[must_use]
pub(super) struct Outstanding {
    /// State files being written.
    pub(super) saves: Vec<SaveJob>,
    /// One of them could not be written.
    pub(super) failed: bool,
    /// Users that were changed. Sessions of theirs end after the response: it may be for one of them.
    pub(super) users: Vec<ChangedUser>,
}

impl Outstanding {
    pub(super) fn merge(&mut self, other: Self) {
        self.saves.extend(other.saves);
        self.users.extend(other.users);
    }

    /// A state file was written, or could not be.
    pub(super) fn settle(&mut self, id: SaveJob, fate: Fate) {
        let before = self.saves.len();
        self.saves.retain(|save| *save != id);
        self.failed |= fate == Fate::Undone && self.saves.len() < before;
    }
}

/// Whoever waits for a file, and answers that are held back.
#[derive(Default)]
pub(super) struct Waiters {
    reads: HashMap<ReadJob, Reader>,
    writes: HashMap<WriteJob, Writer>,
    held: Vec<Held>,
}

impl Waiters {
    pub(super) fn for_read(&mut self, job: ReadJob, reader: Reader) {
        self.reads.insert(job, reader);
    }

    pub(super) fn for_write(&mut self, job: WriteJob, writer: Writer) {
        self.writes.insert(job, writer);
    }

    pub(super) fn hold(&mut self, held: Held) {
        self.held.push(held);
    }

    pub(super) fn reader(&mut self, job: ReadJob) -> Option<Reader> {
        let reader = self.reads.remove(&job);
        self.give_back();
        reader
    }

    pub(super) fn writer(&mut self, job: WriteJob) -> Option<Writer> {
        let writer = self.writes.remove(&job);
        self.give_back();
        writer
    }

    /// What is empty again keeps its memory, which is much for one of thousands of systems.
    fn give_back(&mut self) {
        if self.reads.is_empty() {
            self.reads = HashMap::new();
        }
        if self.writes.is_empty() {
            self.writes = HashMap::new();
        }
        if self.held.is_empty() {
            self.held = Vec::new();
        }
    }

    /// The write of a state file is over: the responses that waited for it alone, in the order in which they
    /// came.
    pub(super) fn settle(&mut self, id: SaveJob, fate: Fate) -> Vec<Held> {
        let read = self.reads.values_mut().filter_map(|reader| match reader {
            Reader::Command(waiting) => Some(&mut waiting.outstanding),
            Reader::Background { .. } | Reader::Dump { .. } | Reader::History { .. } => None,
        });
        let written = self.writes.values_mut().filter_map(|writer| match writer {
            Writer::Command(waiting) => Some(&mut waiting.outstanding),
            Writer::Backup { .. } => None,
        });
        for outstanding in read.chain(written).chain(self.held.iter_mut().map(|held| &mut held.outstanding)) {
            outstanding.settle(id, fate);
        }
        let ready = self.held.extract_if(.., |held| held.outstanding.saves.is_empty()).collect();
        self.give_back();
        ready
    }

    fn executions(&self) -> impl Iterator<Item = &Execution> {
        let read = self.reads.values().filter_map(|reader| match reader {
            Reader::Command(waiting) => Some(&waiting.execution),
            Reader::Background { .. } | Reader::Dump { .. } | Reader::History { .. } => None,
        });
        let written = self.writes.values().filter_map(|writer| match writer {
            Writer::Command(waiting) => Some(&waiting.execution),
            Writer::Backup { .. } => None,
        });
        let held = self.held.iter().filter_map(|held| match &held.answer {
            Answer::Response(answer) => Some(&answer.0),
            Answer::Owner(_) => None,
        });
        read.chain(written).chain(held)
    }

    /// Whether one more request of this requester may wait, beside those that wait for `programs`.
    pub(super) fn have_room(&self, execution: &Execution, programs: &Lanes) -> bool {
        if self.reads.len() + self.writes.len() + self.held.len() + programs.len() < most_waiting::OF_ONE_REQUESTER {
            return true;
        }
        let (asking, party) = (execution.path.requester(), Party::of(execution));
        let (mut own, mut of_user, mut users, mut sessions, mut altogether) = (0, 0, 0, 0, 0);
        for other in self.executions().chain(programs.executions()) {
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
}
