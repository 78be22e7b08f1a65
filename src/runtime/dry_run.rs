//! `--check` and `--strict`: the command file carried out on a simulator nobody is
//! connected to, so that every fault is found that a start would find.

use std::collections::HashSet;
use std::path::Path;

use super::clock;
use super::script::{Includes, Script, fault};
use super::statement::{self, StatementOutcome};
use crate::bmc::LogLevel;
use crate::config::command::{Command, Instruction, Statement, Variables};
use crate::config::text::os_string;
use crate::config::{Diagnostic, Severity};
use crate::sim::{Effect, Effects, Input, Simulator};
use crate::store::directory::{StateDirectory, message};

/// What a check found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Failed statements, in order.
    pub faults: Vec<Diagnostic>,
    /// Why the system would not start at all.
    pub problem: Option<String>,
    /// The ports that would be opened, in order.
    pub opened: Vec<Effect>,
    /// What the log would say of the state files.
    pub state: Vec<String>,
}

impl Report {
    /// Nothing was found but warnings.
    pub fn is_clean(&self) -> bool {
        self.problem.is_none() && self.faults.iter().all(|fault| fault.severity < Severity::Error)
    }

    /// Keeps what is told of the effects, and forgets them.
    fn take(&mut self, effects: &mut Effects, files: &[String]) {
        for effect in effects.list.drain(..) {
            match effect {
                Effect::Log { level: LogLevel::Warning, text } => {
                    let is_state =
                        |name: &String| text.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(':'));
                    if files.iter().any(is_state) {
                        self.state.push(text);
                    }
                }
                effect if opens(&effect) => self.opened.push(effect),
                _ => {}
            }
        }
    }
}

/// Executes a script on `system` and throws away everything it wants done outside. The files of
/// FRU devices are looked at. `files` are the names of the state files that it has.
pub fn check(
    system: &mut Simulator,
    mut script: Script,
    includes: &(impl Includes + ?Sized),
    files: &[String],
) -> Report {
    let mut effects = Effects::default();
    let mut report = Report::default();
    let mut seen = HashSet::new();
    system.handle(clock::now(), Input::Begin, &mut effects);
    while let Some(statement) = script.next_statement() {
        report.take(&mut effects, files);
        effects.clear();
        let outcome = statement::execute(system, clock::now(), None, &statement, includes, &mut effects);
        if let Some((path, why)) = unreadable(&statement) {
            let message = format!("{path} cannot be read: {why}");
            report.faults.push(Diagnostic { severity: Severity::Warning, ..fault(&statement, &path, message) });
        }
        match outcome {
            StatementOutcome::Done | StatementOutcome::Sleep(_) | StatementOutcome::NoEcho => {}
            StatementOutcome::Failed(fault) => report.faults.push(fault),
            StatementOutcome::Bmc(_) | StatementOutcome::Bmcs(_) => {
                let fault = statement.refused(Severity::Error, statement::ONE_BMC);
                report.faults.push(fault);
            }
            StatementOutcome::Include(path) => {
                if let Err(fault) = script.include(&path, &statement, includes) {
                    report.faults.push(*fault);
                }
            }
            // What comes after it is never executed.
            StatementOutcome::Quit => {
                report.take(&mut effects, files);
                return report;
            }
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
    report.take(&mut effects, files);
    system.handle(clock::now(), Input::Started, &mut effects);
    report.problem = effects.list.into_iter().find_map(|effect| match effect {
        Effect::NoBmc(problem) => Some(problem),
        _ => None,
    });
    report
}

/// What the log would say of a state file (one of [`Report::state`]), with the folder that the file of a system is in.
pub fn with_folder(text: &str, base: &Path, name: &str) -> String {
    let (place, what) = text.split_once(": ").unwrap_or((text, ""));
    let folder = StateDirectory::folder_of(base, name, place.split(':').next().unwrap_or_default());
    format!("{}: warning: {what}", folder.join(place).display())
}

fn opens(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::OpenLan { .. } | Effect::OpenSerial { .. } | Effect::OpenIpmb { .. } | Effect::OpenSol { .. }
    )
}

/// The file that a sensor is to be read from and that cannot be, and why. What stands in variables
/// is not looked at.
fn unreadable(statement: &Statement) -> Option<(String, String)> {
    let Instruction::System(Command::SensorAdd { poll: Some(poll), .. }) =
        statement.resolve(&Variables::new()).ok()??
    else {
        return None;
    };
    let why = std::fs::File::open(os_string(&poll.path)).err()?;
    Some((poll.path, message(&why)))
}
