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
//!   was answered less than five seconds ago is a resend: it gets the same answer again.
//!   rqSeq wraps after 64 requests; only the last eight are remembered, so a client that
//!   counts cannot meet its own past.
//! * Some tools always send the same rqSeq. They are recognised by two different requests
//!   in a row with one rqSeq (already Set Session Privilege Level and what follows it), and
//!   from then on rqSeq says nothing in that session: only a request that is still being
//!   worked on, or a packet with a session sequence number that was used before, counts as
//!   a resend. Such a client polls and always gets a fresh answer.
//! * FreeIPMI gives a resend a new rqSeq as well and accepts only the answer to the newest.
//!   While the first copy is being worked on, an equal request therefore joins it and each
//!   rqSeq gets the answer. After the answer such a resend looks like a new request. Reading
//!   something once more does no harm, but an event must not be logged twice, nor a machine
//!   reset twice. So the few commands that do something anew each time they are executed
//!   ([`acts_each_time`]) count as resent if they come again as the next request of the session,
//!   with one of the next rqSeqs, after a time in which a client loses its patience. That is held only
//!   against clients that are known by their first numbers: FreeIPMI starts to count at a random
//!   number, every other client at one of the first few.
//! * A packet whose *session* sequence number was seen before was doubled by the network or
//!   sent again unchanged (or is replayed by somebody). It never executes anything. The
//!   client may depend on an answer, so it gets the first one again, under the first
//!   one's sequence number: nobody can use up the client's window with replays.

use std::time::Duration;

use super::ReplyTo;
use super::window::Verdict;
use crate::ipmi::{Moment, Peer, SEND_MESSAGE, netfn};
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
}

/// What a requester tells its requests apart by.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Number {
    address: u8,
    lun: u8,
    seq: u8,
}

impl Number {
    fn of(to: &ReplyTo) -> Self {
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
    /// First copy came in, or the answer went out.
    since: Moment,
    /// The last copy came in.
    asked: Moment,
    patience: Duration,
    waiters: Vec<Waiter>,
    /// Completion code and data.
    answer: Vec<u8>,
    /// The whole bridged answer, when there was one, with the sequence number it had.
    follow_up: Option<(Vec<u8>, u32)>,
    /// What a bridged answer to this Send Message looks like: network function, rqSeq, command.
    bridged: Option<(u8, u8, u8)>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Empty,
    InWork,
    Answered,
}

impl Entry {
    /// One more copy waits for the answer; of many the oldest is given up.
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
    to: ReplyTo,
    /// Session sequence number of the copy.
    received: u32,
    /// Session sequence number of its answer.
    sent: u32,
}

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Execute it.
    New,
    /// It is being worked on: nothing to do.
    InWork,
    /// Send the answer with this index again.
    Again(usize),
    /// It was seen and its answer is gone: nothing to do.
    Stale,
}

/// An answer to be sent again: completion code and data, or a whole bridged message.
pub(super) enum Again<'a> {
    /// Completion code and data.
    Answer(&'a [u8]),
    /// A whole message.
    Message(&'a [u8]),
}

impl Recent {
    /// The memory of a new session. `first` is the first number its client has used, if the
    /// login had one.
    pub(super) fn new(first: Option<u8>) -> Self {
        Self { renumbers: first.is_some_and(|first| first > FIRST_NUMBERS), ..Self::default() }
    }

    /// Judges a request and remembers it. `verdict` is Fresh or Seen.
    pub(super) fn judge(&mut self, now: Moment, verdict: Verdict, received: u32, to: &ReplyTo, data: &[u8]) -> Finding {
        let number = Number::of(to);
        let content = content(to, data);
        let repeats = self.last.is_some_and(|(last, before)| {
            let steps = number.seq.wrapping_sub(last.seq) & 0x3f;
            number == Number { seq: number.seq, ..last } && content == before && (1..=MOST_LOST).contains(&steps)
        });
        if verdict == Verdict::Fresh {
            self.renumbers |= self.last.is_none() && number.seq > FIRST_NUMBERS;
            self.unnumbered |= self.last.is_some_and(|(last, other)| last == number && other != content);
            self.last = Some((number, content));
        }
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if entry.state == State::Empty || entry.content != content {
                continue;
            }
            let age = now.since(entry.since);
            let copy = entry.waiters.iter().find(|waiter| Number::of(&waiter.to) == number);
            match (entry.state, verdict) {
                (State::InWork, _) if age < entry.patience => {
                    if verdict == Verdict::Fresh {
                        match copy {
                            Some(_) => self.renumbers = false,
                            None => entry.add(Waiter { to: *to, received, sent: 0 }),
                        }
                        entry.asked = now;
                    }
                    return Finding::InWork;
                }
                (State::Answered, Verdict::Fresh) if age < EXPIRY && copy.is_some() && !self.unnumbered => {
                    self.renumbers = false;
                    return Finding::Again(index);
                }
                (State::Answered, Verdict::Fresh)
                    if self.renumbers
                        && repeats
                        && acts_each_time(to.netfn, to.cmd)
                        && age < EXPIRY
                        && now.since(entry.asked) >= IMPATIENCE =>
                {
                    entry.add(Waiter { to: *to, received, sent: 0 });
                    entry.asked = now;
                    return Finding::Again(index);
                }
                (State::Answered, Verdict::Seen)
                    if age < EXPIRY
                        && copy.is_some_and(|copy| copy.received == received && copy.to.peer == to.peer) =>
                {
                    return Finding::Again(index);
                }
                _ => {}
            }
        }
        if verdict == Verdict::Seen {
            return Finding::Stale;
        }
        let entry = &mut self.entries[self.next];
        self.next = (self.next + 1) % REMEMBERED;
        entry.state = State::InWork;
        entry.content = content;
        entry.since = now;
        entry.asked = now;
        entry.patience = if to.rs_lun == SMS_LUN { HOST_PATIENCE } else { PATIENCE };
        entry.waiters.clear();
        entry.waiters.push(Waiter { to: *to, received, sent: 0 });
        entry.follow_up = None;
        entry.bridged = bridged(to, data);
        Finding::New
    }

    /// A request was answered: calls `send` for every copy that waits for the answer
    /// (each once; `send` gives the sequence number it used). False when the request is
    /// not remembered any more.
    pub(super) fn answered(
        &mut self,
        now: Moment,
        to: &ReplyTo,
        answer: &[u8],
        mut send: impl FnMut(&ReplyTo) -> u32,
    ) -> bool {
        let waits = |entry: &Entry| {
            entry.state == State::InWork
                && entry.waiters.iter().any(|waiter| {
                    (Number::of(&waiter.to), waiter.to.netfn, waiter.to.cmd) == (Number::of(to), to.netfn, to.cmd)
                })
        };
        let Some(entry) = self.entries.iter_mut().find(|entry| waits(entry)) else {
            return false;
        };
        for waiter in &mut entry.waiters {
            waiter.sent = send(&waiter.to);
        }
        entry.state = State::Answered;
        entry.since = now;
        entry.answer.clear();
        entry.answer.extend_from_slice(answer);
        true
    }

    /// A whole message is on its way to the client: the answer of the host to a request
    /// for it, or the bridged answer behind that to Send Message. Remembers it with the
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
                entry.answer.clear();
                entry.answer.extend_from_slice(message.data);
                entry.waiters.iter_mut().for_each(|waiter| waiter.sent = sent);
                return;
            }
            if entry.state != State::Empty && entry.bridged == Some(shape) {
                entry.follow_up = Some((bytes.to_vec(), sent));
                return;
            }
        }
    }

    /// The answer with this index, message by message, each with the sequence number it
    /// was sent under to the copy of `to`.
    pub(super) fn again(&self, index: usize, to: &ReplyTo) -> impl Iterator<Item = (Again<'_>, u32)> {
        let entry = &self.entries[index];
        let copy = entry.waiters.iter().find(|waiter| Number::of(&waiter.to) == Number::of(to));
        let answer = copy.map(|copy| (Again::Answer(&entry.answer), copy.sent));
        let follow_up = entry.follow_up.as_ref().map(|(bytes, sent)| (Again::Message(bytes.as_slice()), *sent));
        answer.into_iter().chain(follow_up)
    }
}

/// Whether a command does something anew each time it is executed, so that once more is not
/// the same as once.
fn acts_each_time(netfn: u8, cmd: u8) -> bool {
    /// Chassis Control: reset, power cycle, diagnostic interrupt.
    const CHASSIS_CONTROL: u8 = 0x02;
    /// Platform Event.
    const PLATFORM_EVENT: u8 = 0x02;
    /// Cold Reset and Warm Reset.
    const RESETS: [u8; 2] = [0x02, 0x03];
    /// Add SDR, Partial Add SDR and Add SEL Entry.
    const ADDS: [u8; 3] = [0x24, 0x25, 0x44];
    match netfn {
        netfn::CHASSIS => cmd == CHASSIS_CONTROL,
        netfn::SENSOR_EVENT => cmd == PLATFORM_EVENT,
        netfn::APP => RESETS.contains(&cmd),
        netfn::STORAGE => ADDS.contains(&cmd),
        _ => false,
    }
}

/// FNV-1a with 64 bits: requests are short, and this is all the spreading they need.
fn content(to: &ReplyTo, data: &[u8]) -> u64 {
    let head = [to.rs_addr, to.rs_lun, to.rq_addr, to.rq_lun, to.netfn, to.cmd];
    head.iter()
        .chain(data)
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Network function, rqSeq and command of the answer a Send Message brings about.
fn bridged(to: &ReplyTo, data: &[u8]) -> Option<(u8, u8, u8)> {
    if (to.netfn, to.cmd) != (netfn::APP, SEND_MESSAGE) {
        return None;
    }
    let (_channel, message) = data.split_first()?;
    // A broadcast has a 0 before the address.
    let message = message.strip_prefix(&[0]).unwrap_or(message);
    let message = Message::parse_unchecked(message).ok()?;
    Some((message.netfn | 1, message.seq, message.cmd))
}

/// What a [`ReplyTo`] of a message looks like.
pub(super) fn reply_to(session: u32, peer: Peer, message: &Message<'_>) -> ReplyTo {
    ReplyTo {
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

        fn to(seq: u8, cmd: u8) -> ReplyTo {
            ReplyTo {
                session: 2,
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
            self.recent.judge(self.now, Verdict::Fresh, self.sequence, &Self::to(seq, cmd), data)
        }

        fn repeat(&mut self, sequence: u32, seq: u8, cmd: u8, data: &[u8]) -> Finding {
            self.recent.judge(self.now, Verdict::Seen, sequence, &Self::to(seq, cmd), data)
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
        let (Again::Answer(answer), sent) = client.recent.again(index, &Client::to(5, 2)).next().unwrap() else {
            panic!("not an answer")
        };
        assert_eq!((answer, sent), (&[0, 2][..], 101));
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

    /// A client like FreeIPMI, whose resend of a command that adds something comes with the
    /// next number when the answer was lost.
    #[test]
    fn a_renumbered_resend_of_what_acts_each_time_is_answered_again() {
        let add = |seq: u8| ReplyTo { netfn: netfn::STORAGE, ..Client::to(seq, 0x44) };
        let judge = |client: &mut Client, seq: u8, data: &[u8]| {
            client.sequence += 1;
            client.recent.judge(client.now, Verdict::Fresh, client.sequence, &add(seq), data)
        };
        for (first, impatient, resend) in [(20, 1000, true), (62, 400, true), (20, 100, false), (1, 1000, false)] {
            let mut client = Client::new();
            client.send(first, 0x3b, &[4]);
            client.answer(first, 0x3b);
            let seq = |step: u8| (first + step) & 0x3f;
            assert_eq!(judge(&mut client, seq(1), &[1]), Finding::New);
            assert!(client.recent.answered(client.now, &add(seq(1)), &[0, 7], |_| 101));
            client.wait(impatient);
            let Finding::Again(index) = judge(&mut client, seq(2), &[1]) else {
                assert!(!resend, "executed twice");
                continue;
            };
            assert!(resend, "{first}: not executed");
            let (Again::Answer(answer), _) = client.recent.again(index, &add(seq(2))).next().unwrap() else {
                panic!("not an answer")
            };
            assert_eq!(answer, [0, 7]);
            client.wait(impatient);
            assert!(matches!(judge(&mut client, seq(3), &[1]), Finding::Again(_)), "and once more");
            // Another event, and the same one again after another request, are new.
            client.wait(impatient);
            assert_eq!(judge(&mut client, seq(4), &[2]), Finding::New);
            client.wait(impatient);
            assert_eq!(judge(&mut client, seq(5), &[1]), Finding::New);
            assert!(client.recent.answered(client.now, &add(seq(5)), &[0, 8], |_| 102));
            client.wait(impatient);
            assert!(matches!(judge(&mut client, seq(9), &[1]), Finding::Again(_)), "some were lost on the way");
            client.wait(impatient);
            assert_eq!(judge(&mut client, seq(18), &[1]), Finding::New);
        }
        // The first number of the login tells it too, and keeping a number refutes it.
        let mut client = Client { recent: Recent::new(Some(83)), ..Client::new() };
        for (seq, new) in [(1, true), (2, false), (2, false), (3, true)] {
            assert_eq!(judge(&mut client, seq, &[1]) == Finding::New, new, "{seq}");
            client.recent.answered(client.now, &add(seq), &[0, 7], |_| 101);
            client.wait(1000);
        }
        // Reading something is always done anew.
        let mut client = Client::new();
        for seq in 20..40 {
            assert_eq!(client.send(seq, 1, &[]), Finding::New);
            client.answer(seq, 1);
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
        assert_eq!(client.recent.judge(client.now, Verdict::Seen, 1, &elsewhere, &[1]), Finding::Stale);
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
        let data = [0x40, 0x30, 0x18, 0xb8, 0x20, 0x14, 0x01, 0xcb];
        let mut to = Client::to(9, SEND_MESSAGE);
        to.netfn = netfn::APP;
        assert_eq!(client.recent.judge(client.now, Verdict::Fresh, 1, &to, &data), Finding::New);
        assert!(client.recent.answered(client.now, &to, &[0], |_| 50));
        let answer = Message { to: 0x20, to_lun: 0, netfn: 7, from: 0x30, from_lun: 0, seq: 5, cmd: 1, data: &[0, 2] };
        let mut bytes = Vec::new();
        answer.emit(&mut bytes);
        client.recent.follow_up(client.now, &answer, &bytes, 51);
        let Finding::Again(index) = client.recent.judge(client.now, Verdict::Fresh, 2, &to, &data) else {
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
        client.recent.judge(client.now, Verdict::Fresh, 1, &to, &[]);
        let answer = Message { to: 0x81, to_lun: 0, netfn: 1, from: 0x20, from_lun: 2, seq: 9, cmd: 1, data: &[0, 7] };
        client.recent.follow_up(client.now, &answer, &[], 60);
        assert!(matches!(client.recent.judge(client.now, Verdict::Fresh, 2, &to, &[]), Finding::Again(_)));
    }
}
