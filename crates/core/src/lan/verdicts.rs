//! When the verdict on a password goes out.
//!
//! Whoever fails beyond an allowance gets his verdicts one after the other, ten a second, right and wrong alike: a guess
//! is worth nothing before its verdict. Nobody is turned away. Open Session, RAKP Message 1 and Get Session
//! Challenge are always answered; only RAKP Message 3 and Activate Session wait here, each for its turn, and are
//! looked at then. Who has not failed does not wait.
//!
//! Turns go round the ports of a host and the users that are asked for: whose port, user and address were served least goes
//! first. So a person beside a script on the same machine waits for one or two of its guesses, also where it has hundreds
//! of ports, or a new one for each guess while it tries another user's password. Messages that nothing tells apart wait
//! for as many turns as there are of them. An IPv6 host is its address; its network has an allowance of its own, larger,
//! for those who have many addresses.
//!
//! A failure counts only when the source has shown that it receives our answers, so it cannot be forged in somebody else's
//! name. The same message sent again takes the place of the first and counts once.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::throttle::source;
use crate::ipmi::{Moment, Peer, Random, SessionId, UserNumber};
use zeroize::Zeroize;

/// Failures of one address that cost nothing, and how long it takes until one is forgiven.
const ALLOWANCE: (u32, Duration) = (10, Duration::from_secs(1));
/// The same for the network of an IPv6 address: 64 bits, in which one owner has as many addresses as he likes.
const NETWORK_ALLOWANCE: (u32, Duration) = (80, Duration::from_millis(125));
/// From one verdict of a host that guesses to the next.
const INTERVAL: Duration = Duration::from_millis(100);
/// Most messages of one host that wait. The last waits for two seconds.
const MOST_WAITING: usize = 20;
/// Longest message that may wait; those of a login are shorter.
const MOST_BYTES: usize = 192;
/// How many of its last turns a host is judged by: more than ports that a script uses again and again.
const MOST_TURNS: usize = 256;
/// No more hosts are remembered than this; the one that was quiet longest goes.
const MOST_HOSTS: usize = 256;

/// All hosts that failed lately.
#[derive(Default)]
pub(super) struct Verdicts {
    hosts: Vec<Host>,
    /// A message had to go for another.
    gave_way: bool,
}

/// Who shares an allowance.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Address(IpAddr),
    Network(IpAddr),
}

impl Who {
    fn allowance(self) -> (u32, Duration) {
        match self {
            Self::Address(_) => ALLOWANCE,
            Self::Network(_) => NETWORK_ALLOWANCE,
        }
    }
}

struct Host {
    who: Who,
    /// When all its failures are forgiven.
    forgiven: Moment,
    /// When it failed last.
    last: Moment,
    /// Its next verdict does not go out before this.
    next: Moment,
    waiting: Vec<Waiting>,
    /// Who had its last turns.
    turns: VecDeque<Asker>,
}

/// Who asks for a verdict: what turns are counted by.
#[derive(Clone, Copy)]
struct Asker {
    /// The address; those of a network differ in these bits.
    interface: u64,
    port: u16,
    /// Number of the user whose password is to be proven.
    user: UserNumber,
}

/// A message that waits for its turn.
pub(super) struct Waiting {
    /// Who sent it.
    pub(super) from: Peer,
    /// The id of the login it belongs to.
    login: SessionId,
    asker: Asker,
    /// How often its port, its user and, in a network, its address had one of the last turns.
    served: usize,
    /// The whole datagram.
    pub(super) datagram: Vec<u8>,
}

/// A straight password is in it.
impl Drop for Waiting {
    fn drop(&mut self) {
        self.datagram.zeroize();
    }
}

/// Whether a message is looked at now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is.
    Now,
    /// [`Verdicts::due`] gives it back, at this moment at the earliest.
    Later(Moment),
}

impl Host {
    /// Whether one more failure is within the allowance.
    fn is_free(&self, now: Moment) -> bool {
        let (failures, each) = self.who.allowance();
        self.forgiven.since(now) <= each * (failures - 1)
    }

    fn failed(&mut self, now: Moment) {
        let (failures, each) = self.who.allowance();
        let most = now + each * failures;
        self.forgiven = (self.forgiven.max(now) + each).min(most);
        self.last = now;
    }

    fn took_turn(&mut self, now: Moment, asker: Asker) {
        // A late timer does not make room for a burst.
        self.next = now.max(self.next) + INTERVAL;
        if self.turns.len() >= MOST_TURNS {
            self.turns.pop_front();
        }
        self.turns.push_back(asker);
        for at in 0..self.waiting.len() {
            self.waiting[at].served = self.served(self.waiting[at].asker);
        }
    }

    fn served(&self, asker: Asker) -> usize {
        let in_network = matches!(self.who, Who::Network(_));
        let of = |turn: &Asker| {
            let address = turn.interface == asker.interface;
            usize::from(address && turn.port == asker.port)
                + usize::from(turn.user == asker.user)
                + usize::from(address && in_network)
        };
        self.turns.iter().map(of).sum()
    }

    /// One more waits. Whether one of them, this or another, had to go.
    fn wait(&mut self, waiting: Waiting, random: &mut dyn Random) -> bool {
        if let Some(before) = self.waiting.iter_mut().find(|other| other.login == waiting.login) {
            *before = waiting;
            return false;
        }
        self.waiting.push(waiting);
        if self.waiting.len() <= MOST_WAITING {
            return false;
        }
        // Somebody has to try again: of those with most turns and most that wait, the last; of equals, anyone.
        let rank = |at: usize| {
            let who = self.waiting[at].from.address;
            let queued = self.waiting[..at].iter().filter(|other| other.from.address == who).count();
            (self.waiting[at].served, queued)
        };
        let worst = (0..self.waiting.len()).map(rank).max();
        let candidates: Vec<usize> = (0..self.waiting.len()).filter(|at| Some(rank(*at)) == worst).collect();
        let mut dice = [0; 2];
        random.fill(&mut dice);
        if let Some(at) = candidates.get(usize::from(u16::from_le_bytes(dice)) % candidates.len().max(1)) {
            self.waiting.remove(*at);
        }
        true
    }
}

impl Verdicts {
    /// Whether the last message of a login as this user is looked at now, or waits for its turn.
    pub(super) fn turn(
        &mut self,
        now: Moment,
        from: Peer,
        (login, user): (SessionId, UserNumber),
        datagram: impl FnOnce() -> Vec<u8>,
        random: &mut dyn Random,
    ) -> Turn {
        if self.hosts.is_empty() {
            return Turn::Now;
        }
        let [network, address] = owners(from.ip());
        let slow = |who: Option<Who>| {
            let at = self.hosts.iter().position(|host| Some(host.who) == who)?;
            (!self.hosts[at].is_free(now) || !self.hosts[at].waiting.is_empty()).then_some(at)
        };
        let Some(at) = slow(network).or_else(|| slow(address)) else { return Turn::Now };
        let host = &mut self.hosts[at];
        let asker = Asker { interface: interface(from.ip()), port: from.address.port(), user };
        if host.waiting.is_empty() && host.next <= now {
            host.took_turn(now, asker);
            return Turn::Now;
        }
        let datagram = datagram();
        if datagram.len() <= MOST_BYTES {
            let served = host.served(asker);
            self.gave_way |= host.wait(Waiting { from, login, asker, served, datagram }, random);
        }
        Turn::Later(host.next.max(now))
    }

    /// Whether a message had to go since the last call.
    pub(super) fn gave_way(&mut self) -> bool {
        std::mem::take(&mut self.gave_way)
    }

    /// A login from an address failed.
    pub(super) fn failed(&mut self, now: Moment, address: IpAddr) {
        for who in owners(address).into_iter().flatten() {
            let at = match self.hosts.iter().position(|host| host.who == who) {
                Some(at) => at,
                None => {
                    if self.hosts.len() >= MOST_HOSTS {
                        let rank = |at: &usize| (!self.hosts[*at].waiting.is_empty(), self.hosts[*at].last);
                        let quietest = (0..self.hosts.len()).min_by_key(rank).unwrap_or(0);
                        self.hosts.swap_remove(quietest);
                    }
                    self.hosts.push(Host {
                        who,
                        forgiven: now,
                        last: now,
                        next: now,
                        waiting: Vec::new(),
                        turns: VecDeque::new(),
                    });
                    self.hosts.len() - 1
                }
            };
            self.hosts[at].failed(now);
        }
    }

    /// The next message whose turn has come.
    pub(super) fn due(&mut self, now: Moment) -> Option<Waiting> {
        let host = self.hosts.iter_mut().find(|host| host.next <= now && !host.waiting.is_empty())?;
        let first = (0..host.waiting.len()).min_by_key(|at| host.waiting[*at].served)?;
        let waiting = host.waiting.remove(first);
        host.took_turn(now, waiting.asker);
        Some(waiting)
    }

    /// When the next turn is.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.hosts.iter().filter(|host| !host.waiting.is_empty()).map(|host| host.next).min()
    }
}

/// The bits of an IPv6 address that its owner chose. An IPv4 address shares no allowance with another.
fn interface(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(_) => 0,
        IpAddr::V6(address) => address.to_bits() as u64,
    }
}

/// Whose allowances a failure of an address takes from: the network's first, where there is one.
fn owners(address: IpAddr) -> [Option<Who>; 2] {
    let address = address.to_canonical();
    let network = address.is_ipv6().then(|| Who::Network(source(address)));
    [network, Some(Who::Address(address))]
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::lan::testing::Dice;

    const SCRIPT: &str = "192.0.2.1";
    const USER: UserNumber = UserNumber::new(2).unwrap();

    fn at(milliseconds: u64) -> Moment {
        Moment::new(Duration::from_millis(milliseconds))
    }

    fn peer(address: &str, port: u16) -> Peer {
        SocketAddr::new(address.parse().unwrap(), port).into()
    }

    /// Lets an address fail as often as costs nothing.
    fn spend(verdicts: &mut Verdicts, now: Moment, address: &str) {
        (0..ALLOWANCE.0).for_each(|_| verdicts.failed(now, address.parse().unwrap()));
    }

    /// Logins of one client, one after the other: how long each verdict takes, in milliseconds.
    struct Client {
        from: Peer,
        user: UserNumber,
        /// It has a new port for each login.
        hops: bool,
        /// The login under way and when it came.
        asked: Option<(u32, u64)>,
        took: Vec<u64>,
    }

    /// Clients that try again as soon as they have their verdict, wrong ones and one that is right every now and then.
    fn run(verdicts: &mut Verdicts, script: &mut [Client], right: &mut Client, seconds: u64) -> usize {
        let mut dice = Dice(3);
        let (mut login, mut guesses) = (0, 0);
        for now in (0..seconds * 1000).step_by(5) {
            while let Some(turn) = verdicts.due(at(now)) {
                for client in script.iter_mut().chain([&mut *right]) {
                    if client.from == turn.from
                        && let Some((_, asked)) = client.asked.take()
                    {
                        client.took.push(now - asked);
                        if client.from.address.port() < 60_000 {
                            guesses += 1;
                            verdicts.failed(at(now), client.from.ip());
                        }
                    }
                }
            }
            let idle = now % 1000 == 500;
            for client in script.iter_mut().chain(idle.then_some(&mut *right)) {
                if let Some((login, asked)) = client.asked {
                    // Clients ask again: the message may have lost its place.
                    if now > asked && (now - asked) % 1000 == 0 {
                        let turn = verdicts.turn(
                            at(now),
                            client.from,
                            (SessionId(login), client.user),
                            || [1].to_vec(),
                            &mut dice,
                        );
                        assert_ne!(turn, Turn::Now, "there is always somebody who waits");
                    }
                    continue;
                }
                login += 1;
                let wrong = client.from.address.port() < 60_000;
                if client.hops {
                    let first = if wrong { 1000 } else { 60_000 };
                    client.from.address.set_port(first + (login % 5000) as u16);
                }
                match verdicts.turn(at(now), client.from, (SessionId(login), client.user), || [1].to_vec(), &mut dice) {
                    Turn::Now => {
                        client.took.push(0);
                        if wrong {
                            guesses += 1;
                            verdicts.failed(at(now), client.from.ip());
                        }
                    }
                    Turn::Later(_) => client.asked = Some((login, now)),
                }
            }
        }
        guesses
    }

    fn client(address: &str, port: u16) -> Client {
        Client { from: peer(address, port), user: USER, hops: false, asked: None, took: Vec::new() }
    }

    #[test]
    fn a_scan_gets_ten_verdicts_a_second_and_a_user_beside_it_waits_for_one() {
        for ports in [1, 4, 15] {
            let mut verdicts = Verdicts::default();
            let mut script: Vec<Client> = (0..ports).map(|port| client(SCRIPT, 1000 + port)).collect();
            let mut right = client(SCRIPT, 60_000);
            let guesses = run(&mut verdicts, &mut script, &mut right, 30);
            // The user's own turns are 30 of them.
            assert!((260..=310 + ALLOWANCE.0 as usize).contains(&guesses), "{guesses} guesses in 30 s");
            assert!(right.took.len() >= 15);
            let most = if ports == 1 { 200 } else { 2000 };
            assert!(right.took.iter().all(|took| *took <= most), "{ports} ports: {:?}", right.took);
            assert!(script.iter().all(|client| client.took.iter().all(|took| *took <= 2500)), "late, but never lost");
        }
    }

    #[test]
    fn a_user_beside_a_scan_with_hundreds_of_ports_waits_for_a_few_turns() {
        let other = UserNumber::LAST;
        for (ports, hops, user) in [(100, false, USER), (200, false, USER), (30, true, other), (200, true, other)] {
            let mut verdicts = Verdicts::default();
            let mut script: Vec<Client> = (0..ports).map(|port| client(SCRIPT, 1000 + port)).collect();
            script.iter_mut().for_each(|client| client.hops = hops);
            let mut right = client(SCRIPT, 60_000);
            (right.user, right.hops) = (user, true);
            let guesses = run(&mut verdicts, &mut script, &mut right, 40);
            assert!((350..=410 + ALLOWANCE.0 as usize).contains(&guesses), "{guesses} guesses in 40 s");
            // Until its ports have had a turn each, a script is nothing else than many people.
            let later = right.took.iter().rev().take(15);
            assert!(later.len() == 15 && later.clone().all(|took| *took <= 300), "{ports} ports: {:?}", right.took);
        }
    }

    #[test]
    fn other_addresses_do_not_wait() {
        let mut verdicts = Verdicts::default();
        let mut script: Vec<Client> = (0..50).map(|host| client(&format!("198.51.100.{host}"), 1000)).collect();
        let mut right = client("192.0.2.7", 60_000);
        run(&mut verdicts, &mut script, &mut right, 10);
        assert_eq!(right.took, [0; 10]);
    }

    #[test]
    fn the_allowance_is_exact() {
        // A failure every second costs nothing, for ever.
        let mut verdicts = Verdicts::default();
        let mut dice = Dice(1);
        for second in 0..10_000 {
            let now = at(second * 1000);
            assert_eq!(verdicts.turn(now, peer(SCRIPT, 1), (SessionId(1), USER), Vec::new, &mut dice), Turn::Now);
            verdicts.failed(now, SCRIPT.parse().unwrap());
        }
        // A hundred a minute more are too many only when the allowance is used up, and nobody waits for more than a turn.
        let mut verdicts = Verdicts::default();
        let mut waits = 0;
        for number in 0..10_000 {
            let now = at(number * 990);
            while verdicts.due(now).is_some() {}
            if verdicts.turn(now, peer(SCRIPT, 1), (SessionId(number as u32), USER), Vec::new, &mut dice) != Turn::Now {
                waits += 1;
            }
            verdicts.failed(now, SCRIPT.parse().unwrap());
        }
        assert_eq!(waits, 0, "they are further apart than ten a second");
        // All at once: the allowance, and then one turn after the other.
        let mut verdicts = Verdicts::default();
        for number in 0..ALLOWANCE.0 {
            assert_eq!(
                verdicts.turn(at(0), peer(SCRIPT, 1), (SessionId(number), USER), Vec::new, &mut dice),
                Turn::Now
            );
            verdicts.failed(at(0), SCRIPT.parse().unwrap());
        }
        assert_eq!(
            verdicts.turn(at(0), peer(SCRIPT, 1), (SessionId(98), USER), Vec::new, &mut dice),
            Turn::Now,
            "the first turn"
        );
        assert_eq!(
            verdicts.turn(at(0), peer(SCRIPT, 1), (SessionId(99), USER), Vec::new, &mut dice),
            Turn::Later(at(100))
        );
        assert_eq!(verdicts.deadline(), Some(at(100)));
        assert!(verdicts.due(at(99)).is_none());
        assert!(verdicts.due(at(100)).is_some());
        assert!(verdicts.due(at(100)).is_none());
        assert_eq!(verdicts.deadline(), None);
    }

    #[test]
    fn a_message_sent_again_waits_once_and_the_newest_is_looked_at() {
        let mut verdicts = Verdicts::default();
        let mut dice = Dice(1);
        spend(&mut verdicts, at(0), SCRIPT);
        verdicts.turn(at(0), peer(SCRIPT, 1), (SessionId(1), USER), || [0].to_vec(), &mut dice);
        for number in 1..50 {
            assert_eq!(
                verdicts.turn(at(0), peer(SCRIPT, 1), (SessionId(2), USER), || [number].to_vec(), &mut dice),
                Turn::Later(at(100))
            );
        }
        assert_eq!(verdicts.due(at(100)).unwrap().datagram, [49]);
        assert!(verdicts.due(at(10_000)).is_none());
    }

    #[test]
    fn what_waits_is_bounded_and_the_flood_loses_its_own() {
        let mut verdicts = Verdicts::default();
        let mut dice = Dice(1);
        spend(&mut verdicts, at(0), SCRIPT);
        verdicts.turn(at(0), peer(SCRIPT, 9), (SessionId(1), USER), Vec::new, &mut dice);
        verdicts.turn(at(0), peer(SCRIPT, 8), (SessionId(2), USER), || b"right".to_vec(), &mut dice);
        for login in 10..10_000 {
            verdicts.turn(at(0), peer(SCRIPT, 9), (SessionId(login), USER), || b"wrong".to_vec(), &mut dice);
        }
        assert_eq!(verdicts.hosts[0].waiting.len(), MOST_WAITING);
        assert_eq!(verdicts.due(at(100)).unwrap().datagram, b"right");
        assert_eq!(
            verdicts.turn(at(100), peer(SCRIPT, 7), (SessionId(3), USER), || [0; MOST_BYTES + 1].to_vec(), &mut dice),
            Turn::Later(at(200))
        );
        assert!(verdicts.hosts[0].waiting.iter().all(|waiting| waiting.datagram == b"wrong"), "no place for that");
        for number in 0..100_000u32 {
            verdicts.failed(at(1000), IpAddr::V4(number.into()));
        }
        assert_eq!(verdicts.hosts.len(), MOST_HOSTS);
    }

    #[test]
    fn an_ipv6_host_is_its_address_and_its_network_has_more_room() {
        let mut dice = Dice(1);
        // Two hosts of one network, one of which fails three times a second: the other does not notice.
        let mut verdicts = Verdicts::default();
        for number in 0..3000 {
            let now = at(number * 333);
            while verdicts.due(now).is_some() {}
            verdicts.turn(now, peer("2001:db8::1", 1), (SessionId(number as u32), USER), Vec::new, &mut dice);
            verdicts.failed(now, "2001:db8::1".parse().unwrap());
            assert_eq!(
                verdicts.turn(now, peer("2001:db8::2", 1), (SessionId(1), USER), Vec::new, &mut dice),
                Turn::Now,
                "{number}"
            );
        }
        // Somebody who has a new address for each guess gets ten verdicts a second in all, and who has not failed in that
        // network goes before him.
        let mut verdicts = Verdicts::default();
        let mut judged = 0;
        for number in 0..10_000u32 {
            let now = at(u64::from(number));
            let from = format!("2001:db8::1:{number:x}");
            while let Some(turn) = verdicts.due(now) {
                judged += 1;
                verdicts.failed(now, turn.from.ip());
            }
            if verdicts.turn(now, peer(&from, 1), (SessionId(number), USER), Vec::new, &mut dice) == Turn::Now {
                judged += 1;
                verdicts.failed(now, from.parse().unwrap());
            }
        }
        assert!((90 + 80..=110 + 160).contains(&judged), "{judged} in 10 s");
        assert_eq!(
            verdicts.turn(at(10_000), peer("2001:db8:0:1::1", 1), (SessionId(1), USER), Vec::new, &mut dice),
            Turn::Now,
            "elsewhere"
        );
    }

    #[test]
    fn an_ipv4_address_is_one_in_both_forms() {
        let mut verdicts = Verdicts::default();
        let mut dice = Dice(1);
        spend(&mut verdicts, at(0), "::ffff:192.0.2.1");
        verdicts.turn(at(0), peer(SCRIPT, 1), (SessionId(1), USER), Vec::new, &mut dice);
        assert_ne!(
            verdicts.turn(at(0), peer("::ffff:192.0.2.1", 1), (SessionId(2), USER), Vec::new, &mut dice),
            Turn::Now
        );
        assert_eq!(verdicts.turn(at(0), peer("192.0.2.2", 1), (SessionId(2), USER), Vec::new, &mut dice), Turn::Now);
    }
}
