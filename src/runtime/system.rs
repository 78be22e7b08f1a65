//! The simulator as the driver sees it, so that the driver can be tested with another.

use super::statement::{self, StatementOutcome};
use crate::config::command::Statement;
use crate::ipmi::Moment;
use crate::sim::{ConsoleId, Effects, Input, Login, Simulator};

/// One simulated system. See [`Simulator`] for what the calls mean.
pub trait System {
    /// Something happens to it.
    fn handle(&mut self, now: Moment, input: Input<'_>, out: &mut Effects);

    /// When [`Input::Timeout`] is due.
    fn deadline(&self) -> Option<Moment>;

    /// Executes one statement.
    fn statement(
        &mut self,
        now: Moment,
        console: Option<ConsoleId>,
        statement: &Statement,
        out: &mut Effects,
    ) -> StatementOutcome;

    /// Who can log in.
    fn logins(&mut self) -> Vec<Login>;
}

impl System for Simulator {
    fn handle(&mut self, now: Moment, input: Input<'_>, out: &mut Effects) {
        Simulator::handle(self, now, input, out);
    }

    fn deadline(&self) -> Option<Moment> {
        Simulator::deadline(self)
    }

    fn statement(
        &mut self,
        now: Moment,
        console: Option<ConsoleId>,
        statement: &Statement,
        out: &mut Effects,
    ) -> StatementOutcome {
        statement::execute(self, now, console, statement, out)
    }

    fn logins(&mut self) -> Vec<Login> {
        Simulator::logins(self)
    }
}
