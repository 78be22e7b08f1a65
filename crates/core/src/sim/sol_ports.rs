//! Serial over LAN: engines joined to sessions on one side and ports on the other.

mod plays;

use std::sync::Arc;
use std::time::Duration;

use plays::Stage;

use super::Simulator;
use super::effect::{Effect, Effects, LanId};
use super::sol_taps::{NoSolPort, Tap};
use super::trace::Way;
use super::waiting::{Reader, Writer};
use crate::bmc::external::{FileContent, FileRead, FileWrite, FileWritten};
use crate::bmc::sol_parameters::{self, Pace};
use crate::bmc::{Controller, LogLevel};
use crate::ipmi::{McAddress, Moment, SessionId};
use crate::settings::model::{SolConfig, SolTarget};
use crate::sol::{self, Engine, LineEvent};

/// How much of a backup file is looked at, at least.
const LONGEST_BACKUP: usize = 16 << 20;

/// The SOL port of one controller.
struct SolSlot {
    mc: McAddress,
    config: SolConfig,
    engine: Engine,
    /// Which session holds the port (instance 1) and the history (instance 2).
    holders: [Option<(LanId, SessionId)>; 2],
    reading: bool,
    /// Whether the backup of the history was read, or need not be.
    restored: bool,
    /// Why the port cannot be opened, as a console is told.
    trouble: Option<String>,
    /// When whoever has just come is told.
    tell_at: Option<Moment>,
    /// What it says, for whoever looks on.
    tap: Option<Box<Tap>>,
    /// What is behind it, where nothing is outside.
    stage: Option<Box<Stage>>,
}

impl SolSlot {
    fn new(mc: McAddress, config: SolConfig) -> Self {
        let settings = sol::Settings {
            telnet: matches!(config.target, SolTarget::Telnet { .. }),
            tty: matches!(config.target, SolTarget::Device(_)),
            history: config.history > 0,
        };
        let stage = match &config.target {
            SolTarget::Play(play) => Some(Box::new(Stage::new(Arc::clone(play)))),
            _ => None,
        };
        Self {
            mc,
            config,
            engine: Engine::new(settings),
            holders: [None; 2],
            reading: true,
            restored: true,
            trouble: None,
            tell_at: None,
            tap: None,
            stage,
        }
    }

    fn deadline(&self) -> Option<Moment> {
        self.engine.deadline().into_iter().chain(self.tell_at).chain(self.play_due()).min()
    }
}

/// The SOL ports of all controllers.
#[derive(Default)]
pub(super) struct SolPorts {
    slots: Vec<SolSlot>,
    /// What an engine wants done. Used again and again.
    outputs: sol::Outbox,
}

impl SolPorts {
    /// One more.
    pub(super) fn add(&mut self, mc: McAddress, config: SolConfig) {
        self.slots.push(SolSlot::new(mc, config));
    }

    /// Takes over what the `sol` line says.
    pub(super) fn configure(&mut self, mc: McAddress, config: &SolConfig) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.mc == mc) {
            slot.config.bit_rate = config.bit_rate;
            slot.config.read_clear = config.read_clear;
        }
    }

    /// The tap of a controller's port.
    pub(super) fn tap(&mut self, mc: McAddress) -> Result<&mut Option<Box<Tap>>, NoSolPort> {
        self.slots.iter_mut().find(|slot| slot.mc == mc).map(|slot| &mut slot.tap).ok_or(NoSolPort)
    }

    /// The taps that there are.
    pub(super) fn taps(&mut self) -> impl Iterator<Item = (McAddress, &mut Tap)> {
        self.slots.iter_mut().filter_map(|slot| Some((slot.mc, slot.tap.as_deref_mut()?)))
    }

    /// Why a controller's port cannot be opened, if it cannot.
    pub(super) fn trouble(&self, mc: McAddress) -> Result<Option<&str>, NoSolPort> {
        self.slots.iter().find(|slot| slot.mc == mc).map(|slot| slot.trouble.as_deref()).ok_or(NoSolPort)
    }

    /// When a port wants to be called next.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.slots.iter().filter_map(SolSlot::deadline).min()
    }

    /// The same of the port of one controller.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn deadline_of(&self, mc: McAddress) -> Option<Moment> {
        self.slots.iter().find(|slot| slot.mc == mc)?.deadline()
    }
}

/// The engine's words for what parameters 3 and 4 say.
fn timing(pace: Pace) -> sol::Timing {
    sol::Timing {
        accumulate: Duration::from_millis(5 * u64::from(pace.accumulate)),
        threshold: pace.threshold,
        retries: pace.retries,
        // "Back to back" still leaves time to answer.
        retry_interval: Duration::from_millis(10 * u64::from(pace.retry_interval.max(1))),
    }
}

/// How long after the response to Activate Payload a remark goes out: clients (ipmitool) take the first
/// packet that comes for that response.
const AFTER_RESPONSE: Duration = Duration::from_millis(100);
/// Most characters of a remark.
const REMARK: usize = 160;

/// What a console is told beside what its port says, on a line of its own. It may hold the words of
/// other programs and odd file names, so that nothing in it is more than a visible character.
fn remark(text: &str) -> String {
    let visible =
        |c: char| if c.is_ascii_graphic() || c == ' ' { c.to_string() } else { c.escape_default().to_string() };
    let text: String = text.chars().take(REMARK).map(visible).collect();
    format!("\r\n[SOL: {text}]\r\n")
}

impl Simulator {
    /// Has all ports opened.
    pub(super) fn open_sol_ports(&mut self, now: Moment, out: &mut Effects) {
        for slot in &mut self.sols.slots {
            if slot.stage.is_some() {
                slot.engine.port_opened(now, &mut self.sols.outputs);
                continue;
            }
            let bit_rate = self
                .machine
                .controller(slot.mc)
                .and_then(|controller| controller.sol.as_ref())
                .and_then(|sol| sol_parameters::bits_per_second(sol.volatile_rate))
                .unwrap_or(slot.config.bit_rate);
            out.list.push(Effect::OpenSol {
                mc: slot.mc,
                target: slot.config.target.clone(),
                bit_rate,
                rts_cts: slot.config.rts_cts,
            });
        }
        for index in 0..self.sols.slots.len() {
            self.sol_timing(self.sols.slots[index].mc);
        }
        self.restore_histories(out);
    }

    /// Has the histories that were kept read (`backupfile=`).
    fn restore_histories(&mut self, out: &mut Effects) {
        for index in 0..self.sols.slots.len() {
            let slot = &mut self.sols.slots[index];
            let mc = slot.mc;
            if let Some(path) = slot.config.backup_file.clone().filter(|_| slot.config.history > 0) {
                slot.restored = false;
                // Of a file longer than the history the newest bytes count.
                let length = slot.config.history.max(LONGEST_BACKUP);
                self.pending.read(FileRead { path, offset: 0, length }, Reader::History { mc }, out);
            }
        }
    }

    /// The backup of a history was read. What came from the port meanwhile is newer.
    pub(super) fn history_read(&mut self, mc: McAddress, backup: FileContent, out: &mut Effects) {
        let Some(index) = self.sol_index(mc) else { return };
        self.sols.slots[index].restored = true;
        match backup {
            Ok(backup) => {
                if let Some(controller) = self.machine.controller_mut(mc) {
                    controller.history.restore(&backup);
                }
            }
            Err(reason) => {
                let path = self.sols.slots[index].config.backup_file.as_deref().unwrap_or_default();
                let text = format!("The console history of MC {mc:#04x} starts empty: {path}: {reason}");
                out.list.push(Effect::Log { level: LogLevel::Info, text });
            }
        }
    }

    /// The program ends: the histories are written where they are kept. An empty one is not, and
    /// neither is one whose backup was not even read.
    pub(super) fn write_histories(&mut self, out: &mut Effects) {
        for index in 0..self.sols.slots.len() {
            let slot = &self.sols.slots[index];
            let (mc, path) = (slot.mc, slot.config.backup_file.clone().filter(|_| slot.restored));
            let history = self.machine.controller(mc).map(|controller| controller.history.to_backup());
            if let (Some(path), Some(content)) = (path, history.filter(|history| !history.is_empty())) {
                self.pending.write(FileWrite::Replace { path, content }, Writer::Backup { mc }, out);
            }
        }
    }

    /// The backup of a history was written, or could not be.
    pub(super) fn history_written(&mut self, mc: McAddress, written: FileWritten, out: &mut Effects) {
        if let Err(reason) = written {
            let text = format!("Unable to write the console history of MC {mc:#04x}: {reason}");
            out.list.push(Effect::Log { level: LogLevel::Error, text });
        }
    }

    /// Parameters 3 and 4 come into force.
    pub(super) fn sol_timing(&mut self, mc: McAddress) {
        let Some(index) = self.sol_index(mc) else { return };
        if let Some(sol) = self.machine.controller(mc).and_then(|controller| controller.sol.as_ref()) {
            self.sols.slots[index].engine.set_timing(timing(sol.pace));
        }
    }

    /// A SOL payload came in a session.
    pub(super) fn sol_payload(
        &mut self,
        now: Moment,
        lan: LanId,
        session: SessionId,
        payload: &[u8],
        out: &mut Effects,
    ) {
        let Some(index) = self.sol_index(lan.mc) else { return };
        self.trace_sol(Way::In, lan.mc, session, payload, out);
        if self.sols.slots[index].holders.contains(&Some((lan, session))) {
            if self.ends_sol_above_limits(now, lan, session, out) {
                return;
            }
            self.sols.slots[index].engine.from_console(now, session, payload, &mut self.sols.outputs);
            self.sol_carry_out(now, index, out);
        }
    }

    pub(super) fn sol_activated(
        &mut self,
        now: Moment,
        mc: McAddress,
        instance: u8,
        session: SessionId,
        auxiliary: u8,
        out: &mut Effects,
    ) {
        let Some(index) = self.sol_index(mc) else { return };
        // The session was checked when the command ran; its channel is found by its id.
        let Some(lan) = self.lans.of(mc).find(|slot| slot.channel().session(session).is_some()) else { return };
        let holder = (lan.id(), session);
        let slot = &mut self.sols.slots[index];
        if instance == 1 {
            slot.holders[0] = Some(holder);
            slot.engine.activate(now, session, auxiliary, &mut self.sols.outputs);
            slot.tell_at = Some(now + AFTER_RESPONSE);
        } else {
            slot.holders[1] = Some(holder);
            let history = self.machine.controller_mut(mc).map(Controller::history_copy).unwrap_or_default();
            slot.engine.activate_history(now, session, history, &mut self.sols.outputs);
        }
        self.sol_carry_out(now, index, out);
    }

    pub(super) fn sol_deactivated(
        &mut self,
        now: Moment,
        mc: McAddress,
        instance: u8,
        by: Option<SessionId>,
        out: &mut Effects,
    ) {
        let Some(index) = self.sol_index(mc) else { return };
        let slot = &mut self.sols.slots[index];
        let mut told = None;
        if instance == 1 {
            if slot.engine.session() != by {
                slot.engine.announce_deactivation(&mut self.sols.outputs);
                told = slot.holders[0];
            }
            slot.engine.deactivate(&mut self.sols.outputs);
        } else {
            slot.engine.deactivate_history();
        }
        // What the engine has to say to the holder goes out before it stops being one.
        self.sol_carry_out(now, index, out);
        if let Some((lan, session)) = told {
            self.send_over_lan(now, lan, out, |channel, _, outbox| channel.send_farewell(session, outbox));
        }
        if let Some(holder) = self.sols.slots[index].holders.get_mut(usize::from(instance.saturating_sub(1))) {
            *holder = None;
        }
    }

    /// The SOL port of an MC is open.
    pub(super) fn sol_opened(&mut self, now: Moment, mc: McAddress, out: &mut Effects) {
        let Some(index) = self.sol_index(mc) else { return };
        let slot = &mut self.sols.slots[index];
        slot.engine.port_opened(now, &mut self.sols.outputs);
        // Whoever was told that the console is dead should know that it is no longer.
        if slot.trouble.take().is_some() && slot.tell_at.is_none() {
            slot.engine.remark(now, remark("the port is open now").as_bytes(), &mut self.sols.outputs);
        }
        self.sol_carry_out(now, index, out);
    }

    /// The SOL port of an MC cannot be opened, for a reason that is new. Whoever looks at the console is
    /// told what the log says, now and when he comes: nothing else tells a dead port from a silent one.
    pub(super) fn sol_unavailable(&mut self, now: Moment, mc: McAddress, why: &str, out: &mut Effects) {
        let Some(index) = self.sol_index(mc) else { return };
        let slot = &mut self.sols.slots[index];
        let trouble = slot.trouble.insert(remark(why));
        if slot.tell_at.is_some() {
            return;
        }
        slot.engine.remark(now, trouble.as_bytes(), &mut self.sols.outputs);
        self.sol_carry_out(now, index, out);
    }

    /// The SOL port of an MC is lost.
    pub(super) fn sol_closed(&mut self, now: Moment, mc: McAddress, out: &mut Effects) {
        self.with_engine(now, mc, out, |engine, outputs| engine.port_closed(outputs));
    }

    /// Something else than bytes came from the SOL port of an MC.
    pub(super) fn sol_line(&mut self, now: Moment, mc: McAddress, event: LineEvent, out: &mut Effects) {
        self.with_engine(now, mc, out, |engine, outputs| engine.line(now, event, outputs));
    }

    /// Parameter 6 was set.
    pub(super) fn sol_bit_rate_set(&mut self, now: Moment, mc: McAddress, bits_per_second: u32, out: &mut Effects) {
        out.list.push(Effect::SolBitRate { mc, bits_per_second });
        self.with_engine(now, mc, out, |engine, outputs| engine.set_bit_rate(bits_per_second, outputs));
    }

    /// Bytes came from the SOL port of an MC.
    pub(super) fn sol_data(&mut self, now: Moment, mc: McAddress, bytes: &[u8], out: &mut Effects) {
        match self.faults {
            None => self.sol_arrived(now, mc, bytes, out),
            Some(_) => self.faulty_sol_data(now, mc, bytes, out),
        }
    }

    /// The same behind what faults do.
    pub(super) fn sol_arrived(&mut self, now: Moment, mc: McAddress, bytes: &[u8], out: &mut Effects) {
        let Some(index) = self.sol_index(mc) else { return };
        let SolSlot { engine, tap, .. } = &mut self.sols.slots[index];
        let plain = engine.from_port(now, bytes, &mut self.sols.outputs);
        if let Some(tap) = tap {
            tap.push(plain);
        }
        out.count(|tally| tally.sol_from_ports += plain.len() as u64);
        if let Some(controller) = self.machine.controller_mut(mc) {
            controller.history.push(plain);
        }
        self.sol_carry_out(now, index, out);
    }

    /// The SOL port of an MC has taken `count` bytes of what it was given.
    pub(super) fn sol_written(&mut self, now: Moment, mc: McAddress, count: usize, out: &mut Effects) {
        self.with_engine(now, mc, out, |engine, outputs| engine.port_written(now, count, outputs));
    }

    pub(super) fn sol_timeout(&mut self, now: Moment, out: &mut Effects) {
        for index in 0..self.sols.slots.len() {
            if self.sols.slots[index].deadline().is_some_and(|deadline| deadline <= now) {
                let mc = self.sols.slots[index].mc;
                self.sol_tell(now, index, out);
                self.with_engine(now, mc, out, |engine, outputs| engine.timeout(now, outputs));
            }
        }
    }

    /// Tells whoever has come a moment ago what is the matter with the port.
    fn sol_tell(&mut self, now: Moment, index: usize, out: &mut Effects) {
        let slot = &mut self.sols.slots[index];
        if slot.tell_at.take_if(|at| *at <= now).is_some()
            && let Some(trouble) = &slot.trouble
        {
            slot.engine.remark(now, trouble.as_bytes(), &mut self.sols.outputs);
            self.sol_carry_out(now, index, out);
        }
    }

    fn with_engine(
        &mut self,
        now: Moment,
        mc: McAddress,
        out: &mut Effects,
        act: impl FnOnce(&mut Engine, &mut sol::Outbox),
    ) {
        let Some(index) = self.sol_index(mc) else { return };
        act(&mut self.sols.slots[index].engine, &mut self.sols.outputs);
        self.sol_carry_out(now, index, out);
    }

    fn sol_index(&self, mc: McAddress) -> Option<usize> {
        self.sols.slots.iter().position(|slot| slot.mc == mc)
    }

    /// Carries out what an engine asked for.
    fn sol_carry_out(&mut self, now: Moment, index: usize, out: &mut Effects) {
        let mut outputs = std::mem::take(&mut self.sols.outputs);
        let mc = self.sols.slots[index].mc;
        for output in outputs.iter() {
            match output {
                sol::Output::Packet { session, payload } => {
                    let holders = self.sols.slots[index].holders;
                    let Some((lan, _)) = holders.into_iter().flatten().find(|(_, holder)| *holder == session) else {
                        continue;
                    };
                    self.trace_sol(Way::Out, mc, session, payload, out);
                    self.send_over_lan(now, lan, out, |channel, random, outbox| {
                        channel.send_sol(session, payload, random, outbox);
                    });
                }
                sol::Output::Port(bytes) => {
                    out.count(|tally| tally.sol_to_ports += bytes.len() as u64);
                    match &mut self.sols.slots[index].stage {
                        Some(stage) => stage.typed.extend_from_slice(bytes),
                        None => out.list.push(Effect::SolWrite { mc, bytes: bytes.to_vec() }),
                    }
                }
                sol::Output::Break => out.list.push(Effect::SolBreak { mc }),
                sol::Output::ModemLines(lines) => out.list.push(Effect::SolModemLines { mc, lines }),
            }
        }
        outputs.clear();
        self.sols.outputs = outputs;
        let slot = &mut self.sols.slots[index];
        let wanted = slot.engine.wants_port_data();
        if wanted != slot.reading {
            slot.reading = wanted;
            if slot.stage.is_none() {
                out.list.push(Effect::SolRead { mc, enabled: wanted });
            }
        }
    }
}
