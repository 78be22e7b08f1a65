//! Requests that come again: a client that hears nothing sends its request once more, and
//! a command that changes something must not be executed for it twice.
//!
//! What tells a resend from a new request that happens to look the same?
//!
//! * The specification (IPMB section 2.10.1, "sequence number expiration", and IPMI 2.0
//!   section 6.12.13) makes it the requester's sequence number rqSeq: a new instance of a
//!   request gets a new one, a retry keeps it, and it may be used again after five
//!   seconds. ipmitool does that, and gives a resend a new session sequence number. So a
//!   request with the rqSeq, address, LUN, network function, command and data of one that
//!   was answered less than five seconds ago is a resend: it gets the same response again.
//!   rqSeq wraps after 64 requests; only the last eight are remembered, so a client that
//!   counts cannot meet its own past.
//! * What only reads ([`Nature::Reads`]) is never a resend once it was answered: reading once more does no harm,
//!   and only the newest answer tells what is so now. So a client whose rqSeq is always 1 (gebn/bmc, and with it
//!   Prometheus' bmc_exporter) sees values change.
//! * Some tools always send the same rqSeq. They are recognised by two different requests
//!   in a row with one rqSeq (already Set Session Privilege Level and what follows it), and
//!   from then on rqSeq says nothing in that session: only a request that is still being
//!   worked on, or a packet with a session sequence number that was used before, counts as
//!   a resend, and what acts if it comes again after a client's patience in a session in which
//!   packets were lost or doubled.
//! * FreeIPMI gives a resend a new rqSeq as well and accepts only the response to the newest.
//!   While the first copy is being worked on, an equal request therefore joins it and each
//!   rqSeq gets the response. After the response such a resend looks exactly like a new request: Add SEL Entry
//!   once more is the same event a second time, or the first one whose response was lost. What
//!   does no harm the second time is executed again. For what acts anew each time ([`Nature::Acts`]) the
//!   [`Doubt`] is settled by the client's clock. FreeIPMI asks again T, 2 T, 4 T, 6 T ... after it asked first, whatever
//!   its retransmission time-out T is, and gives each of these the next rqSeq. What comes sooner than after any
//!   client's patience, or not as the next request, is new. Else nothing is executed and nothing answered until the
//!   moment at which a resend would be followed by the next one: silence then, or a copy at a moment that does not fit,
//!   proves a new request, which is executed; a copy at the right moment proves the resend, which gets the first response
//!   again. Where both would ask at the same moments, the doubling of the pause tells them apart one copy later. T
//!   is then known, and in the rest of the session most of it is decided at once. That is held only
//!   against clients that are known by their first numbers: FreeIPMI starts to count at a random
//!   number, every other client at one of the first few.
//! * A packet whose *session* sequence number was seen before was doubled by the network or
//!   sent again unchanged (or is replayed by somebody). It never executes anything. The
//!   client may depend on a response, so it gets the first one again, under the first
//!   one's sequence number: nobody can use up the client's window with replays.
//!
//! ipmitool (1 or 2 s), pyghmi (from 0.5 s), ipmiutil and OpenIPMI's library keep rqSeq in a resend, in IPMI 1.5
//! and 2.0, and give it a new session sequence number.

use std::time::Duration;

use super::ResponseTo;
use super::repeat::nature;
use super::window::Verdict;
use crate::crypto::wipe_stack;
use crate::ipmi::{McAddress, Moment, Nature, Peer, SEND_MESSAGE, SessionId, netfn};
use crate::wire::ipmb::Message;

/// How many requests are remembered.
const REMEMBERED: usize = 8;
/// How long an answered request is remembered: IPMB's sequence number expiration.
const EXPIRY: Duration = Duration::from_secs(5);
/// How long a request may be worked on and still be the same request. Longer than any
/// script is given.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for messages to the host, which the BMC forgets after five seconds.
const HOST_PATIENCE: Duration = Duration::from_secs(5);
/// How many resends of one request, each with an rqSeq of its own, are waited for.
const MOST_WAITERS: usize = 4;

/// No client resends sooner than this; whoever means a second request sends it as soon as the
/// first is answered. FreeIPMI's tools wait 400 ms or a second.
const IMPATIENCE: Duration = Duration::from_millis(250);
/// How far ahead a renumbered resend may be of the copy that came before: those between were
/// lost.
const MOST_LOST: u8 = 8;
/// Clients that count from a fixed number have started below this.
const FIRST_NUMBERS: u8 = 8;

/// How far a pause may be from what a client's clock demands: a quarter, for what the network and a busy client add.
const TOLERANCE: u32 = 4;
/// Added to the moment at which a copy is due.
const SLACK: Duration = Duration::from_millis(50);
/// How often a client's time-out is waited for where packets are lost.
const LOSSY_PATIENCE: u32 = 4;

/// The LUN of the host's software.
const SMS_LUN: u8 = 2;

/// The last requests of a session.
#[derive(Default)]
pub(super) struct Recent {
    entries: [Entry; REMEMBERED],
    next: usize,
    /// The last request, to see whether the client gives each its own number.
    last: Option<(Number, u64)>,
    /// It does not.
    unnumbered: bool,
    /// The client may give a resend a number of its own: it began at a random one and was not
    /// seen to keep one.
    renumbers: bool,
    /// The session sequence number of the last packet that was new.
    received: Option<u32>,
    /// Packets were lost, doubled or overtaken.
    lossy: bool,
    /// The retransmission time-out of a client that renumbers, once it is known.
    timeout: Option<Duration>,
}

/// A request that may be the one before it, sent again.
struct Doubt {
    /// The entry that holds the response.
    of: usize,
    /// How often that request had been sent.
    sends: u32,
    /// How many numbers further on this one came.
    steps: u32,
    /// How long after the last copy of that.
    gap: Duration,
    /// How often this one has been sent since.
    copies: u32,
    /// The two would ask at the same moments so far.
    alike: bool,
    /// Then it is settled, whether a copy comes or not.
    until: Moment,
    /// The request's data, to execute it when no copy brings it.
    data: Vec<u8>,
}

/// What settles a [`Doubt`].
enum Weighed {
    New,
    Resend,
    Open,
}

/// How many time-outs a client that renumbers lets pass between the sending with this index (0 is the first) and the one
/// `steps` later: it doubles its pause after two, makes it threefold after four ...
fn pauses(index: u32, steps: u32) -> u32 {
    (index..index.saturating_add(steps)).map(|index| index / 2 + 1).sum()
}

fn fits(pause: Duration, expected: Duration) -> bool {
    pause.abs_diff(expected) <= expected / TOLERANCE
}

/// What a requester tells its requests apart by.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Number {
    address: u8,
    lun: u8,
    seq: u8,
}

impl Number {
    fn of(to: &ResponseTo) -> Self {
        Self { address: to.rq_addr, lun: to.rq_lun, seq: to.rq_seq }
    }
}

/// A request and what became of it.
#[derive(Default)]
struct Entry {
    state: State,
    /// A hash of all that makes the request, save its numbers. A stranger cannot make
    /// collisions: requests are authenticated, and each session has its own memory.
    content: u64,
    /// First copy came in, or the response went out.
    since: Moment,
    /// The last copy came in.
    asked: Moment,
    /// How often it was sent, lost copies included, when each has a number of its own.
    sends: u32,
    /// While it is not known whether it is new.
    doubt: Option<Box<Doubt>>,
    patience: Duration,
    waiters: Vec<Waiter>,
    /// Completion code and data.
    response: Vec<u8>,
    /// The whole bridged response, when there was one, with the sequence number it had.
    follow_up: Option<(Vec<u8>, u32)>,
    /// What a bridged response to this Send Message looks like: network function, rqSeq, command.
    bridged: Option<(u8, u8, u8)>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Empty,
    /// It may be a resend of the request before it ([`Entry::doubt`]).
    Doubted,
    InWork,
    Answered,
}

impl Entry {
    fn is_in_work(&self) -> bool {
        matches!(self.state, State::InWork | State::Doubted)
    }

    /// Whether the request of this response is being worked on in it.
    fn waits_for(&self, to: &ResponseTo) -> bool {
        self.state == State::InWork
            && self.waiters.iter().any(|waiter| {
                (Number::of(&waiter.to), waiter.to.netfn, waiter.to.cmd) == (Number::of(to), to.netfn, to.cmd)
            })
    }

    /// The copy with this number.
    fn copy(&self, number: Number) -> Option<&Waiter> {
        self.waiters.iter().find(|waiter| Number::of(&waiter.to) == number)
    }

    /// One more copy waits for the response; of many the oldest is given up.
    fn add(&mut self, waiter: Waiter) {
        if self.waiters.len() >= MOST_WAITERS {
            self.waiters.remove(0);
        }
        self.waiters.push(waiter);
    }
}

/// One copy of a request.
#[derive(Clone, Copy)]
struct Waiter {
    to: ResponseTo,
    /// Session sequence number of the copy.
    received: u32,
    /// Session sequence number of its response.
    sent: u32,
}

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Execute it.
    New,
    /// It is being worked on: nothing to do.
    InWork,
    /// It may be a resend. What comes next tells, or [`Recent::overdue`] at this moment.
    Doubted(Moment),
    /// Send the response with this index again.
    Again(usize),
    /// It was seen and its response is gone: nothing to do.
    Stale,
}

/// A response to be sent again: completion code and data, or a whole bridged message.
pub(super) enum Again<'a> {
    /// Completion code and data.
    Response(&'a [u8]),
    /// A whole message.
    Message(&'a [u8]),
}

impl Recent {
    /// The memory of a new session. `first` is the first number its client has used, if the
    /// login had one.
    pub(super) fn new(first: Option<u8>) -> Self {
        Self { renumbers: first.is_some_and(|first| first > FIRST_NUMBERS), ..Self::default() }
    }

    /// The same in a box, and nothing else in it: a value is made on the stack before it is moved, and where it holds nothing
    /// it takes along what lay there, which may be keys that were made a moment before.
    pub(super) fn boxed(first: Option<u8>) -> Box<Self> {
        #[inline(never)]
        fn make(first: Option<u8>) -> Box<Recent> {
            Box::new(Recent::new(first))
        }
        wipe_stack();
        make(first)
    }

    /// Judges a request and remembers it. `verdict` is Fresh or Seen; `nature_of` is
    /// [`Authority::nature`](super::Authority::nature).
    pub(super) fn judge(
        &mut self,
        now: Moment,
        verdict: Verdict,
        received: u32,
        to: &ResponseTo,
        data: &[u8],
        nature_of: impl Fn(Option<McAddress>, u8, u8, &[u8]) -> Nature,
    ) -> Finding {
        let number = Number::of(to);
        let content = content(to, data);
        if verdict == Verdict::Seen {
            self.lossy = true;
            return self.seen(now, received, to, content);
        }
        let steps = self.last.map_or(0, |(last, before)| {
            let steps = number.seq.wrapping_sub(last.seq) & 0x3f;
            let follows = number == Number { seq: number.seq, ..last } && content == before && steps <= MOST_LOST;
            if follows { u32::from(steps) } else { 0 }
        });
        let repeats = self.last == Some((number, content));
        // Numbers left out were copies of this request that were lost: FreeIPMI takes no response but the newest's.
        let sends = self.last.map_or(1, |(last, _)| match number.seq.wrapping_sub(last.seq) & 0x3f {
            steps @ 1..=MOST_LOST => u32::from(steps),
            _ => 1,
        });
        self.lossy |= self.received.is_some_and(|last| received != last.checked_add(1).unwrap_or(1));
        self.received = Some(received);
        self.renumbers |= self.last.is_none() && number.seq > FIRST_NUMBERS;
        self.unnumbered |= self.last.is_some_and(|(last, other)| last == number && other != content);
        self.last = Some((number, content));

        if let Some(index) = self
            .newest(|entry| entry.is_in_work() && entry.content == content && now.since(entry.since) < entry.patience)
        {
            return self.join(now, index, steps, Waiter { to: *to, received, sent: 0 });
        }
        let nature = nature(to, data, nature_of);
        let answered = |entry: &Entry| {
            entry.content == content && entry.state == State::Answered && now.since(entry.since) < EXPIRY
        };
        if nature != Nature::Reads
            && let Some(index) = self.newest(|entry| answered(entry) && entry.copy(number).is_some())
        {
            let impatient = now.since(self.entries[index].asked) >= IMPATIENCE;
            if !self.unnumbered {
                self.renumbers = false;
                return Finding::Again(index);
            }
            if nature == Nature::Acts && repeats && self.lossy && impatient {
                self.entries[index].asked = now;
                return Finding::Again(index);
            }
        }
        if nature == Nature::Acts
            && self.renumbers
            && steps > 0
            && let Some(index) = self.newest(answered)
            && let Some(doubt) = self.doubt(now, index, steps, data)
        {
            let until = doubt.until;
            self.begin(now, State::Doubted, content, Waiter { to: *to, received, sent: 0 }, data).doubt = Some(doubt);
            return Finding::Doubted(until);
        }
        self.begin(now, State::InWork, content, Waiter { to: *to, received, sent: 0 }, data).sends = sends;
        Finding::New
    }

    /// A packet whose session sequence number was used before.
    fn seen(&self, now: Moment, received: u32, to: &ResponseTo, content: u64) -> Finding {
        let same = |entry: &Entry| entry.content == content;
        if self.newest(|entry| same(entry) && entry.is_in_work() && now.since(entry.since) < entry.patience).is_some() {
            return Finding::InWork;
        }
        let answered = self.newest(|entry| {
            let copy = entry.copy(Number::of(to));
            same(entry)
                && entry.state == State::Answered
                && now.since(entry.since) < EXPIRY
                && copy.is_some_and(|copy| copy.received == received && copy.to.peer == to.peer)
        });
        answered.map_or(Finding::Stale, Finding::Again)
    }

    /// The last of the requests that fit.
    fn newest(&self, fits: impl Fn(&Entry) -> bool) -> Option<usize> {
        // Behind the next place to be written are the oldest.
        let (newer, older) = self.entries.split_at(self.next);
        let newest = newer.iter().rposition(&fits);
        newest.or_else(|| older.iter().rposition(&fits).map(|at| at + self.next))
    }

    /// One more copy of a request that is being worked on, or of which it is not known yet whether it is new.
    fn join(&mut self, now: Moment, index: usize, steps: u32, waiter: Waiter) -> Finding {
        let entry = &mut self.entries[index];
        let pause = now.since(entry.asked);
        entry.asked = now;
        if entry.copy(Number::of(&waiter.to)).is_some() {
            self.renumbers = false;
            return if entry.state == State::Doubted { self.settle(now, index, false) } else { Finding::InWork };
        }
        let before = entry.sends;
        entry.add(waiter);
        entry.sends += steps;
        if entry.state == State::InWork {
            if self.renumbers && steps > 0 {
                self.timeout = Some(pause / pauses(before - 1, steps).max(1));
            }
            return Finding::InWork;
        }
        match self.weigh(now, index, pause, steps) {
            Weighed::New => self.settle(now, index, false),
            Weighed::Resend => self.settle(now, index, true),
            Weighed::Open => Finding::Doubted(self.entries[index].doubt.as_ref().map_or(now, |doubt| doubt.until)),
        }
    }

    /// Whether a request that acts, equal to the one before it that was answered, may be that one; if so, how long to
    /// wait for what settles it.
    fn doubt(&self, now: Moment, of: usize, steps: u32, data: &[u8]) -> Option<Box<Doubt>> {
        let before = &self.entries[of];
        let gap = now.since(before.asked);
        let weight = pauses(before.sends - 1, steps);
        if gap < IMPATIENCE || self.timeout.is_some_and(|timeout| !fits(gap, timeout * weight)) {
            return None;
        }
        let timeout = gap / weight.max(1);
        let due = timeout * pauses(before.sends - 1 + steps, 1);
        let until = now + due + due / TOLERANCE + SLACK;
        let sends = before.sends;
        Some(Box::new(Doubt { of, sends, steps, gap, copies: 0, alike: false, until, data: data.to_vec() }))
    }

    /// What a further copy says, `steps` numbers and a pause after the last.
    fn weigh(&mut self, now: Moment, index: usize, pause: Duration, steps: u32) -> Weighed {
        let Some(doubt) = &mut self.entries[index].doubt else { return Weighed::New };
        if steps == 0 {
            return Weighed::New;
        }
        // Indices of the copy before this one, if it was a resend, and if it was new.
        let (resent, new) = (doubt.sends - 1 + doubt.steps + doubt.copies, doubt.steps - 1 + doubt.copies);
        let if_resent = pause / pauses(resent, steps);
        let if_new = pause / pauses(new, steps);
        doubt.copies += steps;
        let resend_fits = fits(doubt.gap, if_resent * pauses(doubt.sends - 1, doubt.steps))
            && self.timeout.is_none_or(|timeout| fits(if_resent, timeout));
        let new_fits = self.timeout.is_none_or(|timeout| fits(if_new, timeout));
        match (resend_fits, new_fits) {
            (false, _) => {
                self.timeout = Some(if_new);
                Weighed::New
            }
            (true, false) => Weighed::Resend,
            (true, true) if if_resent != if_new => {
                self.timeout = Some(if_resent);
                Weighed::Resend
            }
            (true, true) => {
                self.timeout = Some(if_new);
                doubt.alike = true;
                // The next copy of a new request; that of a resend comes later.
                let due = if_new * pauses(new + steps, 1);
                let lead = pauses(resent + steps, 1) > pauses(new + steps, 1);
                let wait = if lead { due + due / TOLERANCE } else { due * 2 };
                doubt.until = now + wait + SLACK;
                Weighed::Open
            }
        }
    }

    /// The doubt about a request is over.
    fn settle(&mut self, now: Moment, index: usize, resend: bool) -> Finding {
        let content = self.entries[index].content;
        let Some(doubt) = self.entries[index].doubt.take() else { return Finding::InWork };
        let first = self
            .entries
            .get(doubt.of)
            .is_some_and(|first| doubt.of != index && first.state == State::Answered && first.content == content);
        if !resend || !first {
            let entry = &mut self.entries[index];
            entry.state = State::InWork;
            entry.since = now;
            return Finding::New;
        }
        self.lossy = true;
        let entry = &mut self.entries[index];
        entry.state = State::Empty;
        let (asked, waiters) = (entry.asked, std::mem::take(&mut entry.waiters));
        let first = &mut self.entries[doubt.of];
        first.asked = asked;
        first.since = now;
        first.sends = doubt.sends + doubt.steps + doubt.copies;
        waiters.into_iter().for_each(|waiter| first.add(waiter));
        Finding::Again(doubt.of)
    }

    /// When a doubt is settled without a further copy.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.entries.iter().filter_map(|entry| entry.doubt.as_ref().map(|doubt| doubt.until)).min()
    }

    /// Settles a doubt whose time is over: what to do, with the last copy of the request and its data.
    pub(super) fn overdue(&mut self, now: Moment) -> Option<(Finding, ResponseTo, Vec<u8>)> {
        let due = |entry: &Entry| entry.doubt.as_ref().is_some_and(|doubt| doubt.until <= now);
        let index = self.entries.iter().position(due)?;
        let (lossy, timeout) = (self.lossy, self.timeout);
        let entry = &mut self.entries[index];
        let (asked, to) = (entry.asked, entry.waiters.last()?.to);
        let doubt = entry.doubt.as_mut()?;
        let resend = if doubt.alike {
            // The pause has grown.
            true
        } else {
            // The copy that would follow a resend has not come, or was lost itself.
            let longest = asked + timeout.unwrap_or(doubt.gap) * LOSSY_PATIENCE;
            if (lossy || timeout.is_some()) && doubt.until < longest {
                doubt.until = longest;
                return None;
            }
            lossy
        };
        let data = std::mem::take(&mut doubt.data);
        Some((self.settle(now, index, resend), to, data))
    }

    /// Remembers a request that is new, or may be.
    fn begin(&mut self, now: Moment, state: State, content: u64, waiter: Waiter, data: &[u8]) -> &mut Entry {
        let entry = &mut self.entries[self.next];
        self.next = (self.next + 1) % REMEMBERED;
        entry.state = state;
        entry.content = content;
        entry.since = now;
        entry.asked = now;
        entry.sends = 1;
        entry.doubt = None;
        entry.patience = if waiter.to.rs_lun == SMS_LUN { HOST_PATIENCE } else { PATIENCE };
        entry.waiters.clear();
        entry.waiters.push(waiter);
        entry.follow_up = None;
        entry.bridged = bridged(&waiter.to, data);
        entry
    }

    /// A request was answered: calls `send` for every copy that waits for the response
    /// (each once; `send` gives the sequence number it used). False when the request is
    /// not remembered any more.
    pub(super) fn answered(
        &mut self,
        now: Moment,
        to: &ResponseTo,
        response: &[u8],
        mut send: impl FnMut(&ResponseTo) -> u32,
    ) -> bool {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.waits_for(to)) else {
            return false;
        };
        for waiter in &mut entry.waiters {
            waiter.sent = send(&waiter.to);
        }
        entry.state = State::Answered;
        entry.since = now;
        entry.response.clear();
        entry.response.extend_from_slice(response);
        true
    }

    /// A request that is being worked on will never be answered: what comes of it again is new.
    pub(super) fn forget(&mut self, to: &ResponseTo) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.waits_for(to)) {
            *entry = Entry::default();
        }
    }

    /// A whole message is on its way to the client: the response of the host to a request
    /// for it, or the bridged response behind that to Send Message. Remembers it with the
    /// request it belongs to.
    pub(super) fn follow_up(&mut self, now: Moment, message: &Message<'_>, bytes: &[u8], sent: u32) {
        let shape = (message.netfn, message.seq, message.cmd);
        for entry in &mut self.entries {
            let direct = entry.state == State::InWork
                && entry
                    .waiters
                    .first()
                    .is_some_and(|waiter| (waiter.to.netfn | 1, waiter.to.rq_seq, waiter.to.cmd) == shape);
            if direct {
                entry.state = State::Answered;
                entry.since = now;
                entry.response.clear();
                entry.response.extend_from_slice(message.data);
                entry.waiters.iter_mut().for_each(|waiter| waiter.sent = sent);
                return;
            }
            if entry.state != State::Empty && entry.bridged == Some(shape) {
                entry.follow_up = Some((bytes.to_vec(), sent));
                return;
            }
        }
    }

    /// The response with this index, message by message, each with the sequence number it
    /// was sent under to the copy of `to`.
    pub(super) fn again(&self, index: usize, to: &ResponseTo) -> impl Iterator<Item = (Again<'_>, u32)> {
        let entry = &self.entries[index];
        let copy = entry.copy(Number::of(to));
        let response = copy.map(|copy| (Again::Response(&entry.response), copy.sent));
        let follow_up = entry.follow_up.as_ref().map(|(bytes, sent)| (Again::Message(bytes.as_slice()), *sent));
        response.into_iter().chain(follow_up)
    }
}

/// FNV-1a with 64 bits: requests are short, and this is all the spreading they need.
fn content(to: &ResponseTo, data: &[u8]) -> u64 {
    let head = [to.rs_addr, to.rs_lun, to.rq_addr, to.rq_lun, to.netfn, to.cmd];
    head.iter()
        .chain(data)
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Network function, rqSeq and command of the response a Send Message brings about.
fn bridged(to: &ResponseTo, data: &[u8]) -> Option<(u8, u8, u8)> {
    if (to.netfn, to.cmd) != (netfn::APP, SEND_MESSAGE) {
        return None;
    }
    let (_channel, message) = data.split_first()?;
    // A broadcast has a 0 before the address.
    let message = message.strip_prefix(&[0]).unwrap_or(message);
    let message = Message::parse_unchecked(message).ok()?;
    Some((message.netfn | 1, message.seq, message.cmd))
}

/// What a [`ResponseTo`] of a message looks like.
pub(super) fn response_to(session: SessionId, peer: Peer, message: &Message<'_>) -> ResponseTo {
    ResponseTo {
        session,
        peer,
        rs_addr: message.to,
        rq_addr: message.from,
        netfn: message.netfn,
        rs_lun: message.to_lun,
        rq_lun: message.from_lun,
        rq_seq: message.seq,
        cmd: message.cmd,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn natures(_: Option<McAddress>, netfn: u8, cmd: u8, data: &[u8]) -> Nature {
        crate::command::STANDARD.nature(McAddress::BMC, netfn, cmd, data)
    }

    struct Client {
        recent: Recent,
        now: Moment,
        sequence: u32,
        outbound: u32,
    }

    impl Client {
        fn new() -> Self {
            Self { recent: Recent::default(), now: Moment::default(), sequence: 0, outbound: 100 }
        }

        fn to(seq: u8, cmd: u8) -> ResponseTo {
            ResponseTo {
                session: SessionId(2),
                peer: "192.0.2.1:1000".parse().unwrap(),
                rs_addr: 0x20,
                rq_addr: 0x81,
                netfn: 0,
                rs_lun: 0,
                rq_lun: 0,
                rq_seq: seq,
                cmd,
            }
        }

        fn send(&mut self, seq: u8, cmd: u8, data: &[u8]) -> Finding {
            self.sequence += 1;
            self.recent.judge(self.now, Verdict::Fresh, self.sequence, &Self::to(seq, cmd), data, natures)
        }

        fn repeat(&mut self, sequence: u32, seq: u8, cmd: u8, data: &[u8]) -> Finding {
            self.recent.judge(self.now, Verdict::Seen, sequence, &Self::to(seq, cmd), data, natures)
        }

        /// Answers, and tells which rqSeq got it.
        fn answer(&mut self, seq: u8, cmd: u8) -> Vec<u8> {
            let mut to = Vec::new();
            let outbound = &mut self.outbound;
            self.recent.answered(self.now, &Self::to(seq, cmd), &[0, cmd], |waiter| {
                to.push(waiter.rq_seq);
                *outbound += 1;
                *outbound
            });
            to
        }

        fn wait(&mut self, milliseconds: u64) {
            self.now = self.now + Duration::from_millis(milliseconds);
        }
    }

    #[test]
    fn a_resend_in_work_is_not_executed() {
        let mut client = Client::new();
        assert_eq!(client.send(5, 2, &[1]), Finding::New);
        for _ in 0..10 {
            client.wait(1000);
            assert_eq!(client.send(5, 2, &[1]), Finding::InWork);
        }
        assert_eq!(client.answer(5, 2), [5], "one answer, not eleven");
    }

    #[test]
    fn a_resend_of_an_answered_request_gets_the_answer_again_for_five_seconds() {
        let mut client = Client::new();
        client.send(5, 2, &[1]);
        client.answer(5, 2);
        client.wait(4999);
        let Finding::Again(index) = client.send(5, 2, &[1]) else { panic!("executed twice") };
        let (Again::Response(response), sent) = client.recent.again(index, &Client::to(5, 2)).next().unwrap() else {
            panic!("not an answer")
        };
        assert_eq!((response, sent), (&[0, 2][..], 101));
        client.wait(1);
        assert_eq!(client.send(5, 2, &[1]), Finding::New);
    }

    #[test]
    fn any_difference_makes_a_new_request() {
        let mut client = Client::new();
        client.send(5, 2, &[1]);
        client.answer(5, 2);
        assert_eq!(client.send(6, 2, &[1]), Finding::New);
        assert_eq!(client.send(7, 2, &[2]), Finding::New);
        assert_eq!(client.send(8, 3, &[1]), Finding::New);
        assert_eq!(client.send(9, 2, &[1, 0]), Finding::New);
    }

    #[test]
    fn a_client_that_counts_never_meets_its_own_past() {
        let mut client = Client::new();
        for number in 0..1000u32 {
            let seq = (number % 64) as u8;
            assert_eq!(client.send(seq, 1, &[]), Finding::New, "{number}");
            assert_eq!(client.answer(seq, 1), [seq]);
        }
    }

    #[test]
    fn a_client_with_a_fixed_number_always_gets_a_fresh_answer() {
        let mut client = Client::new();
        assert_eq!(client.send(0, 0x3b, &[4]), Finding::New);
        client.answer(0, 0x3b);
        for _ in 0..100 {
            assert_eq!(client.send(0, 2, &[2]), Finding::New);
            client.answer(0, 2);
        }
        // But not while the first is being worked on ...
        assert_eq!(client.send(0, 2, &[3]), Finding::New);
        assert_eq!(client.send(0, 2, &[3]), Finding::InWork);
        client.answer(0, 2);
        // ... and a packet that comes again unchanged is not executed either.
        let sequence = client.sequence - 1;
        assert!(matches!(client.repeat(sequence, 0, 2, &[3]), Finding::Again(_)));
    }

    #[test]
    fn a_resend_with_a_new_number_joins_and_both_get_the_answer() {
        let mut client = Client::new();
        assert_eq!(client.send(5, 2, &[1]), Finding::New);
        assert_eq!(client.send(6, 2, &[1]), Finding::InWork);
        assert_eq!(client.send(7, 2, &[1]), Finding::InWork);
        assert_eq!(client.answer(5, 2), [5, 6, 7]);
        assert!(matches!(client.send(7, 2, &[1]), Finding::Again(_)));
        assert_eq!(client.send(8, 2, &[1]), Finding::New);
    }

    #[test]
    fn of_many_resends_the_newest_are_answered() {
        let mut client = Client::new();
        for seq in 1..20 {
            client.send(seq, 2, &[1]);
        }
        assert_eq!(client.answer(19, 2), [16, 17, 18, 19]);
    }

    #[test]
    fn what_only_reads_is_executed_again_under_the_same_number_too() {
        let reading = ResponseTo { netfn: netfn::SENSOR_EVENT, ..Client::to(1, 0x2d) };
        // Get Device ID on another controller, by Send Message.
        let carried = [0x40, 0x30, 0x18, 0xb8, 0x20, 0x14, 0x01, 0xcb];
        let bridged = ResponseTo { netfn: netfn::APP, ..Client::to(1, SEND_MESSAGE) };
        for (to, data) in [(reading, &[1][..]), (bridged, &carried)] {
            let mut client = Client::new();
            for wait in [0, 20, 2000, 4000] {
                client.wait(wait);
                client.sequence += 1;
                assert_eq!(
                    client.recent.judge(client.now, Verdict::Fresh, client.sequence, &to, data, natures),
                    Finding::New
                );
                // A packet that comes again is none that was read anew.
                let again = client.recent.judge(client.now, Verdict::Seen, client.sequence, &to, data, natures);
                assert_eq!(again, Finding::InWork);
                assert!(client.recent.answered(client.now, &to, &[0, 7], |_| 101));
            }
        }
    }

    /// A client whose number never changes, on a network that loses packets: what acts is a resend only after a
    /// client's patience.
    #[test]
    fn a_client_with_a_fixed_number_repeats_what_acts_where_nothing_is_lost() {
        let mut client = Client::new();
        client.send(1, 1, &[]);
        client.answer(1, 1);
        for wait in [0, 300, 1000, 3000] {
            client.wait(wait);
            assert_eq!(client.send(1, 2, &[3]), Finding::New, "{wait} ms");
            client.answer(1, 2);
        }
        client.sequence += 1;
        client.wait(1000);
        assert!(matches!(client.send(1, 2, &[3]), Finding::Again(_)), "a packet was lost before");
        client.wait(100);
        assert_eq!(client.send(1, 2, &[3]), Finding::New, "no client is as impatient as that");
    }

    /// A client like FreeIPMI, every sending of which has its own number, and a BMC behind a network.
    struct Renumbering {
        recent: Recent,
        now: u64,
        seq: u8,
        sequence: u32,
        timeout: u64,
        executed: u32,
        /// How long the client waited for the response to the last event.
        took: u64,
    }

    impl Renumbering {
        fn new(timeout: u64) -> Self {
            let mut recent = Recent::new(Some(60));
            // Set Session Privilege Level.
            let to = ResponseTo { netfn: netfn::APP, ..Client::to(39, 0x3b) };
            recent.judge(Self::at(9000), Verdict::Fresh, 1, &to, &[4], natures);
            recent.answered(Self::at(9000), &to, &[0, 4], |_| 1);
            Self { recent, now: 10_000, seq: 40, sequence: 2, timeout, executed: 0, took: 0 }
        }

        fn at(now: u64) -> Moment {
            Moment::new(Duration::from_millis(now))
        }

        fn answer(&mut self, to: &ResponseTo, now: u64) -> Vec<u8> {
            self.executed += 1;
            let mut answered = Vec::new();
            assert!(self.recent.answered(Self::at(now), to, &[0], |waiter| {
                answered.push(waiter.rq_seq);
                9
            }));
            answered
        }

        /// Sends an event until it is answered; `lost` tells of each sending whether the request (1) or its response (2)
        /// is lost. Each waits `delays` on its way.
        fn event(&mut self, event: u8, lost: &[u8], delays: impl Fn(u64) -> u64) {
            let started = self.now;
            let mut sendings = 0;
            loop {
                let to = ResponseTo { netfn: netfn::STORAGE, ..Client::to(self.seq, 0x44) };
                let fate = lost.get(sendings as usize).copied().unwrap_or(0);
                let arrives = self.now + delays(self.now);
                let mut answered = Vec::new();
                if fate != 1 {
                    let found =
                        self.recent.judge(Self::at(arrives), Verdict::Fresh, self.sequence, &to, &[event], natures);
                    match found {
                        Finding::New => answered = self.answer(&to, arrives),
                        Finding::Again(_) => answered.push(self.seq),
                        Finding::InWork | Finding::Doubted(_) => {}
                        Finding::Stale => panic!("stale"),
                    }
                }
                let mut at = arrives + delays(arrives);
                let next = self.now + self.timeout * (sendings / 2 + 1);
                while answered.is_empty() {
                    let Some(due) = self.recent.deadline() else { break };
                    let due = due.since_boot().as_millis() as u64 + 1;
                    if due >= next {
                        break;
                    }
                    at = due;
                    match self.recent.overdue(Self::at(due)) {
                        Some((Finding::New, to, _)) => answered = self.answer(&to, due),
                        Some((Finding::Again(_), to, _)) => answered.push(to.rq_seq),
                        _ => {}
                    }
                }
                let seen = fate != 2 && at < next && answered.contains(&self.seq);
                self.seq = (self.seq + 1) & 0x3f;
                self.sequence += 1;
                if seen {
                    self.now = at;
                    self.took = at - started;
                    return;
                }
                self.now = next;
                sendings += 1;
                assert!(sendings < 12, "never answered");
            }
        }
    }

    #[test]
    fn the_same_event_again_is_an_event_however_long_after_the_answer_it_comes() {
        for timeout in [400, 500, 1000, 2000, 5000] {
            for pause in [1, 100, 260, 300, 400, 500, 600, 800, 990, 1000, 1010, 1500, 2000, 3000, 4000, 4990, 6000] {
                for delay in [0, 1, 40] {
                    let mut client = Renumbering::new(timeout);
                    let jitter = |now: u64| delay + now * 7919 % (delay + 1);
                    for number in 1..=6 {
                        client.event(1, &[], jitter);
                        assert_eq!(client.executed, number, "time-out {timeout}, pause {pause}, delay {delay}");
                        assert!(client.took <= 2 * delay * 2 + 3 * timeout + 200, "{} ms", client.took);
                        client.now += pause;
                    }
                }
            }
        }
    }

    #[test]
    fn an_event_whose_answer_was_lost_is_not_logged_twice() {
        for timeout in [400, 500, 1000, 2000] {
            for delay in [0, 1, 40] {
                for lost in
                    [&[2][..], &[2, 2], &[2, 2, 2], &[1, 2], &[2, 1], &[1, 1, 2], &[2, 0, 2], &[1, 2, 2], &[2, 1, 2]]
                {
                    let mut client = Renumbering::new(timeout);
                    let jitter = |now: u64| delay + now * 7919 % (delay + 1);
                    for number in 1..=6 {
                        client.event(number, lost, jitter);
                        assert_eq!(client.executed, u32::from(number), "time-out {timeout}, {lost:?}, delay {delay}");
                    }
                    // And the last again, with nothing lost.
                    client.now += timeout * 2 / 3;
                    client.event(6, &[], jitter);
                    assert_eq!(client.executed, 7, "time-out {timeout}, {lost:?}, delay {delay}");
                }
            }
        }
    }

    /// FreeIPMI is known by its first number only.
    #[test]
    fn clients_that_count_from_the_start_are_never_doubted() {
        for (first, doubted) in [(20, true), (9, true), (8, false), (1, false), (0, false)] {
            let mut client = Client::new();
            assert_eq!(client.send(first, 2, &[3]), Finding::New);
            client.answer(first, 2);
            client.wait(1000);
            let found = client.send(first + 1, 2, &[3]);
            assert_eq!(matches!(found, Finding::Doubted(_)), doubted, "{first}: {found:?}");
        }
        // The first number of the login tells it too, and keeping a number refutes it.
        let mut client = Client { recent: Recent::new(Some(83)), ..Client::new() };
        client.send(1, 2, &[1]);
        client.answer(1, 2);
        client.wait(1000);
        assert!(matches!(client.send(1, 2, &[1]), Finding::Again(_)));
        client.wait(1000);
        assert_eq!(client.send(2, 2, &[1]), Finding::New);
        // What does no harm is done anew: Set System Boot Options.
        let mut client = Client::new();
        for seq in 20..40 {
            assert_eq!(client.send(seq, 8, &[5, 0]), Finding::New);
            client.answer(seq, 8);
            client.wait(1000);
        }
    }

    #[test]
    fn replays_from_elsewhere_and_of_old_packets_get_nothing() {
        let mut client = Client::new();
        client.send(5, 2, &[1]);
        client.answer(5, 2);
        let mut elsewhere = Client::to(5, 2);
        elsewhere.peer = "192.0.2.9:1000".parse().unwrap();
        assert_eq!(client.recent.judge(client.now, Verdict::Seen, 1, &elsewhere, &[1], natures), Finding::Stale);
        assert_eq!(client.repeat(2, 5, 2, &[1]), Finding::Stale, "another packet's number");
        assert!(matches!(client.repeat(1, 5, 2, &[1]), Finding::Again(_)));
        client.wait(5000);
        assert_eq!(client.repeat(1, 5, 2, &[1]), Finding::Stale);
    }

    #[test]
    fn a_request_nobody_answers_is_new_again_some_day() {
        let mut client = Client::new();
        client.send(5, 2, &[1]);
        client.wait(PATIENCE.as_millis() as u64);
        assert_eq!(client.send(5, 2, &[1]), Finding::New);
    }

    #[test]
    fn bridged_answers_come_again_with_their_send_message() {
        let mut client = Client::new();
        // Chassis Control on another controller: once is enough.
        let data = [0x40, 0x30, 0x00, 0xd0, 0x20, 0x14, 0x02, 0x03, 0xc7];
        let mut to = Client::to(9, SEND_MESSAGE);
        to.netfn = netfn::APP;
        assert_eq!(client.recent.judge(client.now, Verdict::Fresh, 1, &to, &data, natures), Finding::New);
        assert!(client.recent.answered(client.now, &to, &[0], |_| 50));
        let response = Message { to: 0x20, to_lun: 0, netfn: 1, from: 0x30, from_lun: 0, seq: 5, cmd: 2, data: &[0] };
        let mut bytes = Vec::new();
        response.emit(&mut bytes);
        client.recent.follow_up(client.now, &response, &bytes, 51);
        let Finding::Again(index) = client.recent.judge(client.now, Verdict::Fresh, 2, &to, &data, natures) else {
            panic!("bridged twice")
        };
        let sent: Vec<u32> = client.recent.again(index, &to).map(|(_, sent)| sent).collect();
        assert_eq!(sent, [50, 51]);
        assert!(matches!(client.recent.again(index, &to).nth(1), Some((Again::Message(again), _)) if again == bytes));
    }

    #[test]
    fn the_answer_of_the_host_ends_the_work() {
        let mut client = Client::new();
        let mut to = Client::to(9, 1);
        to.rs_lun = SMS_LUN;
        client.recent.judge(client.now, Verdict::Fresh, 1, &to, &[], natures);
        let response =
            Message { to: 0x81, to_lun: 0, netfn: 1, from: 0x20, from_lun: 2, seq: 9, cmd: 1, data: &[0, 7] };
        client.recent.follow_up(client.now, &response, &[], 60);
        assert!(matches!(client.recent.judge(client.now, Verdict::Fresh, 2, &to, &[], natures), Finding::Again(_)));
    }
}
