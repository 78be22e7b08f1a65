//! Many clients in one thread, on one socket: a session with each of many BMCs, or many with one.
//!
//! Each client has one request in flight at most. Responses find their client by the session id that the client has
//! chosen: its number and 1.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use ipmi_sim::crypto::Suite;
use ipmi_sim::host::random::SystemRandom;
use ipmi_sim::ipmi::{Random, netfn};
use ipmi_sim::wire::rmcp::HEADER_LENGTH;
use ipmi_sim::wire::session20::{self, PayloadType};
use ipmi_sim_client::rmcp_plus::{Login, NAME_ONLY};
use ipmi_sim_client::{ADMINISTRATOR, Account, CLOSE_SESSION, SET_SESSION_PRIVILEGE_LEVEL, Session, presence, request};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::super::Result;
use super::super::connection::PATIENCE;
use super::range::Range;

/// How often something is sent that is not answered.
const TRIES: usize = 6;
/// Longest wait for a datagram before clocks are looked at, in milliseconds.
const TURN: u8 = 20;

/// A request: network function, number and data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Network function.
    pub netfn: u8,
    /// Command number.
    pub cmd: u8,
    /// What follows.
    pub data: Vec<u8>,
}

impl Ask {
    /// A request.
    pub fn new(netfn: u8, cmd: u8, data: &[u8]) -> Self {
        Self { netfn, cmd, data: data.to_vec() }
    }
}

/// A response: completion code, and what follows it.
pub type Answer = (u8, Vec<u8>);

/// How far a client is.
enum Stage {
    Out,
    Open(Box<Login>),
    Rakp1(Box<Login>),
    Rakp3(Box<Login>),
    In(Box<Session>),
}

/// What is in flight.
struct Flight {
    sent: Instant,
    tries: usize,
}

struct Client {
    stage: Stage,
    seq: u8,
    ask: Ask,
    flight: Option<Flight>,
}

/// What came for a client.
enum Event {
    /// The login is done.
    In,
    Answer(Answer, Duration),
}

/// Many clients.
pub struct Clients {
    socket: UdpSocket,
    random: SystemRandom,
    addresses: Vec<SocketAddr>,
    clients: Vec<Client>,
    account: Account,
    packet: Vec<u8>,
    /// How often something is sent that is not answered, before that is an error.
    pub tries: usize,
    /// Requests that were sent again, or given up: what was lost.
    pub lost: usize,
}

/// A socket of the loopback address that does not block.
fn socket() -> Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn wait(socket: &UdpSocket, milliseconds: u8) -> Result<()> {
    poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], PollTimeout::from(milliseconds))?;
    Ok(())
}

fn receive(socket: &UdpSocket, datagram: &mut [u8]) -> Result<Option<(usize, SocketAddr)>> {
    match socket.recv_from(datagram) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        received => Ok(Some(received?)),
    }
}

/// Asks each BMC of a range until it answers a presence ping, `window` at a time; those that have not when `end` comes
/// are counted.
pub fn ping(range: Range, window: usize, again: Duration, end: Instant) -> Result<usize> {
    let socket = socket()?;
    let mut answered = vec![false; range.count];
    let (mut waiting, mut flying) = ((0..range.count).collect::<VecDeque<_>>(), VecDeque::new());
    let (mut left, mut on_the_way) = (range.count, 0usize);
    let mut datagram = [0; 256];
    while left > 0 && Instant::now() < end {
        while on_the_way < window
            && let Some(number) = waiting.pop_front()
        {
            socket.send_to(&presence::ping(number as u8), range.address(number))?;
            flying.push_back((number, Instant::now()));
            on_the_way += 1;
        }
        wait(&socket, 2)?;
        while let Some((length, from)) = receive(&socket, &mut datagram)? {
            if let Some(number) = range.number(from)
                && presence::is_pong(&datagram[..length])
                && !std::mem::replace(&mut answered[number], true)
            {
                left -= 1;
                on_the_way = on_the_way.saturating_sub(1);
            }
        }
        while let Some(&(number, since)) = flying.front()
            && (answered[number] || since.elapsed() > again)
        {
            flying.pop_front();
            if !answered[number] {
                on_the_way = on_the_way.saturating_sub(1);
                // The first that does not answer stands for those behind it: they are not there yet.
                waiting.push_front(number);
            }
        }
    }
    Ok(left)
}

impl Clients {
    /// Clients of these BMCs, which are not logged in.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Result<Self> {
        let addresses: Vec<_> = addresses.into_iter().collect();
        let new = || Client { stage: Stage::Out, seq: 0, ask: Ask::default(), flight: None };
        let clients = addresses.iter().map(|_| new()).collect();
        let (random, account) = (SystemRandom::new()?, Account::new("admin", "admin"));
        Ok(Self { socket: socket()?, random, addresses, clients, account, packet: Vec::new(), tries: TRIES, lost: 0 })
    }

    /// A client of each BMC of a range.
    pub fn of(range: Range) -> Result<Self> {
        Self::new((0..range.count).map(|number| range.address(number)))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.clients.len()
    }

    /// Sends what the client waits for, for the first time or again.
    fn send(&mut self, number: usize) -> Result<()> {
        let client = &mut self.clients[number];
        self.packet.clear();
        match &mut client.stage {
            Stage::Out => return Ok(()),
            Stage::Open(login) => self.packet = login.open_session(),
            Stage::Rakp1(login) => self.packet = login.rakp1(),
            Stage::Rakp3(login) => self.packet = login.rakp3(),
            Stage::In(session) => {
                let Ask { netfn, cmd, data } = &client.ask;
                session.seal(PayloadType::Ipmi, &mut self.random, &mut self.packet, |out| {
                    request(client.seq, *netfn, *cmd, data).emit(out);
                });
            }
        }
        let sent = self.socket.send_to(&self.packet, self.addresses[number]);
        match sent {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn fly(&mut self, number: usize) -> Result<()> {
        self.clients[number].flight = Some(Flight { sent: Instant::now(), tries: 1 });
        self.send(number)
    }

    /// Sends a request of a client that has none in flight.
    fn ask(&mut self, number: usize, ask: Ask) -> Result<()> {
        let client = &mut self.clients[number];
        client.seq = (client.seq + 1) % 64;
        client.ask = ask;
        self.fly(number)
    }

    fn log_in(&mut self, number: usize, suite: u8) -> Result<()> {
        let suite = Suite::from_id(suite).ok_or("no such cipher suite")?;
        let mut console_random = [0; 16];
        self.random.fill(&mut console_random);
        let role = NAME_ONLY | ADMINISTRATOR;
        let mut login = Login::new(self.account.clone(), suite, role, number as u32 + 1, console_random);
        login.privilege = ADMINISTRATOR;
        self.clients[number].stage = Stage::Open(Box::new(login));
        self.fly(number)
    }

    /// Takes a datagram; what is not for anybody, or late, is passed over.
    fn take(&mut self, datagram: &mut [u8], from: SocketAddr) -> Result<Option<(usize, Event)>> {
        let Ok(header) = session20::Header::parse(datagram.get(HEADER_LENGTH..).unwrap_or_default()) else {
            return Ok(None);
        };
        // In a session its id; in a login the fifth to eighth byte of the payload.
        let id = match header.session_id {
            0 => {
                let at = HEADER_LENGTH + session20::HEADER_LENGTH + 4;
                let id = datagram.get(at..at + 4).and_then(|id| id.try_into().ok());
                id.map_or(0, u32::from_le_bytes)
            }
            id => id,
        };
        let number = (id as usize).wrapping_sub(1);
        if self.addresses.get(number) != Some(&from) {
            return Ok(None);
        }
        let client = &mut self.clients[number];
        let Some(flight) = &client.flight else { return Ok(None) };
        let sent = flight.sent;
        client.stage = match std::mem::replace(&mut client.stage, Stage::Out) {
            Stage::Out => return Ok(None),
            Stage::Open(mut login) => match login.take_open_session(datagram) {
                Ok(()) => Stage::Rakp1(login),
                Err(ipmi_sim_client::Error::Refused { .. }) => return Err(format!("{from} refuses a session").into()),
                Err(_) => Stage::Open(login),
            },
            Stage::Rakp1(mut login) => match login.take_rakp2(datagram) {
                Ok(true) => Stage::Rakp3(login),
                _ => Stage::Rakp1(login),
            },
            Stage::Rakp3(login) => match login.take_rakp4(datagram) {
                Ok(true) => {
                    client.stage = Stage::In(Box::new(login.session()?));
                    self.ask(number, Ask::new(netfn::APP, SET_SESSION_PRIVILEGE_LEVEL, &[ADMINISTRATOR]))?;
                    return Ok(None);
                }
                _ => Stage::Rakp3(login),
            },
            Stage::In(session) => {
                let response = session.open_unverified(datagram).and_then(|opened| opened.response());
                let answer = response.ok().filter(|response| response.seq == client.seq);
                let answer = answer.map(|response| (response.code.0, response.data.to_vec()));
                client.stage = Stage::In(session);
                let Some(answer) = answer else { return Ok(None) };
                client.flight = None;
                if client.ask.netfn == netfn::APP && client.ask.cmd == SET_SESSION_PRIVILEGE_LEVEL {
                    return Ok(Some((number, Event::In)));
                }
                if client.ask.netfn == netfn::APP && client.ask.cmd == CLOSE_SESSION {
                    client.stage = Stage::Out;
                }
                return Ok(Some((number, Event::Answer(answer, sent.elapsed()))));
            }
        };
        self.fly(number)?;
        Ok(None)
    }

    /// Takes everything that is there.
    fn take_all(&mut self, mut took: impl FnMut(&mut Self, usize, Event) -> Result<()>) -> Result<()> {
        let mut datagram = [0; 1024];
        while let Some((length, from)) = receive(&self.socket, &mut datagram)? {
            if let Some((number, event)) = self.take(&mut datagram[..length], from)? {
                took(self, number, event)?;
            }
        }
        Ok(())
    }

    /// Sends again what is late.
    fn look_at_clocks(&mut self) -> Result<()> {
        for number in 0..self.clients.len() {
            let Some(flight) = &mut self.clients[number].flight else { continue };
            if flight.sent.elapsed() < PATIENCE {
                continue;
            }
            if flight.tries >= self.tries {
                return Err(format!("{} does not answer", self.addresses[number]).into());
            }
            flight.tries += 1;
            flight.sent = Instant::now();
            self.lost += 1;
            self.send(number)?;
        }
        Ok(())
    }

    /// Has some clients do something, `window` of them at a time: `next` is called with nothing when it is a client's
    /// turn, and then with each response, and says what the client asks next. A client that is not logged in logs in first.
    pub fn each(
        &mut self,
        numbers: impl IntoIterator<Item = usize>,
        window: usize,
        suite: u8,
        next: impl FnMut(usize, Option<Answer>) -> Result<Option<Ask>>,
    ) -> Result<()> {
        self.each_until(numbers, window, suite, next, || false)
    }

    /// The same, until `over`: then what has come is taken, and the rest is left in flight.
    pub fn each_until(
        &mut self,
        numbers: impl IntoIterator<Item = usize>,
        window: usize,
        suite: u8,
        mut next: impl FnMut(usize, Option<Answer>) -> Result<Option<Ask>>,
        mut over: impl FnMut() -> bool,
    ) -> Result<()> {
        let (mut numbers, mut busy) = (numbers.into_iter(), 0usize);
        let mut looked = Instant::now();
        loop {
            let last = over();
            while busy < window
                && let Some(number) = numbers.next()
            {
                if matches!(self.clients[number].stage, Stage::Out) {
                    self.log_in(number, suite)?;
                    busy += 1;
                } else if let Some(ask) = next(number, None)? {
                    self.ask(number, ask)?;
                    busy += 1;
                }
            }
            if busy == 0 {
                return Ok(());
            }
            wait(&self.socket, TURN)?;
            self.take_all(|clients, number, event| {
                let answer = match event {
                    Event::In => None,
                    Event::Answer(answer, _) => Some(answer),
                };
                match next(number, answer)? {
                    Some(ask) => clients.ask(number, ask)?,
                    None => busy -= 1,
                }
                Ok(())
            })?;
            if last {
                return Ok(());
            }
            if looked.elapsed() > PATIENCE / 10 {
                looked = Instant::now();
                self.look_at_clocks()?;
            }
        }
    }

    /// All log in.
    pub fn all_in(&mut self, window: usize, suite: u8) -> Result<()> {
        self.each(0..self.count(), window, suite, |_, _| Ok(None))
    }

    /// All who are logged in close their sessions.
    pub fn all_out(&mut self, window: usize) -> Result<()> {
        let inside = |client: &Client| matches!(client.stage, Stage::In(_));
        let id = |client: &Client| match &client.stage {
            Stage::In(session) => session.id.to_le_bytes(),
            _ => [0; 4],
        };
        let ids: Vec<_> = self.clients.iter().map(id).collect();
        let numbers: Vec<_> = (0..self.count()).filter(|&number| inside(&self.clients[number])).collect();
        self.each(numbers, window, 3, |number, answer| {
            Ok(answer.is_none().then(|| Ask::new(netfn::APP, CLOSE_SESSION, &ids[number])))
        })
    }

    /// All who are logged in ask `ask` in turn, `flight` at a time, for so long; gives how often that was answered.
    pub fn busy(&mut self, ask: &Ask, flight: usize, length: Duration) -> Result<usize> {
        let (end, count) = (Instant::now() + length, self.count());
        let (mut next, mut flying, mut answered) = (0, 0, 0);
        let mut looked = Instant::now();
        loop {
            let more = Instant::now() < end;
            while more && flying < flight.min(count) {
                while self.clients[next].flight.is_some() {
                    next = (next + 1) % count;
                }
                self.ask(next, ask.clone())?;
                next = (next + 1) % count;
                flying += 1;
            }
            if flying == 0 {
                return Ok(answered);
            }
            wait(&self.socket, TURN)?;
            self.take_all(|_, _, _| {
                flying -= 1;
                answered += 1;
                Ok(())
            })?;
            if looked.elapsed() > PATIENCE / 10 {
                looked = Instant::now();
                self.look_at_clocks()?;
            }
        }
    }

    /// All who are logged in ask in turn, so many times a second whether there are answers or not, until `done`; gives
    /// how long each answer took, sorted. Whose last request is not answered is passed over, so that what waits is
    /// measured once.
    pub fn pace(&mut self, ask: &Ask, rate: u32, mut done: impl FnMut() -> bool) -> Result<Vec<Duration>> {
        let (begin, count) = (Instant::now(), self.count());
        let (mut sent, mut next, mut times) = (0u32, 0, Vec::new());
        let mut looked = Instant::now();
        loop {
            let over = done();
            let due = (begin.elapsed().as_secs_f64() * f64::from(rate)) as u32;
            // What is due since a pause of this program's own is not sent at once.
            sent = sent.max(due.saturating_sub(8));
            while !over && sent < due {
                sent += 1;
                next = (next + 1) % count;
                if self.clients[next].flight.is_none() {
                    self.ask(next, ask.clone())?;
                }
            }
            wait(&self.socket, 1)?;
            self.take_all(|_, _, event| {
                if let Event::Answer(_, time) = event {
                    times.push(time);
                }
                Ok(())
            })?;
            if looked.elapsed() > PATIENCE / 10 {
                looked = Instant::now();
                self.look_at_clocks()?;
            }
            if over && self.clients.iter().all(|client| client.flight.is_none()) {
                times.sort_unstable();
                return Ok(times);
            }
        }
    }
}
