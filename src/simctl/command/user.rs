//! `user`: accounts of a BMC.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use hyper::Method;
use serde_json::{Map, Value};

use super::{Mc, Target};
use crate::simctl::completion;
use crate::simctl::context::Context;
use crate::simctl::door::{Door, bmc_path};
use crate::simctl::failure::{Failure, Status};
use crate::simctl::model::{User as Told, Users, read};
use crate::simctl::number;
use crate::simctl::output::Output;
use crate::simctl::secret;
use crate::simctl::several;
use crate::simctl::style::Style;
use crate::simctl::table::{Cell, Table};

/// A privilege limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Limit {
    /// Everything
    Administrator,
    /// Everything but settings of channels and users
    Operator,
    /// Looking
    User,
    /// A call back
    Callback,
    /// Nothing
    NoAccess,
}

/// The options of `user`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Without an option that changes something users are shown. A password is never on the command line, where others
of this machine could read it: --password asks for it, --password-file takes the first line of a file.

Examples:
  ipmi_simctl user node1
  ipmi_simctl user node1 admin --password
  ipmi_simctl user 'node*' 3 --name monitor --limit user --enable --password-file monitor.password
  pass show bmc | ipmi_simctl user node1 admin --password-file -")]
pub struct User {
    #[command(flatten)]
    target: Target,

    /// Its number, 1 to 63, or its name. Without it all are listed
    #[arg(value_name = "USER", add = ArgValueCompleter::new(completion::users))]
    user: Option<String>,

    /// Give it this name
    #[arg(long, value_name = "NAME", requires = "user")]
    name: Option<String>,

    /// Ask for its new password at the terminal
    #[arg(long, requires = "user", conflicts_with = "password_file")]
    password: bool,

    /// Its new password is the first line of FILE, or of standard input for -
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "user")]
    password_file: Option<PathBuf>,

    /// The highest level that it may have
    #[arg(long, value_name = "LEVEL", value_enum, requires = "user")]
    limit: Option<Limit>,

    /// Let it log in
    #[arg(long, requires = "user", conflicts_with = "disable")]
    enable: bool,

    /// Do not let it log in
    #[arg(long, requires = "user")]
    disable: bool,

    #[command(flatten)]
    mc: Mc,
}

impl User {
    /// Does it.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let change = self.change()?;
        let what = if change.is_some() { "Setting" } else { "Asking" };
        let work = async |door: &Door, name: &str| match (&self.user, &change) {
            (None, _) => door.get(&bmc_path(name, &self.path(""))).await,
            (Some(user), None) => self.find(door, name, user).await,
            (Some(user), Some(change)) => {
                let id = match number::byte(user) {
                    Ok(id) => id,
                    Err(_) => read::<Told>(&self.find(door, name, user).await?)?.id,
                };
                let path = bmc_path(name, &self.path(&format!("/{id}")));
                Ok(door.ask(Method::PUT, &path, Some(change)).await?.1)
            }
        };
        several::each(context, &self.target.name, what, work, present).await
    }

    fn path(&self, rest: &str) -> String {
        format!("/users{rest}{}", self.mc.query())
    }

    /// What is to be another, if anything.
    fn change(&self) -> Result<Option<Value>, Failure> {
        let mut change = Map::new();
        if let Some(name) = &self.name {
            change.insert("name".into(), name.as_str().into());
        }
        if let Some(limit) = self.limit {
            let limit = match limit {
                Limit::Administrator => "administrator",
                Limit::Operator => "operator",
                Limit::User => "user",
                Limit::Callback => "callback",
                Limit::NoAccess => "no_access",
            };
            change.insert("limit".into(), limit.into());
        }
        if self.enable || self.disable {
            change.insert("enabled".into(), self.enable.into());
        }
        if self.password {
            change.insert("password".into(), secret::ask("New password: ")?.into());
        } else if let Some(path) = &self.password_file {
            change.insert("password".into(), secret::read(path)?.into());
        }
        Ok((!change.is_empty()).then_some(Value::Object(change)))
    }

    async fn find(&self, door: &Door, name: &str, user: &str) -> Result<Value, Failure> {
        let users: Users = read(&door.get(&bmc_path(name, &self.path(""))).await?)?;
        let id = number::byte(user).ok();
        let found = users.users.into_iter().find(|told| match id {
            Some(id) => told["id"] == id,
            None => told["name"] == user,
        });
        found.ok_or_else(|| Failure::NotFound(format!("{name} has no user '{user}'")))
    }
}

fn present(output: &mut Output<'_>, bmcs: &[(String, Value)]) -> Result<(), Failure> {
    let mut table = Table::new(&["BMC", "#ID", "NAME", "LIMIT", "LOGIN"]);
    for (bmc, value) in bmcs {
        // A list, or one.
        let users: Users = read(value)?;
        let users = if value.get("users").is_some() { users.users } else { vec![value.clone()] };
        for user in &users {
            let user: Told = read(user)?;
            let login = if user.enabled { Cell::from("enabled") } else { Cell::styled("disabled", Style::Quiet) };
            table.row([bmc.as_str().into(), user.id.to_string().into(), user.name.into(), user.limit.into(), login]);
        }
    }
    output.table(&if bmcs.len() > 1 { table } else { table.of_one() })
}
