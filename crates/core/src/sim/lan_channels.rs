//! LAN channels joined to the machine: datagrams in and out, and what happens to sessions.

use std::net::SocketAddr;

use super::authority::LanAuthority;
use super::effect::{Effect, Effects, LanId};
use super::return_path::{Requester, ReturnPath};
use super::{Simulator, trace};
use crate::bmc::channel::Statistics;
use crate::bmc::ipv6_parameters::Served;
use crate::bmc::picmg::ManagerAddress;
use crate::bmc::{self, LogLevel};
use crate::ipmi::{McAddress, Moment, Peer, Request, SessionId};
use crate::lan::{self, LanChannel};
use crate::settings::model::LanConfig;
use crate::wire::rmcp;

/// One LAN channel.
pub(super) struct LanSlot {
    pub(super) id: LanId,
    pub(super) config: LanConfig,
    pub(super) channel: LanChannel,
    /// Whether its socket was asked for.
    pub(super) open: bool,
    /// When that was.
    pub(super) enabled: Moment,
}

impl Simulator {
    /// The socket of a LAN channel is open.
    pub(super) fn lan_opened(&mut self, lan: LanId, local: SocketAddr, served: Served) {
        if let Some(slot) = self.lans.iter_mut().find(|slot| slot.id == lan) {
            slot.channel.set_udp_port(local.port());
            if let SocketAddr::V4(address) = local {
                let since = slot.enabled.seconds() as u32;
                self.machine.shelf.manager = Some(ManagerAddress { since, address });
            }
        }
        if let Some(sol) = self.machine.controller_mut(lan.mc).and_then(|controller| controller.sol.as_mut())
            && sol.lan.is_none_or(|(first, _)| lan.channel <= first)
        {
            sol.lan = Some((lan.channel, local.port()));
        }
        let controller = self.machine.controller_mut(lan.mc);
        if let Some(channel) = controller.and_then(|controller| controller.channels.lan_mut(lan.channel)) {
            channel.parameters.served = served;
        }
    }

    /// A datagram came in. It is decrypted in place.
    pub(super) fn datagram(&mut self, now: Moment, lan: LanId, from: Peer, bytes: &mut [u8], out: &mut Effects) {
        self.trace_datagram(trace::Way::In, lan, from, bytes, out);
        let Some(slot) = self.lans.iter_mut().find(|slot| slot.id == lan) else { return };
        let Some(controller) = self.machine.controller_mut(lan.mc) else { return };
        if let Some(channel) = controller.channels.lan_mut(lan.channel) {
            channel.statistics.count_received(rmcp::Repr::parse(bytes).is_ok());
        }
        let Some(authority) = LanAuthority::of(controller, &self.commands, lan.channel) else { return };
        let received = slot.channel.receive(now, from, bytes, &authority, self.random.as_mut(), &mut self.outbox);
        // Answers given by the channel itself go first: they belong to what came before, as do requests
        // that waited there, which may have lowered a limit.
        let limits_may_differ = !self.outbox.events.is_empty();
        if !self.outbox.is_empty() || limits_may_differ {
            self.flush_outbox(now, lan, out);
        }
        match received {
            lan::Received::Handled => {}
            lan::Received::Request { reply_to, request } => {
                let request =
                    if limits_may_differ { self.under_limits(lan, reply_to.session, request) } else { request };
                self.lan_request(now, lan, reply_to, &request, out);
            }
            lan::Received::Response { reply_to, data: _, origin } => {
                self.unexpected_response(now, lan, reply_to, origin, out);
            }
            lan::Received::Sol { session, payload } => self.sol_payload(now, lan, session, payload, out),
        }
    }

    /// A request in a session, with the level that the session has now.
    fn lan_request(&mut self, now: Moment, lan: LanId, to: lan::ReplyTo, request: &Request<'_>, out: &mut Effects) {
        if request.lun == 2 {
            self.request_for_host(now, lan, &to, request, out);
        } else {
            self.session_request(now, request, ReturnPath::Lan(lan, to), out);
        }
    }

    /// Counts what comes or goes over a LAN channel.
    fn count(&mut self, lan: LanId, count: impl FnOnce(&mut Statistics)) {
        let controller = self.machine.controller_mut(lan.mc);
        if let Some(channel) = controller.and_then(|controller| controller.channels.lan_mut(lan.channel)) {
            count(&mut channel.statistics);
        }
    }

    /// Moves what a LAN channel wants to send into the effects.
    pub(super) fn flush_outbox(&mut self, now: Moment, lan: LanId, out: &mut Effects) {
        let sent = self.outbox.len();
        self.count(lan, |statistics| statistics.count_sent(sent));
        for (to, datagram) in self.outbox.datagrams() {
            self.trace_datagram(trace::Way::Out, lan, to, datagram, out);
            let start = out.bytes.len();
            out.bytes.extend_from_slice(datagram);
            out.list.push(Effect::Send { lan, to, start, end: out.bytes.len() });
        }
        let events = std::mem::take(&mut self.outbox.events);
        self.outbox.clear();
        for event in events {
            self.lan_event(now, lan, event, out);
        }
    }

    fn lan_event(&mut self, now: Moment, lan: LanId, event: lan::Event, out: &mut Effects) {
        match event {
            lan::Event::Opened { session } => {
                self.count_sessions(lan);
                self.tell_login(lan, session);
            }
            lan::Event::Closed { session } => {
                self.count_sessions(lan);
                self.machine.watch.tell(|| bmc::watch::Event::LoggedOut { mc: lan.mc, channel: lan.channel });
                self.pending.forget(Requester::Session(lan, session));
                // Before a controller goes, its sessions end.
                if let Some(mut at) = self.machine.at(lan.mc) {
                    bmc::session_closed(&mut at, lan.channel, session);
                }
                self.carry_out_actions(now, out);
            }
            lan::Event::Request(late) => {
                let lan::LateRequest { to, origin, data } = *late;
                let request = Request { netfn: to.netfn, cmd: to.cmd, lun: to.rs_lun, origin, data: &data };
                let request = self.under_limits(lan, to.session, request);
                self.lan_request(now, lan, to, &request, out);
            }
            lan::Event::Command(command) => self.trace_session_command(lan, &command, out),
            lan::Event::Log(weight, text) => {
                let level = match weight {
                    lan::Weight::Warning => LogLevel::Warning,
                    lan::Weight::Info => LogLevel::Info,
                };
                out.list.push(Effect::Log { level, text });
            }
        }
    }

    /// Tells whoever watches who logged in.
    fn tell_login(&mut self, lan: LanId, session: SessionId) {
        let slot = self.lans.iter().find(|slot| slot.id == lan);
        if let Some(session) = slot.and_then(|slot| slot.channel.session(session)) {
            self.machine.watch.tell(|| bmc::watch::Event::LoggedIn {
                mc: lan.mc,
                channel: lan.channel,
                user: session.user,
                limit: session.limit,
                client: session.peer.address,
            });
        }
    }

    /// Get Channel Info reports how many sessions a channel has.
    fn count_sessions(&mut self, lan: LanId) {
        if let Some(slot) = self.lans.iter().find(|slot| slot.id == lan)
            && let Some(controller) = self.machine.controller_mut(lan.mc)
            && let Some(access) = controller.channels.lan_mut(lan.channel)
        {
            access.active_sessions = u8::try_from(slot.channel.active_sessions()).unwrap_or(u8::MAX);
        }
    }

    /// The sessions of a user whose name, password or rights changed end, but for the one that asked for it.
    pub(super) fn end_sessions_of_user(
        &mut self,
        now: Moment,
        mc: McAddress,
        user: u8,
        spared: Option<(LanId, SessionId)>,
        out: &mut Effects,
    ) {
        for index in 0..self.lans.len() {
            if self.lans[index].id.mc == mc {
                let lan = self.lans[index].id;
                let spared = spared.filter(|(on, _)| *on == lan).map(|(_, session)| session);
                self.lans[index].channel.close_sessions_of_user(user, spared, &mut self.outbox);
                self.flush_outbox(now, lan, out);
            }
        }
    }
}
