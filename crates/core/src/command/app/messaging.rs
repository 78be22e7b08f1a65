//! Message flags, receive queue and event message buffer, IPMI 2.0 chapter 22.

use crate::bmc::messaging;
use crate::command::{Context, Outcome};
use crate::ipmi::{CompletionCode, Request, Response};

/// Request: enables.
pub(super) fn set_enables(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let enables = *request.data.first().ok_or(CompletionCode::INVALID_LENGTH)?;
    messaging::set_enables(&mut context.at()?, enables);
    Ok(Outcome::Done)
}

/// Response: enables.
pub(super) fn get_enables(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    response.put(&[context.controller()?.messaging.enables()])?;
    Ok(Outcome::Done)
}

/// Request: flags to clear.
pub(super) fn clear_flags(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let mask = *request.data.first().ok_or(CompletionCode::INVALID_LENGTH)?;
    messaging::clear_flags(&mut context.at()?, mask);
    Ok(Outcome::Done)
}

/// Response: flags.
pub(super) fn get_flags(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    response.put(&[context.controller()?.messaging.flags()])?;
    Ok(Outcome::Done)
}

/// Response: channel, then the message; 80h when there is none. A message that does not fit
/// is lost (C8h), as in the original: it would block those behind it.
pub(super) fn get_message(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let message = messaging::fetch(&mut context.at()?).ok_or(CompletionCode::COMMAND_SPECIFIC_80)?;
    response.put(&[message.channel.get()])?;
    response.put(&message.data)?;
    Ok(Outcome::Done)
}

/// Response: the event record, 16 bytes; 80h when there is none.
pub(super) fn read_event_buffer(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let record = messaging::read_event(&mut context.at()?).ok_or(CompletionCode::COMMAND_SPECIFIC_80)?;
    response.put(&record)?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::bmc::messaging::{Message, enqueue, store_event};
    use crate::command::testing::{BMC, Rig, SATELLITE};
    use crate::ipmi::{ChannelNumber, McAddress};

    #[test]
    fn enables_and_flags() {
        let mut rig = Rig::host();
        rig.expect(
            "06 2f -> 00 08
             06 2e -> c7
             06 2e ff -> 00
             06 2f -> 00 ff
             06 30 -> c7
             06 30 08 -> 00
             06 31 00 -> 00 00
             06 33 -> 80
             06 35 -> 80
             06 32 00 01 -> c1",
        );
    }

    #[test]
    fn messages_are_fetched_in_order_and_one_too_long_is_lost() {
        let mut rig = Rig::host();
        for data in [vec![1, 2], vec![0; 34], vec![0; 35], vec![3]] {
            enqueue(&mut rig.machine.found(BMC), rig.now, Message { channel: ChannelNumber::LAN, data }).expect("room");
        }
        rig.expect("06 31 -> 00 01\n 06 33 -> 00 01 01 02");
        assert_eq!(rig.ask("06 33").split(' ').count(), 36);
        rig.expect("06 33 -> c8\n 06 33 -> 00 01 03\n 06 33 -> 80\n 06 31 -> 00 00");
    }

    #[test]
    fn the_event_buffer_is_read_once() {
        let mut rig = Rig::host();
        rig.expect("06 2e 0e -> 00");
        store_event(&mut rig.machine.found(BMC), &hex_literal::hex!("02000200000000410004 0c056f02ffff"));
        rig.expect(
            "06 31 -> 00 02
             06 35 -> 00 02 00 02 00 00 00 00 41 00 04 0c 05 6f 02 ff ff
             06 35 -> 80
             06 31 -> 00 00",
        );
    }

    /// The original dies of the second one when there is no channel 15.
    #[test]
    fn a_controller_without_a_host_answers() {
        let mut rig = Rig::new();
        rig.machine.ensure(McAddress(0x40)).enabled = true;
        rig.mc = McAddress(0x40);
        rig.expect("06 31 -> 00 00\n 06 30 01 -> 00\n 06 33 -> 80\n 06 35 -> 80\n 06 2e ff -> 00");
        rig.mc = SATELLITE;
        rig.expect("06 2f -> 00 08\n 06 31 -> 00 00\n 06 35 -> 80\n 06 33 -> 80");
    }
}
