//! SIGHUP: lan.conf and the state files of settings are read again, away from the loop.
//!
//! Owns what is being read, and the report of what came of it. Nothing else waits.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::JoinHandle;

use super::Driver;
use crate::bmc::LogLevel;
use crate::config::model::Config;
use crate::runtime::clock;
use crate::runtime::system::System;

/// Everything that is read again: the configuration, its warnings, and the state files of
/// settings by name.
#[derive(Debug, Default)]
pub struct Fresh {
    /// lan.conf.
    pub config: Config,
    /// State files by name.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Warnings, one text each.
    pub warnings: Vec<String>,
}

/// Reads everything again. It may wait for disks and name servers. `Err`: why not, one text for
/// each fault.
pub type Reader = Arc<dyn Fn() -> Result<Fresh, Vec<String>> + Send + Sync>;

/// How often files are read once more because state was written meanwhile.
const MOST_ATTEMPTS: u32 = 20;

/// A reload under way.
pub(super) struct Reload {
    reading: JoinHandle<Result<Fresh, Vec<String>>>,
    /// How many state files had been given to be written when the reading began.
    written: u64,
    attempts: u32,
    /// SIGHUP came again meanwhile.
    again: bool,
}

impl Reload {
    /// Ready when everything has been read.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Fresh, Vec<String>>> {
        Pin::new(&mut self.reading)
            .poll(cx)
            .map(|read| read.unwrap_or_else(|_| Err(vec!["the files could not be read".into()])))
    }
}

/// A finding without the line of the file it shows, which may hold a password: the log goes
/// further than the screen of who starts the program.
fn headline(finding: &str) -> &str {
    finding.lines().next().unwrap_or_default()
}

impl<S: System> Driver<S> {
    /// SIGHUP.
    pub(super) fn begin_reload(&mut self) {
        if let Some(reload) = &mut self.reload {
            reload.again = true;
            return;
        }
        self.service.reloading(clock::now());
        self.read_again(0);
    }

    fn read_again(&mut self, attempts: u32) {
        let reader = Arc::clone(&self.reader);
        let reading = tokio::task::spawn_blocking(move || reader());
        self.reload = Some(Reload { reading, written: self.state_writes, attempts, again: false });
    }

    /// Everything has been read, or could not be.
    pub(super) fn reloaded(&mut self, read: Result<Fresh, Vec<String>>) {
        let Some(Reload { written, attempts, again, .. }) = self.reload.take() else { return };
        // What was read of a file that was being written is of yesterday.
        let stale = written != self.state_writes || !self.writes.is_empty();
        match read {
            Ok(_) if stale && attempts < MOST_ATTEMPTS => return self.read_again(attempts + 1),
            Ok(_) if stale => {
                self.report(LogLevel::Error, "SIGHUP: nothing changes: the state files change all the time");
            }
            Ok(Fresh { config, files, warnings }) => {
                warnings.iter().for_each(|warning| self.report(LogLevel::Warning, headline(warning)));
                let changes = self.system.reload(clock::now(), config, &files, &mut self.effects);
                match changes.len() {
                    0 => self
                        .report(LogLevel::Info, "SIGHUP: nothing changes: the configuration says what it said before"),
                    1 => self.report(LogLevel::Info, "SIGHUP: the configuration was read again: 1 change"),
                    count => {
                        self.report(
                            LogLevel::Info,
                            &format!("SIGHUP: the configuration was read again: {count} changes"),
                        );
                    }
                }
                for change in changes {
                    self.report(LogLevel::Info, &format!("SIGHUP: {change}"));
                }
                self.carry_out();
            }
            Err(faults) => {
                for fault in faults {
                    self.report(LogLevel::Error, headline(&fault));
                }
                self.report(LogLevel::Error, "SIGHUP: nothing changes: the configuration cannot be used");
            }
        }
        if again {
            self.read_again(0);
        } else {
            self.service.ready();
        }
    }
}
