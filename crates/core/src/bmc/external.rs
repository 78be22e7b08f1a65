//! What a device asks of the outside: helper programs (`process.md` sections 10 to 12)
//! and files, as values.
//!
//! The simulator turns a [`ProgramCall`] into a shell command line and the program's output
//! back into [`Value`]s (`sim/program.rs`).

use std::fmt;

use super::At;
use crate::ipmi::{McAddress, Moment};

/// What is asked of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Print the values of the named parameters.
    Get,
    /// Take the values.
    Set,
    /// Say by the exit status whether the values could be taken.
    Check,
    /// Print the response to a request: bytes in hexadecimal, completion code first. The prefix is the whole line.
    Request,
}

/// The kinds of values parameters have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A number: `power`, `reset`, `shutdown`.
    Integer,
    /// `boot`: none pxe default cdrom bios; the value is the boot device selector.
    BootDevice,
    /// `ip_addr_src`: unknown static dhcp bios other.
    AddressSource,
    /// A dotted quad.
    Ip,
    /// A MAC address.
    Mac,
    /// `identify`: seconds and force in one argument; only set.
    Identify,
}

/// A value given to or got from a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// A number.
    Integer(i32),
    /// Boot device selector, IPMI 2.0 table 28-14.
    BootDevice(u8),
    /// IP address source, IPMI 2.0 table 23-4.
    AddressSource(u8),
    /// IPv4 address, network order.
    Ip([u8; 4]),
    /// MAC address.
    Mac([u8; 6]),
    /// How long the identify light is on.
    Identify(Identify),
}

/// Chassis Identify, IPMI 2.0 section 28.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identify {
    /// For so many seconds; 0 is off.
    pub seconds: u8,
    /// For ever.
    pub force: bool,
}

/// One parameter of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parameter {
    /// Its name on the command line.
    pub name: &'static str,
    /// What kind of value it has.
    pub kind: Kind,
    /// The value, for set and check.
    pub value: Option<Value>,
}

/// A call of a helper program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramCall {
    /// The shell command prefix from the configuration.
    pub prefix: String,
    /// What is asked.
    pub operation: Operation,
    /// Of which parameters.
    pub parameters: Vec<Parameter>,
}

/// What came of a helper program: for a get, one value per parameter; for a
/// request, a number for each byte; else empty.
pub type ProgramResult = Result<Vec<Value>, ProgramFailure>;

/// A helper program failed; the log line is already written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramFailure;

/// A part of a file to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRead {
    /// Path, relative to the working directory.
    pub path: String,
    /// Where to start.
    pub offset: u64,
    /// How many bytes at most.
    pub length: usize,
}

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileWrite {
    /// Bytes go into an existing file at an offset.
    At {
        /// Path, relative to the working directory.
        path: String,
        /// Where to start.
        offset: u64,
        /// What to write.
        data: Vec<u8>,
    },
    /// A whole file is put in place of what is there, if anything is. Whatever happens, there is
    /// always the old file or the new one.
    Replace {
        /// Path, relative to the working directory.
        path: String,
        /// The whole content.
        content: Vec<u8>,
    },
}

impl FileWrite {
    /// Path of the file.
    pub fn path(&self) -> &str {
        match self {
            Self::At { path, .. } | Self::Replace { path, .. } => path,
        }
    }
}

/// What came of a [`FileRead`]: the bytes, fewer than asked for at the end of the file; or the
/// operating system's words.
pub type FileContent = Result<Vec<u8>, String>;

/// What came of a [`FileWrite`]: how many bytes; or the operating system's words.
pub type FileWritten = Result<usize, String>;

/// What happens with the result of work that no request waits for; nothing, when its controller has gone.
pub type Then<R> = Box<dyn FnOnce(&mut At<'_>, Moment, R) + Send>;

/// Slow work that no request waits for, and what happens with its result.
pub enum Background {
    /// A helper program: a step of a power cycle.
    Program {
        /// IPMB address of the MC it belongs to.
        mc: McAddress,
        /// What is asked of it.
        call: ProgramCall,
        /// Called with the result.
        then: Then<ProgramResult>,
    },
    /// A file: a sensor poll.
    Read {
        /// IPMB address of the MC it belongs to.
        mc: McAddress,
        /// What is read.
        read: FileRead,
        /// Called with the result.
        then: Then<FileContent>,
    },
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program { mc, call, .. } => {
                f.debug_struct("Program").field("mc", mc).field("call", call).finish_non_exhaustive()
            }
            Self::Read { mc, read, .. } => {
                f.debug_struct("Read").field("mc", mc).field("read", read).finish_non_exhaustive()
            }
        }
    }
}
