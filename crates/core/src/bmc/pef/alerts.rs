//! Alerts on their way: Platform Event Traps, sent again until they are acknowledged (IPMI 2.0 sections 17.10 to 17.15,
//! 30.7 and 30.8).
//!
//! Owns what is on its way and how much that may be. Decides nothing about which events are alerts, and knows no socket:
//! a trap is an [`Action`].

use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::time::Duration;

use super::policy::{self, Before, Entry, Step, Success};
use crate::bmc::lan_parameters::AlertDestination;
use crate::bmc::sel::Record;
use crate::bmc::watch::Event;
use crate::bmc::{Action, At, Controller, LogLevel};
use crate::ipmi::{ChannelNumber, Moment};
use crate::wire::pet;

/// Most events whose alerts have not gone to all their destinations yet. Of others no alert is sent.
pub const MOST_ALERTS: usize = 16;
/// Most destinations that are being sent to at a time.
pub const MOST_SENDINGS: usize = 64;
/// Most traps that a controller sends at once.
pub const BURST: u32 = 30;
/// The time between two traps after that: 5 a second.
pub const PACE: Duration = Duration::from_millis(200);

/// What Alert Immediate tells of its last alert (IPMI 2.0 table 30-9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImmediateStatus {
    /// There was none.
    #[default]
    None = 0x00,
    /// It was sent, and acknowledged where that is asked for.
    NormalEnd = 0x01,
    /// No acknowledgement came, however often it was sent.
    NotAcknowledged = 0x03,
    /// It is under way.
    InProgress = 0xff,
}

/// Why Alert Immediate does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImmediateError {
    /// One is under way, or as much as there is room for.
    InProgress,
    /// There is no such LAN channel, or nothing can be sent to this destination.
    NoDestination,
}

/// What a PET Acknowledge names (IPMI 2.0 section 30.8): sequence number 2, time stamp 4, event source type, sensor
/// device, sensor number, event data 1 to 3. The least significant byte comes first.
pub type Acknowledgement = [u8; 12];

/// What an alert says.
#[derive(Clone, Copy, Debug, Default)]
struct Content {
    event: pet::Event,
    /// By the log's clock.
    time: u32,
    severity: u8,
    /// The filter it comes from.
    filter: u8,
}

/// An event's alerts.
#[derive(Debug)]
struct Alert {
    content: Content,
    /// Not before this; `None` once it has begun.
    begins: Option<Moment>,
    entries: VecDeque<Entry>,
    before: Option<Before>,
    /// The number of what was sent last.
    last: u16,
}

/// Who is told how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Policy,
    Immediate,
}

/// A trap to one destination.
#[derive(Debug)]
struct Sending {
    origin: Origin,
    number: u16,
    channel: ChannelNumber,
    to: SocketAddrV4,
    bytes: Vec<u8>,
    /// What acknowledges it, where that is waited for.
    acknowledgement: Option<Acknowledgement>,
    interval: Duration,
    /// How often it is still to be sent.
    left: u8,
    due: Moment,
    /// Somebody was told how it went.
    told: bool,
}

/// How fast traps go: [`BURST`] at once, then one each [`PACE`].
#[derive(Debug, Default)]
struct Allowance {
    /// When those that went would have gone at that pace.
    paid: Moment,
}

impl Allowance {
    /// Takes one, or says when there is one.
    fn take(&mut self, now: Moment) -> Result<(), Moment> {
        let from = self.paid - PACE * (BURST - 1);
        if from > now {
            return Err(from);
        }
        self.paid = self.paid.max(now) + PACE;
        Ok(())
    }
}

/// Alerts on their way, of one controller.
#[derive(Debug, Default)]
pub struct Alerts {
    alerts: Vec<Alert>,
    sendings: Vec<Sending>,
    /// Sequence number of the last trap. 0 is none.
    sequence: u16,
    immediate: ImmediateStatus,
    allowance: Allowance,
    /// The log was told that alerts are lost.
    complained: bool,
}

impl Alerts {
    pub(super) fn deadline(&self) -> Option<Moment> {
        let begins = self.alerts.iter().filter_map(|alert| alert.begins);
        begins.chain(self.sendings.iter().map(|sending| sending.due)).min()
    }

    fn next_sequence(&mut self) -> u16 {
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        self.sequence
    }

    /// It is known how it went with a destination.
    fn ended(&mut self, at: &mut At<'_>, sending: &mut Sending, success: Success) {
        if std::mem::replace(&mut sending.told, true) {
            return;
        }
        for alert in self.alerts.iter_mut().filter(|alert| alert.last == sending.number) {
            if let Some(before) = &mut alert.before {
                before.success = success;
            }
        }
        if sending.origin == Origin::Immediate {
            self.immediate = match success {
                Success::No => ImmediateStatus::NotAcknowledged,
                _ => ImmediateStatus::NormalEnd,
            };
        }
        let (mc, channel, destination) = (at.address, sending.channel, sending.to.into());
        let acknowledged = sending.acknowledgement.map(|_| success == Success::Yes);
        at.tell(|| Event::AlertSent { mc, channel, destination, acknowledged });
    }
}

/// The alerts of a controller, with the controller: they are put back when this is over.
fn with_alerts<T>(at: &mut At<'_>, act: impl FnOnce(&mut Alerts, &mut At<'_>) -> T) -> T {
    let mut alerts = at.pef.alerts.take().unwrap_or_default();
    let result = act(&mut alerts, at);
    at.pef.alerts = Some(alerts);
    result
}

/// Sends alerts of an event by a policy, not before `begins`.
pub(super) fn begin(at: &mut At<'_>, now: Moment, record: &Record, chosen: &super::processing::Chosen, begins: Moment) {
    let &[_, _, _, _, _, _, _, generator, _, _, sensor_type, sensor, kind, ref data @ ..] = record;
    let event = pet::Event { generator, sensor_type, sensor, kind, data: *data };
    let entries: VecDeque<Entry> = at.pef.policy_entries(chosen.policy).collect();
    if entries.is_empty() {
        return;
    }
    let content = Content { event, time: at.sel.time(now), severity: chosen.severity, filter: chosen.filter };
    with_alerts(at, |alerts, at| {
        if alerts.alerts.len() >= MOST_ALERTS {
            if !std::mem::replace(&mut alerts.complained, true) {
                let text = format!("MC {:#04x}: alerts are lost, {MOST_ALERTS} are under way", at.address);
                at.push(Action::Log { level: LogLevel::Warning, text });
            }
            return;
        }
        alerts.complained = false;
        alerts.alerts.push(Alert { content, begins: Some(begins), entries, before: None, last: 0 });
        proceed(alerts, at, now);
    });
}

/// Alert Immediate: sends to a destination of a LAN channel, whatever the policies and the channel's alerting bit say.
/// `string` is an alert string's number, `event` what Table 30-9 has from the generator id on.
///
/// # Errors
/// One is under way, or nothing can be sent there.
pub fn immediate(
    at: &mut At<'_>,
    now: Moment,
    (channel, selector): (ChannelNumber, u8),
    string: Option<u8>,
    event: Option<[u8; 8]>,
) -> Result<(), ImmediateError> {
    let destination = destination(at, channel, selector).ok_or(ImmediateError::NoDestination)?;
    let event = event.map_or_else(pet::Event::default, |[generator, _, sensor_type, sensor, kind, data @ ..]| {
        pet::Event { generator, sensor_type, sensor, kind, data }
    });
    let content = Content { event, time: at.sel.time(now), severity: 0, filter: 0 };
    let text = string.map(|string| at.pef.string(string).to_vec()).unwrap_or_default();
    with_alerts(at, |alerts, at| {
        if alerts.immediate == ImmediateStatus::InProgress || alerts.sendings.len() >= MOST_SENDINGS {
            return Err(ImmediateError::InProgress);
        }
        alerts.immediate = ImmediateStatus::InProgress;
        let sending = sending(alerts, at, now, (channel, destination), &content, &text);
        alerts.sendings.push(Sending { origin: Origin::Immediate, ..sending });
        proceed(alerts, at, now);
        Ok(())
    })
}

/// How it went with the last Alert Immediate.
pub fn immediate_status(controller: &Controller) -> ImmediateStatus {
    controller.pef.alerts.as_ref().map_or(ImmediateStatus::None, |alerts| alerts.immediate)
}

/// Forgets that, unless it is under way.
pub fn clear_immediate_status(controller: &mut Controller) {
    if let Some(alerts) = controller.pef.alerts.as_mut().filter(|it| it.immediate != ImmediateStatus::InProgress) {
        alerts.immediate = ImmediateStatus::None;
    }
}

/// A PET Acknowledge came. What it does not name is not on its way, and nothing happens.
pub fn acknowledged(at: &mut At<'_>, now: Moment, acknowledgement: &Acknowledgement) {
    if at.pef.alerts.is_none() {
        return;
    }
    with_alerts(at, |alerts, at| {
        let is_meant = |sending: &Sending| sending.acknowledgement.as_ref() == Some(acknowledgement);
        let Some(index) = alerts.sendings.iter().position(is_meant) else { return };
        let mut sending = alerts.sendings.swap_remove(index);
        alerts.ended(at, &mut sending, Success::Yes);
        proceed(alerts, at, now);
    });
}

/// Does what is due.
pub(super) fn timeout(at: &mut At<'_>, now: Moment) {
    if at.pef.alerts.as_ref().and_then(|alerts| alerts.deadline()).is_some_and(|deadline| deadline <= now) {
        with_alerts(at, |alerts, at| proceed(alerts, at, now));
    }
}

/// Where a destination of a channel is.
fn destination(controller: &Controller, channel: ChannelNumber, selector: u8) -> Option<AlertDestination> {
    controller.channels.lan(channel)?.parameters.alert_destination(selector)
}

/// Sends what is due, and what comes next.
fn proceed(alerts: &mut Alerts, at: &mut At<'_>, now: Moment) {
    loop {
        transmit_due(alerts, at, now);
        let sendings = alerts.sendings.len();
        let mut waiting = std::mem::take(&mut alerts.alerts);
        waiting.retain_mut(|alert| {
            if alert.begins.is_some_and(|begins| begins > now) {
                return true;
            }
            alert.begins = None;
            step(alerts, at, now, alert)
        });
        alerts.alerts = waiting;
        if alerts.sendings.len() == sendings {
            break;
        }
    }
}

/// Goes on to the next destination of an alert; false when there is none.
fn step(alerts: &mut Alerts, at: &mut At<'_>, now: Moment, alert: &mut Alert) -> bool {
    if alerts.sendings.len() >= MOST_SENDINGS {
        return true;
    }
    let kind = |entry: Entry| at.channels.lan(entry.channel)?.parameters.alert_type(entry.destination);
    let entry = match policy::next(&mut alert.entries, alert.before, kind) {
        Step::Over => return false,
        Step::Wait => return true,
        Step::Send(entry) => entry,
    };
    let kind = kind(entry);
    let allowed = at.channels.lan(entry.channel).is_some_and(|lan| !lan.pef_alerting);
    let success = match destination(at, entry.channel, entry.destination).filter(|_| allowed) {
        None => Success::No,
        Some(destination) => {
            let text = at.pef.string_of(alert.content.filter, entry.string).to_vec();
            let sending = sending(alerts, at, now, (entry.channel, destination), &alert.content, &text);
            alert.last = sending.number;
            alerts.sendings.push(sending);
            Success::Pending
        }
    };
    alert.before = Some(Before { success, channel: entry.channel, kind });
    // What is left of it is looked at again when what was pushed has been sent, or at once.
    success == Success::Pending || step(alerts, at, now, alert)
}

/// Sends what is due, and forgets what was sent often enough.
fn transmit_due(alerts: &mut Alerts, at: &mut At<'_>, now: Moment) {
    for mut sending in std::mem::take(&mut alerts.sendings) {
        if sending.due <= now && !transmit(alerts, at, now, &mut sending) {
            continue;
        }
        alerts.sendings.push(sending);
    }
}

/// Sends a trap once more; false when it is not to be sent again, and no acknowledgement is waited for.
fn transmit(alerts: &mut Alerts, at: &mut At<'_>, now: Moment, sending: &mut Sending) -> bool {
    let Some(left) = sending.left.checked_sub(1) else {
        alerts.ended(at, sending, Success::No);
        return false;
    };
    if let Err(later) = alerts.allowance.take(now) {
        sending.due = later;
        return true;
    }
    at.push(Action::Trap { mc: at.address, channel: sending.channel, to: sending.to, bytes: sending.bytes.clone() });
    (sending.left, sending.due) = (left, now + sending.interval);
    if sending.acknowledgement.is_some() {
        return true;
    }
    alerts.ended(at, sending, Success::Yes);
    left > 0
}

/// A trap to a destination, not sent yet.
fn sending(
    alerts: &mut Alerts,
    controller: &Controller,
    now: Moment,
    (channel, destination): (ChannelNumber, AlertDestination),
    content: &Content,
    text: &[u8],
) -> Sending {
    let number = alerts.next_sequence();
    let AlertDestination { address, acknowledge, interval, retries } = destination;
    let timestamp = content.time.saturating_sub(pet::EPOCH);
    let pet::Event { generator, sensor, data: [data_1, data_2, data_3], .. } = content.event;
    let ([s0, s1], [t0, t1, t2, t3]) = (number.to_le_bytes(), timestamp.to_le_bytes());
    let names = [s0, s1, t0, t1, t2, t3, pet::SOURCE_IPMI, generator, sensor, data_1, data_2, data_3];
    Sending {
        origin: Origin::Policy,
        number,
        channel,
        to: address,
        bytes: trap(controller, now, channel, (number, timestamp), content, text),
        acknowledgement: acknowledge.then_some(names),
        interval,
        left: retries + 1,
        due: now,
        told: false,
    }
}

/// A trap's bytes.
fn trap(
    controller: &Controller,
    now: Moment,
    channel: ChannelNumber,
    (sequence, timestamp): (u16, u32),
    content: &Content,
    text: &[u8],
) -> Vec<u8> {
    let parameters = controller.channels.lan(channel).map(|lan| &lan.parameters);
    let mut guid = controller.pef.guid().or_else(|| controller.device_guid()).unwrap_or_default();
    // Everywhere else the least significant byte is the first.
    guid.reverse();
    let mut bytes = Vec::new();
    pet::Repr {
        community: parameters.map_or(&[], |parameters| parameters.community()),
        agent: parameters.map_or(std::net::Ipv4Addr::UNSPECIFIED, |parameters| parameters.agent_address()),
        uptime: (now.since_boot().as_millis() / 10) as u32,
        guid,
        sequence,
        timestamp,
        utc_offset: controller.sel.utc_offset(),
        severity: content.severity,
        event: content.event,
        entity: entity(controller, &content.event),
        manufacturer: controller.device.manufacturer,
        product: controller.device.product,
        text,
    }
    .emit(&mut bytes);
    bytes
}

/// Entity id and instance of an event's sensor, as its record in the SDR repository has them.
fn entity(controller: &Controller, event: &pet::Event) -> [u8; 2] {
    let records = controller.sdr.records();
    let mut found = records.filter_map(|record| match *record {
        // Full, compact and event-only records.
        [_, _, _, 1..=3, _, owner, _, number, entity, instance, ..]
            if (owner, number) == (event.generator, event.sensor) =>
        {
            Some([entity, instance])
        }
        _ => None,
    });
    found.next().unwrap_or_default()
}
