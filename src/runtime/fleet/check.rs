//! `--check` for a fleet: each BMC by itself, all of them beside each other.

use std::sync::Arc;

use super::addresses::Addresses;
use super::faults::{Faults, Finding};
use super::make::{Maker, Settings, name_of};
use super::progress;
use super::together::{self, Share};
use crate::fleet::{Row, Rows};
use crate::host::random::SystemRandom;
use crate::runtime::configuration::LanConf;
use crate::runtime::driver::Scope;
use crate::runtime::driver::announce::{bmcs, lan_fact, state_fact};
use crate::runtime::dry_run;
use crate::runtime::review::{self, Facts};
use crate::sim::{Effect, Persistence, Simulator};
use crate::store::directory::{Loaded, StateDirectory};
use crate::store::format::read_all;

/// What was found of one BMC.
pub(super) struct Checked {
    name: Arc<str>,
    opened: Vec<Effect>,
    pub(super) findings: Vec<Finding>,
}

/// What was found of a fleet.
pub(super) struct Report {
    /// Everything that is wrong.
    pub(super) faults: Faults,
    /// How many BMCs have an error.
    pub(super) failed: usize,
    /// What would be served, a line each.
    pub(super) serves: Vec<String>,
}

/// Carries the command file of each BMC out on a system that nobody is connected to.
pub(super) fn check(rows: &Rows, settings: &Settings) -> Report {
    let maker = Maker::new(settings);
    let mut progress = progress("Checking", rows.rows.len());
    let checked = together::map(&rows.rows, Share::All, &mut progress, |row| one(&maker, settings, row));
    progress.end();
    let (mut faults, mut addresses, mut failed) = (Faults::default(), Addresses::default(), 0);
    for (row, Checked { name, opened, mut findings }) in rows.rows.iter().zip(checked) {
        findings.extend(addresses.take(&maker, (rows, row), &name, &opened));
        failed += usize::from(findings.iter().any(Finding::is_error));
        findings.into_iter().for_each(|finding| faults.add(row, finding));
    }
    let mut serves = vec![format!("Serves {}", bmcs(rows.rows.len()))];
    serves.extend(addresses.span().map(|(first, last, count)| lan_fact(first, last, count)));
    serves.push(state_fact(settings.state_place().as_deref()));
    Report { faults, failed, serves }
}

/// Looks at one BMC by itself.
pub(super) fn one(maker: &Maker<'_>, settings: &Settings, row: &Row) -> Checked {
    let nothing = |findings| Checked { name: Arc::clone(&row.name), opened: Vec::new(), findings };
    let (config, mut findings) = match maker.configuration(row) {
        Ok(read) => read,
        Err(findings) => return nothing(findings),
    };
    let (script, random) = match (maker.script(row, &config.name), SystemRandom::new()) {
        (Ok(script), Ok(random)) => (script, random),
        (Err(finding), _) => return nothing(vec![finding]),
        (_, Err(error)) => return nothing(vec![Finding::Problem(error.to_string())]),
    };
    let base = settings.state.as_ref();
    let kept = base.filter(|base| base.may_have(&config.name));
    let kept = kept.map(|base| StateDirectory::inspect(base.path(), &config.name)).unwrap_or_default();
    let Loaded { files, notes } = kept;
    let persistence = if base.is_some() { Persistence::On } else { Persistence::Off };
    let names: Vec<String> = files.keys().cloned().collect();
    let mut system = Simulator::new(config.clone(), read_all(&files), persistence, Box::new(random));
    let directories = maker.directories(row);
    let report = dry_run::check(&mut system, script, &maker.folders(&directories), &names);
    findings.extend(notes.into_iter().map(Finding::Note));
    if let Some(base) = base {
        let texts = report.state.iter().map(|text| dry_run::with_folder(text, base.path(), &config.name));
        findings.extend(texts.map(Finding::Note));
    }
    findings.extend(report.faults.into_iter().map(Finding::Fault));
    findings.extend(report.problem.map(|problem| Finding::Problem(problem + maker.hint(row))));
    let file = row.lan_conf.display().to_string();
    let text = maker.lan_conf(row);
    let text = text.as_deref().map_or("", LanConf::text);
    let (controllers, logins) = (system.controllers(), system.logins());
    let facts = Facts {
        scope: Scope::Fleet,
        file: &file,
        text,
        config: &config,
        opened: &report.opened,
        controllers: &controllers,
        logins: &logins,
    };
    findings.extend(review::review(facts).into_iter().map(Finding::Fault));
    let name = name_of(row, &config);
    Checked { name, opened: report.opened, findings }
}
