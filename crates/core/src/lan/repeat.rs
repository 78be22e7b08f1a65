//! What a request does the second time, so that it may be executed again or not.
//!
//! A LAN channel knows no commands: [`Authority::nature`](super::Authority::nature) says it of each.

use super::ResponseTo;
use crate::ipmi::{McAddress, Nature, SEND_MESSAGE, netfn};
use crate::wire::ipmb::Message;

/// Requests for the host's software.
const SMS_LUN: u8 = 2;

/// The nature of a request, where `nature_of` is [`Authority::nature`](super::Authority::nature). A message that is
/// carried to another controller is what it carries.
pub(super) fn nature(
    to: &ResponseTo,
    data: &[u8],
    nature_of: impl Fn(Option<McAddress>, u8, u8, &[u8]) -> Nature,
) -> Nature {
    if to.rs_lun == SMS_LUN {
        return Nature::Sets;
    }
    if (to.netfn, to.cmd) != (netfn::APP, SEND_MESSAGE) {
        return nature_of(None, to.netfn, to.cmd, data);
    }
    let carried = data.split_first().map(|(_channel, message)| message.strip_prefix(&[0]).unwrap_or(message));
    match carried.and_then(|message| Message::parse_unchecked(message).ok()) {
        Some(message) if message.to_lun != SMS_LUN && message.cmd != SEND_MESSAGE => {
            nature_of(Some(message.to.into()), message.netfn, message.cmd, message.data)
        }
        _ => Nature::Sets,
    }
}
