//! Global enables, message flags, receive queue and event message buffer.

/// Global enables, message flags, receive queue and event message buffer.
#[derive(Debug, Default)]
pub struct Messaging;
