//! System boot options, IPMI 2.0 sections 28.12 and 28.13.
//!
//! With a `chassis_control` program the original's few parameters are there and the program
//! decides. A built-in chassis has them all. A virtual machine has as much as setting a boot
//! device takes, parameters 3 to 5; the machine is told nothing of it.

use super::super::{Context, Outcome};
use super::run;
use crate::bmc::boot::MAILBOX_BLOCK;
use crate::bmc::chassis::{self, Backend};
use crate::bmc::external::Value;
use crate::ipmi::{CompletionCode, Reply, Request};

/// Boot option parameters, IPMI 2.0 table 28-14.
mod parameter {
    pub const SET_IN_PROGRESS: u8 = 0;
    /// The original answers this one as if it were "set in progress".
    pub const SERVICE_PARTITION: u8 = 1;
    pub const SERVICE_PARTITION_SCAN: u8 = 2;
    pub const VALID_BIT_CLEARING: u8 = 3;
    pub const INFO_ACKNOWLEDGE: u8 = 4;
    pub const FLAGS: u8 = 5;
    pub const INITIATOR_INFO: u8 = 6;
    pub const INITIATOR_MAILBOX: u8 = 7;
}

/// Parameter version of Get System Boot Options.
const VERSION: u8 = 0x01;
/// The parameter number; bit 7, "parameter valid", is ignored as in the original.
const NUMBER: u8 = 0x3f;

/// The device selector of boot flags byte 2.
fn boot_device(flags: &[u8; 5]) -> u8 {
    flags[1] >> 2 & 0x0f
}

/// The first bytes of a parameter that the original does not have. What is too short is left
/// at its answer.
fn take<const N: usize>(data: &[u8]) -> Result<[u8; N], CompletionCode> {
    data.first_chunk().copied().ok_or(CompletionCode::INVALID_FIELD)
}

/// Request: parameter (bits 5-0), data. An unknown parameter is CCh, as in the original.
pub(super) fn set_options(
    context: &mut Context<'_>,
    request: &Request<'_>,
    _: &mut Reply,
) -> Result<Outcome, CompletionCode> {
    let (parameter, data) = request.data.split_first().ok_or(CompletionCode::INVALID_LENGTH)?;
    let now = context.now;
    let controller = context.controller()?;
    let backend = chassis::backend(controller);
    let chassis = &mut controller.chassis;
    match (parameter & NUMBER, backend) {
        (parameter::SET_IN_PROGRESS, Backend::BuiltIn) => {
            // 2, "commit write", completes as well: nothing waits to be committed.
            chassis.boot.set_in_progress = match data.first().ok_or(CompletionCode::INVALID_LENGTH)? & 0x03 {
                3 => return Err(CompletionCode::INVALID_FIELD),
                state => state == 1,
            };
        }
        (parameter::SERVICE_PARTITION, _) => {
            chassis.boot.service_partition = match backend {
                Backend::BuiltIn => *data.first().ok_or(CompletionCode::INVALID_LENGTH)?,
                Backend::Program | Backend::Host => {
                    data.first().ok_or(CompletionCode::INVALID_LENGTH)?;
                    // The original tests the byte behind the value, which a normal request
                    // does not have, and keeps nothing.
                    if data.get(1).is_some_and(|byte| byte & 0x03 > 1) {
                        return Err(CompletionCode::INVALID_FIELD);
                    }
                    0
                }
            };
        }
        (parameter::SERVICE_PARTITION_SCAN, Backend::BuiltIn) => {
            let [scan] = take(data)?;
            chassis.boot.service_partition_scan = scan & 0x03;
        }
        (parameter::VALID_BIT_CLEARING, _) => {
            // The original takes it without a value too.
            chassis.boot.set_valid_bit_clearing(now, data.first().copied().unwrap_or(0) & 0x1f);
        }
        (parameter::INFO_ACKNOWLEDGE, _) => {
            let [mask, acknowledge] = *data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
            match backend {
                // Scripts see `get boot` before every `set boot`: ipmitool sends both.
                Backend::Program => {
                    return run(chassis.get_boot_call().ok_or(CompletionCode::UNSPECIFIED)?, |_, _, _| Ok(()));
                }
                Backend::Host | Backend::BuiltIn => {
                    chassis.boot.acknowledge = chassis.boot.acknowledge & !mask | acknowledge & mask;
                }
            }
        }
        (parameter::FLAGS, _) => {
            let flags: &[u8; 5] = data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
            match backend {
                Backend::Program => {
                    let call = chassis.set_boot_call(boot_device(flags)).ok_or(CompletionCode::UNSPECIFIED)?;
                    return run(call, |_, _, _| Ok(()));
                }
                Backend::Host | Backend::BuiltIn => chassis.boot.set_flags(now, *flags),
            }
        }
        (parameter::INITIATOR_INFO, Backend::BuiltIn) => chassis.boot.initiator = take(data)?,
        (parameter::INITIATOR_MAILBOX, Backend::BuiltIn) => {
            let (block, bytes) = data.split_first().ok_or(CompletionCode::INVALID_FIELD)?;
            if !chassis.boot.set_mailbox(*block, bytes) {
                return Err(CompletionCode::OUT_OF_RANGE);
            }
        }
        _ => return Err(CompletionCode::INVALID_FIELD),
    }
    Ok(Outcome::Done)
}

/// Request: parameter (bits 5-0), set, block. Answer: version, parameter, data.
pub(super) fn get_options(
    context: &mut Context<'_>,
    request: &Request<'_>,
    reply: &mut Reply,
) -> Result<Outcome, CompletionCode> {
    let [parameter, set] = *request.data.first_chunk().ok_or(CompletionCode::INVALID_LENGTH)?;
    let parameter = parameter & NUMBER;
    let controller = context.controller()?;
    let backend = chassis::backend(controller);
    let chassis = &controller.chassis;
    let boot = &chassis.boot;
    if (parameter, backend) == (parameter::FLAGS, Backend::Program) {
        return run(chassis.get_boot_call().ok_or(CompletionCode::UNSPECIFIED)?, |_, values, reply| {
            let Some(Value::BootDevice(device)) = values.first() else {
                return Err(CompletionCode::UNSPECIFIED);
            };
            reply.put(&[VERSION, parameter::FLAGS, 0, device << 2, 0, 0, 0])
        });
    }
    reply.put(&[VERSION, parameter])?;
    match (parameter, backend) {
        (parameter::SERVICE_PARTITION, _) => reply.put(&[boot.service_partition])?,
        (parameter::INFO_ACKNOWLEDGE, Backend::BuiltIn) => reply.put(&[0, boot.acknowledge])?,
        // The original has no data for this one.
        (parameter::INFO_ACKNOWLEDGE, _) => {}
        (parameter::FLAGS, _) => reply.put(&boot.flags())?,
        (parameter::SET_IN_PROGRESS, Backend::BuiltIn) => reply.put(&[u8::from(boot.set_in_progress)])?,
        (parameter::SERVICE_PARTITION_SCAN, Backend::BuiltIn) => reply.put(&[boot.service_partition_scan])?,
        (parameter::VALID_BIT_CLEARING, Backend::BuiltIn) => reply.put(&[boot.valid_bit_clearing])?,
        (parameter::INITIATOR_INFO, Backend::BuiltIn) => reply.put(&boot.initiator)?,
        (parameter::INITIATOR_MAILBOX, Backend::BuiltIn) => {
            let block: &[u8; MAILBOX_BLOCK] = boot.mailbox(set).ok_or(CompletionCode::OUT_OF_RANGE)?;
            reply.put(&[set])?;
            reply.put(block)?;
        }
        _ => return Err(CompletionCode::INVALID_FIELD),
    }
    Ok(Outcome::Done)
}
