//! What a LAN channel learns about users and limits: the live tables of the controller
//! that owns the channel.

use super::effect::LanId;
use crate::bmc::channel::{Channels, Lan};
use crate::bmc::user::Users;
use crate::bmc::{Controller, Machine};
use crate::command::Commands;
use crate::command::group_extension::dcmi;
use crate::ipmi::{
    AuthTypes, ChannelNumber, CompletionCode, McAddress, Nature, Privilege, Response, UserNumber, netfn,
};
use crate::lan::{Authority, LanUser, Neighbour};

/// The users and limits of one LAN channel, at this moment.
pub(super) struct LanAuthority<'a> {
    controller: &'a Controller,
    users: &'a Users,
    channels: &'a Channels,
    access: &'a Lan,
    commands: &'a Commands,
    /// No session is opened.
    refuses: bool,
}

impl<'a> LanAuthority<'a> {
    /// `None` when the controller or the channel is gone.
    pub(super) fn new(machine: &'a Machine, commands: &'a Commands, lan: LanId) -> Option<Self> {
        Self::of(machine.controller(lan.mc)?, commands, lan.channel)
    }

    /// The same for a channel of this controller.
    pub(super) fn of(controller: &'a Controller, commands: &'a Commands, channel: ChannelNumber) -> Option<Self> {
        let access = controller.channels.lan(channel)?;
        Some(Self {
            controller,
            users: &controller.users,
            channels: &controller.channels,
            access,
            commands,
            refuses: false,
        })
    }
}

impl LanAuthority<'_> {
    /// The same that opens no session.
    pub(super) fn refusing(self) -> Self {
        Self { refuses: true, ..self }
    }
}

impl Authority for LanAuthority<'_> {
    fn user(&self, number: UserNumber) -> Option<LanUser> {
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

    fn is_named(&self, number: UserNumber, name: &[u8; 16]) -> bool {
        self.users.admitted(number).is_some_and(|user| user.name == *name)
    }

    fn user_limit(&self, number: UserNumber) -> Option<Privilege> {
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

    fn before_login(&self, netfn: u8, cmd: u8, data: &[u8], response: &mut Response) -> Result<(), CompletionCode> {
        match netfn {
            netfn::GROUP_EXTENSION => dcmi::before_login(self.controller, cmd, data, response),
            _ => Err(CompletionCode::NOT_IN_PRESENT_STATE),
        }
    }

    fn nature(&self, carried_to: Option<McAddress>, netfn: u8, cmd: u8, data: &[u8]) -> Nature {
        self.commands.nature(carried_to.unwrap_or(self.controller.address), netfn, cmd, data)
    }

    fn refuses_sessions(&self) -> bool {
        self.refuses
    }

    fn neighbour(&self, channel: ChannelNumber) -> Neighbour<'_> {
        match (self.channels.get(channel), self.channels.lan(channel)) {
            (None, _) => Neighbour::Absent,
            (Some(_), None) => Neighbour::Sessionless,
            (Some(_), Some(access)) => Neighbour::Lan(Box::new(LanAuthority { access, ..*self })),
        }
    }
}
