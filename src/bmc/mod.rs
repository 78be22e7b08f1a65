//! The devices of a simulated system, as pure state: management controllers with their
//! sensors, repositories, logs, users and chassis.
//!
//! A device changes when it is told to and says in [`Action`]s what should happen
//! outside. It knows no bytes of a transport, no file, no clock.

pub mod action;
pub mod channel;
pub mod chassis;
pub mod device_id;
mod error;
pub mod event;
pub mod external;
pub mod fru;
pub mod history;
pub mod lan_parameters;
pub mod messaging;
pub mod oem;
pub mod pef;
pub mod records;
pub mod sdr;
pub mod sel;
pub mod sensor;
pub mod sol_parameters;
pub mod user;
pub mod vm_process;
pub mod watchdog;

use std::collections::BTreeMap;

pub use action::{Action, LogLevel, StateFile};
pub use error::Error;

use crate::ipmi::Moment;

/// ACPI power state "unknown", IPMI 2.0 tables 20-7 and 20-8.
pub const ACPI_UNKNOWN: u8 = 0x2a;

/// Everything that answers on one simulated IPMB.
#[derive(Debug, Default)]
pub struct Machine {
    controllers: BTreeMap<u8, Box<Controller>>,
    /// Address of the BMC, once `mc_setbmc` named it.
    pub bmc: Option<u8>,
    /// Whether `atca_enable` was given.
    pub atca: bool,
    /// What the devices want done outside, in order; the simulator drains it.
    pub actions: Vec<Action>,
    /// Slow work no request waits for; the simulator drains it.
    pub jobs: Vec<external::BackgroundJob>,
}

impl Machine {
    /// The controller at an IPMB address, enabled or not.
    pub fn controller(&self, address: u8) -> Option<&Controller> {
        self.controllers.get(&address).map(Box::as_ref)
    }

    /// The controller at an IPMB address, enabled or not, to be changed.
    pub fn controller_mut(&mut self, address: u8) -> Option<&mut Controller> {
        self.controllers.get_mut(&address).map(Box::as_mut)
    }

    /// Describes the controller at `address` (`mc_add`), made if there is none. The one that
    /// is the BMC by now gets a watchdog timer and, without a `serial` line, a channel 15.
    pub fn describe(&mut self, address: u8, device: device_id::DeviceId) {
        let is_bmc = self.bmc == Some(address);
        let controller = self.ensure(address);
        controller.device = device;
        controller.added = true;
        if is_bmc {
            controller.watchdog.get_or_insert_default();
            if controller.channels.get(channel::SYSTEM_CHANNEL).is_none() {
                controller.channels.set(channel::SYSTEM_CHANNEL, channel::Channel::system_interface());
            }
        }
    }

    /// The controller at `address`, made if there is none.
    pub fn ensure(&mut self, address: u8) -> &mut Controller {
        self.controllers.entry(address).or_insert_with(|| Box::new(Controller::new(address)))
    }

    /// Takes the controller at `address` away.
    pub fn remove(&mut self, address: u8) -> Option<Box<Controller>> {
        self.controllers.remove(&address)
    }

    /// All controllers, by address.
    pub fn controllers(&self) -> impl Iterator<Item = &Controller> {
        self.controllers.values().map(Box::as_ref)
    }

    /// All controllers, by address, to be changed.
    pub fn controllers_mut(&mut self) -> impl Iterator<Item = &mut Controller> {
        self.controllers.values_mut().map(Box::as_mut)
    }
}

/// When [`timeout`] wants to be called next for any device of the machine.
pub fn deadline(machine: &Machine) -> Option<Moment> {
    let of = |controller: &Controller| {
        let messaging = controller.messaging.deadline();
        let watchdog = controller.watchdog.as_ref().and_then(watchdog::Watchdog::deadline);
        [messaging, watchdog, controller.chassis.deadline(), controller.vm.deadline()].into_iter().flatten().min()
    };
    machine.controllers().filter_map(of).min()
}

/// Does whatever is due on any device of the machine.
pub fn timeout(machine: &mut Machine, now: Moment) {
    let addresses: Vec<u8> = machine.controllers.keys().copied().collect();
    for mc in addresses {
        messaging::timeout(machine, now, mc);
        watchdog::timeout(machine, now, mc);
        vm_process::timeout(machine, now, mc);
        chassis::timeout(machine, now, mc);
    }
}

/// A session of controller `mc`'s LAN channel `channel` ended: what it held is freed.
pub fn session_closed(machine: &mut Machine, mc: u8, channel: u8, session: u32) {
    sol_parameters::session_closed(machine, session);
    if let Some(lan) = machine.controller_mut(mc).and_then(|controller| controller.channels.lan_mut(channel)) {
        lan.parameters.session_closed(session);
    }
}

/// One management controller.
#[derive(Debug)]
pub struct Controller {
    /// IPMB address.
    pub address: u8,
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
    /// Sensors by LUN and number, and the event receiver.
    pub sensors: sensor::Sensors,
    /// The SDR repository.
    pub sdr: sdr::Repository,
    /// Device SDRs by LUN.
    pub device_sdrs: sdr::DeviceSdrs,
    /// The system event log.
    pub sel: sel::Sel,
    /// FRU inventory devices.
    pub frus: fru::Frus,
    /// Platform event filtering parameters.
    pub pef: pef::Pef,
    /// State of the OEM commands.
    pub oem: oem::Oem,
    /// ACPI power states as Set ACPI Power State told them: system, device.
    pub acpi: [u8; 2],
}

impl Controller {
    /// A controller nobody has described yet.
    pub fn new(address: u8) -> Self {
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
            sensors: Default::default(),
            sdr: Default::default(),
            device_sdrs: Default::default(),
            sel: Default::default(),
            frus: Default::default(),
            pef: Default::default(),
            oem: Default::default(),
            acpi: [ACPI_UNKNOWN; 2],
        }
    }
}
