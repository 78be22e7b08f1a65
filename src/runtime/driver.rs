//! The event loop: one task that owns the simulator.
//!
//! Waits for whatever happens next, hands it to the simulator with the time, and carries
//! out what the simulator wants, in order. Nothing here waits for anything else: opening,
//! reading and running are tasks of the `host` room or of the consoles, which answer through
//! channels. A datagram's way allocates nothing.

pub mod announce;
mod consoles;
pub mod reload;
mod statements;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs::File;
use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::task::{Context, Poll};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::isatty;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use announce::{Announcement, Readiness};
use consoles::Console;
use reload::{Fresh, Reader, Reload};
use statements::{Begun, Run};

use super::Ending;
use super::clock::{self, Alarm};
use super::console::LineEnd;
use super::console_port::{self, ConsoleEvent, ConsoleWriter, STANDARD};
use super::lan::{BATCH, Batch, Lan, bind_failure, has_ipv6, served};
use super::line_editor::Keyboard;
use super::logging::{self, complain};
use super::pcap::Capture;
use super::script::Script;
use super::service::Service;
use super::syslog::Syslog;
use super::system::System;
use super::terminal::{self, Input, RawTerminal, Streams};
use crate::bmc::LogLevel;
use crate::bmc::vm_process::Identity;
use crate::config::Span;
use crate::config::model::{Address, Port};
use crate::config::text::encode;
use crate::host::duplex::Reading;
use crate::host::ipmb_device::{self, IpmbDevice};
use crate::host::jobs::{Jobs, StateWriter};
use crate::host::lock_file::Held;
use crate::host::sol_port::{self, SolCommand};
use crate::host::tty::FlowControl;
use crate::host::vm::{self, Vm};
use crate::host::{self, HostEvent, HostEvents, children, serial_peer, tcp};
use crate::ipmi::Peer;
use crate::sim::{ConsoleId, Effect, Effects, IpmbId, LanId, SerialId, Work};
use crate::store::directory::message;

/// How long state that is still being written may take at the end.
const LAST_WRITES: Duration = Duration::from_secs(10);
/// How long consoles may take to read what was said last.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long the last part of a capture file may take.
const LAST_RECORDS: Duration = Duration::from_secs(2);
/// Whose log lines answer what somebody asked of the program.
pub const LIFE: &str = concat!(env!("CARGO_PKG_NAME"), "::life");
/// Whose log lines say what is served, once everything is open: no part of the log that consoles show.
pub const SERVING: &str = concat!(env!("CARGO_PKG_NAME"), "::serving");

/// What the driver does beside driving.
pub struct Plan {
    /// Standard input and output.
    pub streams: Streams,
    /// Whether there is a console on them, and what the input is.
    pub standard: Option<Input>,
    /// Where the TCP console listens.
    pub console: Option<SocketAddr>,
    /// What is executed at start.
    pub script: Script,
    /// lan.conf, as the user named it, for messages.
    pub configuration: String,
    /// Where included files are looked for.
    pub directories: Vec<PathBuf>,
    /// How long a helper program may take.
    pub program_limit: Duration,
    /// How long a statement's slow work may hold up the next statement.
    pub statement_limit: Duration,
    /// How state files are written, if they are.
    pub state: Option<StateWriter>,
    /// What happens when a statement of the script fails.
    pub failures: Failures,
    /// The system log, if it is written.
    pub syslog: Option<Syslog>,
    /// What is worth a line in the log before anything happens.
    pub notes: Vec<String>,
    /// How the configuration is read again.
    pub reader: Reader,
    /// Who is told that everything is open.
    pub service: Service,
    /// What is printed on standard output then.
    pub ready_line: Option<String>,
    /// What is said of the start.
    pub announcement: Announcement,
    /// The file that what goes over LAN is written to, and its name.
    pub capture: Option<(File, String)>,
}

/// What a failing statement at start means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failures {
    /// It is reported; the others are executed.
    Reported,
    /// The program ends with status 1.
    Fatal,
}

/// Drives a system to its end.
pub async fn run<S: System>(system: Box<S>, plan: Plan) -> Ending {
    // In a box, as the system is: a future is made on the stack and keeps room for everything in it at
    // every step.
    match Driver::new(system, plan).map(Box::new) {
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
    Host(HostEvent),
    Console(ConsoleEvent),
    /// The LAN channel with this index may have datagrams.
    Lan(usize),
    /// The configuration was read again.
    Reloaded(Result<Fresh, Vec<String>>),
    /// Nothing; a statement can be executed.
    Statement,
}

/// What the simulator is told once the present effects are carried out.
enum Answer {
    LanOpened(LanId, SocketAddr),
    LanStays(LanId, SocketAddr),
    ProcessStarted(u8, Option<Identity>),
    ProcessExited(u8),
}

struct Driver<S> {
    system: Box<S>,
    effects: Effects,
    batch: Batch,
    lans: Vec<Lan>,
    /// Datagrams to be sent together, all from one channel.
    outgoing: Vec<(Peer, usize, usize)>,
    answers: VecDeque<Answer>,
    alarm: Alarm,
    /// Every second wake-up looks at the LAN first, so that neither side starves the other.
    lan_first: bool,

    signals: mpsc::Receiver<Signal>,
    host_events: mpsc::Receiver<HostEvent>,
    to_host_events: HostEvents,
    console_events: mpsc::Receiver<ConsoleEvent>,
    to_console_events: mpsc::Sender<ConsoleEvent>,

    reader: Reader,
    reload: Option<Reload>,
    service: Service,
    ready_line: Option<String>,
    announcement: Announcement,
    /// The end of the start was told, or why it is none.
    readiness: Readiness,
    capture: Option<Capture>,

    jobs: Jobs,
    /// State files being written, by their jobs.
    state_writes: HashMap<u64, String>,
    /// Jobs that must be done before the program may end.
    writes: HashSet<u64>,
    /// Jobs begun by the statement being executed.
    begun: Option<Begun>,
    statement_limit: Duration,
    /// Serial channels, each with the number of the present connection.
    serials: HashMap<SerialId, (mpsc::UnboundedSender<serial_peer::Outgoing>, u64)>,
    ipmbs: HashMap<IpmbId, mpsc::UnboundedSender<Vec<u8>>>,
    sols: HashMap<u8, mpsc::UnboundedSender<SolCommand>>,
    locks: Held,
    vms: HashMap<u8, Vm>,

    standard: Option<Input>,
    output: ConsoleWriter,
    line_end: LineEnd,
    /// The terminal, until it is in raw mode.
    terminal: Option<OwnedFd>,
    raw: Option<RawTerminal>,
    /// Standard input and output are a person's terminal.
    person: bool,
    /// A statement of that person is being executed: there is no prompt.
    executing: bool,
    consoles: BTreeMap<ConsoleId, Console>,
    console_address: Option<SocketAddr>,
    directories: Vec<PathBuf>,
    configuration: String,
    failures: Failures,
    syslog: Option<Syslog>,
    /// The command file and `-x`, until they are done.
    start: Option<Run>,
    /// How many [`Run`]s there are, so that the datagrams' way need not look for them.
    runs: usize,
    ending: Option<Ending>,
}

impl<S: System> Driver<S> {
    fn new(system: Box<S>, plan: Plan) -> std::io::Result<Self> {
        let (to_host_events, host_events) = mpsc::channel(host::EVENT_QUEUE);
        let (to_console_events, console_events) = mpsc::channel(console_port::EVENT_QUEUE);
        let terminal = match plan.standard {
            Some(Input::Terminal) => Some(plan.streams.input.try_clone()?),
            _ => None,
        };
        let line_end = plan.streams.line_end(plan.standard.is_some());
        let person = terminal.is_some() && isatty(&plan.streams.output) == Ok(true);
        let output = terminal::start(plan.streams, to_console_events.clone())?;
        let capture =
            plan.capture.map(|(file, name)| Capture::start(file, name, to_host_events.clone())).transpose()?;
        let mut driver = Self {
            system,
            effects: Effects::default(),
            batch: Batch::default(),
            lans: Vec::new(),
            outgoing: Vec::with_capacity(BATCH),
            answers: VecDeque::new(),
            alarm: Alarm::new(),
            lan_first: false,
            signals: watch_signals()?,
            host_events,
            jobs: Jobs::new(to_host_events.clone(), plan.state, plan.program_limit),
            to_host_events,
            console_events,
            to_console_events,
            reader: plan.reader,
            reload: None,
            service: plan.service,
            ready_line: plan.ready_line,
            announcement: plan.announcement,
            readiness: Readiness::Starting,
            capture,
            state_writes: HashMap::new(),
            writes: HashSet::new(),
            begun: None,
            statement_limit: plan.statement_limit,
            serials: HashMap::new(),
            ipmbs: HashMap::new(),
            sols: HashMap::new(),
            locks: Held::default(),
            vms: HashMap::new(),
            standard: plan.standard,
            output,
            line_end,
            terminal,
            raw: None,
            person,
            executing: false,
            consoles: BTreeMap::new(),
            console_address: plan.console,
            directories: plan.directories,
            configuration: plan.configuration,
            failures: plan.failures,
            syslog: plan.syslog,
            start: Some(Run::new(plan.script)),
            runs: 1,
            ending: None,
        };
        for note in plan.notes {
            driver.log(LogLevel::Warning, &note);
        }
        if let Some(address) = plan.console {
            driver.warn_of_an_open_port("console", address);
        }
        Ok(driver)
    }

    async fn drive(&mut self) -> Ending {
        self.look_at_the_wall_clock();
        if children::adopts() {
            tokio::spawn(children::reap_orphans());
        }
        self.system.begin(clock::now(), &mut self.effects);
        self.carry_out();
        loop {
            self.give_answers();
            if let Some(ending) = self.ending.take() {
                return ending;
            }
            let now = clock::now();
            self.alarm.arm(now, self.system.deadline());
            self.alarm.arm(now, self.service.deadline());
            self.alarm.arm(now, self.capture.as_ref().and_then(Capture::deadline));
            let due = self.runs > 0 && self.due_run(now);
            let wake = poll_fn(|cx| self.poll(cx, due)).await;
            // It may have been set meanwhile, and what comes now may be kept with it.
            self.look_at_the_wall_clock();
            match wake {
                Wake::Signal(signal) => self.signal(signal),
                Wake::Alarm => {
                    let now = clock::now();
                    if self.system.deadline().is_some_and(|deadline| deadline <= now) {
                        self.system.timeout(now, &mut self.effects);
                        self.carry_out();
                    }
                    self.service.alive(now);
                    if let Some(capture) = &mut self.capture
                        && capture.deadline().is_some_and(|due| due <= now)
                    {
                        capture.flush();
                    }
                }
                Wake::Host(event) => self.host_event(event),
                Wake::Console(event) => self.console_event(event),
                Wake::Lan(index) => self.datagrams(index),
                Wake::Reloaded(read) => self.reloaded(read),
                Wake::Statement => self.execute(),
            }
            // Other tasks get their turn even while there is always something to do here.
            tokio::task::coop::consume_budget().await;
        }
    }

    fn look_at_the_wall_clock(&mut self) {
        let (now, wall) = clock::both();
        self.system.wall_clock(now, wall);
    }

    fn poll(&mut self, cx: &mut Context<'_>, statement: bool) -> Poll<Wake> {
        self.lan_first = !self.lan_first;
        if self.lan_first
            && let Some(index) = self.poll_lans(cx)
        {
            return Poll::Ready(Wake::Lan(index));
        }
        if let Poll::Ready(Some(signal)) = self.signals.poll_recv(cx) {
            return Poll::Ready(Wake::Signal(signal));
        }
        if self.alarm.poll(cx).is_ready() {
            return Poll::Ready(Wake::Alarm);
        }
        if let Poll::Ready(Some(event)) = self.host_events.poll_recv(cx) {
            return Poll::Ready(Wake::Host(event));
        }
        if let Poll::Ready(Some(event)) = self.console_events.poll_recv(cx) {
            return Poll::Ready(Wake::Console(event));
        }
        if let Some(reload) = &mut self.reload
            && let Poll::Ready(read) = reload.poll(cx)
        {
            return Poll::Ready(Wake::Reloaded(read));
        }
        if !self.lan_first
            && let Some(index) = self.poll_lans(cx)
        {
            return Poll::Ready(Wake::Lan(index));
        }
        if statement { Poll::Ready(Wake::Statement) } else { Poll::Pending }
    }

    /// Asks the sockets in turn. Only when none is ready does the loop go to sleep, and then
    /// all have been asked and can wake it.
    fn poll_lans(&mut self, cx: &mut Context<'_>) -> Option<usize> {
        let ready = self.lans.iter().position(|lan| lan.poll_readable(cx).is_ready())?;
        if self.lans.len() > 1 {
            // The next search begins behind this one.
            self.lans.rotate_left(ready + 1);
            return Some(self.lans.len() - 1);
        }
        Some(ready)
    }

    // --- what comes in ---

    fn datagrams(&mut self, index: usize) {
        let Some(lan) = self.lans.get_mut(index) else { return };
        let id = lan.id;
        if let Err(error) = lan.receive(&mut self.batch) {
            // An error belongs to one datagram, sent or received; the next may be fine.
            log::debug!("LAN channel {} of MC {:#04x}: {error}", id.channel, id.mc);
            return;
        }
        let now = clock::now();
        for (from, bytes) in self.batch.datagrams() {
            if !bytes.is_empty() {
                if let Some(capture) = &mut self.capture {
                    capture.received(now, &from, bytes);
                }
                self.system.datagram(now, id, from, bytes, &mut self.effects);
            }
        }
        self.carry_out();
    }

    fn host_event(&mut self, event: HostEvent) {
        let now = clock::now();
        let (system, effects) = (&mut self.system, &mut self.effects);
        match event {
            HostEvent::SolOpened { mc } => system.sol_opened(now, mc, effects),
            HostEvent::SolClosed { mc } => system.sol_closed(now, mc, effects),
            HostEvent::SolUnavailable { mc, text } => {
                system.sol_unavailable(now, mc, &text, effects);
                self.log(LogLevel::Warning, &text);
            }
            HostEvent::SolLine { mc, event } => system.sol_line(now, mc, event, effects),
            HostEvent::SolData { mc, bytes } => system.sol_data(now, mc, &bytes, effects),
            HostEvent::SolWritten { mc, count } => system.sol_written(now, mc, count, effects),
            HostEvent::SerialConnected { serial, connection } => {
                if let Some((_, present)) = self.serials.get_mut(&serial) {
                    *present = connection;
                }
                system.serial_connected(now, serial, effects);
            }
            HostEvent::SerialDisconnected { serial } => system.serial_disconnected(now, serial, effects),
            HostEvent::SerialData { serial, bytes } => system.serial_data(now, serial, &bytes, effects),
            HostEvent::IpmbData { ipmb, bytes } => system.ipmb_data(now, ipmb, &bytes, effects),
            HostEvent::WorkDone(done) => {
                let job = done.number();
                self.writes.remove(&job);
                self.state_writes.remove(&job);
                if self.runs > 0 {
                    let consoles = self.consoles.values_mut().filter_map(|console| console.run.as_mut());
                    for run in self.start.iter_mut().chain(consoles) {
                        run.work.remove(&job);
                    }
                }
                system.work_done(now, done, effects);
            }
            HostEvent::ProcessExited { mc, status } => {
                self.vms.remove(&mc);
                system.process_exited(now, mc, status, effects);
            }
            HostEvent::Log { level, text } => self.log(level, &text),
        }
        self.carry_out();
    }

    fn give_answers(&mut self) {
        while let Some(answer) = self.answers.pop_front() {
            let now = clock::now();
            match answer {
                Answer::LanOpened(lan, local) => {
                    self.system.lan_opened(lan, local);
                    let sockets = self.lans.iter().filter(|open| open.id == lan).map(|open| open.local.ip());
                    self.system.lan_served(lan, served(sockets));
                }
                Answer::LanStays(lan, asked) => {
                    let (host, port) = (asked.ip().to_string(), Port::Number(asked.port()));
                    self.system.lan_stays(lan, Some(Address { host, port, span: Span::default(), other_family: None }));
                }
                Answer::ProcessStarted(mc, identity) => {
                    self.system.process_started(now, mc, identity, &mut self.effects);
                }
                Answer::ProcessExited(mc) => self.system.process_exited(now, mc, None, &mut self.effects),
            }
            self.carry_out();
        }
    }

    fn signal(&mut self, signal: Signal) {
        if signal == Signal::SIGHUP {
            return self.begin_reload();
        }
        self.ending = Some(Ending::Signal(signal as i32));
    }

    // --- what goes out ---

    fn carry_out(&mut self) {
        if self.effects.list.is_empty() {
            return;
        }
        // Taken out so that carrying out may use the rest of the driver; both keep their
        // memory.
        let mut effects = std::mem::take(&mut self.effects);
        let mut sender = None;
        for effect in effects.list.drain(..) {
            match effect {
                Effect::Send { lan, to, start, end } => {
                    if sender != Some(lan) || self.outgoing.len() == BATCH {
                        self.send(sender, &effects.bytes);
                        sender = Some(lan);
                    }
                    self.outgoing.push((to, start, end));
                }
                other => {
                    self.send(sender, &effects.bytes);
                    self.effect(other);
                }
            }
        }
        self.send(sender, &effects.bytes);
        effects.clear();
        self.effects = effects;
    }

    fn send(&mut self, sender: Option<LanId>, bytes: &[u8]) {
        if self.outgoing.is_empty() {
            return;
        }
        // Each family through its own socket, where a channel has two.
        for some in self.outgoing.chunk_by(|(one, ..), (next, ..)| one.address.is_ipv4() == next.address.is_ipv4()) {
            let is_ipv4 = some.first().is_some_and(|(to, ..)| to.address.is_ipv4());
            let mut sockets = self.lans.iter_mut().filter(|lan| Some(lan.id) == sender);
            let Some(first) = sockets.next() else { break };
            let lan = match sockets.next() {
                Some(second) if second.local.is_ipv4() == is_ipv4 => second,
                _ => first,
            };
            send_through(lan, &mut self.capture, bytes, some);
        }
        self.outgoing.clear();
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            // Sent in batches by `carry_out`.
            Effect::Send { .. } => {}
            Effect::OpenLan { lan, address } => self.open_lan(lan, &address),
            Effect::OpenSerial { serial, address, connect } => self.open_serial(serial, &address, connect),
            Effect::Serial { serial, bytes } => {
                if let Some((peer, connection)) = self.serials.get(&serial) {
                    let _ = peer.send(serial_peer::Outgoing { connection: *connection, bytes });
                }
            }
            Effect::OpenIpmb { ipmb, device, span } => self.open_ipmb(ipmb, device, span),
            Effect::Ipmb { ipmb, bytes } => {
                if let Some(device) = self.ipmbs.get(&ipmb) {
                    let _ = device.send(bytes);
                }
            }
            Effect::OpenSol { mc, target, bit_rate, rts_cts } => {
                let flow_control = if rts_cts { FlowControl::RtsCts } else { FlowControl::None };
                let (locks, events) = (&self.locks, &self.to_host_events);
                self.sols.entry(mc).or_insert_with(|| {
                    let settings = sol_port::Settings::new(mc, target, bit_rate, flow_control);
                    sol_port::start(settings, Held::clone(locks), events.clone())
                });
            }
            Effect::SolWrite { mc, bytes } => self.sol(mc, SolCommand::Write(bytes)),
            Effect::SolBreak { mc } => self.sol(mc, SolCommand::Break),
            Effect::SolModemLines { mc, rts, dtr } => self.sol(mc, SolCommand::ModemLines { rts, dtr }),
            Effect::SolBitRate { mc, bits_per_second } => self.sol(mc, SolCommand::BitRate(bits_per_second)),
            Effect::SolRead { mc, enabled } => {
                self.sol(mc, SolCommand::Read(if enabled { Reading::On } else { Reading::Off }));
            }
            Effect::Run(work) => {
                let job = work.number();
                if matches!(work, Work::Save { .. } | Work::Write { .. }) {
                    self.writes.insert(job);
                }
                if let Work::Save { name, .. } = &work {
                    self.state_writes.insert(job, name.clone());
                    if let Some(reload) = &mut self.reload {
                        reload.outdated(name);
                    }
                }
                if let Some(begun) = &mut self.begun {
                    let list = if matches!(work, Work::Save { .. }) { &mut begun.saves } else { &mut begun.work };
                    list.push(job);
                }
                self.jobs.run(work);
            }
            Effect::StartProcess { mc, command } => self.start_process(mc, &command),
            Effect::FindProcess { mc, identity } => match Vm::find(mc, &identity, self.to_host_events.clone()) {
                Some(vm) => {
                    let text = format!("The start command of MC {mc:#04x} still runs as process {}", identity.pid);
                    self.log(LogLevel::Info, &text);
                    self.vms.insert(mc, vm);
                    self.answers.push_back(Answer::ProcessStarted(mc, Some(identity)));
                }
                None => self.answers.push_back(Answer::ProcessExited(mc)),
            },
            Effect::SignalProcess { mc, kill } => {
                if let Some(vm) = self.vms.get(&mc) {
                    vm.signal(if kill { Signal::SIGKILL } else { Signal::SIGTERM });
                }
            }
            Effect::Print { console, text } => match console {
                Some(id) => self.print(id, &text),
                None => self.print_standard(&text),
            },
            Effect::Log { level, text } => self.log(level, &text),
            Effect::ConsoleLog { level, text } => {
                let text = &*printable(&text);
                self.log(level, text);
                self.tell_consoles(text);
            }
            Effect::Exit(status) => self.end(u8::try_from(status).unwrap_or(1)),
        }
    }

    fn open_lan(&mut self, id: LanId, address: &Address) {
        let Some((address, second)) = address.literals() else {
            return self.fatal(&format!("Unable to bind to LAN port: {} is not an address", address.host));
        };
        match self.lans.iter().position(|lan| lan.id == id && !lan.second) {
            // The MC was disabled meanwhile; its socket is still here.
            Some(index) if self.lans[index].asked == address => {
                self.answers.push_back(Answer::LanOpened(id, self.lans[index].local));
            }
            Some(index) => self.move_lan(index, address, second),
            None => self.open_sockets(id, address, second),
        }
    }

    /// Opens the sockets of a channel: one, or one of each family where a name stands for both.
    /// Where there is no IPv6, what there is has to do.
    fn open_sockets(&mut self, id: LanId, address: SocketAddr, second: Option<SocketAddr>) {
        let error = match self.bind_lan(id, address) {
            Ok(port) => return self.bind_second(id, port, second),
            Err(error) => error,
        };
        let failure = bind_failure(address, &error);
        if address.is_ipv4() || has_ipv6() {
            return self.fatal(&failure);
        }
        let any = address.ip().is_unspecified().then(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())));
        let Some(instead) = second.or(any) else {
            let channel = format!("LAN channel {} of MC {:#04x}", id.channel, id.mc);
            return self.report(LogLevel::Error, &format!("{failure}; there is no IPv6, so {channel} is not served"));
        };
        self.report(LogLevel::Warning, &format!("{failure}; there is no IPv6, so {} is served alone", instead.ip()));
        match self.bind_lan(id, instead) {
            Ok(_) => self.lans.iter_mut().filter(|lan| lan.id == id).for_each(|lan| lan.asked = address),
            Err(error) => self.fatal(&bind_failure(instead, &error)),
        }
    }

    /// Opens the only or first socket of a channel and gives its port.
    fn bind_lan(&mut self, id: LanId, address: SocketAddr) -> std::io::Result<u16> {
        let lan = Lan::open(id, address, |port| self.say(&format!("Trying port {port}\n")))?;
        let port = lan.local.port();
        self.say(&format!("Opened UDP port {port}\n"));
        self.answers.push_back(Answer::LanOpened(id, lan.local));
        self.lans.push(lan);
        Ok(port)
    }

    /// Opens the second socket of a channel, with the port of the first.
    fn bind_second(&mut self, id: LanId, port: u16, address: Option<SocketAddr>) {
        let Some(address) = address.map(|address| SocketAddr::new(address.ip(), port)) else { return };
        match Lan::open(id, address, |_| {}) {
            Ok(mut lan) => {
                lan.second = true;
                self.lans.push(lan);
            }
            Err(_) if address.is_ipv6() && !has_ipv6() => {}
            Err(error) => self.report(LogLevel::Warning, &bind_failure(address, &error)),
        }
    }

    /// The configuration has another address for a socket that is open. When that cannot be
    /// had, it stays where it is.
    fn move_lan(&mut self, index: usize, address: SocketAddr, second: Option<SocketAddr>) {
        let Lan { id, asked, .. } = self.lans[index];
        let second_asked = self.lans.iter().find(|lan| lan.id == id && lan.second).map(|lan| lan.asked);
        let close = |driver: &mut Self, old: u16| driver.lans.retain(|lan| lan.id != id || lan.local.port() != old);
        let old = self.lans[index].local.port();
        let moved = if asked.port() == address.port() {
            // It may stand in its own way, as 127.0.0.1 does to 0.0.0.0.
            close(self, old);
            self.bind_lan(id, address)
        } else {
            self.bind_lan(id, address).inspect(|_| close(self, old))
        };
        let error = match moved {
            Ok(port) => return self.bind_second(id, port, second),
            Err(error) => error,
        };
        self.report(LogLevel::Error, &format!("{}; it stays at {asked}", bind_failure(address, &error)));
        self.answers.push_back(Answer::LanStays(id, asked));
        if self.lans.iter().all(|lan| lan.id != id) {
            match self.bind_lan(id, asked) {
                Ok(port) => self.bind_second(id, port, second_asked),
                Err(error) => self.fatal(&bind_failure(asked, &error)),
            }
        }
    }

    fn open_serial(&mut self, serial: SerialId, address: &Address, connect: bool) {
        if self.serials.contains_key(&serial) {
            return;
        }
        let Some(address) = address.literal() else {
            return self.fatal(&format!("Unable to bind to serial TCP port: {} is not an address", address.host));
        };
        let events = self.to_host_events.clone();
        let peer = if connect {
            serial_peer::connect(serial, address, events)
        } else {
            match tcp::listen(address) {
                Ok(listener) => {
                    self.warn_of_an_open_port("serial port", address);
                    serial_peer::serve(serial, listener, events)
                }
                Err(error) => {
                    let text = format!("Unable to bind to serial TCP port: {}: {address}", message(&error));
                    return self.fatal(&text);
                }
            }
        };
        self.serials.insert(serial, (peer, 0));
    }

    fn open_ipmb(&mut self, ipmb: IpmbId, name: String, place: Span) {
        if self.ipmbs.contains_key(&ipmb) {
            return;
        }
        match IpmbDevice::open(&name) {
            Ok(device) => {
                let events = self.to_host_events.clone();
                self.ipmbs.insert(ipmb, ipmb_device::serve(ipmb, name, device, events));
            }
            Err(error) => {
                let Span { line, column, .. } = place;
                let reason = message(&error);
                let text = format!("Unable to open ipmi device file: {name}: {reason}");
                self.fatal(&format!("{}:{line}:{column}: error: {text}", self.configuration));
            }
        }
    }

    fn sol(&self, mc: u8, command: SolCommand) {
        if let Some(port) = self.sols.get(&mc) {
            let _ = port.send(command);
        }
    }

    fn start_process(&mut self, mc: u8, command: &str) {
        if self.vms.contains_key(&mc) {
            return;
        }
        let input = if self.standard.is_some() { vm::Input::Nothing } else { vm::Input::Inherited };
        match Vm::start(mc, command, input, self.to_host_events.clone()) {
            Ok((vm, identity)) => {
                self.vms.insert(mc, vm);
                self.answers.push_back(Answer::ProcessStarted(mc, identity));
            }
            Err(error) => {
                self.log(LogLevel::Error, &format!("Unable to start ({command}): {}", message(&error)));
                self.answers.push_back(Answer::ProcessExited(mc));
            }
        }
    }

    /// The first reason to end counts.
    fn end(&mut self, status: u8) {
        self.ending.get_or_insert(Ending::Status(status));
    }

    fn fatal(&mut self, text: &str) {
        logging::fatal(text);
        if let Some(syslog) = &self.syslog {
            syslog.write(LogLevel::Error, text);
        }
        self.end(1);
    }

    // --- texts ---

    /// Writes on standard output, console or not; a line that a person is typing there stays whole.
    fn say(&self, text: &str) {
        let text = self.line_end.apply(&encode(text));
        let typing = match self.consoles.get(&STANDARD) {
            Some(Console { run: None, editor: Keyboard::Keys(editor), .. }) if self.person && !self.executing => editor,
            _ => {
                self.output.write(text);
                return;
            }
        };
        let mut bytes = Vec::new();
        typing.hide(&mut bytes);
        bytes.extend(text);
        typing.show(&mut bytes);
        self.output.write(bytes);
    }

    fn print_standard(&self, text: &str) {
        if self.standard.is_some() {
            self.say(text);
        }
    }

    fn print(&mut self, id: ConsoleId, text: &str) {
        if id == STANDARD {
            // It may be about a statement that is not waited for any longer.
            return self.say(text);
        }
        if let Some(console) = self.consoles.get(&id)
            && !console.writer.write(LineEnd::Console.apply(&encode(text)))
        {
            self.close_console(id);
        }
    }

    /// Tells the logs; no console, for programs read them.
    fn log(&mut self, level: LogLevel, text: &str) {
        self.log_as(env!("CARGO_PKG_NAME"), level, text);
    }

    /// Tells the logs what came of a request to the program itself.
    fn report(&mut self, level: LogLevel, text: &str) {
        self.log_as(LIFE, level, text);
    }

    fn log_as(&mut self, target: &str, level: LogLevel, text: &str) {
        let severity = match level {
            LogLevel::Error => log::Level::Error,
            LogLevel::Warning => log::Level::Warn,
            LogLevel::Info => log::Level::Info,
            LogLevel::Debug => log::Level::Debug,
        };
        let text = &*printable(text);
        log::log!(target: target, severity, "{text}");
        if let Some(syslog) = &self.syslog {
            syslog.write(level, text);
        }
    }

    /// Says who is let in where nobody is asked for a password.
    fn warn_of_an_open_port(&mut self, what: &str, address: SocketAddr) {
        if !address.ip().to_canonical().is_loopback() {
            let text =
                format!("The {what} at {address} asks for no password: anyone who can reach it controls the system");
            self.log(LogLevel::Warning, &text);
        }
    }

    fn tell_consoles(&mut self, text: &str) {
        let mut line = text.to_string();
        line.push('\n');
        self.print_standard(&line);
        if self.consoles.len() > usize::from(self.consoles.contains_key(&STANDARD)) {
            let others: Vec<_> = self.consoles.keys().copied().filter(|id| *id != STANDARD).collect();
            for id in others {
                self.print(id, &line);
            }
        }
    }

    // --- the end ---

    /// Waits for what must not be lost, gives everything back, and says how to end.
    async fn finish(mut self: Box<Self>, ending: Ending) -> Ending {
        self.ending = None;
        self.service.stopping();
        self.system.end(clock::now(), &mut self.effects);
        self.carry_out();
        let wait = async {
            while !self.writes.is_empty() {
                tokio::select! {
                    Some(event) = self.host_events.recv() => {
                        if let HostEvent::WorkDone(_) = event {
                            self.host_event(event);
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
        if let Some(capture) = self.capture.take() {
            capture.close(LAST_RECORDS).await;
        }
        drop(self.raw.take());
        let mut writers = vec![self.output];
        writers.extend(self.consoles.into_iter().filter(|(id, _)| *id != STANDARD).map(|(_, console)| console.writer));
        for writer in &writers {
            writer.close();
        }
        let said = async {
            for writer in &writers {
                writer.closed().await;
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS, said).await;
        ending
    }
}

/// A log entry as it may be shown: what a program printed or a client sent must not move
/// the cursor of whoever reads it, nor look like an entry of its own.
pub fn printable(text: &str) -> Cow<'_, str> {
    let harmless = |character: char| !character.is_control() || matches!(character, '\n' | '\t');
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match harmless(character) {
            true => shown.push(character),
            false => shown.extend(character.escape_default()),
        }
    }
    Cow::Owned(shown)
}

/// Name of the text a console's lines come from.
const CONSOLE: &str = "<console>";
/// Name of the text of `-x`.
pub const COMMAND_STRING: &str = "<-x>";

/// Sends datagrams through one socket, and captures them.
fn send_through(lan: &mut Lan, capture: &mut Option<Capture>, bytes: &[u8], datagrams: &[(Peer, usize, usize)]) {
    if let Some(capture) = capture {
        let now = clock::now();
        for (to, start, end) in datagrams {
            let to = Peer { local: lan.leaves_from(to), ..*to };
            capture.sent(now, &to, bytes.get(*start..*end).unwrap_or_default());
        }
    }
    if let Err(error) = lan.send(bytes, datagrams) {
        log::debug!("LAN channel {} of MC {:#04x}: a datagram is lost: {error}", lan.id.channel, lan.id.mc);
    }
}

/// The signals that end the program in an orderly way, and SIGHUP.
fn watch_signals() -> std::io::Result<mpsc::Receiver<Signal>> {
    let (sender, receiver) = mpsc::channel(4);
    for which in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
        let mut signals = signal(SignalKind::from_raw(which as i32))?;
        let sender = sender.clone();
        tokio::spawn(async move { while signals.recv().await.is_some() && sender.send(which).await.is_ok() {} });
    }
    Ok(receiver)
}
