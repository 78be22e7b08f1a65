//! System boot options, IPMI 2.0 sections 28.12 and 28.13.
//!
//! All parameters are kept here, whatever does the work of the chassis. A `chassis_control`
//! program is told the boot device in words of its own and may answer with another one than was
//! set; a virtual machine is told nothing of it.

use super::super::{Context, Outcome};
use super::run;
use crate::bmc::boot::{self, MAILBOX_BLOCK};
use crate::bmc::chassis::{self, Backend, boot_flags_set};
use crate::bmc::external::Value;
use crate::ipmi::{CompletionCode, Request, Response};

/// Boot option parameters, IPMI 2.0 table 28-14.
mod parameter {
    pub(super) const SET_IN_PROGRESS: u8 = 0;
    pub(super) const SERVICE_PARTITION: u8 = 1;
    pub(super) const SERVICE_PARTITION_SCAN: u8 = 2;
    pub(super) const VALID_BIT_CLEARING: u8 = 3;
    pub(super) const INFO_ACKNOWLEDGE: u8 = 4;
    pub(super) const FLAGS: u8 = 5;
    pub(super) const INITIATOR_INFO: u8 = 6;
    pub(super) const INITIATOR_MAILBOX: u8 = 7;
}

/// Parameter version of Get System Boot Options.
const VERSION: u8 = 0x01;
/// The parameter number; bit 7, "parameter valid", is ignored as in the original.
const NUMBER: u8 = 0x3f;

/// The first bytes of a parameter that the original does not have. What is too short is left
/// at its response.
fn take<const N: usize>(data: &[u8]) -> Result<[u8; N], CompletionCode> {
    data.first_chunk().copied().ok_or(CompletionCode::INVALID_FIELD)
}

/// Request: parameter (bits 5-0), data. 80h no such parameter, CCh a boot device that the program
/// has no word for.
pub(super) fn set_options(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let (parameter, data) = request.data.split_first().ok_or(CompletionCode::INVALID_LENGTH)?;
    let now = context.now;
    let controller = context.controller()?;
    let backend = chassis::backend(controller);
    let chassis = &mut controller.chassis;
    let boot = &mut chassis.boot;
    match parameter & NUMBER {
        parameter::SET_IN_PROGRESS => {
            // 2, "commit write", completes as well: nothing waits to be committed.
            boot.set_in_progress = match data.first().ok_or(CompletionCode::INVALID_LENGTH)? & 0x03 {
                3 => return Err(CompletionCode::INVALID_FIELD),
                state => state == 1,
            };
        }
        parameter::SERVICE_PARTITION => {
            boot.service_partition = *data.first().ok_or(CompletionCode::INVALID_LENGTH)?;
        }
        parameter::SERVICE_PARTITION_SCAN => {
            let [scan] = take(data)?;
            boot.service_partition_scan = scan & 0x03;
        }
        // The original takes it without a value too.
        parameter::VALID_BIT_CLEARING => boot.set_valid_bit_clearing(now, data.first().copied().unwrap_or(0) & 0x1f),
        parameter::INFO_ACKNOWLEDGE => {
            let [mask, acknowledge] = *data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
            // Scripts see `get boot` before every `set boot`: ipmitool sends both.
            if let Some(call) = chassis.get_boot_call() {
                return run(call, move |context, _, _| {
                    context.controller()?.chassis.boot.acknowledged(mask, acknowledge);
                    Ok(())
                });
            }
            chassis.boot.acknowledged(mask, acknowledge);
        }
        parameter::FLAGS => {
            let flags: [u8; 5] = *data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
            if backend == Backend::Program {
                let call = chassis.set_boot_call(boot::device(&flags)).ok_or(CompletionCode::INVALID_FIELD)?;
                return run(call, move |context, _, _| {
                    let now = context.now;
                    boot_flags_set(&mut context.at()?, now, flags);
                    Ok(())
                });
            }
            boot_flags_set(&mut context.at()?, now, flags);
        }
        parameter::INITIATOR_INFO => boot.initiator = take(data)?,
        parameter::INITIATOR_MAILBOX => {
            let (block, bytes) = data.split_first().ok_or(CompletionCode::INVALID_FIELD)?;
            if !boot.set_mailbox(*block, bytes) {
                return Err(CompletionCode::OUT_OF_RANGE);
            }
        }
        _ => return Err(CompletionCode::COMMAND_SPECIFIC_80),
    }
    Ok(Outcome::Done)
}

/// Request: parameter (bits 5-0), set, block. Response: version, parameter, data. 80h no such
/// parameter.
pub(super) fn get_options(
    context: &mut Context<'_>,
    request: &Request<'_>,
    response: &mut Response,
) -> Result<Outcome, CompletionCode> {
    let [parameter, set] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let parameter = parameter & NUMBER;
    let chassis = &context.controller()?.chassis;
    if parameter == parameter::FLAGS
        && let Some(call) = chassis.get_boot_call()
    {
        return run(call, |context, values, response| {
            let Some(Value::BootDevice(device)) = values.first() else {
                return Err(CompletionCode::UNSPECIFIED);
            };
            let boot = &mut context.controller()?.chassis.boot;
            boot.device_is(*device);
            response.put(&[VERSION, parameter::FLAGS])?;
            response.put(&boot.flags())
        });
    }
    let boot = &chassis.boot;
    response.put(&[VERSION, parameter])?;
    match parameter {
        parameter::SET_IN_PROGRESS => response.put(&[u8::from(boot.set_in_progress)])?,
        parameter::SERVICE_PARTITION => response.put(&[boot.service_partition])?,
        parameter::SERVICE_PARTITION_SCAN => response.put(&[boot.service_partition_scan])?,
        parameter::VALID_BIT_CLEARING => response.put(&[boot.valid_bit_clearing])?,
        parameter::INFO_ACKNOWLEDGE => response.put(&[0, boot.acknowledge])?,
        parameter::FLAGS => response.put(&boot.flags())?,
        parameter::INITIATOR_INFO => response.put(&boot.initiator)?,
        parameter::INITIATOR_MAILBOX => {
            let block: &[u8; MAILBOX_BLOCK] = boot.mailbox(set).ok_or(CompletionCode::OUT_OF_RANGE)?;
            response.put(&[set])?;
            response.put(block)?;
        }
        _ => return Err(CompletionCode::COMMAND_SPECIFIC_80),
    }
    Ok(Outcome::Done)
}
