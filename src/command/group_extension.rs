//! Group extension commands (network function 2Ch), whose first byte names the group that
//! defined them, in the request and, behind the completion code, in the answer
//! (`commands-core.md` section 9).
//!
//! One group is known: [`picmg`], with `atca_enable`. DCMI (DCh) is not: C1h is what its
//! clients take for "this system has no DCMI".

pub mod picmg;

use super::Context;
use crate::ipmi::{CompletionCode, Request};

/// Whether the system knows the group of a request: C7h when it names none, C1h when not.
pub fn check(context: &Context<'_>, request: &Request<'_>) -> Result<(), CompletionCode> {
    match request.data.first() {
        None => Err(CompletionCode::INVALID_LENGTH),
        Some(&picmg::GROUP) if context.machine.shelf.enabled => Ok(()),
        Some(_) => Err(CompletionCode::INVALID_COMMAND),
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Rig;

    #[test]
    fn a_group_that_is_not_there_has_no_commands() {
        let mut rig = Rig::new();
        rig.expect("2c 00 -> c7\n 2c 00 00 -> c1\n 2c 02 dc 01 00 00 -> c1");
        rig.machine.shelf.enabled = true;
        rig.expect("2c 00 -> c7\n 2c 00 00 -> 00 00 22 00 00\n 2c 00 01 -> c1\n 2c 02 dc 01 00 00 -> c1");
    }
}
