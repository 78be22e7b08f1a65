//! Serial-over-LAN parameters and activations.
//!
//! Owns what Get and Set SOL Configuration Parameters speak of, and which session holds
//! which instance (`sol.md` sections 2 and 3). The bytes on their way are the SOL
//! engine's.

use super::unsaved::Unchanged;
use super::{Action, At, StateFile};
use crate::ipmi::{ChannelNumber, Privilege, SessionId};

/// Instance 1: the port.
pub const INSTANCE_PORT: u8 = 1;
/// Instance 2: the history.
pub const INSTANCE_HISTORY: u8 = 2;

/// Bits per second of a bit-rate code, IPMI 2.0 table 26-5: 6 to 10.
pub fn bits_per_second(code: u8) -> Option<u32> {
    match code {
        6 => Some(9600),
        7 => Some(19200),
        8 => Some(38400),
        9 => Some(57600),
        10 => Some(115_200),
        _ => None,
    }
}

/// Privilege level OEM, on the wire.
const OEM: u8 = 5;

/// Who may activate SOL, and in what session: parameter 2. Kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Only in a session whose packets are encrypted.
    pub force_encryption: bool,
    /// Only in a session whose packets carry an integrity code.
    pub force_authentication: bool,
    /// Privilege level a session needs, user at least; `None` is OEM, which nobody has.
    pub privilege: Option<Privilege>,
}

impl Access {
    /// The byte on the wire: bit 7 encryption, bit 6 authentication, bits 3-0 privilege level.
    pub const fn wire(self) -> u8 {
        let privilege = match self.privilege {
            Some(level) => level.wire(),
            None => OEM,
        };
        (self.force_encryption as u8) << 7 | (self.force_authentication as u8) << 6 | privilege
    }

    /// From the byte on the wire; `None` for a level that SOL does not have.
    pub const fn from_wire(byte: u8) -> Option<Self> {
        let privilege = match (byte & 0x0f, Privilege::from_wire(byte & 0x0f)) {
            (_, Some(Privilege::Callback)) => return None,
            (_, Some(level)) => Some(level),
            (OEM, None) => None,
            _ => return None,
        };
        Some(Self { force_encryption: byte & 0x80 != 0, force_authentication: byte & 0x40 != 0, privilege })
    }

    /// Whether a session at this level may activate.
    pub fn admits(self, privilege: Privilege) -> bool {
        self.privilege.is_some_and(|needed| privilege >= needed)
    }
}

impl Default for Access {
    /// Every user; what the session has is enough.
    fn default() -> Self {
        Self { force_encryption: false, force_authentication: false, privilege: Some(Privilege::User) }
    }
}

/// When characters are sent, and sent again: parameters 3 and 4 as on the wire. Kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Accumulate interval in steps of 5 ms; 0 sends at once.
    pub accumulate: u8,
    /// Send threshold: so many characters are sent at once.
    pub threshold: u8,
    /// How often a packet is sent again, 0 to 7.
    pub retries: u8,
    /// Retry interval in steps of 10 ms; 0 is back to back.
    pub retry_interval: u8,
}

impl Default for Pace {
    /// What the original does: the first character is sent at once, six sends one second apart.
    fn default() -> Self {
        Self { accumulate: 1, threshold: 1, retries: 5, retry_interval: 100 }
    }
}

/// Serial-over-LAN parameters and activations.
#[derive(Debug)]
pub struct Sol {
    /// Parameter 1: SOL may be activated. Kept.
    pub enabled: bool,
    /// Parameter 2.
    pub access: Access,
    /// Parameters 3 and 4.
    pub pace: Pace,
    /// Parameter 5: non-volatile bit rate code; 0 is the rate of the configuration. Kept.
    pub nonvolatile_rate: u8,
    /// Parameter 6: volatile bit rate code.
    pub volatile_rate: u8,
    /// Parameter 0: a set is in progress.
    pub set_in_progress: bool,
    /// Parameters 7 and 8 for whoever does not ask over a LAN channel: number and UDP port of the
    /// first LAN channel that is open.
    pub lan: Option<(ChannelNumber, u16)>,
    /// Bytes of history kept; 0 is none, and then there is no instance 2.
    pub history: usize,
    /// Who reads the history empties it (`readclear`).
    pub read_clear: bool,
    /// How much history is sent, in KiB; 0 is all (OEM command).
    pub history_return: u8,
    owners: [Option<SessionId>; 2],
}

impl Sol {
    /// SOL of a controller whose port keeps `history` bytes.
    pub fn new(history: usize) -> Self {
        Self {
            enabled: true,
            access: Access::default(),
            pace: Pace::default(),
            lan: None,
            nonvolatile_rate: 0,
            volatile_rate: 0,
            set_in_progress: false,
            history,
            read_clear: false,
            history_return: 0,
            owners: [None; 2],
        }
    }

    /// The session that holds an instance.
    pub fn owner(&self, instance: u8) -> Option<SessionId> {
        *self.owners.get(usize::from(instance.checked_sub(1)?))?
    }

    /// Whether there is such an instance.
    fn has_instance(&self, instance: u8) -> bool {
        instance == INSTANCE_PORT || instance == INSTANCE_HISTORY && self.history > 0
    }

    /// Takes the OEM "history return size": what is not smaller than the history is all.
    pub fn set_history_return(&mut self, kib: u8) {
        let limited = usize::from(kib) * 1024 < self.history;
        self.history_return = if limited { kib } else { 0 };
    }
}

/// Why an instance cannot be activated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivationError {
    /// There is no such instance.
    NoInstance,
    /// Parameter 1 is off.
    Disabled,
    /// A session holds it already.
    Active,
    /// The session carries the SOL of another controller.
    SessionBusy,
}

/// A session activates an instance.
pub fn activate(at: &mut At<'_>, instance: u8, session: SessionId, auxiliary: u8) -> Result<(), ActivationError> {
    let mc = at.address;
    let elsewhere = at
        .machine()
        .controllers()
        .filter(|controller| controller.address != mc)
        .filter_map(|controller| controller.sol.as_ref())
        .any(|sol| sol.owners.contains(&Some(session)));
    let sol = at.sol.as_mut().ok_or(ActivationError::NoInstance)?;
    if !sol.enabled {
        return Err(ActivationError::Disabled);
    }
    if !sol.has_instance(instance) {
        return Err(ActivationError::NoInstance);
    }
    let index = usize::from(instance - 1);
    if sol.owners[index].is_some() {
        return Err(ActivationError::Active);
    }
    if elsewhere {
        return Err(ActivationError::SessionBusy);
    }
    sol.owners[index] = Some(session);
    at.push(Action::SolActivated { mc, instance, session, auxiliary });
    Ok(())
}

/// The instance was not active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotActive;

/// Frees an instance, whoever holds it; `by` is the session that asks.
pub fn deactivate(at: &mut At<'_>, instance: u8, by: Option<SessionId>) -> Result<(), NotActive> {
    let owner = at
        .sol
        .as_mut()
        .and_then(|sol| sol.owners.get_mut(usize::from(instance.checked_sub(1)?)))
        .and_then(Option::take);
    if owner.is_none() {
        return Err(NotActive);
    }
    at.push(Action::SolDeactivated { mc: at.address, instance, by });
    Ok(())
}

/// A session ended: it frees what it held of this controller.
pub fn session_closed(at: &mut At<'_>, session: SessionId) {
    for instance in [INSTANCE_PORT, INSTANCE_HISTORY] {
        if at.sol.as_ref().is_some_and(|sol| sol.owner(instance) == Some(session)) {
            // It was found active a line ago.
            let _ = deactivate(at, instance, Some(session));
        }
    }
}

fn change(at: &mut At<'_>, change: impl FnOnce(&mut Sol)) -> Result<(), Unchanged> {
    at.change(StateFile::Sol, |controller| controller.sol.as_mut().map(change).ok_or(Unchanged))
}

/// Parameter 1: SOL can be activated.
pub fn enable(at: &mut At<'_>) {
    let _ = change(at, |sol| sol.enabled = true);
}

/// Parameter 1: SOL cannot be activated; what runs goes on.
pub fn disable(at: &mut At<'_>) {
    let _ = change(at, |sol| sol.enabled = false);
}

/// Parameter 2; it holds for who activates from now on.
pub fn set_access(at: &mut At<'_>, access: Access) {
    let _ = change(at, |sol| sol.access = access);
}

/// Parameters 3 and 4; they hold from the next packet on.
pub fn set_pace(at: &mut At<'_>, set: impl FnOnce(&mut Pace)) {
    if at.sol.is_some() {
        at.push(Action::SolTiming { mc: at.address });
    }
    let _ = change(at, |sol| set(&mut sol.pace));
}

/// Parameter 5; the port keeps its speed.
pub fn set_nonvolatile_rate(at: &mut At<'_>, code: u8) {
    let _ = change(at, |sol| sol.nonvolatile_rate = code);
}

/// Parameter 6; the port changes its speed at once.
pub fn set_volatile_rate(at: &mut At<'_>, code: u8) {
    if let Some(sol) = &mut at.sol {
        sol.volatile_rate = code;
        if let Some(bits_per_second) = bits_per_second(code) {
            at.push(Action::SolBitRate { mc: at.address, bits_per_second });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Machine;
    use super::*;
    use crate::ipmi::McAddress;

    fn machine(history: usize) -> Machine {
        let mut machine = Machine::default();
        machine.ensure(McAddress::BMC).sol = Some(Sol::new(history));
        machine
    }

    #[test]
    fn one_owner_per_instance_until_its_session_ends() {
        let mut machine = machine(100);
        activate(&mut machine.found(McAddress::BMC), 1, SessionId(77), 0).expect("free");
        assert_eq!(activate(&mut machine.found(McAddress::BMC), 1, SessionId(77), 0), Err(ActivationError::Active));
        activate(&mut machine.found(McAddress::BMC), 2, SessionId(77), 0).expect("free");
        machine.actions.clear();
        session_closed(&mut machine.found(McAddress::BMC), SessionId(78));
        assert!(machine.actions.is_empty());
        session_closed(&mut machine.found(McAddress::BMC), SessionId(77));
        let freed =
            [1, 2].map(|instance| Action::SolDeactivated { mc: McAddress::BMC, instance, by: Some(SessionId(77)) });
        assert_eq!(machine.actions, freed);
        activate(&mut machine.found(McAddress::BMC), 1, SessionId(78), 0).expect("free again");
    }

    #[test]
    fn a_session_carries_one_controllers_sol() {
        let mut machine = machine(0);
        machine.ensure(McAddress(0x30)).sol = Some(Sol::new(0));
        activate(&mut machine.found(McAddress(0x30)), 1, SessionId(77), 0).expect("free");
        assert_eq!(
            activate(&mut machine.found(McAddress::BMC), 1, SessionId(77), 0),
            Err(ActivationError::SessionBusy)
        );
    }

    #[test]
    fn there_is_no_history_without_history() {
        let mut machine = machine(0);
        assert_eq!(activate(&mut machine.found(McAddress::BMC), 2, SessionId(77), 0), Err(ActivationError::NoInstance));
        assert_eq!(deactivate(&mut machine.found(McAddress::BMC), 2, None), Err(NotActive));
        assert_eq!(deactivate(&mut machine.found(McAddress::BMC), 0, None), Err(NotActive));
    }

    #[test]
    fn a_return_size_that_limits_nothing_is_all() {
        let mut sol = Sol::new(4096);
        sol.set_history_return(3);
        assert_eq!(sol.history_return, 3);
        sol.set_history_return(4);
        assert_eq!(sol.history_return, 0);
    }

    #[test]
    fn sol_has_levels_from_user_to_oem() {
        for byte in 0..=u8::MAX {
            let known = (2..=5).contains(&(byte & 0x0f));
            assert_eq!(Access::from_wire(byte).map(Access::wire), known.then_some(byte & 0xcf), "{byte:#04x}");
        }
        let oem = Access::from_wire(5).expect("a level");
        assert!(!oem.admits(Privilege::Administrator));
    }
}
