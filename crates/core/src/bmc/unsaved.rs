//! What the owners of state files were before changes that may not be on the disk yet, so that
//! a client's change whose file cannot be written is taken back: memory never shows for long
//! what a restart would not.
//!
//! Owns these copies and nothing else. Knows no file; the simulator says when the writing of one
//! begins and how it ended. What did not come from a client (an event, the power) is a fact and
//! is never taken back.

use std::collections::BTreeMap;

use super::chassis::Kept;
use super::lan_parameters::Settled;
use super::sdr::Repository;
use super::security_key::SecurityKey;
use super::sel::{Record, Sel};
use super::sol_parameters::{Access, Pace};
use super::user::Users;
use super::{Action, At, Controller, Machine, StateFile};
use super::{dcmi, pef, system_info};
use crate::ipmi::{AuthTypes, McAddress, Privilege};

/// A change changed nothing, so that there is nothing to be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unchanged;

/// Whether a change is one of what the state file keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Save {
    /// It is.
    Needed,
    /// It is not, or not yet.
    NotNeeded,
}

/// A state file whose content has changed. Nobody makes one but the functions here, so that what clients change
/// is remembered before it is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed(StateFile);

impl Changed {
    /// Which file.
    pub fn file(self) -> StateFile {
        self.0
    }

    #[cfg(any(test, feature = "testing"))]
    pub(super) const fn of(file: StateFile) -> Self {
        Self(file)
    }
}

/// What stands in a state file, as it was.
#[derive(Debug)]
enum Before {
    Users(Users),
    Sol { enabled: bool, access: Access, pace: Pace, nonvolatile_rate: u8 },
    Chassis(Option<Kept>),
    SystemInfo(system_info::Settled),
    Dcmi(Box<dcmi::Settings>),
    Pef(pef::Settled),
    Sel(Sel),
    Sdr(Repository),
    Lan { limit: Privilege, pef_alerting: bool, auths: [AuthTypes; 4], key: SecurityKey, parameters: Box<Settled> },
}

/// Copies of one owner.
#[derive(Debug, Default)]
struct Copies {
    /// Before the changes that are being written.
    writing: Option<Before>,
    /// Before the changes since then.
    later: Option<Before>,
}

/// Copies of all owners with changes that are not on the disk.
#[derive(Debug, Default)]
pub struct Unsaved {
    copies: BTreeMap<StateFile, Copies>,
    /// Events are just being logged because a client asked for it.
    by_client: bool,
}

impl Unsaved {
    /// The file begins to be written as its owner is now.
    pub fn writing(&mut self, file: StateFile) {
        if let Some(copies) = self.copies.get_mut(&file) {
            copies.writing = copies.later.take();
        }
    }

    /// What was begun is on the disk.
    pub fn written(&mut self, file: StateFile) {
        if let Some(copies) = self.copies.get_mut(&file) {
            copies.writing = None;
            if copies.later.is_none() {
                self.copies.remove(&file);
                self.give_back();
            }
        }
    }

    /// An empty map keeps its memory, and most of the time everything is saved.
    fn give_back(&mut self) {
        if self.copies.is_empty() {
            self.copies = BTreeMap::new();
        }
    }

    /// Forgets the copies of owners whose file nobody writes: nothing changed after all, or
    /// nothing is kept.
    pub fn forget_unless(&mut self, is_written: impl Fn(StateFile) -> bool) {
        if !self.copies.is_empty() {
            self.copies.retain(|file, _| is_written(*file));
            self.give_back();
        }
    }

    /// A record came into a log and stays there, whatever becomes of clients' changes.
    fn record_stays(&mut self, file: StateFile, record: &Record) {
        if let Some(copies) = self.copies.get_mut(&file) {
            for before in [&mut copies.writing, &mut copies.later].into_iter().flatten() {
                if let Before::Sel(sel) = before {
                    sel.keep(record);
                }
            }
        }
    }
}

impl Machine {
    /// To be called before a client's change to what stands in `file`: it is taken back if the
    /// file cannot be written.
    fn remember(&mut self, file: StateFile) {
        if self.unsaved.copies.get(&file).is_some_and(|copies| copies.later.is_some()) {
            return;
        }
        if let Some(before) = self.before(file) {
            self.unsaved.copies.entry(file).or_default().later = Some(before);
        }
    }

    /// The file could not be written: takes back what clients changed since it was written last.
    pub fn take_back(&mut self, file: StateFile) {
        let Some(copies) = self.unsaved.copies.remove(&file) else { return };
        self.unsaved.give_back();
        let Some(before) = copies.writing.or(copies.later) else { return };
        let owner = match file {
            StateFile::Users(mc) | StateFile::Sol(mc) | StateFile::Chassis(mc) => mc,
            StateFile::SystemInfo(mc) | StateFile::Dcmi(mc) | StateFile::Process(mc) | StateFile::Pef(mc) => mc,
            StateFile::Sel(mc) | StateFile::Sdr(mc) | StateFile::Lan { mc, .. } => mc,
        };
        let Some(controller) = self.controller_mut(owner) else { return };
        match (before, file) {
            (Before::Users(users), _) => controller.users = users,
            (Before::Sol { enabled, access, pace, nonvolatile_rate }, _) => {
                if let Some(sol) = controller.sol.as_mut() {
                    (sol.enabled, sol.access, sol.pace) = (enabled, access, pace);
                    sol.nonvolatile_rate = nonvolatile_rate;
                }
            }
            (Before::Chassis(kept), _) => controller.chassis.take_back(kept),
            (Before::Dcmi(before), _) => controller.dcmi.settings = *before,
            (Before::Pef(before), _) => controller.pef.take_back(before),
            (Before::SystemInfo(before), _) => controller.system_info.take_back(before),
            (Before::Sel(sel), _) => controller.sel.take_back(sel),
            (Before::Sdr(sdr), _) => controller.sdr.take_back(sdr),
            (Before::Lan { limit, pef_alerting, auths, key, parameters }, StateFile::Lan { channel, .. }) => {
                if let Some(lan) = controller.channels.lan_mut(channel) {
                    lan.nonvolatile_limit = limit;
                    lan.nonvolatile_pef_alerting = pef_alerting;
                    lan.restrict_auths(auths);
                    lan.key.take_set(&key);
                    lan.parameters.take_back(*parameters);
                }
            }
            (Before::Lan { .. }, _) => {}
        }
    }

    fn before(&self, file: StateFile) -> Option<Before> {
        Some(match file {
            StateFile::Users(mc) => Before::Users(self.controller(mc)?.users.clone()),
            StateFile::Sol(mc) => {
                let sol = self.controller(mc)?.sol.as_ref()?;
                Before::Sol {
                    enabled: sol.enabled,
                    access: sol.access,
                    pace: sol.pace,
                    nonvolatile_rate: sol.nonvolatile_rate,
                }
            }
            StateFile::Chassis(mc) => Before::Chassis(self.controller(mc)?.chassis.kept().copied()),
            StateFile::SystemInfo(mc) => Before::SystemInfo(self.controller(mc)?.system_info.settled().clone()),
            StateFile::Dcmi(mc) => Before::Dcmi(Box::new(self.controller(mc)?.dcmi.settings.clone())),
            StateFile::Pef(mc) => Before::Pef(self.controller(mc)?.pef.settled()),
            StateFile::Sel(mc) => Before::Sel(self.controller(mc)?.sel.clone()),
            // A process is a fact.
            StateFile::Process(_) => return None,
            StateFile::Sdr(mc) => Before::Sdr(self.controller(mc)?.sdr.clone()),
            StateFile::Lan { mc, channel } => {
                let lan = self.controller(mc)?.channels.lan(channel)?;
                Before::Lan {
                    limit: lan.nonvolatile_limit,
                    pef_alerting: lan.nonvolatile_pef_alerting,
                    auths: lan.allowed_auths,
                    key: lan.key.clone(),
                    parameters: Box::new(lan.parameters.settled()),
                }
            }
        })
    }
}

impl At<'_> {
    /// Does what a client asked for: records it adds to logs are taken back as well.
    pub fn for_client<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        self.machine_mut().unsaved.by_client = true;
        let result = act(self);
        self.machine_mut().unsaved.by_client = false;
        result
    }

    /// Adds a record to the log and has the log saved. The record stays, whatever becomes of clients' changes, unless
    /// it is added [for a client](Self::for_client).
    pub(super) fn log<E>(&mut self, add: impl FnOnce(&mut Sel) -> Result<u16, E>) -> Result<u16, E> {
        let file = StateFile::Sel(self.address);
        let by_client = self.machine().unsaved.by_client;
        if by_client {
            self.machine_mut().remember(file);
        }
        let id = add(&mut self.sel)?;
        let added = self.sel.find(id).map(|(record, _)| *record);
        if let Some(added) = added.filter(|_| !by_client) {
            self.machine_mut().unsaved.record_stays(file, &added);
        }
        self.push(Action::Save(Changed(file)));
        Ok(id)
    }

    /// A client's change to what stands in a state file of this controller: remembered as it was, so that it is
    /// taken back if the file cannot be written, changed, and saved.
    ///
    /// # Errors
    /// Of the change itself: nothing has changed then, and nothing is saved.
    pub fn change<T, E>(
        &mut self,
        file: impl FnOnce(McAddress) -> StateFile,
        change: impl FnOnce(&mut Controller) -> Result<T, E>,
    ) -> Result<T, E> {
        self.change_some(file, |controller| change(controller).map(|changed| (Save::Needed, changed)))
    }

    /// The same for a change that says itself whether the file keeps anything of it.
    ///
    /// # Errors
    /// Of the change itself: nothing has changed then, and nothing is saved.
    pub fn change_some<T, E>(
        &mut self,
        file: impl FnOnce(McAddress) -> StateFile,
        change: impl FnOnce(&mut Controller) -> Result<(Save, T), E>,
    ) -> Result<T, E> {
        let file = file(self.address);
        self.machine_mut().remember(file);
        let (save, changed) = change(self)?;
        if save == Save::Needed {
            self.push(Action::Save(Changed(file)));
        }
        Ok(changed)
    }

    /// Has a state file of this controller saved for something that has happened: nobody takes it back. What
    /// clients change goes through [`change`](Self::change).
    pub(super) fn save_fact(&mut self, file: impl FnOnce(McAddress) -> StateFile) {
        let file = file(self.address);
        self.push(Action::Save(Changed(file)));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bmc::sel;
    use crate::ipmi::Moment;

    const MC: McAddress = McAddress::BMC;
    const LOG: StateFile = StateFile::Sel(MC);

    fn machine() -> Machine {
        let mut machine = Machine::default();
        let controller = machine.ensure(MC);
        controller.device.device_support = crate::bmc::device_id::support::SEL;
        controller.sel.enable(10, 0);
        machine
    }

    fn log(at: &mut At<'_>, mark: u8) {
        let mut record = [mark; 16];
        record[2] = 0xe0;
        sel::log(at, Moment::new(Duration::from_secs(1)), record).expect("room");
    }

    fn marks(machine: &mut Machine) -> Vec<u8> {
        machine.ensure(MC).sel.records().map(|record| record[15]).collect()
    }

    #[test]
    fn what_clients_added_is_taken_back_and_events_stay() {
        let mut machine = machine();
        log(&mut machine.found(MC), 1);
        machine.found(MC).for_client(|at| log(at, 2));
        log(&mut machine.found(MC), 3);
        machine.unsaved.writing(LOG);
        log(&mut machine.found(MC), 4);
        machine.found(MC).for_client(|at| log(at, 5));
        log(&mut machine.found(MC), 6);
        assert_eq!(marks(&mut machine), [1, 2, 3, 4, 5, 6]);
        machine.take_back(LOG);
        assert_eq!(marks(&mut machine), [1, 3, 4, 6]);
        let ids: Vec<_> = machine.ensure(MC).sel.records().map(|record| record[0]).collect();
        assert_eq!(ids, [1, 3, 4, 6], "an id somebody may have seen stays");
        machine.take_back(LOG);
        assert_eq!(marks(&mut machine), [1, 3, 4, 6]);
    }

    #[test]
    fn what_is_written_is_not_taken_back() {
        let mut machine = machine();
        machine.found(MC).for_client(|at| log(at, 1));
        machine.unsaved.writing(LOG);
        machine.found(MC).for_client(|at| log(at, 2));
        machine.unsaved.written(LOG);
        machine.unsaved.writing(LOG);
        machine.take_back(LOG);
        assert_eq!(marks(&mut machine), [1]);
    }

    #[test]
    fn the_power_is_a_fact() {
        let mut machine = machine();
        let file = StateFile::Chassis(MC);
        let kept = Kept { power: false, ..Kept::default() };
        machine.ensure(MC).chassis.restore(kept);
        machine.remember(file);
        machine.ensure(MC).chassis.restore(Kept { power: true, cycle_interval: 9, ..kept });
        machine.take_back(file);
        assert_eq!(machine.ensure(MC).chassis.kept(), Some(&Kept { power: true, ..kept }));
    }

    #[test]
    fn a_copy_of_what_nobody_writes_is_forgotten() {
        let mut machine = machine();
        machine.remember(LOG);
        machine.unsaved.forget_unless(|_| false);
        machine.found(MC).for_client(|at| log(at, 1));
        machine.take_back(LOG);
        assert_eq!(marks(&mut machine), []);
    }
}
