//! A rig for tests of commands: bytes in, bytes out, against the system the recorded
//! exchanges of the original were made with (two controllers, 20h and 30h).

#![allow(missing_docs, clippy::new_without_default, clippy::should_implement_trait, reason = "for tests only")]

use std::time::Duration;

use super::{Commands, Context, Outcome, Wait, dispatch};
use crate::bmc::Machine;
use crate::bmc::channel::{Channel, Framing, Lan, medium, protocol};
use crate::bmc::device_id::DeviceId;
use crate::bmc::external::{
    Background, FileContent, FileRead, FileWrite, FileWritten, Identify, Operation, ProgramCall, ProgramFailure,
    ProgramResult, Value,
};
use crate::bmc::lan_parameters::LanParameters;
use crate::bmc::sol_parameters::Sol;
use crate::bmc::user::Limit;
use crate::ipmi::{
    AuthTypes, ChannelNumber, CompletionCode, McAddress, Medium, Moment, Origin, Privilege, Request, Response,
    SessionId, SessionRef, UserNumber,
};

/// Address of the rig's BMC.
pub const BMC: McAddress = McAddress::BMC;
/// Address of the rig's other controller.
pub const SATELLITE: McAddress = McAddress(0x30);
/// GUID of the rig's LAN channel.
pub const GUID: [u8; 16] = *b"\xa1\x23\x45\x67\x89\xab\xcd\xef\xa1\x23\x45\x67\x89\xab\xcd\xef";

/// A request over the LAN channel, in a session of user 2 at administrator level.
pub const LAN: Origin = Origin {
    channel: ChannelNumber::LAN,
    medium: Medium::Lan,
    privilege: Some(Privilege::Administrator),
    session: Some(SessionRef {
        id: SessionId(0x0201_0403),
        handle: 1,
        user: UserNumber::new(2).unwrap(),
        rmcp_plus: true,
        authenticated: true,
        encrypted: true,
        udp_port: 24199,
    }),
    bridged: false,
    requester: 0x81,
    requester_lun: 0,
};

/// A request over the system interface.
pub const SYSTEM: Origin = Origin {
    channel: ChannelNumber::SYSTEM_INTERFACE,
    medium: Medium::System,
    privilege: None,
    session: None,
    bridged: false,
    requester: 0,
    requester_lun: 0,
};

/// Responses of a helper program, by what it is asked: `get power` and so on. Calls are kept.
pub type Script = Box<dyn FnMut(&str) -> Result<Vec<Value>, ProgramFailure>>;

/// A machine and a way to ask it.
pub struct Rig {
    pub machine: Machine,
    /// The commands there are.
    pub commands: Commands,
    pub now: Moment,
    pub origin: Origin,
    pub mc: McAddress,
    /// Calls of helper programs so far: `get power`, `set identify 15 0`.
    pub calls: Vec<String>,
    /// What helper programs answer.
    pub script: Script,
    /// The one file there is, whatever its name.
    pub file: Vec<u8>,
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

impl Rig {
    /// The system of the recorded exchanges, asked over its LAN channel.
    pub fn new() -> Self {
        let mut machine = Machine::default();
        machine.bmc = Some(BMC);
        let controller = machine.ensure(BMC);
        let mut lan = Lan::new(Privilege::Administrator, [AuthTypes(0x17); 4], LanParameters::default());
        lan.guid = Some(GUID);
        lan.active_sessions = 1;
        controller.channels.set(ChannelNumber::LAN, Channel::lan(lan));
        for (number, name, privilege) in [(1, "", 2), (2, "ipmiusr", 4)] {
            let user = controller.users.get_mut(UserNumber::new(number).unwrap()).expect("exists");
            (user.enabled, user.messaging, user.has_password) = (true, Some(true), true);
            user.name = padded(name);
            user.password = padded("test");
            user.privilege = Limit::from_wire(privilege);
            user.max_sessions = 10;
        }
        for mc in [BMC, SATELLITE] {
            let controller = machine.ensure(mc);
            let serial =
                Channel::serial(ChannelNumber::SYSTEM_INTERFACE, medium::RS232, protocol::TERMINAL_MODE, Framing::Vm);
            controller.channels.set(ChannelNumber::SYSTEM_INTERFACE, serial);
            controller.sol = Some(Sol::new(0));
            controller.enabled = true;
        }
        let bmc = DeviceId {
            revision: 0x23,
            major: 9,
            minor: 8,
            device_support: 0x9f,
            manufacturer: 0x1291,
            product: 0xf02,
            ..DeviceId::default()
        };
        machine.describe(BMC, bmc);
        let satellite = DeviceId {
            id: 2,
            revision: 0x98,
            major: 0x10,
            minor: 1,
            device_support: 0xa0,
            manufacturer: 0x1291,
            product: 0xf03,
            ..DeviceId::default()
        };
        machine.describe(SATELLITE, satellite);
        let script: Script = Box::new(|_| Err(ProgramFailure));
        let now = Moment::new(Duration::from_secs(1000));
        Self {
            machine,
            commands: Commands::new(),
            now,
            origin: LAN,
            mc: BMC,
            calls: Vec::new(),
            script,
            file: Vec::new(),
        }
    }

    /// The same system asked over the system interface, with a connected VM host that can
    /// do everything.
    pub fn host() -> Self {
        let mut rig = Self::new();
        rig.origin = SYSTEM;
        let host = rig.machine.ensure(BMC).channels.host_mut().expect("channel 15");
        host.connected = true;
        host.announced = 0x3f;
        rig
    }

    fn read(&self, read: &FileRead) -> FileContent {
        Ok(self.file.iter().skip(read.offset as usize).take(read.length).copied().collect())
    }

    fn write(&mut self, write: FileWrite) -> FileWritten {
        let FileWrite::At { offset, data, .. } = write else { panic!("no command replaces a file") };
        let start = offset as usize;
        self.file.splice(start..start + data.len(), data.iter().copied());
        Ok(data.len())
    }

    fn run(&mut self, call: &ProgramCall) -> ProgramResult {
        let operation = match call.operation {
            Operation::Get => "get",
            Operation::Set => "set",
            Operation::Check => "check",
            Operation::Request => "request",
        };
        let mut line = operation.to_string();
        for parameter in &call.parameters {
            line += &format!(" {}", parameter.name);
            match parameter.value {
                None => {}
                Some(Value::Identify(Identify { seconds, force })) => {
                    line += &format!(" {seconds} {}", u8::from(force));
                }
                Some(Value::Integer(value)) => line += &format!(" {value}"),
                Some(Value::BootDevice(value) | Value::AddressSource(value)) => line += &format!(" {value}"),
                Some(Value::Ip(bytes)) => line += &format!(" {bytes:?}"),
                Some(Value::Mac(bytes)) => line += &format!(" {bytes:?}"),
            }
        }
        let result = (self.script)(&line);
        self.calls.push(line);
        result
    }

    /// Sends a request, `06 01 ...` in hexadecimal, runs the programs it waits for, and
    /// gives the response, completion code first.
    pub fn ask(&mut self, request: &str) -> String {
        let bytes = hex(request);
        let [netfn, cmd, ref data @ ..] = bytes[..] else { panic!("no command in {request:?}") };
        let request = Request { netfn, cmd, lun: 0, origin: self.origin, data };
        let mut response = Response::new(&self.origin);
        let mut context = Context {
            now: self.now,
            machine: &mut self.machine,
            mc: self.mc,
            origin: self.origin,
            commands: &self.commands,
        };
        let mut outcome = dispatch(&mut context, &request, &mut response);
        while let Outcome::Wait(wait) = outcome {
            assert_eq!(response.bytes(), [0], "nothing is written before the program has run");
            outcome = match self.go_on(wait, &mut response) {
                Ok(outcome) => outcome,
                Err(code) => {
                    response.fail(code);
                    Outcome::Done
                }
            };
        }
        response.bytes().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
    }

    fn go_on(&mut self, wait: Wait, response: &mut Response) -> Result<Outcome, CompletionCode> {
        macro_rules! go_on {
            ($result:expr, $then:expr) => {{
                let result = $result;
                let (now, mc, origin) = (self.now, self.mc, self.origin);
                $then(
                    &mut Context { now, machine: &mut self.machine, mc, origin, commands: &self.commands },
                    result,
                    response,
                )
            }};
        }
        match wait {
            Wait::Program(call, then) => go_on!(self.run(&call), then),
            Wait::Read(read, then) => go_on!(self.read(&read), then),
            Wait::Write(write, then) => go_on!(self.write(write), then),
        }
    }

    /// Checks rows `request -> answer`, in order.
    pub fn expect(&mut self, rows: &str) {
        for row in rows.lines().map(str::trim).filter(|row| !row.is_empty()) {
            let (request, response) = row.split_once("->").unwrap_or_else(|| panic!("no arrow in {row:?}"));
            assert_eq!(self.ask(request), response.trim(), "answer to {request}");
        }
    }

    /// Lets time pass, doing what is due at its moment, background programs included.
    pub fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(due) = crate::bmc::deadline(&self.machine).filter(|due| *due <= end) {
            self.now = self.now.max(due);
            crate::bmc::timeout(&mut self.machine, self.now);
            while let Some(job) = (!self.machine.jobs.is_empty()).then(|| self.machine.jobs.remove(0)) {
                match job {
                    Background::Program { mc, call, then } => {
                        let result = self.run(&call);
                        if let Some(mut at) = self.machine.at(mc) {
                            then(&mut at, self.now, result);
                        }
                    }
                    Background::Read { mc, read, then } => {
                        let content = self.read(&read);
                        if let Some(mut at) = self.machine.at(mc) {
                            then(&mut at, self.now, content);
                        }
                    }
                }
            }
        }
        self.now = end;
    }
}

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|word| u8::from_str_radix(word, 16).expect("hexadecimal")).collect()
}
