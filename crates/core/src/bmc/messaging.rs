//! Global enables, message flags, receive queue and event message buffer.
//!
//! Owns what the host reads through the system interface and when its attention is asked
//! for (`commands-core.md` section 5.1, `serial.md` section 7). Knows no transport: the
//! host is told by [`Action::Host`], and only on controllers that have a channel 15.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Action, At};
use crate::ipmi::{ChannelNumber, HostSignal, Moment, capability};

/// Message flags, IPMI 2.0 section 22.3.
pub mod flag {
    /// A message waits in the receive queue.
    pub const RECEIVE_MESSAGE: u8 = 0x01;
    /// An event waits in the event message buffer.
    pub const EVENT_BUFFER_FULL: u8 = 0x02;
    /// The watchdog's pre-timeout has passed.
    pub const WATCHDOG_PRETIMEOUT: u8 = 0x08;
}

/// BMC global enables, IPMI 2.0 section 22.1.
pub mod enable {
    /// Interrupt when a message comes in.
    pub const MESSAGE_INTERRUPT: u8 = 0x01;
    /// Interrupt when the event message buffer fills.
    pub const EVENT_BUFFER_INTERRUPT: u8 = 0x02;
    /// Keep events in the event message buffer.
    pub const EVENT_BUFFER: u8 = 0x04;
    /// Log events in the SEL.
    pub const EVENT_LOGGING: u8 = 0x08;
}

/// A message that finds more than this many waiting is refused.
const QUEUE_LIMIT: usize = 20;

/// A message nobody fetched is discarded after this time.
const MESSAGE_LIFE: Duration = Duration::from_secs(6);

/// A message waiting for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Channel it came from.
    pub channel: ChannelNumber,
    /// What Get Message returns behind the channel byte: for IPMB from the network
    /// function byte to the second checksum, for LAN preceded by session handle and
    /// responder's address.
    pub data: Vec<u8>,
}

/// The receive queue is full (C4h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

/// Global enables, message flags, receive queue and event message buffer.
#[derive(Debug)]
pub struct Messaging {
    enables: u8,
    flags: u8,
    queue: VecDeque<(Moment, Message)>,
    event: Option<[u8; 16]>,
}

impl Default for Messaging {
    /// Event logging on, nothing waiting.
    fn default() -> Self {
        Self { enables: enable::EVENT_LOGGING, flags: 0, queue: VecDeque::new(), event: None }
    }
}

impl Messaging {
    /// Global enables, see [`enable`].
    pub fn enables(&self) -> u8 {
        self.enables
    }

    /// Whether events are logged in the SEL.
    pub fn event_logging(&self) -> bool {
        self.enables & enable::EVENT_LOGGING != 0
    }

    /// Message flags, see [`flag`].
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// When the oldest message is discarded.
    pub fn deadline(&self) -> Option<Moment> {
        self.queue.front().map(|(expires, _)| *expires)
    }

    /// The attention state now; `interrupt` names the enable bit that asks for one.
    fn attention(&self, interrupt: u8) -> HostSignal {
        let on = self.flags != 0;
        HostSignal::Attention { on, interrupt: on && self.enables & interrupt != 0 }
    }
}

fn signal(at: &mut At<'_>, signal: HostSignal) {
    if at.channels.host().is_some() {
        at.push(Action::Host { mc: at.address, signal });
    }
}

/// Tells the host the attention state as it is now.
fn refresh(at: &mut At<'_>, interrupt: u8) {
    let attention = at.messaging.attention(interrupt);
    signal(at, attention);
}

/// Tells the host the attention state as it is now: what a host hears when it connects.
pub fn refresh_attention(at: &mut At<'_>) {
    refresh(at, enable::MESSAGE_INTERRUPT);
}

/// Set BMC Global Enables: all eight bits are kept.
pub fn set_enables(at: &mut At<'_>, enables: u8) {
    let controller = &mut **at;
    let tells_interrupt = controller.channels.host().is_some_and(|host| host.can(capability::MESSAGE_INTERRUPT));
    let state = &mut controller.messaging;
    let turned_on = enables & !state.enables;
    let turned_off = state.enables & !enables;
    state.enables = enables;
    // The second half of the condition is the original's: harmless, and a driver sees it.
    let raise = turned_on & enable::EVENT_BUFFER_INTERRUPT != 0 && state.event.is_some()
        || turned_off & enable::MESSAGE_INTERRUPT != 0 && !state.queue.is_empty();
    if tells_interrupt && (turned_on | turned_off) & enable::MESSAGE_INTERRUPT != 0 {
        signal(at, HostSignal::MessageInterrupt(turned_on & enable::MESSAGE_INTERRUPT != 0));
    }
    if raise {
        let interrupt = enables & enable::EVENT_BUFFER_INTERRUPT != 0;
        signal(at, HostSignal::Attention { on: true, interrupt });
    }
}

/// Clear Message Flags: the bits of `mask` go; bit 0 takes the waiting messages along,
/// bit 1 the waiting event. The host is told the state even when nothing changed.
pub fn clear_flags(at: &mut At<'_>, mask: u8) {
    let state = &mut at.messaging;
    state.flags &= !mask;
    if mask & flag::EVENT_BUFFER_FULL != 0 {
        state.event = None;
    }
    if mask & flag::RECEIVE_MESSAGE != 0 && !state.queue.is_empty() {
        state.queue.clear();
        refresh(at, enable::MESSAGE_INTERRUPT);
    }
    refresh(at, enable::MESSAGE_INTERRUPT);
}

/// Puts a message into the receive queue.
pub fn enqueue(at: &mut At<'_>, now: Moment, message: Message) -> Result<(), QueueFull> {
    let state = &mut at.messaging;
    if state.queue.len() > QUEUE_LIMIT {
        return Err(QueueFull);
    }
    let first = state.queue.is_empty();
    state.queue.push_back((now + MESSAGE_LIFE, message));
    state.flags |= flag::RECEIVE_MESSAGE;
    if first {
        refresh(at, enable::MESSAGE_INTERRUPT);
    }
    Ok(())
}

/// Takes the oldest message out of the receive queue.
pub fn fetch(at: &mut At<'_>) -> Option<Message> {
    let (_, message) = at.messaging.queue.pop_front()?;
    queue_shrunk(at);
    Some(message)
}

fn queue_shrunk(at: &mut At<'_>) {
    let state = &mut at.messaging;
    if state.queue.is_empty() {
        state.flags &= !flag::RECEIVE_MESSAGE;
        refresh(at, enable::MESSAGE_INTERRUPT);
    }
}

/// Keeps an event record (record id, type, 13 bytes) in the event message buffer, when
/// that is on and empty. Later events are lost, as the specification wants it.
pub fn store_event(at: &mut At<'_>, record: &[u8; 16]) {
    let state = &mut at.messaging;
    if state.enables & enable::EVENT_BUFFER == 0 || state.event.is_some() {
        return;
    }
    state.event = Some(*record);
    state.flags |= flag::EVENT_BUFFER_FULL;
    refresh(at, enable::EVENT_BUFFER_INTERRUPT);
}

/// Read Event Message Buffer: takes the event out.
pub fn read_event(at: &mut At<'_>) -> Option<[u8; 16]> {
    let state = &mut at.messaging;
    let record = state.event.take()?;
    state.flags &= !flag::EVENT_BUFFER_FULL;
    refresh(at, enable::EVENT_BUFFER_INTERRUPT);
    Some(record)
}

/// How the host learns of the watchdog's pre-timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pretimeout {
    /// By a non-maskable interrupt.
    Nmi,
    /// By a message interrupt.
    MessageInterrupt,
}

/// The watchdog's pre-timeout has passed.
pub fn watchdog_pretimeout(at: &mut At<'_>, how: Pretimeout) {
    let state = &mut at.messaging;
    state.flags |= flag::WATCHDOG_PRETIMEOUT;
    let event_waits = state.flags & flag::EVENT_BUFFER_FULL != 0;
    match how {
        Pretimeout::Nmi => signal(at, HostSignal::Nmi),
        Pretimeout::MessageInterrupt if !event_waits => refresh(at, enable::MESSAGE_INTERRUPT),
        Pretimeout::MessageInterrupt => {}
    }
}

/// A cold reset: everything as after the start.
pub fn reset(at: &mut At<'_>) {
    let state = &mut at.messaging;
    let quiet = state.flags == 0;
    *state = Messaging::default();
    if !quiet {
        refresh(at, enable::MESSAGE_INTERRUPT);
    }
}

/// Discards messages nobody fetched.
pub fn timeout(at: &mut At<'_>, now: Moment) {
    let state = &mut at.messaging;
    let before = state.queue.len();
    while state.queue.front().is_some_and(|(expires, _)| *expires <= now) {
        state.queue.pop_front();
    }
    if state.queue.len() != before {
        queue_shrunk(at);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Machine;
    use super::super::channel::{Channel, Framing, medium, protocol};
    use super::*;
    use crate::ipmi::McAddress;

    const MC: McAddress = McAddress::BMC;

    fn with_host() -> Machine {
        let mut machine = Machine::default();
        let channel =
            Channel::serial(ChannelNumber::SYSTEM_INTERFACE, medium::RS232, protocol::TERMINAL_MODE, Framing::Vm);
        machine.ensure(MC).channels.set(ChannelNumber::SYSTEM_INTERFACE, channel);
        machine.ensure(MC).channels.host_mut().expect("channel 15").announced = 0x3f;
        machine
    }

    fn told(machine: &mut Machine) -> Vec<HostSignal> {
        machine
            .actions
            .drain(..)
            .map(|action| match action {
                Action::Host { mc: MC, signal } => signal,
                other => panic!("unexpected {other:?}"),
            })
            .collect()
    }

    fn on(interrupt: bool) -> HostSignal {
        HostSignal::Attention { on: true, interrupt }
    }

    const OFF: HostSignal = HostSignal::Attention { on: false, interrupt: false };

    fn message() -> Message {
        Message { channel: ChannelNumber::PRIMARY_IPMB, data: vec![1, 2, 3] }
    }

    #[test]
    fn attention_follows_the_queue() {
        let mut machine = with_host();
        let now = Moment::default();
        enqueue(&mut machine.found(MC), now, message()).expect("room");
        enqueue(&mut machine.found(MC), now, message()).expect("room");
        assert_eq!(told(&mut machine), [on(false)]);
        fetch(&mut machine.found(MC)).expect("two waiting");
        assert_eq!(told(&mut machine), []);
        fetch(&mut machine.found(MC)).expect("one waiting");
        assert_eq!(told(&mut machine), [OFF]);
        assert_eq!(fetch(&mut machine.found(MC)), None);
    }

    #[test]
    fn twenty_one_messages_fit_and_die_after_six_seconds() {
        let mut machine = with_host();
        let now = Moment::new(Duration::from_secs(100));
        for _ in 0..21 {
            enqueue(&mut machine.found(MC), now, message()).expect("room");
        }
        assert_eq!(enqueue(&mut machine.found(MC), now, message()), Err(QueueFull));
        let later = now + Duration::from_secs(6);
        assert_eq!(machine.ensure(MC).messaging.deadline(), Some(later));
        machine.actions.clear();
        timeout(&mut machine.found(MC), now + Duration::from_millis(5999));
        assert_eq!(told(&mut machine), []);
        timeout(&mut machine.found(MC), later);
        assert_eq!(told(&mut machine), [OFF]);
        assert_eq!(machine.ensure(MC).messaging.deadline(), None);
    }

    /// `serial.md` section 7: `05 02` for enables 0Ch to 0Fh with an event waiting.
    #[test]
    fn enabling_the_event_interrupt_with_an_event_waiting_asks_for_attention() {
        let mut machine = with_host();
        set_enables(&mut machine.found(MC), 0x0c);
        store_event(&mut machine.found(MC), &[7; 16]);
        assert_eq!(told(&mut machine), [on(false)]);
        set_enables(&mut machine.found(MC), 0x0f);
        assert_eq!(told(&mut machine), [HostSignal::MessageInterrupt(true), on(true)]);
        assert_eq!(read_event(&mut machine.found(MC)), Some([7; 16]));
        assert_eq!(told(&mut machine), [OFF]);
        assert_eq!(read_event(&mut machine.found(MC)), None);
    }

    #[test]
    fn the_event_buffer_keeps_the_first_event_and_only_when_on() {
        let mut machine = with_host();
        store_event(&mut machine.found(MC), &[1; 16]);
        assert_eq!(machine.ensure(MC).messaging.flags(), 0);
        set_enables(&mut machine.found(MC), 0x0c);
        store_event(&mut machine.found(MC), &[2; 16]);
        store_event(&mut machine.found(MC), &[3; 16]);
        assert_eq!(machine.ensure(MC).messaging.flags(), flag::EVENT_BUFFER_FULL);
        clear_flags(&mut machine.found(MC), 0x02);
        store_event(&mut machine.found(MC), &[4; 16]);
        assert_eq!(read_event(&mut machine.found(MC)), Some([4; 16]));
    }

    /// A controller without channel 15 (the original dies of all of this).
    #[test]
    fn a_controller_without_a_host_tells_nobody() {
        let mut machine = Machine::default();
        machine.ensure(MC);
        enqueue(&mut machine.found(MC), Moment::default(), message()).expect("room");
        clear_flags(&mut machine.found(MC), 0xff);
        set_enables(&mut machine.found(MC), 0xff);
        enqueue(&mut machine.found(MC), Moment::default(), message()).expect("room");
        timeout(&mut machine.found(MC), Moment::new(Duration::from_secs(60)));
        store_event(&mut machine.found(MC), &[1; 16]);
        assert!(machine.actions.is_empty());
    }
}
