//! Faults on purpose: which are in force, and what strikes whom.
//!
//! Owns the faults of one system, the datagrams and responses that they hold back, and how often each has struck. Where
//! none is set there is no [`Faults`] at all. Draws its lots from a generator of its own, by counting: the same seed and the
//! same events strike the same. Nobody else loses, changes or holds back what goes in and out.

mod device;
mod held;
mod lots;

use std::net::IpAddr;
use std::time::Duration;

use super::Simulator;
use super::effect::{Effect, Effects, LanId};
use super::return_path::{Requester, ReturnPath};
use super::waiting::Execution;
use crate::bmc::LogLevel;
use crate::bmc::watch::Event;
use crate::ipmi::{ChannelNumber, CompletionCode, McAddress, Moment, Peer, Request, Response, netfn};
use crate::settings::fault::{Fault, FaultCommand, Kind, Scope, Way};
use held::{Held, Late, Line};

/// Most faults of a system at a time.
const MOST: usize = 64;
/// Chassis Control (IPMI 2.0 section 28.3).
const CHASSIS_CONTROL: u8 = 0x02;

/// A fault that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultView {
    /// Its number: the first of a system is 1.
    pub number: u32,
    /// What it is.
    pub fault: Fault,
    /// How often it has struck.
    pub struck: u64,
    /// How much longer it is in force.
    pub left: Option<Duration>,
}

/// A fault, and what has become of it.
struct InForce {
    number: u32,
    fault: Fault,
    until: Option<Moment>,
    /// How many lots were drawn for it.
    drawn: u64,
    struck: u64,
}

impl InForce {
    fn is_over(&self, now: Moment) -> bool {
        self.until.is_some_and(|until| until <= now)
            || self.fault.count.is_some_and(|count| self.struck >= u64::from(count))
    }
}

/// What a fault may strike.
#[derive(Clone, Copy)]
struct Occasion {
    mc: McAddress,
    channel: Option<ChannelNumber>,
    client: Option<IpAddr>,
    /// Network function and command.
    command: Option<(u8, u8)>,
    way: Option<Way>,
}

impl Occasion {
    fn is_in(&self, scope: &Scope) -> bool {
        scope.mc.is_none_or(|mc| mc == self.mc)
            && scope.channel.is_none_or(|channel| self.channel == Some(channel))
            && scope.client.is_none_or(|prefix| self.client.is_some_and(|client| prefix.contains(client)))
            && scope.command.is_none_or(|which| self.command.is_some_and(|(netfn, cmd)| which.is(netfn, cmd)))
            && scope.way.is_none_or(|way| self.way == Some(way))
    }
}

/// What becomes of a datagram.
struct Passage {
    /// How many arrive.
    copies: usize,
    /// How many bytes of it.
    length: usize,
    /// When, if later.
    late: Option<Late>,
}

/// What becomes of a request.
pub(super) enum Course {
    /// It is executed.
    Executed(Odd),
    /// The faults have dealt with it.
    Over,
}

/// What is odd about how a request is executed.
#[derive(Clone, Copy, Default)]
pub(super) struct Odd {
    /// It is answered no earlier than this after it came.
    pub(super) delay: Duration,
    /// Afterwards nobody is served, for so long.
    pub(super) offline: Option<Duration>,
    /// What is not so in the flags of a reading.
    flags: device::Flags,
}

/// The faults of one system.
pub(super) struct Faults {
    seed: u64,
    /// The number of the last one.
    last: u32,
    list: Vec<InForce>,
    held: Held,
    /// The kinds that have struck and are not counted yet.
    uncounted: Vec<Kind>,
    /// What SOL ports have said and nobody has heard.
    stalled: Vec<(McAddress, Vec<u8>)>,
    /// The command whose response is being sent.
    responding: Option<(u8, u8)>,
}

impl Faults {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            last: 0,
            list: Vec::new(),
            held: Held::default(),
            uncounted: Vec::new(),
            stalled: Vec::new(),
            responding: None,
        }
    }

    /// One more. Gives its number; `None` when there are too many.
    fn set(&mut self, now: Moment, fault: Fault) -> Option<u32> {
        if self.list.len() >= MOST {
            return None;
        }
        self.last = self.last.wrapping_add(1);
        let until = fault.lasts.map(|lasts| now + lasts);
        self.list.push(InForce { number: self.last, fault, until, drawn: 0, struck: 0 });
        Some(self.last)
    }

    /// The faults that strike now, of those that `may`, each with a random number; after one that leaves nothing there is
    /// no other.
    fn strike(&mut self, now: Moment, occasion: &Occasion, may: impl Fn(&Fault) -> bool) -> Vec<(Kind, u64)> {
        let mut struck = Vec::new();
        for one in &mut self.list {
            if one.is_over(now) || !occasion.is_in(&one.fault.scope) || !may(&one.fault) {
                continue;
            }
            let lot = lots::draw(self.seed, one.number, one.drawn);
            one.drawn += 1;
            if lot % 1_000_000 >= u64::from(one.fault.chance.parts()) {
                continue;
            }
            one.struck += 1;
            let kind = one.fault.kind;
            struck.push((kind, lots::next(lot)));
            self.uncounted.push(kind);
            if matches!(kind, Kind::Lose | Kind::Hang | Kind::DropSession) {
                break;
            }
        }
        struck
    }

    /// What becomes of a datagram on its way, whose bytes are changed in place.
    fn pass(&mut self, now: Moment, line: Line, bytes: &mut [u8]) -> Passage {
        let in_clear = device::without_session(bytes);
        let command = self.responding.filter(|_| line.way == Way::Out).or(in_clear);
        let occasion = Occasion {
            mc: line.lan.mc,
            channel: Some(line.lan.channel),
            client: Some(line.peer.ip()),
            command,
            way: Some(line.way),
        };
        let code = (line.way == Way::Out).then(|| code_of(bytes)).flatten();
        let may = |fault: &Fault| match fault.kind {
            Kind::Lose | Kind::Delay { .. } | Kind::Duplicate | Kind::Reorder { .. } => true,
            Kind::Corrupt | Kind::Truncate => !bytes.is_empty(),
            Kind::WrongCode => code.is_some(),
            // Of a command it is the request that hangs.
            Kind::Hang => fault.scope.command.is_none() || line.way == Way::In && in_clear.is_some(),
            _ => false,
        };
        let struck = self.strike(now, &occasion, may);
        let mut passage = Passage { copies: 1, length: bytes.len(), late: None };
        for (kind, lot) in struck {
            match kind {
                Kind::Lose | Kind::Hang => passage.copies = 0,
                Kind::Duplicate => passage.copies = 2,
                Kind::Delay { by, jitter } => {
                    let before = passage.late.map_or(Duration::ZERO, |late| late.by);
                    passage.late = Some(Late { by: before + by + lots::below(lot, jitter), until_next: false });
                }
                Kind::Reorder { within } if passage.late.is_none() => {
                    passage.late = Some(Late { by: within, until_next: true });
                }
                Kind::Corrupt => invert(bytes, lot),
                Kind::Truncate => passage.length = lots::index(lot, passage.length).max(1),
                Kind::WrongCode => {
                    if let Some(byte) = code.and_then(|at| bytes.get_mut(at)) {
                        *byte ^= 0xff;
                    }
                }
                _ => {}
            }
        }
        passage
    }

    /// A datagram whose bytes are at the end of [`Effects::bytes`], from `start` on, goes out, or does not.
    pub(super) fn send(&mut self, now: Moment, lan: LanId, to: Peer, start: usize, out: &mut Effects) {
        let line = Line { lan, peer: to, way: Way::Out };
        let Some(bytes) = out.bytes.get_mut(start..) else { return };
        let Passage { copies, length, late } = self.pass(now, line, bytes);
        let end = start + length;
        match late {
            Some(late) if copies > 0 => {
                let bytes = out.bytes.get(start..end).unwrap_or_default();
                (0..copies).for_each(|_| self.held.datagram(now, line, late, bytes));
                out.bytes.truncate(start);
            }
            _ if copies == 0 => out.bytes.truncate(start),
            _ => {
                out.bytes.truncate(end);
                out.list.extend((0..copies).map(|_| Effect::Send { lan, to, start, end }));
                self.held.overtaken(line).iter().for_each(|bytes| send(lan, to, bytes, out));
            }
        }
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let ends = self.list.iter().filter_map(|one| one.until);
        ends.chain(self.held.deadline()).min()
    }

    fn views(&self, now: Moment) -> impl Iterator<Item = FaultView> {
        self.list.iter().map(move |one| FaultView {
            number: one.number,
            fault: one.fault.clone(),
            struck: one.struck,
            left: one.until.map(|until| until.since(now)),
        })
    }
}

/// In milliseconds, as executions have it.
pub(super) fn milliseconds(delay: Duration) -> u32 {
    u32::try_from(delay.as_millis()).unwrap_or(u32::MAX)
}

/// Appends a datagram to what is sent.
fn send(lan: LanId, to: Peer, bytes: &[u8], out: &mut Effects) {
    let start = out.bytes.len();
    out.bytes.extend_from_slice(bytes);
    out.list.push(Effect::Send { lan, to, start, end: out.bytes.len() });
}

/// A bit becomes the other.
fn invert(bytes: &mut [u8], lot: u64) {
    let bit = lots::index(lot, bytes.len() * 8);
    if let Some(byte) = bytes.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
}

/// Where a byte of the authentication code (IPMI 1.5, table 13-8) or integrity check value (RMCP+) of a datagram is; `None`
/// where there is none.
fn code_of(datagram: &[u8]) -> Option<usize> {
    /// Authentication type or format, behind the RMCP header.
    const FORMAT: usize = 4;
    /// Payload type of RMCP+; bit 6: authenticated.
    const PAYLOAD_TYPE: usize = 5;
    /// First byte of the code of IPMI 1.5.
    const CODE: usize = 13;
    match (datagram.get(3)?, datagram.get(FORMAT)?) {
        (7, 0) => None,
        (7, 6) => (datagram.get(PAYLOAD_TYPE)? & 0x40 != 0).then(|| datagram.len() - 1),
        (7, _) => (datagram.len() > CODE).then_some(CODE),
        _ => None,
    }
}

impl Simulator {
    /// The faults that are in force, in the order in which they were set.
    pub fn faults(&self, now: Moment) -> Vec<FaultView> {
        self.faults.as_ref().map(|faults| faults.views(now).collect()).unwrap_or_default()
    }

    /// How many faults are in force.
    pub fn fault_count(&self) -> usize {
        self.faults.as_ref().map_or(0, |faults| faults.list.len())
    }

    /// `fault`: gives what a console shows, or why it is not done.
    pub(super) fn fault(&mut self, now: Moment, command: &FaultCommand, out: &mut Effects) -> Result<String, String> {
        match command {
            FaultCommand::Set(faults) => faults.iter().map(|fault| self.set_fault(now, fault, out)).collect(),
            FaultCommand::End(number) => self.end_faults(now, |one| one == *number, out),
            FaultCommand::EndAll => self.end_faults(now, |_| true, out).or(Ok(String::new())),
        }
    }

    fn set_fault(&mut self, now: Moment, fault: &Fault, out: &mut Effects) -> Result<String, String> {
        if let Some(mc) = fault.scope.mc.filter(|mc| self.machine.controller(*mc).is_none()) {
            return Err(format!("there is no MC {mc:#04x}"));
        }
        if self.faults.is_none() {
            self.faults = Some(Box::new(Faults::new(self.seed())));
        }
        let number = self.faults.as_mut().and_then(|faults| faults.set(now, fault.clone()));
        let number = number.ok_or_else(|| format!("{MOST} faults are in force, and there is no room for more"))?;
        let mc = fault.scope.mc.or(self.machine.bmc).unwrap_or(McAddress::BMC);
        self.states_change(now, fault, device::Change::Begins);
        self.machine.watch.tell(|| Event::FaultSet { mc, number, fault: fault.to_string() });
        let text = format!("Fault {number}: {fault}");
        out.list.push(Effect::Log { level: LogLevel::Info, text: format!("{text} is in force") });
        Ok(text + "\n")
    }

    fn end_faults(&mut self, now: Moment, is_meant: impl Fn(u32) -> bool, out: &mut Effects) -> Result<String, String> {
        let ended: Vec<InForce> = match self.faults.as_mut() {
            Some(faults) => faults.list.extract_if(.., |one| is_meant(one.number)).collect(),
            None => Vec::new(),
        };
        if ended.is_empty() {
            return Err("there is no such fault; faults lists those in force".into());
        }
        self.tell_ended(now, ended, out);
        Ok(String::new())
    }

    fn tell_ended(&mut self, now: Moment, ended: Vec<InForce>, out: &mut Effects) {
        for InForce { number, fault, struck, .. } in ended {
            self.states_change(now, &fault, device::Change::Ends);
            let mc = fault.scope.mc.or(self.machine.bmc).unwrap_or(McAddress::BMC);
            let text = format!("Fault {number}: {fault} has ended; it struck {struck} times");
            out.list.push(Effect::Log { level: LogLevel::Info, text });
            self.machine.watch.tell(|| Event::FaultEnded { mc, number, fault: fault.to_string() });
        }
    }

    /// Counts what struck, and ends what is over. When nothing is left, nothing costs anything.
    pub(super) fn settle_faults(&mut self, now: Moment, out: &mut Effects) {
        let Some(faults) = self.faults.as_deref_mut() else { return };
        for kind in faults.uncounted.drain(..) {
            out.count(|tally| tally.faults(kind));
        }
        let ended: Vec<InForce> = faults.list.extract_if(.., |one| one.is_over(now)).collect();
        self.tell_ended(now, ended, out);
        self.release_sol(now, out);
        self.faults.take_if(|faults| faults.list.is_empty() && faults.held.is_empty());
    }

    /// Does what is due: what was held back goes on its way.
    pub(super) fn faults_timeout(&mut self, now: Moment, out: &mut Effects) {
        while let Some((Line { lan, peer, way }, mut bytes)) =
            self.faults.as_mut().and_then(|faults| faults.held.due_datagram(now))
        {
            match way {
                Way::In => self.arrived(now, lan, peer, &mut bytes, out),
                Way::Out => send(lan, peer, &bytes, out),
            }
        }
        while let Some((path, response)) = self.faults.as_mut().and_then(|faults| faults.held.due_response(now)) {
            self.answer(now, path, &response, out);
        }
    }

    /// A datagram is on its way in, and arrives or does not.
    pub(super) fn faulty_arrival(&mut self, now: Moment, lan: LanId, from: Peer, bytes: &mut [u8], out: &mut Effects) {
        let line = Line { lan, peer: from, way: Way::In };
        let Some(faults) = self.faults.as_deref_mut() else { return };
        let Passage { copies, length, late } = faults.pass(now, line, bytes);
        let Some(bytes) = bytes.get_mut(..length).filter(|_| copies > 0) else { return };
        if let Some(late) = late {
            (0..copies).for_each(|_| faults.held.datagram(now, line, late, bytes));
            return;
        }
        let mut overtaken = faults.held.overtaken(line);
        // It is decrypted in place.
        let mut others: Vec<Vec<u8>> = (1..copies).map(|_| bytes.to_vec()).collect();
        others.append(&mut overtaken);
        self.arrived(now, lan, from, bytes, out);
        for mut bytes in others {
            self.arrived(now, lan, from, &mut bytes, out);
        }
    }

    /// What becomes of a request to a controller.
    pub(super) fn faulty_request(
        &mut self,
        now: Moment,
        mc: McAddress,
        request: &Request<'_>,
        path: ReturnPath,
        out: &mut Effects,
    ) -> Course {
        let client = self.client_of(&path);
        let Some(faults) = self.faults.as_deref_mut() else { return Course::Executed(Odd::default()) };
        let asked = (request.netfn, request.cmd);
        let power = asked == (netfn::CHASSIS, CHASSIS_CONTROL);
        let command = Some((request.netfn, request.cmd));
        let occasion = Occasion { mc, channel: Some(request.origin.channel), client, command, way: Some(Way::In) };
        let may = |fault: &Fault| match fault.kind {
            Kind::Hang | Kind::Code(_) | Kind::Slow { .. } => true,
            Kind::Lose => fault.scope.command.is_some(),
            Kind::PowerIgnored | Kind::PowerFails { .. } => power,
            Kind::DropSession => matches!(path, ReturnPath::Lan(..)),
            kind => device::concerns(kind, asked, request.data),
        };
        let (mut odd, mut code) = (Odd::default(), None);
        for (kind, lot) in faults.strike(now, &occasion, may) {
            match kind {
                Kind::Hang | Kind::Lose => {
                    self.never_answered(now, path, out);
                    return Course::Over;
                }
                Kind::DropSession => {
                    if let ReturnPath::Lan(lan, to) = path {
                        self.send_over_lan(now, lan, out, |channel, _, outbox| {
                            channel.close_session(to.session, outbox);
                        });
                    }
                    return Course::Over;
                }
                Kind::Code(own) => code = code.or(Some(CompletionCode(own))),
                Kind::PowerIgnored => code = code.or(Some(CompletionCode::OK)),
                Kind::Slow { by, jitter } => odd.delay += by + lots::below(lot, jitter),
                Kind::PowerFails { after } => {
                    odd.delay += after;
                    code = code.or(Some(CompletionCode::UNSPECIFIED));
                }
                Kind::OfflineAfterReset { lasts } => odd.offline = Some(lasts),
                Kind::SdrBusy => self.reserve_sdrs(mc),
                kind => odd.flags.take(kind),
            }
        }
        let Some(code) = code else { return Course::Executed(odd) };
        let execution = Execution { mc, origin: request.origin, path, begun: now, delay: milliseconds(odd.delay) };
        self.answer_in_time(now, &execution, &Response::with_code(&request.origin, code), out);
        Course::Over
    }

    /// A request gets no response; the same one once more is another.
    fn never_answered(&mut self, now: Moment, path: ReturnPath, out: &mut Effects) {
        if let ReturnPath::Lan(lan, to) = path {
            self.send_over_lan(now, lan, out, |channel, _, _| channel.forget(&to));
        }
    }

    /// Where the client is that a response goes to.
    fn client_of(&self, path: &ReturnPath) -> Option<IpAddr> {
        match (path, path.requester()) {
            (ReturnPath::Lan(_, to), _) => Some(to.peer.ip()),
            (_, Requester::Session(lan, session)) => Some(self.lans.session(lan, session)?.peer.ip()),
            _ => None,
        }
    }

    /// What is sent now is the response to this command, or no longer.
    pub(super) fn responding(&mut self, command: Option<(u8, u8)>) {
        if let Some(faults) = self.faults.as_deref_mut() {
            faults.responding = command;
        }
    }

    /// Sends a response on its way, or holds it back until its time.
    pub(super) fn answer_in_time(
        &mut self,
        now: Moment,
        execution: &Execution,
        response: &Response,
        out: &mut Effects,
    ) {
        let due = execution.begun + Duration::from_millis(execution.delay.into());
        if due > now
            && let Some(faults) = self.faults.as_deref_mut()
            && faults.held.response(due, execution.path, response)
        {
            return;
        }
        self.answer(now, execution.path, response, out);
    }
}
