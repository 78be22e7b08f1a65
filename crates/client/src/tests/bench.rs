//! A bench that plays network, simulator and clock for one LAN channel.

use std::net::SocketAddr;
use std::time::Duration;

use ipmi_sim_core::ipmi::{ChannelNumber, Moment, Origin, Privilege, SessionId, UserNumber};
use ipmi_sim_core::lan::testing::{Dice, Site};
use ipmi_sim_core::lan::{Event, LanChannel, Outbox, Received, ResponseTo, Settings, Weight};

use crate::testing::{GUID, Server};

/// What the channel handed to the simulator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handed {
    Request { netfn: u8, cmd: u8, data: Vec<u8>, privilege: Option<Privilege> },
    Response { netfn: u8, data: Vec<u8> },
    Sol { session: SessionId, payload: Vec<u8> },
}

/// Whether requests are answered at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Quick,
    Slow,
}

/// One channel with everything around it.
pub struct Bench {
    pub channel: LanChannel,
    pub site: Site,
    pub dice: Dice,
    pub now: Moment,
    pub work: Work,
    pub handed: Vec<Handed>,
    /// Where the last request came from.
    pub last_origin: Option<Origin>,
    pub waiting: Vec<ResponseTo>,
    pub events: Vec<Event>,
    out: Outbox,
}

impl Server for Bench {
    fn send_from(&mut self, from: &str, datagram: &[u8]) -> Vec<(SocketAddr, Vec<u8>)> {
        let from = from.parse().unwrap();
        let mut bytes = datagram.to_vec();
        let received = self.channel.receive(self.now, from, &mut bytes, &self.site, &mut self.dice, &mut self.out);
        let mut response = None;
        match received {
            Received::Handled => {}
            Received::Request { response_to, request } => {
                self.last_origin = Some(request.origin);
                self.handed.push(Handed::Request {
                    netfn: request.netfn,
                    cmd: request.cmd,
                    data: request.data.to_vec(),
                    privilege: request.origin.privilege,
                });
                match self.work {
                    Work::Quick => response = Some(response_to),
                    Work::Slow => self.waiting.push(response_to),
                }
            }
            Received::Response { response_to, data, .. } => {
                self.handed.push(Handed::Response { netfn: response_to.netfn, data: data.to_vec() });
            }
            Received::Sol { session, payload } => {
                self.handed.push(Handed::Sol { session, payload: payload.to_vec() });
            }
        }
        if let Some(to) = response {
            let count = self.handed.len() as u8;
            self.channel.respond(&to, &[0, count], &mut self.dice, &mut self.out);
        }
        self.collect()
    }

    fn limit(&self, session: SessionId) -> u8 {
        self.channel.session(session).unwrap().limit.wire()
    }
}

impl Bench {
    pub fn new() -> Self {
        Self::with(Settings { channel: ChannelNumber::LAN, guid: GUID, udp_port: 623, advertised_port: None })
    }

    pub fn with(settings: Settings) -> Self {
        Self {
            channel: LanChannel::new(settings),
            site: Site::default(),
            dice: Dice(1),
            now: Moment::new(Duration::from_secs(1000)),
            work: Work::Quick,
            handed: Vec::new(),
            last_origin: None,
            waiting: Vec::new(),
            events: Vec::new(),
            out: Outbox::default(),
        }
    }

    pub fn wait(&mut self, milliseconds: u64) {
        self.now = self.now + Duration::from_millis(milliseconds);
    }

    /// Lets the clock run to `self.now` for the channel.
    pub fn tick(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        self.channel.timeout(self.now, &self.site, &mut self.dice, &mut self.out);
        let late: Vec<ResponseTo> = self.out.events.iter().filter_map(late).collect();
        for to in late {
            self.handed.push(Handed::Request { netfn: to.netfn, cmd: to.cmd, data: Vec::new(), privilege: None });
            let count = self.handed.len() as u8;
            self.channel.respond(&to, &[0, count], &mut self.dice, &mut self.out);
        }
        self.collect()
    }

    /// Finishes the oldest slow request.
    pub fn finish(&mut self) -> Vec<Vec<u8>> {
        let to = self.waiting.remove(0);
        self.channel.respond(&to, &[0, 0xaa], &mut self.dice, &mut self.out);
        self.collect().into_iter().map(|(_, bytes)| bytes).collect()
    }

    pub fn send_message(&mut self, session: SessionId, message: &[u8]) -> Vec<Vec<u8>> {
        self.channel.send_message(session, message, &mut self.dice, &mut self.out);
        self.collect().into_iter().map(|(_, bytes)| bytes).collect()
    }

    pub fn send_sol(&mut self, session: SessionId, payload: &[u8]) -> Vec<(SocketAddr, Vec<u8>)> {
        self.channel.send_sol(session, payload, &mut self.dice, &mut self.out);
        self.collect()
    }

    pub fn close_sessions_of_user(&mut self, user: u8) {
        self.channel.close_sessions_of_user(UserNumber::new(user).unwrap(), None, &mut self.out);
        self.collect();
    }

    fn collect(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        let sent = self.out.datagrams().map(|(to, bytes)| (to.address, bytes.to_vec())).collect();
        self.events.append(&mut self.out.events);
        self.out.clear();
        sent
    }

    pub fn requests(&self) -> usize {
        self.handed.iter().filter(|handed| matches!(handed, Handed::Request { .. })).count()
    }

    pub fn log(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Log(Weight::Warning, line) => Some(line.as_str()),
                Event::Log(Weight::Info, line) if line.contains("was dropped") => Some(line.as_str()),
                _ => None,
            })
            .collect()
    }
}

/// Where the response to a request goes that waited in the channel.
fn late(event: &Event) -> Option<ResponseTo> {
    match event {
        Event::Request(late) => Some(late.to),
        _ => None,
    }
}
