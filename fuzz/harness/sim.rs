//! A whole simulator driven by an input read as a program: datagrams of nobody, of clients
//! that are logged in, and of those who change what they sign; the host's line; time.
//!
//! The first byte chooses the configuration; with bit 7 set nobody but accounts of level user logs
//! in and nobody speaks on the line or the console, and then the system must be as good as new
//! for its administrator, and nothing may have been changed.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ipmi_sim::config::command::Statement;
use ipmi_sim::sim::Input;
use ipmi_sim::wire::session15::AuthType;
use ipmi_sim::wire::session20::PayloadType;

use super::accounts::{ADMINISTRATOR, ANONYMOUS, Account, OPERATOR, USER};
use super::client::{Client, Handshake, message, sessionless15};
use super::input::FuzzData;
use super::rig::{HOST, Rig};
use ipmi_sim::ipmi::McAddress;

/// No input does more than this.
const MOST_STEPS: usize = 400;
/// Sessions of one input at a time.
const CLIENTS: usize = 4;
/// Datagrams kept to be sent again.
const KEPT: usize = 16;

/// The steps an input is made of.
pub mod step {
    pub const RAW: u8 = 0;
    pub const LOG_IN: u8 = 1;
    pub const LOG_IN_15: u8 = 2;
    pub const REQUEST: u8 = 3;
    pub const CHANGED_MESSAGE: u8 = 4;
    pub const PAYLOAD: u8 = 5;
    pub const CHANGED_PACKET: u8 = 6;
    pub const SEQUENCE: u8 = 7;
    pub const REPLAY: u8 = 8;
    pub const HOST_BYTES: u8 = 9;
    pub const HOST_LINE: u8 = 10;
    pub const TIME: u8 = 11;
    pub const JOBS: u8 = 12;
    pub const SOL_PORT: u8 = 13;
    pub const CONSOLE: u8 = 14;
    pub const HANDSHAKE: u8 = 15;
    pub const OUTSIDE: u8 = 16;
    pub const PROCESS: u8 = 17;
    pub const BRIDGED: u8 = 18;
    pub const HOST_MESSAGE: u8 = 19;
    pub const COUNT: u8 = 20;
}

struct Run<'a> {
    input: FuzzData<'a>,
    rig: Rig,
    tame: bool,
    clients: [Option<Client>; CLIENTS],
    kept: VecDeque<(SocketAddr, Vec<u8>)>,
    console_id: u32,
    handshake: Option<Handshake>,
    with_key: bool,
}

/// The target.
pub fn sim(data: &[u8]) {
    let mut input = FuzzData::new(data);
    let first = input.byte();
    let mut rig = Rig::configured(usize::from(first & 0x7f), Default::default());
    rig.start();
    let mut run = Run {
        input,
        rig,
        tame: first & 0x80 != 0,
        clients: Default::default(),
        kept: VecDeque::new(),
        console_id: 0x4000_0000,
        handshake: None,
        with_key: usize::from(first & 0x7f) % super::rig::CONFIGURATIONS == 1,
    };
    for _ in 0..MOST_STEPS {
        if run.input.is_empty() {
            break;
        }
        run.step();
    }
    run.end();
}

/// Bytes are changed in pairs of place and difference.
fn change(bytes: &mut [u8], changes: &[u8]) {
    for pair in changes.chunks_exact(2) {
        let length = bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(usize::from(pair[0]) % length) {
            *byte ^= pair[1];
        }
    }
}

impl Run<'_> {
    fn step(&mut self) {
        match self.input.byte() % step::COUNT {
            step::RAW => {
                let (from, bytes) = (self.address(), self.input.piece().to_vec());
                self.send(from, bytes);
            }
            step::LOG_IN => {
                let slot = self.slot();
                let handshake = self.handshake();
                self.clients[slot] = Client::log_in_with(&mut self.rig, handshake);
            }
            step::LOG_IN_15 => {
                let slot = self.slot();
                let (account, from) = (self.account(), self.address());
                let how = self.input.byte();
                let auth_type = [AuthType::None, AuthType::Md2, AuthType::Md5, AuthType::Straight];
                let (auth_type, level) = (auth_type[usize::from(how & 3)], how >> 2 & 7);
                self.clients[slot] = Client::log_in_15(&mut self.rig, account, auth_type, level, from);
            }
            step::REQUEST => {
                let (slot, netfn, cmd) = (self.slot(), self.input.byte() & 0x3f, self.input.byte());
                let data = self.input.piece();
                let Some(client) = &mut self.clients[slot] else { return };
                let message = client.message(netfn, cmd, data);
                self.send_in(slot, PayloadType::Ipmi, &message);
            }
            step::CHANGED_MESSAGE => {
                let (slot, netfn, cmd) = (self.slot(), self.input.byte() & 0x3f, self.input.byte());
                let (data, changes) = (self.input.piece(), self.input.piece());
                let cut = usize::from(self.input.byte());
                let Some(client) = &mut self.clients[slot] else { return };
                let mut message = client.message(netfn, cmd, data);
                change(&mut message, changes);
                message.truncate(message.len().saturating_sub(cut % 32));
                self.send_in(slot, PayloadType::Ipmi, &message);
            }
            step::PAYLOAD => {
                let (slot, kind) = (self.slot(), self.input.byte());
                let payload = self.input.piece();
                self.send_in(slot, PayloadType::from_wire(kind), payload);
            }
            step::CHANGED_PACKET => {
                let (slot, how) = (self.slot(), self.input.byte());
                let (payload, changes) = (self.input.piece(), self.input.piece());
                let cut = usize::from(self.input.byte());
                let Some(client) = &mut self.clients[slot] else { return };
                let sequence = client.next_sequence();
                let mut packet = client.packet(sequence, PayloadType::from_wire(how >> 2), payload);
                change(&mut packet, changes);
                if how & 1 != 0 {
                    packet.truncate(packet.len().saturating_sub(cut));
                }
                if how & 2 != 0 {
                    client.sign_again(&mut packet);
                }
                let from = client.from;
                self.send(from, packet);
            }
            step::SEQUENCE => {
                let (slot, by) = (self.slot(), self.input.word());
                if let Some(client) = &mut self.clients[slot] {
                    client.skip(i32::from(by as i16));
                }
            }
            step::REPLAY => {
                let (which, how) = (usize::from(self.input.byte()), self.input.byte());
                let other = self.address();
                let Some((from, bytes)) = self.kept.get(which % KEPT).cloned() else { return };
                self.send(if how & 1 == 0 { from } else { other }, bytes);
            }
            step::HOST_BYTES => {
                let bytes = self.input.piece();
                if !self.tame {
                    self.rig.call(|sim, now, out| sim.handle(now, Input::SerialData(HOST, bytes.into()), out));
                }
            }
            step::HOST_LINE => {
                let how = self.input.byte();
                if !self.tame {
                    self.rig.call(|sim, now, out| match how & 1 {
                        0 => sim.handle(now, Input::SerialConnected(HOST), out),
                        _ => sim.handle(now, Input::SerialDisconnected(HOST), out),
                    });
                }
            }
            step::TIME => {
                let time = self.input.word();
                // Up to half a second in steps of a sixty-fourth of a millisecond, or up to a quarter of an hour.
                let time = if time & 1 == 0 {
                    Duration::from_micros(u64::from(time) * 8)
                } else {
                    Duration::from_millis(u64::from(time >> 1) * 30)
                };
                self.rig.pass(time);
                self.look();
            }
            step::JOBS => {
                let how = self.input.piece();
                self.expect_no_change();
                self.rig.finish_jobs(if how.is_empty() { &[0] } else { how });
                self.look();
            }
            step::SOL_PORT => {
                let (how, bytes) = (self.input.byte(), self.input.piece());
                self.rig.call(|sim, now, out| match how & 3 {
                    0 => sim.handle(now, Input::SolData(McAddress(0x20), bytes.into()), out),
                    1 => sim.handle(now, Input::SolOpened(McAddress(0x20)), out),
                    2 => sim.handle(now, Input::SolClosed(McAddress(0x20)), out),
                    _ => sim.handle(now, Input::SolWritten(McAddress(0x20), usize::from(how >> 2) * 16), out),
                });
                self.look();
            }
            step::CONSOLE => {
                let line = self.input.piece();
                if !self.tame {
                    self.rig.statement(&Statement::single("<console>", line));
                    self.look();
                }
            }
            step::HANDSHAKE => self.step_of_handshake(),
            step::OUTSIDE => {
                let (from, netfn, cmd) = (self.address(), self.input.byte() & 0x3f, self.input.byte());
                let packet = sessionless15(netfn, cmd, self.input.piece());
                self.send(from, packet);
            }
            step::PROCESS => {
                let how = self.input.byte();
                self.rig.call(|sim, now, out| match how & 1 {
                    0 => sim.handle(now, Input::ProcessStarted(McAddress(0x20), None), out),
                    _ => sim.handle(now, Input::ProcessExited(McAddress(0x20), Some(0)), out),
                });
            }
            step::BRIDGED => {
                let (slot, how) = (self.slot(), self.input.byte());
                let (to, netfn, cmd) = (self.input.byte(), self.input.byte() & 0x3f, self.input.byte());
                let mut carried = vec![how];
                let mut inner = message(9, netfn, cmd, self.input.piece());
                change(&mut inner, &[0, 0x20 ^ to, 2, 0]);
                inner[2] = 0u8.wrapping_sub(inner[0]).wrapping_sub(inner[1]);
                carried.append(&mut inner);
                let Some(client) = &mut self.clients[slot] else { return };
                let message = client.message(6, 0x34, &carried);
                self.send_in(slot, PayloadType::Ipmi, &message);
            }
            step::HOST_MESSAGE => {
                let (netfn, cmd, data) = (self.input.byte() & 0x3f, self.input.byte(), self.input.piece());
                let mut bytes = Vec::new();
                ipmi_sim::wire::vm::Message { sequence: 1, netfn, lun: 0, cmd, data }.emit(&mut bytes);
                if !self.tame {
                    self.rig.call(|sim, now, out| sim.handle(now, Input::SerialData(HOST, (&bytes).into()), out));
                    self.look();
                }
            }
            _ => {}
        }
    }

    /// A piece of a session set-up, perhaps out of order, perhaps changed.
    fn step_of_handshake(&mut self) {
        let how = self.input.byte();
        if how & 7 == 0 || self.handshake.is_none() {
            let handshake = self.handshake();
            self.handshake = Some(handshake);
        }
        let changes = self.input.piece();
        let Some(handshake) = &mut self.handshake else { return };
        let mut packet = match how & 7 {
            0 | 1 => handshake.open(),
            2 | 3 => handshake.rakp1(),
            4 | 5 => handshake.rakp3(),
            _ => {
                let slot = usize::from(how >> 3) % CLIENTS;
                // One handshake may have opened several sessions under one console's id.
                let mut client = handshake.client();
                client.sure = false;
                self.clients[slot] = Some(client);
                return;
            }
        };
        change(&mut packet, changes);
        let from = self.address();
        self.send(from, packet);
        if let Some(handshake) = &mut self.handshake {
            match how & 7 {
                0 | 1 => drop(handshake.take_open(&self.rig.sent)),
                2 | 3 => drop(handshake.take_rakp2(&self.rig.sent)),
                _ => drop(handshake.take_rakp4(&self.rig.sent)),
            }
        }
    }

    fn slot(&mut self) -> usize {
        usize::from(self.input.byte()) % CLIENTS
    }

    fn address(&mut self) -> SocketAddr {
        let byte = self.input.byte();
        (Ipv4Addr::new(192, 0, 2, 1 + (byte & 3)), 50_000 + u16::from(byte >> 2)).into()
    }

    fn account(&mut self) -> Account {
        let byte = self.input.byte();
        let accounts =
            if self.tame { [USER, USER, ANONYMOUS, USER] } else { [ADMINISTRATOR, OPERATOR, USER, ANONYMOUS] };
        let mut account = accounts[usize::from(byte & 3)];
        if byte & 0x70 == 0x70 {
            account.password = b"wrong";
        }
        account
    }

    fn handshake(&mut self) -> Handshake {
        let (account, from) = (self.account(), self.address());
        let (suite, role) = (self.input.byte() % 18, self.input.byte());
        // A session's responses are told apart by the console's id.
        self.console_id += 1;
        Handshake::new(account, suite, role, self.console_id, from, self.with_key)
    }

    fn send_in(&mut self, slot: usize, kind: PayloadType, payload: &[u8]) {
        let Some(client) = &mut self.clients[slot] else { return };
        let sequence = client.next_sequence();
        let packet = client.packet(sequence, kind, payload);
        let from = client.from;
        self.send(from, packet);
    }

    fn send(&mut self, from: SocketAddr, packet: Vec<u8>) {
        self.rig.datagram(from, &packet);
        self.look();
        if self.kept.len() == KEPT {
            self.kept.pop_back();
        }
        self.kept.push_front((from, packet));
    }

    /// What was sent is right for whomever it is for.
    fn look(&mut self) {
        let sent = std::mem::take(&mut self.rig.sent);
        for (_, datagram) in &sent {
            for client in self.clients.iter_mut().flatten() {
                client.read(datagram);
            }
        }
        self.rig.sent = sent;
    }

    fn expect_no_change(&self) {
        if self.tame {
            assert_eq!(self.rig.wants_change(), None, "changed by nobody in particular");
        }
    }

    /// Whatever was sent, the system goes on.
    fn end(mut self) {
        self.expect_no_change();
        self.rig.finish_jobs(&[0]);
        let from = "198.51.100.7:1234".parse().expect("an address");
        let handshake = Handshake::new(ADMINISTRATOR, 3, 0x14, 0x7000_0000, from, self.with_key);
        let mut client = Client::log_in_with(&mut self.rig, handshake);
        if self.tame {
            let client = client.as_mut().expect("the administrator logs in");
            assert_eq!(client.ask(&mut self.rig, 6, 0x3b, &[4]).as_deref(), Some(&[0, 4][..]));
            let id = client.ask(&mut self.rig, 6, 1, &[]).expect("an answer");
            assert_eq!(id.first(), Some(&0), "Get Device ID: {id:02x?}");
        }
        self.rig.age(70);
        self.rig.start_again();
    }
}
