//! What a person or program that watches a system is told.
//!
//! Nobody watches unless [`Watch::begin`] was called, and then nothing is kept. Changes nothing in the devices.

use std::net::SocketAddr;

use super::chassis::{Control, PowerState};
use super::{Machine, boot, chassis};
use crate::ipmi::{ChannelNumber, LoginFailure, McAddress, Privilege, UserNumber};

/// Something that happened in a system. `mc` is the IPMB address of the controller that it happened to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A client, or whoever embeds the system, asked for a change of the power (IPMI 2.0 section 28.3). A helper
    /// program that does it has not begun.
    PowerAsked {
        /// The controller.
        mc: McAddress,
        /// What is asked for.
        control: Control,
    },
    /// The power of the machine is known to be another one than before.
    PowerDone {
        /// The controller.
        mc: McAddress,
        /// On; else off.
        on: bool,
    },
    /// The machine was reset, as a Chassis Control or the watchdog asks for it, or got a diagnostic interrupt, or a power
    /// cycle has switched it on again.
    Reset {
        /// The controller.
        mc: McAddress,
        /// Which of these.
        control: Control,
    },
    /// The watchdog timer ran out (IPMI 2.0 section 27); what it does about the power follows.
    WatchdogExpired {
        /// The controller.
        mc: McAddress,
    },
    /// The boot flags were set (IPMI 2.0 table 28-14).
    BootDeviceSet {
        /// The controller.
        mc: McAddress,
        /// From what the machine is to boot.
        device: boot::Device,
        /// For how many boots.
        boots: boot::Boots,
    },
    /// A record was added to the system event log.
    RecordAdded {
        /// The controller.
        mc: McAddress,
        /// Its record id.
        id: u16,
    },
    /// An alert was sent to a destination (IPMI 2.0 section 17.14): told once for each, when its acknowledgement came
    /// or is not waited for any longer, or at the first trap where none is asked for.
    AlertSent {
        /// The controller.
        mc: McAddress,
        /// Channel number.
        channel: ChannelNumber,
        /// Where it was sent to.
        destination: SocketAddr,
        /// Whether it was acknowledged; `None` where that is not asked for.
        acknowledged: Option<bool>,
    },
    /// A login on a LAN channel succeeded.
    LoggedIn {
        /// The controller.
        mc: McAddress,
        /// Channel number.
        channel: ChannelNumber,
        /// User number, 1 to 63.
        user: UserNumber,
        /// The user's name; empty for the anonymous user.
        user_name: String,
        /// The session's highest privilege.
        limit: Privilege,
        /// Where the client is.
        client: SocketAddr,
    },
    /// A login on a LAN channel failed. Where it got no further than a first message, the address may be forged.
    LoginFailed {
        /// The controller.
        mc: McAddress,
        /// Channel number.
        channel: ChannelNumber,
        /// Where it came from.
        client: SocketAddr,
        /// Why.
        reason: LoginFailure,
    },
    /// A session on a LAN channel ended, however it did.
    LoggedOut {
        /// The controller.
        mc: McAddress,
        /// Channel number.
        channel: ChannelNumber,
    },
    /// A client, whoever is around the system, or a configuration that was read again changed a user, and that is kept.
    UserChanged {
        /// The controller.
        mc: McAddress,
        /// User number, 1 to 63.
        user: UserNumber,
    },
    /// A client activated serial over LAN.
    ConsoleOpened {
        /// The controller.
        mc: McAddress,
        /// 1 the port, 2 the history.
        instance: u8,
    },
    /// A fault on purpose is in force.
    FaultSet {
        /// The controller that it is for; the BMC, when it is for all.
        mc: McAddress,
        /// Its number.
        number: u32,
        /// What it is, as it is written behind `fault`.
        fault: String,
    },
    /// A fault on purpose has ended.
    FaultEnded {
        /// The controller that it was for; the BMC, when it was for all.
        mc: McAddress,
        /// Its number.
        number: u32,
        /// What it was, as it is written behind `fault`.
        fault: String,
    },
    /// Serial over LAN was deactivated, or its session ended.
    ConsoleClosed {
        /// The controller.
        mc: McAddress,
        /// 1 the port, 2 the history.
        instance: u8,
    },
}

/// What happened since it was looked at last, while somebody watches.
#[derive(Debug, Default)]
pub struct Watch {
    kept: Option<Box<Kept>>,
}

/// What is kept for whoever watches.
#[derive(Debug, Default)]
struct Kept {
    events: Vec<Event>,
    /// The power of each controller's machine as it was told last.
    powers: Vec<(McAddress, PowerState)>,
}

impl Watch {
    /// Somebody watches from now on.
    pub fn begin(&mut self) {
        self.kept.get_or_insert_default();
    }

    /// Whether somebody watches.
    pub fn is_on(&self) -> bool {
        self.kept.is_some()
    }

    /// Tells whoever watches, if somebody does.
    pub fn tell(&mut self, event: impl FnOnce() -> Event) {
        if let Some(kept) = &mut self.kept {
            kept.events.push(event());
        }
    }

    /// The power of a controller's machine is known to be so now: told when it was known to be otherwise.
    fn power_is(&mut self, mc: McAddress, power: PowerState) {
        let Some(kept) = &mut self.kept else { return };
        match kept.powers.iter_mut().find(|(of, _)| *of == mc) {
            Some((_, before)) if *before == power => {}
            Some((_, before)) => {
                *before = power;
                if power != PowerState::Unknown {
                    kept.events.push(Event::PowerDone { mc, on: power == PowerState::On });
                }
            }
            None => kept.powers.push((mc, power)),
        }
    }

    /// What happened since the last call, in order.
    pub fn take(&mut self) -> Vec<Event> {
        self.kept.as_mut().map(|kept| std::mem::take(&mut kept.events)).unwrap_or_default()
    }
}

/// Tells whoever watches of what has become of the power of each controller's machine, by whatever way: a request, a
/// statement, what a helper program said, a virtual machine that came or went.
pub fn tell_power(machine: &mut Machine) {
    if !machine.watch.is_on() {
        return;
    }
    let Machine { controllers, watch, .. } = machine;
    for controller in controllers {
        watch.power_is(controller.address, chassis::power_state(controller));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_while_nobody_watches() {
        let mut watch = Watch::default();
        let event = || Event::RecordAdded { mc: McAddress(0x20), id: 1 };
        watch.tell(|| panic!("nobody asked"));
        assert_eq!(watch.take(), []);
        watch.begin();
        watch.tell(event);
        assert_eq!(watch.take(), [event()]);
        assert_eq!(watch.take(), []);
    }
}
