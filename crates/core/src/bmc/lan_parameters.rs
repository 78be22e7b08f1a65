//! LAN configuration parameters of a channel (`lan-protocol.md` section 13, IPMI 2.0
//! section 23.2).
//!
//! Owns the values and the "set in progress" lock. Eight of them can live in a
//! `lan_config_program`: reading and writing those gives back the [`ProgramCall`] to
//! make, and the result is handed in afterwards.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::external::{Kind, Operation, Parameter, ProgramCall, Value};
use super::ipv6_parameters::{Bytes, Ipv6Parameters, Served};
use crate::ipmi::{AuthTypes, SessionId};
use crate::wire::pet;

/// Parameter numbers, IPMI 2.0 table 23-4.
pub mod number {
    /// Set in progress.
    pub const SET_IN_PROGRESS: u8 = 0;
    /// Authentication type support.
    pub const AUTH_SUPPORT: u8 = 1;
    /// Authentication type enables.
    pub const AUTH_ENABLES: u8 = 2;
    /// IP address.
    pub const IP_ADDRESS: u8 = 3;
    /// IP address source.
    pub const IP_SOURCE: u8 = 4;
    /// MAC address.
    pub const MAC_ADDRESS: u8 = 5;
    /// Subnet mask.
    pub const SUBNET_MASK: u8 = 6;
    /// IPv4 header parameters.
    pub const IPV4_HEADER: u8 = 7;
    /// Primary RMCP port.
    pub const PRIMARY_PORT: u8 = 8;
    /// BMC-generated ARP control.
    pub const ARP_CONTROL: u8 = 10;
    /// Gratuitous ARP interval.
    pub const ARP_INTERVAL: u8 = 11;
    /// Default gateway address.
    pub const GATEWAY: u8 = 12;
    /// Default gateway MAC address.
    pub const GATEWAY_MAC: u8 = 13;
    /// Backup gateway address.
    pub const BACKUP_GATEWAY: u8 = 14;
    /// Backup gateway MAC address.
    pub const BACKUP_GATEWAY_MAC: u8 = 15;
    /// Community string.
    pub const COMMUNITY: u8 = 16;
    /// Number of alert destinations.
    pub const DESTINATIONS: u8 = 17;
    /// Alert destination type.
    pub const DESTINATION_TYPE: u8 = 18;
    /// Alert destination addresses.
    pub const DESTINATION_ADDRESSES: u8 = 19;
    /// 802.1q VLAN id.
    pub const VLAN_ID: u8 = 20;
    /// 802.1q VLAN priority.
    pub const VLAN_PRIORITY: u8 = 21;
    /// Number of cipher suite entries.
    pub const CIPHER_SUITE_COUNT: u8 = 22;
    /// Cipher suite entries.
    pub const CIPHER_SUITES: u8 = 23;
    /// Cipher suite privilege levels.
    pub const CIPHER_PRIVILEGES: u8 = 24;
    /// Bad password threshold.
    pub const BAD_PASSWORD: u8 = 26;
}

/// The cipher suite entries of parameters 22 and 23: the suites that work. The levels of
/// parameter 24 are in the same order (IPMI 2.0 table 23-4).
pub const CIPHER_SUITES: [u8; 12] = [0, 1, 2, 3, 6, 7, 8, 11, 12, 15, 16, 17];

/// Parameter 24 before anybody set it: administrator for every entry.
const DEFAULT_CIPHER_PRIVILEGES: [u8; 9] = [0x44; 9];

/// Parameter 24 as it is read. The first entry, suite 0, asks for no password and is open
/// only for levels whose `allowed_auths_*` list contains `none`. It says the highest such
/// level, or "not used", whatever was set: what is closed is not told as open.
fn shown_privileges(mut levels: [u8; 9], auths: &[AuthTypes; 4]) -> [u8; 9] {
    let [_, first, ..] = &mut levels;
    let set = *first & 0x0f;
    let open = (1..=set).zip(auths).filter(|(_, types)| types.contains(AuthTypes::NONE)).map(|(level, _)| level).max();
    // Above administrator is a level of the manufacturer; above that nothing is defined.
    if (1..=5).contains(&set) && open != Some(set.min(4)) {
        *first = *first & 0xf0 | open.unwrap_or(0);
    }
    levels
}

/// The parameters that can live in a program, in the order it is given them.
const EXTERNAL: [(u8, &str, Kind); 8] = [
    (number::IP_ADDRESS, "ip_addr", Kind::Ip),
    (number::IP_SOURCE, "ip_addr_src", Kind::AddressSource),
    (number::MAC_ADDRESS, "mac_addr", Kind::Mac),
    (number::SUBNET_MASK, "subnet_mask", Kind::Ip),
    (number::GATEWAY, "default_gw_ip_addr", Kind::Ip),
    (number::GATEWAY_MAC, "default_gw_mac_addr", Kind::Mac),
    (number::BACKUP_GATEWAY, "backup_gw_ip_addr", Kind::Ip),
    (number::BACKUP_GATEWAY_MAC, "backup_gw_mac_addr", Kind::Mac),
];

/// Highest IP address source that has a name a program can be told.
const HIGHEST_NAMED_SOURCE: u8 = 4;

fn external_index(parameter: u8) -> Option<usize> {
    EXTERNAL.iter().position(|(number, _, _)| *number == parameter)
}

/// Alert destinations that are kept apart from number 0, the one of the moment.
const DESTINATIONS: u8 = 4;

/// Where alerts are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Destination {
    /// Type, acknowledge time-out, retries.
    kind: [u8; 3],
    /// Format, gateway, IP address, MAC address.
    addresses: [u8; 12],
}

/// An alert destination that traps can be sent to (LAN parameters 18 and 19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertDestination {
    /// Where it is.
    pub address: SocketAddrV4,
    /// A PET Acknowledge is waited for.
    pub acknowledge: bool,
    /// How long an acknowledgement is waited for, and the time between two of what is sent without: 1 to 256 s.
    pub interval: Duration,
    /// How often it is sent again, 0 to 7: until it is acknowledged, or always where no acknowledgement is waited for.
    pub retries: u8,
}

/// The community string of alerts before anybody set it.
const DEFAULT_COMMUNITY: [u8; 18] = *b"public\0\0\0\0\0\0\0\0\0\0\0\0";

/// The bytes of a parameter, at most 18.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterBytes {
    bytes: [u8; 18],
    length: usize,
}

impl ParameterBytes {
    fn new(data: &[u8]) -> Self {
        let mut bytes = [0; 18];
        let length = data.len().min(bytes.len());
        bytes[..length].copy_from_slice(&data[..length]);
        Self { bytes, length }
    }

    /// The bytes as Get LAN Configuration Parameters gives them.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Parameter 24 as a state file has it: cut, or filled with zeros.
fn stored_privileges(stored: &[u8]) -> [u8; 9] {
    std::array::from_fn(|at| stored.get(at).copied().unwrap_or_default())
}

fn value_bytes(value: &Value) -> ParameterBytes {
    match value {
        Value::Ip(ip) => ParameterBytes::new(ip),
        Value::Mac(mac) => ParameterBytes::new(mac),
        Value::AddressSource(source) => ParameterBytes::new(&[*source]),
        Value::Integer(_) | Value::BootDevice(_) | Value::Identify(_) => ParameterBytes::new(&[]),
    }
}

fn value_from(kind: Kind, data: &[u8]) -> Option<Value> {
    match kind {
        Kind::Ip => data.first_chunk().map(|bytes| Value::Ip(*bytes)),
        Kind::Mac => data.first_chunk().map(|bytes| Value::Mac(*bytes)),
        Kind::AddressSource => data.first().map(|byte| Value::AddressSource(*byte)),
        Kind::Integer | Kind::BootDevice | Kind::Identify => None,
    }
}

fn same_kind(kind: Kind, value: &Value) -> bool {
    matches!(
        (kind, value),
        (Kind::Ip, Value::Ip(_)) | (Kind::Mac, Value::Mac(_)) | (Kind::AddressSource, Value::AddressSource(_))
    )
}

/// What can be set, as one piece that a rollback brings back.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Values {
    external: [Value; 8],
    ipv4_header: [u8; 3],
    /// ARP control, and the interval of gratuitous ARPs: for the client that set them.
    arp: [u8; 2],
    vlan_id: [u8; 2],
    vlan_priority: u8,
    cipher_privileges: [u8; 9],
    community: [u8; 18],
    destinations: [Destination; 1 + DESTINATIONS as usize],
    /// Bit i: external value i was set and not yet given to the program.
    changed: u8,
    /// For the client that set it: a threshold would let anybody lock a user out, and guessing
    /// is slow without.
    bad_password: [u8; 6],
    /// Parameters 50 to 80.
    ipv6: Ipv6Parameters,
    /// Something was set that is not kept yet.
    unsaved: bool,
}

impl Destination {
    /// Type "PET trap" (bits 2-0 of byte 1).
    const PET: u8 = 0;

    /// Where and how traps are sent, to a UDP port; `None` where they cannot be: another type or address format, no
    /// address, or one that is that of many.
    fn usable(&self, port: u16) -> Option<AlertDestination> {
        let [kind, interval, retries] = self.kind;
        let [format, _gateway, a, b, c, d, ..] = self.addresses;
        let address = Ipv4Addr::new(a, b, c, d);
        let is_one = !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast();
        (kind & 0x07 == Self::PET && format >> 4 == 0 && is_one).then(|| AlertDestination {
            address: SocketAddrV4::new(address, port),
            acknowledge: kind & 0x80 != 0,
            interval: Duration::from_secs(u64::from(interval) + 1),
            retries: retries & 0x07,
        })
    }
}

impl Values {
    /// The alert destination a set selector means.
    fn destination(&mut self, set: u8) -> Result<&mut Destination, ParameterError> {
        self.destinations.get_mut(usize::from(set & 0x0f)).ok_or(ParameterError::Invalid)
    }
}

/// What of the parameters is kept, at some moment.
#[derive(Clone, Debug)]
pub struct Settled(Values);

/// Somebody is setting parameters.
#[derive(Clone, Debug)]
struct Lock {
    holder: Holder,
    rollback: Values,
}

/// Who holds the lock.
///
/// A client that makes a session for each command (`ipmitool raw`, three times) goes on
/// with its work in another session, so a lock outlives the session that took it. The client
/// may also be gone for good, so that then anybody may begin anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// A session.
    Session(SessionId),
    /// The system interface.
    Host,
    /// A session that has ended.
    Nobody,
}

/// LAN configuration parameters of a channel.
#[derive(Debug)]
pub struct LanParameters {
    program: Option<String>,
    values: Values,
    lock: Option<Lock>,
    /// Where the channel is reached.
    pub served: Served,
    /// Parameter 8, shown where clients are told another port than that of the socket.
    pub primary_port: Option<u16>,
    /// The UDP port that traps are sent to.
    pub alert_port: u16,
    /// The address of the channel's socket.
    pub local: Option<IpAddr>,
}

impl Default for LanParameters {
    /// Without a program, all zero.
    fn default() -> Self {
        Self::new(None)
    }
}

/// Why a parameter is not read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterError {
    /// 80h: there is no such parameter.
    Unsupported,
    /// 81h: "set in progress" does not allow it.
    InProgress,
    /// 82h: it can only be read.
    ReadOnly,
    /// C7h: bytes are missing.
    TooShort,
    /// CCh: the value is not acceptable.
    Invalid,
    /// C9h: there is no such set or block.
    NoSet,
}

/// Where a parameter's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Here it is.
    Value(ParameterBytes),
    /// Make this call and give its value to [`LanParameters::got`].
    Ask(ProgramCall),
}

/// What a write leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is done.
    Done,
    /// Make this call; if it succeeds call [`LanParameters::checked`], else refuse (CCh).
    Check(ProgramCall),
    /// A commit.
    Commit {
        /// Something changed that the state file keeps.
        save: bool,
        /// Make this call; if it succeeds call [`LanParameters::committed`]. The request
        /// succeeds either way: a failed program is tried again at the next commit.
        call: Option<ProgramCall>,
    },
}

impl LanParameters {
    /// Parameters kept by a program, or in memory and all zero.
    pub fn new(program: Option<String>) -> Self {
        let external = EXTERNAL.map(|(_, _, kind)| match kind {
            Kind::Mac => Value::Mac([0; 6]),
            Kind::AddressSource => Value::AddressSource(0),
            _ => Value::Ip([0; 4]),
        });
        Self {
            program,
            values: Values {
                external,
                ipv4_header: [0; 3],
                arp: [0; 2],
                vlan_id: [0; 2],
                vlan_priority: 0,
                cipher_privileges: DEFAULT_CIPHER_PRIVILEGES,
                community: DEFAULT_COMMUNITY,
                destinations: Default::default(),
                bad_password: [0; 6],
                ipv6: Ipv6Parameters::default(),
                changed: 0,
                unsaved: false,
            },
            lock: None,
            served: Served::default(),
            primary_port: None,
            alert_port: pet::PORT,
            local: None,
        }
    }

    /// Parameter 24: a reserved byte, then a four-bit level per entry of [`CIPHER_SUITES`],
    /// low half first.
    pub fn cipher_privileges(&self) -> [u8; 9] {
        self.values.cipher_privileges
    }

    /// The MAC address, as far as it is known here: a program keeps its own.
    pub fn mac_address(&self) -> Option<[u8; 6]> {
        match self.values.external.get(external_index(number::MAC_ADDRESS)?)? {
            Value::Mac(address) => Some(*address),
            _ => None,
        }
    }

    /// Where the alert destination with this selector is; `None` where nothing can be sent to.
    pub fn alert_destination(&self, selector: u8) -> Option<AlertDestination> {
        self.values.destinations.get(usize::from(selector))?.usable(self.alert_port)
    }

    /// The type of an alert destination (parameter 18 byte 2, bits 2-0).
    pub fn alert_type(&self, selector: u8) -> Option<u8> {
        self.values.destinations.get(usize::from(selector)).map(|destination| destination.kind[0] & 0x07)
    }

    /// The community string of alerts, without the zeros behind it.
    pub fn community(&self) -> &[u8] {
        let text = &self.values.community;
        &text[..text.iter().position(|byte| *byte == 0).unwrap_or(text.len())]
    }

    /// The channel's address as traps tell it: that of its socket, or parameter 3 where the socket has all of the host's.
    pub fn agent_address(&self) -> Ipv4Addr {
        let set = external_index(number::IP_ADDRESS).and_then(|index| self.values.external.get(index));
        match (self.local, set) {
            (Some(IpAddr::V4(local)), _) if !local.is_unspecified() => local,
            (_, Some(Value::Ip(address))) => Ipv4Addr::from(*address),
            _ => Ipv4Addr::UNSPECIFIED,
        }
    }

    /// What is kept, as of now, to be given to `take_back` if it cannot be.
    pub fn settled(&self) -> Settled {
        Settled(self.lock.as_ref().map_or(&self.values, |lock| &lock.rollback).clone())
    }

    /// What was set since `before` could not be kept: without a lock it is gone; with one it is
    /// open again, and gone unless it is committed once more. What a program keeps stays.
    pub(super) fn take_back(&mut self, before: Settled) {
        let Settled(mut before) = before;
        let settled = self.lock.as_mut().map_or(&mut self.values, |lock| &mut lock.rollback);
        if self.program.is_some() {
            (before.external, before.changed) = (settled.external, settled.changed);
        }
        *settled = before;
        if self.lock.is_some() {
            self.values.unsaved = true;
        }
    }

    /// What the state file keeps, by name: parameter 24 always, as the original has it, and of
    /// the rest what somebody has set. Values a program keeps are not among it, nor those that
    /// were not committed yet.
    pub fn kept(&self) -> Vec<(String, Vec<u8>)> {
        let values = self.lock.as_ref().map_or(&self.values, |lock| &lock.rollback);
        let fresh = Self::new(None).values;
        let mut kept = vec![("max_priv_for_cipher".to_owned(), values.cipher_privileges.to_vec())];
        let mut keep = |name: &str, bytes: &[u8], default: &[u8]| {
            if bytes != default {
                kept.push((name.to_owned(), bytes.to_vec()));
            }
        };
        if self.program.is_none() {
            for ((_, name, _), (value, default)) in EXTERNAL.iter().zip(values.external.iter().zip(&fresh.external)) {
                keep(name, value_bytes(value).as_slice(), value_bytes(default).as_slice());
            }
        }
        keep("ipv4_header", &values.ipv4_header, &fresh.ipv4_header);
        keep("arp", &values.arp, &fresh.arp);
        keep("vlan_id", &values.vlan_id, &fresh.vlan_id);
        keep("vlan_priority", &[values.vlan_priority], &[fresh.vlan_priority]);
        keep("community", &values.community, &fresh.community);
        keep("bad_password", &values.bad_password, &fresh.bad_password);
        for (number, (destination, default)) in values.destinations.iter().zip(&fresh.destinations).enumerate() {
            keep(&format!("destination{number}.type"), &destination.kind, &default.kind);
            keep(&format!("destination{number}.addresses"), &destination.addresses, &default.addresses);
        }
        kept.extend(values.ipv6.kept());
        kept
    }

    /// Takes what [`kept`](Self::kept) gave, each item that is there and has its length;
    /// parameter 24 is cut or filled with zeros.
    pub fn restore<'f>(&mut self, item: impl Fn(&str) -> Option<&'f [u8]>) {
        fn take<const N: usize>(to: &mut [u8; N], from: Option<&[u8]>) {
            if let Some(bytes) = from.and_then(|bytes| bytes.try_into().ok()) {
                *to = bytes;
            }
        }
        let values = &mut self.values;
        if let Some(stored) = item("max_priv_for_cipher") {
            values.cipher_privileges = stored_privileges(stored);
        }
        if self.program.is_none() {
            for ((_, name, kind), value) in EXTERNAL.iter().zip(&mut values.external) {
                if let Some(kept) = item(name).and_then(|bytes| value_from(*kind, bytes)) {
                    *value = kept;
                }
            }
        }
        take(&mut values.ipv4_header, item("ipv4_header"));
        take(&mut values.arp, item("arp"));
        take(&mut values.vlan_id, item("vlan_id"));
        if let Some([priority]) = item("vlan_priority") {
            values.vlan_priority = *priority;
        }
        take(&mut values.community, item("community"));
        take(&mut values.bad_password, item("bad_password"));
        for (number, destination) in values.destinations.iter_mut().enumerate() {
            take(&mut destination.kind, item(&format!("destination{number}.type")));
            take(&mut destination.addresses, item(&format!("destination{number}.addresses")));
        }
        values.ipv6.restore(item);
    }

    /// Takes parameter 24 from the state file while it is in use, unless somebody is just
    /// setting parameters. Says whether it changed.
    pub fn take_cipher_privileges(&mut self, stored: &[u8]) -> bool {
        let levels = stored_privileges(stored);
        let differs = self.lock.is_none() && self.values.cipher_privileges != levels;
        if differs {
            self.values.cipher_privileges = levels;
        }
        differs
    }

    /// Another program keeps the parameters from now on, or none.
    pub fn set_program(&mut self, program: Option<String>) {
        self.program = program;
    }

    /// Reads an IPv6 parameter, 50 to 80.
    pub fn ipv6(&self, parameter: u8, set: u8, block: u8) -> Result<Bytes, ParameterError> {
        self.values.ipv6.get(parameter, set, block, &self.served)
    }

    /// Reads a parameter. `set` is the set selector, which only alert destinations look at;
    /// `auths` are the channel's `allowed_auths_*`.
    pub fn get(&self, parameter: u8, set: u8, auths: &[AuthTypes; 4]) -> Result<Read, ParameterError> {
        if let Some(index) = external_index(parameter) {
            let pending = self.lock.is_some() && self.values.changed & 1 << index != 0;
            if !pending && let Some(call) = self.call(Operation::Get, index, None) {
                return Ok(Read::Ask(call));
            }
            return self
                .values
                .external
                .get(index)
                .map(value_bytes)
                .map(Read::Value)
                .ok_or(ParameterError::Unsupported);
        }
        let values = &self.values;
        let bytes = match parameter {
            number::SET_IN_PROGRESS => ParameterBytes::new(&[u8::from(self.lock.is_some())]),
            number::AUTH_SUPPORT => ParameterBytes::new(&[0x1f]),
            number::AUTH_ENABLES => {
                let [callback, user, operator, admin] = auths.map(|types| types.0);
                ParameterBytes::new(&[callback, user, operator, admin, 0])
            }
            number::IPV4_HEADER => ParameterBytes::new(&values.ipv4_header),
            number::PRIMARY_PORT => {
                let port = self.primary_port.ok_or(ParameterError::Unsupported)?;
                ParameterBytes::new(&port.to_le_bytes())
            }
            number::ARP_CONTROL => ParameterBytes::new(&values.arp[..1]),
            number::ARP_INTERVAL => ParameterBytes::new(&values.arp[1..]),
            // There is none until somebody sets it, so that what clients print stays as it was.
            number::BAD_PASSWORD if values.bad_password == [0; 6] && self.lock.is_none() => {
                return Err(ParameterError::Unsupported);
            }
            number::BAD_PASSWORD => ParameterBytes::new(&values.bad_password),
            number::COMMUNITY => ParameterBytes::new(&values.community),
            number::DESTINATIONS => ParameterBytes::new(&[DESTINATIONS]),
            number::DESTINATION_TYPE | number::DESTINATION_ADDRESSES => {
                let number = set & 0x0f;
                let destination = values.destinations.get(usize::from(number)).ok_or(ParameterError::Invalid)?;
                let mut data = [number; 13];
                let length = if parameter == number::DESTINATION_TYPE {
                    data[1..4].copy_from_slice(&destination.kind);
                    4
                } else {
                    data[1..].copy_from_slice(&destination.addresses);
                    data.len()
                };
                ParameterBytes::new(&data[..length])
            }
            number::VLAN_ID => ParameterBytes::new(&values.vlan_id),
            number::VLAN_PRIORITY => ParameterBytes::new(&[values.vlan_priority]),
            number::CIPHER_SUITE_COUNT => ParameterBytes::new(&[CIPHER_SUITES.len() as u8]),
            number::CIPHER_SUITES => {
                let mut entries = [0; 17];
                entries[1..=CIPHER_SUITES.len()].copy_from_slice(&CIPHER_SUITES);
                ParameterBytes::new(&entries)
            }
            // Who is setting it reads what was set: clients check before they commit.
            number::CIPHER_PRIVILEGES if self.lock.is_some() => ParameterBytes::new(&values.cipher_privileges),
            number::CIPHER_PRIVILEGES => ParameterBytes::new(&shown_privileges(values.cipher_privileges, auths)),
            _ => return Err(ParameterError::Unsupported),
        };
        Ok(Read::Value(bytes))
    }

    /// The program's response to a [`Read::Ask`]: takes the value and gives its bytes, or
    /// `None` when the program answered something else.
    pub fn got(&mut self, parameter: u8, value: Value) -> Option<ParameterBytes> {
        let index = external_index(parameter)?;
        if !same_kind(EXTERNAL.get(index)?.2, &value) {
            return None;
        }
        *self.values.external.get_mut(index)? = value;
        Some(value_bytes(&value))
    }

    /// Writes a parameter; `data` is what follows the parameter number, at least one byte.
    pub(super) fn set(
        &mut self,
        parameter: u8,
        data: &[u8],
        session: Option<SessionId>,
    ) -> Result<Written, ParameterError> {
        if let Some(index) = external_index(parameter) {
            return self.set_external(index, data);
        }
        let values = &mut self.values;
        let short = ParameterError::TooShort;
        match parameter {
            number::SET_IN_PROGRESS => return self.set_in_progress(*data.first().ok_or(short)?, session),
            number::IPV4_HEADER => values.ipv4_header = *data.first_chunk().ok_or(short)?,
            number::ARP_CONTROL => values.arp[0] = *data.first().ok_or(short)? & 0x03,
            number::ARP_INTERVAL => values.arp[1] = *data.first().ok_or(short)?,
            number::BAD_PASSWORD => values.bad_password = *data.first_chunk().ok_or(short)?,
            number::COMMUNITY => {
                values.community = [0; 18];
                for (place, byte) in values.community.iter_mut().zip(data) {
                    *place = *byte;
                }
            }
            // What is too short is left at the original's response, which has no destinations.
            number::DESTINATION_TYPE => {
                let [number, kind @ ..] = *data.first_chunk::<4>().ok_or(ParameterError::Unsupported)?;
                values.destination(number)?.kind = kind;
            }
            number::DESTINATION_ADDRESSES => {
                let [number, addresses @ ..] = *data.first_chunk::<13>().ok_or(ParameterError::Unsupported)?;
                values.destination(number)?.addresses = addresses;
            }
            number::VLAN_ID => values.vlan_id = *data.first_chunk().ok_or(short)?,
            number::VLAN_PRIORITY => values.vlan_priority = *data.first().ok_or(short)?,
            number::CIPHER_PRIVILEGES => values.cipher_privileges = *data.first_chunk().ok_or(short)?,
            _ if Ipv6Parameters::has(parameter) => values.ipv6.set(parameter, data)?,
            number::AUTH_SUPPORT
            | number::AUTH_ENABLES
            | number::DESTINATIONS
            | number::CIPHER_SUITE_COUNT
            | number::CIPHER_SUITES => return Err(ParameterError::ReadOnly),
            number::PRIMARY_PORT if self.primary_port.is_some() => return Err(ParameterError::ReadOnly),
            _ => return Err(ParameterError::Unsupported),
        }
        values.unsaved = true;
        Ok(self.written())
    }

    /// What was just set is kept now, unless a commit will say so.
    fn written(&mut self) -> Written {
        if self.lock.is_some() {
            return Written::Done;
        }
        match std::mem::take(&mut self.values.unsaved) {
            true => Written::Commit { save: true, call: None },
            false => Written::Done,
        }
    }

    fn set_external(&mut self, index: usize, data: &[u8]) -> Result<Written, ParameterError> {
        let (_, _, kind) = *EXTERNAL.get(index).ok_or(ParameterError::Unsupported)?;
        let value = value_from(kind, data).ok_or(ParameterError::TooShort)?;
        if let Value::AddressSource(source) = value
            && self.program.is_some()
        {
            if source > HIGHEST_NAMED_SOURCE {
                return Err(ParameterError::Invalid);
            }
            if let Some(call) = self.call(Operation::Check, index, Some(value)) {
                return Ok(Written::Check(call));
            }
        }
        self.take(index, value);
        Ok(self.written())
    }

    fn take(&mut self, index: usize, value: Value) {
        if let Some(slot) = self.values.external.get_mut(index) {
            *slot = value;
            self.values.changed |= 1 << index;
            self.values.unsaved |= self.program.is_none();
        }
    }

    /// The program accepted an IP address source.
    pub fn checked(&mut self, source: u8) {
        if let Some(index) = external_index(number::IP_SOURCE) {
            self.take(index, Value::AddressSource(source));
        }
    }

    fn set_in_progress(&mut self, value: u8, session: Option<SessionId>) -> Result<Written, ParameterError> {
        match value & 3 {
            // Complete: what was not committed is rolled back.
            0 => {
                if let Some(lock) = self.lock.take() {
                    self.values = lock.rollback;
                }
                Ok(Written::Done)
            }
            1 if self.lock.as_ref().is_some_and(|lock| lock.holder != Holder::Nobody) => {
                Err(ParameterError::InProgress)
            }
            1 => {
                if let Some(abandoned) = self.lock.take() {
                    self.values = abandoned.rollback;
                }
                let holder = session.map_or(Holder::Host, Holder::Session);
                self.lock = Some(Lock { holder, rollback: self.values.clone() });
                Ok(Written::Done)
            }
            2 => {
                let Some(lock) = &mut self.lock else { return Err(ParameterError::InProgress) };
                let save = std::mem::take(&mut self.values.unsaved);
                let call = self.program.as_ref().filter(|_| self.values.changed != 0).map(|prefix| ProgramCall {
                    prefix: prefix.clone(),
                    operation: Operation::Set,
                    parameters: EXTERNAL
                        .iter()
                        .zip(&self.values.external)
                        .enumerate()
                        .filter(|(index, _)| self.values.changed & 1 << index != 0)
                        .map(|(_, ((_, name, kind), value))| Parameter { name, kind: *kind, value: Some(*value) })
                        .collect(),
                });
                if call.is_none() {
                    self.values.changed = 0;
                }
                lock.rollback = self.values.clone();
                Ok(Written::Commit { save, call })
            }
            _ => Err(ParameterError::Invalid),
        }
    }

    /// The program took what a commit gave it; what was set since then stays pending.
    pub fn committed(&mut self, call: &ProgramCall) {
        for (index, (_, name, _)) in EXTERNAL.iter().enumerate() {
            let given = call.parameters.iter().find(|parameter| parameter.name == *name);
            if given.is_some_and(|parameter| parameter.value.as_ref() == self.values.external.get(index)) {
                self.values.changed &= !(1 << index);
                if let Some(lock) = &mut self.lock {
                    lock.rollback.changed &= !(1 << index);
                }
            }
        }
    }

    /// A session ended: a lock it left behind keeps nobody from beginning anew.
    pub fn session_closed(&mut self, session: SessionId) {
        if let Some(lock) = self.lock.as_mut().filter(|lock| lock.holder == Holder::Session(session)) {
            lock.holder = Holder::Nobody;
        }
    }

    fn call(&self, operation: Operation, index: usize, value: Option<Value>) -> Option<ProgramCall> {
        let (_, name, kind) = *EXTERNAL.get(index)?;
        let prefix = self.program.clone()?;
        Some(ProgramCall { prefix, operation, parameters: vec![Parameter { name, kind, value }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHS: [AuthTypes; 4] = [AuthTypes(0x17); 4];

    fn read(parameters: &LanParameters, parameter: u8) -> Vec<u8> {
        match parameters.get(parameter, 0, &AUTHS).expect("supported") {
            Read::Value(bytes) => bytes.as_slice().to_vec(),
            Read::Ask(call) => panic!("asks {call:?}"),
        }
    }

    /// Set; what the state file keeps is kept at once when nobody holds the lock.
    fn done(written: Result<Written, ParameterError>) {
        assert!(matches!(written, Ok(Written::Done | Written::Commit { save: true, call: None })), "{written:?}");
    }

    #[test]
    fn what_was_kept_comes_back_and_what_was_not_committed_does_not() {
        let mut parameters = LanParameters::default();
        assert_eq!(parameters.kept(), [("max_priv_for_cipher".to_owned(), vec![0x44; 9])], "as the original's file");
        let sets: [(u8, &[u8]); 16] = [
            (3, &[192, 0, 2, 9]),
            (4, &[1]),
            (5, &[2, 0, 0, 0, 0, 9]),
            (6, &[255, 255, 255, 0]),
            (7, &[0x40, 0x40, 0x10]),
            (10, &[3]),
            (11, &[4]),
            (12, &[192, 0, 2, 1]),
            (13, &[2, 0, 0, 0, 0, 1]),
            (14, &[192, 0, 2, 2]),
            (15, &[2, 0, 0, 0, 0, 2]),
            (16, b"private\0\0\0\0\0\0\0\0\0\0\0"),
            (20, &[100, 0x80]),
            (21, &[5]),
            (24, &[0, 0x34, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44]),
            (26, &[1, 3, 6, 0, 12, 0]),
        ];
        for (number, data) in sets {
            done(parameters.set(number, data, None));
        }
        let (kind, addresses) = ([2, 0x81, 5, 3], [2, 0, 0, 192, 0, 2, 7, 2, 0, 0, 0, 0, 7]);
        done(parameters.set(18, &kind, None));
        done(parameters.set(19, &addresses, None));
        done(parameters.set(0, &[1], None));
        done(parameters.set(3, &[9, 9, 9, 9], None));
        let kept = parameters.kept();
        let mut again = LanParameters::default();
        again.restore(|name| kept.iter().find(|(item, _)| item == name).map(|(_, bytes)| bytes.as_slice()));
        for (number, data) in sets.into_iter().filter(|(number, _)| *number != 24) {
            assert_eq!(read(&again, number), data, "{number}");
        }
        assert_eq!(again.cipher_privileges()[..2], [0, 0x34]);
        let destination = |parameter| match again.get(parameter, 2, &AUTHS) {
            Ok(Read::Value(bytes)) => bytes.as_slice().to_vec(),
            other => panic!("{other:?}"),
        };
        assert_eq!((destination(18), destination(19)), (kind.to_vec(), addresses.to_vec()));
        assert_eq!(again.kept(), kept);
        // With a program its values are the program's, and odd items are left out.
        let mut external = LanParameters::new(Some("prog".into()));
        external.restore(|name| kept.iter().find(|(item, _)| item == name).map(|(_, bytes)| bytes.as_slice()));
        assert!(external.kept().iter().all(|(name, _)| name != "ip_addr"));
        let mut odd = LanParameters::default();
        odd.restore(|_| Some(&[1, 2]));
        assert_eq!(read(&odd, 20), [1, 2]);
        assert_eq!(read(&odd, 3), [0; 4]);
        assert_eq!(odd.cipher_privileges(), [1, 2, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn the_last_bit_of_every_external_parameter_is_marked() {
        assert_eq!(EXTERNAL.len(), u8::BITS as usize, "the mask of changed parameters has one bit for each");
    }

    #[test]
    fn complete_without_commit_rolls_back() {
        let mut parameters = LanParameters::default();
        done(parameters.set(0, &[1], None));
        assert_eq!(parameters.set(0, &[1], None), Err(ParameterError::InProgress));
        done(parameters.set(3, &[192, 168, 1, 2], None));
        assert_eq!(read(&parameters, 3), [192, 168, 1, 2]);
        done(parameters.set(0, &[0], None));
        assert_eq!(read(&parameters, 3), [0; 4]);
        assert_eq!(read(&parameters, 0), [0]);
    }

    #[test]
    fn commit_stays_in_progress_and_keeps() {
        let mut parameters = LanParameters::default();
        assert_eq!(parameters.set(0, &[2], None), Err(ParameterError::InProgress));
        done(parameters.set(0, &[1], None));
        done(parameters.set(24, &[0, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x33], None));
        assert_eq!(parameters.set(0, &[2], None), Ok(Written::Commit { save: true, call: None }));
        assert_eq!(parameters.set(0, &[2], None), Ok(Written::Commit { save: false, call: None }));
        assert_eq!(read(&parameters, 0), [1]);
        done(parameters.set(0, &[0], None));
        assert_eq!(parameters.cipher_privileges()[8], 0x33);
    }

    #[test]
    fn a_lock_left_behind_keeps_nobody_out() {
        let mut parameters = LanParameters::default();
        done(parameters.set(0, &[1], Some(SessionId(7))));
        done(parameters.set(3, &[1, 2, 3, 4], Some(SessionId(7))));
        parameters.session_closed(SessionId(8));
        assert_eq!(parameters.set(0, &[1], Some(SessionId(9))), Err(ParameterError::InProgress));
        parameters.session_closed(SessionId(7));
        assert_eq!(read(&parameters, 0), [1]);
        done(parameters.set(0, &[1], Some(SessionId(9))));
        assert_eq!(read(&parameters, 3), [0; 4], "what was not finished is rolled back");
        assert_eq!(parameters.set(0, &[1], Some(SessionId(10))), Err(ParameterError::InProgress));
    }

    #[test]
    fn each_step_may_be_made_in_a_session_of_its_own() {
        let mut parameters = LanParameters::default();
        done(parameters.set(0, &[1], Some(SessionId(1))));
        parameters.session_closed(SessionId(1));
        done(parameters.set(24, &[0, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x33], Some(SessionId(2))));
        parameters.session_closed(SessionId(2));
        assert_eq!(parameters.set(0, &[2], Some(SessionId(3))), Ok(Written::Commit { save: true, call: None }));
        parameters.session_closed(SessionId(3));
        done(parameters.set(0, &[0], Some(SessionId(4))));
        assert_eq!(parameters.cipher_privileges()[8], 0x33);
        assert_eq!(read(&parameters, 0), [0]);
    }

    /// `process.md` section 12: one call with all changed parameters, in fixed order.
    #[test]
    fn a_commit_is_one_call_of_the_program() {
        let mut parameters = LanParameters::new(Some("prog".into()));
        done(parameters.set(0, &[1], None));
        done(parameters.set(5, &[0, 1, 2, 3, 4, 255], None));
        done(parameters.set(3, &[1, 2, 3, 4], None));
        assert_eq!(read(&parameters, 3), [1, 2, 3, 4], "a pending value is not asked for");
        let Ok(Written::Commit { save: false, call: Some(call) }) = parameters.set(0, &[2], None) else {
            panic!("no commit");
        };
        let names: Vec<_> = call.parameters.iter().map(|parameter| parameter.name).collect();
        assert_eq!((call.operation, names.as_slice()), (Operation::Set, ["ip_addr", "mac_addr"].as_slice()));
        // The program failed: the next commit tries again.
        let again = parameters.set(0, &[2], None);
        assert_eq!(again, Ok(Written::Commit { save: false, call: Some(call.clone()) }));
        parameters.committed(&call);
        assert_eq!(parameters.set(0, &[2], None), Ok(Written::Commit { save: false, call: None }));
        done(parameters.set(0, &[0], None));
        let Ok(Read::Ask(get)) = parameters.get(3, 0, &AUTHS) else { panic!("the program is asked") };
        assert_eq!((get.operation, get.parameters[0].name), (Operation::Get, "ip_addr"));
        assert_eq!(parameters.got(3, Value::Mac([0; 6])), None);
        let got = parameters.got(3, Value::Ip([9, 8, 7, 6])).map(|bytes| bytes.as_slice().to_vec());
        assert_eq!(got, Some(vec![9, 8, 7, 6]));
    }

    #[test]
    fn the_address_source_is_checked_by_the_program() {
        let mut parameters = LanParameters::new(Some("prog".into()));
        assert_eq!(parameters.set(4, &[5], None), Err(ParameterError::Invalid));
        let Ok(Written::Check(call)) = parameters.set(4, &[2], None) else { panic!("no check") };
        assert_eq!(call.parameters[0].value, Some(Value::AddressSource(2)));
        let mut without = LanParameters::default();
        done(without.set(4, &[200], None));
        assert_eq!(read(&without, 4), [200]);
    }

    #[test]
    fn a_closed_suite_0_is_shown_as_not_used() {
        let with = |none_for: &[usize]| {
            let mut auths = [AuthTypes(0x14); 4];
            none_for.iter().for_each(|level| auths[level - 1].0 |= AuthTypes::NONE.0);
            auths
        };
        for (set, none_for, shown) in [
            (0x44, &[][..], 0x40),
            (0x44, &[4], 0x44),
            (0x44, &[1, 2, 3, 4], 0x44),
            (0x34, &[1, 2], 0x32),
            (0x32, &[3, 4], 0x30),
            (0x35, &[4], 0x35),
            (0x35, &[3], 0x33),
            (0x30, &[1, 2, 3, 4], 0x30),
            (0x4f, &[], 0x4f),
        ] {
            let mut parameters = LanParameters::default();
            done(parameters.set(24, &[0, set, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44], None));
            let Ok(Read::Value(bytes)) = parameters.get(24, 0, &with(none_for)) else { panic!("supported") };
            assert_eq!(bytes.as_slice()[..3], [0, shown, 0x44], "set {set:#x}, none for {none_for:?}");
            assert_eq!(parameters.cipher_privileges()[1], set, "what was set stays");
            done(parameters.set(0, &[1], None));
            assert_eq!(read(&parameters, 24)[1], set, "and is read by who is setting");
        }
    }

    #[test]
    fn the_cipher_suite_entries_are_those_that_work() {
        let parameters = LanParameters::default();
        assert_eq!(read(&parameters, 22), [12]);
        assert_eq!(read(&parameters, 23), [0, 0, 1, 2, 3, 6, 7, 8, 11, 12, 15, 16, 17, 0, 0, 0, 0]);
    }
}
