//! The simulator: one simulated system, all rooms joined.
//!
//! Everything comes in as a call with a time, everything goes out as an [`Effects`]
//! entry, to be carried out in order. Opens nothing, reads no clock.

mod accounts;
mod authority;
mod bridge;
mod complaints;
mod configured;
pub mod effect;
mod emulator;
mod faults;
mod host_queue;
mod input;
mod ipmb_devices;
mod lan_channels;
mod lanes;
mod logins;
mod oem_commands;
mod operations;
mod pending;
mod persist;
mod program;
mod reload;
mod restore;
mod return_path;
mod route;
mod saves;
mod serial_lines;
mod setup;
mod show;
mod sol_ports;
mod sol_taps;
mod tally;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod trace;
mod tracker;
mod waiting;

pub use crate::bmc::Pool;
pub use effect::{
    ConsoleId, Content, Effect, Effects, IpmbId, JobId, LanId, OUTPUT_LIMIT, ProgramEnd, ProgramJob, ReadJob,
    SaveFailure, SaveJob, Saved, SerialId, Work, WorkDone, WriteJob,
};
pub use faults::FaultView;
pub use input::Input;
pub use logins::{ControllerState, Login};
pub use operations::{
    ControlFailed, ControllerView, Done, FruContent, FruDevice, IpmiVersion, LanAddress, LanView, LogEntry, LogFault,
    LogPage, LogRecord, LogUse, Overview, Password, PowerDone, PowerMeterState, SdrPlace, SdrRecord, SensorEvent,
    SensorFault, SensorState, SessionView, SolHeld, ThresholdState, UserAccount, UserChange, UserFault, UserLimit,
    View, WatchdogView,
};
pub use reload::{Change, OnDisk, Reach};
pub use sol_taps::{NoSolPort, SolOutput, SolPortView, TAP_ROOM};
pub use tally::{Answered, Counts, Histogram, Requests, Tally};

use crate::bmc::vm_process::Identity;
use crate::bmc::{self, LogLevel, Machine};
use crate::command::{Commands, Entry, Function};
use crate::ipmi::{McAddress, Moment, Random};
use crate::lan::LogLimit;
use crate::settings::model::Config;
use crate::state::Files;
use configured::Configured;
use faults::Faults;
use ipmb_devices::IpmbDevices;
use lan_channels::{LanChannels, LanSlot};
use operations::Starting;
use pending::Pending;
use saves::{Fate, Saves};
use serial_lines::SerialLines;
use sol_ports::SolPorts;
use tracker::Tracker;

/// Whether the simulator keeps its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// State files are read and written.
    On,
    /// Nothing is read, nothing is written (`--nopersist`).
    Off,
}

/// One simulated system.
///
/// Each field is the owner of one concern, in a file of its own; what needs several of them is a function of this.
pub struct Simulator {
    /// The devices.
    machine: Machine,
    /// What they can be asked for.
    commands: Commands,
    /// What lan.conf said.
    configured: Configured,

    // The ways in and out.
    lans: LanChannels,
    serials: SerialLines,
    ipmbs: IpmbDevices,
    sols: SolPorts,
    /// Requests that the host has not answered.
    host_messages: Tracker<host_queue::Waiting>,
    /// The message that is being passed on to somebody else. Used again and again.
    message: Vec<u8>,

    /// Slow work, and who waits for it.
    pending: Pending,
    /// Who waits for start commands.
    starting: Starting,
    /// State files: those of the last run, and those on their way to the disk.
    saves: Saves,

    /// What is shown of what goes in and out.
    debug: trace::Debug,
    /// Lines of the log about changes of users.
    user_changes: LogLimit,
    /// What has happened since somebody watches.
    counts: Option<Box<Counts>>,
    /// What goes wrong on purpose.
    faults: Option<Box<Faults>>,
}

impl Simulator {
    /// A system as lan.conf describes it, with the state files of its last run.
    pub fn new(config: Config, state: Files, persistence: Persistence, random: Box<dyn Random + Send>) -> Self {
        let mut simulator = Self {
            machine: Machine::default(),
            commands: Commands::new(),
            configured: Configured::new(config),
            lans: LanChannels::new(random),
            serials: SerialLines::default(),
            ipmbs: IpmbDevices::default(),
            sols: SolPorts::default(),
            host_messages: Tracker::default(),
            message: Vec::new(),
            pending: Pending::default(),
            starting: Starting::default(),
            saves: Saves::new(state, persistence),
            debug: trace::Debug::default(),
            user_changes: LogLimit::default(),
            counts: None,
            faults: None,
        };
        simulator.configure();
        simulator
    }

    /// Takes in what happened at `now`, and appends what it wants done outside to `out`, in order.
    ///
    /// The one door into a system. Time never goes back from one call to the next.
    pub fn handle(&mut self, now: Moment, input: Input<'_>, out: &mut Effects) {
        match input {
            Input::Datagram { lan, from, bytes } => self.datagram(now, lan, from, bytes, out),
            Input::Timeout => self.timeout(now, out),
            Input::WallClock(wall) => self.saves.set_wall_clock(now, wall),
            Input::WorkDone(done) => self.work_done(now, done, out),
            Input::SerialData(serial, bytes) => self.serial_data(now, serial, &bytes, out),
            Input::SerialConnected(serial) => self.serial_connected(now, serial, out),
            Input::SerialDisconnected(serial) => self.serial_disconnected(now, serial, out),
            Input::IpmbData(ipmb, bytes) => self.ipmb_data(now, ipmb, &bytes, out),
            Input::SolData(mc, bytes) => self.sol_data(now, mc, &bytes, out),
            Input::SolWritten(mc, count) => self.sol_written(now, mc, count, out),
            Input::SolLine(mc, event) => self.sol_line(now, mc, event, out),
            Input::SolOpened(mc) => self.sol_opened(now, mc, out),
            Input::SolClosed(mc) => self.sol_closed(now, mc, out),
            Input::SolUnavailable(mc, why) => self.sol_unavailable(now, mc, &why, out),
            Input::LanOpened(lan, local, served) => self.lan_opened(lan, local, served),
            Input::LanStays(lan, address) => self.lan_stays(lan, address),
            Input::ProcessStarted(mc, identity) => self.process_started(now, mc, identity, out),
            Input::ProcessExited(mc, status) => self.process_exited(now, mc, status, out),
            Input::Command { console, command } => self.command(now, console, command, out),
            Input::Reload { config, files } => self.reload(now, *config, &files, out),
            Input::Begin => self.begin(now, out),
            Input::Started => self.started(now, out),
            Input::End => self.end(now, out),
        }
        self.go_on_playing(now, out);
        if self.faults.is_some() {
            self.settle_faults(now, out);
        }
    }

    /// Gives the controller at `mc`, or every one, the commands of a table, as an OEM's BMC has them.
    ///
    /// What is added last comes first, and before what every system has, so that it replaces a command of the same
    /// number; only what is about logins and sessions, and Send Message, cannot be replaced. Who may send a command
    /// is what its row says: an administrator, unless it says otherwise. It is told by the firmware firewall
    /// discovery commands, but for those of an enterprise.
    pub fn add_commands(&mut self, mc: Option<McAddress>, function: Function, entries: &'static [Entry]) {
        self.commands.add(mc, function, entries);
    }

    /// Has what others have, too, in memory once from now on: for whoever sets up many systems that are nearly the same.
    pub fn share(&mut self, pool: &mut Pool) {
        self.machine.controllers_mut().for_each(|controller| controller.share(pool));
    }

    /// Start of life, before the command file: SOL ports are opened.
    fn begin(&mut self, now: Moment, out: &mut Effects) {
        self.saves.save_guids(out);
        for controller in self.machine.controllers_mut() {
            if let Some(identity) = controller.vm.search() {
                out.list.push(Effect::FindProcess { mc: controller.address, identity });
            }
        }
        self.open_sol_ports(now, out);
        self.carry_out_actions(now, out);
    }

    /// The command file and `-x` are done: is there a BMC?
    fn started(&mut self, now: Moment, out: &mut Effects) {
        let controllers: Vec<McAddress> = self.machine.controllers().map(|controller| controller.address).collect();
        for mc in controllers {
            // Those that clients talk to.
            let reached = self.machine.bmc == Some(mc) || self.lans.of(mc).next().is_some();
            if let Some(mut at) = self.machine.at(mc) {
                bmc::chassis::power_restored(&mut at, now);
                bmc::chassis::begin(&mut at);
                if reached {
                    bmc::sdr::provide_locator(&mut at);
                }
            }
        }
        self.carry_out_actions(now, out);
        if self.lans.iter().next().is_some() && !self.lans.iter().any(LanSlot::is_open) {
            let text = "No LAN channel is open: no mc_enable names an MC with a startlan block".into();
            out.list.push(Effect::Log { level: LogLevel::Warning, text });
        }
        if self.machine.bmc.and_then(|bmc| self.machine.controller(bmc)).is_none() {
            out.list.push(Effect::NoBmc("No bmc_ipmb specified or configured.".into()));
        }
    }

    /// The start command of an MC runs, as this process if that is known.
    fn process_started(&mut self, now: Moment, mc: McAddress, identity: Option<Identity>, out: &mut Effects) {
        if let Some(mut at) = self.machine.at(mc) {
            bmc::vm_process::started(&mut at, identity);
        }
        self.carry_out_actions(now, out);
        self.starting.over(mc, &Ok(()));
    }

    /// The start command of an MC ended with this raw wait status, or could not be started.
    fn process_exited(&mut self, now: Moment, mc: McAddress, status: Option<i32>, out: &mut Effects) {
        if let (Some(vm), Some(status)) = (self.machine.controller(mc).map(|controller| &controller.vm), status) {
            let how = program::end_text(status);
            let text = format!("The start command of MC {mc:#04x} has ended: {how}");
            // What was asked for is no surprise, whatever the status.
            let level = if status == 0 || vm.is_ending() { LogLevel::Info } else { LogLevel::Warning };
            out.list.push(Effect::Log { level, text });
        }
        if let Some(mut at) = self.machine.at(mc) {
            bmc::chassis::process_ended(&mut at);
        }
        self.carry_out_actions(now, out);
        self.starting.over(mc, &Err(ControlFailed::NotStarted));
    }

    /// When [`Input::Timeout`] is due.
    pub fn deadline(&self) -> Option<Moment> {
        let doors = sooner(self.lans.deadline(), self.sols.deadline());
        let passed_on = sooner(self.ipmbs.deadline(), self.host_messages.deadline());
        let work = sooner(self.saves.deadline(), self.pending.deadline());
        let faults = self.faults.as_ref().and_then(|faults| faults.deadline());
        sooner(sooner(sooner(doors, passed_on), faults), sooner(work, bmc::deadline(&self.machine)))
    }

    /// Does what is due.
    fn timeout(&mut self, now: Moment, out: &mut Effects) {
        if self.faults.is_some() {
            self.faults_timeout(now, out);
        }
        self.lan_timeout(now, out);
        self.sol_timeout(now, out);
        self.host_messages.expire(now);
        self.ipmbs.expire(now);
        for job in self.saves.write_due(&mut self.machine, &self.configured, now, out) {
            self.release(now, job, Fate::Done, out);
        }
        self.pending.summarise_complaints(now, out);
        bmc::timeout(&mut self.machine, now);
        self.carry_out_actions(now, out);
    }

    /// The program ends: what could not be written is tried once more, and what is written at the end is written.
    fn end(&mut self, now: Moment, out: &mut Effects) {
        for job in self.saves.write_all(&mut self.machine, &self.configured, now, out) {
            self.release(now, job, Fate::Done, out);
        }
        self.write_histories(out);
    }

    /// The FRU devices in files: controller, device, path and where in the file the device ends.
    pub fn fru_files(&self) -> impl Iterator<Item = (McAddress, u8, &str, u64)> {
        self.machine.controllers().flat_map(|controller| {
            controller.frus.in_files().map(|(device, path, end)| (controller.address, device, path, end))
        })
    }
}

/// The first of two deadlines. It is asked with every datagram.
fn sooner(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
