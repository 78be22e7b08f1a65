//! Global enables, message flags, receive queue and event message buffer.

use super::Machine;

/// Global enables, message flags, receive queue and event message buffer.
#[derive(Debug, Default)]
pub struct Messaging;

impl Messaging {
    /// Whether events may be logged (global enables bit 3).
    pub fn event_logging(&self) -> bool {
        true
    }
}

/// Puts an event into the event message buffer of `mc`, if it is on and empty.
pub fn store_event(machine: &mut Machine, mc: u8, event: &[u8; 16]) {
    let _ = (machine, mc, event);
}
