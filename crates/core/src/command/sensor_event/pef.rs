//! PEF configuration (IPMI 2.0 section 30).

use super::super::{Context, Outcome};
use crate::bmc::pef::alerts::{self, ImmediateError};
use crate::bmc::pef::processing::{self, Processor};
use crate::bmc::pef::{self, FILTERS, PefError, REVISION};
use crate::ipmi::{ChannelNumber, CompletionCode, Request, Response};

/// PEF version 1.5.
const VERSION: u8 = 0x51;
/// All actions but OEM ones.
const ACTIONS: u8 = 0x3f;
/// Selector bit: only the parameter revision is wanted.
const REVISION_ONLY: u8 = 0x80;

impl From<PefError> for CompletionCode {
    fn from(problem: PefError) -> Self {
        match problem {
            PefError::Unknown => Self::COMMAND_SPECIFIC_80,
            PefError::InProgress => Self::COMMAND_SPECIFIC_81,
            PefError::ReadOnly => Self::COMMAND_SPECIFIC_82,
            PefError::TooShort => Self::INVALID_LENGTH,
            PefError::InvalidField => Self::INVALID_FIELD,
            PefError::OutOfRange => Self::OUT_OF_RANGE,
        }
    }
}

/// Answer `[version][actions][filters]`.
pub(super) fn get_capabilities(
    _context: &mut Context<'_>,
    _request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    response.put(&[VERSION, ACTIONS, FILTERS])?;
    Ok(Outcome::Done)
}

/// `[seconds]`: 0 ends the timer, FEh has events wait without end, FFh only asks. Answer `[seconds left]`.
pub(super) fn arm_postpone_timer(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let now = context.now;
    response.put(&[processing::postpone(&mut context.at()?, now, request.data[0])])?;
    Ok(Outcome::Done)
}

/// `[bit 0: of the BMC, else of software][record id 2]`.
pub(super) fn set_last_processed(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let [by, low, high] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let by = if by & 0x01 == 0 { Processor::Software } else { Processor::Controller };
    processing::set_last_processed(&mut context.at()?, by, u16::from_le_bytes([low, high]));
    Ok(Outcome::Done)
}

/// Answer `[time of the last record 4][its id 2][processed by software 2][by the BMC 2]`.
pub(super) fn get_last_processed(
    context: &mut Context<'_>,
    _request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let controller = context.controller()?;
    let (sel, processing) = (&controller.sel, &controller.pef.processing);
    response.put(&sel.last_add_time().to_le_bytes())?;
    for id in [sel.last_id(), processing.by_software, processing.by_bmc] {
        response.put(&id.to_le_bytes())?;
    }
    Ok(Outcome::Done)
}

/// `[parameter][data...]`
pub(super) fn set_parameter(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _reply: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (selector, data) = request.data.split_first().ok_or(CompletionCode::INVALID_LENGTH)?;
    pef::set_parameter(&mut context.at()?, selector & !REVISION_ONLY, data)?;
    Ok(Outcome::Done)
}

/// `[parameter][set][block]`; answer `[revision][data...]`. Set and block are checked even
/// when only the revision is wanted.
pub(super) fn get_parameter(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (selector, set, block) = (request.data[0], request.data[1], request.data[2]);
    response.put(&[REVISION])?;
    let pef = &context.controller()?.pef;
    pef.get(selector & !REVISION_ONLY, set, block, |data| {
        if selector & REVISION_ONLY == 0 { response.put(data) } else { Ok(()) }
    })??;
    Ok(Outcome::Done)
}

/// Operations of Alert Immediate, bits 7-6 of its second byte.
mod operation {
    pub(super) const INITIATE: u8 = 0;
    pub(super) const GET_STATUS: u8 = 1;
    pub(super) const CLEAR_STATUS: u8 = 2;
}

/// Bit of a string selector: a string is sent.
const SEND_STRING: u8 = 0x80;

/// `[channel][7-6 operation, 3-0 destination][7 with a string, 6-0 which]`, and what is known of the event: `[generator
/// id][revision][sensor type][sensor number][direction and type][data 3]`. Answer `[status]`, where that is asked for
/// (IPMI 2.0 section 30.7).
pub(super) fn alert_immediate(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let ([channel, selector, string], event) =
        request.data.split_first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let channel = context.channel_number(ChannelNumber::from_wire(*channel));
    let now = context.now;
    match selector >> 6 {
        operation::INITIATE => {
            let event = match event {
                [] => None,
                event => Some(*event.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?),
            };
            let string = (string & SEND_STRING != 0).then_some(string & !SEND_STRING);
            let destination = (channel, selector & 0x0f);
            alerts::immediate(&mut context.at()?, now, destination, string, event).map_err(|error| match error {
                ImmediateError::InProgress => CompletionCode::COMMAND_SPECIFIC_81,
                ImmediateError::NoDestination => CompletionCode::INVALID_FIELD,
            })?;
        }
        operation::GET_STATUS => response.put(&[alerts::immediate_status(context.controller()?) as u8])?,
        operation::CLEAR_STATUS => alerts::clear_immediate_status(context.controller()?),
        _ => return Err(CompletionCode::INVALID_FIELD),
    }
    Ok(Outcome::Done)
}

/// `[sequence number 2][time stamp 4][event source type][sensor device][sensor number][event data 3]`. Outside sessions
/// the LAN channel answers it.
pub(super) fn acknowledge(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let acknowledgement = request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let now = context.now;
    alerts::acknowledged(&mut context.at()?, now, acknowledgement);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV4;
    use std::time::Duration;

    use crate::bmc::device_id::support;
    use crate::bmc::{Action, StateFile};
    use crate::command::testing::{BMC, Rig};
    use crate::ipmi::{ChannelNumber, HostSignal};

    /// An upper critical threshold of sensor 7 is crossed.
    const EVENT: &str = "04 02 04 01 07 01 59 60 5f -> 00";
    /// Any event makes an alert by policy 1, which goes to destination 2 of channel 1, at 192.0.2.7.
    const SETUP: &str = "04 12 01 01 -> 00
         04 12 02 01 -> 00
         04 12 06 03 80 01 01 10 ff ff ff ff ff ff ff 00 00 00 00 00 00 00 00 00 -> 00
         04 12 09 01 18 12 00 -> 00
         0c 01 0e 13 02 00 00 c0 00 02 07 00 00 00 00 00 00 -> 00";

    /// Takes the traps that were sent.
    fn traps(rig: &mut Rig) -> Vec<(SocketAddrV4, Vec<u8>)> {
        let actions = std::mem::take(&mut rig.machine.actions);
        let traps = actions.into_iter().filter_map(|action| match action {
            Action::Trap { mc: BMC, channel: ChannelNumber::LAN, to, bytes } => Some((to, bytes)),
            _ => None,
        });
        traps.collect()
    }

    /// How many traps go out meanwhile, with a look at the time each 100 ms.
    fn traps_in(rig: &mut Rig, time: Duration) -> usize {
        let end = rig.now + time;
        let mut sent = 0;
        while rig.now < end {
            rig.now = rig.now + Duration::from_millis(100);
            crate::bmc::timeout(&mut rig.machine, rig.now);
            sent += traps(rig).len();
        }
        sent
    }

    fn set_up(more: &str) -> Rig {
        let mut rig = Rig::new();
        let controller = rig.machine.ensure(BMC);
        controller.device.device_support |= support::SEL;
        controller.sel.enable(100, 0);
        // A machine that can be reset.
        let host = controller.channels.host_mut().expect("channel 15");
        (host.connected, host.announced) = (true, 0x3f);
        rig.expect(SETUP);
        rig.expect(more);
        rig.machine.actions.clear();
        rig
    }

    /// The part of a trap's variable from the sequence number on, which stands behind the GUID.
    fn fields(trap: &[u8]) -> &[u8] {
        let guid: Vec<u8> = crate::command::testing::GUID.into_iter().rev().collect();
        let at = trap.windows(16).position(|window| window == guid).expect("the GUID");
        &trap[at + 16..]
    }

    /// The PET Acknowledge for a trap.
    fn acknowledgement(trap: &[u8]) -> String {
        let fields = fields(trap);
        let (sequence, time, sensor, data) = (&fields[..2], &fields[2..6], &fields[11..13], &fields[15..18]);
        let bytes = sequence.iter().rev().chain(time.iter().rev()).chain([&0x20]).chain(sensor).chain(data);
        bytes.map(|byte| format!("{byte:02x} ")).collect()
    }

    #[test]
    fn an_event_becomes_a_trap() {
        let mut rig = set_up("");
        rig.expect(EVENT);
        let sent = traps(&mut rig);
        let [(to, trap)] = &sent[..] else { panic!("{sent:x?}") };
        assert_eq!(to.to_string(), "192.0.2.7:162");
        assert_eq!(fields(trap)[..2], [0, 1], "sequence number");
        assert_eq!(fields(trap)[8..22], [0x20, 0x20, 0x10, 0x81, 7, 0, 0, 0x59, 0x60, 0x5f, 255, 255, 255, 255]);
        assert_eq!(traps_in(&mut rig, Duration::from_secs(60)), 0, "once");
        rig.expect("04 15 -> 00 e8 03 00 00 01 00 00 00 01 00");
    }

    #[test]
    fn without_its_switches_there_is_no_trap() {
        for (off, why) in [
            ("04 12 01 00 -> 00", "PEF"),
            ("04 12 02 00 -> 00", "the action"),
            ("04 12 07 03 00 -> 00", "the filter"),
            ("04 12 09 01 10 12 00 -> 00", "the policy"),
            ("06 40 01 a2 00 -> 00", "alerting on the channel"),
            ("0c 01 0e 12 02 06 00 00 -> 00", "an OEM destination"),
            ("0c 01 0e 13 02 10 00 c0 00 02 07 00 00 00 00 00 00 -> 00", "another address format"),
            ("0c 01 0e 13 02 00 00 00 00 00 00 00 00 00 00 00 00 -> 00", "no address"),
            ("0c 01 0e 13 02 00 00 e0 00 00 01 00 00 00 00 00 00 -> 00", "a group of addresses"),
            ("0c 01 0e 13 02 00 00 ff ff ff ff 00 00 00 00 00 00 -> 00", "everybody"),
        ] {
            let mut rig = set_up(off);
            rig.expect(EVENT);
            assert_eq!(traps_in(&mut rig, Duration::from_secs(10)), 0, "{why}");
        }
    }

    #[test]
    fn a_trap_is_sent_again_until_it_is_acknowledged() {
        let mut rig = set_up("0c 01 0e 12 02 80 04 03 -> 00");
        rig.expect(EVENT);
        let sent = traps(&mut rig);
        assert_eq!(traps_in(&mut rig, Duration::from_secs(4)), 0, "5 s");
        assert_eq!(traps_in(&mut rig, Duration::from_secs(2)), 1);
        let named = acknowledgement(&sent[0].1);
        // Another sequence number is another trap.
        rig.expect(&format!("04 17 09{} -> 00", &named[2..]));
        assert_eq!(traps_in(&mut rig, Duration::from_secs(5)), 1);
        rig.expect(&format!("04 17 {named} -> 00"));
        assert_eq!(traps_in(&mut rig, Duration::from_secs(60)), 0);
        assert_eq!(crate::bmc::deadline(&rig.machine), None);
        // Nobody acknowledges the next: 3 retries.
        rig.expect(EVENT);
        assert_eq!(traps(&mut rig).len() + traps_in(&mut rig, Duration::from_secs(60)), 4);
        assert_eq!(crate::bmc::deadline(&rig.machine), None);
    }

    #[test]
    fn the_next_destination_waits_for_the_one_before() {
        let next = "0c 01 0e 12 02 80 01 01 -> 00
             0c 01 0e 13 01 00 00 c0 00 02 08 00 00 00 00 00 00 -> 00
             04 12 09 02 19 11 00 -> 00";
        let mut rig = set_up(next);
        rig.expect(EVENT);
        assert_eq!(traps(&mut rig).len(), 1);
        rig.now = rig.now + Duration::from_secs(2);
        crate::bmc::timeout(&mut rig.machine, rig.now);
        assert_eq!(traps(&mut rig)[0].0.to_string(), "192.0.2.7:162", "again");
        rig.now = rig.now + Duration::from_secs(2);
        crate::bmc::timeout(&mut rig.machine, rig.now);
        assert_eq!(traps(&mut rig)[0].0.to_string(), "192.0.2.8:162");
        // Acknowledged: the second one is not needed.
        let mut rig = set_up(next);
        rig.expect(EVENT);
        let sent = traps(&mut rig);
        rig.expect(&format!("04 17 {} -> 00", acknowledgement(&sent[0].1)));
        assert_eq!(traps(&mut rig).len() + traps_in(&mut rig, Duration::from_secs(60)), 0);
    }

    #[test]
    fn traps_are_not_sent_faster_than_the_bound() {
        let mut rig = set_up("0c 01 0e 12 02 00 00 07 -> 00");
        let mut sent = 0;
        for _ in 0..200 {
            rig.expect(EVENT);
            sent += traps(&mut rig).len();
        }
        assert_eq!(sent, 30, "at once");
        assert_eq!(traps_in(&mut rig, Duration::from_secs(10)), 50, "5 a second");
    }

    #[test]
    fn alerts_that_nobody_acknowledges_are_bounded() {
        // The second entry of the policy waits for the first.
        let mut rig = set_up("0c 01 0e 12 02 80 ff 07 -> 00\n 04 12 09 02 19 12 00 -> 00");
        for _ in 0..100 {
            rig.expect(EVENT);
        }
        let lost = |action: &&Action| matches!(action, Action::Log { text, .. } if text.contains("alerts are lost"));
        assert_eq!(rig.machine.actions.iter().filter(lost).count(), 1, "said once");
        assert_eq!(traps(&mut rig).len(), 16);
    }

    #[test]
    fn an_alert_is_sent_at_once_and_tells_how_it_went() {
        let mut rig = set_up("0c 01 0e 12 02 80 00 01 -> 00\n 04 12 0d 00 01 48 69 -> 00\n 04 12 01 00 -> 00");
        rig.expect(
            "04 16 01 42 00 -> 00 00
             04 16 01 03 00 -> cc
             04 16 02 02 00 -> cc
             04 16 01 c2 00 -> cc
             04 16 01 02 80 20 04 -> c7
             04 16 01 02 80 20 04 01 07 81 59 60 5f -> 00
             04 16 01 42 00 -> 00 ff
             04 16 01 82 00 -> 00
             04 16 01 02 00 -> 81",
        );
        let sent = traps(&mut rig);
        assert_eq!(fields(&sent[0].1)[10..18], [0, 0x20, 7, 0, 0, 0x59, 0x60, 0x5f]);
        assert!(sent[0].1.ends_with(b"\xc2Hi\xc1"), "the string");
        rig.expect(&format!("04 17 {} -> 00\n 04 16 0e 42 00 -> 00 01", acknowledgement(&sent[0].1)));
        rig.expect("04 16 01 82 00 -> 00\n 04 16 01 42 00 -> 00 00\n 04 16 01 02 00 -> 00");
        assert_eq!(traps(&mut rig).len() + traps_in(&mut rig, Duration::from_secs(3)), 2);
        rig.expect("04 16 01 42 00 -> 00 03");
    }

    #[test]
    fn events_wait_while_they_are_postponed() {
        let mut rig = set_up("04 11 ff -> 00 00\n 04 11 0a -> 00 0a");
        rig.expect(EVENT);
        rig.expect(EVENT);
        rig.expect(EVENT);
        assert_eq!(traps_in(&mut rig, Duration::from_secs(9)), 0);
        rig.expect("04 11 ff -> 00 01\n 04 14 00 02 00 -> 00");
        assert_eq!(traps_in(&mut rig, Duration::from_secs(2)), 1, "software has processed two");
        rig.expect("04 15 -> 00 e8 03 00 00 03 00 02 00 03 00\n 04 11 fe -> 00 fe");
        rig.expect(EVENT);
        assert_eq!(traps_in(&mut rig, Duration::from_secs(600)), 0);
        rig.expect("04 11 00 -> 00 00");
        assert_eq!(traps(&mut rig).len(), 1);
    }

    #[test]
    fn events_wait_after_a_restart_and_alerts_too() {
        let mut rig = set_up("04 12 01 05 -> 00\n 04 12 03 14 -> 00\n 00 02 03 -> 00");
        rig.expect(EVENT);
        assert_eq!(traps_in(&mut rig, Duration::from_secs(19)), 0);
        assert_eq!(traps_in(&mut rig, Duration::from_secs(2)), 1);
        let mut rig = set_up("04 12 01 09 -> 00\n 04 12 04 14 -> 00\n 00 02 03 -> 00");
        rig.expect(EVENT);
        rig.expect("04 15 -> 00 e8 03 00 00 01 00 00 00 01 00");
        assert_eq!(traps_in(&mut rig, Duration::from_secs(19)), 0);
        assert_eq!(traps_in(&mut rig, Duration::from_secs(2)), 1);
    }

    #[test]
    fn filters_act_on_the_power_and_that_is_logged() {
        // Power off goes before a reset.
        let filter = "04 12 01 03 -> 00\n 04 12 02 3f -> 00
             04 12 06 04 80 06 00 10 ff ff ff ff ff ff ff 00 00 00 00 00 00 00 00 00 -> 00";
        let mut rig = set_up(filter);
        rig.expect(EVENT);
        let signal = HostSignal::PowerOff;
        assert!(rig.machine.actions.contains(&Action::Host { mc: BMC, signal }), "{:?}", rig.machine.actions);
        assert_eq!(traps(&mut rig).len(), 1);
        let controller = rig.machine.controller(BMC).expect("the BMC");
        let last = controller.sel.records().last().expect("a record");
        assert_eq!(last[7..], [0x20, 0, 4, 0x12, 0, 0x6f, 0xc4, 0x03, 0xff]);
    }

    #[test]
    fn parameters_are_kept_once_they_are_committed() {
        let mut rig = Rig::new();
        rig.expect("04 12 00 01 -> 00\n 04 12 01 01 -> 00");
        assert!(rig.machine.actions.is_empty());
        rig.expect("04 12 00 02 -> 00\n 04 12 02 01 -> 00");
        assert_eq!(rig.machine.actions, [Action::save(StateFile::Pef(BMC)), Action::save(StateFile::Pef(BMC))]);
    }
}
