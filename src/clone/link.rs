//! A connection to a BMC: a session, and requests that are sent again until there is a response.
//!
//! Owns a UDP socket and everything that is about time. A request is a [`Question`], so that nothing but what
//! [`reads`](super::reads) has can be sent in the session. A response that is lost, or a session that the BMC has forgotten,
//! is nothing that whoever asks hears of.

mod login;
mod route;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ipmi_sim_client::{Account, Session};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::model::Response;
use super::reads::Question;
use crate::host::random::SystemRandom;
use route::{Arrived, Route};

/// Privilege level of an administrator.
const ADMINISTRATOR: u8 = 4;
/// Room for a datagram.
const DATAGRAM: usize = 2048;
/// How long a response is waited for before anything is known of the BMC.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The shortest and the longest time that a response is waited for.
const WAITS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));
/// How often a message of a login is sent to a BMC that has been heard.
const STEP_TRIES: u32 = 6;
/// How often a request is sent in a session; then that may be gone, and is opened anew.
const SESSION_TRIES: u32 = 8;
/// Times between requests to a BMC that says it is busy, in milliseconds.
const BUSY: [u64; 6] = [50, 100, 200, 400, 800, 1600];

/// Where a BMC is, who logs in, and how patient that is.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its address.
    pub address: SocketAddr,
    /// Who logs in.
    pub account: Account,
    /// The cipher suite; `None` for the best one that works, or IPMI 1.5 where there is no 2.0.
    pub suite: Option<u8>,
    /// The privilege level of the session, 1 to 5.
    pub level: u8,
    /// How often a request is sent before it counts as lost.
    pub tries: u32,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nobody answers at all.
    #[error("{0}: no response")]
    Silent(SocketAddr),
    /// The login is refused.
    #[error("{0}")]
    Refused(String),
    /// A request got no response, while others do.
    #[error("no response, though it was sent {0} times")]
    Lost(u32),
    /// The controller behind the BMC is not reached.
    #[error("not reached through the BMC: completion code {0:02x}h of Send Message")]
    NotReached(u8),
    /// This machine cannot send.
    #[error("{0}")]
    Local(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Local(error.to_string())
    }
}

/// A connection.
pub struct Link {
    socket: UdpSocket,
    target: Target,
    random: SystemRandom,
    session: Option<Session>,
    /// Something has come from the BMC.
    is_heard: bool,
    /// Number of the last request, 0 to 63.
    seq: u8,
    /// How long responses take, smoothed.
    usual: Option<Duration>,
    /// How many datagrams were sent.
    pub sent: u64,
    /// How many of them were sent again.
    pub again: u64,
    /// What the session is protected with, for people.
    pub way: String,
}

impl Link {
    /// Logs in.
    ///
    /// # Errors
    /// The BMC does not answer, or refuses.
    pub async fn open(target: Target) -> Result<Self, Fault> {
        let any: std::net::IpAddr = match target.address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(target.address).await?;
        let random = SystemRandom::new()?;
        let mut link = Self {
            socket,
            target,
            random,
            session: None,
            is_heard: false,
            seq: 0,
            usual: None,
            sent: 0,
            again: 0,
            way: String::new(),
        };
        link.log_in().await?;
        Ok(link)
    }

    /// The response to a request, whatever its completion code; a BMC that is busy (C0h), or whose own time ran out
    /// (C3h), is asked again a little later.
    ///
    /// # Errors
    /// There is none.
    pub async fn ask(&mut self, question: &Question) -> Result<Response, Fault> {
        const NODE_BUSY: u8 = 0xc0;
        const TIMED_OUT: u8 = 0xc3;
        for pause in BUSY {
            let response = self.ask_in_sessions(question).await?;
            if !matches!(response.code, NODE_BUSY | TIMED_OUT) {
                return Ok(response);
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        self.ask_in_sessions(question).await
    }

    /// The response, in a new session where the one there was is gone.
    async fn ask_in_sessions(&mut self, question: &Question) -> Result<Response, Fault> {
        let mut tries = 0;
        for _ in 0..self.target.tries.div_ceil(SESSION_TRIES) {
            if self.session.is_none() {
                self.log_in().await?;
            }
            match self.ask_in_session(question).await {
                Err(Fault::Lost(sent)) => tries += sent,
                told => return told,
            }
            // Behind a controller that does not answer is a BMC that does.
            if question.channel().is_some() {
                break;
            }
            self.session = None;
        }
        Err(Fault::Lost(tries))
    }

    async fn ask_in_session(&mut self, question: &Question) -> Result<Response, Fault> {
        self.seq = (self.seq + 1) & 0x3f;
        let route = Route::new(question, self.seq);
        let tries = self.target.tries.min(SESSION_TRIES);
        let mut wait = self.first_wait();
        let start = Instant::now();
        for sent in 0..tries {
            let mut datagram = Vec::new();
            let Some(session) = &mut self.session else { return Err(Fault::Lost(sent)) };
            route.seal(session, &mut self.random, &mut datagram);
            self.send(&datagram, sent).await?;
            let end = Instant::now() + wait;
            while let Some(mut received) = self.receive(end).await? {
                let Some(session) = &mut self.session else { break };
                match route.arrived(session, &mut received) {
                    Arrived::Response(response) => {
                        if sent == 0 {
                            self.took(start.elapsed());
                        }
                        return Ok(response);
                    }
                    Arrived::NotReached(code) => return Err(Fault::NotReached(code)),
                    Arrived::Other => {}
                }
            }
            wait = (wait * 3 / 2).min(WAITS.1);
        }
        Err(Fault::Lost(tries))
    }

    /// Sends a datagram and gives the first one that `take` takes.
    async fn exchange<T>(
        &mut self,
        datagram: &[u8],
        mut take: impl FnMut(&[u8]) -> Option<Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let mut wait = self.first_wait().max(FIRST_WAIT / 2);
        // A BMC that was heard has not got it, or its response was lost; a login that it has given up is begun anew.
        let tries = if self.is_heard { self.target.tries.min(STEP_TRIES) } else { self.target.tries };
        let start = Instant::now();
        for sent in 0..tries {
            self.send(datagram, sent).await?;
            let end = Instant::now() + wait;
            while let Some(received) = self.receive(end).await? {
                if let Some(taken) = take(&received) {
                    self.is_heard = true;
                    if sent == 0 {
                        self.took(start.elapsed());
                    }
                    return taken;
                }
            }
            wait = (wait * 3 / 2).min(WAITS.1);
        }
        Err(Fault::Silent(self.target.address))
    }

    async fn send(&mut self, datagram: &[u8], before: u32) -> Result<(), Fault> {
        self.sent += 1;
        self.again += u64::from(before > 0);
        match self.socket.send(datagram).await {
            // Of an earlier datagram: nobody was there, which may change.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            sent => Ok(sent.map(drop)?),
        }
    }

    /// The next datagram; `None` when the time is over.
    async fn receive(&mut self, end: Instant) -> Result<Option<Vec<u8>>, Fault> {
        let mut datagram = vec![0; DATAGRAM];
        loop {
            match timeout_at(end, self.socket.recv(&mut datagram)).await {
                Err(_) => return Ok(None),
                Ok(Ok(length)) => {
                    datagram.truncate(length);
                    return Ok(Some(datagram));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Ok(Err(error)) => return Err(error.into()),
            }
        }
    }

    fn first_wait(&self) -> Duration {
        self.usual.map_or(FIRST_WAIT, |usual| (usual * 4).clamp(WAITS.0, WAITS.1))
    }

    /// Learns how long a response takes. One that takes longer counts more, as what is sent too early is sent twice.
    fn took(&mut self, time: Duration) {
        let usual = self.usual.unwrap_or(time);
        self.usual = Some(if time > usual { (usual + time) / 2 } else { (usual * 7 + time) / 8 });
    }

    /// Whether the session may do everything, so that a refusal for want of privilege holds for everybody.
    pub fn is_administrators(&self) -> bool {
        self.target.level == ADMINISTRATOR
    }

    /// Ends the session. The BMC is told once; if it does not hear it, the session times out there.
    pub async fn close(mut self) {
        if let Some(datagram) = self.farewell() {
            // A session that is not closed times out.
            let _ = self.send(&datagram, 0).await;
        }
    }
}

/// Who goes in the middle of something, by Ctrl-C or when the time is over, closes the session as well: what can be sent at once
/// is sent, and nothing is waited for.
impl Drop for Link {
    fn drop(&mut self) {
        if let Some(datagram) = self.farewell() {
            let _ = self.socket.try_send(&datagram);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::bmc::watch::Event;
    use crate::embed::Bmc;

    #[tokio::test]
    async fn whoever_goes_without_a_word_closes_the_session_all_the_same() {
        let bmc = Bmc::builder().user("admin", "secret").start().unwrap();
        let account = Account::new("admin", "secret");
        let target = Target { address: bmc.address(), account, suite: Some(3), level: ADMINISTRATOR, tries: 12 };
        let mut events = bmc.events();
        drop(Link::open(target).await.unwrap());
        // A session that nobody closes is there for another minute.
        let ended = async { while !matches!(events.recv().await.unwrap(), Event::LoggedOut { .. }) {} };
        timeout(Duration::from_secs(30), ended).await.unwrap();
    }
}
