//! Accounts while clients are at work: what a session may do at this moment, and what a change
//! of a user means for the user's sessions and for the log.

use super::Simulator;
use super::authority::LanAuthority;
use super::effect::{Effect, Effects, LanId};
use super::return_path::{Requester, ReturnPath};
use crate::bmc::LogLevel;
use crate::bmc::sol_parameters::{self, INSTANCE_HISTORY, INSTANCE_PORT};
use crate::bmc::user::Change;
use crate::bmc::watch::Event;
use crate::ipmi::{ChannelNumber, McAddress, Moment, Origin, Request, SessionId, UserNumber};

/// A user of a controller that somebody changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChangedUser {
    pub(super) mc: McAddress,
    pub(super) user: UserNumber,
    pub(super) change: Change,
    /// Its sessions end.
    pub(super) ends_sessions: bool,
}

impl Simulator {
    /// A request of a session with the level that the session has at this moment: every limit may
    /// have been lowered since the login.
    pub(super) fn under_limits<'a>(&self, lan: LanId, session: SessionId, request: Request<'a>) -> Request<'a> {
        let authority = LanAuthority::new(&self.machine, &self.commands, lan);
        let slot = self.lans.get(lan).zip(authority);
        let privilege = slot.and_then(|(slot, authority)| slot.channel().privilege(session, &authority));
        Request { origin: Origin { privilege, ..request.origin }, ..request }
    }

    /// Ends the SOL of a session whose limit has come to lie below what SOL demands.
    pub(super) fn ends_sol_above_limits(
        &mut self,
        now: Moment,
        lan: LanId,
        session: SessionId,
        out: &mut Effects,
    ) -> bool {
        let limit = || {
            let slot = self.lans.get(lan)?;
            slot.channel().limit(session, &LanAuthority::new(&self.machine, &self.commands, lan)?)
        };
        let Some(sol) = self.machine.controller(lan.mc).and_then(|controller| controller.sol.as_ref()) else {
            return false;
        };
        if limit().is_some_and(|limit| sol.access.admits(limit)) {
            return false;
        }
        let held = [INSTANCE_PORT, INSTANCE_HISTORY].map(|number| (number, sol.owner(number)));
        if let Some(mut at) = self.machine.at(lan.mc) {
            for (instance, _) in held.into_iter().filter(|(_, owner)| *owner == Some(session)) {
                // Active, as was just seen. Nobody asked for it, so that the client is told.
                let _ = sol_parameters::deactivate(&mut at, instance, None);
            }
        }
        self.carry_out_actions(now, out);
        true
    }

    /// Users were changed, and their state is safe: the log says so, and who did it. Sessions of a user
    /// whose name, password or rights are others now end, but for the one that asked for it: its client
    /// has not finished. Every limit binds it at once.
    pub(super) fn users_changed(
        &mut self,
        now: Moment,
        users: Vec<ChangedUser>,
        by: Option<&ReturnPath>,
        out: &mut Effects,
    ) {
        self.tell_changes(&users);
        for ChangedUser { mc, user, change, ends_sessions } in users {
            if let Some(held_back) = self.user_changes.permit(now) {
                let by =
                    by.map_or_else(|| "the configuration or the control door".into(), |path| self.requester_text(path));
                let mut text = format!("user {user} of MC {mc:#04x}: {} by {by}", change.text());
                if held_back > 0 {
                    text += &format!(" ({held_back} such lines were left out before)");
                }
                out.list.push(Effect::Log { level: LogLevel::Info, text });
            }
            if ends_sessions {
                let spared = match by.map(ReturnPath::requester) {
                    Some(Requester::Session(lan, session)) => Some((lan, session)),
                    _ => None,
                };
                self.end_sessions_of_user(now, mc, user, spared, out);
            }
        }
    }

    /// Tells whoever watches, once for each user.
    fn tell_changes(&mut self, users: &[ChangedUser]) {
        for (index, ChangedUser { mc, user, .. }) in users.iter().enumerate() {
            let told = users.iter().take(index).any(|before| (before.mc, before.user) == (*mc, *user));
            if !told {
                self.machine.watch.tell(|| Event::UserChanged { mc: *mc, user: *user });
            }
        }
    }

    /// Who asked, for the log.
    fn requester_text(&self, path: &ReturnPath) -> String {
        match path.requester() {
            Requester::Session(lan, session) => match self.lans.session(lan, session) {
                Some(session) => {
                    format!("user {} at {}, LAN channel {}", session.user, session.peer, lan.channel)
                }
                None => format!("a session of LAN channel {} that has ended", lan.channel),
            },
            Requester::Line(serial) if serial.channel == ChannelNumber::SYSTEM_INTERFACE => "the host".into(),
            Requester::Line(serial) => format!("whoever is at serial channel {}", serial.channel),
            Requester::Bus(ipmb) => format!("whoever is on IPMB channel {}", ipmb.channel),
        }
    }
}
