//! LAN channels joined to the machine: datagrams in and out, and what happens to sessions.
//!
//! Owns the channels with what they want to send. Nobody else makes a datagram.

use std::net::{SocketAddr, SocketAddrV4};

use super::Simulator;
use super::authority::LanAuthority;
use super::effect::{Effect, Effects, LanId};
use super::return_path::{Requester, ReturnPath};
use super::tally::Answered;
use super::trace::{self, Debug};
use crate::bmc::channel::Statistics;
use crate::bmc::ipv6_parameters::Served;
use crate::bmc::picmg::ManagerAddress;
use crate::bmc::{self, LogLevel};
use crate::ipmi::{McAddress, Moment, Peer, Random, Request, SessionId, UserNumber};
use crate::lan::{self, LanChannel, Outbox, Received, SessionInfo, Settings};
use crate::settings::model::{Address, LanConfig, Port};
use crate::wire::rmcp;

/// One LAN channel.
pub(super) struct LanSlot {
    id: LanId,
    config: LanConfig,
    channel: LanChannel,
    /// Whether its socket was asked for.
    open: bool,
    /// When that was.
    enabled: Moment,
}

impl LanSlot {
    pub(super) fn id(&self) -> LanId {
        self.id
    }

    /// What lan.conf says of it.
    pub(super) fn config(&self) -> &LanConfig {
        &self.config
    }

    pub(super) fn channel(&self) -> &LanChannel {
        &self.channel
    }

    /// Whether its socket was asked for.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }
}

/// The LAN channels of all controllers, what they want to send, and the random numbers they draw.
pub(super) struct LanChannels {
    slots: Vec<LanSlot>,
    /// Used again and again.
    outbox: Outbox,
    random: Box<dyn Random + Send>,
}

impl LanChannels {
    pub(super) fn new(random: Box<dyn Random + Send>) -> Self {
        Self { slots: Vec::new(), outbox: Outbox::default(), random }
    }

    /// One more, not open yet.
    pub(super) fn add(&mut self, mc: McAddress, config: LanConfig, guid: [u8; 16]) {
        let udp_port = match config.address.as_ref().map(|address| &address.port) {
            Some(Port::Number(port)) => *port,
            _ => 0,
        };
        let advertised_port = config.advertised_port;
        let channel = LanChannel::new(Settings { channel: config.channel, guid, udp_port, advertised_port });
        let id = LanId { mc, channel: config.channel };
        // Most controllers have one.
        self.slots.reserve_exact(1);
        self.slots.push(LanSlot { id, config, channel, open: false, enabled: Moment::default() });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &LanSlot> {
        self.slots.iter()
    }

    /// Those of one controller.
    pub(super) fn of(&self, mc: McAddress) -> impl Iterator<Item = &LanSlot> {
        self.slots.iter().filter(move |slot| slot.id.mc == mc)
    }

    /// Which those are.
    pub(super) fn ids_of(&self, mc: McAddress) -> Vec<LanId> {
        self.of(mc).map(LanSlot::id).collect()
    }

    pub(super) fn get(&self, lan: LanId) -> Option<&LanSlot> {
        self.slots.iter().find(|slot| slot.id == lan)
    }

    fn get_mut(&mut self, lan: LanId) -> Option<&mut LanSlot> {
        self.slots.iter_mut().find(|slot| slot.id == lan)
    }

    /// A session of a channel.
    pub(super) fn session(&self, lan: LanId, session: SessionId) -> Option<SessionInfo> {
        self.get(lan)?.channel.session(session)
    }

    /// Takes over what lan.conf says.
    pub(super) fn configure(&mut self, lan: LanId, config: LanConfig) {
        if let Some(slot) = self.get_mut(lan) {
            slot.config = config;
        }
    }

    /// Where a channel is, whatever lan.conf says.
    pub(super) fn set_address(&mut self, lan: LanId, address: Option<Address>) {
        if let Some(slot) = self.get_mut(lan) {
            slot.config.address = address;
        }
    }

    pub(super) fn set_guid(&mut self, lan: LanId, guid: [u8; 16]) {
        if let Some(slot) = self.get_mut(lan) {
            slot.channel.set_guid(guid);
        }
    }

    /// Has clients told another port than that of the socket, or that one again. Gives the port that they are told.
    pub(super) fn advertise(&mut self, lan: LanId, port: Option<u16>) -> Option<u16> {
        let slot = self.get_mut(lan)?;
        slot.channel.set_advertised_port(port);
        Some(slot.channel.settings().told_port())
    }

    /// The socket of a channel is to be opened. Gives the channel, unless that was asked for before.
    pub(super) fn open(&mut self, now: Moment, lan: LanId) -> Option<&LanSlot> {
        let slot = self.get_mut(lan).filter(|slot| !slot.open)?;
        (slot.open, slot.enabled) = (true, now);
        Some(slot)
    }

    /// The socket is open at this port. Gives when that was asked for.
    fn opened(&mut self, lan: LanId, udp_port: u16) -> Option<Moment> {
        let slot = self.get_mut(lan)?;
        slot.channel.set_udp_port(udp_port);
        Some(slot.enabled)
    }

    /// Has commands that the channels answer themselves told as events, as far as messages are shown.
    pub(super) fn set_debug(&mut self, debug: Debug) {
        self.outbox.watched = debug.messages;
    }

    /// Random numbers, for what belongs to a channel.
    pub(super) fn random(&mut self) -> &mut dyn Random {
        self.random.as_mut()
    }

    /// A datagram came in. It is decrypted in place.
    fn receive<'a>(
        &mut self,
        now: Moment,
        lan: LanId,
        from: Peer,
        bytes: &'a mut [u8],
        authority: &LanAuthority<'_>,
    ) -> Received<'a> {
        match self.slots.iter_mut().find(|slot| slot.id == lan) {
            Some(slot) => slot.channel.receive(now, from, bytes, authority, self.random.as_mut(), &mut self.outbox),
            None => Received::Handled,
        }
    }

    /// Sessions have ended: of many systems few are used at a time.
    fn give_back(&mut self) {
        if self.slots.iter_mut().all(|slot| slot.channel.give_back()) && self.outbox.is_empty() {
            self.outbox.give_back();
        }
    }

    /// When a channel wants to be called next.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.slots.iter().filter_map(|slot| slot.channel.deadline()).min()
    }

    /// The channels that want to be called now.
    fn due(&self, now: Moment) -> Vec<LanId> {
        let due = |slot: &&LanSlot| slot.channel.deadline().is_some_and(|deadline| deadline <= now);
        self.slots.iter().filter(due).map(LanSlot::id).collect()
    }
}

impl Simulator {
    /// The socket of a LAN channel is open.
    pub(super) fn lan_opened(&mut self, lan: LanId, local: SocketAddr, served: Served) {
        if let (Some(enabled), SocketAddr::V4(address)) = (self.lans.opened(lan, local.port()), local) {
            let since = enabled.seconds() as u32;
            self.machine.shelf.manager = Some(ManagerAddress { since, address });
        }
        if let Some(sol) = self.machine.controller_mut(lan.mc).and_then(|controller| controller.sol.as_mut())
            && sol.lan.is_none_or(|(first, _)| lan.channel <= first)
        {
            let told = self.lans.get(lan).map_or(local.port(), |slot| slot.channel.settings().told_port());
            sol.lan = Some((lan.channel, told));
        }
        let controller = self.machine.controller_mut(lan.mc);
        if let Some(channel) = controller.and_then(|controller| controller.channels.lan_mut(lan.channel)) {
            channel.parameters.served = served;
            channel.parameters.local = Some(local.ip());
        }
    }

    /// A datagram came in. It is decrypted in place.
    pub(super) fn datagram(&mut self, now: Moment, lan: LanId, from: Peer, bytes: &mut [u8], out: &mut Effects) {
        match self.faults {
            None => self.arrived(now, lan, from, bytes, out),
            Some(_) => self.faulty_arrival(now, lan, from, bytes, out),
        }
    }

    /// The same behind what faults do.
    pub(super) fn arrived(&mut self, now: Moment, lan: LanId, from: Peer, bytes: &mut [u8], out: &mut Effects) {
        self.trace_datagram(trace::Way::In, lan, from, bytes, out);
        out.count(|tally| tally.datagrams_received += 1);
        self.lans.outbox.reports = self.is_counted(out);
        let refuses = self.faults.is_some() && self.refuses_session(now, lan, from, bytes);
        let Some(controller) = self.machine.controller_mut(lan.mc) else { return };
        if let Some(channel) = controller.channels.lan_mut(lan.channel) {
            channel.statistics.count_received();
            if rmcp::Repr::parse(bytes).is_ok() {
                channel.statistics.count_valid_rmcp();
            }
        }
        let Some(authority) = LanAuthority::of(controller, &self.commands, lan.channel) else { return };
        let authority = if refuses { authority.refusing() } else { authority };
        let received = self.lans.receive(now, lan, from, bytes, &authority);
        // Answers given by the channel itself go first: they belong to what came before, as do requests
        // that waited there, which may have lowered a limit.
        let limits_may_differ = !self.lans.outbox.events.is_empty();
        if !self.lans.outbox.is_empty() || limits_may_differ {
            self.flush_outbox(now, lan, out);
        }
        match received {
            Received::Handled => {}
            Received::Request { response_to, request } => {
                let request =
                    if limits_may_differ { self.under_limits(lan, response_to.session, request) } else { request };
                self.lan_request(now, lan, response_to, &request, out);
            }
            Received::Response { response_to, data: _, origin } => {
                self.unexpected_response(now, lan, response_to, origin, out);
            }
            Received::Sol { session, payload } => self.sol_payload(now, lan, session, payload, out),
        }
    }

    /// A request in a session, with the level that the session has now.
    fn lan_request(&mut self, now: Moment, lan: LanId, to: lan::ResponseTo, request: &Request<'_>, out: &mut Effects) {
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

    /// Lets a LAN channel send something.
    pub(super) fn send_over_lan(
        &mut self,
        now: Moment,
        lan: LanId,
        out: &mut Effects,
        send: impl FnOnce(&mut LanChannel, &mut dyn Random, &mut Outbox),
    ) {
        if let Some(slot) = self.lans.slots.iter_mut().find(|slot| slot.id == lan) {
            send(&mut slot.channel, self.lans.random.as_mut(), &mut self.lans.outbox);
            self.flush_outbox(now, lan, out);
        }
    }

    /// Moves what a LAN channel wants to send into the effects.
    fn flush_outbox(&mut self, now: Moment, lan: LanId, out: &mut Effects) {
        let sent = self.lans.outbox.len();
        self.count(lan, |statistics| statistics.count_sent(sent));
        out.count(|tally| tally.datagrams_sent += sent as u64);
        for (to, datagram) in self.lans.outbox.datagrams() {
            self.trace_datagram(trace::Way::Out, lan, to, datagram, out);
            let start = out.bytes.len();
            out.bytes.extend_from_slice(datagram);
            match self.faults.as_deref_mut() {
                None => out.list.push(Effect::Send { lan, to, start, end: out.bytes.len() }),
                Some(faults) => faults.send(now, lan, to, start, out),
            }
        }
        let events = std::mem::take(&mut self.lans.outbox.events);
        self.lans.outbox.clear();
        let ended = events.iter().any(|event| matches!(event, lan::Event::Closed { .. }));
        for event in events {
            self.lan_event(now, lan, event, out);
        }
        if ended {
            self.lans.give_back();
        }
    }

    /// Sends a trap from a channel's socket.
    pub(super) fn send_trap(&mut self, now: Moment, lan: LanId, to: SocketAddrV4, trap: &[u8], out: &mut Effects) {
        let to = Peer::from(SocketAddr::V4(to));
        self.count(lan, |statistics| statistics.count_sent(1));
        out.count(|tally| {
            tally.datagrams_sent += 1;
            tally.traps_sent += 1;
        });
        self.trace_trap(lan, to, trap, out);
        let start = out.bytes.len();
        out.bytes.extend_from_slice(trap);
        match self.faults.as_deref_mut() {
            None => out.list.push(Effect::Send { lan, to, start, end: out.bytes.len() }),
            Some(faults) => faults.send(now, lan, to, start, out),
        }
    }

    fn lan_event(&mut self, now: Moment, lan: LanId, event: lan::Event, out: &mut Effects) {
        match event {
            lan::Event::Opened { session } => {
                out.count(|tally| tally.sessions_opened += 1);
                self.count_sessions(lan);
                self.tell_login(lan, session);
            }
            lan::Event::Closed { session } => {
                out.count(|tally| tally.sessions_closed += 1);
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
            lan::Event::TrapAcknowledged(acknowledgement) => {
                if let Some(mut at) = self.machine.at(lan.mc) {
                    bmc::pef::alerts::acknowledged(&mut at, now, &acknowledgement);
                }
                self.carry_out_actions(now, out);
            }
            lan::Event::Dropped(reason) => out.count(|tally| tally.drops(reason)),
            lan::Event::Answered { netfn, cmd, code } => self.count_request(Answered { netfn, cmd, code }, out),
            lan::Event::Refused { from, reason } => {
                self.count_failed_login(reason, out);
                let (LanId { mc, channel }, client) = (lan, from.address);
                self.machine.watch.tell(|| bmc::watch::Event::LoginFailed { mc, channel, client, reason });
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
        if !self.machine.watch.is_on() {
            return;
        }
        if let Some(session) = self.lans.session(lan, session) {
            let user_name = self.user_name(lan.mc, session.user);
            self.machine.watch.tell(|| bmc::watch::Event::LoggedIn {
                mc: lan.mc,
                channel: lan.channel,
                user: session.user,
                user_name,
                limit: session.limit,
                client: session.peer.address,
            });
        }
    }

    /// Get Channel Info reports how many sessions a channel has.
    fn count_sessions(&mut self, lan: LanId) {
        if let Some(slot) = self.lans.get(lan)
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
        user: UserNumber,
        spared: Option<(LanId, SessionId)>,
        out: &mut Effects,
    ) {
        for lan in self.lans.ids_of(mc) {
            let spared = spared.filter(|(on, _)| *on == lan).map(|(_, session)| session);
            self.send_over_lan(now, lan, out, |channel, _, outbox| {
                channel.close_sessions_of_user(user, spared, outbox);
            });
        }
    }

    /// The sessions with a controller end.
    pub(super) fn end_sessions(&mut self, now: Moment, mc: McAddress, out: &mut Effects) {
        for lan in self.lans.ids_of(mc) {
            self.send_over_lan(now, lan, out, |channel, _, outbox| {
                let sessions: Vec<SessionId> = channel.sessions().map(|session| session.id).collect();
                for session in sessions {
                    channel.close_session(session, outbox);
                }
            });
        }
    }

    /// Does what is due on LAN channels.
    pub(super) fn lan_timeout(&mut self, now: Moment, out: &mut Effects) {
        self.lans.outbox.reports = self.is_counted(out);
        for lan in self.lans.due(now) {
            let Some(slot) = self.lans.slots.iter_mut().find(|slot| slot.id == lan) else { continue };
            let Some(authority) = LanAuthority::new(&self.machine, &self.commands, lan) else { continue };
            slot.channel.timeout(now, &authority, self.lans.random.as_mut(), &mut self.lans.outbox);
            self.flush_outbox(now, lan, out);
        }
    }
}
