//! One system and what it needs outside, behind a lock: whoever calls the BMC's functions takes a turn in his own
//! thread, and what comes from outside takes one in the runtime.
//!
//! Nobody waits while the lock is held: sockets do not block, and slow work is a task of `host` that hands in its
//! result. So a caller waits no longer than a command takes, in async code as well.

use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::events::{Events, Queue};
use super::lan::{DATAGRAM, Sockets};
use crate::bmc::LogLevel;
use crate::config::command::Statement;
use crate::host::jobs::{Jobs, StateWriter};
use crate::host::sol_port::SolCommand;
use crate::host::vm::Stdin;
use crate::host::{EVENT_QUEUE, HostEvent, HostEvents, SystemId};
use crate::ipmi::Moment;
use crate::runtime::clock::{self, Alarm};
use crate::runtime::lines::Lines;
use crate::runtime::log_text::{printable, severity};
use crate::runtime::processes::{Processes, Started};
use crate::runtime::statement::{StatementOutcome, execute};
use crate::settings::model::Address;
use crate::sim::{Effect, Effects, Input, LanId, Simulator, Work};
use crate::store::FolderLock;
use crate::store::directory::message;

/// How long state that is still being written may take at the end.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// A system and its outside.
pub(super) struct Seat {
    system: Box<Simulator>,
    effects: Effects,
    /// What the system is told once the present effects are carried out.
    inputs: VecDeque<Input<'static>>,
    runtime: Handle,
    sockets: Sockets,
    buffer: Box<[u8; DATAGRAM]>,
    jobs: Jobs,
    lines: Lines,
    processes: Processes,
    /// Jobs that must be done before the folder of the state is given back.
    writes: HashSet<u64>,
    /// What statements printed.
    printed: String,
    /// Why the system cannot be served as it is set up.
    problem: Option<String>,
    watchers: Vec<Arc<Queue>>,
    /// The task that takes turns for what comes from outside.
    waker: Option<Waker>,
    ended: bool,
    /// Nobody else uses the state folder meanwhile.
    _lock: Option<FolderLock>,
}

/// What a [`Seat`] is made of.
pub(super) struct Setup {
    pub(super) system: Box<Simulator>,
    pub(super) runtime: Handle,
    pub(super) state: Option<StateWriter>,
    pub(super) lock: Option<FolderLock>,
    pub(super) program_limit: Duration,
}

/// A seat that several threads share.
pub(super) struct Shared(Mutex<Seat>);

impl Shared {
    /// A system at the beginning of its life. Gives what comes from outside for [`serve`].
    pub(super) fn new(setup: Setup) -> (Arc<Self>, mpsc::Receiver<(SystemId, HostEvent)>) {
        let (sender, received) = mpsc::channel(EVENT_QUEUE);
        let events = HostEvents::new(SystemId::default(), sender);
        let mut seat = Seat {
            system: setup.system,
            effects: Effects::default(),
            inputs: VecDeque::new(),
            runtime: setup.runtime,
            sockets: Sockets::default(),
            buffer: Box::new([0; DATAGRAM]),
            jobs: Jobs::new(events.clone(), setup.state, setup.program_limit),
            lines: Lines::new(events.clone()),
            processes: Processes::new(events),
            writes: HashSet::new(),
            printed: String::new(),
            problem: None,
            watchers: Vec::new(),
            waker: None,
            ended: false,
            _lock: setup.lock,
        };
        seat.look_at_the_clock();
        seat.handle(Input::Begin);
        (Arc::new(Self(Mutex::new(seat))), received)
    }

    /// Takes a turn.
    pub(super) fn seat(&self) -> MutexGuard<'_, Seat> {
        // A panic in a caller's thread leaves the system as whole as it was.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes turns for what comes from outside until the system is ended and its state is safe.
pub(super) async fn serve(shared: Arc<Shared>, mut events: mpsc::Receiver<(SystemId, HostEvent)>) {
    let mut alarm = Alarm::new();
    while poll_fn(|cx| shared.seat().turn(cx, &mut alarm, &mut events)).await == Turn::Again {
        // Other tasks get their turn even while there is always something to do here.
        tokio::task::coop::consume_budget().await;
    }
    let last = async { while poll_fn(|cx| shared.seat().last_turn(cx, &mut events)).await == Turn::Again {} };
    if tokio::time::timeout(LAST_WRITES, last).await.is_err() {
        log::error!("Some state could not be saved in time and is lost");
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Again,
    Over,
}

impl Seat {
    // --- for callers ---

    /// Calls the system, and carries out what it wants done.
    pub(super) fn call<T>(&mut self, call: impl FnOnce(&mut Simulator, Moment, &mut Effects) -> T) -> T {
        let now = self.look_at_the_clock();
        let result = call(&mut self.system, now, &mut self.effects);
        self.settle();
        self.wake();
        result
    }

    /// The system, to be looked at.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Simulator) -> T) -> T {
        look(&self.system)
    }

    /// Executes a statement.
    pub(super) fn execute(&mut self, statement: &Statement) -> StatementOutcome {
        self.call(|system, now, out| execute(system, now, None, statement, out))
    }

    /// The commands of the start are done.
    pub(super) fn started(&mut self) {
        self.handle(Input::Started);
    }

    /// Takes what was printed.
    pub(super) fn take_printed(&mut self) -> String {
        std::mem::take(&mut self.printed)
    }

    /// Takes the reason why the system cannot be served as it is set up.
    pub(super) fn take_problem(&mut self) -> Option<String> {
        self.problem.take()
    }

    /// Where the LAN channels are.
    pub(super) fn places(&self) -> Vec<(LanId, SocketAddr)> {
        self.sockets.places().collect()
    }

    /// Somebody watches from now on.
    pub(super) fn watch(&mut self) -> Events {
        let (events, queue) = Events::new();
        self.system.watch();
        self.watchers.push(queue);
        events
    }

    /// The end: sockets are closed now; what has to be saved is handed out.
    pub(super) fn end(&mut self) {
        if self.ended {
            return;
        }
        self.handle(Input::End);
        self.ended = true;
        self.sockets.close();
        self.watchers.drain(..).for_each(|queue| queue.end());
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    // --- what comes in ---

    /// Does one thing that is to be done, or waits for one.
    fn turn(
        &mut self,
        cx: &mut Context<'_>,
        alarm: &mut Alarm,
        events: &mut mpsc::Receiver<(SystemId, HostEvent)>,
    ) -> Poll<Turn> {
        if self.ended {
            return Poll::Ready(Turn::Over);
        }
        let now = self.look_at_the_clock();
        alarm.arm(now, self.system.deadline());
        if alarm.poll(cx).is_ready() {
            if self.system.deadline().is_some_and(|deadline| deadline <= now) {
                self.handle(Input::Timeout);
            }
            return Poll::Ready(Turn::Again);
        }
        if let Poll::Ready(Some((_, event))) = events.poll_recv(cx) {
            self.host_event(event);
            return Poll::Ready(Turn::Again);
        }
        if let Some((lan, from, length)) = self.sockets.poll(cx, &mut self.buffer[..]) {
            if let Some(bytes) = self.buffer.get_mut(..length) {
                self.system.handle(clock::now(), Input::Datagram { lan, from, bytes }, &mut self.effects);
            }
            self.settle();
            return Poll::Ready(Turn::Again);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// After the end only what is being written is waited for.
    fn last_turn(&mut self, cx: &mut Context<'_>, events: &mut mpsc::Receiver<(SystemId, HostEvent)>) -> Poll<Turn> {
        if self.writes.is_empty() {
            return Poll::Ready(Turn::Over);
        }
        match events.poll_recv(cx) {
            Poll::Ready(Some((_, event @ HostEvent::Input(Input::WorkDone(_))))) => {
                self.host_event(event);
                Poll::Ready(Turn::Again)
            }
            Poll::Ready(Some(_)) => Poll::Ready(Turn::Again),
            Poll::Ready(None) => Poll::Ready(Turn::Over),
            Poll::Pending => Poll::Pending,
        }
    }

    fn host_event(&mut self, event: HostEvent) {
        match event {
            HostEvent::SerialConnected { serial, connection } => {
                self.lines.connected(serial, connection);
                self.handle(Input::SerialConnected(serial));
            }
            HostEvent::Input(input) => {
                match &input {
                    Input::WorkDone(done) => {
                        self.writes.remove(&done.number());
                    }
                    Input::ProcessExited(mc, _) => self.processes.ended(*mc),
                    _ => {}
                }
                self.handle(input);
            }
            HostEvent::Log { level, text } => log_line(level, &text),
        }
    }

    fn look_at_the_clock(&mut self) -> Moment {
        let (now, wall) = clock::both();
        self.system.handle(now, Input::WallClock(wall), &mut self.effects);
        clock::now()
    }

    /// Tells the system something, and carries out what comes of it.
    fn handle(&mut self, input: Input<'static>) {
        self.system.handle(clock::now(), input, &mut self.effects);
        self.settle();
    }

    /// Carries out what the system wants, tells it what came of that, and tells whoever watches.
    fn settle(&mut self) {
        loop {
            self.carry_out();
            let Some(input) = self.inputs.pop_front() else { break };
            self.system.handle(clock::now(), input, &mut self.effects);
        }
        for event in self.system.take_events() {
            for queue in &self.watchers {
                queue.push(event.clone());
            }
        }
    }

    // --- what goes out ---

    fn carry_out(&mut self) {
        if self.effects.list.is_empty() {
            return;
        }
        // Both keep their memory.
        let mut effects = std::mem::take(&mut self.effects);
        let runtime = self.runtime.clone();
        let _inside = runtime.enter();
        for effect in effects.list.drain(..) {
            match effect {
                Effect::Send { lan, to, start, end } => {
                    self.sockets.send(lan, to, effects.bytes.get(start..end).unwrap_or_default());
                }
                other => self.effect(other),
            }
        }
        effects.clear();
        self.effects = effects;
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::OpenLan { lan, address } => self.open_lan(lan, &address),
            Effect::OpenSerial { serial, address, connect } => {
                if let Err(text) = self.lines.open_serial(serial, &address, connect) {
                    self.fail(text);
                }
            }
            Effect::Serial { serial, bytes } => self.lines.write_serial(serial, bytes),
            Effect::OpenIpmb { ipmb, device, .. } => {
                if let Err(text) = self.lines.open_ipmb(ipmb, &device) {
                    self.fail(text);
                }
            }
            Effect::Ipmb { ipmb, bytes } => self.lines.write_ipmb(ipmb, bytes),
            Effect::OpenSol { mc, target, bit_rate, rts_cts } => self.lines.open_sol(mc, target, bit_rate, rts_cts),
            Effect::SolWrite { mc, bytes } => self.lines.sol(mc, SolCommand::Write(bytes)),
            Effect::SolBreak { mc } => self.lines.sol(mc, SolCommand::Break),
            Effect::SolModemLines { mc, rts, dtr } => self.lines.sol(mc, SolCommand::ModemLines { rts, dtr }),
            Effect::SolBitRate { mc, bits_per_second } => self.lines.sol(mc, SolCommand::BitRate(bits_per_second)),
            Effect::SolRead { mc, enabled } => self.lines.read_sol(mc, enabled),
            Effect::Run(work) => {
                if matches!(work, Work::Save { .. } | Work::Write { .. }) {
                    self.writes.insert(work.number());
                }
                self.jobs.run(work);
            }
            Effect::StartProcess { mc, command } => match self.processes.start(mc, &command, Stdin::Nothing) {
                Ok(Started::Already) => {}
                Ok(Started::Runs(identity)) => self.inputs.push_back(Input::ProcessStarted(mc, identity)),
                Err(error) => {
                    log::error!("Unable to start ({command}): {}", message(&error));
                    self.inputs.push_back(Input::ProcessExited(mc, None));
                }
            },
            Effect::FindProcess { mc, identity } => {
                let input = match self.processes.find(mc, &identity) {
                    true => Input::ProcessStarted(mc, Some(identity)),
                    false => Input::ProcessExited(mc, None),
                };
                self.inputs.push_back(input);
            }
            Effect::SignalProcess { mc, kill } => {
                self.processes.signal(mc, if kill { Signal::SIGKILL } else { Signal::SIGTERM });
            }
            Effect::Print { text, .. } => self.printed.push_str(&text),
            Effect::Log { level, text } | Effect::ConsoleLog { level, text } => log_line(level, &text),
            Effect::NoBmc(text) => self.fail(text),
            // Sent by `carry_out`; taken by whoever executes a statement; only for the program.
            Effect::Send { .. } | Effect::Refused(_) | Effect::Reloaded(_) => {}
        }
    }

    fn open_lan(&mut self, lan: LanId, address: &Address) {
        let Some((first, second)) = address.literals() else {
            return self.fail(format!("Unable to bind to LAN port: {} is not an address", address.host));
        };
        let opened = match (self.sockets.open(lan, first), second) {
            (Err(_), Some(second)) => self.sockets.open(lan, second),
            (opened, _) => opened,
        };
        match opened {
            Ok((local, served)) => self.inputs.push_back(Input::LanOpened(lan, local, served)),
            Err(error) => self.fail(format!("Unable to bind to LAN port: {}: {first}", message(&error))),
        }
    }

    /// The first reason counts.
    fn fail(&mut self, text: String) {
        log::error!("{text}");
        self.problem.get_or_insert(text);
    }
}

fn log_line(level: LogLevel, text: &str) {
    log::log!(severity(level), "{}", printable(text));
}
