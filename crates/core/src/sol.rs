//! Serial over LAN: the engine between a session and a serial port.
//!
//! Owns packet sequence, acknowledgement, retry, accumulation and buffers of one port
//! (`sol.md` sections 4 to 7, 9). Knows nothing of sessions but a number, nothing of the
//! port but bytes; opens neither.

mod outbox;
mod player;
mod port;
mod receiver;
mod sender;
mod telnet;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use crate::ipmi::{Moment, SessionId};
use crate::wire::sol::{MAX_DATA, Operation, Packet, Status};
use port::{Escaping, PortQueue};
use receiver::{Acknowledgement, Receiver, Verdict};
use sender::{Acknowledged, Counting, Due, Sender, Sequence};

pub use outbox::{Outbox, Output};
pub use player::Player;

/// Data bytes in a packet of history.
const HISTORY_PACKET: usize = 64;
/// Bytes from the port that may wait for the console. The port is not read while so many do.
const OUTPUT_CAPACITY: usize = 16384;
/// The same with a history: the port is read all the same, and what is above is lost to
/// the console.
const OUTPUT_CAPACITY_WITH_HISTORY: usize = 65536;

/// How long a packet that came while the port took nothing is kept, to be taken and
/// acknowledged when the port goes on. It is not answered meanwhile: consoles lose what is
/// refused, or send it again without a pause, but all of them wait for a response. ipmitool
/// waits a second and then sends the characters under a new number, so a response must not
/// come later.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often a break is told in a packet of its own, at most.
const BREAK_PAUSE: Duration = Duration::from_millis(100);

/// What happened on the line of the port, besides characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEvent {
    /// A break was received.
    Break,
    /// What is at the other end is there: its DTR is raised (our DSR, or DCD).
    Ready,
    /// It was there and dropped the line.
    NotReady,
}

/// How a port is to be treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The port speaks telnet.
    pub telnet: bool,
    /// The port is a tty: it has modem lines and a real break.
    pub tty: bool,
    /// The port is always read, so that the history is complete.
    pub history: bool,
}

/// When packets are sent (SOL configuration parameters 3 and 4, IPMI 2.0 table 26-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long to wait for more before a packet that is not full is sent; zero sends at once.
    pub accumulate: Duration,
    /// How many bytes are enough to send at once.
    pub threshold: u8,
    /// How often a packet is sent again, 0 to 7.
    pub retries: u8,
    /// How long to wait for an acknowledgement; more than zero.
    pub retry_interval: Duration,
}

impl Default for Timing {
    /// What the original does: sent at once, six sends one second apart.
    fn default() -> Self {
        Self { accumulate: Duration::ZERO, threshold: 1, retries: 5, retry_interval: Duration::from_secs(1) }
    }
}

/// Modem lines of the port, seen from the BMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModemLines {
    /// Request to send.
    pub rts: bool,
    /// Data terminal ready.
    pub dtr: bool,
}

impl ModemLines {
    const RAISED: Self = Self { rts: true, dtr: true };
    const DROPPED: Self = Self { rts: false, dtr: false };
}

/// A packet with characters that came while the port took nothing.
#[derive(Debug)]
struct Parked {
    since: Moment,
    packet: Vec<u8>,
}

/// The SOL engine of one controller.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    timing: Timing,
    /// Holder of instance 1.
    session: Option<SessionId>,
    to_console: Sender,
    sequences: Sequence,
    from_console: Receiver,
    /// Bytes for the console were lost since the last packet.
    overrun: bool,
    to_port: PortQueue,
    /// The packet that waits for the port.
    parked: Option<Parked>,
    lines: ModemLines,
    /// Whether the other end of an open port is there, as far as the modem lines tell.
    ready: bool,
    /// A break came that no packet has told of.
    break_seen: bool,
    /// When a break was told in a packet of its own.
    break_told: Option<Moment>,
    telnet: telnet::Connection,
    aside: telnet::Aside,
    /// What the last read from a telnet port held.
    decoded: Vec<u8>,
    /// Holder of instance 2.
    history_session: Option<SessionId>,
    history: Sender,
    history_sequences: Sequence,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Engine {
    /// An engine for a port that is not open yet.
    pub fn new(settings: Settings) -> Self {
        let escaping = if settings.telnet { Escaping::Telnet } else { Escaping::Plain };
        Self {
            settings,
            timing: Timing::default(),
            session: None,
            to_console: Sender::new(MAX_DATA, Counting::Exact),
            sequences: Sequence::START,
            from_console: Receiver::default(),
            overrun: false,
            to_port: PortQueue::new(escaping),
            parked: None,
            lines: ModemLines::RAISED,
            ready: true,
            break_seen: false,
            break_told: None,
            telnet: telnet::Connection::default(),
            aside: telnet::Aside::default(),
            decoded: Vec::new(),
            history_session: None,
            history: Sender::new(HISTORY_PACKET, Counting::Whole),
            history_sequences: Sequence::START,
        }
    }

    /// Other times than the default ones; they hold from the next packet on.
    pub fn set_timing(&mut self, timing: Timing) {
        self.timing = timing;
    }

    /// A session activated instance 1. Everything between it and the BMC starts clean:
    /// sequence numbers, what waits for the console, pauses. What the session before typed
    /// and the port has not taken yet stays on its way: it was acknowledged.
    ///
    /// `auxiliary` is the first auxiliary byte of Activate Payload. With its bit 0 modem lines
    /// start dropped. The specification (table 24-2) has this in bit 1, which ipmitool and
    /// freeipmi always set without meaning it; who would follow it silences a host with
    /// hardware flow control until a key is pressed.
    pub fn activate(&mut self, _now: Moment, session: SessionId, auxiliary: u8, out: &mut Outbox) {
        self.start_clean();
        self.session = Some(session);
        if self.is_shared() {
            self.sequences = self.history_sequences;
        }
        let lines = if auxiliary & 0x01 == 0 { ModemLines::RAISED } else { ModemLines::DROPPED };
        self.set_lines(lines, out);
    }

    /// Instance 1 was deactivated, or its session ended.
    pub fn deactivate(&mut self, out: &mut Outbox) {
        if self.session.take().is_some() {
            self.start_clean();
            self.set_lines(ModemLines::DROPPED, out);
        }
    }

    fn start_clean(&mut self) {
        self.to_console.reset();
        self.sequences = Sequence::START;
        self.from_console = Receiver::default();
        self.parked = None;
        self.overrun = false;
        self.break_seen = false;
    }

    /// The session that holds instance 1.
    pub fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// Tells the holder of instance 1 that somebody else deactivates it, so that it does not
    /// wait in vain; to be called before [`deactivate`](Self::deactivate). freeipmi ends with
    /// "SOL session stolen". A session that deactivates its own must not get this: ipmitool
    /// would take it for the response.
    pub fn announce_deactivation(&mut self, out: &mut Outbox) {
        if let Some(session) = self.session {
            let header = Packet { control: Status::DEACTIVATING.0, ..Packet::default() };
            out.packet(session, |bytes| header.emit(bytes));
        }
    }

    /// Instance 2 was activated: `history`, which ends with the end message, is sent in
    /// packets of 64 bytes.
    pub fn activate_history(&mut self, now: Moment, session: SessionId, history: Vec<u8>, out: &mut Outbox) {
        self.history_session = Some(session);
        self.history.restart(now, VecDeque::from(history));
        self.history_sequences = Sequence::START;
        self.send(now, None, out);
    }

    /// Instance 2 was deactivated, or its session ended.
    pub fn deactivate_history(&mut self) {
        if self.history_session.take().is_some() {
            self.history.restart(Moment::default(), VecDeque::new());
        }
    }

    /// A SOL packet came from a session. Only the holder of an instance is listened to.
    pub fn from_console(&mut self, now: Moment, session: SessionId, payload: &[u8], out: &mut Outbox) {
        let Ok(packet) = Packet::parse(payload) else { return };
        let told = Acknowledged {
            sequence: packet.acknowledged,
            count: packet.accepted,
            nack: Operation(packet.control).contains(Operation::NACK),
        };
        if self.history_session == Some(session) {
            self.history.acknowledge(now, &Timing::default(), told);
            if self.session != Some(session) {
                self.history_input(session, &packet, out);
                self.send(now, None, out);
            }
        }
        if self.session == Some(session) {
            self.to_console.acknowledge(now, &self.timing, told);
            let answer = self.input(now, &packet, out);
            self.to_port.hand_over(out);
            self.send(now, answer, out);
        }
    }

    /// Executes operations and takes characters; the acknowledgement that is due.
    fn input(&mut self, now: Moment, packet: &Packet<'_>, out: &mut Outbox) -> Option<Acknowledgement> {
        if packet.sequence != 0
            && let Verdict::Known(answer) = self.from_console.judge(packet.sequence, packet.data)
        {
            return Some(answer);
        }
        let operation = Operation(packet.control);
        let mut go_on = false;
        if operation.contains(Operation::FLUSH_INBOUND) {
            self.parked = None;
            go_on = self.to_port.flush();
        }
        if packet.sequence != 0 && !packet.data.is_empty() && self.to_port.is_held() {
            self.park(now, packet);
            return None;
        }
        if operation.contains(Operation::FLUSH_OUTBOUND) {
            self.to_console.flush();
        }
        if operation.contains(Operation::BREAK) {
            self.send_break(out);
        }
        let rts = !operation.contains(Operation::CTS_PAUSE);
        let dtr = !operation.contains(Operation::DROP_DCD_DSR);
        self.set_lines(ModemLines { rts, dtr }, out);
        if packet.sequence != 0 {
            return Some(self.take(packet));
        }
        if go_on { self.from_console.last() } else { None }
    }

    fn take(&mut self, packet: &Packet<'_>) -> Acknowledgement {
        let (data, _) = packet.data.split_at(packet.data.len().min(MAX_DATA));
        self.to_port.take(data);
        self.from_console.take(packet.sequence, packet.data, data.len() as u8)
    }

    /// Keeps a packet until the port goes on.
    fn park(&mut self, now: Moment, packet: &Packet<'_>) {
        let mut bytes = self.parked.take().map(|parked| parked.packet).unwrap_or_default();
        // A console that goes on to other characters without a response (ipmitool takes output
        // from the port for one) believes that these were taken.
        if let Ok(before) = Packet::parse(&bytes)
            && before.sequence != packet.sequence
            && before.data != packet.data
            && !self.to_port.is_full()
        {
            self.take(&before);
        }
        bytes.clear();
        packet.emit(&mut bytes);
        self.parked = Some(Parked { since: now, packet: bytes });
    }

    /// A break goes ahead of what is typed and not yet under way, so that a port that takes
    /// nothing any more can still be shaken. A plain TCP stream has no break.
    fn send_break(&mut self, out: &mut Outbox) {
        if self.settings.tty {
            out.send_break();
        } else if self.settings.telnet {
            self.to_port.insert(telnet::BREAK);
        }
    }

    /// Sets the modem lines of a tty or of a console server's port, if they are not so already.
    /// With a history they stay raised all the time.
    fn set_lines(&mut self, lines: ModemLines, out: &mut Outbox) {
        if self.settings.history || self.lines == lines {
            return;
        }
        self.lines = lines;
        if self.settings.tty {
            out.modem_lines(lines);
        } else if self.telnet.controls_port() {
            let mut command = Vec::new();
            telnet::modem_lines(lines, &mut command);
            self.to_port.insert(&command);
            self.to_port.hand_over(out);
        }
    }

    /// The speed of the port shall be another. A tty is told by others; a console server behind
    /// telnet is told here.
    pub fn set_bit_rate(&mut self, bits_per_second: u32, out: &mut Outbox) {
        if self.telnet.controls_port() {
            let mut command = Vec::new();
            telnet::bit_rate(bits_per_second, &mut command);
            self.to_port.insert(&command);
            self.to_port.hand_over(out);
        }
    }

    /// Something happened on the line. The console is told: in the status of the next packet, or
    /// in one of its own when there is none.
    pub fn line(&mut self, now: Moment, event: LineEvent, out: &mut Outbox) {
        match event {
            LineEvent::Break => {
                self.break_seen = self.session.is_some();
                let soon = self.break_told.is_some_and(|told| now.since(told) < BREAK_PAUSE);
                if self.break_seen && !soon {
                    self.break_told = Some(now);
                    self.tell(out);
                }
            }
            LineEvent::Ready | LineEvent::NotReady => {
                let ready = event == LineEvent::Ready;
                if std::mem::replace(&mut self.ready, ready) != ready {
                    self.tell(out);
                }
            }
        }
    }

    /// Sends a status without anything else.
    fn tell(&mut self, out: &mut Outbox) {
        if let Some(session) = self.session {
            let header = self.header(0, None);
            out.packet(session, |bytes| header.emit(bytes));
        }
    }

    /// What is typed to the history is acknowledged and thrown away.
    fn history_input(&mut self, session: SessionId, packet: &Packet<'_>, out: &mut Outbox) {
        if packet.sequence != 0 {
            let accepted = packet.data.len().min(MAX_DATA) as u8;
            let answer =
                Packet { acknowledged: packet.sequence, accepted, control: HISTORY_STATUS.0, ..Packet::default() };
            out.packet(session, |bytes| answer.emit(bytes));
        }
    }

    /// The port was opened.
    pub fn port_opened(&mut self, _now: Moment, out: &mut Outbox) {
        self.to_port.open();
        self.ready = true;
        self.telnet = telnet::Connection::default();
        if self.settings.tty {
            out.modem_lines(self.lines);
        }
        if self.settings.telnet {
            self.to_port.insert(telnet::GREETING);
            self.to_port.hand_over(out);
        }
        self.tell(out);
    }

    /// The port was lost. The session stays, and what it types is dropped meanwhile.
    pub fn port_closed(&mut self, out: &mut Outbox) {
        self.parked = None;
        if self.to_port.close() {
            self.let_console_go_on(out);
        } else {
            self.tell(out);
        }
    }

    /// Bytes came from the port. What is returned is free of telnet: the history's share.
    pub fn from_port<'a>(&'a mut self, now: Moment, bytes: &'a [u8], out: &mut Outbox) -> &'a [u8] {
        if !self.settings.telnet {
            self.output(now, bytes, out);
            return bytes;
        }
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        let mut aside = std::mem::take(&mut self.aside);
        self.telnet.decode(bytes, &mut decoded, &mut aside);
        for event in aside.events.drain(..) {
            self.line(now, event, out);
        }
        if !aside.answers.is_empty() {
            self.to_port.insert(&aside.answers);
            self.to_port.hand_over(out);
            aside.answers.clear();
        }
        self.aside = aside;
        self.output(now, &decoded, out);
        self.decoded = decoded;
        &self.decoded
    }

    /// Tells whoever holds instance 1 something that the port did not say. A console that has much to
    /// read already has no need of it.
    pub fn remark(&mut self, now: Moment, text: &[u8], out: &mut Outbox) {
        if self.session.is_some() && self.to_console.len() < OUTPUT_CAPACITY {
            self.to_console.push(now, text);
            self.send(now, None, out);
        }
    }

    fn output(&mut self, now: Moment, bytes: &[u8], out: &mut Outbox) {
        if self.session.is_none() {
            return;
        }
        let fits = if self.settings.history {
            let room = OUTPUT_CAPACITY_WITH_HISTORY.saturating_sub(self.to_console.len());
            bytes.split_at(bytes.len().min(room)).0
        } else {
            // Who reads only when asked to brings at most one read more.
            bytes
        };
        self.overrun |= fits.len() < bytes.len();
        self.to_console.push(now, fits);
        self.send(now, None, out);
    }

    /// The port has taken `count` of the bytes it was given.
    pub fn port_written(&mut self, now: Moment, count: usize, out: &mut Outbox) {
        if self.to_port.written(count) {
            match self.parked.take().filter(|parked| now.since(parked.since) <= PATIENCE) {
                Some(parked) => {
                    if let Ok(packet) = Packet::parse(&parked.packet) {
                        let answer = self.input(now, &packet, out);
                        self.send(now, answer, out);
                    }
                }
                None => self.let_console_go_on(out),
            }
        }
        self.to_port.hand_over(out);
    }

    /// The console was told to wait: the last acknowledgement once more, now without NACK.
    fn let_console_go_on(&mut self, out: &mut Outbox) {
        if let (Some(session), Some(last)) = (self.session, self.from_console.last()) {
            let header = self.header(0, Some(last));
            out.packet(session, |bytes| header.emit(bytes));
        }
    }

    /// Whether the port should be read now.
    pub fn wants_port_data(&self) -> bool {
        self.settings.history || self.session.is_none() || self.to_console.len() < OUTPUT_CAPACITY
    }

    /// How many bytes from the port find room now, so that none is lost: any number while nobody holds it.
    pub fn room(&self) -> usize {
        match self.session {
            Some(_) => OUTPUT_CAPACITY.saturating_sub(self.to_console.len()),
            None => usize::MAX,
        }
    }

    /// When [`timeout`](Self::timeout) wants to be called next.
    pub fn deadline(&self) -> Option<Moment> {
        let live = if self.live_waits_for_history() { None } else { self.to_console.deadline(&self.timing) };
        let history = if self.history_waits_for_live() { None } else { self.history.deadline(&Timing::default()) };
        live.into_iter().chain(history).min()
    }

    /// Resends, gives up, sends what was accumulated.
    pub fn timeout(&mut self, now: Moment, out: &mut Outbox) {
        self.send(now, None, out);
    }

    /// Whether one session holds both instances. A packet does not say for which it is, so
    /// there they share the sequence numbers and only one has a packet outstanding.
    fn is_shared(&self) -> bool {
        self.session.is_some() && self.session == self.history_session
    }

    fn live_waits_for_history(&self) -> bool {
        self.is_shared() && !self.to_console.is_outstanding() && !self.history.is_empty()
    }

    fn history_waits_for_live(&self) -> bool {
        self.is_shared() && self.to_console.is_outstanding()
    }

    /// Sends what is due: of the history, of the port; the acknowledgement rides along or
    /// goes alone.
    fn send(&mut self, now: Moment, answer: Option<Acknowledgement>, out: &mut Outbox) {
        self.send_history(now, out);
        let Some(session) = self.session else { return };
        let due = if self.live_waits_for_history() {
            None
        } else {
            self.to_console.due(now, &self.timing, &mut self.sequences)
        };
        if let Some(due) = due {
            // A packet that is sent again says anew what was said last: it may have been lost with it.
            let answer = answer.or(if due.again { self.from_console.last() } else { None });
            let mut header = self.header(due.sequence, answer);
            if std::mem::take(&mut self.overrun) {
                header.control |= Status::OVERRUN.0;
            }
            emit(&self.to_console, &due, header, session, out);
        } else if let Some(answer) = answer {
            let header = self.header(0, Some(answer));
            out.packet(session, |bytes| header.emit(bytes));
        }
    }

    fn send_history(&mut self, now: Moment, out: &mut Outbox) {
        let Some(session) = self.history_session else { return };
        if self.history_waits_for_live() {
            return;
        }
        let sequences = if self.is_shared() { &mut self.sequences } else { &mut self.history_sequences };
        if let Some(due) = self.history.due(now, &Timing::default(), sequences) {
            let header = Packet { sequence: due.sequence, control: HISTORY_STATUS.0, ..Packet::default() };
            emit(&self.history, &due, header, session, out);
        }
    }

    fn header(&mut self, sequence: u8, answer: Option<Acknowledgement>) -> Packet<'static> {
        let mut control = 0;
        if !(self.to_port.is_open() && self.ready) {
            control |= Status::UNAVAILABLE.0;
        }
        if std::mem::take(&mut self.break_seen) {
            control |= Status::BREAK.0;
        }
        let Some(answer) = answer else { return Packet { sequence, control, ..Packet::default() } };
        if self.to_port.is_held() {
            control |= Status::NACK.0;
        }
        Packet { sequence, acknowledged: answer.sequence, accepted: answer.accepted, control, data: &[] }
    }
}

/// Instance 2 takes no input and always says so, as the original does.
const HISTORY_STATUS: Status = Status::NACK;

/// Sends what is due behind `header`.
fn emit(sender: &Sender, due: &Due, header: Packet<'_>, session: SessionId, out: &mut Outbox) {
    out.packet(session, |bytes| {
        header.emit(bytes);
        sender.write(due, bytes);
    });
}
