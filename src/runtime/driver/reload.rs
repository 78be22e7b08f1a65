//! SIGHUP: lan.conf and the state files of settings are read again, away from the loop.
//!
//! Owns what is being read, and the report of what came of it. Nothing else waits.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Driver;
use crate::bmc::LogLevel;
use crate::host::SystemId;
use crate::host::workers;
use crate::runtime::clock;
use crate::runtime::reports::Reports;
use crate::settings::model::Config;
use crate::sim::{Change, Input, OnDisk};
use crate::state::Files;

/// Everything that is read again: the configuration, its warnings, and the state files of
/// settings by name.
#[derive(Debug, Default)]
pub struct Fresh {
    /// lan.conf.
    pub config: Config,
    /// State files by name.
    pub files: Files,
    /// Warnings, one text each.
    pub warnings: Vec<String>,
}

/// Reads everything again. It may wait for disks and name servers. `Err`: why not, one text for
/// each fault.
pub type Reader = Arc<dyn Fn() -> Read + Send + Sync>;

/// What was read again, or why it could not be, one text for each fault.
pub type Read = Result<Fresh, Vec<String>>;

/// A reload under way.
#[derive(Default)]
pub(super) struct Reload {
    /// State files that are or were being written meanwhile: what is read of them may be of
    /// yesterday.
    outdated: BTreeSet<String>,
    /// SIGHUP came again meanwhile.
    again: bool,
}

impl Reload {
    /// A state file is being written.
    pub(super) fn outdated(&mut self, name: &str) {
        self.outdated.insert(name.to_owned());
    }

    /// Whether what is read of this file may be of yesterday.
    #[cfg(test)]
    pub(super) fn is_outdated(&self, name: &str) -> bool {
        self.outdated.contains(name)
    }
}

/// A finding without the line of the file it shows, which may hold a password: the log goes
/// further than the screen of who starts the program.
fn headline(finding: &str) -> &str {
    finding.lines().next().unwrap_or_default()
}

impl Driver {
    /// SIGHUP.
    pub(super) fn begin_reload(&mut self) {
        if self.begin_fleet_reload() {
            return;
        }
        self.life.reload_asked(clock::now());
        for id in self.systems.ids().collect::<Vec<_>>() {
            let Some(system) = self.systems.here(id) else { continue };
            match &mut system.reload {
                Some(reload) => reload.again = true,
                None => self.read_again(id),
            }
        }
    }

    fn read_again(&mut self, id: SystemId) {
        let Some(system) = self.systems.here(id) else { return };
        let (reader, done) = (Arc::clone(&system.reader), self.to_reloads.clone());
        drop(workers::FILES.run(move || drop(done.send((id, reader())))));
        system.reload = Some(Reload { outdated: system.seat.being_written().cloned().collect(), again: false });
        self.life.reload_begins(id);
    }

    /// Everything of a system has been read, or could not be.
    pub(super) fn reloaded(&mut self, id: SystemId, read: Read) {
        self.life.reload_ends(id);
        let reload = self.systems.get_mut(id).and_then(|system| system.reload.take());
        let Some(Reload { outdated, again, .. }) = reload else { return };
        match read {
            Ok(Fresh { config, files, warnings }) => {
                warnings.iter().for_each(|warning| self.reports.report(LogLevel::Warning, headline(warning)));
                let files = OnDisk { files, outdated };
                self.handle(id, Input::Reload { config: Box::new(config), files });
            }
            Err(faults) => {
                for fault in faults {
                    self.reports.report(LogLevel::Error, headline(&fault));
                }
                self.reports.report(LogLevel::Error, "SIGHUP: no changes: the configuration has errors");
            }
        }
        if again {
            self.read_again(id);
        } else {
            self.life.reload_over();
        }
    }
}

/// What a configuration that was read again has changed.
pub(super) fn tell_changes(reports: &Reports, changes: &[Change]) {
    let text = match changes.len() {
        0 => "SIGHUP: no changes: the configuration is the same as before".to_owned(),
        1 => "SIGHUP: the configuration was read again: 1 change".to_owned(),
        count => format!("SIGHUP: the configuration was read again: {count} changes"),
    };
    reports.report(LogLevel::Info, &text);
    for change in changes {
        reports.report(LogLevel::Info, &format!("SIGHUP: {change}"));
    }
}
