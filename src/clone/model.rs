//! What is known of a machine, as plain values: what a walk takes, what files of others hold, and what a folder is made of.
//!
//! Bulky things (records, inventories, logs, sensors) have fields; everything else is kept as the
//! exchange that told it, in [`Machine::exchanges`]. The functions of [`Machine`] and [`Controller`] say what such bytes mean.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use super::bytes::Bytes;
use super::reads::Read;

/// IPMB address of the BMC.
pub const BMC: u8 = 0x20;

/// A machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// What it is called, which is the `name` of its lan.conf.
    pub name: String,
    /// Its controllers, the BMC first, then satellites by address.
    pub controllers: Vec<Controller>,
    /// Every request whose response is kept, and that response. A request that was refused is here with the completion
    /// code; one that was never answered is in [`unread`](Self::unread).
    #[serde(serialize_with = "as_list")]
    pub exchanges: BTreeMap<Request, Response>,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

/// A management controller of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Controller {
    /// IPMB address.
    pub address: u8,
    /// Number of the channel that it is on, as the BMC counts: 0 is the primary IPMB.
    pub channel: u8,
    /// The records of its SDR repository, whole, in their order; `None` when it has none.
    pub repository: Option<Vec<Bytes>>,
    /// When its repository was added to and erased last, seconds since 1970.
    pub repository_times: [u32; 2],
    /// Its device SDRs by LUN, whole, in their order.
    pub device_sdrs: BTreeMap<u8, Vec<Bytes>>,
    /// Its sensors by LUN and number.
    pub sensors: Vec<Sensor>,
    /// Its inventories by LUN and device id.
    pub frus: Vec<Fru>,
    /// Its event log; `None` when it has none.
    pub sel: Option<Sel>,
}

/// What a sensor says. Responses are without completion code; `None` where there was none, or another code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sensor {
    /// LUN, 0 to 3.
    pub lun: u8,
    /// Sensor number.
    pub number: u8,
    /// Sensor type of its record.
    pub sensor_type: u8,
    /// Event/reading type code of its record.
    pub event_reading_code: u8,
    /// It is in an event-only record and cannot be read.
    pub event_only: bool,
    /// Its name in its record, for messages.
    pub name: String,
    /// Get Sensor Reading: reading, flags, one or two bytes of states (IPMI 2.0 section 35.14).
    pub reading: Option<Bytes>,
    /// Get Sensor Thresholds: mask, LNC, LC, LNR, UNC, UC, UNR (section 35.9).
    pub thresholds: Option<Bytes>,
    /// Get Sensor Hysteresis: positive, negative (section 35.7).
    pub hysteresis: Option<Bytes>,
    /// Get Sensor Event Enable: flags, up to two bytes assertion, up to two bytes deassertion (section 35.11).
    pub event_enable: Option<Bytes>,
}

/// An inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fru {
    /// LUN that it is behind, 0 to 3.
    pub lun: u8,
    /// FRU device id.
    pub device: u8,
    /// Its whole area.
    pub data: Bytes,
}

/// An event log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sel {
    /// Records of 16 bytes, the oldest first.
    pub records: Vec<Bytes>,
    /// Free space in bytes, as Get SEL Info tells.
    pub free: u16,
    /// Operation support of Get SEL Info: 0x01 allocation info, 0x02 reserve, 0x04 partial add, 0x08 delete; 0x80 is overflow.
    pub support: u8,
    /// Time of the last addition, seconds since 1970.
    pub last_add: u32,
    /// Time of the last erasure.
    pub last_erase: u32,
    /// By how many seconds its clock is ahead of that of the walk, to tens; `None` when it does not tell.
    pub clock: Option<i64>,
}

/// A request whose response is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Request {
    /// IPMB address of the controller.
    pub mc: u8,
    /// LUN.
    pub lun: u8,
    /// Network function, even.
    pub netfn: u8,
    /// Command number.
    pub cmd: u8,
    /// Data.
    pub data: Bytes,
}

/// The response to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Response {
    /// Completion code.
    pub code: u8,
    /// What follows it.
    pub data: Bytes,
}

/// Something that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unread {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// What Get Device ID tells (IPMI 2.0 section 20.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceId {
    /// Device id.
    pub id: u8,
    /// Bit 7: device SDRs; bits 3-0: device revision.
    pub revision: u8,
    /// Bit 7: update in progress; bits 6-0: major firmware revision.
    pub major: u8,
    /// Minor firmware revision, BCD.
    pub minor: u8,
    /// IPMI version, BCD, digits swapped: 0x51 and 0x02.
    pub version: u8,
    /// Additional device support.
    pub support: u8,
    /// IANA number of the manufacturer, 24 bits.
    pub manufacturer: u32,
    /// Product number.
    pub product: u16,
    /// Auxiliary firmware revision, if it tells one.
    pub auxiliary: Option<[u8; 4]>,
}

impl DeviceId {
    /// Of the data of a response.
    pub fn parse(data: &[u8]) -> Option<Self> {
        let [id, revision, major, minor, version, support, m0, m1, m2, p0, p1, rest @ ..] = data else { return None };
        Some(Self {
            id: *id,
            revision: *revision,
            major: *major,
            minor: *minor,
            version: *version,
            support: *support,
            manufacturer: u32::from_le_bytes([*m0, *m1, *m2, 0]),
            product: u16::from_le_bytes([*p0, *p1]),
            auxiliary: rest.first_chunk().copied(),
        })
    }

    /// The data of a response.
    pub fn emit(&self) -> Vec<u8> {
        let [m0, m1, m2, _] = self.manufacturer.to_le_bytes();
        let [p0, p1] = self.product.to_le_bytes();
        let mut data =
            vec![self.id, self.revision, self.major, self.minor, self.version, self.support, m0, m1, m2, p0, p1];
        data.extend(self.auxiliary.into_iter().flatten());
        data
    }
}

impl Request {
    /// Of a command of the list, at LUN 0.
    pub fn new(mc: u8, read: Read, data: impl Into<Bytes>) -> Self {
        let (netfn, cmd) = read.command();
        Self { mc, lun: 0, netfn, cmd, data: data.into() }
    }

    /// Whether it is this command of the list.
    pub fn is(&self, read: Read) -> bool {
        (self.netfn, self.cmd) == read.command() && read.group().is_none_or(|group| self.data.first() == Some(&group))
    }

    /// Which command of the list it is.
    pub fn read(&self) -> Option<Read> {
        Read::ALL.iter().copied().find(|read| self.is(*read))
    }
}

/// Its name, or network function and command, with its data and its controller.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.read() {
            Some(read) => f.write_str(read.name())?,
            None => write!(f, "command {:#04x} {:#04x}", self.netfn, self.cmd)?,
        }
        if !self.data.is_empty() {
            write!(f, " ({})", self.data)?;
        }
        if self.mc == BMC { Ok(()) } else { write!(f, " of controller {:#04x}", self.mc) }
    }
}

impl Controller {
    /// The channel of the BMC that leads to it; `None` for the BMC itself.
    pub fn route(&self) -> Option<u8> {
        (self.address != BMC).then_some(self.channel)
    }
}

impl Response {
    /// A command that was done.
    pub fn done(data: impl Into<Bytes>) -> Self {
        Self { code: 0, data: data.into() }
    }

    /// A command that was not.
    pub fn refused(code: u8) -> Self {
        Self { code, data: Bytes::default() }
    }

    /// Without what is only so at the moment: who else has a session, and how much is left of the watchdog's time. What
    /// stands behind the end is left out as well: OpenIPMI's ipmi_sim 2.0.33 sends memory there.
    #[must_use]
    pub fn settled(mut self, of: Option<Read>) -> Self {
        const CHASSIS_CAPABILITIES: usize = 6;
        const ACTIVE_SESSIONS: u8 = 0x3f;
        match (of, self.data.0.as_mut_slice()) {
            (Some(Read::ChassisCapabilities), _) => self.data.0.truncate(CHASSIS_CAPABILITIES),
            (Some(Read::ChannelInfo), [_, _, _, sessions, ..]) => {
                let own = u8::from(*sessions & ACTIVE_SESSIONS != 0);
                *sessions = *sessions & !ACTIVE_SESSIONS | own;
            }
            (Some(Read::Watchdog), [_, _, _, _, i0, i1, p0, p1, ..]) => (*p0, *p1) = (*i0, *i1),
            _ => {}
        }
        self
    }
}

impl Machine {
    /// A machine with a BMC of which nothing is known.
    pub fn new(name: impl Into<String>) -> Self {
        let bmc = Controller { address: BMC, ..Controller::default() };
        Self { name: name.into(), controllers: vec![bmc], ..Self::default() }
    }

    /// The BMC.
    pub fn bmc(&self) -> Option<&Controller> {
        self.controllers.first()
    }

    /// A controller.
    pub fn controller_mut(&mut self, address: u8) -> Option<&mut Controller> {
        self.controllers.iter_mut().find(|controller| controller.address == address)
    }

    /// What was told in response to a command of the list, if it was done.
    pub fn told(&self, mc: u8, read: Read, data: &[u8]) -> Option<&[u8]> {
        let response = self.exchanges.get(&Request::new(mc, read, data))?;
        (response.code == 0).then_some(&*response.data)
    }

    /// All exchanges of a command of the list.
    pub fn all(&self, mc: u8, read: Read) -> impl Iterator<Item = (&Request, &Response)> {
        self.exchanges.iter().filter(move |(request, _)| request.mc == mc && request.is(read))
    }

    /// Keeps a response.
    pub fn keep(&mut self, request: Request, response: Response) {
        self.exchanges.insert(request, response);
    }

    /// Says that something could not be read.
    pub fn miss(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.unread.push(Unread { what: what.into(), why: why.into() });
    }

    /// What a controller says of itself.
    pub fn device_id(&self, mc: u8) -> Option<DeviceId> {
        DeviceId::parse(self.told(mc, Read::DeviceId, &[])?)
    }
}

/// Exchanges as a list, for JSON.
fn as_list<S: Serializer>(exchanges: &BTreeMap<Request, Response>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Entry<'a> {
        name: Option<&'static str>,
        #[serde(flatten)]
        request: &'a Request,
        response: &'a Response,
    }
    serializer.collect_seq(exchanges.iter().map(|(request, response)| Entry {
        name: request.read().map(Read::name),
        request,
        response,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_id_is_read_as_it_is_written() {
        let data = [0x20, 0x81, 0x03, 0x52, 0x02, 0xbf, 0xa2, 0x02, 0x00, 0x00, 0x01, 9, 8, 7, 6];
        let id = DeviceId::parse(&data).unwrap();
        assert_eq!((id.manufacturer, id.product, id.auxiliary), (674, 0x100, Some([9, 8, 7, 6])));
        assert_eq!(id.emit(), data);
        let short = DeviceId::parse(&data[..11]).unwrap();
        assert_eq!((short.auxiliary, short.emit().len(), DeviceId::parse(&data[..10])), (None, 11, None));
    }

    #[test]
    fn what_is_so_at_the_moment_is_left_out() {
        let settled = |read, data: &[u8]| Response::done(data).settled(Some(read)).data.0;
        assert_eq!(settled(Read::ChannelInfo, &[1, 4, 1, 0x85, 7]), [1, 4, 1, 0x81, 7]);
        assert_eq!(settled(Read::ChannelInfo, &[0, 1, 1, 0x00, 7]), [0, 1, 1, 0x00, 7]);
        assert_eq!(settled(Read::Watchdog, &[0x44, 0, 0, 0, 9, 1, 3, 0]), [0x44, 0, 0, 0, 9, 1, 9, 1]);
        assert_eq!(settled(Read::ChassisCapabilities, &[0; 40]).len(), 6);
        assert_eq!(settled(Read::DeviceId, &[1, 2, 3]), [1, 2, 3]);
    }

    #[test]
    fn what_was_told_is_found_again() {
        let mut machine = Machine::new("x");
        machine.keep(Request::new(BMC, Read::DcmiAssetTag, [0xdc, 0, 16]), Response::done([0xdc, 0]));
        machine.keep(Request::new(BMC, Read::SelfTest, []), Response::refused(0xc1));
        assert_eq!(machine.told(BMC, Read::DcmiAssetTag, &[0xdc, 0, 16]), Some(&[0xdc, 0][..]));
        assert_eq!((machine.told(BMC, Read::SelfTest, &[]), machine.told(0x22, Read::SelfTest, &[])), (None, None));
        assert_eq!(machine.all(BMC, Read::DcmiAssetTag).count(), 1);
        let json = serde_json::to_value(&machine).unwrap();
        assert_eq!(json["exchanges"][0]["name"], "Get Self Test Results");
        assert_eq!(json["exchanges"][1]["response"]["data"], "dc00");
    }
}
