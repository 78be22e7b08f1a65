//! The channels of a controller and their access settings.
//!
//! Owns what each channel is, the privilege limits of LAN channels, and what is known of
//! the host behind channel 15. Knows no socket and no session but by number.

use super::lan_parameters::LanParameters;
use super::security_key::SecurityKey;
use crate::ipmi::{AuthTypes, ChannelNumber, Privilege, capability};

/// Channel medium types, IPMI 2.0 table 6-3.
pub mod medium {
    /// IPMB (I2C).
    pub const IPMB: u8 = 0x01;
    /// 802.3 LAN.
    pub const LAN_802_3: u8 = 0x04;
    /// Asynchronous serial/modem (RS-232).
    pub const RS232: u8 = 0x05;
    /// SMBus v2.0.
    pub const SMBUS_2: u8 = 0x09;
    /// System interface (KCS, SMIC, BT).
    pub const SYSTEM_INTERFACE: u8 = 0x0c;
}

/// Channel protocol types, IPMI 2.0 table 6-2.
pub mod protocol {
    /// IPMB-1.0, also used for IPMI over LAN.
    pub const IPMB: u8 = 0x01;
    /// IPMI over SMBus.
    pub const SMBUS: u8 = 0x04;
    /// KCS.
    pub const KCS: u8 = 0x05;
    /// SMIC.
    pub const SMIC: u8 = 0x06;
    /// BT as of IPMI 1.5.
    pub const BT_1_5: u8 = 0x08;
    /// Terminal mode.
    pub const TERMINAL_MODE: u8 = 0x09;
}

/// The host's side of channel 15.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Whether the channel speaks the VM protocol, so that the host can be controlled.
    pub vm: bool,
    /// Whether a VM host is connected.
    pub connected: bool,
    /// What the host announced, see [`capability`]; kept when it disconnects.
    pub announced: u8,
}

impl Host {
    /// Whether the host can do what `capability` names.
    pub fn can(&self, capability: u8) -> bool {
        let known = if self.vm { self.announced | capability::POWER_OFF } else { 0 };
        known & capability == capability
    }
}

/// What came and went over a LAN channel since its statistics were cleared (IPMI 2.0
/// section 23.4). What the operating system did with IP packets before they became datagrams
/// (errors, fragments) is not seen here, so each datagram counts as one packet. A counter that
/// has reached FFFFh stays there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Datagrams received.
    pub received: u16,
    /// Those of them with a valid RMCP header.
    pub valid_rmcp: u16,
    /// Datagrams sent.
    pub sent: u16,
}

impl Statistics {
    /// A datagram came in.
    pub fn count_received(&mut self) {
        self.received = self.received.saturating_add(1);
    }

    /// It had a valid RMCP header.
    pub fn count_valid_rmcp(&mut self) {
        self.valid_rmcp = self.valid_rmcp.saturating_add(1);
    }

    /// So many datagrams go out.
    pub fn count_sent(&mut self, count: usize) {
        self.sent = self.sent.saturating_add(u16::try_from(count).unwrap_or(u16::MAX));
    }
}

/// What a LAN channel has beyond its number.
#[derive(Debug)]
pub struct Lan {
    /// Privilege limit in force, Set Channel Access "volatile".
    pub volatile_limit: Privilege,
    /// Privilege limit of the next start, Set Channel Access "non-volatile".
    pub nonvolatile_limit: Privilege,
    /// The PEF alerting bit in force: `PEF_alerting`, then Set Channel Access "volatile".
    pub pef_alerting: bool,
    /// That bit of the next start, Set Channel Access "non-volatile".
    pub nonvolatile_pef_alerting: bool,
    /// Authentication types in force: callback, user, operator, administrator.
    pub allowed_auths: [AuthTypes; 4],
    /// `allowed_auths_*`, of which those in force are a part.
    pub offered_auths: [AuthTypes; 4],
    /// K_G.
    pub key: SecurityKey,
    /// System GUID, in the order of the configuration.
    pub guid: Option<[u8; 16]>,
    /// Number of established sessions, kept current by the simulator.
    pub active_sessions: u8,
    /// What came and went over it.
    pub statistics: Statistics,
    /// LAN configuration parameters.
    pub parameters: LanParameters,
}

impl Lan {
    /// A channel with both limits at `limit` and no session.
    pub fn new(limit: Privilege, allowed_auths: [AuthTypes; 4], parameters: LanParameters) -> Self {
        Self {
            volatile_limit: limit,
            nonvolatile_limit: limit,
            pef_alerting: false,
            nonvolatile_pef_alerting: false,
            allowed_auths,
            offered_auths: allowed_auths,
            key: SecurityKey::default(),
            guid: None,
            active_sessions: 0,
            statistics: Statistics::default(),
            parameters,
        }
    }

    /// Allows these authentication types, as far as lan.conf offers them: what it does not
    /// offer, cannot be opened over the network.
    pub fn restrict_auths(&mut self, auths: [AuthTypes; 4]) {
        for ((allowed, offered), wanted) in self.allowed_auths.iter_mut().zip(self.offered_auths).zip(auths) {
            *allowed = AuthTypes(wanted.0 & offered.0);
        }
    }
}

/// What kind of channel it is.
#[derive(Debug)]
pub enum Kind {
    /// The IPMB between the controllers, channel 0.
    Ipmb,
    /// An `ipmb ... ipmb_dev_int` device: nothing can be sent to it.
    IpmbDevice,
    /// A LAN channel.
    Lan(Box<Lan>),
    /// Channel 15: a serial line, or the one invented for the BMC.
    Host(Host),
    /// A serial line on another channel.
    Serial,
}

/// How a serial line frames messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The VM protocol, in which the host and the BMC tell each other more than messages.
    Vm,
    /// Another one.
    Other,
}

/// One channel.
#[derive(Debug)]
pub struct Channel {
    /// Medium type, see [`medium`].
    pub medium: u8,
    /// Protocol type, see [`protocol`].
    pub protocol: u8,
    /// What kind it is, with its own state.
    pub kind: Kind,
}

impl Channel {
    /// The IPMB.
    pub fn ipmb() -> Self {
        Self { medium: medium::IPMB, protocol: protocol::IPMB, kind: Kind::Ipmb }
    }

    /// An IPMB device.
    pub fn ipmb_device() -> Self {
        Self { medium: medium::IPMB, protocol: protocol::IPMB, kind: Kind::IpmbDevice }
    }

    /// A LAN channel.
    pub fn lan(lan: Lan) -> Self {
        Self { medium: medium::LAN_802_3, protocol: protocol::IPMB, kind: Kind::Lan(Box::new(lan)) }
    }

    /// The system interface invented for a BMC without a `serial` line on channel 15.
    pub fn system_interface() -> Self {
        Self { medium: medium::SYSTEM_INTERFACE, protocol: protocol::KCS, kind: Kind::Host(Host::default()) }
    }

    /// A serial line; see `serial.md` section 1 for medium and protocol. `number` 15 makes it the host's channel.
    pub fn serial(number: ChannelNumber, medium: u8, protocol: u8, framing: Framing) -> Self {
        let kind = if number == ChannelNumber::SYSTEM_INTERFACE {
            Kind::Host(Host { vm: framing == Framing::Vm, ..Host::default() })
        } else {
            Kind::Serial
        };
        Self { medium, protocol, kind }
    }

    /// The byte "session support, active sessions" of Get Channel Info: bits 7-6 are 00
    /// session-less or 10 multi-session, bits 5-0 the number of active sessions.
    pub fn sessions(&self) -> u8 {
        match &self.kind {
            Kind::Lan(lan) => 0x80 | lan.active_sessions.min(0x3f),
            _ => 0,
        }
    }
}

/// The channels of a controller, by number 0 to 15.
#[derive(Debug)]
pub struct Channels {
    list: [Option<Channel>; 16],
}

impl Default for Channels {
    /// Only the IPMB, channel 0.
    fn default() -> Self {
        let mut list = [const { None }; 16];
        list[0] = Some(Channel::ipmb());
        Self { list }
    }
}

impl Channels {
    /// The channel with this number.
    pub fn get(&self, number: ChannelNumber) -> Option<&Channel> {
        self.list.get(usize::from(number.get()))?.as_ref()
    }

    /// The channel with this number, to be changed.
    pub fn get_mut(&mut self, number: ChannelNumber) -> Option<&mut Channel> {
        self.list.get_mut(usize::from(number.get()))?.as_mut()
    }

    /// Puts a channel in place of whatever had its number.
    pub fn set(&mut self, number: ChannelNumber, channel: Channel) {
        if let Some(slot) = self.list.get_mut(usize::from(number.get())) {
            *slot = Some(channel);
        }
    }

    /// All channels with their numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (ChannelNumber, &Channel)> {
        let numbers = (0..).map_while(ChannelNumber::new);
        numbers.zip(&self.list).filter_map(|(number, channel)| Some((number, channel.as_ref()?)))
    }

    /// The LAN channel with this number.
    pub fn lan(&self, number: ChannelNumber) -> Option<&Lan> {
        match &self.get(number)?.kind {
            Kind::Lan(lan) => Some(lan),
            _ => None,
        }
    }

    /// The LAN channel with this number, to be changed.
    pub fn lan_mut(&mut self, number: ChannelNumber) -> Option<&mut Lan> {
        match &mut self.get_mut(number)?.kind {
            Kind::Lan(lan) => Some(lan),
            _ => None,
        }
    }

    /// All LAN channels with their numbers, ascending.
    pub fn lans(&self) -> impl Iterator<Item = (ChannelNumber, &Lan)> {
        self.iter().filter_map(|(number, channel)| match &channel.kind {
            Kind::Lan(lan) => Some((number, lan.as_ref())),
            _ => None,
        })
    }

    /// The host's side of channel 15.
    pub fn host(&self) -> Option<&Host> {
        match &self.get(ChannelNumber::SYSTEM_INTERFACE)?.kind {
            Kind::Host(host) => Some(host),
            _ => None,
        }
    }

    /// The host's side of channel 15, to be changed.
    pub fn host_mut(&mut self) -> Option<&mut Host> {
        match &mut self.get_mut(ChannelNumber::SYSTEM_INTERFACE)?.kind {
            Kind::Host(host) => Some(host),
            _ => None,
        }
    }

    /// The host, when channel 15 speaks the VM protocol.
    pub fn vm_host(&self) -> Option<&Host> {
        self.host().filter(|host| host.vm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_controller_has_the_ipmb_only() {
        let channels = Channels::default();
        assert_eq!(channels.iter().map(|(number, _)| number).collect::<Vec<_>>(), [ChannelNumber::PRIMARY_IPMB]);
    }

    #[test]
    fn a_vm_host_can_always_switch_off_and_others_can_do_nothing() {
        let vm = Host { vm: true, ..Host::default() };
        assert!(vm.can(capability::POWER_OFF));
        assert!(!vm.can(capability::RESET));
        let other = Host { announced: 0xff, ..Host::default() };
        assert!(!other.can(capability::POWER_OFF));
    }
}
