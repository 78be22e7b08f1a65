//! One system and what it needs outside, behind a lock: whoever calls the BMC's functions takes a turn in his own
//! thread, and what comes from outside takes one in the runtime.
//!
//! Nobody waits while the lock is held: sockets do not block, and slow work is a task of `host` that hands in its
//! result. So a caller waits no longer than a command takes, in async code as well.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::events::{Events, Queue};
use super::lan::{DATAGRAM, Sockets};
use crate::bmc::LogLevel;
use crate::config::command::Statement;
use crate::host::{EVENT_QUEUE, HostEvent, HostEvents, SystemId};
use crate::ipmi::Moment;
use crate::runtime::clock::{self, Alarm};
use crate::runtime::log_text::{printable, severity};
use crate::runtime::script::Folders;
use crate::runtime::seat::{self, Surroundings};
use crate::runtime::statement::{StatementOutcome, execute};
use crate::settings::model::Address;
use crate::sim::{ConsoleId, Effect, Effects, Input, LanId, Simulator};
use crate::store::FolderLock;
use crate::store::directory::message;

/// How long state that is still being written may take at the end.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// A system and its outside.
pub(super) struct Seat {
    seat: seat::Seat,
    effects: Effects,
    around: Around,
    runtime: Handle,
    buffer: Box<[u8; DATAGRAM]>,
    watchers: Vec<Arc<Queue>>,
    /// The task that takes turns for what comes from outside.
    waker: Option<Waker>,
    ended: bool,
    /// Nobody else uses the state folder meanwhile.
    _lock: Option<FolderLock>,
}

/// What is around the seat of an embedded system.
#[derive(Default)]
struct Around {
    sockets: Sockets,
    /// What the system is told once the present effects are carried out.
    inputs: VecDeque<Input<'static>>,
    /// What statements printed.
    printed: String,
    /// Why the system cannot be served as it is set up.
    problem: Option<String>,
}

/// What a [`Seat`] is made of.
pub(super) struct Setup {
    pub(super) runtime: Handle,
    pub(super) seat: seat::Setup,
    pub(super) lock: Option<FolderLock>,
}

/// A seat that several threads share.
pub(super) struct Shared(Mutex<Seat>);

impl Shared {
    /// A system at the beginning of its life. Gives what comes from outside for [`serve`].
    pub(super) fn new(setup: Setup) -> (Arc<Self>, mpsc::Receiver<(SystemId, HostEvent)>) {
        let (sender, received) = mpsc::channel(EVENT_QUEUE);
        let events = HostEvents::new(SystemId::default(), sender);
        let Setup { runtime, seat, lock } = setup;
        let mut seat = Seat {
            seat: seat::Seat::new(seat, &events),
            effects: Effects::default(),
            around: Around::default(),
            runtime,
            buffer: Box::new([0; DATAGRAM]),
            watchers: Vec::new(),
            waker: None,
            ended: false,
            _lock: lock,
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
        let result = call(&mut self.seat.system, now, &mut self.effects);
        self.settle();
        self.wake();
        result
    }

    /// The system, to be looked at.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Simulator) -> T) -> T {
        look(&self.seat.system)
    }

    /// Executes a statement, and gives what was printed.
    pub(super) fn execute(&mut self, statement: &Statement, includes: &Folders) -> (StatementOutcome, String) {
        let outcome = self.call(|system, now, out| execute(system, now, None, statement, includes, out));
        (outcome, std::mem::take(&mut self.around.printed))
    }

    /// The commands of the start are done.
    pub(super) fn started(&mut self) {
        self.handle(Input::Started);
    }

    /// Takes the reason why the system cannot be served as it is set up.
    pub(super) fn take_problem(&mut self) -> Option<String> {
        self.around.problem.take()
    }

    /// Where the LAN channels are.
    pub(super) fn places(&self) -> Vec<(LanId, SocketAddr)> {
        self.around.sockets.places().collect()
    }

    /// Somebody watches from now on.
    pub(super) fn watch(&mut self) -> Events {
        let (events, queue) = Events::new();
        self.seat.system.watch();
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
        self.around.sockets.close();
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
        alarm.arm(now, self.seat.system.deadline());
        if alarm.poll(cx).is_ready() {
            if self.seat.system.deadline().is_some_and(|deadline| deadline <= now) {
                self.handle(Input::Timeout);
            }
            return Poll::Ready(Turn::Again);
        }
        if let Poll::Ready(Some((_, event))) = events.poll_recv(cx) {
            self.host_event(event);
            return Poll::Ready(Turn::Again);
        }
        if let Some((lan, from, length)) = self.around.sockets.poll(cx, &mut self.buffer[..]) {
            if let Some(bytes) = self.buffer.get_mut(..length) {
                self.seat.system.handle(clock::now(), Input::Datagram { lan, from, bytes }, &mut self.effects);
            }
            self.settle();
            return Poll::Ready(Turn::Again);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// After the end only what is being written is waited for.
    fn last_turn(&mut self, cx: &mut Context<'_>, events: &mut mpsc::Receiver<(SystemId, HostEvent)>) -> Poll<Turn> {
        if self.seat.is_safe() {
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
        if let Some(input) = self.seat.event(event, &mut self.around) {
            self.handle(input);
        }
    }

    fn look_at_the_clock(&mut self) -> Moment {
        self.seat.look_at_the_wall_clock(clock::both(), &mut self.effects);
        clock::now()
    }

    /// Tells the system something, and carries out what comes of it.
    fn handle(&mut self, input: Input<'static>) {
        self.seat.handle(clock::now(), clock::both(), input, &mut self.effects);
        self.settle();
    }

    /// Carries out what the system wants, tells it what came of that, and tells whoever watches.
    fn settle(&mut self) {
        loop {
            self.carry_out();
            let Some(input) = self.around.inputs.pop_front() else { break };
            self.seat.system.handle(clock::now(), input, &mut self.effects);
        }
        for event in self.seat.system.take_events() {
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
                    self.around.sockets.send(lan, to, effects.bytes.get(start..end).unwrap_or_default());
                }
                other => self.seat.carry_out(other, &mut self.around),
            }
        }
        effects.clear();
        self.effects = effects;
    }
}

impl Surroundings for Around {
    fn tell(&mut self, input: Input<'static>) {
        self.inputs.push_back(input);
    }

    fn open_lan(&mut self, lan: LanId, address: &Address) {
        let Some((first, second)) = address.literals() else {
            return self.fatal(&format!("Unable to bind to LAN port: {} is not an address", address.host));
        };
        let opened = match (self.sockets.open(lan, first), second) {
            (Err(_), Some(second)) => self.sockets.open(lan, second),
            (opened, _) => opened,
        };
        match opened {
            Ok((local, served)) => self.tell(Input::LanOpened(lan, local, served)),
            Err(error) => self.fatal(&format!("Unable to bind to LAN port: {}: {first}", message(&error))),
        }
    }

    fn print(&mut self, _: Option<ConsoleId>, text: &str) {
        self.printed.push_str(text);
    }

    fn log(&mut self, level: LogLevel, text: &str) {
        log::log!(severity(level), "{}", printable(text));
    }

    fn log_on_consoles(&mut self, level: LogLevel, text: &str) {
        self.log(level, text);
    }

    /// The first reason counts.
    fn fatal(&mut self, text: &str) {
        log::error!("{text}");
        self.problem.get_or_insert_with(|| text.into());
    }

    fn no_bmc(&mut self, text: &str) {
        self.fatal(text);
    }
}
