//! The fleet that the systems in the loop are: what is said of it, and what becomes of it when it is read again.
//!
//! Owns what is still to be done of a reload: a little at a time, so that nobody else waits.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::announce::{Announcement, bmcs};
use super::consoles::Bmc;
use super::reload::Read;
use super::statements::Run;
use super::systems::{Driven, Scope, SystemPlan};
use super::{Driver, SLICE};
use crate::bmc::LogLevel;
use crate::config::suggest::nearest;
use crate::config::text::quote;
use crate::host::SystemId;
use crate::host::workers;
use crate::runtime::clock;
use crate::runtime::door::Creator;
use crate::sim::{ConsoleId, Input, OnDisk};

/// How many BMCs `bmcs` lists.
const MOST_LISTED: usize = 500;

/// Where systems come from that come and go.
pub struct FleetPlan {
    /// What is said of all of them; its name stands behind how many they are.
    pub announcement: Announcement,
    /// How they are read again.
    pub reader: FleetReader,
    /// How BMCs are made at run time.
    pub creator: Creator,
}

/// What is different when a fleet is read again, given the rows of systems that could not be served since the last time.
/// `Err`: why nothing changes, one text for each fault.
pub type FleetReader = Arc<dyn Fn(&[Arc<str>]) -> FleetRead + Send + Sync>;

/// What was read again.
pub type FleetRead = Result<Difference, Vec<String>>;

/// What is different.
#[derive(Default)]
pub struct Difference {
    /// Rows of systems that end.
    pub gone: Vec<Arc<str>>,
    /// Rows whose configuration is another, and what is read of it.
    pub changed: Vec<(Arc<str>, Read)>,
    /// Systems that begin.
    pub new: Vec<SystemPlan>,
    /// What is wrong, one text each.
    pub faults: Vec<(LogLevel, String)>,
}

/// One step of a reload.
enum Step {
    Remove(SystemId),
    Reload(SystemId, Box<Read>),
    Add(Box<SystemPlan>),
}

/// The fleet in the loop.
pub(super) struct Fleet {
    pub(super) announcement: Announcement,
    reader: FleetReader,
    creator: Creator,
    /// The systems that are here, by their rows.
    rows: HashMap<Arc<str>, SystemId>,
    /// Rows of systems that could not be served, for the reader.
    lost: Vec<Arc<str>>,
    steps: VecDeque<Step>,
    is_read: bool,
    /// SIGHUP came again meanwhile.
    again: bool,
    /// BMCs that came, and reloads that were carried out, since SIGHUP.
    told: String,
}

impl Fleet {
    pub(super) fn new(plan: FleetPlan) -> Self {
        let FleetPlan { announcement, reader, creator } = plan;
        Self {
            announcement,
            reader,
            creator,
            rows: HashMap::new(),
            lost: Vec::new(),
            steps: VecDeque::new(),
            is_read: false,
            again: false,
            told: String::new(),
        }
    }

    /// How BMCs are made at run time.
    pub(super) fn creator(&self) -> Creator {
        Arc::clone(&self.creator)
    }

    /// A system has come.
    pub(super) fn insert(&mut self, row: Arc<str>, id: SystemId) {
        self.lost.retain(|lost| *lost != row);
        self.rows.insert(row, id);
    }

    /// A system goes.
    pub(super) fn remove(&mut self, row: &str, id: SystemId) {
        if self.rows.get(row) == Some(&id) {
            self.rows.remove(row);
        }
    }

    /// A system cannot be served as it is set up.
    pub(super) fn lose(&mut self, row: Arc<str>) {
        self.lost.push(row);
    }
}

impl Driver {
    /// What the service manager shows of a fleet.
    pub(super) fn fleet_status(&self) -> String {
        format!("{} answering", bmcs(self.systems.count()))
    }

    /// SIGHUP. False: there is no fleet.
    pub(super) fn begin_fleet_reload(&mut self) -> bool {
        let Some(fleet) = &mut self.fleet else { return false };
        self.life.reload_asked(clock::now());
        if fleet.is_read || !fleet.steps.is_empty() {
            fleet.again = true;
            return true;
        }
        (fleet.is_read, fleet.again) = (true, false);
        let lost = std::mem::take(&mut fleet.lost);
        let (reader, done) = (Arc::clone(&fleet.reader), self.to_fleets.clone());
        self.life.fleet_reload_begins();
        workers::run_behind(move || drop(done.send(reader(&lost))));
        true
    }

    /// Everything was read again, or could not be.
    pub(super) fn fleet_read(&mut self, read: FleetRead) {
        let Some(fleet) = &mut self.fleet else { return };
        fleet.is_read = false;
        match read {
            Err(faults) => {
                for fault in faults {
                    self.reports.report(LogLevel::Error, &fault);
                }
                self.reports.report(LogLevel::Error, "SIGHUP: no changes: the fleet could not be read again");
            }
            Ok(Difference { gone, changed, new, faults }) => {
                fleet.told = match (new.len(), gone.len(), changed.len()) {
                    (0, 0, 0) => "SIGHUP: no changes: the fleet is the same as before".into(),
                    (new, gone, changed) => {
                        format!("SIGHUP: the fleet was read again: {new} new, {gone} gone, {changed} changed")
                    }
                };
                // Addresses are free before others take them.
                let id = |row: &Arc<str>| fleet.rows.get(row).copied();
                fleet.steps.extend(gone.iter().filter_map(|row| Some(Step::Remove(id(row)?))));
                fleet.steps.extend(
                    changed.into_iter().filter_map(|(row, read)| Some(Step::Reload(id(&row)?, Box::new(read)))),
                );
                fleet.steps.extend(new.into_iter().map(|plan| Step::Add(Box::new(plan))));
                for (level, fault) in faults {
                    self.reports.report(level, &fault);
                }
            }
        }
        self.end_fleet_reload_if_done();
    }

    /// Whether a step of a reload is to be done.
    pub(super) fn has_steps(&self) -> bool {
        self.fleet.as_ref().is_some_and(|fleet| !fleet.steps.is_empty())
    }

    /// Does some steps of a reload, if there are any.
    pub(super) fn steps(&mut self) {
        if !self.has_steps() {
            return;
        }
        let end = clock::now() + SLICE;
        while let Some(step) = self.fleet.as_mut().and_then(|fleet| fleet.steps.pop_front()) {
            match step {
                Step::Remove(id) => self.remove(id),
                Step::Reload(id, read) => self.reload_one(id, *read),
                Step::Add(plan) => drop(self.add(*plan)),
            }
            self.give_inputs();
            if clock::now() >= end {
                break;
            }
        }
        self.end_fleet_reload_if_done();
    }

    fn reload_one(&mut self, id: SystemId, read: Read) {
        let Some(driven) = self.systems.here(id) else { return };
        match read {
            Ok(fresh) => {
                let outdated = driven.seat.being_written().cloned().collect();
                let files = OnDisk { files: fresh.files, outdated };
                self.handle(id, Input::Reload { config: Box::new(fresh.config), files });
            }
            Err(faults) => {
                let name = driven.name().to_owned();
                for fault in faults {
                    self.reports.report(LogLevel::Error, &format!("{name}: SIGHUP: no changes: {fault}"));
                }
            }
        }
    }

    // --- consoles ---

    /// Consoles of a fleet talk to its first BMC at first.
    pub(super) fn set_first_bmc(&mut self) {
        if self.scope == Scope::Fleet
            && let Some(bmc) = self.first_bmc()
        {
            self.consoles.set_bmc(bmc);
        }
    }

    fn first_bmc(&self) -> Option<Bmc> {
        let id = self.systems.ids().next()?;
        Some(Bmc::named(id, self.systems.get(id)?.name()))
    }

    /// The BMC that a console talks to may have gone: then it is another.
    pub(super) fn find_another_bmc(&mut self, console: ConsoleId, run: &mut Run) {
        if self.scope == Scope::One || self.systems.here(run.system).is_some() {
            return;
        }
        if let Some(bmc) = self.first_bmc() {
            let name = self.systems.get(bmc.system()).map_or("", Driven::name);
            self.consoles.print(console, &format!("The BMC has gone; this console talks to {name} now\n"));
            run.system = bmc.system();
            self.consoles.choose_bmc(console, bmc.clone());
            self.consoles.set_bmc(bmc);
        }
    }

    /// `bmc`: a console talks to the BMC of this name from now on.
    ///
    /// # Errors
    /// There is none, in one line.
    pub(super) fn choose_bmc(&mut self, console: ConsoleId, now: SystemId, name: &str) -> Result<(), String> {
        if name.is_empty() {
            let text = format!("{}\n", self.systems.get(now).map_or("", Driven::name));
            self.consoles.print(console, &text);
            return Ok(());
        }
        let found = self.systems.ids().find(|id| self.systems.get(*id).is_some_and(|driven| driven.name() == name));
        let Some(id) = found else {
            let hint = nearest(name, self.systems.iter().map(Driven::name));
            let hint = hint.map(|near| format!(", did you mean '{near}'?")).unwrap_or_default();
            return Err(format!("There is no BMC {}{hint}; bmcs lists them", quote(name)));
        };
        self.consoles.choose_bmc(console, Bmc::named(id, name));
        Ok(())
    }

    /// `bmcs`: the BMCs with this in their names, and where they are.
    pub(super) fn list_bmcs(&self, about: &str) -> String {
        let mut text = String::new();
        let (mut shown, mut more) = (0, 0);
        for id in self.systems.ids() {
            let Some(driven) = self.systems.get(id).filter(|driven| driven.name().contains(about)) else { continue };
            if shown == MOST_LISTED {
                more += 1;
                continue;
            }
            shown += 1;
            let places: Vec<String> = self.lans.places_of_system(id).map(|(_, place)| place.to_string()).collect();
            let places = if places.is_empty() { "no LAN".into() } else { places.join(" ") };
            text += &format!("{}  {places}\n", driven.name());
        }
        match (shown, more) {
            (0, _) => "There is no such BMC\n".into(),
            (_, 0) => text,
            _ => text + &format!("and {more} more; bmcs TEXT lists those with TEXT in their names\n"),
        }
    }

    fn end_fleet_reload_if_done(&mut self) {
        let Some(fleet) = self.fleet.as_mut().filter(|fleet| fleet.steps.is_empty() && !fleet.is_read) else { return };
        let (told, again) = (std::mem::take(&mut fleet.told), std::mem::take(&mut fleet.again));
        if !told.is_empty() {
            self.reports.report(LogLevel::Info, &told);
        }
        let status = self.fleet_status();
        self.life.set_status(status);
        self.life.fleet_reload_ends();
        if again {
            self.begin_fleet_reload();
        } else {
            self.life.reload_over();
        }
    }
}
