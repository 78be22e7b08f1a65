//! Helper programs that wait for their turn: one lane for each controller, one program of a lane
//! at a time.
//!
//! Owns who is next. The host, administrators and the simulator itself come before everybody
//! else; among equals the turn goes round, first by user, then by session, so that what one
//! requester piles up is in nobody's way but his own. What one session asked for runs in the
//! order in which it asked. Equal `get` calls that are under way at the same time are run once. Runs
//! nothing and knows no time.

use std::collections::BTreeMap;

use super::Simulator;
use super::effect::{Effects, IpmbId, ProgramJob, SerialId};
use super::return_path::Requester;
use super::waiting::{Execution, Outstanding, Waiting};
use crate::bmc::external::{Operation, ProgramCall, ProgramResult, Then};
use crate::ipmi::{McAddress, Moment, Privilege, UserNumber};

/// Who asks, as far as shares and turns go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Party {
    /// The simulator itself, for a step of a power cycle, and whoever is around it.
    Simulator,
    /// Whoever is at a line, or at the system interface.
    Line(SerialId),
    /// Whoever is on a bus.
    Bus(IpmbId),
    /// A user in sessions at administrator level.
    Administrator {
        /// Whose user.
        mc: McAddress,
        /// The user's number.
        user: Option<UserNumber>,
    },
    /// A user in sessions below administrator level.
    User {
        /// Whose user.
        mc: McAddress,
        /// The user's number.
        user: Option<UserNumber>,
    },
}

impl Party {
    /// Whose request this is.
    pub(super) fn of(execution: &Execution) -> Self {
        let administrator = execution.origin.privilege.is_some_and(|level| level >= Privilege::Administrator);
        let user = execution.origin.session.map(|session| session.user);
        match execution.path.requester() {
            Requester::Session(lan, _) if administrator => Self::Administrator { mc: lan.mc, user },
            Requester::Session(lan, _) => Self::User { mc: lan.mc, user },
            Requester::Line(serial) => Self::Line(serial),
            Requester::Bus(ipmb) => Self::Bus(ipmb),
        }
    }

    /// The user behind it, whatever the level.
    pub(super) fn user(self) -> Option<(McAddress, Option<UserNumber>)> {
        match self {
            Self::Administrator { mc, user } | Self::User { mc, user } => Some((mc, user)),
            Self::Simulator | Self::Line(_) | Self::Bus(_) => None,
        }
    }

    /// Whether it waits behind the others.
    fn comes_second(self) -> bool {
        matches!(self, Self::User { .. })
    }
}

/// Who gets the result of a program.
pub(super) enum Waiter {
    /// A command.
    Command(Waiting<ProgramResult>),
    /// The simulator itself.
    Background(Then<ProgramResult>),
    /// Whoever is around the system.
    Owner(Told),
}

/// What whoever is around the system does when the program that he asked for has ended; a failure in words.
pub(super) type Told = Box<dyn FnOnce(&mut Simulator, Moment, Result<(), String>, &mut Effects) + Send>;

impl Waiter {
    fn party(&self) -> Party {
        match self {
            Self::Command(waiting) => Party::of(&waiting.execution),
            Self::Background(_) | Self::Owner(_) => Party::Simulator,
        }
    }

    fn requester(&self) -> Option<Requester> {
        match self {
            Self::Command(waiting) => Some(waiting.execution.path.requester()),
            Self::Background(_) | Self::Owner(_) => None,
        }
    }
}

/// A call of a program, and everybody who waits for it.
pub(super) struct Entry {
    /// Given back with the result.
    pub(super) job: ProgramJob,
    /// What is asked of the program.
    pub(super) call: ProgramCall,
    /// The shell line it became.
    pub(super) line: String,
    /// When it was started.
    pub(super) begun: Moment,
    /// At least one, unless the sessions that waited are gone.
    pub(super) waiters: Vec<Waiter>,
}

/// One controller's programs.
#[derive(Default)]
struct Lane {
    running: Option<Entry>,
    /// In the order in which they came.
    waiting: Vec<Entry>,
    /// When each party had its last turn. Users and lines are few.
    turns: BTreeMap<Party, u64>,
    /// When each session or line that has something here had its last turn.
    own_turns: Vec<(Requester, u64)>,
    /// Counts the turns.
    clock: u64,
}

impl Lane {
    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.running.iter().chain(&self.waiting)
    }

    /// An equal `get` that the requester may have the result of: it must not have a `set` of its
    /// own under way, whose effect it would not see.
    fn equal(&mut self, call: &ProgramCall, requester: Option<Requester>) -> Option<&mut Entry> {
        let requester = requester.filter(|_| call.operation == Operation::Get)?;
        let sets = |entry: &Entry| {
            entry.call.operation != Operation::Get
                && entry.waiters.iter().any(|waiter| waiter.requester() == Some(requester))
        };
        if self.entries().any(sets) {
            return None;
        }
        self.running.iter_mut().chain(&mut self.waiting).find(|entry| entry.call == *call)
    }

    /// Index of the entry that is next.
    fn next(&mut self) -> Option<usize> {
        let own = |requester: Option<Requester>| {
            let turn = self.own_turns.iter().find(|(other, _)| Some(*other) == requester);
            turn.map_or(0, |(_, turn)| *turn)
        };
        let waiters = self.waiting.iter().enumerate().flat_map(|(index, entry)| {
            entry.waiters.iter().map(move |waiter| (waiter.party(), waiter.requester(), index))
        });
        // Whoever waited longest for a turn: the party, then its session, then that one's oldest.
        let (party, requester, index) = waiters.min_by_key(|(party, requester, index)| {
            let turn = self.turns.get(party).copied().unwrap_or(0);
            (party.comes_second(), turn, *party, own(*requester), *index)
        })?;
        self.clock += 1;
        self.turns.insert(party, self.clock);
        if let Some(requester) = requester {
            self.own_turns.retain(|(other, _)| *other != requester);
            self.own_turns.push((requester, self.clock));
        }
        Some(index)
    }

    /// Takes the entry that is next out of the line.
    fn start(&mut self, now: Moment) -> Option<&Entry> {
        if self.running.is_some() {
            return None;
        }
        let index = self.next()?;
        self.running = Some(Entry { begun: now, ..self.waiting.remove(index) });
        let entries = self.running.iter().chain(&self.waiting);
        let present = |requester| {
            let mut waiters = entries.clone().flat_map(|entry| &entry.waiters);
            waiters.any(|waiter| waiter.requester() == Some(requester))
        };
        self.own_turns.retain(|(requester, _)| present(*requester));
        self.running.as_ref()
    }
}

/// The programs of all controllers.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: BTreeMap<McAddress, Box<Lane>>,
}

impl Lanes {
    /// Has somebody wait for a program of `mc`: for one that is under way already, or for one of
    /// his own under the number that `job` gives.
    pub(super) fn wait(
        &mut self,
        mc: McAddress,
        call: ProgramCall,
        line: String,
        waiter: Waiter,
        job: impl FnOnce() -> ProgramJob,
    ) {
        let lane = self.lanes.entry(mc).or_default();
        match lane.equal(&call, waiter.requester()) {
            Some(entry) => entry.waiters.push(waiter),
            None => {
                lane.waiting.push(Entry { job: job(), call, line, begun: Moment::default(), waiters: vec![waiter] });
            }
        }
    }

    /// The program of `mc` that is to be started now, if one is.
    pub(super) fn start(&mut self, now: Moment, mc: McAddress) -> Option<(ProgramJob, String)> {
        self.lanes.get_mut(&mc)?.start(now).map(|entry| (entry.job, entry.line.clone()))
    }

    /// A program ended: whose it was, and who waits for it.
    pub(super) fn ended(&mut self, job: ProgramJob) -> Option<(McAddress, Entry)> {
        let (mc, lane) =
            self.lanes.iter_mut().find(|(_, lane)| lane.running.as_ref().is_some_and(|entry| entry.job == job))?;
        lane.running.take().map(|entry| (*mc, entry))
    }

    /// A session is gone: nothing that it asked for begins any more.
    pub(super) fn forget(&mut self, gone: Requester) {
        for lane in self.lanes.values_mut() {
            for entry in &mut lane.waiting {
                entry.waiters.retain(|waiter| waiter.requester() != Some(gone));
            }
            lane.waiting.retain(|entry| !entry.waiters.is_empty());
            lane.own_turns.retain(|(requester, _)| *requester != gone);
        }
    }

    /// How many calls wait or run.
    pub(super) fn len(&self) -> usize {
        self.lanes.values().map(|lane| lane.entries().map(|entry| entry.waiters.len()).sum::<usize>()).sum()
    }

    /// The commands that wait.
    pub(super) fn executions(&self) -> impl Iterator<Item = &Execution> {
        self.lanes.values().flat_map(|lane| lane.entries()).flat_map(|entry| &entry.waiters).filter_map(|waiter| {
            match waiter {
                Waiter::Command(waiting) => Some(&waiting.execution),
                Waiter::Background(_) | Waiter::Owner(_) => None,
            }
        })
    }

    /// What the commands that wait left to do.
    pub(super) fn outstanding_mut(&mut self) -> impl Iterator<Item = &mut Outstanding> {
        let lanes = self.lanes.values_mut();
        let entries = lanes.flat_map(|lane| lane.running.iter_mut().chain(&mut lane.waiting));
        entries.flat_map(|entry| &mut entry.waiters).filter_map(|waiter| match waiter {
            Waiter::Command(waiting) => Some(&mut waiting.outstanding),
            Waiter::Background(_) | Waiter::Owner(_) => None,
        })
    }
}
