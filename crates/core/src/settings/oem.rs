//! Commands that statements of the command language define, as plain values: `oem_add`.

use crate::ipmi::{McAddress, Privilege};

/// Most bytes of a request's data that a row names, and most fixed bytes of a response.
pub const MOST_BYTES: usize = 255;

/// What `oem_add` says: which requests it is about, and how they are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OemCommand {
    /// Network function, request (even) value, 00h to 3Eh.
    pub netfn: u8,
    /// Command number.
    pub cmd: u8,
    /// What the data of a request begin with, at most [`MOST_BYTES`]; for a group extension (2Ch) the group first, for
    /// OEM/Group (2Eh) the enterprise number.
    pub data: Vec<u8>,
    /// The lowest level of a session that may send it.
    pub privilege: Privilege,
    /// How it is answered.
    pub response: OemResponse,
}

/// How a request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OemResponse {
    /// By bytes that are made at each request.
    Made {
        /// Completion code.
        code: u8,
        /// What the data behind it are made of, in this order.
        items: Vec<OemItem>,
    },
    /// By what a helper program prints: bytes in hexadecimal, completion code first.
    Program {
        /// The beginning of a shell line; network function, command and the bytes of the request follow it.
        command: String,
    },
}

/// A part of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OemItem {
    /// These bytes.
    Bytes(Vec<u8>),
    /// `sensor=[MC,]LUN,NUMBER`: the raw reading of a sensor, one byte.
    Sensor {
        /// IPMB address of its controller; without one that which was asked.
        mc: Option<McAddress>,
        /// LUN, 0 to 3.
        lun: u8,
        /// Sensor number.
        number: u8,
    },
    /// `count=FIRST[,BYTES]`: a number that is one higher at each request; the lowest byte comes first.
    Count {
        /// What it is at the first request.
        first: u32,
        /// How many bytes it has, 1 to 4.
        bytes: u8,
    },
    /// `power=ON,OFF`: one byte that tells the power.
    Power {
        /// Switched on.
        on: u8,
        /// Switched off, or not known.
        off: u8,
    },
    /// `energy=BYTES[,JOULES]`: what the machine has drawn since the system began, counted in units of so many joules; the
    /// lowest byte comes first, and what has no room is left out.
    Energy {
        /// How many bytes it has, 1 to 8.
        bytes: u8,
        /// Joules of a unit, not 0.
        unit: u32,
    },
    /// `request=OFFSET[,COUNT]`: data of the request itself, as far as it has them.
    Request {
        /// Which byte is the first, from 0.
        offset: u8,
        /// How many; without a number all that follow.
        count: Option<u8>,
    },
    /// `remember=SLOT,OFFSET`: nothing of the response; a byte of the request's data is remembered.
    Remember {
        /// Where: a number that the rows of a controller have in common.
        slot: u8,
        /// Which byte, from 0.
        offset: u8,
    },
    /// `recall=SLOT,BYTE`: the byte that was remembered last.
    Recall {
        /// Where.
        slot: u8,
        /// What it is as long as nothing was remembered.
        first: u8,
    },
}
