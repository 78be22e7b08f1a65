//! `oem_add` and `oem_remove`: commands that statements define.
//!
//! Owns what may be defined. How a request is answered is `command`'s.

use std::sync::Arc;

use super::Simulator;
use crate::command;
use crate::ipmi::McAddress;
use crate::settings::oem::OemCommand;

impl Simulator {
    /// Defines a command of the controller at `mc`, or puts it in the place of the row with the same data.
    ///
    /// # Errors
    /// It cannot be defined, in one line.
    pub(super) fn oem_add(&mut self, mc: McAddress, command: &Arc<OemCommand>) -> Result<(), String> {
        let (netfn, cmd) = (command.netfn, command.cmd);
        if command::is_answered_elsewhere(netfn, cmd) {
            return Err(format!("{netfn:#04x} {cmd:#04x} is about sessions or leads elsewhere, and cannot be defined"));
        }
        let replaced = self.commands.defined.add(mc, Arc::clone(command)).map_err(|full| full.to_string())?;
        self.forget_counts(mc, replaced);
        Ok(())
    }

    /// Removes the rows of a command whose data begin with `data`.
    ///
    /// # Errors
    /// There are none, in one line.
    pub(super) fn oem_remove(&mut self, mc: McAddress, netfn: u8, cmd: u8, data: &[u8]) -> Result<(), String> {
        let removed = self.commands.defined.remove(mc, netfn, cmd, data);
        if removed.is_empty() {
            return Err(format!("no oem_add was about {netfn:#04x} {cmd:#04x} of MC {mc:#04x} with these data"));
        }
        self.forget_counts(mc, removed);
        Ok(())
    }

    fn forget_counts(&mut self, mc: McAddress, rows: impl IntoIterator<Item = u32>) {
        let Some(mut at) = self.machine.at(mc) else { return };
        for row in rows {
            at.oem.counts.remove(&row);
        }
    }
}
