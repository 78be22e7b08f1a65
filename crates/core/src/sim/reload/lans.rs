//! LAN channels of a lan.conf that was read again.

use super::{Reload, place};
use crate::bmc::StateFile;
use crate::bmc::security_key::SecurityKey;
use crate::ipmi::{McAddress, Privilege};
use crate::settings::model::{ControllerConfig, LanConfig};
use crate::sim::Persistence;
use crate::sim::effect::{Effect, LanId};
use crate::sim::lan_channels::LanSlot;
use crate::wire::pet;

impl Reload<'_> {
    pub(super) fn reload_lans(&mut self, running: &mut ControllerConfig, new: &ControllerConfig) {
        let mc = running.address;
        for new in &new.lans {
            match running.lans.iter_mut().find(|running| running.channel == new.channel) {
                Some(running) => self.reload_lan(mc, running, new),
                None => self.report.next_start(format!("LAN channel {} of MC {mc:#04x} is new", new.channel)),
            }
        }
        for gone in running.lans.iter().filter(|lan| new.lans.iter().all(|new| new.channel != lan.channel)) {
            self.report.next_start(format!("LAN channel {} of MC {mc:#04x} is gone", gone.channel));
        }
    }

    fn reload_lan(&mut self, mc: McAddress, running: &mut LanConfig, new: &LanConfig) {
        let id = LanId { mc, channel: running.channel };
        let of = |what: &str| format!("{what} of LAN channel {} of MC {mc:#04x}", id.channel);
        let Some(open) = self.simulator.lans.get(id).map(LanSlot::is_open) else { return };
        let limit_changed = running.privilege_limit != new.privilege_limit;
        running.privilege_limit = new.privilege_limit;
        let doors = self.report.take(&of("allowed_auths"), &mut running.allowed_auths, &new.allowed_auths);
        let alerting = self.report.take(&of("PEF_alerting"), &mut running.pef_alerting, &new.pef_alerting);
        self.report.take(&of("per_msg_auth"), &mut running.per_message_auth, &new.per_message_auth);
        self.report.take(&of("lan_config_program"), &mut running.config_program, &new.config_program);
        self.reload_key(id, running, new);
        if self.report.take(&of("guid"), &mut running.guid, &new.guid) {
            let guid = self.simulator.lan_guid(mc, running);
            self.simulator.lans.set_guid(id, guid);
            if let Some(access) = self.simulator.access(id) {
                access.guid = Some(guid);
            }
        }
        if let Some(access) = self.simulator.access(id) {
            // What clients have narrowed or set stays, unless the line says something else now.
            if doors {
                access.offered_auths = running.allowed_auths;
                access.allowed_auths = running.allowed_auths;
            }
            if alerting {
                access.pef_alerting = running.pef_alerting;
            }
            access.parameters.set_program(running.config_program.clone());
        }
        if self.report.take(&of("alert_port"), &mut running.alert_port, &new.alert_port)
            && let Some(access) = self.simulator.access(id)
        {
            access.parameters.alert_port = running.alert_port.unwrap_or(pet::PORT);
        }
        let port = self.report.take(&of("advertised_port"), &mut running.advertised_port, &new.advertised_port);
        if port {
            self.advertise(id, running.advertised_port);
        }
        self.reload_limits(id, running, limit_changed);
        self.move_lan(id, running, new);
        self.simulator.lans.configure(id, running.clone());
        if doors && open {
            self.simulator.warn_of_open_doors(id, self.out);
        }
    }

    /// Another `advertised_port`.
    fn advertise(&mut self, id: LanId, port: Option<u16>) {
        let told = self.simulator.lans.advertise(id, port);
        if let Some(access) = self.simulator.access(id) {
            access.parameters.primary_port = port;
        }
        let sol = self.simulator.machine.controller_mut(id.mc).and_then(|controller| controller.sol.as_mut());
        let lan = sol.and_then(|sol| sol.lan.as_mut()).filter(|(channel, _)| *channel == id.channel);
        if let (Some((_, port)), Some(told)) = (lan, told) {
            *port = told;
        }
    }

    /// `bmc_key` and what the state file of the channel says. Open sessions stay.
    fn reload_key(&mut self, id: LanId, running: &mut LanConfig, new: &LanConfig) {
        let line_changed = running.bmc_key != new.bmc_key;
        running.bmc_key = new.bmc_key;
        let file = StateFile::Lan { mc: id.mc, channel: id.channel };
        let items = self.simulator.kept(file, self.files);
        let file = self.simulator.configured.file_name(file);
        let persistent = self.simulator.saves.persistence() == Persistence::On;
        let what = format!("bmc_key of LAN channel {} of MC {:#04x}", id.channel, id.mc);
        let Some(access) = self.simulator.access(id) else { return };
        let mut key = SecurityKey::new(running.bmc_key);
        match &items {
            Some(items) => key.restore(items.bytes("bmc_key"), items.integer("bmc_key_locked")),
            None if !persistent => key.take_set(&access.key),
            None => {}
        }
        let changed = key.in_use() != access.key.in_use();
        access.key = key;
        if changed {
            self.report.now(format!("{what} changed"));
        } else if line_changed {
            self.report.overridden(&what, &file);
        }
    }

    /// `priv_limit` and what the state file of the channel says.
    fn reload_limits(&mut self, id: LanId, line: &LanConfig, line_changed: bool) {
        let file = StateFile::Lan { mc: id.mc, channel: id.channel };
        let items = self.simulator.kept(file, self.files).unwrap_or_default();
        let file = self.simulator.configured.file_name(file);
        let persistent = self.simulator.saves.persistence() == Persistence::On;
        let Some(access) = self.simulator.access(id) else { return };
        let what = format!("the privilege limit of LAN channel {} of MC {:#04x}", id.channel, id.mc);
        let stored = items.integer("privilege_limit").and_then(|value| u8::try_from(value).ok());
        let stored = stored.and_then(Privilege::from_wire);
        let written = line.privilege_limit.unwrap_or(Privilege::Administrator);
        let limit = stored.unwrap_or(written);
        if (persistent || line_changed) && limit != access.nonvolatile_limit {
            access.nonvolatile_limit = limit;
            access.volatile_limit = limit;
            self.report.now(format!("{what} is {}", limit.name()));
        } else if line_changed && limit != written {
            self.report.overridden(&what, &file);
        }
        if items.bytes("max_priv_for_cipher").is_some_and(|stored| access.parameters.take_cipher_privileges(stored)) {
            self.report.now(format!(
                "the privileges of cipher suites of LAN channel {} of MC {:#04x} changed",
                id.channel, id.mc
            ));
        }
    }

    /// Another `addr`. The sessions stay; whoever holds them finds the channel at its new place.
    fn move_lan(&mut self, lan: LanId, running: &mut LanConfig, new: &LanConfig) {
        if place(running.address.as_ref()) == place(new.address.as_ref()) {
            return;
        }
        let of = format!("LAN channel {} of MC {:#04x}", lan.channel, lan.mc);
        match &new.address {
            None => self.report.next_start(format!("{of} has no addr any more")),
            Some(address) => {
                running.address = Some(address.clone());
                self.report.now(format!("{of} moves to {}", place(Some(address)).unwrap_or_default()));
                if self.simulator.lans.get(lan).is_some_and(LanSlot::is_open) {
                    self.out.list.push(Effect::OpenLan { lan, address: address.clone() });
                }
            }
        }
    }
}
