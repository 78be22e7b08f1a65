//! `create`: a BMC while the others are served.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use hyper::{Method, StatusCode};
use serde_json::{Map, Value};

use super::OneTarget;
use crate::simctl::context::Context;
use crate::simctl::door::bmc_path;
use crate::simctl::failure::{Failure, Status};
use crate::simctl::output::Form;
use crate::simctl::several::named;

/// The options of `create`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
What is not given is the fleet's: its lan.conf, its command file. A BMC of that name is replaced.
If a text is wrong, nothing is changed.

Examples:
  ipmi_simctl create node9 --var addr=127.64.0.9 --var port=623
  ipmi_simctl create special --lan-conf special.conf --emu special.emu")]
pub struct Create {
    #[command(flatten)]
    target: OneTarget,

    /// A variable of its texts; as often as needed
    #[arg(short = 'v', long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,

    /// Its lan.conf
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    lan_conf: Option<PathBuf>,

    /// Its command file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    emu: Option<PathBuf>,
}

/// A variable.
fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.trim_start_matches('$').to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".into()),
    }
}

fn text(path: &Path) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(path);
    text.map(Value::from).map_err(|error| Failure::Local(format!("Unable to read {}: {error}", path.display())))
}

impl Create {
    /// Makes it.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let mut body = Map::new();
        if !self.variables.is_empty() {
            let variables = self.variables.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
            body.insert("variables".into(), Value::Object(variables.collect()));
        }
        for (field, path) in [("lan_conf", &self.lan_conf), ("emu", &self.emu)] {
            if let Some(path) = path {
                body.insert(field.into(), text(path)?);
            }
        }
        let name = &self.target.name;
        let body = Value::Object(body);
        let (status, bmc) = context.door.ask(Method::PUT, &bmc_path(name, ""), Some(&body)).await?;
        let done = if status == StatusCode::CREATED { "created" } else { "replaced" };
        match context.output.form {
            Form::Programs => context.output.value(&named(name, &bmc))?,
            Form::People => {
                let addresses: Vec<&str> =
                    bmc["addresses"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let at = if addresses.is_empty() { String::new() } else { format!(" at {}", addresses.join(", ")) };
                context.output.line(&format!("{name}: {done}{at}"))?;
            }
        }
        Ok(Status::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_has_a_name_and_any_value() {
        assert_eq!(variable("addr=127.0.0.1"), Ok(("addr".into(), "127.0.0.1".into())));
        assert_eq!(variable("$a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(variable("a="), Ok(("a".into(), String::new())));
        assert!(variable("=b").is_err() && variable("addr").is_err());
    }
}
