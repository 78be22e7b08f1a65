//! The devices of a simulated system, as pure state: management controllers with their
//! sensors, repositories, logs, users and chassis.
//!
//! A device changes when it is told to and says in [`Action`]s what should happen
//! outside. It knows no bytes of a transport, no file, no clock.

pub mod action;
mod at;
pub mod boot;
pub mod channel;
pub mod chassis;
mod clock;
pub mod dcmi;
pub mod device_id;
mod error;
pub mod event;
pub mod external;
pub mod fill;
pub mod fru;
pub mod history;
pub mod hot_swap;
mod id_string;
pub mod ipv6_parameters;
pub mod lan_parameters;
pub mod lan_settings;
pub mod messaging;
pub mod oem;
pub mod pef;
pub mod picmg;
mod pool;
pub mod power_meter;
pub mod records;
pub mod sdr;
pub mod security_key;
pub mod sel;
pub mod sensor;
mod sensor_id;
pub mod sol_parameters;
pub mod strtol;
pub mod system_info;
pub mod unsaved;
pub mod user;
pub mod vm_process;
pub mod watch;
pub mod watchdog;

pub use action::{Action, LogLevel, StateFile};
pub use at::At;
pub use error::Error;
pub use pool::Pool;

use crate::ipmi::{ChannelNumber, McAddress, Moment, SessionId};

/// ACPI power state "unknown", IPMI 2.0 tables 20-7 and 20-8.
pub const ACPI_UNKNOWN: u8 = 0x2a;

/// Everything that responses on one simulated IPMB.
#[derive(Debug, Default)]
pub struct Machine {
    /// By address.
    controllers: Vec<Controller>,
    /// Address of the BMC, once `mc_setbmc` named it.
    pub bmc: Option<McAddress>,
    /// The AdvancedTCA shelf, once `atca_enable` was given.
    pub shelf: picmg::Shelf,
    /// What the devices want done outside, in order; the simulator drains it.
    pub actions: Vec<Action>,
    /// What clients changed and what is not known to be on the disk.
    pub unsaved: unsaved::Unsaved,
    /// Slow work no request waits for; the simulator drains it.
    pub jobs: Vec<external::Background>,
    /// What happens, for whoever watches.
    pub watch: watch::Watch,
    /// What everything draws by lot from that is not about secrets, once something needs it or `seed` gave it.
    pub seed: Option<u64>,
}

impl Machine {
    /// Where the controller at an address is among all of them, or where it would be.
    fn index(&self, address: McAddress) -> Result<usize, usize> {
        self.controllers.binary_search_by_key(&address, |controller| controller.address)
    }

    /// The controller at an IPMB address, enabled or not.
    pub fn controller(&self, address: McAddress) -> Option<&Controller> {
        self.index(address).ok().map(|index| &self.controllers[index])
    }

    /// The controller at an IPMB address, enabled or not, to be changed.
    pub fn controller_mut(&mut self, address: McAddress) -> Option<&mut Controller> {
        self.index(address).ok().map(|index| &mut self.controllers[index])
    }

    /// Describes the controller at `address` (`mc_add`), made if there is none
    /// (`commands-core.md` section 2.2). Its events go to the BMC, if that is known by now.
    /// The one that is the BMC by now gets a watchdog timer and, without a `serial` line, a
    /// channel 15.
    pub fn describe(&mut self, address: McAddress, device: device_id::DeviceId) {
        let is_bmc = self.bmc == Some(address);
        let receiver = self.bmc.unwrap_or(McAddress::NONE);
        let leds = if self.shelf.enabled { picmg::Leds::of_a_board() } else { picmg::Leds::default() };
        let controller = self.ensure(address);
        controller.device = device;
        controller.added = true;
        controller.sensors.event_receiver = sensor::EventReceiver { address: receiver, lun: 0 };
        controller.board.leds = leds;
        if is_bmc {
            controller.watchdog.get_or_insert_default();
            if controller.channels.get(ChannelNumber::SYSTEM_INTERFACE).is_none() {
                controller.channels.set(ChannelNumber::SYSTEM_INTERFACE, channel::Channel::system_interface());
            }
        }
    }

    /// The controller at `address`, made if there is none.
    pub fn ensure(&mut self, address: McAddress) -> &mut Controller {
        let index = self.index(address).unwrap_or_else(|index| {
            // Most machines have one.
            self.controllers.reserve_exact(1);
            self.controllers.insert(index, Controller::new(address));
            index
        });
        &mut self.controllers[index]
    }

    /// Takes the controller at `address` away.
    pub fn remove(&mut self, address: McAddress) -> Option<Controller> {
        self.index(address).ok().map(|index| self.controllers.remove(index))
    }

    /// All controllers, by address.
    pub fn controllers(&self) -> impl Iterator<Item = &Controller> {
        self.controllers.iter()
    }

    /// All controllers, by address, to be changed.
    pub fn controllers_mut(&mut self) -> impl Iterator<Item = &mut Controller> {
        self.controllers.iter_mut()
    }
}

/// When [`timeout`] wants to be called next for any device of the machine.
pub fn deadline(machine: &Machine) -> Option<Moment> {
    let of = |controller: &Controller| {
        let messaging = controller.messaging.deadline();
        let watchdog = controller.watchdog.as_ref().and_then(watchdog::Watchdog::deadline);
        let sensors = controller.sensors.deadline();
        let pef = pef::deadline(&controller.pef);
        let fill = controller.fill.as_ref().and_then(|filling| filling.deadline());
        [messaging, watchdog, controller.chassis.deadline(), controller.vm.deadline(), sensors, pef, fill]
            .into_iter()
            .flatten()
            .min()
    };
    machine.controllers().filter_map(of).min()
}

/// Does whatever is due on any device of the machine.
pub fn timeout(machine: &mut Machine, now: Moment) {
    machine.at_each(|at| {
        messaging::timeout(at, now);
        watchdog::timeout(at, now);
        vm_process::timeout(at, now);
        chassis::timeout(at, now);
        pef::timeout(at, now);
        fill::timeout(at, now);
    });
    machine.at_each(|at| sensor::timeout(at, now));
}

/// A host connected to channel 15: it counts as powered, if it speaks the VM protocol, and is told
/// the attention state.
pub fn host_connected(at: &mut At<'_>, now: Moment) {
    set_connected(at, now, true);
    messaging::refresh_attention(at);
}

/// The host of channel 15 is gone; what it announced stays known.
pub fn host_disconnected(at: &mut At<'_>, now: Moment) {
    set_connected(at, now, false);
}

fn set_connected(at: &mut At<'_>, now: Moment, connected: bool) {
    if let Some(host) = at.channels.host_mut() {
        host.connected = connected && host.vm;
    }
    // Looked at so that the hours are counted; a program is not asked for this.
    chassis::power(at, now);
}

/// The VM host announced what it can do, see [`capability`](crate::ipmi::capability); it is
/// added to what is known.
pub fn host_announced(at: &mut At<'_>, capabilities: u8) {
    if let Some(host) = at.channels.host_mut() {
        host.announced |= capabilities;
    }
}

/// A session of this controller's LAN channel `channel` ended: what it held is freed, at whatever controller.
pub fn session_closed(at: &mut At<'_>, channel: ChannelNumber, session: SessionId) {
    at.machine_mut().at_each(|at| {
        sol_parameters::session_closed(at, session);
        at.frus.session_closed(session);
    });
    if let Some(lan) = at.channels.lan_mut(channel) {
        lan.parameters.session_closed(session);
    }
}

/// One management controller.
#[derive(Debug)]
pub struct Controller {
    /// IPMB address.
    pub address: McAddress,
    /// Whether `mc_add` described it.
    pub added: bool,
    /// Whether it answers (`mc_enable`).
    pub enabled: bool,
    /// Get Device ID data and the capabilities that gate commands.
    pub device: device_id::DeviceId,
    /// `mc_set_guid`, or the first LAN channel's GUID.
    pub guid: Option<[u8; 16]>,
    /// Channels by number.
    pub channels: channel::Channels,
    /// Users by number.
    pub users: user::Users,
    /// Global enables, message flags, receive queue, event message buffer.
    pub messaging: messaging::Messaging,
    /// The watchdog timer, on the BMC.
    pub watchdog: Option<watchdog::Watchdog>,
    /// Power, reset, identify, boot options.
    pub chassis: chassis::Chassis,
    /// The start-command process.
    pub vm: vm_process::VmProcess,
    /// Serial-over-LAN parameters and activations, with a `sol` line.
    pub sol: Option<sol_parameters::Sol>,
    /// What came from the SOL port last.
    pub history: history::History,
    /// Sensors by LUN and number, and the event receiver.
    pub sensors: sensor::Sensors,
    /// The SDR repository.
    pub sdr: sdr::Repository,
    /// Device SDRs by LUN.
    pub device_sdrs: sdr::DeviceSdrs,
    /// The system event log.
    pub sel: sel::Sel,
    /// What it fills from by itself.
    pub fill: Option<Box<fill::Filling>>,
    /// FRU inventory devices.
    pub frus: fru::Frus,
    /// Platform event filtering, and alerts.
    pub pef: pef::Pef,
    /// State of the OEM commands.
    pub oem: oem::Oem,
    /// Lights and hot swap.
    pub board: picmg::Board,
    /// ACPI power states as Set ACPI Power State told them: system, device.
    pub acpi: [u8; 2],
    /// What firmware and operating system of the managed machine tell about themselves.
    pub system_info: system_info::SystemInfo,
    /// The Data Center Manageability Interface.
    pub dcmi: dcmi::Dcmi,
    /// What tells the power of its machine.
    pub power_meter: power_meter::PowerMeter,
}

impl Controller {
    /// What Get Device GUID tells: the GUID of `mc_set_guid`, else that of the first LAN channel (`lan-conf.md` section 4).
    pub fn device_guid(&self) -> Option<[u8; 16]> {
        self.guid.or_else(|| self.channels.lans().find_map(|(_, lan)| lan.guid))
    }

    /// What a reader of the console history gets: the newest bytes, at most as many as the
    /// OEM command "set history return size" allows, and the end message. With `readclear` the
    /// history is empty then.
    pub fn history_copy(&mut self) -> Vec<u8> {
        let limit = self.sol.as_ref().map_or(0, |sol| usize::from(sol.history_return) * 1024);
        let copy = self.history.snapshot((limit != 0).then_some(limit));
        if self.sol.as_ref().is_some_and(|sol| sol.read_clear) {
            self.history.clear();
        }
        copy
    }

    /// A controller nobody has described yet.
    pub fn new(address: McAddress) -> Self {
        Self {
            address,
            added: false,
            enabled: false,
            device: Default::default(),
            guid: None,
            channels: Default::default(),
            users: Default::default(),
            messaging: Default::default(),
            watchdog: None,
            chassis: Default::default(),
            vm: Default::default(),
            sol: None,
            history: Default::default(),
            sensors: Default::default(),
            sdr: Default::default(),
            device_sdrs: Default::default(),
            sel: Default::default(),
            fill: None,
            frus: Default::default(),
            pef: Default::default(),
            oem: Default::default(),
            board: Default::default(),
            acpi: [ACPI_UNKNOWN; 2],
            system_info: Default::default(),
            dcmi: Default::default(),
            power_meter: Default::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::channel::{Channel, Framing, medium, protocol};
    use super::device_id::DeviceId;
    use super::*;
    use crate::ipmi::HostSignal;

    fn bmc() -> Machine {
        Machine { bmc: Some(McAddress::BMC), ..Machine::default() }
    }

    #[test]
    fn the_bmc_gets_a_watchdog_and_a_channel_15() {
        let mut machine = bmc();
        machine.describe(McAddress::BMC, DeviceId::default());
        machine.describe(McAddress(0x30), DeviceId::default());
        let made: Vec<_> = machine
            .controllers()
            .map(|mc| (mc.watchdog.is_some(), mc.channels.host().is_some(), mc.sensors.event_receiver.address))
            .collect();
        assert_eq!(made, [(true, true, McAddress::BMC), (false, false, McAddress::BMC)]);
    }

    #[test]
    fn a_described_bmc_keeps_its_serial_line() {
        let mut machine = bmc();
        let line =
            Channel::serial(ChannelNumber::SYSTEM_INTERFACE, medium::SYSTEM_INTERFACE, protocol::BT_1_5, Framing::Vm);
        machine.ensure(McAddress::BMC).channels.set(ChannelNumber::SYSTEM_INTERFACE, line);
        machine.describe(McAddress::BMC, DeviceId::default());
        assert_eq!(
            machine
                .ensure(McAddress::BMC)
                .channels
                .get(ChannelNumber::SYSTEM_INTERFACE)
                .map(|channel| channel.protocol),
            Some(protocol::BT_1_5)
        );
    }

    #[test]
    fn a_vm_host_that_connects_is_power_and_hears_of_waiting_messages() {
        let mut machine = bmc();
        let now = Moment::new(Duration::from_secs(5));
        machine.ensure(McAddress::BMC).channels.set(
            ChannelNumber::SYSTEM_INTERFACE,
            Channel::serial(ChannelNumber::SYSTEM_INTERFACE, medium::RS232, protocol::TERMINAL_MODE, Framing::Vm),
        );
        let waiting = messaging::Message { channel: ChannelNumber::LAN, data: vec![1] };
        messaging::enqueue(&mut machine.found(McAddress::BMC), now, waiting).expect("room");
        machine.actions.clear();
        host_announced(&mut machine.found(McAddress::BMC), crate::ipmi::capability::RESET);
        host_connected(&mut machine.found(McAddress::BMC), now);
        let on = HostSignal::Attention { on: true, interrupt: false };
        assert_eq!(machine.actions, [Action::Host { mc: McAddress::BMC, signal: on }]);
        assert_eq!(chassis::power(&mut machine.found(McAddress::BMC), now), chassis::Power::On);
        host_disconnected(&mut machine.found(McAddress::BMC), now);
        assert_eq!(chassis::power(&mut machine.found(McAddress::BMC), now), chassis::Power::Off);
        let host = machine.controller(McAddress::BMC).and_then(|mc| mc.channels.host());
        assert!(host.is_some_and(|host| host.can(crate::ipmi::capability::RESET)), "what was announced stays");
    }

    #[test]
    fn the_earliest_deadline_of_all_controllers_counts() {
        let mut machine = bmc();
        let at = |seconds| Moment::new(Duration::from_secs(seconds));
        assert_eq!(deadline(&machine), None);
        for (mc, seconds) in [(0x20, 10), (0x30, 5)] {
            machine.ensure(McAddress(mc));
            chassis::control(
                &mut machine.found(McAddress(mc)),
                at(seconds),
                chassis::Control::PowerCycle,
                ChannelNumber::LAN,
            )
            .expect("built in");
        }
        assert_eq!(deadline(&machine), Some(at(6)));
        timeout(&mut machine, at(6));
        assert_eq!(deadline(&machine), Some(at(11)));
        timeout(&mut machine, at(11));
        assert_eq!(deadline(&machine), None);
    }

    #[test]
    fn a_session_that_ends_frees_what_it_held() {
        let mut machine = bmc();
        let auths = Default::default();
        let lan = channel::Lan::new(crate::ipmi::Privilege::Administrator, auths, Default::default());
        let controller = machine.ensure(McAddress::BMC);
        controller.channels.set(ChannelNumber::LAN, Channel::lan(lan));
        controller.sol = Some(sol_parameters::Sol::new(0));
        let parameters = &mut controller.channels.lan_mut(ChannelNumber::LAN).expect("channel 1").parameters;
        parameters.set(0, &[1], Some(SessionId(7))).expect("free");
        sol_parameters::activate(&mut machine.found(McAddress::BMC), 1, SessionId(7), 0).expect("free");
        session_closed(&mut machine.found(McAddress::BMC), ChannelNumber::LAN, SessionId(7));
        assert_eq!(machine.ensure(McAddress::BMC).sol.as_ref().and_then(|sol| sol.owner(1)), None);
        let parameters =
            &mut machine.ensure(McAddress::BMC).channels.lan_mut(ChannelNumber::LAN).expect("channel 1").parameters;
        parameters.set(0, &[1], Some(SessionId(8))).expect("free again");
    }
}
