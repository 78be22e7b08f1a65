//! Commands that statements of the command language define (`oem_add`): which there are, and how they are answered.
//!
//! Owns the rows. What a row counts or remembers is the controller's (`bmc::oem`), and a helper program is run by who
//! carries out [`Outcome::Wait`].

use std::cmp::Reverse;
use std::sync::Arc;

use super::{Context, Entry, Outcome};
use crate::bmc::external::{Operation, ProgramCall, ProgramFailure, ProgramResult, Value};
use crate::bmc::{chassis, dcmi, sensor};
use crate::ipmi::{CompletionCode, McAddress, Privilege, Request, Response, netfn};
use crate::settings::oem::{OemCommand, OemItem, OemResponse};

/// Most rows of a system: a statement that is typed again and again does not fill the memory.
const MOST: usize = 4096;

/// There are as many rows as a system may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {MOST} commands of this kind already, and there cannot be more")]
pub(crate) struct Full;

/// A row of a controller.
struct Row {
    mc: McAddress,
    /// Never given again in this system.
    number: u32,
    command: Arc<OemCommand>,
}

impl Row {
    fn command(&self) -> (McAddress, u8, u8) {
        (self.mc, self.command.netfn, self.command.cmd)
    }
}

/// The commands that statements of one system define.
///
/// The rows of a command are behind one another, those with the longest data first.
#[derive(Default)]
pub(crate) struct Defined {
    rows: Vec<Row>,
    last: u32,
}

/// What is defined for a request.
pub(super) enum Found {
    /// No such command.
    Nothing,
    /// A row whose data the request's begin with.
    Row(&'static Entry),
    /// The command, but for other data.
    OtherData(&'static Entry),
}

impl Defined {
    pub(super) const fn new() -> Self {
        Self { rows: Vec::new(), last: 0 }
    }

    /// Adds a row to the controller at `mc`, or puts it in the place of that with the same data. Gives the number of
    /// the one that it replaces.
    ///
    /// # Errors
    /// There are too many.
    pub(crate) fn add(&mut self, mc: McAddress, command: Arc<OemCommand>) -> Result<Option<u32>, Full> {
        let key = |row: &Row| (row.command(), Reverse(row.command.data.len()), row.command.data.clone());
        let row = Row { mc, number: self.last.wrapping_add(1), command };
        match self.rows.binary_search_by_key(&key(&row), key) {
            Ok(at) => {
                self.last = row.number;
                let replaced = self.rows.get_mut(at).map(|place| std::mem::replace(place, row).number);
                Ok(replaced)
            }
            Err(_) if self.rows.len() >= MOST => Err(Full),
            Err(at) => {
                self.last = row.number;
                self.rows.insert(at, row);
                Ok(None)
            }
        }
    }

    /// Removes the rows of a command whose data begin with `data`, and gives their numbers.
    pub(crate) fn remove(&mut self, mc: McAddress, netfn: u8, cmd: u8, data: &[u8]) -> Vec<u32> {
        self.extract(|row| row.command() == (mc, netfn, cmd) && row.command.data.starts_with(data))
    }

    /// Removes all rows of a controller.
    pub(crate) fn forget(&mut self, mc: McAddress) {
        self.extract(|row| row.mc == mc);
    }

    fn extract(&mut self, is_one: impl Fn(&Row) -> bool) -> Vec<u32> {
        self.rows.extract_if(.., |row| is_one(row)).map(|row| row.number).collect()
    }

    /// The rows of a command.
    fn rows(&self, command: (McAddress, u8, u8)) -> &[Row] {
        let start = self.rows.partition_point(|row| row.command() < command);
        let rest = self.rows.get(start..).unwrap_or_default();
        rest.get(..rest.partition_point(|row| row.command() == command)).unwrap_or_default()
    }

    /// What is defined for a request.
    pub(super) fn find(&self, mc: McAddress, netfn: u8, cmd: u8, data: &[u8]) -> Found {
        if self.rows.is_empty() {
            return Found::Nothing;
        }
        let rows = self.rows((mc, netfn, cmd));
        match rows.iter().find(|row| data.starts_with(&row.command.data)) {
            Some(row) => Found::Row(entry(&row.command)),
            // Who may send one of them hears what is wrong with his data.
            None => match rows.iter().min_by_key(|row| row.command.privilege) {
                Some(row) => Found::OtherData(entry(&row.command)),
                None => Found::Nothing,
            },
        }
    }

    /// The commands of a network function, by number; for a group extension those of the group that `data` begins with.
    pub(super) fn of<'a>(
        &'a self,
        mc: McAddress,
        netfn: u8,
        data: &'a [u8],
    ) -> impl Iterator<Item = (u8, &'static Entry)> + use<'a> {
        let of_group = move |row: &&Row| match (netfn, row.command.data.first()) {
            (netfn::GROUP_EXTENSION, Some(group)) => data.first() == Some(group),
            _ => true,
        };
        let rows = self.rows.iter().filter(move |row| (row.mc, row.command.netfn) == (mc, netfn));
        rows.filter(of_group).map(|row| (row.command.cmd, entry(&row.command)))
    }
}

/// What holds for all rows of a level: of those that only tell, and of the others. What a program does is not known,
/// so it is taken for setting what the request says.
static ENTRIES: [[Entry; 2]; 4] = {
    const ROW: Entry = Entry::new(0, "OEM command of a statement", respond);
    [
        [ROW.any_level().reads(), ROW.any_level()],
        [ROW.user().reads(), ROW.user()],
        [ROW.operator().reads(), ROW.operator()],
        [ROW.reads(), ROW],
    ]
};

/// Whether something is different after an item was made.
fn changes(item: &OemItem) -> bool {
    matches!(item, OemItem::Count { .. } | OemItem::Remember { .. })
}

fn entry(command: &OemCommand) -> &'static Entry {
    let [callback, user, operator, administrator] = &ENTRIES;
    let [reads, sets] = match command.privilege {
        Privilege::Callback => callback,
        Privilege::User => user,
        Privilege::Operator => operator,
        Privilege::Administrator => administrator,
    };
    match &command.response {
        OemResponse::Made { items, .. } if !items.iter().any(changes) => reads,
        OemResponse::Made { .. } | OemResponse::Program { .. } => sets,
    }
}

/// Answers a request as the row says whose data it begins with. Where there is none, C7h when more data could have one,
/// else CCh.
fn respond(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let commands = context.commands;
    let rows = commands.defined.rows((context.mc, request.netfn, request.cmd));
    let Some(row) = rows.iter().find(|row| request.data.starts_with(&row.command.data)) else {
        let too_short = rows.iter().any(|row| row.command.data.starts_with(request.data));
        return Err(if too_short { CompletionCode::INVALID_LENGTH } else { CompletionCode::INVALID_FIELD });
    };
    match &row.command.response {
        OemResponse::Made { code, items } => {
            let counts = items.iter().any(|item| matches!(item, OemItem::Count { .. }));
            let asked = if counts { count(context, row.number)? } else { 0 };
            for item in items {
                put(context, request, item, asked, response)?;
            }
            response.set_code(CompletionCode(*code));
            Ok(Outcome::Done)
        }
        OemResponse::Program { command } => Ok(Outcome::program(call(command, request), printed)),
    }
}

/// How often a row was asked before.
fn count(context: &mut Context<'_>, number: u32) -> Result<u32, CompletionCode> {
    let count = context.controller()?.oem.counts.entry(number).or_default();
    let asked = *count;
    *count = asked.wrapping_add(1);
    Ok(asked)
}

/// Appends what an item makes. CBh for a sensor that is not there or has no reading.
fn put(
    context: &mut Context<'_>,
    request: &Request<'_>,
    item: &OemItem,
    asked: u32,
    response: &mut Response,
) -> Result<(), CompletionCode> {
    match item {
        OemItem::Bytes(bytes) => response.put(bytes),
        OemItem::Sensor { mc, lun, number } => {
            let controller = context.machine.controller(mc.unwrap_or(context.mc));
            let place = sensor::Place { lun: *lun, number: *number };
            let found = controller.and_then(|controller| controller.sensors.get(place));
            let sensor = found.filter(|sensor| sensor.has_value).ok_or(CompletionCode::NOT_PRESENT)?;
            response.put(&[sensor.value])
        }
        OemItem::Count { first, bytes } => {
            let number = first.wrapping_add(asked).to_le_bytes();
            response.put(number.get(..usize::from(*bytes)).unwrap_or(&number))
        }
        OemItem::Power { on, off } => {
            let is_on = chassis::known_power(context.controller()?);
            response.put(&[if is_on { *on } else { *off }])
        }
        OemItem::Energy { bytes, unit } => {
            let now = context.now;
            let joules = dcmi::energy(&mut context.at()?, now);
            let count = (joules / f64::from(*unit)) as u64;
            let count = count.to_le_bytes();
            response.put(count.get(..usize::from(*bytes)).unwrap_or(&count))
        }
        OemItem::Request { offset, count } => {
            let data = request.data.get(usize::from(*offset)..).unwrap_or_default();
            let count = count.map_or(data.len(), usize::from).min(data.len());
            response.put(data.get(..count).unwrap_or_default())
        }
        OemItem::Remember { slot, offset } => {
            let byte = *request.data.get(usize::from(*offset)).ok_or(CompletionCode::INVALID_LENGTH)?;
            context.controller()?.oem.slots.insert(*slot, byte);
            Ok(())
        }
        OemItem::Recall { slot, first } => {
            let byte = context.controller()?.oem.slots.get(slot).copied().unwrap_or(*first);
            response.put(&[byte])
        }
    }
}

/// The helper program is told network function, command and data, a word for each byte.
fn call(command: &str, request: &Request<'_>) -> ProgramCall {
    let mut line = format!("{command} {:#04x} {:#04x}", request.netfn, request.cmd);
    for byte in request.data {
        line.push_str(&format!(" {byte:#04x}"));
    }
    ProgramCall { prefix: line, operation: Operation::Request, parameters: Vec::new() }
}

/// FFh when the program failed; C8h when it printed more than a response can be.
fn printed(_: &mut Context<'_>, result: ProgramResult, response: &mut Response) -> Result<Outcome, CompletionCode> {
    let values = result.map_err(|ProgramFailure| CompletionCode::UNSPECIFIED)?;
    let mut bytes = values.into_iter().filter_map(|value| match value {
        Value::Integer(byte) => u8::try_from(byte).ok(),
        _ => None,
    });
    let code = bytes.next().ok_or(CompletionCode::UNSPECIFIED)?;
    response.put(&bytes.collect::<Vec<_>>())?;
    response.set_code(CompletionCode(code));
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bmc::sensor::{Description, Reporting};
    use crate::command::testing::{BMC, Rig, SATELLITE};
    use crate::ipmi::Nature;

    fn made(data: &[u8], code: u8, items: &[OemItem]) -> OemCommand {
        OemCommand {
            netfn: 0x30,
            cmd: 0x70,
            data: data.to_vec(),
            privilege: Privilege::Administrator,
            response: OemResponse::Made { code, items: items.to_vec() },
        }
    }

    fn fixed(data: &[u8], byte: u8) -> OemCommand {
        made(data, 0, &[OemItem::Bytes(vec![byte])])
    }

    fn rig(commands: impl IntoIterator<Item = OemCommand>) -> Rig {
        let mut rig = Rig::new();
        for command in commands {
            rig.commands.defined.add(BMC, command.into()).unwrap();
        }
        rig
    }

    #[test]
    fn the_row_with_the_longest_data_answers() {
        let mut rig = rig([fixed(&[0x66], 1), fixed(&[0x66, 0, 1], 2), fixed(&[0x66, 0], 3), fixed(&[0x67, 1], 4)]);
        rig.expect(
            "30 70 66 -> 00 01\n 30 70 66 01 -> 00 01\n 30 70 66 00 -> 00 03\n 30 70 66 00 01 09 -> 00 02
             30 70 67 01 -> 00 04\n 30 70 67 -> c7\n 30 70 -> c7\n 30 70 68 -> cc\n 30 70 67 02 -> cc\n 30 71 66 -> c1",
        );
        rig.mc = SATELLITE;
        rig.expect("30 70 66 -> c1");
    }

    #[test]
    fn a_row_with_the_same_data_takes_the_others_place_and_rows_are_removed() {
        let mut rig = rig([fixed(&[1], 1), fixed(&[1, 2], 2), fixed(&[], 3)]);
        assert_eq!(rig.commands.defined.add(BMC, fixed(&[1], 4).into()), Ok(Some(1)));
        rig.expect("30 70 01 -> 00 04\n 30 70 01 02 -> 00 02\n 30 70 -> 00 03");
        assert_eq!(rig.commands.defined.remove(BMC, 0x30, 0x70, &[1]), [2, 4]);
        assert!(rig.commands.defined.remove(BMC, 0x30, 0x70, &[1]).is_empty());
        rig.expect("30 70 01 -> 00 03");
        rig.commands.defined.forget(SATELLITE);
        rig.expect("30 70 01 -> 00 03");
        rig.commands.defined.forget(BMC);
        rig.expect("30 70 01 -> c1");
    }

    #[test]
    fn there_is_an_end_to_them() {
        let mut defined = Defined::new();
        let number = |at: usize| (at as u16).to_le_bytes();
        for at in 0..MOST {
            assert_eq!(defined.add(BMC, fixed(&number(at), 0).into()), Ok(None));
        }
        assert_eq!(defined.add(BMC, fixed(&[1, 2, 3], 0).into()), Err(Full));
        assert_eq!(defined.add(BMC, fixed(&number(0), 0).into()), Ok(Some(1)));
    }

    #[test]
    fn items_are_made_of_what_there_is_at_each_request() {
        let place = sensor::Place { lun: 1, number: 7 };
        let mut rig = rig([made(
            &[],
            0x80,
            &[
                OemItem::Bytes(b"ab".to_vec()),
                OemItem::Sensor { mc: Some(SATELLITE), lun: 1, number: 7 },
                OemItem::Count { first: 0x00ff_ffff, bytes: 4 },
                OemItem::Count { first: 0xff, bytes: 1 },
                OemItem::Power { on: 0x11, off: 0x22 },
                OemItem::Request { offset: 1, count: Some(2) },
                OemItem::Request { offset: 2, count: None },
            ],
        )]);
        rig.expect("30 70 -> cb");
        let now = rig.now;
        let description = Description { sensor_type: 1, event_reading_code: 1, event_only: false, poll: None };
        let mut at = rig.machine.found(SATELLITE);
        sensor::add(&mut at, now, place, description).unwrap();
        sensor::set_value(&mut at, now, place, 0x55, Reporting::Silent).unwrap();
        // One was counted when the sensor was not there.
        rig.expect("30 70 01 02 03 04 -> 80 61 62 55 00 00 00 01 00 22 02 03 03 04");
        rig.machine.ensure(BMC).channels.host_mut().expect("channel 15").connected = true;
        rig.expect("30 70 -> 80 61 62 55 01 00 00 01 01 11");
    }

    #[test]
    fn what_one_row_remembers_another_tells() {
        let mut rig = rig([
            made(&[1], 0, &[OemItem::Remember { slot: 3, offset: 1 }]),
            made(&[0], 0, &[OemItem::Recall { slot: 3, first: 0x44 }]),
        ]);
        rig.expect("30 70 00 -> 00 44\n 30 70 01 02 -> 00\n 30 70 00 -> 00 02\n 30 70 01 -> c7\n 30 70 00 -> 00 02");
    }

    #[test]
    fn a_program_prints_the_response() {
        let program = |cmd, command: &str| OemCommand {
            cmd,
            response: OemResponse::Program { command: command.into() },
            ..fixed(&[], 0)
        };
        let mut rig = rig([program(0x70, "./oem.sh"), program(0x71, "./none.sh")]);
        rig.script = Box::new(|line| match line {
            "request" => Ok([0xc9, 1, 2].map(Value::Integer).to_vec()),
            _ => Err(ProgramFailure),
        });
        rig.expect("30 70 66 0a -> c9 01 02");
        rig.script = Box::new(|_| Err(ProgramFailure));
        rig.expect("30 71 -> ff");
        let request = Request { netfn: 0x30, lun: 0, cmd: 0x71, data: &[0x66, 0x0a], origin: rig.origin };
        assert_eq!(call("./none.sh", &request).prefix, "./none.sh 0x30 0x71 0x66 0x0a");
    }

    #[test]
    fn rows_come_before_tables_and_tables_are_there_for_other_data() {
        let mut rig = rig([
            OemCommand { netfn: netfn::APP, cmd: 0x01, ..fixed(&[], 9) },
            OemCommand { cmd: 0x02, ..fixed(&[7], 9) },
            OemCommand { netfn: netfn::GROUP_EXTENSION, ..fixed(&[3], 9) },
            OemCommand { netfn: netfn::OEM_GROUP, ..fixed(&[0xd9, 0x7e, 0], 9) },
        ]);
        rig.expect(
            "06 01 -> 00 09\n 30 02 -> 00 00\n 30 02 07 -> 00 09\n 2c 70 03 -> 00 09\n 2c 70 04 -> cc
             2e 70 d9 7e 00 -> 00 09\n 2e 70 d9 7e 01 -> cc d9 7e 01\n 2e 02 74 9f 00 -> 00 74 9f 00 00",
        );
        rig.machine.ensure(BMC).enabled = false;
        rig.expect("06 01 -> ff");
    }

    #[test]
    fn they_are_told_and_say_who_may_send_them_and_again() {
        let level = |cmd, privilege, items: &[OemItem]| OemCommand { cmd, privilege, ..made(&[], 0, items) };
        let mut rig = rig([
            level(0x45, Privilege::User, &[OemItem::Count { first: 0, bytes: 1 }]),
            level(0x46, Privilege::Operator, &[OemItem::Remember { slot: 0, offset: 0 }]),
            level(0x47, Privilege::Callback, &[]),
            OemCommand { netfn: 0x3a, ..fixed(&[1], 0) },
        ]);
        let may = |rig: &Rig, cmd, level| {
            let found = rig.commands.find(&rig.machine, BMC, 0x30, cmd, &[]);
            crate::command::privilege::request_permitted(found, 0x30, cmd, &[], level)
        };
        for (cmd, lowest) in [(0x45, Privilege::User), (0x46, Privilege::Operator), (0x47, Privilege::Callback)] {
            for level in [Privilege::Callback, Privilege::User, Privilege::Operator, Privilege::Administrator] {
                assert_eq!(may(&rig, cmd, level), level >= lowest, "{cmd:02x} {level:?}");
            }
        }
        let natures = [0x45, 0x46, 0x47].map(|cmd| rig.commands.nature(BMC, 0x30, cmd, &[]));
        assert_eq!(natures, [Nature::Sets, Nature::Sets, Nature::Reads]);
        // Network function 3Ah is bit 29; commands 45h to 47h are there.
        assert!(rig.ask("06 09 0e").starts_with("00 45 6d 00 40 21"), "{}", rig.ask("06 09 0e"));
        let byte = rig.ask("06 0a 0e 30 00").split(' ').nth(1 + 8).map(str::to_owned);
        assert_eq!(byte.as_deref(), Some("1f"));
    }
}
