//! Controllers behind the BMC: those that its records name, reached by bridging.

use std::collections::BTreeMap;

use super::super::link::Fault;
use super::super::model::{BMC, Controller};
use super::super::reads::{Question, Read};
use super::super::records::{Locator, locator, sensors};
use super::{Walk, code};
use crate::clone::model::Request;

impl Walk<'_> {
    /// The controllers that records of the BMC name, with what they have.
    pub(super) async fn satellites(&mut self, more: &[(u8, u8)]) -> Result<(), Fault> {
        let mut named = self.named();
        named.extend(more.iter().copied().filter(|(address, _)| *address != BMC));
        for (done, (&address, &channel)) in named.iter().enumerate() {
            (self.watch)("Controllers", done, named.len());
            if !self.is_there(address, channel).await? {
                continue;
            }
            self.machine.controllers.push(Controller { address, channel, ..Controller::default() });
            self.identity(address).await?;
            self.site(address).await?;
            self.device_sdrs(address).await?;
            let support = self.machine.device_id(address).map_or(0, |id| id.support);
            if support & 0x02 != 0 {
                self.repository(address).await?;
            }
            if support & 0x04 != 0 {
                self.log(address).await?;
            }
        }
        Ok(())
    }

    /// Addresses and channels of other controllers. Odd addresses are of system software.
    fn named(&self) -> BTreeMap<u8, u8> {
        let mut named = BTreeMap::new();
        for record in self.machine.bmc().into_iter().flat_map(|bmc| bmc.repository.iter().flatten()) {
            let owners = sensors(record).into_iter().map(|sensor| (sensor.owner, sensor.channel));
            let located = locator(record).into_iter().map(|located| match located {
                Locator::Controller { address, channel, .. } | Locator::Fru { address, channel, .. } => {
                    (address, channel)
                }
            });
            for (address, channel) in owners.chain(located) {
                if address != BMC && address & 1 == 0 && address != 0 {
                    named.entry(address).or_insert(channel);
                }
            }
        }
        named
    }

    async fn is_there(&mut self, address: u8, channel: u8) -> Result<bool, Fault> {
        let controller = Controller { address, channel, ..Controller::default() };
        let what = format!("controller {address:#04x} on channel {channel}");
        let why = match self.link.ask(&Question::read(&controller, 0, Read::DeviceId, [])).await {
            Ok(response) if response.code == 0 => return Ok(true),
            Ok(response) => format!("completion code {:02x}h", response.code),
            Err(fault @ (Fault::Lost(_) | Fault::NotReached(_))) => fault.to_string(),
            Err(fault) => return Err(fault),
        };
        self.machine.miss(what, why);
        Ok(false)
    }

    /// Where a controller of an ATCA shelf is.
    pub(super) async fn site(&mut self, mc: u8) -> Result<(), Fault> {
        const PICMG: u8 = 0x00;
        if self.keep(mc, Read::PicmgProperties, [PICMG]).await?.is_some() {
            self.keep(mc, Read::PicmgAddress, [PICMG]).await?;
            return Ok(());
        }
        // A board without it says so in many ways, and none of them is a fact worth keeping.
        let request = Request::new(mc, Read::PicmgProperties, [PICMG]);
        let plain = self.machine.exchanges.get(&request).is_some_and(|response| response.code == code::INVALID_COMMAND);
        if !plain {
            self.machine.exchanges.remove(&request);
        }
        Ok(())
    }
}
