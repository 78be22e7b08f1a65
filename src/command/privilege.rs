//! Which privilege level a command needs over a session (`lan-protocol.md` section 9).

use crate::ipmi::Privilege;

/// What a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    /// Any established session, callback included.
    Any,
    /// At least this level.
    Level(Privilege),
    /// Never over a session: system interface only.
    SystemInterface,
}

/// What (netfn, cmd) needs; odd network functions count as their request value.
pub fn required(netfn: u8, cmd: u8) -> Required {
    let _ = (netfn, cmd);
    Required::Level(Privilege::Administrator)
}

/// Whether a session at `level` may send (netfn, cmd). Send Message (06 34) is permitted
/// from user on; the simulator checks the embedded request with this same function.
pub fn permitted(netfn: u8, cmd: u8, level: Privilege) -> bool {
    match required(netfn, cmd) {
        Required::Any => true,
        Required::Level(needed) => level >= needed,
        Required::SystemInterface => false,
    }
}
