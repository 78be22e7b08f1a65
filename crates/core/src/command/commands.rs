//! The commands of one system: those that every system has, and those that were added to it or that its statements define.

use super::defined::{Defined, Found};
use super::{Entry, absent, find_in, group_extension};
use crate::bmc::Machine;
use crate::ipmi::{McAddress, Nature, netfn};

/// Who defines a command: its network function, or, where that is shared, whom the data of a request name first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// A network function, request (even) value, 00h to 3Eh; those from 30h are for OEMs.
    Number(u8),
    /// Group extension (2Ch): the defining body, first byte of the data.
    Group(u8),
    /// OEM/Group (2Eh): the IANA enterprise number, first three bytes of the data.
    Enterprise(u32),
}

impl Function {
    /// Whose command a request is; `None` when its data do not say so.
    pub fn of(netfn: u8, data: &[u8]) -> Option<Self> {
        match netfn {
            netfn::GROUP_EXTENSION => data.first().copied().map(Self::Group),
            netfn::OEM_GROUP => data
                .first_chunk()
                .map(|[low, middle, high]| Self::Enterprise(u32::from_le_bytes([*low, *middle, *high, 0]))),
            netfn => Some(Self::Number(netfn)),
        }
    }
}

/// A table that was added.
#[derive(Clone, Copy)]
struct Added {
    /// Only this controller has it.
    mc: Option<McAddress>,
    function: Function,
    entries: &'static [Entry],
}

impl Added {
    fn is_for(&self, mc: McAddress, function: Function) -> bool {
        self.function == function && self.mc.is_none_or(|only| only == mc)
    }
}

/// The commands of one system.
///
/// A command is looked up among those that statements define, then in the tables that were added, the last one first,
/// then among those that every system has: one that was added replaces one of the same number. What the LAN channel answers itself (logins, sessions)
/// and Send Message cannot be replaced.
#[derive(Default)]
pub struct Commands {
    added: Vec<Added>,
    /// What statements of the command language define.
    pub(crate) defined: Defined,
}

/// The commands that every system has.
pub static STANDARD: Commands = Commands::new();

impl Commands {
    /// The commands that every system has.
    pub const fn new() -> Self {
        Self { added: Vec::new(), defined: Defined::new() }
    }

    /// Adds the commands of a table, in any order, to the controller at `mc`, or to every one.
    ///
    /// Who may send one is what its row says: an administrator, unless it says otherwise. A row about a group or
    /// an enterprise counts the bytes that name it as data; the response has to begin with them as well.
    pub fn add(&mut self, mc: Option<McAddress>, function: Function, entries: &'static [Entry]) {
        self.added.push(Added { mc, function, entries });
    }

    fn added(&self, mc: McAddress, netfn: u8, cmd: u8, data: &[u8]) -> Option<&'static Entry> {
        if self.added.is_empty() {
            return None;
        }
        let function = Function::of(netfn, data)?;
        let tables = self.added.iter().rev().filter(|added| added.is_for(mc, function));
        tables.flat_map(|added| added.entries).find(|entry| entry.cmd == cmd)
    }

    /// The row that a statement defines; else what `tables` have, and if they have nothing, that the data are wrong.
    fn defined_or(
        &self,
        mc: McAddress,
        netfn: u8,
        cmd: u8,
        data: &[u8],
        tables: impl FnOnce() -> Option<&'static Entry>,
    ) -> Option<&'static Entry> {
        match self.defined.find(mc, netfn, cmd, data) {
            Found::Nothing => tables(),
            Found::Row(entry) => Some(entry),
            Found::OtherData(entry) => tables().or(Some(entry)),
        }
    }

    /// The row of a command for the controller at `mc`, whether that knows its group or not.
    pub fn row(&self, mc: McAddress, netfn: u8, cmd: u8, data: &[u8]) -> Option<&'static Entry> {
        let tables = || self.added(mc, netfn, cmd, data).or_else(|| super::find(netfn, cmd, data));
        self.defined_or(mc, netfn, cmd, data, tables)
    }

    /// The row of a command that the controller at `mc` has, as far as tables tell; its gate may still be closed.
    pub fn find(&self, machine: &Machine, mc: McAddress, netfn: u8, cmd: u8, data: &[u8]) -> Option<&'static Entry> {
        self.defined_or(mc, netfn, cmd, data, || match self.added(mc, netfn, cmd, data) {
            None if netfn == netfn::GROUP_EXTENSION => find_in(group_extension::table(machine, mc, data), cmd),
            None => super::find(netfn, cmd, data),
            added => added,
        })
    }

    /// The numbers and rows of the commands that [`find`](Self::find) finds, but for those of sessions; `data` names a
    /// group or enterprise.
    pub(super) fn of<'a>(
        &'a self,
        machine: &'a Machine,
        mc: McAddress,
        netfn: u8,
        data: &'a [u8],
    ) -> impl Iterator<Item = (u8, &'static Entry)> + use<'a> {
        let function = Function::of(netfn, data);
        let is_added = move |added: &&Added| function.is_some_and(|function| added.is_for(mc, function));
        let added = self.added.iter().rev().filter(is_added).flat_map(|added| added.entries);
        let first = move |entry: &&Entry| {
            self.added(mc, netfn, entry.cmd, data).is_some_and(|found| std::ptr::eq(found, *entry))
        };
        let standard = match netfn {
            netfn::GROUP_EXTENSION => group_extension::table(machine, mc, data),
            netfn => super::table(netfn),
        };
        let not_replaced = move |entry: &&Entry| self.added(mc, netfn, entry.cmd, data).is_none();
        let tables = added.filter(first).chain(standard.iter().filter(not_replaced)).map(|entry| (entry.cmd, entry));
        tables.chain(self.defined.of(mc, netfn, data))
    }

    /// What executing a command once more does.
    pub fn nature(&self, mc: McAddress, netfn: u8, cmd: u8, data: &[u8]) -> Nature {
        self.row(mc, netfn, cmd, data).map_or_else(|| absent::nature(netfn, cmd, data), |entry| entry.nature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{BMC, LAN, Rig, SATELLITE, SYSTEM};
    use crate::command::{Context, Outcome, app, group_extension::dcmi};
    use crate::ipmi::{CompletionCode, Request, Response};

    fn seven(_: &mut Context<'_>, request: &Request<'_>, response: &mut Response) -> Result<Outcome, CompletionCode> {
        // Whom the data name comes first.
        let named = match request.netfn {
            netfn::GROUP_EXTENSION => 1,
            netfn::OEM_GROUP => 3,
            _ => 0,
        };
        response.put(request.data.get(..named).unwrap_or_default())?;
        response.put(&[7])?;
        Ok(Outcome::Done)
    }

    fn never(_: &Context<'_>) -> bool {
        false
    }

    static SEVEN: &[Entry] = &[Entry::new(0x40, "Get Seven", seven).at_least(1).user().reads()];
    static GATED: &[Entry] = &[Entry::new(0x40, "Get Seven", seven).gate(never)];
    static ID: &[Entry] = &[Entry::new(0x01, "Get Another Device ID", seven).system_interface()];

    #[test]
    fn a_command_that_was_added_is_the_controllers_or_everyones() {
        let mut rig = Rig::new();
        rig.commands.add(Some(BMC), Function::Number(0x3a), SEVEN);
        rig.commands.add(None, Function::Number(0x3c), SEVEN);
        rig.expect("3a 40 00 -> 00 07\n 3a 40 -> c7\n 3a 41 00 -> c1\n 3c 40 00 -> 00 07");
        rig.mc = SATELLITE;
        rig.expect("3a 40 00 -> c1\n 3c 40 00 -> 00 07");
        rig.machine.ensure(SATELLITE).enabled = false;
        rig.expect("3c 40 00 -> ff");
    }

    #[test]
    fn what_is_added_last_comes_first_and_before_what_every_system_has() {
        let mut rig = Rig::new();
        rig.commands.add(None, Function::Number(netfn::APP), ID);
        rig.commands.add(None, Function::Number(0x3a), GATED);
        rig.expect("06 01 -> 00 07\n 3a 40 00 -> c1");
        rig.expect("06 04 -> 00 55 00");
        rig.commands.add(None, Function::Number(0x3a), SEVEN);
        rig.expect("3a 40 00 -> 00 07");
        rig.commands.add(Some(BMC), Function::Number(0x3a), GATED);
        rig.expect("3a 40 00 -> c1");
    }

    #[test]
    fn groups_and_enterprises_have_commands_of_their_own() {
        let mut rig = Rig::new();
        rig.commands.add(None, Function::Group(0x03), SEVEN);
        rig.commands.add(None, Function::Enterprise(40820), SEVEN);
        rig.commands.add(None, Function::Enterprise(0x010203), SEVEN);
        rig.expect(
            "2c 40 -> c7\n 2c 40 03 -> 00 03 07\n 2c 41 03 -> c1\n 2c 40 00 -> c1\n 2c 40 dc -> c1
             2e 40 03 02 01 -> 00 03 02 01 07\n 2e 41 03 02 01 -> c1 03 02 01\n 2e 40 03 02 02 -> c1 03 02 02
             2e 40 74 9f 00 -> 00 74 9f 00 07\n 2e 02 74 9f 00 -> 00 74 9f 00 00",
        );
        // A group that the controller does not know otherwise.
        rig.machine.ensure(BMC).dcmi.disabled = true;
        rig.expect("2c 40 dc -> c1\n 2c 02 dc 01 00 00 -> c1");
        rig.commands.add(None, Function::Group(dcmi::GROUP), SEVEN);
        rig.expect("2c 40 dc -> 00 dc 07\n 2c 02 dc 01 00 00 -> c1");
    }

    #[test]
    fn what_was_added_is_told_and_has_its_nature() {
        let mut rig = Rig::new();
        rig.commands.add(Some(BMC), Function::Number(0x3a), SEVEN);
        rig.commands.add(None, Function::Number(netfn::APP), ID);
        rig.commands.add(None, Function::Group(0x03), SEVEN);
        // Bit 29 for network function 3Ah.
        assert!(rig.ask("06 09 0e").starts_with("00 45 6d 00 40 21"), "{}", rig.ask("06 09 0e"));
        let bits = |rig: &mut Rig, request| rig.ask(request).split(' ').nth(1 + 8).map(str::to_owned);
        assert_eq!(bits(&mut rig, "06 61 0e 3a 00").as_deref(), Some("01"));
        assert_eq!(bits(&mut rig, "06 61 0e 2c 00 03").as_deref(), Some("01"));
        // Its own row says that it is for the system interface alone.
        assert!(rig.ask("06 61 0e 06 00").starts_with("00 5c"), "{}", rig.ask("06 61 0e 06 00"));
        rig.origin = SYSTEM;
        assert!(rig.ask("06 61 0e 06 00").starts_with("00 5e"), "{}", rig.ask("06 61 0e 06 00"));
        rig.origin = LAN;
        assert_eq!(rig.commands.nature(BMC, 0x3a, 0x40, &[]), Nature::Reads);
        assert_eq!(rig.commands.nature(SATELLITE, 0x3a, 0x40, &[]), Nature::Sets);
        assert_eq!(rig.commands.nature(BMC, netfn::APP, 0x01, &[]), Nature::Sets);
        assert_eq!(rig.commands.nature(BMC, netfn::STORAGE, 0x44, &[]), Nature::Acts);
        assert_eq!(STANDARD.of(&rig.machine, BMC, netfn::APP, &[]).count(), app::COMMANDS.len());
    }
}
