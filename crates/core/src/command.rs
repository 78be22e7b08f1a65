//! IPMI commands: one file per network function, each with its table of commands.
//!
//! A command is one [`Entry`] in the table of its network function: number, name, gate,
//! minimum length, handler. [`dispatch`] finds the entry, checks gate and length, and
//! calls the handler, which decodes the request, asks [`bmc`](crate::bmc) and encodes
//! the answer. Who may send a command is in [`privilege`].

pub mod app;
pub mod chassis;
pub mod describe;
pub mod group_extension;
pub mod oem;
pub mod privilege;
pub mod sensor_event;
pub mod storage;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod transport;

use crate::bmc::external::{FileContent, FileRead, FileWrite, FileWritten, ProgramCall, ProgramResult};
use crate::bmc::{Controller, Machine};
use crate::ipmi::{CompletionCode, Moment, Origin, Reply, Request, netfn};

/// What a handler works with: the machine, and which of its controllers answers.
pub struct Context<'a> {
    /// The time.
    pub now: Moment,
    /// All controllers, for events and bridging.
    pub machine: &'a mut Machine,
    /// Address of the controller that executes the command.
    pub mc: u8,
    /// Where the request came from.
    pub origin: Origin,
}

impl Context<'_> {
    /// The executing controller. It exists: the simulator looked it up before dispatch.
    /// Should it have gone since, CEh is the answer.
    pub fn controller(&mut self) -> Result<&mut Controller, CompletionCode> {
        self.machine.controller_mut(self.mc).ok_or(CompletionCode::NO_RESPONSE)
    }

    /// The executing controller, only to be looked at.
    pub fn executing(&self) -> Option<&Controller> {
        self.machine.controller(self.mc)
    }

    /// Whether the executing controller passes `test`: what gates are made of.
    pub fn controller_is(&self, test: impl FnOnce(&Controller) -> bool) -> bool {
        self.executing().is_some_and(test)
    }

    /// The channel a request means by `number` when it compares the whole byte:
    /// `0Eh` is the channel it came in on (`commands-core.md` section 6).
    pub fn channel_number(&self, number: u8) -> u8 {
        if number == 0x0e { self.origin.channel } else { number }
    }
}

/// How a handler ends when it does not fail.
pub enum Outcome {
    /// The reply is complete.
    Done,
    /// Slow work comes first; what goes on with its result writes the reply.
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
pub type Continuation<R> = Box<dyn FnOnce(&mut Context<'_>, R, &mut Reply) -> Result<Outcome, CompletionCode> + Send>;

impl Outcome {
    /// Runs a helper program first.
    pub fn program(
        call: ProgramCall,
        then: impl FnOnce(&mut Context<'_>, ProgramResult, &mut Reply) -> Result<Self, CompletionCode> + Send + 'static,
    ) -> Self {
        Self::Wait(Wait::Program(call, Box::new(then)))
    }

    /// Reads a file first.
    pub fn read(
        read: FileRead,
        then: impl FnOnce(&mut Context<'_>, FileContent, &mut Reply) -> Result<Self, CompletionCode> + Send + 'static,
    ) -> Self {
        Self::Wait(Wait::Read(read, Box::new(then)))
    }

    /// Writes a file first.
    pub fn write(
        write: FileWrite,
        then: impl FnOnce(&mut Context<'_>, FileWritten, &mut Reply) -> Result<Self, CompletionCode> + Send + 'static,
    ) -> Self {
        Self::Wait(Wait::Write(write, Box::new(then)))
    }
}

/// A command's implementation. `request.data` is at least the entry's minimum length long.
pub type Handler = fn(&mut Context<'_>, &Request<'_>, &mut Reply) -> Result<Outcome, CompletionCode>;

/// Whether a controller has a command at all; a closed gate is C1h, before any other check.
pub type Gate = fn(&Context<'_>) -> bool;

/// One command.
pub struct Entry {
    /// Command number.
    pub cmd: u8,
    /// Name in the IPMI specification.
    pub name: &'static str,
    /// Capability the controller must have.
    pub gate: Gate,
    /// Fewest data bytes; fewer are C7h (C1h for a command the original does not have), more
    /// are never an error.
    pub min_length: usize,
    /// The implementation.
    pub handler: Handler,
}

/// A gate that is always open.
pub fn always(_: &Context<'_>) -> bool {
    true
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

/// Name of a command, for logs.
pub fn name(netfn: u8, cmd: u8) -> Option<&'static str> {
    find(netfn, cmd).map(|entry| entry.name)
}

/// The commands that the original does not have, by network function.
///
/// They are here for clients, which send whole requests. One that is too short gets the
/// answer the original gives to every request of such a command, C1h.
const ADDED: [(u8, &[u8]); 5] = [
    (netfn::CHASSIS, &[0x06, 0x07, 0x0a, 0x0b, 0x0f]),
    (netfn::SENSOR_EVENT, &[0x15, 0x23, 0x2b]),
    (netfn::STORAGE, &[0x2c, 0x5c, 0x5d]),
    (
        netfn::APP,
        &[0x02, 0x03, 0x04, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0c, 0x4c, 0x4d, 0x4f, 0x56, 0x57, 0x58, 0x59, 0x61],
    ),
    (netfn::TRANSPORT, &[0x04]),
];

/// The answer to a request with fewer bytes than its command needs.
fn too_short(netfn: u8, cmd: u8) -> CompletionCode {
    let added = ADDED.iter().any(|(added, commands)| *added == netfn && commands.contains(&cmd));
    if added { CompletionCode::INVALID_COMMAND } else { CompletionCode::INVALID_LENGTH }
}

/// Whether a command changes what a state file keeps, so that its answer waits for the disk.
///
/// What waits is bounded, and whether there is room has to be known before such a command is
/// executed. `what_a_state_file_keeps_is_changed_by_no_other_command` holds this list to the
/// commands.
pub fn changes_what_is_kept(netfn: u8, cmd: u8, data: &[u8]) -> bool {
    let commands: &[u8] = match netfn {
        // Chassis Control, Set Power Restore Policy, Set Front Panel Enables, Set Power Cycle Interval.
        netfn::CHASSIS => &[0x02, 0x06, 0x0a, 0x0b],
        // Platform Event, and what can bring a sensor to log an event: hysteresis, thresholds,
        // event enables, re-arm, reading.
        netfn::SENSOR_EVENT => &[0x02, 0x24, 0x26, 0x28, 0x2a, 0x30],
        // Set Channel Access; access, name, password and payload access of a user; Set Channel Security
        // Keys; Set System Info Parameters.
        netfn::APP => &[0x40, 0x43, 0x45, 0x47, 0x4c, 0x56, 0x58],
        // Add, Partial Add, Delete and Clear of the SDR repository and of the SEL, and their clocks.
        netfn::STORAGE => &[0x24, 0x25, 0x26, 0x27, 0x29, 0x44, 0x45, 0x46, 0x47, 0x49, 0x5d],
        // Set LAN and Set SOL Configuration Parameters.
        netfn::TRANSPORT => &[0x01, 0x21],
        // DCMI: power limit and its activation, asset tag, identifier, thermal limit, configuration.
        netfn::GROUP_EXTENSION if data.first() == Some(&group_extension::dcmi::GROUP) => {
            &[0x04, 0x05, 0x08, 0x0a, 0x0b, 0x12]
        }
        // PICMG, which logs hot swap events: FRU Control, Set FRU Activation.
        netfn::GROUP_EXTENSION => &[0x04, 0x0c],
        // Those of the manufacturer that set something log events, too.
        netfn::OEM => &[0x01, 0x03],
        _ => &[],
    };
    commands.contains(&cmd)
}

fn find(netfn: u8, cmd: u8) -> Option<&'static Entry> {
    find_in(table(netfn), cmd)
}

fn find_in(table: &'static [Entry], cmd: u8) -> Option<&'static Entry> {
    table.binary_search_by_key(&cmd, |entry| entry.cmd).ok().map(|index| &table[index])
}

/// Executes a request on the controller `context.mc`. Privilege was checked before.
///
/// Order of checks: `commands-core.md` section 1.1.
pub fn dispatch(context: &mut Context<'_>, request: &Request<'_>, reply: &mut Reply) -> Outcome {
    match execute(context, request, reply) {
        Ok(outcome) => outcome,
        Err(code) => {
            reply.fail(code);
            Outcome::Done
        }
    }
}

fn execute(context: &mut Context<'_>, request: &Request<'_>, reply: &mut Reply) -> Result<Outcome, CompletionCode> {
    if !context.controller()?.enabled {
        return Err(CompletionCode::UNSPECIFIED);
    }
    let table = match request.netfn {
        netfn::GROUP_EXTENSION => group_extension::table(context, request)?,
        netfn::OEM_GROUP => return oem::oem_group(context, request, reply),
        netfn => table(netfn),
    };
    let entry = find_in(table, request.cmd).ok_or(CompletionCode::INVALID_COMMAND)?;
    if !(entry.gate)(context) {
        return Err(CompletionCode::INVALID_COMMAND);
    }
    if request.data.len() < entry.min_length {
        return Err(too_short(request.netfn, request.cmd));
    }
    (entry.handler)(context, request, reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_free_of_doubles() {
        let tables = (0..=0x3e).step_by(2).map(|netfn| (netfn, table(netfn)));
        for (netfn, table) in tables.chain([(netfn::GROUP_EXTENSION, group_extension::dcmi::COMMANDS)]) {
            assert!(
                table.windows(2).all(|pair| pair[0].cmd < pair[1].cmd),
                "the table of network function {netfn:#04x} is not in strictly ascending order"
            );
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
            crate::bmc::chassis::change_settings(&mut rig.machine, testing::BMC, |kept| {
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
                        let first = data.first().map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"));
                        rig.ask(&format!("{netfn:02x} {:02x} {}", entry.cmd, data.join(" ")));
                        for action in rig.machine.actions.drain(..) {
                            if let crate::bmc::Action::Save(file) = action {
                                assert!(
                                    changes_what_is_kept(netfn, entry.cmd, first.as_slice()),
                                    "{netfn:02x} {:02x} changes {file:?}: name it in changes_what_is_kept",
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
        for (netfn, commands) in ADDED {
            for cmd in commands {
                assert!(find(netfn, *cmd).is_some(), "{netfn:02x} {cmd:02x} is in no table");
                assert_eq!(too_short(netfn, *cmd), CompletionCode::INVALID_COMMAND);
            }
        }
        assert_eq!(too_short(netfn::APP, 0x24), CompletionCode::INVALID_LENGTH);
    }

    /// The command tables and the table of what may be repeated agree, whoever adds a command.
    #[test]
    fn every_command_says_by_its_name_whether_it_only_reads() {
        // What takes away what it reads.
        const TAKES: [&str; 2] = ["Get Message", "Read Event Message Buffer"];
        use crate::lan::repeat::{Nature, nature_of};
        use group_extension::{dcmi, picmg};
        let functions =
            [netfn::CHASSIS, netfn::SENSOR_EVENT, netfn::APP, netfn::STORAGE, netfn::TRANSPORT, netfn::OEM].into_iter();
        let tables = functions
            .map(|netfn| (netfn, None, table(netfn)))
            .chain([(netfn::GROUP_EXTENSION, Some(picmg::GROUP), picmg::COMMANDS)])
            .chain([(netfn::GROUP_EXTENSION, Some(dcmi::GROUP), dcmi::COMMANDS)]);
        for (netfn, group, table) in tables {
            for entry in table {
                let name = entry.name.trim_start_matches("OEM ");
                let reads =
                    ["Get ", "Read ", "Reserve ", "FRU Control Capabilities"].iter().any(|verb| name.starts_with(verb))
                        && !TAKES.contains(&name);
                let statistics = name.contains("Statistics");
                let nature = nature_of(netfn, entry.cmd, group);
                assert_eq!(
                    nature == Nature::Reads,
                    reads && !statistics,
                    "{} ({netfn:02x} {:02x})",
                    entry.name,
                    entry.cmd
                );
                let adds = ["Add ", "Partial Add ", "Delete "].iter().any(|verb| name.starts_with(verb));
                let resets =
                    ["Cold Reset", "Warm Reset", "Chassis Control", "Platform Event", "FRU Control"].contains(&name);
                let acts = adds || resets || TAKES.contains(&name);
                assert_eq!(nature == Nature::Acts, acts, "{} ({netfn:02x} {:02x})", entry.name, entry.cmd);
            }
        }
    }
}
