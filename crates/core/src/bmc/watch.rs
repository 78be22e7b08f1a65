//! What a person or program that watches a system is told.
//!
//! Nobody watches unless [`Watch::begin`] was called, and then nothing is kept. Changes nothing in the devices.

use std::net::SocketAddr;

use super::boot;
use super::chassis::Control;
use crate::ipmi::{ChannelNumber, McAddress, Privilege, UserNumber};

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
    /// A login on a LAN channel succeeded.
    LoggedIn {
        /// The controller.
        mc: McAddress,
        /// Channel number.
        channel: ChannelNumber,
        /// User number, 1 to 63.
        user: UserNumber,
        /// The session's highest privilege.
        limit: Privilege,
        /// Where the client is.
        client: SocketAddr,
    },
    /// A session on a LAN channel ended, however it did.
    LoggedOut {
        /// The controller.
        mc: McAddress,
        /// Channel number.
        channel: ChannelNumber,
    },
    /// A client activated serial over LAN.
    ConsoleOpened {
        /// The controller.
        mc: McAddress,
        /// 1 the port, 2 the history.
        instance: u8,
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
    events: Option<Vec<Event>>,
}

impl Watch {
    /// Somebody watches from now on.
    pub fn begin(&mut self) {
        self.events.get_or_insert_default();
    }

    /// Tells whoever watches, if somebody does.
    pub fn tell(&mut self, event: impl FnOnce() -> Event) {
        if let Some(events) = &mut self.events {
            events.push(event());
        }
    }

    /// What happened since the last call, in order.
    pub fn take(&mut self) -> Vec<Event> {
        self.events.as_mut().map(std::mem::take).unwrap_or_default()
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
