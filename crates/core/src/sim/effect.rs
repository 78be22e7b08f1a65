//! What the simulator wants done outside, in order.

use std::fmt;

use super::reload::Change;
use super::tally::Tally;
use crate::bmc::LogLevel;
use crate::bmc::external::{FileContent, FileRead, FileWrite, FileWritten};
use crate::bmc::vm_process::Identity;
use crate::ipmi::{ChannelNumber, McAddress, Peer};
use crate::settings::Span;
use crate::settings::model::{Address, SolTarget};
use crate::sol::ModemLines;

/// Which LAN channel: an MC's address and the channel's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LanId {
    /// IPMB address of the MC.
    pub mc: McAddress,
    /// Channel number.
    pub channel: ChannelNumber,
}

/// Which serial channel: an MC's address and the channel's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SerialId {
    /// IPMB address of the MC.
    pub mc: McAddress,
    /// Channel number.
    pub channel: ChannelNumber,
}

/// Which IPMB device: an MC's address and the channel's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IpmbId {
    /// IPMB address of the MC.
    pub mc: McAddress,
    /// Channel number.
    pub channel: ChannelNumber,
}

macro_rules! jobs {
    ($($(#[$doc:meta])* $name:ident),*) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u64);)*
    };
}

jobs! {
    /// Which helper program: given back with its result. Numbers are unique in a system among jobs of a kind.
    ProgramJob,
    /// Which read of a file: given back with its result.
    ReadJob,
    /// Which write of a file: given back with its result.
    WriteJob,
    /// Which write of a state file: given back with its result.
    SaveJob
}

/// Which console: standard input, or a TCP connection. Numbers are the runtime's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConsoleId(pub u64);

/// Standard output of this many bytes or more is refused, so no more is captured.
pub const OUTPUT_LIMIT: usize = 2047;

/// Slow work for the outside.
#[derive(Clone, PartialEq, Eq)]
pub enum Work {
    /// Run `sh -c line`, standard output captured up to [`OUTPUT_LIMIT`]. Programs with the
    /// same `lane` run one after the other, in order.
    Program {
        /// Given back with the result.
        job: ProgramJob,
        /// The whole line.
        line: String,
        /// IPMB address of the MC the program belongs to.
        lane: McAddress,
    },
    /// Read a part of a file.
    Read {
        /// Given back with the result.
        job: ReadJob,
        /// What is read.
        read: FileRead,
    },
    /// Write a file.
    Write {
        /// Given back with the result.
        job: WriteJob,
        /// What is written.
        write: FileWrite,
    },
    /// Replace a state file, durably.
    Save {
        /// Given back with the result.
        job: SaveJob,
        /// File name in the state directory.
        name: String,
        /// The whole content.
        content: Vec<u8>,
    },
}

/// Which job, of whatever kind: unique in a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobId {
    /// A helper program.
    Program(ProgramJob),
    /// A read of a file.
    Read(ReadJob),
    /// A write of a file.
    Write(WriteJob),
    /// A write of a state file.
    Save(SaveJob),
}

impl Work {
    /// Which job it is.
    pub fn id(&self) -> JobId {
        match self {
            Self::Program { job, .. } => JobId::Program(*job),
            Self::Read { job, .. } => JobId::Read(*job),
            Self::Write { job, .. } => JobId::Write(*job),
            Self::Save { job, .. } => JobId::Save(*job),
        }
    }
}

impl fmt::Debug for Work {
    /// Without the content of state files, which hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program { job, line, lane } => {
                f.debug_struct("Program").field("job", job).field("line", line).field("lane", lane).finish()
            }
            Self::Read { job, read } => f.debug_struct("Read").field("job", job).field("read", read).finish(),
            Self::Write { job, write } => f.debug_struct("Write").field("job", job).field("write", write).finish(),
            Self::Save { job, name, .. } => {
                f.debug_struct("Save").field("job", job).field("name", name).finish_non_exhaustive()
            }
        }
    }
}

/// What came of [`Work`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkDone {
    /// Of a helper program.
    Program(ProgramJob, ProgramEnd),
    /// Of reading a file.
    Read(ReadJob, FileContent),
    /// Of writing a file.
    Written(WriteJob, FileWritten),
    /// Of saving a state file.
    Saved(SaveJob, Saved),
}

impl WorkDone {
    /// Which job it was, as [`Work::id`].
    pub fn id(&self) -> JobId {
        match self {
            Self::Program(job, _) => JobId::Program(*job),
            Self::Read(job, _) => JobId::Read(*job),
            Self::Written(job, _) => JobId::Write(*job),
            Self::Saved(job, _) => JobId::Save(*job),
        }
    }
}

/// What came of saving a state file.
pub type Saved = Result<(), SaveFailure>;

/// Why a state file is not saved, and what stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaveFailure {
    /// The operating system's words.
    pub reason: String,
    /// What is read from the disk now.
    pub content: Content,
}

/// What is in a state file that could not be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// What was in it before.
    Old,
    /// What was to be saved, but a loss of power may undo it.
    New,
}

/// With the old content.
impl From<&str> for SaveFailure {
    fn from(reason: &str) -> Self {
        Self { reason: reason.into(), content: Content::Old }
    }
}

/// How a helper program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramEnd {
    /// Raw wait status as the kernel gives it (exit 1 is 100h), or `None` when it could
    /// not be started or was ended for taking too long.
    pub status: Option<i32>,
    /// Standard output; [`OUTPUT_LIMIT`] bytes mean that there was more.
    pub output: Vec<u8>,
    /// The beginning of what it wrote to standard error.
    pub complaints: Vec<u8>,
    /// Why there is no status.
    pub problem: Option<String>,
}

/// Something to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Open the UDP socket of a LAN channel; failure ends the program.
    OpenLan {
        /// The channel.
        lan: LanId,
        /// Where.
        address: Address,
    },
    /// Send a datagram.
    Send {
        /// From which channel's socket.
        lan: LanId,
        /// To whom.
        to: Peer,
        /// Its bytes: a range of [`Effects::bytes`].
        start: usize,
        /// End of the range.
        end: usize,
    },
    /// Listen for, or connect to, the peer of a serial channel.
    OpenSerial {
        /// The channel.
        serial: SerialId,
        /// Where.
        address: Address,
        /// Connect out.
        connect: bool,
    },
    /// Write to the peer of a serial channel.
    Serial {
        /// The channel.
        serial: SerialId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Open an IPMB device; failure ends the program.
    OpenIpmb {
        /// The channel.
        ipmb: IpmbId,
        /// Its name.
        device: String,
        /// Where lan.conf names it.
        span: Span,
    },
    /// Write a message to an IPMB device.
    Ipmb {
        /// The channel.
        ipmb: IpmbId,
        /// The message, with its length byte.
        bytes: Vec<u8>,
    },
    /// Open the port of an MC's SOL, now and again every 10 s while it is not open.
    OpenSol {
        /// IPMB address of the MC.
        mc: McAddress,
        /// Where it is.
        target: SolTarget,
        /// Bits per second, of a tty.
        bit_rate: u32,
        /// Hardware flow control, of a tty.
        rts_cts: bool,
    },
    /// Write to the SOL port.
    SolWrite {
        /// IPMB address of the MC.
        mc: McAddress,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Send a break on the SOL port.
    SolBreak {
        /// IPMB address of the MC.
        mc: McAddress,
    },
    /// Set the modem lines of the SOL port.
    SolModemLines {
        /// IPMB address of the MC.
        mc: McAddress,
        /// How they are set.
        lines: ModemLines,
    },
    /// Change the speed of the SOL port.
    SolBitRate {
        /// IPMB address of the MC.
        mc: McAddress,
        /// Bits per second.
        bits_per_second: u32,
    },
    /// Read the SOL port, or leave it alone for now.
    SolRead {
        /// IPMB address of the MC.
        mc: McAddress,
        /// Read it.
        enabled: bool,
    },
    /// Do slow work and come back with its result.
    Run(Work),
    /// Start the VM: `/bin/sh -c "exec COMMAND"`.
    StartProcess {
        /// IPMB address of the MC.
        mc: McAddress,
        /// The command.
        command: String,
    },
    /// Look whether the VM that an earlier run started is still there, and watch it if it is.
    FindProcess {
        /// IPMB address of the MC.
        mc: McAddress,
        /// Which process it is.
        identity: Identity,
    },
    /// Send SIGTERM, or SIGKILL, to the VM.
    SignalProcess {
        /// IPMB address of the MC.
        mc: McAddress,
        /// SIGKILL.
        kill: bool,
    },
    /// Print on one console, or on standard output for command files.
    Print {
        /// Which; `None` is standard output.
        console: Option<ConsoleId>,
        /// The text; the runtime turns LF into LF CR.
        text: String,
    },
    /// A log entry. No console shows it: programs read consoles, and expect nothing there that
    /// the original does not print.
    Log {
        /// How important.
        level: LogLevel,
        /// One line or more, without a final line end.
        text: String,
    },
    /// A log entry that the original has, too, and shows on all consoles.
    ConsoleLog {
        /// How important.
        level: LogLevel,
        /// One line or more, without a final line end.
        text: String,
    },
    /// A command is not carried out, or not wholly: what is wrong with it, in one line. It comes last.
    Refused(String),
    /// There is no BMC when the start is over: the system serves nobody.
    NoBmc(String),
    /// What a configuration that was read again has changed.
    Reloaded(Vec<Change>),
}

/// What one call of the simulator wants done, in a buffer that is used again and again.
#[derive(Debug, Default)]
pub struct Effects {
    /// In order.
    pub list: Vec<Effect>,
    /// Bytes of the datagrams to send.
    pub bytes: Vec<u8>,
    /// What happens is counted in this, when somebody counts.
    pub tally: Option<Box<Tally>>,
}

impl Effects {
    /// Forgets what is to be done; keeps the memory, and what was counted.
    pub fn clear(&mut self) {
        self.list.clear();
        self.bytes.clear();
    }
}
