//! The systems in the loop: each in its seat, with what the program knows about it. They come and go.

use std::sync::Arc;

use super::Driver;
use super::announce::Announcement;
use super::reload::{Reader, Reload};
use super::statements::{Begun, Run};
use crate::host::jobs::{Helpers, StateWriter};
use crate::host::{HostEvents, SystemId};
use crate::runtime::clock;
use crate::runtime::door::history::What;
use crate::runtime::script::{Folders, Script};
use crate::runtime::seat::{Seat, Setup};
use crate::sim::{Effect, Input, Simulator};

/// A system that is to be driven.
pub struct SystemPlan {
    /// Its number in the configuration of a fleet, for its helper programs; 0 where there is only one.
    pub index: usize,
    /// The system, at the beginning of its life.
    pub system: Box<Simulator>,
    /// What is executed at start.
    pub script: Script,
    /// lan.conf, as the user named it, for messages.
    pub configuration: String,
    /// Where files that statements name are looked for.
    pub folders: Arc<Folders>,
    /// How state files are written, if they are.
    pub state: Option<StateWriter>,
    /// How the configuration is read again.
    pub reader: Reader,
    /// What is said of the start.
    pub announcement: Announcement,
    /// The row of the fleet that it is of.
    pub row: Arc<str>,
    /// How far it has come.
    pub stage: Stage,
}

/// How far a system has come before it is driven.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// It is at the beginning of its life.
    #[default]
    New,
    /// It has begun, and wants this done outside; what is left of its script waits for that.
    Begun(Vec<Effect>),
    /// It has started, and wants this done outside.
    Started(Vec<Effect>),
}

/// How many systems the program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One: what it cannot do without ends the program.
    One,
    /// Any number, which come and go: what one of them cannot do without ends only that one, unless the start is
    /// strict; what is said of one has its name.
    Fleet,
}

/// A system in the loop.
pub(super) struct Driven {
    pub(super) seat: Seat,
    pub(super) folders: Arc<Folders>,
    pub(super) announcement: Announcement,
    pub(super) index: usize,
    pub(super) row: Arc<str>,
    pub(super) reader: Reader,
    pub(super) reload: Option<Reload>,
    /// Its command file and `-x`, until they are done.
    pub(super) start: Option<Box<Run>>,
    pub(super) presence: Presence,
}

/// Whether a system is to be told what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is.
    Here,
    /// Only what was written: it goes when everything is.
    Leaving,
}

impl Driven {
    /// What a message about one of many begins with.
    pub(super) fn name(&self) -> &str {
        &self.announcement.name
    }
}

/// All systems, by their ids.
#[derive(Default)]
pub(super) struct Systems {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Default)]
struct Place {
    /// How many systems have gone from here.
    generation: u32,
    system: Option<Box<Driven>>,
}

impl Systems {
    /// Takes in a system that `make` gives for its id.
    pub(super) fn insert(&mut self, make: impl FnOnce(SystemId) -> Driven) -> SystemId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() as u32 - 1
        });
        let generation = self.places.get(index as usize).map_or(0, |place| place.generation);
        let id = SystemId { index, generation };
        if let Some(place) = self.places.get_mut(index as usize) {
            place.system = Some(Box::new(make(id)));
        }
        id
    }

    /// Forgets a system.
    pub(super) fn remove(&mut self, id: SystemId) {
        let place = self.places.get_mut(id.index as usize).filter(|place| place.generation == id.generation);
        if let Some(place) = place
            && place.system.take().is_some()
        {
            // After four thousand million the place is not used any more.
            if let Some(next) = place.generation.checked_add(1) {
                place.generation = next;
                self.free.push(id.index);
            }
        }
    }

    pub(super) fn get(&self, id: SystemId) -> Option<&Driven> {
        let place = self.places.get(id.index as usize).filter(|place| place.generation == id.generation)?;
        place.system.as_deref()
    }

    pub(super) fn get_mut(&mut self, id: SystemId) -> Option<&mut Driven> {
        let place = self.places.get_mut(id.index as usize).filter(|place| place.generation == id.generation)?;
        place.system.as_deref_mut()
    }

    /// A system that is not leaving.
    pub(super) fn here(&mut self, id: SystemId) -> Option<&mut Driven> {
        self.get_mut(id).filter(|driven| driven.presence == Presence::Here)
    }

    /// The ids of all.
    pub(super) fn ids(&self) -> impl Iterator<Item = SystemId> {
        let places = self.places.iter().zip(0..).filter(|(place, _)| place.system.is_some());
        places.map(|(place, index)| SystemId { index, generation: place.generation })
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Driven> {
        self.places.iter().filter_map(|place| place.system.as_deref())
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.places.len()
    }
}

impl Driver {
    /// Takes in a system, which begins with the loop, or is told so by whoever adds it.
    pub(super) fn seat(&mut self, plan: SystemPlan) -> SystemId {
        let SystemPlan { index, mut system, script, configuration, folders, state, reader, announcement, row, stage } =
            plan;
        let is_started = matches!(stage, Stage::Started(_));
        let (programs, to_host_events) = (Arc::clone(&self.programs), &self.to_host_events);
        if self.callers.is_some() {
            system.watch();
        }
        let helpers = Helpers { programs, name: Arc::clone(&announcement.name), index };
        let id = self.systems.insert(|id| {
            let setup = Setup { system, configuration, state, helpers };
            Driven {
                seat: Seat::new(setup, &HostEvents::new(id, to_host_events.clone())),
                folders,
                announcement,
                index,
                row,
                reader,
                reload: None,
                start: (!is_started).then(|| Box::new(Run::new(id, script))),
                presence: Presence::Here,
            }
        });
        if !is_started {
            self.starts.add(id);
        }
        if let (Some(fleet), Some(driven)) = (&mut self.fleet, self.systems.get(id)) {
            fleet.insert(Arc::clone(&driven.row), id);
        }
        if let (Some(callers), Some(driven)) = (&mut self.callers, self.systems.get(id)) {
            callers.came(&driven.announcement.name, id);
            self.tell_callers_of(&driven.announcement.name, What::Added);
        }
        self.seated.push_back((id, stage));
        id
    }

    /// Begins with the systems that were taken in.
    pub(super) fn begin(&mut self) {
        while let Some((id, stage)) = self.seated.pop_front() {
            match stage {
                Stage::New => self.handle(id, Input::Begin),
                Stage::Begun(effects) => self.go_on(id, effects),
                Stage::Started(effects) => {
                    self.effects.list.extend(effects);
                    self.carry_out(id);
                }
            }
        }
    }

    /// Carries out what the script of a system has begun; the rest of it waits for that.
    fn go_on(&mut self, id: SystemId, effects: Vec<Effect>) {
        self.begun = Some(Begun { system: id, saves: Vec::new(), work: Vec::new() });
        self.effects.list.extend(effects);
        self.carry_out(id);
        let (begun, limit) = (self.begun.take(), clock::now() + self.statement_limit);
        if let (Some(begun), Some(driven)) = (begun, self.systems.here(id))
            && let Some(run) = &mut driven.start
        {
            run.work.extend(begun.work);
            run.patience = Some(limit);
        }
    }

    /// Adds a system while the others run: it begins, its command file is executed, and then it has started.
    pub(super) fn add(&mut self, plan: SystemPlan) -> SystemId {
        let id = self.seat(plan);
        self.begin();
        id
    }

    /// Removes a system: its sessions end, its ports and lines are closed, and when everything is written it is gone.
    /// Nothing is told to it meanwhile.
    pub(super) fn remove(&mut self, id: SystemId) {
        if self.systems.here(id).is_none() {
            return;
        }
        self.handle(id, Input::End);
        self.tell_callers_of_sessions(id);
        let Some(driven) = self.systems.here(id) else { return };
        driven.presence = Presence::Leaving;
        driven.seat.leave();
        driven.reload = None;
        let was_starting = driven.start.take().is_some();
        if let Some(fleet) = &mut self.fleet {
            fleet.remove(&driven.row, id);
        }
        self.life.reload_ends(id);
        self.lans.close_system(id);
        self.timers.forget(id);
        self.forget_if_safe(id);
        self.arrived(id);
        if was_starting {
            self.starts.end(id);
            self.start_ended();
        }
    }

    /// A system that leaves has gone when nothing is being written for it.
    pub(super) fn forget_if_safe(&mut self, id: SystemId) {
        let is_gone = |driven: &Driven| driven.presence == Presence::Leaving && driven.seat.is_safe();
        if let Some(driven) = self.systems.get(id).filter(|driven| is_gone(driven)) {
            let name = Arc::clone(&driven.announcement.name);
            self.systems.remove(id);
            if let Some(callers) = &mut self.callers {
                callers.gone(&name, id);
            }
            self.tell_callers_of(&name, What::Removed);
        }
    }

    /// Removes the systems that cannot be served as they are set up.
    pub(super) fn remove_failed(&mut self) {
        self.tell_unserved_if_due();
        while let Some(id) = self.failed.pop() {
            if let (Some(fleet), Some(driven)) = (&mut self.fleet, self.systems.here(id)) {
                fleet.lose(Arc::clone(&driven.row));
            }
            self.remove(id);
        }
    }
}
