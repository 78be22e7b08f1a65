//! One system in the loop, and what belongs to it alone: its jobs, lines and processes, what is being written for it,
//! and where its configuration comes from.
//!
//! Looks at no socket and no clock.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use super::driver::announce::Announcement;
use super::driver::reload::{Reader, Reload};
use super::lines::Lines;
use super::processes::Processes;
use super::script::Script;
use crate::host::HostEvents;
use crate::host::jobs::{Jobs, StateWriter};
use crate::ipmi::Moment;
use crate::sim::{Effects, Input, Simulator, Work};

/// A system that is to be driven.
pub struct SystemPlan {
    /// The system, at the beginning of its life.
    pub system: Box<Simulator>,
    /// What is executed at start.
    pub script: Script,
    /// lan.conf, as the user named it, for messages.
    pub configuration: String,
    /// Where included files are looked for.
    pub directories: Vec<PathBuf>,
    /// How state files are written, if they are.
    pub state: Option<StateWriter>,
    /// How the configuration is read again.
    pub reader: Reader,
    /// What is said of the start.
    pub announcement: Announcement,
}

/// A system in the loop.
pub(super) struct Seat {
    pub(super) system: Box<Simulator>,
    pub(super) lines: Lines,
    pub(super) processes: Processes,
    pub(super) configuration: String,
    pub(super) directories: Vec<PathBuf>,
    pub(super) announcement: Announcement,
    pub(super) reader: Reader,
    pub(super) reload: Option<Reload>,
    jobs: Jobs,
    /// State files being written, by their jobs.
    state_writes: HashMap<u64, String>,
    /// Jobs that must be done before the program may end.
    writes: HashSet<u64>,
    /// What the wall clock showed last, with the time of that.
    wall: Option<(Moment, i64)>,
}

impl Seat {
    /// A system that nothing was done for yet, and its script.
    pub(super) fn new(plan: SystemPlan, program_limit: Duration, events: &HostEvents) -> (Self, Script) {
        let seat = Self {
            system: plan.system,
            lines: Lines::new(events.clone()),
            processes: Processes::new(events.clone()),
            configuration: plan.configuration,
            directories: plan.directories,
            announcement: plan.announcement,
            reader: plan.reader,
            reload: None,
            jobs: Jobs::new(events.clone(), plan.state, program_limit),
            state_writes: HashMap::new(),
            writes: HashSet::new(),
            wall: None,
        };
        (seat, plan.script)
    }

    /// Tells the system what happened, and the wall clock when that may be news.
    pub(super) fn handle(&mut self, now: Moment, wall: (Moment, i64), input: Input<'_>, out: &mut Effects) {
        self.look_at_the_wall_clock(wall, out);
        self.system.handle(now, input, out);
    }

    /// It may have been set meanwhile, and what comes now may be kept with it.
    pub(super) fn look_at_the_wall_clock(&mut self, wall: (Moment, i64), out: &mut Effects) {
        if self.wall != Some(wall) {
            self.wall = Some(wall);
            self.system.handle(wall.0, Input::WallClock(wall.1), out);
        }
    }

    /// Begins slow work.
    pub(super) fn run(&mut self, work: Work) {
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
        self.jobs.run(work);
    }

    /// Work is done.
    pub(super) fn work_ended(&mut self, job: u64) {
        self.writes.remove(&job);
        self.state_writes.remove(&job);
    }

    /// Whether nothing is being written.
    pub(super) fn is_safe(&self) -> bool {
        self.writes.is_empty()
    }

    /// State files that are being written.
    pub(super) fn being_written(&self) -> impl Iterator<Item = &String> {
        self.state_writes.values()
    }
}
