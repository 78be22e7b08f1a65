//! `--check` and `--strict`: the command file carried out on a simulator nobody is
//! connected to, so that every fault is found that a start would find.

use std::collections::HashSet;
use std::path::PathBuf;

use super::clock;
use super::script::Script;
use crate::config::{Diagnostic, Severity};
use crate::sim::{Effects, Simulator, StatementOutcome};
use crate::store::directory::message;

/// What a check found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Failed statements, in order.
    pub faults: Vec<Diagnostic>,
    /// Why the system would not start at all.
    pub problem: Option<String>,
}

impl Report {
    /// Nothing was found but warnings.
    pub fn is_clean(&self) -> bool {
        self.problem.is_none() && self.faults.iter().all(|fault| fault.severity < Severity::Error)
    }
}

/// Executes a script on `system` and throws away everything it wants done outside. The files of
/// FRU devices are looked at.
pub fn check(system: &mut Simulator, mut script: Script, directories: &[PathBuf]) -> Report {
    let mut effects = Effects::default();
    let mut report = Report::default();
    let mut seen = HashSet::new();
    system.begin(clock::now(), &mut effects);
    while let Some(statement) = script.next_statement() {
        effects.clear();
        match system.statement(clock::now(), None, &statement, &mut effects) {
            StatementOutcome::Done | StatementOutcome::Sleep(_) | StatementOutcome::NoEcho => {}
            StatementOutcome::Failed(fault) => report.faults.push(fault),
            StatementOutcome::Include(path) => {
                if let Err(fault) = script.include(&path, &statement, directories) {
                    report.faults.push(*fault);
                }
            }
            // What comes after it is never executed.
            StatementOutcome::Quit => return report,
        }
        for (mc, device, path, end) in system.fru_files() {
            let place = (mc, device, path.to_owned(), end);
            if seen.contains(&place) {
                continue;
            }
            let wrong = match std::fs::metadata(path) {
                Ok(file) if file.len() < end => {
                    let length = file.len();
                    Some(format!("'{path}' has {length} bytes, and FRU {device} goes on to {end}: the rest reads as 0"))
                }
                Ok(_) => None,
                Err(error) => Some(format!("FRU {device} cannot be read: {}: '{path}'", message(&error))),
            };
            report.faults.extend(wrong.map(|text| statement.refused(Severity::Warning, text)));
            seen.insert(place);
        }
    }
    report.problem = system.started(clock::now(), &mut effects).err();
    report
}
