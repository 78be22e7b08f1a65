//! The walk over a machine: what is asked, in which order, and what boards do that is not in the specification.
//!
//! Owns the order and the patience with odd boards. Everything goes through [`Link::ask`], which sends only what
//! [`reads`](super::reads) has. The result is the same for the same machine, however often a response was lost or a
//! record had to be read once more.

mod fru;
mod partial;
mod records;
mod satellites;
mod sel;
mod sensors;
mod tables;

use std::collections::BTreeSet;

use super::bytes::Bytes;
use super::link::{Fault, Link};
use super::model::{BMC, Controller, Machine, Request, Response};
use super::reads::{Question, Read};

/// Completion codes.
mod code {
    /// The command is not there.
    pub(super) const INVALID_COMMAND: u8 = 0xc1;
    /// The reservation is no more.
    pub(super) const RESERVATION: u8 = 0xc5;
    /// The request is too short.
    pub(super) const LENGTH: u8 = 0xc7;
    /// A field is too long.
    pub(super) const LENGTH_LIMIT: u8 = 0xc8;
    /// Out of range.
    pub(super) const RANGE: u8 = 0xc9;
    /// That many bytes cannot be returned.
    pub(super) const TOO_MANY: u8 = 0xca;
    /// The sensor, record or data is not there.
    pub(super) const NOT_PRESENT: u8 = 0xcb;
    /// A response could not be made.
    pub(super) const NO_RESPONSE: u8 = 0xce;
    /// The destination is not there.
    pub(super) const UNREACHABLE: u8 = 0xd3;
    /// The session's level is too low.
    pub(super) const PRIVILEGE: u8 = 0xd4;
    /// Not in this state.
    pub(super) const STATE: u8 = 0xd5;
    /// Unspecified.
    pub(super) const UNSPECIFIED: u8 = 0xff;
}

/// What a walk is to do beside the usual.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What the machine is called.
    pub name: String,
    /// Address and channel of controllers that no record tells of.
    pub controllers: Vec<(u8, u8)>,
    /// Requests of OEMs, or reading ones, that are recorded as well.
    pub record: Vec<Request>,
}

/// How far it is: what is read, how much of it, and how much there is.
pub type Watch<'a> = &'a mut dyn FnMut(&'static str, usize, usize);

/// Walks over a machine.
///
/// # Errors
/// The BMC has stopped to answer, or does not let the session in any more. What cannot be read while the rest can is in
/// [`Machine::unread`].
pub async fn walk(link: &mut Link, options: &Options, watch: Watch<'_>) -> Result<Machine, Fault> {
    let mut walk =
        Walk { link, machine: Machine::new(&options.name), absent: BTreeSet::new(), limits: Limits::default(), watch };
    walk.identity(BMC).await?;
    walk.tables().await?;
    walk.repository(BMC).await?;
    walk.device_sdrs(BMC).await?;
    walk.satellites(&options.controllers).await?;
    walk.frus().await?;
    walk.sensors().await?;
    walk.log(BMC).await?;
    walk.recorded(&options.record).await?;
    walk.machine.unread.sort();
    walk.machine.unread.dedup();
    Ok(walk.machine)
}

/// How many bytes of a record and of an inventory a controller gives at once: what was found out.
#[derive(Clone, Copy, Debug)]
struct Limits {
    record: u8,
    fru: u8,
}

impl Default for Limits {
    /// With headers and codes around it, this is what the specification has every BMC bear.
    fn default() -> Self {
        Self { record: 30, fru: 24 }
    }
}

/// A walk, with what it has found so far.
struct Walk<'a> {
    link: &'a mut Link,
    machine: Machine,
    /// Commands that controllers do not have.
    absent: BTreeSet<(u8, Read)>,
    limits: Limits,
    watch: Watch<'a>,
}

impl Walk<'_> {
    /// A controller that is known.
    fn controller(&self, mc: u8) -> Controller {
        let found = self.machine.controllers.iter().find(|controller| controller.address == mc);
        let channel = found.map_or(0, |controller| controller.channel);
        Controller { address: mc, channel, ..Controller::default() }
    }

    /// The response to a command; `None` when there is none, which is noted.
    async fn ask(
        &mut self,
        (mc, lun): (u8, u8),
        read: Read,
        data: impl Into<Bytes>,
    ) -> Result<Option<Response>, Fault> {
        let question = Question::read(&self.controller(mc), lun, read, data);
        match self.link.ask(&question).await {
            Ok(response) => Ok(Some(response)),
            Err(fault @ (Fault::Lost(_) | Fault::NotReached(_))) => {
                self.miss(mc, read, &question.request().data, &fault.to_string());
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Asks, keeps the exchange, and gives the data of a command that was done. A command that the controller does not
    /// have is not asked for again.
    async fn keep(&mut self, mc: u8, read: Read, data: impl Into<Bytes>) -> Result<Option<Bytes>, Fault> {
        if self.absent.contains(&(mc, read)) {
            return Ok(None);
        }
        let data = data.into();
        let Some(response) = self.ask((mc, 0), read, data.clone()).await? else { return Ok(None) };
        match response.code {
            // It is not known what somebody else would be told.
            code::PRIVILEGE if !self.link.is_administrators() => {
                self.absent.insert((mc, read));
                self.miss(mc, read, &[], "it needs a higher privilege level");
                return Ok(None);
            }
            code::NO_RESPONSE | code::UNREACHABLE | code::UNSPECIFIED => {
                self.miss(mc, read, &data, &format!("completion code {:02x}h", response.code));
                return Ok(None);
            }
            code::INVALID_COMMAND => {
                self.absent.insert((mc, read));
            }
            _ => {}
        }
        let response = response.settled(Some(read));
        let told = (response.code == 0).then(|| response.data.clone());
        self.machine.keep(Request::new(mc, read, data), response);
        Ok(told)
    }

    /// Notes that something could not be read.
    fn miss(&mut self, mc: u8, read: Read, data: &[u8], why: &str) {
        let of = if mc == BMC { String::new() } else { format!(" of controller {mc:#04x}") };
        let data = if data.is_empty() { String::new() } else { format!(" ({})", Bytes::from(data)) };
        self.machine.miss(format!("{}{data}{of}", read.name()), why);
    }

    /// What a controller says of itself.
    async fn identity(&mut self, mc: u8) -> Result<(), Fault> {
        for read in [Read::DeviceId, Read::SelfTest, Read::DeviceGuid] {
            self.keep(mc, read, []).await?;
        }
        Ok(())
    }

    /// What somebody wants to have recorded.
    async fn recorded(&mut self, requests: &[Request]) -> Result<(), Fault> {
        for (done, request) in requests.iter().enumerate() {
            (self.watch)("Commands to record", done, requests.len());
            let question = match Question::recorded(&self.controller(request.mc), request.clone()) {
                Ok(question) => question,
                Err(why) => {
                    self.machine.miss(format!("{request}"), why);
                    continue;
                }
            };
            match self.link.ask(&question).await {
                Ok(response) => self.machine.keep(request.clone(), response),
                Err(fault @ (Fault::Lost(_) | Fault::NotReached(_))) => {
                    self.machine.miss(format!("{request}"), fault.to_string());
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }
}
