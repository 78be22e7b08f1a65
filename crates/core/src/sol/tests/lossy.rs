//! A console behind a network that loses, doubles and reorders packets: every byte arrives
//! exactly once and in order, both ways.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::bench::{PLAIN, SESSION, TELNET};
use crate::ipmi::Moment;
use crate::sol::{Engine, Outbox, Output, Settings};
use crate::wire::sol::{Packet, Status};

/// A small reproducible source of chance.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.roll(100) < chance
    }
}

/// What a network does, in percent.
#[derive(Clone, Copy, Debug)]
struct Weather {
    lost: u64,
    doubled: u64,
    late: u64,
}

const FINE: Weather = Weather { lost: 0, doubled: 0, late: 0 };
const BAD: Weather = Weather { lost: 10, doubled: 10, late: 10 };

/// A console as the specification wants it: one packet outstanding, sent again after a
/// second, continued after a partial acceptance, silent after a NACK.
struct Console {
    to_send: VecDeque<u8>,
    sequence: u8,
    outstanding: Option<(Vec<u8>, Moment)>,
    held: Option<Moment>,
    /// Most data in a packet.
    size: usize,
    received: Vec<u8>,
    expected: u8,
    /// What was said to the last packet: sequence and count.
    said: (u8, u8),
    /// How often, in percent, only a part of a packet is accepted.
    picky: u64,
    /// What a NACK means to it.
    manners: Manners,
    /// How often it was told to wait.
    nacks: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manners {
    /// Waits after a NACK.
    Polite,
    /// Sends on, as ipmitool and ipmiconsole do.
    Rude,
}

impl Console {
    fn new(text: &[u8], size: usize, picky: u64, manners: Manners) -> Self {
        Self {
            to_send: text.iter().copied().collect(),
            sequence: 1,
            outstanding: None,
            held: None,
            size,
            received: Vec::new(),
            expected: 1,
            said: (0, 0),
            picky,
            manners,
            nacks: 0,
        }
    }

    fn receive(&mut self, packet: &Packet<'_>, dice: &mut Dice, now: Moment, send: &mut Vec<Vec<u8>>) {
        let mut said = None;
        if packet.sequence == self.expected {
            let count = packet.data.len();
            let taken = if dice.percent(self.picky) { 1 + dice.roll(count as u64) as usize } else { count };
            self.received.extend_from_slice(&packet.data[..taken]);
            self.said = (packet.sequence, taken as u8);
            self.expected = self.expected % 15 + 1;
            said = Some(self.said);
        } else if packet.sequence != 0 && packet.sequence == self.said.0 {
            said = Some(self.said);
        }
        let nack = Status(packet.control).contains(Status::NACK);
        if self.outstanding.is_some() && packet.acknowledged == self.sequence {
            self.outstanding = None;
            self.to_send.drain(..usize::from(packet.accepted));
            self.sequence = self.sequence % 15 + 1;
            self.nacks += usize::from(nack);
            self.held = (nack && self.manners == Manners::Polite).then_some(now + Duration::from_secs(5));
        } else if packet.acknowledged != 0 && packet.acknowledged % 15 + 1 == self.sequence && !nack {
            self.held = None;
        }
        if let Some((sequence, count)) = said {
            send.push(vec![0, sequence, count, 0]);
        }
    }

    fn poll(&mut self, now: Moment, send: &mut Vec<Vec<u8>>) {
        match &mut self.outstanding {
            Some((packet, at)) if *at <= now => {
                *at = now + Duration::from_secs(1);
                send.push(packet.clone());
            }
            Some(_) => {}
            None if self.to_send.is_empty() || self.held.is_some_and(|until| until > now) => {}
            None => {
                let data = self.to_send.iter().take(self.size).copied();
                let packet: Vec<u8> = [self.sequence, 0, 0, 0].into_iter().chain(data).collect();
                self.outstanding = Some((packet.clone(), now + Duration::from_secs(1)));
                send.push(packet);
            }
        }
    }

    fn alarm(&self) -> Option<Moment> {
        match &self.outstanding {
            Some((_, at)) => Some(*at),
            None if self.to_send.is_empty() => None,
            None => self.held,
        }
    }
}

enum Arrival {
    AtConsole(Vec<u8>),
    AtBmc(Vec<u8>),
    PortWrote(usize),
}

struct World {
    now: Moment,
    dice: Dice,
    weather: Weather,
    /// By time and order of sending.
    arrivals: BTreeMap<(Moment, u64), Arrival>,
    order: u64,
    engine: Engine,
    out: Outbox,
    console: Console,
    written: Vec<u8>,
    datagrams: usize,
    /// How many milliseconds the port sometimes takes nothing.
    pause: u64,
}

impl World {
    fn new(settings: Settings, seed: u64, weather: Weather, console: Console) -> Self {
        let mut world = Self {
            now: Moment::new(Duration::from_secs(5)),
            dice: Dice(seed),
            weather,
            arrivals: BTreeMap::new(),
            order: 0,
            engine: Engine::new(settings),
            out: Outbox::default(),
            console,
            written: Vec::new(),
            datagrams: 0,
            pause: 400,
        };
        world.engine.port_opened(world.now, &mut world.out);
        world.collect();
        world.engine.activate(world.now, SESSION, 0, &mut world.out);
        world.collect();
        world
    }

    /// Something arrives later.
    fn at(&mut self, milliseconds: u64, arrival: Arrival) {
        self.order += 1;
        self.arrivals.insert((self.now + Duration::from_millis(milliseconds), self.order), arrival);
    }

    fn through_the_network(&mut self, wrap: impl Fn(Vec<u8>) -> Arrival, packet: Vec<u8>) {
        self.datagrams += 1;
        let copies = if self.dice.percent(self.weather.doubled) { 2 } else { 1 };
        for _ in 0..copies {
            if self.dice.percent(self.weather.lost) {
                continue;
            }
            // Late enough to be overtaken by several packets. Overtaken by fifteen, nothing could
            // tell a packet from its successor of the same number.
            let late = if self.dice.percent(self.weather.late) { self.dice.roll(20) } else { 0 };
            let travel = 1 + self.dice.roll(3) + late;
            self.at(travel, wrap(packet.clone()));
        }
    }

    fn collect(&mut self) {
        let mut packets = Vec::new();
        let mut written = 0;
        for output in self.out.iter() {
            match output {
                Output::Packet { session, payload } => {
                    assert_eq!(session, SESSION);
                    packets.push(payload.to_vec());
                }
                Output::Port(bytes) => {
                    self.written.extend_from_slice(bytes);
                    written += bytes.len();
                }
                Output::Break | Output::ModemLines(_) => {}
            }
        }
        self.out.clear();
        if written > 0 {
            let slow = if self.dice.percent(20) { self.pause } else { 2 };
            let time = self.dice.roll(slow);
            self.at(time, Arrival::PortWrote(written));
        }
        for packet in packets {
            self.through_the_network(Arrival::AtConsole, packet);
        }
    }

    /// Runs until both directions are through. `from_port` is what the port has to say.
    fn run(&mut self, from_port: &[u8]) {
        let mut unread = from_port;
        let give_up = self.now + Duration::from_secs(3600 * 24);
        let (up, down) = (self.written.len() + self.console.to_send.len(), from_port.len());
        loop {
            let mut send = Vec::new();
            while self.engine.wants_port_data() && !unread.is_empty() {
                let size = unread.len().min(1 + self.dice.roll(4096) as usize);
                let (piece, rest) = unread.split_at(size);
                unread = rest;
                assert_eq!(self.engine.from_port(self.now, piece, &mut self.out).len(), piece.len());
                self.collect();
            }
            self.console.poll(self.now, &mut send);
            for packet in send.drain(..) {
                self.through_the_network(Arrival::AtBmc, packet);
            }
            let next =
                [self.arrivals.keys().next().map(|(time, _)| *time), self.console.alarm(), self.engine.deadline()]
                    .into_iter()
                    .flatten()
                    .min();
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            assert!(
                self.now < give_up,
                "stuck: {} of {up} up, {} of {down} down",
                self.written.len(),
                self.console.received.len()
            );
            while let Some(entry) = self.arrivals.first_entry().filter(|entry| entry.key().0 <= self.now) {
                match entry.remove() {
                    Arrival::AtConsole(bytes) => {
                        let packet = Packet::parse(&bytes).unwrap();
                        assert!(packet.sequence == 0 || !packet.data.is_empty(), "a numbered packet without data");
                        self.console.receive(&packet, &mut self.dice, self.now, &mut send);
                    }
                    Arrival::AtBmc(bytes) => self.engine.from_console(self.now, SESSION, &bytes, &mut self.out),
                    Arrival::PortWrote(count) => self.engine.port_written(self.now, count, &mut self.out),
                }
                self.collect();
                for packet in send.drain(..) {
                    self.through_the_network(Arrival::AtBmc, packet);
                }
            }
            if self.engine.deadline().is_some_and(|deadline| deadline <= self.now) {
                self.engine.timeout(self.now, &mut self.out);
                self.collect();
            }
        }
        assert!(unread.is_empty());
    }
}

fn text(length: usize, seed: u64, mut accept: impl FnMut(u8) -> bool) -> Vec<u8> {
    let mut dice = Dice(seed);
    std::iter::repeat_with(|| dice.roll(256) as u8).filter(|byte| accept(*byte)).take(length).collect()
}

/// Everything arrives once and in order.
fn check(world: &World, typed: &[u8], printed: &[u8]) {
    // Not assert_eq!: nobody reads a megabyte.
    assert!(world.written == typed, "up: {} of {} bytes", world.written.len(), typed.len());
    assert!(world.console.received == printed, "down: {} of {} bytes", world.console.received.len(), printed.len());
}

#[test]
fn every_byte_once_and_in_order_through_a_bad_network() {
    for seed in 0..40 {
        let manners = if seed % 8 < 4 { Manners::Polite } else { Manners::Rude };
        let typed = text(12_000, seed, |_| true);
        let printed = text(20_000, seed + 1000, |_| true);
        let size = [1 + seed as usize % 7, 28, 32, 255][seed as usize % 4].max(4);
        let mut world = World::new(PLAIN, seed, BAD, Console::new(&typed, size, 20, manners));
        world.run(&printed);
        check(&world, &typed, &printed);
    }
}

#[test]
fn every_byte_once_and_in_order_into_a_slow_port() {
    for seed in 0..16 {
        let manners = if seed % 2 == 0 { Manners::Polite } else { Manners::Rude };
        let typed = text(100_000, seed, |_| true);
        let mut world = World::new(PLAIN, seed, BAD, Console::new(&typed, 255, 20, manners));
        world.pause = 3_000;
        world.run(b"");
        check(&world, &typed, b"");
        assert!(world.console.nacks > 5, "held {} times", world.console.nacks);
    }
}

#[test]
fn telnet_through_a_bad_network() {
    let typed = text(5_000, 7, |_| true);
    let printed = text(5_000, 8, |byte| byte != 0xff);
    let mut world = World::new(TELNET, 9, BAD, Console::new(&typed, 255, 20, Manners::Rude));
    world.written.clear();
    world.run(&printed);
    let doubled: Vec<u8> =
        typed.iter().flat_map(|&byte| std::iter::repeat_n(byte, 1 + usize::from(byte == 0xff))).collect();
    check(&world, &doubled, &printed);
}

#[test]
fn a_megabyte_both_ways() {
    let typed = text(1 << 20, 1, |_| true);
    let printed = text(1 << 20, 2, |_| true);
    let mut world = World::new(PLAIN, 3, FINE, Console::new(&typed, 255, 0, Manners::Polite));
    world.run(&printed);
    check(&world, &typed, &printed);
    // Full packets and one response each, nothing twice.
    let packets = 2 * (1usize << 20).div_ceil(255);
    assert!(world.datagrams <= 2 * packets + 600, "{} datagrams for {packets} packets", world.datagrams);
}
