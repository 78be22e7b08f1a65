//! IPMI commands: one file per network function, each with its table of commands.
//!
//! A command is one [`Entry`] in the table of its network function, which says everything about it.
//! [`dispatch`] finds the entry, checks gate and length, and calls the handler, which decodes the request,
//! asks [`bmc`](crate::bmc) and encodes the response.

mod absent;
pub mod app;
pub mod chassis;
mod commands;
mod defined;
pub mod describe;
mod entry;
pub mod group_extension;
mod index;
pub mod oem;
pub mod privilege;
pub mod sensor_event;
pub mod storage;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod transport;

use crate::bmc::external::{FileContent, FileRead, FileWrite, FileWritten, ProgramCall, ProgramResult};
use crate::bmc::{At, Controller, Machine};
use crate::ipmi::{ChannelNumber, CompletionCode, McAddress, Moment, Origin, Request, Response, netfn};
pub use commands::{Commands, Function, STANDARD};
use entry::READ_RECORD;
pub use entry::{Entry, Fields, Gate, Handler};
use index::Index;

/// What a handler works with: the machine, and which of its controllers answers.
pub struct Context<'a> {
    /// The time.
    pub now: Moment,
    /// All controllers, for events and bridging.
    pub machine: &'a mut Machine,
    /// Address of the controller that executes the command.
    pub mc: McAddress,
    /// Where the request came from.
    pub origin: Origin,
    /// The commands there are.
    pub commands: &'a Commands,
}

impl Context<'_> {
    /// The executing controller. It exists: the simulator looked it up before dispatch.
    /// Should it have gone since, CEh is the response.
    pub fn controller(&mut self) -> Result<&mut Controller, CompletionCode> {
        self.machine.controller_mut(self.mc).ok_or(CompletionCode::NO_RESPONSE)
    }

    /// The executing controller with the machine around it: what devices' functions work on. As for
    /// [`controller`](Self::controller), CEh is the response should it have gone.
    pub fn at(&mut self) -> Result<At<'_>, CompletionCode> {
        self.machine.at(self.mc).ok_or(CompletionCode::NO_RESPONSE)
    }

    /// The executing controller, only to be looked at.
    pub fn executing(&self) -> Option<&Controller> {
        self.machine.controller(self.mc)
    }

    /// Whether the executing controller passes `test`: what gates are made of.
    pub fn controller_is(&self, test: impl FnOnce(&Controller) -> bool) -> bool {
        self.executing().is_some_and(test)
    }

    /// What an added command remembers of the executing controller under a number of its choice; nothing at first.
    pub fn oem_value(&self, key: u32) -> &[u8] {
        self.executing().and_then(|controller| controller.oem.values.get(&key)).map_or(&[], Vec::as_slice)
    }

    /// Has the executing controller remember bytes under a number, in memory only.
    ///
    /// # Errors
    /// The controller is gone.
    pub fn set_oem_value(&mut self, key: u32, value: &[u8]) -> Result<(), CompletionCode> {
        self.controller()?.oem.values.insert(key, value.to_vec());
        Ok(())
    }

    /// The channel that a request means by `number`: 0Eh is the one it came in on (`commands-core.md` section 6).
    pub fn channel_number(&self, number: ChannelNumber) -> ChannelNumber {
        if number == ChannelNumber::PRESENT_INTERFACE { self.origin.channel } else { number }
    }
}

/// How a handler ends when it does not fail.
pub enum Outcome {
    /// The response is complete.
    Done,
    /// Slow work comes first; what goes on with its result writes the response.
    Wait(Wait),
}

/// Slow work that a command waits for, and what goes on with its result.
pub enum Wait {
    /// A helper program.
    Program(ProgramCall, Continuation<ProgramResult>),
    /// A file is read.
    Read(FileRead, Continuation<FileContent>),
    /// A file is written.
    Write(FileWrite, Continuation<FileWritten>),
}

/// What a waiting command does with the result of its work.
pub type Continuation<R> =
    Box<dyn FnOnce(&mut Context<'_>, R, &mut Response) -> Result<Outcome, CompletionCode> + Send>;

impl Outcome {
    /// Runs a helper program first.
    pub fn program(
        call: ProgramCall,
        then: impl FnOnce(&mut Context<'_>, ProgramResult, &mut Response) -> Result<Self, CompletionCode> + Send + 'static,
    ) -> Self {
        Self::Wait(Wait::Program(call, Box::new(then)))
    }

    /// Reads a file first.
    pub fn read(
        read: FileRead,
        then: impl FnOnce(&mut Context<'_>, FileContent, &mut Response) -> Result<Self, CompletionCode> + Send + 'static,
    ) -> Self {
        Self::Wait(Wait::Read(read, Box::new(then)))
    }

    /// Writes a file first.
    pub fn write(
        write: FileWrite,
        then: impl FnOnce(&mut Context<'_>, FileWritten, &mut Response) -> Result<Self, CompletionCode> + Send + 'static,
    ) -> Self {
        Self::Wait(Wait::Write(write, Box::new(then)))
    }
}

/// Whether a LAN channel or the simulator answers a command before the tables are asked, so that nobody can define it.
pub fn is_answered_elsewhere(netfn: u8, cmd: u8) -> bool {
    netfn == netfn::APP && find_in(app::ELSEWHERE, cmd).is_some()
}

/// A gate: whether the controller has SOL.
pub fn has_sol(context: &Context<'_>) -> bool {
    context.controller_is(|controller| controller.sol.is_some())
}

/// The table of a network function, sorted by command number.
pub fn table(netfn: u8) -> &'static [Entry] {
    match netfn {
        netfn::CHASSIS => chassis::COMMANDS,
        netfn::SENSOR_EVENT => sensor_event::COMMANDS,
        netfn::APP => app::COMMANDS,
        netfn::STORAGE => storage::COMMANDS,
        netfn::TRANSPORT => transport::COMMANDS,
        // Those of the other group are in a table of their own, see [`group_extension::table`].
        netfn::GROUP_EXTENSION => group_extension::picmg::COMMANDS,
        netfn::OEM => oem::COMMANDS,
        _ => &[],
    }
}

static CHASSIS: Index = Index::new(chassis::COMMANDS);
static SENSOR_EVENT: Index = Index::new(sensor_event::COMMANDS);
static APP: Index = Index::new(app::COMMANDS);
static STORAGE: Index = Index::new(storage::COMMANDS);
static TRANSPORT: Index = Index::new(transport::COMMANDS);

/// The row of a command that every system has; `data` names the group of a group extension, and the enterprise
/// of OEM/Group.
pub fn find(netfn: u8, cmd: u8, data: &[u8]) -> Option<&'static Entry> {
    match netfn {
        netfn::CHASSIS => CHASSIS.find(chassis::COMMANDS, cmd),
        netfn::SENSOR_EVENT => SENSOR_EVENT.find(sensor_event::COMMANDS, cmd),
        netfn::APP => APP.find(app::COMMANDS, cmd).or_else(|| find_in(app::ELSEWHERE, cmd)),
        netfn::STORAGE => STORAGE.find(storage::COMMANDS, cmd),
        netfn::TRANSPORT => TRANSPORT.find(transport::COMMANDS, cmd),
        netfn::GROUP_EXTENSION => find_in(group_extension::named(data), cmd),
        netfn::OEM_GROUP => find_in(oem::named(data), cmd),
        netfn => find_in(table(netfn), cmd),
    }
}

fn find_in(table: &'static [Entry], cmd: u8) -> Option<&'static Entry> {
    table.binary_search_by_key(&cmd, |entry| entry.cmd).ok().map(|index| &table[index])
}

/// Executes a request on the controller `context.mc`. Privilege was checked before.
pub fn dispatch(context: &mut Context<'_>, request: &Request<'_>, response: &mut Response) -> Outcome {
    let found = context.commands.find(context.machine, context.mc, request.netfn, request.cmd, request.data);
    dispatch_to(found, context, request, response)
}

/// The same for a command whose row has been looked up.
///
/// Order of checks: `commands-core.md` section 1.1.
pub fn dispatch_to(
    found: Option<&Entry>,
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Outcome {
    match execute(found, context, request, response) {
        Ok(outcome) => outcome,
        Err(code) => {
            response.fail(code);
            Outcome::Done
        }
    }
}

fn execute(
    found: Option<&Entry>,
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    if !context.controller()?.enabled {
        return Err(CompletionCode::UNSPECIFIED);
    }
    match request.netfn {
        netfn::GROUP_EXTENSION if request.data.is_empty() => return Err(CompletionCode::INVALID_LENGTH),
        netfn::OEM_GROUP => return oem::oem_group(found, context, request, response),
        _ => {}
    }
    call(found, context, request, response)
}

/// Checks gate and length, and calls the handler.
fn call(
    found: Option<&Entry>,
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let entry = found.ok_or(CompletionCode::INVALID_COMMAND)?;
    if !(entry.gate)(context) {
        return Err(CompletionCode::INVALID_COMMAND);
    }
    if request.data.len() < entry.min_length {
        return Err(entry.too_short());
    }
    (entry.handler)(context, request, response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipmi::Nature;

    #[test]
    fn tables_are_sorted_and_free_of_doubles() {
        let tables = (0..=0x3e).step_by(2).map(|netfn| (netfn, table(netfn)));
        for (netfn, table) in tables.chain([
            (netfn::GROUP_EXTENSION, group_extension::dcmi::COMMANDS),
            (netfn::APP, app::ELSEWHERE),
            (netfn::OEM_GROUP, oem::HISTORY),
        ]) {
            assert!(
                table.windows(2).all(|pair| pair[0].cmd < pair[1].cmd),
                "the table of network function {netfn:#04x} is not in strictly ascending order"
            );
        }
    }

    #[test]
    fn each_row_is_found_and_nothing_else() {
        for netfn in (0..=0x3e).step_by(2).filter(|netfn| *netfn != netfn::GROUP_EXTENSION) {
            for cmd in 0..=u8::MAX {
                let mut rows = table(netfn).iter().chain(if netfn == netfn::APP { app::ELSEWHERE } else { &[] });
                let row = rows.find(|entry| entry.cmd == cmd).map(std::ptr::from_ref);
                assert_eq!(find(netfn, cmd, &[]).map(std::ptr::from_ref), row, "{netfn:02x} {cmd:02x}");
            }
        }
    }

    /// Every command, many times, with data that often enough means something.
    #[test]
    fn what_a_state_file_keeps_is_changed_by_no_other_command() {
        let mut changed = std::collections::BTreeSet::new();
        for origin in [testing::LAN, testing::SYSTEM] {
            let mut rig = testing::Rig::new();
            rig.origin = origin;
            for mc in [testing::BMC, testing::SATELLITE] {
                let controller = rig.machine.ensure(mc);
                controller.sel.enable(60_000, 0x0f);
                controller.vm.start_command = Some("vm".into());
                controller.device.device_support = 0xff;
            }
            crate::bmc::chassis::change_settings(&mut rig.machine.found(testing::BMC), |kept| {
                kept.restore_policy = crate::bmc::chassis::RestorePolicy::Previous;
            });
            rig.machine.actions.clear();
            let mut seed = 1u32;
            let mut dice = move |sides: u32| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) % sides
            };
            rig.machine.shelf.enabled = true;
            let plain = (0..=0x3e).step_by(2).filter(|netfn| *netfn != netfn::GROUP_EXTENSION);
            let groups = [
                (netfn::GROUP_EXTENSION, Some("00"), group_extension::picmg::COMMANDS),
                (netfn::GROUP_EXTENSION, Some("dc"), group_extension::dcmi::COMMANDS),
            ];
            for (netfn, group, table) in plain.map(|netfn| (netfn, None, table(netfn))).chain(groups) {
                for entry in table {
                    for round in 0..400 {
                        let length = entry.min_length as u32 + dice(24) * u32::from(round % 2 != 0);
                        let mut data: Vec<String> = (0..length)
                            .map(|_| match dice(3) {
                                0 => format!("{:02x}", dice(256)),
                                1 => format!("{:02x}", 1 << dice(8)),
                                _ => format!("{:02x}", dice(6)),
                            })
                            .collect();
                        if let (Some(group), Some(first)) = (group, data.first_mut()) {
                            *first = group.to_owned();
                        }
                        rig.ask(&format!("{netfn:02x} {:02x} {}", entry.cmd, data.join(" ")));
                        for action in rig.machine.actions.drain(..) {
                            if let crate::bmc::Action::Save(saved) = action {
                                let file = saved.file();
                                assert!(
                                    entry.keeps,
                                    "{netfn:02x} {:02x} changes {file:?}: say so in its row",
                                    entry.cmd
                                );
                                changed.insert((netfn, entry.cmd));
                            }
                        }
                    }
                }
            }
        }
        // The test sees what it is to see.
        for seen in [
            (netfn::CHASSIS, 2),
            (netfn::CHASSIS, 6),
            (netfn::APP, 0x43),
            (netfn::STORAGE, 0x44),
            (netfn::GROUP_EXTENSION, 0x04),
        ] {
            assert!(changed.contains(&seen), "{seen:02x?} is not among {changed:02x?}");
        }
    }

    #[test]
    fn what_the_original_lacks_is_named_only_once_and_is_there() {
        let ours = |netfn| table(netfn).iter().filter(|entry| !entry.in_original).map(|entry| entry.cmd).collect();
        let lacks: [(u8, Vec<u8>); 5] =
            [netfn::CHASSIS, netfn::SENSOR_EVENT, netfn::STORAGE, netfn::APP, netfn::TRANSPORT]
                .map(|netfn| (netfn, ours(netfn)));
        let expected: [(u8, &[u8]); 5] = [
            (netfn::CHASSIS, &[0x06, 0x07, 0x0a, 0x0b, 0x0f]),
            (netfn::SENSOR_EVENT, &[0x11, 0x14, 0x15, 0x16, 0x17, 0x23, 0x2b]),
            (netfn::STORAGE, &[0x2c, 0x5c, 0x5d]),
            (
                netfn::APP,
                &[0x02, 0x03, 0x04, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0c, 0x4c, 0x4d, 0x4f, 0x56, 0x57, 0x58, 0x59, 0x61],
            ),
            (netfn::TRANSPORT, &[0x04]),
        ];
        assert_eq!(lacks, expected.map(|(netfn, commands)| (netfn, commands.to_vec())));
        let mut rig = testing::Rig::new();
        rig.expect("06 09 -> c1\n 06 24 -> c7");
    }

    /// The names of commands and what their rows say of doing them again agree, whoever adds a command.
    #[test]
    fn every_command_says_by_its_name_whether_it_only_reads() {
        // What takes away what it reads.
        const TAKES: [&str; 2] = ["Get Message", "Read Event Message Buffer"];
        use group_extension::{dcmi, picmg};
        let functions =
            [netfn::CHASSIS, netfn::SENSOR_EVENT, netfn::APP, netfn::STORAGE, netfn::TRANSPORT, netfn::OEM].into_iter();
        let tables = functions
            .map(|netfn| (netfn, table(netfn)))
            .chain([(netfn::GROUP_EXTENSION, picmg::COMMANDS), (netfn::GROUP_EXTENSION, dcmi::COMMANDS)])
            .chain([(netfn::OEM_GROUP, oem::HISTORY)]);
        for (netfn, table) in tables {
            for entry in table {
                let name = entry.name.trim_start_matches("OEM ");
                let reads =
                    ["Get ", "Read ", "Reserve ", "FRU Control Capabilities"].iter().any(|verb| name.starts_with(verb))
                        && !TAKES.contains(&name);
                let statistics = name.contains("Statistics");
                let nature = entry.nature;
                assert_eq!(
                    nature == Nature::Reads,
                    reads && !statistics,
                    "{} ({netfn:02x} {:02x})",
                    entry.name,
                    entry.cmd
                );
                let adds = ["Add ", "Partial Add ", "Delete "].iter().any(|verb| name.starts_with(verb));
                let resets = ["Cold Reset", "Warm Reset", "Chassis Control", "FRU Control"].contains(&name);
                let sends = ["Platform Event", "Alert Immediate"].contains(&name);
                let acts = adds || resets || sends || TAKES.contains(&name);
                assert_eq!(nature == Nature::Acts, acts, "{} ({netfn:02x} {:02x})", entry.name, entry.cmd);
            }
        }
    }
}
