//! A new lan.conf on a running system (SIGHUP).
//!
//! The aim is what a restart would make of it, without giving up a session, a console or a
//! connection: what cannot be had that way is left as it is and reported. As at start, the
//! state files of users, SOL and LAN channels go before lan.conf (`persistence.md` section 5),
//! and they are read again as well, so whoever removes one gets lan.conf's values. With
//! persistence off only lines that changed count: what clients have set meanwhile stays.
//!
//! Nothing is opened or read here. The command file is not executed again.

mod lans;
mod users;

use std::collections::BTreeSet;
use std::fmt;

use super::effect::{Effect, Effects, LanId};
use super::{Persistence, Simulator};
use crate::bmc::StateFile;
use crate::bmc::channel::Lan;
use crate::bmc::sol_parameters::{self, Sol};
use crate::ipmi::{McAddress, Moment};
use crate::settings::Span;
use crate::settings::model::{Address, Config, ControllerConfig, SerialConfig, SolConfig, SolTarget};
use crate::state::{Files, Items, StoredFile};

/// How far a change reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It is in force.
    Now,
    /// A state file goes before it, as it does at start.
    Overridden,
    /// It needs a restart.
    NextStart,
}

/// One thing that is different in a configuration that was read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What became of it.
    pub reach: Reach,
    /// What is different, one line without a final period and without secrets.
    pub text: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reach {
            Reach::Now | Reach::Overridden => f.write_str(&self.text),
            Reach::NextStart => write!(f, "{}: takes effect at the next start", self.text),
        }
    }
}

/// The state files of users, SOL and LAN channels as they were read while the program runs.
#[derive(Clone, Debug, Default)]
pub struct OnDisk {
    /// What they hold, by name.
    pub files: Files,
    /// Names of those that were being written at the time.
    pub outdated: BTreeSet<String>,
}

/// What has been found so far.
#[derive(Default)]
struct Report(Vec<Change>);

impl Report {
    fn now(&mut self, text: String) {
        self.0.push(Change { reach: Reach::Now, text });
    }

    fn overridden(&mut self, what: &str, file: &str) {
        let text = format!("{what} changed in lan.conf without effect: {file} in the state directory goes before it");
        self.0.push(Change { reach: Reach::Overridden, text });
    }

    fn next_start(&mut self, text: String) {
        self.0.push(Change { reach: Reach::NextStart, text });
    }

    /// The usual line for a setting that is taken over as it is.
    fn take<T: PartialEq + Clone>(&mut self, what: &str, running: &mut T, new: &T) -> bool {
        let differs = running != new;
        if differs {
            running.clone_from(new);
            self.now(format!("{what} changed"));
        }
        differs
    }

    /// The usual line for a setting that is not.
    fn keep<T: PartialEq + ?Sized>(&mut self, what: String, running: &T, new: &T) {
        if running != new {
            self.next_start(format!("{what} changed"));
        }
    }
}

impl Simulator {
    /// Takes over a new configuration, and the state files of users, SOL and LAN channels as
    /// they are on disk, by name. Says what is different and what became of it.
    pub(super) fn reload(&mut self, now: Moment, new: Config, files: &OnDisk, out: &mut Effects) {
        let mut reload = Reload { simulator: self, now, files, out, report: Report::default() };
        reload.everything(new);
        let report = reload.report;
        self.saves.save_guids(out);
        self.carry_out_actions(now, out);
        out.list.push(Effect::Reloaded(report.0));
    }

    /// A state file as it is on disk. While it is being written, what is being written counts.
    fn kept(&self, file: StateFile, files: &OnDisk) -> Option<Items> {
        self.kept_file(file, files).map(|file| file.items)
    }

    fn kept_file(&self, file: StateFile, files: &OnDisk) -> Option<StoredFile> {
        match self.saves.persistence() {
            Persistence::Off => None,
            Persistence::On => {
                let name = self.configured.file_name(file);
                if self.saves.is_ahead_of_disk(file) || files.outdated.contains(&name) {
                    return self.saves.items(&self.machine, file).map(StoredFile::from);
                }
                files.files.get(&name).cloned()
            }
        }
    }

    /// The speed of a SOL port: what clients set, or else what the `sol` line says.
    fn sol_bit_rate(&self, mc: McAddress, line: &SolConfig) -> u32 {
        let sol = self.machine.controller(mc).and_then(|controller| controller.sol.as_ref());
        sol.and_then(|sol| sol_parameters::bits_per_second(sol.volatile_rate)).unwrap_or(line.bit_rate)
    }

    fn access(&mut self, lan: LanId) -> Option<&mut Lan> {
        self.machine.controller_mut(lan.mc)?.channels.lan_mut(lan.channel)
    }

    /// The socket of a LAN channel could not be moved: it is where it was, and the next reload
    /// tries again.
    pub(super) fn lan_stays(&mut self, lan: LanId, address: Option<Address>) {
        self.configured.set_lan_address(lan, address.as_ref());
        self.lans.set_address(lan, address);
    }
}

/// One reading of the configuration that is being carried out.
struct Reload<'a> {
    simulator: &'a mut Simulator,
    now: Moment,
    files: &'a OnDisk,
    out: &'a mut Effects,
    report: Report,
}

impl Reload<'_> {
    fn everything(&mut self, new: Config) {
        let configured = &mut self.simulator.configured;
        self.report.keep("name".into(), configured.name(), &*new.name);
        self.report.keep("console".into(), &place(configured.console()), &place(new.console.as_ref()));
        for name in configured.redefine(new.variables) {
            self.report.now(format!("variable {name} changed"));
        }

        let mut running = self.simulator.configured.controllers().to_vec();
        for new in &new.controllers {
            match running.iter_mut().find(|running| running.address == new.address) {
                Some(running) => self.reload_controller(running, new),
                None => self.report.next_start(format!("MC {:#04x} is new", new.address)),
            }
        }
        for gone in running.iter().filter(|running| new.controllers.iter().all(|new| new.address != running.address)) {
            self.report.next_start(format!("MC {:#04x} is not mentioned any more", gone.address));
        }
        self.simulator.configured.set_controllers(running);
    }

    fn reload_controller(&mut self, running: &mut ControllerConfig, new: &ControllerConfig) {
        let mc = running.address;
        let of = |what: &str| format!("{what} of MC {mc:#04x}");
        self.report.take(&of("chassis_control"), &mut running.chassis_control, &new.chassis_control);
        self.report.take(&of("startcmd"), &mut running.start_command, &new.start_command);
        self.report.take(&of("poweroff_wait"), &mut running.poweroff_wait, &new.poweroff_wait);
        self.report.take(&of("kill_wait"), &mut running.kill_wait, &new.kill_wait);
        if running.start_now != new.start_now {
            running.start_now = new.start_now;
            self.report.next_start(format!("{} changed", of("startnow")));
        }
        if let Some(controller) = self.simulator.machine.controller_mut(mc) {
            controller.chassis.program.clone_from(&running.chassis_control);
            controller.vm.start_command.clone_from(&running.start_command);
            controller.vm.poweroff_wait = running.poweroff_wait;
            controller.vm.kill_wait = running.kill_wait;
        }
        let serials = |config: &ControllerConfig| config.serials.iter().map(without_place).collect::<Vec<_>>();
        self.report.keep(of("serial"), &serials(running), &serials(new));
        let ipmbs = |config: &ControllerConfig| {
            config.ipmbs.iter().map(|ipmb| (ipmb.channel, ipmb.device.clone())).collect::<Vec<_>>()
        };
        self.report.keep(of("ipmb"), &ipmbs(running), &ipmbs(new));
        self.reload_users(running, new);
        self.reload_sol(running, new);
        self.reload_lans(running, new);
    }

    fn reload_sol(&mut self, running: &mut ControllerConfig, new: &ControllerConfig) {
        let mc = running.address;
        let (running, new) = match (&mut running.sol, &new.sol) {
            (Some(running), Some(new)) => (running, new),
            (None, None) => return,
            (None, Some(_)) => return self.report.next_start(format!("sol of MC {mc:#04x} is new")),
            (Some(_), None) => return self.report.next_start(format!("sol of MC {mc:#04x} is gone")),
        };
        if let (SolTarget::Play(playing), SolTarget::Play(play)) = (&mut running.target, &new.target)
            && self.report.take(&format!("what plays at the sol line of MC {mc:#04x}"), playing, play)
        {
            self.simulator.sols.replace_play(self.now, mc, play);
        }
        for (option, same) in [
            ("the port", running.target == new.target),
            ("history=", running.history == new.history),
            ("backupfile=", running.backup_file == new.backup_file),
            ("historyfru=", running.history_fru == new.history_fru),
            ("nortscts", running.rts_cts == new.rts_cts),
        ] {
            if !same {
                self.report.next_start(format!("{option} of the sol line of MC {mc:#04x} changed"));
            }
        }
        self.report.take(
            &format!("readclear of the sol line of MC {mc:#04x}"),
            &mut running.read_clear,
            &new.read_clear,
        );
        let line_changed = running.bit_rate != new.bit_rate;
        let rate_before = self.simulator.sol_bit_rate(mc, running);
        running.bit_rate = new.bit_rate;
        self.simulator.sols.configure(mc, running);
        if let Some(sol) = self.simulator.machine.controller_mut(mc).and_then(|mc| mc.sol.as_mut()) {
            sol.read_clear = running.read_clear;
        }
        let file = StateFile::Sol(mc);
        if self.simulator.saves.persistence() == Persistence::On {
            let items = self.simulator.kept(file, self.files).unwrap_or_default();
            let mut kept = Sol::new(running.history);
            kept.restore(&items);
            if let Some(sol) = self.simulator.machine.controller_mut(mc).and_then(|mc| mc.sol.as_mut()) {
                let of = |what: &str| format!("{what} of SOL of MC {mc:#04x}");
                self.report.take(&of("the on/off switch"), &mut sol.enabled, &kept.enabled);
                self.report.take(&of("the required privilege"), &mut sol.access, &kept.access);
                self.report.take(&of("the timing"), &mut sol.pace, &kept.pace);
                if sol.nonvolatile_rate != kept.nonvolatile_rate {
                    sol.nonvolatile_rate = kept.nonvolatile_rate;
                    sol.volatile_rate = kept.volatile_rate;
                }
            }
            self.simulator.sol_timing(mc);
        }
        let rate = self.simulator.sol_bit_rate(mc, running);
        if rate != rate_before {
            self.report.now(format!("the speed of the SOL port of MC {mc:#04x} is {rate} bit/s"));
            self.out.list.push(Effect::SolBitRate { mc, bits_per_second: rate });
        } else if line_changed {
            self.report.overridden(
                &format!("the speed on the sol line of MC {mc:#04x}"),
                &self.simulator.configured.file_name(file),
            );
        }
    }
}

/// An address without the place where it is written.
fn place(address: Option<&Address>) -> Option<String> {
    address.map(|address| match address.literal() {
        Some(literal) => literal.to_string(),
        None => format!("{} {:?}", address.host, address.port),
    })
}

/// A `serial` line without the place where it stands.
fn without_place(serial: &SerialConfig) -> SerialConfig {
    let mut serial = serial.clone();
    serial.span = Span::default();
    serial.address.span = Span::default();
    serial
}
