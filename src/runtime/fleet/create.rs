//! A BMC of a fleet that is made at run time, of a name and a recipe: it is of no list, and stays when the fleet is read
//! again.

use std::path::Path;
use std::sync::Arc;

use super::again::Again;
use super::check;
use super::faults::Finding;
use super::make::{Made, Maker};
use crate::config::Span;
use crate::fleet::{Commands, INDEX, NAME, Naming, Row, Source, unfit_name};
use crate::runtime::door::{Again as MakeAgain, Create, Recipe, Unmade};
use crate::runtime::driver::SystemPlan;

/// A fleet that runs, for whoever makes BMCs of it.
pub struct Running(pub Arc<Again>);

/// What texts of a recipe are called in messages.
const LAN_CONF: &str = "lan_conf";
const COMMANDS: &str = "emu";

impl Create for Running {
    fn check(&self, name: &str, recipe: &Recipe) -> Result<(), Unmade> {
        let row = self.0.row(name, recipe)?;
        let maker = self.0.maker_of(recipe);
        sound(check::one(&maker, &self.0.fleet().settings, &row).findings)
    }

    fn create(&self, name: &str, recipe: &Recipe) -> Result<SystemPlan, Unmade> {
        let row = self.0.row(name, recipe)?;
        let maker = self.0.maker_of(recipe);
        let made = make(&maker, &row)?;
        Ok(self.0.run_time_plan(&maker, &row, made, recipe.clone()))
    }

    fn remember(&self, name: &str) -> Option<MakeAgain> {
        let (running, known) = (Self(Arc::clone(&self.0)), self.0.row_of(name)?);
        let name = name.to_owned();
        Some(match known {
            (_, Some(recipe)) => Box::new(move || running.create(&name, &recipe)),
            (row, None) => Box::new(move || {
                let maker = running.0.maker();
                let made = make(&maker, &row)?;
                let mut plans = running.0.plans(&maker, vec![(&row, made)]);
                plans.pop().ok_or_else(|| Unmade::Other(format!("'{name}' cannot be made again")))
            }),
        })
    }
}

impl Again {
    fn row(&self, name: &str, recipe: &Recipe) -> Result<Row, Unmade> {
        if let Some(why) = unfit_name(name) {
            return Err(Unmade::Other(format!("'{name}': {why}")));
        }
        if let Some((own, _)) = recipe.variables.iter().find(|(variable, _)| [NAME, INDEX].contains(&variable.as_str()))
        {
            return Err(Unmade::Other(format!("${own} is given to every BMC: expected no variable of that name")));
        }
        if matches!(self.fleet().source, Source::Folder(_)) && recipe.lan_conf.is_none() {
            return Err(Unmade::Other("The BMCs of this fleet have files of their own: expected lan_conf".into()));
        }
        let files = &self.fleet().files;
        let (columns, values): (Vec<Box<str>>, Vec<Box<str>>) =
            recipe.variables.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).unzip();
        Ok(Row {
            name: name.into(),
            naming: Naming::Row,
            index: self.next_index(name),
            columns: columns.into(),
            values: values.into(),
            lan_conf: recipe
                .lan_conf
                .as_ref()
                .map_or_else(|| Arc::clone(&files.lan_conf), |_| Path::new(LAN_CONF).into()),
            commands: match (&recipe.commands, &files.commands) {
                (Some(_), _) => Commands::File(Path::new(COMMANDS).into()),
                (None, Some(path)) => Commands::File(Arc::clone(path)),
                (None, None) => Commands::Usual,
            },
            place: Span::default(),
        })
    }

    fn maker_of(&self, recipe: &Recipe) -> Maker<'_> {
        let maker = self.maker();
        if let Some(text) = &recipe.lan_conf {
            maker.texts().give_configuration(LAN_CONF, text);
        }
        if let Some(text) = &recipe.commands {
            maker.texts().give_commands(COMMANDS, text);
        }
        maker
    }
}

/// The system of a row, with nothing wrong.
fn make(maker: &Maker<'_>, row: &Row) -> Result<Made, Unmade> {
    let mut made = maker.make(row).map_err(faults)?;
    sound(std::mem::take(&mut made.findings))?;
    Ok(made)
}

/// Nothing is wrong, but for notes.
fn sound(findings: Vec<Finding>) -> Result<(), Unmade> {
    if findings.iter().any(Finding::is_error) { Err(faults(findings)) } else { Ok(()) }
}

/// What is wrong: places in texts if there are any, or else the first problem.
fn faults(findings: Vec<Finding>) -> Unmade {
    let (mut faults, mut problem) = (Vec::new(), None);
    for finding in findings {
        match finding {
            Finding::Fault(fault) => faults.push(fault),
            Finding::Problem(text) => problem = problem.or(Some(text)),
            Finding::Note(_) => {}
        }
    }
    match (faults.is_empty(), problem) {
        (true, Some(text)) => Unmade::Other(text),
        _ => Unmade::Faults(faults),
    }
}
