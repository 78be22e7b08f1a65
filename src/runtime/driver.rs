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

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs::File;
use std::future::poll_fn;
use std::net::SocketAddr;
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
use super::lan_ports::{LanPorts, Notice};
use super::line_editor::Keyboard;
use super::lines::Lines;
use super::logging::complain;
use super::pcap::Capture;
use super::processes::{Processes, Started};
use super::reports::{Reports, printable};
use super::script::Script;
use super::service::Service;
use super::syslog::Syslog;
use super::terminal::{self, RawTerminal, StandardInput, Streams};
use crate::bmc::LogLevel;
use crate::config::Span;
use crate::config::text::encode;
use crate::host::jobs::{Jobs, StateWriter};
use crate::host::sol_port::SolCommand;
use crate::host::{self, HostEvent, children, vm};
use crate::ipmi::McAddress;
use crate::settings::model::{Address, Port};
use crate::sim::{ConsoleId, Effect, Effects, Input, IpmbId, LanId, SerialId, Simulator, Work};
use crate::store::directory::message;

/// How long state that is still being written may take at the end.
const LAST_WRITES: Duration = Duration::from_secs(10);
/// How long consoles may take to read what was said last.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long the last part of a capture file may take.
const LAST_RECORDS: Duration = Duration::from_secs(2);
/// What the driver does beside driving.
pub struct Plan {
    /// Standard input and output.
    pub streams: Streams,
    /// Whether there is a console on them, and what the input is.
    pub standard: Option<StandardInput>,
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
pub async fn run(system: Box<Simulator>, plan: Plan) -> Ending {
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

struct Driver {
    system: Box<Simulator>,
    effects: Effects,
    lans: LanPorts,
    /// What the system is told once the present effects are carried out.
    inputs: VecDeque<Input<'static>>,
    alarm: Alarm,
    /// Every second wake-up looks at the LAN first, so that neither side starves the other.
    lan_first: bool,

    signals: mpsc::Receiver<Signal>,
    host_events: mpsc::Receiver<HostEvent>,
    console_events: mpsc::Receiver<ConsoleEvent>,
    to_console_events: mpsc::Sender<ConsoleEvent>,

    reader: Reader,
    reload: Option<Reload>,
    service: Service,
    ready_line: Option<String>,
    announcement: Announcement,
    /// The end of the start was told, or why it is none.
    readiness: Readiness,

    jobs: Jobs,
    /// State files being written, by their jobs.
    state_writes: HashMap<u64, String>,
    /// Jobs that must be done before the program may end.
    writes: HashSet<u64>,
    /// Jobs begun by the statement being executed.
    begun: Option<Begun>,
    statement_limit: Duration,
    lines: Lines,
    processes: Processes,

    standard: Option<StandardInput>,
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
    reports: Reports,
    /// The command file and `-x`, until they are done.
    start: Option<Run>,
    /// How many [`Run`]s there are, so that the datagrams' way need not look for them.
    runs: usize,
    ending: Option<Ending>,
}

impl Driver {
    fn new(system: Box<Simulator>, plan: Plan) -> std::io::Result<Self> {
        let (to_host_events, host_events) = mpsc::channel(host::EVENT_QUEUE);
        let (to_console_events, console_events) = mpsc::channel(console_port::EVENT_QUEUE);
        let terminal = match plan.standard {
            Some(StandardInput::Terminal) => Some(plan.streams.input.try_clone()?),
            _ => None,
        };
        let line_end = plan.streams.line_end(plan.standard.is_some());
        let person = terminal.is_some() && isatty(&plan.streams.output) == Ok(true);
        let output = terminal::start(plan.streams, to_console_events.clone())?;
        let capture =
            plan.capture.map(|(file, name)| Capture::start(file, name, to_host_events.clone())).transpose()?;
        let driver = Self {
            system,
            effects: Effects::default(),
            lans: LanPorts::new(capture),
            inputs: VecDeque::new(),
            alarm: Alarm::new(),
            lan_first: false,
            signals: watch_signals()?,
            host_events,
            jobs: Jobs::new(to_host_events.clone(), plan.state, plan.program_limit),
            lines: Lines::new(to_host_events.clone()),
            processes: Processes::new(to_host_events),
            console_events,
            to_console_events,
            reader: plan.reader,
            reload: None,
            service: plan.service,
            ready_line: plan.ready_line,
            announcement: plan.announcement,
            readiness: Readiness::Starting,
            state_writes: HashMap::new(),
            writes: HashSet::new(),
            begun: None,
            statement_limit: plan.statement_limit,
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
            reports: Reports::new(plan.syslog),
            start: Some(Run::new(plan.script)),
            runs: 1,
            ending: None,
        };
        for note in plan.notes {
            driver.reports.log(LogLevel::Warning, &note);
        }
        if let Some(address) = plan.console {
            driver.reports.warn_of_an_open_port("console", address);
        }
        Ok(driver)
    }

    async fn drive(&mut self) -> Ending {
        self.look_at_the_wall_clock();
        if children::adopts() {
            tokio::spawn(children::reap_orphans());
        }
        self.system.handle(clock::now(), Input::Begin, &mut self.effects);
        self.carry_out();
        loop {
            self.give_inputs();
            if let Some(ending) = self.ending.take() {
                return ending;
            }
            let now = clock::now();
            self.alarm.arm(now, self.system.deadline());
            self.alarm.arm(now, self.service.deadline());
            self.alarm.arm(now, self.lans.deadline());
            let due = self.runs > 0 && self.due_run(now);
            let wake = poll_fn(|cx| self.poll(cx, due)).await;
            // It may have been set meanwhile, and what comes now may be kept with it.
            self.look_at_the_wall_clock();
            match wake {
                Wake::Signal(signal) => self.signal(signal),
                Wake::Alarm => {
                    let now = clock::now();
                    if self.system.deadline().is_some_and(|deadline| deadline <= now) {
                        self.system.handle(now, Input::Timeout, &mut self.effects);
                        self.carry_out();
                    }
                    self.service.alive(now);
                    self.lans.timeout(now);
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
        self.system.handle(now, Input::WallClock(wall), &mut self.effects);
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
            && let Some(index) = self.lans.poll(cx)
        {
            return Poll::Ready(Wake::Lan(index));
        }
        if statement { Poll::Ready(Wake::Statement) } else { Poll::Pending }
    }

    // --- what comes in ---

    fn datagrams(&mut self, index: usize) {
        let now = clock::now();
        let (system, effects) = (&mut self.system, &mut self.effects);
        self.lans.receive(index, now, |lan, from, bytes| {
            system.handle(now, Input::Datagram { lan, from, bytes }, effects);
        });
        self.carry_out();
    }

    fn host_event(&mut self, event: HostEvent) {
        match event {
            HostEvent::SerialConnected { serial, connection } => {
                self.lines.connected(serial, connection);
                self.handle(Input::SerialConnected(serial));
            }
            HostEvent::Input(input) => {
                match &input {
                    Input::WorkDone(done) => self.work_ended(done.number()),
                    Input::ProcessExited(mc, _) => self.processes.ended(*mc),
                    _ => {}
                }
                self.handle(input);
            }
            HostEvent::Log { level, text } => self.reports.log(level, &text),
        }
    }

    /// Nothing waits for this work any longer.
    fn work_ended(&mut self, job: u64) {
        self.writes.remove(&job);
        self.state_writes.remove(&job);
        if self.runs > 0 {
            let consoles = self.consoles.values_mut().filter_map(|console| console.run.as_mut());
            for run in self.start.iter_mut().chain(consoles) {
                run.work.remove(&job);
            }
        }
    }

    /// Tells the system something, and carries out what it wants done.
    fn handle(&mut self, input: Input<'_>) {
        self.system.handle(clock::now(), input, &mut self.effects);
        self.carry_out();
    }

    /// Tells the system what came of the effects that were carried out.
    fn give_inputs(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            self.handle(input);
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
        for effect in effects.list.drain(..) {
            match effect {
                Effect::Send { lan, to, start, end } => self.lans.send(lan, to, (start, end), &effects.bytes),
                other => {
                    self.lans.flush(&effects.bytes);
                    self.effect(other);
                }
            }
        }
        self.lans.flush(&effects.bytes);
        effects.clear();
        self.effects = effects;
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            // Sent in batches by `carry_out`.
            Effect::Send { .. } => {}
            Effect::OpenLan { lan, address } => self.open_lan(lan, &address),
            Effect::OpenSerial { serial, address, connect } => self.open_serial(serial, &address, connect),
            Effect::Serial { serial, bytes } => self.lines.write_serial(serial, bytes),
            Effect::OpenIpmb { ipmb, device, span } => self.open_ipmb(ipmb, &device, span),
            Effect::Ipmb { ipmb, bytes } => self.lines.write_ipmb(ipmb, bytes),
            Effect::OpenSol { mc, target, bit_rate, rts_cts } => self.lines.open_sol(mc, target, bit_rate, rts_cts),
            Effect::SolWrite { mc, bytes } => self.lines.sol(mc, SolCommand::Write(bytes)),
            Effect::SolBreak { mc } => self.lines.sol(mc, SolCommand::Break),
            Effect::SolModemLines { mc, rts, dtr } => self.lines.sol(mc, SolCommand::ModemLines { rts, dtr }),
            Effect::SolBitRate { mc, bits_per_second } => self.lines.sol(mc, SolCommand::BitRate(bits_per_second)),
            Effect::SolRead { mc, enabled } => self.lines.read_sol(mc, enabled),
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
            Effect::FindProcess { mc, identity } => {
                if self.processes.find(mc, &identity) {
                    let text = format!("The start command of MC {mc:#04x} still runs as process {}", identity.pid);
                    self.reports.log(LogLevel::Info, &text);
                    self.inputs.push_back(Input::ProcessStarted(mc, Some(identity)));
                } else {
                    self.inputs.push_back(Input::ProcessExited(mc, None));
                }
            }
            Effect::SignalProcess { mc, kill } => {
                self.processes.signal(mc, if kill { Signal::SIGKILL } else { Signal::SIGTERM });
            }
            Effect::Print { console, text } => match console {
                Some(id) => self.print(id, &text),
                None => self.print_standard(&text),
            },
            Effect::Log { level, text } => self.reports.log(level, &text),
            Effect::ConsoleLog { level, text } => {
                let text = &*printable(&text);
                self.reports.log(level, text);
                self.tell_consoles(text);
            }
            // Taken by whoever executes the command.
            Effect::Refused(_) => {}
            Effect::NoBmc(text) => {
                // The original logs it, and its console shows the log.
                self.print_standard(&format!("{text}\n"));
                self.fatal(&text);
                if let Some(hint) = &self.announcement.without_bmc {
                    complain(hint);
                }
            }
            Effect::Reloaded(changes) => self.tell_changes(&changes),
        }
    }

    fn open_lan(&mut self, lan: LanId, address: &Address) {
        for notice in self.lans.open(lan, address) {
            match notice {
                Notice::Say(text) => self.say(&text),
                Notice::Report(level, text) => self.reports.report(level, &text),
                Notice::Opened(local, served) => self.inputs.push_back(Input::LanOpened(lan, local, served)),
                Notice::Stays(asked) => {
                    let (host, port) = (asked.ip().to_string(), Port::Number(asked.port()));
                    let address = Address { host, port, span: Span::default(), other_family: None };
                    self.inputs.push_back(Input::LanStays(lan, Some(address)));
                }
                Notice::Fatal(text) => self.fatal(&text),
            }
        }
    }

    fn open_serial(&mut self, serial: SerialId, address: &Address, connect: bool) {
        match self.lines.open_serial(serial, address, connect) {
            Ok(None) => {}
            Ok(Some(address)) => self.reports.warn_of_an_open_port("serial port", address),
            Err(text) => self.fatal(&text),
        }
    }

    fn open_ipmb(&mut self, ipmb: IpmbId, name: &str, place: Span) {
        if let Err(text) = self.lines.open_ipmb(ipmb, name) {
            let Span { line, column, .. } = place;
            self.fatal(&format!("{}:{line}:{column}: error: {text}", self.configuration));
        }
    }

    fn start_process(&mut self, mc: McAddress, command: &str) {
        let input = if self.standard.is_some() { vm::Stdin::Nothing } else { vm::Stdin::Inherited };
        match self.processes.start(mc, command, input) {
            Ok(Started::Already) => {}
            Ok(Started::Runs(identity)) => self.inputs.push_back(Input::ProcessStarted(mc, identity)),
            Err(error) => {
                self.reports.log(LogLevel::Error, &format!("Unable to start ({command}): {}", message(&error)));
                self.inputs.push_back(Input::ProcessExited(mc, None));
            }
        }
    }

    /// The first reason to end counts.
    fn end(&mut self, status: u8) {
        self.ending.get_or_insert(Ending::Status(status));
    }

    fn fatal(&mut self, text: &str) {
        self.reports.fatal(text);
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
        self.system.handle(clock::now(), Input::End, &mut self.effects);
        self.carry_out();
        let wait = async {
            while !self.writes.is_empty() {
                tokio::select! {
                    Some(event) = self.host_events.recv() => {
                        if let HostEvent::Input(Input::WorkDone(_)) = event {
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
        self.lans.close(LAST_RECORDS).await;
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
    Ok(receiver)
}
