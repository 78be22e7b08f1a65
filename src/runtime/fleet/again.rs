//! A fleet that is read again: which BMCs are new, which are gone, and whose configuration is another.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::addresses;
use super::faults::{Faults, Finding};
use super::make::{Made, Maker, Settings, Stage};
use super::start::Fleet;
use super::together::{self, Share};
use crate::bmc::LogLevel;
use crate::fleet::{Fault, Row, Rows};
use crate::host::jobs::StateWriter;
use crate::progress::Progress;
use crate::runtime::configuration::LanConf;
use crate::runtime::door::Recipe;
use crate::runtime::driver::announce::Announcement;
use crate::runtime::driver::fleet::{Difference, FleetRead};
use crate::runtime::driver::reload::{Fresh, Read, Reader};
use crate::runtime::driver::{Stage as DrivenStage, SystemPlan};
use crate::runtime::script::{Folders, Includes, Script};
use crate::store::base::{Base, Folder};
use crate::store::format::read_all;

/// What is known of a BMC that runs.
#[derive(Debug)]
struct Known {
    row: Row,
    /// What the system is called.
    name: Arc<str>,
    /// Of its lan.conf.
    text: u64,
    folder: Option<Arc<Folder>>,
    /// Whether it stands in the list.
    origin: Origin,
}

/// Where a BMC is from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// The list, folder or range.
    Fleet,
    /// It was made at run time, and what the list says does not matter to it.
    RunTime(Recipe),
}

/// A fleet that runs.
pub struct Again {
    fleet: Fleet,
    known: Mutex<HashMap<Arc<str>, Known>>,
    /// One of a fleet is not read again by itself.
    reader: Reader,
    folders: Arc<Folders>,
}

impl Again {
    /// With nobody in it.
    pub fn new(fleet: Fleet) -> Self {
        let folders = Folders::new(fleet.settings.places.configuration.clone(), fleet.settings.tables.clone()).into();
        let reader: Reader = Arc::new(|| Err(Vec::new()));
        Self { fleet, known: Mutex::default(), reader, folders }
    }

    /// The fleet.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Makes its BMCs at first.
    pub fn maker(&self) -> Maker<'_> {
        Maker::new(&self.fleet.settings)
    }

    /// How the BMCs that were made of rows are driven.
    pub fn plans(&self, maker: &Maker<'_>, made: Vec<(&Row, Made)>) -> Vec<SystemPlan> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = |(row, made): (&Row, Made)| {
            let (name, folder) = (Arc::clone(&made.name), made.folder.clone());
            let known_one = Known { row: row.clone(), name, text: hash(maker, row), folder, origin: Origin::Fleet };
            known.insert(Arc::clone(&row.name), known_one);
            self.plan(maker, row, made)
        };
        made.into_iter().map(plan).collect()
    }

    /// How a BMC that was made at run time is driven.
    pub(super) fn run_time_plan(&self, maker: &Maker<'_>, row: &Row, made: Made, recipe: Recipe) -> SystemPlan {
        let (name, folder) = (Arc::clone(&made.name), made.folder.clone());
        let known = Known { row: row.clone(), name, text: hash(maker, row), folder, origin: Origin::RunTime(recipe) };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(&row.name), known);
        self.plan(maker, row, made)
    }

    /// What is known of the BMC of a name: its row, and of what it was made if it was at run time.
    pub(super) fn row_of(&self, name: &str) -> Option<(Row, Option<Recipe>)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { row, origin, .. } = known.values().find(|known| *known.name == *name)?;
        let recipe = match origin {
            Origin::RunTime(recipe) => Some(recipe.clone()),
            Origin::Fleet => None,
        };
        Some((row.clone(), recipe))
    }

    /// The number of a BMC that is made at run time: that which it has already, or one that nobody has.
    pub(super) fn next_index(&self, name: &str) -> u32 {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let last = || known.values().map(|known| known.row.index).max().unwrap_or_default();
        known.get(name).map_or_else(|| last() + 1, |known| known.row.index)
    }

    fn plan(&self, maker: &Maker<'_>, row: &Row, made: Made) -> SystemPlan {
        let Made { name, system, effects, stage, folder, lan_conf, .. } = made;
        let state = folder.map(|folder| -> StateWriter { Arc::new(move |name, content| folder.write(name, content)) });
        let (stage, script) = match stage {
            Stage::Started => (DrivenStage::Started(effects), Script::default()),
            Stage::Waits(script) => (DrivenStage::Begun(effects), script),
        };
        let own = maker.directories(row);
        let folders = if *own == *self.folders.directories() {
            Arc::clone(&self.folders)
        } else {
            Folders::new(own, self.folders.tables().clone()).into()
        };
        SystemPlan {
            index: row.index as usize,
            system,
            script,
            configuration: lan_conf.display().to_string(),
            folders,
            state,
            reader: Arc::clone(&self.reader),
            announcement: Announcement { name, ..Announcement::default() },
            row: Arc::clone(&row.name),
            stage,
        }
    }

    /// What is different, given the rows of BMCs that could not be served since the last time.
    pub fn read(&self, lost: &[Arc<str>]) -> FleetRead {
        self.forget(lost);
        let rows = self.fleet.read_rows().map_err(|fault| match fault {
            Fault::List(faults) => faults.into_iter().map(|fault| Finding::Fault(fault).headline()).collect(),
            Fault::Other(text) => vec![text],
        })?;
        let state = self.fleet.settings.state.as_ref().map(|base| Base::open(base.path())).transpose();
        let settings = Settings { state: state.map_err(|text| vec![text])?, ..self.fleet.settings.clone() };
        let maker = Maker::new(&settings);
        let (gone, changed, new) = self.compare(&maker, &rows);
        let mut faults = Faults::default();
        let made = together::map(&new, Share::Beside, &mut Progress::none(), |row| maker.make(row));
        let mut systems = Vec::with_capacity(new.len());
        let mut names = self.names();
        for (row, made) in new.into_iter().zip(made) {
            let findings = match made {
                Ok(mut made) => {
                    let mut findings = std::mem::take(&mut made.findings);
                    match names.get(&made.name) {
                        Some(other) => findings.push(addresses::same_name(row, &made.name, other)),
                        None => {
                            names.insert(Arc::clone(&made.name), Arc::clone(&row.lan_conf));
                            systems.push((row, made));
                        }
                    }
                    findings
                }
                Err(findings) => findings,
            };
            findings.into_iter().for_each(|finding| faults.add(row, finding));
        }
        let changed = together::map(&changed, Share::Beside, &mut Progress::none(), |row| {
            (Arc::clone(&row.name), self.changed(&maker, row))
        });
        let told = faults.told(rows.rows.len());
        let level = |finding: &Finding| if finding.is_error() { LogLevel::Error } else { LogLevel::Warning };
        let faults = told.iter().map(|finding| (level(finding), format!("SIGHUP: {}", finding.headline()))).collect();
        Ok(Difference { gone, changed, new: self.plans(&maker, systems), faults })
    }

    /// They are new the next time.
    fn forget(&self, rows: &[Arc<str>]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            known.remove(row);
        }
    }

    /// The names of the systems that run, and where they are from.
    fn names(&self) -> HashMap<Arc<str>, Arc<Path>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().map(|known| (Arc::clone(&known.name), Arc::clone(&known.row.lan_conf))).collect()
    }

    /// Who is gone, whose row or lan.conf is another, and who is new.
    fn compare<'a>(&self, maker: &Maker<'_>, rows: &'a Rows) -> (Vec<Arc<str>>, Vec<&'a Row>, Vec<&'a Row>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut changed, mut new) = (Vec::new(), Vec::new());
        // Mostly it is one file for all.
        let mut last: Option<(&Path, u64)> = None;
        let mut text = |row: &'a Row| match last {
            Some((path, text)) if path == &*row.lan_conf => text,
            _ => last.insert((&row.lan_conf, hash(maker, row))).1,
        };
        for row in &rows.rows {
            match known.get(&row.name) {
                None => new.push(row),
                Some(Known { origin: Origin::RunTime(_), .. }) => {}
                Some(known) if known.row.is_like(row) && known.text == text(row) => {}
                Some(_) => changed.push(row),
            }
        }
        let names: HashSet<&str> = rows.rows.iter().map(|row| &*row.name).collect();
        let is_gone = |(row, known): &(&Arc<str>, &Known)| known.origin == Origin::Fleet && !names.contains(&***row);
        let gone: Vec<Arc<str>> = known.iter().filter(is_gone).map(|(row, _)| Arc::clone(row)).collect();
        for row in &gone {
            known.remove(row);
        }
        (gone, changed, new)
    }

    /// The configuration of a row that is another; the next time it is compared with this one.
    fn changed(&self, maker: &Maker<'_>, row: &Row) -> Read {
        let lines = |findings: Vec<Finding>| findings.iter().map(Finding::headline).collect::<Vec<_>>();
        let index = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&row.name).map_or(row.index, |known| known.row.index)
        };
        let row = &Row { index, ..row.clone() };
        let (config, findings) = maker.configuration(row).map_err(lines)?;
        let text = hash(maker, row);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = known.get_mut(&row.name) else { return Err(Vec::new()) };
        let files =
            known.folder.as_ref().map(|folder| folder.read_settings()).transpose().map_err(|text| vec![text])?;
        (known.row, known.text) = (row.clone(), text);
        Ok(Fresh { config, files: read_all(&files.unwrap_or_default()), warnings: lines(findings) })
    }
}

fn hash(maker: &Maker<'_>, row: &Row) -> u64 {
    let mut hasher = DefaultHasher::new();
    maker.lan_conf(row).as_deref().map_or("", LanConf::text).hash(&mut hasher);
    hasher.finish()
}
