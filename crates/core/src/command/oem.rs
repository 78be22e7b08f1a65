//! OEM commands and OEM/Group (IANA) commands
//! (`commands-core.md` section 10).

use super::{Context, Entry, Outcome};
use crate::bmc::oem::{self, Report};
use crate::ipmi::{CompletionCode, Request, Response};

/// Controller-specific OEM commands (network function 30h), by number. What sets something logs an event, which is kept.
#[rustfmt::skip]
pub static COMMANDS: &[Entry] = &[
    Entry::new(0x01, "OEM Set Power", set_power).at_least(1).administrator().keeps(),
    Entry::new(0x02, "OEM Get Power", get_power).administrator().reads(),
    Entry::new(0x03, "OEM Set Hot Swap LED", set_hot_swap_led).at_least(1).administrator().keeps(),
    Entry::new(0x04, "OEM Get Hot Swap LED", get_hot_swap_led).administrator().reads(),
];

/// IANA enterprise number 40820, the original's author's, as it stands in a request.
const IANA_HISTORY: [u8; 3] = [0x74, 0x9f, 0x00];

/// OEM/Group commands of `IANA_HISTORY`, by number. Minimum lengths count the IANA number.
#[rustfmt::skip]
pub static HISTORY: &[Entry] = &[
    Entry::new(0x01, "Set SOL History Return Size", set_history_return).at_least(4).administrator(),
    Entry::new(0x02, "Get SOL History Return Size", get_history_return).administrator().reads(),
];

/// The OEM/Group commands of the enterprise that the data of a request name.
pub(super) fn named(data: &[u8]) -> &'static [Entry] {
    if data.starts_with(&IANA_HISTORY) { HISTORY } else { &[] }
}

/// Network function 2Eh: the IANA number comes first, in the request and, behind the
/// completion code, in every response, also when the command fails.
pub(super) fn oem_group(
    found: Option<&Entry>,
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let iana: &[u8; 3] = request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    super::call(found, context, request, response).or_else(|code| {
        response.fail(code);
        response.put(iana)?;
        Ok(Outcome::Done)
    })
}

/// Request: KiB; 0 is all. CBh without SOL.
fn set_history_return(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let kib = *request.data.get(3).ok_or(CompletionCode::INVALID_LENGTH)?;
    context.controller()?.sol.as_mut().ok_or(CompletionCode::NOT_PRESENT)?.set_history_return(kib);
    response.put(&IANA_HISTORY)?;
    Ok(Outcome::Done)
}

/// Response: KiB; 0 is all. CBh without SOL.
fn get_history_return(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let kib = context.controller()?.sol.as_ref().ok_or(CompletionCode::NOT_PRESENT)?.history_return;
    response.put(&IANA_HISTORY)?;
    response.put(&[kib])?;
    Ok(Outcome::Done)
}

/// Request: value.
fn set_power(context: &mut Context<'_>, request: &Request<'_>, _: &mut Response) -> Result<Outcome, CompletionCode> {
    let power = *request.data.first().ok_or(CompletionCode::INVALID_LENGTH)?;
    let now = context.now;
    oem::set_power(&mut context.at()?, now, power, Report::Event);
    Ok(Outcome::Done)
}

/// Response: value.
fn get_power(context: &mut Context<'_>, _: &Request<'_>, response: &mut Response) -> Result<Outcome, CompletionCode> {
    response.put(&[context.controller()?.oem.power])?;
    Ok(Outcome::Done)
}

/// Request: colour.
fn set_hot_swap_led(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let colour = *request.data.first().ok_or(CompletionCode::INVALID_LENGTH)?;
    context.controller()?.board.leds.set_hot_swap_colour(colour);
    Ok(Outcome::Done)
}

/// Response: colour.
fn get_hot_swap_led(
    context: &mut Context<'_>,
    _: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    response.put(&[context.controller()?.board.leds.hot_swap_colour()])?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Rig;
    use crate::ipmi::McAddress;

    #[test]
    fn oem_commands_are_as_recorded() {
        let mut rig = Rig::new();
        rig.expect(
            "2e 01 74 9f -> c7
             2e 01 74 9f 00 -> c7 74 9f 00
             2e 01 74 9f 00 02 -> 00 74 9f 00
             2e 01 91 12 00 -> c1 91 12 00
             2e 02 74 9f 00 -> 00 74 9f 00 00
             2e 03 74 9f 00 -> c1 74 9f 00
             30 01 -> c7
             30 02 -> 00 00
             30 01 05 00 -> 00
             30 02 -> 00 05
             30 03 07 -> 00
             30 04 -> 00 07
             30 00 -> c1
             30 05 -> c1",
        );
        rig.machine.ensure(McAddress::BMC).sol = None;
        rig.expect("2e 02 74 9f 00 -> cb 74 9f 00\n 2e 01 74 9f 00 01 -> cb 74 9f 00");
    }
}
