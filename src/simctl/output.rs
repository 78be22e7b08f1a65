//! What is printed: tables and lines for people, JSON for programs, and why something was not done.

use std::io::Write;

use serde_json::{Value, json};

use super::failure::{Failure, Status};
use super::options::Options;
use super::style::Style;
use super::table::Table;
use crate::progress::Progress;
use crate::runtime::log_text::printable;

/// For whom it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Tables and sentences.
    People,
    /// JSON: one value a line.
    Programs,
}

/// Standard output and standard error.
pub(super) struct Output<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    /// For whom it is.
    pub(super) form: Form,
    colour: bool,
    colour_of_errors: bool,
}

impl<'a> Output<'a> {
    /// As the options want it.
    pub(super) fn new(options: &Options, out: &'a mut dyn Write, err: &'a mut dyn Write) -> Self {
        let form = if options.json { Form::Programs } else { Form::People };
        let colour = form == Form::People && options.color.is_for(&std::io::stdout());
        Self { out, err, form, colour, colour_of_errors: options.color.is_for(&std::io::stderr()) }
    }

    /// Text in a style.
    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        if self.colour { style.paint(text).into_owned() } else { text.to_owned() }
    }

    /// A line for people.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn line(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.out, "{text}")?;
        Ok(())
    }

    /// A line that is read at once, by whoever follows.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn line_now(&mut self, text: &str) -> Result<(), Failure> {
        self.bytes_now(format!("{text}\n").as_bytes())
    }

    /// Bytes as they are, at once.
    ///
    /// # Errors
    /// They cannot be written.
    pub(super) fn bytes_now(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes)?;
        self.out.flush()?;
        Ok(())
    }

    /// Text of others, which ends its last line.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Failure> {
        match text.trim_end_matches(['\r', '\n']) {
            "" => Ok(()),
            text => self.line(&printable(&text.replace('\r', ""))),
        }
    }

    /// A value for programs.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn value(&mut self, value: &Value) -> Result<(), Failure> {
        self.line_now(&value.to_string())
    }

    /// A table for people.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn table(&mut self, table: &Table) -> Result<(), Failure> {
        for line in table.lines(|style, text| self.paint(style, text)) {
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }

    /// A heading with a table, or nothing where that is empty.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn section(&mut self, title: &str, table: Table) -> Result<(), Failure> {
        if table.is_empty() {
            return Ok(());
        }
        let title = self.paint(Style::Heading, title);
        self.line(&format!("\n{title}"))?;
        self.table(&table.without_empty_columns())
    }

    /// A bar for so many on standard error, if a person reads it.
    pub(super) fn progress(&self, what: &'static str, total: usize) -> Progress {
        if self.form == Form::People && total > 1 { Progress::new(what, total) } else { Progress::none() }
    }

    /// Says something on standard error that is no part of the output.
    pub(super) fn remark(&mut self, text: &str) {
        // Nowhere is left to say that this cannot be written.
        let _ = writeln!(self.err, "ipmi_simctl: {}", printable(text));
    }

    /// Says why something, about a BMC, was not done. The result is the exit status that says so.
    pub(super) fn complain(&mut self, name: Option<&str>, failure: &Failure) -> Status {
        if matches!(failure, Failure::OutputClosed) {
            return failure.status();
        }
        if self.form == Form::Programs {
            // What cannot be written is said below all the same.
            let _ = writeln!(self.out, "{}", problem(name, failure)).and_then(|()| self.out.flush());
        }
        let whose = name.map(|name| format!("{name}: ")).unwrap_or_default();
        let text = printable(&format!("{whose}{failure}")).into_owned();
        let error = if self.colour_of_errors { Style::Bad.paint("error:").into_owned() } else { "error:".into() };
        let _ = writeln!(self.err, "ipmi_simctl: {error} {text}");
        failure.status()
    }
}

/// A failure for programs: `{"bmc":..,"problem":{"status":..,"detail":..}}`.
fn problem(name: Option<&str>, failure: &Failure) -> Value {
    let mut problem = json!({"exit_status": failure.status() as u8, "detail": failure.to_string()});
    if let Failure::Problem(told) = failure {
        problem["status"] = told.status.into();
        problem["title"] = told.title.as_str().into();
        problem["detail"] = told.detail.as_str().into();
    }
    match name {
        Some(name) => json!({"bmc": name, "problem": problem}),
        None => json!({"problem": problem}),
    }
}
