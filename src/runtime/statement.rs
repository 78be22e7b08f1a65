//! One statement: read with the system's variables, and carried out by the system, or handed back to whoever
//! reads statements.

use std::borrow::Cow;

use super::script::{Includes, listed, recording};
use crate::config::command::{Command, Instruction, Statement};
use crate::config::{Diagnostic, Severity, help};
use crate::ipmi::Moment;
use crate::settings::fill::Fill;
use crate::sim::{ConsoleId, Effect, Effects, Input, Simulator};

/// What is said of `bmc` and `bmcs` where there is no fleet, or no console.
pub const ONE_BMC: &str = "bmc and bmcs are for the consoles of a fleet: there is one BMC here";

/// What texts of statements that are no file are called in faults.
pub const STATEMENTS: &str = "<statements>";

/// What is said of `bmc` to who asks for one BMC by its name.
pub const BY_ADDRESS: &str = "bmc is for consoles: whoever asks here names the BMC with what is asked";

/// What is said of `quit` to who may not end the program.
pub const NO_END: &str = "quit is for consoles and files: the program is ended by a signal";

/// What the caller of [`execute`] does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementOutcome {
    /// Go on.
    Done,
    /// Report this, and go on with the next statement.
    Failed(Diagnostic),
    /// Run this file's statements, then go on.
    Include(String),
    /// Go on after so many milliseconds.
    Sleep(u32),
    /// Stop the echo of this console.
    NoEcho,
    /// This console talks to the BMC of this name from now on; without a name, show which it is.
    Bmc(String),
    /// List the BMCs with this in their names.
    Bmcs(String),
    /// End the program in an orderly way with status 0.
    Quit,
}

/// Executes one statement of a command file (`console` is `None`) or console line. The table that it names is looked for in
/// `includes`.
pub fn execute(
    system: &mut Simulator,
    now: Moment,
    console: Option<ConsoleId>,
    statement: &Statement,
    includes: &(impl Includes + ?Sized),
    out: &mut Effects,
) -> StatementOutcome {
    let instruction = match statement.read(system.variables()) {
        Ok(Some(instruction)) => instruction,
        Ok(None) => return StatementOutcome::Done,
        Err(diagnostic) => return StatementOutcome::Failed(diagnostic),
    };
    let command = match &*instruction {
        Instruction::System(command) => with_table(command, statement, includes),
        Instruction::SelFillFile { mc, pace, path } => listed(path, statement, includes).map(|list| {
            let fill = Some(Box::new(Fill { pace: *pace, list }));
            Cow::Owned(Command::SelFill { mc: *mc, fill })
        }),
        Instruction::Include { path } => return StatementOutcome::Include(path.clone()),
        Instruction::Sleep { milliseconds } => return StatementOutcome::Sleep(*milliseconds),
        Instruction::NoEcho => return StatementOutcome::NoEcho,
        Instruction::Bmc { name } => return StatementOutcome::Bmc(name.clone()),
        Instruction::Bmcs { about } => return StatementOutcome::Bmcs(about.clone()),
        Instruction::Quit => return StatementOutcome::Quit,
        Instruction::Help { about } => {
            let text = help::commands(about.as_deref().unwrap_or_default());
            out.list.push(Effect::Print { console, text });
            return StatementOutcome::Done;
        }
    };
    let command = match command {
        Ok(command) => command,
        Err(fault) => return StatementOutcome::Failed(*fault),
    };
    system.handle(now, Input::Command { console, command: &command }, out);
    match out.list.pop_if(|effect| matches!(effect, Effect::Refused(_))) {
        Some(Effect::Refused(message)) => StatementOutcome::Failed(statement.refused(Severity::Error, message)),
        _ => StatementOutcome::Done,
    }
}

/// A command with the table that it names, if it names one.
fn with_table<'a>(
    command: &'a Command,
    statement: &Statement,
    includes: &(impl Includes + ?Sized),
) -> Result<Cow<'a, Command>, Box<Diagnostic>> {
    let mut command = Cow::Borrowed(command);
    if command.table().is_some()
        && let Some(csv) = command.to_mut().table_mut()
    {
        csv.recording = Some(recording(&csv.source, statement, includes)?);
    }
    Ok(command)
}
