//! Logins: which kind of session a BMC has, and how it is opened and closed. What is sent for that is here and nowhere
//! else: Get Channel Authentication Capabilities, Get Channel Cipher Suites, Get Session Challenge, Activate Session, Set
//! Session Privilege Level, Close Session, and the messages of RMCP+.

use ipmi_sim_client::outside::{open, request15};
use ipmi_sim_client::rmcp_plus::{self, NAME_ONLY};
use ipmi_sim_client::{CLOSE_SESSION, Error, SET_SESSION_PRIVILEGE_LEVEL, Session, ipmi15};
use ipmi_sim_core::crypto::Suite;
use ipmi_sim_core::ipmi::{Random, netfn};
use ipmi_sim_core::wire::ipmb::Message;
use ipmi_sim_core::wire::session15::AuthType;
use ipmi_sim_core::wire::session20::PayloadType;
use tokio::time::Instant;

use super::{Fault, Link};

/// Get Channel Authentication Capabilities, App.
const CAPABILITIES: u8 = 0x38;
/// In the channel byte of that: tell of IPMI 2.0 as well.
const EXTENDED: u8 = 0x80;
/// The channel that a request comes in on.
const THIS_CHANNEL: u8 = 0x0e;
/// The cipher suites in the order in which they are tried.
const SUITES: [u8; 8] = [17, 3, 8, 12, 16, 2, 1, 15];
/// Kinds of IPMI 1.5 sessions in the order in which they are tried, with their bits in the capabilities.
const TYPES: [(AuthType, u8); 4] =
    [(AuthType::Md5, 0x04), (AuthType::Md2, 0x02), (AuthType::Straight, 0x10), (AuthType::None, 0x01)];

/// How often a login is begun.
const BEGINNINGS: u32 = 5;

/// What a BMC tells before a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Capabilities {
    types: u8,
    ipmi20: bool,
}

impl Link {
    /// Opens a session; where the end of a login is lost, it begins anew.
    pub(super) async fn log_in(&mut self) -> Result<(), Fault> {
        let mut result = self.log_in_once().await;
        for _ in 1..BEGINNINGS {
            if !matches!(result, Err(Fault::Silent(_))) || !self.is_heard {
                break;
            }
            result = self.log_in_once().await;
        }
        result
    }

    async fn log_in_once(&mut self) -> Result<(), Fault> {
        let session = match self.target.suite {
            Some(suite) => self.rmcp_plus(suite).await?,
            None => self.best().await?,
        };
        self.session = Some(session);
        self.raise().await
    }

    /// A session of the best kind that the BMC has.
    async fn best(&mut self) -> Result<Session, Fault> {
        let capabilities = self.capabilities().await?;
        if !capabilities.ipmi20 {
            return self.ipmi15(capabilities.types).await;
        }
        let mut refused = Fault::Refused("the BMC has no cipher suite in common with this program".into());
        for suite in SUITES {
            match self.rmcp_plus(suite).await {
                Err(Fault::Refused(why)) => {
                    let stays = !is_about_suite(&why);
                    refused = Fault::Refused(why);
                    if stays {
                        break;
                    }
                }
                done => return done,
            }
        }
        Err(refused)
    }

    async fn capabilities(&mut self) -> Result<Capabilities, Fault> {
        let ask = |channel| request15(netfn::APP, CAPABILITIES, &[channel, self.target.level]);
        let (extended, plain) = (ask(THIS_CHANNEL | EXTENDED), ask(THIS_CHANNEL));
        let take = |datagram: &[u8]| -> Option<Result<Option<Capabilities>, Fault>> {
            let message = open(datagram).ok()?;
            if (message.netfn, message.cmd) != (netfn::APP | 1, CAPABILITIES) {
                return None;
            }
            Some(Ok(match message.data {
                [0, _, types, _, versions, ..] => {
                    Some(Capabilities { types: *types, ipmi20: types & EXTENDED != 0 && versions & 0x02 != 0 })
                }
                [0, _, types, ..] => Some(Capabilities { types: *types, ipmi20: false }),
                _ => None,
            }))
        };
        // Some of before 2.0 refuse what they do not know.
        let told = self.exchange(&extended, take).await?;
        let told = if told.is_none() { self.exchange(&plain, take).await? } else { told };
        told.ok_or_else(|| Fault::Refused("the BMC does not tell how one logs in".into()))
    }

    async fn rmcp_plus(&mut self, number: u8) -> Result<Session, Fault> {
        let suite = Suite::from_id(number).ok_or_else(|| Fault::Refused(format!("no such cipher suite: {number}")))?;
        let (mut id, mut console_random) = ([0; 4], [0; 16]);
        self.random.fill(&mut id);
        self.random.fill(&mut console_random);
        let console_id = u32::from_le_bytes(id) | 1;
        let role = NAME_ONLY | self.target.level;
        let mut login = rmcp_plus::Login::new(self.target.account.clone(), suite, role, console_id, console_random);
        login.privilege = self.target.level;
        self.exchange(&login.open_session(), |datagram| taken(login.take_open_session(datagram))).await?;
        let rakp1 = login.rakp1();
        let right = self.exchange(&rakp1, |datagram| taken(login.take_rakp2(datagram))).await?;
        let wrong = || Fault::Refused("user name or password is wrong".into());
        if !right {
            return Err(wrong());
        }
        let right = self.exchange(&login.rakp3(), |datagram| taken(login.take_rakp4(datagram))).await?;
        if !right {
            return Err(Fault::Refused("user name, password or key K_G is wrong".into()));
        }
        self.way = format!("IPMI 2.0, cipher suite {number}");
        login.session().map_err(|error| Fault::Refused(error.to_string()))
    }

    async fn ipmi15(&mut self, types: u8) -> Result<Session, Fault> {
        let (auth_type, _) = TYPES
            .into_iter()
            .find(|(_, bit)| types & bit != 0)
            .ok_or_else(|| Fault::Refused("the BMC has no way to log in that this program knows".into()))?;
        let mut login = ipmi15::Login::new(self.target.account.clone(), auth_type, self.target.level, 1);
        self.exchange(&login.get_challenge(), |datagram| taken(login.take_challenge(datagram))).await?;
        let activate = login.activate();
        let (session, _) = self.exchange(&activate, |datagram| taken(login.take_activation(datagram))).await?;
        self.way = format!("IPMI 1.5, {auth_type:?}");
        Ok(session)
    }

    /// Asks for the level of the session.
    async fn raise(&mut self) -> Result<(), Fault> {
        let level = self.target.level;
        let told = self.in_session(SET_SESSION_PRIVILEGE_LEVEL, &[level]).await?;
        match told {
            0 => Ok(()),
            code => Err(Fault::Refused(format!("privilege level {level} is refused with completion code {code:02x}h"))),
        }
    }

    /// The completion code of a command about the session itself.
    async fn in_session(&mut self, cmd: u8, data: &[u8]) -> Result<u8, Fault> {
        self.seq = (self.seq + 1) & 0x3f;
        let seq = self.seq;
        let mut wait = self.first_wait();
        // A session that is gone is opened anew by whoever asks for one.
        for sent in 0..self.target.tries.min(super::SESSION_TRIES) {
            let mut datagram = Vec::new();
            let Some(session) = &mut self.session else { break };
            session.request((seq, netfn::APP, cmd), data, &mut self.random, &mut datagram);
            self.send(&datagram, sent).await?;
            let end = Instant::now() + wait;
            while let Some(mut received) = self.receive(end).await? {
                let Some(session) = &mut self.session else { break };
                let code = session.open(&mut received).ok().and_then(|opened| {
                    let message = Message::parse(opened.payload).ok()?;
                    let mine = opened.payload_type == PayloadType::Ipmi
                        && (message.seq, message.netfn, message.cmd) == (seq, netfn::APP | 1, cmd);
                    message.data.first().copied().filter(|_| mine)
                });
                if let Some(code) = code {
                    return Ok(code);
                }
            }
            wait = (wait * 3 / 2).min(super::WAITS.1);
        }
        Err(Fault::Silent(self.target.address))
    }

    /// The datagram that closes the session, if there is one, which there is no more then.
    pub(super) fn farewell(&mut self) -> Option<Vec<u8>> {
        let mut session = self.session.take()?;
        let id = session.id.0.to_le_bytes();
        let mut datagram = Vec::new();
        self.seq = (self.seq + 1) & 0x3f;
        session.request((self.seq, netfn::APP, CLOSE_SESSION), &id, &mut self.random, &mut datagram);
        Some(datagram)
    }
}

/// Whether another cipher suite may do: IPMI 2.0 table 13-15, status 04h, 05h, 10h, 11h.
fn is_about_suite(why: &str) -> bool {
    ["0x04", "0x05", "0x10", "0x11"].iter().any(|status| why.ends_with(status))
}

/// What a datagram gives: nothing where it is another message.
fn taken<T>(result: Result<T, Error>) -> Option<Result<T, Fault>> {
    match result {
        Ok(taken) => Some(Ok(taken)),
        Err(error @ (Error::Refused { .. } | Error::Command(_) | Error::Suite)) => {
            Some(Err(Fault::Refused(told(&error))))
        }
        // A wrong code of IPMI 1.5 is a wrong password; anything else is not meant for us.
        Err(Error::Code) => Some(Err(Fault::Refused("user name or password is wrong".into()))),
        Err(_) => None,
    }
}

/// Why a login is refused, for people.
fn told(error: &Error) -> String {
    match error {
        Error::Refused { message, status } => {
            let meaning = match status.0 {
                0x01 => ": it has no room for a session",
                0x09 => ": it does not allow this privilege level",
                0x0d => ": there is no such user, or he may not have this privilege level",
                _ => "",
            };
            format!("{message} is refused{meaning}, status {:#04x}", status.0)
        }
        other => other.to_string(),
    }
}
