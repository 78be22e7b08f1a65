//! A site with users, a generator that is the same in every run, and a look behind a channel's back.

#![allow(missing_docs, clippy::should_implement_trait, reason = "for tests only")]

use std::collections::BTreeMap;

use super::window::Window;
use super::{Authority, LanChannel, LanUser, Neighbour};
use crate::ipmi::{AuthTypes, ChannelNumber, McAddress, Nature, Privilege, Random, SessionId, UserNumber};

/// Users and limits.
#[derive(Clone)]
pub struct Site {
    pub users: BTreeMap<u8, LanUser>,
    pub limit: Privilege,
    /// By privilege - 1.
    pub auth_types: [AuthTypes; 4],
    pub cipher_privileges: [u8; 9],
    pub bmc_key: Option<[u8; 20]>,
    /// Another LAN channel of the same controller.
    pub neighbour: Option<(ChannelNumber, Box<Site>)>,
}

impl Default for Site {
    /// User 2 "ipmiusr" with password "test" is administrator; everything but `none` is
    /// allowed.
    fn default() -> Self {
        let all = AuthTypes(AuthTypes::MD2.0 | AuthTypes::MD5.0 | AuthTypes::STRAIGHT.0);
        let mut site = Self {
            users: BTreeMap::new(),
            limit: Privilege::Administrator,
            auth_types: [all; 4],
            bmc_key: None,
            cipher_privileges: [0x44; 9],
            neighbour: None,
        };
        site.add_user(2, "ipmiusr", "test", Privilege::Administrator);
        site
    }
}

impl Site {
    pub fn add_user(&mut self, number: u8, name: &str, password: &str, limit: Privilege) {
        let user = LanUser {
            number: UserNumber::new(number).unwrap(),
            name: padded(name),
            password: padded(password),
            limit: Some(limit),
            auths: None,
            sessions: 0,
        };
        self.users.insert(number, user);
    }

    pub fn allow_none(&mut self) {
        self.auth_types.iter_mut().for_each(|types| types.0 |= AuthTypes::NONE.0);
    }
}

impl Authority for Site {
    fn user(&self, number: UserNumber) -> Option<LanUser> {
        self.users.get(&number.get()).cloned()
    }

    fn is_named(&self, number: UserNumber, name: &[u8; 16]) -> bool {
        self.users.get(&number.get()).is_some_and(|user| user.name == *name)
    }

    fn user_limit(&self, number: UserNumber) -> Option<Privilege> {
        self.users.get(&number.get())?.limit
    }

    fn privilege_limit(&self) -> Privilege {
        self.limit
    }

    fn auth_types(&self, level: Privilege) -> AuthTypes {
        self.auth_types[usize::from(level.wire()) - 1]
    }

    fn bmc_key(&self) -> Option<&[u8; 20]> {
        self.bmc_key.as_ref()
    }

    fn cipher_privileges(&self) -> [u8; 9] {
        self.cipher_privileges
    }

    fn nature(&self, _: Option<McAddress>, netfn: u8, cmd: u8, data: &[u8]) -> Nature {
        crate::command::STANDARD.nature(McAddress::BMC, netfn, cmd, data)
    }

    fn neighbour(&self, channel: ChannelNumber) -> Neighbour<'_> {
        match (channel, &self.neighbour) {
            (ChannelNumber::PRIMARY_IPMB | ChannelNumber::SYSTEM_INTERFACE, _) => Neighbour::Sessionless,
            (channel, Some((number, site))) if *number == channel => Neighbour::Lan(Box::new(site.as_ref().clone())),
            _ => Neighbour::Absent,
        }
    }
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

/// A generator that is the same in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

impl Random for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| *byte = self.next() as u8);
    }
}

impl LanChannel {
    /// Moves the session sequence numbers of an IPMI 1.5 session: the highest that was received, and the last that was
    /// sent.
    ///
    /// # Panics
    /// There is no such session.
    pub fn set_numbers(&mut self, session: SessionId, inbound: u32, outbound: u32) {
        let session = self.sessions.get_mut(&session).expect("a session");
        session.inbound = Window::ipmi15(inbound);
        session.link.outbound = outbound;
    }
}
