//! The IPMB message inside Direct mode and Radisys ASCII frames; its layout is
//! [`wire::ipmb`](crate::wire::ipmb)'s.

use super::{Fault, ResponseTo};
use crate::wire::ipmb::{Message, OVERHEAD, checksum};

/// Most bytes of a message.
pub(super) const MAX_LENGTH: usize = 259;

/// Splits a message. Only the sum over the whole is checked, as the original does: a wrong
/// header checksum made good by the last one passes.
pub(super) fn parse(bytes: &[u8]) -> Result<(ResponseTo, &[u8]), Fault> {
    if bytes.len() > MAX_LENGTH {
        return Err(Fault::TooLong);
    }
    let message = Message::parse_unchecked(bytes).map_err(|_| Fault::TooShort)?;
    if checksum(bytes) != 0 {
        return Err(Fault::Checksum);
    }
    let response_to = ResponseTo {
        rs_addr: message.to,
        rq_addr: message.from,
        netfn: message.netfn,
        rs_lun: message.to_lun,
        rq_lun: message.from_lun,
        sequence: message.seq,
        cmd: message.cmd,
        forwarded: false,
        connection: 0,
    };
    Ok((response_to, message.data))
}

/// The message that responses: addresses and LUNs swapped.
pub(super) fn answer(to: &ResponseTo, response: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(OVERHEAD + response.len());
    Message {
        to: to.rq_addr,
        to_lun: to.rq_lun,
        netfn: to.netfn | 1,
        from: to.rs_addr,
        from_lun: to.rs_lun,
        seq: to.sequence,
        cmd: to.cmd,
        data: response,
    }
    .emit(&mut bytes);
    bytes
}
