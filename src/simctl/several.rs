//! Several BMCs at once: a pattern's names, a bounded number of requests at a time, and what came of each.

use std::cell::RefCell;

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::context::Context;
use super::door::Door;
use super::failure::{Failure, Status};
use super::model::{Summary, read};
use super::output::{Form, Output};

/// Whether a name stands for several.
pub(super) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// What came of one BMC.
pub(super) struct Outcome {
    /// Its name.
    pub(super) name: String,
    /// The response, or why there is none.
    pub(super) result: Result<Value, Failure>,
}

/// The names that a name or pattern stands for.
///
/// # Errors
/// The list cannot be had, or a pattern matches nobody.
pub(super) async fn names(door: &Door, pattern: &str) -> Result<Vec<String>, Failure> {
    if !is_pattern(pattern) {
        return Ok(vec![pattern.to_owned()]);
    }
    let bmcs = door.list(Some(pattern), "").await?;
    let names: Result<Vec<_>, _> = bmcs.iter().map(|bmc| read::<Summary>(bmc).map(|bmc| bmc.name)).collect();
    match names? {
        names if names.is_empty() => Err(Failure::NotFound(format!("No BMC's name matches '{pattern}'"))),
        names => Ok(names),
    }
}

/// Does the same for each BMC of a pattern and says what came of it: by `present`, or as one JSON object for each BMC,
/// its name added as `bmc`.
///
/// # Errors
/// The names cannot be had, or nothing can be written.
pub(super) async fn each(
    context: &mut Context<'_, '_>,
    pattern: &str,
    what: &'static str,
    work: impl AsyncFn(&Door, &str) -> Result<Value, Failure>,
    present: impl FnOnce(&mut Output<'_>, &[(String, Value)]) -> Result<(), Failure>,
) -> Result<Status, Failure> {
    let outcomes = gather(context, pattern, what, work).await?;
    report(context.output, outcomes, present)
}

/// Does the same for each BMC of a pattern, in the order of the names.
///
/// # Errors
/// The names cannot be had.
pub(super) async fn gather(
    context: &Context<'_, '_>,
    pattern: &str,
    what: &'static str,
    work: impl AsyncFn(&Door, &str) -> Result<Value, Failure>,
) -> Result<Vec<Outcome>, Failure> {
    let names = names(&context.door, pattern).await?;
    let progress = RefCell::new((0, context.output.progress(what, names.len())));
    let (door, work, progress) = (&context.door, &work, &progress);
    let one = |name: String| async move {
        let result = work(door, &name).await;
        let mut progress = progress.borrow_mut();
        progress.0 += 1;
        let done = progress.0;
        progress.1.show(done);
        Outcome { name, result }
    };
    Ok(futures_util::stream::iter(names).map(one).buffered(context.jobs).collect().await)
}

/// Says what came of each: results first, then why there are not more.
///
/// # Errors
/// Nothing can be written.
pub(super) fn report(
    output: &mut Output<'_>,
    outcomes: Vec<Outcome>,
    present: impl FnOnce(&mut Output<'_>, &[(String, Value)]) -> Result<(), Failure>,
) -> Result<Status, Failure> {
    let total = outcomes.len();
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for Outcome { name, result } in outcomes {
        match result {
            Ok(value) => done.push((name, value)),
            Err(failure) => failed.push((name, failure)),
        }
    }
    match output.form {
        Form::Programs => {
            for (name, value) in &done {
                output.value(&named(name, value))?;
            }
        }
        Form::People if !done.is_empty() => present(output, &done)?,
        Form::People => {}
    }
    for (name, failure) in &failed {
        // What the server says of one BMC names it.
        let name = (total > 1 || output.form == Form::Programs).then_some(name.as_str());
        output.complain(name, failure);
    }
    if total > 1 && !failed.is_empty() {
        output.remark(&format!("{} of {total} done, {} not", done.len(), failed.len()));
    }
    Ok(Status::of_all(failed.iter().map(|(_, failure)| failure.status())))
}

/// A response with the name of its BMC.
pub(super) fn named(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields = fields.clone();
            fields.insert("bmc".into(), name.into());
            Value::Object(fields)
        }
        Value::Null => json!({"bmc": name}),
        other => json!({"bmc": name, "value": other}),
    }
}
