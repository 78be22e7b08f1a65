//! How far the life of the program is, for the service manager: start, readiness, reload, end.
//!
//! Owns what was told, and which systems are being read again.

use std::collections::BTreeSet;

use super::announce::Readiness;
use crate::host::SystemId;
use crate::ipmi::Moment;
use crate::runtime::service::Service;

/// The life of the program.
pub(super) struct Life {
    service: Service,
    /// What is printed when everything is open.
    ready_line: Option<String>,
    /// The end of the start was told, or why it is none.
    readiness: Readiness,
    /// Systems whose configuration is being read again.
    reloading: BTreeSet<SystemId>,
    /// A fleet is being read again.
    fleet: bool,
}

impl Life {
    /// At its start.
    pub(super) fn new(service: Service, ready_line: Option<String>) -> Self {
        Self { service, ready_line, readiness: Readiness::Starting, reloading: BTreeSet::new(), fleet: false }
    }

    /// When the next sign of life is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.service.deadline()
    }

    /// Gives a sign of life if it is due.
    pub(super) fn alive(&mut self, now: Moment) {
        self.service.alive(now);
    }

    /// The end begins.
    pub(super) fn stopping(&self) {
        self.service.stopping();
    }

    /// Whether command files are executed for the first time.
    pub(super) fn is_starting(&self) -> bool {
        self.readiness == Readiness::Starting
    }

    /// Whether it was told that everything is open.
    pub(super) fn is_ready(&self) -> bool {
        self.readiness == Readiness::Ready
    }

    /// Nothing is open. Says whether that is news.
    pub(super) fn nothing_open(&mut self) -> bool {
        self.service.set_status("Not ready: no channel is open".into());
        let is_news = self.readiness == Readiness::Starting;
        if is_news {
            self.readiness = Readiness::NothingOpen;
            self.service.not_ready();
        }
        is_news
    }

    /// Everything is open, as `status` says. Gives what is to be printed before [`tell_ready`](Self::tell_ready).
    pub(super) fn open(&mut self, status: String) -> Option<&str> {
        self.service.set_status(status);
        self.readiness = Readiness::Ready;
        self.ready_line.as_deref()
    }

    /// What the service manager shows from the next word to it on.
    pub(super) fn set_status(&mut self, status: String) {
        self.service.set_status(status);
    }

    /// Tells the service manager so.
    pub(super) fn tell_ready(&self) {
        self.service.ready();
    }

    /// Everything is to be read again.
    pub(super) fn reload_asked(&self, now: Moment) {
        if self.reloading.is_empty() && !self.fleet {
            self.service.reloading(now);
        }
    }

    /// A fleet is being read again.
    pub(super) fn fleet_reload_begins(&mut self) {
        self.fleet = true;
    }

    /// That is over, but for [`reload_over`](Self::reload_over).
    pub(super) fn fleet_reload_ends(&mut self) {
        self.fleet = false;
    }

    /// A system is being read again.
    pub(super) fn reload_begins(&mut self, system: SystemId) {
        self.reloading.insert(system);
    }

    /// A system was read again, or could not be.
    pub(super) fn reload_ends(&mut self, system: SystemId) {
        self.reloading.remove(&system);
    }

    /// The reload of a system is over: with the last of them, what was told before holds again.
    pub(super) fn reload_over(&self) {
        if self.fleet || !self.reloading.is_empty() {
            return;
        }
        match self.readiness {
            Readiness::Ready => self.service.ready(),
            Readiness::Starting | Readiness::NothingOpen => self.service.not_ready(),
        }
    }
}
