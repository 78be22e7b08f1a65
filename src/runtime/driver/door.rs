//! What other threads ask of the systems in the loop: each ask is a turn, between two of the loop's own.
//!
//! Owns who waits for what: for work that a call began, for lines of statements, for a system to serve or to be gone.
//! Nothing in the loop waits for whoever asks.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::statements::{Begun, Run};
use super::systems::{Driven, Presence, SystemPlan};
use super::{Driver, SLICE, Stage};
use crate::bmc::watch::Event;
use crate::config::{Diagnostic, Severity};
use crate::host::SystemId;
use crate::ipmi::{McAddress, Moment};
use crate::runtime::clock;
use crate::runtime::door::history::{History, What};
use crate::runtime::door::{Absent, Ask, Creator, Done, DoorPlan, Unmade};
use crate::runtime::script::Script;
use crate::runtime::statement::STATEMENTS;
use crate::sim::{ConsoleId, Effects, JobId, LanId, NoSolPort, Simulator, SolOutput, SolPortView, Tally, WorkDone};

/// After how many of them the clock is read.
const LOOKED_AT: usize = 16;
/// The first number of those who are shown what statements print here; the others are consoles.
const FIRST_CALLER: u64 = 1 << 63;

/// Whether this is one of those who ask, and no console.
pub(super) fn is_caller(id: ConsoleId) -> bool {
    id.0 >= FIRST_CALLER
}

/// One line of statements, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// The line.
    pub line: String,
    /// What it printed.
    pub output: String,
    /// What is wrong with it; nothing of it or not all was done then.
    pub faults: Vec<Diagnostic>,
}

/// How far the life of a BMC is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its command file is being executed.
    Starting,
    /// It serves.
    Running,
    /// It goes when everything is written.
    Leaving,
}

type Answer<T> = oneshot::Sender<Result<T, Absent>>;

/// Called when work has ended, with the reason why something was not saved.
type Released = Box<dyn FnOnce(Option<String>) + Send>;

/// Who waits for work.
struct Wait {
    system: SystemId,
    work: HashSet<JobId>,
    unsaved: Option<String>,
    done: Released,
}

/// Lines that are executed for somebody.
struct Lines {
    caller: ConsoleId,
    system: SystemId,
    /// What is left of the present line, unless it is being executed.
    run: Option<Run>,
    /// The lines behind it.
    rest: VecDeque<String>,
    ran: Vec<Ran>,
    done: Answer<Vec<Ran>>,
}

impl Lines {
    /// Begins with the next line; false when there is none.
    fn next(&mut self) -> bool {
        let Some(line) = self.rest.pop_front() else { return false };
        let mut script = Script::default();
        script.push_line(STATEMENTS, line.as_bytes());
        self.run = Some(Run::new(self.system, script));
        self.ran.push(Ran { line, ..Ran::default() });
        true
    }
}

/// A system that somebody added, until it serves.
struct Arrival {
    system: SystemId,
    faults: Vec<Diagnostic>,
    trouble: Option<String>,
    done: Answer<Result<(), Unmade>>,
}

/// Who looks on at what a port of serial over LAN says.
struct Onlooker {
    system: SystemId,
    mc: McAddress,
    /// What he has no room for is lost.
    lost: u64,
    to: mpsc::Sender<SolOutput>,
}

/// The loop's end of the door.
pub(super) struct Callers {
    asks: mpsc::Receiver<Ask>,
    history: Arc<History>,
    /// Where the door is, for people.
    pub(super) places: Vec<String>,
    names: BTreeMap<Arc<str>, SystemId>,
    waits: Vec<Wait>,
    lines: Vec<Lines>,
    next_caller: u64,
    arrivals: Vec<Arrival>,
    departures: Vec<(SystemId, Answer<()>)>,
    onlookers: Vec<Onlooker>,
}

impl Callers {
    pub(super) fn new(plan: DoorPlan) -> Self {
        let DoorPlan { asks, history, places } = plan;
        Self {
            asks,
            history,
            places,
            names: BTreeMap::new(),
            waits: Vec::new(),
            lines: Vec::new(),
            next_caller: FIRST_CALLER,
            arrivals: Vec::new(),
            departures: Vec::new(),
            onlookers: Vec::new(),
        }
    }

    /// What is asked next.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Ask>> {
        self.asks.poll_recv(cx)
    }

    /// Whether somebody waits for work or statements.
    pub(super) fn has_runs(&self) -> bool {
        !self.waits.is_empty() || !self.lines.is_empty()
    }

    /// The statements that are not done.
    pub(super) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.lines.iter().filter_map(|lines| lines.run.as_ref())
    }

    /// A system has come.
    pub(super) fn came(&mut self, name: &Arc<str>, id: SystemId) {
        self.names.insert(Arc::clone(name), id);
    }

    /// A system has gone.
    pub(super) fn gone(&mut self, name: &str, id: SystemId) {
        if self.names.get(name) == Some(&id) {
            self.names.remove(name);
        }
        // Who is dropped learns that nothing comes.
        self.waits.retain(|wait| wait.system != id);
        self.lines.retain(|lines| lines.system != id);
        self.onlookers.retain(|onlooker| onlooker.system != id);
        for (_, done) in self.departures.extract_if(.., |(system, _)| *system == id) {
            let _ = done.send(Ok(()));
        }
    }

    /// Work of a system has ended.
    pub(super) fn work_ended(&mut self, id: SystemId, done: &WorkDone) {
        let job = done.id();
        for lines in self.lines.iter_mut().filter(|lines| lines.system == id) {
            if let Some(run) = &mut lines.run {
                run.work.remove(&job);
            }
        }
        for wait in self.waits.iter_mut().filter(|wait| wait.system == id) {
            if wait.work.remove(&job)
                && let WorkDone::Saved(_, Err(failure)) = done
            {
                wait.unsaved.get_or_insert_with(|| failure.reason.clone());
            }
        }
        for wait in self.waits.extract_if(.., |wait| wait.work.is_empty()) {
            (wait.done)(wait.unsaved);
        }
    }

    fn lines_of(&mut self, caller: ConsoleId) -> Option<&mut Lines> {
        self.lines.iter_mut().find(|lines| lines.caller == caller)
    }

    /// A statement of somebody's printed this.
    pub(super) fn print(&mut self, caller: ConsoleId, text: &str) {
        if let Some(ran) = self.lines_of(caller).and_then(|lines| lines.ran.last_mut()) {
            ran.output.push_str(text);
        }
    }

    /// A statement of somebody's is wrong, or was refused.
    pub(super) fn failed(&mut self, caller: ConsoleId, fault: &Diagnostic) {
        let Some(lines) = self.lines_of(caller) else { return };
        let number = u32::try_from(lines.ran.len()).unwrap_or(u32::MAX);
        if let Some(ran) = lines.ran.last_mut() {
            let mut fault = fault.clone();
            if fault.file == STATEMENTS {
                fault.span.line = number;
            }
            ran.faults.push(fault);
        }
    }

    /// Takes out statements that are due.
    pub(super) fn take_due(&mut self, now: Moment) -> Option<(ConsoleId, Run)> {
        self.lines.iter_mut().find_map(|lines| {
            let run = lines.run.take_if(|run| run.is_due(now))?;
            Some((lines.caller, run))
        })
    }

    /// What was taken out has been executed; `rest` is what is left of its line.
    pub(super) fn put_back(&mut self, caller: ConsoleId, rest: Option<Run>) {
        let Some(place) = self.lines.iter().position(|lines| lines.caller == caller) else { return };
        let Some(lines) = self.lines.get_mut(place) else { return };
        lines.run = rest;
        if lines.run.is_none() && !lines.next() {
            let Lines { ran, done, .. } = self.lines.swap_remove(place);
            let _ = done.send(Ok(ran));
        }
    }

    /// Shows what ports of a system have said to those who look on. Ports at which nobody does any longer are left alone.
    fn show_consoles(&mut self, id: SystemId, system: &mut Simulator) {
        for output in system.take_sol_output() {
            let is_there = |onlooker: &mut Onlooker| {
                if (onlooker.system, onlooker.mc) != (id, output.mc) {
                    return true;
                }
                let lost = output.lost + std::mem::take(&mut onlooker.lost);
                match onlooker.to.try_send(SolOutput { lost, ..output.clone() }) {
                    Ok(()) => true,
                    Err(TrySendError::Full(_)) => {
                        onlooker.lost = lost + output.bytes.len() as u64;
                        true
                    }
                    Err(TrySendError::Closed(_)) => false,
                }
            };
            self.onlookers.retain_mut(is_there);
            if !self.onlookers.iter().any(|onlooker| (onlooker.system, onlooker.mc) == (id, output.mc)) {
                system.untap_sol(output.mc);
            }
        }
    }

    /// A system cannot be served as it is set up.
    pub(super) fn trouble(&mut self, id: SystemId, text: &str) {
        if let Some(arrival) = self.arrivals.iter_mut().find(|arrival| arrival.system == id) {
            arrival.trouble.get_or_insert_with(|| text.to_owned());
        }
    }

    /// A statement of the command file of a system failed.
    pub(super) fn start_failed(&mut self, id: SystemId, fault: &Diagnostic) {
        if fault.severity == Severity::Error
            && let Some(arrival) = self.arrivals.iter_mut().find(|arrival| arrival.system == id)
        {
            arrival.faults.push(fault.clone());
        }
    }

    /// A system has started, or goes without; gives whether it must go, for whoever added it wants all of it or nothing.
    fn arrived(&mut self, id: SystemId, presence: Presence) -> bool {
        let Some(place) = self.arrivals.iter().position(|arrival| arrival.system == id) else { return false };
        let Arrival { faults, trouble, done, .. } = self.arrivals.swap_remove(place);
        let result = match (trouble, faults.is_empty(), presence) {
            (Some(text), ..) => Err(Unmade::Other(text)),
            (None, false, _) => Err(Unmade::Faults(faults)),
            (None, true, Presence::Leaving) => Err(Unmade::Other("The BMC was removed before it served".into())),
            (None, true, Presence::Here) => Ok(()),
        };
        let fails = result.is_err();
        let _ = done.send(Ok(result));
        fails && presence == Presence::Here
    }
}

/// One BMC, to be looked at.
pub struct Entry<'a> {
    driver: &'a Driver,
    id: SystemId,
    driven: &'a Driven,
}

impl Entry<'_> {
    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.driven.announcement.name
    }

    /// Its number in its fleet.
    pub fn index(&self) -> usize {
        self.driven.index
    }

    /// What it is.
    pub fn system(&self) -> &Simulator {
        &self.driven.seat.system
    }

    /// The time.
    pub fn now(&self) -> Moment {
        clock::now()
    }

    /// How far its life is.
    pub fn state(&self) -> State {
        match (self.driven.presence, &self.driven.start) {
            (Presence::Leaving, _) => State::Leaving,
            (Presence::Here, Some(_)) => State::Starting,
            (Presence::Here, None) => State::Running,
        }
    }

    /// Where its LAN channels are.
    pub fn places(&self) -> impl Iterator<Item = (LanId, SocketAddr)> {
        self.driver.lans.places_of_system(self.id)
    }
}

/// A turn in the loop.
pub struct Turn<'a>(&'a mut Driver);

impl Turn<'_> {
    /// The time.
    pub fn now(&self) -> Moment {
        clock::now()
    }

    /// Whether everything is open, and nothing ends.
    pub fn is_ready(&self) -> bool {
        self.0.life.is_ready() && self.0.ending.is_none()
    }

    /// How many BMCs there are.
    pub fn count(&self) -> usize {
        self.0.systems.count()
    }

    /// What was counted since the start.
    pub fn tally(&self) -> Tally {
        self.0.effects.tally.as_deref().cloned().unwrap_or_default()
    }

    /// The names of all BMCs, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.callers.iter().flat_map(|callers| callers.names.keys()).map(|name| &**name)
    }

    /// How BMCs are made at run time, if they can be.
    pub fn creator(&self) -> Option<Creator> {
        self.0.fleet.as_ref().map(|fleet| fleet.creator())
    }

    /// The BMC of a name, if it is not leaving.
    pub(in crate::runtime) fn find(&mut self, name: &str) -> Option<SystemId> {
        let id = *self.0.callers.as_ref()?.names.get(name)?;
        self.0.systems.here(id).map(|_| id)
    }

    /// The BMC of a name, to be looked at.
    pub fn entry(&self, name: &str) -> Option<Entry<'_>> {
        let id = *self.0.callers.as_ref()?.names.get(name)?;
        Some(Entry { driver: self.0, id, driven: self.0.systems.get(id)? })
    }

    /// Looks at the BMCs behind the one of this name, as many as the turn has time for. Gives the name of the last if there
    /// may be more.
    pub fn each(&self, after: Option<&str>, mut look: impl FnMut(&Entry<'_>)) -> Option<Arc<str>> {
        let end = clock::now() + SLICE;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let names = self.0.callers.as_ref()?.names.range::<str, _>((from, Bound::Unbounded));
        for ((name, id), number) in names.zip(1..) {
            if let Some(driven) = self.0.systems.get(*id) {
                look(&Entry { driver: self.0, id: *id, driven });
            }
            if number % LOOKED_AT == 0 && clock::now() >= end {
                return Some(Arc::clone(name));
            }
        }
        None
    }

    pub(in crate::runtime) fn call<T: Send + 'static>(
        &mut self,
        id: SystemId,
        call: impl FnOnce(&mut Simulator, Moment, &mut Effects) -> T,
        done: Answer<Done<T>>,
    ) {
        let Some((value, work)) = self.0.call(id, call) else { return };
        let done: Released = Box::new(move |unsaved| drop(done.send(Ok(Done { value, unsaved }))));
        match &mut self.0.callers {
            Some(callers) if !work.is_empty() => callers.waits.push(Wait { system: id, work, unsaved: None, done }),
            _ => done(None),
        }
    }

    /// Has somebody shown what the SOL port of a controller says from now on, and gives how it is. He is shown no more, and
    /// told how much he has missed, while there is no room in the channel.
    ///
    /// # Errors
    /// There is no such port.
    pub(in crate::runtime) fn look_on(
        &mut self,
        id: SystemId,
        mc: Option<McAddress>,
        to: mpsc::Sender<SolOutput>,
    ) -> Result<SolPortView, NoSolPort> {
        let Some(driven) = self.0.systems.here(id) else { return Err(NoSolPort) };
        let system = &mut driven.seat.system;
        let mc = mc.unwrap_or_else(|| system.bmc_address());
        system.tap_sol(clock::now(), mc)?;
        if let Some(callers) = &mut self.0.callers {
            callers.onlookers.push(Onlooker { system: id, mc, lost: 0, to });
        }
        system.sol_port(mc)
    }

    pub(in crate::runtime) fn run(&mut self, id: SystemId, lines: Vec<String>, done: Answer<Vec<Ran>>) {
        let Some(callers) = &mut self.0.callers else { return };
        let caller = ConsoleId(callers.next_caller);
        callers.next_caller += 1;
        let (rest, ran) = (lines.into(), Vec::new());
        let mut lines = Lines { caller, system: id, run: None, rest, ran, done };
        if lines.next() {
            callers.lines.push(lines);
        } else {
            let _ = lines.done.send(Ok(Vec::new()));
        }
    }

    pub(in crate::runtime) fn add(&mut self, plan: SystemPlan, done: Answer<Result<(), Unmade>>) {
        let driver = &mut *self.0;
        let name = Arc::clone(&plan.announcement.name);
        if driver.callers.as_ref().is_some_and(|callers| callers.names.contains_key(&name)) {
            let _ = done.send(Ok(Err(Unmade::Other(format!("There is a BMC '{name}' already")))));
            return;
        }
        let has_started = matches!(plan.stage, Stage::Started(_));
        let system = driver.seat(plan);
        if let Some(callers) = &mut driver.callers {
            callers.arrivals.push(Arrival { system, faults: Vec::new(), trouble: None, done });
        }
        driver.begin();
        driver.give_inputs();
        driver.remove_failed();
        if has_started {
            driver.arrived(system);
        }
    }

    pub(in crate::runtime) fn remove(&mut self, id: SystemId, done: Answer<()>) {
        if let Some(callers) = &mut self.0.callers {
            callers.departures.push((id, done));
        }
        if let (Some(fleet), Some(driven)) = (&mut self.0.fleet, self.0.systems.here(id)) {
            // What is read again may bring it back.
            fleet.lose(Arc::clone(&driven.row));
        }
        self.0.remove(id);
    }
}

impl Driver {
    /// Does what somebody asks.
    pub(super) fn asked(&mut self, ask: Ask) {
        ask(&mut Turn(self));
    }

    /// Calls a system; gives the work that this began besides.
    fn call<T>(
        &mut self,
        id: SystemId,
        call: impl FnOnce(&mut Simulator, Moment, &mut Effects) -> T,
    ) -> Option<(T, HashSet<JobId>)> {
        let wall = self.wall;
        self.begun = Some(Begun { system: id, saves: Vec::new(), work: Vec::new() });
        let Driven { seat, .. } = self.systems.here(id)?;
        seat.look_at_the_wall_clock(wall, &mut self.effects);
        let value = call(&mut seat.system, clock::now(), &mut self.effects);
        self.carry_out(id);
        self.give_inputs();
        let begun = self.begun.take();
        let work = begun.map(|begun| begun.saves.into_iter().chain(begun.work).collect());
        Some((value, work.unwrap_or_default()))
    }

    /// A system has started, or goes.
    pub(super) fn arrived(&mut self, id: SystemId) {
        let Some(callers) = &mut self.callers else { return };
        let presence = self.systems.get(id).map_or(Presence::Leaving, |driven| driven.presence);
        if callers.arrived(id, presence) {
            self.remove(id);
        }
    }

    /// Takes what happened in a system, for those who want to know.
    pub(super) fn tell_callers(&mut self, id: SystemId) {
        let (Some(callers), Some(driven)) = (&mut self.callers, self.systems.get_mut(id)) else { return };
        for event in driven.seat.system.take_events() {
            callers.history.tell(&driven.announcement.name, What::Event(event));
        }
        if !callers.onlookers.is_empty() {
            callers.show_consoles(id, &mut driven.seat.system);
        }
    }

    /// The sessions of a system end, because it goes.
    pub(super) fn tell_callers_of_sessions(&self, id: SystemId) {
        if let (Some(callers), Some(driven)) = (&self.callers, self.systems.get(id)) {
            for session in driven.seat.system.view(clock::now()).sessions {
                let ended = Event::LoggedOut { mc: session.mc, channel: session.channel };
                callers.history.tell(&driven.announcement.name, What::Event(ended));
            }
        }
    }

    /// A system has come or gone, which is told when it is no start.
    pub(super) fn tell_callers_of(&self, name: &Arc<str>, what: What) {
        if let Some(callers) = &self.callers
            && !self.life.is_starting()
        {
            callers.history.tell(name, what);
        }
    }

    /// Shows what a statement printed to whoever it is of.
    pub(super) fn print(&mut self, id: ConsoleId, text: &str) {
        match &mut self.callers {
            Some(callers) if is_caller(id) => callers.print(id, text),
            _ => self.consoles.print(id, text),
        }
    }
}
