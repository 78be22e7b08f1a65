//! From the command line to a running fleet.

use std::sync::Arc;

use super::addresses::Addresses;
use super::check;
use super::faults::{Faults, Finding};
use super::make::{Made, Maker, Settings};
use super::ping;
use super::progress;
use super::together::{self, Share};
use crate::fleet::range::Range;
use crate::fleet::slice::Slice;
use crate::fleet::{self, Files, Row, Rows, Source};
use crate::runtime::configuration::Strictness;
use crate::runtime::driver::announce::bmcs;
use crate::runtime::logging::{self, complain};
use crate::runtime::options::Options;
use crate::runtime::ping::{Target, targets};
use crate::runtime::places::Places;
use crate::runtime::start::{SEEDED, print};
use crate::runtime::tables::Tables;
use crate::store::base::Base;
use crate::store::directory::message;

/// How many silent BMCs `--ping` names.
const NAMED: usize = 10;

/// What the command line says of a fleet.
#[derive(Debug)]
pub struct Fleet {
    /// Where its BMCs come from.
    pub source: Source,
    /// Which of them are this process's.
    pub slice: Slice,
    /// Their files, where they have none of their own.
    pub files: Files,
    /// What they are made with.
    pub settings: Settings,
}

impl Fleet {
    /// The fleet that the options ask for, if they ask for one.
    ///
    /// # Errors
    /// Options do not fit together, or the state folder cannot be used, in one line.
    pub fn of(options: &Options, places: &Places) -> Result<Option<Self>, String> {
        let source = match (&options.fleet, options.count, options.addresses) {
            (Some(path), ..) if path.is_dir() => Source::Folder(path.clone()),
            (Some(path), ..) => Source::List(path.clone()),
            (None, Some(count), Some(addresses)) => {
                Source::Range(Range::new(count, addresses, options.ports.unwrap_or_default())?)
            }
            _ => return Ok(None),
        };
        let (lan_conf, commands) = (options.configuration(), options.command_file.as_deref());
        if let (Source::Folder(path), true) = (&source, lan_conf.is_some() || commands.is_some()) {
            let path = path.display();
            return Err(format!(
                "{path} is a folder, whose BMCs have their own files: -c and -f are for lists and --count"
            ));
        }
        let lan_conf = lan_conf.cloned().unwrap_or_else(|| places.configuration_file());
        let files = Files { lan_conf: lan_conf.into(), commands: commands.map(Arc::from) };
        let state = match options.nopersist {
            true => None,
            false => Some(Base::open(&options.state_dir.clone().unwrap_or_else(|| places.state_base("")))?),
        };
        if options.seed.is_some() {
            logging::warn(SEEDED);
        }
        let settings = Settings {
            state,
            strictness: if options.strict { Strictness::Strict } else { Strictness::Lenient },
            places: places.clone(),
            command: options.command_string.clone(),
            debug: options.debug_words(),
            seed: options.seed,
            tables: Tables::default(),
        };
        Ok(Some(Self { source, slice: options.slice()?, files, settings }))
    }

    /// Reads where its BMCs come from. May wait for the disk.
    ///
    /// # Errors
    /// There are none.
    pub fn read_rows(&self) -> Result<Rows, fleet::Fault> {
        self.source.read(&self.files, self.slice)
    }

    /// Its BMCs, or nothing, when it was told why not.
    pub fn rows(&self) -> Option<Rows> {
        match self.read_rows() {
            Ok(rows) => return Some(rows),
            Err(fleet::Fault::List(faults)) => {
                let mut all = Faults::default();
                faults.into_iter().for_each(|fault| all.add_fault(Finding::Fault(fault)));
                all.tell(0);
            }
            Err(fleet::Fault::Other(text)) => complain(&text),
        }
        None
    }

    /// `--check`: says what is wrong with the BMCs and what would be served. Says whether there is no error.
    pub fn check(&self) -> bool {
        let Some(rows) = self.rows() else { return false };
        let report = check::check(&rows, &self.settings);
        report.faults.tell(rows.rows.len());
        match report.failed {
            0 => report.serves.iter().for_each(|line| print(format!("{line}\n"))),
            failed => complain(&format!("{failed} of {} have errors", bmcs(rows.rows.len()))),
        }
        report.failed == 0
    }

    /// `--version`: reads the configuration of each BMC. Says whether there is no error.
    pub fn read(&self) -> bool {
        self.rows().is_some_and(|rows| self.configurations(&rows).1)
    }

    /// The LAN channels of all BMCs with their names, faults told; and whether there is none.
    fn configurations(&self, rows: &Rows) -> (Vec<(Arc<str>, Target)>, bool) {
        let maker = Maker::new(&self.settings);
        let mut progress = progress("Reading", rows.rows.len());
        let read = together::map(&rows.rows, Share::All, &mut progress, |row| {
            let (config, findings) = maker.configuration(row)?;
            Ok((targets(&config).map_err(|text| vec![Finding::Problem(text)])?, findings))
        });
        progress.end();
        let (mut faults, mut all, mut is_sound) = (Faults::default(), Vec::new(), true);
        for (row, read) in rows.rows.iter().zip(read) {
            match read {
                Ok((targets, _)) => all.extend(targets.into_iter().map(|target| (Arc::clone(&row.name), target))),
                Err(findings) => {
                    is_sound = false;
                    let errors = Vec::into_iter(findings).filter(Finding::is_error);
                    errors.for_each(|finding| faults.add(row, finding));
                }
            }
        }
        faults.tell(rows.rows.len());
        (all, is_sound)
    }

    /// `--ping`: asks all LAN channels. Says whether all answer.
    pub fn ask(&self) -> bool {
        let Some(rows) = self.rows() else { return false };
        let (targets, is_sound) = self.configurations(&rows);
        let places: Vec<_> = targets.iter().map(|(_, target)| target.address).collect();
        let answers = match ping::ask(&places) {
            Ok(answers) => answers,
            Err(error) => {
                complain(&format!("Unable to ask: {}", message(&error)));
                return false;
            }
        };
        let silent: Vec<_> = targets.iter().zip(&answers).filter(|(_, answers)| !**answers).collect();
        for ((name, target), _) in silent.iter().take(NAMED) {
            complain(&format!("{name}: {target}: no answer"));
        }
        if let Some(more) = silent.len().checked_sub(NAMED).filter(|more| *more > 0) {
            complain(&format!("{more} more do not answer"));
        }
        let (all, answering) = (targets.len(), targets.len() - silent.len());
        let channels =
            if all == 1 { "LAN channel".into() } else { format!("LAN channels of {}", bmcs(rows.rows.len())) };
        print(format!("{answering} of {all} {channels} answer\n"));
        silent.is_empty() && is_sound
    }

    /// What is made of all rows, each with its row; what is wrong with others is told. Nothing, when there is none, or when
    /// nothing may be wrong and something is.
    pub fn make<'a>(&self, maker: &Maker<'_>, rows: &'a Rows) -> Option<Vec<(&'a Row, Made)>> {
        let total = rows.rows.len();
        let mut progress = progress("Starting", total);
        let all = together::map(&rows.rows, Share::All, &mut progress, |row| maker.make(row));
        progress.end();
        let (mut faults, mut addresses) = (Faults::default(), Addresses::default());
        let mut systems = Vec::with_capacity(total);
        for (row, made) in rows.rows.iter().zip(all) {
            let made = made.and_then(|made| match addresses.take(maker, (rows, row), &made.name, &made.effects) {
                None => Ok(made),
                Some(fault) => Err(made.findings.into_iter().chain([fault]).collect()),
            });
            match made {
                Ok(mut made) => {
                    std::mem::take(&mut made.findings).into_iter().for_each(|finding| faults.add(row, finding));
                    systems.push((row, made));
                }
                Err(findings) => findings.into_iter().for_each(|finding| faults.add(row, finding)),
            }
        }
        faults.tell(total);
        match total - systems.len() {
            0 => Some(systems),
            failed if systems.is_empty() || self.settings.strictness == Strictness::Strict => {
                complain(&format!("{failed} of {} cannot start", bmcs(total)));
                None
            }
            failed => {
                logging::warn(&format!("{failed} of {} cannot start; the others are served", bmcs(total)));
                Some(systems)
            }
        }
    }

    /// Where the BMCs come from, for people, behind how many there are; nothing where they have said so.
    pub fn source_for_people(&self) -> String {
        let slice = if self.slice.is_part() { format!(", slice {}", self.slice) } else { String::new() };
        match &self.source {
            Source::List(path) | Source::Folder(path) => format!(" of {}{slice}", path.display()),
            Source::Range(_) => slice,
        }
    }
}
