//! Who can log in over LAN, and which controllers answer: for people who start the program or check its
//! files.

use super::Simulator;
use super::authority::LanAuthority;
use super::effect::LanId;
use super::lan_channels::LanSlot;
use crate::bmc::Controller;
use crate::ipmi::{McAddress, Privilege, UserNumber};
use crate::lan::Authority;
use crate::settings::text::decode;

/// A user who can log in on a LAN channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The channel.
    pub lan: LanId,
    /// User number, 1 to 63.
    pub number: UserNumber,
    /// User name; empty for the anonymous user.
    pub name: String,
    /// Highest privilege on that channel.
    pub limit: Privilege,
    /// Whether the client needs the channel's key K_G besides.
    pub key: bool,
}

/// What became of a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerState {
    /// IPMB address.
    pub address: McAddress,
    /// `mc_add` described it.
    pub added: bool,
    /// `mc_enable` let it answer.
    pub enabled: bool,
}

impl Simulator {
    /// All controllers, by address.
    pub fn controllers(&mut self) -> Vec<ControllerState> {
        let of = |controller: &Controller| ControllerState {
            address: controller.address,
            added: controller.added,
            enabled: controller.enabled,
        };
        self.machine.controllers().map(of).collect()
    }

    /// Who can log in, on every LAN channel that lan.conf has, in the order of channels and user numbers.
    pub fn logins(&mut self) -> Vec<Login> {
        let mut logins = Vec::new();
        for lan in self.lans.iter().map(LanSlot::id) {
            let Some(authority) = LanAuthority::new(&self.machine, &self.commands, lan) else { continue };
            for user in UserNumber::all().filter_map(|number| authority.user(number)) {
                let Some(limit) = user.limit else { continue };
                let end = user.name.iter().position(|byte| *byte == 0).unwrap_or(user.name.len());
                logins.push(Login {
                    lan,
                    number: user.number,
                    name: decode(user.name.get(..end).unwrap_or_default()),
                    limit: limit.min(authority.privilege_limit()),
                    key: authority.bmc_key().is_some(),
                });
            }
        }
        logins
    }
}
