//! A system as a whole: an overview that costs little, and the full view.
//!
//! Changes nothing, asks nobody, runs no program, and shows no secret.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::super::Simulator;
use super::super::lan_channels::LanSlot;
use super::text_of;
use crate::bmc::boot::{Boots, Device};
use crate::bmc::chassis::{self, PowerState};
use crate::bmc::sensor::{Sensor, THRESHOLD_CODE};
use crate::bmc::{Controller, sol_parameters};
use crate::ipmi::{ChannelNumber, McAddress, Moment, Privilege, SessionId, UserNumber};
use crate::lan::SessionInfo;
use crate::settings::model::{Address, Port};

/// A system in short. It is made without allocation: a listing has ten thousand of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overview {
    /// Power of the BMC's machine.
    pub power: PowerState,
    /// Sessions on all LAN channels.
    pub sessions: usize,
    /// Sensors of all controllers of which a threshold is crossed.
    pub alarms: usize,
    /// Records in the event log of the BMC.
    pub log_records: usize,
    /// Faults on purpose that are in force.
    pub faults: usize,
}

/// A system in full, without what has functions of its own: sensors, logs, records, inventory, users.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The same in short.
    pub overview: Overview,
    /// The boot device of the BMC's machine and for how many boots; `None` when none is set, or its time is over.
    pub boot: Option<(Device, Boots)>,
    /// All controllers, by address.
    pub controllers: Vec<ControllerView>,
    /// The LAN channels, by controller and number.
    pub lans: Vec<LanView>,
    /// Who is logged in, by controller, channel and handle.
    pub sessions: Vec<SessionView>,
}

/// A controller.
#[derive(Clone, Debug, PartialEq)]
pub struct ControllerView {
    /// IPMB address.
    pub mc: McAddress,
    /// Whether it is the BMC.
    pub is_bmc: bool,
    /// Whether `mc_add` described it.
    pub added: bool,
    /// Whether it responds (`mc_enable`).
    pub enabled: bool,
    /// Device id.
    pub device_id: u8,
    /// Major firmware revision, 0 to 127.
    pub firmware_major: u8,
    /// Minor firmware revision, two BCD digits.
    pub firmware_minor: u8,
    /// IPMI version: major, minor.
    pub ipmi_version: (u8, u8),
    /// IANA enterprise number, 20 bits.
    pub manufacturer: u32,
    /// Product id.
    pub product: u16,
    /// GUID, in the byte order of Get Device GUID.
    pub guid: Option<[u8; 16]>,
    /// Power of its machine.
    pub power: PowerState,
    /// How many sensors it has.
    pub sensors: usize,
    /// Its event log, if it has one.
    pub log: Option<LogUse>,
    /// Its FRU inventory devices.
    pub fru_devices: Vec<u8>,
    /// Its watchdog timer; the BMC has one.
    pub watchdog: Option<WatchdogView>,
}

/// How full an event log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogUse {
    /// Records that it has.
    pub used: usize,
    /// Records that it has room for.
    pub room: u32,
}

/// A watchdog timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchdogView {
    /// How much time is left, while it runs.
    pub remaining: Option<Duration>,
}

/// A LAN channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanView {
    /// IPMB address of its controller.
    pub mc: McAddress,
    /// Channel number.
    pub channel: ChannelNumber,
    /// Where it is: as lan.conf has it, with the port that it got once it is open.
    pub address: Option<LanAddress>,
    /// Whether its socket was asked for.
    pub open: bool,
    /// Sessions on it.
    pub sessions: usize,
}

/// Where a LAN channel is. Shown as `127.0.0.1:623` or `[::1]:623`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanAddress {
    /// Address or name.
    pub host: String,
    /// Port.
    pub port: Port,
}

impl fmt::Display for LanAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:", self.host)?,
            false => write!(f, "{}:", self.host)?,
        }
        match &self.port {
            Port::Number(number) => write!(f, "{number}"),
            Port::Service(name) => f.write_str(name),
        }
    }
}

/// Version of a session's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpmiVersion {
    /// IPMI 1.5.
    V1_5,
    /// RMCP+.
    V2_0,
}

impl IpmiVersion {
    /// `1.5` or `2.0`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1_5 => "1.5",
            Self::V2_0 => "2.0",
        }
    }
}

/// What serial over LAN a session holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SolHeld {
    /// None.
    Nothing,
    /// The port.
    Port,
    /// The history.
    History,
}

/// Somebody who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// IPMB address of the controller.
    pub mc: McAddress,
    /// LAN channel.
    pub channel: ChannelNumber,
    /// Session handle, 1 to 255; 0 when there were none left.
    pub handle: u8,
    /// User number.
    pub user: UserNumber,
    /// The user's name; empty for the anonymous user.
    pub user_name: String,
    /// The level that the session has now.
    pub privilege: Privilege,
    /// Where the client is.
    pub client: SocketAddr,
    /// Version of its protocol.
    pub ipmi_version: IpmiVersion,
    /// How long it has said nothing.
    pub idle: Duration,
    /// What serial over LAN it holds.
    pub sol: SolHeld,
}

impl Simulator {
    /// The system in short.
    pub fn overview(&self) -> Overview {
        let alarm = |sensor: &Sensor| {
            sensor.enabled && sensor.event_reading_code == THRESHOLD_CODE && sensor.status & 0x3f != 0
        };
        let alarms = |controller: &Controller| controller.sensors.iter().filter(|(_, sensor)| alarm(sensor)).count();
        Overview {
            power: self.power_state(),
            sessions: self.lans.iter().map(|slot| slot.channel().active_sessions()).sum(),
            alarms: self.machine.controllers().map(alarms).sum(),
            log_records: self.bmc().map_or(0, |bmc| bmc.sel.records().len()),
            faults: self.fault_count(),
        }
    }

    /// The system in full.
    pub fn view(&self, now: Moment) -> View {
        let of = |controller: &Controller| self.controller_view(now, controller);
        let controllers: Vec<ControllerView> = self.machine.controllers().map(of).collect();
        let mut lans: Vec<LanView> = self.lan_views().collect();
        lans.sort_by_key(|lan| (lan.mc, lan.channel));
        let sessions = controllers.iter().flat_map(|controller| self.session_views(now, controller.mc)).collect();
        View { overview: self.overview(), boot: self.boot_device(), controllers, lans, sessions }
    }

    /// A controller of the system.
    pub(in crate::sim) fn controller_view(&self, now: Moment, controller: &Controller) -> ControllerView {
        let (device, log) = (&controller.device, &controller.sel);
        let (used, room) = (log.records().len(), log.max_records());
        let [_, _, _, _, version, ..] = device.bytes();
        ControllerView {
            mc: controller.address,
            is_bmc: self.machine.bmc == Some(controller.address),
            added: controller.added,
            enabled: controller.enabled,
            device_id: device.id,
            firmware_major: device.major & 0x7f,
            firmware_minor: device.minor,
            ipmi_version: (version & 0x0f, version >> 4),
            manufacturer: device.manufacturer,
            product: device.product,
            guid: controller.device_guid(),
            power: chassis::power_state(controller),
            sensors: controller.sensors.iter().count(),
            log: (used > 0 || room > 0).then_some(LogUse { used, room }),
            fru_devices: controller.frus.iter().map(|(number, _)| number).collect(),
            watchdog: controller.watchdog.as_ref().map(|watchdog| WatchdogView { remaining: watchdog.remaining(now) }),
        }
    }

    /// The LAN channels, in no order.
    pub fn lan_views(&self) -> impl Iterator<Item = LanView> {
        self.lans.iter().map(lan_view)
    }

    /// The LAN channels of a controller, by number.
    pub(in crate::sim) fn lan_views_of(&self, mc: McAddress) -> Vec<LanView> {
        let mut lans: Vec<LanView> = self.lans.of(mc).map(lan_view).collect();
        lans.sort_by_key(|lan| lan.channel);
        lans
    }

    /// Who is logged in to the LAN channels of a controller, by channel and handle.
    pub(in crate::sim) fn session_views(&self, now: Moment, mc: McAddress) -> Vec<SessionView> {
        let of = |slot: &LanSlot| {
            let channel = slot.id().channel;
            let mut sessions: Vec<_> = slot.channel().sessions().map(|session| (channel, session)).collect();
            sessions.sort_by_key(|(_, session)| (session.handle, session.id));
            sessions
        };
        let mut sessions: Vec<(ChannelNumber, SessionInfo)> = self.lans.of(mc).flat_map(of).collect();
        sessions.sort_by_key(|(channel, _)| *channel);
        sessions.into_iter().map(|(channel, session)| self.session_view(now, mc, channel, &session)).collect()
    }

    fn session_view(&self, now: Moment, mc: McAddress, channel: ChannelNumber, session: &SessionInfo) -> SessionView {
        SessionView {
            mc,
            channel,
            handle: session.handle,
            user: session.user,
            user_name: self.user_name(mc, session.user),
            privilege: session.privilege,
            client: session.peer.address,
            ipmi_version: if session.rmcp_plus { IpmiVersion::V2_0 } else { IpmiVersion::V1_5 },
            idle: now.since(session.last_used),
            sol: self.sol_held(session.id),
        }
    }

    /// Name of a user of a controller; empty when there is none.
    pub(in crate::sim) fn user_name(&self, mc: McAddress, user: UserNumber) -> String {
        let user = self.machine.controller(mc).and_then(|controller| controller.users.get(user));
        user.map(|user| text_of(&user.name)).unwrap_or_default()
    }

    /// What serial over LAN a session holds.
    fn sol_held(&self, session: SessionId) -> SolHeld {
        let holds = |instance| {
            let mut sols = self.machine.controllers().filter_map(|controller| controller.sol.as_ref());
            sols.any(|sol| sol.owner(instance) == Some(session))
        };
        match (holds(sol_parameters::INSTANCE_PORT), holds(sol_parameters::INSTANCE_HISTORY)) {
            (true, _) => SolHeld::Port,
            (false, true) => SolHeld::History,
            (false, false) => SolHeld::Nothing,
        }
    }
}

fn lan_view(slot: &LanSlot) -> LanView {
    let at = |Address { host, port, .. }: &Address| LanAddress {
        host: host.clone(),
        port: if slot.is_open() { Port::Number(slot.channel().settings().udp_port) } else { port.clone() },
    };
    LanView {
        mc: slot.id().mc,
        channel: slot.id().channel,
        address: slot.config().address.as_ref().map(at),
        open: slot.is_open(),
        sessions: slot.channel().active_sessions(),
    }
}
