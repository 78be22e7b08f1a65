//! The users of a controller.

/// The users of a controller.
#[derive(Debug, Default)]
pub struct Users;
