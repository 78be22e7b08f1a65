//! An engine with a clock, a port and a console that only looks.

use std::time::Duration;

use crate::ipmi::{Moment, SessionId};
use crate::sol::{Engine, LineEvent, Outbox, Output, Settings, Timing};

/// The session that holds the port in most tests.
pub const SESSION: SessionId = SessionId(0x0200_0001);
/// Another one.
pub const OTHER: SessionId = SessionId(0x0200_0002);

pub const PLAIN: Settings = Settings { telnet: false, tty: false, history: false };
pub const TELNET: Settings = Settings { telnet: true, tty: false, history: false };
pub const TTY: Settings = Settings { telnet: false, tty: true, history: false };
pub const WITH_HISTORY: Settings = Settings { telnet: false, tty: false, history: true };

/// What the port did with what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortBehaviour {
    /// Takes everything at once.
    Eager,
    /// Takes nothing until told.
    Stuck,
}

/// What happened besides packets and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    Break,
    Modem { rts: bool, dtr: bool },
}

pub struct Bench {
    pub engine: Engine,
    pub now: Moment,
    /// Packets nobody has looked at yet: session and payload.
    pub packets: Vec<(SessionId, Vec<u8>)>,
    /// Everything the port was given.
    pub written: Vec<u8>,
    pub lines: Vec<Line>,
    pub port: PortBehaviour,
    under_way: usize,
    out: Outbox,
}

impl Bench {
    /// An engine whose port is open and nobody is connected.
    pub fn idle(settings: Settings) -> Self {
        let mut bench = Self {
            engine: Engine::new(settings),
            now: Moment::new(Duration::from_secs(1000)),
            packets: Vec::new(),
            written: Vec::new(),
            lines: Vec::new(),
            port: PortBehaviour::Eager,
            under_way: 0,
            out: Outbox::default(),
        };
        bench.open_port();
        bench
    }

    /// The same with a session.
    pub fn new(settings: Settings) -> Self {
        let mut bench = Self::idle(settings);
        bench.activate(SESSION);
        bench
    }

    fn run(&mut self, step: impl FnOnce(&mut Engine, Moment, &mut Outbox)) {
        step(&mut self.engine, self.now, &mut self.out);
        self.collect();
    }

    fn collect(&mut self) {
        while !self.out.is_empty() {
            let mut written = 0;
            for output in self.out.iter() {
                match output {
                    Output::Packet { session, payload } => self.packets.push((session, payload.to_vec())),
                    Output::Port(bytes) => {
                        assert_eq!(self.under_way + written, 0, "one write at a time");
                        assert!(!bytes.is_empty());
                        self.written.extend_from_slice(bytes);
                        written = bytes.len();
                    }
                    Output::Break => self.lines.push(Line::Break),
                    Output::ModemLines(crate::sol::ModemLines { rts, dtr }) => {
                        self.lines.push(Line::Modem { rts, dtr });
                    }
                }
            }
            self.out.clear();
            self.under_way += written;
            if self.port == PortBehaviour::Eager && self.under_way > 0 {
                let count = std::mem::take(&mut self.under_way);
                self.engine.port_written(self.now, count, &mut self.out);
            }
        }
    }

    pub fn activate(&mut self, session: SessionId) {
        self.run(|engine, now, out| engine.activate(now, session, 0, out));
    }

    pub fn activate_with(&mut self, session: SessionId, auxiliary: u8) {
        self.run(|engine, now, out| engine.activate(now, session, auxiliary, out));
    }

    pub fn deactivate(&mut self) {
        self.run(|engine, _, out| engine.deactivate(out));
    }

    pub fn announce_deactivation(&mut self) {
        self.run(|engine, _, out| engine.announce_deactivation(out));
    }

    pub fn activate_history(&mut self, session: SessionId, history: &[u8]) {
        self.run(|engine, now, out| engine.activate_history(now, session, history.to_vec(), out));
    }

    pub fn open_port(&mut self) {
        self.under_way = 0;
        self.run(|engine, now, out| engine.port_opened(now, out));
    }

    pub fn close_port(&mut self) {
        self.under_way = 0;
        self.run(|engine, _, out| engine.port_closed(out));
    }

    pub fn line(&mut self, event: LineEvent) {
        self.run(|engine, now, out| engine.line(now, event, out));
    }

    pub fn set_bit_rate(&mut self, bits_per_second: u32) {
        self.run(|engine, _, out| engine.set_bit_rate(bits_per_second, out));
    }

    /// Bytes come from the port; the history's share.
    pub fn port_says(&mut self, bytes: &[u8]) -> Vec<u8> {
        let share = self.engine.from_port(self.now, bytes, &mut self.out).to_vec();
        self.collect();
        share
    }

    /// The stuck port takes `count` bytes.
    pub fn port_takes(&mut self, count: usize) {
        assert!(count <= self.under_way);
        self.under_way -= count;
        self.run(|engine, now, out| engine.port_written(now, count, out));
    }

    pub fn console_of(&mut self, session: SessionId, packet: &[u8]) {
        self.run(|engine, now, out| engine.from_console(now, session, packet, out));
    }

    pub fn console(&mut self, packet: &[u8]) {
        self.console_of(SESSION, packet);
    }

    /// A numbered packet with data from the console; what came back.
    pub fn types(&mut self, sequence: u8, data: &[u8]) -> Vec<Vec<u8>> {
        self.console(&[&[sequence, 0, 0, 0], data].concat());
        self.sent()
    }

    /// An acknowledgement from the console.
    pub fn acknowledges(&mut self, sequence: u8, count: u8) {
        self.console(&[0, sequence, count, 0]);
    }

    /// What was sent since the last look; all of it to `SESSION`.
    pub fn sent(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.packets)
            .into_iter()
            .map(|(session, payload)| {
                assert_eq!(session, SESSION);
                payload
            })
            .collect()
    }

    pub fn set_timing(&mut self, timing: Timing) {
        self.engine.set_timing(timing);
    }

    /// Lets time pass and calls the engine exactly when it wants to be called.
    pub fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.engine.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.run(|engine, now, out| engine.timeout(now, out));
            assert!(self.engine.deadline().is_none_or(|next| next > self.now), "an alarm that does not move on");
        }
        self.now = end;
    }

    pub fn wait_ms(&mut self, milliseconds: u64) {
        self.wait(Duration::from_millis(milliseconds));
    }

    pub fn wait_s(&mut self, seconds: u64) {
        self.wait(Duration::from_secs(seconds));
    }
}

/// A packet: header and data.
pub fn packet(header: [u8; 4], data: &[u8]) -> Vec<u8> {
    [&header, data].concat()
}
