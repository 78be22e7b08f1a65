//! The systems in the loop: each in its seat, with what the program knows about it.

use std::path::PathBuf;
use std::time::Duration;

use super::announce::Announcement;
use super::reload::{Reader, Reload};
use crate::host::HostEvents;
use crate::host::jobs::StateWriter;
use crate::runtime::script::Script;
use crate::runtime::seat::{Seat, Setup};
use crate::sim::Simulator;

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
pub(super) struct Driven {
    pub(super) seat: Seat,
    pub(super) directories: Vec<PathBuf>,
    pub(super) announcement: Announcement,
    pub(super) reader: Reader,
    pub(super) reload: Option<Reload>,
}

impl Driven {
    /// A system that nothing was done for yet, and its script.
    pub(super) fn new(plan: SystemPlan, program_limit: Duration, events: &HostEvents) -> (Self, Script) {
        let SystemPlan { system, script, configuration, directories, state, reader, announcement } = plan;
        let seat = Seat::new(Setup { system, configuration, state, program_limit }, events);
        (Self { seat, directories, announcement, reader, reload: None }, script)
    }
}
