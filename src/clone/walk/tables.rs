//! Everything of the BMC that is asked by a fixed question: channels, users, parameters, chassis, watchdog, DCMI.

use super::super::link::Fault;
use super::super::model::{BMC, Request};
use super::super::reads::Read;
use super::Walk;
use crate::clone::bytes::Bytes;

/// Channels that are asked for: those that implementations may use, and the system interface.
const CHANNELS: [u8; 13] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15];
/// Channel medium type of LAN, IPMI 2.0 table 6-3.
const LAN: u8 = 4;
/// The channel that a session is on.
const THIS_CHANNEL: u8 = 0x0e;
/// Most entries of any table that is asked for.
const MOST: u8 = 64;
/// The group of DCMI commands.
const DCMI: u8 = 0xdc;

/// What a table of parameters is asked with: the channel where it has one, parameter, set and block.
#[derive(Clone, Copy)]
struct Parameter {
    read: Read,
    channel: Option<u8>,
    number: u8,
}

impl Parameter {
    fn data(self, set: u8, block: u8) -> Vec<u8> {
        self.channel.into_iter().chain([self.number, set, block]).collect()
    }
}

impl Walk<'_> {
    /// All of it.
    pub(super) async fn tables(&mut self) -> Result<(), Fault> {
        const STAGES: usize = 8;
        (self.watch)("Settings", 0, STAGES);
        self.keep(BMC, Read::SystemGuid, []).await?;
        self.keep(BMC, Read::GlobalEnables, []).await?;
        self.site(BMC).await?;
        let lans = self.channels().await?;
        (self.watch)("Settings", 1, STAGES);
        for channel in &lans {
            self.lan(*channel).await?;
        }
        (self.watch)("Settings", 2, STAGES);
        self.users(&lans).await?;
        (self.watch)("Settings", 3, STAGES);
        self.chassis().await?;
        self.keep(BMC, Read::Watchdog, []).await?;
        (self.watch)("Settings", 4, STAGES);
        self.filters().await?;
        (self.watch)("Settings", 5, STAGES);
        self.system_info().await?;
        (self.watch)("Settings", 6, STAGES);
        self.dcmi().await
    }

    /// The channels that there are; gives those of LANs.
    async fn channels(&mut self) -> Result<Vec<u8>, Fault> {
        let mut lans = Vec::new();
        for channel in CHANNELS {
            let Some(info) = self.keep(BMC, Read::ChannelInfo, [channel]).await? else { continue };
            for which in [0x40, 0x80] {
                self.keep(BMC, Read::ChannelAccess, [channel, which]).await?;
            }
            if info.get(1).is_some_and(|medium| medium & 0x7f == LAN) {
                lans.push(channel);
            }
        }
        if lans.is_empty() {
            // A BMC of before channels: the session is on one all the same.
            lans.push(THIS_CHANNEL);
        }
        Ok(lans)
    }

    async fn lan(&mut self, channel: u8) -> Result<(), Fault> {
        const EXTENDED: u8 = 0x80;
        const ADMINISTRATOR: u8 = 4;
        let question = [channel | EXTENDED, ADMINISTRATOR];
        if self.keep(BMC, Read::AuthenticationCapabilities, question).await?.is_none() {
            // Who is logged in has no need of it, and some refuse it then.
            self.machine.exchanges.remove(&Request::new(BMC, Read::AuthenticationCapabilities, question));
        }
        self.cipher_suites(channel).await?;
        self.keep(BMC, Read::ChannelPayloadSupport, [channel]).await?;
        for payload in [0, 1] {
            self.keep(BMC, Read::ChannelPayloadVersion, [channel, payload]).await?;
        }
        let parameter = |number| Parameter { read: Read::LanParameters, channel: Some(channel), number };
        for number in (1..=16).chain(20..=26) {
            if !matches!(number, 9 | 18 | 19) {
                self.keep(BMC, Read::LanParameters, parameter(number).data(0, 0)).await?;
            }
        }
        self.sets(parameter(17), &[(parameter(18), 0), (parameter(19), 0)], 0x0f).await?;
        // IPv6 and IPv4 support, enables, headers, status, static and dynamic address, router.
        for number in (50..=56).chain([59]).chain(64..=68) {
            self.keep(BMC, Read::LanParameters, parameter(number).data(0, 0)).await?;
        }
        for number in 1..=8 {
            let parameter = Parameter { read: Read::SolParameters, channel: Some(channel), number };
            self.keep(BMC, Read::SolParameters, parameter.data(0, 0)).await?;
        }
        Ok(())
    }

    /// A parameter that says how many sets others have (in the bits of `mask`), and those, each from a first set on.
    async fn sets(&mut self, count: Parameter, of: &[(Parameter, u8)], mask: u8) -> Result<(), Fault> {
        let told = self.keep(BMC, count.read, count.data(0, 0)).await?;
        // The revision of the parameters comes first.
        let count = told.and_then(|told| told.get(1).copied()).map_or(0, |count| (count & mask).min(MOST));
        for (parameter, first) in of {
            for set in *first..=count {
                self.keep(BMC, parameter.read, parameter.data(set, 0)).await?;
            }
        }
        Ok(())
    }

    /// The records of cipher suites, 16 bytes at a time.
    async fn cipher_suites(&mut self, channel: u8) -> Result<(), Fault> {
        const IPMI: u8 = 0;
        const BY_SUITE: u8 = 0x80;
        for index in 0..0x10 {
            let told = self.keep(BMC, Read::CipherSuites, [channel, IPMI, BY_SUITE | index]).await?;
            if told.is_none_or(|told| told.len() < 17) {
                break;
            }
        }
        Ok(())
    }

    async fn users(&mut self, channels: &[u8]) -> Result<(), Fault> {
        let Some(&first) = channels.first() else { return Ok(()) };
        let told = self.keep(BMC, Read::UserAccess, [first, 1]).await?;
        let count = told.and_then(|told| told.first().copied()).map_or(0, |count| count & 0x3f);
        for number in 1..=count {
            (self.watch)("Users", number.into(), count.into());
            for channel in channels {
                self.keep(BMC, Read::UserAccess, [*channel, number]).await?;
                self.keep(BMC, Read::UserPayloadAccess, [*channel, number]).await?;
            }
            self.keep(BMC, Read::UserName, [number]).await?;
        }
        Ok(())
    }

    async fn chassis(&mut self) -> Result<(), Fault> {
        for read in [Read::ChassisCapabilities, Read::ChassisStatus, Read::RestartCause] {
            self.keep(BMC, read, []).await?;
        }
        for number in 1..=6 {
            let parameter = Parameter { read: Read::BootOptions, channel: None, number };
            self.keep(BMC, Read::BootOptions, parameter.data(0, 0)).await?;
        }
        Ok(())
    }

    /// Platform event filtering.
    async fn filters(&mut self) -> Result<(), Fault> {
        if self.keep(BMC, Read::PefCapabilities, []).await?.is_none() {
            return Ok(());
        }
        let parameter = |number| Parameter { read: Read::PefParameters, channel: None, number };
        for number in [1, 2, 3, 4, 10] {
            self.keep(BMC, Read::PefParameters, parameter(number).data(0, 0)).await?;
        }
        self.sets(parameter(5), &[(parameter(6), 1)], 0x7f).await?;
        self.sets(parameter(8), &[(parameter(9), 1)], 0x7f).await?;
        self.sets(parameter(11), &[(parameter(12), 0)], 0x7f).await?;
        let strings = self.machine.told(BMC, Read::PefParameters, &parameter(11).data(0, 0));
        let strings = strings.and_then(|told| told.get(1).copied()).map_or(0, |count| (count & 0x7f).min(MOST));
        for set in 0..=strings {
            self.string(parameter(13), set).await?;
        }
        Ok(())
    }

    /// An alert string, block by block, up to its end.
    async fn string(&mut self, parameter: Parameter, set: u8) -> Result<(), Fault> {
        const BLOCKS: u8 = 16;
        for block in 1..=BLOCKS {
            let told = self.keep(BMC, parameter.read, parameter.data(set, block)).await?;
            // Revision, set and block come first; a string ends with a zero, or a short block.
            let text = told.as_ref().and_then(|told| told.get(3..)).unwrap_or_default();
            if text.len() < 16 || text.contains(&0) {
                break;
            }
        }
        Ok(())
    }

    /// Names of firmware, system and operating system, block by block.
    async fn system_info(&mut self) -> Result<(), Fault> {
        for number in 1..=7 {
            let ask = |set| [0, number, set, 0];
            let Some(first) = self.keep(BMC, Read::SystemInfo, ask(0)).await? else { continue };
            // Revision, set, encoding, length of the text, of which 14 bytes are here.
            let length = first.get(3).copied().map_or(0, usize::from);
            let more = length.saturating_sub(14).div_ceil(16);
            for set in 1..=u8::try_from(more).unwrap_or(0) {
                self.keep(BMC, Read::SystemInfo, ask(set)).await?;
            }
        }
        Ok(())
    }

    async fn dcmi(&mut self) -> Result<(), Fault> {
        for parameter in 1..=5 {
            let told = self.keep(BMC, Read::DcmiCapabilities, [DCMI, parameter]).await?;
            if told.is_none() && parameter == 1 {
                return Ok(());
            }
        }
        self.text(Read::DcmiAssetTag).await?;
        self.text(Read::DcmiIdentifier).await?;
        self.keep(BMC, Read::DcmiPowerLimit, [DCMI, 0, 0]).await?;
        for number in 2..=5 {
            self.keep(BMC, Read::DcmiParameters, [DCMI, number, 0]).await?;
        }
        Ok(())
    }

    /// A text of DCMI, 16 bytes at a time. The response says how long it is.
    async fn text(&mut self, read: Read) -> Result<(), Fault> {
        const PIECE: u8 = 16;
        let mut at: u8 = 0;
        loop {
            let told = self.keep(BMC, read, [DCMI, at, PIECE]).await?;
            let Some(length) = told.as_ref().and_then(|told: &Bytes| told.get(1).copied()) else { return Ok(()) };
            at = at.saturating_add(PIECE);
            if at >= length.min(64) {
                return Ok(());
            }
        }
    }
}
