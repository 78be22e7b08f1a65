//! From lan.conf to a machine, and what `mc_add`, `mc_setbmc` and `mc_enable` make of it.

use super::Simulator;
use super::effect::{Effect, Effects, LanId};
use crate::bmc::channel::{Channel, Framing, Lan, medium, protocol};
use crate::bmc::dcmi;
use crate::bmc::device_id::{DeviceId, support};
use crate::bmc::history::History;
use crate::bmc::lan_parameters::LanParameters;
use crate::bmc::security_key::SecurityKey;
use crate::bmc::sol_parameters::Sol;
use crate::bmc::user::User;
use crate::bmc::vm_process;
use crate::ipmi::{AuthTypes, McAddress, Moment, Privilege, UserNumber};
use crate::settings::model::{CodecKind, ControllerConfig, LanConfig, SerialInterface};
use crate::wire::pet;

impl Simulator {
    /// Makes the controllers that lan.conf names; 20h always exists.
    pub(super) fn configure(&mut self) {
        self.machine.ensure(McAddress::BMC);
        for config in self.configured.controllers().to_vec() {
            self.configure_controller(&config);
            self.open_slots(&config);
        }
    }

    /// The ports of a controller: they outlive what `mc_delete` does to it.
    fn open_slots(&mut self, config: &ControllerConfig) {
        let mc = config.address;
        for serial in &config.serials {
            self.serials.add(mc, serial.clone());
        }
        for ipmb in &config.ipmbs {
            self.ipmbs.add(mc, ipmb.clone());
        }
        if let Some(sol) = &config.sol {
            self.sols.add(mc, sol.clone());
        }
        for lan in &config.lans {
            let guid = self.lan_guid(mc, lan);
            self.lans.add(mc, lan.clone(), guid);
        }
    }

    /// What lan.conf and the state files say of a controller.
    pub(super) fn configure_controller(&mut self, config: &ControllerConfig) {
        let mc = config.address;
        let controller = self.machine.ensure(mc);
        controller.users.anonymous = config.enables_anonymous();
        for user in &config.users {
            if let Some(slot) = controller.users.get_mut(user.number) {
                *slot = User::from(user);
            }
        }
        controller.chassis.program.clone_from(&config.chassis_control);
        controller.vm.start_command.clone_from(&config.start_command);
        controller.vm.start_now = config.start_now;
        controller.vm.poweroff_wait = config.poweroff_wait;
        controller.vm.kill_wait = config.kill_wait;
        for serial in &config.serials {
            let (medium, protocol) = match serial.interface {
                SerialInterface::Rs232 => (medium::RS232, protocol::TERMINAL_MODE),
                SerialInterface::Kcs => (medium::SYSTEM_INTERFACE, protocol::KCS),
                SerialInterface::Bt => (medium::SYSTEM_INTERFACE, protocol::BT_1_5),
                SerialInterface::Smic => (medium::SYSTEM_INTERFACE, protocol::SMIC),
                SerialInterface::Ssif => (medium::SMBUS_2, protocol::SMBUS),
            };
            let framing = if serial.codec == CodecKind::Vm { Framing::Vm } else { Framing::Other };
            let channel = Channel::serial(serial.channel, medium, protocol, framing);
            controller.channels.set(serial.channel, channel);
        }
        for ipmb in &config.ipmbs {
            controller.channels.set(ipmb.channel, Channel::ipmb_device());
        }
        if let Some(sol) = &config.sol {
            let mut state = Sol::new(sol.history);
            state.read_clear = sol.read_clear;
            controller.sol = Some(state);
            controller.history = History::new(sol.history);
            if let Some(device) = sol.history_fru {
                controller.frus.add_history(device);
            }
        }
        for lan in &config.lans {
            let guid = self.lan_guid(mc, lan);
            let limit = lan.privilege_limit.unwrap_or(Privilege::Administrator);
            let mut state = Lan::new(limit, lan.allowed_auths, LanParameters::new(lan.config_program.clone()));
            state.pef_alerting = lan.pef_alerting;
            state.guid = Some(guid);
            state.parameters.primary_port = lan.advertised_port;
            state.parameters.alert_port = lan.alert_port.unwrap_or(pet::PORT);
            state.key = SecurityKey::new(lan.bmc_key);
            self.machine.ensure(mc).channels.set(lan.channel, Channel::lan(state));
        }
        self.load_users(mc);
        self.load_sol(mc);
        self.load_chassis(mc);
        self.load_process(mc);
        self.load_system_info(mc);
        self.load_dcmi(mc);
        self.load_pef(mc);
        if !config.lans.is_empty()
            && let Some(anonymous) = self.machine.ensure(mc).users.get_mut(UserNumber::NULL)
        {
            // The first user has no name, whatever lan.conf and the users file say.
            anonymous.name = [0; 16];
        }
    }

    pub(super) fn lan_guid(&mut self, mc: McAddress, lan: &LanConfig) -> [u8; 16] {
        let given = lan.guid.or_else(|| self.machine.controller(mc)?.guid);
        given.unwrap_or_else(|| self.saves.guid(mc, lan.channel, self.lans.random()))
    }

    /// `mc_set_guid`: LAN channels without a `guid` of their own have it too.
    pub(super) fn set_guid(&mut self, mc: McAddress, guid: [u8; 16]) {
        self.machine.ensure(mc).guid = Some(guid);
        self.identify_lans(mc);
    }

    /// Tells a controller's LAN channels their GUIDs.
    pub(super) fn identify_lans(&mut self, mc: McAddress) {
        let configs: Vec<LanConfig> = self.lans.of(mc).map(|slot| slot.config().clone()).collect();
        for config in configs {
            let guid = self.lan_guid(mc, &config);
            self.lans.set_guid(LanId { mc, channel: config.channel }, guid);
            if let Some(lan) = self.machine.ensure(mc).channels.lan_mut(config.channel) {
                lan.guid = Some(guid);
            }
        }
    }

    /// `mc_add`.
    pub(super) fn mc_add(&mut self, now: Moment, mc: McAddress, device: DeviceId) -> Result<(), String> {
        if self.machine.controller(mc).is_some_and(|controller| controller.added) {
            return Err(format!("Unable to add the MC, error 0x10: MC {mc:#04x} specified twice"));
        }
        let known = self.machine.controller(mc).is_some();
        self.machine.describe(mc, device);
        if !known {
            self.hold_for_new(now, mc);
        }
        if self.machine.bmc == Some(mc) {
            self.load_persistent_sdrs(mc);
        }
        Ok(())
    }

    /// `mc_setbmc`: works in either order with `mc_add`.
    pub(super) fn set_bmc(&mut self, mc: McAddress) {
        if self.machine.bmc.replace(mc).is_none() {
            for controller in self.machine.controllers_mut().filter(|controller| controller.added) {
                controller.sensors.event_receiver.address = mc;
            }
        }
        let late = self.machine.controller(mc).filter(|controller| controller.added && controller.watchdog.is_none());
        if let Some(device) = late.map(|controller| controller.device.clone()) {
            self.machine.describe(mc, device);
            self.load_persistent_sdrs(mc);
        }
    }

    /// The SDRs of the last run, with `persist_sdr`; only into an empty repository, so that
    /// a second `mc_setbmc` does not load them again.
    fn load_persistent_sdrs(&mut self, mc: McAddress) {
        let wanted = self.machine.controller(mc).is_some_and(|controller| {
            controller.device.persist_sdr
                && controller.device.supports(support::SDR_REPOSITORY)
                && controller.sdr.records().next().is_none()
        });
        if wanted {
            self.load_sdrs(mc);
        }
    }

    /// `mc_enable`: the controller answers, its channels open, `startnow` starts the VM.
    /// Channels that are open already stay as they are.
    pub(super) fn mc_enable(&mut self, now: Moment, mc: McAddress, out: &mut Effects) {
        let Some(mut at) = self.machine.at(mc).filter(|at| !at.enabled) else { return };
        at.enabled = true;
        // The statistics of the power begin.
        dcmi::look(&mut at, now);
        for lan in self.lans.ids_of(mc) {
            // Nothing is there to be loaded when it was loaded before; after `mc_delete` there is.
            self.load_lan(mc, lan.channel);
            if let Some(slot) = self.lans.open(now, lan) {
                let address = slot.config().address.clone();
                self.warn_of_open_doors(lan, out);
                if let Some(address) = address {
                    out.list.push(Effect::OpenLan { lan, address });
                }
            }
        }
        self.serials.open(mc, out);
        self.ipmbs.open(mc, out);
        if let Some(mut at) = self.machine.at(mc) {
            vm_process::enabled(&mut at);
        }
        self.carry_out_actions(now, out);
    }

    /// Says whom `none` lets in without a password.
    pub(super) fn warn_of_open_doors(&self, lan: LanId, out: &mut Effects) {
        let Some(slot) = self.lans.get(lan) else { return };
        let Some(controller) = self.machine.controller(lan.mc) else { return };
        let open = (1..=4u8)
            .filter_map(Privilege::from_wire)
            .rfind(|level| slot.config().allowed_auths[usize::from(level.wire() - 1)].contains(AuthTypes::NONE));
        let Some(highest) = open else { return };
        let users: Vec<String> = controller
            .users
            .iter()
            .filter(|(number, _)| controller.users.admitted(*number).is_some())
            .filter(|(_, user)| user.auths.is_none_or(|auths| auths.contains(AuthTypes::NONE)))
            .map(|(number, _)| number.to_string())
            .collect();
        if !users.is_empty() {
            out.list.push(Effect::Log {
                level: crate::bmc::LogLevel::Warning,
                text: format!(
                    "LAN channel {} of MC {:#04x} lets user {} in without a password, up to {}: \
                     'none' stands in its allowed_auths lines",
                    lan.channel,
                    lan.mc,
                    users.join(", "),
                    format!("{highest:?}").to_lowercase()
                ),
            });
        }
    }
}
