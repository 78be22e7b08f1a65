//! Set and Get System Info Parameters, IPMI 2.0 sections 22.14a and 22.14b.

use crate::bmc::system_info::{self, InfoError, SystemInfo, Value};
use crate::command::{Context, Outcome};
use crate::ipmi::{CompletionCode, Request, Response};

/// Parameter revision 1.1.
const REVISION: u8 = 0x11;
/// Bit 7 of the first byte of a Get: only the revision is asked for.
const REVISION_ONLY: u8 = 0x80;

fn code(error: InfoError) -> CompletionCode {
    match error {
        InfoError::Unsupported => CompletionCode::COMMAND_SPECIFIC_80,
        InfoError::InProgress => CompletionCode::COMMAND_SPECIFIC_81,
        InfoError::Length => CompletionCode::INVALID_LENGTH,
        InfoError::NoBlock => CompletionCode::OUT_OF_RANGE,
        InfoError::Invalid => CompletionCode::INVALID_FIELD,
    }
}

/// Request: parameter, data. 80h no such parameter, 81h it is being set already, C9h the text has
/// no such block.
pub(super) fn set(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (parameter, data) = request.data.split_first().ok_or(CompletionCode::INVALID_LENGTH)?;
    system_info::set(&mut context.at()?, *parameter, data).map_err(code)?;
    Ok(Outcome::Done)
}

/// Request: bit 7 for the revision only, parameter, set, block (0: no parameter has any). Response:
/// revision; of a text the set's number and 16 bytes.
pub(super) fn get(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let [which, parameter, set, block] = *request.data else { return Err(CompletionCode::INVALID_LENGTH) };
    if !SystemInfo::supports(parameter) {
        return Err(code(InfoError::Unsupported));
    }
    if which & !REVISION_ONLY != 0 {
        return Err(CompletionCode::INVALID_FIELD);
    }
    if which == REVISION_ONLY {
        response.put(&[REVISION])?;
        return Ok(Outcome::Done);
    }
    if block != 0 {
        return Err(CompletionCode::INVALID_FIELD);
    }
    match context.controller()?.system_info.get(parameter, set).map_err(code)? {
        Value::InProgress(busy) => response.put(&[REVISION, busy.into()])?,
        Value::Block(bytes) => {
            response.put(&[REVISION, set])?;
            response.put(&bytes)?;
        }
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::bmc::channel::Channel;
    use crate::bmc::{Action, StateFile};
    use crate::command::testing::{BMC, Rig};
    use crate::ipmi::ChannelNumber;

    #[test]
    fn system_info_is_set_and_read_in_blocks() {
        let mut rig = Rig::new();
        rig.expect(
            "06 59 00 01 00 00 -> 00 11 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
             06 59 00 00 00 00 -> 00 11 00
             06 58 02 00 01 10 61 62 63 64 65 66 67 68 69 6a 6b 6c 6d 6e -> 00
             06 58 02 01 6f 70 -> 00
             06 59 00 02 00 00 -> 00 11 00 01 10 61 62 63 64 65 66 67 68 69 6a 6b 6c 6d 6e
             06 59 00 02 01 00 -> 00 11 01 6f 70 00 00 00 00 00 00 00 00 00 00 00 00 00 00
             06 59 00 02 02 00 -> c9
             06 59 80 02 02 00 -> 00 11
             06 59 80 00 00 00 -> 00 11",
        );
        let save = Action::save(StateFile::SystemInfo(BMC));
        assert_eq!(rig.machine.actions, [save.clone(), save]);
    }

    #[test]
    fn odd_requests_for_system_info_are_refused() {
        let mut rig = Rig::new();
        rig.expect(
            "06 58 -> c1
             06 59 -> c1
             06 59 00 01 00 -> c7
             06 59 00 01 00 00 00 -> c7
             06 59 00 08 00 00 -> 80
             06 59 80 08 00 00 -> 80
             06 59 00 c0 00 00 -> 80
             06 59 01 01 00 00 -> cc
             06 59 00 01 00 01 -> cc
             06 58 08 00 00 01 61 -> 80
             06 58 dd 00 00 01 61 -> 80
             06 58 00 -> c7
             06 58 01 -> c7
             06 58 01 00 -> c7
             06 58 00 00 00 00 -> c7
             06 58 00 04 -> cc
             06 58 01 00 00 0e 61 62 63 64 65 66 67 68 69 6a 6b 6c 6d 6e 6f -> cc
             06 58 01 00 07 01 61 -> cc",
        );
        assert!(rig.machine.actions.is_empty());
    }

    #[test]
    fn system_info_in_progress_is_committed_or_rolled_back() {
        let mut rig = Rig::new();
        rig.expect(
            "06 58 00 01 -> 00
             06 58 00 01 -> 81
             06 59 00 00 00 00 -> 00 11 01
             06 58 02 00 00 01 61 -> 00
             06 59 00 02 00 00 -> 00 11 00 00 01 61 00 00 00 00 00 00 00 00 00 00 00 00 00
             06 58 00 00 -> 00
             06 59 00 02 00 00 -> 00 11 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
             06 58 00 01 -> 00
             06 58 02 00 00 01 61 -> 00",
        );
        assert!(rig.machine.actions.is_empty());
        rig.expect("06 58 00 02 -> 00\n 06 59 00 00 00 00 -> 00 11 01\n 06 58 00 00 -> 00");
        assert_eq!(rig.machine.actions, [Action::save(StateFile::SystemInfo(BMC))]);
        rig.expect("06 59 00 02 00 00 -> 00 11 00 00 01 61 00 00 00 00 00 00 00 00 00 00 00 00 00");
    }

    #[test]
    fn a_reset_of_the_machine_ends_what_is_in_progress() {
        let built_in = || {
            let mut rig = Rig::new();
            rig.machine.ensure(BMC).channels.set(ChannelNumber::SYSTEM_INTERFACE, Channel::system_interface());
            rig
        };
        for control in [0, 2, 3] {
            let mut rig = built_in();
            rig.expect(&format!("06 58 00 01 -> 00\n 00 02 {control:02x} -> 00\n 06 59 00 00 00 00 -> 00 11 00"));
        }
        let mut rig = built_in();
        rig.expect("06 58 00 01 -> 00\n 00 02 01 -> 00\n 00 02 05 -> 00\n 06 59 00 00 00 00 -> 00 11 01");
    }

    #[test]
    fn a_cold_reset_forgets_which_operating_system_runs() {
        let mut rig = Rig::new();
        rig.expect(
            "06 58 03 00 00 01 61 -> 00
             06 58 04 00 00 01 62 -> 00
             06 58 00 01 -> 00",
        );
        rig.machine.actions.clear();
        rig.expect(
            "06 02 -> 00
             06 59 00 00 00 00 -> 00 11 00
             06 59 00 03 00 00 -> 00 11 00 00 01 61 00 00 00 00 00 00 00 00 00 00 00 00 00
             06 59 00 04 00 00 -> 00 11 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00",
        );
        assert!(rig.machine.actions.contains(&Action::save(StateFile::SystemInfo(BMC))));
    }
}
