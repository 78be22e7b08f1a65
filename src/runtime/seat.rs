//! One system with what belongs to it alone: its jobs, lines and processes, and what is being written for it.
//!
//! Owns the carrying-out of a system's effects, for the loop of the program and for embedded BMCs; what differs between
//! these they do themselves ([`Surroundings`]). Looks at no socket and no clock.

use std::net::SocketAddr;

use nix::sys::signal::Signal;

use super::lines::Lines;
use super::processes::{Processes, Started};
use crate::bmc::LogLevel;
use crate::host::duplex::Reading;
use crate::host::jobs::{Helpers, Jobs, StateWriter};
use crate::host::sol_port::SolCommand;
use crate::host::tty::FlowControl;
use crate::host::vm::Stdin;
use crate::host::{HostEvent, HostEvents};
use crate::ipmi::Moment;
use crate::settings::model::Address;
use crate::sim::{Change, ConsoleId, Effect, Effects, Input, JobId, LanId, Simulator, Work};
use crate::store::directory::message;

/// What whoever drives a seat does in his own way.
pub(crate) trait Surroundings {
    /// The system is to be told this, once its present effects are carried out.
    fn tell(&mut self, input: Input<'static>);

    /// Opens the port of a LAN channel, or moves it.
    fn open_lan(&mut self, lan: LanId, address: &Address);

    /// Prints on a console; `None` is standard output.
    fn print(&mut self, console: Option<ConsoleId>, text: &str);

    /// Tells the log.
    fn log(&mut self, level: LogLevel, text: &str);

    /// Tells the log, and all consoles.
    fn log_on_consoles(&mut self, level: LogLevel, text: &str);

    /// The system cannot be served as it is set up.
    fn fatal(&mut self, text: &str);

    /// There is no BMC: the system serves nobody.
    fn no_bmc(&mut self, text: &str);

    /// A serial port listens here.
    fn listens(&mut self, _address: SocketAddr) {}

    /// Slow work is about to begin.
    fn begins(&mut self, _work: &Work) {}

    /// What a configuration that was read again has changed.
    fn reloaded(&mut self, _changes: &[Change]) {}

    /// What a start command reads.
    fn stdin(&self) -> Stdin {
        Stdin::Nothing
    }
}

/// What a seat is made of.
pub(crate) struct Setup {
    /// The system, at the beginning of its life.
    pub(crate) system: Box<Simulator>,
    /// lan.conf, as the user named it, for messages.
    pub(crate) configuration: String,
    /// How state files are written, if they are.
    pub(crate) state: Option<StateWriter>,
    /// How helper programs run.
    pub(crate) helpers: Helpers,
}

/// A system and what belongs to it alone.
pub(crate) struct Seat {
    pub(crate) system: Box<Simulator>,
    pub(crate) lines: Lines,
    configuration: String,
    processes: Processes,
    jobs: Jobs,
    /// What must be written before the end, by its job, and the state file that it is.
    writes: Vec<(JobId, Option<String>)>,
    /// What the wall clock showed last, with the time of that.
    wall: Option<(Moment, i64)>,
}

impl Seat {
    /// A system that nothing was done for yet.
    pub(crate) fn new(setup: Setup, events: &HostEvents) -> Self {
        Self {
            system: setup.system,
            lines: Lines::new(events.clone()),
            configuration: setup.configuration,
            processes: Processes::new(events.clone()),
            jobs: Jobs::new(events.clone(), setup.state, setup.helpers),
            writes: Vec::new(),
            wall: None,
        }
    }

    /// Closes the lines; start commands go on, as they do when the program ends.
    #[cfg(feature = "program")]
    pub(crate) fn leave(&mut self) {
        self.lines.close();
    }

    /// Whether nothing is being written.
    pub(crate) fn is_safe(&self) -> bool {
        self.writes.is_empty()
    }

    /// State files that are being written.
    #[cfg(feature = "program")]
    pub(crate) fn being_written(&self) -> impl Iterator<Item = &String> {
        self.writes.iter().filter_map(|(_, name)| name.as_ref())
    }

    // --- what comes in ---

    /// Tells the system what happened, and the wall clock when that may be news.
    pub(crate) fn handle(&mut self, now: Moment, wall: (Moment, i64), input: Input<'_>, out: &mut Effects) {
        self.look_at_the_wall_clock(wall, out);
        self.system.handle(now, input, out);
    }

    /// It may have been set meanwhile, and what comes now may be kept with it.
    pub(crate) fn look_at_the_wall_clock(&mut self, wall: (Moment, i64), out: &mut Effects) {
        if self.wall != Some(wall) {
            self.wall = Some(wall);
            self.system.handle(wall.0, Input::WallClock(wall.1), out);
        }
    }

    /// Takes in what happened outside, and gives what the system is to be told of it.
    pub(crate) fn event(&mut self, event: HostEvent, around: &mut impl Surroundings) -> Option<Input<'static>> {
        match event {
            HostEvent::SerialConnected { serial, connection } => {
                self.lines.connected(serial, connection);
                Some(Input::SerialConnected(serial))
            }
            HostEvent::Input(input) => {
                match &input {
                    Input::WorkDone(done) => self.writes.retain(|(job, _)| *job != done.id()),
                    Input::ProcessExited(mc, _) => self.processes.ended(*mc),
                    _ => {}
                }
                Some(input)
            }
            HostEvent::Log { level, text } => {
                around.log(level, &text);
                None
            }
        }
    }

    // --- what goes out ---

    /// Carries out an effect; of datagrams and of statements that were refused others take care.
    pub(crate) fn carry_out(&mut self, effect: Effect, around: &mut impl Surroundings) {
        match effect {
            Effect::Send { .. } | Effect::Refused(_) => {}
            Effect::OpenLan { lan, address } => around.open_lan(lan, &address),
            Effect::OpenSerial { serial, address, connect: true } => {
                if let Err(text) = self.lines.connect_serial(serial, &address) {
                    around.fatal(&text);
                }
            }
            Effect::OpenSerial { serial, address, connect: false } => {
                match self.lines.listen_serial(serial, &address) {
                    Ok(None) => {}
                    Ok(Some(address)) => around.listens(address),
                    Err(text) => around.fatal(&text),
                }
            }
            Effect::Serial { serial, bytes } => self.lines.write_serial(serial, bytes),
            Effect::OpenIpmb { ipmb, device, span } => {
                if let Err(text) = self.lines.open_ipmb(ipmb, &device) {
                    around.fatal(&format!("{}:{}:{}: error: {text}", self.configuration, span.line, span.column));
                }
            }
            Effect::Ipmb { ipmb, bytes } => self.lines.write_ipmb(ipmb, bytes),
            Effect::OpenSol { mc, target, bit_rate, rts_cts } => {
                let flow_control = if rts_cts { FlowControl::RtsCts } else { FlowControl::None };
                self.lines.open_sol(mc, target, bit_rate, flow_control);
            }
            Effect::SolWrite { mc, bytes } => self.lines.sol(mc, SolCommand::Write(bytes)),
            Effect::SolBreak { mc } => self.lines.sol(mc, SolCommand::Break),
            Effect::SolModemLines { mc, lines } => self.lines.sol(mc, SolCommand::ModemLines(lines)),
            Effect::SolBitRate { mc, bits_per_second } => self.lines.sol(mc, SolCommand::BitRate(bits_per_second)),
            Effect::SolRead { mc, enabled } => {
                self.lines.sol(mc, SolCommand::Read(if enabled { Reading::On } else { Reading::Off }));
            }
            Effect::Run(work) => {
                around.begins(&work);
                match &work {
                    Work::Save { name, .. } => self.writes.push((work.id(), Some(name.clone()))),
                    Work::Write { .. } => self.writes.push((work.id(), None)),
                    Work::Program { .. } | Work::Read { .. } => {}
                }
                self.jobs.run(work);
            }
            Effect::StartProcess { mc, command } => match self.processes.start(mc, &command, around.stdin()) {
                Ok(Started::Already) => {}
                Ok(Started::Runs(identity)) => around.tell(Input::ProcessStarted(mc, identity)),
                Err(error) => {
                    around.log(LogLevel::Error, &format!("Unable to start ({command}): {}", message(&error)));
                    around.tell(Input::ProcessExited(mc, None));
                }
            },
            Effect::FindProcess { mc, identity } => {
                if self.processes.find(mc, &identity) {
                    let text = format!("The start command of MC {mc:#04x} still runs as process {}", identity.pid);
                    around.log(LogLevel::Info, &text);
                    around.tell(Input::ProcessStarted(mc, Some(identity)));
                } else {
                    around.tell(Input::ProcessExited(mc, None));
                }
            }
            Effect::SignalProcess { mc, kill } => {
                self.processes.signal(mc, if kill { Signal::SIGKILL } else { Signal::SIGTERM });
            }
            Effect::Print { console, text } => around.print(console, &text),
            Effect::Log { level, text } => around.log(level, &text),
            Effect::ConsoleLog { level, text } => around.log_on_consoles(level, &text),
            Effect::NoBmc(text) => around.no_bmc(&text),
            Effect::Reloaded(changes) => around.reloaded(&changes),
        }
    }
}
