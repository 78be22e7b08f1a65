//! The installed original and ours side by side: random requests, the same ones in every
//! run, sent to both in the same order, and every response compared.
//!
//! The recordings of `tests/replay.rs` cover every command by itself. Here the state that
//! commands leave behind is mixed: what a random sequence of them makes of users, sensors,
//! SEL, FRU and parameters has to be the same on both sides at every step. Requests that end
//! the original are not generated; what differs on purpose, or between the original's
//! versions, is named in [`allowed`].

mod support;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use support::bench::free_port;
use support::config::{Places, adapt};
use support::rmcp_client::{Response, RmcpClient};
use support::{Bench, Simulator, Subject};

const SEEDS: std::ops::Range<u64> = 0..6;
const REQUESTS: usize = 500;

#[derive(Clone, Debug)]
struct Request {
    address: u8,
    netfn: u8,
    command: u8,
    data: Vec<u8>,
}

impl Request {
    fn to(&self, netfn: u8, commands: &[u8]) -> bool {
        self.netfn == netfn && commands.contains(&self.command)
    }
}

/// What the requests are made of.
struct Source(StdRng);

impl Source {
    fn below(&mut self, limit: u8) -> u8 {
        self.0.random_range(0..limit)
    }

    fn byte(&mut self) -> u8 {
        self.0.random()
    }

    fn one(&mut self, of: &[u8]) -> u8 {
        of[usize::from(self.below(of.len() as u8))]
    }

    fn bytes(&mut self, count: u8) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    /// One of the sensors that are there, rarely another one.
    fn sensor(&mut self) -> u8 {
        self.one(&[0, 1, 1, 1, 1, 2, 2, 2, 3])
    }

    /// A user whose rights nobody needs here, or a number that is none.
    fn user(&mut self) -> u8 {
        self.one(&[3, 4, 5, 6, 7, 8, 63, 64, 0x43])
    }

    fn channel(&mut self) -> u8 {
        self.one(&[1, 1, 1, 14, 15, 0, 2, 7])
    }

    fn behind(&mut self, first: &[u8], count: u8) -> Vec<u8> {
        let mut data = first.to_vec();
        data.extend(self.bytes(count));
        data
    }

    fn app(&mut self) -> (u8, Vec<u8>) {
        match self.below(10) {
            0 => (0x01, vec![]),
            1 => (0x37, vec![]),
            2 => {
                // Set Watchdog Timer; it is never started.
                let mut data = self.bytes(6);
                data[0] &= 0xbf;
                (0x24, data)
            }
            3 => (0x41, vec![self.channel(), self.one(&[0x40, 0x80, 0xc0, 0])]),
            4 => (0x42, vec![self.channel()]),
            5 => {
                let set = vec![self.one(&[0x81, 0x91, 0xb1, 0xf1, 0x11]), self.user(), self.below(16), self.below(16)];
                (0x43, set)
            }
            6 => (0x44, vec![self.channel(), self.user()]),
            7 => {
                let user = self.user();
                (0x45, self.behind(&[user], 16))
            }
            8 => (0x46, vec![self.user()]),
            _ => {
                let head = [self.user(), self.one(&[0, 1, 2, 2])];
                (0x47, self.behind(&head, 16))
            }
        }
    }

    fn sensor_event(&mut self) -> (u8, Vec<u8>) {
        let sensor = self.sensor();
        match self.below(14) {
            0 => (0x00, vec![self.one(&[0x20, 0x30, 0x21, 0xff, 0]), self.byte()]),
            1 => (0x01, vec![]),
            2 => (0x10, vec![]),
            3 => {
                // Not 7, which is a part of 6 here.
                let parameter = self.one(&[0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15]);
                let count = self.below(24);
                (0x12, self.behind(&[parameter], count))
            }
            4 => {
                let parameter = self.one(&[0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 19]);
                (0x13, vec![parameter, self.below(6), self.below(4)])
            }
            5 => (0x24, self.behind(&[sensor], 3)),
            6 => (0x25, vec![sensor, 0xff]),
            7 => (0x26, self.behind(&[sensor], 7)),
            8 => (0x27, vec![sensor]),
            9 => {
                let flags = self.one(&[0xd0, 0xe0, 0xc0 | 0x10, 0x90, 0x50, 0xf0]);
                (0x28, self.behind(&[sensor, flags], 4))
            }
            10 => (0x29, vec![sensor]),
            11 => (0x2d, vec![sensor]),
            12 => {
                let flags = self.one(&[0, 0, 0x80]);
                (0x2a, self.behind(&[sensor, flags], 4))
            }
            _ => (0x2f, vec![sensor]),
        }
    }

    fn storage(&mut self) -> (u8, Vec<u8>) {
        match self.below(12) {
            0 => (0x40, vec![]),
            1 => (0x42, vec![]),
            2 | 3 => {
                let (id, offset) = (self.one(&[0, 1, 2, 3, 4, 5, 6, 9]), self.below(18));
                (0x43, vec![0, 0, id, 0, offset, self.one(&[0xff, 1, 16, 8])])
            }
            4 | 5 => {
                let kind = self.one(&[0x02, 0xc0, 0xe0, 0xff]);
                (0x44, self.behind(&[0, 0, kind], 13))
            }
            6 => (0x46, vec![0, 0, self.one(&[0, 1, 2, 3, 4, 5, 6]), 0]),
            7 => (0x47, vec![0, 0, b'C', b'L', b'R', self.one(&[0xaa, 0])]),
            8 => (0x43, vec![0, 0, 0xff, 0xff, 0, 0xff]),
            9 => (0x20, vec![]),
            10 => (0x23, vec![0, 0, self.below(3), 0, self.below(8), self.byte()]),
            _ => (0x10, vec![self.below(5)]),
        }
    }

    fn transport(&mut self) -> (u8, Vec<u8>) {
        // Not those of alerts (16, 18, 19), which can be set here.
        let parameter = self.one(&[0, 3, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 24, 30]);
        match self.below(6) {
            0 | 1 => (0x02, vec![self.channel(), parameter, self.below(3), self.below(2)]),
            2 | 3 => {
                let count = self.below(22);
                let channel = self.channel();
                // What lowers the level of a cipher suite lowers that of the session that asks.
                let parameter = if parameter == 24 { 20 } else { parameter };
                (0x01, self.behind(&[channel, parameter], count))
            }
            // The original has no more parameters of SOL than these.
            4 => (0x22, vec![self.channel(), self.one(&[0, 1, 5, 6, 30]), 0, 0]),
            _ => {
                // Parameter 0 completes here, which it never does in the original.
                let (channel, parameter) = (self.channel(), self.one(&[1, 5, 6, 30]));
                let count = 1 + self.below(3);
                (0x21, self.behind(&[channel, parameter], count))
            }
        }
    }

    /// FRU 3 and sensor 1 of the satellite.
    fn satellite(&mut self) -> (u8, u8, Vec<u8>) {
        match self.below(6) {
            0 => (0x06, 0x01, vec![]),
            1 => (0x0a, 0x10, vec![3]),
            2 => (0x0a, 0x11, vec![3, self.below(140), 0, self.below(40)]),
            3 => {
                let (offset, count) = (self.below(140), self.below(20));
                (0x0a, 0x12, self.behind(&[3, offset, 0], count))
            }
            4 => (0x04, 0x26, self.behind(&[1], 7)),
            _ => (0x04, 0x27, vec![1]),
        }
    }

    fn request(&mut self) -> Request {
        let (address, netfn, (command, mut data)) = match self.below(10) {
            0 | 1 => (0x20, 0x06, self.app()),
            2..=4 => (0x20, 0x04, self.sensor_event()),
            5 | 6 => (0x20, 0x0a, self.storage()),
            7 | 8 => (0x20, 0x0c, self.transport()),
            _ => {
                let (netfn, command, data) = self.satellite();
                (0x30, netfn, (command, data))
            }
        };
        // Too short, or longer than it needs to be.
        match self.below(20) {
            0 => data.truncate(usize::from(self.below(3))),
            1 => data.push(0),
            _ => {}
        }
        Request { address, netfn, command, data }
    }
}

/// The bytes of a response that count. The version that is installed is 2.0.33.
fn allowed(request: &Request, answer: &[u8]) -> Vec<u8> {
    let mut answer = answer.to_vec();
    let without = |answer: &mut Vec<u8>, from: usize, to: usize| {
        (from..to).for_each(|at| answer.get_mut(at).into_iter().for_each(|byte| *byte = 0));
    };
    if request.to(0x06, &[0x24]) {
        // The original answers Set Watchdog Timer with 36 bytes of memory.
        answer.truncate(1);
    } else if request.to(0x06, &[0x44]) && answer.last().is_some_and(|flags| flags & 0x0f == 0) {
        // A user nobody has described has "no access" here.
        answer.last_mut().into_iter().for_each(|flags| *flags |= 0x0f);
        without(&mut answer, 2, 3);
    } else if request.to(0x06, &[0x44]) && answer.len() == 5 {
        // Account and messaging are one switch there, so that others count as enabled, and nobody is told of.
        without(&mut answer, 2, 3);
    } else if request.to(0x0a, &[0x11]) && answer == [0xc8] {
        // More than fits is CAh here.
        answer = vec![0xca];
    } else if request.to(0x0a, &[0x40]) {
        // Times of the last addition and the last erase.
        without(&mut answer, 5, 13);
    } else if request.to(0x0a, &[0x20]) {
        // The time of the last erase, and flags: 2.0.33 can do less.
        without(&mut answer, 10, 14);
        answer.pop();
    } else if request.to(0x04, &[0x10]) {
        // As many filters as can be read.
        without(&mut answer, 3, 4);
    } else if request.netfn == 0x04 && request.command >= 0x23 && request.data.first() == Some(&3) && answer == [0xcc] {
        // A sensor that is not there is CBh here.
        answer = vec![0xcb];
    } else if request.to(0x0a, &[0x43]) && answer.first() == Some(&0) {
        // The time of a record, wherever the part that was asked for begins.
        let offset = usize::from(request.data[4]);
        let record_type = 2usize.checked_sub(offset).and_then(|at| answer.get(3 + at).copied());
        if record_type.is_none_or(|kind| kind < 0xe0) {
            let place = |at: usize| (3 + at).saturating_sub(offset).max(3);
            without(&mut answer, place(3), place(7));
        }
    }
    answer
}

struct Side {
    simulator: Simulator,
    client: RmcpClient,
    _bench: Bench,
}

fn start(subject: Subject) -> Side {
    let bench = Bench::new();
    let raw = bench.copy_tree("tests/data/raw/cfg", "cfg");
    let port = free_port();
    let places = Places { lan: vec![port], serial: vec![free_port(), free_port()], ..Places::default() };
    let text = std::fs::read_to_string(raw.join("base.conf")).expect("a configuration");
    let text = ["29003", "29013"].iter().fold(text, |text, port| text.replace(port, &free_port().to_string()));
    bench.write("lan.conf", adapt(&text, &places));
    bench.write("sim.emu", std::fs::read(raw.join("base.emu")).expect("a command file"));
    let simulator = Simulator::start_default(subject, &bench, port);
    let mut client = RmcpClient::open(port, "ipmiusr", "test", 4).unwrap_or_else(|why| panic!("{why}"));
    if subject == Subject::under_test() {
        // The record of our own goes: the repository of both is empty.
        let cleared = client.request(0x0a << 2, 0x27, &[0, 0, b'C', b'L', b'R', 0xaa]);
        assert!(matches!(&cleared, Response::Answer(bytes) if bytes == &[0, 1]), "{cleared:?}");
    }
    Side { simulator, client, _bench: bench }
}

fn ask(side: &mut Side, request: &Request) -> Vec<u8> {
    let Request { address, netfn, command, data } = request;
    let response = if *address == 0x20 {
        side.client.request(netfn << 2, *command, data)
    } else {
        side.client.bridged(*address, netfn << 2, *command, data)
    };
    match response {
        Response::Answer(bytes) => bytes,
        other => panic!("{request:02x?}: {other:?}\n{}", side.simulator.report()),
    }
}

#[test]
fn random_requests_have_the_same_answers() {
    let mut report = String::new();
    for seed in SEEDS {
        let (mut original, mut ours) = (start(Subject::Original), start(Subject::under_test()));
        let mut source = Source(StdRng::seed_from_u64(seed));
        let mut successes = 0;
        for step in 0..REQUESTS {
            let request = source.request();
            let (theirs, mine) = (ask(&mut original, &request), ask(&mut ours, &request));
            successes += usize::from(theirs.first() == Some(&0));
            if allowed(&request, &theirs) != allowed(&request, &mine) {
                let Request { address, netfn, command, data } = &request;
                report += &format!(
                    "seed {seed} step {step}: @{address:02x} {netfn:02x} {command:02x} {data:02x?}\n  \
                     the original {theirs:02x?}\n  ours         {mine:02x?}\n"
                );
            }
        }
        // Requests that are refused one and all would compare nothing.
        assert!(successes > REQUESTS / 3, "seed {seed}: only {successes} of {REQUESTS} were carried out");
        original.simulator.assert_alive();
        ours.simulator.assert_alive();
    }
    assert!(report.is_empty(), "\n{report}");
}
