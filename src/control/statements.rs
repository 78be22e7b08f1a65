//! `POST /v1/bmcs/NAME/statements`: statements of the command language.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::Control;
use super::body;
use super::problem::{Fault, Problem};
use super::query::{NoQuery, Path};
use crate::runtime::door::Ran;

/// What is to be executed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Statements {
    lines: Vec<String>,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Executed {
    lines: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    line: String,
    output: String,
    faults: Vec<Fault>,
}

impl From<Ran> for Line {
    fn from(ran: Ran) -> Self {
        Self { line: ran.line, output: ran.output, faults: ran.faults.iter().map(Fault::from).collect() }
    }
}

/// Executes them one after the other; a faulty one does not keep those behind it from being executed.
pub(super) async fn run(
    State(control): State<Control>,
    Path(name): Path<String>,
    _: NoQuery,
    body::Json(Statements { lines }): body::Json<Statements>,
) -> Result<Json<Executed>, Problem> {
    let ran = control.door.run(&name, lines).await?;
    Ok(Json(Executed { lines: ran.into_iter().map(Line::from).collect() }))
}
