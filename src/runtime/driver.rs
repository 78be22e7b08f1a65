//! The event loop: one task that owns all systems of the process; one system is the case of one.
//!
//! Waits for whatever happens next, hands it to its system with the time, and carries
//! out what that wants, in order. Nothing here waits for anything else: opening,
//! reading and running are tasks of the `host` room or of the consoles, which answer through
//! channels. A datagram's way allocates nothing.

pub mod announce;
mod consoles;
pub mod door;
mod effects;
pub mod fleet;
mod life;
pub mod reload;
mod statements;
mod systems;
#[cfg(test)]
mod tests;
mod unserved;

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use consoles::{After, Consoles};
use door::Callers;
use fleet::{Fleet, FleetPlan, FleetRead};
use life::Life;
use reload::Read;
use statements::{Begun, Starts};
use systems::{Presence, Systems};
pub use systems::{Scope, Stage, SystemPlan};
use unserved::Unserved;

use super::Ending;
use super::clock::{self, Alarm};
use super::console_port::ConsoleEvent;
use super::door::{Ask, DoorPlan};
use super::lan::PortId;
use super::lan_ports::{LanPorts, Sharing};
use super::limits;
use super::logging::complain;
use super::pcap::Capture;
use super::reports::Reports;
use super::service::Service;
use super::syslog::Syslog;
use super::terminal::{StandardInput, Streams};
use super::timers::Timers;
use crate::bmc::LogLevel;
use crate::host::programs::Programs;
use crate::host::{self, HostEvent, HostEvents, SystemId, children};
use crate::ipmi::Moment;
use crate::sim::{Effects, Input, WorkDone};
use crate::store::directory::message;

/// How long state that is still being written may take at the end.
const LAST_WRITES: Duration = Duration::from_secs(10);
/// How long the last part of a capture file may take.
const LAST_RECORDS: Duration = Duration::from_secs(2);
/// How long the others wait at most for a turn that is about many systems.
const SLICE: Duration = Duration::from_micros(300);
/// The system that consoles talk to.
const FIRST: SystemId = SystemId { index: 0, generation: 0 };

/// What the driver does beside driving.
pub struct Plan {
    /// How many systems it is for.
    pub scope: Scope,
    /// Standard input and output.
    pub streams: Streams,
    /// Whether there is a console on them, and what the input is.
    pub standard: Option<StandardInput>,
    /// Where the TCP console listens.
    pub console: Option<SocketAddr>,
    /// How long a helper program may take.
    pub program_limit: Duration,
    /// How many helper programs run at once, of all systems.
    pub programs: usize,
    /// How long a statement's slow work may hold up the next statement.
    pub statement_limit: Duration,
    /// What happens when a statement of a script fails.
    pub failures: Failures,
    /// The system log, if it is written.
    pub syslog: Option<Syslog>,
    /// What is worth a line in the log before anything happens.
    pub notes: Vec<String>,
    /// Who is told that everything is open.
    pub service: Service,
    /// What is printed on standard output then; of a fleet the beginning of it, before how many it is.
    pub ready_line: Option<String>,
    /// The file that what goes over LAN is written to, and its name.
    pub capture: Option<(File, String)>,
    /// Where the systems come from, if they come and go.
    pub fleet: Option<FleetPlan>,
    /// Where other threads ask, if they may.
    pub door: Option<DoorPlan>,
}

/// What a failing statement at start means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failures {
    /// It is reported; the others are executed.
    Reported,
    /// The program ends with status 1.
    Fatal,
}

/// Drives systems to their end. Consoles talk to the first.
pub async fn run(systems: Vec<SystemPlan>, plan: Plan) -> Ending {
    // In a box, as the systems are: a future is made on the stack and keeps room for everything in it at
    // every step.
    match Driver::new(systems, plan).map(Box::new) {
        Ok(mut driver) => {
            let ending = driver.drive().await;
            driver.finish(ending).await
        }
        Err(error) => {
            complain(&format!("Unable to start: {}", message(&error)));
            Ending::Status(1)
        }
    }
}

/// What happened next.
enum Wake {
    Signal(Signal),
    Alarm,
    Host(SystemId, HostEvent),
    Console(ConsoleEvent),
    /// The socket with this number may have datagrams.
    Lan(usize),
    /// The configuration of a system was read again.
    Reloaded(SystemId, Read),
    /// The fleet was read again.
    Fleet(FleetRead),
    /// Another thread asks something.
    Asked(Ask),
    /// Nothing; a step of a reload or a statement can be executed.
    Statement,
}

struct Driver {
    scope: Scope,
    systems: Systems,
    /// Those that were taken in and are to begin.
    seated: VecDeque<(SystemId, Stage)>,
    /// Those that cannot be served as they are set up, and are to be removed.
    failed: Vec<SystemId>,
    /// Why, as long as that was not told.
    unserved: Unserved,
    /// Ports that another has, and whose they are.
    taken: Vec<(PortId, SocketAddr, PortId)>,
    effects: Effects,
    /// Whose effects these are: systems, each with the end of its part.
    called: Vec<(SystemId, usize)>,
    lans: LanPorts,
    /// What systems are told once the present effects are carried out.
    inputs: VecDeque<(SystemId, Input<'static>)>,
    timers: Timers,
    /// Systems whose timers have come up.
    due: Vec<SystemId>,
    alarm: Alarm,
    /// What the wall clock showed when the loop woke up.
    wall: (Moment, i64),
    /// Every second wake-up looks at the LAN first, so that neither side starves the other.
    lan_first: bool,

    signals: mpsc::Receiver<Signal>,
    host_events: mpsc::Receiver<(SystemId, HostEvent)>,
    to_host_events: mpsc::Sender<(SystemId, HostEvent)>,
    /// Configurations that were read again.
    reloads: mpsc::UnboundedReceiver<(SystemId, Read)>,
    to_reloads: mpsc::UnboundedSender<(SystemId, Read)>,
    /// Fleets that were read again.
    fleets: mpsc::UnboundedReceiver<FleetRead>,
    to_fleets: mpsc::UnboundedSender<FleetRead>,

    life: Life,

    /// Jobs begun by the statement being executed.
    begun: Option<Begun>,
    statement_limit: Duration,
    programs: Arc<Programs>,

    consoles: Consoles,
    callers: Option<Box<Callers>>,
    failures: Failures,
    reports: Reports,
    fleet: Option<Box<Fleet>>,
    /// Systems whose command files and `-x` are not done.
    starts: Starts,
    /// Faults of command files that were told.
    told: BTreeSet<String>,
    ending: Option<Ending>,
}

impl Driver {
    fn new(systems: Vec<SystemPlan>, plan: Plan) -> std::io::Result<Self> {
        let (to_host_events, host_events) = mpsc::channel(host::EVENT_QUEUE);
        let consoles = Consoles::new(plan.streams, plan.standard, plan.console)?;
        let capture = plan
            .capture
            .map(|(file, name)| Capture::start(file, name, HostEvents::new(FIRST, to_host_events.clone())))
            .transpose()?;
        let (to_reloads, reloads) = mpsc::unbounded_channel();
        let (to_fleets, fleets) = mpsc::unbounded_channel();
        let mut driver = Self {
            scope: plan.scope,
            systems: Systems::default(),
            seated: VecDeque::new(),
            failed: Vec::new(),
            unserved: Unserved::default(),
            taken: Vec::new(),
            effects: Effects::default(),
            called: Vec::new(),
            lans: LanPorts::new(
                capture,
                match plan.scope {
                    Scope::One => Sharing::None,
                    Scope::Fleet => Sharing::SamePort,
                },
            ),
            inputs: VecDeque::new(),
            timers: Timers::default(),
            due: Vec::new(),
            wall: clock::both(),
            alarm: Alarm::new(),
            lan_first: false,
            signals: watch_signals()?,
            host_events,
            to_host_events,
            reloads,
            to_reloads,
            fleets,
            to_fleets,
            life: Life::new(plan.service, plan.ready_line),
            begun: None,
            statement_limit: plan.statement_limit,
            programs: Programs::new(plan.program_limit, plan.programs),
            consoles,
            callers: plan.door.map(Callers::new).map(Box::new),
            failures: plan.failures,
            reports: Reports::new(plan.syslog),
            fleet: plan.fleet.map(Fleet::new).map(Box::new),
            starts: Starts::default(),
            told: BTreeSet::new(),
            ending: None,
        };
        if driver.callers.is_some() {
            driver.effects.tally = Some(Box::default());
        }
        for system in systems {
            driver.seat(system);
        }
        for note in plan.notes {
            driver.reports.log(LogLevel::Warning, &note);
        }
        if let Some(address) = plan.console {
            driver.reports.warn_of_an_open_port("console", address);
        }
        Ok(driver)
    }

    async fn drive(&mut self) -> Ending {
        if children::adopts() {
            tokio::spawn(children::reap_orphans());
        }
        self.begin();
        self.give_inputs();
        self.remove_failed();
        if self.starts.is_empty() {
            // They come as they are after their command files.
            self.start_ended();
        }
        self.serve().await
    }

    /// Does what is to be done, until the program is to end.
    async fn serve(&mut self) -> Ending {
        loop {
            self.give_inputs();
            self.remove_failed();
            if let Some(ending) = self.ending.take() {
                return ending;
            }
            let now = clock::now();
            self.alarm.arm(now, self.timers.next());
            self.alarm.arm(now, self.life.deadline());
            self.alarm.arm(now, self.lans.deadline());
            self.alarm.arm(now, self.starts.deadline());
            self.alarm.arm(now, self.unserved.deadline());
            let due = self.has_steps() || self.has_runs() && self.due_run(now);
            let wake = poll_fn(|cx| self.poll(cx, due)).await;
            self.wall = clock::both();
            match wake {
                Wake::Signal(signal) => self.signal(signal),
                Wake::Alarm => {
                    let now = clock::now();
                    self.timeouts(now);
                    self.starts.timeout(now);
                    self.life.alive(now);
                    self.lans.timeout(now);
                }
                Wake::Host(id, event) => self.host_event(id, event),
                Wake::Console(event) => {
                    let after = self.consoles.event(event);
                    self.after(after);
                }
                Wake::Lan(index) => self.datagrams(index),
                Wake::Reloaded(id, read) => self.reloaded(id, read),
                Wake::Fleet(read) => self.fleet_read(read),
                Wake::Asked(ask) => self.asked(ask),
                Wake::Statement => {
                    self.steps();
                    self.execute();
                    // Sockets and timers tell nothing until the runtime has its turn, which otherwise is after a
                    // hundred of these. Before all have started, nobody expects to be served.
                    if !self.life.is_starting() {
                        tokio::task::yield_now().await;
                    }
                }
            }
            // Other tasks get their turn even while there is always something to do here.
            tokio::task::coop::consume_budget().await;
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, statement: bool) -> Poll<Wake> {
        self.lan_first = !self.lan_first;
        if self.lan_first
            && let Some(index) = self.lans.poll(cx)
        {
            return Poll::Ready(Wake::Lan(index));
        }
        if let Poll::Ready(Some(signal)) = self.signals.poll_recv(cx) {
            return Poll::Ready(Wake::Signal(signal));
        }
        if self.alarm.poll(cx).is_ready() {
            return Poll::Ready(Wake::Alarm);
        }
        if let Poll::Ready(Some((id, event))) = self.host_events.poll_recv(cx) {
            return Poll::Ready(Wake::Host(id, event));
        }
        if let Poll::Ready(Some(event)) = self.consoles.poll(cx) {
            return Poll::Ready(Wake::Console(event));
        }
        if let Some(callers) = &mut self.callers
            && let Poll::Ready(Some(ask)) = callers.poll(cx)
        {
            return Poll::Ready(Wake::Asked(ask));
        }
        if let Poll::Ready(Some((id, read))) = self.reloads.poll_recv(cx) {
            return Poll::Ready(Wake::Reloaded(id, read));
        }
        if let Poll::Ready(Some(read)) = self.fleets.poll_recv(cx) {
            return Poll::Ready(Wake::Fleet(read));
        }
        if !self.lan_first
            && let Some(index) = self.lans.poll(cx)
        {
            return Poll::Ready(Wake::Lan(index));
        }
        if statement { Poll::Ready(Wake::Statement) } else { Poll::Pending }
    }

    // --- what comes in ---

    fn datagrams(&mut self, number: usize) {
        let (now, wall) = (clock::now(), self.wall);
        let mut batch = self.lans.receive(number, now);
        for (PortId { system, lan }, from, bytes) in batch.datagrams().filter(|(.., bytes)| !bytes.is_empty()) {
            if let Some(driven) = self.systems.here(system) {
                driven.seat.handle(now, wall, Input::Datagram { lan, from, bytes }, &mut self.effects);
                self.called(system);
            }
        }
        self.carry_out_all();
        self.lans.give_back(batch);
    }

    /// Calls the systems whose time has come.
    fn timeouts(&mut self, now: Moment) {
        let mut due = std::mem::take(&mut self.due);
        self.timers.take_due(now, &mut due);
        for id in due.drain(..) {
            let deadline = self.systems.here(id).and_then(|driven| driven.seat.system.deadline());
            if deadline.is_some_and(|deadline| deadline <= now) {
                self.handle(id, Input::Timeout);
            }
            self.arm(id);
        }
        self.due = due;
    }

    /// A system may want to be called at another time than before.
    fn arm(&mut self, id: SystemId) {
        let deadline = self.systems.here(id).and_then(|driven| driven.seat.system.deadline());
        self.timers.arm(id, deadline);
    }

    fn host_event(&mut self, id: SystemId, event: HostEvent) {
        let done = match &event {
            HostEvent::Input(Input::WorkDone(done)) => self.has_runs().then(|| done.clone()),
            _ => None,
        };
        let is_leaving = self.systems.get(id).is_some_and(|driven| driven.presence == Presence::Leaving);
        if is_leaving && !matches!(event, HostEvent::Input(Input::WorkDone(_))) {
            return;
        }
        if let Some(Some(input)) = self.with(id, |seat, mut around| seat.event(event, &mut around)) {
            self.handle(id, input);
        }
        if let Some(done) = done {
            self.work_ended(id, &done);
        }
        if is_leaving {
            self.forget_if_safe(id);
        }
    }

    /// No statement waits for this work any longer.
    fn work_ended(&mut self, id: SystemId, done: &WorkDone) {
        let job = done.id();
        if let Some(run) = self.systems.get_mut(id).and_then(|driven| driven.start.as_mut())
            && run.work.remove(&job)
            && run.work.is_empty()
        {
            self.starts.is_due(id);
        }
        for run in self.consoles.runs_mut().filter(|run| run.system == id) {
            run.work.remove(&job);
        }
        if let Some(callers) = &mut self.callers {
            callers.work_ended(id, done);
        }
    }

    /// Whether somebody's statements are not done, so that the datagrams' way need not look for them.
    fn has_runs(&self) -> bool {
        !self.starts.is_empty()
            || self.consoles.has_runs()
            || self.callers.as_ref().is_some_and(|callers| callers.has_runs())
    }

    /// Tells a system something, and carries out what it wants done.
    fn handle(&mut self, id: SystemId, input: Input<'_>) {
        let wall = self.wall;
        if let Some(driven) = self.systems.get_mut(id) {
            driven.seat.handle(clock::now(), wall, input, &mut self.effects);
            self.carry_out(id);
        }
    }

    /// Tells systems what came of the effects that were carried out.
    fn give_inputs(&mut self) {
        while let Some((id, input)) = self.inputs.pop_front() {
            self.handle(id, input);
        }
    }

    fn signal(&mut self, signal: Signal) {
        if signal == Signal::SIGHUP {
            return self.begin_reload();
        }
        self.ending = Some(Ending::Signal(signal as i32));
    }

    /// The first reason to end counts.
    fn end(&mut self, status: u8) {
        self.ending.get_or_insert(Ending::Status(status));
    }

    /// The program cannot go on.
    fn fatal(&mut self, text: &str) {
        self.reports.fatal(text);
        self.end(1);
    }

    // --- consoles ---

    /// Goes on after something happened on a console.
    fn after(&mut self, after: After) {
        match after {
            After::Nothing => {}
            After::End => self.end(0),
            After::Executed(id) => {
                self.consoles.run_ended();
                if self.ending.is_none()
                    && let Some(next) = self.consoles.prompt(id)
                {
                    self.after(next);
                    self.tell_ready();
                }
            }
        }
    }

    // --- the end ---

    fn is_writing(&self, id: SystemId) -> bool {
        self.systems.get(id).is_some_and(|driven| !driven.seat.is_safe())
    }

    /// Waits for what must not be lost, gives everything back, and says how to end.
    async fn finish(mut self: Box<Self>, ending: Ending) -> Ending {
        self.ending = None;
        self.life.stopping();
        let mut writing: BTreeSet<SystemId> = self.systems.ids().collect();
        for id in &writing {
            if self.systems.here(*id).is_some() {
                self.handle(*id, Input::End);
            }
        }
        let wait = async {
            writing.retain(|id| self.is_writing(*id));
            while !writing.is_empty() {
                tokio::select! {
                    Some((id, event)) = self.host_events.recv() => {
                        if let HostEvent::Input(Input::WorkDone(_)) = event {
                            self.host_event(id, event);
                            if !self.is_writing(id) {
                                writing.remove(&id);
                            }
                        }
                    }
                    Some(signal) = self.signals.recv() => {
                        // Asked twice.
                        if signal != Signal::SIGHUP {
                            break;
                        }
                    }
                }
            }
        };
        if tokio::time::timeout(LAST_WRITES, wait).await.is_err() {
            complain("Some state could not be saved in time and is lost");
        }
        self.lans.close(LAST_RECORDS).await;
        self.consoles.finish().await;
        ending
    }
}

/// Name of the text a console's lines come from.
const CONSOLE: &str = "<console>";
/// Name of the text of `-x`.
pub const COMMAND_STRING: &str = "<-x>";

/// The signals that end the program in an orderly way, and SIGHUP.
fn watch_signals() -> std::io::Result<mpsc::Receiver<Signal>> {
    let (sender, receiver) = mpsc::channel(4);
    for which in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
        let mut signals = signal(SignalKind::from_raw(which as i32))?;
        let sender = sender.clone();
        tokio::spawn(async move { while signals.recv().await.is_some() && sender.send(which).await.is_ok() {} });
    }
    limits::take_sighup();
    Ok(receiver)
}
