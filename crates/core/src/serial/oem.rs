//! OEM commands a serial line answers itself, before the controller sees them;
//! `serial.md` section 13.

use super::ResponseTo;
use crate::ipmi::{CompletionCode, McAddress, netfn};
use crate::settings::model::SerialOem;

/// Pigeon Point Systems' IANA enterprise number 16394 (400Ah), as it is sent: high byte first.
const PIGEON_POINT_IANA: [u8; 3] = [0x00, 0x40, 0x0a];
const GET_SERIAL_INTERFACE: u8 = 0x01;
const SET_SERIAL_INTERFACE: u8 = 0x02;
/// The interface this line is.
const THIS_INTERFACE: u8 = 1;
const ECHO: u8 = 1;

const RADISYS_NETFN: u8 = 0x3e;
const GET_IPMB_ADDRESS: u8 = 0x12;
const GET_MESSAGE_FLAGS: u8 = 0x31;

/// The OEM command set of one line.
#[derive(Debug)]
pub(super) struct Handler {
    set: Option<SerialOem>,
    ipmb: McAddress,
    /// Pigeon Point's echo flag, which has no effect.
    echo: u8,
}

impl Handler {
    /// A command set, or none, that reports `ipmb` as the line's IPMB address.
    pub(super) fn new(set: Option<SerialOem>, ipmb: McAddress) -> Self {
        Self { set, ipmb, echo: ECHO }
    }

    /// The response, completion code and data, if the command is one of the set.
    pub(super) fn answer(&mut self, request: &ResponseTo, data: &[u8]) -> Option<Vec<u8>> {
        if request.forwarded {
            return None;
        }
        match (self.set?, request.netfn, request.cmd) {
            (SerialOem::PigeonPoint, netfn::OEM_GROUP, cmd) => self.pigeon_point(cmd, data),
            (SerialOem::Radisys, RADISYS_NETFN, GET_IPMB_ADDRESS) => Some(vec![CompletionCode::OK.0, self.ipmb.0]),
            (SerialOem::Radisys, netfn::APP, GET_MESSAGE_FLAGS) => Some(vec![CompletionCode::INVALID_COMMAND.0]),
            _ => None,
        }
    }

    fn pigeon_point(&mut self, cmd: u8, data: &[u8]) -> Option<Vec<u8>> {
        let parameters = data.strip_prefix(&PIGEON_POINT_IANA)?;
        let (code, flags) = match (cmd, parameters) {
            (GET_SERIAL_INTERFACE, []) => (CompletionCode::INVALID_LENGTH, None),
            (GET_SERIAL_INTERFACE, [THIS_INTERFACE, ..]) => (CompletionCode::OK, Some(self.echo)),
            (GET_SERIAL_INTERFACE, _) => (CompletionCode::OK, Some(0)),
            (SET_SERIAL_INTERFACE, [THIS_INTERFACE, flags, ..]) => {
                self.echo = flags & ECHO;
                (CompletionCode::OK, None)
            }
            (SET_SERIAL_INTERFACE, _) => (CompletionCode::INVALID_FIELD, None),
            _ => return None,
        };
        let mut response = vec![code.0];
        response.extend(PIGEON_POINT_IANA);
        response.extend(flags);
        Some(response)
    }
}
