//! What a LAN channel learns about users and limits: the live tables of the controller
//! that owns the channel.

use super::effect::LanId;
use crate::bmc::Machine;
use crate::bmc::channel::{Channels, Lan};
use crate::bmc::user::Users;
use crate::ipmi::{AuthTypes, Privilege};
use crate::lan::{Authority, LanUser, Neighbour};

/// The users and limits of one LAN channel, at this moment.
pub(super) struct LanAuthority<'a> {
    users: &'a Users,
    channels: &'a Channels,
    access: &'a Lan,
}

impl<'a> LanAuthority<'a> {
    /// `None` when the controller or the channel is gone.
    pub(super) fn new(machine: &'a Machine, lan: LanId) -> Option<Self> {
        let controller = machine.controller(lan.mc)?;
        let access = controller.channels.lan(lan.channel)?;
        Some(Self { users: &controller.users, channels: &controller.channels, access })
    }
}

impl Authority for LanAuthority<'_> {
    fn user(&self, number: u8) -> Option<LanUser> {
        let user = self.users.admitted(number)?;
        Some(LanUser {
            number,
            name: user.name,
            password: user.password,
            limit: user.limit(),
            auths: user.auths,
            sessions: user.session_limit,
        })
    }

    fn user_limit(&self, number: u8) -> Option<Privilege> {
        self.users.get(number)?.limit()
    }

    fn privilege_limit(&self) -> Privilege {
        self.access.volatile_limit
    }

    fn auth_types(&self, level: Privilege) -> AuthTypes {
        self.access.allowed_auths[usize::from(level.wire() - 1)]
    }

    fn bmc_key(&self) -> Option<&[u8; 20]> {
        self.access.key.in_use()
    }

    fn cipher_privileges(&self) -> [u8; 9] {
        self.access.parameters.cipher_privileges()
    }

    fn neighbour(&self, channel: u8) -> Neighbour<'_> {
        match (self.channels.get(channel), self.channels.lan(channel)) {
            (None, _) => Neighbour::Absent,
            (Some(_), None) => Neighbour::Sessionless,
            (Some(_), Some(access)) => Neighbour::Lan(Box::new(LanAuthority { access, ..*self })),
        }
    }
}
